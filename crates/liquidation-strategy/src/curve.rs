//! How the price of a Dutch auction falls: linear, in stairs, or exponential (the three of makerdao/dss `abaci.sol`@fa4f663). Prices
//! and factors are rays (1e27); products are rounded half up, as there, so that numbers agree to the last digit.

use crate::LiquidationError;
use crate::terms::accept;
use cofferdam_core::{MathError, RAY, wide::U256};

/// A falling price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriceCurve {
    /// top x (duration - t) / duration; nothing after it.
    Linear {
        /// Until the price is zero, in seconds.
        duration_s: u64,
    },
    /// top x cut^floor(t / step).
    Stairs {
        /// What is left of the price after a step, as a ray below one.
        cut: u128,
        /// How long a step is, in seconds.
        step_s: u64,
    },
    /// top x cut^t.
    Exponential {
        /// What is left of the price after a second, as a ray below one.
        cut: u128,
    },
}

impl PriceCurve {
    /// Refuses a curve that does not fall: a cut of one or more, a duration or step of nothing.
    pub(crate) fn check(&self) -> Result<(), LiquidationError> {
        let cut = |cut: u128| {
            let value = i128::try_from(cut).unwrap_or(i128::MAX);
            accept(cut > 0 && cut < RAY, "curve.cut", value, "above 0 and below 1e27 (one, as a ray)")
        };
        let time = |field, s: u64| accept(s > 0, field, i128::from(s), "at least 1 second");
        match *self {
            Self::Linear { duration_s } => time("curve.duration_s", duration_s),
            Self::Stairs { cut: c, step_s } => cut(c).and_then(|()| time("curve.step_s", step_s)),
            Self::Exponential { cut: c } => cut(c),
        }
    }

    /// The price after so many seconds, in the unit of `top`.
    ///
    /// ```
    /// use cofferdam_core::RAY;
    /// use cofferdam_liquidation_strategy::PriceCurve;
    /// let linear = PriceCurve::Linear { duration_s: 3_600 };
    /// assert_eq!(linear.price(1_000 * RAY, 360)?, 900 * RAY);
    /// let stairs = PriceCurve::Stairs { cut: RAY / 100 * 99, step_s: 90 };
    /// assert_eq!(stairs.price(100 * RAY, 89)?, 100 * RAY);
    /// assert_eq!(stairs.price(100 * RAY, 90)?, 99 * RAY);
    /// # Ok::<(), cofferdam_core::MathError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// A price beyond 128 bits.
    pub fn price(&self, top: u128, elapsed_s: u64) -> Result<u128, MathError> {
        match *self {
            Self::Linear { duration_s } => {
                let left = u128::from(duration_s.saturating_sub(elapsed_s));
                // (duration - t) x 1e27 / duration, down, then times top
                let share = left.checked_mul(RAY).ok_or(MathError::Overflow)?;
                let share = share.checked_div(duration_s.into()).ok_or(MathError::DivisionByZero)?;
                times(top, share)
            }
            Self::Stairs { cut, step_s } => {
                let steps = elapsed_s.checked_div(step_s).ok_or(MathError::DivisionByZero)?;
                times(top, power(cut, steps)?)
            }
            Self::Exponential { cut } => times(top, power(cut, elapsed_s)?),
        }
    }
}

/// x y / 1e27, down (`rmul` of dss).
fn times(x: u128, y: u128) -> Result<u128, MathError> {
    cofferdam_core::wide::mul_div_unsigned(x, y, RAY, false)
}

/// (x y + 1e27 / 2) / 1e27, down: rounded half up.
fn times_half_up(x: u128, y: u128) -> Result<u128, MathError> {
    let product = U256::product(x, y).checked_add(U256::from_u128(RAY / 2)).ok_or(MathError::Overflow)?;
    product.div_rem(RAY).map(|(q, _)| q)
}

/// x^n by squaring, each product rounded half up (`rpow` of dss): from the lowest bit of n upwards.
fn power(x: u128, mut n: u64) -> Result<u128, MathError> {
    let mut base = x;
    let mut result = if n & 1 == 1 { x } else { RAY };
    n >>= 1;
    while n > 0 {
        base = times_half_up(base, base)?;
        if n & 1 == 1 {
            result = times_half_up(result, base)?;
        }
        n >>= 1;
    }
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_fall_and_refuse() {
        let check = |curve: PriceCurve, refused: Option<&str>| match (curve.check(), refused) {
            (Ok(()), None) => {
                let mut before = u128::MAX;
                for t in [0, 1, 59, 60, 3_599, 3_600, 1 << 30] {
                    let price = curve.price(1_000 * RAY, t).unwrap();
                    assert!(price <= before && price <= 1_000 * RAY, "{curve:?} at {t}");
                    before = price;
                }
                assert_eq!(curve.price(1_000 * RAY, 0).unwrap(), 1_000 * RAY);
            }
            (Err(LiquidationError::Parameter { field, .. }), Some(want)) => assert_eq!(field, want),
            other => panic!("{curve:?}: {other:?}"),
        };
        check(PriceCurve::Linear { duration_s: 3_600 }, None);
        check(PriceCurve::Linear { duration_s: 0 }, Some("curve.duration_s"));
        check(PriceCurve::Stairs { cut: RAY / 100 * 99, step_s: 60 }, None);
        check(PriceCurve::Stairs { cut: RAY, step_s: 60 }, Some("curve.cut"));
        check(PriceCurve::Stairs { cut: RAY - 1, step_s: 0 }, Some("curve.step_s"));
        check(PriceCurve::Exponential { cut: RAY / 1_000 * 999 }, None);
        check(PriceCurve::Exponential { cut: 0 }, Some("curve.cut"));
    }
}
