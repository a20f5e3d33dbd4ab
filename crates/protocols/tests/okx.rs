//! OKX: the venue's numbers, its mechanism end to end, what it refuses and which laws it breaks. Sources: `docs/protocols/okx.md`.
#![expect(unused_must_use, reason = "what follows from an input is asserted on the state and its facts")]

mod cex;
use cex::{closes, exact, int, with, with_requirement};
use cofferdam_core::{GroupId, Level, Lots};
use cofferdam_margin_engine::{Bracket, Stepped};
use cofferdam_protocols::preset;
use cofferdam_stack::{Answer, OrderOutcome, Reason};
use cofferdam_testkit::Scene;

fn scene() -> Scene {
    let mut scene = Scene::new(&preset("okx").unwrap().config().unwrap());
    scene.quote("ETH-PERP", "2000");
    scene.quote("CHZ-PERP", "5");
    scene
}

/// Position tiers of 9 April 2021 ("OKX position tiers to be adjusted"): largest size in contracts, maintenance and initial ratio of the first
/// three tiers; each further tier is as wide as the third and asks half a per cent more.
#[test]
fn published_tiers() {
    for (market, sizes) in [
        ("CHZUSDT", [5_000, 7_500, 15_000]),
        ("IOTAUSDT", [1_000, 2_500, 5_000]),
        ("LUNAUSDT", [3_500, 7_000, 14_000]),
        ("YFIUSDT", [7_500, 15_000, 30_000]),
    ] {
        let rates = [(10_000_000, 13_000_000), (15_000_000, 20_000_000), (20_000_000, 50_000_000)];
        let row = |(upper, (m, i)): (i64, (i64, i64))| Bracket {
            upper: Lots::new(upper),
            maintenance: cofferdam_core::Ppb(m),
            initial: cofferdam_core::Ppb(i),
        };
        let stepped = Stepped::new(sizes.into_iter().zip(rates).map(row).collect()).unwrap();
        let mut lowest = 0;
        for (size, (m, i)) in sizes.into_iter().zip(rates) {
            for lots in [lowest + 1, size] {
                let bracket = stepped.bracket(Lots::new(lots)).unwrap();
                assert_eq!((bracket.maintenance.0, bracket.initial.0), (m, i), "{market} {lots}");
            }
            lowest = size;
        }
    }
    // and the preset's CHZ market goes by them
    for (size, maintenance, initial) in [
        ("5000", "0.01", "0.013"),
        ("5001", "0.015", "0.02"),
        ("7500", "0.015", "0.02"),
        ("7501", "0.02", "0.05"),
        ("15000", "0.02", "0.05"),
        ("15001", "0.025", "0.055"),
        ("30000", "0.025", "0.055"),
        ("30001", "0.03", "0.06"),
    ] {
        let mut scene = scene();
        for group in [10, 20] {
            scene.deposit(group, "USDT", "1000000");
        }
        assert_eq!(scene.trade(10, 20, "CHZ-PERP", size, "5"), Answer::Done);
        let state = scene.bench().state();
        let mut holdings = cofferdam_margin_engine::Holdings::new();
        state.book().load(GroupId(10)).view(state, &mut holdings).unwrap();
        let margin = &scene.bench().engine().stack().parts().margin;
        let health = margin.assess(&holdings.group(GroupId(10)), state).unwrap();
        let of = |level| int(health.line(level).unwrap().demand.get()) / int(1_000_000);
        let notional = exact(size) * exact("5");
        assert_eq!(of(Level::Maintenance), &notional * exact(maintenance), "{size}");
        assert_eq!(of(Level::Initial), notional * exact(initial), "{size}");
    }
}

