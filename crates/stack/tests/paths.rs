//! Paths that matter, one at a time: losses and who pays them, promised insurance, ways out, fills of every kind, modules that
//! lie. Each test names the invariant that it holds.

use cofferdam_core::{
    Amount, GroupId, Holder, House, Instrument, Item, Lots, MarketId, OrderId, PoolId, Quanta, Ticks,
};
use cofferdam_liquidation_strategy::{CarryDeficit, FullClose, ProRataAllocation};
use cofferdam_stack::{
    Alarm, Answer, Body, Effect, Fact, OrderOutcome, Parts, Reason, Rejection, StepCause, Work,
};
use cofferdam_testkit::{Bench, compose, conservation, faults, modules};
use compose::{ETH, FUND, LENDING_POOL, PROMISE, USDC};

const DEFICIT: Holder = Holder::House(House::Deficit);

fn full_close() -> Parts {
    Parts { liquidation: Box::new(FullClose::new(compose::order_terms())), ..compose::perpetual() }
}

/// Long group 1 against short group 2: 1,000 lots at 100,000 ticks (3.7 USD), 0.4 USD behind the long side.
fn opposed(parts: Parts) -> Bench {
    let mut bench = Bench::new(parts).unwrap();
    bench.mark(0, 100_000);
    bench.mark(1, 100_000);
    bench.eth(200_000_000_000);
    for (group, atoms) in [(1, 400_000), (2, 5_000_000), (40, 1 << 40)] {
        bench.deposit(group, atoms);
    }
    assert_eq!(bench.trade(1, 2, 0, 1_000, 100_000), Answer::Done);
    bench
}

/// [`opposed`], with the long side closed at 88,000: it loses 0.444 USD and has 0.4.
fn bankrupt(parts: Parts) -> Bench {
    let mut bench = opposed(parts);
    fall(&mut bench);
    bench
}

fn fall(bench: &mut Bench) {
    bench.mark(0, 88_000);
    let order = bench.orders()[0];
    bench.fill(order, order.lots.get(), 88_000);
    // the losses of one moment are allocated together, at the next
    bench.clock(1);
}

fn deficit(bench: &Bench) -> i128 {
    -bench.state().holding(DEFICIT, Item::Asset(USDC)).units
}

fn ok(bench: &Bench) {
    conservation::check(bench.state()).unwrap();
    bench.replay().unwrap();
}

/// INV-24, INV-25: the fund pays first, the promise carries the gap, winners pay what is left.
#[test]
fn the_layers_pay_in_order() {
    let check = |fund: i128, promise: i128, want: (i128, i128, i128)| {
        let mut parts = full_close();
        parts.allocation = Box::new(ProRataAllocation);
        let mut bench = opposed(parts);
        bench.commit(FUND, fund, true);
        bench.commit(PROMISE, promise, false);
        fall(&mut bench);
        let owed: i128 = bench.draws().iter().map(|d| d.amount.get()).sum();
        let held = bench.state().holding(Holder::Layer(FUND), Item::Asset(USDC)).units;
        let cut: i128 = bench
            .history()
            .steps
            .iter()
            .flat_map(|(_, f)| f)
            .map(|f| match f {
                Fact::Post { reason: Reason::Haircut, postings } => {
                    postings.iter().filter(|p| p.holder == DEFICIT).map(|p| p.units).sum()
                }
                _ => 0,
            })
            .sum();
        assert_eq!((fund - held, owed, cut), want, "fund {fund}, promise {promise}");
        assert_eq!(deficit(&bench), 0);
        ok(&bench);
    };
    // the loss is 444,000 - 400,000 atoms
    check(100_000, 100_000, (44_000, 0, 0));
    check(10_000, 100_000, (10_000, 34_000, 0));
    check(10_000, 4_000, (10_000, 4_000, 30_000));
}

