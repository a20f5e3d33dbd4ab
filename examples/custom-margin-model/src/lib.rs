//! A requirement that grows with the time a position takes to sell.
//!
//! rate = base x sqrt(max(1, |lots| / lots per day)), at most 100 %. A loss over a holding period scales with the square root
//! of the period; what cannot be sold in a day is held longer. Source: Basel Committee, MAR33.5 (expected shortfall
//! scaled by the square root of the liquidity horizon).

use cofferdam_core::{Lots, MarketView, MathError, Ppb, Quanta, Rounding, sqrt_wad, wide};
use cofferdam_margin_engine::{MarginError, Pieces, Reads, Requirement, Stage, TermsError};

/// Days are counted in millionths: the unit in which the square root is taken.
const DAY: u128 = 1_000_000;
/// sqrt(one day) as a wad: sqrt(1e6) x 1e18.
const ROOT_OF_A_DAY: i128 = 1_000_000_000_000_000_000_000;

/// The requirement: a base rate at each stage, for a position that one day can sell.
///
/// ```
/// use acme_liquidity_horizon::LiquidityHorizon;
/// use cofferdam_core::{Lots, Ppb};
/// use cofferdam_margin_engine::Stage;
/// // 3 % and 5 % of the notional; the market takes 100,000 lots a day
/// let rule = LiquidityHorizon::new(Ppb(30_000_000), Ppb(50_000_000), Lots::new(100_000))?;
/// assert_eq!(rule.rate(Stage::Maintenance, Lots::new(-40_000)), Ok(Ppb(30_000_000)));
/// assert_eq!(rule.rate(Stage::Maintenance, Lots::new(400_000)), Ok(Ppb(60_000_000))); // four days: twice the rate
/// # Ok::<(), cofferdam_margin_engine::TermsError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiquidityHorizon {
    maintenance: Ppb,
    initial: Ppb,
    lots_per_day: Lots,
}

impl LiquidityHorizon {
    /// 0 <= `maintenance` < 100 %, `maintenance` <= `initial` <= 100 %, `lots_per_day` (what the market takes in a day without
    /// moving) at least one. An error names the field, its value and what is accepted.
    pub fn new(maintenance: Ppb, initial: Ppb, lots_per_day: Lots) -> Result<Self, TermsError> {
        let refuse = |field, value, accepted| Err(TermsError::Parameter { field, value, accepted });
        if !(Ppb::ZERO..Ppb::ONE).contains(&maintenance) {
            return refuse("maintenance", i128::from(maintenance.0), "0 <= maintenance < 1e9 ppb (100 %)");
        }
        if !(maintenance..=Ppb::ONE).contains(&initial) {
            return refuse("initial", i128::from(initial.0), "maintenance <= initial <= 1e9 ppb (100 %)");
        }
        if lots_per_day.get() < 1 {
            return refuse("lots_per_day", i128::from(lots_per_day.get()), "at least one lot");
        }
        Ok(Self { maintenance, initial, lots_per_day })
    }

    /// The rate of a position of so many lots, rounded up at each step: the house gains. Maintenance stays below 100 %, so
    /// that a fall in price always costs more than it frees.
    pub fn rate(&self, stage: Stage, lots: Lots) -> Result<Ppb, MathError> {
        let (base, cap) = match stage {
            Stage::Maintenance => (self.maintenance, Ppb(Ppb::ONE.0 - 1)),
            Stage::Initial => (self.initial, Ppb::ONE),
        };
        let held = u128::from(lots.get().unsigned_abs());
        let per_day = u128::from(self.lots_per_day.get().unsigned_abs());
        let days = wide::mul_div_unsigned(held, DAY, per_day, true)?.max(DAY);
        let root = i128::try_from(sqrt_wad(days, Rounding::Up)?).map_err(|_| MathError::Overflow)?;
        let scaled = wide::mul_div(i128::from(base.0), root, ROOT_OF_A_DAY, Rounding::Up)?;
        Ok(i64::try_from(scaled).map_or(cap, |rate| Ppb(rate).min(cap)))
    }
}

impl Requirement for LiquidityHorizon {
    // ceil(rate x notional)
    fn required(
        &self,
        stage: Stage,
        _: &MarketView,
        lots: Lots,
        notional: Quanta,
    ) -> Result<Quanta, MarginError> {
        Ok(self.rate(stage, lots)?.of(notional, Rounding::Up)?)
    }

    // The rate depends on the lots, not on the notional alone: there are no pieces, and a sweep asks `required` instead.
    fn pieces(&self, _: Stage, _: &MarketView) -> Result<Option<Pieces>, MarginError> {
        Ok(None)
    }

    // Neither open interest nor volatility: only a position's own size and price move its requirement.
    fn reads(&self, _: Stage) -> Reads {
        Reads::default()
    }
}
