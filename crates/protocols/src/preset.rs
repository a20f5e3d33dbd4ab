//! The list of presets.

use cofferdam_stack::{ConfigError, StackConfig};

/// What a preset's accounts do: which scenario can run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// They hold positions in `ETH-PERP`.
    Perpetual,
    /// They borrow against `ETH`.
    Lending,
}

/// A venue's rules as a stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preset {
    /// What the command line calls it; its page is `docs/protocols/NAME.md`.
    pub name: &'static str,
    /// The venue, and the version of it that is meant.
    pub title: &'static str,
    /// What its accounts do.
    pub world: World,
    /// Its stack file.
    pub stack: &'static str,
}

impl Preset {
    /// The file's specs, ready to build.
    ///
    /// # Errors
    ///
    /// None for the presets of this crate: a test builds each.
    pub fn config(&self) -> Result<StackConfig, ConfigError> {
        StackConfig::from_toml(self.stack, &format!("{}.toml", self.name))
    }
}

/// The stack file of a preset beside its name.
macro_rules! presets {
    ($($name:literal $world:ident $title:literal;)*) => {
        /// All presets, by name.
        #[must_use]
        pub fn presets() -> &'static [Preset] {
            &[$(Preset {
                name: $name,
                title: $title,
                world: World::$world,
                stack: include_str!(concat!("../stacks/", $name, ".toml")),
            },)*]
        }
    };
}

presets! {
    "drift-v2" Perpetual "Drift v2, program of April 2026";
    "gmx-v2" Perpetual "GMX v2, contracts of March 2026";
    "binance-usdm" Perpetual "Binance USD-M futures, tiers of October 2024";
}

/// The preset of this name.
#[must_use]
pub fn preset(name: &str) -> Option<&'static Preset> {
    presets().iter().find(|p| p.name == name)
}
