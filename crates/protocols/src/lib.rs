//! The rules of real venues as risk stacks: a stack file for each, and the modules that the domain crates lack.
//!
//! A preset is a starting point: read it, run it, change one module of it. Numbers are those of the venue's own code or
//! documentation, rounded where the venue rounds; what is not modelled is said on the venue's page in `docs/protocols/`.
//!
//! The type a reader must know is [`Preset`]; [`presets`] lists them. Linking this crate registers its kinds
//! (`use cofferdam_protocols as _;`), so that stack files can name them.
//!
//! ```
//! let preset = cofferdam_protocols::preset("binance-usdm").expect("it is one of them");
//! let stack = preset.config()?.build()?;
//! assert_eq!(stack.names.markets()[0], "ETH-PERP");
//! # Ok::<(), cofferdam_stack::ConfigError>(())
//! ```
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

pub mod aave_v3;
pub mod ajna;
mod binance;
pub mod compound_v3;
pub mod curve;
pub mod drift_v2;
pub mod dydx;
pub mod euler_v2;
pub mod fluid;
pub mod gmx_v2;
pub mod mango_v4;
pub mod morpho_blue;
pub mod perennial_v2;
mod preset;
pub mod synthetix_v3;
pub mod vertex;

pub use preset::{Preset, World, preset, presets};
