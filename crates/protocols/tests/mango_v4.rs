//! Mango v4: the venue's own numbers, a price that opens are held to and liquidations are not, and who bears what is left.
//!
//! Sources: blockworks-foundation/mango-v4. `stable`: programs/mango-v4/src/state/stable_price.rs@0d6018ce, test_stable_price_10x; `liq`:
//! programs/mango-v4/tests/cases/test_liq_tokens.rs@018f51f7, test_liq_tokens_with_token, in the order of its steps.

use cofferdam_core::{
    Amount, AssetId, AssetScale, BalanceView, DebtView, Holder, LayerId, MapMemory, Memory, PoolId, Ppb,
    PriceView, Scaled, Slot, Ticks,
};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, Refusal, Taker,
    conformance::{Bench, check_strategy},
};
use cofferdam_oracle::{
    Latest, PricePolicy, Reference, StablePrice, StablePriceParams,
    conformance::{ask_at, quote},
};
use cofferdam_protocols::{
    mango_v4::{Deal, Liquidate, TokenTerms},
    preset,
};
use cofferdam_stack::{Answer, Reason, StackConfig};
use cofferdam_testkit::Scene;
use proptest::prelude::*;

const ONE: i64 = 1_000_000_000;

/// The price is one and jumps to ten: where the stable price stands after an hour of minutes, an hour of ten seconds, 23 hours of five minutes.
#[test]
fn the_stable_price_follows_as_in_the_venues_test() {
    let params = StablePriceParams {
        growth: Ppb(300_000),
        delay_growth: Ppb(60_000_000),
        interval: cofferdam_core::Millis(3_600_000),
        intervals: 24,
        update_min: cofferdam_core::Millis(10_000),
        update_max: cofferdam_core::Millis(600_000),
    };
    let policy = StablePrice::new(Box::new(Latest::any()), params).unwrap();
    let (mut memory, mut time) = (MapMemory::default(), 0);
    let mut at = |seconds: u64, price: i64| {
        let (quotes, ask) = ([quote(1, price, 0, seconds * 1_000)], ask_at(seconds * 1_000));
        let resolve = |m: &mut Memory<'_>| policy.resolve(&ask, &quotes, &Reference::default(), m);
        memory.with(Slot(1), resolve).unwrap().mid.get() as f64 / ONE as f64
    };
    at(0, ONE);
    // the venue asks for the first to within 0.1; the second is the same in floating point
    for (every, steps, venue, derived) in
        [(60, 60, 1.8, 1.780573), (10, 360, 2.3, 2.308944), (300, 276, 7.4, 7.445231)]
    {
        let mut seen = 0.0;
        for _ in 0..steps {
            time += every;
            seen = at(time, 10 * ONE);
        }
        assert!((seen - venue).abs() < 0.1, "stable: {seen} after {time} s, not {venue}");
        assert!((seen - derived).abs() < 1e-5, "stable: {seen} after {time} s, not {derived}");
    }
}

/// Assets 0 to 2 in micro-units: price of each, what is held and owed.
fn account(coins: [(i64, i128, i128); 3]) -> Bench {
    let mut bench = Bench::lending(0, 0);
    bench.weight = Ppb(1); // below maintenance by the bench's own model
    for ((price, ..), a) in coins.iter().zip(&mut bench.assets) {
        a.scale = AssetScale { decimals: 6, price_exponent: -2, quantum_exponent: -6 };
        a.price = PriceView::exact(Ticks::new(*price), a.price.as_of);
    }
    let ids = || (0..).map(AssetId).zip(&coins);
    bench.balances = ids()
        .filter(|(_, c)| c.1 > 0)
        .map(|(asset, c)| BalanceView { asset, amount: Amount::new(c.1) })
        .collect();
    bench.debts = ids()
        .filter(|(_, c)| c.2 > 0)
        .map(|(asset, c)| DebtView { asset, owed: Amount::new(c.2), scaled: Scaled::new(c.2.unsigned_abs()) })
        .collect();
    bench
}

/// Weights and fee of the venue's test tokens.
fn tokens(asset_weight: i64, liability_weight: i64, fee: i64) -> Liquidate {
    let token = |i| TokenTerms {
        asset: AssetId(i),
        pool: Some(PoolId(i)),
        asset_weight: Ppb(asset_weight),
        liability_weight: Ppb(liability_weight),
        fee: Ppb(fee),
    };
    Liquidate::new((0..3).map(token).collect()).unwrap()
}

const MICRO: i128 = 1_000_000;

