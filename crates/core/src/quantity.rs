//! Typed integers for everything that is counted. There is no operator overloading: every operation says that it can
//! refuse (`try_...`), and every conversion between two quantities names its rounding (see [`crate::MarketScale`],
//! [`crate::AssetScale`]).

use crate::MathError;

macro_rules! quantity {
    ($($(#[$doc:meta])* $name:ident($int:ty, limit $limit:expr)),* $(,)?) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name($int);

        impl $name {
            /// Zero.
            pub const ZERO: Self = Self(0);
            /// One unit.
            pub const ONE: Self = Self(1);
            /// The largest magnitude that is a value; arithmetic beyond it is an [`MathError::Overflow`].
            pub const LIMIT: $int = $limit;

            /// Wraps a number of units. Values beyond [`Self::LIMIT`] are refused by the next operation on them.
            #[must_use]
            pub const fn new(units: $int) -> Self { Self(units) }

            /// The number of units.
            #[must_use]
            pub const fn get(self) -> $int { self.0 }

            /// Whether this is zero.
            #[must_use]
            pub const fn is_zero(self) -> bool { self.0 == 0 }

            fn within(units: Option<$int>) -> Result<Self, MathError> {
                match units {
                    #[allow(unused_comparisons)]
                    Some(x) if x <= Self::LIMIT && (x >= 0 || x >= (0 as $int).wrapping_sub(Self::LIMIT)) => Ok(Self(x)),
                    _ => Err(MathError::Overflow),
                }
            }

            /// Sum; refuses a result beyond [`Self::LIMIT`].
            pub fn try_add(self, other: Self) -> Result<Self, MathError> { Self::within(self.0.checked_add(other.0)) }

            /// Difference; refuses a result beyond [`Self::LIMIT`].
            pub fn try_sub(self, other: Self) -> Result<Self, MathError> { Self::within(self.0.checked_sub(other.0)) }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result { core::fmt::Display::fmt(&self.0, f) }
        }
    )* };
}

macro_rules! signed {
    ($($name:ident),*) => { $(
        impl $name {
            /// Whether this is below zero.
            #[must_use]
            pub const fn is_negative(self) -> bool { self.0 < 0 }

            /// -1, 0 or 1.
            #[must_use]
            pub const fn signum(self) -> i8 { if self.0 > 0 { 1 } else if self.0 < 0 { -1 } else { 0 } }

            /// The same magnitude with the other sign.
            pub fn try_neg(self) -> Result<Self, MathError> { Self::within(self.0.checked_neg()) }

            /// The magnitude.
            pub fn try_abs(self) -> Result<Self, MathError> { Self::within(self.0.checked_abs()) }

            /// This where it is above zero, else zero.
            #[must_use]
            pub fn positive_part(self) -> Self { if self.0 > 0 { self } else { Self::ZERO } }
        }
    )* };
}

quantity! {
    /// Atoms of one asset (the smallest unit that its ledger can move), |x| <= 2^120.
    Amount(i128, limit 1 << 120),
    /// Quanta: the unit in which a stack computes value (for example 1e-6 of the numeraire), |x| <= 2^120. A market's
    /// profit and loss, entry costs and requirements are quanta of its settlement asset.
    Quanta(i128, limit 1 << 120),
    /// Lots of a market, signed: positive is long. The smallest size that can be held.
    Lots(i64, limit i64::MAX),
    /// A price in the instrument's own step: the mark tick of a market, or 10^e numeraire per whole asset.
    Ticks(i64, limit i64::MAX),
    /// Cumulative funding per lot in quanta x 2^-32: a long position pays when it rises, a short one receives.
    FundingIndex(i128, limit 1 << 120),
    /// Units of a debt or deposit before interest: owed = scaled x index / 1e27. Sums of scaled units are exact.
    Scaled(u128, limit 1 << 120),
    /// An interest index in ray (1e27); it starts at 1e27 and never falls except by a named loss (INV-9).
    Index(u128, limit 1 << 120),
}
signed!(Amount, Quanta, Lots, Ticks, FundingIndex);

impl Index {
    /// The index before any interest: 1e27.
    pub const START: Self = Self(crate::RAY);
}

#[cfg(feature = "serde")]
mod with_serde {
    use super::{Amount, FundingIndex, Index, Lots, Quanta, Scaled, Ticks};
    use alloc::string::{String, ToString};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    // JSON has no integers beyond 2^53 that every reader keeps exact: there, 128-bit quantities are decimal strings.
    macro_rules! wide {
        ($($name:ident($int:ty)),*) => { $(
            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                    if s.is_human_readable() { s.serialize_str(&self.0.to_string()) } else { self.0.serialize(s) }
                }
            }
            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                    let units = if d.is_human_readable() {
                        String::deserialize(d)?.parse::<$int>().map_err(D::Error::custom)?
                    } else {
                        <$int>::deserialize(d)?
                    };
                    Self::within(Some(units)).map_err(D::Error::custom)
                }
            }
        )* };
    }
    macro_rules! narrow {
        ($($name:ident),*) => { $(
            impl Serialize for $name {
                fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.serialize_i64(self.0) }
            }
            impl<'de> Deserialize<'de> for $name {
                fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                    Self::within(Some(i64::deserialize(d)?)).map_err(D::Error::custom)
                }
            }
        )* };
    }
    wide!(Amount(i128), Quanta(i128), FundingIndex(i128), Scaled(u128), Index(u128));
    narrow!(Lots, Ticks);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_passes_the_limit_and_min_is_not_a_value() {
        assert_eq!(Lots::new(i64::MAX).try_add(Lots::ONE), Err(MathError::Overflow));
        assert_eq!(Lots::new(-i64::MAX).try_sub(Lots::ONE), Err(MathError::Overflow));
        assert_eq!(Amount::new(1 << 120).try_add(Amount::ONE), Err(MathError::Overflow));
        assert_eq!(Amount::new(-(1 << 120)).try_sub(Amount::ONE), Err(MathError::Overflow));
        assert_eq!(Scaled::ZERO.try_sub(Scaled::ONE), Err(MathError::Overflow));
    }

    #[test]
    fn json_keeps_128_bits_exact() {
        let x = Amount::new((1 << 120) - 1);
        let text = serde_json::to_string(&x).unwrap();
        assert_eq!(text, "\"1329227995784915872903807060280344575\"");
        assert_eq!(serde_json::from_str::<Amount>(&text).unwrap(), x);
        assert!(serde_json::from_str::<Lots>("-9223372036854775808").is_err());
    }
}
