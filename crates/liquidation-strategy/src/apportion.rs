//! Whole units in proportion to weights, none above its cap: Adams' divisor method with caps (M. L. Balinski and H. P.
//! Young, Fair Representation, 1982).
//!
//! The unit goes to whoever has so far been given the least per weight. Of the methods that hand out whole units this one
//! gives nobody more than the proportional share rounded up, and it is monotone: a larger total never gives anyone less,
//! and a larger weight keeps at least as much beyond its units as a smaller one. Rounding by running sums or by largest
//! remainder breaks the second (the Alabama paradox), which is why neither is used.

use alloc::{collections::BinaryHeap, vec::Vec};
use cofferdam_core::{MathError, wide, wide::U256};
use core::cmp::{Ordering, Reverse};

/// A weight above zero, the most it may be given, and how it ranks among equals (smaller first).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) weight: u128,
    pub(crate) cap: u128,
    pub(crate) rank: u32,
}

/// The smallest units / weight first, ties by larger weight, then by rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Next {
    index: usize,
    units: u128,
    claim: Claim,
}

impl Ord for Next {
    fn cmp(&self, other: &Self) -> Ordering {
        U256::product(self.units, other.claim.weight)
            .cmp(&U256::product(other.units, self.claim.weight))
            .then(other.claim.weight.cmp(&self.claim.weight))
            .then(self.claim.rank.cmp(&other.claim.rank))
            .then(self.index.cmp(&other.index))
    }
}

impl PartialOrd for Next {
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

/// Units per claim, in the order of the claims; together `total`, or all caps where they are less.
pub(crate) fn apportion(total: u128, claims: &[Claim]) -> Result<Vec<u128>, MathError> {
    let caps = sum(claims.iter().map(|c| c.cap))?;
    if caps <= total {
        return Ok(claims.iter().map(|c| c.cap).collect());
    }
    // Start below the answer: rounding shares of (total - n) up adds less than n units. The start lies on the method's own
    // path, so going on one unit at a time, at most n times, gives the same answer as from zero.
    let n = u128::try_from(claims.len()).map_err(|_| MathError::Overflow)?;
    let mut units = level(total.saturating_sub(n), claims)?; // saturates to an empty start, on purpose
    let mut left = total.checked_sub(sum(units.iter().copied())?).ok_or(MathError::Overflow)?;
    let open =
        |index, units, claim: Claim| (units < claim.cap).then_some(Reverse(Next { index, units, claim }));
    let mut heap: BinaryHeap<_> =
        claims.iter().zip(&units).enumerate().filter_map(|(i, (c, u))| open(i, *u, *c)).collect();
    while left > 0 {
        let Some(Reverse(next)) = heap.pop() else { return Err(MathError::Overflow) };
        let given = next.units.checked_add(1).ok_or(MathError::Overflow)?;
        if let Some(slot) = units.get_mut(next.index) {
            *slot = given;
        }
        left = left.saturating_sub(1); // above zero here
        heap.extend(open(next.index, given, next.claim));
    }
    Ok(units)
}

/// Water-filling: min(cap, ceil(rate x weight)) at the exact rate at which the capped shares sum to `total`.
fn level(total: u128, claims: &[Claim]) -> Result<Vec<u128>, MathError> {
    let mut order: Vec<&Claim> = claims.iter().collect();
    // those whose cap is reached first come first: smallest cap / weight
    order.sort_by(|a, b| U256::product(a.cap, b.weight).cmp(&U256::product(b.cap, a.weight)));
    let (mut left, mut weight) = (total, sum(claims.iter().map(|c| c.weight))?);
    for c in order {
        // left / weight >= cap / own weight: its share is more than it may be given
        if U256::product(left, c.weight) < U256::product(c.cap, weight) {
            break;
        }
        left = left.checked_sub(c.cap).ok_or(MathError::Overflow)?;
        weight = weight.checked_sub(c.weight).ok_or(MathError::Overflow)?;
    }
    claims
        .iter()
        .map(|c| match weight {
            0 => Ok(c.cap),
            // U256 does not overflow: left <= weight x (cap / own weight) for every claim that is not at its cap
            _ if U256::product(left, c.weight) >= U256::product(c.cap, weight) => Ok(c.cap),
            _ => wide::mul_div_unsigned(left, c.weight, weight, true).map(|x| x.min(c.cap)),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;

    /// The method by its definition, one unit at a time.
    fn slow(total: u128, claims: &[Claim]) -> Vec<u128> {
        let mut units = vec![0_u128; claims.len()];
        for _ in 0..total {
            let next = (0..claims.len())
                .filter(|i| units[*i] < claims[*i].cap)
                .map(|index| Next { index, units: units[index], claim: claims[index] })
                .min();
            match next {
                Some(n) => units[n.index] += 1,
                None => break,
            }
        }
        units
    }

    proptest! {
        #[test]
        fn the_fast_start_lies_on_the_path(parts in prop::collection::vec((1_u128..40, 0_u128..40), 1..8), total in 0_u128..200) {
            let claims: Vec<Claim> =
                parts.iter().zip(0..).map(|(&(weight, cap), rank)| Claim { weight, cap, rank }).collect();
            prop_assert_eq!(apportion(total, &claims).unwrap(), slow(total, &claims));
        }

        #[test]
        fn wide_numbers_are_exact(parts in prop::collection::vec((1_u128..1 << 110, 0_u128..1 << 110), 1..9), per_mille in 0_u128..1001) {
            let claims: Vec<Claim> =
                parts.iter().zip(0..).map(|(&(weight, cap), rank)| Claim { weight, cap, rank }).collect();
            let caps: u128 = parts.iter().map(|p| p.1).sum();
            let total = caps / 1000 * per_mille;
            let units = apportion(total, &claims).unwrap();
            prop_assert_eq!(units.iter().sum::<u128>(), total);
            prop_assert!(units.iter().zip(&claims).all(|(u, c)| *u <= c.cap));
        }
    }
}
