//! Losses: insurance first, then the rule that says who pays what is left. A waterfall or an allocation that breaks its
//! contract is answered with an alarm, never with a report that is lost or a position that stays open (INV-21, INV-44).

use super::clearing::{UNSETTLED, atoms, in_settlement, quanta};
use super::{Step, StepError};
use crate::{
    Alarm, Draw, Effect, EventMark, Fact, PoolKind, Reason, RiskStack, Work, draft::Draft, stack::slots,
    store::Store,
};
use cofferdam_core::{
    Action, Amount, AssetId, AssetView, DrawId, GroupId, Holder, House, Item, LayerId, Level, Lots, MarketId,
    MarketView, MathError, Millis, Observation, PoolId, Posting, Quanta, Rounding, Ticks, World,
};
use cofferdam_insurance_layer::{Loss, LossCause, Standing, Waterfall};
use cofferdam_liquidation_strategy::{Cause, Measure, Need, Payer, Payers, Settlement};
use cofferdam_margin_engine::{Holdings, MarginError};
use std::collections::BTreeMap;

pub(super) const DEFICIT: Holder = Holder::House(House::Deficit);

/// Candidates in ascending order of group, gathered once for one allocation.
pub(super) struct Candidates(pub(super) Vec<Payer>);

impl Payers for Candidates {
    fn iter(&self) -> Box<dyn Iterator<Item = Payer> + '_> {
        Box::new(self.0.iter().copied())
    }
}

impl Candidates {
    fn get(&self, group: GroupId) -> Option<&Payer> {
        self.0.binary_search_by_key(&group, |p| p.group).ok().and_then(|i| self.0.get(i))
    }
}

/// A position that is closed against others: whose, how much of it, at which price.
#[derive(Clone, Copy)]
pub(super) struct Against {
    of: GroupId,
    held: Lots,
    price: Ticks,
}

impl RiskStack {
    fn asset_view(draft: &Draft<'_>, asset: AssetId) -> Step<AssetView> {
        Ok(*draft.asset(asset).ok_or(MarginError::UnknownAsset(asset))?)
    }

    /// Where a layer stands: committed, not expired, not drawn, and for escrow no more than the ledger holds of the asset in
    /// which a loss has to be paid (of the numeraire where no loss is named).
    pub(crate) fn standing(
        &self,
        draft: &Draft<'_>,
        id: LayerId,
        asset: Option<AssetId>,
    ) -> Step<Option<Standing>> {
        let Some(layer) = draft.layer(id).filter(|_| self.known_layer(id)) else { return Ok(None) };
        let event = draft.head().event.map(|e| e.id);
        let mut capacity = if layer.expires < draft.now() {
            Quanta::ZERO
        } else {
            layer.capacity.try_sub(layer.drawn_total)?.positive_part()
        };
        if layer.escrowed {
            let mut held = Quanta::ZERO;
            for terms in &self.parts.assets {
                if asset.map_or(terms.numeraire, |a| a == terms.id) {
                    let view = Self::asset_view(draft, terms.id)?;
                    let cash = Amount::new(draft.cash(Holder::Layer(id), terms.id));
                    if view.price.is_usable() {
                        held = held.try_add(view.scale.value(cash, view.price.mid, Rounding::Down)?)?;
                    }
                }
            }
            capacity = capacity.min(held.positive_part());
        }
        let drawn_event = if layer.event == event { layer.drawn_event } else { Quanta::ZERO };
        Ok(Some(Standing { layer: id, capacity, drawn_event, drawn_total: layer.drawn_total }))
    }

