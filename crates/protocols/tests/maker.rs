//! Maker Liquidations 2.0: the three price curves and the sales of makerdao/dss, in its own numbers, and a scene with a full Hole, a
//! restarted auction and a loss.

use cofferdam_core::{AuctionId, GroupId, Holder, House, RAY};
use cofferdam_liquidation_strategy::PriceCurve;
use cofferdam_protocols::preset;
use cofferdam_stack::{Answer, Body, Reason, Rejection, StackConfig};
use cofferdam_testkit::Scene;

/// makerdao/dss src/test/abaci.t.sol@0cd974e9, `test_linear_decrease`: 1,000 over 3,600 s, at every tenth, as a ray.
#[test]
fn the_linear_curve_is_the_venues() {
    let curve = PriceCurve::Linear { duration_s: 3_600 };
    for tenths in 0..=10 {
        let price = curve.price(1_000 * RAY, 360 * tenths).unwrap();
        assert_eq!(price, (1_000 - 100 * u128::from(tenths)) * RAY, "at {tenths} tenths");
    }
}

/// abaci.t.sol@0cd974e9, `test_stairstep_exp_decrease`: within its own tolerance of the step before times the cut, every second
/// of ten minutes; the price only moves on a step.
#[test]
fn the_stairs_are_the_venues() {
    // as the venue's test writes them: the same number is the cut and what a step takes off, 1.123.. % or 2.123.. %
    let check = |cut: u128, step: u64, top: u128, tolerance: u128| {
        let curve = PriceCurve::Stairs { cut, step_s: step };
        let mut before = curve.price(top, 0).unwrap();
        assert_eq!(before, top);
        for t in 1..600 {
            let price = curve.price(top, t).unwrap();
            let want = if t % step == 0 {
                cofferdam_core::wide::mul_div_unsigned(before, cut, RAY, false).unwrap()
            } else {
                before
            };
            assert!(want.abs_diff(price) <= tolerance, "{cut} {step} {top} at {t}: {price} against {want}");
            before = price;
        }
    };
    let left = [RAY - 11_234_567_890_000_000_000_000_000, RAY - 21_234_567_890_000_000_000_000_000];
    for (top, tolerance) in [(50_000_000 * RAY, 100_000_000), (RAY / 10_000_000, 1)] {
        for (cut, step) in [(left[0], 1), (left[1], 1), (left[0], 5), (left[1], 5), (left[0], 300)] {
            check(cut, step, top, tolerance);
        }
    }
}

/// The stack of makerdao/dss src/test/clip.t.sol@02018bbd: gold at 5 (mat 200 %), 40 of it behind 100 of debt, then at 4.
fn stack(chop: &str, hole: &str, curve: &str, buf: &str, cusp: &str) -> StackConfig {
    let text = format!(
        r#"
[stack]
name = "clip"
quantum = "0.000000000000000001"
[[assets]]
name = "DAI"
decimals = 18
numeraire = true
[[assets]]
name = "GLD"
decimals = 18
price_tick = "0.000000001"
[[pools]]
name = "vat"
kind = "cofferdam/lending-pool@1"
asset = "DAI"
[[prices]]
asset = "GLD"
role = "index"
policy = {{ kind = "cofferdam/latest@1" }}
[margin]
kind = "cofferdam/cross-margin@1"
assets = [{{ asset = "DAI" }}, {{ asset = "GLD", collateral_maintenance = "0.5", collateral_initial = "0.5" }}]
[liquidation]
kind = "cofferdam/dutch-auction@1"
pool = "vat"
start = "{buf}"
curve = {curve}
longest_ms = 3600000
lowest = "{cusp}"
penalty = "{chop}"
raised_max = "{hole}"
raise_min = "20"
pause_ms = 60000
[[insurance.layers]]
name = "fund"
terms = {{ kind = "cofferdam/fund@1" }}
[allocation]
kind = "cofferdam/write-down-pool@1"
pool = "vat"
[event]
opens_at = "1000000"
window_ms = 3600000
quiet_ms = 7200000
"#
    );
    StackConfig::from_toml(&text, "clip.toml").unwrap_or_else(|e| panic!("{e}"))
}

