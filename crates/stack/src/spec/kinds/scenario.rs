//! Scenario margin: portfolios net per underlying.

use super::margin::{AssetWeights, asset_terms};
use super::{MarginSpec, RequirementSpec, module};
use crate::spec::context::ppb;
use crate::{ConfigError, Context, Ratio, Subject};
use cofferdam_core::{AssetId, MarketId, Ppb};
use cofferdam_margin_engine::{Levels, MarginModel, ScenarioMargin, ScenarioTerms, Tail, UnderlyingTerms};
use serde::{Deserialize, Serialize};

/// What nets with one another.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnderlyingRow {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    worst: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mean_of: Option<u16>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    maintenance: Option<Ratio>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    initial: Option<Ratio>,
}

/// What a market asks and grants.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MarketRow {
    market: String,
    underlying: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    add_on: Option<Box<dyn RequirementSpec>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gain_initial: Option<Ratio>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gain_maintenance: Option<Ratio>,
}

module! {
    "cofferdam/scenario-margin@1" Margin breaks [
        11 "closing one leg of a hedge raises what the other leg needs"
    ];
    /// What a portfolio loses in the worst recorded scenario: positions of one underlying net, underlyings never.
    struct ScenarioMarginSpec {
        /// The backstop level, as a share of maintenance.
        backstop: Option<Ratio> ["ratio", "no such level"],
        /// Where a liquidation ends: maintenance plus this share of notional and liabilities.
        liquidation_buffer: Option<Ratio> ["ratio", "no such level"],
        /// What a fill needs: maintenance plus this share of what initial asks more.
        fill: Option<Ratio> ["ratio", "no such level"],
        /// A withdrawal leaves at least this share of notional.
        withdraw_floor: Option<Ratio> ["ratio", "0"],
        /// Tables as in cofferdam/cross-margin@1.
        assets: Option<Vec<AssetWeights>> ["list of tables", "none"],
        /// Tables with `name`; `worst` (the n-th largest loss counts, 1 where left out) or `mean_of` (the average of the n
        /// largest); and `maintenance` and `initial`, multiples of that loss (1, and as much as maintenance, where left out).
        underlyings: Vec<UnderlyingRow> ["list of tables"],
        /// Tables with `market`, `underlying`, `add_on` (a requirement that never nets; none where left out), and `gain_initial` and
        /// `gain_maintenance` (1 where left out); one per market.
        markets: Vec<MarketRow> ["list of tables"],
    }
}

#[typetag::serde(name = "cofferdam/scenario-margin@1")]
impl MarginSpec for ScenarioMarginSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn MarginModel>, ConfigError> {
        let levels = Levels {
            backstop: ppb(self.backstop),
            liquidation_buffer: ppb(self.liquidation_buffer),
            fill: ppb(self.fill),
            withdraw_floor: ppb(self.withdraw_floor).unwrap_or_default(),
        };
        let made = |assets, underlyings, markets| ScenarioMargin::new(levels, assets, underlyings, markets);
        ctx.check(self, made(Vec::new(), Vec::new(), Vec::new()))?;
        let assets = asset_terms(ctx, self.assets.as_deref().unwrap_or_default())?;
        let underlyings = self.underlyings(ctx)?;
        let markets = self.markets(ctx, &underlyings)?;
        Ok(Box::new(ctx.check(self, made(assets, underlyings, markets))?))
    }
}

impl ScenarioMarginSpec {
    fn underlyings(&self, ctx: &Context<'_>) -> Result<Vec<UnderlyingTerms>, ConfigError> {
        let mut found = Vec::with_capacity(self.underlyings.len());
        for (i, u) in self.underlyings.iter().enumerate() {
            let place = ctx.at(&format!("underlyings[{i}]"));
            if self.underlyings.iter().take(i).any(|before| before.name == u.name) {
                return Err(place.refuse("name", format!("\"{}\" again", u.name), "each underlying once"));
            }
            let (field, tail) = match (u.worst, u.mean_of) {
                (worst, None) => ("worst", Tail::Nth(worst.unwrap_or(1))),
                (None, Some(n)) => ("mean_of", Tail::MeanOf(n)),
                (Some(_), Some(_)) => {
                    return Err(place.refuse("mean_of", "beside worst", "either worst or mean_of"));
                }
            };
            let (Tail::Nth(count) | Tail::MeanOf(count)) = tail;
            if !(1..=4096).contains(&count) {
                return Err(place.refuse(field, count, "1 to 4096 scenarios"));
            }
            let maintenance = ppb(u.maintenance).unwrap_or(Ppb::ONE);
            let initial = ppb(u.initial).unwrap_or(maintenance);
            let terms = UnderlyingTerms { tail, maintenance, initial };
            // alone first, so that a refusal names the row
            place.check(u, ScenarioMargin::new(Levels::default(), Vec::new(), vec![terms], Vec::new()))?;
            found.push(terms);
        }
        Ok(found)
    }

    fn markets(
        &self,
        ctx: &Context<'_>,
        underlyings: &[UnderlyingTerms],
    ) -> Result<Vec<ScenarioTerms>, ConfigError> {
        let mut found: Vec<ScenarioTerms> = Vec::with_capacity(self.markets.len());
        let mut settled: Vec<Option<AssetId>> = vec![None; underlyings.len()];
        for (i, m) in self.markets.iter().enumerate() {
            let place = ctx.at(&format!("markets[{i}]"));
            let market = place.market("market", &m.market)?;
            if found.iter().any(|t| t.market == market) {
                return Err(place.refuse("market", format!("\"{}\" again", m.market), "each market once"));
            }
            let row = self.underlyings.iter().position(|u| u.name == m.underlying);
            let Some(underlying) = row else {
                let known: Vec<&str> = self.underlyings.iter().map(|u| u.name.as_str()).collect();
                return Err(place.refuse("underlying", format!("\"{}\"", m.underlying), known.join(", ")));
            };
            let settlement = place.market_terms("market", market)?.settlement;
            if let Some(first) = settled.get_mut(underlying)
                && *first.get_or_insert(settlement) != settlement
            {
                let accepted = "markets of one underlying settle in one asset";
                return Err(place.refuse("underlying", format!("\"{}\"", m.underlying), accepted));
            }
            let about = place.at("add_on").about(Subject::Market(market));
            let terms = |add_on| ScenarioTerms {
                market,
                underlying,
                add_on,
                gain_initial: m.gain_initial.or(m.gain_maintenance).map_or(Ppb::ONE, |r| r.0),
                gain_maintenance: ppb(m.gain_maintenance).unwrap_or(Ppb::ONE),
            };
            let alone = vec![terms(None)];
            place
                .check(m, ScenarioMargin::new(Levels::default(), Vec::new(), underlyings.to_vec(), alone))?;
            found.push(terms(m.add_on.as_ref().map(|r| r.build(&about)).transpose()?));
        }
        let known = ctx.names().markets();
        let missing = (0_u32..).zip(known).find(|(id, _)| !found.iter().any(|t| t.market == MarketId(*id)));
        match missing {
            Some((_, name)) => {
                Err(ctx.refuse("markets", format!("nothing for \"{name}\""), "a table for every market"))
            }
            None => Ok(found),
        }
    }
}
