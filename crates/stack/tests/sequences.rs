//! Laws over generated sequences of inputs, sane and hostile, on every built-in module.

mod common;

use cofferdam_core::{GroupId, Level, Lots, World};
use cofferdam_stack::{
    Answer, Body, Effect, Engine, Fact, Input, InputId, RiskStack, State, StepCause, Work,
};
use cofferdam_testkit::{Bench, Reference, compose, conservation, modules, script};
use common::{bench, cases, health, perpetual};
use proptest::prelude::*;
use script::Op;
use std::collections::BTreeSet;

/// Whether a group is below maintenance.
fn below(engine: &Engine, group: GroupId) -> bool {
    health(engine.stack(), engine.state(), group).is_some_and(|h| h.below(Level::Maintenance))
}

/// INV-16, INV-46: the index names everybody who is below maintenance, and a sweep with its names and one with all names
/// decide the same.
fn index_is_full(bench: &mut Bench) {
    let named: BTreeSet<GroupId> = bench.named().into_iter().collect();
    let all: Vec<GroupId> = bench.state().book().groups().collect();
    for g in &all {
        assert!(
            !below(bench.engine(), *g) || named.contains(g),
            "INV-16: group {g} is below and was not named"
        );
    }
    let stack = bench.engine().stack();
    // an entry that is not in the queue cannot be taken out: the fact of it is left out of the comparison by using one that is
    let mut state = bench.state().clone();
    let key =
        cofferdam_stack::WorkKey { due: cofferdam_core::Millis::ZERO, priority: 0, number: u64::MAX - 1 };
    state.evolve(&Fact::WorkAdded { key, work: Work::Sweep }).unwrap();
    let few: Vec<GroupId> = named.into_iter().collect();
    let reversed: Vec<GroupId> = all.iter().rev().copied().collect();
    let with = |names: &[GroupId]| stack.decide_work(&state, key, Work::Sweep, names);
    assert_eq!(with(&few), with(&all), "INV-16");
    assert_eq!(with(&reversed), with(&all), "INV-46");
}

/// INV-42, INV-38: deciding is pure, and time does not run backwards.
fn step(bench: &mut Bench, op: &Op) {
    let before = bench.state().head().at;
    if let Op::Send { body, .. } = op {
        let input = bench.next_input(body.clone());
        let (stack, state) = (bench.engine().stack(), bench.state());
        let hash = state.hash();
        assert_eq!(
            stack.decide(state, &input),
            stack.decide(state, &input),
            "INV-38: decide is not a function"
        );
        assert_eq!(hash, bench.state().hash(), "INV-38: decide wrote to the state");
    }
    let started = bench.history().steps.len();
    let outcome = bench.step(op);
    let steps = outcome.map_or(0, |o| o.steps);
    // INV-43: cost bounded by what is held, not by what an input says
    if steps > 2_000 {
        let first: Vec<_> = bench.history().steps[started..].iter().take(12).collect();
        panic!("INV-43: {op:?} took {steps} steps\n{first:#?}");
    }
    let after = bench.state().head().at;
    assert!(before.time <= after.time && before.block <= after.block, "INV-42");
    if let Err(v) = conservation::check(bench.state()) {
        panic!(
            "{v}\nafter {op:?}\nlast steps {:#?}",
            bench.history().steps.iter().rev().take(3).collect::<Vec<_>>()
        );
    }
}

fn run(bench: &mut Bench, ops: &[Op]) {
    for op in ops {
        step(bench, op);
    }
    index_is_full(bench);
    bench.replay().unwrap();
}

