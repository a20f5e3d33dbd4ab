//! A price that follows another no faster than a rate, and the interval between two prices.
//!
//! Source: Mango v4, `StablePriceModel` (blockworks-foundation/mango-v4@0d6018ce, programs/mango-v4/src/state/stable_price.rs).

use crate::convert::interval;
use crate::guard::{not_negative, not_zero};
use crate::{Ask, OracleError, PricePolicy, Reference, policy::scope_of};
use alloc::{boxed::Box, vec::Vec};
use cofferdam_core::{
    MathError, Memory, MemoryError, Millis, Ppb, PriceState, PriceView, Quote, Reader, Record, Rounding,
    Ticks, Writer, wide,
};

const PPB: i128 = 1_000_000_000;
/// Prices are kept in 2^-32 of a tick, so that a small rate over a short time is more than nothing.
const FRACTION: i128 = 1 << 32;
/// One, as the share of two prices is kept.
const SHARE: i128 = 1 << 60;
/// 48 delayed prices of 16 bytes and 57 bytes beside them fit a record.
const INTERVALS_MAX: u8 = 48;
const GROWTH_MAX: i128 = 1_000_000_000_000;
const DAY: Millis = Millis(86_400_000);

/// Bounds of [`StablePrice`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StablePriceParams {
    /// How far the price moves per second at most, as a share of itself. Zero or more; times `update_max` below 1, so that no step
    /// reaches zero.
    pub growth: Ppb,
    /// How far the delayed price moves from one interval to the next at most. 0 to 1,000.
    pub delay_growth: Ppb,
    /// Length of an interval over which the delayed price is averaged: 1 ms to a day.
    pub interval: Millis,
    /// After how many intervals a delayed price is used, 1 to 48.
    pub intervals: u8,
    /// A price that comes sooner after the last one that counted does not count.
    pub update_min: Millis,
    /// A price counts for at most so long, however long ago the last one was: not below `update_min`, 1 ms to a day.
    pub update_max: Millis,
}

/// A price that follows its child at most `growth` per second, and slower the farther it stands from a delayed price: per second
/// `growth x (smaller / larger of the two)^2`.
///
/// The delayed price is the child's average over an interval, held against the interval before by `delay_growth` and used
/// `intervals` later. In the average a price weighs as long as it counted, at most `update_max`, and the sum is divided by the
/// whole time: **silences thin it out**, which pulls the delayed price down and slows the price, as at the source.
///
/// The first usable price is where it starts. Steps are cut in 2^-32 of a tick, so it is never faster than stated; what comes out is
/// rounded down for `low` and `mid`, up for `high`. While the child has no usable price there is none, and the last one stands.
#[derive(Debug)]
pub struct StablePrice {
    child: Box<dyn PricePolicy>,
    params: StablePriceParams,
}

impl StablePrice {
    /// Refuses parameters outside their documented range.
    pub fn new(child: Box<dyn PricePolicy>, params: StablePriceParams) -> Result<Self, OracleError> {
        let p = &params;
        not_negative("growth", p.growth)?;
        not_zero("interval", p.interval)?;
        not_zero("update_max", p.update_max)?;
        let within = |field, value: i128, ok, accepted| {
            if ok { Ok(()) } else { Err(OracleError::Parameter { field, value, accepted }) }
        };
        let (least, most) = (i128::from(p.update_min.0), i128::from(p.update_max.0));
        let share = i128::from(p.delay_growth.0);
        within("delay_growth", share, (0..=GROWTH_MAX).contains(&share), "0 to 1,000 (in ppb)")?;
        within("interval", p.interval.0.into(), p.interval <= DAY, "1 ms to a day")?;
        within("intervals", p.intervals.into(), (1..=INTERVALS_MAX).contains(&p.intervals), "1 to 48")?;
        within("update_max", most, p.update_max <= DAY, "1 ms to a day")?;
        within("update_max", most, least <= most, "update_min or more")?;
        let reach = i128::from(p.growth.0).saturating_mul(most); // 63 + 27 bits
        within("growth", p.growth.0.into(), reach < PPB.wrapping_mul(1_000), "less than 1 in update_max")?;
        Ok(Self { child, params })
    }

    fn number(&self, at: Millis) -> u64 {
        at.0.checked_div(self.params.interval.0).unwrap_or(0) // not zero, as `new` has checked
    }
}

impl PricePolicy for StablePrice {
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
        let mut model: Model = memory.get(scope_of(ask))?;
        model.update(ask.at.time, view.mid, self)?;
        memory.set(scope_of(ask), &model)?;
        let whole = |rounding| wide::div(model.price, FRACTION, rounding);
        interval(&view, whole(Rounding::Down), whole(Rounding::Down), whole(Rounding::Up))
    }
}

