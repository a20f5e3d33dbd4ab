//! The contract: values, a pure waterfall on committed capacity, and an async provider at the edge.
//!
//! A provider commits bounded, expiring capacity ahead of time. The waterfall draws on committed capacity only, at once and
//! without I/O: an insurer cannot stall a liquidation. Settlement follows; short, late or denied is a fact, and the next
//! layer carries the gap.

use alloc::{boxed::Box, string::String, sync::Arc, vec::Vec};
use async_trait::async_trait;
use cofferdam_core::{
    AssetId, DrawId, EventId, GroupId, LayerId, MarketId, MathError, Millis, Ppb, Quanta, Rounding,
};
use core::fmt::Debug;

/// Why a loss arose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LossCause {
    /// An account was closed below its bankruptcy price.
    Bankruptcy,
    /// Collateral was exhausted before its debt.
    BadDebt,
    /// A draw on another layer was not paid.
    Default {
        /// Which layer.
        layer: LayerId,
    },
    /// A loss that was left open and is asked for again, since new money came. It was counted when it arose.
    Carried,
}

/// A loss, in quanta of the numeraire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The deleveraging event it belongs to, if one is open.
    pub event: Option<EventId>,
    /// Whose account left it, if one did: members of a mutual fund pay for one another, and first for themselves.
    pub of: Option<GroupId>,
    /// The market, if one.
    pub market: Option<MarketId>,
    /// In which asset it has to be paid.
    pub asset: AssetId,
    /// Why.
    pub cause: LossCause,
    /// How much.
    pub amount: Quanta,
    /// Losses of the same event before this one, for attachment per event.
    pub event_before: Quanta,
    /// All losses before this one, for attachment in aggregate.
    pub total_before: Quanta,
}

/// Whether a commitment is backed by money that the stack holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escrow {
    /// The money lies in the stack's ledger under the layer: a draw is paid at once.
    Held,
    /// A promise: a draw becomes a receivable until it is paid.
    Promised,
}

/// Bounded, expiring capacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Commitment {
    /// By which layer.
    pub layer: LayerId,
    /// At most this much in all, in quanta of the numeraire.
    pub capacity: Quanta,
    /// Last instant at which it may be drawn on.
    pub expires: Millis,
    /// Backed by what.
    pub escrow: Escrow,
}

/// Where a layer stands when a loss arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Which layer.
    pub layer: LayerId,
    /// What it can still pay: committed, not expired, not drawn, and for escrow no more than is held.
    pub capacity: Quanta,
    /// What it has paid or owes for this event.
    pub drawn_event: Quanta,
    /// What it has paid or owes since it was committed.
    pub drawn_total: Quanta,
}

/// A draw on one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// On which layer.
    pub layer: LayerId,
    /// How much, above zero.
    pub amount: Quanta,
}

/// Draws and what they leave: sum of draws + residual = loss, exactly (INV-25).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waterfall {
    /// In the order of the programme.
    pub draws: Vec<Draw>,
    /// What no layer pays.
    pub residual: Quanta,
}

/// What this room can refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InsuranceError {
    /// Arithmetic beyond its range.
    #[error(transparent)]
    Math(#[from] MathError),
    /// A loss below zero.
    #[error("a loss of {0} quanta: accepted is zero or more")]
    NegativeLoss(Quanta),
    /// A programme with a fault.
    #[error("{field} is {value}; accepted is {accepted}")]
    Parameter {
        /// Which parameter.
        field: String,
        /// What it was.
        value: String,
        /// What would be accepted.
        accepted: String,
    },
    /// A draw id that was used before, for another layer or another amount.
    #[error("draw {draw} was made before on layer {layer} for {amount} quanta")]
    DrawReused {
        /// Which draw.
        draw: DrawId,
        /// The layer it was made on.
        layer: LayerId,
        /// The amount it was made for.
        amount: Quanta,
    },
    /// A layer that gives no answer: one that lies outside and trapped, ran out of what it may use, or refused. It counts as zero.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// A draw of more than a layer has committed.
    #[error("layer {layer} can pay {capacity} quanta, not {asked}")]
    OverCapacity {
        /// Which layer.
        layer: LayerId,
        /// What was to be drawn.
        asked: Quanta,
        /// What it can still pay.
        capacity: Quanta,
    },
}

