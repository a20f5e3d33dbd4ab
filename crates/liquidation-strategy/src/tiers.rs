//! Gentle first, then harsh: one strategy per range of health (Hyperliquid: slices, then everything, then the vault).

use crate::terms::accept;
use crate::{Bid, LiquidationError, LiquidationStrategy, Plan, Refusal};
use alloc::{boxed::Box, vec::Vec};
use cofferdam_core::{Case, Level, Memory, Ppb, wide::U256};

/// When a tier applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Support falls short of demand at a level.
    Below(Level),
    /// Support falls short of this share of the demand at a level.
    Ratio {
        /// At which level.
        level: Level,
        /// Share of the demand.
        share: Ppb,
    },
    /// Equity is below zero: what the account holds no longer covers what it owes.
    Insolvent,
}

impl Bound {
    /// Whether an account's health lies below this bound. Compared exactly, without a division.
    #[must_use]
    pub fn holds(&self, case: &Case<'_>) -> bool {
        match *self {
            Self::Below(level) => case.health.below(level),
            Self::Insolvent => case.health.equity.is_negative(),
            Self::Ratio { level, share } => case.health.line(level).is_some_and(|l| {
                let (support, demand) = (l.support.get(), l.demand.get());
                if demand <= 0 || support < 0 {
                    return support < 0;
                }
                // support x 1e9 < demand x share
                U256::product(support.unsigned_abs(), Ppb::ONE.0.unsigned_abs().into())
                    < U256::product(demand.unsigned_abs(), share.0.unsigned_abs().into())
            }),
        }
    }
}

/// An ordered list of strategies by health, gentle first: the last one whose bound holds plans. Each has memory of its own.
///
/// ```
/// use cofferdam_core::{GroupId, Level, Millis};
/// use cofferdam_liquidation_strategy::{conformance::Bench, *};
/// # use cofferdam_core::MarketId;
/// let terms = OrderTerms::new(LimitPrice::Any, Penalty::default(), Millis(1_000))?;
/// let tiers = Tiers::new(vec![
///     (Bound::Below(Level::Maintenance), Box::new(FullClose::new(terms))),
///     (Bound::Below(Level::Backstop), Box::new(Takeover::new(GroupId(9), Level::Backstop, Millis(1_000))?)),
/// ])?;
/// let bench = Bench::perpetual(40).with_position(MarketId(0), 10, 1_000); // 4 %: below 5 %, above two thirds of it
/// assert!(matches!(bench.plan(&tiers, &Bid::ENGINE)?.unwrap().steps[0], Step::Order { .. }));
/// let bench = Bench::perpetual(30).with_position(MarketId(0), 10, 1_000);
/// assert!(matches!(bench.plan(&tiers, &Bid::ENGINE)?.unwrap().steps[0], Step::Move(_)));
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Debug)]
pub struct Tiers {
    tiers: Vec<(Bound, Box<dyn LiquidationStrategy>)>,
}

impl Tiers {
    /// One to 31 tiers, gentle first; ratio bounds above zero.
    pub fn new(tiers: Vec<(Bound, Box<dyn LiquidationStrategy>)>) -> Result<Self, LiquidationError> {
        let count = i128::try_from(tiers.len()).unwrap_or(i128::MAX);
        accept((1..=31).contains(&count), "tiers", count, "1 to 31 tiers")?;
        for (bound, _) in &tiers {
            if let Bound::Ratio { share, .. } = bound {
                accept(share.0 > 0, "tiers.share", share.0.into(), "more than 0 parts per billion")?;
            }
        }
        Ok(Self { tiers })
    }
}

impl LiquidationStrategy for Tiers {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        if !case.health.below(Level::Maintenance) {
            return Ok(Err(Refusal::Healthy));
        }
        let numbered = (0_u8..).zip(&self.tiers);
        match numbered.filter(|(_, (bound, _))| bound.holds(case)).last() {
            Some((index, (_, strategy))) => strategy.plan(case, bid, &mut memory.child(index)?),
            None => Ok(Err(Refusal::Nothing)),
        }
    }
}
