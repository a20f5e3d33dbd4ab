//! The scenario file: data, prior, market, seeds, variants. Simulation parameters are floats; everything that the stack holds
//! as money is in the stack files, as exact decimals.

use super::insurer::InsurerConfig;
use crate::data::Minutes;
use crate::depth::{Exit, Impact, Ladder, Linear, SquareRoot};
use crate::feed::FeedRule;
use crate::implied::{LowLeverage, Prior};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Why a scenario cannot be run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StudyError {
    /// A file that cannot be read.
    #[error("{file}: {source}; accepted is a file that can be read")]
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// A scenario file with a fault.
    #[error("{file}: {field} is {value}; accepted is {accepted}")]
    Scenario {
        /// Which file.
        file: String,
        /// Which field.
        field: String,
        /// What it was.
        value: String,
        /// What would be accepted.
        accepted: String,
    },
    /// A file that is no TOML, or not of this shape.
    #[error(
        "{file}: line {line}, column {column}: {message}; accepted is TOML with the fields of a scenario, each once"
    )]
    Toml {
        /// Which file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What is wrong there.
        message: String,
    },
    /// A stack file with a fault.
    #[error(transparent)]
    Stack(#[from] cofferdam_stack::ConfigError),
    /// Data with a fault.
    #[error(transparent)]
    Data(#[from] crate::data::DataError),
    /// Tiers or prior with a fault.
    #[error("{file}: {source}")]
    Implied {
        /// Which file.
        file: String,
        /// What.
        source: crate::implied::ImpliedError,
    },
    /// A run that ended early.
    #[error(transparent)]
    Run(#[from] crate::perp::RunError),
    /// The lending run ended early.
    #[error(transparent)]
    Lending(#[from] crate::lending::LendingError),
}

/// A scenario file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// What it is called in the report.
    pub name: String,
    /// The minutes, relative to the file.
    pub data: PathBuf,
    /// The venue's tiers, relative to the file.
    pub tiers: PathBuf,
    /// How many of the tiers are used, from the first.
    pub tiers_used: usize,
    /// The stack of the replay, relative to the file.
    pub stack: PathBuf,
    /// The market in it.
    pub market: String,
    /// A gap in the minutes longer than this is refused.
    #[serde(default = "five_minutes")]
    pub max_gap_ms: u64,
    /// One run per seed and variant.
    pub seeds: Vec<u64>,
    /// How far back an opening may lie, in rows.
    pub lookback_rows: usize,
    /// The prior over leverage, age and size.
    #[serde(default)]
    pub prior: PriorConfig,
    /// What was not liquidated.
    #[serde(default)]
    pub background: BackgroundConfig,
    /// The market around the stack.
    pub market_model: MarketConfig,
    /// Blind validation.
    pub blind: BlindConfig,
    /// Broken on purpose: each must fail the replay's check.
    #[serde(default)]
    pub mutations: Vec<VariantConfig>,
    /// Counterfactuals.
    #[serde(default)]
    pub variants: Vec<VariantConfig>,
    /// Liquidity that reacts against the same liquidity at other times.
    pub linked: LinkedConfig,
    /// Depth against exit strength.
    pub map: MapConfig,
    /// Span of the map of liquidation levels.
    pub levels: LevelsConfig,
    /// Lending on the same path.
    #[serde(default)]
    pub lending: Option<LendingConfig>,
}

const fn five_minutes() -> u64 {
    300_000
}

/// See [`Prior`].
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PriorConfig {
    /// Median leverage.
    pub median_leverage: f64,
    /// Standard deviation of its logarithm.
    pub sigma: f64,
    /// Mean age in minutes.
    pub tau_minutes: f64,
    /// Exponent of the sizes.
    pub size_alpha: f64,
    /// Smallest size in lots.
    pub size_min_lots: i64,
    /// Largest size in lots.
    pub size_max_lots: i64,
}

impl Default for PriorConfig {
    fn default() -> Self {
        let p = Prior::default();
        Self {
            median_leverage: p.median_leverage,
            sigma: p.sigma,
            tau_minutes: p.tau_minutes,
            size_alpha: p.size_alpha,
            size_min_lots: p.size_min_lots,
            size_max_lots: p.size_max_lots,
        }
    }
}

impl PriorConfig {
    /// The prior.
    #[must_use]
    pub const fn prior(&self) -> Prior {
        Prior {
            median_leverage: self.median_leverage,
            sigma: self.sigma,
            tau_minutes: self.tau_minutes,
            size_alpha: self.size_alpha,
            size_min_lots: self.size_min_lots,
            size_max_lots: self.size_max_lots,
        }
    }
}

/// What was not liquidated.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BackgroundConfig {
    /// Low-leverage lots per side.
    pub low_leverage_lots_per_side: i64,
    /// In so many accounts per side.
    pub low_leverage_accounts: usize,
    /// Market makers that hold the other side of everything.
    pub makers: u32,
    /// What each has, in whole units of the settlement asset.
    pub maker_cash: i64,
    /// What the backstop vault has, in whole units of the settlement asset.
    pub vault_cash: i64,
}

impl Default for BackgroundConfig {
    fn default() -> Self {
        let low = LowLeverage::default();
        Self {
            low_leverage_lots_per_side: low.lots_per_side,
            low_leverage_accounts: low.accounts,
            makers: 8,
            maker_cash: 1_000_000_000,
            vault_cash: 50_000_000,
        }
    }
}

impl BackgroundConfig {
    /// The low-leverage accounts.
    #[must_use]
    pub fn low_leverage(&self) -> LowLeverage {
        LowLeverage {
            lots_per_side: self.low_leverage_lots_per_side,
            accounts: self.low_leverage_accounts,
            ..LowLeverage::default()
        }
    }
}

/// The market around the stack.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MarketConfig {
    /// USD per 1 %.
    pub depth_usd: f64,
    /// Half-life of forced flow.
    pub half_life_ms: u64,
    /// Liquidated USD at which liquidity providers are down to 2^-exponent.
    pub exit_scale_usd: f64,
}

