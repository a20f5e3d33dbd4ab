//! Reports: booked even when unwelcome.

use super::Step;
use super::clearing::{SUSPENSE, side};
use crate::{
    AccrualSubject, Alarm, Body, Fact, LayerState, MarketScenarios, Named, OrderOutcome, PoolKind, Reason,
    RiskStack, Work, draft::Draft, fact::EventMark, stack::slots, store::Store,
};
use cofferdam_core::{
    Amount, DrawId, Holder, House, Instrument, Item, LayerId, Lots, MathError, Millis, Observation, OrderId,
    Posting, PriceRole, Quote, SCENARIOS_MAX, Scaled, Ticks, World,
};
use cofferdam_insurance_layer::LossCause;
use cofferdam_market::{IndexMove, LendingView, Subject};
use cofferdam_oracle::{Ask, Reference};

impl RiskStack {
    /// Takes an input in. `Ok(Some(alarm))` is a report that was booked, but not as its sender thought.
    pub(crate) fn input(&self, draft: &mut Draft<'_>, body: &Body) -> Step<Option<Alarm>> {
        self.advance(draft)?;
        match body {
            Body::Clock => {
                self.accrue(draft)?;
                self.mark_books(draft)?;
                // time alone makes a price old (INV-31)
                self.resolve_prices(draft)?;
                Ok(None)
            }
            Body::Quotes(quotes) => self.quotes(draft, quotes),
            Body::Volatility { market, volatility } => {
                if draft.market(*market).is_none() {
                    return Ok(Some(Alarm::Unknown { what: Named::Market, id: market.0 }));
                }
                draft.record(Fact::Volatility { market: *market, to: *volatility })?;
                draft.schedule(Millis::ZERO, Work::Sweep)?;
                Ok(None)
            }
            Body::Scenarios(sets) => Self::scenarios(draft, sets),
            Body::Deposit { group, asset, amount } => {
                if amount.get() <= 0 {
                    return Ok(Some(Alarm::NothingToBook));
                }
                if draft.asset(*asset).is_none() {
                    return Ok(Some(Alarm::Unknown { what: Named::Asset, id: asset.0 }));
                }
                let p = Posting::transfer(
                    Holder::Outside,
                    Holder::Group(*group),
                    Item::Asset(*asset),
                    amount.get(),
                );
                draft.post(Reason::Deposit, p.into())?;
                self.place_deposit(draft, *group)?;
                let done = cofferdam_core::Action::Deposit { group: *group, asset: *asset, amount: *amount };
                self.observe(draft, &Observation::Done(done))?;
                Ok(None)
            }
            Body::Escrow { layer, asset, amount } => {
                if amount.get() <= 0 {
                    return Ok(Some(Alarm::NothingToBook));
                }
                if draft.asset(*asset).is_none() {
                    return Ok(Some(Alarm::Unknown { what: Named::Asset, id: asset.0 }));
                }
                let known = self.known_layer(*layer);
                let to = if known { Holder::Layer(*layer) } else { SUSPENSE };
                let reason = if known { Reason::Escrow } else { Reason::Suspense };
                let p = Posting::transfer(Holder::Outside, to, Item::Asset(*asset), amount.get());
                draft.post(reason, p.into())?;
                if !known {
                    return Ok(Some(Alarm::Unknown { what: Named::Layer, id: layer.0 }));
                }
                self.cover_open_deficits(draft)?;
                Ok(None)
            }
            Body::Commitment { layer, capacity, expires, escrowed } => {
                self.commitment(draft, *layer, *capacity, *expires, *escrowed)
            }
            Body::Settlement { draw, paid } => self.settlement(draft, *draw, *paid),
            Body::Fill { order, lots, price, counterparty } => {
                self.fill(draft, *order, *lots, *price, *counterparty)
            }
            Body::OrderEnded { order, outcome } => self.order_ended(draft, *order, *outcome),
            request => {
                if draft.state().head().at.time < draft.now() {
                    self.accrue(draft)?;
                    self.resolve_prices(draft)?;
                }
                self.allocate_waiting(draft)?;
                self.request(draft, request).map(|()| None)
            }
        }
    }

    /// What time alone does: orders expire, a quiet event closes.
    fn advance(&self, draft: &mut Draft<'_>) -> Step<()> {
        let now = draft.now();
        let expired: Vec<_> = draft.state().orders().filter(|o| o.expires <= now).copied().collect();
        for order in expired {
            draft.record(Fact::OrderEnded { id: order.id, outcome: OrderOutcome::Expired })?;
            draft.schedule(Millis::ZERO, Work::Liquidate { group: order.group })?;
        }
        if let Some(event) = draft.head().event
            && now.since(event.last_forced) >= self.parts.event.quiet
        {
            draft.record(Fact::Event(EventMark::Closed { id: event.id }))?;
        }
        Ok(())
    }

