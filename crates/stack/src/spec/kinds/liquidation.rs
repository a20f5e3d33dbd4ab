//! Liquidation strategies and vetoes on fills.

use super::{GuardSpec, LiquidationSpec, module};
use crate::{ConfigError, Context, Number, Ratio};
use cofferdam_core::{GroupId, Level, MarketId, Millis, Ppb, Quanta, RAY};
use cofferdam_liquidation_strategy::{
    Bound, ByBidder, ByMarket, Deleverage, DeleveragePrice, Drain, DutchAuction, DutchTerms, Escalation,
    FillGuard, FirstSlice, FullClose, Gradual, InsuranceCoverGuard, IsolatedMarkets, KeeperLiquidation,
    KeeperTerms, Ladder, LimitGuard, LimitPrice, LiquidationStrategy, OrderTerms, Pace, PartialToTarget,
    Penalty, PoolClose, PriceCurve, SlicePace, Takeover, TierStep, Tiers, WhileDrained,
};
use serde::{Deserialize, Serialize};

type Strategy = Result<Box<dyn LiquidationStrategy>, ConfigError>;

/// The worst price: "any", "bankruptcy" or { band = "0.05" }.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum LimitSpec {
    Any,
    Bankruptcy,
    Band(Ratio),
}

impl From<LimitSpec> for LimitPrice {
    fn from(spec: LimitSpec) -> Self {
        match spec {
            LimitSpec::Any => Self::Any,
            LimitSpec::Bankruptcy => Self::Bankruptcy,
            LimitSpec::Band(width) => Self::Band(width.0),
        }
    }
}

/// A penalty and who gets it; what the shares leave goes to the house.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PenaltySpec {
    rate: Ratio,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to_insurance: Option<Ratio>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to_keeper: Option<Ratio>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keeper: Option<u32>,
}

fn terms(
    ctx: &Context<'_>,
    spec: &impl Serialize,
    limit: LimitSpec,
    penalty: PenaltySpec,
    ttl_ms: u64,
) -> Result<OrderTerms, ConfigError> {
    let share = |r: Option<Ratio>| r.map_or(Ppb::ZERO, |r| r.0);
    let (insurance, keeper) = (share(penalty.to_insurance), share(penalty.to_keeper));
    if insurance.0.saturating_add(keeper.0) > Ppb::ONE.0 && insurance <= Ppb::ONE && keeper <= Ppb::ONE {
        let value = format!("{insurance} to insurance and {keeper} to the keeper");
        return Err(ctx.refuse("penalty", value, "shares of at most 1 together"));
    }
    let mut built = ctx.check(spec, Penalty::new(penalty.rate.0, insurance, keeper))?;
    built.keeper = penalty.keeper.map(|id| group(ctx, "penalty.keeper", id)).transpose()?;
    ctx.check(spec, OrderTerms::new(limit.into(), built, Millis(ttl_ms)))
}

// groups index arrays: a number far out would make them as long
const GROUP_MAX: u32 = 1 << 24;

fn group(ctx: &Context<'_>, field: &str, id: u32) -> Result<GroupId, ConfigError> {
    if id <= GROUP_MAX {
        Ok(GroupId(id))
    } else {
        Err(ctx.refuse(
            field,
            id,
            format!("a small group number, at most {GROUP_MAX}: groups are kept densely"),
        ))
    }
}

fn or_zero(ctx: &Context<'_>, field: &str, x: Option<Number>) -> Result<Quanta, ConfigError> {
    x.map_or(Ok(Quanta::ZERO), |x| ctx.quanta(field, &x))
}

module! {
    "cofferdam/full-close@1" Liquidation breaks [19 "a full close takes more than the account needed to be healthy again"];
    /// Orders for every position at once.
    struct FullCloseSpec {
        /// "any", "bankruptcy" or { band = "0.05" }.
        limit: LimitSpec ["choice"],
        /// A table with `rate`, and `to_insurance`, `to_keeper` (shares, 0 where left out) and `keeper` (a group).
        penalty: PenaltySpec ["table"],
        /// How long an order stands.
        ttl_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "cofferdam/full-close@1")]
impl LiquidationSpec for FullCloseSpec {
    fn build(&self, ctx: &Context<'_>) -> Strategy {
        Ok(Box::new(FullClose::new(terms(ctx, self, self.limit, self.penalty, self.ttl_ms)?)))
    }
}

