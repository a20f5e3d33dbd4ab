//! What a set of accounts can get out by dealing with itself: at unchanged prices no more than it has (INV-3). What it could
//! gain beyond that would be a loss left to insurance, to winners or to a pool.

use crate::body_of;
use crate::common::{bench, cases, health, perpetual};
use cofferdam_core::{GroupId, Holder, Item, World};
use cofferdam_stack::{Answer, Body, Fact, Parts, Reason};
use cofferdam_testkit::{Bench, compose, script};
use compose::{ETH, QUANTA_PER_ATOM, USDC};
use num_bigint::BigInt;
use proptest::prelude::*;
use script::Op;

/// Quanta of an amount of an asset at its middle price, times 10^17 so that ETH needs no rounding.
fn value(bench: &Bench, item: Item, units: i128) -> BigInt {
    match item {
        Item::Asset(USDC) => BigInt::from(units) * QUANTA_PER_ATOM * BigInt::from(10).pow(17),
        Item::Asset(ETH) => BigInt::from(units) * bench.state().asset(ETH).map_or(0, |a| a.price.mid.get()),
        _ => BigInt::ZERO,
    }
}

/// What the coalition took out since a step of the history, less what it brought in.
fn net_out(bench: &Bench, who: &[GroupId], since: usize) -> BigInt {
    let mut sum = BigInt::ZERO;
    for fact in bench.history().steps[since..].iter().flat_map(|(_, f)| f) {
        let Fact::Post { reason: Reason::Deposit | Reason::Withdrawal, postings } = fact else { continue };
        for p in postings {
            if matches!(p.holder, Holder::Group(g) if who.contains(&g)) {
                sum -= value(bench, p.item, p.units);
            }
        }
    }
    sum
}

/// What the accounts are worth; who has less than nothing counts as nothing: it can walk away.
fn worth(bench: &Bench, who: &[GroupId]) -> BigInt {
    let equity =
        |g: &GroupId| health(bench.engine().stack(), bench.state(), *g).map_or(0, |h| h.equity.get());
    who.iter().map(|g| BigInt::from(equity(g).max(0)) * BigInt::from(10).pow(17)).sum()
}

/// Whether an operation is the coalition's own: trades among itself, withdrawals.
fn own(body: &Body, who: &[GroupId]) -> bool {
    match body {
        Body::Trade { taker, maker, .. } => who.contains(taker) && who.contains(maker),
        Body::Withdraw { group, .. } => who.contains(group),
        _ => false,
    }
}

/// Lets a history happen, then the coalition act at the prices and the time of its end, close and leave. Answers what it was
/// worth before, and what it took out and still has. `gift` is money from nowhere, with every act.
fn act(bench: &mut Bench, history: &[Op], acts: &[Op], gift: i128) -> (BigInt, BigInt) {
    history.iter().for_each(|op| drop(bench.step(op)));
    for m in [0, 1] {
        bench.mark(m, 100_000);
    }
    bench.eth(200_000_000_000);
    let who: Vec<GroupId> = (0..8).map(GroupId).collect();
    // what is not settled yet is settled by the first act: funding in whole quanta, up
    let (mut before, since) = (worth(bench, &who), bench.history().steps.len());
    // the worth of ETH is rounded down to a quantum in each account; what is taken out is not
    before += BigInt::from(who.len()) * BigInt::from(10).pow(17);
    let mut presents = BigInt::ZERO;
    for op in acts {
        let Some(body) = body_of(bench, op).filter(|b| own(b, &who)) else { continue };
        if bench.send(body).answer == Answer::Done
            && let Some(g) = who.first().filter(|_| gift > 0)
        {
            bench.deposit(g.0, gift);
            presents += value(bench, Item::Asset(USDC), gift);
        }
    }
    let after = net_out(bench, &who, since) + worth(bench, &who) + presents;
    (before, after)
}

fn parts(variant: usize) -> Parts {
    // prices that follow their own rules would move while the coalition acts
    Parts { prices: compose::perpetual().prices, ..perpetual(variant) }
}

proptest! {
    #![proptest_config(cases(480))]

    /// INV-3: all accounts together, the healthy ones and the others, after any history, at any prices among themselves. With
    /// less than all of them the others are bystanders, whom requests leave alone (INV-12).
    #[test]
    fn a_coalition_takes_out_no_more_than_it_has(
        variant in 0_usize..60, history in script::perpetual(40), acts in script::perpetual(80),
    ) {
        let (before, after) = act(&mut bench(parts(variant)), &history, &acts, 0);
        prop_assert!(after <= before, "INV-3: {} became {}", before, after);
    }
}

/// An atom from nowhere with every act is found.
#[test]
fn money_from_nowhere_is_found() {
    let trade = |taker, maker, lots| Op::TradeNearMark {
        wait_ms: 0,
        taker: GroupId(taker),
        maker: GroupId(maker),
        market: cofferdam_core::MarketId(0),
        lots: cofferdam_core::Lots::new(lots),
        off: cofferdam_core::Ppb(0),
    };
    let acts = [trade(1, 2, 100), trade(2, 3, 50), trade(1, 2, -100)];
    let result = |gift| act(&mut bench(compose::perpetual()), &[], &acts, gift);
    let (before, after) = result(0);
    assert!(after <= before);
    let (before, after) = result(1);
    assert!(after > before);
}

/// INV-3: who is below maintenance, or owes more than it has, may still close, and not so that a friend gains what insurance
/// then pays.
#[test]
fn a_loss_is_not_given_away() {
    let check = |fall: i64, price: i64, done: bool| {
        let mut bench = Bench::new(compose::perpetual()).unwrap();
        bench.mark(0, 100_000);
        for (group, atoms) in [(1, 400_000), (2, 5_000_000), (3, 5_000_000)] {
            bench.deposit(group, atoms);
        }
        bench.commit(compose::FUND, 1_000_000, true);
        assert_eq!(bench.trade(1, 2, 0, 1_000, 100_000), Answer::Done);
        bench.mark(0, fall);
        let answer = bench.trade(1, 3, 0, -1_000, price);
        assert_eq!(answer == Answer::Done, done, "closing at {price} with the mark at {fall}: {answer:?}");
    };
    // 400,000 atoms bear a fall of 10,810 ticks; at 90,000 the account is below maintenance with 30,000 atoms left
    check(90_000, 90_000, true);
    check(90_000, 89_190, true);
    check(90_000, 89_189, false);
    check(90_000, 86_000, false);
    // past bankruptcy the mark is the worst price that it may close at
    check(88_000, 88_000, true);
    check(88_000, 89_000, true);
    check(88_000, 87_999, false);
}
