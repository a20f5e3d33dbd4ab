//! Lending pools without an oracle (decision 0011): suppliers say at which price of the collateral their money lends, and the lowest
//! price that the pool's debt reaches down to is the price of the collateral. Losses burn the shares of the highest offers first.

use super::requests::malformed;
use super::{Step, refuse};
use crate::{Fact, PoolKind, Reason, Rejection, RiskStack, Work, draft::Draft, stack::slots, store::Store};
use cofferdam_core::{
    Amount, AssetId, GroupId, Holder, Instrument, Item, Level, MathError, MemoryError, Millis, PoolId,
    Posting, PriceRole, PriceView, Reader, Record, Scope, Ticks, World, Writer, wide,
};
use cofferdam_market::Shares;

/// What a record has room for.
const OFFERS_MAX: usize = 32;

/// Shares that lend at a price.
#[derive(Clone, Copy)]
struct Offer {
    price: i64,
    group: u32,
    shares: u128,
}

/// The offers of a pool, the highest price first.
#[derive(Clone, Default)]
struct Offers(Vec<Offer>);

impl Record for Offers {
    const VERSION: u8 = 1;
    fn write(&self, to: &mut Writer) {
        to.u32(u32::try_from(self.0.len()).unwrap_or(u32::MAX));
        for o in &self.0 {
            to.i64(o.price).u32(o.group).u128(o.shares);
        }
    }
    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        if version != 1 {
            return Err(MemoryError::Version { found: version });
        }
        let count = from.u32()?;
        let mut all = Vec::new();
        for _ in 0..count {
            all.push(Offer { price: from.i64()?, group: from.u32()?, shares: from.u128()? });
        }
        Ok(Self(all))
    }
}

fn offers(draft: &Draft<'_>, pool: PoolId) -> Step<Offers> {
    Ok(draft.peek_memory(slots::OFFERS, |m| m.get::<Offers>(Scope::Pool(pool)))?)
}

fn keep(draft: &mut Draft<'_>, pool: PoolId, mut offers: Offers) -> Step<()> {
    offers.0.retain(|o| o.shares > 0);
    draft.with_memory(slots::OFFERS, |_, m| m.set(Scope::Pool(pool), &offers))??;
    Ok(())
}

fn owned(draft: &Draft<'_>, group: GroupId, pool: PoolId) -> u128 {
    draft.holding(Holder::Group(group), Item::Share(pool)).units.unsigned_abs()
}

impl RiskStack {
    /// The collateral that a pool's offers price, if it has such a book.
    fn priced_by(&self, pool: PoolId) -> Option<(AssetId, AssetId)> {
        match self.pool(pool).map(|(_, t)| &t.kind) {
            Some(PoolKind::Lending { asset, priced: Some(collateral), .. }) => Some((*asset, *collateral)),
            _ => None,
        }
    }

    /// Supplies at a price.
    pub(crate) fn offer(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        pool: PoolId,
        amount: Amount,
        price: Ticks,
    ) -> Step<()> {
        if self.priced_by(pool).is_none() {
            return malformed("pool", "a pool whose suppliers price the collateral");
        }
        if price.get() <= 0 {
            return malformed("price", "above zero");
        }
        let before = owned(draft, group, pool);
        self.supply(draft, group, pool, amount)?;
        let shares = owned(draft, group, pool).checked_sub(before).ok_or(MathError::Overflow)?;
        let mut book = offers(draft, pool)?;
        let (price, id) = (price.get(), group.0);
        let room = book.0.len() < OFFERS_MAX;
        match book.0.iter_mut().find(|o| (o.price, o.group) == (price, id)) {
            Some(o) => o.shares = o.shares.checked_add(shares).ok_or(MathError::Overflow)?,
            None if room => book.0.push(Offer { price, group: id, shares }),
            None => return malformed("price", "one of at most 32 offers of the pool"),
        }
        book.0.sort_by_key(|o| (core::cmp::Reverse(o.price), o.group));
        keep(draft, pool, book)
    }