/// INV-25, INV-30: a promised draw is a receivable; paid it is gone, short or denied the next layer carries the gap, and the
/// layer that did not pay is not asked again. Losses are counted once.
#[test]
fn a_promise_is_paid_partly_paid_or_denied() {
    for (paid, over) in [(44_000, false), (14_000, false), (0, false), (-5, false), (50_000, true)] {
        let mut parts = full_close();
        parts.allocation = Box::new(ProRataAllocation);
        let mut bench = opposed(parts);
        bench.commit(PROMISE, 1_000_000, false);
        fall(&mut bench);
        let receivable = Holder::House(House::Receivable);
        assert_eq!(bench.state().holding(receivable, Item::Asset(USDC)).units, -44_000);
        let losses = bench.state().head().losses_total;
        let draw = bench.draws()[0];
        let settle = Body::Settlement { draw: draw.id, paid: Amount::new(paid) };
        let outcome = bench.send(settle.clone());
        bench.clock(1);
        assert_eq!(matches!(outcome.answer, Answer::Alarm(_)), over);
        assert_eq!(bench.state().holding(receivable, Item::Asset(USDC)).units, 0);
        assert_eq!(bench.state().head().losses_total, losses, "one loss, counted once");
        assert_eq!(deficit(&bench), 0, "paid {paid}: the winners carried the gap");
        assert_eq!(bench.draws().len(), 1, "it is not asked again");
        // INV-40 in its own way: paying twice is impossible
        let again = bench.send(settle);
        assert_eq!(again.answer, Answer::Alarm(Alarm::UnknownDraw { draw: draw.id }));
        ok(&bench);
    }
}

/// INV-23, INV-22: an account whose positions are closed at a loss beyond its cash owes nothing any more; negative cash that
/// came in another way is written off through the same path.
#[test]
fn cash_below_zero_becomes_a_deficit() {
    let mut parts = full_close();
    parts.allocation = Box::new(CarryDeficit);
    let bench = bankrupt(parts);
    assert_eq!((bench.balance(1, USDC), deficit(&bench)), (0, 44_000));
    ok(&bench);
    // closed by its own will, below bankruptcy: the queue books the loss at once
    let mut bench = opposed(full_close());
    bench.mark(1, 100_000);
    bench.deposit(3, 1_000_000);
    assert_eq!(bench.trade(1, 3, 0, -1_000, 100_000), Answer::Done);
    assert_eq!(bench.trade(1, 3, 0, 1_000, 100_000), Answer::Done);
    bench.mark(0, 88_000);
    let order = bench.orders()[0];
    let _ = bench.send(Body::OrderEnded { order: order.id, outcome: OrderOutcome::Refused });
    assert!(matches!(bench.trade(1, 3, 0, -1_000, 88_000), Answer::Done | Answer::Refused(_)));
    bench.fill_all(88_000);
    assert_eq!(bench.balance(1, USDC).max(0), bench.balance(1, USDC));
    ok(&bench);
}

/// INV-22, INV-21: with other collateral only what it does not cover is lost, and a grain of it blocks nothing.
#[test]
fn other_collateral_bears_what_it_can() {
    for (eth, want) in [(1, 44_000), (10_000_000_000_000, 24_000), (1_000_000_000_000_000_000, 0)] {
        let mut parts = full_close();
        parts.allocation = Box::new(CarryDeficit);
        let mut bench = opposed(parts);
        bench.deposit_of(1, ETH, eth);
        bench.mark(0, 88_000);
        if let Some(order) = bench.orders().first().copied() {
            bench.fill(order, order.lots.get(), 88_000);
        } else {
            assert_eq!(bench.trade(1, 40, 0, -1_000, 88_000), Answer::Done);
        }
        assert!((deficit(&bench) - want).abs() <= 1, "{eth}: {} of {want}", deficit(&bench));
        // who owes cash cannot take the collateral out
        let all = bench.balance(1, ETH);
        assert!(matches!(bench.withdraw_of(1, ETH, all), Answer::Refused(_)) || want == 44_000);
        ok(&bench);
    }
}

