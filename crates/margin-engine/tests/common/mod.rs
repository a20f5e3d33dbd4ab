//! A small world for tests: assets by id, markets by id, and generators.
#![allow(dead_code, unreachable_pub, missing_docs)]

use cofferdam_core::*;
use cofferdam_margin_engine::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

#[derive(Clone, Debug, Default)]
pub struct Sheet {
    pub markets: BTreeMap<MarketId, MarketView>,
    pub assets: BTreeMap<AssetId, AssetView>,
    pub scenarios: BTreeMap<MarketId, Scenarios>,
}

impl World for Sheet {
    fn market(&self, id: MarketId) -> Option<&MarketView> {
        self.markets.get(&id)
    }
    fn asset(&self, id: AssetId) -> Option<&AssetView> {
        self.assets.get(&id)
    }
    fn scenarios(&self, id: MarketId) -> Option<&Scenarios> {
        self.scenarios.get(&id)
    }
    fn bands(&self, _: cofferdam_core::GroupId) -> Option<cofferdam_core::Bands> {
        None
    }
}

pub fn price(low: i64, high: i64) -> PriceView {
    PriceView {
        low: Ticks::new(low),
        mid: Ticks::new(low.midpoint(high)),
        high: Ticks::new(high),
        state: PriceState::Good,
        as_of: Millis::ZERO,
    }
}

/// Asset 0 is the numeraire (price one, a quantum is an atom); the others have prices of two decimals.
pub fn asset(id: u32, low: i64, high: i64) -> AssetView {
    let scale = if id == 0 { AssetScale::new(6, 0, -6) } else { AssetScale::new(4, -2, -6) };
    AssetView { id: AssetId(id), scale: scale.unwrap(), price: price(low, high), debt_index: Index::START }
}

pub fn market(id: u32, low: i64, high: i64, settlement: u32) -> MarketView {
    MarketView {
        id: MarketId(id),
        scale: MarketScale::from_factor(10 + i64::from(id)).unwrap(),
        settlement: AssetId(settlement),
        mark: price(low, high),
        previous_mark: Ticks::new(low),
        index: price(low, high),
        open_interest: Lots::new(1_000),
        funding: FundingIndex::ZERO,
        volatility: Ppb(300_000_000),
    }
}

/// Markets 0..6: flat, tiered, size-scaled, open-interest-scaled, volatility-scaled, combined; 6 is flat and settled in
/// asset 2.
pub const MARKETS: u32 = 7;
/// Requirements 0..9: those of the markets, and 7 linear in the size, 8 stepped.
pub const REQUIREMENTS: u32 = 9;
/// Assets 0..4; asset 4 has no terms.
pub const ASSETS: u32 = 4;

pub fn requirement(id: u32) -> Box<dyn Requirement> {
    let flat = Flat::new(Ppb(50_000_000), Ppb(100_000_000)).unwrap();
    let tier = |lower, m, i| Tier { lower: Quanta::new(lower), maintenance: Ppb(m), initial: Ppb(i) };
    let tiers = vec![
        tier(0, 10_000_000, 20_000_000),
        tier(5_000_000, 20_000_000, 40_000_000),
        tier(40_000_000, 100_000_000, 200_000_000),
    ];
    let volatility = VolatilityScaled::new(Ppb(100_000_000), Ppb(200_000_000), Ppb(200_000_000)).unwrap();
    let (lower, upper) = (Quanta::new(1_000_000), Quanta::new(900_000_000));
    let interest = OpenInterestScaled::new(Ppb(30_000_000), Ppb(60_000_000), lower, upper).unwrap();
    match id {
        1 => Box::new(Tiered::new(tiers).unwrap()),
        2 => Box::new(
            SizeScaled::new(Ppb(30_000_000), Ppb(60_000_000), Ppb(1_000_000), Lots::new(10)).unwrap(),
        ),
        3 => Box::new(interest),
        4 => Box::new(volatility),
        5 => Box::new(
            Combined::new(Box::new(Tiered::new(tiers).unwrap()))
                .with(Join::Max, Box::new(flat))
                .with(Join::Sum, Box::new(volatility)),
        ),
        7 => Box::new(LinearSize::new(Ppb(10_000_000), Ppb(20_000_000), Ppb(50_000), Lots::new(10)).unwrap()),
        8 => {
            let row = |upper, m, i| Bracket { upper: Lots::new(upper), maintenance: Ppb(m), initial: Ppb(i) };
            let rows = vec![row(500, 10_000_000, 13_000_000), row(1_000, 15_000_000, 20_000_000)];
            Box::new(Stepped::new(rows).unwrap())
        }
        _ => Box::new(flat),
    }
}

