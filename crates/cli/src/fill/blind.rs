//! How good the implied book is: implied share and placebo, mutations, blind validation.

use super::Filling;
use super::words::{count, eth, seconds};
use crate::report::text::{date_time, fixed, percent};
use crate::report::{
    Blind, BlindHour, BlindScore, ImpliedShare, LongShort, MutationRow, NamedValue, SharePoint,
};
use cofferdam_market_sim::implied::{Fit, PLACEBO_SHIFTS, Side, share_curve, unexplained};

/// Implied share that is required, long and short.
pub(super) const REQUIRED: LongShort = LongShort { long: 0.96, short: 0.945 };

const CAPS: [u32; 9] = [2, 5, 10, 20, 30, 50, 75, 100, 125];

/// The curve over maximum leverage, and every shift of the placebo at the leverage in use.
pub(super) fn implied_share(f: &Filling<'_>) -> ImpliedShare {
    let p = &f.study.prepared;
    let used = p.schedule.max_leverage(0);
    let mut caps: Vec<u32> = CAPS.into_iter().filter(|c| *c < used).collect();
    caps.push(used);
    let point = |x: &cofferdam_market_sim::implied::SharePoint| SharePoint {
        max_leverage: f64::from(x.max_leverage),
        implied: LongShort { long: x.share.long, short: x.share.short },
        placebo: Some(LongShort {
            long: middle(placebo(f, Side::Long, x.max_leverage)),
            short: middle(placebo(f, Side::Short, x.max_leverage)),
        }),
    };
    ImpliedShare {
        curve: share_curve(&p.minutes, f.reach, &caps).iter().map(point).collect(),
        used_max_leverage: f64::from(used),
        required: REQUIRED,
        placebo_long: placebo(f, Side::Long, used),
        placebo_short: placebo(f, Side::Short, used),
    }
}

/// The share that each circular shift of the record reaches: the shifts of [`share_curve`], one by one.
fn placebo(f: &Filling<'_>, side: Side, max_leverage: u32) -> Vec<f64> {
    let m = &f.study.prepared.minutes;
    let lots = if side == Side::Long { &m.long } else { &m.short };
    let feasible = f.reach.feasible(side, max_leverage);
    let total = lots.iter().sum::<i64>().max(1) as f64;
    let share = |i: usize| {
        let later = feasible.iter().cycle().skip(i * lots.len() / (PLACEBO_SHIFTS + 1));
        let kept: i64 = lots.iter().zip(later).map(|(l, ok)| if *ok { *l } else { 0 }).sum();
        kept as f64 / total
    };
    (1..=PLACEBO_SHIFTS).map(share).collect()
}

fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}

/// Why the rest of the record has no account, in words.
pub(super) fn not_implied(f: &Filling<'_>) -> String {
    let p = &f.study.prepared;
    let rest = unexplained(&p.minutes, f.reach, p.schedule.max_leverage(0));
    let say = |side: &str, u: &cofferdam_market_sim::implied::Unexplained| {
        format!(
            "{side}: {} ETH in minutes whose mean price did not move against them, {} ETH after moves too small for the largest \
             leverage",
            fixed(eth(u.no_adverse_move_lots), 0),
            fixed(eth(u.beyond_cap_lots), 0)
        )
    };
    format!("{}; {}.", say("Longs", &rest.long), say("shorts", &rest.short))
}

/// What was broken on purpose.
pub(super) fn mutations(f: &Filling<'_>) -> Vec<MutationRow> {
    let whole = percent(f.summary.replay.in_own_minute_share, 2);
    let row = |(m, runs): (
        &cofferdam_market_sim::study::MutationSummary,
        &cofferdam_market_sim::study::VariantRuns,
    )| {
        MutationRow {
            broken: format!("{}: {}", m.name, runs.config.what),
            check: "share of the implied quantity that is liquidated in its own minute".to_owned(),
            without: whole.clone(),
            with: percent(m.in_own_minute_share, 2),
            caught: m.caught,
        }
    };
    f.summary.mutations.iter().zip(&f.outcome.mutations).map(row).collect()
}

