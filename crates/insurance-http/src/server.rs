//! Routes around a provider, and the document that describes them.

use crate::{BODY_MAX, wire};
use axum::{
    Json, Router,
    body::Bytes,
    extract::{DefaultBodyLimit, Path, Query, State, rejection::QueryRejection},
    http::StatusCode,
    response::{IntoResponse, Response},
    routing::{get, post, put},
};
use cofferdam_core::{LayerId, Millis};
use cofferdam_insurance_layer::{InsuranceProvider, ProviderError};
use serde::{Deserialize, de::DeserializeOwned};
use std::sync::Arc;
use utoipa::{IntoParams, OpenApi};

type Insurer = Arc<dyn InsuranceProvider>;

/// The contract over HTTP around a provider, and the document that describes it at `/openapi.json`. Who may call is for the host to say:
/// put a layer of its own around them.
///
/// ```
/// use cofferdam_core::{AssetId, Ppb, Quanta};
/// use cofferdam_insurance_layer::EscrowedFund;
/// let fund = EscrowedFund::new("acme/reserve", AssetId(0), Quanta::new(1_000), Ppb(50_000_000))?;
/// let routes = cofferdam_insurance_http::routes(std::sync::Arc::new(fund));
/// # let _: axum::Router = routes;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn routes(insurer: Arc<dyn InsuranceProvider>) -> Router {
    Router::new()
        .route("/openapi.json", get(|| async { Json(openapi()) }))
        .route("/v1/manifest", get(manifest))
        .route("/v1/quotes", post(quote))
        .route("/v1/commitments/{id}", put(commit))
        .route("/v1/layers/{layer}/capacity", get(capacity))
        .route("/v1/draws/{id}", put(settle))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(insurer)
}

/// The OpenAPI document of the contract.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Cofferdam insurance provider",
        description = "Whoever answers these calls insures a layer of a risk stack. Amounts are decimal strings of whole quanta of the \
                       stack's numeraire, times milliseconds since 1970. Commitments and draws are idempotent by the name in their path: \
                       asked for again on the same terms they have the same answer, and on others they are refused."
    ),
    paths(manifest, quote, commit, capacity, settle)
)]
struct Document;

/// A call that was not answered as it was meant.
struct Failed(StatusCode, wire::Failure);

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (self.0, Json(self.1)).into_response()
    }
}

impl From<ProviderError> for Failed {
    fn from(e: ProviderError) -> Self {
        let status =
            if e.retryable { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::UNPROCESSABLE_ENTITY };
        Self(status, wire::Failure { message: e.message, retryable: e.retryable })
    }
}

impl From<wire::WireError> for Failed {
    fn from(e: wire::WireError) -> Self {
        unreadable(e.to_string())
    }
}

fn unreadable(message: String) -> Failed {
    Failed(StatusCode::BAD_REQUEST, wire::Failure { message, retryable: false })
}

fn body<T: DeserializeOwned>(bytes: &Bytes) -> Result<T, Failed> {
    serde_json::from_slice(bytes).map_err(|e| unreadable(e.to_string()))
}

/// What it is and can do.
#[utoipa::path(get, path = "/v1/manifest", responses(
    (status = 200, body = wire::Manifest),
    (status = 503, body = wire::Failure, description = "ask again"),
))]
async fn manifest(State(insurer): State<Insurer>) -> Result<Json<wire::Manifest>, Failed> {
    Ok(Json((&insurer.manifest().await?).into()))
}

/// Terms for cover. An offer keeps its price until it lapses.
#[utoipa::path(post, path = "/v1/quotes", request_body = wire::QuoteRequest, responses(
    (status = 200, body = wire::QuoteTerms),
    (status = 400, body = wire::Failure, description = "a field that cannot be taken in"),
    (status = 422, body = wire::Failure, description = "refused"),
    (status = 503, body = wire::Failure, description = "ask again"),
))]
async fn quote(State(insurer): State<Insurer>, bytes: Bytes) -> Result<Json<wire::QuoteTerms>, Failed> {
    let request = body::<wire::QuoteRequest>(&bytes)?.read()?;
    Ok(Json((&insurer.quote(&request).await?).into()))
}

/// Commits capacity on an offer until it expires, once for each name.
#[utoipa::path(put, path = "/v1/commitments/{id}", request_body = wire::CommitRequest,
    params(("id" = String, Path, description = "the name that whoever asks gives it, a number below 2^64")),
    responses(
        (status = 200, body = wire::Cover),
        (status = 400, body = wire::Failure, description = "a field that cannot be taken in"),
        (status = 422, body = wire::Failure, description = "refused"),
        (status = 503, body = wire::Failure, description = "ask again, under the same name"),
    ))]
async fn commit(
    State(insurer): State<Insurer>,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Result<Json<wire::Cover>, Failed> {
    let request = body::<wire::CommitRequest>(&bytes)?.read(&id)?;
    Ok(Json((&insurer.commit(&request).await?).into()))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct When {
    /// At which time, now or later, in milliseconds.
    at: u64,
}

/// What a layer can draw at a time, if nothing is drawn until then.
#[utoipa::path(get, path = "/v1/layers/{layer}/capacity",
    params(("layer" = u32, Path, description = "which layer of the stack"), When),
    responses(
        (status = 200, body = wire::Capacity),
        (status = 422, body = wire::Failure, description = "refused"),
        (status = 503, body = wire::Failure, description = "ask again"),
    ))]
async fn capacity(
    State(insurer): State<Insurer>,
    Path(layer): Path<String>,
    when: Result<Query<When>, QueryRejection>,
) -> Result<Json<wire::Capacity>, Failed> {
    let accepted = "a whole number from 0 to 2^32 - 1";
    let number = layer.parse().map_err(|_| wire::fault("layer", &layer, accepted))?;
    let Query(when) = when.map_err(|e| unreadable(format!("at: {}", e.body_text())))?;
    let capacity = insurer.capacity(LayerId(number), Millis(when.at)).await?;
    Ok(Json(wire::Capacity { capacity: capacity.to_string() }))
}

/// Settles a draw, once for each name.
#[utoipa::path(put, path = "/v1/draws/{id}", request_body = wire::Draw,
    params(("id" = String, Path, description = "the name of the draw, a number below 2^32")),
    responses(
        (status = 200, body = wire::Payment),
        (status = 400, body = wire::Failure, description = "a field that cannot be taken in"),
        (status = 422, body = wire::Failure, description = "refused"),
        (status = 503, body = wire::Failure, description = "ask again, under the same name"),
    ))]
async fn settle(
    State(insurer): State<Insurer>,
    Path(id): Path<String>,
    bytes: Bytes,
) -> Result<Json<wire::Payment>, Failed> {
    let (id, draw) = body::<wire::Draw>(&bytes)?.read(&id)?;
    Ok(Json((&insurer.settle(id, &draw).await?).into()))
}
