//! Powers, roots and decay in integers, each with a proven bound on its error and its direction. No floating point, no libm:
//! the same result on every machine.

use crate::wide::{U256, mul_div_unsigned};
use crate::{MathError, RAY, Rounding, WAD};

/// 2^(-elapsed / half_life) as a wad (1e18), for decaying averages and decayed flow.
///
/// Error: with [`Rounding::Down`] the result is at most 70 units of 2^-64 plus one unit of 1e-18 below the true value and
/// never above it; with [`Rounding::Up`] the mirror image. Zero half-life is refused.
///
/// ```
/// use cofferdam_core::{Rounding, WAD, half_life_decay};
/// assert_eq!(half_life_decay(0, 60, Rounding::Down)?, WAD);
/// assert_eq!(half_life_decay(120, 60, Rounding::Up)?.div_ceil(1 << 6), (WAD / 4).div_ceil(1 << 6));
/// # Ok::<(), cofferdam_core::MathError>(())
/// ```
pub fn half_life_decay(elapsed: u64, half_life: u64, rounding: Rounding) -> Result<u128, MathError> {
    let whole = elapsed.checked_div(half_life).ok_or(MathError::DivisionByZero)?;
    let rest = elapsed.checked_rem(half_life).ok_or(MathError::DivisionByZero)?;
    let up = matches!(rounding, Rounding::Up | Rounding::AwayFromZero);
    if rest == 0 && whole < 64 {
        return mul_div_unsigned(WAD, 1, 1_u128 << whole, up);
    }
    if whole >= 64 {
        return Ok(if up { 1 } else { 0 });
    }
    // f = rest / half_life as 64 binary digits; 2^-f is the product of 2^-(2^-i) over its set digits. Each factor and each
    // product is cut down to 2^-64, so the product errs by less than 64 + 64 x 2^-64 < 66 units of 2^-64, downwards; the
    // digits cut off f (less than 2^-64 of exponent) err by less than one more unit, upwards.
    let fraction =
        (u128::from(rest) << 64).checked_div(u128::from(half_life)).ok_or(MathError::DivisionByZero)?;
    let mut result: u128 = 1 << 64;
    let mut root: u128 = 1 << 64; // 2^-(2^-i) x 2^64, starting from 2^-1 below
    for i in 1..=64_u32 {
        // sqrt(root / 2^64) x 2^64 = sqrt(root x 2^64), and the first root is of one half
        root =
            if i == 1 { U256 { hi: 0, lo: 1 << 127 }.isqrt() } else { U256::product(root, 1 << 64).isqrt() };
        if (fraction >> 64_u32.wrapping_sub(i)) & 1 == 1 {
            result = U256::product(result, root).shift_64();
        }
    }
    let (low, high) = (result.saturating_sub(2), result.wrapping_add(68).min(1 << 64));
    let scaled = if up { high } else { low };
    let divisor = (1_u128 << 64).checked_shl(u32::try_from(whole).unwrap_or(64)).unwrap_or(0);
    // for whole up to 63 the divisor is at most 2^127
    mul_div_unsigned(scaled, WAD, divisor, up)
}

impl U256 {
    // the middle: x / 2^64, for products of two numbers of at most 65 bits
    fn shift_64(self) -> u128 {
        (self.hi << 64) | (self.lo >> 64)
    }
}

/// (1 + rate)^periods in ray (1e27), `rate` in ray per period.
///
/// Square and multiply, each product cut in the direction asked for, so `Down` never exceeds and `Up` never falls short of
/// the true value; each of the at most 128 products errs by less than one unit of 1e-27 relative to its own size.
pub fn compound(rate: u128, periods: u64, rounding: Rounding) -> Result<u128, MathError> {
    let up = matches!(rounding, Rounding::Up | Rounding::AwayFromZero);
    let mut base = RAY.checked_add(rate).ok_or(MathError::Overflow)?;
    let mut result = RAY;
    let mut left = periods;
    while left > 0 {
        if left & 1 == 1 {
            result = mul_div_unsigned(result, base, RAY, up)?;
        }
        left >>= 1;
        if left > 0 {
            base = mul_div_unsigned(base, base, RAY, up)?;
        }
    }
    Ok(result)
}

/// The square root of a non-negative number of units as a wad: sqrt(4) = 2e18. Used by size-scaled margin.
/// Exact to one unit of 1e-18 in the direction asked for.
pub fn sqrt_wad(units: u128, rounding: Rounding) -> Result<u128, MathError> {
    // sqrt(u) x 1e18 = sqrt(u x 1e36), through 256 bits
    let square = U256::product(units, WAD.wrapping_mul(WAD));
    let root = square.isqrt();
    let exact = U256::product(root, root) == square;
    let up = !exact && matches!(rounding, Rounding::Up | Rounding::AwayFromZero);
    if up { root.checked_add(1).ok_or(MathError::Overflow) } else { Ok(root) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigUint;
    use proptest::prelude::*;

    // 2^(-e/h) x 2^200 by an h-th root of integers is too slow; compare (result)^h against 2^-e exactly for small h.
    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn decay_brackets_the_true_power(elapsed in 0_u64..200, half_life in 1_u64..60) {
            let (lo, hi) = (half_life_decay(elapsed, half_life, Rounding::Down).unwrap(),
                            half_life_decay(elapsed, half_life, Rounding::Up).unwrap());
            // lo/1e18 <= 2^(-e/h) <= hi/1e18  <=>  lo^h x 2^e <= 1e18^h <= hi^h x 2^e
            let (h, e) = (u32::try_from(half_life).unwrap(), BigUint::from(1_u8) << elapsed);
            let one = BigUint::from(WAD).pow(h);
            prop_assert!(BigUint::from(lo).pow(h) * &e <= one);
            prop_assert!(BigUint::from(hi).pow(h) * &e >= one);
            prop_assert!(hi - lo <= 8, "{lo} {hi}");
        }

        #[test]
        fn compounding_brackets_the_true_power(rate in 0_u128..RAY / 10, periods in 0_u64..40) {
            let (lo, hi) = (compound(rate, periods, Rounding::Down).unwrap(), compound(rate, periods, Rounding::Up).unwrap());
            let n = u32::try_from(periods).unwrap();
            let truth = (BigUint::from(RAY) + BigUint::from(rate)).pow(n); // x RAY^(n-1)
            let scale = BigUint::from(RAY).pow(n);
            prop_assert!(BigUint::from(lo) * &scale <= &truth * BigUint::from(RAY));
            prop_assert!(BigUint::from(hi) * &scale >= &truth * BigUint::from(RAY));
            prop_assert!(hi - lo <= 4096, "{lo} {hi}");
        }

        #[test]
        fn roots_bracket(units in any::<u128>()) {
            let units = units >> 8;
            let (lo, hi) = (sqrt_wad(units, Rounding::Down).unwrap(), sqrt_wad(units, Rounding::Up).unwrap());
            let square = BigUint::from(units) * BigUint::from(WAD) * BigUint::from(WAD);
            prop_assert!(BigUint::from(lo).pow(2) <= square && BigUint::from(hi).pow(2) >= square);
            prop_assert!(hi - lo <= 1);
        }
    }

    #[test]
    fn corners() {
        assert_eq!(half_life_decay(1, 0, Rounding::Down), Err(MathError::DivisionByZero));
        assert_eq!(half_life_decay(u64::MAX, 1, Rounding::Down), Ok(0));
        assert_eq!(half_life_decay(u64::MAX, 1, Rounding::Up), Ok(1));
        assert_eq!(compound(RAY, 200, Rounding::Up), Err(MathError::Overflow));
    }
}
