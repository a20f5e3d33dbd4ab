//! Money that comes late, pools with owners, and cash below zero that keepers fill. Each test names the invariant that it holds.

use cofferdam_core::{Amount, GroupId, Holder, House, Item, Lots, MarketId, Ppb, Quanta, Ticks};
use cofferdam_liquidation_strategy::{
    ByBidder, CarryDeficit, FullClose, KeeperLiquidation, KeeperTerms, ProRataAllocation,
};
use cofferdam_stack::{Alarm, Answer, Body, Effect, Fact, Parts, Reason, Rejection};
use cofferdam_testkit::{Bench, compose, conservation};
use compose::{ETH, FUND, TRADING_POOL, USDC};

fn full_close() -> Parts {
    Parts { liquidation: Box::new(FullClose::new(compose::order_terms())), ..compose::perpetual() }
}

/// Long group 1 against short group 2: 1,000 lots at 100,000 ticks (3.7 USD), 0.4 USD behind the long side. Closed at 88,000 the
/// long side loses 0.444 USD.
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

fn fall(bench: &mut Bench) {
    bench.mark(0, 88_000);
    let order = bench.orders()[0];
    bench.fill(order, order.lots.get(), 88_000);
}

fn deficit(bench: &Bench) -> i128 {
    -bench.state().holding(Holder::House(House::Deficit), Item::Asset(USDC)).units
}

fn ok(bench: &Bench) {
    conservation::check(bench.state()).unwrap();
    bench.replay().unwrap();
}

fn posted(bench: &Bench, reason: Reason) -> bool {
    let steps = &bench.history().steps;
    let mut facts = steps.iter().flat_map(|(_, facts)| facts);
    facts.any(|f| matches!(f, Fact::Post { reason: r, .. } if *r == reason))
}

/// INV-3: a winner who closes in the very moment of the loss pays its share first: a request waits for no cut that is due.
#[test]
fn nobody_leaves_before_the_cut() {
    let parts = || Parts { allocation: Box::new(ProRataAllocation), ..full_close() };
    let paid = |act: &dyn Fn(&mut Bench) -> Answer| {
        let mut bench = opposed(parts());
        fall(&mut bench);
        assert_eq!(deficit(&bench), 44_000, "the loss waits for its cascade");
        assert_eq!(act(&mut bench), Answer::Done);
        bench.clock(1);
        assert_eq!(deficit(&bench), 0);
        ok(&bench);
        // closed or not, the winner is worth the same
        let lots = bench.lots(2, 0);
        if lots != 0 {
            assert_eq!(bench.trade(2, 40, 0, -lots, 88_000), Answer::Done);
        }
        bench.balance(2, USDC)
    };
    let stays = paid(&|b| b.deposit(9, 1));
    assert_eq!(stays, 5_000_000 + 444_000 - 44_000);
    assert_eq!(paid(&|b| b.trade(2, 40, 0, 1_000, 88_000)), stays, "closing at once escapes nothing");
    assert_eq!(paid(&|b| b.trade(2, 40, 0, 500, 88_000)), stays);
}

/// INV-24, INV-25: a deficit that was carried is paid by the money that comes later, in the programme's order, and is no second
/// loss.
#[test]
fn late_money_pays_what_was_carried() {
    let mut parts = full_close();
    parts.allocation = Box::new(CarryDeficit);
    let mut bench = opposed(parts);
    fall(&mut bench);
    bench.clock(1);
    assert_eq!(deficit(&bench), 44_000);
    let losses = bench.state().head().losses_total;
    bench.commit(FUND, 30_000, true);
    assert_eq!((deficit(&bench), bench.state().head().losses_total), (14_000, losses));
    bench.commit(FUND, 100_000, true);
    assert_eq!((deficit(&bench), bench.state().head().losses_total), (0, losses));
    let left = bench.state().holding(Holder::Layer(FUND), Item::Asset(USDC)).units;
    assert_eq!(left, 30_000 + 100_000 - 44_000);
    ok(&bench);
}

