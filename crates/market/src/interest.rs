//! Interest on debts: a kinked curve over utilisation, and the accrual of a debt index by it.
//!
//! Source: Compound v2 `JumpRateModel`, Aave v3 `DefaultReserveInterestRateStrategyV2` (the slope above the kink is over
//! the rest of the way to full utilisation, as in Aave).

use crate::{Accrual, IndexMove, LendingView, MarketError, Subject, check_range};
use alloc::{boxed::Box, vec, vec::Vec};
use cofferdam_core::{
    Amount, At, Index, MathError, Memory, MemoryError, Millis, Ppb, RAY, Reader, Record, Rounding, Scope,
    Writer, wide,
};
use core::fmt::Debug;

/// A year of 365 days, in milliseconds: what a rate per year is divided by.
pub const YEAR: Millis = Millis(31_536_000_000);

const PPB: i128 = 1_000_000_000;

/// How the borrow rate follows utilisation.
///
/// # Contract
///
/// - Depends on its argument alone and is never negative: a debt index never falls (INV-9).
pub trait InterestCurve: Debug + Send + Sync {
    /// Borrow rate per year at a utilisation between zero and one whole.
    fn rate(&self, utilisation: Ppb) -> Result<Ppb, MarketError>;
}

/// debt / (cash + debt) in ppb, rounded up (the lender gains: a higher utilisation never lowers the rate), between zero
/// and one whole. Zero without debt; one whole when no cash is left or it is below zero.
pub fn utilisation(cash: Amount, debt: Amount) -> Result<Ppb, MathError> {
    if debt.get() <= 0 {
        return Ok(Ppb::ZERO);
    }
    let whole = cash.positive_part().try_add(debt)?;
    Ppb::ratio(debt.get(), whole.get(), Rounding::Up)
}

/// Parameters of [`KinkedRate`]. Rates are per year.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KinkedRateParams {
    /// Rate at no utilisation, at least zero.
    pub base: Ppb,
    /// What the rate has gained by the kink, at least zero: at the kink it is base + slope_below.
    pub slope_below: Ppb,
    /// What it gains from the kink to full utilisation, at least zero.
    pub slope_above: Ppb,
    /// The utilisation at which the curve bends, above zero and at most one whole.
    pub kink: Ppb,
}

/// base + slope_below x u / kink up to the kink, and slope_above x (u - kink) / (1 - kink) on top beyond it. Continuous and
/// never falling; rounded up to 1e-9 per year, the lender gains.
///
/// ```
/// use cofferdam_core::Ppb;
/// use cofferdam_market::{InterestCurve, KinkedRate, KinkedRateParams};
/// let curve = KinkedRate::new(KinkedRateParams {
///     base: Ppb(0), slope_below: Ppb(40_000_000), slope_above: Ppb(600_000_000), kink: Ppb(800_000_000),
/// })?;
/// assert_eq!(curve.rate(Ppb(400_000_000))?, Ppb(20_000_000)); // half way to the kink: 2 % a year
/// assert_eq!(curve.rate(Ppb(900_000_000))?, Ppb(340_000_000)); // half way beyond it: 4 % + 30 %
/// # Ok::<(), cofferdam_market::MarketError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KinkedRate {
    params: KinkedRateParams,
}

impl KinkedRate {
    /// A curve with these parameters; refuses those outside their documented range (a rate is at most 1000 a year).
    pub fn new(params: KinkedRateParams) -> Result<Self, MarketError> {
        let rates = 0..=PPB.wrapping_mul(1000);
        check_range("base", params.base.0.into(), rates.clone(), "0 to 1000 per year")?;
        check_range("slope_below", params.slope_below.0.into(), rates.clone(), "0 to 1000 per year")?;
        check_range("slope_above", params.slope_above.0.into(), rates, "0 to 1000 per year")?;
        check_range("kink", params.kink.0.into(), 1..=PPB, "above 0, at most 1")?;
        Ok(Self { params })
    }
}

