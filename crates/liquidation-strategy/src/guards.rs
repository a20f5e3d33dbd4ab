//! Vetoes on fills that are still proposals: a loss that nobody covers is not made, a price outside the limit is not taken.

use crate::close::{asset, market, to_numeraire};
use crate::{FillGuard, LimitPrice, LiquidationError};
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
