//! Ways out without a market: a backstop vault takes the account over, or holders of the other side are closed against it.

use crate::close::{Budget, market, notional, refusal, remains, sorted_by, steps_worsen};
use crate::terms::{accept, bankruptcy_price_with};
use crate::{Bid, LiquidationError, LiquidationStrategy, Plan, Refusal, Step};
use alloc::vec::Vec;
use cofferdam_core::{
    Case, GroupId, Holder, Item, Level, Lots, MarketScale, MathError, Memory, Millis, Posting, Quanta,
    Rounding, wide,
};

/// A vault takes positions, balances and debts as they are (Hyperliquid: the liquidator vault, below two thirds of
/// maintenance; the maintenance margin is not returned). Nothing is realised: lots move with their whole cost, pending
/// funding is settled by the stack before the move and is not part of it.
///
/// Where the breakers allow only some of the lots, the vault takes the same share of everything, rounded towards zero:
/// what a rounding leaves stays with the account, and its ratio stays as it is but for that. Where that is not one whole
/// lot, nothing moves yet.
///
/// Above its level it answers [`Refusal::Healthy`]. Whether the vault can bear the account is for the stack to check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Takeover {
    vault: GroupId,
    below: Level,
    pause: Millis,
}

impl Takeover {
    /// Into `vault`, for accounts below `below` (backstop or maintenance); what the breakers cut is tried again after
    /// `pause`.
    pub fn new(vault: GroupId, below: Level, pause: Millis) -> Result<Self, LiquidationError> {
        accept(below <= Level::Maintenance, "below", below as i128, "backstop or maintenance")?;
        accept(pause > Millis::ZERO, "pause", 0, "at least 1 ms")?;
        Ok(Self { vault, below, pause })
    }

    /// Everything the account has, `part` in `whole` of it.
    fn postings(&self, case: &Case<'_>, part: i128, whole: i128) -> Result<Vec<Posting>, LiquidationError> {
        let share = |units: i128| wide::mul_div(units, part, whole, Rounding::TowardsZero);
        let (from, to) = (Holder::Group(case.group.id), Holder::Group(self.vault));
        let mut postings = Vec::new();
        for p in case.group.positions {
            let lots = i64::try_from(share(p.lots.get().into())?).map_err(|_| MathError::Overflow)?;
            if lots != 0 {
                let cost = MarketScale::released_cost(p.cost, Lots::new(lots), p.lots)?;
                let away = lots.checked_neg().ok_or(MathError::Overflow)?;
                postings.push(Posting::position(from, p.market, away, cost.try_neg()?));
                postings.push(Posting::position(to, p.market, lots, cost));
            }
        }
        if postings.is_empty() && case.group.positions.iter().any(|p| !p.lots.is_zero()) {
            return Ok(postings); // no whole lot fits: cash does not go without its risk
        }
        let balances = case.group.balances.iter().map(|b| (Item::Asset(b.asset), Ok(b.amount.get())));
        let debts =
            case.group.debts.iter().map(|d| {
                (Item::Debt(d.asset), i128::try_from(d.scaled.get()).map_err(|_| MathError::Overflow))
            });
        for (item, units) in balances.chain(debts) {
            let units = share(units?)?;
            if units != 0 {
                postings.extend(Posting::transfer(from, to, item, units));
            }
        }
        Ok(postings)
    }
}

impl LiquidationStrategy for Takeover {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        _memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        if let Some(no) = refusal(case, bid) {
            return Ok(Err(no));
        }
        if !case.health.below(self.below) {
            return Ok(Err(Refusal::Healthy));
        }
        if case.group.id == self.vault {
            return Ok(Err(Refusal::NotForThisBid { takes: "accounts other than the vault itself" }));
        }
        let budget = Budget::of(case, self.pause)?;
        let (part, whole) = match (size(case)?, budget.left()) {
            (0, left) => (u128::from(left > 0), 1), // nothing but debts: whole or not yet
            (size, left) => (left.min(size), size),
        };
        let signed = |x: u128| i128::try_from(x).map_err(|_| MathError::Overflow);
        let postings = self.postings(case, signed(part)?, signed(whole)?)?;
        let again = (part < whole).then(|| budget.retry());
        let steps = if postings.is_empty() { Vec::new() } else { alloc::vec![Step::Move(postings)] };
        if steps.is_empty() && again.is_none() {
            return Ok(Err(Refusal::Nothing));
        }
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again, worsens }))
    }
}

