//! Kinds of layers by name: how a crate that depends on this one alone puts its layer into stack files.
//!
//! A kind is three things: what its table holds (a serde struct), how the layer is built from it ([`LayerPlugin`]), and what it says
//! of itself ([`LayerKind`]). [`crate::layer_kind!`] writes the first and the third. Linking the crate registers it.
//!
//! ```
//! use cofferdam_insurance_layer::core_values::Quanta;
//! use cofferdam_insurance_layer::registry::{LayerPlugin, Site, kinds, typetag};
//! use cofferdam_insurance_layer::{InsuranceError, InsuranceLayer, Loss, Standing, layer_kind};
//!
//! #[derive(Debug)]
//! struct UpTo(Quanta);
//!
//! impl InsuranceLayer for UpTo {
//!     fn respond(&self, _: &Loss, left: Quanta, _: &Standing) -> Result<Quanta, InsuranceError> {
//!         Ok(left.min(self.0))
//!     }
//! }
//!
//! layer_kind! {
//!     "acme/up-to@1" api 1, pays None, by Indemnity, supports [partial_payment];
//!     /// Pays each loss up to a sum.
//!     struct UpToSpec {
//!         /// The most it pays of one loss, above zero.
//!         sum: String ["amount of the numeraire"],
//!     }
//! }
//!
//! #[typetag::serde(name = "acme/up-to@1")]
//! impl LayerPlugin for UpToSpec {
//!     fn build(&self, site: &Site<'_>) -> Result<Box<dyn InsuranceLayer>, InsuranceError> {
//!         let sum = site.quanta("sum", &self.sum)?;
//!         if sum <= Quanta::ZERO {
//!             return Err(site.refuse("sum", &self.sum, "above zero"));
//!         }
//!         Ok(Box::new(UpTo(sum)))
//!     }
//! }
//!
//! # fn main() {
//! assert!(kinds().any(|k| k.kind == "acme/up-to@1" && k.check().is_ok()));
//! # }
//! ```

use crate::{API_VERSION, InsuranceError, InsuranceLayer, Manifest, Supports, Trigger, refuse};
use alloc::{
    boxed::Box,
    format,
    string::{String, ToString},
    vec::Vec,
};
use cofferdam_core::{AssetId, Decimal, LayerId, MarketId, Ppb, Quanta};
use core::fmt::{Debug, Display};

// For what the macros write: a crate that uses them needs no other dependency.
pub use inventory;
pub use serde;
pub use typetag;

/// The parameters of a layer, as a stack file writes them, and how the layer is built from them.
#[typetag::serde(tag = "kind")]
pub trait LayerPlugin: Debug + Send + Sync {
    /// Builds the terms. Refuses what it cannot accept with [`Site::refuse`], so that the refusal names the field.
    fn build(&self, site: &Site<'_>) -> Result<Box<dyn InsuranceLayer>, InsuranceError>;
}

/// A parameter of a module, as the file writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its field.
    pub name: &'static str,
    /// Its unit or type.
    pub unit: &'static str,
    /// What it is when it is left out; `None`: it has to be there.
    pub default: Option<&'static str>,
    /// What it means.
    pub meaning: &'static str,
}

/// The manifest of a kind of layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerKind {
    /// `org/name@1`.
    pub kind: &'static str,
    /// The version of this contract that it was written against, as its author states it.
    pub api_version: u32,
    /// The asset that it pays in, by name; `None`: the numeraire of the stack, whichever that is.
    pub currency: Option<&'static str>,
    /// What it pays by.
    pub trigger: Trigger,
    /// What it can do.
    pub supports: Supports,
    /// One line.
    pub summary: &'static str,
    /// What can be set.
    pub parameters: &'static [Parameter],
}

inventory::collect!(LayerKind);

/// Every kind that was linked, in no particular order.
pub fn kinds() -> impl Iterator<Item = &'static LayerKind> {
    inventory::iter::<LayerKind>.into_iter()
}

impl LayerKind {
    /// Refuses a kind that was written against another version of the contract than this one.
    pub fn check(&self) -> Result<(), InsuranceError> {
        if self.api_version == API_VERSION {
            return Ok(());
        }
        let value =
            format!("\"{}\", written against version {} of the contract", self.kind, self.api_version);
        Err(refuse("kind", value, &format!("a kind written against version {API_VERSION}")))
    }

    /// Refuses a stack whose numeraire is not what the layer pays in.
    pub fn check_currency(&self, numeraire: &str) -> Result<(), InsuranceError> {
        match self.currency {
            Some(own) if own != numeraire => {
                let value = format!("\"{}\", which pays in {own}", self.kind);
                Err(refuse("kind", value, &format!("a layer that pays in {numeraire}")))
            }
            _ => Ok(()),
        }
    }

    /// The same as a provider would say it, with the asset that its currency is in a stack.
    #[must_use]
    pub fn manifest(&self, asset: AssetId) -> Manifest {
        Manifest {
            id: self.kind.split('@').next().unwrap_or(self.kind).to_string(),
            api_version: self.api_version,
            asset,
            trigger: self.trigger,
            supports: self.supports,
            correlated: Vec::new(),
        }
    }
}

