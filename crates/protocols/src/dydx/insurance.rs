//! A fill whose loss the insurance fund cannot pay is not made.

use super::price::bankruptcy_quote;
use cofferdam_core::{Case, Level, Lots, MarketId, Quanta, Ticks};
use cofferdam_liquidation_strategy::{FillGuard, LiquidationError};
use cofferdam_stack::{ConfigError, Context, GuardSpec, Number, module};

/// Accepts a fill that closes lots of an account below maintenance only if insurance could pay what the price falls short of the
/// lots' bankruptcy price, and that is no more than the venue lets one account cost it per block.
///
/// It is stricter than `cofferdam/insurance-cover@1`, which asks for what the account as a whole would owe: here lots that are
/// sold below their own share ask at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InsuranceDelta {
    /// The most that insurance pays for one fill, in quanta.
    pub lost_max: Quanta,
}

impl FillGuard for InsuranceDelta {
    fn accept(
        &self,
        case: &Case<'_>,
        id: MarketId,
        lots: Lots,
        price: Ticks,
        cover: Quanta,
    ) -> Result<bool, LiquidationError> {
        let held = case.group.position(id).map_or(Lots::ZERO, |p| p.lots);
        let reduces = lots.signum() == held.signum().wrapping_neg() && lots.try_abs()? <= held.try_abs()?;
        if !case.health.below(Level::Maintenance) || !reduces || lots.is_zero() {
            return Ok(true);
        }
        let view = case.world.market(id);
        let view = view.ok_or(LiquidationError::NoPrice(cofferdam_core::Instrument::Market(id)))?;
        let quote = view.scale.notional(lots.try_neg()?, price)?;
        let delta = quote.try_sub(bankruptcy_quote(case, id, lots)?)?;
        let lost = delta.try_neg()?.positive_part();
        Ok(lost <= cover && lost <= self.lost_max)
    }
}

module! {
    "dydx/insurance-delta@1" Guard breaks [];
    /// Refuses a fill below the bankruptcy price of the lots it closes that insurance could not make up for.
    struct InsuranceDeltaSpec {
        /// The most that insurance pays for one account per block.
        lost_max: Number ["amount of the numeraire"],
    }
}

#[typetag::serde(name = "dydx/insurance-delta@1")]
impl GuardSpec for InsuranceDeltaSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn FillGuard>, ConfigError> {
        let lost_max = ctx.quanta("lost_max", &self.lost_max)?;
        if lost_max.get() <= 0 {
            let accepted = "above zero (SubaccountBlockLimits.Validate)";
            return Err(ctx.refuse("lost_max", self.lost_max.0, accepted));
        }
        super::tier::one_asset(ctx)?;
        Ok(Box::new(InsuranceDelta { lost_max }))
    }
}
