//! Counterfactuals beside the replay, and the map of depth against exit strength.

use super::Filling;
use super::words::money;
use crate::report::text::percent;
use crate::report::{FloatSpread, MoneySpread, TippingCell, TippingMap, VariantRow, Variants};
use cofferdam_market_sim::perp::Run;
use cofferdam_market_sim::study::{VariantConfig, VariantRuns, VariantSummary};

/// Branching ratios outside are warned of.
pub(super) const BRANCHING: (f64, f64) = (0.03, 0.2);
/// A difference below this share of the replay's value is not visible.
const VISIBLE: f64 = 0.001;

/// Nothing differs from the replay but that impact is computed: the run that has to equal it.
pub(super) fn is_plain(c: &VariantConfig) -> bool {
    let same = [c.depth, c.insurance, c.background].iter().all(|x| *x == 1.0) && c.exit == 0.0;
    same && c.stack.is_none() && c.feed == Default::default() && c.insurers.is_empty()
}

/// The replay first, then every variant in the order of the scenario.
pub(super) fn variants(f: &Filling<'_>) -> Variants {
    let replay = &f.outcome.replay;
    let labels = (f.labels)(&replay.config);
    let base = replay.summary(&replay.runs, &labels);
    let mut rows = vec![row(replay, &base, &labels.breakers, String::new())];
    for (i, (runs, summary)) in f.outcome.variants.iter().zip(&f.summary.variants).enumerate() {
        let breakers = (f.labels)(&runs.config).breakers;
        rows.push(row(runs, summary, &breakers, no_effect(f, i, runs, summary)));
    }
    Variants {
        unit: "USD".to_owned(),
        baseline: replay.config.name.clone(),
        rows,
        branching_low: BRANCHING.0,
        branching_high: BRANCHING.1,
    }
}

fn row(runs: &VariantRuns, s: &VariantSummary, breakers: &[String], no_effect: String) -> VariantRow {
    let spread = |median: &str, [p5, p95]: &[String; 2]| MoneySpread {
        median: median.to_owned(),
        p5: p5.clone(),
        p95: p95.clone(),
    };
    let liquidated = runs.runs.first().is_some_and(|r| r.forced_total() > 0);
    let ratio = s.branching_ratio;
    VariantRow {
        name: s.name.clone(),
        what: s.what.clone(),
        seeds: s.seeds as u64,
        liquidated: spread(&s.liquidated_usd, &s.liquidated_usd_range),
        bad_debt: spread(&s.bad_debt_usd, &s.bad_debt_usd_range),
        insurance_drawn: spread(&s.insurance_drawn_usd, &s.insurance_drawn_usd_range),
        insurance_needed: spread(&s.insurance_needed_usd, &s.insurance_needed_usd_range),
        taken_from_winners: spread(&s.taken_from_winners_usd, &s.taken_from_winners_usd_range),
        branching_ratio: liquidated.then_some(FloatSpread { median: ratio, p5: ratio, p95: ratio }),
        max_drawdown: FloatSpread {
            median: s.max_drawdown,
            p5: s.max_drawdown_range[0],
            p95: s.max_drawdown_range[1],
        },
        events: s.events,
        steps: s.steps,
        measures: ["deleverages", "haircuts"].iter().filter_map(|m| s.measures.get(m)).sum(),
        breaker_trips: s.breaker_trips.values().sum(),
        breakers: runs
            .runs
            .get(runs.shown())
            .map_or_else(Vec::new, |r| super::breakers::counted(breakers, &r.tally.counts)),
        no_effect,
    }
}

/// Forced flow, losses and who paid them are equal.
fn equal(a: &Run, b: &Run) -> bool {
    let paid = |r: &Run| (haircuts(r), drawn(r), r.losses(), r.tally.counts.takeovers);
    a.forced_lots == b.forced_lots && paid(a) == paid(b)
}

fn all_equal(a: &[Run], b: &[Run]) -> bool {
    a.iter().zip(b).all(|(x, y)| equal(x, y))
}

