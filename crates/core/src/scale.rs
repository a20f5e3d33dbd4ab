//! How units of different things relate, fixed once in configuration: what a lot times a tick is worth, and what an atom
//! at a price is worth. Products are exact; the only divisions are here, each with its direction named by the caller.

use crate::{Amount, Decimal, DecimalError, Lots, MathError, Quanta, Rounding, Ticks, wide};
use core::fmt;

/// The scale of a market: one lot moved by one tick is worth a whole number `k` of quanta of the settlement asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MarketScale {
    k: i64,
}

/// Why a scale is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ScaleError {
    /// lot x tick x multiplier is not a whole number of quanta; `quantum` is the largest power of ten that would do.
    NotWhole {
        /// A quantum that would do.
        quantum: Decimal,
    },
    /// A size, a tick, a multiplier or a quantum must be above zero; a quantum must be a power of ten.
    NotPositive,
    /// The product needs more than 63 bits.
    TooLarge,
    /// A number has no exact value in its unit.
    Decimal(DecimalError),
}

impl fmt::Display for ScaleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotWhole { quantum } => {
                write!(
                    f,
                    "lot x tick x multiplier is not a whole number of quanta; a quantum of {quantum} would do"
                )
            }
            Self::NotPositive => f.write_str(
                "lot, tick, multiplier and quantum must be above zero, the quantum a power of ten",
            ),
            Self::TooLarge => f.write_str("lot x tick x multiplier is more than 63 bits of quanta"),
            Self::Decimal(e) => fmt::Display::fmt(e, f),
        }
    }
}

impl core::error::Error for ScaleError {}

impl MarketScale {
    /// `k = lot x tick x multiplier / quantum`, refused unless whole.
    pub fn new(
        lot: &Decimal,
        tick: &Decimal,
        multiplier: &Decimal,
        quantum: &Decimal,
    ) -> Result<Self, ScaleError> {
        let positive = |d: &Decimal| d.mantissa() > 0;
        if !(positive(lot) && positive(tick) && positive(multiplier) && quantum.mantissa() == 1) {
            return Err(ScaleError::NotPositive);
        }
        let mantissa =
            lot.mantissa().checked_mul(tick.mantissa()).and_then(|m| m.checked_mul(multiplier.mantissa()));
        let exponent =
            lot.exponent().checked_add(tick.exponent()).and_then(|e| e.checked_add(multiplier.exponent()));
        let (Some(mantissa), Some(exponent)) = (mantissa, exponent) else { return Err(ScaleError::TooLarge) };
        let product = Decimal::from_units(mantissa, exponent);
        match product.to_units(quantum.exponent()) {
            Ok(k) => i64::try_from(k).map(|k| Self { k }).map_err(|_| ScaleError::TooLarge),
            Err(DecimalError::TooManyDecimals { .. }) => {
                Err(ScaleError::NotWhole { quantum: Decimal::from_units(1, product.exponent()) })
            }
            Err(e) => Err(ScaleError::Decimal(e)),
        }
    }

    /// A scale from its factor; must be above zero.
    pub fn from_factor(k: i64) -> Result<Self, ScaleError> {
        if k > 0 { Ok(Self { k }) } else { Err(ScaleError::NotPositive) }
    }

    /// `k`: quanta per lot and tick.
    #[must_use]
    pub const fn quanta_per_lot_tick(self) -> i64 {
        self.k
    }

    /// lots x ticks x k, signed as the lots are. Exact.
    pub fn notional(self, lots: Lots, price: Ticks) -> Result<Quanta, MathError> {
        // 63 + 63 bits fit i128; only the factor k can leave it.
        let product = i128::from(lots.get()).wrapping_mul(i128::from(price.get()));
        product
            .checked_mul(i128::from(self.k))
            .ok_or(MathError::Overflow)
            .and_then(|q| Quanta::new(q).try_add(Quanta::ZERO))
    }

    /// |lots| x ticks x k. Exact.
    pub fn absolute_notional(self, lots: Lots, price: Ticks) -> Result<Quanta, MathError> {
        self.notional(lots.try_abs()?, price)
    }

