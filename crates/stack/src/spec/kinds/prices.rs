//! Price policies.

use super::{PriceSpec, module};
use crate::spec::context::{ms, ppb};
use crate::{ConfigError, Context, Number, Ratio};
use cofferdam_core::{Millis, Ppb, PriceState, SourceId};
use cofferdam_oracle::{
    Against, Basis, Confidence, ConfidenceParams, Deviation, DeviationParams, Ema, Fallback, FromIndex,
    FundingBasis, FundingBasisParams, Hull, Latest, MeanBasis, Median, PricePolicy, Product, Quorum,
    RateOfChange, RateOfChangeParams, Reciprocal, StablePrice, StablePriceParams, Staleness, StalenessParams,
    StepLimit, StepLimitParams, Twap, TwapParams, Voter,
};
use serde::{Deserialize, Serialize};

type Policy = Result<Box<dyn PricePolicy>, ConfigError>;

module! {
    "cofferdam/latest@1" Price breaks [];
    /// The latest quote of one source, or of any.
    struct LatestSpec {
        /// Number of the source.
        source: Option<u32> ["source id", "whichever source has a valid quote"],
    }
}

#[typetag::serde(name = "cofferdam/latest@1")]
impl PriceSpec for LatestSpec {
    fn build(&self, _: &Context<'_>) -> Policy {
        Ok(Box::new(self.source.map_or(Latest::any(), |s| Latest::of(SourceId(s)))))
    }
}

module! {
    "cofferdam/from-index@1" Price breaks [];
    /// The index price of the same instrument, as resolved before.
    struct FromIndexSpec {}
}

#[typetag::serde(name = "cofferdam/from-index@1")]
impl PriceSpec for FromIndexSpec {
    fn build(&self, _: &Context<'_>) -> Policy {
        Ok(Box::new(FromIndex))
    }
}

/// A vote of a median.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct VoterSpec {
    #[serde(default = "one")]
    weight: u32,
    policy: Box<dyn PriceSpec>,
}

const fn one() -> u32 {
    1
}

module! {
    "cofferdam/median@1" Price breaks [];
    /// The weighted median of several policies, with a quorum.
    struct MedianSpec {
        /// 1 to 31 tables with a `policy` and a `weight` (default 1).
        voters: Vec<VoterSpec> ["list of votes"],
        /// With less weight than this there is no price.
        needed: u64 ["weight"],
        /// With less weight than this the price is thin.
        wanted: Option<u64> ["weight", "the sum of all weights"],
    }
}

#[typetag::serde(name = "cofferdam/median@1")]
impl PriceSpec for MedianSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let mut voters = Vec::with_capacity(self.voters.len());
        let mut total: u64 = 0;
        for (i, v) in self.voters.iter().enumerate() {
            let place = ctx.at(&format!("voters[{i}]"));
            if v.weight == 0 {
                return Err(place.refuse("weight", 0, "1 or more"));
            }
            total = total.saturating_add(u64::from(v.weight));
            voters.push(Voter { policy: v.policy.build(&place.at("policy"))?, weight: v.weight });
        }
        let quorum = Quorum { needed: self.needed, wanted: self.wanted.unwrap_or(total) };
        Ok(Box::new(ctx.check(self, Median::new(voters, quorum))?))
    }
}

module! {
    "cofferdam/staleness@1" Price breaks [];
    /// Worsens a price by its age.
    struct StalenessSpec {
        /// Older than this is aged.
        aged_after_ms: Option<u64> ["ms", "never"],
        /// Older than this is stale; not below `aged_after_ms`.
        stale_after_ms: Option<u64> ["ms", "never"],
        /// Published further in the future than this is invalid.
        future_tolerance_ms: Option<u64> ["ms", "0"],
        /// What is guarded.
        of: Box<dyn PriceSpec> ["price policy"],
    }
}

#[typetag::serde(name = "cofferdam/staleness@1")]
impl PriceSpec for StalenessSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let params = StalenessParams {
            aged_after: ms(self.aged_after_ms),
            stale_after: ms(self.stale_after_ms),
            future_tolerance: ms(self.future_tolerance_ms).unwrap_or_default(),
        };
        let child = self.of.build(&ctx.at("of"))?;
        Ok(Box::new(ctx.check(self, Staleness::new(child, params))?))
    }
}

