//! Who borrows, when and how much: drawn once, before the run, from the scenario's seed alone.

use super::scenario::LendingScenario;
use crate::data::Minutes;
use crate::implied::{Side, Stream};

/// Tells these draws from others of the same seed.
const DOMAIN: u64 = 4;

/// A loan to be opened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Planned {
    /// In the first row at or after this time.
    pub(super) time_ms: u64,
    /// Collateral in atoms.
    pub(super) collateral: i128,
    /// Loan-to-value ratio at the stack's price of that moment, in parts per billion.
    pub(super) ltv_ppb: i64,
    /// Whether the borrower follows a rising price.
    pub(super) follows: bool,
}

/// All loans in order of their time. `atoms` is one whole unit of collateral.
pub(super) fn plan(scenario: &LendingScenario, minutes: &Minutes, atoms: f64) -> Vec<Planned> {
    let start = minutes.time_ms.first().copied().unwrap_or(0);
    let n = scenario.borrowers;
    let mut draws: Vec<(f64, f64, u64, bool)> = (0..n)
        .map(|i| {
            let mut stream = Stream::new(scenario.seed, DOMAIN, u64::from(i), Side::Long);
            let size = pareto(stream.uniform(), scenario.collateral_alpha, scenario.collateral_spread);
            let ltv = triangular(stream.uniform(), scenario.opening_ltv);
            let after = (stream.uniform() * scenario.opening_ms as f64) as u64;
            (size, ltv, start + after, stream.uniform() < scenario.followers)
        })
        .collect();
    let sum: f64 = draws.iter().map(|d| d.0).sum();
    draws.sort_by_key(|d| d.2);
    let planned = draws.into_iter().map(|(size, ltv, time_ms, follows)| Planned {
        time_ms,
        collateral: (size / sum * scenario.collateral_total * atoms) as i128,
        ltv_ppb: (ltv * 1e9) as i64,
        follows,
    });
    planned.collect()
}

/// Quantile of a Pareto distribution on 1 to `spread`.
fn pareto(u: f64, alpha: f64, spread: f64) -> f64 {
    // F(x) = (1 - x^-a) / (1 - spread^-a)
    let tail = 1.0 - libm::pow(spread, -alpha);
    libm::pow(1.0 - u * tail, -1.0 / alpha)
}

/// Quantile of a triangular distribution.
fn triangular(u: f64, [low, mode, high]: [f64; 3]) -> f64 {
    let width = high - low;
    if width <= 0.0 {
        return low;
    }
    if u * width < mode - low {
        low + libm::sqrt(u * width * (mode - low))
    } else {
        high - libm::sqrt((1.0 - u) * width * (high - mode))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_stay_in_their_ranges() {
        for i in 0..1_000 {
            let u = (f64::from(i) + 0.5) / 1_000.0;
            assert!((1.0..=2_000.0).contains(&pareto(u, 1.1, 2_000.0)));
            assert!((0.30..=0.78).contains(&triangular(u, [0.30, 0.60, 0.78])));
        }
        assert!((triangular(0.625, [0.30, 0.60, 0.78]) - 0.60).abs() < 1e-12, "F(mode) = 0.30 / 0.48");
        assert_eq!(triangular(0.3, [0.5, 0.5, 0.5]), 0.5);
    }
}
