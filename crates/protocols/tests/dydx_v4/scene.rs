//! The mechanism end to end; the facts are the proof.

use super::{changed, stage};
use cofferdam_core::{Instrument, Lots, Quote, SourceId, Ticks};
use cofferdam_stack::{Alarm, Answer, Body, Outcome, Reason, Rejection};
use cofferdam_testkit::Scene;

/// Prices of both markets at one moment.
fn quotes(scene: &mut Scene, eth: &str, alt: &str) -> Outcome {
    let quote = |name: &str, price: &str| {
        let (price, published) = (scene.ticks(name, price), scene.bench().now());
        let quote = Quote { source: SourceId(1), price, confidence: Ticks::ZERO, published };
        (Instrument::Market(scene.market(name)), quote)
    };
    let both = vec![quote("ETH-PERP", eth), quote("ALT-PERP", alt)];
    scene.send(Body::Quotes(both))
}

/// A deep counterparty, and an account that holds 10 ETH bought at 2000 with 1,000.
fn long_of_ten(mut scene: Scene) -> Scene {
    quotes(&mut scene, "2000", "10");
    scene.deposit(2, "USDT", "5000000");
    scene.deposit(10, "USDT", "1000");
    assert_eq!(scene.trade(10, 2, "ETH-PERP", "10", "2000"), Answer::Done);
    scene
}

#[test]
fn a_part_per_block_at_the_fillable_price() {
    let mut scene = long_of_ten(stage());
    quotes(&mut scene, "1912", "10"); // 120 against 1.2 % of 19,120 = 229.44
    let order = scene.order_of(10);
    // a tenth is 1,912, at least 1,000; the limit is 1912 - (1 - 120 / 229.44) x 1.5 x 1.2 % x 1912 = 1895.584 up
    assert_eq!((order.lots, order.limit), (Lots::new(-1_000), scene.ticks("ETH-PERP", "1895.584")));
    assert!(matches!(scene.propose(10, 2, "1895.583"), Answer::Refused(Rejection::Malformed { .. })));
    assert_eq!(scene.propose(10, 2, "1912"), Answer::Done);
    // 88 realised; and the share of 120 that the lots may lose is 12, less than 1.5 % of 1912, as a rate in whole ppb
    assert_eq!((scene.posted(Reason::Penalty), scene.balance(10, "USDT").as_str()), (1, "900.000001"));
    scene.wait(1_000);
    assert!(scene.bench().orders().is_empty(), "once per block");
    scene.next_block();
    scene.wait(1_000);
    assert_eq!(scene.order_of(10).lots, Lots::new(-900), "a tenth of what is left: 1,720.80");
    scene.check();
}

#[test]
fn no_more_than_a_hundred_thousand_of_an_account_in_a_block() {
    let mut scene = stage();
    quotes(&mut scene, "2000", "10");
    scene.deposit(2, "USDT", "5000000");
    scene.deposit(10, "USDT", "60000");
    scene.trade(10, 2, "ETH-PERP", "1000", "2000");
    quotes(&mut scene, "1960", "10"); // 20,000 against 23,520; a tenth would be 196,000
    assert_eq!(scene.order_of(10).lots, Lots::new(-51_020), "100,000 / 1960, whole lots");
    scene.check();
}

