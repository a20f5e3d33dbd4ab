//! Drift v2: its own numbers, its own mechanism end to end, what it refuses, and the laws that it breaks.
#![expect(unused_must_use, reason = "what a step of a scene answers is looked at where it matters")]

use cofferdam_core::{
    ActionKind, Decimal, GroupId, Holder, House, Instrument, Item, LayerId, PriceState, Quanta,
};
use cofferdam_protocols::{drift_v2::formulas as f, preset};
use cofferdam_stack::{Answer, Body, Fact, Reason, Rejection, StackConfig};
use cofferdam_testkit::Scene;

// ---- (1) numbers of the venue's own tests: drift-labs/protocol-v2, programs/drift/src/...
// A = math/margin/tests.rs@0272ab4355877d17a97beb0c674b073d7e77cd9f
// B = math/liquidation/tests.rs@f01db28da99e08647a27e552367281508e48c669
// C = velocity-exchange/velocity-v1 (the program under its later name), math/liquidation/tests.rs@771d93ddcf1321ceb786427496f276cbdb948d26
// D = controller/liquidation/tests.rs@0069fa39746a364af55b09a0eb2cdaee6b129660

#[test]
fn size_premium() {
    let check = |source: &str, size: u128, factor, base, expected| {
        assert_eq!(f::size_premium(size, factor, base).unwrap(), expected, "{source}");
    };
    // 1000 tokens of six decimals are 1e12 in the nine of a base amount
    check("A spot_market_asset_weight", 1_000_000_000_000, 0, 11_000, 11_000);
    check("A spot_market_asset_weight", 1_000_000_000_000, 10, 11_000, 11_000);
    check("A spot_market_asset_weight", 1_000_000_000_000, 10_000, 11_000, 11_962);
    check("A spot_market_asset_weight", 1_000_000_000_000, 100_000, 11_000, 40_422);
    check("A spot_market_asset_weight", 1_000_000_000_000, 100_000, 0, 31_622);
}

#[test]
fn size_discount() {
    let check = |source: &str, size: u128, factor, weight, expected| {
        assert_eq!(f::size_discount(size, factor, weight).unwrap(), expected, "{source}");
    };
    check("A spot_market_asset_weight", 1_000_000_000_000, 0, 9_000, 9_000);
    check("A spot_market_asset_weight", 1_000_000_000_000, 10, 9_000, 9_000);
    check("A spot_market_asset_weight", 1_000_000_000_000_000_000, 10, 9_000, 8_357);
    check("A spot_market_asset_weight", 1_000_000_000_000, 10_000, 9_000, 8_357);
    check("A spot_market_asset_weight", 1_000_000_000_000, 100_000, 9_000, 2_642);
    check("A spot_market_asset_weight", 100_000_000_000_000, 100_000, 7_500, 337);
    // what a gain counts for: quote of six decimals, times a thousand
    let gain = 24_282_786_896_000;
    check("A calculate_user_equity_value_tests", 22_699_050_905_000, 1_000, 10_000, 9_559);
    check("A calculate_user_equity_value_tests", gain, 1_000, 10_000, 9_516);
    check("A calculate_user_equity_value_tests", gain * 10, 1_000, 10_000, 7_368);
    check("A calculate_user_equity_value_tests", gain * 100, 1_000, 10_000, 4_299);
    check("A calculate_user_equity_value_tests", gain * 1_000, 1_000, 10_000, 1_855);
    check("A calculate_user_equity_value_tests", gain * 10_000, 1_000, 10_000, 663);
    check("A calculate_user_equity_value_tests", gain * 800_000, 1_000, 10_000, 78);
}

#[test]
fn base_to_cover_a_shortage() {
    let check = |source: &str, fee, insurance, quote_price, expected: u128| {
        let found = f::base_to_cover(10_000_000, 1_000, fee, insurance, 100_000_000, quote_price).unwrap();
        assert_eq!(found, Some(expected), "{source}");
    };
    check("B zero_percent_liquidation_fee", 0, 0, 1_000_000, 1_000_000_000);
    check("B usdc_not_one", 0, 0, 990_000, 1_010_101_010);
    check("B usdc_not_one", 0, 0, 1_010_000, 990_099_009);
    check("B one_percent_liquidation_fee", 10_000, 0, 1_000_000, 1_111_111_111);
    check(
        "B one_percent_liquidation_fee_and_one_percent_if_.._fee",
        10_000,
        10_000,
        1_000_000,
        1_250_000_000,
    );
    // a ratio that is not above the fee: the whole position
    assert_eq!(f::base_to_cover(10_000_000, 100, 10_000, 0, 100_000_000, 1_000_000), Ok(None));
}

