//! How a file says it.

use super::{LiquidateAccount, Perp, Spot, Spread, SpreadHealth, Terms, Weights};
use cofferdam_core::{AssetId, Millis, Ppb};
use cofferdam_liquidation_strategy::LiquidationStrategy;
use cofferdam_margin_engine::MarginModel;
use cofferdam_stack::{ConfigError, Context, LiquidationSpec, MarginSpec, Ratio, module};
use serde::{Deserialize, Serialize};

/// Weights of an asset or a market.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HealthRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asset: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    market: Option<String>,
    long_initial: Ratio,
    long_maintenance: Ratio,
    short_initial: Ratio,
    short_maintenance: Ratio,
}

/// Maintenance weights of an asset, with the pool that lends it, or of a market.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ProductRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asset: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pool: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    market: Option<String>,
    long: Ratio,
    short: Ratio,
}

/// An asset and its perpetual.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SpreadRow {
    asset: String,
    market: String,
}

fn quote(ctx: &Context<'_>, name: &str) -> Result<AssetId, ConfigError> {
    let id = ctx.asset("quote", name)?;
    if ctx.asset_terms("quote", id)?.numeraire {
        return Ok(id);
    }
    Err(ctx.refuse("quote", name, "the numeraire"))
}

/// One product, by what a row names.
fn product(
    ctx: &Context<'_>,
    (asset, market): (Option<&str>, Option<&str>),
    pool: Option<&str>,
    weights: Weights,
    to: (&mut Vec<Spot>, &mut Vec<Perp>),
) -> Result<(), ConfigError> {
    match (asset, market) {
        (Some(asset), None) => {
            let asset = ctx.asset("asset", asset)?;
            if to.0.iter().any(|s| s.asset == asset) {
                return Err(ctx.refuse("asset", "named again", "each product once"));
            }
            let pool = pool.map(|p| ctx.pool("pool", p)).transpose()?;
            if let Some(pool) = pool
                && ctx.lent_asset("pool", pool)? != asset
            {
                return Err(ctx.refuse("pool", "a pool of another asset", "the pool that lends this asset"));
            }
            to.0.push(Spot { asset, pool, weights });
        }
        (None, Some(market)) if pool.is_none() => {
            let id = ctx.market("market", market)?;
            if to.1.iter().any(|p| p.market == id) {
                return Err(ctx.refuse("market", "named again", "each product once"));
            }
            let settled = ctx.market_terms("market", id)?.settlement;
            if !ctx.asset_terms("market", settled)?.numeraire {
                return Err(ctx.refuse("market", market, "a market that settles in the numeraire"));
            }
            to.1.push(Perp { market: id, weights });
        }
        _ => {
            return Err(ctx.refuse(
                "",
                "a row of both or of neither",
                "an asset, or a market without a pool",
            ));
        }
    }
    Ok(())
}

fn spreads(ctx: &Context<'_>, rows: &[SpreadRow]) -> Result<Vec<Spread>, ConfigError> {
    let mut all: Vec<Spread> = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        let place = ctx.at(&format!("spreads[{i}]"));
        let (spot, market) = (place.asset("asset", &row.asset)?, place.market("market", &row.market)?);
        if all.iter().any(|s| s.spot == spot || s.market == market) {
            return Err(place.refuse("asset", "named again", "each asset and market in one spread"));
        }
        let lot = place.market_terms("market", market)?.lot_exponent;
        let decimals = place.asset_terms("asset", spot)?.scale.decimals;
        let places = u32::try_from(lot.saturating_add(decimals.into())).ok();
        let Some(atoms) = places.and_then(|p| 10_i128.checked_pow(p)) else {
            return Err(place.refuse("market", &row.market, "lots of at least one atom of the asset"));
        };
        all.push(Spread { spot, market, atoms });
    }
    Ok(all)
}

