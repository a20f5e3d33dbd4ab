//! What the world does to a preset, and what is watched while it does: one check per law.

use cofferdam_core::{
    Amount, AssetId, Decimal, FundingIndex, GroupId, Holder, Instrument, Item, Level, Lots, MarketId, Millis,
    OrderId, PoolId, Posting, Quanta, Quote, Rounding, ScenarioPrice, SourceId, Ticks, World,
};
use cofferdam_margin_engine::{Account, Holdings};
use cofferdam_stack::{
    Answer, Body, Effect, Engine, Fact, Input, InputId, MarketScenarios, Observer, Order, OrderOutcome,
    Reason, RiskStack, State, StepCause, Work,
};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

pub(crate) const FIRST: u32 = 10;
const GROUPS: u32 = 6;
const RICH: u32 = 40;
const VAULT: u32 = 1;
/// A protocol's reserves, where a preset has some.
const RESERVES: u32 = 800;
/// Rounding of one step, in quanta, that the house may gain.
const DUST: i128 = 10;

/// What the world does. Numbers are shares of what a preset's own units make of them.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    /// A price, in thousandths of the first one.
    Price(i64),
    /// Time passes.
    Wait(u64),
    /// Whole units of the numeraire (or of the collateral, in lending) for a group.
    Deposit(u32, i64),
    /// Takes them out again.
    Withdraw(u32, i64),
    /// A trade at the mark, in hundredths of a unit.
    Trade(u32, u32, i64),
    /// An order is filled at the mark: all of it or a half.
    Fill(usize, bool),
    /// An order ends unfilled.
    End(usize),
    /// Borrows, repays, and a keeper's bid for a group, in whole units.
    Borrow(u32, i64),
    Repay(u32, i64),
    Bid(u32, i64),
}

pub(crate) fn perpetual() -> impl Strategy<Value = Vec<Op>> {
    let group = || FIRST..FIRST + GROUPS;
    let any_group = || prop_oneof![4 => FIRST..FIRST + GROUPS, 1 => Just(RICH)];
    let op = prop_oneof![
        4 => prop_oneof![3 => 900_i64..1_100, 1 => 500_i64..1_600].prop_map(Op::Price),
        1 => prop_oneof![1_u64..5_000, 5_000_u64..600_000].prop_map(Op::Wait),
        1 => (group(), 1_i64..20_000).prop_map(|(g, x)| Op::Deposit(g, x)),
        2 => (group(), 1_i64..20_000).prop_map(|(g, x)| Op::Withdraw(g, x)),
        7 => (group(), any_group(), prop_oneof![-60_000_i64..60_000, -2_000_i64..2_000])
            .prop_map(|(a, b, x)| Op::Trade(a, b, x)),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(i, all)| Op::Fill(i, all)),
        2 => any::<usize>().prop_map(Op::End),
    ];
    prop::collection::vec(op, 1..50)
}

pub(crate) fn lending() -> impl Strategy<Value = Vec<Op>> {
    // few accounts, and bids of common sizes: most bids for one that is healthy are refused
    let group = || FIRST..FIRST + 3;
    let size = || prop::sample::select(vec![100_i64, 500, 1_000, 2_000, 4_000, 6_000, 8_000]);
    let op = prop_oneof![
        4 => prop_oneof![3 => 700_i64..1_100, 1 => 300_i64..1_600].prop_map(Op::Price),
        1 => prop_oneof![1_u64..5_000, 5_000_u64..600_000].prop_map(Op::Wait),
        1 => (group(), 1_i64..20).prop_map(|(g, x)| Op::Deposit(g, x)),
        2 => (group(), 1_i64..20).prop_map(|(g, x)| Op::Withdraw(g, x)),
        6 => (group(), 1_i64..17_000).prop_map(|(g, x)| Op::Borrow(g, x)),
        2 => (group(), 1_i64..40_000).prop_map(|(g, x)| Op::Repay(g, x)),
        9 => (group(), size()).prop_map(|(g, x)| Op::Bid(g, x)),
        1 => size().prop_map(|x| Op::Bid(RESERVES, x)),
    ];
    prop::collection::vec(op, 1..50)
}

