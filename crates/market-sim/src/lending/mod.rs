//! A lending pool on the recorded path: one run of the same minutes, the same feed rules and the same impact as the perpetual
//! market, with the stack that runs in production.
//!
//! Each minute: the price moves, the feed tells the stack (or not yet), interest accrues, borrowers open, keepers look at
//! whom the stack's index names and take the bids that pay. What they seize they sell, which lowers the price below the
//! recorded one: the record holds everybody's sales but theirs. What no collateral and no insurance covers the suppliers bear.
//!
//! ```no_run
//! use cofferdam_market_sim::data::{LoadOptions, load_minutes};
//! use cofferdam_market_sim::lending::{LendingScenario, run_lending};
//! use cofferdam_stack::StackConfig;
//! let stack = StackConfig::load("lending.toml")?.build()?.stack;
//! let minutes = load_minutes("minutes.csv".as_ref(), &LoadOptions::default())?;
//! let outcome = run_lending(&minutes, stack, &LendingScenario::default(), &mut ())?;
//! println!("{} atoms of bad debt, {}", outcome.totals.bad_debt, outcome.state_hash);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod borrowers;
mod conservation;
mod fold;
mod keeper;
mod outcome;
mod scenario;
#[cfg(test)]
mod tests;

pub use outcome::{LendingBar, LendingOutcome, LendingTotals, PoolValue};
pub use scenario::{LendingScenario, LendingVariant, steepest_fall, variants};

use crate::data::Minutes;
use crate::depth::{Decaying, Impact, Linear};
use crate::feed::Feed;
use borrowers::Planned;
use cofferdam_core::{
    Amount, AssetId, AssetScale, GroupId, Holder, House, Instrument, Item, LayerId, Millis, PoolId, Ppb,
    Quanta, Quote, Rounding, SourceId, Ticks, World,
};
use cofferdam_stack::{
    Answer, Body, Effect, Engine, EvolveError, Fact, Input, InputId, Observer, PoolKind, Rejection,
    RiskStack, State, StepCause,
};
use fold::Fold;
use std::collections::VecDeque;
use std::fmt::Write as _;

const FIRST_SUPPLIER: u32 = 1;
const FIRST_KEEPER: u32 = 1_001;
const FIRST_BORROWER: u32 = 2_001;
const DAY_MS: u64 = 86_400_000;

/// Why a run did not start, or ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LendingError {
    /// A parameter without meaning.
    #[error("lending scenario, {field}: accepted is {accepted}")]
    Scenario {
        /// Which.
        field: &'static str,
        /// What would be accepted.
        accepted: &'static str,
    },
    /// A stack that is not one of one numeraire lent against one collateral.
    #[error("the stack has no {missing}")]
    Stack {
        /// What it lacks.
        missing: &'static str,
    },
    /// The engine contradicts itself: a defect.
    #[error("the engine contradicts itself: {0}")]
    Evolve(#[from] EvolveError),
    /// Something was created or lost: a defect.
    #[error("conservation broken after input {seq}: {what}")]
    Conservation {
        /// The last input.
        seq: u64,
        /// What is wrong.
        what: String,
    },
}

/// What a run has to know of its stack.
#[derive(Clone, Copy, Debug)]
struct Terms {
    collateral: AssetId,
    collateral_scale: AssetScale,
    debt: AssetId,
    debt_scale: AssetScale,
    /// One numeraire in its own ticks.
    one: Ticks,
    pool: PoolId,
    layer: Option<LayerId>,
    /// Atoms of one whole collateral, as a float for the market's side.
    whole: f64,
    /// A price tick of the collateral in numeraire, likewise.
    tick: f64,
}

impl Terms {
    fn of(stack: &RiskStack) -> Result<Self, LendingError> {
        let parts = stack.parts();
        let lent = parts.pools.iter().find_map(|p| match p.kind {
            PoolKind::Lending { asset, .. } => Some((p.id, asset)),
            PoolKind::Trading { .. } | PoolKind::Offset { .. } => None,
        });
        let (pool, debt) = lent.ok_or(LendingError::Stack { missing: "lending pool" })?;
        let numeraire = parts.assets.iter().find(|a| a.id == debt && a.numeraire);
        let debt_scale =
            numeraire.ok_or(LendingError::Stack { missing: "pool that lends the numeraire" })?.scale;
        let other = parts.assets.iter().find(|a| !a.numeraire);
        let other = other.ok_or(LendingError::Stack { missing: "asset to borrow against" })?;
        let initial = stack.initial_state();
        let one = initial.asset(debt).map_or(Ticks::ONE, |a| a.price.mid);
        Ok(Self {
            collateral: other.id,
            collateral_scale: other.scale,
            debt,
            debt_scale,
            one,
            pool,
            layer: parts.layers.first().map(|l| l.id),
            whole: libm::pow(10.0, f64::from(other.scale.decimals)),
            tick: libm::pow(10.0, f64::from(other.scale.price_exponent)),
        })
    }
}

