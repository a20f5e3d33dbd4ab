//! Vertex: numbers derived from its formulas, its own mechanism end to end, what it refuses, and the laws that it breaks.
#![expect(unused_must_use, reason = "what a step of a scene answers is looked at where it matters")]

use cofferdam_core::{GroupId, Health, Holder, Item, LayerId, Level, Ppb, Rounding};
use cofferdam_margin_engine::Holdings;
use cofferdam_protocols::{
    preset,
    vertex::{Price, Weights},
};
use cofferdam_stack::{Answer, Body, Fact, Reason, Rejection, StackConfig};
use cofferdam_testkit::Scene;

fn text() -> &'static str {
    preset("vertex").unwrap().stack
}

fn scene(text: &str) -> Scene {
    Scene::new(&StackConfig::from_toml(text, "vertex.toml").unwrap())
}

fn with(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |t, (from, to)| {
        assert!(t.contains(from), "{from}");
        t.replace(from, to)
    })
}

/// Liquidators only: no order leaves, so that nothing waits.
fn liquidators() -> String {
    with(text(), &[("orders_after_ms = 1000", "# orders_after_ms")])
}

fn fund(s: &Scene) -> String {
    s.held(Holder::Layer(LayerId(0)), "USDT")
}

fn health(s: &Scene, group: u32) -> Health {
    let state = s.bench().state();
    let mut holdings = Holdings::new();
    state.book().load(GroupId(group)).view(state, &mut holdings).unwrap();
    s.bench().engine().stack().parts().margin.assess(&holdings.group(GroupId(group)), state).unwrap()
}

fn slack(s: &Scene, group: u32, level: Level) -> i128 {
    health(s, group).line(level).unwrap().slack()
}

/// Refused, and why; a piece of the reason.
fn refused(answer: &Answer, why: &str) {
    match answer {
        Answer::Refused(Rejection::Strategy { reason }) => assert!(reason.contains(why), "{reason}"),
        other => panic!("{other:?}, not {why}"),
    }
}

// ---- (1) numbers: derived, `cargo xtask derive vertex`

const fn weights(long: i64, short: i64) -> Weights {
    Weights {
        long_initial: Ppb(0),
        long_maintenance: Ppb(long),
        short_initial: Ppb(2_000_000_000),
        short_maintenance: Ppb(short),
    }
}

#[test]
fn prices_of_a_liquidation() {
    // of a million at the oracle's price: what the account gets or pays, what the liquidator does, and insurance's half
    let check = |name: &str, price: Price, account, liquidator, insurance| {
        let million = 1_000_000_000_000;
        let found = (
            price.account(million, Rounding::Down).unwrap(),
            price.liquidator(million, Rounding::Down).unwrap(),
            price.insurance(million).unwrap(),
        );
        assert_eq!(found, (account, liquidator, insurance), "{name}");
    };
    let (a, b, c) = (
        weights(950_000_000, 1_050_000_000),
        weights(970_000_001, 1_030_000_003),
        weights(600_000_000, 1_400_000_000),
    );
    check("sold at 0.95", a.outright(false), 990_000_000_000, 995_000_000_000, 5_000_000_000);
    check("sold at 0.970000001", b.outright(false), 994_000_000_200, 997_000_000_100, 2_999_999_900);
    check("sold at 0.6", c.outright(false), 920_000_000_000, 960_000_000_000, 40_000_000_000);
    check("bought back at 1.05", a.outright(true), 1_010_000_000_000, 1_005_000_000_000, 5_000_000_000);
    check(
        "bought back at 1.030000003",
        b.outright(true),
        1_006_000_000_600,
        1_003_000_000_300,
        3_000_000_300,
    );
    check("bought back at 1.4", c.outright(true), 1_080_000_000_000, 1_040_000_000_000, 40_000_000_000);
    let of = |spot, perp, owed| Price::of_spread(spot, perp, owed);
    check("spread sold, perpetual 0.95", of(&b, &a, false), 998_000_000_000, 999_000_000_000, 1_000_000_000);
    check("spread sold, perpetual 0.6", of(&a, &c, false), 984_000_000_000, 992_000_000_000, 8_000_000_000);
    check(
        "spread bought back, asset 1.05",
        of(&a, &b, true),
        1_002_000_000_000,
        1_001_000_000_000,
        1_000_000_000,
    );
    check(
        "spread bought back, asset 1.4",
        of(&c, &a, true),
        1_016_000_000_000,
        1_008_000_000_000,
        8_000_000_000,
    );
}

