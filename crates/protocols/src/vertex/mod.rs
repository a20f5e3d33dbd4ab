//! Vertex: one account whose deposits, loans and perpetuals net by weights, a spread between an asset and its perpetual at a fifth of the
//! penalty, and liquidators who buy assets and positions first, and what is owed last.
//!
//! Source: vertex-protocol/vertex-contracts, contracts/ (ClearinghouseLiq.sol@93479f45, ClearinghouseStorage.sol@02babeb7,
//! libraries/RiskHelper.sol@05304381).

mod health;
mod spec;
mod strategy;
mod weights;

pub use health::{SpreadHealth, Weighted};
pub use strategy::{LiquidateAccount, Terms};
pub use weights::{Perp, Price, Spot, Spread, Weights, basis};
