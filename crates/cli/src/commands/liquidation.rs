//! `cofferdam liquidation plan`: what the strategy would do with an account now, for the engine or for a keeper's bid.

use super::margin::{LineOutput, assess, levels};
use crate::args::RoomArgs;
use crate::composed::{Composed, whole};
use crate::document::{Document, Place};
use crate::error::CliError;
use crate::format::{GroupInput, MarketInput, Number, Prices, Sections, StackInput};
use crate::ui::Ui;
use crate::world::{Group, world};
use cofferdam_core::{
    At, Case, FundingIndex, GroupId, Health, Holder, Instrument, Item, Level, MapMemory, MathError, Millis,
    Posting, Quanta, Slot, Verdict, World,
};
use cofferdam_liquidation_strategy::{Bid, Penalty, Plan, Refusal, Step, Taker};
use cofferdam_margin_engine::Holdings;
use cofferdam_stack::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::process::ExitCode;

/// The question of `liquidation plan`: one group at prices, and who wants to liquidate it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "liquidation plan")]
pub(crate) struct Input {
    /// The stack; `--stack FILE` comes before it.
    #[serde(default)]
    stack: Option<StackInput>,
    /// Sections of the stack file that are replaced for this question: a strategy of your own in `liquidation`.
    #[serde(default)]
    replace: Sections,
    /// Milliseconds since the Unix epoch. Default: 0.
    #[serde(default)]
    time_ms: u64,
    /// Prices of everything that the group holds.
    prices: Prices,
    /// Further terms of markets, by name.
    #[serde(default)]
    markets: BTreeMap<String, MarketInput>,
    /// The account.
    group: GroupInput,
    /// The offer. Default: the engine's own, which leaves everything to the strategy.
    #[serde(default)]
    bid: Option<BidInput>,
    /// What insurance could pay now, in the numeraire. Default: nothing.
    #[serde(default)]
    cover: Option<Number>,
}

/// A keeper's offer. What is left out is left to the strategy.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct BidInput {
    /// The keeper's own group.
    keeper: u32,
    /// What the keeper gives: a debt that it repays, or a position that it takes.
    #[serde(default)]
    give: Option<ItemInput>,
    /// How much it gives.
    #[serde(default)]
    give_amount: Option<Number>,
    /// What the keeper wants.
    #[serde(default)]
    want: Option<ItemInput>,
    /// The least that it accepts of what it wants.
    #[serde(default)]
    at_least: Option<Number>,
}

/// Something that is held, by name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum ItemInput {
    /// An asset.
    Asset(String),
    /// A debt in an asset.
    Debt(String),
    /// A position in a market.
    Position(String),
}

/// The answer of `liquidation plan`: the plan, or why there is none.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "liquidation plan: answer")]
pub(crate) struct Output {
    group: u32,
    equity: Number,
    #[schemars(with = "BTreeMap<String, LineOutput>")]
    levels: BTreeMap<Level, LineOutput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanOutput>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<RefusalOutput>,
}

/// What to do now.
#[derive(Debug, Serialize, JsonSchema)]
struct PlanOutput {
    /// In order; each is applied to the account as the one before left it.
    steps: Vec<StepOutput>,
    /// When to ask again if the account is still below; absent: at the next price.
    #[serde(skip_serializing_if = "Option::is_none")]
    again_ms: Option<u64>,
    /// Whether a step is known to worsen the health ratio.
    worsens: bool,
}

/// One step.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum StepOutput {
    /// An order with its worst price.
    Order { market: String, size: Number, limit: Number, penalty: PenaltyOutput, expires_ms: u64 },
    /// A trade with the market's own pool.
    Trade { market: String, size: Number, pool: String, limit: Number, penalty: PenaltyOutput },
    /// A balanced exchange.
    Move { postings: Vec<PostingOutput> },
    /// A size that the keeper who bids takes over, at a price.
    Take { market: String, size: Number, price: Number, penalty: PenaltyOutput },
    /// Collateral into a new auction, with the debt that it has to raise, in scaled units.
    Auction { asset: String, lot: Number, debt: String, scaled: String },
    /// Debt that a pool of depositors pays off, in scaled units, for collateral.
    Offset { pool: String, asset: String, amount: Number, debt: String, scaled: String },
    /// Debt, in scaled units, and collateral that the other borrowers take over.
    Redistribute { asset: String, amount: Number, debt: String, scaled: String },
    /// A size that nobody took, handed to loss allocation.
    Deleverage { market: String, size: Number, price: Number },
    /// A debt that nothing backs, handed to the waterfall.
    Loss { holder: HolderOutput, asset: String, amount: Number },
    /// What insurance pays into the account, for who buys back what it owes.
    Cover { asset: String, amount: Number },
    /// What the account's price bands hold from then on: the number of the first, and per band what was got for what was sold and
    /// what is still there, in wads.
    Bands { first: i64, sold: Vec<String>, held: Vec<String> },
    /// What the keeper who starts an auction stakes on it.
    Stake { asset: String, amount: Number },
}

