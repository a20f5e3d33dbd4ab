//! Perennial v2: its own numbers, its socialised exposure end to end, what it refuses and which laws it breaks.
#![expect(unused_must_use, reason = "what a step of a scene answers is looked at where it matters")]

mod cex;
use cex::micro;
use cofferdam_core::{
    Amount, AssetId, FundingIndex, GroupId, Holder, House, Item, Lots, MarketId, MarketScale, MarketView,
    Millis, PoolId, Posting, Ppb, PriceView, Quanta, Ticks,
};
use cofferdam_margin_engine::Stage;
use cofferdam_market::PoolView;
use cofferdam_market::conformance::{PoolTrial, check_pool};
use cofferdam_protocols::perennial_v2::{FlooredMargin, MakerPool, MakerTerms, Sides, liquidation_fee};
use cofferdam_protocols::preset;
use cofferdam_stack::{Answer, Body, Fact, Reason, Rejection, StackConfig};
use cofferdam_testkit::Scene;
use proptest::prelude::*;

fn changed(changes: &[(&str, &str)]) -> StackConfig {
    let text = changes.iter().fold(preset("perennial-v2").unwrap().stack.to_owned(), |t, (from, to)| {
        assert!(t.contains(from), "{from}");
        t.replace(from, to)
    });
    StackConfig::from_toml(&text, "perennial-v2.toml").unwrap()
}

/// A scene at 1000 with makers of so much behind one ETH each, and cash for accounts.
fn scene(changes: &[(&str, &str)], makers: &str, cash: &[(u32, &str)]) -> Scene {
    let mut s = Scene::new(&changed(changes));
    s.quote("ETH-PERP", "1000");
    s.deposit(9, "USDT", makers);
    assert_eq!(s.supply(9, "makers", "USDT", makers), Answer::Done);
    for (group, cash) in cash {
        s.deposit(*group, "USDT", cash);
    }
    s
}

fn pool_trade(s: &mut Scene, taker: u32, size: &str) -> Answer {
    let (market, lots) = (s.market("ETH-PERP"), s.lots("ETH-PERP", size));
    let limit = if lots.is_negative() { Ticks::ONE } else { Ticks::new(Ticks::LIMIT) };
    s.send(Body::PoolTrade { taker: GroupId(taker), market, lots, limit }).answer
}

/// Takes a part of the makers' shares out, in millionths.
fn redeem(s: &mut Scene, group: u32, millionths: u128) -> Answer {
    let pool = s.pool("makers");
    let held = s.bench().state().holding(Holder::Group(GroupId(group)), Item::Share(pool)).units;
    let shares = held.unsigned_abs() * millionths / 1_000_000;
    s.send(Body::Redeem { group: GroupId(group), pool, shares }).answer
}

/// What accounts and the makers' pool have gained and not realised at a mark, in quanta.
fn gains(s: &Scene, groups: &[u32], price: &str) -> Vec<i128> {
    let (market, pool) = (s.market("ETH-PERP"), s.pool("makers"));
    let tick = i128::from(s.ticks("ETH-PERP", price).get());
    let pnl = |units: i128, cost: Quanta| units * tick - cost.get();
    let of_group = |g: &u32| {
        let held = s.bench().state().book().position(GroupId(*g), market);
        held.map_or(0, |p| pnl(p.lots.get().into(), p.cost))
    };
    let of_pool = s.bench().state().holding(Holder::Pool(pool), Item::Position(market));
    groups.iter().map(of_group).chain([pnl(of_pool.units, of_pool.cost)]).collect()
}

/// The postings of a reason, in order.
fn posted(s: &Scene, of: Reason) -> Vec<Vec<Posting>> {
    let facts = s.bench().history().steps.iter().flat_map(|(_, facts)| facts);
    let found = facts.filter_map(|f| match f {
        Fact::Post { reason, postings } if *reason == of => Some(postings.clone()),
        _ => None,
    });
    found.collect()
}

// ---- (1) numbers of the venue's own tests: equilibria-xyz/perennial-v2, packages/core/test/unit/types
// A = Position.test.ts@eff95a3dac51cc4f455c2057205a4e40390db368
// B = Version.test.ts@f49703cf0efac614fefeccafe89bad9f9c2537fc
// C = RiskParameter.test.ts@e8277c23327fa196849e453c966ffb88e84af6bf

fn sides(maker: i128, long: i128, short: i128) -> Sides {
    Sides { maker, long, short }
}

