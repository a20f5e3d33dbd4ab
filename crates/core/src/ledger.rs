//! The ledger's vocabulary. Everything held has a holder, and everything that moves is a balanced posting: the postings of
//! one fact sum to zero per item, so every position has a counterparty in the book and conservation (INV-1, INV-2) needs
//! no goodwill.

use crate::{AssetId, AuctionId, GroupId, LayerId, MarketId, PoolId, Quanta};
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
    let mut unbalanced: Option<Unbalanced> = None;
    for (i, first) in postings.iter().enumerate() {
        let item = first.item;
        if postings.iter().take(i).any(|p| p.item == item) {
            continue; // summed already; one fact moves few items, so this finds one of the first
        }
        let (mut units, mut cost) = (0_i128, 0_i128);
        for p in postings.iter().skip(i).filter(|p| p.item == item) {
            match (units.checked_add(p.units), cost.checked_add(p.cost.get())) {
                (Some(u), Some(c)) => (units, cost) = (u, c),
                _ => return Err(Unbalanced { item, units: i128::MAX, cost: i128::MAX }),
            }
        }
        if (units, cost) != (0, 0) && unbalanced.is_none_or(|u| item < u.item) {
            unbalanced = Some(Unbalanced { item, units, cost });
        }
    }
    unbalanced.map_or(Ok(()), Err)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn balance_is_asked_per_item_in_units_and_in_cost() {
        let of = |rows: &[(Item, i128, i128)]| -> alloc::vec::Vec<Posting> {
            let posting = |(i, (item, units, cost)): (usize, &(Item, i128, i128))| Posting {
                holder: Holder::Group(GroupId(u32::try_from(i).unwrap())),
                item: *item,
                units: *units,
                cost: Quanta::new(*cost),
            };
            rows.iter().enumerate().map(posting).collect()
        };
        let (usd, eth) = (Item::Asset(AssetId(0)), Item::Asset(AssetId(1)));
        let perp = Item::Position(MarketId(0));
        for (rows, want) in [
            (&[][..], Ok(())),
            (&[(usd, 5, 0), (perp, 3, 70), (usd, -2, 0), (perp, -3, -70), (usd, -3, 0)], Ok(())),
            (&[(usd, 5, 0), (eth, -5, 0)], Err((usd, 5, 0))),
            (&[(perp, 1, 9), (eth, 1, 0), (perp, -1, -8), (eth, 1, 0)], Err((eth, 2, 0))),
            (&[(perp, 1, 9), (perp, -1, -8)], Err((perp, 0, 1))),
            (&[(usd, i128::MAX, 0), (usd, 1, 0)], Err((usd, i128::MAX, i128::MAX))),
        ] {
            let want = want.map_err(|(item, units, cost)| Unbalanced { item, units, cost });
            assert_eq!(check_balanced(&of(rows)), want, "{rows:?}");
        }
    }
}
