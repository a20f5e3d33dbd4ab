//! A draft over a state: reads through, keeps its own writes, clones nothing. Each fact recorded is applied to the draft by
//! the same function that `evolve` uses.

use crate::{
    Alarm, Answer, Draw, Effect, Fact, InputId, LayerState, Order, Reason, Work, WorkKey,
    decide::{balance, position},
    state::{Head, State},
    store::{EvolveError, Holding, Store, apply},
};
use cofferdam_core::{
    Amount, AssetId, AssetView, Bands, DrawId, FundingIndex, GroupId, Holder, House, Instrument, Item,
    LayerId, Lots, MarketId, MarketView, MathError, Memory, MemoryStore, Millis, OrderId, Posting, Quanta,
    Quote, Scenarios, Scope, Slot, SourceId, World, Writes,
};
use cofferdam_margin_engine::{Account, Book, BookError, Holdings, MarginError, Position};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// What a step decided: facts to apply, effects to send, the answer to give.
#[must_use]
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// In order; whole or not at all.
    pub facts: Vec<Fact>,
    /// What the world is asked to do.
    pub effects: Vec<Effect>,
    /// The answer, when the step was an input.
    pub answer: Option<Answer>,
}

#[derive(Clone)]
pub(crate) struct Draft<'s> {
    state: &'s State,
    head: Head,
    accounts: BTreeMap<GroupId, Account>,
    ledger: BTreeMap<(Holder, Item), Holding>,
    markets: BTreeMap<MarketId, MarketView>,
    assets: BTreeMap<AssetId, AssetView>,
    scenarios: BTreeMap<MarketId, Scenarios>,
    quotes: BTreeMap<Instrument, Vec<Quote>>,
    memory: BTreeMap<(Slot, Scope), Vec<u8>>,
    orders: BTreeMap<OrderId, Option<Order>>,
    layers: BTreeMap<LayerId, LayerState>,
    draws: BTreeMap<DrawId, Option<Draw>>,
    works: BTreeMap<WorkKey, Option<Work>>,
    /// The same the other way round: where work that was added here waits.
    added: BTreeMap<Work, WorkKey>,
    /// Lots held long and short per market, as the book will sum them.
    interest: BTreeMap<MarketId, (Lots, Lots)>,
    pub(crate) facts: Vec<Fact>,
    pub(crate) effects: Vec<Effect>,
}

impl<'s> Draft<'s> {
    pub(crate) fn new(state: &'s State) -> Self {
        Self {
            state,
            head: state.head.clone(),
            accounts: BTreeMap::new(),
            ledger: BTreeMap::new(),
            markets: BTreeMap::new(),
            assets: BTreeMap::new(),
            scenarios: BTreeMap::new(),
            quotes: BTreeMap::new(),
            memory: BTreeMap::new(),
            orders: BTreeMap::new(),
            layers: BTreeMap::new(),
            draws: BTreeMap::new(),
            works: BTreeMap::new(),
            added: BTreeMap::new(),
            interest: BTreeMap::new(),
            facts: Vec::new(),
            effects: Vec::new(),
        }
    }

    /// Applies a fact to the draft and keeps it.
    pub(crate) fn record(&mut self, fact: Fact) -> Result<(), EvolveError> {
        apply(self, &fact)?;
        self.facts.push(fact);
        Ok(())
    }

    pub(crate) fn post(&mut self, reason: Reason, postings: Vec<Posting>) -> Result<(), EvolveError> {
        if postings.is_empty() { Ok(()) } else { self.record(Fact::Post { reason, postings }) }
    }

    pub(crate) fn now(&self) -> Millis {
        self.head.at.time
    }

    /// Whether this draft has changed a group.
    pub(crate) fn touched(&self, group: GroupId) -> bool {
        self.accounts.contains_key(&group)
    }

