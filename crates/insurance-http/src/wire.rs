//! What goes over the line. Amounts are decimal strings of whole quanta, ids decimal strings: a JSON number loses digits beyond 2^53 in
//! many languages. Times are milliseconds since 1970.

use cofferdam_core::{AssetId, DrawId, LayerId, Millis, Ppb, Quanta};
use cofferdam_insurance_layer as contract;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A field that cannot be taken in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} is {value}; accepted is {accepted}")]
pub struct WireError {
    /// Which field.
    pub field: &'static str,
    /// What it was.
    pub value: String,
    /// What would be accepted.
    pub accepted: &'static str,
}

/// The largest time that every JSON reader keeps whole: 2^53 - 1.
const TIME_MAX: u64 = (1 << 53) - 1;

pub(crate) fn fault(field: &'static str, value: &str, accepted: &'static str) -> WireError {
    // what a stranger sent is not repeated at any length
    WireError { field, value: format!("{:?}", value.chars().take(80).collect::<String>()), accepted }
}

fn quanta(field: &'static str, text: &str) -> Result<Quanta, WireError> {
    let accepted = "a whole number of quanta between -2^120 and 2^120, as a string";
    let number: i128 = text.parse().map_err(|_| fault(field, text, accepted))?;
    Quanta::new(number).try_add(Quanta::ZERO).map_err(|_| fault(field, text, accepted))
}

fn id(field: &'static str, text: &str) -> Result<u64, WireError> {
    text.parse().map_err(|_| fault(field, text, "a whole number from 0 to 2^64 - 1, as a string"))
}

fn time(field: &'static str, ms: u64) -> Result<Millis, WireError> {
    if ms > TIME_MAX {
        return Err(fault(field, &ms.to_string(), "milliseconds below 2^53"));
    }
    Ok(Millis(ms))
}

/// What a provider says it is and can do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// `org/name`.
    #[schema(example = "acme/reserve")]
    pub id: String,
    /// The version of the contract that it speaks.
    pub api_version: u32,
    /// The number of the asset that it pays in.
    pub asset: u32,
    /// What it pays by.
    pub trigger: Trigger,
    /// What it can do: of `partial_payment`, `reinstatement`, `renewal` and `cancel`.
    #[serde(default)]
    pub supports: Vec<Ability>,
    /// What its money, or its ability to pay, moves with.
    #[serde(default)]
    pub correlated: Vec<Correlation>,
}

/// What a layer pays by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// What was lost.
    Indemnity,
    /// An index that stands for the loss.
    Parametric,
    /// Somebody's decision.
    Discretionary,
}

/// Something beyond the least.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Ability {
    /// Pays in parts.
    PartialPayment,
    /// Restores a limit that was used up.
    Reinstatement,
    /// Offers a further term before one ends.
    Renewal,
    /// Lets the insured end it early.
    Cancel,
}

/// What a provider moves with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Correlation {
    /// The asset of this number.
    Asset(u32),
    /// Its own token.
    OwnToken,
    /// Capital of this name, `org/name`.
    Capital(String),
}

impl From<&contract::Manifest> for Manifest {
    fn from(m: &contract::Manifest) -> Self {
        let can = [
            (m.supports.partial_payment, Ability::PartialPayment),
            (m.supports.reinstatement, Ability::Reinstatement),
            (m.supports.renewal, Ability::Renewal),
            (m.supports.cancel, Ability::Cancel),
        ];
        Self {
            id: m.id.clone(),
            api_version: m.api_version,
            asset: m.asset.0,
            trigger: match m.trigger {
                contract::Trigger::Indemnity => Trigger::Indemnity,
                contract::Trigger::Parametric => Trigger::Parametric,
                contract::Trigger::Discretionary => Trigger::Discretionary,
            },
            supports: can.into_iter().filter_map(|(has, what)| has.then_some(what)).collect(),
            correlated: m.correlated.iter().map(Correlation::from).collect(),
        }
    }
}

impl From<&contract::Correlation> for Correlation {
    fn from(c: &contract::Correlation) -> Self {
        match c {
            contract::Correlation::Asset(a) => Self::Asset(a.0),
            contract::Correlation::OwnToken => Self::OwnToken,
            contract::Correlation::Capital(name) => Self::Capital(name.clone()),
        }
    }
}

