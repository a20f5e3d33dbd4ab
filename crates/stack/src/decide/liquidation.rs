//! Who fell below maintenance, what is planned for them, and what a forced trade leaves behind.

use super::clearing::{atoms, in_settlement};
use super::exchange::check_move;
use super::loss::{DEFICIT, closes};
use super::{Step, StepError, refuse};
use crate::{
    Alarm, Effect, EventMark, Fact, Order, PoolKind, Reason, RiskStack, Work, draft::Draft, stack::slots,
    store::Store,
};
use cofferdam_core::{
    Action, ActionKind, Amount, AssetId, AuctionView, Case, GroupId, Health, Holder, House, Instrument, Item,
    LayerId, Level, Lots, MarketId, MathError, Millis, Observation, OrderId, Posting, Ppb, Quanta, Rounding,
    Ticks, Verdict, World,
};
use cofferdam_insurance_layer::{Loss, LossCause};
use cofferdam_liquidation_strategy::{Bid, Penalty, Plan, Refusal, Step as Move};
use cofferdam_margin_engine::{Holdings, MarginError};
use std::collections::BTreeSet;

impl RiskStack {
    /// Finds the groups below maintenance among those named, and queues each, worst first: a total order that does not depend
    /// on who was named when (INV-46).
    pub(crate) fn sweep(&self, draft: &mut Draft<'_>, named: &[GroupId]) -> Step<()> {
        let mut below: Vec<(GroupId, Health)> = Vec::new();
        // in ascending order, whatever order the index named them in
        for group in &named.iter().copied().collect::<BTreeSet<GroupId>>() {
            match self.health(draft, *group) {
                Ok(h) if h.below(Level::Maintenance) => below.push((*group, h)),
                // without a price there is no health, and nobody is liquidated on a guess
                Ok(_) | Err(StepError::Margin(MarginError::NoPrice(_))) => {}
                // one account that cannot be valued does not stop the liquidation of others (INV-21)
                Err(e) => draft.raise(Alarm::Failed { what: format!("health of group {group}: {e}") }),
            }
        }
        below.sort_by(|(a, x), (b, y)| x.worst_first(y).then(a.cmp(b)));
        for (group, _) in below {
            draft.schedule(Millis::ZERO, Work::Liquidate { group })?;
        }
        Ok(())
    }

    pub(crate) fn liquidate(&self, draft: &mut Draft<'_>, group: GroupId) -> Step<()> {
        if draft.has_orders(group) {
            return Ok(()); // asked again when they are answered
        }
        self.settle_all_funding(draft, group)?;
        match self.plan(draft, group, &Bid::ENGINE)? {
            Ok(plan) => self.carry_out(draft, group, plan),
            Err(Refusal::NotBefore { time }) => Ok(draft.schedule(time, Work::Liquidate { group })?),
            Err(Refusal::Nothing) => self.close_out(draft, group),
            Err(_) => Ok(()),
        }
    }

    /// Asks the strategy for a plan. Errors where the price's state does not permit liquidation.
    pub(crate) fn plan(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        bid: &Bid,
    ) -> Step<Result<Plan, Refusal>> {
        self.plan_about(draft, group, bid, None)
    }

    /// The same, about an auction of what was taken out of the group.
    pub(crate) fn plan_about(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        bid: &Bid,
        auction: Option<AuctionView>,
    ) -> Step<Result<Plan, Refusal>> {
        let account = draft.account(group);
        let mut holdings = Holdings::new();
        account.view(draft, &mut holdings)?;
        let health = match self.parts.margin.assess(&holdings.group(group), draft) {
            Ok(h) => h,
            Err(MarginError::NoPrice(_)) => return Ok(Err(Refusal::Healthy)),
            Err(e) => return Err(e.into()),
        };
        if account
            .positions()
            .iter()
            .any(|p| self.require_price(draft, ActionKind::Liquidate, Instrument::Market(p.market)).is_err())
        {
            return Ok(Err(Refusal::Healthy)); // the next price asks again
        }
        let (allowed, limits) = self.allowed(draft, group, &holdings)?;
        let cover = self.cover_of(draft, &holdings.group(group))?;
        let next_auction = self.next_auction(draft)?;
        let at = draft.head().at;
        let planned = draft
            .with_memory(slots::LIQUIDATION, |d, m| {
                let what_if = |postings: &[Posting]| self.what_if(d, group, postings);
                let case = Case {
                    at,
                    group: holdings.group(group),
                    health,
                    world: d,
                    allowed,
                    cover,
                    auction,
                    next_auction,
                    what_if: &what_if,
                    totals: &|pool, collateral| self.totals(d, pool, collateral),
                };
                self.parts.liquidation.plan(&case, bid, m)
            })?
            .map_err(StepError::from)?;
        if let Some(breaker) = limits.filter(|_| was_cut(&planned, allowed.allowed(at.time))) {
            draft.record(Fact::Event(EventMark::Limited { breaker }))?;
        }
        Ok(planned)
    }

