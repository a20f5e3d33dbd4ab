//! What each breaker does, as tables: a line per step, observations and questions mixed.

use cofferdam_circuit_breaker::*;
use cofferdam_core::*;

enum Do {
    /// Observe; whether it trips.
    See(Observation, bool),
    /// Ask; how much of it is allowed now, and from when.
    Ask(Action, u128, u64),
}
use Do::{Ask, See};

fn check(breaker: &dyn CircuitBreaker, steps: &[(u64, Do)]) {
    let mut store = MapMemory::default();
    for (i, (time, step)) in steps.iter().enumerate() {
        let at = At { time: Millis(*time), ..At::default() };
        match step {
            See(seen, trips) => {
                let got = store.with(Slot(1), |m| breaker.observe(at, seen, m)).unwrap();
                assert_eq!(got, *trips, "step {i}: {seen:?}");
            }
            Ask(action, allowed, not_before) => {
                let v = store.with(Slot(1), |m| breaker.admit(at, action, m)).unwrap();
                let got = (v.allowed(at.time).min(action.size()), v.not_before.0);
                assert_eq!(got, (*allowed, *not_before), "step {i}: {action:?}");
            }
        }
    }
}

const GROUP: GroupId = GroupId(1);
const MARKET: MarketId = MarketId(1);
const RECOVERY: Recovery = Recovery { cooldown: Millis(100), expires: Millis(1_000) };

fn mark(price: i64, state: PriceState) -> Observation {
    Observation::Mark { market: MARKET, price: Ticks::new(price), state }
}
fn good(price: i64) -> Observation {
    mark(price, PriceState::Good)
}
fn open(lots: i64) -> Action {
    Action::Open { group: GROUP, market: MARKET, lots: Lots::new(lots), notional: Quanta::new(1) }
}
fn liquidate(lots: i64, notional: i128) -> Action {
    Action::Liquidate { group: GROUP, market: MARKET, lots: Lots::new(lots), notional: Quanta::new(notional) }
}
fn withdraw(amount: i128, value: i128) -> Action {
    Action::Withdraw {
        group: GROUP,
        asset: AssetId(1),
        amount: Amount::new(amount),
        value: Quanta::new(value),
    }
}
fn deficit(value: i128) -> Observation {
    Observation::Deficit { value: Quanta::new(value) }
}

#[test]
fn price_band() {
    let params = PriceBandParams {
        market: None,
        band: Ppb(100_000_000),
        reference: BandReference::Previous,
        recovery: RECOVERY,
    };
    check(
        &PriceBand::new(params).unwrap(),
        &[
            (0, See(good(1_000), false)),
            (1, See(good(1_100), false)), // exactly 10 %
            (2, See(good(1_211), true)),
            (3, Ask(open(5), 0, 102)),
            (3, Ask(liquidate(5, 1), 5, 0)),
            (50, See(good(900), false)), // again, but not a new trip
            (102, Ask(open(5), 0, 150)),
            (150, Ask(open(5), 5, 0)),
            (160, See(mark(1, PriceState::Invalid), false)),
        ],
    );
}

#[test]
fn price_velocity() {
    let params = PriceVelocityParams {
        market: Some(MARKET),
        bound: Ppb(100_000_000),
        window: Millis(800),
        recovery: RECOVERY,
    };
    check(
        &PriceVelocity::new(params).unwrap(),
        &[
            (0, See(good(1_000), false)),
            (400, See(good(1_060), false)),
            (790, See(good(1_120), true)), // 12 % in 790 ms, in two steps
            (800, Ask(open(1), 0, 890)),
            (2_000, See(good(1_130), false)),
            (2_000, Ask(open(1), 1, 0)),
        ],
    );
}

