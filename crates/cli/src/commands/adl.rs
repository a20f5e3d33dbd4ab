//! `cofferdam adl allocate`: who pays a loss that liquidation and insurance left, or takes a position that nobody took.

use super::adl_measures::{Known, Measured, Measures};
use crate::args::AdlAllocateArgs;
use crate::composed::{Composed, one_of};
use crate::document::{Document, Place, read_text};
use crate::error::CliError;
use crate::format::{Number, Sections, StackInput};
use crate::ui::Ui;
use cofferdam_core::{Amount, At, GroupId, Instrument, MapMemory, Millis, Slot};
use cofferdam_liquidation_strategy::{Cause, LossAllocation, Measure, Need, Payer};
use cofferdam_market_sim::adl::{Policy, policies};
use cofferdam_stack::{AssetTerms, MarketTerms};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::ExitCode;

/// The question of `adl allocate`: a need and those who may have to pay.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "adl allocate")]
pub(crate) struct Input {
    /// The stack; `--stack FILE` comes before it.
    #[serde(default)]
    stack: Option<StackInput>,
    /// Sections of the stack file that are replaced for this question: a policy of your own in `allocation`.
    #[serde(default)]
    replace: Sections,
    /// Milliseconds since the Unix epoch. Default: 0.
    #[serde(default)]
    time_ms: u64,
    /// The market whose holders may have to pay. May be absent for a deficit that no market caused.
    #[serde(default)]
    market: Option<String>,
    /// What has to be allocated.
    need: NeedInput,
    /// Those who may have to pay.
    #[serde(default)]
    payers: Vec<PayerInput>,
}

/// What has to be allocated.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum NeedInput {
    /// A realised loss that insurance did not pay.
    Deficit {
        /// How much.
        amount: Number,
        /// In which asset. Default: the market's settlement asset, or the numeraire without a market.
        #[serde(default)]
        asset: Option<String>,
        /// The largest single loss in it, for the measure that compares with it.
        #[serde(default)]
        largest_loss: Option<Number>,
        /// What has to be taken from winners, where that is less than the deficit. Default: all of it. A measure only.
        #[serde(default)]
        needed: Option<Number>,
    },
    /// A position that nobody took.
    CloseOut {
        /// Whose.
        of: u32,
        /// Signed size of that position.
        size: Number,
        /// At which price it is closed: its bankruptcy price.
        price: Number,
    },
}

/// Someone who may have to pay. Amounts are in the market's settlement asset.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct PayerInput {
    /// The group's number.
    group: u32,
    /// Signed size of its position in the market.
    size: Number,
    /// Unrealised gain since entry, negative for a loss.
    gain: Number,
    /// Equity of the group.
    equity: Number,
    /// Absolute notional of the position at mark.
    notional: Number,
    /// What the position cost, signed as the size.
    cost: Number,
    /// The most that can be taken as a haircut. Default: the gain, where it is above zero.
    #[serde(default)]
    room: Option<Number>,
    /// What the group must hold at maintenance; some queues rank by it. Default: 0.
    #[serde(default)]
    maintenance: Option<Number>,
}

/// The answer of `adl allocate`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "adl allocate: answer")]
#[serde(untagged)]
pub(crate) enum Output {
    /// Of one policy.
    One(Box<Settled>),
    /// Of all, with `--policy all`.
    All(Comparison),
}

/// What one policy says: covered + residual = need, exactly.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Settled {
    /// In order.
    measures: Vec<MeasureOutput>,
    /// What nobody covers: in the settlement asset for a deficit, a size for a close-out.
    residual: Number,
    /// What that means for the winners.
    metrics: Measures,
}

/// What each policy means for the winners.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Comparison {
    /// The stack's own policy first, then those of docs/adl.md that answer such a need.
    policies: Vec<Compared>,
}

