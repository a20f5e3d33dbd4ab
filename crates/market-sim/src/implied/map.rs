//! Where liquidation prices lie around the mid, minute by minute, for a heat map; and quantities per clock hour.

use super::{
    ImpliedBook, ImpliedError, Opening, PerSide, Schedule, Side, check_minutes, check_span, observed,
};
use crate::data::Minutes;
use core::ops::Range;

/// Liquidation levels of the accounts that were open, per bucket of 1 % of the mid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DensityMap {
    /// One per sampled minute, in order.
    pub rows: Vec<DensityRow>,
}

/// One minute of the map.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DensityRow {
    /// Index of the minute.
    pub minute: usize,
    /// Its mid, in ticks.
    pub mid: i64,
    /// Lots whose level lies `i` to `i + 1` per cent of the mid away: below it for longs, above it for shorts.
    pub lots: PerSide<Vec<i64>>,
    /// Lots whose level lies beyond the last bucket.
    pub beyond: PerSide<i64>,
}

/// Maps the openings that are open in every `step`-th minute of `span`, in `buckets` of 1 %. An account is open from the
/// minute of its opening to the one before its end.
///
/// # Errors
/// A span outside the rows, a step of 0, or more than 100 buckets.
pub fn density_map<'a>(
    openings: impl IntoIterator<Item = &'a Opening>,
    minutes: &Minutes,
    schedule: &Schedule,
    span: Range<usize>,
    step: usize,
    buckets: usize,
) -> Result<DensityMap, ImpliedError> {
    check_minutes(minutes)?;
    check_span(&span, minutes.len())?;
    for (field, value, most) in [("step", step, usize::MAX), ("buckets", buckets, 100)] {
        if value == 0 || value > most {
            let accepted = "at least 1; at most 100 buckets";
            return Err(ImpliedError::Parameter { field, value: value.to_string(), accepted });
        }
    }
    let empty = |minute: usize| DensityRow {
        minute,
        mid: minutes.mid[minute],
        lots: PerSide::from_fn(|_| vec![0; buckets]),
        beyond: PerSide::default(),
    };
    let mut rows: Vec<DensityRow> = span.clone().step_by(step).map(empty).collect();
    for opening in openings {
        let Opening { side, lots, entry, collateral, .. } = *opening;
        let first = opening.opened.max(span.start);
        let end = opening.gone_at().unwrap_or(span.end).min(span.end);
        if first >= end {
            continue;
        }
        let level = schedule.liquidation_level(side, lots, entry, collateral);
        let sampled = (first - span.start).div_ceil(step)..(end - span.start).div_ceil(step);
        for row in &mut rows[sampled] {
            row.add(side, lots, level);
        }
    }
    Ok(DensityMap { rows })
}

impl DensityRow {
    fn add(&mut self, side: Side, lots: i64, level: i64) {
        let (mid, level) = (i128::from(self.mid), i128::from(level));
        let percent = (i128::from(side.sign()) * (mid - level) * 100).div_euclid(mid).max(0);
        let bucket = usize::try_from(percent).ok().and_then(|i| self.lots.get_mut(side).get_mut(i));
        match bucket {
            Some(sum) => *sum += lots,
            None => *self.beyond.get_mut(side) += lots,
        }
    }
}

/// Quantities of one clock hour, in lots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hour {
    /// Start of the hour, in milliseconds since 1970.
    pub start_ms: u64,
    /// Lowest mid, in ticks.
    pub low: i64,
    /// Highest mid, in ticks.
    pub high: i64,
    /// Last mid, in ticks.
    pub close: i64,
    /// Recorded as liquidated.
    pub observed: PerSide<i64>,
    /// Explained by the book.
    pub implied: PerSide<i64>,
    /// Not explained by any account.
    pub unimplied: PerSide<i64>,
}

/// Sums per clock hour; hours without a row are left out.
#[must_use]
pub fn hourly(minutes: &Minutes, book: &ImpliedBook) -> Vec<Hour> {
    let mut hours: Vec<Hour> = Vec::new();
    for (row, (&time, &mid)) in minutes.time_ms.iter().zip(&minutes.mid).enumerate() {
        let start_ms = time - time % 3_600_000;
        if hours.last().is_none_or(|hour| hour.start_ms != start_ms) {
            hours.push(Hour { start_ms, low: mid, high: mid, ..Hour::default() });
        }
        let Some(hour) = hours.last_mut() else { continue };
        (hour.low, hour.high, hour.close) = (hour.low.min(mid), hour.high.max(mid), mid);
        for side in Side::BOTH {
            let at = |lots: &[i64]| lots.get(row).copied().unwrap_or(0);
            *hour.observed.get_mut(side) += at(observed(minutes, side));
            *hour.implied.get_mut(side) += at(book.implied.get(side));
            *hour.unimplied.get_mut(side) += at(book.unimplied.get(side));
        }
    }
    hours
}
