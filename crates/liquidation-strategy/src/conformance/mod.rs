//! The laws of this room as code: every built-in runs them, and so should every strategy and policy that others write.
//!
//! A check returns the first [`Violation`] it finds; the tests of this crate run each check on deliberately broken
//! implementations to show that it can fail.
//!
//! ```
//! use cofferdam_core::{MarketId, Millis};
//! use cofferdam_liquidation_strategy::{conformance::{Bench, check_strategy}, *};
//! let terms = OrderTerms::new(LimitPrice::Bankruptcy, Penalty::default(), Millis(1_000))?;
//! let bench = Bench::perpetual(30).with_position(MarketId(0), 10, 1_000);
//! assert!(check_strategy(&bench, &FullClose::new(terms), &Bid::ENGINE).is_ok());
//! # Ok::<(), LiquidationError>(())
//! ```

mod allocation;
mod bench;
mod promises;
mod strategy;

use alloc::string::String;
use core::fmt;

pub use allocation::check_allocation;
pub use bench::Bench;
pub use promises::Promises;
pub use strategy::check_strategy;

/// A law of this room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Law {
    /// Covered + residual = need, exactly (INV-25, INV-27).
    Exact,
    /// Nobody pays more than its base: gain and room, or lots.
    Base,
    /// Only payers pay, in the right market, at the right price, on the right side (INV-26).
    OnlyPayers,
    /// The order payers come in changes nothing (INV-46).
    Insertion,
    /// A larger need never takes less from anyone (INV-28).
    Monotone,
    /// Who gained more keeps at least as much (INV-28).
    OrderPreserving,
    /// No loss is put on principal: only gains pay, and nothing is written down or charged to all (INV-26).
    Principal,
    /// Only holders of a position pay (INV-26).
    OnlyHolders,
    /// An account that is split in two pays what it paid before, and so do the others, up to rounding (INV-6).
    SybilNeutral,
    /// Nobody pays more than a stated part of its base for one need.
    Capped,
    /// Two needs one after the other take what both at once would take, up to rounding (INV-29).
    PathIndependent,
    /// Only unhealthy accounts (INV-17).
    OnlyUnhealthy,
    /// Never more than is there, nor than is allowed.
    NoMoreThanThere,
    /// Moves balance (INV-1).
    Balanced,
    /// A plan does something or says when to ask again (INV-20).
    Progress,
    /// A ratio that worsens is said to (INV-18).
    SaysWorsens,
    /// The implementation returned an error.
    NoError,
}

/// A law that an implementation broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which law.
    pub law: Law,
    /// What was seen.
    pub detail: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} does not hold: {}", self.law, self.detail)
    }
}

impl core::error::Error for Violation {}

fn hold(ok: bool, law: Law, detail: impl FnOnce() -> String) -> Result<(), Violation> {
    if ok { Ok(()) } else { Err(Violation { law, detail: detail() }) }
}

fn broken(error: impl fmt::Display) -> Violation {
    Violation { law: Law::NoError, detail: alloc::format!("{error}") }
}