/// Prediction after the cut with a rate fitted before it.
pub(super) fn blind(f: &Filling<'_>) -> Blind {
    let (p, b, s) = (&f.study.prepared, &f.outcome.blind, &f.summary.blind);
    let times = &p.minutes.time_ms;
    let at = |row: usize| times.get(row).map_or_else(|| "the end".to_owned(), |t| date_time(seconds(*t)));
    let cut = b.expected.cut;
    let (long, short) = (&b.expected.sides.long, &b.expected.sides.short);
    let of = |predictor: &str, l: &Fit, s: &Fit| BlindScore {
        predictor: predictor.to_owned(),
        minute_long: Some(l.minute_r),
        minute_short: Some(s.minute_r),
        hour_long: Some(l.hour_r),
        hour_short: Some(s.hour_r),
        total_ratio_long: Some(l.total_ratio),
        total_ratio_short: Some(s.total_ratio),
    };
    let engine = BlindScore {
        predictor: "one drawn population through the engine (a single draw)".to_owned(),
        minute_long: Some(s.engine_correlation_minute_long),
        minute_short: Some(s.engine_correlation_minute_short),
        hour_long: Some(s.engine_correlation_hour_long),
        hour_short: Some(s.engine_correlation_hour_short),
        total_ratio_long: Some(s.engine_total_ratio_long),
        total_ratio_short: Some(s.engine_total_ratio_short),
    };
    let placebo = BlindScore {
        predictor: format!("placebo: the highest of {PLACEBO_SHIFTS} circular shifts"),
        minute_long: Some(long.placebo.max),
        minute_short: Some(short.placebo.max),
        ..BlindScore::default()
    };
    Blind {
        fitted_on: format!("{} to {}", at(0), at(cut.saturating_sub(1))),
        predicted: format!("{} to {}", at(cut), at(times.len().saturating_sub(1))),
        parameters: parameters(f),
        scores: vec![
            of("the model's expectation", &long.test, &short.test),
            engine,
            of("adverse return alone", &long.adverse_return, &short.adverse_return),
            of("adverse return squared", &long.adverse_return_squared, &short.adverse_return_squared),
            placebo,
            of("for comparison: the model where it was fitted (not blind)", &long.train, &short.train),
        ],
        hours: hours(f, cut),
        unit: "ETH".to_owned(),
        verdict: verdict(f),
    }
}

fn parameters(f: &Filling<'_>) -> Vec<NamedValue> {
    let (p, s) = (&f.study.prepared, &f.summary.blind);
    let named = |name: &str, value: String| NamedValue { name: name.to_owned(), value };
    let (rates, prior) = (p.rates, p.scenario.prior);
    vec![
        named(
            "opening rate, long (fitted before the cut)",
            format!("{} ETH per minute", fixed(s.rate_long_eth_per_minute, 1)),
        ),
        named(
            "opening rate, short (fitted before the cut)",
            format!("{} ETH per minute", fixed(s.rate_short_eth_per_minute, 1)),
        ),
        named(
            "for comparison: rates fitted to the whole period, which the background uses",
            format!("{} long, {} short", fixed(rates.long / 1e3, 1), fixed(rates.short / 1e3, 1)),
        ),
        named("median leverage of the prior (assumed, not fitted)", format!("{}x", prior.median_leverage)),
        named("sigma of its logarithm (assumed)", prior.sigma.to_string()),
        named("mean age (assumed)", format!("{} minutes", prior.tau_minutes)),
        named(
            "warm-up before the cut",
            format!("{} minutes of openings, drawn without looking", count(p.scenario.blind.warm_up_rows)),
        ),
    ]
}

/// Predicted and observed quantity per clock hour from the cut on.
fn hours(f: &Filling<'_>, cut: usize) -> Vec<BlindHour> {
    let (m, predicted) = (&f.study.prepared.minutes, &f.outcome.blind.predicted);
    let mut hours: Vec<BlindHour> = Vec::new();
    for (i, &time) in m.time_ms.iter().skip(cut).enumerate() {
        let start = seconds(time).div_euclid(3_600) * 3_600;
        if hours.last().is_none_or(|h| h.start != start) {
            hours.push(BlindHour { start, ..BlindHour::default() });
        }
        let Some(hour) = hours.last_mut() else { continue };
        let guess = |lots: &[f64]| lots.get(i).copied().unwrap_or(0.0) / 1e3;
        let seen = |lots: &[i64]| eth(lots.get(cut + i).copied().unwrap_or(0));
        hour.predicted.long += guess(&predicted.long);
        hour.predicted.short += guess(&predicted.short);
        hour.observed.long += seen(&m.long);
        hour.observed.short += seen(&m.short);
    }
    hours
}

/// What came out, whatever it is.
fn verdict(f: &Filling<'_>) -> String {
    let s = &f.summary.blind;
    let r = |x: f64| fixed(x, 2);
    let less = s.engine_correlation_minute_long < s.correlation_minute_long
        && s.engine_correlation_minute_short < s.correlation_minute_short;
    let engine = if less { "correlates less" } else { "does not correlate less on both sides" };
    let beats = |side: &str, model: f64, alone: f64| {
        let how = if model > alone { "better than" } else { "no better than" };
        format!("for {side} it is {how} the adverse return alone ({} against {})", r(model), r(alone))
    };
    format!(
        "Only the opening rate was fitted; the prior was chosen by us and kept. Per minute the expectation correlates {} for longs \
         and {} for shorts; a single drawn population through the engine {engine} ({} and {}), because one draw of accounts has \
         luck of its own. {}; {}. Predicted over observed totals: {} and {}.",
        r(s.correlation_minute_long),
        r(s.correlation_minute_short),
        r(s.engine_correlation_minute_long),
        r(s.engine_correlation_minute_short),
        capital(&beats("longs", s.correlation_minute_long, s.adverse_return_correlation_minute_long)),
        beats("shorts", s.correlation_minute_short, s.adverse_return_correlation_minute_short),
        r(s.total_ratio_long),
        r(s.total_ratio_short),
    )
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |c| c.to_uppercase().chain(chars).collect())
}
