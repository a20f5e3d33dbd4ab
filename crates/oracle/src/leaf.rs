//! Leaves of a policy tree: the latest quote of a source, and the index price that was resolved before.

use crate::{Ask, OracleError, PricePolicy, Reference};
use alloc::collections::BTreeMap;
use cofferdam_core::{Memory, Millis, PriceState, PriceView, Quote, SourceId, Ticks};

/// The latest quote of one source, or of any.
///
/// `low` and `high` are the price minus and plus the source's own confidence. A price that is zero or negative, a negative
/// confidence, and an interval that reaches zero or leaves 64 bits are [`PriceState::Invalid`]; no quote at all is
/// [`PriceState::Missing`].
///
/// Of several quotes of one source the latest published wins; one dated after the question loses to any that is not (a
/// clock that runs ahead cannot hide an honest quote), and what is left alone is judged by [`crate::Staleness`]. At equal
/// times the wider confidence wins, then the higher price, so the answer does not depend on the order of arrival. Within a
/// source a later invalid quote hides an earlier valid one: the source has taken its word back. Across sources
/// ([`Latest::any`]) a valid quote goes before an invalid one.
///
/// ```
/// use cofferdam_core::{At, Instrument, MapMemory, MarketId, Millis, PriceRole, PriceState, Quote, Slot, SourceId, Ticks};
/// use cofferdam_oracle::{Ask, Latest, PricePolicy, Reference};
/// let ask = Ask {
///     instrument: Instrument::Market(MarketId(1)),
///     role: PriceRole::Index,
///     at: At { seq: 1, time: Millis(5_000), block: 0 },
/// };
/// let quote = |published, price| Quote {
///     source: SourceId(7), price: Ticks::new(price), confidence: Ticks::new(2), published: Millis(published),
/// };
/// let view = MapMemory::default().with(Slot(1), |memory| {
///     Latest::of(SourceId(7)).resolve(&ask, &[quote(4_000, 99), quote(4_900, 101)], &Reference::default(), memory)
/// })?;
/// assert_eq!((view.low.get(), view.mid.get(), view.high.get()), (99, 101, 103));
/// assert_eq!((view.state, view.as_of), (PriceState::Good, Millis(4_900)));
/// # Ok::<(), cofferdam_oracle::OracleError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Latest {
    source: Option<SourceId>,
}

impl Latest {
    /// The latest quote of `source`.
    #[must_use]
    pub const fn of(source: SourceId) -> Self {
        Self { source: Some(source) }
    }

    /// The latest quote of whichever source has a valid one.
    #[must_use]
    pub const fn any() -> Self {
        Self { source: None }
    }
}

impl PricePolicy for Latest {
    fn resolve(
        &self,
        ask: &Ask,
        quotes: &[Quote],
        _: &Reference,
        _: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        let now = ask.at.time;
        let mut by_source: BTreeMap<SourceId, &Quote> = BTreeMap::new();
        for quote in quotes.iter().filter(|q| self.source.is_none_or(|s| s == q.source)) {
            let kept = by_source.entry(quote.source).or_insert(quote);
            if rank(quote, now) > rank(kept, now) {
                *kept = quote;
            }
        }
        let chosen = by_source.into_values().max_by_key(|q| (view_of(q).is_usable(), rank(q, now)));
        Ok(chosen.map_or_else(PriceView::default, view_of))
    }
}

/// The index price of the same instrument, as resolved before ([`Reference::index`]). Where there is none it is
/// [`PriceState::Missing`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FromIndex;

impl PricePolicy for FromIndex {
    fn resolve(
        &self,
        _: &Ask,
        _: &[Quote],
        reference: &Reference,
        _: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        let index = reference.index.unwrap_or_default();
        // numbers that are no price do not become one because somebody called them good
        Ok(if index.is_usable() { index } else { index.worsened(PriceState::Invalid) })
    }
}

// Not from the future first, then the later, the less certain, the dearer: a total order up to quotes that say the same.
fn rank(quote: &Quote, now: Millis) -> (bool, Millis, Ticks, Ticks) {
    (quote.published <= now, quote.published, quote.confidence, quote.price)
}

fn view_of(quote: &Quote) -> PriceView {
    let (price, confidence) = (quote.price.get(), quote.confidence.get());
    let ends = price.checked_sub(confidence).zip(price.checked_add(confidence));
    match ends {
        Some((low, high)) if confidence >= 0 && low > 0 => PriceView {
            low: Ticks::new(low),
            mid: quote.price,
            high: Ticks::new(high),
            state: PriceState::Good,
            as_of: quote.published,
        },
        _ => PriceView { state: PriceState::Invalid, as_of: quote.published, ..PriceView::default() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{ask_at, quote, resolve_once};
    use PriceState::{Good, Invalid, Missing};

    fn check(policy: Latest, quotes: &[(u32, i64, i64, u64)], want: (i64, i64, i64, PriceState)) {
        let quotes: std::vec::Vec<Quote> = quotes.iter().map(|&(s, p, c, t)| quote(s, p, c, t)).collect();
        let v = resolve_once(&policy, &ask_at(1_000), &quotes, &Reference::default()).unwrap();
        assert_eq!((v.low.get(), v.mid.get(), v.high.get(), v.state), want, "{policy:?} {quotes:?}");
    }

    #[test]
    fn the_latest_valid_quote() {
        let (one, any) = (Latest::of(SourceId(1)), Latest::any());
        check(one, &[], (0, 0, 0, Missing));
        check(one, &[(2, 50, 0, 900)], (0, 0, 0, Missing));
        check(one, &[(1, 50, 1, 900), (1, 60, 1, 901), (1, 40, 1, 899)], (59, 60, 61, Good));
        check(one, &[(1, 50, 1, 900), (1, 52, 1, 900)], (51, 52, 53, Good));
        check(one, &[(1, 50, 3, 900), (1, 52, 1, 900)], (47, 50, 53, Good));
        check(one, &[(1, 50, 0, 900), (1, 0, 0, 901)], (0, 0, 0, Invalid));
        check(any, &[(2, 50, 0, 900), (1, 0, 0, 901)], (50, 50, 50, Good));
        check(any, &[(2, 50, 0, 900), (1, 70, 0, u64::MAX)], (50, 50, 50, Good));
        check(any, &[(1, 70, 0, u64::MAX)], (70, 70, 70, Good)); // Staleness above judges it
        for bad in [0, -1, i64::MIN] {
            check(any, &[(1, bad, 0, 900)], (0, 0, 0, Invalid));
        }
        check(any, &[(1, i64::MAX, 0, 900)], (i64::MAX, i64::MAX, i64::MAX, Good));
        check(any, &[(1, i64::MAX, 1, 900)], (0, 0, 0, Invalid));
        for confidence in [100, i64::MAX, -1, i64::MIN] {
            check(any, &[(1, 100, confidence, 900)], (0, 0, 0, Invalid));
        }
    }
}
