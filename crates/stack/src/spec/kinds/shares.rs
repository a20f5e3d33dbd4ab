//! Who pays what is left, by shares; and how much of it is asked for now.

use super::{AllocationSpec, module};
use crate::{ConfigError, Context, Ratio};
use cofferdam_core::{Millis, Ppb};
use cofferdam_liquidation_strategy::{
    CappedProRata, ContractProRata, ContractWeight, HaircutCaps, LeastShare, LeastSquares, LevelLeverage,
    LeveredProRata, LiquidationError, LossAllocation, RiskAware, RiskWeight, Severity, SeverityRule,
};
use serde::{Deserialize, Serialize};

type Policy = Result<Box<dyn LossAllocation>, ConfigError>;

fn caps(part: Option<Ratio>, equity_floor: Option<Ratio>) -> Result<HaircutCaps, LiquidationError> {
    HaircutCaps::new(part.map_or(Ppb::ONE, |r| r.0), equity_floor.map_or(Ppb::ZERO, |r| r.0))
}

module! {
    "cofferdam/levered-pro-rata@1" Allocation breaks [28 "who gained more with more leverage can end below who gained less"];
    /// Winners pay in proportion to gain x leverage.
    struct LeveredProRataSpec {}
}

#[typetag::serde(name = "cofferdam/levered-pro-rata@1")]
impl AllocationSpec for LeveredProRataSpec {
    fn build(&self, _: &Context<'_>) -> Policy {
        Ok(Box::new(LeveredProRata))
    }
}

module! {
    "cofferdam/capped-pro-rata@1" Allocation breaks [28 "a floor on equity spares who stands near it, whatever it gained"];
    /// Winners give up the same part of their gain, nobody more than a stated part.
    struct CappedProRataSpec {
        /// The largest part of a gain, or of lots, that one need takes: above 0 to 1.
        part: Option<Ratio> ["ratio", "1"],
        /// Equity that stays, as a multiple of the group's maintenance margin: 0 to 1000.
        equity_floor: Option<Ratio> ["ratio", "0"],
    }
}

#[typetag::serde(name = "cofferdam/capped-pro-rata@1")]
impl AllocationSpec for CappedProRataSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        Ok(Box::new(CappedProRata::new(ctx.check(self, caps(self.part, self.equity_floor))?)))
    }
}

module! {
    "cofferdam/least-squares@1" Allocation breaks [28 "the largest gains give up the largest parts"];
    /// Winners pay by the smallest haircuts in squares: part of a gain in proportion to the gain.
    struct LeastSquaresSpec {}
}

#[typetag::serde(name = "cofferdam/least-squares@1")]
impl AllocationSpec for LeastSquaresSpec {
    fn build(&self, _: &Context<'_>) -> Policy {
        Ok(Box::new(LeastSquares))
    }
}

module! {
    "cofferdam/least-share@1" Allocation breaks [28 "who pays depends on equity, not on what was gained"];
    /// Winners pay so that the largest share of anyone's equity is as small as it can be.
    struct LeastShareSpec {}
}

#[typetag::serde(name = "cofferdam/least-share@1")]
impl AllocationSpec for LeastShareSpec {
    fn build(&self, _: &Context<'_>) -> Policy {
        Ok(Box::new(LeastShare))
    }
}

/// How leverage becomes weight.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RiskName {
    Linear,
    Power(u32),
    Tail(Ratio),
}

module! {
    "cofferdam/risk-aware@1" Allocation breaks [28 "who gained more with more leverage can end below who gained less"];
    /// Winners pay by gain x leverage x g(leverage), under caps.
    struct RiskAwareSpec {
        /// g: "linear", { power = c } with c from 1 to 8, or { tail = "9" }: leverage above this threshold, up to 1000. A threshold needs
        /// markets that settle in the numeraire.
        weight: RiskName ["choice"],
        /// The largest part of a gain, or of lots, that one need takes: above 0 to 1.
        part: Option<Ratio> ["ratio", "1"],
        /// Equity that stays, as a multiple of the group's maintenance margin: 0 to 1000.
        equity_floor: Option<Ratio> ["ratio", "0"],
    }
}

