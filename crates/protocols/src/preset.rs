//! The list of presets.

use cofferdam_stack::{ConfigError, StackConfig};

/// What a preset's accounts do: which scenario can run it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum World {
    /// They hold positions in `ETH-PERP`.
    Perpetual,
    /// They borrow against `ETH`.
    Lending,
    /// They clear futures and options, whose scenario values come in as inputs: no recorded scenario has them.
    Cleared,
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
    "aave-v3" Lending "Aave v3.7, USDC against ETH, in the market of its own tests";
    "ajna" Lending "Ajna, an oracle-free pool of USDC against ETH (ajna-finance/ajna-core@0f59e780)";
    "binance-usdm" Perpetual "Binance USD-M futures, brackets of October 2024";
    "bybit" Perpetual "Bybit USDT perpetuals, insurance pools of September 2025";
    "ccp" Cleared "A clearing house for futures and options: scenario margin and default waterfall";
    "compound-v3" Lending "Compound III, the USDC market with ETH as collateral";
    "curve-llamma" Lending "Curve LLAMMA (curve-stablecoin@0d726b1), a market of USDC against ETH";
    "deribit" Perpetual "Deribit linear perpetuals, margin of support article 25944738177565";
    "drift-v2" Perpetual "Drift v2, program of April 2026";
    "dydx-v4" Perpetual "dYdX v4, v4-chain at 84d4664b (March 2026)";
    "euler-v2" Lending "Euler v2 (Euler Vault Kit), a vault of USDC against ETH";
    "fluid" Lending "Fluid, a vault of USDC against ETH (Instadapp/fluid-contracts-public@a9949b4)";
    "gmx-v2" Perpetual "GMX v2, contracts of March 2026";
    "hyperliquid" Perpetual "Hyperliquid perpetuals, documentation of November 2026";
    "liquity-v1" Lending "Liquity v1, LUSD against ETH (liquity/dev@39f1f7f8)";
    "liquity-v2" Lending "Liquity v2, the WETH branch of BOLD (liquity/bold@405f9122)";
    "maker" Lending "Maker Liquidations 2.0 (makerdao/dss@fa4f663)";
    "mango-v4" Lending "Mango v4, tokens lent and borrowed with a stable price (blockworks-foundation/mango-v4)";
    "morpho-blue" Lending "Morpho Blue, a market of USDC against ETH at 86 %";
    "okx" Perpetual "OKX USDT-margined swaps, tiers of April 2021";
    "perennial-v2" Perpetual "Perennial v2, contracts of May 2025";
    "synthetix-v3" Perpetual "Synthetix v3 perpetuals, contracts of June 2025";
    "vertex" Perpetual "Vertex, contracts of May 2025";
}

/// The preset of this name.
#[must_use]
pub fn preset(name: &str) -> Option<&'static Preset> {
    presets().iter().find(|p| p.name == name)
}
