//! 256-bit intermediate results: `a x b / c` and square roots with a named direction, exact to the last unit.
//!
//! Division is schoolbook long division with 64-bit digits (Knuth, The Art of Computer Programming, vol. 2, 4.3.1 D);
//! the square root is found bit by bit from above.

use crate::MathError;

/// Which way a result that is not a whole number goes. Each site that rounds says who gains by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Rounding {
    /// Towards minus infinity.
    Down,
    /// Towards plus infinity.
    Up,
    /// Towards zero.
    TowardsZero,
    /// Away from zero.
    AwayFromZero,
}

/// An unsigned 256-bit integer: `hi x 2^128 + lo`. Only products and quotients that money needs; not a number library.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct U256 {
    /// The high 128 bits.
    pub hi: u128,
    /// The low 128 bits.
    pub lo: u128,
}

const HALF: u32 = 64;
const MASK: u128 = u64::MAX as u128;

impl U256 {
    /// Zero.
    pub const ZERO: Self = Self { hi: 0, lo: 0 };

    /// A number that fits 128 bits.
    #[must_use]
    pub const fn from_u128(lo: u128) -> Self {
        Self { hi: 0, lo }
    }

    /// The exact product of two 128-bit numbers.
    #[must_use]
    pub const fn product(a: u128, b: u128) -> Self {
        // Bounds: each partial product of 64-bit digits is <= (2^64 - 1)^2, so `mid` sums three values below 2^64 on top
        // of nothing else and stays below 2^66; no step here can wrap.
        let (a1, a0, b1, b0) = (a >> HALF, a & MASK, b >> HALF, b & MASK);
        let (p00, p01, p10, p11) =
            (a0.wrapping_mul(b0), a0.wrapping_mul(b1), a1.wrapping_mul(b0), a1.wrapping_mul(b1));
        let mid = (p00 >> HALF).wrapping_add(p01 & MASK).wrapping_add(p10 & MASK);
        Self {
            hi: p11.wrapping_add(p01 >> HALF).wrapping_add(p10 >> HALF).wrapping_add(mid >> HALF),
            lo: (p00 & MASK) | (mid << HALF),
        }
    }

    /// Sum, or `None` past 256 bits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        let (lo, carry) = self.lo.overflowing_add(other.lo);
        let hi = self.hi.checked_add(other.hi)?.checked_add(u128::from(carry))?;
        Some(Self { hi, lo })
    }

    /// Difference, or `None` below zero.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        let (lo, borrow) = self.lo.overflowing_sub(other.lo);
        let hi = self.hi.checked_sub(other.hi)?.checked_sub(u128::from(borrow))?;
        Some(Self { hi, lo })
    }

    /// Quotient and remainder by a 128-bit divisor. Errors on a zero divisor and on a quotient beyond 128 bits.
    pub fn div_rem(self, divisor: u128) -> Result<(u128, u128), MathError> {
        if divisor == 0 {
            return Err(MathError::DivisionByZero);
        }
        if self.hi == 0 {
            let quotient = self.lo.checked_div(divisor).ok_or(MathError::DivisionByZero)?;
            return Ok((quotient, self.lo.wrapping_sub(quotient.wrapping_mul(divisor))));
        }
        if self.hi >= divisor {
            return Err(MathError::Overflow);
        }
        Ok(divide_two_digits(self.hi, self.lo, divisor))
    }

    /// The largest integer whose square is not above this one.
    #[must_use]
    pub fn isqrt(self) -> u128 {
        let mut root: u128 = 0;
        let mut bit = 128_u32;
        while bit > 0 {
            bit = bit.wrapping_sub(1);
            let candidate = root | (1 << bit);
            if Self::product(candidate, candidate) <= self {
                root = candidate;
            }
        }
        root
    }
}