/// A: longs, shorts and the larger side as far as they are honoured, and whether a part is not.
#[test]
fn what_is_honoured() {
    type Of = fn(&Sides) -> i128;
    let check = |of: Of, (maker, long, short): (i128, i128, i128), want: i128| {
        assert_eq!(of(&sides(maker, long, short)), want, "{maker} {long} {short}");
    };
    let major: Of = Sides::major;
    check(major, (103, 102, 2), 102);
    check(major, (104, 2, 103), 103);
    let minor: Of = Sides::minor;
    check(minor, (1, 2, 102), 2);
    check(minor, (1, 102, 3), 3);
    let skew: Of = |s| s.skew().unwrap();
    check(skew, (0, 102, 2), 100);
    check(skew, (0, 2, 102), -100);
    let long: Of = |s| s.long_honoured().unwrap();
    check(long, (2, 2, 1), 2);
    check(long, (2, 5, 1), 3);
    let short: Of = |s| s.short_honoured().unwrap();
    check(short, (2, 1, 2), 2);
    check(short, (2, 1, 5), 3);
    let taker: Of = |s| s.honoured().unwrap();
    check(taker, (2, 2, 1), 2);
    check(taker, (2, 5, 1), 3);
    check(taker, (2, 1, 2), 2);
    check(taker, (2, 1, 5), 3);
    let socialised: Of = |s| i128::from(s.socialised().unwrap());
    check(socialised, (2, 1, 2), 0);
    check(socialised, (2, 3, 5), 0);
    check(socialised, (2, 1, 5), 1);
    check(socialised, (2, 2, 1), 0);
    check(socialised, (2, 5, 3), 0);
    check(socialised, (2, 5, 1), 1);
}

/// A, `#efficiency`: 1 without takers or with enough makers, maker / major otherwise.
#[test]
fn efficiency() {
    let check = |(maker, long, short): (i128, i128, i128), want: i64| {
        let s = sides(maker, long, short);
        assert!(!s.efficiency_below(Ppb(want)).unwrap(), "{s:?} is not below {want}");
        let one = want == Ppb::ONE.0; // the venue says one where there is more
        assert!(one || s.efficiency_below(Ppb(want + 1)).unwrap(), "{s:?} is below what follows");
    };
    check((100, 0, 0), 1_000_000_000);
    check((0, 100, 0), 0);
    check((2, 1, 1), 1_000_000_000);
    check((1, 2, 1), 500_000_000);
    check((1, 1, 2), 500_000_000);
}

/// B, `pnl accumulation`: what a price that moves by 2 gives makers, longs and shorts in all.
#[test]
fn gains_of_a_price() {
    let check = |(maker, long, short): (i128, i128, i128), change: i128, want: (i128, i128, i128)| {
        let (l, s, m) = sides(maker, long, short).gains(change).unwrap();
        assert_eq!((m, l, s), want, "{maker} {long} {short} by {change}");
    };
    check((10, 2, 9), 0, (0, 0, 0));
    check((10, 9, 9), 2, (0, 18, -18));
    check((10, 2, 9), 2, (14, 4, -18));
    check((5, 20, 15), 2, (-10, 40, -30));
    check((10, 9, 9), -2, (0, -18, 18));
    check((10, 2, 9), -2, (-14, -4, 18));
    check((5, 20, 15), -2, (10, -40, 30));
}

/// A, `#maintenance`, `#maintained`, `#margined`: 6 at 100 and 30 % is 180, with a fixed minimum of 200 it is that, and nothing without a
/// position. The least is 0.000012 where the test names none.
#[test]
fn required_margins() {
    let of = |stage, size: i64, least: &str| {
        let terms = (cex::ppb("0.3"), Quanta::new(micro(least)));
        let m = FlooredMargin::new(terms, terms).unwrap();
        m.of(stage, Lots::new(size * 1_000), Quanta::new(i128::from(size) * 100_000_000)).unwrap().get()
    };
    for stage in [Stage::Maintenance, Stage::Initial] {
        assert_eq!(of(stage, 6, "0.000012"), micro("180"));
        assert_eq!(of(stage, 6, "200"), micro("200"));
        assert_eq!(of(stage, 0, "200"), 0);
    }
}

