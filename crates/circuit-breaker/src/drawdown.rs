//! What stands behind the venue shrinks: layers that pay, a deficit that nobody has paid.
//!
//! Sources: OKX and Bybit (a fund 30 % below its peak of eight hours), dYdX v4 (withdrawals gated for 50 blocks while an account
//! is under water).

use crate::trip::{Recovery, Trip, above_zero, not_zero};
use crate::{BreakerError, CircuitBreaker};
use cofferdam_core::{
    Action, At, MathError, Memory, MemoryError, Millis, Observation, Ppb, Quanta, Reader, Record, Scope,
    Verdict, Writer,
};

/// A fall of what all layers can pay together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawdown {
    /// The share of the peak that must be gone. Above zero, at most one.
    pub fall: Ppb,
    /// How long a peak counts, in milliseconds. At least 1.
    pub window: Millis,
}

/// Parameters of [`InsuranceDrawdown`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InsuranceDrawdownParams {
    /// Trips on such a fall; `None`: on an open deficit only.
    pub drawdown: Option<Drawdown>,
    /// How a trip ends. An open deficit holds it until it is paid or the trip expires.
    pub recovery: Recovery,
}

/// Blocks opening and borrowing and delays withdrawals while a deficit is open (INV-37), and for a cool-down after the
/// layers' capacity fell far below its peak. Both end by themselves. Repaying, adding, reducing and being liquidated go on.
///
/// The peak is what the layers could pay before a draw: capacity is seen only when it is drawn on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InsuranceDrawdown {
    params: InsuranceDrawdownParams,
}

impl InsuranceDrawdown {
    /// Refuses a fall outside zero to one, a window or a cool-down of nothing and an expiry below the cool-down.
    pub fn new(params: InsuranceDrawdownParams) -> Result<Self, BreakerError> {
        params.recovery.validated()?;
        if let Some(Drawdown { fall, window }) = params.drawdown {
            above_zero("fall", i128::from(fall.0))?;
            not_zero("window", window)?;
            if fall > Ppb::ONE {
                let value = i128::from(fall.0);
                return Err(BreakerError::Parameter {
                    field: "fall",
                    value,
                    accepted: "at most 1,000,000,000 ppb",
                });
            }
        }
        Ok(Self { params })
    }
}

impl CircuitBreaker for InsuranceDrawdown {
    fn admit(&self, at: At, action: &Action, memory: &Memory<'_>) -> Result<Verdict, BreakerError> {
        match action {
            Action::Open { .. } | Action::Borrow { .. } | Action::Withdraw { .. } => {
                let cover: Cover = memory.get(Scope::All)?;
                Ok(cover.deficit.verdict(at.time).join(cover.fall.verdict(at.time)))
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
        let (now, recovery) = (at.time, &self.params.recovery);
        let mut cover: Cover = memory.get(Scope::All)?;
        let was_on = cover.is_on(now);
        match (observation, self.params.drawdown) {
            (Observation::Deficit { value }, _) if value.get() > 0 => _ = cover.deficit.hold(now, recovery),
            (Observation::Deficit { .. }, _) => cover.deficit.release(now, recovery),
            (Observation::Drawn { value, capacity_left, .. }, Some(drawdown)) => {
                if cover.fell(now, *value, *capacity_left, &drawdown)? {
                    cover.fall.pulse(now, recovery);
                }
            }
            _ => return Ok(false),
        }
        memory.set(Scope::All, &cover)?;
        Ok(!was_on && cover.is_on(now))
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Cover {
    deficit: Trip,
    fall: Trip,
    peak: Quanta,
    peak_at: Millis,
}

impl Cover {
    fn is_on(&self, now: Millis) -> bool {
        self.deficit.is_on(now) || self.fall.is_on(now)
    }

    fn fell(
        &mut self,
        now: Millis,
        paid: Quanta,
        left: Quanta,
        drawdown: &Drawdown,
    ) -> Result<bool, MathError> {
        let before = left.try_add(paid)?.positive_part();
        if before > self.peak || now.since(self.peak_at) >= drawdown.window {
            (self.peak, self.peak_at) = (before, now);
        }
        let gone = self.peak.try_sub(left.positive_part())?.positive_part();
        // at most the share that trips stays allowed, rounded up: a fall of exactly that share trips
        let allowed = drawdown.fall.of(self.peak, cofferdam_core::Rounding::Up)?;
        Ok(gone >= allowed && gone.get() > 0)
    }
}

impl Record for Cover {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        self.deficit.write(to);
        self.fall.write(to);
        to.i128(self.peak.get()).u64(self.peak_at.0);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self {
                deficit: Trip::read(from)?,
                fall: Trip::read(from)?,
                peak: Quanta::new(from.i128()?),
                peak_at: Millis(from.u64()?),
            }),
            found => Err(MemoryError::Version { found }),
        }
    }
}
