//! The contracts of this room as code: the same checks for built-in rules and for those of strangers. They run on any
//! executor-less target; each returns the first law that was broken, with the case that broke it.

use crate::{Accrual, Fill, IndexMove, MarketError, PoolMoment, PoolOrder, PoolPricing, PoolView, Subject};
use alloc::{format, string::String, vec::Vec};
use cofferdam_core::{
    At, GroupId, Holder, House, Item, Lots, MapMemory, MarketView, Millis, Posting, PriceState, PriceView,
    Quanta, Slot, Ticks, check_balanced,
};

/// A law that an implementation broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{law}: {case}")]
pub struct Violation {
    /// The law, in the words of the contract.
    pub law: &'static str,
    /// The case that broke it.
    pub case: String,
}

/// Where a pool is tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolTrial {
    /// The market, with a usable mark.
    pub market: MarketView,
    /// The pool before the first order.
    pub pool: PoolView,
    /// Orders to try, in lots; each is also split in two, and undone.
    pub orders: Vec<Lots>,
    /// Quanta per atom of the settlement asset, to add fees in atoms to costs in quanta.
    pub quanta_per_atom: i64,
}

/// The most lots that a change of price is tried with.
const LOTS_MAX: i64 = 1 << 40;

const TAKER: Holder = Holder::Group(GroupId(u32::MAX));

/// Checks the contract of [`PoolPricing`] on a trial. An error of the pool itself is a violation too.
///
/// ```
/// # use cofferdam_core::*;
/// # use cofferdam_market::{*, conformance::{PoolTrial, check_pool}};
/// # let pool = ConstantProduct::new(ConstantProductParams {
/// #     depth: Lots::new(1_000_000), inventory_max: Lots::new(100_000), fee: Ppb(500_000),
/// #     skew_fee: Ppb(2_000_000), rebate: Ppb(500_000_000), house_share: Ppb(100_000_000), quanta_per_atom: 1,
/// # })?;
/// let price = PriceView::exact(Ticks::new(100_000), Millis::ZERO);
/// let trial = PoolTrial {
///     market: MarketView {
///         id: MarketId(1), scale: MarketScale::from_factor(10)?, settlement: AssetId(0), mark: price,
///         previous_mark: price.mid, index: price, open_interest: Lots::ZERO, funding: FundingIndex::ZERO,
///         volatility: Ppb::ZERO,
///     },
///     pool: PoolView {
///         id: PoolId(1), lots: Lots::ZERO, cost: Quanta::ZERO, cash: Amount::new(1_000_000_000), equity: Quanta::ZERO,
///     },
///     orders: vec![Lots::new(1), Lots::new(-7), Lots::new(5_000), Lots::new(-250_000)],
///     quanta_per_atom: 1,
/// };
/// assert_eq!(check_pool(&pool, &trial), Ok(()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_pool(pricing: &dyn PoolPricing, trial: &PoolTrial) -> Result<(), Violation> {
    for &lots in &trial.orders {
        single(pricing, trial, lots)?;
        round_trip(pricing, trial, lots)?;
        splitting(pricing, trial, lots)?;
        honouring(pricing, trial, lots)?;
    }
    Ok(())
}

