//! Closing everything for a fee that does not depend on the position: a multiple of what settling a price costs.
//!
//! Source: `_accumulateLiquidationFee` of packages/core/contracts/libs/VersionLib.sol; the bound of the multiple is that of
//! types/RiskParameter.sol.

use super::{times, within};
use cofferdam_core::{MathError, Millis, Quanta, Rounding, wide};
use cofferdam_liquidation_strategy::{LiquidationStrategy, Penalty, PoolClose};
use cofferdam_stack::{ConfigError, Context, LiquidationSpec, Number, module};

/// 1e-6, the unit of the venue's numbers.
const UNIT: i128 = 1_000_000;

/// Settlement fee x multiple in 1e-6, rounded down as on the venue.
///
/// # Errors
///
/// Beyond the widths.
pub fn liquidation_fee(settlement: Quanta, multiple: i128) -> Result<Quanta, MathError> {
    within(wide::div(times(settlement.get(), multiple)?, UNIT, Rounding::Down)?)
}

module! {
    "perennial/close@1" Liquidation breaks [19 "a full close takes more than the account needed to be healthy again"];
    /// Perennial v2: every position at once against the makers' pool, for a multiple of the settlement fee.
    struct CloseSpec {
        /// Which pool.
        pool: String ["name of a pool"],
        /// What settling a price costs, which the venue's oracle says each time.
        settlement_fee: Number ["amount of the settlement asset"],
        /// The venue's `liquidationFee`, in steps of 1e-6.
        liquidation_fee: Number ["number"],
        /// When what was not taken is tried again.
        pause_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "perennial/close@1")]
impl LiquidationSpec for CloseSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn LiquidationStrategy>, ConfigError> {
        let accepted = "0 to 4294.967295 (32 bits on the venue) in steps of 0.000001";
        let multiple = self.liquidation_fee.0.to_units(-6).ok().filter(|m| (0..1 << 32).contains(m));
        let multiple =
            multiple.ok_or_else(|| ctx.refuse("liquidation_fee", self.liquidation_fee.0, accepted))?;
        let settlement = ctx.quanta("settlement_fee", &self.settlement_fee)?;
        if settlement.is_negative() {
            return Err(ctx.refuse("settlement_fee", self.settlement_fee.0, "0 or more"));
        }
        let fixed = liquidation_fee(settlement, multiple)
            .map_err(|_| ctx.refuse("settlement_fee", self.settlement_fee.0, "a fee within the widths"))?;
        let penalty = Penalty { fixed, ..Penalty::default() };
        let built = PoolClose::new(ctx.pool("pool", &self.pool)?, penalty, Millis(self.pause_ms));
        Ok(Box::new(ctx.check(self, built)?))
    }
}
