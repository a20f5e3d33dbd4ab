//! How fast collateral may leave: a capacity that withdrawals use up and time refills.
//!
//! Source: dYdX v4 x/ratelimit (capacity moves towards its baseline by max(baseline, |capacity - baseline|) x dt / period and
//! never crosses it; deposits add to it). The baseline here is a number; dYdX raises it with the value locked.

use crate::trip::{above_zero, later, not_zero};
use crate::{BreakerError, CircuitBreaker};
use cofferdam_core::{
    Action, Amount, AssetId, At, MathError, Memory, MemoryError, Millis, Observation, Quanta, Reader, Record,
    Rounding, Scope, Verdict, Writer, wide,
};

/// What the capacity is counted in. Above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithdrawalBaseline {
    /// Quanta of value, over all assets. A deposit states no value, so it adds nothing.
    Value(Quanta),
    /// Atoms of one asset. A deposit of it adds to the capacity; what lies above the baseline fades over a period.
    Asset(AssetId, Amount),
}

/// Parameters of [`WithdrawalRateLimit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithdrawalRateLimitParams {
    /// The capacity towards which time leads. `baseline x period` in ms must fit 126 bits.
    pub baseline: WithdrawalBaseline,
    /// How long an empty capacity takes to refill, in milliseconds. At least 1.
    pub period: Millis,
}

/// Rations withdrawals. Within any span t at most `baseline x (1 + t / period)` plus what was deposited leaves; the refill
/// is exact over time, however often it is looked at, and a clock that jumps refills to the baseline at most (INV-36).
/// Nobody waits longer than a period: what is reported without having been asked for empties the capacity and no more.
///
/// The limit is the capacity in the action's own atoms, rounded down: the house keeps the fraction. Where not even one atom
/// fits, the verdict names the time at which it will.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithdrawalRateLimit {
    baseline: i128,
    asset: Option<AssetId>,
    period: Millis,
}

impl WithdrawalRateLimit {
    /// Refuses a baseline or a period of nothing, and a product of both beyond 126 bits.
    pub fn new(params: WithdrawalRateLimitParams) -> Result<Self, BreakerError> {
        let (asset, baseline) = match params.baseline {
            WithdrawalBaseline::Value(value) => (None, value.get()),
            WithdrawalBaseline::Asset(asset, amount) => (Some(asset), amount.get()),
        };
        above_zero("baseline", baseline)?;
        not_zero("period", params.period)?;
        if baseline.checked_mul(i128::from(params.period.0)).is_none_or(|p| p > i128::MAX >> 1) {
            let accepted = "a baseline that times the period in ms fits 126 bits";
            return Err(BreakerError::Parameter { field: "baseline", value: baseline, accepted });
        }
        Ok(Self { baseline, asset, period: params.period })
    }

    fn scope(&self) -> Scope {
        self.asset.map_or(Scope::All, Scope::Asset)
    }

    // What a withdrawal uses, `None` where it is not counted.
    fn used_by(&self, action: &Action) -> Option<i128> {
        match (self.asset, action) {
            (None, Action::Withdraw { value, .. }) => Some(value.positive_part().get()),
            (Some(mine), Action::Withdraw { asset, amount, .. }) if mine == *asset => {
                Some(amount.positive_part().get())
            }
            _ => None,
        }
    }

    fn refilled(&self, mut bucket: Bucket, now: Millis) -> Result<Bucket, MathError> {
        let elapsed = now.since(bucket.time).0.min(self.period.0);
        bucket.time = bucket.time.max(now);
        if bucket.used > 0 {
            // refill = (baseline x dt + remainder) / period, the rest carried on; below 2^126 + 2^64
            let product =
                self.baseline.wrapping_mul(i128::from(elapsed)).wrapping_add(i128::from(bucket.rest));
            let refill = wide::div(product, i128::from(self.period.0), Rounding::Down)?;
            let rest = product.wrapping_sub(refill.wrapping_mul(i128::from(self.period.0)));
            bucket.used = bucket.used.saturating_sub(refill).max(0); // never crosses the baseline
            bucket.rest = if bucket.used == 0 { 0 } else { u64::try_from(rest).unwrap_or(0) };
        } else if bucket.used < 0 && elapsed > 0 {
            // what deposits added fades by max(baseline, it) x dt / period, rounded down, the rest carried on
            let above = bucket.used.checked_neg().ok_or(MathError::Overflow)?;
            let (speed, period) = (above.max(self.baseline), i128::from(self.period.0));
            let exact = speed.checked_mul(elapsed.into()).and_then(|p| p.checked_add(bucket.rest.into()));
            let fade = match exact {
                Some(product) => wide::div(product, period, Rounding::Down)?,
                None => wide::mul_div(speed, elapsed.into(), period, Rounding::Down)?,
            };
            // fade x period is at most the product
            let rest = exact.map_or(0, |product| product.wrapping_sub(fade.wrapping_mul(period)));
            bucket.used = bucket.used.checked_add(fade).ok_or(MathError::Overflow)?.min(0);
            bucket.rest = if bucket.used == 0 { 0 } else { u64::try_from(rest).unwrap_or(0) };
        }
        Ok(bucket)
    }

