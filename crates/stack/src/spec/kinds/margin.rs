//! The margin model and what markets require.

use super::{MarginSpec, RequirementSpec, module};
use crate::spec::context::ppb;
use crate::{ConfigError, Context, Number, Ratio, Subject};
use cofferdam_core::{GroupId, MarketId, Ppb};
use cofferdam_margin_engine::{
    AssetTerms, Bracket, ByGroup, Combined, CrossMargin, Flat, Join, Levels, LinearSize, MarginModel,
    MarketTerms, MiddleMaintenance, OpenInterestScaled, Requirement, SizeScaled, Stepped, Tier, Tiered,
    VolatilityScaled,
};
use serde::{Deserialize, Serialize};

/// What an asset counts for.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AssetWeights {
    asset: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    collateral_initial: Option<Ratio>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    collateral_maintenance: Option<Ratio>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    liability_initial: Option<Ratio>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    liability_maintenance: Option<Ratio>,
}

/// What a market asks and grants.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarketMargin {
    market: String,
    requirement: Box<dyn RequirementSpec>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gain_initial: Option<Ratio>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gain_maintenance: Option<Ratio>,
}

module! {
    "cofferdam/cross-margin@1" Margin breaks [];
    /// Everything in a group nets: weighted collateral and profit against requirements and weighted debts.
    struct CrossMarginSpec {
        /// The backstop level, as a share of maintenance.
        backstop: Option<Ratio> ["ratio", "no such level"],
        /// Where a liquidation ends: maintenance plus this share of notional and liabilities.
        liquidation_buffer: Option<Ratio> ["ratio", "no such level"],
        /// What a fill needs: maintenance plus this share of what initial asks more.
        fill: Option<Ratio> ["ratio", "no such level"],
        /// A withdrawal leaves at least this share of notional.
        withdraw_floor: Option<Ratio> ["ratio", "0"],
        /// Tables with `asset`, `collateral_initial`, `collateral_maintenance`, `liability_initial` and
        /// `liability_maintenance`, each 1 where left out. An asset without a table counts for nothing.
        assets: Option<Vec<AssetWeights>> ["list of tables", "none"],
        /// Tables with `market`, `requirement`, and `gain_initial` and `gain_maintenance` (1 where left out); one per market.
        markets: Option<Vec<MarketMargin>> ["list of tables", "none"],
    }
}

#[typetag::serde(name = "cofferdam/cross-margin@1")]
impl MarginSpec for CrossMarginSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn MarginModel>, ConfigError> {
        let levels = Levels {
            backstop: ppb(self.backstop),
            liquidation_buffer: ppb(self.liquidation_buffer),
            fill: ppb(self.fill),
            withdraw_floor: ppb(self.withdraw_floor).unwrap_or_default(),
        };
        ctx.check(self, CrossMargin::new(levels, Vec::new(), Vec::new()))?;
        let assets = asset_terms(ctx, self.assets.as_deref().unwrap_or_default())?;
        let markets = self.markets(ctx)?;
        Ok(Box::new(ctx.check(self, CrossMargin::new(levels, assets, markets))?))
    }
}

/// Groups that chose a model.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Choice {
    groups: Vec<u32>,
    margin: Box<dyn MarginSpec>,
}

module! {
    "cofferdam/by-group@1" Margin breaks [];
    /// One model for most groups, others for groups that are named.
    struct ByGroupSpec {
        /// For every group that is not named.
        base: Box<dyn MarginSpec> ["margin"],
        /// Tables with `groups` (numbers) and `margin`; a group stands in one of them at most.
        chosen: Vec<Choice> ["list of tables"],
    }
}

#[typetag::serde(name = "cofferdam/by-group@1")]
impl MarginSpec for ByGroupSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn MarginModel>, ConfigError> {
        let base = self.base.build(&ctx.at("base"))?;
        let mut chosen = Vec::with_capacity(self.chosen.len());
        for (i, c) in self.chosen.iter().enumerate() {
            let model = c.margin.build(&ctx.at(&format!("chosen[{i}].margin")))?;
            chosen.push((c.groups.iter().map(|id| GroupId(*id)).collect(), model));
        }
        Ok(Box::new(ctx.check(self, ByGroup::new(base, chosen))?))
    }
}

