//! Small composed stacks. They are plain [`Parts`] with public fields: take one, exchange what a test is about, compose it.
//!
//! Numbers: USDC (asset 0, the numeraire) has atoms of 1e-6 and quanta of 1e-9, so a realised result seldom comes out in whole
//! atoms; ETH (asset 1) is collateral. One lot of market 0 moved by one tick is worth 37 quanta, of market 1 it is 11.

use crate::modules;
use cofferdam_core::{
    AssetId, AssetScale, Instrument, LayerId, Level, MarketId, MarketScale, Millis, PoolId, Ppb, PriceRole,
    Quanta, SourceId,
};
use cofferdam_insurance_layer::{Entry, Programme};
use cofferdam_liquidation_strategy::{
    CarryDeficit, InOrder, LimitPrice, OrderTerms, PartialToTarget, Penalty, ProRataAllocation, WriteDownPool,
};
use cofferdam_margin_engine::{
    AssetTerms as AssetWeights, CrossMargin, Flat, Levels, MarketTerms as MarketMargin, Requirement,
};
use cofferdam_oracle::{Latest, PermitTable, PermitTiers, PricePolicy, Staleness, StalenessParams};
use cofferdam_stack::{
    AccrualRule, AccrualSubject, AssetTerms, EventRule, LayerTerms, MarketTerms, Parts, PoolKind, PoolTerms,
    PriceRule,
};

/// The numeraire.
pub const USDC: AssetId = AssetId(0);
/// Collateral.
pub const ETH: AssetId = AssetId(1);
/// Quanta per atom of the numeraire.
pub const QUANTA_PER_ATOM: i64 = 1_000;
/// Quanta per lot and tick, by market.
pub const FACTORS: [i64; 2] = [37, 11];
/// The source of every quote that [`crate::Bench`] sends.
pub const SOURCE: SourceId = SourceId(1);
/// The pool that trades in market 0, in [`with_pool`].
pub const TRADING_POOL: PoolId = PoolId(1);
/// The pool that lends the numeraire, in [`lending`].
pub const LENDING_POOL: PoolId = PoolId(2);
/// The insurance layer with money in the ledger.
pub const FUND: LayerId = LayerId(1);
/// The insurance layer that promises.
pub const PROMISE: LayerId = LayerId(2);
/// Maintenance requirement of both markets: 5 %.
pub const MAINTENANCE: Ppb = Ppb(50_000_000);
/// Initial requirement of both markets: 10 %.
pub const INITIAL: Ppb = Ppb(100_000_000);
/// Collateral weights of ETH at maintenance and initial: 80 % and 75 %.
pub const ETH_WEIGHTS: (Ppb, Ppb) = (Ppb(800_000_000), Ppb(750_000_000));

/// One day in milliseconds: the age at which a price is stale.
pub const STALE_AFTER: Millis = Millis(86_400_000);

fn ok<T, E: core::fmt::Debug>(x: Result<T, E>) -> T {
    // parameters written down in this file: a refusal is a mistake in it
    match x {
        Ok(x) => x,
        Err(e) => unreachable!("a parameter of the test kit was refused: {e:?}"),
    }
}

/// The scale of the numeraire.
#[must_use]
pub fn usdc_scale() -> AssetScale {
    ok(AssetScale::new(6, -8, -9))
}

/// The scale of the collateral: 18 decimals, price step 1e-8.
#[must_use]
pub fn eth_scale() -> AssetScale {
    ok(AssetScale::new(18, -8, -9))
}

/// The latest quote of [`SOURCE`], stale after [`STALE_AFTER`].
#[must_use]
pub fn latest() -> Box<dyn PricePolicy> {
    let params = StalenessParams {
        aged_after: Some(Millis(STALE_AFTER.0 / 2)),
        stale_after: Some(STALE_AFTER),
        future_tolerance: Millis::ZERO,
    };
    Box::new(ok(Staleness::new(Box::new(Latest::of(SOURCE)), params)))
}

/// A price rule by [`latest`].
#[must_use]
pub fn price(instrument: Instrument, role: PriceRole) -> PriceRule {
    PriceRule { instrument, role, policy: latest() }
}

fn weights() -> Vec<AssetWeights> {
    vec![
        AssetWeights::full(USDC),
        AssetWeights {
            collateral_initial: ETH_WEIGHTS.1,
            collateral_maintenance: ETH_WEIGHTS.0,
            ..AssetWeights::full(ETH)
        },
    ]
}