/// A fill past its order's limit is booked, for it happened, and somebody is told.
#[test]
fn a_fill_past_its_limit_is_told() {
    let check = |price: i64, told: bool| {
        let mut bench = opposed(full_close());
        bench.mark(0, 92_000);
        let order = bench.orders()[0];
        let limit = bench.state().orders().find(|o| o.id == order.id).unwrap().limit;
        let answer = bench.fill(order, order.lots.get(), price);
        let want = Alarm::WorseThanLimit { order: order.id, price: Ticks::new(price), limit };
        assert_eq!(answer, if told { Answer::Alarm(want) } else { Answer::Done });
        assert_eq!(bench.lots(1, 0), 0);
        ok(&bench);
        limit.get()
    };
    let limit = check(92_000, false);
    check(limit, false);
    check(limit - 1, true);
}

fn send_pool(bench: &mut Bench, body: Body) -> Answer {
    let answer = bench.send(body).answer;
    ok(bench);
    answer
}

fn supply(group: u32, atoms: i128) -> Body {
    Body::Supply { group: GroupId(group), pool: TRADING_POOL, amount: Amount::new(atoms) }
}

fn shares(bench: &Bench, group: u32) -> u128 {
    bench.state().holding(Holder::Group(GroupId(group)), Item::Share(TRADING_POOL)).units.unsigned_abs()
}

fn redeem(bench: &mut Bench, group: u32) -> Answer {
    let shares = shares(bench, group);
    send_pool(bench, Body::Redeem { group: GroupId(group), pool: TRADING_POOL, shares })
}

/// INV-4, INV-9: a pool that trades belongs to the owners of its shares: what its traders lose they gain, and the other way
/// round; who comes and goes between two prices gains nothing.
#[test]
fn a_trading_pool_belongs_to_its_owners() {
    let check = |price: i64, owners_gain: bool| {
        let mut bench = opposed(compose::with_pool());
        bench.deposit(5, 10_000_000);
        bench.deposit(6, 10_000_000);
        assert_eq!(send_pool(&mut bench, supply(5, 8_000_000)), Answer::Done);
        assert!(matches!(
            send_pool(&mut bench, supply(6, 1 << 60)),
            Answer::Refused(Rejection::Insufficient { .. })
        ));
        let trade = |lots: i64| Body::PoolTrade {
            taker: GroupId(40),
            market: MarketId(0),
            lots: Lots::new(lots),
            limit: Ticks::new(if lots > 0 { i64::MAX } else { 1 }),
        };
        assert_eq!(send_pool(&mut bench, trade(1_000)), Answer::Done);
        bench.mark(0, price);
        let before = bench.balance(6, USDC);
        assert_eq!(send_pool(&mut bench, supply(6, 1_000_000)), Answer::Done);
        assert_eq!(redeem(&mut bench, 6), Answer::Done);
        assert!(bench.balance(6, USDC) <= before, "INV-4");
        assert_eq!(send_pool(&mut bench, trade(-1_000)), Answer::Done);
        assert_eq!(redeem(&mut bench, 5), Answer::Done);
        assert_eq!(bench.balance(5, USDC) > 10_000_000, owners_gain, "{}", bench.balance(5, USDC));
        assert_eq!(shares(&bench, 5), 0);
    };
    check(60_000, true);
    check(160_000, false);
}

fn keepers() -> Parts {
    let terms = KeeperTerms {
        pool: None,
        close_factor: Ppb::ONE,
        all_below: Ppb::ONE,
        dust: Quanta::ZERO,
        bonus: Ppb(50_000_000),
        fee_share: Ppb::ZERO,
        remainder_min: Quanta::ZERO,
    };
    let orders = Box::new(FullClose::new(compose::order_terms()));
    let liquidation = Box::new(ByBidder::new(orders, Box::new(KeeperLiquidation::new(terms).unwrap())));
    Parts { liquidation, allocation: Box::new(CarryDeficit), ..compose::perpetual() }
}

fn bid(bench: &mut Bench, repay: i128) -> Answer {
    let (keeper, group, repay) = (GroupId(3), GroupId(1), Amount::new(repay));
    bench.send(Body::Bid { keeper, group, debt: USDC, repay, collateral: ETH, at_least: Amount::ONE }).answer
}