    pub(crate) fn what_if(
        &self,
        draft: &Draft<'_>,
        group: GroupId,
        postings: &[Posting],
    ) -> Result<Health, MathError> {
        let overflow = |_| MathError::Overflow;
        let mut account = draft.account(group).into_owned();
        for p in postings.iter().filter(|p| p.holder == Holder::Group(group)) {
            let funding = match p.item {
                Item::Position(m) => {
                    draft.market(m).map_or(cofferdam_core::FundingIndex::ZERO, |v| v.funding)
                }
                _ => cofferdam_core::FundingIndex::ZERO,
            };
            account.apply(p.item, p.units, p.cost, funding).map_err(overflow_book)?;
        }
        let mut holdings = Holdings::new();
        account.view(draft, &mut holdings).map_err(overflow)?;
        self.parts.margin.assess(&holdings.group(group), draft).map_err(overflow)
    }

    /// What the breakers allow to be closed of the group's largest position, and which of them allows less than all.
    fn allowed(
        &self,
        draft: &Draft<'_>,
        group: GroupId,
        holdings: &Holdings,
    ) -> Step<(Verdict, Option<u32>)> {
        let mut largest: Option<(Quanta, MarketId, Lots)> = None;
        for p in holdings.group(group).positions {
            let (view, _) = self.market_terms(draft, p.market)?;
            let notional = view.scale.absolute_notional(p.lots, view.mark.mid)?;
            if largest.is_none_or(|(n, _, _)| notional > n) {
                largest = Some((notional, p.market, p.lots));
            }
        }
        match largest {
            Some((notional, market, lots)) => {
                self.strictest(draft, &Action::Liquidate { group, market, lots: lots.try_neg()?, notional })
            }
            None => Ok((Verdict::ALLOW, None)),
        }
    }

    fn carry_out(&self, draft: &mut Draft<'_>, group: GroupId, plan: Plan) -> Step<()> {
        let mut again = plan.again;
        for step in plan.steps {
            match step {
                Move::Order { market, lots, limit, penalty, expires } => {
                    if let Some(time) = self.order(draft, group, (market, lots, limit), penalty, expires)? {
                        again = Some(again.map_or(time, |t| t.min(time)));
                    }
                }
                Move::Trade { market, lots, with, limit, penalty } => {
                    self.forced_pool_trade(draft, group, (market, lots, limit), with, penalty)?;
                }
                Move::Stake { .. } => return Err(StepError::Contract("a stake where no keeper asked")),
                Move::Take { .. } | Move::Cover { .. } => {
                    return Err(StepError::Contract("lots, or insurance, for a keeper where none asked"));
                }
                Move::Auction { asset, lot, debt, scaled } => {
                    self.open_auction(draft, group, (asset, lot), (debt, scaled))?;
                }
                Move::Move(postings) => self.takeover(draft, group, postings)?,
                Move::Bands(bands) => Self::set_bands(draft, group, bands)?,
                Move::Deleverage { market, lots, price } => {
                    self.deleverage(draft, group, market, lots, price)?
                }
                Move::Loss { holder, asset, amount } => self.write_off(draft, holder, asset, amount)?,
                Move::Offset { pool, asset, amount, debt, scaled } => {
                    let value = self.worth(draft, asset, amount)?;
                    self.offset(draft, group, pool, (asset, amount), (debt, scaled))?;
                    self.forced(draft, value)?;
                }
                Move::Redistribute { asset, amount, debt, scaled } => {
                    let value = self.worth(draft, asset, amount)?;
                    self.redistribute(draft, group, (asset, amount), (debt, scaled))?;
                    self.forced(draft, value)?;
                }
            }
        }
        match again {
            Some(time) => Ok(draft.schedule(time, Work::Liquidate { group })?),
            None => Ok(()),
        }
    }

