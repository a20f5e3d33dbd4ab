//! Guards without memory: age, width, and distance from a reference. A guard only worsens the state of what it guards.
//!
//! Sources: Drift's oracle guard rails (stale for the pool, stale for margin, too uncertain, too volatile), Euler's
//! adapters (age, time ahead, confidence bounds), GMX's deviation from a reference price.

use crate::{Ask, OracleError, PricePolicy, Reference};
use alloc::boxed::Box;
use cofferdam_core::{MathError, Memory, Millis, Ppb, PriceState, PriceView, Quote, Rounding, Ticks};

/// Ages of [`Staleness`], in milliseconds between the publish time of the oldest quote used and the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StalenessParams {
    /// Older than this is [`PriceState::Aged`]; `None`: nothing is.
    pub aged_after: Option<Millis>,
    /// Older than this is [`PriceState::Stale`]; `None`: nothing is. Not below `aged_after`.
    pub stale_after: Option<Millis>,
    /// Published further in the future than this is [`PriceState::Invalid`]; zero tolerates none.
    pub future_tolerance: Millis,
}

/// Worsens a price by its age. Put it on each leaf, below a median: above one it sees the oldest quote used only.
#[derive(Debug)]
pub struct Staleness {
    child: Box<dyn PricePolicy>,
    params: StalenessParams,
}

impl Staleness {
    /// Guards `child`; refuses `stale_after` below `aged_after`.
    pub fn new(child: Box<dyn PricePolicy>, params: StalenessParams) -> Result<Self, OracleError> {
        match (params.aged_after, params.stale_after) {
            (Some(aged), Some(stale)) if stale < aged => Err(OracleError::Parameter {
                field: "stale_after",
                value: i128::from(stale.0),
                accepted: "a time not below `aged_after`",
            }),
            _ => Ok(Self { child, params }),
        }
    }
}

impl PricePolicy for Staleness {
    fn resolve(
        &self,
        ask: &Ask,
        quotes: &[Quote],
        reference: &Reference,
        memory: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        let view = self.child.resolve(ask, quotes, reference, &mut memory.child(0)?)?;
        if !view.is_usable() {
            return Ok(view);
        }
        let now = ask.at.time;
        let (age, ahead) = (now.since(view.as_of), view.as_of.since(now));
        let older_than = |limit: Option<Millis>| limit.is_some_and(|limit| age > limit);
        Ok(view.worsened(if ahead > self.params.future_tolerance {
            PriceState::Invalid
        } else if older_than(self.params.stale_after) {
            PriceState::Stale
        } else if older_than(self.params.aged_after) {
            PriceState::Aged
        } else {
            PriceState::Good
        }))
    }
}

/// Bounds of [`Confidence`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConfidenceParams {
    /// An interval reaching further than this share of the middle, to either side, is [`PriceState::Wide`]; `None`: none
    /// is. Zero or more.
    pub bound: Option<Ppb>,
    /// How many times its confidence the interval reaches: one keeps it, 2.12 makes a Laplace-distributed error a 95 %
    /// interval (Pyth's advice), zero prices at the middle. Zero or more.
    pub multiple: Ppb,
}

/// Bounds the width of a price, then scales it: `low` down, `high` up, against whoever is valued at either end.
///
/// The bound is on the interval as reported, before scaling. An interval that reaches zero or leaves 64 bits once it is
/// scaled is [`PriceState::Invalid`].
#[derive(Debug)]
pub struct Confidence {
    child: Box<dyn PricePolicy>,
    params: ConfidenceParams,
}

impl Confidence {
    /// Guards `child`; refuses negative ratios.
    pub fn new(child: Box<dyn PricePolicy>, params: ConfidenceParams) -> Result<Self, OracleError> {
        not_negative("bound", params.bound.unwrap_or(Ppb::ZERO))?;
        not_negative("multiple", params.multiple)?;
        Ok(Self { child, params })
    }
}

impl PricePolicy for Confidence {
    fn resolve(
        &self,
        ask: &Ask,
        quotes: &[Quote],
        reference: &Reference,
        memory: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        let view = self.child.resolve(ask, quotes, reference, &mut memory.child(0)?)?;
        if !view.is_usable() {
            return Ok(view);
        }
        let wide = self.params.bound.is_some_and(|bound| {
            farther_than(bound, view.mid, view.low) || farther_than(bound, view.mid, view.high)
        });
        let view = view.worsened(if wide { PriceState::Wide } else { PriceState::Good });
        match self.scaled(&view) {
            Ok((low, high)) if low.get() > 0 => Ok(PriceView { low, high, ..view }),
            _ => Ok(PriceView { state: PriceState::Invalid, as_of: view.as_of, ..PriceView::default() }),
        }
    }
}

impl Confidence {
    fn scaled(&self, view: &PriceView) -> Result<(Ticks, Ticks), MathError> {
        let times = |width: Ticks| {
            let scaled = self.params.multiple.of_units(i128::from(width.get()), Rounding::Up)?;
            i64::try_from(scaled).map(Ticks::new).map_err(|_| MathError::Overflow)
        };
        let low = view.mid.try_sub(times(view.mid.try_sub(view.low)?)?)?;
        let high = view.mid.try_add(times(view.high.try_sub(view.mid)?)?)?;
        Ok((low, high))
    }
}

