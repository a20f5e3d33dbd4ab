//! One way after another: what an immediate-or-cancel order leaves goes to a fund, and what the fund cannot bear is closed
//! against the other side (Binance: FAQ 360033525471, auto-deleveraging is the last step, "when the Insurance Fund cannot accept
//! the bankrupt client's positions").

use crate::terms::accept;
use crate::{Bid, LiquidationError, LiquidationStrategy, Plan, Refusal, Step};
use alloc::{boxed::Box, vec::Vec};
use cofferdam_core::{Case, Level, Memory, MemoryError, Millis, Reader, Record, Scope, Writer};

/// Strategies in order. An account goes on to the next one when orders of the one before were sent and it still is below
/// maintenance, or when the one before has nothing to do. Where an account stands is forgotten after a while, so that its next
/// liquidation begins with the first again. Each strategy has memory of its own.
///
/// ```
/// use cofferdam_core::{GroupId, Level, Millis};
/// use cofferdam_liquidation_strategy::{conformance::Bench, *};
/// # use cofferdam_core::MarketId;
/// let order = OrderTerms::new(LimitPrice::Bankruptcy, Penalty::default(), Millis(1_000))?;
/// let fund = Takeover::new(GroupId(9), Level::Maintenance, Millis(1_000))?;
/// let venue = Escalation::new(vec![Box::new(FullClose::new(order)), Box::new(fund)], Millis(60_000))?;
/// let bench = Bench::perpetual(30).with_position(MarketId(0), 10, 1_000);
/// assert!(matches!(bench.plan(&venue, &Bid::ENGINE)?.unwrap().steps[0], Step::Order { .. }));
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Debug)]
pub struct Escalation {
    stages: Vec<Box<dyn LiquidationStrategy>>,
    forget: Millis,
}

/// Where an account stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Stage {
    next: u8,
    since: Millis,
}

impl Record for Stage {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u8(self.next).u64(self.since.0);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self { next: from.u8()?, since: Millis(from.u64()?) }),
            found => Err(MemoryError::Version { found }),
        }
    }
}

impl Escalation {
    /// One to 31 strategies; where an account stands is forgotten `forget` after its last order, at least 1 ms.
    pub fn new(stages: Vec<Box<dyn LiquidationStrategy>>, forget: Millis) -> Result<Self, LiquidationError> {
        let count = i128::try_from(stages.len()).unwrap_or(i128::MAX);
        accept((1..=31).contains(&count), "stages", count, "1 to 31 strategies")?;
        accept(forget > Millis::ZERO, "forget", 0, "at least 1 ms")?;
        Ok(Self { stages, forget })
    }

    fn last(&self) -> u8 {
        u8::try_from(self.stages.len().saturating_sub(1)).unwrap_or(u8::MAX) // at most 30
    }
}

impl LiquidationStrategy for Escalation {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        if !case.health.below(Level::Maintenance) {
            return Ok(Err(Refusal::Healthy));
        }
        let (scope, now) = (Scope::Group(case.group.id), case.at.time);
        let stood: Stage = memory.get(scope)?;
        let first = if now.since(stood.since) > self.forget { 0 } else { stood.next.min(self.last()) };
        let mut answer = Err(Refusal::Nothing);
        for (index, strategy) in (0_u8..).zip(&self.stages).skip(first.into()) {
            answer = strategy.plan(case, bid, &mut memory.child(index)?)?;
            if !matches!(answer, Err(Refusal::Nothing | Refusal::Healthy)) {
                if let Ok(plan) = &answer
                    && plan.steps.iter().any(|s| matches!(s, Step::Order { .. }))
                {
                    let next = index.saturating_add(1).min(self.last());
                    memory.set(scope, &Stage { next, since: now })?;
                }
                break;
            }
        }
        Ok(answer)
    }
}