    /// Places an order, cut to what the breakers allow of it now. Answers when the rest may be asked for.
    fn order(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        (market, lots, limit): (MarketId, Lots, Ticks),
        penalty: Penalty,
        expires: Millis,
    ) -> Step<Option<Millis>> {
        let (held, _) = draft.position(group, market);
        // lots of orders that are still open are reserved
        closes(lots.try_add(draft.ordered(group, market)?)?, held)?;
        closes(lots, held)?;
        let (view, _) = self.market_terms(draft, market)?;
        let notional = view.scale.absolute_notional(lots, view.mark.mid)?;
        let (verdict, limits) =
            self.strictest(draft, &Action::Liquidate { group, market, lots, notional })?;
        if let Some(breaker) = limits {
            draft.record(Fact::Event(EventMark::Limited { breaker }))?; // the plan looked at another position
        }
        let allowed = verdict.allowed(draft.now());
        let size = u128::from(lots.get().unsigned_abs()).min(allowed);
        let size = i64::try_from(size).map_err(|_| MathError::Overflow)?;
        if size == 0 {
            return Ok(Some(verdict.not_before.max(Millis(draft.now().0.saturating_add(1)))));
        }
        let cut = Lots::new(if lots.is_negative() { size.wrapping_neg() } else { size });
        let id = OrderId(draft.head().next_order);
        draft.record(Fact::OrderPlaced(Order {
            id,
            group,
            market,
            lots: cut,
            limit,
            expires,
            penalty_rate: penalty.rate,
            penalty_to_insurance: to_insurance(&penalty)?,
        }))?;
        draft.effects.push(Effect::Order { order: id, group, market, lots: cut, limit, expires });
        let notional = view.scale.absolute_notional(cut, view.mark.mid)?;
        self.observe(draft, &Observation::Done(Action::Liquidate { group, market, lots: cut, notional }))?;
        Ok(None)
    }

    fn forced_pool_trade(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        (market, lots, limit): (MarketId, Lots, Ticks),
        pool: cofferdam_core::PoolId,
        penalty: Penalty,
    ) -> Step<()> {
        match self.pool(pool).map(|(_, t)| &t.kind) {
            Some(PoolKind::Trading { market: m, .. }) if *m == market => {}
            _ => return Err(StepError::Contract("a trade with a pool that does not trade in the market")),
        }
        closes(lots, draft.position(group, market).0)?;
        let filled = self.pool_trade(draft, Reason::Liquidation, group, pool, lots, limit)?;
        if filled.is_zero() {
            return Ok(());
        }
        let (view, _) = self.market_terms(draft, market)?;
        let notional = view.scale.absolute_notional(filled, view.mark.mid)?;
        self.observe(draft, &Observation::Done(Action::Liquidate { group, market, lots: filled, notional }))?;
        self.forced(draft, notional)?;
        self.charge(draft, group, market, notional, &penalty)?;
        self.after_close(draft, group, market)
    }

    /// After a fill of a forced order: the event, the penalty, and what is left of the account.
    pub(crate) fn after_forced(
        &self,
        draft: &mut Draft<'_>,
        order: &Order,
        lots: Lots,
        price: Ticks,
    ) -> Step<()> {
        let (view, _) = self.market_terms(draft, order.market)?;
        let notional = view.scale.absolute_notional(lots, price)?;
        self.forced(draft, notional)?;
        let penalty = Penalty {
            rate: order.penalty_rate,
            to_insurance: order.penalty_to_insurance,
            ..Penalty::default()
        };
        self.charge(draft, order.group, order.market, notional, &penalty)?;
        if draft.has_orders(order.group) {
            return Ok(());
        }
        self.after_close(draft, order.group, order.market)
    }

