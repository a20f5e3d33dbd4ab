//! What must be zero after every input, exactly (INV-1, INV-2, INV-5, INV-7, INV-8). Sums are taken in big integers over
//! everything that anybody holds; nothing is taken from an aggregate that the stack keeps itself.

use cofferdam_core::{AssetId, Holder, House, Item, MarketId, PoolId, World};
use cofferdam_stack::State;
use num_bigint::BigInt;
use num_rational::BigRational;
use std::collections::{BTreeMap, BTreeSet};

/// A law that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("INV-{law}: {what}")]
pub struct Violation {
    /// The number of the invariant.
    pub law: u8,
    /// What was found.
    pub what: String,
}

fn law(law: u8, holds: bool, what: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(Violation { law, what: what() }) }
}

/// Everything that is held, by item: holders with units and cost.
type Holdings = BTreeMap<Item, Vec<(Holder, BigInt, BigInt)>>;

fn gather(state: &State) -> Holdings {
    let mut all: Holdings = BTreeMap::new();
    let mut add = |item, holder, units: BigInt, cost: BigInt| {
        all.entry(item).or_default().push((holder, units, cost));
    };
    for group in state.book().groups() {
        let (holder, account) = (Holder::Group(group), state.book().load(group));
        for p in account.positions() {
            add(Item::Position(p.market), holder, p.lots.get().into(), p.cost.get().into());
        }
        for b in account.balances() {
            add(Item::Asset(b.asset), holder, b.amount.get().into(), 0.into());
        }
        for d in account.debts() {
            add(Item::Debt(d.asset), holder, d.scaled.get().into(), 0.into());
        }
    }
    for ((holder, item), held) in state.ledger() {
        add(*item, *holder, held.units.into(), held.cost.get().into());
    }
    all
}

/// Checks every law of this module.
///
/// # Errors
///
/// The first law that does not hold.
pub fn check(state: &State) -> Result<(), Violation> {
    let all = gather(state);
    sums(&all)?;
    signs(state, &all)?;
    for item in all.keys() {
        if let Item::Position(m) = item {
            interest(state, &all, *m)?;
        }
    }
    unsettled(state, &all)
}

/// INV-1, INV-2, INV-8: per item, the units and the cost of all holders sum to zero.
fn sums(all: &Holdings) -> Result<(), Violation> {
    for (item, held) in all {
        let units: BigInt = held.iter().map(|(_, u, _)| u).sum();
        let cost: BigInt = held.iter().map(|(_, _, c)| c).sum();
        let number = match item {
            Item::Asset(_) => 1,
            Item::Position(_) => 2,
            Item::Debt(_) | Item::Share(_) => 8,
        };
        let zero = BigInt::ZERO;
        law(number, units == zero && cost == zero, || {
            format!("{item:?} sums to {units} units, {cost} quanta")
        })?;
    }
    Ok(())
}

/// INV-7: what can never be below zero is not.
fn signs(state: &State, all: &Holdings) -> Result<(), Violation> {
    let mut receivable: BTreeMap<AssetId, BigInt> = BTreeMap::new();
    for draw in state.draws() {
        *receivable.entry(draw.asset).or_default() += draw.amount.get();
    }
    for (item, held) in all {
        for (holder, units, _) in held {
            let below = units < &BigInt::ZERO;
            let fine = match (holder, item) {
                (
                    Holder::Layer(_)
                    | Holder::Pool(_)
                    | Holder::Auction(_)
                    | Holder::House(House::Fees | House::Dust),
                    Item::Asset(_),
                ) => !below,
                (Holder::House(House::Deficit), Item::Asset(_)) => units <= &BigInt::ZERO,
                (Holder::House(House::Receivable), Item::Asset(a)) => {
                    -units.clone() == receivable.get(a).cloned().unwrap_or_default()
                }
                (Holder::Pool(_), Item::Debt(_)) => units <= &BigInt::ZERO,
                (Holder::Group(_), Item::Debt(_) | Item::Share(_)) => !below,
                (Holder::Pool(p), Item::Share(of)) => p == of && units <= &BigInt::ZERO,
                _ => true,
            };
            law(7, fine, || format!("{holder:?} holds {units} of {item:?}"))?;
        }
    }
    pools(state, all)
}

/// INV-7: a lending pool has no less than nothing in cash and claims together.
fn pools(state: &State, all: &Holdings) -> Result<(), Violation> {
    let lenders: BTreeSet<(PoolId, AssetId)> = all
        .iter()
        .filter_map(|(item, held)| match item {
            Item::Debt(a) => Some(held.iter().filter_map(|(h, ..)| match h {
                Holder::Pool(p) => Some((*p, *a)),
                _ => None,
            })),
            _ => None,
        })
        .flatten()
        .collect();
    for (pool, asset) in lenders {
        let cash = BigInt::from(state.holding(Holder::Pool(pool), Item::Asset(asset)).units);
        let lent = BigInt::from(state.holding(Holder::Pool(pool), Item::Debt(asset)).units);
        let index = state.asset(asset).map_or(0, |a| a.debt_index.get());
        let has = cash * BigInt::from(cofferdam_core::RAY) - lent * BigInt::from(index);
        law(7, has >= BigInt::ZERO, || format!("pool {pool} has {has} rays of asset {asset}"))?;
    }
    Ok(())
}

