//! What the report of a study of loss allocation shows.

use super::VerdictLine;
use serde::Serialize;

/// A published number beside the recomputed one, ready to print.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct AdlFigure {
    /// What it counts.
    pub what: String,
    /// As printed, with its unit.
    pub published: String,
    /// From the tables, with more digits.
    pub recomputed: String,
    /// Recomputed less published.
    pub difference: String,
    /// Whether they agree as exactly as it is printed.
    pub agrees: bool,
    /// From what and how.
    pub how: String,
    /// Where it is printed.
    pub source: String,
}

/// One wave: what was needed, and what was taken, in USD.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub(crate) struct AdlWave {
    /// Its number.
    pub number: u32,
    /// What had to be taken.
    pub needed: f64,
    /// What production took, seen at once.
    pub taken: f64,
    /// The published deficit.
    pub deficit: f64,
}

/// A study of loss allocation.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct AdlReport {
    /// Title of the page.
    pub title: String,
    /// Figure by figure.
    pub figures: Vec<AdlFigure>,
    /// Published, and not to be recomputed: what, and where it is printed.
    pub absent: Vec<(String, String)>,
    /// What the letters of sources stand for.
    pub sources: Vec<(String, String)>,
    /// What is wrong with them.
    pub findings: Vec<VerdictLine>,
    /// Wave by wave.
    pub waves: Vec<AdlWave>,
}