/// A composed stack and what is needed to speak to it.
pub(crate) struct Bench {
    engine: Engine,
    twin: RiskStack,
    market: Option<MarketId>,
    pool: Option<PoolId>,
    /// Whether what instruments are worth in each scenario comes in with every price.
    scenarios: bool,
    first: Ticks,
    now: u64,
    number: u64,
    orders: Vec<(OrderId, Lots)>,
    alarms: usize,
    pub(crate) reached: BTreeMap<Reason, u32>,
    pub(crate) broken: Vec<(u16, String)>,
}

fn account(state: &State, group: GroupId) -> Account {
    state.book().load(group)
}

pub(crate) fn health_of(
    stack: &RiskStack,
    state: &State,
    group: GroupId,
    account: &Account,
) -> Option<cofferdam_core::Health> {
    let mut holdings = Holdings::new();
    account.view(state, &mut holdings).ok()?;
    stack.parts().margin.assess(&holdings.group(group), state).ok()
}

pub(crate) fn health(stack: &RiskStack, state: &State, group: GroupId) -> Option<cofferdam_core::Health> {
    health_of(stack, state, group, &account(state, group))
}

pub(crate) fn below(stack: &RiskStack, state: &State, group: GroupId) -> bool {
    health(stack, state, group).is_some_and(|h| h.below(Level::Maintenance))
}

fn slack(stack: &RiskStack, state: &State, group: GroupId) -> Option<i128> {
    health(stack, state, group)?.line(Level::Maintenance).map(|l| l.slack())
}

fn owner(p: &Posting) -> Option<GroupId> {
    if let Holder::Group(g) = p.holder { Some(g) } else { None }
}

fn all_below(stack: &RiskStack, state: &State) -> BTreeSet<GroupId> {
    state.book().groups().filter(|g| below(stack, state, *g)).collect()
}

/// Looks at each step: who was liquidated, how much, and what became of the ratio.
struct Watch<'a> {
    stack: &'a RiskStack,
    before: State,
    reached: &'a mut BTreeMap<Reason, u32>,
    broken: Vec<(u16, String)>,
}

impl Watch<'_> {
    fn note(&mut self, law: u16, what: String) {
        self.broken.push((law, what));
    }

    /// INV-19: nine tenths of the order, filled at the mark with its penalty, would have been enough.
    fn over(&self, order: &Order) -> bool {
        let (state, group) = (&self.before, order.group);
        let part = i128::from(order.lots.get()) * 9 / 10;
        let Ok(part) = i64::try_from(part) else { return false };
        let mut account = account(state, group);
        let Some(view) = state.market(order.market).copied() else { return false };
        let Some(p) = account.positions().iter().find(|p| p.market == order.market).copied() else {
            return false;
        };
        if part == 0 {
            return false;
        }
        let closed = Lots::new(-part);
        let cost = cofferdam_core::MarketScale::released_cost(p.cost, closed, p.lots).unwrap();
        let proceeds = view.scale.notional(closed, view.mark.mid).unwrap();
        let notional = view.scale.absolute_notional(closed, view.mark.mid).unwrap();
        let fee = order.penalty_rate.of(notional, Rounding::Up).unwrap();
        let asset = *state.asset(view.settlement).unwrap();
        let paid = proceeds.try_sub(cost).unwrap().try_sub(fee).unwrap();
        let places =
            u32::try_from(-(i32::from(asset.scale.decimals) + i32::from(asset.scale.quantum_exponent)));
        let atoms = paid.get().div_euclid(10_i128.pow(places.unwrap_or(0)));
        account
            .apply(Item::Position(order.market), part.into(), cost.try_neg().unwrap(), view.funding)
            .unwrap();
        account
            .apply(Item::Asset(view.settlement), atoms, cofferdam_core::Quanta::ZERO, view.funding)
            .unwrap();
        let Some(health) = health_of(self.stack, state, group, &account) else { return false };
        let target = health.line(Level::LiquidationEnd).or(health.line(Level::Maintenance));
        target.is_some_and(|l| l.slack() >= 0)
    }

    /// INV-19: nine tenths of what a plan itself moved would have been enough.
    fn moved_too_much(&self, group: GroupId, facts: &[Fact]) -> bool {
        let mut account = account(&self.before, group);
        let mut closed = false;
        let own = Holder::Group(group);
        let posted = facts.iter().filter_map(|f| match f {
            Fact::Post { reason: Reason::Funding, .. } => None,
            Fact::Post { postings, .. } => Some(postings),
            _ => None,
        });
        for p in posted.flatten().filter(|p| p.holder == own) {
            closed |= matches!(p.item, Item::Position(_));
            let funding = match p.item {
                Item::Position(m) => self.before.market(m).map_or(FundingIndex::ZERO, |v| v.funding),
                _ => FundingIndex::ZERO,
            };
            let part = |x: i128| x * 9 / 10;
            if account.apply(p.item, part(p.units), Quanta::new(part(p.cost.get())), funding).is_err() {
                return false;
            }
        }
        let Some(health) = health_of(self.stack, &self.before, group, &account) else { return false };
        let target = health.line(Level::LiquidationEnd).or(health.line(Level::Maintenance));
        closed && target.is_some_and(|l| l.slack() >= 0)
    }

    /// INV-18: a fill at the mark below the frontier (equity covers the penalty on everything) lowered the ratio.
    fn lowered(&self, order: &Order, lots: Lots, after: &State) -> bool {
        let line = |state: &State| health(self.stack, state, order.group)?.line(Level::Maintenance);
        let (Some(a), Some(b)) = (line(&self.before), line(after)) else { return false };
        let Some(view) = self.before.market(order.market) else { return false };
        let Some(p) = self.before.book().position(order.group, order.market) else { return false };
        // who closed by itself while the order was out is turned round by its fill: that is no liquidation any more
        if lots.get().abs() > p.lots.get().abs() || lots.signum() == p.lots.signum() {
            return false;
        }
        let notional = view.scale.absolute_notional(p.lots, view.mark.mid).unwrap();
        let penalty = order.penalty_rate.of(notional, Rounding::Up).unwrap();
        let equity = health(self.stack, &self.before, order.group).map_or(0, |h| h.equity.get());
        let frontier = equity > penalty.get() + DUST;
        // with nothing left to require there is no ratio
        let asked = a.demand.get() > 0 && b.demand.get() > 0;
        frontier
            && asked
            && (b.support.get() + DUST) * a.demand.get() < a.support.get() * (b.demand.get() - DUST)
    }
}