module! {
    "cofferdam/confidence@1" Price breaks [];
    /// Bounds the width of a price, then scales it.
    struct ConfidenceSpec {
        /// An interval reaching further than this share of the middle is wide.
        bound: Option<Ratio> ["ratio", "no bound"],
        /// How many times its own confidence the interval reaches.
        multiple: Option<Ratio> ["ratio", "1"],
        /// What is guarded.
        of: Box<dyn PriceSpec> ["price policy"],
    }
}

#[typetag::serde(name = "cofferdam/confidence@1")]
impl PriceSpec for ConfidenceSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let params =
            ConfidenceParams { bound: ppb(self.bound), multiple: ppb(self.multiple).unwrap_or(Ppb::ONE) };
        let child = self.of.build(&ctx.at("of"))?;
        Ok(Box::new(ctx.check(self, Confidence::new(child, params))?))
    }
}

/// What a price is compared with.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum AgainstSpec {
    Index,
    Previous,
    Policy(Box<dyn PriceSpec>),
}

module! {
    "cofferdam/deviation@1" Price breaks [];
    /// Worsens a price that stands far from a reference.
    struct DeviationSpec {
        /// Farther than this share of the reference is volatile.
        bound: Ratio ["ratio"],
        /// "index", "previous" (what this rule resolved to last) or { policy = ... }.
        against: AgainstSpec ["choice"],
        /// The worst state in which the reference is compared with.
        reference_accept: Option<PriceState> ["price state", "aged"],
        /// What a price becomes at least without a reference.
        unchecked: Option<PriceState> ["price state", "good"],
        /// What is guarded.
        of: Box<dyn PriceSpec> ["price policy"],
    }
}

#[typetag::serde(name = "cofferdam/deviation@1")]
impl PriceSpec for DeviationSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let against = match &self.against {
            AgainstSpec::Index => Against::Index,
            AgainstSpec::Previous => Against::Previous,
            AgainstSpec::Policy(p) => Against::Policy(p.build(&ctx.at("against.policy"))?),
        };
        let params = DeviationParams {
            bound: self.bound.0,
            reference_accept: self.reference_accept.unwrap_or(PriceState::Aged),
            unchecked: self.unchecked.unwrap_or(PriceState::Good),
        };
        let child = self.of.build(&ctx.at("of"))?;
        Ok(Box::new(ctx.check(self, Deviation::new(child, against, params))?))
    }
}

module! {
    "cofferdam/rate-of-change@1" Price breaks [];
    /// Worsens a price that moved too far within an interval.
    struct RateOfChangeSpec {
        /// A move of more than this share within the interval is volatile.
        bound: Ratio ["ratio"],
        /// How far back it looks.
        interval_ms: u64 ["ms"],
        /// What is guarded.
        of: Box<dyn PriceSpec> ["price policy"],
    }
}

#[typetag::serde(name = "cofferdam/rate-of-change@1")]
impl PriceSpec for RateOfChangeSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let params = RateOfChangeParams { bound: self.bound.0, interval: Millis(self.interval_ms) };
        let child = self.of.build(&ctx.at("of"))?;
        Ok(Box::new(ctx.check(self, RateOfChange::new(child, params))?))
    }
}

module! {
    "cofferdam/step-limit@1" Price breaks [];
    /// Lets a price move at most one step per interval; one that lags delays liquidations.
    struct StepLimitSpec {
        /// The step, as a share of the price when the interval began.
        step: Ratio ["ratio"],
        /// Length of an interval.
        interval_ms: u64 ["ms"],
        /// What the price is at least while it lags.
        when_limited: Option<PriceState> ["price state", "good"],
        /// What is limited.
        of: Box<dyn PriceSpec> ["price policy"],
    }
}

#[typetag::serde(name = "cofferdam/step-limit@1")]
impl PriceSpec for StepLimitSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let params = StepLimitParams {
            step: self.step.0,
            interval: Millis(self.interval_ms),
            when_limited: self.when_limited.unwrap_or(PriceState::Good),
        };
        let child = self.of.build(&ctx.at("of"))?;
        Ok(Box::new(ctx.check(self, StepLimit::new(child, params))?))
    }
}

module! {
    "cofferdam/fallback@1" Price breaks [];
    /// The first policy whose price is good enough; any but the first makes it thin.
    struct FallbackSpec {
        /// 1 to 31 policies in order of preference.
        policies: Vec<Box<dyn PriceSpec>> ["list of price policies"],
        /// The worst state in which one is taken without looking further.
        accept: Option<PriceState> ["price state", "aged"],
    }
}

