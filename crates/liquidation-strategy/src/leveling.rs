//! Leverage levelled from the top: the largest exposure per equity is made as small as it can be by closing a given number of units
//! (M. Campbell, A. Hey, C. Moallemi, M. Nutz, Risk-Based Auto-Deleveraging, arXiv:2603.15963).
//!
//! Unit by unit, each is taken from whoever then has the most exposure per equity. That minimises the largest, then
//! the second largest and so on, among all whole solutions, and what was closed in two steps is what would have been closed in one. In
//! terms of what remains it is D'Hondt's divisor method with equity as votes. The units before the last few come at once from the
//! exact level of the continuous problem, l* = clip(eta, lowest, highest), found by sorting where holders begin and end to take part.

use alloc::{collections::BinaryHeap, vec, vec::Vec};
use cofferdam_core::{MathError, Rounding, wide, wide::U256};
use core::cmp::Ordering;

/// Someone whose exposure can be made smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exposed {
    /// Exposure to the factor, in any one unit; below zero for a hedge. For one market alone: lots, without sign.
    pub exposure: i128,
    /// Equity, in any one unit. Without equity (zero) leverage is infinite: such holders are closed first, in proportion to what can be
    /// closed.
    pub equity: u128,
    /// The most units that can be closed.
    pub most: u128,
    /// Who is closed first among equals: the smaller rank.
    pub rank: u32,
}

/// a / b against c / d, for b and d above zero.
fn fractions((a, b): (i128, u128), (c, d): (i128, u128)) -> Ordering {
    let size = |x: i128, y| U256::product(x.unsigned_abs(), y);
    match (a < 0, c < 0) {
        (false, true) => Ordering::Greater,
        (true, false) => Ordering::Less,
        (false, false) => size(a, d).cmp(&size(c, b)),
        (true, true) => size(c, b).cmp(&size(a, d)),
    }
}

/// How many units of each are closed, in the order of `holders`: together `total`, or all where there are fewer. `per_unit` is the exposure
/// of one unit, above zero.
///
/// Errors with [`MathError`] for a unit without exposure, and where sums of equity or exposure leave 127 bits.
///
/// ```
/// use cofferdam_liquidation_strategy::{Exposed, level_exposure};
/// let holder = |exposure, equity, rank| Exposed { exposure, equity, most: 100, rank };
/// // leverage 10, 4 and 1 (per unit): down to 4 needs 60, then both fall together
/// let holders = [holder(100, 10, 1), holder(100, 25, 2), holder(100, 100, 3)];
/// assert_eq!(level_exposure(60, 1, &holders)?, [60, 0, 0]);
/// assert_eq!(level_exposure(95, 1, &holders)?, [70, 25, 0]); // 30 / 10 and 75 / 25
/// assert_eq!(level_exposure(400, 1, &holders)?, [100, 100, 100]);
/// # Ok::<(), cofferdam_core::MathError>(())
/// ```
pub fn level_exposure(total: u128, per_unit: u128, holders: &[Exposed]) -> Result<Vec<u128>, MathError> {
    let per_unit = i128::try_from(per_unit).map_err(|_| MathError::Overflow)?;
    if per_unit == 0 {
        return Err(MathError::DivisionByZero);
    }
    // without equity: by what can be closed, so that a split account is closed as a whole one
    let mut bare = Vec::new();
    let mut others = Vec::new();
    for h in holders {
        if h.equity == 0 { bare.push(Exposed { equity: h.most.max(1), ..*h }) } else { others.push(*h) }
    }
    let first = total.min(sum(&bare)?);
    let mut of_bare = levelled(first, per_unit, &bare)?.into_iter();
    let mut of_others = levelled(total.saturating_sub(first), per_unit, &others)?.into_iter(); // first <= total
    let next = |h: &Exposed| if h.equity == 0 { of_bare.next() } else { of_others.next() };
    holders.iter().map(next).collect::<Option<_>>().ok_or(MathError::Overflow)
}

fn sum(holders: &[Exposed]) -> Result<u128, MathError> {
    holders.iter().try_fold(0_u128, |s, h| s.checked_add(h.most)).ok_or(MathError::Overflow)
}

