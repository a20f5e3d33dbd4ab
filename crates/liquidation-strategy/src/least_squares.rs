//! The smallest haircuts in squares: the projection that was published as vector mirror descent.

use crate::apportion::Method;
use crate::weight::{Weight, by_whole_weights};
use crate::{LiquidationError, LossAllocation, Need, Payers, Settlement};
use cofferdam_core::{At, Memory};

/// The haircuts h in \[0, 1\] with the smallest sum of squares that cover the need: the point of { h : sum w h = B } that is nearest to nobody
/// paying. There h = min(1, s w), so what is taken grows with the square of the size: of a deficit w is the gain, of a close-out
/// the lots, each winner's at most.
///
/// Source: T. Chitra et al., Autodeleveraging as Online Learning, arXiv:2602.15182: the benchmark called vector mirror descent is this one
/// projection per coin, with w = contracts x gap per contract and nothing learned from the waves before.
///
/// Whole units by Adams' method (INV-27). Breaks order preservation (INV-28): the largest gains give up the largest parts. An account that
/// splits in two pays less.
///
/// ```
/// use cofferdam_core::{Amount, AssetId, At, GroupId, Lots, MapMemory, MarketId, Quanta, Slot};
/// use cofferdam_liquidation_strategy::*;
/// let payer = |group, gain: i128| Payer {
///     group: GroupId(group), lots: Lots::new(-10), gain: Amount::new(gain), equity: Amount::new(500),
///     notional: Quanta::new(1_000), cost: Quanta::new(-1_000), room: Amount::new(gain), maintenance: Amount::ZERO,
/// };
/// let payers = [payer(1, 30), payer(2, 60)];
/// let need = Need { cause: Cause::Deficit, market: Some(MarketId(0)), asset: AssetId(0), amount: Amount::new(50) };
/// let mut memory = MapMemory::default();
/// let s = memory.with(Slot(1), |m| LeastSquares.allocate(At::default(), &need, &payers.as_slice(), m))?;
/// // h = 1/3 and 2/3
/// assert_eq!(s.measures, [
///     Measure::Haircut { payer: GroupId(1), amount: Amount::new(10) },
///     Measure::Haircut { payer: GroupId(2), amount: Amount::new(40) },
/// ]);
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeastSquares;

impl LossAllocation for LeastSquares {
    fn allocate(
        &self,
        _at: At,
        need: &Need,
        payers: &dyn Payers,
        _memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        let square = |size| Ok(Weight::of(size).times(Weight::of(size)));
        by_whole_weights(Method::Adams, need, payers, |_, size| square(size), |_, size, _| Ok(size))
    }
}
