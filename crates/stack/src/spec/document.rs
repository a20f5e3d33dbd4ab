//! The shape of a stack file.

use super::permits::PermitsSpec;
use super::{
    AccrualSpec, AllocationSpec, BreakerSpec, ConfigError, GuardSpec, LayerSpec, LiquidationSpec, MarginSpec,
    Number, PlacementSpec, PoolSpec, PriceSpec, Ratio, Registry, read,
};
use cofferdam_core::PriceRole;
use serde::Deserialize;
use std::io::Read;
use std::path::Path;
use toml::{Table, Value};

const BYTES_MAX: u64 = 1_000_000;

/// A stack file, read: every module's parameters have their type, nothing is built yet.
///
/// ```
/// use cofferdam_stack::StackConfig;
/// let text = r#"
///     [stack]
///     name = "smallest"
///     quantum = "0.000001"
///     [[assets]]
///     name = "USDC"
///     decimals = 6
///     numeraire = true
///     [margin]
///     kind = "cofferdam/cross-margin@1"
///     assets = [{ asset = "USDC" }]
///     [liquidation]
///     kind = "cofferdam/full-close@1"
///     limit = "bankruptcy"
///     penalty = { rate = "0.01", to_insurance = "1" }
///     ttl_ms = 2000
///     [allocation]
///     kind = "cofferdam/queue@1"
///     [event]
///     opens_at = "1000000"
///     window_ms = 300000
///     quiet_ms = 1800000
/// "#;
/// let config = StackConfig::from_toml(text, "smallest.toml")?;
/// let built = config.build()?;
/// assert_eq!(built.name, "smallest");
/// assert_eq!(built.names.assets(), ["USDC"]);
/// // what a venue breaks, it names: a full close takes more than was needed, a queue does not keep the order of gains
/// let broken: Vec<u16> = config.broken_laws().iter().map(|law| law.invariant).collect();
/// assert_eq!(broken, [28, 19]);
/// # Ok::<(), cofferdam_stack::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct StackConfig {
    pub(crate) file: String,
    pub(crate) document: Value,
    pub(crate) stack: HeadSpec,
    pub(crate) assets: Vec<AssetSpec>,
    pub(crate) markets: Vec<MarketSpec>,
    pub(crate) pools: Vec<(String, Box<dyn PoolSpec>)>,
    pub(crate) prices: Vec<(PriceRow, Box<dyn PriceSpec>)>,
    pub(crate) permits: PermitsSpec,
    pub(crate) accruals: Vec<(AccrualRow, Box<dyn AccrualSpec>)>,
    pub(crate) margin: Box<dyn MarginSpec>,
    pub(crate) liquidation: Box<dyn LiquidationSpec>,
    pub(crate) placement: Option<Box<dyn PlacementSpec>>,
    pub(crate) guards: Vec<Box<dyn GuardSpec>>,
    pub(crate) layers: Vec<(LayerRow, Box<dyn LayerSpec>)>,
    pub(crate) allocation: Box<dyn AllocationSpec>,
    pub(crate) breakers: Vec<(String, Box<dyn BreakerSpec>)>,
    pub(crate) event: EventSpec,
}

/// `[stack]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct HeadSpec {
    pub(crate) name: String,
    /// A power of ten of the numeraire.
    pub(crate) quantum: Number,
}

/// `[[assets]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AssetSpec {
    pub(crate) name: String,
    pub(crate) decimals: u8,
    #[serde(default)]
    pub(crate) numeraire: bool,
    /// The step of its price; the numeraire has none.
    pub(crate) price_tick: Option<Number>,
}

/// `[[markets]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarketSpec {
    pub(crate) name: String,
    pub(crate) settlement: String,
    pub(crate) lot: Number,
    pub(crate) tick: Number,
    pub(crate) multiplier: Option<Number>,
}

/// `[[prices]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PriceRow {
    pub(crate) market: Option<String>,
    pub(crate) asset: Option<String>,
    pub(crate) role: PriceRole,
    policy: Value,
}

/// `[[accruals]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccrualRow {
    pub(crate) market: Option<String>,
    pub(crate) pool: Option<String>,
    rule: Value,
}

/// `[insurance]`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct InsuranceSpec {
    #[serde(default)]
    layers: Vec<LayerRow>,
}

/// `[[insurance.layers]]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LayerRow {
    pub(crate) name: String,
    /// The share of each penalty's insurance part that it receives.
    pub(crate) contribution: Option<Ratio>,
    /// Money escrowed at the start, in the numeraire.
    pub(crate) escrow: Option<Number>,
    /// Capacity promised at the start, in the numeraire.
    pub(crate) capacity: Option<Number>,
    pub(crate) expires_ms: Option<u64>,
    /// Takes its share of the same sum as the layer before it.
    #[serde(default)]
    pub(crate) beside_previous: bool,
    terms: Value,
}

