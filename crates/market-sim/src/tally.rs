//! What happened, folded over facts: per minute, per deleveraging event, per layer. Nothing here looks into a module.

use cofferdam_core::{DrawId, EventId, GroupId, Holder, House, Item, LayerId, MarketId, OrderId, Posting};
use cofferdam_stack::{Answer, EventMark, Fact, Observer, Reason, Rejection, State, StepCause};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Sums over one deleveraging event, or over what happened outside any. Money in atoms of the numeraire.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventTally {
    /// Its number; `None` for what happened outside events.
    pub id: Option<u32>,
    /// When it opened.
    pub opened_ms: u64,
    /// When it closed; the end of the run if it was still open.
    pub closed_ms: u64,
    /// Closed by force, absolute notional in quanta.
    pub forced: i128,
    /// Penalties charged.
    pub penalties: i128,
    /// Realised losses.
    pub losses: i128,
    /// Paid by each layer.
    pub layers: BTreeMap<u32, i128>,
    /// Of what a layer paid, that which came later than the loss: a promise that was settled in the meantime.
    #[serde(default)]
    pub late: BTreeMap<u32, i128>,
    /// Drawn on a promise and not paid by it: the next layer was asked, or the loss was open again.
    #[serde(default)]
    pub unpaid: BTreeMap<u32, i128>,
    /// Taken from winners as haircuts.
    pub haircuts: i128,
    /// Borne by suppliers.
    pub written_down: i128,
    /// Forced closes of winners at the bankruptcy price, absolute lots.
    pub deleveraged_lots: i128,
    /// Accounts with at least one forced fill.
    pub accounts: u64,
}

impl EventTally {
    /// What nobody paid: losses less all payments. The waterfall reconciles when this is the open deficit.
    #[must_use]
    pub fn residual(&self) -> i128 {
        self.losses - self.layers.values().sum::<i128>() - self.haircuts - self.written_down
    }
}

/// Counts of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Inputs taken in.
    pub inputs: u64,
    /// Steps, inputs included.
    pub steps: u64,
    /// Facts.
    pub facts: u64,
    /// Forced orders placed.
    pub orders: u64,
    /// Forced fills that left a part of the position.
    pub partial_closes: u64,
    /// Forced fills that closed the position.
    pub full_closes: u64,
    /// Accounts taken over by the backstop.
    pub takeovers: u64,
    /// Winners' positions closed.
    pub deleverages: u64,
    /// Winners' gains cut.
    pub haircuts: u64,
    /// Suppliers written down.
    pub write_downs: u64,
    /// Draws on insurance.
    pub draws: u64,
    /// Keepers' seizures.
    pub seizures: u64,
    /// Trips per breaker, by its place in the stack file.
    pub trips: BTreeMap<u32, u64>,
    /// Verdicts per breaker that cut, put off or refused something, by its place in the stack file.
    pub limits: BTreeMap<u32, u64>,
    /// Requests granted.
    pub granted: u64,
    /// Requests refused by a breaker.
    pub refused_by_breaker: u64,
    /// Requests refused for other reasons.
    pub refused: u64,
    /// Alarms raised.
    pub alarms: u64,
}

/// A fold over the facts of a run.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Counts.
    pub counts: Counts,
    /// Closed events, then the open one, and first of all what happened outside events.
    pub events: Vec<EventTally>,
    /// Lots of longs and shorts closed by force since the last call of [`Tally::take_minute`].
    minute_lots: [i64; 2],
    /// Absolute notional (quanta) of the same.
    minute_notional: [i128; 2],
    /// Groups whose position was closed by force completely since then.
    closed: Vec<GroupId>,
    orders: BTreeMap<OrderId, (GroupId, MarketId)>,
    open: Option<usize>,
    /// Promised draws that are not settled yet: on which layer, how much, since when.
    promised: BTreeMap<DrawId, (u32, i128, u64)>,
    /// Contributions to insurance less losses: the lowest point is what the fund would have needed at the start.
    balance: i128,
    /// The lowest point, as a positive number.
    pub insurance_needed: i128,
}

impl Tally {
    /// An empty fold.
    #[must_use]
    pub fn new() -> Self {
        Self { events: vec![EventTally::default()], ..Self::default() }
    }

    /// Forced lots (long, short), their notional in quanta, and the groups closed completely, since the last call.
    pub fn take_minute(&mut self) -> ([i64; 2], [i128; 2], Vec<GroupId>) {
        (
            std::mem::take(&mut self.minute_lots),
            std::mem::take(&mut self.minute_notional),
            std::mem::take(&mut self.closed),
        )
    }

    /// The place in `events` of the event that is open.
    #[must_use]
    pub const fn open_event(&self) -> Option<usize> {
        self.open
    }

    fn current(&mut self) -> &mut EventTally {
        let i = self.open.unwrap_or(0);
        &mut self.events[i]
    }

