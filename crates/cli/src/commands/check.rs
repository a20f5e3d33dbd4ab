//! `cofferdam check`: validates a stack file and says what it composes, which laws it breaks, and which stretches of loss no
//! excess layer covers.

use crate::args::CheckArgs;
use crate::composed::Chosen;
use crate::error::CliError;
use crate::format::Number;
use crate::ui::Ui;
use cofferdam_core::{AssetId, Decimal, Instrument, LayerId, Quanta};
use cofferdam_insurance_layer::{AggregateStopLoss, Entry, ExcessOfLoss, Programme};
use cofferdam_stack::{AccrualSubject, BrokenLaw, Built, InitialCommitment, PoolKind};
use serde::Serialize;
use std::process::ExitCode;
use toml::Value;

#[derive(Debug, Serialize)]
struct Output {
    name: String,
    file: String,
    assets: Vec<String>,
    markets: Vec<MarketOutput>,
    pools: Vec<PoolOutput>,
    prices: Vec<PriceOutput>,
    accruals: Vec<AccrualOutput>,
    margin: String,
    liquidation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    placement: Option<String>,
    guards: Vec<String>,
    layers: Vec<LayerOutput>,
    /// Stretches of loss below an excess layer that no excess layer of its kind covers.
    gaps: Vec<GapOutput>,
    /// Excess layers whose limit is more than they hold at the start: they pay what they hold.
    short: Vec<ShortOutput>,
    allocation: String,
    breakers: Vec<NamedOutput>,
    /// Laws that the stack breaks, each by design.
    breaks: Vec<BrokenOutput>,
}

#[derive(Debug, Serialize)]
struct MarketOutput {
    name: String,
    settlement: String,
    lot: Number,
    tick: Number,
}

#[derive(Debug, Serialize)]
struct PoolOutput {
    name: String,
    kind: String,
    does: String,
}

#[derive(Debug, Serialize)]
struct PriceOutput {
    of: String,
    role: cofferdam_core::PriceRole,
    policy: String,
}

#[derive(Debug, Serialize)]
struct AccrualOutput {
    on: String,
    rule: String,
}

#[derive(Debug, Serialize)]
struct LayerOutput {
    name: String,
    terms: String,
    contribution: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    capacity: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    escrowed: Option<bool>,
}

#[derive(Debug, Serialize)]
struct GapOutput {
    /// `event` or `aggregate`.
    per: &'static str,
    from: Number,
    to: Number,
}

#[derive(Debug, Serialize)]
struct ShortOutput {
    layer: String,
    limit: Number,
    /// Escrowed or promised; contributions may add to an escrow later.
    holds: Number,
}

#[derive(Debug, Serialize)]
struct NamedOutput {
    name: String,
    kind: String,
}

#[derive(Debug, Serialize)]
struct BrokenOutput {
    at: String,
    kind: String,
    invariant: String,
    how: String,
}

pub(crate) fn run(args: &CheckArgs, ui: &Ui) -> Result<ExitCode, CliError> {
    let chosen = match (&args.stack, &args.protocol) {
        (Some(path), _) => Chosen::File(path.clone()),
        (None, name) => Chosen::protocol(name.as_deref().unwrap_or_default())?,
    };
    let output = describe(&chosen)?;
    if ui.json() {
        ui.value(&output)?
    } else {
        show(&output, ui)?
    }
    Ok(ExitCode::SUCCESS)
}