/// Blind validation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BlindConfig {
    /// Fitted before, run after: milliseconds since 1970.
    pub cut_ms: u64,
    /// Accounts opened this many rows before the cut are in the run, drawn without looking.
    pub warm_up_rows: usize,
}

/// One variant: what differs from the replay.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VariantConfig {
    /// Its name.
    pub name: String,
    /// What it asks, in a few words.
    pub what: String,
    /// Another stack file.
    #[serde(default)]
    pub stack: Option<PathBuf>,
    /// Depth, as a multiple.
    #[serde(default = "one")]
    pub depth: f64,
    /// Strength with which liquidity providers leave; zero for none.
    #[serde(default)]
    pub exit: f64,
    /// How flow moves the price: `linear`, `square-root` or `ladder`.
    #[serde(default)]
    pub impact: ImpactKind,
    /// What the stack gets to see.
    #[serde(default)]
    pub feed: FeedConfig,
    /// Insurance, as a multiple of what the stack file commits.
    #[serde(default = "one")]
    pub insurance: f64,
    /// Background, as a multiple.
    #[serde(default = "one")]
    pub background: f64,
    /// How insurers who promised behave; who is not named pays everything at once and stays.
    #[serde(default)]
    pub insurers: Vec<InsurerConfig>,
}

const fn one() -> f64 {
    1.0
}

/// How flow moves the price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ImpactKind {
    /// In proportion.
    #[default]
    Linear,
    /// With the square root.
    SquareRoot,
    /// Up the rungs of an order book.
    Ladder,
}

impl ImpactKind {
    /// The function.
    #[must_use]
    pub fn impact(self) -> Box<dyn Impact> {
        match self {
            Self::Linear => Box::new(Linear),
            Self::SquareRoot => Box::new(SquareRoot),
            Self::Ladder => Box::new(Ladder::default()),
        }
    }
}

/// What the stack gets to see of the price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FeedConfig {
    /// Prices arrive this much later.
    pub latency_ms: u64,
    /// Published only on this relative move.
    pub deviation: Option<f64>,
    /// Or after this long.
    pub heartbeat_ms: Option<u64>,
    /// No publication from then.
    pub outage_from_ms: Option<u64>,
    /// For this long.
    pub outage_ms: u64,
}

