//! Scenario margin: tables, and the laws that are its own: netting within an underlying and never across, subadditivity, add-ons.

mod common;
use cofferdam_core::*;
use cofferdam_margin_engine::*;
use common::*;
use proptest::prelude::*;

/// Underlyings of markets 0, 1 and 2 (one), 3 and 4 (another), 5 (a third); market 6 settles in asset 2.
const UNDERLYING: [usize; 7] = [0, 0, 0, 1, 1, 2, 2];
const COUNT: usize = 5;

/// A market and lots in it.
type Lot = (u32, i64);

fn terms(tail: Tail) -> UnderlyingTerms {
    UnderlyingTerms { tail, maintenance: Ppb::ONE, initial: Ppb(1_250_000_000) }
}

fn scenario_model(tail: Tail, levels: Levels, add_on: bool) -> ScenarioMargin {
    let market = |id: u32| ScenarioTerms {
        add_on: add_on.then(|| requirement(id)),
        ..ScenarioTerms::new(MarketId(id), UNDERLYING[id as usize])
    };
    let assets = vec![AssetTerms::full(AssetId(0))];
    ScenarioMargin::new(levels, assets, vec![terms(tail); 3], (0..6).rev().map(market).collect()).unwrap()
}

fn worst() -> ScenarioMargin {
    scenario_model(Tail::Nth(1), levels(), false)
}

fn required(model: &ScenarioMargin, account: &Account, sheet: &Sheet, level: Level) -> i128 {
    let mut holdings = Holdings::new();
    account.view(sheet, &mut holdings).unwrap();
    model.required(&holdings.group(GroupId(0)), sheet, level).unwrap().get()
}

fn assess(model: &ScenarioMargin, account: &Account, sheet: &Sheet) -> Result<Health, MarginError> {
    let mut holdings = Holdings::new();
    account.view(sheet, &mut holdings)?;
    model.assess(&holdings.group(GroupId(0)), sheet)
}

/// lots per market, at no cost, with cash.
fn holding(lots: &[Lot], cash: i128) -> Account {
    let mut account = Account::new();
    for (market, lots) in lots.iter().filter(|(_, l)| *l != 0) {
        let item = Item::Position(MarketId(*market));
        account.apply(item, i128::from(*lots), Quanta::ZERO, FundingIndex::ZERO).unwrap();
    }
    if cash != 0 {
        account.apply(Item::Asset(AssetId(0)), cash, Quanta::ZERO, FundingIndex::ZERO).unwrap();
    }
    account
}

fn set(base: i64, values: &[(i64, i64)]) -> Scenarios {
    let value = |(low, high): &(i64, i64)| ScenarioPrice { low: Ticks::new(*low), high: Ticks::new(*high) };
    Scenarios { revision: 1, base: Ticks::new(base), values: values.iter().map(value).collect() }
}

fn small() -> Sheet {
    let mut sheet = Sheet::default();
    for id in 0..6 {
        let mut m = market(id, 100, 100, 0);
        m.scale = MarketScale::from_factor(1).unwrap();
        sheet.markets.insert(m.id, m);
    }
    sheet.assets.insert(AssetId(0), asset(0, 1, 1));
    sheet
}

fn book(sheet: &mut Sheet, market: u32, base: i64, values: &[(i64, i64)]) {
    sheet.scenarios.insert(MarketId(market), set(base, values));
}