/// B, `allocates when no makers`: 20 long, 30 short, nobody between them, from 121 to 123: a long gains 2 per lot, a short loses two thirds of
/// it, rounded against it. Here the pool has come to its 10 by closing a long, whose owner was broke.
#[test]
fn a_short_without_makers() {
    let mut s = Scene::new(&changed(&[]));
    s.quote("ETH-PERP", "200");
    for (group, cash) in [(10, "9000"), (11, "700"), (12, "9000"), (13, "9000")] {
        s.deposit(group, "USDT", cash);
    }
    for (long, short, size) in [(10, 12, "20"), (11, 12, "9"), (11, 13, "1")] {
        assert_eq!(s.trade(long, short, "ETH-PERP", size, "200"), Answer::Done);
    }
    s.quote("ETH-PERP", "121");
    assert_eq!(s.size(11, "ETH-PERP"), "0");
    let before = gains(&s, &[10, 13], "121");
    s.quote("ETH-PERP", "123");
    let after = gains(&s, &[10, 13], "123");
    let moved: Vec<i128> = after.iter().zip(&before).map(|(a, b)| a - b).collect();
    assert_eq!(moved, [micro("40"), micro("-1.333334"), 1]); // the pool keeps what rounding left
    s.check();
}

proptest! {
    /// Derived: the formulas in exact fractions; nobody's result is moved past zero; what one gains another loses.
    #[test]
    fn the_formulas_on_any_sides(
        maker in 0_i128..1_000_000, long in 0_i128..1_000_000, short in 0_i128..1_000_000, change in -100_000_i128..100_000,
    ) {
        let s = sides(maker, long, short);
        let (l, sh, m) = s.gains(change).unwrap();
        prop_assert_eq!(l + sh + m, 0);
        let share = |own: i128, other: i128| {
            if own == 0 { cex::int(0) } else { (cex::int(other + maker) / cex::int(own)).min(cex::int(1)) }
        };
        prop_assert_eq!(cex::int(l), cex::int(long * change) * share(long, short));
        prop_assert_eq!(cex::int(sh), cex::int(-short * change) * share(short, long));
        let (by_long, by_short) = s.beyond(change).unwrap();
        prop_assert_eq!((by_long + l, by_short + sh), (long * change, -short * change));
        prop_assert!(by_long.abs() <= (long * change).abs() && by_long * change >= 0);
        prop_assert!(by_short.abs() <= (short * change).abs() && by_short * change <= 0);
        prop_assert!(by_long == 0 || by_short == 0); // the smaller side is always honoured
    }

    /// Derived: assets x leverage / price, down to a lot, at most the limit.
    #[test]
    fn makers_of_a_worth(worth in -1_000_000_000_000_i128..1_000_000_000_000, price in 1_i64..10_000_000, leverage in 1_i128..10_000) {
        let pool = maker_pool(leverage * 1_000_000, 1_000_000);
        let lots = pool.makers(Quanta::new(worth), 1, Ticks::new(price)).unwrap();
        let exact = cex::int(worth) * cex::int(leverage) / cex::int(1_000) / cex::int(price);
        let want = exact.floor().max(cex::int(0)).min(cex::int(1_000_000));
        prop_assert_eq!(cex::int(lots), want);
    }
}

fn maker_pool(leverage: i128, limit: i64) -> MakerPool {
    let (efficiency_limit, efficiency_min) = (cex::ppb("0.2"), cex::ppb("0.1"));
    let maker_limit = Lots::new(limit);
    MakerPool::new(MakerTerms { leverage, maker_limit, efficiency_limit, efficiency_min }).unwrap()
}

/// The contract of a pool, on one that honours a part only: with makers for one lot, for many and for none.
#[test]
fn the_pool_conforms() {
    let market = MarketView {
        id: MarketId(0),
        settlement: AssetId(0),
        scale: MarketScale::from_factor(1).unwrap(),
        mark: PriceView::exact(Ticks::new(1_000_000), Millis(0)),
        previous_mark: Ticks::new(1_000_000),
        index: PriceView::exact(Ticks::new(1_000_000), Millis(0)),
        funding: FundingIndex::ZERO,
        open_interest: Lots::ZERO,
        volatility: Ppb::ZERO,
    };
    for atoms in [0, 1_000_000, 5_000_000_000, -3] {
        let (cash, equity) = (Amount::new(atoms), Quanta::new(atoms));
        let pool = PoolView { id: PoolId(0), lots: Lots::ZERO, cost: Quanta::ZERO, cash, equity };
        let orders = [1, -1, 3, -700, 5_000, -250_000].map(Lots::new).to_vec();
        let trial = PoolTrial { market, pool, orders, quanta_per_atom: 1 };
        assert_eq!(check_pool(&maker_pool(1_000_000_000, 1_000_000), &trial), Ok(()), "{atoms}");
    }
}

