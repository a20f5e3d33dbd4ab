//! Funding from the premium of the mark over the index, charged continuously.
//!
//! Source: Binance USDⓈ-M funding, `F = P + clamp(I - P, ±c)` bounded by a cap (help page 360033525031; the same form at
//! Bybit, dYdX v4 and Hyperliquid). Those venues pay once per interval, so a position opened a second before the stamp
//! pays for hours; here the index moves with every accrual and a position pays for the time it was held.

use crate::{Accrual, IndexMove, MarketError, Subject, check_range};
use alloc::{vec, vec::Vec};
use cofferdam_core::{
    At, FundingIndex, Lots, MarketView, MathError, Memory, MemoryError, Millis, Ppb, PriceState, Quanta,
    Reader, Record, Rounding, Scope, Writer,
    wide::{self, U256},
};

const PPB: i128 = 1_000_000_000;

/// Parameters of [`PremiumFunding`]. Rates are per `interval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PremiumFundingParams {
    /// The time that a rate is for: 8 h is 28,800,000 ms. Above zero.
    pub interval: Millis,
    /// The interest part per interval: 0.01 % is 100,000 ppb.
    pub interest: Ppb,
    /// How far interest may pull the rate away from the premium, at least zero: 0.05 % is 500,000 ppb.
    pub clamp: Ppb,
    /// Bound on the rate either way, zero to one whole per interval.
    pub cap: Ppb,
    /// The worst state in which mark and index still move funding; better than `Invalid`.
    pub worst_state: PriceState,
}

/// Funding = premium + clamp(interest - premium, ±clamp), bounded by ±cap, per interval.
///
/// - The premium is (mark - index) / index at mid prices, in ppb cut towards zero (the payer gains less than 1e-9 per
///   interval); the mean premium of a span is the mean of the premiums seen at its two ends.
/// - The index moves by rate x mark x k x dt / interval, in quanta x 2^-32 per lot, rounded down: longs gain less than one
///   unit of 2^-32 quanta per lot in all, not per accrual, because the remainder is carried in memory. At constant prices
///   it does not matter how often the rule is called.
/// - While a price is unusable or worse than `worst_state` nothing moves and the clock stops; it starts again with the
///   next price that will do. That time is free: nobody is charged on a price that was not there (INV-31).
///
/// ```
/// use cofferdam_core::{Millis, Ppb, PriceState};
/// use cofferdam_market::{PremiumFunding, PremiumFundingParams};
/// let rule = PremiumFunding::new(PremiumFundingParams {
///     interval: Millis(28_800_000), interest: Ppb(100_000), clamp: Ppb(500_000), cap: Ppb(3_000_000),
///     worst_state: PriceState::Volatile,
/// })?;
/// assert_eq!(rule.rate(Ppb(200_000)), Ppb(100_000)); // interest within the clamp: the rate is the interest
/// assert_eq!(rule.rate(Ppb(2_000_000)), Ppb(1_500_000)); // premium less the clamp
/// assert_eq!(rule.rate(Ppb(90_000_000)), Ppb(3_000_000)); // the cap
/// # Ok::<(), cofferdam_market::MarketError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PremiumFunding {
    params: PremiumFundingParams,
}

impl PremiumFunding {
    /// A rule with these parameters; refuses those outside their documented range.
    pub fn new(params: PremiumFundingParams) -> Result<Self, MarketError> {
        check_range("interval", i128::from(params.interval.0), 1..=i128::from(u64::MAX), "at least 1 ms")?;
        check_range("interest", params.interest.0.into(), -PPB..=PPB, "-1 to 1 per interval")?;
        check_range("clamp", params.clamp.0.into(), 0..=PPB, "0 to 1 per interval")?;
        check_range("cap", params.cap.0.into(), 0..=PPB, "0 to 1 per interval")?;
        if params.worst_state >= PriceState::Invalid {
            let value = i128::from(params.worst_state == PriceState::Missing);
            return Err(MarketError::Parameter {
                field: "worst_state",
                value,
                accepted: "a state better than invalid",
            });
        }
        Ok(Self { params })
    }

    /// The rate per interval at a mean premium.
    #[must_use]
    pub fn rate(&self, premium: Ppb) -> Ppb {
        Ppb(self.rate_of(premium.0.into()))
    }

