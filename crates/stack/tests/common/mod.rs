//! What the laws over generated sequences run on.

use cofferdam_core::{GroupId, Health};
use cofferdam_margin_engine::Holdings;
use cofferdam_stack::{Parts, RiskStack, State};
use cofferdam_testkit::{Bench, compose, modules, script};
use proptest::prelude::ProptestConfig;

/// So many cases.
pub(crate) fn cases(n: u32) -> ProptestConfig {
    // more of them on request: PROPTEST_CASES multiplies by 64ths
    let times: u32 = std::env::var("PROPTEST_CASES").ok().and_then(|x| x.parse().ok()).map_or(64, |x: u32| x);
    let n = n.saturating_mul(times) / 64;
    ProptestConfig { cases: n, max_shrink_iters: 400, failure_persistence: None, ..ProptestConfig::default() }
}

/// Every perpetual stack that the generated laws run on: one built-in exchanged at a time, or two.
pub(crate) fn perpetual(variant: usize) -> Parts {
    let mut parts = if variant.is_multiple_of(2) { compose::perpetual() } else { compose::with_pool() };
    let pick = |n: usize| variant / 2 % n;
    let strategies = modules::strategies().len();
    parts.liquidation = modules::strategies().swap_remove(pick(strategies)).1;
    let allocations = modules::allocations().len();
    parts.allocation = modules::allocations().swap_remove(pick(allocations)).1;
    let waterfalls = modules::waterfalls().len();
    parts.waterfall = modules::waterfalls().swap_remove(pick(waterfalls)).1;
    let requirements = modules::requirements().len();
    parts.margin = Box::new(compose::margin(&|m| {
        modules::requirements().swap_remove((variant / 2 + m.0 as usize) % requirements).1
    }));
    if variant % 3 == 1 {
        for (name, breaker) in modules::breakers() {
            parts.breakers.push(breaker);
            parts.breaker_names.push(name.into());
        }
    }
    if variant % 3 == 2 {
        parts.guards = modules::guards().into_iter().map(|(_, g)| g).collect();
    }
    if variant % 5 == 3 {
        let policies = modules::policies().len();
        parts.prices[2].policy = modules::policies().swap_remove(pick(policies)).1;
    }
    parts
}

/// A bench after the opening of a script.
pub(crate) fn bench(parts: Parts) -> Bench {
    let mut bench = Bench::new(parts).unwrap();
    for op in script::opening() {
        bench.step(&op);
    }
    bench
}

/// The health of a group; `None` where something it holds has no usable price.
pub(crate) fn health(stack: &RiskStack, state: &State, group: GroupId) -> Option<Health> {
    let mut holdings = Holdings::new();
    state.book().load(group).view(state, &mut holdings).ok()?;
    stack.parts().margin.assess(&holdings.group(group), state).ok()
}
