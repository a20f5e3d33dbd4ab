//! The two legs of a perpetual's mark price that stand beside its last trade: the index carried to the next funding, and the
//! index plus the mean of the latest distances from it.
//!
//! Source: Binance, mark price of USD-M contracts: median of Price 1 (index x (1 + last funding rate x time to funding /
//! interval)), Price 2 (index + moving average of (bid + ask) / 2 - index: 30 samples of one second) and the last price.

use crate::convert::interval;
use crate::guard::not_zero;
use crate::{Ask, OracleError, PricePolicy, Reference, policy::scope_of};
use alloc::{boxed::Box, vec::Vec};
use cofferdam_core::{
    MathError, Memory, MemoryError, Millis, Ppb, PriceState, PriceView, Quote, Reader, Record, Rounding,
    Ticks, Writer, wide,
};

const PPB: i128 = 1_000_000_000;
const SAMPLES_MAX: u8 = 120;

/// The index, and the state of a price that is made of it and of another.
fn beside(view: &PriceView, reference: &Reference) -> (PriceView, PriceView) {
    let index = reference.index.unwrap_or_default();
    let worst = PriceView {
        state: view.state.max(index.state),
        as_of: view.as_of.min(index.as_of),
        ..PriceView::default()
    };
    (index, worst)
}

/// The index plus the mean of the last samples of `mid - index`, one sample per step of the clock: the last distance seen in
/// it, or, where nothing was seen, the one before. As bad as the worse of both; without either there is no price. The mean is
/// rounded down for `low` and `mid`, up for `high`. Until there are enough samples it is the mean of those there are.
#[derive(Debug)]
pub struct MeanBasis {
    child: Box<dyn PricePolicy>,
    every: Millis,
    samples: u8,
}

impl MeanBasis {
    /// The mean of 1 to 120 samples of the distance of `child` from [`Reference::index`], one `every` so long (at least 1 ms).
    pub fn new(child: Box<dyn PricePolicy>, every: Millis, samples: u8) -> Result<Self, OracleError> {
        not_zero("every", every)?;
        if samples == 0 || samples > SAMPLES_MAX {
            return Err(OracleError::Parameter {
                field: "samples",
                value: samples.into(),
                accepted: "1 to 120",
            });
        }
        Ok(Self { child, every, samples })
    }
}

impl PricePolicy for MeanBasis {
    fn resolve(
        &self,
        ask: &Ask,
        quotes: &[Quote],
        reference: &Reference,
        memory: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        let view = self.child.resolve(ask, quotes, reference, &mut memory.child(0)?)?;
        let (index, worst) = beside(&view, reference);
        if !(view.is_usable() && index.is_usable()) {
            return Ok(worst.worsened(PriceState::Invalid));
        }
        let distance = view.mid.get().wrapping_sub(index.mid.get()); // both are above zero
        let mut seen: Samples = memory.get(scope_of(ask))?;
        // not zero, as `new` has checked
        let step = ask.at.time.0.checked_div(self.every.0).unwrap_or(0);
        seen.note(step, distance, self.samples);
        memory.set(scope_of(ask), &seen)?;
        let count = i128::try_from(seen.last.len()).map_err(|_| MathError::Overflow)?.max(1);
        let sum = seen.last.iter().fold(0_i128, |sum, x| sum.wrapping_add(i128::from(*x))); // 64 + 7 bits
        let plus = |price: Ticks, rounding| {
            wide::div(sum, count, rounding)?.checked_add(i128::from(price.get())).ok_or(MathError::Overflow)
        };
        interval(
            &worst,
            plus(index.low, Rounding::Down),
            plus(index.mid, Rounding::Down),
            plus(index.high, Rounding::Up),
        )
    }
}

/// The last samples, oldest first, and the step of the newest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Samples {
    step: u64,
    last: Vec<i64>,
}

