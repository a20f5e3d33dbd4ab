//! What is assumed about the people around the pool, and the variants that are run beside the base.

use super::LendingError;
use crate::data::Minutes;
use crate::feed::FeedRule;
use cofferdam_core::Amount;

const MINUTE_MS: u64 = 60_000;

/// The world around a lending stack in one run. Money in atoms of the debt asset (USDC: 1e-6).
///
/// Nothing of it is recorded data except the prices: sizes, loan-to-value ratios and keepers are assumptions, chosen so
/// that a run is of the order of the largest lending pools of January 2021.
#[derive(Clone, Debug, PartialEq)]
pub struct LendingScenario {
    /// Names the draw of the borrowers; the same seed gives the same run.
    pub seed: u64,
    /// The source whose quotes the stack's price policy reads.
    pub source: u32,
    /// Number of borrowers, one group each.
    pub borrowers: u32,
    /// Collateral of all borrowers together, in whole units of the collateral asset.
    pub collateral_total: f64,
    /// Tail exponent of the sizes: a truncated Pareto distribution.
    pub collateral_alpha: f64,
    /// The largest borrower's collateral over the smallest's.
    pub collateral_spread: f64,
    /// Lowest, most frequent and highest loan-to-value ratio at opening: a triangular distribution. The highest must stay
    /// below the stack's initial weight.
    pub opening_ltv: [f64; 3],
    /// Loans open evenly over this span from the first minute on.
    pub opening_ms: u64,
    /// The share of borrowers who follow a rising price: once a day they borrow back up to their opening ratio, until they
    /// are liquidated for the first time.
    pub followers: f64,
    /// They do where it is at least this share of their collateral's worth.
    pub follow_step: f64,
    /// Groups that supply.
    pub suppliers: u32,
    /// Suppliers follow demand: before a loan they add what keeps utilisation at this.
    pub utilisation: f64,
    /// They add at least this much at a time.
    pub supply_step: Amount,
    /// Keepers, one group each.
    pub keepers: u32,
    /// What each keeper starts with.
    pub keeper_capital: Amount,
    /// A keeper bids only where at least this is left after price impact, sale fee and gas.
    pub profit_min: Amount,
    /// Paid per bid, outside of the stack.
    pub gas: Amount,
    /// Share of the proceeds lost when seized collateral is sold.
    pub sale_fee: f64,
    /// Bids that one keeper gets into the blocks of one minute.
    pub bids_per_minute_max: u32,
    /// No keeper acts from the first instant to the second, milliseconds since 1970.
    pub keepers_absent: Option<(u64, u64)>,
    /// Depth of the market, USD per 1 %.
    pub depth_usd: f64,
    /// Times this.
    pub depth_multiple: f64,
    /// Half-life of what the keepers' sales did to the price, on top of the recorded path.
    pub half_life_ms: u64,
    /// What the stack gets to see of the price, and when.
    pub feed: FeedRule,
    /// Escrowed for the first insurance layer at the start.
    pub fund: Amount,
    /// Length of one entry of the series.
    pub bar_ms: u64,
    /// Every so many inputs, the whole book is compared with the sum of all postings.
    pub check_every: u32,
}

impl Default for LendingScenario {
    /// 2,000 borrowers with 500,000 ETH between them, over the first week, half of whom follow the price.
    fn default() -> Self {
        let usdc = |whole: i128| Amount::new(whole * 1_000_000);
        Self {
            seed: 1,
            source: 1,
            borrowers: 2_000,
            collateral_total: 500_000.0,
            collateral_alpha: 1.1,
            collateral_spread: 2_000.0,
            opening_ltv: [0.30, 0.60, 0.78],
            opening_ms: 7 * 24 * 60 * MINUTE_MS,
            followers: 0.5,
            follow_step: 0.05,
            suppliers: 5,
            utilisation: 0.75,
            supply_step: usdc(100_000),
            keepers: 5,
            keeper_capital: usdc(5_000_000),
            profit_min: usdc(20),
            gas: usdc(60),
            sale_fee: 0.001,
            bids_per_minute_max: 20,
            keepers_absent: None,
            depth_usd: 75e6,
            depth_multiple: 1.0,
            half_life_ms: 30 * MINUTE_MS,
            feed: FeedRule::default(),
            fund: usdc(1_000_000),
            bar_ms: 24 * 60 * MINUTE_MS,
            check_every: 1_000,
        }
    }
}

