//! Pools: the lending side of an asset, and the one that takes the other side of trades.

use super::{PoolSpec, module};
use crate::{ConfigError, Context, Number, PoolFloor, PoolKind, Ratio};
use cofferdam_core::Ppb;
use cofferdam_market::{ConstantProduct, ConstantProductParams};
use serde::{Deserialize, Serialize};

/// What all borrowers of a pool together have to keep.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FloorSpec {
    collateral: String,
    ratio: Ratio,
}

module! {
    "cofferdam/lending-pool@1" Pool breaks [];
    /// Lends an asset; owners of its shares bear its losses.
    struct LendingPoolSpec {
        /// What it lends.
        asset: String ["name of an asset"],
        /// A table with `collateral` and `ratio`: what all borrowers together have to keep, by value.
        floor: Option<FloorSpec> ["table", "none"],
        /// The collateral whose price the suppliers' own offers make: no other price is read for it.
        priced: Option<String> ["name of an asset", "none"],
    }
}

#[typetag::serde(name = "cofferdam/lending-pool@1")]
impl PoolSpec for LendingPoolSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<PoolKind, ConfigError> {
        let asset = ctx.asset("asset", &self.asset)?;
        let floor = match &self.floor {
            Some(floor) => Some(PoolFloor {
                collateral: ctx.asset("floor.collateral", &floor.collateral)?,
                ratio: floor.ratio.0,
            }),
            None => None,
        };
        if let Some(f) = floor
            && (f.ratio < Ppb::ONE || f.collateral == asset)
        {
            return Err(ctx.refuse("floor.ratio", f.ratio, "1 or more, of another asset than is lent"));
        }
        let priced = self.priced.as_ref().map(|name| ctx.asset("priced", name)).transpose()?;
        if priced == Some(asset) {
            return Err(ctx.refuse("priced", asset, "another asset than is lent"));
        }
        Ok(PoolKind::Lending { asset, floor, priced })
    }
}

module! {
    "cofferdam/offset-pool@1" Pool breaks [];
    /// Pays debts off when they are liquidated, out of what its depositors put in, and gives them the collateral.
    struct OffsetPoolSpec {
        /// What it pays with.
        asset: String ["name of an asset"],
        /// What its depositors gain.
        gains: String ["name of an asset"],
    }
}

#[typetag::serde(name = "cofferdam/offset-pool@1")]
impl PoolSpec for OffsetPoolSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<PoolKind, ConfigError> {
        let (asset, gains) = (ctx.asset("asset", &self.asset)?, ctx.asset("gains", &self.gains)?);
        if asset == gains {
            return Err(ctx.refuse("gains", &self.gains, "another asset than it pays with"));
        }
        Ok(PoolKind::Offset { asset, gains })
    }
}

module! {
    "cofferdam/constant-product@1" Pool breaks [];
    /// Fills trades along a virtual constant product around the mark, with a fee on what skews it.
    struct ConstantProductSpec {
        /// Where it trades.
        market: String ["name of a market"],
        /// Virtual reserve at an empty inventory.
        depth: Number ["size in the market's base asset"],
        /// The largest inventory of either sign, below `depth`.
        inventory_max: Number ["size in the market's base asset"],
        /// Fee on the traded notional.
        fee: Ratio ["ratio"],
        /// Marginal fee for adding to a full inventory.
        skew_fee: Option<Ratio> ["ratio", "0"],
        /// How much of the skew fee is paid back to who reduces the inventory.
        rebate: Option<Ratio> ["ratio", "0"],
        /// What part of `fee` goes to the house.
        house_share: Option<Ratio> ["ratio", "0"],
    }
}

#[typetag::serde(name = "cofferdam/constant-product@1")]
impl PoolSpec for ConstantProductSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<PoolKind, ConfigError> {
        let market = ctx.market("market", &self.market)?;
        let zero = |x: Option<Ratio>| x.map_or(Ppb::ZERO, |r| r.0);
        let params = ConstantProductParams {
            depth: ctx.lots("depth", market, &self.depth)?,
            inventory_max: ctx.lots("inventory_max", market, &self.inventory_max)?,
            fee: self.fee.0,
            skew_fee: zero(self.skew_fee),
            rebate: zero(self.rebate),
            house_share: zero(self.house_share),
            quanta_per_atom: ctx.quanta_per_atom("market", market)?,
        };
        let pricing = Box::new(ctx.check(self, ConstantProduct::new(params))?);
        Ok(PoolKind::Trading { market, pricing })
    }
}
