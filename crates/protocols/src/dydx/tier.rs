//! A liquidity tier: what a market of a kind requires.

use cofferdam_core::{MarketId, Ppb, Rounding};
use cofferdam_margin_engine::{Flat, OpenInterestScaled, Requirement};
use cofferdam_stack::{ConfigError, Context, Number, Ratio, RequirementSpec, module};

module! {
    "dydx/liquidity-tier@1" Requirement breaks [];
    /// Maintenance is a fraction of the initial rate; the initial rate rises with open interest, maintenance does not.
    struct LiquidityTierSpec {
        /// What opens a position in an empty market.
        initial: Ratio ["ratio"],
        /// The share of it that keeps a position open.
        maintenance_fraction: Ratio ["ratio"],
        /// Open interest from which the initial rate rises.
        open_interest_lower: Option<Number> ["amount of the settlement asset", "it never rises"],
        /// Open interest at which it is 100 %.
        open_interest_upper: Option<Number> ["amount of the settlement asset", "it never rises"],
    }
}

/// The maintenance rate of a tier: initial x fraction in whole ppm, rounded down as the venue keeps it, so the account gains.
/// `None` where both are far beyond 100 %.
#[must_use]
pub fn maintenance_rate(initial: Ppb, fraction: Ppb) -> Option<Ppb> {
    let ppm = fraction.of_units(i128::from(initial.0), Rounding::Down).ok()?;
    let rest = ppm.checked_rem(1_000)?;
    i64::try_from(ppm.checked_sub(rest)?).ok().map(Ppb)
}

/// The modules of the venue compute in one asset: refuses a stack in which a market settles in another than the numeraire.
pub(super) fn one_asset(ctx: &Context<'_>) -> Result<(), ConfigError> {
    for (id, name) in (0_u32..).zip(ctx.names().markets()) {
        let settlement = ctx.market_terms("", MarketId(id))?.settlement;
        if !ctx.asset_terms("", settlement)?.numeraire {
            let value = format!("\"{name}\" settles in another asset");
            return Err(ctx.refuse(
                "",
                value,
                "markets that settle in the numeraire, as all of the venue do",
            ));
        }
    }
    Ok(())
}

#[typetag::serde(name = "dydx/liquidity-tier@1")]
impl RequirementSpec for LiquidityTierSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn Requirement>, ConfigError> {
        let share = |r: Ratio| (0..=Ppb::ONE.0).contains(&r.0.0);
        if !share(self.initial) {
            return Err(ctx.refuse("initial", self.initial.0, "0 to 1 (LiquidityTier.Validate)"));
        }
        if !share(self.maintenance_fraction) {
            let value = self.maintenance_fraction.0;
            return Err(ctx.refuse("maintenance_fraction", value, "0 to 1 (LiquidityTier.Validate)"));
        }
        let kept = maintenance_rate(self.initial.0, self.maintenance_fraction.0).unwrap_or_default();
        let zero = Number(cofferdam_core::Decimal::from_units(0, 0));
        let lower = ctx.quanta("open_interest_lower", &self.open_interest_lower.unwrap_or(zero))?;
        let upper = ctx.quanta("open_interest_upper", &self.open_interest_upper.unwrap_or(zero))?;
        if lower > upper {
            let value = self.open_interest_lower.unwrap_or(zero).0;
            return Err(ctx.refuse(
                "open_interest_lower",
                value,
                "no more than the upper (LiquidityTier.Validate)",
            ));
        }
        if upper.is_zero() {
            return Ok(Box::new(ctx.check(self, Flat::new(kept, self.initial.0))?));
        }
        Ok(Box::new(ctx.check(self, OpenInterestScaled::new(kept, self.initial.0, lower, upper))?))
    }
}
