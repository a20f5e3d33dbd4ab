//! A part of a large position first, to see what the book takes; within the cool-down that follows, everything at once
//! (Hyperliquid, "Partial Liquidations": 20 % of a position above 100,000 USDC, then for 30 s the entire position).

use crate::close::{Budget, notional, orders, refusal, remains, sorted_by, steps_worsen};
use crate::partial::against;
use crate::terms::accept;
use crate::{Bid, LiquidationError, LiquidationStrategy, OrderTerms, Plan, Refusal, Step};
use alloc::vec::Vec;
use cofferdam_core::{
    Case, Lots, Memory, MemoryError, Millis, PositionView, Ppb, Quanta, Reader, Record, Rounding, Scope,
    Writer,
};

/// What [`FirstSlice`] takes first and when the rest may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlicePace {
    /// Share of a large position in its first order, rounded up to a lot.
    pub slice: Ppb,
    /// A position of more than this notional is large, in quanta of the numeraire.
    pub large: Quanta,
    /// How long after a slice everything goes whole, per account, in milliseconds.
    pub cooldown: Millis,
    /// How long after a slice nothing is ordered: until the next block, in milliseconds.
    pub pause: Millis,
}

/// When the account's last slice was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sliced {
    taken: bool,
    at: u64,
}

impl Record for Sliced {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u8(self.taken.into()).u64(self.at);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self { taken: from.u8()? != 0, at: from.u64()? }),
            found => Err(MemoryError::Version { found }),
        }
    }
}

/// Outside a cool-down each large position is ordered in part and the others whole; one slice starts the account's cool-down.
/// Within it every position is ordered whole, which neither restarts nor extends it. It is the opposite of [`crate::Gradual`],
/// which waits during its cool-down.
///
/// ```
/// use cofferdam_core::{Lots, MarketId, Millis, Ppb, Quanta};
/// use cofferdam_liquidation_strategy::{conformance::Bench, *};
/// let pace = SlicePace {
///     slice: Ppb(200_000_000), large: Quanta::new(500), cooldown: Millis(30_000), pause: Millis(100),
/// };
/// let terms = OrderTerms::new(LimitPrice::Any, Penalty::default(), Millis(1_000))?;
/// let bench = Bench::perpetual(30).with_position(MarketId(0), 10, 1_000);
/// let plan = bench.plan(&FirstSlice::new(terms, pace)?, &Bid::ENGINE)?.expect("below maintenance");
/// assert!(matches!(plan.steps[0], Step::Order { lots, .. } if lots == Lots::new(-2)));
/// assert_eq!(plan.again, Some(Millis(100)));
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstSlice {
    terms: OrderTerms,
    pace: SlicePace,
}

impl FirstSlice {
    /// On these terms, at this pace.
    pub fn new(terms: OrderTerms, pace: SlicePace) -> Result<Self, LiquidationError> {
        let slice = pace.slice.0;
        accept(
            (1..=Ppb::ONE.0).contains(&slice),
            "slice",
            slice.into(),
            "1 to 1000000000 parts per billion",
        )?;
        accept(!pace.large.is_negative(), "large", pace.large.get(), "0 or more quanta")?;
        accept(pace.cooldown > Millis::ZERO, "cooldown", 0, "at least 1 ms")?;
        let pause = pace.pause > Millis::ZERO && pace.pause <= pace.cooldown;
        accept(pause, "pause", pace.pause.0.into(), "at least 1 ms and no more than the cool-down")?;
        Ok(Self { terms, pace })
    }

    /// What is ordered of a position now, and whether that is a slice of it.
    fn size(&self, p: &PositionView, value: Quanta, cooling: bool) -> Result<(u64, bool), LiquidationError> {
        let whole = p.lots.get().unsigned_abs();
        if cooling || value <= self.pace.large {
            return Ok((whole, false));
        }
        // share x lots rounded up: a slice is never nothing
        let share = self.pace.slice.of_units(whole.into(), Rounding::Up)?;
        Ok((u64::try_from(share).unwrap_or(u64::MAX).min(whole), true))
    }
}

impl LiquidationStrategy for FirstSlice {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        if let Some(no) = refusal(case, bid) {
            return Ok(Err(no));
        }
        let positions = sorted_by(case, |p| notional(case, p.market, p.lots))?;
        if positions.is_empty() {
            return Ok(remains(case));
        }
        let scope = Scope::Group(case.group.id);
        let last: Sliced = memory.get(scope)?;
        let cooling = last.taken && case.at.time < Millis(last.at).try_add(self.pace.cooldown)?;
        let next = Millis(last.at).try_add(self.pace.pause)?;
        if cooling && case.at.time < next {
            return Ok(Err(Refusal::NotBefore { time: next }));
        }
        let (mut trades, mut sliced) = (Vec::new(), Vec::new());
        for (value, p) in &positions {
            let (size, part) = self.size(p, *value, cooling)?;
            trades.push((p.market, against(p, size)?));
            if part {
                sliced.push(p.market);
            }
        }
        let mut budget = Budget::of(case, self.terms.ttl)?;
        let steps = orders(case, bid, &self.terms, &trades, &mut budget)?;
        let ordered = |s: &Step| matches!(s, Step::Order { market, lots, .. } if sliced.contains(market) && *lots != Lots::ZERO);
        let mut again = budget.again();
        // a slice that the breakers cut to nothing was not taken
        if steps.iter().any(ordered) {
            memory.set(scope, &Sliced { taken: true, at: case.at.time.0 })?;
            let next = case.at.time.try_add(self.pace.pause)?;
            again = Some(again.map_or(next, |t| t.min(next)));
        }
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again, worsens }))
    }
}
