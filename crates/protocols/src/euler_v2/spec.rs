//! How a file says it.

use super::{Liquidate, LiquidateTerms, Ramp, Threshold};
use cofferdam_core::{Millis, Quanta};
use cofferdam_liquidation_strategy::LiquidationStrategy;
use cofferdam_stack::{ConfigError, Context, LiquidationSpec, Number, Ratio, module};
use serde::{Deserialize, Serialize};

/// A collateral and its threshold.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CollateralSpec {
    asset: String,
    threshold: Ratio,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ramp: Option<RampSpec>,
}

/// Where a threshold comes from.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RampSpec {
    from: Ratio,
    ends_ms: u64,
    duration_ms: u64,
}

module! {
    "euler-v2/liquidate@1" Liquidation breaks [18 "of several collaterals a keeper may take the one that counts most"];
    /// A keeper repays debt at a discount that grows as health falls.
    struct LiquidateSpec {
        /// The vault that lends.
        pool: String ["name of a lending pool"],
        /// Tables with `asset`, `threshold` (as in margin) and `ramp`: `from`, `ends_ms` and `duration_ms`.
        collaterals: Vec<CollateralSpec> ["list of tables"],
        /// The largest discount.
        discount_max: Ratio ["ratio"],
        /// Whether what is owed when no collateral is left is written off.
        socialise: Option<bool> ["boolean", "true"],
        /// Less than this is never written off.
        socialise_min: Option<Number> ["amount of the numeraire", "0"],
    }
}

/// A ratio in units of 1e-4.
fn parts(ctx: &Context<'_>, field: &str, ratio: Ratio) -> Result<u32, ConfigError> {
    const PPB: i64 = 100_000;
    let (whole, rest) = (ratio.0.0.checked_div(PPB), ratio.0.0.checked_rem(PPB));
    match (whole.map(u32::try_from), rest) {
        (Some(Ok(parts)), Some(0)) => Ok(parts),
        _ => Err(ctx.refuse(
            field,
            ratio.0,
            "four decimals from 0 (Euler: amounts of configuration have them)",
        )),
    }
}

#[typetag::serde(name = "euler-v2/liquidate@1")]
impl LiquidationSpec for LiquidateSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn LiquidationStrategy>, ConfigError> {
        let pool = ctx.pool("pool", &self.pool)?;
        let mut terms = LiquidateTerms {
            pool,
            loan: ctx.lent_asset("pool", pool)?,
            collaterals: Vec::new(),
            discount_max: parts(ctx, "discount_max", self.discount_max)?,
            socialise: self.socialise.unwrap_or(true),
            socialise_min: self
                .socialise_min
                .map_or(Ok(Quanta::ZERO), |x| ctx.quanta("socialise_min", &x))?,
        };
        ctx.check(self, Liquidate::new(terms.clone()))?;
        for (i, c) in self.collaterals.iter().enumerate() {
            let place = ctx.at(&format!("collaterals[{i}]"));
            let ramp = match c.ramp {
                Some(r) => Some(Ramp {
                    from: parts(&place.at("ramp"), "from", r.from)?,
                    ends: Millis(r.ends_ms),
                    duration: Millis(r.duration_ms),
                }),
                None => None,
            };
            let threshold = Threshold { target: parts(&place, "threshold", c.threshold)?, ramp };
            terms.collaterals.push((place.asset("asset", &c.asset)?, threshold));
            place.check(c, Liquidate::new(terms.clone()))?; // row by row, so that a refusal names the row
        }
        Ok(Box::new(ctx.check(self, Liquidate::new(terms))?))
    }
}