/// By hand: the settlement fee times the multiple, down.
#[test]
fn liquidation_fees() {
    let of =
        |fee: &str, multiple: &str| liquidation_fee(Quanta::new(micro(fee)), micro(multiple)).unwrap().get();
    assert_eq!(of("0.5", "10"), micro("5"));
    assert_eq!(of("0.000003", "0.5"), micro("0.000001"));
    assert_eq!(of("0", "10"), 0);
}

// ---- (2) the mechanism

const RICH: [(u32, &str); 3] = [(10, "20000"), (11, "20000"), (12, "20000")];

/// Makers stand for 10 at 1000. 12 long in two accounts against 2 short and the makers: a rise to 1100 is paid whole and leaves makers with
/// 9,000, which back 8.181. Of the next 100, longs get what 2 + 8.181 lots gain; the short and the makers pay exactly that. On the way
/// back they lose in the same way only what is honoured then.
#[test]
fn longs_get_the_part_that_somebody_answers_for() {
    let mut s = scene(&[], "10000", &RICH);
    for (group, size) in [(12, "-2"), (10, "7"), (11, "5")] {
        assert_eq!(pool_trade(&mut s, group, size), Answer::Done, "{group}");
    }
    let all = [10, 11, 12];
    let check = |s: &Scene, price: &str, want: [&str; 4]| {
        let got = gains(s, &all, price);
        assert_eq!(got, want.map(micro), "at {price}");
        assert_eq!(got.iter().sum::<i128>(), 0, "what one gains another loses");
    };
    s.quote("ETH-PERP", "1100");
    check(&s, "1100", ["700", "500", "-200", "-1000"]);
    assert_eq!(posted(&s, Reason::Unhonoured).len(), 0, "makers answered for all of it");

    s.quote("ETH-PERP", "1200"); // 12 - 2 - 8.181 = 1.819 lots are not honoured: 181.90
    check(&s, "1200", ["1293.891666", "924.208333", "-400", "-1818.099999"]);
    let (market, pool) = (s.market("ETH-PERP"), s.pool("makers"));
    let fact = |of: [&str; 3]| {
        let holders = [Holder::Group(GroupId(10)), Holder::Group(GroupId(11)), Holder::Pool(pool)];
        let cost = |(h, x): (Holder, &str)| Posting::position(h, market, 0, Quanta::new(micro(x)));
        holders.into_iter().zip(of).map(cost).collect::<Vec<_>>()
    };
    let rise = fact(["106.108334", "75.791667", "-181.900001"]);
    assert_eq!(posted(&s, Reason::Unhonoured), std::slice::from_ref(&rise));

    s.quote("ETH-PERP", "1100"); // 8,181.900001 back 6.818 at 1200: 3.182 lots are not honoured
    check(&s, "1100", ["779.508332", "556.791666", "-200", "-1136.299998"]);
    let fall = fact(["-185.616666", "-132.583333", "318.199999"]);
    assert_eq!(posted(&s, Reason::Unhonoured), [rise, fall]);
    s.check();
}

/// A rise that makers cannot pay raises what a long has to keep and not what it has: it is closed on the way up, in the step of the price,
/// and the makers pay all they had and no more.
#[test]
fn a_long_that_is_not_honoured_is_closed_by_a_rise() {
    let mut s = scene(&[], "10000", &[(10, "3600")]);
    assert_eq!(pool_trade(&mut s, 10, "10"), Answer::Done);
    for price in ["1100", "2000", "4000"] {
        s.quote("ETH-PERP", price); // makers stand for 8.181, 0.818 and nothing of the next
        assert_eq!(s.size(10, "ETH-PERP"), "10", "{price}");
    }
    assert_eq!(gains(&s, &[10], "4000"), ["9998.9", "-9998.9"].map(micro));
    s.quote("ETH-PERP", "6000"); // 13,598.90 and little more; needs 18,000
    assert_eq!(s.size(10, "ETH-PERP"), "0");
    assert_eq!(s.posted(Reason::BadDebt), 0);
    s.check();
}