    pub(crate) fn after_close(&self, draft: &mut Draft<'_>, group: GroupId, market: MarketId) -> Step<()> {
        if draft.account(group).positions().is_empty() {
            return self.bankrupt(draft, group, Some(market));
        }
        match self.health(draft, group) {
            Ok(h) if h.below(Level::Maintenance) => {
                Ok(draft.schedule(Millis::ZERO, Work::Liquidate { group })?)
            }
            // without a price the next one asks
            Ok(_) | Err(StepError::Margin(MarginError::NoPrice(_))) => Ok(()),
            Err(e) => Err(e),
        }
    }

    /// Charges a penalty: rounded up, never more than the account's equity or cash; split between insurance, keeper and house.
    pub(crate) fn charge(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        market: MarketId,
        notional: Quanta,
        penalty: &Penalty,
    ) -> Step<()> {
        let (view, scale) = self.market_terms(draft, market)?;
        let asset = view.settlement;
        let cash = draft.balance(group, asset);
        let equity = match self.health(draft, group) {
            Ok(h) => {
                let settlement = *draft.asset(asset).ok_or(MarginError::UnknownAsset(asset))?;
                cash.min(atoms(scale, in_settlement(&settlement, h.equity, Rounding::Down)?, Rounding::Down)?)
            }
            // what an account can bear is not known without a price: the house forgoes its penalty
            Err(StepError::Margin(MarginError::NoPrice(_))) => 0,
            Err(e) => return Err(e),
        };
        let asked = atoms(scale, penalty.on(notional)?, Rounding::Up)?;
        let total = asked.min(equity);
        if total <= 0 {
            return Ok(());
        }
        let keeper = penalty
            .keeper
            .map(|k| Ok::<_, StepError>((k, penalty.to_keeper.of_units(total, Rounding::Down)?)))
            .transpose()?;
        let insurance = to_insurance(penalty)?.of_units(total, Rounding::Down)?;
        let mut shares: Vec<(Holder, i128)> = Vec::new();
        for layer in &self.parts.layers {
            shares.push((Holder::Layer(layer.id), layer.contribution.of_units(insurance, Rounding::Down)?));
        }
        if let Some((k, share)) = keeper {
            shares.push((Holder::Group(k), share));
        }
        // what the shares leave is the house's; composition keeps them within one whole, and each is rounded down
        let rest = shares.iter().try_fold(total, |rest, (_, x)| rest.checked_sub(*x));
        shares.push((Holder::House(House::Fees), rest.ok_or(MathError::Overflow)?));
        let postings = shares
            .into_iter()
            .filter(|(_, x)| *x > 0)
            .flat_map(|(to, x)| Posting::transfer(Holder::Group(group), to, Item::Asset(asset), x))
            .collect();
        Ok(draft.post(Reason::Penalty, postings)?)
    }

    /// A backstop takes positions (and what backs them) over. Whoever receives must be healthy after it, or nothing moves.
    fn takeover(&self, draft: &mut Draft<'_>, group: GroupId, postings: Vec<Posting>) -> Step<()> {
        check_move(draft, group, &postings)?;
        let before: Vec<(MarketId, Lots)> =
            draft.account(group).positions().iter().map(|p| (p.market, p.lots)).collect();
        let mut recipients: Vec<GroupId> = postings
            .iter()
            .filter_map(|p| match p.holder {
                Holder::Group(g) if g != group => Some(g),
                _ => None,
            })
            .collect();
        recipients.sort_unstable();
        recipients.dedup();
        let mut trial = Vec::new();
        for g in &recipients {
            for (m, _) in &before {
                self.settle_funding(draft, *g, *m)?;
            }
            let health = self.what_if(draft, *g, &postings)?;
            if health.below(Level::Maintenance) {
                trial.push(*g);
            }
        }
        if let Some(g) = trial.first() {
            draft.effects.push(Effect::Raise(Alarm::UnfitRecipient { group: *g }));
            return self.close_out(draft, group);
        }
        draft.post(Reason::Takeover, postings)?;
        for (market, lots) in before {
            let (view, _) = self.market_terms(draft, market)?;
            let moved = lots.try_sub(draft.position(group, market).0)?;
            if !moved.is_zero() {
                let notional = view.scale.absolute_notional(moved, view.mark.mid)?;
                let lots = moved.try_neg()?;
                let done = Action::Liquidate { group, market, lots, notional };
                self.observe(draft, &Observation::Done(done))?;
                self.forced(draft, notional)?;
            }
        }
        Ok(())
    }

