//! What is honoured of takers' exposure, and what makers bear of it.
//!
//! Source: packages/core/contracts/types/Position.sol (there `longSocialized`, `shortSocialized`, `efficiency`, `socialized`) and
//! `_accumulatePNL` of libs/VersionLib.sol.

use super::times;
use cofferdam_core::{MathError, Ppb};

/// Lots of makers, of all longs and of all shorts; none is below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides {
    /// What makers stand for, either way.
    pub maker: i128,
    /// Longs of takers.
    pub long: i128,
    /// Shorts of takers.
    pub short: i128,
}

fn sum(a: i128, b: i128) -> Result<i128, MathError> {
    a.checked_add(b).ok_or(MathError::Overflow)
}

fn less(a: i128, b: i128) -> Result<i128, MathError> {
    a.checked_sub(b).ok_or(MathError::Overflow)
}

impl Sides {
    /// The larger of the takers' sides.
    #[must_use]
    pub fn major(&self) -> i128 {
        self.long.max(self.short)
    }

    /// The smaller one.
    #[must_use]
    pub fn minor(&self) -> i128 {
        self.long.min(self.short)
    }

    /// Lots of longs for which somebody answers: min(long, short + maker).
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn long_honoured(&self) -> Result<i128, MathError> {
        Ok(self.long.min(sum(self.short, self.maker)?))
    }

    /// The same of shorts.
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn short_honoured(&self) -> Result<i128, MathError> {
        Ok(self.short.min(sum(self.long, self.maker)?))
    }

    /// The larger side, as far as it is honoured.
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn honoured(&self) -> Result<i128, MathError> {
        Ok(self.major().min(sum(self.minor(), self.maker)?))
    }

    /// Whether a part of the larger side is not honoured.
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn socialised(&self) -> Result<bool, MathError> {
        Ok(self.honoured()? < self.major())
    }

    /// Longs less shorts.
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn skew(&self) -> Result<i128, MathError> {
        less(self.long, self.short)
    }

    /// Whether maker / major is below a limit; never where nobody holds a position.
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn efficiency_below(&self, limit: Ppb) -> Result<bool, MathError> {
        Ok(times(self.maker, Ppb::ONE.0.into())? < times(self.major(), limit.0.into())?)
    }

    /// What longs, shorts and makers gain when each lot gains `change`. They sum to zero.
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn gains(&self, change: i128) -> Result<(i128, i128, i128), MathError> {
        let long = times(self.long_honoured()?, change)?;
        let short = times(self.short_honoured()?, change.checked_neg().ok_or(MathError::Overflow)?)?;
        Ok((long, short, less(0, sum(long, short)?)?))
    }

    /// What longs and shorts gain by their lots beyond what is honoured.
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn beyond(&self, change: i128) -> Result<(i128, i128), MathError> {
        let (long, short, _) = self.gains(change)?;
        let by_lots = (times(self.long, change)?, less(0, times(self.short, change)?)?);
        Ok((less(by_lots.0, long)?, less(by_lots.1, short)?))
    }
}
