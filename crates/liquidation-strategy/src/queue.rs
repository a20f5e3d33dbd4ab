//! The queue: those who gained most, with most leverage, pay first and pay all (Binance, Bybit, Hyperliquid; T. Chitra,
//! Autodeleveraging: Impossibilities and Optimization, arXiv:2512.01112, on what that costs).

use crate::allocation::{close_out, collect, deficit};
use crate::socialise::untouched;
use crate::weight::{Key, Weight};
use crate::{Cause, LiquidationError, LossAllocation, Measure, Need, Payer, Payers, Settlement};
use alloc::vec::Vec;
use cofferdam_core::{Amount, At, MathError, Memory, wide::U256};
use core::cmp::Ordering;

/// By what holders stand in the queue, highest first. Each is a product of two ratios, so that it is compared exactly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Ranking {
    /// Return times leverage: (gain / |cost|) x (notional / equity); without a gain (gain / |cost|) x (equity / notional).
    /// Source: Bybit's "leveraged return"; Binance's classic form.
    #[default]
    Leverage,
    /// The ratio of prices times leverage: mark / entry for a long, entry / mark for a short, times notional / equity, which
    /// weighs leverage more; without a gain as [`Ranking::Leverage`]. Source: Hyperliquid's documented index; its documentation
    /// does not say how a short is ranked.
    PriceRatio,
    /// Return over the margin ratio: (gain / |cost|) x (maintenance / equity); without a gain
    /// (gain / |cost|) x (equity / maintenance). Source: OKX, "introduction to auto-deleveraging".
    MarginRatio,
    /// Gain over collateral times the margin ratio: (gain / (equity - gain)) x (maintenance / equity), with or without a gain.
    /// Source: Binance, FAQ 360033525471 ("LeveragePnL").
    Collateral,
}

/// Holders in the order of a [`Ranking`], highest first, ties by group; compared exactly as products of 512 bits. A divisor
/// that is not above zero is an infinite score.
///
/// A deficit takes min(gain, room) of each until it is covered. A close-out closes lots of the other side in the same
/// order; holders without a gain come after all winners if they are included, smallest loss first.
///
/// Breaks order preservation (INV-28): who gained more can end below who gained less.
///
/// ```
/// use cofferdam_core::{Amount, AssetId, At, GroupId, Lots, MapMemory, MarketId, Quanta, Slot};
/// use cofferdam_liquidation_strategy::*;
/// let payer = |group, gain: i128| Payer {
///     group: GroupId(group), lots: Lots::new(-10), gain: Amount::new(gain), equity: Amount::new(100),
///     notional: Quanta::new(1_000), cost: Quanta::new(-1_000), room: Amount::new(gain), maintenance: Amount::new(50),
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
    close_outs_only: bool,
    ranking: Ranking,
}

impl QueueAllocation {
    /// A queue by [`Ranking::Leverage`]; `close_losers` also closes holders of the other side who have no gain, after all
    /// others.
    #[must_use]
    pub const fn new(close_losers: bool) -> Self {
        Self { close_losers, close_outs_only: false, ranking: Ranking::Leverage }
    }

    /// The same queue for close-outs only: a deficit in cash is left to the next policy, as where nobody is asked for more once
    /// positions were closed (OKX, Binance, Bybit).
    #[must_use]
    pub const fn close_outs_only(self) -> Self {
        Self { close_outs_only: true, ..self }
    }

