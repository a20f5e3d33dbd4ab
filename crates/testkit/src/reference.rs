//! A slow, obviously correct model of perpetual accounts: maps, fractions and plain scans. It shares no code with the margin
//! engine or the stack: from facts it takes who traded how much at what value, what moved between holders, prices and funding;
//! what a trade realises, what funding costs and how healthy an account is it computes itself.
//!
//! It knows flat requirements and a weight per asset, which is what [`crate::compose::perpetual`] is made of, and no pools.

use crate::compose::{ETH, ETH_WEIGHTS, FACTORS, INITIAL, MAINTENANCE, QUANTA_PER_ATOM, USDC};
use cofferdam_core::{GroupId, Holder, Instrument, Item, Level, MarketId, Posting, PriceRole, PriceView};
use cofferdam_margin_engine::Holdings;
use cofferdam_stack::{Engine, Fact, Reason};
use num_bigint::BigInt;
use num_rational::BigRational;
use std::collections::{BTreeMap, BTreeSet};

/// Model and engine disagree.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("group {group}: {what}")]
pub struct Mismatch {
    /// Whose account.
    pub group: GroupId,
    /// What differs.
    pub what: String,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Held {
    lots: BigInt,
    cost: BigInt,
    marker: BigInt,
}

#[derive(Clone, Debug, Default)]
struct Person {
    cash: BTreeMap<u32, BigInt>,
    held: BTreeMap<u32, Held>,
}

/// The model.
#[derive(Clone, Debug, Default)]
pub struct Reference {
    people: BTreeMap<GroupId, Person>,
    marks: BTreeMap<u32, PriceView>,
    eth: Option<PriceView>,
    funding: BTreeMap<u32, BigInt>,
}

fn int(x: impl Into<BigInt>) -> BigRational {
    BigRational::from_integer(x.into())
}

fn ten(power: u32) -> BigInt {
    BigInt::from(10).pow(power)
}

/// Support and demand as whole quanta.
type Sides = (BigInt, BigInt);

impl Reference {
    /// A model of an empty venue.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a fact in.
    ///
    /// # Errors
    ///
    /// Funding that the engine charged otherwise than the model would.
    pub fn learn(&mut self, fact: &Fact) -> Result<(), Mismatch> {
        match fact {
            Fact::Post { reason, postings } => self.post(*reason, postings)?,
            Fact::Mark { instrument: Instrument::Market(m), role: PriceRole::Mark, view } => {
                self.marks.insert(m.0, *view);
            }
            Fact::Mark { instrument: Instrument::Asset(a), view, .. } if *a == ETH => self.eth = Some(*view),
            Fact::Funding { market, to } => {
                self.funding.insert(market.0, to.get().into());
            }
            _ => {}
        }
        Ok(())
    }

