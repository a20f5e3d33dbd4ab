//! How far a mark moved within a window.
//!
//! Source: CME's dynamic circuit breaker (lowest and highest price of a rolling hour).

use crate::trip::{Recovery, Trip, above_zero, covers, farther_than, not_zero};
use crate::window::{Cells, cell_of};
use crate::{BreakerError, CircuitBreaker};
use cofferdam_core::{
    Action, At, MarketId, Memory, MemoryError, Millis, Observation, Ppb, PriceState, Reader, Record, Scope,
    Verdict, Writer,
};

/// Parameters of [`PriceVelocity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceVelocityParams {
    /// The market watched; `None`: every market, each with a trip of its own.
    pub market: Option<MarketId>,
    /// A move of more than this share, up from the lowest or down from the highest mark within the window, trips. Above
    /// zero.
    pub bound: Ppb,
    /// How far back it looks, in milliseconds; kept in eighths, so up to one eighth further, never less. At least 1.
    pub window: Millis,
    /// How a trip ends.
    pub recovery: Recovery,
}

/// Blocks opening in a market whose mark moved too far within a window, until the cool-down after the last such mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PriceVelocity {
    params: PriceVelocityParams,
}

impl PriceVelocity {
    /// Refuses a bound, a window, a cool-down of nothing and an expiry below the cool-down.
    pub fn new(params: PriceVelocityParams) -> Result<Self, BreakerError> {
        above_zero("bound", i128::from(params.bound.0))?;
        not_zero("window", params.window)?;
        params.recovery.validated()?;
        Ok(Self { params })
    }
}

impl CircuitBreaker for PriceVelocity {
    fn admit(&self, at: At, action: &Action, memory: &Memory<'_>) -> Result<Verdict, BreakerError> {
        match action {
            Action::Open { market, .. } if covers(self.params.market, *market) => {
                Ok(memory.get::<Recent>(Scope::Market(*market))?.trip.verdict(at.time))
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
        let (bound, price) = (self.params.bound, price.get());
        let mut recent: Recent = memory.get(Scope::Market(*market))?;
        let cell = recent.range.at_or_before(cell_of(at.time, self.params.window), || (price, price));
        *cell = (cell.0.min(price), cell.1.max(price));
        let moved = recent.range.values().any(|(low, high)| {
            farther_than(bound, *low, price.max(*low)) || farther_than(bound, *high, price.min(*high))
        });
        let tripped = moved && recent.trip.pulse(at.time, &self.params.recovery);
        memory.set(Scope::Market(*market), &recent)?;
        Ok(tripped)
    }
}

// Lowest and highest mark of each cell.
#[derive(Clone, Debug, Default)]
struct Recent {
    trip: Trip,
    range: Cells<(i64, i64)>,
}

impl Record for Recent {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        self.trip.write(to);
        self.range.write(to, |(low, high), to| _ = to.i64(*low).i64(*high));
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self {
                trip: Trip::read(from)?,
                range: Cells::read(from, |from| Ok((from.i64()?, from.i64()?)))?,
            }),
            found => Err(MemoryError::Version { found }),
        }
    }
}
