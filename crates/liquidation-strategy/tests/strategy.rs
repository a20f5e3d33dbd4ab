//! Strategies on the bench: tables, laws, and broken strategies to show that each law can fail.

use cofferdam_core::{
    Amount, AssetId, Case, GroupId, Holder, House, Index, Item, Level, Lots, MapMemory, MarketId, Memory,
    Millis, PoolId, Posting, Ppb, Quanta, RAY, Scaled, Ticks, Verdict,
};
use cofferdam_liquidation_strategy::{
    conformance::{Bench, Law, check_strategy},
    *,
};
use proptest::prelude::*;

fn penalty(ppb: i64) -> Penalty {
    Penalty::new(Ppb(ppb), Ppb::ONE, Ppb::ZERO).unwrap()
}

fn terms(limit: LimitPrice, penalty_ppb: i64) -> OrderTerms {
    OrderTerms::new(limit, penalty(penalty_ppb), Millis(1_000)).unwrap()
}

fn partial(penalty_ppb: i64, step: i128, rest: i128) -> PartialToTarget {
    let terms = terms(LimitPrice::Any, penalty_ppb);
    PartialToTarget::new(terms, Level::LiquidationEnd, Quanta::new(step), Quanta::new(rest)).unwrap()
}

fn long(cash: i128, lots: i64) -> Bench {
    Bench::perpetual(cash).with_position(MarketId(0), lots, i128::from(lots) * 100)
}

fn trades(plan: &Plan) -> Vec<(u32, i64)> {
    let pick = |s: &Step| match s {
        Step::Order { market, lots, .. } | Step::Deleverage { market, lots, .. } => (market.0, lots.get()),
        other => panic!("{other:?}"),
    };
    plan.steps.iter().map(pick).collect()
}

fn check(
    bench: &Bench,
    strategy: &dyn LiquidationStrategy,
    expected: &[(u32, i64)],
    again: Option<u64>,
    worsens: bool,
) {
    let plan = check_strategy(bench, strategy, &Bid::ENGINE).unwrap().unwrap();
    assert_eq!((trades(&plan).as_slice(), plan.again, plan.worsens), (expected, again.map(Millis), worsens));
}

#[test]
fn full_close() {
    let all = FullClose::new(terms(LimitPrice::Any, 0));
    let two = long(60, 10).with_position(MarketId(1), -20, -2_000);
    check(&two, &all, &[(1, 20), (0, -10)], None, false);
    let tie = long(60, 10).with_position(MarketId(1), -10, -1_000);
    check(&tie, &all, &[(0, -10), (1, 10)], None, false);
    // 30 of equity cannot pay 4 % of 1000
    check(&long(30, 10), &FullClose::new(terms(LimitPrice::Any, 40_000_000)), &[(0, -10)], None, true);
    check(
        &Bench { allowed: Verdict::at_most(25), ..two.clone() },
        &all,
        &[(1, 20), (0, -5)],
        Some(1_000),
        false,
    );
    check(&Bench { allowed: Verdict::until(Millis(77)), ..two }, &all, &[], Some(77), false);
    let healthy = check_strategy(&long(100, 10), &all, &Bid::ENGINE).unwrap();
    assert_eq!(healthy, Err(Refusal::Healthy));
    let lost = Bench { debts: vec![], ..Bench::lending(0, 0) };
    assert_eq!(lost.plan(&all, &Bid::ENGINE).unwrap(), Err(Refusal::Healthy));
    let owing = check_strategy(&Bench::perpetual(-5), &all, &Bid::ENGINE).unwrap().unwrap();
    let holder = Holder::Group(GroupId(7));
    assert_eq!(owing.steps, [Step::Loss { holder, asset: AssetId(0), amount: Amount::new(5) }]);
}

