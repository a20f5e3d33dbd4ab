//! What was published about the night of 10 October 2025: tables per wave, per coin and per cluster.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::path::Path;

/// Why published data was refused. Each message names the file, the place, the value and what would be accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NightError {
    /// A file is absent, cannot be read, or has a row that does not fit.
    #[error("{file}: {what}; accepted: {accepted}")]
    File {
        /// The file.
        file: String,
        /// What is wrong, with the line where there is one.
        what: String,
        /// What would do.
        accepted: &'static str,
    },
    /// A number that is not finite.
    #[error("{file}, row {row}: {column} is {value}; accepted: a finite number")]
    NotFinite {
        /// The file.
        file: String,
        /// The row of data, from 1.
        row: usize,
        /// The column.
        column: &'static str,
        /// What stands there.
        value: f64,
    },
    /// A row without its partner in another file.
    #[error("{file}: wave {wave} is not in {other}; accepted: the same waves in both")]
    Wave {
        /// The file.
        file: String,
        /// The wave.
        wave: u32,
        /// Where it is missing.
        other: String,
    },
}

/// How deleveraging was, or would have been, done in the published comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Published {
    /// What the venue did.
    Production,
    /// In proportion to positions ("continuous pro-rata").
    ProRata,
    /// In proportion to gains.
    GainProRata,
    /// In proportion to equity.
    EquityProRata,
    /// One projection per coin ("vector mirror descent").
    Vector,
    /// Whole contracts by largest remainder ("integer pro-rata").
    Contracts,
    /// The min-max integer program.
    Program,
}

impl Published {
    /// All, in the order of the file.
    pub const ALL: [Self; 7] = [
        Self::Production,
        Self::ProRata,
        Self::GainProRata,
        Self::EquityProRata,
        Self::Vector,
        Self::Contracts,
        Self::Program,
    ];
}

/// What one policy takes in one wave.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Taken {
    /// In USD.
    pub budget: f64,
    /// The largest share of any winner's equity.
    pub largest_share: f64,
}

/// One wave of deleveraging.
#[derive(Clone, Debug, PartialEq)]
pub struct Wave {
    /// Its number.
    pub number: u32,
    /// What had to be taken, USD: |mark - execution| x quantity over the deleveraging fills.
    pub needed: f64,
    /// Negative equity of those whose positions were closed, USD.
    pub deficit: f64,
    /// The largest single one.
    pub largest_loss: f64,
    /// By policy.
    pub taken: BTreeMap<Published, Taken>,
}

/// One coin in one cluster of five seconds, under the queue.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Shock {
    /// Which coin.
    pub coin: String,
    /// USD.
    #[serde(rename = "deficit_usd")]
    pub deficit: f64,
    /// The most the queue could take.
    #[serde(rename = "total_capacity_usd")]
    pub capacity: f64,
    /// What it would have taken.
    #[serde(rename = "budget_queue_usd")]
    pub budget: f64,
    /// What of it was not needed.
    #[serde(rename = "overshoot_queue_usd")]
    pub overshoot: f64,
    /// What was needed and not there.
    #[serde(rename = "residual_queue_usd")]
    pub residual: f64,
}

/// What was needed for one coin in one wave.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Gap {
    /// Which wave.
    pub wave: u32,
    /// Which coin.
    pub coin: String,
    /// |mark - execution| x quantity, USD.
    #[serde(rename = "gap_usd_x_qty")]
    pub needed: f64,
}

/// What production took in one wave, seen some time later.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Later {
    /// Which wave.
    pub wave: u32,
    /// What had to be taken.
    #[serde(rename = "budget_needed_usd")]
    pub needed: f64,
    /// What was taken.
    #[serde(rename = "budget_prod_usd")]
    pub taken: f64,
}

#[derive(Debug, Deserialize)]
struct LoserWave {
    wave: u32,
    deficit_usd: f64,
    max_loss_usd: f64,
}

#[derive(Debug, Deserialize)]
struct PolicyRow {
    wave: u32,
    budget_needed: f64,
    deficit_usd: f64,
    max_loss_usd: f64,
    budget_prod: f64,
    budget_pr: f64,
    budget_pnl_pr: f64,
    budget_eq_pr: f64,
    budget_vector: f64,
    budget_contract_pr: f64,
    budget_fixed_point_ilp_integer: f64,
    max_pct_prod: f64,
    max_pct_pr: f64,
    max_pct_pnl_pr: f64,
    max_pct_eq_pr: f64,
    max_pct_vector: f64,
    max_pct_contract_pr: f64,
    max_pct_fixed_point_ilp_integer: f64,
}

/// How much later production's haircuts were looked at, in milliseconds.
pub const HORIZONS_MS: [u32; 5] = [0, 500, 1_000, 2_000, 5_000];

/// Everything that was published and is used here.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Night {
    /// In order.
    pub waves: Vec<Wave>,
    /// Coin by coin, in clusters of five seconds.
    pub shocks: Vec<Shock>,
    /// Wave by wave and coin by coin.
    pub gaps: Vec<Gap>,
    /// By horizon, in milliseconds.
    pub later: BTreeMap<u32, Vec<Later>>,
}

const POLICIES: &str = "policy_per_wave_metrics.csv";
const LOSERS: &str = "bad_debt_loser_waves.csv";
const SHOCKS: &str = "per_shock_metrics_queue.csv";
const GAPS: &str = "two_pass_wave_coin_gap_per_contract.csv";

