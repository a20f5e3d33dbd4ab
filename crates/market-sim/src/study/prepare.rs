//! What every run of a study starts from: minutes, tiers, the account book of each seed.

use super::config::{Scenario, StudyError, VariantConfig};
use crate::data::{LoadOptions, Minutes, load_minutes};
use crate::implied::{
    Expectation, ImpliedBook, ImpliedError, Opening, PerSide, Rule, Schedule, Stratum, Survivors, Tier,
    Windows, draw_survivors, low_leverage,
};
use crate::perp::{Cover, InsurerPlan, Venue};
use cofferdam_core::{Amount, AssetId, LayerId, Quanta};
use cofferdam_stack::{RiskStack, StackConfig};
use std::path::{Path, PathBuf};

/// Everything that does not depend on a seed.
#[derive(Debug)]
pub struct Prepared {
    /// The scenario.
    pub scenario: Scenario,
    /// The folder that its paths are relative to.
    pub folder: PathBuf,
    /// The minutes.
    pub minutes: Minutes,
    /// The venue's tiers.
    pub schedule: Schedule,
    /// Expected liquidations per opened lot.
    pub expectation: Expectation,
    /// Lots opened per row, fitted over all rows.
    pub rates: PerSide<f64>,
}

/// A stack as a variant runs it, and what stands around it at the start.
#[derive(Debug)]
pub struct Composed {
    /// The stack.
    pub stack: RiskStack,
    /// Its market.
    pub venue: Venue,
    /// What insurance starts with.
    pub covers: Vec<Cover>,
    /// How those who promised behave.
    pub insurers: Vec<InsurerPlan>,
}

/// The account book of one seed.
#[derive(Debug)]
pub struct SeedBook {
    /// The seed.
    pub seed: u64,
    /// The accounts that were liquidated.
    pub implied: ImpliedBook,
    /// How the survivors were thinned.
    pub survivors: Survivors,
    /// All accounts.
    pub openings: Vec<Opening>,
}

impl Prepared {
    /// Loads and checks everything a scenario names, stack files included, before anything runs.
    ///
    /// # Errors
    ///
    /// Any fault of a file, with its place.
    pub fn load(path: &Path) -> Result<Self, StudyError> {
        let (scenario, folder) = Scenario::load(path)?;
        let options = LoadOptions { max_gap_ms: scenario.max_gap_ms, ..LoadOptions::default() };
        let minutes = load_minutes(&folder.join(&scenario.data), &options)?;
        scenario.check_times(&folder, &minutes)?;
        let tiers_file = folder.join(&scenario.tiers);
        let tiers = read_tiers(&tiers_file, scenario.tiers_used)?;
        let implied =
            |source: ImpliedError| StudyError::Implied { file: tiers_file.display().to_string(), source };
        let schedule = Schedule::new(&tiers).map_err(implied)?;
        let implied = |source: ImpliedError| StudyError::Implied {
            file: folder.join("scenario.toml").display().to_string(),
            source,
        };
        let prior = scenario.prior.prior();
        let expectation =
            Expectation::new(&minutes, &schedule, &prior, scenario.lookback_rows).map_err(implied)?;
        let rates = expectation.fit(&minutes, 0..minutes.len()).map_err(implied)?;
        let prepared = Self { scenario, folder, minutes, schedule, expectation, rates };
        prepared.composed(&VariantConfig::replay("replay", ""))?;
        for v in prepared.scenario.variants.iter().chain(&prepared.scenario.mutations) {
            prepared.composed(v)?;
        }
        if let Some(lending) = &prepared.scenario.lending {
            StackConfig::load(prepared.folder.join(&lending.stack))?.build()?;
        }
        Ok(prepared)
    }

    pub(super) fn fault(&self, source: ImpliedError) -> StudyError {
        StudyError::Implied { file: self.folder.join("scenario.toml").display().to_string(), source }
    }

    /// Composes the stack of a variant, with its insurance scaled, and finds its insurers' layers in it.
    ///
    /// # Errors
    ///
    /// Any fault of the stack file; an insurer of a layer that is not there, or whose money is escrowed.
    pub fn composed(&self, variant: &VariantConfig) -> Result<Composed, StudyError> {
        let file = self.folder.join(variant.stack.as_ref().unwrap_or(&self.scenario.stack));
        let built = StackConfig::load(&file)?.build()?;
        let fault = |field: String, value: String, accepted: String| StudyError::Scenario {
            file: file.display().to_string(),
            field,
            value,
            accepted,
        };
        let Some(market) = built.names.market(&self.scenario.market) else {
            return Err(fault(
                "markets".into(),
                format!("{:?}", built.names.markets()),
                format!("a market called {:?}, as the scenario says", self.scenario.market),
            ));
        };
        let mut markets = built.stack.parts().markets.iter();
        let settlement = markets.find(|m| m.id == market).map_or(AssetId(0), |m| m.settlement);
        let scaled = |units: i128| (units as f64 * variant.insurance) as i128;
        let same = variant.insurance == 1.0;
        let covers: Vec<Cover> = built
            .commitments
            .iter()
            .map(|c| Cover {
                layer: c.layer,
                escrow: Amount::new(if same { c.escrow.get() } else { scaled(c.escrow.get()) }),
                capacity: if same || c.escrowed { c.capacity } else { Quanta::new(scaled(c.capacity.get())) },
                expires: c.expires,
            })
            .collect();
        let promised: Vec<(&String, LayerId)> = built
            .names
            .layers()
            .iter()
            .zip(&built.stack.parts().layers)
            .filter(|(_, l)| covers.iter().any(|c| c.layer == l.id && c.escrow.get() <= 0))
            .map(|(name, l)| (name, l.id))
            .collect();
        let mut insurers = Vec::new();
        for config in &variant.insurers {
            let Some((_, layer)) = promised.iter().find(|(name, _)| **name == config.layer) else {
                let names: Vec<&String> = promised.iter().map(|(name, _)| *name).collect();
                let accepted = if names.is_empty() {
                    "a layer that is promised, of which there is none".into()
                } else {
                    format!("a layer that is promised: {names:?}")
                };
                let field = format!("insurers.layer of variant {:?}", variant.name);
                return Err(fault(field, format!("{:?}", config.layer), accepted));
            };
            insurers.push(config.plan(*layer));
        }
        Ok(Composed { stack: built.stack, venue: Venue { market, settlement }, covers, insurers })
    }

