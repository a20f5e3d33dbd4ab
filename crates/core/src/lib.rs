//! Values that the rooms of a Cofferdam risk stack exchange, and nothing else: ids, time, integer money with a stated
//! rounding, the ledger's vocabulary (holders, items, postings), health, price views, actions and verdicts, and the
//! small bounded records in which the stack keeps a module's memory.
//!
//! There is no trait of any domain here: the oracle, the margin engine, the liquidation strategy, the insurance layers
//! and the circuit breakers each define their own contract in their own crate and meet only in `cofferdam-stack`.
//!
//! ```
//! use cofferdam_core::{Decimal, Lots, MarketScale, Ticks};
//! // 0.001 ETH x 0.01 USD = 0.00001 USD = 10 quanta of 1e-6 USD
//! let scale = MarketScale::new(
//!     &"0.001".parse::<Decimal>()?, &"0.01".parse()?, &"1".parse()?, &"0.000001".parse()?,
//! )?;
//! assert_eq!(scale.quanta_per_lot_tick(), 10);
//! assert_eq!(scale.notional(Lots::new(1_500), Ticks::new(120_000))?.get(), 1_800_000_000); // 1.5 ETH at 1200 USD
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]
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
extern crate alloc;
#[cfg(test)]
extern crate std;

mod action;
mod bands;
mod decimal;
mod error;
mod growth;
mod health;
mod id;
mod ledger;
mod memory;
mod price;
mod quantity;
mod ratio;
mod scale;
mod time;
mod view;
pub mod wide;

pub use action::{Action, ActionKind, Observation, Verdict};
pub use bands::{BANDS_MAX, Bands, Grid};
pub use decimal::{Decimal, DecimalError};
pub use error::MathError;
pub use growth::{compound, half_life_decay, sqrt_wad};
pub use health::{Health, Level, Line};
pub use id::{AssetId, AuctionId, DrawId, EventId, GroupId, LayerId, MarketId, OrderId, PoolId};
pub use ledger::{Holder, House, Item, Posting, Unbalanced, check_balanced};
pub use memory::{MapMemory, Memory, MemoryError, MemoryStore, Reader, Record, Scope, Slot, Writer, Writes};
pub use price::{Instrument, PriceRole, PriceState, PriceView, Quote, SourceId};
pub use quantity::{Amount, FundingIndex, Index, Lots, Quanta, Scaled, Ticks};
pub use ratio::{Ppb, RAY, WAD};
pub use scale::{AssetScale, MarketScale, ScaleError};
pub use time::{At, Millis};
pub use view::{
    AssetView, AuctionView, BalanceView, Case, DebtView, GroupView, MarketView, PoolTotals, PositionView,
    SCENARIOS_MAX, ScenarioPrice, Scenarios, Totals, WhatIf, World,
};
pub use wide::Rounding;
