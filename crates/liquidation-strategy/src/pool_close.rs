//! Everything at once, against the market's own pool: where a pool takes the other side of every trade, it takes this one too
//! (GMX v2: `LiquidationHandler`, a market decrease of the whole position).

use crate::close::{Budget, notional, refusal, remains, sorted_by, steps_worsen};
use crate::{Bid, LiquidationError, LiquidationStrategy, Penalty, Plan, Refusal, Step};
use alloc::vec::Vec;
use cofferdam_core::{Case, Memory, Millis, PoolId, Ticks};

/// Trades of every position with a pool, at any price, largest notional first. Breaks INV-19 by design: it takes more than the
/// account needed.
///
/// ```
/// use cofferdam_core::{Lots, MarketId, Millis, PoolId};
/// use cofferdam_liquidation_strategy::{conformance::Bench, *};
/// let close = PoolClose::new(PoolId(0), Penalty::default(), Millis(1_000))?;
/// let bench = Bench::perpetual(30).with_position(MarketId(0), 10, 1_000);
/// let plan = bench.plan(&close, &Bid::ENGINE)?.expect("below maintenance");
/// assert!(matches!(plan.steps[0], Step::Trade { lots, with: PoolId(0), .. } if lots == Lots::new(-10)));
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolClose {
    with: PoolId,
    penalty: Penalty,
    pause: Millis,
}

impl PoolClose {
    /// With which pool, at which penalty; what the pool or the breakers did not take is tried again after `pause`, at least 1 ms.
    pub fn new(with: PoolId, penalty: Penalty, pause: Millis) -> Result<Self, LiquidationError> {
        crate::terms::accept(pause > Millis::ZERO, "pause", 0, "at least 1 ms")?;
        Ok(Self { with, penalty, pause })
    }
}

impl LiquidationStrategy for PoolClose {
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
        let mut budget = Budget::of(case, self.pause)?;
        let mut steps = Vec::with_capacity(positions.len());
        for (_, p) in &positions {
            let lots = budget.take(p.lots.try_neg()?)?;
            let limit = if lots.is_negative() { Ticks::ONE } else { Ticks::new(Ticks::LIMIT) };
            if !lots.is_zero() {
                let (market, with, penalty) = (p.market, self.with, self.penalty.for_taker(bid.by));
                steps.push(Step::Trade { market, lots, with, limit, penalty });
            }
        }
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: Some(case.at.time.try_add(self.pause)?), worsens }))
    }
}
