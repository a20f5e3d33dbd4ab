//! The engine on the preset: down through the bands and back, a loan that is liquidated all the same, and what is refused.

use cofferdam_core::{Amount, Bands, GroupId, Level, World};
use cofferdam_protocols::preset;
use cofferdam_stack::{Answer, Body, Reason, Rejection, StackConfig};
use cofferdam_testkit::Scene;

const BORROWER: u32 = 7;
const TRADER: u32 = 3;
const LENDER: u32 = 1;

/// Ten ETH at 2,000 against 15,000 USDC; a trader with much of both.
fn loan() -> Scene {
    let mut scene = Scene::new(&preset("curve-llamma").unwrap().config().unwrap());
    let _ = scene.quote("ETH", "2000");
    let _ = scene.deposit(LENDER, "USDC", "1000000");
    assert_eq!(scene.supply(LENDER, "usdc-pool", "USDC", "1000000"), Answer::Done);
    let _ = scene.deposit(TRADER, "USDC", "1000000");
    let _ = scene.deposit(TRADER, "ETH", "1000");
    let _ = scene.deposit(BORROWER, "ETH", "10");
    assert_eq!(scene.borrow(BORROWER, "usdc-pool", "USDC", "15000"), Answer::Done);
    scene
}

fn bands(scene: &Scene) -> Bands {
    scene.bench().state().bands(GroupId(BORROWER)).expect("the borrower has bands")
}

fn number(text: &str) -> f64 {
    text.parse().unwrap()
}

/// Gives so much of one asset for at least so much of the other.
fn exchange(scene: &mut Scene, give: (&str, &str), want: (&str, &str)) -> Answer {
    let (amount, at_least) = (scene.atoms(give.0, give.1), scene.atoms(want.0, want.1));
    let (give, want) = (scene.asset(give.0), scene.asset(want.0));
    let (trader, group) = (GroupId(TRADER), GroupId(BORROWER));
    scene.send(Body::Exchange { trader, group, give, amount, want, at_least }).answer
}

/// Somebody trades with the bands as long as they are better than the market's price.
fn arbitrage(scene: &mut Scene, price: i64) -> u32 {
    let mut trades = 0;
    for dollars in [4_000, 400, 40] {
        let (usdc, eth) = (dollars.to_string(), format!("{:.9}", f64::from(dollars) / price as f64));
        while exchange(scene, ("USDC", &usdc), ("ETH", &eth)) == Answer::Done {
            trades += 1;
        }
        while exchange(scene, ("ETH", &eth), ("USDC", &usdc)) == Answer::Done {
            trades += 1;
        }
        assert!(trades < 1_000, "the bands give money away");
    }
    trades
}

fn healthy(scene: &Scene) -> bool {
    let stack = scene.bench().engine().stack();
    let state = scene.bench().state();
    let mut holdings = cofferdam_margin_engine::Holdings::new();
    state.book().view(GroupId(BORROWER), state, &mut holdings).unwrap();
    let health = stack.parts().margin.assess(&holdings.group(GroupId(BORROWER)), state).unwrap();
    !health.below(Level::Maintenance)
}

