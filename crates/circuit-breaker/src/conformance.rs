//! The laws of a circuit breaker as code, for built-in breakers and strangers alike.
//!
//! ```
//! use cofferdam_circuit_breaker::{OpenInterestCap, OpenInterestCapParams, conformance};
//! use cofferdam_core::{Lots, MarketId, Millis};
//! let breaker = OpenInterestCap::new(
//!     OpenInterestCapParams { market: MarketId(1), cap: Lots::new(500), reopen: Lots::new(400) },
//! )?;
//! // a standing limit: it does not expire, and says so
//! let profile = conformance::Profile { patience: Millis(1), expires_within: None, budget: None };
//! conformance::check(&breaker, &profile, &conformance::hostile_steps(1, 200))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use crate::{BreakerError, CircuitBreaker};
use alloc::{format, string::String, vec::Vec};
use cofferdam_core::{
    Action, Amount, AssetId, At, GroupId, LayerId, Lots, MapMemory, MarketId, Millis, Observation,
    PriceState, Quanta, Slot, Ticks, Verdict,
};

/// Something that happened, and when.
pub type Step = (At, Observation);

/// What a breaker claims of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The longest that a way out or a withdrawal is made to wait, in milliseconds.
    pub patience: Millis,
    /// After this long without an observation every action is admitted again; `None` for a standing limit, which is not a
    /// trip (an open interest cap).
    pub expires_within: Option<Millis>,
    /// The budget it keeps, if it keeps one.
    pub budget: Option<Budget>,
}

/// A budget: no more than `at_most` of an action within any window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The action, in the size in which it is asked for again and again.
    pub action: Action,
    /// Length of the window in milliseconds.
    pub window: Millis,
    /// At most so many lots or atoms in it.
    pub at_most: u128,
}

/// What a breaker must keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// No error, whatever is observed.
    Total,
    /// Asked twice, `admit` says the same, and nothing is written.
    AdmitIsPure,
    /// A way out is allowed in part at once, or from a time within the patience (INV-35).
    WayOutStaysOpen,
    /// A withdrawal likewise.
    WithdrawalComesToPass,
    /// A trip ends by itself (INV-34).
    TripExpires,
    /// What tripped limits some action at that very moment, and is looser than before for none (INV-34).
    TripTightens,
    /// The same observation once more never loosens; deposits and repayments aside.
    RepeatNeverLoosens,
    /// The budget holds over every window, whatever the clock does (INV-36).
    BudgetHolds,
}

/// Where a breaker broke a law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which law.
    pub law: Law,
    /// At which step, counted from zero.
    pub step: usize,
    /// What was seen.
    pub seen: String,
}

impl core::fmt::Display for Violation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?} is broken at step {}: {}", self.law, self.step, self.seen)
    }
}

impl core::error::Error for Violation {}

const SLOT: Slot = Slot(1);

/// Checks a breaker along a sequence of observations.
pub fn check(breaker: &dyn CircuitBreaker, profile: &Profile, steps: &[Step]) -> Result<(), Violation> {
    let mut subject = Subject { breaker, memory: MapMemory::default(), clock: Millis::ZERO };
    for (step, (at, observation)) in steps.iter().enumerate() {
        let violated = |(law, seen)| Violation { law, step, seen };
        subject.check_step(profile, *at, observation).map_err(violated)?;
    }
    profile.budget.map_or(Ok(()), |budget| check_budget(breaker, &budget, steps))
}

type Broken = (Law, String);

struct Subject<'a> {
    breaker: &'a dyn CircuitBreaker,
    memory: MapMemory,
    clock: Millis, // the latest time seen: a state's clock never runs backwards (INV-42)
}

