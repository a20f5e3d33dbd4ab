//! Every built-in breaker keeps the laws; a breaker broken on purpose fails each of them.

use cofferdam_circuit_breaker::conformance::{Budget, Law, Profile, check, check_budget, hostile_steps};
use cofferdam_circuit_breaker::*;
use cofferdam_core::*;
use proptest::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

const RECOVERY: Recovery = Recovery { cooldown: Millis(30_000), expires: Millis(600_000) };
const TRIPS: Profile =
    Profile { patience: Millis(600_000), expires_within: Some(Millis(600_000)), budget: None };

fn liquidate(lots: i64, notional: i128) -> Action {
    Action::Liquidate {
        group: GroupId(1),
        market: MarketId(1),
        lots: Lots::new(lots),
        notional: Quanta::new(notional),
    }
}

fn withdraw(amount: i128, value: i128) -> Action {
    Action::Withdraw {
        group: GroupId(1),
        asset: AssetId(1),
        amount: Amount::new(amount),
        value: Quanta::new(value),
    }
}

fn throttle(coverage: Coverage, budget: ThrottleBudget, window: u64) -> Box<dyn CircuitBreaker> {
    Box::new(
        LiquidationThrottle::new(LiquidationThrottleParams { coverage, budget, window: Millis(window) })
            .unwrap(),
    )
}

fn rate_limit(baseline: WithdrawalBaseline, period: u64) -> Box<dyn CircuitBreaker> {
    let period = Millis(period);
    Box::new(WithdrawalRateLimit::new(WithdrawalRateLimitParams { baseline, period }).unwrap())
}

fn band(reference: BandReference) -> Box<dyn CircuitBreaker> {
    let params = PriceBandParams { market: None, band: Ppb(100_000_000), reference, recovery: RECOVERY };
    Box::new(PriceBand::new(params).unwrap())
}

fn built_ins() -> Vec<(Box<dyn CircuitBreaker>, Profile)> {
    let paced = |window: u64, action, at_most| Profile {
        patience: Millis(window + window / 8 + 8),
        expires_within: Some(Millis(window + window / 8 + 8)),
        budget: Some(Budget { action, window: Millis(window), at_most }),
    };
    let one = Coverage::One(MarketId(1));
    let velocity = PriceVelocityParams {
        market: Some(MarketId(1)),
        bound: Ppb(200_000_000),
        window: Millis(60_000),
        recovery: RECOVERY,
    };
    let cap = OpenInterestCapParams { market: MarketId(1), cap: Lots::new(500), reopen: Lots::new(400) };
    let drawdown = InsuranceDrawdownParams {
        drawdown: Some(Drawdown { fall: Ppb(300_000_000), window: Millis(28_800_000) }),
        recovery: RECOVERY,
    };
    let outage = OracleOutageParams { market: None, from: PriceState::Stale, recovery: RECOVERY };
    let gate = WithdrawalGateParams { blocks: 50, expires: Millis(600_000) };
    vec![
        (Box::new(WithdrawalGate::new(gate).unwrap()), TRIPS),
        (band(BandReference::Previous), TRIPS),
        (band(BandReference::Average { half_life: Millis(60_000) }), TRIPS),
        (Box::new(PriceVelocity::new(velocity).unwrap()), TRIPS),
        (Box::new(OpenInterestCap::new(cap).unwrap()), Profile { expires_within: None, ..TRIPS }),
        (Box::new(InsuranceDrawdown::new(drawdown).unwrap()), TRIPS),
        (Box::new(OracleOutage::new(outage).unwrap()), TRIPS),
        (
            Box::new(CoolOff::new(Millis(500)).unwrap()),
            Profile { patience: Millis(501), expires_within: Some(Millis(501)), budget: None },
        ),
        (
            throttle(one, ThrottleBudget::Lots(Lots::new(100)), 60_000),
            paced(60_000, liquidate(40, 4_000), 100),
        ),
        (
            throttle(Coverage::Each, ThrottleBudget::Notional(Quanta::new(1_000_000)), 7),
            paced(7, liquidate(7, 333), 21_021),
        ),
        (
            throttle(Coverage::Together, ThrottleBudget::Notional(Quanta::new(5_000)), 60_000),
            paced(60_000, liquidate(30, 3_000), 50),
        ),
        (
            rate_limit(WithdrawalBaseline::Value(Quanta::new(100_000)), 3_600_000),
            paced(3_600_000, withdraw(300, 30_000), 2_000),
        ),
        (
            rate_limit(WithdrawalBaseline::Asset(AssetId(1), Amount::new(1_000)), 60_000),
            paced(60_000, withdraw(300, 1), 2_000),
        ),
    ]
}