struct Both<'a>(&'a mut Fold, &'a mut dyn Observer);

impl Observer for Both<'_> {
    fn step(&mut self, cause: &StepCause, facts: &[Fact], after: &State) {
        self.0.step(cause, facts, after);
        self.1.step(cause, facts, after);
    }
}

struct Shell<'a> {
    engine: Engine,
    terms: Terms,
    scenario: &'a LendingScenario,
    minutes: &'a Minutes,
    observer: &'a mut dyn Observer,
    fold: Fold,
    number: u64,
    now: u64,
    feed: Feed,
    flow: Decaying,
    waiting: VecDeque<Planned>,
    /// Who looks at the price again, and when: a day apart, so the queue stays in order.
    followers: VecDeque<(u64, GroupId, Ppb)>,
    borrowers: u32,
    next_supplier: u32,
    pool_start: PoolValue,
    gas_due: i128,
    impact_max: f64,
    unwanted: u32,
    unwanted_max: u32,
    utilisation_max: f64,
    bars: Vec<LendingBar>,
    bar_from: LendingTotals,
}

/// Runs the minutes through a stack that lends its numeraire against one other asset, whose price tick is that of the
/// minutes. The observer sees every step.
///
/// # Errors
///
/// A scenario or a stack that does not fit, or a defect of the engine.
pub fn run_lending(
    minutes: &Minutes,
    stack: RiskStack,
    scenario: &LendingScenario,
    observer: &mut dyn Observer,
) -> Result<LendingOutcome, LendingError> {
    scenario.check()?;
    let terms = Terms::of(&stack)?;
    let mut shell = Shell {
        engine: Engine::new(stack),
        terms,
        scenario,
        minutes,
        observer,
        fold: Fold::new(terms),
        number: 0,
        now: minutes.time_ms.first().copied().unwrap_or(0),
        feed: Feed::new(scenario.feed),
        flow: Decaying::new(scenario.half_life_ms),
        waiting: borrowers::plan(scenario, minutes, terms.whole).into(),
        followers: VecDeque::new(),
        borrowers: 0,
        next_supplier: 0,
        pool_start: PoolValue::default(),
        gas_due: 0,
        impact_max: 0.0,
        unwanted: 0,
        unwanted_max: 0,
        utilisation_max: 0.0,
        bars: Vec::new(),
        bar_from: LendingTotals::default(),
    };
    shell.set_up()?;
    for row in 0..minutes.len() {
        shell.minute(row)?;
    }
    shell.finish()
}

