//! Everything held and remembered. Only facts change it; the hash covers all of it and nothing that is a cache.

use crate::{
    Answer, Draw, Fact, InputId, LayerState, Order, Work, WorkKey,
    store::{EvolveError, Holding, Store, apply},
};
use cofferdam_core::{
    AssetId, AssetView, At, Bands, DrawId, EventId, FundingIndex, GroupId, Holder, Instrument, Item, LayerId,
    Lots, MapMemory, MarketId, MarketView, MemoryStore, Millis, OrderId, Posting, Quanta, Quote, Scenarios,
    Scope, Slot, SourceId, World,
};
use cofferdam_margin_engine::{Book, BookError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, VecDeque};

/// How many answers per source are kept for duplicates.
pub(crate) const ANSWERS_KEPT: usize = 64;

/// An open deleveraging event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventState {
    /// Which.
    pub id: EventId,
    /// Since when.
    pub opened: Millis,
    /// The last forced close.
    pub last_forced: Millis,
    /// Closed by force so far, absolute notional in quanta.
    pub forced: Quanta,
    /// Losses realised so far, in quanta.
    pub losses: Quanta,
}

/// The small numbers of a state: clock, counters, the open event.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Where the last input stands.
    pub at: At,
    /// The next order's number.
    pub next_order: u32,
    /// The next draw's number.
    pub next_draw: u32,
    /// The next event's number.
    pub next_event: u32,
    /// The next queue entry's number.
    pub next_work: u64,
    /// The open event.
    pub event: Option<EventState>,
    /// Losses realised since the beginning, in quanta.
    pub losses_total: Quanta,
    /// Length of the window of the event's opening rule.
    pub window: Millis,
    /// Start of the current window.
    pub window_start: Millis,
    /// Closed by force in it.
    pub window_forced: Quanta,
}

/// A source's last inputs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Source {
    pub(crate) last: u64,
    pub(crate) answers: VecDeque<(u64, Answer)>,
}

/// The state of a stack.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub(crate) head: Head,
    pub(crate) book: Book,
    pub(crate) ledger: BTreeMap<(Holder, Item), Holding>,
    pub(crate) markets: BTreeMap<MarketId, MarketView>,
    pub(crate) assets: BTreeMap<AssetId, AssetView>,
    pub(crate) scenarios: BTreeMap<MarketId, Scenarios>,
    pub(crate) quotes: BTreeMap<Instrument, Vec<Quote>>,
    pub(crate) memory: MapMemory,
    pub(crate) orders: BTreeMap<OrderId, Order>,
    /// Orders by group: a cache of `orders`.
    pub(crate) orders_of: BTreeMap<GroupId, Vec<OrderId>>,
    pub(crate) layers: BTreeMap<LayerId, LayerState>,
    pub(crate) draws: BTreeMap<DrawId, Draw>,
    pub(crate) queue: BTreeMap<WorkKey, Work>,
    /// Where each work waits: a cache of `queue`.
    pub(crate) waiting: BTreeMap<Work, WorkKey>,
    pub(crate) sources: BTreeMap<u32, Source>,
}

/// What a state starts from: markets and assets as the stack's terms give them, nothing held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Genesis {
    /// Markets.
    pub markets: Vec<MarketView>,
    /// Assets.
    pub assets: Vec<AssetView>,
    /// The window of the event's opening rule.
    pub event_window: Millis,
}

/// A frame of a journal of facts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FactFrame {
    /// The first: what the state started from.
    Genesis(Genesis),
    /// The facts of one step.
    Step(Vec<Fact>),
    /// The last: the hash of the state that the facts lead to.
    End {
        /// SHA-256 of the state.
        state_hash: [u8; 32],
    },
}

impl From<Genesis> for State {
    fn from(g: Genesis) -> Self {
        Self::new(g.markets, g.assets, g.event_window)
    }
}

impl State {
    /// What this state would start from again; true of a state to which no fact was applied.
    #[must_use]
    pub fn genesis(&self) -> Genesis {
        Genesis {
            markets: self.markets.values().copied().collect(),
            assets: self.assets.values().copied().collect(),
            event_window: self.head.window,
        }
    }

