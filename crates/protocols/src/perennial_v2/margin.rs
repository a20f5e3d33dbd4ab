//! What a position must be backed with: a share of its notional, and no less than a fixed amount.
//!
//! Source: `PositionLib.maintenance` and `margin`, packages/core/contracts/types/Position.sol, and the validation of types/RiskParameter.sol.

use cofferdam_core::{Lots, MarketView, MathError, Ppb, Quanta, Rounding};
use cofferdam_margin_engine::{MarginError, Pieces, Reads, Requirement, Stage, TermsError};
use cofferdam_stack::{ConfigError, Context, Number, Ratio, RequirementSpec, Subject, module};

/// max(notional x ratio, least), rounded up once; nothing where there is no position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlooredMargin {
    maintenance: (Ppb, Quanta),
    margin: (Ppb, Quanta),
}

fn check(ok: bool, field: &'static str, value: i128, accepted: &'static str) -> Result<(), TermsError> {
    if ok { Ok(()) } else { Err(TermsError::Parameter { field, value, accepted }) }
}

impl FlooredMargin {
    /// Ratio and least amount of each. The maintenance ratio is at least 0.000001 (the smallest that the venue's own tests let a protocol
    /// demand) and below one (the venue takes one as well, at which nothing can be held), margin is not below it and at most one; the least
    /// amounts are not negative, and that of margin is not below that of maintenance.
    ///
    /// # Errors
    ///
    /// The field and its value.
    pub fn new(maintenance: (Ppb, Quanta), margin: (Ppb, Quanta)) -> Result<Self, TermsError> {
        let (keep, open) = (maintenance.0.0, margin.0.0);
        check((1_000..Ppb::ONE.0).contains(&keep), "maintenance", keep.into(), "0.000001 to below 1")?;
        let accepted = "not below maintenance, at most 1";
        check((keep..=Ppb::ONE.0).contains(&open), "margin", open.into(), accepted)?;
        check(!maintenance.1.is_negative(), "min_maintenance", maintenance.1.get(), "0 or more")?;
        check(margin.1 >= maintenance.1, "min_margin", margin.1.get(), "not below min_maintenance")?;
        Ok(Self { maintenance, margin })
    }

    /// What so many lots of this value need.
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn of(&self, stage: Stage, lots: Lots, notional: Quanta) -> Result<Quanta, MathError> {
        if lots.is_zero() {
            return Ok(Quanta::ZERO);
        }
        let (ratio, least) = match stage {
            Stage::Maintenance => self.maintenance,
            Stage::Initial => self.margin,
        };
        Ok(ratio.of(notional, Rounding::Up)?.max(least))
    }
}

impl Requirement for FlooredMargin {
    fn required(
        &self,
        stage: Stage,
        _: &MarketView,
        lots: Lots,
        notional: Quanta,
    ) -> Result<Quanta, MarginError> {
        Ok(self.of(stage, lots, notional)?)
    }

    fn pieces(&self, _: Stage, _: &MarketView) -> Result<Option<Pieces>, MarginError> {
        Ok(None) // the first piece of a sweep has nothing fixed
    }

    fn reads(&self, _: Stage) -> Reads {
        Reads::default()
    }
}

module! {
    "perennial/floored-margin@1" Requirement breaks [];
    /// Perennial v2: a share of the notional, and no less than a fixed amount.
    struct FlooredMarginSpec {
        /// The venue's `maintenance`.
        maintenance: Ratio ["ratio"],
        /// The venue's `margin`.
        margin: Ratio ["ratio"],
        /// The venue's `minMaintenance`.
        min_maintenance: Number ["amount of the settlement asset"],
        /// The venue's `minMargin`.
        min_margin: Number ["amount of the settlement asset"],
    }
}

impl FlooredMarginSpec {
    fn least(ctx: &Context<'_>, field: &str, x: &Number) -> Result<Quanta, ConfigError> {
        let accepted = "below 2^48 units of 1e-6, as the venue stores it";
        match x.0.to_units(-6) {
            Ok(units) if units < 1 << 48 => ctx.quanta(field, x),
            _ => Err(ctx.refuse(field, x.0, accepted)),
        }
    }
}

#[typetag::serde(name = "perennial/floored-margin@1")]
impl RequirementSpec for FlooredMarginSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn Requirement>, ConfigError> {
        let Subject::Market(_) = ctx.subject() else {
            return Err(ctx.refuse("", "a requirement of no market", "a requirement within margin.markets"));
        };
        let keep = (self.maintenance.0, Self::least(ctx, "min_maintenance", &self.min_maintenance)?);
        let open = (self.margin.0, Self::least(ctx, "min_margin", &self.min_margin)?);
        Ok(Box::new(ctx.check(self, FlooredMargin::new(keep, open))?))
    }
}
