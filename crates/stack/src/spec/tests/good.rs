//! Files that build, and what comes out of them.

use super::super::{read, *};
use super::{LENDING, PERPETUAL, PORTFOLIO};
use cofferdam_circuit_breaker::CircuitBreaker;
use cofferdam_core::*;
use std::collections::BTreeSet;
use toml::Value;

fn built(text: &str) -> Built {
    StackConfig::from_toml(text, "stack.toml").and_then(|c| c.build()).unwrap_or_else(|e| panic!("{e}"))
}

fn kinds(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Table(t) => {
            found.extend(t.get("kind").and_then(Value::as_str).map(str::to_owned));
            t.values().for_each(|v| kinds(v, found));
        }
        Value::Array(items) => items.iter().for_each(|v| kinds(v, found)),
        _ => {}
    }
}

#[test]
fn both_files_build_and_use_every_kind() {
    let (perpetual, lending) = (built(PERPETUAL), built(LENDING));
    assert_eq!(perpetual.names.markets(), ["ETH-PERP", "BTC-PERP", "SOL-PERP"]);
    assert_eq!(perpetual.names.breaker("throttle"), Some(2));
    assert_eq!(perpetual.names.layer_name(LayerId(5)), Some("fund"));
    assert_eq!(perpetual.stack.parts().markets[0].scale.quanta_per_lot_tick(), 10);
    assert_eq!(lending.names.pool("usdc-pool"), Some(PoolId(0)));
    assert_eq!(built(PORTFOLIO).names.markets(), ["ETH-FUT", "ETH-3200-C", "BTC-FUT"]);
    let mut used = BTreeSet::new();
    for text in [PERPETUAL, LENDING, PORTFOLIO] {
        kinds(&Value::Table(text.parse().unwrap()), &mut used);
    }
    let all: BTreeSet<String> = modules().iter().map(|m| m.kind.to_owned()).collect();
    assert_eq!(used, all);
}

#[test]
fn commitments_come_out_for_the_shell() {
    let fund = *built(PERPETUAL).commitments.last().unwrap();
    let expected = InitialCommitment {
        layer: LayerId(5),
        asset: AssetId(0),
        escrow: Amount::new(500_000_000_000),
        capacity: Quanta::new(Quanta::LIMIT), // what the ledger holds is the bound
        expires: Millis::MAX,
        escrowed: true,
    };
    assert_eq!(fund, expected);
    let first = built(PERPETUAL).commitments[0];
    assert_eq!(
        (first.escrow, first.escrowed, first.expires),
        (Amount::ZERO, false, Millis(1_700_000_000_000))
    );
}

#[test]
fn what_breaks_a_law_says_so() {
    let config = StackConfig::from_toml(PERPETUAL, "stack.toml").unwrap();
    let list: Vec<String> = config
        .broken_laws()
        .iter()
        .map(|b| format!("{}: {} breaks INV-{}: {}", b.path, b.kind, b.invariant, b.how))
        .collect();
    insta::assert_snapshot!(list.join("\n"));
}

#[test]
fn specs_are_written_as_they_are_read() {
    let config = StackConfig::from_toml(PERPETUAL, "stack.toml").unwrap();
    let written = Value::try_from(&config.liquidation).unwrap();
    let again: Box<dyn LiquidationSpec> = read::read(&written, "", "").unwrap();
    assert_eq!(Value::try_from(&again).unwrap(), written);
    assert_eq!(written["kind"].as_str(), Some("cofferdam/tiers@1"));
    assert_eq!(written["tiers"][0]["strategy"]["limit"]["band"].as_str(), Some("0.05"));
}

#[test]
fn a_kind_registered_by_hand_is_found_and_listed() {
    let mut registry = Registry::default();
    let lag = |table: Value| {
        let name = table.get("asset").and_then(Value::as_str).ok_or("asset is missing")?.to_owned();
        let kind = "cofferdam/withdrawal-rate-limit@1";
        let text = format!("kind = {kind:?}\nasset = {name:?}\nbaseline = '1'\nperiod_ms = 1000");
        Value::Table(text.parse().unwrap()).try_into::<Box<dyn BreakerSpec>>().map_err(|e| e.to_string())
    };
    registry.register::<dyn BreakerSpec>("acme/lag@1", lag).unwrap();
    assert!(registry.register::<dyn BreakerSpec>("acme/lag@1", lag).is_err());
    assert!(registry.register::<dyn BreakerSpec>("cofferdam/price-band@1", lag).is_err());
    let with = |text: &str| StackConfig::from_toml_with(text, "stack.toml", &registry).map(|c| c.build());
    let row =
        |body: &str| LENDING.replace("[event]", &format!("[[breakers]]\nname = 'lag'\n{body}\n[event]"));
    let built = with(&row("kind = 'acme/lag@1'\nasset = 'ETH'")).unwrap().unwrap();
    let _: &dyn CircuitBreaker = &*built.stack.parts().breakers[1];
    assert_eq!(built.names.breaker("lag"), Some(1));
    let error = with(&row("kind = 'acme/lag@1'")).unwrap_err();
    assert_eq!((error.path.as_str(), error.value.as_str()), ("breakers[1]", "asset is missing"));
    let error = with(&row("kind = 'acme/log@1'")).unwrap_err();
    assert!(error.accepted.ends_with("cofferdam/withdrawal-rate-limit@1, acme/lag@1"), "{error}");
}

#[test]
fn the_workload_files_build() {
    for (name, assets, markets) in [("perp", 1, 16), ("lending", 17, 0)] {
        let path = format!("{}/../../examples/workload/{name}.toml", env!("CARGO_MANIFEST_DIR"));
        let built = StackConfig::load(&path).and_then(|c| c.build()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!((built.names.assets().len(), built.names.markets().len()), (assets, markets), "{name}");
    }
}
