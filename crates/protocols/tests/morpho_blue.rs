//! Morpho Blue: the venue's own numbers, its mechanism end to end, what it refuses.
//!
//! Sources: `sdk factor`: morpho-org/sdks packages/blue-sdk/test/unit/MarketUtils.test.ts@56d0bafc; `sdk position`: the same folder,
//! PreLiquidationPosition.test.ts@2a751d47 (a position in a market of 80 %); `code`: morpho-org/morpho-blue@3085651
//! src/libraries/ConstantsLib.sol; `doc`: docs.morpho.org, concepts, liquidation.

use cofferdam_core::{
    Amount, AssetId, AssetScale, BalanceView, DebtView, GroupId, Holder, Index, Item, MathError, PoolId, Ppb,
    PriceView, RAY, Scaled, Ticks,
};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, Plan, Refusal, Step, Taker,
    conformance::{Bench, check_strategy},
};
use cofferdam_protocols::{
    morpho_blue::{FACTOR_MAX, Liquidate, Market, incentive_factor},
    preset,
};
use cofferdam_stack::{Answer, Reason, Rejection, StackConfig};
use cofferdam_testkit::Scene;
use proptest::prelude::*;

const PER_PPB: i128 = 1_000_000_000;

fn market(lltv_ppb: i128) -> Liquidate {
    let (pool, loan, collateral) = (PoolId(0), AssetId(0), AssetId(1));
    Liquidate::new(Market { pool, loan, collateral, lltv: lltv_ppb * PER_PPB }).unwrap()
}

/// A position: collateral of so many decimals at a price in 10^-4, a loan of six decimals at one.
fn position(lltv_ppb: i64, held: i128, decimals: u8, price: i64, owed: i128) -> Bench {
    let mut bench = Bench::lending(0, 0);
    bench.weight = Ppb(lltv_ppb);
    bench.assets[1].scale = AssetScale { decimals, price_exponent: -4, quantum_exponent: -6 };
    bench.assets[1].price = PriceView::exact(Ticks::new(price), bench.assets[1].price.as_of);
    bench.balances = vec![BalanceView { asset: AssetId(1), amount: Amount::new(held) }];
    let scaled = Scaled::new(owed.unsigned_abs());
    bench.debts = vec![DebtView { asset: AssetId(0), owed: Amount::new(owed), scaled }];
    bench
}

fn bid(repaid: i128) -> Bid {
    let (give, want) = (Some((Item::Debt(AssetId(0)), repaid)), Some(Item::Asset(AssetId(1))));
    Bid { by: Taker::Keeper(GroupId(3)), give, want, ..Bid::ENGINE }
}

/// Repaid, seized, and what became the suppliers' loss.
fn outcome(plan: &Plan) -> (i128, i128, i128) {
    let Step::Move(moved) = &plan.steps[0] else { panic!("{plan:?}") };
    let sum = |holder, asset| -> i128 {
        let of = moved.iter().filter(|p| p.holder == holder && p.item == Item::Asset(AssetId(asset)));
        of.map(|p| p.units).sum()
    };
    let lost = plan.steps.iter().map(|s| if let Step::Loss { amount, .. } = s { amount.get() } else { 0 });
    (sum(Holder::Pool(PoolId(0)), 0), sum(Holder::Group(GroupId(3)), 1), lost.sum())
}

#[test]
fn incentive_factors_are_the_venues() {
    let check = |lltv_ppm: i128, want: i128, source: &str| {
        assert_eq!(incentive_factor(lltv_ppm * 1_000 * PER_PPB), Ok(want), "{lltv_ppm} {source}");
    };
    check(860_000, 1_043_841_336_116_910_229, "sdk factor");
    check(385_000, 1_150_000_000_000_000_000, "code: MAX_LIQUIDATION_INCENTIVE_FACTOR");
    let of_80 = incentive_factor(800_000_000 * PER_PPB).unwrap();
    assert_eq!(of_80 / 10_000_000_000_000_000, 106, "doc: about 1.06 at 80 %");
    // derived: cargo xtask derive morpho-blue
    check(625_000, 1_126_760_563_380_281_690, "derived");
    check(770_000, 1_074_113_856_068_743_286, "derived");
    check(800_000, 1_063_829_787_234_042_553, "derived");
    check(915_000, 1_026_167_265_264_238_070, "derived");
    check(945_000, 1_016_776_817_488_561_260, "derived");
    check(965_000, 1_010_611_419_909_044_972, "derived");
    check(980_000, 1_006_036_217_303_822_937, "derived");
}

