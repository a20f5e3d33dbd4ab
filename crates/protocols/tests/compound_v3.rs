//! Compound III: the venue's own numbers, an absorption and a purchase end to end, what it refuses, and the laws it breaks.
//!
//! Sources: compound-finance/comet. `quote`: test/quote-collateral-test.ts@c3c7ad0d; `absorb`: test/absorb-test.ts@0009c80b; `liquidatable`:
//! test/is-liquidatable-test.ts@171d3504; `buy`: test/buy-collateral-test.ts@015240bf; each by the name of its test.

use cofferdam_core::{
    Amount, AssetId, AssetScale, BalanceView, DebtView, GroupId, GroupView, Holder, Item, Level, MathError,
    PoolId, Ppb, PriceView, Scaled, Ticks,
};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, Plan, Refusal, Step, Taker,
    conformance::{Bench, Law, check_strategy},
};
use cofferdam_margin_engine::{AssetTerms, CrossMargin, Levels, MarginModel};
use cofferdam_protocols::{
    compound_v3::{Absorb, AbsorbTerms},
    preset,
};
use cofferdam_stack::{Answer, Reason, StackConfig};
use cofferdam_testkit::Scene;
use proptest::prelude::*;

const E18: i128 = 1_000_000_000_000_000_000;
const RESERVES: GroupId = GroupId(800);

/// A market whose collaterals (assets 1 and 2) have one factor; both in units of 1e-4.
fn market(factor: u32, storefront: u32, target: i128) -> Absorb {
    Absorb::new(AbsorbTerms {
        pool: PoolId(0),
        base: AssetId(0),
        reserves: RESERVES,
        factors: vec![(AssetId(1), factor), (AssetId(2), factor)],
        storefront,
        target: Amount::new(target),
    })
    .unwrap()
}

/// A group: USDC owed and held, and collateral as decimals, price in 1e-8 and atoms.
fn account(group: GroupId, owed: i128, usdc: i128, held: &[(u8, i64, i128)]) -> Bench {
    let mut bench = Bench::lending(0, 0);
    (bench.group, bench.weight) = (group, Ppb(1)); // below maintenance by the bench's own model
    let coins = [(6, 100_000_000, usdc)].into_iter().chain(held.iter().copied());
    for ((decimals, price, _), a) in coins.clone().zip(&mut bench.assets) {
        a.scale = AssetScale { decimals, price_exponent: -8, quantum_exponent: -8 };
        a.price = PriceView::exact(Ticks::new(price), a.price.as_of);
    }
    let balance =
        |(i, (_, _, x)): (u32, (u8, i64, i128))| BalanceView { asset: AssetId(i), amount: Amount::new(x) };
    bench.balances = (0..).zip(coins).map(balance).filter(|b| !b.amount.is_zero()).collect();
    bench.debts.clear();
    if owed > 0 {
        let scaled = Scaled::new(owed.unsigned_abs());
        bench.debts.push(DebtView { asset: AssetId(0), owed: Amount::new(owed), scaled });
    }
    bench
}

const COMP: (u8, i64) = (18, 17_500_000_000);
const WETH: (u8, i64) = (18, 300_000_000_000);
const WBTC: (u8, i64) = (8, 4_100_000_000_000);

fn sum(plan: &Plan, holder: Holder, item: Item) -> i128 {
    let Step::Move(moved) = &plan.steps[0] else { panic!("{plan:?}") };
    moved.iter().filter(|p| p.holder == holder && p.item == item).map(|p| p.units).sum()
}

fn usdc(plan: &Plan, holder: Holder) -> i128 {
    sum(plan, holder, Item::Asset(AssetId(0)))
}

fn purchase(base: i128, asset: u32) -> Bid {
    let (give, want) = (Some((Item::Debt(AssetId(0)), base)), Some(Item::Asset(AssetId(asset))));
    Bid { by: Taker::Keeper(GroupId(3)), give, want, ..Bid::ENGINE }
}

