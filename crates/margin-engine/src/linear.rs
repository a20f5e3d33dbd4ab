//! Requirements whose rate follows the size of the position in its own units: a rate that grows with every unit, and brackets of
//! size whose rate applies to all of the position.

use crate::requirement::{rates, within};
use crate::valuation::share_up;
use crate::{MarginError, Pieces, Reads, Requirement, Stage, TermsError};
use alloc::vec::Vec;
use cofferdam_core::{Lots, MarketView, MathError, Ppb, Quanta, Rounding, wide};

const ONE: i128 = 1_000_000_000;

/// rate = base + per_unit x |lots| / unit, rounded up; below 100 % at maintenance, at most 100 % at initial.
///
/// Source: Deribit, linear perpetuals (support article 25944738177565): 2 % + size x 0.005 % for BTC.
///
/// ```
/// use cofferdam_core::{Lots, Ppb};
/// use cofferdam_margin_engine::{LinearSize, Stage};
/// // lots of 0.001 BTC: 25 BTC need 2 % + 25 x 0.005 %
/// let btc = LinearSize::new(Ppb(10_000_000), Ppb(20_000_000), Ppb(50_000), Lots::new(1_000))?;
/// assert_eq!(btc.rate(Stage::Initial, Lots::new(25_000)), Ok(Ppb(21_250_000)));
/// # Ok::<(), cofferdam_margin_engine::TermsError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinearSize {
    maintenance: Ppb,
    initial: Ppb,
    per_unit: Ppb,
    unit: Lots,
}

impl LinearSize {
    /// `per_unit` is what one `unit` (in lots: those of one whole contract) adds to both rates.
    pub fn new(maintenance: Ppb, initial: Ppb, per_unit: Ppb, unit: Lots) -> Result<Self, TermsError> {
        rates(maintenance, initial)?;
        within("per_unit", i128::from(per_unit.0), 0..=ONE, "0 <= per_unit <= 1e9 ppb")?;
        within("unit", i128::from(unit.get()), 1..=i128::from(i64::MAX), "at least one lot")?;
        Ok(Self { maintenance, initial, per_unit, unit })
    }

    /// The rate of a position of so many lots, rounded up.
    pub fn rate(&self, stage: Stage, lots: Lots) -> Result<Ppb, MathError> {
        let (base, cap) = match stage {
            Stage::Maintenance => (self.maintenance, ONE.saturating_sub(1)),
            Stage::Initial => (self.initial, ONE),
        };
        let size = i128::from(lots.try_abs()?.get());
        let unit = i128::from(self.unit.get());
        let more = wide::mul_div(size, i128::from(self.per_unit.0), unit, Rounding::Up)?;
        let rate = more.checked_add(i128::from(base.0)).ok_or(MathError::Overflow)?.min(cap);
        i64::try_from(rate).map(Ppb).map_err(|_| MathError::Overflow)
    }
}

impl Requirement for LinearSize {
    fn required(
        &self,
        stage: Stage,
        _: &MarketView,
        lots: Lots,
        notional: Quanta,
    ) -> Result<Quanta, MarginError> {
        Ok(share_up(self.rate(stage, lots)?, notional.get()).map(Quanta::new)?)
    }

    fn pieces(&self, _: Stage, _: &MarketView) -> Result<Option<Pieces>, MarginError> {
        Ok(None)
    }

    fn reads(&self, _: Stage) -> Reads {
        Reads::default()
    }
}

/// A bracket of [`Stepped`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bracket {
    /// The largest size within it, in lots.
    pub upper: Lots,
    /// Maintenance rate of a position of that size.
    pub maintenance: Ppb,
    /// Initial rate.
    pub initial: Ppb,
}

/// The rate of the bracket that the size of a position falls in applies to all of it; beyond the last bracket its rate goes on.
///
/// Breaks the continuity of INV-14 in the size: one lot more across a bound raises the requirement of every lot. At a fixed size it
/// is a flat rate. Source: OKX, position tiers.
///
/// ```
/// use cofferdam_core::{Lots, Ppb};
/// use cofferdam_margin_engine::{Bracket, Stepped};
/// let row = |upper, m, i| Bracket { upper: Lots::new(upper), maintenance: Ppb(m), initial: Ppb(i) };
/// assert!(Stepped::new(vec![row(5_000, 10_000_000, 13_000_000), row(7_500, 15_000_000, 20_000_000)]).is_ok());
/// assert!(Stepped::new(vec![row(5_000, 10_000_000, 13_000_000), row(5_000, 15_000_000, 20_000_000)]).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stepped {
    brackets: Vec<Bracket>,
}

impl Stepped {
    /// From rows in ascending order: bounds and rates rise, maintenance < 100 %, maintenance <= initial <= 100 %.
    pub fn new(brackets: Vec<Bracket>) -> Result<Self, TermsError> {
        if brackets.is_empty() {
            return Err(TermsError::Parameter {
                field: "brackets",
                value: 0,
                accepted: "at least one bracket",
            });
        }
        let mut before: Option<Bracket> = None;
        for (index, b) in brackets.iter().enumerate() {
            let refuse = |field, value: i64, accepted| {
                Err(TermsError::Tier { index, field, value: value.into(), accepted })
            };
            if b.upper.get() <= before.map_or(0, |p| p.upper.get()) {
                return refuse(
                    "upper",
                    b.upper.get(),
                    "more than the bound of the bracket before, above zero",
                );
            }
            if before.is_some_and(|p| b.maintenance <= p.maintenance) {
                return refuse("maintenance", b.maintenance.0, "more than the rate of the bracket before");
            }
            if before.is_some_and(|p| b.initial < p.initial) {
                return refuse("initial", b.initial.0, "at least the rate of the bracket before");
            }
            rates(b.maintenance, b.initial)?;
            before = Some(*b);
        }
        Ok(Self { brackets })
    }

    /// The bracket of a size.
    #[must_use]
    pub fn bracket(&self, lots: Lots) -> Option<&Bracket> {
        let size = lots.get().unsigned_abs();
        let within = self.brackets.iter().find(|b| size <= b.upper.get().unsigned_abs());
        within.or(self.brackets.last())
    }
}

impl Requirement for Stepped {
    fn required(
        &self,
        stage: Stage,
        _: &MarketView,
        lots: Lots,
        notional: Quanta,
    ) -> Result<Quanta, MarginError> {
        let rate = self.bracket(lots).map_or(Ppb::ONE, |b| match stage {
            Stage::Maintenance => b.maintenance,
            Stage::Initial => b.initial,
        });
        Ok(share_up(rate, notional.get()).map(Quanta::new)?)
    }

    fn pieces(&self, _: Stage, _: &MarketView) -> Result<Option<Pieces>, MarginError> {
        Ok(None)
    }

    fn reads(&self, _: Stage) -> Reads {
        Reads::default()
    }
}
