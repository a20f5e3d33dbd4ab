//! The weighted median of several policies, with a quorum.
//!
//! Sources: Hyperliquid's index (weighted median of spot venues) and mark (median of three), Binance's mark (median of
//! three), Chainlink's and Pyth's aggregation by median.

use crate::{Ask, Latest, OracleError, PricePolicy, Reference, Staleness, StalenessParams};
use alloc::{boxed::Box, vec::Vec};
use cofferdam_core::{
    MathError, Memory, Millis, PriceState, PriceView, Quote, Rounding, SourceId, Ticks, wide,
};

/// One vote of a median.
#[derive(Debug)]
pub struct Voter {
    /// Whose price.
    pub policy: Box<dyn PricePolicy>,
    /// How much it counts; at least one.
    pub weight: u32,
}

/// How much weight must stand behind a median.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quorum {
    /// With less weight than this there is no price: [`PriceState::Missing`]. At least one.
    pub needed: u64,
    /// With less weight than this the price is [`PriceState::Thin`]. From `needed` to the sum of all weights.
    pub wanted: u64,
}

/// The weighted median of its voters; ends and middle each are the median of the voters' ends and middles.
///
/// **Who votes.** A voter without a usable price has no vote. Of the rest, the median leaves out those in a bad state as
/// long as the quorum holds without them, and picks the electorate with the best resulting state (the largest one, where
/// several give the same): a stale voter does not spoil a median that has enough fresh ones, and when too few are fresh the
/// state says so. The result is as bad as the worst voter used, and at least `Thin` below the wanted weight.
///
/// **Rounding.** Where the weight splits evenly the median is halfway between two votes: `low` and `mid` down, `high` up.
/// The half tick of `mid` is the short side's gain.
///
/// ```
/// use cofferdam_core::{PriceState, SourceId};
/// use cofferdam_oracle::{Median, Quorum, conformance::{ask_at, quote, resolve_once}};
/// let sources = [(SourceId(1), 3), (SourceId(2), 2), (SourceId(3), 2)];
/// let index = Median::of_sources(&sources, Quorum { needed: 4, wanted: 7 }, None)?;
/// let all = [quote(1, 100, 0, 1), quote(2, 103, 0, 1), quote(3, 900, 0, 1)];
/// let view = resolve_once(&index, &ask_at(1), &all, &Default::default())?;
/// assert_eq!((view.mid.get(), view.state), (103, PriceState::Good));
/// let view = resolve_once(&index, &ask_at(1), &all[..2], &Default::default())?;
/// assert_eq!((view.mid.get(), view.state), (100, PriceState::Thin));
/// let view = resolve_once(&index, &ask_at(1), &all[..1], &Default::default())?;
/// assert_eq!(view.state, PriceState::Missing);
/// # Ok::<(), cofferdam_oracle::OracleError>(())
/// ```
#[derive(Debug)]
pub struct Median {
    voters: Vec<Voter>,
    quorum: Quorum,
}

impl Median {
    /// A median of 1 to 31 voters (more: nest medians).
    pub fn new(voters: Vec<Voter>, quorum: Quorum) -> Result<Self, OracleError> {
        let refuse = |field, value: i128, accepted| Err(OracleError::Parameter { field, value, accepted });
        if voters.is_empty() || voters.len() > 31 {
            return refuse("voters", i128::try_from(voters.len()).unwrap_or(i128::MAX), "1 to 31 voters");
        }
        if voters.iter().any(|v| v.weight == 0) {
            return refuse("weight", 0, "a weight of at least 1 for each voter");
        }
        // at most 31 x 2^32
        let total = voters.iter().fold(0_u64, |sum, v| sum.wrapping_add(u64::from(v.weight)));
        if quorum.needed == 0 || quorum.needed > total {
            return refuse("needed", i128::from(quorum.needed), "1 to the sum of all weights");
        }
        if quorum.wanted < quorum.needed || quorum.wanted > total {
            return refuse("wanted", i128::from(quorum.wanted), "`needed` to the sum of all weights");
        }
        Ok(Self { voters, quorum })
    }