impl From<Manifest> for contract::Manifest {
    fn from(m: Manifest) -> Self {
        let can = |what| m.supports.contains(&what);
        Self {
            api_version: m.api_version,
            asset: AssetId(m.asset),
            trigger: match m.trigger {
                Trigger::Indemnity => contract::Trigger::Indemnity,
                Trigger::Parametric => contract::Trigger::Parametric,
                Trigger::Discretionary => contract::Trigger::Discretionary,
            },
            supports: contract::Supports {
                partial_payment: can(Ability::PartialPayment),
                reinstatement: can(Ability::Reinstatement),
                renewal: can(Ability::Renewal),
                cancel: can(Ability::Cancel),
            },
            correlated: m
                .correlated
                .iter()
                .map(|c| match c {
                    Correlation::Asset(a) => contract::Correlation::Asset(AssetId(*a)),
                    Correlation::OwnToken => contract::Correlation::OwnToken,
                    Correlation::Capital(name) => contract::Correlation::Capital(name.clone()),
                })
                .collect(),
            id: m.id,
        }
    }
}

/// Terms asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuoteRequest {
    /// When it is asked.
    pub at: u64,
    /// The largest sum at risk.
    #[schema(example = "1000000")]
    pub exposure: String,
    /// For how long, in milliseconds.
    pub term: u64,
    /// Losses below this are not the insurer's business.
    #[schema(example = "0")]
    pub attachment: String,
    /// The most that it would pay.
    #[schema(example = "1000000")]
    pub limit: String,
    /// The share of the limit that it would take, in billionths.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    pub share_ppb: i64,
}

impl From<&contract::QuoteRequest> for QuoteRequest {
    fn from(q: &contract::QuoteRequest) -> Self {
        Self {
            at: q.at.0,
            exposure: q.exposure.to_string(),
            term: q.term.0,
            attachment: q.attachment.to_string(),
            limit: q.limit.to_string(),
            share_ppb: q.share.0,
        }
    }
}

impl QuoteRequest {
    /// The request, as the contract has it.
    ///
    /// # Errors
    ///
    /// A number that is none, or outside its range.
    pub fn read(&self) -> Result<contract::QuoteRequest, WireError> {
        Ok(contract::QuoteRequest {
            at: time("at", self.at)?,
            exposure: quanta("exposure", &self.exposure)?,
            term: time("term", self.term)?,
            attachment: quanta("attachment", &self.attachment)?,
            limit: quanta("limit", &self.limit)?,
            share: Ppb(self.share_ppb),
        })
    }
}

/// Terms offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct QuoteTerms {
    /// Names the offer.
    #[schema(example = "17")]
    pub id: String,
    /// For the term, if all of the line is taken.
    #[schema(example = "137")]
    pub premium: String,
    /// It stands through this instant.
    pub valid_until: u64,
    /// In the insurer's words.
    #[serde(default)]
    pub conditions: String,
}

impl From<&contract::QuoteTerms> for QuoteTerms {
    fn from(t: &contract::QuoteTerms) -> Self {
        Self {
            id: t.id.0.to_string(),
            premium: t.premium.to_string(),
            valid_until: t.valid_until.0,
            conditions: t.conditions.clone(),
        }
    }
}

impl QuoteTerms {
    /// The terms, as the contract has them.
    ///
    /// # Errors
    ///
    /// A number that is none, or outside its range.
    pub fn read(self) -> Result<contract::QuoteTerms, WireError> {
        Ok(contract::QuoteTerms {
            id: contract::QuoteId(id("id", &self.id)?),
            premium: quanta("premium", &self.premium)?,
            valid_until: time("valid_until", self.valid_until)?,
            conditions: self.conditions,
        })
    }
}

/// Takes an offer up. The name of the commitment stands in the path.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CommitRequest {
    /// Which offer.
    #[schema(example = "17")]
    pub quote: String,
    /// Which layer of the stack the capacity is for.
    pub layer: u32,
    /// How much, at most the line that was quoted.
    #[schema(example = "1000000")]
    pub capacity: String,
    /// When it is asked.
    pub at: u64,
    /// Last instant at which it may be drawn on.
    pub expires: u64,
}

impl From<&contract::CommitRequest> for CommitRequest {
    fn from(c: &contract::CommitRequest) -> Self {
        Self {
            quote: c.quote.0.to_string(),
            layer: c.layer.0,
            capacity: c.capacity.to_string(),
            at: c.at.0,
            expires: c.expires.0,
        }
    }
}

impl CommitRequest {
    /// The request under its name, as the contract has it.
    ///
    /// # Errors
    ///
    /// A number that is none, or outside its range.
    pub fn read(&self, name: &str) -> Result<contract::CommitRequest, WireError> {
        Ok(contract::CommitRequest {
            id: contract::CommitmentId(id("id", name)?),
            quote: contract::QuoteId(id("quote", &self.quote)?),
            layer: LayerId(self.layer),
            capacity: quanta("capacity", &self.capacity)?,
            at: time("at", self.at)?,
            expires: time("expires", self.expires)?,
        })
    }
}