/// `target` where it lies within a share of `from`, else the end that is nearer to it; never below one unit.
fn held(target: i128, from: i128, limit: i128, unit: i128) -> Result<i128, MathError> {
    let step = wide::mul_div(from, limit, unit, Rounding::Down)?;
    // 95 bits, at most a thousandfold; `from` is at least one unit
    let (floor, ceiling) = (from.wrapping_sub(step).max(1), from.wrapping_add(step).max(1));
    Ok(target.clamp(floor, ceiling))
}

/// Prices in 2^-32 of a tick; none before the first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Model {
    price: i128,
    time: Millis,
    /// Number of the interval of the last update, counted from the epoch.
    number: u64,
    /// Ticks x ms, and the whole time, since the interval began.
    sum: i128,
    span: u64,
    /// The delayed prices, by number of their interval modulo how many there are.
    delayed: Vec<i128>,
}

impl Model {
    fn update(&mut self, now: Millis, mid: Ticks, rule: &StablePrice) -> Result<(), MathError> {
        let p = &rule.params;
        let (ticks, count) = (i128::from(mid.get()), usize::from(p.intervals));
        let target = ticks.wrapping_mul(FRACTION); // 63 + 32 bits
        if self.delayed.len() != count {
            *self = Self { price: target, time: now, number: rule.number(now), ..Self::default() };
            self.delayed.resize(count, target);
            return Ok(());
        }
        let elapsed = now.since(self.time);
        if elapsed == Millis::ZERO || elapsed < p.update_min {
            return Ok(());
        }
        let counted = i128::from(elapsed.min(p.update_max).0);
        self.time = now;
        let area = ticks.wrapping_mul(counted); // 63 + 27 bits
        self.sum = self.sum.checked_add(area).ok_or(MathError::Overflow)?;
        self.span = self.span.saturating_add(elapsed.0);
        if rule.number(now) > self.number {
            self.next_interval(rule.number(now), p)?;
        }
        let delayed = self.delayed_at(self.number).max(1);
        let (less, more) = (delayed.min(self.price), delayed.max(self.price));
        let share = wide::mul_div(less, SHARE, more, Rounding::Down)?;
        let square = wide::mul_div(share, share, SHARE, Rounding::Down)?;
        // per second: ppb x ms are below 1e12, as `new` has checked; 40 + 60 bits
        let limit = i128::from(p.growth.0).wrapping_mul(counted).wrapping_mul(square);
        let unit = PPB.wrapping_mul(1_000).wrapping_mul(SHARE);
        self.price = held(target, self.price, limit, unit)?;
        Ok(())
    }

    fn place(&self, number: u64) -> usize {
        let count = u64::try_from(self.delayed.len()).unwrap_or(1).max(1);
        usize::try_from(number.checked_rem(count).unwrap_or(0)).unwrap_or(0)
    }

    fn delayed_at(&self, number: u64) -> i128 {
        self.delayed.get(self.place(number)).copied().unwrap_or(0)
    }

    /// The average of the interval that ended, for it and for the whole intervals of silence after it.
    fn next_interval(&mut self, number: u64, p: &StablePriceParams) -> Result<(), MathError> {
        let count = u64::from(p.intervals);
        // the place before; adding what is one round less one keeps it from running below zero
        let before = self.delayed_at(self.number.saturating_add(count).wrapping_sub(1));
        let average = wide::mul_div(self.sum, FRACTION, i128::from(self.span.max(1)), Rounding::Down)?;
        let next = held(average, before, p.delay_growth.0.into(), PPB)?;
        let passed = number.wrapping_sub(self.number).min(count); // `number` is later
        for gone in 0..passed {
            let place = self.place(self.number.saturating_add(gone));
            if let Some(slot) = self.delayed.get_mut(place) {
                *slot = next;
            }
        }
        (self.sum, self.span, self.number) = (0, 0, number);
        Ok(())
    }
}

impl Record for Model {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.i128(self.price).u64(self.time.0).u64(self.number).i128(self.sum).u64(self.span);
        to.u8(u8::try_from(self.delayed.len()).unwrap_or(u8::MAX)); // at most INTERVALS_MAX
        self.delayed.iter().for_each(|x| _ = to.i128(*x));
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        if version != Self::VERSION {
            return Err(MemoryError::Version { found: version });
        }
        let (price, time, number) = (from.i128()?, Millis(from.u64()?), from.u64()?);
        let (sum, span) = (from.i128()?, from.u64()?);
        let delayed = (0..from.u8()?).map(|_| from.i128()).collect::<Result<_, MemoryError>>()?;
        Ok(Self { price, time, number, sum, span, delayed })
    }
}

/// A price with an interval that reaches to another: `low` is the lower of both, `high` the higher, `mid` that of the first. A margin
/// model that values support at low and demand at high then grants the worse of the two, and one that liquidates at the middle
/// the first. As bad as the worse of both and as old as the older; without either there is no price.
#[derive(Debug)]
pub struct Hull {
    child: Box<dyn PricePolicy>,
    with: Box<dyn PricePolicy>,
}

