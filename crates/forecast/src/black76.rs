//! European options on a forward or future (Black 1976, "The pricing of commodity contracts", Journal of Financial Economics 3,
//! 167-179):
//!
//! ```text
//! call = e^(-rT) (F N(d1) - K N(d2))      d1 = (ln(F/K) + s^2 T / 2) / (s sqrt T)
//! put  = e^(-rT) (K N(-d2) - F N(-d1))    d2 = d1 - s sqrt T
//! ```
//!
//! With `T` or `s` at zero it is the discounted payoff.

use crate::{ForecastError, accept, not_negative, positive};
use libm::{erfc, exp, log, sqrt};

/// A right to buy or to sell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To buy.
    Call,
    /// To sell.
    Put,
}

/// What the price depends on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Black76 {
    forward: f64,
    strike: f64,
    years: f64,
    volatility: f64,
    rate: f64,
}

/// First and second derivatives of the price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Greeks {
    /// By the forward.
    pub delta: f64,
    /// By the forward, twice.
    pub gamma: f64,
    /// By the volatility, per 1.0 (100 points).
    pub vega: f64,
}

impl Black76 {
    /// Forward and strike in the same unit, time in years, volatility per square root of a year, rate continuously
    /// compounded. A futures-style option, whose premium is settled daily, has rate zero.
    pub fn new(
        forward: f64,
        strike: f64,
        years: f64,
        volatility: f64,
        rate: f64,
    ) -> Result<Self, ForecastError> {
        positive("forward", forward)?;
        positive("strike", strike)?;
        not_negative("years", years)?;
        not_negative("volatility", volatility)?;
        accept(rate.abs() <= 10.0, "rate", rate, "a rate between -10 and 10")?;
        Ok(Self { forward, strike, years, volatility, rate })
    }

    fn discount(&self) -> f64 {
        exp(-self.rate * self.years)
    }

    // s sqrt T, and d1 where that is above zero
    fn deviation(&self) -> (f64, Option<f64>) {
        let deviation = self.volatility * sqrt(self.years);
        let d1 = log(self.forward / self.strike) / deviation + deviation / 2.0;
        (deviation, (deviation > 0.0).then_some(d1))
    }

    /// The price now, in the unit of the forward.
    #[must_use]
    pub fn price(&self, kind: Kind) -> f64 {
        let (f, k) = (self.forward, self.strike);
        let undiscounted = match (kind, self.deviation()) {
            (Kind::Call, (_, None)) => f - k,
            (Kind::Put, (_, None)) => k - f,
            (Kind::Call, (s, Some(d1))) => f * normal(d1) - k * normal(d1 - s),
            (Kind::Put, (s, Some(d1))) => k * normal(s - d1) - f * normal(-d1),
        };
        // far out of the money the difference of two tiny numbers may come out below zero
        self.discount() * undiscounted.max(0.0)
    }

    /// The greeks now; at expiry those of the payoff (a delta of half its jump at the strike, no gamma, no vega).
    #[must_use]
    pub fn greeks(&self, kind: Kind) -> Greeks {
        let discount = self.discount();
        let (s, Some(d1)) = self.deviation() else {
            let up = if self.forward > self.strike {
                1.0
            } else if self.forward < self.strike {
                0.0
            } else {
                0.5
            };
            let delta = discount * if kind == Kind::Call { up } else { up - 1.0 };
            return Greeks { delta, gamma: 0.0, vega: 0.0 };
        };
        let delta = match kind {
            Kind::Call => discount * normal(d1),
            Kind::Put => -discount * normal(-d1),
        };
        let density = exp(-d1 * d1 / 2.0) / sqrt(2.0 * std::f64::consts::PI);
        Greeks {
            delta,
            gamma: discount * density / (self.forward * s),
            vega: discount * self.forward * density * sqrt(self.years),
        }
    }
}

/// The standard normal distribution function, by the complementary error function: no cancellation in the left tail.
fn normal(x: f64) -> f64 {
    erfc(-x * std::f64::consts::FRAC_1_SQRT_2) / 2.0
}