#[test]
fn a_published_risk_array() {
    // McMillan, "Options as a Strategic Investment", ch. 34 (pages 668 to 671): the array of an S&P 500 future and of a December
    // 410 call, in dollars per contract; requirements of 10,000, 3,990 and 6,620 are the book's, those below "ours" follow from
    // its array. One lot, one tick and one quantum are a contract, a dollar and a dollar.
    let future = [
        0, 0, 3_330, 3_330, -3_330, -3_330, 6_670, 6_670, -6_670, -6_670, 10_000, 10_000, -10_000, -10_000,
        7_000, -7_000,
    ];
    let call = [
        460, -610, 2_640, 1_730, -1_270, -2_340, 5_210, 4_540, -2_540, -3_430, 8_060, 7_640, -3_380, -3_990,
        3_130, -1_500,
    ];
    let mut sheet = small();
    for (market, changes) in [(0, future), (1, call)] {
        let values: Vec<(i64, i64)> = changes.iter().map(|c| (50_000 + c, 50_000 + c)).collect();
        book(&mut sheet, market, 50_000, &values);
    }
    let table = [
        (&[(0, 1)][..], 10_000),
        (&[(1, 1)], 3_990),
        (&[(0, 1), (1, -1)], 6_620),
        // ours: a short future, a short call, three futures against five calls sold
        (&[(0, -1)], 10_000),
        (&[(1, -1)], 8_060),
        (&[(0, 3), (1, -5)], 13_500),
    ];
    for (lots, wanted) in table {
        assert_eq!(required(&worst(), &holding(lots, 0), &sheet, Level::Maintenance), wanted, "{lots:?}");
    }
}

#[test]
fn tables() {
    let mut sheet = small();
    book(&mut sheet, 0, 100, &[(90, 91), (110, 112), (100, 100)]);
    book(&mut sheet, 1, 10, &[(5, 6), (16, 17), (10, 10)]); // a call on the same underlying
    book(&mut sheet, 3, 100, &[(110, 110), (90, 90), (100, 100)]); // another underlying, the other way about
    let nth = |n| scenario_model(Tail::Nth(n), levels(), false);
    let mean = |n| scenario_model(Tail::MeanOf(n), levels(), false);
    // (model, holding, maintenance, initial): initial is 5/4 of it, rounded up
    let table: Vec<(ScenarioMargin, &[Lot], i128, i128)> = vec![
        (nth(1), &[(0, 3)], 30, 38),
        (nth(1), &[(0, -3)], 36, 45),
        (nth(1), &[(0, 1), (1, -1)], 6, 8),  // 10 - 4 down; -10 + 7 up
        (nth(1), &[(0, 1), (3, 1)], 20, 26), // one falls where the other rises, but they never net: 13 + 13
        (nth(2), &[(0, 3)], 0, 0),
        (nth(3), &[(0, 3)], 0, 0), // a gain is no credit
        (mean(2), &[(0, 3)], 15, 19),
        (mean(3), &[(0, -3)], 3, 4), // (36 + 0 - 27) / 3
        (mean(2), &[(1, 1)], 3, 4),  // 5 / 2, rounded up
    ];
    for (model, lots, maintenance, initial) in table {
        let (m, i) = (Level::Maintenance, Level::Initial);
        let account = holding(lots, 0);
        let found = (required(&model, &account, &sheet, m), required(&model, &account, &sheet, i));
        assert_eq!(found, (maintenance, initial), "{lots:?} under {model:?}");
    }
}

#[test]
fn what_cannot_be_told() {
    let no_price = |m| Err(MarginError::NoPrice(Instrument::Market(MarketId(m))));
    let mut sheet = small();
    book(&mut sheet, 0, 100, &[(90, 91), (110, 112)]);
    book(&mut sheet, 1, 100, &[(90, 91)]);
    sheet.markets.get_mut(&MarketId(1)).unwrap().settlement = AssetId(0);
    let of = |model: &ScenarioMargin, lots: &[Lot]| assess(model, &holding(lots, 5), &sheet).map(|_| ());
    assert_eq!(of(&worst(), &[(0, 1)]), Ok(()));
    assert_eq!(of(&worst(), &[(2, 1)]), no_price(2)); // never recorded
    assert_eq!(of(&worst(), &[(0, 1), (1, 1)]), no_price(1)); // another number of them
    assert_eq!(of(&worst(), &[(0, 1), (3, 1)]), no_price(3));
    assert_eq!(of(&scenario_model(Tail::Nth(3), levels(), false), &[(0, 1)]), no_price(0)); // too few
    assert_eq!(of(&scenario_model(Tail::MeanOf(3), levels(), false), &[(0, 1)]), no_price(0));
    assert_eq!(of(&worst(), &[]), Ok(()));
    let mut mixed = sheet.clone();
    mixed.markets.get_mut(&MarketId(1)).unwrap().settlement = AssetId(1);
    mixed.assets.insert(AssetId(1), asset(1, 7, 7));
    book(&mut mixed, 1, 100, &[(90, 91), (110, 112)]);
    let found = assess(&worst(), &holding(&[(0, 1), (1, 1)], 5), &mixed);
    assert_eq!(found, Err(MarginError::MixedSettlement(MarketId(1))));
    // near the end of the range: an error, never another number
    let mut wide = sheet.clone();
    book(&mut wide, 0, i64::MAX, &[(i64::MIN, i64::MAX), (0, 0)]);
    assert!(matches!(assess(&worst(), &holding(&[(0, 1)], 5), &wide), Err(MarginError::Math(_))));
}