impl Observer for Watch<'_> {
    fn step(&mut self, cause: &StepCause, facts: &[Fact], after: &State) {
        if let StepCause::Work(Work::Liquidate { group }) = cause {
            let forced = facts.iter().any(|f| match f {
                Fact::OrderPlaced(o) => o.group == *group,
                Fact::Post { reason, .. } => matches!(reason, Reason::Takeover | Reason::Deleverage),
                _ => false,
            });
            if forced && !below(self.stack, &self.before, *group) {
                self.note(17, format!("{group} was liquidated and was not below maintenance"));
            }
            if below(self.stack, &self.before, *group) && self.moved_too_much(*group, facts) {
                self.note(19, format!("{group}: nine tenths of what was closed would have been enough"));
            }
        }
        for fact in facts {
            if let Fact::Post { reason, .. } = fact {
                *self.reached.entry(*reason).or_insert(0) += 1;
            }
            match fact {
                Fact::OrderPlaced(order) if self.over(order) => {
                    self.note(19, format!("{order:?}: nine tenths of it would have been enough"));
                }
                Fact::OrderFilled { id, lots, .. } => {
                    let order = self.before.orders().find(|o| o.id == *id).copied();
                    if order.is_some_and(|o| self.lowered(&o, *lots, after)) {
                        let of = |s: &State| {
                            order.and_then(|o| health(self.stack, s, o.group)?.line(Level::Maintenance))
                        };
                        let (was, is) = (of(&self.before), of(after));
                        self.note(18, format!("{lots} of {order:?}: the line was {was:?} and is {is:?}"));
                    }
                }
                // the prices of this step are those of the last: only what another's liquidation gave them moves their health
                Fact::Post { reason: Reason::Redistribution, postings } => {
                    let others: BTreeSet<GroupId> =
                        postings.iter().filter(|p| p.units > 0).filter_map(owner).collect();
                    for g in others {
                        let (was, is) = (slack(self.stack, &self.before, g), slack(self.stack, after, g));
                        if was != is {
                            self.note(
                                12,
                                format!(
                                    "another's liquidation moved the slack of {g} from {was:?} to {is:?}"
                                ),
                            );
                        }
                    }
                }
                Fact::Post { reason: Reason::BadDebt, postings } => {
                    for group in postings.iter().filter_map(owner) {
                        let held = account(after, group);
                        let equity = health(self.stack, after, group).map_or(0, |h| h.equity.get());
                        if !held.positions().is_empty() || equity > DUST {
                            self.note(22, format!("bad debt of {group}, which still has {held:?}"));
                        }
                    }
                }
                _ => {}
            }
        }
        self.before = after.clone();
    }
}