    // The bounds are validated to at most 1e9, so the result fits; differences of 94-bit numbers fit i128.
    fn rate_of(&self, premium: i128) -> i64 {
        let Self { params: PremiumFundingParams { interest, clamp, cap, .. } } = *self;
        let (clamp, cap) = (i128::from(clamp.0), i128::from(cap.0));
        let pull = i128::from(interest.0).wrapping_sub(premium).clamp(clamp.wrapping_neg(), clamp);
        let rate = premium.wrapping_add(pull).clamp(cap.wrapping_neg(), cap);
        i64::try_from(rate).unwrap_or(0)
    }

    fn accepts(&self, market: &MarketView) -> bool {
        [&market.mark, &market.index].iter().all(|p| p.is_usable() && p.state <= self.params.worst_state)
    }

    // rate x notional per lot x dt / interval x 2^32, rounded down, with the remainder of the last step added first.
    // Returns the step and the new remainder, in units of 1 / (interval x 1e9).
    fn step(
        &self,
        rate: i64,
        per_lot: Quanta,
        span: Millis,
        remainder: u128,
    ) -> Result<(i128, u128), MathError> {
        let flow = i128::from(rate).checked_mul(per_lot.get()).ok_or(MathError::Overflow)?;
        let whole = U256::product(flow.unsigned_abs(), u128::from(span.0) << 32);
        // below 2^64 x 2^30: cannot wrap
        let divisor = u128::from(self.params.interval.0).wrapping_mul(PPB.unsigned_abs());
        let carried = U256::from_u128(remainder);
        if flow >= 0 {
            let (up, rest) = whole.checked_add(carried).ok_or(MathError::Overflow)?.div_rem(divisor)?;
            return Ok((i128::try_from(up).map_err(|_| MathError::Overflow)?, rest));
        }
        let Some(down) = whole.checked_sub(carried) else {
            return Ok((0, carried.checked_sub(whole).ok_or(MathError::Overflow)?.lo));
        };
        let (fall, rest) = down.div_rem(divisor)?;
        let (fall, rest) = match divisor.checked_sub(rest) {
            Some(left) if rest != 0 => (fall.checked_add(1).ok_or(MathError::Overflow)?, left),
            _ => (fall, 0),
        };
        let fall = i128::try_from(fall).map_err(|_| MathError::Overflow)?;
        Ok((fall.wrapping_neg(), rest))
    }
}

impl Accrual for PremiumFunding {
    fn accrue(
        &self,
        at: At,
        subject: &Subject,
        memory: &mut Memory<'_>,
    ) -> Result<Vec<IndexMove>, MarketError> {
        let Subject::Market(market) = subject else { return Err(MarketError::NotForSubject) };
        let scope = Scope::Market(market.id);
        let mut clock: Clock = memory.get(scope)?;
        if !self.accepts(market) {
            clock.running = false;
            memory.set(scope, &clock)?;
            return Ok(vec![]);
        }
        let premium = premium(market)?;
        let span = at.time.since(clock.time);
        let mut moves = vec![];
        if clock.running && span > Millis::ZERO {
            let sum = clock.premium.checked_add(premium).ok_or(MathError::Overflow)?;
            let mean = wide::div(sum, 2, Rounding::TowardsZero)?;
            let per_lot = market.scale.notional(Lots::ONE, market.mark.mid)?;
            let (step, remainder) = self.step(self.rate_of(mean), per_lot, span, clock.remainder)?;
            clock.remainder = remainder;
            if step != 0 {
                let to = market.funding.try_add(FundingIndex::new(step))?;
                moves.push(IndexMove::Funding { market: market.id, to });
            }
        }
        // a clock that runs backwards moves nothing and is not believed
        clock = Clock { running: true, time: at.time.max(clock.time), premium, ..clock };
        memory.set(scope, &clock)?;
        Ok(moves)
    }
}

// (mark - index) / index in ppb, cut towards zero; the caller has seen that both are usable, so the index is above zero
fn premium(market: &MarketView) -> Result<i128, MathError> {
    let (mark, index) = (i128::from(market.mark.mid.get()), i128::from(market.index.mid.get()));
    wide::mul_div(mark.wrapping_sub(index), PPB, index, Rounding::TowardsZero)
}