module! {
    "cofferdam/pool-close@1" Liquidation breaks [19 "a full close takes more than the account needed to be healthy again"];
    /// Every position at once, against the market's own pool.
    struct PoolCloseSpec {
        /// Which pool.
        pool: String ["name of a pool"],
        /// As in a full close.
        penalty: PenaltySpec ["table"],
        /// When what was not taken is tried again.
        pause_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "cofferdam/pool-close@1")]
impl LiquidationSpec for PoolCloseSpec {
    fn build(&self, ctx: &Context<'_>) -> Strategy {
        let penalty = terms(ctx, self, LimitSpec::Any, self.penalty, 1)?.penalty;
        let built = PoolClose::new(ctx.pool("pool", &self.pool)?, penalty, Millis(self.pause_ms));
        Ok(Box::new(ctx.check(self, built)?))
    }
}

module! {
    "cofferdam/partial-to-target@1" Liquidation breaks [];
    /// The smallest number of lots that lifts the account to a level.
    struct PartialSpec {
        /// "any", "bankruptcy" or { band = "0.05" }.
        limit: LimitSpec ["choice"],
        /// As in a full close.
        penalty: PenaltySpec ["table"],
        /// How long an order stands.
        ttl_ms: u64 ["ms"],
        /// The level to reach, maintenance or stricter.
        target: Level ["level"],
        /// The least that is closed of a position.
        step_min: Option<Number> ["amount of the settlement asset", "0"],
        /// A position keeps nothing or at least this.
        remainder_min: Option<Number> ["amount of the settlement asset", "0"],
    }
}

#[typetag::serde(name = "cofferdam/partial-to-target@1")]
impl LiquidationSpec for PartialSpec {
    fn build(&self, ctx: &Context<'_>) -> Strategy {
        let terms = terms(ctx, self, self.limit, self.penalty, self.ttl_ms)?;
        let step = or_zero(ctx, "step_min", self.step_min)?;
        let remainder = or_zero(ctx, "remainder_min", self.remainder_min)?;
        Ok(Box::new(ctx.check(self, PartialToTarget::new(terms, self.target, step, remainder))?))
    }
}

module! {
    "cofferdam/gradual@1" Liquidation breaks [19 "when the slices are used up, what is left is closed whole"];
    /// A slice of each position per interval, then the rest.
    struct GradualSpec {
        /// "any", "bankruptcy" or { band = "0.05" }.
        limit: LimitSpec ["choice"],
        /// As in a full close.
        penalty: PenaltySpec ["table"],
        /// How long an order stands.
        ttl_ms: u64 ["ms"],
        /// Share of the original position per slice.
        slice: Ratio ["ratio"],
        /// Least notional of a slice.
        slice_min: Option<Number> ["amount of the settlement asset", "0"],
        /// Cool-down after a slice.
        interval_ms: u64 ["ms"],
        /// After so many slices the rest goes at once.
        slices: Option<u32> ["number", "never"],
        /// A position of at most this goes at once.
        small: Option<Number> ["amount of the numeraire", "0"],
        /// Below this level everything goes at once.
        all_below: Option<Level> ["level", "none"],
        /// So long after a cool-down it is forgotten.
        forget_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "cofferdam/gradual@1")]
impl LiquidationSpec for GradualSpec {
    fn build(&self, ctx: &Context<'_>) -> Strategy {
        let terms = terms(ctx, self, self.limit, self.penalty, self.ttl_ms)?;
        let pace = Pace {
            slice: self.slice.0,
            slice_min: or_zero(ctx, "slice_min", self.slice_min)?,
            interval: Millis(self.interval_ms),
            slices: self.slices.unwrap_or(u32::MAX),
            small: or_zero(ctx, "small", self.small)?,
            all_below: self.all_below,
            forget: Millis(self.forget_ms),
        };
        Ok(Box::new(ctx.check(self, Gradual::new(terms, pace))?))
    }
}

