//! What enters a stack. A request may be refused; a report may not: it is booked even when it is unwelcome.

use cofferdam_core::{
    Amount, AssetId, At, AuctionId, DrawId, GroupId, Instrument, LayerId, Lots, MarketId, Millis, OrderId,
    PoolId, Ppb, PriceState, Quanta, Quote, ScenarioPrice, Ticks,
};
use serde::{Deserialize, Serialize};

/// Names an input for ever: each source numbers what it sends, upwards. The same id again is a duplicate: nothing happens
/// and the answer is the same (INV-40).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InputId {
    /// Who sends.
    pub source: u32,
    /// Which of its inputs.
    pub number: u64,
}

/// An input: what the world says, with its own time. Time comes only with inputs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// Its name.
    pub id: InputId,
    /// When; never before the input before it (INV-42).
    pub time: Millis,
    /// In which block; zero where the host has none.
    pub block: u64,
    /// What.
    pub body: Body,
}

/// What an input says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Body {
    /// Report: time passed.
    Clock,
    /// Report: sources published quotes.
    Quotes(Vec<(Instrument, Quote)>),
    /// Report: volatility as computed outside, for requirements that scale with it.
    Volatility {
        /// Which market.
        market: MarketId,
        /// Annualised.
        volatility: Ppb,
    },
    /// Report: collateral arrived for a group.
    Deposit {
        /// Whose.
        group: GroupId,
        /// What.
        asset: AssetId,
        /// How much.
        amount: Amount,
    },
    /// Report: an order of ours was filled, in part or whole. Unknown orders and lots beyond the order are booked to
    /// suspense with an alarm.
    Fill {
        /// Which order.
        order: OrderId,
        /// Signed lots that were traded for it.
        lots: Lots,
        /// At which price.
        price: Ticks,
        /// Who took the other side; a position has its counterparty in the book.
        counterparty: GroupId,
    },
    /// Report: an order of ours ended without more fills.
    OrderEnded {
        /// Which order.
        order: OrderId,
        /// How.
        outcome: OrderOutcome,
    },
    /// Report: money was escrowed for an insurance layer.
    Escrow {
        /// For which layer.
        layer: LayerId,
        /// In which asset.
        asset: AssetId,
        /// How much.
        amount: Amount,
    },
    /// Report: a provider committed capacity.
    Commitment {
        /// Which layer.
        layer: LayerId,
        /// At most this much in all.
        capacity: Quanta,
        /// Last instant at which it may be drawn on.
        expires: Millis,
        /// Whether the money lies in the ledger under the layer; else a draw is a receivable until paid.
        escrowed: bool,
    },
    /// Report: a draw on a promised layer was settled.
    Settlement {
        /// Which draw.
        draw: DrawId,
        /// What was paid of it; what is missing goes back to the waterfall.
        paid: Amount,
    },
    /// Request: take collateral out.
    Withdraw {
        /// Whose.
        group: GroupId,
        /// What.
        asset: AssetId,
        /// How much.
        amount: Amount,
    },
    /// Request: a trade that our own matching proposes.
    Trade {
        /// Who trades.
        taker: GroupId,
        /// Against whom.
        maker: GroupId,
        /// Where.
        market: MarketId,
        /// Signed lots that the taker buys.
        lots: Lots,
        /// At which price.
        price: Ticks,
    },
    /// Request: a trade with the market's own pool.
    PoolTrade {
        /// Who trades.
        taker: GroupId,
        /// Where.
        market: MarketId,
        /// Signed lots that the taker buys.
        lots: Lots,
        /// Worst price accepted, fee included.
        limit: Ticks,
    },
    /// Request: supply an asset to a pool for shares.
    Supply {
        /// Who.
        group: GroupId,
        /// Which pool.
        pool: PoolId,
        /// How much.
        amount: Amount,
    },
    /// Request: give shares back for what they are worth.
    Redeem {
        /// Who.
        group: GroupId,
        /// Which pool.
        pool: PoolId,
        /// How many shares; of a pool that pays debts off, how many atoms at most of what is left of the deposit.
        shares: u128,
    },
    /// Request: borrow from a pool against the group's collateral.
    Borrow {
        /// Who.
        group: GroupId,
        /// Which pool.
        pool: PoolId,
        /// How much.
        amount: Amount,
    },
    /// Request: repay a debt; more than is owed repays what is owed.
    Repay {
        /// Whose.
        group: GroupId,
        /// Which pool.
        pool: PoolId,
        /// How much.
        amount: Amount,
    },
    /// Request: a keeper's bid to liquidate a borrower. Where the asset it wants (or repays) is hedged by lots, the strategy may hand it
    /// those as well: it has to be healthy with both.
    Bid {
        /// Who bids.
        keeper: GroupId,
        /// Whom.
        group: GroupId,
        /// The debt asset repaid.
        debt: AssetId,
        /// How much of it.
        repay: Amount,
        /// The collateral wanted.
        collateral: AssetId,
        /// The least of it that the keeper accepts.
        at_least: Amount,
    },
    /// Request: a fill of an order of ours that our own matching proposes. Guards may refuse it; the order then stays open.
    Match {
        /// Which order.
        order: OrderId,
        /// Signed lots to trade for it, at most what is open.
        lots: Lots,
        /// At which price, no worse than the order's limit.
        price: Ticks,
        /// Who takes the other side.
        counterparty: GroupId,
    },
    /// Request: a keeper's bid to take lots of somebody's position over.
    Take {
        /// Who bids.
        keeper: GroupId,
        /// Whose position.
        group: GroupId,
        /// In which market.
        market: MarketId,
        /// How many lots, above zero, whichever side they are on.
        lots: Lots,
        /// The worst price that the keeper accepts; zero for no limit.
        limit: Ticks,
    },
    /// Request: a keeper buys from an auction.
    AuctionBid {
        /// Who buys.
        keeper: GroupId,
        /// From which auction.
        auction: AuctionId,
        /// How much of what is sold, at most.
        want: Amount,
        /// The most that it pays in all, in the asset that is raised.
        pay: Amount,
    },
    /// Request: a keeper asks that an auction begin again, where its rule says that it may.
    AuctionReset {
        /// Who asks.
        keeper: GroupId,
        /// Which auction.
        auction: AuctionId,
    },
    /// Request: a keeper chooses a winner whose lots are closed against the market's pool, since its side has gained too much.
    Deleverage {
        /// Who chose.
        keeper: GroupId,
        /// Whose position.
        group: GroupId,
        /// In which market.
        market: MarketId,
        /// How many lots, above zero, whichever side they are on.
        lots: Lots,
    },
    /// Report: what instruments would be worth in every scenario, as computed outside. All of it is recorded or nothing: a margin
    /// that reads one instrument's old list beside another's new one would be wrong.
    Scenarios(Vec<MarketScenarios>),
    /// Request: a keeper's bid to liquidate whoever is worst, as many borrowers as it takes, each down to one level of debt per
    /// collateral.
    BidAcross {
        /// Who bids.
        keeper: GroupId,
        /// The debt asset repaid.
        debt: AssetId,
        /// How much of it, at most, for all of them.
        repay: Amount,
        /// The collateral wanted.
        collateral: AssetId,
        /// The least of it, from all of them, that the keeper accepts.
        at_least: Amount,
    },
    /// Request: an exchange with an account's price bands, in either direction, at the price that they make.
    Exchange {
        /// Who trades.
        trader: GroupId,
        /// With whose bands.
        group: GroupId,
        /// What the trader gives.
        give: AssetId,
        /// How much of it, at most: bands that have no more to give take no more.
        amount: Amount,
        /// What it wants.
        want: AssetId,
        /// The least of it that the trader accepts.
        at_least: Amount,
    },
    /// A supplier lends at a price of the collateral that the pool's suppliers price: it stands for no more than that.
    Offer {
        /// The supplier.
        group: GroupId,
        /// Which pool.
        pool: PoolId,
        /// How much, in atoms.
        amount: Amount,
        /// At which price of the collateral, in ticks.
        price: Ticks,
    },
    /// A keeper starts the auction of a group's collateral, and stakes what the strategy asks for it.
    Kick {
        /// The keeper.
        keeper: GroupId,
        /// Whose collateral.
        group: GroupId,
    },
}

