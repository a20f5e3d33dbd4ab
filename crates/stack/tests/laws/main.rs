//! Laws that look at every single step: what a request may do to anybody's health, what a step may be made of, what a whole
//! life of accounts leaves behind, and that nothing depends on who computes it. Each is a function from states and facts to a
//! verdict, so that facts written by hand show that it can fail.

mod coalitions;
#[path = "../common/mod.rs"]
mod common;
mod drained;
mod pieces;
mod requests;
mod same;
mod steps;

use cofferdam_core::{GroupId, Health, Lots, Ticks, World};
use cofferdam_stack::{Body, Fact, State, StepCause};
use cofferdam_testkit::{Bench, compose, script};
use script::Op;

/// A law's verdict: the number of the invariant, and what broke it.
type Law = Result<(), (u8, String)>;

fn law(number: u8, holds: bool, what: impl FnOnce() -> String) -> Law {
    if holds { Ok(()) } else { Err((number, what())) }
}

/// Every recorded step with the states around it.
fn walk(bench: &Bench, mut law: impl FnMut(&State, &StepCause, &[Fact], &State) -> Law) -> Law {
    let mut before = bench.engine().stack().initial_state();
    for (cause, facts) in &bench.history().steps {
        let mut after = before.clone();
        facts.iter().for_each(|f| after.evolve(f).unwrap());
        law(&before, cause, facts, &after)?;
        before = after;
    }
    Ok(())
}

/// A lending bench after its opening.
fn lending() -> Bench {
    let mut bench = Bench::new(compose::lending()).unwrap();
    script::lending_opening().iter().for_each(|op| drop(bench.step(op)));
    bench
}

/// Does what a script says, with closes as in [`body_of`].
fn step(bench: &mut Bench, op: &Op) {
    match (op, body_of(bench, op)) {
        (Op::TradeNearMark { wait_ms, .. }, Some(body)) => {
            bench.step(&Op::Send { wait_ms: *wait_ms, body });
        }
        _ => drop(bench.step(op)),
    }
}

/// The body that an operation would send now, if it is one that sends a body.
fn body_of(bench: &Bench, op: &Op) -> Option<Body> {
    match op {
        Op::Send { body, .. } => Some(body.clone()),
        Op::TradeNearMark { taker, maker, market, lots, off, .. } => {
            let mark = i128::from(bench.state().market(*market)?.mark.mid.get());
            let price = mark + mark * i128::from(off.0) / 1_000_000_000;
            let (taker, maker, market) = (*taker, *maker, *market);
            // half of those at the mark close what the taker holds, which random lots never hit
            let held = bench.lots(taker.0, market.0);
            let closes = off.0 == 0 && held != 0 && lots.get() % 2 == 0;
            let lots = if closes { Lots::new(-held) } else { *lots };
            let price = Ticks::new(i64::try_from(price).ok()?);
            Some(Body::Trade { taker, maker, market, lots, price })
        }
        _ => None,
    }
}

fn groups(a: &State, b: &State) -> std::collections::BTreeSet<GroupId> {
    a.book().groups().chain(b.book().groups()).collect()
}

fn slack(health: &Health, level: cofferdam_core::Level) -> i128 {
    health.line(level).map_or(0, |l| l.slack())
}
