//! What a configuration can be refused for. Every refusal names the place.

use std::fmt::Display;

/// A place in a configuration and why it is refused.
///
/// ```
/// use cofferdam_stack::StackConfig;
/// let error = StackConfig::from_toml("[stack]\nname = 'x'\nquantum = 0.01", "stack.toml").unwrap_err();
/// assert_eq!(error.path, "stack.quantum");
/// assert_eq!(error.to_string(), "stack.toml: stack.quantum: floating point `0.01`; accepted: a decimal string such as \"0.001\"");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {path}: {value}; accepted: {accepted}")]
#[non_exhaustive]
pub struct ConfigError {
    /// The file, as the caller named it.
    pub file: String,
    /// Where in it: `margin.markets[0].requirement.tiers[2].maintenance`, or line and column where it is not TOML.
    pub path: String,
    /// What stands there, as it is written.
    pub value: String,
    /// What would be accepted.
    pub accepted: String,
}

impl ConfigError {
    /// A refusal of `value` at `path`.
    #[must_use]
    pub fn new(
        file: impl Into<String>,
        path: impl Into<String>,
        value: impl Display,
        accepted: impl Into<String>,
    ) -> Self {
        Self { file: file.into(), path: path.into(), value: value.to_string(), accepted: accepted.into() }
    }
}

/// A parameter that a module's constructor refused: field, value and what it accepts. Every room's error converts into one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Which parameter; `None` for all of them together.
    pub field: Option<String>,
    /// What it was.
    pub value: String,
    /// What would be accepted.
    pub accepted: String,
}

macro_rules! refusal {
    ($($room:ident::$error:ident),*) => { $(
        impl From<$room::$error> for Refusal {
            fn from(error: $room::$error) -> Self {
                use $room::$error;
                match error {
                    $error::Parameter { field, value, accepted } => Self {
                        field: Some(field.into()),
                        value: value.to_string(),
                        accepted: accepted.into(),
                    },
                    other => Self::whole(&other),
                }
            }
        }
    )* };
}

refusal!(
    cofferdam_oracle::OracleError,
    cofferdam_market::MarketError,
    cofferdam_liquidation_strategy::LiquidationError,
    cofferdam_insurance_layer::InsuranceError,
    cofferdam_circuit_breaker::BreakerError
);

impl From<cofferdam_margin_engine::TermsError> for Refusal {
    fn from(error: cofferdam_margin_engine::TermsError) -> Self {
        use cofferdam_margin_engine::TermsError::{Parameter, Tier};
        match error {
            Parameter { field, value, accepted } => {
                Self { field: Some(field.into()), value: value.to_string(), accepted: accepted.into() }
            }
            Tier { index, field, value, accepted } => Self {
                field: Some(format!("tiers[{index}].{field}")),
                value: value.to_string(),
                accepted: accepted.into(),
            },
            other => Self::whole(&other),
        }
    }
}

impl Refusal {
    fn whole(error: &dyn Display) -> Self {
        Self { field: None, value: error.to_string(), accepted: "a smaller number".into() }
    }
}
