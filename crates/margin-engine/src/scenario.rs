//! Scenario margin: what a portfolio would lose in the worst of many recorded scenarios. Positions of one underlying net, futures
//! against options; underlyings never do.
//!
//! The lists of losses come in as recorded values per market ([`cofferdam_core::Scenarios`]): what an instrument would be worth in each
//! scenario is computed outside, by whatever model, and enters as a low and a high tick. In scenario `s` a position of `l` lots
//! loses `l x k x (base - low_s)` where it is long and `|l| x k x (high_s - base)` where it is short; exact. The changes are read from
//! the base and not from the mark: what happened since is in the profit already.
//!
//! Sources: the scanning loss of the SPAN family (Chicago Mercantile Exchange, 1988: the largest loss over a set of scenarios);
//! expected shortfall, which like the largest loss is subadditive (Artzner, Delbaen, Eber and Heath 1999, Mathematical Finance 9, 203-228).

use crate::cross::{Held, Sum, marked};
use crate::requirement::within;
use crate::terms::Basic;
use crate::valuation::share_up;
use crate::{
    AssetTerms, Coordinate, CrossMargin, Flat, Levels, MarginError, MarginModel, MarketTerms, Requirement,
    SafeRange, Stage, TermsError,
};
use alloc::{boxed::Box, collections::BTreeMap, vec, vec::Vec};
use cofferdam_core::{
    GroupView, Health, Instrument, Level, MarketId, MathError, PositionView, Ppb, Quanta, Rounding,
    Scenarios, World, wide,
};

/// Which of the losses, from the largest downwards, is what has to be covered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// The n-th largest; the first is the largest of all. From the second on it is a quantile, which is not subadditive: two
    /// portfolios together can ask for more than both apart.
    Nth(u16),
    /// The average of the n largest, rounded up.
    MeanOf(u16),
}

/// Terms of one underlying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnderlyingTerms {
    /// Which scenarios count.
    pub tail: Tail,
    /// Maintenance is this multiple of the loss, at least one.
    pub maintenance: Ppb,
    /// Initial is this multiple of the loss, at least that of maintenance.
    pub initial: Ppb,
}

/// Terms of one market.
#[derive(Debug)]
pub struct ScenarioTerms {
    /// Which market.
    pub market: MarketId,
    /// Its underlying: a place in the list of underlyings.
    pub underlying: usize,
    /// What is asked for each position on top, never netted: concentration, liquidity, a minimum for short options.
    pub add_on: Option<Box<dyn Requirement>>,
    /// Share of an unrealised gain that counts for opening and withdrawing; at most the maintenance share.
    pub gain_initial: Ppb,
    /// Share of an unrealised gain that counts for staying open; at most 100 %.
    pub gain_maintenance: Ppb,
}

impl ScenarioTerms {
    /// Gains count in full, nothing is added.
    #[must_use]
    pub const fn new(market: MarketId, underlying: usize) -> Self {
        Self { market, underlying, add_on: None, gain_initial: Ppb::ONE, gain_maintenance: Ppb::ONE }
    }
}

#[derive(Debug)]
struct Market {
    id: MarketId,
    underlying: usize,
    add_on: Option<Box<dyn Requirement>>,
}

/// Scenario margin over weighted collateral: support as [`CrossMargin`] has it, demand per underlying.
///
/// - Per underlying: the loss that its [`Tail`] names, never below zero, times the multiple of the level, rounded up; plus the add-ons of
///   its markets. The other levels derive as in [`Levels`].
/// - Across underlyings: the sum.
/// - A market without recorded scenarios, with another number of them than its neighbours, or with fewer than the tail reads has no
///   price for this model: its holders' health cannot be told ([`MarginError::NoPrice`]).
/// - All markets of one underlying settle in one asset.
///
/// It breaks INV-11 by design: closing one leg of a hedge raises what the other leg needs.
///
/// ```
/// use cofferdam_core::{MarketId, Ppb};
/// use cofferdam_margin_engine::{Levels, ScenarioMargin, ScenarioTerms, Tail, UnderlyingTerms};
/// let ether = UnderlyingTerms { tail: Tail::Nth(1), maintenance: Ppb::ONE, initial: Ppb(1_100_000_000) };
/// let (future, call) = (ScenarioTerms::new(MarketId(0), 0), ScenarioTerms::new(MarketId(1), 0));
/// assert!(ScenarioMargin::new(Levels::default(), vec![], vec![ether], vec![future, call]).is_ok());
/// let nowhere = ScenarioTerms::new(MarketId(0), 3);
/// assert!(ScenarioMargin::new(Levels::default(), vec![], vec![ether], vec![nowhere]).is_err());
/// ```
#[derive(Debug)]
pub struct ScenarioMargin {
    /// Support and liabilities; its requirements are zero.
    cross: CrossMargin,
    levels: Levels,
    underlyings: Vec<UnderlyingTerms>,
    markets: Vec<Market>,
}