#[test]
fn insurance_fee() {
    let ten = 10_000_000_000;
    let check = |source: &str, shortage, base, fee, prices: (u128, u128), expected| {
        let found = f::insurance_fee(shortage, base, 500, fee, prices.0, prices.1, 50_000).unwrap();
        assert_eq!(found, expected, "{source}");
    };
    let prices = (100_000_000, 1_000_000);
    check("C calculate_perp_if_fee", 20_000_000, ten, 10_000, prices, 19_000);
    check("C calculate_perp_if_fee: tiny", 1_000_000, ten, 10_000, prices, 37_050);
    check("C calculate_perp_if_fee: huge", 1_000_000_000, ten, 10_000, prices, 0);
    check("C calculate_perp_if_fee: large fee", 20_000_000, ten, 100_000, prices, 0);
    check("C calculate_perp_if_fee: no price", 20_000_000, ten, 10_000, (0, 1_000_000), 0);
    check("C calculate_perp_if_fee: no quote price", 20_000_000, ten, 10_000, (100_000_000, 0), 0);
    check("C calculate_perp_if_fee: no base", 20_000_000, 0, 10_000, prices, 0);
}

#[test]
fn pace_and_growing_fee() {
    assert_eq!(f::share_to_take(49_000_000, 0, 1, 1_000, 10), Ok(10_000), "C calculate_max_pct_to_liquidate");
    for (slots, expected) in [(100_000, 50_000), (10, 20_000), (10_000, 30_000)] {
        assert_eq!(f::liquidator_fee(20_000, 50_000, slots), expected, "C get_liquidation_fee");
    }
    // by hand: a tenth at once and a tenth per slot; what was freed counts
    assert_eq!(f::share_to_take(100_000_000, 0, 0, 1_000, 10), Ok(1_000));
    assert_eq!(f::share_to_take(90_000_000, 10_000_000, 1, 1_000, 10), Ok(1_111));
    assert_eq!(f::share_to_take(90_000_000, 10_000_000, 0, 1_000, 10), Ok(0));
    assert_eq!(f::share_to_take(100_000_000, 0, 0, 0, 0), Ok(10_000), "the program's own start: all at once");
}

// ---- (2) the mechanism

fn text() -> &'static str {
    preset("drift-v2").unwrap().stack
}

fn scene(text: &str) -> Scene {
    Scene::new(&StackConfig::from_toml(text, "drift-v2.toml").unwrap())
}

fn with(text: &str, changes: &[(&str, &str)]) -> String {
    changes.iter().fold(text.to_owned(), |t, (from, to)| {
        assert!(t.contains(from), "{from}");
        t.replace(from, to)
    })
}

/// As the venue's own tests are set up: no size premium, a buffer of ten basis points, no pace, and liquidators only.
fn of_the_venue() -> String {
    with(
        text(),
        &[
            ("factor = \"0.001\"", "factor = \"0\""),
            ("buffer = \"0.02\"", "buffer = \"0.001\""),
            ("initial_share = \"0.1\"", "initial_share = \"0\""),
            ("duration_slots = 150", "duration_slots = 0"),
            ("orders_after_ms = 400", "# orders_after_ms"),
        ],
    )
}

fn without_a_fund() -> String {
    with(&of_the_venue(), &[("tier = \"b\"", "tier = \"speculative\"")])
}

fn cost(s: &Scene, group: u32) -> i128 {
    s.bench().state().book().position(GroupId(group), s.market("ETH-PERP")).unwrap().cost.get()
}

