//! Every built-in module of every room, in a configuration that fits the stacks of [`crate::compose`].

use crate::compose::{
    FUND, INITIAL, MAINTENANCE, PROMISE, QUANTA_PER_ATOM, SOURCE, USDC, latest, order_terms,
};
use cofferdam_circuit_breaker::{
    BandReference, CircuitBreaker, Coverage, Drawdown, InsuranceDrawdown, InsuranceDrawdownParams,
    LiquidationThrottle, LiquidationThrottleParams, OpenInterestCap, OpenInterestCapParams, OracleOutage,
    OracleOutageParams, PriceBand, PriceBandParams, PriceVelocity, PriceVelocityParams, Recovery,
    ThrottleBudget, WithdrawalBaseline, WithdrawalRateLimit, WithdrawalRateLimitParams,
};
use cofferdam_core::{
    Amount, GroupId, Level, Lots, MarketId, Millis, PoolId, Ppb, PriceState, Quanta, SourceId,
};
use cofferdam_insurance_layer::{
    AggregateStopLoss, Entry, ExcessOfLoss, LossWaterfall, Programme, QuotaBasis, QuotaShare,
};
use cofferdam_liquidation_strategy::{
    Bound, CarryDeficit, Deleverage, DeleveragePrice, FillGuard, FullClose, Gradual, InOrder,
    InsuranceCoverGuard, KeeperLiquidation, KeeperTerms, LimitGuard, LimitPrice, LiquidationStrategy,
    LossAllocation, Pace, PartialToTarget, ProRataAllocation, QueueAllocation, Takeover, Tiers,
};
use cofferdam_margin_engine::{
    Flat, OpenInterestScaled, Requirement, SizeScaled, Tier, Tiered, VolatilityScaled,
};
use cofferdam_market::{
    Accrual, ConstantProduct, ConstantProductParams, KinkedRate, KinkedRateParams, LendingInterest,
    PoolPricing, PremiumFunding, PremiumFundingParams,
};
use cofferdam_oracle::{
    Against, Basis, Confidence, ConfidenceParams, Deviation, DeviationParams, Ema, Fallback, FromIndex,
    Latest, Median, PricePolicy, Quorum, RateOfChange, RateOfChangeParams, StepLimit, StepLimitParams, Twap,
    TwapParams,
};

/// The group that [`strategies`] hand positions over to.
pub const VAULT: GroupId = GroupId(63);

