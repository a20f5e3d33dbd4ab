//! `summary.json`: what scripts may rely on. Money and quantities are decimal strings, exact; ratios are numbers.

use super::runs::{StudyOutcome, VariantRuns};
use crate::data::Minutes;
use crate::implied::{self, Reach, Side};
use crate::perp::Run;
use cofferdam_core::Decimal;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Version of this file's shape.
const FORMAT: u32 = 2;

/// A branching ratio outside these bounds is warned of.
pub(super) const BRANCHING: (f64, f64) = (0.03, 0.2);

/// Quanta or atoms of 1e-6 USD as a decimal string.
#[must_use]
pub fn usd(units: i128) -> String {
    fixed(units, -6)
}

fn eth(lots: i64) -> String {
    fixed(i128::from(lots), -3)
}

fn fixed(units: i128, exponent: i32) -> String {
    Decimal::from_units(units, exponent).to_string()
}

/// The summary of a study.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// Version of this shape.
    pub format: u32,
    /// The scenario's name.
    pub scenario: String,
    /// SHA-256 of the replay's state at the end (first seed): what `cofferdam replay` finds from the facts alone.
    pub state_hash: String,
    /// SHA-256 over the state hashes of all runs, in order.
    pub study_hash: String,
    /// The replay.
    pub replay: ReplaySummary,
    /// What was broken on purpose: the share liquidated in its own minute, and whether the check saw it.
    pub mutations: Vec<MutationSummary>,
    /// Blind validation.
    pub blind: BlindSummary,
    /// Counterfactuals.
    pub variants: Vec<VariantSummary>,
    /// Reacting liquidity against the same at other times.
    pub linked: Vec<LinkedSummary>,
    /// Lending on the same path.
    pub lending: Option<serde_json::Value>,
}

/// The replay.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReplaySummary {
    /// Observed, in ETH.
    pub observed_long_eth: String,
    /// Observed, in ETH.
    pub observed_short_eth: String,
    /// Held by implied accounts.
    pub implied_long_eth: String,
    /// Held by implied accounts.
    pub implied_short_eth: String,
    /// Liquidated by the stack.
    pub liquidated_long_eth: String,
    /// Liquidated by the stack.
    pub liquidated_short_eth: String,
    /// Implied over observed.
    pub implied_share_long: f64,
    /// Implied over observed.
    pub implied_share_short: f64,
    /// Simulated against observed quantity per minute.
    pub correlation_long: f64,
    /// Simulated against observed quantity per minute.
    pub correlation_short: f64,
    /// Of the implied lots, the share that the stack liquidated in the minute the record says: true by construction, so it
    /// tests the engine and nothing else.
    pub in_own_minute_share: f64,
    /// The largest implied share of either side among circular shifts of the record.
    pub placebo_max_share: f64,
    /// The mean of the same.
    pub placebo_mean_share_long: f64,
    /// The mean of the same.
    pub placebo_mean_share_short: f64,
    /// Share of the implied quantity above 100x.
    pub above_100x_share: f64,
    /// Share of the implied accounts above 100x.
    pub above_100x_share_of_accounts: f64,
    /// Share of the implied quantity opened two minutes before or less.
    pub opened_within_two_minutes_share: f64,
    /// Penalties, losses and who paid them.
    pub bad_debt_usd: String,
    /// Paid by insurance.
    pub insurance_drawn_usd: String,
    /// The whole book was summed over all holders so many times.
    pub conservation_checks: u64,
    /// Steps of the engine, each input's among them, after which the sums of all postings were zero and every holding that they
    /// touched was in the state what was posted to it.
    pub conservation_steps: u64,
    /// What forced selling triggers, as the share of forced selling that the recorded one seems to have caused itself at the
    /// assumed depth.
    pub branching_ratio: f64,
}

/// One mutation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct MutationSummary {
    /// Its name.
    pub name: String,
    /// The share liquidated in its own minute.
    pub in_own_minute_share: f64,
    /// Whether the check saw it.
    pub caught: bool,
}