module! {
    "cofferdam/middle-maintenance@1" Margin breaks [];
    /// Whoever opens gets the adverse end of a price's interval; who is liquidated is decided at the middle.
    struct MiddleMaintenanceSpec {
        /// What computes health.
        base: Box<dyn MarginSpec> ["margin"],
    }
}

#[typetag::serde(name = "cofferdam/middle-maintenance@1")]
impl MarginSpec for MiddleMaintenanceSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn MarginModel>, ConfigError> {
        Ok(Box::new(MiddleMaintenance::new(self.base.build(&ctx.at("base"))?)))
    }
}

fn whole(x: Option<Ratio>) -> Ppb {
    ppb(x).unwrap_or(Ppb::ONE)
}

impl CrossMarginSpec {
    fn markets(&self, ctx: &Context<'_>) -> Result<Vec<MarketTerms>, ConfigError> {
        let mut markets: Vec<MarketTerms> = Vec::new();
        for (i, m) in self.markets.iter().flatten().enumerate() {
            let place = ctx.at(&format!("markets[{i}]"));
            let market = place.market("market", &m.market)?;
            if markets.iter().any(|t| t.market == market) {
                return Err(place.refuse("market", format!("\"{}\" again", m.market), "each market once"));
            }
            let about = place.at("requirement").about(Subject::Market(market));
            let gains = |requirement| MarketTerms {
                market,
                requirement,
                gain_initial: m.gain_initial.or(m.gain_maintenance).map_or(Ppb::ONE, |r| r.0),
                gain_maintenance: whole(m.gain_maintenance),
            };
            let terms = gains(m.requirement.build(&about)?);
            let probe = gains(m.requirement.build(&about)?);
            place.check(m, CrossMargin::new(Levels::default(), Vec::new(), vec![probe]))?;
            markets.push(terms);
        }
        let known = ctx.names().markets();
        let missing = (0_u32..).zip(known).find(|(id, _)| !markets.iter().any(|t| t.market == MarketId(*id)));
        match missing {
            Some((_, name)) => {
                Err(ctx.refuse("markets", format!("nothing for \"{name}\""), "a table for every market"))
            }
            None => Ok(markets),
        }
    }
}

/// Terms of assets from their tables; a refusal names the row.
pub(super) fn asset_terms(ctx: &Context<'_>, rows: &[AssetWeights]) -> Result<Vec<AssetTerms>, ConfigError> {
    let mut assets: Vec<AssetTerms> = Vec::new();
    for (i, a) in rows.iter().enumerate() {
        let place = ctx.at(&format!("assets[{i}]"));
        let asset = place.asset("asset", &a.asset)?;
        if assets.iter().any(|t| t.asset == asset) {
            return Err(place.refuse("asset", format!("\"{}\" again", a.asset), "each asset once"));
        }
        let terms = AssetTerms {
            asset,
            collateral_initial: a.collateral_initial.or(a.collateral_maintenance).map_or(Ppb::ONE, |r| r.0),
            collateral_maintenance: whole(a.collateral_maintenance),
            liability_initial: a.liability_initial.or(a.liability_maintenance).map_or(Ppb::ONE, |r| r.0),
            liability_maintenance: whole(a.liability_maintenance),
        };
        // alone first, so that a refusal names the row
        place.check(a, CrossMargin::new(Levels::default(), vec![terms], Vec::new()))?;
        assets.push(terms);
    }
    Ok(assets)
}

type Built = Result<Box<dyn Requirement>, ConfigError>;

fn market(ctx: &Context<'_>) -> Result<MarketId, ConfigError> {
    match ctx.subject() {
        Subject::Market(id) => Ok(id),
        _ => Err(ctx.refuse("", "a requirement of no market", "a requirement within margin.markets")),
    }
}

