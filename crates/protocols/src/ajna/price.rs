//! Prices and factors of an auction, as wads, rounded as the venue rounds.

use cofferdam_core::{MathError, wide};

pub(super) const WAD: u128 = 1_000_000_000_000_000_000;
/// The unit of the power below.
const FINE: u128 = 1_000_000_000_000_000_000_000_000_000_000_000_000;
/// 2^(1/7200) in units of 1e-36, down.
const ROOT: u128 = 1_000_096_275_075_892_122_971_609_025_779_291_765;
/// Seconds over which [`ROOT`] doubles.
const ROOT_S: u64 = 7_200;

/// a b / 1e18, half up (`Maths.wmul`).
pub(super) fn times(a: u128, b: u128) -> Result<u128, MathError> {
    let (whole, rest) = wide::U256::product(a, b).div_rem(WAD)?;
    whole.checked_add(u128::from(rest >= WAD / 2)).ok_or(MathError::Overflow)
}

/// 2^-(t / half) as a wad: one over the power that is rounded down to a wad, as the venue's library does. `half` divides two hours.
fn halvings(elapsed_s: u64, half_s: u64) -> Result<u128, MathError> {
    let whole = elapsed_s.checked_div(half_s).ok_or(MathError::DivisionByZero)?;
    let rest = elapsed_s.checked_rem(half_s).ok_or(MathError::DivisionByZero)?;
    let pace = ROOT_S.checked_div(half_s).ok_or(MathError::DivisionByZero)?;
    let mut n = rest.checked_mul(pace).ok_or(MathError::Overflow)?;
    let (mut power, mut base) = (FINE, ROOT);
    while n > 0 {
        if n & 1 == 1 {
            power = wide::mul_div_unsigned(power, base, FINE, false)?;
        }
        base = wide::mul_div_unsigned(base, base, FINE, false)?;
        n >>= 1;
    }
    // 2^t is at least 2^whole: beyond 2^60 nothing of a wad is left
    let Some(doubled) = u32::try_from(whole).ok().filter(|w| *w < 60).map(|w| 1_u128 << w) else {
        return Ok(0);
    };
    // floor(2^t x 1e18), then 1e36 over it, down
    let grown = wide::mul_div_unsigned(power, doubled, WAD, false)?;
    FINE.checked_div(grown).ok_or(MathError::DivisionByZero)
}

/// The price of an auction, a wad: for two hours 256 times the reference, halved every 20 minutes; then 4 times, halved every two hours;
/// after fourteen a sixteenth, halved every hour.
///
/// ```
/// use cofferdam_protocols::ajna::auction_price;
/// let reference = 100 * 1_000_000_000_000_000_000;
/// assert_eq!(auction_price(reference, 0)?, 256 * reference);
/// assert_eq!(auction_price(reference, 6 * 3_600)?, reference);
/// # Ok::<(), cofferdam_core::MathError>(())
/// ```
///
/// # Errors
///
/// A price beyond 128 bits.
pub fn auction_price(reference: u128, elapsed_s: u64) -> Result<u128, MathError> {
    let of =
        |start: u64, half| halvings(elapsed_s.saturating_sub(start), half).and_then(|e| times(reference, e));
    match elapsed_s {
        0..7_200 => of(0, 1_200)?.checked_mul(256).ok_or(MathError::Overflow),
        7_200..50_400 => of(7_200, 7_200)?.checked_mul(4).ok_or(MathError::Overflow),
        _ => Ok(of(50_400, 3_600)? >> 4),
    }
}

/// 1 + sqrt(rate) / 2, a wad of a rate that is one: neutral price over threshold price.
///
/// # Errors
///
/// A rate beyond its range.
pub fn neutral_ratio(rate: u128) -> Result<u128, MathError> {
    WAD.checked_add(wide::U256::product(rate, WAD).isqrt() >> 1).ok_or(MathError::Overflow)
}

/// The neutral price of a threshold price: at it the bond is neither paid more nor punished.
///
/// # Errors
///
/// A price beyond 128 bits.
pub fn neutral_price(threshold: u128, ratio: u128) -> Result<u128, MathError> {
    times(threshold, ratio)
}

/// The share of the debt that a kicker stakes: a tenth of what the ratio is above one, down, 0.5 % to 3 %.
#[must_use]
pub fn bond_factor(ratio: u128) -> u128 {
    (ratio.saturating_sub(WAD) / 10).clamp(WAD / 200, WAD / 100 * 3)
}

/// What of the price goes to the bond (above zero) or of the bond is lost (below): factor x clamp((NP - price) / (NP - TP), -1, 1), the quotient
/// towards zero, the product half away from zero.
///
/// # Errors
///
/// Prices beyond 127 bits.
pub fn reward_factor(threshold: u128, neutral: u128, factor: u128, price: u128) -> Result<i128, MathError> {
    let distance = neutral.abs_diff(price);
    let share = match neutral.checked_sub(threshold).filter(|w| *w > 0) {
        Some(width) if distance < width => wide::mul_div_unsigned(distance, WAD, width, false)?,
        Some(_) => WAD,
        None if distance == 0 => 0,
        None => WAD,
    };
    let size = i128::try_from(times(factor, share)?).map_err(|_| MathError::Overflow)?;
    if price > neutral { size.checked_neg().ok_or(MathError::Overflow) } else { Ok(size) }
}