/// D, successful_liquidation_long_perp and _short_perp: base 1 bought at 150 (sold at 50), the mark at 100, maintenance 5 %, fees of 1 %.
/// There is nothing left to leave margin with, so the liquidator takes all of it, at 99 (101).
#[test]
fn a_liquidator_takes_a_position_over_as_in_the_venues_test() {
    for (side, entry, taken, fund) in [("1", "150", 99, "499964"), ("-1", "50", -101, "499954")] {
        let mut s = scene(&of_the_venue());
        s.quote("ETH-PERP", entry);
        for (group, amount) in [(1, if side == "1" { "15" } else { "5" }), (2, "5000"), (3, "50")] {
            s.deposit(group, "USDT", amount);
        }
        assert_eq!(s.trade(1, 2, "ETH-PERP", side, entry), Answer::Done);
        s.quote("ETH-PERP", "100");
        assert_eq!(s.take(3, 1, "ETH-PERP", "1"), Answer::Done);
        assert_eq!((s.size(1, "ETH-PERP").as_str(), s.size(3, "ETH-PERP").as_str()), ("0", side));
        assert_eq!(cost(&s, 3), taken * 1_000_000, "D: quote of -99, and of 101 for a short");
        // a loss of 51 less what was there, paid by the fund; the venue also charges the fund's fee of 1 to who cannot pay it
        assert_eq!(s.held(Holder::Layer(LayerId(0)), "USDT"), fund);
        assert_eq!(s.posted(Reason::Seizure), 1);
        s.check();
    }
}

/// A long of 10 ETH at 2,000 with 2,050 behind it.
fn fallen(text: &str, mark: &str) -> Scene {
    let mut s = scene(text);
    for of in ["ETH-PERP", "ETH"] {
        s.quote(of, "2000");
    }
    for (group, amount) in [(1, "2050"), (2, "50000"), (3, "50000")] {
        s.deposit(group, "USDT", amount);
    }
    assert_eq!(s.trade(1, 2, "ETH-PERP", "10", "2000"), Answer::Done);
    s.quote("ETH-PERP", mark);
    s
}

#[test]
fn a_liquidation_is_paced() {
    // 1,880: 850 of equity against 5 % of 18,800 = 940, and 2 % more to leave: 466 short, of which a tenth may go at once
    let mut s = fallen(text(), "1880");
    assert_eq!(s.take(3, 1, "ETH-PERP", "10"), Answer::Done);
    assert_eq!(s.size(3, "ETH-PERP"), "0.496");
    assert_eq!(cost(&s, 3), 923_155_200, "at 1,861.20");
    assert_eq!(
        s.held(Holder::Layer(LayerId(0)), "USDT"),
        "500009.3248",
        "1 % of what it is worth at the mark"
    );
    let refused = s.take(3, 1, "ETH-PERP", "10");
    assert!(matches!(refused, Answer::Refused(Rejection::Strategy { .. })), "nothing more now: {refused:?}");
    s.check();
}

#[test]
fn what_liquidators_leave_is_offered_as_orders() {
    let mut s = fallen(text(), "1880");
    assert!(s.bench().orders().is_empty(), "a slot for liquidators");
    s.wait(400);
    let order = s.order_of(1);
    assert_eq!(order.limit, s.ticks("ETH-PERP", "1861.2"), "the mark less the fee of 1 %");
    assert_eq!(s.fill(1, 2, "1861.2"), Answer::Done);
    assert_eq!(s.posted(Reason::Penalty), 1, "the fund's fee");
    s.wait(400);
    assert!(s.order_of(1).id > order.id, "the next slot offers more");
    s.check();
}

#[test]
fn a_loss_of_a_perpetual_is_borne_by_every_lot_through_funding() {
    let mut s = scene(&without_a_fund());
    s.quote("ETH-PERP", "2000");
    for (group, amount) in [(1, "400"), (2, "50000"), (3, "50000"), (4, "50000")] {
        s.deposit(group, "USDT", amount);
    }
    assert_eq!(s.trade(4, 2, "ETH-PERP", "3.5", "2000"), Answer::Done);
    assert_eq!(s.trade(1, 2, "ETH-PERP", "2", "2000"), Answer::Done);
    // 1,769.3: 461.4 lost with the price, 35.386 for the liquidator: 96.786 are missing, and 5.5 ETH on each side to bear them
    s.quote("ETH-PERP", "1769.3");
    assert_eq!(s.take(3, 1, "ETH-PERP", "2"), Answer::Done);
    assert_eq!(s.deficit("USDT"), "96.786");
    let before = [2, 3, 4].map(|g| cost(&s, g));
    s.wait(1);
    assert_eq!(s.posted(Reason::Socialisation), 1);
    assert_eq!(s.deficit("USDT"), "0");
    // 96.786 / 11 = 8.798727.. per ETH, long or short alike, the rate and each charge rounded up; what is too much stays with the house
    let owed: Vec<i128> = [2, 3, 4].iter().zip(&before).map(|(g, b)| cost(&s, *g) - b).collect();
    assert_eq!(owed, [48_393_001, 17_597_455, 30_795_546]);
    s.check();
}