#[test]
fn quotes_are_the_venues() {
    let check = |price: i64, storefront, factor, base, want, test: &str| {
        let bench = account(RESERVES, 0, 0, &[(18, price * 100_000_000, E18)]);
        let quote = bench.case(|c| market(factor, storefront, 100).quote(c, AssetId(1), Amount::new(base)));
        assert_eq!(quote.unwrap().unwrap().get(), want, "quote: {test}");
    };
    check(200, 5_000, 6_000, 200_000_000, 1_250_000_000_000_000_000, "for a positive base amount");
    check(200, 5_000, 10_000, 0, 0, "for a zero base amount");
    check(200, 0, 6_000, 200_000_000, E18, "at market price when the storefront factor is 0 %");
    check(9, 5_000, 8_000, 810_000_000, 100 * E18, "without truncating");
    check(200, 8_000, 7_500, 1_000_000_000_000_000_000_000, 6_250_000_000_000 * E18, "for large amounts");
}

#[test]
fn absorptions_are_the_venues() {
    let coin = |(decimals, price): (u8, i64), atoms| (decimals, price, atoms);
    let check = |held: &[(u8, i64, i128)], owed: i128, factor, surplus: i128, test: &str| {
        let bench = account(GroupId(7), owed, 0, held);
        let plan = check_strategy(&bench, &market(factor, 5_000, 0), &Bid::ENGINE).unwrap().unwrap();
        assert_eq!(usdc(&plan, Holder::Pool(PoolId(0))), owed, "absorb: {test}: the pool is paid all of it");
        assert_eq!(usdc(&plan, Holder::Group(GroupId(7))), surplus, "{test}");
        assert_eq!(usdc(&plan, Holder::Group(RESERVES)), -owed - surplus, "{test}: by the reserves");
        for (i, (_, _, atoms)) in (1..).zip(held) {
            assert_eq!(
                sum(&plan, Holder::Group(RESERVES), Item::Asset(AssetId(i))),
                *atoms,
                "{test}: all collateral"
            );
        }
        assert_eq!(
            sum(&plan, Holder::Group(GroupId(7)), Item::Debt(AssetId(0))),
            -owed,
            "{test}: no debt stays"
        );
    };
    // three accounts: 1e6 against 1e-6 COMP, 1e12 against 10 COMP and 1 WETH, 1e18 against (the largest two of) three collaterals
    check(&[coin(COMP, 1_000_000_000_000)], 1_000_000, 10_000, 0, "3 accounts, first");
    check(&[coin(COMP, 10 * E18), coin(WETH, E18)], 1_000_000_000_000, 10_000, 0, "3 accounts, second");
    check(&[coin(COMP, 10_000 * E18), coin(WBTC, 5_000_000_000)], E18, 10_000, 0, "3 accounts, third");
    // 41,000 + 3,000 + 175 less one atom are owed; two collaterals of the same worth here
    let owed = 44_175_000_000 - 1;
    check(
        &[coin(WBTC, 100_000_000), coin((18, 317_500_000_000), E18)],
        owed,
        10_000,
        1,
        "more than enough collateral",
    );
    check(&[(18, 10_000_000_000, E18)], 150_000_000, 6_000, 0, "semantics of factors: 100 x 0.6 for 150");
    let none =
        account(GroupId(7), 0, 100, &[coin(COMP, E18)]).plan(&market(10_000, 0, 0), &Bid::ENGINE).unwrap();
    assert_eq!(none, Err(Refusal::Healthy), "absorb: NotLiquidatable");
}

/// By the margin model that the preset uses.
#[test]
fn who_is_liquidatable_is_the_venues() {
    let check = |owed: i128, comp: i128, price: i64, factor: i64, want: bool, test: &str| {
        let bench = account(GroupId(7), owed, 0, &[(18, price, comp * E18)]);
        let weight = Ppb(factor * 100_000);
        let terms = AssetTerms {
            collateral_initial: weight,
            collateral_maintenance: weight,
            ..AssetTerms::full(AssetId(1))
        };
        let model = CrossMargin::new(Levels::default(), vec![terms], vec![]).unwrap();
        let (balances, debts) = (&bench.balances, &bench.debts);
        let group = GroupView { id: GroupId(7), positions: &[], balances, debts };
        assert_eq!(
            model.assess(&group, &bench).unwrap().below(Level::Maintenance),
            want,
            "liquidatable: {test}"
        );
    };
    check(0, 0, 100_000_000, 10_000, false, "defaults to false");
    check(1_000_000, 0, 100_000_000, 10_000, true, "owes principal");
    check(100_000_000_000, 100_000, 100_000_000, 10_000, false, "collateral can cover");
    check(100_000_000_000, 95_000, 100_000_000, 10_000, true, "collateral cannot cover");
    check(100_000_000_000, 100_000, 100_000_000, 8_000, true, "liquidate factor of 0.8");
    check(100_000_000_000, 100_000, 50_000_000, 10_000, true, "price drops");
}

