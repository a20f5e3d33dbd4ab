//! A grid of shocks: the underlying's price by shares of a range, its volatility by shares of another, and how much of the
//! resulting change counts.
//!
//! The shape is the user's. [`Grid::thirds`] is the one that scanning methods of the SPAN type are known for: no move and one, two and
//! three thirds of the price range each way, each with volatility up and down, and two extreme moves of which a part counts. Which
//! multiple and which part differs between clearing houses and years (three times and 33 %; in McMillan's example of the S&P 500
//! future an extreme move of twice the range of which 35 % count, "Options as a Strategic Investment", ch. 34), so neither has a
//! default.

use crate::instrument::{Instrument, Underlying, Values};
use crate::{ForecastError, accept, not_negative, positive};

/// One scenario.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shock {
    /// Move of the price, in price ranges; negative is down.
    pub price: f64,
    /// Move of the volatility, in volatility ranges.
    pub volatility: f64,
    /// The share of the change that counts: one but for extreme moves.
    pub covered: f64,
}

/// How far price and volatility are moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ranges {
    /// The price scan range, in the numeraire.
    pub price: f64,
    /// The volatility scan range: 0.04 is four points.
    pub volatility: f64,
}

/// Scenarios in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Grid {
    shocks: Vec<Shock>,
}

impl Grid {
    /// Any shocks: at least one, at most as many as a stack records per market.
    pub fn new(shocks: Vec<Shock>) -> Result<Self, ForecastError> {
        let most = cofferdam_core::SCENARIOS_MAX;
        let count = shocks.len() as f64;
        accept((1..=most).contains(&shocks.len()), "shocks", count, "1 to 4096 scenarios")?;
        for s in &shocks {
            accept(true, "price", s.price, "a number of price ranges")?;
            accept(true, "volatility", s.volatility, "a number of volatility ranges")?;
            accept((0.0..=1.0).contains(&s.covered), "covered", s.covered, "a share between 0 and 1")?;
        }
        Ok(Self { shocks })
    }

    /// Sixteen scenarios: 0, +1/3, -1/3, +2/3, -2/3, +1 and -1 range, each with volatility up and then down; last the extreme
    /// moves up and down of `extreme` ranges, with volatility as it is, of which the share `covered` counts.
    pub fn thirds(extreme: f64, covered: f64) -> Result<Self, ForecastError> {
        positive("extreme", extreme)?;
        let mut shocks = Vec::with_capacity(16);
        for thirds in [0.0, 1.0, -1.0, 2.0, -2.0, 3.0, -3.0] {
            for volatility in [1.0, -1.0] {
                shocks.push(Shock { price: thirds / 3.0, volatility, covered: 1.0 });
            }
        }
        for price in [extreme, -extreme] {
            shocks.push(Shock { price, volatility: 0.0, covered });
        }
        Self::new(shocks)
    }

    /// The shocks in order.
    #[must_use]
    pub fn shocks(&self) -> &[Shock] {
        &self.shocks
    }

    /// An instrument's value now and in every scenario, in steps of `tick`. A price that a move would take to zero or below
    /// is refused: the range is then too wide for moves that add.
    pub fn values(
        &self,
        instrument: &Instrument,
        now: &Underlying,
        ranges: &Ranges,
        tick: f64,
    ) -> Result<Values, ForecastError> {
        positive("price", now.price)?;
        not_negative("ranges.price", ranges.price)?;
        not_negative("ranges.volatility", ranges.volatility)?;
        let value = instrument.value(now, now.price, 0.0)?;
        let mut changes = Vec::with_capacity(self.shocks.len());
        for s in &self.shocks {
            let price = now.price + s.price * ranges.price;
            accept(price > 0.0, "ranges.price", ranges.price, "a range that keeps the price above zero")?;
            let shocked = instrument.value(now, price, s.volatility * ranges.volatility)?;
            changes.push(s.covered * (shocked - value));
        }
        Values::new(value, &changes, tick)
    }
}
