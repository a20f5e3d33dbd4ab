//! Drained means empty: whatever happened, once everybody has closed, repaid, redeemed and withdrawn, no reservation, sum or
//! queue is left, and what is left in the clearing account is dust, bounded by one unit per posting (INV-5, INV-45).

use crate::common::{bench, cases, perpetual};
use crate::{Law, law, lending};
use cofferdam_core::{Amount, GroupId, Holder, House, Item, Lots, MarketId, Ticks, World};
use cofferdam_stack::{Answer, Body, Fact, OrderOutcome, Parts, State};
use cofferdam_testkit::{Bench, compose, script};
use compose::{ETH, LENDING_POOL, TRADING_POOL, USDC};
use proptest::prelude::*;
use script::{Op, Reply};

/// Lots that nobody owns stay in suspense until a venue reports their counterpart, and so does money beyond a draw: scripts
/// that make them cannot be drained.
fn drainable(bench: &Bench, op: &Op) -> bool {
    match op {
        Op::Answer { which, reply } => {
            let asked = which.checked_rem(bench.orders().len()).map(|at| bench.orders()[at].id);
            let open = bench.state().orders().find(|o| Some(o.id) == asked);
            open.is_some_and(|o| o.expires > bench.now())
                && !matches!(reply, Reply::Over { .. } | Reply::Opposite | Reply::Twice | Reply::Late { .. })
        }
        Op::Settle { paid_ppb, twice, .. } => *paid_ppb <= 1_000_000_000 && !twice,
        _ => true,
    }
}

fn calm(bench: &mut Bench) {
    for order in bench.state().orders().copied().collect::<Vec<_>>() {
        drop(bench.send(Body::OrderEnded { order: order.id, outcome: OrderOutcome::Cancelled }));
    }
    for draw in bench.state().draws().copied().collect::<Vec<_>>() {
        drop(bench.send(Body::Settlement { draw: draw.id, paid: draw.amount }));
    }
}

/// Closes every position against the other side, or against the pool, at the mark.
fn close(bench: &mut Bench, market: MarketId) {
    for _ in 0..60 {
        calm(bench);
        let held: Vec<(GroupId, i64)> = bench
            .state()
            .book()
            .groups()
            .filter_map(|g| bench.state().book().position(g, market).map(|p| (g, p.lots.get())))
            .filter(|(_, lots)| *lots != 0)
            .collect();
        let Some(&(g, lots)) = held.iter().max_by_key(|(_, l)| l.abs()) else { return };
        let price = bench.state().market(market).unwrap().mark.mid;
        let body = match held.iter().find(|(_, l)| l.signum() == -lots.signum()) {
            Some(&(other, theirs)) => {
                let size = lots.abs().min(theirs.abs());
                let lots = Lots::new(-lots.signum() * size);
                Body::Trade { taker: g, maker: other, market, lots, price }
            }
            None => {
                let limit = if lots < 0 { Ticks::new(i64::MAX) } else { Ticks::ONE };
                Body::PoolTrade { taker: g, market, lots: Lots::new(-lots), limit }
            }
        };
        drop(bench.send(body));
        bench.clock(1);
    }
}

/// Everybody goes home.
fn drain(bench: &mut Bench) {
    // money for who is short of it, as an owner would bring it; then no liquidation is in the way
    for g in bench.state().book().groups().collect::<Vec<_>>() {
        bench.deposit(g.0, 1 << 60);
    }
    // and for a pool that has to pay them: it pays out of what it has
    bench.deposit(63, 1 << 60);
    drop(bench.send(Body::Supply { group: GroupId(63), pool: TRADING_POOL, amount: Amount::new(1 << 59) }));
    close(bench, MarketId(0));
    close(bench, MarketId(1));
    for g in bench.state().book().groups().collect::<Vec<_>>() {
        let repay = Body::Repay { group: g, pool: LENDING_POOL, amount: Amount::new(1 << 60) };
        drop(bench.send(repay));
    }
    for g in (0..64).map(GroupId) {
        for pool in [LENDING_POOL, TRADING_POOL] {
            let shares = bench.state().holding(Holder::Group(g), Item::Share(pool)).units;
            if shares > 0 {
                let shares = shares.unsigned_abs();
                drop(bench.send(Body::Redeem { group: g, pool, shares }));
            }
        }
    }
    calm(bench);
    for _ in 0..20 {
        let Some(due) = bench.state().next_due() else { break };
        bench.clock(due.0.saturating_sub(bench.now().0));
        calm(bench);
    }
    for g in bench.state().book().groups().collect::<Vec<_>>() {
        for asset in [USDC, ETH] {
            let all = bench.balance(g.0, asset);
            if all > 0 {
                assert_eq!(bench.withdraw_of(g.0, asset, all), Answer::Done, "INV-35: {g} owes nothing");
            }
        }
    }
}

