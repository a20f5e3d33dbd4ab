//! Laws of requirements and of the cross-margin model, as properties.

mod common;
use cofferdam_core::*;
use cofferdam_margin_engine::*;
use common::*;
use proptest::prelude::*;

fn health(account: &Account, sheet: &Sheet, model: &CrossMargin) -> Health {
    let mut holdings = Holdings::new();
    account.view(sheet, &mut holdings).unwrap();
    model.assess(&holdings.group(GroupId(0)), sheet).unwrap()
}

/// INV-14 on one requirement, as a check that can also fail.
fn shape(r: &dyn Requirement, m: &MarketView, lots: i64, n: i128, step: i128) -> Result<(), String> {
    let of = |stage, n: i128| r.required(stage, m, Lots::new(lots), Quanta::new(n)).unwrap().get();
    let (a, b, c) =
        (of(Stage::Maintenance, n), of(Stage::Maintenance, n + step), of(Stage::Maintenance, n + 2 * step));
    let fail = |what: &str| Err(format!("{what}: {a} {b} {c} at {n} + {step}"));
    match () {
        () if a < 0 || b < a => fail("falls"),
        () if b - a > step => fail("slope above one"),
        () if c - b + 2 < b - a => fail("not convex"),
        () if a > of(Stage::Initial, n) => fail("maintenance above initial"),
        () => Ok(()),
    }
}

/// A cliff: the whole notional at the rate of its bracket.
#[derive(Debug)]
struct Cliff;
impl Requirement for Cliff {
    fn required(&self, _: Stage, _: &MarketView, _: Lots, n: Quanta) -> Result<Quanta, MarginError> {
        Ok(Ppb(if n.get() < 1_000_000 { 10_000_000 } else { 100_000_000 }).of(n, Rounding::Up)?)
    }
    fn pieces(&self, _: Stage, _: &MarketView) -> Result<Option<Pieces>, MarginError> {
        Ok(None)
    }
    fn reads(&self, _: Stage) -> Reads {
        Reads::default()
    }
}

#[test]
fn the_shape_law_finds_a_cliff() {
    let m = market(0, 100, 100, 0);
    assert!(shape(&Cliff, &m, 1, 999_000, 1_000).is_err());
}

