//! The index of who is close to liquidation: for every group a box of prices and other coordinates inside which it cannot
//! fall below maintenance. A move names only the groups whose box it leaves. A cache: not hashed, rebuilt from the state; it
//! may name too many groups, never too few, and `decide` checks whom it names.

use crate::{Fact, RiskStack, State};
use cofferdam_core::{GroupId, Holder, Item, Level, MarketId, World};
use cofferdam_margin_engine::{Coordinate, Holdings, SafeRange};
use std::collections::{BTreeMap, BTreeSet};

/// A coordinate as the index reads it. What a market's scale is, open interest or volatility, only its model knows: a bound on it
/// is kept against both, each no lower than that reading was when the box was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    Of(Coordinate),
    Interest(MarketId),
    Volatility(MarketId),
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    key: Key,
    low: i128,
    high: i128,
}

#[derive(Clone, Debug, Default)]
struct Side {
    lows: BTreeSet<(i128, GroupId)>,
    highs: BTreeSet<(i128, GroupId)>,
}

/// The index. See the module's words.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    sides: BTreeMap<Key, Side>,
    ranges: BTreeMap<GroupId, Vec<Bounds>>,
    /// Below maintenance, or without a box: named every time.
    exposed: BTreeSet<GroupId>,
    dirty: BTreeSet<GroupId>,
}

impl Watch {
    /// An index over a state, from scratch.
    #[must_use]
    pub fn rebuild(state: &State) -> Self {
        Self { dirty: state.book().groups().collect(), ..Self::default() }
    }

    /// Takes note of whose holdings a fact changed.
    pub fn note(&mut self, fact: &Fact) {
        let Fact::Post { postings, .. } = fact else { return };
        for p in postings {
            if let (Holder::Group(g), Item::Asset(_) | Item::Debt(_) | Item::Position(_)) = (p.holder, p.item)
            {
                self.dirty.insert(g);
            }
        }
    }

    /// Brings the boxes of changed groups up to date, then names every group that may be below maintenance.
    pub fn named(&mut self, stack: &RiskStack, state: &State) -> Vec<GroupId> {
        let left: Vec<GroupId> = self.left(state);
        self.dirty.extend(left.iter().copied());
        let dirty = std::mem::take(&mut self.dirty);
        let mut holdings = Holdings::new();
        for group in dirty {
            self.refresh(stack, state, group, &mut holdings);
        }
        self.exposed.iter().copied().collect()
    }

    fn refresh(&mut self, stack: &RiskStack, state: &State, group: GroupId, holdings: &mut Holdings) {
        let mut boxed = self.forget(group);
        let seen = state.book().view(group, state, holdings);
        let view = holdings.group(group);
        let owing = view.balances.iter().any(|b| b.amount.is_negative());
        if seen.is_ok() && view.positions.is_empty() && view.debts.is_empty() && !owing {
            return;
        }
        let ranges = seen.and_then(|()| stack.parts.margin.safe_ranges(&view, state, Level::Maintenance));
        let Ok(ranges) = ranges else {
            self.exposed.insert(group); // no price: named until there is one
            return;
        };
        boxed.extend(ranges.iter().flat_map(|r| bounds(state, r)).flatten());
        if boxed.iter().any(|r| outside(state, r)) {
            self.exposed.insert(group);
        }
        for r in &boxed {
            let side = self.sides.entry(r.key).or_default();
            if r.low != i128::MIN {
                side.lows.insert((r.low, group));
            }
            if r.high != i128::MAX {
                side.highs.insert((r.high, group));
            }
        }
        self.ranges.insert(group, boxed);
    }

    /// Takes a group out. Gives back the list that held its box, empty, so that the next one needs no room of its own.
    fn forget(&mut self, group: GroupId) -> Vec<Bounds> {
        self.exposed.remove(&group);
        let mut boxed = self.ranges.remove(&group).unwrap_or_default();
        for r in boxed.drain(..) {
            let Some(side) = self.sides.get_mut(&r.key) else { continue };
            if r.low != i128::MIN {
                side.lows.remove(&(r.low, group));
            }
            if r.high != i128::MAX {
                side.highs.remove(&(r.high, group));
            }
        }
        boxed
    }

    /// Groups whose box the state has left, and those below already.
    fn left(&self, state: &State) -> Vec<GroupId> {
        let mut out: Vec<GroupId> = self.exposed.iter().copied().collect();
        for (key, side) in &self.sides {
            let Some((low, high)) = value(state, *key) else {
                out.extend(side.lows.iter().chain(&side.highs).map(|(_, g)| *g));
                continue;
            };
            out.extend(side.lows.iter().rev().take_while(|(bound, _)| *bound > low).map(|(_, g)| *g));
            out.extend(side.highs.iter().take_while(|(bound, _)| *bound < high).map(|(_, g)| *g));
        }
        out
    }
}

/// The bounds that a range puts on what the index reads. The empty range stays empty.
fn bounds(state: &State, range: &SafeRange) -> [Option<Bounds>; 2] {
    let SafeRange { coordinate, low, high } = *range;
    let Coordinate::Scale(m) = coordinate else {
        return [Some(Bounds { key: Key::Of(coordinate), low, high }), None];
    };
    if low > high {
        return [Some(Bounds { key: Key::Interest(m), low, high }), None];
    }
    [Key::Interest(m), Key::Volatility(m)].map(|key| {
        let now = value(state, key).map_or((low, high), |(x, y)| (low.min(x), high.max(y)));
        Some(Bounds { key, low: now.0, high: now.1 })
    })
}

fn outside(state: &State, range: &Bounds) -> bool {
    match value(state, range.key) {
        Some((low, high)) => range.low > low || range.high < high,
        None => true,
    }
}

/// Where a coordinate stands: its lowest and highest current reading. `None` when it has no usable value.
fn value(state: &State, key: Key) -> Option<(i128, i128)> {
    let both = |x: i128| Some((x, x));
    match key {
        Key::Of(Coordinate::Mark(m)) => {
            let mark = state.market(m)?.mark;
            mark.is_usable().then(|| (mark.low.get().into(), mark.high.get().into()))
        }
        Key::Of(Coordinate::Price(a)) => {
            let price = state.asset(a)?.price;
            price.is_usable().then(|| (price.low.get().into(), price.high.get().into()))
        }
        Key::Of(Coordinate::Funding(m)) => both(state.market(m)?.funding.get()),
        Key::Of(Coordinate::DebtIndex(a)) => both(i128::try_from(state.asset(a)?.debt_index.get()).ok()?),
        Key::Of(Coordinate::Scale(m)) | Key::Interest(m) => both(state.market(m)?.open_interest.get().into()),
        Key::Of(Coordinate::Scenarios(m)) => both(state.scenarios(m).map_or(0, |s| s.revision).into()),
        Key::Volatility(m) => both(state.market(m)?.volatility.0.into()),
    }
}