    /// Draws on insurance for a deficit that was just booked, and has what is left allocated: over the winners of `market`, or
    /// over nobody where there is none. A draw that was not paid, and a deficit that is asked for again, are the same loss: it is
    /// not counted twice.
    pub(crate) fn insure(
        &self,
        draft: &mut Draft<'_>,
        asset: AssetId,
        missing: Amount,
        (cause, of): (LossCause, Option<GroupId>),
        market: Option<MarketId>,
    ) -> Step<()> {
        let view = Self::asset_view(draft, asset)?;
        // without a price nobody can say what a layer would owe: the deficit stays for the allocation
        if view.price.is_usable() {
            let value = view.scale.value(missing, view.price.mid, Rounding::Up)?;
            let waterfall = self.waterfall(draft, asset, value, (cause, of), market)?;
            let mut left = missing.get();
            for draw in waterfall.draws {
                let share = view.scale.amount(draw.amount, view.price.mid, Rounding::Down)?;
                let amount = share.get().min(left);
                if amount > 0 {
                    left = left.checked_sub(amount).ok_or(MathError::Overflow)?;
                    self.draw(draft, (asset, of), draw.layer, Amount::new(amount), draw.amount)?;
                }
            }
        }
        let left = draft.deficit(asset);
        self.observe_deficit(draft, asset)?;
        match market {
            _ if left.is_zero() => Ok(()),
            // a moment later, so that the losses of one cascade are allocated together and not one by one
            Some(market) => {
                let due = draft.now().try_add(Millis(1))?;
                Ok(draft.schedule(due, Work::Allocate { asset, market })?)
            }
            // nobody wins where nothing is traded: a pool is written down at once, or the deficit is carried
            None => self.allocate_or_carry(draft, asset),
        }
    }

    pub(crate) fn observe_deficit(&self, draft: &mut Draft<'_>, asset: AssetId) -> Step<()> {
        let view = Self::asset_view(draft, asset)?;
        let open = draft.deficit(asset);
        // without a price it is still a deficit, of nobody knows how much
        let value = if view.price.is_usable() {
            view.scale.value(open, view.price.mid, Rounding::Up)?
        } else {
            Quanta::new(open.get().signum())
        };
        self.observe(draft, &Observation::Deficit { value })
    }

    /// Asks the waterfall and checks its answer; one that breaks its contract draws nothing.
    fn waterfall(
        &self,
        draft: &mut Draft<'_>,
        asset: AssetId,
        value: Quanta,
        (cause, of): (LossCause, Option<GroupId>),
        market: Option<MarketId>,
    ) -> Step<Waterfall> {
        let again = matches!(cause, LossCause::Default { .. } | LossCause::Carried);
        let event = draft.head().event;
        let counted = if again { value } else { Quanta::ZERO };
        let before = |sum: Quanta| Ok::<_, MathError>(sum.try_sub(counted)?.positive_part());
        let loss = Loss {
            event: event.map(|e| e.id),
            of,
            market,
            asset,
            cause,
            amount: value,
            event_before: before(event.map_or(Quanta::ZERO, |e| e.losses))?,
            total_before: before(draft.head().losses_total)?,
        };
        if !again {
            draft.record(Fact::Event(EventMark::Loss { value }))?;
        }
        let mut standings = Vec::new();
        for layer in &self.parts.layers {
            standings.extend(self.standing(draft, layer.id, Some(asset))?);
        }
        let answer = self.parts.waterfall.allocate(&loss, &standings).map_err(StepError::from);
        match answer.and_then(|w| check_waterfall(&w, &standings, value).map(|()| w)) {
            Ok(w) => Ok(w),
            Err(e) => {
                draft.raise(Alarm::Failed { what: e.to_string() });
                Ok(Waterfall { draws: Vec::new(), residual: value })
            }
        }
    }

    fn draw(
        &self,
        draft: &mut Draft<'_>,
        (asset, of): (AssetId, Option<GroupId>),
        layer: LayerId,
        amount: Amount,
        value: Quanta,
    ) -> Step<()> {
        let escrowed = draft.layer(layer).is_some_and(|l| l.escrowed);
        let id = DrawId(draft.head().next_draw);
        let event = draft.head().event.map(|e| e.id);
        draft.record(Fact::Drawn(Draw { id, layer, event, of, asset, amount, value, paid: escrowed }))?;
        let from = if escrowed { Holder::Layer(layer) } else { Holder::House(House::Receivable) };
        let p = Posting::transfer(from, DEFICIT, Item::Asset(asset), amount.get());
        draft.post(Reason::Insurance, p.into())?;
        if !escrowed {
            draft.effects.push(Effect::Settle { draw: id, layer, amount });
        }
        let capacity_left = self.cover(draft)?;
        self.observe(draft, &Observation::Drawn { layer, value, capacity_left })
    }

