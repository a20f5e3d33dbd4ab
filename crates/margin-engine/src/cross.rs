//! Cross margin: everything in a group nets. Support is collateral after haircuts plus unrealised profit and loss; demand is
//! what the markets require plus weighted liabilities.
//!
//! A position is valued at the end of the mark's interval that is adverse to it (a long one at low, a short one at high),
//! profit and requirement alike: with a requirement whose slope is below one that is its worst slack over the interval, and
//! one price cannot be low and high at once (INV-32).

use crate::terms::{Basic, Weights};
use crate::valuation::{Ratio, is_one};
use crate::{
    AssetTerms, Levels, MarginError, MarginModel, MarketTerms, Requirement, SafeRange, Stage, TermsError,
};
use alloc::{boxed::Box, vec::Vec};
use cofferdam_core::{
    Amount, AssetId, AssetView, GroupView, Health, Instrument, Level, Line, MarketId, MarketView, MathError,
    PositionView, Ppb, PriceView, Quanta, Rounding, Ticks, World,
};

/// Terms of one market as the model keeps them.
#[derive(Debug)]
pub(crate) struct Market {
    id: MarketId,
    pub(crate) requirement: Box<dyn Requirement>,
    pub(crate) gain: Weights,
}

/// Terms of one asset as the model keeps them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asset {
    id: AssetId,
    pub(crate) collateral: Weights,
    pub(crate) liability: Weights,
}

/// The base model: cross margin over weighted collateral.
///
/// - Balances: value at low x collateral weight, rounded down. A balance in an asset without terms counts for nothing, so
///   nobody can block a liquidation by sending one. A balance below zero is a liability.
/// - Liabilities: value at high x liability weight, rounded up; without terms the weight is one.
/// - Positions: lots x price x k - cost - funding, in quanta of the settlement asset. That is added as it is where the
///   settlement asset is the numeraire (its price exactly one), else converted once: gains at low, losses at high.
/// - Requirements: per market, rounded up; converted at high where the settlement asset is not the numeraire.
#[derive(Debug)]
pub struct CrossMargin {
    pub(crate) levels: Levels,
    assets: Vec<Asset>,
    markets: Vec<Market>,
}

impl CrossMargin {
    /// From validated terms; the order of the lists does not matter.
    pub fn new(
        levels: Levels,
        assets: Vec<AssetTerms>,
        markets: Vec<MarketTerms>,
    ) -> Result<Self, TermsError> {
        levels.check()?;
        assets.iter().try_for_each(AssetTerms::check)?;
        markets.iter().try_for_each(MarketTerms::check)?;
        let asset = |t: &AssetTerms| Asset {
            id: t.asset,
            collateral: Weights::support(t.collateral_maintenance, t.collateral_initial),
            liability: Weights::liability(t.liability_maintenance, t.liability_initial, &levels),
        };
        let market = |t: MarketTerms| Market {
            id: t.market,
            requirement: t.requirement,
            gain: Weights::support(t.gain_maintenance, t.gain_initial),
        };
        let mut assets: Vec<Asset> = assets.iter().map(asset).collect();
        let mut markets: Vec<Market> = markets.into_iter().map(market).collect();
        assets.sort_by_key(|a| a.id);
        markets.sort_by_key(|m| m.id);
        for (a, b) in assets.iter().zip(assets.iter().skip(1)) {
            if a.id == b.id {
                return Err(TermsError::AssetTwice(a.id));
            }
        }
        for (a, b) in markets.iter().zip(markets.iter().skip(1)) {
            if a.id == b.id {
                return Err(TermsError::MarketTwice(a.id));
            }
        }
        Ok(Self { levels, assets, markets })
    }

    pub(crate) fn market_terms(&self, id: MarketId) -> Result<&Market, MarginError> {
        let found = find(&self.markets, id.0, |m| m.id.0);
        found.ok_or(MarginError::UnknownMarket(id))
    }

    pub(crate) fn asset_terms(&self, id: AssetId) -> Option<&Asset> {
        find(&self.assets, id.0, |a| a.id.0)
    }

    /// The coordinate [`crate::Coordinate::Scale`] of a market at a level, now: open interest in lots where the requirement
    /// reads that, volatility in ppb where it reads that, `None` where it reads neither or both.
    pub fn scale(&self, market: &MarketView, level: Level) -> Result<Option<i128>, MarginError> {
        let reads = self.reads(market.id, level)?;
        Ok(match (reads.open_interest, reads.volatility) {
            (true, false) => Some(i128::from(market.open_interest.get())),
            (false, true) => Some(i128::from(market.volatility.0)),
            _ => None,
        })
    }