/// Prices that move while accounts hold lots against the pool: nothing goes back at the first price, at one that has not moved or at
/// one that is not usable, and otherwise no more than a side's own result.
fn honouring(pricing: &dyn PoolPricing, trial: &PoolTrial, lots: Lots) -> Result<(), Violation> {
    let lots = lots.get().clamp(LOTS_MAX.wrapping_neg(), LOTS_MAX);
    let (long, short) = (i128::from(lots.max(0)), i128::from(lots.min(0)));
    let per_tick = i128::from(trial.market.scale.quanta_per_lot_tick());
    let mut now = PoolMoment { pool: trial.pool, market: trial.market };
    now.pool.lots = Lots::new(lots.saturating_neg());
    now.market.open_interest = Lots::new(lots.max(0));
    let mut memory = MapMemory::default();
    let first = trial.market.mark.mid.get();
    let (twice, half) = (first.saturating_mul(2), first.midpoint(0));
    let (mut worth, mut before) = (trial.pool.equity.get(), first);
    for (price, usable) in
        [(first, true), (first, true), (twice, true), (half, false), (half, true), (half, true)]
    {
        let mark = PriceView::exact(Ticks::new(price), trial.market.mark.as_of);
        now.market.mark = if usable { mark } else { mark.worsened(PriceState::Invalid) };
        let change = i128::from(price.saturating_sub(before)).saturating_mul(per_tick);
        let pools = i128::from(now.pool.lots.get()).saturating_mul(change);
        now.pool.equity = Quanta::new(worth.saturating_add(pools));
        let owed = memory
            .with(Slot(0), |m| pricing.unhonoured(&now, m))
            .map_err(|e| violation("a pool has an answer to a price", format!("{e}")))?;
        let change = if usable { change } else { 0 };
        let gains = (long.saturating_mul(change), short.saturating_mul(change));
        let part = |owed: Quanta, gain: i128| {
            let (owed, most) = (owed.get(), gain.unsigned_abs());
            owed == 0 || (owed.signum() == gain.signum() && owed.unsigned_abs() <= most)
        };
        expect(
            part(owed.long, gains.0) && part(owed.short, gains.1),
            "what is not honoured is a part of the side's own result",
            || format!("{lots} lots, {before} to {price}: {owed:?} of {gains:?}"),
        )?;
        if usable {
            let back = owed.long.get().saturating_add(owed.short.get());
            (worth, before) = (now.pool.equity.get().saturating_add(back), price);
        }
    }
    Ok(())
}

fn single(pricing: &dyn PoolPricing, trial: &PoolTrial, lots: Lots) -> Result<(), Violation> {
    let mut desk = Desk::new(pricing, trial);
    desk.trade(lots, any_price(lots))?;
    let mut again = Desk::new(pricing, trial);
    again.trade(lots, any_price(lots))?;
    expect(desk.same(&again), "the same question has the same answer", || format!("{lots} lots"))?;
    let mark = trial.market.mark.mid.get();
    for limit in [mark, mark.saturating_sub(mark.midpoint(0)), mark.saturating_add(mark.midpoint(0))] {
        Desk::new(pricing, trial).trade(lots, Ticks::new(limit))?;
    }
    for state in [PriceState::Invalid, PriceState::Missing] {
        let mut blind = Desk::new(pricing, trial);
        blind.market.mark = blind.market.mark.worsened(state);
        blind.trade(lots, any_price(lots))?;
        expect(blind.lots == 0, "no fill on an unusable price", || format!("{lots} lots on {state:?}"))?;
    }
    Ok(())
}

fn round_trip(pricing: &dyn PoolPricing, trial: &PoolTrial, lots: Lots) -> Result<(), Violation> {
    let mut desk = Desk::new(pricing, trial);
    desk.trade(lots, any_price(lots))?;
    let back = Lots::new(i64::try_from(desk.lots.saturating_neg()).unwrap_or(0));
    desk.trade(back, any_price(back))?;
    let paid = desk.paid(trial);
    expect(desk.lots != 0 || paid >= 0, "a round trip never gains (INV-4)", || {
        format!("{lots} lots and back paid {paid} quanta")
    })
}

fn splitting(pricing: &dyn PoolPricing, trial: &PoolTrial, lots: Lots) -> Result<(), Violation> {
    let (mut whole, mut parts) = (Desk::new(pricing, trial), Desk::new(pricing, trial));
    whole.trade(lots, any_price(lots))?;
    let half = Lots::new(lots.get().midpoint(0));
    let rest = Lots::new(lots.get().saturating_sub(half.get()));
    parts.trade(half, any_price(half))?;
    parts.trade(rest, any_price(rest))?;
    let (once, twice) = (whole.paid(trial), parts.paid(trial));
    expect(whole.lots != parts.lots || twice >= once, "splitting an order never gains (INV-6)", || {
        format!("{lots} lots paid {once} quanta at once and {twice} in two parts")
    })
}