#[test]
fn refusals_are_the_venues() {
    let comp = [(18, 100_000_000, 50 * E18)];
    let at_market = |target| market(10_000, 5_000, target);
    let above = account(RESERVES, 0, 100_000_000, &comp);
    let answer = above.plan(&at_market(0), &purchase(50_000_000, 1)).unwrap();
    let takes = "purchases while reserves are below their target";
    assert_eq!(answer, Err(Refusal::NotForThisBid { takes }), "buy: NotForSale");
    let open = account(RESERVES, 0, 0, &comp);
    let greedy = Bid { at_least: Some(100 * E18), ..purchase(50_000_000, 1) };
    let answer = open.plan(&at_market(100), &greedy).unwrap();
    assert_eq!(answer, Err(Refusal::BelowAsk { offered: 50 * E18 }), "buy: TooMuchSlippage");
    let answer = open.plan(&at_market(100), &purchase(200_000_000, 1)).unwrap();
    assert_eq!(answer, Err(Refusal::TooMuch { max: 50_000_000 }), "buy: not enough collateral");
    assert!(open.plan(&at_market(100), &purchase(50_000_000, 1)).unwrap().is_ok());
}

#[test]
fn an_absorption_and_a_purchase_end_to_end() {
    let mut scene = Scene::new(&preset("compound-v3").unwrap().config().unwrap());
    let (supplier, borrower, buyer, short, reserves) = (1, 2, 3, 4, 800);
    let _ = scene.quote("ETH", "2000");
    let _ = scene.deposit(supplier, "USDC", "1000000");
    assert_eq!(scene.supply(supplier, "usdc-pool", "USDC", "1000000"), Answer::Done);
    let _ = scene.deposit(reserves, "USDC", "50000");
    let _ = scene.deposit(buyer, "USDC", "30000");
    let _ = scene.deposit(borrower, "ETH", "10");
    assert_eq!(scene.borrow(borrower, "usdc-pool", "USDC", "16500"), Answer::Done);
    let empty = scene.bid(buyer, reserves, ("USDC", "1755"), ("ETH", "1"));
    assert!(format!("{empty:?}").contains("TooMuch { max: 0 }"), "nothing was absorbed yet: {empty:?}");

    // 18,000 x 89.5 % = 16,110 < 16,500: absorbed at 18,000 x 95 % = 17,100, and 600 are the account's
    let _ = scene.quote("ETH", "1800");
    assert_eq!(scene.posted(Reason::Takeover), 1);
    assert_eq!((scene.balance(borrower, "ETH"), scene.balance(borrower, "USDC")), ("0".into(), "600".into()));
    assert_eq!(
        (scene.balance(reserves, "ETH"), scene.balance(reserves, "USDC")),
        ("10".into(), "32900".into())
    );

    // the storefront: 1,800 x (1 - 0.5 x 0.05) = 1,755
    let refused = scene.bid(buyer, reserves, ("USDC", "1755"), ("ETH", "1.000001"));
    assert!(format!("{refused:?}").contains("BelowAsk"), "{refused:?}");
    let refused = scene.bid(buyer, reserves, ("USDC", "17550.01"), ("ETH", "0"));
    assert!(format!("{refused:?}").contains("TooMuch { max: 17550000000 }"), "{refused:?}");
    assert_eq!(scene.bid(buyer, reserves, ("USDC", "1755"), ("ETH", "1")), Answer::Done);
    assert_eq!((scene.balance(buyer, "ETH"), scene.balance(reserves, "USDC")), ("1".into(), "34655".into()));

    // a fall past everything: the reserves pay what the collateral does not, and nothing is the account's
    let _ = scene.deposit(short, "ETH", "10");
    assert_eq!(scene.borrow(short, "usdc-pool", "USDC", "14850"), Answer::Done);
    let _ = scene.quote("ETH", "1200");
    assert_eq!((scene.balance(short, "ETH"), scene.balance(short, "USDC")), ("0".into(), "0".into()));
    assert_eq!(
        (scene.balance(reserves, "ETH"), scene.balance(reserves, "USDC")),
        ("19".into(), "19805".into())
    );
    assert_eq!(scene.posted(Reason::BadDebt), 0, "suppliers bear nothing while the reserves can");
    scene.check();
}

