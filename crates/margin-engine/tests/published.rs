//! Accounts of the literature, against the numbers that were published for them.

mod common;
use cofferdam_core::*;
use cofferdam_margin_engine::*;
use common::*;

/// One lot is one contract, one tick and one quantum a millionth.
const UNIT: i128 = 1_000_000;

/// T. Chitra, arXiv:2512.01112v3, the running example: size (long above zero) and collateral of A to E, opened at a price of 1.
const BOOK: [(i64, i128); 5] = [(1, 2_000_000), (1, 666_667), (-4, 2_666_667), (1, 105_263), (-1, 101_010)];

fn sheet(mark: i64, funding: i128) -> Sheet {
    let mut sheet = Sheet::default();
    sheet.assets.insert(AssetId(0), asset(0, 1, 1));
    let scale = MarketScale::from_factor(1).unwrap();
    let m = MarketView { scale, funding: FundingIndex::new(funding), ..common::market(0, mark, mark, 0) };
    sheet.markets.insert(m.id, m);
    sheet
}

fn account((size, collateral): (i64, i128)) -> Account {
    let mut account = Account::new();
    let cost = Quanta::new(i128::from(size) * UNIT);
    account.apply(Item::Position(MarketId(0)), i128::from(size), cost, FundingIndex::ZERO).unwrap();
    account.apply(Item::Asset(AssetId(0)), collateral, Quanta::ZERO, FundingIndex::ZERO).unwrap();
    account
}

fn model() -> CrossMargin {
    let tenth = Flat::new(Ppb(100_000_000), Ppb(100_000_000)).unwrap();
    let (cash, market) = (AssetTerms::full(AssetId(0)), MarketTerms::new(MarketId(0), Box::new(tenth)));
    CrossMargin::new(Levels::default(), vec![cash], vec![market]).unwrap()
}

/// Whether millionths are a published number to so much.
fn near(found: i128, published: f64, apart: f64) -> bool {
    (found as f64 / UNIT as f64 - published).abs() < apart
}

/// Equity after two rounds of funding. The rate of a round is kappa (long / short - mark / oracle), in the paper's sign: paid to longs.
#[test]
fn equities_of_the_running_example() {
    let check = |mark: f64, rounds: &[(f64, f64)], published: [f64; 5]| {
        // longs hold 3, shorts 5
        let paid = |&(mark, oracle): &(f64, f64)| -(3.0 / 5.0 - mark / oracle) * mark;
        let index: f64 = rounds.iter().map(paid).sum();
        let sheet = sheet(
            (mark * UNIT as f64).round() as i64,
            (index * UNIT as f64 * 2_f64.powi(32)).round() as i128,
        );
        for (one, equity) in BOOK.into_iter().zip(published) {
            let mut holdings = Holdings::new();
            account(one).view(&sheet, &mut holdings).unwrap();
            let found = model().assess(&holdings.group(GroupId(0)), &sheet).unwrap().equity.get();
            // two of the published figures are one in the fourth digit too high: 2.93333 as 2.9334, 5.62133 as 5.6214
            assert!(near(found, equity, 1.1e-4), "{one:?}: {found} is not {equity}");
        }
    };
    check(1.0, &[], [2.0, 0.6667, 2.6667, 0.1053, 0.1010]);
    check(1.4, &[(1.4, 1.5)], [1.9333, 0.6, 2.9334, 0.0386, 0.1677]);
    check(1.3, &[(1.4, 1.5), (1.3, 1.25)], [1.2613, -0.0720, 5.6214, -0.6334, 0.8397]);
}

/// Where each account is liquidated at a maintenance of 10 %, and where it is bankrupt. The paper prints 1.0010 for E's liquidation; the exact
/// price is (1 + 10 / 99) / 1.1 = 1.00092.
#[test]
fn prices_of_the_running_example() {
    let published = [
        (None, None),
        (Some(0.3704), Some(0.3333)),
        (Some(1.5152), Some(1.6667)),
        (Some(0.9942), Some(0.8947)),
        (Some(1.00092), Some(1.1010)),
    ];
    let sheet = sheet(1_000_000, 0);
    for (one, (liquidation, bankruptcy)) in BOOK.into_iter().zip(published) {
        let mut holdings = Holdings::new();
        account(one).view(&sheet, &mut holdings).unwrap();
        let limits =
            model().position_limits(&holdings.group(GroupId(0)), &sheet, Level::Maintenance).unwrap();
        let agrees = |found: Option<Ticks>, published: Option<f64>| match (found, published) {
            (Some(x), Some(y)) => near(x.get().into(), y, 5.1e-5),
            (None, None) => true,
            _ => false,
        };
        assert!(agrees(limits[0].liquidation, liquidation), "{one:?}: {limits:?}");
        assert!(agrees(limits[0].bankruptcy, bankruptcy), "{one:?}: {limits:?}");
    }
}
