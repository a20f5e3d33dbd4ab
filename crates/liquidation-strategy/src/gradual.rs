//! In slices with a pause between them, so that the book can refill (dYdX v4: 10 % per block). During a pause nothing is
//! closed; for a venue that closes everything in it (Hyperliquid) there is [`crate::FirstSlice`].

use crate::close::{Budget, market, notional, orders, refusal, remains, sorted_by, steps_worsen};
use crate::partial::against;
use crate::terms::accept;
use crate::{Bid, LiquidationError, LiquidationStrategy, OrderTerms, Plan, Refusal, Step};
use alloc::vec::Vec;
use cofferdam_core::{
    Case, Level, Lots, MathError, Memory, MemoryError, Millis, PositionView, Ppb, Quanta, Reader, Record,
    Rounding, Scope, Writer, wide,
};

/// The pace of [`Gradual`].
///
/// ```
/// use cofferdam_core::{Level, Millis, Ppb, Quanta};
/// use cofferdam_liquidation_strategy::Pace;
/// // a fifth of what is above 100,000 USD, at quanta of 1e-6 USD; 30 s later all of it
/// let pace = Pace {
///     slice: Ppb(200_000_000),
///     slice_min: Quanta::ZERO,
///     interval: Millis(30_000),
///     slices: 1,
///     small: Quanta::new(100_000_000_000),
///     all_below: Some(Level::Backstop),
///     forget: Millis(300_000),
/// };
/// # let _ = pace;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Share of the original position per slice, rounded up to a lot.
    pub slice: Ppb,
    /// Least notional of a slice, in quanta of the market's settlement asset.
    pub slice_min: Quanta,
    /// Cool-down after a slice, in milliseconds.
    pub interval: Millis,
    /// After so many slices the rest goes at once; `u32::MAX` keeps slicing.
    pub slices: u32,
    /// A position of at most this notional goes at once, in quanta of the numeraire.
    pub small: Quanta,
    /// Below this level everything goes at once, cool-down or not.
    pub all_below: Option<Level>,
    /// So long after the end of a cool-down its record is forgotten, and a new liquidation begins with a first slice.
    pub forget: Millis,
}

/// What is remembered per group and market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Cooldown {
    /// Signed lots when the first slice was taken.
    original: i64,
    /// Slices taken.
    taken: u32,
    /// When the next may be taken.
    next: u64,
}

impl Record for Cooldown {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.i64(self.original).u32(self.taken).u64(self.next);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self { original: from.i64()?, taken: from.u32()?, next: from.u64()? }),
            found => Err(MemoryError::Version { found }),
        }
    }
}

/// A slice of each position per interval; all of it when it is small, when the account falls below a second level, or when
/// the slices are used up. The cool-down is remembered per group and market.
///
/// ```
/// use cofferdam_core::{Lots, MarketId, Millis, Ppb, Quanta};
/// use cofferdam_liquidation_strategy::{conformance::Bench, *};
/// let pace = Pace {
///     slice: Ppb(200_000_000), slice_min: Quanta::ZERO, interval: Millis(30_000), slices: 1,
///     small: Quanta::new(100), all_below: None, forget: Millis(300_000),
/// };
/// let terms = OrderTerms::new(LimitPrice::Any, Penalty::default(), Millis(1_000))?;
/// let gradual = Gradual::new(terms, pace)?;
/// let bench = Bench::perpetual(30).with_position(MarketId(0), 10, 1_000);
/// let plan = bench.plan(&gradual, &Bid::ENGINE)?.expect("below maintenance");
/// assert!(matches!(plan.steps[0], Step::Order { lots, .. } if lots == Lots::new(-2)));
/// assert_eq!(plan.again, Some(Millis(30_000)));
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gradual {
    terms: OrderTerms,
    pace: Pace,
}

impl Gradual {
    /// On these terms, at this pace.
    pub fn new(terms: OrderTerms, pace: Pace) -> Result<Self, LiquidationError> {
        accept(
            (1..=Ppb::ONE.0).contains(&pace.slice.0),
            "pace.slice",
            pace.slice.0.into(),
            "1 to 1000000000 parts per billion",
        )?;
        accept(!pace.slice_min.is_negative(), "pace.slice_min", pace.slice_min.get(), "0 or more quanta")?;
        accept(!pace.small.is_negative(), "pace.small", pace.small.get(), "0 or more quanta")?;
        accept(pace.interval > Millis::ZERO, "pace.interval", 0, "at least 1 ms")?;
        accept(pace.slices > 0, "pace.slices", 0, "at least 1")?;
        Ok(Self { terms, pace })
    }

