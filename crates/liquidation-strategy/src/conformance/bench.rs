//! A book of one account and a margin model of a few lines, to put a strategy on the bench without a stack.

use crate::{Bid, LiquidationError, LiquidationStrategy, Plan, Refusal};
use alloc::vec::Vec;
use cofferdam_core::{
    Amount, AssetId, AssetScale, AssetView, At, AuctionId, AuctionView, BalanceView, Case, DebtView,
    FundingIndex, GroupId, GroupView, Health, Holder, Index, Item, Level, Line, Lots, MapMemory, MarketId,
    MarketScale, MarketView, MathError, Memory, Millis, PoolId, PoolTotals, PositionView, Posting, Ppb,
    PriceView, Quanta, RAY, Rounding, Scaled, Slot, Ticks, Verdict, World, wide,
};

/// One account, its world and a linear margin model.
///
/// Support is weighted balances (negative ones whole) plus unrealised results; demand at a level is that level's rate on
/// notional plus all debts. All quanta are of one numeraire; asset 0 is the settlement asset, one atom one quantum.
#[derive(Clone, Debug)]
pub struct Bench {
    /// When.
    pub at: At,
    /// The account.
    pub group: GroupId,
    /// Its positions, by market.
    pub positions: Vec<PositionView>,
    /// Its balances, by asset.
    pub balances: Vec<BalanceView>,
    /// Its debts, by asset.
    pub debts: Vec<DebtView>,
    /// The markets.
    pub markets: Vec<MarketView>,
    /// The assets.
    pub assets: Vec<AssetView>,
    /// Share of a positive balance that supports.
    pub weight: Ppb,
    /// Demand per notional, per level.
    pub rates: Vec<(Level, Ppb)>,
    /// What the breakers allow.
    pub allowed: Verdict,
    /// What insurance could pay.
    pub cover: Quanta,
    /// The auction that is bid into.
    pub auction: Option<AuctionView>,
    /// What pools and their borrowers have together; nothing for a pool that is not named.
    pub totals: Vec<(PoolId, PoolTotals)>,
}

impl Bench {
    /// Three perpetuals (0 to 2) marked at 100, one quantum per lot and tick, maintenance 5 %, end of liquidation 6 %,
    /// backstop two thirds of maintenance; `cash` atoms of asset 0 at one quantum each.
    #[must_use]
    pub fn perpetual(cash: i128) -> Self {
        let rates = [(Level::Backstop, 33_333_333), (Level::Maintenance, 50_000_000)];
        let stricter = [(Level::LiquidationEnd, 60_000_000), (Level::Initial, 100_000_000)];
        Self {
            at: At::default(),
            group: GroupId(7),
            positions: Vec::new(),
            balances: alloc::vec![balance(0, cash)],
            debts: Vec::new(),
            markets: (0..3).filter_map(market).collect(),
            assets: (0..3).map(asset).collect(),
            weight: Ppb::ONE,
            rates: rates.into_iter().chain(stricter).map(|(l, r)| (l, Ppb(r))).collect(),
            allowed: Verdict::ALLOW,
            cover: Quanta::ZERO,
            auction: None,
            totals: Vec::new(),
        }
    }

    /// A loan: `collateral` atoms of asset 1, which count at 80 %, against `debt` atoms of asset 0, both at one quantum.
    #[must_use]
    pub fn lending(collateral: i128, debt: u128) -> Self {
        let owed = Amount::new(i128::try_from(debt).unwrap_or(Amount::LIMIT));
        Self {
            balances: alloc::vec![balance(1, collateral)],
            debts: alloc::vec![DebtView { asset: AssetId(0), owed, scaled: Scaled::new(debt) }],
            weight: Ppb(800_000_000),
            ..Self::perpetual(0)
        }
    }

    /// With a position: signed lots and their cost (negative for a short).
    #[must_use]
    pub fn with_position(mut self, market: MarketId, lots: i64, cost: i128) -> Self {
        let (lots, cost) = (Lots::new(lots), Quanta::new(cost));
        self.positions.push(PositionView { market, lots, cost, funding: Quanta::ZERO });
        self.positions.sort_by_key(|p| p.market);
        self
    }

