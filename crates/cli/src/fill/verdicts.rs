//! "How far this can be trusted": each line's status follows from a number and a stated bound.

use super::Filling;
use super::blind::REQUIRED;
use super::book::EXTREME_MAX;
use super::linked::{Claim, claims, conclusion};
use super::variants::{BRANCHING, is_plain};
use super::words::{count, eth, line, pass, quoted};
use crate::report::text::{fixed, percent, whole};
use crate::report::{Status, VerdictLine};
use cofferdam_market_sim::perp::Run;
use cofferdam_market_sim::study::{VariantRuns, VariantSummary, usd};

/// Correlation per minute of simulated and observed quantity that is required.
const CORRELATION_MIN: f64 = 0.99;
/// "About 20 %" for the placebo's mean share.
const PLACEBO: (f64, f64) = (0.1, 0.3);

pub(super) fn verdicts(f: &Filling<'_>) -> Vec<VerdictLine> {
    let mut out = vec![shares(f), placebo(f), correlation(f), own_minute(f), mutations(f)];
    out.extend(extremes(f));
    out.extend([conserved(f), equal(f), open_deficit(f), blind(f), linked(f), branching(f)]);
    out.extend(without_effect(f));
    out.extend(super::breakers::verdict(f));
    out.push(line(
        Status::Note,
        "What is not in it?",
        "Prices are minute means, so wicks inside a minute are missing; positions are not public, so every account is implied or \
         assumed; margin tiers are those of October 2024; depth, exit of liquidity and the background are assumptions, and every \
         counterfactual scales with them. Where there are several seeds they vary the account book, not the market. It is no \
         forecast."
            .to_owned(),
    ));
    out
}

fn shares(f: &Filling<'_>) -> VerdictLine {
    let r = &f.summary.replay;
    let good = r.implied_share_long >= REQUIRED.long && r.implied_share_short >= REQUIRED.short;
    let answer = format!(
        "{} of the observed long and {} of the short quantity has an account that could have been liquidated then (required {} and \
         {}). The rest is left out, not invented. {}",
        percent(r.implied_share_long, 2),
        percent(r.implied_share_short, 2),
        percent(REQUIRED.long, 1),
        percent(REQUIRED.short, 1),
        super::blind::not_implied(f)
    );
    line(pass(good), "How much of what happened can be explained?", answer)
}

fn placebo(f: &Filling<'_>) -> VerdictLine {
    let r = &f.summary.replay;
    let means = [r.placebo_mean_share_long, r.placebo_mean_share_short];
    let about = means.iter().all(|m| (PLACEBO.0..=PLACEBO.1).contains(m));
    let below = r.placebo_max_share < r.implied_share_long.min(r.implied_share_short);
    let status = match (below, about) {
        (false, _) => Status::Fail,
        (true, true) => Status::Pass,
        (true, false) => Status::Warn,
    };
    let answer = format!(
        "The same liquidations at wrong times reach {} (long) and {} (short) on average and {} at most, over 200 circular shifts; \
         about 20 % was expected.",
        percent(means[0], 1),
        percent(means[1], 1),
        percent(r.placebo_max_share, 1)
    );
    line(status, "Would chance explain as much?", answer)
}

fn correlation(f: &Filling<'_>) -> VerdictLine {
    let r = &f.summary.replay;
    let good = r.correlation_long >= CORRELATION_MIN && r.correlation_short >= CORRELATION_MIN;
    let answer = format!(
        "Simulated and observed quantity per minute correlate {} (long) and {} (short); required is {CORRELATION_MIN}. The book was \
         implied from the same record, so this says that nothing is lost on the way, not that it predicts.",
        fixed(r.correlation_long, 4),
        fixed(r.correlation_short, 4)
    );
    line(pass(good), "Does the replay do what happened?", answer)
}

fn own_minute(f: &Filling<'_>) -> VerdictLine {
    let r = &f.summary.replay;
    let first = f.outcome.replay.runs.first();
    let exact = first.is_some_and(|run| run.own_minute_lots == run.implied_lots && run.implied_lots > 0);
    let head = if exact { "All".to_owned() } else { percent(r.in_own_minute_share, 4) };
    let answer = format!(
        "{head} of the implied book is liquidated in its own minute: true by construction, so it tests the engine."
    );
    line(pass(exact), "Does the engine liquidate when the rules say?", answer)
}

