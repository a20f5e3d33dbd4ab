//! Values on what happened and what would have: variants, linked depth, the tipping map, waterfalls, lending.

use serde::{Deserialize, Serialize};

use super::{Card, VerdictLine};

/// The counterfactuals.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Variants {
    /// The settlement asset, for example `USD`.
    pub unit: String,
    /// Name of the row that the others are compared with.
    pub baseline: String,
    /// In the order of the scenario file, the baseline among them.
    pub rows: Vec<VariantRow>,
    /// Branching ratios below this are flagged (0.03).
    pub branching_low: f64,
    /// Branching ratios above this are flagged (0.2).
    pub branching_high: f64,
}

/// One variant over its seeds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct VariantRow {
    /// Name in the scenario file.
    pub name: String,
    /// What it changes, in a few words.
    pub what: String,
    /// Seeds run.
    pub seeds: u64,
    /// Liquidated notional.
    pub liquidated: MoneySpread,
    /// Loss beyond the accounts' own collateral.
    pub bad_debt: MoneySpread,
    /// Paid by the insurance layers.
    pub insurance_drawn: MoneySpread,
    /// What insurance would have had to hold to leave no residual.
    pub insurance_needed: MoneySpread,
    /// Taken from winners by loss allocation.
    pub taken_from_winners: MoneySpread,
    /// What each forced unit triggered; `None` where nothing was liquidated.
    pub branching_ratio: Option<FloatSpread>,
    /// Largest fall of the simulated mid from a running peak, 0 to 1.
    pub max_drawdown: FloatSpread,
    /// Deleveraging events.
    pub events: u64,
    /// Liquidation steps.
    pub steps: u64,
    /// Loss allocation measures.
    pub measures: u64,
    /// Breaker trips, all breakers.
    pub breaker_trips: u64,
    /// What each breaker did; empty where the stack has none.
    #[serde(default)]
    pub breakers: Vec<BreakerCount>,
    /// Empty when the variant differs visibly from the baseline, else why it should be read as "no visible
    /// effect".
    pub no_effect: String,
}

/// What one breaker did in one run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct BreakerCount {
    /// Its name in the stack file.
    pub name: String,
    /// How often it tripped.
    pub trips: u64,
    /// Verdicts that cut a forced close, put it off, or refused a request.
    pub limits: u64,
}

/// Median and tails of an amount over seeds, exact decimal strings; all three equal where there is one seed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct MoneySpread {
    /// Median over seeds.
    pub median: String,
    /// 5th percentile.
    pub p5: String,
    /// 95th percentile.
    pub p95: String,
}

/// Median and tails of a number over seeds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FloatSpread {
    /// Median over seeds.
    pub median: f64,
    /// 5th percentile.
    pub p5: f64,
    /// 95th percentile.
    pub p95: f64,
}

/// The founding claim: damage with depth linked to liquidations against the same depth series at other times.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LinkedDepth {
    /// One per base depth (full, half) and measure (bad debt, liquidated).
    pub cases: Vec<LinkedCase>,
    /// What the comparison says, in words; may be empty.
    pub verdict: String,
}

/// One measure at one base depth.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LinkedCase {
    /// The base depth, for example `full depth`.
    pub depth: String,
    /// The measure, for example `bad debt`.
    pub measure: String,
    /// Its unit, for example `USD`.
    pub unit: String,
    /// With depth linked to liquidations, over seeds.
    pub linked: MoneySpread,
    /// With the depth series shifted in time, over all seeds and shifts.
    pub independent: MoneySpread,
    /// Linked over the median shift of the same seed, over seeds; `None` where a median shift shows nothing.
    pub ratio: Option<FloatSpread>,
    /// Every run.
    pub seeds: Vec<LinkedSeed>,
}

/// The comparison on the account book of one seed.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LinkedSeed {
    /// Which book.
    pub seed: u64,
    /// Exact value with depth linked to liquidations.
    pub linked: String,
    /// Exact values with the depth series shifted in time, at least eight.
    pub independent: Vec<ShiftedRun>,
}

/// One run with shifted depth.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ShiftedRun {
    /// How far the depth series was shifted, minutes.
    pub shift_minutes: i64,
    /// The measure, exact.
    pub value: String,
}

/// A grid of runs with the line at which a criterion flips.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TippingMap {
    /// What the cells show, with its unit, for example `Insurance needed, million USD`.
    pub what: String,
    /// Meaning of the columns, for example `depth multiplier`.
    pub x_label: String,
    /// Column names, left to right.
    pub x: Vec<String>,
    /// Meaning of the rows, for example `exit strength`.
    pub y_label: String,
    /// Row names, bottom to top.
    pub y: Vec<String>,
    /// Row by row, bottom to top.
    pub cells: Vec<Vec<TippingCell>>,
    /// The criterion in words, for example `the fund is exhausted`.
    pub criterion: String,
}

/// One run of a [`TippingMap`].
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TippingCell {
    /// What the cell shows; `None` where the run was not made.
    pub value: Option<f64>,
    /// Whether the criterion holds there.
    pub tipped: bool,
    /// Whether it is the base case.
    pub base: bool,
}

/// Who paid, per event. `bad_debt - layers - winners - suppliers - residual` is zero in every row, and the
/// page checks it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Waterfall {
    /// Which run it is, for example `quarter depth`.
    pub run: String,
    /// The settlement asset.
    pub unit: String,
    /// Names of the insurance layers in the order in which they pay.
    pub layers: Vec<String>,
    /// Events in order of time. The largest forty are printed, the others as one exact sum.
    pub events: Vec<WaterfallRow>,
}

/// One deleveraging event, amounts exact.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct WaterfallRow {
    /// The event's id.
    pub event: String,
    /// When it opened, Unix seconds.
    pub opened: i64,
    /// When it closed; `None` where the data ended first.
    pub closed: Option<i64>,
    /// Notional closed by force.
    pub liquidated: String,
    /// Loss beyond the accounts' own collateral.
    pub bad_debt: String,
    /// What the liquidated accounts paid themselves: margin lost and penalties. Not part of the bad debt.
    pub account_margin: String,
    /// Paid by each layer, in the order of [`Waterfall::layers`].
    pub layers: Vec<String>,
    /// Of that, what came later than the loss, in the same order.
    #[serde(default)]
    pub late: Vec<String>,
    /// Drawn on a promise of each layer and not paid: not part of what was paid.
    #[serde(default)]
    pub unpaid: Vec<String>,
    /// Taken from winners (auto-deleveraging).
    pub winners: String,
    /// Borne by suppliers of a pool.
    pub suppliers: String,
    /// Borne by nobody yet; must be zero at the end.
    pub residual: String,
}

/// The lending market on the same path: the same structure, smaller.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Lending {
    /// Paragraphs that a stranger understands.
    pub what_ran: Vec<String>,
    /// Key figures.
    pub cards: Vec<Card>,
    /// Checks.
    pub verdicts: Vec<VerdictLine>,
    /// Unit of the collateral seized, for example `ETH`.
    pub unit: String,
    /// Length of one bar, seconds.
    pub bar_seconds: i64,
    /// In order of time.
    pub bars: Vec<LendingBar>,
    /// Variants of the lending run.
    pub variants: Variants,
    /// Who paid, per event.
    pub waterfalls: Vec<Waterfall>,
}

/// One bar of the lending run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LendingBar {
    /// Start of the bar, Unix seconds.
    pub start: i64,
    /// Mean mid price of the bar.
    pub price: f64,
    /// Collateral seized in the bar.
    pub seized: f64,
    /// Share of the pool that is lent out, 0 to 1.
    pub utilisation: f64,
}
