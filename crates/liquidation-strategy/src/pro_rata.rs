//! In proportion: every winner gives up the same share of its gain.

use crate::allocation::{close_out, collect, deficit};
use crate::apportion::{Claim, apportion};
use crate::socialise::untouched;
use crate::weight::Weight;
use crate::{Cause, LiquidationError, LossAllocation, Measure, Need, Payer, Payers, Settlement};
use alloc::vec::Vec;
use cofferdam_core::{Amount, At, MathError, Memory};

/// A deficit is shared in proportion to gains, capped by room, what the caps leave shared among the others until the need
/// is covered or every room is exhausted. A close-out is shared in proportion to the lots of winners on the other side.
///
/// Whole units by Adams' divisor method (Balinski and Young, 1982): nobody pays more than its share rounded up (INV-27), a
/// larger need never lets anyone pay less, and among those whose room is their whole gain, who gained more keeps at
/// least as much (INV-28). What is rounded up for small payers a large one pays less, by less than a unit for each of
/// the others: Adams' method keeps to the share rounded up, not to the share rounded down. Ties by larger base, then by group (INV-46).
///
/// ```
/// use cofferdam_core::{Amount, AssetId, At, GroupId, Lots, MapMemory, MarketId, Quanta, Slot};
/// use cofferdam_liquidation_strategy::*;
/// let payer = |group, gain: i128, room: i128| Payer {
///     group: GroupId(group), lots: Lots::new(-10), gain: Amount::new(gain), equity: Amount::new(100),
///     notional: Quanta::new(1_000), cost: Quanta::new(-1_000), room: Amount::new(room),
///     maintenance: Amount::ZERO,
/// };
/// let payers = [payer(1, 30, 30), payer(2, 60, 10), payer(3, 60, 60)];
/// let need = Need { cause: Cause::Deficit, market: Some(MarketId(0)), asset: AssetId(0), amount: Amount::new(40) };
/// let mut memory = MapMemory::default();
/// let s = memory.with(Slot(1), |m| ProRataAllocation.allocate(At::default(), &need, &payers.as_slice(), m))?;
/// assert_eq!(s.measures, [
///     Measure::Haircut { payer: GroupId(1), amount: Amount::new(10) },
///     Measure::Haircut { payer: GroupId(2), amount: Amount::new(10) }, // its room; the others share the rest 1 : 2
///     Measure::Haircut { payer: GroupId(3), amount: Amount::new(20) },
/// ]);
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ProRataAllocation;

/// Units per payer, and what is left of `total`.
fn share(
    total: u128,
    payers: &[Payer],
    base: impl Fn(&Payer) -> (u128, u128),
) -> Result<(Vec<u128>, u128), MathError> {
    let claim = |p: &Payer| {
        let (weight, cap) = base(p);
        Claim { weight: Weight::of(weight), cap, rank: p.group.0 }
    };
    let claims: Vec<Claim> = payers.iter().map(claim).collect();
    let units = apportion(total, &claims)?;
    let mut left = total;
    for u in &units {
        left = left.checked_sub(*u).ok_or(MathError::Overflow)?;
    }
    Ok((units, left))
}

impl LossAllocation for ProRataAllocation {
    fn allocate(
        &self,
        _at: At,
        need: &Need,
        payers: &dyn Payers,
        _memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        let signed = |x: u128| i128::try_from(x).map_err(|_| MathError::Overflow);
        match need.cause {
            Cause::Deficit => {
                let total = deficit(need)?.get().unsigned_abs();
                let winners = collect(payers, |p| p.gain.get() > 0 && p.room.get() > 0);
                let base = |p: &Payer| (p.gain.get().unsigned_abs(), p.gain.min(p.room).get().unsigned_abs());
                let (units, left) = share(total, &winners, base)?;
                let mut measures = Vec::new();
                for (p, x) in winners.iter().zip(units).filter(|(_, x)| *x > 0) {
                    measures.push(Measure::Haircut { payer: p.group, amount: Amount::new(signed(x)?) });
                }
                Ok(Settlement { measures, residual: signed(left)? })
            }
            Cause::PoolGain { .. } => Ok(untouched(need)),
            Cause::CloseOut { .. } => {
                let out = close_out(need)?;
                let winners = collect(payers, |p| out.takes(p) && p.gain.get() > 0);
                let lots = |p: &Payer| u128::from(p.lots.get().unsigned_abs());
                let (units, left) = share(out.size, &winners, |p| (lots(p), lots(p)))?;
                let mut measures = Vec::new();
                for (p, x) in winners.iter().zip(units).filter(|(_, x)| *x > 0) {
                    measures.push(out.measure(p, x)?);
                }
                out.settled(measures, left)
            }
        }
    }
}