fn units(whole: i64, exponent: i32) -> i128 {
    Decimal::from_units(whole.into(), 0).to_units(exponent).unwrap()
}

impl Bench {
    pub(crate) fn new(
        make: &dyn Fn() -> RiskStack,
        (market, pool): (Option<MarketId>, Option<PoolId>),
        scenarios: bool,
    ) -> Self {
        let (engine, twin) = (Engine::new(make()), make());
        let mut bench = Self {
            engine,
            twin,
            market,
            pool,
            scenarios,
            first: Ticks::ZERO,
            now: 1_000_000,
            number: 1,
            orders: vec![],
            alarms: 0,
            reached: BTreeMap::new(),
            broken: vec![],
        };
        bench.price(1_000);
        bench
    }

    fn input(&self, body: Body) -> Input {
        Input {
            id: InputId { source: 1, number: self.number },
            time: Millis(self.now),
            block: self.now / 1_000,
            body,
        }
    }

    fn send(&mut self, body: Body) -> Answer {
        let input = self.input(body);
        self.number += 1;
        let before = self.engine.state().clone();
        let mut watch = Watch { stack: &self.twin, before, reached: &mut self.reached, broken: vec![] };
        let outcome = self.engine.submit(&input, &mut watch).unwrap();
        self.broken.append(&mut watch.broken);
        for effect in outcome.effects {
            match effect {
                Effect::Order { order, lots, .. } => self.orders.push((order, lots)),
                Effect::Raise(_) => self.alarms += 1,
                _ => {}
            }
        }
        outcome.answer
    }

    /// Every market and asset is quoted by many sources, so that medians have their quorum; only the one that is traded or
    /// pledged moves.
    fn price(&mut self, thousandths: i64) {
        let parts = self.twin.parts();
        let mut quotes = Vec::new();
        let mut sets = Vec::new();
        let mut quote = |instrument, exponent: i32, moves: bool| {
            let first = units(2_000, exponent);
            let price = if moves { first * i128::from(thousandths) / 1_000 } else { first };
            let price = Ticks::new(i64::try_from(price).unwrap());
            let published = Millis(self.now);
            quotes.extend((1..=20).map(|s| {
                (instrument, Quote { source: SourceId(s), price, confidence: Ticks::ZERO, published })
            }));
            price
        };
        for m in &parts.markets {
            let base = quote(Instrument::Market(m.id), m.tick_exponent, Some(m.id) == self.market);
            // sixteen, up to a tenth below and above
            let at = |k: i64| Ticks::new(base.get() + base.get() / 80 * k);
            let values = (-8..=8).filter(|k| *k != 0).map(|k| ScenarioPrice { low: at(k), high: at(k) });
            sets.push(MarketScenarios { market: m.id, base, values: values.collect() });
        }
        for a in parts.assets.iter().filter(|a| !a.numeraire) {
            quote(Instrument::Asset(a.id), a.scale.price_exponent.into(), true);
        }
        self.send(Body::Quotes(quotes));
        if self.scenarios {
            self.send(Body::Scenarios(sets));
        }
        if let (Ticks::ZERO, Some(m)) = (self.first, self.market) {
            self.first = self.engine.state().market(m).unwrap().mark.mid;
        }
    }

    /// The numeraire, or the asset that is pledged in lending.
    fn collateral(&self) -> AssetId {
        let pledged = |numeraire: &bool| *numeraire != self.pool.is_some();
        self.twin.parts().assets.iter().find(|a| pledged(&a.numeraire)).unwrap().id
    }

    fn amount(&self, asset: AssetId, whole: i64) -> Amount {
        let terms = self.twin.parts().assets.iter().find(|a| a.id == asset).unwrap();
        Amount::new(units(whole, -i32::from(terms.scale.decimals)))
    }