/// Scenario values of one market: at least one and at most [`cofferdam_core::SCENARIOS_MAX`], each with low <= high.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MarketScenarios {
    /// Which market.
    pub market: MarketId,
    /// The instrument's value when they were computed.
    pub base: Ticks,
    /// Its value in each scenario, in the scenarios' order.
    pub values: Vec<ScenarioPrice>,
}

impl Body {
    /// Whether this is a report, which is booked even when unwelcome.
    #[must_use]
    pub const fn is_report(&self) -> bool {
        matches!(
            self,
            Self::Clock
                | Self::Quotes(_)
                | Self::Volatility { .. }
                | Self::Scenarios(_)
                | Self::Deposit { .. }
                | Self::Fill { .. }
                | Self::OrderEnded { .. }
                | Self::Escrow { .. }
                | Self::Commitment { .. }
                | Self::Settlement { .. }
        )
    }
}

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrderOutcome {
    /// Nothing is left of it.
    Filled,
    /// Taken back.
    Cancelled,
    /// Refused by the venue.
    Refused,
    /// Its time ran out.
    Expired,
}

/// The answer to an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Answer {
    /// It happened.
    Done,
    /// Booked, but not as its sender thought: somebody should look.
    Alarm(Alarm),
    /// A request that was not granted. Nothing changed.
    Refused(Rejection),
}