/// INV-26, INV-27: a haircut takes gains only, no more than the deficit, and nobody without a position pays.
#[test]
fn winners_give_up_gains_and_nothing_else() {
    let mut parts = full_close();
    parts.allocation = Box::new(ProRataAllocation);
    let bench = bankrupt(parts);
    // the other side gained 444,000 atoms; its principal is as it was
    assert_eq!(bench.balance(2, USDC), 5_000_000);
    let p = bench.state().book().position(GroupId(2), MarketId(0)).unwrap();
    assert_eq!(p.cost.get(), -3_700_000_000 + 44_000 * 1_000);
    assert_eq!(deficit(&bench), 0);
    ok(&bench);
}

/// INV-20, INV-7: nobody is closed against who could not bear it; the alarm says that nobody is left.
#[test]
fn close_outs_make_nobody_insolvent() {
    let mut parts = compose::perpetual();
    parts.liquidation = modules::strategies().swap_remove(4).1;
    parts.allocation = Box::new(cofferdam_liquidation_strategy::QueueAllocation::new(true));
    let mut bench = Bench::new(parts).unwrap();
    bench.mark(0, 100_000);
    for (group, atoms) in [(1, 400_000), (2, 400_000), (3, 50_000_000)] {
        bench.deposit(group, atoms);
    }
    assert_eq!(bench.trade(1, 2, 0, 1_000, 100_000), Answer::Done);
    // a gap: the short side stands well, the long one is insolvent and is closed at its bankruptcy price
    bench.mark(0, 80_000);
    for g in [1, 2] {
        assert!(bench.balance(g, USDC) >= 0, "group {g}");
    }
    assert_eq!((bench.lots(1, 0), bench.lots(2, 0)), (0, 0));
    assert_eq!(deficit(&bench), 0, "the winner gave up what was beyond the bankruptcy price");
    ok(&bench);
}

/// INV-37: withdrawals wait while a deficit is open, and the gate expires.
#[test]
fn withdrawals_wait_for_an_open_deficit_and_not_for_ever() {
    let mut parts = full_close();
    parts.allocation = Box::new(CarryDeficit);
    parts.breakers = vec![modules::drawdown()];
    let mut bench = bankrupt(parts);
    assert!(deficit(&bench) > 0);
    assert!(matches!(bench.withdraw(40, 5), Answer::Refused(Rejection::Breaker { .. })));
    bench.clock(modules::recovery().expires.0);
    assert_eq!(bench.withdraw(40, 5), Answer::Done);
    ok(&bench);
}

/// INV-35: with every breaker tripped and even one that admits nothing it may not refuse, a user reduces, adds, repays, and who
/// owes nothing gets everything out in the end.
#[test]
fn the_way_out_is_never_blocked() {
    let mut parts = full_close();
    parts.allocation = Box::new(CarryDeficit);
    for (_, breaker) in modules::breakers() {
        parts.breakers.push(breaker);
    }
    let mut bench = bankrupt(parts);
    bench.mark(0, 60_000);
    assert!(
        matches!(bench.trade(2, 40, 0, -1, 60_000), Answer::Refused(Rejection::Breaker { .. })),
        "opening is closed"
    );
    assert_eq!(bench.deposit(2, 7), Answer::Done);
    assert_eq!(bench.trade(2, 40, 0, 400, 60_000), Answer::Done);
    assert_eq!(bench.trade(2, 40, 0, 600, 60_000), Answer::Done);
    let mut left = bench.balance(2, USDC);
    for _ in 0..40 {
        if left == 0 {
            break;
        }
        if bench.withdraw(2, left) == Answer::Done {
            left = 0;
        }
        bench.clock(600_000);
    }
    assert_eq!(bench.balance(2, USDC), 0, "everything is out");
    ok(&bench);
}

/// INV-35: without any price who owes nothing still gets everything out.
#[test]
fn without_debt_no_price_is_needed() {
    let mut bench = Bench::new(compose::perpetual()).unwrap();
    bench.deposit_of(5, ETH, 10);
    assert_eq!(bench.withdraw_of(5, ETH, 10), Answer::Done);
    ok(&bench);
}