/// Blind validation.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BlindSummary {
    /// By expectation, per minute.
    pub correlation_minute_long: f64,
    /// By expectation, per minute.
    pub correlation_minute_short: f64,
    /// By expectation, per hour.
    pub correlation_hour_long: f64,
    /// By expectation, per hour.
    pub correlation_hour_short: f64,
    /// Predicted over observed.
    pub total_ratio_long: f64,
    /// Predicted over observed.
    pub total_ratio_short: f64,
    /// One drawn population through the engine, per minute.
    pub engine_correlation_minute_long: f64,
    /// One drawn population through the engine, per minute.
    pub engine_correlation_minute_short: f64,
    /// One drawn population through the engine, per hour.
    pub engine_correlation_hour_long: f64,
    /// One drawn population through the engine, per hour.
    pub engine_correlation_hour_short: f64,
    /// One drawn population through the engine.
    pub engine_total_ratio_long: f64,
    /// One drawn population through the engine.
    pub engine_total_ratio_short: f64,
    /// The adverse return alone, per minute.
    pub adverse_return_correlation_minute_long: f64,
    /// The adverse return alone, per minute.
    pub adverse_return_correlation_minute_short: f64,
    /// The largest correlation among circular shifts.
    pub placebo_max_correlation: f64,
    /// Fitted opening rate.
    pub rate_long_eth_per_minute: f64,
    /// Fitted opening rate.
    pub rate_short_eth_per_minute: f64,
}

/// One variant. Where there are several seeds, every figure is that of one of them, [`seed`](Self::seed), the median by bad debt, so
/// that they add up: bad debt is what insurance paid, what was taken from winners and suppliers, and the open deficit, exactly.
/// Beside it p5 and p95 over all seeds (nearest rank).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VariantSummary {
    /// Its name.
    pub name: String,
    /// What it asks.
    pub what: String,
    /// How many seeds.
    pub seeds: usize,
    /// Whose figures these are: the median by bad debt, of equal ones by what was liquidated.
    pub seed: u64,
    /// Closed by force.
    pub liquidated_usd: String,
    /// p5 and p95.
    pub liquidated_usd_range: [String; 2],
    /// Losses realised.
    pub bad_debt_usd: String,
    /// p5 and p95.
    pub bad_debt_usd_range: [String; 2],
    /// Paid by insurance.
    pub insurance_drawn_usd: String,
    /// p5 and p95.
    pub insurance_drawn_usd_range: [String; 2],
    /// What insurance would have needed at the start to pay everything, contributions counted.
    pub insurance_needed_usd: String,
    /// p5 and p95.
    pub insurance_needed_usd_range: [String; 2],
    /// Haircuts on winners' gains.
    pub taken_from_winners_usd: String,
    /// p5 and p95.
    pub taken_from_winners_usd_range: [String; 2],
    /// 1 - (forced selling without its own impact) / (forced selling): how much of it forced selling triggered. First seed.
    pub branching_ratio: f64,
    /// Whether that lies outside 0.03 to 0.2.
    pub branching_warning: bool,
    /// Forced selling after the first round of its minute, as a share.
    pub later_rounds_share: f64,
    /// Largest fall of the simulated mid from a running peak.
    pub max_drawdown: f64,
    /// p5 and p95.
    pub max_drawdown_range: [f64; 2],
    /// Deleveraging events.
    pub events: u64,
    /// Steps of the engine.
    pub steps: u64,
    /// Accounts that a rule did not let open.
    pub openings_refused: u64,
    /// Requests that a breaker refused.
    pub refused_by_breaker: u64,
    /// What was done, by kind.
    pub measures: BTreeMap<&'static str, u64>,
    /// Paid per insurance layer; the sum is what insurance paid.
    pub layers_usd: BTreeMap<String, String>,
    /// Borne by suppliers of a pool.
    pub taken_from_suppliers_usd: String,
    /// Trips per breaker of the stack file, those that never tripped included.
    pub breaker_trips: BTreeMap<String, u64>,
    /// Verdicts per breaker that cut a forced close, put it off, or refused a request.
    pub breaker_limits: BTreeMap<String, u64>,
    /// Whether every result of every seed equals the replay's.
    pub no_effect: bool,
    /// Deficit that nobody paid at the end.
    pub open_deficit_usd: String,
    /// State hash of the first seed.
    pub state_hash: String,
}

