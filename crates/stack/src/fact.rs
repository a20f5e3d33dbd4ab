//! What happened: a closed set. A new module never adds a kind, so replaying facts needs no module at all.

use crate::{Answer, InputId, MarketScenarios, OrderOutcome};
use cofferdam_core::{
    Amount, AssetId, At, DrawId, EventId, FundingIndex, GroupId, Index, Instrument, LayerId, Lots, MarketId,
    Millis, OrderId, Posting, Ppb, PriceRole, PriceView, Quanta, Quote, Scope, Slot, Ticks,
};
use serde::{Deserialize, Serialize};

/// One fact. Facts are written by `decide` and applied by `evolve`, in order, whole steps at a time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// An input was taken in and answered; moves the clock.
    Input {
        /// Which.
        id: InputId,
        /// Where it stands.
        at: At,
        /// What was said to it.
        answer: Answer,
    },
    /// Balanced postings: they sum to zero per item. A posting on a group's position also settles its funding marker.
    Post {
        /// Why.
        reason: Reason,
        /// The lines.
        postings: Vec<Posting>,
    },
    /// A source's latest quote.
    Quote {
        /// Of what.
        instrument: Instrument,
        /// The quote.
        quote: Quote,
    },
    /// A resolved price.
    Mark {
        /// Of what.
        instrument: Instrument,
        /// For what.
        role: PriceRole,
        /// The price and its state.
        view: PriceView,
    },
    /// Cumulative funding of a market moved.
    Funding {
        /// Which market.
        market: MarketId,
        /// To where.
        to: FundingIndex,
    },
    /// The debt index of an asset moved.
    Interest {
        /// Which asset.
        asset: AssetId,
        /// To where.
        to: Index,
    },
    /// A recorded term of a market: volatility that was computed outside.
    Volatility {
        /// Which market.
        market: MarketId,
        /// Annualised.
        to: Ppb,
    },
    /// A module's record changed.
    Memory {
        /// Whose.
        slot: Slot,
        /// About what.
        scope: Scope,
        /// Version and fields.
        bytes: Vec<u8>,
    },
    /// An order was placed; its lots are reserved until it ends.
    OrderPlaced(Order),
    /// An order was filled, in part or whole.
    OrderFilled {
        /// Which.
        id: OrderId,
        /// Signed lots.
        lots: Lots,
        /// At which price.
        price: Ticks,
    },
    /// An order ended.
    OrderEnded {
        /// Which.
        id: OrderId,
        /// How.
        outcome: OrderOutcome,
    },
    /// A layer committed capacity.
    Committed(LayerState),
    /// A layer was drawn on.
    Drawn(Draw),
    /// A draw that was a receivable was settled.
    Settled {
        /// Which.
        draw: DrawId,
        /// What was paid of it.
        paid: Amount,
    },
    /// Work was put into the queue.
    WorkAdded {
        /// When and in which order.
        key: WorkKey,
        /// What.
        work: Work,
    },
    /// Work was taken out of the queue.
    WorkDone {
        /// Which.
        key: WorkKey,
    },
    /// A mark in the life of a deleveraging event.
    Event(EventMark),
    /// What a market's instrument would be worth in every scenario.
    Scenarios(MarketScenarios),
}

/// Why something was posted: what a report groups by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// Collateral came in.
    Deposit,
    /// Collateral went out.
    Withdrawal,
    /// A trade of the holder's own will.
    Trade,
    /// A forced trade.
    Liquidation,
    /// A penalty on a forced trade.
    Penalty,
    /// A backstop took an account over.
    Takeover,
    /// A keeper repaid and seized.
    Seizure,
    /// Accrued funding was settled into cost.
    Funding,
    /// A realised loss moved to the house's deficit.
    BadDebt,
    /// An insurance layer paid.
    Insurance,
    /// A winner's gain was cut.
    Haircut,
    /// A winner's position was closed.
    Deleverage,
    /// Suppliers of a pool bore a loss.
    WriteDown,
    /// A pool's shares were issued or redeemed.
    PoolShares,
    /// A loan was taken.
    Borrow,
    /// A loan was repaid.
    Repay,
    /// Money was escrowed for a layer.
    Escrow,
    /// A receivable was paid or given up.
    Settlement,
    /// What nobody owns.
    Suspense,
    /// Collateral and its debt went into an auction.
    Auction,
    /// Every lot of a market bore its share of a loss, as funding.
    Socialisation,
    /// A pool of depositors paid a debt off and got collateral.
    Offset,
    /// Other borrowers took over a debt with its collateral.
    Redistribution,
    /// Somebody traded with an account's price bands.
    Exchange,
    /// What a pool does not honour of a side's result went back to it, or came back from it.
    Unhonoured,
}

