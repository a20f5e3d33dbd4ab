//! What a rule says when it is broken: where, which rule, why.

use std::fmt;

/// Whether a finding fails the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Severity {
    /// Fails the run.
    Error,
    /// Is printed; a reader decides.
    Warning,
}

/// One broken rule at one place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) path: String,
    pub(crate) line: usize,
    pub(crate) rule: &'static str,
    pub(crate) reason: String,
}

impl Finding {
    pub(crate) fn error(rule: &'static str, path: &str, line: usize, reason: impl Into<String>) -> Self {
        Self { severity: Severity::Error, path: path.to_owned(), line, rule, reason: reason.into() }
    }

    pub(crate) fn warning(rule: &'static str, path: &str, line: usize, reason: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(rule, path, line, reason) }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let severity = match self.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        write!(f, "{}:{}: {severity}: [{}] {}", self.path, self.line, self.rule, self.reason)
    }
}