const STAIRS: &str = r#"{ stairs = { cut = "0.99", step_s = 1 } }"#;
/// Who drew the debt; who bid.
const ME: u32 = 7;
const ALI: u32 = 2;
const BOB: u32 = 3;

/// The vault is drawn at 5 and barked at 4.
fn barked(chop: &str, hole: &str, curve: &str, buf: &str, cusp: &str) -> Scene {
    let mut scene = Scene::new(&stack(chop, hole, curve, buf, cusp));
    let _ = scene.quote("GLD", "5");
    let _ = scene.deposit(1, "DAI", "10000");
    assert_eq!(scene.supply(1, "vat", "DAI", "10000"), Answer::Done);
    let _ = scene.deposit(ME, "GLD", "40");
    assert_eq!(scene.borrow(ME, "vat", "DAI", "100"), Answer::Done);
    for keeper in [ALI, BOB] {
        let _ = scene.deposit(keeper, "DAI", "1000");
    }
    let _ = scene.quote("GLD", "4");
    scene
}

fn take(scene: &mut Scene, keeper: u32, auction: u32, want: &str, pay: &str) -> Answer {
    let (want, pay) = (scene.atoms("GLD", want), scene.atoms("DAI", pay));
    let body = Body::AuctionBid { keeper: GroupId(keeper), auction: AuctionId(auction), want, pay };
    scene.send(body).answer
}

fn redo(scene: &mut Scene, auction: u32) -> Answer {
    scene.send(Body::AuctionReset { keeper: GroupId(ALI), auction: AuctionId(auction) }).answer
}

fn lot(scene: &Scene, auction: u32) -> String {
    scene.held(Holder::Auction(AuctionId(auction)), "GLD")
}

/// clip.t.sol `takeSetup`, `test_bark_not_leaving_dust`, `..._over_hole`, `test_partial_liquidation_hole_limit`: what goes into the
/// auction and what stays.
#[test]
fn what_is_auctioned_is_the_venues() {
    // (chop, hole) -> (lot, what stays of the collateral)
    let check = |chop: &str, hole: &str, want: (&str, &str)| {
        let scene = barked(chop, hole, STAIRS, "1.25", "0.3");
        assert_eq!(
            (lot(&scene, 0).as_str(), scene.balance(ME, "GLD").as_str()),
            want,
            "chop {chop}, hole {hole}"
        );
        scene.check();
    };
    check("0.1", "1000", ("40", "0")); // takeSetup: ink and art are 0 after the bark, lot 40
    check("0", "80", ("32", "8")); // room 80: what stays is exactly dust
    check("0", "80.000000000000000001", ("40", "0")); // one wei more would leave less than dust: all of it
    // room 75 / 1.1 = 68.181818181818181818 of the debt; 40 x 68.18.. / 100
    check("0.1", "75", ("27.272727272727272727", "12.727272727272727273"));
}

/// clip.t.sol `test_take_over_tab`, `test_take_at_tab`, `test_take_under_tab`, `testFail_take_bid_too_low`: gold bought, DAI paid,
/// gold that came home; and whether it is over.
#[test]
fn sales_are_the_venues() {
    let check = |want: &str, pay: &str, expected: Option<(&str, &str, &str, &str)>| {
        let mut scene = barked("0.1", "1000", STAIRS, "1.25", "0.3");
        let answer = take(&mut scene, ALI, 0, want, pay);
        let Some((bought, left, home, sells)) = expected else {
            assert!(
                matches!(answer, Answer::Refused(Rejection::Strategy { .. })),
                "{want} for {pay}: {answer:?}"
            );
            return;
        };
        assert_eq!(answer, Answer::Done, "{want} for {pay}");
        let found =
            [scene.balance(ALI, "GLD"), scene.balance(ALI, "DAI"), scene.balance(ME, "GLD"), lot(&scene, 0)];
        assert_eq!(found, [bought, left, home, sells], "{want} for {pay}");
        scene.check();
    };
    check("25", "125", Some(("22", "890", "18", "0"))); // over the tab of 110: cut to it
    check("22", "110", Some(("22", "890", "18", "0"))); // exactly the tab
    check("11", "55", Some(("11", "945", "0", "29"))); // half of it: the auction goes on
    // dss@fa4f663 clip.sol: a bid that would leave less than chost (20) is cut so that exactly that stays: 90 / 5
    check("21.999999999999999999", "110", Some(("18", "910", "0", "22")));
}

