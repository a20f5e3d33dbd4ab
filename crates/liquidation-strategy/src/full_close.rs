//! Everything at once: the oldest strategy, and the last resort of gentler ones (Binance: immediate-or-cancel at the
//! bankruptcy price).

use crate::close::{Budget, notional, orders, refusal, remains, sorted_by, steps_worsen};
use crate::{Bid, LiquidationError, LiquidationStrategy, OrderTerms, Plan, Refusal};
use alloc::vec::Vec;
use cofferdam_core::{Case, Memory};

/// Orders for every position, largest notional first, ties by market.
///
/// Breaks INV-19 by design: it takes more than the account needed to be healthy again.
///
/// ```
/// use cofferdam_core::{Lots, MarketId, Millis};
/// use cofferdam_liquidation_strategy::{conformance::Bench, *};
/// let terms = OrderTerms::new(LimitPrice::Bankruptcy, Penalty::default(), Millis(1_000))?;
/// let bench = Bench::perpetual(30).with_position(MarketId(0), 10, 1_000);
/// let plan = bench.plan(&FullClose::new(terms), &Bid::ENGINE)?.expect("below maintenance");
/// assert!(matches!(plan.steps[0], Step::Order { lots, .. } if lots == Lots::new(-10)));
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FullClose {
    terms: OrderTerms,
}

impl FullClose {
    /// On these terms.
    #[must_use]
    pub const fn new(terms: OrderTerms) -> Self {
        Self { terms }
    }
}

impl LiquidationStrategy for FullClose {
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
        let mut trades = Vec::with_capacity(positions.len());
        for (_, p) in &positions {
            trades.push((p.market, p.lots.try_neg()?));
        }
        let mut budget = Budget::of(case, self.terms.ttl)?;
        let steps = orders(case, bid, &self.terms, &trades, &mut budget)?;
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: budget.again(), worsens }))
    }
}
