//! Strategies that choose among others, and the one that goes down by tiers: tables, laws and refusals.

use cofferdam_core::{GroupId, Level, Lots, MapMemory, MarketId, Millis, Ppb, Quanta, Verdict};
use cofferdam_liquidation_strategy::{
    conformance::{Bench, check_strategy},
    *,
};
use proptest::prelude::*;

const MARKET: MarketId = MarketId(0);

fn terms() -> OrderTerms {
    OrderTerms::new(LimitPrice::Any, Penalty::default(), Millis(1_000)).unwrap()
}

fn order() -> Box<dyn LiquidationStrategy> {
    Box::new(FullClose::new(terms()))
}

fn vault() -> Box<dyn LiquidationStrategy> {
    Box::new(Takeover::new(GroupId(9), Level::Maintenance, Millis(1)).unwrap())
}

fn last() -> Box<dyn LiquidationStrategy> {
    Box::new(Deleverage::new(DeleveragePrice::Mark, Millis(1)).unwrap())
}

fn long(cash: i128, lots: i64) -> Bench {
    Bench::perpetual(cash).with_position(MARKET, lots, i128::from(lots) * 100)
}

/// The kind of the first step: o(rder), m(ove), d(everage), - for none.
fn kind(bench: &Bench, memory: &mut MapMemory, strategy: &dyn LiquidationStrategy) -> char {
    match bench.plan_with(memory, strategy, &Bid::ENGINE).unwrap() {
        Ok(plan) => match plan.steps.first() {
            Some(Step::Order { .. }) => 'o',
            Some(Step::Move(_)) => 'm',
            Some(Step::Deleverage { .. }) => 'd',
            _ => '-',
        },
        Err(_) => 'x',
    }
}

#[test]
fn one_after_another() {
    let escalation = Escalation::new(vec![order(), vault()], Millis(100)).unwrap();
    let mut memory = MapMemory::default();
    let mut at = |time: u64, bench: Bench| {
        let mut bench = bench;
        bench.at.time = Millis(time);
        kind(&bench, &mut memory, &escalation)
    };
    assert_eq!(at(1, long(100, 10)), 'x', "healthy");
    let stopped = Bench { allowed: Verdict::until(Millis(50)), ..long(30, 10) };
    assert_eq!(at(2, stopped), '-', "nothing was sent, so nothing was left");
    assert_eq!(at(60, long(30, 10)), 'o');
    assert_eq!(at(60, long(30, 10)), 'm', "what the order left");
    assert_eq!(at(61, Bench { group: GroupId(8), ..long(30, 10) }), 'o', "another account");
    assert_eq!(at(161, long(30, 10)), 'o', "forgotten");
    assert!(Escalation::new(vec![], Millis(1)).is_err());
    assert!(Escalation::new(vec![order()], Millis(0)).is_err());
}

fn drain() -> Drain {
    Drain { window: Millis(1_600), start: Ppb(300_000_000), stop: Ppb(250_000_000), above: Quanta::new(100) }
}

#[test]
fn while_insurance_is_drained() {
    let strategy = WhileDrained::new(order(), last(), drain()).unwrap();
    let path = |steps: &[(u64, i128, char)]| {
        let mut memory = MapMemory::default();
        for &(time, cover, want) in steps {
            let mut bench = Bench { cover: Quanta::new(cover), ..long(30, 10) };
            bench.at.time = Millis(time);
            assert_eq!(kind(&bench, &mut memory, &strategy), want, "{cover} at {time}");
        }
    };
    // exactly 30 % gone does not start it, one more does; it lasts until less than 25 % is gone
    path(&[(0, 1_000, 'o'), (1, 700, 'o'), (2, 699, 'd'), (3, 740, 'd'), (4, 750, 'd'), (5, 751, 'o')]);
    // a small fund only when it is empty; and an empty one for as long as it is
    path(&[(0, 120, 'o'), (1, 100, 'o'), (2, 50, 'o'), (3, 0, 'd'), (4, 1, 'd'), (5, 90, 'd'), (6, 91, 'o')]);
    path(&[(0, 0, 'd'), (1, -5, 'd'), (2, 10, 'o')]);
    // a peak is forgotten after the window and at most one cell more
    path(&[(0, 1_000, 'o'), (1_599, 600, 'd'), (1_700, 600, 'o')]);
    // a clock that runs backwards brings nothing back
    path(&[(5_000, 1_000, 'o'), (0, 690, 'd'), (6_000, 690, 'd')]);
    for bad in [
        Drain { window: Millis(0), ..drain() },
        Drain { start: Ppb(1_000_000_001), ..drain() },
        Drain { stop: Ppb(300_000_001), ..drain() },
        Drain { above: Quanta::new(-1), ..drain() },
    ] {
        assert!(WhileDrained::new(order(), last(), bad).is_err(), "{bad:?}");
    }
}

