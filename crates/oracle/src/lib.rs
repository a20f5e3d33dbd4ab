//! Quotes in, a price with a state out. A bad price is a state, not a number: what each state still permits is a table.
//!
//! A policy is a tree: leaves read quotes ([`Latest`], [`FromIndex`]), and every other node holds its children as
//! `Box<dyn PricePolicy>`. Guards ([`Staleness`], [`Confidence`], [`Deviation`], [`RateOfChange`]) only worsen the state;
//! [`Median`] and [`Fallback`] choose; [`Ema`], [`Twap`], [`Basis`], [`StepLimit`] and [`StablePrice`] remember;
//! [`Reciprocal`], [`Product`] and [`Hull`] convert. [`PermitTable`] then says what a state permits.
//!
//! ```
//! use cofferdam_core::{Millis, PriceState, SourceId};
//! use cofferdam_oracle::{Median, Quorum, RateOfChange, RateOfChangeParams, StalenessParams};
//! use cofferdam_oracle::conformance::{ask_at, quote, resolve_once};
//! # use cofferdam_core::Ppb;
//! let ages = StalenessParams {
//!     aged_after: Some(Millis(5_000)), stale_after: Some(Millis(60_000)), future_tolerance: Millis(500),
//! };
//! let sources = [(SourceId(1), 1), (SourceId(2), 1), (SourceId(3), 1)];
//! let median = Median::of_sources(&sources, Quorum { needed: 2, wanted: 3 }, Some(ages))?;
//! let index = RateOfChange::new(
//!     Box::new(median), RateOfChangeParams { bound: Ppb(100_000_000), interval: Millis(60_000) },
//! )?;
//! let quotes = [quote(1, 2_000, 1, 99_000), quote(2, 2_004, 1, 99_500), quote(3, 0, 0, 99_900)];
//! let view = resolve_once(&index, &ask_at(100_000), &quotes, &Default::default())?;
//! assert_eq!((view.mid.get(), view.state), (2_002, PriceState::Thin)); // one of three is not a price
//! # Ok::<(), cofferdam_oracle::OracleError>(())
//! ```
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
#[cfg(test)]
extern crate std;

mod change;
pub mod conformance;
mod contract;
mod convert;
mod fallback;
mod guard;
mod leaf;
mod median;
mod permit;
mod policy;
mod smooth;
mod stable;
mod twap;

pub use change::{RateOfChange, RateOfChangeParams, StepLimit, StepLimitParams};
pub use contract::{FundingBasis, FundingBasisParams, MeanBasis};
pub use convert::{Product, Reciprocal};
pub use fallback::Fallback;
pub use guard::{
    Against, Confidence, ConfidenceParams, Deviation, DeviationParams, Staleness, StalenessParams,
};
pub use leaf::{FromIndex, Latest};
pub use median::{Median, Quorum, Voter};
pub use permit::{PermitTable, PermitTiers, Tier};
pub use policy::{Ask, OracleError, PricePolicy, Reference};
pub use smooth::{Basis, Ema};
pub use stable::{Hull, StablePrice, StablePriceParams};
pub use twap::{Twap, TwapParams};
