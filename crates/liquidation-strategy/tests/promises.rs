//! Which property each policy has: declared once, tested as a property where it is declared and refuted by a stored counterexample
//! where it is not. The tables of docs/adl.md are these declarations.

mod common;

use cofferdam_core::{Amount, AssetId, PoolId, Ppb};
use cofferdam_liquidation_strategy::{
    conformance::{Law, Promises, check_allocation},
    *,
};
use common::{close_out, closes, deficit, payer};
use proptest::prelude::*;

const HALF: Ppb = Ppb(500_000_000);

/// A policy under the name of its row, and what it promises of one kind of need.
struct Row {
    name: &'static str,
    policy: fn() -> Box<dyn LossAllocation>,
    promises: Promises,
    /// What it does not promise, each with a book on which it fails.
    refuted: Vec<(Law, Need, Vec<Payer>)>,
    /// Whether it chooses among payers at all.
    chooses: bool,
}

// the columns, in the order of the table
const COLUMNS: [&str; 7] = [
    "larger need, never less from anyone",
    "order of gains kept",
    "principal untouched",
    "only holders pay",
    "splitting an account changes nothing",
    "capped",
    "in two steps as at once",
];

fn cells(p: Promises) -> [Option<bool>; 7] {
    [
        Some(p.monotone),
        Some(p.order_preserving),
        Some(p.principal_untouched),
        Some(p.only_holders),
        Some(p.sybil_neutral),
        Some(p.capped.is_some()),
        Some(p.path_independent),
    ]
}

/// The one promise that is to break, and nothing else.
fn only(law: Law) -> Promises {
    let on = |other| law == other;
    Promises {
        monotone: on(Law::Monotone),
        order_preserving: on(Law::OrderPreserving),
        principal_untouched: on(Law::Principal),
        only_holders: on(Law::OnlyHolders),
        sybil_neutral: on(Law::SybilNeutral),
        // less than all is already too much to promise
        capped: on(Law::Capped).then_some(Ppb(999_000_000)),
        path_independent: on(Law::PathIndependent),
    }
}

fn capped(part: i64, floor: i64) -> Box<dyn LossAllocation> {
    Box::new(CappedProRata::new(HaircutCaps::new(Ppb(part), Ppb(floor)).unwrap()))
}

fn risk(weight: RiskWeight) -> Box<dyn LossAllocation> {
    Box::new(RiskAware::new(weight, HaircutCaps::NONE).unwrap())
}

fn severe(rule: SeverityRule) -> Box<dyn LossAllocation> {
    Box::new(Severity::new(rule, Box::new(ProRataAllocation)).unwrap())
}

fn held(group: u32, gain: i128, equity: i128) -> Payer {
    Payer { maintenance: Amount::ZERO, ..payer(group, -100, gain, gain, equity, 1_000_000, -1_000_000) }
}

fn lots(group: u32, lots: i64, gain: i128, equity: i128) -> Payer {
    payer(group, -lots, gain, gain, equity, 1_000_000, -1_000_000)
}

