//! Vetoes on fills that are still proposals: a loss that nobody covers is not made, a price outside the limit is not taken.

use crate::close::{asset, market, to_numeraire};
use crate::{FillGuard, LimitPrice, LiquidationError};
use alloc::vec::Vec;
use cofferdam_core::{Case, Lots, MarketId, Quanta, Rounding, Ticks};

/// Accepts a fill that leaves the account's equity below zero only if insurance could pay what is missing (dYdX v4: a
/// liquidation whose loss the fund cannot pay is not filled, and the account is deleveraged instead).
///
/// ```
/// use cofferdam_core::{Lots, MarketId, Quanta, Ticks};
/// use cofferdam_liquidation_strategy::{FillGuard, InsuranceCoverGuard, conformance::Bench};
/// let bench = Bench::perpetual(30).with_position(MarketId(0), 10, 1_000); // bankrupt at 97
/// let fill = |price, cover| bench.case(|c| {
///     InsuranceCoverGuard.accept(c, MarketId(0), Lots::new(-10), Ticks::new(price), Quanta::new(cover))
/// });
/// assert!(fill(97, 0)?);
/// assert!(!fill(95, 19)?);
/// assert!(fill(95, 20)?);
/// # Ok::<(), cofferdam_liquidation_strategy::LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InsuranceCoverGuard;

impl FillGuard for InsuranceCoverGuard {
    fn accept(
        &self,
        case: &Case<'_>,
        id: MarketId,
        lots: Lots,
        price: Ticks,
        cover: Quanta,
    ) -> Result<bool, LiquidationError> {
        let view = market(case, id)?;
        // lots x k x (mark - price): a purchase above mark loses, a sale above mark gains
        let result = view.scale.notional(lots, view.mark.mid.try_sub(price)?)?;
        // rounded down: insurance is asked for the fraction
        let result = to_numeraire(asset(case, view.settlement)?, result, Rounding::Down)?;
        let left = case.health.equity.try_add(result)?;
        Ok(!left.is_negative() || cover >= left.try_neg()?)
    }
}

/// Accepts fills at the limit or better: a sale not below it, a purchase not above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LimitGuard {
    /// The limit, with the account's whole equity behind a bankruptcy price.
    pub limit: LimitPrice,
}

impl FillGuard for LimitGuard {
    fn accept(
        &self,
        case: &Case<'_>,
        id: MarketId,
        lots: Lots,
        price: Ticks,
        _cover: Quanta,
    ) -> Result<bool, LiquidationError> {
        if lots.is_zero() {
            return Ok(true);
        }
        let limit = self.limit.price(case, id, lots, case.health.equity)?;
        Ok(if lots.is_negative() { price >= limit } else { price <= limit })
    }
}

/// Accepts a fill only if no position in an isolated-only market shares its account with another position (Hyperliquid's
/// isolated-only markets): such a market is traded from an account of its own. A fill that only reduces is always accepted.
///
/// ```
/// use cofferdam_core::{Lots, MarketId, Quanta, Ticks};
/// use cofferdam_liquidation_strategy::{FillGuard, IsolatedMarkets, conformance::Bench};
/// let guard = IsolatedMarkets::new(vec![MarketId(1)]);
/// let bench = Bench::perpetual(300).with_position(MarketId(0), 10, 1_000);
/// let fill = |market, lots| bench.case(|c| {
///     guard.accept(c, MarketId(market), Lots::new(lots), Ticks::new(100), Quanta::ZERO)
/// });
/// assert!(fill(0, 5)?);
/// assert!(fill(2, 5)?);
/// assert!(!fill(1, 5)?);
/// # Ok::<(), cofferdam_liquidation_strategy::LiquidationError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IsolatedMarkets {
    markets: Vec<MarketId>,
}

impl IsolatedMarkets {
    /// Isolated-only are these markets.
    #[must_use]
    pub const fn new(markets: Vec<MarketId>) -> Self {
        Self { markets }
    }
}

impl FillGuard for IsolatedMarkets {
    fn accept(
        &self,
        case: &Case<'_>,
        id: MarketId,
        lots: Lots,
        _price: Ticks,
        _cover: Quanta,
    ) -> Result<bool, LiquidationError> {
        let held = case.group.position(id).map_or(Lots::ZERO, |p| p.lots);
        if lots.signum() != held.signum() && lots.try_abs()? <= held.try_abs()? {
            return Ok(true);
        }
        let alone = self.markets.contains(&id);
        let others = case.group.positions.iter().filter(|p| p.market != id && !p.lots.is_zero());
        Ok(!others.into_iter().any(|p| alone || self.markets.contains(&p.market)))
    }
}
