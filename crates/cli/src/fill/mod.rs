//! Fills the report of the main job from the results of a study. Every sentence whose truth depends on a number is chosen by
//! that number; floats are for display only, money stays the exact decimal string that the study's sums give.

mod blind;
mod book;
mod breakers;
mod head;
mod lending;
mod levels;
mod linked;
mod provenance;
#[cfg(test)]
mod tests;
mod variants;
mod verdicts;
mod waterfall;
mod words;

pub(crate) use lending::LendingPart;

use crate::report::{FileEntry, NamedValue, ReportData, Reproduce};
use cofferdam_market_sim::implied::Reach;
use cofferdam_market_sim::study::{Labels, Study, StudyError, StudyOutcome, Summary, VariantConfig};

/// What a report is made of.
pub(crate) struct Filling<'a> {
    /// The study: scenario, minutes, prior.
    pub(crate) study: &'a Study,
    /// What its runs left.
    pub(crate) outcome: &'a StudyOutcome,
    /// The same, summarised; the page and `summary.json` show the same figures.
    pub(crate) summary: &'a Summary,
    /// The leverage that each minute needs.
    pub(crate) reach: &'a Reach,
    /// Names of insurance layers and breakers in the stack file of a run.
    pub(crate) labels: &'a dyn Fn(&VariantConfig) -> Labels,
    /// Lending on the same path, where it was run.
    pub(crate) lending: Option<LendingPart<'a>>,
    /// Files read and written.
    pub(crate) files: Vec<FileEntry>,
    /// The command, as typed from the root of the repository.
    pub(crate) command: &'a str,
}

/// Every section of the report.
///
/// # Errors
/// None for a study that has run: only what [`Windows`](cofferdam_market_sim::implied::Windows) refuses of a prior or minutes
/// that it accepted before.
pub(crate) fn report_data(f: &Filling<'_>) -> Result<ReportData, StudyError> {
    Ok(ReportData {
        title: f.summary.scenario.clone(),
        head: head::head(f),
        price: book::price(f),
        provenance: provenance::rows(f),
        leverage_age: book::leverage_age(f)?,
        implied_share: blind::implied_share(f),
        mutations: blind::mutations(f),
        blind: blind::blind(f),
        levels: levels::levels(f),
        variants: variants::variants(f),
        linked: linked::linked(f),
        depth_exit: variants::tipping(f),
        waterfalls: waterfall::waterfalls(f),
        lending: f.lending.as_ref().map(|part| lending::lending(f, part)).unwrap_or_default(),
        reproduce: reproduce(f),
    })
}

fn reproduce(f: &Filling<'_>) -> Reproduce {
    let named = |name: &str, value: String| NamedValue { name: name.to_owned(), value };
    let seeds: Vec<String> = f.study.prepared.scenario.seeds.iter().map(u64::to_string).collect();
    let first = seeds.first().cloned().unwrap_or_default();
    Reproduce {
        command: f.command.to_owned(),
        versions: vec![
            named("cofferdam", env!("CARGO_PKG_VERSION").to_owned()),
            named("format of summary.json", f.summary.format.to_string()),
            named("hash over all runs", f.summary.study_hash.clone()),
        ],
        seeds: vec![
            named("account books of the replay and of every variant", seeds.join(", ")),
            named("mutations, blind validation, linked depth, map, branching ratios", first),
            named("placebo", "none: 200 circular shifts, spread evenly".to_owned()),
        ],
        files: f.files.clone(),
    }
}
