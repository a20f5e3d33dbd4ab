//! What is closed, how fast, at what price and by whom; and who pays when nobody bids.
//!
//! A [`LiquidationStrategy`] turns a case and a bid into a [`Plan`] of steps; a [`LossAllocation`] turns what is left into
//! measures and an exact residual. Both are values for the stack to apply. The laws they keep are code in [`conformance`].
//!
//! ```
//! use cofferdam_core::{Level, MarketId, Millis, Ppb, Quanta};
//! use cofferdam_liquidation_strategy::{conformance::Bench, *};
//! let penalty = Penalty::new(Ppb(10_000_000), Ppb::ONE, Ppb::ZERO)?;
//! let terms = OrderTerms::new(LimitPrice::Bankruptcy, penalty, Millis(2_000))?;
//! let strategy = PartialToTarget::new(terms, Level::LiquidationEnd, Quanta::ZERO, Quanta::ZERO)?;
//! // 45 of equity against 5 % of 1000: six lots fewer, and 39 after penalties support 6 % of 400
//! let bench = Bench::perpetual(45).with_position(MarketId(0), 10, 1_000);
//! let plan = bench.plan(&strategy, &Bid::ENGINE)?.expect("below maintenance");
//! assert_eq!((plan.steps.len(), plan.worsens), (1, false));
//! # Ok::<(), LiquidationError>(())
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

mod allocation;
mod apportion;
mod by_bidder;
mod by_market;
mod capped;
mod close;
pub mod conformance;
mod contracts;
mod curve;
mod drained;
mod dutch;
mod escalation;
mod first_slice;
mod frontier;
mod full_close;
mod gradual;
mod guards;
mod in_order;
mod keeper;
mod least_share;
mod least_squares;
mod level_leverage;
mod leveling;
mod levered;
mod offset;
mod partial;
mod placement;
mod pool_close;
mod pool_gain;
mod pro_rata;
mod queue;
mod risk_aware;
mod seizure;
mod severity;
mod socialise;
mod strategy;
mod takeover;
mod terms;
mod tier_step;
mod tiers;
mod unranked;
mod weight;

pub use allocation::{Cause, LossAllocation, Measure, Need, Payer, Payers, Settlement};
pub use by_bidder::ByBidder;
pub use by_market::ByMarket;
pub use capped::{CappedProRata, HaircutCaps};
pub use close::{effect, remains, steps_worsen};
pub use contracts::{ContractProRata, ContractWeight};
pub use curve::PriceCurve;
pub use drained::{Drain, WhileDrained};
pub use dutch::{DutchAuction, DutchTerms};
pub use escalation::Escalation;
pub use first_slice::{FirstSlice, SlicePace};
pub use frontier::{largest_unhealthy_repayment, loss_frontier, toxic_frontier};
pub use full_close::FullClose;
pub use gradual::{Gradual, Pace};
pub use guards::{InsuranceCoverGuard, IsolatedMarkets, LimitGuard};
pub use in_order::InOrder;
pub use keeper::{KeeperLiquidation, KeeperTerms};
pub use least_share::LeastShare;
pub use least_squares::LeastSquares;
pub use level_leverage::LevelLeverage;
pub use leveling::{Exposed, level_exposure};
pub use levered::LeveredProRata;
pub use offset::{Critical, KeeperPart, OffsetTerms, OffsetThenRedistribute, Shutdown};
pub use partial::PartialToTarget;
pub use placement::Placement;
pub use pool_close::PoolClose;
pub use pool_gain::PoolGainLimit;
pub use pro_rata::ProRataAllocation;
pub use queue::{QueueAllocation, Ranking};
pub use risk_aware::{RiskAware, RiskWeight};
pub use seizure::{Owing, RepayOffer, Seizure, convert};
pub use severity::{Severity, SeverityRule};
pub use socialise::{CarryDeficit, ShiftFunding, WriteDownPool};
pub use strategy::{
    Bid, FillGuard, LiquidationError, LiquidationStrategy, Penalty, Plan, Refusal, Step, Taker,
};
pub use takeover::{Deleverage, DeleveragePrice, Takeover};
pub use terms::{LimitPrice, OrderTerms, bankruptcy_price, bankruptcy_price_with};
pub use tier_step::{Ladder, TierStep};
pub use tiers::{Bound, Tiers};
pub use unranked::{UnrankedAllocation, place_of};

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