    /// The same queue by another ranking.
    #[must_use]
    pub const fn ranked_by(self, ranking: Ranking) -> Self {
        Self { ranking, ..self }
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

impl Ranking {
    /// The score of a winner, or the size of the loss of the others by which they stand smallest first.
    fn score(self, p: &Payer) -> Result<Score, MathError> {
        let wins = p.gain.get() > 0;
        let size = |a: Amount| a.positive_part().get().unsigned_abs();
        let (gain, cost) = (p.gain.get().unsigned_abs(), p.cost.get().unsigned_abs());
        let (equity, maintenance) = (size(p.equity), size(p.maintenance));
        let notional = p.notional.get().unsigned_abs();
        if self == Self::PriceRatio && wins {
            // notional / |cost| or its reciprocal, times notional / equity
            let (above, below) = if p.lots.is_negative() {
                (U256::product(cost, 1), U256::product(equity, 1))
            } else {
                (U256::product(notional, notional), U256::product(cost, equity))
            };
            return Ok(Score { above, below });
        }
        let (base, more, less) = match self {
            Self::Leverage | Self::PriceRatio => (cost, notional, equity),
            Self::MarginRatio => (cost, maintenance, equity),
            Self::Collateral => (size(p.equity.try_sub(p.gain)?), maintenance, equity),
        };
        let (up, down) = if wins || self == Self::Collateral { (more, less) } else { (less, more) };
        Ok(Score { above: U256::product(gain, up), below: U256::product(base, down) })
    }

    /// Payers in the order in which they pay: a total order that does not depend on insertion (INV-46).
    fn order(self, payers: Vec<Payer>) -> Result<Queue, MathError> {
        let mut waiting = Vec::with_capacity(payers.len());
        for (index, p) in payers.iter().enumerate() {
            let score = self.score(p)?;
            let key = Key::quotient(Weight::of_wide(score.above), Weight::of_wide(score.below));
            let index = u32::try_from(index).map_err(|_| MathError::Overflow)?;
            waiting
                .push((if p.gain.get() > 0 { key.descending() } else { key.ascending_after_all() }, index));
        }
        Ok(Queue { ranking: self, payers, waiting, sorted: 0, next: 0, chunk: 1_024 })
    }
}

/// Those who wait. Only those who are asked for are sorted: the first thousand are selected and sorted, then the next eight thousand, and
/// so on, each in time that grows with those who still wait, not with their logarithm.
#[derive(Debug)]
struct Queue {
    ranking: Ranking,
    payers: Vec<Payer>,
    waiting: Vec<(Key, u32)>,
    sorted: usize,
    next: usize,
    chunk: usize,
}

impl Queue {
    fn sort_more(&mut self) {
        let (ranking, payers) = (self.ranking, &self.payers);
        let standing = |i: u32| {
            let p = usize::try_from(i).ok().and_then(|i| payers.get(i));
            p.and_then(|p| ranking.score(p).ok().map(|s| (s, p))) // a score that could not be computed was an error before
        };
        let order = |(a, i): &(Key, u32), (b, j): &(Key, u32)| {
            a.compare(*b).unwrap_or_else(|| match (standing(*i), standing(*j)) {
                (Some((s, p)), Some((t, q))) => before((&s, p), (&t, q)),
                _ => i.cmp(j),
            })
        };
        let Some(rest) = self.waiting.get_mut(self.sorted..) else { return };
        if rest.len() > self.chunk {
            rest.select_nth_unstable_by(self.chunk, order);
        }
        let end = self.chunk.min(rest.len());
        if let Some(first) = rest.get_mut(..end) {
            first.sort_unstable_by(order);
        }
        self.sorted = self.sorted.saturating_add(end);
        self.chunk = self.chunk.saturating_mul(8);
    }
}

impl Iterator for Queue {
    type Item = Payer;

    fn next(&mut self) -> Option<Payer> {
        if self.next == self.sorted {
            self.sort_more();
        }
        let (_, index) = *self.waiting.get(self.next).filter(|_| self.next < self.sorted)?;
        self.next = self.next.saturating_add(1);
        self.payers.get(usize::try_from(index).ok()?).copied()
    }
}

/// Who pays before whom.
fn before((x, a): (&Score, &Payer), (y, b): (&Score, &Payer)) -> Ordering {
    let wins = |p: &Payer| p.gain.get() > 0;
    let order = match (wins(a), wins(b)) {
        (true, false) => Ordering::Less,
        (false, true) => Ordering::Greater,
        (true, true) => y.compare(x),
        (false, false) => x.compare(y),
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
                if self.close_outs_only {
                    return Ok(Settlement { measures: Vec::new(), residual: left.get() });
                }
                let queue = collect(payers, |p| p.gain.get() > 0 && p.room.get() > 0);
                let queue = self.ranking.order(queue)?;
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
                let queue = collect(payers, |p| out.takes(p) && (self.close_losers || p.gain.get() > 0));
                let queue = self.ranking.order(queue)?;
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