    fn quotes(&self, draft: &mut Draft<'_>, quotes: &[(Instrument, Quote)]) -> Step<Option<Alarm>> {
        let mut alarm = None;
        for (instrument, quote) in quotes {
            let known = match instrument {
                Instrument::Market(m) => draft.market(*m).is_some(),
                Instrument::Asset(a) => draft.asset(*a).is_some(),
            };
            // out of order: what the source said later stands, unless that lies in the future, where nobody can have seen it
            let older = draft
                .quotes(*instrument)
                .iter()
                .find(|q| q.source == quote.source)
                .is_some_and(|q| q.published > quote.published && q.published <= draft.now());
            if known && older {
                continue;
            }
            if known {
                draft.record(Fact::Quote { instrument: *instrument, quote: *quote })?;
            } else {
                let (what, id) = match instrument {
                    Instrument::Market(m) => (Named::Market, m.0),
                    Instrument::Asset(a) => (Named::Asset, a.0),
                };
                alarm = Some(Alarm::Unknown { what, id });
            }
        }
        self.accrue(draft)?;
        self.resolve_prices(draft)?;
        Ok(alarm)
    }

    /// Records scenario values, of all markets named or of none.
    fn scenarios(draft: &mut Draft<'_>, sets: &[MarketScenarios]) -> Step<Option<Alarm>> {
        let malformed = |field: &str, accepted: &str| {
            Ok(Some(Alarm::Malformed { field: field.into(), accepted: accepted.into() }))
        };
        for (i, set) in sets.iter().enumerate() {
            if draft.market(set.market).is_none() {
                return Ok(Some(Alarm::Unknown { what: Named::Market, id: set.market.0 }));
            }
            if sets.iter().take(i).any(|before| before.market == set.market) {
                return malformed("market", "each market once");
            }
            if set.values.is_empty() || set.values.len() > SCENARIOS_MAX {
                return malformed("values", "1 to 4096 scenarios");
            }
            if set.values.iter().any(|v| v.low > v.high) {
                return malformed("values", "low <= high in each scenario");
            }
        }
        for set in sets {
            draft.record(Fact::Scenarios(set.clone()))?;
        }
        if !sets.is_empty() {
            draft.schedule(Millis::ZERO, Work::Sweep)?;
        }
        Ok(None)
    }

    /// Resolves every price by its policy; a change is a fact, is told to the breakers and asks for a sweep.
    fn resolve_prices(&self, draft: &mut Draft<'_>) -> Step<()> {
        let at = draft.head().at;
        let mut changed = false;
        for (i, rule) in self.parts.prices.iter().enumerate() {
            let (previous, index) = match rule.instrument {
                Instrument::Market(m) => match draft.market(m) {
                    Some(v) if rule.role == PriceRole::Index => (v.index, None),
                    Some(v) => (v.mark, Some(v.index)),
                    None => continue,
                },
                Instrument::Asset(a) => match draft.asset(a) {
                    Some(v) => (v.price, None),
                    None => continue,
                },
            };
            let ask = Ask { instrument: rule.instrument, role: rule.role, at };
            let reference = Reference {
                previous: previous.is_usable().then_some(previous),
                index: index.filter(cofferdam_core::PriceView::is_usable),
            };
            let slot = Self::slot(slots::PRICES, i)?;
            let resolved = draft.with_memory(slot, |d, m| {
                rule.policy.resolve(&ask, d.quotes(rule.instrument), &reference, m)
            })?;
            // a policy that fails has no price to give, and keeps no other instrument from getting one
            let view = resolved.unwrap_or_else(|e| {
                draft.raise(Alarm::Failed { what: e.to_string() });
                previous.worsened(cofferdam_core::PriceState::Invalid)
            });
            if view != previous {
                draft.record(Fact::Mark { instrument: rule.instrument, role: rule.role, view })?;
                changed = true;
            }
            if let Instrument::Market(market) = rule.instrument
                && rule.role == PriceRole::Mark
            {
                self.observe(draft, &Observation::Mark { market, price: view.mid, state: view.state })?;
            }
        }
        if changed {
            self.honour(draft)?;
            draft.schedule(Millis::ZERO, Work::Sweep)?;
        }
        Ok(())
    }

