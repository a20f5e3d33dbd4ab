//! What a pool does not honour of a side's result: the part of it goes back to the pool as soon as there is a new mark.
//!
//! A pool that can answer for some lots only pays or takes only what the price did to those. What is too much on the side that
//! trades against it is moved between cost and cost, in quanta: what the holders of the side owe, the pool is owed (INV-2). It
//! happens in the step of the price, before anybody's health is looked at, so nobody can leave with what is not honoured (INV-3).

use super::Step;
use super::clearing::SUSPENSE;
use crate::{Alarm, PoolKind, Reason, Rejection, RiskStack, draft::Draft, stack::slots, store::Store};
use cofferdam_core::{
    GroupId, Holder, Item, MarketId, MathError, PoolId, Posting, Quanta, Rounding, World, wide,
};
use cofferdam_market::PoolMoment;

/// A holder's part of what its side owes, by its lots: amount x size / all, rounded up. The pool gets the sum of the parts.
fn part(amount: Quanta, size: i128, all: i128) -> Result<Quanta, MathError> {
    wide::mul_div(amount.get(), size, all, Rounding::Up).map(Quanta::new)
}

impl RiskStack {
    /// Asks every pool of a market what it does not honour at the marks of now, and moves it.
    pub(super) fn honour(&self, draft: &mut Draft<'_>) -> Step<()> {
        for (i, terms) in self.parts.pools.iter().enumerate() {
            let PoolKind::Trading { market, pricing } = &terms.kind else { continue };
            let Some(view) = draft.market(*market).copied().filter(|m| m.mark.is_usable()) else { continue };
            let now = PoolMoment { pool: self.pool_view(draft, terms.id, &view)?, market: view };
            let slot = Self::slot(slots::POOLS, i)?;
            let owed = match draft.with_memory(slot, |_, m| pricing.unhonoured(&now, m))? {
                Ok(owed) => owed,
                Err(e) => {
                    draft.raise(Alarm::Failed { what: e.to_string() });
                    continue; // it moves nothing, and keeps no other pool from it
                }
            };
            self.charge_side(draft, terms.id, *market, 1, owed.long)?;
            self.charge_side(draft, terms.id, *market, -1, owed.short)?;
        }
        Ok(())
    }

    /// Everybody who holds lots of a sign owes the pool its part, as cost; below zero, the pool owes it.
    fn charge_side(
        &self,
        draft: &mut Draft<'_>,
        pool: PoolId,
        market: MarketId,
        sign: i8,
        amount: Quanta,
    ) -> Step<()> {
        if amount.is_zero() {
            return Ok(());
        }
        let mut holders: Vec<(Holder, i128)> = Vec::new();
        let groups: Vec<GroupId> = draft.state().book.groups().collect();
        for group in groups {
            let (lots, _) = draft.position(group, market);
            if lots.signum() == sign {
                self.settle_funding(draft, group, market)?;
                holders.push((Holder::Group(group), lots.try_abs()?.get().into()));
            }
        }
        let astray = draft.holding(SUSPENSE, Item::Position(market)).units;
        if astray.signum() == i128::from(sign) {
            holders.push((SUSPENSE, astray.checked_abs().ok_or(MathError::Overflow)?));
        }
        let all = holders.iter().try_fold(0_i128, |sum, (_, size)| sum.checked_add(*size));
        let all = all.ok_or(MathError::Overflow)?;
        if all == 0 {
            return Ok(());
        }
        let (mut postings, mut sum) = (Vec::with_capacity(holders.len().saturating_add(1)), Quanta::ZERO);
        for (holder, size) in holders {
            let owed = part(amount, size, all)?;
            if !owed.is_zero() {
                postings.push(Posting::position(holder, market, 0, owed));
                sum = sum.try_add(owed)?;
            }
        }
        if postings.is_empty() {
            return Ok(());
        }
        postings.push(Posting::position(Holder::Pool(pool), market, 0, sum.try_neg()?));
        Ok(draft.post(Reason::Unhonoured, postings)?)
    }

    /// A pool that trades and its market, as they are now.
    pub(super) fn pool_moment(&self, draft: &Draft<'_>, pool: PoolId) -> Step<Option<PoolMoment>> {
        let Some(PoolKind::Trading { market, .. }) = self.pool(pool).map(|(_, t)| &t.kind) else {
            return Ok(None);
        };
        let (view, _) = self.market_terms(draft, *market)?;
        Ok(Some(PoolMoment { pool: self.pool_view(draft, pool, &view)?, market: view }))
    }

    /// Refuses what leaves a pool that trades as it does not permit.
    pub(super) fn require_permitted(
        &self,
        draft: &Draft<'_>,
        pool: PoolId,
        before: Option<PoolMoment>,
    ) -> Step<()> {
        let Some(PoolKind::Trading { pricing, .. }) = self.pool(pool).map(|(_, t)| &t.kind) else {
            return Ok(());
        };
        let (Some(before), Some(after)) = (before, self.pool_moment(draft, pool)?) else { return Ok(()) };
        if pricing.permits(&before, &after)? {
            return Ok(());
        }
        super::refuse(Rejection::Strategy { reason: "the pool does not permit to be left like this".into() })
    }
}