proptest! {
    #[test]
    fn requirements_have_their_shape(id in 0..REQUIREMENTS, lots in -5_000_i64..5_000, n in 0_i128..100_000_000, step in 1_i128..20_000_000, sheet in sheet()) {
        let (r, m) = (requirement(id), &sheet.markets[&MarketId(id % MARKETS)]);
        prop_assert_eq!(shape(&*r, m, lots, n, step), Ok(()));
        for stage in [Stage::Maintenance, Stage::Initial] {
            let of = |lots: i64| r.required(stage, m, Lots::new(lots), Quanta::new(n)).unwrap();
            prop_assert!(of(lots) <= of(lots + lots.signum()));
            if let Some(pieces) = r.pieces(stage, m).unwrap() {
                let largest = pieces.pieces.iter().map(|p| n * i128::from(p.rate.0) - p.deduction).max().unwrap();
                let exact = of(lots).get() * 1_000_000_000;
                prop_assert!(largest <= exact && exact < largest + i128::from(pieces.roundings) * 1_000_000_000);
            }
        }
    }

    #[test]
    fn an_add_on_never_lowers(id in 0..MARKETS, addon in 0..REQUIREMENTS, sum in any::<bool>(), n in 0_i128..100_000_000, lots in 0_i64..1_000, sheet in sheet()) {
        let m = &sheet.markets[&MarketId(id)];
        let join = if sum { Join::Sum } else { Join::Max };
        let both = Combined::new(requirement(id)).with(join, requirement(addon));
        for stage in [Stage::Maintenance, Stage::Initial] {
            let of = |r: &dyn Requirement| r.required(stage, m, Lots::new(lots), Quanta::new(n)).unwrap();
            prop_assert!(of(&both) >= of(&*requirement(id)));
        }
    }

    #[test]
    fn levels_are_ordered(account in account(), sheet in sheet(), gain in 0_i64..=1_000_000_000) {
        let h = health(&account, &sheet, &model_with(Ppb(gain)));
        for pair in Level::ALL.windows(2) {
            let (a, b) = (h.line(pair[0]).unwrap(), h.line(pair[1]).unwrap());
            prop_assert!(a.demand <= b.demand && a.support >= b.support, "{:?}", pair);
        }
    }

    #[test]
    fn one_level_is_the_same_as_all_and_order_does_not_matter(account in account(), sheet in sheet()) {
        let model = model();
        let mut holdings = Holdings::new();
        account.view(&sheet, &mut holdings).unwrap();
        let group = holdings.group(GroupId(0));
        let h = model.assess(&group, &sheet).unwrap();
        let (mut p, mut b, mut d) = (group.positions.to_vec(), group.balances.to_vec(), group.debts.to_vec());
        p.reverse();
        b.reverse();
        d.reverse();
        let turned = GroupView { id: group.id, positions: &p, balances: &b, debts: &d };
        prop_assert_eq!(model.assess(&turned, &sheet).unwrap(), h);
        for level in Level::ALL {
            prop_assert_eq!(model.line(&group, &sheet, level).unwrap(), h.line(level));
        }
    }

    #[test]
    fn deposits_repayments_and_reductions_never_lower_slack(account in account(), mut sheet in sheet(), asset in 0..=ASSETS, amount in 1_i128..1_000_000, part in 1_i64..=8) {
        let model = model();
        let better = |before: &Health, after: &Health| Level::ALL.iter().all(|l| after.line(*l).unwrap().slack() >= before.line(*l).unwrap().slack());
        let before = health(&account, &sheet, &model);
        let mut deposited = account.clone();
        deposited.apply(Item::Asset(AssetId(asset)), amount, Quanta::ZERO, FundingIndex::ZERO).unwrap();
        prop_assert!(better(&before, &health(&deposited, &sheet, &model)));
        for d in account.debts() {
            let mut repaid = account.clone();
            let units = -(d.scaled.get() as i128 / 2).max(1);
            repaid.apply(Item::Debt(d.asset), units, Quanta::ZERO, FundingIndex::ZERO).unwrap();
            prop_assert!(better(&before, &health(&repaid, &sheet, &model)));
        }
        // a reduction at the mark, its result paid in cash, funding posted into cost first
        for m in sheet.markets.values_mut() {
            m.mark = price(m.mark.low.get(), m.mark.low.get());
        }
        let before = health(&account, &sheet, &model);
        for p in account.positions().iter().filter(|p| p.lots.get() != 0 && p.market.0 != 6) {
            let m = &sheet.markets[&p.market];
            let owed = pending_funding(p.lots, m.funding, p.snapshot).unwrap();
            let closed = Lots::new((p.lots.get() / part).clamp(-p.lots.get().abs(), p.lots.get().abs()));
            let cost = p.cost.try_add(owed).unwrap();
            let released = MarketScale::released_cost(cost, closed, p.lots).unwrap();
            let paid = m.scale.notional(closed, m.mark.mid).unwrap().try_sub(released).unwrap();
            let mut reduced = account.clone();
            let change = owed.try_sub(released).unwrap();
            reduced.apply(Item::Position(p.market), -i128::from(closed.get()), change, m.funding).unwrap();
            reduced.apply(Item::Asset(AssetId(0)), paid.get(), Quanta::ZERO, FundingIndex::ZERO).unwrap();
            prop_assert!(better(&before, &health(&reduced, &sheet, &model)), "{:?}", p);
        }
    }
}

