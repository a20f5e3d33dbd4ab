//! Liquidation without a market: a pool of depositors pays debts off and gets the collateral, and what it cannot pay the other
//! borrowers take over in proportion to their collateral.
//!
//! A deposit is a record of the pool's product and sum when it was last touched; the ledger holds as many shares. Redistribution
//! visits every borrower at once: what an index per collateral would give each when next touched, it has in the same step, and nobody
//! can leave in between (INV-3).

use super::{Step, StepError, refuse};
use crate::{PoolFloor, PoolKind, Reason, Rejection, RiskStack, draft::Draft, stack::slots, store::Store};
use cofferdam_core::{
    Action, Amount, AssetId, GroupId, Holder, Item, Level, MathError, Memory, Observation, PoolId,
    PoolTotals, Posting, RAY, Rounding, Scaled, Scope, Slot, World, wide,
};
use cofferdam_insurance_layer::{Deposit, InsuranceError, OffsetPool, PartSum};
use cofferdam_margin_engine::Account;

/// What a depositor has now, and the pool without it.
struct Settled {
    before: Deposit,
    left: Amount,
    gained: Amount,
    pool: OffsetPool,
}

fn sum_of(m: &Memory<'_>, pool: PoolId, part: cofferdam_insurance_layer::Part) -> Step<u128> {
    Ok(m.get::<PartSum>(Scope::PoolPart(pool, part.number()))?.0)
}

fn units(scaled: Scaled) -> Result<i128, MathError> {
    i128::try_from(scaled.get()).map_err(|_| MathError::Overflow)
}

fn owes(account: &Account, asset: AssetId) -> u128 {
    account.debts().iter().find(|d| d.asset == asset).map_or(0, |d| d.scaled.get())
}

impl RiskStack {
    /// The pool's assets and where its records are.
    fn offset_pool(&self, pool: PoolId) -> Step<(AssetId, AssetId, Slot)> {
        match self.pool(pool) {
            Some((i, terms)) => match terms.kind {
                PoolKind::Offset { asset, gains } => {
                    let place = u8::try_from(i).map_err(|_| MathError::Overflow)?;
                    Ok((asset, gains, slots::OFFSETS.child(place)?))
                }
                _ => Err(StepError::Contract("an offset with a pool that pays no debts off")),
            },
            None => Err(StepError::Contract("an offset with a pool that is not there")),
        }
    }

    fn settled(draft: &Draft<'_>, slot: Slot, pool: PoolId, group: GroupId) -> Step<Settled> {
        draft.peek_memory(slot, |m| {
            let mut of = m.get::<OffsetPool>(Scope::Pool(pool))?;
            let before = m.get::<Deposit>(Scope::Group(group))?;
            let sum = |scales| sum_of(m, pool, before.part().after(scales)?);
            let gained = of.gained(&before, [sum(0)?, sum(1)?, sum(2)?])?;
            let left = of.withdraw(&before)?;
            Ok(Settled { before, left, gained, pool: of })
        })
    }

    /// Keeps what the depositor has from now on, pays its gain, and lets its shares be as many.
    fn keep_deposit(
        &self,
        draft: &mut Draft<'_>,
        (pool, group): (PoolId, GroupId),
        settled: &mut Settled,
        now: Amount,
    ) -> Step<Vec<Posting>> {
        let (_, gains, slot) = self.offset_pool(pool)?;
        let sum = draft.peek_memory(slot, |m| sum_of(m, pool, settled.pool.part()))?;
        let deposit = settled.pool.deposit(now, sum)?;
        draft.with_memory(slot, |_, m| {
            m.set(Scope::Pool(pool), &settled.pool)?;
            m.set(Scope::Group(group), &deposit)
        })??;
        let shares = now.try_sub(settled.before.amount())?;
        let (owner, holder) = (Holder::Group(group), Holder::Pool(pool));
        let mut p: Vec<Posting> = Posting::transfer(holder, owner, Item::Share(pool), shares.get()).into();
        p.extend(Posting::transfer(holder, owner, Item::Asset(gains), settled.gained.get()));
        Ok(p)
    }

    /// Puts money into a pool that pays debts off; what the depositor gained before is paid out.
    pub(super) fn offset_deposit(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        pool: PoolId,
        amount: Amount,
    ) -> Step<()> {
        let (asset, _, slot) = self.offset_pool(pool)?;
        let have = draft.balance(group, asset);
        if have < amount.get() {
            return refuse(Rejection::Insufficient { available: Amount::new(have.max(0)) });
        }
        let mut settled = Self::settled(draft, slot, pool, group)?;
        let now = settled.left.try_add(amount)?;
        let mut p = self.keep_deposit(draft, (pool, group), &mut settled, now)?;
        let (from, to) = (Holder::Group(group), Holder::Pool(pool));
        p.extend(Posting::transfer(from, to, Item::Asset(asset), amount.get()));
        draft.post(Reason::PoolShares, p)?;
        self.require_health(draft, group, Level::Withdraw)
    }

