//! GMX v2: its own numbers, its own mechanism end to end, what it refuses, and the laws that it breaks.
#![expect(unused_must_use, reason = "what a step of a scene answers is looked at where it matters")]

use cofferdam_core::{GroupId, Holder, Item, Lots, Ppb, Quanta, Ticks, World};
use cofferdam_protocols::{
    gmx_v2::{Exponent, Impact, ImpactTerms},
    preset,
};
use cofferdam_stack::{Answer, Body, Fact, Reason, Rejection, StackConfig};
use cofferdam_testkit::Scene;

fn text() -> &'static str {
    preset("gmx-v2").unwrap().stack
}

fn scene(text: &str) -> Scene {
    Scene::new(&StackConfig::from_toml(text, "gmx-v2.toml").unwrap())
}

fn with(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |t, (from, to)| {
        assert!(t.contains(from), "{from}");
        t.replace(from, to)
    })
}

/// Impact factors and caps; no fee.
fn impacts(negative: &str, positive: &str, caps: (&str, &str)) -> String {
    with(
        text(),
        &[
            ("impact_negative = \"0.0000001\"", &format!("impact_negative = \"{negative}\"")),
            ("impact_positive = \"0.00000005\"", &format!("impact_positive = \"{positive}\"")),
            ("negative_max = \"0.005\"", &format!("negative_max = \"{}\"", caps.0)),
            ("positive_max = \"0.004\"", &format!("positive_max = \"{}\"", caps.1)),
            ("fee = \"0.0005\"", "fee = \"0\""),
        ],
    )
}

fn without_impact() -> String {
    impacts("0", "0", ("0", "0"))
}

/// A pool of so much, and traders with a million each, at a price.
fn stage(text: &str, pool: &str, price: &str) -> Scene {
    let mut s = scene(text);
    s.quote("ETH-PERP", price);
    s.quote("ETH", price);
    s.deposit(9, "USDT", pool);
    assert_eq!(s.supply(9, "gm-pool", "USDT", pool), Answer::Done);
    for group in 1..=5 {
        s.deposit(group, "USDT", "1000000");
    }
    s
}

fn pool_trade(s: &mut Scene, taker: u32, size: &str) -> Answer {
    let (market, lots) = (s.market("ETH-PERP"), s.lots("ETH-PERP", size));
    let limit = if lots.is_negative() { Ticks::ONE } else { Ticks::new(Ticks::LIMIT) };
    s.send(Body::PoolTrade { taker: GroupId(taker), market, lots, limit }).answer
}

/// Trades with the pool and answers what the impact was, in quanta of 1e-6 USD: what it would have cost at the mark less what it did.
fn impact(s: &mut Scene, taker: u32, size: &str) -> i128 {
    assert_eq!(pool_trade(s, taker, size), Answer::Done);
    let lots = s.lots("ETH-PERP", size).get();
    let facts = s.bench().history().steps.iter().flat_map(|(_, facts)| facts).rev();
    let cost = facts.filter_map(|f| match f {
        Fact::Post { reason: Reason::Trade, postings } => postings
            .iter()
            .find(|p| p.holder == Holder::Group(GroupId(taker)) && p.units != 0)
            .map(|p| p.cost.get()),
        _ => None,
    });
    let mark = s.bench().state().market(s.market("ETH-PERP")).unwrap().mark.mid.get();
    i128::from(lots) * i128::from(mark) - cost.into_iter().next().unwrap()
}

// ---- (1) numbers of the venue's own tests: gmx-io/gmx-synthetics
// A = test/pricing/PricingUtils.ts@1ab82aa44be3525b0327725ab26648ae337d464e
// B = test/exchange/PositionPriceImpact/PairMarket.ts@01f49da17c640d5bb918d5b280346e6656235203
// C = test/exchange/PositionPriceImpact/SyntheticMarket.ts@030681f4e9ea06ec603e203ff6e86ccee978e0ff
// D = test/exchange/DecreasePosition/CappedPriceImpact.ts@1fc5c1aad5d627a1f1d20044b48ea11a71f2b30f
// E = test/exchange/DecreasePosition/CappedPnl.ts@219e0db9f1ca599ff57cb81ac2a8e9146da9849e
// F = test/exchange/LiquidationOrder.ts@bf46b027a7ef80b00dd4451b0282d2e51bb9a24e
// G = test/exchange/AdlOrder.ts@bf46b027a7ef80b00dd4451b0282d2e51bb9a24e

