//! While insurance is down from its peak another strategy plans: the gentle one keeps selling into the book, the harsh one closes
//! against the other side before the fund is gone.
//!
//! Sources: Bybit, "get ADL alert" (a symbol's loss of eight hours beyond 30 % of the pool's peak, until it is within 25 %; an empty
//! pool, until it is not); OKX, auto-deleveraging (a fund 30 % below its peak of eight hours).

use crate::close::notional;
use crate::terms::accept;
use crate::{Bid, LiquidationError, LiquidationStrategy, Plan, Refusal};
use alloc::{boxed::Box, vec::Vec};
use cofferdam_core::{
    Case, Level, MarketId, Memory, MemoryError, Millis, Ppb, Quanta, Reader, Record, Scope, Writer,
    wide::U256,
};

/// The window is kept in so many cells.
const CELLS: u64 = 16;

/// When insurance counts as drained.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drain {
    /// How long a peak counts, at least 1 ms. It may count up to a sixteenth longer.
    pub window: Millis,
    /// It begins when more than this share of the peak is gone: 0 to 1.
    pub start: Ppb,
    /// And ends when less than this share is gone: 0 to `start`.
    pub stop: Ppb,
    /// The share of the peak starts nothing unless more than this is left, in quanta of the numeraire; an empty fund always does.
    pub above: Quanta,
}

/// One strategy for as long as what insurance could pay for the account's largest market is near its peak, another while it is
/// drained. The peak is the highest cover that was seen when somebody was to be liquidated in that market.
///
/// An empty fund (nothing to pay at all) is drained at once and for as long as it is empty, whatever its peak.
#[derive(Debug)]
pub struct WhileDrained {
    normal: Box<dyn LiquidationStrategy>,
    drained: Box<dyn LiquidationStrategy>,
    drain: Drain,
}

impl WhileDrained {
    /// Refuses a window of nothing, shares outside zero to one, a stop beyond the start and a threshold below zero.
    pub fn new(
        normal: Box<dyn LiquidationStrategy>,
        drained: Box<dyn LiquidationStrategy>,
        drain: Drain,
    ) -> Result<Self, LiquidationError> {
        accept(drain.window > Millis::ZERO, "window", 0, "at least 1 ms")?;
        let one = "0 to 1000000000 parts per billion";
        accept((0..=Ppb::ONE.0).contains(&drain.start.0), "start", drain.start.0.into(), one)?;
        let within = (0..=drain.start.0).contains(&drain.stop.0);
        accept(within, "stop", drain.stop.0.into(), "0 to `start`")?;
        accept(!drain.above.is_negative(), "above", drain.above.get(), "0 or more quanta")?;
        Ok(Self { normal, drained, drain })
    }

    /// Whether more (or, from the other side, at least) than a share of the peak is gone. Exact, without a division.
    fn gone(peak: i128, left: i128, share: Ppb) -> core::cmp::Ordering {
        let fall = peak.saturating_sub(left).max(0).unsigned_abs();
        let fall = U256::product(fall, Ppb::ONE.0.unsigned_abs().into());
        fall.cmp(&U256::product(peak.max(0).unsigned_abs(), share.0.unsigned_abs().into()))
    }

    fn is_drained(&self, before: bool, peak: i128, left: i128) -> bool {
        if left <= 0 {
            return true;
        }
        if before {
            return Self::gone(peak, left, self.drain.stop).is_ge();
        }
        left > self.drain.above.get() && Self::gone(peak, left, self.drain.start).is_gt()
    }
}

/// Peaks per cell of the window, oldest first, and whether the fund was drained when last seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Peaks {
    drained: bool,
    cells: Vec<(u64, i128)>,
}

impl Peaks {
    fn note(&mut self, cell: u64, left: i128) -> i128 {
        // a clock that runs backwards counts into the newest cell
        let cell = self.cells.last().map_or(cell, |(newest, _)| cell.max(*newest));
        self.cells.retain(|(c, _)| c.saturating_add(CELLS) >= cell);
        match self.cells.last_mut().filter(|(c, _)| *c == cell) {
            Some((_, peak)) => *peak = left.max(*peak),
            None => self.cells.push((cell, left)),
        }
        self.cells.iter().map(|(_, peak)| *peak).max().unwrap_or(left)
    }
}

impl Record for Peaks {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u8(u8::from(self.drained));
        to.u8(u8::try_from(self.cells.len()).unwrap_or(u8::MAX)); // at most CELLS + 1
        for (cell, peak) in &self.cells {
            to.u64(*cell).i128(*peak);
        }
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        if version != Self::VERSION {
            return Err(MemoryError::Version { found: version });
        }
        let drained = from.u8()? != 0;
        let cells = (0..from.u8()?).map(|_| Ok((from.u64()?, from.i128()?)));
        Ok(Self { drained, cells: cells.collect::<Result<_, MemoryError>>()? })
    }
}

/// The market of the largest position, ties by market.
fn largest(case: &Case<'_>) -> Result<Option<MarketId>, LiquidationError> {
    let mut found: Option<(Quanta, MarketId)> = None;
    for p in case.group.positions.iter().filter(|p| !p.lots.is_zero()) {
        let value = notional(case, p.market, p.lots)?;
        let more = found.is_none_or(|(n, m)| value > n || (value == n && p.market < m));
        found = if more { Some((value, p.market)) } else { found };
    }
    Ok(found.map(|(_, market)| market))
}

impl LiquidationStrategy for WhileDrained {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        if !case.health.below(Level::Maintenance) {
            return Ok(Err(Refusal::Healthy));
        }
        let Some(market) = largest(case)? else {
            return self.normal.plan(case, bid, &mut memory.child(0)?);
        };
        let scope = Scope::Market(market);
        let mut peaks: Peaks = memory.get(scope)?;
        let left = case.cover.get().max(0);
        let cell = self.drain.window.0.div_ceil(CELLS).max(1);
        let peak = peaks.note(case.at.time.0.checked_div(cell).unwrap_or(0), left);
        peaks.drained = self.is_drained(peaks.drained, peak, left);
        memory.set(scope, &peaks)?;
        if peaks.drained {
            self.drained.plan(case, bid, &mut memory.child(1)?)
        } else {
            self.normal.plan(case, bid, &mut memory.child(0)?)
        }
    }
}