/// What was committed, and what it costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Cover {
    /// For which layer.
    pub layer: u32,
    /// At most this much in all.
    #[schema(example = "1000000")]
    pub capacity: String,
    /// Last instant at which it may be drawn on.
    pub expires: u64,
    /// What it costs.
    #[schema(example = "137")]
    pub premium: String,
}

impl From<&contract::Cover> for Cover {
    fn from(c: &contract::Cover) -> Self {
        Self {
            layer: c.commitment.layer.0,
            capacity: c.commitment.capacity.to_string(),
            expires: c.commitment.expires.0,
            premium: c.premium.to_string(),
        }
    }
}

impl Cover {
    /// The cover, as the contract has it: a promise, since the money lies with the insurer.
    ///
    /// # Errors
    ///
    /// A number that is none, or outside its range.
    pub fn read(&self) -> Result<contract::Cover, WireError> {
        Ok(contract::Cover {
            commitment: contract::Commitment {
                layer: LayerId(self.layer),
                capacity: quanta("capacity", &self.capacity)?,
                expires: time("expires", self.expires)?,
                escrow: contract::Escrow::Promised,
            },
            premium: quanta("premium", &self.premium)?,
        })
    }
}

/// What a layer can draw.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Capacity {
    /// How much.
    #[schema(example = "1000000")]
    pub capacity: String,
}

impl Capacity {
    /// The amount.
    ///
    /// # Errors
    ///
    /// A number that is none, or outside its range.
    pub fn read(&self) -> Result<Quanta, WireError> {
        quanta("capacity", &self.capacity)
    }
}

/// A draw. Its name stands in the path: asked for twice it is paid once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Draw {
    /// On which layer.
    pub layer: u32,
    /// How much.
    #[schema(example = "250000")]
    pub amount: String,
}

impl From<&contract::Draw> for Draw {
    fn from(d: &contract::Draw) -> Self {
        Self { layer: d.layer.0, amount: d.amount.to_string() }
    }
}

impl Draw {
    /// The draw and its name, as the contract has them.
    ///
    /// # Errors
    ///
    /// A number that is none, or outside its range.
    pub fn read(&self, name: &str) -> Result<(DrawId, contract::Draw), WireError> {
        let number = name.parse().map_err(|_| fault("id", name, "a whole number from 0 to 2^32 - 1"))?;
        let (layer, amount) = (LayerId(self.layer), quanta("amount", &self.amount)?);
        Ok((DrawId(number), contract::Draw { layer, amount }))
    }
}

/// How a draw was settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case", tag = "status", deny_unknown_fields)]
pub enum Payment {
    /// All of it was paid.
    Paid,
    /// A part of it; the rest will not come.
    Partly {
        /// What was paid.
        #[schema(example = "100000")]
        paid: String,
    },
    /// Not yet.
    Pending {
        /// Ask again then.
        until: u64,
    },
    /// Refused.
    Denied {
        /// In the insurer's words.
        reason: String,
    },
    /// Contested: somebody else decides.
    Disputed {
        /// In the insurer's words.
        reason: String,
        /// Ask again then.
        until: u64,
    },
}

impl From<&contract::Payment> for Payment {
    fn from(p: &contract::Payment) -> Self {
        match p {
            contract::Payment::Paid => Self::Paid,
            contract::Payment::Partly { paid } => Self::Partly { paid: paid.to_string() },
            contract::Payment::Pending { until } => Self::Pending { until: until.0 },
            contract::Payment::Denied { reason } => Self::Denied { reason: reason.clone() },
            contract::Payment::Disputed { reason, until } => {
                Self::Disputed { reason: reason.clone(), until: until.0 }
            }
        }
    }
}

impl Payment {
    /// The payment, as the contract has it.
    ///
    /// # Errors
    ///
    /// A number that is none, or outside its range.
    pub fn read(self) -> Result<contract::Payment, WireError> {
        Ok(match self {
            Self::Paid => contract::Payment::Paid,
            Self::Partly { paid } => contract::Payment::Partly { paid: quanta("paid", &paid)? },
            Self::Pending { until } => contract::Payment::Pending { until: time("until", until)? },
            Self::Denied { reason } => contract::Payment::Denied { reason },
            Self::Disputed { reason, until } => {
                contract::Payment::Disputed { reason, until: time("until", until)? }
            }
        })
    }
}

/// Why a call was not answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Failure {
    /// What happened: for a bad field its name, its value and what would be accepted.
    pub message: String,
    /// Whether the same call may be made again.
    pub retryable: bool,
}