    fn record(
        &self,
        case: &Case<'_>,
        p: &PositionView,
        memory: &Memory<'_>,
    ) -> Result<Cooldown, LiquidationError> {
        let old: Cooldown = memory.get(Scope::GroupMarket(case.group.id, p.market))?;
        let forgotten = case.at.time.since(Millis(old.next)) > self.pace.forget;
        let same_side = old.original.signum() == p.lots.get().signum();
        let grown = p.lots.get().unsigned_abs() > old.original.unsigned_abs();
        let fresh = old.taken == 0 || forgotten || !same_side || grown;
        // a position that was enlarged keeps its cool-down: growing must not be a way to start anew
        let keeps_clock = same_side && !forgotten && old.taken > 0;
        Ok(if fresh {
            let (taken, next) = if keeps_clock { (old.taken, old.next) } else { (0, 0) };
            Cooldown { original: p.lots.get(), taken, next }
        } else {
            old
        })
    }

    /// Lots of a slice: share x original rounded up (progress), at least the smallest notional, at most the position.
    fn slice(&self, case: &Case<'_>, p: &PositionView, original: i64) -> Result<u64, LiquidationError> {
        let share = self.pace.slice.of_units(i128::from(original).abs(), Rounding::Up)?;
        let view = market(case, p.market)?;
        let lot = view.scale.absolute_notional(Lots::ONE, view.mark.mid)?;
        let least = wide::div(self.pace.slice_min.get(), lot.get(), Rounding::Up)?;
        Ok(u64::try_from(share.max(least)).unwrap_or(u64::MAX).min(p.lots.get().unsigned_abs()))
    }

    /// How much of a position goes now and what is then remembered, or when to come back.
    fn pick(
        &self,
        case: &Case<'_>,
        p: &PositionView,
        value: Quanta,
        memory: &Memory<'_>,
    ) -> Result<Pick, LiquidationError> {
        let whole = p.lots.get().unsigned_abs();
        if value <= self.pace.small || self.pace.all_below.is_some_and(|l| case.health.below(l)) {
            return Ok(Pick::Now(whole, None));
        }
        let mut record = self.record(case, p, memory)?;
        if case.at.time < Millis(record.next) {
            return Ok(Pick::At(Millis(record.next)));
        }
        if record.taken >= self.pace.slices {
            return Ok(Pick::Now(whole, None));
        }
        let size = self.slice(case, p, record.original)?;
        record.taken = record.taken.checked_add(1).ok_or(MathError::Overflow)?;
        record.next = case.at.time.try_add(self.pace.interval)?.0;
        Ok(Pick::Now(size, Some(record)))
    }
}

enum Pick {
    Now(u64, Option<Cooldown>),
    At(Millis),
}

fn sooner(a: Option<Millis>, b: Option<Millis>) -> Option<Millis> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (a, b) => a.or(b),
    }
}

impl LiquidationStrategy for Gradual {
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
        let (mut trades, mut records, mut again) = (Vec::new(), Vec::new(), None);
        for (value, p) in &positions {
            match self.pick(case, p, *value, memory)? {
                Pick::At(time) => again = sooner(again, Some(time)),
                Pick::Now(size, record) => {
                    trades.push((p.market, against(p, size)?));
                    records.extend(record.map(|r| (p.market, r)));
                }
            }
        }
        let mut budget = Budget::of(case, self.terms.ttl)?;
        let steps = orders(case, bid, &self.terms, &trades, &mut budget)?;
        for (id, record) in records {
            // a slice that the breakers cut to nothing was not taken
            if steps.iter().any(|s| matches!(s, Step::Order { market, .. } if *market == id)) {
                memory.set(Scope::GroupMarket(case.group.id, id), &record)?;
                again = sooner(again, Some(Millis(record.next)));
            }
        }
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: sooner(again, budget.again()), worsens }))
    }
}
