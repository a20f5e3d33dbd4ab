//! What breakers did can be counted from facts alone: trips, forced closes that were cut or put off, requests that were refused.

use cofferdam_circuit_breaker::{
    CircuitBreaker, Coverage, LiquidationThrottle, LiquidationThrottleParams, OpenInterestCap,
    OpenInterestCapParams, ThrottleBudget, WithdrawalBaseline, WithdrawalRateLimit,
    WithdrawalRateLimitParams,
};
use cofferdam_core::{Lots, MarketId, Millis, Quanta};
use cofferdam_liquidation_strategy::FullClose;
use cofferdam_stack::{Answer, EventMark, Fact, Parts, Rejection};
use cofferdam_testkit::{Bench, compose, conservation};
use compose::USDC;

/// Long group 1 against short group 2: 1,000 lots at 100,000 ticks, with one breaker.
fn with(breaker: Box<dyn CircuitBreaker>) -> Bench {
    let parts = Parts {
        liquidation: Box::new(FullClose::new(compose::order_terms())),
        breakers: vec![breaker],
        breaker_names: vec!["one".into()],
        ..compose::perpetual()
    };
    let mut bench = Bench::new(parts).unwrap();
    bench.mark(0, 100_000);
    bench.mark(1, 100_000);
    bench.eth(200_000_000_000);
    for (group, atoms) in [(1, 400_000), (2, 5_000_000), (3, 5_000_000), (40, 1 << 40)] {
        bench.deposit(group, atoms);
    }
    assert_eq!(bench.trade(1, 2, 0, 1_000, 100_000), Answer::Done);
    bench
}

/// Trips, forced closes cut or put off, requests refused: by the facts.
fn counts(bench: &Bench) -> (usize, usize, usize) {
    let facts = || bench.history().steps.iter().flat_map(|(_, facts)| facts);
    let of = |wanted: fn(&Fact) -> bool| facts().filter(|f| wanted(f)).count();
    (
        of(|f| matches!(f, Fact::Event(EventMark::Tripped { breaker: 0 }))),
        of(|f| matches!(f, Fact::Event(EventMark::Limited { breaker: 0 }))),
        of(|f| {
            matches!(f, Fact::Input { answer: Answer::Refused(Rejection::Breaker { breaker: 0, .. }), .. })
        }),
    )
}

fn throttle(lots: i64) -> Box<dyn CircuitBreaker> {
    let params = LiquidationThrottleParams {
        coverage: Coverage::Each,
        budget: ThrottleBudget::Lots(Lots::new(lots)),
        window: Millis(8_000),
    };
    Box::new(LiquidationThrottle::new(params).unwrap())
}

#[test]
fn a_throttle_that_cuts_and_puts_off_says_so() {
    let mut bench = with(throttle(600));
    bench.mark(0, 88_000);
    assert_eq!(bench.orders()[0].lots, Lots::new(-600), "cut to the budget");
    assert_eq!(counts(&bench), (1, 1, 0));
    bench.fill_all(88_000);
    assert!(bench.orders().is_empty(), "the rest waits");
    assert_eq!(counts(&bench), (1, 2, 0));
    bench.clock(9_000);
    assert_eq!(bench.orders()[0].lots, Lots::new(-400));
    bench.fill_all(88_000);
    assert_eq!(bench.lots(1, 0), 0);
    assert_eq!(counts(&bench), (1, 2, 0), "what fits is not limited");
    conservation::check(bench.state()).unwrap();
    bench.replay().unwrap();
}

#[test]
fn a_throttle_that_does_not_bind_says_nothing() {
    let mut bench = with(throttle(5_000));
    bench.mark(0, 88_000);
    bench.fill_all(88_000);
    assert_eq!((bench.lots(1, 0), counts(&bench)), (0, (0, 0, 0)));
}

#[test]
fn a_refused_request_names_the_breaker() {
    let (market, cap, reopen) = (MarketId(0), Lots::new(1_010), Lots::new(1_000));
    let params = OpenInterestCapParams { market, cap, reopen };
    let mut bench = with(Box::new(OpenInterestCap::new(params).unwrap()));
    assert!(matches!(bench.trade(3, 2, 0, 11, 100_000), Answer::Refused(Rejection::Breaker { .. })));
    assert_eq!(counts(&bench), (0, 0, 1));
    assert_eq!(bench.trade(3, 2, 0, 10, 100_000), Answer::Done);
    assert_eq!(counts(&bench), (1, 0, 1));

    let baseline = WithdrawalBaseline::Value(Quanta::new(1_000_000));
    let params = WithdrawalRateLimitParams { baseline, period: Millis(3_600_000) };
    let mut bench = with(Box::new(WithdrawalRateLimit::new(params).unwrap()));
    let all = bench.balance(3, USDC);
    assert!(matches!(bench.withdraw(3, all), Answer::Refused(Rejection::Breaker { .. })));
    assert_eq!(counts(&bench), (0, 0, 1));
    assert_eq!(bench.withdraw(3, 10), Answer::Done);
}
