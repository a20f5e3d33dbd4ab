//! Keepers: whoever bids to liquidate somebody else. What they are granted is planned by the strategy and kept as planned; a
//! keeper pays no more than it bid, gets no less than it asked for, and has to be healthy with what it took.

use super::requests::malformed;
use super::{Step, refuse};
use crate::{Fact, Named, OrderOutcome, Reason, Rejection, RiskStack, draft::Draft, store::Store};
use cofferdam_core::{
    Action, ActionKind, Amount, AssetId, GroupId, Holder, Instrument, Item, Level, Lots, MarketId, MathError,
    Observation, OrderId, Posting, Ticks, World,
};
use cofferdam_liquidation_strategy::{Bid, Penalty, Plan, Step as Move, Taker};

impl RiskStack {
    /// A fill of one of our orders under our own matching: still a proposal, so breakers, margin and guards are asked, on both
    /// sides, before it is booked as any fill.
    pub(crate) fn match_order(
        &self,
        draft: &mut Draft<'_>,
        id: OrderId,
        lots: Lots,
        price: Ticks,
        counterparty: GroupId,
    ) -> Step<()> {
        let Some(order) = draft.order(id) else {
            return refuse(Rejection::Unknown { what: Named::Order, id: id.0 });
        };
        if counterparty == order.group {
            return malformed("counterparty", "another group than the order's");
        }
        if lots.signum() != order.lots.signum() || lots.try_abs()? > order.lots.try_abs()? {
            return malformed("lots", "the order's side, and no more than is open of it");
        }
        if price.get() <= 0 || (if lots.is_negative() { price < order.limit } else { price > order.limit }) {
            return malformed("price", "above zero and no worse than the order's limit");
        }
        let market = order.market;
        let theirs = lots.try_neg()?;
        let (view, _) = self.market_terms(draft, market)?;
        let notional = view.scale.absolute_notional(lots, price)?;
        let action = Self::action_of(draft, counterparty, market, theirs, notional)?;
        self.require_price(draft, action.kind(), Instrument::Market(market))?;
        self.require_admitted(draft, &action)?;
        self.require_guards(draft, order.group, market, lots, price)?;
        self.require_guards(draft, counterparty, market, theirs, price)?;
        let before = self.slack(draft, counterparty)?;
        draft.record(Fact::OrderFilled { id, lots, price })?;
        self.trade(draft, Reason::Liquidation, (order.group, counterparty), market, lots, price)?;
        self.require_after(draft, action.kind(), counterparty, before)?;
        self.observe(draft, &Observation::Done(action))?;
        if draft.order(id).is_none_or(|o| o.lots.is_zero()) {
            draft.record(Fact::OrderEnded { id, outcome: OrderOutcome::Filled })?;
        }
        self.after_forced(draft, &order, lots, price)
    }

    /// A keeper's bid for lots of a position.
    pub(crate) fn take_request(
        &self,
        draft: &mut Draft<'_>,
        keeper: GroupId,
        group: GroupId,
        (market, lots, limit): (MarketId, Lots, Ticks),
    ) -> Step<()> {
        if keeper == group {
            return malformed("keeper", "another group than the one liquidated");
        }
        if lots.get() <= 0 {
            return malformed("lots", "above zero");
        }
        if draft.market(market).is_none() {
            return refuse(Rejection::Unknown { what: Named::Market, id: market.0 });
        }
        if draft.has_orders(group) {
            return refuse(Rejection::Strategy { reason: "orders for the account are still open".into() });
        }
        self.settle_all_funding(draft, group)?;
        let bid = Bid {
            by: Taker::Keeper(keeper),
            give: Some((Item::Position(market), lots.get().into())),
            limit: (limit.get() > 0).then_some(limit),
            ..Bid::ENGINE
        };
        let plan = match self.plan(draft, group, &bid)? {
            Ok(plan) => plan,
            Err(reason) => return refuse(Rejection::Strategy { reason: format!("{reason:?}") }),
        };
        for step in plan.steps {
            match step {
                Move::Take { market: m, lots: closed, price, penalty } if m == market => {
                    let past = if closed.is_negative() { price > limit } else { price < limit };
                    if closed.try_abs()? > lots || (bid.limit.is_some() && past) {
                        return Err(super::StepError::Contract(
                            "a keeper took more lots than it bid for, or past its limit",
                        ));
                    }
                    self.take_over(draft, (group, keeper), (market, closed, price), &penalty)?;
                }
                Move::Loss { holder, asset, amount } => self.write_off(draft, holder, asset, amount)?,
                _ => {
                    return Err(super::StepError::Contract(
                        "a keeper's plan for a position holds steps other than take and loss",
                    ));
                }
            }
        }
        self.require_health(draft, keeper, Level::Initial)
    }

    /// Lots that a keeper takes over at a price, with what the account is charged for it.
    fn take_over(
        &self,
        draft: &mut Draft<'_>,
        (group, keeper): (GroupId, GroupId),
        (market, closed, price): (MarketId, Lots, Ticks),
        penalty: &Penalty,
    ) -> Step<()> {
        super::loss::closes(closed, draft.position(group, market).0)?;
        if price.get() <= 0 {
            return Err(super::StepError::Contract("a keeper took lots for nothing"));
        }
        let (view, _) = self.market_terms(draft, market)?;
        let notional = view.scale.absolute_notional(closed, price)?;
        let done = Action::Liquidate { group, market, lots: closed, notional };
        self.require_admitted(draft, &done)?;
        self.trade(draft, Reason::Seizure, (group, keeper), market, closed, price)?;
        self.observe(draft, &Observation::Done(done))?;
        self.forced(draft, notional)?;
        self.charge(draft, group, market, notional, penalty)?;
        self.after_close(draft, group, market)
    }