/// Charged on what is filled; what the shares leave goes to the house.
#[derive(Debug, Serialize, JsonSchema)]
struct PenaltyOutput {
    /// Share of the notional that is filled.
    rate: Number,
    to_insurance: Number,
    to_keeper: Number,
}

/// A change of one holding.
#[derive(Debug, Serialize, JsonSchema)]
struct PostingOutput {
    holder: HolderOutput,
    item: ItemInput,
    amount: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    cost: Option<Number>,
}

/// Who holds it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum HolderOutput {
    Group(u32),
    Pool(String),
    Auction(u32),
    Layer(String),
    House(#[schemars(with = "String")] cofferdam_core::House),
    Outside,
}

/// Why there is no plan.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum RefusalOutput {
    /// The account is not below maintenance.
    Healthy,
    /// More than the strategy lets this bidder take; it would accept this much.
    TooMuch { max: Number },
    /// Less than the smallest piece, which is this.
    TooLittle { min: Number },
    /// Not before this time.
    NotBefore { time_ms: u64 },
    /// The bidder would get only this of what it wants.
    BelowAsk { offered: Number },
    /// The strategy takes other bids only.
    NotForThisBid { takes: &'static str },
    /// Nothing is left that the strategy could close.
    Nothing,
    /// Another reason, in the strategy's words.
    Other(String),
}

pub(crate) fn run(args: &RoomArgs, ui: &Ui) -> Result<ExitCode, CliError> {
    let document = Document::read(&args.input)?;
    let input: Input = document.parse()?;
    let composed =
        Composed::choose(args.stack.chosen()?.as_ref(), &document, input.stack.as_ref(), &input.replace)?;
    ui.value(&plan(&composed, &input, &document.top())?)?;
    Ok(ExitCode::SUCCESS)
}

fn plan(composed: &Composed, input: &Input, top: &Place<'_>) -> Result<Output, CliError> {
    let world =
        world(composed, &input.prices, &input.markets, (&top.field("prices"), &top.field("markets")))?;
    let at = top.field("group");
    let group = Group::read(composed, &input.group, &at)?;
    let health = assess(composed, &world, &group, &at)?;
    let bid = input.bid.as_ref().map(|b| bid(composed, b, &top.field("bid"))).transpose()?;
    let bid = bid.unwrap_or(Bid::ENGINE);
    let cover = input.cover.map_or(Ok(Quanta::ZERO), |x| composed.quanta(x, &top.field("cover")))?;
    // the stack settles funding before it plans, so the view has none left
    let mut holdings = Holdings::new();
    group.account.view(&world, &mut holdings).map_err(|e| CliError::at(&at, e))?;
    let what_if = |postings: &[Posting]| health_after(composed, &world, &group, postings);
    let case = Case {
        at: At { seq: 0, time: Millis(input.time_ms), block: 0 },
        group: holdings.group(group.id),
        health,
        world: &world,
        allowed: Verdict::ALLOW,
        cover,
        auction: None,
        next_auction: cofferdam_core::AuctionId(0),
        what_if: &what_if,
        totals: &|_, _| Ok(cofferdam_core::PoolTotals::default()), // one account: nobody else is known
    };
    let answer = MapMemory::default()
        .with(Slot(1), |m| composed.parts().liquidation.plan(&case, &bid, m))
        .map_err(|e| CliError::at(&at, e))?;
    let (plan, refusal) = match answer {
        Ok(plan) => (Some(plan_output(composed, &plan)?), None),
        Err(refusal) => (None, Some(refusal_output(composed, &bid, refusal)?)),
    };
    let (levels, equity) = (levels(composed, &health), composed.value(health.equity));
    Ok(Output { group: group.id.0, equity, levels, plan, refusal })
}

fn health_after(
    composed: &Composed,
    world: &State,
    group: &Group,
    postings: &[Posting],
) -> Result<Health, MathError> {
    let mut account = group.account.clone();
    for p in postings.iter().filter(|p| p.holder == Holder::Group(group.id)) {
        let funding = match p.item {
            Item::Position(m) => world.market(m).map_or(FundingIndex::ZERO, |v| v.funding),
            _ => FundingIndex::ZERO,
        };
        account.apply(p.item, p.units, p.cost, funding).map_err(|_| MathError::Overflow)?;
    }
    let mut holdings = Holdings::new();
    account.view(world, &mut holdings).map_err(|_| MathError::Overflow)?;
    composed.parts().margin.assess(&holdings.group(group.id), world).map_err(|_| MathError::Overflow)
}