    fn give(&mut self, group: u32, asset: AssetId, whole: i64) {
        let amount = self.amount(asset, whole);
        self.send(Body::Deposit { group: GroupId(group), asset, amount });
    }

    fn numeraire(&self) -> AssetId {
        self.twin.parts().assets.iter().find(|a| a.numeraire).unwrap().id
    }

    pub(crate) fn open(&mut self) {
        let (collateral, cash) = (self.collateral(), self.numeraire());
        for (i, g) in (FIRST..FIRST + GROUPS).enumerate() {
            let whole = if self.pool.is_some() { 10 } else { 2_000 * (1 + i64::try_from(i).unwrap()) };
            self.give(g, collateral, whole);
        }
        for g in [RICH, VAULT, RESERVES] {
            self.give(g, cash, 100_000_000);
        }
        if let Some(pool) = self.pool {
            let amount = self.amount(cash, 10_000_000);
            self.send(Body::Supply { group: GroupId(RICH), pool, amount });
        }
    }

    fn mark(&self) -> Option<Ticks> {
        let view = self.engine.state().market(self.market?)?;
        view.mark.is_usable().then_some(view.mark.mid)
    }

    fn body(&self, op: &Op) -> Option<Body> {
        let (collateral, cash, group) = (self.collateral(), self.numeraire(), GroupId);
        Some(match *op {
            Op::Deposit(g, x) => {
                Body::Deposit { group: group(g), asset: collateral, amount: self.amount(collateral, x) }
            }
            Op::Withdraw(g, x) => {
                Body::Withdraw { group: group(g), asset: collateral, amount: self.amount(collateral, x) }
            }
            Op::Trade(a, b, hundredths) => {
                let market = self.market?;
                let terms = self.twin.parts().markets.iter().find(|m| m.id == market)?;
                let lots = Lots::new(i64::try_from(units(hundredths, terms.lot_exponent) / 100).ok()?);
                Body::Trade { taker: group(a), maker: group(b), market, lots, price: self.mark()? }
            }
            Op::Borrow(g, x) => {
                Body::Borrow { group: group(g), pool: self.pool?, amount: self.amount(cash, x) }
            }
            Op::Repay(g, x) => {
                Body::Repay { group: group(g), pool: self.pool?, amount: self.amount(cash, x) }
            }
            Op::Bid(g, x) => Body::Bid {
                keeper: group(RICH),
                group: group(g),
                debt: cash,
                repay: self.amount(cash, x),
                collateral,
                at_least: Amount::ZERO,
            },
            _ => return None,
        })
    }

    fn fill(&mut self, which: usize, all: bool) {
        let (Some(at), Some(price)) = (which.checked_rem(self.orders.len()), self.mark()) else { return };
        let (order, lots) = self.orders[at];
        let part = Lots::new(if all { lots.get() } else { lots.get() / 2 });
        if all || part.is_zero() {
            self.orders.remove(at);
        } else {
            self.orders[at].1 = Lots::new(lots.get() - part.get());
        }
        let lots = if part.is_zero() { lots } else { part };
        self.send(Body::Fill { order, lots, price, counterparty: GroupId(RICH) });
    }

    fn note(&mut self, law: u16, what: String) {
        self.broken.push((law, what));
    }