#[typetag::serde(name = "cofferdam/fallback@1")]
impl PriceSpec for FallbackSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let built: Result<Vec<_>, _> = (self.policies.iter().enumerate())
            .map(|(i, p)| p.build(&ctx.at(&format!("policies[{i}]"))))
            .collect();
        let accept = self.accept.unwrap_or(PriceState::Aged);
        Ok(Box::new(ctx.check(self, Fallback::new(built?, accept))?))
    }
}

module! {
    "cofferdam/ema@1" Price breaks [];
    /// An exponential average, each price weighted by how long it stood.
    struct EmaSpec {
        /// After how long a price has lost half of its weight.
        half_life_ms: u64 ["ms"],
        /// What is averaged.
        of: Box<dyn PriceSpec> ["price policy"],
    }
}

#[typetag::serde(name = "cofferdam/ema@1")]
impl PriceSpec for EmaSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let child = self.of.build(&ctx.at("of"))?;
        Ok(Box::new(ctx.check(self, Ema::new(child, Millis(self.half_life_ms)))?))
    }
}

module! {
    "cofferdam/basis@1" Price breaks [];
    /// The index plus a smoothed difference between a price and the index.
    struct BasisSpec {
        /// After how long a difference has lost half of its weight.
        half_life_ms: u64 ["ms"],
        /// Whose difference from the index is smoothed.
        of: Box<dyn PriceSpec> ["price policy"],
    }
}

#[typetag::serde(name = "cofferdam/basis@1")]
impl PriceSpec for BasisSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let child = self.of.build(&ctx.at("of"))?;
        Ok(Box::new(ctx.check(self, Basis::new(child, Millis(self.half_life_ms)))?))
    }
}

module! {
    "cofferdam/mean-basis@1" Price breaks [];
    /// The index plus the mean of the last samples of the difference between a price and the index.
    struct MeanBasisSpec {
        /// The time between two samples.
        every_ms: u64 ["ms"],
        /// How many samples, 1 to 120.
        samples: u8 ["number"],
        /// Whose difference from the index is averaged.
        of: Box<dyn PriceSpec> ["price policy"],
    }
}

#[typetag::serde(name = "cofferdam/mean-basis@1")]
impl PriceSpec for MeanBasisSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let child = self.of.build(&ctx.at("of"))?;
        Ok(Box::new(ctx.check(self, MeanBasis::new(child, Millis(self.every_ms), self.samples))?))
    }
}

module! {
    "cofferdam/funding-basis@1" Price breaks [];
    /// The index carried to the next funding at the rate of the funding interval before.
    struct FundingBasisSpec {
        /// The time between two fundings, counted from the epoch.
        interval_ms: u64 ["ms"],
        /// The interest part of a rate.
        interest: Ratio ["ratio per interval"],
        /// How far interest may pull a rate away from the premium.
        clamp: Ratio ["ratio per interval"],
        /// Bound on a rate either way.
        cap: Ratio ["ratio per interval"],
        /// Whose premium over the index makes the rate.
        of: Box<dyn PriceSpec> ["price policy"],
    }
}

#[typetag::serde(name = "cofferdam/funding-basis@1")]
impl PriceSpec for FundingBasisSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let params = FundingBasisParams {
            interval: Millis(self.interval_ms),
            interest: self.interest.0,
            clamp: self.clamp.0,
            cap: self.cap.0,
        };
        let child = self.of.build(&ctx.at("of"))?;
        Ok(Box::new(ctx.check(self, FundingBasis::new(child, params))?))
    }
}

module! {
    "cofferdam/twap@1" Price breaks [];
    /// The average of a price over a window.
    struct TwapSpec {
        /// The average covers at least this long.
        window_ms: u64 ["ms"],
        /// How many checkpoints are kept within the window, 1 to 12.
        checkpoints: Option<u8> ["number", "8"],
        /// What is averaged.
        of: Box<dyn PriceSpec> ["price policy"],
    }
}

#[typetag::serde(name = "cofferdam/twap@1")]
impl PriceSpec for TwapSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let params =
            TwapParams { window: Millis(self.window_ms), checkpoints: self.checkpoints.unwrap_or(8) };
        let child = self.of.build(&ctx.at("of"))?;
        Ok(Box::new(ctx.check(self, Twap::new(child, params))?))
    }
}

