//! Pro-rata with a ceiling: nobody gives up more than a stated part of its gain, nor sinks below a stated equity
//! (T. Chitra, arXiv:2512.01112, capped pro-rata by water-filling).

use crate::terms::accept;
use crate::weight::{Weight, by_weights};
use crate::{LiquidationError, LossAllocation, Need, Payer, Payers, Settlement};
use cofferdam_core::{At, MathError, Memory, Ppb, Rounding};

/// The most that one need may take from a payer.
///
/// ```
/// use cofferdam_core::Ppb;
/// use cofferdam_liquidation_strategy::HaircutCaps;
/// assert!(HaircutCaps::new(Ppb(500_000_000), Ppb(1_500_000_000)).is_ok()); // half of a gain; 1.5 x maintenance stays
/// assert!(HaircutCaps::new(Ppb(0), Ppb(0)).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HaircutCaps {
    part: Ppb,
    equity_floor: Ppb,
}

impl HaircutCaps {
    /// No cap but the contract's own: the whole gain, and no floor.
    pub const NONE: Self = Self { part: Ppb::ONE, equity_floor: Ppb::ZERO };

    /// `part` of a gain (or of the lots) at most, above 0 to 1 in parts per billion; and so much that equity stays at
    /// `equity_floor` times the group's maintenance margin, 0 to 1000 in parts per billion. The floor counts for cash only.
    pub fn new(part: Ppb, equity_floor: Ppb) -> Result<Self, LiquidationError> {
        accept(
            (1..=Ppb::ONE.0).contains(&part.0),
            "part",
            part.0.into(),
            "1 to 1000000000 parts per billion",
        )?;
        let most = 1_000_000_000_000;
        let accepted = "0 to 1000000000000 parts per billion of maintenance";
        accept((0..=most).contains(&equity_floor.0), "equity_floor", equity_floor.0.into(), accepted)?;
        Ok(Self { part, equity_floor })
    }

    /// min(part x size, equity - floor x maintenance), rounded down: the payer gains.
    pub(crate) fn cap(self, p: &Payer, size: u128, cash: bool) -> Result<u128, MathError> {
        let size = i128::try_from(size).map_err(|_| MathError::Overflow)?;
        let mut most = self.part.of_units(size, Rounding::Down)?;
        if cash && self.equity_floor.0 > 0 {
            let floor = self.equity_floor.of_units(p.maintenance.get().max(0), Rounding::Up)?;
            most = most.min(p.equity.get().checked_sub(floor).ok_or(MathError::Overflow)?);
        }
        Ok(most.max(0).unsigned_abs())
    }
}

/// Every winner gives up the same part of its gain, min(eta, its cap), with the level eta at which the need is covered: exact, by
/// sorting caps once, in O(n log n). A close-out likewise over lots of winners of the other side. What all caps leave
/// is the residual.
///
/// The caps are of one need: a second need starts again from the gain that is left.
///
/// ```
/// use cofferdam_core::{Amount, AssetId, At, GroupId, Lots, MapMemory, MarketId, Ppb, Quanta, Slot};
/// use cofferdam_liquidation_strategy::*;
/// let payer = |group, gain: i128, equity: i128| Payer {
///     group: GroupId(group), lots: Lots::new(-10), gain: Amount::new(gain), equity: Amount::new(equity),
///     notional: Quanta::new(1_000), cost: Quanta::new(-1_000), room: Amount::new(gain), maintenance: Amount::new(50),
/// };
/// let payers = [payer(1, 100, 200), payer(2, 100, 60), payer(3, 200, 900)];
/// let need = |x| Need { cause: Cause::Deficit, market: Some(MarketId(0)), asset: AssetId(0), amount: Amount::new(x) };
/// // half of a gain at most, and equity stays at maintenance: 50, 10 and 100
/// let policy = CappedProRata::new(HaircutCaps::new(Ppb(500_000_000), Ppb::ONE)?);
/// let mut memory = MapMemory::default();
/// let s = memory.with(Slot(1), |m| policy.allocate(At::default(), &need(70), &payers.as_slice(), m))?;
/// assert_eq!(s.measures, [
///     Measure::Haircut { payer: GroupId(1), amount: Amount::new(20) },
///     Measure::Haircut { payer: GroupId(2), amount: Amount::new(10) },
///     Measure::Haircut { payer: GroupId(3), amount: Amount::new(40) },
/// ]);
/// let s = memory.with(Slot(1), |m| policy.allocate(At::default(), &need(300), &payers.as_slice(), m))?;
/// assert_eq!(s.residual, 300 - 160);
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CappedProRata {
    caps: HaircutCaps,
}

impl CappedProRata {
    /// With these caps.
    #[must_use]
    pub const fn new(caps: HaircutCaps) -> Self {
        Self { caps }
    }
}

impl LossAllocation for CappedProRata {
    fn allocate(
        &self,
        _at: At,
        need: &Need,
        payers: &dyn Payers,
        _memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        by_weights(need, payers, |_| Ok(Weight::of(1)), |p, size, cash| self.caps.cap(p, size, cash))
    }
}
