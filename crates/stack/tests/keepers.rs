//! Keepers that take lots, and fills that our own matching proposes. Each test names the invariant that it holds.

use cofferdam_core::{
    Amount, Case, GroupId, Holder, Item, Level, Lots, MarketId, Memory, OrderId, Posting, Ppb, Ticks,
};
use cofferdam_liquidation_strategy::{
    Bid, ByBidder, FillGuard, FullClose, InsuranceCoverGuard, LiquidationError, LiquidationStrategy, Penalty,
    Plan, Refusal, Step, Taker,
};
use cofferdam_stack::{Answer, Body, Parts, Reason, Rejection};
use cofferdam_testkit::{Bench, compose, conservation};
use compose::{ETH, FUND, USDC};

/// Hands a keeper what it bids for, at a price; or breaks the contract.
#[derive(Debug)]
struct Hands {
    price: i64,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    TooManyLots,
    OtherSide,
    PastLimit,
    AnOrder,
}

impl LiquidationStrategy for Hands {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        _: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let (Taker::Keeper(_), Some((Item::Position(market), size))) = (bid.by, bid.give) else {
            return Ok(Err(Refusal::NotForThisBid { takes: "a keeper's bid for lots" }));
        };
        if !case.health.below(Level::Maintenance) {
            return Ok(Err(Refusal::Healthy));
        }
        let held = case.group.position(market).map_or(0, |p| p.lots.get());
        if i128::from(held.abs()) < size && self.fault != Fault::TooManyLots {
            return Ok(Err(Refusal::TooMuch { max: held.abs().into() }));
        }
        let size = i64::try_from(size).unwrap() + i64::from(self.fault == Fault::TooManyLots);
        let lots = Lots::new(if self.fault == Fault::OtherSide { size } else { -size } * held.signum());
        let limit = bid.limit.map_or(self.price, Ticks::get);
        let price = Ticks::new(if self.fault == Fault::PastLimit { limit + 1 } else { self.price });
        let penalty = Penalty { rate: Ppb(10_000_000), to_insurance: Ppb::ONE, ..Penalty::default() };
        let step = match self.fault {
            Fault::AnOrder => Step::Order { market, lots, limit: price, penalty, expires: case.at.time },
            _ => Step::Take { market, lots, price, penalty },
        };
        Ok(Ok(Plan { steps: vec![step], again: None, worsens: true }))
    }
}

fn opposed(price: i64, fault: Fault) -> Bench {
    let orders = Box::new(FullClose::new(compose::order_terms()));
    let liquidation = Box::new(ByBidder::new(orders, Box::new(Hands { price, fault })));
    stage(Parts { liquidation, ..compose::perpetual() })
}

/// Long group 1 against short group 2: 1,000 lots at 100,000 ticks (3.7 USD), 0.4 USD behind the long side; 5 % maintenance.
fn stage(parts: Parts) -> Bench {
    let mut bench = Bench::new(parts).unwrap();
    bench.mark(0, 100_000);
    bench.mark(1, 100_000);
    for (group, atoms) in [(1, 400_000), (2, 5_000_000), (3, 1_000_000), (4, 1), (40, 1 << 40)] {
        bench.deposit(group, atoms);
    }
    assert_eq!(bench.trade(1, 2, 0, 1_000, 100_000), Answer::Done);
    bench
}

/// The account below maintenance, its engine's order gone: only a keeper can act before the next price.
fn fallen(price: i64, fault: Fault) -> Bench {
    let mut bench = opposed(price, fault);
    bench.mark(0, 93_000);
    bench
}

fn take(bench: &mut Bench, keeper: u32, lots: i64, limit: i64) -> Answer {
    let (keeper, group, market) = (GroupId(keeper), GroupId(1), MarketId(0));
    let body = Body::Take { keeper, group, market, lots: Lots::new(lots), limit: Ticks::new(limit) };
    let answer = bench.send(body).answer;
    conservation::check(bench.state()).unwrap();
    answer
}

/// Without orders of the engine in the way: a strategy that leaves everything to keepers.
fn keepers_only(price: i64, fault: Fault) -> Bench {
    let mut bench = stage(Parts { liquidation: Box::new(Hands { price, fault }), ..compose::perpetual() });
    bench.mark(0, 93_000);
    bench
}