#[test]
fn what_is_refused() {
    let check = |result: Result<CrossMargin, TermsError>, says: &str| {
        let error = result.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    };
    let usd = AssetTerms::full(AssetId(0));
    let build = |assets| CrossMargin::new(Levels::default(), assets, Vec::new());
    check(build(vec![usd, usd]), "asset 0 has terms twice");
    check(
        build(vec![AssetTerms { collateral_maintenance: Ppb(2_000_000_000), ..usd }]),
        "collateral_maintenance is 2000000000",
    );
    check(build(vec![AssetTerms { liability_initial: Ppb(1), ..usd }]), "liability_initial is 1;");
    let market = || MarketTerms::new(MarketId(3), requirement(0));
    check(CrossMargin::new(Levels::default(), vec![], vec![market(), market()]), "market 3 has terms twice");
    let levels = Levels { backstop: Some(Ppb(-1)), ..Levels::default() };
    check(CrossMargin::new(levels, vec![], vec![]), "backstop is -1");
}

#[test]
fn tiers_are_the_published_ones() {
    // Binance BTCUSDT: 50k at 0.4 %, then 0.5 %, 0.65 %, 1 %: amounts 0, 50, 950, 11,450
    let rows = [(0, 4), (50_000, 5), (600_000, 6), (3_000_000, 10)];
    let rate = |i: usize, milli: i64| if i == 2 { Ppb(6_500_000) } else { Ppb(milli * 1_000_000) };
    let tier = |(i, (lower, milli)): (usize, &(i128, i64))| Tier {
        lower: Quanta::new(*lower),
        maintenance: rate(i, *milli),
        initial: Ppb(20_000_000),
    };
    let tiers = Tiered::new(rows.iter().enumerate().map(tier).collect()).unwrap();
    let amounts: Vec<i128> =
        tiers.table(Stage::Maintenance).iter().map(|p| p.deduction / 1_000_000_000).collect();
    assert_eq!(amounts, [0, 50, 950, 11_450]);
}

/// The numbers that Deribit prints for its linear perpetuals are in the protocols crate; here the ends of the range.
#[test]
fn linear_and_stepped_rates() {
    let linear = LinearSize::new(Ppb(10_000_000), Ppb(20_000_000), Ppb(50_000), Lots::new(1_000)).unwrap();
    let check = |lots: i64, maintenance: i64, initial: i64| {
        for lots in [lots, -lots] {
            assert_eq!(linear.rate(Stage::Maintenance, Lots::new(lots)), Ok(Ppb(maintenance)), "{lots}");
            assert_eq!(linear.rate(Stage::Initial, Lots::new(lots)), Ok(Ppb(initial)), "{lots}");
        }
    };
    check(0, 10_000_000, 20_000_000);
    check(1, 10_000_050, 20_000_050); // rounded up
    check(25_000, 11_250_000, 21_250_000);
    check(19_600_000, 990_000_000, 1_000_000_000);
    check(i64::MAX >> 1, 999_999_999, 1_000_000_000); // a maintenance rate stays below one
    for (field, built) in [
        ("per_unit", LinearSize::new(Ppb(1), Ppb(1), Ppb(-1), Lots::ONE)),
        ("unit", LinearSize::new(Ppb(1), Ppb(1), Ppb(1), Lots::ZERO)),
        ("initial", LinearSize::new(Ppb(2), Ppb(1), Ppb(1), Lots::ONE)),
    ] {
        assert!(matches!(built, Err(TermsError::Parameter { field: f, .. }) if f == field), "{field}");
    }
    let row = |upper, m, i| Bracket { upper: Lots::new(upper), maintenance: Ppb(m), initial: Ppb(i) };
    let stepped = Stepped::new(vec![row(10, 1, 2), row(20, 3, 4)]).unwrap();
    let rates: Vec<i64> =
        [0, 10, 11, -20, 21].map(|l| stepped.bracket(Lots::new(l)).unwrap().maintenance.0).into();
    assert_eq!(rates, [1, 1, 3, 3, 3]);
    for bad in
        [vec![], vec![row(0, 1, 2)], vec![row(10, 1, 2), row(10, 3, 4)], vec![row(10, 1, 2), row(20, 1, 4)]]
    {
        assert!(Stepped::new(bad.clone()).is_err(), "{bad:?}");
    }
}
