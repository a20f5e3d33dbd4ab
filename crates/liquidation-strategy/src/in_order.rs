//! An ordered list of policies: each sees what the last one left, of the need and of those who pay.

use crate::allocation::{close_out, collect, deficit};
use crate::terms::accept;
use crate::{Cause, LiquidationError, LossAllocation, Measure, Need, Payer, Payers, Settlement};
use alloc::{boxed::Box, vec::Vec};
use cofferdam_core::{Amount, At, Lots, MathError, Memory, Quanta, Rounding, wide};

/// Policies in the order of the list, each with memory of its own. A payer comes to the next policy without what the last
/// one took: gain, room and equity less a haircut; lots, notional, cost and gain in proportion to the lots that a close
/// left.
///
/// ```
/// use cofferdam_core::{Amount, AssetId, PoolId};
/// use cofferdam_liquidation_strategy::*;
/// let policy = InOrder::new(vec![
///     Box::new(ProRataAllocation),
///     Box::new(WriteDownPool::new(PoolId(1), AssetId(0), Some(Amount::new(1_000_000)))?),
///     Box::new(CarryDeficit),
/// ])?;
/// assert!(InOrder::new(vec![]).is_err());
/// # let _ = policy;
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Debug)]
pub struct InOrder {
    policies: Vec<Box<dyn LossAllocation>>,
}

impl InOrder {
    /// One to 31 policies.
    pub fn new(policies: Vec<Box<dyn LossAllocation>>) -> Result<Self, LiquidationError> {
        let count = i128::try_from(policies.len()).unwrap_or(i128::MAX);
        accept((1..=31).contains(&count), "policies", count, "1 to 31 policies")?;
        Ok(Self { policies })
    }
}

impl LossAllocation for InOrder {
    fn allocate(
        &self,
        at: At,
        need: &Need,
        payers: &dyn Payers,
        memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        let mut left = collect(payers, |_| true);
        let mut all = Settlement { measures: Vec::new(), residual: need_size(need)? };
        let mut rest = *need;
        for (index, policy) in (0_u8..).zip(&self.policies) {
            if all.residual == 0 {
                break;
            }
            let settled = policy.allocate(at, &rest, &left.as_slice(), &mut memory.child(index)?)?;
            for measure in &settled.measures {
                take(&mut left, measure)?;
            }
            all.measures.extend(settled.measures);
            all.residual = settled.residual;
            rest = with_size(need, settled.residual)?;
        }
        Ok(all)
    }
}

/// Atoms of a deficit, lots of a close-out.
fn need_size(need: &Need) -> Result<i128, LiquidationError> {
    Ok(match need.cause {
        Cause::Deficit => deficit(need)?.get(),
        Cause::CloseOut { .. } => i128::try_from(close_out(need)?.size).map_err(|_| MathError::Overflow)?,
        Cause::PoolGain { lots, .. } => lots.try_abs()?.get().into(),
    })
}

/// The same need with another size.
pub(crate) fn with_size(need: &Need, size: i128) -> Result<Need, LiquidationError> {
    Ok(match need.cause {
        Cause::Deficit => Need { amount: Amount::new(size), ..*need },
        Cause::CloseOut { of, lots, price } => {
            let size = Lots::new(i64::try_from(size).map_err(|_| MathError::Overflow)?);
            let lots = if lots.is_negative() { size.try_neg()? } else { size };
            Need { cause: Cause::CloseOut { of, lots, price }, ..*need }
        }
        // chosen lots are closed whole or not at all
        Cause::PoolGain { .. } => *need,
    })
}

/// What a measure leaves of its payer. Gains round down: what is no longer certain is not taken from again.
pub(crate) fn take(payers: &mut [Payer], measure: &Measure) -> Result<(), LiquidationError> {
    let (Measure::Haircut { payer, .. } | Measure::Close { payer, .. }) = *measure else { return Ok(()) };
    let Some(p) = payers.iter_mut().find(|p| p.group == payer) else { return Ok(()) };
    match *measure {
        Measure::Haircut { amount, .. } => {
            p.gain = p.gain.try_sub(amount)?;
            p.room = p.room.try_sub(amount)?;
            p.equity = p.equity.try_sub(amount)?;
        }
        Measure::Close { lots, .. } => {
            let held = p.lots;
            p.lots = held.try_add(lots)?;
            let (rest, whole) = (p.lots.try_abs()?.get().into(), held.try_abs()?.get().into());
            let part = |units| wide::mul_div(units, rest, whole, Rounding::Down);
            (p.notional, p.cost) = (Quanta::new(part(p.notional.get())?), Quanta::new(part(p.cost.get())?));
            p.gain = Amount::new(part(p.gain.get())?);
            p.room = p.room.min(p.gain.positive_part());
        }
        Measure::WriteDown { .. } | Measure::ShiftFunding { .. } | Measure::Carry { .. } => {}
    }
    Ok(())
}