#[test]
fn liquidation_throttle() {
    let params = LiquidationThrottleParams {
        coverage: Coverage::Each,
        budget: ThrottleBudget::Notional(Quanta::new(1_000)),
        window: Millis(800),
    };
    let throttle = LiquidationThrottle::new(params).unwrap();
    let done = |lots, notional| Observation::Done(liquidate(lots, notional));
    check(
        &throttle,
        &[
            (0, Ask(liquidate(10, 900), 10, 0)),
            (0, Ask(liquidate(10, 3_000), 3, 0)), // 3.33 lots fit
            (0, Ask(liquidate(1, 5_000), 1, 0)),  // dearer than the budget: one by one
            (0, See(done(6, 600), false)),
            (10, Ask(liquidate(10, 1_000), 4, 0)),
            (150, See(done(4, 400), true)),
            (160, Ask(liquidate(10, 1_000), 0, 900)), // when the first cell has left
            (900, Ask(liquidate(10, 1_000), 6, 0)),
            (1_000, Ask(liquidate(10, 1_000), 10, 0)),
        ],
    );
    // lots of 300 do not divide 1,000: three of them use it up, and it trips once per window
    check(
        &throttle,
        &[
            (0, Ask(liquidate(10, 3_000), 3, 0)),
            (0, See(done(2, 600), false)),
            (10, Ask(liquidate(10, 3_000), 1, 0)),
            (10, See(done(1, 300), true)),
            (20, Ask(liquidate(10, 3_000), 0, 900)),
            (30, See(done(1, 300), false)), // a report, after it tripped
            (900, Ask(liquidate(10, 3_000), 3, 0)),
            (900, See(done(3, 900), true)),
        ],
    );
}

#[test]
fn open_interest_cap() {
    let params = OpenInterestCapParams { market: MARKET, cap: Lots::new(100), reopen: Lots::new(90) };
    let now =
        |lots, trips| (0, See(Observation::OpenInterest { market: MARKET, lots: Lots::new(lots) }, trips));
    let ask = |limit| (0, Ask(open(50), limit, 0));
    check(
        &OpenInterestCap::new(params).unwrap(),
        &[
            ask(50),
            now(80, false),
            ask(20),
            now(100, true),
            ask(0),
            now(91, false),
            ask(0),
            now(90, false),
            ask(10),
        ],
    );
}

#[test]
fn withdrawal_rate_limit() {
    let baseline = WithdrawalBaseline::Value(Quanta::new(1_000));
    let params = WithdrawalRateLimitParams { baseline, period: Millis(1_000) };
    check(
        &WithdrawalRateLimit::new(params).unwrap(),
        &[
            (0, Ask(withdraw(30, 3_000), 10, 0)),
            (0, See(Observation::Done(withdraw(10, 1_000)), true)),
            (0, Ask(withdraw(30, 3_000), 0, 100)), // one atom is worth 100: refilled in 100 ms
            (100, Ask(withdraw(30, 3_000), 1, 0)),
            (550, Ask(withdraw(30, 3_000), 5, 0)), // 5.5 rounds down
            (u64::MAX, Ask(withdraw(30, 3_000), 10, 0)),
        ],
    );
    let baseline = WithdrawalBaseline::Asset(AssetId(1), Amount::new(100));
    let params = WithdrawalRateLimitParams { baseline, period: Millis(1_000) };
    let deposit = Action::Deposit { group: GROUP, asset: AssetId(1), amount: Amount::new(50) };
    check(
        &WithdrawalRateLimit::new(params).unwrap(),
        &[
            (0, See(Observation::Done(deposit), false)),
            (0, Ask(withdraw(500, 1), 150, 0)),
            (100, Ask(withdraw(500, 1), 140, 0)),
            (900, Ask(withdraw(500, 1), 100, 0)),
        ],
    );
}

#[test]
fn insurance_drawdown() {
    let drawdown = Some(Drawdown { fall: Ppb(300_000_000), window: Millis(10_000) });
    let drawn = |value, left| Observation::Drawn {
        layer: LayerId(1),
        value: Quanta::new(value),
        capacity_left: Quanta::new(left),
    };
    check(
        &InsuranceDrawdown::new(InsuranceDrawdownParams { drawdown, recovery: RECOVERY }).unwrap(),
        &[
            (0, See(drawn(200, 800), false)),
            (10, See(drawn(100, 700), true)), // 30 % below the peak of 1000
            (10, Ask(withdraw(5, 5), 0, 110)),
            (10, Ask(open(5), 0, 110)),
            (10, Ask(liquidate(5, 5), 5, 0)),
            (50, See(deficit(40), false)),
            (50, Ask(withdraw(5, 5), 0, 1_050)), // held while it is open, and no longer
            (1_050, Ask(withdraw(5, 5), 5, 0)),
            (2_000, See(deficit(60), true)),
            (2_010, See(deficit(0), false)),
            (2_020, Ask(withdraw(5, 5), 0, 2_110)),
        ],
    );
}

