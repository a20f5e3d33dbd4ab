//! One file per command. Each takes its arguments and the user interface, and answers with an exit code or one error.

pub(crate) mod adl;
mod adl_books;
mod adl_measures;
pub(crate) mod adl_study;
pub(crate) mod check;
pub(crate) mod insurance;
pub(crate) mod liquidation;
pub(crate) mod margin;
pub(crate) mod modules;
pub(crate) mod new;
pub(crate) mod oracle;
pub(crate) mod protocols;
pub(crate) mod replay;
pub(crate) mod run;
pub(crate) mod schema;