impl ScenarioMargin {
    /// From terms; the order of assets and markets does not matter.
    pub fn new(
        levels: Levels,
        assets: Vec<AssetTerms>,
        underlyings: Vec<UnderlyingTerms>,
        markets: Vec<ScenarioTerms>,
    ) -> Result<Self, TermsError> {
        underlyings.iter().try_for_each(check)?;
        let last = underlyings.len().checked_sub(1).and_then(|x| i128::try_from(x).ok()).unwrap_or(-1);
        let mut plain = Vec::with_capacity(markets.len());
        let mut own = Vec::with_capacity(markets.len());
        for m in markets {
            let place = i128::try_from(m.underlying).unwrap_or(i128::MAX);
            within("underlying", place, 0..=last, "a place in the list of underlyings")?;
            plain.push(MarketTerms {
                market: m.market,
                requirement: Box::new(Flat::new(Ppb::ZERO, Ppb::ZERO)?),
                gain_initial: m.gain_initial,
                gain_maintenance: m.gain_maintenance,
            });
            own.push(Market { id: m.market, underlying: m.underlying, add_on: m.add_on });
        }
        own.sort_by_key(|m| m.id);
        levels.check()?;
        let bare = Levels { withdraw_floor: Ppb::ZERO, ..levels };
        Ok(Self { cross: CrossMargin::new(bare, assets, plain)?, levels, underlyings, markets: own })
    }

    fn terms(&self, market: MarketId) -> Result<&Market, MarginError> {
        let found = self.markets.binary_search_by_key(&market, |m| m.id).ok();
        found.and_then(|i| self.markets.get(i)).ok_or(MarginError::UnknownMarket(market))
    }

    /// What each underlying loses, and what its positions are asked on top.
    fn portfolio<'a>(
        &'a self,
        group: &'a GroupView<'_>,
        world: &'a dyn World,
    ) -> Result<BTreeMap<usize, Netted<'a>>, MarginError> {
        let mut found: BTreeMap<usize, Netted<'a>> = BTreeMap::new();
        for p in group.positions.iter().filter(|p| !p.lots.is_zero()) {
            let held = Held::new(&self.cross, world, p)?;
            let terms = self.terms(p.market)?;
            let no_price = || MarginError::NoPrice(Instrument::Market(p.market));
            let scenarios = world.scenarios(p.market).ok_or_else(no_price)?;
            let count = scenarios.values.len();
            let netted = found.entry(terms.underlying).or_insert_with(|| Netted::new(held, count));
            if netted.losses.len() != count {
                return Err(no_price());
            }
            if netted.first.settlement.id != held.settlement.id {
                return Err(MarginError::MixedSettlement(p.market));
            }
            netted.lose(&held, scenarios)?;
            netted.ask(&held, terms.add_on.as_deref())?;
        }
        Ok(found)
    }

    /// Demand of one underlying at a level, in quanta of the numeraire.
    fn demand(&self, underlying: usize, netted: &Netted<'_>, level: Level) -> Result<i128, MarginError> {
        let terms = self.underlyings.get(underlying).copied();
        let market = netted.first.position.market;
        let terms = terms.ok_or(MarginError::UnknownMarket(market))?;
        let loss = worst(&netted.losses, terms.tail)?;
        let loss = loss.ok_or(MarginError::NoPrice(Instrument::Market(market)))?.max(0);
        let add = |x: i128, y: i128| x.checked_add(y).ok_or(MathError::Overflow);
        let basic = Basic {
            maintenance: add(share_up(terms.maintenance, loss)?, netted.maintenance)?,
            initial: add(share_up(terms.initial, loss)?, netted.initial)?,
            notional: netted.notional,
        };
        let required = self.levels.required(level, basic)?;
        Ok(netted.first.in_numeraire(required)?)
    }

    /// What all underlyings ask at a level, rounded up once each, in quanta of the numeraire.
    pub fn required(
        &self,
        group: &GroupView<'_>,
        world: &dyn World,
        level: Level,
    ) -> Result<Quanta, MarginError> {
        let mut sum = Sum::default();
        for (underlying, netted) in &self.portfolio(group, world)? {
            sum.add(0, self.demand(*underlying, netted, level)?)?;
        }
        Ok(sum.line()?.demand)
    }
}

fn check(terms: &UnderlyingTerms) -> Result<(), TermsError> {
    let one = i128::from(Ppb::ONE.0);
    let (Tail::Nth(count) | Tail::MeanOf(count)) = terms.tail;
    within("tail", count.into(), 1..=4096, "1 to 4096 scenarios")?;
    let most = one.saturating_mul(100);
    within("maintenance", terms.maintenance.0.into(), one..=most, "1e9 ppb (one) to 100e9 ppb")?;
    let least = terms.maintenance.0.into();
    within("initial", terms.initial.0.into(), least..=most, "maintenance <= initial <= 100e9 ppb")
}