fn deficits() -> Vec<Row> {
    let most = Promises {
        monotone: true,
        order_preserving: true,
        principal_untouched: true,
        only_holders: true,
        sybil_neutral: true,
        capped: None,
        path_independent: true,
    };
    // who gained twice as much at ten times the leverage
    let order =
        || (Law::OrderPreserving, deficit(100_000), vec![held(1, 100_000, 50_000), held(2, 50_000, 500_000)]);
    let whole = || (Law::Capped, deficit(100_000), vec![held(1, 50_000, 50_000)]);
    // leverage rises with the first step
    let steps =
        || (Law::PathIndependent, deficit(60_000), vec![held(1, 60_000, 100_000), held(2, 60_000, 200_000)]);
    let row = |name, policy, promises, refuted| Row { name, policy, promises, refuted, chooses: true };
    let weighted = Promises { order_preserving: false, path_independent: false, ..most };
    let near_maintenance = Payer { maintenance: Amount::new(50_000), ..held(1, 50_000, 50_000) };
    let mut rows = vec![
        row(
            "`queue`",
            || Box::new(QueueAllocation::new(false)),
            Promises { order_preserving: false, sybil_neutral: false, path_independent: false, ..most },
            vec![
                order(),
                whole(),
                // two of one score: the smaller group is first, and half of it comes after the other
                (
                    Law::SybilNeutral,
                    deficit(100_000),
                    vec![held(1, 100_000, 100_000), held(2, 100_000, 100_000)],
                ),
                // what is taken first makes the first in the queue the second
                (
                    Law::PathIndependent,
                    deficit(90_000),
                    vec![held(1, 90_000, 1_000_000), held(2, 80_000, 1_000_000)],
                ),
            ],
        ),
        row("`pro-rata`", || Box::new(ProRataAllocation), most, vec![whole()]),
        row("`levered-pro-rata`", || Box::new(LeveredProRata), weighted, vec![order(), whole(), steps()]),
        row(
            "`least-squares`",
            || Box::new(LeastSquares),
            Promises { sybil_neutral: false, ..weighted },
            vec![
                (Law::OrderPreserving, deficit(110_000), vec![held(1, 100_000, 9), held(2, 50_000, 9)]),
                whole(),
                (Law::SybilNeutral, deficit(50_000), vec![held(1, 100_000, 90_000), held(2, 50_000, 90_000)]),
                (
                    Law::PathIndependent,
                    deficit(90_000),
                    vec![held(1, 100_000, 90_000), held(2, 50_000, 90_000)],
                ),
            ],
        ),
        row(
            "`least-share`",
            || Box::new(LeastShare),
            weighted,
            vec![
                (
                    Law::OrderPreserving,
                    deficit(60_000),
                    vec![held(1, 60_000, 900_000), held(2, 50_000, 50_000)],
                ),
                whole(),
                // the first step takes all equity, and nobody is left to pay the second
                (
                    Law::PathIndependent,
                    deficit(60_000),
                    vec![held(1, 90_000, 5_000), held(2, 90_000, 15_000)],
                ),
            ],
        ),
        row(
            "`capped-pro-rata`, part 0.5",
            || capped(HALF.0, 0),
            Promises { capped: Some(HALF), path_independent: false, ..most },
            // half, and then half of the other half
            vec![(Law::PathIndependent, deficit(60_000), vec![held(1, 90_000, 90_000)])],
        ),
        row(
            "`capped-pro-rata`, equity_floor 1",
            || capped(Ppb::ONE.0, Ppb::ONE.0),
            Promises { order_preserving: false, ..most },
            vec![
                (Law::OrderPreserving, deficit(90_000), vec![near_maintenance, held(2, 100_000, 100_000)]),
                whole(),
            ],
        ),
        row("`risk-aware`, linear", || risk(RiskWeight::Linear), weighted, vec![order(), whole(), steps()]),
        row(
            "`risk-aware`, tail 1",
            || risk(RiskWeight::Tail { above: Ppb::ONE, quantum: 0 }),
            weighted,
            vec![order(), whole(), steps()],
        ),
        row(
            "`severity`, fixed 0.5, of `pro-rata`",
            || severe(SeverityRule::Fixed(HALF)),
            Promises { path_independent: false, ..most },
            vec![
                (Law::Capped, deficit(100_000), vec![held(1, 50_000, 50_000)]),
                (Law::PathIndependent, deficit(60_000), vec![held(1, 90_000, 90_000)]),
            ],
        ),
    ];
    rows.extend(choosing_nobody(most));
    rows
}

/// Policies under which no payer is chosen.
fn choosing_nobody(most: Promises) -> Vec<Row> {
    let row = |name, policy, promises, refuted| Row { name, policy, promises, refuted, chooses: false };
    vec![
        row(
            "`write-down-pool`",
            || Box::new(WriteDownPool::new(PoolId(1), AssetId(0), None).unwrap()),
            Promises { principal_untouched: false, only_holders: false, ..most },
            vec![(Law::Principal, deficit(5), vec![]), (Law::OnlyHolders, deficit(5), vec![])],
        ),
        row(
            "`shift-funding`",
            || Box::new(ShiftFunding),
            Promises { principal_untouched: false, ..most },
            vec![(Law::Principal, deficit(5), vec![])],
        ),
        row("`carry`", || Box::new(CarryDeficit), most, vec![]),
    ]
}