/// Something that should be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Alarm {
    /// A fill of an order that is not open: its lots went to suspense.
    UnexpectedFill {
        /// The order named.
        order: OrderId,
        /// Lots in suspense.
        lots: Lots,
    },
    /// An order ended that is not open.
    UnknownOrder {
        /// The order named.
        order: OrderId,
    },
    /// A draw was settled that is not open.
    UnknownDraw {
        /// The draw named.
        draw: DrawId,
    },
    /// A deposit or escrow of nothing, or of less than nothing: there is nothing to book.
    NothingToBook,
    /// A report about a market, asset or layer that the stack does not have.
    Unknown {
        /// What kind of thing.
        what: Named,
        /// Its number.
        id: u32,
    },
    /// A step failed inside and nothing of it was kept: a number outside its range, or a module that broke its contract.
    Failed {
        /// What failed.
        what: String,
    },
    /// A position is past bankruptcy and nobody holds the other side: it stays open until a price or a taker comes.
    NobodyLeft {
        /// Whose.
        group: GroupId,
        /// Lots that should be traded.
        lots: Lots,
    },
    /// An account without positions owes cash, is below maintenance and has collateral that nothing in this stack sells.
    Unsold {
        /// Whose.
        group: GroupId,
    },
    /// A plan named a recipient that would be below maintenance after it: the step was left out.
    UnfitRecipient {
        /// Who would have received.
        group: GroupId,
    },
    /// A fill worse than the order's limit: it is booked, and the venue should be asked.
    WorseThanLimit {
        /// The order named.
        order: OrderId,
        /// At which price it was filled.
        price: Ticks,
        /// The worst price that it accepted.
        limit: Ticks,
    },
    /// A report that cannot be taken in as it is: nothing of it was recorded.
    Malformed {
        /// Which field.
        field: String,
        /// What would be accepted.
        accepted: String,
    },
}

/// A kind of named thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// A market.
    Market,
    /// An asset.
    Asset,
    /// A pool.
    Pool,
    /// An insurance layer.
    Layer,
    /// A margin group.
    Group,
    /// An order of ours.
    Order,
    /// An auction.
    Auction,
}

/// Why a request was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Rejection {
    /// Health after it would be below what the action needs.
    Margin {
        /// Whose.
        group: GroupId,
        /// Support after it.
        support: Quanta,
        /// Demand after it.
        demand: Quanta,
    },
    /// A circuit breaker allows less, or later.
    Breaker {
        /// Which: its place in the configured list. The strictest, the first of equals.
        breaker: u32,
        /// How much is allowed now, in the action's unit.
        allowed: u128,
        /// From when more is.
        not_before: Millis,
    },
    /// The price's state does not permit the action.
    Price {
        /// Of what.
        instrument: Instrument,
        /// Its state.
        state: PriceState,
    },
    /// There is not that much.
    Insufficient {
        /// What there is.
        available: Amount,
    },
    /// The liquidation strategy refused the bid.
    Strategy {
        /// In its words.
        reason: String,
    },
    /// A market, asset, pool or group that does not exist.
    Unknown {
        /// What kind of thing.
        what: Named,
        /// Its number.
        id: u32,
    },
    /// A size, price or amount that must be above zero, or a trade with oneself.
    Malformed {
        /// Which field.
        field: String,
        /// What would be accepted.
        accepted: String,
    },
    /// An input older than the state, or the same number of its source long ago.
    OutOfOrder {
        /// The state is here.
        now: At,
    },
    /// Arithmetic beyond its range: the numbers are too large to be true.
    OutOfRange,
    /// A module of the stack failed on it or broke its contract; an alarm goes with it.
    Failed {
        /// What failed.
        what: String,
    },
}

/// What the stack asks the world to do. The answer comes back as an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Effect {
    /// Send an order.
    Order {
        /// Its name.
        order: OrderId,
        /// For whom.
        group: GroupId,
        /// Where.
        market: MarketId,
        /// Signed lots.
        lots: Lots,
        /// Worst price accepted.
        limit: Ticks,
        /// Unanswered, it ends then.
        expires: Millis,
    },
    /// Take an order back: it is not open here any more, and a fill of it would be unexpected.
    Cancel {
        /// Which.
        order: OrderId,
    },
    /// Ask a layer to pay a draw it promised.
    Settle {
        /// Which draw.
        draw: DrawId,
        /// Of which layer.
        layer: LayerId,
        /// How much, in the asset's atoms.
        amount: Amount,
    },
    /// Tell somebody.
    Raise(Alarm),
}
