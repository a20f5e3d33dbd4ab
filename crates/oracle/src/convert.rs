//! Conversions between units: the reciprocal price of an inverse contract, and the product of two prices.
//!
//! Sources: BitMEX and Deribit inverse contracts; Euler's cross adapter. A product with a missing leg is no price: two
//! lending markets lost money to a feed whose second leg was left out (Moonwell, wrsETH and cbETH).

use crate::{Ask, OracleError, PricePolicy, Reference};
use alloc::boxed::Box;
use cofferdam_core::{MathError, Memory, PriceState, PriceView, Quote, Rounding, Ticks, wide};

/// `scale / price`: what one unit of the quote currency is worth in the base asset, so that an inverse contract is linear in
/// it. `low` comes from `high` and the other way round; `low` and `mid` are rounded down, `high` up. The fraction of a tick
/// of `mid` is the gain of whoever is short the reciprocal.
///
/// A result below one tick or beyond 63 bits is [`PriceState::Invalid`]: choose a finer or coarser tick.
///
/// ```
/// use cofferdam_oracle::{Latest, Reciprocal, conformance::{ask_at, quote, resolve_once}};
/// // a price in 0.01 USD, its reciprocal in 1e-12 BTC: scale = 1e2 x 1e12
/// let inverse = Reciprocal::new(Box::new(Latest::any()), 100_000_000_000_000)?;
/// let view = resolve_once(&inverse, &ask_at(1), &[quote(1, 6_000_000, 1_000, 1)], &Default::default())?;
/// assert_eq!((view.low.get(), view.mid.get(), view.high.get()), (16_663_889, 16_666_666, 16_669_445));
/// # Ok::<(), cofferdam_oracle::OracleError>(())
/// ```
#[derive(Debug)]
pub struct Reciprocal {
    child: Box<dyn PricePolicy>,
    scale: i128,
}

impl Reciprocal {
    /// The reciprocal of `child`; `scale` is one over (tick of the child x tick of the result), above zero.
    pub fn new(child: Box<dyn PricePolicy>, scale: i128) -> Result<Self, OracleError> {
        positive("scale", scale)?;
        Ok(Self { child, scale })
    }
}

impl PricePolicy for Reciprocal {
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
        let over = |price: Ticks, rounding| wide::div(self.scale, i128::from(price.get()), rounding);
        interval(
            &view,
            over(view.high, Rounding::Down),
            over(view.mid, Rounding::Down),
            over(view.low, Rounding::Up),
        )
    }
}

/// `left x right / divisor`: a price through another asset, for example an exchange rate times the price of what it
/// exchanges into. As bad as its worse leg and as old as its older; without either leg there is no price. `low` and `mid`
/// are rounded down, `high` up; the fraction of a tick of `mid` is the short side's gain.
#[derive(Debug)]
pub struct Product {
    left: Box<dyn PricePolicy>,
    right: Box<dyn PricePolicy>,
    divisor: i128,
}

impl Product {
    /// The product of two prices; `divisor` is the tick of the result over (tick of `left` x tick of `right`), above zero.
    pub fn new(
        left: Box<dyn PricePolicy>,
        right: Box<dyn PricePolicy>,
        divisor: i128,
    ) -> Result<Self, OracleError> {
        positive("divisor", divisor)?;
        Ok(Self { left, right, divisor })
    }
}

impl PricePolicy for Product {
    fn resolve(
        &self,
        ask: &Ask,
        quotes: &[Quote],
        reference: &Reference,
        memory: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        let l = self.left.resolve(ask, quotes, reference, &mut memory.child(0)?)?;
        let r = self.right.resolve(ask, quotes, reference, &mut memory.child(1)?)?;
        let worst =
            PriceView { state: l.state.max(r.state), as_of: l.as_of.min(r.as_of), ..PriceView::default() };
        if !(l.is_usable() && r.is_usable()) {
            return Ok(worst.worsened(PriceState::Invalid));
        }
        let times = |a: Ticks, b: Ticks, rounding| {
            wide::mul_div(i128::from(a.get()), i128::from(b.get()), self.divisor, rounding)
        };
        interval(
            &worst,
            times(l.low, r.low, Rounding::Down),
            times(l.mid, r.mid, Rounding::Down),
            times(l.high, r.high, Rounding::Up),
        )
    }
}