    /// After a supplier took shares out: they leave its lowest offers first, and no loan may be left below maintenance by it.
    pub(crate) fn withdraw_offers(&self, draft: &mut Draft<'_>, group: GroupId, pool: PoolId) -> Step<()> {
        if self.priced_by(pool).is_none() {
            return Ok(());
        }
        let mut book = offers(draft, pool)?;
        let mut left = owned(draft, group, pool);
        for o in book.0.iter_mut().filter(|o| o.group == group.0) {
            o.shares = o.shares.min(left);
            left = left.saturating_sub(o.shares);
        }
        keep(draft, pool, book)?;
        self.mark_books(draft)?;
        let groups: Vec<GroupId> = draft.state().book.groups().collect();
        for g in groups {
            if draft.account(g).debts().is_empty() {
                continue;
            }
            let health = self.health(draft, g)?;
            if let Some(l) = health.line(Level::Maintenance).filter(|l| l.support < l.demand) {
                return refuse(Rejection::Margin { group: g, support: l.support, demand: l.demand });
            }
        }
        Ok(())
    }

    /// Marks every collateral that offers price: the lowest price that the pool's debt reaches down to, or one tick where the
    /// offers are less than the debt. Without debt it is the highest offer.
    pub(crate) fn mark_books(&self, draft: &mut Draft<'_>) -> Step<()> {
        for terms in &self.parts.pools {
            let PoolKind::Lending { asset, priced: Some(collateral), .. } = terms.kind else { continue };
            let Some(before) = draft.asset(collateral).map(|a| a.price) else { continue };
            let book = offers(draft, terms.id)?;
            if book.0.is_empty() && !before.is_usable() {
                continue; // nobody has said what it is worth
            }
            let worth = self.pool_assets(draft, terms.id, asset)?;
            let cash = draft.cash(Holder::Pool(terms.id), asset);
            let debt = worth.checked_sub(cash).ok_or(MathError::Overflow)?;
            let shares = Self::share_price(draft, terms.id, worth)?;
            let mut deposits = 0_i128;
            let mut lowest = Ticks::ONE;
            for o in &book.0 {
                let deposit = shares.assets_for_redeem(Shares(o.shares))?.get();
                deposits = deposits.checked_add(deposit).ok_or(MathError::Overflow)?;
                if deposits >= debt {
                    lowest = Ticks::new(o.price);
                    break;
                }
            }
            if before.is_usable() && before.mid == lowest {
                continue;
            }
            let view = PriceView::exact(lowest, draft.now());
            let instrument = Instrument::Asset(collateral);
            draft.record(Fact::Mark { instrument, role: PriceRole::Index, view })?;
            draft.schedule(Millis::ZERO, Work::Sweep)?;
        }
        Ok(())
    }

    /// Before a pool is written down: shares of the highest offers that are worth the loss are gone, the shares rounded down.
    pub(crate) fn burn_offers(&self, draft: &mut Draft<'_>, pool: PoolId, amount: i128) -> Step<()> {
        let Some((asset, _)) = self.priced_by(pool) else { return Ok(()) };
        let worth = self.pool_assets(draft, pool, asset)?;
        let issued = draft.holding(Holder::Pool(pool), Item::Share(pool)).units.unsigned_abs();
        let (worth, amount) = (worth.unsigned_abs(), amount.unsigned_abs());
        let mut left = wide::mul_div_unsigned(amount, issued, worth, false)?.min(issued);
        let mut book = offers(draft, pool)?;
        let mut burnt: Vec<Posting> = Vec::new();
        for o in &mut book.0 {
            let part = o.shares.min(left);
            if part == 0 {
                break;
            }
            let units = i128::try_from(part).map_err(|_| MathError::Overflow)?;
            let from = Holder::Group(GroupId(o.group));
            burnt.extend(Posting::transfer(from, Holder::Pool(pool), Item::Share(pool), units));
            o.shares = o.shares.saturating_sub(part); // part is at most all of them
            left = left.saturating_sub(part);
        }
        if burnt.is_empty() {
            return Ok(());
        }
        draft.post(Reason::WriteDown, burnt)?;
        keep(draft, pool, book)
    }
}
