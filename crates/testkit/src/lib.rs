//! What a composed risk stack is tested with, for the project itself and for everybody who writes a module of their own.
//!
//! - [`compose`]: small stacks, and every built-in module in a sane configuration, so that a test can put one of its own in.
//! - [`script`]: generated sequences of what the world does, sane and hostile.
//! - [`Bench`]: an engine with its history: sends inputs, answers orders and draws, replays facts.
//! - [`Scene`]: the same on a stack file, in its own names and in decimal numbers.
//! - [`conservation`]: what must be zero after every input, exactly.
//! - [`Reference`]: a slow model of perpetual accounts in fractions that shares no code with the engine.
//! - [`faults`]: modules that lie, over-close, over-take or fail.
//! - [`insurance`]: the numbered checks of providers and layers, and a gallery of providers that misbehave.
//!
//! ```
//! use cofferdam_core::{AssetId, GroupId, MarketId};
//! use cofferdam_testkit::{Bench, compose, conservation};
//! let mut bench = Bench::new(compose::perpetual())?;
//! bench.deposit(1, 1_000_000_000);
//! bench.deposit(2, 1_000_000_000);
//! bench.mark(0, 100_000);
//! bench.trade(1, 2, 0, 1_000, 100_000);
//! bench.mark(0, 110_000);
//! conservation::check(bench.state())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Deliberately absent: a clock, a network, a random seed of its own. Everything random comes from `proptest`, which also
//! shrinks what it finds.

mod bench;
pub mod compose;
pub mod conservation;
pub mod faults;
pub mod insurance;
pub mod modules;
mod reference;
mod scene;
pub mod script;

pub use bench::{Bench, History, OpenDraw, OpenOrder, Replay};
pub use cofferdam_stack as stack;
pub use reference::{Mismatch, Reference};
pub use scene::{ScenarioRows, Scene};

#[doc = include_str!("../README.md")]
#[cfg(doctest)]
struct Readme;
