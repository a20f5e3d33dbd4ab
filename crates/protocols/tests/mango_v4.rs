//! Mango v4: the venue's own numbers, an open price beside a close price, a liquidation to its end, and a loss down to the depositors.
//!
//! Sources, blockworks-foundation/mango-v4: `action` and `stable`: the tests of programs/mango-v4/src/instructions/token_liq_with_token.rs@864425bd;
//! `sequence`: `test_liq_tokens_with_token` of programs/mango-v4/tests/cases/test_liq_tokens.rs@10fdb793. The stable price's own figures are
//! in `cofferdam-oracle`.

use cofferdam_core::{
    Amount, AssetId, BalanceView, DebtView, Holder, House, Item, PoolId, Ppb, PriceView, Scaled, Ticks,
};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, Plan, Refusal, Step, Taker,
    conformance::{Bench, check_strategy},
};
use cofferdam_protocols::{
    mango_v4::{Liquidate, TokenTerms},
    preset,
};
use cofferdam_stack::{Answer, Reason, StackConfig};
use cofferdam_testkit::Scene;
use proptest::prelude::*;

const KEEPER: cofferdam_core::GroupId = cofferdam_core::GroupId(3);

fn micro(x: f64) -> i128 {
    (x * 1e6).round() as i128
}

/// A token: asset and liability weight, fee, platform fee; lent by the pool of its number.
fn token(id: u32, weights: (f64, f64), fees: (f64, f64)) -> TokenTerms {
    let ppb = |x: f64| Ppb((x * 1e9).round() as i64);
    TokenTerms {
        asset: AssetId(id),
        pool: Some(PoolId(id)),
        asset_weight: ppb(weights.0),
        liability_weight: ppb(weights.1),
        fee: ppb(fees.0),
        platform_fee: ppb(fees.1),
    }
}

/// An account below maintenance by the bench's own model: per token its price and what is held, below zero what is owed.
fn account(tokens: &[(f64, f64)]) -> Bench {
    let mut bench = Bench::lending(0, 0);
    bench.weight = Ppb(1);
    bench.balances.clear();
    bench.debts.clear();
    let one = bench.assets[0];
    bench.assets.clear();
    for (id, (price, held)) in (0..).zip(tokens) {
        let price = PriceView::exact(Ticks::new(micro(*price) as i64), one.price.as_of);
        bench.assets.push(cofferdam_core::AssetView { id: AssetId(id), price, ..one });
        let units = micro(*held);
        if units > 0 {
            bench.balances.push(BalanceView { asset: AssetId(id), amount: Amount::new(units) });
        } else if units < 0 {
            let scaled = Scaled::new(units.unsigned_abs());
            bench.debts.push(DebtView { asset: AssetId(id), owed: Amount::new(-units), scaled });
        }
    }
    bench
}

fn bid(debt: u32, asset: u32, most: f64) -> Bid {
    let (give, want) = (Some((Item::Debt(AssetId(debt)), micro(most))), Some(Item::Asset(AssetId(asset))));
    Bid { by: Taker::Keeper(KEEPER), give, want, ..Bid::ENGINE }
}

fn held(bench: &Bench, id: u32) -> f64 {
    let held = bench.balances.iter().find(|b| b.asset == AssetId(id)).map_or(0, |b| b.amount.get());
    let owed = bench.debts.iter().find(|d| d.asset == AssetId(id)).map_or(0, |d| d.owed.get());
    (held - owed) as f64 / 1e6
}

fn moved(plan: &Plan) -> &[cofferdam_core::Posting] {
    let Step::Move(moved) = &plan.steps[0] else { panic!("{plan:?}") };
    moved
}

fn gets(plan: &Plan, holder: Holder, id: u32) -> f64 {
    let own = moved(plan).iter().filter(|p| p.holder == holder && p.item == Item::Asset(AssetId(id)));
    own.map(|p| p.units).sum::<i128>() as f64 / 1e6
}

fn near(found: f64, want: f64, within: f64, of: &str) {
    assert!((found - want).abs() < within, "{of}: {found}, not {want}");
}