// State and age of `like` with new numbers, or `Invalid` where they are not prices.
pub(crate) fn interval(
    like: &PriceView,
    low: Result<i128, MathError>,
    mid: Result<i128, MathError>,
    high: Result<i128, MathError>,
) -> Result<PriceView, OracleError> {
    let ticks = |x: Result<i128, MathError>| x.ok().and_then(|x| i64::try_from(x).ok()).map(Ticks::new);
    let view = match (ticks(low), ticks(mid), ticks(high)) {
        (Some(low), Some(mid), Some(high)) => PriceView { low, mid, high, ..*like },
        _ => PriceView::default(),
    };
    let invalid = PriceView { state: PriceState::Invalid, as_of: like.as_of, ..PriceView::default() };
    Ok(if view.is_usable() { view } else { invalid })
}

fn positive(field: &'static str, value: i128) -> Result<(), OracleError> {
    if value > 0 { Ok(()) } else { Err(OracleError::Parameter { field, value, accepted: "above zero" }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Latest;
    use crate::conformance::{ask_at, quote, resolve_once};
    use PriceState::{Good, Invalid, Missing};
    use cofferdam_core::SourceId;

    #[test]
    fn reciprocals() {
        let check = |price: i64, confidence: i64, scale: i128, want: (i64, i64, i64, PriceState)| {
            let policy = Reciprocal::new(Box::new(Latest::any()), scale).unwrap();
            let v =
                resolve_once(&policy, &ask_at(1), &[quote(1, price, confidence, 1)], &Reference::default());
            let v = v.unwrap();
            assert_eq!(
                (v.low.get(), v.mid.get(), v.high.get(), v.state),
                want,
                "{price} {confidence} {scale}"
            );
        };
        check(4, 0, 100, (25, 25, 25, Good));
        check(4, 1, 100, (20, 25, 34, Good)); // low from high, high from low
        check(3, 0, 100, (33, 33, 34, Good));
        check(101, 0, 100, (0, 0, 0, Invalid)); // below one tick
        check(1, 0, i128::MAX, (0, 0, 0, Invalid));
        check(0, 0, 100, (0, 0, 0, Invalid));
        assert!(Reciprocal::new(Box::new(Latest::any()), 0).is_err());
    }

    #[test]
    fn products() {
        let check = |left: &[i64], right: &[i64], divisor: i128, want: (i64, PriceState)| {
            let (a, b) = (SourceId(1), SourceId(2));
            let policy = Product::new(Box::new(Latest::of(a)), Box::new(Latest::of(b)), divisor).unwrap();
            let mut quotes: std::vec::Vec<_> = left.iter().map(|p| quote(1, *p, 0, 1)).collect();
            quotes.extend(right.iter().map(|p| quote(2, *p, 0, 1)));
            let v = resolve_once(&policy, &ask_at(1), &quotes, &Reference::default()).unwrap();
            assert_eq!((v.mid.get(), v.state), want, "{left:?} {right:?} {divisor}");
        };
        check(&[105], &[2_000], 100, (2_100, Good));
        check(&[105], &[], 100, (0, Missing));
        check(&[105], &[0], 100, (0, Invalid));
        check(&[i64::MAX], &[i64::MAX], 1, (0, Invalid));
        check(&[i64::MAX], &[i64::MAX], i64::MAX.into(), (i64::MAX, Good));
        assert!(Product::new(Box::new(Latest::any()), Box::new(Latest::any()), -1).is_err());
    }
}
