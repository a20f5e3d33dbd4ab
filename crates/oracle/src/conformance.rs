//! The laws of a price policy as code, for built-in policies and strangers alike.
//!
//! ```
//! use cofferdam_oracle::{Latest, conformance};
//! conformance::check(&Latest::any(), &conformance::hostile_moments(1, 100))?;
//! # Ok::<(), conformance::Violation>(())
//! ```

use crate::{Ask, OracleError, PricePolicy, Reference};
use alloc::{format, string::String, vec::Vec};
use cofferdam_core::{
    At, Instrument, MapMemory, MarketId, Millis, PriceRole, PriceState, PriceView, Quote, Slot, SourceId,
    Ticks,
};

/// A question with everything a policy may look at, except its memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The question.
    pub ask: Ask,
    /// The quotes at hand.
    pub quotes: Vec<Quote>,
    /// Other prices.
    pub reference: Reference,
}

/// What a policy must keep to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// Whatever the quotes, the answer is a view and not an error.
    Total,
    /// A state better than `Invalid` comes with 0 < low <= mid <= high.
    Interval,
    /// The answer, and what is remembered, do not depend on the order of the quotes.
    Order,
    /// The same question asked twice at the same moment has the same answer.
    Repeat,
    /// A guard's state is at least as bad as that of what it guards.
    OnlyWorsens,
}

/// Where a policy broke a law.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which law.
    pub law: Law,
    /// At which moment, counted from zero.
    pub moment: usize,
    /// What was seen.
    pub seen: String,
}

impl core::fmt::Display for Violation {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{:?} is broken at moment {}: {}", self.law, self.moment, self.seen)
    }
}

impl core::error::Error for Violation {}

const SLOT: Slot = Slot(1);

/// Checks a policy at a sequence of moments, with one memory.
pub fn check(policy: &dyn PricePolicy, moments: &[Moment]) -> Result<(), Violation> {
    let mut memory = MapMemory::default();
    for (moment, m) in moments.iter().enumerate() {
        let violated = |law, seen| Violation { law, moment, seen };
        let before = memory.clone();
        let view =
            resolve(policy, m, &m.quotes, &mut memory).map_err(|e| violated(Law::Total, format!("{e}")))?;
        if view.state < PriceState::Invalid && !view.is_usable() {
            return Err(violated(Law::Interval, format!("{view:?}")));
        }
        for order in other_orders(&m.quotes) {
            let mut other = before.clone();
            let reordered = resolve(policy, m, &order, &mut other);
            if reordered != Ok(view) || other != memory {
                return Err(violated(Law::Order, format!("{view:?}, reordered {reordered:?}")));
            }
        }
        let again = resolve(policy, m, &m.quotes, &mut memory.clone());
        if again != Ok(view) {
            return Err(violated(Law::Repeat, format!("{view:?}, then {again:?}")));
        }
    }
    Ok(())
}

/// Checks that `guard`, which guards a policy equal to `guarded`, only worsens its state.
pub fn check_guard(
    guard: &dyn PricePolicy,
    guarded: &dyn PricePolicy,
    moments: &[Moment],
) -> Result<(), Violation> {
    check(guard, moments)?;
    let (mut with, mut without) = (MapMemory::default(), MapMemory::default());
    for (moment, m) in moments.iter().enumerate() {
        let outer = resolve(guard, m, &m.quotes, &mut with);
        let inner = resolve(guarded, m, &m.quotes, &mut without);
        if let (Ok(outer), Ok(inner)) = (outer, inner)
            && outer.state < inner.state
        {
            let seen = format!("{inner:?} became {outer:?}");
            return Err(Violation { law: Law::OnlyWorsens, moment, seen });
        }
    }
    Ok(())
}

fn resolve(
    policy: &dyn PricePolicy,
    m: &Moment,
    quotes: &[Quote],
    memory: &mut MapMemory,
) -> Result<PriceView, OracleError> {
    memory.with(SLOT, |memory| policy.resolve(&m.ask, quotes, &m.reference, memory))
}

fn other_orders(quotes: &[Quote]) -> [Vec<Quote>; 3] {
    let mut orders = [quotes.to_vec(), quotes.to_vec(), quotes.to_vec()];
    let [reversed, rotated, sorted] = &mut orders;
    reversed.reverse();
    rotated.rotate_left(usize::from(!quotes.is_empty()));
    sorted.sort_by_key(|q| (q.price, q.source, q.published, q.confidence));
    orders
}

