//! JSON that somebody wrote: read with a limit on its size, without duplicate keys, and with an error that names the file,
//! the place in it, the value there and what would be accepted.

use crate::error::CliError;
use serde::de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest input that is read: a million accounts as JSON. Configuration has a smaller limit of its own.
pub(crate) const INPUT_BYTES_MAX: u64 = 64 << 20;

/// A value is shown with at most so many characters.
const SHOWN_CHARS_MAX: usize = 60;

/// The text of a file, or of standard input for `-`. Errors on a missing file, one that is too large, or is not UTF-8.
pub(crate) fn read_text(path: &Path) -> Result<String, CliError> {
    let mut bytes = Vec::new();
    let limit = INPUT_BYTES_MAX.saturating_add(1);
    let read = if path.as_os_str() == "-" {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(path).and_then(|f| f.take(limit).read_to_end(&mut bytes))
    };
    let name = name_of(path);
    read.map_err(|e| CliError::BadInput(format!("{name}: cannot be read: {e}; accepted: a file that can")))?;
    if bytes.len() as u64 > INPUT_BYTES_MAX {
        let accepted = format!("accepted: at most {INPUT_BYTES_MAX} bytes");
        return Err(CliError::BadInput(format!("{name}: more bytes than are read; {accepted}")));
    }
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        CliError::BadInput(format!("{name}: byte {at} is not UTF-8; accepted: text in UTF-8"))
    })
}

fn name_of(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".into() } else { path.display().to_string() }
}

/// A JSON document and where it came from.
#[derive(Debug)]
pub(crate) struct Document {
    name: String,
    folder: PathBuf,
    root: Value,
}

impl Document {
    /// Reads a file, or standard input for `-`.
    pub(crate) fn read(path: &Path) -> Result<Self, CliError> {
        let text = read_text(path)?;
        let name = name_of(path);
        let Strict(root) =
            serde_json::from_str(&text).map_err(|e| CliError::BadInput(format!("{name}: not JSON: {e}")))?;
        let folder = path.parent().map(Path::to_path_buf).unwrap_or_default();
        Ok(Self { name, folder, root })
    }

    /// A value that did not come as JSON, under the name of where it came from.
    pub(crate) fn of(name: String, root: Value) -> Self {
        Self { name, folder: PathBuf::new(), root }
    }

    /// The folder that relative paths inside the document start from.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The whole of it as a `T`.
    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, CliError> {
        serde_path_to_error::deserialize(&self.root).map_err(|e| {
            let place = self.place(e.path());
            let what = e.inner().to_string();
            // serde's own words say what is wrong with it and what was expected instead
            CliError::BadInput(format!("{place}: {}; {what}", place.shown()))
        })
    }

    /// The document itself as a place.
    pub(crate) fn top(&self) -> Place<'_> {
        Place { name: &self.name, path: String::new(), value: Some(&self.root) }
    }

    fn place(&self, path: &serde_path_to_error::Path) -> Place<'_> {
        use serde_path_to_error::Segment;
        path.iter().fold(self.top(), |at, segment| match segment {
            Segment::Seq { index } => at.item(*index),
            Segment::Map { key } => at.field(key),
            Segment::Enum { variant } => at.field(variant),
            Segment::Unknown => at,
        })
    }
}

/// A place in a document, for messages: `input.json: groups[0].id`.
#[derive(Clone, Debug)]
pub(crate) struct Place<'a> {
    name: &'a str,
    path: String,
    value: Option<&'a Value>,
}

impl<'a> Place<'a> {
    /// The field of an object.
    pub(crate) fn field(&self, key: &str) -> Self {
        let path = if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) };
        Self { name: self.name, path, value: self.value.and_then(|v| v.get(key)) }
    }

    /// The item of a list.
    pub(crate) fn item(&self, index: usize) -> Self {
        let path = format!("{}[{index}]", self.path);
        Self { name: self.name, path, value: self.value.and_then(|v| v.get(index)) }
    }

    /// The value there, if there is one.
    pub(crate) fn value(&self) -> Option<&'a Value> {
        self.value
    }

    /// The value there, shortened.
    pub(crate) fn shown(&self) -> String {
        let text = self.value.map_or_else(|| "absent".to_owned(), Value::to_string);
        match text.char_indices().nth(SHOWN_CHARS_MAX) {
            Some((cut, _)) => format!("{}...", text.get(..cut).unwrap_or_default()),
            None => text,
        }
    }
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)?;
        if self.path.is_empty() { Ok(()) } else { write!(f, ": {}", self.path) }
    }
}

/// JSON in which a key stands at most once per object.
struct Strict(Value);

impl<'de> Deserialize<'de> for Strict {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(StrictVisitor).map(Strict)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }
    fn visit_bool<E>(self, x: bool) -> Result<Value, E> {
        Ok(x.into())
    }
    fn visit_i64<E>(self, x: i64) -> Result<Value, E> {
        Ok(x.into())
    }
    fn visit_u64<E>(self, x: u64) -> Result<Value, E> {
        Ok(x.into())
    }
    fn visit_f64<E>(self, x: f64) -> Result<Value, E> {
        Ok(x.into())
    }
    fn visit_str<E>(self, x: &str) -> Result<Value, E> {
        Ok(x.into())
    }
    fn visit_string<E>(self, x: String) -> Result<Value, E> {
        Ok(x.into())
    }
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(Strict(item)) = list.next_element()? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = serde_json::Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key \"{key}\" stands twice; accepted: once")));
            }
            let Strict(value) = map.next_value()?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}
