//! The contract of a liquidation strategy: a plan of steps, as values.

use alloc::vec::Vec;
use cofferdam_core::{
    Amount, AssetId, AuctionId, Bands, Case, GroupId, Holder, Item, Lots, MarketId, MathError, Memory,
    MemoryError, Millis, PoolId, Posting, Ppb, Quanta, Scaled, Ticks,
};
use core::fmt::Debug;

/// Who wants to liquidate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taker {
    /// The engine itself.
    Engine,
    /// A keeper, by its own group.
    Keeper(GroupId),
}

/// An offer to liquidate: by whom, what is given and wanted, the worst price accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bid {
    /// By whom.
    pub by: Taker,
    /// What the bidder gives and how much of it (debt repaid, lots taken); `None` leaves it to the strategy.
    pub give: Option<(Item, i128)>,
    /// What the bidder wants; `None` leaves it to the strategy.
    pub want: Option<Item>,
    /// The least the bidder accepts of what it wants, in its units; `None` for no limit.
    pub at_least: Option<i128>,
    /// The most the bidder takes of what it wants, in its units; `None` for all there is.
    pub at_most: Option<i128>,
    /// The worst price the bidder accepts for lots it takes; `None` for no limit.
    pub limit: Option<Ticks>,
    /// The auction bid into, if any.
    pub auction: Option<AuctionId>,
    /// Debt per collateral, by value, that the account is taken down to and no further: a bid for many accounts reaches each that is
    /// above. `None` for as far as the strategy goes.
    pub level: Option<Ppb>,
}

impl Bid {
    /// The engine's own bid: everything is left to the strategy.
    pub const ENGINE: Self = Self {
        by: Taker::Engine,
        give: None,
        want: None,
        at_least: None,
        at_most: None,
        limit: None,
        auction: None,
        level: None,
    };
}

/// What a liquidated account pays on top, and to whom. Charged on the notional that was filled, never more than what the
/// account has left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Penalty {
    /// Share of the notional closed.
    pub rate: Ppb,
    /// Share of the penalty that goes to the insurance layer that the stack names for contributions.
    pub to_insurance: Ppb,
    /// Share of the penalty that goes to the keeper, if there is one.
    pub to_keeper: Ppb,
    /// The keeper. Without one its share goes to insurance. What the shares leave goes to the house's fees.
    pub keeper: Option<GroupId>,
    /// A fixed amount on top, in quanta, for each trade inside the step; not negative. Orders that leave are charged the rate alone.
    pub fixed: Quanta,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// An order that leaves as an effect; its lots are reserved until it is answered.
    Order {
        /// Where.
        market: MarketId,
        /// Signed lots to trade (against the position).
        lots: Lots,
        /// Worst price accepted.
        limit: Ticks,
        /// Charged on what is filled.
        penalty: Penalty,
        /// When an unanswered order expires.
        expires: Millis,
    },
    /// A trade with the market's own pool, inside the step.
    Trade {
        /// Where.
        market: MarketId,
        /// Signed lots to trade.
        lots: Lots,
        /// With which pool.
        with: PoolId,
        /// Worst price accepted.
        limit: Ticks,
        /// Charged on what is filled.
        penalty: Penalty,
    },
    /// The bidder takes lots over at a price, inside the step: a trade with the keeper that asked, as its counterparty.
    Take {
        /// Where.
        market: MarketId,
        /// Signed lots that the subject trades (against its position).
        lots: Lots,
        /// At which price.
        price: Ticks,
        /// Charged on what is taken.
        penalty: Penalty,
    },
    /// A balanced exchange: repay and seize, takeover, offset, into or out of an auction.
    Move(Vec<Posting>),
    /// Lots nobody took, handed to loss allocation at a price (the bankruptcy price).
    Deleverage {
        /// Where.
        market: MarketId,
        /// Signed lots to trade (against the position).
        lots: Lots,
        /// At which price.
        price: Ticks,
    },
    /// Collateral into a new auction, with the debt that it has to raise. At most one in a plan; it gets the case's
    /// `next_auction` for its name.
    Auction {
        /// What is sold.
        asset: AssetId,
        /// How much of it.
        lot: Amount,
        /// What is raised.
        debt: AssetId,
        /// How much of it, in scaled units.
        scaled: Scaled,
    },
    /// The account's price bands as they are now, after what was moved before; empty where it has none any more.
    Bands(Bands),
    /// A debt that nothing backs any more, handed to the waterfall: the holder owes it, in atoms of an asset.
    Loss {
        /// Who could not pay.
        holder: Holder,
        /// In which asset.
        asset: AssetId,
        /// How much.
        amount: Amount,
    },
    /// Debt that a pool of depositors pays off, for collateral that is theirs.
    Offset {
        /// Which pool.
        pool: PoolId,
        /// What it gets.
        asset: AssetId,
        /// How much of it.
        amount: Amount,
        /// In what the debt is.
        debt: AssetId,
        /// How much of it, in scaled units.
        scaled: Scaled,
    },
    /// Debt and collateral that the other borrowers of the pool that lent take over, each in proportion to its own collateral.
    Redistribute {
        /// What they get.
        asset: AssetId,
        /// How much of it.
        amount: Amount,
        /// In what the debt is.
        debt: AssetId,
        /// How much of it, in scaled units.
        scaled: Scaled,
    },
    /// What insurance pays into the account, for a keeper who buys back what it owes and cannot pay for. A loss like any other; the
    /// moves after it leave nothing of value, or the plan breaks its contract.
    Cover {
        /// In which asset.
        asset: AssetId,
        /// How much, in its atoms.
        amount: Amount,
    },
    /// What the keeper who starts an auction stakes on it. The auction holds it until the strategy pays it out.
    Stake {
        /// In which asset.
        asset: AssetId,
        /// How much.
        amount: Amount,
    },
}