/// Asset 0 (held), asset 1 (owed), asset 2 (another), all at one; the weight of the first two as an asset, two less that as a debt.
#[test]
fn actions_are_the_venues() {
    let check = |weight: f64, start: [f64; 3], most: f64, want: Option<(f64, f64)>, test: &str| {
        let rule = Liquidate::new(vec![
            token(0, (weight, 2.0 - weight), (0.0, 0.0)),
            token(1, (weight, 2.0 - weight), (0.0, 0.0)),
            token(2, (1.0, 1.0), (0.0, 0.0)),
        ]);
        let mut bench = account(&start.map(|x| (1.0, x)));
        let answer = check_strategy(&bench, &rule.unwrap(), &bid(1, 0, most)).unwrap();
        let Some((asset, debt)) = want else {
            assert!(answer.is_err(), "{test}: {answer:?}");
            return;
        };
        bench.apply(moved(&answer.unwrap())).unwrap();
        near(held(&bench, 0), asset, 0.01, test);
        near(held(&bench, 1), debt, 0.01, test);
    };
    check(0.9, [0.0, 0.0, 0.0], 100.0, None, "nothing");
    check(0.9, [1.0, 0.0, 0.0], 100.0, None, "no liabs1");
    check(0.9, [0.0, -1.0, 0.0], 100.0, None, "no assets1");
    check(0.9, [10.0, -11.0, 0.0], 100.0, Some((0.0, -1.0)), "no perps1");
    check(0.9, [10.0, -11.0, 0.0], 2.0, Some((8.0, -9.0)), "no perps1, limited");
    check(0.8, [10.0, -9.0, 0.0], 100.0, Some((3.0, -2.0)), "no perps2");
    check(0.8, [10.0, -9.0, 0.4], 100.0, Some((4.0, -3.0)), "no perps2, other health1");
    check(0.8, [10.0, -9.0, -0.4], 100.0, Some((2.0, -1.0)), "no perps2, other health2");
}

/// `test_liq_with_token_stable_price`: the stable prices, 0.5 of what is held and 1.25 of what is owed, change nothing about where it ends.
#[test]
fn a_liquidation_ends_at_the_price_whatever_the_stable_price() {
    let terms = |held| vec![token(0, (held, 1.0), (0.0, 0.0)), token(1, (1.0, 1.4), (0.0, 0.0))];
    let rule = Liquidate::new(terms(1.0)).unwrap();
    let mut bench = account(&[(1.0, 10.0), (1.0, -9.0)]);
    for (asset, (low, high)) in bench.assets.iter_mut().zip([(500_000, 1_000_000), (1_000_000, 1_250_000)]) {
        (asset.price.low, asset.price.high) = (Ticks::new(low), Ticks::new(high));
    }
    let end = |bench: &Bench| bench.case(|c| rule.end_health(c)).unwrap() as f64 / 1e6;
    near(end(&bench), 10.0 - 9.0 * 1.4, 0.000_001, "health at the liquidation's end");
    let plan = check_strategy(&bench, &rule, &bid(1, 0, 100.0)).unwrap().unwrap();
    bench.apply(moved(&plan)).unwrap();
    near(held(&bench, 0), 3.5, 0.01, "held");
    near(held(&bench, 1), -2.5, 0.01, "owed");
    near(end(&bench), 0.0, 0.000_01, "health after");
}

