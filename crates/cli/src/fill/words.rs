//! Small conversions that several sections use.

use crate::report::text::{fixed, group};
use crate::report::{LongShort, MoneySpread, Status, VerdictLine};
use cofferdam_core::Decimal;
use cofferdam_market_sim::implied::PerSide;
use cofferdam_market_sim::study::{spread, usd};

/// Atoms or quanta of 1e-6 as a number, for charts and sentences only.
pub(super) fn millionths(units: i128) -> f64 {
    units as f64 / 1e6
}

/// Atoms or quanta of 1e-6 in a sentence: whole units, thousands separated.
pub(super) fn money(units: i128) -> String {
    fixed(millionths(units), 0)
}

/// Lots of 0.001 ETH as ETH.
pub(super) fn eth(lots: i64) -> f64 {
    lots as f64 / 1e3
}

/// A count, thousands separated.
pub(super) fn count(n: impl ToString) -> String {
    group(&n.to_string())
}

/// Units of 10^exponent as an exact decimal string.
pub(super) fn exact(units: i128, exponent: i32) -> String {
    Decimal::from_units(units, exponent).to_string()
}

/// Milliseconds as the seconds that the report uses.
pub(super) fn seconds(ms: u64) -> i64 {
    i64::try_from(ms / 1_000).unwrap_or(i64::MAX)
}

/// Lots of both sides as ETH.
pub(super) fn both(lots: PerSide<i64>) -> LongShort {
    LongShort { long: eth(lots.long), short: eth(lots.short) }
}

/// A verdict line.
pub(super) fn line(status: Status, question: &str, answer: String) -> VerdictLine {
    VerdictLine { status, question: question.to_owned(), answer }
}

/// Pass or fail.
pub(super) fn pass(good: bool) -> Status {
    if good { Status::Pass } else { Status::Fail }
}

/// Names in quotes, separated by commas.
pub(super) fn quoted<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().map(|n| format!("\"{n}\"")).collect::<Vec<_>>().join(", ")
}

/// The median by nearest rank, so that it is a value that occurred.
pub(super) fn median<T: Ord + Copy>(mut values: Vec<T>) -> Option<T> {
    values.sort_unstable();
    values.get(values.len().div_ceil(2).max(1) - 1).copied()
}

/// Median, p5 and p95 of atoms or quanta of 1e-6, exact.
pub(super) fn money_spread(units: impl Iterator<Item = i128>) -> MoneySpread {
    let [median, p5, p95] = spread(units.collect()).unwrap_or_default().map(usd);
    MoneySpread { median, p5, p95 }
}