/// An account of so much cash, ETH held and owed, and lots opened at 2,000.
fn account(text: &str, cash: &str, held: &str, owed: &str, size: &str) -> Scene {
    let mut s = scene(text);
    for of in ["ETH-PERP", "ETH"] {
        s.quote(of, "2000");
    }
    for (group, asset, amount) in [
        (2, "USDT", "5000000"),
        (3, "USDT", "500000"),
        (3, "ETH", "100"),
        (5, "ETH", "1000"),
        (1, "USDT", cash),
    ] {
        s.deposit(group, asset, amount);
    }
    assert_eq!(s.supply(5, "eth-pool", "ETH", "1000"), Answer::Done);
    if held != "0" {
        s.deposit(1, "ETH", held);
    }
    if size != "0" {
        assert_eq!(s.trade(1, 2, "ETH-PERP", size, "2000"), Answer::Done);
    }
    if owed != "0" {
        assert_eq!(s.borrow(1, "eth-pool", "ETH", owed), Answer::Done);
    }
    s
}

#[test]
fn health_with_and_without_spreads() {
    let check = |name: &str, holds: [&str; 4], prices: (&str, &str), initial: i128, maintenance: i128| {
        let mut s = account(text(), holds[0], holds[1], holds[2], holds[3]);
        s.quote("ETH", prices.0);
        s.quote("ETH-PERP", prices.1);
        let found = (slack(&s, 1, Level::Initial), slack(&s, 1, Level::Maintenance));
        assert_eq!(found, (initial * 1_000, maintenance * 1_000), "{name}: in thousandths of the quote");
    };
    check("cash and an asset", ["1000", "3", "0", "0"], ("2100", "2100"), 6_670_000, 6_985_000);
    check("a long position", ["3000", "0", "0", "10"], ("2000", "1990"), 910_000, 1_905_000);
    check("a short position", ["3000", "0", "0", "-10"], ("2000", "2010"), 890_000, 1_895_000);
    check("what is owed", ["9000", "0", "4", "0"], ("2020", "2020"), 112_000, 516_000);
    check("a spread held, more asset", ["1000", "10", "0", "-4"], ("2000", "2040"), 19_316_800, 20_078_400);
    check("a spread held, more lots", ["1000", "4", "0", "-10"], ("2000", "2040"), 7_052_800, 7_826_400);
    check("a spread owed", ["12500", "0", "5", "5"], ("2000", "1900"), 1_610_000, 1_805_000);
    check("no spread: both held", ["1000", "3", "0", "4"], ("2010", "1990"), 5_591_000, 6_290_500);
}

// ---- (2) the mechanism

