//! Loss allocation against its laws, with broken policies to show that each law can fail.

mod common;

use cofferdam_core::{
    Amount, AssetId, At, GroupId, Lots, MapMemory, MarketId, Memory, Millis, PoolId, Ppb, Slot, Ticks,
};
use cofferdam_liquidation_strategy::{
    conformance::{Law, Promises, check_allocation},
    *,
};
use common::{allocate, close_out, deficit, haircuts, payer};
use proptest::prelude::*;

const ALL: Promises = Promises { monotone: true, order_preserving: true, ..Promises::NONE };
const QUEUE: Promises = Promises { monotone: true, ..Promises::NONE };

/// Five accounts of Chitra (arXiv:2512.01112): equities 10, 5, 1, -3, -12, gains 8, 4, 0.5, half of the deficit of 15
/// socialised. In hundredths; the second account has the most leverage.
fn chitra() -> Vec<Payer> {
    vec![
        payer(1, -10, 800, 800, 1_000, 1_000, -1_000),
        payer(2, -10, 400, 400, 500, 2_000, -1_000),
        payer(3, -10, 50, 50, 100, 100, -1_000),
    ]
}

#[test]
fn the_published_example() {
    let queue = check_allocation(&QueueAllocation::new(false), &deficit(750), &chitra(), QUEUE).unwrap();
    assert_eq!(haircuts(&queue), [(2, 400), (1, 350)]);
    let shared = check_allocation(&ProRataAllocation, &deficit(750), &chitra(), ALL).unwrap();
    assert_eq!(haircuts(&shared), [(1, 480), (2, 240), (3, 30)]);
}

#[test]
fn the_queue_does_not_preserve_the_order_of_gains() {
    // the counterexample: 400 gained and nothing kept, beside 50 gained and kept
    let broken = check_allocation(&QueueAllocation::new(false), &deficit(750), &chitra(), ALL).unwrap_err();
    assert_eq!(broken.law, Law::OrderPreserving, "{broken}");
}

#[test]
fn running_sums_would_not_be_monotone() {
    let payers = [payer(1, -1, 2, 2, 9, 9, -9), payer(2, -1, 1, 1, 9, 9, -9), payer(3, -1, 2, 2, 9, 9, -9)];
    let broken = check_allocation(&RunningSums, &deficit(3), &payers, ALL).unwrap_err();
    assert_eq!(broken.law, Law::Monotone, "{broken}");
    for need in 0..=6 {
        check_allocation(&ProRataAllocation, &deficit(need), &payers, ALL).unwrap();
    }
}

