//! A provider that asks a server.

use crate::{BODY_MAX, wire};
use async_trait::async_trait;
use cofferdam_core::{DrawId, LayerId, Millis, Quanta};
use cofferdam_insurance_layer::{
    CommitRequest, Cover, Draw, InsuranceProvider, Manifest, Payment, ProviderError, QuoteRequest, QuoteTerms,
};
use reqwest::{Client, Method, StatusCode, header::CONTENT_TYPE};
use serde::{Serialize, de::DeserializeOwned};

/// An insurer that speaks HTTP, at a base address.
///
/// A line that breaks, an answer that cannot be read or is longer than [`BODY_MAX`], and a status of 429 or 5xx may be asked again; what
/// the insurer refuses may not, unless it says so. It sets no limit of time: put `cofferdam_runtime::guard::Timeout` around it.
///
/// For `https` turn on a TLS feature of reqwest in the crate that links all: which one is not for this crate to say.
///
/// ```
/// let insurer = cofferdam_insurance_http::RemoteProvider::new("http://127.0.0.1:7000/")?;
/// assert_eq!(insurer.base(), "http://127.0.0.1:7000");
/// let refused = cofferdam_insurance_http::RemoteProvider::new("127.0.0.1").unwrap_err();
/// assert_eq!(refused.to_string(), "base is \"127.0.0.1\"; accepted is an address that begins with http:// or https://");
/// # Ok::<(), cofferdam_insurance_http::wire::WireError>(())
/// ```
#[derive(Clone, Debug)]
pub struct RemoteProvider {
    client: Client,
    base: String,
}

fn broken(message: String) -> ProviderError {
    ProviderError { message, retryable: true }
}

impl RemoteProvider {
    /// The insurer at an address, on connections of its own. No redirect is followed.
    ///
    /// # Errors
    ///
    /// An address that is none.
    pub fn new(base: &str) -> Result<Self, wire::WireError> {
        let builder = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy();
        let client = builder.build().map_err(|e| wire::WireError {
            field: "client",
            value: e.to_string(),
            accepted: "a machine on which one can be built",
        })?;
        Self::over(client, base)
    }

    /// The insurer at an address, over a client that the host has built: with its certificates, proxies and headers.
    ///
    /// # Errors
    ///
    /// An address that is none.
    pub fn over(client: Client, base: &str) -> Result<Self, wire::WireError> {
        let sound = |u: &reqwest::Url| ["http", "https"].contains(&u.scheme()) && u.has_host();
        if !reqwest::Url::parse(base).is_ok_and(|u| sound(&u)) {
            return Err(wire::WireError {
                field: "base",
                value: format!("{base:?}"),
                accepted: "an address that begins with http:// or https://",
            });
        }
        Ok(Self { client, base: base.trim_end_matches('/').into() })
    }

    /// The address, without a slash at its end.
    #[must_use]
    pub fn base(&self) -> &str {
        &self.base
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&(impl Serialize + Sync)>,
    ) -> Result<T, ProviderError> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(body) = body {
            let text = serde_json::to_vec(body).map_err(|e| broken(e.to_string()))?;
            request = request.header(CONTENT_TYPE, "application/json").body(text);
        }
        let mut response = request.send().await.map_err(|e| broken(format!("no answer: {e}")))?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(piece) =
            response.chunk().await.map_err(|e| broken(format!("answer broke off: {e}")))?
        {
            if body.len().saturating_add(piece.len()) > BODY_MAX {
                return Err(broken(format!("an answer above {BODY_MAX} bytes")));
            }
            body.extend_from_slice(&piece);
        }
        if status.is_success() {
            return serde_json::from_slice(&body)
                .map_err(|e| broken(format!("an answer that cannot be read: {e}")));
        }
        let passes = status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error();
        Err(match serde_json::from_slice::<wire::Failure>(&body) {
            Ok(f) => ProviderError { message: f.message, retryable: f.retryable },
            Err(_) => ProviderError { message: format!("status {status}"), retryable: passes },
        })
    }
}

const NOTHING: Option<&()> = None;

fn unread(error: wire::WireError) -> ProviderError {
    broken(format!("an answer that cannot be read: {error}"))
}

#[async_trait]
impl InsuranceProvider for RemoteProvider {
    async fn manifest(&self) -> Result<Manifest, ProviderError> {
        let manifest: wire::Manifest = self.call(Method::GET, "/v1/manifest", NOTHING).await?;
        Ok(manifest.into())
    }

    async fn quote(&self, request: &QuoteRequest) -> Result<QuoteTerms, ProviderError> {
        let body = wire::QuoteRequest::from(request);
        let terms: wire::QuoteTerms = self.call(Method::POST, "/v1/quotes", Some(&body)).await?;
        terms.read().map_err(unread)
    }

    async fn commit(&self, request: &CommitRequest) -> Result<Cover, ProviderError> {
        let path = format!("/v1/commitments/{}", request.id.0);
        let body = wire::CommitRequest::from(request);
        let cover: wire::Cover = self.call(Method::PUT, &path, Some(&body)).await?;
        cover.read().map_err(unread)
    }

    async fn capacity(&self, layer: LayerId, at: Millis) -> Result<Quanta, ProviderError> {
        let path = format!("/v1/layers/{}/capacity?at={}", layer.0, at.0);
        let capacity: wire::Capacity = self.call(Method::GET, &path, NOTHING).await?;
        capacity.read().map_err(unread)
    }

    async fn settle(&self, id: DrawId, draw: &Draw) -> Result<Payment, ProviderError> {
        let path = format!("/v1/draws/{}", id.0);
        let body = wire::Draw::from(draw);
        let payment: wire::Payment = self.call(Method::PUT, &path, Some(&body)).await?;
        payment.read().map_err(unread)
    }
}
