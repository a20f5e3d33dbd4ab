//! In proportion to leverage times gain: who took more risk for the same gain gives up more of it (T. Chitra, Autodeleveraging:
//! Impossibilities and Optimization, arXiv:2512.01112, section on levered pro-rata).

use crate::weight::{by_weights, leverage};
use crate::{LiquidationError, LossAllocation, Need, Payers, Settlement};
use cofferdam_core::{At, Memory};

/// A deficit is shared in proportion to gain x leverage, capped by min(gain, room), what the caps leave shared among the others.
/// A close-out is shared in proportion to lots x leverage among winners of the other side, capped by their lots. Leverage is
/// notional over equity; without equity it is more than anybody's with equity.
///
/// Whole units by Adams' method: at most one unit above the share (INV-27), and a larger need never lets anyone pay less. Breaks
/// order preservation (INV-28): who gained more with more leverage can end below who gained less.
///
/// ```
/// use cofferdam_core::{Amount, AssetId, At, GroupId, Lots, MapMemory, MarketId, Quanta, Slot};
/// use cofferdam_liquidation_strategy::*;
/// let payer = |group, gain: i128, equity: i128| Payer {
///     group: GroupId(group), lots: Lots::new(-10), gain: Amount::new(gain), equity: Amount::new(equity),
///     notional: Quanta::new(1_000), cost: Quanta::new(-1_000), room: Amount::new(gain), maintenance: Amount::ZERO,
/// };
/// let payers = [payer(1, 60, 500), payer(2, 60, 100)]; // leverage 2 and 10
/// let need = Need { cause: Cause::Deficit, market: Some(MarketId(0)), asset: AssetId(0), amount: Amount::new(30) };
/// let mut memory = MapMemory::default();
/// let s = memory.with(Slot(1), |m| LeveredProRata.allocate(At::default(), &need, &payers.as_slice(), m))?;
/// assert_eq!(s.measures, [
///     Measure::Haircut { payer: GroupId(1), amount: Amount::new(5) },
///     Measure::Haircut { payer: GroupId(2), amount: Amount::new(25) },
/// ]);
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeveredProRata;

impl LossAllocation for LeveredProRata {
    fn allocate(
        &self,
        _at: At,
        need: &Need,
        payers: &dyn Payers,
        _memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        by_weights(need, payers, leverage, |_, size, _| Ok(size))
    }
}