    pub(crate) fn state(&self) -> &'s State {
        self.state
    }

    /// What a group holds.
    pub(crate) fn account(&self, group: GroupId) -> Cow<'_, Account> {
        self.accounts.get(&group).map_or_else(|| Cow::Owned(self.state.book.load(group)), Cow::Borrowed)
    }

    /// A group's position, without the account around it.
    pub(crate) fn held(&self, group: GroupId, market: MarketId) -> Option<Position> {
        match self.accounts.get(&group) {
            Some(account) => account.positions().iter().find(|p| p.market == market).copied(),
            None => self.state.book.position(group, market),
        }
    }

    /// A group's position: lots and their cost.
    pub(crate) fn position(&self, group: GroupId, market: MarketId) -> (Lots, Quanta) {
        self.held(group, market).map_or((Lots::ZERO, Quanta::ZERO), |p| (p.lots, p.cost))
    }

    /// A group's balance in an asset, in atoms.
    pub(crate) fn balance(&self, group: GroupId, asset: AssetId) -> i128 {
        match self.accounts.get(&group) {
            Some(account) => balance(account, asset),
            None => self.state.book.balance(group, asset).get(),
        }
    }

    /// What a group holds at this moment, funding and interest to now.
    pub(crate) fn view(&self, group: GroupId, into: &mut Holdings) -> Result<(), MarginError> {
        match self.accounts.get(&group) {
            Some(account) => account.view(self, into),
            None => self.state.book.view(group, self, into),
        }
    }

    pub(crate) fn quotes(&self, instrument: Instrument) -> &[Quote] {
        self.quotes.get(&instrument).or_else(|| self.state.quotes.get(&instrument)).map_or(&[], Vec::as_slice)
    }

    /// Runs a module on its memory and turns what it wrote into facts.
    pub(crate) fn with_memory<T, E>(
        &mut self,
        slot: Slot,
        run: impl FnOnce(&Self, &mut Memory<'_>) -> Result<T, E>,
    ) -> Result<Result<T, E>, EvolveError> {
        let mut writes = Writes::new();
        let out = {
            let this: &Self = self;
            run(this, &mut Memory::new(this, &mut writes, slot))
        };
        if out.is_err() {
            return Ok(out); // a module that failed remembers nothing of it
        }
        for ((slot, scope), bytes) in writes {
            self.record(Fact::Memory { slot, scope, bytes })?;
        }
        Ok(out)
    }

    /// Runs a part of a step that may fail by itself: on an error nothing of that part is kept (INV-41).
    pub(crate) fn attempt<T, E>(&mut self, part: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        let before = self.clone();
        let outcome = part(self);
        if outcome.is_err() {
            *self = before;
        }
        outcome
    }

    /// Asks the world to look at something.
    pub(crate) fn raise(&mut self, alarm: Alarm) {
        self.effects.push(Effect::Raise(alarm));
    }

    /// Runs a module on its memory; what it writes is forgotten (a quote).
    pub(crate) fn peek_memory<T>(&self, slot: Slot, run: impl FnOnce(&Memory<'_>) -> T) -> T {
        let mut writes = Writes::new();
        run(&Memory::new(self, &mut writes, slot))
    }

    /// Groups that something of this step was posted to.
    pub(crate) fn moved(&self) -> Vec<GroupId> {
        self.accounts.keys().copied().collect()
    }

    pub(crate) fn has_orders(&self, group: GroupId) -> bool {
        let of_state = self.state.orders_of.get(&group).map_or(&[][..], Vec::as_slice);
        of_state.iter().any(|id| self.order(*id).is_some())
            || self.orders.values().any(|o| o.is_some_and(|o| o.group == group))
    }

    /// A group's open orders.
    pub(crate) fn orders_of(&self, group: GroupId) -> Vec<OrderId> {
        let of_state = self.state.orders_of.get(&group).map_or(&[][..], Vec::as_slice);
        let known = of_state.iter().filter(|id| self.order(**id).is_some());
        let fresh = self
            .orders
            .iter()
            .filter(|(id, o)| o.is_some_and(|o| o.group == group) && !of_state.contains(id));
        known.chain(fresh.map(|(id, _)| id)).copied().collect()
    }

    /// Lots of a group's open orders in a market.
    pub(crate) fn ordered(&self, group: GroupId, market: MarketId) -> Result<Lots, MathError> {
        let of_state = self.state.orders_of.get(&group).map_or(&[][..], Vec::as_slice);
        let known =
            of_state.iter().filter(|id| !self.orders.contains_key(id)).filter_map(|id| self.order(*id));
        let all = known.chain(self.orders.values().flatten().copied());
        all.filter(|o| o.group == group && o.market == market)
            .try_fold(Lots::ZERO, |sum, o| sum.try_add(o.lots))
    }

    fn interest(&self, market: MarketId) -> (Lots, Lots) {
        self.interest.get(&market).copied().unwrap_or_else(|| self.state.book.open_interest(market))
    }

    pub(crate) fn cash(&self, holder: Holder, asset: AssetId) -> i128 {
        match holder {
            Holder::Group(g) => self.balance(g, asset),
            _ => self.holding(holder, Item::Asset(asset)).units,
        }
    }

    /// What nobody has paid yet in an asset, zero or more.
    pub(crate) fn deficit(&self, asset: AssetId) -> Amount {
        let units = self.cash(Holder::House(House::Deficit), asset);
        Amount::new(if units < 0 { units.wrapping_neg() } else { 0 })
    }

    pub(crate) fn waiting(&self, work: &Work) -> Option<WorkKey> {
        if let Some(k) = self.added.get(work) {
            return Some(*k);
        }
        self.state.waiting.get(work).copied().filter(|k| !matches!(self.works.get(k), Some(None)))
    }

    /// Puts work into the queue, unless the same work already waits there for an earlier or the same time.
    pub(crate) fn schedule(&mut self, due: Millis, work: Work) -> Result<(), EvolveError> {
        if let Some(key) = self.waiting(&work) {
            if key.due <= due {
                return Ok(());
            }
            self.record(Fact::WorkDone { key })?;
        }
        let key = WorkKey { due, priority: work.priority(), number: self.head.next_work };
        self.record(Fact::WorkAdded { key, work })
    }

    pub(crate) fn into_decision(self, answer: Option<Answer>) -> Decision {
        Decision { facts: self.facts, effects: self.effects, answer }
    }
}

impl World for Draft<'_> {
    fn market(&self, id: MarketId) -> Option<&MarketView> {
        self.markets.get(&id).or_else(|| self.state.markets.get(&id))
    }

    fn asset(&self, id: AssetId) -> Option<&AssetView> {
        self.assets.get(&id).or_else(|| self.state.assets.get(&id))
    }

    fn scenarios(&self, id: MarketId) -> Option<&Scenarios> {
        self.scenarios.get(&id).or_else(|| self.state.scenarios.get(&id))
    }

    fn bands(&self, id: GroupId) -> Option<Bands> {
        crate::store::bands(self, id)
    }
}

