//! A band around a reference price.
//!
//! Sources: CME price limits and LULD (a band around a five-minute average), Paradex and Hyperliquid price bands, Drift's
//! 10 % between mark and oracle.

use crate::trip::{Recovery, Trip, above_zero, covers, farther_than, not_zero};
use crate::{BreakerError, CircuitBreaker};
use cofferdam_core::{
    Action, At, MarketId, MathError, Memory, MemoryError, Millis, Observation, Ppb, PriceState, Reader,
    Record, Rounding, Scope, Verdict, WAD, Writer, half_life_decay, wide,
};

/// What a mark is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BandReference {
    /// The mark before it.
    Previous,
    /// The exponential average of the marks before it, each weighted by how long it stood.
    Average {
        /// After how many milliseconds a mark has lost half of its weight. At least 1.
        half_life: Millis,
    },
}

/// Parameters of [`PriceBand`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceBandParams {
    /// The market watched; `None`: every market, each with a trip of its own.
    pub market: Option<MarketId>,
    /// Half-width of the band as a share of the reference. Above zero.
    pub band: Ppb,
    /// What the band is around.
    pub reference: BandReference,
    /// How a trip ends.
    pub recovery: Recovery,
}

/// Blocks opening in a market whose mark left the band, until the cool-down after the last mark outside. Nothing else is
/// touched. A mark without a usable price is no evidence of a move (see [`crate::OracleOutage`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceBand {
    params: PriceBandParams,
}

impl PriceBand {
    /// Refuses a band, a half-life, a cool-down of nothing and an expiry below the cool-down.
    pub fn new(params: PriceBandParams) -> Result<Self, BreakerError> {
        above_zero("band", i128::from(params.band.0))?;
        params.recovery.validated()?;
        if let BandReference::Average { half_life } = params.reference {
            not_zero("half_life", half_life)?;
        }
        Ok(Self { params })
    }
}

impl CircuitBreaker for PriceBand {
    fn admit(&self, at: At, action: &Action, memory: &Memory<'_>) -> Result<Verdict, BreakerError> {
        match action {
            Action::Open { market, .. } if covers(self.params.market, *market) => {
                Ok(memory.get::<Band>(Scope::Market(*market))?.trip.verdict(at.time))
            }
            _ => Ok(Verdict::ALLOW),
        }
    }

    fn observe(
        &self,
        at: At,
        observation: &Observation,
        memory: &mut Memory<'_>,
    ) -> Result<bool, BreakerError> {
        let Observation::Mark { market, price, state } = observation else { return Ok(false) };
        if !covers(self.params.market, *market) || *state >= PriceState::Invalid || price.get() <= 0 {
            return Ok(false);
        }
        let mut band: Band = memory.get(Scope::Market(*market))?;
        let reference = band.reference(at.time, self.params.reference)?;
        let outside = reference.is_some_and(|r| farther_than(self.params.band, r, price.get()));
        let tripped = outside && band.trip.pulse(at.time, &self.params.recovery);
        band.note(at.time, price.get());
        memory.set(Scope::Market(*market), &band)?;
        Ok(tripped)
    }
}

// The average in ticks x 2^-32 up to `time`, and the mark that stands since then.
#[derive(Clone, Copy, Debug, Default)]
struct Band {
    trip: Trip,
    time: Millis,
    last: i64, // zero: no mark yet
    average: i128,
}

const FRACTION: i128 = 1 << 32;

impl Band {
    // Brings the average up to now and gives the reference in ticks, rounded down, at least one tick.
    fn reference(&mut self, now: Millis, reference: BandReference) -> Result<Option<i64>, MathError> {
        if self.last == 0 {
            return Ok(None);
        }
        let BandReference::Average { half_life } = reference else { return Ok(Some(self.last)) };
        let keep = half_life_decay(now.since(self.time).0, half_life.0, Rounding::Down)?;
        let narrow = |x: u128| i128::try_from(x).map_err(|_| MathError::Overflow);
        let last = i128::from(self.last).wrapping_mul(FRACTION); // 63 + 32 bits
        let distance = self.average.wrapping_sub(last); // both within 95 bits
        self.average =
            last.wrapping_add(wide::mul_div(distance, narrow(keep)?, narrow(WAD)?, Rounding::TowardsZero)?);
        let ticks = wide::div(self.average, FRACTION, Rounding::Down)?.max(1);
        i64::try_from(ticks).map(Some).map_err(|_| MathError::Overflow)
    }

    fn note(&mut self, now: Millis, price: i64) {
        if self.last == 0 {
            self.average = i128::from(price).wrapping_mul(FRACTION); // 63 + 32 bits
        }
        self.last = price;
        self.time = self.time.max(now);
    }
}

impl Record for Band {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        self.trip.write(to);
        to.u64(self.time.0).i64(self.last).i128(self.average);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self {
                trip: Trip::read(from)?,
                time: Millis(from.u64()?),
                last: from.i64()?,
                average: from.i128()?,
            }),
            found => Err(MemoryError::Version { found }),
        }
    }
}
