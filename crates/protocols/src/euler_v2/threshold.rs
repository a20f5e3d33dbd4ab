//! The share of a collateral's value that keeps a loan from liquidation, and how it is lowered.

use super::SCALE;
use cofferdam_core::{MathError, Millis, Rounding, wide};
use cofferdam_liquidation_strategy::LiquidationError;

/// A threshold on its way down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ramp {
    /// Where it comes from, in units of 1e-4.
    pub from: u32,
    /// When it arrives.
    pub ends: Millis,
    /// How long it takes in all.
    pub duration: Millis,
}

/// A liquidation loan-to-value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Threshold {
    /// Where it stands, or will, in units of 1e-4.
    pub target: u32,
    /// How it gets there.
    pub ramp: Option<Ramp>,
}

impl Threshold {
    pub(super) fn check(&self) -> Result<(), LiquidationError> {
        let refuse =
            |field, value: i128, accepted| Err(LiquidationError::Parameter { field, value, accepted });
        if self.target > SCALE {
            return refuse(
                "threshold",
                self.target.into(),
                "at most 10000 (Euler: E_ConfigAmountTooLargeToEncode)",
            );
        }
        let Some(ramp) = self.ramp else { return Ok(()) };
        if ramp.from > SCALE {
            return refuse("from", ramp.from.into(), "at most 10000 (Euler: E_ConfigAmountTooLargeToEncode)");
        }
        if ramp.from <= self.target {
            return refuse(
                "from",
                ramp.from.into(),
                "above the threshold: only down (Euler: E_LTVLiquidation)",
            );
        }
        if ramp.duration == Millis::ZERO || ramp.duration > ramp.ends {
            return refuse(
                "duration",
                ramp.duration.0.into(),
                "above zero and not before the beginning of time",
            );
        }
        Ok(())
    }

    /// target + (from - target) x time left / duration, down: whoever liquidates gains, below 1e-4.
    ///
    /// # Errors
    ///
    /// Arithmetic beyond its range.
    pub fn at(&self, now: Millis) -> Result<u32, MathError> {
        let Some(ramp) = self.ramp.filter(|r| now < r.ends) else { return Ok(self.target) };
        let left = ramp.ends.0.saturating_sub(now.0).min(ramp.duration.0);
        let height = ramp.from.saturating_sub(self.target);
        let more = wide::mul_div(height.into(), left.into(), ramp.duration.0.into(), Rounding::Down)?;
        let more = u32::try_from(more).map_err(|_| MathError::Overflow)?;
        self.target.checked_add(more).ok_or(MathError::Overflow)
    }
}
