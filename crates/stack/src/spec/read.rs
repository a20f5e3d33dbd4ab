//! A deserializer over parsed TOML that knows where it is. The first error is the deepest one: it is kept with its path,
//! because the layers above (serde, erased types) pass on no more than a text.

use super::ConfigError;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, EnumAccess, Error as _, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor, value::StrDeserializer,
};
use serde::forward_to_deserialize_any;
use std::{cell::RefCell, fmt};
use toml::Value;

/// Reads a value that stands at `path` (empty for the whole document).
pub(crate) fn read<T: DeserializeOwned>(value: &Value, file: &str, path: &str) -> Result<T, ConfigError> {
    let first = RefCell::new(None);
    let at = Place { value, path: path.to_owned(), first: &first };
    T::deserialize(at).map_err(|last| {
        let (path, fault) = first.into_inner().unwrap_or((path.to_owned(), last));
        let path = if path.is_empty() { "the document".to_owned() } else { path };
        ConfigError::new(file, path, fault.value, fault.accepted)
    })
}

/// `field` within `path`.
pub(crate) fn join(path: &str, field: &str) -> String {
    if path.is_empty() { field.to_owned() } else { format!("{path}.{field}") }
}

/// What stands there and what would be accepted.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    value: String,
    accepted: String,
    // the field that is missing, to be added to the path
    missing: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.missing {
            Some(field) => write!(f, "missing field `{field}`"),
            None => write!(f, "{}{SPLIT}{}", self.value, self.accepted),
        }
    }
}

impl std::error::Error for Fault {}

/// Between value and accepted in the text of a custom error.
pub(crate) const SPLIT: &str = "; accepted: ";

impl de::Error for Fault {
    fn custom<T: fmt::Display>(message: T) -> Self {
        let message = message.to_string();
        // typetag hands on the text alone
        if let Some(field) = message.strip_prefix("missing field `").and_then(|m| m.strip_suffix('`')) {
            return Self::missing(field);
        }
        let (value, accepted) =
            message.split_once(SPLIT).map_or((message.as_str(), "a valid value"), |(v, a)| (v, a));
        Self { value: value.into(), accepted: accepted.into(), missing: None }
    }

    fn invalid_type(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let value = match unexpected {
            // what the value type of toml calls itself is no help
            de::Unexpected::Map => "a table".to_owned(),
            other => other.to_string(),
        };
        Self { value, accepted: expected.to_string(), missing: None }
    }

    fn invalid_value(unexpected: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let value = format!("\"{variant}\" is not known");
        Self { value, accepted: expected.join(", "), missing: None }
    }

    fn unknown_field(_: &str, expected: &'static [&'static str]) -> Self {
        let accepted = if expected.is_empty() { "no further fields".to_owned() } else { expected.join(", ") };
        Self { value: "unknown field".into(), accepted, missing: None }
    }

    fn missing_field(field: &'static str) -> Self {
        Self::missing(field)
    }
}

impl Fault {
    fn missing(field: &str) -> Self {
        Self {
            value: "missing".into(),
            accepted: "a value for this field".into(),
            missing: Some(field.into()),
        }
    }
}

type First = RefCell<Option<(String, Fault)>>;

/// A value and where it stands.
struct Place<'a> {
    value: &'a Value,
    path: String,
    first: &'a First,
}

impl Place<'_> {
    fn note<T>(first: &First, path: &str, result: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault) = &result
            && let Ok(mut first) = first.try_borrow_mut()
            && first.is_none()
        {
            let path = fault.missing.as_ref().map_or_else(|| path.to_owned(), |field| join(path, field));
            *first = Some((path, fault.clone()));
        }
        result
    }
}

