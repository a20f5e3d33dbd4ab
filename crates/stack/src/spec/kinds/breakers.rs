//! Circuit breakers.

use super::{BreakerSpec, module};
use crate::{ConfigError, Context, Number, Ratio};
use cofferdam_circuit_breaker::{
    BandReference, CircuitBreaker, CoolOff, Coverage, Drawdown, InsuranceDrawdown, InsuranceDrawdownParams,
    LiquidationThrottle, LiquidationThrottleParams, OpenInterestCap, OpenInterestCapParams, OracleOutage,
    OracleOutageParams, PriceBand, PriceBandParams, PriceVelocity, PriceVelocityParams, Recovery,
    ThrottleBudget, WithdrawalBaseline, WithdrawalGate, WithdrawalGateParams, WithdrawalRateLimit,
    WithdrawalRateLimitParams,
};
use cofferdam_core::{MarketId, Millis, PriceState};
use serde::{Deserialize, Serialize};

type Breaker = Result<Box<dyn CircuitBreaker>, ConfigError>;

fn market(ctx: &Context<'_>, name: Option<&String>) -> Result<Option<MarketId>, ConfigError> {
    name.map(|n| ctx.market("market", n)).transpose()
}

fn recovery(cooldown_ms: u64, expires_ms: u64) -> Recovery {
    Recovery { cooldown: Millis(cooldown_ms), expires: Millis(expires_ms) }
}

/// What a band is around.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ReferenceSpec {
    Previous,
    Average(AverageSpec),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AverageSpec {
    half_life_ms: u64,
}

module! {
    "cofferdam/price-band@1" Breaker breaks [];
    /// Blocks opening while the mark stands outside a band around a reference.
    struct PriceBandSpec {
        /// Which market.
        market: Option<String> ["name of a market", "every market, each by itself"],
        /// Half-width of the band, as a share of the reference.
        band: Ratio ["ratio"],
        /// "previous" or { average = { half_life_ms = 300000 } }.
        reference: ReferenceSpec ["choice"],
        /// How long after its last cause a trip lasts.
        cooldown_ms: u64 ["ms"],
        /// How long a trip lasts at most.
        expires_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "cofferdam/price-band@1")]
impl BreakerSpec for PriceBandSpec {
    fn build(&self, ctx: &Context<'_>) -> Breaker {
        let reference = match self.reference {
            ReferenceSpec::Previous => BandReference::Previous,
            ReferenceSpec::Average(a) => BandReference::Average { half_life: Millis(a.half_life_ms) },
        };
        if let ReferenceSpec::Average(AverageSpec { half_life_ms: 0 }) = self.reference {
            return Err(ctx.refuse("reference.average.half_life_ms", 0, "at least 1 ms"));
        }
        let params = PriceBandParams {
            market: market(ctx, self.market.as_ref())?,
            band: self.band.0,
            reference,
            recovery: recovery(self.cooldown_ms, self.expires_ms),
        };
        Ok(Box::new(ctx.check(self, PriceBand::new(params))?))
    }
}

module! {
    "cofferdam/price-velocity@1" Breaker breaks [];
    /// Blocks opening in a market whose mark moved too far within a window.
    struct PriceVelocitySpec {
        /// Which market.
        market: Option<String> ["name of a market", "every market, each by itself"],
        /// A move of more than this share trips.
        bound: Ratio ["ratio"],
        /// How far back it looks.
        window_ms: u64 ["ms"],
        /// How long after its last cause a trip lasts.
        cooldown_ms: u64 ["ms"],
        /// How long a trip lasts at most.
        expires_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "cofferdam/price-velocity@1")]
impl BreakerSpec for PriceVelocitySpec {
    fn build(&self, ctx: &Context<'_>) -> Breaker {
        let params = PriceVelocityParams {
            market: market(ctx, self.market.as_ref())?,
            bound: self.bound.0,
            window: Millis(self.window_ms),
            recovery: recovery(self.cooldown_ms, self.expires_ms),
        };
        Ok(Box::new(ctx.check(self, PriceVelocity::new(params))?))
    }
}

