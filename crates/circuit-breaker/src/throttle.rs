//! How much may be liquidated within a window: a pace, never a stop.
//!
//! Sources: Synthetix v3 (maximum liquidation per window), Maker's Hole and dirt, dYdX's notional per block.

use crate::trip::not_zero;
use crate::window::{Cells, cell_of, leaves_at};
use crate::{BreakerError, CircuitBreaker, trip::above_zero};
use cofferdam_core::{
    Action, At, Lots, MarketId, MathError, Memory, MemoryError, Millis, Observation, Quanta, Reader, Record,
    Scope, Verdict, Writer, wide::mul_div_unsigned,
};

/// What a throttle counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// The liquidations of one market.
    One(MarketId),
    /// Those of every market, each with a budget of its own.
    Each,
    /// All together, seizures of collateral included, under one budget of notional.
    Together,
}

/// How much per window, above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThrottleBudget {
    /// Lots, of whichever side; not with [`Coverage::Together`], for lots of two markets do not add up.
    Lots(Lots),
    /// Absolute notional (or value of what is seized) in quanta.
    Notional(Quanta),
}

/// Parameters of [`LiquidationThrottle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiquidationThrottleParams {
    /// What is counted together.
    pub coverage: Coverage,
    /// How much within any window.
    pub budget: ThrottleBudget,
    /// Length of the window in milliseconds; kept in eighths, so a budget frees up to one eighth later, never sooner.
    /// At least 1.
    pub window: Millis,
}

/// Paces forced closing: at most the budget within any window, then from when the oldest part has left it.
///
/// The budget left is converted to lots (or atoms) in proportion to the action's own notional and rounded down, so the
/// budget is kept. Where a single lot is dearer than the whole budget, one lot passes per window: a pace, not a refusal for
/// good. What was closed without asking (a report) counts too.
///
/// It has tripped when the budget is used up: when not one more lot (or atom) of the kind just closed fits into it. Lots do not
/// divide a budget evenly, so a close that was cut to the budget leaves a rest smaller than a lot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LiquidationThrottle {
    params: LiquidationThrottleParams,
}

impl LiquidationThrottle {
    /// Refuses a budget or a window of nothing, and lots counted over several markets.
    pub fn new(params: LiquidationThrottleParams) -> Result<Self, BreakerError> {
        not_zero("window", params.window)?;
        match (params.budget, params.coverage) {
            (ThrottleBudget::Lots(lots), Coverage::Together) => Err(BreakerError::Parameter {
                field: "budget",
                value: i128::from(lots.get()),
                accepted: "notional, where markets are counted together",
            }),
            (ThrottleBudget::Lots(lots), _) => above_zero("budget", i128::from(lots.get())),
            (ThrottleBudget::Notional(value), _) => above_zero("budget", value.get()),
        }?;
        Ok(Self { params })
    }

    const fn budget(&self) -> u128 {
        match self.params.budget {
            ThrottleBudget::Lots(lots) => lots.get().unsigned_abs() as u128,
            ThrottleBudget::Notional(value) => value.get().unsigned_abs(),
        }
    }

    // Where an action is counted and what it uses of the budget; `None` where it is not counted.
    fn counted(&self, action: &Action) -> Option<(Scope, u128)> {
        let value = match (self.params.budget, action) {
            (ThrottleBudget::Lots(_), _) => action.size(),
            (_, Action::Liquidate { notional: value, .. } | Action::Seize { value, .. }) => {
                value.get().unsigned_abs()
            }
            _ => return None,
        };
        let scope = match (self.params.coverage, action) {
            (Coverage::One(one), Action::Liquidate { market, .. }) if one == *market => Scope::Market(one),
            (Coverage::Each, Action::Liquidate { market, .. }) => Scope::Market(*market),
            (Coverage::Together, Action::Liquidate { .. } | Action::Seize { .. }) => Scope::All,
            _ => return None,
        };
        Some((scope, value))
    }

    // How much of an action of `size` that uses `value` fits into `left` of the budget, rounded down; at least one, so that
    // what is dearer than the whole budget passes one by one. A quotient beyond 128 bits is more than anyone can ask for.
    fn fits(size: u128, value: u128, left: u128) -> u128 {
        mul_div_unsigned(left, size, value, false).unwrap_or(u128::MAX).max(1)
    }

    // What the smallest step uses: one lot or atom, or all of the budget where that is dearer. At least one where `value` is.
    fn smallest(&self, value: u128, size: u128) -> u128 {
        value.div_ceil(size.max(1)).min(self.budget())
    }

    // Reports may have used more than the budget: then nothing of it is left. The verdict is the earliest time at which something fits, and how much does then.
    fn verdict(&self, now: Millis, action: &Action, value: u128, used: &Used) -> Result<Verdict, MathError> {
        let (budget, size) = (self.budget(), action.size());
        if value == 0 || size == 0 {
            return Ok(Verdict::ALLOW);
        }
        let one = self.smallest(value, size);
        let cell = cell_of(now, self.params.window);
        let mut gone = used.total(cell)?;
        let mut not_before = Millis::ZERO;
        for (index, amount) in used.0.within(cell) {
            if budget.saturating_sub(gone) >= one {
                break;
            }
            gone = gone.checked_sub(*amount).ok_or(MathError::Overflow)?;
            not_before = leaves_at(*index, self.params.window);
        }
        Ok(Verdict { limit: Self::fits(size, value, budget.saturating_sub(gone)), not_before })
    }
}

impl CircuitBreaker for LiquidationThrottle {
    fn admit(&self, at: At, action: &Action, memory: &Memory<'_>) -> Result<Verdict, BreakerError> {
        let Some((scope, value)) = self.counted(action) else { return Ok(Verdict::ALLOW) };
        Ok(self.verdict(at.time, action, value, &memory.get(scope)?)?)
    }

    fn observe(
        &self,
        at: At,
        observation: &Observation,
        memory: &mut Memory<'_>,
    ) -> Result<bool, BreakerError> {
        let Observation::Done(action) = observation else { return Ok(false) };
        let Some((scope, value)) = self.counted(action) else { return Ok(false) };
        let mut used: Used = memory.get(scope)?;
        let cell = cell_of(at.time, self.params.window);
        let before = used.total(cell)?;
        let slot = used.0.at_or_before(cell, || 0);
        *slot = slot.checked_add(value).ok_or(MathError::Overflow)?;
        let after = before.checked_add(value).ok_or(MathError::Overflow)?;
        memory.set(scope, &used)?;
        let used_up = |gone: u128| self.budget().saturating_sub(gone) < self.smallest(value, action.size());
        Ok(!used_up(before) && used_up(after))
    }
}

// What was used of the budget in each cell.
#[derive(Clone, Debug, Default)]
struct Used(Cells<u128>);

impl Used {
    fn total(&self, cell: u64) -> Result<u128, MathError> {
        self.0
            .within(cell)
            .try_fold(0_u128, |sum, (_, amount)| sum.checked_add(*amount).ok_or(MathError::Overflow))
    }
}

impl Record for Used {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        self.0.write(to, |amount, to| _ = to.u128(*amount));
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Cells::read(from, |from| from.u128()).map(Self),
            found => Err(MemoryError::Version { found }),
        }
    }
}