/// Tokens 0 and 1 are owed, 2 and 3 held; 0 is at two. Each line of the venue's test, in its order.
#[test]
fn the_sequence_is_the_venues() {
    let terms = (0..4).map(|id| token(id, (0.6, 1.4), (0.01, 0.01))).collect();
    let rule = Liquidate::new(terms).unwrap();
    let mut bench = account(&[(2.0, -350.0), (1.0, -50.0), (1.0, 1000.0), (1.0, 20.0)]);
    let step = |bench: &mut Bench, debt: u32, asset: u32, most: f64, want: [f64; 4], within: f64| {
        let plan = check_strategy(bench, &rule, &bid(debt, asset, most)).unwrap().unwrap();
        bench.apply(moved(&plan)).unwrap();
        for (id, want) in (0..).zip(want) {
            near(held(bench, id), want, within, &format!("{debt} for {asset}: token {id}"));
        }
        plan
    };
    // whole tokens as the venue's test rounds them; it rounds each, so that half of one is the most between
    let plan = step(&mut bench, 1, 3, 10_000.0, [-350.0, -50.0 + 19.0, 1000.0, 0.0], 0.5);
    let platform = 20.0 * (1.0 - 1.01 * 1.01 / (1.02 * 1.02));
    near(gets(&plan, Holder::Group(KEEPER), 3), 20.0 - platform, 0.001, "the liquidator");
    near(gets(&plan, Holder::House(House::Fees), 3), platform, 0.001, "the platform");
    near(gets(&plan, Holder::Group(KEEPER), 1), -19.22, 0.01, "repaid");
    step(&mut bench, 1, 2, 10_000.0, [-350.0, 0.0, 1000.0 - 32.0, 0.0], 0.5);
    step(&mut bench, 0, 2, 10.0, [-350.0 + 10.0, 0.0, 1000.0 - 32.0 - 21.0, 0.0], 0.5);
    // with the origination fee of one that its test names and nobody is charged here
    step(&mut bench, 0, 2, 10_000.0, [-350.0 + 257.0, 0.0, 1000.0 - 32.0 - 535.0, 0.0], 0.5);
    near(held(&bench, 0), -350.0 + 257.30, 0.01, "borrow1 needed, in all");
    let none = bench.plan(&rule, &bid(0, 2, 10_000.0)).unwrap();
    assert_eq!(none, Err(Refusal::Nothing), "healthy again");
    // the collateral dusted: two left, at 75
    let mut bench = account(&[(2.0, -93.0), (1.0, 0.0), (75.0, 2.0), (1.0, 0.0)]);
    let plan = check_strategy(&bench, &rule, &bid(0, 2, 10_001.0)).unwrap().unwrap();
    bench.apply(moved(&plan)).unwrap();
    assert!(bench.balances.is_empty() && held(&bench, 0) > -26.0, "bankrupt: only borrows remain");
    assert!(matches!(plan.steps[1..], [Step::Loss { .. }]), "{plan:?}");
}

#[test]
fn terms_outside_the_venues_are_refused() {
    let check = |change: &dyn Fn(&mut TokenTerms), field: &str| {
        let mut terms = vec![token(0, (0.8, 1.2), (0.01, 0.01)), token(1, (0.8, 1.2), (0.01, 0.01))];
        change(&mut terms[1]);
        let refused = Liquidate::new(terms).unwrap_err();
        assert!(matches!(refused, LiquidationError::Parameter { field: f, .. } if f == field), "{refused}");
    };
    check(&|t| t.asset_weight = Ppb(1_000_000_001), "asset_weight");
    check(&|t| t.asset_weight = Ppb(-1), "asset_weight");
    check(&|t| t.liability_weight = Ppb(999_999_999), "liability_weight");
    check(&|t| t.fee = Ppb(-1), "fee");
    check(&|t| t.fee = Ppb(1_000_000_001), "fee");
    check(&|t| t.platform_fee = Ppb(-1), "platform_fee");
    check(&|t| t.asset = AssetId(0), "asset");
    check(&|t| t.fee = Ppb(600_000_000), "fee"); // 0.8 x 1.02 x 1.61 > 1.2: an exchange would lower health
}