/// Ten ETH at 2,000 with 2,050 behind it: below maintenance at 1,880 (long) or 2,120 (short), and the most of it that may be taken.
#[test]
fn a_position_is_taken_up_to_an_initial_health_of_zero() {
    for (side, mark, most, price, insured, keeper) in [
        ("10", "1880", 6_087, 1_870_600, "500056.4", "6"),
        ("-10", "2120", 6_656, 2_130_600, "500063.6", "-6"),
    ] {
        let mut s = account(&liquidators(), "2050", "0", "0", side);
        s.quote("ETH-PERP", mark);
        let max = format!("TooMuch {{ max: {most} }}");
        refused(&s.take(3, 1, "ETH-PERP", "6.7"), &max);
        refused(&s.take(3, 1, "ETH-PERP", "10.001"), "TooMuch { max: 10000 }");
        assert_eq!(s.take(3, 1, "ETH-PERP", "6"), Answer::Done);
        assert_eq!(s.size(3, "ETH-PERP"), keeper);
        let cost = s.bench().state().book().position(GroupId(3), s.market("ETH-PERP")).unwrap().cost.get();
        assert_eq!(cost.abs(), 6_000 * price, "half of a fifth of 5 % from the mark");
        // insurance's half: 0.5 % of what six ETH are worth at the mark, to a millionth of it
        let (got, fee) = (fund(&s).parse::<f64>().unwrap(), insured.parse::<f64>().unwrap());
        assert!((got - fee).abs() < 0.0001, "{got}");
        refused(&s.take(3, 1, "ETH-PERP", "0.001"), "Healthy");
        s.check();
    }
}

#[test]
fn the_most_of_a_position_may_be_taken_and_a_lot_more_not() {
    let at = || {
        let mut s = account(&liquidators(), "2050", "0", "0", "10");
        s.quote("ETH-PERP", "1880");
        s
    };
    let mut s = at();
    refused(&s.take(3, 1, "ETH-PERP", "6.088"), "TooMuch { max: 6087 }");
    assert_eq!(s.take(3, 1, "ETH-PERP", "6.087"), Answer::Done);
    let left = slack(&s, 1, Level::Initial);
    // a lot gains 0.1692 of initial health
    assert!((-169_200..=0).contains(&left), "{left}");
}

/// Holds 1 ETH, owes 5, at 2,400: the asset is sold first, then a part of what is owed is bought back.
#[test]
fn assets_come_before_what_is_owed() {
    let mut s = account(&liquidators(), "10000", "1", "5", "0");
    s.quote("ETH", "2400");
    refused(&s.bid(3, 1, ("ETH", "1"), ("USDT", "0")), "what is owed last");
    assert_eq!(s.bid(3, 1, ("USDT", "5000"), ("ETH", "1")), Answer::Done);
    assert_eq!((s.balance(1, "ETH"), s.balance(1, "USDT")), ("0".into(), "12376".into()), "sold at 2,376");
    assert_eq!(
        (s.balance(3, "ETH"), s.balance(3, "USDT")),
        ("101".into(), "497612".into()),
        "bought at 2,388"
    );
    assert_eq!(fund(&s), "500012", "half of the difference");
    // 5 owed: up to 3.81481481.. may be bought back (derived: 3814 thousandths)
    refused(&s.bid(3, 1, ("ETH", "4"), ("USDT", "0")), "TooMuch { max: 38148148");
    assert_eq!(s.bid(3, 1, ("ETH", "3.5"), ("USDT", "8442")), Answer::Done);
    assert_eq!(
        (s.balance(1, "USDT"), s.balance(3, "USDT")),
        ("3892".into(), "506054".into()),
        "2,424 and 2,412"
    );
    assert_eq!(fund(&s), "500054");
    assert_eq!(s.posted(Reason::Seizure), 2);
    refused(&s.bid(3, 1, ("ETH", "1"), ("USDT", "0")), "Healthy");
    s.check();
}

/// An open position outside a spread also comes before what is owed; the lots of a spread do not.
#[test]
fn positions_come_before_what_is_owed() {
    let mut s = account(&liquidators(), "10700", "0", "5", "6");
    s.quote("ETH-PERP", "1900");
    assert!(health(&s, 1).below(Level::Maintenance));
    refused(&s.bid(3, 1, ("ETH", "1"), ("USDT", "0")), "what is owed last");
    refused(&s.take(3, 1, "ETH-PERP", "1.001"), "TooMuch { max: 1000 }");
    assert_eq!(s.take(3, 1, "ETH-PERP", "1"), Answer::Done);
    assert!(health(&s, 1).below(Level::Maintenance), "{:?}", health(&s, 1));
    refused(&s.take(3, 1, "ETH-PERP", "1"), "a spread whole");
    assert_eq!(s.bid(3, 1, ("ETH", "1"), ("USDT", "2002")), Answer::Done);
    assert_eq!((s.size(1, "ETH-PERP").as_str(), s.size(3, "ETH-PERP").as_str()), ("4", "2"));
    s.check();
}

