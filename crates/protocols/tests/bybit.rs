//! Bybit: the venue's numbers, its mechanism end to end, what it refuses and which laws it breaks. Sources: `docs/protocols/bybit.md`.
#![expect(unused_must_use, reason = "what follows from an input is asserted on the state and its facts")]

mod cex;
use cex::{closes, micro, of_notional, with, with_requirement};
use cofferdam_core::{AssetId, Level, MapMemory, MarketId, Millis, Ppb, Quanta, Ticks};
use cofferdam_liquidation_strategy::{
    Bid, Deleverage, DeleveragePrice, Drain, FullClose, LimitPrice, OrderTerms, Penalty, Step, WhileDrained,
    bankruptcy_price, conformance::Bench,
};
use cofferdam_protocols::preset;
use cofferdam_stack::{Answer, Body, Reason};
use cofferdam_testkit::Scene;

fn scene() -> Scene {
    let mut scene = Scene::new(&preset("bybit").unwrap().config().unwrap());
    scene.quote("ETH-PERP", "2000");
    scene.quote("BTC-PERP", "40000");
    scene
}

/// Whether positions are closed against the other side after a pool went from one balance to another, by the venue's constants.
fn triggers(peak: &str, now: &str, above: &str) -> bool {
    let order = OrderTerms::new(LimitPrice::Any, Penalty::default(), Millis(1)).unwrap();
    let drain = Drain {
        window: Millis(28_800_000),
        start: Ppb(300_000_000),
        stop: Ppb(250_000_000),
        above: Quanta::new(micro(above)),
    };
    let last = Deleverage::new(DeleveragePrice::Bankruptcy, Millis(1)).unwrap();
    let strategy = WhileDrained::new(Box::new(FullClose::new(order)), Box::new(last), drain).unwrap();
    let mut memory = MapMemory::default();
    let mut seen = |cover: &str| {
        let bench = Bench::perpetual(30).with_position(MarketId(0), 10, 1_000);
        let bench = Bench { cover: Quanta::new(micro(cover)), ..bench };
        let plan = bench.plan_with(&mut memory, &strategy, &Bid::ENGINE).unwrap().unwrap();
        matches!(plan.steps[0], Step::Deleverage { .. })
    };
    seen(peak);
    seen(now)
}

/// The page "get ADL alert": its first example, and the answer of its stream of 13 September 2025 (threshold 10,000).
#[test]
fn published_triggers() {
    let check = |what: &str, (peak, now, above): (&str, &str, &str), want: bool| {
        assert_eq!(triggers(peak, now, above), want, "{what}");
    };
    check("example 1: a pool of 1M, a loss of 350K, threshold 1: -35 %", ("1000000", "650000", "1"), true);
    check("the same at -30 %, to which the venue brings it", ("1000000", "700000", "1"), false);
    check("FWOGUSDT: a balance of -5421.3", ("-5421.298998", "-5421.298998", "10000"), true);
    check("ZORAUSDT: 19873.46 of 19874.98", ("19874.976128", "19873.462551", "10000"), false);
    check("BERAUSDT: 453.36, below the threshold", ("453.364270", "453.364270", "10000"), false);
}

/// Help page "auto-deleveraging", as others print it: long 100 at 500 with 1,000 of margin and 100 of wallet is bankrupt at 489.
#[test]
fn published_bankruptcy_price() {
    let bench = Bench::perpetual(1_100).with_mark(MarketId(0), 490).with_position(MarketId(0), 100, 50_000);
    assert_eq!(bench.case(|c| bankruptcy_price(c, MarketId(0))).unwrap(), Ticks::new(489));
}

/// API v3, "get risk limit": ETHPERP up to 500,000 at 1 % and 1.5 %.
#[test]
fn published_risk_limit() {
    let built = preset("bybit").unwrap().config().unwrap().build().unwrap();
    let health = of_notional(&built, micro("500000"));
    let demand = |level| health.line(level).unwrap().demand.get();
    assert_eq!((demand(Level::Maintenance), demand(Level::Initial)), (micro("5000"), micro("7500")));
}

/// A long of 1,000 ETH from 2000 by `group`, with 40,000 of collateral.
fn long(scene: &mut Scene, group: u32, against: u32) {
    scene.deposit(group, "USDT", "40000");
    assert_eq!(scene.trade(group, against, "ETH-PERP", "1000", "2000"), Answer::Done);
}