/// What a throttle counts together.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum CountsSpec {
    Each,
    Together,
    Market(String),
}

module! {
    "cofferdam/liquidation-throttle@1" Breaker breaks [];
    /// Paces forced closing: at most a budget within any window.
    struct LiquidationThrottleSpec {
        /// "each" (every market by itself), "together", or { market = name }.
        counts: CountsSpec ["choice"],
        /// The budget as notional.
        notional: Option<Number> ["amount of the numeraire", "`size` is the budget"],
        /// The budget as a size, where one market is counted.
        size: Option<Number> ["size in the market's base asset", "`notional` is the budget"],
        /// Length of the window.
        window_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "cofferdam/liquidation-throttle@1")]
impl BreakerSpec for LiquidationThrottleSpec {
    fn build(&self, ctx: &Context<'_>) -> Breaker {
        let coverage = match &self.counts {
            CountsSpec::Each => Coverage::Each,
            CountsSpec::Together => Coverage::Together,
            CountsSpec::Market(name) => Coverage::One(ctx.market("counts.market", name)?),
        };
        let (field, budget) = match (self.notional, self.size, coverage) {
            (Some(x), None, _) => ("notional", ThrottleBudget::Notional(ctx.quanta("notional", &x)?)),
            (None, Some(x), Coverage::One(m)) => ("size", ThrottleBudget::Lots(ctx.lots("size", m, &x)?)),
            (None, Some(x), _) => {
                return Err(ctx.refuse("size", x.0, "a size only with counts = { market = ... }"));
            }
            (both, _, _) => {
                let value = if both.is_some() { "both notional and size" } else { "no budget" };
                return Err(ctx.refuse("", value, "one of notional and size"));
            }
        };
        let params = LiquidationThrottleParams { coverage, budget, window: Millis(self.window_ms) };
        if matches!(budget, ThrottleBudget::Lots(x) if x.get() <= 0)
            || matches!(budget, ThrottleBudget::Notional(x) if x.get() <= 0)
        {
            return Err(ctx.refuse(field, "nothing", "above zero"));
        }
        Ok(Box::new(ctx.check(self, LiquidationThrottle::new(params))?))
    }
}

module! {
    "cofferdam/open-interest-cap@1" Breaker breaks [];
    /// Limits opening to what is left below a cap.
    struct OpenInterestCapSpec {
        /// Which market.
        market: String ["name of a market"],
        /// The largest open interest.
        cap: Number ["size in the market's base asset"],
        /// Once the cap was reached, opening stays closed until open interest is at most this.
        reopen: Option<Number> ["size in the market's base asset", "the cap"],
    }
}

#[typetag::serde(name = "cofferdam/open-interest-cap@1")]
impl BreakerSpec for OpenInterestCapSpec {
    fn build(&self, ctx: &Context<'_>) -> Breaker {
        let market = ctx.market("market", &self.market)?;
        let cap = ctx.lots("cap", market, &self.cap)?;
        let reopen = self.reopen.map(|x| ctx.lots("reopen", market, &x)).transpose()?.unwrap_or(cap);
        let params = OpenInterestCapParams { market, cap, reopen };
        Ok(Box::new(ctx.check(self, OpenInterestCap::new(params))?))
    }
}

module! {
    "cofferdam/withdrawal-rate-limit@1" Breaker breaks [];
    /// Rations withdrawals: a capacity that they use up and time refills.
    struct WithdrawalRateLimitSpec {
        /// Counts one asset.
        asset: Option<String> ["name of an asset", "value over all assets"],
        /// The capacity towards which time leads.
        baseline: Number ["amount of the asset, or of the numeraire"],
        /// How long an empty capacity takes to refill.
        period_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "cofferdam/withdrawal-rate-limit@1")]