impl Samples {
    fn note(&mut self, step: u64, distance: i64, keep: u8) {
        let keep = usize::from(keep);
        match self.last.last().copied() {
            // a clock that runs backwards changes the newest sample only
            Some(_) if step <= self.step => _ = self.last.pop(),
            Some(held) => {
                let missed = step.wrapping_sub(self.step).wrapping_sub(1); // step > self.step
                let missed = usize::try_from(missed).unwrap_or(keep).min(keep);
                self.last.extend(core::iter::repeat_n(held, missed));
            }
            None => {}
        }
        self.step = self.step.max(step);
        self.last.push(distance);
        let over = self.last.len().saturating_sub(keep);
        self.last.drain(..over);
    }
}

impl Record for Samples {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u64(self.step).u8(u8::try_from(self.last.len()).unwrap_or(u8::MAX)); // at most SAMPLES_MAX
        self.last.iter().for_each(|x| _ = to.i64(*x));
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        if version != Self::VERSION {
            return Err(MemoryError::Version { found: version });
        }
        let step = from.u64()?;
        let last = (0..from.u8()?).map(|_| from.i64()).collect::<Result<_, MemoryError>>()?;
        Ok(Self { step, last })
    }
}

/// Parameters of [`FundingBasis`]. Rates are per `interval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FundingBasisParams {
    /// The time between two fundings, in milliseconds since the epoch: 8 h is 28,800,000. At least 1.
    pub interval: Millis,
    /// The interest part of a rate. -1 to 1.
    pub interest: Ppb,
    /// How far interest may pull a rate away from the premium. 0 to 1.
    pub clamp: Ppb,
    /// Bound on a rate either way. 0 to 1.
    pub cap: Ppb,
}

/// The index carried to the next funding: `index x (1 + rate x time left / interval)`, where the rate is that of the interval
/// before: mean premium + clamp(interest - mean premium, ±clamp), within ±cap, the premium being the distance of the child from
/// the index, weighted by how long it stood. In the first interval the rate is zero.
///
/// As bad as the worse of child and index; without either there is no price. Premium and mean are cut towards zero, below 1e-9;
/// the price is rounded down for `low` and `mid`, up for `high`.
#[derive(Debug)]
pub struct FundingBasis {
    child: Box<dyn PricePolicy>,
    params: FundingBasisParams,
}

impl FundingBasis {
    /// Refuses parameters outside their documented range.
    pub fn new(child: Box<dyn PricePolicy>, params: FundingBasisParams) -> Result<Self, OracleError> {
        not_zero("interval", params.interval)?;
        let within = |field, x: Ppb, least: i128, accepted| {
            let value = i128::from(x.0);
            let ok = (least..=PPB).contains(&value);
            if ok { Ok(()) } else { Err(OracleError::Parameter { field, value, accepted }) }
        };
        within("interest", params.interest, PPB.wrapping_neg(), "-1 to 1 per interval")?;
        within("clamp", params.clamp, 0, "0 to 1 per interval")?;
        within("cap", params.cap, 0, "0 to 1 per interval")?;
        Ok(Self { child, params })
    }

    /// The rate of an interval with this mean premium.
    #[must_use]
    pub fn rate(&self, premium: Ppb) -> Ppb {
        let (premium, p) = (i128::from(premium.0), &self.params);
        let (clamp, cap) = (i128::from(p.clamp.0), i128::from(p.cap.0));
        // differences of 64-bit numbers fit i128, and the result lies within ±1e9
        let pull = i128::from(p.interest.0).wrapping_sub(premium).clamp(clamp.wrapping_neg(), clamp);
        let rate = premium.wrapping_add(pull).clamp(cap.wrapping_neg(), cap);
        Ppb(i64::try_from(rate).unwrap_or(0))
    }
}