/// `sdk position`: 200,000,000,000 of collateral at a price of one in a market of 80 %.
#[test]
fn a_position_is_the_venues() {
    let strategy = market(800_000_000);
    let most = |bench: &Bench| bench.case(|c| strategy.max_borrow(c)).unwrap().get();
    let healthy = position(800_000_000, 200_000_000_000, 6, 10_000, 50_000_000_000);
    let owed = healthy.debts[0].owed.get();
    assert_eq!(most(&healthy) - owed, 110_000_000_000, "healthy: borrow capacity limit");
    assert_eq!(most(&healthy) * 1_000_000_000_000_000_000 / owed, 3_200_000_000_000_000_000, "health factor");
    assert_eq!(owed * 1_000_000_000_000_000_000 / most(&healthy), 312_500_000_000_000_000, "capacity usage");
    let held = |x: i128| position(800_000_000, 200_000_000_000 - x, 6, 10_000, owed);
    assert_eq!(most(&held(137_500_000_000)), owed, "withdraw collateral capacity limit ...");
    assert!(most(&held(137_500_000_001)) < owed, "... and no atom more");
    let priced = |price| position(800_000_000, 200_000_000_000, 6, price, owed);
    assert_eq!(most(&priced(3_125)), owed, "liquidation price 0.3125 ...");
    assert!(most(&priced(3_124)) < owed, "... and no tick less");
    assert_eq!(healthy.plan(&strategy, &bid(1)).unwrap(), Err(Refusal::Healthy), "seizable: 0");
    let fallen = position(800_000_000, 200_000_000_000, 6, 10_000, 170_000_000_000);
    assert!(most(&fallen) < 170_000_000_000, "not healthy, borrow capacity limit 0");
    assert!(fallen.plan(&strategy, &bid(1_000)).unwrap().is_ok());
    // "may be liquidatable": 100,000,000,000 against as much, in the market of 86 % itself
    let under = position(860_000_000, 100_000_000_000, 6, 10_000, 100_000_000_000);
    assert!(under.plan(&market(860_000_000), &bid(1_000)).unwrap().is_ok());
}

/// Derived: cargo xtask derive morpho-blue, in this order.
#[test]
fn liquidations_by_a_second_implementation() {
    #[rustfmt::skip]
    let table: [(i64, i128, i64, i128, [i128; 3]); 5] = [
        // lltv, collateral, price, owed; most that may be borrowed, seized for half of the debt, paid for all of the collateral
        (860_000_000, 10_000_000_000_000_000_000, 20_000_000, 17_500_000_000, [17_200_000_000, 4_566_805_845_500_000_000, 19_160_000_001]),
        (860_000_000, 10_000_000_000_000_000_001, 19_999_990, 17_200_000_001, [17_199_991_400, 4_488_519_989_259_994_629, 19_159_990_421]),
        (770_000_000, 333_333_333_333_333_333, 12_345_670, 400_000_000, [316_872_196, 174_006_571_534_797_220, 383_127_293]),
        (385_000_000, 7_777_777_777_777_777_777, 18_510_010, 14_400_000_000, [5_542_719_660, 4_473_255_281_871_808_821, 12_518_847_344]),
        (965_000_000, 1_000_000_000_000_000_000, 9_999_990, 970_000_007, [964_999_035, 490_147_031_147_031_147, 989_499_011]),
    ];
    for (lltv, held, price, owed, [most, seized, all]) in table {
        let (bench, strategy) = (position(lltv, held, 18, price, owed), market(lltv.into()));
        assert_eq!(bench.case(|c| strategy.max_borrow(c)).unwrap().get(), most);
        let half = check_strategy(&bench, &strategy, &bid(owed / 2)).unwrap().unwrap();
        assert_eq!(outcome(&half), (owed / 2, seized, 0));
        assert_eq!(bench.case(|c| strategy.repaid_for(c, Amount::new(held))).unwrap().get(), all);
        // more than is owed, or than the collateral pays for, is refused with the most that is not
        let max = all.min(owed);
        let more = bench.plan(&strategy, &bid(max + 1)).unwrap();
        assert_eq!(more, Err(Refusal::TooMuch { max }));
        let last = check_strategy(&bench, &strategy, &bid(max)).unwrap().unwrap();
        let gone = max == all;
        assert_eq!(outcome(&last).2, if gone { owed - all } else { 0 }, "what is left is a loss at once");
        assert_eq!(outcome(&last).1 == held, gone);
    }
}