/// The fund holds 1. A fill at 1898 is 2 below the lots' bankruptcy price of 1900: refused, and nothing moves.
#[test]
fn a_fill_is_refused_for_lack_of_insurance() {
    let mut scene = long_of_ten(Scene::new(&changed(r#"escrow = "500000""#, r#"escrow = "1""#)));
    quotes(&mut scene, "1912", "10");
    let before = scene.size(10, "ETH-PERP");
    let answer = scene.propose(10, 2, "1898");
    assert!(matches!(answer, Answer::Refused(Rejection::Strategy { .. })), "{answer:?}");
    assert_eq!((scene.size(10, "ETH-PERP"), scene.posted(Reason::Liquidation)), (before, 0));
    assert_eq!(scene.propose(10, 2, "1899"), Answer::Done, "1 below: the fund has it");
    assert_eq!(scene.posted(Reason::Liquidation), 1);
    // with a full fund the first one passes
    let mut rich = long_of_ten(stage());
    quotes(&mut rich, "1912", "10");
    assert_eq!(rich.propose(10, 2, "1898"), Answer::Done);
    // and what one account may cost per block is a limit of its own
    let mut bounded = long_of_ten(Scene::new(&changed(r#"lost_max = "1000000""#, r#"lost_max = "1.5""#)));
    quotes(&mut bounded, "1912", "10");
    assert!(matches!(bounded.propose(10, 2, "1898"), Answer::Refused(_)));
    scene.check();
}

/// Whoever holds the other side, from a place that the moment decides; not who would be made insolvent.
#[test]
fn deleveraging_at_the_bankruptcy_price() {
    let mut scene = stage();
    quotes(&mut scene, "2000", "10");
    for (group, cash) in [(2, "5000000"), (10, "1000"), (20, "5000"), (21, "5000"), (22, "4070")] {
        scene.deposit(group, "USDT", cash);
    }
    for group in [20, 21, 22] {
        assert_eq!(scene.trade(group, 2, "ETH-PERP", "-6", "2000"), Answer::Done);
    }
    assert_eq!(scene.trade(22, 2, "ALT-PERP", "1000", "10"), Answer::Done);
    assert_eq!(scene.trade(10, 2, "ETH-PERP", "10", "2000"), Answer::Done);
    // 22: 4,070 + 660 - 4,710 = 20 at the marks; closed at 1900 it would owe 40. 10: 1,000 - 1,100
    quotes(&mut scene, "1890", "5.29");
    assert_eq!((scene.size(10, "ETH-PERP").as_str(), scene.balance(10, "USDT").as_str()), ("0", "0"));
    assert!(scene.posted(Reason::Deleverage) > 0);
    assert_eq!(scene.size(22, "ETH-PERP"), "-6", "it would have been made insolvent");
    assert_eq!((scene.deficit("USDT").as_str(), scene.posted(Reason::Insurance)), ("0", 0));
    scene.check();
}

/// Group 10 is under water, and the only holder of the other side would be made insolvent by closing: nobody is found, and everybody's
/// withdrawals wait for 50 blocks after that was last so.
#[test]
fn a_zero_fill_deleveraging_gates_withdrawals() {
    let mut scene = stage();
    quotes(&mut scene, "2000", "10");
    for (group, cash) in [(3, "5000000"), (10, "1000"), (20, "3640"), (30, "500")] {
        scene.deposit(group, "USDT", cash);
    }
    assert_eq!(scene.trade(10, 20, "ETH-PERP", "10", "2000"), Answer::Done);
    assert_eq!(scene.trade(20, 3, "ALT-PERP", "1000", "10"), Answer::Done);
    assert_eq!(scene.withdraw(30, "USDT", "100"), Answer::Done);
    // 10: -100. 20: 3,640 + 1,100 - 4,700 = 40; closed at 1900 it would owe 60
    quotes(&mut scene, "1890", "5.3");
    assert_eq!(scene.posted(Reason::Deleverage), 0, "a zero fill");
    let nobody = |a: &Alarm| matches!(a, Alarm::NobodyLeft { .. });
    assert!(scene.bench().alarms().iter().any(nobody));
    assert_eq!(scene.size(10, "ETH-PERP"), "10");
    let gated = scene.withdraw(30, "USDT", "100");
    assert!(matches!(gated, Answer::Refused(Rejection::Breaker { allowed: 0, .. })), "{gated:?}");
    assert_eq!(
        scene.deposit(30, "USDT", "1").answer,
        Answer::Done,
        "the way in, and out of risk, stays open"
    );
    quotes(&mut scene, "1990", "10"); // the account has collateral again
    for _ in 0..49 {
        scene.next_block();
    }
    assert!(matches!(scene.withdraw(30, "USDT", "100"), Answer::Refused(_)), "49 blocks later");
    scene.next_block();
    assert_eq!(scene.withdraw(30, "USDT", "100"), Answer::Done, "released after 50");
    assert_eq!(scene.balance(30, "USDT"), "301");
    scene.check();
}

#[test]
fn withdrawals_are_rationed() {
    let mut scene = stage();
    quotes(&mut scene, "2000", "10");
    scene.deposit(30, "USDT", "3000000");
    scene.wait(25 * 3_600_000); // what the deposit added has faded
    let too_much = scene.withdraw(30, "USDT", "1000001");
    assert!(matches!(too_much, Answer::Refused(Rejection::Breaker { .. })), "{too_much:?}");
    assert_eq!(scene.withdraw(30, "USDT", "1000000"), Answer::Done);
    scene.wait(1_800_000);
    assert!(matches!(scene.withdraw(30, "USDT", "500001"), Answer::Refused(_)), "half is refilled");
    assert_eq!(scene.withdraw(30, "USDT", "500000"), Answer::Done);
    scene.check();
}

/// Long-tail: 20 % up to 5 million of open interest, 60 % at 7.5 million. Maintenance stays at 10 %.
#[test]
fn a_crowded_market_asks_more_of_who_opens() {
    let mut scene = stage();
    quotes(&mut scene, "2000", "10");
    for (group, cash) in [(2, "20000000"), (3, "20000000"), (10, "2400"), (11, "2400")] {
        scene.deposit(group, "USDT", cash);
    }
    assert_eq!(scene.trade(10, 2, "ALT-PERP", "1000", "10"), Answer::Done, "2,000 of 10,000");
    assert_eq!(scene.trade(3, 2, "ALT-PERP", "749000", "10"), Answer::Done);
    let crowded = scene.trade(11, 2, "ALT-PERP", "1000", "10");
    assert!(matches!(crowded, Answer::Refused(Rejection::Margin { .. })), "{crowded:?}");
    scene.quote("ALT-PERP", "9.6");
    assert!(scene.bench().orders().is_empty(), "who is there is not liquidated by it");
    scene.check();
}

/// 19: of a position of 900 all goes at once, where a part would have done. The counterexample of the declared breach.
#[test]
fn more_than_needed() {
    let mut scene = stage();
    quotes(&mut scene, "2000", "10");
    scene.deposit(2, "USDT", "5000000");
    scene.deposit(10, "USDT", "20");
    scene.trade(10, 2, "ETH-PERP", "0.45", "2000");
    quotes(&mut scene, "1979", "10"); // 10.55 against 10.69
    assert_eq!(scene.order_of(10).lots, Lots::new(-450));
    assert_eq!(scene.propose(10, 2, "1979"), Answer::Done);
    assert_eq!(scene.size(10, "ETH-PERP"), "0");
    // 1.5 % of 890.55 would be 13.36: what is left bounds it
    assert_eq!(scene.balance(10, "USDT"), "0");
    scene.check();
}

/// 23: a report of a fill far below bankruptcy is booked; what insurance cannot pay waits. The counterexample of the declared breach.
#[test]
fn a_deficit_waits() {
    let mut scene = Scene::new(&changed(r#"escrow = "500000""#, r#"escrow = "1""#));
    quotes(&mut scene, "2000", "10");
    scene.deposit(2, "USDT", "5000000");
    scene.deposit(10, "USDT", "20");
    scene.trade(10, 2, "ETH-PERP", "0.45", "2000");
    quotes(&mut scene, "1979", "10");
    scene.fill(10, 2, "1900"); // reported, not proposed: 45 of loss against 20 and a fund of 1
    scene.wait(1_000);
    assert_eq!((scene.size(10, "ETH-PERP").as_str(), scene.deficit("USDT").as_str()), ("0", "24"));
    assert_eq!(scene.posted(Reason::Haircut), 0, "nobody else pays");
    scene.check();
}

/// 28: who gained more can end below who gained less. 21 sold at 2005 and is 1,150 ahead at the mark, 20 sold at 2000 and is 1,100
/// ahead. Where the moment names 21, it ends at 1900 with 1,050. The counterexample of the declared breach.
#[test]
fn the_moment_decides_who_is_closed() {
    let closed = |wait: u64| {
        let mut scene = stage();
        quotes(&mut scene, "2000", "10");
        for (group, cash) in [(2, "5000000"), (10, "1000"), (20, "5000"), (21, "5000")] {
            scene.deposit(group, "USDT", cash);
        }
        // 2 keeps a long
        assert_eq!(scene.trade(20, 2, "ETH-PERP", "-10", "2000"), Answer::Done);
        assert_eq!(scene.trade(21, 2, "ETH-PERP", "-10", "2005"), Answer::Done);
        assert_eq!(scene.trade(10, 2, "ETH-PERP", "10", "2000"), Answer::Done);
        scene.wait(wait);
        quotes(&mut scene, "1890", "10");
        scene.check();
        [20, 21].map(|g| scene.size(g, "ETH-PERP"))
    };
    let all: std::collections::BTreeSet<_> = (0..20).map(closed).collect();
    assert_eq!(
        all.into_iter().collect::<Vec<_>>(),
        [["-10".to_owned(), "0".into()], ["0".into(), "-10".into()]]
    );
}
