//! What to stop, for how long, and what must never be stopped: verdicts per action that join to the strictest.
//!
//! Each module watches one thing and keeps what it must remember in the stack's memory: [`PriceBand`], [`PriceVelocity`],
//! [`OracleOutage`] and [`InsuranceDrawdown`] trip and recover; [`LiquidationThrottle`] and [`WithdrawalRateLimit`] pace;
//! [`OpenInterestCap`] limits. None of them closes the way out, and [`conformance`] checks that of anyone's breaker.
//!
//! ```
//! use cofferdam_circuit_breaker::{CircuitBreaker, OracleOutage, OracleOutageParams, Recovery};
//! use cofferdam_core::{
//!     Action, At, GroupId, Lots, MapMemory, MarketId, Millis, Observation, PriceState, Quanta, Slot, Ticks,
//! };
//! let breaker = OracleOutage::new(OracleOutageParams {
//!     market: None,
//!     from: PriceState::Stale,
//!     recovery: Recovery { cooldown: Millis(30_000), expires: Millis(3_600_000) },
//! })?;
//! let (market, group) = (MarketId(1), GroupId(7));
//! let at = |time| At { time: Millis(time), ..At::default() };
//! let stale = Observation::Mark { market, price: Ticks::new(100), state: PriceState::Stale };
//! let open = Action::Open { group, market, lots: Lots::new(5), notional: Quanta::new(500) };
//! let close = Action::Reduce { group, market, lots: Lots::new(-5), notional: Quanta::new(500) };
//! let mut store = MapMemory::default();
//! store.with(Slot(1), |memory| {
//!     assert!(breaker.observe(at(1_000), &stale, memory)?); // tripped
//!     assert_eq!(breaker.admit(at(1_001), &open, memory)?.allowed(Millis(1_001)), 0);
//!     assert!(breaker.admit(at(1_001), &close, memory)?.allowed(Millis(1_001)) >= 5); // the way out
//!     assert!(breaker.admit(at(3_601_000), &open, memory)?.allowed(Millis(3_601_000)) >= 5); // it expires
//!     Ok::<(), cofferdam_circuit_breaker::BreakerError>(())
//! })?;
//! # Ok::<(), cofferdam_circuit_breaker::BreakerError>(())
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

mod band;
pub mod conformance;
mod contract;
mod cool_off;
mod drawdown;
mod gate;
mod interest;
mod outage;
mod rate;
mod throttle;
mod trip;
mod velocity;
mod window;

pub use band::{BandReference, PriceBand, PriceBandParams};
pub use contract::{BreakerError, CircuitBreaker};
pub use cool_off::CoolOff;
pub use drawdown::{Drawdown, InsuranceDrawdown, InsuranceDrawdownParams};
pub use gate::{WithdrawalGate, WithdrawalGateParams};
pub use interest::{OpenInterestCap, OpenInterestCapParams};
pub use outage::{OracleOutage, OracleOutageParams};
pub use rate::{WithdrawalBaseline, WithdrawalRateLimit, WithdrawalRateLimitParams};
pub use throttle::{Coverage, LiquidationThrottle, LiquidationThrottleParams, ThrottleBudget};
pub use trip::Recovery;
pub use velocity::{PriceVelocity, PriceVelocityParams};

use cofferdam_core::Verdict;

/// The strictest of all verdicts: the smallest limit and the latest time. None at all is [`Verdict::ALLOW`]. The order does
/// not matter, nor does a verdict given twice.
///
/// ```
/// use cofferdam_circuit_breaker::join_all;
/// use cofferdam_core::{Millis, Verdict};
/// let joined = join_all([Verdict::at_most(40), Verdict::until(Millis(9)), Verdict::at_most(70)]);
/// assert_eq!(joined, Verdict { limit: 40, not_before: Millis(9) });
/// ```
pub fn join_all(verdicts: impl IntoIterator<Item = Verdict>) -> Verdict {
    verdicts.into_iter().fold(Verdict::ALLOW, Verdict::join)
}
