//! The lending market on the same path, in the report's terms.

use super::Filling;
use super::waterfall::waterfall;
use super::words::{count, exact, line, money, money_spread, pass, seconds};
use crate::report::text::{fixed, percent};
use crate::report::{
    Card, FloatSpread, Lending, LendingBar, MoneySpread, Status, VariantRow, Variants, VerdictLine, Waterfall,
};
use cofferdam_market_sim::data::Minutes;
use cofferdam_market_sim::lending::{LendingOutcome, LendingVariant};
use cofferdam_market_sim::study::{spread, usd};

/// Atoms of the collateral: 18 decimals.
const COLLATERAL_EXPONENT: i32 = -18;

/// The lending runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LendingPart<'a> {
    /// Each variant and what it left per seed; the first is the one that the others are compared with.
    pub(crate) runs: &'a [(LendingVariant, Vec<LendingOutcome>)],
    /// Names of the insurance layers, as the stack file gives them.
    pub(crate) layers: &'a [String],
    /// Names of its circuit breakers.
    pub(crate) breakers: &'a [String],
}

pub(super) fn lending(f: &Filling<'_>, part: &LendingPart<'_>) -> Lending {
    let Some((base, of_seeds)) = part.runs.first() else { return Lending::default() };
    let Some(outcome) = of_seeds.first() else { return Lending::default() };
    let minutes = &f.study.prepared.minutes;
    Lending {
        what_ran: what_ran(base, of_seeds.len()),
        cards: cards(outcome),
        verdicts: verdicts(part),
        unit: "ETH".to_owned(),
        bar_seconds: seconds(base.scenario.bar_ms),
        bars: outcome.bars.iter().map(bar).collect(),
        variants: Variants {
            unit: "USDC".to_owned(),
            baseline: base.name.to_owned(),
            rows: part.runs.iter().enumerate().map(|(i, r)| row(minutes, part, i, r)).collect(),
            branching_low: 0.0,
            branching_high: 1.0,
        },
        waterfalls: waterfalls(minutes, part),
    }
}

fn what_ran(v: &LendingVariant, seeds: usize) -> Vec<String> {
    let s = &v.scenario;
    let [low, mode, high] = s.opening_ltv;
    vec![
        format!(
            "A pool lends USDC (6 decimals) against ETH (18 decimals) on the same prices. {} borrowers with {} ETH between them open \
             at loan-to-value ratios from {} to {} (most often {}); interest accrues by the minute; {} keepers choose whom to \
             liquidate and how much, take what pays after impact, fee and gas, and sell what they seize. What neither collateral nor \
             insurance covers the suppliers bear.",
            count(s.borrowers),
            fixed(s.collateral_total, 0),
            percent(low, 0),
            percent(high, 0),
            percent(mode, 0),
            s.keepers
        ),
        "Only the prices are real here: borrowers, suppliers, keepers and the fund are assumed, of the order of the largest pools of \
         that month."
            .to_owned(),
        format!(
            "A seed draws the borrowers: when they open, how much and how close to the limit. Keepers and suppliers draw nothing. The \
             table of variants and the checks are over {} of them; cards, chart and who paid show the first seed.",
            match seeds {
                1 => "one".to_owned(),
                n => format!("{n}"),
            }
        ),
    ]
}

fn cards(o: &LendingOutcome) -> Vec<Card> {
    let card = |label: &str, value: String, note: String| Card { label: label.to_owned(), value, note };
    let t = &o.totals;
    vec![
        card(
            "Collateral seized",
            format!("{} ETH", fixed(t.seized as f64 / 1e18, 1)),
            format!("exactly {}", exact(t.seized, COLLATERAL_EXPONENT)),
        ),
        card(
            "Debt repaid by keepers",
            format!("{} USDC", money(t.repaid)),
            format!("in {} bids, {} of them final", count(t.liquidations), count(t.full)),
        ),
        card(
            "Borrowers liquidated",
            count(o.borrowers_liquidated),
            format!("{} still owe {} USDC", count(o.borrowers_left), money(o.owed_left)),
        ),
        card(
            "Bad debt",
            format!("{} USDC", money(t.bad_debt)),
            format!("{} insured, {} borne by suppliers", money(t.insured), money(t.written_down)),
        ),
        card(
            "Keepers' bonus",
            format!("{} USDC", money(t.bonus)),
            format!("at the stack's price; gas {} USDC", money(t.gas)),
        ),
        card(
            "Interest",
            format!("{} USDC", money(t.interest)),
            format!("suppliers' share price x {}", fixed(o.pool_end.growth_since(&o.pool_start), 6)),
        ),
        card(
            "Highest utilisation",
            percent(o.utilisation_max, 1),
            format!("deepest impact of keepers' sales {}", percent(o.impact_max, 2)),
        ),
    ]
}

