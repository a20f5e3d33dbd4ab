//! How much of what was liquidated some account of the schedule can explain, without drawing any: by maximum leverage, and
//! beside it the same figure for the liquidation series shifted in time, which should not be explainable but partly is.
//!
//! Whether a minute can be explained does not depend on how much was liquidated in it, so one walk gives the leverage that
//! each minute needs; a shift is then a dot product.

use super::stats::shifts;
use super::windows::{Walk, Window, check_lookback};
use super::{ImpliedError, PerSide, Schedule, Side, Spread, check_minutes, observed};
use crate::data::Minutes;

/// Circular shifts in the placebo, spread evenly over the month.
pub const PLACEBO_SHIFTS: usize = 200;

/// The smallest maximum leverage at which each minute can be explained by a first-tier account; infinite where none can.
#[derive(Clone, Debug, PartialEq)]
pub struct Reach {
    /// Leverage needed per row; a minute is explained at a cap above it.
    pub needed: PerSide<Vec<f64>>,
}

/// One point of the curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SharePoint {
    /// The cap on leverage.
    pub max_leverage: u32,
    /// Explained lots of the record.
    pub implied_lots: PerSide<i64>,
    /// Explained share of the recorded quantity.
    pub share: PerSide<f64>,
    /// The same share for [`PLACEBO_SHIFTS`] shifted series.
    pub placebo: PerSide<Spread>,
}

/// What no account explains, and why.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unexplained {
    /// Lots liquidated while the mid did not move against the side (wicks that a minute's mean hides), and in the first row.
    pub no_adverse_move_lots: i64,
    /// Lots liquidated after an adverse move too small for the largest leverage.
    pub beyond_cap_lots: i64,
}

impl Reach {
    /// Walks back from every row once.
    ///
    /// # Errors
    /// Minutes or lookback outside their ranges.
    pub fn new(minutes: &Minutes, schedule: &Schedule, lookback: usize) -> Result<Self, ImpliedError> {
        check_minutes(minutes)?;
        check_lookback(lookback)?;
        let (mid, rate) = (&minutes.mid, schedule.first_rate());
        let needed = |side: Side, minute: usize| {
            let price = mid[minute] as f64;
            Walk::new(mid, side, minute, lookback)
                .filter_map(|(opened, extreme)| {
                    let prices = [mid[opened] as f64, extreme as f64, price];
                    let maintenance = [rate * extreme as f64, rate * price];
                    // No cap: a window that opens at all does so above its low end.
                    Window::new(side, prices, maintenance, 1e9).map(|window| window.low)
                })
                .fold(f64::INFINITY, f64::min)
        };
        let rows = 1..minutes.len();
        let all =
            |side| std::iter::once(f64::INFINITY).chain(rows.clone().map(|m| needed(side, m))).collect();
        Ok(Self { needed: PerSide::from_fn(all) })
    }

    /// Whether each row can be explained at a cap.
    #[must_use]
    pub fn feasible(&self, side: Side, max_leverage: u32) -> Vec<bool> {
        self.needed.get(side).iter().map(|&needed| needed < f64::from(max_leverage)).collect()
    }

    /// The same for a number of rows; rows that were not walked are not explained.
    fn rows(&self, side: Side, max_leverage: u32, rows: usize) -> Vec<bool> {
        let mut feasible = self.feasible(side, max_leverage);
        feasible.resize(rows, false);
        feasible
    }
}

/// The explained share and its placebo at each cap.
#[must_use]
pub fn share_curve(minutes: &Minutes, reach: &Reach, caps: &[u32]) -> Vec<SharePoint> {
    let point = |&max_leverage: &u32| {
        let implied_lots = PerSide::from_fn(|side| {
            explained(observed(minutes, side), &reach.rows(side, max_leverage, minutes.len()), 0)
        });
        let total = PerSide::from_fn(|side| observed(minutes, side).iter().sum::<i64>().max(1) as f64);
        let share = PerSide::from_fn(|side| *implied_lots.get(side) as f64 / total.get(side));
        let placebo = PerSide::from_fn(|side| {
            let (lots, feasible) = (observed(minutes, side), reach.rows(side, max_leverage, minutes.len()));
            let shares = shifts(lots.len(), PLACEBO_SHIFTS)
                .map(|shift| explained(lots, &feasible, shift) as f64 / total.get(side));
            Spread::of(&shares.collect::<Vec<_>>())
        });
        SharePoint { max_leverage, implied_lots, share, placebo }
    };
    caps.iter().map(point).collect()
}

/// Why the rest is not explained at a cap.
#[must_use]
pub fn unexplained(minutes: &Minutes, reach: &Reach, max_leverage: u32) -> PerSide<Unexplained> {
    PerSide::from_fn(|side| {
        let (feasible, mut rest) = (reach.rows(side, max_leverage, minutes.len()), Unexplained::default());
        for (row, &lots) in observed(minutes, side).iter().enumerate() {
            let (before, now) = (minutes.mid[row.saturating_sub(1)], minutes.mid[row]);
            if side.reaches(before, now) {
                rest.no_adverse_move_lots += lots;
            } else if !feasible[row] {
                rest.beyond_cap_lots += lots;
            }
        }
        rest
    })
}

/// Lots in feasible rows after shifting the series later by `shift` rows, around the end.
fn explained(lots: &[i64], feasible: &[bool], shift: usize) -> i64 {
    let (later, wrapped) = feasible.split_at(shift);
    let kept = |lots: &[i64], rows: &[bool]| -> i64 {
        lots.iter().zip(rows).map(|(&lots, &ok)| if ok { lots } else { 0 }).sum()
    };
    let (head, tail) = lots.split_at(lots.len() - shift);
    kept(head, wrapped) + kept(tail, later)
}
