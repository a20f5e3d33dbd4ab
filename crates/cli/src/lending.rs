//! Lending on the same minutes: every variant of the lending scenario, for the summary and the report.

use cofferdam_core::Decimal;
use cofferdam_market_sim::lending::{LendingOutcome, LendingScenario, LendingVariant, run_lending, variants};
use cofferdam_market_sim::study::{Progress, Study, StudyError};
use cofferdam_stack::StackConfig;
use serde_json::{Value, json};

/// A variant and what came of it; the base is the first.
pub(crate) type Lent = (LendingVariant, LendingOutcome);

/// Runs all variants on two or more threads; `None` when the scenario has no lending.
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
    progress.begin("lending on the same path", all.len());
    study
        .parallel(&all, progress, |v| {
            let built = StackConfig::load(&file)?.build()?;
            let outcome = run_lending(&p.minutes, built.stack, &v.scenario, &mut ())?;
            Ok((v.clone(), outcome))
        })
        .map(Some)
}

fn usd(atoms: i128) -> String {
    Decimal::from_units(atoms, -6).to_string()
}

/// The part of `summary.json`.
pub(crate) fn summary(lent: &[Lent]) -> Value {
    lent.iter()
        .map(|(v, o)| {
            let t = &o.totals;
            json!({
                "name": v.name,
                "what": v.what,
                "liquidations": t.liquidations.to_string(),
                "borrowers_liquidated": o.borrowers_liquidated,
                "repaid_usd": usd(t.repaid),
                "seized_usd": usd(t.seized_value),
                "bonus_usd": usd(t.bonus),
                "bad_debt_usd": usd(t.bad_debt),
                "insurance_drawn_usd": usd(t.insured),
                "written_down_usd": usd(t.written_down),
                "interest_usd": usd(t.interest),
                "deficit_left_usd": usd(o.deficit_left),
                "utilisation_max": o.utilisation_max,
                "supplier_growth": o.pool_end.growth_since(&o.pool_start),
                "books_checked": o.books_checked,
                "state_hash": o.state_hash,
            })
        })
        .collect()
}
