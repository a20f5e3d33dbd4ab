//! What every closing strategy needs: who may ask, how much is allowed, what a close would do to health, and orders.

use crate::{Bid, LiquidationError, OrderTerms, Penalty, Plan, Refusal, Step, Taker};
use alloc::vec::Vec;
use cofferdam_core::{
    AssetScale, AssetView, Case, Health, Holder, House, Instrument, Item, Level, Lots, MarketId, MarketScale,
    MarketView, MathError, Millis, PositionView, Posting, Quanta, Rounding, Ticks, wide,
};
use core::cmp::Ordering;

/// The market with a usable mark.
pub(crate) fn market<'c>(case: &Case<'c>, id: MarketId) -> Result<&'c MarketView, LiquidationError> {
    case.world
        .market(id)
        .filter(|m| m.mark.is_usable())
        .ok_or(LiquidationError::NoPrice(Instrument::Market(id)))
}

/// The asset with a usable price.
pub(crate) fn asset<'c>(
    case: &Case<'c>,
    id: cofferdam_core::AssetId,
) -> Result<&'c AssetView, LiquidationError> {
    case.world
        .asset(id)
        .filter(|a| a.price.is_usable())
        .ok_or(LiquidationError::NoPrice(Instrument::Asset(id)))
}

fn ten_to(exponent: u32) -> Result<i128, MathError> {
    10_i128.checked_pow(exponent).ok_or(MathError::Overflow)
}

/// value / price: quanta of the numeraire as quanta of an asset, at its middle price.
pub(crate) fn to_settlement(view: &AssetView, value: Quanta, round: Rounding) -> Result<Quanta, MathError> {
    let (price, e) = (i128::from(view.price.mid.get()), view.scale.price_exponent);
    let unit = ten_to(u32::from(e.unsigned_abs()))?;
    let (up, down) =
        if e < 0 { (unit, price) } else { (1, price.checked_mul(unit).ok_or(MathError::Overflow)?) };
    Quanta::new(wide::mul_div(value.get(), up, down, round)?).try_add(Quanta::ZERO)
}

/// quanta x price: quanta of an asset as quanta of the numeraire, at its middle price.
pub(crate) fn to_numeraire(view: &AssetView, quanta: Quanta, round: Rounding) -> Result<Quanta, MathError> {
    let (price, e) = (i128::from(view.price.mid.get()), view.scale.price_exponent);
    let unit = ten_to(u32::from(e.unsigned_abs()))?;
    let (up, down) =
        if e < 0 { (price, unit) } else { (price.checked_mul(unit).ok_or(MathError::Overflow)?, 1) };
    Quanta::new(wide::mul_div(quanta.get(), up, down, round)?).try_add(Quanta::ZERO)
}

/// Quanta of an asset as its atoms.
fn to_atoms(scale: AssetScale, quanta: Quanta, round: Rounding) -> Result<i128, MathError> {
    let shift = i32::from(scale.decimals).saturating_add(i32::from(scale.quantum_exponent)); // both fit 9 bits
    let unit = ten_to(shift.unsigned_abs())?;
    if shift < 0 {
        wide::div(quanta.get(), unit, round)
    } else {
        quanta.get().checked_mul(unit).ok_or(MathError::Overflow)
    }
}

/// Absolute notional of a position at mark, in quanta of the numeraire, rounded up.
pub(crate) fn notional(case: &Case<'_>, id: MarketId, lots: Lots) -> Result<Quanta, LiquidationError> {
    let view = market(case, id)?;
    let settled = view.scale.absolute_notional(lots, view.mark.mid)?;
    Ok(to_numeraire(asset(case, view.settlement)?, settled, Rounding::Up)?)
}

/// What a strategy that leaves nothing to the bidder refuses at once.
pub(crate) fn refusal(case: &Case<'_>, bid: &Bid) -> Option<Refusal> {
    if !case.health.below(Level::Maintenance) {
        return Some(Refusal::Healthy);
    }
    if bid.give.is_some() || bid.want.is_some() || bid.auction.is_some() {
        return Some(Refusal::NotForThisBid { takes: "a bid that leaves everything to the strategy" });
    }
    matches!(bid.by, Taker::Keeper(k) if k == case.group.id)
        .then_some(Refusal::NotForThisBid { takes: "a keeper other than the account itself" })
}

/// Lots that may still be traded by a plan, over all its markets together: never more than any reading of the verdict.
#[derive(Debug)]
pub(crate) struct Budget {
    left: u128,
    retry: Millis,
    short: bool,
}

impl Budget {
    pub(crate) fn of(case: &Case<'_>, pause: Millis) -> Result<Self, LiquidationError> {
        let now = case.at.time;
        let retry = if now < case.allowed.not_before { case.allowed.not_before } else { now.try_add(pause)? };
        Ok(Self { left: case.allowed.allowed(now), retry, short: false })
    }

