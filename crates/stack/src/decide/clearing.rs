//! Trades, realised profit and loss, funding: every posting that moves a position.
//!
//! A position is lots and their cost. A trade of `l` lots at price `p` adds `l` lots and `l x p x k` of cost to the buyer and
//! takes both from the seller. What a reducing trade realises moves from cost to cash through the house's `Unsettled`
//! account, which carries the variation margin in transit (INV-1, INV-2).

use super::{Step, StepError};
use crate::{Fact, Reason, RiskStack, draft::Draft, fact::EventMark, stack::slots, store::Store};
use cofferdam_core::{
    AssetId, AssetScale, AssetView, FundingIndex, GroupId, Holder, House, Item, Lots, MarketId, MarketScale,
    MarketView, MathError, Observation, PoolId, Posting, Quanta, Rounding, Ticks, World, wide,
};
use cofferdam_margin_engine::{Account, MarginError, pending_funding};
use cofferdam_market::{Fill, PoolOrder, PoolView};

pub(crate) const UNSETTLED: Holder = Holder::House(House::Unsettled);
pub(crate) const SUSPENSE: Holder = Holder::House(House::Suspense);

pub(crate) fn position(account: &Account, market: MarketId) -> (Lots, Quanta) {
    account
        .positions()
        .iter()
        .find(|p| p.market == market)
        .map_or((Lots::ZERO, Quanta::ZERO), |p| (p.lots, p.cost))
}

pub(crate) fn balance(account: &Account, asset: AssetId) -> i128 {
    account.balances().iter().find(|b| b.asset == asset).map_or(0, |b| b.amount.get())
}

/// Quanta of an asset per atom: 10^-(decimals + quantum exponent).
fn quanta_per_atom(scale: AssetScale) -> Result<i128, MathError> {
    let places = i32::from(scale.decimals).wrapping_add(i32::from(scale.quantum_exponent)).wrapping_neg();
    let places = u32::try_from(places).map_err(|_| MathError::Overflow)?;
    10_i128.checked_pow(places).ok_or(MathError::Overflow)
}

/// Quanta of an asset as atoms, rounded as told. A realised result is rounded down: what is paid to a holder is never more,
/// what it pays never less; the rest stays with the house (in `Unsettled`).
pub(crate) fn atoms(scale: AssetScale, quanta: Quanta, rounding: Rounding) -> Result<i128, MathError> {
    wide::div(quanta.get(), quanta_per_atom(scale)?, rounding)
}

pub(crate) fn quanta(scale: AssetScale, atoms: i128) -> Result<Quanta, MathError> {
    atoms.checked_mul(quanta_per_atom(scale)?).map(Quanta::new).ok_or(MathError::Overflow)
}

/// Quanta of the numeraire as quanta of an asset at its middle price: value / price, rounded as told. The same number where the
/// asset is the numeraire.
pub(crate) fn in_settlement(
    view: &AssetView,
    value: Quanta,
    rounding: Rounding,
) -> Result<Quanta, MathError> {
    let unit = 10_i128
        .checked_pow(u32::from(view.scale.price_exponent.unsigned_abs()))
        .ok_or(MathError::Overflow)?;
    let price = i128::from(view.price.mid.get());
    let (up, down) = if view.scale.price_exponent <= 0 {
        (unit, price)
    } else {
        (1, price.checked_mul(unit).ok_or(MathError::Overflow)?)
    };
    Quanta::new(wide::mul_div(value.get(), up, down, rounding)?).try_add(Quanta::ZERO)
}

/// What a holder's position becomes by trading `lots` at `price`, as postings; what it realises is paid in cash.
pub(crate) fn side(
    view: &MarketView,
    scale: AssetScale,
    holder: Holder,
    held: (Lots, Quanta),
    lots: Lots,
    price: Ticks,
) -> Result<Vec<Posting>, MathError> {
    let value = view.scale.notional(lots, price)?;
    let mut postings = vec![Posting::position(holder, view.id, lots.get(), value)];
    postings.extend(realise(view, scale, holder, held, lots, value)?);
    Ok(postings)
}

impl RiskStack {
    pub(crate) fn market_terms(&self, draft: &Draft<'_>, id: MarketId) -> Step<(MarketView, AssetScale)> {
        let view = *draft.market(id).ok_or(MarginError::UnknownMarket(id))?;
        let scale = draft.asset(view.settlement).ok_or(MarginError::UnknownAsset(view.settlement))?.scale;
        Ok((view, scale))
    }

    /// Moves a group's accrued funding into its cost; its funding marker moves with the posting.
    pub(crate) fn settle_funding(&self, draft: &mut Draft<'_>, group: GroupId, market: MarketId) -> Step<()> {
        let (view, _) = self.market_terms(draft, market)?;
        let Some(p) = draft.held(group, market) else { return Ok(()) };
        let owed = pending_funding(p.lots, view.funding, p.snapshot)?;
        if owed.is_zero() {
            return Ok(());
        }
        let postings = vec![
            Posting::position(Holder::Group(group), market, 0, owed),
            Posting::position(UNSETTLED, market, 0, owed.try_neg()?),
        ];
        Ok(draft.post(Reason::Funding, postings)?)
    }