#[test]
fn the_shift_is_the_venues_to_its_own_unit() {
    // B total_base_asset_amount_not_zero: 100 over 11 of base is 9.090910000 in 1e-9, rounded up to 1e-6
    let mut s = scene(&without_a_fund());
    s.quote("ETH-PERP", "100");
    for (group, amount) in [(1, "30"), (2, "5000"), (3, "5000"), (4, "5000")] {
        s.deposit(group, "USDT", amount);
    }
    assert_eq!(s.trade(4, 2, "ETH-PERP", "3.5", "100"), Answer::Done);
    assert_eq!(s.trade(1, 2, "ETH-PERP", "2", "100"), Answer::Done);
    // at 35.353 the liquidator pays 35.000 (up to a tick): 2 x 65 = 130 lost
    s.quote("ETH-PERP", "35.353");
    assert_eq!(s.take(3, 1, "ETH-PERP", "2"), Answer::Done);
    assert_eq!(s.deficit("USDT"), "100");
    let before = cost(&s, 4);
    s.wait(1);
    let per_base = ((cost(&s, 4) - before) * 10 + 34) / 35; // of 3.5 ETH, in 1e-6, rounded up
    assert_eq!(per_base * 1_000, 9_090_910_000);
    s.check();
}

#[test]
fn a_loss_of_a_loan_is_borne_by_depositors() {
    let mut s = scene(text());
    for of in ["ETH", "ETH-PERP"] {
        s.quote(of, "1000");
    }
    s.deposit(5, "ETH", "120");
    assert_eq!(s.supply(5, "eth-pool", "ETH", "120"), Answer::Done);
    s.deposit(1, "USDT", "20400");
    s.deposit(3, "ETH", "20");
    assert_eq!(s.borrow(1, "eth-pool", "ETH", "16"), Answer::Done);
    // 4,000: 20,400 buys 5 ETH of debt with the bonus of 2 %, and the other 11 have nothing behind them
    s.quote("ETH", "4000");
    assert_eq!(s.bid(3, 1, ("ETH", "16"), ("USDT", "0")), Answer::Done);
    assert_eq!(s.balance(3, "ETH"), "15");
    assert_eq!(s.posted(Reason::WriteDown), 1);
    assert_eq!(s.deficit("ETH"), "0");
    // B non_zero_total_deposits: 11 of 120 lowers the deposit index by 916666667 of 1e10
    let pool = s.pool("eth-pool");
    let shares = s.bench().state().holding(Holder::Group(GroupId(5)), Item::Share(pool)).units;
    let body = Body::Redeem { group: GroupId(5), pool, shares: shares.unsigned_abs() };
    assert_eq!(s.send(body).answer, Answer::Done);
    let kept = s.balance(5, "ETH").parse::<Decimal>().unwrap().to_units(-9).unwrap();
    let index = (120_000_000_000 - kept) * 10_000_000_000 / 120_000_000_000;
    assert!((916_666_666..=916_666_667).contains(&index), "{kept} of 120 kept, an index {index} lower");
    s.check();
}