/// INV-8: open interest is the sum of the groups' long lots.
fn interest(state: &State, all: &Holdings, market: MarketId) -> Result<(), Violation> {
    let held = all.get(&Item::Position(market)).map_or(&[][..], Vec::as_slice);
    let groups = || held.iter().filter(|(h, ..)| matches!(h, Holder::Group(_))).map(|(_, lots, _)| lots);
    let long: BigInt = groups().filter(|l| *l > &BigInt::ZERO).sum();
    let short: BigInt = groups().filter(|l| *l < &BigInt::ZERO).map(|l| -l).sum();
    let shown = state.market(market).map_or(0, |m| m.open_interest.get());
    law(8, long == BigInt::from(shown), || {
        format!("market {market} shows {shown} lots of open interest, held are {long}")
    })?;
    let (l, s) = state.book().open_interest(market);
    law(8, long == BigInt::from(l.get()) && short == BigInt::from(s.get()), || {
        format!("the book sums {l} and {s} lots in market {market}, held are {long} and {short}")
    })
}

/// INV-5: what roundings left in the clearing account, with funding that groups still owe, is never below zero.
fn unsettled(state: &State, all: &Holdings) -> Result<(), Violation> {
    let holder = Holder::House(House::Unsettled);
    let mut equity: BTreeMap<AssetId, BigInt> = BTreeMap::new();
    for (item, held) in all {
        match item {
            Item::Asset(a) => {
                let scale = state.asset(*a).map(|v| v.scale);
                let places = scale.map_or(0, |s| -i32::from(s.decimals) - i32::from(s.quantum_exponent));
                let unit = BigInt::from(10).pow(places.unsigned_abs());
                for (_, units, _) in held.iter().filter(|(h, ..)| *h == holder) {
                    *equity.entry(*a).or_default() += units * &unit;
                }
            }
            Item::Position(m) => {
                let Some(view) = state.market(*m) else { continue };
                let sum = equity.entry(view.settlement).or_default();
                for (h, _, cost) in held {
                    if *h == holder {
                        *sum -= cost;
                    }
                    if let Holder::Group(g) = h
                        && let Some(p) = state.book().position(*g, *m)
                    {
                        let moved = BigInt::from(view.funding.get()) - BigInt::from(p.snapshot.get());
                        let owed =
                            BigRational::new(moved * BigInt::from(p.lots.get()), BigInt::from(1_u64 << 32));
                        *sum += owed.ceil().to_integer();
                    }
                }
            }
            _ => {}
        }
    }
    for (asset, left) in equity {
        law(5, left >= BigInt::ZERO, || {
            format!("the clearing account lacks {left} quanta of asset {asset}")
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Bench, compose};
    use cofferdam_core::GroupId;
    use compose::{ETH, LENDING_POOL, USDC};

    /// What no fact can bring about, because `evolve` refuses it, is found all the same: an atom, a lot, a quantum of cost, a
    /// share or a unit of debt too many (INV-1, INV-2, INV-8), and an open interest that is not its sum.
    #[test]
    fn what_does_not_sum_is_found() {
        let mut bench = Bench::new(compose::lending()).unwrap();
        bench.mark(0, 100_000);
        (1..3).for_each(|g| drop(bench.deposit(g, 10_000_000)));
        bench.trade(1, 2, 0, 1_000, 100_000);
        let state = bench.state();
        let with = |item, units: i128, cost: i128| {
            let mut all = gather(state);
            all.entry(item).or_default().push((Holder::Group(GroupId(9)), units.into(), cost.into()));
            sums(&all).err().map(|v| v.law)
        };
        let market = MarketId(0);
        assert_eq!(with(Item::Asset(USDC), 0, 0), None);
        assert_eq!(with(Item::Asset(USDC), 1, 0), Some(1));
        assert_eq!(with(Item::Asset(ETH), -1, 0), Some(1));
        assert_eq!(with(Item::Position(market), 1, 0), Some(2));
        assert_eq!(with(Item::Position(market), 0, 1), Some(2));
        assert_eq!(with(Item::Share(LENDING_POOL), 1, 0), Some(8));
        assert_eq!(with(Item::Debt(USDC), 1, 0), Some(8));
        let mut all = gather(state);
        assert_eq!(interest(state, &all, market), Ok(()));
        let held = all.get_mut(&Item::Position(market)).unwrap();
        held.push((Holder::Group(GroupId(9)), 1.into(), 0.into()));
        assert_eq!(interest(state, &all, market).unwrap_err().law, 8);
    }
}
