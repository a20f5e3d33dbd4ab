//! Who pays what is left.

use super::{AllocationSpec, module};
use crate::{ConfigError, Context, Number, Ratio};
use cofferdam_liquidation_strategy::{
    CarryDeficit, InOrder, LossAllocation, PoolGainLimit, ProRataAllocation, QueueAllocation, Ranking,
    ShiftFunding, UnrankedAllocation, WriteDownPool,
};
use serde::{Deserialize, Serialize};

type Policy = Result<Box<dyn LossAllocation>, ConfigError>;

/// By what holders stand in a queue.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RankingName {
    Leverage,
    PriceRatio,
    MarginRatio,
    Collateral,
}

impl From<RankingName> for Ranking {
    fn from(name: RankingName) -> Self {
        match name {
            RankingName::Leverage => Self::Leverage,
            RankingName::PriceRatio => Self::PriceRatio,
            RankingName::MarginRatio => Self::MarginRatio,
            RankingName::Collateral => Self::Collateral,
        }
    }
}

module! {
    "cofferdam/queue@1" Allocation breaks [28 "who gained more can end below who gained less"];
    /// Those who gained most, with most leverage, pay first and pay all.
    struct QueueSpec {
        /// Whether holders without a gain are closed after all others.
        close_losers: Option<bool> ["boolean", "false"],
        /// "leverage" (return x leverage), "price_ratio" (mark / entry x leverage), "margin_ratio" (return x maintenance / equity) or "collateral" (gain / collateral x
        /// maintenance / equity).
        ranking: Option<RankingName> ["choice", "leverage"],
        /// Whether a deficit in cash is left to the next policy: only positions are closed.
        close_outs_only: Option<bool> ["boolean", "false"],
    }
}

#[typetag::serde(name = "cofferdam/queue@1")]
impl AllocationSpec for QueueSpec {
    fn build(&self, _: &Context<'_>) -> Policy {
        let ranking = self.ranking.map_or(Ranking::Leverage, Ranking::from);
        let queue = QueueAllocation::new(self.close_losers.unwrap_or(false)).ranked_by(ranking);
        let only = self.close_outs_only.unwrap_or(false);
        Ok(Box::new(if only { queue.close_outs_only() } else { queue }))
    }
}

module! {
    "cofferdam/unranked@1" Allocation breaks [28 "who is closed depends on where the round begins, not on what was gained"];
    /// Lots that nobody took are closed against holders of the other side from a place that the moment decides.
    struct UnrankedSpec {
        /// At most so many holders.
        most: u32 ["number"],
    }
}

#[typetag::serde(name = "cofferdam/unranked@1")]
impl AllocationSpec for UnrankedSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        Ok(Box::new(ctx.check(self, UnrankedAllocation::new(self.most))?))
    }
}

module! {
    "cofferdam/pro-rata@1" Allocation breaks [];
    /// Winners pay in proportion to what they gained.
    struct ProRataSpec {}
}

#[typetag::serde(name = "cofferdam/pro-rata@1")]
impl AllocationSpec for ProRataSpec {
    fn build(&self, _: &Context<'_>) -> Policy {
        Ok(Box::new(ProRataAllocation))
    }
}

module! {
    "cofferdam/write-down-pool@1" Allocation breaks [26 "suppliers of a pool bear the loss: principal pays"];
    /// Suppliers of a lending pool bear a deficit in its asset.
    struct WriteDownPoolSpec {
        /// Whose suppliers.
        pool: String ["name of a pool"],
        /// What a pool that trades is worth in; a lending pool's own asset needs no name.
        asset: Option<String> ["name of an asset", "what the pool lends"],
        /// The most that one need may write down.
        at_most: Option<Number> ["amount of the pool's asset", "no limit"],
    }
}

#[typetag::serde(name = "cofferdam/write-down-pool@1")]
impl AllocationSpec for WriteDownPoolSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let pool = ctx.pool("pool", &self.pool)?;
        let asset = match &self.asset {
            Some(name) => ctx.asset("asset", name)?,
            None => ctx.lent_asset("pool", pool)?,
        };
        let at_most = self.at_most.map(|x| ctx.amount("at_most", asset, &x)).transpose()?;
        Ok(Box::new(ctx.check(self, WriteDownPool::new(pool, asset, at_most))?))
    }
}

module! {
    "cofferdam/shift-funding@1" Allocation breaks [26 "every lot of the market bears the loss: losers pay, out of principal"];
    /// Every lot of the market, long or short, bears the same share of a deficit, as funding.
    struct ShiftFundingSpec {}
}

#[typetag::serde(name = "cofferdam/shift-funding@1")]
impl AllocationSpec for ShiftFundingSpec {
    fn build(&self, _: &Context<'_>) -> Policy {
        Ok(Box::new(ShiftFunding))
    }
}

module! {
    "cofferdam/pool-gain@1" Allocation breaks [17 "a winner is closed who is healthy, and nobody has to be bankrupt"];
    /// Closes winners that somebody chose against their pool, while one side has gained too much of what the pool has.
    struct PoolGainSpec {
        /// From when: the side's gain as a share of what the pool has.
        above: Ratio ["ratio"],
        /// No further than to this share.
        until: Ratio ["ratio"],
    }
}

#[typetag::serde(name = "cofferdam/pool-gain@1")]
impl AllocationSpec for PoolGainSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        Ok(Box::new(ctx.check(self, PoolGainLimit::new(self.above.0, self.until.0))?))
    }
}

module! {
    "cofferdam/carry@1" Allocation breaks [23 "the deficit is booked and waits instead of being settled at once"];
    /// Books a deficit and waits for whoever pays it later.
    struct CarrySpec {}
}

#[typetag::serde(name = "cofferdam/carry@1")]
impl AllocationSpec for CarrySpec {
    fn build(&self, _: &Context<'_>) -> Policy {
        Ok(Box::new(CarryDeficit))
    }
}

module! {
    "cofferdam/in-order@1" Allocation breaks [];
    /// Policies in order, each seeing what the last one left.
    struct InOrderSpec {
        /// 1 to 31 policies.
        policies: Vec<Box<dyn AllocationSpec>> ["list of allocations"],
    }
}

#[typetag::serde(name = "cofferdam/in-order@1")]
impl AllocationSpec for InOrderSpec {
    fn build(&self, ctx: &Context<'_>) -> Policy {
        let built: Result<Vec<_>, _> = (self.policies.iter().enumerate())
            .map(|(i, p)| p.build(&ctx.at(&format!("policies[{i}]"))))
            .collect();
        Ok(Box::new(ctx.check(self, InOrder::new(built?))?))
    }
}