/// 0.1 ETH needs no more than 30 by its ratio and has to keep 100. At 700 it has them, at 690 it is closed whole, for ten settlement fees.
#[test]
fn a_position_below_the_fixed_minimum_is_closed_whole() {
    let mut s = scene(&[], "10000", &[(10, "119.999999"), (11, "130")]);
    assert!(matches!(pool_trade(&mut s, 10, "0.1"), Answer::Refused(Rejection::Margin { .. })));
    assert_eq!(pool_trade(&mut s, 11, "0.1"), Answer::Done);
    s.quote("ETH-PERP", "700");
    assert_eq!((s.size(11, "ETH-PERP"), s.posted(Reason::Liquidation)), ("0.1".into(), 0));
    s.quote("ETH-PERP", "690");
    assert_eq!((s.size(11, "ETH-PERP"), s.posted(Reason::Liquidation)), ("0".into(), 1));
    let cash = Item::Asset(s.asset("USDT"));
    let fee = Posting::transfer(Holder::Group(GroupId(11)), Holder::House(House::Fees), cash, 5_000_000);
    assert_eq!(posted(&s, Reason::Penalty), [fee.to_vec()]);
    assert_eq!(s.balance(11, "USDT"), "94"); // 130 - 31 - 5
    s.check();
}

/// 10 long and 10 short: makers may go down to a fifth of that, and no further. What is refused moves nothing.
#[test]
fn makers_stay_as_far_as_the_efficiency_limit() {
    let mut s = scene(&[], "10000", &RICH);
    for (group, size) in [(10, "10"), (12, "-10")] {
        assert_eq!(pool_trade(&mut s, group, size), Answer::Done);
    }
    assert_eq!(redeem(&mut s, 9, 800_000), Answer::Done); // 2,000 stay: 2 lots, a fifth
    let held = |s: &Scene| s.held(Holder::Pool(s.pool("makers")), "USDT");
    let before = held(&s);
    assert!(matches!(redeem(&mut s, 9, 1_000), Answer::Refused(Rejection::Strategy { .. })));
    assert_eq!(held(&s), before);
    // whoever goes may go; what that leaves to the makers is too much for them: nobody adds to it, none of them leaves
    assert_eq!(pool_trade(&mut s, 10, "-10"), Answer::Done);
    assert!(matches!(pool_trade(&mut s, 11, "-0.001"), Answer::Refused(Rejection::Strategy { .. })));
    assert!(matches!(redeem(&mut s, 9, 1_000), Answer::Refused(Rejection::Strategy { .. })));
    assert_eq!(pool_trade(&mut s, 11, "0.001"), Answer::Done);
    assert_eq!(pool_trade(&mut s, 12, "10"), Answer::Done);
    assert_eq!(pool_trade(&mut s, 11, "-0.001"), Answer::Done);
    assert_eq!(redeem(&mut s, 9, 1_000_000), Answer::Done);
    assert_eq!(held(&s), "0");
    s.check();
}

/// 8 long against 10 of makers: they may go down to 8.
#[test]
fn makers_stay_as_far_as_takers_need_them() {
    let mut s = scene(&[], "10000", &RICH);
    assert_eq!(pool_trade(&mut s, 10, "8"), Answer::Done);
    assert_eq!(redeem(&mut s, 9, 200_000), Answer::Done);
    assert!(matches!(redeem(&mut s, 9, 1_000), Answer::Refused(Rejection::Strategy { .. })));
    assert!(matches!(pool_trade(&mut s, 11, "0.001"), Answer::Refused(Rejection::Strategy { .. })));
    s.check();
}

/// staleAfter: a price of two hours ago opens nothing, and what a new one gives is counted from the last that was good.
#[test]
fn a_stale_price_moves_nothing() {
    let mut s = scene(&[], "10000", &RICH);
    assert_eq!(pool_trade(&mut s, 10, "10"), Answer::Done);
    s.quote("ETH-PERP", "1100"); // 9,000 back 8.181
    s.wait(7_200_001);
    assert!(matches!(pool_trade(&mut s, 11, "-1"), Answer::Refused(Rejection::Price { .. })));
    assert_eq!(posted(&s, Reason::Unhonoured).len(), 0);
    s.quote("ETH-PERP", "1200");
    assert_eq!(gains(&s, &[10], "1200"), ["1818.1", "-1818.1"].map(micro));
    s.check();
}

// ---- (3) refusals, with the venue's own bounds (C)