/// 0.6 and 1.4, 1 % of either token. Asset 0 is collateral, asset 1 the debt of the step, asset 2 what else the account owes at a price of two.
#[test]
fn liquidations_are_the_venues() {
    let strategy = tokens(600_000_000, 1_400_000_000, 10_000_000);
    let check = |held: i128, debt: (i64, i128), other: (i64, i128), offered: i128, left: (i128, i128)| {
        let bench = account([(100, held, 0), (debt.0, 0, debt.1), (other.0, 0, other.1)]);
        let deal =
            bench.case(|c| strategy.deal(c, Amount::new(offered), AssetId(1), AssetId(0))).unwrap().unwrap();
        let found = (held - deal.seized.get(), debt.1 - deal.repaid.get());
        let near = |a: i128, b: i128| (a - b * MICRO).abs() < MICRO;
        assert!(near(found.0, left.0) && near(found.1, left.1), "liq: {found:?} is not {left:?}");
        found
    };
    let (two, one) = (200, 100);
    let (offer, owed1) = (10_000 * MICRO, 350 * MICRO);
    // 20 of the second collateral pay for 20 / 1.02 = 19.6: 50 become 30, and the position is closed
    let (held, owed2) = check(20 * MICRO, (one, 50 * MICRO), (two, owed1), offer, (0, 50 - 20));
    assert_eq!(held, 0, "liq: closed");
    // the rest of that debt costs 31: closed, and 1000 - 31 are left
    let (held, owed) = check(1_000 * MICRO, (one, owed2), (two, owed1), offer, (1_000 - 31, 0));
    assert_eq!(owed, 0, "liq: closed");
    // 10 of the other debt, as offered, cost 20.4
    let (held, owed1) = check(held, (two, owed1), (one, 0), 10 * MICRO, (1_000 - 31 - 20, 350 - 10));
    // and what is needed: 253 in all for 516 in all; the venue's loan origination fee of 1 is not charged here
    check(held, (two, owed1), (one, 0), offer, (1_000 - 31 - 516, 350 - 253));
}

#[test]
fn a_healthy_account_and_odd_bids_are_refused() {
    let strategy = tokens(800_000_000, 1_200_000_000, 10_000_000);
    let bid = |debt, amount, asset| Bid {
        by: Taker::Keeper(cofferdam_core::GroupId(3)),
        give: Some((cofferdam_core::Item::Debt(AssetId(debt)), amount)),
        want: Some(cofferdam_core::Item::Asset(AssetId(asset))),
        ..Bid::ENGINE
    };
    let bench = account([(100, 1_000 * MICRO, 0), (100, 0, 900 * MICRO), (100, 0, 0)]);
    let plan = |bench: &Bench, bid: &Bid| bench.plan(&strategy, bid).unwrap();
    assert!(plan(&bench, &bid(1, 5 * MICRO, 0)).is_ok());
    assert_eq!(plan(&bench, &bid(2, 5 * MICRO, 0)).unwrap_err(), Refusal::Nothing, "owes nothing of it");
    assert_eq!(plan(&bench, &bid(1, 5 * MICRO, 2)).unwrap_err(), Refusal::Nothing, "holds nothing of it");
    let greedy = Bid { at_least: Some(6 * MICRO), ..bid(1, 5 * MICRO, 0) };
    assert_eq!(plan(&bench, &greedy).unwrap_err(), Refusal::BelowAsk { offered: 5_100_000 });
    let mut sound = bench.clone();
    sound.weight = Ppb::ONE;
    assert_eq!(plan(&sound, &bid(1, 5 * MICRO, 0)).unwrap_err(), Refusal::Healthy);
    let cheap = account([(100, 1_000 * MICRO, 0), (1, 0, 90_000 * MICRO), (100, 0, 0)]);
    assert_eq!(
        plan(&cheap, &bid(1, 1, 0)).unwrap_err(),
        Refusal::TooLittle { min: 2 },
        "an atom that buys nothing"
    );
}

fn text() -> String {
    preset("mango-v4").unwrap().stack.to_owned()
}

fn scene(text: &str) -> Scene {
    Scene::new(&StackConfig::from_toml(text, "mango-v4.toml").unwrap())
}

/// 10 ETH at 2,000 count 16,000 for opening and carry 15,000; groups 1 and 9 lend, 3 is a keeper.
fn opened(text: &str) -> Scene {
    let mut s = scene(text);
    let _ = s.quote("ETH", "2000");
    for (group, asset, amount) in [(1, "USDC", "1000000"), (2, "ETH", "10"), (3, "USDC", "50000")] {
        let _ = s.deposit(group, asset, amount);
    }
    assert_eq!(s.supply(1, "usdc-pool", "USDC", "1000000"), Answer::Done);
    assert_eq!(s.borrow(2, "usdc-pool", "USDC", "15000"), Answer::Done);
    s
}