#[test]
fn a_withdrawal_waits_for_the_average() {
    let mut s = scene(text());
    s.deposit(1, "USDT", "400000");
    s.wait(86_400_000);
    // the average is what is there: a quarter of it may go
    let refused = s.withdraw(1, "USDT", "100000.000001");
    let allowed = Answer::Refused(Rejection::Breaker {
        breaker: 0,
        allowed: 100_000_000_000,
        not_before: cofferdam_core::Millis(0),
    });
    assert_eq!(refused, allowed);
    assert_eq!(s.withdraw(1, "USDT", "100000"), Answer::Done);
    assert!(matches!(s.withdraw(1, "USDT", "1"), Answer::Refused(Rejection::Breaker { .. })));
    // half a day later the average is 350,000, of which 262,500 must stay
    s.wait(43_200_000);
    assert!(matches!(s.withdraw(1, "USDT", "37501"), Answer::Refused(Rejection::Breaker { .. })));
    assert_eq!(s.withdraw(1, "USDT", "37500"), Answer::Done);
    s.check();
}

// ---- the matrix of 7 states x 15 actions

/// The venue's states, from the best, and what they are here.
const STATES: [(&str, PriceState); 7] = [
    ("Valid", PriceState::Good),
    ("StaleForAMM", PriceState::Aged),
    ("InsufficientDataPoints", PriceState::Thin),
    ("StaleForMargin", PriceState::Stale),
    ("TooUncertain", PriceState::Wide),
    ("TooVolatile", PriceState::Volatile),
    ("NonPositive", PriceState::Invalid),
];

/// `is_oracle_valid_for_action` of math/oracle.rs@04c1f94cdb13cfb6c737a9672ce3affb67bf9ff3, the rows that have an action of ours, in the
/// order of the states above.
const MARGIN_CALC: [bool; 7] = [true, true, true, false, false, false, false];
const FILL_ORDER_MATCH: [bool; 7] = [true, true, true, true, false, false, false];
const LIQUIDATE: [bool; 7] = [true, true, true, true, true, false, false];

#[test]
fn what_a_price_permits() {
    use ActionKind::{Borrow, Deposit, Liquidate, Open, Reduce, Repay, Seize, Withdraw};
    let s = scene(text());
    let market = Instrument::Market(s.market("ETH-PERP"));
    let permits = &s.bench().engine().stack().parts().permits;
    let opens: [bool; 7] = std::array::from_fn(|i| FILL_ORDER_MATCH[i] && MARGIN_CALC[i]);
    for (action, expected) in [
        (Open, opens),
        (Withdraw, MARGIN_CALC),
        (Borrow, MARGIN_CALC),
        (Reduce, FILL_ORDER_MATCH),
        (Liquidate, LIQUIDATE),
        (Seize, LIQUIDATE),
        (Deposit, [true; 7]),
        (Repay, [true; 7]),
    ] {
        for ((name, state), allowed) in STATES.iter().zip(expected) {
            assert_eq!(permits.permits(market, action, *state), allowed, "{action:?} in {name}");
        }
    }
}

// ---- (3) refusals

