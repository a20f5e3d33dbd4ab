//! Deribit, linear perpetuals: the venue's numbers, its mechanism end to end, what it refuses and which laws it breaks.
//! Sources: `docs/protocols/deribit.md`.
#![expect(unused_must_use, reason = "what follows from an input is asserted on the state and its facts")]

mod cex;
use cex::{exact, int, with, with_requirement};
use cofferdam_core::{GroupId, Item, Level, MarketId};
use cofferdam_protocols::preset;
use cofferdam_stack::{Alarm, Answer, Fact, OrderOutcome, Reason};
use cofferdam_testkit::Scene;
use num_rational::BigRational;
use proptest::prelude::*;

fn scene() -> Scene {
    Scene::new(&preset("deribit").unwrap().config().unwrap())
}

/// Maintenance and initial margin of a position at a mark, in USD, as the stack computes them.
fn margins(market: &str, size: &str, price: &str) -> (BigRational, BigRational) {
    let mut scene = scene();
    for m in ["ETH-PERP", "BTC-PERP", "SOL-PERP"] {
        scene.quote(m, if m == market { price } else { "1" });
    }
    for group in [10, 20] {
        scene.deposit(group, "USDT", "100000000");
    }
    assert_eq!(scene.trade(10, 20, market, size, price), Answer::Done);
    let state = scene.bench().state();
    let mut holdings = cofferdam_margin_engine::Holdings::new();
    state.book().load(GroupId(10)).view(state, &mut holdings).unwrap();
    let health =
        scene.bench().engine().stack().parts().margin.assess(&holdings.group(GroupId(10)), state).unwrap();
    let of = |level| int(health.line(level).unwrap().demand.get()) / int(1_000_000);
    (of(Level::Maintenance), of(Level::Initial))
}

/// The table of support article 25944738177565: BTC at 100,000 and SOL at 200. What it does not print is `None`.
#[test]
fn published_margins() {
    let check = |market: &str, price: &str, size: &str, maintenance: Option<&str>, initial: Option<&str>| {
        let (m, i) = margins(market, size, price);
        for (got, want) in [(m, maintenance), (i, initial)] {
            assert!(want.is_none_or(|w| got == exact(w)), "{market} {size}: {got}");
        }
    };
    check("BTC-PERP", "100000", "25", Some("28125"), Some("53125"));
    check("BTC-PERP", "100000", "350", None, Some("1312500"));
    check("SOL-PERP", "200", "25", Some("100.625"), Some("200.625"));
    check("SOL-PERP", "200", "6000", None, Some("84000"));
}

/// Rates of the same table; the maintenance rates of 350 BTC and of 6,000 SOL are by its formula, as the copy at hand ends before them.
#[test]
fn published_rates() {
    let check = |market: &str, price: &str, size: &str, want: (&str, &str)| {
        let (m, i) = margins(market, size, price);
        let notional = exact(size) * exact(price);
        assert_eq!((m / &notional, i / &notional), (exact(want.0), exact(want.1)), "{market} {size}");
    };
    check("BTC-PERP", "100000", "25", ("0.01125", "0.02125"));
    check("BTC-PERP", "100000", "350", ("0.0275", "0.0375"));
    check("SOL-PERP", "200", "25", ("0.020125", "0.040125"));
    check("SOL-PERP", "200", "6000", ("0.05", "0.07"));
}

proptest! {
    /// Derived: the formula in exact fractions on any size, rounded up as the model rounds: the rate to 1e-9, then the amount to 1e-6.
    #[test]
    fn the_formula_on_any_size(lots in 1_i64..2_000_000, price in 1_000_000_i64..200_000_000) {
        let size = format!("{}.{:03}", lots / 1_000, lots % 1_000);
        let mark = format!("{}.{:03}", price / 1_000, price % 1_000);
        let (m, _) = margins("BTC-PERP", &size, &mark);
        let billion = int(1_000_000_000);
        let rate = ((exact("0.01") + exact(&size) * exact("0.00005")) * &billion).ceil() / &billion;
        let want = (exact(&size) * exact(&mark) * rate * int(1_000_000)).ceil() / int(1_000_000);
        prop_assert_eq!(m, want);
    }
}

/// Small parts until maintenance margin is below equity again; and again when the price goes on falling.
#[test]
fn liquidation_is_incremental() {
    let mut scene = scene();
    for m in ["ETH-PERP", "BTC-PERP", "SOL-PERP"] {
        scene.quote(m, "2000");
    }
    for (group, cash) in [(10, "20000"), (20, "1000000"), (30, "1000000")] {
        scene.deposit(group, "USDT", cash);
    }
    // 400 ETH: initial 2 % + 400 x 0.0005 % = 2.2 % of 800,000 = 17,600
    assert_eq!(scene.trade(10, 20, "ETH-PERP", "400", "2000"), Answer::Done);
    let mut sold = Vec::new();
    for price in ["1973.5", "1972", "1970"] {
        scene.quote("ETH-PERP", price);
        let order = scene.order_of(10);
        sold.push(order.lots.get());
        scene.fill(10, 30, price);
        assert!(scene.bench().orders().is_empty(), "healthy again at {price}");
    }
    // 20,000 - 400 x 26.5 = 9,400 carries N x (1 % + size x 0.0005 %): 397.362 ETH; then 8,803.957 of equity carry 375.825 ETH at 1972, and 8,052.307 carry 348.144 at 1970
    assert_eq!(sold, [-2_638, -21_537, -27_681]);
    assert_eq!(scene.size(10, "ETH-PERP"), "348.144");
    assert_eq!((scene.posted(Reason::BadDebt), scene.posted(Reason::Penalty)), (0, 0));
    scene.check();
}