proptest! {
    #![proptest_config(cases(160))]

    /// INV-1, INV-2, INV-5, INV-7, INV-8, INV-16, INV-38, INV-39, INV-42 on every combination of built-ins.
    #[test]
    fn perpetual_sequences_conserve(variant in 0_usize..60, ops in script::perpetual(60)) {
        run(&mut bench(perpetual(variant)), &ops);
    }

    /// The same for a lending pool, with INV-23: no debt without collateral is left open by a keeper.
    #[test]
    fn lending_sequences_conserve(ops in script::lending(60)) {
        let mut bench = Bench::new(compose::lending()).unwrap();
        for op in script::lending_opening() {
            bench.step(&op);
        }
        run(&mut bench, &ops);
    }

    /// INV-43, INV-41: whatever comes in, there is an answer, and everything still sums to zero.
    #[test]
    fn hostile_sequences_conserve(variant in 0_usize..60, ops in script::hostile(50)) {
        let mut parts = perpetual(variant);
        let mut lending = compose::lending();
        parts.pools.append(&mut lending.pools);
        parts.accruals.append(&mut lending.accruals.split_off(2));
        run(&mut bench(parts), &ops);
    }

    /// INV-16: after every input the engine agrees with a slow model in fractions: cash, cost, health, and who is below.
    #[test]
    fn the_reference_model_agrees(variant in 0_usize..16, ops in script::perpetual(60)) {
        let mut parts = perpetual(variant * 2);
        parts.margin = compose::perpetual().margin;
        let mut bench = Bench::new(parts).unwrap();
        let (mut model, mut seen) = (Reference::new(), 0);
        for op in script::opening().iter().chain(&ops) {
            bench.step(op);
            for (cause, facts) in &bench.history().steps[seen..] {
                if *cause == StepCause::Work(Work::Sweep) {
                    let queued: BTreeSet<GroupId> = facts.iter().filter_map(|f| match f {
                        Fact::WorkAdded { work: Work::Liquidate { group }, .. } => Some(*group),
                        _ => None,
                    }).collect();
                    prop_assert!(queued.is_subset(&model.below()), "INV-17: {queued:?} {:?}", model.below());
                }
                for fact in facts {
                    model.learn(fact).unwrap();
                }
            }
            seen = bench.history().steps.len();
            if let Err(m) = model.compare(bench.engine()) {
                panic!("INV-16: {m} after {op:?}");
            }
            let all = bench.state().book().groups().filter(|g| below(bench.engine(), *g)).collect::<BTreeSet<_>>();
            prop_assert_eq!(all, model.below());
        }
    }

    /// INV-40: an input that was answered is answered the same way again, and changes nothing.
    #[test]
    fn duplicates_change_nothing(variant in 0_usize..60, ops in script::perpetual(40)) {
        let mut bench = bench(perpetual(variant));
        for op in &ops {
            let sent = bench.inputs().len();
            let Some(outcome) = bench.step(op) else { continue };
            if matches!(op, Op::Again { .. }) || bench.inputs().len() != sent + 1 {
                continue;
            }
            let hash = bench.state().hash();
            let input = bench.inputs().last().unwrap().clone();
            let again = bench.submit(input);
            prop_assert_eq!(&again.answer, &outcome.answer);
            prop_assert_eq!((again.effects.len(), bench.state().hash()), (0, hash));
        }
    }

    /// INV-41: a refused request leaves nothing but the fact that it was taken in.
    #[test]
    fn a_refusal_changes_nothing(variant in 0_usize..60, ops in script::perpetual(40)) {
        let mut bench = bench(perpetual(variant));
        for op in &ops {
            if let Op::Send { body, .. } = op {
                let input = bench.next_input(body.clone());
                let decision = bench.engine().stack().decide(bench.state(), &input);
                if let Some(Answer::Refused(_)) = decision.answer {
                    prop_assert!(decision.facts.len() <= 1);
                    let only_input = decision.facts.iter().all(|f| matches!(f, Fact::Input { .. }));
                    prop_assert!(only_input);
                    let sends = |e: &Effect| matches!(e, Effect::Order { .. } | Effect::Settle { .. });
                    let sent = decision.effects.iter().any(sends);
                    prop_assert!(!sent);
                }
            }
            bench.step(op);
        }
    }

    /// INV-46: who is liquidated, and in which order, does not depend on when accounts came or in which order they did.
    #[test]
    fn the_order_of_liquidation_does_not_depend_on_insertion(
        sizes in prop::collection::vec((1_i64..2_000, 1_i128..20_000_000), 2..12), fall in 60_000_i64..100_000,
    ) {
        let build = |order: &[usize]| {
            let mut bench = bench(compose::perpetual());
            for i in order {
                let (lots, cash) = sizes[*i];
                let g = 10 + u32::try_from(*i).unwrap();
                bench.deposit(g, cash);
                bench.trade(g, 40, 0, lots, 100_000);
            }
            let seen = bench.history().steps.len();
            bench.mark(0, fall);
            let queued: Vec<GroupId> = bench.history().steps[seen..].iter().flat_map(|(_, f)| f).filter_map(|f| match f {
                Fact::WorkAdded { work: Work::Liquidate { group }, .. } => Some(*group),
                _ => None,
            }).collect();
            let ordered: Vec<(GroupId, Lots)> = bench.orders().iter().map(|o| (o.group, o.lots)).collect();
            (queued, ordered)
        };
        let forward: Vec<usize> = (0..sizes.len()).collect();
        let backward: Vec<usize> = forward.iter().rev().copied().collect();
        prop_assert_eq!(build(&forward), build(&backward));
    }

    /// INV-20: at fixed prices, with a taker for everything, every crank changes something until nobody is below, and the
    /// number of those below never grows.
    #[test]
    fn liquidation_makes_progress(strategy in 0_usize..7, ops in script::perpetual(40), fall in 50_000_i64..150_000) {
        let mut parts = compose::perpetual();
        parts.liquidation = modules::strategies().swap_remove(strategy).1;
        let mut bench = bench(parts);
        bench.deposit(modules::VAULT.0, 1 << 50);
        for op in ops.iter().filter(|o| matches!(o, Op::TradeNearMark { .. } | Op::Send { body: Body::Deposit { .. }, .. })) {
            bench.step(op);
        }
        bench.mark(0, fall);
        // past this, time costs funding, which is not what is tested
        let count = |b: &Bench| b.state().book().groups().filter(|g| below(b.engine(), *g)).count();
        let mut last = count(&bench);
        for _ in 0..200 {
            if count(&bench) == 0 {
                break;
            }
            bench.fill_all(fall);
            bench.clock(30_001);
            let now = count(&bench);
            prop_assert!(now <= last, "INV-20: {last} were below, {now} are");
            last = now;
        }
        let stuck: Vec<GroupId> = bench.state().book().groups().filter(|g| below(bench.engine(), *g)).collect();
        // who is left has nobody on the other side who could bear it, and an alarm says so
        let held: Vec<_> = stuck.iter().map(|g| bench.state().book().load(*g)).collect();
        prop_assert!(
            stuck.is_empty() || !bench.alarms().is_empty(),
            "INV-20: {stuck:?} are stuck in silence with {held:?} {:#?}", bench.history().steps.iter().rev().take(8).collect::<Vec<_>>()
        );
        conservation::check(bench.state()).unwrap();
    }
}