/// INV-7, declared as broken: reserves without money absorb as long as what they hold is worth what they owe; a purchase brings money in.
#[test]
fn reserves_go_below_zero_and_no_further() {
    let mut scene = Scene::new(&preset("compound-v3").unwrap().config().unwrap());
    let (supplier, first, second, buyer, reserves) = (1, 2, 4, 3, 800);
    let _ = scene.quote("ETH", "2000");
    let _ = scene.deposit(supplier, "USDC", "1000000");
    assert_eq!(scene.supply(supplier, "usdc-pool", "USDC", "1000000"), Answer::Done);
    let _ = scene.deposit(buyer, "USDC", "30000");
    let _ = scene.deposit(first, "ETH", "10");
    let _ = scene.deposit(second, "ETH", "10");
    assert_eq!(scene.borrow(first, "usdc-pool", "USDC", "16500"), Answer::Done);
    assert_eq!(scene.borrow(second, "usdc-pool", "USDC", "14500"), Answer::Done);
    let _ = scene.quote("ETH", "1800");
    assert_eq!(
        (scene.balance(reserves, "ETH"), scene.balance(reserves, "USDC")),
        ("10".into(), "-17100".into())
    );
    // 12,000 of ETH for 14,500 more: nobody can bear that, and nothing happens
    let _ = scene.quote("ETH", "1200");
    assert_eq!((scene.balance(second, "ETH"), scene.posted(Reason::Takeover)), ("10".into(), 1));
    // at 1,200 x 0.975
    assert_eq!(scene.bid(buyer, reserves, ("USDC", "1170"), ("ETH", "1")), Answer::Done);
    assert_eq!(scene.balance(reserves, "USDC"), "-15930");
    scene.check();
}

/// INV-26, declared as broken: reserves that sold all they had and still owe are the suppliers' loss.
#[test]
fn inv26_what_the_reserves_cannot_pay_suppliers_do() {
    let mut scene = Scene::new(&preset("compound-v3").unwrap().config().unwrap());
    let (supplier, short, buyer, reserves) = (1, 2, 3, 800);
    let _ = scene.quote("ETH", "2000");
    let _ = scene.deposit(supplier, "USDC", "1000000");
    assert_eq!(scene.supply(supplier, "usdc-pool", "USDC", "1000000"), Answer::Done);
    let _ = scene.deposit(buyer, "USDC", "30000");
    let _ = scene.deposit(short, "ETH", "10");
    assert_eq!(scene.borrow(short, "usdc-pool", "USDC", "16500"), Answer::Done);
    let _ = scene.quote("ETH", "1800");
    assert_eq!(scene.balance(reserves, "USDC"), "-17100");
    let _ = scene.quote("ETH", "1200");
    assert_eq!(scene.bid(buyer, reserves, ("USDC", "11700"), ("ETH", "10")), Answer::Done);
    assert_eq!((scene.balance(reserves, "ETH"), scene.balance(reserves, "USDC")), ("0".into(), "0".into()));
    assert_eq!(scene.deficit("USDC"), "0");
    assert_eq!((scene.posted(Reason::BadDebt), scene.posted(Reason::WriteDown)), (1, 1));
    scene.check();
}

