//! What the JSON of several rooms has in common. Amounts, sizes and prices are exact decimal strings in the units of the
//! stack file: they are refused where they are no whole number of atoms, lots or ticks, and nothing is rounded on its way in.

use cofferdam_core::{Decimal, PriceState};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{self, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

/// An exact decimal number in a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Number(pub(crate) Decimal);

impl Number {
    /// `units x 10^exponent`.
    pub(crate) fn of(units: i128, exponent: i32) -> Self {
        Self(Decimal::from_units(units, exponent))
    }
}

impl Serialize for Number {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_str(NumberVisitor)
    }
}

struct NumberVisitor;

const NUMBER: &str = "a decimal number in a string, such as \"-12.5\"";

impl Visitor<'_> for NumberVisitor {
    type Value = Number;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NUMBER)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Number, E> {
        text.parse().map(Number).map_err(|e| E::custom(format_args!("{e}; accepted: {NUMBER}")))
    }
}

impl JsonSchema for Number {
    fn schema_name() -> Cow<'static, str> {
        "Number".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": r"^-?[0-9]+(\.[0-9]+)?$",
            "description": "An exact decimal number in a string.",
        })
    }
}

/// A price: one number, or an interval where it is uncertain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PriceInput {
    pub(crate) low: Number,
    pub(crate) mid: Number,
    pub(crate) high: Number,
}

/// An interval around a price: long positions and collateral are valued at its low end, short ones and debts at its high
/// end.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Interval {
    /// Lower end.
    low: Number,
    /// The price itself.
    mid: Number,
    /// Upper end.
    high: Number,
}

impl<'de> Deserialize<'de> for PriceInput {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(PriceVisitor)
    }
}

struct PriceVisitor;

impl<'de> Visitor<'de> for PriceVisitor {
    type Value = PriceInput;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a price in a string, such as \"1200.5\", or an object with low, mid and high")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<PriceInput, E> {
        NumberVisitor.visit_str(text).map(|x| PriceInput { low: x, mid: x, high: x })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<PriceInput, A::Error> {
        let Interval { low, mid, high } = Interval::deserialize(de::value::MapAccessDeserializer::new(map))?;
        Ok(PriceInput { low, mid, high })
    }
}

impl JsonSchema for PriceInput {
    fn schema_name() -> Cow<'static, str> {
        "Price".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let number = generator.subschema_for::<Number>();
        let interval = generator.subschema_for::<Interval>();
        json_schema!({ "anyOf": [number, interval], "description": "A price, or an interval around one." })
    }
}

/// Prices at one moment, in the numeraire per whole unit. The numeraire itself has price 1 and needs no entry.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Prices {
    /// Of assets, by name.
    #[serde(default)]
    pub(crate) assets: BTreeMap<String, PriceInput>,
    /// Mark prices of markets, by name.
    #[serde(default)]
    pub(crate) markets: BTreeMap<String, PriceInput>,
}

/// What a market's requirement may read besides its mark.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MarketInput {
    /// Size held long (as much is short), in units of the base asset. Default: none.
    #[serde(default)]
    pub(crate) open_interest: Option<Number>,
    /// Annualised volatility, a ratio. Default: none recorded.
    #[serde(default)]
    pub(crate) volatility: Option<Number>,
    /// The index price. Default: the mark.
    #[serde(default)]
    pub(crate) index: Option<PriceInput>,
    /// The mark before the last one. Default: the mark.
    #[serde(default)]
    pub(crate) previous_mark: Option<Number>,
    /// What its instrument would be worth in every scenario. Default: none recorded.
    #[serde(default)]
    pub(crate) scenarios: Option<ScenariosInput>,
}

/// Values of an instrument in every scenario, as computed outside.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ScenariosInput {
    /// Its value when they were computed.
    pub(crate) base: Number,
    /// Pairs of a low and a high, in the scenarios' order: a long position takes the low, a short one the high.
    pub(crate) values: Vec<(Number, Number)>,
}

/// A margin group: a cross account, an isolated position or a sub-account. Everything in it nets.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupInput {
    /// Its number.
    pub(crate) id: u32,
    /// Positions, at most one per market.
    #[serde(default)]
    pub(crate) positions: Vec<PositionInput>,
    /// Balances, at most one per asset.
    #[serde(default)]
    pub(crate) balances: Vec<AmountOf>,
    /// Debts with interest to now, at most one per asset.
    #[serde(default)]
    pub(crate) debts: Vec<AmountOf>,
}

/// A position. Exactly one of `entry_price` and `cost` is given.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PositionInput {
    /// The market's name.
    pub(crate) market: String,
    /// Signed size in units of the base asset; positive is long.
    pub(crate) size: Number,
    /// Price per unit at which it was opened.
    #[serde(default)]
    pub(crate) entry_price: Option<Number>,
    /// What it cost, in the settlement asset: size x entry price x multiplier, negative for a short.
    #[serde(default)]
    pub(crate) cost: Option<Number>,
    /// Funding owed since it was last settled, in the settlement asset; negative where it is owed to the holder. Default: 0.
    #[serde(default)]
    pub(crate) funding: Option<Number>,
}

/// An amount of an asset.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AmountOf {
    /// The asset's name.
    pub(crate) asset: String,
    /// How much, in whole units of it.
    pub(crate) amount: Number,
}

/// What a price is of: `{ "asset": "ETH" }` or `{ "market": "ETH-PERP" }`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum InstrumentName {
    /// An asset, by name.
    Asset(String),
    /// A market, by name.
    Market(String),
}

/// A resolved price.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(crate) struct PriceOutput {
    /// Lower end: support is valued here.
    pub(crate) low: Number,
    /// The price itself; without meaning where the state is `invalid` or `missing`.
    pub(crate) mid: Number,
    /// Upper end: demand is valued here.
    pub(crate) high: Number,
    /// How far it can be trusted: good, aged, thin, wide, volatile, stale, invalid or missing.
    #[schemars(with = "String")]
    pub(crate) state: PriceState,
    /// Publish time of the oldest quote it rests on.
    pub(crate) as_of_ms: u64,
}

/// Which stack answers: the path of a stack file (relative to the question's own folder), or the whole stack as an object.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "the path of a stack file, or a whole stack as an object")]
pub(crate) enum StackInput {
    /// A path.
    File(String),
    /// The stack file's content as JSON.
    Inline(Sections),
}

/// Sections of the stack file, by name.
pub(crate) type Sections = serde_json::Map<String, serde_json::Value>;
