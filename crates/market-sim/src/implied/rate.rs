//! The opening rate: what the prior expects to be liquidated in each minute per lot opened per minute, and the rate at which
//! that matches the record. No draw: sizes are a quadrature over equal shares of the quantity, leverage an integral.
//!
//! expected(t) = sum over s < t of e^(-(t-s)/tau) mean over sizes of (F(high) - F(low)) / F(cap)

use super::chance::{Caps, Chance};
use super::windows::{Walk, Window, check_lookback, decay};
use super::{ImpliedError, PerSide, Prior, Schedule, Side, check_minutes, check_span, observed};
use crate::data::Minutes;
use core::ops::Range;

/// Points of the quadrature over size; 3 and 40 give the same to three digits.
const SIZES: u32 = 10;

/// Lots expected to be liquidated per row when one lot is opened per row.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Per row and side.
    pub per_lot: PerSide<Vec<f64>>,
}

impl Expectation {
    /// Integrates the prior over every row.
    ///
    /// # Errors
    /// Parameters or minutes outside their ranges.
    pub fn new(
        minutes: &Minutes,
        schedule: &Schedule,
        prior: &Prior,
        lookback: usize,
    ) -> Result<Self, ImpliedError> {
        check_minutes(minutes)?;
        prior.check()?;
        check_lookback(lookback)?;
        let integral = Integral::new(&minutes.mid, schedule, Chance::new(prior), lookback);
        let rows = 1..minutes.len();
        let all = |side| std::iter::once(0.0).chain(rows.clone().map(|row| integral.at(side, row))).collect();
        Ok(Self { per_lot: PerSide::from_fn(all) })
    }

    /// The opening rate, in lots per row, at which the expected total over `span` is the recorded one; 0 where nothing is
    /// expected.
    ///
    /// # Errors
    /// A span outside the rows.
    pub fn fit(&self, minutes: &Minutes, span: Range<usize>) -> Result<PerSide<f64>, ImpliedError> {
        check_span(&span, minutes.len().min(self.per_lot.long.len()))?;
        Ok(PerSide::from_fn(|side| {
            let recorded: i64 = observed(minutes, side)[span.clone()].iter().sum();
            let expected: f64 = self.per_lot.get(side)[span.clone()].iter().sum();
            if expected > 0.0 { recorded as f64 / expected } else { 0.0 }
        }))
    }
}

/// The fitted opening rate in lots per row, over the rows of `span` only.
///
/// # Errors
/// As [`Expectation::new`] and [`Expectation::fit`].
pub fn fit_rate(
    minutes: &Minutes,
    schedule: &Schedule,
    prior: &Prior,
    lookback: usize,
    span: Range<usize>,
) -> Result<PerSide<f64>, ImpliedError> {
    Expectation::new(minutes, schedule, prior, lookback)?.fit(minutes, span)
}

struct Integral<'a> {
    mid: &'a [i64],
    schedule: &'a Schedule,
    chance: Chance,
    lookback: usize,
    decay: Vec<f64>,
    sizes: Vec<f64>,
    caps: Caps,
}

impl<'a> Integral<'a> {
    fn new(mid: &'a [i64], schedule: &'a Schedule, chance: Chance, lookback: usize) -> Self {
        Self {
            mid,
            schedule,
            chance,
            lookback,
            decay: decay(&chance, lookback),
            sizes: chance.sizes_by_quantity(SIZES),
            caps: Caps::new(&chance, schedule),
        }
    }

    fn at(&self, side: Side, row: usize) -> f64 {
        let price = self.mid[row] as f64;
        let needed_now: Vec<f64> =
            self.sizes.iter().map(|&q| self.schedule.maintenance_per_lot(q, price)).collect();
        let first_end = self.schedule.end_of(0).map_or(f64::INFINITY, |end| end as f64);
        let mut sum = 0.0;
        for (opened, extreme) in Walk::new(self.mid, side, row, self.lookback) {
            let prices = [self.mid[opened] as f64, extreme as f64, price];
            let highest = prices.iter().fold(0.0_f64, |a, &b| a.max(b));
            // Sizes rise; those that stay in the first tier share one window.
            let first_tier = self.sizes.partition_point(|&q| q * highest <= first_end);
            let mut shares = 0.0;
            if first_tier > 0 {
                shares += first_tier as f64 * self.share(side, prices, self.sizes[0], needed_now[0]);
            }
            for (&lots, &needed_now) in self.sizes.iter().zip(&needed_now).skip(first_tier) {
                shares += self.share(side, prices, lots, needed_now);
            }
            sum += self.decay[row - opened] * shares;
        }
        sum / f64::from(SIZES)
    }

    /// (F(high) - F(low)) / F(cap) for one size.
    fn share(&self, side: Side, prices: [f64; 3], lots: f64, needed_now: f64) -> f64 {
        let [entry, extreme, _] = prices;
        let needed = [self.schedule.maintenance_per_lot(lots, extreme), needed_now];
        let cap = self.schedule.leverage_cap(lots * entry);
        let Some(window) = Window::new(side, prices, needed, cap) else { return 0.0 };
        let below_cap = self.caps.below(cap);
        let below_high = if window.high < cap { self.chance.below(window.high) } else { below_cap };
        (below_high - self.chance.below(window.low)).max(0.0) / below_cap
    }
}
