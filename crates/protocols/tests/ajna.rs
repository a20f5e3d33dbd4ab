//! Ajna: the venue's own auction prices, rewards and bonds; then a pool without an oracle, from its offers to a loss that reserves and the
//! highest deposit bear.

use cofferdam_core::{AuctionId, GroupId, Holder, House, Instrument, Item, World};
use cofferdam_protocols::ajna::{auction_price, bond_factor, neutral_price, neutral_ratio, reward_factor};
use cofferdam_protocols::preset;
use cofferdam_stack::{Answer, Body, Fact, Reason, Rejection, StackConfig};
use cofferdam_testkit::Scene;

fn wad(decimal: &str) -> u128 {
    decimal.parse::<cofferdam_core::Decimal>().unwrap().to_units(-18).unwrap().unsigned_abs()
}

/// ajna-core tests/forge/unit/Auctions.t.sol@020fa96a, `testAuctionPrice` (lines 31 to 74): a reference of 8,678.5.
#[test]
fn auction_prices_are_the_venues() {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 3_600;
    let check = |elapsed_s: u64, price: &str| {
        assert_eq!(auction_price(wad("8678.5"), elapsed_s).unwrap(), wad(price), "after {elapsed_s} s");
    };
    check(0, "2221696");
    check(44 * MINUTE, "483524.676068186452113664");
    check(HOUR, "277712");
    check(159 * MINUTE, "27712.130183984744559172");
    check(159 * MINUTE + 3, "27704.127762591858494776");
    check(4 * HOUR, "17357");
    check(5 * HOUR, "12273.252401054905374068");
    check(6 * HOUR, "8678.5");
    check(8 * HOUR, "4339.25");
    check(10 * HOUR, "2169.625");
    check(11 * HOUR, "1534.15655013186316308");
    check(12 * HOUR, "1084.8125");
    check(13 * HOUR, "767.07827506593158154");
    check(15 * HOUR, "271.203125");
    check(18 * HOUR, "33.900390625");
    check(24 * HOUR, "0.529693603515625");
    check(36 * HOUR, "0.000129319727420501");
    check(72 * HOUR, "0.000000000000001627");
}

/// Auctions.t.sol@020fa96a, `testBpf` (lines 12 to 26).
#[test]
fn rewards_are_the_venues() {
    let check = |threshold: &str, neutral: &str, price: &str, factor: &str| {
        let found = reward_factor(wad(threshold), wad(neutral), wad("0.1"), wad(price)).unwrap();
        let want = factor.parse::<cofferdam_core::Decimal>().unwrap().to_units(-18).unwrap();
        assert_eq!(found, want, "TP {threshold}, NP {neutral}, at {price}");
    };
    check("11", "15", "10", "0.1");
    check("9", "15", "10", "0.083333333333333333");
    check("11", "15", "9.5", "0.1");
    check("9", "15", "9.5", "0.091666666666666667");
    check("9", "10", "10.5", "-0.05");
    check("11", "5", "10.5", "-0.1");
}

/// The factor at 5 % is the venue's own (`bondFactor` of many of its scenes, e.g. ERC20PoolLiquidationsKick.t.sol); the bounds are its rule.
#[test]
fn bonds_are_the_venues() {
    let check = |rate: &str, factor: &str| {
        assert_eq!(bond_factor(neutral_ratio(wad(rate)).unwrap()), wad(factor), "at {rate}");
    };
    check("0.05", "0.011180339887498948");
    check("0.001", "0.005");
    check("4", "0.03");
}

const LENDERS: [(u32, &str, &str); 3] = [(1, "1000", "110"), (2, "5000", "100"), (3, "5000", "80")];
const KICKER: u32 = 20;
const TAKER: u32 = 21;
const AUCTION: Holder = Holder::Auction(AuctionId(0));

fn offer(scene: &mut Scene, group: u32, amount: &str, price: &str) -> Answer {
    let (amount, price) = (scene.atoms("USDC", amount), scene.ticks("ETH", price));
    let pool = scene.pool("usdc-pool");
    scene.send(Body::Offer { group: GroupId(group), pool, amount, price }).answer
}

fn kick(scene: &mut Scene, group: u32) -> Answer {
    scene.send(Body::Kick { keeper: GroupId(KICKER), group: GroupId(group) }).answer
}

fn take(scene: &mut Scene, want: &str, pay: &str) -> Answer {
    let (want, pay) = (scene.atoms("ETH", want), scene.atoms("USDC", pay));
    scene.send(Body::AuctionBid { keeper: GroupId(TAKER), auction: AuctionId(0), want, pay }).answer
}

