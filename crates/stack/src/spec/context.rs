//! What a spec knows when it builds its module: names, scales, the quantum, what it is about, and where it stands.

use super::{ConfigError, Names, Number, Ratio, error::Refusal, read};
use crate::{AssetTerms, MarketTerms};
use cofferdam_core::{
    Amount, AssetId, AssetScale, Decimal, DecimalError, LayerId, Lots, MarketId, Millis, PoolId, Ppb, Quanta,
};
use serde::Serialize;
use serde_json::Value;

/// What a module is about, where that is fixed by its place in the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subject {
    /// The stack.
    #[default]
    Stack,
    /// One asset.
    Asset(AssetId),
    /// One market.
    Market(MarketId),
    /// One pool.
    Pool(PoolId),
}

/// What was named before any module is built.
#[derive(Debug, Default)]
pub(crate) struct Ground {
    pub(crate) file: String,
    pub(crate) names: Names,
    pub(crate) quantum_exponent: i8,
    pub(crate) assets: Vec<AssetTerms>,
    pub(crate) markets: Vec<MarketTerms>,
    /// The asset that each lending pool lends.
    pub(crate) pool_assets: Vec<Option<AssetId>>,
}

/// The context in which a spec builds its module. Every method that reads a field of the spec takes the field's name, so
/// that a refusal says where it stands.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    ground: &'a Ground,
    path: String,
    subject: Subject,
}

impl<'a> Context<'a> {
    pub(crate) fn new(ground: &'a Ground, path: impl Into<String>) -> Self {
        Self { ground, path: path.into(), subject: Subject::Stack }
    }

    /// The same, for what stands in a field of this table: `of`, `tiers[2]`.
    #[must_use]
    pub fn at(&self, field: &str) -> Self {
        Self { path: read::join(&self.path, field), ..self.clone() }
    }

    /// The same, about something else.
    #[must_use]
    pub fn about(&self, subject: Subject) -> Self {
        Self { subject, ..self.clone() }
    }

    /// What the module is about.
    #[must_use]
    pub const fn subject(&self) -> Subject {
        self.subject
    }

    /// Where the module stands.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// All names.
    #[must_use]
    pub const fn names(&self) -> &Names {
        &self.ground.names
    }

    /// A refusal of a field of this table (the table itself for an empty field).
    #[must_use]
    pub fn refuse(
        &self,
        field: &str,
        value: impl std::fmt::Display,
        accepted: impl Into<String>,
    ) -> ConfigError {
        let path = if field.is_empty() { self.path.clone() } else { read::join(&self.path, field) };
        ConfigError::new(self.ground.file.as_str(), path, value, accepted)
    }

    /// A refusal in a module's own words.
    pub(crate) fn refuse_as(&self, error: impl Into<Refusal>) -> ConfigError {
        let Refusal { field, value, accepted } = error.into();
        self.refuse(&field.unwrap_or_default(), value, accepted)
    }

    /// The folder of the file, empty where its name has none.
    #[must_use]
    pub fn folder(&self) -> &str {
        self.ground.file.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    /// A quantum is 10^this of the numeraire.
    #[must_use]
    pub const fn quantum_exponent(&self) -> i8 {
        self.ground.quantum_exponent
    }

    /// The asset of this name.
    pub fn asset(&self, field: &str, name: &str) -> Result<AssetId, ConfigError> {
        let names = self.names();
        names.asset(name).ok_or_else(|| self.unknown(field, "asset", name, names.assets()))
    }

    /// The market of this name.
    pub fn market(&self, field: &str, name: &str) -> Result<MarketId, ConfigError> {
        let names = self.names();
        names.market(name).ok_or_else(|| self.unknown(field, "market", name, names.markets()))
    }

    /// The pool of this name.
    pub fn pool(&self, field: &str, name: &str) -> Result<PoolId, ConfigError> {
        let names = self.names();
        names.pool(name).ok_or_else(|| self.unknown(field, "pool", name, names.pools()))
    }

    /// The insurance layer of this name.
    pub fn layer(&self, field: &str, name: &str) -> Result<LayerId, ConfigError> {
        let names = self.names();
        names.layer(name).ok_or_else(|| self.unknown(field, "layer", name, names.layers()))
    }

    fn unknown(&self, field: &str, what: &str, name: &str, known: &[String]) -> ConfigError {
        let known = if known.is_empty() { format!("no {what} is named") } else { known.join(", ") };
        self.refuse(field, format!("no {what} is named \"{name}\""), known)
    }

    /// The terms of a market.
    pub fn market_terms(&self, field: &str, id: MarketId) -> Result<&'a MarketTerms, ConfigError> {
        self.ground
            .markets
            .iter()
            .find(|m| m.id == id)
            .ok_or_else(|| self.refuse(field, format!("market {id}"), "a market of this stack"))
    }