fn steps(floor: i64) -> TierStep {
    let uppers = [5, 10, 20, 40].map(Lots::new).to_vec();
    TierStep::new(terms(), vec![Ladder { market: MARKET, uppers }], (3, 2), Ppb(floor)).unwrap()
}

#[test]
fn two_tiers_at_a_time() {
    // per mille of notional as equity; what is ordered
    let check = |lots: i64, cash: i128, want: i64| {
        let plan = check_strategy(&long(cash, lots), &steps(10_000_000), &Bid::ENGINE).unwrap().unwrap();
        let Step::Order { lots: ordered, .. } = plan.steps[0] else { panic!("{plan:?}") };
        assert_eq!(ordered.get(), want, "{lots} with {cash}");
    };
    check(4, 10, -4); // tier 1: all
    check(10, 30, -10); // tier 2: all
    check(11, 50, -6); // tier 3: to the bound of tier 1
    check(20, 50, -15);
    check(21, 50, -11); // tier 4: to the bound of tier 2
    check(-21, 50, 11);
    check(41, 100, -21); // beyond the last bound: tier 5, to that of tier 3
    check(20, 20, -15); // exactly the lowest tier's 1 %
    check(20, 19, -20); // below it: all
    check(20, -5, -20);
    let other = Bench::perpetual(10).with_position(MarketId(1), 30, 3_000);
    let all = TierStep::new(terms(), vec![], (3, 2), Ppb(0)).unwrap();
    let plan = check_strategy(&other, &all, &Bid::ENGINE).unwrap().unwrap();
    assert!(matches!(plan.steps[0], Step::Order { lots, .. } if lots.get() == -30), "no ladder");
    let ladder =
        |uppers: &[i64]| Ladder { market: MARKET, uppers: uppers.iter().map(|u| Lots::new(*u)).collect() };
    for (ladders, step, floor) in [
        (vec![ladder(&[5, 5])], (3, 2), 0),
        (vec![ladder(&[0])], (3, 2), 0),
        (vec![ladder(&[1]), ladder(&[1])], (3, 2), 0),
        (vec![], (1, 1), 0),
        (vec![], (3, 3), 0),
        (vec![], (3, 0), 0),
        (vec![], (3, 2), -1),
    ] {
        assert!(TierStep::new(terms(), ladders, step, Ppb(floor)).is_err());
    }
}

fn benches() -> impl Strategy<Value = Bench> {
    let position = (-400_i64..400, 60_i128..140);
    (prop::collection::vec(position, 0..3), -500_i128..3_000, 50_i64..150, 0_u128..600, 0_i128..2_000)
        .prop_map(|(parts, cash, mark, limit, cover)| {
            let mut bench = Bench::perpetual(cash).with_mark(MARKET, mark);
            for (id, (lots, entry)) in (0_u32..3).zip(parts).filter(|(_, p)| p.0 != 0) {
                bench = bench.with_position(MarketId(id), lots, i128::from(lots) * entry);
            }
            Bench { allowed: Verdict::at_most(limit), cover: Quanta::new(cover), ..bench }
        })
}

proptest! {
    /// Those that choose among strategies keep the laws that these keep.
    #[test]
    fn choices_and_tiers_keep_the_laws(bench in benches(), floor in 0_i64..100_000_000) {
        let escalation = Escalation::new(vec![order(), vault(), last()], Millis(100)).unwrap();
        let drained = WhileDrained::new(Box::new(steps(floor)), last(), drain()).unwrap();
        for s in [&escalation as &dyn LiquidationStrategy, &drained, &steps(floor)] {
            let _answer = check_strategy(&bench, s, &Bid::ENGINE).unwrap();
        }
    }
}