    /// Cost that leaves a position when `closed` of its `held` lots are closed: cost x closed / held (in magnitudes),
    /// rounded up, that is against the holder: a larger cost leaves now, the rest stays, so the total is exact.
    /// `closed` has the sign of `held` and is not larger.
    pub fn released_cost(cost: Quanta, closed: Lots, held: Lots) -> Result<Quanta, MathError> {
        let (c, h) = (closed.try_abs()?.get(), held.try_abs()?.get());
        if c == h {
            return Ok(cost);
        }
        wide::mul_div(cost.get(), i128::from(c), i128::from(h), Rounding::Up).map(Quanta::new)
    }
}

/// The scale of an asset: atoms, the step of its price and the numeraire's quantum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AssetScale {
    /// An atom is 10^-decimals of the asset.
    pub decimals: u8,
    /// A price tick is 10^price_exponent numeraire per whole asset.
    pub price_exponent: i8,
    /// A quantum is 10^quantum_exponent numeraire.
    pub quantum_exponent: i8,
}

impl AssetScale {
    /// A scale whose conversion factor fits 128 bits; else refused.
    pub fn new(decimals: u8, price_exponent: i8, quantum_exponent: i8) -> Result<Self, ScaleError> {
        let s = Self { decimals, price_exponent, quantum_exponent };
        s.factor().map(|_| s).ok_or(ScaleError::TooLarge)
    }

    // value = amount x ticks x 10^shift
    fn factor(self) -> Option<(bool, i128)> {
        let shift = i32::from(self.price_exponent)
            .wrapping_sub(i32::from(self.decimals))
            .wrapping_sub(i32::from(self.quantum_exponent));
        10_i128.checked_pow(shift.unsigned_abs()).map(|f| (shift >= 0, f))
    }

    /// What an amount is worth in quanta of the numeraire, rounded once. Support rounds down, demand up.
    pub fn value(self, amount: Amount, price: Ticks, rounding: Rounding) -> Result<Quanta, MathError> {
        let (multiply, factor) = self.factor().ok_or(MathError::Overflow)?;
        let (a, p) = (amount.get(), i128::from(price.get()));
        let q = if multiply {
            let unit = p.checked_mul(factor).ok_or(MathError::Overflow)?;
            wide::mul_div(a, unit, 1, rounding)?
        } else {
            wide::mul_div(a, p, factor, rounding)?
        };
        Quanta::new(q).try_add(Quanta::ZERO)
    }

