//! The `[permits]` section: what each state of a price still allows.

use super::{ConfigError, Context};
use cofferdam_core::{ActionKind, Instrument, PriceState};
use cofferdam_oracle::{PermitTable, PermitTiers, Tier};
use serde::Deserialize;

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Preset {
    #[default]
    Standard,
    Drift,
    Closed,
}

/// A preset, and the actions whose states are written out: they replace that action's row.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct PermitsSpec {
    preset: Preset,
    open: Option<Vec<PriceState>>,
    reduce: Option<Vec<PriceState>>,
    liquidate: Option<Vec<PriceState>>,
    seize: Option<Vec<PriceState>>,
    deposit: Option<Vec<PriceState>>,
    withdraw: Option<Vec<PriceState>>,
    borrow: Option<Vec<PriceState>>,
    repay: Option<Vec<PriceState>>,
    tiers: Vec<TierSpec>,
}

/// Instruments with a table of their own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TierSpec {
    #[serde(default)]
    markets: Vec<String>,
    #[serde(default)]
    assets: Vec<String>,
    table: PermitsSpec,
}

impl PermitsSpec {
    fn table(&self) -> PermitTable {
        let preset = match self.preset {
            Preset::Standard => PermitTable::standard(),
            Preset::Drift => PermitTable::drift(),
            Preset::Closed => PermitTable::closed(),
        };
        let rows = [
            (ActionKind::Open, &self.open),
            (ActionKind::Reduce, &self.reduce),
            (ActionKind::Liquidate, &self.liquidate),
            (ActionKind::Seize, &self.seize),
            (ActionKind::Deposit, &self.deposit),
            (ActionKind::Withdraw, &self.withdraw),
            (ActionKind::Borrow, &self.borrow),
            (ActionKind::Repay, &self.repay),
        ];
        rows.into_iter().filter_map(|(action, states)| Some((action, states.as_ref()?))).fold(
            preset,
            |table, (action, states)| {
                PriceState::ALL
                    .into_iter()
                    .fold(table, |t, state| t.with(action, state, states.contains(&state)))
            },
        )
    }

    /// All tables with the places they stand at, for the list of broken laws.
    pub(crate) fn tables(&self) -> Vec<(String, PermitTable)> {
        let mut all = vec![("permits".to_owned(), self.table())];
        all.extend(
            self.tiers
                .iter()
                .enumerate()
                .map(|(i, t)| (format!("permits.tiers[{i}].table"), t.table.table())),
        );
        all
    }

    pub(crate) fn build(&self, ctx: &Context<'_>) -> Result<PermitTiers, ConfigError> {
        let mut permits = PermitTiers::new(self.table());
        for (i, spec) in self.tiers.iter().enumerate() {
            let place = ctx.at(&format!("tiers[{i}]"));
            let number =
                u8::try_from(i).map_err(|_| place.refuse("", format!("tier {i}"), "at most 256 tiers"))?;
            if let Some(inner) = spec.table.tiers.first() {
                let value = format!("a tier with {} assets and markets", inner.markets.len().max(1));
                return Err(place.refuse("table.tiers", value, "no tiers within a tier"));
            }
            permits = permits.with_table(Tier(number), spec.table.table());
            for (j, name) in spec.markets.iter().enumerate() {
                let id = place.market(&format!("markets[{j}]"), name)?;
                permits = permits.with_instrument(Instrument::Market(id), Tier(number));
            }
            for (j, name) in spec.assets.iter().enumerate() {
                let id = place.asset(&format!("assets[{j}]"), name)?;
                permits = permits.with_instrument(Instrument::Asset(id), Tier(number));
            }
        }
        Ok(permits)
    }
}