impl Subject<'_> {
    fn check_step(&mut self, profile: &Profile, at: At, observation: &Observation) -> Result<(), Broken> {
        self.clock = self.clock.max(at.time);
        let before = self.ask_all(at)?;
        let tripped = self.observe(at, observation)?;
        let after = self.ask_all(at)?;
        if tripped {
            tightened(at.time, &before, &after)?;
        }
        for (action, verdict) in &after {
            self.check_verdict(profile, at, action, *verdict)?;
        }
        let mut again = Subject { breaker: self.breaker, memory: self.memory.clone(), clock: self.clock };
        if !adds_capacity(observation) {
            again.observe(at, observation)?;
            not_looser(at.time, &after, &again.ask_all(at)?, Law::RepeatNeverLoosens)?;
        }
        Ok(())
    }

    fn observe(&mut self, at: At, observation: &Observation) -> Result<bool, Broken> {
        self.memory.with(SLOT, |m| self.breaker.observe(at, observation, m)).map_err(total)
    }

    fn ask(&self, at: At, action: &Action) -> Result<Verdict, Broken> {
        let mut memory = self.memory.clone();
        let mut ask = || memory.with(SLOT, |m| self.breaker.admit(at, action, m)).map_err(total);
        let (first, second) = (ask()?, ask()?);
        if first != second || memory != self.memory {
            return Err((Law::AdmitIsPure, format!("{action:?}: {first:?}, then {second:?}")));
        }
        Ok(first)
    }

    fn ask_all(&self, at: At) -> Result<Vec<(Action, Verdict)>, Broken> {
        probes().into_iter().map(|action| self.ask(at, &action).map(|verdict| (action, verdict))).collect()
    }

    fn check_verdict(
        &self,
        profile: &Profile,
        at: At,
        action: &Action,
        verdict: Verdict,
    ) -> Result<(), Broken> {
        let law = match action {
            Action::Withdraw { .. } => Some(Law::WithdrawalComesToPass),
            _ if action.kind().is_way_out() => Some(Law::WayOutStaysOpen),
            _ => None,
        };
        if let Some(law) = law {
            let due = self.clock.max(verdict.not_before);
            let in_time = due.since(self.clock) <= profile.patience;
            let then = self.ask(At { time: due, ..at }, action)?;
            if !in_time || verdict.limit == 0 || then.allowed(due) == 0 {
                return Err((law, format!("{action:?} at {}: {verdict:?}, at {due}: {then:?}", at.time)));
            }
        }
        let Some(expires_within) = profile.expires_within else { return Ok(()) };
        let Ok(late) = self.clock.try_add(expires_within) else { return Ok(()) }; // past the end of time
        let then = self.ask(At { time: late, ..at }, action)?;
        if then.allowed(late) == 0 {
            return Err((Law::TripExpires, format!("{action:?} at {late}: {then:?}")));
        }
        Ok(())
    }
}

fn total(error: BreakerError) -> Broken {
    (Law::Total, format!("{error}"))
}

fn tightened(now: Millis, before: &[(Action, Verdict)], after: &[(Action, Verdict)]) -> Result<(), Broken> {
    not_looser(now, before, after, Law::TripTightens)?;
    if after.iter().all(|(action, verdict)| verdict.allowed(now) >= action.size()) {
        return Err((Law::TripTightens, String::from("it tripped and stopped nothing")));
    }
    Ok(())
}

fn not_looser(
    now: Millis,
    before: &[(Action, Verdict)],
    after: &[(Action, Verdict)],
    law: Law,
) -> Result<(), Broken> {
    let looser = before.iter().zip(after).find(|(b, a)| a.1.allowed(now) > b.1.allowed(now));
    looser.map_or(Ok(()), |(b, a)| Err((law, format!("{:?}: {:?} became {:?}", b.0, b.1, a.1))))
}

const fn adds_capacity(observation: &Observation) -> bool {
    matches!(observation, Observation::Done(Action::Deposit { .. } | Action::Repay { .. }))
}

/// An actor who takes all it is allowed, at every time of the steps and whatever the clock does, never gets more than the
/// budget within a window of the latest time seen.
pub fn check_budget(breaker: &dyn CircuitBreaker, budget: &Budget, steps: &[Step]) -> Result<(), Violation> {
    let mut subject = Subject { breaker, memory: MapMemory::default(), clock: Millis::ZERO };
    let mut taken: Vec<(Millis, u128)> = Vec::new();
    for (step, (at, _)) in steps.iter().enumerate() {
        let violated = |(law, seen)| Violation { law, step, seen };
        subject.clock = subject.clock.max(at.time);
        let clock = subject.clock;
        let allowed = subject.ask(*at, &budget.action).map_err(violated)?.allowed(at.time);
        let size = allowed.min(budget.action.size());
        if size == 0 {
            continue;
        }
        let Some(action) = resized(&budget.action, size) else { continue };
        subject.observe(*at, &Observation::Done(action)).map_err(violated)?;
        taken.push((clock, size));
        let within = taken.iter().filter(|(t, _)| clock.since(*t) < budget.window);
        let sum = within.fold(0_u128, |sum, (_, n)| sum.saturating_add(*n)); // at the top it is over the budget anyway
        if sum > budget.at_most {
            let seen = format!("{sum} within {} up to {clock}, at {}", budget.window, at.time);
            return Err(Violation { law: Law::BudgetHolds, step, seen });
        }
    }
    Ok(())
}

// The same action in another size, its value in proportion, rounded up; `None` where that leaves its range.
fn resized(action: &Action, size: u128) -> Option<Action> {
    let whole = i128::try_from(action.size()).ok()?;
    let part = i128::try_from(size).ok()?;
    let share = |value: Quanta| {
        cofferdam_core::wide::mul_div(value.get(), part, whole, cofferdam_core::Rounding::Up)
            .ok()
            .map(Quanta::new)
    };
    let signed = |lots: Lots| {
        let magnitude = i64::try_from(size).ok()?;
        Some(Lots::new(if lots.is_negative() { magnitude.checked_neg()? } else { magnitude }))
    };
    Some(match *action {
        Action::Open { group, market, lots, notional } => {
            Action::Open { group, market, lots: signed(lots)?, notional: share(notional)? }
        }
        Action::Reduce { group, market, lots, notional } => {
            Action::Reduce { group, market, lots: signed(lots)?, notional: share(notional)? }
        }
        Action::Liquidate { group, market, lots, notional } => {
            Action::Liquidate { group, market, lots: signed(lots)?, notional: share(notional)? }
        }
        Action::Seize { group, asset, value, .. } => {
            Action::Seize { group, asset, amount: Amount::new(part), value: share(value)? }
        }
        Action::Deposit { group, asset, .. } => Action::Deposit { group, asset, amount: Amount::new(part) },
        Action::Withdraw { group, asset, value, .. } => {
            Action::Withdraw { group, asset, amount: Amount::new(part), value: share(value)? }
        }
        Action::Borrow { group, asset, value, .. } => {
            Action::Borrow { group, asset, amount: Amount::new(part), value: share(value)? }
        }
        Action::Repay { group, asset, .. } => Action::Repay { group, asset, amount: Amount::new(part) },
    })
}

