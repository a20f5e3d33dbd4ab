//! The contract of a price policy.

use cofferdam_core::{At, Instrument, MathError, Memory, MemoryError, PriceRole, PriceView, Quote, Scope};
use core::fmt::Debug;

/// What is asked: a price of which instrument, for which role, when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask {
    /// Of what.
    pub instrument: Instrument,
    /// For what.
    pub role: PriceRole,
    /// When.
    pub at: At,
}

/// Other prices a policy may compare with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reference {
    /// What this policy's root resolved to last, for rate-of-change guards.
    pub previous: Option<PriceView>,
    /// The index price of the same instrument, for deviation guards and mark prices.
    pub index: Option<PriceView>,
}

/// What a policy can fail with. A bad quote is not an error: it is a [`cofferdam_core::PriceState`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OracleError {
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

/// Turns quotes into a price with a state.
///
/// # Contract
///
/// - Quotes come as reported, unordered, possibly stale, possibly several per source; the answer does not depend on their
///   order.
/// - A guard only worsens: the state it returns is at least as bad as that of what it guards.
/// - A node is as bad as the worst source it used; a quote that it dropped does not count.
/// - Whatever the quotes, the answer is a view (perhaps [`cofferdam_core::PriceState::Missing`]), never a panic.
/// - `low <= mid <= high`; a finer price is rounded once, low down and high up.
pub trait PricePolicy: Debug + Send + Sync {
    /// Resolves the quotes at hand.
    fn resolve(
        &self,
        ask: &Ask,
        quotes: &[Quote],
        reference: &Reference,
        memory: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError>;
}

// Where a policy keeps what it remembers of an instrument. One policy serves one role: the stack gives each role a slot.
pub(crate) const fn scope_of(ask: &Ask) -> Scope {
    match ask.instrument {
        Instrument::Asset(id) => Scope::Asset(id),
        Instrument::Market(id) => Scope::Market(id),
    }
}