#[test]
fn parameters_outside_the_venues_are_refused_by_its_rule() {
    let check = |from: &str, to: &str, place: &str, rule: &str| {
        let text = preset("compound-v3").unwrap().stack;
        assert!(text.contains(from), "{from}");
        let config = StackConfig::from_toml(&text.replacen(from, to, 1), "compound-v3.toml").unwrap();
        let error = config.build().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(place) && error.contains(rule), "{error}");
    };
    check("storefront = \"0.5\"", "storefront = \"1.01\"", "liquidation.storefront", "BadDiscount");
    check("storefront = \"0.5\"", "storefront = \"0.00001\"", "liquidation.storefront", "four decimals");
    check("factor = \"0.95\"", "factor = \"1.5\"", "liquidation.collaterals[0].factor", "at most 1");
    check("factor = \"0.95\"", "factor = \"0\"", "liquidation.collaterals[0].factor", "above 0");
    check("collateral_initial = \"0.825\"", "collateral_initial = \"0.9\"", "margin.base.assets[0]", "");
}

#[test]
fn beyond_the_widths_is_an_error() {
    let bench = account(GroupId(7), 1, 0, &[(0, i64::MAX, 1 << 119)]);
    let credit = bench.case(|c| market(9_500, 0, 0).credit(c));
    assert_eq!(credit, Err(LiquidationError::Math(MathError::Overflow)));
}

/// INV-17, declared as broken: the reserves sell though nothing is wrong with them.
#[test]
fn inv17_reserves_in_good_health_sell() {
    let reserves = account(RESERVES, 0, 0, &[(18, 100_000_000, 50 * E18)]);
    assert!(!reserves.health().unwrap().below(Level::Maintenance));
    let caught = check_strategy(&reserves, &market(9_500, 5_000, 100), &purchase(1_000_000, 1)).unwrap_err();
    assert_eq!(caught.law, Law::OnlyUnhealthy);
}

/// INV-19, declared as broken: all of 100,000 goes for the lack of an atom.
#[test]
fn inv19_an_account_goes_whole() {
    let mut bench = account(GroupId(7), 89_500_000_001, 0, &[(18, 100_000_000, 100_000 * E18)]);
    bench.weight = Ppb(895_000_000);
    let plan = bench.plan(&market(9_500, 5_000, 0), &Bid::ENGINE).unwrap().unwrap();
    assert_eq!(sum(&plan, Holder::Group(RESERVES), Item::Asset(AssetId(1))), 100_000 * E18);
}

proptest! {
    /// INV-1, INV-17, INV-20, INV-22 and INV-23 on any account: whole or not at all, and no debt stays.
    #[test]
    fn absorptions_keep_the_laws(held in 1_i128..1 << 80, price in 1_i64..1 << 50, owed in 1_i128..1 << 60, factor in 1_u32..10_001) {
        let (bench, strategy) = (account(GroupId(7), owed, 0, &[(18, price, held)]), market(factor, 5_000, 0));
        let Ok(plan) = check_strategy(&bench, &strategy, &Bid::ENGINE).unwrap() else { return Ok(()) };
        let credit = bench.case(|c| strategy.credit(c)).unwrap().get();
        prop_assert_eq!(usdc(&plan, Holder::Group(GroupId(7))), (credit - owed).max(0));
        prop_assert_eq!(usdc(&plan, Holder::Pool(PoolId(0))), owed);
        prop_assert_eq!(sum(&plan, Holder::Group(GroupId(7)), Item::Debt(AssetId(0))), -owed);
    }

    /// A purchase never buys for less than the discounted price, nor more than there is.
    #[test]
    fn the_storefront_never_sells_below_its_price(held in 1_i128..1 << 80, price in 1_i64..1 << 50, base in 1_i128..1 << 60,
                                                  factor in 1_u32..10_001, storefront in 0_u32..10_001) {
        let (bench, strategy) = (account(RESERVES, 0, 0, &[(18, price, held)]), market(factor, storefront, 1));
        let answer = bench.plan(&strategy, &purchase(base, 1));
        // a price that the discount makes nothing of has no quotient: an error, never a gift
        let Ok(Ok(plan)) = answer else { return Ok(()) };
        let sold = sum(&plan, Holder::Group(GroupId(3)), Item::Asset(AssetId(1)));
        prop_assert!(sold <= held);
        let least = i128::from(price) * (100_000_000 - i128::from(storefront) * (10_000 - i128::from(factor))) / 100_000_000;
        prop_assert!(sold / 1_000_000_000_000 * least <= base * 100_000_000);
    }
}
