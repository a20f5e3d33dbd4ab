//! Health: every amount times its weight times its price, and four fifths of a spread's penalty given back.

use super::weights::net;
use super::{Perp, Spot, Spread, Weights, basis};
use cofferdam_core::{
    AssetId, GroupView, Health, Instrument, Level, Line, Lots, MarketView, MathError, Ppb, Quanta, Rounding,
    World, wide,
};
use cofferdam_margin_engine::{
    AssetTerms, CrossMargin, Levels, MarginError, MarginModel, MarketTerms, Pieces, Reads, Requirement,
    SafeRange, Stage, TermsError,
};

/// What a position needs beside its profit and loss: one less its weight if long, its weight less one if short. Rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weighted(Weights);

impl Weighted {
    /// By weights that are in order.
    ///
    /// # Errors
    ///
    /// What [`Weights::check`] refuses.
    pub fn new(weights: Weights) -> Result<Self, TermsError> {
        weights.check()?;
        Ok(Self(weights))
    }

    fn rate(&self, stage: Stage, short: bool) -> Ppb {
        let w = &self.0;
        let weight = match (stage, short) {
            (Stage::Maintenance, false) => w.long_maintenance,
            (Stage::Initial, false) => w.long_initial,
            (Stage::Maintenance, true) => w.short_maintenance,
            (Stage::Initial, true) => w.short_initial,
        };
        Ppb(weight.0.saturating_sub(Ppb::ONE.0).saturating_abs()) // weights are within zero and two
    }
}

impl Requirement for Weighted {
    fn required(
        &self,
        stage: Stage,
        _: &MarketView,
        lots: Lots,
        notional: Quanta,
    ) -> Result<Quanta, MarginError> {
        Ok(self.rate(stage, lots.is_negative()).of(notional, Rounding::Up)?)
    }

    fn pieces(&self, stage: Stage, _: &MarketView) -> Result<Option<Pieces>, MarginError> {
        let (long, short) = (self.rate(stage, false), self.rate(stage, true));
        Ok((long == short).then(|| Pieces::flat(long)))
    }

    fn reads(&self, _: Stage) -> Reads {
        Reads::default()
    }
}

/// A spread with the perpetual's weights.
#[derive(Clone, Copy, Debug)]
struct Netted {
    spread: Spread,
    maintenance: Ppb,
    initial: Ppb,
}

/// The model. A liquidation ends where initial health is zero.
#[derive(Debug)]
pub struct SpreadHealth {
    base: CrossMargin,
    spreads: Vec<Netted>,
}

fn refuse<T>(field: &'static str, value: i64, accepted: &'static str) -> Result<T, TermsError> {
    Err(TermsError::Parameter { field, value: value.into(), accepted })
}

impl SpreadHealth {
    /// For these products; the quote counts in full.
    ///
    /// # Errors
    ///
    /// Weights out of order; a spread of products without weights, or whose netting would make initial health better than maintenance.
    pub fn new(
        quote: AssetId,
        spots: &[Spot],
        perps: &[Perp],
        spreads: &[Spread],
    ) -> Result<Self, TermsError> {
        let mut assets = vec![AssetTerms::full(quote)];
        for s in spots {
            s.weights.check()?;
            assets.push(AssetTerms {
                asset: s.asset,
                collateral_initial: s.weights.long_initial,
                collateral_maintenance: s.weights.long_maintenance,
                liability_initial: s.weights.short_initial,
                liability_maintenance: s.weights.short_maintenance,
            });
        }
        let mut markets = Vec::with_capacity(perps.len());
        for p in perps {
            markets.push(MarketTerms::new(p.market, Box::new(Weighted::new(p.weights)?)));
        }
        let base = CrossMargin::new(Levels::default(), assets, markets)?;
        let mut netted = Vec::with_capacity(spreads.len());
        for spread in spreads {
            let spot = spots.iter().find(|s| s.asset == spread.spot);
            let perp = perps.iter().find(|p| p.market == spread.market);
            let (Some(spot), Some(perp)) = (spot, perp) else {
                return refuse("spreads", 0, "an asset and a market that have weights");
            };
            if spread.atoms < 1 {
                return refuse("spreads", 0, "at least one atom of the asset per lot");
            }
            let step = |w: &Weights| w.long_maintenance.0.saturating_sub(w.long_initial.0); // within one
            let owed = |w: &Weights| w.short_initial.0.saturating_sub(w.short_maintenance.0); // within one
            let given = step(&perp.weights).saturating_mul(4);
            for least in [step(&spot.weights), owed(&spot.weights), owed(&perp.weights)] {
                if least.saturating_mul(5) < given {
                    let accepted = "at most 5/4 of what lies between the other initial and maintenance weights: netting would turn them round";
                    return refuse(
                        "spreads",
                        perp.weights.long_maintenance.0.saturating_sub(perp.weights.long_initial.0),
                        accepted,
                    );
                }
            }
            netted.push(Netted {
                spread: *spread,
                maintenance: perp.weights.long_maintenance,
                initial: perp.weights.long_initial,
            });
        }
        Ok(Self { base, spreads: netted })
    }