/// One policy of a comparison.
#[derive(Debug, Serialize, JsonSchema)]
struct Compared {
    /// Its name, or `stack` for the stack's own.
    policy: &'static str,
    /// What nobody covers.
    residual: Number,
    /// What it means for the winners.
    metrics: Measures,
}

/// One measure.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum MeasureOutput {
    /// The payer trades this signed size at this price, against its position.
    Close { payer: u32, market: String, size: Number, price: Number },
    /// Cash is taken from the payer's gain.
    Haircut { payer: u32, amount: Number },
    /// The suppliers of a pool bear it.
    WriteDown { pool: String, amount: Number },
    /// Every lot of the market, long or short, owes its share of it as funding.
    ShiftFunding { amount: Number },
    /// It is booked as a deficit and waits.
    Carry { amount: Number },
}

pub(crate) fn run(args: &AdlAllocateArgs, ui: &Ui) -> Result<ExitCode, CliError> {
    let chosen = args.stack.chosen()?;
    let document = match &args.deficit {
        Some(amount) => Document::of("the command line".into(), question(args, amount)),
        None => Document::read(&args.input)?,
    };
    let input: Input = document.parse()?;
    let composed = Composed::choose(chosen.as_ref(), &document, input.stack.as_ref(), &input.replace)?;
    let asked = Asked::of(&composed, &input, args, &document.top())?;
    ui.value(&asked.answer(args.policy.as_deref())?)?;
    Ok(ExitCode::SUCCESS)
}

/// The question that `--deficit` and `--market` ask.
fn question(args: &AdlAllocateArgs, amount: &str) -> Value {
    json!({ "need": { "deficit": { "amount": amount } }, "market": args.market })
}

/// A need and those who may have to pay.
struct Asked<'a> {
    composed: &'a Composed,
    need: Need,
    known: Known,
    asset: &'a AssetTerms,
    payers: Vec<Payer>,
    at: At,
    place: Place<'a>,
}

impl<'a> Asked<'a> {
    fn of(
        composed: &'a Composed,
        input: &Input,
        args: &AdlAllocateArgs,
        top: &Place<'a>,
    ) -> Result<Self, CliError> {
        let all = &composed.parts().markets;
        let market = match (&input.market, all.as_slice()) {
            (Some(name), _) => Some(composed.market(name, &top.field("market"))?),
            (None, [only]) if args.deficit.is_some() => Some(only),
            (None, _) => None,
        };
        let place = top.field("need");
        let need = need(composed, market, &input.need, &place)?;
        let asset = composed.asset_terms(need.asset)?;
        let mut known = Known::default();
        if let NeedInput::Deficit { largest_loss, needed, .. } = &input.need {
            let amount = |key: &str, x: &Option<Number>| match x {
                Some(x) => composed.amount(asset, *x, &place.field("deficit").field(key)).map(Some),
                None => Ok(None),
            };
            known = Known {
                largest_loss: amount("largest_loss", largest_loss)?,
                needed: amount("needed", needed)?,
            };
        }
        let mut payers = Payers { composed, market, asset, seen: BTreeSet::new(), found: Vec::new() };
        for (i, one) in input.payers.iter().enumerate() {
            payers.add(one, &top.field("payers").item(i))?;
        }
        if let Some(path) = &args.payers {
            payers.add_csv(path)?;
        }
        payers.found.sort_by_key(|p| p.group);
        let at = At { seq: 0, time: Millis(input.time_ms), block: 0 };
        Ok(Self { composed, need, known, asset, payers: payers.found, at, place })
    }

