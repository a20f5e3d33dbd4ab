//! `cofferdam margin assess`: health of accounts at every level of a margin model.

use crate::args::MarginArgs;
use crate::composed::Composed;
use crate::document::{Document, Place};
use crate::error::CliError;
use crate::format::{GroupInput, MarketInput, Number, Prices, Sections, StackInput};
use crate::ui::Ui;
use crate::workload::Workload;
use crate::world::{Group, world};
use cofferdam_core::{GroupId, Health, Instrument, Level, Ticks, World};
use cofferdam_margin_engine::{Account, Coordinate, Holdings};
use cofferdam_stack::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::ExitCode;

/// The question of `margin assess`: groups at prices.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "margin assess")]
pub(crate) struct Input {
    /// The stack; `--stack FILE` comes before it.
    #[serde(default)]
    stack: Option<StackInput>,
    /// Sections of the stack file that are replaced for this question: a module spec of your own.
    #[serde(default)]
    replace: Sections,
    /// Prices of everything that the groups hold.
    prices: Prices,
    /// Further terms of markets, by name.
    #[serde(default)]
    markets: BTreeMap<String, MarketInput>,
    /// The accounts.
    groups: Vec<GroupInput>,
}

/// The answer of `margin assess`. `groups` is there for a question in JSON only.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(title = "margin assess: answer")]
pub(crate) struct Output {
    /// How many accounts were assessed.
    accounts: usize,
    /// How many are below maintenance.
    liquidatable: usize,
    /// Which.
    liquidatable_ids: Vec<u32>,
    /// Each in detail, in the order of the question.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<GroupOutput>,
}

/// One account.
#[derive(Debug, Serialize, JsonSchema)]
struct GroupOutput {
    id: u32,
    /// Everything owned at mid prices less what is owed, without haircut, in the numeraire.
    equity: Number,
    /// Support and demand at each level that the model has.
    #[schemars(with = "BTreeMap<String, LineOutput>")]
    levels: BTreeMap<Level, LineOutput>,
    /// While every mark and price stays inside its own range, the group cannot fall below maintenance, whatever the others
    /// do inside theirs. Never wider than the truth; empty where the group is below, or holds nothing that could fall.
    safe: Vec<SafeOutput>,
}

/// Support against demand at one level, in the numeraire.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LineOutput {
    /// What the account has to show, rounded down.
    support: Number,
    /// What is asked of it, rounded up.
    demand: Number,
    /// Whether support falls short.
    below: bool,
}

/// A range of one price; a side without a bound is absent.
#[derive(Debug, Serialize, JsonSchema)]
struct SafeOutput {
    /// The mark of this market,
    #[serde(skip_serializing_if = "Option::is_none")]
    market: Option<String>,
    /// or the price of this asset.
    #[serde(skip_serializing_if = "Option::is_none")]
    asset: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    low: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    high: Option<Number>,
}

pub(crate) fn run(args: &MarginArgs, ui: &Ui) -> Result<ExitCode, CliError> {
    let path = args.accounts.as_deref().unwrap_or(&args.input);
    let csv = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    let output = if csv { assess_csv(args, path)? } else { assess_json(args, path)? };
    ui.value(&output)?;
    Ok(ExitCode::SUCCESS)
}

fn assess_json(args: &MarginArgs, path: &Path) -> Result<Output, CliError> {
    if let Some(prices) = &args.prices {
        let prices = prices.display();
        return Err(CliError::BadInput(format!(
            "--prices {prices}; accepted: prices inside accounts in JSON"
        )));
    }
    let document = Document::read(path)?;
    let input: Input = document.parse()?;
    let composed =
        Composed::choose(args.stack.chosen()?.as_ref(), &document, input.stack.as_ref(), &input.replace)?;
    let top = document.top();
    let world =
        world(&composed, &input.prices, &input.markets, (&top.field("prices"), &top.field("markets")))?;
    let mut output = Output::default();
    let mut seen = std::collections::BTreeSet::new();
    for (i, given) in input.groups.iter().enumerate() {
        let at = top.field("groups").item(i);
        if !seen.insert(given.id) {
            return Err(CliError::refuse(&at.field("id"), "each id once"));
        }
        let group = Group::read(&composed, given, &at)?;
        let health = assess(&composed, &world, &group, &at)?;
        output.count(group.id, &health);
        output.groups.push(describe(&composed, &world, &group, &health, &at)?);
    }
    output.liquidatable_ids.sort_unstable();
    Ok(output)
}

impl Output {
    fn count(&mut self, id: GroupId, health: &Health) {
        self.accounts += 1;
        if health.below(Level::Maintenance) {
            self.liquidatable += 1;
            self.liquidatable_ids.push(id.0);
        }
    }
}