    /// Takes at most so many atoms of what is left of a deposit out, and all that it gained.
    pub(super) fn offset_withdraw(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        pool: PoolId,
        most: u128,
    ) -> Step<()> {
        let (asset, _, slot) = self.offset_pool(pool)?;
        let mut settled = Self::settled(draft, slot, pool, group)?;
        if settled.left.is_zero() && settled.gained.is_zero() {
            return refuse(Rejection::Insufficient { available: Amount::ZERO });
        }
        let most = Amount::new(i128::try_from(most).unwrap_or(i128::MAX)); // more than there is takes what there is
        let amount = settled.left.min(most);
        if amount.get() > 0 {
            let action = Action::Withdraw { group, asset, amount, value: self.worth(draft, asset, amount)? };
            self.require_admitted(draft, &action)?;
            self.observe(draft, &Observation::Done(action))?;
        }
        let now = settled.left.try_sub(amount)?;
        let mut p = self.keep_deposit(draft, (pool, group), &mut settled, now)?;
        let (from, to) = (Holder::Pool(pool), Holder::Group(group));
        p.extend(Posting::transfer(from, to, Item::Asset(asset), amount.get()));
        Ok(draft.post(Reason::PoolShares, p)?)
    }

    /// No more than the subject has of both goes.
    fn check_there(
        draft: &Draft<'_>,
        group: GroupId,
        (asset, amount): (AssetId, Amount),
        (debt, scaled): (AssetId, Scaled),
    ) -> Step<()> {
        let have = draft.balance(group, asset).max(0);
        let owed = owes(&draft.account(group), debt);
        if amount.is_negative() || amount.get() > have || scaled.get() > owed || scaled.get() == 0 {
            return Err(StepError::Contract("a plan moved more than its subject has"));
        }
        Ok(())
    }

    /// A pool of depositors pays a debt off for collateral: what the units are worth, rounded up, as for a repayment.
    pub(super) fn offset(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        pool: PoolId,
        (asset, amount): (AssetId, Amount),
        (debt, scaled): (AssetId, Scaled),
    ) -> Step<()> {
        let (pays, gains, slot) = self.offset_pool(pool)?;
        if (pays, gains) != (debt, asset) {
            return Err(StepError::Contract("an offset of assets that the pool does not pay or get"));
        }
        Self::check_there(draft, group, (asset, amount), (debt, scaled))?;
        let Some(lender) = self.lender(debt) else {
            return Err(StepError::Contract("an offset of a debt to no pool"));
        };
        let index = draft.asset(debt).map_or(RAY, |a| a.debt_index.get());
        let owed = wide::mul_div_unsigned(scaled.get(), index, RAY, true)?;
        let owed = Amount::new(i128::try_from(owed).map_err(|_| MathError::Overflow)?);
        draft.with_memory(slot, |_, m| -> Result<(), StepError> {
            let mut of = m.get::<OffsetPool>(Scope::Pool(pool))?;
            let place = Scope::PoolPart(pool, of.part().number());
            let grown = of.offset(owed, amount).map_err(|e| match e {
                InsuranceError::Parameter { .. } => StepError::Contract("an offset beyond what the pool has"),
                e => e.into(),
            })?;
            let sum = m.get::<PartSum>(place)?.0.checked_add(grown).ok_or(MathError::Overflow)?;
            m.set(place, &PartSum(sum))?;
            Ok(m.set(Scope::Pool(pool), &of)?)
        })??;
        let (from, by, to) = (Holder::Group(group), Holder::Pool(pool), Holder::Pool(lender));
        let mut p: Vec<Posting> = Posting::transfer(by, to, Item::Asset(debt), owed.get()).into();
        p.extend(Posting::transfer(from, to, Item::Debt(debt), units(scaled)?));
        p.extend(Posting::transfer(from, by, Item::Asset(asset), amount.get()));
        Ok(draft.post(Reason::Offset, p)?)
    }

