//! A lending pool: suppliers own shares of it, borrowers owe it, keepers liquidate against it. Losses that nobody covers
//! lower what a share is worth.

use super::requests::malformed;
use super::{Step, refuse};
use crate::{Reason, Rejection, RiskStack, draft::Draft, store::Store};
use cofferdam_core::{
    Action, ActionKind, Amount, AssetId, GroupId, Holder, Instrument, Item, Level, MathError, Observation,
    PoolId, Posting, RAY, Rounding, World, wide,
};
use cofferdam_liquidation_strategy::{Bid, Plan, Step as Move, Taker};
use cofferdam_market::{SharePrice, Shares};

/// Virtual shares of an empty pool, as a power of ten: makes the donation attack cost more than it takes.
const SHARE_OFFSET_DECIMALS: u8 = 3;

pub(crate) fn owed_scaled(draft: &Draft<'_>, group: GroupId, asset: AssetId) -> i128 {
    let account = draft.account(group);
    account
        .debts()
        .iter()
        .find(|d| d.asset == asset)
        .map_or(0, |d| i128::try_from(d.scaled.get()).unwrap_or(i128::MAX))
}

fn ray() -> i128 {
    i128::try_from(RAY).unwrap_or(i128::MAX)
}

impl RiskStack {
    fn index(draft: &Draft<'_>, asset: AssetId) -> Step<i128> {
        let index = draft.asset(asset).map_or(RAY, |a| a.debt_index.get());
        Ok(i128::try_from(index).map_err(|_| MathError::Overflow)?)
    }

    /// What a pool's suppliers own: its cash and what it is owed, rounded down, in atoms.
    pub(crate) fn pool_assets(&self, draft: &Draft<'_>, pool: PoolId, asset: AssetId) -> Step<i128> {
        let lent = draft.holding(Holder::Pool(pool), Item::Debt(asset)).units.unsigned_abs();
        let lent = i128::try_from(lent).map_err(|_| MathError::Overflow)?;
        let lent = wide::mul_div(lent, Self::index(draft, asset)?, ray(), Rounding::Down)?;
        Ok(draft.cash(Holder::Pool(pool), asset).checked_add(lent).ok_or(MathError::Overflow)?)
    }

    fn share_price(&self, draft: &Draft<'_>, pool: PoolId, asset: AssetId) -> Step<SharePrice> {
        let issued = draft.holding(Holder::Pool(pool), Item::Share(pool)).units.unsigned_abs();
        Ok(SharePrice::new(
            Amount::new(self.pool_assets(draft, pool, asset)?.max(0)),
            Shares(issued),
            SHARE_OFFSET_DECIMALS,
        )?)
    }

    pub(crate) fn supply(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        pool: PoolId,
        amount: Amount,
    ) -> Step<()> {
        let asset = self.lending_pool(pool)?;
        if amount.get() <= 0 {
            return malformed("amount", "above zero");
        }
        self.accrue(draft)?;
        let have = draft.balance(group, asset);
        if have < amount.get() {
            return refuse(Rejection::Insufficient { available: Amount::new(have.max(0)) });
        }
        let shares = self.share_price(draft, pool, asset)?.shares_for_deposit(amount)?;
        let shares = i128::try_from(shares.0).map_err(|_| MathError::Overflow)?;
        if shares == 0 {
            return malformed("amount", "enough for one share");
        }
        let mut p: Vec<Posting> =
            Posting::transfer(Holder::Group(group), Holder::Pool(pool), Item::Asset(asset), amount.get())
                .into();
        p.extend(Posting::transfer(Holder::Pool(pool), Holder::Group(group), Item::Share(pool), shares));
        draft.post(Reason::PoolShares, p)?;
        self.require_health(draft, group, Level::Withdraw)
    }

    pub(crate) fn redeem(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        pool: PoolId,
        shares: u128,
    ) -> Step<()> {
        let asset = self.lending_pool(pool)?;
        if shares == 0 {
            return malformed("shares", "above zero");
        }
        self.accrue(draft)?;
        let have = draft.holding(Holder::Group(group), Item::Share(pool)).units;
        let units = i128::try_from(shares).map_err(|_| MathError::Overflow)?;
        if have < units {
            return refuse(Rejection::Insufficient { available: Amount::new(have.max(0)) });
        }
        let amount = self.share_price(draft, pool, asset)?.assets_for_redeem(Shares(shares))?;
        let cash = draft.cash(Holder::Pool(pool), asset);
        if cash < amount.get() {
            return refuse(Rejection::Insufficient { available: Amount::new(cash.max(0)) });
        }
        let action = Action::Withdraw { group, asset, amount, value: self.worth(draft, asset, amount)? };
        self.require_admitted(draft, &action)?;
        let mut p: Vec<Posting> =
            Posting::transfer(Holder::Group(group), Holder::Pool(pool), Item::Share(pool), units).into();
        p.extend(Posting::transfer(
            Holder::Pool(pool),
            Holder::Group(group),
            Item::Asset(asset),
            amount.get(),
        ));
        draft.post(Reason::PoolShares, p)?;
        self.observe(draft, &Observation::Done(action))
    }

