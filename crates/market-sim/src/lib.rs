//! The market around a risk stack: recorded data, depth and impact, liquidity that leaves, price feeds, keepers, a virtual
//! venue; and the study of a scenario, which runs the same stack that runs in production through all of it.
//!
//! Simulation is production with another shell: this crate answers a stack's effects and never decides anything a stack
//! decides. Floats are allowed here and only here below the command line; all of them go through the `libm` crate, so that a
//! seed gives the same bytes on every machine.
//!
//! The three types to know: [`data::Minutes`] (what was recorded), [`perp::Conditions`] (how the world behaves in one run)
//! and [`study::Study`] (all runs of a scenario file).

pub mod adl;
mod conservation;
pub mod data;
pub mod depth;
pub mod feed;
pub mod implied;
pub mod lending;
pub mod perp;
pub mod study;
pub mod tally;
