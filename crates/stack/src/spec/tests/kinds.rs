//! The list of modules says what typetag can build, no more and no less.

use super::super::{registry, *};
use serde::de::DeserializeOwned;
use toml::Value;

// An unknown kind lists what is available: that is typetag's own list.
fn linked<T: SpecTrait + std::fmt::Debug + ?Sized>() -> Vec<(Room, String)>
where
    Box<T>: DeserializeOwned,
{
    let value: Value = Value::Table([("kind".to_owned(), Value::String("?".into()))].into_iter().collect());
    let error = super::super::read::read::<Box<T>>(&value, "", "").unwrap_err();
    assert_eq!(error.path, "kind");
    error.accepted.split(", ").map(|k| (T::ROOM, k.to_owned())).collect()
}

#[test]
fn every_kind_has_an_entry_and_every_entry_a_kind() {
    let mut kinds = [
        linked::<dyn PriceSpec>(),
        linked::<dyn PoolSpec>(),
        linked::<dyn AccrualSpec>(),
        linked::<dyn CurveSpec>(),
        linked::<dyn MarginSpec>(),
        linked::<dyn RequirementSpec>(),
        linked::<dyn LiquidationSpec>(),
        linked::<dyn GuardSpec>(),
        linked::<dyn LayerSpec>(),
        linked::<dyn AllocationSpec>(),
        linked::<dyn BreakerSpec>(),
    ]
    .concat();
    kinds.sort();
    let listed: Vec<_> = modules().iter().map(|m| (m.room, m.kind.to_owned())).collect();
    assert_eq!(kinds, listed);
}

#[test]
fn kinds_are_unique_and_well_formed() {
    let mut kinds: Vec<&str> = modules().iter().map(|m| m.kind).collect();
    for m in modules() {
        assert!(registry::is_kind(m.kind), "{}", m.kind);
        assert!(
            m.summary.ends_with('.') && m.parameters.iter().all(|p| p.meaning.ends_with('.')),
            "{}",
            m.kind
        );
    }
    kinds.sort_unstable();
    let count = kinds.len();
    kinds.dedup();
    assert_eq!(kinds.len(), count);
    for bad in [
        "",
        "fund",
        "acme/fund",
        "acme/fund@0",
        "acme/fund@01",
        "acme/fund@+1",
        "Acme/fund@1",
        "/fund@1",
        "a/b@1@2",
    ] {
        assert!(!registry::is_kind(bad), "{bad}");
    }
}

#[test]
fn the_list_of_modules() {
    let list: Vec<String> = modules()
        .iter()
        .map(|m| {
            let fields: Vec<&str> = m.parameters.iter().map(|p| p.name).collect();
            let laws: String = m.breaks.iter().map(|b| format!("; breaks INV-{}", b.invariant)).collect();
            format!("{} {}({}){laws}", m.room, m.kind, fields.join(", "))
        })
        .collect();
    insta::assert_snapshot!(list.join("\n"));
}