/// Paid by insurance.
pub(super) fn drawn(run: &Run) -> i128 {
    run.tally.events.iter().flat_map(|e| e.layers.values()).sum()
}

/// Taken from winners.
pub(super) fn haircuts(run: &Run) -> i128 {
    run.tally.events.iter().map(|e| e.haircuts).sum()
}

/// Why a variant should be read as without effect; empty when it has one.
fn no_effect(f: &Filling<'_>, i: usize, runs: &VariantRuns, s: &VariantSummary) -> String {
    let replay = &f.outcome.replay.runs;
    if all_equal(&runs.runs, replay) {
        if is_plain(&runs.config) {
            return "Every multiplier is at 1: it has to equal the replay, and it does.".to_owned();
        }
        if runs.config.insurance != 1.0 {
            return format!(
                "Every result of every seed equals the replay's: insurance was never exhausted. It needed {} USD at the start, \
                 penalties counted.",
                crate::report::text::whole(&s.insurance_needed_usd)
            );
        }
        return "Every result of every seed equals the replay's.".to_owned();
    }
    let earlier = f.outcome.variants.get(..i).unwrap_or_default();
    if let Some(twin) = earlier.iter().find(|v| all_equal(&v.runs, &runs.runs)) {
        return format!(
            "It differs from the replay, but every result of every seed equals that of \"{}\": what was added on top changed \
             nothing.",
            twin.config.name
        );
    }
    let Some((a, b)) = runs.runs.first().zip(replay.first()) else { return String::new() };
    let pairs = [
        (a.forced_total(), b.forced_total()),
        (a.losses(), b.losses()),
        (drawn(a), drawn(b)),
        (haircuts(a), haircuts(b)),
        (a.tally.insurance_needed, b.tally.insurance_needed),
    ];
    let near = |(x, y): &(i128, i128)| (x - y).abs() as f64 <= VISIBLE * y.abs() as f64;
    if pairs.iter().all(near) && (a.max_drawdown - b.max_drawdown).abs() < VISIBLE {
        return format!(
            "Money differs from the replay by less than {} in every measure ({} USD of liquidations, first seed).",
            percent(VISIBLE, 1),
            money(a.forced_total() - b.forced_total())
        );
    }
    String::new()
}

/// Forced selling as a multiple of the replay's: depth across, exit strength up.
pub(super) fn tipping(f: &Filling<'_>) -> TippingMap {
    let replay = f.outcome.replay.runs.first().map_or(0, Run::forced_total).max(1) as f64;
    let at = f.study.prepared.scenario.map.tipped_at;
    let mut depths: Vec<_> = f.outcome.map.iter().filter(|c| !c.is_empty()).collect();
    let key = |c: &[cofferdam_market_sim::study::TippingCell]| c.first().map_or(0.0, |x| x.depth);
    depths.sort_by(|a, b| key(a).total_cmp(&key(b)));
    let exits: Vec<f64> = depths.first().map_or_else(Vec::new, |c| c.iter().map(|x| x.exit).collect());
    let cell = |c: &cofferdam_market_sim::study::TippingCell| {
        let multiple = c.forced as f64 / replay;
        TippingCell { value: Some(multiple), tipped: multiple >= at, base: c.depth == 1.0 && c.exit == 0.0 }
    };
    let line = |j: usize| depths.iter().filter_map(|c| c.get(j)).map(cell).collect();
    TippingMap {
        what: "Liquidated notional as a multiple of the replay's (one seed, the first)".to_owned(),
        x_label: "depth multiplier".to_owned(),
        x: depths.iter().map(|c| key(c).to_string()).collect(),
        y_label: "exit strength (exponent)".to_owned(),
        y: exits.iter().map(f64::to_string).collect(),
        cells: (0..exits.len()).map(line).collect(),
        criterion: format!("forced selling is at least {at} times the replay's"),
    }
}