/// A: 30 decimals there, a quantum of 1e-6 here; its power is off by some 1e-17 of the value, ours is exact. That function halves the factor.
#[test]
fn impact_factors() {
    let check = |diff: i128, exponent: Exponent, factor: i128, venue: i128| {
        let terms = ImpactTerms {
            negative: factor / 2,
            positive: 0,
            exponent,
            negative_max: Ppb::ONE,
            positive_max: Ppb::ZERO,
            quanta_per_unit: 1_000_000,
        };
        let ours = -Impact(terms).of(Quanta::ZERO, Quanta::new(diff * 1_000_000)).unwrap();
        let theirs = venue / 1_000_000_000_000_000_000; // 1e-12
        assert!(
            (ours * 1_000_000 - theirs).abs() <= theirs / 1_000_000_000_000 + 1,
            "{diff}: {ours} and {venue}"
        );
    };
    let (two, one) = (20_000_000_000, 200_000_000_000_000); // 2e-8 and 2e-4 in 1e-18
    check(10_000, Exponent::Two, two, 999_999_999_999_999_981_235_216_490_000);
    check(100_000, Exponent::Two, two, 99_999_999_999_999_998_147_004_678_330_000);
    check(1_000_000, Exponent::Two, two, 9_999_999_999_999_999_830_554_320_142_260_000);
    check(10_000_000, Exponent::Two, two, 999_999_999_999_999_984_577_907_497_082_540_000);
    check(10_000, Exponent::One, one, 1_000_000_000_000_000_000_000_000_000_000);
    check(100_000, Exponent::One, one, 10_000_000_000_000_000_000_000_000_000_000);
    check(1_000_000, Exponent::One, one, 100_000_000_000_000_000_000_000_000_000_000);
    check(10_000_000, Exponent::One, one, 1_000_000_000_000_000_000_000_000_000_000_000);
}

#[test]
fn price_impact_of_a_sequence_of_trades() {
    let mut s = stage(&impacts("0.00000001", "0.000000005", ("1", "1")), "6000000", "5000");
    for (source, taker, size, expected) in [
        ("B long 200k; C the same", 1, "40", -400_000_000),
        ("B long 200k more", 2, "40", -1_200_000_000),
        ("B short 10k", 3, "-2", 39_500_000),
        ("B short 10k closed", 3, "2", -79_000_000),
        ("B short 500k, across the balance", 3, "-100", 700_000_000),
        ("B short 100k", 3, "-20", -300_000_000),
        ("B long 200k, to the balance", 4, "40", 200_000_000),
        ("B long 100k", 4, "20", -100_000_000),
    ] {
        assert_eq!(impact(&mut s, taker, size), expected, "{source}");
    }
    s.check();
}

#[test]
fn capped_impact() {
    for (caps, expected, source) in
        [(("1", "1"), 2_000, "D uncapped: 0.4 ETH"), (("1", "0.0005"), 100, "D capped: 0.02 ETH")]
    {
        let mut s = stage(&impacts("0.0000001", "0.00000005", caps), "6000000", "5000");
        assert_eq!(impact(&mut s, 1, "40"), -4_000_000_000, "D: 0.8 ETH");
        assert_eq!(impact(&mut s, 2, "-40"), expected * 1_000_000, "{source}");
        s.check();
    }
}

#[test]
fn what_traders_gain_the_pool_owes() {
    // E: a pool of 2,000,000; two longs of 250k at 5,000; the mark at 7,500
    let mut s = stage(&without_impact(), "2000000", "5000");
    for group in [6, 7] {
        s.deposit(group, "USDT", "100000");
        assert_eq!(pool_trade(&mut s, group, "50"), Answer::Done);
    }
    s.quote("ETH-PERP", "7500");
    // a share is worth 0.875: a hundredth of them 17,500
    let pool = s.pool("gm-pool");
    let shares = s.bench().state().holding(Holder::Group(GroupId(9)), Item::Share(pool)).units.unsigned_abs();
    assert_eq!(s.send(Body::Redeem { group: GroupId(9), pool, shares: shares / 100 }).answer, Answer::Done);
    assert_eq!(s.balance(9, "USDT"), "17500", "E: market token price 0.875, pool value 1,750,000");
    for group in [6, 7] {
        assert_eq!(pool_trade(&mut s, group, "-50"), Answer::Done);
        assert_eq!(s.balance(group, "USDT"), "225000", "E: base case");
    }
    s.check();
}

