//! Pools with owners. A lending pool: suppliers own shares of it, borrowers owe it, keepers liquidate against it; losses that
//! nobody covers lower what a share is worth. A pool that trades in a market is owned in the same way: what its traders lose
//! its shares gain.

use super::clearing::atoms;
use super::requests::malformed;
use super::{Step, refuse};
use crate::{Named, PoolKind, Reason, Rejection, RiskStack, draft::Draft, store::Store};
use cofferdam_core::{
    Action, ActionKind, Amount, AssetId, GroupId, Holder, Instrument, Item, Level, Lots, MarketId, MathError,
    Observation, PoolId, Posting, RAY, Rounding, World, wide,
};
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

    /// What the owners of a pool that trades have: its cash and what its position has gained, at the end of the price interval
    /// that is worse for who asks (INV-32): the dearer one up for a supplier, the cheaper one down for who redeems.
    fn trading_assets(
        &self,
        draft: &Draft<'_>,
        pool: PoolId,
        market: MarketId,
        rounding: Rounding,
    ) -> Step<i128> {
        let (view, scale) = self.market_terms(draft, market)?;
        let held = draft.holding(Holder::Pool(pool), Item::Position(market));
        let cash = draft.cash(Holder::Pool(pool), view.settlement);
        if held.units == 0 {
            return Ok(cash);
        }
        if !view.mark.is_usable() {
            return refuse(Rejection::Price {
                instrument: Instrument::Market(market),
                state: view.mark.state,
            });
        }
        let lots = Lots::new(i64::try_from(held.units).map_err(|_| MathError::Overflow)?);
        let (low, high) =
            (view.scale.notional(lots, view.mark.low)?, view.scale.notional(lots, view.mark.high)?);
        let worth = if rounding == Rounding::Up { low.max(high) } else { low.min(high) };
        let gained = atoms(scale, worth.try_sub(held.cost)?, rounding)?;
        Ok(cash.checked_add(gained).ok_or(MathError::Overflow)?)
    }

    /// The asset that a pool's owners put in and take out, and what the pool is worth in it to who asks.
    fn pool_worth(&self, draft: &Draft<'_>, pool: PoolId, rounding: Rounding) -> Step<(AssetId, i128)> {
        match self.pool(pool).map(|(_, terms)| &terms.kind) {
            Some(PoolKind::Lending { asset, .. }) => Ok((*asset, self.pool_assets(draft, pool, *asset)?)),
            Some(PoolKind::Trading { market, .. }) => {
                let (view, _) = self.market_terms(draft, *market)?;
                Ok((view.settlement, self.trading_assets(draft, pool, *market, rounding)?))
            }
            // its deposits are not shares of a worth
            Some(PoolKind::Offset { .. }) | None => {
                refuse(Rejection::Unknown { what: Named::Pool, id: pool.0 })
            }
        }
    }

    pub(super) fn share_price(draft: &Draft<'_>, pool: PoolId, worth: i128) -> Step<SharePrice> {
        let issued = draft.holding(Holder::Pool(pool), Item::Share(pool)).units.unsigned_abs();
        Ok(SharePrice::new(Amount::new(worth.max(0)), Shares(issued), SHARE_OFFSET_DECIMALS)?)
    }

    pub(crate) fn supply(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        pool: PoolId,
        amount: Amount,
    ) -> Step<()> {
        if amount.get() <= 0 {
            return malformed("amount", "above zero");
        }
        if let Some(PoolKind::Offset { .. }) = self.pool(pool).map(|(_, p)| &p.kind) {
            return self.offset_deposit(draft, group, pool, amount);
        }
        self.accrue(draft)?;
        let (asset, worth) = self.pool_worth(draft, pool, Rounding::Up)?;
        let have = draft.balance(group, asset);
        if have < amount.get() {
            return refuse(Rejection::Insufficient { available: Amount::new(have.max(0)) });
        }
        let shares = Self::share_price(draft, pool, worth)?.shares_for_deposit(amount)?;
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
        if shares == 0 {
            return malformed("shares", "above zero");
        }
        if let Some(PoolKind::Offset { .. }) = self.pool(pool).map(|(_, p)| &p.kind) {
            return self.offset_withdraw(draft, group, pool, shares);
        }
        self.accrue(draft)?;
        let (asset, worth) = self.pool_worth(draft, pool, Rounding::Down)?;
        let have = draft.holding(Holder::Group(group), Item::Share(pool)).units;
        let units = i128::try_from(shares).map_err(|_| MathError::Overflow)?;
        if have < units {
            return refuse(Rejection::Insufficient { available: Amount::new(have.max(0)) });
        }
        let amount = Self::share_price(draft, pool, worth)?.assets_for_redeem(Shares(shares))?;
        let cash = draft.cash(Holder::Pool(pool), asset);
        if cash < amount.get() {
            return refuse(Rejection::Insufficient { available: Amount::new(cash.max(0)) });
        }
        let action = Action::Withdraw { group, asset, amount, value: self.worth(draft, asset, amount)? };
        self.require_admitted(draft, &action)?;
        let before = self.pool_moment(draft, pool)?;
        let mut p: Vec<Posting> =
            Posting::transfer(Holder::Group(group), Holder::Pool(pool), Item::Share(pool), units).into();
        p.extend(Posting::transfer(
            Holder::Pool(pool),
            Holder::Group(group),
            Item::Asset(asset),
            amount.get(),
        ));
        draft.post(Reason::PoolShares, p)?;
        self.require_permitted(draft, pool, before)?;
        self.withdraw_offers(draft, group, pool)?;
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
        self.mark_books(draft)?;
        self.place(draft, group, ActionKind::Borrow)?;
        self.require_health(draft, group, Level::Initial)?;
        self.require_floors(draft, group, None)?;
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
        self.place(draft, group, ActionKind::Repay)?;
        self.observe(draft, &Observation::Done(Action::Repay { group, asset, amount: Amount::new(paid) }))
    }
}
