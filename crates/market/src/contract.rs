//! The contracts of this room: accrual of indexes, and a pool that fills trades itself.

use alloc::vec::Vec;
use cofferdam_core::{
    Amount, AssetId, At, FundingIndex, Holder, Index, Item, Lots, MarketId, MarketView, MathError, Memory,
    MemoryError, PoolId, Posting, Quanta, Rounding, Scaled, Ticks, wide,
};
use core::fmt::Debug;

/// A lending side: what suppliers put in and borrowers took out of one asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LendingView {
    /// The asset lent.
    pub asset: AssetId,
    /// Cash in the pool, in atoms.
    pub cash: Amount,
    /// Debt in scaled units.
    pub debt: Scaled,
    /// Interest index of the debt now.
    pub index: Index,
}

/// What accrues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A market with funding.
    Market(MarketView),
    /// An asset that is lent.
    Lending(LendingView),
}

/// A change of a cumulative index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexMove {
    /// Funding per lot, in quanta x 2^-32; longs pay what shorts receive.
    Funding {
        /// Which market.
        market: MarketId,
        /// The new cumulative value.
        to: FundingIndex,
    },
    /// Interest of debts in an asset; the pool that lent is owed exactly what borrowers owe.
    Debt {
        /// Which asset.
        asset: AssetId,
        /// The new index, never below the old one.
        to: Index,
    },
}

/// What this room can refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MarketError {
    /// Arithmetic beyond its range.
    #[error(transparent)]
    Math(#[from] MathError),
    /// A memory record that cannot be read.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The rule does not apply to this subject (funding on a lent asset, interest on a market).
    #[error("this accrual rule does not apply to such a subject")]
    NotForSubject,
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

/// A rule by which an index grows. Time comes with the call; the rule keeps the time of its last accrual in its memory.
///
/// # Contract
///
/// - Accruing twice at the same time moves nothing the second time.
/// - A debt index never falls (INV-9). Funding moves either way.
/// - No price that is unusable moves an index.
pub trait Accrual: Debug + Send + Sync {
    /// The moves due at `at`; empty when nothing is.
    fn accrue(
        &self,
        at: At,
        subject: &Subject,
        memory: &mut Memory<'_>,
    ) -> Result<Vec<IndexMove>, MarketError>;
}

/// A pool that takes the other side of trades.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolView {
    /// Which pool.
    pub id: PoolId,
    /// Its own position in the market.
    pub lots: Lots,
    /// What that position cost.
    pub cost: Quanta,
    /// Its cash in the settlement asset, in atoms.
    pub cash: Amount,
    /// Its equity at mid, in quanta.
    pub equity: Quanta,
}

/// A trade with a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolOrder {
    /// Who trades.
    pub taker: Holder,
    /// Signed lots the taker buys (positive) or sells.
    pub lots: Lots,
    /// Worst average price that the taker accepts, fee included.
    pub limit: Ticks,
}

impl PoolOrder {
    /// Whether so many of the order's lots, for which `paid` leaves the taker in all (below zero: comes to it), are within its limit:
    /// paid <= lots x limit x quanta per lot and tick. Exact: with a whole right side it is the same as ceil(paid / k) <= lots x limit.
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn accepts(&self, market: &MarketView, lots: Lots, paid: Quanta) -> Result<bool, MathError> {
        let per_lot = wide::div(paid.get(), market.scale.quanta_per_lot_tick().into(), Rounding::Up)?;
        let bound = i128::from(lots.get()).checked_mul(self.limit.get().into());
        Ok(per_lot <= bound.ok_or(MathError::Overflow)?)
    }
}

/// What a pool filled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fill {
    /// Balanced postings between taker, pool and house.
    pub postings: Vec<Posting>,
    /// Lots left unfilled, with the sign of the order.
    pub left: Lots,
}

impl Fill {
    /// All of an order for a cost, and a fee in atoms that the pool gets.
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn whole(
        order: &PoolOrder,
        pool: &PoolView,
        market: &MarketView,
        cost: Quanta,
        fee: i128,
    ) -> Result<Self, MathError> {
        let owner = Holder::Pool(pool.id);
        let mut postings = alloc::vec![
            Posting::position(order.taker, market.id, order.lots.get(), cost),
            Posting::position(owner, market.id, order.lots.try_neg()?.get(), cost.try_neg()?),
        ];
        if fee > 0 {
            postings.extend(Posting::transfer(order.taker, owner, Item::Asset(market.settlement), fee));
        }
        Ok(Self { postings, left: Lots::ZERO })
    }
}

/// A pool and its market at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolMoment {
    /// The pool.
    pub pool: PoolView,
    /// The market; its open interest is the longs of accounts.
    pub market: MarketView,
}

/// What each side of a market owes its pool in all, in quanta; below zero it is what the pool owes the side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unhonoured {
    /// All longs together.
    pub long: Quanta,
    /// All shorts together.
    pub short: Quanta,
}

impl Unhonoured {
    /// Every lot gets what the price gave it.
    pub const NOTHING: Self = Self { long: Quanta::ZERO, short: Quanta::ZERO };
}

/// How a pool prices and fills.
///
/// # Contract
///
/// - Postings are balanced and touch only the taker, the pool and the house.
/// - Never fills past the taker's limit nor more lots than were ordered.
/// - A round trip at unchanged prices never gains (INV-4), nor does splitting an order (INV-6).
/// - At an unchanged price nothing is unhonoured, and no price that is unusable leaves anything unhonoured.
/// - What is unhonoured moves a side's result towards zero, never past it.
pub trait PoolPricing: Debug + Send + Sync {
    /// Fills as much of the order as price and inventory allow.
    fn fill(
        &self,
        at: At,
        order: &PoolOrder,
        pool: &PoolView,
        market: &MarketView,
        memory: &mut Memory<'_>,
    ) -> Result<Fill, MarketError>;

    /// What of a side's result since the last price that it was told the pool does not honour. Asked at every new mark, before
    /// anybody looks at what the mark means.
    fn unhonoured(&self, now: &PoolMoment, memory: &mut Memory<'_>) -> Result<Unhonoured, MarketError>;

    /// Whether an owner who redeems, or a taker who opens, may leave the pool like this. Ways out of a position and forced closes
    /// are not asked (INV-35).
    fn permits(&self, before: &PoolMoment, after: &PoolMoment) -> Result<bool, MarketError>;
}