#[test]
fn when_a_position_is_liquidated() {
    // F: 10 ETH behind a long of 200k at 5,000: not at 4,200, but at 4,000
    let mut s = stage(&without_impact(), "6000000", "5000");
    s.deposit(6, "ETH", "10");
    assert_eq!(pool_trade(&mut s, 6, "40"), Answer::Done);
    for (price, left) in [("4200", "40"), ("4000", "0")] {
        s.quote("ETH", price);
        s.quote("ETH-PERP", price);
        assert_eq!(s.size(6, "ETH-PERP"), left, "F at {price}");
    }
    assert_eq!(s.posted(Reason::Liquidation), 1);
    s.check();
}

// ---- (2) the mechanism: deleveraging of a winner whom a keeper chose, with nobody bankrupt

fn deleverage(s: &mut Scene, group: u32, size: &str) -> Answer {
    let (market, lots) = (s.market("ETH-PERP"), s.lots("ETH-PERP", size));
    s.send(Body::Deleverage { keeper: GroupId(5), group: GroupId(group), market, lots }).answer
}

fn refused(answer: &Answer) -> bool {
    matches!(answer, Answer::Refused(Rejection::Strategy { .. }))
}

#[test]
fn a_keeper_deleverages_a_winner_as_in_the_venues_test() {
    // G: a pool worth 10,000,000 at 10,000; a long of 2,000,000 from 5,000; from 10 % to 2 %; a hundred thousand of its size is closed
    let limits = with(
        &without_impact(),
        &[("above = \"0.85\", until = \"0.77\"", "above = \"0.1\", until = \"0.02\"")],
    );
    let mut s = stage(&limits, "10000000", "5000");
    assert_eq!(pool_trade(&mut s, 1, "400"), Answer::Done);
    assert!(refused(&deleverage(&mut s, 1, "20")), "nothing gained yet");
    s.quote("ETH-PERP", "10000");
    assert_eq!(deleverage(&mut s, 1, "20"), Answer::Done, "G: enabled, and executed");
    assert_eq!(s.size(1, "ETH-PERP"), "380");
    assert_eq!(s.balance(1, "USDT"), "1100000", "20 x 5,000 was gained");
    s.check();
}

#[test]
fn nobody_is_bankrupt_and_a_winner_is_closed() {
    let mut s = stage(&without_impact(), "1000000", "2000");
    assert_eq!(pool_trade(&mut s, 1, "300"), Answer::Done);
    assert_eq!(pool_trade(&mut s, 2, "100"), Answer::Done);
    assert_eq!(pool_trade(&mut s, 3, "-10"), Answer::Done);
    // 4,100: the longs have gained 840,000, 84 % of the pool
    s.quote("ETH-PERP", "4100");
    assert!(refused(&deleverage(&mut s, 1, "10")), "84 % is not more than 85 %");
    // 4,200: 880,000, 88 %
    s.quote("ETH-PERP", "4200");
    assert!(refused(&deleverage(&mut s, 3, "10")), "a loser is not closed");
    assert!(refused(&deleverage(&mut s, 1, "250")), "(880 - 550) / (1000 - 550) = 73.3 % is past 77 %");
    assert_eq!(deleverage(&mut s, 1, "200"), Answer::Done, "(880 - 440) / (1000 - 440) = 78.6 %");
    assert_eq!((s.posted(Reason::BadDebt), s.posted(Reason::Deleverage)), (0, 1));
    s.check();
}

