//! What the insurance fund may pay for one market: a cap over the market's life, itself capped by the tier of its contract.

use cofferdam_core::{LayerId, Quanta};
use cofferdam_insurance_layer::{Entry, InsuranceError, InsuranceLayer, Loss, Standing};
use cofferdam_stack::{ConfigError, Context, LayerSpec, Number, module};
use serde::{Deserialize, Serialize};

/// How well a contract is known; the order is from the safest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ContractTier {
    /// The fund pays at most 100 million.
    A,
    /// One million.
    B,
    /// A hundred thousand.
    C,
    /// Nothing.
    Speculative,
    /// Nothing.
    HighlySpeculative,
    /// Nothing.
    Isolated,
}

impl ContractTier {
    /// The most that the fund may be set to pay for a contract of this tier, in whole units of the numeraire.
    #[must_use]
    pub const fn most(self) -> i64 {
        match self {
            Self::A => 100_000_000,
            Self::B => 1_000_000,
            Self::C => 100_000,
            Self::Speculative | Self::HighlySpeculative | Self::Isolated => 0,
        }
    }
}

/// Pays what is left, until it has paid its cap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TierInsurance {
    cap: Quanta,
}

impl TierInsurance {
    /// A cap of zero or more, at most `tier_cap`; both in quanta.
    pub fn new(cap: Quanta, tier_cap: Quanta) -> Result<Self, InsuranceError> {
        if cap.is_negative() || cap > tier_cap {
            return Err(InsuranceError::Parameter {
                field: "cap".into(),
                value: cap.to_string(),
                accepted: "0 to the cap of the contract's tier: A 100m, B 1m, C 100k, else nothing".into(),
            });
        }
        Ok(Self { cap })
    }
}

impl InsuranceLayer for TierInsurance {
    fn respond(&self, _: &Loss, left: Quanta, standing: &Standing) -> Result<Quanta, InsuranceError> {
        Ok(left.min(self.cap.try_sub(standing.drawn_total)?).positive_part())
    }
}

module! {
    "drift/tier-insurance@1" Layer breaks [];
    /// Drift v2: pays until it has paid its cap, which the tier of the contract limits.
    struct TierInsuranceSpec {
        /// "a", "b", "c", "speculative", "highly_speculative" or "isolated".
        tier: ContractTier ["choice"],
        /// The venue's `quote_max_insurance`.
        cap: Option<Number> ["amount of the numeraire", "the tier's own cap"],
    }
}

#[typetag::serde(name = "drift/tier-insurance@1")]
impl LayerSpec for TierInsuranceSpec {
    fn build(&self, ctx: &Context<'_>, layer: LayerId) -> Result<Entry, ConfigError> {
        let most = Number(cofferdam_core::Decimal::from_units(self.tier.most().into(), 0));
        let most = ctx.quanta("tier", &most)?;
        let cap = self.cap.map_or(Ok(most), |x| ctx.quanta("cap", &x))?;
        Ok(Entry::custom(layer, Box::new(ctx.check(self, TierInsurance::new(cap, most))?)))
    }
}