    /// Posterior windows, shared by all seeds.
    ///
    /// # Errors
    ///
    /// Parameters outside their ranges.
    pub fn windows(&self) -> Result<Windows<'_>, StudyError> {
        let prior = self.scenario.prior.prior();
        Windows::new(&self.minutes, &self.schedule, &prior, self.scenario.lookback_rows)
            .map_err(|e| self.fault(e))
    }

    /// Draws the book of a seed.
    ///
    /// # Errors
    ///
    /// Parameters outside their ranges.
    pub fn book(&self, windows: &Windows<'_>, seed: u64) -> Result<SeedBook, StudyError> {
        let implied = windows.draw(seed, Rule::Posterior);
        let prior = self.scenario.prior.prior();
        let rows = 0..self.minutes.len();
        let survivors =
            draw_survivors(&self.minutes, &self.schedule, &prior, self.rates, &Stratum::DEFAULT, seed, rows)
                .map_err(|e| self.fault(e))?;
        let low = low_leverage(&self.minutes, &self.schedule, &self.scenario.background.low_leverage())
            .map_err(|e| self.fault(e))?;
        let mut openings = implied.openings.clone();
        openings.extend(survivors.openings.iter().copied());
        openings.extend(low);
        Ok(SeedBook { seed, implied, survivors, openings })
    }
}

impl SeedBook {
    /// The accounts with the background scaled: the same accounts, each larger or smaller.
    #[must_use]
    pub fn scaled(&self, variant: &VariantConfig) -> Vec<Opening> {
        let mut openings = self.openings.clone();
        if variant.background == 1.0 {
            return openings;
        }
        for o in openings.iter_mut().skip(self.implied.openings.len()) {
            let lots = ((o.lots as f64 * variant.background) as i64).max(1);
            // collateral in proportion, up: leverage is never higher than it was
            o.collateral = (o.collateral * i128::from(lots) + i128::from(o.lots) - 1) / i128::from(o.lots);
            o.lots = lots;
        }
        openings
    }
}

/// Reads the tiers of a venue: a header with `min_notional`, `mmr` and `max_leverage`, then one tier per line.
fn read_tiers(file: &Path, used: usize) -> Result<Vec<Tier>, StudyError> {
    let name = file.display().to_string();
    let fault = |field: String, value: &str, accepted: &str| StudyError::Scenario {
        file: name.clone(),
        field,
        value: value.into(),
        accepted: accepted.into(),
    };
    let text = std::fs::read_to_string(file)
        .map_err(|source| StudyError::Unreadable { file: name.clone(), source })?;
    let mut lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    let header: Vec<&str> = lines.next().map_or("", |(_, l)| l).split(',').map(str::trim).collect();
    let column = |wanted: &str| {
        header
            .iter()
            .position(|h| *h == wanted)
            .ok_or_else(|| fault("header".into(), &header.join(","), &format!("a column {wanted}")))
    };
    let (lower, rate, leverage) = (column("min_notional")?, column("mmr")?, column("max_leverage")?);
    let mut tiers = Vec::new();
    for (i, line) in lines {
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let units = |column: usize, exponent: i32| {
            let cell = cells.get(column).copied().unwrap_or("");
            let number = cell.parse::<cofferdam_core::Decimal>().and_then(|d| d.to_units(exponent));
            number.map_err(|e| fault(format!("line {}, {}", i + 1, header[column]), cell, &e.to_string()))
        };
        let small = |column: usize, units: i128| {
            u32::try_from(units).map_err(|_| {
                fault(
                    format!("line {}, {}", i + 1, header[column]),
                    cells[column],
                    "a number from zero to 2^32",
                )
            })
        };
        tiers.push(Tier {
            lower_notional_quanta: units(lower, -6)?,
            maintenance_ppb: small(rate, units(rate, -9)?)?.into(),
            max_leverage: small(leverage, units(leverage, 0)?)?,
        });
    }
    if used == 0 || used > tiers.len() {
        return Err(fault(
            "tiers_used of the scenario".into(),
            &used.to_string(),
            &format!("1 to {}", tiers.len()),
        ));
    }
    tiers.truncate(used);
    Ok(tiers)
}
