//! Price impact: a power of the imbalance before a trade less the same power after it, times a factor.
//!
//! Source: `PricingUtils` and `PositionPricingUtils` (contracts/pricing). The venue's power is a fixed-point approximation, off by some
//! 1e-17 of the value; here the first and second power are exact.

use cofferdam_core::{MathError, Ppb, Quanta, Rounding, wide};

/// 1e18: the unit of impact factors.
const UNIT: i128 = 1_000_000_000_000_000_000;

/// Power of the imbalance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exponent {
    /// In proportion to it.
    One,
    /// To its square, per whole unit of the numeraire.
    Two,
}

/// Parameters of [`Impact`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImpactTerms {
    /// What a growing imbalance costs, in 1e-18 per unit of the numeraire (per unit squared).
    pub negative: i128,
    /// What a shrinking one pays, likewise; not above `negative`.
    pub positive: i128,
    /// Power of the imbalance.
    pub exponent: Exponent,
    /// The most that is charged, as a share of the trade.
    pub negative_max: Ppb,
    /// The most that is paid, as a share of the trade.
    pub positive_max: Ppb,
    /// Quanta per whole unit of the numeraire, above zero.
    pub quanta_per_unit: i128,
}

/// The formula on its terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Impact(pub ImpactTerms);

impl Impact {
    /// factor x (high^e - low^e) of two imbalances without sign, rounded as told.
    fn between(&self, factor: i128, low: i128, high: i128, rounding: Rounding) -> Result<i128, MathError> {
        let width = high.checked_sub(low).ok_or(MathError::Overflow)?;
        let powers = match self.0.exponent {
            Exponent::One => width,
            Exponent::Two => {
                // high^2 - low^2 = (high - low) x (high + low)
                let sum = high.checked_add(low).ok_or(MathError::Overflow)?;
                wide::mul_div(width, sum, self.0.quanta_per_unit, rounding)?
            }
        };
        wide::mul_div(powers, factor, UNIT, rounding)
    }

    /// What a trade that moves the signed imbalance from `before` to `after` gains (above zero) or pays, in quanta, before caps. What is paid
    /// is rounded up and what is gained down: the pool gains.
    pub fn of(&self, before: Quanta, after: Quanta) -> Result<i128, MathError> {
        let (from, to) = (before.try_abs()?.get(), after.try_abs()?.get());
        let crosses = (before.get() < 0) != (after.get() < 0) && from != 0 && to != 0;
        let (gained, paid) = if crosses {
            let gained = self.between(self.0.positive, 0, from, Rounding::Down)?;
            (gained, self.between(self.0.negative, 0, to, Rounding::Up)?)
        } else if to > from {
            (0, self.between(self.0.negative, from, to, Rounding::Up)?)
        } else {
            (self.between(self.0.positive, to, from, Rounding::Down)?, 0)
        };
        gained.checked_sub(paid).ok_or(MathError::Overflow)
    }

    /// The same, capped by the size of the trade, and where it is a gain by what is in the purse.
    pub fn capped(&self, impact: i128, size: Quanta, purse: i128) -> Result<i128, MathError> {
        if impact < 0 {
            let most = self.0.negative_max.of_units(size.get(), Rounding::Up)?;
            return Ok(impact.max(most.checked_neg().ok_or(MathError::Overflow)?));
        }
        Ok(impact.min(self.0.positive_max.of_units(size.get(), Rounding::Down)?).min(purse.max(0)))
    }
}