#[test]
fn a_liquidation_end_to_end_with_a_refusal_and_a_write_off() {
    let mut scene = Scene::new(&preset("morpho-blue").unwrap().config().unwrap());
    let (supplier, borrower, keeper) = (1, 2, 3);
    let _ = scene.quote("ETH", "2000");
    let _ = scene.deposit(supplier, "USDC", "1000000");
    assert_eq!(scene.supply(supplier, "usdc-pool", "USDC", "1000000"), Answer::Done);
    let _ = scene.deposit(keeper, "USDC", "500000");
    let _ = scene.deposit(borrower, "ETH", "100");
    let more = scene.borrow(borrower, "usdc-pool", "USDC", "172000.000001");
    assert!(matches!(more, Answer::Refused(Rejection::Margin { .. })), "{more:?}");
    assert_eq!(scene.borrow(borrower, "usdc-pool", "USDC", "172000"), Answer::Done);
    let early = scene.bid(keeper, borrower, ("USDC", "1"), ("ETH", "0"));
    assert!(format!("{early:?}").contains("Healthy"), "at the loan-to-value it is healthy: {early:?}");

    let _ = scene.quote("ETH", "1990");
    let refused = scene.bid(keeper, borrower, ("USDC", "172000.000001"), ("ETH", "0"));
    assert!(format!("{refused:?}").contains("TooMuch { max: 172000000000 }"), "{refused:?}");
    assert_eq!(scene.bid(keeper, borrower, ("USDC", "50000"), ("ETH", "26.22")), Answer::Done);
    // 50,000 x 1.0438... = 52,192.066805 down; / 1,990 = 26.2271... down
    assert_eq!(scene.balance(keeper, "ETH"), "26.227169248743718592");

    let _ = scene.quote("ETH", "1000"); // 73,772.83 of collateral for 122,000 owed
    let refused = scene.bid(keeper, borrower, ("USDC", "122000"), ("ETH", "0"));
    assert!(format!("{refused:?}").contains("TooMuch { max: 70674371861 }"), "{refused:?}");
    assert_eq!(scene.bid(keeper, borrower, ("USDC", "70674.371861"), ("ETH", "73.77")), Answer::Done);
    assert_eq!(scene.balance(borrower, "ETH"), "0");
    assert_eq!((scene.posted(Reason::BadDebt), scene.posted(Reason::WriteDown)), (1, 1));
    assert_eq!(scene.deficit("USDC"), "0", "nothing waits");
    // the one supplier bears 122,000 - 70,674.371861 = 51,325.628139
    let pool = scene.pool("usdc-pool");
    assert_eq!(scene.held(Holder::Pool(pool), "USDC"), "948674.371861");
    scene.check();
}

