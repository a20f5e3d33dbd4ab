//! Composition: the rooms of a risk stack meet only here. A ledger of balanced postings, a pure `decide`, one writer
//! `evolve`, a work queue inside the state, specs that build modules from configuration, and a registry for kinds that
//! third parties bring.
//!
//! The two or three types a reader must know: [`RiskStack`] (the composed modules, immutable), [`State`] (everything
//! held and remembered; only facts change it), [`Engine`] (both, with the index of who is close to liquidation).
#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::float_arithmetic,
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used
    )
)]

mod decide;
mod draft;
mod engine;
mod fact;
mod input;
mod journal;
pub mod spec;
mod stack;
mod state;
mod store;
mod watch;

pub use decide::StepError;
pub use draft::Decision;
pub use engine::{Engine, Observer, Outcome, StepCause, StepLimit};
pub use fact::{Draw, EventMark, Fact, LayerState, Order, Reason, Work, WorkKey};
pub use input::{
    Alarm, Answer, Body, Effect, Input, InputId, MarketScenarios, Named, OrderOutcome, Rejection,
};
pub use journal::{JournalError, JournalReader, JournalWriter, Kind as JournalKind};
pub use spec::{
    AccrualSpec, AllocationSpec, Breach, BreakerSpec, BrokenLaw, Built, ConfigError, Context, CurveSpec,
    GuardSpec, InitialCommitment, LayerSpec, LiquidationSpec, MarginSpec, ModuleInfo, Names, Number,
    Parameter, PlacementSpec, PoolSpec, PriceSpec, Ratio, Refusal, Registry, RegistryError, RequirementSpec,
    Room, SpecTrait, StackConfig, Subject, modules,
};
pub use stack::{
    AccrualRule, AccrualSubject, AssetTerms, ComposeError, EventRule, LayerTerms, MarketTerms, Parts,
    PoolFloor, PoolKind, PoolTerms, PriceRule, RiskStack,
};
pub use state::{EventState, FactFrame, Genesis, Head, State};
pub use store::{EvolveError, Holding};
pub use watch::Watch;
