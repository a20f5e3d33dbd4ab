//! How much of a deficit is taken now, apart from who pays it (T. Chitra, arXiv:2512.01112, severity theta and allocation x; severity
//! controllers: back-off and the cap by price of anarchy).

use crate::allocation::{collect, deficit};
use crate::terms::accept;
use crate::{Cause, LiquidationError, LossAllocation, Need, Payer, Payers, Settlement};
use alloc::boxed::Box;
use cofferdam_core::{
    Amount, At, MathError, Memory, MemoryError, Millis, Ppb, Reader, Record, Rounding, Scope, Writer, wide,
};

/// How much of a deficit is taken now. What is not taken is left for the next policy, or stays open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeverityRule {
    /// All that is needed and no more: theta = 1.
    Needed,
    /// A fixed fraction of each need, above 0 to 1.
    Fixed(Ppb),
    /// theta_t = max(keep x theta_(t-1), least): each need of one episode takes a smaller part than the last. An episode of a
    /// market (without one, of an asset) ends when no need came for `forget`; the next begins with `first`.
    BackOff {
        /// The part that the first need of an episode takes.
        first: Ppb,
        /// What is kept of the last part.
        keep: Ppb,
        /// The smallest part.
        least: Ppb,
        /// How long an episode lasts after its last need.
        forget: Millis,
    },
    /// What is taken is at most `ratio` times what it leaves to those who pay: theta D <= ratio / (1 + ratio) x M, where M is what all
    /// winners have gained and can pay together. So the ratio of what winners keep to what was taken never falls below
    /// 1 / ratio in one need.
    Anarchy {
        /// The ratio, above 0 to 1000.
        ratio: Ppb,
    },
}

/// The part of the last need, and when it came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Episode {
    theta: i64,
    last: u64,
}

impl Record for Episode {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.i64(self.theta).u64(self.last);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self { theta: from.i64()?, last: from.u64()? }),
            found => Err(MemoryError::Version { found }),
        }
    }
}

/// A policy that is asked for a part of a deficit only. Close-outs pass whole: lots cannot wait.
///
/// The part is rounded up, so that a deficit of one atom is not carried for ever; the cap by price of anarchy is rounded down.
///
/// ```
/// use cofferdam_core::{Amount, AssetId, At, GroupId, Lots, MapMemory, MarketId, Millis, Ppb, Quanta, Slot};
/// use cofferdam_liquidation_strategy::*;
/// let payers = [Payer {
///     group: GroupId(1), lots: Lots::new(-10), gain: Amount::new(900), equity: Amount::new(900),
///     notional: Quanta::new(1_000), cost: Quanta::new(-1_900), room: Amount::new(900), maintenance: Amount::ZERO,
/// }];
/// let half = Ppb(500_000_000);
/// let rule = SeverityRule::BackOff { first: half, keep: half, least: Ppb(200_000_000), forget: Millis(1_000) };
/// let policy = Severity::new(rule, Box::new(ProRataAllocation))?;
/// let mut memory = MapMemory::default();
/// let mut taken = |time| {
///     let need = Need { cause: Cause::Deficit, market: Some(MarketId(0)), asset: AssetId(0), amount: Amount::new(100) };
///     let at = At { time: Millis(time), ..At::default() };
///     memory.with(Slot(1), |m| policy.allocate(at, &need, &payers.as_slice(), m)).map(|s| 100 - s.residual)
/// };
/// assert_eq!((taken(0)?, taken(900)?, taken(1_800)?), (50, 25, 20));
/// assert_eq!(taken(2_900)?, 50); // forgotten
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Debug)]
pub struct Severity {
    rule: SeverityRule,
    within: Box<dyn LossAllocation>,
}