    /// The terms of an asset.
    pub fn asset_terms(&self, field: &str, id: AssetId) -> Result<&'a AssetTerms, ConfigError> {
        self.ground
            .assets
            .iter()
            .find(|a| a.id == id)
            .ok_or_else(|| self.refuse(field, format!("asset {id}"), "an asset of this stack"))
    }

    /// The asset that a pool lends; refused where it lends none.
    pub fn lent_asset(&self, field: &str, id: PoolId) -> Result<AssetId, ConfigError> {
        let asset =
            usize::try_from(id.0).ok().and_then(|i| self.ground.pool_assets.get(i).copied()).flatten();
        asset.ok_or_else(|| {
            let name = self.names().pool_name(id).unwrap_or("?");
            self.refuse(field, format!("\"{name}\" is a trading pool"), "a lending pool")
        })
    }

    /// A value in the numeraire, or in the settlement asset of a market: a whole number of quanta.
    pub fn quanta(&self, field: &str, x: &Number) -> Result<Quanta, ConfigError> {
        let units = self.units(field, &x.0, i32::from(self.ground.quantum_exponent), "quanta")?;
        Quanta::new(units).try_add(Quanta::ZERO).map_err(|_| self.too_large(field, &x.0))
    }

    /// An amount of an asset: a whole number of atoms.
    pub fn amount(&self, field: &str, asset: AssetId, x: &Number) -> Result<Amount, ConfigError> {
        let scale: AssetScale = self.asset_terms(field, asset)?.scale;
        let units = self.units(field, &x.0, i32::from(scale.decimals).saturating_neg(), "atoms")?;
        Amount::new(units).try_add(Amount::ZERO).map_err(|_| self.too_large(field, &x.0))
    }

    /// How many quanta an atom of a market's settlement asset is: an atom is 10^-decimals of it, a quantum 10^quantum_exponent.
    ///
    /// # Errors
    ///
    /// Where it is no whole number, or beyond 64 bits.
    pub fn quanta_per_atom(&self, field: &str, market: MarketId) -> Result<i64, ConfigError> {
        let terms = self.market_terms(field, market)?;
        let scale = self.asset_terms(field, terms.settlement)?.scale;
        let places =
            i32::from(scale.decimals).saturating_add(i32::from(scale.quantum_exponent)).saturating_neg();
        u32::try_from(places).ok().and_then(|p| 10_i64.checked_pow(p)).ok_or_else(|| {
            self.refuse(field, &terms.name, "a market whose settlement atom is a whole number of quanta")
        })
    }

    /// A size in a market, in its base asset: a whole number of lots.
    pub fn lots(&self, field: &str, market: MarketId, x: &Number) -> Result<Lots, ConfigError> {
        let exponent = self.market_terms(field, market)?.lot_exponent;
        let units = self.units(field, &x.0, exponent, "lots")?;
        i64::try_from(units).map(Lots::new).map_err(|_| self.too_large(field, &x.0))
    }

    /// The step of prices of what the module is about, as a power of ten of the numeraire.
    pub fn tick_exponent(&self) -> Result<i32, ConfigError> {
        match self.subject {
            Subject::Asset(id) => {
                self.asset_terms("", id).map(|a: &AssetTerms| i32::from(a.scale.price_exponent))
            }
            Subject::Market(id) => self.market_terms("", id).map(|m| m.tick_exponent),
            _ => Err(self.refuse("", "a price of nothing", "a policy for an asset or a market")),
        }
    }

    /// The exponent of a power of ten above zero: "0.001" is -3.
    pub fn power_of_ten(&self, field: &str, x: &Number) -> Result<i32, ConfigError> {
        if x.0.mantissa() == 1 {
            Ok(x.0.exponent())
        } else {
            Err(self.refuse(field, quoted(&x.0), "a power of ten such as \"0.001\""))
        }
    }

    fn units(&self, field: &str, x: &Decimal, exponent: i32, unit: &str) -> Result<i128, ConfigError> {
        x.to_units(exponent).map_err(|e| match e {
            DecimalError::TooManyDecimals { .. } => {
                let one = Decimal::from_units(1, exponent);
                self.refuse(field, quoted(x), format!("a whole number of {unit} of {one}"))
            }
            _ => self.too_large(field, x),
        })
    }

    fn too_large(&self, field: &str, x: &Decimal) -> ConfigError {
        self.refuse(field, quoted(x), "a smaller number")
    }

    /// Turns a constructor's refusal into one that names the field of the spec and shows what is written there.
    pub fn check<T, E: Into<Refusal>>(
        &self,
        spec: &(impl Serialize + ?Sized),
        result: Result<T, E>,
    ) -> Result<T, ConfigError> {
        result.map_err(|error| {
            let Refusal { field, value, accepted } = error.into().in_decimals();
            let Some(field) = field else { return self.refuse("", value, accepted) };
            let written = serde_json::to_value(spec).unwrap_or_default();
            let (field, value) = find(&written, &field).unwrap_or((field, value));
            self.refuse(&field, value, accepted)
        })
    }
}

