//! Interval prices for who opens, the middle for who is liquidated.
//!
//! Source: Mango v4, `Prices::asset` and `Prices::liab` (blockworks-foundation/mango-v4@864425bd, programs/mango-v4/src/health/cache.rs):
//! initial health values at the worse of price and stable price, maintenance at the price alone.

use crate::{MarginError, MarginModel, SafeRange};
use alloc::{boxed::Box, vec::Vec};
use cofferdam_core::{
    AssetId, AssetView, Bands, GroupId, GroupView, Health, Level, MarketId, MarketView, PriceView, Scenarios,
    World,
};

const AT_MIDDLE: [Level; 3] = [Level::Backstop, Level::Maintenance, Level::LiquidationEnd];

/// A model that reads prices as intervals from the fill level on (whoever opens gets the adverse end), and up to the liquidation end
/// the middle alone: how wide a price is never liquidates anybody.
#[derive(Debug)]
pub struct MiddleMaintenance {
    base: Box<dyn MarginModel>,
}

impl MiddleMaintenance {
    /// Of a base model.
    #[must_use]
    pub fn new(base: Box<dyn MarginModel>) -> Self {
        Self { base }
    }
}

impl MarginModel for MiddleMaintenance {
    fn assess(&self, group: &GroupView<'_>, world: &dyn World) -> Result<Health, MarginError> {
        let mut health = self.base.assess(group, world)?;
        let middle = self.base.assess(group, &Middle::of(group, world))?;
        for level in AT_MIDDLE {
            if let Some(line) = middle.line(level) {
                health.set(level, line);
            }
        }
        Ok(health)
    }

    fn safe_ranges(
        &self,
        group: &GroupView<'_>,
        world: &dyn World,
        level: Level,
    ) -> Result<Vec<SafeRange>, MarginError> {
        if AT_MIDDLE.contains(&level) {
            // a box of middles: an interval inside it has its middle inside it
            return self.base.safe_ranges(group, &Middle::of(group, world), level);
        }
        self.base.safe_ranges(group, world, level)
    }
}

/// The world with the prices of what a group holds at their middles.
struct Middle<'a> {
    world: &'a dyn World,
    markets: Vec<MarketView>,
    assets: Vec<AssetView>,
}

impl<'a> Middle<'a> {
    fn of(group: &GroupView<'_>, world: &'a dyn World) -> Self {
        let views = group.positions.iter().filter_map(|p| world.market(p.market));
        let markets: Vec<MarketView> = views.map(|m| MarketView { mark: middle(m.mark), ..*m }).collect();
        let held = group.balances.iter().map(|b| b.asset).chain(group.debts.iter().map(|d| d.asset));
        let settles = markets.iter().map(|m| m.settlement);
        let views = held.chain(settles).filter_map(|id| world.asset(id));
        let assets = views.map(|a| AssetView { price: middle(a.price), ..*a }).collect();
        Self { world, markets, assets }
    }
}

const fn middle(price: PriceView) -> PriceView {
    PriceView { low: price.mid, high: price.mid, ..price }
}

impl World for Middle<'_> {
    fn market(&self, id: MarketId) -> Option<&MarketView> {
        self.markets.iter().find(|m| m.id == id).or_else(|| self.world.market(id))
    }

    fn asset(&self, id: AssetId) -> Option<&AssetView> {
        self.assets.iter().find(|a| a.id == id).or_else(|| self.world.asset(id))
    }

    fn scenarios(&self, id: MarketId) -> Option<&Scenarios> {
        self.world.scenarios(id)
    }

    fn bands(&self, group: GroupId) -> Option<Bands> {
        self.world.bands(group)
    }
}
