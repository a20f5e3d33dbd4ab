//! A winner closed against the pool that would owe it: somebody outside chooses whom, the loss allocation says whether, and the step
//! holds both to it. Nobody has to be bankrupt.

use super::clearing::{atoms, position};
use super::loss::{Candidates, closes};
use super::requests::malformed;
use super::{Step, StepError, refuse};
use crate::{Named, Reason, Rejection, RiskStack, draft::Draft};
use cofferdam_core::{
    Action, ActionKind, Amount, GroupId, Holder, Instrument, Lots, MarketId, MarketScale, MarketView,
    MathError, Observation, PoolId, Quanta, Rounding, Ticks, World, wide,
};
use cofferdam_liquidation_strategy::{Cause, Measure, Need, Settlement};
use cofferdam_margin_engine::pending_funding;

/// What a side has gained and the pool has, in atoms.
#[derive(Clone, Copy)]
struct Owed {
    side: Amount,
    worth: Amount,
}

impl Owed {
    /// Whether side / worth is smaller than in another: the pool owes a smaller part of what it has.
    fn below(self, other: Self) -> bool {
        let part = |x: Amount| x.positive_part().get().unsigned_abs();
        wide::U256::product(part(self.side), part(other.worth))
            < wide::U256::product(part(other.side), part(self.worth))
    }
}

impl RiskStack {
    /// Gains of all groups on one side of a market, losses netted, rounded down, and the pool's cash.
    fn owed_by(&self, draft: &Draft<'_>, view: &MarketView, pool: PoolId, sign: i64) -> Step<Owed> {
        let mut sum = Quanta::ZERO;
        for group in draft.state().book.groups() {
            let account = draft.account(group);
            let Some(p) = account.positions().iter().find(|p| p.market == view.id) else { continue };
            if i64::from(p.lots.signum()) == sign {
                let funding = pending_funding(p.lots, view.funding, p.snapshot)?;
                let worth = view.scale.notional(p.lots, view.mark.mid)?;
                sum = sum.try_add(worth.try_sub(p.cost)?.try_sub(funding)?)?;
            }
        }
        let scale = self.market_terms(draft, view.id)?.1;
        let side = Amount::new(atoms(scale, sum, Rounding::Down)?);
        Ok(Owed { side, worth: Amount::new(draft.cash(Holder::Pool(pool), view.settlement)) })
    }

    /// Closes chosen lots of a winner against the market's pool, where the allocation agrees: as many as asked or none, and only
    /// if the pool then owes a smaller part of what it has.
    pub(super) fn deleverage_request(
        &self,
        draft: &mut Draft<'_>,
        keeper: GroupId,
        group: GroupId,
        (market, size): (MarketId, Lots),
    ) -> Step<()> {
        if keeper == group {
            return malformed("keeper", "another group than the one closed");
        }
        let Some(pool) = self.trading_pool(market).map(|(_, p)| p.id) else {
            return refuse(Rejection::Unknown { what: Named::Pool, id: market.0 });
        };
        self.require_price(draft, ActionKind::Liquidate, Instrument::Market(market))?;
        self.settle_all_funding(draft, group)?;
        let (view, scale) = self.market_terms(draft, market)?;
        let (held, cost) = position(&draft.account(group), market);
        if size.get() <= 0 || size > held.try_abs()? {
            return malformed("lots", "above zero and no more than the position");
        }
        let part = if held.is_negative() { size.try_neg()? } else { size };
        let before = self.owed_by(draft, &view, pool, held.signum().into())?;
        let price = view.mark.mid;
        let gain =
            view.scale.notional(part, price)?.try_sub(MarketScale::released_cost(cost, part, held)?)?;
        let gain = Amount::new(atoms(scale, gain, Rounding::Down)?);
        let cause =
            Cause::PoolGain { of: group, lots: part, price, gain, side: before.side, worth: before.worth };
        let need = Need { cause, market: Some(market), asset: view.settlement, amount: Amount::ZERO };
        let asset = *draft.asset(view.settlement).ok_or(MathError::Overflow)?;
        let chosen = self.payer(draft, group, &view, &asset, None)?;
        let settlement = self.ask(draft, &need, &Candidates(chosen.into_iter().collect()))?;
        let lots = part.try_neg()?;
        if !agreed(&settlement, (group, market, lots, price))? {
            return refuse(Rejection::Strategy { reason: "the allocation closes none of it".into() });
        }
        closes(lots, held)?;
        let notional = view.scale.absolute_notional(part, price)?;
        let action = Action::Liquidate { group, market, lots, notional };
        self.require_admitted(draft, &action)?;
        let limit = if lots.is_negative() { Ticks::ONE } else { Ticks::new(Ticks::LIMIT) };
        if self.pool_trade(draft, Reason::Deleverage, group, pool, lots, limit)? != lots {
            return refuse(Rejection::Insufficient { available: Amount::ZERO });
        }
        if !self.owed_by(draft, &view, pool, held.signum().into())?.below(before) {
            return refuse(Rejection::Strategy {
                reason: "the pool would owe no smaller part of what it has".into(),
            });
        }
        self.observe(draft, &Observation::Done(action))?;
        self.forced(draft, notional)?;
        self.after_close(draft, group, market)
    }
}

/// Whether an allocation closes what was chosen: all of it, or nothing and leaves it. Anything else breaks its contract.
fn agreed(
    settlement: &Settlement,
    (group, market, lots, price): (GroupId, MarketId, Lots, Ticks),
) -> Step<bool> {
    let size = i128::from(lots.try_abs()?.get());
    let chosen = Measure::Close { payer: group, market, lots, price };
    match settlement.measures.as_slice() {
        [] if settlement.residual == size => Ok(false),
        [one] if *one == chosen && settlement.residual == 0 => Ok(true),
        _ => Err(StepError::Contract(
            "an allocation answered a choice with something else than all or nothing of it",
        )),
    }
}