/// What the checks ask for: every kind of action, in markets and assets 1 and 2, in a small and in a huge size.
#[must_use]
pub fn probes() -> Vec<Action> {
    let group = GroupId(1);
    let mut probes = Vec::new();
    for (id, size, value) in [(1, 10, 1_000), (2, 10, 1_000), (1, 1, 900_000_000), (1, 1 << 40, 1 << 60)] {
        let (market, asset) = (MarketId(id), AssetId(id));
        let (lots, amount) = (Lots::new(size), Amount::new(i128::from(size)));
        let (notional, value) = (Quanta::new(value), Quanta::new(value));
        probes.extend([
            Action::Open { group, market, lots, notional },
            Action::Reduce { group, market, lots, notional },
            Action::Liquidate { group, market, lots, notional },
            Action::Seize { group, asset, amount, value },
            Action::Deposit { group, asset, amount },
            Action::Withdraw { group, asset, amount, value },
            Action::Borrow { group, asset, amount, value },
            Action::Repay { group, asset, amount },
        ]);
    }
    probes
}

/// Steps with what venues have been through: crashes, outages, deficits, runs, idle years, and a clock that stands still,
/// jumps ahead and runs backwards. The same seed gives the same steps.
#[must_use]
pub fn hostile_steps(seed: u64, count: usize) -> Vec<Step> {
    let mut random = SplitMix(seed);
    let mut now = 1_000_000_u64;
    let mut price = 10_000_u64;
    let mut steps = Vec::with_capacity(count);
    for seq in (0_u64..).take(count) {
        now = match random.below(20) {
            0 => now.saturating_add(random.below(100_000_000_000)),
            1 => now.saturating_sub(random.below(10_000_000)),
            2..6 => now,
            _ => now.saturating_add(random.below(3_000)),
        };
        price = match random.below(10) {
            0 => price.saturating_mul(2),
            1 => price >> 1,
            _ => price.saturating_add(random.below(200)).saturating_sub(100),
        }
        .clamp(10, 1 << 40);
        let at = At { seq, time: Millis(now), block: seq };
        steps.push((at, random.observation(price)));
    }
    steps
}

// SplitMix64 (Steele, Lea, Flood 2014): enough for test data, and no dependency.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next().checked_rem(bound).unwrap_or(0)
    }

    fn units(&mut self, bound: u64) -> i64 {
        i64::try_from(self.below(bound)).unwrap_or(i64::MAX)
    }

    fn observation(&mut self, price: u64) -> Observation {
        let market = MarketId(if self.below(2) == 0 { 1 } else { 2 });
        match self.below(13) {
            0..5 => {
                let good = self.below(4) != 0;
                let at = usize::try_from(self.below(8)).unwrap_or(0);
                let state = PriceState::ALL.get(at).copied().filter(|_| !good).unwrap_or(PriceState::Good);
                let price = Ticks::new(i64::try_from(price).unwrap_or(i64::MAX));
                let price = if state >= PriceState::Invalid { Ticks::ZERO } else { price };
                Observation::Mark { market, price, state }
            }
            5 => Observation::OpenInterest { market, lots: Lots::new(self.units(1_000)) },
            6 => {
                let value = Quanta::new(self.units(500).into());
                let capacity_left = Quanta::new(self.units(10_000).into());
                Observation::Drawn { layer: LayerId(1), value, capacity_left }
            }
            12 => Observation::Stranded { group: GroupId(1), market, lots: Lots::new(self.units(1_000)) },
            7 => {
                let value = self.units(500).checked_sub(250).unwrap_or(0).max(0);
                Observation::Deficit { value: Quanta::new(value.into()) }
            }
            _ => Observation::Done(self.action()),
        }
    }

    fn action(&mut self) -> Action {
        let probes = probes();
        let at = self.below(u64::try_from(probes.len()).unwrap_or(1));
        // the two sensible sizes come first
        let usual = usize::try_from(if self.below(8) == 0 { at } else { at & 15 }).unwrap_or(0);
        let fallback = Action::Repay { group: GroupId(1), asset: AssetId(1), amount: Amount::ONE };
        probes.get(usual).copied().unwrap_or(fallback)
    }
}
