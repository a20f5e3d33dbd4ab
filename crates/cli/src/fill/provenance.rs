//! The real / implied / assumed table.

use super::Filling;
use super::words::{count, eth};
use crate::report::text::{compact, fixed, percent};
use crate::report::{Provenance, ProvenanceRow};
use cofferdam_market_sim::implied::Stratum;

use Provenance::{Assumed, Implied, Real};

/// What each number of the run rests on, in the order it should be read.
pub(super) fn rows(f: &Filling<'_>) -> Vec<ProvenanceRow> {
    let mut out = real(f);
    out.extend(implied(f));
    out.extend(assumed_book(f));
    out.extend(assumed_market(f));
    out
}

fn row(what: &str, provenance: Provenance, how: String, matters: &str) -> ProvenanceRow {
    ProvenanceRow { what: what.to_owned(), provenance, how, matters: matters.to_owned() }
}

fn real(f: &Filling<'_>) -> Vec<ProvenanceRow> {
    let (m, r) = (&f.study.prepared.minutes, &f.summary.replay);
    vec![
        row(
            "Prices",
            Real,
            format!(
                "Bid and ask of {} minutes, means of many quotes; the stack sees their mid, rounded to 0.001 USD.",
                count(m.len())
            ),
            "Means hide the extremes inside a minute: some real liquidations have no visible cause.",
        ),
        row(
            "Liquidated quantity per minute and side",
            Real,
            format!("{} ETH long and {} ETH short.", r.observed_long_eth, r.observed_short_eth),
            "Venues are known to publish less than they liquidate; then every total here is too small.",
        ),
        row(
            "Times and gaps",
            Real,
            format!("As recorded; {} gaps of more than 90 s are kept, not filled.", count(m.gaps.len())),
            "A liquidation in a gap falls into the minute after it.",
        ),
        row(
            "Margin tiers",
            Real,
            format!(
                "Published by the venue, but in October 2024, not January 2021; {} tiers used, up to {}x.",
                f.study.prepared.scenario.tiers_used,
                f.study.prepared.schedule.max_leverage(0)
            ),
            "Higher maintenance then would move every liquidation price towards the entry.",
        ),
    ]
}

fn implied(f: &Filling<'_>) -> Vec<ProvenanceRow> {
    let (p, book, r) = (&f.study.prepared, &f.outcome.book, &f.summary.replay);
    vec![
        row(
            "Liquidation prices of liquidated accounts",
            Implied,
            "Between the price before and the price of their minute; collateral is the exact whole number of quanta that the margin \
             rule gives."
                .to_owned(),
            "The replay is true by construction in this; the counterfactuals are not.",
        ),
        row(
            "How much can be implied",
            Implied,
            format!("{} long, {} short.", percent(r.implied_share_long, 2), percent(r.implied_share_short, 2)),
            "What is not implied is never liquidated in any run.",
        ),
        row(
            "Leverage and age of each liquidated account",
            Implied,
            format!("Drawn from the posterior of the prior below; {} accounts, seed {}.", count(book.implied.openings.len()), book.seed),
            "They decide who else is near liquidation when the price moves further than it did.",
        ),
        row(
            "Opening rate of the background",
            Implied,
            format!(
                "{} ETH per minute long and {} short: the rate at which the prior expects what was liquidated.",
                fixed(p.rates.long / 1e3, 1),
                fixed(p.rates.short / 1e3, 1)
            ),
            "Twice the rate is twice the accounts that a deeper fall can reach; see the variants on the background.",
        ),
    ]
}

fn assumed_book(f: &Filling<'_>) -> Vec<ProvenanceRow> {
    let s = &f.study.prepared.scenario;
    let survivors = &f.outcome.book.survivors;
    let full = survivors.full_accounts.long + survivors.full_accounts.short;
    vec![
        row(
            "Prior of leverage",
            Assumed,
            format!(
                "Lognormal, median {}x, sigma {}, capped at the tier of the account's size.",
                s.prior.median_leverage, s.prior.sigma
            ),
            "Shifts accounts between near and far from liquidation.",
        ),
        row(
            "Prior of age",
            Assumed,
            format!(
                "Exponential, mean {} minutes, at most {} rows back.",
                s.prior.tau_minutes,
                count(s.lookback_rows)
            ),
            "Longer lives leave more old accounts to be caught.",
        ),
        row(
            "Sizes",
            Assumed,
            format!(
                "Pareto, alpha {}, {} to {} ETH; one position per account, isolated, no hedges.",
                s.prior.size_alpha,
                fixed(eth(s.prior.size_min_lots), 0),
                fixed(eth(s.prior.size_max_lots), 0)
            ),
            "Large accounts fall into tiers with higher maintenance.",
        ),
        row(
            "Accounts that were not liquidated",
            Assumed,
            format!(
                "Survivors of the same prior: {} drawn, thinned to {} in {} bands of distance, larger so that the quantity is unbiased.",
                count(full),
                count(survivors.openings.len()),
                Stratum::DEFAULT.len()
            ),
            "They are what a cascade can reach beyond the record.",
        ),
        row(
            "Low-leverage accounts",
            Assumed,
            format!(
                "{} ETH per side, never liquidated on the recorded path.",
                fixed(eth(s.background.low_leverage_lots_per_side), 0)
            ),
            "They are winners that loss allocation can take from; the amount is a guess.",
        ),
        row(
            "Market makers and the backstop vault",
            Assumed,
            format!(
                "{} makers with {} USD each hold the other side of everything, so that long and short lots are equal; the vault has {} \
                 USD.",
                s.background.makers,
                compact(s.background.maker_cash as f64),
                compact(s.background.vault_cash as f64)
            ),
            "They are never liquidated themselves.",
        ),
    ]
}

fn assumed_market(f: &Filling<'_>) -> Vec<ProvenanceRow> {
    let s = &f.study.prepared.scenario;
    let labels = (f.labels)(&f.outcome.replay.config);
    vec![
        row(
            "Depth",
            Assumed,
            format!("{} USD per 1 %, the same all month.", compact(s.market_model.depth_usd)),
            "Every counterfactual and the branching ratio scale with it.",
        ),
        row(
            "Impact and recovery",
            Assumed,
            format!(
                "Deviation = -1 % x (simulated flow / simulated depth - recorded flow / assumed depth); flow halves every {} minutes. \
                 The recorded path already holds the impact of the recorded liquidations.",
                s.market_model.half_life_ms / 60_000
            ),
            "Slower recovery makes cascades longer. Nobody but the liquidated reacts to the new price.",
        ),
        row(
            "Liquidity providers that leave",
            Assumed,
            format!("Depth x (1 + recently liquidated USD / {})^-strength.", compact(s.market_model.exit_scale_usd)),
            "The link whose absence is tested below.",
        ),
        row(
            "Penalty, insurance, event rule",
            Assumed,
            format!("As the stack file says; layers of the replay: {}. No funding, no fees.", labels.layers.join(", ")),
            "Penalties refill the insurance during the crash.",
        ),
        row(
            "Fills",
            Assumed,
            "Forced orders fill in full at the mid of their round, minute by minute, at most 50 rounds a minute.".to_owned(),
            "Real fills are worse: losses here are a lower bound for the same depth.",
        ),
    ]
}
