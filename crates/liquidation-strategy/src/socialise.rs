//! Losses that no winner pays: suppliers of a pool bear them, or every lot of the market, or they are booked and wait.

use crate::allocation::deficit;
use crate::terms::accept;
use crate::{Cause, LiquidationError, LossAllocation, Measure, Need, Payers, Settlement};
use alloc::vec::Vec;
use cofferdam_core::{Amount, AssetId, At, Memory, PoolId};

/// A need that a policy does not cover.
pub(crate) fn untouched(need: &Need) -> Settlement {
    let residual = match need.cause {
        Cause::Deficit => need.amount.get(),
        Cause::CloseOut { lots, .. } | Cause::PoolGain { lots, .. } => i128::from(lots.get()).abs(),
    };
    Settlement { measures: Vec::new(), residual }
}

/// Suppliers of a lending pool bear a deficit in its asset (Morpho Blue: at once, by the share price). Close-outs and other
/// assets are left as they are. Breaks INV-26 by design: principal pays.
///
/// ```
/// use cofferdam_core::{Amount, AssetId, PoolId};
/// use cofferdam_liquidation_strategy::WriteDownPool;
/// assert!(WriteDownPool::new(PoolId(1), AssetId(0), Some(Amount::new(1_000_000))).is_ok());
/// assert!(WriteDownPool::new(PoolId(1), AssetId(0), Some(Amount::new(-1))).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteDownPool {
    pool: PoolId,
    asset: AssetId,
    at_most: Option<Amount>,
}

impl WriteDownPool {
    /// The pool, its asset, and the most that one need may write down, in atoms.
    pub fn new(pool: PoolId, asset: AssetId, at_most: Option<Amount>) -> Result<Self, LiquidationError> {
        let limit = at_most.unwrap_or(Amount::ZERO);
        accept(!limit.is_negative(), "at_most", limit.get(), "0 or more atoms")?;
        Ok(Self { pool, asset, at_most })
    }
}

impl LossAllocation for WriteDownPool {
    fn allocate(
        &self,
        _at: At,
        need: &Need,
        _payers: &dyn Payers,
        _memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        if need.cause != Cause::Deficit || need.asset != self.asset {
            return Ok(untouched(need));
        }
        let need = deficit(need)?;
        let amount = self.at_most.map_or(need, |most| most.min(need));
        let mut measures = Vec::new();
        if !amount.is_zero() {
            measures.push(Measure::WriteDown { pool: self.pool, amount });
        }
        Ok(Settlement { measures, residual: need.try_sub(amount)?.get() })
    }
}

/// Every lot of the market, long or short, bears the same share of a deficit, as funding that both sides owe (Drift v2, Vertex).
/// Close-outs, and deficits of no market, are left as they are. Breaks INV-26 by design: losers pay too, out of principal.
///
/// ```
/// use cofferdam_core::{Amount, AssetId, At, MapMemory, MarketId, Slot};
/// use cofferdam_liquidation_strategy::*;
/// let need = Need { cause: Cause::Deficit, market: Some(MarketId(0)), asset: AssetId(0), amount: Amount::new(40) };
/// let mut memory = MapMemory::default();
/// let nobody: &[Payer] = &[];
/// let s = memory.with(Slot(1), |m| ShiftFunding.allocate(At::default(), &need, &nobody, m))?;
/// assert_eq!(s.measures, [Measure::ShiftFunding { amount: Amount::new(40) }]); // no winner is needed
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShiftFunding;

impl LossAllocation for ShiftFunding {
    fn allocate(
        &self,
        _at: At,
        need: &Need,
        _payers: &dyn Payers,
        _memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        if need.cause != Cause::Deficit || need.market.is_none() {
            return Ok(untouched(need));
        }
        let amount = deficit(need)?;
        let mut measures = Vec::new();
        if !amount.is_zero() {
            measures.push(Measure::ShiftFunding { amount });
        }
        Ok(Settlement { measures, residual: 0 })
    }
}

/// Books a deficit and waits for whoever pays it later (Aave v3.3: the reserve's deficit). Lots cannot be carried.
///
/// ```
/// use cofferdam_liquidation_strategy::{CarryDeficit, LossAllocation};
/// let last: Box<dyn LossAllocation> = Box::new(CarryDeficit);
/// # let _ = last;
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CarryDeficit;

impl LossAllocation for CarryDeficit {
    fn allocate(
        &self,
        _at: At,
        need: &Need,
        _payers: &dyn Payers,
        _memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        if need.cause != Cause::Deficit {
            return Ok(untouched(need));
        }
        let amount = deficit(need)?;
        let mut measures = Vec::new();
        if !amount.is_zero() {
            measures.push(Measure::Carry { amount });
        }
        Ok(Settlement { measures, residual: 0 })
    }
}
