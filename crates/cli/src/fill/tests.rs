//! A few hundred invented minutes through the whole study, and the words that depend on numbers.

use super::linked::{Claim, conclusion, judge, ratios, sentence};
use super::*;
use crate::report::{Status, render};
use cofferdam_core::Decimal;
use cofferdam_market_sim::implied::Reach;
use cofferdam_market_sim::study::{Prepared, VariantSummary};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const ROWS: u64 = 360;

/// A price that wanders, falls by a tenth within a quarter of an hour and recovers; liquidations wherever it moves.
fn minutes_csv() -> String {
    let mut out = String::from(
        "timestamp_x,ask_price,bid_price,binance-futures_ethusdt_liquidation_long,binance-futures_ethusdt_liquidation_short\n",
    );
    let (mut price, mut seed) = (1_000.0_f64, 7_u64);
    for i in 0..ROWS {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let noise = (seed >> 33) as f64 / f64::from(u32::MAX) - 0.25;
        let step = if (200..215).contains(&i) { -7.0 } else { noise * 28.0 };
        price += step;
        let (long, short) = if step < -0.5 { (-step * 3.0, 0.0) } else { (0.0, step.max(0.0) * 3.0) };
        let (long, short) = if i == 0 { (0.0, 0.0) } else { (long.round(), short.round()) };
        let _ = writeln!(
            out,
            "{},{:.3},{:.3},{long},{short}",
            (1_610_323_200 + i * 60) * 1_000_000,
            price + 0.1,
            price - 0.1
        );
    }
    out
}

fn scenario(example: &Path) -> String {
    let file = |name: &str| example.join(name).display().to_string();
    format!(
        r#"name = "invented"
data = "minutes.csv"
tiers = "{}"
tiers_used = 11
stack = "{}"
market = "ETH-PERP"
seeds = [1, 2]
lookback_rows = 120
[background]
low_leverage_lots_per_side = 1000000
[market_model]
depth_usd = 750000.0
half_life_ms = 1800000
exit_scale_usd = 10000.0
[blind]
cut_ms = 1610334000000
warm_up_rows = 60
[linked]
depths = [1.0, 0.5]
exit = 0.3
shifts = 8
[map]
depths = [1.0, 0.5]
exits = [0.0, 0.3]
tipped_at = 1.25
[levels]
from_ms = 1610323200000
rows = 360
step_rows = 30
buckets = 20
[[mutations]]
name = "one minute late"
what = "The stack sees each price one minute late"
feed = {{ latency_ms = 60000 }}
[[variants]]
name = "same again"
what = "All multipliers at 1"
[[variants]]
name = "quarter depth"
what = "A quarter of the depth"
depth = 0.25
[[variants]]
name = "tower"
what = "A tower of insurance; promised cover pays 80 %"
stack = "{}"
depth = 0.25
insurance = 0.01
insurers = [{{ layer = "quota-share", pays_ppm = 800000 }}]
"#,
        file("data/binance_usdm_tiers_ethusdt.csv"),
        file("stacks/base.toml"),
        file("stacks/tower.toml")
    )
}

/// A folder that is gone when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("cofferdam-fill-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[derive(Debug)]
struct Nothing;

impl cofferdam_stack::Observer for Nothing {
    fn step(
        &mut self,
        _: &cofferdam_stack::StepCause,
        _: &[cofferdam_stack::Fact],
        _: &cofferdam_stack::State,
    ) {
    }
}

impl cofferdam_market_sim::perp::Recorder for Nothing {
    fn input(&mut self, _: &cofferdam_stack::Input) -> std::io::Result<()> {
        Ok(())
    }

