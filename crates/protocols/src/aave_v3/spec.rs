//! How a file says it.

use super::{Category, LiquidationCall, LiquidationCallTerms, Reserve, percent::WHOLE_BPS};
use cofferdam_core::{AssetId, GroupId};
use cofferdam_liquidation_strategy::LiquidationStrategy;
use cofferdam_stack::{ConfigError, Context, LiquidationSpec, Number, Ratio, module};
use serde::{Deserialize, Serialize};

/// A collateral and its terms.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReserveSpec {
    asset: String,
    threshold: Ratio,
    bonus: Ratio,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fee: Option<Ratio>,
}

/// An efficiency mode and who chose it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CategorySpec {
    groups: Vec<u32>,
    assets: Vec<String>,
    threshold: Ratio,
    bonus: Ratio,
}

module! {
    "aave-v3/liquidation-call@1" Liquidation breaks [18 "of several collaterals a keeper may take the one that counts most"];
    /// A keeper repays debt for collateral with a bonus, rounded as Aave v3.7 does.
    struct LiquidationCallSpec {
        /// The pools that lend.
        pools: Vec<String> ["names of lending pools"],
        /// Tables with `asset`, `threshold` (as in margin), `bonus` (0.05: 5 % more than repaid) and `fee` (share of the bonus).
        reserves: Vec<ReserveSpec> ["list of tables"],
        /// Efficiency modes: tables with `groups`, `assets`, `threshold` and `bonus`.
        categories: Option<Vec<CategorySpec>> ["list of tables", "none"],
        /// Below this in debt or collateral all may be repaid; half of it is the least that a partial call leaves.
        close_all_below: Number ["amount of the numeraire"],
    }
}

/// A ratio as whole basis points.
fn bps(ctx: &Context<'_>, field: &str, ratio: Ratio) -> Result<u32, ConfigError> {
    const PPB_PER_BP: i64 = 100_000;
    let (whole, rest) = (ratio.0.0.checked_div(PPB_PER_BP), ratio.0.0.checked_rem(PPB_PER_BP));
    match (whole.map(u32::try_from), rest) {
        (Some(Ok(bps)), Some(0)) => Ok(bps),
        _ => {
            Err(ctx.refuse(field, ratio.0, "whole basis points from 0 (Aave: percentages have two decimals)"))
        }
    }
}

impl LiquidationCallSpec {
    fn terms(&self, ctx: &Context<'_>) -> Result<LiquidationCallTerms, ConfigError> {
        let mut pools = Vec::new();
        for name in &self.pools {
            let pool = ctx.pool("pools", name)?;
            pools.push((ctx.lent_asset("pools", pool)?, pool));
        }
        let close_all_below = ctx.quanta("close_all_below", &self.close_all_below)?;
        let mut terms =
            LiquidationCallTerms { pools, reserves: Vec::new(), categories: Vec::new(), close_all_below };
        for (i, r) in self.reserves.iter().enumerate() {
            let place = ctx.at(&format!("reserves[{i}]"));
            let reserve = Reserve {
                asset: place.asset("asset", &r.asset)?,
                threshold_bps: bps(&place, "threshold", r.threshold)?,
                bonus_bps: bps(&place, "bonus", r.bonus)?.saturating_add(WHOLE_BPS),
                fee_bps: r.fee.map_or(Ok(0), |fee| bps(&place, "fee", fee))?,
            };
            terms.reserves.push(reserve);
            place.check(r, terms.check())?; // row by row, so that a refusal names the row
        }
        for (i, c) in self.categories.iter().flatten().enumerate() {
            let place = ctx.at(&format!("categories[{i}]"));
            let assets: Result<Vec<AssetId>, _> = c.assets.iter().map(|a| place.asset("assets", a)).collect();
            let category = Category {
                groups: c.groups.iter().map(|g| GroupId(*g)).collect(),
                assets: assets?,
                threshold_bps: bps(&place, "threshold", c.threshold)?,
                bonus_bps: bps(&place, "bonus", c.bonus)?.saturating_add(WHOLE_BPS),
            };
            terms.categories.push(category);
            place.check(c, terms.check())?;
        }
        Ok(terms)
    }
}

#[typetag::serde(name = "aave-v3/liquidation-call@1")]
impl LiquidationSpec for LiquidationCallSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn LiquidationStrategy>, ConfigError> {
        let terms = self.terms(ctx)?;
        Ok(Box::new(ctx.check(self, LiquidationCall::new(terms))?))
    }
}
