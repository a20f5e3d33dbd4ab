//! The ledger's vocabulary. Everything held has a holder, and everything that moves is a balanced posting: the postings of
//! one fact sum to zero per item, so every position has a counterparty in the book and conservation (INV-1, INV-2) needs
//! no goodwill.

use crate::{AssetId, AuctionId, GroupId, LayerId, MarketId, PoolId, Quanta};
use alloc::collections::BTreeMap;
use core::fmt;

/// Who holds something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Holder {
    /// A margin group.
    Group(GroupId),
    /// A pool.
    Pool(PoolId),
    /// An auction.
    Auction(AuctionId),
    /// An insurance layer: what is escrowed.
    Layer(LayerId),
    /// The house, by purpose.
    House(House),
    /// The world: what was deposited came from here, what was withdrawn went there. Its balance is minus the vault.
    Outside,
}

/// The house's own accounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum House {
    /// Fees earned.
    Fees,
    /// What roundings left over; never negative (INV-5).
    Dust,
    /// Realised losses that nobody has paid yet: a negative balance is an open deficit.
    Deficit,
    /// What was reported and belongs to nobody known; an alarm goes with it.
    Suspense,
    /// Variation margin in transit: profits paid in cash before the other side has realised its loss. Mirrors the
    /// unrealised part of all positions, so it is negative or positive, and zero when every position is closed.
    Unsettled,
    /// Claims on insurance layers that have been drawn on and have not paid yet.
    Receivable,
}

/// What is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Item {
    /// Atoms of an asset.
    Asset(AssetId),
    /// Scaled units of a debt in an asset: positive is owed, negative is owed to the holder.
    Debt(AssetId),
    /// Lots of a market, with their cost in quanta.
    Position(MarketId),
    /// Shares of a pool: owners hold them, the pool holds their negative.
    Share(PoolId),
}

/// One line of a balanced entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Posting {
    /// Whose holding changes.
    pub holder: Holder,
    /// What.
    pub item: Item,
    /// Change in units: atoms, scaled units, lots or shares.
    #[cfg_attr(feature = "serde", serde(with = "crate::ledger::units"))]
    pub units: i128,
    /// Change in cost, in quanta of the market's settlement asset; zero unless the item is a position.
    pub cost: Quanta,
}

impl Posting {
    /// A change of anything but a position.
    #[must_use]
    pub const fn new(holder: Holder, item: Item, units: i128) -> Self {
        Self { holder, item, units, cost: Quanta::ZERO }
    }

    /// A change of a position.
    #[must_use]
    pub const fn position(holder: Holder, market: MarketId, lots: i64, cost: Quanta) -> Self {
        Self { holder, item: Item::Position(market), units: lots as i128, cost }
    }

    /// The two postings that move `units` of `item` from one holder to another.
    #[must_use]
    pub const fn transfer(from: Holder, to: Holder, item: Item, units: i128) -> [Self; 2] {
        [Self::new(from, item, units.wrapping_neg()), Self::new(to, item, units)]
    }
}

/// A set of postings that does not sum to zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbalanced {
    /// The item whose sum is not zero.
    pub item: Item,
    /// Its sum in units.
    pub units: i128,
    /// Its sum in cost.
    pub cost: i128,
}

impl fmt::Display for Unbalanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "postings of {:?} sum to {} units and {} quanta of cost instead of zero",
            self.item, self.units, self.cost
        )
    }
}

impl core::error::Error for Unbalanced {}

/// Whether postings sum to zero per item, in units and in cost (INV-1, INV-2). A sum that overflows is unbalanced.
pub fn check_balanced(postings: &[Posting]) -> Result<(), Unbalanced> {
    let mut sums: BTreeMap<Item, (i128, i128)> = BTreeMap::new();
    for p in postings {
        let (units, cost) = sums.entry(p.item).or_default();
        match (units.checked_add(p.units), cost.checked_add(p.cost.get())) {
            (Some(u), Some(c)) => (*units, *cost) = (u, c),
            _ => return Err(Unbalanced { item: p.item, units: i128::MAX, cost: i128::MAX }),
        }
    }
    match sums.into_iter().find(|(_, sum)| *sum != (0, 0)) {
        Some((item, (units, cost))) => Err(Unbalanced { item, units, cost }),
        None => Ok(()),
    }
}

#[cfg(feature = "serde")]
pub(crate) mod units {
    use alloc::string::{String, ToString};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(crate) fn serialize<S: Serializer>(units: &i128, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.serialize_str(&units.to_string()) } else { units.serialize(s) }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<i128, D::Error> {
        if d.is_human_readable() {
            String::deserialize(d)?.parse().map_err(D::Error::custom)
        } else {
            i128::deserialize(d)
        }
    }
}
