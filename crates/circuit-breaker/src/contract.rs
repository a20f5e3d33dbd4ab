//! The contract of a circuit breaker.

use cofferdam_core::{Action, At, MathError, Memory, MemoryError, Observation, Verdict};
use core::fmt::Debug;

/// What a breaker can fail with. "No" is not an error: it is a [`Verdict`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BreakerError {
    /// Arithmetic beyond its range.
    #[error(transparent)]
    Math(#[from] MathError),
    /// A memory record that cannot be read.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// A parameter outside its range.
    #[error("{field} is {value}; accepted is {accepted}")]
    Parameter {
        /// Which parameter.
        field: &'static str,
        /// What it was.
        value: i128,
        /// What would be accepted.
        accepted: &'static str,
    },
}

/// Watches what happens and says how much of an action may happen, and from when.
///
/// # Contract
///
/// - The way out stays open: an action for which [`cofferdam_core::ActionKind::is_way_out`] holds may be given a pace (a
///   limit above zero, or a time that comes), never a refusal for good (INV-35).
/// - Tightening is immediate; loosening needs time and a rule; every trip expires by itself (INV-34).
/// - `admit` writes nothing: it may be asked for a quote.
/// - A clock that jumps never widens a window's budget (INV-36).
pub trait CircuitBreaker: Debug + Send + Sync {
    /// How much of an action may happen, and from when.
    fn admit(&self, at: At, action: &Action, memory: &Memory<'_>) -> Result<Verdict, BreakerError>;

    /// Takes note of what happened. Returns whether this observation tripped the breaker (it was not tripped before).
    fn observe(
        &self,
        at: At,
        observation: &Observation,
        memory: &mut Memory<'_>,
    ) -> Result<bool, BreakerError>;
}