/// INV-17, INV-22: a keeper takes what it bid for from who is below, at the plan's price, and pays no one but its counterparty.
#[test]
fn a_keeper_takes_lots() {
    let mut bench = keepers_only(92_000, Fault::None);
    assert!(matches!(take(&mut bench, 1, 10, 0), Answer::Refused(Rejection::Malformed { .. })));
    assert!(matches!(take(&mut bench, 3, 0, 0), Answer::Refused(Rejection::Malformed { .. })));
    assert!(matches!(take(&mut bench, 3, 1_001, 0), Answer::Refused(Rejection::Strategy { .. })));
    // sold to the keeper at 92,000: it would not pay more than 91,999
    assert!(matches!(take(&mut bench, 3, 400, 91_999), Answer::Refused(Rejection::Failed { .. })));
    // a keeper without money for it
    assert!(matches!(take(&mut bench, 4, 400, 0), Answer::Refused(Rejection::Margin { .. })));
    assert_eq!(take(&mut bench, 3, 400, 92_000), Answer::Done);
    assert_eq!((bench.lots(1, 0), bench.lots(3, 0), bench.lots(2, 0)), (600, 400, -1_000));
    let posted = |r: Reason| {
        let mut facts = bench.history().steps.iter().flat_map(|(_, f)| f);
        facts.any(|f| matches!(f, cofferdam_stack::Fact::Post { reason, .. } if *reason == r))
    };
    assert!(posted(Reason::Seizure) && posted(Reason::Penalty));
    bench.replay().unwrap();
    bench.mark(0, 120_000);
    assert!(matches!(take(&mut bench, 3, 1, 0), Answer::Refused(Rejection::Strategy { .. })), "INV-17");
}

/// While orders of the engine are open their lots are reserved.
#[test]
fn lots_of_open_orders_are_reserved() {
    let mut bench = fallen(92_000, Fault::None);
    assert_eq!(bench.orders().len(), 1);
    assert!(matches!(take(&mut bench, 3, 400, 0), Answer::Refused(Rejection::Strategy { .. })));
}

/// INV-44: a plan that is not what was bid for moves nothing.
#[test]
fn a_lying_plan_gives_a_keeper_nothing() {
    for fault in [Fault::TooManyLots, Fault::OtherSide, Fault::PastLimit, Fault::AnOrder] {
        let mut bench = keepers_only(92_000, fault);
        let before = bench.state().book().load(GroupId(1));
        let answer = take(&mut bench, 3, 400, 92_000);
        assert!(matches!(answer, Answer::Refused(Rejection::Failed { .. })), "{fault:?}: {answer:?}");
        assert!(!bench.alarms().is_empty(), "{fault:?}");
        assert_eq!(bench.state().book().load(GroupId(1)), before, "{fault:?}");
    }
}

/// Sells a keeper an asset, a part of its price to insurance, with lots that hedge it; or takes a keeper's money for insurance alone.
#[derive(Debug)]
struct Clerk {
    lots: i64,
    sells: bool,
    covers: bool,
}

const PRICE: i128 = 50_000;
const INSURED: i128 = 1_000;

impl LiquidationStrategy for Clerk {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        _: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let Taker::Keeper(keeper) = bid.by else {
            return Ok(Err(Refusal::NotForThisBid { takes: "a keeper's bid" }));
        };
        let (group, keeper) = (Holder::Group(case.group.id), Holder::Group(keeper));
        let paid = if self.sells { PRICE } else { 0 };
        let mut postings = Vec::new();
        postings.extend(Posting::transfer(keeper, group, Item::Asset(USDC), paid));
        postings.extend(Posting::transfer(keeper, Holder::Layer(FUND), Item::Asset(USDC), INSURED));
        postings.extend(Posting::transfer(group, keeper, Item::Asset(ETH), paid));
        postings.retain(|p| p.units != 0);
        let (market, lots, price) = (MarketId(0), Lots::new(self.lots), Ticks::new(92_000));
        let mut steps = Vec::new();
        if self.covers {
            steps.push(Step::Cover { asset: USDC, amount: Amount::new(INSURED) });
        }
        steps.push(Step::Move(postings));
        if self.lots != 0 {
            steps.push(Step::Take { market, lots, price, penalty: Penalty::default() });
        }
        Ok(Ok(Plan { steps, again: None, worsens: true }))
    }
}