    pub(crate) fn reads(&self, market: MarketId, level: Level) -> Result<crate::Reads, MarginError> {
        let requirement = &self.market_terms(market)?.requirement;
        let maintenance = requirement.reads(Stage::Maintenance);
        let basic = matches!(level, Level::Backstop | Level::Maintenance);
        Ok(if basic { maintenance } else { maintenance.or(requirement.reads(Stage::Initial)) })
    }

    /// Support and demand at one level; `None` where the model has no such level.
    pub fn line(
        &self,
        group: &GroupView<'_>,
        world: &dyn World,
        level: Level,
    ) -> Result<Option<Line>, MarginError> {
        if !self.levels.has(level) {
            return Ok(None);
        }
        let mut sum = Sum::default();
        for p in group.positions {
            let held = Held::new(self, world, p)?;
            let (support, demand) = held.at(self, held.adverse(), level)?;
            sum.add(support, demand)?;
        }
        for b in group.balances {
            let (support, demand) = self.balance(world, b.asset, b.amount, level)?;
            sum.add(support, demand)?;
        }
        for d in group.debts {
            sum.add(0, self.liability(world, d.asset, d.owed.get(), level)?)?;
        }
        sum.line().map(Some)
    }

    /// Everything owned at mid prices, rounded down, less what is owed, rounded up, without haircut.
    pub fn equity(&self, group: &GroupView<'_>, world: &dyn World) -> Result<Quanta, MarginError> {
        let mut sum = Sum::default();
        for p in group.positions {
            let held = Held::new(self, world, p)?;
            sum.add(held.equity(held.market.mark.mid)?, 0)?;
        }
        for b in group.balances {
            sum.add(self.worth(world, b.asset, b.amount.get())?, 0)?;
        }
        for d in group.debts {
            // owed is never negative, so its negation is a value
            sum.add(self.worth(world, d.asset, d.owed.get().saturating_neg())?, 0)?;
        }
        Ok(sum.line()?.support)
    }

    // atoms held (positive) or owed (negative) at mid, rounded down
    fn worth(&self, world: &dyn World, asset: AssetId, atoms: i128) -> Result<i128, MarginError> {
        let view = match usable_asset(world, asset) {
            Ok(view) => view,
            Err(_) if atoms > 0 && self.counts_for_nothing(asset) => return Ok(0),
            Err(error) => return Err(error),
        };
        Ok(Ratio::of_asset(view.scale, view.price.mid, Ppb::ONE)?.apply(atoms, Rounding::Down)?)
    }

    fn weight(&self, asset: AssetId, amount: Amount, level: Level) -> Ppb {
        if amount.is_negative() {
            return self.liability_weight(asset, level);
        }
        self.asset_terms(asset).map_or(Ppb::ZERO, |t| t.collateral.at(level))
    }

    pub(crate) fn liability_weight(&self, asset: AssetId, level: Level) -> Ppb {
        self.asset_terms(asset).map_or(Ppb::ONE, |t| t.liability.at(level))
    }

    // without terms or without weight: its price must not be able to block anything
    fn counts_for_nothing(&self, asset: AssetId) -> bool {
        self.asset_terms(asset).is_none_or(|t| t.collateral.at(Level::Maintenance) == Ppb::ZERO)
    }

    /// Support and demand of a balance at one level.
    pub(crate) fn balance(
        &self,
        world: &dyn World,
        asset: AssetId,
        amount: Amount,
        level: Level,
    ) -> Result<(i128, i128), MarginError> {
        if amount.is_negative() {
            return Ok((0, self.liability(world, asset, amount.try_abs()?.get(), level)?));
        }
        let weight = self.asset_terms(asset).map_or(Ppb::ZERO, |t| t.collateral.at(level));
        if weight == Ppb::ZERO {
            return Ok((0, 0));
        }
        let view = usable_asset(world, asset)?;
        let ratio = Ratio::of_asset(view.scale, view.price.low, weight)?;
        Ok((ratio.apply(amount.get(), Rounding::Down)?, 0))
    }

    /// Demand of so many atoms owed, at one level.
    pub(crate) fn liability(
        &self,
        world: &dyn World,
        asset: AssetId,
        atoms: i128,
        level: Level,
    ) -> Result<i128, MarginError> {
        let weight = self.liability_weight(asset, level);
        let view = usable_asset(world, asset)?;
        Ok(Ratio::of_asset(view.scale, view.price.high, weight)?.apply(atoms, Rounding::Up)?)
    }
}

