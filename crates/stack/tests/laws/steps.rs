//! What a step may be made of: prices once and first (INV-33), nothing moved on a price that cannot be used (INV-31), a whole
//! that conserves after every step and not only after every input (INV-41), shares and indexes that fall only by a named
//! loss (INV-9), insurance that moves only by named events (INV-30), no debt that nothing backs (INV-23).

use crate::common::{bench, cases, perpetual};
use crate::{Law, law, lending, step, walk};
use cofferdam_core::{Holder, Instrument, Item, LayerId, MarketId, PoolId, Posting, RAY, World};
use cofferdam_stack::{Answer, Fact, LayerState, Reason, State, StepCause, Work};
use cofferdam_testkit::{Bench, compose, conservation, modules, script};
use compose::{ETH, FUND, LENDING_POOL, USDC};
use num_bigint::BigInt;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// INV-33: a step resolves a price at most once and before anything that depends on it; work between inputs resolves none.
fn one_price(cause: &StepCause, facts: &[Fact]) -> Law {
    let (mut seen, mut moved) = (BTreeSet::new(), false);
    for fact in facts {
        match fact {
            Fact::Mark { instrument, role, .. } => {
                let input = matches!(cause, StepCause::Input(_));
                law(33, input && !moved, || format!("{instrument:?} is priced in the middle of {cause:?}"))?;
                law(33, seen.insert((*instrument, *role)), || format!("{instrument:?} is priced twice"))?;
            }
            // the funding of pools and suspense moves with its index, before prices are looked at
            Fact::Post { reason: Reason::Funding, .. } => {}
            Fact::Post { .. } | Fact::OrderPlaced(_) | Fact::OrderFilled { .. } => moved = true,
            _ => {}
        }
    }
    Ok(())
}

/// INV-31: nobody opens and the stack forces nothing where the price is no number. What a venue reports as filled is a fact, whatever the
/// price was.
fn usable(before: &State, cause: &StepCause, facts: &[Fact]) -> Law {
    let mut state = before.clone();
    for fact in facts {
        let on = |market: MarketId| {
            let view = state.market(market).map(|m| m.mark);
            law(31, view.is_some_and(|v| v.is_usable()), || format!("{fact:?} on {view:?}"))
        };
        match fact {
            Fact::OrderPlaced(order) => on(order.market)?,
            Fact::Post { reason, postings } => {
                let forced = matches!(reason, Reason::Takeover | Reason::Deleverage | Reason::Haircut)
                    || (*reason == Reason::Liquidation && matches!(cause, StepCause::Work(_)));
                let markets = postings.iter().filter_map(|p| match p.item {
                    Item::Position(m) => Some(m),
                    _ => None,
                });
                let grows = |p: &&Posting| match (p.holder, p.item) {
                    (Holder::Group(g), Item::Position(m)) => {
                        let held = state.book().position(g, m).map_or(0, |x| i128::from(x.lots.get()));
                        (held + p.units).abs() > held.abs()
                    }
                    _ => false,
                };
                let opens = *reason == Reason::Trade && postings.iter().any(|p| grows(&p));
                for m in markets.filter(|_| forced || opens) {
                    on(m)?;
                }
                let eth = state.asset(ETH).map(|a| a.price);
                let seized = *reason == Reason::Seizure;
                law(31, !seized || eth.is_some_and(|p| p.is_usable()), || format!("seized at {eth:?}"))?;
            }
            _ => {}
        }
        state.evolve(fact).unwrap();
    }
    Ok(())
}

/// What a pool's shares are worth: (whole atoms + 1) / (shares + 1,000), as numerator and denominator.
fn worth(state: &State, pool: PoolId) -> (BigInt, BigInt) {
    let holder = Holder::Pool(pool);
    let lent = BigInt::from(-state.holding(holder, Item::Debt(USDC)).units);
    let index = BigInt::from(state.asset(USDC).map_or(RAY, |a| a.debt_index.get()));
    let assets = state.holding(holder, Item::Asset(USDC)).units + lent * index / BigInt::from(RAY);
    (assets + 1, BigInt::from(1_000 - state.holding(holder, Item::Share(pool)).units))
}

/// INV-9: the debt index never falls, and a share only when its pool is written down.
fn never_falls(before: &State, facts: &[Fact], after: &State) -> Law {
    for asset in [USDC, ETH] {
        let index = |s: &State| s.asset(asset).map(|a| a.debt_index);
        law(9, index(before) <= index(after), || format!("the debt index of {asset} fell"))?;
    }
    let loss = facts.iter().any(|f| matches!(f, Fact::Post { reason: Reason::WriteDown, .. }));
    let ((a, b), (c, d)) = (worth(before, LENDING_POOL), worth(after, LENDING_POOL));
    law(9, loss || &c * &b >= &a * &d, || format!("a share fell from {a}/{b} to {c}/{d} with {facts:?}"))
}