// the worst limit there is: whoever buys pays anything, whoever sells takes anything
fn any_price(lots: Lots) -> Ticks {
    Ticks::new(if lots.is_negative() { i64::MAX.wrapping_neg() } else { i64::MAX })
}

/// One taker at one pool, with a book of its own.
struct Desk<'a> {
    pricing: &'a dyn PoolPricing,
    market: MarketView,
    pool: PoolView,
    memory: MapMemory,
    per_atom: i64,
    lots: i128,
    cost: i128,
    cash: i128,
}

impl<'a> Desk<'a> {
    fn new(pricing: &'a dyn PoolPricing, trial: &PoolTrial) -> Self {
        let (market, pool, per_atom) = (trial.market, trial.pool, trial.quanta_per_atom);
        Self { pricing, market, pool, memory: MapMemory::default(), per_atom, lots: 0, cost: 0, cash: 0 }
    }

    fn same(&self, other: &Self) -> bool {
        (self.lots, self.cost, self.cash) == (other.lots, other.cost, other.cash)
            && self.memory == other.memory
    }

    // What the taker has paid in all, in quanta: entry costs and the cash that left.
    fn paid(&self, trial: &PoolTrial) -> i128 {
        self.cost.saturating_sub(self.cash.saturating_mul(trial.quanta_per_atom.into()))
    }

    fn trade(&mut self, lots: Lots, limit: Ticks) -> Result<(), Violation> {
        let order = PoolOrder { taker: TAKER, lots, limit };
        let (pricing, pool, market) = (self.pricing, self.pool, self.market);
        let fill = self
            .memory
            .with(Slot(0), |memory| pricing.fill(At::default(), &order, &pool, &market, memory))
            .map_err(|e| violation("a legal order has an answer", format!("{order:?}: {e}")))?;
        let before = (self.lots, self.cost, self.cash);
        self.book(&fill).ok_or_else(|| {
            violation("postings touch the taker, the pool and the house only", format!("{fill:?}"))
        })?;
        let unbalanced = check_balanced(&fill.postings).err();
        expect(unbalanced.is_none(), "postings are balanced (INV-1)", || format!("{unbalanced:?}"))?;
        let filled = self.lots.saturating_sub(before.0);
        let ordered = i128::from(lots.get());
        let sound = filled.saturating_add(fill.left.get().into()) == ordered
            && filled.abs() <= ordered.abs()
            && (filled == 0 || (filled > 0) == (ordered > 0));
        expect(sound, "never more lots than were ordered", || format!("{filled} of {ordered}: {fill:?}"))?;
        let cash = self.cash.saturating_sub(before.2).saturating_mul(self.per_atom.into());
        let paid = self.cost.saturating_sub(before.1).saturating_sub(cash);
        let bound = filled
            .saturating_mul(limit.get().into())
            .saturating_mul(self.market.scale.quanta_per_lot_tick().into());
        expect(paid <= bound, "never past the taker's limit, fees included", || {
            format!("{filled} lots at a limit of {limit} paid {paid} quanta")
        })
    }

    // None where a posting touches what a fill must not touch
    fn book(&mut self, fill: &Fill) -> Option<()> {
        let (cash, position) = (Item::Asset(self.market.settlement), Item::Position(self.market.id));
        for &Posting { holder, item, units, cost } in &fill.postings {
            match (holder, item) {
                (h, i) if h == TAKER && i == position => {
                    self.lots = self.lots.checked_add(units)?;
                    self.cost = self.cost.checked_add(cost.get())?;
                }
                (h, i) if h == TAKER && i == cash => self.cash = self.cash.checked_add(units)?,
                (Holder::Pool(id), i) if id == self.pool.id && i == position => {
                    self.pool.lots = self.pool.lots.try_add(Lots::new(i64::try_from(units).ok()?)).ok()?;
                    self.pool.cost = self.pool.cost.try_add(cost).ok()?;
                }
                (Holder::Pool(id), i) if id == self.pool.id && i == cash => {
                    let units = cofferdam_core::Amount::new(units);
                    self.pool.cash = self.pool.cash.try_add(units).ok()?;
                }
                (Holder::House(House::Fees | House::Dust), i) if i == cash => {}
                _ => return None,
            }
        }
        Some(())
    }
}

