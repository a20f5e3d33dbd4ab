//! What a position must be backed with: a rate that grows with size over the scale of the skew, and a fixed amount per position.
//!
//! Source: `PerpsMarketConfiguration.calculateRequiredMargins`, markets/perps-market/contracts/storage. The liquidation reward that the
//! venue adds to maintenance is not part of it.

use cofferdam_core::{Lots, MarketView, MathError, Ppb, Quanta, Rounding, wide};
use cofferdam_margin_engine::{MarginError, Pieces, Reads, Requirement, Stage, TermsError};
use cofferdam_stack::{ConfigError, Context, Number, Ratio, RequirementSpec, Subject, module};

const ONE: i128 = 1_000_000_000;

/// initial = notional x (size / scale x ratio + minimum) + least; maintenance the same with the rate times the scalar. Rounded up once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkewMargin {
    scale: Lots,
    ratio: i128,
    minimum: Ppb,
    scalar: Ppb,
    least: Quanta,
}

fn check(ok: bool, field: &'static str, value: i128, accepted: &'static str) -> Result<(), TermsError> {
    if ok { Ok(()) } else { Err(TermsError::Parameter { field, value, accepted }) }
}

impl SkewMargin {
    /// Scale in lots, above zero; `ratio` in 1e-9 and at most 1000 (it may exceed one: it is multiplied by size over scale); `minimum`
    /// between zero and one; `scalar` above zero and at most one; `least` not negative.
    pub fn new(
        scale: Lots,
        ratio: i128,
        minimum: Ppb,
        scalar: Ppb,
        least: Quanta,
    ) -> Result<Self, TermsError> {
        check(scale > Lots::ZERO, "skew_scale", scale.get().into(), "above 0")?;
        check((0..=1_000_000_000_000).contains(&ratio), "initial_ratio", ratio, "0 to 1000")?;
        check((0..=Ppb::ONE.0).contains(&minimum.0), "minimum_ratio", minimum.0.into(), "0 to 1")?;
        let accepted = "above 0 and at most 1: maintenance is not above initial";
        check((1..=Ppb::ONE.0).contains(&scalar.0), "maintenance_scalar", scalar.0.into(), accepted)?;
        check(!least.is_negative(), "least", least.get(), "0 or more")?;
        Ok(Self { scale, ratio, minimum, scalar, least })
    }

    /// What so many lots of this value need.
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn margin(&self, stage: Stage, lots: Lots, notional: Quanta) -> Result<Quanta, MathError> {
        let times = |a: i128, b: i128| a.checked_mul(b).ok_or(MathError::Overflow);
        let grown = times(lots.try_abs()?.get().into(), self.ratio)?;
        let fixed = times(self.scale.get().into(), self.minimum.0.into())?;
        let rate = grown.checked_add(fixed).ok_or(MathError::Overflow)?;
        let scalar = if stage == Stage::Maintenance { self.scalar } else { Ppb::ONE };
        let divisor = times(times(self.scale.get().into(), ONE)?, ONE)?;
        let share = wide::mul_div(notional.get(), times(rate, scalar.0.into())?, divisor, Rounding::Up)?;
        Quanta::new(share).try_add(self.least)
    }
}

impl Requirement for SkewMargin {
    fn required(
        &self,
        stage: Stage,
        _: &MarketView,
        lots: Lots,
        notional: Quanta,
    ) -> Result<Quanta, MarginError> {
        Ok(self.margin(stage, lots, notional)?)
    }

    fn pieces(&self, _: Stage, _: &MarketView) -> Result<Option<Pieces>, MarginError> {
        Ok(None) // grows with the square of the size
    }

    fn reads(&self, _: Stage) -> Reads {
        Reads::default()
    }
}

module! {
    "synthetix/skew-margin@1" Requirement breaks [6 "splitting a position over accounts lowers what is required in all"];
    /// Synthetix v3: a rate that grows with size over the scale of the skew.
    struct SkewMarginSpec {
        /// The venue's `skewScale`.
        skew_scale: Number ["size in the market's base asset"],
        /// The venue's `initialMarginRatio`, which may exceed one, in steps of 1e-9.
        initial_ratio: Number ["number"],
        /// The venue's `minimumInitialMarginRatio`.
        minimum_ratio: Ratio ["ratio"],
        /// The venue's `maintenanceMarginScalar`.
        maintenance_scalar: Ratio ["ratio"],
        /// The venue's `minimumPositionMargin`.
        least: Option<Number> ["amount of the settlement asset", "0"],
    }
}

#[typetag::serde(name = "synthetix/skew-margin@1")]
impl RequirementSpec for SkewMarginSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn Requirement>, ConfigError> {
        let Subject::Market(market) = ctx.subject() else {
            return Err(ctx.refuse("", "a requirement of no market", "a requirement within margin.markets"));
        };
        let scale = ctx.lots("skew_scale", market, &self.skew_scale)?;
        let ratio = self.initial_ratio.0.to_units(-9).map_err(|e| {
            ctx.refuse("initial_ratio", self.initial_ratio.0, format!("a multiple of 1e-9: {e}"))
        })?;
        let least = self.least.map_or(Ok(Quanta::ZERO), |x| ctx.quanta("least", &x))?;
        let built = SkewMargin::new(scale, ratio, self.minimum_ratio.0, self.maintenance_scalar.0, least);
        Ok(Box::new(ctx.check(self, built)?))
    }
}
