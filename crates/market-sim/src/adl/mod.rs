//! The loss-allocation laboratory: who pays when liquidation and insurance were not enough, measured.
//!
//! [`metrics`] says what is good and bad about an allocation, each measure once. [`load`] reads a study of a night that
//! was published: its figures are recomputed from its own tables ([`Compared`]), and what is wrong with them is said
//! ([`Night::findings`]).
//!
//! Floats are fine here: nothing in this module moves money.

mod figures;
mod findings;
pub mod metrics;
mod night;
mod study;
#[cfg(test)]
mod tests;

pub use figures::{FIGURES, Figure};
pub use findings::{CountedOnce, Finding};
pub use night::{Gap, HORIZONS_MS, Later, Night, NightError, Published, Shock, Taken, Wave};
pub use study::{Absent, AdlStudy, AdlStudyError, Compared, load};