/// Reacting liquidity against the same at other times, on the account book of every seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinkedSummary {
    /// Depth, as a multiple.
    pub depth: f64,
    /// Liquidated when liquidity reacts: the median over seeds.
    pub linked_liquidated_usd: String,
    /// p5 and p95 over seeds.
    pub linked_liquidated_usd_range: [String; 2],
    /// Bad debt when liquidity reacts: the median over seeds.
    pub linked_bad_debt_usd: String,
    /// p5 and p95 over seeds.
    pub linked_bad_debt_usd_range: [String; 2],
    /// Liquidated with the same depth at other times: the median over all seeds and shifts.
    pub independent_liquidated_usd: String,
    /// p5 and p95 over all seeds and shifts.
    pub independent_liquidated_usd_range: [String; 2],
    /// Bad debt with the same depth at other times: the median over all seeds and shifts.
    pub independent_bad_debt_usd: String,
    /// p5 and p95 over all seeds and shifts.
    pub independent_bad_debt_usd_range: [String; 2],
    /// The median over seeds of [`LinkedSeedSummary::excess_ratio`].
    pub excess_ratio: f64,
    /// p5 and p95 over seeds.
    pub excess_ratio_range: [f64; 2],
    /// One per seed.
    pub seeds: Vec<LinkedSeedSummary>,
}

/// The comparison on one account book.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LinkedSeedSummary {
    /// Which book.
    pub seed: u64,
    /// Liquidated when liquidity reacts.
    pub linked_liquidated_usd: String,
    /// Bad debt when liquidity reacts.
    pub linked_bad_debt_usd: String,
    /// Liquidated with the same depth at other times, per shift.
    pub independent_liquidated_usd: Vec<String>,
    /// Bad debt with the same depth at other times, per shift.
    pub independent_bad_debt_usd: Vec<String>,
    /// Linked over the median of independent, liquidated beyond the replay of the same book; zero where independent depth adds
    /// nothing.
    pub excess_ratio: f64,
}

/// Median, p5 and p95 by nearest rank, so that each is a value that occurred; of fewer than twenty values p5 is the lowest, and p95
/// the highest.
pub fn spread<T: Ord + Copy>(mut values: Vec<T>) -> Option<[T; 3]> {
    values.sort_unstable();
    let at = |percent: usize| values.get((values.len() * percent).div_ceil(100).max(1) - 1).copied();
    Some([at(50)?, at(5)?, at(95)?])
}

fn money<'a>(runs: impl IntoIterator<Item = &'a Run>, of: impl Fn(&Run) -> i128) -> (String, [String; 2]) {
    let [median, low, high] = spread(runs.into_iter().map(of).collect()).unwrap_or_default();
    (usd(median), [usd(low), usd(high)])
}

pub(super) fn drawn(run: &Run) -> i128 {
    run.tally.events.iter().flat_map(|e| e.layers.values()).sum()
}