#[test]
fn parameters_outside_what_the_venue_accepts() {
    let check = |from: &str, to: &str, words: &str| {
        let config = StackConfig::from_toml(&with(text(), &[(from, to)]), "drift-v2.toml");
        let error = config.and_then(|c| c.build().map(|_| ())).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    check("maintenance = \"0.05\", initial", "maintenance = \"0.0124\", initial", "125 (80 times)");
    check("initial = \"0.1\", factor", "initial = \"0.04\", factor", "initial at least maintenance");
    check("maintenance = \"0.05\", initial", "maintenance = \"0.05001\", initial", "basis points");
    check("factor = \"0.001\"", "factor = \"0.0000001\"", "millionths");
    check("\nfee = \"0.01\"", "\nfee = \"1\"", "below 1");
    check("insurance_fee = \"0.01\"", "insurance_fee = \"0.0000001\"", "millionths");
    check("tier = \"b\"", "tier = \"b\", cap = \"1000001\"", "B 1m");
    check("tier = \"b\"", "tier = \"speculative\", cap = \"1\"", "else nothing");
    check("threshold = \"50000\"", "threshold = \"-1\"", "0 or more");
}

#[test]
fn sizes_too_large_are_errors() {
    assert!(f::size_premium(u128::MAX / 2, 1, 500).is_err());
    assert!(f::base_to_cover(u128::MAX, 1_000, 0, 0, 100_000_000, 1_000_000).is_err());
    assert!(f::share_to_take(u128::MAX, u128::MAX, 1, 0, 10).is_err());
}

// ---- (4) laws that the venue breaks, each shown

#[test]
fn the_laws_that_it_breaks_are_declared() {
    let declared = |kind: &str| {
        let info = cofferdam_stack::modules().into_iter().find(|m| m.kind == kind).unwrap();
        info.breaks.iter().map(|b| b.invariant).collect::<Vec<_>>()
    };
    assert_eq!(declared("drift/liquidate-perp@1"), [17, 19]);
    assert_eq!(declared("drift/size-premium@1"), [6]);
    assert_eq!(declared("cofferdam/shift-funding@1"), [26]);
}

#[test]
fn law_17_a_liquidation_goes_on_above_maintenance() {
    let mut s = fallen(&with(text(), &[("orders_after_ms = 400", "# orders_after_ms")]), "1880");
    assert_eq!(s.take(3, 1, "ETH-PERP", "0.4"), Answer::Done);
    // 1,895: above maintenance again, and below the buffer
    s.wait(60_000);
    s.quote("ETH-PERP", "1895");
    assert_eq!(s.take(3, 1, "ETH-PERP", "0.1"), Answer::Done, "a healthy account is liquidated");
    // 1,990: above the buffer; the next bid ends the liquidation and takes nothing
    s.quote("ETH-PERP", "1990");
    assert_eq!(s.take(3, 1, "ETH-PERP", "0.1"), Answer::Done);
    assert_eq!(s.size(3, "ETH-PERP"), "0.5");
    assert!(matches!(s.take(3, 1, "ETH-PERP", "0.1"), Answer::Refused(Rejection::Strategy { .. })));
    s.check();
}

#[test]
fn law_19_a_small_position_is_taken_whole() {
    let mut s = scene(text());
    s.quote("ETH-PERP", "2000");
    for (group, amount) in [(1, "5.2"), (2, "5000"), (3, "5000")] {
        s.deposit(group, "USDT", amount);
    }
    assert_eq!(s.trade(1, 2, "ETH-PERP", "0.025", "2000"), Answer::Done);
    // 47.1 of value and 2.3 of equity against 2.355: a part of it would do
    s.quote("ETH-PERP", "1884");
    assert_eq!(s.take(3, 1, "ETH-PERP", "1"), Answer::Done);
    assert_eq!(s.size(1, "ETH-PERP"), "0");
    s.check();
}

#[test]
fn law_26_losers_bear_a_loss_out_of_principal() {
    let mut s = fallen(&without_a_fund(), "1700");
    assert_eq!(s.trade(3, 2, "ETH-PERP", "1", "1700"), Answer::Done, "group 3 has gained nothing");
    s.deposit(4, "USDT", "50000");
    assert_eq!(s.take(4, 1, "ETH-PERP", "10"), Answer::Done);
    s.wait(1);
    let charged = s.bench().history().steps.iter().flat_map(|(_, facts)| facts).any(|fact| match fact {
        Fact::Post { reason: Reason::Socialisation, postings } => {
            postings.iter().any(|p| p.holder == Holder::Group(GroupId(3)) && p.cost.get() > 0)
        }
        _ => false,
    });
    assert!(charged);
    assert_eq!(s.held(Holder::House(House::Deficit), "USDT"), "0");
    s.check();
}

#[test]
fn a_liquidator_needs_margin_for_what_it_takes() {
    let mut s = fallen(&without_a_fund(), "1700");
    s.deposit(4, "USDT", "1");
    // ten ETH taken at 1,683: the fee of 170 is a gain, and 10 % of 17,000 is asked
    let q = |x: &str| Quanta::new(s.atoms("USDT", x).get());
    let refused = Rejection::Margin { group: GroupId(4), support: q("171"), demand: q("1700") };
    assert_eq!(s.take(4, 1, "ETH-PERP", "10"), Answer::Refused(refused));
}

#[test]
fn law_6_splitting_a_position_lowers_what_is_asked() {
    let whole = f::size_premium(400_000_000_000, 100_000, 500).unwrap();
    let half = f::size_premium(200_000_000_000, 100_000, 500).unwrap();
    assert!(half < whole, "two accounts of half the size are asked for less");
}
