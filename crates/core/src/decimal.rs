//! Exact decimal strings in and out. Configuration writes amounts as strings ("0.001"): TOML has no integers beyond 64
//! bits and no exact fractions, and a silent rounding of a parameter is a loss that somebody pays.

use core::{fmt, str::FromStr};

/// An exact decimal number: `mantissa x 10^exponent`, in lowest terms (no trailing zero in the mantissa).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i128,
    exponent: i32,
}

/// Why a text is not the number that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum DecimalError {
    /// Not an optional sign, digits, and at most one point with digits on both sides.
    Syntax,
    /// More digits than 128 bits hold.
    TooLarge,
    /// The number is not a whole number of the unit asked for.
    TooManyDecimals {
        /// The unit, as a power of ten.
        unit_exponent: i32,
    },
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax => f.write_str("not a decimal number such as \"12\", \"-0.5\" or \"1000.25\""),
            Self::TooLarge => f.write_str("more digits than 128 bits hold"),
            Self::TooManyDecimals { unit_exponent } => {
                write!(
                    f,
                    "not a whole number of 1e{unit_exponent}: use at most {} decimals",
                    unit_exponent.saturating_neg()
                )
            }
        }
    }
}

impl core::error::Error for DecimalError {}

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, exponent: 0 };

    /// `units x 10^exponent`.
    #[must_use]
    pub fn from_units(units: i128, exponent: i32) -> Self {
        let (mut mantissa, mut exponent) = (units, exponent);
        while mantissa != 0 && mantissa.wrapping_rem(10) == 0 {
            mantissa = mantissa.wrapping_div(10);
            exponent = exponent.wrapping_add(1);
        }
        if mantissa == 0 { Self::ZERO } else { Self { mantissa, exponent } }
    }

    /// The number of units of `10^unit_exponent`, or an error where that is not whole.
    ///
    /// ```
    /// use cofferdam_core::Decimal;
    /// assert_eq!("1.25".parse::<Decimal>()?.to_units(-6)?, 1_250_000);
    /// assert!("1.2500001".parse::<Decimal>()?.to_units(-6).is_err());
    /// # Ok::<(), cofferdam_core::DecimalError>(())
    /// ```
    pub fn to_units(&self, unit_exponent: i32) -> Result<i128, DecimalError> {
        if self.mantissa == 0 {
            return Ok(0);
        }
        let shift = self.exponent.checked_sub(unit_exponent).ok_or(DecimalError::TooLarge)?;
        let shift = u32::try_from(shift).map_err(|_| DecimalError::TooManyDecimals { unit_exponent })?;
        let factor = 10_i128.checked_pow(shift).ok_or(DecimalError::TooLarge)?;
        self.mantissa.checked_mul(factor).ok_or(DecimalError::TooLarge)
    }

    /// The digits without their scale, in lowest terms.
    #[must_use]
    pub const fn mantissa(&self) -> i128 {
        self.mantissa
    }

    /// The power of ten of the last digit.
    #[must_use]
    pub const fn exponent(&self) -> i32 {
        self.exponent
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text),
        };
        let (whole, fraction) = match digits.split_once('.') {
            Some((w, f)) if !f.is_empty() => (w, f),
            Some(_) => return Err(DecimalError::Syntax),
            None => (digits, ""),
        };
        if whole.is_empty() {
            return Err(DecimalError::Syntax);
        }
        let fraction = fraction.trim_end_matches('0');
        let mut mantissa: i128 = 0;
        for c in whole.bytes().chain(fraction.bytes()) {
            if !c.is_ascii_digit() {
                return Err(DecimalError::Syntax);
            }
            let digit = i128::from(c.wrapping_sub(b'0'));
            mantissa =
                mantissa.checked_mul(10).and_then(|m| m.checked_add(digit)).ok_or(DecimalError::TooLarge)?;
        }
        let exponent = i32::try_from(fraction.len()).map_err(|_| DecimalError::TooLarge)?;
        Ok(Self::from_units(
            if negative { mantissa.wrapping_neg() } else { mantissa },
            exponent.wrapping_neg(),
        ))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.mantissa < 0 {
            f.write_str("-")?;
        }
        let digits = self.mantissa.unsigned_abs();
        match u32::try_from(self.exponent) {
            Ok(zeros) => {
                write!(f, "{digits}")?;
                (0..zeros).try_for_each(|_| f.write_str("0"))
            }
            Err(_) => {
                let places = self.exponent.unsigned_abs();
                let scale = 10_u128.checked_pow(places);
                let (whole, part) = match scale {
                    Some(s) => (digits.checked_div(s).unwrap_or(0), digits.checked_rem(s).unwrap_or(0)),
                    None => (0, digits),
                };
                write!(f, "{whole}.{part:0width$}", width = usize::try_from(places).unwrap_or(0))
            }
        }
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for Decimal {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Decimal {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = <alloc::string::String as serde::Deserialize>::deserialize(d)?;
        text.parse().map_err(|e| serde::de::Error::custom(alloc::format!("{text:?}: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn texts() {
        let ok =
            [("0", "0"), ("-0", "0"), ("0.10", "0.1"), ("1200", "1200"), ("-12.050", "-12.05"), ("007", "7")];
        for (text, shown) in ok {
            assert_eq!(text.parse::<Decimal>().map(|d| d.to_string()), Ok(shown.to_string()), "{text}");
        }
        for text in ["", "-", ".5", "5.", "1e6", "+1", "1_000", " 1", "0x10", "1.2.3", "NaN", "٣"] {
            assert_eq!(text.parse::<Decimal>(), Err(DecimalError::Syntax), "{text:?}");
        }
        assert_eq!("9".repeat(40).parse::<Decimal>(), Err(DecimalError::TooLarge));
    }

    proptest! {
        #[test]
        fn round_trip(units in any::<i64>(), exponent in -30_i32..8) {
            let d = Decimal::from_units(i128::from(units), exponent);
            prop_assert_eq!(d.to_string().parse::<Decimal>(), Ok(d));
            prop_assert_eq!(d.to_units(exponent), Ok(i128::from(units)));
        }
    }
}
