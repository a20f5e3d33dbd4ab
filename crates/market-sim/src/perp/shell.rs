//! The shell around the stack: the price of each minute, the feed, the venue that fills orders, and the second look at the books.

use super::{
    All, Cover, FIRST_ACCOUNT, FIRST_MAKER, ROUNDS_MAX, Recorder, Resting, Run, RunError, Shell, VAULT,
};
use crate::implied::End;
use cofferdam_core::{GroupId, Holder, Instrument, Item, Millis, Quote, SourceId, Ticks};
use cofferdam_runtime::at_once;
use cofferdam_stack::{Answer, Body, Effect, Input, InputId, Rejection};

impl Shell<'_, '_> {
    pub(super) fn submit(&mut self, body: Body) -> Result<Answer, RunError> {
        self.number += 1;
        let id = InputId { source: 1, number: self.number };
        let input = Input { id, time: Millis(self.now), block: 0, body };
        if let Some(r) = &mut self.recorder {
            r.input(&input)?;
        }
        let recorder = self.recorder.as_mut().map(|r| &mut **r as &mut dyn Recorder);
        let mut all = All(&mut self.tally, &mut self.postings, recorder);
        let outcome = self.engine.submit(&input, &mut all)?;
        if let Some(what) = self.postings.fault.take() {
            return Err(RunError::Conservation { seq: self.engine.state().head().at.seq, what });
        }
        if let Some(r) = &mut self.recorder {
            r.fault()?;
        }
        for effect in outcome.effects {
            match effect {
                Effect::Order { order, group, lots, limit, expires, .. } => {
                    self.resting.push(Resting { order, group, lots, limit, expires });
                }
                Effect::Cancel { order } => self.resting.retain(|r| r.order != order),
                Effect::Settle { .. } => {} // the desk finds the draw in the state
                _ => self.tally.counts.alarms += 1,
            }
        }
        if !input.body.is_report() {
            match &outcome.answer {
                Answer::Refused(Rejection::Breaker { .. }) => self.tally.counts.refused_by_breaker += 1,
                Answer::Refused(_) => self.tally.counts.refused += 1,
                _ => self.tally.counts.granted += 1,
            }
        }
        Ok(outcome.answer)
    }

    pub(super) fn set_up(&mut self) -> Result<(), RunError> {
        let asset = self.venue.settlement;
        for i in 0..self.world.makers {
            let amount = self.world.maker_cash;
            self.submit(Body::Deposit { group: GroupId(FIRST_MAKER + i), asset, amount })?;
        }
        self.submit(Body::Deposit { group: VAULT, asset, amount: self.world.vault_cash })?;
        for c in self.world.covers.iter().filter(|c| c.escrow.get() > 0) {
            let Cover { layer, escrow: amount, capacity, expires } = *c;
            self.submit(Body::Escrow { layer, asset, amount })?;
            self.submit(Body::Commitment { layer, capacity, expires, escrowed: true })?;
        }
        self.attend()
    }

    /// The price now: the recorded one, moved by what this run's forced flow adds to the recorded flow.
    fn price(&self, t: usize, reference_flow: f64) -> i64 {
        let base = self.minutes.mid[t];
        if self.world.reference.is_none() {
            return base;
        }
        let recorded = self.world.impact.deviation(reference_flow, self.world.depth_usd);
        let own = if self.world.without_own_impact {
            0.0
        } else {
            self.world.impact.deviation(
                self.flow.value(),
                self.world.depth_usd * self.world.depth_multiple * self.share(t),
            )
        };
        let deviation = own - recorded;
        if deviation == 0.0 {
            return base;
        }
        // a price stays a price: no cascade takes more than 95 % off or doubles it
        let moved = base as f64 * (1.0 + deviation.clamp(-0.95, 1.0));
        (libm::rint(moved) as i64).max(1)
    }

    fn share(&self, t: usize) -> f64 {
        match (self.world.shares, self.world.exit) {
            (Some(shares), _) => shares[t],
            (None, Some(exit)) => exit.share(self.recent.value()),
            (None, None) => 1.0,
        }
    }

    pub(super) fn minute(&mut self, t: usize, opens: &[usize], closes: &[usize]) -> Result<(), RunError> {
        self.now = self.minutes.time_ms[t];
        self.flow.decay_to(self.now);
        self.recent.decay_to(self.now);
        self.run.flow.before.push(self.flow.value());
        let before = self.world.reference.map_or(0.0, |r| r.before[t]);
        let mut price = self.price(t, before);
        self.observe(price)?;
        self.attend()?;
        for round in 1..=ROUNDS_MAX {
            let closed = self.fill(t, price, round)?;
            let after = self.world.reference.map_or(0.0, |r| r.after[t]);
            let moved = self.price(t, after);
            if closed {
                self.run.rounds += 1;
                self.run.rounds_max = self.run.rounds_max.max(round);
            }
            if moved == price {
                break;
            }
            price = moved;
            self.observe(price)?;
        }
        self.run.flow.after.push(self.flow.value());
        self.run.depth_share.push(self.share(t));
        self.run.mid.push(price);
        for &i in opens {
            self.open(i, price)?;
        }
        for &i in closes {
            self.close(i, price)?;
        }
        if t % 60 == 59 {
            self.withdraw_profits()?;
        }
        Ok(())
    }

