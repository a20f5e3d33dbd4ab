//! The requirement inside a cross-margin model, and the laws of its slot: it never falls as a position or its price grows
//! (INV-14), an add-on never lowers what stands before it, and the answer at a stricter level is never smaller.

use acme_liquidity_horizon::LiquidityHorizon;
use cofferdam_core::{
    Amount, AssetId, AssetScale, AssetView, BalanceView, FundingIndex, GroupId, GroupView, Index, Level,
    Lots, MarketId, MarketScale, MarketView, Millis, PositionView, Ppb, PriceView, Quanta, Rounding, Ticks,
    World,
};
use cofferdam_margin_engine::{
    AssetTerms, Combined, CrossMargin, Flat, Join, Levels, MarginError, MarginModel, MarketTerms, Pieces,
    Reads, Requirement, Stage,
};
use proptest::prelude::*;

const USD: AssetId = AssetId(0);
const ETH: MarketId = MarketId(0);
const SECOND: Millis = Millis(1_000);

/// One market in USD: lots of 0.001 ETH, ticks of 0.01 USD, quanta of 1e-6 USD.
struct OneMarket {
    usd: AssetView,
    eth: MarketView,
}

impl OneMarket {
    fn at(price: i64) -> Self {
        let mark = PriceView::exact(Ticks::new(price), SECOND);
        Self {
            usd: AssetView {
                id: USD,
                scale: AssetScale::new(6, -6, -6).unwrap(),
                price: PriceView::exact(Ticks::new(1_000_000), SECOND),
                debt_index: Index::START,
            },
            eth: MarketView {
                id: ETH,
                scale: MarketScale::from_factor(10).unwrap(),
                settlement: USD,
                mark,
                previous_mark: mark.mid,
                index: mark,
                open_interest: Lots::new(1_000_000),
                funding: FundingIndex::ZERO,
                volatility: Ppb::ZERO,
            },
        }
    }
}

impl World for OneMarket {
    fn market(&self, id: MarketId) -> Option<&MarketView> {
        (id == ETH).then_some(&self.eth)
    }

    fn asset(&self, id: AssetId) -> Option<&AssetView> {
        (id == USD).then_some(&self.usd)
    }
    fn scenarios(&self, _: MarketId) -> Option<&cofferdam_core::Scenarios> {
        None
    }
    fn bands(&self, _: cofferdam_core::GroupId) -> Option<cofferdam_core::Bands> {
        None
    }
}

fn horizon() -> LiquidityHorizon {
    LiquidityHorizon::new(Ppb(30_000_000), Ppb(50_000_000), Lots::new(100_000)).unwrap()
}

fn model(requirement: Box<dyn Requirement>) -> CrossMargin {
    let levels = Levels { backstop: None, liquidation_buffer: None, fill: None, withdraw_floor: Ppb::ZERO };
    let usd = AssetTerms {
        asset: USD,
        collateral_initial: Ppb::ONE,
        collateral_maintenance: Ppb::ONE,
        liability_initial: Ppb::ONE,
        liability_maintenance: Ppb::ONE,
    };
    CrossMargin::new(levels, vec![usd], vec![MarketTerms::new(ETH, requirement)]).unwrap()
}

/// Demand at a level, in whole USD, of so many lots bought at 1,000 USD.
fn demand(model: &CrossMargin, lots: i64, level: Level) -> i128 {
    let world = OneMarket::at(100_000);
    let cost = world.eth.scale.notional(Lots::new(lots), world.eth.mark.mid).unwrap();
    let positions = [PositionView { market: ETH, lots: Lots::new(lots), cost, funding: Quanta::ZERO }];
    let balances = [BalanceView { asset: USD, amount: Amount::new(1_000_000_000_000) }];
    let group = GroupView { id: GroupId(1), positions: &positions, balances: &balances, debts: &[] };
    let health = model.assess(&group, &world).unwrap();
    health.line(level).unwrap().demand.get() / 1_000_000
}