/// The price falls through all bands and comes back: collateral is sold, all of it, and bought back, nearly all of it; nobody is
/// liquidated, and the account pays for the way with some of its collateral.
#[test]
fn there_and_back_through_the_bands() {
    let mut scene = loan();
    let placed = bands(&scene);
    assert_eq!((placed.held.len(), placed.active, placed.sold_total()), (10, 0, Some(0)));
    assert_eq!(placed.held_total(), Some(10_000_000_000_000_000_000), "all of the collateral");
    let prices: Vec<i64> = (0..=120).map(|i| 2_000 - 5 * i).collect();
    let mut sold_before = 0;
    for price in &prices {
        let _ = scene.wait(130_000);
        let _ = scene.quote("ETH", &price.to_string());
        let _ = arbitrage(&mut scene, *price);
        let now = bands(&scene);
        assert!(now.sold_total().unwrap() >= sold_before, "a falling price only sells");
        sold_before = now.sold_total().unwrap();
        assert!(
            healthy(&scene),
            "at {price}: {} {}",
            scene.balance(BORROWER, "ETH"),
            scene.balance(BORROWER, "USDC")
        );
    }
    // the last of it, less than any trade so far
    assert_eq!(exchange(&mut scene, ("USDC", "100"), ("ETH", "0.000001")), Answer::Done);
    let bottom = bands(&scene);
    assert_eq!(bottom.held_total(), Some(0), "all is sold at 1,400");
    assert_eq!(scene.balance(BORROWER, "ETH"), "0");
    let got = number(&scene.balance(BORROWER, "USDC"));
    assert!(got > 15_000.0 && got < 17_500.0, "{got}");
    let down = scene.posted(Reason::Exchange);
    assert!(down > 5);
    for price in prices.iter().rev() {
        let _ = scene.wait(130_000);
        let _ = scene.quote("ETH", &price.to_string());
        let _ = arbitrage(&mut scene, *price);
        assert!(
            healthy(&scene),
            "at {price}: {} {}",
            scene.balance(BORROWER, "ETH"),
            scene.balance(BORROWER, "USDC")
        );
    }
    assert_eq!(exchange(&mut scene, ("ETH", "0.1"), ("USDC", "0.01")), Answer::Done);
    let top = bands(&scene);
    assert_eq!(
        (top.sold_total(), top.first),
        (Some(0), placed.first),
        "all is bought back, in the same bands"
    );
    assert!(scene.posted(Reason::Exchange) > down + 5);
    let back = number(&scene.balance(BORROWER, "ETH"));
    assert!(back < 10.0 && back > 9.0, "{back}");
    for never in [Reason::Seizure, Reason::BadDebt, Reason::WriteDown, Reason::Takeover] {
        assert_eq!(scene.posted(never), 0, "{never:?}");
    }
    // and the debt is paid as any other
    let _ = scene.deposit(BORROWER, "USDC", "16000");
    assert_eq!(scene.repay(BORROWER, "15999"), Answer::Done);
    assert_eq!(scene.bench().state().bands(GroupId(BORROWER)), None, "no debt, no bands");
    scene.check();
}

/// The helper that the stage lacks.
trait Repays {
    fn repay(&mut self, group: u32, amount: &str) -> Answer;
}

impl Repays for Scene {
    fn repay(&mut self, group: u32, amount: &str) -> Answer {
        let amount = self.atoms("USDC", amount);
        self.send(Body::Repay { group: GroupId(group), pool: self.pool("usdc-pool"), amount }).answer
    }
}

/// The price falls through half of the bands, then a long way at once while nobody trades: what the bands come to is less than the
/// debt, and a keeper takes a part of it over, then all, for what is missing.
#[test]
fn a_loan_that_falls_too_fast_is_taken_over() {
    let mut scene = loan();
    let early = scene.bid(TRADER, BORROWER, ("USDC", "15000"), ("ETH", "1"));
    assert!(matches!(early, Answer::Refused(Rejection::Strategy { .. })), "{early:?}");
    for price in [1_950, 1_900, 1_850, 1_800, 1_750] {
        let _ = scene.wait(130_000);
        let _ = scene.quote("ETH", &price.to_string());
        let _ = arbitrage(&mut scene, price);
    }
    let (usdc, eth) = (number(&scene.balance(BORROWER, "USDC")), number(&scene.balance(BORROWER, "ETH")));
    assert!(usdc > 3_000.0 && eth > 2.0, "half way: {usdc} USDC and {eth} ETH");
    let _ = scene.wait(130_000);
    let _ = scene.quote("ETH", "1600");
    assert!(!healthy(&scene));
    let missing = 15_000.0 - usdc;
    assert!(eth * 1_600.0 > missing, "it still pays to take it over");
    // a part first: a tenth of the debt for a little less than a tenth of both
    assert_eq!(scene.bid(TRADER, BORROWER, ("USDC", "1500"), ("ETH", "0.1")), Answer::Done);
    let left = number(&scene.balance(BORROWER, "ETH")) / eth;
    assert!(left > 0.9 && left < 0.91, "{left}");
    let (usdc, missing) = (number(&scene.balance(BORROWER, "USDC")), 13_500.0);
    let missing = missing - usdc;
    let before = number(&scene.balance(TRADER, "USDC"));
    assert_eq!(scene.bid(TRADER, BORROWER, ("USDC", "15000"), ("ETH", "1")), Answer::Done);
    let paid = before - number(&scene.balance(TRADER, "USDC"));
    assert!(
        paid >= missing && paid < missing + 5.0,
        "{paid} for what {missing} and some interest were missing"
    );
    assert_eq!(scene.balance(BORROWER, "ETH"), "0");
    assert!(number(&scene.balance(BORROWER, "USDC")) < 0.00001, "an atom's dust, its own");
    assert_eq!(scene.bench().state().bands(GroupId(BORROWER)), None);
    assert_eq!((scene.posted(Reason::Seizure), scene.posted(Reason::BadDebt)), (2, 0));
    scene.check();
}