#[test]
fn a_file_outside_the_venues_is_refused_at_its_place() {
    let check = |from: &str, to: &str, place: &str, rule: &str| {
        let text = preset("mango-v4").unwrap().stack;
        assert!(text.contains(from), "{from}");
        let config = StackConfig::from_toml(&text.replacen(from, to, 1), "mango-v4").unwrap();
        let error = config.build().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(place) && error.contains(rule), "{error}");
    };
    let eth = "pool = \"eth-pool\"\nasset_weight";
    check(
        eth,
        "pool = \"usdc-pool\"\nasset_weight",
        "liquidation.tokens[1].pool",
        "a pool that lends the asset",
    );
    check("fee = \"0.01\"", "fee = \"1.01\"", "liquidation.tokens[0].fee", "0 to 1");
    check(
        "liability_weight = \"1.2\"",
        "liability_weight = \"1.04\"",
        "liquidation",
        "no pair lowers health",
    );
}

#[test]
fn a_healthy_account_and_odd_bids_are_refused() {
    let rule = two((0.8, 1.2), (0.01, 0.01));
    let bench = account(&[(1.0, 1_000.0), (1.0, -900.0), (1.0, 0.0)]);
    let plan = |bench: &Bench, bid: &Bid| bench.plan(&rule, bid).unwrap();
    assert!(plan(&bench, &bid(1, 0, 5.0)).is_ok());
    assert_eq!(plan(&bench, &bid(2, 0, 5.0)).unwrap_err(), Refusal::Nothing, "owes nothing of it");
    assert_eq!(plan(&bench, &bid(1, 2, 5.0)).unwrap_err(), Refusal::Nothing, "holds nothing of it");
    assert_eq!(plan(&bench, &bid(1, 1, 5.0)).unwrap_err(), Refusal::Nothing, "one token for itself");
    let greedy = Bid { at_least: Some(6_000_000), ..bid(1, 0, 5.0) };
    assert_eq!(plan(&bench, &greedy).unwrap_err(), Refusal::BelowAsk { offered: 5_050_000 });
    let mut sound = bench.clone();
    sound.weight = Ppb::ONE;
    assert_eq!(plan(&sound, &bid(1, 0, 5.0)).unwrap_err(), Refusal::Healthy);
}

#[test]
fn beyond_the_widths_is_an_error() {
    let mut bench = account(&[(1.0, 1.0), (1.0, -1.0)]);
    bench.assets[0].price = PriceView::exact(Ticks::new(i64::MAX), bench.assets[0].price.as_of);
    bench.balances[0].amount = Amount::new(1 << 119);
    let health = bench.case(|c| two((0.8, 1.2), (0.0, 0.0)).end_health(c));
    assert!(matches!(health, Err(LiquidationError::Math(_))), "{health:?}");
}

fn config(escrow: &str) -> StackConfig {
    let text = preset("mango-v4").unwrap().stack;
    assert!(text.contains("escrow = \"500000\""));
    StackConfig::from_toml(&text.replace("\"500000\"", &format!("{escrow:?}")), "mango-v4").unwrap()
}

const LENDER: u32 = 1;
const BIDDER: u32 = 2;

/// A lender of both tokens, a keeper, and group 10 with 10 ETH, at 2,000.
fn stage(escrow: &str) -> Scene {
    let mut scene = Scene::new(&config(escrow));
    let _ = scene.quote("ETH", "2000");
    for (asset, pool, amount) in [("USDC", "usdc-pool", "1000000"), ("ETH", "eth-pool", "500")] {
        let _ = scene.deposit(LENDER, asset, amount);
        assert_eq!(scene.supply(LENDER, pool, asset, amount), Answer::Done);
    }
    let _ = scene.deposit(BIDDER, "USDC", "100000");
    let _ = scene.deposit(BIDDER, "ETH", "100");
    let _ = scene.deposit(10, "ETH", "10");
    scene
}

/// The price stays, quoted every four minutes, for so many of them.
fn hold(scene: &mut Scene, price: &str, times: usize) {
    for _ in 0..times {
        let _ = scene.wait(240_000);
        let _ = scene.quote("ETH", price);
    }
}

fn refused(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(_))
}