#[test]
fn limits() {
    let limit = |bench: &Bench, policy, lots| bench.case(|c| policy_price(policy, c, lots)).get();
    fn policy_price(policy: LimitPrice, c: &Case<'_>, lots: i64) -> Ticks {
        policy.price(c, MarketId(0), Lots::new(lots), c.health.equity).unwrap()
    }
    let short = Bench::perpetual(35).with_position(MarketId(0), -10, -1_000);
    for (bench, policy, lots, expected) in [
        (long(35, 10), LimitPrice::Any, -10, 1),
        (short.clone(), LimitPrice::Any, 10, i64::MAX),
        (long(35, 10), LimitPrice::Bankruptcy, -10, 97), // 96.5, up
        (short.clone(), LimitPrice::Bankruptcy, 10, 103), // 103.5, down
        (long(-35, 10), LimitPrice::Bankruptcy, -10, 104),
        (long(2_000, 10), LimitPrice::Bankruptcy, -10, 1),
        (long(35, 10), LimitPrice::Band(Ppb(15_000_000)), -10, 99), // 98.5, up
        (short, LimitPrice::Band(Ppb(15_000_000)), 10, 101),        // 101.5, down
    ] {
        assert_eq!(limit(&bench, policy, lots), expected, "{policy:?} {lots}");
    }
}

#[test]
fn partial_close() {
    check(&long(30, 10), &partial(0, 0, 0), &[(0, -5)], None, false);
    // a step of 700 at least; a rest of 600 at least, so nothing stays
    check(&long(30, 10), &partial(0, 700, 0), &[(0, -7)], None, false);
    check(&long(30, 10), &partial(0, 0, 600), &[(0, -10)], None, false);
    // the larger relief first, then just enough of the other: 30 supports 500
    let two = long(30, 4).with_position(MarketId(1), -8, -800);
    check(&two, &partial(0, 0, 0), &[(1, 7)], None, false);
    let two = long(10, 4).with_position(MarketId(1), -8, -800);
    check(&two, &partial(0, 0, 0), &[(1, 8), (0, -3)], None, false);
    // past the toxic frontier: no part helps
    check(&long(30, 10), &partial(40_000_000, 0, 0), &[(0, -10)], None, true);
    check(
        &Bench { allowed: Verdict::at_most(2), ..long(30, 10) },
        &partial(0, 0, 0),
        &[(0, -2)],
        Some(1_000),
        false,
    );
}

fn slices() -> Gradual {
    let pace = Pace {
        slice: Ppb(200_000_000),
        slice_min: Quanta::ZERO,
        interval: Millis(30_000),
        slices: 1,
        small: Quanta::new(500),
        all_below: Some(Level::Backstop),
        forget: Millis(300_000),
    };
    Gradual::new(terms(LimitPrice::Any, 0), pace).unwrap()
}

#[test]
fn gradual_close() {
    let mut memory = MapMemory::default();
    let mut at = |time: u64, bench: Bench| {
        let mut bench = bench;
        bench.at.time = Millis(time);
        let plan = bench.plan_with(&mut memory, &slices(), &Bid::ENGINE).unwrap().unwrap();
        (trades(&plan), plan.again.map(|t| t.0))
    };
    assert_eq!(at(1, long(400, 100)), (vec![(0, -20)], Some(30_001)), "a fifth");
    assert_eq!(at(20_000, long(350, 80)), (vec![], Some(30_001)), "cool-down");
    assert_eq!(at(25_000, long(700, 180)), (vec![], Some(30_001)), "growing does not start anew");
    assert_eq!(at(30_001, long(350, 80)), (vec![(0, -80)], None), "then all");
    assert_eq!(at(400_000, long(350, 80)), (vec![(0, -16)], Some(430_000)), "long after, a new one");
    assert_eq!(at(400_001, long(100, 80)), (vec![(0, -80)], None), "below the second level");
    assert_eq!(at(400_002, long(20, 5)), (vec![(0, -5)], None), "small");
    let cut = Bench { allowed: Verdict::at_most(0), ..long(400, 90) };
    assert_eq!(at(900_000, cut), (vec![], Some(901_000)), "a slice that was cut to nothing was not taken");
    assert_eq!(at(900_001, long(400, 90)).0, [(0, -18)]);
}

fn first_slice() -> FirstSlice {
    let (slice, large) = (Ppb(200_000_000), Quanta::new(500));
    let pace = SlicePace { slice, large, cooldown: Millis(30_000), pause: Millis(100) };
    FirstSlice::new(terms(LimitPrice::Any, 0), pace).unwrap()
}