impl MarginModel for CrossMargin {
    fn assess(&self, group: &GroupView<'_>, world: &dyn World) -> Result<Health, MarginError> {
        let mut sums = [Sum::default(); 6];
        let mut equity = Sum::default();
        let levels = || Level::ALL.into_iter().enumerate().filter(|(_, l)| self.levels.has(*l));
        for p in group.positions {
            let held = Held::new(self, world, p)?;
            let price = held.adverse();
            let (profit, basic) = (held.profit(price)?, held.basic(price)?);
            for (i, level) in levels() {
                let (support, demand) = (held.support(profit, level)?, held.demand(self, basic, level)?);
                sums.get_mut(i).map_or(Ok(()), |s| s.add(support, demand))?;
            }
            let mid = held.market.mark.mid;
            let exact = mid == price && held.conversion.is_none();
            equity.add(if exact { profit } else { held.equity(mid)? }, 0)?;
        }
        for b in group.balances {
            let mut last = None;
            for (i, level) in levels() {
                // neighbouring levels often share a weight
                let weight = self.weight(b.asset, b.amount, level);
                let (support, demand) = match last {
                    Some((w, value)) if w == weight => value,
                    _ => self.balance(world, b.asset, b.amount, level)?,
                };
                last = Some((weight, (support, demand)));
                sums.get_mut(i).map_or(Ok(()), |s| s.add(support, demand))?;
            }
            equity.add(self.worth(world, b.asset, b.amount.get())?, 0)?;
        }
        for d in group.debts {
            let mut last = None;
            for (i, level) in levels() {
                let weight = self.liability_weight(d.asset, level);
                let demand = match last {
                    Some((w, demand)) if w == weight => demand,
                    _ => self.liability(world, d.asset, d.owed.get(), level)?,
                };
                last = Some((weight, demand));
                sums.get_mut(i).map_or(Ok(()), |s| s.add(0, demand))?;
            }
            // owed is never negative, so its negation is a value
            equity.add(self.worth(world, d.asset, d.owed.get().saturating_neg())?, 0)?;
        }
        let mut health = Health { equity: equity.line()?.support, ..Health::default() };
        for (level, sum) in Level::ALL.into_iter().zip(&sums) {
            if self.levels.has(level) {
                health.set(level, sum.line()?);
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
        self.boxes(group, world, level, 0)
    }
}

/// Support and demand, added up exactly.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sum {
    support: i128,
    demand: i128,
}

impl Sum {
    pub(crate) fn add(&mut self, support: i128, demand: i128) -> Result<(), MathError> {
        self.support = self.support.checked_add(support).ok_or(MathError::Overflow)?;
        self.demand = self.demand.checked_add(demand).ok_or(MathError::Overflow)?;
        Ok(())
    }

    pub(crate) fn line(&self) -> Result<Line, MarginError> {
        let within = |x: i128| Quanta::new(x).try_add(Quanta::ZERO);
        Ok(Line { support: within(self.support)?, demand: within(self.demand)? })
    }
}

/// A position with the terms and views that its value needs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Held<'a> {
    pub(crate) position: &'a PositionView,
    pub(crate) terms: &'a Market,
    pub(crate) market: MarketView,
    pub(crate) settlement: &'a AssetView,
    /// Price of the settlement asset: low for gains, high for losses and requirements; `None` where it is the numeraire.
    pub(crate) conversion: Option<PriceView>,
}

impl<'a> Held<'a> {
    pub(crate) fn new(
        model: &'a CrossMargin,
        world: &'a dyn World,
        position: &'a PositionView,
    ) -> Result<Self, MarginError> {
        let id = position.market;
        let terms = model.market_terms(id)?;
        let market = *world.market(id).ok_or(MarginError::UnknownMarket(id))?;
        if !market.mark.is_usable() {
            return Err(MarginError::NoPrice(Instrument::Market(id)));
        }
        let settlement = usable_asset(world, market.settlement)?;
        let conversion = (!is_one(settlement)).then_some(settlement.price);
        Ok(Self { position, terms, market, settlement, conversion })
    }

    /// The end of the mark's interval that is worse for the holder.
    pub(crate) fn adverse(&self) -> Ticks {
        if self.position.lots.is_negative() { self.market.mark.high } else { self.market.mark.low }
    }

    /// lots x price x k - cost - funding, in quanta of the settlement asset. Exact.
    pub(crate) fn profit(&self, price: Ticks) -> Result<i128, MathError> {
        let value = self.market.scale.notional(self.position.lots, price)?;
        Ok(value.try_sub(self.position.cost)?.try_sub(self.position.funding)?.get())
    }

