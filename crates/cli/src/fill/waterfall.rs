//! Who paid, per event: the replay and the most telling variants.

use super::Filling;
use super::variants::haircuts;
use super::words::seconds;
use crate::report::{Waterfall, WaterfallRow};
use cofferdam_market_sim::perp::Run;
use cofferdam_market_sim::study::{Labels, VariantRuns, usd};
use cofferdam_market_sim::tally::EventTally;
use std::collections::BTreeMap;

/// Variants beside the replay.
const SHOWN: usize = 3;

/// The replay; the variants whose insurers are described, in the order of the scenario; then of the others those with the largest bad
/// debt, the most insurance layers that paid and the most taken from winners, each once. Of each the seed that the summary shows.
pub(super) fn waterfalls(f: &Filling<'_>) -> Vec<Waterfall> {
    let (insured, others): (Vec<&VariantRuns>, Vec<&VariantRuns>) =
        f.outcome.variants.iter().partition(|v| !v.config.insurers.is_empty());
    let all = insured.into_iter().chain(telling(&others));
    std::iter::once(&f.outcome.replay).chain(all).map(|v| of_run(f, v)).collect()
}

/// How telling a variant's waterfall is, in one respect.
type Rank = fn(&VariantRuns) -> i128;

const RANKS: [Rank; SHOWN] = [
    |v| shown(v).map_or(0, |r| r.losses()),
    |v| shown(v).map_or(0, |r| layers_that_paid(&r.tally.events)),
    |v| shown(v).map_or(0, haircuts),
];

fn shown(v: &VariantRuns) -> Option<&Run> {
    v.runs.get(v.shown())
}

fn telling<'a>(variants: &[&'a VariantRuns]) -> Vec<&'a VariantRuns> {
    let mut chosen: Vec<&'a VariantRuns> = Vec::new();
    for rank in RANKS {
        let left = variants.iter().copied().filter(|v| !chosen.iter().any(|c| core::ptr::eq(*c, *v)));
        // the first of equal ones, so that the order of the scenario decides
        let best = left.fold(None, |best: Option<&'a VariantRuns>, v| match best {
            Some(b) if rank(b) >= rank(v) => Some(b),
            _ => Some(v),
        });
        chosen.extend(best.filter(|v| rank(v) > 0));
    }
    chosen
}

fn layers_that_paid(events: &[EventTally]) -> i128 {
    let paid: std::collections::BTreeSet<u32> =
        events.iter().flat_map(|e| e.layers.iter()).filter(|(_, paid)| **paid > 0).map(|(l, _)| *l).collect();
    paid.len() as i128
}

fn of_run(f: &Filling<'_>, runs: &VariantRuns) -> Waterfall {
    let labels: Labels = (f.labels)(&runs.config);
    let name = &runs.config.name;
    let deleveraged: i128 =
        shown(runs).map_or(0, |r| r.tally.events.iter().map(|e| e.deleveraged_lots).sum());
    let run = if deleveraged > 0 {
        let eth = super::words::exact(deleveraged, -3);
        format!(
            "{name} (and {eth} ETH of winners' positions closed at the bankruptcy price, which is no payment)"
        )
    } else {
        name.clone()
    };
    let (open, end) = shown(runs).map_or((None, &[][..]), |r| (r.tally.open_event(), &r.tally.events[..]));
    let times = &f.study.prepared.minutes.time_ms;
    let span = (times.first().copied().unwrap_or(0), times.last().copied().unwrap_or(0));
    waterfall(run, labels.layers, end, open, span)
}

/// One table. `open` is the place of an event that the data ended in; `span` the first and last instant of the run.
pub(super) fn waterfall(
    run: String,
    layers: Vec<String>,
    events: &[EventTally],
    open: Option<usize>,
    span: (u64, u64),
) -> Waterfall {
    let rows = events.iter().enumerate().map(|(i, e)| row(e, layers.len(), open == Some(i), span)).collect();
    Waterfall { run, unit: "USD".to_owned(), events: rows, layers }
}

fn row(e: &EventTally, layers: usize, open: bool, span: (u64, u64)) -> WaterfallRow {
    let (event, from, to) = match e.id {
        Some(id) => (format!("event {id}"), e.opened_ms, e.closed_ms),
        None => ("outside events".to_owned(), span.0, span.1),
    };
    let each = |of: &BTreeMap<u32, i128>| -> Vec<String> {
        (0..layers)
            .map(|i| usd(u32::try_from(i).ok().and_then(|i| of.get(&i)).copied().unwrap_or(0)))
            .collect()
    };
    WaterfallRow {
        event,
        opened: seconds(from),
        closed: (!open).then_some(seconds(to)),
        liquidated: usd(e.forced),
        bad_debt: usd(e.losses),
        account_margin: usd(e.penalties),
        layers: each(&e.layers),
        late: each(&e.late),
        unpaid: each(&e.unpaid),
        winners: usd(e.haircuts),
        suppliers: usd(e.written_down),
        residual: usd(e.residual()),
    }
}