/// Whoever lacks little is taken over whole, though a part would have been enough (INV-19, declared).
#[test]
fn law_19_all_is_taken_where_a_part_would_do() {
    let short = || {
        let mut scene = loan();
        let _ = scene.wait(130_000);
        let low = (1_000..2_000).rev().find(|price| {
            let _ = scene.quote("ETH", &price.to_string());
            !healthy(&scene)
        });
        assert!(low.is_some(), "a price at which health is just below zero");
        scene
    };
    let mut part = short();
    assert_eq!(part.bid(TRADER, BORROWER, ("USDC", "7500"), ("ETH", "1")), Answer::Done);
    assert!(healthy(&part), "half of the debt is enough");
    part.check();
    let mut all = short();
    assert_eq!(all.bid(TRADER, BORROWER, ("USDC", "16000"), ("ETH", "1")), Answer::Done);
    assert_eq!((all.balance(BORROWER, "ETH"), all.posted(Reason::Seizure)), ("0".to_owned(), 1));
    all.check();
}

/// Below what the debt needs no keeper comes, and the loan stays owed: the venue allocates no loss, and nor do we.
#[test]
fn a_loan_under_water_stays_owed() {
    let mut scene = loan();
    let _ = scene.wait(130_000);
    let _ = scene.quote("ETH", "900");
    assert!(!healthy(&scene));
    let eth = scene.balance(BORROWER, "ETH");
    // the keeper's own terms: a debt of 15,000 for at least as much worth of ETH
    let bid = scene.bid(TRADER, BORROWER, ("USDC", "16000"), ("ETH", "16.7"));
    assert!(matches!(bid, Answer::Refused(_)), "{bid:?}");
    assert_eq!(scene.balance(BORROWER, "ETH"), eth);
    for never in [Reason::Seizure, Reason::BadDebt, Reason::WriteDown] {
        assert_eq!(scene.posted(never), 0, "{never:?}");
    }
    scene.check();
}

/// Right after a trade the oracle's step is limited to a fifth down and costs nearly a half; two minutes later neither.
#[test]
fn a_step_of_the_price_costs_whoever_trades_at_once() {
    let got = |wait_ms: u64| {
        let mut scene = loan();
        let _ = scene.quote("ETH", "1840");
        assert_eq!(exchange(&mut scene, ("USDC", "10"), ("ETH", "0.001")), Answer::Done, "the first trade");
        let _ = scene.wait(wait_ms);
        let _ = scene.quote("ETH", "1300");
        let before = number(&scene.balance(TRADER, "ETH"));
        assert_eq!(exchange(&mut scene, ("USDC", "1000"), ("ETH", "0.1")), Answer::Done);
        scene.check();
        number(&scene.balance(TRADER, "ETH")) - before
    };
    let (at_once, later) = (got(0), got(120_000));
    assert!(at_once * 1.5 < later, "{at_once} at once, {later} two minutes later");
}

/// What the bands hold stays in them while it is sold: no more debt, nothing taken out, by whatever way.
#[test]
fn a_loan_that_is_being_sold_keeps_its_bands() {
    let mut scene = loan();
    let _ = scene.quote("ETH", "1800");
    let _ = arbitrage(&mut scene, 1_800);
    let now = bands(&scene);
    assert!(now.sold_total() > Some(0) && now.held_total() > Some(0));
    let refused = |answer: Answer| assert!(matches!(answer, Answer::Refused(_)), "{answer:?}");
    refused(scene.borrow(BORROWER, "usdc-pool", "USDC", "1"));
    refused(scene.withdraw(BORROWER, "ETH", "0.1"));
    refused(scene.withdraw(BORROWER, "USDC", "1"));
    refused(scene.supply(BORROWER, "usdc-pool", "USDC", "1"));
    refused(scene.repay(BORROWER, "1"));
    // what comes in lies beside the bands and leaves again; a repayment out of it is welcome and moves no band
    let _ = scene.deposit(BORROWER, "ETH", "1");
    assert_eq!(scene.withdraw(BORROWER, "ETH", "1"), Answer::Done);
    let _ = scene.deposit(BORROWER, "USDC", "2000");
    assert_eq!(scene.repay(BORROWER, "2000"), Answer::Done);
    assert_eq!(bands(&scene), now);
    // nobody trades with itself, for nothing, or beyond what it has
    let asset = |name| scene.names().asset(name).unwrap();
    let (usdc, eth) = (asset("USDC"), asset("ETH"));
    let send = |scene: &mut Scene, trader, group, give, amount, want| {
        let (trader, group, amount) = (GroupId(trader), GroupId(group), Amount::new(amount));
        scene.send(Body::Exchange { trader, group, give, amount, want, at_least: Amount::ZERO }).answer
    };
    refused(send(&mut scene, BORROWER, BORROWER, usdc, 1_000_000, eth));
    refused(send(&mut scene, TRADER, BORROWER, usdc, 0, eth));
    refused(send(&mut scene, TRADER, BORROWER, usdc, 1_000_000, usdc));
    refused(send(&mut scene, 99, BORROWER, usdc, 1_000_000, eth));
    refused(send(&mut scene, TRADER, LENDER, usdc, 1_000_000, eth)); // no bands
    scene.check();
}

