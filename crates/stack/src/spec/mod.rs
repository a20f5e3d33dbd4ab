//! Configuration: a stack file becomes specs, specs are validated once and build modules; modules do not parse
//! configuration.
//!
//! A *spec* is a serde struct that typetag finds by its `kind = "org/name@1"`. Names in the file become ids in the order of
//! appearance; amounts are decimal strings that have to be whole in their unit; every refusal names the place.

mod build;
mod context;
mod document;
mod error;
mod kinds;
mod names;
mod permits;
mod read;
mod registry;
mod value;

#[cfg(test)]
mod tests;

pub use build::{BrokenLaw, Built, InitialCommitment};
pub use context::{Context, Subject};
pub use document::StackConfig;
pub use error::{ConfigError, Refusal};
pub use kinds::{
    AccrualSpec, AllocationSpec, BreakerSpec, CurveSpec, GuardSpec, LayerSpec, LiquidationSpec, MarginSpec,
    PlacementSpec, PoolSpec, PriceSpec, RequirementSpec,
};
pub use names::Names;
pub use registry::{Breach, ModuleInfo, Parameter, Registry, RegistryError, Room, SpecTrait, modules};
pub use value::{Number, Ratio};