#[test]
fn refusals() {
    let make = |u: UnderlyingTerms, place: usize| {
        let market = ScenarioTerms::new(MarketId(0), place);
        ScenarioMargin::new(Levels::default(), Vec::new(), vec![u], vec![market]).map(|_| ())
    };
    let field = |r: Result<(), TermsError>| match r {
        Err(TermsError::Parameter { field, .. }) => field,
        other => panic!("{other:?}"),
    };
    let good = terms(Tail::Nth(1));
    assert!(make(good, 0).is_ok());
    assert_eq!(field(make(good, 1)), "underlying");
    assert_eq!(field(make(terms(Tail::Nth(0)), 0)), "tail");
    assert_eq!(field(make(terms(Tail::MeanOf(4_097)), 0)), "tail");
    assert_eq!(field(make(UnderlyingTerms { maintenance: Ppb(999_999_999), ..good }, 0)), "maintenance");
    assert_eq!(field(make(UnderlyingTerms { initial: Ppb(999_999_999), ..good }, 0)), "initial");
    let twice = vec![ScenarioTerms::new(MarketId(0), 0), ScenarioTerms::new(MarketId(0), 0)];
    let twice = ScenarioMargin::new(Levels::default(), Vec::new(), vec![good], twice);
    assert_eq!(twice.map(|_| ()), Err(TermsError::MarketTwice(MarketId(0))));
}

/// INV-11 does not hold here, by design: closing one leg of a hedge raises what the other leg needs.
#[test]
fn a_leg_less_can_need_more() {
    let mut sheet = small();
    book(&mut sheet, 0, 100, &[(90, 90), (110, 110)]);
    book(&mut sheet, 1, 10, &[(3, 3), (18, 18)]);
    let before = assess(&worst(), &holding(&[(0, 1), (1, -1)], 20), &sheet).unwrap();
    let after = assess(&worst(), &holding(&[(0, 1)], 20), &sheet).unwrap();
    let demand = |h: &Health| h.line(Level::Maintenance).unwrap().demand.get();
    assert_eq!((demand(&before), demand(&after)), (3, 10));
}

/// A quantile is not subadditive: two books together ask for more than both apart.
#[test]
fn a_quantile_can_punish_diversification() {
    let mut sheet = small();
    book(&mut sheet, 0, 100, &[(0, 0), (100, 100), (100, 100)]);
    book(&mut sheet, 1, 100, &[(100, 100), (0, 0), (100, 100)]);
    let of = |tail, lots: &[Lot]| {
        required(&scenario_model(tail, levels(), false), &holding(lots, 0), &sheet, Level::Maintenance)
    };
    assert_eq!(of(Tail::Nth(2), &[(0, 1)]) + of(Tail::Nth(2), &[(1, 1)]), 0);
    assert_eq!(of(Tail::Nth(2), &[(0, 1), (1, 1)]), 100);
    assert!(
        of(Tail::MeanOf(2), &[(0, 1), (1, 1)])
            <= of(Tail::MeanOf(2), &[(0, 1)]) + of(Tail::MeanOf(2), &[(1, 1)])
    );
}