/// What a limit counts: lots, or the atoms seized from an account without lots.
fn size(case: &Case<'_>) -> Result<u128, MathError> {
    let add = |sum: u128, x: u128| sum.checked_add(x).ok_or(MathError::Overflow);
    let mut lots = case.group.positions.iter().map(|p| u128::from(p.lots.get().unsigned_abs()));
    let mut atoms = case.group.balances.iter().map(|b| b.amount.positive_part().get().unsigned_abs());
    match lots.try_fold(0, add)? {
        0 => atoms.try_fold(0, add),
        lots => Ok(lots),
    }
}

/// At which price lots that nobody took are handed to loss allocation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeleveragePrice {
    /// The bankruptcy price: the account ends with nothing (Binance, dYdX v4).
    #[default]
    Bankruptcy,
    /// The mark price now (OKX, dYdX v4 at final settlement): what is missing becomes a deficit.
    Mark,
    /// The mark before the last one (Hyperliquid).
    PreviousMark,
}

/// Hands every position to loss allocation (auto-deleveraging), largest notional first, ties by market. Meant as the last
/// tier, for accounts that are insolvent.
///
/// ```
/// use cofferdam_core::{Lots, MarketId, Millis, Ticks};
/// use cofferdam_liquidation_strategy::{conformance::Bench, *};
/// let last = Deleverage::new(DeleveragePrice::Bankruptcy, Millis(1_000))?;
/// let bench = Bench::perpetual(-20).with_position(MarketId(0), 10, 1_000);
/// assert_eq!(bench.plan(&last, &Bid::ENGINE)?.unwrap().steps,
///     [Step::Deleverage { market: MarketId(0), lots: Lots::new(-10), price: Ticks::new(102) }]);
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deleverage {
    price: DeleveragePrice,
    pause: Millis,
}

impl Deleverage {
    /// At this price; what the breakers cut is tried again after `pause`.
    pub fn new(price: DeleveragePrice, pause: Millis) -> Result<Self, LiquidationError> {
        accept(pause > Millis::ZERO, "pause", 0, "at least 1 ms")?;
        Ok(Self { price, pause })
    }
}

impl LiquidationStrategy for Deleverage {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        _memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        if let Some(no) = refusal(case, bid) {
            return Ok(Err(no));
        }
        let positions = sorted_by(case, |p| notional(case, p.market, p.lots))?;
        if positions.is_empty() {
            return Ok(remains(case));
        }
        let mut total = Quanta::ZERO;
        for (n, _) in &positions {
            total = total.try_add(*n)?;
        }
        let mut budget = Budget::of(case, self.pause)?;
        let mut steps = Vec::new();
        for (n, p) in &positions {
            let view = market(case, p.market)?;
            let price = match self.price {
                DeleveragePrice::Mark => view.mark.mid,
                DeleveragePrice::PreviousMark if view.previous_mark.get() > 0 => view.previous_mark,
                DeleveragePrice::PreviousMark => view.mark.mid,
                DeleveragePrice::Bankruptcy => {
                    // each position bears its share of the equity by notional, rounded down: the account gains
                    let equity = case.health.equity.get();
                    let share = wide::mul_div(equity, n.get(), total.get(), Rounding::Down)?;
                    bankruptcy_price_with(case, p.market, p.lots, Quanta::new(share))?
                }
            };
            let lots = budget.take(p.lots.try_neg()?)?;
            if !lots.is_zero() {
                steps.push(Step::Deleverage { market: p.market, lots, price });
            }
        }
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: budget.again(), worsens }))
    }
}