// A constructor says `pace.slice` or `aged_after`; the file says `slice` or `aged_after_ms`, perhaps one table further in.
fn find(written: &Value, field: &str) -> Option<(String, String)> {
    let last = field.rsplit('.').next().unwrap_or(field);
    let mut places = vec![String::new()];
    if let Value::Object(table) = written {
        places.extend(table.iter().filter(|(_, v)| v.is_object()).map(|(k, _)| format!("/{k}")));
    }
    let names = [field.replace('.', "/"), last.to_owned()];
    let names: Vec<String> = names
        .iter()
        .flat_map(|n| [n.clone(), format!("{n}_ms")])
        .map(|n| n.replace('[', "/").replace(']', ""))
        .collect();
    for (place, name) in places.iter().flat_map(|p| names.iter().map(move |n| (p, n))) {
        let pointer = format!("{place}/{name}");
        if let Some(value) = written.pointer(&pointer).filter(|v| !v.is_null()) {
            return Some((dotted(&pointer), value.to_string()));
        }
    }
    None
}

// /tiers/2/maintenance is tiers[2].maintenance
fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for part in pointer.split('/').filter(|p| !p.is_empty()) {
        path = match part.parse::<usize>() {
            Ok(index) => format!("{path}[{index}]"),
            Err(_) => read::join(&path, part),
        };
    }
    path
}

fn quoted(x: &Decimal) -> String {
    format!("\"{x}\"")
}

/// Milliseconds of an optional field.
pub(crate) fn ms(x: Option<u64>) -> Option<Millis> {
    x.map(Millis)
}

/// The ratio of an optional field.
pub(crate) fn ppb(x: Option<Ratio>) -> Option<Ppb> {
    x.map(|r| r.0)
}
