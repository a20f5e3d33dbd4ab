//! Ajna: an oracle-free lending pool. A loan is kicked when its threshold price times 1.04 is above the lowest utilised price (LUP); its
//! collateral is then sold at a falling price; who kicked stakes a bond on the price at which it is taken.
//!
//! Source: ajna-finance/ajna-core@0f59e780, src/libraries/helpers/PoolHelper.sol.

mod auction;
mod price;
mod spec;

pub use auction::{KickedAuction, KickedTerms};
pub use price::{auction_price, bond_factor, neutral_price, neutral_ratio, reward_factor};