/// INV-44: a keeper pays insurance for what it takes and for nothing else, and gets lots with what it buys, no more than there are.
#[test]
fn a_keeper_buys_an_asset_with_its_hedge() {
    let check = |lots, sells, done: bool| {
        let mut bench = stage(Parts {
            liquidation: Box::new(Clerk { lots, sells, covers: false }),
            ..compose::perpetual()
        });
        bench.eth(200_000_000_000);
        bench.deposit_of(1, ETH, 80_000);
        bench.mark(0, 92_000);
        let repay = Amount::new(PRICE + INSURED);
        let (keeper, group, at_least) = (GroupId(3), GroupId(1), Amount::ZERO);
        let answer =
            bench.send(Body::Bid { keeper, group, debt: USDC, repay, collateral: ETH, at_least }).answer;
        conservation::check(bench.state()).unwrap();
        assert_eq!(answer == Answer::Done, done, "{lots}, {sells}: {answer:?}");
        let insured = bench.state().holding(Holder::Layer(FUND), Item::Asset(USDC)).units;
        let expected = if done { (-lots, 30_000, INSURED) } else { (0, 80_000, 0) };
        assert_eq!((bench.lots(3, 0), bench.balance(1, ETH), insured), expected, "{lots}, {sells}");
        bench.replay().unwrap();
    };
    check(0, true, true);
    check(-400, true, true);
    check(-1_001, true, false); // more than there are
    check(400, true, false); // the other side
    check(0, false, false); // for nothing
}

/// INV-44: insurance pays nothing into an account that has something left, nor more than it has.
#[test]
fn insurance_does_not_pay_who_has_something_left() {
    for (money, why) in [(0, "more than it has"), (50_000, "something left")] {
        let clerk = Clerk { lots: 0, sells: true, covers: true };
        let mut bench = stage(Parts { liquidation: Box::new(clerk), ..compose::perpetual() });
        bench.eth(200_000_000_000);
        bench.deposit_of(1, ETH, 80_000);
        bench.commit(FUND, money, true);
        bench.mark(0, 92_000);
        let before = bench.state().book().load(GroupId(1));
        let (keeper, group, repay, at_least) =
            (GroupId(3), GroupId(1), Amount::new(PRICE + INSURED), Amount::ZERO);
        let answer =
            bench.send(Body::Bid { keeper, group, debt: USDC, repay, collateral: ETH, at_least }).answer;
        assert!(matches!(answer, Answer::Refused(Rejection::Failed { .. })), "{money}: {answer:?}");
        assert!(format!("{answer:?} {:?}", bench.alarms()).contains(why), "{answer:?} {:?}", bench.alarms());
        assert_eq!(bench.state().book().load(GroupId(1)), before, "{money}");
        conservation::check(bench.state()).unwrap();
    }
}

fn propose(bench: &mut Bench, order: OrderId, lots: i64, price: i64, counterparty: u32) -> Answer {
    let (lots, price, counterparty) = (Lots::new(lots), Ticks::new(price), GroupId(counterparty));
    let answer = bench.send(Body::Match { order, lots, price, counterparty }).answer;
    conservation::check(bench.state()).unwrap();
    answer
}

/// A guard decides before the fill; the order stays open until it agrees.
#[test]
fn a_proposed_fill_can_be_refused() {
    let guards: Vec<Box<dyn FillGuard>> = vec![Box::new(InsuranceCoverGuard)];
    let orders = cofferdam_liquidation_strategy::OrderTerms {
        limit: cofferdam_liquidation_strategy::LimitPrice::Any,
        ..compose::order_terms()
    };
    let liquidation = Box::new(FullClose::new(orders));
    let mut bench = stage(Parts { guards, liquidation, ..compose::perpetual() });
    bench.mark(0, 92_000);
    let order = bench.orders()[0].id;
    let refused = |a: &Answer| matches!(a, Answer::Refused(_));
    assert!(refused(&propose(&mut bench, OrderId(77), -1, 92_000, 40)));
    assert!(refused(&propose(&mut bench, order, 1, 92_000, 40)), "the other side");
    assert!(refused(&propose(&mut bench, order, -1_001, 92_000, 40)), "more than is open");
    assert!(refused(&propose(&mut bench, order, -10, 92_000, 1)), "with itself");
    assert!(refused(&propose(&mut bench, order, -1_000, 92_000, 4)), "INV-10: a counterparty without margin");
    // 1,000 lots at 88,000 lose 0.444 USD of 0.4, and no layer has money
    let answer = propose(&mut bench, order, -1_000, 88_000, 40);
    assert!(matches!(answer, Answer::Refused(Rejection::Strategy { .. })), "{answer:?}");
    assert_eq!((bench.lots(1, 0), bench.state().orders().count()), (1_000, 1));
    bench.commit(FUND, 50_000, true);
    assert_eq!(propose(&mut bench, order, -1_000, 88_000, 40), Answer::Done);
    assert_eq!((bench.lots(1, 0), bench.balance(1, USDC), bench.state().orders().count()), (0, 0, 0));
    bench.replay().unwrap();
}
