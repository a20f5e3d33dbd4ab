//! The queue: those who gained most, with most leverage, pay first and pay all (Binance, Bybit, Hyperliquid; T. Chitra,
//! Autodeleveraging: Impossibilities and Optimization, arXiv:2512.01112, on what that costs).

use crate::allocation::{close_out, collect, deficit};
use crate::socialise::untouched;
use crate::{Cause, LiquidationError, LossAllocation, Measure, Need, Payer, Payers, Settlement};
use alloc::vec::Vec;
use cofferdam_core::{At, Memory, wide::U256};
use core::cmp::Ordering;

/// Holders in the order of (gain / |cost|) x (notional / equity), highest first, ties by group; compared exactly as
/// products of 512 bits. A cost or an equity that is not above zero is an infinite score.
///
/// A deficit takes min(gain, room) of each until it is covered. A close-out closes lots of the other side in the same
/// order; holders without a gain come after all winners if they are included, in the order of (gain / |cost|) x
/// (equity / notional), smallest loss first.
///
/// Breaks order preservation (INV-28): who gained more can end below who gained less.
///
/// ```
/// use cofferdam_core::{Amount, AssetId, At, GroupId, Lots, MapMemory, MarketId, Quanta, Slot};
/// use cofferdam_liquidation_strategy::*;
/// let payer = |group, gain: i128| Payer {
///     group: GroupId(group), lots: Lots::new(-10), gain: Amount::new(gain), equity: Amount::new(100),
///     notional: Quanta::new(1_000), cost: Quanta::new(-1_000), room: Amount::new(gain),
/// };
/// let payers = [payer(1, 30), payer(2, 40)];
/// let need = Need { cause: Cause::Deficit, market: Some(MarketId(0)), asset: AssetId(0), amount: Amount::new(50) };
/// let mut memory = MapMemory::default();
/// let s = memory.with(Slot(1), |m| QueueAllocation::new(false).allocate(At::default(), &need, &payers.as_slice(), m))?;
/// assert_eq!(s.measures, [
///     Measure::Haircut { payer: GroupId(2), amount: Amount::new(40) },
///     Measure::Haircut { payer: GroupId(1), amount: Amount::new(10) },
/// ]);
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueAllocation {
    close_losers: bool,
}

impl QueueAllocation {
    /// A queue; `close_losers` also closes holders of the other side who have no gain, after all others.
    #[must_use]
    pub const fn new(close_losers: bool) -> Self {
        Self { close_losers }
    }
}

/// The exact product of two 256-bit numbers, highest digit first.
fn product(a: U256, b: U256) -> [u128; 4] {
    let (low, left, right, high) = (
        U256::product(a.lo, b.lo),
        U256::product(a.hi, b.lo),
        U256::product(a.lo, b.hi),
        U256::product(a.hi, b.hi),
    );
    let add3 = |x: u128, y: u128, z: u128| {
        let (s, c1) = x.overflowing_add(y);
        let (s, c2) = s.overflowing_add(z);
        (s, u128::from(c1).wrapping_add(u128::from(c2))) // 0 to 2
    };
    let (second, carry) = add3(low.hi, left.lo, right.lo);
    let (third, over) = add3(left.hi, right.hi, high.lo);
    let (third, more) = third.overflowing_add(carry);
    // the product is below 2^512, so the highest digit takes the carries (at most 3) without wrapping
    let fourth = high.hi.wrapping_add(over).wrapping_add(u128::from(more));
    [fourth, third, second, low.lo]
}

/// A fraction above / below; `below` zero is infinite.
#[derive(Clone, Copy, Debug)]
struct Score {
    above: U256,
    below: U256,
}

impl Score {
    fn compare(&self, other: &Self) -> Ordering {
        match (self.below == U256::ZERO, other.below == U256::ZERO) {
            (true, true) => Ordering::Equal,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => product(self.above, other.below).cmp(&product(other.above, self.below)),
        }
    }
}

/// gain x notional over |cost| x equity for a winner; |gain| x equity over |cost| x notional for the others.
fn score(p: &Payer) -> Score {
    let (cost, notional) = (p.cost.get().unsigned_abs(), p.notional.get().unsigned_abs());
    let (gain, equity) = (p.gain.get().unsigned_abs(), p.equity.positive_part().get().unsigned_abs());
    if p.gain.get() > 0 {
        Score { above: U256::product(gain, notional), below: U256::product(cost, equity) }
    } else {
        Score { above: U256::product(gain, equity), below: U256::product(cost, notional) }
    }
}

/// Who pays before whom: a total order that does not depend on insertion (INV-46).
fn before(a: &Payer, b: &Payer) -> Ordering {
    let wins = |p: &Payer| p.gain.get() > 0;
    let order = match (wins(a), wins(b)) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (true, true) => score(b).compare(&score(a)),
        (false, false) => score(a).compare(&score(b)),
    };
    order.then(a.group.cmp(&b.group))
}

impl LossAllocation for QueueAllocation {
    fn allocate(
        &self,
        _at: At,
        need: &Need,
        payers: &dyn Payers,
        _memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        match need.cause {
            Cause::Deficit => {
                let mut left = deficit(need)?;
                let mut queue = collect(payers, |p| p.gain.get() > 0 && p.room.get() > 0);
                queue.sort_by(before);
                let mut measures = Vec::new();
                for p in queue {
                    let amount = left.min(p.gain).min(p.room);
                    if amount.is_zero() {
                        break;
                    }
                    left = left.try_sub(amount)?;
                    measures.push(Measure::Haircut { payer: p.group, amount });
                }
                Ok(Settlement { measures, residual: left.get() })
            }
            Cause::PoolGain { .. } => Ok(untouched(need)),
            Cause::CloseOut { .. } => {
                let out = close_out(need)?;
                let mut left = out.size;
                let mut queue = collect(payers, |p| out.takes(p) && (self.close_losers || p.gain.get() > 0));
                queue.sort_by(before);
                let mut measures = Vec::new();
                for p in queue {
                    let size = left.min(p.lots.get().unsigned_abs().into());
                    if size == 0 {
                        break;
                    }
                    left = left.saturating_sub(size); // size <= left
                    measures.push(out.measure(&p, size)?);
                }
                out.settled(measures, left)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    fn big(x: U256) -> BigUint {
        (BigUint::from(x.hi) << 128) + BigUint::from(x.lo)
    }

    proptest! {
        #[test]
        fn products_of_512_bits_are_exact(a in any::<[u128; 2]>(), b in any::<[u128; 2]>()) {
            let (a, b) = (U256 { hi: a[0], lo: a[1] }, U256 { hi: b[0], lo: b[1] });
            let digits = product(a, b);
            let found = digits.iter().fold(BigUint::ZERO, |sum, d| (sum << 128) + BigUint::from(*d));
            prop_assert_eq!(found, big(a) * big(b));
        }
    }
}