    /// A keeper's bid: planned by the strategy, kept as planned or refused. Lots that hedge what it buys come with it.
    pub(crate) fn bid(
        &self,
        draft: &mut Draft<'_>,
        keeper: GroupId,
        group: GroupId,
        (debt, repay): (AssetId, Amount),
        (collateral, at_least): (AssetId, Amount),
    ) -> Step<()> {
        if keeper == group {
            return malformed("keeper", "another group than the one liquidated");
        }
        if repay.get() <= 0 {
            return malformed("repay", "above zero");
        }
        self.accrue(draft)?;
        self.require_price(draft, ActionKind::Seize, Instrument::Asset(collateral))?;
        let have = draft.balance(keeper, debt);
        if have < repay.get() {
            return refuse(Rejection::Insufficient { available: Amount::new(have.max(0)) });
        }
        let bid = Bid {
            by: Taker::Keeper(keeper),
            give: Some((Item::Debt(debt), repay.get())),
            want: Some(Item::Asset(collateral)),
            at_least: (at_least.get() > 0).then_some(at_least.get()),
            ..Bid::ENGINE
        };
        self.settle_all_funding(draft, group)?;
        let before = draft.balance(group, collateral);
        let owned = draft.balance(keeper, collateral);
        let mut plan = match self.plan(draft, group, &bid)? {
            Ok(plan) => plan,
            Err(reason) => return refuse(Rejection::Strategy { reason: format!("{reason:?}") }),
        };
        // what insurance pays in goes to the keeper as well
        let covered = plan.steps.iter().try_fold(before, |sum, s| match s {
            Move::Cover { asset, amount } if *asset == collateral => sum.checked_add(amount.get()),
            _ => Some(sum),
        });
        let before = covered.ok_or(MathError::Overflow)?;
        let taken: Vec<Move> = plan.steps.extract_if(.., |s| matches!(s, Move::Take { .. })).collect();
        self.keep(draft, keeper, group, plan)?;
        let changed = |now: i128, before: i128| now.checked_sub(before).ok_or(MathError::Overflow);
        let paid = changed(have, draft.balance(keeper, debt))?;
        let got = changed(draft.balance(keeper, collateral), owned)?;
        if debt != collateral && (paid > repay.get() || got < at_least.get().max(0)) {
            return Err(super::StepError::Contract(
                "a keeper paid more than it bid, or got less than it asked",
            ));
        }
        let seized = changed(before, draft.balance(group, collateral))?;
        if !taken.is_empty() && draft.has_orders(group) {
            return refuse(Rejection::Strategy { reason: "orders for the account are still open".into() });
        }
        for step in taken {
            let Move::Take { market, lots, price, penalty } = step else { continue };
            self.take_over(draft, (group, keeper), (market, lots, price), &penalty)?;
        }
        self.require_health(draft, keeper, Level::Initial)?;
        let value = self.worth(draft, collateral, Amount::new(seized))?;
        self.forced(draft, value)?;
        let action = Action::Seize { group, asset: collateral, amount: Amount::new(seized), value };
        self.require_admitted(draft, &action)?;
        self.observe(draft, &Observation::Done(action))
    }

    pub(super) fn keep(
        &self,
        draft: &mut Draft<'_>,
        keeper: GroupId,
        group: GroupId,
        plan: Plan,
    ) -> Step<()> {
        let mut covered = false;
        for step in plan.steps {
            match step {
                Move::Cover { asset, amount } => {
                    covered = true;
                    self.cover_owed(draft, group, asset, amount)?;
                }
                Move::Move(postings) => {
                    super::exchange::check_move(draft, group, &postings)?;
                    if postings.iter().any(|p| is_stranger(p, group, keeper)) {
                        return Err(super::StepError::Contract(
                            "a keeper's plan moved something to or from a stranger, or a position or a debt",
                        ));
                    }
                    draft.post(Reason::Seizure, postings)?;
                }
                Move::Loss { holder, asset, amount } => self.write_off(draft, holder, asset, amount)?,
                Move::Bands(bands) => Self::set_bands(draft, group, bands)?,
                Move::Offset { pool, asset, amount, debt, scaled } => {
                    self.offset(draft, group, pool, (asset, amount), (debt, scaled))?;
                }
                Move::Redistribute { asset, amount, debt, scaled } => {
                    self.redistribute(draft, group, (asset, amount), (debt, scaled))?;
                }
                _ => {
                    return Err(super::StepError::Contract(
                        "a keeper's plan holds steps other than move, bands, loss, cover, offset and redistribution",
                    ));
                }
            }
        }
        if covered && draft.account(group).balances().iter().any(|b| b.amount.get() > 0) {
            return Err(super::StepError::Contract("insurance paid for an account that has something left"));
        }
        Ok(())
    }
}

/// Whether a posting moves something of a group that is neither the subject nor the keeper, or of the keeper a position or a debt.
pub(super) fn is_stranger(p: &Posting, group: GroupId, keeper: GroupId) -> bool {
    match (p.holder, p.item) {
        (Holder::Group(g), _) if g == group => false,
        (Holder::Group(g), Item::Asset(_)) => g != keeper,
        (Holder::Group(_), _) => true,
        _ => false,
    }
}