#[test]
fn what_a_position_needs() {
    let alone = model(Box::new(horizon()));
    let floor = Flat::new(Ppb(40_000_000), Ppb(50_000_000)).unwrap();
    let as_add_on = model(Box::new(Combined::new(Box::new(floor)).with(Join::Max, Box::new(horizon()))));
    // lots, days to sell, maintenance and initial alone (3 %, 5 %), maintenance over a floor of 4 %
    let cases = [
        (1_000, "0.01", 30, 50, 40),
        (100_000, "1", 3_000, 5_000, 4_000),
        (-400_000, "4", 24_000, 40_000, 24_000),
        (900_000, "9", 81_000, 135_000, 81_000),
    ];
    for (lots, days, maintenance, initial, over_a_floor) in cases {
        assert_eq!(demand(&alone, lots, Level::Maintenance), maintenance, "{days} days");
        assert_eq!(demand(&alone, lots, Level::Initial), initial, "{days} days");
        assert_eq!(demand(&as_add_on, lots, Level::Maintenance), over_a_floor, "{days} days, over a floor");
    }
}

#[test]
fn parameters_are_refused_by_name() {
    let refused = |maintenance: i64, initial: i64, lots: i64| {
        LiquidityHorizon::new(Ppb(maintenance), Ppb(initial), Lots::new(lots)).unwrap_err().to_string()
    };
    let cases = [
        (refused(-1, 5, 1), "maintenance is -1; accepted is 0 <= maintenance < 1e9 ppb (100 %)"),
        (refused(1_000_000_000, 1_000_000_000, 1), "maintenance is 1000000000; accepted is"),
        (refused(5, 4, 1), "initial is 4; accepted is maintenance <= initial"),
        (refused(5, 5, 0), "lots_per_day is 0; accepted is at least one lot"),
    ];
    for (message, beginning) in cases {
        assert!(message.starts_with(beginning), "{message}");
    }
}

/// Whether a requirement keeps its contract between two sizes and two prices.
fn keeps_the_contract(rule: &dyn Requirement, small: i64, large: i64, low: i64, high: i64) -> bool {
    let required = |stage, lots, price| {
        let world = OneMarket::at(price);
        let notional = world.eth.scale.absolute_notional(Lots::new(lots), Ticks::new(price)).unwrap();
        rule.required(stage, &world.eth, Lots::new(lots), notional).unwrap().get()
    };
    let steps = [Stage::Maintenance, Stage::Initial].into_iter().all(|stage| {
        let here = required(stage, small, low);
        here >= 0 && required(stage, large, low) >= here && required(stage, small, high) >= here
    });
    steps && required(Stage::Initial, small, low) >= required(Stage::Maintenance, small, low)
}

proptest! {
    #[test]
    fn the_requirement_keeps_the_contract(a in 1_i64..1 << 40, b in 1_i64..1 << 40, p in 1_i64..1 << 30, q in 1_i64..1 << 30) {
        let (small, large, low, high) = (a.min(b), a.max(b), p.min(q), p.max(q));
        prop_assert!(keeps_the_contract(&horizon(), small, large, low, high));
        prop_assert!(keeps_the_contract(&horizon(), -small, -large, low, high));
    }

    #[test]
    fn an_add_on_never_lowers(lots in 1_i64..1 << 30) {
        let base = || Flat::new(Ppb(30_000_000), Ppb(50_000_000)).unwrap();
        let before = demand(&model(Box::new(base())), lots, Level::Maintenance);
        for join in [Join::Max, Join::Sum] {
            let with = Combined::new(Box::new(base())).with(join, Box::new(horizon()));
            prop_assert!(demand(&model(Box::new(with)), lots, Level::Maintenance) >= before);
        }
    }
}

/// A discount for large positions, with a cliff: the law above has to notice.
#[derive(Debug)]
struct VolumeDiscount;

impl Requirement for VolumeDiscount {
    fn required(
        &self,
        _: Stage,
        _: &MarketView,
        lots: Lots,
        notional: Quanta,
    ) -> Result<Quanta, MarginError> {
        let rate = if lots.try_abs()?.get() > 100_000 { Ppb(10_000_000) } else { Ppb(30_000_000) };
        Ok(rate.of(notional, Rounding::Up)?)
    }

    fn pieces(&self, _: Stage, _: &MarketView) -> Result<Option<Pieces>, MarginError> {
        Ok(None)
    }

    fn reads(&self, _: Stage) -> Reads {
        Reads::default()
    }
}

#[test]
fn the_law_can_fail() {
    assert!(keeps_the_contract(&VolumeDiscount, 1_000, 100_000, 100, 100_000));
    assert!(!keeps_the_contract(&VolumeDiscount, 100_000, 100_001, 100, 100_000));
}