/// [`level_exposure`] where everybody has equity.
fn levelled(total: u128, per_unit: i128, holders: &[Exposed]) -> Result<Vec<u128>, MathError> {
    if sum(holders)? <= total {
        return Ok(holders.iter().map(|h| h.most).collect());
    }
    // Start below the answer: rounding units of (total - n) up adds less than n. The start is where all units above a level are
    // closed, which lies on the path of one unit at a time; the rest, at most n units, goes that path.
    let n = u128::try_from(holders.len()).map_err(|_| MathError::Overflow)?;
    let mut closed = match level(total.saturating_sub(n), per_unit, holders)? {
        Some(eta) => holders.iter().map(|h| units_above(eta, per_unit, h)).collect::<Result<Vec<_>, _>>()?,
        None => vec![0; holders.len()],
    };
    let mut left = total;
    for x in &closed {
        left = left.checked_sub(*x).ok_or(MathError::Overflow)?;
    }
    let mut heap = BinaryHeap::new();
    for (index, (h, x)) in holders.iter().zip(&closed).enumerate() {
        heap.extend(Next::of(index, h, *x, per_unit)?);
    }
    while left > 0 {
        let Some(next) = heap.pop() else { return Err(MathError::Overflow) };
        let (Some(x), Some(h)) = (closed.get_mut(next.index), holders.get(next.index)) else {
            return Err(MathError::Overflow);
        };
        *x = x.checked_add(1).ok_or(MathError::Overflow)?;
        heap.extend(Next::of(next.index, h, *x, per_unit)?);
        left = left.saturating_sub(1); // above zero here
    }
    Ok(closed)
}

/// The most exposure per equity first, then the most exposure, then the smaller rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Next {
    index: usize,
    exposure: i128,
    equity: u128,
    rank: u32,
}

impl Next {
    fn of(index: usize, h: &Exposed, closed: u128, per_unit: i128) -> Result<Option<Self>, MathError> {
        if closed >= h.most {
            return Ok(None);
        }
        let exposure = after(h, closed, per_unit)?;
        Ok(Some(Self { index, exposure, equity: h.equity, rank: h.rank }))
    }
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> Ordering {
        fractions((self.exposure, self.equity), (other.exposure, other.equity))
            .then(self.exposure.cmp(&other.exposure))
            .then(other.rank.cmp(&self.rank))
            .then(other.index.cmp(&self.index))
    }
}

