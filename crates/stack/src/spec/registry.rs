//! Which kinds there are: what link-time registration found, and what was registered by hand.

use super::{
    AccrualSpec, AllocationSpec, BreakerSpec, ConfigError, CurveSpec, GuardSpec, LayerSpec, LiquidationSpec,
    MarginSpec, PlacementSpec, PoolSpec, PriceSpec, RequirementSpec, read,
};
use serde::de::DeserializeOwned;
use std::{collections::BTreeMap, fmt};
use toml::Value;

/// Where a module belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Room {
    /// `prices[].policy`.
    Price,
    /// `pools[]`.
    Pool,
    /// `accruals[].rule`.
    Accrual,
    /// `accruals[].rule.curve`.
    Curve,
    /// `margin`.
    Margin,
    /// `margin.markets[].requirement`.
    Requirement,
    /// `liquidation`.
    Liquidation,
    /// `guards[]`.
    Guard,
    /// `insurance.layers[].terms`.
    Layer,
    /// `allocation`.
    Allocation,
    /// `breakers[]`.
    Breaker,
    /// `placement`.
    Placement,
}

impl fmt::Display for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Price => "price",
            Self::Pool => "pool",
            Self::Accrual => "accrual",
            Self::Curve => "curve",
            Self::Margin => "margin",
            Self::Requirement => "requirement",
            Self::Liquidation => "liquidation",
            Self::Guard => "guard",
            Self::Layer => "layer",
            Self::Allocation => "allocation",
            Self::Breaker => "breaker",
            Self::Placement => "placement",
        })
    }
}

/// A parameter of a module, as the file writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its field.
    pub name: &'static str,
    /// Its unit or type.
    pub unit: &'static str,
    /// What it is when it is left out; `None`: it has to be there.
    pub default: Option<&'static str>,
    /// What it means.
    pub meaning: &'static str,
}

/// A law that a module breaks by design.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Its number: 19 is INV-19.
    pub invariant: u16,
    /// How.
    pub how: &'static str,
}

/// What a kind of module is. Third parties submit their own beside their spec:
///
/// ```
/// use cofferdam_stack::{ModuleInfo, Room};
/// inventory::submit! {
///     ModuleInfo {
///         kind: "acme/parametric-cover@1", room: Room::Layer, summary: "Pays a fixed sum when a market halves.",
///         parameters: &[], breaks: &[],
///     }
/// }
/// # fn main() { assert!(cofferdam_stack::modules().iter().any(|m| m.kind == "acme/parametric-cover@1")); }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModuleInfo {
    /// `org/name@1`.
    pub kind: &'static str,
    /// Where it belongs.
    pub room: Room,
    /// One line.
    pub summary: &'static str,
    /// What can be set.
    pub parameters: &'static [Parameter],
    /// Which laws it breaks.
    pub breaks: &'static [Breach],
}

inventory::collect!(ModuleInfo);

/// All modules that link-time registration found, by room and kind.
#[must_use]
pub fn modules() -> Vec<ModuleInfo> {
    let mut all: Vec<ModuleInfo> = inventory::iter::<ModuleInfo>.into_iter().copied().collect();
    all.sort_by_key(|m| (m.room, m.kind));
    all
}

/// Why something cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// A kind that is not `org/name@1`.
    #[error("{kind:?} is not a kind; accepted: org/name@1, lower-case letters, digits and hyphens")]
    Malformed {
        /// The kind.
        kind: String,
    },
    /// A kind that this room has already.
    #[error("{kind} is registered twice for the room {room}")]
    Twice {
        /// The kind.
        kind: String,
        /// Where.
        room: Room,
    },
}

pub(crate) fn is_kind(kind: &str) -> bool {
    let word = |w: &str| {
        !w.is_empty()
            && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !w.starts_with('-')
    };
    let Some((org, rest)) = kind.split_once('/') else { return false };
    let Some((name, version)) = rest.split_once('@') else { return false };
    word(org) && word(name) && version.parse::<u32>().is_ok_and(|v| v > 0) && !version.starts_with(['+', '0'])
}

type Constructor<T> = Box<dyn Fn(Value) -> Result<Box<T>, String> + Send + Sync>;
type Constructors<T> = BTreeMap<String, Constructor<T>>;