fn describe(chosen: &Chosen) -> Result<Output, CliError> {
    let config = chosen.config()?;
    let built = config.build()?;
    // the stack holds built modules; what the file calls them stands in the file
    let document: toml::Table = toml::from_str(&chosen.text()?)
        .map_err(|e| CliError::Internal(format!("{}: read before, now {e}", chosen.name())))?;
    let document = Value::Table(document);
    let parts = built.stack.parts();
    let exponent = parts.assets.first().map_or(0, |a| i32::from(a.scale.quantum_exponent));
    let asset = |id: AssetId| built.names.asset_name(id).unwrap_or_default().to_owned();
    let market = |id| built.names.market_name(id).unwrap_or_default().to_owned();
    let kinds = |section: &str, field: &str| kinds(&document, section, field);
    Ok(Output {
        name: built.name.clone(),
        file: chosen.name(),
        assets: parts.assets.iter().map(|a| a.name.clone()).collect(),
        markets: (parts.markets.iter())
            .map(|m| MarketOutput {
                name: m.name.clone(),
                settlement: asset(m.settlement),
                lot: Number::of(1, m.lot_exponent),
                tick: Number::of(1, m.tick_exponent),
            })
            .collect(),
        pools: (parts.pools.iter().zip(kinds("pools", "")))
            .map(|(p, kind)| {
                let does = match &p.kind {
                    PoolKind::Lending { asset: id, .. } => format!("lends {}", asset(*id)),
                    PoolKind::Trading { market: id, .. } => format!("trades {}", market(*id)),
                    PoolKind::Offset { asset: id, gains, .. } => {
                        format!("pays off {} for {}", asset(*id), asset(*gains))
                    }
                };
                PoolOutput { name: p.name.clone(), kind, does }
            })
            .collect(),
        prices: (parts.prices.iter().zip(kinds("prices", "policy")))
            .map(|(p, policy)| {
                let of = match p.instrument {
                    Instrument::Asset(id) => asset(id),
                    Instrument::Market(id) => market(id),
                };
                PriceOutput { of, role: p.role, policy }
            })
            .collect(),
        accruals: (parts.accruals.iter().zip(kinds("accruals", "rule")))
            .map(|(a, rule)| {
                let on = match a.subject {
                    AccrualSubject::Market(id) => market(id),
                    AccrualSubject::Pool(id) => built.names.pool_name(id).unwrap_or_default().to_owned(),
                };
                AccrualOutput { on, rule }
            })
            .collect(),
        margin: kind_of(document.get("margin")),
        liquidation: kind_of(document.get("liquidation")),
        placement: document.get("placement").map(|p| kind_of(Some(p))),
        guards: kinds("guards", ""),
        layers: layers(&document, &built, exponent),
        gaps: gaps(&document, exponent)?,
        short: short(&document, &built, exponent),
        allocation: kind_of(document.get("allocation")),
        breakers: (parts.breaker_names.iter().cloned().zip(kinds("breakers", "")))
            .map(|(name, kind)| NamedOutput { name, kind })
            .collect(),
        breaks: config.broken_laws().into_iter().map(BrokenOutput::from).collect(),
    })
}

impl From<BrokenLaw> for BrokenOutput {
    fn from(law: BrokenLaw) -> Self {
        Self { at: law.path, kind: law.kind, invariant: format!("INV-{}", law.invariant), how: law.how }
    }
}

/// The kind of a module, and in brackets those it is made of.
fn kind_of(module: Option<&Value>) -> String {
    let Some(module) = module else { return String::new() };
    let mut inner = Vec::new();
    if let Some(table) = module.as_table() {
        // what market asks what is a list as long as that of the markets
        table.iter().filter(|(key, _)| *key != "markets").for_each(|(_, v)| collect(v, &mut inner));
    }
    let kind = module.get("kind").and_then(Value::as_str).unwrap_or_default();
    if inner.is_empty() { kind.to_owned() } else { format!("{kind} ({})", inner.join(", ")) }
}

// modules directly inside a value
fn collect(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Table(t) if t.contains_key("kind") => found.push(kind_of(Some(value))),
        Value::Table(t) => t.values().for_each(|v| collect(v, found)),
        Value::Array(items) => items.iter().for_each(|v| collect(v, found)),
        _ => {}
    }
}

/// The kinds of the modules in a list of tables, each in `field`, or the table itself.
fn kinds(document: &Value, section: &str, field: &str) -> Vec<String> {
    let tables = document.get(section).and_then(Value::as_array).into_iter().flatten();
    tables.map(|t| kind_of(if field.is_empty() { Some(t) } else { t.get(field) })).collect()
}

fn layer_tables(document: &Value) -> impl Iterator<Item = &Value> {
    document.get("insurance").and_then(|i| i.get("layers")).and_then(Value::as_array).into_iter().flatten()
}

fn layers(document: &Value, built: &Built, exponent: i32) -> Vec<LayerOutput> {
    let layers = built.stack.parts().layers.iter().zip(layer_tables(document));
    layers
        .map(|(layer, table)| {
            let committed = built.commitments.iter().find(|c| c.layer == layer.id);
            LayerOutput {
                name: layer.name.clone(),
                terms: kind_of(table.get("terms")),
                contribution: Number::of(i128::from(layer.contribution.0), -9),
                capacity: committed.map(|c| capacity(built, c, exponent)),
                escrowed: committed.map(|c| c.escrowed),
            }
        })
        .collect()
}

/// What a layer can pay at the start: what it promised, or no more than it escrows.
fn capacity(built: &Built, c: &InitialCommitment, exponent: i32) -> Number {
    let promised = Number::of(c.capacity.get(), exponent);
    let asset = built.stack.parts().assets.iter().find(|a| a.id == c.asset).filter(|_| c.escrowed);
    asset.map_or(promised, |a| Number::of(c.escrow.get(), i32::from(a.scale.decimals).wrapping_neg()))
}