    /// Nobody takes the position any more: it is closed against winners at its bankruptcy price.
    fn close_out(&self, draft: &mut Draft<'_>, group: GroupId) -> Step<()> {
        let positions: Vec<(MarketId, Lots)> =
            draft.account(group).positions().iter().map(|p| (p.market, p.lots)).collect();
        if positions.is_empty() {
            return self.bankrupt(draft, group, None);
        }
        for (market, lots) in positions {
            let (view, _) = self.market_terms(draft, market)?;
            let asset = view.settlement;
            let settlement = *draft.asset(asset).ok_or(MarginError::UnknownAsset(asset))?;
            let equity = in_settlement(&settlement, self.health(draft, group)?.equity, Rounding::Down)?;
            let price = bankruptcy_price(&view, lots, equity)?;
            self.deleverage(draft, group, market, lots.try_neg()?, price)?;
        }
        Ok(())
    }

    /// What an account that holds no position any more owes in cash becomes the house's deficit, and insurance is asked. Where
    /// it still has other collateral it goes on owing as much as that is worth: only what nothing covers is lost (INV-22), and
    /// an atom of something else cannot keep a loss from being booked (INV-21).
    pub(crate) fn bankrupt(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        market: Option<MarketId>,
    ) -> Step<()> {
        let account = draft.account(group);
        let owed: Vec<_> = account.balances().iter().filter(|b| b.amount.is_negative()).copied().collect();
        if !account.positions().is_empty() || owed.is_empty() {
            return Ok(());
        }
        let backed = account.balances().iter().any(|b| b.amount.get() > 0);
        let mut uncovered = None;
        if backed {
            let health = match self.health(draft, group) {
                Ok(h) => h,
                Err(StepError::Margin(MarginError::NoPrice(_))) => return Ok(()),
                Err(e) => return Err(e),
            };
            if health.below(Level::Maintenance) {
                draft.raise(Alarm::Unsold { group });
            }
            if !health.equity.is_negative() {
                return Ok(());
            }
            uncovered = Some(health.equity.try_neg()?);
        }
        for b in owed {
            let mut missing = b.amount.try_neg()?;
            if let Some(left) = uncovered {
                let view = *draft.asset(b.asset).ok_or(MarginError::UnknownAsset(b.asset))?;
                missing = missing.min(view.scale.amount(left, view.price.mid, Rounding::Up)?);
                let value = view.scale.value(missing, view.price.mid, Rounding::Down)?;
                uncovered = Some(left.try_sub(value)?.positive_part());
            }
            if missing.get() > 0 {
                let p = Posting::transfer(DEFICIT, Holder::Group(group), Item::Asset(b.asset), missing.get());
                draft.post(Reason::BadDebt, p.into())?;
                let market = self.market_of(b.asset, market);
                self.insure(draft, b.asset, missing, (LossCause::Bankruptcy, Some(group)), market)?;
            }
        }
        Ok(())
    }

    /// Insurance pays into an account, all that is asked or nothing, so that a keeper can buy back what it owes.
    pub(crate) fn cover_owed(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        asset: AssetId,
        amount: Amount,
    ) -> Step<()> {
        if amount.get() <= 0 {
            return Err(StepError::Contract("insurance was to pay nothing"));
        }
        let view = *draft.asset(asset).ok_or(MarginError::UnknownAsset(asset))?;
        let account = draft.account(group);
        let mut holdings = Holdings::new();
        account.view(draft, &mut holdings)?;
        let cover = self.cover_of(draft, &holdings.group(group))?;
        if !view.price.is_usable() || view.scale.value(amount, view.price.mid, Rounding::Up)? > cover {
            return Err(StepError::Contract("insurance was to pay more than it has"));
        }
        let open = draft.deficit(asset);
        let p = Posting::transfer(DEFICIT, Holder::Group(group), Item::Asset(asset), amount.get());
        draft.post(Reason::BadDebt, p.into())?;
        self.insure(draft, asset, amount, (LossCause::BadDebt, Some(group)), None)?;
        if draft.deficit(asset) > open {
            return Err(StepError::Contract("insurance paid less than it was asked for"));
        }
        Ok(())
    }

