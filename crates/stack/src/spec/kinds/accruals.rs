//! Funding and interest.

use super::{AccrualSpec, CurveSpec, module};
use crate::{ConfigError, Context, Ratio, Subject};
use cofferdam_core::{Millis, PriceState};
use cofferdam_market::{
    Accrual, InterestCurve, KinkedRate, KinkedRateParams, LendingInterest, PremiumFunding,
    PremiumFundingParams,
};

module! {
    "cofferdam/premium-funding@1" Accrual breaks [];
    /// Funding from the premium of the mark over the index, charged continuously.
    struct PremiumFundingSpec {
        /// The time that the rates are for.
        interval_ms: u64 ["ms"],
        /// The interest part per interval.
        interest: Ratio ["ratio per interval"],
        /// How far interest may pull the rate away from the premium.
        clamp: Ratio ["ratio per interval"],
        /// Bound on the rate either way.
        cap: Ratio ["ratio per interval"],
        /// The worst state of mark and index that still moves funding.
        worst_state: Option<PriceState> ["price state", "volatile"],
    }
}

#[typetag::serde(name = "cofferdam/premium-funding@1")]
impl AccrualSpec for PremiumFundingSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn Accrual>, ConfigError> {
        if !matches!(ctx.subject(), Subject::Market(_)) {
            return Err(ctx.refuse("kind", "funding on a pool", "a rule for a lending pool"));
        }
        let params = PremiumFundingParams {
            interval: Millis(self.interval_ms),
            interest: self.interest.0,
            clamp: self.clamp.0,
            cap: self.cap.0,
            worst_state: self.worst_state.unwrap_or(PriceState::Volatile),
        };
        Ok(Box::new(ctx.check(self, PremiumFunding::new(params))?))
    }
}

module! {
    "cofferdam/lending-interest@1" Accrual breaks [];
    /// Interest of a lent asset at the rate of its utilisation.
    struct LendingInterestSpec {
        /// How the rate follows utilisation.
        curve: Box<dyn CurveSpec> ["interest curve"],
    }
}

#[typetag::serde(name = "cofferdam/lending-interest@1")]
impl AccrualSpec for LendingInterestSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn Accrual>, ConfigError> {
        let Subject::Pool(pool) = ctx.subject() else {
            return Err(ctx.refuse("kind", "interest on a market", "a rule for a market"));
        };
        ctx.lent_asset("kind", pool)?;
        Ok(Box::new(LendingInterest::new(self.curve.build(&ctx.at("curve"))?)))
    }
}

module! {
    "cofferdam/kinked-rate@1" Curve breaks [];
    /// A rate that bends upwards at a utilisation.
    struct KinkedRateSpec {
        /// Rate at no utilisation.
        base: Ratio ["ratio per year"],
        /// What the rate has gained by the kink.
        slope_below: Ratio ["ratio per year"],
        /// What it gains from the kink to full utilisation.
        slope_above: Ratio ["ratio per year"],
        /// The utilisation at which it bends.
        kink: Ratio ["ratio"],
    }
}

#[typetag::serde(name = "cofferdam/kinked-rate@1")]
impl CurveSpec for KinkedRateSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn InterestCurve>, ConfigError> {
        let params = KinkedRateParams {
            base: self.base.0,
            slope_below: self.slope_below.0,
            slope_above: self.slope_above.0,
            kink: self.kink.0,
        };
        Ok(Box::new(ctx.check(self, KinkedRate::new(params))?))
    }
}