/// What together and apart must keep to, as a check that can also fail: never more than the sum of parts within an underlying,
/// exactly the sum over underlyings.
fn netting(of: &impl Fn(&[Lot]) -> i128, a: &[Lot], b: &[Lot]) -> Result<(), String> {
    let both: Vec<(u32, i64)> = (0..6)
        .map(|m| (m, [a, b].iter().flat_map(|x| x.iter()).filter(|x| x.0 == m).map(|x| x.1).sum()))
        .collect();
    if of(&both) > of(a) + of(b) {
        return Err(format!("together {} is more than {} and {}", of(&both), of(a), of(b)));
    }
    let within = |u: usize| -> Vec<(u32, i64)> {
        both.iter().copied().filter(|(m, _)| UNDERLYING[*m as usize] == u).collect()
    };
    let apart: i128 = (0..3).map(|u| of(&within(u))).sum();
    if of(&both) != apart {
        return Err(format!("{} over all, {apart} underlying by underlying", of(&both)));
    }
    Ok(())
}

fn random_scenarios() -> impl Strategy<Value = Vec<(i64, Vec<(i64, i64)>)>> {
    let value = (0_i64..2_000, 0_i64..50).prop_map(|(low, wide)| (low, low + wide));
    prop::collection::vec((1_i64..1_000, prop::collection::vec(value, COUNT)), 6)
}

fn lots() -> impl Strategy<Value = Vec<(u32, i64)>> {
    prop::collection::vec(-50_i64..50, 6).prop_map(|l| (0..).zip(l).collect())
}

fn with(mut sheet: Sheet, scenarios: &[(i64, Vec<(i64, i64)>)]) -> Sheet {
    for (id, (base, values)) in (0..).zip(scenarios) {
        book(&mut sheet, id, *base, values);
    }
    sheet
}

#[test]
fn the_netting_law_can_fail() {
    let mut sheet = small();
    book(&mut sheet, 0, 100, &[(90, 90), (110, 110)]);
    book(&mut sheet, 3, 100, &[(110, 110), (90, 90)]);
    let honest = worst();
    // one that nets everything: a loss here against a gain there
    let all = vec![terms(Tail::Nth(1))];
    let markets = (0..6).map(|m| ScenarioTerms::new(MarketId(m), 0)).collect();
    let across = ScenarioMargin::new(levels(), vec![AssetTerms::full(AssetId(0))], all, markets).unwrap();
    let of =
        |model: &ScenarioMargin, lots: &[Lot]| required(model, &holding(lots, 0), &sheet, Level::Maintenance);
    let (a, b) = ([(0, 1)], [(3, 1)]);
    assert_eq!(netting(&|l| of(&honest, l), &a, &b), Ok(()));
    assert!(netting(&|l| of(&across, l), &a, &b).is_err());
    // a quantile, which is not subadditive
    let mut sheet = small();
    book(&mut sheet, 0, 100, &[(0, 0), (100, 100), (100, 100)]);
    book(&mut sheet, 1, 100, &[(100, 100), (0, 0), (100, 100)]);
    let second = scenario_model(Tail::Nth(2), levels(), false);
    let of = |lots: &[Lot]| required(&second, &holding(lots, 0), &sheet, Level::Maintenance);
    assert!(netting(&of, &[(0, 1)], &[(1, 1)]).is_err());
}