#[test]
fn oracle_outage() {
    let params = OracleOutageParams { market: None, from: PriceState::Stale, recovery: RECOVERY };
    check(
        &OracleOutage::new(params).unwrap(),
        &[
            (0, See(mark(1, PriceState::Volatile), false)),
            (1, See(mark(1, PriceState::Stale), true)),
            (2, See(mark(0, PriceState::Missing), false)),
            (3, Ask(open(1), 0, 1_001)),
            (500, See(good(1), false)),
            (599, Ask(open(1), 0, 600)),
            (600, Ask(open(1), 1, 0)),
        ],
    );
}

#[test]
fn cool_off() {
    let borrow =
        Action::Borrow { group: GROUP, asset: AssetId(1), amount: Amount::new(5), value: Quanta::new(5) };
    let seize = |group| Action::Seize {
        group: GroupId(group),
        asset: AssetId(1),
        amount: Amount::new(5),
        value: Quanta::new(5),
    };
    check(
        &CoolOff::new(Millis(100)).unwrap(),
        &[
            (0, Ask(seize(1), 5, 0)),
            (10, See(Observation::Done(borrow), false)),
            (11, Ask(seize(1), 0, 110)),
            (11, Ask(liquidate(5, 5), 0, 110)),
            (11, Ask(seize(2), 5, 0)),
            (11, Ask(withdraw(5, 5), 5, 0)),
            (60, See(Observation::Done(withdraw(1, 1)), false)),
            (159, Ask(seize(1), 0, 160)),
            (160, Ask(seize(1), 5, 0)),
            (5, See(Observation::Done(borrow), false)), // a clock that jumps back shortens nothing
            (159, Ask(seize(1), 0, 160)),
        ],
    );
}

#[test]
fn refused_parameters_name_field_value_and_what_is_accepted() {
    let recovery = Recovery { cooldown: Millis(5), expires: Millis(4) };
    let params = OracleOutageParams { market: None, from: PriceState::Stale, recovery };
    let refused = OracleOutage::new(params).unwrap_err().to_string();
    assert_eq!(refused, "expires is 4; accepted is a time not below `cooldown`, in ms");
    let params = LiquidationThrottleParams {
        coverage: Coverage::Together,
        budget: ThrottleBudget::Lots(Lots::ONE),
        window: Millis(1),
    };
    assert!(LiquidationThrottle::new(params).is_err());
    let baseline = WithdrawalBaseline::Asset(AssetId(1), Amount::new(1 << 120));
    let params = WithdrawalRateLimitParams { baseline, period: Millis(u64::MAX) };
    assert!(WithdrawalRateLimit::new(params).is_err());
}

#[test]
fn a_gate_opens_after_blocks_or_time() {
    let gate = WithdrawalGate::new(WithdrawalGateParams { blocks: 50, expires: Millis(90_000) }).unwrap();
    let stranded = Observation::Stranded { group: GROUP, market: MARKET, lots: Lots::new(-5) };
    let mut store = MapMemory::default();
    let mut see = |time, block| {
        let at = At { time: Millis(time), block, ..At::default() };
        let tripped = store.with(Slot(1), |m| gate.observe(at, &stranded, m)).unwrap();
        let admitted = move |store: &mut MapMemory, time, block, action: &Action| {
            let at = At { time: Millis(time), block, ..At::default() };
            let v = store.with(Slot(1), |m| gate.admit(at, action, m)).unwrap();
            (v.allowed(at.time) > 0, v.not_before.0)
        };
        (tripped, admitted, store.clone())
    };
    let (tripped, admitted, mut at_first) = see(1_000, 10);
    assert!(tripped);
    for (time, block, expected) in [
        (1_000, 10, (false, 91_000)),
        (50_000, 59, (false, 91_000)),
        (50_001, 60, (true, 0)), // 50 blocks later
        (91_000, 11, (true, 0)), // or 90 s, where no block came
    ] {
        assert_eq!(admitted(&mut at_first, time, block, &withdraw(5, 5)), expected, "{time} {block}");
    }
    for action in [open(5), liquidate(5, 5)] {
        assert!(admitted(&mut at_first, 1_000, 10, &action).0, "{action:?}");
    }
    // seen again it closes anew; that is no new trip while it is closed
    let (tripped, _, mut again) = see(20_000, 30);
    assert!(!tripped);
    assert_eq!(admitted(&mut again, 50_001, 60, &withdraw(5, 5)), (false, 110_000));
    assert_eq!(admitted(&mut again, 50_002, 80, &withdraw(5, 5)), (true, 0));
    assert!(see(200_000, 200).0);
    let refused =
        |blocks, expires| WithdrawalGate::new(WithdrawalGateParams { blocks, expires: Millis(expires) });
    assert!(refused(0, 1).is_err() && refused(1, 0).is_err());
}