    /// Charges the pool and the suspense account of a market for a move of its funding index, at once: only groups have a
    /// marker of their own, and what longs pay somebody has to receive (INV-2). Rounded up, against them.
    pub(crate) fn house_funding(
        &self,
        draft: &mut Draft<'_>,
        market: MarketId,
        before: FundingIndex,
        now: FundingIndex,
    ) -> Step<()> {
        let pools = self.parts.pools.iter().map(|p| Holder::Pool(p.id));
        let holders: Vec<Holder> = pools.chain([SUSPENSE]).collect();
        for holder in holders {
            let held = draft.holding(holder, Item::Position(market)).units;
            let lots = Lots::new(i64::try_from(held).map_err(|_| MathError::Overflow)?);
            let owed = pending_funding(lots, now, before)?;
            if !owed.is_zero() {
                let postings = vec![
                    Posting::position(holder, market, 0, owed),
                    Posting::position(UNSETTLED, market, 0, owed.try_neg()?),
                ];
                draft.post(Reason::Funding, postings)?;
            }
        }
        Ok(())
    }

    pub(crate) fn settle_all_funding(&self, draft: &mut Draft<'_>, group: GroupId) -> Step<()> {
        let markets: Vec<MarketId> = draft.account(group).positions().iter().map(|p| p.market).collect();
        markets.into_iter().try_for_each(|m| self.settle_funding(draft, group, m))
    }

    /// Books a trade between two groups: the buyer of `lots` (a seller where negative) and its counterparty.
    pub(crate) fn trade(
        &self,
        draft: &mut Draft<'_>,
        reason: Reason,
        (a, b): (GroupId, GroupId),
        market: MarketId,
        lots: Lots,
        price: Ticks,
    ) -> Step<()> {
        self.settle_funding(draft, a, market)?;
        self.settle_funding(draft, b, market)?;
        let (view, scale) = self.market_terms(draft, market)?;
        let mut postings = side(&view, scale, Holder::Group(a), draft.position(a, market), lots, price)?;
        postings.extend(side(
            &view,
            scale,
            Holder::Group(b),
            draft.position(b, market),
            lots.try_neg()?,
            price,
        )?);
        draft.post(reason, postings)?;
        self.observe_interest(draft, market)
    }

    fn observe_interest(&self, draft: &mut Draft<'_>, market: MarketId) -> Step<()> {
        let lots = draft.market(market).map_or(Lots::ZERO, |m| m.open_interest);
        self.observe(draft, &Observation::OpenInterest { market, lots })
    }

    /// What a pool has in a market: its position, its cash and its equity at the middle of the mark.
    pub(crate) fn pool_view(&self, draft: &Draft<'_>, pool: PoolId, market: &MarketView) -> Step<PoolView> {
        let (_, scale) = self.market_terms(draft, market.id)?;
        let holding = draft.holding(Holder::Pool(pool), Item::Position(market.id));
        let cash = draft.cash(Holder::Pool(pool), market.settlement);
        let lots = Lots::new(i64::try_from(holding.units).map_err(|_| MathError::Overflow)?);
        let worth = market.scale.notional(lots, market.mark.mid)?;
        let equity = quanta(scale, cash)?.try_add(worth)?.try_sub(holding.cost)?;
        Ok(PoolView { id: pool, lots, cost: holding.cost, cash: cofferdam_core::Amount::new(cash), equity })
    }

    /// Trades with the market's own pool inside the step. Answers the lots filled and their notional at the pool's price.
    pub(crate) fn pool_trade(
        &self,
        draft: &mut Draft<'_>,
        reason: Reason,
        group: GroupId,
        pool: PoolId,
        lots: Lots,
        limit: Ticks,
    ) -> Step<Lots> {
        let Some((index, terms)) = self.pool(pool) else { return Ok(Lots::ZERO) };
        let crate::PoolKind::Trading { market, pricing } = &terms.kind else { return Ok(Lots::ZERO) };
        let market = *market;
        self.settle_funding(draft, group, market)?;
        let (view, scale) = self.market_terms(draft, market)?;
        let pool_view = self.pool_view(draft, pool, &view)?;
        let cash = pool_view.cash.get();
        let order = PoolOrder { taker: Holder::Group(group), lots, limit };
        let at = draft.head().at;
        let slot = Self::slot(slots::POOLS, index)?;
        let fill = draft.with_memory(slot, |_, m| pricing.fill(at, &order, &pool_view, &view, m))??;
        let filled = lots.try_sub(fill.left)?;
        let moved = check_fill(&fill, &order, &pool_view, &view, quanta_per_atom(scale)?)?;
        if filled.is_zero() {
            return Ok(filled);
        }
        // the pool states lots, cost and fees; what the trade realises for either side is ours to settle
        let taker = (Holder::Group(group), draft.position(group, market), filled, moved);
        let maker =
            (Holder::Pool(pool), (pool_view.lots, pool_view.cost), filled.try_neg()?, moved.try_neg()?);
        let mut postings = fill.postings;
        for (holder, held, traded, cost) in [taker, maker] {
            postings.extend(realise(&view, scale, holder, held, traded, cost)?);
        }
        // a pool pays out of what it has (INV-7): who wins more than that waits until it has more, or closes less
        let pays = postings.iter().filter(|p| p.holder == Holder::Pool(pool));
        let pays = pays.filter(|p| p.item == Item::Asset(view.settlement));
        let left = pays.map(|p| p.units).try_fold(cash, i128::checked_add).ok_or(MathError::Overflow)?;
        if left < 0 {
            let available = cofferdam_core::Amount::new(cash.max(0));
            return super::refuse(crate::Rejection::Insufficient { available });
        }
        draft.post(reason, postings)?;
        self.observe_interest(draft, market)?;
        Ok(filled)
    }