/// clip.t.sol `test_take_multiple_bids_different_prices`: 10 at 5; thirty seconds later the rest of the tab at 5 x 0.99^30. A comment
/// there says 3.698501866941401, which is the double; rounded as dss rounds it is ...402113650075460 (exactly ...461).
#[test]
fn later_bids_are_cheaper() {
    let mut scene = barked("0.1", "1000", STAIRS, "1.25", "0.3");
    assert_eq!(take(&mut scene, ALI, 0, "10", "50"), Answer::Done);
    assert_eq!((scene.balance(ALI, "DAI").as_str(), lot(&scene, 0).as_str()), ("950", "30"));
    let _ = scene.wait(30_000);
    assert_eq!(take(&mut scene, BOB, 0, "30", "120"), Answer::Done);
    // 60 / (5 x 0.99^30), down to the wei: rpow of dss gives 3.698501866941401...
    assert_eq!(scene.balance(BOB, "DAI"), "940");
    let price = PriceCurve::Stairs { cut: RAY / 100 * 99, step_s: 1 }.price(5 * RAY, 30).unwrap();
    assert_eq!(price, 3_698_501_866_941_402_113_650_075_460);
    let gem = cofferdam_core::wide::mul_div_unsigned(60_000_000_000_000_000_000, RAY, price, false).unwrap();
    let bought: cofferdam_core::Decimal = scene.balance(BOB, "GLD").parse().unwrap();
    assert_eq!(bought.to_units(-18).unwrap().unsigned_abs(), gem);
    let home: cofferdam_core::Decimal = scene.balance(ME, "GLD").parse().unwrap();
    assert_eq!(home.to_units(-18).unwrap().unsigned_abs(), 30_000_000_000_000_000_000 - gem);
    scene.check();
}

/// clip.t.sol `test_auction_reset_tail`, `..._cusp`, `..._twice`: not after 3,600 s and not at 1,800 s of 3,600; a second later it
/// may, once; the price is then 1.25 times the newest.
#[test]
fn auctions_begin_again() {
    let check = |duration_s: u64, early_s: u64| {
        let curve = format!("{{ linear = {{ duration_s = {duration_s} }} }}");
        let mut scene = barked("0.1", "1000", &curve, "1.25", "0.5");
        let _ = scene.quote("GLD", "3");
        let _ = scene.wait(early_s * 1_000);
        assert!(matches!(redo(&mut scene, 0), Answer::Refused(Rejection::Strategy { .. })), "at {early_s}");
        let _ = scene.wait(1_000);
        assert!(
            matches!(take(&mut scene, ALI, 0, "1", "5"), Answer::Refused(Rejection::Strategy { .. })),
            "over"
        );
        assert_eq!(redo(&mut scene, 0), Answer::Done);
        assert!(matches!(redo(&mut scene, 0), Answer::Refused(Rejection::Strategy { .. })), "twice");
        // at 3.75 now: four for fifteen
        assert_eq!(take(&mut scene, ALI, 0, "4", "15"), Answer::Done);
        assert_eq!((scene.balance(ALI, "GLD").as_str(), scene.balance(ALI, "DAI").as_str()), ("4", "985"));
        assert!(
            matches!(redo(&mut scene, 9), Answer::Refused(Rejection::Unknown { .. })),
            "an auction that is not"
        );
        scene.check();
    };
    check(36_000, 3_600);
    check(3_600, 1_800);
}

