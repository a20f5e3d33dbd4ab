//! Synthetix v3: its own numbers, its throttle end to end, what it refuses and which laws it breaks.
#![expect(unused_must_use, reason = "what a step of a scene answers is looked at where it matters")]

mod cex;
use cex::{exact, int, micro};
use cofferdam_core::{GroupId, Holder, Item, Lots, Posting, Quanta, Ticks};
use cofferdam_margin_engine::Stage;
use cofferdam_protocols::{preset, synthetix_v3::SkewMargin, synthetix_v3::SkewPool};
use cofferdam_stack::{Answer, Body, Fact, Reason, StackConfig};
use cofferdam_testkit::Scene;
use proptest::prelude::*;

fn changed(changes: &[(&str, &str)]) -> StackConfig {
    let text = changes.iter().fold(preset("synthetix-v3").unwrap().stack.to_owned(), |t, (from, to)| {
        assert!(t.contains(from), "{from}");
        t.replace(from, to)
    });
    StackConfig::from_toml(&text, "synthetix-v3.toml").unwrap()
}

/// The preset at another scale, without fees.
fn at_scale(scale: &str) -> Scene {
    let scale = format!("skew_scale = \"{scale}\"");
    let fees =
        [("maker_fee = \"0.007\"", "maker_fee = \"0\""), ("taker_fee = \"0.003\"", "taker_fee = \"0\"")];
    Scene::new(&changed(&[("skew_scale = \"100000\"", &scale), fees[0], fees[1]]))
}

fn fund(s: &mut Scene, price: &str, cash: &[(u32, &str)]) {
    s.quote("ETH-PERP", price);
    s.deposit(9, "USDT", "10000000");
    assert_eq!(s.supply(9, "perps-market", "USDT", "10000000"), Answer::Done);
    for (group, cash) in cash {
        s.deposit(*group, "USDT", cash);
    }
}

fn pool_trade(s: &mut Scene, taker: u32, size: &str, limit: Option<&str>) -> Answer {
    let (market, lots) = (s.market("ETH-PERP"), s.lots("ETH-PERP", size));
    let any = if lots.is_negative() { Ticks::ONE } else { Ticks::new(Ticks::LIMIT) };
    let limit = limit.map_or(any, |l| s.ticks("ETH-PERP", l));
    s.send(Body::PoolTrade { taker: GroupId(taker), market, lots, limit }).answer
}

/// What a position has gained at a mark, in quanta.
fn pnl(s: &Scene, group: u32, price: &str) -> i128 {
    let p = s.bench().state().book().position(GroupId(group), s.market("ETH-PERP")).unwrap();
    i128::from(p.lots.get()) * i128::from(s.ticks("ETH-PERP", price).get()) - p.cost.get()
}

/// Lots of accounts that liquidations have closed, by the facts.
fn liquidated(s: &Scene) -> i128 {
    let facts = s.bench().history().steps.iter().flat_map(|(_, facts)| facts);
    let posted = facts.filter_map(|f| match f {
        Fact::Post { reason: Reason::Liquidation, postings } => Some(postings),
        _ => None,
    });
    let of_groups = |p: &&Posting| matches!((p.holder, p.item), (Holder::Group(_), Item::Position(_)));
    posted.flatten().filter(of_groups).map(|p| p.units.abs()).sum()
}

// ---- (1) numbers of the venue's own tests: Synthetixio/synthetix-v3, markets/perps-market/test/integration
// A = Liquidation/Liquidation.margin.test.ts@0bbd1abf085986d70146a4452b66d2dc298bfba6
// B = Orders/OffchainAsyncOrder.price.test.ts@014e9830f835c70079e0975524794921651b41c1
// C = Account/Margins.test.ts@0bbd1abf085986d70146a4452b66d2dc298bfba6
// D = Liquidation/Liquidation.maxLiquidationAmount.test.ts@0ddd32eb477eeff9f9c06043094241188c4723ca

/// A: what a position has lost to the skew when it is opened, and what it has gained at two other prices.
#[test]
fn profit_and_loss_after_the_fill_price() {
    let check = |scale: &str, size: &str, open: &str, rows: [(&str, &str); 3]| {
        let mut s = at_scale(scale);
        fund(&mut s, open, &[(10, "1000000")]);
        assert_eq!(pool_trade(&mut s, 10, size, None), Answer::Done);
        for (price, want) in rows {
            assert_eq!(pnl(&s, 10, price), micro(want), "{size} from {open} at {price}");
        }
    };
    check("100", "-1", "30000", [("30000", "-150"), ("28000", "1850"), ("31000", "-1150")]); // BTC
    check("1000", "20", "2000", [("2000", "-400"), ("1900", "-2400"), ("1775", "-4900")]); // ETH
    check("100000", "2000", "5", [("5", "-100"), ("4.6", "-900"), ("3", "-4100")]); // LINK
    check("100000", "5000", "2", [("2", "-250"), ("1.9", "-750"), ("1", "-5250")]); // ARB
    check("100000", "5000", "2", [("2", "-250"), ("1.8", "-1250"), ("1.13", "-4600")]); // OP
}

