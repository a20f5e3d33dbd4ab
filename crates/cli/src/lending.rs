//! Lending on the same minutes: every variant of the lending scenario, for the summary and the report.

use cofferdam_core::Decimal;
use cofferdam_market_sim::lending::{LendingOutcome, LendingScenario, LendingVariant, run_lending, variants};
use cofferdam_market_sim::study::{Progress, Study, StudyError, by_name, spread};
use cofferdam_stack::StackConfig;
use serde_json::{Map, Value, json};

/// A variant and what came of it, one outcome per seed; the base is the first.
pub(crate) type Lent = (LendingVariant, Vec<LendingOutcome>);

/// Runs all variants with every seed of the scenario; `None` when it has no lending. A seed names the draw of the borrowers:
/// keepers and suppliers follow rules and draw nothing.
pub(crate) fn run(study: &Study, progress: &dyn Progress) -> Result<Option<Vec<Lent>>, StudyError> {
    let p = &study.prepared;
    let Some(config) = &p.scenario.lending else { return Ok(None) };
    let base = LendingScenario {
        seed: p.scenario.seeds[0],
        depth_usd: p.scenario.market_model.depth_usd,
        half_life_ms: p.scenario.market_model.half_life_ms,
        bar_ms: 3_600_000,
        ..LendingScenario::default()
    };
    let all = variants(&base, &p.minutes);
    let file = p.folder.join(&config.stack);
    let seeds = &p.scenario.seeds;
    let jobs: Vec<LendingScenario> = all
        .iter()
        .flat_map(|v| seeds.iter().map(|seed| LendingScenario { seed: *seed, ..v.scenario.clone() }))
        .collect();
    progress.begin("lending on the same path", jobs.len());
    let outcomes = study.parallel(&jobs, progress, |scenario| {
        let built = StackConfig::load(&file)?.build()?;
        Ok(run_lending(&p.minutes, built.stack, scenario, &mut ())?)
    })?;
    let mut outcomes = outcomes.into_iter();
    Ok(Some(all.into_iter().map(|v| (v, outcomes.by_ref().take(seeds.len()).collect())).collect()))
}

/// The part of `summary.json`: every figure is that of one seed, the median by bad debt, so that they add up; beside it p5 and p95
/// over all seeds.
pub(crate) fn summary(lent: &[Lent]) -> Value {
    lent.iter()
        .map(|(v, of_seeds)| {
            let mut entry = Map::new();
            entry.insert("name".into(), v.name.into());
            entry.insert("what".into(), v.what.into());
            entry.insert("seeds".into(), of_seeds.len().into());
            for (name, print, of) in MEASURES {
                let [_, p5, p95] = spread(of_seeds.iter().map(of).collect()).unwrap_or_default();
                entry.insert(name.into(), print(of_seeds.get(shown(of_seeds)).map(of).unwrap_or_default()));
                entry.insert(format!("{name}_range"), json!([print(p5), print(p95)]));
            }
            let hashes: Vec<&str> = of_seeds.iter().map(|o| o.state_hash.as_str()).collect();
            entry.insert("state_hashes".into(), hashes.into());
            Value::Object(entry)
        })
        .collect()
}

/// The place of the outcome whose figures stand for all: the median by bad debt, of equal ones by what was seized.
pub(crate) fn shown(of_seeds: &[LendingOutcome]) -> usize {
    let mut order: Vec<usize> = (0..of_seeds.len()).collect();
    order.sort_by_key(|i| of_seeds.get(*i).map(|o| (o.totals.bad_debt, o.totals.seized_value, *i)));
    order.get(order.len().div_ceil(2).max(1) - 1).copied().unwrap_or(0)
}

/// Adds what each breaker of the stack did to a summary's entries.
pub(crate) fn add_breakers(summary: &mut Value, lent: &[Lent], names: &[String]) {
    for (entry, (_, of_seeds)) in summary.as_array_mut().into_iter().flatten().zip(lent) {
        let Some(o) = of_seeds.get(shown(of_seeds)) else { continue };
        entry["breaker_trips"] = json!(by_name(names, &o.counts.trips));
        entry["breaker_limits"] = json!(by_name(names, &o.counts.limits));
    }
}

/// A measure of a run: its name, how it is written, and where it is found, as a whole number.
type Measure = (&'static str, fn(i128) -> Value, fn(&LendingOutcome) -> i128);

const MEASURES: [Measure; 13] = [
    ("liquidations", |n| json!(n as u64), |o| o.totals.liquidations),
    ("borrowers_liquidated", |n| json!(n as u64), |o| i128::from(o.borrowers_liquidated)),
    ("repaid_usd", usd, |o| o.totals.repaid),
    ("seized_usd", usd, |o| o.totals.seized_value),
    ("bonus_usd", usd, |o| o.totals.bonus),
    ("bad_debt_usd", usd, |o| o.totals.bad_debt),
    ("insurance_drawn_usd", usd, |o| o.totals.insured),
    ("written_down_usd", usd, |o| o.totals.written_down),
    ("interest_usd", usd, |o| o.totals.interest),
    ("deficit_left_usd", usd, |o| o.deficit_left),
    ("utilisation_max", ratio, |o| billionths(o.utilisation_max)),
    ("supplier_growth", ratio, |o| billionths(o.pool_end.growth_since(&o.pool_start))),
    ("books_checked", |n| json!(n as u64), |o| i128::from(o.books_checked)),
];

fn usd(atoms: i128) -> Value {
    Decimal::from_units(atoms, -6).to_string().into()
}

fn ratio(billionths: i128) -> Value {
    json!(billionths as f64 / 1e9)
}

fn billionths(ratio: f64) -> i128 {
    (ratio * 1e9).round() as i128
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_market_sim::data::Minutes;
    use cofferdam_market_sim::lending::LendingTotals;

    #[test]
    fn every_measure_is_of_one_seed_with_its_range() {
        let of = |bad_debt: i128, utilisation_max: f64| LendingOutcome {
            totals: LendingTotals { bad_debt, ..LendingTotals::default() },
            utilisation_max,
            state_hash: format!("{bad_debt:02x}"),
            ..LendingOutcome::default()
        };
        let base = variants(&LendingScenario::default(), &Minutes::default()).swap_remove(0);
        let said = summary(&[(base, vec![of(3_000_000, 0.5), of(1, 0.75), of(2_500_000, 0.25)])]);
        for (name, want) in [
            ("seeds", json!(3)),
            ("bad_debt_usd", json!("2.5")),
            ("bad_debt_usd_range", json!(["0.000001", "3"])),
            ("utilisation_max", json!(0.25)),
            ("utilisation_max_range", json!([0.25, 0.75])),
            ("liquidations", json!(0)),
            ("repaid_usd_range", json!(["0", "0"])),
            ("state_hashes", json!(["2dc6c0", "01", "2625a0"])),
        ] {
            assert_eq!(said[0][name], want, "{name}");
        }
    }
}