impl PricePolicy for FundingBasis {
    fn resolve(
        &self,
        ask: &Ask,
        quotes: &[Quote],
        reference: &Reference,
        memory: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        let view = self.child.resolve(ask, quotes, reference, &mut memory.child(0)?)?;
        let (index, worst) = beside(&view, reference);
        if !(view.is_usable() && index.is_usable()) {
            return Ok(worst.worsened(PriceState::Invalid));
        }
        let at = i128::from(index.mid.get());
        let premium = wide::mul_div(
            i128::from(view.mid.get()).wrapping_sub(at), // both are above zero
            PPB,
            at,
            Rounding::TowardsZero,
        )?;
        // a premium past 2^63 ppb is far beyond every cap
        let premium = i64::try_from(premium).unwrap_or(i64::MAX);
        let mut clock: Funding = memory.get(scope_of(ask))?;
        clock.advance(ask.at.time, premium, self)?;
        memory.set(scope_of(ask), &clock)?;
        let interval_ms = i128::from(self.params.interval.0);
        let gone = i128::from(clock.time.0).checked_rem(interval_ms).unwrap_or(0);
        // |rate| <= 1e9 (30 bits) x below 2^64
        let change = i128::from(clock.rate.0).wrapping_mul(interval_ms.wrapping_sub(gone));
        let whole = interval_ms.wrapping_mul(PPB);
        let carried = |price: Ticks, rounding| {
            let price = i128::from(price.get());
            wide::mul_div(price, change, whole, rounding)?.checked_add(price).ok_or(MathError::Overflow)
        };
        interval(
            &worst,
            carried(index.low, Rounding::Down),
            carried(index.mid, Rounding::Down),
            carried(index.high, Rounding::Up),
        )
    }
}

/// The premium that stands since `time`, premium x ms since the interval began, and the rate of the interval before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Funding {
    started: bool,
    time: Millis,
    premium: i64,
    sum: i128,
    span: u64,
    rate: Ppb,
}

impl Funding {
    fn advance(&mut self, now: Millis, premium: i64, rule: &FundingBasis) -> Result<(), MathError> {
        let interval = rule.params.interval.0;
        let number = |t: u64| t.checked_div(interval).unwrap_or(0);
        if self.started && number(now.0) > number(self.time.0) {
            // the interval that ended, and as many whole ones as have passed since with the premium that stood
            let end = number(self.time.0).saturating_add(1).saturating_mul(interval);
            self.stand(Millis(end));
            if number(now.0) > number(end) {
                (self.sum, self.span) =
                    (i128::from(self.premium).wrapping_mul(i128::from(interval)), interval);
            }
            if self.span > 0 {
                let mean = wide::div(self.sum, i128::from(self.span), Rounding::TowardsZero)?;
                self.rate = rule.rate(Ppb(i64::try_from(mean).map_err(|_| MathError::Overflow)?));
            }
            (self.sum, self.span, self.time) = (0, 0, Millis(number(now.0).saturating_mul(interval)));
        }
        if self.started {
            self.stand(now);
        }
        (self.started, self.time, self.premium) = (true, self.time.max(now), premium);
        Ok(())
    }

    /// Adds the premium that stood until `to`; a clock that runs backwards adds nothing.
    fn stand(&mut self, to: Millis) {
        let elapsed = to.since(self.time).0;
        // 64 + 64 bits, over a span of at most one interval
        let area = i128::from(self.premium).wrapping_mul(i128::from(elapsed));
        self.sum = self.sum.saturating_add(area);
        self.span = self.span.saturating_add(elapsed);
        self.time = self.time.max(to);
    }
}

