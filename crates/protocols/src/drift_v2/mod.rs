//! Drift v2, program of drift-labs/protocol-v2@0ae3e3b1 (1 April 2026): what its perpetuals ask, how a liquidator takes a position
//! over, what its insurance fund may pay, and how fast deposits may leave. The page is `docs/protocols/drift-v2.md`.

pub mod formulas;
mod guard;
mod insurance;
mod liquidate;
mod premium;
mod spec;

pub use guard::WithdrawGuard;
pub use insurance::{ContractTier, TierInsurance};
pub use liquidate::{LiquidatePerp, MarketUnits, Ramp};
pub use premium::SizePremium;