pub(super) fn haircuts(run: &Run) -> i128 {
    run.tally.events.iter().map(|e| e.haircuts).sum()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

pub(super) fn correlation(run: &Run, minutes: &Minutes, side: Side) -> f64 {
    let i = usize::from(side == Side::Short);
    let observed = if side == Side::Long { &minutes.long } else { &minutes.short };
    let floats = |v: &[i64]| v.iter().map(|x| *x as f64).collect::<Vec<f64>>();
    implied::correlation(&floats(&run.forced_lots[i]), &floats(observed))
}

pub(super) fn branching(forced: i128, twin: i128) -> f64 {
    if forced == 0 { 0.0 } else { 1.0 - twin as f64 / forced as f64 }
}

/// Names of layers and breakers, as the stack files give them.
#[derive(Clone, Debug, Default)]
pub struct Labels {
    /// Layer names by number.
    pub layers: Vec<String>,
    /// Breaker names by place.
    pub breakers: Vec<String>,
}

/// Borne by suppliers of a pool.
fn suppliers(run: &Run) -> i128 {
    run.tally.events.iter().map(|e| e.written_down).sum()
}

/// Counts by place in the stack file as counts by name; every name is there, those that did nothing with zero.
#[must_use]
pub fn by_name(names: &[String], counts: &BTreeMap<u32, u64>) -> BTreeMap<String, u64> {
    let mut out: BTreeMap<String, u64> = names.iter().map(|n| (n.clone(), 0)).collect();
    for (i, n) in counts {
        *out.entry(names.get(*i as usize).cloned().unwrap_or_else(|| i.to_string())).or_default() += n;
    }
    out
}

impl VariantRuns {
    /// The place of the run whose figures stand for all: the median by bad debt, of equal ones by what was liquidated.
    #[must_use]
    pub fn shown(&self) -> usize {
        let mut order: Vec<usize> = (0..self.runs.len()).collect();
        order.sort_by_key(|i| (self.runs[*i].losses(), self.runs[*i].forced_total(), *i));
        order.get((order.len() * 50).div_ceil(100).max(1) - 1).copied().unwrap_or(0)
    }

    /// Summarises one variant beside the replay.
    #[must_use]
    pub fn summary(&self, replay: &[Run], labels: &Labels) -> VariantSummary {
        let runs = &self.runs;
        let name = |list: &[String], i: u32| list.get(i as usize).cloned().unwrap_or_else(|| i.to_string());
        let (first, shown) = (&runs[0], &runs[self.shown()]);
        let c = &shown.tally.counts;
        let range = |of: &dyn Fn(&Run) -> i128| money(runs, of).1;
        let millionths = |r: &Run| (r.max_drawdown * 1e6) as i64;
        let [_, d5, d95] = spread(runs.iter().map(millionths).collect()).unwrap_or_default();
        let branching_ratio =
            branching(first.forced_total(), self.twin_forced.unwrap_or_else(|| first.forced_total()));
        let same = |a: &Run, b: &Run| {
            a.forced_lots == b.forced_lots
                && a.losses() == b.losses()
                && haircuts(a) == haircuts(b)
                && drawn(a) == drawn(b)
        };
        let mut layers: BTreeMap<String, i128> = BTreeMap::new();
        for e in &shown.tally.events {
            for (layer, paid) in &e.layers {
                *layers.entry(name(&labels.layers, *layer)).or_default() += paid;
            }
        }
        VariantSummary {
            name: self.config.name.clone(),
            what: self.config.what.clone(),
            seeds: runs.len(),
            seed: self.seeds.get(self.shown()).copied().unwrap_or_default(),
            liquidated_usd: usd(shown.forced_total()),
            liquidated_usd_range: range(&Run::forced_total),
            bad_debt_usd: usd(shown.losses()),
            bad_debt_usd_range: range(&Run::losses),
            insurance_drawn_usd: usd(drawn(shown)),
            insurance_drawn_usd_range: range(&drawn),
            insurance_needed_usd: usd(shown.tally.insurance_needed),
            insurance_needed_usd_range: range(&|r| r.tally.insurance_needed),
            taken_from_winners_usd: usd(haircuts(shown)),
            taken_from_winners_usd_range: range(&haircuts),
            branching_ratio,
            branching_warning: !(BRANCHING.0..=BRANCHING.1).contains(&branching_ratio),
            later_rounds_share: if first.forced_total() == 0 {
                0.0
            } else {
                first.later_rounds_notional as f64 / first.forced_total() as f64
            },
            max_drawdown: millionths(shown) as f64 / 1e6,
            max_drawdown_range: [d5, d95].map(|x| x as f64 / 1e6),
            events: shown.tally.events.iter().filter(|e| e.id.is_some()).count() as u64,
            steps: c.steps,
            openings_refused: shown.refused,
            refused_by_breaker: c.refused_by_breaker,
            measures: [
                ("full_closes", c.full_closes),
                ("partial_closes", c.partial_closes),
                ("takeovers", c.takeovers),
                ("deleverages", c.deleverages),
                ("haircuts", c.haircuts),
                ("draws", c.draws),
                ("orders", c.orders),
            ]
            .into(),
            layers_usd: layers.into_iter().map(|(k, v)| (k, usd(v))).collect(),
            taken_from_suppliers_usd: usd(suppliers(shown)),
            breaker_trips: by_name(&labels.breakers, &c.trips),
            breaker_limits: by_name(&labels.breakers, &c.limits),
            no_effect: runs.iter().zip(replay).all(|(a, b)| same(a, b)),
            open_deficit_usd: usd(shown.open_deficit),
            state_hash: hex(&first.state_hash),
        }
    }
}

impl StudyOutcome {
    /// The summary, without lending, which the caller adds.
    #[must_use]
    pub fn summary(
        &self,
        study: &super::Study,
        reach: &Reach,
        labels: &dyn Fn(&super::VariantConfig) -> Labels,
    ) -> Summary {
        let p = &study.prepared;
        let replay = &self.replay.runs;
        let first = &replay[0];
        let used = p.schedule.max_leverage(0);
        let point = implied::share_curve(&p.minutes, reach, &[used]).into_iter().next();
        let profiles = implied::profiles(&self.book.implied.openings);
        let sum = |v: &[i64]| v.iter().sum::<i64>();
        let own = |r: &Run| r.own_minute_lots as f64 / r.implied_lots.max(1) as f64;
        let b = &self.blind;
        let e = &b.expected.sides;
        let mut all = Sha256::new();
        let everything = std::iter::once(&self.replay).chain(&self.mutations).chain(&self.variants);
        for run in everything.flat_map(|v| &v.runs) {
            all.update(run.state_hash);
        }
        for case in self.linked.iter().flat_map(|c| &c.seeds) {
            all.update(case.linked.state_hash);
            case.independent.iter().for_each(|(_, r)| all.update(r.state_hash));
        }
        Summary {
            format: FORMAT,
            scenario: p.scenario.name.clone(),
            state_hash: hex(&first.state_hash),
            study_hash: hex(&all.finalize()),
            replay: ReplaySummary {
                observed_long_eth: eth(sum(&p.minutes.long)),
                observed_short_eth: eth(sum(&p.minutes.short)),
                implied_long_eth: eth(sum(&self.book.implied.implied.long)),
                implied_short_eth: eth(sum(&self.book.implied.implied.short)),
                liquidated_long_eth: eth(sum(&first.forced_lots[0])),
                liquidated_short_eth: eth(sum(&first.forced_lots[1])),
                implied_share_long: self.book.implied.share(Side::Long),
                implied_share_short: self.book.implied.share(Side::Short),
                correlation_long: correlation(first, &p.minutes, Side::Long),
                correlation_short: correlation(first, &p.minutes, Side::Short),
                in_own_minute_share: own(first),
                placebo_max_share: point
                    .as_ref()
                    .map_or(0.0, |x| x.placebo.long.max.max(x.placebo.short.max)),
                placebo_mean_share_long: point.as_ref().map_or(0.0, |x| x.placebo.long.mean),
                placebo_mean_share_short: point.as_ref().map_or(0.0, |x| x.placebo.short.mean),
                above_100x_share: profiles.by_quantity.above_100x,
                above_100x_share_of_accounts: profiles.by_accounts.above_100x,
                opened_within_two_minutes_share: profiles.by_quantity.opened_within_2,
                bad_debt_usd: usd(first.losses()),
                insurance_drawn_usd: usd(drawn(first)),
                conservation_checks: first.conservation_checks,
                conservation_steps: first.steps_conserved,
                branching_ratio: branching(first.forced_total(), self.replay_twin),
            },
            mutations: self
                .mutations
                .iter()
                .map(|m| {
                    let share = m.runs.first().map_or(0.0, own);
                    MutationSummary {
                        name: m.config.name.clone(),
                        in_own_minute_share: share,
                        caught: share < own(first),
                    }
                })
                .collect(),
            blind: BlindSummary {
                correlation_minute_long: e.long.test.minute_r,
                correlation_minute_short: e.short.test.minute_r,
                correlation_hour_long: e.long.test.hour_r,
                correlation_hour_short: e.short.test.hour_r,
                total_ratio_long: e.long.test.total_ratio,
                total_ratio_short: e.short.test.total_ratio,
                engine_correlation_minute_long: b.engine_minute_r.long,
                engine_correlation_minute_short: b.engine_minute_r.short,
                engine_correlation_hour_long: b.engine_hour_r.long,
                engine_correlation_hour_short: b.engine_hour_r.short,
                engine_total_ratio_long: b.engine_total_ratio.long,
                engine_total_ratio_short: b.engine_total_ratio.short,
                adverse_return_correlation_minute_long: e.long.adverse_return.minute_r,
                adverse_return_correlation_minute_short: e.short.adverse_return.minute_r,
                placebo_max_correlation: e.long.placebo.max.max(e.short.placebo.max),
                rate_long_eth_per_minute: e.long.rate_lots / 1e3,
                rate_short_eth_per_minute: e.short.rate_lots / 1e3,
            },
            variants: self.variants.iter().map(|v| v.summary(replay, &labels(&v.config))).collect(),
            linked: self.linked.iter().map(|case| linked_summary(case, replay)).collect(),
            lending: None,
        }
    }
}

fn linked_summary(case: &super::LinkedCase, replay: &[Run]) -> LinkedSummary {
    let linked = || case.seeds.iter().map(|s| &s.linked);
    let shifted = || case.seeds.iter().flat_map(|s| s.independent.iter().map(|(_, r)| r));
    let (linked_liquidated_usd, linked_liquidated_usd_range) = money(linked(), Run::forced_total);
    let (linked_bad_debt_usd, linked_bad_debt_usd_range) = money(linked(), Run::losses);
    let (independent_liquidated_usd, independent_liquidated_usd_range) = money(shifted(), Run::forced_total);
    let (independent_bad_debt_usd, independent_bad_debt_usd_range) = money(shifted(), Run::losses);
    let seeds: Vec<LinkedSeedSummary> =
        case.seeds.iter().zip(replay).map(|(s, r)| linked_seed(s, r)).collect();
    let millionths = seeds.iter().map(|s| (s.excess_ratio * 1e6) as i64).collect();
    let [excess_ratio, low, high] = spread(millionths).unwrap_or_default().map(|x| x as f64 / 1e6);
    LinkedSummary {
        depth: case.depth,
        linked_liquidated_usd,
        linked_liquidated_usd_range,
        linked_bad_debt_usd,
        linked_bad_debt_usd_range,
        independent_liquidated_usd,
        independent_liquidated_usd_range,
        independent_bad_debt_usd,
        independent_bad_debt_usd_range,
        excess_ratio,
        excess_ratio_range: [low, high],
        seeds,
    }
}

fn linked_seed(case: &super::LinkedSeed, replay: &Run) -> LinkedSeedSummary {
    let independent: Vec<i128> = case.independent.iter().map(|(_, r)| r.forced_total()).collect();
    let [median, ..] = spread(independent.clone()).unwrap_or_default();
    let beyond = |total: i128| (total - replay.forced_total()) as f64;
    LinkedSeedSummary {
        seed: case.seed,
        linked_liquidated_usd: usd(case.linked.forced_total()),
        linked_bad_debt_usd: usd(case.linked.losses()),
        independent_liquidated_usd: independent.into_iter().map(usd).collect(),
        independent_bad_debt_usd: case.independent.iter().map(|(_, r)| usd(r.losses())).collect(),
        excess_ratio: if beyond(median) > 0.0 {
            beyond(case.linked.forced_total()) / beyond(median)
        } else {
            0.0
        },
    }
}

#[cfg(test)]
mod tests {
    use super::spread;

    #[test]
    fn a_spread_is_median_p5_and_p95_by_nearest_rank() {
        let hundred: Vec<i128> = (1..=100).rev().collect();
        for (values, want) in [
            (vec![], None),
            (vec![7], Some([7, 7, 7])),
            (vec![3, 1, 2], Some([2, 1, 3])),
            (vec![4, 3, 2, 1], Some([2, 1, 4])),
            (hundred, Some([50, 5, 95])),
        ] {
            assert_eq!(spread(values.clone()), want, "{values:?}");
        }
    }
}