#[test]
fn a_first_slice_then_everything() {
    let mut memory = MapMemory::default();
    let mut at = |time: u64, mut bench: Bench| {
        bench.at.time = Millis(time);
        let plan = bench.plan_with(&mut memory, &first_slice(), &Bid::ENGINE).unwrap();
        plan.map(|plan| (trades(&plan), plan.again.map(|t| t.0)))
    };
    let two = |cash, lots| long(cash, lots).with_position(MarketId(1), -3, -300);
    assert_eq!(
        at(5, two(400, 100)),
        Ok((vec![(0, -20), (1, 3)], Some(105))),
        "a fifth, and the small one whole"
    );
    assert_eq!(at(104, long(350, 80)), Err(Refusal::NotBefore { time: Millis(105) }), "the same block");
    assert_eq!(at(105, long(350, 80)), Ok((vec![(0, -80)], None)), "the cool-down: everything");
    assert_eq!(at(30_004, long(350, 72)), Ok((vec![(0, -72)], None)), "which does not extend it");
    assert_eq!(
        at(30_005, long(300, 72)),
        Ok((vec![(0, -15)], Some(30_105))),
        "after it, a new one, rounded up"
    );
    let cut = Bench { allowed: Verdict::at_most(0), ..long(400, 90) };
    assert_eq!(at(90_000, cut), Ok((vec![], Some(91_000))), "cut to nothing, so not taken");
    assert_eq!(at(90_001, long(400, 90)), Ok((vec![(0, -18)], Some(90_101))));
}

#[test]
fn isolated_markets_stand_alone() {
    let guard = IsolatedMarkets::new(vec![MarketId(1)]);
    let check = |bench: Bench, market, lots, expected| {
        let (id, lots, price) = (MarketId(market), Lots::new(lots), Ticks::new(100));
        let answer = bench.case(|c| guard.accept(c, id, lots, price, Quanta::ZERO)).unwrap();
        assert_eq!(answer, expected, "{market} {lots}");
    };
    let isolated = || Bench::perpetual(500).with_position(MarketId(1), 10, 1_000);
    check(Bench::perpetual(500), 1, 5, true);
    check(isolated(), 1, 5, true);
    check(isolated(), 1, -20, true);
    check(isolated(), 0, 1, false);
    check(long(500, 10), 1, 1, false);
    check(long(500, 10), 2, 1, true);
    // however the account came to hold both, it may reduce each, and may not turn either round
    let both = || isolated().with_position(MarketId(0), 10, 1_000);
    check(both(), 0, -10, true);
    check(both(), 1, -10, true);
    check(both(), 0, -11, false);
}

#[test]
fn tiers_and_takeover() {
    let vault = || Takeover::new(GroupId(9), Level::Backstop, Millis(500)).unwrap();
    let tiers = Tiers::new(vec![
        (Bound::Below(Level::Maintenance), Box::new(slices())),
        (
            Bound::Ratio { level: Level::Maintenance, share: Ppb(800_000_000) },
            Box::new(FullClose::new(terms(LimitPrice::Any, 0))),
        ),
        (Bound::Below(Level::Backstop), Box::new(vault())),
        (Bound::Insolvent, Box::new(Deleverage::new(DeleveragePrice::Bankruptcy, Millis(1)).unwrap())),
    ])
    .unwrap();
    check(&long(45, 10), &tiers, &[(0, -2)], Some(30_000), false);
    check(&long(39, 10), &tiers, &[(0, -10)], None, false);
    check(&long(-1, 10), &tiers, &[(0, -10)], None, false);
    let plan = check_strategy(&long(30, 10), &tiers, &Bid::ENGINE).unwrap().unwrap();
    let (from, to) = (Holder::Group(GroupId(7)), Holder::Group(GroupId(9)));
    let cash = Posting::transfer(from, to, Item::Asset(AssetId(0)), 30);
    assert_eq!(
        plan.steps,
        [Step::Move(vec![
            Posting::position(from, MarketId(0), -10, Quanta::new(-1_000)),
            Posting::position(to, MarketId(0), 10, Quanta::new(1_000)),
            cash[0],
            cash[1],
        ])]
    );
    // only half is allowed: half of everything
    let half = Bench { allowed: Verdict::at_most(5), ..long(30, 10) };
    let plan = check_strategy(&half, &vault(), &Bid::ENGINE).unwrap().unwrap();
    let Step::Move(moved) = &plan.steps[0] else { panic!("{plan:?}") };
    assert_eq!((moved[0].units, moved[2].units, plan.again), (-5, -15, Some(Millis(500))));
    // one lot of twenty, in two positions: cash does not go without its risk
    let two = long(30, 10).with_position(MarketId(1), -10, -1_000);
    let plan = check_strategy(&Bench { allowed: Verdict::at_most(1), ..two }, &vault(), &Bid::ENGINE)
        .unwrap()
        .unwrap();
    assert_eq!((plan.steps.len(), plan.again), (0, Some(Millis(500))));
    assert_eq!(check_strategy(&long(45, 10), &vault(), &Bid::ENGINE).unwrap(), Err(Refusal::Healthy));
}

