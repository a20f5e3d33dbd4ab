//! Time-weighted averages over a window, from cumulative prices as in Uniswap v2 and v3 oracles.

use crate::convert::interval;
use crate::guard::not_zero;
use crate::{Ask, OracleError, PricePolicy, Reference, policy::scope_of};
use alloc::{boxed::Box, vec::Vec};
use cofferdam_core::{
    MathError, Memory, MemoryError, Millis, PriceState, PriceView, Quote, Reader, Record, Rounding, Writer,
    wide,
};

// 14 checkpoints of 56 bytes and 80 bytes beside them fit a record.
const CHECKPOINTS_MAX: u8 = 14;

/// Bounds of [`Twap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TwapParams {
    /// The average covers at least this many milliseconds once there is enough history. At least 1.
    pub window: Millis,
    /// How many checkpoints are kept within the window, 1 to 12: the average covers at most `window / checkpoints` more
    /// than the window (plus the time between two prices).
    pub checkpoints: u8,
}

/// The average of a price over a window, each price weighted by how long it stood; ends are the averages of the child's
/// ends. `low` and `mid` are rounded down, `high` up. While the history is shorter than the window it is at least
/// [`PriceState::Thin`]. State and age are the child's now; while the child has no usable price there is no average, and
/// the last price stands.
#[derive(Debug)]
pub struct Twap {
    child: Box<dyn PricePolicy>,
    params: TwapParams,
}

impl Twap {
    /// Averages `child`; refuses a window of nothing and a number of checkpoints outside 1 to 12.
    pub fn new(child: Box<dyn PricePolicy>, params: TwapParams) -> Result<Self, OracleError> {
        not_zero("window", params.window)?;
        if params.checkpoints == 0 || params.checkpoints > CHECKPOINTS_MAX.saturating_sub(2) {
            let value = i128::from(params.checkpoints);
            return Err(OracleError::Parameter { field: "checkpoints", value, accepted: "1 to 12" });
        }
        Ok(Self { child, params })
    }

    fn spacing(&self) -> u64 {
        self.params.window.0.div_ceil(u64::from(self.params.checkpoints).max(1))
    }
}

impl PricePolicy for Twap {
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
        let mut history: History = memory.get(scope_of(ask))?;
        history.advance(ask.at.time, &view, Millis(self.spacing()))?;
        history.forget(self.params.window);
        memory.set(scope_of(ask), &history)?;
        let Some((span, sums)) = history.since_oldest() else { return Ok(view.worsened(PriceState::Thin)) };
        let [low, mid, high] = sums;
        let over = |sum: i128, rounding| wide::div(sum, i128::from(span.0), rounding);
        let average =
            interval(&view, over(low, Rounding::Down), over(mid, Rounding::Down), over(high, Rounding::Up))?;
        let full = span >= self.params.window;
        Ok(average.worsened(if full { PriceState::Good } else { PriceState::Thin }))
    }
}

// Sums of price x ms up to `time`, the prices that stand since then, and the sums at earlier times, oldest first.
#[derive(Clone, Debug, Default)]
struct History {
    time: Millis,
    last: [i64; 3],
    sums: [i128; 3],
    checkpoints: Vec<(Millis, [i128; 3])>,
}

impl History {
    fn advance(&mut self, now: Millis, view: &PriceView, spacing: Millis) -> Result<(), MathError> {
        let prices = [view.low.get(), view.mid.get(), view.high.get()];
        if self.checkpoints.is_empty() {
            self.time = now;
        }
        let elapsed = i128::from(now.since(self.time).0);
        for (sum, price) in self.sums.iter_mut().zip(self.last) {
            let area = i128::from(price).wrapping_mul(elapsed); // 63 + 64 bits
            *sum = sum.checked_add(area).ok_or(MathError::Overflow)?;
        }
        self.time = self.time.max(now);
        self.last = prices;
        if self.checkpoints.last().is_none_or(|(t, _)| self.time.since(*t) >= spacing) {
            self.checkpoints.push((self.time, self.sums));
        }
        Ok(())
    }

    // Keeps the youngest checkpoint that is at least a window old, and everything after it.
    fn forget(&mut self, window: Millis) {
        let old = self.checkpoints.iter().filter(|(t, _)| self.time.since(*t) >= window).count();
        self.checkpoints.drain(..old.saturating_sub(1).min(self.checkpoints.len()));
    }

    fn since_oldest(&self) -> Option<(Millis, [i128; 3])> {
        let (time, sums) = self.checkpoints.first()?;
        let span = self.time.since(*time);
        let mut difference = self.sums;
        for (now, then) in difference.iter_mut().zip(sums) {
            *now = now.wrapping_sub(*then); // sums of prices above zero only grow
        }
        (span > Millis::ZERO).then_some((span, difference))
    }
}

impl Record for History {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u64(self.time.0);
        self.last.iter().for_each(|x| _ = to.i64(*x));
        self.sums.iter().for_each(|x| _ = to.i128(*x));
        to.u8(u8::try_from(self.checkpoints.len()).unwrap_or(u8::MAX)); // at most CHECKPOINTS_MAX
        for (time, sums) in &self.checkpoints {
            to.u64(time.0);
            sums.iter().for_each(|x| _ = to.i128(*x));
        }
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        if version != Self::VERSION {
            return Err(MemoryError::Version { found: version });
        }
        let time = Millis(from.u64()?);
        let last = [from.i64()?, from.i64()?, from.i64()?];
        let sums = [from.i128()?, from.i128()?, from.i128()?];
        let checkpoints = (0..from.u8()?)
            .map(|_| Ok((Millis(from.u64()?), [from.i128()?, from.i128()?, from.i128()?])))
            .collect::<Result<_, MemoryError>>()?;
        Ok(Self { time, last, sums, checkpoints })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Latest;
    use crate::conformance::check_path;
    use PriceState::{Good, Invalid, Thin};

    #[test]
    fn averages_over_a_window() {
        let twap = |checkpoints| {
            Twap::new(Box::new(Latest::any()), TwapParams { window: Millis(100), checkpoints }).unwrap()
        };
        check_path(
            &twap(4),
            &[
                (0, 100, 100, Thin),
                (25, 100, 100, Thin),
                (50, 200, 100, Thin),
                (75, 200, 133, Thin), // 50 x 100 + 25 x 200 over 75
                (100, 200, 150, Good),
                (125, 200, 175, Good),
                (150, 200, 200, Good),
            ],
        );
        check_path(
            &twap(1),
            &[(0, 100, 100, Thin), (0, 300, 300, Thin), (99, 300, 300, Thin), (100, 7, 300, Good)],
        );
        check_path(
            &twap(4),
            &[(0, 100, 100, Thin), (50, 0, 0, Invalid), (100, 900, 100, Good), (40, 900, 100, Good)],
        );
        // a record never outgrows its bound, whatever the rhythm
        let path: Vec<_> =
            (0..400).map(|i| (i * 3, 100, 100, if i * 3 >= 100 { Good } else { Thin })).collect();
        check_path(&twap(12), &path);
        for checkpoints in [0, 13] {
            let params = TwapParams { window: Millis(1), checkpoints };
            assert!(Twap::new(Box::new(Latest::any()), params).is_err());
        }
        let params = TwapParams { window: Millis(0), checkpoints: 1 };
        assert!(Twap::new(Box::new(Latest::any()), params).is_err());
    }
}
