//! A component that a stack file names: it pays what its terms say, and replaying the facts needs no component.

use cofferdam_insurance_layer::core_values::{Holder, LayerId};
use cofferdam_plugin_host as _;
use cofferdam_testkit::{
    Scene, conservation,
    stack::{Answer, Fact, StackConfig, State, modules},
};

const STACK: &str = include_str!("stack.toml");

fn config(text: &str) -> StackConfig {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/stack.toml");
    let all = include_str!("components/SHA256SUMS");
    let hash = all
        .lines()
        .find(|l| l.ends_with("acme-shared-excess.wasm"))
        .unwrap()
        .split_whitespace()
        .next()
        .unwrap();
    StackConfig::from_toml(&text.replace("SHA256", hash), here).unwrap()
}

#[test]
fn it_pays_in_a_stack_and_its_answers_are_recorded() {
    assert!(modules().iter().any(|m| m.kind == "cofferdam/wasm@1"));
    let mut scene = Scene::new(&config(STACK));
    let start = scene.bench().state().genesis();
    let _ = scene.quote("ETH-PERP", "1000");
    let _ = scene.deposit(1, "USDT", "100000");
    let _ = scene.deposit(2, "USDT", "1000");
    assert_eq!(scene.trade(2, 1, "ETH-PERP", "10", "1000"), Answer::Done);
    let _ = scene.quote("ETH-PERP", "750");
    assert_eq!(scene.fill(2, 1, "750"), Answer::Done);
    conservation::check(scene.bench().state()).unwrap();
    // 1500 missing: half of what lies beyond 500 is the component's, the rest the fund's
    assert_eq!(scene.held(Holder::Layer(LayerId(0)), "USDT"), "4500");
    assert_eq!(scene.held(Holder::Layer(LayerId(1)), "USDT"), "2000");
    let facts: Vec<Fact> =
        scene.bench().history().steps.iter().flat_map(|(_, facts)| facts.clone()).collect();
    let mut replayed = State::from(start);
    for fact in &facts {
        replayed.evolve(fact).unwrap();
    }
    assert_eq!(replayed.hash(), scene.bench().state().hash());
}

#[test]
fn what_is_wrong_with_it_is_refused_where_it_stands() {
    for (from, to, message) in [
        ("sha256 = \"SHA256\"", "sha256 = \"00\"", "insurance.layers[0].terms.sha256: \"00\"; accepted: \""),
        (
            "acme-shared-excess.wasm",
            "absent.wasm",
            "insurance.layers[0].terms.file: \"components/absent.wasm\"",
        ),
        (
            "deductible = \"500000000\"",
            "deductible = \"-1\"",
            "deductible is \"-1\"; accepted is a whole number",
        ),
        ("memory_mib = 8", "memory_mib = 0", "insurance.layers[0].terms.memory_mib: 0; accepted: 1 to 1024"),
        ("fuel = 1000000", "fuel = 10", "all fuel consumed"),
    ] {
        let said = config(&STACK.replace(from, to)).build().unwrap_err().to_string();
        assert!(said.contains(message), "{said}");
    }
}