/// INV-22, INV-23: an account with other collateral owes cash after its positions were closed; a keeper fills it for the
/// collateral, at a bonus, and what the collateral does not cover is a loss in the same step.
#[test]
fn keepers_fill_cash_below_zero() {
    // ETH at 2,000 USD: worth 0.08 USD against 0.044 owed; then worth 0.02
    for (eth, ends) in [(40_000_000_000_000, 0), (10_000_000_000_000, 24_000)] {
        let mut bench = opposed(keepers());
        bench.deposit_of(1, ETH, eth);
        bench.deposit(3, 1_000_000);
        assert!(matches!(bid(&mut bench, 1), Answer::Refused(Rejection::Strategy { .. })), "INV-17");
        bench.mark(0, 80_000);
        let order = bench.orders()[0];
        assert!(matches!(bid(&mut bench, 1), Answer::Refused(Rejection::Strategy { .. })), "still open");
        bench.fill(order, order.lots.get(), 88_000);
        let owed = -bench.balance(1, USDC);
        assert!(owed > 0, "{owed}");
        // with the collateral's weight of 80 % the account is below maintenance as soon as it owes more than that
        let dear = bench.eth(200_000_000_000);
        assert_eq!(dear, Answer::Done);
        if eth == 40_000_000_000_000 {
            bench.eth(130_000_000_000);
        }
        assert_eq!(bid(&mut bench, owed), Answer::Done, "{eth}");
        assert!(posted(&bench, Reason::Seizure));
        assert_eq!(bench.balance(1, USDC), 0, "INV-23");
        assert!(bench.balance(3, ETH) > 0);
        assert!((deficit(&bench) - ends).abs() <= 1_000, "{} of {ends}", deficit(&bench));
        ok(&bench);
    }
}

/// What nothing sells is told, once there is something that keepers could do.
#[test]
fn what_keepers_should_fill_is_told() {
    let mut bench = opposed(keepers());
    bench.deposit_of(1, ETH, 10_000_000_000_000);
    bench.mark(0, 80_000);
    let order = bench.orders()[0];
    let body = Body::Fill {
        order: order.id,
        lots: order.lots,
        price: Ticks::new(88_000),
        counterparty: GroupId(40),
    };
    let outcome = bench.send(body);
    let told = outcome
        .effects
        .iter()
        .any(|e| matches!(e, Effect::Raise(Alarm::Unsold { group }) if *group == GroupId(1)));
    assert!(told, "{:?}", outcome.effects);
}

/// INV-35, INV-10: who is being liquidated may still close by itself; its orders are taken back, and a late fill of one is nobody's
/// and does not turn it round.
#[test]
fn closing_by_itself_takes_orders_back() {
    let mut bench = opposed(full_close());
    bench.mark(0, 90_000);
    let order = bench.orders()[0];
    let body = Body::Trade {
        taker: GroupId(1),
        maker: GroupId(40),
        market: MarketId(0),
        lots: Lots::new(-1_000),
        price: Ticks::new(90_000),
    };
    let outcome = bench.send(body);
    assert_eq!(outcome.answer, Answer::Done);
    assert!(outcome.effects.contains(&Effect::Cancel { order: order.id }), "{:?}", outcome.effects);
    assert!(bench.orders().is_empty() && bench.state().orders().count() == 0);
    assert!(matches!(bench.fill(order, -1_000, 90_000), Answer::Alarm(Alarm::UnexpectedFill { .. })));
    assert_eq!((bench.lots(1, 0), bench.balance(1, USDC)), (0, 30_000));
    ok(&bench);
}

/// INV-7: a pool pays out of what it has. Who wins more waits, or closes less.
#[test]
fn a_pool_never_pays_what_it_does_not_have() {
    let mut bench = opposed(compose::with_pool());
    let trade = |lots: i64| Body::PoolTrade {
        taker: GroupId(40),
        market: MarketId(0),
        lots: Lots::new(lots),
        limit: Ticks::new(if lots > 0 { i64::MAX } else { 1 }),
    };
    assert_eq!(send_pool(&mut bench, trade(1_000)), Answer::Done);
    bench.mark(0, 160_000);
    assert!(matches!(send_pool(&mut bench, trade(-1_000)), Answer::Refused(Rejection::Insufficient { .. })));
    bench.deposit(5, 10_000_000);
    assert_eq!(send_pool(&mut bench, supply(5, 8_000_000)), Answer::Done);
    assert_eq!(send_pool(&mut bench, trade(-1_000)), Answer::Done);
    assert_eq!(bench.lots(40, 0), 0);
}