/// Checks the contract of [`Accrual`] on a subject, at a few moments around `start`: twice at one time moves nothing the
/// second time, a debt index never falls, no unusable price moves anything, a clock that runs backwards moves nothing.
///
/// ```
/// # use cofferdam_core::*;
/// # use cofferdam_market::{*, conformance::check_accrual};
/// # let curve = KinkedRate::new(KinkedRateParams {
/// #     base: Ppb(50_000_000), slope_below: Ppb(0), slope_above: Ppb(0), kink: Ppb(800_000_000),
/// # })?;
/// let lending = LendingView {
///     asset: AssetId(2), cash: Amount::new(500), debt: Scaled::new(500), index: Index::START,
/// };
/// assert_eq!(check_accrual(&LendingInterest::new(Box::new(curve)), &Subject::Lending(lending), Millis(1)), Ok(()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_accrual(rule: &dyn Accrual, subject: &Subject, start: Millis) -> Result<(), Violation> {
    let mut memory = MapMemory::default();
    let mut now = *subject;
    for after in [0_u64, 1, 1_000, 3_600_000, 3_600_000_000] {
        let time = Millis(start.0.saturating_add(after));
        let moves = step(rule, &mut memory, time, &now)?;
        for m in &moves {
            now = moved(&now, m)
                .ok_or_else(|| violation("a debt index never falls (INV-9)", format!("{m:?} on {now:?}")))?;
        }
        let again = step(rule, &mut memory, time, &now)?;
        expect(again.is_empty(), "accruing twice at one time moves nothing", || format!("{again:?}"))?;
        let back = step(rule, &mut memory, Millis(time.0.saturating_sub(1)), &now)?;
        expect(back.is_empty(), "a clock that runs backwards moves nothing", || format!("{back:?}"))?;
    }
    let Subject::Market(market) = now else { return Ok(()) };
    for state in [PriceState::Invalid, PriceState::Missing] {
        let mark = Subject::Market(MarketView { mark: market.mark.worsened(state), ..market });
        let index = Subject::Market(MarketView { index: market.index.worsened(state), ..market });
        for (blind, after) in [(mark, 7_200_000_000_u64), (index, 7_300_000_000)] {
            let time = Millis(start.0.saturating_add(after));
            let moves = step(rule, &mut memory, time, &blind)?;
            expect(moves.is_empty(), "no unusable price moves an index (INV-31)", || {
                format!("{state:?}: {moves:?}")
            })?;
        }
    }
    Ok(())
}

fn step(
    rule: &dyn Accrual,
    memory: &mut MapMemory,
    time: Millis,
    subject: &Subject,
) -> Result<Vec<IndexMove>, Violation> {
    let at = At { seq: 0, time, block: 0 };
    memory
        .with(Slot(0), |m| rule.accrue(at, subject, m))
        .map_err(|e: MarketError| violation("a legal subject has an answer", format!("{subject:?}: {e}")))
}

fn moved(subject: &Subject, index: &IndexMove) -> Option<Subject> {
    match (*subject, *index) {
        (Subject::Market(m), IndexMove::Funding { to, .. }) => {
            Some(Subject::Market(MarketView { funding: to, ..m }))
        }
        (Subject::Lending(l), IndexMove::Debt { to, .. }) if to >= l.index => {
            Some(Subject::Lending(crate::LendingView { index: to, ..l }))
        }
        _ => None,
    }
}

fn violation(law: &'static str, case: String) -> Violation {
    Violation { law, case }
}

fn expect(holds: bool, law: &'static str, case: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(violation(law, case())) }
}