    /// The amount that is worth `value` quanta at a price above zero, rounded once.
    pub fn amount(self, value: Quanta, price: Ticks, rounding: Rounding) -> Result<Amount, MathError> {
        let (multiply, factor) = self.factor().ok_or(MathError::Overflow)?;
        let p = i128::from(price.get());
        let a = if multiply {
            wide::mul_div(value.get(), 1, p.checked_mul(factor).ok_or(MathError::Overflow)?, rounding)?
        } else {
            wide::mul_div(value.get(), factor, p, rounding)?
        };
        Amount::new(a).try_add(Amount::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use num_bigint::BigInt;
    use proptest::prelude::*;
    use std::string::ToString;

    fn scale(lot: &str, tick: &str, multiplier: &str, quantum: &str) -> Result<i64, ScaleError> {
        let d = |s: &str| s.parse::<Decimal>().unwrap();
        MarketScale::new(&d(lot), &d(tick), &d(multiplier), &d(quantum)).map(MarketScale::quanta_per_lot_tick)
    }

    #[test]
    fn market_scales() {
        assert_eq!(scale("0.001", "0.001", "1", "0.000001"), Ok(1));
        assert_eq!(scale("0.001", "0.1", "1", "0.000001"), Ok(100));
        assert_eq!(scale("1", "0.5", "100", "0.01"), Ok(5_000));
        let refused = scale("1", "0.000000001", "1", "0.000001").unwrap_err();
        assert_eq!(refused, ScaleError::NotWhole { quantum: "0.000000001".parse().unwrap() });
        assert!(refused.to_string().contains("a quantum of 0.000000001 would do"));
        assert_eq!(scale("0", "1", "1", "1"), Err(ScaleError::NotPositive));
        assert_eq!(scale("1", "1", "1", "0.5"), Err(ScaleError::NotPositive));
        assert_eq!(scale("1000000000000", "1000000000", "1", "0.000001"), Err(ScaleError::TooLarge));
    }

    #[test]
    fn eighteen_decimals_at_a_price_of_a_millionth() {
        // price 1e-6 at nine digits: e = -14, so the price is 100,000,000 ticks
        let s = AssetScale::new(18, -14, -6).unwrap();
        let price = Ticks::new(100_000_000);
        let whole = Amount::new(1_000_000_000_000_000_000);
        assert_eq!(s.value(whole, price, Rounding::Down), Ok(Quanta::new(1)));
        assert_eq!(s.value(Amount::new(1), price, Rounding::Up), Ok(Quanta::new(1)));
        assert_eq!(s.value(Amount::new(1), price, Rounding::Down), Ok(Quanta::ZERO));
        let all = Amount::new(Amount::LIMIT);
        assert!(s.value(all, Ticks::new(i64::MAX), Rounding::Down).is_ok());
    }

    #[test]
    fn an_entry_cost_that_does_not_divide_stays_exact() {
        let (cost, held) = (Quanta::new(100), Lots::new(3));
        let first = MarketScale::released_cost(cost, Lots::new(1), held).unwrap();
        assert_eq!(first, Quanta::new(34)); // against the long holder: a larger cost leaves
        let rest = cost.try_sub(first).unwrap();
        let second = MarketScale::released_cost(rest, Lots::new(1), Lots::new(2)).unwrap();
        let third =
            MarketScale::released_cost(rest.try_sub(second).unwrap(), Lots::new(1), Lots::new(1)).unwrap();
        assert_eq!(first.get() + second.get() + third.get(), 100);
        // a short holder received 100: 33 of it leaves with the first lot, and it gains 67 less later
        assert_eq!(
            MarketScale::released_cost(Quanta::new(-100), Lots::new(-1), Lots::new(-3)),
            Ok(Quanta::new(-33))
        );
    }

    proptest! {
        #[test]
        fn value_matches_big_integers(a in any::<i128>(), p in 1_i64.., d in 0_u8..=18, e in -18_i8..=6) {
            let a = a >> 8;
            let Ok(s) = AssetScale::new(d, e, -6) else { return Ok(()) };
            let shift = i32::from(e) - i32::from(d) + 6;
            let exact = BigInt::from(a) * BigInt::from(p);
            let ten = BigInt::from(10).pow(shift.unsigned_abs());
            for (rounding, add) in [(Rounding::Down, 0), (Rounding::Up, 1)] {
                let want = if shift >= 0 { &exact * &ten } else {
                    let (q, r) = (&exact / &ten, &exact % &ten);
                    let floor = if r < BigInt::from(0) { q - 1 } else { q };
                    if r == BigInt::from(0) { floor } else { floor + add }
                };
                let want = i128::try_from(want).ok().filter(|w| w.unsigned_abs() <= 1 << 120);
                prop_assert_eq!(s.value(Amount::new(a), Ticks::new(p), rounding).ok().map(Quanta::get), want);
            }
        }

        #[test]
        fn amount_for_a_value_never_falls_short(v in 0_i128..1 << 90, p in 1_i64..1 << 50, d in 0_u8..=18) {
            let s = AssetScale::new(d, -8, -6).unwrap();
            if let Ok(a) = s.amount(Quanta::new(v), Ticks::new(p), Rounding::Up) {
                prop_assert!(s.value(a, Ticks::new(p), Rounding::Up).unwrap().get() >= v);
                let less = Amount::new(a.get() - 1);
                prop_assert!(a.is_zero() || s.value(less, Ticks::new(p), Rounding::Down).unwrap().get() < v);
            }
        }

        #[test]
        fn partial_closes_never_create_or_lose_cost(cost in -(1_i128 << 80)..1 << 80, held in 1_i64..1 << 40,
                                                    cuts in prop::collection::vec(1_i64..1 << 38, 0..8)) {
            let (mut cost_left, mut lots_left, mut released) = (cost, held, 0_i128);
            for cut in cuts {
                if cut >= lots_left { break; }
                let r = MarketScale::released_cost(Quanta::new(cost_left), Lots::new(cut), Lots::new(lots_left)).unwrap().get();
                prop_assert!(BigInt::from(r) * lots_left >= BigInt::from(cost_left) * cut, "rounded against the holder");
                cost_left -= r; lots_left -= cut; released += r;
            }
            released += MarketScale::released_cost(Quanta::new(cost_left), Lots::new(lots_left), Lots::new(lots_left)).unwrap().get();
            prop_assert_eq!(released, cost);
        }
    }
}