/// INV-44, INV-35: modules that fail stop nobody: prices come in, fills are booked, ways out stay open, and alarms tell.
#[test]
fn a_failing_module_stops_nobody() {
    let mut parts = full_close();
    parts.breakers = vec![Box::new(faults::Failing)];
    parts.accruals[1].rule = Box::new(faults::Failing);
    parts.prices[4].policy = Box::new(faults::Failing);
    let mut bench = Bench::new(parts).unwrap();
    bench.mark(0, 100_000);
    bench.deposit(1, 1_000_000);
    bench.deposit(2, 1_000_000);
    assert!(matches!(
        bench.trade(1, 2, 0, 10, 100_000),
        Answer::Refused(Rejection::Failed { .. }) | Answer::Refused(_)
    ));
    assert!(!bench.alarms().is_empty());
    assert_eq!(
        bench.state().ledger().filter(|(_, h)| h.units != 0).count(),
        1,
        "only what came from outside"
    );
    ok(&bench);
}

/// INV-41, INV-44: whatever a strategy claims, an alarm is raised and the account is as it was.
#[test]
fn a_lying_strategy_moves_nothing() {
    for lie in faults::LyingStrategy::ALL {
        let mut bench = opposed(Parts { liquidation: Box::new(lie), ..compose::perpetual() });
        let before = bench.state().book().load(GroupId(1));
        bench.mark(0, 92_000);
        assert!(!bench.alarms().is_empty(), "{lie:?} raised nothing");
        assert_eq!(bench.state().book().load(GroupId(1)), before, "{lie:?}");
        assert!(bench.orders().is_empty(), "{lie:?}");
        assert_eq!(bench.mark(0, 100_000), Answer::Done, "{lie:?} stops no price");
        ok(&bench);
    }
}

/// INV-44, INV-25: whatever a waterfall claims, no layer pays more than it has, the fill that made the loss is booked, and the
/// deficit is there for the allocation.
#[test]
fn a_lying_waterfall_loses_its_say() {
    for lie in faults::LyingWaterfall::ALL {
        let mut parts = full_close();
        (parts.waterfall, parts.allocation) = (Box::new(lie), Box::new(CarryDeficit));
        let mut bench = opposed(parts);
        bench.commit(FUND, 10_000, true);
        fall(&mut bench);
        assert!(bench.alarms().iter().any(|a| matches!(a, Alarm::Failed { .. })), "{lie:?} raised nothing");
        assert_eq!((bench.lots(1, 0), deficit(&bench)), (0, 44_000), "{lie:?}");
        assert_eq!(bench.state().holding(Holder::Layer(FUND), Item::Asset(USDC)).units, 10_000, "{lie:?}");
        ok(&bench);
    }
}

/// INV-26, INV-41, INV-44: whatever an allocation claims, nobody pays beyond a gain, and the deficit stays open.
#[test]
fn a_lying_allocation_takes_nothing() {
    for lie in faults::LyingAllocation::ALL {
        let bench = bankrupt(Parts { allocation: Box::new(lie), ..full_close() });
        assert!(bench.alarms().iter().any(|a| matches!(a, Alarm::Failed { .. })), "{lie:?} raised nothing");
        assert_eq!((bench.balance(2, USDC), deficit(&bench)), (5_000_000, 44_000), "{lie:?}");
        ok(&bench);
        // and a close-out
        let mut parts = Parts { allocation: Box::new(lie), ..compose::perpetual() };
        parts.liquidation = modules::strategies().swap_remove(4).1;
        let mut bench = opposed(parts);
        bench.mark(0, 85_000);
        assert!(!bench.alarms().is_empty(), "{lie:?} raised nothing");
        assert_eq!((bench.lots(1, 0), bench.lots(2, 0)), (1_000, -1_000), "{lie:?}");
        ok(&bench);
    }
}

