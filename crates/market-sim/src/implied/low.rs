//! Accounts at low leverage: never liquidated, so no record says anything about them. A stated quantity per side, split evenly,
//! opened at the mid and renewed at a fixed interval so that its entry prices stay near the market.

use super::schedule::gain;
use super::{Class, End, ImpliedError, Opening, Schedule, Side, check_minutes};
use crate::data::{Minutes, UNITS_MAX};

/// The assumption, all of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowLeverage {
    /// Lots per side at any time.
    pub lots_per_side: i64,
    /// Accounts per side among which they are split evenly, the rest to the first; 1 to 10000.
    pub accounts: usize,
    /// Leverage of the least levered account; above 0.
    pub leverage_min: f64,
    /// Leverage of the most levered account; the others lie between, evenly in the logarithm.
    pub leverage_max: f64,
    /// Rows after which every account is closed and opened again at the mid.
    pub renew_rows: usize,
    /// How far a liquidation price stays from every mid of its interval, relative to that mid; leverage is lowered until it
    /// does. 0 to 0.9.
    pub distance_min: f64,
}

impl Default for LowLeverage {
    /// 300,000 ETH per side in lots of 0.001 ETH, 16 accounts at 1.2x to 3x, renewed daily, 15 % away: a guess, and a parameter.
    fn default() -> Self {
        Self {
            lots_per_side: 300_000_000,
            accounts: 16,
            leverage_min: 1.2,
            leverage_max: 3.0,
            renew_rows: 1_440,
            distance_min: 0.15,
        }
    }
}

/// Opens, closes and renews the accounts over all rows: longs and shorts of the same sizes.
///
/// # Errors
/// Parameters or minutes outside their ranges.
pub fn low_leverage(
    minutes: &Minutes,
    schedule: &Schedule,
    assumed: &LowLeverage,
) -> Result<Vec<Opening>, ImpliedError> {
    check_minutes(minutes)?;
    check(assumed)?;
    let (rows, mut openings) = (minutes.len(), Vec::new());
    for opened in (0..rows).step_by(assumed.renew_rows) {
        let gone = opened.saturating_add(assumed.renew_rows).min(rows);
        let end = if gone == rows { End::Held } else { End::Closed { minute: gone } };
        for side in Side::BOTH {
            let mids = &minutes.mid[opened..gone];
            let worst = mids.iter().fold(mids[0], |worst, &mid| side.worse(worst, mid));
            for account in 0..assumed.accounts {
                let (lots, entry) = (assumed.lots(account), mids[0]);
                let collateral =
                    collateral(side, lots, entry, worst, assumed.leverage(account), assumed, schedule);
                let class = Class::LowLeverage;
                openings.push(Opening { side, opened, lots, entry, collateral, end, class });
            }
        }
    }
    Ok(openings)
}

/// Collateral for the leverage, or more where the worst mid of the interval would come too near.
fn collateral(
    side: Side,
    lots: i64,
    entry: i64,
    worst: i64,
    leverage: f64,
    assumed: &LowLeverage,
    schedule: &Schedule,
) -> i128 {
    let by_leverage = ((i128::from(lots) * i128::from(entry)) as f64 / leverage) as i128 + 1;
    // Healthy at the price that far beyond the worst mid; the cast drops a fraction of a tick.
    let far = worst as f64 * (1.0 - side.sign() as f64 * assumed.distance_min);
    let far = far as i64;
    let by_distance = schedule.maintenance(i128::from(lots) * i128::from(far)) - gain(side, lots, entry, far);
    by_leverage.max(by_distance).max(schedule.least_collateral(lots, entry))
}

impl LowLeverage {
    fn lots(&self, account: usize) -> i64 {
        let accounts = self.accounts as i64; // at most 10,000
        self.lots_per_side / accounts + if account == 0 { self.lots_per_side % accounts } else { 0 }
    }

    /// min (max / min)^(i / (n - 1))
    fn leverage(&self, account: usize) -> f64 {
        let part = account as f64 / self.accounts.saturating_sub(1).max(1) as f64;
        self.leverage_min * libm::pow(self.leverage_max / self.leverage_min, part)
    }
}

fn check(assumed: &LowLeverage) -> Result<(), ImpliedError> {
    let refuse = |field, value, accepted| Err(ImpliedError::Parameter { field, value, accepted });
    let LowLeverage { lots_per_side, accounts, leverage_min, leverage_max, renew_rows, distance_min } =
        *assumed;
    if !(1..=10_000).contains(&accounts) {
        return refuse("low_leverage.accounts", accounts.to_string(), "1 to 10000");
    }
    if !(accounts as i64..=UNITS_MAX).contains(&lots_per_side) {
        return refuse(
            "low_leverage.lots_per_side",
            lots_per_side.to_string(),
            "a lot per account to 1e11 lots",
        );
    }
    if !(0.01..=1e3).contains(&leverage_min) || !(leverage_min..=1e3).contains(&leverage_max) {
        let value = format!("{leverage_min} to {leverage_max}");
        return refuse("low_leverage.leverage", value, "0.01 to 1000, the smaller first");
    }
    if renew_rows == 0 {
        return refuse("low_leverage.renew_rows", renew_rows.to_string(), "at least 1");
    }
    if !(0.0..=0.9).contains(&distance_min) {
        return refuse("low_leverage.distance_min", distance_min.to_string(), "0 to 0.9");
    }
    Ok(())
}