fn keeper(change: impl Fn(&mut KeeperTerms)) -> KeeperLiquidation {
    let mut t = KeeperTerms {
        pool: Some(PoolId(1)),
        close_factor: Ppb(500_000_000),
        all_below: Ppb(950_000_000),
        dust: Quanta::ZERO,
        bonus: Ppb(50_000_000),
        fee_share: Ppb(100_000_000),
        remainder_min: Quanta::ZERO,
    };
    change(&mut t);
    KeeperLiquidation::new(t).unwrap()
}

fn bid(amount: i128) -> Bid {
    let give = Some((Item::Debt(AssetId(0)), amount));
    Bid { by: Taker::Keeper(GroupId(3)), give, want: Some(Item::Asset(AssetId(1))), ..Bid::ENGINE }
}

#[test]
fn keeper_refusals() {
    let loan = Bench::lending(1_000, 810);
    let plain = keeper(|_| {});
    let to_self = Bid { by: Taker::Keeper(GroupId(7)), ..bid(10) };
    for (bench, strategy, bid, expected) in [
        (Bench::lending(1_000, 800), plain, bid(10), Refusal::Healthy),
        (loan.clone(), plain, bid(406), Refusal::TooMuch { max: 405 }),
        (Bench::lending(1_000, 850), plain, bid(851), Refusal::TooMuch { max: 850 }), // ratio 0.941
        (loan.clone(), keeper(|t| t.dust = Quanta::new(1_001)), bid(811), Refusal::TooMuch { max: 810 }),
        (loan.clone(), plain, bid(0), Refusal::TooLittle { min: 1 }),
        (loan.clone(), plain, Bid { at_least: Some(105), ..bid(100) }, Refusal::BelowAsk { offered: 104 }),
        (
            Bench { allowed: Verdict::until(Millis(9)), ..loan.clone() },
            plain,
            bid(10),
            Refusal::NotBefore { time: Millis(9) },
        ),
        (
            Bench { allowed: Verdict::at_most(105), ..loan.clone() },
            plain,
            bid(200),
            Refusal::TooMuch { max: 100 },
        ),
        (Bench::lending(0, 5), plain, bid(5), Refusal::Nothing),
    ] {
        assert_eq!(check_strategy(&bench, &strategy, &bid).unwrap(), Err(expected));
    }
    for other in [Bid::ENGINE, to_self, Bid { want: None, ..bid(10) }] {
        let answer = check_strategy(&loan, &plain, &other).unwrap();
        assert!(matches!(answer, Err(Refusal::NotForThisBid { .. })), "{answer:?}");
    }
    let dusty = keeper(|t| (t.close_factor, t.remainder_min) = (Ppb::ONE, Quanta::new(100)));
    assert_eq!(check_strategy(&loan, &dusty, &bid(750)).unwrap(), Err(Refusal::TooLittle { min: 810 }));
}

fn of(plan: &Plan, holder: Holder, item: Item) -> i128 {
    let Step::Move(moved) = &plan.steps[0] else { panic!("{plan:?}") };
    moved.iter().filter(|p| (p.holder, p.item) == (holder, item)).map(|p| p.units).sum()
}