/// INV-45, and INV-5 with as many units of dust as there were postings.
fn empty(state: &State, postings: i128) -> Law {
    let held: Vec<_> = state.book().groups().map(|g| (g, state.book().load(g))).collect();
    law(45, held.is_empty(), || format!("accounts are left: {held:?}"))?;
    law(45, state.orders().count() == 0 && state.draws().count() == 0, || "orders or draws are left".into())?;
    law(45, state.next_due().is_none(), || format!("work is left, due at {:?}", state.next_due()))?;
    for m in [0, 1].map(MarketId) {
        let open = state.market(m).map_or(Lots::ZERO, |v| v.open_interest);
        law(45, open.is_zero(), || format!("market {m} has {open} lots of open interest"))?;
    }
    for ((holder, item), h) in state.ledger() {
        let number = if *holder == Holder::House(House::Unsettled) { 5 } else { 45 };
        let fine = match (holder, item) {
            // a quantum or an atom per posting, in the house's favour
            (Holder::House(House::Unsettled), Item::Asset(_)) => (0..=postings).contains(&h.units),
            (Holder::House(House::Unsettled), Item::Position(_)) => h.cost.get().abs() <= postings * 1_000,
            // what was paid in and never drawn, penalties and fees, and losses carried openly
            (Holder::Outside | Holder::Layer(_), Item::Asset(_)) => true,
            (Holder::House(House::Fees | House::Dust | House::Deficit), Item::Asset(_)) => true,
            // a pool that traded keeps what it won or lost; one that lent what rounding left it
            (Holder::Pool(_), Item::Asset(_)) => true,
            _ => h.units == 0 && h.cost.is_zero(),
        };
        law(number, fine, || format!("{holder:?} still holds {h:?} of {item:?} after {postings} postings"))?;
    }
    Ok(())
}

fn run(mut bench: Bench, ops: &[Op]) {
    for op in ops {
        if drainable(&bench, op) {
            bench.step(op);
        }
    }
    for m in [0, 1] {
        bench.mark(m, 100_000);
    }
    bench.eth(200_000_000_000);
    drain(&mut bench);
    let postings = bench.history().steps.iter().flat_map(|(_, f)| f).map(|f| match f {
        Fact::Post { postings, .. } => postings.len(),
        _ => 0,
    });
    let postings = i128::try_from(postings.sum::<usize>()).unwrap();
    if let Err((number, what)) = empty(bench.state(), postings) {
        panic!("INV-{number}: {what}");
    }
}

proptest! {
    #![proptest_config(cases(240))]

    /// INV-5, INV-45 on every combination of built-ins; breakers, which pace the way out, are left out.
    #[test]
    fn whoever_leaves_leaves_nothing(variant in 0_usize..60, ops in script::perpetual(60)) {
        run(bench(Parts { breakers: Vec::new(), breaker_names: Vec::new(), ..perpetual(variant) }), &ops);
    }

    /// The same where money is lent.
    #[test]
    fn a_lending_pool_drains(ops in script::lending(60)) {
        run(lending(), &ops);
    }
}

/// The law can fail: a lot, an atom, an order, an entry of the queue or too much dust that stays is found.
#[test]
fn what_stays_is_found() {
    let mut bench = bench(compose::perpetual());
    drain(&mut bench);
    assert_eq!(empty(bench.state(), 10), Ok(()));
    let after = |fact: Fact| {
        let mut state = bench.state().clone();
        state.evolve(&fact).unwrap();
        empty(&state, 10).err().map(|e| e.0)
    };
    let post = |from, to, item, units| Fact::Post {
        reason: cofferdam_stack::Reason::Suspense,
        postings: cofferdam_core::Posting::transfer(from, to, item, units).into(),
    };
    let (out, unsettled) = (Holder::Outside, Holder::House(House::Unsettled));
    assert_eq!(after(post(out, Holder::Group(GroupId(1)), Item::Asset(USDC), 1)), Some(45));
    assert_eq!(after(post(out, Holder::House(House::Suspense), Item::Asset(USDC), 1)), Some(45));
    assert_eq!(after(post(out, Holder::Pool(LENDING_POOL), Item::Share(LENDING_POOL), 1)), Some(45));
    assert_eq!(after(post(out, unsettled, Item::Asset(USDC), 10)), None);
    assert_eq!(after(post(out, unsettled, Item::Asset(USDC), 11)), Some(5));
    assert_eq!(after(post(unsettled, out, Item::Asset(USDC), 1)), Some(5));
    let key = cofferdam_stack::WorkKey { due: bench.now(), priority: 0, number: 1 << 40 };
    assert_eq!(after(Fact::WorkAdded { key, work: cofferdam_stack::Work::Sweep }), Some(45));
}