/// The collateral's price.
fn lup(scene: &Scene) -> i64 {
    scene.bench().state().asset(scene.asset("ETH")).unwrap().price.mid.get()
}

fn ticks(scene: &Scene, price: &str) -> i64 {
    scene.ticks("ETH", price).get()
}

/// What a lender's deposit is, in shares.
fn shares(scene: &Scene, group: u32) -> i128 {
    let pool = scene.pool("usdc-pool");
    scene.bench().state().holding(Holder::Group(GroupId(group)), Item::Share(pool)).units
}

/// Three lenders; one loan of 1,600 on 20, at a threshold price of 80 where LUP is 100.
fn lent(changes: &[(&str, &str)]) -> Scene {
    let mut text = preset("ajna").unwrap().stack.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    let mut scene = Scene::new(&StackConfig::from_toml(&text, "ajna.toml").unwrap());
    for (group, amount, price) in LENDERS {
        let _ = scene.deposit(group, "USDC", amount);
        assert_eq!(offer(&mut scene, group, amount, price), Answer::Done);
    }
    for keeper in [KICKER, TAKER] {
        let _ = scene.deposit(keeper, "USDC", "100000");
    }
    assert_eq!(lup(&scene), ticks(&scene, "110"), "nothing is lent");
    let _ = scene.deposit(7, "ETH", "20");
    assert_eq!(scene.borrow(7, "usdc-pool", "USDC", "1600"), Answer::Done);
    assert_eq!(lup(&scene), ticks(&scene, "100"), "1,600 reaches the second offer");
    scene
}

/// The same, with another loan that lowers LUP to 80: below 80 x 1.04.
fn lowered(changes: &[(&str, &str)]) -> Scene {
    let mut scene = lent(changes);
    assert!(matches!(kick(&mut scene, 7), Answer::Refused(Rejection::Strategy { .. })), "80 x 1.04 < 100");
    let _ = scene.deposit(8, "ETH", "200");
    assert_eq!(scene.borrow(8, "usdc-pool", "USDC", "5000"), Answer::Done);
    assert_eq!(lup(&scene), ticks(&scene, "80"), "6,600 reaches the third");
    scene
}

/// No source, no quote: the price is in the pool's own book. A kick that is refused above and accepted below, the venue's prices at its times,
/// takes that cost and that earn the kicker, and a loss that reserves and then the highest deposit bear.
#[test]
fn a_pool_without_an_oracle() {
    let text = preset("ajna").unwrap().stack;
    assert!(!text.contains("[[prices]]"), "no oracle source");
    let mut scene = lowered(&[("escrow = \"1000\"", "escrow = \"100\"")]);
    assert_eq!(scene.posted(Reason::Auction), 0, "the engine kicks nobody");
    assert_eq!(kick(&mut scene, 7), Answer::Done);
    assert_eq!((scene.balance(7, "ETH").as_str(), scene.held(AUCTION, "ETH").as_str()), ("0", "20"));
    // 1,600 x 0.011180339887498948 = 17.8885438.., up
    assert_eq!(scene.held(AUCTION, "USDC"), "17.888544");
    // NP = 80 x 1.111803398874989484: 256 times it now, itself after six hours, half after eight
    let neutral = neutral_price(wad("80"), neutral_ratio(wad("0.05")).unwrap()).unwrap();
    assert_eq!(auction_price(neutral, 6 * 3_600).unwrap(), neutral);

    // far above NP: all of the factor is lost of the bond, 227.69733.. x 0.01118.. = 2.545733
    assert_eq!(take(&mut scene, "0.01", "1000"), Answer::Done);
    assert_eq!(scene.balance(TAKER, "USDC"), "99772.302663");
    assert_eq!(scene.held(AUCTION, "USDC"), "15.342811");
    assert_eq!(scene.held(Holder::House(House::Fees), "USDC"), "2.545733");

    // at NP: neither
    let _ = scene.wait(6 * 3_600_000);
    assert_eq!(take(&mut scene, "1", "1000"), Answer::Done);
    assert_eq!(scene.balance(TAKER, "USDC"), "99683.358391"); // 88.944272 less
    assert_eq!(scene.held(AUCTION, "USDC"), "15.342811");

    // below TP: all of the factor is the kicker's, 44.472135.. x 0.01118.. = 0.497213
    let _ = scene.wait(2 * 3_600_000);
    assert_eq!(take(&mut scene, "1", "1000"), Answer::Done);
    assert_eq!(scene.balance(TAKER, "USDC"), "99638.886255"); // 44.472136 less
    assert_eq!(scene.held(AUCTION, "USDC"), "15.840024");

    // all that is left, for less than the debt: reserves pay 100, the rest burns deposits at 110, and nobody else's
    let before = [1, 2, 3].map(|g| shares(&scene, g));
    assert_eq!(take(&mut scene, "20", "1000"), Answer::Done);
    assert_eq!((scene.held(AUCTION, "ETH").as_str(), scene.held(AUCTION, "USDC").as_str()), ("0", "0"));
    assert_eq!(scene.posted(Reason::BadDebt), 1);
    assert_eq!(scene.posted(Reason::WriteDown), 2, "shares of the highest offer, and the pool's money");
    let after = [1, 2, 3].map(|g| shares(&scene, g));
    assert!(after[0] < before[0] && after[0] > 0, "{before:?} {after:?}");
    assert_eq!(after[1..], before[1..]);
    assert_eq!(scene.deficit("USDC"), "0");
    let drawn = scene.bench().history().steps.iter().flat_map(|(_, f)| f);
    let facts: Vec<&Fact> = drawn.collect();
    assert!(!facts.iter().any(|f| matches!(f, Fact::Quote { .. })), "nobody quoted a price");
    let eth = Instrument::Asset(scene.asset("ETH"));
    let marks = facts.iter().filter(|f| matches!(f, Fact::Mark { instrument, .. } if *instrument == eth));
    assert!(marks.count() >= 3, "LUP moved with the book");
    scene.check();
}

