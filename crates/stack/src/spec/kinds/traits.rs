//! The spec traits: what a kind of module has to be able to do with its parameters. One method each: build.
//!
//! A third party implements one for a serde struct with `#[serde(deny_unknown_fields)]`, names it with
//! `#[typetag::serde(name = "org/name@1")]` and submits a [`crate::ModuleInfo`].

use crate::{ConfigError, Context, PoolKind};
use cofferdam_circuit_breaker::CircuitBreaker;
use cofferdam_core::LayerId;
use cofferdam_insurance_layer::Entry;
use cofferdam_liquidation_strategy::{FillGuard, LiquidationStrategy, LossAllocation, Placement};
use cofferdam_margin_engine::{MarginModel, Requirement};
use cofferdam_market::{Accrual, InterestCurve};
use cofferdam_oracle::PricePolicy;
use std::fmt::Debug;

/// A policy of `prices[].policy`. The context is about the asset or market.
///
/// ```
/// use cofferdam_oracle::{Latest, PricePolicy};
/// use cofferdam_stack::{ConfigError, Context, PriceSpec};
/// use serde::{Deserialize, Serialize};
///
/// /// The latest quote of one feed.
/// #[derive(Debug, Serialize, Deserialize)]
/// #[serde(deny_unknown_fields)]
/// struct FeedSpec { feed: u32 }
///
/// #[typetag::serde(name = "acme/feed@1")]
/// impl PriceSpec for FeedSpec {
///     fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn PricePolicy>, ConfigError> {
///         if self.feed == 0 {
///             return Err(ctx.refuse("feed", 0, "1 or more"));
///         }
///         Ok(Box::new(Latest::of(cofferdam_core::SourceId(self.feed))))
///     }
/// }
/// # fn main() {}
/// ```
#[typetag::serde(tag = "kind")]
pub trait PriceSpec: Debug + Send + Sync {
    /// Builds the policy.
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn PricePolicy>, ConfigError>;
}

/// A pool of `pools[]`.
#[typetag::serde(tag = "kind")]
pub trait PoolSpec: Debug + Send + Sync {
    /// What the pool does.
    fn build(&self, ctx: &Context<'_>) -> Result<PoolKind, ConfigError>;
}

/// A rule of `accruals[].rule`. The context is about the market or pool.
#[typetag::serde(tag = "kind")]
pub trait AccrualSpec: Debug + Send + Sync {
    /// Builds the rule.
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn Accrual>, ConfigError>;
}

/// An interest curve within an accrual rule.
#[typetag::serde(tag = "kind")]
pub trait CurveSpec: Debug + Send + Sync {
    /// Builds the curve.
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn InterestCurve>, ConfigError>;
}

/// The margin model of `margin`.
#[typetag::serde(tag = "kind")]
pub trait MarginSpec: Debug + Send + Sync {
    /// Builds the model.
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn MarginModel>, ConfigError>;
}

/// What a market asks of a position: `margin.markets[].requirement`. The context is about the market.
#[typetag::serde(tag = "kind")]
pub trait RequirementSpec: Debug + Send + Sync {
    /// Builds the requirement.
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn Requirement>, ConfigError>;
}

/// The strategy of `liquidation`.
#[typetag::serde(tag = "kind")]
pub trait LiquidationSpec: Debug + Send + Sync {
    /// Builds the strategy.
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn LiquidationStrategy>, ConfigError>;
}

/// The placement of `placement`, in stacks whose collateral is sold in price bands.
#[typetag::serde(tag = "kind")]
pub trait PlacementSpec: Debug + Send + Sync {
    /// Builds the placement.
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn Placement>, ConfigError>;
}

/// A veto of `guards[]`.
#[typetag::serde(tag = "kind")]
pub trait GuardSpec: Debug + Send + Sync {
    /// Builds the guard.
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn FillGuard>, ConfigError>;
}

/// The terms of `insurance.layers[].terms`.
#[typetag::serde(tag = "kind")]
pub trait LayerSpec: Debug + Send + Sync {
    /// Builds the entry of the programme. [`Entry::custom`] takes any `InsuranceLayer`; the built-in terms have entries that
    /// tell the programme their band or share, so that it can refuse layers that overlap.
    fn build(&self, ctx: &Context<'_>, layer: LayerId) -> Result<Entry, ConfigError>;
}

/// The policy of `allocation`.
#[typetag::serde(tag = "kind")]
pub trait AllocationSpec: Debug + Send + Sync {
    /// Builds the policy.
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn LossAllocation>, ConfigError>;
}

/// A breaker of `breakers[]`.
#[typetag::serde(tag = "kind")]
pub trait BreakerSpec: Debug + Send + Sync {
    /// Builds the breaker.
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn CircuitBreaker>, ConfigError>;
}
