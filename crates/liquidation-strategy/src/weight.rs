//! Weights that are products and quotients of money: 128 significant bits and a power of two, in integers.
//!
//! A gain times a leverage times its power passes any fixed width. Weights keep 128 leading bits through each product, quotient and
//! sum (cut down: below one part in 2^126 each) and any power of two, so no weight vanishes beside another. Comparing units per weight
//! is exact, so the units that are shared out follow one rule to the last of them, whatever the weights are.

use crate::allocation::{close_out, collect, deficit};
use crate::apportion::{Claim, Method, apportion_by};
use crate::socialise::untouched;
use crate::{Cause, LiquidationError, Measure, Need, Payer, Payers, Settlement};
use alloc::vec::Vec;
use cofferdam_core::{Amount, MathError, wide::U256};
use core::cmp::Ordering;

/// mantissa x 2^exponent; the mantissa is zero or has its highest bit set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weight {
    mantissa: u128,
    exponent: i32,
}

impl Weight {
    pub(crate) const ZERO: Self = Self { mantissa: 0, exponent: 0 };

    pub(crate) fn of(x: u128) -> Self {
        Self::of_wide(U256::from_u128(x))
    }

    /// The leading 128 bits, the rest cut off.
    pub(crate) fn of_wide(x: U256) -> Self {
        let (high, low, base) = if x.hi == 0 { (x.lo, 0, 0_i32) } else { (x.hi, x.lo, 128_i32) };
        if high == 0 {
            return Self::ZERO;
        }
        let shift = high.leading_zeros(); // below 128
        let rest = low.checked_shr(128_u32.wrapping_sub(shift)).unwrap_or(0);
        let exponent = i32::try_from(shift).map_or(base, |s| base.wrapping_sub(s)); // -127 to 128
        Self { mantissa: (high << shift) | rest, exponent }
    }

    // Exponents are sums of a few dozen values between -256 and 256: they do not leave an i32.
    pub(crate) fn times(self, other: Self) -> Self {
        let p = Self::of_wide(U256::product(self.mantissa, other.mantissa));
        if p.mantissa == 0 {
            return Self::ZERO;
        }
        Self { exponent: p.exponent.wrapping_add(self.exponent).wrapping_add(other.exponent), ..p }
    }

    /// The quotient, cut down; errors on a divisor of zero.
    pub(crate) fn over(self, other: Self) -> Result<Self, MathError> {
        // half of a mantissa is below 2^127, and a divisor's mantissa is not: the quotient fits
        let above = U256 { hi: self.mantissa >> 1, lo: self.mantissa << 127 };
        let q = Self::of(above.div_rem(other.mantissa)?.0);
        if q.mantissa == 0 {
            return Ok(Self::ZERO);
        }
        let down = self.exponent.wrapping_sub(other.exponent).wrapping_sub(127);
        Ok(Self { exponent: q.exponent.wrapping_add(down), ..q })
    }

    /// The sum, cut down.
    pub(crate) fn plus(self, other: Self) -> Self {
        let (more, less) = if self.exponent >= other.exponent { (self, other) } else { (other, self) };
        match (more.mantissa, less.mantissa) {
            (0, _) => return less,
            (_, 0) => return more,
            _ => {}
        }
        let down = more.exponent.wrapping_sub(less.exponent).unsigned_abs();
        let (sum, carry) = more.mantissa.overflowing_add(less.mantissa.checked_shr(down).unwrap_or(0));
        if carry {
            Self { mantissa: (sum >> 1) | (1 << 127), exponent: more.exponent.wrapping_add(1) }
        } else {
            Self { mantissa: sum, ..more }
        }
    }