    fn post(&mut self, reason: Reason, postings: &[Posting]) -> Result<(), Mismatch> {
        let trades =
            [Reason::Trade, Reason::Liquidation, Reason::Deleverage, Reason::Suspense].contains(&reason);
        // a leg of a trade names lots and value; what it realises is the model's own to compute
        let legs: Vec<&Posting> =
            postings.iter().filter(|p| matches!(p.item, Item::Position(_)) && p.units != 0).collect();
        if trades && !legs.is_empty() {
            for leg in legs {
                if let (Holder::Group(g), Item::Position(m)) = (leg.holder, leg.item) {
                    self.trade(g, m, leg.units.into(), leg.cost.get().into());
                }
            }
            return Ok(());
        }
        for p in postings {
            let Holder::Group(g) = p.holder else { continue };
            match p.item {
                Item::Asset(a) => *self.people.entry(g).or_default().cash.entry(a.0).or_default() += p.units,
                Item::Position(m) => {
                    if reason == Reason::Funding {
                        self.charged(g, m, &p.cost.get().into())?;
                    }
                    let now = self.funding.get(&m.0).cloned().unwrap_or_default();
                    let held = self.people.entry(g).or_default().held.entry(m.0).or_default();
                    held.lots += p.units;
                    held.cost += p.cost.get();
                    held.marker = now;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Funding owed: lots x what the index moved since the marker, up.
    fn owed(&self, held: &Held, market: u32) -> BigInt {
        let now = self.funding.get(&market).cloned().unwrap_or_default();
        (int(&held.lots * (now - &held.marker)) / int(1_u64 << 32)).ceil().to_integer()
    }

    fn charged(&self, group: GroupId, market: MarketId, posted: &BigInt) -> Result<(), Mismatch> {
        let held = self.people.get(&group).and_then(|p| p.held.get(&market.0)).cloned().unwrap_or_default();
        let owed = self.owed(&held, market.0);
        if owed == *posted {
            return Ok(());
        }
        Err(Mismatch { group, what: format!("owes {owed} of funding, was charged {posted}") })
    }

    // average cost: what closes leaves with its share of the cost, up; the result is paid in whole atoms, down
    fn trade(&mut self, group: GroupId, market: MarketId, lots: BigInt, value: BigInt) {
        let now = self.funding.get(&market.0).cloned().unwrap_or_default();
        let person = self.people.entry(group).or_default();
        let held = person.held.entry(market.0).or_default();
        let zero = BigInt::ZERO;
        let opposite = (held.lots > zero && lots < zero) || (held.lots < zero && lots > zero);
        let mut result = BigInt::ZERO;
        if opposite {
            let abs = |x: &BigInt| if x < &zero { -x.clone() } else { x.clone() };
            let (have, traded) = (abs(&held.lots), abs(&lots));
            let closed = have.clone().min(traded.clone());
            let released = (int(held.cost.clone()) * int(closed.clone()) / int(have)).ceil().to_integer();
            let paid = (int(value.clone()) * int(closed) / int(traded)).ceil().to_integer();
            result = -paid - released;
        }
        let atoms = (int(result.clone()) / int(QUANTA_PER_ATOM)).floor().to_integer();
        *person.cash.entry(USDC.0).or_default() += atoms;
        held.lots += lots;
        held.cost += value + result;
        held.marker = now;
        if held.lots == zero && held.cost == zero {
            person.held.remove(&market.0);
        }
    }

    /// Support and demand of a group at maintenance or initial; `None` without a usable price of something that counts.
    #[must_use]
    pub fn health(&self, group: GroupId, initial: bool) -> Option<Sides> {
        let person = self.people.get(&group).cloned().unwrap_or_default();
        let (mut support, mut demand) = (BigInt::ZERO, BigInt::ZERO);
        for (market, held) in person.held.iter().filter(|(_, h)| **h != Held::default()) {
            if held.lots == BigInt::ZERO && held.cost == BigInt::ZERO {
                continue;
            }
            let mark = self.marks.get(market).filter(|v| v.is_usable())?;
            let long = held.lots > BigInt::ZERO;
            let price = if held.lots < BigInt::ZERO { mark.high } else { mark.low };
            let worth = &held.lots * price.get() * *FACTORS.get(*market as usize)?;
            let size = if long { worth.clone() } else { -worth.clone() };
            support += worth - &held.cost - self.owed(held, *market);
            let rate = if initial { INITIAL } else { MAINTENANCE };
            demand += (int(size) * int(rate.0) / int(1_000_000_000)).ceil().to_integer();
        }
        for (asset, atoms) in person.cash.iter().filter(|(_, a)| **a != BigInt::ZERO) {
            if *asset == USDC.0 {
                let quanta = atoms * QUANTA_PER_ATOM;
                if quanta < BigInt::ZERO {
                    demand -= quanta
                } else {
                    support += quanta
                }
                continue;
            }
            let weight = if initial { ETH_WEIGHTS.1 } else { ETH_WEIGHTS.0 };
            let price = self.eth.filter(PriceView::is_usable)?;
            // atoms x 1e-18 x price x 1e-8 / 1e-9
            let worth = int(atoms.clone()) * int(price.low.get()) * int(weight.0) / int(ten(9 + 17));
            support += worth.floor().to_integer();
        }
        Some((support, demand))
    }

    /// Groups below maintenance.
    #[must_use]
    pub fn below(&self) -> BTreeSet<GroupId> {
        let short = |g: &GroupId| self.health(*g, false).is_some_and(|(s, d)| s < d);
        self.people.keys().copied().filter(short).collect()
    }

    /// Compares every account: cash, lots, cost and health at maintenance and initial, to the unit (INV-16).
    ///
    /// # Errors
    ///
    /// The first difference.
    pub fn compare(&self, engine: &Engine) -> Result<(), Mismatch> {
        let state = engine.state();
        let groups: BTreeSet<GroupId> = state.book().groups().chain(self.people.keys().copied()).collect();
        for group in groups {
            let differs = |what: String| Err(Mismatch { group, what });
            let account = state.book().load(group);
            let person = self.people.get(&group).cloned().unwrap_or_default();
            let cash: BTreeMap<u32, BigInt> =
                account.balances().iter().map(|b| (b.asset.0, b.amount.get().into())).collect();
            let mine: BTreeMap<u32, BigInt> = person
                .cash
                .iter()
                .filter(|(_, a)| **a != BigInt::ZERO)
                .map(|(k, a)| (*k, a.clone()))
                .collect();
            if cash != mine {
                return differs(format!("holds {cash:?}, the model has {mine:?}"));
            }
            let theirs: BTreeMap<u32, (BigInt, BigInt)> = account
                .positions()
                .iter()
                .map(|p| (p.market.0, (p.lots.get().into(), p.cost.get().into())))
                .collect();
            let mine: BTreeMap<u32, (BigInt, BigInt)> = person
                .held
                .iter()
                .map(|(m, h)| (*m, (h.lots.clone(), h.cost.clone())))
                .filter(|(_, (l, c))| *l != BigInt::ZERO || *c != BigInt::ZERO)
                .collect();
            if theirs != mine {
                return differs(format!("is positioned {theirs:?}, the model has {mine:?}"));
            }
            self.compare_health(engine, group)?;
        }
        Ok(())
    }

    fn compare_health(&self, engine: &Engine, group: GroupId) -> Result<(), Mismatch> {
        let state = engine.state();
        let mut holdings = Holdings::new();
        let assessed = state
            .book()
            .load(group)
            .view(state, &mut holdings)
            .and_then(|()| engine.stack().parts().margin.assess(&holdings.group(group), state));
        for (level, initial) in [(Level::Maintenance, false), (Level::Initial, true)] {
            let theirs: Option<Sides> = assessed
                .as_ref()
                .ok()
                .and_then(|h| h.line(level))
                .map(|l| (l.support.get().into(), l.demand.get().into()));
            let mine = self.health(group, initial);
            if theirs != mine {
                return Err(Mismatch {
                    group,
                    what: format!("{level:?} is {theirs:?}, the model has {mine:?}"),
                });
            }
        }
        Ok(())
    }
}