    // How long until `missing` units are refilled, rounded up.
    fn wait(&self, missing: i128, rest: u64) -> Result<Millis, MathError> {
        let period = i128::from(self.period.0);
        let whole = missing.checked_mul(period).ok_or(MathError::Overflow)?;
        let ms = wide::div(whole.saturating_sub(i128::from(rest)), self.baseline, Rounding::Up)?;
        u64::try_from(ms.max(0)).map(Millis).map_err(|_| MathError::Overflow)
    }

    fn verdict(&self, now: Millis, action: &Action, bucket: &Bucket) -> Result<Verdict, MathError> {
        let value = self.used_by(action).unwrap_or(0);
        let size = i128::try_from(action.size()).map_err(|_| MathError::Overflow)?;
        if value == 0 || size == 0 {
            return Ok(Verdict::ALLOW);
        }
        let capacity = self.baseline.checked_sub(bucket.used).ok_or(MathError::Overflow)?;
        // one atom, or all of the baseline where an atom is worth more
        let one = wide::div(value, size, Rounding::Up)?.min(self.baseline);
        let (then, not_before) = if capacity >= one {
            (capacity, Millis::ZERO)
        } else {
            let missing = one.checked_sub(capacity).ok_or(MathError::Overflow)?;
            // a state's clock is ahead of one that ran backwards
            (one, later(now.max(bucket.time), self.wait(missing, bucket.rest)?))
        };
        let atoms =
            wide::mul_div_unsigned(then.unsigned_abs(), size.unsigned_abs(), value.unsigned_abs(), false);
        // a quotient beyond 128 bits is more than anyone can ask for; at least the one atom that `one` stands for
        Ok(Verdict { limit: atoms.unwrap_or(u128::MAX).max(1), not_before })
    }
}

impl CircuitBreaker for WithdrawalRateLimit {
    fn admit(&self, at: At, action: &Action, memory: &Memory<'_>) -> Result<Verdict, BreakerError> {
        if self.used_by(action).is_none() {
            return Ok(Verdict::ALLOW);
        }
        let bucket = self.refilled(memory.get(self.scope())?, at.time)?;
        Ok(self.verdict(at.time, action, &bucket)?)
    }

    fn observe(
        &self,
        at: At,
        observation: &Observation,
        memory: &mut Memory<'_>,
    ) -> Result<bool, BreakerError> {
        let Observation::Done(action) = observation else { return Ok(false) };
        let used = match (self.asset, action) {
            (Some(mine), Action::Deposit { asset, amount, .. }) if mine == *asset => {
                amount.positive_part().try_neg()?.get()
            }
            _ => match self.used_by(action) {
                Some(used) => used,
                None => return Ok(false),
            },
        };
        let mut bucket = self.refilled(memory.get(self.scope())?, at.time)?;
        let before = bucket.used;
        // capacity is never below zero: who comes next does not wait for what others took without asking
        bucket.used = bucket.used.checked_add(used).ok_or(MathError::Overflow)?.min(self.baseline);
        if bucket.used.signum() != before.signum() {
            bucket.rest = 0; // a fraction that faded is none that refilled
        }
        memory.set(self.scope(), &bucket)?;
        Ok(before < self.baseline && bucket.used >= self.baseline)
    }
}

// Baseline minus capacity at `time` (below zero after deposits), and the fraction of a unit refilled (or faded)
// beyond it, in 1/period.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    time: Millis,
    used: i128,
    rest: u64,
}

impl Record for Bucket {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u64(self.time.0).i128(self.used).u64(self.rest);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self { time: Millis(from.u64()?), used: from.i128()?, rest: from.u64()? }),
            found => Err(MemoryError::Version { found }),
        }
    }
}