    /// The market whose winners answer for a deficit in an asset: the one named where it settles in that asset, else the
    /// first that does.
    pub(crate) fn market_of(&self, asset: AssetId, named: Option<MarketId>) -> Option<MarketId> {
        let settles = |m: &&crate::MarketTerms| m.settlement == asset;
        let mut markets = self.parts.markets.iter().filter(settles);
        let named = markets.clone().find(|m| Some(m.id) == named);
        named.or_else(|| markets.next()).map(|m| m.id)
    }

    /// Allocates the open deficit of an asset over the winners of a market that settles in it; without one, over nobody: the
    /// policy can still write down a pool or carry it.
    pub(crate) fn allocate(
        &self,
        draft: &mut Draft<'_>,
        asset: AssetId,
        market: Option<MarketId>,
    ) -> Step<()> {
        let amount = draft.deficit(asset);
        if amount.is_zero() {
            return Ok(());
        }
        let market = market.filter(|m| draft.market(*m).is_some_and(|v| v.settlement == asset));
        let need = Need { cause: Cause::Deficit, market, asset, amount };
        let payers = match market {
            Some(m) => Candidates(self.payers(draft, m, None)?),
            None => Candidates(Vec::new()),
        };
        let settlement = self.ask(draft, &need, &payers)?;
        self.check_cash(&settlement, &need, &payers)?;
        for measure in settlement.measures {
            match measure {
                Measure::Haircut { payer, amount } => {
                    let market = market.ok_or(MathError::Overflow)?; // without one nobody was known
                    self.haircut(draft, payer, market, amount)?;
                }
                Measure::WriteDown { pool, amount } => {
                    // a pool bears no more than it has, in cash and in what it is owed; the rest stays open
                    let has = self.pool_assets(draft, pool, asset)?.max(0);
                    let amount = amount.get().min(has).min(draft.deficit(asset).get());
                    if amount > 0 {
                        self.burn_offers(draft, pool, amount)?;
                        let p = Posting::transfer(Holder::Pool(pool), DEFICIT, Item::Asset(asset), amount);
                        draft.post(Reason::WriteDown, p.into())?;
                    }
                }
                Measure::ShiftFunding { amount } => {
                    let market = market.ok_or(MathError::Overflow)?; // without one it was refused
                    self.shift_funding(draft, market, amount)?;
                }
                Measure::Carry { .. } | Measure::Close { .. } => {}
            }
        }
        self.observe_deficit(draft, asset)
    }

    /// Allocates what still waits to be, before a request: who would have to pay cannot leave first (INV-3). An allocation that
    /// fails stays in the queue.
    pub(crate) fn allocate_waiting(&self, draft: &mut Draft<'_>) -> Step<()> {
        for (key, work) in draft.state().allocations() {
            if let Work::Allocate { asset, market } = work {
                let _kept = draft.attempt(|d| {
                    d.record(Fact::WorkDone { key })?;
                    self.allocate(d, asset, Some(market))
                });
            }
        }
        Ok(())
    }

    pub(super) fn ask(&self, draft: &mut Draft<'_>, need: &Need, payers: &Candidates) -> Step<Settlement> {
        let at = draft.head().at;
        Ok(draft
            .with_memory(slots::ALLOCATION, |_, m| self.parts.allocation.allocate(at, need, payers, m))??)
    }

