//! The part of `cofferdam adl study` that compares policies on books: numbers ready to print, and sentences that come from them.

use crate::report::text::{compact, fixed, group, percent};
use crate::report::{AdlBook, AdlCase, AdlPolicy, Status, VerdictLine};
use cofferdam_market_sim::adl::{Case, Conclusion, Experiment, Fate, Form, Outcome, Source};

pub(super) fn book(e: &Experiment) -> AdlBook {
    AdlBook {
        name: name(e),
        note: note(e),
        cases: e.cases.iter().map(|c| case(e, c)).collect(),
        conclusions: e.conclusions().iter().map(conclusion).collect(),
    }
}

fn name(e: &Experiment) -> String {
    match e.source {
        Source::Drawn => format!("A drawn book: {} winners", whole(e.reached as f64)),
        Source::Users => format!(
            "Users of the night: {} in the table, {} of them with a gain",
            whole((e.reached + e.left_out) as f64),
            whole(e.reached as f64)
        ),
    }
}

fn note(e: &Experiment) -> String {
    let tail = e.tail_index.map_or_else(String::new, |(alpha, k)| {
        format!(" Tail index of gains (Hill, the largest {k}): {}.", fixed(alpha, 2))
    });
    let what = match e.source {
        Source::Drawn => {
            "Nobody here is real: gains, equity and notional are drawn from the terms of the study, one book for each seed."
        }
        Source::Users => {
            "These users are only those whom the queue reached, and their notional is what was closed, not what was held: on them alone (x 0) \
             policies are not compared fairly. Equity is cash and the gain that closing realised."
        }
    };
    format!(
        "{what}{tail} Unreached winners are added at so many times the number of the reached: their tail is the same, each stands behind one \
         of the reached with less leverage. Needed: {} USD. The next deficit is expected after a normal move of the price with a \
         standard deviation of {}, which is assumed.",
        whole(e.loss.needed),
        percent(e.loss.next_move, 0)
    )
}

fn whole(x: f64) -> String {
    group(&fixed(x, 0))
}

fn case(e: &Experiment, c: &Case) -> AdlCase {
    let number = |of: fn(&cofferdam_market_sim::adl::Comparison) -> f64| c.of_book(of).unwrap_or(f64::NAN);
    let policies = |form: Form| {
        let first = c.runs.first().map(|r| r.outcomes.as_slice()).unwrap_or_default();
        first.iter().filter(|o| o.form == form).map(|o| policy(c, o)).collect()
    };
    AdlCase {
        times: c.times,
        seeds: c.runs.len(),
        winners: number(|r| r.winners as f64),
        gains: number(|r| r.gains),
        needed: e.loss.needed,
        next_deficit: number(|r| r.next_deficit),
        deficit: policies(Form::Deficit),
        close_out: policies(Form::CloseOut),
    }
}

fn policy(c: &Case, o: &Outcome) -> AdlPolicy {
    let of = |measure: fn(&Outcome) -> f64| c.median(o.policy, o.form, measure).unwrap_or(f64::NAN);
    AdlPolicy {
        name: o.policy.to_owned(),
        payers: of(|o| o.metrics.payers as f64),
        overshoot: of(|o| o.metrics.overshoot),
        undershoot: of(|o| o.metrics.undershoot),
        largest_haircut: of(|o| o.metrics.largest_haircut),
        largest_share_of_equity: of(|o| o.metrics.largest_share_of_equity),
        inversions: of(|o| o.metrics.inversions.unwrap_or(f64::NAN)),
        gini: of(|o| o.metrics.gini.unwrap_or(f64::NAN)),
        ptsr: of(|o| o.metrics.ptsr.unwrap_or(f64::NAN)),
        by_largest: of(|o| o.by_largest),
        by_levered: of(|o| o.by_levered),
        next_deficit: of(|o| o.next_deficit),
    }
}

fn conclusion(c: &Conclusion) -> VerdictLine {
    let (status, fate) = match c.fate() {
        Fate::Survives => (Status::Pass, "Survives: it holds in every book"),
        Fate::Falls => (
            Status::Warn,
            "Does not survive: it holds in every book of the reached alone, and not in every other",
        ),
        Fate::Appears => (
            Status::Warn,
            "Not to be seen in every book of the reached alone, and holds in every one with the most unreached",
        ),
        Fate::Depends => (Status::Warn, "Depends on the book"),
        Fate::Never => (Status::Note, "Is wrong: it holds in no book"),
    };
    let counts: Vec<String> =
        c.held.iter().map(|(times, held, of)| format!("x {times}: {held} of {of}")).collect();
    VerdictLine {
        status,
        question: format!("{}.", c.claim),
        answer: format!("{fate} ({}).", counts.join(", ")),
    }
}

/// One case as lines for a terminal: both forms, a row for each policy.
pub(super) fn lines(case: &AdlCase) -> Vec<String> {
    let mut out = vec![format!(
        "x {} unreached: {} winners, gains {} USD, next deficit if nobody paid {}; middle of {} seed{}",
        case.times,
        whole(case.winners),
        compact(case.gains),
        compact(case.next_deficit),
        case.seeds,
        if case.seeds == 1 { "" } else { "s" }
    )];
    for (form, rows) in [("deficit", &case.deficit), ("close-out", &case.close_out)] {
        out.push(format!(
            "  {form:<34} {:>8} {:>9} {:>10} {:>11} {:>10} {:>8} {:>8} {:>8} {:>12}",
            "payers",
            "too much",
            "too little",
            "max haircut",
            "inversions",
            "Gini",
            "top 1 %",
            "levered",
            "next deficit"
        ));
        out.extend(rows.iter().map(|p| {
            format!(
                "  {:<34} {:>8} {:>9} {:>10} {:>11} {:>10} {:>8} {:>8} {:>8} {:>12}",
                p.name,
                whole(p.payers),
                compact(p.overshoot.round()),
                compact(p.undershoot.round()),
                percent(p.largest_haircut, 2),
                percent(p.inversions, 2),
                fixed(p.gini, 4),
                percent(p.by_largest, 1),
                percent(p.by_levered, 1),
                compact(p.next_deficit.round()),
            )
        }));
    }
    out
}