#[test]
fn parameters_outside_the_venues_are_refused_by_its_rule() {
    let check = |from: &str, to: &str, place: &str, rule: &str| {
        let text = preset("morpho-blue").unwrap().stack;
        assert!(text.contains(from));
        let config = StackConfig::from_toml(&text.replacen(from, to, 1), "morpho-blue.toml").unwrap();
        let error = config.build().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(place) && error.contains(rule), "{error}");
    };
    check("\nlltv = \"0.86\"", "\nlltv = \"1\"", "liquidation.lltv", "lltv < WAD");
    check("\nlltv = \"0.86\"", "\nlltv = \"-0.1\"", "liquidation.lltv", "lltv < WAD");
    check("\ncollateral = \"ETH\"", "\ncollateral = \"USDC\"", "liquidation.collateral", "another asset");
    check("\ncollateral = \"ETH\"", "\ncollateral = \"DAI\"", "liquidation.collateral", "DAI");
    assert_eq!(incentive_factor(1_000_000_000 * PER_PPB), Err(MathError::Overflow));
}

#[test]
fn beyond_the_widths_is_an_error() {
    let mut bench = position(860_000_000, 1 << 119, 0, i64::MAX, 1);
    bench.assets[1].scale.price_exponent = 0;
    let most = bench.case(|c| market(860_000_000).max_borrow(c));
    assert_eq!(most, Err(LiquidationError::Math(MathError::Overflow)));
}

prop_compose! {
    fn loans()(held in 1_i128..1 << 70, price in 1_i64..1 << 30, owed in 1_i128..1 << 50, index in RAY..RAY * 3,
               repaid in 1_i128..1 << 50, lltv in 1_i64..1_000) -> (Bench, i64, i128) {
        let lltv = lltv * 1_000_000;
        let mut bench = position(lltv, held, 18, price, owed);
        let scaled = cofferdam_core::wide::mul_div_unsigned(owed.unsigned_abs(), RAY, index, true).unwrap();
        let owed = cofferdam_core::wide::mul_div_unsigned(scaled, index, RAY, true).unwrap();
        bench.assets[0].debt_index = Index::new(index);
        bench.debts[0].scaled = Scaled::new(scaled);
        bench.debts[0].owed = Amount::new(i128::try_from(owed).unwrap());
        (bench, lltv, repaid)
    }
}

proptest! {
    /// INV-4, INV-17, INV-18, INV-20, INV-22 and INV-23 on any position.
    #[test]
    fn liquidations_keep_the_laws((bench, lltv, repaid) in loans()) {
        let strategy = market(lltv.into());
        let Ok(plan) = check_strategy(&bench, &strategy, &bid(repaid)).unwrap() else { return Ok(()) };
        let (paid, seized, lost) = outcome(&plan);
        prop_assert!(paid == repaid && seized <= bench.balances[0].amount.get());
        // the keeper never gets more than the factor (INV-22)
        let for_it = bench.case(|c| strategy.repaid_for(c, Amount::new(seized))).unwrap();
        prop_assert!(for_it.get() <= repaid, "{for_it:?}");
        let Step::Move(moved) = &plan.steps[0] else { panic!() };
        let mut after = bench.clone();
        after.apply(moved).unwrap();
        let left = after.debts.first().map_or(0, |d| d.owed.get());
        prop_assert_eq!(lost, if after.balances.is_empty() { left } else { 0 });
        prop_assert!(bench.debts[0].owed.get() - left <= repaid);
        // one atom more of either is refused
        let most = bench.debts[0].owed.min(bench.case(|c| strategy.repaid_for(c, bench.balances[0].amount)).unwrap());
        prop_assert_eq!(bench.plan(&strategy, &bid(most.get() + 1)).unwrap(), Err(Refusal::TooMuch { max: most.get() }));
    }

    /// The buffer that the factor leaves: a loan at its threshold can always pay it (INV-18 at the edge).
    #[test]
    fn the_factor_fits_the_threshold(lltv in 0_i128..1_000_000_000) {
        let factor = incentive_factor(lltv * PER_PPB).unwrap();
        prop_assert!((1_000_000_000_000_000_000..=FACTOR_MAX).contains(&factor));
        prop_assert!(factor / 1_000_000_000 * lltv <= 1_000_000_000_000_000_000);
    }
}
