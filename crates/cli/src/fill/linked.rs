//! The founding claim: a model that misses the link between liquidations and depth underestimates the damage. Shown by how
//! much, and said where it does not hold.

use super::Filling;
use super::words::{median, money};
use crate::report::text::{fixed, percent};
use crate::report::{LinkedCase, LinkedDepth, ShiftedRun};
use cofferdam_market_sim::perp::Run;
use cofferdam_market_sim::study::{self, usd};

/// What the comparison says at one depth for one measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    /// Linked is above every shift.
    Holds,
    /// Linked is above the median, but not above every shift.
    Leans,
    /// Linked is not above the median, or there is nothing to compare.
    Fails,
}

/// Linked against every shift. Equal is not above.
pub(super) fn judge(linked: i128, independent: &[i128]) -> Claim {
    let Some(middle) = median(independent.to_vec()) else { return Claim::Fails };
    if independent.iter().all(|x| linked > *x) {
        Claim::Holds
    } else if linked > middle {
        Claim::Leans
    } else {
        Claim::Fails
    }
}

/// One measure of a run.
type Measure = (&'static str, fn(&Run, i128) -> i128);

const MEASURES: [Measure; 3] = [
    ("liquidated beyond the replay", |r, replay| r.forced_total() - replay),
    ("bad debt", |r, _| r.losses()),
    ("liquidated", |r, _| r.forced_total()),
];

/// Each depth and measure, and the verdict.
pub(super) fn linked(f: &Filling<'_>) -> LinkedDepth {
    let replay = f.outcome.replay.runs.first().map_or(0, Run::forced_total);
    let mut cases = Vec::new();
    for (measure, of) in MEASURES {
        for case in &f.outcome.linked {
            let shifted = |(shift, run): &(usize, Run)| ShiftedRun {
                shift_minutes: i64::try_from(*shift).unwrap_or(i64::MAX),
                value: usd(of(run, replay)),
            };
            cases.push(LinkedCase {
                depth: depth_name(case.depth),
                measure: measure.to_owned(),
                unit: "USD".to_owned(),
                linked: usd(of(&case.linked, replay)),
                independent: case.independent.iter().map(shifted).collect(),
            });
        }
    }
    LinkedDepth { verdict: verdict(f), cases }
}

fn depth_name(depth: f64) -> String {
    match depth {
        1.0 => "full depth".to_owned(),
        0.5 => "half depth".to_owned(),
        0.25 => "quarter depth".to_owned(),
        other => format!("depth x {other}"),
    }
}

/// How the claim stands for liquidations beyond the replay and for bad debt, at each depth.
pub(super) fn claims(f: &Filling<'_>) -> Vec<(f64, Claim, Claim)> {
    let replay = f.outcome.replay.runs.first().map_or(0, Run::forced_total);
    let of = |case: &study::LinkedCase, measure: fn(&Run, i128) -> i128| {
        let shifts: Vec<i128> = case.independent.iter().map(|(_, r)| measure(r, replay)).collect();
        judge(measure(&case.linked, replay), &shifts)
    };
    let all = f.outcome.linked.iter();
    all.map(|c| (c.depth, of(c, |r, replay| r.forced_total() - replay), of(c, |r, _| r.losses()))).collect()
}

fn verdict(f: &Filling<'_>) -> String {
    let replay = f.outcome.replay.runs.first().map_or(0, Run::forced_total);
    let mut out: Vec<String> = Vec::new();
    for case in &f.outcome.linked {
        let name = depth_name(case.depth);
        for (measure, of) in MEASURES.into_iter().take(2) {
            let shifts: Vec<i128> = case.independent.iter().map(|(_, r)| of(r, replay)).collect();
            out.push(sentence(&name, measure, of(&case.linked, replay), &shifts));
        }
    }
    out.push(conclusion(&claims(f)));
    out.push(
        "Both sides use one account book (first seed) and the same values of depth; only their timing differs.".to_owned(),
    );
    out.join(" ")
}

/// By how much the median shift falls short of the linked run.
pub(super) fn sentence(depth: &str, measure: &str, linked: i128, shifts: &[i128]) -> String {
    let Some(middle) = median(shifts.to_vec()) else { return format!("At {depth} nothing was compared.") };
    let below = shifts.iter().filter(|x| **x < linked).count();
    let ratio = linked as f64 / middle as f64;
    let how = if linked == 0 && middle == 0 {
        "no difference: both are zero".to_owned()
    } else if linked > middle && middle <= 0 {
        "the median shift shows none of it".to_owned()
    } else if linked > middle {
        format!(
            "{} times as much; the model without the link underestimates it by {}",
            fixed(ratio, 2),
            percent(1.0 - middle as f64 / linked as f64, 1)
        )
    } else if linked == middle {
        "no difference".to_owned()
    } else {
        "the model without the link shows more, not less".to_owned()
    };
    format!(
        "At {depth}, {measure}: {} USD linked against {} USD in the median shift: {how} ({below} of {} shifts are lower).",
        money(linked),
        money(middle),
        shifts.len()
    )
}

/// The claim in plain words.
pub(super) fn conclusion(claims: &[(f64, Claim, Claim)]) -> String {
    let each: Vec<Claim> = claims.iter().flat_map(|(_, forced, debt)| [*forced, *debt]).collect();
    let count = |c: Claim| each.iter().filter(|x| **x == c).count();
    let n = each.len();
    match (count(Claim::Holds), count(Claim::Fails)) {
        _ if n == 0 => "The claim that missing this link underestimates the damage was not tested.".to_owned(),
        (h, _) if h == n => "The claim that missing this link underestimates the damage holds here: at every depth the linked \
                             run is worse than every shifted one, in liquidations and in bad debt."
            .to_owned(),
        (0, 0) => "The claim that missing this link underestimates the damage is not established here: the linked run is worse \
                   than the median shift everywhere, but nowhere worse than all of them."
            .to_owned(),
        (0, fails) if fails == n => "The claim that missing this link underestimates the damage does not hold here: at no depth \
                                     is the linked run worse than the median shift."
            .to_owned(),
        (h, fails) => format!(
            "The claim that missing this link underestimates the damage holds only in part: of {n} comparisons (liquidations and \
             bad debt at each depth) the linked run is worse than every shift in {h}, than the median but not all in {}, and not \
             worse than the median in {fails}.",
            n - h - fails
        ),
    }
}