/// At 3,000 the collateral of group 10 would support 24,000; who borrows is given it at the stable price, which is still near 2,000.
#[test]
fn a_jump_opens_nothing_before_the_stable_price_follows() {
    let mut scene = stage("500000");
    assert_eq!(scene.borrow(10, "usdc-pool", "USDC", "16000"), Answer::Done);
    assert!(refused(&scene.borrow(10, "usdc-pool", "USDC", "1")), "0.8 x 20,000 is all");
    hold(&mut scene, "3000", 1);
    assert!(refused(&scene.borrow(10, "usdc-pool", "USDC", "1")), "and still");
    // 240 s at 0.03 % per second: 2,144
    hold(&mut scene, "3000", 1);
    assert!(
        refused(&scene.borrow(10, "usdc-pool", "USDC", "1152")),
        "0.8 x 21,440 less 16,000, and interest"
    );
    assert_eq!(scene.borrow(10, "usdc-pool", "USDC", "1151"), Answer::Done);
    // each of the next seven is slowed by (2,000 / stable)^2, for the average of a day ago is 2,000: 2,953
    hold(&mut scene, "3000", 7);
    assert!(refused(&scene.borrow(10, "usdc-pool", "USDC", "6500")));
    hold(&mut scene, "3000", 1);
    assert_eq!(
        scene.borrow(10, "usdc-pool", "USDC", "6840"),
        Answer::Done,
        "36 minutes for half as much again"
    );
    scene.check();
}

/// Two days at 2,400 with nobody bidding, then 2,000: at the stable price the debt of group 11 would be above its maintenance.
#[test]
fn a_lagging_stable_price_liquidates_nobody() {
    let mut scene = stage("500000");
    let _ = scene.deposit(11, "USDC", "10000");
    assert_eq!(scene.borrow(11, "eth-pool", "ETH", "4"), Answer::Done);
    // opened at 2,000: 4 x 2,000 x 1.2 = 9,600; at 2,250 the price asks 4 x 2,250 x 1.1 = 9,900 of 10,000 for maintenance
    hold(&mut scene, "2250", 1);
    let bid = |scene: &mut Scene| scene.bid(BIDDER, 11, ("ETH", "1"), ("USDC", "0"));
    assert!(format!("{:?}", bid(&mut scene)).contains("Healthy"), "no more to open, nothing to liquidate");
    assert!(refused(&scene.borrow(11, "eth-pool", "ETH", "0.1")));
    hold(&mut scene, "2400", 48 * 15);
    hold(&mut scene, "2000", 1);
    assert!(
        refused(&scene.borrow(11, "eth-pool", "ETH", "0.1")),
        "4.1 x 2,000 x 1.2 is 9,840: at 2,000 it would open"
    );
    assert!(format!("{:?}", bid(&mut scene)).contains("Healthy"), "at 2,400 x 1.1 x 4 it would not be");
    hold(&mut scene, "2300", 1);
    assert_eq!(bid(&mut scene), Answer::Done, "at 2,300 the price itself asks for more than there is");
    scene.check();
}

/// Group 10 has 10 ETH and owes 16,000. At 1,700 its end is 2,400 away; each unit repaid brings 1 - 0.8 x 1.02 x 1.02.
#[test]
fn a_liquidation_stops_where_initial_health_is_zero() {
    let mut scene = stage("500000");
    assert_eq!(scene.borrow(10, "usdc-pool", "USDC", "16000"), Answer::Done);
    let _ = scene.quote("ETH", "1700");
    let dear = scene.bid(BIDDER, 10, ("USDC", "16000"), ("ETH", "9"));
    assert!(format!("{dear:?}").contains("BelowAsk"), "{dear:?}");
    assert_eq!(scene.bid(BIDDER, 10, ("USDC", "16000"), ("ETH", "8")), Answer::Done, "cut to its end");
    let repaid = 2400.0 / (1.0 - 0.8 * 1.0404);
    let number = |text: String| text.parse::<f64>().unwrap();
    near(number(scene.balance(BIDDER, "USDC")), 100_000.0 - repaid, 0.000_01, "repaid");
    near(number(scene.balance(10, "ETH")), 10.0 - repaid * 1.0404 / 1700.0, 0.000_001, "left");
    near(number(scene.balance(BIDDER, "ETH")), 100.0 + repaid * 1.0201 / 1700.0, 0.000_001, "earned");
    let fees = number(scene.held(Holder::House(House::Fees), "ETH"));
    near(fees, repaid * 0.0203 / 1700.0, 0.000_001, "the platform's");
    let again = scene.bid(BIDDER, 10, ("USDC", "16000"), ("ETH", "0"));
    assert!(format!("{again:?}").contains("Healthy"), "{again:?}");
    assert_eq!(scene.posted(Reason::BadDebt), 0);
    scene.check();
}

