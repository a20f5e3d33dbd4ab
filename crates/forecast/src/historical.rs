//! Filtered historical simulation: yesterday's returns at today's volatility.
//!
//! - Volatility by exponential weights (RiskMetrics Technical Document, 1996): `v_t = l v_(t-1) + (1-l) r^2`.
//! - Rescaled returns (Hull and White 1998, Journal of Risk 1, 5-19; Barone-Adesi, Giannopoulos and Vosper 1999, Journal of Futures
//!   Markets 19, 583-602): `r*_i = r_i s_T / s_i`, each return divided by the volatility that was known before it.
//! - A holding period of `m` times the period of the returns: `r* sqrt(m)`.
//!
//! Confidence level, decay and holding period are parameters without a default. EMIR asks for 99 %, 99.5 % over the counter
//! (Regulation (EU) 153/2013, articles 24 and 26).

use crate::instrument::{Instrument, Underlying, Values};
use crate::{ForecastError, accept, positive};
use libm::{ceil, exp, sqrt};

/// The variance before each return and after the last one: one more than there are returns. `first` is the variance before
/// the first.
pub fn ewma(returns: &[f64], decay: f64, first: f64) -> Result<Vec<f64>, ForecastError> {
    accept((0.0..1.0).contains(&decay), "decay", decay, "0 <= decay < 1")?;
    positive("first", first)?;
    let mut variances = Vec::with_capacity(returns.len() + 1);
    let mut variance = first;
    for r in returns {
        accept(true, "returns", *r, "numbers")?;
        variances.push(variance);
        variance = decay * variance + (1.0 - decay) * r * r;
    }
    variances.push(variance);
    Ok(variances)
}

/// Returns as they would be at today's volatility, over a holding period.
#[derive(Clone, Debug, PartialEq)]
pub struct Filtered {
    moves: Vec<f64>,
}

impl Filtered {
    /// From log returns in order of time. `first` is the variance before the first of them, `decay` the weight of the past, and
    /// `periods` the holding period (margin period of risk) in periods of the returns.
    pub fn new(returns: &[f64], decay: f64, first: f64, periods: f64) -> Result<Self, ForecastError> {
        positive("periods", periods)?;
        let count = returns.len();
        let fits = (1..=cofferdam_core::SCENARIOS_MAX).contains(&count);
        accept(fits, "returns", count as f64, "1 to 4096 returns")?;
        let variances = ewma(returns, decay, first)?;
        let today = variances.last().copied().unwrap_or(first);
        let moves = returns.iter().zip(&variances).map(|(r, v)| {
            let ratio = if *v > 0.0 { sqrt(today / v) } else { 1.0 };
            r * ratio * sqrt(periods)
        });
        Ok(Self { moves: moves.collect() })
    }

    /// The rescaled log returns, in order of time.
    #[must_use]
    pub fn moves(&self) -> &[f64] {
        &self.moves
    }

    /// An instrument's value now and after every move, in steps of `tick`; implied volatility stays.
    pub fn values(
        &self,
        instrument: &Instrument,
        now: &Underlying,
        tick: f64,
    ) -> Result<Values, ForecastError> {
        positive("price", now.price)?;
        let value = instrument.value(now, now.price, 0.0)?;
        let change = |r: &f64| Ok(instrument.value(now, now.price * exp(*r), 0.0)? - value);
        let changes: Result<Vec<f64>, ForecastError> = self.moves.iter().map(change).collect();
        Values::new(value, &changes?, tick)
    }
}

fn rank(losses: &[f64], level: f64) -> Result<(Vec<f64>, usize), ForecastError> {
    accept(!losses.is_empty(), "losses", 0.0, "at least one")?;
    accept(level > 0.0 && level < 1.0, "level", level, "a confidence level between 0 and 1")?;
    let mut sorted = losses.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    // n (1 - a) losses may be larger; a hair keeps 100 x (1 - 0.99) at one
    let beyond = (losses.len() as f64 * (1.0 - level) + 1e-9).floor();
    Ok((sorted, beyond as usize))
}

/// The loss that at most a share of `1 - level` of the scenarios exceed: of 500 losses at 99 % the sixth largest. Which number
/// this is in a sorted list is what a scenario margin calls its rank.
pub fn quantile(losses: &[f64], level: f64) -> Result<f64, ForecastError> {
    let (sorted, beyond) = rank(losses, level)?;
    Ok(sorted.get(beyond).or(sorted.last()).copied().unwrap_or(0.0))
}

/// The average of the worst share of `1 - level` of the scenarios, at least of one (expected shortfall; unlike the quantile it never
/// falls when two books are added: Acerbi and Tasche 2002, Journal of Banking and Finance 26, 1487-1503).
pub fn average_beyond(losses: &[f64], level: f64) -> Result<f64, ForecastError> {
    let (sorted, _) = rank(losses, level)?;
    let count = ceil(losses.len() as f64 * (1.0 - level) - 1e-9).max(1.0);
    let worst = sorted.iter().take(count as usize);
    Ok(worst.sum::<f64>() / count)
}