/// The Hole is full: a second vault waits, and is auctioned when the first was sold. What an auction cannot raise is the pool's loss.
#[test]
fn a_full_hole_makes_the_next_wait() {
    let mut scene = barked("0.1", "110", STAIRS, "1.25", "0.3");
    assert_eq!(lot(&scene, 0), "40");
    let _ = scene.quote("GLD", "5");
    let _ = scene.deposit(8, "GLD", "40");
    assert_eq!(scene.borrow(8, "vat", "DAI", "100"), Answer::Done);
    let _ = scene.quote("GLD", "4");
    assert_eq!((scene.balance(8, "GLD").as_str(), lot(&scene, 1).as_str()), ("40", "0"), "no room");
    assert!(!scene.waiting().is_empty(), "asked again later");
    assert_eq!(take(&mut scene, ALI, 0, "22", "110"), Answer::Done);
    assert_eq!(scene.held(Holder::House(House::Fees), "DAI"), "10");
    let _ = scene.wait(60_000);
    assert_eq!((scene.balance(8, "GLD").as_str(), lot(&scene, 1).as_str()), ("0", "40"), "room again");
    assert_eq!(scene.posted(Reason::Auction), 2);
    // 5 x 0.99^60 = 2.735.. a second before; the whole lot at a price that does not raise the debt
    let _ = scene.wait(119_000);
    let before = scene.held(Holder::Pool(scene.pool("vat")), "DAI");
    assert_eq!(take(&mut scene, BOB, 1, "40", "100"), Answer::Done);
    assert_eq!(lot(&scene, 1), "0");
    assert_eq!(
        (scene.posted(Reason::BadDebt), scene.posted(Reason::WriteDown)),
        (1, 1),
        "borne at once (INV-23)"
    );
    assert_ne!(scene.held(Holder::Pool(scene.pool("vat")), "DAI"), before);
    assert_eq!(scene.deficit("DAI"), "0");
    scene.check();
}

/// Nobody sells what is not theirs, and nobody pays for more than it has (INV-22, INV-44).
#[test]
fn bids_that_are_refused() {
    let mut scene = barked("0.1", "1000", STAIRS, "1.25", "0.3");
    let refused = |answer: Answer| assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
    refused(take(&mut scene, ALI, 1, "1", "5")); // clip.t.sol test_take_zero_usr: nobody's auction
    refused(take(&mut scene, ME, 0, "1", "5"));
    refused(take(&mut scene, ALI, 0, "0", "5"));
    refused(take(&mut scene, ALI, 0, "25", "1001"));
    refused(take(&mut scene, ALI, 0, "25", "0.000000000000000001"));
    // the debtor withdraws what came home, and no more
    assert_eq!(take(&mut scene, ALI, 0, "22", "110"), Answer::Done);
    assert_eq!(scene.withdraw(ME, "GLD", "18"), Answer::Done);
    refused(scene.withdraw(ME, "GLD", "1"));
    refused(take(&mut scene, ALI, 0, "1", "5"));
    scene.check();
}

/// INV-19, declared: everything goes into the auction although half of it would have been enough.
#[test]
fn more_is_taken_than_was_needed() {
    let config = preset("maker").unwrap().config().unwrap();
    assert!(config.broken_laws().iter().any(|b| b.invariant == 19));
    let scene = barked("0.1", "1000", STAIRS, "1.25", "0.3");
    assert_eq!(scene.balance(ME, "GLD"), "0");
}

/// Parameters that the venue would not take.
#[test]
fn refusals_name_the_field() {
    let good = preset("maker").unwrap().stack;
    for (from, to, field) in [
        ("start = \"1.1\"", "start = \"0.9\"", "liquidation.start"),
        ("cut = \"0.99\"", "cut = \"1\"", "liquidation.curve.stairs.cut"),
        ("step_s = 90", "step_s = 0", "liquidation.curve"),
        ("lowest = \"0.45\"", "lowest = \"1\"", "liquidation.lowest"),
        ("penalty = \"0.13\"", "penalty = \"1.5\"", "liquidation.penalty"),
        ("raised_max = \"100000000\"", "raised_max = \"0\"", "liquidation.raised_max"),
        ("longest_ms = 7200000", "longest_ms = 10", "liquidation.longest_ms"),
    ] {
        assert!(good.contains(from), "{from}");
        let error = StackConfig::from_toml(&good.replace(from, to), "maker.toml")
            .and_then(|c| c.build())
            .unwrap_err();
        assert!(error.path.starts_with(field), "{to}: {error}");
    }
}