impl Severity {
    /// Parts are above 0 to 1 in parts per billion, the ratio above 0 to 1000; `least` is at most `first`, and an episode lasts.
    pub fn new(rule: SeverityRule, within: Box<dyn LossAllocation>) -> Result<Self, LiquidationError> {
        let part = |field, p: Ppb| {
            accept((1..=Ppb::ONE.0).contains(&p.0), field, p.0.into(), "1 to 1000000000 parts per billion")
        };
        match rule {
            SeverityRule::Needed => {}
            SeverityRule::Fixed(theta) => part("fixed", theta)?,
            SeverityRule::BackOff { first, keep, least, forget } => {
                part("first", first)?;
                part("keep", keep)?;
                part("least", least)?;
                accept(least <= first, "least", least.0.into(), "at most the first part")?;
                accept(forget > Millis::ZERO, "forget", 0, "at least 1 ms")?;
            }
            SeverityRule::Anarchy { ratio } => {
                let accepted = "1 to 1000000000000 parts per billion";
                accept((1..=1_000_000_000_000).contains(&ratio.0), "anarchy", ratio.0.into(), accepted)?;
            }
        }
        Ok(Self { rule, within })
    }

    /// What is taken of a deficit now: 0 to all of it.
    fn now(
        &self,
        at: At,
        need: &Need,
        payers: &dyn Payers,
        memory: &mut Memory<'_>,
    ) -> Result<Amount, LiquidationError> {
        let whole = deficit(need)?;
        let part = |theta: Ppb| theta.of_units(whole.get(), Rounding::Up).map(Amount::new);
        Ok(match self.rule {
            SeverityRule::Needed => whole,
            SeverityRule::Fixed(theta) => part(theta)?,
            SeverityRule::BackOff { first, keep, least, forget } => {
                let scope = need.market.map_or(Scope::Asset(need.asset), Scope::Market);
                let then: Episode = memory.get(scope)?;
                let goes_on = then.theta > 0 && at.time.0.saturating_sub(then.last) <= forget.0;
                let theta = if goes_on {
                    // down: the winners gain below one part per billion
                    Ppb(narrow(keep.of_units(then.theta.into(), Rounding::Down)?)?).max(least)
                } else {
                    first
                };
                if !whole.is_zero() {
                    memory.set(scope, &Episode { theta: theta.0, last: at.time.0 })?;
                }
                part(theta)?
            }
            SeverityRule::Anarchy { ratio } => whole.min(affordable(payers, ratio)?),
        })
    }
}

fn narrow(x: i128) -> Result<i64, MathError> {
    i64::try_from(x).map_err(|_| MathError::Overflow)
}

/// ratio / (1 + ratio) x what all winners have gained and can pay, rounded down.
fn affordable(payers: &dyn Payers, ratio: Ppb) -> Result<Amount, MathError> {
    let base = |p: &Payer| p.gain.min(p.room).positive_part();
    let mut sum: i128 = 0;
    for p in collect(payers, |p| !base(p).is_zero()) {
        sum = sum.checked_add(base(&p).get()).ok_or(MathError::Overflow)?;
    }
    let ratio = i128::from(ratio.0);
    let whole = ratio.saturating_add(Ppb::ONE.0.into()); // two i64 fit i128
    wide::mul_div(sum, ratio, whole, Rounding::Down).map(Amount::new)
}

impl LossAllocation for Severity {
    fn allocate(
        &self,
        at: At,
        need: &Need,
        payers: &dyn Payers,
        memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        if need.cause != Cause::Deficit {
            return self.within.allocate(at, need, payers, &mut memory.child(0)?);
        }
        let now = self.now(at, need, payers, memory)?;
        if now.is_zero() {
            return Ok(crate::socialise::untouched(need));
        }
        let part = Need { amount: now, ..*need };
        let settled = self.within.allocate(at, &part, payers, &mut memory.child(0)?)?;
        let later = need.amount.try_sub(now)?.get();
        let residual = settled.residual.checked_add(later).ok_or(MathError::Overflow)?;
        Ok(Settlement { residual, ..settled })
    }
}