    fn answer(&self, policy: Option<&str>) -> Result<Output, CliError> {
        let own = self.composed.parts().allocation.as_ref();
        let Some(name) = policy else { return Ok(Output::One(Box::new(self.settle(own)?))) };
        let of_quantum =
            self.composed.quantum_exponent().saturating_add(i32::from(self.asset.scale.decimals));
        let known = i8::try_from(of_quantum)
            .map_err(|_| format!("a quantum of 10^{of_quantum} atoms"))
            .and_then(|q| policies(q).map_err(|e| e.to_string()));
        let known = known.map_err(|e| CliError::BadInput(format!("--policy {name}: {e}")))?;
        let in_cash = matches!(self.need.cause, Cause::Deficit);
        let answers = |p: &&Policy| if in_cash { p.pays } else { p.closes };
        let mut fitting = known.iter().filter(answers);
        if name == "all" {
            let mut all = vec![self.compared("stack", own)?];
            for p in fitting {
                all.push(self.compared(p.name, p.rule.as_ref())?);
            }
            return Ok(Output::All(Comparison { policies: all }));
        }
        match fitting.clone().find(|p| p.name == name) {
            Some(p) => Ok(Output::One(Box::new(self.settle(p.rule.as_ref())?))),
            None => {
                let names = std::iter::once("all").chain(fitting.by_ref().map(|p| p.name));
                let names: Vec<String> = names.map(|n| format!("{n:?}")).collect();
                Err(CliError::BadInput(format!(
                    "--policy {name:?}; accepted for such a need: {}",
                    one_of(&names)
                )))
            }
        }
    }

    fn compared(&self, policy: &'static str, rule: &dyn LossAllocation) -> Result<Compared, CliError> {
        let Settled { residual, metrics, .. } = self.settle(rule)?;
        Ok(Compared { policy, residual, metrics })
    }

    fn settle(&self, rule: &dyn LossAllocation) -> Result<Settled, CliError> {
        let Self { composed, need, asset, payers, .. } = self;
        let settled = MapMemory::default()
            .with(Slot(1), |m| rule.allocate(self.at, need, &payers.as_slice(), m))
            .map_err(|e| CliError::at(&self.place, e))?;
        let measures =
            settled.measures.iter().map(|m| measure(composed, asset, m)).collect::<Result<_, _>>()?;
        let residual = match (need.cause, need.market) {
            (Cause::CloseOut { .. }, Some(market)) => composed.size(market, settled.residual)?,
            _ => composed.units(asset.id, settled.residual)?,
        };
        let measured = Measured { composed, asset, need, known: self.known, payers };
        Ok(Settled { measures, residual, metrics: measured.metrics(&settled)? })
    }
}

fn need(
    composed: &Composed,
    market: Option<&MarketTerms>,
    given: &NeedInput,
    at: &Place<'_>,
) -> Result<Need, CliError> {
    match given {
        NeedInput::Deficit { amount, asset, .. } => {
            let at = at.field("deficit");
            let terms = match (asset, market) {
                (Some(name), _) => composed.asset(name, &at.field("asset"))?,
                (None, Some(market)) => composed.asset_terms(market.settlement)?,
                (None, None) => composed.numeraire(&at.field("asset"))?,
            };
            let amount = composed.amount(terms, *amount, &at.field("amount"))?;
            Ok(Need { cause: Cause::Deficit, market: market.map(|m| m.id), asset: terms.id, amount })
        }
        NeedInput::CloseOut { of, size, price } => {
            let at = at.field("close_out");
            let market =
                market.ok_or_else(|| CliError::at(&at, "no market; accepted: a market beside need"))?;
            let lots = composed.lots(market, *size, &at.field("size"))?;
            let price = composed.ticks(Instrument::Market(market.id), *price, &at.field("price"))?;
            let cause = Cause::CloseOut { of: GroupId(*of), lots, price };
            Ok(Need { cause, market: Some(market.id), asset: market.settlement, amount: Amount::ZERO })
        }
    }
}

/// Those who may have to pay, as they are read.
struct Payers<'a> {
    composed: &'a Composed,
    market: Option<&'a MarketTerms>,
    asset: &'a AssetTerms,
    seen: BTreeSet<u32>,
    found: Vec<Payer>,
}

