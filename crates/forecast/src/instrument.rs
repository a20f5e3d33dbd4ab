//! What is valued, and its values in ticks.
//!
//! A recorded set of values is a base and, per scenario, a low and a high tick. What margin reads of it is the change from the base, so
//! it is the change that is rounded outwards: `low = base + floor(change)`, `high = base + ceil(change)`, in ticks. A long position
//! takes low and a short one high, so that neither profits from the rounding.

use crate::{Black76, ForecastError, Kind, accept, positive};
use cofferdam_core::{ScenarioPrice, Ticks};
use libm::{ceil, floor, round};

/// The underlying now.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Underlying {
    /// Its price (of the future, or forward to the option's expiry), in the numeraire.
    pub price: f64,
    /// The rate at which option premiums are discounted, continuously compounded; zero for futures-style options.
    pub rate: f64,
}

/// A European option.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Call or put.
    pub kind: Kind,
    /// At which price.
    pub strike: f64,
    /// Years to expiry.
    pub years: f64,
    /// Implied volatility now.
    pub volatility: f64,
}

/// What is valued.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Instrument {
    /// The underlying itself: a future or perpetual.
    Future,
    /// An option on it.
    Option(Terms),
}

impl Instrument {
    /// Its value with the underlying at `price` and its volatility moved by `shift` (never below zero), in the numeraire.
    pub fn value(&self, now: &Underlying, price: f64, shift: f64) -> Result<f64, ForecastError> {
        match self {
            Self::Future => Ok(price),
            Self::Option(t) => {
                let volatility = (t.volatility + shift).max(0.0);
                Ok(Black76::new(price, t.strike, t.years, volatility, now.rate)?.price(t.kind))
            }
        }
    }
}

/// Values of one instrument, ready to be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Values {
    /// Its value now, to the nearest tick.
    pub base: Ticks,
    /// Its value in each scenario, in the scenarios' order.
    pub scenarios: Vec<ScenarioPrice>,
}

impl Values {
    /// From a value now and changes of it; `tick` is the step of the instrument's price.
    pub(crate) fn new(now: f64, changes: &[f64], tick: f64) -> Result<Self, ForecastError> {
        positive("tick", tick)?;
        let base = whole("value", round(now / tick))?;
        let mut scenarios = Vec::with_capacity(changes.len());
        for change in changes {
            let change = snapped(change / tick);
            let at = |ticks: f64| whole("change", ticks).map(|t| base.saturating_add(t));
            let (low, high) = (at(floor(change))?, at(ceil(change))?);
            scenarios.push(ScenarioPrice { low: Ticks::new(low), high: Ticks::new(high) });
        }
        Ok(Self { base: Ticks::new(base), scenarios })
    }
}

// a millionth of a tick is noise of the division, not a change
fn snapped(ticks: f64) -> f64 {
    let near = round(ticks);
    if (ticks - near).abs() < 1e-6 { near } else { ticks }
}

// whole ticks up to 2^52 are exact in a float, and leave room for a sum of two in 64 bits
fn whole(field: &'static str, ticks: f64) -> Result<i64, ForecastError> {
    accept(ticks.abs() <= 4.5e15, field, ticks, "at most 2^52 ticks")?;
    Ok(ticks as i64)
}
