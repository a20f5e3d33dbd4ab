//! Whole units in proportion to weights, none above its cap: divisor methods with caps (M. L. Balinski and H. P. Young, Fair
//! Representation, 1982), Adams' where shares are to be proportional, Jefferson's where the largest is to be small.
//!
//! The unit goes to whoever has so far been given the least per weight. Of the methods that hand out whole units this one
//! gives nobody more than the proportional share rounded up, and it is monotone: a larger total never gives anyone less,
//! and a larger weight keeps at least as much beyond its units as a smaller one. Rounding by running sums or by largest
//! remainder breaks the second (the Alabama paradox), which is why neither is used.

use crate::weight::{Key, Scaled, Weight};
use alloc::{collections::BinaryHeap, vec, vec::Vec};
use cofferdam_core::MathError;
use core::cmp::{Ordering, Reverse};

/// Who gets the next unit: the smallest units / weight before it (Adams) or with it (Jefferson). Adams gives nobody more than its
/// proportional share rounded up. Under Jefferson the largest units / weight is as small as whole units allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Adams,
    Jefferson,
}

/// A weight above zero, the most it may be given, and how it ranks among equals (smaller first).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) weight: Weight,
    pub(crate) cap: u128,
    pub(crate) rank: u32,
}

/// a / weight of one against b / weight of the other, exactly.
fn per_weight(a: u128, of: &Claim, b: u128, other: &Claim) -> Ordering {
    Scaled::product(a, other.weight).cmp(&Scaled::product(b, of.weight))
}

/// The smallest divisor / weight first, ties by larger weight, then by rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Next<'a> {
    key: Key,
    index: usize,
    units: u128,
    /// The units before the next, or with it.
    divisor: u128,
    claim: &'a Claim,
}

impl<'a> Next<'a> {
    /// `None` where the cap is reached.
    fn of(method: Method, index: usize, units: u128, claim: &'a Claim) -> Option<Self> {
        let divisor = match method {
            Method::Adams => units,
            Method::Jefferson => units.saturating_add(1), // no more than the cap where there is a next
        };
        let key = Key::quotient(Weight::of(divisor), claim.weight);
        (units < claim.cap).then_some(Self { key, index, units, divisor, claim })
    }
}

impl Ord for Next<'_> {
    fn cmp(&self, other: &Self) -> Ordering {
        if let Some(order) = self.key.compare(other.key) {
            return order;
        }
        per_weight(self.divisor, self.claim, other.divisor, other.claim)
            .then_with(|| other.claim.weight.cmp(&self.claim.weight))
            .then(self.claim.rank.cmp(&other.claim.rank))
            .then(self.index.cmp(&other.index))
    }
}

impl PartialOrd for Next<'_> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn sum(units: impl Iterator<Item = u128>) -> Result<u128, MathError> {
    let mut total: u128 = 0;
    for x in units {
        total = total.checked_add(x).ok_or(MathError::Overflow)?;
    }
    Ok(total)
}

/// Units per claim by Adams' method, in the order of the claims; together `total`, or all caps where they are less.
pub(crate) fn apportion(total: u128, claims: &[Claim]) -> Result<Vec<u128>, MathError> {
    apportion_by(Method::Adams, total, claims)
}

/// The same by either method.
pub(crate) fn apportion_by(method: Method, total: u128, claims: &[Claim]) -> Result<Vec<u128>, MathError> {
    let caps = sum(claims.iter().map(|c| c.cap))?;
    if caps <= total {
        return Ok(claims.iter().map(|c| c.cap).collect());
    }
    let mut units = start(method, total, claims)?;
    let mut left = total.checked_sub(sum(units.iter().copied())?).ok_or(MathError::Overflow)?;
    if left == 0 {
        return Ok(units);
    }
    let open = |(i, (c, u)): (usize, (_, &u128))| Next::of(method, i, *u, c).map(Reverse);
    let mut heap: BinaryHeap<_> = claims.iter().zip(&units).enumerate().filter_map(open).collect();
    while left > 0 {
        let Some(Reverse(next)) = heap.pop() else { return Err(MathError::Overflow) };
        let given = next.units.checked_add(1).ok_or(MathError::Overflow)?;
        if let Some(slot) = units.get_mut(next.index) {
            *slot = given;
        }
        left = left.saturating_sub(1); // above zero here
        heap.extend(Next::of(method, next.index, given, next.claim).map(Reverse));
    }
    Ok(units)
}

