//! How fast deposits may leave: what stays must be at least the day's average less the larger of a quarter of it and a threshold.
//!
//! Source: `calculate_min_deposit_token_amount` (programs/drift/src/math/spot_withdraw.rs) and the average over 24 hours that a new
//! amount moves by the share of the day since the last one.

use cofferdam_circuit_breaker::{BreakerError, CircuitBreaker};
use cofferdam_core::{
    Action, Amount, AssetId, At, MathError, Memory, MemoryError, Millis, Observation, Reader, Record,
    Rounding, Scope, Verdict, Writer, wide,
};
use cofferdam_stack::{BreakerSpec, ConfigError, Context, Number, module};

const DAY: Millis = Millis(86_400_000);

/// Watches what is held of one asset. It counts what it is told of: deposits and withdrawals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WithdrawGuard {
    asset: AssetId,
    threshold: i128,
}

/// Deposits now and their average over a day, in atoms, at a time.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    time: Millis,
    now: i128,
    average: i128,
}

impl Record for Held {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u64(self.time.0).i128(self.now).i128(self.average);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self { time: Millis(from.u64()?), now: from.i128()?, average: from.i128()? }),
            found => Err(MemoryError::Version { found }),
        }
    }
}

impl Held {
    /// average + (now - average) x elapsed / day, towards the average: the guard loosens no faster than time passes.
    fn at(mut self, time: Millis) -> Result<Self, MathError> {
        let elapsed = time.since(self.time).0.min(DAY.0);
        let gap = self.now.checked_sub(self.average).ok_or(MathError::Overflow)?;
        let step = wide::mul_div(gap.abs(), elapsed.into(), DAY.0.into(), Rounding::Down)?;
        let step = if gap < 0 { step.wrapping_neg() } else { step }; // 0 <= step <= |gap|
        self.average = self.average.checked_add(step).ok_or(MathError::Overflow)?;
        self.time = self.time.max(time);
        Ok(self)
    }
}

impl WithdrawGuard {
    /// Guards an asset; from `threshold` atoms below the average it lets go whatever the average is.
    pub fn new(asset: AssetId, threshold: Amount) -> Result<Self, BreakerError> {
        if threshold.is_negative() {
            let accepted = "0 or more atoms";
            return Err(BreakerError::Parameter { field: "threshold", value: threshold.get(), accepted });
        }
        Ok(Self { asset, threshold: threshold.get() })
    }

    /// The least that has to stay: average - max(average / 4, min(threshold, average)).
    pub fn least(&self, average: i128) -> Result<i128, MathError> {
        let quarter = wide::div(average, 4, Rounding::Down)?;
        average.checked_sub(quarter.max(self.threshold.min(average))).ok_or(MathError::Overflow)
    }
}

impl CircuitBreaker for WithdrawGuard {
    fn admit(&self, at: At, action: &Action, memory: &Memory<'_>) -> Result<Verdict, BreakerError> {
        match action {
            Action::Withdraw { asset, .. } if *asset == self.asset => {}
            _ => return Ok(Verdict::ALLOW),
        }
        let held: Held = memory.get::<Held>(Scope::Asset(self.asset))?.at(at.time)?;
        let room = held.now.checked_sub(self.least(held.average)?).ok_or(MathError::Overflow)?.max(0);
        if room > 0 {
            return Ok(Verdict::at_most(room.unsigned_abs()));
        }
        // a day from now the average is what is held, and at least a quarter of that may go
        Ok(Verdict { limit: u128::MAX, not_before: held.time.try_add(DAY)? })
    }

    fn observe(
        &self,
        at: At,
        observation: &Observation,
        memory: &mut Memory<'_>,
    ) -> Result<bool, BreakerError> {
        let Observation::Done(action) = observation else { return Ok(false) };
        let change = match action {
            Action::Deposit { asset, amount, .. } if *asset == self.asset => amount.get(),
            Action::Withdraw { asset, amount, .. } if *asset == self.asset => amount.try_neg()?.get(),
            _ => return Ok(false),
        };
        let mut held: Held = memory.get::<Held>(Scope::Asset(self.asset))?.at(at.time)?;
        let open = held.now > self.least(held.average)?;
        held.now = held.now.checked_add(change).ok_or(MathError::Overflow)?.max(0);
        memory.set(Scope::Asset(self.asset), &held)?;
        Ok(open && held.now <= self.least(held.average)?)
    }
}

module! {
    "drift/withdraw-guard@1" Breaker breaks [];
    /// Drift v2: what stays deposited is at least the day's average less a quarter or a threshold, whichever is more.
    struct WithdrawGuardSpec {
        /// Of which asset.
        asset: String ["name of an asset"],
        /// The venue's `withdraw_guard_threshold`.
        threshold: Option<Number> ["amount of the asset", "0"],
    }
}

#[typetag::serde(name = "drift/withdraw-guard@1")]
impl BreakerSpec for WithdrawGuardSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn CircuitBreaker>, ConfigError> {
        let asset = ctx.asset("asset", &self.asset)?;
        let threshold = self.threshold.map_or(Ok(Amount::ZERO), |x| ctx.amount("threshold", asset, &x))?;
        Ok(Box::new(ctx.check(self, WithdrawGuard::new(asset, threshold))?))
    }
}