/// A price that jumps opens nothing and liquidates nobody who would be sound at it.
#[test]
fn a_jump_is_not_borrowed_against_and_does_not_liquidate() {
    let mut s = opened(&text());
    let _ = s.wait(10_000);
    let _ = s.quote("ETH", "2400");
    let _ = s.wait(10_000);
    // at 2,400 there would be room for 19,200; the stable price is 2,006, and 16,048 - 15,000 are left
    let refused = s.borrow(2, "usdc-pool", "USDC", "1100");
    assert!(format!("{refused:?}").contains("Margin"), "{refused:?}");
    assert_eq!(s.borrow(2, "usdc-pool", "USDC", "1000"), Answer::Done);
    // a fall: opening counts the lower of both, maintenance the price alone, 1,800 x 10 x 0.9 = 16,200 against 16,000
    let _ = s.wait(10_000);
    let _ = s.quote("ETH", "1800");
    let refused = s.borrow(2, "usdc-pool", "USDC", "1");
    assert!(format!("{refused:?}").contains("Margin"), "{refused:?}");
    let refused = s.bid(3, 2, ("USDC", "1000"), ("ETH", "0"));
    assert!(format!("{refused:?}").contains("Healthy"), "{refused:?}");
    assert_eq!((s.posted(Reason::Seizure), s.balance(2, "ETH")), (0, "10".into()));
    s.check();
}

/// An interval that reaches below liquidates nobody: the other way round, and the account would be gone.
#[test]
fn maintenance_is_not_at_the_stable_price() {
    let mut s = scene(&text());
    let _ = s.quote("ETH", "2000");
    for (group, asset, amount) in [(1, "ETH", "100"), (2, "USDC", "16000"), (3, "ETH", "10")] {
        let _ = s.deposit(group, asset, amount);
    }
    assert_eq!(s.supply(1, "eth-pool", "ETH", "100"), Answer::Done);
    // short: 6 ETH x 2,000 x 1.2 = 14,400 of 16,000
    assert_eq!(s.borrow(2, "eth-pool", "ETH", "6"), Answer::Done);
    let _ = s.wait(10_000);
    let _ = s.quote("ETH", "1000");
    let _ = s.wait(10_000);
    // at the stable price, about 1,994, 6.6 ETH more would be beyond; at 1,000 they would not
    let refused = s.borrow(2, "eth-pool", "ETH", "1");
    assert!(format!("{refused:?}").contains("Margin"), "{refused:?}");
    let _ = s.wait(10_000);
    let _ = s.quote("ETH", "2300");
    // with a debt of 6 x 2,300 x 1.1 = 15,180 against 16,000 + 6 x 2,300 x 0.9 nobody is liquidated
    assert_eq!(s.posted(Reason::Seizure), 0);
    s.check();
}

/// A liquidation ends where the account is worth its initial weights again, however much a keeper offers.
#[test]
fn a_liquidation_stops_at_initial_health_zero() {
    let mut s = opened(&text());
    let _ = s.wait(60_000);
    let _ = s.quote("ETH", "1650");
    // 16,500 x 0.9 = 14,850 < 15,000; the initial weights lack 1,800, and each USDC repaid brings 1 - 0.8 x 1.02 = 0.184
    let greedy = s.bid(3, 2, ("USDC", "20000"), ("ETH", "13"));
    assert!(format!("{greedy:?}").contains("BelowAsk"), "{greedy:?}");
    assert_eq!(s.bid(3, 2, ("USDC", "20000"), ("ETH", "0")), Answer::Done);
    assert_eq!(s.posted(Reason::Seizure), 1);
    // 9,782.61 repaid for 9,978.26 of ETH
    let paid: f64 = 50_000.0 - s.balance(3, "USDC").parse::<f64>().unwrap();
    let kept: f64 = s.balance(2, "ETH").parse().unwrap();
    assert!((paid - 9_782.61).abs() < 0.1, "{paid}");
    assert!((kept - (10.0 - 9_978.26 / 1_650.0)).abs() < 1e-4, "{kept}");
    assert!(
        (kept * 1_650.0 * 0.8 - (15_000.0 - paid)).abs() < 0.1,
        "worth its initial weights: {kept}, {paid}"
    );
    let more = s.bid(3, 2, ("USDC", "100"), ("ETH", "0"));
    assert!(format!("{more:?}").contains("Healthy"), "{more:?}");
    s.check();
}