/// Ten ETH held against ten sold, the perpetual far above the asset: asset and lots go together, at 0.998 and at the mark.
#[test]
fn a_spread_is_taken_whole() {
    let mut s = account(&liquidators(), "0", "10", "0", "-10");
    s.quote("ETH-PERP", "3960");
    assert_eq!(slack(&s, 1, Level::Maintenance), -196_000_000);
    refused(&s.take(3, 1, "ETH-PERP", "1"), "a spread whole");
    // 6.875 ETH at 1,998
    refused(&s.bid(3, 1, ("USDT", "13986"), ("ETH", "0")), "TooMuch { max: 13736250000 }");
    assert_eq!(s.bid(3, 1, ("USDT", "11988"), ("ETH", "6")), Answer::Done);
    assert_eq!((s.balance(1, "ETH").as_str(), s.size(1, "ETH-PERP").as_str()), ("4", "-4"));
    assert_eq!((s.balance(3, "ETH").as_str(), s.size(3, "ETH-PERP").as_str()), ("106", "-6"));
    assert_eq!(s.balance(1, "USDT"), "216", "six times 1,996 less the loss of 1,960");
    assert_eq!(fund(&s), "500012");
    s.check();
}

fn poor() -> String {
    with(&liquidators(), &[("escrow = \"500000\"", "escrow = \"20\"")])
}

/// All of two ETH taken at 1,771.10 (the mark less half a percent): 57.8 are missing; insurance has 20, and every lot bears the rest.
#[test]
fn what_insurance_leaves_of_a_perpetual_is_borne_through_funding() {
    let mut s = scene(&poor());
    s.quote("ETH-PERP", "2000");
    for (group, amount) in [(1, "400"), (2, "50000"), (3, "50000"), (4, "50000")] {
        s.deposit(group, "USDT", amount);
    }
    assert_eq!(s.trade(4, 2, "ETH-PERP", "3.5", "2000"), Answer::Done);
    assert_eq!(s.trade(1, 2, "ETH-PERP", "2", "2000"), Answer::Done);
    s.quote("ETH-PERP", "1780");
    assert_eq!(s.take(3, 1, "ETH-PERP", "2"), Answer::Done);
    assert_eq!((fund(&s).as_str(), s.deficit("USDT").as_str()), ("0", "37.8"), "insurance has ended");
    let cost = |s: &Scene, g: u32| {
        s.bench().state().book().position(GroupId(g), s.market("ETH-PERP")).unwrap().cost.get()
    };
    let before = [2, 3, 4].map(|g| cost(&s, g));
    s.wait(1);
    assert_eq!((s.posted(Reason::Insurance), s.posted(Reason::Socialisation)), (1, 1));
    assert_eq!(s.deficit("USDT"), "0");
    // 37.8 / (2 x 5.5) = 3.436364 per contract, short or long alike (derived: 3436364)
    let owed: Vec<i128> = [2, 3, 4].iter().zip(&before).map(|(g, b)| cost(&s, *g) - b).collect();
    assert_eq!(owed, [18_900_001, 6_872_728, 12_027_273]);
    s.check();
}

