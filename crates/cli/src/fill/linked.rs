//! The founding claim: a model that misses the link between liquidations and depth underestimates the damage. Shown by how
//! much, and said where it does not hold.

use super::Filling;
use super::words::{median, money, money_spread};
use crate::report::text::{fixed, percent};
use crate::report::{FloatSpread, LinkedCase, LinkedDepth, LinkedSeed, ShiftedRun};
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

/// One comparison: linked, and every shift, on the account book of one seed.
pub(super) type OfSeed = (i128, Vec<i128>);

/// Every seed of a depth by one measure, beside the replay of the same book.
fn of_seeds(f: &Filling<'_>, case: &study::LinkedCase, of: fn(&Run, i128) -> i128) -> Vec<OfSeed> {
    let both = case.seeds.iter().zip(&f.outcome.replay.runs);
    let compared = |(s, replay): (&study::LinkedSeed, &Run)| {
        let replay = replay.forced_total();
        (of(&s.linked, replay), s.independent.iter().map(|(_, r)| of(r, replay)).collect())
    };
    both.map(compared).collect()
}

/// Each depth and measure, and the verdict.
pub(super) fn linked(f: &Filling<'_>) -> LinkedDepth {
    let mut cases = Vec::new();
    for (measure, of) in MEASURES {
        for case in &f.outcome.linked {
            let values = of_seeds(f, case, of);
            cases.push(LinkedCase {
                depth: depth_name(case.depth),
                measure: measure.to_owned(),
                unit: "USD".to_owned(),
                linked: money_spread(values.iter().map(|v| v.0)),
                independent: money_spread(values.iter().flat_map(|v| v.1.iter().copied())),
                ratio: ratios(&values),
                seeds: case.seeds.iter().zip(&values).map(|(s, v)| of_seed(s, v)).collect(),
            });
        }
    }
    LinkedDepth { verdict: verdict(f), cases }
}

fn of_seed(case: &study::LinkedSeed, (linked, shifts): &OfSeed) -> LinkedSeed {
    let shifted = |((shift, _), value): (&(usize, Run), &i128)| ShiftedRun {
        shift_minutes: i64::try_from(*shift).unwrap_or(i64::MAX),
        value: usd(*value),
    };
    LinkedSeed {
        seed: case.seed,
        linked: usd(*linked),
        independent: case.independent.iter().zip(shifts).map(shifted).collect(),
    }
}

/// Linked over the median shift of the same seed, over seeds; `None` where a median shift is not above zero.
pub(super) fn ratios(values: &[OfSeed]) -> Option<FloatSpread> {
    let ratio = |(linked, shifts): &OfSeed| {
        let middle = median(shifts.clone()).filter(|m| *m > 0)?;
        Some((*linked as f64 / middle as f64 * 1e6) as i64)
    };
    let all: Option<Vec<i64>> = values.iter().map(ratio).collect();
    let [median, p5, p95] = study::spread(all?)?.map(|x| x as f64 / 1e6);
    Some(FloatSpread { median, p5, p95 })
}

fn depth_name(depth: f64) -> String {
    match depth {
        1.0 => "full depth".to_owned(),
        0.5 => "half depth".to_owned(),
        0.25 => "quarter depth".to_owned(),
        other => format!("depth x {other}"),
    }
}

/// How the claim stands for liquidations beyond the replay and for bad debt, at each depth and seed.
pub(super) fn claims(f: &Filling<'_>) -> Vec<(f64, Claim, Claim)> {
    let judged = |case: &study::LinkedCase, of| -> Vec<Claim> {
        of_seeds(f, case, of).iter().map(|(linked, shifts)| judge(*linked, shifts)).collect()
    };
    let mut out = Vec::new();
    for case in &f.outcome.linked {
        let forced = judged(case, |r, replay| r.forced_total() - replay);
        let debt = judged(case, |r, _| r.losses());
        out.extend(forced.into_iter().zip(debt).map(|(a, b)| (case.depth, a, b)));
    }
    out
}

fn verdict(f: &Filling<'_>) -> String {
    let mut out: Vec<String> = Vec::new();
    for case in &f.outcome.linked {
        let name = depth_name(case.depth);
        for (measure, of) in MEASURES.into_iter().take(2) {
            out.push(sentence(&name, measure, &of_seeds(f, case, of)));
        }
    }
    out.push(conclusion(&claims(f)));
    out.push(
        "In each comparison both sides use one account book and the same values of depth; only their timing differs.".to_owned(),
    );
    out.join(" ")
}

/// By how much the median shift falls short of the linked run: medians over seeds.
pub(super) fn sentence(depth: &str, measure: &str, seeds: &[OfSeed]) -> String {
    let middles: Option<Vec<i128>> = seeds.iter().map(|(_, shifts)| median(shifts.clone())).collect();
    let (Some(linked), Some(middle)) =
        (median(seeds.iter().map(|s| s.0).collect()), middles.and_then(median))
    else {
        return format!("At {depth} nothing was compared.");
    };
    let below: usize = seeds.iter().map(|(l, shifts)| shifts.iter().filter(|x| *x < l).count()).sum();
    let shifts: usize = seeds.iter().map(|(_, shifts)| shifts.len()).sum();
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
    let over = match seeds.len() {
        1 => String::new(),
        n => format!(" (medians of {n} seeds)"),
    };
    format!(
        "At {depth}, {measure}: {} USD linked against {} USD in the median shift{over}: {how} ({below} of {shifts} shifts are lower).",
        money(linked),
        money(middle),
    )
}

/// The claim in plain words.
pub(super) fn conclusion(claims: &[(f64, Claim, Claim)]) -> String {
    let each: Vec<Claim> = claims.iter().flat_map(|(_, forced, debt)| [*forced, *debt]).collect();
    let count = |c: Claim| each.iter().filter(|x| **x == c).count();
    let n = each.len();
    match (count(Claim::Holds), count(Claim::Fails)) {
        _ if n == 0 => "The claim that missing this link underestimates the damage was not tested.".to_owned(),
        (h, _) if h == n => "The claim that missing this link underestimates the damage holds here: at every depth and seed the \
                             linked run is worse than every shifted one, in liquidations and in bad debt."
            .to_owned(),
        (0, 0) => "The claim that missing this link underestimates the damage is not established here: the linked run is worse \
                   than the median shift everywhere, but nowhere worse than all of them."
            .to_owned(),
        (0, fails) if fails == n => "The claim that missing this link underestimates the damage does not hold here: at no depth \
                                     and seed is the linked run worse than the median shift."
            .to_owned(),
        (h, fails) => format!(
            "The claim that missing this link underestimates the damage holds only in part: of {n} comparisons (liquidations and \
             bad debt at each depth and seed) the linked run is worse than every shift in {h}, than the median but not all in {}, and not \
             worse than the median in {fails}.",
            n - h - fails
        ),
    }
}
