//! Nobody gives up a larger part of its equity than must be: the min-max program of one market, exactly.

use crate::apportion::Method;
use crate::weight::{Weight, by_whole_weights};
use crate::{LiquidationError, LossAllocation, Need, Payers, Settlement};
use cofferdam_core::{At, Memory};

/// Makes the largest share of anyone's equity as small as it can be: of all whole x with sum x = B and x <= w it takes one that
/// minimises max x / e, with w the gain (of a deficit) or the lots (of a close-out) of a winner and e its equity. In lots all of a market cost
/// the same, so the same closes minimise the largest share of money.
///
/// Source: T. Chitra et al., Autodeleveraging as Online Learning, arXiv:2602.15182: the integer program that fairness is measured against. In one
/// market it needs no solver: the next unit goes to the smallest (x + 1) / e, Jefferson's method, and no other whole
/// allocation has a smaller maximum. Across markets see `min_max_program` in `cofferdam-market-sim`.
///
/// Who has no equity has no share to give and pays nothing. Breaks order preservation (INV-28): a large gain of a rich account can be taken
/// whole while a small account keeps most of a smaller one.
///
/// ```
/// use cofferdam_core::{Amount, AssetId, At, GroupId, Lots, MapMemory, MarketId, Quanta, Slot};
/// use cofferdam_liquidation_strategy::*;
/// let payer = |group, equity: i128| Payer {
///     group: GroupId(group), lots: Lots::new(-10), gain: Amount::new(60), equity: Amount::new(equity),
///     notional: Quanta::new(1_000), cost: Quanta::new(-1_000), room: Amount::new(60), maintenance: Amount::ZERO,
/// };
/// let payers = [payer(1, 100), payer(2, 400)];
/// let need = Need { cause: Cause::Deficit, market: Some(MarketId(0)), asset: AssetId(0), amount: Amount::new(50) };
/// let mut memory = MapMemory::default();
/// let s = memory.with(Slot(1), |m| LeastShare.allocate(At::default(), &need, &payers.as_slice(), m))?;
/// // a tenth of either
/// assert_eq!(s.measures, [
///     Measure::Haircut { payer: GroupId(1), amount: Amount::new(10) },
///     Measure::Haircut { payer: GroupId(2), amount: Amount::new(40) },
/// ]);
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeastShare;

impl LossAllocation for LeastShare {
    fn allocate(
        &self,
        _at: At,
        need: &Need,
        payers: &dyn Payers,
        _memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        let equity = |e: cofferdam_core::Amount| Weight::of(e.positive_part().get().unsigned_abs());
        by_whole_weights(Method::Jefferson, need, payers, |p, _| Ok(equity(p.equity)), |_, size, _| Ok(size))
    }
}