/// A module with its name.
pub type Named<T> = (&'static str, Box<T>);

fn ok<T, E: core::fmt::Debug>(x: Result<T, E>) -> T {
    match x {
        Ok(x) => x,
        Err(e) => unreachable!("a parameter of the test kit was refused: {e:?}"),
    }
}

/// Funding from the premium of the mark over the index, at most 0.3 % in eight hours.
#[must_use]
pub fn funding() -> Box<dyn Accrual> {
    Box::new(ok(PremiumFunding::new(PremiumFundingParams {
        interval: Millis(28_800_000),
        interest: Ppb(100_000),
        clamp: Ppb(500_000),
        cap: Ppb(3_000_000),
        worst_state: PriceState::Volatile,
    })))
}

/// Interest with a kink at 80 %.
#[must_use]
pub fn interest() -> Box<dyn Accrual> {
    let curve = ok(KinkedRate::new(KinkedRateParams {
        base: Ppb(10_000_000),
        slope_below: Ppb(40_000_000),
        slope_above: Ppb(600_000_000),
        kink: Ppb(800_000_000),
    }));
    Box::new(LendingInterest::new(Box::new(curve)))
}

/// A constant-product pool a million lots deep.
#[must_use]
pub fn constant_product() -> Box<dyn PoolPricing> {
    Box::new(ok(ConstantProduct::new(ConstantProductParams {
        depth: Lots::new(1_000_000),
        inventory_max: Lots::new(100_000),
        fee: Ppb(500_000),
        skew_fee: Ppb(2_000_000),
        rebate: Ppb(500_000_000),
        house_share: Ppb(100_000_000),
        quanta_per_atom: QUANTA_PER_ATOM,
    })))
}

/// Keepers with a bonus of 5 %, half of the debt at once.
#[must_use]
pub fn keepers(pool: PoolId) -> Box<dyn LiquidationStrategy> {
    Box::new(ok(KeeperLiquidation::new(KeeperTerms {
        pool: Some(pool),
        close_factor: Ppb(500_000_000),
        all_below: Ppb(950_000_000),
        dust: Quanta::new(1_000_000_000),
        bonus: Ppb(50_000_000),
        fee_share: Ppb(100_000_000),
        remainder_min: Quanta::ZERO,
    })))
}

fn partial() -> Box<PartialToTarget> {
    Box::new(ok(PartialToTarget::new(order_terms(), Level::LiquidationEnd, Quanta::ZERO, Quanta::ZERO)))
}

fn gradual() -> Box<Gradual> {
    let pace = Pace {
        slice: Ppb(200_000_000),
        slice_min: Quanta::ZERO,
        interval: Millis(30_000),
        slices: 3,
        small: Quanta::new(1_000_000_000),
        all_below: Some(Level::Backstop),
        forget: Millis(300_000),
    };
    Box::new(ok(Gradual::new(order_terms(), pace)))
}

/// Every strategy for positions.
#[must_use]
pub fn strategies() -> Vec<Named<dyn LiquidationStrategy>> {
    let last = || Box::new(ok(Deleverage::new(DeleveragePrice::Bankruptcy, Millis(1_000))));
    let vault = |level| Box::new(ok(Takeover::new(VAULT, level, Millis(1_000))));
    let tiers: Vec<(Bound, Box<dyn LiquidationStrategy>)> = vec![
        (Bound::Below(Level::Maintenance), partial()),
        (Bound::Below(Level::Backstop), vault(Level::Backstop)),
        (Bound::Insolvent, last()),
    ];
    vec![
        ("full close", Box::new(FullClose::new(order_terms()))),
        ("partial", partial()),
        ("gradual", gradual()),
        ("takeover", vault(Level::Maintenance)),
        ("deleverage", last()),
        ("deleverage at mark", Box::new(ok(Deleverage::new(DeleveragePrice::Mark, Millis(1_000))))),
        ("tiers", Box::new(ok(Tiers::new(tiers)))),
    ]
}

/// Every allocation that needs no lending pool.
#[must_use]
pub fn allocations() -> Vec<Named<dyn LossAllocation>> {
    vec![
        ("pro rata", Box::new(ProRataAllocation)),
        ("queue", Box::new(QueueAllocation::new(true))),
        ("carry", Box::new(CarryDeficit)),
        ("in order", {
            let policies: Vec<Box<dyn LossAllocation>> = vec![
                Box::new(QueueAllocation::new(false)),
                Box::new(ProRataAllocation),
                Box::new(CarryDeficit),
            ];
            Box::new(ok(InOrder::new(policies)))
        }),
    ]
}

/// Every guard of fills.
#[must_use]
pub fn guards() -> Vec<Named<dyn FillGuard>> {
    vec![
        ("insurance cover", Box::new(InsuranceCoverGuard)),
        ("limit", Box::new(LimitGuard { limit: LimitPrice::Band(Ppb(500_000_000)) })),
    ]
}

/// A trip of one minute, at most ten.
#[must_use]
pub const fn recovery() -> Recovery {
    Recovery { cooldown: Millis(60_000), expires: Millis(600_000) }
}

/// Withdrawals and opening wait while a deficit is open.
#[must_use]
pub fn drawdown() -> Box<dyn CircuitBreaker> {
    Box::new(ok(InsuranceDrawdown::new(InsuranceDrawdownParams {
        drawdown: Some(Drawdown { fall: Ppb(300_000_000), window: Millis(3_600_000) }),
        recovery: recovery(),
    })))
}

/// Every breaker.
#[must_use]
pub fn breakers() -> Vec<Named<dyn CircuitBreaker>> {
    let (market, recovery) = (None, recovery());
    vec![
        ("band", {
            let reference = BandReference::Average { half_life: Millis(60_000) };
            let params = PriceBandParams { market, band: Ppb(100_000_000), reference, recovery };
            Box::new(ok(PriceBand::new(params)))
        }),
        ("velocity", {
            let window = Millis(60_000);
            let params = PriceVelocityParams { market, bound: Ppb(50_000_000), window, recovery };
            Box::new(ok(PriceVelocity::new(params)))
        }),
        ("outage", {
            let params = OracleOutageParams { market, from: PriceState::Stale, recovery };
            Box::new(ok(OracleOutage::new(params)))
        }),
        ("open interest", {
            let (market, cap) = (MarketId(0), Lots::new(50_000));
            Box::new(ok(OpenInterestCap::new(OpenInterestCapParams { market, cap, reopen: cap })))
        }),
        ("throttle", {
            let budget = ThrottleBudget::Notional(Quanta::new(20_000_000_000));
            let params =
                LiquidationThrottleParams { coverage: Coverage::Together, budget, window: Millis(10_000) };
            Box::new(ok(LiquidationThrottle::new(params)))
        }),
        ("withdrawals", {
            let baseline = WithdrawalBaseline::Asset(USDC, Amount::new(500_000_000));
            let params = WithdrawalRateLimitParams { baseline, period: Millis(3_600_000) };
            Box::new(ok(WithdrawalRateLimit::new(params)))
        }),
        ("drawdown", drawdown()),
    ]
}

/// Requirements: flat, tiered, and those that follow size, open interest or volatility.
#[must_use]
pub fn requirements() -> Vec<Named<dyn Requirement>> {
    let tier = |lower: i128, maintenance, initial| Tier { lower: Quanta::new(lower), maintenance, initial };
    vec![
        ("flat", Box::new(ok(Flat::new(MAINTENANCE, INITIAL)))),
        ("tiered", {
            let tiers = vec![tier(0, MAINTENANCE, INITIAL), tier(20_000_000_000, INITIAL, Ppb(200_000_000))];
            Box::new(ok(Tiered::new(tiers)))
        }),
        ("size", {
            let (factor, unit) = (Ppb(1_000_000), Lots::new(100));
            Box::new(ok(SizeScaled::new(MAINTENANCE, INITIAL, factor, unit)))
        }),
        ("open interest", {
            let (lower, upper) = (Quanta::new(5_000_000_000), Quanta::new(100_000_000_000));
            Box::new(ok(OpenInterestScaled::new(MAINTENANCE, INITIAL, lower, upper)))
        }),
        ("volatility", Box::new(ok(VolatilityScaled::new(MAINTENANCE, INITIAL, Ppb(500_000_000))))),
    ]
}

/// Every price policy of its own kind, over quotes of [`SOURCE`] and others, for markets with an index.
#[must_use]
pub fn policies() -> Vec<Named<dyn PricePolicy>> {
    let minute = Millis(60_000);
    vec![
        ("latest", latest()),
        ("any", Box::new(Latest::any())),
        ("from index", Box::new(FromIndex)),
        ("fallback", {
            let children: Vec<Box<dyn PricePolicy>> = vec![latest(), Box::new(Latest::any())];
            Box::new(ok(Fallback::new(children, PriceState::Aged)))
        }),
        ("median", {
            let quorum = Quorum { needed: 1, wanted: 2 };
            Box::new(ok(Median::of_sources(&[(SOURCE, 1), (SourceId(2), 1)], quorum, None)))
        }),
        ("confidence", {
            let params = ConfidenceParams { bound: Some(Ppb(10_000_000)), multiple: Ppb::ONE };
            Box::new(ok(Confidence::new(latest(), params)))
        }),
        ("deviation", {
            let params = DeviationParams {
                bound: Ppb(300_000_000),
                reference_accept: PriceState::Stale,
                unchecked: PriceState::Good,
            };
            Box::new(ok(Deviation::new(latest(), Against::Previous, params)))
        }),
        ("rate of change", {
            let params = RateOfChangeParams { bound: Ppb(100_000_000), interval: minute };
            Box::new(ok(RateOfChange::new(latest(), params)))
        }),
        ("step limit", {
            let (step, when_limited) = (Ppb(50_000_000), PriceState::Good);
            Box::new(ok(StepLimit::new(latest(), StepLimitParams { step, interval: minute, when_limited })))
        }),
        ("ema", Box::new(ok(Ema::new(latest(), minute)))),
        ("basis", Box::new(ok(Basis::new(latest(), minute)))),
        ("twap", Box::new(ok(Twap::new(latest(), TwapParams { window: minute, checkpoints: 4 })))),
    ]
}

/// The layers of [`crate::compose::perpetual`] under every kind of terms.
#[must_use]
pub fn waterfalls() -> Vec<Named<dyn LossWaterfall>> {
    let half = ok(QuotaShare::new(Ppb(500_000_000), QuotaBasis::Left));
    let band = ok(ExcessOfLoss::new(Quanta::new(1_000_000), Quanta::new(50_000_000_000)));
    let stop = ok(AggregateStopLoss::new(Quanta::new(1_000_000), Quanta::new(50_000_000_000)));
    let of = |entries| -> Box<dyn LossWaterfall> { Box::new(ok(Programme::new(entries))) };
    vec![
        ("funds", of(vec![Entry::fund(FUND), Entry::fund(PROMISE)])),
        (
            "quota shares",
            of(vec![Entry::quota_share(FUND, half), Entry::quota_share(PROMISE, half).beside_previous()]),
        ),
        ("excess", of(vec![Entry::fund(FUND), Entry::excess_of_loss(PROMISE, band)])),
        ("stop loss", of(vec![Entry::stop_loss(FUND, stop), Entry::fund(PROMISE)])),
        ("none", of(Vec::new())),
    ]
}