fn bid(composed: &Composed, given: &BidInput, at: &Place<'_>) -> Result<Bid, CliError> {
    let give = match (&given.give, given.give_amount) {
        (Some(item), Some(x)) => {
            let item = self::item(composed, item, &at.field("give"))?;
            Some((item, item_units(composed, item, x, &at.field("give_amount"))?))
        }
        (None, None) => None,
        (Some(_), None) => return Err(CliError::refuse(&at.field("give_amount"), "how much is given")),
        (None, Some(_)) => return Err(CliError::refuse(&at.field("give"), "what is given")),
    };
    let want = given.want.as_ref().map(|item| self::item(composed, item, &at.field("want"))).transpose()?;
    let at_least = match (want, given.at_least) {
        (Some(item), Some(x)) => Some(item_units(composed, item, x, &at.field("at_least"))?),
        (None, Some(_)) => return Err(CliError::refuse(&at.field("want"), "what is wanted")),
        (_, None) => None,
    };
    Ok(Bid { by: Taker::Keeper(GroupId(given.keeper)), give, want, at_least, ..Bid::ENGINE })
}

fn item(composed: &Composed, given: &ItemInput, at: &Place<'_>) -> Result<Item, CliError> {
    Ok(match given {
        ItemInput::Asset(name) => Item::Asset(composed.asset(name, &at.field("asset"))?.id),
        ItemInput::Debt(name) => Item::Debt(composed.asset(name, &at.field("debt"))?.id),
        ItemInput::Position(name) => Item::Position(composed.market(name, &at.field("position"))?.id),
    })
}

fn item_exponent(composed: &Composed, item: Item) -> Result<i32, CliError> {
    match item {
        Item::Asset(id) | Item::Debt(id) => {
            Ok(i32::from(composed.asset_terms(id)?.scale.decimals).saturating_neg())
        }
        Item::Position(id) => Ok(composed.market_terms(id)?.lot_exponent),
        Item::Share(_) => Ok(0),
    }
}

fn item_units(composed: &Composed, item: Item, x: Number, at: &Place<'_>) -> Result<i128, CliError> {
    whole(x.0, item_exponent(composed, item)?, "units", at)
}

fn item_output(composed: &Composed, item: Item) -> Result<ItemInput, CliError> {
    Ok(match item {
        Item::Asset(id) => ItemInput::Asset(composed.asset_terms(id)?.name.clone()),
        Item::Debt(id) => ItemInput::Debt(composed.asset_terms(id)?.name.clone()),
        Item::Position(id) => ItemInput::Position(composed.market_terms(id)?.name.clone()),
        Item::Share(id) => ItemInput::Asset(format!("share of {}", composed.pool_name(id))),
    })
}

fn holder_output(composed: &Composed, holder: Holder) -> HolderOutput {
    match holder {
        Holder::Group(id) => HolderOutput::Group(id.0),
        Holder::Pool(id) => HolderOutput::Pool(composed.pool_name(id)),
        Holder::Auction(id) => HolderOutput::Auction(id.0),
        Holder::Layer(id) => HolderOutput::Layer(composed.layer_name(id)),
        Holder::House(house) => HolderOutput::House(house),
        Holder::Outside => HolderOutput::Outside,
    }
}

fn plan_output(composed: &Composed, plan: &Plan) -> Result<PlanOutput, CliError> {
    let steps = plan.steps.iter().map(|s| step_output(composed, s)).collect::<Result<_, _>>()?;
    Ok(PlanOutput { steps, again_ms: plan.again.map(|t| t.0), worsens: plan.worsens })
}

