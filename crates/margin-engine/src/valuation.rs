//! What amounts are worth: one exact ratio per price and weight, applied with one rounding.

use cofferdam_core::{AssetScale, AssetView, MathError, Ppb, Quanta, Rounding, Ticks, wide};

/// A positive rational: numerator / divisor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ratio {
    pub(crate) numerator: i128,
    pub(crate) divisor: i128,
}

impl Ratio {
    // ticks x weight x 10^(exponent - 9); factors of ten of the weight cancel so that the divisor stays small
    fn new(ticks: Ticks, weight: Ppb, exponent: i32) -> Result<Self, MathError> {
        let (mut weight, mut exponent) = (weight.0, exponent.wrapping_sub(9));
        if weight == 0 {
            return Ok(Self { numerator: 0, divisor: 1 });
        }
        if weight == Ppb::ONE.0 {
            (weight, exponent) = (1, exponent.wrapping_add(9));
        }
        while exponent < 0 && weight.wrapping_rem(10) == 0 {
            (weight, exponent) = (weight.wrapping_div(10), exponent.wrapping_add(1));
        }
        let product = i128::from(ticks.get()).wrapping_mul(i128::from(weight)); // 63 + 63 bits
        let digits = exponent.unsigned_abs();
        let short = 10_i64.checked_pow(digits).map(i128::from); // cheaper, and nearly always enough
        let power = short.or_else(|| 10_i128.checked_pow(digits)).ok_or(MathError::Overflow)?;
        Ok(if exponent >= 0 {
            Self { numerator: product.checked_mul(power).ok_or(MathError::Overflow)?, divisor: 1 }
        } else {
            Self { numerator: product, divisor: power }
        })
    }

    /// Atoms of an asset to quanta of the numeraire, at a price and a weight.
    pub(crate) fn of_asset(scale: AssetScale, price: Ticks, weight: Ppb) -> Result<Self, MathError> {
        let exponent = i32::from(scale.price_exponent)
            .wrapping_sub(i32::from(scale.decimals))
            .wrapping_sub(i32::from(scale.quantum_exponent));
        Self::new(price, weight, exponent)
    }

    /// Quanta of a settlement asset to quanta of the numeraire, at a price and a weight.
    pub(crate) fn of_settlement(scale: AssetScale, price: Ticks, weight: Ppb) -> Result<Self, MathError> {
        Self::new(price, weight, i32::from(scale.price_exponent))
    }

    pub(crate) fn apply(&self, x: i128, rounding: Rounding) -> Result<i128, MathError> {
        let value = if self.divisor == 1 {
            x.checked_mul(self.numerator).ok_or(MathError::Overflow)?
        } else {
            wide::mul_div(x, self.numerator, self.divisor, rounding)?
        };
        Quanta::new(value).try_add(Quanta::ZERO).map(Quanta::get)
    }
}

const BILLION: u64 = 1_000_000_000;

/// ceil(x x rate / 1e9).
pub(crate) fn share_up(rate: Ppb, x: i128) -> Result<i128, MathError> {
    match x.checked_mul(i128::from(rate.0)) {
        Some(product) => billionths_up(product),
        None => rate.of_units(x, Rounding::Up),
    }
}

/// ceil(x / 1e9), by long division with digits of 32 bits and a constant divisor where x is below 1e9 x 2^64.
pub(crate) fn billionths_up(x: i128) -> Result<i128, MathError> {
    let digits = [x >> 64, (x >> 32) & i128::from(u32::MAX), x & i128::from(u32::MAX)];
    let [Ok(top), Ok(middle), Ok(low)] = digits.map(u64::try_from) else {
        return wide::div(x, i128::from(BILLION), Rounding::Up);
    };
    if top >= BILLION {
        return wide::div(x, i128::from(BILLION), Rounding::Up);
    }
    // each remainder is below 2^30, so each dividend is below 2^62 and each quotient at most 2^32
    let first = (top << 32) | middle;
    let second = (first.wrapping_rem(BILLION) << 32) | low;
    let high = i128::from(first.wrapping_div(BILLION)) << 32;
    Ok(high.wrapping_add(i128::from(second.div_ceil(BILLION))))
}

/// Whether an asset is the numeraire: low, mid and high are exactly one.
pub(crate) fn is_one(asset: &AssetView) -> bool {
    let one = 10_i64.checked_pow(u32::from(asset.scale.price_exponent.unsigned_abs()));
    let p = asset.price;
    asset.scale.price_exponent <= 0 && p.low == p.high && p.low == p.mid && one == Some(p.mid.get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_division_is_division() {
        let one = i128::from(BILLION);
        let edges =
            (0..120).map(|b| 1_i128 << b).chain([0, one, one << 32, one << 62, one << 64, i128::MAX >> 6]);
        for x in
            edges.flat_map(|e| (-3..=3).map(move |d| e + d)).flat_map(|x| [x, -x, x * 7 / 5, x / one * one])
        {
            assert_eq!(billionths_up(x), wide::div(x, one, Rounding::Up), "{x}");
            for rate in [0, 1, 333_333_333, 1_000_000_000, i64::MAX] {
                assert_eq!(share_up(Ppb(rate), x), Ppb(rate).of_units(x, Rounding::Up), "{x} x {rate}");
            }
        }
    }
}
