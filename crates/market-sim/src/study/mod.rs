//! The study of one scenario: replay, mutations, blind validation, counterfactuals, lending. Same files, same seeds, same bytes.

mod config;
mod insurer;
mod prepare;
mod runs;
mod summary;

pub use config::{
    BackgroundConfig, BlindConfig, FeedConfig, ImpactKind, LendingConfig, LevelsConfig, LinkedConfig,
    MapConfig, MarketConfig, PriorConfig, Scenario, StudyError, VariantConfig,
};
pub use insurer::InsurerConfig;
pub use prepare::{Composed, Prepared, SeedBook};
pub use runs::{Blinded, LinkedCase, LinkedSeed, Progress, Study, StudyOutcome, TippingCell, VariantRuns};
pub use summary::{
    BlindSummary, Labels, LinkedSeedSummary, LinkedSummary, MutationSummary, ReplaySummary, Summary,
    VariantSummary, by_name, spread, usd,
};