/// Where a layer is built: who it is, and what the names and numbers of its table mean there.
#[derive(Clone, Copy, Debug)]
pub struct Site<'a> {
    /// The id of the layer.
    pub layer: LayerId,
    /// A quantum is 10^this of the numeraire.
    pub quantum_exponent: i8,
    /// The names of the assets; the place of each is its id.
    pub assets: &'a [String],
    /// The names of the markets; the place of each is its id.
    pub markets: &'a [String],
    /// The folder of the stack file, for layers that lie beside it; empty where it was no file, or lies in the working directory.
    pub folder: &'a str,
}

impl Site<'_> {
    /// A refusal of a field.
    #[must_use]
    pub fn refuse(&self, field: &str, value: impl Display, accepted: &str) -> InsuranceError {
        refuse(field, value.to_string(), accepted)
    }

    /// An amount of the numeraire, written as a decimal: a whole number of quanta.
    pub fn quanta(&self, field: &str, text: &str) -> Result<Quanta, InsuranceError> {
        let exponent = i32::from(self.quantum_exponent);
        let units = self.decimal(field, text)?.to_units(exponent);
        units.ok().and_then(|x| Quanta::new(x).try_add(Quanta::ZERO).ok()).ok_or_else(|| {
            let accepted =
                format!("a whole number of quanta of {}, below 2^120", Decimal::from_units(1, exponent));
            refuse(field, text.into(), &accepted)
        })
    }

    /// A ratio, written as a decimal: at most nine decimals.
    pub fn ratio(&self, field: &str, text: &str) -> Result<Ppb, InsuranceError> {
        let x = self.decimal(field, text)?;
        Ppb::from_decimal(&x).map_err(|_| refuse(field, text.into(), "a ratio with at most 9 decimals"))
    }

    /// The market of this name.
    pub fn market(&self, field: &str, name: &str) -> Result<MarketId, InsuranceError> {
        find(self.markets, field, name).map(MarketId)
    }

    /// The asset of this name.
    pub fn asset(&self, field: &str, name: &str) -> Result<AssetId, InsuranceError> {
        find(self.assets, field, name).map(AssetId)
    }

    fn decimal(&self, field: &str, text: &str) -> Result<Decimal, InsuranceError> {
        let accepted = "a decimal string such as \"0.001\", without exponent";
        text.parse().map_err(|_| refuse(field, text.into(), accepted))
    }
}

fn find(names: &[String], field: &str, name: &str) -> Result<u32, InsuranceError> {
    let place = names.iter().position(|n| n == name).and_then(|i| u32::try_from(i).ok());
    place.ok_or_else(|| {
        let known = if names.is_empty() { "nothing is named here".to_string() } else { names.join(", ") };
        refuse(field, name.into(), &known)
    })
}

/// The table of a kind of layer and its manifest. A field is `name: Type [unit]`, or `name: Option<Type> [unit, default]` where it
/// may be left out; its doc line is its meaning. `api` is the version of the contract that the layer was written against
/// ([`crate::API_VERSION`] at that time), `pays` the asset (`None`: the numeraire), `by` a [`crate::Trigger`], `supports` fields of
/// [`crate::Supports`]. [`registry::LayerPlugin`](crate::registry::LayerPlugin) is implemented beside it: see
/// [`registry`](crate::registry).
#[macro_export]
macro_rules! layer_kind {
    (
        $kind:literal api $api:literal, pays $currency:expr, by $trigger:ident, supports [$($can:ident),* $(,)?];
        #[doc = $summary:literal]
        $vis:vis struct $name:ident { $(
            $(#[doc = $meaning:literal])+ $field:ident: $ty:ty [$unit:literal $(, $default:literal)?]
        ),* $(,)? }
    ) => {
        #[doc = $summary]
        #[derive(Debug, $crate::registry::serde::Serialize, $crate::registry::serde::Deserialize)]
        #[serde(crate = "cofferdam_insurance_layer::registry::serde", deny_unknown_fields)]
        $vis struct $name { $(
            $(#[doc = $meaning])+
            $(
                #[doc = concat!("Default: ", $default, ".")]
                #[serde(default, skip_serializing_if = "Option::is_none")]
            )?
            $field: $ty,
        )* }

        $crate::registry::inventory::submit! {
            $crate::registry::LayerKind {
                kind: $kind,
                api_version: $api,
                currency: $currency,
                trigger: $crate::Trigger::$trigger,
                supports: $crate::Supports { $($can: true,)* ..$crate::Supports::NOTHING },
                summary: $summary.trim_ascii(),
                parameters: &[$($crate::registry::Parameter {
                    name: stringify!($field),
                    unit: $unit,
                    default: { #[allow(unused_mut, unused_assignments)] { let mut d = None; $( d = Some($default); )? d } },
                    meaning: concat!($($meaning),+).trim_ascii(),
                },)*],
            }
        }
    };
}