/// INV-30: by which reasons a layer's money may move, and that draws add up to what the layer is said to have paid.
fn insurance(drawn: &mut BTreeMap<LayerId, i128>, facts: &[Fact], after: &State) -> Law {
    for fact in facts {
        if let Fact::Drawn(draw) = fact {
            *drawn.entry(draw.layer).or_default() += draw.value.get();
        }
        let Fact::Post { reason, postings } = fact else { continue };
        for p in postings.iter().filter(|p| matches!(p.holder, Holder::Layer(_))) {
            let named = match reason {
                Reason::Insurance => p.units < 0,
                Reason::Escrow | Reason::Penalty | Reason::Seizure => p.units > 0,
                _ => false,
            };
            law(30, named, || format!("{reason:?} moved {p:?}"))?;
        }
    }
    after.layers().try_for_each(|LayerState { layer, drawn_total, .. }| {
        let sum = drawn.get(layer).copied().unwrap_or(0);
        law(30, drawn_total.get() == sum, || format!("layer {layer} paid {drawn_total}, its draws are {sum}"))
    })
}

/// INV-23: once nothing is due any more, nobody owes who has nothing and waits for no order.
fn backed(after: &State) -> Law {
    if after.due(after.head().at.time).is_some() {
        return Ok(());
    }
    for g in after.book().groups().filter(|g| !after.orders().any(|o| o.group == *g)) {
        let account = after.book().load(g);
        let owes = !account.debts().is_empty() || account.balances().iter().any(|b| b.amount.is_negative());
        let has = !account.positions().is_empty() || account.balances().iter().any(|b| b.amount.get() > 0);
        law(23, has || !owes, || format!("{g} owes and has nothing: {account:?}"))?;
    }
    Ok(())
}

/// All of it. `sane` leaves out what a venue that reports nonsense can bring about.
fn check(bench: &Bench, sane: bool) -> Law {
    let mut drawn = BTreeMap::new();
    walk(bench, |before, cause, facts, after| {
        one_price(cause, facts)?;
        usable(before, cause, facts)?;
        never_falls(before, facts, after)?;
        insurance(&mut drawn, facts, after)?;
        if sane {
            backed(after)?;
        }
        conservation::check(after).map_err(|v| (v.law, format!("within an input: {}", v.what)))
    })
}

fn run(mut bench: Bench, ops: &[script::Op], sane: bool) {
    ops.iter().for_each(|op| step(&mut bench, op));
    if let Err((number, what)) = check(&bench, sane) {
        panic!("INV-{number}: {what}");
    }
}

proptest! {
    #![proptest_config(cases(160))]

    /// INV-23, INV-30, INV-31, INV-33, INV-41 on every combination of built-ins.
    #[test]
    fn every_step_is_lawful(variant in 0_usize..60, ops in script::perpetual(60)) {
        run(bench(perpetual(variant)), &ops, true);
    }

    /// The same with INV-9 where money is lent.
    #[test]
    fn every_step_of_a_loan_is_lawful(ops in script::lending(80)) {
        run(lending(), &ops, true);
    }

    /// The same whatever comes in.
    #[test]
    fn every_step_is_lawful_whatever_comes_in(variant in 0_usize..60, ops in script::hostile(50)) {
        let mut parts = perpetual(variant);
        let mut lending = compose::lending();
        parts.pools.append(&mut lending.pools);
        parts.accruals.append(&mut lending.accruals.split_off(2));
        run(bench(parts), &ops, false);
    }
}

