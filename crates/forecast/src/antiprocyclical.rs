//! Three ways to keep margin from rising just when money is short: a clearing house has to use at least one of them (Commission
//! Delegated Regulation (EU) 153/2013, article 28(1)). Margin is linear in the scan range of an underlying, so each is applied to
//! the range before a grid is computed, or to a whole requirement; the unit is the caller's.
//!
//! - (a) a buffer of at least 25 % of the calculated margin, which may be used up while calculated margin rises;
//! - (b) a weight of at least 25 % for stressed observations in the look-back period;
//! - (c) margin not lower than with volatility estimated over ten years.

use crate::{ForecastError, accept, not_negative};

/// The least share that the rule accepts for buffer and stress weight.
const LEAST: f64 = 0.25;

/// A buffer on calculated margin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Buffer {
    share: f64,
    rebuild: f64,
}

impl Buffer {
    /// `share` of calculated margin, at least a quarter; `rebuild` is the part of a missing buffer that comes back per step
    /// (the rule wants a policy for how a used buffer is replenished).
    pub fn new(share: f64, rebuild: f64) -> Result<Self, ForecastError> {
        accept(share >= LEAST, "share", share, "at least 0.25 (EU 153/2013 art. 28(1)(a))")?;
        accept((0.0..=1.0).contains(&rebuild), "rebuild", rebuild, "0 to 1")?;
        Ok(Self { share, rebuild })
    }

    /// What is charged now, after `before` was: never less than calculated, never more than with a full buffer. A rise is taken
    /// out of the buffer first.
    ///
    /// `charged = before + rebuild (full - before)`, held within `[calculated, full]`, with `full = calculated (1 + share)`
    pub fn charged(&self, before: f64, calculated: f64) -> Result<f64, ForecastError> {
        not_negative("before", before)?;
        not_negative("calculated", calculated)?;
        let full = calculated * (1.0 + self.share);
        Ok((before + self.rebuild * (full - before)).clamp(calculated, full))
    }
}

/// `(1 - weight) current + weight stressed`; the weight is at least a quarter.
pub fn stress_weighted(current: f64, stressed: f64, weight: f64) -> Result<f64, ForecastError> {
    not_negative("current", current)?;
    not_negative("stressed", stressed)?;
    accept((LEAST..=1.0).contains(&weight), "weight", weight, "0.25 to 1 (EU 153/2013 art. 28(1)(b))")?;
    Ok((1.0 - weight) * current + weight * stressed)
}

/// The larger of what is calculated now and what ten years of observations give.
pub fn floored(calculated: f64, ten_years: f64) -> Result<f64, ForecastError> {
    not_negative("calculated", calculated)?;
    not_negative("ten_years", ten_years)?;
    Ok(calculated.max(ten_years))
}
