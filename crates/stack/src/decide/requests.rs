//! Requests: granted whole or refused; a refusal changes nothing.

use super::{Step, refuse};
use crate::{
    Body, Effect, Fact, Named, OrderOutcome, PoolKind, Reason, Rejection, RiskStack, Work, draft::Draft,
    store::Store,
};
use cofferdam_core::{
    Action, ActionKind, Amount, AssetId, Case, GroupId, Holder, Instrument, Item, Level, Lots, MarketId,
    Millis, Observation, Posting, Quanta, Rounding, Ticks, Verdict, World,
};
use cofferdam_margin_engine::{Account, Holdings};

/// Whether an account has nothing that a price could make it owe: no position, no debt, no balance below zero.
fn owes_nothing(account: &Account) -> bool {
    account.positions().is_empty()
        && account.debts().is_empty()
        && !account.balances().iter().any(|b| b.amount.is_negative())
}

pub(crate) fn malformed<T>(field: &str, accepted: &str) -> Step<T> {
    refuse(Rejection::Malformed { field: field.into(), accepted: accepted.into() })
}

impl RiskStack {
    pub(crate) fn request(&self, draft: &mut Draft<'_>, body: &Body) -> Step<()> {
        self.request_alone(draft, body)?;
        self.mark_books(draft)?;
        self.require_backed(draft)
    }

    fn request_alone(&self, draft: &mut Draft<'_>, body: &Body) -> Step<()> {
        match *body {
            Body::Withdraw { group, asset, amount } => self.withdraw(draft, group, asset, amount),
            Body::Trade { taker, maker, market, lots, price } => {
                self.trade_request(draft, taker, maker, market, lots, price)
            }
            Body::PoolTrade { taker, market, lots, limit } => {
                self.pool_request(draft, taker, market, lots, limit)
            }
            Body::Supply { group, pool, amount } => self.supply(draft, group, pool, amount),
            Body::Redeem { group, pool, shares } => self.redeem(draft, group, pool, shares),
            Body::Borrow { group, pool, amount } => self.borrow(draft, group, pool, amount),
            Body::Repay { group, pool, amount } => self.repay(draft, group, pool, amount),
            Body::Match { order, lots, price, counterparty } => {
                self.match_order(draft, order, lots, price, counterparty)
            }
            Body::Take { keeper, group, market, lots, limit } => {
                self.take_request(draft, keeper, group, (market, lots, limit))
            }
            Body::AuctionBid { keeper, auction, want, pay } => {
                self.auction_bid(draft, keeper, auction, want, pay)
            }
            Body::AuctionReset { keeper, auction } => self.auction_reset(draft, keeper, auction),
            Body::Deleverage { keeper, group, market, lots } => {
                self.deleverage_request(draft, keeper, group, (market, lots))
            }
            Body::Bid { keeper, group, debt, repay, collateral, at_least } => {
                self.bid(draft, keeper, group, (debt, repay), (collateral, at_least))
            }
            Body::BidAcross { keeper, debt, repay, collateral, at_least } => {
                self.bid_across(draft, keeper, (debt, repay), (collateral, at_least))
            }
            Body::Exchange { trader, group, give, amount, want, at_least } => {
                self.exchange_request(draft, (trader, group), (give, amount), (want, at_least))
            }
            Body::Offer { group, pool, amount, price } => self.offer(draft, group, pool, amount, price),
            Body::Kick { keeper, group } => self.kick(draft, keeper, group),
            _ => Ok(()),
        }
    }

    /// What an amount is worth, rounded up: what a budget for ways out is charged.
    pub(crate) fn worth(&self, draft: &Draft<'_>, asset: AssetId, amount: Amount) -> Step<Quanta> {
        let Some(view) = draft.asset(asset) else {
            return refuse(Rejection::Unknown { what: Named::Asset, id: asset.0 });
        };
        Ok(view.scale.value(amount, view.price.high, Rounding::Up)?)
    }

    /// Refuses when a group's health is below a level. A group without positions and debts needs no price at all (INV-35).
    pub(crate) fn require_health(&self, draft: &Draft<'_>, group: GroupId, level: Level) -> Step<()> {
        let account = draft.account(group);
        if owes_nothing(&account) {
            return Ok(());
        }
        let health = self.health(draft, group)?;
        match health.line(level).or_else(|| health.line(Level::Initial)) {
            Some(l) if l.support < l.demand => {
                refuse(Rejection::Margin { group, support: l.support, demand: l.demand })
            }
            _ => Ok(()),
        }
    }

