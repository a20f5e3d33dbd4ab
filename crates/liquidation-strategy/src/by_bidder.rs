//! One strategy for the engine and another for keepers (Vertex, Drift: positions are closed by orders, what is owed after that is
//! bought out by keepers).

use crate::{Bid, LiquidationError, LiquidationStrategy, Plan, Refusal, Taker};
use alloc::boxed::Box;
use cofferdam_core::{Case, Memory};

/// Two strategies, chosen by who asks. Each has memory of its own.
///
/// ```
/// use cofferdam_core::{AssetId, GroupId, Item, MarketId, Millis, Ppb, Quanta};
/// use cofferdam_liquidation_strategy::{conformance::Bench, *};
/// let orders = FullClose::new(OrderTerms::new(LimitPrice::Any, Penalty::default(), Millis(1_000))?);
/// let keepers = KeeperLiquidation::new(KeeperTerms {
///     pool: None, close_factor: Ppb::ONE, all_below: Ppb::ONE, dust: Quanta::ZERO,
///     bonus: Ppb(50_000_000), fee_share: Ppb::ZERO, remainder_min: Quanta::ZERO,
/// })?;
/// let both = ByBidder::new(Box::new(orders), Box::new(keepers));
/// let bench = Bench::perpetual(40).with_position(MarketId(0), 10, 1_000);
/// assert!(matches!(bench.plan(&both, &Bid::ENGINE)?.unwrap().steps[0], Step::Order { .. }));
/// let bid = Bid { by: Taker::Keeper(GroupId(3)), give: Some((Item::Debt(AssetId(0)), 10)),
///                 want: Some(Item::Asset(AssetId(1))), ..Bid::ENGINE };
/// assert_eq!(bench.plan(&both, &bid)?, Err(Refusal::Nothing)); // nothing is owed while the position is open
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Debug)]
pub struct ByBidder {
    engine: Box<dyn LiquidationStrategy>,
    keeper: Box<dyn LiquidationStrategy>,
}

impl ByBidder {
    /// The first plans for the engine, the second for keepers.
    #[must_use]
    pub fn new(engine: Box<dyn LiquidationStrategy>, keeper: Box<dyn LiquidationStrategy>) -> Self {
        Self { engine, keeper }
    }
}

impl LiquidationStrategy for ByBidder {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        match bid.by {
            Taker::Engine => self.engine.plan(case, bid, &mut memory.child(0)?),
            Taker::Keeper(_) => self.keeper.plan(case, bid, &mut memory.child(1)?),
        }
    }
}
