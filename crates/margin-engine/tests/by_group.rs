//! Groups that chose other terms.

mod common;
use cofferdam_core::*;
use cofferdam_margin_engine::*;

fn model(weight: i64) -> Box<dyn MarginModel> {
    let weight = Ppb(weight);
    let terms = AssetTerms {
        collateral_initial: weight,
        collateral_maintenance: weight,
        ..AssetTerms::full(AssetId(0))
    };
    Box::new(CrossMargin::new(Levels::default(), vec![terms], vec![]).unwrap())
}

#[test]
fn each_group_is_assessed_by_its_own_model() {
    let chosen =
        vec![(vec![GroupId(7)], model(900_000_000)), (vec![GroupId(8), GroupId(9)], model(100_000_000))];
    let by_group = ByGroup::new(model(500_000_000), chosen).unwrap();
    let mut sheet = common::Sheet::default();
    sheet.assets.insert(AssetId(0), common::asset(0, 1, 1));
    let balances = [BalanceView { asset: AssetId(0), amount: Amount::new(1_000) }];
    for (group, weight) in
        [(1, 500_000_000), (7, 900_000_000), (8, 100_000_000), (9, 100_000_000), (10, 500_000_000)]
    {
        let view = GroupView { id: GroupId(group), positions: &[], balances: &balances, debts: &[] };
        let (alone, level) = (model(weight), Level::Maintenance);
        assert_eq!(by_group.assess(&view, &sheet), alone.assess(&view, &sheet), "{group}");
        assert_eq!(
            by_group.safe_ranges(&view, &sheet, level),
            alone.safe_ranges(&view, &sheet, level),
            "{group}"
        );
    }
    let twice = ByGroup::new(model(1), vec![(vec![GroupId(7), GroupId(7)], model(1))]);
    assert!(matches!(twice, Err(TermsError::Parameter { field: "groups", value: 7, .. })));
}