    /// A median over the latest quotes of sources with their weights, each behind its own staleness guard.
    pub fn of_sources(
        sources: &[(SourceId, u32)],
        quorum: Quorum,
        staleness: Option<StalenessParams>,
    ) -> Result<Self, OracleError> {
        let mut voters = Vec::new();
        for &(source, weight) in sources {
            let latest: Box<dyn PricePolicy> = Box::new(Latest::of(source));
            let policy = match staleness {
                Some(params) => Box::new(Staleness::new(latest, params)?),
                None => latest,
            };
            voters.push(Voter { policy, weight });
        }
        Self::new(voters, quorum)
    }

    /// The median of three prices, as most venues form their mark: for example the book's middle, the last trade and
    /// the index plus a smoothed basis ([`crate::Basis`]). With two of them it is `Thin`, with one there is no price.
    pub fn of_three(prices: [Box<dyn PricePolicy>; 3]) -> Result<Self, OracleError> {
        let voters = prices.into_iter().map(|policy| Voter { policy, weight: 1 }).collect();
        Self::new(voters, Quorum { needed: 2, wanted: 3 })
    }
}

impl PricePolicy for Median {
    fn resolve(
        &self,
        ask: &Ask,
        quotes: &[Quote],
        reference: &Reference,
        memory: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        let mut votes = Vec::with_capacity(self.voters.len());
        for (i, voter) in (0_u8..).zip(&self.voters) {
            let view = voter.policy.resolve(ask, quotes, reference, &mut memory.child(i)?)?;
            if view.is_usable() {
                votes.push((view, u64::from(voter.weight)));
            }
        }
        let Some((state, worst_used)) = self.electorate(&votes) else { return Ok(PriceView::default()) };
        votes.retain(|(view, _)| view.state <= worst_used);
        Ok(PriceView {
            low: median_of(&votes, |v| v.low, Rounding::Down)?,
            mid: median_of(&votes, |v| v.mid, Rounding::Down)?,
            high: median_of(&votes, |v| v.high, Rounding::Up)?,
            state,
            as_of: votes.iter().map(|(v, _)| v.as_of).min().unwrap_or(Millis::ZERO),
        })
    }
}

impl Median {
    // The resulting state and the worst state that still votes.
    fn electorate(&self, votes: &[(PriceView, u64)]) -> Option<(PriceState, PriceState)> {
        let mut best: Option<(PriceState, PriceState)> = None;
        for cut in PriceState::ALL {
            let voting = || votes.iter().filter(|(v, _)| v.state <= cut);
            let weight = voting().fold(0_u64, |sum, (_, w)| sum.wrapping_add(*w)); // at most 31 x 2^32
            if weight < self.quorum.needed {
                continue;
            }
            let worst = voting().map(|(v, _)| v.state).max().unwrap_or_default();
            let state = if weight < self.quorum.wanted { worst.max(PriceState::Thin) } else { worst };
            if best.is_none_or(|(so_far, _)| state <= so_far) {
                best = Some((state, cut));
            }
        }
        best
    }
}

// Halfway between the smallest value with at least half of the weight up to it and the smallest with more than half.
fn median_of(
    votes: &[(PriceView, u64)],
    value: impl Fn(&PriceView) -> Ticks,
    rounding: Rounding,
) -> Result<Ticks, MathError> {
    let mut sorted: Vec<(Ticks, u64)> = votes.iter().map(|(view, w)| (value(view), *w)).collect();
    sorted.sort_unstable();
    let total = sorted.iter().fold(0_u64, |sum, (_, w)| sum.wrapping_add(*w));
    let mut below = 0_u64;
    let mut lower = None;
    for (price, weight) in sorted {
        below = below.wrapping_add(weight);
        let twice = below.wrapping_mul(2); // at most 31 x 2^33
        if twice > total {
            return halfway(lower.unwrap_or(price), price, rounding);
        }
        if twice == total {
            lower = lower.or(Some(price));
        }
    }
    Ok(lower.unwrap_or_default())
}