    /// What all layers together could pay now, in quanta.
    pub(crate) fn cover(&self, draft: &Draft<'_>) -> Step<Quanta> {
        let mut sum = Quanta::ZERO;
        for layer in &self.parts.layers {
            sum = sum.try_add(self.standing(draft, layer.id, None)?.map_or(Quanta::ZERO, |s| s.capacity))?;
        }
        Ok(sum)
    }

    /// What the programme would pay of a loss as large as all layers, in the market of the group's largest position: a pool that
    /// is isolated covers its own market only.
    fn cover_of(&self, draft: &Draft<'_>, group: &cofferdam_core::GroupView<'_>) -> Step<Quanta> {
        let all = self.cover(draft)?;
        let mut largest: Option<(Quanta, MarketId)> = None;
        for p in group.positions {
            let (view, _) = self.market_terms(draft, p.market)?;
            let notional = view.scale.absolute_notional(p.lots, view.mark.mid)?;
            if largest.is_none_or(|(n, _)| notional > n) {
                largest = Some((notional, p.market));
            }
        }
        let Some((_, market)) = largest.filter(|_| all.get() > 0) else { return Ok(all) };
        let asset = self.market_terms(draft, market)?.0.settlement;
        let event = draft.head().event;
        let loss = Loss {
            event: event.map(|e| e.id),
            of: Some(group.id),
            market: Some(market),
            asset,
            cause: LossCause::Bankruptcy,
            amount: all,
            event_before: event.map_or(Quanta::ZERO, |e| e.losses),
            total_before: draft.head().losses_total,
        };
        let mut standings = Vec::new();
        for layer in &self.parts.layers {
            standings.extend(self.standing(draft, layer.id, Some(asset))?);
        }
        // a waterfall that fails covers nothing; what it draws is checked where it is drawn
        let residual = self.parts.waterfall.allocate(&loss, &standings).map_or(all, |w| w.residual);
        Ok(all.try_sub(residual)?.positive_part().min(all))
    }

    pub(crate) fn known_layer(&self, id: LayerId) -> bool {
        self.parts.layers.iter().any(|l| l.id == id)
    }
}

/// Whether a plan took all that the breakers allowed, which was less than there was to take, or has to wait for them.
fn was_cut(planned: &Result<Plan, Refusal>, allowed: u128) -> bool {
    match planned {
        Ok(plan) if allowed == 0 => plan.again.is_some(),
        Ok(plan) => plan.steps.iter().any(|step| match step {
            Move::Order { lots, .. } | Move::Trade { lots, .. } | Move::Take { lots, .. } => {
                u128::from(lots.get().unsigned_abs()) >= allowed
            }
            _ => false,
        }),
        Err(Refusal::NotBefore { .. }) => allowed == 0,
        Err(_) => false,
    }
}

fn overflow_book(_: cofferdam_margin_engine::BookError) -> MathError {
    MathError::Overflow
}

/// The insurance layers' share of a penalty; without a keeper the keeper's share is theirs as well.
fn to_insurance(penalty: &Penalty) -> Step<Ppb> {
    if penalty.keeper.is_some() {
        return Ok(penalty.to_insurance);
    }
    let sum = penalty.to_insurance.0.checked_add(penalty.to_keeper.0);
    Ok(Ppb(sum.ok_or(MathError::Overflow)?.min(Ppb::ONE.0)))
}

/// The price at which closing `lots` leaves nothing: mark - equity / (lots x k), the steps rounded towards the mark, so that
/// rounding never leaves the account with less than nothing; at least one tick.
fn bankruptcy_price(view: &cofferdam_core::MarketView, lots: Lots, equity: Quanta) -> Step<Ticks> {
    let per_tick = view.scale.absolute_notional(lots, Ticks::ONE)?;
    if per_tick.is_zero() {
        return refuse(crate::Rejection::OutOfRange);
    }
    // equity above zero moves the price away from the mark, and below zero past it: down is against the taker in both
    let steps = cofferdam_core::wide::div(equity.get(), per_tick.get(), Rounding::Down)?;
    let mark = i128::from(view.mark.mid.get());
    let price = if lots.is_negative() { mark.checked_add(steps) } else { mark.checked_sub(steps) };
    let price = price.ok_or(MathError::Overflow)?.max(1);
    Ok(Ticks::new(i64::try_from(price).map_err(|_| MathError::Overflow)?))
}
