//! Values on the data and the implied book: prices, provenance, leverage, implied share, mutations, blind
//! validation, levels.

use serde::{Deserialize, Serialize};

use super::NamedValue;

/// Price and liquidations in bars of equal length.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PriceSeries {
    /// Length of one bar, seconds (3600 for hourly bars).
    pub bar_seconds: i64,
    /// Unit of the quantities, for example `ETH`.
    pub unit: String,
    /// In order of time. A gap in time is left open in the picture.
    pub bars: Vec<PriceBar>,
    /// Moments worth a line and a few words, for example the crash; at most four are readable.
    pub marks: Vec<TimeMark>,
    /// A remark below the chart (gaps in the data, for example); may be empty.
    pub note: String,
}

/// One bar of [`PriceSeries`]. Quantities are non-negative sums over the bar.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct PriceBar {
    /// Start of the bar, Unix seconds.
    pub start: i64,
    /// Lowest mid price of the bar.
    pub low: f64,
    /// Mean mid price of the bar.
    pub mean: f64,
    /// Highest mid price of the bar.
    pub high: f64,
    /// Liquidated by the stack.
    pub simulated: LongShort,
    /// Liquidated by the venue.
    pub observed: LongShort,
    /// Observed, but no position could be implied for it.
    pub unimplied: LongShort,
}

/// A quantity of each side, both non-negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LongShort {
    /// Long positions.
    pub long: f64,
    /// Short positions.
    pub short: f64,
}

/// A labelled moment on a time axis.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TimeMark {
    /// Unix seconds.
    pub at: i64,
    /// A few words.
    pub label: String,
}

/// Where a value of the run comes from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Provenance {
    /// Measured, in the data.
    Real,
    /// Follows from the data and the rules.
    Implied,
    /// Chosen by us.
    #[default]
    Assumed,
}

/// One row of the real / implied / assumed table.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ProvenanceRow {
    /// What it is, for example `maintenance margin`.
    pub what: String,
    /// Where it comes from.
    pub provenance: Provenance,
    /// Source, rule or value.
    pub how: String,
    /// What it would change if it were wrong; may be empty.
    pub matters: String,
}

/// Leverage and age of the positions that the book implies.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LeverageAge {
    /// Quantiles of leverage, ours beside the naive rules.
    pub leverage: QuantileTable,
    /// Quantiles of age at liquidation, ours beside the naive rules.
    pub age: QuantileTable,
    /// Distribution of leverage, one series per rule.
    pub leverage_histogram: Histogram,
    /// Distribution of age, one series per rule.
    pub age_histogram: Histogram,
    /// Shares with a bound (above 100x, opened two minutes before or less).
    pub bounds: Vec<BoundCheck>,
}

/// Quantiles of one quantity under several rules.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct QuantileTable {
    /// The quantity with its unit, for example `Leverage (x)`.
    pub quantity: String,
    /// Quantile levels, 0 to 1, ascending.
    pub levels: Vec<f64>,
    /// One row per rule, the one in use first.
    pub rows: Vec<QuantileRow>,
}

/// One rule's quantiles.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct QuantileRow {
    /// The rule, for example `most recent minute (naive)`.
    pub rule: String,
    /// True for the rule that the run uses.
    pub in_use: bool,
    /// One value per level.
    pub values: Vec<f64>,
}

/// Shares per bin. Bins are drawn equally wide, so edges may grow geometrically.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Histogram {
    /// The quantity with its unit.
    pub quantity: String,
    /// Bin edges, ascending, one more than there are bins.
    pub edges: Vec<f64>,
    /// The first is drawn as bars, the others (at most three) as lines.
    pub series: Vec<HistogramSeries>,
}

/// One distribution of a [`Histogram`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct HistogramSeries {
    /// Name in the legend.
    pub name: String,
    /// Share of the quantity in each bin, 0 to 1.
    pub shares: Vec<f64>,
}

/// A share that must not exceed a bound.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BoundCheck {
    /// What is bounded, for example `opened two minutes before or less`.
    pub what: String,
    /// The share found, 0 to 1.
    pub share: f64,
    /// The most that is accepted, 0 to 1.
    pub at_most: f64,
}

/// Share of the observed quantity that the implied book holds.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ImpliedShare {
    /// In order of maximum leverage.
    pub curve: Vec<SharePoint>,
    /// The maximum leverage that the run uses.
    pub used_max_leverage: f64,
    /// Share required at that leverage.
    pub required: LongShort,
    /// Share reached by each circular shift of the liquidation series at that leverage (200 of them).
    pub placebo_long: Vec<f64>,
    /// The same for short positions.
    pub placebo_short: Vec<f64>,
}

/// One point of the curve of implied shares.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct SharePoint {
    /// Maximum leverage, x.
    pub max_leverage: f64,
    /// Implied share, 0 to 1.
    pub implied: LongShort,
    /// Median share of the placebo, where it was computed.
    pub placebo: Option<LongShort>,
}

/// One deliberate fault.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct MutationRow {
    /// What was broken, for example `maintenance margin 10 % higher`.
    pub broken: String,
    /// The check that had to notice.
    pub check: String,
    /// What the check measured without the fault.
    pub without: String,
    /// What the check measured with it.
    pub with: String,
    /// Whether the check noticed.
    pub caught: bool,
}

/// Blind validation.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Blind {
    /// Period of the fit, in words.
    pub fitted_on: String,
    /// Period predicted, in words.
    pub predicted: String,
    /// What was fitted and to what value.
    pub parameters: Vec<NamedValue>,
    /// The model first, then adverse return alone, then the placebo.
    pub scores: Vec<BlindScore>,
    /// The model's prediction beside what happened, in hourly bars.
    pub hours: Vec<BlindHour>,
    /// Unit of the quantities.
    pub unit: String,
    /// What the result means; may be empty.
    pub verdict: String,
}

/// Scores of one predictor; `None` where a score has no meaning for it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BlindScore {
    /// The predictor.
    pub predictor: String,
    /// Correlation per minute, long.
    pub minute_long: Option<f64>,
    /// Correlation per minute, short.
    pub minute_short: Option<f64>,
    /// Correlation per hour, long.
    pub hour_long: Option<f64>,
    /// Correlation per hour, short.
    pub hour_short: Option<f64>,
    /// Predicted total / observed total, long.
    pub total_ratio_long: Option<f64>,
    /// Predicted total / observed total, short.
    pub total_ratio_short: Option<f64>,
}

/// One hour of the blind period.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct BlindHour {
    /// Start of the hour, Unix seconds.
    pub start: i64,
    /// Predicted without looking.
    pub predicted: LongShort,
    /// What the venue liquidated.
    pub observed: LongShort,
}

/// Density of liquidation levels over one day: for each moment, how much would be liquidated in each price
/// bucket.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LevelMap {
    /// The day, in words.
    pub day: String,
    /// Unit of the density, for example `ETH per 1 %`.
    pub unit: String,
    /// Price that distances are measured from, for example the first mid of the day.
    pub reference_price: f64,
    /// Bucket edges as prices, ascending, one more than there are buckets; 1 % apart.
    pub price_edges: Vec<f64>,
    /// In order of time, equally spaced.
    pub columns: Vec<LevelColumn>,
}

/// The book at one moment of [`LevelMap`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct LevelColumn {
    /// Unix seconds.
    pub at: i64,
    /// Mid price then.
    pub price: f64,
    /// Long quantity whose liquidation price lies in each bucket, from the lowest bucket up.
    pub long: Vec<f64>,
    /// Short quantity, likewise.
    pub short: Vec<f64>,
}