/// The fall of a pool starts auto-deleveraging and its refill stops it, at -30 % and -25 %, in its own market only.
#[test]
fn the_pool_starts_and_stops_it() {
    let mut scene = scene();
    for (group, cash) in [(20, "900000"), (21, "200000"), (22, "60000"), (30, "9000000"), (50, "1000")] {
        scene.deposit(group, "USDT", cash);
    }
    long(&mut scene, 10, 20);
    long(&mut scene, 11, 20);
    long(&mut scene, 12, 22);
    long(&mut scene, 13, 21);
    long(&mut scene, 14, 21);
    scene.trade(50, 30, "BTC-PERP", "1", "40000");
    // 19,000 of equity against 1 % of 1,979,000: everybody is sold into the book
    scene.quote("ETH-PERP", "1979");
    assert_eq!(scene.bench().orders().len(), 5);
    // 10 at 1830: 130,000 more than it had: the pool goes from 500,000 to 370,000, 26 % below its peak
    scene.fill(10, 30, "1830");
    // 11 at 1929.999: 30,001 more; 339,999 are left, more than 30 % below
    scene.fill(11, 30, "1929.999");
    assert_eq!(scene.posted(Reason::Insurance), 2);
    assert_eq!(scene.posted(Reason::Deleverage), 0);
    // 12's order comes back unfilled: its position is closed against the other side, no order leaves
    scene.end_order(12, cofferdam_stack::OrderOutcome::Expired);
    assert!(scene.bench().orders().iter().all(|o| o.group.0 != 12));
    // leveraged return at 1979: 22 is short 1,000 with 21,000 of gain on 81,000 of equity, 21 short 2,000 with 42,000 on 242,000, 20
    // as many with 942,000; at 12's bankruptcy price 1960
    let price = i128::from(scene.ticks("ETH-PERP", "1960").get());
    assert_eq!(closes(&scene, Reason::Deleverage, 12), [(22, -1_000_000, price)]);
    assert_eq!((scene.size(22, "ETH-PERP"), scene.balance(22, "USDT")), ("0".into(), "100000".into()));
    // another market has a pool of its own: its liquidations go to the book
    scene.quote("BTC-PERP", "39390"); // 390 of equity against 393.9
    assert_eq!(scene.order_of(50).lots, scene.lots("BTC-PERP", "-1"));
    // a refill to 374,999 is not enough, one to 375,001 is: less than 25 % is gone
    let fund = cofferdam_core::LayerId(0);
    let refill = |scene: &mut Scene, amount: &str| {
        let amount = scene.atoms("USDT", amount);
        scene.send(Body::Escrow { layer: fund, asset: AssetId(0), amount });
    };
    refill(&mut scene, "35000");
    scene.end_order(13, cofferdam_stack::OrderOutcome::Expired);
    assert_eq!(closes(&scene, Reason::Deleverage, 13), [(21, -1_000_000, price)]);
    refill(&mut scene, "2");
    scene.end_order(14, cofferdam_stack::OrderOutcome::Expired);
    assert_eq!(scene.order_of(14).lots, scene.lots("ETH-PERP", "-1000"));
    scene.check();
}

/// An empty pool closes positions whatever its peak, until there is money again; a deficit waits for it and nobody is cut.
#[test]
fn an_empty_pool() {
    let mut scene = Scene::new(&with("bybit", "escrow = \"500000\"", "escrow = \"1000\""));
    scene.quote("ETH-PERP", "2000");
    scene.quote("BTC-PERP", "40000");
    for (group, cash) in [(20, "900000"), (30, "9000000")] {
        scene.deposit(group, "USDT", cash);
    }
    for group in [10, 11, 12] {
        long(&mut scene, group, 20);
    }
    scene.quote("ETH-PERP", "1979");
    scene.fill(10, 30, "1950"); // 10,000 more than it had, 1,000 of which the pool has
    scene.wait(1_000);
    assert_eq!((scene.deficit("USDT"), scene.posted(Reason::Haircut)), ("9000".into(), 0));
    scene.end_order(11, cofferdam_stack::OrderOutcome::Expired);
    assert_eq!(scene.posted(Reason::Deleverage), 1);
    // what is left of a margin fills the pool: 12 is closed 10 above its bankruptcy price, and 10,000 come in
    scene.fill(12, 30, "1970");
    assert_eq!(scene.balance(12, "USDT"), "0");
    assert_eq!(scene.posted(Reason::Penalty), 1);
    scene.check();
}