/// What [`Deviation`] compares with.
#[derive(Debug)]
pub enum Against {
    /// The index price of the same instrument ([`Reference::index`]).
    Index,
    /// What this policy's root resolved to last ([`Reference::previous`]).
    Previous,
    /// Another policy, for example an average ([`crate::Ema`]).
    Policy(Box<dyn PricePolicy>),
}

/// Bounds of [`Deviation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeviationParams {
    /// Farther from the reference than this share of the reference is [`PriceState::Volatile`]. Zero or more.
    pub bound: Ppb,
    /// The worst state in which the reference is still compared with. At most [`PriceState::Stale`].
    pub reference_accept: PriceState,
    /// What a price becomes at least when there is no reference to compare with; [`PriceState::Good`] lets it pass.
    pub unchecked: PriceState,
}

/// Worsens a price that stands far from a reference. The reference is compared with, not used: its own state does not
/// pass to the price (set [`DeviationParams::reference_accept`] for that), nor does its age.
#[derive(Debug)]
pub struct Deviation {
    child: Box<dyn PricePolicy>,
    against: Against,
    params: DeviationParams,
}

impl Deviation {
    /// Guards `child` by its distance from `against`.
    pub fn new(
        child: Box<dyn PricePolicy>,
        against: Against,
        params: DeviationParams,
    ) -> Result<Self, OracleError> {
        not_negative("bound", params.bound)?;
        accepts_usable("reference_accept", params.reference_accept)?;
        Ok(Self { child, against, params })
    }
}

impl PricePolicy for Deviation {
    fn resolve(
        &self,
        ask: &Ask,
        quotes: &[Quote],
        reference: &Reference,
        memory: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        let view = self.child.resolve(ask, quotes, reference, &mut memory.child(0)?)?;
        let other = match &self.against {
            Against::Index => reference.index,
            Against::Previous => reference.previous,
            Against::Policy(policy) => Some(policy.resolve(ask, quotes, reference, &mut memory.child(1)?)?),
        };
        if !view.is_usable() {
            return Ok(view);
        }
        let compared = other.filter(|o| o.is_usable() && o.state <= self.params.reference_accept);
        Ok(view.worsened(match compared {
            None => self.params.unchecked,
            Some(other) if farther_than(self.params.bound, other.mid, view.mid) => PriceState::Volatile,
            Some(_) => PriceState::Good,
        }))
    }
}

/// |price - from| > bound x from, exactly. Both prices are above zero.
pub(crate) fn farther_than(bound: Ppb, from: Ticks, price: Ticks) -> bool {
    let distance = i128::from(price.get()).abs_diff(i128::from(from.get())); // 64 bits
    let one = i128::from(Ppb::ONE.0).unsigned_abs(); // 30 bits
    let allowed = i128::from(bound.0).unsigned_abs().wrapping_mul(from.get().unsigned_abs().into()); // 126 bits
    distance.wrapping_mul(one) > allowed
}

pub(crate) fn not_negative(field: &'static str, ratio: Ppb) -> Result<(), OracleError> {
    if ratio.0 < 0 {
        return Err(OracleError::Parameter {
            field,
            value: i128::from(ratio.0),
            accepted: "zero or more (in ppb)",
        });
    }
    Ok(())
}

pub(crate) fn not_zero(field: &'static str, span: Millis) -> Result<(), OracleError> {
    if span == Millis::ZERO {
        return Err(OracleError::Parameter { field, value: 0, accepted: "at least 1 ms" });
    }
    Ok(())
}