    /// The decision of a request alone, against the laws of what a request may do (INV-10 to INV-13, INV-17).
    fn request(&mut self, op: &Op, body: &Body) {
        let stack = &self.twin;
        let before = self.engine.state().clone();
        let decision = self.engine.stack().decide(&before, &self.input(body.clone()));
        let done = decision.answer == Some(Answer::Done);
        let mut after = before.clone();
        decision.facts.iter().for_each(|f| after.evolve(f).unwrap());
        let who: Vec<GroupId> = match *body {
            Body::Deposit { group, .. } | Body::Withdraw { group, .. } => vec![group],
            Body::Borrow { group, .. } | Body::Repay { group, .. } => vec![group],
            Body::Trade { taker, maker, .. } => vec![taker, maker],
            Body::Bid { keeper, group, .. } => vec![keeper, group],
            _ => vec![],
        };
        let mut found = Vec::new();
        for g in before.book().groups() {
            let (Some(a), Some(b)) = (slack(stack, &before, g), slack(stack, &after, g)) else { continue };
            if !who.contains(&g) {
                if a != b {
                    found.push((12, format!("{op:?} moved the slack of {g} from {a} to {b}")));
                }
                continue;
            }
            let (was, now) = (below(stack, &before, g), below(stack, &after, g));
            let lots =
                |s: &State| self.market.map_or(0, |m| s.book().position(g, m).map_or(0, |p| p.lots.get()));
            let (held, holds) = (lots(&before), lots(&after));
            let opens = match body {
                Body::Withdraw { .. } | Body::Borrow { .. } => true,
                Body::Trade { .. } => holds.abs() > held.abs() || holds.signum() * held.signum() < 0,
                _ => false,
            };
            let lightens = match body {
                Body::Deposit { .. } | Body::Repay { .. } => true,
                Body::Trade { .. } => !opens,
                _ => false,
            };
            if done && !was && now && !matches!(body, Body::Bid { .. }) {
                found.push((10, format!("{op:?} made {g} liquidatable")));
            }
            // turning a position round closes one and opens another: either may be the larger
            let turned = holds.signum() * held.signum() < 0;
            if done && opens && !turned && b > a + DUST {
                found.push((11, format!("{op:?} raised the slack of {g} from {a} to {b}")));
            }
            if done && lightens && b < a - DUST {
                found.push((11, format!("{op:?} lowered the slack of {g} from {a} to {b}")));
            }
            if done && was && opens && !turned {
                found.push((13, format!("{op:?} by {g}, which is below maintenance")));
            }
        }
        if let (Body::Bid { group, .. }, true) = (body, done)
            && !below(stack, &before, *group)
        {
            found.push((17, format!("{op:?} liquidated an account that is not below maintenance")));
        }
        self.broken.append(&mut found);
    }

    pub(crate) fn step(&mut self, op: &Op) {
        // what waited to be allocated is, and the request meets fixed prices
        self.now += 2;
        self.send(Body::Clock);
        let before = all_below(&self.twin, self.engine.state()).len();
        match op {
            Op::Price(x) => self.price(*x),
            Op::Wait(ms) => {
                self.now += ms;
                self.send(Body::Clock);
            }
            Op::Fill(which, all) => {
                self.fill(*which, *all);
                let after = all_below(&self.twin, self.engine.state()).len();
                if after > before {
                    self.note(20, format!("{before} were below and after {op:?} {after} are"));
                }
            }
            Op::End(which) => {
                if let Some(at) = which.checked_rem(self.orders.len()) {
                    let (order, _) = self.orders.remove(at);
                    self.send(Body::OrderEnded { order, outcome: OrderOutcome::Expired });
                }
            }
            request => {
                let Some(body) = self.body(request) else { return };
                self.request(request, &body);
                self.send(body);
            }
        }
        self.nothing_owed_for_nothing();
    }

    /// INV-23: nobody owes who has nothing.
    fn nothing_owed_for_nothing(&mut self) {
        let state = self.engine.state();
        let owing = state.book().groups().find(|g| {
            let a = account(state, *g);
            let owes = !a.debts().is_empty() || a.balances().iter().any(|b| b.amount.is_negative());
            let has = !a.positions().is_empty() || a.balances().iter().any(|b| b.amount.get() > 0);
            // a market whose price is not usable is looked at with the next one
            owes && !has && health(&self.twin, state, *g).is_some()
        });
        if let Some(g) = owing {
            let held = account(state, g);
            self.note(23, format!("{g} owes and has nothing: {held:?}"));
        }
    }

    /// INV-20: with a taker for everything nobody stays below without an alarm.
    pub(crate) fn finish(&mut self) {
        if self.market.is_none() {
            return;
        }
        for _ in 0..200 {
            while !self.orders.is_empty() {
                self.fill(0, true);
            }
            if all_below(&self.twin, self.engine.state()).is_empty() {
                return;
            }
            self.now += 30_001;
            self.send(Body::Clock);
        }
        let stuck = all_below(&self.twin, self.engine.state());
        if self.alarms == 0 {
            self.note(20, format!("{stuck:?} stay below maintenance in silence"));
        }
    }
}
