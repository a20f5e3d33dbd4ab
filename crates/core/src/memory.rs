//! Memory belongs to the stack. A module's cool-downs, ramps, budgets and averages are small bounded records, keyed by the
//! module's slot and a scope. A module reads and writes them through [`Memory`]; the stack turns each change into a fact.

use crate::{AssetId, AuctionId, EventId, GroupId, LayerId, MarketId, MathError, PoolId};
use alloc::{collections::BTreeMap, vec::Vec};
use core::fmt;

/// The longest record, in bytes, its version included.
const RECORD_BYTES_MAX: usize = 1024;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Scope {
    /// The whole stack.
    All,
    /// One asset.
    Asset(AssetId),
    /// One market.
    Market(MarketId),
    /// One margin group.
    Group(GroupId),
    /// One margin group in one market.
    GroupMarket(GroupId, MarketId),
    /// One pool.
    Pool(PoolId),
    /// One auction.
    Auction(AuctionId),
    /// One insurance layer.
    Layer(LayerId),
    /// One deleveraging event.
    Event(EventId),
    /// A numbered part of one pool's history: what a module keeps of a time that is over and still owes somebody something.
    PoolPart(PoolId, u64),
}

/// Which module a record belongs to: the position of the module in the composed stack. A module that contains others gives
/// each its own child slot, so two nodes of a tree never share a record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct Slot(pub u64);

impl Slot {
    /// The slot of child `index` (0 to 30) of this module. Trees may be twelve levels deep.
    pub fn child(self, index: u8) -> Result<Self, MemoryError> {
        if index > 30 || self.0 >> 59 != 0 {
            return Err(MemoryError::TooDeep);
        }
        Ok(Self((self.0 << 5) | u64::from(index.wrapping_add(1))))
    }
}

/// What reading or writing a record can refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryError {
    /// The record ends before its last field.
    Truncated,
    /// The record goes on after its last field.
    TooLong,
    /// The record was written by a version this module cannot read.
    Version {
        /// The version found.
        found: u8,
    },
    /// A tree of modules is more than twelve levels deep or a node has more than 31 children.
    TooDeep,
}

impl fmt::Display for MemoryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Truncated => f.write_str("a memory record ends before its last field"),
            Self::TooLong => {
                write!(f, "a memory record is longer than its fields or than {RECORD_BYTES_MAX} bytes")
            }
            Self::Version { found } => {
                write!(f, "a memory record has version {found}, which this module cannot read")
            }
            Self::TooDeep => {
                f.write_str("modules nest more than twelve deep or a module has more than 31 children")
            }
        }
    }
}

impl core::error::Error for MemoryError {}

impl From<MathError> for MemoryError {
    fn from(_: MathError) -> Self {
        Self::TooLong
    }
}

/// A bounded record. Absent records read as `Default`.
pub trait Record: Sized + Default {
    /// Version of the layout that [`Record::write`] produces.
    const VERSION: u8;

    /// Appends the fields.
    fn write(&self, to: &mut Writer);

    /// Reads the fields of a record written by `version`; older versions are migrated here, unknown ones refused with
    /// [`MemoryError::Version`].
    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError>;
}

/// Little-endian fields, appended.
#[derive(Debug, Default)]
pub struct Writer(Vec<u8>);

/// Little-endian fields, taken in order.
#[derive(Debug)]
pub struct Reader<'a>(&'a [u8]);

macro_rules! fields {
    ($($name:ident: $int:ty),*) => {
        impl Writer { $(
            #[doc = concat!("Appends a `", stringify!($int), "`.")]
            pub fn $name(&mut self, x: $int) -> &mut Self { self.0.extend_from_slice(&x.to_le_bytes()); self }
        )* }
        impl Reader<'_> { $(
            #[doc = concat!("Takes a `", stringify!($int), "`.")]
            pub fn $name(&mut self) -> Result<$int, MemoryError> {
                let (head, tail) = self.0.split_first_chunk().ok_or(MemoryError::Truncated)?;
                self.0 = tail;
                Ok(<$int>::from_le_bytes(*head))
            }
        )* }
    };
}
fields!(u8: u8, u32: u32, u64: u64, i64: i64, i128: i128, u128: u128);