impl FeedConfig {
    /// The rule.
    #[must_use]
    pub fn rule(&self) -> FeedRule {
        FeedRule {
            latency_ms: self.latency_ms,
            deviation: self.deviation,
            heartbeat_ms: self.heartbeat_ms.unwrap_or(3_600_000),
            outage: self.outage_from_ms.map(|from| (from, from.saturating_add(self.outage_ms))),
        }
    }
}

/// Liquidity that reacts against the same liquidity at other times.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinkedConfig {
    /// Depths, as multiples.
    pub depths: Vec<f64>,
    /// Strength of the exit.
    pub exit: f64,
    /// How many circular shifts.
    pub shifts: usize,
}

/// Depth against exit strength.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MapConfig {
    /// Depths, as multiples, falling.
    pub depths: Vec<f64>,
    /// Strengths of the exit, rising.
    pub exits: Vec<f64>,
    /// A cell has tipped when forced selling is at least this multiple of the replay's.
    pub tipped_at: f64,
}

/// Span of the map of liquidation levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LevelsConfig {
    /// From: milliseconds since 1970.
    pub from_ms: u64,
    /// For so many rows.
    pub rows: usize,
    /// One column per so many rows.
    pub step_rows: usize,
    /// Buckets of 1 % on each side.
    pub buckets: usize,
}

/// Lending on the same path.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LendingConfig {
    /// Its stack.
    pub stack: PathBuf,
}

impl VariantConfig {
    /// A variant in which nothing differs from the replay.
    #[must_use]
    pub fn replay(name: &str, what: &str) -> Self {
        Self {
            name: name.into(),
            what: what.into(),
            stack: None,
            depth: 1.0,
            exit: 0.0,
            impact: ImpactKind::Linear,
            feed: FeedConfig::default(),
            insurance: 1.0,
            background: 1.0,
            insurers: Vec::new(),
        }
    }

    /// Liquidity providers that leave, if they do.
    #[must_use]
    pub fn exits(&self, market: &MarketConfig) -> Option<Exit> {
        (self.exit != 0.0).then_some(Exit { scale_usd: market.exit_scale_usd, exponent: self.exit })
    }

    fn check(&self, file: &str, path: &str) -> Result<(), StudyError> {
        positive(file, &format!("{path}.depth"), self.depth)?;
        not_negative(file, &format!("{path}.exit"), self.exit)?;
        not_negative(file, &format!("{path}.insurance"), self.insurance)?;
        positive(file, &format!("{path}.background"), self.background)?;
        if let Some(d) = self.feed.deviation {
            positive(file, &format!("{path}.feed.deviation"), d)?;
        }
        for (i, insurer) in self.insurers.iter().enumerate() {
            insurer.check(file, &format!("{path}.insurers[{i}]"))?;
        }
        Ok(())
    }
}

fn positive(file: &str, field: &str, value: f64) -> Result<(), StudyError> {
    if value.is_finite() && value > 0.0 {
        Ok(())
    } else {
        Err(out_of_range(file, field, value, "a finite number above zero"))
    }
}

fn not_negative(file: &str, field: &str, value: f64) -> Result<(), StudyError> {
    if value.is_finite() && value >= 0.0 {
        Ok(())
    } else {
        Err(out_of_range(file, field, value, "a finite number, zero or above"))
    }
}

fn out_of_range(file: &str, field: &str, value: f64, accepted: &str) -> StudyError {
    StudyError::Scenario {
        file: file.into(),
        field: field.into(),
        value: value.to_string(),
        accepted: accepted.into(),
    }
}

fn not_a_scenario(text: &str, file: &str, error: &toml::de::Error) -> StudyError {
    let before = error.span().and_then(|s| text.get(..s.start)).unwrap_or_default();
    StudyError::Toml {
        file: file.into(),
        line: before.matches('\n').count() + 1,
        column: before.rsplit('\n').next().unwrap_or_default().chars().count() + 1,
        message: error.message().trim().replace('\n', ", "),
    }
}

/// The longest scenario file that is read, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

