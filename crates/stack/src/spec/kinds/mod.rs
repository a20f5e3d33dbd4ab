//! The built-in kinds, one file per room. A kind is its fields with units and meaning, the law it breaks, if any, and how
//! the module is built from it; nothing is written twice.

mod accruals;
mod allocation;
mod breakers;
mod insurance;
mod liquidation;
mod margin;
mod offset;
mod pools;
mod prices;
mod scenario;
mod shares;
mod traits;

pub use traits::{
    AccrualSpec, AllocationSpec, BreakerSpec, CurveSpec, GuardSpec, LayerSpec, LiquidationSpec, MarginSpec,
    PlacementSpec, PoolSpec, PriceSpec, RequirementSpec,
};

/// A spec struct and its entry in the list of modules. A field is `name: Type [unit]`, or `name: Option<Type> [unit,
/// default]` where it may be left out; its doc line is its meaning. A crate that uses it depends on `serde` (with `derive`) and
/// `inventory`; the spec trait of the room is implemented beside it, with `#[typetag::serde(name = "org/name@1")]`.
///
/// ```
/// cofferdam_stack::module! {
///     "acme/quiet-hours@1" Breaker breaks [];
///     /// Halves what may be withdrawn in quiet hours.
///     struct QuietHours {
///         /// When the night begins.
///         from_hour: u8 ["hour, UTC"],
///         /// When it ends.
///         to_hour: Option<u8> ["hour, UTC", "6"],
///     }
/// }
/// # fn main() { assert!(cofferdam_stack::modules().iter().any(|m| m.kind == "acme/quiet-hours@1")); }
/// ```
#[macro_export]
macro_rules! module {
    (
        $kind:literal $room:ident breaks [$($law:literal $how:literal),*];
        #[doc = $summary:literal]
        struct $name:ident { $(
            $(#[doc = $meaning:literal])+ $field:ident: $ty:ty [$unit:literal $(, $default:literal)?]
        ),* $(,)? }
    ) => {
        #[doc = $summary]
        #[derive(Debug, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        struct $name { $(
            $(#[doc = $meaning])+
            $(
                #[doc = concat!("Default: ", $default, ".")]
                #[serde(default, skip_serializing_if = "Option::is_none")]
            )?
            $field: $ty,
        )* }

        inventory::submit! {
            $crate::ModuleInfo {
                kind: $kind,
                room: $crate::Room::$room,
                summary: $summary.trim_ascii(),
                parameters: &[$($crate::Parameter {
                    name: stringify!($field),
                    unit: $unit,
                    default: { #[allow(unused_mut, unused_assignments)] { let mut d = None; $( d = Some($default); )? d } },
                    meaning: concat!($($meaning),+).trim_ascii(),
                },)*],
                breaks: &[$($crate::Breach { invariant: $law, how: $how },)*],
            }
        }
    };
}
pub(crate) use module;
