//! Nothing depends on who computes a state, when, or in how many sittings (INV-38, INV-39), and a module that panics leaves no
//! half of a step behind (INV-41).

use crate::common::{bench, cases, perpetual};
use cofferdam_core::{Lots, MarketId, Memory, PriceView, Quanta, Quote, Ticks};
use cofferdam_liquidation_strategy::{FillGuard, LiquidationError};
use cofferdam_oracle::{Ask, OracleError, PricePolicy, Reference};
use cofferdam_stack::{
    Answer, Engine, EvolveError, Fact, FactFrame, JournalKind, JournalReader, JournalWriter, Parts,
    RiskStack, State, StepLimit,
};
use cofferdam_testkit::{Bench, compose, conservation, script};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use script::Op;
use std::sync::atomic::{AtomicI64, Ordering};

/// What a run comes to: its facts, and the hash of the state that they lead to.
type Run = ([u8; 32], Vec<Vec<Fact>>);

fn run_of(bench: &Bench) -> Run {
    (bench.state().hash(), bench.history().steps.iter().map(|(_, f)| f.clone()).collect())
}

fn live(parts: Parts, ops: &[Op]) -> Run {
    let mut bench = bench(parts);
    ops.iter().for_each(|op| drop(bench.step(op)));
    run_of(&bench)
}

/// Runs the same scripts one after the other and all at once, each on a thread of its own and last first.
fn alone_and_together(parts: &(dyn Fn(usize) -> Parts + Sync)) -> (Vec<Run>, Vec<Run>) {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = script::perpetual(80);
    let scripts: Vec<Vec<Op>> = (0..12).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let alone = scripts.iter().enumerate().map(|(i, ops)| live(parts(i), ops)).collect();
    let mut together: Vec<(usize, Run)> = std::thread::scope(|scope| {
        let threads: Vec<_> = scripts
            .iter()
            .enumerate()
            .rev()
            .map(|(i, ops)| scope.spawn(move || (i, live(parts(i), ops))))
            .collect();
        threads.into_iter().map(|t| t.join().unwrap()).collect()
    });
    together.sort_by_key(|(i, _)| *i);
    (alone, together.into_iter().map(|(_, r)| r).collect())
}

/// INV-38: facts and hashes are the same on one thread and on twelve.
#[test]
fn threads_do_not_matter() {
    let (alone, together) = alone_and_together(&|i| perpetual(i * 5));
    assert!(alone == together, "a result depends on the thread it was computed on");
}

/// A price that depends on how many were asked for before, by anybody: what no module may be.
#[derive(Debug)]
struct Drifting(Box<dyn PricePolicy>);

static ASKED: AtomicI64 = AtomicI64::new(0);

impl PricePolicy for Drifting {
    fn resolve(
        &self,
        ask: &Ask,
        quotes: &[Quote],
        reference: &Reference,
        memory: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        let mut view = self.0.resolve(ask, quotes, reference, memory)?;
        let high = view.high.get().saturating_add(ASKED.fetch_add(1, Ordering::Relaxed));
        view.high = Ticks::new(high);
        Ok(view)
    }
}

#[test]
fn a_module_with_a_memory_of_its_own_is_found() {
    let (alone, together) = alone_and_together(&|_| {
        let mut parts = compose::perpetual();
        parts.prices[2].policy = Box::new(Drifting(compose::latest()));
        parts
    });
    assert!(alone != together);
}

/// A journal of facts, read back into a state.
fn through_a_journal(stack: &RiskStack, steps: &[Vec<Fact>]) -> Result<State, EvolveError> {
    let mut bytes = Vec::new();
    let mut journal = JournalWriter::new(&mut bytes, JournalKind::Facts).unwrap();
    journal.append(&FactFrame::Genesis(stack.initial_state().genesis())).unwrap();
    steps.iter().for_each(|s| journal.append(&FactFrame::Step(s.clone())).unwrap());
    journal.finish().unwrap();
    let mut state = State::default();
    for frame in JournalReader::<_, FactFrame>::new(&bytes[..], JournalKind::Facts).unwrap() {
        match frame.unwrap() {
            FactFrame::Genesis(g) => state = g.into(),
            FactFrame::Step(facts) => facts.iter().try_for_each(|f| state.evolve(f))?,
            FactFrame::End { .. } => {}
        }
    }
    Ok(state)
}

proptest! {
    #![proptest_config(cases(160))]

    /// INV-39: an engine that is resumed on what a journal says goes on exactly as the one that never stopped. The cut may fall
    /// between two inputs; what is then due, open or remembered is in the facts or it is lost.
    #[test]
    fn resuming_changes_nothing(variant in 0_usize..60, ops in script::perpetual(60), cut in 0.0_f64..1.0) {
        let mut whole = bench(perpetual(variant));
        ops.iter().for_each(|op| drop(whole.step(op)));
        let inputs = whole.inputs();
        let at = (inputs.len() as f64 * cut) as usize;
        // up to the cut, and from there on what the journal gives back
        let mut first = Engine::new(RiskStack::new(perpetual(variant)).unwrap());
        let mut facts = cofferdam_testkit::History::default();
        for input in &inputs[..at] {
            drop(first.submit(input, &mut facts).unwrap());
        }
        let steps: Vec<Vec<Fact>> = facts.steps.iter().map(|(_, f)| f.clone()).collect();
        let stack = RiskStack::new(perpetual(variant)).unwrap();
        let state = through_a_journal(&stack, &steps).unwrap();
        prop_assert_eq!(state.hash(), first.state().hash());
        let mut second = Engine::resume(stack, state, StepLimit::default());
        for input in &inputs[at..] {
            drop(second.submit(input, &mut facts).unwrap());
        }
        prop_assert_eq!(second.state().hash(), whole.state().hash());
        prop_assert_eq!(&facts.steps, &whole.history().steps);
    }
}

/// A snapshot that lost a fact does not go on alike: the law above can fail.
#[test]
fn a_lost_step_is_noticed() {
    let mut bench = bench(compose::perpetual());
    bench.trade(1, 2, 0, 1_000, 100_000);
    let (_, steps) = run_of(&bench);
    let stack = RiskStack::new(compose::perpetual()).unwrap();
    assert_eq!(through_a_journal(&stack, &steps).unwrap().hash(), bench.state().hash());
    for lost in 0..steps.len() {
        let mut fewer = steps.clone();
        fewer.remove(lost);
        let other = through_a_journal(&stack, &fewer);
        assert!(other.is_err() || other.is_ok_and(|s| s.hash() != bench.state().hash()), "step {lost}");
    }
}

/// A guard that panics on thirteen lots.
#[derive(Debug)]
struct Superstitious;

impl FillGuard for Superstitious {
    fn accept(
        &self,
        _: &cofferdam_core::Case<'_>,
        _: MarketId,
        lots: Lots,
        _: Ticks,
        _: Quanta,
    ) -> Result<bool, LiquidationError> {
        assert!(lots.get().abs() != 13, "thirteen");
        Ok(true)
    }
}

/// INV-41: a module that panics takes its step with it and nothing else: the engine is as it was and goes on.
#[test]
fn a_panic_leaves_the_state_whole() {
    let mut bench = bench(Parts { guards: vec![Box::new(Superstitious)], ..compose::perpetual() });
    let hash = bench.state().hash();
    let thrown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| bench.trade(1, 2, 0, 13, 100_000)));
    assert!(thrown.is_err());
    assert_eq!(bench.state().hash(), hash);
    assert_eq!(bench.trade(1, 2, 0, 12, 100_000), Answer::Done);
    conservation::check(bench.state()).unwrap();
    bench.replay().unwrap();
}