module! {
    "cofferdam/first-slice@1" Liquidation breaks [19 "within the cool-down everything is closed whole"];
    /// A slice of each large position, then for a while everything whole.
    struct FirstSliceSpec {
        /// "any", "bankruptcy" or { band = "0.05" }.
        limit: LimitSpec ["choice"],
        /// As in a full close.
        penalty: PenaltySpec ["table"],
        /// How long an order stands.
        ttl_ms: u64 ["ms"],
        /// Share of a large position in its first order.
        slice: Ratio ["ratio"],
        /// A position of more than this is large.
        large: Number ["amount of the numeraire"],
        /// How long after a slice everything goes whole.
        cooldown_ms: u64 ["ms"],
        /// How long after a slice nothing is ordered.
        pause_ms: Option<u64> ["ms", "1"],
    }
}

#[typetag::serde(name = "cofferdam/first-slice@1")]
impl LiquidationSpec for FirstSliceSpec {
    fn build(&self, ctx: &Context<'_>) -> Strategy {
        let terms = terms(ctx, self, self.limit, self.penalty, self.ttl_ms)?;
        let pace = SlicePace {
            slice: self.slice.0,
            large: ctx.quanta("large", &self.large)?,
            cooldown: Millis(self.cooldown_ms),
            pause: Millis(self.pause_ms.unwrap_or(1)),
        };
        Ok(Box::new(ctx.check(self, FirstSlice::new(terms, pace))?))
    }
}

/// When a tier applies.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BoundSpec {
    Below(Level),
    Ratio(RatioBound),
    Insolvent,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RatioBound {
    level: Level,
    share: Ratio,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TierSpec {
    when: BoundSpec,
    strategy: Box<dyn LiquidationSpec>,
}

module! {
    "cofferdam/tiers@1" Liquidation breaks [];
    /// One strategy per range of health, gentle first.
    struct TiersSpec {
        /// 1 to 31 tables with `strategy` and `when`: { below = level }, { ratio = { level, share } } or "insolvent".
        tiers: Vec<TierSpec> ["list of tables"],
    }
}

#[typetag::serde(name = "cofferdam/tiers@1")]
impl LiquidationSpec for TiersSpec {
    fn build(&self, ctx: &Context<'_>) -> Strategy {
        let mut tiers = Vec::with_capacity(self.tiers.len());
        for (i, t) in self.tiers.iter().enumerate() {
            let place = ctx.at(&format!("tiers[{i}]"));
            let bound = match t.when {
                BoundSpec::Below(level) => Bound::Below(level),
                BoundSpec::Insolvent => Bound::Insolvent,
                BoundSpec::Ratio(RatioBound { level, share }) if share.0 > Ppb::ZERO => {
                    Bound::Ratio { level, share: share.0 }
                }
                BoundSpec::Ratio(r) => {
                    return Err(place.refuse("when.ratio.share", r.share.0, "above zero"));
                }
            };
            tiers.push((bound, t.strategy.build(&place.at("strategy"))?));
        }
        Ok(Box::new(ctx.check(self, Tiers::new(tiers))?))
    }
}

module! {
    "cofferdam/escalation@1" Liquidation breaks [];
    /// One strategy after another, while orders of the one before leave the account below maintenance.
    struct EscalationSpec {
        /// 1 to 31 strategies.
        stages: Vec<Box<dyn LiquidationSpec>> ["list of strategies"],
        /// So long after its last order an account begins with the first again.
        forget_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "cofferdam/escalation@1")]
impl LiquidationSpec for EscalationSpec {
    fn build(&self, ctx: &Context<'_>) -> Strategy {
        let built: Result<Vec<_>, _> = (self.stages.iter().enumerate())
            .map(|(i, s)| s.build(&ctx.at(&format!("stages[{i}]"))))
            .collect();
        Ok(Box::new(ctx.check(self, Escalation::new(built?, Millis(self.forget_ms)))?))
    }
}

module! {
    "cofferdam/while-drained@1" Liquidation breaks [];
    /// Another strategy while what insurance could pay is down from its peak, or nothing.
    struct WhileDrainedSpec {
        /// How long a peak counts.
        window_ms: u64 ["ms"],
        /// It begins when more than this share of the peak is gone.
        start: Ratio ["ratio"],
        /// It ends when less than this share is gone.
        stop: Option<Ratio> ["ratio", "as start"],
        /// The share starts nothing unless more than this is left.
        above: Option<Number> ["amount of the numeraire", "0"],
        /// Plans otherwise.
        normal: Box<dyn LiquidationSpec> ["table"],
        /// Plans while insurance is drained.
        drained: Box<dyn LiquidationSpec> ["table"],
    }
}

#[typetag::serde(name = "cofferdam/while-drained@1")]
impl LiquidationSpec for WhileDrainedSpec {
    fn build(&self, ctx: &Context<'_>) -> Strategy {
        let drain = Drain {
            window: Millis(self.window_ms),
            start: self.start.0,
            stop: self.stop.unwrap_or(self.start).0,
            above: or_zero(ctx, "above", self.above)?,
        };
        let (normal, drained) =
            (self.normal.build(&ctx.at("normal"))?, self.drained.build(&ctx.at("drained"))?);
        Ok(Box::new(ctx.check(self, WhileDrained::new(normal, drained, drain))?))
    }
}

/// The tiers of a market.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct LadderSpec {
    market: String,
    uppers: Vec<Number>,
}