impl PartialOrd for Next {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Exposure when so many units are closed.
fn after(h: &Exposed, closed: u128, per_unit: i128) -> Result<i128, MathError> {
    let closed = i128::try_from(closed).map_err(|_| MathError::Overflow)?;
    let down = closed.checked_mul(per_unit).ok_or(MathError::Overflow)?;
    h.exposure.checked_sub(down).ok_or(MathError::Overflow)
}

/// The level at which `total` units, in fractions, are closed; `None` where none is. Between two levels at which somebody begins or ends
/// to take part it is (exposure of those who do, less per unit x what they close) / their equity.
fn level(total: u128, per_unit: i128, holders: &[Exposed]) -> Result<Option<(i128, u128)>, MathError> {
    if total == 0 {
        return Ok(None);
    }
    let mut turns = Vec::with_capacity(holders.len().saturating_mul(2));
    for h in holders.iter().filter(|h| h.most > 0) {
        turns.push((h.exposure, true, h));
        turns.push((after(h, h.most, per_unit)?, false, h));
    }
    // the highest level first; who begins and ends at once begins first
    turns.sort_by(|(a, begins, x), (b, also, y)| {
        fractions((*b, y.equity), (*a, x.equity)).then(also.cmp(begins))
    });
    let target =
        i128::try_from(total).ok().and_then(|t| t.checked_mul(per_unit)).ok_or(MathError::Overflow)?;
    // exposure and equity of those who take part; what those closed whole have given
    let (mut exposure, mut equity, mut given) = (0_i128, 0_u128, 0_i128);
    for (key, begins, h) in turns {
        // still to give by those who take part, were the level here
        let above =
            exposure.checked_add(given).and_then(|x| x.checked_sub(target)).ok_or(MathError::Overflow)?;
        if equity > 0 && fractions((above, equity), (key, h.equity)).is_ge() {
            return Ok(Some((above, equity)));
        }
        let whole = h.exposure.checked_sub(after(h, h.most, per_unit)?).ok_or(MathError::Overflow)?;
        let parts = if begins {
            (exposure.checked_add(h.exposure), equity.checked_add(h.equity), Some(given))
        } else {
            (exposure.checked_sub(h.exposure), equity.checked_sub(h.equity), given.checked_add(whole))
        };
        let (Some(e), Some(q), Some(g)) = parts else { return Err(MathError::Overflow) };
        (exposure, equity, given) = (e, q, g);
    }
    Err(MathError::Overflow) // not reached: all units together are more than the total
}

/// Units whose exposure per equity, before they are closed, is above the level: rounded up, at most all.
fn units_above((top, below): (i128, u128), per_unit: i128, h: &Exposed) -> Result<u128, MathError> {
    if fractions((h.exposure, h.equity), (top, below)).is_le() {
        return Ok(0);
    }
    let (equity, below) = (i128::try_from(h.equity), i128::try_from(below)); // sums that leave 127 bits are errors
    let (Ok(equity), Ok(below)) = (equity, below) else { return Err(MathError::Overflow) };
    // ceil((s - eta E) / v) in two steps; a level far below zero is out of reach of any holder with units left
    let kept = wide::mul_div(top, equity, below, Rounding::Down);
    let over = match kept {
        Ok(kept) => h.exposure.checked_sub(kept),
        Err(_) if top < 0 => None,
        Err(e) => return Err(e),
    };
    let Some(over) = over else { return Ok(h.most) };
    Ok(wide::div(over, per_unit, Rounding::Up)?.unsigned_abs().min(h.most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// By its definition, one unit at a time.
    fn slow(total: u128, per_unit: i128, holders: &[Exposed]) -> Vec<u128> {
        let mut closed = vec![0_u128; holders.len()];
        for _ in 0..total {
            let next = |bare: bool| {
                (0..holders.len())
                    .filter(|i| (holders[*i].equity == 0) == bare)
                    .filter_map(|i| {
                        let of = holders[i];
                        let equity = if bare { of.most.max(1) } else { of.equity };
                        let h = Exposed { equity, ..of };
                        Next::of(i, &h, closed[i], per_unit).unwrap()
                    })
                    .max()
            };
            match next(true).or_else(|| next(false)) {
                Some(n) => closed[n.index] += 1,
                None => break,
            }
        }
        closed
    }

    fn holders() -> impl Strategy<Value = Vec<Exposed>> {
        let one = (-20_i128..90, 0_u128..12, 0_u128..30);
        prop::collection::vec(one, 0..8).prop_map(|parts| {
            let build = |((exposure, equity, most), rank)| Exposed { exposure, equity, most, rank };
            parts.into_iter().zip(0..).map(build).collect()
        })
    }

    proptest! {
        #[test]
        fn the_fast_start_lies_on_the_path(holders in holders(), total in 0_u128..150, v in 1_u128..5) {
            prop_assert_eq!(level_exposure(total, v, &holders).unwrap(), slow(total, v as i128, &holders));
        }

        /// Moving one unit from any closed holder to any other never makes the largest leverage smaller.
        #[test]
        fn no_exchange_is_better(holders in holders(), total in 1_u128..100) {
            let finite: Vec<Exposed> = holders.into_iter().filter(|h| h.equity > 0).collect();
            let closed = level_exposure(total, 1, &finite).unwrap();
            let top = |x: &[u128]| {
                let of = |(h, x): (&Exposed, &u128)| (h.exposure - *x as i128, h.equity);
                finite.iter().zip(x).filter(|(h, _)| h.most > 0).map(of).max_by(|a, b| fractions(*a, *b))
            };
            for i in (0..finite.len()).filter(|i| closed[*i] > 0) {
                for j in (0..finite.len()).filter(|j| *j != i && closed[*j] < finite[*j].most) {
                    let mut other = closed.clone();
                    (other[i], other[j]) = (other[i] - 1, other[j] + 1);
                    prop_assert!(fractions(top(&other).unwrap(), top(&closed).unwrap()).is_ge());
                }
            }
        }
    }

    #[test]
    fn at_the_limits() {
        let h = |exposure, equity, most| Exposed { exposure, equity, most, rank: 0 };
        assert_eq!(level_exposure(5, 1, &[]).unwrap(), Vec::<u128>::new());
        assert_eq!(level_exposure(0, 1, &[h(5, 1, 5)]).unwrap(), [0]);
        assert!(level_exposure(1, 0, &[h(5, 1, 5)]).is_err());
        let lots = i64::MAX as u128;
        let wide = [h(lots as i128, 1 << 120, lots), h(lots as i128, 1, lots)];
        assert_eq!(level_exposure(lots, 1, &wide).unwrap(), [0, lots]); // 1 / 1 is more than 2^63 / 2^120
        assert!(level_exposure(4, 1, &[h(5, u128::MAX, 5), h(5, u128::MAX, 5)]).is_err());
    }
}
