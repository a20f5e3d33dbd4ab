//! What the report shows, as plain values. The run fills it, [`render`](super::render) prints it, and nothing
//! is computed in between except what can be checked by hand from the same values: totals, medians and the
//! reconciliation to zero.
//!
//! Conventions: times are Unix seconds, UTC. Fields of type `String` that hold money or quantities are exact
//! decimal strings (`"-12.500000"`). `f64` is for display only. A share is a fraction of one, not a
//! percentage.

mod adl;
mod book;
mod outcome;

pub(crate) use adl::*;
pub(crate) use book::*;
pub(crate) use outcome::*;

use serde::{Deserialize, Serialize};

/// Everything the report of the main job shows. `Default` is the empty report: every section says it has
/// nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ReportData {
    /// Title of the page, for example `ETHUSDT through January 2021`.
    pub title: String,
    /// What was run, the key figures and how far they can be trusted.
    pub head: Head,
    /// Price and liquidations over the whole period.
    pub price: PriceSeries,
    /// What is real, what is implied, what is assumed; in the order it should be read.
    pub provenance: Vec<ProvenanceRow>,
    /// Leverage and age of the implied positions.
    pub leverage_age: LeverageAge,
    /// How much of the observed quantity the implied book explains.
    pub implied_share: ImpliedShare,
    /// What was broken on purpose, and what the check said.
    pub mutations: Vec<MutationRow>,
    /// Prediction of a period that the fit had not seen.
    pub blind: Blind,
    /// Where the liquidation levels lay on one day.
    pub levels: LevelMap,
    /// The counterfactuals beside the replay.
    pub variants: Variants,
    /// Depth that reacts to liquidations against the same depth at other times.
    pub linked: LinkedDepth,
    /// Market depth against exit strength.
    pub depth_exit: TippingMap,
    /// Who paid, per event; one entry per variant shown, the most telling first.
    pub waterfalls: Vec<Waterfall>,
    /// The lending market on the same path.
    pub lending: Lending,
    /// How to get the same bytes again.
    pub reproduce: Reproduce,
}

/// The top of the report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Head {
    /// Paragraphs that a stranger understands.
    pub what_ran: Vec<String>,
    /// Shown as cards; `None` where nothing has been run.
    pub key: Option<KeyFigures>,
    /// Any further cards, after the key figures.
    pub cards: Vec<Card>,
    /// The lines of the box "How far this can be trusted".
    pub verdicts: Vec<VerdictLine>,
}

/// The figures a reader looks for first. Quantities and money are those of the replay unless the label says
/// otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct KeyFigures {
    /// State hash after the last input, in hexadecimal.
    pub state_hash: String,
    /// Share of the observed long quantity that the implied book holds, 0 to 1.
    pub implied_share_long: f64,
    /// The same for short positions.
    pub implied_share_short: f64,
    /// Correlation per minute of simulated and observed quantity, long.
    pub correlation_long: f64,
    /// The same for short positions.
    pub correlation_short: f64,
    /// Liquidated long quantity, in the base asset, exact.
    pub liquidated_long: String,
    /// Liquidated short quantity, in the base asset, exact.
    pub liquidated_short: String,
    /// The base asset, for example `ETH`.
    pub base_asset: String,
    /// The settlement asset, for example `USD`.
    pub quote_asset: String,
    /// Liquidated notional, in the settlement asset, exact.
    pub liquidated_notional: String,
    /// Bad debt, in the settlement asset, exact.
    pub bad_debt: String,
    /// What the insurance layers paid, exact.
    pub insurance_paid: String,
    /// What loss allocation took from winners, exact.
    pub taken_from_winners: String,
}

/// One figure in a card.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Card {
    /// What the figure is.
    pub label: String,
    /// The figure, ready to print, with its unit.
    pub value: String,
    /// A few words below it; may be empty.
    pub note: String,
}

/// How a check ended. Printed as a word and a shape, never as a colour alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    /// The bound is kept.
    Pass,
    /// Worth knowing before the result is used.
    Warn,
    /// The bound is not kept.
    Fail,
    /// A remark, not a check.
    #[default]
    Note,
}

/// One line of "How far this can be trusted".
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct VerdictLine {
    /// How it ended.
    pub status: Status,
    /// What was asked, in a few words.
    pub question: String,
    /// What came out and what it means.
    pub answer: String,
}

/// How to get the same bytes again. Speed is not here: it differs between two runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Reproduce {
    /// The command, as typed from the root of the repository.
    pub command: String,
    /// Versions: the crate, the facts format, the summary format.
    pub versions: Vec<NamedValue>,
    /// Seeds by use.
    pub seeds: Vec<NamedValue>,
    /// Files read and written.
    pub files: Vec<FileEntry>,
}

/// A name and a printed value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct NamedValue {
    /// The name.
    pub name: String,
    /// The value, ready to print.
    pub value: String,
}

/// One file of the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FileEntry {
    /// Path relative to the example or to the output folder.
    pub path: String,
    /// What it holds.
    pub what: String,
    /// Size in bytes, where it is known.
    pub bytes: Option<u64>,
    /// SHA-256 in hexadecimal; empty where it cannot be known (the report itself).
    pub sha256: String,
}