#[test]
fn keeper_seizures() {
    let (group, taker, pool) =
        (Holder::Group(GroupId(7)), Holder::Group(GroupId(3)), Holder::Pool(PoolId(1)));
    let (debt, cash, gold) = (Item::Debt(AssetId(0)), Item::Asset(AssetId(0)), Item::Asset(AssetId(1)));
    let plan = check_strategy(&Bench::lending(1_000, 810), &keeper(|_| {}), &bid(405)).unwrap().unwrap();
    // 405 buys 405 and a bonus of 20, of which 2 are the house's
    for (holder, item, units) in [
        (taker, cash, -405),
        (pool, cash, 405),
        (group, debt, -405),
        (pool, debt, 405),
        (group, gold, -425),
        (taker, gold, 423),
        (Holder::House(House::Fees), gold, 2),
    ] {
        assert_eq!(of(&plan, holder, item), units, "{holder:?} {item:?}");
    }
    assert!(!plan.worsens);
    // collateral runs out: 1000 / 1.05 = 952.4 repaid, rounded up; the rest of the debt is a loss
    let plan = check_strategy(&Bench::lending(1_000, 1_200), &keeper(|_| {}), &bid(1_200)).unwrap().unwrap();
    assert_eq!((of(&plan, taker, cash), of(&plan, group, gold)), (-953, -1_000));
    assert_eq!(plan.steps[1], Step::Loss { holder: group, asset: AssetId(0), amount: Amount::new(247) });
    assert!(plan.worsens);
}

#[test]
fn a_full_repayment_clears_every_unit() {
    let mut bench = Bench::lending(1_000, 0);
    for (index, scaled, owed) in [(RAY * 3 / 2, 601_u128, 902_i128), (RAY * 3, 301, 903), (RAY + 1, 900, 901)]
    {
        bench.assets[0].debt_index = Index::new(index);
        bench.debts = vec![cofferdam_core::DebtView {
            asset: AssetId(0),
            owed: Amount::new(owed),
            scaled: Scaled::new(scaled),
        }];
        let plan = check_strategy(&bench, &keeper(|_| {}), &bid(owed)).unwrap().unwrap();
        assert_eq!(of(&plan, Holder::Group(GroupId(7)), Item::Debt(AssetId(0))), -(scaled as i128));
        assert_eq!(plan.steps.len(), 1, "nothing is lost");
        let plan = check_strategy(&bench, &keeper(|_| {}), &bid(owed - 1)).unwrap().unwrap();
        assert!(of(&plan, Holder::Group(GroupId(7)), Item::Debt(AssetId(0))) > -(scaled as i128));
    }
}

#[test]
fn guards() {
    let guard = LimitGuard { limit: LimitPrice::Band(Ppb(20_000_000)) };
    let accepts = |lots, price| {
        long(30, 10)
            .case(|c| guard.accept(c, MarketId(0), Lots::new(lots), Ticks::new(price), Quanta::ZERO))
            .unwrap()
    };
    assert!(accepts(-10, 98) && !accepts(-10, 97) && accepts(10, 102) && !accepts(10, 103) && accepts(0, 1));
}

#[test]
fn parameters_out_of_range_are_named() {
    let t = terms(LimitPrice::Any, 0);
    let fields = [
        OrderTerms::new(LimitPrice::Band(Ppb(-1)), penalty(0), Millis(1)).map(drop),
        OrderTerms::new(LimitPrice::Any, Penalty { rate: Ppb(-1), ..penalty(0) }, Millis(1)).map(drop),
        PartialToTarget::new(t, Level::Backstop, Quanta::ZERO, Quanta::ZERO).map(drop),
        PartialToTarget::new(t, Level::Initial, Quanta::new(-1), Quanta::ZERO).map(drop),
        Takeover::new(GroupId(1), Level::Initial, Millis(1)).map(drop),
        Tiers::new(vec![]).map(drop),
        InOrder::new(vec![]).map(drop),
    ]
    .map(|r| match r {
        Err(LiquidationError::Parameter { field, .. }) => field,
        other => panic!("{other:?}"),
    });
    assert_eq!(fields, ["limit.band", "penalty.rate", "target", "step_min", "below", "tiers", "policies"]);
}

// ---- deliberately broken