pub(crate) fn accepts_usable(field: &'static str, state: PriceState) -> Result<(), OracleError> {
    if state >= PriceState::Invalid {
        let value = PriceState::ALL.iter().take_while(|s| **s < state).fold(0_i128, |n, _| n.wrapping_add(1));
        return Err(OracleError::Parameter { field, value, accepted: "a state from Good (0) to Stale (5)" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Latest;
    use crate::conformance::{ask_at, quote, resolve_once};
    use PriceState::{Aged, Good, Invalid, Missing, Stale, Thin, Volatile, Wide};
    use cofferdam_core::SourceId;

    fn leaf() -> Box<dyn PricePolicy> {
        Box::new(Latest::any())
    }

    #[test]
    fn ages() {
        let check = |published: u64, aged: Option<u64>, stale: Option<u64>, want: PriceState| {
            let params = StalenessParams {
                aged_after: aged.map(Millis),
                stale_after: stale.map(Millis),
                future_tolerance: Millis(50),
            };
            let guard = Staleness::new(leaf(), params).unwrap();
            let view =
                resolve_once(&guard, &ask_at(1_000), &[quote(1, 7, 0, published)], &Reference::default());
            assert_eq!(view.unwrap().state, want, "{published} {aged:?} {stale:?}");
        };
        check(990, Some(10), Some(20), Good);
        check(989, Some(10), Some(20), Aged);
        check(980, Some(10), Some(20), Aged);
        check(979, Some(10), Some(20), Stale);
        check(979, None, Some(20), Stale);
        check(0, Some(10), None, Aged);
        check(0, None, None, Good);
        check(1_000, Some(0), Some(0), Good); // zero is a bound like any other, not "off"
        check(999, Some(0), Some(0), Stale);
        check(1_050, Some(10), Some(20), Good);
        check(1_051, Some(10), Some(20), Invalid);
        check(u64::MAX, None, None, Invalid);
    }

    #[test]
    fn widths() {
        let check = |confidence: i64, bound: Option<i64>, multiple: i64, want: (i64, i64, PriceState)| {
            let params = ConfidenceParams { bound: bound.map(Ppb), multiple: Ppb(multiple) };
            let guard = Confidence::new(leaf(), params).unwrap();
            let v = resolve_once(
                &guard,
                &ask_at(1_000),
                &[quote(1, 1_000, confidence, 1)],
                &Reference::default(),
            );
            let v = v.unwrap();
            assert_eq!((v.low.get(), v.high.get(), v.state), want, "{confidence} {bound:?} {multiple}");
        };
        let one = 1_000_000_000;
        check(20, Some(20_000_000), one, (980, 1_020, Good)); // 2 % is allowed
        check(21, Some(20_000_000), one, (979, 1_021, Wide));
        check(21, None, one, (979, 1_021, Good));
        check(21, None, 0, (1_000, 1_000, Good));
        check(1, None, 2_120_000_000, (997, 1_003, Good)); // 2.12 rounds outwards to 3
        check(600, None, 2 * one, (0, 0, Invalid));
        check(1_000, Some(20_000_000), one, (0, 0, Invalid));
        check(1, None, i64::MAX, (0, 0, Invalid));
    }

    #[test]
    fn distances() {
        let check = |index: Option<(i64, PriceState)>, bound: i64, want: PriceState| {
            let params = DeviationParams { bound: Ppb(bound), reference_accept: Aged, unchecked: Thin };
            let guard = Deviation::new(leaf(), Against::Index, params).unwrap();
            let index =
                index.map(|(p, state)| PriceView { state, ..PriceView::exact(Ticks::new(p), Millis(1)) });
            let reference = Reference { previous: None, index };
            let view = resolve_once(&guard, &ask_at(1_000), &[quote(1, 1_100, 0, 1)], &reference);
            assert_eq!(view.unwrap().state, want, "{index:?} {bound}");
        };
        check(Some((1_000, Good)), 100_000_000, Good); // exactly 10 %
        check(Some((1_000, Good)), 99_999_999, Volatile);
        check(Some((1_211, Good)), 100_000_000, Good);
        check(Some((i64::MAX, Good)), i64::MAX, Good);
        check(Some((1_000, Stale)), 0, Thin);
        check(Some((0, Good)), 0, Thin);
        check(None, 0, Thin);
    }

    #[test]
    fn another_policy_as_reference() {
        let params = DeviationParams { bound: Ppb(100_000_000), reference_accept: Stale, unchecked: Stale };
        let guard = Deviation::new(
            Box::new(Latest::of(SourceId(1))),
            Against::Policy(Box::new(Latest::of(SourceId(2)))),
            params,
        )
        .unwrap();
        let run =
            |quotes: &[Quote]| resolve_once(&guard, &ask_at(5), quotes, &Reference::default()).unwrap().state;
        assert_eq!(run(&[quote(1, 100, 0, 1), quote(2, 105, 0, 1)]), Good);
        assert_eq!(run(&[quote(1, 100, 0, 1), quote(2, 150, 0, 1)]), Volatile);
        assert_eq!(run(&[quote(1, 100, 0, 1)]), Stale);
        assert_eq!(run(&[quote(2, 100, 0, 1)]), Missing);
    }

    #[test]
    fn refused_parameters() {
        let field = |e: OracleError| match e {
            OracleError::Parameter { field, .. } => field,
            _ => "other",
        };
        let ages = StalenessParams {
            aged_after: Some(Millis(2)),
            stale_after: Some(Millis(1)),
            future_tolerance: Millis(0),
        };
        assert_eq!(Staleness::new(leaf(), ages).map_err(field).err(), Some("stale_after"));
        let width = ConfidenceParams { bound: Some(Ppb(-1)), multiple: Ppb::ONE };
        assert_eq!(Confidence::new(leaf(), width).map_err(field).err(), Some("bound"));
        let width = ConfidenceParams { bound: None, multiple: Ppb(-1) };
        assert_eq!(Confidence::new(leaf(), width).map_err(field).err(), Some("multiple"));
        let far = DeviationParams { bound: Ppb(1), reference_accept: Invalid, unchecked: Good };
        let refused = Deviation::new(leaf(), Against::Index, far).unwrap_err();
        assert_eq!(
            std::format!("{refused}"),
            "reference_accept is 6; accepted is a state from Good (0) to Stale (5)"
        );
    }
}