    /// Marks a forced close in the life of the deleveraging event, which opens when enough was closed in one window.
    pub(crate) fn forced(&self, draft: &mut Draft<'_>, value: Quanta) -> Step<()> {
        draft.record(Fact::Event(EventMark::Forced { value }))?;
        if draft.head().event.is_none() && draft.head().window_forced >= self.parts.event.opens_at {
            let id = cofferdam_core::EventId(draft.head().next_event);
            draft.record(Fact::Event(EventMark::Opened { id }))?;
        }
        Ok(())
    }
}

/// Holds a pool to its contract: balanced postings between taker, pool and the house's fees, no more lots than ordered, no
/// worse a price than accepted, nothing out of the house. Answers what the taker's lots cost.
fn check_fill(
    fill: &Fill,
    order: &PoolOrder,
    pool: &PoolView,
    market: &MarketView,
    quanta_per_atom: i128,
) -> Step<Quanta> {
    let filled = order.lots.try_sub(fill.left)?;
    let within = filled.is_zero() || filled.signum() == order.lots.signum();
    if !within || filled.try_abs()? > order.lots.try_abs()? {
        return Err(StepError::Contract("a pool filled more than was ordered, or the other way"));
    }
    let (mut lots, mut cost, mut paid) = (0_i128, Quanta::ZERO, 0_i128);
    for p in &fill.postings {
        let taker = p.holder == order.taker;
        let known = taker
            || p.holder == Holder::Pool(pool.id)
            || (p.holder == Holder::House(House::Fees) && p.units >= 0);
        match p.item {
            Item::Position(m) if m == market.id && known && !matches!(p.holder, Holder::House(_)) => {
                if taker {
                    lots = lots.checked_add(p.units).ok_or(MathError::Overflow)?;
                    cost = cost.try_add(p.cost)?;
                }
            }
            Item::Asset(a) if a == market.settlement && known && p.cost.is_zero() => {
                if taker {
                    paid = paid.checked_sub(p.units).ok_or(MathError::Overflow)?;
                }
            }
            _ => return Err(StepError::Contract("a pool moved something that is not its to move")),
        }
    }
    if lots != i128::from(filled.get()) {
        return Err(StepError::Contract("the lots that a pool moved are not those that it filled"));
    }
    // cost + fees <= lots x limit x k, as ceil(.. / k) <= lots x limit: 63 + 63 bits
    let fees = paid.checked_mul(quanta_per_atom).ok_or(MathError::Overflow)?;
    let all = cost.get().checked_add(fees).ok_or(MathError::Overflow)?;
    let per_lot = wide::div(all, i128::from(market.scale.quanta_per_lot_tick()), Rounding::Up)?;
    if per_lot > i128::from(filled.get()).wrapping_mul(i128::from(order.limit.get())) {
        return Err(StepError::Contract("a pool filled past the taker's limit"));
    }
    Ok(cost)
}

/// Postings that pay out what a trade of `traded` lots for `value` (their signed cost) realises on a held position.
fn realise(
    view: &MarketView,
    scale: AssetScale,
    holder: Holder,
    (have, cost): (Lots, Quanta),
    traded: Lots,
    value: Quanta,
) -> Result<Vec<Posting>, MathError> {
    if have.signum() == 0 || have.signum() == traded.signum() {
        return Ok(Vec::new());
    }
    let closed_size = have.try_abs()?.get().min(traded.try_abs()?.get());
    let closed = Lots::new(if have.is_negative() { closed_size.wrapping_neg() } else { closed_size });
    // the part of the trade's value that closes, rounded against the holder
    let size = traded.try_abs()?.get();
    let closing_value = wide::mul_div(value.get(), i128::from(closed_size), i128::from(size), Rounding::Up)?;
    let proceeds = Quanta::new(closing_value.checked_neg().ok_or(MathError::Overflow)?);
    let realised = proceeds.try_sub(MarketScale::released_cost(cost, closed, have)?)?;
    let cash = atoms(scale, realised, Rounding::Down)?;
    let mut out = vec![
        Posting::position(holder, view.id, 0, realised),
        Posting::position(UNSETTLED, view.id, 0, realised.try_neg()?),
    ];
    out.extend(Posting::transfer(UNSETTLED, holder, Item::Asset(view.settlement), cash));
    Ok(out)
}
