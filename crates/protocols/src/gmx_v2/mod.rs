//! GMX v2, gmx-io/gmx-synthetics@a5c0c883 (13 March 2026): a pool that takes the other side of every trade at the oracle's price, moved by
//! what the trade does to the imbalance of open interest; and what a position must be backed with. The page is `docs/protocols/gmx-v2.md`.

mod collateral;
mod impact;
mod pool;

pub use collateral::CollateralFactor;
pub use impact::{Exponent, Impact, ImpactTerms};
pub use pool::OraclePool;