    /// What may be done at once, in the verdict's unit.
    pub(crate) const fn left(&self) -> u128 {
        self.left
    }

    /// As much of a trade as is left.
    pub(crate) fn take(&mut self, lots: Lots) -> Result<Lots, LiquidationError> {
        let asked = u128::from(lots.get().unsigned_abs());
        let granted = asked.min(self.left);
        self.left = self.left.saturating_sub(granted); // granted <= left
        self.short |= granted < asked;
        let size = i64::try_from(granted).map_err(|_| MathError::Overflow)?;
        Ok(Lots::new(if lots.is_negative() { size.wrapping_neg() } else { size })) // size >= 0
    }

    /// When more may be allowed.
    pub(crate) const fn retry(&self) -> Millis {
        self.retry
    }

    /// When to ask again, if something was cut.
    pub(crate) fn again(&self) -> Option<Millis> {
        self.short.then_some(self.retry)
    }
}

/// A trade to be ordered: market and signed lots, against the position.
pub(crate) type Trade = (MarketId, Lots);

/// Orders for trades, as far as the budget goes. Several orders at bankruptcy prices share the equity by notional, rounded
/// down, so that all of them filled at their limits together leave no deficit.
pub(crate) fn orders(
    case: &Case<'_>,
    bid: &Bid,
    terms: &OrderTerms,
    trades: &[Trade],
    budget: &mut Budget,
) -> Result<Vec<Step>, LiquidationError> {
    let mut sized = Vec::with_capacity(trades.len());
    let mut total = Quanta::ZERO;
    for (id, lots) in trades {
        let n = notional(case, *id, *lots)?;
        total = total.try_add(n)?;
        sized.push((*id, *lots, n));
    }
    let (penalty, expires) = (terms.penalty.for_taker(bid.by), case.at.time.try_add(terms.ttl)?);
    let mut steps = Vec::new();
    for (id, lots, n) in sized {
        let share = if total.is_zero() {
            case.health.equity
        } else {
            Quanta::new(wide::mul_div(case.health.equity.get(), n.get(), total.get(), Rounding::Down)?)
        };
        // the limit of the whole trade also serves the part of it that is allowed now
        let limit = terms.limit.price(case, id, lots, share)?;
        let lots = budget.take(lots)?;
        if !lots.is_zero() {
            steps.push(Step::Order { market: id, lots, limit, penalty, expires });
        }
    }
    Ok(steps)
}

/// Postings of closing `lots` (signed, against the position) at a price and paying the penalty: what a what-if needs. Cost
/// leaves as in a real partial close, the realised result becomes cash rounded down, the penalty is rounded up.
/// Funding stays as the view shows it.
pub(crate) fn close_at(
    case: &Case<'_>,
    position: &PositionView,
    lots: Lots,
    price: Ticks,
    penalty: &Penalty,
) -> Result<Vec<Posting>, LiquidationError> {
    let view = market(case, position.market)?;
    let settlement = asset(case, view.settlement)?.scale;
    let cost = MarketScale::released_cost(position.cost, lots.try_neg()?, position.lots)?;
    // the close is a trade the other way: its proceeds are minus its own notional
    let proceeds = view.scale.notional(lots.try_neg()?, price)?;
    let result = to_atoms(settlement, proceeds.try_sub(cost)?, Rounding::Down)?;
    let charge = penalty.on(view.scale.absolute_notional(lots, price)?)?;
    let charge = to_atoms(settlement, charge, Rounding::Up)?;
    let (group, cash) = (Holder::Group(case.group.id), Item::Asset(view.settlement));
    let other = lots.get().checked_neg().ok_or(MathError::Overflow)?;
    let mut postings = alloc::vec![
        Posting::position(group, position.market, lots.get(), cost.try_neg()?),
        Posting::position(Holder::Outside, position.market, other, cost),
    ];
    postings.extend(Posting::transfer(Holder::Outside, group, cash, result));
    postings.extend(Posting::transfer(group, Holder::House(House::Fees), cash, charge));
    Ok(postings)
}

/// [`close_at`] the mark price.
pub(crate) fn close_at_mark(
    case: &Case<'_>,
    position: &PositionView,
    lots: Lots,
    penalty: &Penalty,
) -> Result<Vec<Posting>, LiquidationError> {
    close_at(case, position, lots, market(case, position.market)?.mark.mid, penalty)
}

/// Whether the ratio of support to demand at maintenance is worse than before (INV-18). With no demand left, a support
/// below zero is worse than every ratio; with none before either, supports are compared.
pub(crate) fn worse(before: &Health, after: &Health) -> bool {
    let none = |h: &Health| h.line(Level::Maintenance).filter(|l| l.demand.get() <= 0);
    match (none(before), none(after)) {
        (Some(before), Some(after)) => after.support < before.support,
        (None, Some(after)) => after.support.is_negative(),
        _ => after.worst_first(before) == Ordering::Less,
    }
}