    fn withdraw(&self, draft: &mut Draft<'_>, group: GroupId, asset: AssetId, amount: Amount) -> Step<()> {
        if amount.get() <= 0 {
            return malformed("amount", "above zero");
        }
        let account = draft.account(group);
        let available = draft.balance(group, asset);
        if available < amount.get() {
            return refuse(Rejection::Insufficient { available: Amount::new(available.max(0)) });
        }
        let free = owes_nothing(&account);
        if !free {
            self.require_price(draft, ActionKind::Withdraw, Instrument::Asset(asset))?;
        }
        let action = Action::Withdraw { group, asset, amount, value: self.worth(draft, asset, amount)? };
        self.require_admitted(draft, &action)?;
        let p = Posting::transfer(Holder::Group(group), Holder::Outside, Item::Asset(asset), amount.get());
        draft.post(Reason::Withdrawal, p.into())?;
        self.require_floors(draft, group, Some(asset))?;
        self.place(draft, group, ActionKind::Withdraw)?;
        self.require_health(draft, group, Level::Withdraw)?;
        self.observe(draft, &Observation::Done(action))
    }

    /// What a trade is to one side: opening where it adds to a position or turns it round, else reducing.
    pub(crate) fn action_of(
        draft: &Draft<'_>,
        group: GroupId,
        market: MarketId,
        lots: Lots,
        notional: Quanta,
    ) -> Step<Action> {
        let (have, _) = draft.position(group, market);
        let after = have.try_add(lots)?;
        let reduces = have.signum() != 0
            && have.signum() != lots.signum()
            && (after.is_zero() || after.signum() == have.signum());
        Ok(if reduces {
            Action::Reduce { group, market, lots, notional }
        } else {
            Action::Open { group, market, lots, notional }
        })
    }

    fn trade_request(
        &self,
        draft: &mut Draft<'_>,
        taker: GroupId,
        maker: GroupId,
        market: MarketId,
        lots: Lots,
        price: Ticks,
    ) -> Step<()> {
        if taker == maker {
            return malformed("maker", "another group than the taker");
        }
        if lots.is_zero() {
            return malformed("lots", "not zero");
        }
        if price.get() <= 0 {
            return malformed("price", "above zero");
        }
        let Some(view) = draft.market(market).copied() else {
            return refuse(Rejection::Unknown { what: Named::Market, id: market.0 });
        };
        let notional = view.scale.absolute_notional(lots, price)?;
        let sides = [
            Self::action_of(draft, taker, market, lots, notional)?,
            Self::action_of(draft, maker, market, lots.try_neg()?, notional)?,
        ];
        for action in &sides {
            self.require_price(draft, action.kind(), Instrument::Market(market))?;
            self.require_admitted(draft, action)?;
        }
        self.require_guards(draft, taker, market, lots, price)?;
        self.require_guards(draft, maker, market, lots.try_neg()?, price)?;
        let before = [self.slack(draft, taker)?, self.slack(draft, maker)?];
        Self::take_orders_back(draft, taker, market, lots)?;
        Self::take_orders_back(draft, maker, market, lots.try_neg()?)?;
        self.trade(draft, Reason::Trade, (taker, maker), market, lots, price)?;
        for ((action, group), before) in sides.iter().zip([taker, maker]).zip(before) {
            self.require_after(draft, action.kind(), group, before)?;
        }
        let past = price.get().cmp(&view.mark.mid.get());
        let taker_loses = if lots.is_negative() { past.is_lt() } else { past.is_gt() };
        let loser = if taker_loses { taker } else { maker };
        if past.is_ne() {
            self.require_own_loss(draft, loser)?;
        }
        for action in sides {
            self.observe(draft, &Observation::Done(action))?;
        }
        Self::settle_owing(draft, taker)?;
        Self::settle_owing(draft, maker)
    }

    /// Orders reserve the lots that they are to close. Who closes more than is left by its own will takes its orders back: closing
    /// the same lots twice would turn the account round, and the way out is not closed to whoever is being liquidated (INV-35).
    /// Should the venue fill one all the same, its lots go to suspense with an alarm.
    fn take_orders_back(draft: &mut Draft<'_>, group: GroupId, market: MarketId, lots: Lots) -> Step<()> {
        if !draft.has_orders(group) {
            return Ok(());
        }
        let (held, _) = draft.position(group, market);
        let closes = held.signum() != 0 && held.signum() != lots.signum();
        let reserved = draft.ordered(group, market)?.try_abs()?;
        let free = held.try_abs()?.try_sub(reserved)?.positive_part();
        if !closes || reserved.is_zero() || lots.try_abs()? <= free {
            return Ok(());
        }
        for id in draft.orders_of(group) {
            if draft.order(id).is_some_and(|o| o.market == market) {
                draft.record(Fact::OrderEnded { id, outcome: OrderOutcome::Cancelled })?;
                draft.effects.push(Effect::Cancel { order: id });
            }
        }
        Ok(draft.schedule(Millis::ZERO, Work::Liquidate { group })?)
    }