/// The terms of one layer: how much of a loss it would pay, before its capacity is looked at.
///
/// # Contract
///
/// - Answers between zero and `left`; rounds down (the residual takes the rest).
/// - Depends on its arguments alone. The programme caps the answer at the standing's capacity.
pub trait InsuranceLayer: Debug + Send + Sync {
    /// What the layer pays of `left`, the part of `loss` that the layers before it left.
    fn respond(&self, loss: &Loss, left: Quanta, standing: &Standing) -> Result<Quanta, InsuranceError>;
}

/// Splits a loss over layers, purely.
pub trait LossWaterfall: Debug + Send + Sync {
    /// Draws on the standings, in the programme's order.
    fn allocate(&self, loss: &Loss, standings: &[Standing]) -> Result<Waterfall, InsuranceError>;
}

/// What a layer pays by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trigger {
    /// What was lost.
    Indemnity,
    /// An index that stands for the loss: what it pays and what was lost may differ (basis risk).
    Parametric,
    /// Somebody's decision.
    Discretionary,
}

impl core::fmt::Display for Trigger {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Indemnity => "indemnity",
            Self::Parametric => "parametric",
            Self::Discretionary => "discretionary",
        })
    }
}

/// What a layer can do beyond the least.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Supports {
    /// Pays in parts.
    pub partial_payment: bool,
    /// Restores a limit that was used up.
    pub reinstatement: bool,
    /// Offers a further term before one ends.
    pub renewal: bool,
    /// Lets the insured end it before it expires.
    pub cancel: bool,
}

impl Supports {
    /// Nothing of it.
    pub const NOTHING: Self =
        Self { partial_payment: false, reinstatement: false, renewal: false, cancel: false };
}

/// What a provider's money or its ability to pay moves with: wrong-way risk, which a programme is checked for ([`crate::overlaps`]).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Correlation {
    /// This asset: it holds it, or falls with it.
    Asset(AssetId),
    /// Its own token, which falls when it has to pay.
    OwnToken,
    /// Capital of this name, `org/name`: whoever else names it counts the same money.
    Capital(String),
}

/// What a provider says it is and can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// `org/name`.
    pub id: String,
    /// Version of this contract that it speaks.
    pub api_version: u32,
    /// The asset it pays in.
    pub asset: AssetId,
    /// What it pays by.
    pub trigger: Trigger,
    /// What it can do.
    pub supports: Supports,
    /// What it moves with.
    pub correlated: Vec<Correlation>,
}

/// The name of an offer, which the provider gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct QuoteId(pub u64);

/// The name of a commitment, which whoever asks for it gives: asked for again it is the same commitment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CommitmentId(pub u64);

/// Terms asked of a provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuoteRequest {
    /// When it is asked, by the clock of the stack. A provider needs no clock of its own.
    pub at: Millis,
    /// What is to be covered: the largest sum at risk.
    pub exposure: Quanta,
    /// For how long.
    pub term: Millis,
    /// Losses below this are not its business.
    pub attachment: Quanta,
    /// The most it would pay.
    pub limit: Quanta,
    /// The share of the layer it would take.
    pub share: Ppb,
}

impl QuoteRequest {
    /// The line that is asked for: the share of the limit, rounded up.
    pub fn line(&self) -> Result<Quanta, MathError> {
        self.share.of(self.limit, Rounding::Up)
    }
}

/// Terms offered by a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuoteTerms {
    /// The offer, for [`CommitRequest::quote`].
    pub id: QuoteId,
    /// Premium for the term, if all of the line is taken.
    pub premium: Quanta,
    /// The offer stands through this instant.
    pub valid_until: Millis,
    /// In the provider's words; empty where there are none.
    pub conditions: String,
}

