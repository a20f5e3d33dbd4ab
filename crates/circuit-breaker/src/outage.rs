//! A market without a usable price.
//!
//! Source: Chainlink's sequencer feed with its grace period after an outage; Aave's sentinel, which also blocked liquidations
//! and was withdrawn for it.

use crate::trip::{Recovery, Trip, covers};
use crate::{BreakerError, CircuitBreaker};
use cofferdam_core::{
    Action, At, MarketId, Memory, MemoryError, Observation, PriceState, Reader, Record, Scope, Verdict,
    Writer,
};

/// Parameters of [`OracleOutage`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OracleOutageParams {
    /// The market watched; `None`: every market, each with a trip of its own.
    pub market: Option<MarketId>,
    /// A mark in this state or a worse one trips; commonly [`PriceState::Stale`]. Not `Good`.
    pub from: PriceState,
    /// How a trip ends: a cool-down after the first better mark, or by expiry while the outage lasts.
    pub recovery: Recovery,
}

/// Blocks opening in a market from the first bad mark until a grace period after a good one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OracleOutage {
    params: OracleOutageParams,
}

impl OracleOutage {
    /// Refuses `Good` as an outage, a cool-down of nothing and an expiry below the cool-down.
    pub fn new(params: OracleOutageParams) -> Result<Self, BreakerError> {
        params.recovery.validated()?;
        if params.from == PriceState::Good {
            let accepted = "a state from Aged (1) to Missing (7)";
            return Err(BreakerError::Parameter { field: "from", value: 0, accepted });
        }
        Ok(Self { params })
    }
}

impl CircuitBreaker for OracleOutage {
    fn admit(&self, at: At, action: &Action, memory: &Memory<'_>) -> Result<Verdict, BreakerError> {
        match action {
            Action::Open { market, .. } if covers(self.params.market, *market) => {
                Ok(memory.get::<Outage>(Scope::Market(*market))?.0.verdict(at.time))
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
        let Observation::Mark { market, state, .. } = observation else { return Ok(false) };
        if !covers(self.params.market, *market) {
            return Ok(false);
        }
        let mut outage: Outage = memory.get(Scope::Market(*market))?;
        let tripped = if *state >= self.params.from {
            outage.0.hold(at.time, &self.params.recovery)
        } else {
            outage.0.release(at.time, &self.params.recovery);
            false
        };
        memory.set(Scope::Market(*market), &outage)?;
        Ok(tripped)
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Outage(Trip);

impl Record for Outage {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        self.0.write(to);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Trip::read(from).map(Self),
            found => Err(MemoryError::Version { found }),
        }
    }
}