    /// With a market marked at `price`.
    #[must_use]
    pub fn with_mark(mut self, id: MarketId, price: i64) -> Self {
        for m in self.markets.iter_mut().filter(|m| m.id == id) {
            m.mark = PriceView::exact(Ticks::new(price), self.at.time);
        }
        self
    }

    /// Runs `f` on the case as it stands; with a model that cannot assess it, its health is empty.
    pub fn case<T>(&self, f: impl FnOnce(&Case<'_>) -> T) -> T {
        let what_if = |postings: &[Posting]| {
            let mut after = self.clone();
            after.apply(postings)?;
            after.health()
        };
        f(&Case {
            at: self.at,
            group: GroupView {
                id: self.group,
                positions: &self.positions,
                balances: &self.balances,
                debts: &self.debts,
            },
            health: self.health().unwrap_or_default(),
            world: self,
            allowed: self.allowed,
            cover: self.cover,
            auction: self.auction,
            next_auction: AuctionId(0),
            what_if: &what_if,
            totals: &|pool, _| {
                Ok(self.totals.iter().find(|(id, _)| *id == pool).map_or(PoolTotals::default(), |(_, t)| *t))
            },
        })
    }

    /// The plan of a strategy without memory.
    pub fn plan(
        &self,
        strategy: &dyn LiquidationStrategy,
        bid: &Bid,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        self.plan_with(&mut MapMemory::default(), strategy, bid)
    }

    /// The plan of a strategy whose memory is kept.
    pub fn plan_with(
        &self,
        memory: &mut MapMemory,
        strategy: &dyn LiquidationStrategy,
        bid: &Bid,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        memory.with(Slot(1), |m: &mut Memory<'_>| self.case(|c| strategy.plan(c, bid, m)))
    }

    /// The account's health by the bench's model.
    pub fn health(&self) -> Result<Health, MathError> {
        let (mut support, mut equity, mut notional, mut owed) = (0_i128, 0_i128, 0_i128, 0_i128);
        let sum = |a: i128, b: i128| a.checked_add(b).ok_or(MathError::Overflow);
        for b in &self.balances {
            let a = self.assets.iter().find(|a| a.id == b.asset).ok_or(MathError::Overflow)?;
            let value = a.scale.value(b.amount, a.price.mid, Rounding::Down)?;
            equity = sum(equity, value.get())?;
            let weight = if value.is_negative() { Ppb::ONE } else { self.weight };
            support = sum(support, weight.of(value, Rounding::Down)?.get())?;
        }
        for p in &self.positions {
            let m = self.markets.iter().find(|m| m.id == p.market).ok_or(MathError::Overflow)?;
            let value = m.scale.notional(p.lots, m.mark.mid)?;
            let result = value.try_sub(p.cost)?.try_sub(p.funding)?.get();
            (support, equity) = (sum(support, result)?, sum(equity, result)?);
            notional = sum(notional, value.try_abs()?.get())?;
        }
        for d in &self.debts {
            let a = self.assets.iter().find(|a| a.id == d.asset).ok_or(MathError::Overflow)?;
            let value = a.scale.value(d.owed, a.price.mid, Rounding::Up)?.get();
            owed = sum(owed, value)?;
        }
        let equity = Quanta::new(equity).try_sub(Quanta::new(owed))?;
        let mut health = Health { equity, ..Health::default() };
        for (level, rate) in &self.rates {
            let demand = Quanta::new(sum(rate.of_units(notional, Rounding::Up)?, owed)?);
            health.set(*level, Line { support: Quanta::new(support), demand });
        }
        Ok(health)
    }

    /// Applies postings to the account; those of other holders are not its business.
    pub fn apply(&mut self, postings: &[Posting]) -> Result<(), MathError> {
        let own = Holder::Group(self.group);
        for p in postings.iter().filter(|p| p.holder == own) {
            match p.item {
                Item::Asset(id) => self.add_balance(id, p.units)?,
                Item::Debt(id) => self.add_debt(id, p.units)?,
                Item::Position(id) => self.add_position(id, p.units, p.cost)?,
                Item::Share(_) => return Err(MathError::Overflow),
            }
        }
        self.positions.retain(|p| !p.lots.is_zero());
        self.balances.retain(|b| !b.amount.is_zero());
        self.debts.retain(|d| !d.scaled.is_zero());
        Ok(())
    }

    fn add_balance(&mut self, id: AssetId, units: i128) -> Result<(), MathError> {
        if !self.balances.iter().any(|b| b.asset == id) {
            self.balances.push(BalanceView { asset: id, amount: Amount::ZERO });
        }
        for b in self.balances.iter_mut().filter(|b| b.asset == id) {
            b.amount = b.amount.try_add(Amount::new(units))?;
        }
        Ok(())
    }

    fn add_debt(&mut self, id: AssetId, units: i128) -> Result<(), MathError> {
        let index = self.assets.iter().find(|a| a.id == id).map_or(RAY, |a| a.debt_index.get());
        if !self.debts.iter().any(|d| d.asset == id) {
            self.debts.push(DebtView { asset: id, owed: Amount::ZERO, scaled: Scaled::ZERO });
        }
        for d in self.debts.iter_mut().filter(|d| d.asset == id) {
            let scaled = d.scaled.get().checked_add_signed(units).ok_or(MathError::Overflow)?;
            let owed = wide::mul_div_unsigned(scaled, index, RAY, true)?;
            d.scaled = Scaled::new(scaled);
            d.owed = Amount::new(i128::try_from(owed).map_err(|_| MathError::Overflow)?);
        }
        Ok(())
    }

    fn add_position(&mut self, id: MarketId, lots: i128, cost: Quanta) -> Result<(), MathError> {
        let lots = Lots::new(i64::try_from(lots).map_err(|_| MathError::Overflow)?);
        if !self.positions.iter().any(|p| p.market == id) {
            let (lots, cost, funding) = (Lots::ZERO, Quanta::ZERO, Quanta::ZERO);
            self.positions.push(PositionView { market: id, lots, cost, funding });
        }
        for p in self.positions.iter_mut().filter(|p| p.market == id) {
            (p.lots, p.cost) = (p.lots.try_add(lots)?, p.cost.try_add(cost)?);
        }
        Ok(())
    }
}

impl World for Bench {
    fn market(&self, id: MarketId) -> Option<&MarketView> {
        self.markets.iter().find(|m| m.id == id)
    }

    fn asset(&self, id: AssetId) -> Option<&AssetView> {
        self.assets.iter().find(|a| a.id == id)
    }
    fn scenarios(&self, _: MarketId) -> Option<&cofferdam_core::Scenarios> {
        None
    }
    fn bands(&self, _: cofferdam_core::GroupId) -> Option<cofferdam_core::Bands> {
        None
    }
}

fn balance(asset: u32, amount: i128) -> BalanceView {
    BalanceView { asset: AssetId(asset), amount: Amount::new(amount) }
}

fn asset(id: u32) -> AssetView {
    AssetView {
        id: AssetId(id),
        scale: AssetScale { decimals: 6, price_exponent: -6, quantum_exponent: -6 },
        price: PriceView::exact(Ticks::new(1_000_000), Millis::ZERO),
        debt_index: Index::START,
    }
}

fn market(id: u32) -> Option<MarketView> {
    let mark = PriceView::exact(Ticks::new(100), Millis::ZERO);
    Some(MarketView {
        id: MarketId(id),
        scale: MarketScale::from_factor(1).ok()?,
        settlement: AssetId(0),
        mark,
        previous_mark: Ticks::new(100),
        index: mark,
        open_interest: Lots::ZERO,
        funding: FundingIndex::ZERO,
        volatility: Ppb::ZERO,
    })
}
