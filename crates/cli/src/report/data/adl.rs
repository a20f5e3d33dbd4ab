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
    /// Books on which policies are compared.
    pub books: Vec<AdlBook>,
    /// What of that was left out, and why.
    pub skipped: Vec<String>,
}

/// A book on which policies are compared.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct AdlBook {
    /// What it is.
    pub name: String,
    /// What has to be known about it; it stands on every figure.
    pub note: String,
    /// By number of unreached winners.
    pub cases: Vec<AdlCase>,
    /// What one would conclude, and whether it survives unreached winners.
    pub conclusions: Vec<VerdictLine>,
}

/// A book with a number of unreached winners. Money in USD, each number the middle one over seeds.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct AdlCase {
    /// Unreached winners, as a multiple of the reached.
    pub times: u32,
    /// How many seeds.
    pub seeds: usize,
    /// How many winners.
    pub winners: f64,
    /// What they gained.
    pub gains: f64,
    /// What had to be taken.
    pub needed: f64,
    /// Their next deficit if nobody paid.
    pub next_deficit: f64,
    /// Policies that answer a deficit.
    pub deficit: Vec<AdlPolicy>,
    /// Policies that answer a close-out.
    pub close_out: Vec<AdlPolicy>,
}

/// What a policy did.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub(crate) struct AdlPolicy {
    /// Which.
    pub name: String,
    /// How many paid.
    pub payers: f64,
    /// Taken without need.
    pub overshoot: f64,
    /// Needed and not taken.
    pub undershoot: f64,
    /// The largest part of a gain.
    pub largest_haircut: f64,
    /// The largest part of an equity.
    pub largest_share_of_equity: f64,
    /// Pairs whose order of gains was turned round, as a part of all pairs.
    pub inversions: f64,
    /// Gini coefficient of what was taken.
    pub gini: f64,
    /// The largest gain that is kept over what was taken.
    pub ptsr: f64,
    /// Part that the one in a hundred who gained most paid.
    pub by_largest: f64,
    /// Part that the one in ten with most leverage paid.
    pub by_levered: f64,
    /// Expected deficit after the next move.
    pub next_deficit: f64,
}