#[derive(Debug)]
struct Fixed(Plan);
impl LiquidationStrategy for Fixed {
    fn plan(
        &self,
        _: &Case<'_>,
        _: &Bid,
        _: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        Ok(Ok(self.0.clone()))
    }
}

#[test]
fn every_law_can_fail() {
    let order = |lots: i64, rate| Step::Order {
        market: MarketId(0),
        lots: Lots::new(lots),
        limit: Ticks::ONE,
        penalty: penalty(rate),
        expires: Millis(1),
    };
    let one = |step| Plan { steps: vec![step], ..Plan::default() };
    let cash = Posting::new(Holder::Group(GroupId(7)), Item::Asset(AssetId(0)), -5);
    let loss = Step::Loss { holder: cash.holder, asset: AssetId(0), amount: Amount::new(5) };
    let throttled = Bench { allowed: Verdict::at_most(3), ..long(30, 10) };
    for (bench, plan, law) in [
        (long(100, 10), one(order(-1, 0)), Law::OnlyUnhealthy),
        (long(30, 10), one(order(-11, 0)), Law::NoMoreThanThere),
        (long(30, 10), one(order(1, 0)), Law::NoMoreThanThere),
        (throttled, one(order(-4, 0)), Law::NoMoreThanThere),
        (long(30, 10), one(loss), Law::NoMoreThanThere),
        (long(30, 10), one(Step::Move(vec![cash])), Law::Balanced),
        (long(30, 10), Plan::default(), Law::Progress),
        (long(30, 10), one(order(-10, 40_000_000)), Law::SaysWorsens),
    ] {
        let broken = check_strategy(&bench, &Fixed(plan), &Bid::ENGINE).unwrap_err();
        assert_eq!(broken.law, law, "{broken}");
    }
}

// ---- laws

fn benches() -> impl Strategy<Value = Bench> {
    let position = (-400_i64..400, 60_i128..140);
    (
        prop::collection::vec(position, 0..4),
        -500_i128..3_000,
        50_i64..150,
        prop_oneof![Just(u128::MAX), 0_u128..300],
    )
        .prop_map(|(parts, cash, mark, limit)| {
            let mut bench = Bench::perpetual(cash).with_mark(MarketId(0), mark);
            for (id, (lots, entry)) in (0_u32..3).zip(parts).filter(|(_, p)| p.0 != 0) {
                bench = bench.with_position(MarketId(id), lots, i128::from(lots) * entry);
            }
            Bench { allowed: Verdict::at_most(limit), ..bench }
        })
}

fn loans() -> impl Strategy<Value = (Bench, i128)> {
    (0_i128..5_000, 1_u128..5_000, 1_000_u128..3_000, 1_i128..6_000, 300_000_i64..3_000_000).prop_map(
        |(collateral, scaled, index, amount, price)| {
            let mut bench = Bench::lending(collateral, 0);
            bench.assets[0].debt_index = Index::new(RAY / 1_000 * index);
            let owed = (scaled * index).div_ceil(1_000) as i128;
            bench.debts = vec![cofferdam_core::DebtView {
                asset: AssetId(0),
                owed: Amount::new(owed),
                scaled: Scaled::new(scaled),
            }];
            bench.assets[1].price = cofferdam_core::PriceView::exact(Ticks::new(price), Millis(0));
            (bench, amount)
        },
    )
}

fn fill_all(bench: &Bench, plan: &Plan, penalty_ppb: i64, mut tweak: impl FnMut(u32) -> i64) -> Bench {
    let mut after = Bench { allowed: Verdict::ALLOW, ..bench.clone() };
    for (id, lots) in trades(plan) {
        let lots = lots + tweak(id);
        let p = after.positions.iter().find(|p| p.market.0 == id).copied().unwrap();
        let m = after.markets[id as usize];
        let cost =
            cofferdam_core::MarketScale::released_cost(p.cost, Lots::new(-lots), p.lots).unwrap().get();
        let notional = i128::from(lots) * i128::from(m.mark.mid.get());
        let charge = penalty(penalty_ppb).on(Quanta::new(notional.abs())).unwrap().get();
        let group = Holder::Group(after.group);
        let cash = Posting::new(group, Item::Asset(AssetId(0)), -notional - cost - charge);
        after.apply(&[Posting::position(group, MarketId(id), lots, Quanta::new(-cost)), cash]).unwrap();
    }
    after
}