/// Moments with what feeds have been seen to do: outages, several quotes of a source, equal times with different prices,
/// zero, negative and extreme prices, tenfold slips, huge confidences, times from the future and from the past.
/// The same seed gives the same moments. Sources are 1 to 4.
#[must_use]
pub fn hostile_moments(seed: u64, count: usize) -> Vec<Moment> {
    let mut random = SplitMix(seed);
    let mut now = 1_000_000_u64;
    let mut price = 100_000_u64;
    let mut moments = Vec::with_capacity(count);
    for seq in (0_u64..).take(count) {
        now = match random.below(12) {
            0 => now,
            1 => now.saturating_sub(random.below(5_000)),
            2 => now.saturating_add(random.below(100_000_000)),
            _ => now.saturating_add(random.below(2_000)),
        };
        price = price.saturating_add(random.below(2_001)).saturating_sub(1_000).clamp(1_000, 10_000_000);
        let quotes = (0..random.below(7)).map(|_| random.quote(price, now)).collect();
        let mut view = || {
            let mid = Ticks::new(random.price(price));
            let state =
                PriceState::ALL.into_iter().cycle().nth(usize::from(random.byte())).unwrap_or_default();
            Some(PriceView::exact(mid, Millis(now)).worsened(state)).filter(|_| random.below(4) != 0)
        };
        let reference = Reference { previous: view(), index: view() };
        let ask = Ask { at: At { seq, time: Millis(now), block: seq }, ..ask_at(now) };
        moments.push(Moment { ask, quotes, reference });
    }
    moments
}

/// A question for the index price of market 1 at a time in milliseconds, for tests.
#[must_use]
pub const fn ask_at(time: u64) -> Ask {
    Ask {
        instrument: Instrument::Market(MarketId(1)),
        role: PriceRole::Index,
        at: At { seq: 0, time: Millis(time), block: 0 },
    }
}

/// A quote from plain numbers: source, price and confidence in ticks, publish time in milliseconds; for tests.
#[must_use]
pub const fn quote(source: u32, price: i64, confidence: i64, published: u64) -> Quote {
    Quote {
        source: SourceId(source),
        price: Ticks::new(price),
        confidence: Ticks::new(confidence),
        published: Millis(published),
    }
}

/// Resolves with a fresh memory, for tests.
pub fn resolve_once(
    policy: &dyn PricePolicy,
    ask: &Ask,
    quotes: &[Quote],
    reference: &Reference,
) -> Result<PriceView, OracleError> {
    MapMemory::default().with(SLOT, |memory| policy.resolve(ask, quotes, reference, memory))
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

    fn byte(&mut self) -> u8 {
        let [byte, ..] = self.next().to_le_bytes();
        byte
    }

    fn price(&mut self, near: u64) -> i64 {
        let near = i64::try_from(near).unwrap_or(i64::MAX);
        match self.below(16) {
            0 => 0,
            1 => near.wrapping_neg(),
            2 => i64::MIN,
            3 => i64::MAX,
            4 => near.wrapping_mul(10),
            5 => 1,
            _ => near,
        }
    }

    fn quote(&mut self, near: u64, now: u64) -> Quote {
        let jitter = self.below(100);
        let price = self.price(near.saturating_add(jitter));
        let confidence = match self.below(10) {
            0 => i64::MAX,
            1 => -1,
            2 => price,
            n => i64::try_from(n).unwrap_or(0).wrapping_mul(20),
        };
        let published = match self.below(10) {
            0 => u64::MAX,
            1 => now.saturating_add(self.below(3_000)),
            2 => 0,
            3 => now.saturating_sub(self.below(1_000_000)),
            _ => now.saturating_sub(self.below(500)),
        };
        let source = if self.below(2) == 0 { 1 } else { 4 };
        let source = if self.below(2) == 0 { source } else { 2 };
        quote(source, price, confidence, published)
    }
}

// One source along a path of (time, price reported, middle expected, state expected), with one memory.
#[cfg(test)]
pub(crate) fn check_path(policy: &dyn PricePolicy, path: &[(u64, i64, i64, PriceState)]) {
    let mut memory = MapMemory::default();
    for (i, &(time, price, mid, state)) in path.iter().enumerate() {
        let quotes = [quote(1, price, 0, time)];
        let m = Moment { ask: ask_at(time), quotes: quotes.to_vec(), reference: Reference::default() };
        let view = resolve(policy, &m, &quotes, &mut memory).unwrap();
        assert_eq!((view.mid.get(), view.state), (mid, state), "step {i} of {path:?}");
    }
}
