//! Breakers for good or ill: each variant with breakers beside its twin, the variant that differs in nothing but the stack file and
//! whose stack has none.

use super::Filling;
use super::words::{count, line, money};
use crate::report::text::fixed;
use crate::report::{BreakerCount, Status, VerdictLine};
use cofferdam_market_sim::perp::Run;
use cofferdam_market_sim::study::{VariantConfig, VariantRuns, by_name};
use cofferdam_market_sim::tally::Counts;

/// What each breaker of a stack did in one run.
pub(super) fn counted(names: &[String], counts: &Counts) -> Vec<BreakerCount> {
    let limits = by_name(names, &counts.limits);
    let of = |(name, trips): (String, u64)| {
        let limits = limits.get(&name).copied().unwrap_or(0);
        BreakerCount { name, trips, limits }
    };
    by_name(names, &counts.trips).into_iter().map(of).collect()
}

/// A variant with breakers, and its twin without.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Pair<'a> {
    name: &'a str,
    twin: &'a str,
    /// Bad debt with and without, one entry per seed.
    bad_debt: Vec<(i128, i128)>,
    /// Bad debt with and without, in the seed that stands for all.
    shown: (i128, i128),
    breakers: Vec<BreakerCount>,
}

pub(super) fn verdict(f: &Filling<'_>) -> Option<VerdictLine> {
    let all: Vec<&VariantRuns> = std::iter::once(&f.outcome.replay).chain(&f.outcome.variants).collect();
    let has_breakers = |v: &VariantRuns| !(f.labels)(&v.config).breakers.is_empty();
    let pairs: Vec<Pair<'_>> = all
        .iter()
        .filter(|v| has_breakers(v))
        .filter_map(|v| {
            let likely = |t: &&&VariantRuns| same_but_stack(&t.config, &v.config) && !has_breakers(t);
            // the scenario's own stack before another
            let twin = all.iter().filter(likely).min_by_key(|t| t.config.stack.is_some())?;
            let shown = |x: &VariantRuns| x.runs.get(x.shown()).map_or(0, Run::losses);
            let counts = &v.runs.get(v.shown())?.tally.counts;
            Some(Pair {
                name: &v.config.name,
                twin: &twin.config.name,
                bad_debt: v.runs.iter().zip(&twin.runs).map(|(a, b)| (a.losses(), b.losses())).collect(),
                shown: (shown(v), shown(twin)),
                breakers: counted(&(f.labels)(&v.config).breakers, counts),
            })
        })
        .collect();
    say(&pairs)
}

fn same_but_stack(a: &VariantConfig, b: &VariantConfig) -> bool {
    let plain = |c: &VariantConfig| VariantConfig {
        name: String::new(),
        what: String::new(),
        stack: None,
        ..c.clone()
    };
    plain(a) == plain(b)
}

fn say(pairs: &[Pair<'_>]) -> Option<VerdictLine> {
    if pairs.is_empty() {
        return None;
    }
    let worse = pairs.iter().any(|p| p.shown.0 > p.shown.1);
    let answer: Vec<String> = pairs.iter().map(sentence).collect();
    let status = if worse { Status::Warn } else { Status::Note };
    Some(line(status, "Do the breakers make it better?", answer.join(" ")))
}

fn sentence(p: &Pair<'_>) -> String {
    let (with, without) = p.shown;
    let seeds = p.bad_debt.len();
    let verdict = match with.cmp(&without) {
        std::cmp::Ordering::Greater => "ends worse",
        std::cmp::Ordering::Less => "ends better",
        std::cmp::Ordering::Equal => "ends the same",
    };
    let worse = p.bad_debt.iter().filter(|(a, b)| a > b).count();
    let times = if without > 0 && with != without {
        format!(", {} times as much", fixed(with as f64 / without as f64, 2))
    } else {
        String::new()
    };
    let acted: Vec<String> = p
        .breakers
        .iter()
        .filter(|b| b.trips + b.limits > 0)
        .map(|b| format!("{} tripped {} times and limited {}", b.name, count(b.trips), count(b.limits)))
        .collect();
    let acted = if acted.is_empty() { "no breaker did anything".to_owned() } else { acted.join("; ") };
    format!(
        "\"{}\" {verdict} than \"{}\", which differs in its stack alone: {} USD of bad debt against {}{times}; worse in {worse} of \
         {seeds} seeds. There {acted}.",
        p.name,
        p.twin,
        money(with),
        money(without),
    )
    .replace("the same than", "the same as")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_breakers_did_is_said_by_the_numbers() {
        let pair = |with: i128, without: i128, limits: u64| Pair {
            name: "thin: breakers",
            twin: "thin",
            bad_debt: vec![(with, without), (without, with)],
            shown: (with, without),
            breakers: vec![BreakerCount { name: "throttle".into(), trips: 3, limits }],
        };
        for (with, without, status, words) in [
            (6_000_000, 3_000_000, Status::Warn, "ends worse than \"thin\""),
            (
                6_000_000,
                3_000_000,
                Status::Warn,
                "6 USD of bad debt against 3, 2.00 times as much; worse in 1 of 2 seeds",
            ),
            (3_000_000, 6_000_000, Status::Note, "ends better than"),
            (0, 0, Status::Note, "ends the same as"),
            (6_000_000, 0, Status::Warn, "6 USD of bad debt against 0; worse"),
            (6_000_000, 0, Status::Warn, "throttle tripped 3 times and limited 1,234"),
        ] {
            let said = say(&[pair(with, without, 1_234)]).unwrap();
            assert!(said.status == status && said.answer.contains(words), "{words}: {}", said.answer);
        }
        assert!(say(&[]).is_none());
    }
}