/// Ten owed at 3,000 with 22,500: 7,800 are missing to 30,300, and insurance pays them; half of the gain comes back to it.
#[test]
fn insurance_buys_back_what_is_owed() {
    let mut s = account(&liquidators(), "22500", "0", "10", "0");
    s.quote("ETH", "3000");
    assert_eq!(s.bid(3, 1, ("ETH", "10"), ("USDT", "30150")), Answer::Done);
    assert_eq!((s.balance(1, "USDT"), s.balance(3, "USDT")), ("0".into(), "530150".into()));
    assert_eq!(fund(&s), "492350", "500,000 less 7,800 and 150 more");
    assert_eq!((s.posted(Reason::Insurance), s.posted(Reason::WriteDown)), (1, 0));
    s.check();
}

/// What is owed and neither the account nor insurance pays for lowers what every share of the pool is worth.
#[test]
fn what_is_left_of_a_loan_is_borne_by_depositors() {
    let mut s = account(&poor(), "22500", "0", "10", "0");
    s.quote("ETH", "3000");
    // 22,500 and insurance's 20 pay for 7.432.. ETH at 3,030
    assert_eq!(s.bid(3, 1, ("ETH", "10"), ("USDT", "0")), Answer::Done);
    assert_eq!(s.balance(1, "USDT"), "0");
    assert_eq!((s.posted(Reason::WriteDown), s.deficit("ETH")), (1, "0".to_owned()));
    let pool = s.pool("eth-pool");
    let shares = s.bench().state().holding(Holder::Group(GroupId(5)), Item::Share(pool)).units;
    let body = Body::Redeem { group: GroupId(5), pool, shares: shares.unsigned_abs() };
    assert_eq!(s.send(body).answer, Answer::Done);
    let kept = s.balance(5, "ETH");
    assert!(kept.starts_with("997.432343234"), "1,000 less 10 - 22,520 / 3,030: {kept}");
    s.check();
}

#[test]
fn what_liquidators_leave_is_offered_as_orders() {
    let mut s = account(text(), "2050", "0", "0", "10");
    s.quote("ETH-PERP", "1880");
    assert!(s.bench().orders().is_empty(), "a second for liquidators");
    s.wait(1000);
    let order = s.order_of(1);
    assert_eq!((order.limit, order.lots), (s.ticks("ETH-PERP", "1870.6"), s.lots("ETH-PERP", "-6.087")));
    assert_eq!(s.fill(1, 2, "1870.6"), Answer::Done);
    assert_eq!(s.posted(Reason::Penalty), 1, "insurance's half");
    assert!(!health(&s, 1).below(Level::Maintenance));
    s.check();
}

#[test]
fn a_liquidator_has_to_be_sound_with_what_it_takes() {
    let mut s = account(&liquidators(), "2050", "0", "0", "10");
    s.quote("ETH-PERP", "1880");
    s.deposit(7, "USDT", "1000");
    assert!(matches!(s.take(7, 1, "ETH-PERP", "6"), Answer::Refused(Rejection::Margin { .. })));
    assert_eq!(s.take(7, 1, "ETH-PERP", "5"), Answer::Done);
    s.check();
}

// ---- (3) refusals

