//! Ratios. Configuration speaks parts per billion; wads (1e18) and rays (1e27) appear where a formula needs them.
//! There is no silent conversion between them.

use crate::{Decimal, DecimalError, MathError, Quanta, Rounding, wide};

/// 1e18: the scale of a wad.
pub const WAD: u128 = 1_000_000_000_000_000_000;
/// 1e27: the scale of a ray.
pub const RAY: u128 = 1_000_000_000_000_000_000_000_000_000;

/// Parts per billion (1e-9), signed. 1 % is 10,000,000 ppb.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Ppb(pub i64);

impl Ppb {
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// One whole: 1,000,000,000 ppb.
    pub const ONE: Self = Self(1_000_000_000);

    /// From an exact decimal ratio: "0.004" is 4,000,000 ppb. Refuses more than nine decimals.
    pub fn from_decimal(ratio: &Decimal) -> Result<Self, DecimalError> {
        ratio.to_units(-9).and_then(|u| i64::try_from(u).map(Self).map_err(|_| DecimalError::TooLarge))
    }

    /// `x` times this ratio, rounded as told.
    pub fn of(self, x: Quanta, rounding: Rounding) -> Result<Quanta, MathError> {
        self.of_units(x.get(), rounding).map(Quanta::new)
    }

    /// `x` units of anything times this ratio, rounded as told.
    pub fn of_units(self, x: i128, rounding: Rounding) -> Result<i128, MathError> {
        wide::mul_div(x, i128::from(self.0), i128::from(Self::ONE.0), rounding)
    }

    /// One minus this ratio.
    pub fn complement(self) -> Result<Self, MathError> {
        Self::ONE.0.checked_sub(self.0).map(Self).ok_or(MathError::Overflow)
    }

    /// `part / whole` rounded as told; `whole` must be positive.
    pub fn ratio(part: i128, whole: i128, rounding: Rounding) -> Result<Self, MathError> {
        let r = wide::mul_div(part, i128::from(Self::ONE.0), whole, rounding)?;
        i64::try_from(r).map(Self).map_err(|_| MathError::Overflow)
    }
}

impl core::fmt::Display for Ppb {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        core::fmt::Display::fmt(&Decimal::from_units(i128::from(self.0), -9), f)
    }
}
