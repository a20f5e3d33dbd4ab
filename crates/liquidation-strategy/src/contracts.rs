//! Whole contracts by largest remainder, as published (T. Chitra, arXiv:2512.01112, contract pro-rata; T. Chitra and others,
//! Autodeleveraging as Online Learning, arXiv:2602.15182, "integer pro-rata").

use crate::allocation::{close_out, collect, deficit};
use crate::socialise::untouched;
use crate::{Cause, LiquidationError, LossAllocation, Need, Payer, Payers, Settlement};
use alloc::vec::Vec;
use cofferdam_core::{At, MathError, Memory, wide::U256};
use core::cmp::Reverse;

/// By what contracts are shared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ContractWeight {
    /// Lots held.
    #[default]
    Lots,
    /// Unrealised gain.
    Gain,
}

/// A close-out of Q lots: k = floor(Q x weight / sum of weights), at most the lots held; then one lot each, by largest remainder, ties by
/// group, until Q is reached. What caps cut off beyond that round stays a residual. Only winners of the other side
/// are closed; a deficit in cash is left as it is.
///
/// Here for comparison with what was published. It breaks monotony (INV-28): closing one lot more can close one lot less of somebody
/// (the Alabama paradox); [`crate::ProRataAllocation`] closes by Adams' method, which does not.
///
/// ```
/// use cofferdam_core::{Amount, AssetId, At, GroupId, Lots, MapMemory, MarketId, Quanta, Slot, Ticks};
/// use cofferdam_liquidation_strategy::*;
/// let payer = |group, lots: i64| Payer {
///     group: GroupId(group), lots: Lots::new(-lots), gain: Amount::new(50), equity: Amount::new(100),
///     notional: Quanta::new(1_000), cost: Quanta::new(-1_050), room: Amount::new(50), maintenance: Amount::ZERO,
/// };
/// let payers = [payer(1, 6), payer(2, 6), payer(3, 2)];
/// let closes = |lots| {
///     let cause = Cause::CloseOut { of: GroupId(9), lots: Lots::new(lots), price: Ticks::new(100) };
///     let need = Need { cause, market: Some(MarketId(0)), asset: AssetId(0), amount: Amount::ZERO };
///     let policy = ContractProRata::new(ContractWeight::Lots);
///     let s = MapMemory::default().with(Slot(1), |m| policy.allocate(At::default(), &need, &payers.as_slice(), m))?;
///     let lots = |m: &Measure| if let Measure::Close { lots, .. } = m { lots.get() } else { 0 };
///     Ok::<_, LiquidationError>(s.measures.iter().map(lots).collect::<Vec<_>>())
/// };
/// assert_eq!(closes(10)?, [4, 4, 2]);
/// assert_eq!(closes(11)?, [5, 5, 1]); // one lot more to close, and the third closes one less
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContractProRata {
    weight: ContractWeight,
}

impl ContractProRata {
    /// The rule by a weight.
    #[must_use]
    pub const fn new(weight: ContractWeight) -> Self {
        Self { weight }
    }

    fn weight(self, p: &Payer) -> u128 {
        match self.weight {
            ContractWeight::Lots => p.lots.get().unsigned_abs().into(),
            ContractWeight::Gain => p.gain.positive_part().get().unsigned_abs(),
        }
    }
}

impl LossAllocation for ContractProRata {
    fn allocate(
        &self,
        _at: At,
        need: &Need,
        payers: &dyn Payers,
        _memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        let Cause::CloseOut { .. } = need.cause else {
            return if need.cause == Cause::Deficit {
                deficit(need).map(|_| untouched(need))
            } else {
                Ok(untouched(need))
            };
        };
        let out = close_out(need)?;
        let winners = collect(payers, |p| out.takes(p) && p.gain.get() > 0);
        let mut sum: u128 = 0;
        for p in &winners {
            sum = sum.checked_add(self.weight(p)).ok_or(MathError::Overflow)?;
        }
        let (mut left, mut ideal) = (out.size, Vec::with_capacity(winners.len()));
        for (index, p) in winners.iter().enumerate() {
            let held = u128::from(p.lots.get().unsigned_abs());
            let (quotient, remainder) = U256::product(out.size, self.weight(p)).div_rem(sum)?;
            let size = quotient.min(held);
            left = left.checked_sub(size).ok_or(MathError::Overflow)?;
            ideal.push((Reverse(remainder), p.group, index, size, held));
        }
        ideal.sort_unstable();
        for (_, _, _, size, held) in ideal.iter_mut().filter(|i| i.3 < i.4) {
            if left == 0 {
                break;
            }
            *size = size.saturating_add(1).min(*held); // below the lots held
            left = left.saturating_sub(1); // above zero here
        }
        ideal.sort_unstable_by_key(|i| i.2);
        let mut measures = Vec::new();
        for (p, i) in winners.iter().zip(&ideal).filter(|(_, i)| i.3 > 0) {
            measures.push(out.measure(p, i.3)?);
        }
        out.settled(measures, left)
    }
}