/// INV-26: at 1,000 the collateral pays 10,000 / 1.0404 of 16,000; of the 6,388 that are left the fund has 5,000, the depositors bear the rest.
#[test]
fn a_loss_is_the_funds_and_then_every_depositors() {
    let mut scene = stage("5000");
    assert_eq!(scene.borrow(10, "usdc-pool", "USDC", "16000"), Answer::Done);
    let _ = scene.quote("ETH", "1000");
    assert_eq!(scene.bid(BIDDER, 10, ("USDC", "16000"), ("ETH", "9.8")), Answer::Done);
    assert_eq!(scene.posted(Reason::BadDebt), 1);
    assert!(scene.posted(Reason::Insurance) > 0 && scene.posted(Reason::WriteDown) == 1);
    assert_eq!((scene.balance(10, "ETH"), scene.deficit("USDC")), ("0".into(), "0".into()));
    let shares = scene
        .bench()
        .state()
        .holding(Holder::Group(cofferdam_core::GroupId(LENDER)), Item::Share(scene.pool("usdc-pool")));
    let pool = scene.pool("usdc-pool");
    let body = cofferdam_stack::Body::Redeem {
        group: cofferdam_core::GroupId(LENDER),
        pool,
        shares: shares.units.unsigned_abs(),
    };
    assert_eq!(scene.send(body).answer, Answer::Done);
    let back = scene.balance(LENDER, "USDC").parse::<f64>().unwrap();
    near(back, 1_000_000.0 - (16_000.0 - 10_000.0 / 1.0404 - 5_000.0), 0.01, "what deposits are worth");
    scene.check();
}

/// What is wrong with a deal that a rule makes, by the health of another at the liquidation's end: it lowers it, goes further than zero, or
/// stops below although nothing but health bound it. `None` also where there is no deal for a reason.
fn wrong_end(rule: &Liquidate, judge: &Liquidate, mut bench: Bench, most: f64) -> Option<String> {
    let end = |bench: &Bench| bench.case(|c| judge.end_health(c)).unwrap();
    let before = end(&bench);
    let answer = check_strategy(&bench, rule, &bid(1, 0, most)).unwrap();
    let Ok(plan) = answer else {
        let dust = |id| held(&bench, id).abs() < 0.001;
        return (before < 0 && !dust(0) && !dust(1) && most >= 0.001).then(|| format!("{answer:?}"));
    };
    bench.apply(moved(&plan)).unwrap();
    let after = end(&bench);
    let atom = bench.assets[0].price.mid.get() / 1_000_000; // of what is held, in quanta
    if after < before || after > 10 + i128::from(atom) {
        return Some(format!("{before} to {after}"));
    }
    let bound = -gets(&plan, Holder::Group(KEEPER), 1) > most - 0.000_01;
    let left = !bench.balances.is_empty() && !bench.debts.is_empty();
    (!bound && left && after < 0).then(|| format!("stops at {after}"))
}

fn two(weights: (f64, f64), fees: (f64, f64)) -> Liquidate {
    Liquidate::new(vec![token(0, weights, fees), token(1, (0.5, 1.0), (0.0, 0.0))]).unwrap()
}

