//! Every fast answer against the slow one: boxes, closed forms and the sweep (INV-15, INV-16).

mod common;
use cofferdam_core::*;
use cofferdam_margin_engine::*;
use common::*;
use proptest::prelude::*;

fn below(account: &Account, sheet: &Sheet, model: &CrossMargin, level: Level) -> bool {
    let mut holdings = Holdings::new();
    account.view(sheet, &mut holdings).unwrap();
    model.assess(&holdings.group(GroupId(0)), sheet).unwrap().below(level)
}

fn pick(range: (i128, i128), spread: (i128, i128), at: u32) -> i128 {
    let (low, high) = (range.0.max(spread.0), range.1.min(spread.1));
    if low >= high {
        low
    } else {
        low + (high - low) / 255 * i128::from(at) + (high - low) % 255 * i128::from(at) / 255
    }
}

/// A world inside the ranges; coordinates without a range go anywhere in the neighbourhood.
fn inside(sheet: &Sheet, ranges: &[SafeRange], dice: &[u32], model: &CrossMargin, level: Level) -> Sheet {
    let mut world = sheet.clone();
    let of = |c: Coordinate| {
        ranges.iter().find(|r| r.coordinate == c).map_or((i128::MIN, i128::MAX), |r| (r.low, r.high))
    };
    let mut dice = dice.iter().copied().cycle();
    let mut pair = |range, spread| {
        let (a, b) = (pick(range, spread, dice.next().unwrap()), pick(range, spread, dice.next().unwrap()));
        (a.min(b), a.max(b))
    };
    for m in world.markets.values_mut() {
        let (low, high) = pair(of(Coordinate::Mark(m.id)), (1, 300_000));
        m.mark = price(low as i64, high as i64);
        m.funding = FundingIndex::new(pair(of(Coordinate::Funding(m.id)), (-(1 << 44), 1 << 44)).0);
        let scale = pair(of(Coordinate::Scale(m.id)), (0, 3_000_000_000)).1;
        let reads = requirement(m.id.0);
        let reads = reads.reads(Stage::Maintenance).or(if level > Level::Maintenance {
            reads.reads(Stage::Initial)
        } else {
            Reads::default()
        });
        assert_eq!(model.scale(m, level).unwrap().is_some(), reads.open_interest != reads.volatility);
        if reads.open_interest {
            m.open_interest = Lots::new(scale as i64);
        } else if reads.volatility {
            m.volatility = Ppb(scale as i64);
        }
    }
    for a in world.assets.values_mut().filter(|a| a.id.0 != 0) {
        let (low, high) = pair(of(Coordinate::Price(a.id)), (1, 300_000));
        a.price = price(low as i64, high as i64);
        let now = a.debt_index.get() as i128;
        let index = pair(of(Coordinate::DebtIndex(a.id)), (now, 4 * RAY as i128)).1;
        a.debt_index = Index::new(index as u128);
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn inside_the_box_nobody_falls(account in account(), sheet in sheet(), dice in prop::collection::vec(prop_oneof![Just(0_u32), Just(255), 0..=255_u32], 40), close in prop::option::of(0_i128..50_000), level in prop::sample::select(Level::ALL.to_vec()), gain in prop_oneof![Just(1_000_000_000_i64), 500_000_000..1_000_000_000_i64]) {
        let model = model_with(Ppb(gain));
        let account = close.map_or(account.clone(), |offset| near(&account, &sheet, offset));
        let mut holdings = Holdings::new();
        account.view(&sheet, &mut holdings).unwrap();
        let ranges = model.safe_ranges(&holdings.group(GroupId(0)), &sheet, level).unwrap();
        let empty = ranges.iter().any(|r| r.low > r.high);
        if below(&account, &sheet, &model, level) {
            prop_assert!(!ranges.is_empty() && ranges.iter().all(|r| r.low > r.high));
        } else if !empty {
            let world = inside(&sheet, &ranges, &dice, &model, level);
            prop_assert!(!below(&account, &world, &model, level), "{:?}", ranges);
        }
    }

    #[test]
    fn limits_are_exact(account in account(), sheet in sheet(), close in prop::option::of(0_i128..500_000), level in prop::sample::select(vec![Level::Backstop, Level::Maintenance])) {
        let model = model();
        let account = close.map_or(account.clone(), |offset| near(&account, &sheet, offset));
        let mut holdings = Holdings::new();
        account.view(&sheet, &mut holdings).unwrap();
        for limit in model.position_limits(&holdings.group(GroupId(0)), &sheet, level).unwrap() {
            let lots = account.positions().iter().find(|p| p.market == limit.market).unwrap().lots.get();
            let at = |tick: i64| {
                let mut world = sheet.clone();
                world.markets.get_mut(&limit.market).unwrap().mark = price(tick, tick);
                let mut holdings = Holdings::new();
                account.view(&world, &mut holdings).unwrap();
                let h = model.assess(&holdings.group(GroupId(0)), &world).unwrap();
                (h.below(level), h.equity.is_negative())
            };
            let better = |tick: i64| if lots > 0 { tick + 1 } else { tick - 1 };
            let far = if lots > 0 { 1 } else { 10_000_000 };
            match limit.liquidation.map(Ticks::get) {
                Some(tick) => {
                    prop_assert!(at(tick).0);
                    prop_assert!(better(tick) == 0 || !at(better(tick)).0);
                }
                None => prop_assert!(!at(far).0),
            }
            match limit.bankruptcy.map(Ticks::get) {
                Some(tick) => {
                    prop_assert!(at(tick).1);
                    prop_assert!(better(tick) == 0 || !at(better(tick)).1);
                }
                None => prop_assert!(!at(far).1),
            }
        }
    }

    #[test]
    fn a_single_position_has_a_box_nearly_as_wide_as_the_truth(market in 0_u32..2, lots in prop_oneof![-500_i64..-20, 20_i64..500], mark in 5_000_i64..50_000, leverage in 3_i64..15) {
        let mut sheet = Sheet::default();
        sheet.assets.insert(AssetId(0), asset(0, 1, 1));
        let m = common::market(market, mark, mark, 0);
        let cost = m.scale.notional(Lots::new(lots), Ticks::new(mark)).unwrap();
        sheet.markets.insert(m.id, m);
        let mut account = Account::new();
        account.apply(Item::Position(m.id), i128::from(lots), cost, FundingIndex::ZERO).unwrap();
        account.apply(Item::Asset(AssetId(0)), cost.get().abs() / i128::from(leverage), Quanta::ZERO, FundingIndex::ZERO).unwrap();
        let model = model();
        prop_assume!(!below(&account, &sheet, &model, Level::Maintenance));
        let mut holdings = Holdings::new();
        account.view(&sheet, &mut holdings).unwrap();
        let group = holdings.group(GroupId(0));
        let limit = model.position_limits(&group, &sheet, Level::Maintenance).unwrap()[0].liquidation.unwrap().get();
        let ranges = model.safe_ranges(&group, &sheet, Level::Maintenance).unwrap();
        let range = ranges.iter().find(|r| r.coordinate == Coordinate::Mark(m.id)).unwrap();
        let end = if lots > 0 { range.low } else { range.high };
        let (reached, truth) = ((end - i128::from(mark)).abs(), i128::from((limit - mark).abs()));
        prop_assert!(reached < truth && reached * 100 >= truth * 95 - 200, "{} of {}", reached, truth);
    }

    #[test]
    fn free_collateral_is_the_most(account in account(), sheet in sheet(), asset in 0..=ASSETS, level in prop::sample::select(vec![Level::Initial, Level::Withdraw])) {
        let model = model();
        let mut holdings = Holdings::new();
        account.view(&sheet, &mut holdings).unwrap();
        let free = model.free_collateral(&holdings.group(GroupId(0)), &sheet, AssetId(asset), level).unwrap().get();
        let held = account.balances().iter().find(|b| b.asset.0 == asset).map_or(0, |b| b.amount.get()).max(0);
        let take = |x: i128| {
            let mut a = account.clone();
            a.apply(Item::Asset(AssetId(asset)), -x, Quanta::ZERO, FundingIndex::ZERO).unwrap();
            below(&a, &sheet, &model, level)
        };
        prop_assert!((0..=held).contains(&free));
        if below(&account, &sheet, &model, level) {
            prop_assert_eq!(free, 0);
        } else {
            prop_assert!(!take(free));
            prop_assert!(free == held || take(free + 1));
        }
    }

    #[test]
    fn the_sweep_says_what_assess_says(accounts in prop::collection::vec((account(), prop::option::of(-3_i128..4)), 0..30), sheet in sheet(), gain in prop_oneof![Just(1_000_000_000_i64), 500_000_000..1_000_000_000_i64]) {
        let model = model_with(Ppb(gain));
        let accounts: Vec<Account> = accounts.iter().map(|(a, close)| close.map_or(a.clone(), |o| near(a, &sheet, o))).collect();
        let (mut book, mut reversed) = (Book::new(), Book::with_cash(AssetId(1)));
        for (i, a) in accounts.iter().enumerate() {
            book.store(GroupId(i as u32 * 3), a).unwrap();
        }
        for (i, a) in accounts.iter().enumerate().rev() {
            reversed.store(GroupId(i as u32 * 3), a).unwrap();
        }
        for level in Level::ALL {
            let slow: Vec<GroupId> = book.groups().filter(|g| below(&accounts[g.0 as usize / 3], &sheet, &model, level)).collect();
            for b in [&book, &reversed] {
                let mut found = Vec::new();
                SweepBook::new(b, &model).sweep(&sheet, level, &mut found).unwrap();
                prop_assert_eq!(&found, &slow, "{:?}", level);
            }
        }
    }
}

fn long_in(market: u32, mark: i64) -> (Account, Sheet) {
    let mut sheet = Sheet::default();
    sheet.assets.insert(AssetId(0), asset(0, 1, 1));
    let m = common::market(market, mark, mark, 0);
    let cost = m.scale.notional(Lots::new(100), Ticks::new(mark)).unwrap();
    sheet.markets.insert(m.id, m);
    let mut account = Account::new();
    account.apply(Item::Position(m.id), 100, cost, FundingIndex::ZERO).unwrap();
    account.apply(Item::Asset(AssetId(0)), cost.get() / 2, Quanta::ZERO, FundingIndex::ZERO).unwrap();
    (account, sheet)
}

/// The law of the box on one account: whether nobody falls at the corners of the marks.
fn corners_hold(
    account: &Account,
    sheet: &Sheet,
    ranges: &[SafeRange],
    model: &CrossMargin,
    level: Level,
) -> bool {
    let marks = ranges.iter().filter_map(|r| match r.coordinate {
        Coordinate::Mark(m) => Some((m, r.low as i64, r.high as i64)),
        _ => None,
    });
    let mut worlds = Vec::new();
    for (m, low, high) in marks {
        for (low, high) in [(low, low), (high, high), (low, high), (low.midpoint(high), high)] {
            let mut world = sheet.clone();
            world.markets.get_mut(&m).unwrap().mark = price(low, high);
            worlds.push(world);
        }
    }
    worlds.iter().all(|w| !below(account, w, model, level))
}

#[test]
fn a_box_holds_when_the_price_becomes_wide_and_one_tick_too_many_is_found() {
    let model = model();
    // market 3 follows open interest: its initial requirement is not convex in the mark
    for (market, level) in
        [(0, Level::Maintenance), (1, Level::Backstop), (3, Level::Fill), (3, Level::Initial)]
    {
        let (account, sheet) = long_in(market, 20_000);
        let mut holdings = Holdings::new();
        account.view(&sheet, &mut holdings).unwrap();
        let group = holdings.group(GroupId(0));
        let mut ranges = model.safe_ranges(&group, &sheet, level).unwrap();
        assert!(corners_hold(&account, &sheet, &ranges, &model, level), "{market} {level:?}");
        let limit = model.position_limits(&group, &sheet, level).unwrap()[0].liquidation.unwrap();
        for r in ranges.iter_mut().filter(|r| r.coordinate == Coordinate::Mark(MarketId(market))) {
            r.low = i128::from(limit.get());
        }
        assert!(!corners_hold(&account, &sheet, &ranges, &model, level), "{market} {level:?}");
    }
}