/// Takes an offer up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommitRequest {
    /// Asked again under this name, nothing more is committed.
    pub id: CommitmentId,
    /// Which offer.
    pub quote: QuoteId,
    /// Which layer of the stack the capacity is for.
    pub layer: LayerId,
    /// How much, at most the line that was quoted.
    pub capacity: Quanta,
    /// When it is asked, by the clock of the stack.
    pub at: Millis,
    /// Last instant at which it may be drawn on: at most the quoted term from `at`.
    pub expires: Millis,
}

/// What was committed, and what it costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cover {
    /// The capacity.
    pub commitment: Commitment,
    /// The premium: what was quoted for all of the line, else the part of it that the capacity is of the line, rounded up.
    pub premium: Quanta,
}

/// How a draw was settled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payment {
    /// All of it.
    Paid,
    /// A part of it; the rest will not come.
    Partly {
        /// What was paid.
        paid: Quanta,
    },
    /// Not yet.
    Pending {
        /// Ask again then.
        until: Millis,
    },
    /// Refused.
    Denied {
        /// In the provider's words.
        reason: String,
    },
    /// The provider contests it: somebody else decides. Nothing is paid before, and asked again it may have been decided.
    Disputed {
        /// In the provider's words.
        reason: String,
        /// Ask again then.
        until: Millis,
    },
}

/// What a provider can fail with. `retryable` failures may be asked again under the same id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("provider: {message}")]
pub struct ProviderError {
    /// What happened.
    pub message: String,
    /// Whether the same call may be made again.
    pub retryable: bool,
}

/// An insurer at the edge. Its answers enter the stack as recorded inputs; the waterfall never waits for it.
///
/// # Contract
///
/// - An offer keeps its price until it lapses, and a commitment costs what was offered.
/// - `commit` never promises more than the provider holds and is idempotent by [`CommitmentId`]; a commitment stands until it
///   expires.
/// - `capacity` at a later time is what the commitments on a layer that have not expired by then can still pay, as things stand:
///   it counts nothing that is on its way out, and never grows by waiting.
/// - `settle` is idempotent by draw id: asked twice it pays once and gives the same answer. Amounts are quanta of the numeraire.
#[async_trait]
pub trait InsuranceProvider: Debug + Send + Sync {
    /// What it is.
    async fn manifest(&self) -> Result<Manifest, ProviderError>;
    /// Terms for cover.
    async fn quote(&self, request: &QuoteRequest) -> Result<QuoteTerms, ProviderError>;
    /// Commits capacity until it expires, on the terms of an offer.
    async fn commit(&self, request: &CommitRequest) -> Result<Cover, ProviderError>;
    /// What a layer can draw at `at`, now or later, if nothing is drawn until then.
    async fn capacity(&self, layer: LayerId, at: Millis) -> Result<Quanta, ProviderError>;
    /// Settles a draw.
    async fn settle(&self, id: DrawId, draw: &Draw) -> Result<Payment, ProviderError>;
}

#[async_trait]
impl<P: InsuranceProvider + ?Sized> InsuranceProvider for Arc<P> {
    async fn manifest(&self) -> Result<Manifest, ProviderError> {
        (**self).manifest().await
    }
    async fn quote(&self, request: &QuoteRequest) -> Result<QuoteTerms, ProviderError> {
        (**self).quote(request).await
    }
    async fn commit(&self, request: &CommitRequest) -> Result<Cover, ProviderError> {
        (**self).commit(request).await
    }
    async fn capacity(&self, layer: LayerId, at: Millis) -> Result<Quanta, ProviderError> {
        (**self).capacity(layer, at).await
    }
    async fn settle(&self, id: DrawId, draw: &Draw) -> Result<Payment, ProviderError> {
        (**self).settle(id, draw).await
    }
}
