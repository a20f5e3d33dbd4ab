//! What a configuration can be refused for. Every refusal names the place.

use cofferdam_core::Decimal;
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
    /// The same as a file writes it: modules speak of ratios in parts per billion, files of decimals.
    pub(crate) fn in_decimals(self) -> Self {
        let Some(accepted) = decimals(&self.accepted) else { return self };
        let value = ratio(&self.value).unwrap_or(self.value);
        Self { field: self.field, value, accepted }
    }

    fn whole(error: &dyn Display) -> Self {
        Self { field: None, value: error.to_string(), accepted: "a smaller number".into() }
    }
}

// "0 to 1000000000 parts per billion" is "0" to "1"; `None` for what is not about parts per billion
fn decimals(accepted: &str) -> Option<String> {
    let units = [" (100 %)", " (in ppb)", " parts per billion", " ppb"];
    let plain = units.iter().fold(accepted.to_owned(), |text, unit| text.replace(unit, ""));
    let words = plain.split(' ').map(|word| ratio(word).unwrap_or_else(|| word.to_owned()));
    (plain != accepted).then(|| words.collect::<Vec<_>>().join(" "))
}

fn ratio(word: &str) -> Option<String> {
    let digits = if word == "1e9" { "1000000000".to_owned() } else { word.replace(',', "") };
    digits.parse().ok().map(|parts| format!("\"{}\"", Decimal::from_units(parts, -9)))
}

#[cfg(test)]
mod tests {
    use super::decimals;

    #[test]
    fn ratios_are_said_as_files_write_them() {
        for (said, written) in [
            ("0 to 1000000000 parts per billion", "\"0\" to \"1\""),
            ("1 to 1000000000 parts per billion", "\"0.000000001\" to \"1\""),
            ("more than 0 parts per billion", "more than \"0\""),
            ("at most 1,000,000,000 ppb", "at most \"1\""),
            ("0 <= maintenance < 1e9 ppb (100 %)", "\"0\" <= maintenance < \"1\""),
            ("zero or more (in ppb)", "zero or more"),
        ] {
            assert_eq!(decimals(said).as_deref(), Some(written));
        }
        assert_eq!(decimals("0 or more quanta"), None);
    }
}