#[test]
fn what_the_venue_would_not_accept() {
    let check = |from: &str, to: &str, field: &str| {
        let error = changed(&[(from, to)]).build().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(field), "{to}: {error}");
    };
    let ratios = "maintenance = \"0.3\", margin = \"0.35\"";
    check(ratios, "maintenance = \"0\", margin = \"0\"", "maintenance");
    check(ratios, "maintenance = \"0.999999\", margin = \"1.000001\"", "margin");
    check(ratios, "maintenance = \"0.000011\", margin = \"0.00001\"", "margin");
    check(ratios, "maintenance = \"1.000001\", margin = \"1.000001\"", "maintenance");
    let least = "min_maintenance = \"100\", min_margin = \"120\"";
    check(least, "min_maintenance = \"120\", min_margin = \"119.999999\"", "min_margin");
    check(
        least,
        "min_maintenance = \"281474976.710656\", min_margin = \"281474976.710656\"",
        "min_maintenance",
    );
    check(least, "min_maintenance = \"-1\", min_margin = \"1\"", "min_maintenance");
    let efficiency = "efficiency_limit = \"0.2\"";
    check(efficiency, "efficiency_limit = \"0.099999\"", "efficiency_limit");
    check(efficiency, "efficiency_limit = \"16.777216\"", "efficiency_limit");
    check("liquidation_fee = \"10\"", "liquidation_fee = \"4294.967296\"", "liquidation_fee");
    check("liquidation_fee = \"10\"", "liquidation_fee = \"-1\"", "liquidation_fee");
    check("settlement_fee = \"0.5\"", "settlement_fee = \"-0.5\"", "settlement_fee");
    check("leverage = \"1\"", "leverage = \"0\"", "leverage");
    check("maker_limit = \"1000\"", "maker_limit = \"-1\"", "maker_limit");
}

/// C, `saves if in range`: the last that it takes; but for a maintenance of one, at which nothing can be held here.
#[test]
fn what_the_venue_just_accepts() {
    let check = |from: &str, to: &str| assert!(changed(&[(from, to)]).build().is_ok(), "{to}");
    let ratios = "maintenance = \"0.3\", margin = \"0.35\"";
    check(ratios, "maintenance = \"0.999999\", margin = \"0.999999\"");
    check(ratios, "maintenance = \"0.000001\", margin = \"0.000015\"");
    let least = "min_maintenance = \"100\", min_margin = \"120\"";
    check(least, "min_maintenance = \"281474976.710655\", min_margin = \"281474976.710655\"");
    check("efficiency_min = \"0.1\"", "efficiency_min = \"0.2\"");
    check("liquidation_fee = \"10\"", "liquidation_fee = \"0.9\"");
}

#[test]
fn too_large_is_an_error() {
    assert!(sides(i128::MAX, i128::MAX, 1).long_honoured().is_err());
    assert!(sides(1, i128::MAX, 0).gains(i128::MAX).is_err());
    assert!(liquidation_fee(Quanta::new(i128::MAX), 2).is_err());
    let pool = maker_pool(100_000_000_000, i64::MAX);
    assert!(pool.makers(Quanta::new(i128::MAX), 1, Ticks::ONE).is_err());
}

// ---- (4) laws

#[test]
fn the_laws_it_breaks() {
    let mut laws: Vec<u16> = changed(&[]).broken_laws().iter().map(|l| l.invariant).collect();
    laws.sort_unstable();
    laws.dedup();
    assert_eq!(laws, [19, 23]);
}

/// INV-19: an account barely below maintenance loses all of its position.
#[test]
fn law_19_a_close_takes_all_of_it() {
    let mut s = scene(&[], "10000", &[(10, "4000")]);
    assert_eq!(pool_trade(&mut s, 10, "10"), Answer::Done);
    s.quote("ETH-PERP", "857"); // 4,000 - 1,430 = 2,570; needs 2,571
    assert_eq!((s.size(10, "ETH-PERP"), s.balance(10, "USDT").as_str()), ("0".into(), "2565"));
    s.check();
}

/// INV-23: what an account owes beyond its collateral stays open.
#[test]
fn law_23_a_shortfall_stays_open() {
    let mut s = scene(&[], "10000", &[(10, "4000")]);
    assert_eq!(pool_trade(&mut s, 10, "10"), Answer::Done);
    s.quote("ETH-PERP", "500");
    s.wait(1_000);
    assert_eq!((s.size(10, "ETH-PERP"), s.deficit("USDT")), ("0".into(), "1000".into()));
    s.check();
}
