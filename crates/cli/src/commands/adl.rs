//! `cofferdam adl allocate`: who pays a loss that liquidation and insurance left, or takes a position that nobody took.

use crate::args::RoomArgs;
use crate::composed::Composed;
use crate::document::{Document, Place};
use crate::error::CliError;
use crate::format::{Number, Sections, StackInput};
use crate::ui::Ui;
use cofferdam_core::{Amount, At, GroupId, Instrument, MapMemory, Millis, Slot};
use cofferdam_liquidation_strategy::{Cause, Measure, Need, Payer};
use cofferdam_stack::{AssetTerms, MarketTerms};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
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

/// The answer of `adl allocate`: covered + residual = need, exactly.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "adl allocate: answer")]
pub(crate) struct Output {
    /// In order.
    measures: Vec<MeasureOutput>,
    /// What nobody covers: in the settlement asset for a deficit, a size for a close-out.
    residual: Number,
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

pub(crate) fn run(args: &RoomArgs, ui: &Ui) -> Result<ExitCode, CliError> {
    let document = Document::read(&args.input)?;
    let input: Input = document.parse()?;
    let composed =
        Composed::choose(args.stack.chosen()?.as_ref(), &document, input.stack.as_ref(), &input.replace)?;
    ui.value(&allocate(&composed, &input, &document.top())?)?;
    Ok(ExitCode::SUCCESS)
}

fn allocate(composed: &Composed, input: &Input, top: &Place<'_>) -> Result<Output, CliError> {
    let market = input.market.as_ref().map(|name| composed.market(name, &top.field("market"))).transpose()?;
    let need = need(composed, market, &input.need, &top.field("need"))?;
    let asset = composed.asset_terms(need.asset)?;
    let payers = payers(composed, market, asset, &input.payers, top)?;
    let at = At { seq: 0, time: Millis(input.time_ms), block: 0 };
    let policy = &composed.parts().allocation;
    let settled = MapMemory::default()
        .with(Slot(1), |m| policy.allocate(at, &need, &payers.as_slice(), m))
        .map_err(|e| CliError::at(&top.field("need"), e))?;
    let measures = settled.measures.iter().map(|m| measure(composed, asset, m)).collect::<Result<_, _>>()?;
    let residual = match (need.cause, need.market) {
        (Cause::CloseOut { .. }, Some(market)) => composed.size(market, settled.residual)?,
        _ => composed.units(asset.id, settled.residual)?,
    };
    Ok(Output { measures, residual })
}

fn need(
    composed: &Composed,
    market: Option<&MarketTerms>,
    given: &NeedInput,
    at: &Place<'_>,
) -> Result<Need, CliError> {
    match given {
        NeedInput::Deficit { amount, asset } => {
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

fn payers(
    composed: &Composed,
    market: Option<&MarketTerms>,
    asset: &AssetTerms,
    given: &[PayerInput],
    top: &Place<'_>,
) -> Result<Vec<Payer>, CliError> {
    let mut payers: Vec<Payer> = Vec::new();
    for (i, one) in given.iter().enumerate() {
        let at = top.field("payers").item(i);
        let market = market
            .ok_or_else(|| CliError::refuse(&top.field("market"), "the market that the payers hold"))?;
        if payers.iter().any(|p| p.group.0 == one.group) {
            return Err(CliError::refuse(&at.field("group"), "each group once"));
        }
        payers.push(payer(composed, market, asset, one, &at)?);
    }
    payers.sort_by_key(|p| p.group);
    Ok(payers)
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