#[test]
fn parameters_outside_what_the_venue_accepts() {
    let check = |from: &str, to: &str, words: &str| {
        let config = StackConfig::from_toml(&with(text(), &[(from, to)]), "vertex.toml");
        let error = config.and_then(|c| c.build().map(|_| ())).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    check("long_initial = \"0.9\" ", "long_initial = \"0.96\" ", "at most long_maintenance");
    check("short_initial = \"1.1\" ", "short_initial = \"1.04\" ", "short_maintenance or more");
    check("short_initial = \"1.1\" ", "short_initial = \"2.01\" ", "at most 2");
    check("long_maintenance = \"0.95\" ", "long_maintenance = \"1.01\" ", "at most 1");
    check("short_maintenance = \"1.05\" ", "short_maintenance = \"0.99\" ", "at least 1");
    check(
        "long_initial = \"0.9\"                  # [2nd] as",
        "long_initial = \"0.8\" # as",
        "turn them round",
    );
    check("insurance = \"fund\"", "insurance = \"nobody\"", "no layer is named");
    check(
        "kind = \"vertex/health@1\"\nquote = \"USDT\"",
        "kind = \"vertex/health@1\"\nquote = \"ETH\"",
        "the numeraire",
    );
    check("ttl_ms = 60000", "ttl_ms = 0", "at least 1 ms");
    check("pool = \"eth-pool\", long", "pool = \"none\", long", "no pool is named");
    check("spreads = [{ asset = \"ETH\"", "spreads = [{ asset = \"USDT\"", "that have weights");
}

#[test]
fn amounts_too_large_are_errors() {
    let price = weights(950_000_000, 1_050_000_000).outright(true);
    assert!(price.account(i128::MAX, Rounding::Up).is_err());
    assert_eq!(
        price.account(1 << 100, Rounding::Down),
        Ok((1 << 100) / 100 * 101 + (1 << 100) % 100 * 101 / 100)
    );
}

// ---- (4) laws that the venue breaks, each shown

#[test]
fn the_laws_that_it_breaks_are_declared() {
    let declared = |kind: &str| {
        let info = cofferdam_stack::modules().into_iter().find(|m| m.kind == kind).unwrap();
        info.breaks.iter().map(|b| b.invariant).collect::<Vec<_>>()
    };
    assert_eq!(declared("vertex/health@1"), [11]);
    assert_eq!(declared("vertex/liquidate-subaccount@1"), [23]);
}

#[test]
fn law_11_closing_one_side_of_a_spread_lowers_health() {
    let mut s = account(text(), "1000", "10", "0", "-10");
    let before = slack(&s, 1, Level::Maintenance);
    assert_eq!(s.trade(1, 2, "ETH-PERP", "5", "2000"), Answer::Done, "a reduction, at the mark");
    let after = slack(&s, 1, Level::Maintenance);
    // five ETH less of the penalty of 5 %, and four fifths of twice that no longer given back: 500 - 800
    assert_eq!(after - before, -300_000_000);
}

#[test]
fn law_23_a_loan_waits_for_insurance_to_buy_it_back() {
    let mut s = account(text(), "22500", "0", "10", "0");
    s.quote("ETH", "3000");
    assert_eq!(s.bid(3, 1, ("ETH", "8"), ("USDT", "0")), Answer::Done);
    s.quote("ETH", "3010");
    assert_eq!(s.balance(1, "USDT"), "0");
    let owing = s.bench().state().book().load(GroupId(1));
    assert!(!owing.debts().is_empty() && owing.balances().iter().all(|b| b.amount.get() <= 0));
    assert_eq!(s.posted(Reason::WriteDown), 0);
    assert_eq!(s.bid(3, 1, ("ETH", "2"), ("USDT", "0")), Answer::Done, "insurance pays all of it");
    assert!(s.bench().state().book().load(GroupId(1)).debts().is_empty());
    s.check();
}

#[test]
fn law_26_losers_bear_a_loss_out_of_principal() {
    let mut s = scene(&poor());
    s.quote("ETH-PERP", "2000");
    for (group, amount) in [(1, "400"), (2, "50000"), (3, "50000"), (4, "50000")] {
        s.deposit(group, "USDT", amount);
    }
    assert_eq!(s.trade(1, 2, "ETH-PERP", "2", "2000"), Answer::Done);
    s.quote("ETH-PERP", "1700");
    assert_eq!(s.trade(4, 2, "ETH-PERP", "1", "1700"), Answer::Done, "group 4 has gained nothing");
    assert_eq!(s.take(3, 1, "ETH-PERP", "2"), Answer::Done);
    s.wait(1);
    let charged = s.bench().history().steps.iter().flat_map(|(_, facts)| facts).any(|fact| match fact {
        Fact::Post { reason: Reason::Socialisation, postings } => {
            postings.iter().any(|p| p.holder == Holder::Group(GroupId(4)) && p.cost.get() > 0)
        }
        _ => false,
    });
    assert!(charged);
    s.check();
}