/// What to do now, and when to ask again if the account is still below.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In order; each is applied to the account as the one before left it.
    pub steps: Vec<Step>,
    /// When to plan again; `None` leaves it to the next price.
    pub again: Option<Millis>,
    /// Set where a step is known to worsen the health ratio (LTV past 1/(1+penalty)): the toxic frontier is said, not hidden
    /// (INV-18).
    pub worsens: bool,
}

/// Why there is no plan. Not an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// The account is not below maintenance.
    Healthy,
    /// More than the strategy lets this bidder take.
    TooMuch {
        /// What it would accept, in the bid's units.
        max: i128,
    },
    /// Less than the smallest piece.
    TooLittle {
        /// What it would accept, in the bid's units.
        min: i128,
    },
    /// Not yet.
    NotBefore {
        /// From when.
        time: Millis,
    },
    /// The bidder would get less than it asked for.
    BelowAsk {
        /// What it would get, in the units of what it wants.
        offered: i128,
    },
    /// The strategy does not take such bids.
    NotForThisBid {
        /// What it takes.
        takes: &'static str,
    },
    /// There is nothing left that this strategy could close.
    Nothing,
}

/// What a strategy can fail with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LiquidationError {
    /// Arithmetic beyond its range.
    #[error(transparent)]
    Math(#[from] MathError),
    /// A memory record that cannot be read.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A market or asset of the case that its world does not show, or without a usable price.
    #[error("{0:?} has no usable price or is not known")]
    NoPrice(cofferdam_core::Instrument),
    /// A parameter outside its range.
    #[error("{field} is {value}; accepted is {accepted}")]
    Parameter {
        /// Which parameter.
        field: &'static str,
        /// What it was.
        value: i128,
        /// What would be accepted.
        accepted: &'static str,
    },
}

/// What is closed, how fast, at what price and by whom.
///
/// # Contract
///
/// - Plans only for accounts below maintenance (INV-17); else [`Refusal::Healthy`].
/// - Never takes more than is there, nor more than `case.allowed`.
/// - A partial strategy stops at its target (INV-19); a plan makes progress or says when to ask again (INV-20).
/// - `Move` postings balance; whoever receives a position is named in the configuration.
/// - A plan that is not kept is a quote: planning writes nothing but `memory`.
pub trait LiquidationStrategy: Debug + Send + Sync {
    /// Plans a liquidation of the case's subject for a bid.
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError>;
}

/// A veto on fills that are still proposals (matching under our own authority). All guards of a stack have to agree.
pub trait FillGuard: Debug + Send + Sync {
    /// Whether a fill of `lots` at `price` is acceptable when `cover` is what insurance could pay, in quanta.
    fn accept(
        &self,
        case: &Case<'_>,
        market: MarketId,
        lots: Lots,
        price: Ticks,
        cover: Quanta,
    ) -> Result<bool, LiquidationError>;
}
