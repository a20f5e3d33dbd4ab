//! Margin groups, requirements, health at several levels, liquidation and bankruptcy prices, and the columnar book.
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

mod account;
mod arena;
mod book;
mod by_group;
mod columns;
mod combine;
mod contract;
mod cross;
mod holdings;
mod kernels;
mod limits;
mod linear;
mod middle;
mod requirement;
mod safe;
mod scaled;
mod scenario;
mod sweep;
mod terms;
mod tiers;
mod valuation;

pub use account::{Account, Balance, BookError, Debt, Position};
pub use book::Book;
pub use by_group::ByGroup;
pub use combine::{Combined, Join};
pub use contract::{Coordinate, MarginError, MarginModel, MarginSweep, SafeRange};
pub use cross::CrossMargin;
pub use holdings::{Holdings, owed, pending_funding};
pub use limits::PositionLimits;
pub use linear::{Bracket, LinearSize, Stepped};
pub use middle::MiddleMaintenance;
pub use requirement::{Flat, Piece, Pieces, Reads, Requirement, Stage, TermsError};
pub use scaled::{OpenInterestScaled, SizeScaled, VolatilityScaled};
pub use scenario::{ScenarioMargin, ScenarioTerms, Tail, UnderlyingTerms};
pub use sweep::SweepBook;
pub use terms::{AssetTerms, Levels, MarketTerms};
pub use tiers::{Tier, Tiered};