module! {
    "vertex/health@1" Margin breaks [
        11 "closing one side of a spread takes back what netting gave: health falls though a position is reduced"
    ];
    /// Vertex: every amount times its weight times its price; an asset against its perpetual at a fifth of the penalty.
    struct SpreadHealthSpec {
        /// What everything is paid in: the numeraire.
        quote: String ["name of an asset"],
        /// Tables with `asset` or `market`, and `long_initial`, `long_maintenance`, `short_initial` and `short_maintenance`.
        products: Vec<HealthRow> ["list of tables"],
        /// Tables with `asset` and `market`: which net.
        spreads: Option<Vec<SpreadRow>> ["list of tables", "none"],
    }
}

#[typetag::serde(name = "vertex/health@1")]
impl MarginSpec for SpreadHealthSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn MarginModel>, ConfigError> {
        let quote = quote(ctx, &self.quote)?;
        let (mut spots, mut perps) = (Vec::new(), Vec::new());
        for (i, row) in self.products.iter().enumerate() {
            let place = ctx.at(&format!("products[{i}]"));
            let weights = Weights {
                long_initial: row.long_initial.0,
                long_maintenance: row.long_maintenance.0,
                short_initial: row.short_initial.0,
                short_maintenance: row.short_maintenance.0,
            };
            place.check(row, weights.check())?;
            let names = (row.asset.as_deref(), row.market.as_deref());
            product(&place, names, None, weights, (&mut spots, &mut perps))?;
        }
        let known = ctx.names().markets().len();
        if perps.len() != known {
            let accepted = "a table for every market";
            return Err(ctx.refuse("products", format!("{} of {known} markets", perps.len()), accepted));
        }
        let spreads = spreads(ctx, self.spreads.as_deref().unwrap_or_default())?;
        Ok(Box::new(ctx.check(self, SpreadHealth::new(quote, &spots, &perps, &spreads))?))
    }
}

module! {
    "vertex/liquidate-subaccount@1" Liquidation breaks [
        23 "who owes a loan and has nothing goes on owing it while insurance could pay a liquidator who buys it back"
    ];
    /// Vertex: liquidators buy assets and positions, then what is owed, up to an initial health of zero.
    struct LiquidateAccountSpec {
        /// What everything is paid in: the numeraire.
        quote: String ["name of an asset"],
        /// Who gets half of what a liquidator gains.
        insurance: String ["name of a layer"],
        /// Tables with `asset` (and the `pool` that lends it) or `market`, and the maintenance weights `long` and `short`, as in margin.
        products: Vec<ProductRow> ["list of tables"],
        /// Tables with `asset` and `market`, as in margin.
        spreads: Option<Vec<SpreadRow>> ["list of tables", "none"],
        /// What liquidators leave of positions is offered as orders so long after.
        orders_after_ms: Option<u64> ["ms", "liquidators only"],
        /// How long an order stands.
        ttl_ms: Option<u64> ["ms", "60000"],
    }
}

#[typetag::serde(name = "vertex/liquidate-subaccount@1")]
impl LiquidationSpec for LiquidateAccountSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn LiquidationStrategy>, ConfigError> {
        let quote = quote(ctx, &self.quote)?;
        let insurance = ctx.layer("insurance", &self.insurance)?;
        let (mut spots, mut perps) = (Vec::new(), Vec::new());
        for (i, row) in self.products.iter().enumerate() {
            let place = ctx.at(&format!("products[{i}]"));
            let weights = Weights {
                long_initial: Ppb::ZERO,
                long_maintenance: row.long.0,
                short_initial: Ppb(2_000_000_000),
                short_maintenance: row.short.0,
            };
            place.check(row, weights.check())?;
            let names = (row.asset.as_deref(), row.market.as_deref());
            product(&place, names, row.pool.as_deref(), weights, (&mut spots, &mut perps))?;
        }
        let spreads = spreads(ctx, self.spreads.as_deref().unwrap_or_default())?;
        let terms = Terms {
            quote,
            insurance,
            spots,
            perps,
            spreads,
            orders_after: self.orders_after_ms.map(Millis),
            ttl: Millis(self.ttl_ms.unwrap_or(60_000)),
        };
        Ok(Box::new(ctx.check(self, LiquidateAccount::new(terms))?))
    }
}