/// The loss that counts; `None` where there are fewer scenarios than it reads.
fn worst(losses: &[i128], tail: Tail) -> Result<Option<i128>, MathError> {
    let mut sorted = losses.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    match tail {
        Tail::Nth(n) => Ok(usize::from(n).checked_sub(1).and_then(|i| sorted.get(i).copied())),
        Tail::MeanOf(n) => {
            let Some(largest) = sorted.get(..usize::from(n)) else { return Ok(None) };
            let sum = largest.iter().try_fold(0_i128, |s, x| s.checked_add(*x)).ok_or(MathError::Overflow)?;
            wide::div(sum, i128::from(n), Rounding::Up).map(Some)
        }
    }
}

/// All positions of one underlying, in quanta of their settlement asset.
struct Netted<'a> {
    first: Held<'a>,
    losses: Vec<i128>,
    maintenance: i128,
    initial: i128,
    notional: i128,
}

impl<'a> Netted<'a> {
    fn new(first: Held<'a>, count: usize) -> Self {
        Self { first, losses: vec![0; count], maintenance: 0, initial: 0, notional: 0 }
    }

    fn lose(&mut self, held: &Held<'_>, scenarios: &Scenarios) -> Result<(), MathError> {
        let PositionView { lots, .. } = *held.position;
        for (loss, value) in self.losses.iter_mut().zip(&scenarios.values) {
            let value = if lots.is_negative() { value.high } else { value.low };
            // lots and change signed: a short position loses where the value rises
            let lost = held.market.scale.notional(lots, scenarios.base.try_sub(value)?)?;
            *loss = loss.checked_add(lost.get()).ok_or(MathError::Overflow)?;
        }
        Ok(())
    }

    fn ask(&mut self, held: &Held<'_>, add_on: Option<&dyn Requirement>) -> Result<(), MarginError> {
        let (lots, price) = (held.position.lots, held.adverse());
        let notional = held.market.scale.absolute_notional(lots, price)?;
        let add = |x: i128, y: i128| x.checked_add(y).ok_or(MathError::Overflow);
        self.notional = add(self.notional, notional.get())?;
        if let Some(r) = add_on {
            let market = marked(&held.market, price);
            let of = |stage| r.required(stage, &market, lots, notional).map(|q| q.positive_part().get());
            self.maintenance = add(self.maintenance, of(Stage::Maintenance)?)?;
            self.initial = add(self.initial, of(Stage::Initial)?)?;
        }
        Ok(())
    }
}

impl MarginModel for ScenarioMargin {
    fn assess(&self, group: &GroupView<'_>, world: &dyn World) -> Result<Health, MarginError> {
        let mut health = self.cross.assess(group, world)?;
        let portfolio = self.portfolio(group, world)?;
        for level in Level::ALL.into_iter().filter(|l| self.levels.has(*l)) {
            let Some(line) = health.line(level) else { continue };
            let mut sum = Sum::default();
            sum.add(line.support.get(), line.demand.get())?;
            for (underlying, netted) in &portfolio {
                sum.add(0, self.demand(*underlying, netted, level)?)?;
            }
            health.set(level, sum.line()?);
        }
        Ok(health)
    }

    /// At maintenance, with everything settled in the numeraire and no add-on: the box of what is left after the scenario loss, and
    /// the lists of scenarios as they are. Otherwise no move is safe: the group is assessed whenever anything moves.
    fn safe_ranges(
        &self,
        group: &GroupView<'_>,
        world: &dyn World,
        level: Level,
    ) -> Result<Vec<SafeRange>, MarginError> {
        let portfolio = self.portfolio(group, world)?;
        let mut demand = Sum::default();
        for (underlying, netted) in &portfolio {
            demand.add(0, self.demand(*underlying, netted, level)?)?;
        }
        let plain = portfolio.values().all(|n| n.first.conversion.is_none())
            && group.positions.iter().all(|p| self.terms(p.market).is_ok_and(|t| t.add_on.is_none()));
        if level != Level::Maintenance || !plain {
            let none =
                |p: &PositionView| SafeRange { coordinate: Coordinate::Mark(p.market), low: 1, high: 0 };
            if !group.positions.is_empty() {
                return Ok(group.positions.iter().map(none).collect());
            }
        }
        let mut ranges = self.cross.boxes(group, world, level, demand.line()?.demand.get())?;
        for p in group.positions {
            let revision = i128::from(world.scenarios(p.market).map_or(0, |s| s.revision));
            let coordinate = Coordinate::Scenarios(p.market);
            ranges.push(SafeRange { coordinate, low: revision, high: revision });
        }
        Ok(ranges)
    }
}