#[test]
fn what_the_venue_would_not_accept() {
    let refused = |from: &str, to: &str| {
        let error = with("bybit", from, to).build().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("accepted"), "{error}");
        error
    };
    assert!(refused("stop = \"0.25\"", "stop = \"0.31\"").contains("liquidation.stop"));
    assert!(refused("start = \"0.3\"", "start = \"1.3\"").contains("liquidation.start"));
    assert!(refused("window_ms = 28800000", "window_ms = 0").contains("liquidation.window"));
    assert!(refused("above = \"10000\"", "above = \"-1\"").contains("liquidation.above"));
    assert!(
        refused("market = \"BTC-PERP\" }\n\n# Lev", "market = \"DOGE\" }\n\n# Lev").contains("terms.market")
    );
    let terms =
        "kind = 'cofferdam/tiered@1'\ntiers = [{ lower = '0', maintenance = '0.02', initial = '0.01' }]";
    assert!(with_requirement("bybit", terms).map(|_| ()).unwrap_err().contains("maintenance <= initial"));
}

/// A position too large for the widths is an error, never a wrap.
#[test]
fn too_large_is_an_error() {
    let mut scene = scene();
    for group in [10, 20] {
        scene.deposit(group, "USDT", "1000000000000");
    }
    assert!(matches!(scene.trade(10, 20, "ETH-PERP", "9000000000000000", "2000"), Answer::Refused(_)));
}

/// What the preset declares, in full.
#[test]
fn the_laws_it_breaks() {
    let config = preset("bybit").unwrap().config().unwrap();
    let mut laws: Vec<u16> = config.broken_laws().iter().map(|l| l.invariant).collect();
    laws.sort_unstable();
    laws.dedup();
    assert_eq!(laws, [6, 19, 23, 28]);
}

/// INV-6: with a second bracket two accounts of half the size need less; where it begins and what it asks is made up. With the only
/// one that the preset has they need the same.
#[test]
fn a_second_bracket_rewards_splitting() {
    let needs = |built: &cofferdam_stack::Built| {
        let need = |n: &str| of_notional(built, micro(n)).line(Level::Maintenance).unwrap().demand.get();
        (need("800000"), 2 * need("400000"))
    };
    let built = preset("bybit").unwrap().config().unwrap().build().unwrap();
    assert_eq!(needs(&built), (micro("8000"), micro("8000")));
    let two = "kind = 'cofferdam/tiered@1'
tiers = [{ lower = '0', maintenance = '0.01', initial = '0.015' }, { lower = '500000', maintenance = '0.015', initial = '0.02' }]";
    assert_eq!(needs(&with_requirement("bybit", two).unwrap()), (micro("9500"), micro("8000")));
}

/// INV-19: all is sold, and what was left of the margin goes to the pool. INV-23: `an_empty_pool`. INV-28: who gained more ends below
/// who gained less, as only one of them is closed.
#[test]
fn all_is_taken_and_gains_change_places() {
    let mut scene = Scene::new(&with("bybit", "escrow = \"500000\"", "escrow = \"1\""));
    scene.quote("ETH-PERP", "2000");
    scene.quote("BTC-PERP", "40000");
    for (group, cash) in [(20, "900000"), (21, "35000"), (30, "9000000")] {
        scene.deposit(group, "USDT", cash);
    }
    long(&mut scene, 10, 21);
    long(&mut scene, 11, 20);
    scene.quote("ETH-PERP", "1979");
    assert_eq!(scene.order_of(10).lots, scene.lots("ETH-PERP", "-1000"));
    scene.fill(11, 30, "1950"); // empties the pool
    scene.quote("ETH-PERP", "1900");
    scene.end_order(10, cofferdam_stack::OrderOutcome::Expired);
    // both had gained 100,000; 21 is closed at 1960 and has 40,000 of it, 20 keeps all
    assert_eq!((scene.size(21, "ETH-PERP"), scene.balance(21, "USDT")), ("0".into(), "75000".into()));
    assert_eq!(scene.size(20, "ETH-PERP"), "-1000");
}