module! {
    "cofferdam/tier-step@1" Liquidation breaks [19 "whole tiers are closed, whatever the account needed"];
    /// A large position comes down by whole tiers, a small one is closed.
    struct TierStepSpec {
        /// "any", "bankruptcy" or { band = "0.05" }.
        limit: LimitSpec ["choice"],
        /// As in a full close.
        penalty: PenaltySpec ["table"],
        /// How long an order stands.
        ttl_ms: u64 ["ms"],
        /// Tables with `market` and `uppers`, the largest size of each tier; a market without one is closed whole.
        ladders: Vec<LadderSpec> ["list of tables"],
        /// The lowest tier that comes down in steps.
        from: u8 ["tier"],
        /// By how many tiers.
        down: u8 ["tiers"],
        /// An account whose support is below this share of its notional is closed whole: the lowest tier's maintenance rate.
        floor: Ratio ["ratio"],
    }
}

#[typetag::serde(name = "cofferdam/tier-step@1")]
impl LiquidationSpec for TierStepSpec {
    fn build(&self, ctx: &Context<'_>) -> Strategy {
        let terms = terms(ctx, self, self.limit, self.penalty, self.ttl_ms)?;
        let mut ladders = Vec::with_capacity(self.ladders.len());
        for (i, l) in self.ladders.iter().enumerate() {
            let place = ctx.at(&format!("ladders[{i}]"));
            let market = place.market("market", &l.market)?;
            let uppers =
                l.uppers.iter().map(|x| place.lots("uppers", market, x)).collect::<Result<_, _>>()?;
            ladders.push(Ladder { market, uppers });
        }
        let built = TierStep::new(terms, ladders, (self.from, self.down), self.floor.0);
        Ok(Box::new(ctx.check(self, built)?))
    }
}

module! {
    "cofferdam/by-bidder@1" Liquidation breaks [];
    /// One strategy for the engine, another for keepers.
    struct ByBidderSpec {
        /// Plans for the engine.
        engine: Box<dyn LiquidationSpec> ["table"],
        /// Plans for keepers' bids.
        keeper: Box<dyn LiquidationSpec> ["table"],
    }
}

#[typetag::serde(name = "cofferdam/by-bidder@1")]
impl LiquidationSpec for ByBidderSpec {
    fn build(&self, ctx: &Context<'_>) -> Strategy {
        let engine = self.engine.build(&ctx.at("engine"))?;
        Ok(Box::new(ByBidder::new(engine, self.keeper.build(&ctx.at("keeper"))?)))
    }
}

fn markets(ctx: &Context<'_>, names: &[String]) -> Result<Vec<MarketId>, ConfigError> {
    names.iter().enumerate().map(|(i, name)| ctx.market(&format!("markets[{i}]"), name)).collect()
}

module! {
    "cofferdam/by-market@1" Liquidation breaks [];
    /// One strategy for accounts in certain markets, another for all others.
    struct ByMarketSpec {
        /// Which markets.
        markets: Vec<String> ["names of markets"],
        /// Plans for accounts with a position in one of them.
        within: Box<dyn LiquidationSpec> ["table"],
        /// Plans for the others.
        otherwise: Box<dyn LiquidationSpec> ["table"],
    }
}

#[typetag::serde(name = "cofferdam/by-market@1")]
impl LiquidationSpec for ByMarketSpec {
    fn build(&self, ctx: &Context<'_>) -> Strategy {
        let within = self.within.build(&ctx.at("within"))?;
        let otherwise = self.otherwise.build(&ctx.at("otherwise"))?;
        let built = ByMarket::new(markets(ctx, &self.markets)?, within, otherwise);
        Ok(Box::new(ctx.check(self, built)?))
    }
}