/// INV-44: a pool that breaks its contract trades nothing.
#[test]
fn a_lying_pool_fills_nothing() {
    for lie in faults::LyingPool::ALL {
        let mut parts = compose::with_pool();
        parts.pools[0].kind =
            cofferdam_stack::PoolKind::Trading { market: MarketId(0), pricing: Box::new(lie) };
        let mut bench = opposed(parts);
        let (before, limit) = (bench.state().book().load(GroupId(40)), Ticks::new(200_000));
        let body = Body::PoolTrade { taker: GroupId(40), market: MarketId(0), lots: Lots::new(5), limit };
        let outcome = bench.send(body);
        assert!(
            matches!(outcome.answer, Answer::Refused(Rejection::Failed { .. })),
            "{lie:?} {:?}",
            outcome.answer
        );
        assert!(outcome.effects.iter().any(|e| matches!(e, Effect::Raise(_))), "{lie:?}");
        assert_eq!(bench.state().book().load(GroupId(40)), before);
        ok(&bench);
    }
}

/// INV-2, INV-1: a pool's profit and loss, its fees and its funding come out to the quantum, and a round trip never gains (INV-4).
#[test]
fn a_pool_settles_what_it_trades() {
    let mut bench = opposed(compose::with_pool());
    bench.deposit(5, 1_000_000_000);
    let (group, pool) = (GroupId(5), compose::TRADING_POOL);
    let supply = Body::Supply { group, pool, amount: Amount::new(1_000_000_000) };
    assert_eq!(bench.send(supply).answer, Answer::Done);
    let start = bench.balance(40, USDC);
    let go = |bench: &mut Bench, lots: i64| {
        let limit = Ticks::new(if lots > 0 { i64::MAX } else { 1 });
        let body = Body::PoolTrade { taker: GroupId(40), market: MarketId(0), lots: Lots::new(lots), limit };
        assert_eq!(bench.send(body).answer, Answer::Done);
        ok(bench);
    };
    go(&mut bench, 3_333);
    go(&mut bench, -3_333);
    assert!(bench.balance(40, USDC) <= start, "INV-4");
    go(&mut bench, 1_001);
    bench.mark(0, 104_321);
    bench.clock(3_600_000);
    let pool = bench.state().holding(Holder::Pool(compose::TRADING_POOL), Item::Position(MarketId(0)));
    assert_eq!(pool.units, -1_001);
    go(&mut bench, -1_001);
    assert_eq!(
        bench.state().holding(Holder::Pool(compose::TRADING_POOL), Item::Position(MarketId(0))).units,
        0
    );
    assert_eq!(
        bench.state().holding(Holder::Pool(compose::TRADING_POOL), Item::Position(MarketId(0))).cost,
        Quanta::ZERO
    );
}

/// INV-4, INV-6: at unchanged prices nobody gains from there and back again, nor from doing it in pieces.
#[test]
fn round_trips_and_splitting_never_gain() {
    let mut bench = opposed(compose::perpetual());
    for (group, pieces) in [(10, vec![999]), (11, vec![1, 500, 498]), (12, vec![333, 333, 333])] {
        bench.deposit(group, 10_000_000);
        for lots in &pieces {
            assert_eq!(bench.trade(group, 40, 0, *lots, 100_003), Answer::Done);
        }
        for lots in &pieces {
            assert_eq!(bench.trade(group, 40, 0, -*lots, 100_003), Answer::Done);
        }
        assert!(bench.balance(group, USDC) <= 10_000_000, "group {group}");
        // there and back at two prices: pieces gain no more than the whole (f(a) + f(b) <= f(a + b))
    }
    let gain = |pieces: &[i64]| {
        let mut bench = opposed(compose::perpetual());
        bench.deposit(10, 10_000_000);
        assert_eq!(bench.trade(10, 40, 0, 999, 100_003), Answer::Done);
        for lots in pieces {
            assert_eq!(bench.trade(10, 40, 0, -lots, 100_019), Answer::Done);
        }
        bench.balance(10, USDC)
    };
    for pieces in [&[1, 998][..], &[500, 499], &[333, 333, 333], &[1, 1, 1, 996]] {
        assert!(gain(pieces) <= gain(&[999]), "INV-6: {pieces:?}");
    }
    ok(&bench);
}