impl Shell<'_> {
    fn submit(&mut self, body: Body) -> Result<Answer, LendingError> {
        self.number += 1;
        let id = InputId { source: self.scenario.source, number: self.number };
        let input = Input { id, time: Millis(self.now), block: 0, body };
        let outcome = self.engine.submit(&input, &mut Both(&mut self.fold, self.observer))?;
        let counts = &mut self.fold.tally.counts;
        counts.alarms += outcome.effects.iter().filter(|e| matches!(e, Effect::Raise(_))).count() as u64;
        if !input.body.is_report() {
            match &outcome.answer {
                Answer::Refused(Rejection::Breaker { .. }) => counts.refused_by_breaker += 1,
                Answer::Refused(_) => counts.refused += 1,
                _ => counts.granted += 1,
            }
        }
        if self.scenario.check_every > 0 && self.number.is_multiple_of(u64::from(self.scenario.check_every)) {
            self.fold.shadow.compare(self.engine.state());
        }
        self.conserved()?;
        Ok(outcome.answer)
    }

    fn conserved(&self) -> Result<(), LendingError> {
        match &self.fold.shadow.fault {
            Some(what) => Err(LendingError::Conservation { seq: self.number, what: what.clone() }),
            None => Ok(()),
        }
    }

    const fn keeper(&self, i: u32) -> GroupId {
        GroupId(FIRST_KEEPER + i)
    }

    fn set_up(&mut self) -> Result<(), LendingError> {
        let asset = self.terms.debt;
        for i in 0..self.scenario.keepers {
            let (group, amount) = (self.keeper(i), self.scenario.keeper_capital);
            self.submit(Body::Deposit { group, asset, amount })?;
        }
        if let Some(layer) = self.terms.layer
            && self.scenario.fund.get() > 0
        {
            let amount = self.scenario.fund;
            self.submit(Body::Escrow { layer, asset, amount })?;
            let value = self.terms.debt_scale.value(amount, self.terms.one, Rounding::Down);
            let capacity = value.unwrap_or(Quanta::ZERO);
            self.submit(Body::Commitment { layer, capacity, expires: Millis::MAX, escrowed: true })?;
        }
        Ok(())
    }

    fn minute(&mut self, row: usize) -> Result<(), LendingError> {
        self.now = self.minutes.time_ms[row];
        self.flow.decay_to(self.now);
        let price = self.price(row);
        // without news the policies still look at the clock: a price grows stale
        let quotes = self.feed.observe(self.now, price).map(|(published, price)| {
            let quote = Quote {
                source: SourceId(self.scenario.source),
                price: Ticks::new(price),
                confidence: Ticks::ZERO,
                published: Millis(published),
            };
            (Instrument::Asset(self.terms.collateral), quote)
        });
        self.submit(Body::Quotes(quotes.into_iter().collect()))?;
        self.open_due()?;
        self.follow_due()?;
        self.keepers(row)?;
        self.account(row, price);
        Ok(())
    }

    fn deviation(&self, flow_usd: f64) -> f64 {
        Linear.deviation(flow_usd, self.scenario.depth_usd * self.scenario.depth_multiple)
    }

    /// The market's price in ticks: the recorded one, moved by what keepers sold.
    fn price(&self, row: usize) -> i64 {
        let moved = self.minutes.mid[row] as f64 * (1.0 + self.deviation(self.flow.value()));
        moved.round().max(1.0) as i64
    }

    fn open_due(&mut self) -> Result<(), LendingError> {
        while let Some(next) = self.waiting.front().copied().filter(|p| p.time_ms <= self.now) {
            let usable =
                self.engine.state().asset(self.terms.collateral).is_some_and(|a| a.price.is_usable());
            if !usable {
                break; // they wait for a price
            }
            self.waiting.pop_front();
            self.open(next)?;
        }
        Ok(())
    }

    fn open(&mut self, planned: Planned) -> Result<(), LendingError> {
        let group = GroupId(FIRST_BORROWER + self.borrowers);
        self.borrowers += 1;
        let (asset, amount) = (self.terms.collateral, Amount::new(planned.collateral));
        let ltv = Ppb(planned.ltv_ppb);
        let loan = self.loan(amount, ltv);
        self.supply_for(loan)?;
        self.submit(Body::Deposit { group, asset, amount })?;
        let borrow = Body::Borrow { group, pool: self.terms.pool, amount: Amount::new(loan) };
        if self.submit(borrow)? == Answer::Done {
            self.fold.totals.opened += 1;
            if planned.follows {
                self.followers.push_back((self.now + DAY_MS, group, ltv));
            }
        } else {
            self.fold.totals.refused += 1;
            self.submit(Body::Withdraw { group, asset, amount })?;
        }
        Ok(())
    }

    /// What a ratio of collateral is worth at the stack's price.
    fn loan(&self, collateral: Amount, ltv: Ppb) -> i128 {
        let price = self.engine.state().asset(self.terms.collateral).map_or(Ticks::ZERO, |a| a.price.low);
        let worth = self.terms.value_at(collateral, price);
        ltv.of_units(worth, Rounding::Down).unwrap_or(0)
    }

    /// Borrowers who follow a rising price draw more.
    fn follow_due(&mut self) -> Result<(), LendingError> {
        while let Some((_, group, ltv)) = self.followers.front().copied().filter(|f| f.0 <= self.now) {
            self.followers.pop_front();
            if self.fold.liquidated.contains(&group) {
                continue; // once bitten
            }
            self.followers.push_back((self.now + DAY_MS, group, ltv));
            let held = self.engine.state().book().balance(group, self.terms.collateral);
            let more = self.loan(held, ltv) - self.owed(group);
            let least = self.loan(held, Ppb((self.scenario.follow_step * 1e9) as i64));
            if more > least.max(0) {
                self.supply_for(more)?;
                let borrow = Body::Borrow { group, pool: self.terms.pool, amount: Amount::new(more) };
                let granted = self.submit(borrow)? == Answer::Done;
                self.fold.totals.followed += i128::from(granted);
            }
        }
        Ok(())
    }

    /// Suppliers add what keeps utilisation where they like it: (lent + loan) / utilisation in all.
    fn supply_for(&mut self, loan: i128) -> Result<(), LendingError> {
        let pool = self.fold.pool();
        let lent = pool.assets - pool.cash + loan;
        let wanted = (lent as f64 / self.scenario.utilisation) as i128 - pool.assets;
        if wanted <= 0 {
            return Ok(());
        }
        let group = GroupId(FIRST_SUPPLIER + self.next_supplier);
        self.next_supplier = (self.next_supplier + 1) % self.scenario.suppliers;
        let amount = Amount::new(wanted.max(self.scenario.supply_step.get()));
        self.submit(Body::Deposit { group, asset: self.terms.debt, amount })?;
        self.submit(Body::Supply { group, pool: self.terms.pool, amount })?;
        if self.pool_start.shares == 0 {
            self.pool_start = self.fold.pool();
        }
        Ok(())
    }

    /// Puts the minute into the series.
    fn account(&mut self, row: usize, price: i64) {
        let pool = self.fold.pool();
        let utilisation = pool.utilisation();
        self.utilisation_max = self.utilisation_max.max(utilisation);
        let start_ms = self.now / self.scenario.bar_ms * self.scenario.bar_ms;
        if self.bars.last().is_none_or(|b| b.start_ms != start_ms) {
            self.bars.push(LendingBar { start_ms, price_low: price, ..LendingBar::default() });
        }
        let last = self
            .minutes
            .time_ms
            .get(row + 1)
            .is_none_or(|t| t / self.scenario.bar_ms * self.scenario.bar_ms != start_ms);
        let (borrowers, _, under_water) = if last { self.book() } else { (0, 0, 0) };
        let totals = self.fold.totals;
        if let Some(bar) = self.bars.last_mut() {
            bar.rows += 1;
            bar.price_mean += (price as f64 - bar.price_mean) / f64::from(bar.rows);
            bar.price_low = bar.price_low.min(price);
            bar.utilisation_max = bar.utilisation_max.max(utilisation);
            if last {
                bar.totals = totals.since(&self.bar_from);
                bar.pool = pool;
                (bar.borrowers, bar.under_water) = (borrowers, under_water);
                self.bar_from = totals;
            }
        }
    }

    /// Borrowers with a debt, what they owe, and by how much debts exceed their collateral.
    fn book(&self) -> (u32, i128, i128) {
        let state = self.engine.state();
        let price = state.asset(self.terms.collateral).map_or(Ticks::ZERO, |a| a.price.mid);
        let (mut count, mut owed, mut under) = (0, 0, 0);
        for i in 0..self.borrowers {
            let group = GroupId(FIRST_BORROWER + i);
            let debt = self.owed(group);
            if debt > 0 {
                let held = state.book().balance(group, self.terms.collateral);
                count += 1;
                owed += debt;
                under += (debt - self.terms.value_at(held, price)).max(0);
            }
        }
        (count, owed, under)
    }

    fn finish(mut self) -> Result<LendingOutcome, LendingError> {
        self.fold.shadow.compare(self.engine.state());
        self.conserved()?;
        let (borrowers_left, owed_left, under_water) = self.book();
        let state = self.engine.state();
        let cash = Item::Asset(self.terms.debt);
        let mut state_hash = String::with_capacity(64);
        for byte in state.hash() {
            let _ = write!(state_hash, "{byte:02x}"); // writing to a string cannot fail
        }
        Ok(LendingOutcome {
            totals: self.fold.totals,
            borrowers_liquidated: self.fold.liquidated.len() as u32,
            borrowers_left,
            owed_left,
            under_water,
            pool_start: self.pool_start,
            pool_end: self.fold.pool(),
            utilisation_max: self.utilisation_max,
            fund_left: self.terms.layer.map_or(0, |l| state.holding(Holder::Layer(l), cash).units),
            deficit_left: -state.holding(Holder::House(House::Deficit), cash).units,
            impact_max: self.impact_max,
            unwanted_minutes_max: self.unwanted_max,
            bars: self.bars,
            events: self.fold.tally.events,
            counts: self.fold.tally.counts,
            postings_checked: self.fold.shadow.postings_checked,
            books_checked: self.fold.shadow.books_checked,
            state_hash,
        })
    }
}