    /// The two basic requirements at a price; a requirement that reads the mark reads that price too.
    pub(crate) fn basic(&self, price: Ticks) -> Result<Basic, MarginError> {
        let lots = self.position.lots;
        let notional = self.market.scale.absolute_notional(lots, price)?;
        let market = marked(&self.market, price);
        let of = |stage| {
            let required = self.terms.requirement.required(stage, &market, lots, notional);
            required.map(|q| q.positive_part().get())
        };
        let (maintenance, initial) = (of(Stage::Maintenance)?, of(Stage::Initial)?);
        Ok(Basic { maintenance, initial, notional: notional.get() })
    }

    /// What a level reads of [`Held::basic`]: where it derives from maintenance alone, nobody asks for the initial requirement.
    fn basic_at(&self, price: Ticks, level: Level) -> Result<Basic, MarginError> {
        if !matches!(level, Level::Backstop | Level::Maintenance) {
            return self.basic(price);
        }
        let lots = self.position.lots;
        let notional = self.market.scale.absolute_notional(lots, price)?;
        let market = marked(&self.market, price);
        let required = self.terms.requirement.required(Stage::Maintenance, &market, lots, notional)?;
        let maintenance = required.positive_part().get();
        Ok(Basic { maintenance, initial: maintenance, notional: notional.get() })
    }

    /// What a profit or loss counts for at a level, in quanta of the numeraire, rounded down.
    pub(crate) fn support(&self, profit: i128, level: Level) -> Result<i128, MathError> {
        let weight = if profit > 0 { self.terms.gain.at(level) } else { Ppb::ONE };
        match self.conversion {
            None if weight == Ppb::ONE => Ok(profit),
            None => weight.of_units(profit, Rounding::Down),
            Some(p) => {
                let price = if profit > 0 { p.low } else { p.high };
                Ratio::of_settlement(self.settlement.scale, price, weight)?.apply(profit, Rounding::Down)
            }
        }
    }

    /// What a level asks, in quanta of the numeraire, rounded up.
    pub(crate) fn demand(&self, model: &CrossMargin, basic: Basic, level: Level) -> Result<i128, MathError> {
        self.in_numeraire(model.levels.required(level, basic)?)
    }

    /// A requirement in quanta of the settlement asset as quanta of the numeraire, rounded up.
    pub(crate) fn in_numeraire(&self, required: i128) -> Result<i128, MathError> {
        match self.conversion {
            None => Ok(required),
            Some(p) => {
                Ratio::of_settlement(self.settlement.scale, p.high, Ppb::ONE)?.apply(required, Rounding::Up)
            }
        }
    }

    /// Support and demand at a price and a level.
    pub(crate) fn at(
        &self,
        model: &CrossMargin,
        price: Ticks,
        level: Level,
    ) -> Result<(i128, i128), MarginError> {
        let support = self.support(self.profit(price)?, level)?;
        Ok((support, self.demand(model, self.basic_at(price, level)?, level)?))
    }

    /// Profit or loss at a price without haircut, at the mid price of the settlement asset, rounded down.
    pub(crate) fn equity(&self, price: Ticks) -> Result<i128, MathError> {
        let profit = self.profit(price)?;
        match self.conversion {
            None => Ok(profit),
            Some(p) => {
                Ratio::of_settlement(self.settlement.scale, p.mid, Ppb::ONE)?.apply(profit, Rounding::Down)
            }
        }
    }
}

// in a list in ascending order of id; ids are usually dense, then its own number is where it lies
fn find<T>(list: &[T], id: u32, of: impl Fn(&T) -> u32) -> Option<&T> {
    let dense = list.get(id as usize).filter(|x| of(x) == id); // u32 fits usize on every supported target
    dense.or_else(|| list.binary_search_by_key(&id, of).ok().and_then(|i| list.get(i)))
}

/// A market marked at exactly `price`.
pub(crate) fn marked(market: &MarketView, price: Ticks) -> MarketView {
    MarketView { mark: PriceView { low: price, mid: price, high: price, ..market.mark }, ..*market }
}

/// An asset whose price means something.
pub(crate) fn usable_asset(world: &dyn World, id: AssetId) -> Result<&AssetView, MarginError> {
    let view = world.asset(id).ok_or(MarginError::UnknownAsset(id))?;
    if view.price.is_usable() { Ok(view) } else { Err(MarginError::NoPrice(Instrument::Asset(id))) }
}