#[test]
fn it_goes_on_to_the_minimum_and_stops_there() {
    let mut s = stage(&without_impact(), "1000000", "2000");
    assert_eq!(pool_trade(&mut s, 1, "300"), Answer::Done);
    assert_eq!(pool_trade(&mut s, 2, "100"), Answer::Done);
    s.quote("ETH-PERP", "4200");
    // 88.0 % -> (880 - 220) / (1000 - 220) = 84.6 %
    assert_eq!(deleverage(&mut s, 1, "100"), Answer::Done);
    assert_eq!(s.balance(1, "USDT"), "1220000");
    // 84.6 % is below 85 %, but it has begun: (660 - 220) / (780 - 220) = 78.6 %
    assert_eq!(deleverage(&mut s, 2, "100"), Answer::Done, "whom the keeper chooses, in no order");
    assert!(refused(&deleverage(&mut s, 1, "50")), "(440 - 110) / (560 - 110) = 73.3 % is past 77 %");
    assert_eq!(deleverage(&mut s, 1, "10"), Answer::Done, "(440 - 22) / (560 - 22) = 77.7 %");
    assert_eq!(s.posted(Reason::Deleverage), 3);
    assert_eq!((s.posted(Reason::BadDebt), s.posted(Reason::Liquidation)), (0, 0), "nobody is bankrupt");
    assert_eq!((s.size(1, "ETH-PERP").as_str(), s.size(2, "ETH-PERP").as_str()), ("190", "0"));
    s.check();
}

#[test]
fn a_pool_that_owes_more_than_it_has_is_not_helped() {
    // (g - x) / (w - x) grows where g > w: the venue's InvalidAdl
    let mut s = stage(&without_impact(), "1000000", "2000");
    assert_eq!(pool_trade(&mut s, 1, "400"), Answer::Done);
    s.quote("ETH-PERP", "5000");
    assert!(refused(&deleverage(&mut s, 1, "10")));
    s.check();
}

#[test]
fn an_insolvent_close_is_the_pools_loss() {
    let mut s = stage(&without_impact(), "1000000", "2000");
    s.deposit(6, "USDT", "1000");
    assert_eq!(pool_trade(&mut s, 6, "10"), Answer::Done);
    s.quote("ETH-PERP", "1800");
    s.wait(1);
    // it lost 2,000 of which 1,000 were there: the pool has gained only those
    assert_eq!(s.size(6, "ETH-PERP"), "0");
    assert_eq!(s.posted(Reason::WriteDown), 1);
    assert_eq!(s.deficit("USDT"), "0");
    assert_eq!(s.held(Holder::Pool(s.pool("gm-pool")), "USDT"), "1001000");
    s.check();
}

// ---- (3) refusals