/// What a holder of `lots` owes (positive) or is owed (negative) for the way of the index from `from` to `to`:
/// ceil(lots x (to - from) / 2^32), in quanta. Rounded up, against the holder: over a book whose lots sum to zero the
/// charges sum to zero or to a little more, less than one quantum per position, and that is the house's dust (INV-5).
///
/// ```
/// use cofferdam_core::{FundingIndex, Lots, Quanta};
/// use cofferdam_market::funding_charge;
/// let (from, to) = (FundingIndex::ZERO, FundingIndex::new(3 << 31)); // 1.5 quanta per lot
/// assert_eq!(funding_charge(Lots::new(3), from, to), Ok(Quanta::new(5))); // 4.5 paid as 5
/// assert_eq!(funding_charge(Lots::new(-3), from, to), Ok(Quanta::new(-4))); // 4.5 received as 4
/// ```
pub fn funding_charge(lots: Lots, from: FundingIndex, to: FundingIndex) -> Result<Quanta, MathError> {
    let way = to.get().checked_sub(from.get()).ok_or(MathError::Overflow)?;
    let charge = wide::mul_div(i128::from(lots.get()), way, 1 << 32, Rounding::Up)?;
    Quanta::new(charge).try_add(Quanta::ZERO)
}

/// When the last accrual was, what the premium was then, and the part of a unit that has accrued since the last whole one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Clock {
    running: bool,
    time: Millis,
    premium: i128,
    remainder: u128,
}