/// An order that left and is not answered yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its name.
    pub id: OrderId,
    /// For whom.
    pub group: GroupId,
    /// Where.
    pub market: MarketId,
    /// Signed lots still open.
    pub lots: Lots,
    /// Worst price accepted.
    pub limit: Ticks,
    /// Unanswered, it ends then.
    pub expires: Millis,
    /// Charged on what is filled, as a share of notional.
    pub penalty_rate: Ppb,
    /// Share of the penalty for insurance.
    pub penalty_to_insurance: Ppb,
}

/// Where an insurance layer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerState {
    /// Which.
    pub layer: LayerId,
    /// Committed in all.
    pub capacity: Quanta,
    /// Until when.
    pub expires: Millis,
    /// Whether the ledger holds the money.
    pub escrowed: bool,
    /// Drawn since committed.
    pub drawn_total: Quanta,
    /// Drawn in `event`.
    pub drawn_event: Quanta,
    /// The event that `drawn_event` belongs to.
    pub event: Option<EventId>,
}

/// A draw on a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draw {
    /// Its name; paying it twice is impossible.
    pub id: DrawId,
    /// On which layer.
    pub layer: LayerId,
    /// In which event.
    pub event: Option<EventId>,
    /// Whose loss it pays, if one account left it: should the layer not pay, the next one is asked for the same loss.
    pub of: Option<GroupId>,
    /// In which asset.
    pub asset: AssetId,
    /// How much, in its atoms.
    pub amount: Amount,
    /// The same in quanta.
    pub value: Quanta,
    /// Whether it was paid at once out of escrow.
    pub paid: bool,
}

/// Where an entry stands in the queue: by due time, then priority, then number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkKey {
    /// Due then; zero is at once.
    pub due: Millis,
    /// Smaller first: sweep before liquidation before allocation.
    pub priority: u8,
    /// In the order of entry.
    pub number: u64,
}

/// What is to be done next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Find the groups that fell below maintenance.
    Sweep,
    /// Plan the liquidation of one group.
    Liquidate {
        /// Which.
        group: GroupId,
    },
    /// Allocate the open deficit in an asset.
    Allocate {
        /// Which asset.
        asset: AssetId,
        /// The market whose winners pay.
        market: MarketId,
    },
}

impl Work {
    /// Its priority: smaller goes first.
    #[must_use]
    pub const fn priority(&self) -> u8 {
        match self {
            Self::Sweep => 0,
            Self::Liquidate { .. } => 1,
            Self::Allocate { .. } => 2,
        }
    }
}

/// A mark in the life of a deleveraging event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventMark {
    /// Forced selling crossed the opening threshold.
    Opened {
        /// The event.
        id: EventId,
    },
    /// It has been quiet for long enough.
    Closed {
        /// The event.
        id: EventId,
    },
    /// Something was closed by force.
    Forced {
        /// Absolute notional.
        value: Quanta,
    },
    /// A loss was realised.
    Loss {
        /// How much, in quanta.
        value: Quanta,
    },
    /// A circuit breaker tripped.
    Tripped {
        /// Its place in the configured list.
        breaker: u32,
    },
    /// A circuit breaker cut a forced close, or put it off. A request that one refuses says so in its answer
    /// ([`Rejection::Breaker`](crate::Rejection::Breaker)): a refusal leaves no other fact.
    Limited {
        /// Its place in the configured list: the strictest, the first of equals.
        breaker: u32,
    },
}
