//! Price and liquidations; leverage and age of the implied accounts.

use super::Filling;
use super::words::{both, count, eth, seconds};
use crate::report::text::{day_month, fixed};
use crate::report::{
    BoundCheck, Histogram, HistogramSeries, LeverageAge, PriceBar, PriceSeries, QuantileRow, QuantileTable,
    TimeMark,
};
use cofferdam_market_sim::implied::{End, LEVELS, Opening, PerSide, Profile, Profiles, Rule, profiles};
use cofferdam_market_sim::study::StudyError;

const HOUR_S: i64 = 3_600;
/// Lines in the chart, at least a day apart.
const MARKS: usize = 4;

/// Hourly bars of the recorded mid, and what was liquidated in each.
pub(super) fn price(f: &Filling<'_>) -> PriceSeries {
    let (m, implied) = (&f.study.prepared.minutes, &f.outcome.book.implied);
    let mut bars: Vec<PriceBar> = Vec::new();
    let mut rows = 0.0;
    for (row, (&time, &mid)) in m.time_ms.iter().zip(&m.mid).enumerate() {
        let start = seconds(time).div_euclid(HOUR_S) * HOUR_S;
        let price = mid as f64 / 1e3;
        if bars.last().is_none_or(|b| b.start != start) {
            bars.push(PriceBar { start, low: price, high: price, ..PriceBar::default() });
            rows = 0.0;
        }
        let Some(bar) = bars.last_mut() else { continue };
        rows += 1.0;
        (bar.low, bar.high) = (bar.low.min(price), bar.high.max(price));
        bar.mean += (price - bar.mean) / rows;
        let at = |lots: &[i64]| lots.get(row).copied().unwrap_or(0);
        let forced = f.outcome.replay.runs.first().map(|r| &r.forced_lots);
        let simulated = forced.map_or(PerSide::default(), |[l, s]| PerSide { long: at(l), short: at(s) });
        let observed = PerSide { long: at(&m.long), short: at(&m.short) };
        let unimplied = PerSide { long: at(&implied.unimplied.long), short: at(&implied.unimplied.short) };
        for (sum, lots) in
            [(&mut bar.simulated, simulated), (&mut bar.observed, observed), (&mut bar.unimplied, unimplied)]
        {
            let add = both(lots);
            (sum.long, sum.short) = (sum.long + add.long, sum.short + add.short);
        }
    }
    PriceSeries { bar_seconds: HOUR_S, unit: "ETH".to_owned(), marks: marks(&bars), bars, note: note(f) }
}

/// The hours with the most observed liquidations, at least a day apart, in order of time.
fn marks(bars: &[PriceBar]) -> Vec<TimeMark> {
    let size = |b: &PriceBar| b.observed.long + b.observed.short;
    let mut order: Vec<&PriceBar> = bars.iter().filter(|b| size(b) > 0.0).collect();
    order.sort_by(|a, b| size(b).total_cmp(&size(a)));
    let mut chosen: Vec<&PriceBar> = Vec::new();
    for bar in order {
        if chosen.len() < MARKS && chosen.iter().all(|c| (c.start - bar.start).abs() >= 24 * HOUR_S) {
            chosen.push(bar);
        }
    }
    chosen.sort_by_key(|b| b.start);
    let label = |b: &&PriceBar| format!("{}: {} ETH in an hour", day_month(b.start), fixed(size(b), 0));
    chosen.iter().map(|b| TimeMark { at: b.start, label: label(b) }).collect()
}

fn note(f: &Filling<'_>) -> String {
    let m = &f.study.prepared.minutes;
    let gaps: Vec<String> = m
        .gaps
        .iter()
        .map(|g| format!("{} s before row {}", (g.length_ms + 500) / 1_000, count(g.row)))
        .collect();
    let gaps = if gaps.is_empty() { "none".to_owned() } else { gaps.join(", ") };
    format!(
        "Prices are means over a minute, not trades: wicks inside a minute are not in them. Gaps: {gaps}. {} quantities were \
         not exactly whole lots (float noise, at most {:.1e} of a lot) and were rounded.",
        count(m.notes.noisy_quantities),
        m.notes.noise_max_lots
    )
}

const LEVERAGE_EDGES: [f64; 13] = [1.0, 2.0, 3.0, 5.0, 7.0, 10.0, 15.0, 20.0, 30.0, 50.0, 75.0, 100.0, 125.0];
const AGE_EDGES: [f64; 11] = [0.0, 3.0, 6.0, 15.0, 30.0, 60.0, 120.0, 240.0, 480.0, 960.0, 1_920.0];

