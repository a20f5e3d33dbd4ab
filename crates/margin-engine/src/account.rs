//! One account, owned and small: what a margin group holds. A cross account and an isolated position are the same thing, a
//! group; isolation is a group with one position in it.

use alloc::vec::Vec;
use cofferdam_core::{
    Amount, AssetId, FundingIndex, GroupId, Item, Lots, MarketId, MathError, Quanta, Scaled,
};

/// Why a holding cannot be changed as asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BookError {
    /// Arithmetic beyond its range.
    #[error(transparent)]
    Math(#[from] MathError),
    /// A change of lots that is not a 64-bit number.
    #[error("{units} lots of market {market} are more than 64 bits hold")]
    Lots {
        /// Where.
        market: MarketId,
        /// What was posted.
        units: i128,
    },
    /// A debt that would fall below zero.
    #[error("the debt in asset {asset} is {held} scaled units; a change of {units} would make it negative")]
    DebtBelowZero {
        /// In what.
        asset: AssetId,
        /// Scaled units owed now.
        held: Scaled,
        /// The change asked for.
        units: i128,
    },
    /// A cost on something that is not a position.
    #[error("{item:?} carries no cost, but {cost} quanta were posted; accepted is zero")]
    CostWithoutPosition {
        /// What was posted.
        item: Item,
        /// The cost that came with it.
        cost: Quanta,
    },
    /// Groups hold assets, debts and positions; shares of pools live in the ledger.
    #[error("a margin group does not hold {0:?}; accepted are assets, debts and positions")]
    NotHeldHere(Item),
    /// A group id beyond the book's dense range.
    #[error("group {group} is beyond the book; accepted are ids below {limit}")]
    GroupOutOfRange {
        /// Which.
        group: GroupId,
        /// The first id that is refused.
        limit: u32,
    },
    /// More entries of one kind in one group than a span holds.
    #[error("group {group} holds {held} entries of one kind; accepted are at most {limit}")]
    TooManyEntries {
        /// Which.
        group: GroupId,
        /// How many it holds.
        held: usize,
        /// The most a group may hold.
        limit: usize,
    },
    /// A check found two columns that disagree.
    #[error("the book contradicts itself at group {group}: {what}")]
    Inconsistent {
        /// Where it was found.
        group: GroupId,
        /// What disagrees.
        what: &'static str,
    },
}

/// A perpetual position as it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Position {
    /// Where.
    pub market: MarketId,
    /// Signed lots; positive is long.
    pub lots: Lots,
    /// What the lots cost, in quanta of the settlement asset; negative for a short.
    pub cost: Quanta,
    /// The market's funding index when the position was last touched: what accrued before it is in `cost`.
    pub snapshot: FundingIndex,
}

/// A balance as it is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Balance {
    /// What.
    pub asset: AssetId,
    /// Atoms; below zero only between a fill and its settlement.
    pub amount: Amount,
}

/// A debt as it is stored: without interest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Debt {
    /// What.
    pub asset: AssetId,
    /// Scaled units; owed = scaled x index / 1e27, rounded up.
    pub scaled: Scaled,
}

impl Position {
    /// The position after a posting: the snapshot moves to `funding_now` because the stack posts what accrued into the cost
    /// in the same step. `None` when nothing is left.
    pub(crate) fn after(
        before: Option<Self>,
        market: MarketId,
        units: i128,
        cost: Quanta,
        funding_now: FundingIndex,
    ) -> Result<Option<Self>, BookError> {
        let change = i64::try_from(units).map_err(|_| BookError::Lots { market, units })?;
        let before = before.unwrap_or_default();
        let (lots, cost) = (before.lots.try_add(Lots::new(change))?, before.cost.try_add(cost)?);
        let left = !(lots.is_zero() && cost.is_zero());
        Ok(left.then_some(Self { market, lots, cost, snapshot: funding_now }))
    }
}

impl Balance {
    pub(crate) fn after(before: Amount, asset: AssetId, units: i128) -> Result<Option<Self>, BookError> {
        let amount = before.try_add(Amount::new(units))?;
        Ok((!amount.is_zero()).then_some(Self { asset, amount }))
    }
}