/// The health of a group; what the model refuses is told with the group's place.
pub(crate) fn assess(
    composed: &Composed,
    world: &State,
    group: &Group,
    at: &Place<'_>,
) -> Result<Health, CliError> {
    priced(composed, world, &group.account).map_err(|what| CliError::at(at, what))?;
    composed.parts().margin.assess(&group.view(), world).map_err(|e| CliError::at(at, e))
}

/// Refuses an account that holds something without a price, by name.
fn priced(composed: &Composed, world: &State, account: &Account) -> Result<(), String> {
    let missing =
        |what: &str, name: &str| format!("no price of {what} {name}; accepted: prices of all that is held");
    for p in account.positions() {
        if !world.market(p.market).is_some_and(|m| m.mark.is_usable()) {
            let name = composed.market_terms(p.market).map(|m| m.name.clone()).unwrap_or_default();
            return Err(missing("market", &name));
        }
    }
    let held = account.balances().iter().map(|b| b.asset).chain(account.debts().iter().map(|d| d.asset));
    for asset in held {
        if !world.asset(asset).is_some_and(|a| a.price.is_usable()) {
            let name = composed.asset_terms(asset).map(|a| a.name.clone()).unwrap_or_default();
            return Err(missing("asset", &name));
        }
    }
    Ok(())
}

/// The levels that the model has.
pub(crate) fn levels(composed: &Composed, health: &Health) -> BTreeMap<Level, LineOutput> {
    let line = |level| {
        health.line(level).map(|l| {
            let (support, demand) = (composed.value(l.support), composed.value(l.demand));
            (level, LineOutput { support, demand, below: l.support < l.demand })
        })
    };
    Level::ALL.into_iter().filter_map(line).collect()
}

fn describe(
    composed: &Composed,
    world: &State,
    group: &Group,
    health: &Health,
    at: &Place<'_>,
) -> Result<GroupOutput, CliError> {
    let model = &composed.parts().margin;
    let ranges =
        model.safe_ranges(&group.view(), world, Level::Maintenance).map_err(|e| CliError::at(at, e))?;
    let mut safe = Vec::new();
    for r in ranges.iter().filter(|r| r.low <= r.high) {
        let (of, market, asset) = match r.coordinate {
            Coordinate::Mark(id) => {
                (Instrument::Market(id), Some(composed.market_terms(id)?.name.clone()), None)
            }
            Coordinate::Price(id) if !composed.asset_terms(id)?.numeraire => {
                (Instrument::Asset(id), None, Some(composed.asset_terms(id)?.name.clone()))
            }
            _ => continue,
        };
        let bound = |x: i128| match i64::try_from(x) {
            Ok(ticks) if ticks > 0 => composed.price(of, Ticks::new(ticks)).map(Some),
            _ => Ok(None), // no bound on this side
        };
        safe.push(SafeOutput { market, asset, low: bound(r.low)?, high: bound(r.high)? });
    }
    Ok(GroupOutput {
        id: group.id.0,
        equity: composed.value(health.equity),
        levels: levels(composed, health),
        safe,
    })
}

/// The files of the common workload: counts only, for ten thousand accounts and more.
fn assess_csv(args: &MarginArgs, path: &Path) -> Result<Output, CliError> {
    let Some(stack) = args.stack.chosen()? else {
        let name = path.display();
        return Err(CliError::BadInput(format!(
            "{name}: no stack; accepted: --stack FILE or --protocol NAME"
        )));
    };
    let composed = Composed::of(&stack)?;
    let prices = args.prices.clone().unwrap_or_else(|| composed.folder().join("prices.json"));
    let document = Document::read(&prices)?;
    let top = document.top();
    let prices = only_known(&composed, document.parse()?);
    let world = world(&composed, &prices, &BTreeMap::new(), (&top, &top))?;
    let accounts = Workload::read(&composed, path)?;
    let mut output = Output::default();
    let mut holdings = Holdings::new();
    for (id, account) in &accounts.groups {
        let place = || format!("{}: account {id}", path.display());
        priced(&composed, &world, account).map_err(|e| CliError::BadInput(format!("{}: {e}", place())))?;
        let health = account
            .view(&world, &mut holdings)
            .and_then(|()| composed.parts().margin.assess(&holdings.group(GroupId(*id)), &world))
            .map_err(|e| CliError::BadInput(format!("{}: {e}", place())))?;
        output.count(GroupId(*id), &health);
    }
    Ok(output)
}

/// A price file may serve several stacks: prices of what this one does not name are left out.
fn only_known(composed: &Composed, mut prices: Prices) -> Prices {
    let parts = composed.parts();
    prices.assets.retain(|name, _| parts.assets.iter().any(|a| &a.name == name));
    prices.markets.retain(|name, _| parts.markets.iter().any(|m| &m.name == name));
    prices
}