impl BreakerSpec for WithdrawalRateLimitSpec {
    fn build(&self, ctx: &Context<'_>) -> Breaker {
        let baseline = match &self.asset {
            Some(name) => {
                let asset = ctx.asset("asset", name)?;
                WithdrawalBaseline::Asset(asset, ctx.amount("baseline", asset, &self.baseline)?)
            }
            None => WithdrawalBaseline::Value(ctx.quanta("baseline", &self.baseline)?),
        };
        let params = WithdrawalRateLimitParams { baseline, period: Millis(self.period_ms) };
        Ok(Box::new(ctx.check(self, WithdrawalRateLimit::new(params))?))
    }
}

module! {
    "cofferdam/withdrawal-gate@1" Breaker breaks [];
    /// Delays withdrawals after a position past bankruptcy that nobody could be found to close against.
    struct WithdrawalGateSpec {
        /// How many blocks after the last such position it opens.
        blocks: u64 ["blocks"],
        /// How long after it, at the latest.
        expires_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "cofferdam/withdrawal-gate@1")]
impl BreakerSpec for WithdrawalGateSpec {
    fn build(&self, ctx: &Context<'_>) -> Breaker {
        let params = WithdrawalGateParams { blocks: self.blocks, expires: Millis(self.expires_ms) };
        Ok(Box::new(ctx.check(self, WithdrawalGate::new(params))?))
    }
}

module! {
    "cofferdam/insurance-drawdown@1" Breaker breaks [];
    /// Blocks opening and delays withdrawals while a deficit is open and after the layers' capacity fell far.
    struct InsuranceDrawdownSpec {
        /// The share of the peak that must be gone.
        fall: Option<Ratio> ["ratio", "only an open deficit trips"],
        /// How long a peak counts; with `fall`.
        window_ms: Option<u64> ["ms", "only with fall"],
        /// How long after its last cause a trip lasts.
        cooldown_ms: u64 ["ms"],
        /// How long a trip lasts at most.
        expires_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "cofferdam/insurance-drawdown@1")]
impl BreakerSpec for InsuranceDrawdownSpec {
    fn build(&self, ctx: &Context<'_>) -> Breaker {
        let drawdown = match (self.fall, self.window_ms) {
            (Some(fall), Some(window)) => Some(Drawdown { fall: fall.0, window: Millis(window) }),
            (None, None) => None,
            (Some(_), None) => return Err(ctx.refuse("window_ms", "missing", "a window beside fall")),
            (None, Some(w)) => return Err(ctx.refuse("window_ms", w, "a window only beside fall")),
        };
        let params =
            InsuranceDrawdownParams { drawdown, recovery: recovery(self.cooldown_ms, self.expires_ms) };
        Ok(Box::new(ctx.check(self, InsuranceDrawdown::new(params))?))
    }
}

module! {
    "cofferdam/oracle-outage@1" Breaker breaks [];
    /// Blocks opening in a market from the first bad mark until a grace period after a good one.
    struct OracleOutageSpec {
        /// Which market.
        market: Option<String> ["name of a market", "every market, each by itself"],
        /// A mark in this state or a worse one trips.
        from: Option<PriceState> ["price state", "stale"],
        /// How long after the first better mark a trip lasts.
        cooldown_ms: u64 ["ms"],
        /// How long a trip lasts at most.
        expires_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "cofferdam/oracle-outage@1")]
impl BreakerSpec for OracleOutageSpec {
    fn build(&self, ctx: &Context<'_>) -> Breaker {
        let params = OracleOutageParams {
            market: market(ctx, self.market.as_ref())?,
            from: self.from.unwrap_or(PriceState::Stale),
            recovery: recovery(self.cooldown_ms, self.expires_ms),
        };
        Ok(Box::new(ctx.check(self, OracleOutage::new(params))?))
    }
}

module! {
    "cofferdam/cool-off@1" Breaker breaks [];
    /// Nobody may liquidate an account for a while after it opened, borrowed or withdrew.
    struct CoolOffSpec {
        /// How long.
        pause_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "cofferdam/cool-off@1")]
impl BreakerSpec for CoolOffSpec {
    fn build(&self, ctx: &Context<'_>) -> Breaker {
        Ok(Box::new(ctx.check(self, CoolOff::new(Millis(self.pause_ms)))?))
    }
}
