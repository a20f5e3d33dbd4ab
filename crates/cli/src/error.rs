//! What can end a command, and the exit code that says so to a script.

use crate::document::Place;
use std::fmt::Display;

/// Why a command did not end well. Its text is the one message that the user sees.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CliError {
    /// A comparison that does not agree; the text names the place. Exit code 1.
    #[error("{0}")]
    Disagrees(String),
    /// Something in the input, the configuration or the arguments; the text names file, place, value and what would be
    /// accepted. Exit code 2.
    #[error("{0}")]
    BadInput(String),
    /// A fault of ours. Exit code 3.
    #[error("internal error: {0}")]
    Internal(String),
    /// Whoever read our output has closed it: nothing is left to say. Exit code 0.
    #[error("the output was closed")]
    ClosedPipe,
}

impl CliError {
    /// `place: value; accepted: ...`, as the errors of a stack file are written.
    pub(crate) fn refuse(place: &Place<'_>, accepted: impl Display) -> Self {
        Self::BadInput(format!("{place}: {}; accepted: {accepted}", place.shown()))
    }

    /// A fault of the input at a place, in the words of a room.
    pub(crate) fn at(place: &Place<'_>, what: impl Display) -> Self {
        Self::BadInput(format!("{place}: {what}"))
    }

    /// What reading or writing a file can fail with.
    pub(crate) fn file(path: &std::path::Path, doing: &str, error: &std::io::Error) -> Self {
        Self::BadInput(format!(
            "{}: cannot {doing}: {error}; accepted: a path where that is possible",
            path.display()
        ))
    }

    /// The exit code.
    pub(crate) const fn code(&self) -> u8 {
        match self {
            Self::ClosedPipe => 0,
            Self::Disagrees(_) => 1,
            Self::BadInput(_) => 2,
            Self::Internal(_) => 3,
        }
    }
}

impl From<std::io::Error> for CliError {
    /// Errors of our own output: of the input they carry a path and come through [`CliError::file`].
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::ClosedPipe,
            _ => Self::Internal(format!("cannot write the output: {error}")),
        }
    }
}