impl InterestCurve for KinkedRate {
    fn rate(&self, utilisation: Ppb) -> Result<Ppb, MarketError> {
        let KinkedRateParams { base, slope_below, slope_above, kink } = self.params;
        let (u, kink) = (i128::from(utilisation.0).clamp(0, PPB), i128::from(kink.0));
        // base + below x min(u, kink) / kink
        let below = wide::mul_div(slope_below.0.into(), u.min(kink), kink, Rounding::Up)?;
        // above x (u - kink) / (1 - kink); past the kink its divisor is above zero
        let beyond = u.saturating_sub(kink).max(0);
        let above = match beyond {
            0 => 0,
            _ => wide::mul_div(slope_above.0.into(), beyond, PPB.wrapping_sub(kink), Rounding::Up)?,
        };
        let rate = i128::from(base.0).wrapping_add(below).wrapping_add(above); // three numbers of at most 2^40
        i64::try_from(rate).map(Ppb).map_err(|_| MathError::Overflow.into())
    }
}

/// Interest of a lent asset: at each accrual the debt index grows by the factor 1 + rate x dt, at the rate of the
/// utilisation it finds. It compounds per accrual, so it is called before anything changes cash or debt.
///
/// - Growth is rounded up by less than one unit of 1e-27 per accrual: the lender gains. The index never falls (INV-9).
/// - Without debt nothing moves; the time passes.
/// - There is no reserve factor here: the pool that lent is owed exactly what borrowers owe, and a house's part of
///   interest is a matter of who holds shares of that pool.
/// - It needs no price, so no bad price can move it.
///
/// ```
/// use cofferdam_core::{Amount, AssetId, At, Index, MapMemory, Millis, Ppb, RAY, Scaled, Slot};
/// use cofferdam_market::{
///     Accrual, IndexMove, KinkedRate, KinkedRateParams, LendingInterest, LendingView, Subject, YEAR,
/// };
/// let flat = KinkedRate::new(KinkedRateParams {
///     base: Ppb(50_000_000), slope_below: Ppb(0), slope_above: Ppb(0), kink: Ppb(800_000_000),
/// })?;
/// let rule = LendingInterest::new(Box::new(flat));
/// let view = LendingView {
///     asset: AssetId(2), cash: Amount::new(500), debt: Scaled::new(500), index: Index::START,
/// };
/// let (mut memory, mut moves) = (MapMemory::default(), vec![]);
/// for time in [Millis(1), Millis(1).try_add(YEAR)?] {
///     let at = At { time, ..At::default() };
///     moves.extend(memory.with(Slot(0), |m| rule.accrue(at, &Subject::Lending(view), m))?);
/// }
/// // 5 % of a year on 1e27
/// assert_eq!(moves, [IndexMove::Debt { asset: AssetId(2), to: Index::new(RAY / 100 * 105) }]);
/// # Ok::<(), cofferdam_market::MarketError>(())
/// ```
#[derive(Debug)]
pub struct LendingInterest {
    curve: Box<dyn InterestCurve>,
}

impl LendingInterest {
    /// Interest by a curve.
    #[must_use]
    pub fn new(curve: Box<dyn InterestCurve>) -> Self {
        Self { curve }
    }

    // index x (1 + rate x dt), rounded up
    fn grown(&self, view: &LendingView, span: Millis) -> Result<Index, MarketError> {
        // a sum above zero rounds up, so a debt of one scaled unit is still a debt
        let owed = wide::mul_div_unsigned(view.debt.get(), view.index.get(), RAY, true)?;
        let owed = Amount::new(i128::try_from(owed).map_err(|_| MathError::Overflow)?);
        let rate = self.curve.rate(utilisation(view.cash, owed)?)?;
        let rate = u128::try_from(rate.0).map_err(|_| MathError::Negative)?;
        let flow = rate.checked_mul(u128::from(span.0)).ok_or(MathError::Overflow)?;
        let year = u128::from(YEAR.0).wrapping_mul(PPB.unsigned_abs()); // 35 + 30 bits
        let growth = wide::mul_div_unsigned(view.index.get(), flow, year, true)?;
        Ok(view.index.try_add(Index::new(growth))?)
    }
}

