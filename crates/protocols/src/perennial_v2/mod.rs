//! Perennial v2, equilibria-xyz/perennial-v2@99780561 (15 May 2025): takers' larger side is honoured only as far as the smaller side and the
//! makers reach, margin has a fixed minimum, and a liquidation costs a multiple of the settlement fee. The page is
//! `docs/protocols/perennial-v2.md`.

mod close;
mod margin;
mod pool;
mod sides;

pub use close::liquidation_fee;
pub use margin::FlooredMargin;
pub use pool::{MakerPool, MakerTerms};
pub use sides::Sides;

use cofferdam_core::{MathError, Quanta};

fn times(a: i128, b: i128) -> Result<i128, MathError> {
    a.checked_mul(b).ok_or(MathError::Overflow)
}

/// Quanta within their width.
fn within(units: i128) -> Result<Quanta, MathError> {
    Quanta::new(units).try_add(Quanta::ZERO)
}