impl Record for Funding {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u8(u8::from(self.started)).u64(self.time.0).i64(self.premium);
        to.i128(self.sum).u64(self.span).i64(self.rate.0);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self {
                started: from.u8()? != 0,
                time: Millis(from.u64()?),
                premium: from.i64()?,
                sum: from.i128()?,
                span: from.u64()?,
                rate: Ppb(from.i64()?),
            }),
            found => Err(MemoryError::Version { found }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Latest;
    use crate::conformance::{ask_at, quote};
    use cofferdam_core::{MapMemory, Slot};

    const HOUR: u64 = 3_600_000;

    /// Resolves through (time, price, index) and checks each answer's middle.
    fn check(policy: &dyn PricePolicy, path: &[(u64, i64, i64, i64)]) {
        let mut store = MapMemory::default();
        for &(time, price, index, want) in path {
            let index = Some(PriceView::exact(Ticks::new(index), Millis(time)));
            let reference = Reference { previous: None, index };
            let quotes = [quote(1, price, 0, time)];
            let view =
                store.with(Slot(1), |m| policy.resolve(&ask_at(time), &quotes, &reference, m)).unwrap();
            assert_eq!(view.mid.get(), want, "at {time}: {view:?}");
        }
    }

    #[test]
    fn the_mean_of_the_last_samples() {
        let mean = |samples| MeanBasis::new(Box::new(Latest::any()), Millis(1_000), samples).unwrap();
        check(
            &mean(3),
            &[
                (0, 1_010, 1_000, 1_010),
                (500, 1_004, 1_000, 1_004),   // the same second: the newer distance
                (1_000, 1_010, 1_000, 1_007), // 4 and 10
                (2_000, 1_001, 1_000, 1_005), // 4, 10, 1
                (3_000, 1_001, 2_000, 1_670), // 10, 1 and -999: rounded down
                (9_000, 1_001, 1_000, 334),   // two seconds in which -999 stood, and 1
                (8_000, 1_004, 1_000, 335),   // a clock that runs backwards: the newest sample only
                (u64::MAX, 1_002, 1_000, 1_003), // 4, 4 and 2
            ],
        );
        for (every, samples) in [(0, 3), (1, 0), (1, 121)] {
            assert!(MeanBasis::new(Box::new(Latest::any()), Millis(every), samples).is_err());
        }
        // the largest record fits its bound
        check(&mean(120), &(0..300).map(|i| (i * 1_000, 1_010, 1_000, 1_010)).collect::<Vec<_>>());
    }

    #[test]
    fn the_index_carried_to_the_next_funding() {
        let params = FundingBasisParams {
            interval: Millis(8 * HOUR),
            interest: Ppb(100_000),
            clamp: Ppb(500_000),
            cap: Ppb(7_500_000),
        };
        let build = |params| FundingBasis::new(Box::new(Latest::any()), params);
        let rule = build(params).unwrap();
        assert_eq!(rule.rate(Ppb(200_000)), Ppb(100_000));
        assert_eq!(rule.rate(Ppb(-2_000_000)), Ppb(-1_500_000));
        assert_eq!(rule.rate(Ppb(90_000_000)), Ppb(7_500_000));
        let p = 100_000_000;
        check(
            &rule,
            &[
                (0, p, p, p),                     // no rate yet
                (4 * HOUR, p + 200_000, p, p),    // 0 for four hours, then 0.2 %: mean 0.1 %, rate 0.05 %
                (8 * HOUR, p, p, p + 50_000),     // all eight hours to go
                (12 * HOUR, p, p, p + 25_000),    // half of them
                (16 * HOUR, p, p, p + 10_000),    // no premium: the interest of 0.01 %
                (36 * HOUR, 2 * p, p, p + 5_000), // a whole interval passed with the premium that stood
                (40 * HOUR, p, p, p + 750_000),   // 100 % for half of it: the cap
            ],
        );
        let refused = |field: &str, bad| match build(bad) {
            Err(OracleError::Parameter { field: f, .. }) => assert_eq!(f, field),
            other => panic!("{field}: {other:?}"),
        };
        refused("interval", FundingBasisParams { interval: Millis(0), ..params });
        refused("interest", FundingBasisParams { interest: Ppb(1_000_000_001), ..params });
        refused("clamp", FundingBasisParams { clamp: Ppb(-1), ..params });
        refused("cap", FundingBasisParams { cap: Ppb(-1), ..params });
    }
}