    /// The product with a weight, rounded up, and at most `cap`.
    pub(crate) fn times_up(self, weight: Self, cap: u128) -> u128 {
        let p = U256::product(self.mantissa, weight.mantissa);
        let exponent = self.exponent.wrapping_add(weight.exponent);
        if p == U256::ZERO {
            return 0;
        }
        // both mantissas have their highest bit, so the product is at least 2^254
        let Some(down) = exponent.checked_neg().and_then(|x| u32::try_from(x).ok()).filter(|d| *d > 126)
        else {
            return cap; // at least 2^128
        };
        if down >= 256 {
            return cap.min(1); // below one
        }
        let (whole, cut) = if down >= 128 {
            let s = down.wrapping_sub(128); // below 128
            let rest = p.hi & low_bits(s);
            (p.hi >> s, rest != 0 || p.lo != 0)
        } else {
            // 127: what is above 128 bits is above every cap
            if p.hi >> 127 != 0 {
                return cap;
            }
            ((p.hi << 1) | (p.lo >> 127), p.lo & low_bits(127) != 0)
        };
        whole.saturating_add(u128::from(cut)).min(cap)
    }

    pub(crate) fn power(self, n: u32) -> Self {
        (0..n).fold(Self { mantissa: 1 << 127, exponent: -127 }, |p, _| p.times(self))
    }
}

/// A quotient as a number that sorts fast: 13 bits of exponent, 51 of mantissa. Two keys that are three or more apart are in the order
/// of the exact quotients; nearer ones say nothing, and the exact comparison decides. A divisor of zero is the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key(u64);

impl Key {
    pub(crate) fn quotient(above: Weight, below: Weight) -> Self {
        if below.mantissa == 0 {
            return Self(u64::MAX);
        }
        if above.mantissa == 0 {
            return Self(0);
        }
        // 64 leading bits of each: wrong by less than one part in 2^60, where a key's unit is at least one in 2^52
        let q = ((above.mantissa >> 64) << 63).checked_div(below.mantissa >> 64).unwrap_or(0); // in 2^62 to 2^64
        let q = u64::try_from(q).unwrap_or(u64::MAX);
        let shift = q.leading_zeros(); // 0 or 1
        let down = i32::try_from(shift).unwrap_or(0);
        let exponent = above.exponent.wrapping_sub(below.exponent).wrapping_sub(down).wrapping_add(4_096);
        match u64::try_from(exponent) {
            Err(_) => Self(1), // all that are as small are one
            Ok(0) => Self(1),
            Ok(e) if e >= 8_191 => Self(8_191 << 51),
            Ok(e) => Self((e << 51) | ((q << shift << 1) >> 13)),
        }
    }

    /// A key in which the greatest quotient stands first.
    pub(crate) fn descending(self) -> Self {
        Self(!self.0 >> 1)
    }

    /// A key in which the smallest quotient stands first, but after every [`Key::descending`].
    pub(crate) fn ascending_after_all(self) -> Self {
        Self((1 << 63) | (self.0 >> 1))
    }

    /// The order of the exact quotients where the keys tell it.
    pub(crate) fn compare(self, other: Self) -> Option<Ordering> {
        (self.0.abs_diff(other.0) > 2).then(|| self.0.cmp(&other.0))
    }
}

impl Ord for Weight {
    fn cmp(&self, other: &Self) -> Ordering {
        Scaled::product(1, *self).cmp(&Scaled::product(1, *other))
    }
}

