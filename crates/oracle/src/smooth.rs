//! Exponential averages. A price counts for as long as it stood: the sample seen last fills the time until the next one, so a
//! single outlier after a silence gets no weight for the silence.
//!
//! ema <- last + (ema - last) x 2^(-dt / half-life), with the decay of `cofferdam_core::half_life_decay`, in ticks x 2^-32.
//! Sources: Hyperliquid's mark (150 s average of mid - index), Binance's mark (30 s average of basis), Panoptic's averages.

use crate::convert::interval;
use crate::guard::not_zero;
use crate::{Ask, OracleError, PricePolicy, Reference, policy::scope_of};
use alloc::boxed::Box;
use cofferdam_core::{
    MathError, Memory, MemoryError, Millis, PriceState, PriceView, Quote, Reader, Record, Rounding, WAD,
    Writer, half_life_decay, wide,
};

const FRACTION_BITS: u32 = 32;
const FRACTION: i128 = 1 << FRACTION_BITS;

/// The exponential average of a price; its ends are the averages of the child's ends. `low` and `mid` are rounded down,
/// `high` up. State and age are the child's: the average is only as good as what feeds it now. While the child has no usable
/// price there is no average either, and the last sample stands.
///
/// Error: each update cuts less than 2^-32 tick towards the newer price, plus the decay's own bound.
#[derive(Debug)]
pub struct Ema {
    child: Box<dyn PricePolicy>,
    half_life: Millis,
}

impl Ema {
    /// Averages `child` with the time after which a price has lost half of its weight (at least 1 ms). A time constant t
    /// (e^(-dt/t)) is a half-life of 0.693 t: Hyperliquid's 150 s are 103,972 ms.
    pub fn new(child: Box<dyn PricePolicy>, half_life: Millis) -> Result<Self, OracleError> {
        not_zero("half_life", half_life)?;
        Ok(Self { child, half_life })
    }
}

impl PricePolicy for Ema {
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
        let sample = [view.low, view.mid, view.high].map(|t| i128::from(t.get()));
        let mut average: Average<3> = memory.get(scope_of(ask))?;
        average.step(ask.at.time, sample, self.half_life)?;
        memory.set(scope_of(ask), &average)?;
        let [low, mid, high] = average.value;
        interval(&view, whole(low, Rounding::Down), whole(mid, Rounding::Down), whole(high, Rounding::Up))
    }
}

/// The index plus the average distance of a price from it: `index + ema(mid - index)`. The middle leg of a median-of-three
/// mark. As bad as the worse of both; without either there is no price. The basis is rounded down for `low` and `mid`, up
/// for `high`.
#[derive(Debug)]
pub struct Basis {
    child: Box<dyn PricePolicy>,
    half_life: Millis,
}

impl Basis {
    /// Averages the distance of `child` from [`Reference::index`] with a half-life of at least 1 ms.
    pub fn new(child: Box<dyn PricePolicy>, half_life: Millis) -> Result<Self, OracleError> {
        not_zero("half_life", half_life)?;
        Ok(Self { child, half_life })
    }
}

impl PricePolicy for Basis {
    fn resolve(
        &self,
        ask: &Ask,
        quotes: &[Quote],
        reference: &Reference,
        memory: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        let view = self.child.resolve(ask, quotes, reference, &mut memory.child(0)?)?;
        let index = reference.index.unwrap_or_default();
        let worst = PriceView {
            state: view.state.max(index.state),
            as_of: view.as_of.min(index.as_of),
            ..PriceView::default()
        };
        if !(view.is_usable() && index.is_usable()) {
            return Ok(worst.worsened(PriceState::Invalid));
        }
        let distance = i128::from(view.mid.get()).wrapping_sub(i128::from(index.mid.get())); // 64 bits
        let mut average: Average<1> = memory.get(scope_of(ask))?;
        average.step(ask.at.time, [distance], self.half_life)?;
        memory.set(scope_of(ask), &average)?;
        let [basis] = average.value;
        let plus = |price: cofferdam_core::Ticks, rounding| {
            whole(basis, rounding)?.checked_add(i128::from(price.get())).ok_or(MathError::Overflow)
        };
        interval(
            &worst,
            plus(index.low, Rounding::Down),
            plus(index.mid, Rounding::Down),
            plus(index.high, Rounding::Up),
        )
    }
}

fn whole(value: i128, rounding: Rounding) -> Result<i128, MathError> {
    wide::div(value, FRACTION, rounding)
}

// N averages that share a clock, in ticks x 2^-32, and the samples that stand since `time`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Average<const N: usize> {
    started: bool,
    time: Millis,
    last: [i128; N],
    value: [i128; N],
}

impl<const N: usize> Default for Average<N> {
    fn default() -> Self {
        Self { started: false, time: Millis::ZERO, last: [0; N], value: [0; N] }
    }
}