/// B: the fill price, and the limit that it just keeps and just exceeds.
#[test]
fn fill_price_and_limit() {
    for (size, keeps, exceeds) in [("1", "1000.005", "1000.004"), ("-1", "999.995", "999.996")] {
        let mut s = at_scale("100000");
        fund(&mut s, "1000", &[(10, "10000")]);
        pool_trade(&mut s, 10, size, Some(exceeds));
        assert_eq!(s.size(10, "ETH-PERP"), "0", "{size} at {exceeds}");
        assert_eq!(pool_trade(&mut s, 10, size, Some(keeps)), Answer::Done);
        assert_eq!(s.size(10, "ETH-PERP"), size);
        assert_eq!(pnl(&s, 10, keeps), 0, "{size} filled at {keeps}");
    }
}

/// C, whose expected values are its own formula on its own numbers: two positions, required margins and their parts.
#[test]
fn required_margins() {
    let check = |scale: i64, size: i64, price: i64, least: i128, want: (&str, &str)| {
        let least = Quanta::new(least * 1_000_000);
        let (minimum, scalar) = (cex::ppb("0.01"), cex::ppb("0.5"));
        let m = SkewMargin::new(Lots::new(scale * 1_000), 2_000_000_000, minimum, scalar, least).unwrap();
        let of = |stage| {
            let notional = Quanta::new(i128::from(size.abs() * price) * 1_000_000);
            m.margin(stage, Lots::new(size * 1_000), notional).unwrap().get()
        };
        assert_eq!((of(Stage::Initial), of(Stage::Maintenance)), (micro(want.0), micro(want.1)), "{size}");
    };
    check(100, -2, 30_000, 1_000, ("4000", "2500")); // BTC
    check(1_000, 20, 2_000, 500, ("2500", "1500")); // ETH
}

proptest! {
    /// Derived: the formulas in exact fractions on any size and skew, rounded up once to 1e-6.
    #[test]
    fn the_formulas_on_any_size(
        lots in -5_000_000_i64..5_000_000, skew in -50_000_000_i64..50_000_000, price in 1_i64..5_000_000,
    ) {
        let size = int(lots.abs()) / int(100_000_000);
        let value = int(i128::from(lots) * i128::from(price));
        let before = int(skew) / int(100_000_000);
        let after = int(skew + lots) / int(100_000_000);
        let average = ((int(1) + before) + (int(1) + after)) / int(2);
        let pool = SkewPool::new(Lots::new(100_000_000), cex::ppb("0"), cex::ppb("0"), 1).unwrap();
        let notional = Quanta::new(i128::from(lots) * i128::from(price));
        let cost = pool.cost(notional, Lots::new(lots), Lots::new(skew)).unwrap().unwrap();
        prop_assert_eq!(int(cost.get()), (&value * average).ceil());
        let (scale, scalar) = (Lots::new(100_000_000), cex::ppb("0.5"));
        let m = SkewMargin::new(scale, 2_000_000_000, cex::ppb("0.01"), scalar, Quanta::ZERO).unwrap();
        let need = m.margin(Stage::Maintenance, Lots::new(lots), notional.try_abs().unwrap()).unwrap();
        let value = int(notional.get().abs());
        prop_assert_eq!(int(need.get()), (value * (size * int(2) + exact("0.01")) * exact("0.5")).ceil());
    }
}

/// By hand: a taker pays 0.3 % of 10,000.50; who then goes twice as far back pays 0.7 % on one half and 0.3 % on the other, of 20,000.00.
#[test]
fn maker_and_taker_fees() {
    let mut s = Scene::new(&changed(&[]));
    fund(&mut s, "1000", &[(10, "10000"), (11, "10000")]);
    assert_eq!(pool_trade(&mut s, 10, "10", None), Answer::Done);
    assert_eq!(pool_trade(&mut s, 11, "-20", None), Answer::Done);
    assert_eq!(s.balance(10, "USDT"), "9969.9985"); // 10,000.50 x 0.003 = 30.0015
    assert_eq!(s.balance(11, "USDT"), "9900"); // skew 10 to -10: at the mark; 10,000 x 0.007 + 10,000 x 0.003 = 100
    s.check();
}

// ---- (2) the throttle

