//! Valuation outside the stack: what an instrument would be worth in each scenario, as low and high ticks that enter a stack
//! as recorded inputs.
//!
//! Floats live here. Nothing of this crate runs inside a state transition: it computes before the input is sent, and the
//! integers that it sends are what is recorded, hashed and replayed. Powers, logarithms and the error function come from the
//! `libm` crate, so that one input gives one result on every machine.
//!
//! The type a reader must know is [`Grid`]: shocks of an underlying's price and volatility, in which [`Grid::values`] revalues an
//! [`Instrument`].
//!
//! ```
//! use cofferdam_forecast::{Grid, Instrument, Kind, Ranges, Terms, Underlying};
//! // thirds of a range of 300, volatility 4 points up and down, and three times the range counted for a third
//! let grid = Grid::thirds(3.0, 0.33)?;
//! let now = Underlying { price: 3_000.0, rate: 0.0 };
//! let ranges = Ranges { price: 300.0, volatility: 0.04 };
//! let call = Terms { kind: Kind::Call, strike: 3_200.0, years: 0.25, volatility: 0.6 };
//! let values = grid.values(&Instrument::Option(call), &now, &ranges, 0.01)?;
//! assert_eq!(values.scenarios.len(), 16);
//! assert!(values.scenarios.iter().all(|s| s.low <= s.high));
//! # Ok::<(), cofferdam_forecast::ForecastError>(())
//! ```

mod antiprocyclical;
mod black76;
mod grid;
mod historical;
mod instrument;

pub use antiprocyclical::{Buffer, floored, stress_weighted};
pub use black76::{Black76, Greeks, Kind};
pub use grid::{Grid, Ranges, Shock};
pub use historical::{Filtered, average_beyond, ewma, quantile};
pub use instrument::{Instrument, Terms, Underlying, Values};

/// What this crate refuses: a parameter outside its range, also one that is not a number.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("{field} is {value}; accepted is {accepted}")]
pub struct ForecastError {
    /// Which parameter.
    pub field: &'static str,
    /// What it was.
    pub value: f64,
    /// What would be accepted.
    pub accepted: &'static str,
}

/// Refuses a parameter; what is not a number fails every comparison and is refused with them.
fn accept(good: bool, field: &'static str, value: f64, accepted: &'static str) -> Result<(), ForecastError> {
    if good && value.is_finite() { Ok(()) } else { Err(ForecastError { field, value, accepted }) }
}

/// The same of one that must be above zero.
fn positive(field: &'static str, value: f64) -> Result<(), ForecastError> {
    accept(value > 0.0, field, value, "a number above zero")
}

/// The same of one that must not be below zero.
fn not_negative(field: &'static str, value: f64) -> Result<(), ForecastError> {
    accept(value >= 0.0, field, value, "zero or more")
}
