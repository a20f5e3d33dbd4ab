//! The policies that are compared, with the parameters with which they would stand in a stack file.

use cofferdam_core::Ppb;
use cofferdam_liquidation_strategy::{
    CappedProRata, ContractProRata, ContractWeight, HaircutCaps, LeastShare, LeastSquares, LevelLeverage,
    LeveredProRata, LiquidationError, LossAllocation, ProRataAllocation, QueueAllocation, Ranking, RiskAware,
    RiskWeight, Severity, SeverityRule, UnrankedAllocation,
};

/// A policy under its name.
#[derive(Debug)]
pub struct Policy {
    /// Kind and parameters, as in the tables of `docs/adl.md`.
    pub name: &'static str,
    /// Whether it answers a deficit in cash.
    pub pays: bool,
    /// Whether it answers a close-out in lots.
    pub closes: bool,
    /// The rule.
    pub rule: Box<dyn LossAllocation>,
}

/// All policies that choose among winners, with the parameters in their names. `quantum` says what one quantum of notional is worth: 10^this
/// atoms of equity.
///
/// # Errors
///
/// A quantum outside of what [`RiskAware`] accepts.
pub fn policies(quantum: i8) -> Result<Vec<Policy>, LiquidationError> {
    let queue = QueueAllocation::new(false);
    let risk = |weight| RiskAware::new(weight, HaircutCaps::NONE);
    let part = |ppb| HaircutCaps::new(Ppb(ppb), Ppb::ZERO).map(CappedProRata::new);
    let above = Ppb::ONE;
    let half = SeverityRule::Fixed(Ppb(500_000_000));
    let both = |name, rule| Policy { name, pays: true, closes: true, rule };
    let pays = |name, rule| Policy { name, pays: true, closes: false, rule };
    let closes = |name, rule| Policy { name, pays: false, closes: true, rule };
    Ok(vec![
        both("queue", Box::new(queue)),
        both("queue, ranking price_ratio", Box::new(queue.ranked_by(Ranking::PriceRatio))),
        closes("unranked", Box::new(UnrankedAllocation::new(u32::MAX)?)),
        both("pro-rata", Box::new(ProRataAllocation)),
        both("levered-pro-rata", Box::new(LeveredProRata)),
        pays("capped-pro-rata, part 0.01", Box::new(part(10_000_000)?)),
        both("least-squares", Box::new(LeastSquares)),
        both("least-share", Box::new(LeastShare)),
        both("risk-aware, linear", Box::new(risk(RiskWeight::Linear)?)),
        both("risk-aware, power 2", Box::new(risk(RiskWeight::Power(2))?)),
        both("risk-aware, tail 1", Box::new(risk(RiskWeight::Tail { above, quantum })?)),
        closes("contract-pro-rata", Box::new(ContractProRata::new(ContractWeight::Lots))),
        closes("level-leverage", Box::new(LevelLeverage)),
        pays("severity, fixed 0.5, of pro-rata", Box::new(Severity::new(half, Box::new(ProRataAllocation))?)),
    ])
}
