//! dYdX v4: what the domain crates lack. Bankruptcy and fillable prices, the part of a position that goes per block, and who covers
//! the loss of a fill.
//!
//! Source of every formula: dydxprotocol/v4-chain, `protocol/x/clob/keeper/liquidations.go` and `deleveraging.go` (commit
//! 014223b6) and `protocol/x/perpetuals/types/liquidity_tier.go`.

mod insurance;
mod liquidation;
mod price;
mod tier;

pub use insurance::InsuranceDelta;
pub use liquidation::{BlockLimits, BlockLiquidation};
pub use price::{Fillable, Share, bankruptcy_price, bankruptcy_quote, insurance_delta};
pub use tier::maintenance_rate;