impl Scenario {
    /// Reads `scenario.toml` of a folder, or the file itself. Also answers the folder that its paths are relative to.
    ///
    /// # Errors
    ///
    /// An absent, huge or malformed file; a field outside its range, named with its value and what is accepted.
    pub fn load(path: &Path) -> Result<(Self, PathBuf), StudyError> {
        let file = if path.is_dir() { path.join("scenario.toml") } else { path.to_path_buf() };
        let name = file.display().to_string();
        let unreadable = |source| StudyError::Unreadable { file: name.clone(), source };
        let size = std::fs::metadata(&file).map_err(unreadable)?.len();
        if size > FILE_BYTES_MAX {
            return Err(StudyError::Scenario {
                file: name,
                field: "size".into(),
                value: format!("{size} bytes"),
                accepted: format!("at most {FILE_BYTES_MAX} bytes"),
            });
        }
        let text = std::fs::read_to_string(&file).map_err(unreadable)?;
        let scenario: Self = toml::from_str(&text).map_err(|e| not_a_scenario(&text, &name, &e))?;
        scenario.check(&name)?;
        let folder = file.parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf);
        Ok((scenario, folder))
    }

    fn check(&self, file: &str) -> Result<(), StudyError> {
        let fault = |field: &str, value: String, accepted: &str| {
            Err(StudyError::Scenario {
                file: file.into(),
                field: field.into(),
                value,
                accepted: accepted.into(),
            })
        };
        if self.seeds.is_empty() || self.seeds.len() > 1_000 {
            return fault("seeds", format!("{} seeds", self.seeds.len()), "1 to 1000 seeds");
        }
        positive(file, "market_model.depth_usd", self.market_model.depth_usd)?;
        positive(file, "market_model.exit_scale_usd", self.market_model.exit_scale_usd)?;
        if self.market_model.half_life_ms == 0 {
            return fault("market_model.half_life_ms", "0".into(), "above zero");
        }
        if !(1..=1_000).contains(&self.background.makers)
            || self.background.maker_cash <= 0
            || self.background.vault_cash <= 0
        {
            return fault(
                "background",
                format!("{:?}", self.background),
                "1 to 1000 makers, cash above zero",
            );
        }
        if self.linked.shifts < 1 {
            return fault("linked.shifts", "0".into(), "at least one");
        }
        if self.levels.rows == 0 || self.levels.step_rows == 0 || self.levels.buckets == 0 {
            return fault("levels", format!("{:?}", self.levels), "rows, step_rows and buckets above zero");
        }
        positive(file, "map.tipped_at", self.map.tipped_at)?;
        not_negative(file, "linked.exit", self.linked.exit)?;
        let mut names = std::collections::BTreeSet::from(["replay"]);
        for (list, variants) in [("variants", &self.variants), ("mutations", &self.mutations)] {
            for (i, v) in variants.iter().enumerate() {
                v.check(file, &format!("{list}[{i}]"))?;
                if !names.insert(&v.name) {
                    return fault(
                        &format!("{list}[{i}].name"),
                        v.name.clone(),
                        "a name that is not used yet",
                    );
                }
            }
        }
        for (i, d) in self.linked.depths.iter().chain(&self.map.depths).enumerate() {
            positive(file, &format!("linked.depths and map.depths, entry {i}"), *d)?;
        }
        for (i, e) in self.map.exits.iter().enumerate() {
            not_negative(file, &format!("map.exits[{i}]"), *e)?;
        }
        Ok(())
    }

    /// Checks the times that a scenario names against the minutes that it names.
    ///
    /// # Errors
    ///
    /// A time outside the minutes, named with its value and what is accepted.
    pub(super) fn check_times(&self, folder: &Path, minutes: &Minutes) -> Result<(), StudyError> {
        let (Some(first), Some(last)) = (minutes.time_ms.first(), minutes.time_ms.last()) else {
            return Ok(()); // a file without rows was refused before
        };
        for (field, time, from) in [
            ("blind.cut_ms", self.blind.cut_ms, first.saturating_add(1)),
            ("levels.from_ms", self.levels.from_ms, *first),
        ] {
            if !(from..=*last).contains(&time) {
                return Err(StudyError::Scenario {
                    file: folder.join("scenario.toml").display().to_string(),
                    field: field.into(),
                    value: time.to_string(),
                    accepted: format!("a time within the minutes, {from} to {last}"),
                });
            }
        }
        Ok(())
    }
}
