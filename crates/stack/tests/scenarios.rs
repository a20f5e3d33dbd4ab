//! Scenario values as recorded inputs: a fact for each market, in the hash, whole or not at all.

use cofferdam_core::{Level, MarketId, Ppb, SCENARIOS_MAX, ScenarioPrice, Ticks, World};
use cofferdam_liquidation_strategy::FullClose;
use cofferdam_margin_engine::{
    AssetTerms as AssetWeights, Holdings, Levels, ScenarioMargin, ScenarioTerms, Tail, UnderlyingTerms,
};
use cofferdam_stack::{Alarm, Answer, Body, Fact, MarketScenarios, Named, Parts, StepCause, Work};
use cofferdam_testkit::{Bench, compose, conservation};
use proptest::prelude::*;

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

fn portfolio() -> Parts {
    let underlying =
        UnderlyingTerms { tail: Tail::Nth(1), maintenance: Ppb::ONE, initial: Ppb(1_200_000_000) };
    let assets = vec![AssetWeights::full(compose::USDC)];
    let markets = vec![ScenarioTerms::new(MarketId(0), 0), ScenarioTerms::new(MarketId(1), 0)];
    let margin = ScenarioMargin::new(Levels::default(), assets, vec![underlying], markets).unwrap();
    let close = FullClose::new(compose::order_terms());
    Parts { margin: Box::new(margin), liquidation: Box::new(close), ..compose::perpetual() }
}

#[derive(Clone, Debug)]
enum Op {
    Mark(u32, i64),
    Scenarios(Vec<MarketScenarios>),
    Deposit(u32, i128),
    Trade(u32, u32, u32, i64),
    Wait,
}

fn op() -> impl Strategy<Value = Op> {
    let value = |base: i64| {
        (-20_i64..20, 0_i64..3).prop_map(move |(x, w)| (base + x * base / 100, base + x * base / 100 + w))
    };
    let list = move |market, base| {
        let values = prop::collection::vec(value(base), 3);
        (base - base / 50..base + base / 50, values)
            .prop_map(move |(base, values)| set(market, base, &values))
    };
    let (first, second) = (list(0, 100_000), list(1, 5_000));
    prop_oneof![
        3 => (90_000_i64..110_000).prop_map(|p| Op::Mark(0, p)),
        3 => (4_500_i64..5_500).prop_map(|p| Op::Mark(1, p)),
        2 => (first, second).prop_map(|(a, b)| Op::Scenarios(vec![a, b])),
        1 => (0_u32..4, 1_i128..200_000).prop_map(|(g, x)| Op::Deposit(g, x)),
        6 => (0_u32..4, 0_u32..4, 0_u32..2, -1_500_i64..1_500).prop_map(|(a, b, m, l)| Op::Trade(a, b, m, l)),
        1 => Just(Op::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// INV-16 under scenario margin: the index names everybody who is below, whatever moved: a mark, a list of scenarios, funding.
    #[test]
    fn the_index_names_whoever_is_below_under_scenarios(ops in prop::collection::vec(op(), 1..40)) {
        let mut bench = Bench::new(portfolio()).unwrap();
        for (market, price) in [(0, 100_000), (1, 5_000)] {
            bench.mark(market, price);
        }
        let _ = bench.send(Body::Scenarios(vec![
            set(0, 100_000, &[(90_000, 90_001), (110_000, 110_001), (100_000, 100_000)]),
            set(1, 5_000, &[(4_000, 4_001), (6_000, 6_001), (5_000, 5_000)]),
        ]));
        for group in 0..4 {
            bench.deposit(group, 400_000);
        }
        for op in ops {
            match op {
                Op::Mark(market, price) => { bench.mark(market, price); }
                Op::Scenarios(sets) => { let _ = bench.send(Body::Scenarios(sets)); }
                Op::Deposit(group, atoms) => { bench.deposit(group, atoms); }
                Op::Trade(a, b, market, lots) => {
                    let price = if market == 0 { 100_000 } else { 5_000 };
                    bench.trade(a, b, market, lots, price);
                }
                Op::Wait => { bench.clock(60_000); }
            }
            let named = bench.named();
            for group in bench.state().book().groups() {
                let mut holdings = Holdings::new();
                bench.state().book().load(group).view(bench.state(), &mut holdings).unwrap();
                let margin = &bench.engine().stack().parts().margin;
                let below = margin.assess(&holdings.group(group), bench.state()).unwrap().below(Level::Maintenance);
                prop_assert!(!below || named.contains(&group), "group {} is below and not named", group);
            }
            prop_assert!(conservation::check(bench.state()).is_ok());
        }
        prop_assert!(bench.replay().is_ok());
    }
}
