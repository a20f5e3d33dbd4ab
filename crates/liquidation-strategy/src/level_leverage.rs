//! Close-outs that level leverage: the holders with most position per equity are closed, down to one level (M. Campbell, A. Hey,
//! C. Moallemi, M. Nutz, Risk-Based Auto-Deleveraging, arXiv:2603.15963, the isolated form: l* = min(l, eta)).

use crate::allocation::{close_out, collect, deficit};
use crate::leveling::{Exposed, level_exposure};
use crate::socialise::untouched;
use crate::{Cause, LiquidationError, LossAllocation, Need, Payer, Payers, Settlement};
use alloc::vec::Vec;
use cofferdam_core::{At, Memory};

/// Lots are closed so that the largest leverage of a holder of the other side becomes as small as it can be, then the second largest, and
/// so on. All lots of one market weigh the same, so leverage is lots over equity; equity of zero or less is infinite leverage
/// and is closed first, in proportion to lots. Holders without a gain are closed like others. Ties by more lots, then by group.
///
/// Closing in two steps is closing in one (exactly, among holders with equity), and an account split in two closes what it closed before, up to one lot. For accounts
/// that share margin over several markets use [`level_exposure`] with their exposure to the common factor.
///
/// It closes and takes no cash: a deficit stays whole, for the next policy of an [`crate::InOrder`].
///
/// ```
/// use cofferdam_core::{Amount, AssetId, At, GroupId, Lots, MapMemory, MarketId, Quanta, Slot, Ticks};
/// use cofferdam_liquidation_strategy::*;
/// let payer = |group, lots: i64, equity: i128| Payer {
///     group: GroupId(group), lots: Lots::new(-lots), gain: Amount::ZERO, equity: Amount::new(equity),
///     notional: Quanta::new(1_000), cost: Quanta::new(-1_000), room: Amount::ZERO, maintenance: Amount::ZERO,
/// };
/// let payers = [payer(1, 40, 10), payer(2, 40, 20), payer(3, 40, 100)]; // 4, 2 and 0.4 lots per atom
/// let cause = Cause::CloseOut { of: GroupId(9), lots: Lots::new(35), price: Ticks::new(100) };
/// let need = Need { cause, market: Some(MarketId(0)), asset: AssetId(0), amount: Amount::ZERO };
/// let mut memory = MapMemory::default();
/// let s = memory.with(Slot(1), |m| LevelLeverage.allocate(At::default(), &need, &payers.as_slice(), m))?;
/// let lots = |m: &Measure| if let Measure::Close { lots, .. } = m { lots.get() } else { 0 };
/// assert_eq!(s.measures.iter().map(lots).collect::<Vec<_>>(), [25, 10]); // 15 / 10 = 30 / 20
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LevelLeverage;

impl LossAllocation for LevelLeverage {
    fn allocate(
        &self,
        _at: At,
        need: &Need,
        payers: &dyn Payers,
        _memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        match need.cause {
            Cause::CloseOut { .. } => {}
            Cause::PoolGain { .. } => return Ok(untouched(need)),
            Cause::Deficit => return deficit(need).map(|_| untouched(need)),
        }
        let out = close_out(need)?;
        let holders = collect(payers, |p| out.takes(p));
        let exposed = |p: &Payer| {
            let lots = p.lots.get().unsigned_abs();
            let equity = p.equity.positive_part().get().unsigned_abs();
            Exposed { exposure: lots.into(), equity, most: lots.into(), rank: p.group.0 }
        };
        let exposed: Vec<Exposed> = holders.iter().map(exposed).collect();
        let closed = level_exposure(out.size, 1, &exposed)?;
        let (mut left, mut measures) = (out.size, Vec::new());
        for (p, x) in holders.iter().zip(closed).filter(|(_, x)| *x > 0) {
            left = left.saturating_sub(x); // together at most the size
            measures.push(out.measure(p, x)?);
        }
        out.settled(measures, left)
    }
}