    /// What an allocation of a cash deficit must keep to: covered + residual = need, nobody pays more than its room (INV-26,
    /// INV-27), only pools that lend the asset are written down.
    fn check_cash(&self, settlement: &Settlement, need: &Need, payers: &Candidates) -> Step<()> {
        let mut sum = settlement.residual;
        let mut taken: BTreeMap<GroupId, i128> = BTreeMap::new();
        for measure in &settlement.measures {
            let amount = match *measure {
                Measure::Haircut { payer, amount } => {
                    let room = payers.get(payer).map_or(0, |p| p.room.min(p.gain).get());
                    let so_far = taken.entry(payer).or_insert(0);
                    *so_far = so_far.checked_add(amount.get()).ok_or(MathError::Overflow)?;
                    if *so_far > room {
                        return Err(StepError::Contract("a haircut beyond the payer's gain"));
                    }
                    amount
                }
                Measure::WriteDown { pool, amount } => match self.pool(pool).map(|(_, t)| &t.kind) {
                    Some(PoolKind::Lending { asset, .. }) if *asset == need.asset => amount,
                    Some(PoolKind::Trading { market, .. }) if self.settles(*market, need.asset) => amount,
                    _ => {
                        return Err(StepError::Contract(
                            "a write-down of a pool that neither lends the asset nor settles in it",
                        ));
                    }
                },
                Measure::ShiftFunding { .. } if need.market.is_none() => {
                    return Err(StepError::Contract("a shift of funding in no market"));
                }
                Measure::ShiftFunding { amount } | Measure::Carry { amount } => amount,
                Measure::Close { .. } => {
                    return Err(StepError::Contract("a close as the answer to a cash deficit"));
                }
            };
            if amount.get() <= 0 {
                return Err(StepError::Contract("a measure of nothing, or of less than nothing"));
            }
            sum = sum.checked_add(amount.get()).ok_or(MathError::Overflow)?;
        }
        if settlement.residual < 0 || sum != need.amount.get() {
            return Err(StepError::Contract("measures and residual of an allocation do not sum to the need"));
        }
        Ok(())
    }

    fn settles(&self, market: MarketId, asset: AssetId) -> bool {
        self.parts.markets.iter().any(|m| m.id == market && m.settlement == asset)
    }

    /// Holders in a market with what each could lose; for a close-out only those on the other side.
    fn payers(&self, draft: &Draft<'_>, market: MarketId, against: Option<Against>) -> Step<Vec<Payer>> {
        let (view, _) = self.market_terms(draft, market)?;
        let settlement = Self::asset_view(draft, view.settlement)?;
        let mut out = Vec::new();
        for group in draft.state().book.groups() {
            let Some(p) = draft.state().book.position(group, market) else { continue };
            // most holders drop out by what the book alone says; only the others are assessed
            let other_side = against.is_none_or(|a| p.lots.signum() != a.held.signum());
            let gains = view.scale.notional(p.lots, view.mark.mid)?.get() > p.cost.get();
            if p.lots.is_zero()
                || !other_side
                || (against.is_none() && !gains && !draft.touched(group) && p.snapshot == view.funding)
            {
                continue;
            }
            // one account that cannot be valued does not save the others from paying (INV-21)
            if let Ok(Some(payer)) = self.payer(draft, group, &view, &settlement, against) {
                out.push(payer);
            }
        }
        Ok(out)
    }

    pub(super) fn payer(
        &self,
        draft: &Draft<'_>,
        group: GroupId,
        view: &MarketView,
        settlement: &AssetView,
        against: Option<Against>,
    ) -> Step<Option<Payer>> {
        let mut holdings = Holdings::new();
        draft.view(group, &mut holdings)?;
        let held = holdings.group(group);
        let Some(p) = held.position(view.id).filter(|p| !p.lots.is_zero()) else { return Ok(None) };
        let worth = view.scale.notional(p.lots, view.mark.mid)?;
        let gain = worth.try_sub(p.cost)?.try_sub(p.funding)?;
        let health = self.parts.margin.assess(&held, draft)?;
        let slack = health.line(Level::Maintenance).map_or(0, |l| l.slack());
        let maintenance = health.line(Level::Maintenance).map_or(Quanta::ZERO, |l| l.demand);
        let maintenance = in_settlement(settlement, maintenance, Rounding::Up)?;
        let slack = in_settlement(settlement, Quanta::new(slack), Rounding::Down)?;
        let equity = in_settlement(settlement, health.equity, Rounding::Down)?;
        match against {
            Some(a) => {
                if a.of == group || p.lots.signum() == a.held.signum() {
                    return Ok(None);
                }
                // closed at that price it would owe: not one to close against
                let size = p.lots.try_abs()?.get().min(a.held.try_abs()?.get());
                let size = Lots::new(if p.lots.is_negative() { size.wrapping_neg() } else { size });
                let change = view.scale.notional(size, a.price.try_sub(view.mark.mid)?)?;
                if equity.try_add(change)?.is_negative() {
                    return Ok(None);
                }
            }
            None if gain.get() <= 0 => return Ok(None),
            None => {}
        }
        let down = |q: Quanta| atoms(settlement.scale, q, Rounding::Down).map(Amount::new);
        Ok(Some(Payer {
            group,
            lots: p.lots,
            gain: down(gain)?,
            equity: down(equity)?,
            notional: view.scale.absolute_notional(p.lots, view.mark.mid)?,
            cost: p.cost,
            room: down(gain.min(slack).positive_part())?,
            maintenance: Amount::new(atoms(settlement.scale, maintenance, Rounding::Up)?),
        }))
    }