impl MemoryStore for Draft<'_> {
    fn record(&self, slot: Slot, scope: Scope) -> Option<&[u8]> {
        self.memory.get(&(slot, scope)).map(Vec::as_slice).or_else(|| self.state.memory.record(slot, scope))
    }
}

impl Store for Draft<'_> {
    fn head(&self) -> &Head {
        &self.head
    }
    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }
    fn lots(&self, group: GroupId, market: MarketId) -> Lots {
        self.position(group, market).0
    }
    // refuses what the book would refuse: a fact that applies to the draft applies to the state
    fn post_group(
        &mut self,
        group: GroupId,
        p: &Posting,
        funding_now: FundingIndex,
    ) -> Result<(), BookError> {
        if group.0 >= Book::GROUPS_LIMIT {
            return Err(BookError::GroupOutOfRange { group, limit: Book::GROUPS_LIMIT });
        }
        let state = self.state;
        let sums = match p.item {
            Item::Position(market) => Some((market, self.interest(market))),
            _ => None,
        };
        let account = self.accounts.entry(group).or_insert_with(|| state.book.load(group));
        let Some((market, (long, short))) = sums else {
            return account.apply(p.item, p.units, p.cost, funding_now);
        };
        let costs = account.positions().iter().try_fold(Quanta::ZERO, |sum, p| sum.try_add(p.cost))?;
        let (before, cost) = position(account, market);
        account.apply(p.item, p.units, p.cost, funding_now)?;
        let (after, new_cost) = position(account, market);
        costs.try_sub(cost)?.try_add(new_cost)?;
        let long = long.try_sub(before.positive_part())?.try_add(after.positive_part())?;
        let short = short.try_sub(short_part(before)?)?.try_add(short_part(after)?)?;
        self.interest.insert(market, (long, short));
        Ok(())
    }
    fn holding(&self, holder: Holder, item: Item) -> Holding {
        self.ledger.get(&(holder, item)).copied().unwrap_or_else(|| self.state.holding(holder, item))
    }
    fn set_holding(&mut self, holder: Holder, item: Item, holding: Holding) {
        self.ledger.insert((holder, item), holding);
    }
    fn market_view(&self, id: MarketId) -> Option<&MarketView> {
        self.market(id)
    }
    fn set_market(&mut self, view: MarketView) {
        self.markets.insert(view.id, view);
    }
    fn scenario_set(&self, id: MarketId) -> Option<&Scenarios> {
        self.scenarios(id)
    }
    fn set_scenarios(&mut self, id: MarketId, scenarios: Scenarios) {
        self.scenarios.insert(id, scenarios);
    }
    fn asset_view(&self, id: AssetId) -> Option<&AssetView> {
        self.asset(id)
    }
    fn set_asset(&mut self, view: AssetView) {
        self.assets.insert(view.id, view);
    }
    fn set_quote(&mut self, instrument: Instrument, source: SourceId, quote: Quote) {
        let base = self.state.quotes.get(&instrument);
        let quotes = self.quotes.entry(instrument).or_insert_with(|| base.cloned().unwrap_or_default());
        quotes.retain(|q| q.source != source);
        quotes.push(quote);
        quotes.sort_by_key(|q| q.source);
    }
    fn set_record(&mut self, slot: Slot, scope: Scope, bytes: Vec<u8>) {
        self.memory.insert((slot, scope), bytes);
    }
    fn order(&self, id: OrderId) -> Option<Order> {
        self.orders.get(&id).copied().unwrap_or_else(|| self.state.orders.get(&id).copied())
    }
    fn set_order(&mut self, id: OrderId, order: Option<Order>) {
        self.orders.insert(id, order);
    }
    fn layer(&self, id: LayerId) -> Option<LayerState> {
        self.layers.get(&id).or_else(|| self.state.layers.get(&id)).copied()
    }
    fn set_layer(&mut self, layer: LayerState) {
        self.layers.insert(layer.layer, layer);
    }
    fn draw(&self, id: DrawId) -> Option<Draw> {
        self.draws.get(&id).copied().unwrap_or_else(|| self.state.draws.get(&id).copied())
    }
    fn set_draw(&mut self, id: DrawId, draw: Option<Draw>) {
        self.draws.insert(id, draw);
    }
    fn work(&self, key: WorkKey) -> Option<Work> {
        self.works.get(&key).copied().unwrap_or_else(|| self.state.queue.get(&key).copied())
    }
    fn set_work(&mut self, key: WorkKey, work: Option<Work>) {
        if let Some(Some(before)) = self.works.insert(key, work)
            && self.added.get(&before) == Some(&key)
        {
            self.added.remove(&before);
        }
        if let Some(work) = work {
            self.added.insert(work, key);
        }
    }
    fn answered(&mut self, _: InputId, _: &Answer) {}
}

fn short_part(lots: Lots) -> Result<Lots, MathError> {
    lots.try_neg().map(Lots::positive_part)
}