#[test]
fn built_ins_keep_the_laws() {
    for (breaker, profile) in built_ins() {
        for seed in 0..40 {
            if let Err(violation) = check(&*breaker, &profile, &hostile_steps(seed, 250)) {
                panic!("{breaker:?}, seed {seed}: {violation}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_throttle_keeps_any_budget(lots in 1_i64..10_000, window in 1_u64..1 << 40, ask in 1_i64..20_000, seed in any::<u64>()) {
        let breaker = throttle(Coverage::Each, ThrottleBudget::Lots(Lots::new(lots)), window);
        let budget = Budget { action: liquidate(ask, 1), window: Millis(window), at_most: lots.unsigned_abs().into() };
        prop_assert_eq!(check_budget(&*breaker, &budget, &hostile_steps(seed, 200)), Ok(()));
    }

    #[test]
    fn withdrawals_keep_to_twice_the_baseline_in_a_period(
        baseline in 1_i128..1 << 60, period in 1_u64..1 << 40, ask in 1_i128..1 << 61, seed in any::<u64>(),
    ) {
        let breaker = rate_limit(WithdrawalBaseline::Asset(AssetId(1), Amount::new(baseline)), period);
        let at_most = 2 * baseline.unsigned_abs();
        let budget = Budget { action: withdraw(ask, 1), window: Millis(period), at_most };
        prop_assert_eq!(check_budget(&*breaker, &budget, &hostile_steps(seed, 200)), Ok(()));
    }

    #[test]
    fn looking_often_does_not_slow_the_refill(baseline in 1_i128..5_000, period in 1_u64..5_000, looks in prop::collection::vec(0_u64..200, 1..50)) {
        let breaker = rate_limit(WithdrawalBaseline::Asset(AssetId(1), Amount::new(baseline)), period);
        let (mut store, mut now) = (MapMemory::default(), 0_u64);
        let at = |t| At { time: Millis(t), ..At::default() };
        let all = Observation::Done(withdraw(baseline, 0));
        store.with(Slot(1), |m| breaker.observe(at(0), &all, m)).unwrap();
        for look in looks {
            now += look;
            store.with(Slot(1), |m| breaker.observe(at(now), &Observation::Done(withdraw(0, 0)), m)).unwrap();
            let v = store.with(Slot(1), |m| breaker.admit(at(now), &withdraw(baseline, 0), m)).unwrap();
            let exact = u128::from(now.min(period)) * baseline.unsigned_abs() / u128::from(period);
            prop_assert_eq!(v.allowed(Millis(now)), exact);
        }
    }

    #[test]
    fn verdicts_join_in_any_order(v in prop::collection::vec((any::<u128>(), any::<u64>()), 0..8)) {
        let verdict = |(limit, t): (u128, u64)| Verdict { limit, not_before: Millis(t) };
        let forwards = join_all(v.iter().copied().map(verdict));
        prop_assert_eq!(forwards, join_all(v.iter().rev().copied().map(verdict)));
        prop_assert_eq!(forwards, join_all(v.iter().chain(&v).copied().map(verdict)));
    }
}

/// One breaker with one fault.
#[derive(Debug)]
enum Broken {
    /// Counts how often it was asked.
    CountsQuestions(AtomicU64),
    /// Stops liquidation while it likes.
    StopsLiquidation,
    /// Never lets money out.
    KeepsMoney,
    /// A trip without an end.
    NeverExpires,
    /// Says that it tripped, and does nothing.
    OnlyTalks,
    /// Every second observation loosens.
    Toggles,
    /// A window that starts anew whenever the clock reads another time.
    TrustsTheClock,
    /// Divides by the price.
    Fails,
}

#[derive(Default)]
struct Number(u64);

impl Record for Number {
    const VERSION: u8 = 1;
    fn write(&self, to: &mut Writer) {
        to.u64(self.0);
    }
    fn read(_: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        from.u64().map(Self)
    }
}

impl CircuitBreaker for Broken {
    fn admit(&self, at: At, action: &Action, memory: &Memory<'_>) -> Result<Verdict, BreakerError> {
        let number = memory.get::<Number>(Scope::All)?.0;
        let opens = action.kind() == ActionKind::Open;
        Ok(match self {
            Self::CountsQuestions(n) => Verdict::at_most(1 + u128::from(n.fetch_add(1, Ordering::Relaxed))),
            Self::StopsLiquidation if action.kind() == ActionKind::Liquidate => Verdict::at_most(0),
            Self::KeepsMoney if action.kind() == ActionKind::Withdraw => Verdict::until(Millis::MAX),
            Self::NeverExpires if opens && number > 0 => Verdict::until(Millis::MAX),
            Self::Toggles if opens && number % 2 == 1 => Verdict::at_most(5),
            Self::TrustsTheClock if action.kind() == ActionKind::Liquidate && number == at.time.0 => {
                Verdict::until(Millis(at.time.0 + 1))
            }
            _ => Verdict::ALLOW,
        })
    }

    fn observe(
        &self,
        at: At,
        observation: &Observation,
        memory: &mut Memory<'_>,
    ) -> Result<bool, BreakerError> {
        let number = memory.get::<Number>(Scope::All)?.0;
        match (self, observation) {
            (Self::TrustsTheClock, Observation::Done(Action::Liquidate { .. })) => {
                memory.set(Scope::All, &Number(at.time.0))?;
            }
            (Self::TrustsTheClock, _) => {}
            (Self::Fails, Observation::Mark { price, .. }) if price.is_zero() => {
                return Err(MathError::DivisionByZero.into());
            }
            _ => memory.set(Scope::All, &Number(number + 1))?,
        }
        Ok(matches!(self, Self::OnlyTalks))
    }
}

#[test]
fn each_law_can_fail() {
    let window = Millis(60_000);
    let budget = Some(Budget { action: liquidate(10, 1_000), window, at_most: 100 });
    for (broken, law) in [
        (Broken::CountsQuestions(AtomicU64::new(0)), Law::AdmitIsPure),
        (Broken::StopsLiquidation, Law::WayOutStaysOpen),
        (Broken::KeepsMoney, Law::WithdrawalComesToPass),
        (Broken::NeverExpires, Law::TripExpires),
        (Broken::OnlyTalks, Law::TripTightens),
        (Broken::Toggles, Law::RepeatNeverLoosens),
        (Broken::TrustsTheClock, Law::BudgetHolds),
        (Broken::Fails, Law::Total),
    ] {
        let found = check(&broken, &Profile { budget, ..TRIPS }, &hostile_steps(3, 250));
        assert_eq!(found.map_err(|v| v.law), Err(law), "{broken:?}");
    }
}