/// INV-45: after everybody has closed and taken everything out, nothing is left but dust.
#[test]
fn drained_means_empty() {
    let mut bench = opposed(compose::perpetual());
    bench.mark(0, 101_003);
    bench.clock(28_800_000);
    bench.mark(0, 100_777);
    assert_eq!(bench.trade(1, 2, 0, -1_000, 100_777), Answer::Done);
    for group in [1, 2, 40] {
        let all = bench.balance(group, USDC);
        assert_eq!(bench.withdraw(group, all), Answer::Done);
    }
    assert!(bench.state().book().is_empty());
    assert_eq!(bench.state().orders().count() + bench.state().draws().count(), 0);
    assert_eq!(bench.state().next_due(), None, "the queue is empty");
    for ((holder, item), held) in bench.state().ledger() {
        let dust =
            matches!(holder, Holder::House(House::Unsettled) | Holder::Outside) && held.units.abs() <= 8;
        assert!(held.units == 0 || dust, "{holder:?} still holds {held:?} of {item:?}");
    }
    ok(&bench);
}

/// INV-40: fills that are late, too large, on the wrong side or of nothing known go to suspense with an alarm, and what was
/// ordered is booked.
#[test]
fn fills_of_every_kind_are_booked() {
    let suspense =
        |b: &Bench| b.state().holding(Holder::House(House::Suspense), Item::Position(MarketId(0))).units;
    let fresh = || {
        let mut bench = opposed(full_close());
        bench.mark(0, 92_000);
        let order = bench.orders()[0];
        assert_eq!(order.lots.get(), -1_000);
        (bench, order)
    };
    let alarmed = |a: &Answer| matches!(a, Answer::Alarm(Alarm::UnexpectedFill { .. }));
    // in parts: the order stays open for the rest
    let (mut b, o) = fresh();
    assert_eq!(b.fill(o, -400, 92_000), Answer::Done);
    assert_eq!((b.lots(1, 0), b.state().orders().count(), suspense(&b)), (600, 1, 0));
    assert_eq!(b.fill(o, -600, 92_000), Answer::Done);
    assert_eq!((b.lots(1, 0), b.state().orders().count()), (0, 0));
    ok(&b);
    // too much
    let (mut b, o) = fresh();
    assert!(alarmed(&b.fill(o, -1_234, 92_000)));
    assert_eq!((b.lots(1, 0), suspense(&b)), (0, -234));
    ok(&b);
    // twice, and the second one back again: suspense is empty and realised
    let (mut b, o) = fresh();
    assert_eq!(b.fill(o, -1_000, 92_000), Answer::Done);
    assert!(alarmed(&b.fill(o, -1_000, 92_000)));
    assert!(alarmed(&b.fill(o, 1_000, 92_000)));
    assert_eq!(suspense(&b), 0);
    ok(&b);
    // the wrong side
    let (mut b, o) = fresh();
    assert!(alarmed(&b.fill(o, 10, 92_000)));
    assert_eq!((b.lots(1, 0), suspense(&b)), (1_000, 10));
    ok(&b);
    // late
    let (mut b, o) = fresh();
    b.wait(60_001);
    assert!(alarmed(&b.fill(o, -1_000, 92_000)));
    assert_eq!(suspense(&b), -1_000);
    ok(&b);
    // while the price is not usable
    let (mut b, o) = fresh();
    b.mark(0, -1);
    assert_eq!(b.fill(o, -500, 92_000), Answer::Done);
    assert_eq!(b.lots(1, 0), 500);
    ok(&b);
    // of nothing known
    let (mut b, _) = fresh();
    let body = Body::Fill {
        order: OrderId(99),
        lots: Lots::new(3),
        price: Ticks::new(1),
        counterparty: GroupId(40),
    };
    assert!(alarmed(&b.send(body).answer));
    ok(&b);
}