impl Payers<'_> {
    fn add(&mut self, one: &PayerInput, at: &Place<'_>) -> Result<(), CliError> {
        let Some(market) = self.market else {
            let accepted = "the market that the payers hold, as market or beside --deficit as --market";
            return Err(CliError::at(at, format_args!("no market; accepted: {accepted}")));
        };
        if !self.seen.insert(one.group) {
            return Err(CliError::refuse(&at.field("group"), "each group once"));
        }
        self.found.push(payer(self.composed, market, self.asset, one, at)?);
        Ok(())
    }

    /// One payer per row; the header names the columns as the fields of `payers` are named.
    fn add_csv(&mut self, path: &Path) -> Result<(), CliError> {
        let text = read_text(path)?;
        let name = path.display();
        let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
        let wrong = |e: &csv::Error| {
            let line = e.position().map_or(1, csv::Position::line);
            CliError::BadInput(format!(
                "{name}: line {line}: {e}; accepted: as many fields as the header has"
            ))
        };
        let columns = reader.headers().map_err(|e| wrong(&e))?.clone();
        for row in reader.records() {
            let row = row.map_err(|e| wrong(&e))?;
            let line = row.position().map_or(1, csv::Position::line);
            let mut fields = Map::new();
            for (column, text) in columns.iter().zip(&row).filter(|(_, text)| !text.is_empty()) {
                // groups are numbers, all else is decimals in strings
                let group = (column == "group").then(|| text.parse::<u32>().ok()).flatten();
                let value = group.map_or_else(|| Value::from(text), Value::from);
                if fields.insert(column.to_owned(), value).is_some() {
                    return Err(CliError::BadInput(format!(
                        "{name}: line 1: the column {column:?} stands twice; accepted: once"
                    )));
                }
            }
            let document = Document::of(format!("{name}: line {line}"), Value::Object(fields));
            self.add(&document.parse()?, &document.top())?;
        }
        Ok(())
    }
}

fn payer(
    composed: &Composed,
    market: &MarketTerms,
    asset: &AssetTerms,
    given: &PayerInput,
    at: &Place<'_>,
) -> Result<Payer, CliError> {
    let gain = composed.amount(asset, given.gain, &at.field("gain"))?;
    let room = given.room.map(|x| composed.amount(asset, x, &at.field("room"))).transpose()?;
    let maintenance = given.maintenance.map(|x| composed.amount(asset, x, &at.field("maintenance")));
    let maintenance = maintenance.transpose()?;
    Ok(Payer {
        group: GroupId(given.group),
        lots: composed.lots(market, given.size, &at.field("size"))?,
        gain,
        equity: composed.amount(asset, given.equity, &at.field("equity"))?,
        notional: composed.quanta(given.notional, &at.field("notional"))?,
        cost: composed.quanta(given.cost, &at.field("cost"))?,
        room: room.unwrap_or_else(|| gain.positive_part()),
        maintenance: maintenance.unwrap_or(Amount::ZERO),
    })
}

fn measure(composed: &Composed, asset: &AssetTerms, m: &Measure) -> Result<MeasureOutput, CliError> {
    Ok(match m {
        Measure::Close { payer, market, lots, price } => MeasureOutput::Close {
            payer: payer.0,
            market: composed.market_terms(*market)?.name.clone(),
            size: composed.size(*market, i128::from(lots.get()))?,
            price: composed.price(Instrument::Market(*market), *price)?,
        },
        Measure::Haircut { payer, amount } => {
            MeasureOutput::Haircut { payer: payer.0, amount: composed.units(asset.id, amount.get())? }
        }
        Measure::WriteDown { pool, amount } => MeasureOutput::WriteDown {
            pool: composed.pool_name(*pool),
            amount: composed.units(asset.id, amount.get())?,
        },
        Measure::ShiftFunding { amount } => {
            MeasureOutput::ShiftFunding { amount: composed.units(asset.id, amount.get())? }
        }
        Measure::Carry { amount } => MeasureOutput::Carry { amount: composed.units(asset.id, amount.get())? },
    })
}