fn mutations(f: &Filling<'_>) -> VerdictLine {
    let all = &f.summary.mutations;
    let missed: Vec<&str> = all.iter().filter(|m| !m.caught).map(|m| m.name.as_str()).collect();
    let answer = if all.is_empty() {
        "Nothing was broken on purpose: the line above proves little.".to_owned()
    } else if missed.is_empty() {
        let shares: Vec<String> =
            all.iter().map(|m| format!("{} leaves {}", m.name, percent(m.in_own_minute_share, 1))).collect();
        format!("Each of {} deliberate faults broke the line above: {}.", all.len(), shares.join(", "))
    } else {
        format!("Not noticed: {}.", quoted(missed.iter().copied()))
    };
    line(pass(!all.is_empty() && missed.is_empty()), "Would a wrong engine be noticed?", answer)
}

fn extremes(f: &Filling<'_>) -> [VerdictLine; 2] {
    let p = f.profiles();
    let (quantity, accounts) = (p.by_quantity, p.by_accounts);
    // by quantity the bound is firm; by accounts, where a minute with a few lots counts as much as a large one, it is a warning
    let status =
        |of_quantity: f64, of_accounts: f64| match (of_quantity <= EXTREME_MAX, of_accounts <= EXTREME_MAX) {
            (false, _) => Status::Fail,
            (true, false) => Status::Warn,
            (true, true) => Status::Pass,
        };
    let say = |what: &str, q: f64, a: f64| {
        let over = if a > EXTREME_MAX && q <= EXTREME_MAX { ", which is above the bound" } else { "" };
        format!(
            "{} of the implied quantity {what}, and {} of the accounts{over} (bound {}).",
            percent(q, 1),
            percent(a, 1),
            percent(EXTREME_MAX, 0)
        )
    };
    let (above, fresh) = (accounts.above_100x, accounts.opened_within_2);
    [
        line(
            status(quantity.above_100x, above),
            "Is the implied leverage credible?",
            say("stands above 100x", quantity.above_100x, above),
        ),
        line(
            status(quantity.opened_within_2, fresh),
            "Is the implied age credible?",
            say("was opened two minutes before its liquidation or less", quantity.opened_within_2, fresh),
        ),
    ]
}

fn conserved(f: &Filling<'_>) -> VerdictLine {
    let everything =
        std::iter::once(&f.outcome.replay).chain(&f.outcome.mutations).chain(&f.outcome.variants);
    let runs: Vec<_> = everything.flat_map(|v| &v.runs).collect();
    let total = |of: fn(&Run) -> u64| runs.iter().map(|r| of(r)).sum::<u64>();
    let (books, steps) = (total(|r| r.conservation_checks), total(|r| r.steps_conserved));
    let answer = format!(
        "After each of {} steps (every one of {} inputs, and what followed from it) in {} runs, all postings so far summed to zero per \
         asset and per market, in units and in cost, and every holding that the step touched was what had been posted to it; {} \
         postings in all. Besides, {} times the whole book was summed over all holders. All of it exact: a run that lost one atom \
         would have ended there.",
        count(steps),
        count(total(|r| r.tally.counts.inputs)),
        count(runs.len()),
        count(total(|r| r.postings_conserved)),
        count(books)
    );
    let every = runs.iter().all(|r| r.steps_conserved == r.tally.counts.steps && r.steps_conserved > 0);
    line(pass(books > 0 && every), "Is money conserved?", answer)
}

fn equal(f: &Filling<'_>) -> VerdictLine {
    let question = "With all multipliers at 1, is it the replay?";
    let hashes = |v: &VariantRuns| v.runs.iter().map(|r| r.state_hash).collect::<Vec<_>>();
    let plain: Vec<&VariantRuns> = f.outcome.variants.iter().filter(|v| is_plain(&v.config)).collect();
    if plain.is_empty() {
        return line(
            Status::Warn,
            question,
            "The scenario has no variant in which nothing differs.".to_owned(),
        );
    }
    let replay = hashes(&f.outcome.replay);
    let off: Vec<&str> =
        plain.iter().filter(|v| hashes(v) != replay).map(|v| v.config.name.as_str()).collect();
    let answer = if off.is_empty() {
        let names = quoted(plain.iter().map(|v| v.config.name.as_str()));
        format!(
            "{names} ends in the replay's state hash, for each of {} seeds, with impact switched on.",
            replay.len()
        )
    } else {
        format!("{} ends in another state than the replay.", quoted(off.iter().copied()))
    };
    line(pass(off.is_empty()), question, answer)
}