    pub(crate) fn borrow(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        pool: PoolId,
        amount: Amount,
    ) -> Step<()> {
        let asset = self.lending_pool(pool)?;
        if amount.get() <= 0 {
            return malformed("amount", "above zero");
        }
        self.accrue(draft)?;
        let cash = draft.cash(Holder::Pool(pool), asset);
        if cash < amount.get() {
            return refuse(Rejection::Insufficient { available: Amount::new(cash.max(0)) });
        }
        self.require_price(draft, ActionKind::Borrow, Instrument::Asset(asset))?;
        for b in draft.account(group).balances() {
            self.require_price(draft, ActionKind::Borrow, Instrument::Asset(b.asset))?;
        }
        let action = Action::Borrow { group, asset, amount, value: self.worth(draft, asset, amount)? };
        self.require_admitted(draft, &action)?;
        // scaled units up: the debt is never smaller than what was lent
        let scaled = wide::mul_div(amount.get(), ray(), Self::index(draft, asset)?, Rounding::Up)?;
        let mut p: Vec<Posting> =
            Posting::transfer(Holder::Pool(pool), Holder::Outside, Item::Asset(asset), amount.get()).into();
        p.extend(Posting::transfer(Holder::Pool(pool), Holder::Group(group), Item::Debt(asset), scaled));
        draft.post(Reason::Borrow, p)?;
        self.require_health(draft, group, Level::Initial)?;
        self.observe(draft, &Observation::Done(action))
    }

    /// Repays out of the group's own balance first brought in by a deposit.
    pub(crate) fn repay(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        pool: PoolId,
        amount: Amount,
    ) -> Step<()> {
        let asset = self.lending_pool(pool)?;
        if amount.get() <= 0 {
            return malformed("amount", "above zero");
        }
        self.accrue(draft)?;
        let scaled = owed_scaled(draft, group, asset);
        let index = Self::index(draft, asset)?;
        let owed = wide::mul_div(scaled, index, ray(), Rounding::Up)?;
        let (paid, credited) = if amount.get() >= owed {
            (owed, scaled)
        } else {
            // scaled units down: the borrower is credited with no more than it paid
            (amount.get(), wide::mul_div(amount.get(), ray(), index, Rounding::Down)?)
        };
        if credited == 0 {
            return malformed("amount", "enough to clear one unit of the debt");
        }
        let have = draft.balance(group, asset);
        if have < paid {
            return refuse(Rejection::Insufficient { available: Amount::new(have.max(0)) });
        }
        let mut p: Vec<Posting> =
            Posting::transfer(Holder::Group(group), Holder::Pool(pool), Item::Asset(asset), paid).into();
        p.extend(Posting::transfer(Holder::Group(group), Holder::Pool(pool), Item::Debt(asset), credited));
        draft.post(Reason::Repay, p)?;
        self.observe(draft, &Observation::Done(Action::Repay { group, asset, amount: Amount::new(paid) }))
    }

    /// A keeper's bid: planned by the strategy, kept as planned or refused.
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
            auction: None,
        };
        self.settle_all_funding(draft, group)?;
        let before = draft.balance(group, collateral);
        let owned = draft.balance(keeper, collateral);
        match self.plan(draft, group, &bid)? {
            Ok(plan) => self.keep(draft, keeper, group, plan)?,
            Err(reason) => return refuse(Rejection::Strategy { reason: format!("{reason:?}") }),
        }
        let changed = |now: i128, before: i128| now.checked_sub(before).ok_or(MathError::Overflow);
        let paid = changed(have, draft.balance(keeper, debt))?;
        let got = changed(draft.balance(keeper, collateral), owned)?;
        if debt != collateral && (paid > repay.get() || got < at_least.get().max(0)) {
            return Err(super::StepError::Contract(
                "a keeper paid more than it bid, or got less than it asked",
            ));
        }
        self.require_health(draft, keeper, Level::Initial)?;
        let seized = changed(before, draft.balance(group, collateral))?;
        let value = self.worth(draft, collateral, Amount::new(seized))?;
        self.forced(draft, value)?;
        let action = Action::Seize { group, asset: collateral, amount: Amount::new(seized), value };
        self.require_admitted(draft, &action)?;
        self.observe(draft, &Observation::Done(action))
    }

    fn keep(&self, draft: &mut Draft<'_>, keeper: GroupId, group: GroupId, plan: Plan) -> Step<()> {
        for step in plan.steps {
            match step {
                Move::Move(postings) => {
                    super::exchange::check_move(draft, group, &postings)?;
                    let stranger = |p: &Posting| match (p.holder, p.item) {
                        (Holder::Group(g), _) if g == group => false,
                        (Holder::Group(g), Item::Asset(_)) => g != keeper,
                        (Holder::Group(_), _) => true,
                        _ => false,
                    };
                    if postings.iter().any(stranger) {
                        return Err(super::StepError::Contract(
                            "a keeper's plan moved something to or from a stranger, or a position or a debt",
                        ));
                    }
                    draft.post(Reason::Seizure, postings)?;
                }
                Move::Loss { holder, asset, amount } => self.write_off(draft, holder, asset, amount)?,
                _ => {
                    return Err(super::StepError::Contract(
                        "a keeper's plan holds steps other than move and loss",
                    ));
                }
            }
        }
        Ok(())
    }
}