/// (hi x 2^128 + lo) / d for hi < d: two 64-bit quotient digits after normalisation.
#[allow(clippy::arithmetic_side_effects)] // v1 has its top bit set, so it is never zero
fn divide_two_digits(hi: u128, lo: u128, d: u128) -> (u128, u128) {
    // Every shift is below 128 and every wrapping operation is the textbook's arithmetic modulo 2^128.
    let s = d.leading_zeros();
    let v = d << s;
    let (v1, v0) = (v >> HALF, v & MASK);
    let u = if s == 0 { hi } else { (hi << s) | (lo >> 128_u32.wrapping_sub(s)) };
    let w = lo << s;
    let digit = |top: u128, next: u128| -> (u128, u128) {
        let mut q = top.wrapping_div(v1);
        let mut r = top.wrapping_rem(v1);
        while q > MASK || q.wrapping_mul(v0) > ((r << HALF) | next) {
            q = q.wrapping_sub(1);
            r = r.wrapping_add(v1);
            if r > MASK {
                break;
            }
        }
        (q, (top << HALF).wrapping_add(next).wrapping_sub(q.wrapping_mul(v)))
    };
    let (q1, rest) = digit(u, w >> HALF);
    let (q0, rest) = digit(rest, w & MASK);
    ((q1 << HALF).wrapping_add(q0), rest >> s)
}

/// `a x b / c` through 256 bits, rounded as told. `c` must be positive.
///
/// ```
/// use cofferdam_core::{Rounding, wide::mul_div};
/// assert_eq!(mul_div(7, -3, 2, Rounding::Down), Ok(-11));
/// assert_eq!(mul_div(7, -3, 2, Rounding::Up), Ok(-10));
/// ```
pub fn mul_div(a: i128, b: i128, c: i128, rounding: Rounding) -> Result<i128, MathError> {
    if c <= 0 {
        return Err(MathError::DivisionByZero);
    }
    let negative = (a < 0) != (b < 0) && a != 0 && b != 0;
    let magnitude =
        mul_div_unsigned(a.unsigned_abs(), b.unsigned_abs(), c.unsigned_abs(), away(rounding, negative))?;
    signed(magnitude, negative)
}

/// `a x b / c` of unsigned numbers through 256 bits; `up` rounds a fraction up.
pub fn mul_div_unsigned(a: u128, b: u128, c: u128, up: bool) -> Result<u128, MathError> {
    let (q, r) = match a.checked_mul(b) {
        Some(p) => U256::from_u128(p),
        None => U256::product(a, b),
    }
    .div_rem(c)?;
    if up && r != 0 { q.checked_add(1).ok_or(MathError::Overflow) } else { Ok(q) }
}

/// `a / c` rounded as told. `c` must be positive.
pub fn div(a: i128, c: i128, rounding: Rounding) -> Result<i128, MathError> {
    mul_div(a, 1, c, rounding)
}

/// The square root of a non-negative number, rounded as told.
pub fn isqrt(x: i128, rounding: Rounding) -> Result<i128, MathError> {
    let x = u128::try_from(x).map_err(|_| MathError::Negative)?;
    let wide = U256::from_u128(x);
    let root = wide.isqrt();
    let exact = U256::product(root, root) == wide;
    let up = !exact && matches!(rounding, Rounding::Up | Rounding::AwayFromZero);
    signed(if up { root.checked_add(1).ok_or(MathError::Overflow)? } else { root }, false)
}

const fn away(rounding: Rounding, negative: bool) -> bool {
    match rounding {
        Rounding::Down => negative,
        Rounding::Up => !negative,
        Rounding::TowardsZero => false,
        Rounding::AwayFromZero => true,
    }
}