impl Debt {
    pub(crate) fn after(before: Scaled, asset: AssetId, units: i128) -> Result<Option<Self>, BookError> {
        let magnitude = Scaled::new(units.unsigned_abs());
        let scaled = if units >= 0 {
            before.try_add(magnitude)?
        } else {
            before.try_sub(magnitude).map_err(|_| BookError::DebtBelowZero { asset, held: before, units })?
        };
        Ok((!scaled.is_zero()).then_some(Self { asset, scaled }))
    }
}

/// What one margin group holds, each list in ascending order of id and without empty entries.
///
/// ```
/// use cofferdam_core::{AssetId, FundingIndex, Item, Lots, MarketId, Quanta};
/// use cofferdam_margin_engine::Account;
/// let (usdc, eth) = (Item::Asset(AssetId(0)), Item::Position(MarketId(7)));
/// let mut account = Account::new();
/// account.apply(usdc, 1_000_000, Quanta::ZERO, FundingIndex::ZERO)?;
/// account.apply(eth, 25, Quanta::new(50_000), FundingIndex::new(3))?;
/// assert_eq!(account.positions()[0].lots, Lots::new(25));
/// account.apply(eth, -25, Quanta::new(-50_000), FundingIndex::new(4))?;
/// assert!(account.positions().is_empty());
/// assert!(account.apply(Item::Debt(AssetId(0)), -1, Quanta::ZERO, FundingIndex::ZERO).is_err());
/// # Ok::<(), cofferdam_margin_engine::BookError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Account {
    pub(crate) positions: Vec<Position>,
    pub(crate) balances: Vec<Balance>,
    pub(crate) debts: Vec<Debt>,
}

impl Account {
    /// An account that holds nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Positions by market.
    #[must_use]
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// Balances by asset.
    #[must_use]
    pub fn balances(&self) -> &[Balance] {
        &self.balances
    }

    /// Debts by asset.
    #[must_use]
    pub fn debts(&self) -> &[Debt] {
        &self.debts
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty() && self.balances.is_empty() && self.debts.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.positions.clear();
        self.balances.clear();
        self.debts.clear();
    }

    /// Adds a posting: `units` of `item`, and `cost` where it is a position, whose funding snapshot becomes `funding_now`.
    /// On an error nothing has changed (INV-41).
    pub fn apply(
        &mut self,
        item: Item,
        units: i128,
        cost: Quanta,
        funding_now: FundingIndex,
    ) -> Result<(), BookError> {
        check_cost(item, cost)?;
        match item {
            Item::Position(market) => {
                let slot = self.positions.binary_search_by_key(&market, |p| p.market);
                let before = slot.ok().and_then(|i| self.positions.get(i).copied());
                let after = Position::after(before, market, units, cost, funding_now)?;
                put(&mut self.positions, slot, after);
            }
            Item::Asset(asset) => {
                let slot = self.balances.binary_search_by_key(&asset, |b| b.asset);
                let before = slot.ok().and_then(|i| self.balances.get(i)).map_or(Amount::ZERO, |b| b.amount);
                put(&mut self.balances, slot, Balance::after(before, asset, units)?);
            }
            Item::Debt(asset) => {
                let slot = self.debts.binary_search_by_key(&asset, |d| d.asset);
                let before = slot.ok().and_then(|i| self.debts.get(i)).map_or(Scaled::ZERO, |d| d.scaled);
                put(&mut self.debts, slot, Debt::after(before, asset, units)?);
            }
            Item::Share(_) => return Err(BookError::NotHeldHere(item)),
        }
        Ok(())
    }
}

pub(crate) fn check_cost(item: Item, cost: Quanta) -> Result<(), BookError> {
    match item {
        Item::Position(_) => Ok(()),
        _ if cost.is_zero() => Ok(()),
        _ => Err(BookError::CostWithoutPosition { item, cost }),
    }
}

fn put<T>(list: &mut Vec<T>, slot: Result<usize, usize>, value: Option<T>) {
    match (slot, value) {
        (Ok(i), Some(v)) => {
            if let Some(old) = list.get_mut(i) {
                *old = v;
            }
        }
        (Ok(i), None) => {
            list.remove(i);
        }
        (Err(i), Some(v)) => list.insert(i, v),
        (Err(_), None) => {}
    }
}
