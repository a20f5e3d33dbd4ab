//! A cap on open interest.
//!
//! Sources: caps of Hyperliquid (per asset), Synthetix v3 (units) and Drift.

use crate::trip::above_zero;
use crate::{BreakerError, CircuitBreaker};
use cofferdam_core::{
    Action, At, Lots, MarketId, Memory, MemoryError, Observation, Reader, Record, Scope, Verdict, Writer,
};

/// Parameters of [`OpenInterestCap`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenInterestCapParams {
    /// The market capped.
    pub market: MarketId,
    /// At most this many long lots. Above zero.
    pub cap: Lots,
    /// Once the cap was reached, opening stays closed until open interest is at most this. From zero to `cap`; equal to
    /// `cap` for no such gap.
    pub reopen: Lots,
}

/// Limits opening to what is left below the cap. A standing limit and not a trip: it lasts as long as the open interest
/// does, and reducing, which is never limited, is what lifts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenInterestCap {
    params: OpenInterestCapParams,
}

impl OpenInterestCap {
    /// Refuses a cap of nothing and a `reopen` outside zero to the cap.
    pub fn new(params: OpenInterestCapParams) -> Result<Self, BreakerError> {
        above_zero("cap", i128::from(params.cap.get()))?;
        if params.reopen.is_negative() || params.reopen > params.cap {
            return Err(BreakerError::Parameter {
                field: "reopen",
                value: i128::from(params.reopen.get()),
                accepted: "zero to `cap`, in lots",
            });
        }
        Ok(Self { params })
    }
}

impl CircuitBreaker for OpenInterestCap {
    fn admit(&self, _: At, action: &Action, memory: &Memory<'_>) -> Result<Verdict, BreakerError> {
        match action {
            Action::Open { market, .. } if *market == self.params.market => {
                let interest: Interest = memory.get(Scope::Market(*market))?;
                let left = self.params.cap.try_sub(interest.lots)?.positive_part();
                let limit = if interest.closed { 0 } else { u128::from(left.get().unsigned_abs()) };
                Ok(Verdict::at_most(limit))
            }
            _ => Ok(Verdict::ALLOW),
        }
    }

    fn observe(
        &self,
        _: At,
        observation: &Observation,
        memory: &mut Memory<'_>,
    ) -> Result<bool, BreakerError> {
        match observation {
            Observation::OpenInterest { market, lots } if *market == self.params.market => {
                let was: Interest = memory.get(Scope::Market(*market))?;
                let lots = lots.positive_part();
                let closed = lots >= self.params.cap || (was.closed && lots > self.params.reopen);
                memory.set(Scope::Market(*market), &Interest { lots, closed })?;
                Ok(closed && !was.closed)
            }
            _ => Ok(false),
        }
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Interest {
    lots: Lots,
    closed: bool,
}

impl Record for Interest {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.i64(self.lots.get()).u8(u8::from(self.closed));
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self { lots: Lots::new(from.i64()?), closed: from.u8()? != 0 }),
            found => Err(MemoryError::Version { found }),
        }
    }
}