/// A bankruptcy beyond the fund is shared among winners in proportion to their gains, out of gain and not cash.
#[test]
fn an_exhausted_fund_is_socialised_among_winners() {
    let mut scene = Scene::new(&with("deribit", "escrow = \"500000\"", "escrow = \"1000\""));
    for m in ["ETH-PERP", "BTC-PERP", "SOL-PERP"] {
        scene.quote(m, "2000");
    }
    for (group, cash) in [(10, "5000"), (20, "100000"), (21, "100000"), (30, "1000000")] {
        scene.deposit(group, "USDT", cash);
    }
    scene.trade(10, 20, "ETH-PERP", "75", "2000");
    scene.trade(10, 21, "ETH-PERP", "25", "2000");
    scene.quote("ETH-PERP", "1900"); // 5,000 under water
    scene.fill(10, 30, "1900");
    assert_eq!(scene.deficit("USDT"), "4000"); // the fund paid 1,000
    scene.wait(10);
    // 20 had gained 7,500 and 21 2,500: they pay 3,000 and 1,000
    assert_eq!((scene.deficit("USDT"), scene.posted(Reason::Haircut)), ("0".into(), 2));
    let cost = |g: u32| scene.bench().state().book().position(GroupId(g), MarketId(0)).unwrap().cost.get();
    assert_eq!((cost(20), cost(21)), (-150_000_000_000 + 3_000_000_000, -50_000_000_000 + 1_000_000_000));
    assert_eq!((scene.balance(20, "USDT"), scene.balance(21, "USDT")), ("100000".into(), "100000".into()));
    scene.check();
}

/// An order that nobody fills is sent again.
#[test]
fn an_order_that_is_not_filled_is_sent_again() {
    let mut scene = scene();
    for m in ["ETH-PERP", "BTC-PERP", "SOL-PERP"] {
        scene.quote(m, "2000");
    }
    for (group, cash) in [(10, "20000"), (20, "1000000")] {
        scene.deposit(group, "USDT", cash);
    }
    scene.trade(10, 20, "ETH-PERP", "400", "2000");
    scene.quote("ETH-PERP", "1973.5");
    let first = scene.order_of(10);
    scene.end_order(10, OrderOutcome::Expired);
    assert_eq!(scene.order_of(10).lots, first.lots);
    let none = |a: &Alarm| matches!(a, Alarm::Failed { .. });
    assert!(!scene.bench().alarms().iter().any(none));
    let moved = |f: &Fact| matches!(f, Fact::Post { reason: Reason::Deleverage, postings } if postings.iter().any(|p| matches!(p.item, Item::Position(_))));
    assert!(!scene.bench().history().steps.iter().flat_map(|(_, f)| f).any(moved));
}

#[test]
fn what_the_venue_would_not_accept() {
    let check = |terms: &str, path: &str, says: &str| {
        let text = format!("kind = 'cofferdam/linear-size@1'\n{terms}");
        let error = with_requirement("deribit", &text).map(|_| ()).unwrap_err();
        assert!(error.contains(path) && error.contains(says), "{terms}: {error}");
    };
    check("maintenance = '0.02'\ninitial = '0.01'\nper_unit = '0'", "initial", "maintenance <= initial");
    check("maintenance = '1'\ninitial = '1'\nper_unit = '0'", "maintenance", "maintenance < \"1\"");
    check("maintenance = '0.01'\ninitial = '0.02'\nper_unit = '-0.1'", "per_unit", "<= per_unit <= \"1\"");
    check("maintenance = '0.01'\ninitial = '0.02'\nper_unit = '0'\nunit = '0'", "unit", "at least one lot");
    check("maintenance = '0.01'\ninitial = '0.02'\nper_unit = '0'\nunit = '0.0001'", "unit", "0.001");
}

/// A position too large for the widths is an error, never a wrap.
#[test]
fn too_large_is_an_error() {
    let mut scene = scene();
    scene.quote("ETH-PERP", "2000");
    for group in [10, 20] {
        scene.deposit(group, "USDT", "1000000000000");
    }
    assert!(matches!(scene.trade(10, 20, "ETH-PERP", "9000000000000000", "2000"), Answer::Refused(_)));
}

/// What the preset declares, in full: no law from INV-10 to INV-23, and the splitting of positions that all convex rates reward.
#[test]
fn the_laws_it_breaks() {
    let config = preset("deribit").unwrap().config().unwrap();
    let mut laws: Vec<u16> = config.broken_laws().iter().map(|l| l.invariant).collect();
    laws.dedup();
    assert_eq!(laws, [6]);
}

/// INV-6: two accounts of half the size need less.
#[test]
fn splitting_lowers_what_is_required() {
    let (whole, half) = (margins("BTC-PERP", "350", "100000").0, margins("BTC-PERP", "175", "100000").0);
    assert_eq!((whole, half), (exact("962500"), exact("328125")));
}