module! {
    "cofferdam/flat@1" Requirement breaks [];
    /// A fixed share of the notional.
    struct FlatSpec {
        /// What keeps a position open.
        maintenance: Ratio ["ratio"],
        /// What opens one.
        initial: Ratio ["ratio"],
    }
}

#[typetag::serde(name = "cofferdam/flat@1")]
impl RequirementSpec for FlatSpec {
    fn build(&self, ctx: &Context<'_>) -> Built {
        Ok(Box::new(ctx.check(self, Flat::new(self.maintenance.0, self.initial.0))?))
    }
}

/// A bracket of notional.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TierSpec {
    lower: Number,
    maintenance: Ratio,
    initial: Ratio,
}

module! {
    "cofferdam/tiered@1" Requirement breaks [6 "splitting a position over accounts lowers what is required in all"];
    /// Brackets of notional, each with its own rates, continuous at their bounds.
    struct TieredSpec {
        /// Tables with `lower` (in the settlement asset, from "0" upwards), `maintenance` and `initial`.
        tiers: Vec<TierSpec> ["list of tables"],
    }
}

#[typetag::serde(name = "cofferdam/tiered@1")]
impl RequirementSpec for TieredSpec {
    fn build(&self, ctx: &Context<'_>) -> Built {
        let tiers: Result<Vec<Tier>, ConfigError> = (self.tiers.iter().enumerate())
            .map(|(i, t)| {
                let lower = ctx.at(&format!("tiers[{i}]")).quanta("lower", &t.lower)?;
                Ok(Tier { lower, maintenance: t.maintenance.0, initial: t.initial.0 })
            })
            .collect();
        Ok(Box::new(ctx.check(self, Tiered::new(tiers?))?))
    }
}

module! {
    "cofferdam/size-scaled@1" Requirement breaks [6 "splitting a position over accounts lowers what is required in all"];
    /// A rate that grows with the square root of the position.
    struct SizeScaledSpec {
        /// What keeps a small position open.
        maintenance: Ratio ["ratio"],
        /// What opens a small one.
        initial: Ratio ["ratio"],
        /// What the root of one unit adds to the rate.
        factor: Ratio ["ratio"],
        /// The size that counts as one.
        unit: Option<Number> ["size in the market's base asset", "1"],
    }
}

#[typetag::serde(name = "cofferdam/size-scaled@1")]
impl RequirementSpec for SizeScaledSpec {
    fn build(&self, ctx: &Context<'_>) -> Built {
        let one = Number(cofferdam_core::Decimal::from_units(1, 0));
        let unit = ctx.lots("unit", market(ctx)?, &self.unit.unwrap_or(one))?;
        let built = SizeScaled::new(self.maintenance.0, self.initial.0, self.factor.0, unit);
        Ok(Box::new(ctx.check(self, built)?))
    }
}

module! {
    "cofferdam/linear-size@1" Requirement breaks [6 "splitting a position over accounts lowers what is required in all"];
    /// A rate that grows with every unit of the position.
    struct LinearSizeSpec {
        /// What keeps a small position open.
        maintenance: Ratio ["ratio"],
        /// What opens a small one.
        initial: Ratio ["ratio"],
        /// What one unit adds to both rates.
        per_unit: Ratio ["ratio"],
        /// The size that counts as one.
        unit: Option<Number> ["size in the market's base asset", "1"],
    }
}

#[typetag::serde(name = "cofferdam/linear-size@1")]
impl RequirementSpec for LinearSizeSpec {
    fn build(&self, ctx: &Context<'_>) -> Built {
        let one = Number(cofferdam_core::Decimal::from_units(1, 0));
        let unit = ctx.lots("unit", market(ctx)?, &self.unit.unwrap_or(one))?;
        let built = LinearSize::new(self.maintenance.0, self.initial.0, self.per_unit.0, unit);
        Ok(Box::new(ctx.check(self, built)?))
    }
}

/// A bracket of size.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BracketSpec {
    upper: Number,
    maintenance: Ratio,
    initial: Ratio,
}