    fn observe(&mut self, price: i64) -> Result<(), RunError> {
        match self.feed.observe(self.now, price) {
            Some((published, seen)) => {
                let quote = Quote {
                    source: SourceId(1),
                    price: Ticks::new(seen),
                    confidence: Ticks::ZERO,
                    published: Millis(published),
                };
                self.submit(Body::Quotes(vec![(Instrument::Market(self.venue.market), quote)]))?;
            }
            None => {
                self.submit(Body::Clock)?;
            }
        }
        Ok(())
    }

    /// Fills resting orders at the price of the moment, and what the fills lead to, until no order can be filled.
    fn fill(&mut self, t: usize, price: i64, round: u32) -> Result<bool, RunError> {
        let mut any = false;
        loop {
            let (mut fillable, mut rest) = (Vec::new(), Vec::new());
            for o in std::mem::take(&mut self.resting) {
                let good = if o.lots.is_negative() { price >= o.limit.get() } else { price <= o.limit.get() };
                if o.expires.0 <= self.now {
                    continue; // the stack let it expire and plans anew
                }
                if good { fillable.push(o) } else { rest.push(o) }
            }
            self.resting = rest;
            if fillable.is_empty() {
                return Ok(any);
            }
            any = true;
            for o in fillable {
                let counterparty = self.maker(o.group);
                self.submit(Body::Fill {
                    order: o.order,
                    lots: o.lots,
                    price: Ticks::new(price),
                    counterparty,
                })?;
            }
            self.book_minute(t, round);
        }
    }

    fn book_minute(&mut self, t: usize, round: u32) {
        let (lots, notional, closed) = self.tally.take_minute();
        for side in 0..2 {
            self.run.forced_lots[side][t] += lots[side];
            self.run.forced_notional[side][t] += notional[side];
        }
        if round > 1 {
            self.run.later_rounds_notional += notional[0] + notional[1];
        }
        // longs closed by force are sold, shorts bought back
        let usd = |q: i128| q as f64 / 1e6;
        self.flow.add(usd(notional[0]) - usd(notional[1]));
        self.recent.add(usd(notional[0]) + usd(notional[1]));
        for group in closed {
            let Some(i) = group.0.checked_sub(FIRST_ACCOUNT) else { continue };
            let o = &self.openings[i as usize];
            if o.end == (End::Liquidated { minute: t }) {
                self.run.own_minute_lots += o.lots;
            }
        }
    }

    /// Has the desk ask the insurers, and reports what they said.
    fn attend(&mut self) -> Result<(), RunError> {
        let state = self.engine.state();
        self.insurers.tell(Millis(self.now), state.head().losses_total);
        let asked = at_once(self.insurers.desk.attend(Millis(self.now), state));
        for report in asked.into_iter().flat_map(|a| a.reports) {
            self.submit(report)?;
        }
        Ok(())
    }

    /// Sums every item over all holders: nothing is created or lost (INV-1, INV-2, INV-8).
    pub(super) fn conserve(&mut self) -> Result<(), RunError> {
        let state = self.engine.state();
        let fail = |what: String| RunError::Conservation { seq: state.head().at.seq, what };
        let (asset, market) = (self.venue.settlement, self.venue.market);
        let (mut cash, mut lots, mut cost, mut long) = (0_i128, 0_i128, 0_i128, 0_i128);
        for ((_, item), h) in state.ledger() {
            match item {
                Item::Asset(a) if *a == asset => cash += h.units,
                Item::Position(m) if *m == market => {
                    lots += h.units;
                    cost += h.cost.get();
                }
                _ => {}
            }
        }
        for g in state.book().groups() {
            cash += state.book().balance(g, asset).get();
            if let Some(p) = state.book().position(g, market) {
                lots += i128::from(p.lots.get());
                cost += p.cost.get();
                long += i128::from(p.lots.get().max(0));
            }
        }
        let open_interest =
            cofferdam_core::World::market(state, market).map_or(0, |m| i128::from(m.open_interest.get()));
        if (cash, lots, cost) != (0, 0, 0) || long != open_interest {
            return Err(fail(format!(
                "cash {cash}, lots {lots}, cost {cost} instead of zero, or long lots {long} instead of {open_interest}"
            )));
        }
        self.run.conservation_checks += 1;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Run, RunError> {
        let deficit = Holder::House(cofferdam_core::House::Deficit);
        let state = self.engine.state();
        self.run.open_deficit = -state.holding(deficit, Item::Asset(self.venue.settlement)).units;
        self.run.state_hash = state.hash();
        let mut peak = 0_i64;
        for &m in &self.run.mid {
            peak = peak.max(m);
            self.run.max_drawdown = self.run.max_drawdown.max(1.0 - m as f64 / peak as f64);
        }
        (self.run.steps_conserved, self.run.postings_conserved) = (self.postings.steps, self.postings.lines);
        self.run.tally = self.tally;
        Ok(self.run)
    }
}
