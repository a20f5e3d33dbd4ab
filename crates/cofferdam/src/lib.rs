//! One name for all rooms of a risk stack: each is re-exported under its own name, behind a feature of that name. Nothing
//! is defined here, so a type is the same whichever way it is reached.
//!
//! | module | feature | for |
//! |---|---|---|
//! | [`core`] | always | the values that rooms exchange |
//! | `oracle` | `oracle` | quotes in, a price with a state out |
//! | `market` | `market` | funding, interest, a pool that fills trades itself |
//! | `margin_engine` | `margin-engine` | health, requirements, the columnar book |
//! | `liquidation_strategy` | `liquidation-strategy` | what is closed, how fast, by whom; who pays what is left |
//! | `insurance_layer` | `insurance-layer` | the contract of a layer and the waterfall |
//! | `circuit_breaker` | `circuit-breaker` | what to stop, for how long, and what never |
//! | `stack` | `stack` | the rooms composed: `decide`, `evolve`, specs |
//! | `runtime` | `runtime` (off by default) | the edge: insurers are asked, and what they say is reported |
//! | `insurance_http` | `insurance-http` (off by default) | insurers at the other end of HTTP |
//! | `sim` | `sim` (off by default) | the market around a stack, simulated |
//! | `forecast` | `forecast` (off by default) | what instruments would be worth in each scenario |
//!
//! Features add modules and change nothing in them.
//!
//! ```
//! use cofferdam::core::{Lots, MarketScale, Ticks};
//! let scale = MarketScale::from_factor(10)?; // ten quanta per lot and tick
//! assert_eq!(scale.notional(Lots::new(3), Ticks::new(7))?.get(), 210);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![no_std]

#[cfg(feature = "circuit-breaker")]
#[doc(inline)]
pub use cofferdam_circuit_breaker as circuit_breaker;
#[doc(inline)]
pub use cofferdam_core as core;
#[cfg(feature = "forecast")]
#[doc(inline)]
pub use cofferdam_forecast as forecast;
#[cfg(feature = "insurance-http")]
#[doc(inline)]
pub use cofferdam_insurance_http as insurance_http;
#[cfg(feature = "insurance-layer")]
#[doc(inline)]
pub use cofferdam_insurance_layer as insurance_layer;
#[cfg(feature = "liquidation-strategy")]
#[doc(inline)]
pub use cofferdam_liquidation_strategy as liquidation_strategy;
#[cfg(feature = "margin-engine")]
#[doc(inline)]
pub use cofferdam_margin_engine as margin_engine;
#[cfg(feature = "market")]
#[doc(inline)]
pub use cofferdam_market as market;
#[cfg(feature = "sim")]
#[doc(inline)]
pub use cofferdam_market_sim as sim;
#[cfg(feature = "oracle")]
#[doc(inline)]
pub use cofferdam_oracle as oracle;
#[cfg(feature = "runtime")]
#[doc(inline)]
pub use cofferdam_runtime as runtime;
#[cfg(feature = "stack")]
#[doc(inline)]
pub use cofferdam_stack as stack;
