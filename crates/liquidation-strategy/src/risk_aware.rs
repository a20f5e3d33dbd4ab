//! Pro-rata by risk: who would be the next to fail gives up more (T. Chitra, arXiv:2512.01112, RAP, section on risk-aware pro-rata
//! and the algorithm "weighted water-filling").

use crate::terms::accept;
use crate::weight::{WITHOUT_EQUITY, Weight, by_weights, leverage};
use crate::{HaircutCaps, LiquidationError, LossAllocation, Need, Payer, Payers, Settlement};
use cofferdam_core::{At, MathError, Memory, Ppb, wide::U256};

/// g in the weight lambda x g(lambda) of one unit of gain, where lambda is notional over equity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RiskWeight {
    /// g = lambda.
    Linear,
    /// g = lambda^c.
    Power(u32),
    /// g = max(lambda - above, 0): who is at or below the threshold pays nothing.
    Tail {
        /// The threshold: a leverage in parts per billion.
        above: Ppb,
        /// One quantum of notional is worth 10^this atoms of equity.
        quantum: i8,
    },
}

/// Haircuts h = min(cap, tau x lambda x g(lambda)) with the level tau at which the need is covered, exact, by sorting caps over
/// weights once, in O(n log n). A close-out likewise over lots of winners of the other side. What all caps leave, and what only payers
/// of no weight could pay, is the residual. Without equity leverage is more than anybody's with equity.
///
/// Weights are right to one part in 2^120; units follow from them exactly (Adams' method).
///
/// ```
/// use cofferdam_core::{Amount, AssetId, At, GroupId, Lots, MapMemory, MarketId, Quanta, Slot};
/// use cofferdam_liquidation_strategy::*;
/// let payer = |group, equity: i128| Payer {
///     group: GroupId(group), lots: Lots::new(-10), gain: Amount::new(100), equity: Amount::new(equity),
///     notional: Quanta::new(1_000), cost: Quanta::new(-1_000), room: Amount::new(100), maintenance: Amount::ZERO,
/// };
/// let payers = [payer(1, 500), payer(2, 250)]; // leverage 2 and 4: weights 4 and 16
/// let need = Need { cause: Cause::Deficit, market: Some(MarketId(0)), asset: AssetId(0), amount: Amount::new(50) };
/// let policy = RiskAware::new(RiskWeight::Linear, HaircutCaps::NONE)?;
/// let s = MapMemory::default().with(Slot(1), |m| policy.allocate(At::default(), &need, &payers.as_slice(), m))?;
/// assert_eq!(s.measures, [
///     Measure::Haircut { payer: GroupId(1), amount: Amount::new(10) },
///     Measure::Haircut { payer: GroupId(2), amount: Amount::new(40) },
/// ]);
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RiskAware {
    weight: RiskWeight,
    caps: HaircutCaps,
}

impl RiskAware {
    /// A power is 1 to 8; a threshold is above zero and at most 1000, its quantum 10^-18 to 10^18 atoms.
    pub fn new(weight: RiskWeight, caps: HaircutCaps) -> Result<Self, LiquidationError> {
        match weight {
            RiskWeight::Linear => {}
            RiskWeight::Power(c) => accept((1..=8).contains(&c), "power", c.into(), "1 to 8")?,
            RiskWeight::Tail { above, quantum } => {
                let accepted = "1 to 1000000000000 parts per billion";
                accept((1..=1_000_000_000_000).contains(&above.0), "above", above.0.into(), accepted)?;
                accept((-18..=18).contains(&quantum), "quantum", quantum.into(), "-18 to 18")?;
            }
        }
        Ok(Self { weight, caps })
    }

    fn rate(self, p: &Payer) -> Result<Weight, MathError> {
        let lambda = leverage(p)?;
        match self.weight {
            RiskWeight::Linear => Ok(lambda.power(2)),
            RiskWeight::Power(c) => Ok(lambda.power(c.saturating_add(1))), // at most 9
            RiskWeight::Tail { above, quantum } => Ok(lambda.times(excess(p, above, quantum)?)),
        }
    }
}

/// max(notional - above x equity, 0) over equity, up to the factor that is common to all payers. The difference is exact.
fn excess(p: &Payer, above: Ppb, quantum: i8) -> Result<Weight, MathError> {
    let equity = p.equity.positive_part().get().unsigned_abs();
    if equity == 0 {
        return Ok(WITHOUT_EQUITY.power(2)); // above every difference, in any unit
    }
    let ten = 10_u128.pow(quantum.unsigned_abs().min(18).into());
    let (up, down) = if quantum < 0 { (1, ten) } else { (ten, 1) };
    // below 2^90, and above is at most 2^40
    let scale = Ppb::ONE.0.unsigned_abs();
    let notional = U256::product(p.notional.get().unsigned_abs(), u128::from(scale).saturating_mul(up));
    let threshold = U256::product(equity, u128::from(above.0.unsigned_abs()).saturating_mul(down));
    match notional.checked_sub(threshold) {
        Some(x) => Weight::of_wide(x).over(Weight::of(equity)),
        None => Ok(Weight::ZERO),
    }
}

impl LossAllocation for RiskAware {
    fn allocate(
        &self,
        _at: At,
        need: &Need,
        payers: &dyn Payers,
        _memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        by_weights(need, payers, |p| self.rate(p), |p, size, cash| self.caps.cap(p, size, cash))
    }
}
