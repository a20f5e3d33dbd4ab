//! Laws on small markets, then the recorded month against the numbers that a separate Python prototype found.

mod laws;
mod month;

use super::*;

/// Binance USD-M ETHUSDT, October 2024: floor in USD, maintenance in 1e-4, largest leverage.
const ETHUSDT: [(i128, i64, u32); 12] = [
    (0, 40, 125),
    (50_000, 50, 100),
    (600_000, 65, 75),
    (3_000_000, 100, 50),
    (12_000_000, 200, 25),
    (50_000_000, 250, 20),
    (65_000_000, 500, 10),
    (150_000_000, 1_000, 5),
    (320_000_000, 1_250, 4),
    (400_000_000, 1_500, 3),
    (530_000_000, 2_500, 2),
    (800_000_000, 5_000, 1),
];

fn tiers() -> Vec<Tier> {
    let tier = |&(usd, rate, max_leverage)| Tier {
        lower_notional_quanta: usd * 1_000_000,
        maintenance_ppb: rate * 100_000,
        max_leverage,
    };
    ETHUSDT.iter().map(tier).collect()
}

fn schedule() -> Schedule {
    Schedule::new(&tiers()).unwrap()
}

fn near(found: f64, wanted: f64, within: f64) {
    assert!((found - wanted).abs() <= within, "found {found}, want {wanted} within {within}");
}