impl Accrual for LendingInterest {
    fn accrue(
        &self,
        at: At,
        subject: &Subject,
        memory: &mut Memory<'_>,
    ) -> Result<Vec<IndexMove>, MarketError> {
        let Subject::Lending(view) = subject else { return Err(MarketError::NotForSubject) };
        let scope = Scope::Asset(view.asset);
        let Accrued { since } = memory.get(scope)?;
        let last = since.unwrap_or(at.time);
        let span = at.time.since(last);
        memory.set(scope, &Accrued { since: Some(at.time.max(last)) })?;
        if span == Millis::ZERO || view.debt.is_zero() {
            return Ok(vec![]);
        }
        let to = self.grown(view, span)?;
        Ok(if to == view.index { vec![] } else { vec![IndexMove::Debt { asset: view.asset, to }] })
    }
}

/// When interest was last accrued, if ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Accrued {
    since: Option<Millis>,
}

impl Record for Accrued {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u8(u8::from(self.since.is_some())).u64(self.since.unwrap_or_default().0);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        if version != 1 {
            return Err(MemoryError::Version { found: version });
        }
        let (seen, time) = (from.u8()? != 0, Millis(from.u64()?));
        Ok(Self { since: seen.then_some(time) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, lending, market};
    use cofferdam_core::{MapMemory, Slot};
    use num_bigint::BigUint;
    use proptest::prelude::*;

    fn params() -> KinkedRateParams {
        KinkedRateParams {
            base: Ppb(10_000_000),
            slope_below: Ppb(40_000_000),
            slope_above: Ppb(600_000_000),
            kink: Ppb(800_000_000),
        }
    }

    fn rule() -> LendingInterest {
        LendingInterest::new(Box::new(KinkedRate::new(params()).unwrap()))
    }

    /// Final index after accruals at these times.
    fn run(cash: i128, debt: u128, times: &[u64]) -> u128 {
        let (mut memory, mut view) = (MapMemory::default(), lending(cash, debt));
        for time in times {
            let moves =
                memory.with(Slot(0), |m| rule().accrue(at(*time), &Subject::Lending(view), m)).unwrap();
            for step in moves {
                let IndexMove::Debt { asset, to } = step else { panic!("{step:?}") };
                assert_eq!(asset, view.asset);
                assert!(to > view.index, "the index never falls");
                view.index = to;
            }
        }
        view.index.get()
    }

    #[test]
    fn the_curve() {
        let check = |u: i64, want: i64| {
            let curve = KinkedRate::new(params()).unwrap();
            assert_eq!(curve.rate(Ppb(u)), Ok(Ppb(want)), "at {u}");
        };
        check(0, 10_000_000);
        check(1, 10_000_001); // rounded up
        check(400_000_000, 30_000_000);
        check(800_000_000, 50_000_000);
        check(800_000_001, 50_000_003);
        check(900_000_000, 350_000_000);
        check(1_000_000_000, 650_000_000);
        check(2_000_000_000, 650_000_000); // beyond full is full
        let whole = KinkedRate::new(KinkedRateParams { kink: Ppb::ONE, ..params() }).unwrap();
        assert_eq!(whole.rate(Ppb::ONE), Ok(Ppb(50_000_000)), "a kink at the end never divides by zero");
    }

    #[test]
    fn the_index() {
        let check = |what: &str, cash: i128, debt: u128, times: &[u64], want: u128| {
            assert_eq!(run(cash, debt, times), want, "{what}");
        };
        let year = YEAR.0;
        check("the first call only starts the clock", 50, 50, &[7], RAY);
        check("half used for a year: 3.5 %", 50, 50, &[7, 7 + year], RAY / 1000 * 1035);
        check("twice at one time", 50, 50, &[7, 7 + year, 7 + year], RAY / 1000 * 1035);
        check("a clock that runs backwards", 50, 50, &[7, 7 + year, 7, 7 + year], RAY / 1000 * 1035);
        // the debt has grown to 51.75, so 52 of 102: 3.54901961 % on 1.035
        let compounded = 1_071_732_353_895_000_000_000_000_000;
        check("compounding per accrual", 50, 50, &[0, year, 2 * year], compounded);
        check("no debt", 50, 0, &[0, year], RAY);
        check("no cash left: 65 %", 0, 50, &[0, year], RAY / 100 * 165);
        check("cash below zero", -9, 50, &[0, year], RAY / 100 * 165);
    }

    #[test]
    fn refusals() {
        let check = |field: &str, bad: KinkedRateParams| match KinkedRate::new(bad) {
            Err(MarketError::Parameter { field: f, .. }) => assert_eq!(f, field),
            other => panic!("{field}: {other:?}"),
        };
        check("base", KinkedRateParams { base: Ppb(-1), ..params() });
        check("slope_below", KinkedRateParams { slope_below: Ppb(-1), ..params() });
        check("slope_above", KinkedRateParams { slope_above: Ppb(i64::MAX), ..params() });
        check("kink", KinkedRateParams { kink: Ppb::ZERO, ..params() });
        check("kink", KinkedRateParams { kink: Ppb(1_000_000_001), ..params() });
        let refused =
            MapMemory::default().with(Slot(0), |m| rule().accrue(at(1), &Subject::Market(market()), m));
        assert_eq!(refused, Err(MarketError::NotForSubject));
    }

    proptest! {
        #[test]
        fn the_curve_never_falls(a in 0_i64..=1_000_000_000, b in 0_i64..=1_000_000_000) {
            let curve = KinkedRate::new(params()).unwrap();
            prop_assert!(curve.rate(Ppb(a.min(b))).unwrap() <= curve.rate(Ppb(a.max(b))).unwrap());
        }

        #[test]
        fn utilisation_is_a_ratio(cash in -(1_i128 << 100)..1 << 100, debt in 0_i128..1 << 100) {
            let u = utilisation(Amount::new(cash), Amount::new(debt)).unwrap();
            prop_assert!((Ppb::ZERO..=Ppb::ONE).contains(&u));
            prop_assert_eq!(u == Ppb::ZERO, debt == 0);
        }

        /// One accrual is at least the exact growth and less than one unit more (the lender gains).
        #[test]
        fn growth_is_rounded_up_once(cash in 0_i128..1 << 80, debt in 1_u128..1 << 80, span in 1_u64..1 << 42) {
            let rate = KinkedRate::new(params()).unwrap()
                .rate(utilisation(Amount::new(cash), Amount::new(i128::try_from(debt).unwrap())).unwrap()).unwrap();
            let exact = BigUint::from(RAY) * BigUint::from(u64::try_from(rate.0).unwrap()) * span;
            let unit = BigUint::from(YEAR.0) * 1_000_000_000_u64;
            let got = BigUint::from(run(cash, debt, &[0, span]) - RAY);
            prop_assert!(&got * &unit >= exact && &got * &unit < exact + unit);
        }

        /// Accruing more often compounds: it never charges less, and never more than e^(rate x time) would.
        #[test]
        fn more_often_is_never_less(mut stops in prop::collection::vec(1_u64..31_536_000_000, 0..12)) {
            stops.sort_unstable();
            let (mut often, end) = (vec![0], YEAR.0);
            often.extend(stops);
            often.push(end);
            let (once, often) = (run(0, 50, &[0, end]), run(0, 50, &often));
            prop_assert!(often >= once && often < RAY / 1000 * 1916); // e^0.65 = 1.91554
        }
    }
}
