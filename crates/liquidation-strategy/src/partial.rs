//! No more than needed: the smallest number of lots that lifts the account to its target (dYdX v4, Deribit, OKX close in
//! parts; INV-19).

use crate::close::{Budget, Trade, close_at_mark, market, orders, refusal, remains, sorted_by, steps_worsen};
use crate::terms::accept;
use crate::{Bid, LiquidationError, LiquidationStrategy, OrderTerms, Plan, Refusal};
use alloc::vec::Vec;
use cofferdam_core::{Case, Level, Lots, MathError, Memory, PositionView, Posting, Quanta, Rounding, wide};

/// Closes just enough that health is not below a target level, positions with the largest relief first.
///
/// Lots are found by bisection over [`Case::what_if`]: slack at the target is concave in the lots closed wherever the
/// requirement is convex in size (INV-14) and the penalty linear, so between a size that falls short and one that reaches
/// the target there is one crossing. At most 63 what-ifs per position.
///
/// Where no size reaches the target (past the toxic frontier, support < penalty x notional), everything is closed and the
/// plan says whether that worsens the ratio (INV-18).
///
/// ```
/// use cofferdam_core::{Level, Lots, MarketId, Millis, Quanta};
/// use cofferdam_liquidation_strategy::{conformance::Bench, *};
/// let terms = OrderTerms::new(LimitPrice::Any, Penalty::default(), Millis(1_000))?;
/// let partial = PartialToTarget::new(terms, Level::LiquidationEnd, Quanta::ZERO, Quanta::ZERO)?;
/// // 30 of equity against 5 % of 1000 at maintenance and 6 % at the end: 500 of notional may stay
/// let bench = Bench::perpetual(30).with_position(MarketId(0), 10, 1_000);
/// let plan = bench.plan(&partial, &Bid::ENGINE)?.expect("below maintenance");
/// assert!(matches!(plan.steps[0], Step::Order { lots, .. } if lots == Lots::new(-5)));
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartialToTarget {
    terms: OrderTerms,
    target: Level,
    step_min: Quanta,
    remainder_min: Quanta,
}

impl PartialToTarget {
    /// Closes to `target` (maintenance or stricter; a model without that level is asked at maintenance), at least
    /// `step_min` of notional at a time, leaving nothing or at least `remainder_min` of notional. Both in quanta of the
    /// market's settlement asset at mark.
    pub fn new(
        terms: OrderTerms,
        target: Level,
        step_min: Quanta,
        remainder_min: Quanta,
    ) -> Result<Self, LiquidationError> {
        accept(target >= Level::Maintenance, "target", target as i128, "maintenance or a stricter level")?;
        accept(!step_min.is_negative(), "step_min", step_min.get(), "0 or more quanta")?;
        accept(!remainder_min.is_negative(), "remainder_min", remainder_min.get(), "0 or more quanta")?;
        Ok(Self { terms, target, step_min, remainder_min })
    }

    /// Trades that lift the account to the target, or all of them where none do.
    fn trades(&self, case: &Case<'_>) -> Result<Vec<Trade>, LiquidationError> {
        let target = if case.health.line(self.target).is_some() { self.target } else { Level::Maintenance };
        let search = Search { case, target, terms: &self.terms };
        let before = search.slack(&[])?;
        let ranked = sorted_by(case, |p| {
            let after = search.slack(&search.closing(p, size_of(p))?)?;
            after.checked_sub(before).ok_or_else(|| MathError::Overflow.into())
        })?;
        let (mut trades, mut done) = (Vec::new(), Vec::new());
        for (_, p) in &ranked {
            if search.slack(&search.with(&done, p, size_of(p))?)? >= 0 {
                let size = self.whole_enough(case, p, search.smallest(&done, p)?)?;
                trades.push((p.market, against(p, size)?));
                return Ok(trades);
            }
            done.extend(search.closing(p, size_of(p))?);
            trades.push((p.market, against(p, size_of(p))?));
        }
        Ok(trades)
    }

    /// At least the smallest step, and no dust left behind.
    fn whole_enough(&self, case: &Case<'_>, p: &PositionView, size: u64) -> Result<u64, LiquidationError> {
        let view = market(case, p.market)?;
        let lot = view.scale.absolute_notional(Lots::ONE, view.mark.mid)?;
        // lots worth the smallest step, rounded up: the book gets no crumbs
        let step = wide::div(self.step_min.get(), lot.get(), Rounding::Up)?;
        let held = size_of(p);
        let size = size.max(u64::try_from(step).unwrap_or(u64::MAX)).min(held);
        let rest = i128::from(held.saturating_sub(size)); // size <= held
        let dust = rest.checked_mul(lot.get()).ok_or(MathError::Overflow)? < self.remainder_min.get();
        Ok(if dust { held } else { size })
    }
}

impl LiquidationStrategy for PartialToTarget {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        _memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        if let Some(no) = refusal(case, bid) {
            return Ok(Err(no));
        }
        if case.group.positions.iter().all(|p| p.lots.is_zero()) {
            return Ok(remains(case));
        }
        let trades = self.trades(case)?;
        let mut budget = Budget::of(case, self.terms.ttl)?;
        let steps = orders(case, bid, &self.terms, &trades, &mut budget)?;
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: budget.again(), worsens }))
    }
}

const fn size_of(p: &PositionView) -> u64 {
    p.lots.get().unsigned_abs()
}

/// A trade of this size against a position.
pub(crate) fn against(p: &PositionView, size: u64) -> Result<Lots, LiquidationError> {
    let size = Lots::new(i64::try_from(size).map_err(|_| MathError::Overflow)?);
    Ok(if p.lots.is_negative() { size } else { size.try_neg()? })
}

struct Search<'a, 'c> {
    case: &'a Case<'c>,
    target: Level,
    terms: &'a OrderTerms,
}

impl Search<'_, '_> {
    fn slack(&self, postings: &[Posting]) -> Result<i128, LiquidationError> {
        let health = (self.case.what_if)(postings)?;
        Ok(health.line(self.target).map_or(0, |l| l.slack()))
    }

    fn closing(&self, p: &PositionView, size: u64) -> Result<Vec<Posting>, LiquidationError> {
        close_at_mark(self.case, p, against(p, size)?, &self.terms.penalty)
    }

    fn with(&self, done: &[Posting], p: &PositionView, size: u64) -> Result<Vec<Posting>, LiquidationError> {
        let mut all = done.to_vec();
        all.extend(self.closing(p, size)?);
        Ok(all)
    }

    /// The smallest size that reaches the target, given that closing the whole position does.
    fn smallest(&self, done: &[Posting], p: &PositionView) -> Result<u64, LiquidationError> {
        let (mut short, mut enough) = (0, size_of(p));
        while enough.saturating_sub(short) > 1 {
            let middle = short.midpoint(enough);
            if self.slack(&self.with(done, p, middle)?)? >= 0 { enough = middle } else { short = middle }
        }
        Ok(enough)
    }
}
