//! What a position must be backed with: a factor of its size, which open interest raises for who opens, and never less than a dollar.
//!
//! Source: `PositionUtils.isPositionLiquidatable` and `willPositionCollateralBeSufficient` (contracts/position).

use cofferdam_core::{Lots, MarketView, MathError, Ppb, Quanta, Rounding, wide};
use cofferdam_margin_engine::{MarginError, Pieces, Reads, Requirement, Stage, TermsError};
use cofferdam_stack::{ConfigError, Context, Number, Ratio, RequirementSpec, module};

const UNIT: i128 = 1_000_000_000_000_000_000;

/// maintenance = max(factor, least); initial = max(max(factor, open interest x multiplier), least). Rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollateralFactor {
    maintenance: Ppb,
    initial: Ppb,
    multiplier: i128,
    least: Quanta,
    quanta_per_unit: i128,
}

fn refuse<T>(field: &'static str, value: i128, accepted: &'static str) -> Result<T, TermsError> {
    Err(TermsError::Parameter { field, value, accepted })
}

impl CollateralFactor {
    /// Factors above zero and at most 100 %, maintenance not above initial; `multiplier` in 1e-18 per unit of the numeraire of open
    /// interest; `least` in quanta, `quanta_per_unit` of which are one unit.
    pub fn new(
        maintenance: Ppb,
        initial: Ppb,
        multiplier: i128,
        least: Quanta,
        quanta_per_unit: i128,
    ) -> Result<Self, TermsError> {
        if maintenance <= Ppb::ZERO || maintenance >= Ppb::ONE {
            return refuse("maintenance", maintenance.0.into(), "above 0 and below 1");
        }
        if initial < maintenance || initial > Ppb::ONE {
            return refuse(
                "initial",
                initial.0.into(),
                "maintenance to 1: the venue's factors are at most 100 %",
            );
        }
        if !(0..=UNIT).contains(&multiplier) {
            return refuse("multiplier", multiplier, "0 to 1 per unit of open interest");
        }
        if least.is_negative() {
            return refuse("least", least.get(), "0 or more");
        }
        if quanta_per_unit <= 0 {
            return refuse("quanta_per_unit", quanta_per_unit, "above 0");
        }
        Ok(Self { maintenance, initial, multiplier, least, quanta_per_unit })
    }

    /// The factor in this view of the market: open interest is the long side at the upper end of the mark.
    pub fn factor(&self, stage: Stage, market: &MarketView) -> Result<Ppb, MathError> {
        if stage == Stage::Maintenance {
            return Ok(self.maintenance);
        }
        let interest = market.scale.absolute_notional(market.open_interest, market.mark.high)?;
        // quanta x 1e-18 / quanta per unit, in 1e-9
        let divisor = self.quanta_per_unit.checked_mul(1_000_000_000).ok_or(MathError::Overflow)?;
        let scaled = wide::mul_div(interest.get(), self.multiplier, divisor, Rounding::Up)?;
        let scaled = i64::try_from(scaled).unwrap_or(i64::MAX).min(Ppb::ONE.0); // at most 100 %
        Ok(Ppb(scaled.max(self.initial.0)))
    }
}

impl Requirement for CollateralFactor {
    fn required(
        &self,
        stage: Stage,
        market: &MarketView,
        _: Lots,
        notional: Quanta,
    ) -> Result<Quanta, MarginError> {
        Ok(self.factor(stage, market)?.of(notional, Rounding::Up)?.max(self.least))
    }

    fn pieces(&self, _: Stage, _: &MarketView) -> Result<Option<Pieces>, MarginError> {
        Ok(None) // a least requirement is no share of the notional
    }

    fn reads(&self, stage: Stage) -> Reads {
        Reads { open_interest: stage == Stage::Initial, volatility: false }
    }
}

module! {
    "gmx/collateral-factor@1" Requirement breaks [];
    /// GMX v2: a factor of the size, raised by open interest for who opens, and never less than a dollar.
    struct CollateralFactorSpec {
        /// The venue's `minCollateralFactorForLiquidation`.
        maintenance: Ratio ["ratio"],
        /// The venue's `minCollateralFactor`.
        initial: Ratio ["ratio"],
        /// The venue's `minCollateralFactorForOpenInterestMultiplier`: what a unit of open interest adds, in steps of 1e-18.
        multiplier: Option<Number> ["ratio per unit of the numeraire", "0"],
        /// The venue's `MIN_COLLATERAL_USD`.
        least: Option<Number> ["amount of the settlement asset", "1"],
    }
}

#[typetag::serde(name = "gmx/collateral-factor@1")]
impl RequirementSpec for CollateralFactorSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn Requirement>, ConfigError> {
        let one = Number(cofferdam_core::Decimal::from_units(1, 0));
        let unit = ctx.quanta("least", &one)?.get();
        let least = ctx.quanta("least", &self.least.unwrap_or(one))?;
        let multiplier = self.multiplier.map_or(Ok(0), |x| {
            x.0.to_units(-18).map_err(|e| ctx.refuse("multiplier", x.0, format!("a multiple of 1e-18: {e}")))
        })?;
        let built = CollateralFactor::new(self.maintenance.0, self.initial.0, multiplier, least, unit);
        Ok(Box::new(ctx.check(self, built)?))
    }
}