#[test]
fn parameters_outside_what_the_venue_accepts() {
    let check = |from: &str, to: &str, words: &str| {
        let config = StackConfig::from_toml(&with(text(), &[(from, to)]), "gmx-v2.toml");
        let error = config.and_then(|c| c.build().map(|_| ())).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    check("impact_positive = \"0.00000005\"", "impact_positive = \"0.0000002\"", "0 to `impact_negative`");
    check("positive_max = \"0.004\"", "positive_max = \"0.006\"", "0 to `negative_max`");
    check("exponent = 2 ", "exponent = 3 ", "1 or 2");
    check("impact_negative = \"0.0000001\"", "impact_negative = \"0.0000000000000000001\"", "1e-18");
    check("maintenance = \"0.005\"", "maintenance = \"0\"", "above 0");
    check("initial = \"0.005\"", "initial = \"0.004\"", "at most 100 %");
    check("multiplier = \"0.0000000001\"", "multiplier = \"2\"", "0 to 1");
    check("above = \"0.85\", until = \"0.77\"", "above = \"0.5\", until = \"0.55\"", "0 to `above`");
    check("above = \"0.85\"", "above = \"1.1\"", "at most 1");
}

#[test]
fn requests_that_make_no_sense() {
    let mut s = stage(&without_impact(), "1000000", "2000");
    assert_eq!(pool_trade(&mut s, 1, "10"), Answer::Done);
    for (keeper, group, size) in [(1, 1, "1"), (5, 1, "11"), (5, 1, "0"), (5, 2, "1")] {
        let (market, lots) = (s.market("ETH-PERP"), s.lots("ETH-PERP", size));
        let body = Body::Deleverage { keeper: GroupId(keeper), group: GroupId(group), market, lots };
        assert!(
            matches!(s.send(body).answer, Answer::Refused(Rejection::Malformed { .. })),
            "{group} {size}"
        );
    }
    let terms = ImpactTerms {
        negative: 1 << 59,
        positive: 0,
        exponent: Exponent::Two,
        negative_max: Ppb::ONE,
        positive_max: Ppb::ZERO,
        quanta_per_unit: 1,
    };
    assert!(Impact(terms).of(Quanta::ZERO, Quanta::new(1 << 100)).is_err(), "too large is an error");
    assert_eq!(s.lots("ETH-PERP", "0"), Lots::ZERO);
}

#[test]
fn open_interest_raises_what_opening_needs() {
    // 5,000,000 of open interest x 1e-9 = 0.5 %; 20,000,000 are 2 %
    let raised =
        with(&without_impact(), &[("multiplier = \"0.0000000001\"", "multiplier = \"0.000000001\"")]);
    let mut s = stage(&raised, "100000000", "5000");
    assert_eq!(pool_trade(&mut s, 1, "4000"), Answer::Done, "20,000,000 with 1,000,000 behind it: 5 %");
    s.deposit(6, "USDT", "900");
    // 45,000 more: 2.0045 % of it is 902.03
    assert!(matches!(pool_trade(&mut s, 6, "9"), Answer::Refused(Rejection::Margin { .. })));
    assert_eq!(pool_trade(&mut s, 6, "8"), Answer::Done);
    s.check();
}

// ---- (4) laws that the venue breaks, each shown

#[test]
fn the_laws_that_it_breaks_are_declared() {
    let declared = |kind: &str| {
        let info = cofferdam_stack::modules().into_iter().find(|m| m.kind == kind).unwrap();
        info.breaks.iter().map(|b| b.invariant).collect::<Vec<_>>()
    };
    assert_eq!(declared("gmx/oracle-pool@1"), [4, 6]);
    assert_eq!(declared("cofferdam/pool-close@1"), [19]);
    assert_eq!(declared("cofferdam/pool-gain@1"), [17]); // shown by `it_goes_on_to_the_minimum_and_stops_there`
    assert_eq!(declared("cofferdam/write-down-pool@1"), [26]); // shown by `an_insolvent_close_is_the_pools_loss`
}

#[test]
fn law_6_an_order_in_pieces_is_charged_less() {
    let whole = impact(
        &mut stage(&impacts("0.0000001", "0.00000005", ("0.005", "0.004")), "6000000", "5000"),
        1,
        "40",
    );
    let mut s = stage(&impacts("0.0000001", "0.00000005", ("0.005", "0.004")), "6000000", "5000");
    let pieces = impact(&mut s, 1, "5") + impact(&mut s, 1, "35");
    assert_eq!((whole, pieces), (-1_000_000_000, -937_500_000));
}

#[test]
fn law_4_a_round_trip_in_pieces_gains_out_of_the_purse() {
    // where as much may be paid as charged: not with the venue's defaults
    let mut s = stage(&impacts("0.0000001", "0.00000005", ("0.005", "0.005")), "6000000", "5000");
    for (taker, size, expected) in [
        (2, "40", -1_000_000_000),
        (3, "-35", 875_000_000),
        (3, "-5", 31_250_000),
        // balanced, and 93.75 in the purse
        (1, "5", -62_500_000),
        (1, "35", -875_000_000),
        (1, "-40", 1_000_000_000),
    ] {
        assert_eq!(impact(&mut s, taker, size), expected, "{taker} {size}");
    }
    assert_eq!(s.balance(1, "USDT"), "1000062.5");
    s.check();
}

#[test]
fn law_19_a_liquidation_takes_everything() {
    let mut s = stage(&without_impact(), "1000000", "2000");
    s.deposit(6, "USDT", "250");
    assert_eq!(pool_trade(&mut s, 6, "10"), Answer::Done);
    // 0.5 % of 19,840 is 99.2, and 90 are left: half of it would do
    s.quote("ETH-PERP", "1984");
    assert_eq!(s.size(6, "ETH-PERP"), "0");
    assert_eq!(s.balance(6, "USDT"), "50.32", "90 less 0.2 % of 19,840");
    s.check();
}