    /// A state with markets and assets and nothing in it.
    #[must_use]
    pub fn new(markets: Vec<MarketView>, assets: Vec<AssetView>, event_window: Millis) -> Self {
        Self {
            head: Head { window: event_window, ..Head::default() },
            markets: markets.into_iter().map(|m| (m.id, m)).collect(),
            assets: assets.into_iter().map(|a| (a.id, a)).collect(),
            ..Self::default()
        }
    }

    /// Applies a fact. The only writer.
    ///
    /// # Errors
    ///
    /// A fact that cannot be true of this state; the state is then not to be used any further.
    pub fn evolve(&mut self, fact: &Fact) -> Result<(), EvolveError> {
        apply(self, fact)
    }

    /// Clock, counters and the open event.
    #[must_use]
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// The account book.
    #[must_use]
    pub const fn book(&self) -> &Book {
        &self.book
    }

    /// What someone other than a margin group holds.
    #[must_use]
    pub fn holding(&self, holder: Holder, item: Item) -> Holding {
        self.ledger.get(&(holder, item)).copied().unwrap_or_default()
    }

    /// Everything that others than margin groups hold, in order.
    pub fn ledger(&self) -> impl Iterator<Item = (&(Holder, Item), &Holding)> {
        self.ledger.iter()
    }

    /// The entry of the queue that is due next at `now`, if any.
    #[must_use]
    pub fn due(&self, now: Millis) -> Option<(WorkKey, Work)> {
        self.queue.first_key_value().filter(|(k, _)| k.due <= now).map(|(k, w)| (*k, *w))
    }

    /// The work that waits, in the order in which it is due.
    pub fn queue(&self) -> impl Iterator<Item = (WorkKey, Work)> {
        self.queue.iter().map(|(key, work)| (*key, *work))
    }

    /// When the next entry of the queue is due.
    #[must_use]
    pub fn next_due(&self) -> Option<Millis> {
        self.queue.first_key_value().map(|(k, _)| k.due)
    }

    /// Allocations that wait in the queue, in the order of assets and markets.
    pub(crate) fn allocations(&self) -> impl Iterator<Item = (WorkKey, Work)> {
        let first = Work::Allocate { asset: AssetId(0), market: MarketId(0) };
        self.waiting.range(first..).map(|(work, key)| (*key, *work))
    }

    /// Open orders.
    pub fn orders(&self) -> impl Iterator<Item = &Order> {
        self.orders.values()
    }

    /// Open receivables.
    pub fn draws(&self) -> impl Iterator<Item = &Draw> {
        self.draws.values()
    }

    /// Insurance layers that have committed.
    pub fn layers(&self) -> impl Iterator<Item = &LayerState> {
        self.layers.values()
    }

    /// The answer already given to an input, if it was taken in: `Some(None)` when it is too long ago to be remembered.
    pub(crate) fn answer_to(&self, id: InputId) -> Option<Option<&Answer>> {
        let source = self.sources.get(&id.source)?;
        if id.number > source.last {
            return None;
        }
        Some(source.answers.iter().find(|(n, _)| *n == id.number).map(|(_, a)| a))
    }

    /// SHA-256 of everything that facts determine, caches left out. The same facts give the same hash on every machine.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        let mut h = Sha256::new();
        h.update(b"cofferdam state 1");
        self.book.canonical(&mut |bytes| h.update(bytes));
        let parts = (
            &self.head,
            self.ledger.iter().filter(|(_, h)| **h != Holding::default()).collect::<Vec<_>>(),
            self.markets.values().collect::<Vec<_>>(),
            self.assets.values().collect::<Vec<_>>(),
            &self.quotes,
        );
        let more = (
            self.memory.iter().collect::<Vec<_>>(),
            self.orders.values().collect::<Vec<_>>(),
            self.layers.values().collect::<Vec<_>>(),
            self.draws.values().collect::<Vec<_>>(),
            self.queue.iter().collect::<Vec<_>>(),
            &self.sources,
        );
        // serialising integers, strings and maps to memory cannot fail; were it to, the hash would not match any other
        h.update(postcard::to_allocvec(&parts).unwrap_or_default());
        h.update(postcard::to_allocvec(&more).unwrap_or_default());
        // what a stack never used leaves its hash as it was before there was such a thing
        if !self.scenarios.is_empty() {
            h.update(b"scenarios");
            h.update(postcard::to_allocvec(&self.scenarios).unwrap_or_default());
        }
        h.finalize().into()
    }
}