/// Who borrows more has its collateral sold at a higher price, who repays at a lower one.
#[test]
fn bands_follow_the_debt() {
    let mut scene = loan();
    let first = bands(&scene).first;
    let _ = scene.deposit(BORROWER, "USDC", "7000");
    assert_eq!(scene.repay(BORROWER, "7000"), Answer::Done);
    let lower = bands(&scene).first;
    assert!(lower > first + 40, "from band {first} to band {lower}: a higher number is a lower price");
    assert_eq!(scene.borrow(BORROWER, "usdc-pool", "USDC", "7000"), Answer::Done);
    assert_eq!(bands(&scene).first, first);
    // and as far as its collateral goes, to the venue's own bound
    let too_much = scene.borrow(BORROWER, "usdc-pool", "USDC", "2000");
    let Answer::Refused(Rejection::Strategy { reason }) = &too_much else { panic!("{too_much:?}") };
    assert!(reason.starts_with("TooMuch"), "{reason}");
    // collateral in and out moves them as well
    let _ = scene.deposit(BORROWER, "ETH", "5");
    assert!(bands(&scene).first > first);
    assert_eq!(scene.withdraw(BORROWER, "ETH", "5"), Answer::Done);
    assert_eq!(bands(&scene).first, first);
    scene.check();
}

/// AMM `get_xy` of the documentation: one unit over thirty bands, what does not divide in the first.
#[test]
fn collateral_is_spread_as_the_venue_spreads_it() {
    let text = include_str!("../../stacks/curve-llamma.toml").replace("bands = 10", "bands = 30");
    let mut scene = Scene::new(&StackConfig::from_toml(&text, "thirty.toml").unwrap());
    let _ = scene.quote("ETH", "2000");
    let _ = scene.deposit(LENDER, "USDC", "1000");
    assert_eq!(scene.supply(LENDER, "usdc-pool", "USDC", "1000"), Answer::Done);
    let _ = scene.deposit(BORROWER, "ETH", "1");
    assert_eq!(scene.borrow(BORROWER, "usdc-pool", "USDC", "500"), Answer::Done);
    let held = bands(&scene).held;
    assert_eq!((held.len(), held[0]), (30, 33_333_333_333_333_343));
    assert!(held[1..].iter().all(|y| *y == 33_333_333_333_333_333));
}

#[test]
fn parameters_that_the_venue_does_not_accept() {
    let check = |from: &str, to: &str, field: &str, rule: &str| {
        let text = include_str!("../../stacks/curve-llamma.toml");
        assert!(text.contains(from), "{from}");
        let config = StackConfig::from_toml(&text.replace(from, to), "bad.toml").unwrap();
        let error = config.build().unwrap_err().to_string();
        assert!(error.contains(field) && error.contains(rule), "{to}: {error}");
    };
    check("bands = 10", "bands = 3", "placement.bands", "MIN_TICKS");
    check("bands = 10", "bands = 51", "placement.bands", "MAX_TICKS");
    check("amplification = 83 ", "amplification = 1 ", "placement.amplification", "MIN_A");
    check("loan_discount = \"0.14\"", "loan_discount = \"1\"", "loan_discount", "loan discount >= 100%");
    check(
        "liquidation_discount = \"0.11\"",
        "liquidation_discount = \"0.14\"",
        "liquidation_discount",
        "loan discount",
    );
    check(
        "liquidation_discount = \"0.11\"",
        "liquidation_discount = \"0\"",
        "liquidation_discount",
        "above 0",
    );
    check("fee = \"0.014\"", "fee = \"0.049\"", "liquidation.fee", "MAX_FEE");
    check("fee = \"0.014\"", "fee = \"0\"", "liquidation.fee", "MIN_FEE");
    check("collateral = \"ETH\"", "collateral = \"USDC\"", "collateral", "Same token");
    check("base_price = \"2000\"", "base_price = \"0\"", "placement.base_price", "above zero");
}