impl<const N: usize> Average<N> {
    fn step(&mut self, now: Millis, sample: [i128; N], half_life: Millis) -> Result<(), MathError> {
        let fixed = sample.map(|x| x.wrapping_mul(FRACTION)); // 64 + 32 bits
        if !self.started {
            *self = Self { started: true, time: now, last: fixed, value: fixed };
            return Ok(());
        }
        let keep = half_life_decay(now.since(self.time).0, half_life.0, Rounding::Down)?;
        let keep = i128::try_from(keep).map_err(|_| MathError::Overflow)?;
        let one = i128::try_from(WAD).map_err(|_| MathError::Overflow)?;
        for (value, last) in self.value.iter_mut().zip(self.last) {
            let distance = value.wrapping_sub(last); // 97 bits
            let kept = wide::mul_div(distance, keep, one, Rounding::TowardsZero)?;
            *value = last.wrapping_add(kept);
        }
        self.last = fixed;
        self.time = self.time.max(now); // time never runs backwards in a state (INV-42)
        Ok(())
    }
}

impl<const N: usize> Record for Average<N> {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u64(self.time.0);
        for x in self.last.iter().chain(&self.value) {
            to.i128(*x);
        }
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        if version != Self::VERSION {
            return Err(MemoryError::Version { found: version });
        }
        let mut average = Self { started: true, time: Millis(from.u64()?), ..Self::default() };
        for x in average.last.iter_mut().chain(&mut average.value) {
            *x = from.i128()?;
        }
        Ok(average)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{ask_at, check_path, quote};
    use crate::{Latest, Median, PricePolicy};
    use PriceState::{Good, Invalid};
    use cofferdam_core::{MapMemory, Slot, SourceId, Ticks};
    use proptest::prelude::*;

    #[test]
    fn averages() {
        let ema = || Ema::new(Box::new(Latest::any()), Millis(100)).unwrap();
        // a price counts for as long as it stood: the jump at 100 has no weight yet, and half of it 100 ms later
        check_path(
            &ema(),
            &[
                (0, 1_000, 1_000, Good),
                (100, 2_000, 1_000, Good),
                (200, 2_000, 1_500, Good),
                (300, 2_000, 1_750, Good),
            ],
        );
        // a spike of one moment leaves no trace
        check_path(
            &ema(),
            &[
                (0, 1_000, 1_000, Good),
                (900, 9_000, 1_000, Good),
                (900, 1_000, 1_000, Good),
                (999, 1_000, 1_000, Good),
            ],
        );
        // an outage: no price, and the last one stands
        check_path(
            &ema(),
            &[
                (0, 1_000, 1_000, Good),
                (1, 2_000, 1_000, Good),
                (50, 0, 0, Invalid),
                (101, 2_000, 1_500, Good),
            ],
        );
        // a clock that runs backwards
        check_path(&ema(), &[(500, 1_000, 1_000, Good), (0, 2_000, 1_000, Good), (600, 2_000, 1_500, Good)]);
        assert!(Ema::new(Box::new(Latest::any()), Millis(0)).is_err());
        assert!(Basis::new(Box::new(Latest::any()), Millis(0)).is_err());
    }

    #[test]
    fn a_median_of_three_mark() {
        // book middle (source 1), last trade (source 2), index + average basis of the book middle
        let basis = Basis::new(Box::new(Latest::of(SourceId(1))), Millis(100)).unwrap();
        let mark = Median::of_three([
            Box::new(Latest::of(SourceId(1))),
            Box::new(Latest::of(SourceId(2))),
            Box::new(basis),
        ])
        .unwrap();
        let mut store = MapMemory::default();
        let mut at = |time, book, last, index| {
            let index = Some(PriceView::exact(Ticks::new(index), Millis(time)));
            let reference = Reference { previous: None, index };
            let quotes = [quote(1, book, 0, time), quote(2, last, 0, time)];
            store.with(Slot(1), |m| mark.resolve(&ask_at(time), &quotes, &reference, m)).unwrap().mid.get()
        };
        assert_eq!(at(0, 1_010, 1_008, 1_000), 1_010);
        // the book is swept: the average basis of 10 still stands, and the last trade decides
        assert_eq!(at(100, 1_900, 1_012, 1_000), 1_012);
        assert_eq!(at(101, 1_900, 1_014, 1_000), 1_016); // the basis after 1 ms of 900 is 16
    }

    proptest! {
        #[test]
        fn an_average_stays_within_its_samples(samples in prop::collection::vec((1_i64..1 << 60, 0_u64..1 << 20), 1..20), half_life in 1_u64..1 << 20) {
            let mut average = Average::<1>::default();
            let mut now = 0;
            for (price, dt) in &samples {
                now += dt;
                average.step(Millis(now), [i128::from(*price)], Millis(half_life)).unwrap();
            }
            let low = samples.iter().map(|s| i128::from(s.0)).min().unwrap() * FRACTION;
            let high = samples.iter().map(|s| i128::from(s.0)).max().unwrap() * FRACTION;
            prop_assert!(low <= average.value[0] && average.value[0] <= high);
        }

        #[test]
        fn an_average_is_monotone_in_its_samples(samples in prop::collection::vec((1_i64..1 << 60, 0_i64..1 << 60, 0_u64..1 << 20), 1..20)) {
            let (mut less, mut more, mut now) = (Average::<1>::default(), Average::<1>::default(), 0);
            for (price, extra, dt) in samples {
                now += dt;
                less.step(Millis(now), [i128::from(price)], Millis(1 << 10)).unwrap();
                more.step(Millis(now), [i128::from(price + extra)], Millis(1 << 10)).unwrap();
                prop_assert!(less.value <= more.value);
            }
        }
    }
}
