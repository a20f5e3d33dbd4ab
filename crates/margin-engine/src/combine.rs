//! A base requirement and its add-ons. There are two ways to add one, the larger of both and the sum, because neither can
//! lower a requirement.

use crate::{MarginError, Pieces, Reads, Requirement, Stage};
use alloc::{boxed::Box, vec::Vec};
use cofferdam_core::{Lots, MarketView, Quanta};

/// How an add-on joins what stands before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Join {
    /// The larger of both.
    Max,
    /// The sum of both.
    Sum,
}

/// A base with add-ons, joined in order.
///
/// An add-on that answers below zero counts as zero. A sum may pass 100 % of the notional; whether that is meant is the
/// configuration's business, and the closed forms say `None` where no price is safe.
///
/// ```
/// use cofferdam_core::Ppb;
/// use cofferdam_margin_engine::{Combined, Flat, Join, VolatilityScaled};
/// let base = Flat::new(Ppb(30_000_000), Ppb(60_000_000))?;
/// let storm = VolatilityScaled::new(Ppb(50_000_000), Ppb(80_000_000), Ppb(400_000_000))?;
/// let market = Combined::new(Box::new(base)).with(Join::Max, Box::new(storm));
/// # Ok::<(), cofferdam_margin_engine::TermsError>(())
/// ```
#[derive(Debug)]
pub struct Combined {
    base: Box<dyn Requirement>,
    addons: Vec<(Join, Box<dyn Requirement>)>,
}

impl Combined {
    /// A base alone.
    #[must_use]
    pub fn new(base: Box<dyn Requirement>) -> Self {
        Self { base, addons: Vec::new() }
    }

    /// With one more add-on.
    #[must_use]
    pub fn with(mut self, join: Join, addon: Box<dyn Requirement>) -> Self {
        self.addons.push((join, addon));
        self
    }
}

impl Requirement for Combined {
    fn required(
        &self,
        stage: Stage,
        market: &MarketView,
        lots: Lots,
        notional: Quanta,
    ) -> Result<Quanta, MarginError> {
        let mut sum = self.base.required(stage, market, lots, notional)?;
        for (join, addon) in &self.addons {
            let more = addon.required(stage, market, lots, notional)?.positive_part();
            sum = match join {
                Join::Max => sum.max(more),
                Join::Sum => sum.try_add(more)?,
            };
        }
        Ok(sum)
    }

    fn pieces(&self, stage: Stage, market: &MarketView) -> Result<Option<Pieces>, MarginError> {
        let Some(mut sum) = self.base.pieces(stage, market)? else { return Ok(None) };
        for (join, addon) in &self.addons {
            let Some(more) = addon.pieces(stage, market)? else { return Ok(None) };
            sum = match join {
                Join::Max => sum.max(more),
                Join::Sum => sum.sum(&more)?,
            };
        }
        Ok(Some(sum))
    }

    fn reads(&self, stage: Stage) -> Reads {
        self.addons.iter().fold(self.base.reads(stage), |r, (_, a)| r.or(a.reads(stage)))
    }
}