#[test]
fn each_law_of_steps_can_fail() {
    let mut bench = lending();
    bench.mark(0, 100_000);
    bench.commit(FUND, 1_000, true);
    let (state, input) = (bench.state().clone(), StepCause::Input(bench.inputs()[0].id));
    let mark = |price: i64| {
        let mut view = state.market(MarketId(0)).unwrap().mark;
        view.mid = cofferdam_core::Ticks::new(price);
        let (instrument, role) = (Instrument::Market(MarketId(0)), cofferdam_core::PriceRole::Mark);
        Fact::Mark { instrument, role, view }
    };
    let post = |reason, from, to, item, units| {
        let postings = Posting::transfer(from, to, item, units).into();
        Fact::Post { reason, postings }
    };
    let usdc = Item::Asset(USDC);
    let group = |g| Holder::Group(cofferdam_core::GroupId(g));
    let moved = post(Reason::Trade, group(0), group(1), usdc, 1);
    let number = |l: Law| l.err().map(|e| e.0);
    let prices = |cause: &StepCause, facts: &[Fact]| number(one_price(cause, facts));
    assert_eq!(prices(&input, &[mark(1), moved.clone()]), None);
    assert_eq!(prices(&input, &[mark(1), mark(2)]), Some(33));
    assert_eq!(prices(&input, &[moved.clone(), mark(1)]), Some(33));
    assert_eq!(prices(&StepCause::Work(Work::Sweep), &[mark(1)]), Some(33));

    let cut = Posting::position(group(0), MarketId(1), 0, cofferdam_core::Quanta::new(1));
    let back = Posting::position(group(1), MarketId(1), 0, cofferdam_core::Quanta::new(-1));
    let cut = Fact::Post { reason: Reason::Haircut, postings: vec![cut, back] };
    let open = |lots| {
        let side = |g, lots| Posting::position(group(g), MarketId(1), lots, cofferdam_core::Quanta::ZERO);
        Fact::Post { reason: Reason::Trade, postings: vec![side(0, lots), side(1, -lots)] }
    };
    for fact in [cut, open(1), open(-1)] {
        assert_eq!(number(usable(&state, &input, &[fact])), Some(31), "market 1 has no price");
    }

    let after = |facts: &[Fact]| {
        let mut after = state.clone();
        facts.iter().for_each(|f| after.evolve(f).unwrap());
        after
    };
    let pool = Holder::Pool(LENDING_POOL);
    let falls = |facts: &[Fact]| number(never_falls(&state, facts, &after(facts)));
    assert_eq!(falls(&[post(Reason::WriteDown, pool, Holder::Outside, usdc, 1)]), None);
    assert_eq!(falls(&[post(Reason::PoolShares, pool, Holder::Outside, usdc, 1)]), Some(9));
    assert_eq!(falls(&[post(Reason::PoolShares, pool, group(1), Item::Share(LENDING_POOL), 1)]), Some(9));
    assert_eq!(falls(&[Fact::Interest { asset: USDC, to: cofferdam_core::Index::new(1) }]), Some(9));

    let fund = Holder::Layer(FUND);
    let insured = |facts: &[Fact]| number(insurance(&mut BTreeMap::new(), facts, &after(facts)));
    assert_eq!(insured(&[post(Reason::Penalty, group(0), fund, usdc, 1)]), None);
    assert_eq!(insured(&[post(Reason::Insurance, Holder::Outside, fund, usdc, 1)]), Some(30));
    assert_eq!(insured(&[post(Reason::Trade, fund, group(0), usdc, 1)]), Some(30));
    let layer = *state.layers().next().unwrap();
    let paid = LayerState { drawn_total: cofferdam_core::Quanta::new(5), ..layer };
    assert_eq!(insured(&[Fact::Committed(paid)]), Some(30), "paid without a draw");

    assert_eq!(number(backed(&after(&[post(Reason::Borrow, group(9), Holder::Outside, usdc, 1)]))), Some(23));
    assert_eq!(number(backed(&state)), None);
}

/// INV-23: an account closes at the mark by itself, and what it cannot pay is the house's in the same input, whether an order was
/// open (it is taken back) or not (the throttle held the second account's back).
#[test]
fn who_closes_beyond_its_cash_is_settled_at_once() {
    let mut parts = compose::perpetual();
    parts.liquidation = modules::strategies().swap_remove(0).1;
    parts.breakers =
        modules::breakers().into_iter().filter(|(n, _)| *n == "throttle").map(|(_, b)| b).collect();
    let mut bench = Bench::new(parts).unwrap();
    bench.mark(0, 100_000);
    for (group, atoms) in [(1, 4_000_000), (2, 400_000), (3, 1 << 40)] {
        bench.deposit(group, atoms);
    }
    bench.trade(1, 3, 0, 10_000, 100_000);
    bench.trade(2, 3, 0, 1_000, 100_000);
    bench.mark(0, 88_000);
    assert_eq!(bench.orders().iter().map(|o| o.group.0).collect::<Vec<_>>(), [1]);
    let close = |bench: &mut Bench, group| {
        let lots = -bench.lots(group, 0);
        assert_eq!(bench.trade(group, 3, 0, lots, 88_000), Answer::Done);
        bench.balance(group, USDC)
    };
    assert_eq!(close(&mut bench, 2), 0);
    assert_eq!(backed(bench.state()), Ok(()));
    assert_eq!(close(&mut bench, 1), 0);
    assert_eq!(bench.state().orders().count(), 0, "its order was taken back");
    assert_eq!(backed(bench.state()), Ok(()));
}