/// Units on the method's own path, at most `total` and not much below: going on one unit at a time gives the same answer as from
/// zero. All units with divisor / weight below a rate are such a start, whatever the rate. Adams' rounding up adds less than n units in
/// all, so the rate for (total - n) is low enough, up to the last bits of a rate; how much rounding really added tells a nearer one.
/// Jefferson's rounding down takes less than n.
fn start(method: Method, total: u128, claims: &[Claim]) -> Result<Vec<u128>, MathError> {
    let n = u128::try_from(claims.len()).map_err(|_| MathError::Overflow)?;
    let water = Water::new(claims);
    let mut best = (0, vec![0; claims.len()]);
    let mut target = total.saturating_sub(n); // saturates to an empty start, on purpose
    let mut tries: u8 = 4;
    while target > 0 && (tries > 0 || best.0 == 0) {
        tries = tries.saturating_sub(1);
        let rate = water.rate(target)?;
        let below = |c: &Claim| match method {
            Method::Adams => rate.times_up(c.weight, c.cap),
            Method::Jefferson => rate.times_up(c.weight, c.cap.saturating_add(1)).saturating_sub(1),
        };
        let units: Vec<u128> = claims.iter().map(below).collect();
        let given = sum(units.iter().copied())?; // at most the sum of caps, which fits
        target = match total.checked_sub(given) {
            Some(left) if given >= best.0 => {
                best = (given, units);
                if left < 32 {
                    break;
                }
                target.saturating_add(left).min(total)
            }
            Some(_) => break, // not nearer
            // once something fits, the last bits are left to the steps of one unit
            None => target.saturating_sub(given.saturating_sub(total)).saturating_sub(if best.0 == 0 {
                n
            } else {
                1
            }),
        };
    }
    Ok(best.1)
}

/// Water-filling: the rate at which shares min(cap, rate x weight) sum to a total.
struct Water<'a> {
    /// Those whose cap is reached first come first: smallest cap / weight. With the weights from there on.
    order: Vec<(&'a Claim, Weight)>,
}

impl<'a> Water<'a> {
    fn new(claims: &'a [Claim]) -> Self {
        let mut keyed: Vec<(Key, &Claim)> =
            claims.iter().map(|c| (Key::quotient(Weight::of(c.cap), c.weight), c)).collect();
        keyed.sort_unstable_by(|(x, a), (y, b)| {
            x.compare(*y).unwrap_or_else(|| per_weight(a.cap, a, b.cap, b))
        });
        let mut order: Vec<(&Claim, Weight)> = keyed.into_iter().map(|(_, c)| (c, Weight::ZERO)).collect();
        let mut weight = Weight::ZERO;
        for (c, from_here) in order.iter_mut().rev() {
            weight = weight.plus(c.weight);
            *from_here = weight;
        }
        Self { order }
    }

    fn rate(&self, total: u128) -> Result<Weight, MathError> {
        let mut left = total;
        for (c, weight) in &self.order {
            // left / weight >= cap / own weight: its share is more than it may be given
            if Scaled::product(left, c.weight) < Scaled::product(c.cap, *weight) {
                return Weight::of(left).over(*weight);
            }
            left = left.saturating_sub(c.cap); // a rate that is off is found out where it is used
        }
        Err(MathError::Overflow) // not reached: all caps together are more than the total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;

    /// The method by its definition, one unit at a time.
    fn slow(method: Method, total: u128, claims: &[Claim]) -> Vec<u128> {
        let mut units = vec![0_u128; claims.len()];
        for _ in 0..total {
            let open = |i: usize| Next::of(method, i, units[i], &claims[i]);
            let next = (0..claims.len()).filter_map(open).min_by(|a, b| {
                per_weight(a.divisor, a.claim, b.divisor, b.claim)
                    .then_with(|| b.claim.weight.cmp(&a.claim.weight))
                    .then(a.claim.rank.cmp(&b.claim.rank))
            });
            match next {
                Some(n) => units[n.index] += 1,
                None => break,
            }
        }
        units
    }

    fn claims(parts: &[(u128, u128)]) -> Vec<Claim> {
        let build = |(&(weight, cap), rank)| Claim { weight: Weight::of(weight), cap, rank };
        parts.iter().zip(0..).map(build).collect()
    }

    proptest! {
        #[test]
        fn the_fast_start_lies_on_the_path(parts in prop::collection::vec((1_u128..40, 0_u128..40), 1..8), total in 0_u128..200) {
            let claims = claims(&parts);
            for method in [Method::Adams, Method::Jefferson] {
                prop_assert_eq!(apportion_by(method, total, &claims).unwrap(), slow(method, total, &claims));
            }
        }

        #[test]
        fn wide_numbers_are_exact(parts in prop::collection::vec((1_u128..1 << 110, 0_u128..1 << 110), 1..9), per_mille in 0_u128..1001) {
            let claims = claims(&parts);
            let caps: u128 = parts.iter().map(|p| p.1).sum();
            let total = caps / 1000 * per_mille;
            for method in [Method::Adams, Method::Jefferson] {
                let units = apportion_by(method, total, &claims).unwrap();
                prop_assert_eq!(units.iter().sum::<u128>(), total);
                prop_assert!(units.iter().zip(&claims).all(|(u, c)| *u <= c.cap));
            }
        }

        /// Weights of any width: who weighs 2^600 times as much comes first, and the others still share by their own proportion.
        #[test]
        fn no_weight_is_lost(parts in prop::collection::vec((1_u128..40, 1_u128..40, 0_u32..4), 1..8), total in 0_u128..200) {
            let build = |(&(weight, cap, tier), rank)| {
                Claim { weight: Weight::of(weight).times(Weight::of(2).power(tier * 200)), cap, rank }
            };
            let claims: Vec<Claim> = parts.iter().zip(0..).map(build).collect();
            for method in [Method::Adams, Method::Jefferson] {
                prop_assert_eq!(apportion_by(method, total, &claims).unwrap(), slow(method, total, &claims));
            }
        }
    }
}