/// What steps do to the account: orders and pool trades filled at mark with their penalty, lots taken or deleveraged at their
/// price. What a strategy asks [`cofferdam_core::Case::what_if`] about.
pub fn effect(case: &Case<'_>, steps: &[Step]) -> Result<Vec<Posting>, LiquidationError> {
    let mut postings = Vec::new();
    for step in steps {
        let (id, lots, price, penalty) = match step {
            Step::Move(moved) => {
                postings.extend(moved);
                continue;
            }
            Step::Auction { asset, lot, debt, scaled } => {
                let (group, auction) = (Holder::Group(case.group.id), Holder::Auction(case.next_auction));
                let units = i128::try_from(scaled.get()).map_err(|_| MathError::Overflow)?;
                postings.extend(Posting::transfer(group, auction, Item::Asset(*asset), lot.get()));
                postings.extend(Posting::transfer(group, auction, Item::Debt(*debt), units));
                continue;
            }
            Step::Offset { asset, amount, debt, scaled, .. }
            | Step::Redistribute { asset, amount, debt, scaled } => {
                // to whom is the stack's to say; of the account it is gone
                let (group, others) = (Holder::Group(case.group.id), Holder::Outside);
                let units = i128::try_from(scaled.get()).map_err(|_| MathError::Overflow)?;
                postings.extend(Posting::transfer(group, others, Item::Asset(*asset), amount.get()));
                postings.extend(Posting::transfer(group, others, Item::Debt(*debt), units));
                continue;
            }
            Step::Cover { asset, amount } => {
                let group = Holder::Group(case.group.id);
                let cash = Item::Asset(*asset);
                postings.extend(Posting::transfer(Holder::Outside, group, cash, amount.get()));
                continue;
            }
            Step::Loss { .. } | Step::Bands(_) | Step::Stake { .. } => continue,
            Step::Order { market: id, lots, penalty, .. } | Step::Trade { market: id, lots, penalty, .. } => {
                (*id, *lots, market(case, *id)?.mark.mid, *penalty)
            }
            Step::Take { market: id, lots, price, penalty } => (*id, *lots, *price, *penalty),
            Step::Deleverage { market: id, lots, price } => (*id, *lots, *price, Penalty::default()),
        };
        if let Some(position) = case.group.position(id) {
            postings.extend(close_at(case, position, lots, price, &penalty)?);
        }
    }
    Ok(postings)
}

/// Whether steps worsen the ratio of support to demand at maintenance (INV-18): what a strategy says in [`Plan::worsens`]. Orders
/// are taken as filled at the mark.
pub fn steps_worsen(case: &Case<'_>, steps: &[Step]) -> Result<bool, LiquidationError> {
    if steps.is_empty() {
        return Ok(false);
    }
    Ok(worse(&case.health, &(case.what_if)(&effect(case, steps)?)?))
}

/// An account without positions: with nothing of value left, what it owes is lost (INV-23); otherwise there is nothing here
/// for a strategy that closes positions.
pub fn remains(case: &Case<'_>) -> Result<Plan, Refusal> {
    if case.group.balances.iter().any(|b| b.amount.get() > 0) {
        return Err(Refusal::Nothing);
    }
    let holder = Holder::Group(case.group.id);
    let cash = case.group.balances.iter().filter_map(|b| {
        let owed = b.amount.try_neg().ok().filter(|a| a.get() > 0)?;
        Some(Step::Loss { holder, asset: b.asset, amount: owed })
    });
    let debts = case.group.debts.iter().filter(|d| d.owed.get() > 0);
    let debts = debts.map(|d| Step::Loss { holder, asset: d.asset, amount: d.owed });
    let steps: Vec<Step> = cash.chain(debts).collect();
    if steps.is_empty() { Err(Refusal::Nothing) } else { Ok(Plan { steps, again: None, worsens: false }) }
}

/// Positions that hold lots, by a key from largest to smallest, ties by market.
pub(crate) fn sorted_by<K: Ord>(
    case: &Case<'_>,
    mut key: impl FnMut(&PositionView) -> Result<K, LiquidationError>,
) -> Result<Vec<(K, PositionView)>, LiquidationError> {
    let mut keyed = Vec::new();
    for p in case.group.positions.iter().filter(|p| !p.lots.is_zero()) {
        keyed.push((key(p)?, *p));
    }
    keyed.sort_by(|(a, p), (b, q)| b.cmp(a).then(p.market.cmp(&q.market)));
    Ok(keyed)
}