proptest! {
    #[test]
    fn netting_never_raises_and_never_crosses(scenarios in random_scenarios(), a in lots(), b in lots(), mean in 1_u16..=5, level in 0_usize..6) {
        let sheet = with(small(), &scenarios);
        for tail in [Tail::Nth(1), Tail::MeanOf(mean)] {
            let model = scenario_model(tail, Levels::default(), false);
            let of = |lots: &[Lot]| required(&model, &holding(lots, 0), &sheet, Level::ALL[level].max(Level::Maintenance));
            prop_assert_eq!(netting(&of, &a, &b), Ok(()));
        }
    }

    #[test]
    fn an_add_on_never_lowers_a_scenario_margin(scenarios in random_scenarios(), a in lots(), n in 1_u16..=5) {
        let sheet = with(small(), &scenarios);
        let (plain, more) = (scenario_model(Tail::Nth(n), levels(), false), scenario_model(Tail::Nth(n), levels(), true));
        for level in Level::ALL {
            prop_assert!(required(&more, &holding(&a, 0), &sheet, level) >= required(&plain, &holding(&a, 0), &sheet, level));
        }
    }

    /// INV-15, and the contract on levels.
    #[test]
    fn order_does_not_matter_and_levels_are_ordered(scenarios in random_scenarios(), account in account(), sheet in sheet(), add_on in any::<bool>()) {
        let sheet = with(sheet, &scenarios);
        let model = scenario_model(Tail::MeanOf(2), levels(), add_on);
        let mut holdings = Holdings::new();
        account.view(&sheet, &mut holdings).unwrap();
        let group = holdings.group(GroupId(0));
        prop_assume!(group.position(MarketId(6)).is_none());
        let h = model.assess(&group, &sheet).unwrap();
        let mut p = group.positions.to_vec();
        p.reverse();
        let turned = GroupView { positions: &p, ..group };
        prop_assert_eq!(model.assess(&turned, &sheet).unwrap(), h);
        for pair in Level::ALL.windows(2) {
            let (a, b) = (h.line(pair[0]).unwrap(), h.line(pair[1]).unwrap());
            prop_assert!(a.demand <= b.demand && a.support >= b.support, "{:?}", pair);
        }
    }

    /// INV-16: nobody falls inside the box.
    #[test]
    fn inside_the_box_nobody_falls_under_scenarios(
        scenarios in random_scenarios(), l in lots(), offset in 0_i128..200_000, sheet in sheet(),
        at in prop::collection::vec((0_u8..=4, 0_u8..=4), 6),
    ) {
        let mut sheet = with(sheet, &scenarios);
        let model = worst();
        let mut account = holding(&l, 0);
        let slack = assess(&model, &account, &sheet).unwrap().line(Level::Maintenance).unwrap().slack();
        account.apply(Item::Asset(AssetId(0)), (offset - slack).max(0), Quanta::ZERO, FundingIndex::ZERO).unwrap();
        let mut holdings = Holdings::new();
        account.view(&sheet, &mut holdings).unwrap();
        let ranges = model.safe_ranges(&holdings.group(GroupId(0)), &sheet, Level::Maintenance).unwrap();
        let fixed = ranges.iter().filter(|r| matches!(r.coordinate, Coordinate::Scenarios(_)) && (r.low, r.high) == (1, 1)).count();
        prop_assert_eq!(fixed, account.positions().len());
        prop_assume!(ranges.iter().all(|r| r.low <= r.high));
        for r in &ranges {
            match r.coordinate {
                Coordinate::Mark(m) => {
                    let (a, b) = at[m.0 as usize];
                    let (low, high) = (r.low.max(1), r.high.min(1 << 40));
                    let between = |x: u8| i64::try_from(low + (high - low) * i128::from(x) / 4).unwrap();
                    let mark = &mut sheet.markets.get_mut(&m).unwrap().mark;
                    *mark = price(between(a.min(b)), between(a.max(b)));
                }
                Coordinate::Funding(m) => {
                    let f = if r.high == i128::MAX { r.low } else { r.high };
                    sheet.markets.get_mut(&m).unwrap().funding = FundingIndex::new(f);
                }
                _ => {}
            }
        }
        let h = assess(&model, &account, &sheet).unwrap();
        prop_assert!(!h.below(Level::Maintenance), "{:?} after {:?}", h, ranges);
    }
}
