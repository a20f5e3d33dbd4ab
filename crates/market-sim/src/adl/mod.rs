//! The loss-allocation laboratory: who pays when liquidation and insurance were not enough, measured.
//!
//! [`metrics`] says what is good and bad about an allocation, each measure once. [`load`] reads a study of a night that
//! was published: its figures are recomputed from its own tables ([`Compared`]), and what is wrong with them is said
//! ([`Night::findings`]). A [`Lab`] compares [`policies`] on one [`Book`], and asks which [`Conclusion`]s survive winners that a table of
//! those who paid cannot contain.
//!
//! Floats are fine here: nothing in this module moves money.

mod book;
mod compare;
mod conclusions;
mod descent;
mod figures;
mod findings;
mod lab;
#[cfg(test)]
mod lab_tests;
pub mod metrics;
mod min_max;
mod night;
mod policies;
mod study;
#[cfg(test)]
mod tests;

pub use book::{Book, Holder, Multiple, Terms};
pub use compare::{Comparison, Form, Loss, Outcome, compare, next_deficit};
pub use conclusions::{Conclusion, Fate};
pub use descent::{Descent, best_step, descend};
pub use figures::{FIGURES, Figure};
pub use findings::{CountedOnce, Finding};
pub use lab::{Case, Experiment, Lab, LabError, Source};
pub use min_max::{Closable, Closes, MinMax, MinMaxError};
pub use night::{Gap, HORIZONS_MS, Later, Night, NightError, Published, Shock, Taken, Wave};
pub use policies::{Policy, policies};
pub use study::{Absent, AdlStudy, AdlStudyError, Compared, load};