#[test]
fn a_liquidation_that_stops_elsewhere_is_caught() {
    let rule = two((0.8, 1.2), (0.01, 0.01));
    let caught = |by: &Liquidate| wrong_end(by, &rule, account(&[(10.0, 100.0), (1.0, -850.0)]), 1_000.0);
    assert_eq!(caught(&rule), None);
    let (short, far) = (two((0.83, 1.2), (0.01, 0.01)), two((0.77, 1.2), (0.01, 0.01)));
    assert!(caught(&short).unwrap().contains("stops at -"), "at a weight too high");
    assert!(caught(&far).unwrap().contains(" to "), "further than zero");
}

proptest! {
    /// Where nothing binds but health, it is zero afterwards, to a few quanta above; never does a deal lower it, nor take more than is there.
    #[test]
    fn health_ends_at_zero(
        amount in 1_000.0_f64..1e6, price in 0.01_f64..1e4, lever in 0.3_f64..1.5, fees in (0.0_f64..0.05, 0.0_f64..0.05),
        weights in (0.0_f64..0.85, 1.0_f64..2.0), cap in 0.001_f64..2.0,
    ) {
        let (rule, worth) = (two(weights, fees), amount * price);
        let bench = account(&[(price, amount), (1.0, -worth * lever)]);
        prop_assert_eq!(wrong_end(&rule, &rule, bench, worth * cap), None);
    }

    /// What a refusal says would be accepted is.
    #[test]
    fn refused_bids_name_one_that_passes(allowed in 1_u128..2_000_000_000, most in 0.000_001_f64..3_000.0) {
        let terms = (0..2).map(|id| token(id, (0.8, 1.2), (0.01, 0.01))).collect();
        let rule = Liquidate::new(terms).unwrap();
        let mut bench = account(&[(1.7, 1_000.0), (1.0, -1_650.0)]);
        bench.allowed.limit = allowed;
        let answer = check_strategy(&bench, &rule, &bid(1, 0, most)).unwrap();
        let units = match answer {
            Ok(_) => return Ok(()),
            Err(Refusal::TooMuch { max }) => max,
            Err(Refusal::TooLittle { min }) => min,
            Err(other) => return Err(TestCaseError::fail(format!("{other:?}"))),
        };
        let give = Some((Item::Debt(AssetId(1)), units));
        let again = check_strategy(&bench, &rule, &Bid { give, ..bid(1, 0, 1.0) }).unwrap();
        prop_assert!(again.is_ok() || units == 0 || allowed < 3, "{answer:?}: {again:?}");
    }

    /// INV-1, INV-17, INV-20, INV-22 and INV-23 on any account, in atoms; never more than was offered, is owed or held.
    #[test]
    fn a_liquidation_keeps_the_laws(
        held in 1_i128..1 << 60, owed in 1_i128..1 << 60, prices in (1_i64..1 << 30, 1_i64..1 << 30), offered in 1_i128..1 << 60,
        weights in (0.0_f64..1.0, 1.0_f64..2.0), fees in (0.0_f64..0.1, 0.0_f64..0.1),
    ) {
        let terms = vec![token(0, weights, fees), token(1, (0.5, weights.1), (0.0, 0.0))];
        let rule = Liquidate::new(terms);
        prop_assume!(rule.is_ok());
        let rule = rule.unwrap();
        let mut bench = account(&[(1.0, 1.0), (1.0, -1.0)]);
        for (a, price) in bench.assets.iter_mut().zip([prices.0, prices.1]) {
            a.price = PriceView::exact(Ticks::new(price), a.price.as_of);
        }
        bench.balances[0].amount = Amount::new(held);
        (bench.debts[0].owed, bench.debts[0].scaled) = (Amount::new(owed), Scaled::new(owed.unsigned_abs()));
        let give = Some((Item::Debt(AssetId(1)), offered));
        let _ = check_strategy(&bench, &rule, &Bid { give, ..bid(1, 0, 1.0) }).unwrap();
        if let Some(deal) = bench.case(|c| rule.deal(c, Amount::new(offered), AssetId(1), AssetId(0))).unwrap() {
            let (repaid, seized) = (deal.repaid.get(), deal.seized.get());
            prop_assert!(repaid <= offered && repaid <= owed && seized <= held && deal.fee.get() <= seized);
        }
    }
}