impl LendingScenario {
    /// Refuses what has no meaning, with the field's name.
    pub(super) fn check(&self) -> Result<(), LendingError> {
        let ratio = |x: f64| x > 0.0 && x < 1.0;
        let [low, mode, high] = self.opening_ltv;
        let rules: [(&'static str, bool, &'static str); 14] = [
            (
                "collateral_total",
                self.collateral_total > 0.0 && self.collateral_total < 1e9,
                "above 0, below 1e9",
            ),
            (
                "collateral_alpha",
                self.collateral_alpha > 0.0 && self.collateral_alpha < 10.0,
                "above 0, below 10",
            ),
            ("collateral_spread", self.collateral_spread >= 1.0 && self.collateral_spread < 1e9, "1 to 1e9"),
            (
                "opening_ltv",
                ratio(low) && ratio(high) && low <= mode && mode <= high,
                "0 < low <= mode <= high < 1",
            ),
            (
                "followers",
                (0.0..=1.0).contains(&self.followers) && ratio(self.follow_step),
                "0 to 1, and a step between them",
            ),
            ("suppliers", self.suppliers > 0 && self.suppliers < 1_000, "1 to 999"),
            ("keepers", self.keepers < 1_000, "at most 999"),
            ("utilisation", ratio(self.utilisation), "above 0, below 1"),
            ("supply_step", self.supply_step.get() > 0, "above 0"),
            ("sale_fee", (0.0..1.0).contains(&self.sale_fee), "0 to 1"),
            ("depth_usd", self.depth_usd > 0.0 && self.depth_multiple > 0.0, "above 0, and its multiple too"),
            ("half_life_ms", self.half_life_ms > 0, "above 0"),
            ("bar_ms", self.bar_ms > 0, "above 0"),
            ("gas", self.gas.get() >= 0 && self.fund.get() >= 0, "0 or more, and the fund too"),
        ];
        match rules.into_iter().find(|(_, good, _)| !good) {
            Some((field, _, accepted)) => Err(LendingError::Scenario { field, accepted }),
            None => Ok(()),
        }
    }
}

/// A scenario with a name.
#[derive(Clone, Debug, PartialEq)]
pub struct LendingVariant {
    /// What it is called in reports.
    pub name: &'static str,
    /// What it changes, in a sentence.
    pub what: &'static str,
    /// The world.
    pub scenario: LendingScenario,
}

/// The base, one thing after another changed, then many at once. The last four are not of that month: they show what the
/// loss rules do.
#[must_use]
pub fn variants(base: &LendingScenario, minutes: &Minutes) -> Vec<LendingVariant> {
    let crash = steepest_fall(minutes, 30 * MINUTE_MS);
    let long_crash = steepest_fall(minutes, 12 * 60 * MINUTE_MS);
    let late = FeedRule { latency_ms: MINUTE_MS, ..base.feed };
    let chainlink = FeedRule { deviation: Some(0.005), heartbeat_ms: 60 * MINUTE_MS, ..base.feed };
    let half = Amount::new(base.fund.get() / 2);
    let quarter = base.depth_multiple / 4.0;
    let few = Amount::new(base.keeper_capital.get() / 5);
    let frozen = FeedRule { outage: long_crash, ..base.feed };
    let crowd = |s: &mut LendingScenario| {
        s.opening_ltv = [0.65, 0.78, 0.79];
        s.followers = 1.0;
    };
    let of = |name, what, change: &dyn Fn(&mut LendingScenario)| {
        let mut scenario = base.clone();
        change(&mut scenario);
        LendingVariant { name, what, scenario }
    };
    vec![
        of("base", "as assumed", &|_| {}),
        of("late", "prices arrive 60 s late", &|s| s.feed = late),
        of("quarter-depth", "a quarter of the depth", &|s| s.depth_multiple = quarter),
        of("deviation-feed", "the feed publishes at 0.5 % moves, else hourly", &|s| s.feed = chainlink),
        of("half-fund", "half of the insurance fund", &|s| s.fund = half),
        of("keepers-absent", "no keeper for the 30 minutes of the steepest fall", &|s| {
            s.keepers_absent = crash
        }),
        of("few-keepers", "one keeper with a fifth of the capital", &|s| {
            s.keepers = 1;
            s.keeper_capital = few;
        }),
        of("all-at-once", "late, quarter depth, half fund, one small keeper", &|s| {
            s.feed = late;
            s.depth_multiple = quarter;
            s.fund = half;
            s.keepers = 1;
            s.keeper_capital = few;
        }),
        of("all-and-absent", "all at once, and no keeper for the 12 hours of the deepest fall", &|s| {
            s.feed = late;
            s.depth_multiple = quarter;
            s.fund = half;
            s.keepers = 1;
            s.keeper_capital = few;
            s.keepers_absent = long_crash;
        }),
        of("frozen-feed", "the feed is silent for the 12 hours of the deepest fall", &|s| s.feed = frozen),
        of("crowded", "all borrowers close to the limit, and all follow the price", &crowd),
        of("crowded-and-absent", "crowded, and no keeper for the 30 minutes of the steepest fall", &|s| {
            crowd(s);
            s.keepers_absent = crash;
        }),
        of(
            "crowded-and-frozen",
            "crowded, quarter depth, half fund, and the feed is silent for the 12 hours",
            &|s| {
                crowd(s);
                s.feed = frozen;
                s.depth_multiple = quarter;
                s.fund = half;
            },
        ),
    ]
}

/// The span of this length over which the price fell most, as a ratio; the first of equal ones. `None` without rows.
#[must_use]
pub fn steepest_fall(minutes: &Minutes, span_ms: u64) -> Option<(u64, u64)> {
    let mut worst: Option<(f64, u64)> = None;
    for (row, &from) in minutes.time_ms.iter().enumerate() {
        let last = minutes.first_at(from + span_ms);
        let Some(&end) = minutes.mid.get(last) else { break };
        let ratio = end as f64 / minutes.mid[row] as f64;
        if worst.is_none_or(|(w, _)| ratio < w) {
            worst = Some((ratio, from));
        }
    }
    worst.map(|(_, from)| (from, from + span_ms))
}
