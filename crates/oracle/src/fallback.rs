//! A list of policies of falling preference.
//!
//! Source: Euler's oracle router (configured pair, then fallback), Liquity v1's two oracles.

use crate::guard::accepts_usable;
use crate::{Ask, OracleError, PricePolicy, Reference};
use alloc::{boxed::Box, vec::Vec};
use cofferdam_core::{Memory, PriceState, PriceView, Quote};

/// The first child whose price is usable and no worse than `accept`; failing that, the usable child in the best state, the
/// earlier of equals; failing that, the first child's answer. Any child but the first makes the price at least
/// [`PriceState::Thin`].
///
/// Every child is resolved every time: one that remembers (an average, a rate guard) would be cold on the day it is needed.
///
/// ```
/// use cofferdam_core::{PriceState, SourceId};
/// use cofferdam_oracle::{Fallback, Latest, conformance::{ask_at, quote, resolve_once}};
/// let policy = Fallback::new(
///     vec![Box::new(Latest::of(SourceId(1))), Box::new(Latest::of(SourceId(2)))], PriceState::Aged,
/// )?;
/// let view = resolve_once(&policy, &ask_at(5), &[quote(2, 100, 0, 4)], &Default::default())?;
/// assert_eq!((view.mid.get(), view.state), (100, PriceState::Thin));
/// # Ok::<(), cofferdam_oracle::OracleError>(())
/// ```
#[derive(Debug)]
pub struct Fallback {
    children: Vec<Box<dyn PricePolicy>>,
    accept: PriceState,
}

impl Fallback {
    /// 1 to 31 children in order of preference, and the worst state in which one is taken without looking further (at
    /// most [`PriceState::Stale`]).
    pub fn new(children: Vec<Box<dyn PricePolicy>>, accept: PriceState) -> Result<Self, OracleError> {
        accepts_usable("accept", accept)?;
        if children.is_empty() || children.len() > 31 {
            return Err(OracleError::Parameter {
                field: "children",
                value: i128::try_from(children.len()).unwrap_or(i128::MAX),
                accepted: "1 to 31 children",
            });
        }
        Ok(Self { children, accept })
    }
}

impl PricePolicy for Fallback {
    fn resolve(
        &self,
        ask: &Ask,
        quotes: &[Quote],
        reference: &Reference,
        memory: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        let mut first = None;
        let mut accepted: Option<PriceView> = None;
        let mut best: Option<PriceView> = None;
        for (i, child) in (0_u8..).zip(&self.children) {
            let view = child.resolve(ask, quotes, reference, &mut memory.child(i)?)?;
            first = first.or(Some(view));
            if !view.is_usable() {
                continue;
            }
            let taken = if i == 0 { view } else { view.worsened(PriceState::Thin) };
            if view.state <= self.accept {
                accepted = accepted.or(Some(taken));
            }
            if best.is_none_or(|b| taken.state < b.state) {
                best = Some(taken);
            }
        }
        Ok(accepted.or(best).or(first).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conformance::{ask_at, quote, resolve_once};
    use crate::{Latest, Staleness, StalenessParams};
    use PriceState::{Aged, Good, Invalid, Missing, Stale, Thin};
    use cofferdam_core::{Millis, SourceId};

    #[test]
    fn the_first_that_will_do() {
        // (price, published) of three sources asked at 1000: aged after 100 ms, stale after 300 ms
        let check = |quotes: [(i64, u64); 3], accept, want: (i64, PriceState)| {
            let params = StalenessParams {
                aged_after: Some(Millis(100)),
                stale_after: Some(Millis(300)),
                future_tolerance: Millis(0),
            };
            let child = |i| -> Box<dyn PricePolicy> {
                Box::new(Staleness::new(Box::new(Latest::of(SourceId(i))), params).unwrap())
            };
            let policy = Fallback::new((1..=3).map(child).collect(), accept).unwrap();
            let quotes: Vec<_> =
                (1..).zip(quotes).filter(|(_, q)| q.1 != 0).map(|(i, (p, t))| quote(i, p, 0, t)).collect();
            let v = resolve_once(&policy, &ask_at(1_000), &quotes, &Reference::default()).unwrap();
            assert_eq!((v.mid.get(), v.state), want, "{quotes:?} {accept:?}");
        };
        check([(5, 990), (6, 990), (7, 990)], Good, (5, Good));
        check([(5, 850), (6, 990), (7, 990)], Aged, (5, Aged));
        check([(5, 850), (6, 990), (7, 990)], Good, (6, Thin));
        check([(5, 850), (6, 600), (7, 990)], Good, (7, Thin));
        check([(5, 600), (6, 600), (7, 600)], Good, (5, Stale));
        check([(5, 600), (6, 600), (7, 850)], Good, (7, Thin)); // none accepted: the best state
        check([(0, 990), (6, 990), (7, 990)], Good, (6, Thin));
        check([(0, 990), (0, 0), (0, 0)], Good, (0, Invalid));
        check([(0, 0), (0, 0), (0, 0)], Good, (0, Missing));
    }

    #[test]
    fn refused_parameters() {
        assert!(Fallback::new(Vec::new(), Good).is_err());
        assert!(Fallback::new(alloc::vec![Box::new(Latest::any())], Missing).is_err());
    }
}