/// Forced partial liquidation, two tiers at a time from tier 3, and the end of it.
#[test]
fn two_tiers_at_a_time() {
    let mut scene = scene();
    for (group, cash) in [(10, "600000"), (20, "90000000"), (30, "90000000")] {
        scene.deposit(group, "USDT", cash);
    }
    // 5,000 ETH lie in tier 6: 6.5 % to open, 3.5 % to keep
    scene.deposit(10, "USDT", "100000");
    assert_eq!(scene.trade(10, 20, "ETH-PERP", "5000", "2000"), Answer::Done);
    scene.quote("ETH-PERP", "1929"); // 345,000 of equity; 3.5 % of 9,645,000 are 337,575
    assert!(scene.bench().orders().is_empty());
    scene.quote("ETH-PERP", "1927"); // 335,000 against 337,225
    // to the bound of tier 4
    assert_eq!(scene.order_of(10).lots, scene.lots("ETH-PERP", "-2000"));
    scene.fill(10, 30, "1927");
    // 335,000 against 2.5 % of 5,781,000: it stops
    assert!(scene.bench().orders().is_empty());
    scene.quote("ETH-PERP", "1860"); // 134,000 against 139,500: to the bound of tier 2
    assert_eq!(scene.order_of(10).lots, scene.lots("ETH-PERP", "-2250"));
    scene.fill(10, 30, "1860");
    assert_eq!(scene.size(10, "ETH-PERP"), "750");
    scene.quote("ETH-PERP", "1700"); // 14,000 against 1.5 % of 1,275,000: tier 2 is closed whole
    assert_eq!(scene.order_of(10).lots, scene.lots("ETH-PERP", "-750"));
    scene.fill(10, 30, "1700");
    assert_eq!((scene.size(10, "ETH-PERP"), scene.balance(10, "USDT")), ("0".into(), "14000".into()));
    scene.check();
}

/// Below the lowest tier's rate a large position is closed whole, at the bankruptcy price or better; unfilled it is ordered anew.
#[test]
fn too_little_for_the_lowest_tier() {
    let mut scene = scene();
    for (group, cash) in [(10, "700000"), (20, "90000000")] {
        scene.deposit(group, "USDT", cash);
    }
    scene.trade(10, 20, "ETH-PERP", "5000", "2000");
    scene.quote("ETH-PERP", "1878"); // 90,000 against 1 % of 9,390,000
    let order = scene.order_of(10);
    assert_eq!((order.lots, order.limit), (scene.lots("ETH-PERP", "-5000"), scene.ticks("ETH-PERP", "1860")));
    scene.end_order(10, OrderOutcome::Expired);
    assert_eq!(scene.order_of(10).lots, order.lots);
}

/// Three longs of 100 ETH and shorts who gained most by different measures; the fund loses 30 % and closes the next at the mark.
#[test]
fn a_fund_below_its_peak_closes_at_the_mark() {
    let mut scene = scene();
    for (group, cash) in [(20, "100000"), (21, "3000"), (22, "9000000"), (30, "9000000")] {
        scene.deposit(group, "USDT", cash);
    }
    for (group, short, size) in [(10, 22, "500"), (11, 22, "500"), (12, 20, "100"), (13, 21, "100")] {
        scene.deposit(group, "USDT", if size == "500" { "14000" } else { "2800" });
        assert_eq!(scene.trade(group, short, "ETH-PERP", size, "2000"), Answer::Done, "{group}");
    }
    scene.quote("ETH-PERP", "1991"); // 12 and 13: 1,900 against 1,991; 10 and 11: 9,500 against 9,955
    assert_eq!(scene.bench().orders().len(), 4);
    // 10 is filled far below its bankruptcy price: 500 x 328 - 14,000 = 150,000 out of 500,000: exactly 30 %, which starts nothing
    scene.fill(10, 30, "1672");
    scene.end_order(11, OrderOutcome::Expired);
    assert_eq!(scene.order_of(11).lots, scene.lots("ETH-PERP", "-500"));
    // 11 one dollar further: more than 30 %
    scene.fill(11, 30, "1971");
    scene.end_order(12, OrderOutcome::Expired);
    // return / margin ratio: 21 has 0.45 % x 1,991 / 3,900, 20 0.45 % x 1,991 / 100,900, 22 0.45 % x 19,910 / 9,009,000
    let mark = i128::from(scene.ticks("ETH-PERP", "1991").get());
    assert_eq!(closes(&scene, Reason::Deleverage, 12), [(21, -100_000, mark)]);
    // closed at the mark, not at the bankruptcy price: the account keeps what it has left
    assert_eq!((scene.size(12, "ETH-PERP"), scene.balance(12, "USDT")), ("0".into(), "1900".into()));
    assert_eq!((scene.posted(Reason::Haircut), scene.posted(Reason::Takeover)), (0, 0));
    // eight hours later that peak does not count any more, and liquidations go to the book
    scene.wait(28_800_000 + 1_800_000);
    scene.quote("ETH-PERP", "1990");
    scene.end_order(13, OrderOutcome::Expired);
    assert_eq!(scene.order_of(13).lots, scene.lots("ETH-PERP", "-100"));
    scene.check();
}

