//! Synthetix v3 perpetuals, Synthetixio/synthetix-v3@23585f73 (12 June 2025): a pool that fills at the oracle's price moved by the average
//! skew before and after, and margin that grows with size over the same scale. The page is `docs/protocols/synthetix-v3.md`.

mod margin;
mod pool;

pub use margin::SkewMargin;
pub use pool::SkewPool;