pub fn levels() -> Levels {
    Levels {
        backstop: Some(Ppb(666_666_667)),
        liquidation_buffer: Some(Ppb(20_000_000)),
        fill: Some(Ppb(500_000_000)),
        withdraw_floor: Ppb(100_000_000),
    }
}

pub fn model_with(gain: Ppb) -> CrossMargin {
    let terms = |id| AssetTerms {
        asset: AssetId(id),
        collateral_initial: Ppb(700_000_000),
        collateral_maintenance: Ppb(850_000_000),
        liability_initial: Ppb(1_200_000_000),
        liability_maintenance: Ppb(1_050_000_000),
    };
    let assets = vec![terms(3), terms(1), AssetTerms::full(AssetId(0)), terms(2)];
    let market = |id| MarketTerms { gain_initial: gain, ..MarketTerms::new(MarketId(id), requirement(id)) };
    CrossMargin::new(levels(), assets, (0..MARKETS).rev().map(market).collect()).unwrap()
}

pub fn model() -> CrossMargin {
    model_with(Ppb::ONE)
}

prop_compose! {
    pub fn interval(most: i64)(low in 1..most, permille in prop_oneof![Just(0), 0..300_i64]) -> (i64, i64) {
        (low, low + low * permille / 1_000)
    }
}

prop_compose! {
    pub fn sheet()(
        marks in prop::collection::vec(interval(100_000), MARKETS as usize),
        prices in prop::collection::vec(interval(100_000), ASSETS as usize),
        funding in prop::collection::vec(-(1_i128 << 40)..1 << 40, MARKETS as usize),
        index in prop::collection::vec(0_u128..RAY, ASSETS as usize),
        terms in (1_i64..1_000, 0_i64..2_000_000_000),
    ) -> Sheet {
        let mut sheet = Sheet::default();
        for (id, ((low, high), funding)) in (0..).zip(marks.into_iter().zip(funding)) {
            let mut m = market(id, low, high, if id == 6 { 2 } else { 0 });
            (m.funding, m.open_interest, m.volatility) =
                (FundingIndex::new(funding), Lots::new(terms.0), Ppb(terms.1));
            sheet.markets.insert(m.id, m);
        }
        sheet.assets.insert(AssetId(0), asset(0, 1, 1));
        for (id, ((low, high), index)) in (1..).zip(prices.into_iter().zip(index)) {
            let mut a = asset(id, low, high);
            a.debt_index = Index::new(RAY + index);
            sheet.assets.insert(a.id, a);
        }
        sheet
    }
}

#[derive(Clone, Copy, Debug)]
pub struct Step {
    pub item: Item,
    pub units: i128,
    pub cost: i128,
    pub funding: i128,
}

pub fn step() -> impl Strategy<Value = Step> {
    let position =
        (0..MARKETS, -200_i128..200, -30_000_000_i128..30_000_000, -(1_i128 << 40)..1 << 40).prop_map(
            |(m, units, cost, funding)| Step { item: Item::Position(MarketId(m)), units, cost, funding },
        );
    let balance = (0..=ASSETS, -1_000_000_i128..40_000_000).prop_map(|(a, units)| Step {
        item: Item::Asset(AssetId(a)),
        units,
        cost: 0,
        funding: 0,
    });
    let debt = (0..ASSETS, -10_000_i128..20_000).prop_map(|(a, units)| Step {
        item: Item::Debt(AssetId(a)),
        units,
        cost: 0,
        funding: 0,
    });
    prop_oneof![3 => position, 2 => balance, 1 => debt]
}

pub fn apply(account: &mut Account, s: &Step) -> Result<(), BookError> {
    account.apply(s.item, s.units, Quanta::new(s.cost), FundingIndex::new(s.funding))
}

pub fn account() -> impl Strategy<Value = Account> {
    prop::collection::vec(step(), 0..10).prop_map(|steps| {
        let mut account = Account::new();
        for s in &steps {
            let _ = apply(&mut account, s); // a debt below zero is refused: then nothing changes
        }
        account
    })
}

/// An account near its maintenance level: costs of random positions near their value.
pub fn near(account: &Account, sheet: &Sheet, offset: i128) -> Account {
    let mut fresh = Account::new();
    for p in account.positions() {
        let m = &sheet.markets[&p.market];
        let cost = m.scale.notional(p.lots, m.mark.mid).unwrap();
        fresh.apply(Item::Position(p.market), i128::from(p.lots.get()), cost, m.funding).unwrap();
    }
    let model = model();
    let mut holdings = Holdings::new();
    fresh.view(sheet, &mut holdings).unwrap();
    let slack = model.line(&holdings.group(GroupId(0)), sheet, Level::Maintenance).unwrap().unwrap().slack();
    let cash = Item::Asset(AssetId(0));
    let amount = (offset - slack).max(0);
    fresh.apply(cash, amount, Quanta::ZERO, FundingIndex::ZERO).unwrap();
    fresh
}
