//! Every check of this crate can fail: facts that nobody should ever write are written here by hand.

use cofferdam_core::{GroupId, Holder, House, Item, MarketId, Posting, Quanta};
use cofferdam_stack::{Fact, Reason};
use cofferdam_testkit::{Bench, Reference, compose, conservation, faults, modules};
use compose::{FUND, USDC};

fn bench() -> Bench {
    let mut bench = Bench::new(compose::perpetual()).unwrap();
    bench.mark(0, 100_000);
    bench.deposit(1, 10_000_000);
    bench.deposit(2, 10_000_000);
    bench.trade(1, 2, 0, 1_000, 100_000);
    bench
}

fn check(postings: Vec<Posting>, law: Option<u8>) {
    let mut state = bench().state().clone();
    state.evolve(&Fact::Post { reason: Reason::Settlement, postings: postings.clone() }).unwrap();
    assert_eq!(conservation::check(&state).err().map(|v| v.law), law, "{postings:?}");
}

#[test]
fn what_nobody_may_do_is_found() {
    let usdc = Item::Asset(USDC);
    let one = |from, to| Posting::transfer(from, to, usdc, 1).into();
    check(one(Holder::Outside, Holder::Group(GroupId(1))), None);
    // INV-7: a layer pays what it has not, the deficit turns into a hoard, a claim that no draw made
    check(one(Holder::Layer(FUND), Holder::Outside), Some(7));
    check(one(Holder::Outside, Holder::House(House::Deficit)), Some(7));
    check(one(Holder::House(House::Receivable), Holder::Outside), Some(7));
    // INV-5: the clearing account pays out more than was settled, in cash or in cost
    check(one(Holder::House(House::Unsettled), Holder::Group(GroupId(1))), Some(5));
    let cost = |holder, quanta| Posting::position(holder, MarketId(0), 0, Quanta::new(quanta));
    check(vec![cost(Holder::Group(GroupId(1)), -1), cost(Holder::House(House::Unsettled), 1)], Some(5));
}

#[test]
fn the_reference_model_contradicts_a_false_fact() {
    let bench = bench();
    let mut model = Reference::new();
    for fact in bench.history().steps.iter().flat_map(|(_, facts)| facts) {
        model.learn(fact).unwrap();
    }
    model.compare(bench.engine()).unwrap();
    let gift = Posting::transfer(Holder::Outside, Holder::Group(GroupId(1)), Item::Asset(USDC), 1);
    model.learn(&Fact::Post { reason: Reason::Deposit, postings: gift.into() }).unwrap();
    assert_eq!(model.compare(bench.engine()).unwrap_err().group, GroupId(1));
    // funding that was not owed
    let charge = vec![Posting::position(Holder::Group(GroupId(2)), MarketId(0), 0, Quanta::new(5))];
    assert!(Reference::new().learn(&Fact::Post { reason: Reason::Funding, postings: charge }).is_err());
}

#[test]
fn replaying_other_facts_is_noticed() {
    let bench = bench();
    bench.replay().unwrap();
    let mut state = bench.replay().unwrap();
    let gift = Posting::transfer(Holder::Outside, Holder::Group(GroupId(1)), Item::Asset(USDC), 1);
    state.evolve(&Fact::Post { reason: Reason::Deposit, postings: gift.into() }).unwrap();
    assert_ne!(state.hash(), bench.state().hash());
}

/// A breaker that may not say what it says is found by the suite of its room.
#[test]
fn a_breaker_that_admits_nothing_fails_its_suite() {
    use cofferdam_circuit_breaker::conformance;
    let steps = conformance::hostile_steps(7, 50);
    let profile = conformance::Profile {
        patience: modules::recovery().expires,
        expires_within: Some(modules::recovery().expires),
        budget: None,
    };
    assert!(conformance::check(&faults::AdmitsNothing, &profile, &steps).is_err());
    assert!(conformance::check(modules::drawdown().as_ref(), &profile, &steps).is_ok());
}

/// Every module of [`modules`] composes into a stack that takes a deposit.
#[test]
fn every_built_in_composes() {
    let compose_with = |change: &mut dyn FnMut(&mut cofferdam_stack::Parts)| {
        let mut parts = compose::perpetual();
        change(&mut parts);
        let mut bench = Bench::new(parts).unwrap();
        bench.deposit(1, 5);
        assert_eq!(bench.balance(1, USDC), 5);
    };
    for (_, x) in modules::strategies() {
        let mut x = Some(x);
        compose_with(&mut |p| p.liquidation = x.take().unwrap());
    }
    for (_, x) in modules::allocations() {
        let mut x = Some(x);
        compose_with(&mut |p| p.allocation = x.take().unwrap());
    }
    for (_, x) in modules::waterfalls() {
        let mut x = Some(x);
        compose_with(&mut |p| p.waterfall = x.take().unwrap());
    }
    for (_, x) in modules::policies() {
        let mut x = Some(x);
        compose_with(&mut |p| p.prices[2].policy = x.take().unwrap());
    }
    compose_with(&mut |p| p.breakers = modules::breakers().into_iter().map(|(_, b)| b).collect());
    compose_with(&mut |p| p.guards = modules::guards().into_iter().map(|(_, g)| g).collect());
}