/// dYdX v4, x/ratelimit/util/capacity_test.go (commit 85db775a), TestCalculateNewCapacityList: capacity after one block, from a capacity before it.
#[test]
fn capacities_of_a_published_table() {
    let asset = AssetId(1);
    // case, baseline, period in ms, capacity before, ms since, capacity after
    let e18 = 10_i128.pow(18);
    let table: [(&str, i128, u64, i128, u64, i128); 14] = [
        ("equals baseline, hour", 250_000_000_000, 3_600_000, 250_000_000_000, 1_000, 250_000_000_000),
        ("equals baseline, day", 2_500_000_000_000, 86_400_000, 2_500_000_000_000, 1_000, 2_500_000_000_000),
        ("below, hour", 250_000_000_000, 3_600_000, 99_000_000_000, 1_090, 99_075_694_444),
        ("below, day", 2_500_000_000_000, 86_400_000, 990_000_000_000, 1_090, 990_031_539_351),
        ("18 decimals, hour", 250_000 * e18, 3_600_000, 99_000 * e18, 1_000, 99_069_444_444_444_444_444_444),
        (
            "18 decimals, day",
            2_500_000 * e18,
            86_400_000,
            990_000 * e18,
            1_000,
            990_028_935_185_185_185_185_185,
        ),
        ("nothing, hour", 100_000_000_000, 3_600_000, 0, 1_150, 31_944_444),
        ("nothing, day", 1_000_000_000_000, 86_400_000, 0, 1_150, 13_310_185),
        ("nothing, rounds down", 100_000_000_000, 3_600_000, 0, 12_000, 333_333_333),
        ("twice the baseline", 100_000_000_000, 3_600_000, 200_000_000_000, 12_000, 199_666_666_667),
        ("up to twice, hour", 200_000_000_000, 3_600_000, 329_000_000_000, 1_150, 328_936_111_112),
        ("up to twice, day", 2_000_000_000_000, 86_400_000, 3_500_000_000_000, 1_150, 3_499_973_379_630),
        ("beyond twice, hour", 200_000_000_000, 3_600_000, 629_000_000_000, 1_150, 628_862_958_334),
        ("beyond twice, day", 2_000_000_000_000, 86_400_000, 1_200_000_000_000, 1_150, 1_200_026_620_370),
    ];
    let mut missed = Vec::new();
    for (case, baseline, period, before, elapsed, after) in table {
        let baseline = WithdrawalBaseline::Asset(asset, Amount::new(baseline));
        let params = WithdrawalRateLimitParams { baseline, period: Millis(period) };
        let limit = WithdrawalRateLimit::new(params).unwrap();
        let WithdrawalBaseline::Asset(_, whole) = baseline else { unreachable!() };
        let mut store = MapMemory::default();
        let used = Amount::new(whole.get() - before);
        let done = if used.is_negative() {
            let amount = used.try_neg().unwrap();
            Action::Deposit { group: GROUP, asset, amount }
        } else {
            withdraw(used.get(), used.get())
        };
        let at = |time| At { time: Millis(time), ..At::default() };
        store.with(Slot(1), |m| limit.observe(at(1), &Observation::Done(done), m)).unwrap();
        let ask = withdraw(1 << 100, 1 << 100);
        let verdict = store.with(Slot(1), |m| limit.admit(at(1 + elapsed), &ask, m)).unwrap();
        let allowed = verdict.allowed(at(1 + elapsed).time);
        if allowed != after.unsigned_abs() {
            missed.push((case, allowed, after));
        }
    }
    assert_eq!(missed, []);
}
