//! A pool that owes its winners too much: lots that somebody chose are closed while it does, and no further than needed.
//!
//! Source: GMX v2, `AdlHandler.executeAdl` and `AdlUtils.updateAdlState` (factor = gain of the side / worth of the pool).

use crate::socialise::untouched;
use crate::terms::accept;
use crate::{Cause, LiquidationError, LossAllocation, Measure, Need, Payers, Settlement};
use cofferdam_core::{Amount, At, Memory, MemoryError, Ppb, Reader, Record, Scope, Writer, wide};
use core::cmp::Ordering;

/// Closes chosen lots of a winning side against the pool: from when the side's gain is more than `above` of what the pool has, as
/// long as that share falls and does not fall below `until`. Whole or not at all; other causes are left as they are.
///
/// ```
/// use cofferdam_core::Ppb;
/// use cofferdam_liquidation_strategy::PoolGainLimit;
/// assert!(PoolGainLimit::new(Ppb(850_000_000), Ppb(770_000_000)).is_ok());
/// assert!(PoolGainLimit::new(Ppb(500_000_000), Ppb(550_000_000)).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolGainLimit {
    above: Ppb,
    until: Ppb,
}

/// Which sides of a market are being reduced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Open {
    long: bool,
    short: bool,
}

impl Record for Open {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u8(self.long.into()).u8(self.short.into());
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self { long: from.u8()? != 0, short: from.u8()? != 0 }),
            found => Err(MemoryError::Version { found }),
        }
    }
}

/// gain / worth against a share, exactly. Without any worth every gain is more.
fn compare(gain: Amount, worth: Amount, share: Ppb) -> Ordering {
    let (gain, worth) = (gain.positive_part().get(), worth.positive_part().get());
    wide::U256::product(gain.unsigned_abs(), Ppb::ONE.0.unsigned_abs().into())
        .cmp(&wide::U256::product(worth.unsigned_abs(), share.0.unsigned_abs().into()))
}

impl PoolGainLimit {
    /// Shares of what the pool has; `until` not above `above`.
    pub fn new(above: Ppb, until: Ppb) -> Result<Self, LiquidationError> {
        accept((1..=Ppb::ONE.0).contains(&above.0), "above", above.0.into(), "above 0, at most 1")?;
        accept((0..=above.0).contains(&until.0), "until", until.0.into(), "0 to `above`")?;
        Ok(Self { above, until })
    }
}

impl LossAllocation for PoolGainLimit {
    fn allocate(
        &self,
        _at: At,
        need: &Need,
        _payers: &dyn Payers,
        memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        let (Cause::PoolGain { of, lots, price, gain, side, worth }, Some(market)) =
            (need.cause, need.market)
        else {
            return Ok(untouched(need));
        };
        let mut open: Open = memory.get(Scope::Market(market))?;
        let flag = if lots.is_negative() { &mut open.short } else { &mut open.long };
        if !*flag && compare(side, worth, self.above) != Ordering::Greater {
            return Ok(untouched(need));
        }
        // what is paid out leaves the side's gain and the pool; (g - x) / (w - x) < g / w only where the pool can pay it all
        let (left, rest) = (side.try_sub(gain)?, worth.try_sub(gain)?);
        let falls = gain.get() > 0 && side < worth;
        let past = left.is_negative() || compare(left, rest, self.until) == Ordering::Less;
        if !falls || past {
            return Ok(untouched(need));
        }
        *flag = compare(left, rest, self.until) == Ordering::Greater;
        memory.set(Scope::Market(market), &open)?;
        let lots = lots.try_neg()?;
        Ok(Settlement {
            measures: alloc::vec![Measure::Close { payer: of, market, lots, price }],
            residual: 0,
        })
    }
}
