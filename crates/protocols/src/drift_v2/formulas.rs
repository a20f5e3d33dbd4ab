//! The venue's formulas in the venue's own units and roundings: prices and quote in 1e-6, base in 1e-9, margin ratios and weights in
//! 1e-4, fees in 1e-6. Restated from programs/drift/src/math/{margin,liquidation}.rs.

use cofferdam_core::{MathError, Rounding, wide};

/// 1e6: prices, quote, fees and the factor of the size premium.
pub const MILLIONTH: u128 = 1_000_000;
/// 1e4: margin ratios, weights and shares of a liquidation.
pub const BASIS: u128 = 10_000;
/// 1e9: base amounts.
pub const BASE: u128 = 1_000_000_000;
/// Below this shortage, and for positions of at most this value, a liquidation is not paced: 50 of quote.
pub const SMALL: u128 = 50_000_000;
/// Slots for which the liquidator's fee does not grow.
pub const FEE_GRACE_SLOTS: u64 = 1_500;

fn over<T>(x: Option<T>) -> Result<T, MathError> {
    x.ok_or(MathError::Overflow)
}

fn mul(a: u128, b: u128) -> Result<u128, MathError> {
    over(a.checked_mul(b))
}

/// Quotient rounded down: the venue truncates.
fn div(a: u128, b: u128) -> Result<u128, MathError> {
    over(a.checked_div(b))
}

/// sqrt(size) in 1e-5, rounded down: isqrt(10 x size + 1).
fn root(size: u128) -> Result<u128, MathError> {
    let under = over(mul(size, 10)?.checked_add(1))?;
    let root = wide::isqrt(i128::try_from(under).map_err(|_| MathError::Overflow)?, Rounding::Down)?;
    u128::try_from(root).map_err(|_| MathError::Overflow)
}

/// Margin ratio or liability weight of a size: max(base, base - base / 5 + factor x sqrt(size)), each term rounded down.
pub fn size_premium(size: u128, factor: u128, base: u128) -> Result<u128, MathError> {
    if factor == 0 {
        return Ok(base);
    }
    let premium = div(mul(root(size)?, factor)?, 10_000_000)?; // 1e-5 x 1e-6 to 1e-4
    let scaled = over(base.saturating_sub(div(base, 5)?).checked_add(premium))?;
    Ok(scaled.max(base))
}

/// Asset weight of a size: min(weight, 1.1 / (1 + factor x sqrt(size))), rounded down. What a gain counts for, likewise, with
/// the gain in 1e-9 for the size.
pub fn size_discount(size: u128, factor: u128, weight: u128) -> Result<u128, MathError> {
    if factor == 0 {
        return Ok(weight);
    }
    let divisor = over(div(mul(root(size)?, factor)?, 100_000)?.checked_add(MILLIONTH))?;
    Ok(div(11_000_000_000, divisor)?.min(weight)) // 1.1 x 1e6 x 1e4
}

/// Base that has to be taken to cover a shortage: shortage / (price x (ratio - fee) - price x insurance fee), rounded down. `None` for
/// the whole position: where the ratio is not above the fees no amount would do.
pub fn base_to_cover(
    shortage: u128,
    ratio: u128,
    fee: u128,
    insurance_fee: u128,
    price: u128,
    quote_price: u128,
) -> Result<Option<u128>, MathError> {
    let ratio = mul(ratio, 100)?;
    if price == 0 || ratio <= fee {
        return Ok(None);
    }
    let priced = div(mul(price, quote_price)?, MILLIONTH)?;
    let freed = div(mul(priced, ratio.saturating_sub(fee))?, MILLIONTH)?;
    let paid = div(mul(price, insurance_fee)?, MILLIONTH)?;
    match freed.checked_sub(paid).filter(|x| *x > 0) {
        Some(net) => Ok(Some(div(mul(shortage, BASE)?, net)?)),
        None => Ok(None),
    }
}

/// What the insurance fund takes of a liquidation: min(most, 95 % of (ratio - fee - shortage / value)), never below zero, so that
/// the fee by itself cannot bankrupt.
pub fn insurance_fee(
    shortage: u128,
    base: u128,
    ratio: u128,
    fee: u128,
    price: u128,
    quote_price: u128,
    most: u128,
) -> Result<u128, MathError> {
    let ratio = mul(ratio, 100)?;
    if price == 0 || quote_price == 0 || base == 0 || ratio <= fee {
        return Ok(0);
    }
    let priced = div(mul(price, quote_price)?, MILLIONTH)?;
    let per_base = div(mul(shortage, BASE)?, base)?;
    let missing = if priced == 0 { u128::MAX } else { div(mul(per_base, MILLIONTH)?, priced)? };
    let implied = ratio.saturating_sub(fee).saturating_sub(missing);
    Ok(div(mul(implied, 19)?, 20)?.min(most))
}

/// What a liquidator gains: a flat fee, after [`FEE_GRACE_SLOTS`] one millionth more for every slot since the liquidation began, up
/// to the most.
#[must_use]
pub fn liquidator_fee(fee: u128, most: u128, slots: u64) -> u128 {
    if slots < FEE_GRACE_SLOTS { fee } else { fee.saturating_add(slots.into()).min(most) } // the cap makes a saturated sum right
}

/// The part of what would cover a shortage that may be taken now, in 1e-4: of everything freed so far and still to be freed,
/// initial + slots / duration.
pub fn share_to_take(
    shortage: u128,
    freed: u128,
    slots: u64,
    initial: u128,
    duration: u64,
) -> Result<u128, MathError> {
    if shortage < SMALL {
        return Ok(BASIS);
    }
    let grown = if duration == 0 { BASIS } else { div(mul(slots.into(), BASIS)?, duration.into())? };
    let share = over(grown.checked_add(initial))?.min(BASIS);
    let all = over(shortage.checked_add(freed))?;
    let now = div(mul(all, share)?, BASIS)?.saturating_sub(freed); // freed more already: nothing now
    div(mul(now, BASIS)?, shortage)
}