module! {
    "cofferdam/takeover@1" Liquidation breaks [19 "a takeover takes the whole account, what was left of its margin included"];
    /// A vault takes positions, balances and debts as they are.
    struct TakeoverSpec {
        /// The group that takes over.
        vault: u32 ["group id"],
        /// Below this level: backstop or maintenance.
        below: Level ["level"],
        /// When what could not be moved is tried again.
        pause_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "cofferdam/takeover@1")]
impl LiquidationSpec for TakeoverSpec {
    fn build(&self, ctx: &Context<'_>) -> Strategy {
        let built = Takeover::new(group(ctx, "vault", self.vault)?, self.below, Millis(self.pause_ms));
        Ok(Box::new(ctx.check(self, built)?))
    }
}

/// At which price.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PriceName {
    Bankruptcy,
    Mark,
    PreviousMark,
}

module! {
    "cofferdam/deleverage@1" Liquidation breaks [19 "every position is closed, however little was needed"];
    /// Hands every position to loss allocation.
    struct DeleverageSpec {
        /// "bankruptcy", "mark" or "previous_mark".
        price: PriceName ["choice"],
        /// When what the breakers cut is tried again.
        pause_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "cofferdam/deleverage@1")]
impl LiquidationSpec for DeleverageSpec {
    fn build(&self, ctx: &Context<'_>) -> Strategy {
        let price = match self.price {
            PriceName::Bankruptcy => DeleveragePrice::Bankruptcy,
            PriceName::Mark => DeleveragePrice::Mark,
            PriceName::PreviousMark => DeleveragePrice::PreviousMark,
        };
        Ok(Box::new(ctx.check(self, Deleverage::new(price, Millis(self.pause_ms)))?))
    }
}

module! {
    "cofferdam/keeper@1" Liquidation breaks [];
    /// A keeper repays debt and seizes collateral with a bonus.
    struct KeeperSpec {
        /// The pool that lent and is repaid; without one keepers only fill cash below zero.
        pool: Option<String> ["name of a lending pool", "none"],
        /// The share of the debt that one bid may repay.
        close_factor: Ratio ["ratio"],
        /// All of it below this share of support to demand.
        all_below: Ratio ["ratio"],
        /// All of it where debt or collateral is worth less.
        dust: Option<Number> ["amount of the numeraire", "0"],
        /// What the keeper gets beyond what it repays.
        bonus: Ratio ["ratio"],
        /// The house's share of the bonus.
        fee_share: Option<Ratio> ["ratio", "0"],
        /// What a bid leaves of both, unless it leaves nothing of one.
        remainder_min: Option<Number> ["amount of the numeraire", "0"],
    }
}

#[typetag::serde(name = "cofferdam/keeper@1")]
impl LiquidationSpec for KeeperSpec {
    fn build(&self, ctx: &Context<'_>) -> Strategy {
        let pool = match &self.pool {
            Some(name) => {
                let pool = ctx.pool("pool", name)?;
                ctx.lent_asset("pool", pool)?;
                Some(pool)
            }
            None => None,
        };
        let terms = KeeperTerms {
            pool,
            close_factor: self.close_factor.0,
            all_below: self.all_below.0,
            dust: or_zero(ctx, "dust", self.dust)?,
            bonus: self.bonus.0,
            fee_share: self.fee_share.map_or(Ppb::ZERO, |r| r.0),
            remainder_min: or_zero(ctx, "remainder_min", self.remainder_min)?,
        };
        Ok(Box::new(ctx.check(self, KeeperLiquidation::new(terms))?))
    }
}

/// How an auction's price falls. Factors are decimals below one.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum PriceCurveSpec {
    Linear { duration_s: u64 },
    Stairs { cut: Number, step_s: u64 },
    Exponential { cut: Number },
}