fn close_outs() -> Vec<Row> {
    let most = Promises {
        monotone: true,
        sybil_neutral: true,
        path_independent: true,
        principal_untouched: true,
        only_holders: true,
        ..Promises::NONE
    };
    let row = |name, policy, promises, refuted| Row { name, policy, promises, refuted, chooses: true };
    let whole = || (Law::Capped, close_out(6_000), vec![lots(1, 6_000, 50_000, 50_000)]);
    let steps = || {
        let book = vec![lots(1, 6_000, 50_000, 100_000), lots(2, 6_000, 50_000, 200_000)];
        (Law::PathIndependent, close_out(6_000), book)
    };
    let same = || vec![lots(1, 6_000, 50_000, 50_000), lots(2, 6_000, 50_000, 50_000)];
    let three = || (1..4).map(|g| lots(g, 6_000, 50_000, 50_000)).collect::<Vec<_>>();
    let weighted = Promises { path_independent: false, ..most };
    vec![
        row(
            "`queue`",
            || Box::new(QueueAllocation::new(false)),
            Promises { sybil_neutral: false, path_independent: false, ..most },
            vec![
                whole(),
                (Law::SybilNeutral, close_out(6_000), same()),
                (
                    Law::PathIndependent,
                    close_out(6_000),
                    vec![lots(1, 6_000, 50_000, 100_000), lots(2, 6_000, 45_000, 100_000)],
                ),
            ],
        ),
        row(
            "`unranked`",
            || Box::new(UnrankedAllocation::new(500).unwrap()),
            Promises { sybil_neutral: false, path_independent: false, ..most },
            vec![
                whole(),
                (Law::SybilNeutral, close_out(6_000), three()),
                // whom the first step closes is gone, and the round begins elsewhere
                (
                    Law::PathIndependent,
                    close_out(9_000),
                    [vec![lots(1, 1_000, 50_000, 50_000)], three().split_off(1)].concat(),
                ),
            ],
        ),
        row("`pro-rata`", || Box::new(ProRataAllocation), most, vec![whole()]),
        row("`levered-pro-rata`", || Box::new(LeveredProRata), weighted, vec![whole(), steps()]),
        row(
            "`capped-pro-rata`, part 0.5",
            || capped(HALF.0, 0),
            Promises { capped: Some(HALF), path_independent: false, ..most },
            vec![(Law::PathIndependent, close_out(6_000), vec![lots(1, 9_000, 50_000, 50_000)])],
        ),
        row(
            "`least-squares`",
            || Box::new(LeastSquares),
            Promises { sybil_neutral: false, ..weighted },
            vec![
                whole(),
                (
                    Law::SybilNeutral,
                    close_out(5_000),
                    vec![lots(1, 6_000, 50_000, 10), lots(2, 3_000, 50_000, 10)],
                ),
                (
                    Law::PathIndependent,
                    close_out(6_000),
                    vec![lots(1, 6_000, 50_000, 10), lots(2, 3_000, 50_000, 10)],
                ),
            ],
        ),
        row("`least-share`", || Box::new(LeastShare), most, vec![whole()]),
        row("`risk-aware`, linear", || risk(RiskWeight::Linear), weighted, vec![whole(), steps()]),
        row(
            "`contract-pro-rata`",
            || Box::new(ContractProRata::new(ContractWeight::Lots)),
            Promises { monotone: false, ..most },
            vec![
                whole(),
                // the Alabama paradox: of 10 lots the third closes 2, of 11 it closes 1
                (
                    Law::Monotone,
                    close_out(11),
                    vec![lots(1, 6, 50, 50), lots(2, 6, 50, 50), lots(3, 2, 50, 50)],
                ),
            ],
        ),
        row("`level-leverage`", || Box::new(LevelLeverage), most, vec![whole()]),
    ]
}

