//! Requirements whose rate depends on something besides the notional: the size of the position, the open interest of the
//! market, its recorded volatility. At one view of the market the latter two are flat rates.

use crate::requirement::{rates, within};
use crate::valuation::share_up;
use crate::{MarginError, Pieces, Reads, Requirement, Stage, TermsError};
use cofferdam_core::{Lots, MarketView, MathError, Ppb, Quanta, Rounding, WAD, wide};

const ONE: i128 = 1_000_000_000;
const SHARE: core::ops::RangeInclusive<i128> = 0..=ONE;

/// rate = max(base, 0.8 x base + factor x sqrt(size)), at most 100 %.
///
/// Source: Drift v2, `calculate_size_premium_liability_weight`. Both roots and products are rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizeScaled {
    maintenance: Ppb,
    initial: Ppb,
    factor: Ppb,
    unit: Lots,
}

impl SizeScaled {
    /// `factor` is what the square root of one `unit` (in lots: those of one whole contract) adds to the rate.
    pub fn new(maintenance: Ppb, initial: Ppb, factor: Ppb, unit: Lots) -> Result<Self, TermsError> {
        rates(maintenance, initial)?;
        within("factor", i128::from(factor.0), SHARE, "0 <= factor <= 1e9 ppb")?;
        within("unit", i128::from(unit.get()), 1..=i128::from(i64::MAX), "at least one lot")?;
        Ok(Self { maintenance, initial, factor, unit })
    }

    /// The rate of a position of so many lots, rounded up; below 100 % at maintenance.
    pub fn rate(&self, stage: Stage, lots: Lots) -> Result<Ppb, MathError> {
        let (base, cap) = match stage {
            Stage::Maintenance => (self.maintenance, ONE.saturating_sub(1)),
            Stage::Initial => (self.initial, ONE),
        };
        // sqrt(lots / unit) in units of 1e-9
        let units = wide::mul_div(
            i128::from(lots.try_abs()?.get()),
            wad(),
            i128::from(self.unit.get()),
            Rounding::Up,
        )?;
        let root = wide::isqrt(units, Rounding::Up)?;
        let premium = self.factor.of_units(root, Rounding::Up)?;
        let scaled = wide::mul_div(i128::from(base.0), 4, 5, Rounding::Up)?
            .checked_add(premium)
            .ok_or(MathError::Overflow)?;
        ppb(scaled.max(i128::from(base.0)).min(cap))
    }
}

impl Requirement for SizeScaled {
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

/// The initial rate rises with the market's open interest; the maintenance rate does not, so crowding never liquidates an
/// account that is already there.
///
/// initial = base + (1 - base) x clamp((OI - lower) / (upper - lower), 0, 1), rounded up. Source: dYdX v4,
/// `liquidity_tier.go`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenInterestScaled {
    maintenance: Ppb,
    initial: Ppb,
    lower: Quanta,
    upper: Quanta,
}

impl OpenInterestScaled {
    /// `lower` and `upper` bound the open interest (long lots x mark, quanta of the settlement asset) over which the initial
    /// rate rises from its base to 100 %.
    pub fn new(maintenance: Ppb, initial: Ppb, lower: Quanta, upper: Quanta) -> Result<Self, TermsError> {
        rates(maintenance, initial)?;
        within("lower", lower.get(), 0..=Quanta::LIMIT, "0 <= lower")?;
        let least = lower.get().saturating_add(1);
        within("upper", upper.get(), least..=Quanta::LIMIT, "lower < upper")?;
        Ok(Self { maintenance, initial, lower, upper })
    }

    /// The rate in this view of the market.
    pub fn rate(&self, stage: Stage, market: &MarketView) -> Result<Ppb, MathError> {
        if stage == Stage::Maintenance {
            return Ok(self.maintenance);
        }
        let value = market.scale.absolute_notional(market.open_interest, market.mark.high)?;
        let above = value.try_sub(self.lower)?.positive_part();
        let width = self.upper.try_sub(self.lower)?;
        let room = self.initial.complement()?;
        let more =
            wide::mul_div(above.get().min(width.get()), i128::from(room.0), width.get(), Rounding::Up)?;
        ppb(more.checked_add(i128::from(self.initial.0)).ok_or(MathError::Overflow)?)
    }
}

impl Requirement for OpenInterestScaled {
    fn required(
        &self,
        stage: Stage,
        market: &MarketView,
        _: Lots,
        notional: Quanta,
    ) -> Result<Quanta, MarginError> {
        Ok(share_up(self.rate(stage, market)?, notional.get()).map(Quanta::new)?)
    }

    fn pieces(&self, stage: Stage, market: &MarketView) -> Result<Option<Pieces>, MarginError> {
        Ok(Some(Pieces::flat(self.rate(stage, market)?)))
    }

    fn reads(&self, stage: Stage) -> Reads {
        Reads { open_interest: stage == Stage::Initial, volatility: false }
    }
}

/// rate = multiple x max(volatility, floor), rounded up, at most 100 %.
///
/// The floor is a volatility over a long look-back: without it calm markets lower margins and a storm raises them all at
/// once. Source: Regulation (EU) 153/2013, Art. 28(1)(c). How fast a recorded volatility may move is the stack's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VolatilityScaled {
    maintenance: Ppb,
    initial: Ppb,
    floor: Ppb,
}

impl VolatilityScaled {
    /// `maintenance` and `initial` are multiples of annualised volatility (quantile x square root of the holding period in
    /// years, 1e9 is one time); `floor` is the volatility below which none is believed.
    pub fn new(maintenance: Ppb, initial: Ppb, floor: Ppb) -> Result<Self, TermsError> {
        let most = i128::from(i64::MAX);
        within("maintenance", i128::from(maintenance.0), 0..=most, "0 <= maintenance")?;
        let least = i128::from(maintenance.0);
        within("initial", i128::from(initial.0), least..=most, "maintenance <= initial")?;
        within("floor", i128::from(floor.0), 1..=most, "a volatility above zero")?;
        Ok(Self { maintenance, initial, floor })
    }

    /// The rate in this view of the market.
    pub fn rate(&self, stage: Stage, market: &MarketView) -> Result<Ppb, MathError> {
        let (multiple, cap) = match stage {
            Stage::Maintenance => (self.maintenance, ONE.saturating_sub(1)),
            Stage::Initial => (self.initial, ONE),
        };
        let volatility = i128::from(market.volatility.max(self.floor).0);
        ppb(multiple.of_units(volatility, Rounding::Up)?.min(cap))
    }
}

impl Requirement for VolatilityScaled {
    fn required(
        &self,
        stage: Stage,
        market: &MarketView,
        _: Lots,
        notional: Quanta,
    ) -> Result<Quanta, MarginError> {
        Ok(share_up(self.rate(stage, market)?, notional.get()).map(Quanta::new)?)
    }

    fn pieces(&self, stage: Stage, market: &MarketView) -> Result<Option<Pieces>, MarginError> {
        Ok(Some(Pieces::flat(self.rate(stage, market)?)))
    }

    fn reads(&self, _: Stage) -> Reads {
        Reads { open_interest: false, volatility: true }
    }
}

fn ppb(x: i128) -> Result<Ppb, MathError> {
    i64::try_from(x).map(Ppb).map_err(|_| MathError::Overflow)
}

// 1e18 fits i128
fn wad() -> i128 {
    i128::try_from(WAD).unwrap_or(i128::MAX)
}
