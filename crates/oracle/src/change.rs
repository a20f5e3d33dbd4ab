//! Rates of change: a guard that worsens a price that moved too fast, and a limiter that lets a price move only in steps.
//!
//! Sources: Drift's comparison with a five-minute average, CME's dynamic circuit breaker (range of a rolling window),
//! Hyperliquid's HIP-3 marks (at most 1 % an update), Mango's stable price, crvUSD's step limiter.

use crate::guard::{farther_than, not_negative, not_zero};
use crate::{Ask, OracleError, PricePolicy, Reference, policy::scope_of};
use alloc::{boxed::Box, vec::Vec};
use cofferdam_core::{
    MathError, Memory, MemoryError, Millis, Ppb, PriceState, PriceView, Quote, Reader, Record, Rounding,
    Ticks, Writer, wide,
};

/// Bounds of [`RateOfChange`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateOfChangeParams {
    /// A move of more than this share, up from the lowest or down from the highest price within `interval`, is
    /// [`PriceState::Volatile`]. Zero or more.
    pub bound: Ppb,
    /// How far back the guard looks, in milliseconds; kept in eighths, so it looks back up to one eighth further, never
    /// less. At least 1.
    pub interval: Millis,
}

/// Worsens a price that moved too far within an interval. It recovers by itself one interval after the last extreme that
/// the price is far from; a spike keeps its return suspect for as long.
#[derive(Debug)]
pub struct RateOfChange {
    child: Box<dyn PricePolicy>,
    params: RateOfChangeParams,
}

impl RateOfChange {
    /// Guards `child`; refuses a negative bound and an interval of nothing.
    pub fn new(child: Box<dyn PricePolicy>, params: RateOfChangeParams) -> Result<Self, OracleError> {
        not_negative("bound", params.bound)?;
        not_zero("interval", params.interval)?;
        Ok(Self { child, params })
    }
}

impl PricePolicy for RateOfChange {
    fn resolve(
        &self,
        ask: &Ask,
        quotes: &[Quote],
        reference: &Reference,
        memory: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        let view = self.child.resolve(ask, quotes, reference, &mut memory.child(0)?)?;
        if !view.is_usable() {
            return Ok(view);
        }
        let mut range: RecentRange = memory.get(scope_of(ask))?;
        range.note(ask.at.time, self.params.interval, view.mid);
        let moved = range.cells.iter().any(|cell| {
            farther_than(self.params.bound, cell.low, view.mid.max(cell.low))
                || farther_than(self.params.bound, cell.high, view.mid.min(cell.high))
        });
        memory.set(scope_of(ask), &range)?;
        Ok(view.worsened(if moved { PriceState::Volatile } else { PriceState::Good }))
    }
}

// Lowest and highest price in each eighth of the interval, oldest first: nine cells cover the interval wherever in a cell
// the present lies.
#[derive(Clone, Debug, Default)]
struct RecentRange {
    cells: Vec<Cell>,
}

#[derive(Clone, Copy, Debug)]
struct Cell {
    index: u64,
    low: Ticks,
    high: Ticks,
}

const CELLS: u64 = 8;

impl RecentRange {
    fn note(&mut self, now: Millis, interval: Millis, price: Ticks) {
        let length = interval.0.div_ceil(CELLS).max(1);
        // a clock that runs backwards stays in the last cell
        let index = now.0.checked_div(length).unwrap_or(0).max(self.cells.last().map_or(0, |c| c.index));
        self.cells.retain(|c| index.wrapping_sub(c.index) <= CELLS); // no cell is later than `index`
        match self.cells.last_mut().filter(|c| c.index == index) {
            Some(cell) => (cell.low, cell.high) = (cell.low.min(price), cell.high.max(price)),
            None => self.cells.push(Cell { index, low: price, high: price }),
        }
    }
}

impl Record for RecentRange {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u8(u8::try_from(self.cells.len()).unwrap_or(u8::MAX)); // at most nine
        for cell in &self.cells {
            to.u64(cell.index).i64(cell.low.get()).i64(cell.high.get());
        }
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        if version != Self::VERSION {
            return Err(MemoryError::Version { found: version });
        }
        let cells = (0..from.u8()?).map(|_| {
            let (index, low, high) = (from.u64()?, Ticks::new(from.i64()?), Ticks::new(from.i64()?));
            Ok(Cell { index, low, high })
        });
        cells.collect::<Result<_, MemoryError>>().map(|cells| Self { cells })
    }
}

/// Bounds of [`StepLimit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepLimitParams {
    /// Within one interval the price stays within this share of where it stood when the interval began; rounded down,
    /// so a step is never larger, and at least one tick, so the price can always move. Zero or more.
    pub step: Ppb,
    /// Length of an interval in milliseconds; a new one begins with the first price after it. At least 1.
    pub interval: Millis,
    /// What a price is at least while it lags behind its child; [`PriceState::Good`] where lagging is the purpose.
    pub when_limited: PriceState,
}

/// Lets a price move at most one step per interval: a price for [`cofferdam_core::PriceRole::Slow`], or a mark that cannot
/// jump. It does not catch up: after a silence of ten intervals it moves one step, not ten. A cap that cannot follow a gap
/// delays liquidations: state it (HIP-3 marks at 1 % an update did).
#[derive(Debug)]
pub struct StepLimit {
    child: Box<dyn PricePolicy>,
    params: StepLimitParams,
}

