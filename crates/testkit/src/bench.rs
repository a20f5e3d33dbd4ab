//! An engine with its history.

use crate::compose::{ETH, SOURCE, USDC};
use crate::script::{Op, Reply};
use cofferdam_core::{
    Amount, AssetId, DrawId, GroupId, Instrument, LayerId, Lots, MarketId, Millis, OrderId, Quanta, Quote,
    Rounding, Ticks, World,
};
use cofferdam_stack::{
    Alarm, Answer, Body, ComposeError, Effect, Engine, EvolveError, Fact, Input, InputId, Observer,
    OrderOutcome, Outcome, Parts, RiskStack, State, StepCause,
};

/// An order that left and may still be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// Its name.
    pub id: OrderId,
    /// For whom.
    pub group: GroupId,
    /// Where.
    pub market: MarketId,
    /// Signed lots.
    pub lots: Lots,
    /// Worst price accepted.
    pub limit: Ticks,
}

/// A draw that a layer was asked to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenDraw {
    /// Its name.
    pub id: DrawId,
    /// Of which layer.
    pub layer: LayerId,
    /// How much, in atoms.
    pub amount: Amount,
}

/// Steps as they were applied.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Causes and facts, in order.
    pub steps: Vec<(StepCause, Vec<Fact>)>,
}

impl Observer for History {
    fn step(&mut self, cause: &StepCause, facts: &[Fact], _: &State) {
        self.steps.push((cause.clone(), facts.to_vec()));
    }
}

/// Why facts alone do not lead to the same state (INV-39).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Replay {
    /// A fact that does not apply.
    #[error("a recorded fact does not apply: {0}")]
    Fact(#[from] EvolveError),
    /// Another hash.
    #[error("replayed facts lead to another state")]
    Differs,
}

/// An engine with everything it was told and everything it did. Every method that sends takes the next number of one source;
/// time moves with [`Bench::wait`] only.
#[derive(Debug)]
pub struct Bench {
    engine: Engine,
    history: History,
    inputs: Vec<Input>,
    now: Millis,
    next: u64,
    orders: Vec<OpenOrder>,
    draws: Vec<OpenDraw>,
    alarms: Vec<Alarm>,
}

/// The group on the other side of every fill that the bench answers an order with.
pub(crate) const TAKER: u32 = 40;

impl Bench {
    /// An engine on the empty state of a stack.
    ///
    /// # Errors
    ///
    /// Parts that do not compose.
    pub fn new(parts: Parts) -> Result<Self, ComposeError> {
        Ok(Self::of(RiskStack::new(parts)?))
    }

