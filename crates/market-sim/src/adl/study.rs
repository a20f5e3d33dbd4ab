//! A study file: published figures, set beside what their own tables give.

use super::figures::FIGURES;
use super::lab::Lab;
use super::night::{Night, NightError};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Why a study cannot be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AdlStudyError {
    /// The study file: absent, or not of this shape.
    #[error("{file}: {what}; accepted: {accepted}")]
    File {
        /// The file.
        file: String,
        /// What is wrong.
        what: String,
        /// What would do.
        accepted: String,
    },
    /// The published tables.
    #[error(transparent)]
    Data(#[from] NightError),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    title: String,
    data: PathBuf,
    #[serde(default)]
    sources: BTreeMap<String, String>,
    figure: Vec<FigureRow>,
    #[serde(default)]
    absent: Vec<Absent>,
    #[serde(default)]
    book: Option<Lab>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FigureRow {
    key: String,
    what: String,
    published: f64,
    unit: String,
    digits: u8,
    source: String,
}

/// A published number that the public data cannot give.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Absent {
    /// What.
    pub what: String,
    /// Where it is printed.
    pub source: String,
}

/// A published number beside the recomputed one, in the unit in which it is printed.
#[derive(Clone, Debug, PartialEq)]
pub struct Compared {
    /// What it counts.
    pub what: String,
    /// As printed.
    pub published: f64,
    /// From the tables, in the same unit.
    pub recomputed: f64,
    /// Of both.
    pub unit: String,
    /// Decimals that are printed.
    pub digits: u8,
    /// From what and how it is recomputed.
    pub how: &'static str,
    /// Where it is printed.
    pub source: String,
}

impl Compared {
    /// Recomputed less published.
    #[must_use]
    pub fn difference(&self) -> f64 {
        self.recomputed - self.published
    }

    /// Whether the recomputed number, rounded or cut to the printed digits, is the published one: papers do both.
    #[must_use]
    pub fn agrees(&self) -> bool {
        let unit = libm::pow(10.0, -f64::from(self.digits));
        let slack = unit * 1e-9;
        (-0.5 * unit - slack..unit).contains(&(self.difference() * self.published.signum()))
    }
}

/// A study that was made.
#[derive(Clone, Debug, PartialEq)]
pub struct AdlStudy {
    /// Its title.
    pub title: String,
    /// The tables.
    pub night: Night,
    /// Figure by figure, in the order of the file.
    pub compared: Vec<Compared>,
    /// What cannot be recomputed.
    pub absent: Vec<Absent>,
    /// What the letters of sources stand for.
    pub sources: BTreeMap<String, String>,
    /// On what policies are compared, if the study says so.
    pub lab: Option<Lab>,
}

/// How many dollars, or what else, one of a unit is.
fn scale(unit: &str) -> f64 {
    match unit.split(' ').next() {
        Some("million") => 1e6,
        Some("thousand") => 1e3,
        _ => 1.0,
    }
}

/// Reads `study.toml` of a folder, or the file itself, and the tables that it names, and recomputes every figure.
///
/// # Errors
///
/// A file that is absent or not of this shape, a key that nobody can compute, tables that do not fit.
pub fn load(path: &Path) -> Result<AdlStudy, AdlStudyError> {
    let file = if path.is_dir() { path.join("study.toml") } else { path.to_path_buf() };
    let refuse = |what: String, accepted: &str| AdlStudyError::File {
        file: file.display().to_string(),
        what,
        accepted: accepted.into(),
    };
    let text = std::fs::read_to_string(&file)
        .map_err(|e| refuse(e.to_string(), "a folder with a study.toml, or such a file"))?;
    let document: Document = toml::from_str(&text).map_err(|e| {
        let before = e.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        refuse(
            format!("line {}: {}", before.lines().count().max(1), e.message()),
            "title, data, and a [[figure]] or more: key, what, published, unit, digits, source",
        )
    })?;
    let night = Night::load(&file.parent().unwrap_or(Path::new(".")).join(&document.data))?;
    let mut compared = Vec::with_capacity(document.figure.len());
    for (i, row) in document.figure.into_iter().enumerate() {
        let Some(figure) = FIGURES.iter().find(|f| f.key == row.key) else {
            let keys: Vec<&str> = FIGURES.iter().map(|f| f.key).collect();
            return Err(refuse(format!("figure[{i}].key: \"{}\"", row.key), &keys.join(", ")));
        };
        if row.digits > 9 || !row.published.is_finite() {
            return Err(refuse(
                format!("figure[{i}]: published {}, digits {}", row.published, row.digits),
                "a finite number and at most 9 digits",
            ));
        }
        compared.push(Compared {
            recomputed: figure.recompute(&night) / scale(&row.unit),
            what: row.what,
            published: row.published,
            unit: row.unit,
            digits: row.digits,
            how: figure.how,
            source: row.source,
        });
    }
    let folder = file.parent().unwrap_or(Path::new("."));
    if let Some(Err((what, accepted))) = document.book.as_ref().map(Lab::check) {
        return Err(refuse(what, accepted));
    }
    Ok(AdlStudy {
        lab: document.book.map(|b| b.resolved(folder)),
        title: document.title,
        night,
        compared,
        absent: document.absent,
        sources: document.sources,
    })
}