/// A quantum in atoms of the numeraire, as a power of ten. Leverage itself is a number only where notional and equity are in one unit.
fn quantum(ctx: &Context<'_>) -> Result<i8, ConfigError> {
    let mut found = 0;
    for name in ctx.names().markets() {
        let market = ctx.market_terms("weight", ctx.market("weight", name)?)?;
        let asset = ctx.asset_terms("weight", market.settlement)?;
        if !asset.numeraire {
            let value = format!("a threshold of leverage, and \"{name}\" settles in \"{}\"", asset.name);
            return Err(ctx.refuse("weight", value, "a threshold where all markets settle in the numeraire"));
        }
        let decimals = i8::try_from(asset.scale.decimals).unwrap_or(i8::MAX);
        found = asset.scale.quantum_exponent.saturating_add(decimals);
    }
    Ok(found)
}

#[typetag::serde(name = "cofferdam/risk-aware@1")]
impl AllocationSpec for RiskAwareSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let weight = match self.weight {
            RiskName::Linear => RiskWeight::Linear,
            RiskName::Power(c) => RiskWeight::Power(c),
            RiskName::Tail(above) => RiskWeight::Tail { above: above.0, quantum: quantum(ctx)? },
        };
        let caps = ctx.check(self, caps(self.part, self.equity_floor))?;
        Ok(Box::new(ctx.check(self, RiskAware::new(weight, caps))?))
    }
}

/// By what contracts are shared.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ContractName {
    Lots,
    Gain,
}

module! {
    "cofferdam/contract-pro-rata@1" Allocation breaks [28 "closing one lot more can close one lot less of somebody"];
    /// Lots that nobody took are closed in proportion, by largest remainder.
    struct ContractProRataSpec {
        /// "lots" or "gain".
        weight: Option<ContractName> ["choice", "lots"],
    }
}

#[typetag::serde(name = "cofferdam/contract-pro-rata@1")]
impl AllocationSpec for ContractProRataSpec {
    fn build(&self, _: &Context<'_>) -> Policy {
        let weight = match self.weight {
            None | Some(ContractName::Lots) => ContractWeight::Lots,
            Some(ContractName::Gain) => ContractWeight::Gain,
        };
        Ok(Box::new(ContractProRata::new(weight)))
    }
}

module! {
    "cofferdam/level-leverage@1" Allocation breaks [28 "who is closed depends on leverage, not on what was gained"];
    /// Lots that nobody took are closed so that the largest leverage becomes as small as it can be.
    struct LevelLeverageSpec {}
}

#[typetag::serde(name = "cofferdam/level-leverage@1")]
impl AllocationSpec for LevelLeverageSpec {
    fn build(&self, _: &Context<'_>) -> Policy {
        Ok(Box::new(LevelLeverage))
    }
}

/// How much of a deficit is asked for now.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RuleName {
    Needed,
    Fixed(Ratio),
    BackOff(BackOffSpec),
    Anarchy(Ratio),
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackOffSpec {
    first: Ratio,
    keep: Ratio,
    least: Ratio,
    forget_ms: u64,
}

module! {
    "cofferdam/severity@1" Allocation breaks [23 "a part of the deficit waits instead of being settled at once"];
    /// Asks a policy for a part of a deficit; the rest is left to the next policy or waits.
    struct SeveritySpec {
        /// "needed" (all), { fixed = "0.5" }, { back_off = { first, keep, least, forget_ms } }: max(keep x last part, least) for each
        /// need of an episode, or { anarchy = "1.5" }: at most so many times what is left to the winners.
        rule: RuleName ["choice"],
        /// Who pays.
        within: Box<dyn AllocationSpec> ["allocation"],
    }
}

#[typetag::serde(name = "cofferdam/severity@1")]
impl AllocationSpec for SeveritySpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let rule = match self.rule {
            RuleName::Needed => SeverityRule::Needed,
            RuleName::Fixed(r) => SeverityRule::Fixed(r.0),
            RuleName::BackOff(b) => SeverityRule::BackOff {
                first: b.first.0,
                keep: b.keep.0,
                least: b.least.0,
                forget: Millis(b.forget_ms),
            },
            RuleName::Anarchy(r) => SeverityRule::Anarchy { ratio: r.0 },
        };
        let within = self.within.build(&ctx.at("within"))?;
        let built = Severity::new(rule, within);
        Ok(Box::new(match &self.rule {
            RuleName::BackOff(b) => ctx.at("rule").at("back_off").check(b, built)?,
            _ => ctx.check(self, built)?,
        }))
    }
}
