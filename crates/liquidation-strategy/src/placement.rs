//! Where an account's collateral waits to be sold piece by piece.

use crate::{LiquidationError, Refusal};
use cofferdam_core::{ActionKind, Bands, GroupView, World};
use core::fmt::Debug;

/// Spreads collateral over price bands, as the account's debt asks.
///
/// # Contract
///
/// - Asked after an owner's own act has changed what the account holds or owes; the answer is what the bands shall be from then on.
/// - Bands hold no more than the account has: what was got for what was sold, and what is still there.
/// - A refusal refuses the act. What brings an account out of danger (a repayment, more collateral) is not refused: then
///   the bands stay as they are.
pub trait Placement: Debug + Send + Sync {
    /// Where the collateral belongs after an act of this kind; `None` for an account that needs no bands.
    fn place(
        &self,
        after: ActionKind,
        group: &GroupView<'_>,
        world: &dyn World,
    ) -> Result<Result<Option<Bands>, Refusal>, LiquidationError>;
}