    /// Every guard has to agree with a fill that is still a proposal.
    pub(crate) fn require_guards(
        &self,
        draft: &Draft<'_>,
        group: GroupId,
        market: MarketId,
        lots: Lots,
        price: Ticks,
    ) -> Step<()> {
        if self.parts.guards.is_empty() {
            return Ok(());
        }
        let mut holdings = Holdings::new();
        draft.view(group, &mut holdings)?;
        let health = self.parts.margin.assess(&holdings.group(group), draft)?;
        let cover = self.cover(draft)?;
        let what_if = |postings: &[Posting]| self.what_if(draft, group, postings);
        let case = Case {
            at: draft.head().at,
            group: holdings.group(group),
            health,
            world: draft,
            allowed: Verdict::ALLOW,
            cover,
            auction: None,
            next_auction: self.next_auction(draft)?,
            what_if: &what_if,
            totals: &|pool, collateral| self.totals(draft, pool, collateral),
        };
        for guard in &self.parts.guards {
            if !guard.accept(&case, market, lots, price, cover)? {
                return refuse(Rejection::Strategy {
                    reason: "a fill guard does not accept the trade".into(),
                });
            }
        }
        Ok(())
    }

    /// An account that closed everything and owes cash is looked at at once, not at the next price (INV-23).
    fn settle_owing(draft: &mut Draft<'_>, group: GroupId) -> Step<()> {
        let account = draft.account(group);
        if account.positions().is_empty() && !owes_nothing(&account) && account.debts().is_empty() {
            draft.schedule(Millis::ZERO, Work::Liquidate { group })?;
        }
        Ok(())
    }

    pub(crate) fn slack(&self, draft: &Draft<'_>, group: GroupId) -> Step<i128> {
        Ok(self.health(draft, group)?.line(Level::Maintenance).map_or(0, |l| l.slack()))
    }

    /// Opening needs initial margin; reducing needs maintenance margin, or not to have made things worse (INV-10, INV-13).
    pub(crate) fn require_after(
        &self,
        draft: &Draft<'_>,
        kind: ActionKind,
        group: GroupId,
        slack_before: i128,
    ) -> Step<()> {
        if kind == ActionKind::Open {
            return self.require_health(draft, group, Level::Initial);
        }
        if self.slack(draft, group)? >= slack_before {
            return Ok(());
        }
        self.require_health(draft, group, Level::Maintenance)
    }

    /// Refuses a trade past the mark that leaves its losing side owing more than it has: the other side would gain what insurance
    /// and winners then pay (INV-3). At the mark or better it may always close (INV-35).
    fn require_own_loss(&self, draft: &Draft<'_>, loser: GroupId) -> Step<()> {
        let equity = self.health(draft, loser)?.equity;
        if equity.is_negative() {
            return refuse(Rejection::Margin { group: loser, support: equity, demand: Quanta::ZERO });
        }
        Ok(())
    }

    fn pool_request(
        &self,
        draft: &mut Draft<'_>,
        taker: GroupId,
        market: MarketId,
        lots: Lots,
        limit: Ticks,
    ) -> Step<()> {
        if lots.is_zero() {
            return malformed("lots", "not zero");
        }
        let Some((_, pool)) = self.trading_pool(market) else {
            return refuse(Rejection::Unknown { what: Named::Market, id: market.0 });
        };
        let Some(view) = draft.market(market).copied() else {
            return refuse(Rejection::Unknown { what: Named::Market, id: market.0 });
        };
        let notional = view.scale.absolute_notional(lots, view.mark.mid)?;
        let action = Self::action_of(draft, taker, market, lots, notional)?;
        self.require_price(draft, action.kind(), Instrument::Market(market))?;
        self.require_admitted(draft, &action)?;
        Self::take_orders_back(draft, taker, market, lots)?;
        let before = self.slack(draft, taker)?;
        let pool_before = self.pool_moment(draft, pool.id)?;
        let filled = self.pool_trade(draft, Reason::Trade, taker, pool.id, lots, limit)?;
        if filled.is_zero() {
            return refuse(Rejection::Insufficient { available: Amount::ZERO });
        }
        if action.kind() == ActionKind::Open {
            self.require_permitted(draft, pool.id, pool_before)?;
        }
        self.require_after(draft, action.kind(), taker, before)?;
        self.observe(draft, &Observation::Done(action))?;
        Self::settle_owing(draft, taker)
    }

    pub(crate) fn lending_pool(&self, pool: cofferdam_core::PoolId) -> Step<AssetId> {
        match self.pool(pool) {
            Some((_, terms)) => match terms.kind {
                PoolKind::Lending { asset, .. } => Ok(asset),
                PoolKind::Trading { .. } | PoolKind::Offset { .. } => malformed("pool", "a pool that lends"),
            },
            None => refuse(Rejection::Unknown { what: Named::Pool, id: pool.0 }),
        }
    }
}