#[test]
fn what_is_not_promised_has_a_counterexample() {
    let laws = [
        Law::Monotone,
        Law::OrderPreserving,
        Law::Principal,
        Law::OnlyHolders,
        Law::SybilNeutral,
        Law::Capped,
        Law::PathIndependent,
    ];
    for (rows, columns) in [(deficits(), vec![0, 1, 2, 3, 4, 5, 6]), (close_outs(), vec![0, 4, 5, 6])] {
        for row in rows {
            for (law, need, book) in &row.refuted {
                let promised = only(*law);
                match check_allocation((row.policy)().as_ref(), need, book, promised) {
                    Err(broken) => assert_eq!(broken.law, *law, "{}: {broken}", row.name),
                    Ok(s) => panic!("{} keeps {law:?} on {book:?}: {s:?}", row.name),
                }
            }
            for i in &columns {
                let declared = cells(row.promises)[*i] == Some(true);
                let refuted = row.refuted.iter().any(|r| r.0 == laws[*i]);
                let open = !row.chooses && laws[*i] == Law::Capped;
                assert!(declared != refuted || (open && !refuted), "{}: {:?}", row.name, laws[*i]);
            }
        }
    }
}

/// The counterexample that pro-rata by largest remainder has, and Adams' method does not.
#[test]
fn why_adams() {
    let book = [lots(1, 6, 50, 50), lots(2, 6, 50, 50), lots(3, 2, 50, 50)];
    for size in 0..=15 {
        let monotone = Promises { monotone: true, ..Promises::NONE };
        check_allocation(&ProRataAllocation, &close_out(size), &book, monotone).unwrap();
    }
}

fn table(rows: &[Row], columns: &[usize]) -> String {
    let mut text =
        format!("| policy | {} |\n", columns.iter().map(|i| COLUMNS[*i]).collect::<Vec<_>>().join(" | "));
    text += &format!("|---|{}\n", "---|".repeat(columns.len()));
    for row in rows {
        let word = |i: &usize| match (row.chooses, *i, row.promises.capped) {
            (false, 0 | 1 | 4 | 5 | 6, _) => "-".to_owned(),
            (_, 5, Some(part)) => format!("at {part}"),
            _ if cells(row.promises)[*i] == Some(true) => "yes".to_owned(),
            _ => "no".to_owned(),
        };
        text += &format!("| {} | {} |\n", row.name, columns.iter().map(word).collect::<Vec<_>>().join(" | "));
    }
    text
}

#[test]
fn the_page_says_what_the_tests_found() {
    let page = include_str!("../../../docs/adl.md");
    for wanted in [table(&deficits(), &[0, 1, 2, 3, 4, 5, 6]), table(&close_outs(), &[0, 4, 5, 6])] {
        assert!(page.contains(&wanted), "docs/adl.md should have this table:\n{wanted}");
    }
}

// every number even, so that accounts can be halved; gains far above lots, so that a close does not round one to nothing
fn book() -> impl Strategy<Value = Vec<Payer>> {
    let one =
        (1_i64..3_000, 5_000_i128..100_000, 0_u8..4, 0_i128..200_000, 1_i128..1_000_000, 1_i128..1_000_000);
    prop::collection::vec(one, 0..7).prop_map(|parts| {
        let build = |(i, (lots, gain, tight, equity, notional, cost))| {
            let room = if tight == 0 { gain / 3 * 2 } else { 2 * gain };
            let p = payer(i, -2 * lots, 2 * gain, room / 2 * 2, 2 * equity - 20_000, 2 * notional, -2 * cost);
            Payer { maintenance: Amount::new(equity / 10 * 2), ..p }
        };
        (1..).zip(parts).map(build).collect()
    })
}

/// A case that the property found: holders without equity were levelled by lots, and half an account was closed less than half as much.
#[test]
fn without_equity_an_account_may_be_split_too() {
    let book =
        [payer(1, -268, 10_000, 3_332, -20_000, 2, -2), payer(2, -4_330, 10_000, 3_332, -20_000, 2, -2)];
    let neutral = Promises { sybil_neutral: true, ..Promises::NONE };
    let s = check_allocation(&LevelLeverage, &close_out(3_804), &book, neutral).unwrap();
    assert_eq!(closes(&s), [(1, 222), (2, 3_582)]); // 3804 x 268 / 4598 = 221.7
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn what_is_promised_holds(book in book(), amount in 0_i128..700_000, lots in 0_i64..20_000) {
        for (rows, need) in [(deficits(), deficit(amount)), (close_outs(), close_out(lots))] {
            for row in rows {
                if let Err(e) = check_allocation((row.policy)().as_ref(), &need, &book, row.promises) {
                    prop_assert!(false, "{}: {e}", row.name);
                }
            }
        }
    }
}