module! {
    "cofferdam/stepped@1" Requirement breaks [
        6 "splitting a position over accounts lowers what is required in all",
        14 "the rate of a bracket applies to all of the position: a cliff at each bound"
    ];
    /// Brackets of size whose rate applies to all of the position.
    struct SteppedSpec {
        /// Tables with `upper` (in the market's base asset), `maintenance` and `initial`, ascending.
        brackets: Vec<BracketSpec> ["list of tables"],
    }
}

#[typetag::serde(name = "cofferdam/stepped@1")]
impl RequirementSpec for SteppedSpec {
    fn build(&self, ctx: &Context<'_>) -> Built {
        let id = market(ctx)?;
        let rows: Result<Vec<Bracket>, ConfigError> = (self.brackets.iter().enumerate())
            .map(|(i, b)| {
                let upper = ctx.at(&format!("brackets[{i}]")).lots("upper", id, &b.upper)?;
                Ok(Bracket { upper, maintenance: b.maintenance.0, initial: b.initial.0 })
            })
            .collect();
        Ok(Box::new(ctx.check(self, Stepped::new(rows?))?))
    }
}

module! {
    "cofferdam/open-interest-scaled@1" Requirement breaks [];
    /// The initial rate rises with the market's open interest; the maintenance rate does not.
    struct OpenInterestScaledSpec {
        /// What keeps a position open.
        maintenance: Ratio ["ratio"],
        /// What opens one in an empty market.
        initial: Ratio ["ratio"],
        /// Open interest from which the rate rises.
        lower: Number ["amount of the settlement asset"],
        /// Open interest at which it is 100 %.
        upper: Number ["amount of the settlement asset"],
    }
}

#[typetag::serde(name = "cofferdam/open-interest-scaled@1")]
impl RequirementSpec for OpenInterestScaledSpec {
    fn build(&self, ctx: &Context<'_>) -> Built {
        let (lower, upper) = (ctx.quanta("lower", &self.lower)?, ctx.quanta("upper", &self.upper)?);
        let built = OpenInterestScaled::new(self.maintenance.0, self.initial.0, lower, upper);
        Ok(Box::new(ctx.check(self, built)?))
    }
}

module! {
    "cofferdam/volatility-scaled@1" Requirement breaks [];
    /// A multiple of the market's recorded volatility, with a floor.
    struct VolatilityScaledSpec {
        /// Multiple that keeps a position open.
        maintenance: Ratio ["ratio"],
        /// Multiple that opens one.
        initial: Ratio ["ratio"],
        /// The volatility below which none is believed.
        floor: Ratio ["ratio, annualised"],
    }
}

#[typetag::serde(name = "cofferdam/volatility-scaled@1")]
impl RequirementSpec for VolatilityScaledSpec {
    fn build(&self, ctx: &Context<'_>) -> Built {
        let built = VolatilityScaled::new(self.maintenance.0, self.initial.0, self.floor.0);
        Ok(Box::new(ctx.check(self, built)?))
    }
}

/// How an add-on joins.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum JoinName {
    Max,
    Sum,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddOn {
    join: JoinName,
    requirement: Box<dyn RequirementSpec>,
}

module! {
    "cofferdam/combined@1" Requirement breaks [];
    /// A base with add-ons, none of which can lower it.
    struct CombinedSpec {
        /// What stands first.
        base: Box<dyn RequirementSpec> ["requirement"],
        /// Tables with `join` ("max" or "sum") and `requirement`, in order.
        add: Vec<AddOn> ["list of tables"],
    }
}

#[typetag::serde(name = "cofferdam/combined@1")]
impl RequirementSpec for CombinedSpec {
    fn build(&self, ctx: &Context<'_>) -> Built {
        let mut combined = Combined::new(self.base.build(&ctx.at("base"))?);
        for (i, a) in self.add.iter().enumerate() {
            let join = match a.join {
                JoinName::Max => Join::Max,
                JoinName::Sum => Join::Sum,
            };
            combined = combined.with(join, a.requirement.build(&ctx.at(&format!("add[{i}].requirement")))?);
        }
        Ok(Box::new(combined))
    }
}
