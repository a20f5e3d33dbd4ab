//! Numbers as a configuration writes them: exact decimal strings.

use super::read::SPLIT;
use cofferdam_core::{Decimal, DecimalError, Ppb};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::fmt;

/// A ratio: `"0.004"` is 4,000,000 ppb. At most nine decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ratio(pub Ppb);

/// An exact decimal number whose unit the place decides: lots of a market, atoms of an asset, quanta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Number(pub Decimal);

impl Serialize for Ratio {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Ratio {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_str(Text)?
            .and_then(|(text, x)| {
                Ppb::from_decimal(&x)
                    .map(Self)
                    .map_err(|e| refuse(&text, e, "a ratio with at most 9 decimals"))
            })
            .map_err(de::Error::custom)
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_str(Text)?.map(|(_, x)| Self(x)).map_err(de::Error::custom)
    }
}

fn refuse(text: &str, why: DecimalError, accepted: &str) -> String {
    let accepted = match why {
        DecimalError::Syntax => "a decimal string such as \"0.001\", without exponent",
        DecimalError::TooLarge => "a number with fewer digits",
        _ => accepted,
    };
    format!("\"{text}\"{SPLIT}{accepted}")
}

struct Text;

impl de::Visitor<'_> for Text {
    type Value = Result<(String, Decimal), String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal string such as \"0.001\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(text.parse().map(|x| (text.to_owned(), x)).map_err(|e| refuse(text, e, "")))
    }
}