module! {
    "cofferdam/stable-price@1" Price breaks [];
    /// A price that follows another no faster than a rate, and slower the farther it is from a delayed average.
    struct StablePriceSpec {
        /// How far it moves per second at most; times `update_max_ms` below 1.
        growth: Ratio ["ratio per second"],
        /// How far the delayed average moves from one interval to the next at most, 0 to 1000.
        delay_growth: Ratio ["ratio per interval"],
        /// Length of an interval of the average, up to a day.
        interval_ms: u64 ["ms"],
        /// After how many intervals an average is used, 1 to 48.
        intervals: u8 ["number"],
        /// Sooner after the last one a price does not count.
        update_min_ms: Option<u64> ["ms", "0"],
        /// For how long a price counts at most, up to a day.
        update_max_ms: u64 ["ms"],
        /// What it follows.
        of: Box<dyn PriceSpec> ["price policy"],
    }
}

#[typetag::serde(name = "cofferdam/stable-price@1")]
impl PriceSpec for StablePriceSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let params = StablePriceParams {
            growth: self.growth.0,
            delay_growth: self.delay_growth.0,
            interval: Millis(self.interval_ms),
            intervals: self.intervals,
            update_min: ms(self.update_min_ms).unwrap_or_default(),
            update_max: Millis(self.update_max_ms),
        };
        let child = self.of.build(&ctx.at("of"))?;
        Ok(Box::new(ctx.check(self, StablePrice::new(child, params))?))
    }
}

module! {
    "cofferdam/hull@1" Price breaks [];
    /// A price whose interval reaches to another price.
    struct HullSpec {
        /// The price itself.
        of: Box<dyn PriceSpec> ["price policy"],
        /// To what its interval reaches.
        with: Box<dyn PriceSpec> ["price policy"],
    }
}

#[typetag::serde(name = "cofferdam/hull@1")]
impl PriceSpec for HullSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        Ok(Box::new(Hull::new(self.of.build(&ctx.at("of"))?, self.with.build(&ctx.at("with"))?)))
    }
}

module! {
    "cofferdam/reciprocal@1" Price breaks [];
    /// One over a price, for inverse contracts.
    struct ReciprocalSpec {
        /// The step in which the policy's own quotes come.
        of_tick: Number ["power of ten"],
        /// What is inverted.
        of: Box<dyn PriceSpec> ["price policy"],
    }
}

#[typetag::serde(name = "cofferdam/reciprocal@1")]
impl PriceSpec for ReciprocalSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        // scale = 1 / (tick of the child x tick of the result)
        let places = ctx.power_of_ten("of_tick", &self.of_tick)?.saturating_add(ctx.tick_exponent()?);
        let scale = power(places.saturating_neg()).ok_or_else(|| {
            ctx.refuse("of_tick", self.of_tick.0, "a step that times the tick is 1e-38 to 1")
        })?;
        let child = self.of.build(&ctx.at("of"))?;
        Ok(Box::new(ctx.check(self, Reciprocal::new(child, scale))?))
    }
}

module! {
    "cofferdam/product@1" Price breaks [];
    /// A price through another asset: left times right.
    struct ProductSpec {
        /// The step in which the left policy's quotes come.
        left_tick: Number ["power of ten"],
        /// The one factor.
        left: Box<dyn PriceSpec> ["price policy"],
        /// The step in which the right policy's quotes come.
        right_tick: Number ["power of ten"],
        /// The other factor.
        right: Box<dyn PriceSpec> ["price policy"],
    }
}

#[typetag::serde(name = "cofferdam/product@1")]
impl PriceSpec for ProductSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        // divisor = tick of the result / (tick of left x tick of right)
        let left = ctx.power_of_ten("left_tick", &self.left_tick)?;
        let right = ctx.power_of_ten("right_tick", &self.right_tick)?;
        let places = ctx.tick_exponent()?.saturating_sub(left).saturating_sub(right);
        let divisor = power(places).ok_or_else(|| {
            ctx.refuse("left_tick", self.left_tick.0, "steps whose product is not coarser than the tick")
        })?;
        let (left, right) = (self.left.build(&ctx.at("left"))?, self.right.build(&ctx.at("right"))?);
        Ok(Box::new(ctx.check(self, Product::new(left, right, divisor))?))
    }
}

fn power(places: i32) -> Option<i128> {
    u32::try_from(places).ok().and_then(|p| 10_i128.checked_pow(p))
}
