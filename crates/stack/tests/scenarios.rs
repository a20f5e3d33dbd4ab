//! Scenario values as recorded inputs: a fact for each market, in the hash, whole or not at all.

use cofferdam_core::{MarketId, SCENARIOS_MAX, ScenarioPrice, Ticks, World};
use cofferdam_stack::{Alarm, Answer, Body, Fact, MarketScenarios, Named, StepCause, Work};
use cofferdam_testkit::{Bench, compose};

fn set(market: u32, base: i64, values: &[(i64, i64)]) -> MarketScenarios {
    let price = |(low, high): &(i64, i64)| ScenarioPrice { low: Ticks::new(*low), high: Ticks::new(*high) };
    let values = values.iter().map(price).collect();
    MarketScenarios { market: MarketId(market), base: Ticks::new(base), values }
}

fn malformed(field: &str, accepted: &str) -> Answer {
    Answer::Alarm(Alarm::Malformed { field: field.into(), accepted: accepted.into() })
}

#[test]
fn recorded_hashed_and_replayed() {
    let mut bench = Bench::new(compose::perpetual()).unwrap();
    let before = bench.state().hash();
    let sets = vec![set(0, 100, &[(90, 91), (110, 110)]), set(1, 5, &[(0, 1), (9, 10)])];
    assert_eq!(bench.send(Body::Scenarios(sets.clone())).answer, Answer::Done);
    let found = bench.state().scenarios(MarketId(0)).unwrap();
    assert_eq!((found.revision, found.base, found.values.len()), (1, Ticks::new(100), 2));
    let once = bench.state().hash();
    assert_ne!(before, once);
    // the same again is another list: groups are looked at anew
    assert_eq!(bench.send(Body::Scenarios(sets)).answer, Answer::Done);
    assert_eq!(bench.state().scenarios(MarketId(1)).unwrap().revision, 2);
    let steps = &bench.history().steps;
    let facts = steps.iter().flat_map(|(_, f)| f).filter(|f| matches!(f, Fact::Scenarios(_))).count();
    let sweeps = steps.iter().filter(|(cause, _)| *cause == StepCause::Work(Work::Sweep)).count();
    assert_eq!((facts, sweeps), (4, 2));
    bench.replay().unwrap();
}

#[test]
fn all_or_nothing() {
    let good = || set(0, 100, &[(90, 91)]);
    let many = vec![(1, 1); SCENARIOS_MAX + 1];
    let most = vec![(1, 1); SCENARIOS_MAX];
    let table: Vec<(Vec<MarketScenarios>, Answer)> = vec![
        (vec![], Answer::Done),
        (vec![good(), set(7, 1, &[(1, 1)])], Answer::Alarm(Alarm::Unknown { what: Named::Market, id: 7 })),
        (vec![good(), good()], malformed("market", "each market once")),
        (vec![good(), set(1, 1, &[])], malformed("values", "1 to 4096 scenarios")),
        (vec![good(), set(1, 1, &many)], malformed("values", "1 to 4096 scenarios")),
        (vec![good(), set(1, 1, &[(1, 1), (2, 1)])], malformed("values", "low <= high in each scenario")),
    ];
    for (sets, wanted) in table {
        let mut bench = Bench::new(compose::perpetual()).unwrap();
        assert_eq!(bench.send(Body::Scenarios(sets.clone())).answer, wanted, "{sets:?}");
        assert!(bench.state().scenarios(MarketId(0)).is_none(), "{sets:?}");
    }
    let mut bench = Bench::new(compose::perpetual()).unwrap();
    assert_eq!(bench.send(Body::Scenarios(vec![set(0, 1, &most)])).answer, Answer::Done);
}