fn signed(magnitude: u128, negative: bool) -> Result<i128, MathError> {
    let x = i128::try_from(magnitude).map_err(|_| MathError::Overflow)?;
    Ok(if negative { x.wrapping_neg() } else { x })
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::{BigInt, BigUint};
    use proptest::prelude::*;
    use std::vec::Vec;

    fn big(x: U256) -> BigUint {
        (BigUint::from(x.hi) << 128) + BigUint::from(x.lo)
    }

    // Numbers of every width, not only near the top of the range.
    fn any_width() -> impl Strategy<Value = u128> {
        (any::<u128>(), 0_u32..128).prop_map(|(x, s)| x >> s)
    }

    fn any_signed() -> impl Strategy<Value = i128> {
        (any_width(), any::<bool>()).prop_map(|(x, n)| {
            let x = i128::try_from(x >> 1).unwrap();
            if n { -x } else { x }
        })
    }

    fn reference(a: i128, b: i128, c: i128, rounding: Rounding) -> Option<i128> {
        let (p, c) = (BigInt::from(a) * BigInt::from(b), BigInt::from(c));
        let (q, r) = (&p / &c, &p % &c); // truncating
        let zero = BigInt::from(0);
        let down = if r < zero { &q - 1 } else { q.clone() };
        let up = if r > zero { &q + 1 } else { q.clone() };
        let chosen = match rounding {
            Rounding::Down => down,
            Rounding::Up => up,
            Rounding::TowardsZero => q,
            Rounding::AwayFromZero => {
                if p < zero {
                    down
                } else {
                    up
                }
            }
        };
        i128::try_from(chosen).ok()
    }

    const ALL: [Rounding; 4] = [Rounding::Down, Rounding::Up, Rounding::TowardsZero, Rounding::AwayFromZero];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn products_are_exact(a in any_width(), b in any_width()) {
            prop_assert_eq!(big(U256::product(a, b)), BigUint::from(a) * BigUint::from(b));
        }

        #[test]
        fn division_is_exact(hi in any_width(), lo in any::<u128>(), d in any_width()) {
            let n = U256 { hi, lo };
            match n.div_rem(d) {
                Ok((q, r)) => {
                    prop_assert!(r < d);
                    prop_assert_eq!(BigUint::from(q) * BigUint::from(d) + BigUint::from(r), big(n));
                }
                Err(MathError::DivisionByZero) => prop_assert_eq!(d, 0),
                Err(_) => prop_assert!(hi >= d),
            }
        }

        #[test]
        fn mul_div_matches_big_integers(a in any_signed(), b in any_signed(), c in any_signed()) {
            let c = c.checked_abs().unwrap_or(1).max(1);
            for rounding in ALL {
                prop_assert_eq!(mul_div(a, b, c, rounding).ok(), reference(a, b, c, rounding));
            }
        }

        #[test]
        fn square_roots_bracket(x in any_signed()) {
            let x = x.checked_abs().unwrap_or(0);
            let (down, up) = (isqrt(x, Rounding::Down).unwrap(), isqrt(x, Rounding::Up).unwrap());
            prop_assert!(BigInt::from(down) * down <= BigInt::from(x));
            prop_assert!(BigInt::from(up) * up >= BigInt::from(x));
            prop_assert!(up - down <= 1 && (up == down) == (BigInt::from(down) * down == BigInt::from(x)));
        }
    }

    #[test]
    fn the_corners() {
        let corner: Vec<u128> =
            [0, 1, 2, MASK - 1, MASK, MASK + 1, u128::MAX - 1, u128::MAX, 1 << 127].into();
        for &a in &corner {
            for &b in &corner {
                for &d in corner.iter().filter(|d| **d != 0) {
                    let n = U256 { hi: a, lo: b };
                    if let Ok((q, r)) = n.div_rem(d) {
                        assert!(r < d);
                        assert_eq!(BigUint::from(q) * BigUint::from(d) + BigUint::from(r), big(n));
                    } else {
                        assert!(a >= d);
                    }
                }
            }
        }
        assert_eq!(mul_div(i128::MAX, 2, 1, Rounding::Down), Err(MathError::Overflow));
        assert_eq!(mul_div(1, 1, 0, Rounding::Down), Err(MathError::DivisionByZero));
        assert_eq!(isqrt(-1, Rounding::Down), Err(MathError::Negative));
    }
}