/// A spec trait that a file can name modules of; implemented for the spec traits of this crate.
pub trait SpecTrait: sealed::Slot {
    /// The room its modules belong to.
    const ROOM: Room;
}

mod sealed {
    use super::{Constructors, Registry};
    pub trait Slot {
        fn table(registry: &Registry) -> &Constructors<Self>;
        fn table_mut(registry: &mut Registry) -> &mut Constructors<Self>;
    }
}

macro_rules! rooms {
    ($($field:ident $spec:ident $room:ident),* $(,)?) => {
        /// Kinds registered by hand, for platforms where link-time registration does not run, and for kinds that are made
        /// at run time (a component loaded from disk). They are found wherever the file's own sections name a module:
        /// `prices[].policy`, `pools[]`, `accruals[].rule`, `margin`, `liquidation`, `guards[]`, `insurance.layers[].terms`,
        /// `allocation`, `breakers[]` and `placement`. What stands inside another module's table is read by that module.
        ///
        /// ```
        /// use cofferdam_stack::{BreakerSpec, Context, ConfigError, Registry};
        /// # fn read(table: toml::Value) -> Result<Box<dyn BreakerSpec>, String> { Err(table.to_string()) }
        /// let mut registry = Registry::default();
        /// registry.register::<dyn BreakerSpec>("acme/night-watch@1", |table| read(table))?;
        /// assert!(registry.register::<dyn BreakerSpec>("night watch", |table| read(table)).is_err());
        /// # Ok::<(), cofferdam_stack::RegistryError>(())
        /// ```
        #[derive(Default)]
        pub struct Registry {
            $($field: Constructors<dyn $spec>,)*
        }

        impl fmt::Debug for Registry {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut list = f.debug_list();
                $(list.entries(self.$field.keys().map(|kind| (Room::$room, kind)));)*
                list.finish()
            }
        }

        $(
            impl sealed::Slot for dyn $spec {
                fn table(registry: &Registry) -> &Constructors<Self> {
                    &registry.$field
                }
                fn table_mut(registry: &mut Registry) -> &mut Constructors<Self> {
                    &mut registry.$field
                }
            }
            impl SpecTrait for dyn $spec {
                const ROOM: Room = Room::$room;
            }
        )*
    };
}

rooms! {
    price PriceSpec Price, pool PoolSpec Pool, accrual AccrualSpec Accrual, curve CurveSpec Curve,
    margin MarginSpec Margin, requirement RequirementSpec Requirement, liquidation LiquidationSpec Liquidation,
    guard GuardSpec Guard, layer LayerSpec Layer, allocation AllocationSpec Allocation, breaker BreakerSpec Breaker,
    placement PlacementSpec Placement,
}

impl Registry {
    /// Adds a kind to the room of `T`. The constructor is given the module's table without `kind` (and without `name`, where
    /// the section has one). Refuses a malformed kind and one that the room has already.
    pub fn register<T: SpecTrait + ?Sized + 'static>(
        &mut self,
        kind: &str,
        constructor: impl Fn(Value) -> Result<Box<T>, String> + Send + Sync + 'static,
    ) -> Result<(), RegistryError> {
        if !is_kind(kind) {
            return Err(RegistryError::Malformed { kind: kind.into() });
        }
        let linked = inventory::iter::<ModuleInfo>.into_iter().any(|m| m.room == T::ROOM && m.kind == kind);
        if linked || T::table(self).contains_key(kind) {
            return Err(RegistryError::Twice { kind: kind.into(), room: T::ROOM });
        }
        T::table_mut(self).insert(kind.into(), Box::new(constructor));
        Ok(())
    }

    /// Reads the module table that stands at `path`.
    pub(crate) fn module<T: SpecTrait + ?Sized>(
        &self,
        mut value: Value,
        file: &str,
        path: &str,
    ) -> Result<Box<T>, ConfigError>
    where
        Box<T>: DeserializeOwned,
    {
        let own = T::table(self);
        let kind = value.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(make) = own.get(&kind) else {
            return read::read(&value, file, path).map_err(|mut error: ConfigError| {
                if error.path == read::join(path, "kind") {
                    own.keys().for_each(|k| error.accepted.push_str(&format!(", {k}")));
                }
                error
            });
        };
        if let Some(table) = value.as_table_mut() {
            table.remove("kind");
        }
        make(value).map_err(|said| ConfigError::new(file, path, said, format!("the parameters of {kind}")))
    }
}
