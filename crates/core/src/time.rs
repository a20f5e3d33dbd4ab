//! Time comes only with inputs: nothing in the stack reads a clock.

use crate::MathError;

/// Milliseconds since the Unix epoch, or a span of milliseconds. As an instant it never runs backwards in a state (INV-42).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Millis(pub u64);

impl Millis {
    /// The beginning of time; also "at once" in a work queue.
    pub const ZERO: Self = Self(0);
    /// Later than everything.
    pub const MAX: Self = Self(u64::MAX);

    /// The instant `span` later. Errors when it lies past the end of time.
    pub fn try_add(self, span: Self) -> Result<Self, MathError> {
        self.0.checked_add(span.0).map(Self).ok_or(MathError::Overflow)
    }

    /// The span from `earlier` to `self`; zero when `earlier` is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl core::fmt::Display for Millis {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} ms", self.0)
    }
}

/// Where an input stands: its sequence number, its time and its block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct At {
    /// Position in the recorded sequence of inputs, without gaps.
    pub seq: u64,
    /// Time of the input.
    pub time: Millis,
    /// Block of the input, where the host has blocks; else zero.
    pub block: u64,
}