    /// Moves funding and interest indexes to now.
    pub(crate) fn accrue(&self, draft: &mut Draft<'_>) -> Step<()> {
        let at = draft.head().at;
        let mut moved = false;
        for (i, accrual) in self.parts.accruals.iter().enumerate() {
            let subject = match accrual.subject {
                AccrualSubject::Market(m) => match draft.market(m) {
                    Some(view) => Subject::Market(*view),
                    None => continue,
                },
                AccrualSubject::Pool(pool) => {
                    let Some((_, terms)) = self.pool(pool) else { continue };
                    let PoolKind::Lending { asset, .. } = terms.kind else { continue };
                    let Some(view) = draft.asset(asset) else { continue };
                    let lent = draft.holding(Holder::Pool(pool), Item::Debt(asset)).units;
                    Subject::Lending(LendingView {
                        asset,
                        cash: Amount::new(draft.cash(Holder::Pool(pool), asset)),
                        debt: Scaled::new(lent.unsigned_abs()),
                        index: view.debt_index,
                    })
                }
            };
            let slot = Self::slot(slots::ACCRUALS, i)?;
            let moves = match draft.with_memory(slot, |_, m| accrual.rule.accrue(at, &subject, m))? {
                Ok(moves) => moves,
                Err(e) => {
                    draft.raise(Alarm::Failed { what: e.to_string() });
                    continue; // it moves nothing, and keeps nobody else's index from moving
                }
            };
            for m in moves {
                moved = true;
                match (m, &subject) {
                    (IndexMove::Funding { market, to }, Subject::Market(view)) if view.id == market => {
                        let before = draft.market(market).map_or(view.funding, |v| v.funding);
                        draft.record(Fact::Funding { market, to })?;
                        self.house_funding(draft, market, before, to)?;
                    }
                    (IndexMove::Debt { asset, to }, Subject::Lending(view)) if view.asset == asset => {
                        if draft.asset(asset).is_some_and(|a| to < a.debt_index) {
                            return Err(super::StepError::Contract("an accrual lowered a debt index"));
                        }
                        draft.record(Fact::Interest { asset, to })?;
                    }
                    _ => {
                        return Err(super::StepError::Contract(
                            "an accrual moved an index that is not its own",
                        ));
                    }
                }
            }
        }
        if moved {
            draft.schedule(Millis::ZERO, Work::Sweep)?;
        }
        Ok(())
    }

    fn commitment(
        &self,
        draft: &mut Draft<'_>,
        layer: LayerId,
        capacity: cofferdam_core::Quanta,
        expires: Millis,
        escrowed: bool,
    ) -> Step<Option<Alarm>> {
        if !self.parts.layers.iter().any(|l| l.id == layer) {
            return Ok(Some(Alarm::Unknown { what: Named::Layer, id: layer.0 }));
        }
        if capacity.get() <= 0 {
            return Ok(Some(Alarm::NothingToBook));
        }
        let before = draft.layer(layer);
        let fresh = LayerState {
            layer,
            capacity,
            expires,
            escrowed,
            drawn_total: before.map_or(cofferdam_core::Quanta::ZERO, |b| b.drawn_total),
            drawn_event: before.map_or(cofferdam_core::Quanta::ZERO, |b| b.drawn_event),
            event: before.and_then(|b| b.event),
        };
        draft.record(Fact::Committed(fresh))?;
        self.cover_open_deficits(draft)?;
        Ok(None)
    }

    /// New insurance money meets what was left open before it came: a deficit that was carried is asked for again, in the
    /// programme's order, and not counted as a second loss.
    fn cover_open_deficits(&self, draft: &mut Draft<'_>) -> Step<()> {
        for asset in self.parts.assets.iter().map(|a| a.id) {
            let open = draft.deficit(asset);
            if open.get() > 0 {
                let market = self.market_of(asset, None);
                self.insure(draft, asset, open, (LossCause::Carried, None), market)?;
            }
        }
        Ok(())
    }

    fn fill(
        &self,
        draft: &mut Draft<'_>,
        id: OrderId,
        lots: Lots,
        price: Ticks,
        counterparty: cofferdam_core::GroupId,
    ) -> Step<Option<Alarm>> {
        let open = draft.order(id).filter(|o| o.lots.signum() == lots.signum() && lots.signum() != 0);
        let Some(order) = open else { return self.suspend(draft, id, lots, price, counterparty) };
        let within = order.lots.try_abs()?.get().min(lots.try_abs()?.get());
        let booked = Lots::new(if lots.is_negative() { within.wrapping_neg() } else { within });
        let beyond = lots.try_sub(booked)?;
        draft.record(Fact::OrderFilled { id, lots: booked, price })?;
        self.trade(draft, Reason::Liquidation, (order.group, counterparty), order.market, booked, price)?;
        let done = draft.order(id).is_none_or(|o| o.lots.is_zero());
        if done {
            draft.record(Fact::OrderEnded { id, outcome: OrderOutcome::Filled })?;
        }
        // the trade is booked whatever becomes of what follows from it
        if let Err(e) = draft.attempt(|d| self.after_forced(d, &order, booked, price)) {
            draft.raise(Alarm::Failed { what: e.to_string() });
            draft.schedule(Millis::ZERO, Work::Liquidate { group: order.group })?;
        }
        if beyond.is_zero() {
            let worse = if lots.is_negative() { price < order.limit } else { price > order.limit };
            return Ok(worse.then_some(Alarm::WorseThanLimit { order: id, price, limit: order.limit }));
        }
        self.suspense_trade(draft, order.market, beyond, price, counterparty)?;
        Ok(Some(Alarm::UnexpectedFill { order: id, lots: beyond }))
    }