    /// Cuts a winner's unrealised gain: its cost rises, and what the clearing account then holds too much pays the deficit.
    /// No balance of the winner is touched: principal stays (INV-26).
    fn haircut(&self, draft: &mut Draft<'_>, payer: GroupId, market: MarketId, amount: Amount) -> Step<()> {
        self.settle_funding(draft, payer, market)?;
        let (view, scale) = self.market_terms(draft, market)?;
        let cost = quanta(scale, amount.get())?;
        let mut postings = vec![
            Posting::position(Holder::Group(payer), market, 0, cost),
            Posting::position(UNSETTLED, market, 0, cost.try_neg()?),
        ];
        postings.extend(Posting::transfer(UNSETTLED, DEFICIT, Item::Asset(view.settlement), amount.get()));
        Ok(draft.post(Reason::Haircut, postings)?)
    }

    /// Closes a position that nobody took against holders of the other side, at a price.
    pub(crate) fn deleverage(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        market: MarketId,
        lots: Lots,
        price: Ticks,
    ) -> Step<()> {
        let (view, _) = self.market_terms(draft, market)?;
        closes(lots, draft.position(group, market).0)?;
        if price.get() <= 0 {
            return Err(StepError::Contract("a close-out at a price that is not above zero"));
        }
        let held = lots.try_neg()?;
        let need = Need {
            cause: Cause::CloseOut { of: group, lots: held, price },
            market: Some(market),
            asset: view.settlement,
            amount: Amount::ZERO,
        };
        let payers = Candidates(self.payers(draft, market, Some(Against { of: group, held, price }))?);
        let settlement = self.ask(draft, &need, &payers)?;
        let closes = check_closes(&settlement, (market, lots, price), &payers)?;
        if closes.is_empty() {
            draft.raise(Alarm::NobodyLeft { group, lots });
            return self.observe(draft, &Observation::Stranded { group, market, lots });
        }
        for (payer, ours) in closes {
            self.trade(draft, Reason::Deleverage, (group, payer), market, ours, price)?;
            let notional = view.scale.absolute_notional(ours, price)?;
            // a breaker that paces liquidations counts these as well, or the same step would come again at once
            let done = Action::Liquidate { group, market, lots: ours, notional };
            self.observe(draft, &Observation::Done(done))?;
            self.forced(draft, notional)?;
        }
        self.after_close(draft, group, market)
    }

    /// What nothing backs any more. Cash below zero becomes the house's deficit; a debt likewise, which makes its pool whole,
    /// and insurance and then the pool's own suppliers cover it in the same step: nobody can leave in between (INV-23).
    pub(crate) fn write_off(
        &self,
        draft: &mut Draft<'_>,
        holder: Holder,
        asset: AssetId,
        amount: Amount,
    ) -> Step<()> {
        let Holder::Group(group) = holder else {
            return Err(StepError::Contract("a loss of somebody who is no group"));
        };
        let account = draft.account(group);
        if account.balances().iter().any(|b| b.amount.get() > 0) || !account.positions().is_empty() {
            return Err(StepError::Contract("a loss while collateral is left"));
        }
        let cash = super::balance(&account, asset);
        if cash < 0 {
            if amount.get() <= 0 || amount.try_neg()?.get() < cash {
                return Err(StepError::Contract("a loss of nothing, or of more than is owed"));
            }
            return self.bankrupt(draft, group, None);
        }
        let scaled = super::lending::owed_scaled(draft, group, asset);
        let Some(pool) = self.lender(asset).filter(|_| scaled > 0) else {
            return Err(StepError::Contract("a loss without cash below zero and without a debt to a pool"));
        };
        let index = Self::asset_view(draft, asset)?.debt_index.get();
        let owed =
            cofferdam_core::wide::mul_div_unsigned(scaled.unsigned_abs(), index, cofferdam_core::RAY, true)?;
        let owed = i128::try_from(owed).map_err(|_| MathError::Overflow)?;
        if amount.get() <= 0 || amount.get() > owed {
            return Err(StepError::Contract("a loss of nothing, or of more than is owed"));
        }
        let mut p: Vec<Posting> =
            Posting::transfer(holder, Holder::Pool(pool), Item::Debt(asset), scaled).into();
        p.extend(Posting::transfer(DEFICIT, Holder::Pool(pool), Item::Asset(asset), owed));
        draft.post(Reason::BadDebt, p)?;
        self.insure(draft, asset, Amount::new(owed), (LossCause::BadDebt, Some(group)), None)
    }

