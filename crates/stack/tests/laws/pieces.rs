//! Cutting something into pieces never pays: f(a) + f(b) <= f(a + b) for cash out, at unchanged prices (INV-4, INV-6).

use crate::common::cases;
use crate::lending;
use cofferdam_core::{Amount, GroupId, Holder, Item, Lots, MarketId, Ticks};
use cofferdam_stack::{Answer, Body};
use cofferdam_testkit::{Bench, compose};
use compose::{ETH, LENDING_POOL, USDC};
use proptest::prelude::*;

const ME: u32 = 7;
const CASH: i128 = 1 << 50;

/// What an account holds in the end: USDC, ETH, and what its debt and its shares came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct End {
    usdc: i128,
    eth: i128,
    debt: u128,
    shares: i128,
}

impl End {
    fn of(bench: &Bench, group: u32) -> Self {
        let account = bench.state().book().load(GroupId(group));
        Self {
            usdc: bench.balance(group, USDC),
            eth: bench.balance(group, ETH),
            debt: account.debts().iter().map(|d| d.scaled.get()).sum(),
            shares: bench.state().holding(Holder::Group(GroupId(group)), Item::Share(LENDING_POOL)).units,
        }
    }

    /// Whether this is no better than that, in anything.
    fn no_better(self, than: Self) -> bool {
        self.usdc <= than.usdc && self.eth <= than.eth && self.debt >= than.debt && self.shares <= than.shares
    }
}

/// A number in up to five parts that sum to it.
fn cut(whole: i128, at: &[u32]) -> Vec<i128> {
    let mut parts: Vec<i128> = Vec::new();
    let mut left = whole;
    for x in at {
        let part = left * i128::from(*x) / 1_000;
        if part > 0 && part < left {
            parts.push(part);
            left -= part;
        }
    }
    parts.push(left);
    parts
}

fn trading(pool: bool) -> Bench {
    let parts = if pool { compose::with_pool() } else { compose::perpetual() };
    let mut bench = Bench::new(parts).unwrap();
    bench.mark(0, 100_000);
    bench.deposit(ME, CASH);
    bench.deposit(40, CASH);
    bench
}

/// Opens and closes, in pieces, at two prices; nothing is left but cash. `kind` is a present with every trade.
fn round_trip(open: &[i128], close: &[i128], long: bool, prices: (i64, i64), kind: i128) -> End {
    let mut bench = trading(false);
    let sign = if long { 1 } else { -1 };
    let legs = open.iter().map(|n| (sign * n, prices.0)).chain(close.iter().map(|n| (-sign * n, prices.1)));
    for (n, price) in legs {
        assert_eq!(bench.trade(ME, 40, 0, i64::try_from(n).unwrap(), price), Answer::Done);
        bench.deposit(ME, kind);
    }
    assert_eq!(bench.lots(ME, 0), 0);
    End::of(&bench, ME)
}

/// The same against a pool.
fn with_the_pool(open: &[i128], close: &[i128], long: bool) -> Option<End> {
    let mut bench = trading(true);
    let sign = if long { 1 } else { -1 };
    for n in open.iter().map(|n| sign * n).chain(close.iter().map(|n| -sign * n)) {
        let lots = Lots::new(i64::try_from(n).unwrap());
        let limit = Ticks::new(if n > 0 { i64::MAX } else { 1 });
        let body = Body::PoolTrade { taker: GroupId(ME), market: MarketId(0), lots, limit };
        if bench.send(body).answer != Answer::Done {
            return None;
        }
    }
    (bench.lots(ME, 0) == 0).then(|| End::of(&bench, ME))
}

/// Sends a body per piece to a lending pool whose index is no round number. `None` when one of them is not granted.
fn lent(group: u32, pieces: &[i128], before: &[Body], body: &dyn Fn(i128) -> Body) -> Option<End> {
    let mut bench = lending();
    drop(bench.send(Body::Borrow { group: GroupId(4), pool: LENDING_POOL, amount: Amount::new(30_000_001) }));
    bench.clock(86_400_000 * 211);
    bench.eth(200_000_000_000);
    for b in before {
        assert_eq!(bench.send(b.clone()).answer, Answer::Done);
    }
    for x in pieces {
        if bench.send(body(*x)).answer != Answer::Done {
            return None;
        }
    }
    Some(End::of(&bench, group))
}