impl World for State {
    fn market(&self, id: MarketId) -> Option<&MarketView> {
        self.markets.get(&id)
    }

    fn asset(&self, id: AssetId) -> Option<&AssetView> {
        self.assets.get(&id)
    }

    fn scenarios(&self, id: MarketId) -> Option<&Scenarios> {
        self.scenarios.get(&id)
    }

    fn bands(&self, id: GroupId) -> Option<Bands> {
        crate::store::bands(self, id)
    }
}

impl MemoryStore for State {
    fn record(&self, slot: Slot, scope: Scope) -> Option<&[u8]> {
        self.memory.record(slot, scope)
    }
}

impl Store for State {
    fn head(&self) -> &Head {
        &self.head
    }
    fn head_mut(&mut self) -> &mut Head {
        &mut self.head
    }
    fn lots(&self, group: GroupId, market: MarketId) -> Lots {
        self.book.position(group, market).map_or(Lots::ZERO, |p| p.lots)
    }
    fn post_group(
        &mut self,
        group: GroupId,
        p: &Posting,
        funding_now: FundingIndex,
    ) -> Result<(), BookError> {
        self.book.post(group, p.item, p.units, p.cost, funding_now)
    }
    fn holding(&self, holder: Holder, item: Item) -> Holding {
        Self::holding(self, holder, item)
    }
    fn set_holding(&mut self, holder: Holder, item: Item, holding: Holding) {
        self.ledger.insert((holder, item), holding);
    }
    fn market_view(&self, id: MarketId) -> Option<&MarketView> {
        self.markets.get(&id)
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
        self.assets.get(&id)
    }
    fn set_asset(&mut self, view: AssetView) {
        self.assets.insert(view.id, view);
    }
    fn set_quote(&mut self, instrument: Instrument, source: SourceId, quote: Quote) {
        let quotes = self.quotes.entry(instrument).or_default();
        match quotes.binary_search_by_key(&source, |q| q.source) {
            Ok(i) => {
                if let Some(q) = quotes.get_mut(i) {
                    *q = quote;
                }
            }
            Err(i) => quotes.insert(i, quote),
        }
    }
    fn set_record(&mut self, slot: Slot, scope: Scope, bytes: Vec<u8>) {
        self.memory.put(slot, scope, bytes);
    }
    fn order(&self, id: OrderId) -> Option<Order> {
        self.orders.get(&id).copied()
    }
    fn set_order(&mut self, id: OrderId, order: Option<Order>) {
        match order {
            Some(o) => {
                let of = self.orders_of.entry(o.group).or_default();
                if !of.contains(&id) {
                    of.push(id);
                }
                self.orders.insert(id, o);
            }
            None => {
                if let Some(o) = self.orders.remove(&id)
                    && let Some(of) = self.orders_of.get_mut(&o.group)
                {
                    of.retain(|x| *x != id);
                    if of.is_empty() {
                        self.orders_of.remove(&o.group);
                    }
                }
            }
        }
    }
    fn layer(&self, id: LayerId) -> Option<LayerState> {
        self.layers.get(&id).copied()
    }
    fn set_layer(&mut self, layer: LayerState) {
        self.layers.insert(layer.layer, layer);
    }
    fn draw(&self, id: DrawId) -> Option<Draw> {
        self.draws.get(&id).copied()
    }
    fn set_draw(&mut self, id: DrawId, draw: Option<Draw>) {
        match draw {
            Some(d) => self.draws.insert(id, d),
            None => self.draws.remove(&id),
        };
    }
    fn work(&self, key: WorkKey) -> Option<Work> {
        self.queue.get(&key).copied()
    }
    fn set_work(&mut self, key: WorkKey, work: Option<Work>) {
        match work {
            Some(w) => {
                self.queue.insert(key, w);
                self.waiting.insert(w, key);
            }
            None => {
                if let Some(w) = self.queue.remove(&key)
                    && self.waiting.get(&w) == Some(&key)
                {
                    self.waiting.remove(&w);
                }
            }
        }
    }
    fn answered(&mut self, id: InputId, answer: &Answer) {
        let source = self.sources.entry(id.source).or_default();
        source.last = source.last.max(id.number);
        if source.answers.len() >= ANSWERS_KEPT {
            source.answers.pop_front();
        }
        source.answers.push_back((id.number, answer.clone()));
    }
}
