//! How the insurers of a variant behave, as the scenario file says it.

use super::config::StudyError;
use crate::perp::InsurerPlan;
use cofferdam_core::{LayerId, Millis, Ppb, Quanta};
use serde::Deserialize;

/// How an insurer who promised behaves. See [`InsurerPlan`].
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InsurerConfig {
    /// The layer that it insures, by its name in the stack file.
    pub layer: String,
    /// It pays so long after it was asked.
    #[serde(default)]
    pub settles_after_ms: u64,
    /// It pays this share of each draw, in parts per million.
    #[serde(default = "million")]
    pub pays_ppm: u32,
    /// Once it has paid so much in all it is insolvent; whole units of the settlement asset.
    #[serde(default)]
    pub defaults_after: Option<i64>,
    /// It commits for so long at a time.
    #[serde(default)]
    pub term_ms: Option<u64>,
    /// It commits to no further term once losses in all have reached this; whole units of the settlement asset.
    #[serde(default)]
    pub leaves_at: Option<i64>,
}

impl InsurerConfig {
    /// The plan, for a layer whose id is known.
    #[must_use]
    pub fn plan(&self, layer: LayerId) -> InsurerPlan {
        let whole = |units: i64| Quanta::new(i128::from(units) * 1_000_000);
        InsurerPlan {
            layer,
            settles_after: Millis(self.settles_after_ms),
            pays: Ppb(i64::from(self.pays_ppm) * 1_000),
            defaults_after: self.defaults_after.map(whole),
            term: self.term_ms.map(Millis),
            leaves_at: self.leaves_at.map(whole),
        }
    }

    pub(super) fn check(&self, file: &str, path: &str) -> Result<(), StudyError> {
        let fault = |field: &str, value: String, accepted: &str| {
            let field = format!("{path}.{field}");
            Err(StudyError::Scenario { file: file.into(), field, value, accepted: accepted.into() })
        };
        if self.pays_ppm > 1_000_000 {
            return fault("pays_ppm", self.pays_ppm.to_string(), "at most 1000000");
        }
        if self.term_ms == Some(0) {
            return fault("term_ms", "0".into(), "above zero");
        }
        for (field, value) in [("defaults_after", self.defaults_after), ("leaves_at", self.leaves_at)] {
            if let Some(v) = value.filter(|v| *v < 0) {
                return fault(field, v.to_string(), "zero or more");
            }
        }
        Ok(())
    }
}

const fn million() -> u32 {
    1_000_000
}