#[test]
fn what_the_venue_would_not_accept() {
    let refused = |from: &str, to: &str| with("okx", from, to).build().map(|_| ()).unwrap_err().to_string();
    assert!(refused("from = 3", "from = 1").contains("from"));
    assert!(refused("down = 2", "down = 3").contains("1 to `from` - 1"));
    assert!(refused("floor = \"0.01\"", "floor = \"1.01\"").contains("floor"));
    assert!(refused("uppers = [\"500\", \"750\"", "uppers = [\"750\", \"500\"").contains("sizes that rise"));
    let check = |rows: &str, says: &str| {
        let text = format!("kind = 'cofferdam/stepped@1'\nbrackets = [{rows}]");
        let error = with_requirement("okx", &text).map(|_| ()).unwrap_err();
        assert!(error.contains(says), "{rows}: {error}");
    };
    check("", "at least one bracket");
    check("{ upper = '0', maintenance = '0.01', initial = '0.02' }", "above zero");
    check("{ upper = '1', maintenance = '0.02', initial = '0.01' }", "maintenance <= initial");
    check(
        "{ upper = '1', maintenance = '0.01', initial = '0.02' }, { upper = '2', maintenance = '0.01', initial = '0.02' }",
        "more than the rate",
    );
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

/// What the preset declares, in full. INV-6 and INV-14: `published_tiers` (one contract more, 5,001 instead of 5,000, raises maintenance by
/// half). INV-19: `two_tiers_at_a_time` (2,000 ETH where 34 would have done).
#[test]
fn the_laws_it_breaks() {
    let config = preset("okx").unwrap().config().unwrap();
    let mut laws: Vec<u16> = config.broken_laws().iter().map(|l| l.invariant).collect();
    laws.sort_unstable();
    laws.dedup();
    assert_eq!(laws, [6, 14, 19, 23, 28]);
}

/// INV-23: a loss that the fund cannot pay stays open. INV-28: who gained more ends below who gained less.
#[test]
fn a_deficit_stays_open_and_gains_change_places() {
    let mut scene = Scene::new(&with("okx", "escrow = \"500000\"", "escrow = \"1\""));
    scene.quote("ETH-PERP", "2000");
    scene.quote("CHZ-PERP", "5");
    for (group, cash) in [(20, "9000000"), (21, "3000"), (30, "9000000")] {
        scene.deposit(group, "USDT", cash);
    }
    for (group, short) in [(10, 20), (11, 21)] {
        scene.deposit(group, "USDT", "2800");
        scene.trade(group, short, "ETH-PERP", "100", "2000");
    }
    scene.quote("ETH-PERP", "1991");
    scene.fill(10, 30, "1970"); // 200 more than it had
    scene.wait(60_000);
    assert_eq!((scene.deficit("USDT"), scene.posted(Reason::Haircut)), ("199".into(), 0));
    // 20 and 21 have gained the same; 21 is closed at the mark of now and misses what 20 gains after it
    scene.end_order(11, OrderOutcome::Expired);
    scene.quote("ETH-PERP", "1900");
    assert_eq!((scene.size(21, "ETH-PERP"), scene.balance(21, "USDT")), ("0".into(), "3900".into()));
    assert_eq!(scene.size(20, "ETH-PERP"), "-100");
}