    /// The pool that lends an asset.
    pub(crate) fn lender(&self, asset: AssetId) -> Option<PoolId> {
        let lends =
            |p: &&crate::PoolTerms| matches!(p.kind, PoolKind::Lending { asset: a, .. } if a == asset);
        self.parts.pools.iter().find(lends).map(|p| p.id)
    }

    /// An allocation inside another step: one that fails leaves the deficit open with an alarm, and the step goes on.
    fn allocate_or_carry(&self, draft: &mut Draft<'_>, asset: AssetId) -> Step<()> {
        if let Err(e) = draft.attempt(|d| self.allocate(d, asset, None)) {
            draft.raise(Alarm::Failed { what: e.to_string() });
        }
        Ok(())
    }
}

/// Refuses lots that do not close, or close more than is held.
pub(super) fn closes(lots: Lots, held: Lots) -> Step<()> {
    if lots.is_zero() || lots.signum() == held.signum() || lots.try_abs()? > held.try_abs()? {
        return Err(StepError::Contract("a plan closes more than is held, or adds to it"));
    }
    Ok(())
}

fn check_waterfall(answer: &Waterfall, standings: &[Standing], loss: Quanta) -> Step<()> {
    let mut paid = Quanta::ZERO;
    let mut of_layer: BTreeMap<LayerId, Quanta> = BTreeMap::new();
    for draw in &answer.draws {
        let drawn = of_layer.entry(draw.layer).or_insert(Quanta::ZERO);
        *drawn = drawn.try_add(draw.amount)?;
        let standing = standings.iter().find(|s| s.layer == draw.layer);
        if draw.amount.get() <= 0 || standing.is_none_or(|s| *drawn > s.capacity) {
            return Err(StepError::Contract("a waterfall drew nothing, or more than a layer's capacity"));
        }
        paid = paid.try_add(draw.amount)?;
    }
    if answer.residual.is_negative() || paid.try_add(answer.residual)? != loss {
        return Err(StepError::Contract("draws and residual of a waterfall do not sum to the loss"));
    }
    Ok(())
}

/// Whom a close-out is closed against, and the lots that the closed account trades with each.
fn check_closes(
    settlement: &Settlement,
    (market, lots, price): (MarketId, Lots, Ticks),
    payers: &Candidates,
) -> Step<Vec<(GroupId, Lots)>> {
    let mut sum = settlement.residual;
    let mut taken: BTreeMap<GroupId, Lots> = BTreeMap::new();
    let mut out = Vec::new();
    for measure in &settlement.measures {
        let Measure::Close { payer, market: m, lots: theirs, price: p } = *measure else {
            return Err(StepError::Contract("a close-out answered with cash"));
        };
        let Some(known) = payers.get(payer).filter(|_| m == market && p == price) else {
            return Err(StepError::Contract("a close-out with a stranger, or at another price"));
        };
        let all = taken.entry(payer).or_insert(Lots::ZERO);
        *all = all.try_add(theirs)?;
        closes(theirs, known.lots)?;
        closes(*all, known.lots)?;
        if theirs.signum() == lots.signum() {
            return Err(StepError::Contract("a close-out on the same side"));
        }
        sum = sum.checked_add(i128::from(theirs.try_abs()?.get())).ok_or(MathError::Overflow)?;
        out.push((payer, theirs.try_neg()?));
    }
    if settlement.residual < 0 || sum != i128::from(lots.try_abs()?.get()) {
        return Err(StepError::Contract("closes and residual of a close-out do not sum to its lots"));
    }
    Ok(out)
}