    fn posted(&mut self, reason: Reason, postings: &[Posting]) {
        let house = |h: House| -> i128 {
            postings
                .iter()
                .filter(|p| p.holder == Holder::House(h) && matches!(p.item, Item::Asset(_)))
                .map(|p| p.units)
                .sum()
        };
        match reason {
            Reason::Penalty => {
                let paid: i128 = postings.iter().filter(|p| p.units > 0).map(|p| p.units).sum();
                let insured: i128 = postings
                    .iter()
                    .filter(|p| matches!(p.holder, Holder::Layer(_)) && p.units > 0)
                    .map(|p| p.units)
                    .sum();
                self.current().penalties += paid;
                self.balance += insured;
            }
            Reason::BadDebt => {
                let lost = -house(House::Deficit);
                self.current().losses += lost;
                self.balance -= lost;
                self.insurance_needed = self.insurance_needed.max(-self.balance);
            }
            Reason::Haircut => {
                self.counts.haircuts += 1;
                self.current().haircuts += house(House::Deficit);
            }
            Reason::WriteDown => {
                self.counts.write_downs += 1;
                self.current().written_down += house(House::Deficit);
            }
            Reason::Takeover => {
                self.counts.takeovers += 1;
                self.forced_side(postings);
            }
            Reason::Deleverage => {
                self.counts.deleverages += 1;
                let lots: i128 = postings
                    .iter()
                    .filter(|p| {
                        matches!((p.holder, p.item), (Holder::Group(_), Item::Position(_))) && p.units > 0
                    })
                    .map(|p| p.units)
                    .sum();
                self.current().deleveraged_lots += lots;
            }
            Reason::Seizure => self.counts.seizures += 1,
            _ => {}
        }
    }

    /// Counts the first group of a forced movement of positions as the one that was closed.
    fn forced_side(&mut self, postings: &[Posting]) {
        let given = postings.iter().find_map(|p| match (p.holder, p.item) {
            (Holder::Group(g), Item::Position(_)) if p.units != 0 => Some((g, p.units)),
            _ => None,
        });
        if let Some((g, units)) = given {
            let lots = i64::try_from(units).unwrap_or(0);
            self.minute_lots[usize::from(lots > 0)] += lots.abs();
            self.closed.push(g);
        }
    }

    fn filled(&mut self, id: OrderId, lots: i64, price: i64, after: &State) {
        let Some(&(group, market)) = self.orders.get(&id) else { return };
        let side = usize::from(lots > 0); // buying back is a short closed
        self.minute_lots[side] += lots.abs();
        let k = cofferdam_core::World::market(after, market).map_or(1, |m| m.scale.quanta_per_lot_tick());
        self.minute_notional[side] += i128::from(lots.abs()) * i128::from(price) * i128::from(k);
        if after.book().position(group, market).is_none_or(|p| p.lots.is_zero()) {
            self.counts.full_closes += 1;
            self.closed.push(group);
        } else {
            self.counts.partial_closes += 1;
        }
    }

    fn event(&mut self, mark: EventMark, now_ms: u64) {
        match mark {
            EventMark::Opened { id: EventId(id) } => {
                self.events.push(EventTally {
                    id: Some(id),
                    opened_ms: now_ms,
                    closed_ms: now_ms,
                    ..EventTally::default()
                });
                self.open = Some(self.events.len() - 1);
            }
            EventMark::Closed { .. } => {
                self.current().closed_ms = now_ms;
                self.open = None;
            }
            EventMark::Forced { value } => {
                let e = self.current();
                e.forced += value.get();
                e.accounts += 1;
                e.closed_ms = now_ms;
            }
            EventMark::Loss { .. } => {}
            EventMark::Tripped { breaker } => *self.counts.trips.entry(breaker).or_default() += 1,
            EventMark::Limited { breaker } => *self.counts.limits.entry(breaker).or_default() += 1,
        }
    }
}

impl Observer for Tally {
    fn step(&mut self, cause: &StepCause, facts: &[Fact], after: &State) {
        self.counts.steps += 1;
        self.counts.facts += facts.len() as u64;
        if matches!(cause, StepCause::Input(_)) {
            self.counts.inputs += 1;
        }
        let now_ms = after.head().at.time.0;
        for fact in facts {
            match fact {
                Fact::Post { reason, postings } => self.posted(*reason, postings),
                Fact::OrderPlaced(o) => {
                    self.counts.orders += 1;
                    self.orders.insert(o.id, (o.group, o.market));
                }
                Fact::OrderFilled { id, lots, price } => self.filled(*id, lots.get(), price.get(), after),
                Fact::OrderEnded { id, .. } => {
                    self.orders.remove(id);
                }
                Fact::Drawn(d) => {
                    self.counts.draws += 1;
                    let LayerId(layer) = d.layer;
                    *self.current().layers.entry(layer).or_default() += d.amount.get();
                    if !d.paid {
                        self.promised.insert(d.id, (layer, d.amount.get(), now_ms));
                    }
                }
                // what a promise leaves unpaid was no payment: the deficit is open again, and others pay it now
                Fact::Settled { draw, paid } => {
                    if let Some((layer, amount, since)) = self.promised.remove(draw) {
                        let (paid, event) = (paid.get(), self.current());
                        *event.layers.entry(layer).or_default() -= amount - paid;
                        if now_ms > since && paid > 0 {
                            *event.late.entry(layer).or_default() += paid;
                        }
                        if paid < amount {
                            *event.unpaid.entry(layer).or_default() += amount - paid;
                        }
                    }
                }
                Fact::Event(mark) => self.event(*mark, now_ms),
                Fact::Input { answer: Answer::Refused(Rejection::Breaker { breaker, .. }), .. } => {
                    *self.counts.limits.entry(*breaker).or_default() += 1;
                }
                _ => {}
            }
        }
    }
}