/// INV-31: time alone makes a price stale; nobody opens on it, everybody may reduce.
#[test]
fn a_price_grows_old_without_quotes() {
    let mut bench = opposed(compose::perpetual());
    bench.wait(compose::STALE_AFTER.0 + 1);
    let refused = Answer::Refused(Rejection::Price {
        instrument: Instrument::Market(MarketId(0)),
        state: cofferdam_core::PriceState::Stale,
    });
    assert_eq!(bench.trade(40, 2, 0, 1, 100_000), refused);
    assert_eq!(bench.trade(2, 1, 0, 1, 100_000), Answer::Done);
}

/// INV-31: a quote that comes late does not replace a later one, and one from the future does not keep its source for ever.
#[test]
fn quotes_out_of_order() {
    let mut bench = opposed(compose::perpetual());
    let quote = |price, published| {
        let q = cofferdam_core::Quote {
            source: compose::SOURCE,
            price: Ticks::new(price),
            confidence: Ticks::ZERO,
            published: cofferdam_core::Millis(published),
        };
        Body::Quotes(vec![(Instrument::Market(MarketId(0)), q)])
    };
    let mark = |b: &Bench| {
        use cofferdam_core::World;
        b.state().market(MarketId(0)).map(|m| (m.mark.mid.get(), m.mark.is_usable())).unwrap()
    };
    let now = bench.now().0;
    let _ = bench.send(quote(90_000, now - 5));
    assert_eq!(mark(&bench), (100_000, true));
    let _ = bench.send(quote(90_000, u64::MAX));
    assert!(!mark(&bench).1);
    bench.wait(1);
    let _ = bench.send(quote(99_000, now + 1));
    assert_eq!(mark(&bench), (99_000, true));
}

fn borrowed(debt: i128) -> Bench {
    let mut bench = Bench::new(compose::lending()).unwrap();
    bench.eth(200_000_000_000);
    bench.deposit(1, 1_000_000_000);
    let supply = Body::Supply { group: GroupId(1), pool: LENDING_POOL, amount: Amount::new(1_000_000_000) };
    assert_eq!(bench.send(supply).answer, Answer::Done);
    bench.deposit_of(2, ETH, 100_000_000_000_000_000); // 0.1 ETH, 200 USD
    let borrow = Body::Borrow { group: GroupId(2), pool: LENDING_POOL, amount: Amount::new(debt) };
    assert_eq!(bench.send(borrow).answer, Answer::Done);
    bench.deposit(3, 1_000_000_000);
    bench
}

fn bid(bench: &mut Bench, repay: i128) -> Answer {
    bench
        .send(Body::Bid {
            keeper: GroupId(3),
            group: GroupId(2),
            debt: USDC,
            repay: Amount::new(repay),
            collateral: ETH,
            at_least: Amount::ONE,
        })
        .answer
}

/// INV-17, INV-22, INV-23: a keeper takes no more than a share from who is a little below, and where the collateral is gone the
/// rest is written off in the same step: the suppliers bear it, and nobody owes without collateral.
#[test]
fn bad_debt_is_borne_at_once() {
    let mut bench = borrowed(140_000_000);
    assert!(matches!(bid(&mut bench, 1_000_000), Answer::Refused(Rejection::Strategy { .. })), "INV-17");
    bench.eth(170_000_000_000);
    assert_eq!(bid(&mut bench, 10_000_000), Answer::Done);
    ok(&bench);
    bench.eth(20_000_000_000);
    assert_eq!(bid(&mut bench, 120_000_000), Answer::Done);
    assert!(bench.state().book().load(GroupId(2)).is_empty(), "INV-23");
    assert_eq!(deficit(&bench), 0);
    ok(&bench);
    // what is left is what the suppliers get out
    let shares = bench.state().holding(Holder::Group(GroupId(1)), Item::Share(LENDING_POOL)).units;
    let redeem = Body::Redeem { group: GroupId(1), pool: LENDING_POOL, shares: shares.unsigned_abs() };
    assert_eq!(bench.send(redeem).answer, Answer::Done);
    assert!(bench.balance(1, USDC) < 1_000_000_000);
    ok(&bench);
}