fn step_output(composed: &Composed, step: &Step) -> Result<StepOutput, CliError> {
    let name = |id| composed.market_terms(id).map(|m| m.name.clone());
    let size = |id, lots: cofferdam_core::Lots| composed.size(id, i128::from(lots.get()));
    let price = |id, ticks| composed.price(Instrument::Market(id), ticks);
    Ok(match step {
        Step::Order { market, lots, limit, penalty, expires } => StepOutput::Order {
            market: name(*market)?,
            size: size(*market, *lots)?,
            limit: price(*market, *limit)?,
            penalty: penalty_output(penalty),
            expires_ms: expires.0,
        },
        Step::Trade { market, lots, with, limit, penalty } => StepOutput::Trade {
            market: name(*market)?,
            size: size(*market, *lots)?,
            pool: composed.pool_name(*with),
            limit: price(*market, *limit)?,
            penalty: penalty_output(penalty),
        },
        Step::Take { market, lots, price: at, penalty } => StepOutput::Take {
            market: name(*market)?,
            size: size(*market, *lots)?,
            price: price(*market, *at)?,
            penalty: penalty_output(penalty),
        },
        Step::Auction { asset, lot, debt, scaled } => StepOutput::Auction {
            asset: composed.asset_terms(*asset)?.name.clone(),
            lot: composed.units(*asset, lot.get())?,
            debt: composed.asset_terms(*debt)?.name.clone(),
            scaled: scaled.get().to_string(),
        },
        Step::Offset { pool, asset, amount, debt, scaled } => StepOutput::Offset {
            pool: composed.pool_name(*pool),
            asset: composed.asset_terms(*asset)?.name.clone(),
            amount: composed.units(*asset, amount.get())?,
            debt: composed.asset_terms(*debt)?.name.clone(),
            scaled: scaled.get().to_string(),
        },
        Step::Redistribute { asset, amount, debt, scaled } => StepOutput::Redistribute {
            asset: composed.asset_terms(*asset)?.name.clone(),
            amount: composed.units(*asset, amount.get())?,
            debt: composed.asset_terms(*debt)?.name.clone(),
            scaled: scaled.get().to_string(),
        },
        Step::Cover { asset, amount } => StepOutput::Cover {
            asset: composed.asset_terms(*asset)?.name.clone(),
            amount: composed.units(*asset, amount.get())?,
        },
        Step::Stake { asset, amount } => StepOutput::Stake {
            asset: composed.asset_terms(*asset)?.name.clone(),
            amount: composed.units(*asset, amount.get())?,
        },
        Step::Move(postings) => StepOutput::Move {
            postings: postings.iter().map(|p| posting_output(composed, p)).collect::<Result<_, _>>()?,
        },
        Step::Deleverage { market, lots, price: at } => StepOutput::Deleverage {
            market: name(*market)?,
            size: size(*market, *lots)?,
            price: price(*market, *at)?,
        },
        Step::Bands(bands) => StepOutput::Bands {
            first: bands.first,
            sold: bands.sold.iter().map(u128::to_string).collect(),
            held: bands.held.iter().map(u128::to_string).collect(),
        },
        Step::Loss { holder, asset, amount } => StepOutput::Loss {
            holder: holder_output(composed, *holder),
            asset: composed.asset_terms(*asset)?.name.clone(),
            amount: composed.units(*asset, amount.get())?,
        },
    })
}

fn penalty_output(penalty: &Penalty) -> PenaltyOutput {
    let ratio = |x: cofferdam_core::Ppb| Number::of(i128::from(x.0), -9);
    PenaltyOutput {
        rate: ratio(penalty.rate),
        to_insurance: ratio(penalty.to_insurance),
        to_keeper: ratio(penalty.to_keeper),
    }
}

fn posting_output(composed: &Composed, p: &Posting) -> Result<PostingOutput, CliError> {
    Ok(PostingOutput {
        holder: holder_output(composed, p.holder),
        item: item_output(composed, p.item)?,
        amount: Number::of(p.units, item_exponent(composed, p.item)?),
        cost: matches!(p.item, Item::Position(_)).then(|| composed.value(p.cost)),
    })
}

fn refusal_output(composed: &Composed, bid: &Bid, refusal: Refusal) -> Result<RefusalOutput, CliError> {
    let given = bid.give.map_or(Ok(0), |(item, _)| item_exponent(composed, item))?;
    let wanted = bid.want.map_or(Ok(0), |item| item_exponent(composed, item))?;
    Ok(match refusal {
        Refusal::Healthy => RefusalOutput::Healthy,
        Refusal::TooMuch { max } => RefusalOutput::TooMuch { max: Number::of(max, given) },
        Refusal::TooLittle { min } => RefusalOutput::TooLittle { min: Number::of(min, given) },
        Refusal::NotBefore { time } => RefusalOutput::NotBefore { time_ms: time.0 },
        Refusal::BelowAsk { offered } => RefusalOutput::BelowAsk { offered: Number::of(offered, wanted) },
        Refusal::NotForThisBid { takes } => RefusalOutput::NotForThisBid { takes },
        Refusal::Nothing => RefusalOutput::Nothing,
        other => RefusalOutput::Other(format!("{other:?}")),
    })
}
