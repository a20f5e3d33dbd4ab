//! What a request may do to health, at the prices and the time of the state it comes to (INV-10 to INV-13).

use crate::common::{bench, cases, health, perpetual};
use crate::{Law, body_of, groups, law, lending, slack};
use cofferdam_core::{
    Amount, AssetId, GroupId, Health, Holder, Item, Level, Lots, MarketId, Posting, Quanta, Ticks, World,
};
use cofferdam_stack::{Body, Fact, Reason, RiskStack, State, Work};
use cofferdam_testkit::{Bench, compose, script};
use compose::{QUANTA_PER_ATOM, USDC};
use proptest::prelude::*;
use script::Op;

/// What a step with no price, no funding and no time in it can cost an account by rounding alone: an atom of a realised result,
/// one of a scaled unit of debt (at an index far below two), and the quanta of the requirement.
const ROUNDING: i128 = 3 * QUANTA_PER_ATOM as i128;

/// Whom a request is about: who may find its account changed by it.
fn actors(body: &Body) -> Vec<GroupId> {
    match *body {
        Body::Deposit { group, .. }
        | Body::Withdraw { group, .. }
        | Body::Supply { group, .. }
        | Body::Redeem { group, .. }
        | Body::Borrow { group, .. }
        | Body::Repay { group, .. } => vec![group],
        Body::Trade { taker, maker, .. } => vec![taker, maker],
        Body::PoolTrade { taker, .. } => vec![taker],
        Body::Bid { keeper, group, .. } => vec![keeper, group],
        _ => Vec::new(),
    }
}

fn lots(state: &State, group: GroupId, market: MarketId) -> i64 {
    state.book().position(group, market).map_or(0, |p| p.lots.get())
}

fn scaled(state: &State, group: GroupId) -> Vec<(AssetId, u128)> {
    state.book().load(group).debts().iter().map(|d| (d.asset, d.scaled.get())).collect()
}

/// INV-12: whoever is not named is left alone. Its health as well, but where a requirement reads open interest: that is declared.
fn bystander(stack: &RiskStack, (before, after): (&State, &State), g: GroupId, shared: bool) -> Law {
    law(12, before.book().load(g) == after.book().load(g), || {
        format!("the account of bystander {g} changed")
    })?;
    let interest = |s: &State| [0, 1].map(|m| s.market(MarketId(m)).map(|v| v.open_interest));
    let declared = shared && interest(before) != interest(after);
    let same = health(stack, before, g) == health(stack, after, g);
    law(12, declared || same, || format!("the health of bystander {g} changed"))
}

/// INV-11: which way a request may move the slack of who sends it.
fn direction((before, after): (&State, &State), g: GroupId, body: &Body, h: (&Health, &Health)) -> Law {
    let never = |up: bool, what: &str| {
        [Level::Maintenance, Level::Initial].iter().try_for_each(|level| {
            let change = slack(h.1, *level) - slack(h.0, *level);
            let fine = if up { change <= 0 } else { change >= -ROUNDING };
            law(11, fine, || format!("{what} moved the slack of {g} at {level:?} by {change}"))
        })
    };
    match body {
        Body::Withdraw { .. } => never(true, "a withdrawal"),
        Body::Borrow { .. } => never(true, "a loan"),
        Body::Deposit { .. } => never(false, "a deposit"),
        Body::Repay { .. } => never(false, "a repayment"),
        // at another price than the mark a trade is also a gift from one side to the other
        Body::Trade { market, price, .. } if before.market(*market).is_some_and(|m| m.mark.mid == *price) => {
            let (was, is) = (lots(before, g, *market), lots(after, g, *market));
            if was.signum() * is.signum() < 0 {
                return Ok(()); // turned round: closed one and opened another
            }
            if is.abs() > was.abs() { never(true, "opening") } else { never(false, "reducing") }
        }
        _ => Ok(()),
    }
}

/// INV-10, INV-13 for an account that acts.
fn actor(stack: &RiskStack, (before, after): (&State, &State), g: GroupId, body: &Body) -> Law {
    let (Some(was), Some(is)) = (health(stack, before, g), health(stack, after, g)) else { return Ok(()) };
    direction((before, after), g, body, (&was, &is))?;
    let (s, t) = (slack(&was, Level::Maintenance), slack(&is, Level::Maintenance));
    if s >= 0 {
        return law(10, t >= 0, || format!("the request of {g} made it liquidatable: slack from {s} to {t}"));
    }
    law(13, t >= 0 || t >= s - ROUNDING, || format!("{g} was below maintenance and fell from {s} to {t}"))?;
    if slack(&is, Level::Initial) >= 0 {
        return Ok(()); // whoever is left with enough to open may have turned round
    }
    for m in [0, 1].map(MarketId) {
        let (x, y) = (lots(before, g, m), lots(after, g, m));
        let reduced = y == x || (y.abs() < x.abs() && x.signum() * y.signum() >= 0);
        law(13, reduced, || format!("{g} was below maintenance and went from {x} to {y} lots"))?;
    }
    let owed = scaled(before, g);
    let more = scaled(after, g).into_iter().any(|(a, x)| !owed.iter().any(|(b, y)| a == *b && x <= *y));
    law(13, !more, || format!("{g} was below maintenance and borrowed"))
}

