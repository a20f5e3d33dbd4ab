//! Arithmetic as the venue's contracts do it: unsigned, each quotient rounded down, an error where they would revert.

use cofferdam_core::{MathError, wide};

/// One, as a wad.
pub const ONE: u128 = 1_000_000_000_000_000_000;

pub(super) fn add(a: u128, b: u128) -> Result<u128, MathError> {
    a.checked_add(b).ok_or(MathError::Overflow)
}

pub(super) fn sub(a: u128, b: u128) -> Result<u128, MathError> {
    a.checked_sub(b).ok_or(MathError::Negative)
}

pub(super) fn mul(a: u128, b: u128) -> Result<u128, MathError> {
    a.checked_mul(b).ok_or(MathError::Overflow)
}

/// a x b / c, down.
pub(super) fn ratio(a: u128, b: u128, c: u128) -> Result<u128, MathError> {
    wide::mul_div_unsigned(a, b, c, false)
}

/// ln(2) in units of 1e-36.
const LN_2: i128 = 693_147_180_559_945_309_417_232_121_458_176_568;
/// One, in units of 1e-36.
const UNIT: i128 = 1_000_000_000_000_000_000_000_000_000_000_000_000;
const WAD: i128 = 1_000_000_000_000_000_000;
/// Powers within this keep e^x and e^-x within what a wad can tell: 41 wads, about 6.4e17.
const POWER_MAX: i128 = 41_000_000_000_000_000_000;

/// (a x b) / 1e36, towards zero.
fn times(a: i128, b: i128) -> Result<i128, MathError> {
    wide::mul_div(a, b, UNIT, cofferdam_core::Rounding::TowardsZero)
}

/// e^x of a wad, as a wad, down. Within 41 either way; beyond it is an error, as the venue reverts.
///
/// The venue computes it by a rational approximation with 96 bits; here it is a series with 36 decimals, so both give the wad below
/// the true value.
///
/// # Errors
///
/// A power beyond 41.
pub fn exp(power: i128) -> Result<u128, MathError> {
    if power.checked_abs().is_none_or(|p| p > POWER_MAX) {
        return Err(MathError::Overflow);
    }
    let x = power.checked_mul(WAD).ok_or(MathError::Overflow)?;
    let half = LN_2.checked_div(2).ok_or(MathError::Overflow)?;
    let k = x.checked_add(half).and_then(|y| y.checked_div_euclid(LN_2)).ok_or(MathError::Overflow)?;
    let r = LN_2.checked_mul(k).and_then(|y| x.checked_sub(y)).ok_or(MathError::Overflow)?;
    let (mut sum, mut term) = (UNIT, UNIT);
    for i in 1..=40 {
        term = times(term, r)?.checked_div(i).ok_or(MathError::Overflow)?;
        sum = sum.checked_add(term).ok_or(MathError::Overflow)?;
    }
    let sum = u128::try_from(sum).map_err(|_| MathError::Negative)?;
    let shift = u32::try_from(k.unsigned_abs()).map_err(|_| MathError::Overflow)?;
    let two = 1_u128.checked_shl(shift).ok_or(MathError::Overflow)?;
    // sum x 2^k / 1e18: from 36 decimals to 18
    if k >= 0 { ratio(sum, two, ONE) } else { ratio(sum, 1, mul(ONE, two)?) }
}

/// ln(A / (A - 1)) as a wad, down: 2 artanh(1 / (2A - 1)).
///
/// # Errors
///
/// An amplification below two.
pub fn step_of(amplification: u32) -> Result<u64, MathError> {
    let odd = i128::from(amplification).checked_mul(2).and_then(|x| x.checked_sub(1));
    let t = odd.filter(|x| *x >= 3).and_then(|x| UNIT.checked_div(x)).ok_or(MathError::DivisionByZero)?;
    let square = times(t, t)?;
    let (mut sum, mut power) = (0_i128, t);
    for i in (1..=151).step_by(2) {
        let part = power.checked_div(i).ok_or(MathError::Overflow)?;
        sum = sum.checked_add(part).ok_or(MathError::Overflow)?;
        power = times(power, square)?;
    }
    let wad = sum.checked_mul(2).and_then(|x| x.checked_div(WAD)).ok_or(MathError::Overflow)?;
    u64::try_from(wad).map_err(|_| MathError::Overflow)
}

/// sqrt(A / (A - 1)) as a wad, down.
///
/// # Errors
///
/// An amplification below two.
pub(super) fn root_of_ratio(amplification: u32) -> Result<u128, MathError> {
    let a = u128::from(amplification);
    // 1e36 x A / (A - 1), then the root
    let square = ratio(mul(ONE, ONE)?, a, sub(a, 1)?)?;
    Ok(wide::U256::from_u128(square).isqrt())
}
