//! What a drawn book looks like: quantiles of leverage and age, by quantity and by account, beside the naive rules.

use super::{End, Opening, Rule, Windows};

/// The levels at which quantiles are reported.
pub const LEVELS: [f64; 9] = [0.01, 0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95, 0.99];

/// Above this leverage an account counts as extreme.
const EXTREME_LEVERAGE: f64 = 100.0;

/// Up to this age in rows an account counts as fresh.
const FRESH_ROWS: usize = 2;

/// Leverage at opening and age at liquidation, under one weighting.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Profile {
    /// Leverage at [`LEVELS`].
    pub leverage: [f64; 9],
    /// Age in rows at [`LEVELS`].
    pub age: [usize; 9],
    /// Share above 100x.
    pub above_100x: f64,
    /// Share opened two minutes before its liquidation or later.
    pub opened_within_2: f64,
}

/// The same book weighed in two ways.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Profiles {
    /// Every lot counts the same: what the bounds on extremes are stated for.
    pub by_quantity: Profile,
    /// Every account counts the same: minutes with a few lots weigh more.
    pub by_accounts: Profile,
    /// Number of accounts.
    pub accounts: usize,
    /// Number of lots.
    pub lots: i64,
}

/// A rule and what its book looks like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RuleProfiles {
    /// How openings were chosen.
    pub rule: Rule,
    /// Both sides together.
    pub profiles: Profiles,
}

/// Draws the same record under every rule.
#[must_use]
pub fn compare_rules(windows: &Windows<'_>, seed: u64) -> Vec<RuleProfiles> {
    let one = |rule| RuleProfiles { rule, profiles: profiles(&windows.draw(seed, rule).openings) };
    Rule::ALL.map(one).into()
}

/// Profiles of those openings that end in liquidation. Filter by side first for one side.
#[must_use]
pub fn profiles<'a>(openings: impl IntoIterator<Item = &'a Opening>) -> Profiles {
    let lives: Vec<Life> = openings
        .into_iter()
        .filter_map(|opening| match opening.end {
            End::Liquidated { minute } => Some(Life {
                leverage: opening.leverage(),
                age: minute.saturating_sub(opening.opened),
                lots: opening.lots,
            }),
            _ => None,
        })
        .collect();
    Profiles {
        by_quantity: profile(&lives, |life| life.lots),
        by_accounts: profile(&lives, |_| 1),
        accounts: lives.len(),
        lots: lives.iter().map(|life| life.lots).sum(),
    }
}

struct Life {
    leverage: f64,
    age: usize,
    lots: i64,
}

fn profile(lives: &[Life], weight: impl Fn(&Life) -> i64) -> Profile {
    let total = lives.iter().map(&weight).sum::<i64>().max(1) as f64;
    let share = |pick: &dyn Fn(&Life) -> bool| {
        lives.iter().filter(|life| pick(life)).map(&weight).sum::<i64>() as f64 / total
    };
    Profile {
        leverage: quantiles(lives.iter().map(|life| (life.leverage, weight(life))).collect()),
        // Ages are row counts, far below 2^53: exact both ways.
        age: quantiles(lives.iter().map(|life| (life.age as f64, weight(life))).collect())
            .map(|a| a as usize),
        above_100x: share(&|life| life.leverage > EXTREME_LEVERAGE),
        opened_within_2: share(&|life| life.age <= FRESH_ROWS),
    }
}

/// The smallest value at which the running weight reaches each level of the total.
fn quantiles(mut values: Vec<(f64, i64)>) -> [f64; 9] {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut running = 0;
    let sums: Vec<i64> = values
        .iter()
        .map(|&(_, weight)| {
            running += weight;
            running
        })
        .collect();
    LEVELS.map(|level| {
        let at = sums.partition_point(|&sum| (sum as f64) < level * running as f64);
        values.get(at).map_or(0.0, |&(value, _)| value)
    })
}
