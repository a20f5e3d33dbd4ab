//! A pause between an account's last check of its own margin and its liquidation.
//!
//! Source: Euler v2 (liquidationCoolOffTime), against whoever opens an account and liquidates it at a discount in one breath.

use crate::trip::{later, not_zero};
use crate::{BreakerError, CircuitBreaker};
use cofferdam_core::{
    Action, At, GroupId, Memory, MemoryError, Millis, Observation, Reader, Record, Scope, Verdict, Writer,
};

/// After an account has opened, borrowed or withdrawn, which asks for its margin, nobody may liquidate it for a while: a pace, not a
/// stop. It cannot be renewed by an unhealthy account, for that one is refused what would renew it.
///
/// ```
/// use cofferdam_circuit_breaker::CoolOff;
/// use cofferdam_core::Millis;
/// assert!(CoolOff::new(Millis(1_000)).is_ok());
/// assert!(CoolOff::new(Millis(0)).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CoolOff {
    pause: Millis,
}

impl CoolOff {
    /// For so long, at least 1 ms.
    pub fn new(pause: Millis) -> Result<Self, BreakerError> {
        not_zero("pause", pause)?;
        Ok(Self { pause })
    }
}

impl CircuitBreaker for CoolOff {
    fn admit(&self, at: At, action: &Action, memory: &Memory<'_>) -> Result<Verdict, BreakerError> {
        let group: GroupId = match action {
            Action::Seize { group, .. } | Action::Liquidate { group, .. } => *group,
            _ => return Ok(Verdict::ALLOW),
        };
        let ends = memory.get::<Checked>(Scope::Group(group))?.ends;
        // a time that has come is none: nothing is left of it
        Ok(if at.time < ends { Verdict::until(ends) } else { Verdict::ALLOW })
    }

    fn observe(
        &self,
        at: At,
        observation: &Observation,
        memory: &mut Memory<'_>,
    ) -> Result<bool, BreakerError> {
        let Observation::Done(
            Action::Open { group, .. } | Action::Borrow { group, .. } | Action::Withdraw { group, .. },
        ) = observation
        else {
            return Ok(false);
        };
        let before: Checked = memory.get(Scope::Group(*group))?;
        let ends = before.ends.max(later(at.time, self.pause));
        memory.set(Scope::Group(*group), &Checked { ends })?;
        Ok(false) // the rule of every day, not a trip
    }
}

/// Until when an account is left alone.
#[derive(Clone, Copy, Debug, Default)]
struct Checked {
    ends: Millis,
}

impl Record for Checked {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u64(self.ends.0);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self { ends: Millis(from.u64()?) }),
            found => Err(MemoryError::Version { found }),
        }
    }
}