fn verdicts(part: &LendingPart<'_>) -> Vec<VerdictLine> {
    let all = || part.runs.iter().flat_map(|(v, of_seeds)| of_seeds.iter().map(|o| (v.name, o)));
    let postings: u64 = all().map(|(_, o)| o.postings_checked).sum();
    let books: u64 = all().map(|(_, o)| o.books_checked).sum();
    let balanced =
        all().all(|(_, o)| o.totals.bad_debt - o.totals.insured - o.totals.written_down == o.deficit_left);
    let open: Vec<String> = all()
        .filter(|(_, o)| o.deficit_left != 0)
        .map(|(name, o)| format!("\"{name}\" {} USDC", usd(o.deficit_left)))
        .collect();
    let under: Vec<String> = all()
        .filter(|(_, o)| o.under_water > 0)
        .map(|(name, o)| format!("\"{name}\" {} USDC", money(o.under_water)))
        .collect();
    let paid = if open.is_empty() {
        "Nothing is left open.".to_owned()
    } else {
        format!("Left open: {}.", open.join(", "))
    };
    let worst = all().map(|(_, o)| o.unwanted_minutes_max).max().unwrap_or(0);
    let mut out = vec![
        line(
            pass(postings > 0 && books > 0),
            "Is money conserved?",
            format!(
                "{} facts with postings summed to zero per asset, to the last of 18 decimals, and {} times the whole book equalled the \
                 sum of all postings.",
                count(postings),
                count(books)
            ),
        ),
        line(
            if balanced && open.is_empty() {
                Status::Pass
            } else if balanced {
                Status::Warn
            } else {
                Status::Fail
            },
            "Is every loss paid by somebody?",
            format!(
                "Bad debt less insurance less what suppliers bore is the open deficit, exactly, in every run. {paid}"
            ),
        ),
        line(
            Status::Note,
            "Did keepers always come?",
            format!(
                "At worst a possible bid found no keeper whom it pays for {} minutes in a row.",
                count(worst)
            ),
        ),
    ];
    if !under.is_empty() {
        let answer = format!(
            "Debts exceed their collateral at the end and are not yet written off: {}.",
            under.join(", ")
        );
        out.push(line(Status::Warn, "Is there hidden bad debt?", answer));
    }
    out
}

fn bar(b: &cofferdam_market_sim::lending::LendingBar) -> LendingBar {
    LendingBar {
        start: seconds(b.start_ms),
        price: b.price_mean / 1e3,
        seized: b.totals.seized as f64 / 1e18,
        utilisation: b.pool.utilisation(),
    }
}

fn row(
    minutes: &Minutes,
    part: &LendingPart<'_>,
    i: usize,
    (v, of_seeds): &(LendingVariant, Vec<LendingOutcome>),
) -> VariantRow {
    let shown = of_seeds.get(crate::lending::shown(of_seeds));
    let over = |of: fn(&LendingOutcome) -> i128| MoneySpread {
        median: usd(shown.map(of).unwrap_or_default()),
        ..money_spread(of_seeds.iter().map(of))
    };
    let one = |of: fn(&LendingOutcome) -> u64| shown.map(of).unwrap_or_default();
    let fall = |o: &LendingOutcome| (largest_fall(minutes, o) * 1e6) as i64;
    let [_, p5, p95] =
        spread(of_seeds.iter().map(fall).collect()).unwrap_or_default().map(|x| x as f64 / 1e6);
    let fall = shown.map(fall).unwrap_or_default() as f64 / 1e6;
    let base = part.runs.first().map_or(&[][..], |(_, base)| base);
    let same = base.iter().zip(of_seeds).all(|(b, o)| b.totals == o.totals && b.under_water == o.under_water);
    let no_effect = if i > 0 && same { "Every total of every seed equals the base run's." } else { "" };
    VariantRow {
        name: v.name.to_owned(),
        what: v.what.to_owned(),
        seeds: of_seeds.len() as u64,
        liquidated: over(|o| o.totals.seized_value),
        bad_debt: over(|o| o.totals.bad_debt),
        insurance_drawn: over(|o| o.totals.insured),
        // nothing is paid in during the run, so the fund would have needed all of it at the start
        insurance_needed: over(|o| o.totals.bad_debt),
        taken_from_winners: over(|_| 0),
        branching_ratio: None,
        max_drawdown: FloatSpread { median: fall, p5, p95 },
        events: one(|o| o.events.iter().filter(|e| e.id.is_some()).count() as u64),
        steps: one(|o| o.counts.steps),
        measures: one(|o| o.counts.write_downs),
        breaker_trips: one(|o| o.counts.trips.values().sum()),
        breakers: shown.map_or_else(Vec::new, |o| super::breakers::counted(part.breakers, &o.counts)),
        no_effect: no_effect.to_owned(),
    }
}

/// The deepest price of a bar below the highest recorded mid before it, at the resolution of the bars.
fn largest_fall(minutes: &Minutes, o: &LendingOutcome) -> f64 {
    let mut fall = 0.0_f64;
    for b in &o.bars {
        let before = minutes.first_at(b.start_ms).saturating_add(1).min(minutes.len());
        let peak = minutes.mid.get(..before).and_then(|m| m.iter().max()).copied().unwrap_or(0);
        if peak > 0 {
            fall = fall.max(1.0 - b.price_low as f64 / peak as f64);
        }
    }
    fall
}

/// The base run, and the one with the largest bad debt; of each the seed that the summary shows.
fn waterfalls(minutes: &Minutes, part: &LendingPart<'_>) -> Vec<Waterfall> {
    let times = &minutes.time_ms;
    let span = (times.first().copied().unwrap_or(0), times.last().copied().unwrap_or(0));
    let runs: Vec<_> = part
        .runs
        .iter()
        .filter_map(|(v, of_seeds)| Some((v.name, of_seeds.get(crate::lending::shown(of_seeds))?)))
        .collect();
    let of = |(name, o): &(&str, &LendingOutcome)| Waterfall {
        unit: "USDC".to_owned(),
        ..waterfall(format!("lending, {name}"), part.layers.to_vec(), &o.events, None, span)
    };
    let worst = runs.iter().skip(1).max_by_key(|(_, o)| o.totals.bad_debt);
    runs.iter().take(1).chain(worst.filter(|(_, o)| o.totals.bad_debt > 0)).map(of).collect()
}