/// All of it for one request. `shared` says whether a requirement reads open interest.
fn check(stack: &RiskStack, before: &State, after: &State, body: &Body, shared: bool) -> Law {
    let acting = actors(body);
    for g in groups(before, after) {
        if !acting.contains(&g) {
            bystander(stack, (before, after), g, shared)?;
        } else if !matches!(body, Body::Bid { group, .. } if *group == g) {
            actor(stack, (before, after), g, body)?;
        }
    }
    Ok(())
}

fn run(bench: &mut Bench, ops: &[Op], shared: bool) {
    for op in ops {
        let (Some(_), Op::Send { wait_ms, .. } | Op::TradeNearMark { wait_ms, .. }) =
            (body_of(bench, op), op)
        else {
            bench.step(op);
            continue;
        };
        // what time does is not the request's doing, nor a cut that is due: a request only brings it forward (INV-3)
        bench.clock(*wait_ms);
        if bench.state().queue().any(|(_, w)| matches!(w, Work::Allocate { .. })) {
            bench.clock(1);
        }
        let Some(body) = body_of(bench, op) else { continue };
        if actors(&body).is_empty() {
            bench.step(&Op::Send { wait_ms: 0, body });
            continue;
        }
        // the decision alone: what the queue does next is not the request
        let input = bench.next_input(body.clone());
        let mut after = bench.state().clone();
        let decision = bench.engine().stack().decide(bench.state(), &input);
        decision.facts.iter().for_each(|f| after.evolve(f).unwrap());
        if let Err((number, what)) = check(bench.engine().stack(), bench.state(), &after, &body, shared) {
            panic!("INV-{number}: {what} by {body:?}");
        }
        let _ = bench.send(body);
    }
}

proptest! {
    #![proptest_config(cases(480))]

    /// INV-10, INV-11, INV-12, INV-13 on every combination of built-ins.
    #[test]
    fn requests_do_to_health_what_they_may(variant in 0_usize..60, ops in script::perpetual(60)) {
        // two of five requirements in a row, one of them reads open interest
        run(&mut bench(perpetual(variant)), &ops, matches!(variant / 2 % 5, 2 | 3));
    }

    /// The same where money is lent.
    #[test]
    fn loans_do_to_health_what_they_may(ops in script::lending(60)) {
        run(&mut lending(), &ops, false);
    }
}

#[test]
fn each_law_can_fail() {
    let mut bench = Bench::new(compose::perpetual()).unwrap();
    bench.mark(0, 100_000);
    (1..=3).for_each(|g| drop(bench.deposit(g, 400_000)));
    bench.trade(1, 2, 0, 1_000, 100_000);
    let market = MarketId(0);
    let cash = |from, to, atoms| Vec::from(Posting::transfer(from, to, Item::Asset(USDC), atoms));
    let [one, two, three] = [1, 2, 3].map(GroupId);
    let fill = |a: GroupId, b: GroupId, n: i64, price: i64| {
        let cost = i128::from(n) * i128::from(price) * 37;
        vec![
            Posting::position(Holder::Group(a), market, n, Quanta::new(cost)),
            Posting::position(Holder::Group(b), market, -n, Quanta::new(-cost)),
        ]
    };
    let amount = Amount::new(1);
    let withdraw = |group| Body::Withdraw { group, asset: USDC, amount };
    let trade = |taker, maker, lots, price| Body::Trade {
        taker,
        maker,
        market,
        lots: Lots::new(lots),
        price: Ticks::new(price),
    };
    let out = |g, atoms| cash(Holder::Group(g), Holder::Outside, atoms);
    let check = |bench: &Bench, body: Body, postings: Vec<Posting>, want: Option<u8>| {
        let mut after = bench.state().clone();
        after.evolve(&Fact::Post { reason: Reason::Trade, postings }).unwrap();
        let verdict = check(bench.engine().stack(), bench.state(), &after, &body, false);
        assert_eq!(verdict.err().map(|e| e.0), want, "{body:?}");
    };
    // maintenance of 1,000 lots at 100,000 is 185,000 atoms, and 400,000 are there
    check(&bench, withdraw(one), out(one, 215_000), None);
    check(&bench, withdraw(one), out(one, 215_001), Some(10));
    check(&bench, withdraw(one), cash(Holder::Outside, Holder::Group(one), 1), Some(11));
    check(&bench, Body::Deposit { group: one, asset: USDC, amount }, out(one, 100), Some(11));
    check(&bench, trade(one, three, 10, 100_000), fill(one, three, 10, 90_000), Some(11));
    check(&bench, withdraw(one), out(two, 1), Some(12));
    check(&bench, trade(one, two, -10, 100_000), fill(two, three, 10, 100_000), Some(12));
    // long 1 below maintenance: 400,000 - 259,000 of loss against 172,050
    bench.mark(0, 93_000);
    check(&bench, trade(one, three, -400, 93_000), fill(one, three, -400, 93_000), None);
    check(&bench, trade(one, three, 1, 80_000), fill(one, three, 1, 80_000), Some(13));
    check(&bench, withdraw(one), out(one, 10), Some(13));
}