    /// What a spread of so many atoms gives back: 4/5 x (1 - weight) x (price of the asset + price of the perpetual), at low prices,
    /// rounded down.
    fn rebate(world: &dyn World, spread: &Spread, atoms: i128, weight: Ppb) -> Result<Quanta, MarginError> {
        let asset = world.asset(spread.spot).ok_or(MarginError::UnknownAsset(spread.spot))?;
        let market = world.market(spread.market).ok_or(MarginError::UnknownMarket(spread.market))?;
        if !asset.price.is_usable() {
            return Err(MarginError::NoPrice(Instrument::Asset(spread.spot)));
        }
        if !market.mark.is_usable() {
            return Err(MarginError::NoPrice(Instrument::Market(spread.market)));
        }
        let spot = asset.scale.value(cofferdam_core::Amount::new(atoms), asset.price.low, Rounding::Down)?;
        let lot = market.scale.absolute_notional(Lots::new(1), market.mark.low)?;
        let perp = wide::mul_div(atoms, lot.get(), spread.atoms, Rounding::Down)?;
        let both = spot.try_add(Quanta::new(perp))?;
        let rate = i128::from(weight.complement()?.0).checked_mul(4).ok_or(MathError::Overflow)?;
        Ok(Quanta::new(wide::mul_div(both.get(), rate, 5_000_000_000, Rounding::Down)?))
    }
}

impl MarginModel for SpreadHealth {
    fn assess(&self, group: &GroupView<'_>, world: &dyn World) -> Result<Health, MarginError> {
        let mut health = self.base.assess(group, world)?;
        for n in &self.spreads {
            let lots = group.position(n.spread.market).map_or(Lots::ZERO, |p| p.lots);
            let size = basis(net(group, n.spread.spot)?, lots, &n.spread)?.saturating_abs(); // |x| <= 2^121
            if size == 0 {
                continue;
            }
            for level in Level::ALL {
                let Some(line) = health.line(level) else { continue };
                let basic = matches!(level, Level::Backstop | Level::Maintenance);
                let weight = if basic { n.maintenance } else { n.initial };
                let support = line.support.try_add(Self::rebate(world, &n.spread, size, weight)?)?;
                health.set(level, Line { support, ..line });
            }
        }
        if let Some(initial) = health.line(Level::Initial) {
            health.set(Level::LiquidationEnd, initial);
        }
        Ok(health)
    }

    /// Those without the netting: what a spread gives back is never below zero, so whoever is safe without it is safe with it.
    fn safe_ranges(
        &self,
        group: &GroupView<'_>,
        world: &dyn World,
        level: Level,
    ) -> Result<Vec<SafeRange>, MarginError> {
        let level = if level == Level::LiquidationEnd { Level::Initial } else { level };
        self.base.safe_ranges(group, world, level)
    }
}
