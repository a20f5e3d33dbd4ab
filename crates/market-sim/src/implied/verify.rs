//! The check of an opening against its own minutes, straight from the definition and minute by minute: no window, no closed
//! form, nothing that the draws use beyond the maintenance requirement.

use super::{End, Opening, Schedule};
use crate::data::Minutes;

/// How an opening contradicts the minutes it is said to live in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Breach {
    /// Liquidatable before its end.
    #[error("{opening:?} is liquidatable in minute {minute}; accepted is healthy up to its end")]
    Early {
        /// The opening.
        opening: Opening,
        /// The first minute in which it is.
        minute: usize,
    },
    /// Healthy in the minute in which it is said to be liquidated.
    #[error("{opening:?} is healthy in its last minute; accepted is liquidatable")]
    Healthy {
        /// The opening.
        opening: Opening,
    },
    /// An entry that is not the mid of its minute, an end at or before the opening or beyond the last row, no lots, or less
    /// collateral than the schedule demands at opening.
    #[error(
        "{opening:?} cannot have been opened; accepted are positive lots at the mid of a row before its end, with the collateral of the schedule"
    )]
    Opening {
        /// The opening.
        opening: Opening,
    },
}

/// Checks one opening: opened at the mid of its row within the leverage of its tier, healthy in every minute from there to
/// the one before its end, and liquidatable in the end where it is liquidated.
///
/// # Errors
/// The first [`Breach`].
pub fn verify(opening: &Opening, minutes: &Minutes, schedule: &Schedule) -> Result<(), Breach> {
    let Opening { side, opened, lots, entry, collateral, end, .. } = *opening;
    let rows = minutes.len();
    let until = opening.gone_at().unwrap_or(rows);
    let possible = lots > 0
        && opened < until
        && opening.gone_at().is_none_or(|gone| gone < rows)
        && opened < rows
        && minutes.mid[opened] == entry
        && collateral >= schedule.least_collateral(lots, entry);
    if !possible {
        return Err(Breach::Opening { opening: *opening });
    }
    let liquidatable = |price: i64| schedule.liquidatable(side, lots, entry, collateral, price);
    if let Some(age) = minutes.mid[opened..until].iter().position(|&mid| liquidatable(mid)) {
        return Err(Breach::Early { opening: *opening, minute: opened + age });
    }
    match end {
        End::Liquidated { minute } if !minutes.mid.get(minute).is_some_and(|&mid| liquidatable(mid)) => {
            Err(Breach::Healthy { opening: *opening })
        }
        _ => Ok(()),
    }
}

/// Checks every opening of a book.
///
/// # Errors
/// The first [`Breach`].
pub fn verify_all(openings: &[Opening], minutes: &Minutes, schedule: &Schedule) -> Result<(), Breach> {
    openings.iter().try_for_each(|opening| verify(opening, minutes, schedule))
}