/// All of the collateral for a part of the debt: insurance pays the rest, and where it has nothing every depositor does.
#[test]
fn what_is_left_is_the_funds_and_then_every_depositors() {
    let gone = |text: &str| {
        let mut s = opened(text);
        let _ = s.wait(60_000);
        let _ = s.quote("ETH", "1000");
        assert_eq!(s.bid(3, 2, ("USDC", "20000"), ("ETH", "10")), Answer::Done);
        assert_eq!(s.balance(2, "ETH"), "0");
        assert_eq!(s.posted(Reason::BadDebt), 1);
        s
    };
    // 10,000 / 1.02 = 9,803.92 repaid: 5,196.08 of the 15,000, and a minute's interest, are left
    let s = gone(&text());
    let fund: f64 = s.held(Holder::Layer(LayerId(0)), "USDC").parse().unwrap();
    assert!((500_000.0 - fund - 5_196.08).abs() < 0.1, "{fund}");
    assert_eq!((s.posted(Reason::WriteDown), s.deficit("USDC")), (0, "0".into()));
    s.check();
    let poor = text().replacen("escrow = \"500000\"", "escrow = \"1000\"", 1);
    let s = gone(&poor);
    assert_eq!(s.held(Holder::Layer(LayerId(0)), "USDC"), "0", "all of the fund");
    assert_eq!(
        (s.posted(Reason::WriteDown), s.deficit("USDC")),
        (1, "0".into()),
        "the rest through the index"
    );
    s.check();
}

#[test]
fn parameters_outside_the_venues_are_refused_by_its_rule() {
    let check = |from: &str, to: &str, place: &str, rule: &str| {
        assert!(text().contains(from), "{from}");
        let config = StackConfig::from_toml(&text().replacen(from, to, 1), "mango-v4.toml").unwrap();
        let error = config.build().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(place) && error.contains(rule), "{error}");
    };
    check("asset_weight = \"0.8\"", "asset_weight = \"1.1\"", "liquidation.tokens[1]", "0 to 1");
    check("liability_weight = \"1.2\"", "liability_weight = \"0.9\"", "liquidation.tokens[1]", "1 to 1000");
    check("fee = \"0.02\"", "fee = \"1.5\"", "liquidation.tokens[1]", "0 to 1");
    check("fee = \"0.02\"", "fee = \"0.25\"", "liquidation.tokens[1]", "raises health");
    check(
        "pool = \"eth-pool\"\nasset_weight",
        "pool = \"usdc-pool\"\nasset_weight",
        "liquidation.tokens[1].pool",
        "lends the asset",
    );
    check("update_max_ms = 600000", "update_max_ms = 9000", "prices", "update_min or more");
    check("growth = \"0.0003\"", "growth = \"0.002\"", "prices", "less than 1 in update_max");
}

#[test]
fn beyond_the_widths_is_an_error() {
    let bench = account([(i64::MAX, 1 << 119, 0), (100, 0, 1), (100, 0, 0)]);
    let strategy = tokens(800_000_000, 1_200_000_000, 10_000_000);
    let health = bench.case(|c| strategy.end_health(c));
    assert!(matches!(health, Err(LiquidationError::Math(_))), "{health:?}");
}

proptest! {
    /// INV-1, INV-17, INV-20, INV-22 and INV-23 on any account, and a liquidation ends no higher than where it has to, but for rounding.
    #[test]
    fn a_liquidation_keeps_the_laws(held in 1_i128..1 << 60, owed in 1_i128..1 << 60, prices in (1_i64..1 << 30, 1_i64..1 << 30), offered in 1_i128..1 << 60,
                                    weights in (0_i64..1_000_000_000, 1_000_000_000_i64..2_000_000_000), fee in 0_i64..100_000_000) {
        prop_assume!(i128::from(weights.0) * i128::from(1_000_000_000 + 2 * fee) < i128::from(weights.1) * 1_000_000_000);
        let strategy = tokens(weights.0, weights.1, fee);
        let bench = account([(prices.0, held, 0), (prices.1, 0, owed), (100, 0, 0)]);
        let bid = Bid {
            by: Taker::Keeper(cofferdam_core::GroupId(3)),
            give: Some((cofferdam_core::Item::Debt(AssetId(1)), offered)),
            want: Some(cofferdam_core::Item::Asset(AssetId(0))),
            ..Bid::ENGINE
        };
        let Ok(_) = check_strategy(&bench, &strategy, &bid).unwrap() else { return Ok(()) };
        let deal = bench.case(|c| strategy.deal(c, Amount::new(offered), AssetId(1), AssetId(0))).unwrap();
        let Some(Deal { repaid, seized }) = deal else { return Ok(()) };
        prop_assert!(repaid.get() <= offered && repaid.get() <= owed && seized.get() <= held);
        // an atom less would have left it short: it was needed, unless the collateral was what ended it
        let after = account([(prices.0, held - seized.get(), 0), (prices.1, 0, owed - repaid.get()), (100, 0, 0)]);
        let health = after.case(|c| strategy.end_health(c)).unwrap();
        let unit = i128::from(prices.0.max(prices.1)) * 4 + 8;
        prop_assert!(health <= unit, "{health} above {unit}");
    }
}
