//! One strategy for accounts in certain markets, another for all others (Hyperliquid: accounts in isolated-only markets are not
//! taken over by the backstop vault).

use crate::terms::accept;
use crate::{Bid, LiquidationError, LiquidationStrategy, Plan, Refusal};
use alloc::{boxed::Box, vec::Vec};
use cofferdam_core::{Case, MarketId, Memory};

/// Two strategies, chosen by what the account holds: the first plans where it holds a position in one of the markets. Each
/// has memory of its own.
///
/// ```
/// use cofferdam_core::{MarketId, Millis};
/// use cofferdam_liquidation_strategy::{conformance::Bench, *};
/// let terms = OrderTerms::new(LimitPrice::Any, Penalty::default(), Millis(1_000))?;
/// let last = Deleverage::new(DeleveragePrice::Mark, Millis(1_000))?;
/// let by_market = ByMarket::new(vec![MarketId(1)], Box::new(last), Box::new(FullClose::new(terms)))?;
/// let bench = Bench::perpetual(40).with_position(MarketId(0), 10, 1_000);
/// assert!(matches!(bench.plan(&by_market, &Bid::ENGINE)?.unwrap().steps[0], Step::Order { .. }));
/// let bench = Bench::perpetual(40).with_position(MarketId(1), 10, 1_000);
/// assert!(matches!(bench.plan(&by_market, &Bid::ENGINE)?.unwrap().steps[0], Step::Deleverage { .. }));
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Debug)]
pub struct ByMarket {
    markets: Vec<MarketId>,
    within: Box<dyn LiquidationStrategy>,
    otherwise: Box<dyn LiquidationStrategy>,
}

impl ByMarket {
    /// `within` plans for accounts that hold a position in one of `markets` (at least one), `otherwise` for the rest.
    pub fn new(
        markets: Vec<MarketId>,
        within: Box<dyn LiquidationStrategy>,
        otherwise: Box<dyn LiquidationStrategy>,
    ) -> Result<Self, LiquidationError> {
        accept(!markets.is_empty(), "markets", 0, "at least one market")?;
        Ok(Self { markets, within, otherwise })
    }
}

impl LiquidationStrategy for ByMarket {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let mut held = case.group.positions.iter().filter(|p| !p.lots.is_zero());
        if held.any(|p| self.markets.contains(&p.market)) {
            self.within.plan(case, bid, &mut memory.child(0)?)
        } else {
            self.otherwise.plan(case, bid, &mut memory.child(1)?)
        }
    }
}
