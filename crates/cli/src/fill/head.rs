//! The top of the page: what was run, and the figures a reader looks for first.

use super::Filling;
use super::variants::haircuts;
use super::words::{count, exact};
use crate::report::text::{date_time, fixed, percent, whole};
use crate::report::{Card, Head, KeyFigures};
use cofferdam_market_sim::perp::Run;
use cofferdam_market_sim::study::usd;

pub(super) fn head(f: &Filling<'_>) -> Head {
    Head { what_ran: what_ran(f), key: key(f), cards: cards(f), verdicts: super::verdicts::verdicts(f) }
}

fn what_ran(f: &Filling<'_>) -> Vec<String> {
    let (p, r) = (&f.study.prepared, &f.summary.replay);
    let times = &p.minutes.time_ms;
    let at = |t: Option<&u64>| t.map_or_else(String::new, |t| date_time(super::words::seconds(*t)));
    let lending = if f.lending.is_some() { " A lending market was run on the same path." } else { "" };
    vec![
        format!(
            "A venue for perpetual futures on ether was put together from a config file (price policy, margin tiers, liquidation \
             strategy, insurance, loss allocation, circuit breakers) and run minute by minute from {} to {} UTC: {} minutes with \
             the prices that were quoted and the liquidations that a large venue really made, {} ETH of long and {} ETH of short \
             positions.",
            at(times.first()),
            at(times.last()),
            count(times.len()),
            whole(&r.observed_long_eth),
            whole(&r.observed_short_eth),
        ),
        "Positions are not public. Those that were liquidated are implied: somebody held them whose liquidation price lay between \
         the price before and the price of the minute. Leverage, age and size of each are drawn from an assumed prior. Prices are \
         means over a minute."
            .to_owned(),
        format!(
            "The replay has no impact, no delay, no breaker, and closes in full. {} variants ask what thinner or fleeing liquidity, \
             late prices, less insurance or another strategy would have changed; each differs from the replay only by what its \
             name says.{lending}",
            f.outcome.variants.len()
        ),
    ]
}

fn key(f: &Filling<'_>) -> Option<KeyFigures> {
    let (run, r) = (f.outcome.replay.runs.first()?, &f.summary.replay);
    Some(KeyFigures {
        state_hash: f.summary.state_hash.clone(),
        implied_share_long: r.implied_share_long,
        implied_share_short: r.implied_share_short,
        correlation_long: r.correlation_long,
        correlation_short: r.correlation_short,
        liquidated_long: r.liquidated_long_eth.clone(),
        liquidated_short: r.liquidated_short_eth.clone(),
        base_asset: "ETH".to_owned(),
        quote_asset: "USD".to_owned(),
        liquidated_notional: usd(run.forced_total()),
        bad_debt: r.bad_debt_usd.clone(),
        insurance_paid: r.insurance_drawn_usd.clone(),
        taken_from_winners: usd(haircuts(run)),
    })
}

fn cards(f: &Filling<'_>) -> Vec<Card> {
    let (book, r) = (&f.outcome.book, &f.summary.replay);
    let card = |label: &str, value: String, note: String| Card { label: label.to_owned(), value, note };
    let (implied, kept) = (book.implied.openings.len(), book.survivors.openings.len());
    let full = book.survivors.full_accounts;
    let mut out = vec![card(
        "Accounts",
        count(book.openings.len()),
        format!(
            "{} implied, {} that stand for {} never liquidated, {} at low leverage; first seed",
            count(implied),
            count(kept),
            count(full.long + full.short),
            count(book.openings.len().saturating_sub(implied + kept))
        ),
    )];
    if let Some(run) = f.outcome.replay.runs.first() {
        out.push(card(
            "Insurance needed",
            format!("{} USD", whole(&needed(run))),
            "at the start, penalties counted".to_owned(),
        ));
        let c = &run.tally.counts;
        let note = format!(
            "{} steps, {} facts; {} sums over all holders",
            count(c.steps),
            count(c.facts),
            count(r.conservation_checks)
        );
        out.push(card("Inputs of the replay", count(c.inputs), note));
    }
    out.push(card(
        "Branching ratio",
        fixed(r.branching_ratio, 3),
        "of the replay: forced selling that the record's own impact seems to have caused, at the assumed depth".to_owned(),
    ));
    out.push(card(
        "Above 100x",
        percent(r.above_100x_share, 1),
        format!("of the implied quantity; {} of the accounts", percent(r.above_100x_share_of_accounts, 1)),
    ));
    out
}

/// What insurance would have needed at the start, exact.
pub(super) fn needed(run: &Run) -> String {
    exact(run.tally.insurance_needed, -6)
}
