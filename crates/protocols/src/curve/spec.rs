//! How a file says it.

use super::{BandHealth, BandTrades, Loan, Spread, step_of};
use cofferdam_core::{AssetId, Grid, GroupId};
use cofferdam_liquidation_strategy::{LiquidationStrategy, Placement};
use cofferdam_margin_engine::MarginModel;
use cofferdam_stack::{
    ConfigError, Context, LiquidationSpec, MarginSpec, Number, PlacementSpec, Ratio, module,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A ratio as a wad.
fn wad(ctx: &Context<'_>, field: &str, ratio: Ratio) -> Result<u128, ConfigError> {
    const PER_PPB: u128 = 1_000_000_000;
    let ppb = u128::try_from(ratio.0.0).map_err(|_| ctx.refuse(field, ratio.0, "0 or more"))?;
    Ok(ppb.saturating_mul(PER_PPB)) // 63 + 30 bits
}

/// The assets of a market: what a pool lends, and another against it.
fn pair(ctx: &Context<'_>, pool: &str, collateral: &str) -> Result<(AssetId, AssetId), ConfigError> {
    let money = ctx.lent_asset("pool", ctx.pool("pool", pool)?)?;
    let asset = ctx.asset("collateral", collateral)?;
    if asset == money {
        return Err(ctx.refuse(
            "collateral",
            collateral,
            "another asset than the one lent (Curve: Same token)",
        ));
    }
    for (field, id) in [("pool", money), ("collateral", asset)] {
        let decimals = ctx.asset_terms(field, id)?.scale.decimals;
        if decimals > 18 {
            return Err(ctx.refuse(field, format!("{decimals} decimals"), "at most 18 decimals"));
        }
    }
    Ok((money, asset))
}

/// How many bands some borrowers have chosen.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChosenSpec {
    groups: Vec<u32>,
    bands: u32,
}

module! {
    "curve/bands@1" Placement breaks [];
    /// Spreads a loan's collateral evenly over price bands that begin as low as its debt allows.
    struct BandsSpec {
        /// The pool that lends.
        pool: String ["name of a lending pool"],
        /// The market's one collateral.
        collateral: String ["name of an asset"],
        /// A: a band reaches from its upper price down to (A - 1) / A of it.
        amplification: u32 ["number"],
        /// The upper price of band 0.
        base_price: Number ["price in the lent asset"],
        /// ln(A / (A - 1)) as a wad, where a deployment's differs.
        log_ratio: Option<u64> ["wad", "ln(A / (A - 1)), rounded down"],
        /// Over how many bands.
        bands: u32 ["number"],
        /// Tables with `groups` and `bands`, for borrowers who chose otherwise.
        chosen: Option<Vec<ChosenSpec>> ["list of tables", "none"],
        /// What a loan leaves of what its collateral would be sold for.
        loan_discount: Ratio ["ratio"],
    }
}

#[typetag::serde(name = "curve/bands@1")]
impl PlacementSpec for BandsSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn Placement>, ConfigError> {
        let (money, collateral) = pair(ctx, &self.pool, &self.collateral)?;
        let base = self.base_price.0.to_units(-18).ok().and_then(|x| u128::try_from(x).ok());
        let base = base
            .ok_or_else(|| ctx.refuse("base_price", self.base_price.0, "a price of at most 18 decimals"))?;
        let step = match self.log_ratio {
            Some(step) => step,
            None => step_of(self.amplification).map_err(|_| {
                ctx.refuse("amplification", self.amplification, "2 to 10000 (Curve: MIN_A, MAX_A)")
            })?,
        };
        let grid = Grid { amplification: self.amplification, step, base };
        let loan = Loan { money, collateral, discount: wad(ctx, "loan_discount", self.loan_discount)? };
        let mut chosen = BTreeMap::new();
        for (i, row) in self.chosen.iter().flatten().enumerate() {
            let place = ctx.at(&format!("chosen[{i}]"));
            for group in &row.groups {
                if chosen.insert(GroupId(*group), row.bands).is_some() {
                    return Err(place.refuse("groups", group, "each group in one list"));
                }
            }
            place.check(row, Spread::new(loan, grid, row.bands, BTreeMap::new()))?;
        }
        Ok(Box::new(ctx.check(self, Spread::new(loan, grid, self.bands, chosen))?))
    }
}

module! {
    "curve/band-health@1" Margin breaks [];
    /// What the bands of a loan come to when they are sold little by little, less a discount, against its debt.
    struct BandHealthSpec {
        /// The pool that lends.
        pool: String ["name of a lending pool"],
        /// The market's one collateral.
        collateral: String ["name of an asset"],
        /// The discount when a loan is taken, as in placement.
        loan_discount: Ratio ["ratio"],
        /// The discount below which it is liquidated.
        liquidation_discount: Ratio ["ratio"],
    }
}

#[typetag::serde(name = "curve/band-health@1")]
impl MarginSpec for BandHealthSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn MarginModel>, ConfigError> {
        let pair = pair(ctx, &self.pool, &self.collateral)?;
        let loan = wad(ctx, "loan_discount", self.loan_discount)?;
        let liquidation = wad(ctx, "liquidation_discount", self.liquidation_discount)?;
        Ok(Box::new(ctx.check(self, BandHealth::new(pair, loan, liquidation))?))
    }
}

module! {
    "curve/band-trades@1" Liquidation breaks [19 "of a loan whose health is below zero a keeper may take all over, whatever would be enough"];
    /// Lets anybody trade with a loan's bands; a keeper takes a loan over whose bands come to less than its debt.
    struct BandTradesSpec {
        /// The pool that lends.
        pool: String ["name of a lending pool"],
        /// The market's one collateral.
        collateral: String ["name of an asset"],
        /// A, as in placement: bounds the fee.
        amplification: u32 ["number"],
        /// What a trade with bands pays them, at least.
        fee: Ratio ["ratio"],
        /// The discount of a liquidation, as in margin: who takes a part of a loan over gets less by up to a half of it.
        liquidation_discount: Ratio ["ratio"],
    }
}

#[typetag::serde(name = "curve/band-trades@1")]
impl LiquidationSpec for BandTradesSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn LiquidationStrategy>, ConfigError> {
        let pair = pair(ctx, &self.pool, &self.collateral)?;
        let pool = ctx.pool("pool", &self.pool)?;
        let fee = wad(ctx, "fee", self.fee)?;
        let discount = wad(ctx, "liquidation_discount", self.liquidation_discount)?;
        Ok(Box::new(ctx.check(self, BandTrades::new(pool, pair, (fee, discount), self.amplification))?))
    }
}