/// Where records are kept: the stack's state, or a [`MapMemory`].
pub trait MemoryStore {
    /// The bytes of a record, its version first.
    fn record(&self, slot: Slot, scope: Scope) -> Option<&[u8]>;
}

/// Changes not yet applied.
pub type Writes = BTreeMap<(Slot, Scope), Vec<u8>>;

/// A module's view of its own records: it reads through to the store and keeps its own writes.
pub struct Memory<'a> {
    store: &'a dyn MemoryStore,
    writes: &'a mut Writes,
    slot: Slot,
}

impl fmt::Debug for Memory<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("slot", &self.slot)
            .field("writes", &self.writes)
            .finish_non_exhaustive()
    }
}

impl<'a> Memory<'a> {
    /// The memory of the module at `slot`, over a store and the writes collected so far.
    pub fn new(store: &'a dyn MemoryStore, writes: &'a mut Writes, slot: Slot) -> Self {
        Self { store, writes, slot }
    }

    /// The memory of child `index` of this module.
    pub fn child(&mut self, index: u8) -> Result<Memory<'_>, MemoryError> {
        Ok(Memory { store: self.store, slot: self.slot.child(index)?, writes: self.writes })
    }

    /// The record at `scope`, or its default.
    pub fn get<R: Record>(&self, scope: Scope) -> Result<R, MemoryError> {
        let key = (self.slot, scope);
        let bytes = self.writes.get(&key).map(Vec::as_slice).or_else(|| self.store.record(self.slot, scope));
        let Some((version, fields)) = bytes.and_then(<[u8]>::split_first) else { return Ok(R::default()) };
        let mut reader = Reader(fields);
        let record = R::read(*version, &mut reader)?;
        if reader.0.is_empty() { Ok(record) } else { Err(MemoryError::TooLong) }
    }

    /// Writes the record at `scope`. A value equal to the stored one is no change.
    pub fn set<R: Record>(&mut self, scope: Scope, record: &R) -> Result<(), MemoryError> {
        let mut writer = Writer(alloc::vec![R::VERSION]);
        record.write(&mut writer);
        if writer.0.len() > RECORD_BYTES_MAX {
            return Err(MemoryError::TooLong);
        }
        if self.store.record(self.slot, scope) == Some(writer.0.as_slice()) {
            self.writes.remove(&(self.slot, scope));
        } else {
            self.writes.insert((self.slot, scope), writer.0);
        }
        Ok(())
    }
}

/// A store of its own, for a module used alone and for tests.
///
/// ```
/// use cofferdam_core::{MapMemory, Memory, MemoryError, Reader, Record, Scope, Slot, Writer};
/// #[derive(Default)]
/// struct Cooldown { until_ms: u64 }
/// impl Record for Cooldown {
///     const VERSION: u8 = 1;
///     fn write(&self, to: &mut Writer) { to.u64(self.until_ms); }
///     fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
///         match version { 1 => Ok(Self { until_ms: from.u64()? }), found => Err(MemoryError::Version { found }) }
///     }
/// }
/// let mut store = MapMemory::default();
/// store.with(Slot(1), |m| m.set(Scope::All, &Cooldown { until_ms: 30 }))?;
/// assert_eq!(store.with(Slot(1), |m| m.get::<Cooldown>(Scope::All))?.until_ms, 30);
/// # Ok::<(), MemoryError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapMemory(BTreeMap<(Slot, Scope), Vec<u8>>);

impl MemoryStore for MapMemory {
    fn record(&self, slot: Slot, scope: Scope) -> Option<&[u8]> {
        self.0.get(&(slot, scope)).map(Vec::as_slice)
    }
}

impl MapMemory {
    /// Runs `f` on the memory of `slot` and keeps what it wrote.
    pub fn with<T>(&mut self, slot: Slot, f: impl FnOnce(&mut Memory<'_>) -> T) -> T {
        let mut writes = Writes::new();
        let out = f(&mut Memory::new(&*self, &mut writes, slot));
        self.0.extend(writes);
        out
    }

    /// Writes one record's bytes.
    pub fn put(&mut self, slot: Slot, scope: Scope, bytes: Vec<u8>) {
        self.0.insert((slot, scope), bytes);
    }

    /// All records in order.
    pub fn iter(&self) -> impl Iterator<Item = (&(Slot, Scope), &Vec<u8>)> {
        self.0.iter()
    }
}
