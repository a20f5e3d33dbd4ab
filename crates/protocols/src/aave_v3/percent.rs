//! Percentages in basis points and wads, rounded as Aave's own libraries round: half up where no direction was chosen, floor or
//! ceiling where one was (aave-dao/aave-v3-origin, libraries/math/PercentageMath.sol and WadRayMath.sol).

use cofferdam_core::{
    MathError, Rounding, WAD,
    wide::{self, U256},
};

/// One whole: 10,000 basis points.
pub const WHOLE_BPS: u32 = 10_000;

fn part(x: i128, bps: u32, rounding: Rounding) -> Result<i128, MathError> {
    wide::mul_div(x, bps.into(), WHOLE_BPS.into(), rounding)
}

fn whole(x: i128, bps: u32, rounding: Rounding) -> Result<i128, MathError> {
    wide::mul_div(x, WHOLE_BPS.into(), bps.into(), rounding)
}

/// `x` times a percentage, rounded down.
///
/// # Errors
///
/// Beyond 127 bits.
pub fn mul_floor(x: i128, bps: u32) -> Result<i128, MathError> {
    part(x, bps, Rounding::Down)
}

/// `x` times a percentage, rounded up.
///
/// # Errors
///
/// Beyond 127 bits.
pub fn mul_ceil(x: i128, bps: u32) -> Result<i128, MathError> {
    part(x, bps, Rounding::Up)
}

/// `x` by a percentage, rounded down.
///
/// # Errors
///
/// Beyond 127 bits, or by zero.
pub fn div_floor(x: i128, bps: u32) -> Result<i128, MathError> {
    whole(x, bps, Rounding::Down)
}

/// `x` by a percentage, rounded up.
///
/// # Errors
///
/// Beyond 127 bits, or by zero.
pub fn div_ceil(x: i128, bps: u32) -> Result<i128, MathError> {
    whole(x, bps, Rounding::Up)
}

/// `x` times a percentage, rounded half up.
///
/// # Errors
///
/// Below zero or beyond 127 bits.
pub fn mul_half_up(x: i128, bps: u32) -> Result<i128, MathError> {
    half_up(x, bps.into(), WHOLE_BPS.into())
}

/// `x` by a percentage, rounded half up.
///
/// # Errors
///
/// Below zero, beyond 127 bits, or by zero.
pub fn div_half_up(x: i128, bps: u32) -> Result<i128, MathError> {
    half_up(x, WHOLE_BPS.into(), bps.into())
}

/// `a / b` as a wad, rounded half up.
///
/// # Errors
///
/// Below zero, beyond 127 bits, or by zero.
pub fn wad_div(a: i128, b: i128) -> Result<i128, MathError> {
    half_up(a, WAD, u128::try_from(b).map_err(|_| MathError::Negative)?)
}

/// (a x b + c / 2) / c, the half rounded down
fn half_up(a: i128, b: u128, c: u128) -> Result<i128, MathError> {
    let a = u128::try_from(a).map_err(|_| MathError::Negative)?;
    let half = U256::from_u128(c >> 1);
    let (q, _) = U256::product(a, b).checked_add(half).ok_or(MathError::Overflow)?.div_rem(c)?;
    i128::try_from(q).map_err(|_| MathError::Overflow)
}
