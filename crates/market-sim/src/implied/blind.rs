//! Blind validation: the opening rate is fitted before a cut, the expectation is compared with the record after it, beside
//! what needs no book at all (the adverse return, and its square) and beside the record shifted in time.

use super::share::PLACEBO_SHIFTS;
use super::stats::shifts;
use super::{
    Expectation, ImpliedError, PerSide, Side, Spread, check_minutes, check_span, correlation, observed,
};
use crate::data::Minutes;
use core::ops::Range;

/// How an expectation compares with the record over some rows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Fit {
    /// Correlation per row.
    pub minute_r: f64,
    /// Correlation of sums per clock hour.
    pub hour_r: f64,
    /// Correlation of log(1 + quantity in units of 1,000 lots) per row: less driven by the largest minutes.
    pub log_r: f64,
    /// Expected over recorded total.
    pub total_ratio: f64,
    /// Expected total, in lots.
    pub expected_lots: f64,
    /// Recorded total, in lots.
    pub recorded_lots: i64,
}

/// The comparison for one side.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct BlindSide {
    /// Opening rate fitted before the cut, in lots per row.
    pub rate_lots: f64,
    /// Before the cut, where the rate was fitted.
    pub train: Fit,
    /// From the cut on.
    pub test: Fit,
    /// From the cut on: the adverse return alone, its scale fitted before the cut.
    pub adverse_return: Fit,
    /// From the cut on: the squared adverse return, its scale fitted before the cut.
    pub adverse_return_squared: Fit,
    /// Correlation per row after the cut with the record shifted in time.
    pub placebo: Spread,
}

/// The comparison for both sides.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Blind {
    /// First row that the fit did not see.
    pub cut: usize,
    /// Each side.
    pub sides: PerSide<BlindSide>,
}

/// Fits before `cut` and compares from `cut` on.
///
/// # Errors
/// A cut at the first row or beyond the last, or minutes outside their ranges.
pub fn blind_validation(
    minutes: &Minutes,
    expectation: &Expectation,
    cut: usize,
) -> Result<Blind, ImpliedError> {
    check_minutes(minutes)?;
    let rows = minutes.len().min(expectation.per_lot.long.len());
    check_span(&(0..cut), rows)?;
    check_span(&(cut..minutes.len()), rows)?;
    let sides = PerSide::from_fn(|side| one_side(minutes, expectation.per_lot.get(side), side, cut));
    Ok(Blind { cut, sides })
}

fn one_side(minutes: &Minutes, per_lot: &[f64], side: Side, cut: usize) -> BlindSide {
    let (before, after) = (0..cut, cut..minutes.len());
    let recorded = observed(minutes, side);
    let (rate_lots, expected) = scaled(per_lot, recorded, cut);
    let returns = adverse_returns(&minutes.mid, side);
    let squares: Vec<f64> = returns.iter().map(|r| r * r).collect();
    let fit = |series: &[f64], span: Range<usize>| compare(minutes, series, recorded, span);
    let test: Vec<f64> = recorded[after.clone()].iter().map(|&lots| lots as f64).collect();
    let placebo = shifts(test.len(), PLACEBO_SHIFTS).map(|shift| {
        let mut shifted = test.clone();
        shifted.rotate_right(shift);
        correlation(&shifted, &expected[after.clone()])
    });
    BlindSide {
        rate_lots,
        train: fit(&expected, before),
        test: fit(&expected, after.clone()),
        adverse_return: fit(&scaled(&returns, recorded, cut).1, after.clone()),
        adverse_return_squared: fit(&scaled(&squares, recorded, cut).1, after.clone()),
        placebo: Spread::of(&placebo.collect::<Vec<_>>()),
    }
}

/// A series times the factor at which its total before the cut is the recorded one; and the factor.
fn scaled(series: &[f64], recorded: &[i64], cut: usize) -> (f64, Vec<f64>) {
    let total: f64 = series[..cut].iter().sum();
    let factor = if total > 0.0 { recorded[..cut].iter().sum::<i64>() as f64 / total } else { 0.0 };
    (factor, series.iter().map(|x| x * factor).collect())
}

/// Relative move of the mid against a side, 0 where it moved the other way.
fn adverse_returns(mid: &[i64], side: Side) -> Vec<f64> {
    let moves = mid.windows(2).map(|pair| {
        let adverse = side.sign() * (pair[0] - pair[1]);
        adverse.max(0) as f64 / pair[0] as f64
    });
    std::iter::once(0.0).chain(moves).collect()
}

fn compare(minutes: &Minutes, expected: &[f64], recorded: &[i64], span: Range<usize>) -> Fit {
    let recorded_lots: i64 = recorded[span.clone()].iter().sum();
    let recorded: Vec<f64> = recorded[span.clone()].iter().map(|&lots| lots as f64).collect();
    let (expected, times) = (&expected[span.clone()], &minutes.time_ms[span]);
    let log = |series: &[f64]| series.iter().map(|x| libm::log1p(x / 1e3)).collect::<Vec<_>>();
    let expected_lots = expected.iter().sum::<f64>();
    Fit {
        minute_r: correlation(expected, &recorded),
        hour_r: correlation(&by_hour(times, expected), &by_hour(times, &recorded)),
        log_r: correlation(&log(expected), &log(&recorded)),
        total_ratio: expected_lots / recorded_lots.max(1) as f64,
        expected_lots,
        recorded_lots,
    }
}

/// Sums per clock hour, one entry for each hour between the first and the last row.
pub(crate) fn by_hour(times_ms: &[u64], series: &[f64]) -> Vec<f64> {
    let first = times_ms.first().map_or(0, |t| t / 3_600_000);
    let mut sums = Vec::new();
    for (time, x) in times_ms.iter().zip(series) {
        let hour = (time / 3_600_000).saturating_sub(first) as usize;
        if hour >= sums.len() {
            sums.resize(hour + 1, 0.0);
        }
        sums[hour] += x;
    }
    sums
}
