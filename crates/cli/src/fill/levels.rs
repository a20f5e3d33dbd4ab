//! The map of liquidation levels: which quantity would be closed by force in each 1 % of price, moment by moment.

use super::Filling;
use super::words::{eth, seconds};
use crate::report::text::day_month;
use crate::report::{LevelColumn, LevelMap};
use cofferdam_market_sim::implied::Side;

/// The map leaves this much room beyond the prices of its span, as a ratio.
const ROOM: f64 = 0.1;

/// Levels of all accounts that are open at each sampled moment, in fixed buckets of 1 % of the first mid, so that a band that
/// the price runs into is seen to be consumed. An account is open from the minute of its opening to the one before its end.
pub(super) fn levels(f: &Filling<'_>) -> LevelMap {
    let p = &f.study.prepared;
    let config = &p.scenario.levels;
    let first = p.minutes.first_at(config.from_ms);
    let end = first.saturating_add(config.rows).min(p.minutes.len());
    let Some(mids) = p.minutes.mid.get(first..end).filter(|m| !m.is_empty()) else {
        return LevelMap::default();
    };
    let rows: Vec<usize> = (first..end).step_by(config.step_rows.max(1)).collect();
    let edges = edges(mids, config.buckets);
    let empty = |row: &usize| LevelColumn {
        at: p.minutes.time_ms.get(*row).map_or(0, |t| seconds(*t)),
        price: p.minutes.mid.get(*row).map_or(0.0, |m| *m as f64 / 1e3),
        long: vec![0.0; edges.len().saturating_sub(1)],
        short: vec![0.0; edges.len().saturating_sub(1)],
    };
    let mut columns: Vec<LevelColumn> = rows.iter().map(empty).collect();
    for o in &f.outcome.book.openings {
        let gone = o.gone_at().unwrap_or(end);
        let from = rows.partition_point(|r| *r < o.opened);
        let to = rows.partition_point(|r| *r < gone);
        if from >= to {
            continue;
        }
        let level = p.schedule.liquidation_level(o.side, o.lots, o.entry, o.collateral) as f64 / 1e3;
        let Some(bucket) = edges.partition_point(|e| *e <= level).checked_sub(1) else { continue };
        for column in columns.get_mut(from..to).unwrap_or_default() {
            let side = if o.side == Side::Long { &mut column.long } else { &mut column.short };
            if let Some(sum) = side.get_mut(bucket) {
                *sum += eth(o.lots);
            }
        }
    }
    LevelMap {
        day: format!("{} (implied accounts and the background)", day_month(seconds(config.from_ms))),
        unit: "ETH per 1 %".to_owned(),
        reference_price: mids.first().map_or(0.0, |m| *m as f64 / 1e3),
        price_edges: edges,
        columns,
    }
}

/// Prices 1 % of the first mid apart: `buckets` on each side, more where the span's own prices go further.
fn edges(mids: &[i64], buckets: usize) -> Vec<f64> {
    let reference = mids.first().map_or(1.0, |m| *m as f64 / 1e3);
    let low = mids.iter().min().map_or(1.0, |m| *m as f64 / 1e3) * (1.0 - ROOM);
    let high = mids.iter().max().map_or(1.0, |m| *m as f64 / 1e3) * (1.0 + ROOM);
    let steps = |ratio: f64, most: i64| ((ratio * 100.0).ceil() as i64).max(buckets as i64).min(most);
    let (down, up) = (steps(1.0 - low / reference, 95), steps(high / reference - 1.0, 300));
    (-down..=up).map(|i| reference * (1.0 + i as f64 / 100.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::edges;

    #[test]
    fn edges_hold_the_whole_span() {
        for (mids, buckets, low, high) in [
            (vec![1_000_000], 30, 700.0, 1_300.0),
            (vec![1_000_000, 700_000], 30, 630.0, 1_300.0),
            (vec![1_000_000, 1_500_000], 5, 900.0, 1_650.0),
        ] {
            let e = edges(&mids, buckets);
            let found = (e.first().copied().unwrap_or(0.0), e.last().copied().unwrap_or(0.0));
            assert!((found.0 - low).abs() < 11.0 && (found.1 - high).abs() < 11.0, "{mids:?} {found:?}");
            assert!(e.windows(2).all(|w| (w[1] - w[0] - 10.0).abs() < 1e-9), "{e:?}");
        }
    }
}