/// INV-42, INV-40: an input from the past is refused, and the same number later is as good as any.
#[test]
fn the_clock_cannot_run_backwards() {
    let mut bench = bench(compose::perpetual());
    bench.clock(1_000);
    let hash = bench.state().hash();
    let past = Input { time: cofferdam_core::Millis(5), ..bench.next_input(Body::Clock) };
    assert!(matches!(bench.submit(past).answer, Answer::Refused(_)));
    let block = Input { block: 7, ..bench.next_input(Body::Clock) };
    assert_eq!(bench.submit(block).answer, Answer::Done);
    let earlier = Input { id: InputId { source: 2, number: 1 }, ..bench.next_input(Body::Clock) };
    assert!(matches!(bench.submit(earlier).answer, Answer::Refused(_)), "an earlier block");
    assert_ne!(hash, bench.state().hash());
    let stack = RiskStack::new(compose::perpetual()).unwrap();
    let fresh: State = stack.initial_state();
    assert!(fresh.market(cofferdam_core::MarketId(0)).is_some());
}

/// What the generators reach: a law that is only ever checked on quiet days says little. Deterministic, so that it is the same
/// sequences every time.
#[test]
fn the_generators_reach_what_they_should() {
    use cofferdam_stack::Reason::{
        BadDebt, Borrow, Deleverage, Deposit, Escrow, Funding, Haircut, Insurance, Liquidation, Penalty,
        PoolShares, Repay, Seizure, Settlement, Suspense, Takeover, Trade, Withdrawal, WriteDown,
    };
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut reached = std::collections::BTreeMap::new();
    let mut count = |bench: &Bench| {
        for fact in bench.history().steps.iter().flat_map(|(_, f)| f) {
            if let Fact::Post { reason, .. } = fact {
                *reached.entry(*reason).or_insert(0_u32) += 1;
            }
        }
    };
    for variant in 0..240 {
        let ops = script::perpetual(150).new_tree(&mut runner).unwrap().current();
        let mut bench = bench(perpetual(variant));
        bench.deposit(modules::VAULT.0, 1 << 50);
        ops.iter().for_each(|op| drop(bench.step(op)));
        count(&bench);
        let ops = script::lending(80).new_tree(&mut runner).unwrap().current();
        let mut bench = Bench::new(compose::lending()).unwrap();
        script::lending_opening().iter().chain(&ops).for_each(|op| drop(bench.step(op)));
        count(&bench);
    }
    for reason in [
        Deposit,
        Withdrawal,
        Trade,
        Liquidation,
        Penalty,
        Takeover,
        Seizure,
        Funding,
        BadDebt,
        Insurance,
        Haircut,
        Deleverage,
        WriteDown,
        PoolShares,
        Borrow,
        Repay,
        Escrow,
        Settlement,
        Suspense,
    ] {
        let times = reached.get(&reason).copied().unwrap_or(0);
        assert!(times >= 3, "{reason:?} was reached {times} times: {reached:?}");
    }
}