impl PartialOrd for Weight {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The exact product of units and a weight, for comparing: x 2^exponent, and 256 bits of which the highest is set (or none).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Scaled {
    digits: U256,
    exponent: i32,
}

impl Scaled {
    pub(crate) fn product(units: u128, weight: Weight) -> Self {
        let p = U256::product(units, weight.mantissa);
        let (p, moved) = if p.hi == 0 { (U256 { hi: p.lo, lo: 0 }, 128) } else { (p, 0) };
        if p.hi == 0 {
            return Self { digits: U256::ZERO, exponent: 0 };
        }
        let shift = p.hi.leading_zeros(); // below 128
        let carried = p.lo.checked_shr(128_u32.wrapping_sub(shift)).unwrap_or(0);
        let digits = U256 { hi: (p.hi << shift) | carried, lo: p.lo << shift };
        let down = i32::try_from(shift).unwrap_or(0).wrapping_add(moved);
        Self { digits, exponent: weight.exponent.wrapping_sub(down) }
    }
}

impl Ord for Scaled {
    fn cmp(&self, other: &Self) -> Ordering {
        // nothing is less than anything; else a higher power of two decides, then the digits
        let some = |x: &Self| x.digits != U256::ZERO;
        some(self)
            .cmp(&some(other))
            .then(self.exponent.cmp(&other.exponent))
            .then(self.digits.cmp(&other.digits))
    }
}

impl PartialOrd for Scaled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A mask of the lowest bits, fewer than 128.
fn low_bits(count: u32) -> u128 {
    1_u128.checked_shl(count).unwrap_or(0).wrapping_sub(1)
}

/// More than any notional over any equity.
pub(crate) const WITHOUT_EQUITY: Weight = Weight { mantissa: 1 << 127, exponent: 0 };

/// Notional over equity, in quanta per atom: where only proportions count, the unit does not. Without equity the same for all,
/// 2^127, and more than anybody's with equity.
pub(crate) fn leverage(p: &Payer) -> Result<Weight, MathError> {
    match p.equity.positive_part().get().unsigned_abs() {
        0 => Ok(WITHOUT_EQUITY),
        equity => Weight::of(p.notional.get().unsigned_abs()).over(Weight::of(equity)),
    }
}

/// Shares a need among winners by weights: a deficit by size = gain and at most min(gain, room); a close-out by size = lots among
/// holders of the other side that have a gain, and at most their lots. `rate` is the weight of one unit of size, `limit` a further
/// cap (of a payer, its size, and whether the need is in cash).
///
/// Whole units by Adams' method: see [`Method`].
pub(crate) fn by_weights(
    need: &Need,
    payers: &dyn Payers,
    rate: impl Fn(&Payer) -> Result<Weight, MathError>,
    limit: impl Fn(&Payer, u128, bool) -> Result<u128, MathError>,
) -> Result<Settlement, LiquidationError> {
    let weight = |p: &Payer, size: u128| Ok(Weight::of(size).times(rate(p)?));
    by_whole_weights(Method::Adams, need, payers, weight, limit)
}

/// As [`by_weights`], by weights of a payer and its size, and either method.
pub(crate) fn by_whole_weights(
    method: Method,
    need: &Need,
    payers: &dyn Payers,
    weight: impl Fn(&Payer, u128) -> Result<Weight, MathError>,
    limit: impl Fn(&Payer, u128, bool) -> Result<u128, MathError>,
) -> Result<Settlement, LiquidationError> {
    let gain = |p: &Payer| p.gain.positive_part().get().unsigned_abs();
    let room = |p: &Payer| p.gain.min(p.room).positive_part().get().unsigned_abs();
    let lots = |p: &Payer| u128::from(p.lots.get().unsigned_abs());
    let signed = |x: u128| i128::try_from(x).map_err(|_| MathError::Overflow);
    match need.cause {
        Cause::PoolGain { .. } => Ok(untouched(need)),
        Cause::Deficit => {
            let total = deficit(need)?.get().unsigned_abs();
            let winners = collect(payers, |p| room(p) > 0);
            let cap = |p: &Payer| limit(p, gain(p), true).map(|x| x.min(room(p)));
            let (units, left) = share(method, total, &winners, |p| weight(p, gain(p)), cap)?;
            let mut measures = Vec::new();
            for (p, x) in winners.iter().zip(units).filter(|(_, x)| *x > 0) {
                measures.push(Measure::Haircut { payer: p.group, amount: Amount::new(signed(x)?) });
            }
            Ok(Settlement { measures, residual: signed(left)? })
        }
        Cause::CloseOut { .. } => {
            let out = close_out(need)?;
            let winners = collect(payers, |p| out.takes(p) && p.gain.get() > 0);
            let cap = |p: &Payer| limit(p, lots(p), false).map(|x| x.min(lots(p)));
            let (units, left) = share(method, out.size, &winners, |p| weight(p, lots(p)), cap)?;
            let mut measures = Vec::new();
            for (p, x) in winners.iter().zip(units).filter(|(_, x)| *x > 0) {
                measures.push(out.measure(p, x)?);
            }
            out.settled(measures, left)
        }
    }
}

/// Units per winner and what is left. A weight of zero pays nothing.
fn share(
    method: Method,
    total: u128,
    winners: &[Payer],
    weight: impl Fn(&Payer) -> Result<Weight, MathError>,
    cap: impl Fn(&Payer) -> Result<u128, MathError>,
) -> Result<(Vec<u128>, u128), MathError> {
    let mut claims = Vec::with_capacity(winners.len());
    for p in winners {
        let weight = weight(p)?;
        // who weighs nothing pays nothing; the weight itself has to be above zero
        let (weight, cap) = if weight == Weight::ZERO { (Weight::of(1), 0) } else { (weight, cap(p)?) };
        claims.push(Claim { weight, cap, rank: p.group.0 });
    }
    let units = apportion_by(method, total, &claims)?;
    let mut left = total;
    for x in &units {
        left = left.checked_sub(*x).ok_or(MathError::Overflow)?;
    }
    Ok((units, left))
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    /// mantissa x 2^(exponent + 1000)
    fn big(w: Weight) -> BigUint {
        BigUint::from(w.mantissa) << usize::try_from(w.exponent + 1_000).unwrap()
    }

    fn any_width() -> impl Strategy<Value = u128> {
        (1_u128.., 0_u32..127).prop_map(|(x, s)| (x >> s).max(1))
    }

    proptest! {
        #[test]
        fn a_product_and_a_quotient_lose_less_than_one_in_2_to_125(a in any_width(), b in any_width(), c in any_width()) {
            let found = big(Weight::of(a).times(Weight::of(b)).over(Weight::of(c)).unwrap());
            let exact = ((BigUint::from(a) * BigUint::from(b)) << 1_000_usize) / BigUint::from(c);
            prop_assert!(found <= exact);
            prop_assert!((&exact - &found) << 125_usize <= exact);
        }

        #[test]
        fn sums_and_products_rounded_up(a in any_width(), b in any_width(), c in any_width(), cap in any_width()) {
            let sum = big(Weight::of(a).plus(Weight::of(b)));
            let exact = (BigUint::from(a) + BigUint::from(b)) << 1_000_usize;
            prop_assert!(sum <= exact && (&exact - &sum) << 126_usize <= exact);
            // a quotient as a factor of any size
            let factor = Weight::of(a).over(Weight::of(b)).unwrap();
            let whole = big(factor) * BigUint::from(c);
            let up = (&whole + (BigUint::from(1_u32) << 1_000_usize) - 1_u32) >> 1_000_usize;
            prop_assert_eq!(BigUint::from(factor.times_up(Weight::of(c), cap)), up.min(BigUint::from(cap)));
        }

        #[test]
        fn keys_that_are_apart_are_in_order(a in any_width(), x in any_width(), b in any_width(), y in any_width(), near: bool, up in 0_u32..40) {
            let b = if near { a.saturating_add(b >> 90).max(1) } else { b };
            let y = if near { x } else { y };
            let big_power = Weight::of(2).power(up * 200); // some past the range of keys
            let w = |n| Weight::of(n).times(big_power);
            let found = Key::quotient(w(a), Weight::of(x)).compare(Key::quotient(w(b), Weight::of(y)));
            let exact = (BigUint::from(a) * BigUint::from(y)).cmp(&(BigUint::from(b) * BigUint::from(x)));
            prop_assert!(found.is_none_or(|f| f == exact), "{:?} is not {:?}", found, exact);
        }

        #[test]
        fn comparing_is_exact(a in any::<u128>(), x in any_width(), b in any::<u128>(), y in any_width(), up in 0_u32..300) {
            let shift = Weight::of(2).power(up);
            let found = Scaled::product(a, Weight::of(x).times(shift)).cmp(&Scaled::product(b, Weight::of(y)));
            let exact = ((BigUint::from(a) * BigUint::from(x)) << up as usize).cmp(&(BigUint::from(b) * BigUint::from(y)));
            prop_assert_eq!(found, exact);
        }
    }

    #[test]
    fn a_power_is_that_many_products() {
        assert_eq!(Weight::of(3).power(4), Weight::of(81));
        assert_eq!(Weight::of(3).power(0), Weight::of(1));
        assert_eq!(Weight::of(0).power(2), Weight::ZERO);
        assert!(Weight::of(3).over(Weight::ZERO).is_err());
    }
}