    /// Other borrowers take a debt and collateral over, in proportion to their own collateral. Each part is rounded down on the
    /// running sum, so that the sum is exact. Who is below maintenance after it is queued at once.
    pub(super) fn redistribute(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        (asset, amount): (AssetId, Amount),
        (debt, scaled): (AssetId, Scaled),
    ) -> Step<()> {
        Self::check_there(draft, group, (asset, amount), (debt, scaled))?;
        let mut others: Vec<(GroupId, i128)> = Vec::new();
        let mut all: i128 = 0;
        for (other, held) in Self::borrowers(draft, debt, asset).filter(|(g, _)| *g != group) {
            all = all.checked_add(held).ok_or(MathError::Overflow)?;
            others.push((other, held));
        }
        if all == 0 {
            return Err(StepError::Contract("a redistribution over nobody"));
        }
        let mut p = Vec::new();
        for (item, whole) in [(Item::Asset(asset), amount.get()), (Item::Debt(debt), units(scaled)?)] {
            let (mut sum, mut given) = (0_i128, 0_i128);
            for (other, held) in &others {
                sum = sum.checked_add(*held).ok_or(MathError::Overflow)?;
                let until = wide::mul_div(whole, sum, all, Rounding::Down)?;
                let share = until.checked_sub(given).ok_or(MathError::Overflow)?;
                given = until;
                p.extend(Posting::transfer(Holder::Group(group), Holder::Group(*other), item, share));
            }
        }
        draft.post(Reason::Redistribution, p)?;
        let others: Vec<GroupId> = others.into_iter().map(|(g, _)| g).collect();
        self.sweep(draft, &others)
    }

    /// Groups that owe an asset and have some of a collateral, in ascending order, with how much.
    fn borrowers<'d>(
        draft: &'d Draft<'_>,
        debt: AssetId,
        collateral: AssetId,
    ) -> impl Iterator<Item = (GroupId, i128)> + 'd {
        draft.state().book.groups().filter_map(move |g| {
            let held = draft.balance(g, collateral);
            (held > 0 && owes(&draft.account(g), debt) > 0).then_some((g, held))
        })
    }

    /// What a pool and its borrowers have together. Of a pool that lends: its cash, what it is owed, and the borrowers' collateral.
    pub(super) fn totals(
        &self,
        draft: &Draft<'_>,
        pool: PoolId,
        collateral: AssetId,
    ) -> Result<PoolTotals, MathError> {
        let Some((_, terms)) = self.pool(pool) else { return Ok(PoolTotals::default()) };
        match terms.kind {
            PoolKind::Trading { .. } => Ok(PoolTotals::default()),
            PoolKind::Offset { asset, .. } => {
                let cash = Amount::new(draft.cash(Holder::Pool(pool), asset));
                Ok(PoolTotals { cash, ..PoolTotals::default() })
            }
            PoolKind::Lending { asset, .. } => {
                let lent = draft.holding(Holder::Pool(pool), Item::Debt(asset)).units.unsigned_abs();
                let index = draft.asset(asset).map_or(RAY, |a| a.debt_index.get());
                let owed = wide::mul_div_unsigned(lent, index, RAY, true)?;
                let owed = Amount::new(i128::try_from(owed).map_err(|_| MathError::Overflow)?);
                let backing = Self::borrowers(draft, asset, collateral)
                    .try_fold(Amount::ZERO, |sum, (_, held)| sum.try_add(Amount::new(held)))?;
                Ok(PoolTotals { cash: Amount::new(draft.cash(Holder::Pool(pool), asset)), owed, backing })
            }
        }
    }

    /// Refuses what leaves all borrowers of a pool together below its floor: a loan, or collateral taken out by who owes.
    pub(super) fn require_floors(
        &self,
        draft: &Draft<'_>,
        group: GroupId,
        taken: Option<AssetId>,
    ) -> Step<()> {
        for pool in &self.parts.pools {
            let PoolKind::Lending { asset, floor: Some(PoolFloor { collateral, ratio }), .. } = pool.kind
            else {
                continue;
            };
            if taken.is_some_and(|a| a != collateral) || owes(&draft.account(group), asset) == 0 {
                continue;
            }
            let all = self.totals(draft, pool.id, collateral)?;
            let view = |id| draft.asset(id).ok_or(MathError::Overflow);
            let (of, lent) = (view(collateral)?, view(asset)?);
            let has = of.scale.value(all.backing, of.price.low, Rounding::Down)?;
            let owed = lent.scale.value(all.owed, lent.price.high, Rounding::Up)?;
            let asked = wide::mul_div(owed.get(), ratio.0.into(), PPB, Rounding::Up)?;
            if has.get() < asked {
                return refuse(Rejection::Margin {
                    group,
                    support: has,
                    demand: cofferdam_core::Quanta::new(asked),
                });
            }
        }
        Ok(())
    }
}

/// One whole in parts per billion.
const PPB: i128 = 1_000_000_000;
