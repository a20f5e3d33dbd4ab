//! What a market charges (funding, interest) and how it fills from its own pool. Whatever it charges one holder it pays
//! another: a side, a pool or the house.
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

pub mod conformance;
mod contract;
mod funding;
mod interest;
mod pool;
mod share;
#[cfg(test)]
mod testing;

pub use contract::{
    Accrual, Fill, IndexMove, LendingView, MarketError, PoolMoment, PoolOrder, PoolPricing, PoolView,
    Subject, Unhonoured,
};
pub use funding::{PremiumFunding, PremiumFundingParams, funding_charge};
pub use interest::{InterestCurve, KinkedRate, KinkedRateParams, LendingInterest, YEAR, utilisation};
pub use pool::{ConstantProduct, ConstantProductParams};
pub use share::{SharePrice, Shares};

use core::ops::RangeInclusive;

fn check_range(
    field: &'static str,
    value: i128,
    range: RangeInclusive<i128>,
    accepted: &'static str,
) -> Result<(), MarketError> {
    if range.contains(&value) { Ok(()) } else { Err(MarketError::Parameter { field, value, accepted }) }
}
