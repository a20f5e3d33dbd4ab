//! What facts are applied to, and how: one implementation for the state itself and for a draft over it. `evolve` is this
//! function on the state; `decide` uses it on a draft, so a fact that applies to the draft applies to the state.

use crate::{
    Draw, EventMark, Fact, LayerState, Order, Work, WorkKey,
    state::{EventState, Head},
};
use cofferdam_core::{
    Amount, AssetId, AssetView, Bands, DrawId, FundingIndex, GroupId, Holder, Instrument, Item, LayerId,
    Lots, MarketId, MarketView, MathError, Memory, MemoryStore, Millis, OrderId, Posting, PriceRole, Quanta,
    Quote, Scenarios, Scope, Slot, SourceId, Unbalanced, Writes, check_balanced,
};
use cofferdam_margin_engine::BookError;

/// Why a fact cannot be applied. From `decide` it never happens; from a journal it means that the journal is not ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EvolveError {
    /// Postings that do not sum to zero.
    #[error(transparent)]
    Unbalanced(#[from] Unbalanced),
    /// A number beyond its range.
    #[error(transparent)]
    Math(#[from] MathError),
    /// A book entry that cannot be.
    #[error(transparent)]
    Book(#[from] BookError),
    /// A fact about something that is not there.
    #[error("a fact about {what} {id}, which is not there")]
    Unknown {
        /// What kind of thing.
        what: &'static str,
        /// Its number.
        id: u64,
    },
    /// Time that runs backwards.
    #[error("time runs backwards, from {from} to {to}")]
    TimeBackwards {
        /// The state's time.
        from: Millis,
        /// The fact's time.
        to: Millis,
    },
}

/// What someone other than a margin group holds of an item.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Holding {
    /// Units.
    #[serde(with = "units")]
    pub units: i128,
    /// Cost, for positions.
    pub cost: Quanta,
}

mod units {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(units: &i128, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() { s.serialize_str(&units.to_string()) } else { units.serialize(s) }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<i128, D::Error> {
        if d.is_human_readable() {
            String::deserialize(d)?.parse().map_err(D::Error::custom)
        } else {
            i128::deserialize(d)
        }
    }
}

/// Reading and writing the parts of a state.
pub(crate) trait Store {
    fn head(&self) -> &Head;
    fn head_mut(&mut self) -> &mut Head;
    /// Lots of a group's position.
    fn lots(&self, group: GroupId, market: MarketId) -> Lots;
    /// Adds a posting to a margin group. On an error the store is not to be used any further.
    fn post_group(&mut self, group: GroupId, p: &Posting, funding_now: FundingIndex)
    -> Result<(), BookError>;
    fn holding(&self, holder: Holder, item: Item) -> Holding;
    fn set_holding(&mut self, holder: Holder, item: Item, holding: Holding);
    fn market_view(&self, id: MarketId) -> Option<&MarketView>;
    fn set_market(&mut self, view: MarketView);
    fn scenario_set(&self, id: MarketId) -> Option<&Scenarios>;
    fn set_scenarios(&mut self, id: MarketId, scenarios: Scenarios);
    fn asset_view(&self, id: AssetId) -> Option<&AssetView>;
    fn set_asset(&mut self, view: AssetView);
    fn set_quote(&mut self, instrument: Instrument, source: SourceId, quote: Quote);
    fn set_record(&mut self, slot: Slot, scope: Scope, bytes: Vec<u8>);
    fn order(&self, id: OrderId) -> Option<Order>;
    fn set_order(&mut self, id: OrderId, order: Option<Order>);
    fn layer(&self, id: LayerId) -> Option<LayerState>;
    fn set_layer(&mut self, layer: LayerState);
    fn draw(&self, id: DrawId) -> Option<Draw>;
    fn set_draw(&mut self, id: DrawId, draw: Option<Draw>);
    fn set_work(&mut self, key: WorkKey, work: Option<Work>);
    fn work(&self, key: WorkKey) -> Option<Work>;
    fn answered(&mut self, id: crate::InputId, answer: &crate::Answer);
}

/// Applies one fact.
pub(crate) fn apply(store: &mut dyn Store, fact: &Fact) -> Result<(), EvolveError> {
    match fact {
        Fact::Input { id, at, answer } => {
            let head = store.head_mut();
            if at.time < head.at.time {
                return Err(EvolveError::TimeBackwards { from: head.at.time, to: at.time });
            }
            head.at = *at;
            store.answered(*id, answer);
        }
        Fact::Post { postings, .. } => post(store, postings)?,
        Fact::Quote { instrument, quote } => store.set_quote(*instrument, quote.source, *quote),
        Fact::Mark { instrument, role, view } => mark(store, *instrument, *role, *view)?,
        Fact::Funding { market, to } => {
            let mut m = known_market(store, *market)?;
            m.funding = *to;
            store.set_market(m);
        }
        Fact::Interest { asset, to } => {
            let mut a = known_asset(store, *asset)?;
            a.debt_index = *to;
            store.set_asset(a);
        }
        Fact::Volatility { market, to } => {
            let mut m = known_market(store, *market)?;
            m.volatility = *to;
            store.set_market(m);
        }
        Fact::Memory { slot, scope, bytes } => store.set_record(*slot, *scope, bytes.clone()),
        Fact::OrderPlaced(order) => {
            let next = order.id.0.checked_add(1).ok_or(MathError::Overflow)?;
            let head = store.head_mut();
            head.next_order = head.next_order.max(next);
            store.set_order(order.id, Some(*order));
        }
        Fact::OrderFilled { id, lots, .. } => {
            let mut order =
                store.order(*id).ok_or(EvolveError::Unknown { what: "order", id: u64::from(id.0) })?;
            order.lots = order.lots.try_sub(*lots)?;
            store.set_order(*id, Some(order));
        }
        Fact::OrderEnded { id, .. } => store.set_order(*id, None),
        Fact::Committed(layer) => store.set_layer(*layer),
        Fact::Drawn(draw) => drawn(store, draw)?,
        Fact::Settled { draw, .. } => store.set_draw(*draw, None),
        Fact::WorkAdded { key, work } => {
            let next = key.number.checked_add(1).ok_or(MathError::Overflow)?;
            let head = store.head_mut();
            head.next_work = head.next_work.max(next);
            store.set_work(*key, Some(*work));
        }
        Fact::WorkDone { key } => {
            if store.work(*key).is_none() {
                return Err(EvolveError::Unknown { what: "work", id: key.number });
            }
            store.set_work(*key, None);
        }
        Fact::Event(mark) => event(store, *mark)?,
        Fact::Scenarios(set) => {
            known_market(store, set.market)?;
            let before = store.scenario_set(set.market).map_or(0, |s| s.revision);
            let revision = before.checked_add(1).ok_or(MathError::Overflow)?;
            let scenarios = Scenarios { revision, base: set.base, values: set.values.clone() };
            store.set_scenarios(set.market, scenarios);
        }
    }
    Ok(())
}

fn known_market(store: &dyn Store, id: MarketId) -> Result<MarketView, EvolveError> {
    store.market_view(id).copied().ok_or(EvolveError::Unknown { what: "market", id: u64::from(id.0) })
}

fn known_asset(store: &dyn Store, id: AssetId) -> Result<AssetView, EvolveError> {
    store.asset_view(id).copied().ok_or(EvolveError::Unknown { what: "asset", id: u64::from(id.0) })
}

fn mark(
    store: &mut dyn Store,
    instrument: Instrument,
    role: PriceRole,
    view: cofferdam_core::PriceView,
) -> Result<(), EvolveError> {
    match instrument {
        Instrument::Asset(id) => {
            let mut a = known_asset(store, id)?;
            a.price = view;
            store.set_asset(a);
        }
        Instrument::Market(id) => {
            let mut m = known_market(store, id)?;
            if role == PriceRole::Index {
                m.index = view;
            } else {
                m.previous_mark = m.mark.mid;
                m.mark = view;
            }
            store.set_market(m);
        }
    }
    Ok(())
}

fn post(store: &mut dyn Store, postings: &[Posting]) -> Result<(), EvolveError> {
    check_balanced(postings)?;
    for p in postings {
        match (p.holder, p.item) {
            (Holder::Group(group), Item::Asset(_) | Item::Debt(_) | Item::Position(_)) => {
                post_group(store, group, p)?
            }
            _ => {
                let mut h = store.holding(p.holder, p.item);
                // shares and positions keep to the same bound as amounts
                h.units = Amount::new(h.units).try_add(Amount::new(p.units))?.get();
                h.cost = h.cost.try_add(p.cost)?;
                store.set_holding(p.holder, p.item, h);
            }
        }
    }
    Ok(())
}

fn post_group(store: &mut dyn Store, group: GroupId, p: &Posting) -> Result<(), EvolveError> {
    let Item::Position(id) = p.item else {
        return Ok(store.post_group(group, p, FundingIndex::ZERO)?);
    };
    let mut market = known_market(store, id)?;
    let before = store.lots(group, id);
    store.post_group(group, p, market.funding)?;
    // open interest is the long side: the sum of long lots over all groups (INV-8)
    let change = store.lots(group, id).positive_part().try_sub(before.positive_part())?;
    if !change.is_zero() {
        market.open_interest = market.open_interest.try_add(change)?;
        store.set_market(market);
    }
    Ok(())
}

fn drawn(store: &mut dyn Store, draw: &Draw) -> Result<(), EvolveError> {
    let mut layer =
        store.layer(draw.layer).ok_or(EvolveError::Unknown { what: "layer", id: u64::from(draw.layer.0) })?;
    layer.drawn_total = layer.drawn_total.try_add(draw.value)?;
    layer.drawn_event =
        if layer.event == draw.event { layer.drawn_event.try_add(draw.value)? } else { draw.value };
    layer.event = draw.event;
    store.set_layer(layer);
    let next = draw.id.0.checked_add(1).ok_or(MathError::Overflow)?;
    let head = store.head_mut();
    head.next_draw = head.next_draw.max(next);
    if !draw.paid {
        store.set_draw(draw.id, Some(*draw));
    }
    Ok(())
}

fn event(store: &mut dyn Store, mark: EventMark) -> Result<(), EvolveError> {
    let mut head = store.head().clone();
    let now = head.at.time;
    match mark {
        EventMark::Opened { id } => {
            head.event = Some(EventState {
                id,
                opened: now,
                last_forced: now,
                forced: head.window_forced,
                losses: Quanta::ZERO,
            });
            head.next_event = head.next_event.max(id.0.checked_add(1).ok_or(MathError::Overflow)?);
        }
        EventMark::Closed { .. } => head.event = None,
        EventMark::Forced { value } => {
            if let Some(e) = &mut head.event {
                e.last_forced = now;
                e.forced = e.forced.try_add(value)?;
            }
            // the opening rule looks at one window at a time: it starts with the first forced close after the last window
            if now.since(head.window_start) >= head.window || head.window_forced.is_zero() {
                head.window_start = now;
                head.window_forced = Quanta::ZERO;
            }
            head.window_forced = head.window_forced.try_add(value)?;
        }
        EventMark::Loss { value } => {
            head.losses_total = head.losses_total.try_add(value)?;
            if let Some(e) = &mut head.event {
                e.losses = e.losses.try_add(value)?;
            }
        }
        EventMark::Tripped { .. } | EventMark::Limited { .. } => {}
    }
    *store.head_mut() = head;
    Ok(())
}

/// The bands of a group, as the stack's own memory holds them. A record that cannot be read counts as none.
pub(crate) fn bands(store: &dyn MemoryStore, group: GroupId) -> Option<Bands> {
    let mut writes = Writes::new();
    let memory = Memory::new(store, &mut writes, crate::stack::slots::BANDS);
    memory.get::<Bands>(Scope::Group(group)).ok().filter(|b| !b.is_empty())
}