    /// An engine on the empty state of a composed stack.
    #[must_use]
    pub fn of(stack: RiskStack) -> Self {
        Self {
            engine: Engine::new(stack),
            history: History::default(),
            inputs: Vec::new(),
            now: Millis(1_000_000),
            next: 1,
            orders: Vec::new(),
            draws: Vec::new(),
            alarms: Vec::new(),
        }
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> &State {
        self.engine.state()
    }

    /// The engine.
    #[must_use]
    pub const fn engine(&self) -> &Engine {
        &self.engine
    }

    /// The groups that the engine's index names now.
    pub fn named(&mut self) -> Vec<GroupId> {
        self.engine.named()
    }

    /// Every input so far.
    #[must_use]
    pub fn inputs(&self) -> &[Input] {
        &self.inputs
    }

    /// Every step so far.
    #[must_use]
    pub const fn history(&self) -> &History {
        &self.history
    }

    /// Orders that were not answered in full.
    #[must_use]
    pub fn orders(&self) -> &[OpenOrder] {
        &self.orders
    }

    /// Draws that were not answered.
    #[must_use]
    pub fn draws(&self) -> &[OpenDraw] {
        &self.draws
    }

    /// Every alarm so far.
    #[must_use]
    pub fn alarms(&self) -> &[Alarm] {
        &self.alarms
    }

    /// The time of the next input.
    #[must_use]
    pub const fn now(&self) -> Millis {
        self.now
    }

    /// The next input with this body, without sending it.
    #[must_use]
    pub fn next_input(&self, body: Body) -> Input {
        Input { id: InputId { source: 1, number: self.next }, time: self.now, block: 0, body }
    }

    /// Sends a body as the next input.
    pub fn send(&mut self, body: Body) -> Outcome {
        let input = self.next_input(body);
        self.submit_next(input)
    }

    /// Sends what [`Bench::next_input`] gave, perhaps with another block.
    pub(crate) fn submit_next(&mut self, input: Input) -> Outcome {
        self.next += 1;
        self.submit(input)
    }

    /// An order that was answered from elsewhere.
    pub(crate) fn forget(&mut self, id: cofferdam_core::OrderId) {
        self.orders.retain(|o| o.id != id);
    }

    /// Sends an input as it is.
    ///
    /// # Panics
    ///
    /// When a decision does not apply to the state it was made from: a defect of the stack, whatever the input (INV-41).
    pub fn submit(&mut self, input: Input) -> Outcome {
        let outcome = match self.engine.submit(&input, &mut self.history) {
            Ok(outcome) => outcome,
            Err(e) => panic!("INV-41: a decision on {input:?} does not apply: {e}"),
        };
        self.inputs.push(input);
        for effect in &outcome.effects {
            match effect {
                Effect::Order { order, group, market, lots, limit, .. } => self.orders.push(OpenOrder {
                    id: *order,
                    group: *group,
                    market: *market,
                    lots: *lots,
                    limit: *limit,
                }),
                Effect::Cancel { order } => self.orders.retain(|o| o.id != *order),
                Effect::Settle { draw, layer, amount } => {
                    self.draws.push(OpenDraw { id: *draw, layer: *layer, amount: *amount });
                }
                Effect::Raise(alarm) => self.alarms.push(alarm.clone()),
                _ => {}
            }
        }
        outcome
    }

    /// Lets time pass; the next input says so.
    pub fn wait(&mut self, ms: u64) {
        self.now = Millis(self.now.0.saturating_add(ms));
    }

    /// A tick of the clock after so many milliseconds.
    pub fn clock(&mut self, ms: u64) -> Answer {
        self.wait(ms);
        self.send(Body::Clock).answer
    }

    /// Numeraire for a group, in atoms.
    pub fn deposit(&mut self, group: u32, atoms: i128) -> Answer {
        self.deposit_of(group, USDC, atoms)
    }

    /// Any asset for a group, in atoms.
    pub fn deposit_of(&mut self, group: u32, asset: AssetId, atoms: i128) -> Answer {
        self.send(Body::Deposit { group: GroupId(group), asset, amount: Amount::new(atoms) }).answer
    }

    /// Takes numeraire out, in atoms.
    pub fn withdraw(&mut self, group: u32, atoms: i128) -> Answer {
        self.withdraw_of(group, USDC, atoms)
    }

    /// Takes any asset out, in atoms.
    pub fn withdraw_of(&mut self, group: u32, asset: AssetId, atoms: i128) -> Answer {
        self.send(Body::Withdraw { group: GroupId(group), asset, amount: Amount::new(atoms) }).answer
    }

    /// A quote of [`SOURCE`] for a market, published now, as its index and its mark.
    pub fn mark(&mut self, market: u32, price: i64) -> Answer {
        self.quote(Instrument::Market(MarketId(market)), price)
    }

    /// A quote of [`SOURCE`] for ETH in steps of 1e-8, published now.
    pub fn eth(&mut self, price: i64) -> Answer {
        self.quote(Instrument::Asset(ETH), price)
    }

    /// A quote of [`SOURCE`], published now.
    pub fn quote(&mut self, instrument: Instrument, price: i64) -> Answer {
        let quote =
            Quote { source: SOURCE, price: Ticks::new(price), confidence: Ticks::ZERO, published: self.now };
        self.send(Body::Quotes(vec![(instrument, quote)])).answer
    }

    /// A trade between two groups.
    pub fn trade(&mut self, taker: u32, maker: u32, market: u32, lots: i64, price: i64) -> Answer {
        self.send(Body::Trade {
            taker: GroupId(taker),
            maker: GroupId(maker),
            market: MarketId(market),
            lots: Lots::new(lots),
            price: Ticks::new(price),
        })
        .answer
    }

    /// Money for a layer, and its commitment for ever: escrowed, or promised and then without money.
    pub fn commit(&mut self, layer: LayerId, atoms: i128, escrowed: bool) {
        if escrowed {
            let _ = self.send(Body::Escrow { layer, asset: USDC, amount: Amount::new(atoms) });
        }
        let capacity = Quanta::new(atoms.saturating_mul(1_000));
        let _ = self.send(Body::Commitment { layer, capacity, expires: Millis::MAX, escrowed });
    }

    /// What a group holds of an asset, in atoms.
    #[must_use]
    pub fn balance(&self, group: u32, asset: AssetId) -> i128 {
        self.state().book().balance(GroupId(group), asset).get()
    }

    /// Lots that a group holds in a market.
    #[must_use]
    pub fn lots(&self, group: u32, market: u32) -> i64 {
        let position = self.state().book().position(GroupId(group), MarketId(market));
        position.map_or(0, |p| p.lots.get())
    }

    /// Fills every open order at its limit or, where that is further from it, at a price.
    pub fn fill_all(&mut self, price: i64) {
        // a refused rest is ordered again: a thousand fills are enough for every script
        for _ in 0..1_000 {
            let Some(order) = self.orders.first().copied() else { return };
            self.orders.remove(0);
            let at = if order.lots.is_negative() {
                price.max(order.limit.get())
            } else {
                price.min(order.limit.get())
            };
            self.fill(order, order.lots.get(), at);
        }
    }

    /// A fill of an order.
    pub fn fill(&mut self, order: OpenOrder, lots: i64, price: i64) -> Answer {
        self.filled(order, lots, price).answer
    }

    fn filled(&mut self, order: OpenOrder, lots: i64, price: i64) -> Outcome {
        self.send(Body::Fill {
            order: order.id,
            lots: Lots::new(lots),
            price: Ticks::new(price),
            counterparty: GroupId(TAKER),
        })
    }

    /// Does what a script says. `None` where it says nothing that can be done now.
    pub fn step(&mut self, op: &Op) -> Option<Outcome> {
        match op {
            Op::Send { wait_ms, body } => {
                self.wait(*wait_ms);
                let body = self.stamped(body.clone());
                Some(self.send(body))
            }
            Op::TradeNearMark { wait_ms, taker, maker, market, lots, off } => {
                self.wait(*wait_ms);
                let mark = self.state().market(*market)?.mark.mid.get();
                let price = off.of_units(i128::from(mark), Rounding::Down).ok()?.checked_add(mark.into())?;
                let price = Ticks::new(i64::try_from(price).ok()?);
                let (taker, maker, market, lots) = (*taker, *maker, *market, *lots);
                Some(self.send(Body::Trade { taker, maker, market, lots, price }))
            }
            Op::Answer { which, reply } => self.answer(*which, reply),
            Op::Settle { which, paid_ppb, twice } => {
                let at = which.checked_rem(self.draws.len())?;
                let draw = self.draws.remove(at);
                let paid = draw.amount.get().saturating_mul((*paid_ppb).into()) / 1_000_000_000;
                let body = Body::Settlement { draw: draw.id, paid: Amount::new(paid) };
                if *twice {
                    let _ = self.send(body.clone());
                }
                Some(self.send(body))
            }
            Op::Again { which } => {
                let at = which.checked_rem(self.inputs.len())?;
                let input = self.inputs.get(at)?.clone();
                Some(self.submit(input))
            }
            Op::Backwards { by_ms } => {
                let mut input = self.next_input(Body::Clock);
                input.time = Millis(input.time.0.saturating_sub(*by_ms));
                self.next += 1;
                Some(self.submit(input))
            }
        }
    }

    // generated quotes say how old they are; they are published before now
    fn stamped(&self, mut body: Body) -> Body {
        if let Body::Quotes(quotes) = &mut body {
            for (_, q) in quotes {
                // far above every clock of a script: meant to be from the future
                if q.published.0 < u64::MAX / 2 {
                    q.published = Millis(self.now.0.saturating_sub(q.published.0));
                }
            }
        }
        body
    }

    fn answer(&mut self, which: usize, reply: &Reply) -> Option<Outcome> {
        let at = which.checked_rem(self.orders.len())?;
        let order = *self.orders.get(at)?;
        let (lots, limit) = (order.lots.get(), order.limit.get());
        let price = |off: i64| limit.saturating_add(off).max(1);
        Some(match *reply {
            Reply::Full { off } => {
                self.orders.remove(at);
                self.filled(order, lots, price(off))
            }
            Reply::Part { share_ppb, off } => {
                let part = i128::from(lots) * i128::from(share_ppb) / 1_000_000_000;
                let part = i64::try_from(part).unwrap_or(lots);
                let part = if part == 0 { lots.signum() } else { part };
                if let Some(o) = self.orders.get_mut(at) {
                    o.lots = Lots::new(lots - part);
                }
                if lots == part {
                    self.orders.remove(at);
                }
                self.filled(order, part, price(off))
            }
            Reply::Over { extra } => {
                self.orders.remove(at);
                self.filled(order, lots.saturating_add(lots.signum() * extra.max(1)), price(0))
            }
            Reply::Opposite => self.filled(order, -lots, price(0)),
            Reply::Twice => {
                self.orders.remove(at);
                let _ = self.filled(order, lots, price(0));
                self.filled(order, lots, price(0))
            }
            Reply::Late { by_ms } => {
                self.orders.remove(at);
                self.wait(by_ms);
                self.filled(order, lots, price(0))
            }
            Reply::Ended { outcome } => {
                self.orders.remove(at);
                self.send(Body::OrderEnded { order: order.id, outcome })
            }
        })
    }

    /// Applies every recorded fact to the empty state (INV-39).
    ///
    /// # Errors
    ///
    /// A fact that does not apply, or another state at the end.
    pub fn replay(&self) -> Result<State, Replay> {
        let mut state = self.engine.stack().initial_state();
        for fact in self.history.steps.iter().flat_map(|(_, facts)| facts) {
            state.evolve(fact)?;
        }
        if state.hash() == self.state().hash() { Ok(state) } else { Err(Replay::Differs) }
    }
}

/// Kept beside the bench so that scripts need no import of the stack for the common outcomes.
pub(crate) const OUTCOMES: [OrderOutcome; 3] =
    [OrderOutcome::Cancelled, OrderOutcome::Refused, OrderOutcome::Expired];
