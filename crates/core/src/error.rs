//! What arithmetic can refuse. Nothing here saturates or wraps: an overflow is found before any fact is written.

use core::fmt;

/// An integer operation whose exact result is not a value of its type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum MathError {
    /// The result lies outside the type's stated range.
    Overflow,
    /// A division by zero, or by a negative number where only a positive one has a meaning.
    DivisionByZero,
    /// A negative number where only a non-negative one has a meaning (a square root, an unsigned conversion).
    Negative,
}

impl fmt::Display for MathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overflow => "the exact result lies outside the range of its type",
            Self::DivisionByZero => "division by zero",
            Self::Negative => "a negative number where only a non-negative one has a meaning",
        })
    }
}

impl core::error::Error for MathError {}
