//! Nobody leaves while an account under water cannot be closed.
//!
//! Source: dYdX v4 x/subaccounts: an account with negative collateral that deleveraging cannot close gates all withdrawals and
//! transfers for 50 blocks after the block in which it was last seen.

use crate::trip::{later, not_zero};
use crate::{BreakerError, CircuitBreaker};
use cofferdam_core::{
    Action, At, Memory, MemoryError, Millis, Observation, Reader, Record, Scope, Verdict, Writer,
};

/// Parameters of [`WithdrawalGate`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithdrawalGateParams {
    /// How many blocks after the one in which a position was last stranded the gate opens. At least 1.
    pub blocks: u64,
    /// How long after it the gate opens in any case, in milliseconds: a chain that makes no blocks holds nobody for ever. At
    /// least 1.
    pub expires: Millis,
}

/// Delays every withdrawal after a position past bankruptcy was found that nobody could be found to close against
/// (INV-37). It opens after so many blocks or so much time, whichever comes first; each such position seen again closes it anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithdrawalGate {
    params: WithdrawalGateParams,
}

impl WithdrawalGate {
    /// Refuses a gate of no blocks and an expiry of nothing.
    pub fn new(params: WithdrawalGateParams) -> Result<Self, BreakerError> {
        not_zero("expires", params.expires)?;
        if params.blocks == 0 {
            let accepted = "at least 1 block";
            return Err(BreakerError::Parameter { field: "blocks", value: 0, accepted });
        }
        Ok(Self { params })
    }
}

/// From which block and from which time on the gate is open.
#[derive(Clone, Copy, Debug, Default)]
struct Closed {
    block: u64,
    time: Millis,
}

impl Closed {
    fn holds(&self, at: At) -> bool {
        at.block < self.block && at.time < self.time
    }
}

impl Record for Closed {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u64(self.block).u64(self.time.0);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self { block: from.u64()?, time: Millis(from.u64()?) }),
            found => Err(MemoryError::Version { found }),
        }
    }
}

impl CircuitBreaker for WithdrawalGate {
    fn admit(&self, at: At, action: &Action, memory: &Memory<'_>) -> Result<Verdict, BreakerError> {
        let closed: Closed = memory.get(Scope::All)?;
        // the block may come sooner; the time is the latest
        let held = matches!(action, Action::Withdraw { .. }) && closed.holds(at);
        Ok(if held { Verdict::until(closed.time) } else { Verdict::ALLOW })
    }

    fn observe(
        &self,
        at: At,
        observation: &Observation,
        memory: &mut Memory<'_>,
    ) -> Result<bool, BreakerError> {
        let Observation::Stranded { .. } = observation else { return Ok(false) };
        let before: Closed = memory.get(Scope::All)?;
        let (block, time) =
            (at.block.saturating_add(self.params.blocks), later(at.time, self.params.expires));
        // a clock that runs backwards opens nothing
        memory.set(Scope::All, &Closed { block: block.max(before.block), time: time.max(before.time) })?;
        Ok(!before.holds(at))
    }
}