/// Quantiles and distributions under the rule in use, beside two naive rules.
pub(super) fn leverage_age(f: &Filling<'_>) -> Result<LeverageAge, StudyError> {
    let windows = f.study.prepared.windows()?;
    let mut drawn: Vec<(Rule, Vec<Opening>)> = Vec::new();
    for rule in Rule::ALL {
        let openings = match rule {
            Rule::Posterior => f.outcome.book.implied.openings.clone(),
            Rule::MostRecent | Rule::Uniform => windows.draw(f.outcome.book.seed, rule).openings,
        };
        drawn.push((rule, openings));
    }
    let all: Vec<(Rule, Profiles)> = drawn.iter().map(|(rule, o)| (*rule, profiles(o))).collect();
    let table = |quantity: &str, pick: &dyn Fn(&Profile) -> Vec<f64>| QuantileTable {
        quantity: quantity.to_owned(),
        levels: LEVELS.into(),
        rows: quantile_rows(&all, pick),
    };
    let minutes = |x: &Profile| x.age.iter().map(|a| *a as f64).collect();
    Ok(LeverageAge {
        leverage: table("Leverage at opening (x)", &|x| x.leverage.into()),
        age: table("Age at liquidation (minutes)", &minutes),
        leverage_histogram: histogram("leverage, x", &LEVERAGE_EDGES, &drawn, &|o| Some(o.leverage())),
        age_histogram: histogram("age, minutes", &AGE_EDGES, &drawn, &age),
        bounds: f.bounds(),
    })
}

fn name(rule: Rule) -> &'static str {
    match rule {
        Rule::Posterior => "posterior",
        Rule::MostRecent => "most recent minute (naive)",
        Rule::Uniform => "uniform (naive)",
    }
}

fn quantile_rows(all: &[(Rule, Profiles)], pick: &dyn Fn(&Profile) -> Vec<f64>) -> Vec<QuantileRow> {
    let row = |rule: String, in_use, profile| QuantileRow { rule, in_use, values: pick(profile) };
    let mut rows = Vec::new();
    for (rule, profiles) in all {
        let used = *rule == Rule::Posterior;
        rows.push(row(name(*rule).to_owned(), used, &profiles.by_quantity));
        if used {
            rows.push(row(
                format!("{}, each account counted once", name(*rule)),
                false,
                &profiles.by_accounts,
            ));
        }
    }
    rows
}

fn age(opening: &Opening) -> Option<f64> {
    match opening.end {
        End::Liquidated { minute } => Some(minute.saturating_sub(opening.opened) as f64),
        End::Closed { .. } | End::Held => None,
    }
}

/// Shares of the quantity per bin; what lies beyond the last edge counts in the last bin.
fn histogram(
    quantity: &str,
    edges: &[f64],
    drawn: &[(Rule, Vec<Opening>)],
    value: &dyn Fn(&Opening) -> Option<f64>,
) -> Histogram {
    let bins = edges.len().saturating_sub(1);
    let series = |(rule, openings): &(Rule, Vec<Opening>)| {
        let mut lots = vec![0_i64; bins];
        for o in openings {
            let Some(v) = value(o) else { continue };
            let bin = edges.partition_point(|e| *e <= v).saturating_sub(1).min(bins.saturating_sub(1));
            if let Some(sum) = lots.get_mut(bin) {
                *sum += o.lots;
            }
        }
        let total = eth(lots.iter().sum::<i64>()).max(1e-9);
        HistogramSeries {
            name: name(*rule).to_owned(),
            shares: lots.into_iter().map(|l| eth(l) / total).collect(),
        }
    };
    Histogram {
        quantity: quantity.to_owned(),
        edges: edges.into(),
        series: drawn.iter().map(series).collect(),
    }
}

/// The most of the implied book that may be extreme.
pub(super) const EXTREME_MAX: f64 = 0.1;

impl Filling<'_> {
    /// Both ways of weighing the implied book.
    pub(super) fn profiles(&self) -> Profiles {
        profiles(&self.outcome.book.implied.openings)
    }

    fn bounds(&self) -> Vec<BoundCheck> {
        let p = self.profiles();
        let check = |what: &str, share| BoundCheck { what: what.to_owned(), share, at_most: EXTREME_MAX };
        vec![
            check("leverage above 100x, by quantity", p.by_quantity.above_100x),
            check("leverage above 100x, each account counted once", p.by_accounts.above_100x),
            check("opened two minutes before or less, by quantity", p.by_quantity.opened_within_2),
            check(
                "opened two minutes before or less, each account counted once",
                p.by_accounts.opened_within_2,
            ),
        ]
    }
}