fn open_deficit(f: &Filling<'_>) -> VerdictLine {
    let all = std::iter::once(&f.outcome.replay).chain(&f.outcome.variants);
    let open: Vec<String> = all
        .filter_map(|v| {
            let most = v.runs.iter().map(|r| r.open_deficit).max().unwrap_or(0);
            (most != 0).then(|| format!("\"{}\" {} USD", v.config.name, whole(&usd(most))))
        })
        .collect();
    let unexplained = std::iter::once(&f.outcome.replay)
        .chain(&f.outcome.variants)
        .flat_map(|v| &v.runs)
        .any(|r| r.tally.events.iter().map(|e| e.residual()).sum::<i128>() != r.open_deficit);
    let answer = if open.is_empty() {
        "Nothing is left open at the end of any run: every loss has a payer in the tables below.".to_owned()
    } else {
        format!("Left with nobody to pay it at the end (the most over seeds): {}.", open.join(", "))
    };
    let status = match (unexplained, open.is_empty()) {
        (true, _) => Status::Fail,
        (false, true) => Status::Pass,
        (false, false) => Status::Warn,
    };
    let more = if unexplained { " In at least one run losses less payments differ from it." } else { "" };
    line(status, "Is every loss paid by somebody?", format!("{answer}{more}"))
}

fn blind(f: &Filling<'_>) -> VerdictLine {
    let s = &f.summary.blind;
    let r = |x: f64| fixed(x, 2);
    let sides = [
        (s.correlation_minute_long, s.adverse_return_correlation_minute_long),
        (s.correlation_minute_short, s.adverse_return_correlation_minute_short),
    ];
    let better = sides.iter().all(|(model, alone)| model > alone && *model > s.placebo_max_correlation);
    let answer = format!(
        "Fitted before the cut, compared after it: per minute {} long and {} short, per hour {} and {}; adverse return alone {} and \
         {}; the best shift {}. One drawn population through the engine: {} and {}, per hour {} and {}. Predicted over observed totals {} and {}. The \
         prior's shape was chosen by people who knew the whole month.",
        r(s.correlation_minute_long),
        r(s.correlation_minute_short),
        r(s.correlation_hour_long),
        r(s.correlation_hour_short),
        r(s.adverse_return_correlation_minute_long),
        r(s.adverse_return_correlation_minute_short),
        r(s.placebo_max_correlation),
        r(s.engine_correlation_minute_long),
        r(s.engine_correlation_minute_short),
        r(s.engine_correlation_hour_long),
        r(s.engine_correlation_hour_short),
        r(s.total_ratio_long),
        r(s.total_ratio_short)
    );
    line(if better { Status::Pass } else { Status::Warn }, "Can it predict what it has not seen?", answer)
}

fn linked(f: &Filling<'_>) -> VerdictLine {
    let claims = claims(f);
    let good = !claims.is_empty() && claims.iter().all(|(_, a, b)| (*a, *b) == (Claim::Holds, Claim::Holds));
    let status = if good { Status::Pass } else { Status::Warn };
    line(status, "Does the link between liquidations and depth matter?", conclusion(&claims))
}

fn branching(f: &Filling<'_>) -> VerdictLine {
    let outside: Vec<&VariantSummary> = f.summary.variants.iter().filter(|v| v.branching_warning).collect();
    let named: Vec<String> =
        outside.iter().map(|v| format!("\"{}\" {}", v.name, fixed(v.branching_ratio, 3))).collect();
    let within = if named.is_empty() {
        "All variants lie inside.".to_owned()
    } else {
        format!("Outside, and to be read with care: {}.", named.join(", "))
    };
    let replay = f.summary.replay.branching_ratio;
    let answer = format!(
        "Branching ratio = 1 - (forced selling in a twin run without its own impact) / (forced selling), first seed: the share of \
         forced selling that forced selling triggered. Replay {}. Expected between {} and {}. {within}",
        fixed(replay, 3),
        BRANCHING.0,
        BRANCHING.1
    );
    let good = outside.is_empty() && (BRANCHING.0..=BRANCHING.1).contains(&replay);
    line(if good { Status::Pass } else { Status::Warn }, "Is the feedback of a credible size?", answer)
}

/// Variants that changed nothing, the one that must not among them left out.
fn without_effect(f: &Filling<'_>) -> Option<VerdictLine> {
    let both = f.outcome.variants.iter().zip(&f.summary.variants);
    let names: Vec<&str> =
        both.filter(|(v, s)| s.no_effect && !is_plain(&v.config)).map(|(_, s)| s.name.as_str()).collect();
    if names.is_empty() {
        return None;
    }
    let eth = f.outcome.replay.runs.first().map_or(0.0, |r| eth(r.forced_lots.iter().flatten().sum()));
    let answer = format!(
        "{} changed nothing: the same {} ETH are liquidated with the same losses and payments as in the replay.",
        quoted(names.iter().copied()),
        fixed(eth, 0)
    );
    Some(line(Status::Note, "Is there a variant without effect?", answer))
}