impl PriceCurveSpec {
    fn build(self, ctx: &Context<'_>) -> Result<PriceCurve, ConfigError> {
        let ray = |field: &str, x: Number| {
            let units =
                x.0.to_units(-27).ok().and_then(|r| u128::try_from(r).ok()).filter(|r| *r < RAY && *r > 0);
            let written = format!("\"{}\"", x.0);
            units.ok_or_else(|| ctx.refuse(field, written, "above 0 and below 1, at most 27 decimals"))
        };
        Ok(match self {
            Self::Linear { duration_s } => PriceCurve::Linear { duration_s },
            Self::Stairs { cut, step_s } => PriceCurve::Stairs { cut: ray("curve.stairs.cut", cut)?, step_s },
            Self::Exponential { cut } => PriceCurve::Exponential { cut: ray("curve.exponential.cut", cut)? },
        })
    }
}

module! {
    "cofferdam/dutch-auction@1" Liquidation breaks [19 "all of the collateral goes into the auction; what is left over comes back when it ends"];
    /// An account's collateral is sold at a falling price, to raise its debt and a penalty.
    struct DutchAuctionSpec {
        /// The pool that lent and is repaid.
        pool: String ["name of a lending pool"],
        /// The first price, as a share of the market's; at least 1.
        start: Ratio ["ratio"],
        /// { linear = { duration_s } }, { stairs = { cut, step_s } } or { exponential = { cut } }, the last per second.
        curve: PriceCurveSpec ["choice"],
        /// After so long an auction has to begin again.
        longest_ms: u64 ["ms"],
        /// Below this share of its first price likewise.
        lowest: Ratio ["ratio"],
        /// What is raised beyond the debt, for the house.
        penalty: Ratio ["ratio"],
        /// How much all auctions together may raise at once.
        raised_max: Option<Number> ["amount of the numeraire", "any"],
        /// What a sale leaves to be raised, unless nothing; the least debt that is auctioned or stays.
        raise_min: Option<Number> ["amount of the numeraire", "0"],
        /// When to ask again where there is no room.
        pause_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "cofferdam/dutch-auction@1")]
impl LiquidationSpec for DutchAuctionSpec {
    fn build(&self, ctx: &Context<'_>) -> Strategy {
        let pool = ctx.pool("pool", &self.pool)?;
        ctx.lent_asset("pool", pool)?;
        let terms = DutchTerms {
            pool,
            start: self.start.0,
            curve: self.curve.build(ctx)?,
            longest: Millis(self.longest_ms),
            lowest: self.lowest.0,
            penalty: self.penalty.0,
            raised_max: self.raised_max.as_ref().map(|x| ctx.quanta("raised_max", x)).transpose()?,
            raise_min: or_zero(ctx, "raise_min", self.raise_min)?,
            pause: Millis(self.pause_ms),
        };
        Ok(Box::new(ctx.check(self, DutchAuction::new(terms))?))
    }
}

module! {
    "cofferdam/insurance-cover@1" Guard breaks [];
    /// Refuses a fill whose loss insurance could not pay.
    struct InsuranceCoverSpec {}
}

#[typetag::serde(name = "cofferdam/insurance-cover@1")]
impl GuardSpec for InsuranceCoverSpec {
    fn build(&self, _: &Context<'_>) -> Result<Box<dyn FillGuard>, ConfigError> {
        Ok(Box::new(InsuranceCoverGuard))
    }
}

module! {
    "cofferdam/limit@1" Guard breaks [];
    /// Refuses fills beyond a limit.
    struct LimitGuardSpec {
        /// "any", "bankruptcy" or { band = "0.05" }.
        limit: LimitSpec ["choice"],
    }
}

#[typetag::serde(name = "cofferdam/limit@1")]
impl GuardSpec for LimitGuardSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn FillGuard>, ConfigError> {
        let terms = OrderTerms::new(self.limit.into(), Penalty::default(), Millis(1));
        let limit = ctx.check(self, terms)?.limit;
        Ok(Box::new(LimitGuard { limit }))
    }
}

module! {
    "cofferdam/isolated-markets@1" Guard breaks [];
    /// Refuses a fill by which a position in an isolated-only market would share its account with another.
    struct IsolatedMarketsSpec {
        /// Which markets are isolated-only.
        markets: Vec<String> ["names of markets"],
    }
}

#[typetag::serde(name = "cofferdam/isolated-markets@1")]
impl GuardSpec for IsolatedMarketsSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn FillGuard>, ConfigError> {
        Ok(Box::new(IsolatedMarkets::new(markets(ctx, &self.markets)?)))
    }
}