/// `[event]`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventSpec {
    /// In the numeraire.
    pub(crate) opens_at: Number,
    pub(crate) window_ms: u64,
    pub(crate) quiet_ms: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    stack: HeadSpec,
    #[serde(default)]
    assets: Vec<AssetSpec>,
    #[serde(default)]
    markets: Vec<MarketSpec>,
    #[serde(default)]
    pools: Vec<Value>,
    #[serde(default)]
    prices: Vec<PriceRow>,
    #[serde(default)]
    permits: PermitsSpec,
    #[serde(default)]
    accruals: Vec<AccrualRow>,
    margin: Value,
    liquidation: Value,
    placement: Option<Value>,
    #[serde(default)]
    guards: Vec<Value>,
    #[serde(default)]
    insurance: InsuranceSpec,
    allocation: Value,
    #[serde(default)]
    breakers: Vec<Value>,
    event: EventSpec,
}

impl StackConfig {
    /// Reads a file of at most 1 MB.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let refuse =
            |value: String, accepted: &str| ConfigError::new(file.as_str(), "the file", value, accepted);
        let open =
            std::fs::File::open(path).map_err(|e| refuse(e.to_string(), "a stack file that can be read"))?;
        let mut bytes = Vec::new();
        open.take(BYTES_MAX.saturating_add(1))
            .read_to_end(&mut bytes)
            .map_err(|e| refuse(e.to_string(), "a stack file that can be read"))?;
        let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if size > BYTES_MAX {
            return Err(refuse("more than 1 MB".into(), "a stack file of at most 1,000,000 bytes"));
        }
        let text = String::from_utf8(bytes)
            .map_err(|e| refuse(format!("byte {} is not UTF-8", e.utf8_error().valid_up_to()), "UTF-8"))?;
        Self::from_toml(&text, &file)
    }

    /// Reads a text; `file` is what errors call it.
    pub fn from_toml(text: &str, file: &str) -> Result<Self, ConfigError> {
        Self::from_toml_with(text, file, &Registry::default())
    }

    /// Reads a text, with kinds that were registered by hand.
    pub fn from_toml_with(text: &str, file: &str, registry: &Registry) -> Result<Self, ConfigError> {
        let table: Table = text.parse().map_err(|e| syntax(text, file, &e))?;
        let value = Value::Table(table);
        let mut d: Document = read::read(&value, file, "")?;
        let take = |v: &mut Value| std::mem::replace(v, Value::Boolean(false));
        let mut prices = Vec::new();
        for (i, mut row) in d.prices.into_iter().enumerate() {
            let policy = registry.module(take(&mut row.policy), file, &format!("prices[{i}].policy"))?;
            prices.push((row, policy));
        }
        let mut accruals = Vec::new();
        for (i, mut row) in d.accruals.into_iter().enumerate() {
            let rule = registry.module(take(&mut row.rule), file, &format!("accruals[{i}].rule"))?;
            accruals.push((row, rule));
        }
        let mut layers = Vec::new();
        for (i, mut row) in d.insurance.layers.into_iter().enumerate() {
            let path = format!("insurance.layers[{i}].terms");
            let terms = registry.module(take(&mut row.terms), file, &path)?;
            layers.push((row, terms));
        }
        let mut pools = Vec::new();
        for (i, mut table) in d.pools.into_iter().enumerate() {
            let path = format!("pools[{i}]");
            let name = name_of(&mut table, file, &path)?;
            pools.push((name, registry.module(table, file, &path)?));
        }
        let mut breakers = Vec::new();
        for (i, mut table) in d.breakers.into_iter().enumerate() {
            let path = format!("breakers[{i}]");
            let name = name_of(&mut table, file, &path)?;
            breakers.push((name, registry.module(table, file, &path)?));
        }
        let guards = (d.guards.into_iter().enumerate())
            .map(|(i, v)| registry.module(v, file, &format!("guards[{i}]")))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            margin: registry.module(take(&mut d.margin), file, "margin")?,
            liquidation: registry.module(take(&mut d.liquidation), file, "liquidation")?,
            placement: d.placement.map(|v| registry.module(v, file, "placement")).transpose()?,
            allocation: registry.module(take(&mut d.allocation), file, "allocation")?,
            file: file.into(),
            document: value,
            stack: d.stack,
            assets: d.assets,
            markets: d.markets,
            permits: d.permits,
            event: d.event,
            pools,
            prices,
            accruals,
            guards,
            layers,
            breakers,
        })
    }
}

fn name_of(table: &mut Value, file: &str, path: &str) -> Result<String, ConfigError> {
    let place = read::join(path, "name");
    match table.as_table_mut().map(|t| t.remove("name")) {
        Some(Some(Value::String(name))) => Ok(name),
        Some(Some(other)) => Err(ConfigError::new(file, place, other, "a string")),
        Some(None) => Err(ConfigError::new(file, place, "missing", "a value for this field")),
        None => Err(ConfigError::new(file, path, table, "a table")),
    }
}

fn syntax(text: &str, file: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().and_then(|s| text.get(..s.start)).unwrap_or_default();
    let line = before.matches('\n').count().saturating_add(1);
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count().saturating_add(1);
    let message = error.message().trim().replace('\n', ", ");
    ConfigError::new(
        file,
        format!("line {line}, column {column}"),
        message,
        "TOML, in which each key stands once",
    )
}