    fn suspend(
        &self,
        draft: &mut Draft<'_>,
        order: OrderId,
        lots: Lots,
        price: Ticks,
        counterparty: cofferdam_core::GroupId,
    ) -> Step<Option<Alarm>> {
        if lots.is_zero() {
            return Ok(Some(Alarm::NothingToBook));
        }
        // an order that we do not know names no market; with one market there is no doubt which, with more it is the order's
        let market =
            draft.order(order).map(|o| o.market).or_else(|| self.parts.markets.first().map(|m| m.id));
        if let Some(market) = market {
            self.suspense_trade(draft, market, lots, price, counterparty)?;
        }
        Ok(Some(Alarm::UnexpectedFill { order, lots }))
    }

    /// Lots that nobody owns: the house's suspense account holds them against the counterparty.
    fn suspense_trade(
        &self,
        draft: &mut Draft<'_>,
        market: cofferdam_core::MarketId,
        lots: Lots,
        price: Ticks,
        counterparty: cofferdam_core::GroupId,
    ) -> Step<()> {
        self.settle_funding(draft, counterparty, market)?;
        let (view, scale) = self.market_terms(draft, market)?;
        let held = draft.holding(SUSPENSE, Item::Position(market));
        let held_lots = Lots::new(i64::try_from(held.units).map_err(|_| MathError::Overflow)?);
        let theirs = draft.position(counterparty, market);
        let mut postings = side(&view, scale, SUSPENSE, (held_lots, held.cost), lots, price)?;
        postings.extend(side(&view, scale, Holder::Group(counterparty), theirs, lots.try_neg()?, price)?);
        Ok(draft.post(Reason::Suspense, postings)?)
    }

    fn order_ended(&self, draft: &mut Draft<'_>, id: OrderId, outcome: OrderOutcome) -> Step<Option<Alarm>> {
        let Some(order) = draft.order(id) else { return Ok(Some(Alarm::UnknownOrder { order: id })) };
        draft.record(Fact::OrderEnded { id, outcome })?;
        draft.schedule(Millis::ZERO, Work::Liquidate { group: order.group })?;
        Ok(None)
    }

    fn settlement(&self, draft: &mut Draft<'_>, id: DrawId, paid: Amount) -> Step<Option<Alarm>> {
        let Some(draw) = draft.draw(id) else { return Ok(Some(Alarm::UnknownDraw { draw: id })) };
        // money beyond the draw is nobody's we know
        let over = paid.get().checked_sub(draw.amount.get()).ok_or(MathError::Overflow)?.max(0);
        let paid = paid.get().clamp(0, draw.amount.get());
        let missing = draw.amount.get().checked_sub(paid).ok_or(MathError::Overflow)?;
        let receivable = Holder::House(House::Receivable);
        let mut postings: Vec<Posting> = Vec::new();
        if paid > 0 {
            postings.extend(Posting::transfer(Holder::Outside, receivable, Item::Asset(draw.asset), paid));
        }
        if missing > 0 {
            postings.extend(Posting::transfer(
                Holder::House(House::Deficit),
                receivable,
                Item::Asset(draw.asset),
                missing,
            ));
        }
        if over > 0 {
            postings.extend(Posting::transfer(Holder::Outside, SUSPENSE, Item::Asset(draw.asset), over));
        }
        draft.record(Fact::Settled { draw: id, paid: Amount::new(paid) })?;
        draft.post(Reason::Settlement, postings)?;
        if missing > 0 {
            // the layer did not keep its word: it is not asked again, and the next one carries the gap
            if let Some(mut layer) = draft.layer(draw.layer) {
                layer.capacity = layer.drawn_total;
                draft.record(Fact::Committed(layer))?;
            }
            let market = self.market_of(draw.asset, None);
            let cause = LossCause::Default { layer: draw.layer };
            self.insure(draft, draw.asset, Amount::new(missing), (cause, draw.of), market)?;
        }
        Ok((over > 0).then_some(Alarm::UnknownDraw { draw: id }))
    }
}
