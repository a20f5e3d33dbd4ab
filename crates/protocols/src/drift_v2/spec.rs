//! The spec of a liquidation on Drift's terms.

use super::{LiquidatePerp, MarketUnits, Ramp};
use cofferdam_core::{Millis, Ppb};
use cofferdam_liquidation_strategy::LiquidationStrategy;
use cofferdam_stack::{ConfigError, Context, LiquidationSpec, Ratio, module};

module! {
    "drift/liquidate-perp@1" Liquidation breaks [
        17 "a liquidation that has begun goes on above maintenance, until the buffer is reached",
        19 "a position of at most 50 of quote is taken whole"
    ];
    /// Drift v2: liquidators take over what covers the shortage, paced by time, at the mark less a growing fee.
    struct LiquidatePerpSpec {
        /// What a liquidator gains, as a share of what it takes.
        fee: Ratio ["ratio in millionths"],
        /// What it gains at most, after ten minutes without a solution.
        fee_max: Option<Ratio> ["ratio in millionths", "three times the fee"],
        /// The most that the insurance fund takes.
        insurance_fee: Option<Ratio> ["ratio in millionths", "0"],
        /// What is covered above maintenance; as `liquidation_buffer` of the margin model.
        buffer: Option<Ratio> ["ratio in basis points", "0.02"],
        /// The part of the shortage that may be freed at once.
        initial_share: Option<Ratio> ["ratio in basis points", "0"],
        /// How many slots until all of it may; 0 for at once.
        duration_slots: Option<u64> ["slots", "0"],
        /// How long a slot is.
        slot_ms: Option<u64> ["ms", "400"],
        /// What liquidators leave is offered as orders from so long after the liquidation began.
        orders_after_ms: Option<u64> ["ms", "liquidators only"],
        /// How long an order stands.
        ttl_ms: Option<u64> ["ms", "60000"],
        /// Who answers bids that are not for lots.
        others: Option<Box<dyn LiquidationSpec>> ["liquidation", "nobody"],
    }
}

/// A ratio as a whole number of steps of so many parts per billion.
fn steps(ctx: &Context<'_>, field: &str, x: Ppb, step: i64, unit: &str) -> Result<u32, ConfigError> {
    let whole = x.0.checked_rem(step) == Some(0) && x >= Ppb::ZERO && x <= Ppb::ONE;
    let count = x.0.checked_div(step).and_then(|n| u32::try_from(n).ok()).filter(|_| whole);
    count.ok_or_else(|| ctx.refuse(field, x, format!("a share of at most 1 in whole {unit}")))
}

fn power(exponent: i32) -> Option<u64> {
    u32::try_from(exponent).ok().and_then(|e| 10_u64.checked_pow(e))
}

impl LiquidatePerpSpec {
    fn terms(&self, ctx: &Context<'_>) -> Result<Ramp, ConfigError> {
        let fee = steps(ctx, "fee", self.fee.0, 1_000, "millionths")?;
        let fee_max = self.fee_max.map(|r| steps(ctx, "fee_max", r.0, 1_000, "millionths")).transpose()?;
        let insurance = self.insurance_fee.map_or(Ppb::ZERO, |r| r.0);
        let basis = |field, x: Option<Ratio>, default| {
            steps(ctx, field, x.map_or(Ppb(default), |r| r.0), 100_000, "basis points")
        };
        Ok(Ramp {
            fee,
            fee_max: fee_max.unwrap_or_else(|| fee.saturating_mul(3)), // a fee is at most 1e6
            insurance_fee: steps(ctx, "insurance_fee", insurance, 1_000, "millionths")?,
            buffer: basis("buffer", self.buffer, 20_000_000)?,
            initial: basis("initial_share", self.initial_share, 0)?,
            duration: self.duration_slots.unwrap_or(0),
            slot: Millis(self.slot_ms.unwrap_or(400)),
            orders_after: self.orders_after_ms.map(Millis),
            ttl: Millis(self.ttl_ms.unwrap_or(60_000)),
        })
    }

    fn markets(ctx: &Context<'_>) -> Result<Vec<MarketUnits>, ConfigError> {
        let mut all = Vec::new();
        for (id, name) in (0_u32..).zip(ctx.names().markets()) {
            let market = cofferdam_core::MarketId(id);
            let terms = ctx.market_terms("", market)?;
            let asset = ctx.asset_terms("", terms.settlement)?;
            let units = (
                power(terms.lot_exponent.saturating_add(9)),
                power(terms.tick_exponent.saturating_add(6)),
                power(i32::from(asset.scale.quantum_exponent).saturating_add(6).saturating_neg()),
            );
            let (Some(lot), Some(tick), Some(quanta), true) = (units.0, units.1, units.2, asset.numeraire)
            else {
                let accepted = "lots of 1e-9 or more, ticks of 1e-6 or more, quanta of 1e-6 or less, settled in the numeraire";
                return Err(ctx.refuse("", format!("market \"{name}\""), accepted));
            };
            all.push(MarketUnits { market, settlement: terms.settlement, lot, tick, quanta });
        }
        Ok(all)
    }
}

#[typetag::serde(name = "drift/liquidate-perp@1")]
impl LiquidationSpec for LiquidatePerpSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn LiquidationStrategy>, ConfigError> {
        let others = self.others.as_ref().map(|s| s.build(&ctx.at("others"))).transpose()?;
        let built = LiquidatePerp::new(self.terms(ctx)?, Self::markets(ctx)?, others);
        Ok(Box::new(ctx.check(self, built)?))
    }
}