fn never_better(whole: Option<End>, pieces: Option<End>) {
    if let (Some(whole), Some(pieces)) = (whole, pieces) {
        assert!(pieces.no_better(whole), "INV-6: {pieces:?} in pieces, {whole:?} at once");
    }
}

fn cuts() -> impl Strategy<Value = Vec<u32>> {
    prop::collection::vec(0_u32..1_000, 1..5)
}

proptest! {
    #![proptest_config(cases(320))]

    /// INV-4, INV-6: orders of one's own, and of a pool.
    #[test]
    fn trades_in_pieces_never_pay(
        n in 1_i128..50_000, open in cuts(), close in cuts(), long in any::<bool>(), prices in (99_000_i64..101_000, 99_000_i64..101_000),
    ) {
        let at_once = round_trip(&[n], &[n], long, prices, 0);
        let pieces = round_trip(&cut(n, &open), &cut(n, &close), long, prices, 0);
        never_better(Some(at_once), Some(pieces));
        let there_and_back = round_trip(&cut(n, &open), &cut(n, &close), long, (prices.0, prices.0), 0);
        prop_assert!(there_and_back.usdc <= CASH, "INV-4: {}", there_and_back.usdc);
        let pool = with_the_pool(&[n], &[n], long);
        prop_assert!(pool.is_none_or(|e| e.usdc <= CASH), "INV-4: {:?}", pool);
        never_better(pool, with_the_pool(&cut(n, &open), &cut(n, &close), long));
    }

    /// INV-6: supplies, redemptions, loans, repayments and bids of keepers.
    #[test]
    fn loans_in_pieces_never_pay(n in 1_i128..40_000_000, at in cuts(), fall in 60_000_000_000_i64..160_000_000_000) {
        let pool = LENDING_POOL;
        let [one, five] = [1, 5].map(GroupId);
        let compare = |group: GroupId, before: &[Body], body: &dyn Fn(i128) -> Body| {
            never_better(lent(group.0, &[n], before, body), lent(group.0, &cut(n, &at), before, body));
        };
        let supply = |x| Body::Supply { group: one, pool, amount: Amount::new(x) };
        let borrow = |x| Body::Borrow { group: five, pool, amount: Amount::new(x) };
        compare(one, &[], &supply);
        compare(one, &[supply(40_000_003)], &|x| Body::Redeem { group: one, pool, shares: x.unsigned_abs() * 900 });
        compare(five, &[], &borrow);
        let cash = Body::Deposit { group: five, asset: USDC, amount: Amount::new(CASH) };
        let loan = borrow(40_000_003);
        compare(five, &[loan.clone(), cash], &|x| Body::Repay { group: five, pool, amount: Amount::new(x) });
        let bid = |x| Body::Bid {
            keeper: one, group: five, debt: USDC, repay: Amount::new(x), collateral: ETH, at_least: Amount::ZERO,
        };
        never_better(bids(&[n], &loan, fall, &bid), bids(&cut(n, &at), &loan, fall, &bid));
    }
}

/// What a keeper has after its bids on a loan that a price has brought below maintenance.
fn bids(pieces: &[i128], loan: &Body, fall: i64, bid: &dyn Fn(i128) -> Body) -> Option<End> {
    let mut bench = lending();
    assert_eq!(bench.send(loan.clone()).answer, Answer::Done);
    bench.eth(fall);
    for x in pieces {
        if bench.send(bid(*x)).answer != Answer::Done {
            return None;
        }
    }
    Some(End::of(&bench, 1))
}

/// A venue that rounds in the actor's favour, by an atom per trade, is found.
#[test]
fn a_kind_rounding_pays_for_pieces() {
    let (whole, pieces) = ([999_i128], [333_i128; 3]);
    let end = |of: &[i128], kind: i128| round_trip(of, of, true, (100_000, 100_019), kind);
    assert!(end(&pieces, 0).no_better(end(&whole, 0)));
    assert!(!end(&pieces, 1).no_better(end(&whole, 1)));
}