#[test]
fn close_outs() {
    let payers = [
        payer(1, -10, 50, 50, 100, 1_000, -1_000),
        payer(2, -30, 50, 50, 100, 3_000, -3_000),
        payer(3, -5, -20, 0, 100, 500, -500),
        payer(4, 40, 90, 90, 100, 4_000, 4_000),
    ];
    let check = |policy: &dyn LossAllocation, lots: i64, expected: &[(u32, i64)], residual: i128| {
        let s = check_allocation(policy, &close_out(lots), &payers, QUEUE).unwrap();
        let closes: Vec<(u32, i64)> = s
            .measures
            .iter()
            .map(|m| match m {
                Measure::Close { payer, lots, .. } => (payer.0, lots.get()),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!((closes.as_slice(), s.residual), (expected, residual));
    };
    // a long of so many lots: those who are short buy
    check(&QueueAllocation::new(false), 12, &[(1, 10), (2, 2)], 0);
    check(&QueueAllocation::new(false), 50, &[(1, 10), (2, 30)], 10);
    check(&QueueAllocation::new(true), 50, &[(1, 10), (2, 30), (3, 5)], 5);
    check(&QueueAllocation::new(false).close_outs_only(), 12, &[(1, 10), (2, 2)], 0);
    check(&ProRataAllocation, 12, &[(1, 3), (2, 9)], 0);
    check(&ProRataAllocation, -12, &[(4, -12)], 0);
    check(&CarryDeficit, 12, &[], 12);
}

/// Each ranking orders the same holders differently, by its formula.
#[test]
fn rankings() {
    let holder = |group, gain: i128, equity, notional, cost: i128, maintenance| Payer {
        maintenance: Amount::new(maintenance),
        ..payer(group, -10, gain, gain.max(0), equity, notional, -cost)
    };
    let holders = [
        holder(1, 50, 100, 1_000, 1_000, 2), // return 5 %, leverage 10, margin ratio 50, collateral 50
        holder(2, 40, 100, 1_000, 1_000, 30), // return 4 %, leverage 10, margin ratio 3.3, collateral 60
        holder(3, 60, 200, 800, 500, 20),    // return 12 %, leverage 4, margin ratio 10, collateral 140
        holder(4, -10, 100, 1_000, 1_000, 10), // loses 1 % at leverage 10 and margin ratio 10
        holder(5, -10, 100, 500, 500, 90),   // loses 2 % at leverage 5 and margin ratio 1.1
    ];
    let check = |ranking: Ranking, expected: [u32; 5]| {
        let queue = QueueAllocation::new(true).ranked_by(ranking);
        let order: Vec<u32> = allocate(&queue, &close_out(50), &holders)
            .measures
            .iter()
            .map(|m| if let Measure::Close { payer, .. } = m { payer.0 } else { 0 })
            .collect();
        assert_eq!(order, expected, "{ranking:?}");
    };
    check(Ranking::Leverage, [1, 3, 2, 4, 5]); // 0.5, 0.48, 0.4; losses 0.001, 0.004
    check(Ranking::MarginRatio, [2, 3, 1, 5, 4]); // 0.012, 0.012 (by group), 0.001; losses 0.0222, 0.1
    check(Ranking::Collateral, [2, 3, 1, 4, 5]); // 0.2, 0.043, 0.02; losses 0.0091, 0.082
}

#[test]
fn unranked() {
    let payers: Vec<Payer> =
        (1..5).map(|g| payer(g, -10, 5 - i128::from(g) * 3, 0, 50, 1_000, -1_000)).collect();
    let order = |time: u64, most: u32, lots: i64| {
        let policy = UnrankedAllocation::new(most).unwrap();
        let at = At { time: Millis(time), ..At::default() };
        let payers = payers.as_slice();
        let s = MapMemory::default()
            .with(Slot(1), |m| policy.allocate(at, &close_out(lots), &payers, m))
            .unwrap();
        let taken = s
            .measures
            .iter()
            .map(|m| if let Measure::Close { payer, lots, .. } = m { (payer.0, lots.get()) } else { (0, 0) });
        (taken.collect::<Vec<_>>(), s.residual)
    };
    let mut starts = [0; 4];
    for time in 0..400 {
        let (taken, left) = order(time, 500, 25);
        let first = taken[0].0;
        starts[first as usize - 1] += 1;
        // around from the start, all of each until nothing is left; losers as well
        assert_eq!((taken, left), (vec![(first, 10), (first % 4 + 1, 10), ((first + 1) % 4 + 1, 5)], 0));
        assert_eq!(order(time, 500, 25).0[0].0, first, "the same moment, the same start");
    }
    assert!(starts.iter().all(|n| *n > 60), "{starts:?}");
    assert_eq!(order(1, 2, 35).1, 15, "two are asked, and no more");
    assert_eq!(order(1, 500, 45).1, 5);
    assert_eq!(order(1, 500, -5), (vec![], 5), "nobody on the other side");
    assert_eq!(allocate(&UnrankedAllocation::new(1).unwrap(), &deficit(7), &payers).residual, 7);
    assert!(UnrankedAllocation::new(0).is_err());
}

#[test]
fn ranks() {
    let check = |rank, close: i64, payers: &[Payer], expected: &[u32]| {
        let queue = QueueAllocation::new(false).ranked_by(rank);
        let s = check_allocation(&queue, &close_out(close), payers, QUEUE).unwrap();
        let order: Vec<u32> = s
            .measures
            .iter()
            .map(|m| if let Measure::Close { payer, .. } = m { payer.0 } else { 0 })
            .collect();
        assert_eq!(order, expected, "{rank:?}");
    };
    // longs: 1 gained 20 % at leverage 5, 2 gained 2 % at leverage 20
    let longs = [payer(1, 10, 100, 100, 120, 600, 500), payer(2, 10, 20, 20, 51, 1_020, 1_000)];
    check(Ranking::Leverage, -20, &longs, &[1, 2]); // 0.2 x 5 = 1; 0.02 x 20 = 0.4
    check(Ranking::PriceRatio, -20, &longs, &[2, 1]); // 1.2 x 5 = 6; 1.02 x 20 = 20.4
    // shorts: 1 sold at 125 % of the mark with leverage 5, 2 at 105 % with leverage 6: 6.25 and 6.3
    let shorts = [payer(1, -10, 250, 250, 200, 1_000, -1_250), payer(2, -10, 50, 50, 200, 1_200, -1_260)];
    check(Ranking::Leverage, 20, &shorts, &[1, 2]);
    check(Ranking::PriceRatio, 20, &shorts, &[2, 1]);
    // what only the smaller gain of a short would tell apart
    let even = [payer(1, -10, 50, 50, 200, 1_000, -1_050), payer(2, -10, 250, 250, 200, 1_000, -1_250)];
    check(Ranking::PriceRatio, 20, &even, &[2, 1]);
}

#[test]
fn each_policy_sees_what_the_last_left() {
    let policy = InOrder::new(vec![
        Box::new(QueueAllocation::new(false)),
        Box::new(ProRataAllocation),
        Box::new(WriteDownPool::new(PoolId(1), AssetId(0), Some(Amount::new(100))).unwrap()),
        Box::new(CarryDeficit),
    ])
    .unwrap();
    let s = check_allocation(&policy, &deficit(1_500), &chitra(), QUEUE).unwrap();
    assert_eq!(haircuts(&s).iter().map(|h| h.1).sum::<i128>(), 1_250, "nobody is taken from twice");
    assert_eq!(
        s.measures[3..],
        [
            Measure::WriteDown { pool: PoolId(1), amount: Amount::new(100) },
            Measure::Carry { amount: Amount::new(150) }
        ]
    );
}

#[test]
fn a_shift_of_funding_covers_what_a_market_lost_and_nothing_else() {
    let policy =
        InOrder::new(vec![Box::new(ProRataAllocation), Box::new(ShiftFunding), Box::new(CarryDeficit)])
            .unwrap();
    let s = check_allocation(&policy, &deficit(1_500), &chitra(), ALL).unwrap();
    assert_eq!(s.measures[3..], [Measure::ShiftFunding { amount: Amount::new(250) }]);
    let nowhere = Need { market: None, ..deficit(7) };
    let s = check_allocation(&policy, &nowhere, &[], ALL).unwrap();
    assert_eq!(s.measures, [Measure::Carry { amount: Amount::new(7) }]);
    check_allocation(&ShiftFunding, &close_out(5), &chitra(), QUEUE).unwrap();
    let broken = check_allocation(&ShiftNowhere, &nowhere, &[], ALL).unwrap_err();
    assert_eq!(broken.law, Law::OnlyPayers, "{broken}");
}

#[test]
fn a_pool_that_owes_too_much() {
    let gain = |gain, side, worth| Need {
        cause: Cause::PoolGain {
            of: GroupId(1),
            lots: Lots::new(10),
            price: Ticks::new(97),
            gain: Amount::new(gain),
            side: Amount::new(side),
            worth: Amount::new(worth),
        },
        ..close_out(0)
    };
    let limit = PoolGainLimit::new(Ppb(850_000_000), Ppb(770_000_000)).unwrap();
    let policy =
        InOrder::new(vec![Box::new(ProRataAllocation), Box::new(limit), Box::new(CarryDeficit)]).unwrap();
    let chosen = [payer(1, 30, 300, 300, 900, 900, 600)];
    let check = |chosen_gain, side, worth, closes: bool| {
        let s = check_allocation(&policy, &gain(chosen_gain, side, worth), &chosen, ALL).unwrap();
        assert_eq!((s.measures.len(), s.residual), (usize::from(closes), if closes { 0 } else { 10 }));
    };
    check(10, 850, 1_000, false); // not more than 85 %
    check(10, 851, 1_000, true);
    check(0, 851, 1_000, false); // nothing gained
    check(-10, 851, 1_000, false);
    check(352, 851, 1_000, true); // 499 / 648 = 77.006 %
    check(353, 851, 1_000, false); // 498 / 647 = 76.97 %
    check(10, 1_000, 1_000, false); // would not fall
    check(10, 5, 0, false);
    check_allocation(&limit, &deficit(5), &chitra(), ALL).unwrap();
    let broken = check_allocation(&OfAnother, &gain(10, 900, 1_000), &chosen, ALL).unwrap_err();
    assert_eq!(broken.law, Law::OnlyPayers, "{broken}");
}

#[test]
fn a_need_that_makes_no_sense_is_refused() {
    let mut memory = MapMemory::default();
    for need in [deficit(-1), Need { market: None, ..close_out(5) }] {
        let payers = chitra();
        let r =
            memory.with(Slot(1), |m| ProRataAllocation.allocate(At::default(), &need, &payers.as_slice(), m));
        assert!(matches!(r, Err(LiquidationError::Parameter { .. })), "{r:?}");
    }
}

// ---- deliberately broken

#[derive(Debug)]
struct OfAnother;
impl LossAllocation for OfAnother {
    fn allocate(
        &self,
        _: At,
        need: &Need,
        _: &dyn Payers,
        _: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        let Cause::PoolGain { lots, price, .. } = need.cause else { return Ok(Settlement::default()) };
        let (payer, market, lots) = (GroupId(7), MarketId(0), lots.try_neg()?);
        Ok(Settlement { measures: vec![Measure::Close { payer, market, lots, price }], residual: 0 })
    }
}

#[derive(Debug)]
struct ShiftNowhere;
impl LossAllocation for ShiftNowhere {
    fn allocate(
        &self,
        _: At,
        need: &Need,
        _: &dyn Payers,
        _: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        let measures = vec![Measure::ShiftFunding { amount: need.amount }];
        Ok(Settlement { measures, residual: 0 })
    }
}

#[derive(Debug)]
struct RunningSums;
impl LossAllocation for RunningSums {
    fn allocate(
        &self,
        _: At,
        n: &Need,
        p: &dyn Payers,
        _: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        let mut winners: Vec<Payer> = p.iter().filter(|p| p.gain.get() > 0).collect();
        winners.sort_by_key(|p| p.group);
        let total: i128 = winners.iter().map(|p| p.gain.get()).sum();
        let want = n.amount.get().min(total);
        let (mut upto, mut paid, mut measures) = (0, 0, vec![]);
        for w in winners {
            upto += w.gain.get();
            let x = want * upto / total - paid;
            paid += x;
            if x > 0 {
                measures.push(Measure::Haircut { payer: w.group, amount: Amount::new(x) });
            }
        }
        Ok(Settlement { measures, residual: n.amount.get() - want })
    }
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Short,
    Principal,
    Stranger,
    FirstCome,
}
#[derive(Debug)]
struct Broken(Fault);
impl LossAllocation for Broken {
    fn allocate(
        &self,
        _: At,
        n: &Need,
        p: &dyn Payers,
        _: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        let first = p.iter().next().unwrap();
        let cut = |payer, amount| Measure::Haircut { payer, amount };
        let taken = first.gain.min(n.amount);
        Ok(match self.0 {
            Fault::Short => Settlement { measures: vec![cut(first.group, taken)], residual: 0 },
            Fault::Principal => Settlement { measures: vec![cut(first.group, n.amount)], residual: 0 },
            Fault::Stranger => Settlement { measures: vec![cut(GroupId(99), n.amount)], residual: 0 },
            Fault::FirstCome => {
                Settlement { measures: vec![cut(first.group, taken)], residual: n.amount.get() - taken.get() }
            }
        })
    }
}

#[test]
fn every_law_can_fail() {
    for (fault, law) in [
        (Fault::Short, Law::Exact),
        (Fault::Principal, Law::Base),
        (Fault::Stranger, Law::OnlyPayers),
        (Fault::FirstCome, Law::Insertion),
    ] {
        let broken = check_allocation(&Broken(fault), &deficit(1_000), &chitra(), ALL).unwrap_err();
        assert_eq!(broken.law, law, "{broken}");
    }
}

// ---- laws

fn payers() -> impl Strategy<Value = Vec<Payer>> {
    let one = (-50_i64..50, -40_i128..200, 0_i128..220, -50_i128..300, 0_i128..5_000, -5_000_i128..5_000);
    prop::collection::vec(one, 0..10).prop_map(|parts| {
        let build = |(i, (lots, gain, room, equity, notional, cost))| {
            payer(i, lots, gain, room, equity, notional, cost)
        };
        (1..).zip(parts).map(build).collect()
    })
}

fn wide_payers() -> impl Strategy<Value = Vec<Payer>> {
    let big = 1_i128 << 116;
    let one = (1..big, 1..big, 1..big, 1..big);
    prop::collection::vec(one, 1..6).prop_map(|parts| {
        let build = |(i, (gain, equity, notional, cost)): (u32, (i128, i128, i128, i128))| {
            payer(i, -1, gain, gain, equity, notional, -cost)
        };
        (1..).zip(parts).map(build).collect()
    })
}

proptest! {
    #[test]
    fn built_ins_keep_the_laws(payers in payers(), amount in 0_i128..1_500, lots in -200_i64..200, losers: bool) {
        let in_order = InOrder::new(vec![
            Box::new(QueueAllocation::new(losers)),
            Box::new(WriteDownPool::new(PoolId(1), AssetId(0), Some(Amount::new(50))).unwrap()),
        ]).unwrap();
        for need in [deficit(amount), close_out(lots)] {
            check_allocation(&ProRataAllocation, &need, &payers, Promises { order_preserving: need.cause == Cause::Deficit, ..ALL }).unwrap();
            let queue = QueueAllocation::new(losers);
            let [ratio, margin, collateral] =
                [Ranking::PriceRatio, Ranking::MarginRatio, Ranking::Collateral].map(|r| queue.ranked_by(r));
            let (closes, unranked) = (queue.close_outs_only(), UnrankedAllocation::new(500).unwrap());
            let policies: [&dyn LossAllocation; 8] =
                [&closes, &queue, &ratio, &margin, &collateral, &in_order, &CarryDeficit, &unranked];
            for policy in policies {
                check_allocation(policy, &need, &payers, QUEUE).unwrap();
            }
        }
    }

    #[test]
    fn near_the_end_of_the_range(payers in wide_payers(), per_mille in 0_i128..1_200) {
        let total: i128 = payers.iter().map(|p| p.gain.get()).sum();
        let need = deficit((total / 1_000).saturating_mul(per_mille));
        check_allocation(&ProRataAllocation, &need, &payers, ALL).unwrap();
        for ranking in [Ranking::Leverage, Ranking::MarginRatio, Ranking::Collateral] {
            check_allocation(&QueueAllocation::new(false).ranked_by(ranking), &need, &payers, QUEUE).unwrap();
        }
    }

    #[test]
    fn pro_rata_takes_at_most_one_unit_too_much(gains in prop::collection::vec(1_i128..500, 1..10), share in 0_i128..101) {
        let payers: Vec<Payer> = (1..).zip(&gains).map(|(i, &g)| payer(i, -1, g, g, 1, 1, -1)).collect();
        let total: i128 = gains.iter().sum();
        let need = total * share / 100;
        for (group, x) in haircuts(&allocate(&ProRataAllocation, &deficit(need), &payers)) {
            let gain = gains[group as usize - 1];
            prop_assert!((x - 1) * total < need * gain, "{x} of {gain}: more than the share rounded up");
        }
        // and the roundings of all others at most come off one winner's share
        let all = haircuts(&allocate(&ProRataAllocation, &deficit(need), &payers));
        for (group, gain) in (1..).zip(&gains) {
            let x = all.iter().find(|h| h.0 == group).map_or(0, |h| h.1);
            let others = gains.len() as i128 - 1;
            prop_assert!((x + others) * total >= need * gain, "{x} of {gain}: less by more than a unit of each other");
        }
    }
}

/// A large winner pays more than a unit less than its share where many small ones pay theirs rounded up.
#[test]
fn pro_rata_takes_its_roundings_off_the_largest() {
    let payers: Vec<Payer> = (1..=10)
        .map(|i| if i == 10 { payer(i, -1, 910, 910, 1, 1, -1) } else { payer(i, -1, 10, 10, 1, 1, -1) })
        .collect();
    // 1 % of 1,000: the share of each small one is 0.1, of the large one 9.1
    let paid = haircuts(&allocate(&ProRataAllocation, &deficit(10), &payers));
    assert_eq!((paid.len(), paid.iter().find(|p| p.0 == 10).map(|p| p.1)), (10, Some(1)));
}