/// Cross margin with a requirement per market, backstop at two thirds and a liquidation buffer of 2 %.
#[must_use]
pub fn margin(requirement: &dyn Fn(MarketId) -> Box<dyn Requirement>) -> CrossMargin {
    let levels = Levels {
        backstop: Some(Ppb(666_666_667)),
        liquidation_buffer: Some(Ppb(20_000_000)),
        ..Levels::default()
    };
    let markets = [0, 1].map(|m| MarketMargin::new(MarketId(m), requirement(MarketId(m))));
    ok(CrossMargin::new(levels, weights(), markets.into()))
}

/// Orders at the bankruptcy price, 1 % penalty to insurance, one minute to live.
#[must_use]
pub fn order_terms() -> OrderTerms {
    let penalty = ok(Penalty::new(Ppb(10_000_000), Ppb::ONE, Ppb::ZERO));
    ok(OrderTerms::new(LimitPrice::Bankruptcy, penalty, Millis(60_000)))
}

/// Perpetual futures: two markets, cross margin over USDC and ETH, funding, partial liquidation by orders, an escrowed fund and
/// a promised layer, haircuts in proportion, the rest carried. No pool and no breaker.
#[must_use]
pub fn perpetual() -> Parts {
    let market = |id: u32| MarketTerms {
        id: MarketId(id),
        name: format!("PERP-{id}"),
        scale: ok(MarketScale::from_factor(FACTORS[id as usize])),
        settlement: USDC,
        lot_exponent: -3,
        tick_exponent: -2,
    };
    let marks = [0, 1].map(|m| price(Instrument::Market(MarketId(m)), PriceRole::Mark));
    let mut prices: Vec<PriceRule> =
        [0, 1].map(|m| price(Instrument::Market(MarketId(m)), PriceRole::Index)).into();
    prices.extend(marks);
    prices.push(price(Instrument::Asset(ETH), PriceRole::Index));
    let asset = |id, name: &str, scale, numeraire| AssetTerms { id, name: name.into(), scale, numeraire };
    let accruals = [0, 1]
        .map(|m| AccrualRule { subject: AccrualSubject::Market(MarketId(m)), rule: modules::funding() });
    let layer = |id, name: &str, contribution| LayerTerms { id, name: name.into(), contribution };
    Parts {
        assets: vec![asset(USDC, "USDC", usdc_scale(), true), asset(ETH, "ETH", eth_scale(), false)],
        markets: vec![market(0), market(1)],
        pools: Vec::new(),
        prices,
        permits: PermitTiers::new(PermitTable::standard()),
        accruals: accruals.into(),
        margin: Box::new(margin(&|_| Box::new(ok(Flat::new(MAINTENANCE, INITIAL))))),
        liquidation: Box::new(ok(PartialToTarget::new(
            order_terms(),
            Level::LiquidationEnd,
            Quanta::ZERO,
            Quanta::ZERO,
        ))),
        placement: None,
        guards: Vec::new(),
        layers: vec![layer(FUND, "fund", Ppb::ONE), layer(PROMISE, "promise", Ppb::ZERO)],
        waterfall: Box::new(ok(Programme::new(vec![Entry::fund(FUND), Entry::fund(PROMISE)]))),
        allocation: Box::new(ok(InOrder::new(vec![Box::new(ProRataAllocation), Box::new(CarryDeficit)]))),
        breakers: Vec::new(),
        breaker_names: Vec::new(),
        event: EventRule {
            opens_at: Quanta::new(1_000_000_000_000),
            window: Millis(60_000),
            quiet: Millis(600_000),
        },
    }
}

/// [`perpetual`] with a constant-product pool in market 0.
#[must_use]
pub fn with_pool() -> Parts {
    let mut parts = perpetual();
    parts.pools.push(PoolTerms {
        id: TRADING_POOL,
        name: "amm".into(),
        kind: PoolKind::Trading { market: MarketId(0), pricing: modules::constant_product() },
    });
    parts
}

/// A lending pool of USDC against ETH, interest by a kinked curve, keepers, an escrowed fund, suppliers written down. No
/// position is ever opened, but the markets are there.
#[must_use]
pub fn lending() -> Parts {
    let mut parts = perpetual();
    parts.pools.push(PoolTerms {
        id: LENDING_POOL,
        name: "usdc".into(),
        kind: PoolKind::Lending { asset: USDC, floor: None, priced: None },
    });
    parts
        .accruals
        .push(AccrualRule { subject: AccrualSubject::Pool(LENDING_POOL), rule: modules::interest() });
    parts.liquidation = modules::keepers(LENDING_POOL);
    parts.allocation = Box::new(ok(InOrder::new(vec![
        Box::new(ok(WriteDownPool::new(LENDING_POOL, USDC, None))),
        Box::new(CarryDeficit),
    ])));
    parts
}