/// Excess layers whose limit nobody has put up in full. A layer with neither escrow nor capacity holds nothing yet.
fn short(document: &Value, built: &Built, exponent: i32) -> Vec<ShortOutput> {
    let layers = built.stack.parts().layers.iter().zip(layer_tables(document));
    let of = |(layer, table): (&cofferdam_stack::LayerTerms, &Value)| {
        let limit: Decimal = table.get("terms")?.get("limit")?.as_str()?.parse().ok()?;
        let committed = built.commitments.iter().find(|c| c.layer == layer.id)?;
        let holds = capacity(built, committed, exponent);
        let less = holds.0.to_units(exponent).ok()? < limit.to_units(exponent).ok()?;
        less.then(|| ShortOutput { layer: layer.name.clone(), limit: Number(limit), holds })
    };
    layers.filter_map(of).collect()
}

/// Gaps among the excess layers, by the programme's own rule. The file was built before, so its bands are valid.
fn gaps(document: &Value, exponent: i32) -> Result<Vec<GapOutput>, CliError> {
    let quanta = |terms: &Value, field: &str| {
        let text = terms.get(field).and_then(Value::as_str)?;
        text.parse::<Decimal>().ok()?.to_units(exponent).ok().map(Quanta::new)
    };
    let mut entries = Vec::new();
    for (id, table) in (0_u32..).map(LayerId).zip(layer_tables(document)) {
        let Some(terms) = table.get("terms") else { continue };
        let (Some(from), Some(limit)) = (quanta(terms, "attachment"), quanta(terms, "limit")) else {
            continue;
        };
        let entry = match terms.get("kind").and_then(Value::as_str) {
            Some("cofferdam/excess-of-loss@1") => {
                ExcessOfLoss::new(from, limit).map(|t| Entry::excess_of_loss(id, t))
            }
            Some("cofferdam/aggregate-stop-loss@1") => {
                AggregateStopLoss::new(from, limit).map(|t| Entry::stop_loss(id, t))
            }
            _ => continue,
        };
        entries.push(entry.map_err(|e| CliError::Internal(e.to_string()))?);
    }
    let programme = Programme::new(entries).map_err(|e| CliError::Internal(e.to_string()))?;
    let gap = |g: cofferdam_insurance_layer::Gap| GapOutput {
        per: if g.aggregate { "aggregate" } else { "event" },
        from: Number::of(g.from.get(), exponent),
        to: Number::of(g.to.get(), exponent),
    };
    Ok(programme.gaps().into_iter().map(gap).collect())
}

fn show(o: &Output, ui: &Ui) -> Result<(), CliError> {
    ui.heading(format_args!("{} ({})", o.name, o.file))?;
    ui.field("assets", o.assets.join(", "))?;
    for m in &o.markets {
        let (lot, tick) = (m.lot.0, m.tick.0);
        ui.field("market", format_args!("{}, lot {lot}, tick {tick}, settled in {}", m.name, m.settlement))?;
    }
    for p in &o.pools {
        ui.field("pool", format_args!("{} {}: {}", p.name, p.does, p.kind))?;
    }
    for p in &o.prices {
        let role = format!("{:?}", p.role).to_lowercase();
        ui.field("price", format_args!("{} {role}: {}", p.of, p.policy))?;
    }
    for a in &o.accruals {
        ui.field("accrual", format_args!("{}: {}", a.on, a.rule))?;
    }
    ui.field("margin", &o.margin)?;
    ui.field("liquidation", &o.liquidation)?;
    if let Some(p) = &o.placement {
        ui.field("placement", p)?;
    }
    for g in &o.guards {
        ui.field("guard", g)?;
    }
    for l in &o.layers {
        let held = match (&l.capacity, l.escrowed) {
            (Some(x), Some(true)) => format!(", {} escrowed", x.0),
            (Some(x), _) => format!(", {} promised", x.0),
            (None, _) => ", no capacity at the start".into(),
        };
        ui.field("layer", format_args!("{}: {}{held}", l.name, l.terms))?;
    }
    ui.field("allocation", &o.allocation)?;
    for b in &o.breakers {
        ui.field("breaker", format_args!("{}: {}", b.name, b.kind))?;
    }
    if !o.gaps.is_empty() {
        ui.heading("losses that no excess layer covers")?;
        for g in &o.gaps {
            ui.field(g.per, format_args!("{} to {}", g.from.0, g.to.0))?;
        }
    }
    if !o.short.is_empty() {
        ui.heading("limits above what their layer holds at the start: it pays no more than it holds")?;
        for s in &o.short {
            ui.field(&s.layer, format_args!("limit {}, holds {}", s.limit.0, s.holds.0))?;
        }
    }
    ui.heading(if o.breaks.is_empty() {
        "breaks no law that it would have to declare"
    } else {
        "laws it breaks"
    })?;
    for b in &o.breaks {
        ui.field(&b.invariant, format_args!("{}: {} ({})", b.at, b.how, b.kind))?;
    }
    Ok(())
}