/// D's market: 150 each for two accounts, and (0.007 + 0.003) x 1000 x 10 s = 100 within any window. It goes 150, 50, 0 for the first and 150,
/// 100, 0 for the second, which gets what the first has left of a window. Cash and prices are ours: the engine calls when the venue's keeper does.
#[test]
fn a_large_position_goes_over_several_windows() {
    let mut s = Scene::new(&changed(&[
        ("skew_scale = \"100000\"", "skew_scale = \"1000\""),
        ("initial_ratio = \"2\"", "initial_ratio = \"3\""),
        ("minimum_ratio = \"0.01\"", "minimum_ratio = \"0\""),
        ("size = \"10000\"", "size = \"100\""),
    ]));
    fund(&mut s, "10", &[(2, "1500"), (3, "1830")]);
    for group in [2, 3] {
        assert_eq!(pool_trade(&mut s, group, "150", None), Answer::Done);
    }
    s.quote("ETH-PERP", "0.2");
    let sizes = |s: &Scene| (s.size(2, "ETH-PERP"), s.size(3, "ETH-PERP"));
    let (mut seen, mut closed) = (vec![sizes(&s)], vec![(0, liquidated(&s))]);
    for second in 1..40 {
        s.wait(1_000);
        if seen.last() != Some(&sizes(&s)) {
            seen.push(sizes(&s));
            closed.push((second, liquidated(&s)));
            s.quote("ETH-PERP", "0.05"); // now the second is below maintenance, too: the rest of the window is for it
            seen.push(sizes(&s));
        }
    }
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let want = [("50", "150"), ("0", "150"), ("0", "100"), ("0", "0")].map(|(a, b)| pair(a, b));
    seen.dedup();
    assert_eq!(seen, want);
    // the facts, in lots: 100 at once; after a window 50, and 50 more at the next price; 100 after another. 10 s and at most an eighth, in whole seconds
    assert_eq!(closed, [(0, 100_000), (12, 150_000), (23, 300_000)]);
    // INV-26: what they could not pay is the pool's loss
    assert!(s.posted(Reason::BadDebt) > 0);
    assert_eq!(s.deficit("USDT"), "0");
    s.check();
}

// ---- (3) refusals

#[test]
fn what_the_venue_would_not_accept() {
    let check = |from: &str, to: &str, field: &str| {
        let error = changed(&[(from, to)]).build().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(field), "{to}: {error}");
    };
    check("skew_scale = \"100000\"", "skew_scale = \"0\"", "skew_scale");
    check("maintenance_scalar = \"0.5\"", "maintenance_scalar = \"1.1\"", "maintenance_scalar");
    check("maintenance_scalar = \"0.5\"", "maintenance_scalar = \"0\"", "maintenance_scalar");
    check("initial_ratio = \"2\"", "initial_ratio = \"-1\"", "initial_ratio");
    check("minimum_ratio = \"0.01\"", "minimum_ratio = \"1.5\"", "minimum_ratio");
    check("maker_fee = \"0.007\"", "maker_fee = \"2\"", "maker_fee");
    check("taker_fee = \"0.003\"", "taker_fee = \"-0.1\"", "taker_fee");
    check("least = \"0\"", "least = \"-1\"", "least");
}

#[test]
fn too_large_is_an_error() {
    let most = Lots::new(i64::MAX);
    let one = cex::ppb("1");
    let m = SkewMargin::new(most, 1_000_000_000_000, one, one, Quanta::ZERO).unwrap();
    assert!(m.margin(Stage::Initial, most, Quanta::new(i128::MAX)).is_err());
    let pool = SkewPool::new(Lots::new(1), one, one, 1).unwrap();
    assert!(pool.cost(Quanta::new(i128::MAX), most, most).is_err());
    assert_eq!(pool.cost(Quanta::new(-1), Lots::new(-1), Lots::new(-1)), Ok(None)); // a price below zero
}

// ---- (4) laws

#[test]
fn the_laws_it_breaks() {
    let mut laws: Vec<u16> = changed(&[]).broken_laws().iter().map(|l| l.invariant).collect();
    laws.sort_unstable();
    laws.dedup();
    assert_eq!(laws, [6, 19, 26]);
}

/// INV-6: two positions of half the size need less.
#[test]
fn law_6_splitting_lowers_what_is_required() {
    let (scale, half) = (Lots::new(1_000), cex::ppb("0.5"));
    let m = SkewMargin::new(scale, 2_000_000_000, cex::ppb("0.01"), half, Quanta::ZERO).unwrap();
    let of = |lots, value| m.margin(Stage::Initial, Lots::new(lots), Quanta::new(value)).unwrap().get();
    assert_eq!((of(100, 1_000_000), 2 * of(50, 500_000)), (210_000, 110_000));
}

/// INV-19: an account barely below maintenance loses all of its position.
#[test]
fn law_19_a_close_takes_all_of_it() {
    let mut s = at_scale("100000");
    fund(&mut s, "1000", &[(10, "1000")]);
    assert_eq!(pool_trade(&mut s, 10, "50", None), Answer::Done);
    s.quote("ETH-PERP", "985"); // 1000 - 12.5 - 750 = 237.5; needs 49,250 x 0.55 % = 270.875
    assert_eq!((s.size(10, "ETH-PERP"), s.posted(Reason::BadDebt)), ("0".into(), 0));
    s.check();
}
