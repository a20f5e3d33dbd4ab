//! Who opens gets the adverse end of a price, who is liquidated its middle.

mod common;
use cofferdam_core::*;
use cofferdam_margin_engine::*;

const ETH: AssetId = AssetId(1);
const USD: AssetId = AssetId(0);

fn base() -> Box<dyn MarginModel> {
    let eth = AssetTerms { collateral_initial: Ppb(800_000_000), ..AssetTerms::full(ETH) };
    let levels = Levels { liquidation_buffer: Some(Ppb(0)), ..Levels::default() };
    Box::new(CrossMargin::new(levels, vec![AssetTerms::full(USD), eth], vec![]).unwrap())
}

fn sheet(low: i64, mid: i64, high: i64) -> common::Sheet {
    let mut sheet = common::Sheet::default();
    sheet.assets.insert(USD, common::asset(0, 1, 1));
    let mut eth = common::asset(1, mid, mid);
    eth.price = PriceView { low: Ticks::new(low), mid: Ticks::new(mid), high: Ticks::new(high), ..eth.price };
    sheet.assets.insert(ETH, eth);
    sheet
}

fn slack(
    model: &dyn MarginModel,
    sheet: &common::Sheet,
    held: i128,
    owed: (AssetId, i128),
    level: Level,
) -> Option<i128> {
    let balances = [BalanceView { asset: if owed.0 == ETH { USD } else { ETH }, amount: Amount::new(held) }];
    let scaled = Scaled::new(owed.1.unsigned_abs());
    let debts = [DebtView { asset: owed.0, owed: Amount::new(owed.1), scaled }];
    let view = GroupView { id: GroupId(1), positions: &[], balances: &balances, debts: &debts };
    Some(model.assess(&view, sheet).unwrap().line(level)?.slack())
}

#[test]
fn the_width_of_a_price_counts_for_opening_only() {
    let model = MiddleMaintenance::new(base());
    let (wide, narrow) = (sheet(50, 100, 150), sheet(100, 100, 100));
    for (held, owed) in [(1_000, (USD, 30_000)), (200_000, (ETH, 1_000))] {
        for level in Level::ALL {
            let at = |model: &dyn MarginModel, sheet| slack(model, sheet, held, owed, level);
            let found = at(&model, &wide);
            let opens = !matches!(level, Level::Backstop | Level::Maintenance | Level::LiquidationEnd);
            assert_eq!(found, at(&*base(), if opens { &wide } else { &narrow }), "{level:?}");
            if opens && found.is_some() {
                assert!(found < at(&*base(), &narrow), "{level:?} reads the ends");
            }
        }
    }
}

#[test]
fn a_box_is_that_of_the_middle() {
    let model = MiddleMaintenance::new(base());
    let balances = [BalanceView { asset: ETH, amount: Amount::new(1_000) }];
    let debts = [DebtView { asset: USD, owed: Amount::new(60_000), scaled: Scaled::new(60_000) }];
    let view = GroupView { id: GroupId(1), positions: &[], balances: &balances, debts: &debts };
    let (wide, narrow) = (sheet(50, 100, 150), sheet(100, 100, 100));
    for (level, as_if) in [(Level::Maintenance, &narrow), (Level::Initial, &wide)] {
        assert_eq!(
            model.safe_ranges(&view, &wide, level),
            base().safe_ranges(&view, as_if, level),
            "{level:?}"
        );
    }
    assert!(
        model.safe_ranges(&view, &wide, Level::Maintenance)
            != base().safe_ranges(&view, &wide, Level::Maintenance)
    );
}
