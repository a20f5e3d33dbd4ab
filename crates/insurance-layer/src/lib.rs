//! The contract of an insurance layer, the loss waterfall, and built-in layers.
#![no_std]
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::float_arithmetic,
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used
    )
)]
extern crate alloc;
#[cfg(any(test, feature = "std"))]
extern crate std;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod book;
pub mod conformance;
mod contract;
mod contribution;
mod correlation;
#[cfg(feature = "std")]
mod escrowed;
mod layers;
mod mutual;
mod offset;
pub mod pricing;
mod programme;
#[cfg(feature = "registry")]
pub mod registry;
mod stake;

pub use book::{CommitmentBook, Drawn};
/// The vocabulary that the contract is written in, for a crate that depends on this one alone.
pub use cofferdam_core as core_values;
pub use contract::{
    CommitRequest, Commitment, CommitmentId, Correlation, Cover, Draw, Escrow, InsuranceError,
    InsuranceLayer, InsuranceProvider, Loss, LossCause, LossWaterfall, Manifest, Payment, ProviderError,
    QuoteId, QuoteRequest, QuoteTerms, Standing, Supports, Trigger, Waterfall,
};
pub use contribution::contribution;
pub use correlation::{Overlap, WrongWay, overlaps, wrong_way};
#[cfg(feature = "std")]
pub use escrowed::EscrowedFund;
pub use layers::{AggregateStopLoss, Band, ExcessOfLoss, Fund, MarketFund, QuotaBasis, QuotaShare};
pub use mutual::Mutual;
pub use offset::{Deposit, OffsetPool, Part, PartSum, SCALES};
pub use programme::{Entry, Gap, Programme, Response};
pub use stake::{Stake, StakePool, StakeTerms, by_seniority};

/// The version of the provider contract in this crate; a [`Manifest`] states the one its provider speaks.
pub const API_VERSION: u32 = 1;

use alloc::{format, string::String};

impl InsuranceError {
    /// The same error with the path of what holds the field put before it: `limit` within `layers[2]` is `layers[2].limit`.
    #[must_use]
    pub fn within(self, path: &str) -> Self {
        match self {
            Self::Parameter { field, value, accepted } => {
                Self::Parameter { field: format!("{path}.{field}"), value, accepted }
            }
            other => other,
        }
    }
}

fn refuse(field: &str, value: String, accepted: &str) -> InsuranceError {
    InsuranceError::Parameter { field: field.into(), value, accepted: accepted.into() }
}