impl Hull {
    /// `child`, reaching to `with`.
    #[must_use]
    pub fn new(child: Box<dyn PricePolicy>, with: Box<dyn PricePolicy>) -> Self {
        Self { child, with }
    }
}

impl PricePolicy for Hull {
    fn resolve(
        &self,
        ask: &Ask,
        quotes: &[Quote],
        reference: &Reference,
        memory: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        let one = self.child.resolve(ask, quotes, reference, &mut memory.child(0)?)?;
        let other = self.with.resolve(ask, quotes, reference, &mut memory.child(1)?)?;
        let (state, as_of) = (one.state.max(other.state), one.as_of.min(other.as_of));
        if !(one.is_usable() && other.is_usable()) {
            return Ok(PriceView { state, as_of, ..PriceView::default() }.worsened(PriceState::Invalid));
        }
        let (low, high) = (one.low.min(other.low), one.high.max(other.high));
        Ok(PriceView { low, mid: one.mid, high, state, as_of })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Latest;

    const ONE: i64 = 1_000_000_000;

    fn rule(delay_growth: i64) -> StablePrice {
        let params = StablePriceParams {
            growth: Ppb(300_000),
            delay_growth: Ppb(delay_growth),
            interval: Millis(3_600_000),
            intervals: 24,
            update_min: Millis(10_000),
            update_max: Millis(600_000),
        };
        StablePrice::new(Box::new(Latest::any()), params).unwrap()
    }

    /// The tests of the source, in units of a billionth: stable_price.rs lines 185-260 (`test_stable_price_10x`, tolerances 0.1 and
    /// 0.01 as there; `test_stable_price_average`).
    #[test]
    fn figures_of_the_source() {
        let near = |found: i128, want: i64, within: i64, of: &str| {
            let found = found / FRACTION;
            assert!((found - i128::from(want)).abs() < i128::from(within), "{of}: {found}, not {want}");
        };
        let (rule, mut model) = (rule(60_000_000), Model::default());
        let run = |model: &mut Model, from: u64, step: u64, count: u64| {
            for i in 1..=count {
                model.update(Millis((from + i * step) * 1_000), Ticks::new(10 * ONE), &rule).unwrap();
            }
        };
        model.update(Millis(0), Ticks::new(ONE), &rule).unwrap();
        run(&mut model, 0, 60, 60);
        near(model.price, 1_800_000_000, ONE / 10, "after 1 h");
        near(model.delayed[0], 1_060_000_000, ONE / 100, "delayed, 1st hour");
        assert!(model.delayed[1..].iter().all(|x| *x == i128::from(ONE) * FRACTION));
        assert_eq!((model.number, model.span, model.sum), (1, 0, 0));
        run(&mut model, 3_600, 10, 360);
        near(model.price, 2_300_000_000, ONE / 10, "after 2 h");
        near(model.delayed[0], 1_060_000_000, ONE / 100, "delayed, 1st hour");
        near(model.delayed[1], 1_123_600_000, ONE / 100, "delayed, 2nd hour");
        assert!(model.delayed[2..].iter().all(|x| *x == i128::from(ONE) * FRACTION));
        assert_eq!((model.number, model.span, model.sum), (2, 0, 0));
        run(&mut model, 7_200, 300, 12 * 23);
        near(model.price, 7_400_000_000, ONE / 10, "after 25 h");
        let d = &model.delayed;
        assert!(d[0] > d[23] && d[23] > d[22] && d[1] < d[0] && d[1] < d[2]);
        assert_eq!(model.number % 24, 1);
    }

    #[test]
    fn the_average_of_the_source() {
        let (rule, mut model) = (rule(10_000_000_000), Model::default());
        model.update(Millis(0), Ticks::new(ONE), &rule).unwrap();
        for t in (60..=3_600).step_by(60) {
            let price = if t > 1_800 { 2 * ONE } else { ONE };
            model.update(Millis(t * 1_000), Ticks::new(price), &rule).unwrap();
        }
        let found = model.delayed[0] / FRACTION;
        assert!((found - 1_500_000_000).abs() < 10_000_000, "{found}");
    }

    /// The same path in double precision by another implementation (no code shared): 1.780573, 2.308944, 7.445231.
    #[test]
    fn figures_in_double_precision() {
        let (rule, mut model) = (rule(60_000_000), Model::default());
        model.update(Millis(0), Ticks::new(ONE), &rule).unwrap();
        let mut time = 0;
        for (step, count, want) in [(60, 60, 1_780_573_i128), (10, 360, 2_308_944), (300, 276, 7_445_231)] {
            for _ in 0..count {
                time += step;
                model.update(Millis(time * 1_000), Ticks::new(10 * ONE), &rule).unwrap();
            }
            assert_eq!((model.price / FRACTION + 500) / 1_000, want);
        }
    }
}