impl<'de> de::Deserializer<'de> for Place<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let (first, path) = (self.first, self.path.as_str());
        let result = match self.value {
            Value::String(text) => visitor.visit_str(text),
            Value::Integer(x) => visitor.visit_i64(*x),
            Value::Float(x) => visitor.visit_f64(*x),
            Value::Boolean(x) => visitor.visit_bool(*x),
            Value::Datetime(x) => visitor.visit_string(x.to_string()),
            Value::Array(items) => visitor.visit_seq(Items { items: items.iter(), index: 0, path, first }),
            Value::Table(table) => visitor.visit_map(Entries::new(table, path, first)),
        };
        Self::note(first, path, result)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let (first, path) = (self.first, self.path.clone());
        let result = match self.value {
            Value::String(name) => visitor.visit_enum(Choice { name, content: None, place: &self }),
            Value::Table(table) if table.len() == 1 => match table.iter().next() {
                Some((name, content)) => {
                    visitor.visit_enum(Choice { name, content: Some(content), place: &self })
                }
                None => Err(Fault::custom("an empty table")),
            },
            other => Err(Fault {
                value: format!("a value of type {}", other.type_str()),
                accepted: format!("one of {}", variants.join(", ")),
                missing: None,
            }),
        };
        Self::note(first, &path, result)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'a> {
    items: std::slice::Iter<'a, Value>,
    index: usize,
    path: &'a str,
    first: &'a First,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(value) = self.items.next() else { return Ok(None) };
        let path = format!("{}[{}]", self.path, self.index);
        self.index = self.index.saturating_add(1);
        let result = seed.deserialize(Place { value, path: path.clone(), first: self.first });
        Place::note(self.first, &path, result).map(Some)
    }
}

/// The entries of a table, its kind first: so the rest is read by the module's own type at once, and errors keep their
/// place.
struct Entries<'a> {
    entries: std::vec::IntoIter<(&'a String, &'a Value)>,
    next: Option<(&'a String, &'a Value)>,
    path: &'a str,
    first: &'a First,
}

impl<'a> Entries<'a> {
    fn new(table: &'a toml::Table, path: &'a str, first: &'a First) -> Self {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.as_str() != "kind");
        Self { entries: entries.into_iter(), next: None, path, first }
    }
}

impl<'de> MapAccess<'de> for Entries<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        self.next = self.entries.next();
        let Some((key, _)) = self.next else { return Ok(None) };
        let de: StrDeserializer<'_, Fault> = key.as_str().into_deserializer();
        Place::note(self.first, &join(self.path, key), seed.deserialize(de)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let Some((key, value)) = self.next.take() else {
            return Err(Fault::custom("a value without a key"));
        };
        let path = join(self.path, key);
        let result = seed.deserialize(Place { value, path: path.clone(), first: self.first });
        Place::note(self.first, &path, result)
    }
}

/// A choice: `"name"`, or `{ name = content }`.
struct Choice<'a> {
    name: &'a str,
    content: Option<&'a Value>,
    place: &'a Place<'a>,
}

impl<'a, 'de> EnumAccess<'de> for Choice<'a> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        let de: StrDeserializer<'a, Fault> = self.name.into_deserializer();
        Ok((seed.deserialize(de)?, self))
    }
}

impl Choice<'_> {
    fn inner(&self) -> Result<Place<'_>, Fault> {
        let value = self.content.ok_or_else(|| Fault {
            value: format!("\"{}\" alone", self.name),
            accepted: format!("{{ {} = ... }}", self.name),
            missing: None,
        })?;
        Ok(Place { value, path: join(&self.place.path, self.name), first: self.place.first })
    }
}

impl<'de> VariantAccess<'de> for Choice<'_> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        match self.content {
            None => Ok(()),
            Some(_) => Err(Fault {
                value: format!("\"{}\" with content", self.name),
                accepted: format!("\"{}\" alone", self.name),
                missing: None,
            }),
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        let inner = self.inner()?;
        let (first, path) = (inner.first, inner.path.clone());
        Place::note(first, &path, seed.deserialize(inner))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_any(self.inner()?, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        de::Deserializer::deserialize_any(self.inner()?, visitor)
    }
}
