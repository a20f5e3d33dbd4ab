//! How far the oracle's price may step from one trade to the next, and what a step costs for two minutes: 1 - (old / new)^3, so that
//! nobody gains from trading on both sides of it.

use super::math::{ONE, add, mul, ratio, sub};
use cofferdam_core::{MathError, MemoryError, Reader, Record, Writer};

/// For so long after a trade (PREV_P_O_DELAY), in seconds.
const DELAY_S: u64 = 120;
/// The largest step, a wad (MAX_P_O_CHG): with it the fee stays below a half.
const STEP_MAX: u128 = 1_250_000_000_000_000_000;

/// The price and the fee of the last trade, and when it was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limiter {
    /// The price that it traded at, a wad.
    pub price: u128,
    /// The fee that the step to it cost, a wad.
    pub fee: u128,
    /// When, in seconds.
    pub at_s: u64,
}

impl Limiter {
    /// The price to trade at now and the least fee (`limit_p_o`).
    ///
    /// # Errors
    ///
    /// Prices beyond their range.
    pub fn limit(&self, price: u128, now_s: u64) -> Result<(u128, u128), MathError> {
        let left = DELAY_S.saturating_sub(now_s.saturating_sub(self.at_s));
        if left == 0 || self.price == 0 {
            return Ok((price, 0));
        }
        let least = ratio(ONE, ONE, STEP_MAX)?;
        let rises = price > self.price;
        let (low, high) = if rises { (self.price, price) } else { (price, self.price) };
        let mut part = ratio(low, ONE, high)?;
        let mut limited = price;
        if part < least {
            part = least;
            limited =
                if rises { ratio(self.price, STEP_MAX, ONE)? } else { ratio(self.price, ONE, STEP_MAX)? };
        }
        let cube = ratio(mul(part, part)?, part, mul(ONE, ONE)?)?;
        let fee = ratio(sub(add(ONE, self.fee)?, cube)?, left.into(), DELAY_S.into())?;
        Ok((limited, fee.min(ONE.saturating_sub(1))))
    }
}

impl Record for Limiter {
    const VERSION: u8 = 1;
    fn write(&self, to: &mut Writer) {
        to.u128(self.price).u128(self.fee).u64(self.at_s);
    }
    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self { price: from.u128()?, fee: from.u128()?, at_s: from.u64()? }),
            found => Err(MemoryError::Version { found }),
        }
    }
}