/// Rows of a CSV file by column name; columns that nobody asks for are passed over.
pub(super) fn rows<T: DeserializeOwned>(file: &Path) -> Result<Vec<T>, NightError> {
    let refuse =
        |what: String, accepted| NightError::File { file: file.display().to_string(), what, accepted };
    let mut reader = csv::Reader::from_path(file)
        .map_err(|e| refuse(e.to_string(), "a readable CSV file with a header"))?;
    let mut out = Vec::new();
    for row in reader.deserialize() {
        out.push(
            row.map_err(|e| refuse(e.to_string(), "the columns of PROVENANCE.md, numbers where it says so"))?,
        );
    }
    if out.is_empty() {
        return Err(refuse("no row of data".into(), "a header and at least one row"));
    }
    Ok(out)
}

/// A column's name, and the number that a row has in it.
type Column<T> = (&'static str, fn(&T) -> f64);

/// Every number of a row has to be finite.
fn finite<T>(file: &Path, rows: &[T], columns: &[Column<T>]) -> Result<(), NightError> {
    for (row, r) in (1..).zip(rows) {
        for (column, of) in columns {
            let value = of(r);
            if !value.is_finite() {
                return Err(NightError::NotFinite { file: file.display().to_string(), row, column, value });
            }
        }
    }
    Ok(())
}

impl Night {
    /// Reads the folder of published tables.
    ///
    /// # Errors
    ///
    /// A file that is absent or does not fit, a number that is not finite, waves that are in one file and not in another.
    pub fn load(folder: &Path) -> Result<Self, NightError> {
        let waves = waves(folder)?;
        let file = folder.join(SHOCKS);
        let shocks: Vec<Shock> = rows(&file)?;
        finite(
            &file,
            &shocks,
            &[
                ("deficit_usd", |s| s.deficit),
                ("total_capacity_usd", |s| s.capacity),
                ("budget_queue_usd", |s| s.budget),
                ("overshoot_queue_usd", |s| s.overshoot),
                ("residual_queue_usd", |s| s.residual),
            ],
        )?;
        let file = folder.join(GAPS);
        let gaps: Vec<Gap> = rows(&file)?;
        finite(&file, &gaps, &[("gap_usd_x_qty", |g| g.needed)])?;
        same_waves(&file, gaps.iter().map(|g| g.wave), &waves)?;
        let mut later = BTreeMap::new();
        for horizon in HORIZONS_MS {
            let file = folder.join(format!("two_pass_equity_delta_by_wave_horizon_ms={horizon}.csv"));
            let seen: Vec<Later> = rows(&file)?;
            finite(&file, &seen, &[("budget_needed_usd", |l| l.needed), ("budget_prod_usd", |l| l.taken)])?;
            same_waves(&file, seen.iter().map(|l| l.wave), &waves)?;
            later.insert(horizon, seen);
        }
        Ok(Self { waves, shocks, gaps, later })
    }
}

fn same_waves(file: &Path, found: impl Iterator<Item = u32>, waves: &[Wave]) -> Result<(), NightError> {
    for wave in found {
        if waves.iter().all(|w| w.number != wave) {
            let (file, other) = (file.display().to_string(), POLICIES.to_owned());
            return Err(NightError::Wave { file, wave, other });
        }
    }
    Ok(())
}

fn waves(folder: &Path) -> Result<Vec<Wave>, NightError> {
    let file = folder.join(POLICIES);
    let table: Vec<PolicyRow> = rows(&file)?;
    let waves: Vec<Wave> = table.iter().map(wave).collect();
    for (row, w) in (1..).zip(&waves) {
        let numbers = w.taken.values().flat_map(|t| [t.budget, t.largest_share]);
        if let Some(value) = numbers.chain([w.needed, w.deficit, w.largest_loss]).find(|x| !x.is_finite()) {
            let file = file.display().to_string();
            return Err(NightError::NotFinite {
                file,
                row,
                column: "a budget, share, deficit or loss",
                value,
            });
        }
    }
    let file = folder.join(LOSERS);
    let losers: Vec<LoserWave> = rows(&file)?;
    finite(&file, &losers, &[("deficit_usd", |l| l.deficit_usd), ("max_loss_usd", |l| l.max_loss_usd)])?;
    same_waves(&file, losers.iter().map(|l| l.wave), &waves)?;
    Ok(waves)
}

fn wave(r: &PolicyRow) -> Wave {
    let taken = |budget, largest_share| Taken { budget, largest_share };
    let by_policy = [
        taken(r.budget_prod, r.max_pct_prod),
        taken(r.budget_pr, r.max_pct_pr),
        taken(r.budget_pnl_pr, r.max_pct_pnl_pr),
        taken(r.budget_eq_pr, r.max_pct_eq_pr),
        taken(r.budget_vector, r.max_pct_vector),
        taken(r.budget_contract_pr, r.max_pct_contract_pr),
        taken(r.budget_fixed_point_ilp_integer, r.max_pct_fixed_point_ilp_integer),
    ];
    Wave {
        number: r.wave,
        needed: r.budget_needed,
        deficit: r.deficit_usd,
        largest_loss: r.max_loss_usd,
        taken: Published::ALL.into_iter().zip(by_policy).collect(),
    }
}