proptest! {
    #[test]
    fn closing_strategies_keep_the_laws(bench in benches(), rate in 0_i64..80_000_000, step in 0_i128..3_000, rest in 0_i128..3_000) {
        let t = terms(LimitPrice::Bankruptcy, rate);
        let vault = Takeover::new(GroupId(9), Level::Maintenance, Millis(1)).unwrap();
        let last = Deleverage::new(DeleveragePrice::Bankruptcy, Millis(1)).unwrap();
        let by_market = ByMarket::new(vec![MarketId(1)], Box::new(last), Box::new(first_slice())).unwrap();
        let strategies: [&dyn LiquidationStrategy; 7] =
            [&FullClose::new(t), &partial(rate, step, rest), &slices(), &vault, &last, &first_slice(), &by_market];
        for s in strategies {
            let _answer = check_strategy(&bench, s, &Bid::ENGINE).unwrap();
        }
    }

    #[test]
    fn partial_stops_at_its_target(bench in benches(), rate in 0_i64..30_000_000) {
        let bench = Bench { allowed: Verdict::ALLOW, ..bench };
        let Ok(plan) = check_strategy(&bench, &partial(rate, 0, 0), &Bid::ENGINE).unwrap() else { return Ok(()) };
        prop_assume!(plan.steps.iter().all(|s| matches!(s, Step::Order { .. })));
        let after = fill_all(&bench, &plan, rate, |_| 0);
        if after.positions.is_empty() { return Ok(()) }
        prop_assert!(!after.health().unwrap().below(Level::LiquidationEnd));
        // one lot less of the last trade would not do
        let (last, lots) = *trades(&plan).last().unwrap();
        let one_less = fill_all(&bench, &plan, rate, |id| if id == last { -lots.signum() } else { 0 });
        prop_assert!(one_less.health().unwrap().below(Level::LiquidationEnd));
    }

    #[test]
    fn bankruptcy_limits_leave_no_deficit(bench in benches()) {
        let bench = Bench { allowed: Verdict::ALLOW, ..bench };
        let Ok(plan) = bench.plan(&FullClose::new(terms(LimitPrice::Bankruptcy, 0)), &Bid::ENGINE).unwrap() else { return Ok(()) };
        let mut equity = bench.health().unwrap().equity.get();
        for step in &plan.steps {
            let Step::Order { market, lots, limit, .. } = step else { return Ok(()) };
            prop_assume!(limit.get() > 1); // a short too deep under water has no price that saves it
            let mark = bench.markets[market.0 as usize].mark.mid.get();
            equity += i128::from(lots.get()) * i128::from(mark - limit.get());
        }
        prop_assert!(equity >= 0);
    }

    #[test]
    fn keepers_keep_the_laws((bench, amount) in loans(), bonus in 0_i64..200_000_000, fee in 0_i64..1_000_000_001) {
        let strategy = keeper(|t| (t.bonus, t.fee_share) = (Ppb(bonus), Ppb(fee)));
        let owed = bench.debts[0].owed.get();
        let Ok(plan) = check_strategy(&bench, &strategy, &bid(amount.min(owed))).unwrap() else { return Ok(()) };
        let group = Holder::Group(GroupId(7));
        let mut after = bench.clone();
        let Step::Move(moved) = &plan.steps[0] else { panic!() };
        after.apply(moved).unwrap();
        let left = after.debts.first().map_or(0, |d| d.owed.get());
        // repaid atoms never clear more debt than they are (INV-4)
        prop_assert!(owed - left <= of(&plan, Holder::Pool(PoolId(1)), Item::Asset(AssetId(0))));
        // bad debt only when collateral is exhausted, and all of it (INV-22, INV-23)
        let lost: i128 = plan.steps.iter().map(|s| if let Step::Loss { amount, .. } = s { amount.get() } else { 0 }).sum();
        prop_assert_eq!(lost, if after.balances.is_empty() { left } else { 0 });
        prop_assert!(of(&plan, group, Item::Asset(AssetId(1))) < 0);
    }
}