impl StepLimit {
    /// Limits `child`; refuses a negative step and an interval of nothing.
    pub fn new(child: Box<dyn PricePolicy>, params: StepLimitParams) -> Result<Self, OracleError> {
        not_negative("step", params.step)?;
        not_zero("interval", params.interval)?;
        Ok(Self { child, params })
    }
}

impl PricePolicy for StepLimit {
    fn resolve(
        &self,
        ask: &Ask,
        quotes: &[Quote],
        reference: &Reference,
        memory: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        let view = self.child.resolve(ask, quotes, reference, &mut memory.child(0)?)?;
        if !view.is_usable() {
            return Ok(view);
        }
        let mut steps: Steps = memory.get(scope_of(ask))?;
        if steps.from == 0 {
            steps = Steps { from: view.mid.get(), price: view.mid.get(), began: ask.at.time };
        } else if ask.at.time.since(steps.began) >= self.params.interval {
            steps = Steps { from: steps.price, price: steps.price, began: ask.at.time };
        }
        let (floor, ceiling) = self.range(steps.from)?;
        let bounded = |x: Ticks| Ticks::new(x.get().clamp(floor, ceiling));
        let limited =
            PriceView { low: bounded(view.low), mid: bounded(view.mid), high: bounded(view.high), ..view };
        steps.price = limited.mid.get();
        memory.set(scope_of(ask), &steps)?;
        Ok(if limited.mid == view.mid { limited } else { limited.worsened(self.params.when_limited) })
    }
}

impl StepLimit {
    fn range(&self, from: i64) -> Result<(i64, i64), MathError> {
        let (unit, share) = (i128::from(Ppb::ONE.0), i128::from(self.params.step.0));
        let step = wide::mul_div(i128::from(from), share, unit, Rounding::Down)?.max(1);
        let from = i128::from(from); // 63 bits; a step is at most 63 + 34 bits
        let floor = from.wrapping_sub(step).max(1);
        let ceiling = from.wrapping_add(step).min(i128::from(i64::MAX));
        let narrow = |x: i128| i64::try_from(x).map_err(|_| MathError::Overflow);
        Ok((narrow(floor)?, narrow(ceiling)?))
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Steps {
    from: i64, // zero: no price yet
    price: i64,
    began: Millis,
}

impl Record for Steps {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.i64(self.from).i64(self.price).u64(self.began.0);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self { from: from.i64()?, price: from.i64()?, began: Millis(from.u64()?) }),
            found => Err(MemoryError::Version { found }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Latest;
    use crate::conformance::check_path;
    use PriceState::{Good, Invalid, Volatile, Wide};

    #[test]
    fn moves_within_an_interval() {
        let params = RateOfChangeParams { bound: Ppb(100_000_000), interval: Millis(800) };
        let guard = || RateOfChange::new(Box::new(Latest::any()), params).unwrap();
        check_path(&guard(), &[(0, 100, 100, Good), (10, 110, 110, Good), (20, 111, 111, Volatile)]);
        // a ramp across any boundary is seen
        check_path(&guard(), &[(0, 100, 100, Good), (790, 106, 106, Good), (810, 112, 112, Volatile)]);
        // it recovers when the extreme has left the interval, at the latest an eighth after it
        check_path(
            &guard(),
            &[
                (0, 100, 100, Good),
                (10, 150, 150, Volatile),
                (899, 150, 150, Volatile),
                (900, 150, 150, Good),
            ],
        );
        // down is measured from the highest: 100 to 90 is exactly 10 %
        check_path(&guard(), &[(0, 100, 100, Good), (10, 90, 90, Good), (11, 89, 89, Volatile)]);
        // an invalid quote is not remembered; a clock running backwards does not forget
        check_path(&guard(), &[(500, 100, 100, Good), (510, 0, 0, Invalid), (0, 150, 150, Volatile)]);
    }

    #[test]
    fn steps() {
        let params = StepLimitParams { step: Ppb(10_000_000), interval: Millis(2_500), when_limited: Wide };
        let limit = || StepLimit::new(Box::new(Latest::any()), params).unwrap();
        check_path(
            &limit(),
            &[
                (0, 1_000, 1_000, Good),
                (1, 1_100, 1_010, Wide),
                (2, 1_100, 1_010, Wide), // the same interval: no further
                (2_500, 1_100, 1_020, Wide),
                (99_999, 1_100, 1_030, Wide), // no catching up
                (99_999, 1_005, 1_010, Wide), // down from where the interval began
                (99_999, 1_015, 1_015, Good),
            ],
        );
        // at coarse ticks a step is at least one tick, and never to zero
        check_path(&limit(), &[(0, 2, 2, Good), (3_000, 1, 1, Good), (6_000, 3, 2, Wide)]);
    }

    #[test]
    fn refused_parameters() {
        let leaf = || -> Box<dyn PricePolicy> { Box::new(Latest::any()) };
        let rate = |bound, interval| RateOfChangeParams { bound: Ppb(bound), interval: Millis(interval) };
        assert!(RateOfChange::new(leaf(), rate(-1, 1)).is_err());
        assert!(RateOfChange::new(leaf(), rate(0, 0)).is_err());
        let step = |step, interval| StepLimitParams {
            step: Ppb(step),
            interval: Millis(interval),
            when_limited: Good,
        };
        assert!(StepLimit::new(leaf(), step(-1, 1)).is_err());
        assert!(StepLimit::new(leaf(), step(0, 0)).is_err());
    }
}