fn halfway(a: Ticks, b: Ticks, rounding: Rounding) -> Result<Ticks, MathError> {
    let sum = i128::from(a.get()).wrapping_add(i128::from(b.get())); // 65 bits
    let half = wide::div(sum, 2, rounding)?;
    i64::try_from(half).map(Ticks::new).map_err(|_| MathError::Overflow)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{ask_at, quote, resolve_once};
    use PriceState::{Aged, Good, Missing, Stale, Thin};

    // sources (weight, price, published) asked at 1000 with aged after 100 and stale after 300
    fn check(votes: &[(u32, i64, u64)], needed: u64, wanted: u64, want: (i64, i64, i64, PriceState, u64)) {
        let staleness = StalenessParams {
            aged_after: Some(Millis(100)),
            stale_after: Some(Millis(300)),
            future_tolerance: Millis(0),
        };
        let sources: Vec<_> = (1..).zip(votes).map(|(i, v)| (SourceId(i), v.0)).collect();
        let quotes: Vec<_> = (1..).zip(votes).map(|(i, v)| quote(i, v.1, 0, v.2)).collect();
        let median = Median::of_sources(&sources, Quorum { needed, wanted }, Some(staleness)).unwrap();
        let v = resolve_once(&median, &ask_at(1_000), &quotes, &Reference::default()).unwrap();
        assert_eq!(
            (v.low.get(), v.mid.get(), v.high.get(), v.state, v.as_of.0),
            want,
            "{votes:?} {needed} {wanted}"
        );
    }

    #[test]
    fn medians_with_quorum() {
        let fresh = 950;
        check(&[(1, 5, fresh)], 1, 1, (5, 5, 5, Good, fresh));
        check(&[(1, 5, fresh), (1, 9, fresh), (1, 7, fresh)], 3, 3, (7, 7, 7, Good, fresh));
        check(&[(1, 5, fresh), (1, 8, fresh)], 2, 2, (6, 6, 7, Good, fresh)); // halfway: down and up
        check(&[(3, 5, fresh), (1, 9, fresh), (1, 7, fresh)], 1, 5, (5, 5, 5, Good, fresh));
        check(&[(2, 5, fresh), (1, 9, fresh), (1, 7, fresh)], 1, 4, (6, 6, 6, Good, fresh));
        // an invalid voter has no vote, and too few votes are no price
        check(&[(1, 5, fresh), (1, 0, fresh), (1, 7, fresh)], 2, 3, (6, 6, 6, Thin, fresh));
        check(&[(1, 5, fresh), (1, 0, fresh), (1, -7, fresh)], 2, 3, (0, 0, 0, Missing, 0));
        // a stale voter is left out where the rest suffices; what was dropped does not count
        check(&[(1, 5, fresh), (1, 99, 600), (1, 7, fresh)], 2, 2, (6, 6, 6, Good, fresh));
        check(&[(1, 5, fresh), (1, 99, 600), (1, 7, fresh)], 2, 3, (6, 6, 6, Thin, fresh));
        check(&[(1, 5, fresh), (1, 99, 600), (1, 7, fresh)], 3, 3, (7, 7, 7, Stale, 600));
        // aged is better than thin, so the aged one votes
        check(&[(1, 5, fresh), (1, 6, 850), (1, 7, fresh)], 2, 3, (6, 6, 6, Aged, 850));
    }

    #[test]
    fn refused_parameters() {
        let build = |weights: &[u32], needed, wanted| {
            let sources: Vec<_> = (1..).zip(weights).map(|(i, w)| (SourceId(i), *w)).collect();
            Median::of_sources(&sources, Quorum { needed, wanted }, None).map(|_| ()).map_err(|e| match e {
                OracleError::Parameter { field, .. } => field,
                _ => "other",
            })
        };
        assert_eq!(build(&[], 1, 1), Err("voters"));
        assert_eq!(build(&[1; 32], 1, 1), Err("voters"));
        assert_eq!(build(&[1, 0], 1, 1), Err("weight"));
        assert_eq!(build(&[1, 1], 0, 1), Err("needed"));
        assert_eq!(build(&[1, 1], 3, 3), Err("needed"));
        assert_eq!(build(&[1, 1], 2, 1), Err("wanted"));
        assert_eq!(build(&[1, 1], 1, 3), Err("wanted"));
        assert_eq!(build(&[u32::MAX; 31], 1, 31 * u64::from(u32::MAX)), Ok(()));
    }
}