/// What is left of the collateral when the debt is paid goes home, the bond to the kicker.
#[test]
fn more_is_taken_than_was_needed() {
    let mut scene = lowered(&[]);
    assert_eq!(kick(&mut scene, 7), Answer::Done);
    assert_eq!(scene.balance(7, "ETH"), "0", "INV-19: all of it");
    let _ = scene.wait(3_600_000);
    // 32 x 88.94.. = 2846.21..: a little more than half a coin pays 1,600
    assert_eq!(take(&mut scene, "20", "5000"), Answer::Done);
    assert_eq!(scene.held(AUCTION, "USDC"), "0");
    let home = scene.balance(7, "ETH");
    assert!(home.starts_with("19.4378"), "{home}");
    assert_eq!(scene.posted(Reason::BadDebt), 0);
    scene.check();
}

/// INV-12: another's loan lowers LUP, and with it the health of whoever owes.
#[test]
fn a_loan_of_another_makes_a_kick_possible() {
    let mut scene = lowered(&[]);
    assert_eq!(kick(&mut scene, 7), Answer::Done);
}

/// INV-26: a loss that reserves do not pay is the deposits'.
#[test]
fn deposits_bear_what_reserves_do_not() {
    let mut scene = lowered(&[("escrow = \"1000\"", "escrow = \"1\"")]);
    assert_eq!(kick(&mut scene, 7), Answer::Done);
    let _ = scene.wait(30 * 3_600_000);
    let before = [1, 2, 3].map(|g| shares(&scene, g));
    assert_eq!(take(&mut scene, "20", "1000"), Answer::Done);
    let after = [1, 2, 3].map(|g| shares(&scene, g));
    assert_eq!(after[0], 0, "1,000 at 110 are gone");
    assert!(after[1] < before[1] && after[2] == before[2], "then part of those at 100");
    scene.check();
}

/// A supplier whose deposit a loan rests on cannot leave; one whose deposit carries nothing can.
#[test]
fn deposits_that_carry_loans_stay() {
    let mut scene = lent(&[]);
    let pool = scene.pool("usdc-pool");
    let mut redeem = |group: u32| {
        let shares = shares(&scene, group).unsigned_abs();
        scene.send(Body::Redeem { group: GroupId(group), pool, shares }).answer
    };
    assert!(matches!(redeem(2), Answer::Refused(Rejection::Margin { .. })), "LUP would be 80");
    assert_eq!(redeem(3), Answer::Done);
    scene.check();
}

/// Parameters that the venue would not take.
#[test]
fn refusals_name_the_field() {
    let good = preset("ajna").unwrap().stack;
    for (from, to, field) in [
        ("rate = \"0.05\"", "rate = \"0.0009\"", "liquidation.rate"),
        ("rate = \"0.05\"", "rate = \"501\"", "liquidation.rate"),
        ("collateral = \"ETH\"", "collateral = \"USDC\"", "liquidation.collateral"),
        ("priced = \"ETH\"", "priced = \"USDC\"", "pools[0].priced"),
    ] {
        assert!(good.contains(from), "{from}");
        let error =
            StackConfig::from_toml(&good.replace(from, to), "ajna.toml").and_then(|c| c.build()).unwrap_err();
        assert!(error.path.starts_with(field), "{to}: {error}");
    }
}