    fn fault(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn filled() -> ReportData {
    let example = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/eth-january-2021"));
    let folder = Folder::new();
    std::fs::write(folder.0.join("minutes.csv"), minutes_csv()).unwrap();
    std::fs::write(folder.0.join("scenario.toml"), scenario(&example.canonicalize().unwrap())).unwrap();
    let study = Study { prepared: Prepared::load(&folder.0).unwrap(), jobs: 2 };
    let outcome = study.run(&mut Nothing, &()).unwrap();
    let p = &study.prepared;
    let reach = Reach::new(&p.minutes, &p.schedule, p.scenario.lookback_rows).unwrap();
    let labels = |config: &VariantConfig| {
        let tower = ["fund", "quota-share", "excess-of-loss", "stop-loss"];
        let names = if config.name == "tower" { &tower[..] } else { &tower[..1] };
        Labels { layers: names.iter().map(|n| (*n).to_owned()).collect(), breakers: Vec::new() }
    };
    let summary = outcome.summary(&study, &reach, &labels);
    summary.variants.iter().for_each(|v| assert_eq!(reconciles(v), Ok(()), "{}", v.name));
    let tower = summary.variants.iter().find(|v| v.name == "tower").unwrap();
    assert!(tower.layers_usd.values().any(|paid| paid != "0"), "a layer paid: {tower:?}");
    a_changed_atom_is_seen(tower);
    let filling = Filling {
        study: &study,
        outcome: &outcome,
        summary: &summary,
        reach: &reach,
        labels: &labels,
        lending: None,
        files: Vec::new(),
        command: "cofferdam run",
    };
    report_data(&filling).unwrap()
}

#[test]
fn a_small_study_fills_every_section() {
    let data = filled();
    let html = render(&data);
    assert_eq!(html.matches("Nothing to show").count(), 1, "lending alone was not run");
    assert!(data.provenance.len() >= 12);
    assert_eq!(data.implied_share.placebo_long.len(), 200);
    assert!(data.price.bars.iter().any(|b| b.simulated.long > 0.0));
    assert!(data.levels.columns.iter().any(|c| c.long.iter().sum::<f64>() > 0.0));
    assert_eq!(data.variants.rows.len(), 4);
    assert_eq!(data.linked.cases.len(), 6);
    for case in &data.linked.cases {
        assert_eq!(
            case.seeds.iter().map(|s| s.seed).collect::<Vec<_>>(),
            [1, 2],
            "every seed of the scenario"
        );
        assert!(case.seeds.iter().all(|s| s.independent.len() == 8));
        assert!(case.seeds.iter().any(|s| s.linked == case.linked.median), "a value that occurred");
    }
    let liquidated = data.linked.cases.last().unwrap();
    assert_ne!(liquidated.seeds[0].linked, liquidated.seeds[1].linked, "each seed has its own book");
    assert!(data.depth_exit.what.contains("one seed"));
    assert_eq!(data.depth_exit.x, ["0.5", "1"]);
    assert!(data.depth_exit.cells.iter().flatten().filter(|c| c.base).count() == 1);
    let status =
        |question: &str| data.head.verdicts.iter().find(|v| v.question == question).map(|v| v.status);
    for question in [
        "Does the engine liquidate when the rules say?",
        "Would a wrong engine be noticed?",
        "Is money conserved?",
        "With all multipliers at 1, is it the replay?",
    ] {
        assert_eq!(status(question), Some(Status::Pass), "{question}: {:?}", data.head.verdicts);
    }
    assert_ne!(
        status("Is every loss paid by somebody?"),
        Some(Status::Fail),
        "losses less payments = open deficit"
    );
    assert!(!data.waterfalls.is_empty());
}

#[test]
fn the_claim_is_judged_by_every_shift() {
    for (linked, shifts, want) in [
        (10, vec![1, 2, 3], Claim::Holds),
        (3, vec![1, 2, 3], Claim::Leans),
        (2, vec![1, 2, 3], Claim::Fails),
        (0, vec![0, 0], Claim::Fails),
        (5, vec![], Claim::Fails),
    ] {
        assert_eq!(judge(linked, &shifts), want, "{linked} {shifts:?}");
    }
}

#[test]
fn the_claim_is_said_plainly() {
    use Claim::{Fails, Holds, Leans};
    for (claims, want) in [
        (vec![], "was not tested"),
        (vec![(1.0, Holds, Holds), (0.5, Holds, Holds)], "holds here"),
        (vec![(1.0, Fails, Fails)], "does not hold here"),
        (vec![(1.0, Leans, Leans)], "not established"),
        (vec![(1.0, Holds, Fails)], "only in part"),
    ] {
        assert!(conclusion(&claims).contains(want), "{claims:?}: {}", conclusion(&claims));
    }
    for (linked, shifts, want) in [
        (
            2_000_000,
            vec![1_000_000; 8],
            "2.00 times as much; the model without the link underestimates it by 50.0\u{a0}%",
        ),
        (1_000_000, vec![2_000_000], "shows more, not less"),
        (0, vec![0], "both are zero"),
        (5_000_000, vec![0], "shows none of it"),
        (-2_000_000, vec![-1_000_000], "shows more, not less"),
    ] {
        let said = sentence("full depth", "bad debt", &[(linked, shifts)]);
        assert!(said.contains(want), "{said}");
    }
    let three = [(9_000_000, vec![2_000_000]), (6_000_000, vec![3_000_000]), (1_000_000, vec![4_000_000])];
    let said = sentence("full depth", "bad debt", &three);
    assert!(said.contains("(medians of 3 seeds): 2.00 times") && said.contains("(2 of 3 shifts"), "{said}");
    assert!(sentence("full depth", "bad debt", &[]).contains("nothing was compared"));
}

#[test]
fn a_ratio_compares_within_a_seed() {
    let of = |seeds: &[(i128, Vec<i128>)]| ratios(seeds).map(|r| [r.median, r.p5, r.p95]);
    assert_eq!(of(&[(4, vec![2]), (9, vec![3]), (5, vec![5])]), Some([2.0, 1.0, 3.0]));
    assert_eq!(of(&[(4, vec![2]), (9, vec![0])]), None, "a median shift that shows nothing has no ratio");
    assert_eq!(of(&[]), None);
}

/// The waterfall of a variant as `summary.json` prints it: bad debt less everybody who paid is the open deficit, to the atom.
fn reconciles(v: &VariantSummary) -> Result<(), String> {
    let atoms = |text: &str| text.parse::<Decimal>().unwrap().to_units(-6).unwrap();
    let layers: i128 = v.layers_usd.values().map(|x| atoms(x)).sum();
    let paid = layers + atoms(&v.taken_from_winners_usd) + atoms(&v.taken_from_suppliers_usd);
    let left = atoms(&v.bad_debt_usd) - paid - atoms(&v.open_deficit_usd);
    if layers != atoms(&v.insurance_drawn_usd) {
        return Err(format!("layers paid {layers}, insurance {}", v.insurance_drawn_usd));
    }
    if left == 0 { Ok(()) } else { Err(format!("{left} atoms are not accounted for")) }
}

fn a_changed_atom_is_seen(v: &VariantSummary) {
    let more = |text: &str| {
        Decimal::from_units(text.parse::<Decimal>().unwrap().to_units(-6).unwrap() + 1, -6).to_string()
    };
    let changed = [
        VariantSummary { bad_debt_usd: more(&v.bad_debt_usd), ..v.clone() },
        VariantSummary { insurance_drawn_usd: more(&v.insurance_drawn_usd), ..v.clone() },
        VariantSummary { taken_from_winners_usd: more(&v.taken_from_winners_usd), ..v.clone() },
        VariantSummary { open_deficit_usd: more(&v.open_deficit_usd), ..v.clone() },
    ];
    changed.iter().for_each(|v| assert!(reconciles(v).is_err(), "{v:?}"));
}