/// INV-35, INV-4: repaying is always possible, more than is owed repays what is owed, and supplying and redeeming never gains.
#[test]
fn repaying_ends_a_debt() {
    let mut bench = borrowed(140_000_000);
    bench.clock(86_400_000 * 30);
    bench.deposit(2, 200_000_000);
    let repay = |amount| Body::Repay { group: GroupId(2), pool: LENDING_POOL, amount: Amount::new(amount) };
    assert_eq!(bench.send(repay(1_000_000)).answer, Answer::Done);
    assert_eq!(bench.send(repay(1 << 100)).answer, Answer::Done);
    assert!(bench.state().book().load(GroupId(2)).debts().is_empty());
    assert!(bench.balance(2, USDC) < 60_000_000, "interest was paid");
    let all = bench.balance(2, ETH);
    assert_eq!(bench.withdraw_of(2, ETH, all), Answer::Done);
    ok(&bench);
    let before = bench.balance(3, USDC);
    for pieces in [vec![7], vec![1, 2, 4], vec![999_999_937]] {
        for x in &pieces {
            let _ =
                bench.send(Body::Supply { group: GroupId(3), pool: LENDING_POOL, amount: Amount::new(*x) });
        }
        let shares = bench.state().holding(Holder::Group(GroupId(3)), Item::Share(LENDING_POOL)).units;
        if shares > 0 {
            let redeem =
                Body::Redeem { group: GroupId(3), pool: LENDING_POOL, shares: shares.unsigned_abs() };
            assert_eq!(bench.send(redeem).answer, Answer::Done);
        }
        assert!(bench.balance(3, USDC) <= before, "INV-4: {pieces:?}");
        ok(&bench);
    }
}

/// INV-16: what accrues with time alone is seen: a funding payer falls below maintenance without a new price.
#[test]
fn time_alone_can_make_an_account_liquidatable() {
    let mut bench = opposed(compose::perpetual());
    assert!(bench.orders().is_empty());
    for _ in 0..4_000 {
        bench.mark(0, 100_000);
        bench.clock(28_800_000);
        if !bench.orders().is_empty() {
            break;
        }
    }
    assert_eq!(
        bench.orders().first().map(|o| o.group),
        Some(GroupId(1)),
        "interest on the long side was never seen"
    );
    let last = bench.history().steps.iter().rev().find(|(c, _)| *c == StepCause::Work(Work::Sweep));
    assert!(last.is_some());
    ok(&bench);
}

/// INV-41, INV-43: ids beyond the book and sums beyond a market's lots are refused before anything is written.
#[test]
fn what_the_book_refuses_is_never_decided() {
    let mut bench = opposed(compose::perpetual());
    assert!(matches!(bench.deposit(u32::MAX, 1), Answer::Alarm(Alarm::Failed { .. })));
    for number in 0..3 {
        let body = Body::Fill {
            order: OrderId(90 + number),
            lots: Lots::new(i64::MAX),
            price: Ticks::ONE,
            counterparty: GroupId(number),
        };
        let _ = bench.send(body);
        ok(&bench);
    }
    // a layer that nobody knows: the money came, so it is somewhere
    let escrow = Body::Escrow { layer: cofferdam_core::LayerId(9), asset: USDC, amount: Amount::new(5) };
    assert!(matches!(bench.send(escrow).answer, Answer::Alarm(Alarm::Unknown { .. })));
    assert_eq!(bench.state().holding(Holder::House(House::Suspense), Item::Asset(USDC)).units, 5);
    let pool = Body::Supply { group: GroupId(1), pool: PoolId(77), amount: Amount::ONE };
    assert!(matches!(bench.send(pool).answer, Answer::Refused(_)));
    ok(&bench);
}