impl Record for Clock {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u8(u8::from(self.running)).u64(self.time.0).i128(self.premium).u128(self.remainder);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self {
                running: from.u8()? != 0,
                time: Millis(from.u64()?),
                premium: from.i128()?,
                remainder: from.u128()?,
            }),
            found => Err(MemoryError::Version { found }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, market};
    use cofferdam_core::{MapMemory, MarketId, PriceView, Slot, Ticks};
    use num_bigint::BigInt;
    use proptest::prelude::*;

    const HOUR: u64 = 3_600_000;

    fn params() -> PremiumFundingParams {
        PremiumFundingParams {
            interval: Millis(8 * HOUR),
            interest: Ppb(100_000),
            clamp: Ppb(500_000),
            cap: Ppb(7_500_000),
            worst_state: PriceState::Volatile,
        }
    }

    fn rule() -> PremiumFunding {
        PremiumFunding::new(params()).unwrap()
    }

    fn priced(mark: i64, index: i64) -> MarketView {
        let mut m = market();
        m.mark = PriceView::exact(Ticks::new(mark), Millis::ZERO);
        m.index = PriceView::exact(Ticks::new(index), Millis::ZERO);
        m
    }

    /// Runs the rule through (time, mark, index); an index of 0 is an unusable price. Returns the final funding index.
    fn run(rule: &PremiumFunding, path: &[(u64, i64, i64)]) -> i128 {
        let (mut memory, mut funding) = (MapMemory::default(), FundingIndex::ZERO);
        for &(time, mark, index) in path {
            let view = MarketView { funding, ..priced(mark, index) };
            let moves = memory.with(Slot(0), |m| rule.accrue(at(time), &Subject::Market(view), m)).unwrap();
            for step in moves {
                let IndexMove::Funding { market: MarketId(1), to } = step else { panic!("{step:?}") };
                funding = to;
            }
        }
        funding.get()
    }

    #[test]
    fn paths() {
        // mark 100,000 ticks x k 10 = 1e6 quanta per lot; 0.01 % of it per 8 h is 100 quanta
        let unit = 1_i128 << 32;
        let ppb = |rate: i128| (rate * unit).div_euclid(1_000); // of 1e6 quanta
        let check = |what: &str, path: &[(u64, i64, i64)], want: i128| {
            assert_eq!(run(&rule(), path), want, "{what}");
        };
        let (h, p) = (HOUR, 100_000);
        check("the first call only starts the clock", &[(0, p, p)], 0);
        check("a whole interval at the interest rate", &[(0, p, p), (8 * h, p, p)], 100 * unit);
        check("twice at one time", &[(0, p, p), (8 * h, p, p), (8 * h, p, p)], 100 * unit);
        check(
            "a clock that runs backwards",
            &[(0, p, p), (8 * h, p, p), (h, p, p), (8 * h, p, p)],
            100 * unit,
        );
        check("outage: nothing for the time around it", &[(0, p, p), (h, p, 0), (8 * h, p, p)], 0);
        check("and on from there", &[(0, p, p), (h, p, 0), (8 * h, p, p), (16 * h, p, p)], 100 * unit);
        check("a premium past the clamp", &[(0, p, 99_900), (8 * h, p, 99_900)], ppb(501_001));
        check("a discount: shorts pay", &[(0, p, 100_200), (8 * h, p, 100_200)], ppb(-1_496_007));
        check("the cap", &[(0, p, p / 2), (8 * h, p, p / 2)], 7_500 * unit);
        check("the cap below", &[(0, p, p * 2), (8 * h, p, p * 2)], -7_500 * unit);
        check("the mean of both ends", &[(0, p, p), (8 * h, p, 99_800)], ppb(502_004));
    }

    #[test]
    fn refusals() {
        let check = |field: &str, bad: PremiumFundingParams| match PremiumFunding::new(bad) {
            Err(MarketError::Parameter { field: f, .. }) => assert_eq!(f, field),
            other => panic!("{field}: {other:?}"),
        };
        check("interval", PremiumFundingParams { interval: Millis::ZERO, ..params() });
        check("interest", PremiumFundingParams { interest: Ppb(1_000_000_001), ..params() });
        check("clamp", PremiumFundingParams { clamp: Ppb(-1), ..params() });
        check("cap", PremiumFundingParams { cap: Ppb(-1), ..params() });
        check("worst_state", PremiumFundingParams { worst_state: PriceState::Missing, ..params() });
        let lending = Subject::Lending(crate::testing::lending(0, 0));
        let refused = MapMemory::default().with(Slot(0), |m| rule().accrue(at(1), &lending, m));
        assert_eq!(refused, Err(MarketError::NotForSubject));
    }

    #[test]
    fn a_state_worse_than_accepted_moves_nothing() {
        let mut memory = MapMemory::default();
        let mut view = priced(100_000, 100_000);
        view.mark = view.mark.worsened(PriceState::Stale);
        for time in [0, HOUR, 2 * HOUR] {
            let moves = memory.with(Slot(0), |m| rule().accrue(at(time), &Subject::Market(view), m));
            assert_eq!(moves, Ok(vec![]));
        }
    }

    proptest! {
        /// At constant prices it does not matter how often the rule is called, to the unit.
        #[test]
        fn frequency_does_not_matter(mark in 1_i64..1 << 40, index in 1_i64..1 << 40,
                                     mut stops in prop::collection::vec(1_u64..40 * HOUR, 0..20)) {
            stops.sort_unstable();
            let mut often = vec![(0, mark, index)];
            often.extend(stops.iter().map(|t| (*t, mark, index)));
            often.push((40 * HOUR, mark, index));
            prop_assert_eq!(run(&rule(), &often), run(&rule(), &[(0, mark, index), (40 * HOUR, mark, index)]));
        }

        /// The index is the floor of the exact rational.
        #[test]
        fn the_index_is_exact(mark in 1_i64..1 << 50, index in 1_i64..1 << 50, span in 1_u64..1 << 45) {
            let mean = (BigInt::from(mark) - index) * 1_000_000_000_i64 / index; // truncates, as stated
            let mean = i64::try_from(mean).unwrap();
            let exact = BigInt::from(rule().rate(Ppb(mean)).0) * mark * 10 * span * (1_i64 << 32);
            let divisor = BigInt::from(8 * HOUR) * 1_000_000_000_u64;
            let (q, r) = (&exact / &divisor, &exact % &divisor);
            let floor = if r < BigInt::from(0) { q - 1 } else { q };
            prop_assert_eq!(BigInt::from(run(&rule(), &[(0, mark, index), (span, mark, index)])), floor);
        }

        /// What longs pay, shorts receive; what is left over is dust, never negative, below one quantum a position.
        #[test]
        fn what_one_side_pays_the_other_receives(mut lots in prop::collection::vec(-(1_i64 << 40)..1 << 40, 1..30),
                                                 from in -(1_i128 << 70)..1 << 70, way in -(1_i128 << 60)..1 << 60) {
            lots.push(-lots.iter().sum::<i64>()); // open interest is equal on both sides
            let (from, to) = (FundingIndex::new(from), FundingIndex::new(from + way));
            let charges: Vec<i128> = lots.iter().map(|l| funding_charge(Lots::new(*l), from, to).unwrap().get()).collect();
            let paid: i128 = charges.iter().filter(|c| **c > 0).sum();
            let received: i128 = -charges.iter().filter(|c| **c < 0).sum::<i128>();
            let dust = paid - received;
            prop_assert!(dust >= 0 && dust < i128::try_from(lots.len()).unwrap(), "{dust}");
        }

        /// Settling in two steps never costs less than in one (INV-6), and at most one quantum more.
        #[test]
        fn settling_twice_never_gains(lots in -(1_i64 << 40)..1 << 40, a in -(1_i128 << 60)..1 << 60, b in -(1_i128 << 60)..1 << 60) {
            let (zero, mid, end) = (FundingIndex::ZERO, FundingIndex::new(a), FundingIndex::new(a + b));
            let charge = |from, to| funding_charge(Lots::new(lots), from, to).unwrap().get();
            let more = charge(zero, mid) + charge(mid, end) - charge(zero, end);
            prop_assert!((0..=1).contains(&more));
        }
    }
}
