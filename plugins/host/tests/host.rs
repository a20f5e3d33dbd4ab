//! Components that were built from `examples/insurance-component-acme` and `tests/rogue` by `plugins/build-components`.

use cofferdam_insurance_layer::{
    InsuranceError, InsuranceLayer, Loss, LossCause, QuoteRequest, Standing, Trigger,
    core_values::{AssetId, EventId, LayerId, Millis, Ppb, Quanta},
};
use cofferdam_plugin_host::{Component, Limits, LoadError, WasmLayer};
use cofferdam_testkit::insurance;
use std::path::{Path, PathBuf};

const ACME: &str = "acme-shared-excess.wasm";
const ROGUE: &str = "rogue-layer.wasm";

/// The committed components, or those in the folder that `COFFERDAM_COMPONENTS` names: built anew.
fn path(name: &str) -> PathBuf {
    let committed = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/components");
    std::env::var_os("COFFERDAM_COMPONENTS").map_or_else(committed, PathBuf::from).join(name)
}

/// As a stack file names it: the hash stands beside the file.
fn hash(name: &str) -> String {
    let all = std::fs::read_to_string(path("SHA256SUMS")).unwrap();
    let line = all.lines().find(|l| l.ends_with(name)).unwrap();
    line.split_whitespace().next().unwrap().to_owned()
}

fn component(name: &str) -> Component {
    Component::load(&path(name), &hash(name)).unwrap()
}

fn parameters(all: &[(&str, &str)]) -> Vec<(String, String)> {
    all.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect()
}

fn acme(component: &Component) -> WasmLayer {
    let with = parameters(&[("deductible", "100"), ("share_ppb", "250000000")]);
    WasmLayer::new(component.clone(), with, Limits::default()).unwrap()
}

fn digest(bytes: &[u8]) -> String {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

fn loss(before: i128, amount: i128) -> Loss {
    Loss {
        event: Some(EventId(1)),
        of: None,
        market: None,
        asset: AssetId(0),
        cause: LossCause::Bankruptcy,
        amount: Quanta::new(amount),
        event_before: Quanta::new(before),
        total_before: Quanta::new(before),
    }
}

fn standing() -> Standing {
    let capacity = Quanta::new(1 << 100);
    Standing { layer: LayerId(1), capacity, drawn_event: Quanta::ZERO, drawn_total: Quanta::ZERO }
}

fn ask(layer: &WasmLayer, before: i128, amount: i128) -> Result<Quanta, InsuranceError> {
    layer.respond(&loss(before, amount), Quanta::new(amount), &standing())
}

#[test]
fn a_component_is_a_layer_like_any_other() {
    let component = component(ACME);
    insurance::layer(|| acme(&component)).passes();
    let layer = acme(&component);
    assert_eq!(
        (layer.described().id.as_str(), layer.described().trigger),
        ("acme/shared-excess", Trigger::Indemnity)
    );
    for (before, amount, paid) in
        [(0, 100, 0), (0, 500, 100), (50, 60, 2), (100, 4, 1), (0, 1 << 90, ((1 << 90) - 100) / 4)]
    {
        assert_eq!(ask(&layer, before, amount), Ok(Quanta::new(paid)), "{amount} after {before}");
    }
    // many in one call are the same as one by one
    let many: Vec<_> = (0..1_000).map(|i| (loss(i, 7 * i), Quanta::new(7 * i), standing())).collect();
    let one_by_one: Vec<_> = many.iter().map(|(l, left, s)| layer.respond(l, *left, s)).collect();
    assert_eq!(layer.respond_all(&many).unwrap(), one_by_one);
    let quote = |limit| QuoteRequest {
        at: Millis(0),
        exposure: Quanta::new(limit),
        term: Millis(365 * 86_400_000),
        attachment: Quanta::ZERO,
        limit: Quanta::new(limit),
        share: Ppb::ONE,
    };
    let said = layer.quote_all(&[quote(1_000), quote(0)]).unwrap();
    let refused = InsuranceError::NoAnswer("limit is 0; accepted is above zero, at most 2^80".into());
    assert_eq!(said, [Ok(Quanta::new(51)), Err(refused)]);
}

#[test]
fn a_component_is_the_one_that_was_named_and_takes_its_parameters() {
    let wrong = Component::load(&path(ACME), &hash(ROGUE)).unwrap_err();
    assert!(matches!(wrong, LoadError::Hash { .. }), "{wrong}");
    assert!(matches!(Component::load(&path("absent"), ""), Err(LoadError::Unreadable { .. })));
    let nonsense = b"no component";
    let own = "8b6a8d6a7d3e4f3c"; // of something else
    assert!(matches!(Component::new(nonsense, own), Err(LoadError::Hash { .. })));
    for (with, message) in [
        (parameters(&[("share_ppb", "1")]), "deductible is absent; accepted is a value for it"),
        (
            parameters(&[("deductible", "1"), ("share_ppb", "1e9")]),
            "share_ppb is \"1e9\"; accepted is a whole number from 0 to 1000000000",
        ),
    ] {
        let said = WasmLayer::new(component(ACME), with, Limits::default()).unwrap_err();
        assert_eq!(said.to_string(), message);
    }
}

/// What a component in another language or a hand-written one may import: nothing.
#[test]
fn who_imports_something_is_refused_by_its_name() {
    let text = "(component (import \"wasi:clocks/wall-clock@0.2.0\" (instance)))";
    let bytes = wat::parse_str(text).unwrap();
    let said = Component::new(&bytes, &digest(&bytes)).unwrap_err();
    assert_eq!(
        said.to_string(),
        "imports wasi:clocks/wall-clock@0.2.0; accepted is a component that imports nothing"
    );
}

#[test]
fn a_rogue_loses_its_say_and_nothing_else() {
    let component = component(ROGUE);
    let small = Limits { fuel: 50_000_000, memory: 4 << 20 }; // filling four MiB takes some
    for (how, said) in [
        ("loops", "all fuel consumed"),
        ("eats memory", "unreachable"), // its allocator gets none, and gives up
        ("overflows its stack", "call stack exhausted"),
        ("traps", "unreachable"),
        ("takes money", "-11 of 10 that are left"),
        ("pays more than is left", "21 of 10 that are left"),
        ("pays the largest number", "an amount beyond 2^120"),
        ("refuses", "today is not a good day"),
        ("talks", "xxxx"),
    ] {
        let layer = WasmLayer::new(component.clone(), parameters(&[("how", how)]), small).unwrap();
        for _ in 0..3 {
            let Err(InsuranceError::NoAnswer(words)) = ask(&layer, 0, 10) else {
                panic!("{how} has an answer")
            };
            assert!(words.contains(said) && words.len() <= 200, "{how}: {words}");
        }
        // a programme counts it as zero, and the next layer carries the gap
        let programme = cofferdam_insurance_layer::Programme::new(vec![
            cofferdam_insurance_layer::Entry::custom(LayerId(1), Box::new(layer)),
            cofferdam_insurance_layer::Entry::fund(LayerId(2)),
        ])
        .unwrap();
        let at = |layer| Standing { layer: LayerId(layer), ..standing() };
        let split =
            cofferdam_insurance_layer::LossWaterfall::allocate(&programme, &loss(0, 10), &[at(1), at(2)])
                .unwrap();
        let paid: Vec<_> = split.draws.iter().map(|d| (d.layer.0, d.amount.get())).collect();
        assert_eq!((paid, split.residual), (vec![(2, 10)], Quanta::ZERO), "{how}");
    }
}

#[test]
fn who_trapped_begins_anew_and_who_remembers_is_caught_by_the_suite() {
    let component = component(ROGUE);
    let rogue =
        |how| WasmLayer::new(component.clone(), parameters(&[("how", how)]), Limits::default()).unwrap();
    let layer = rogue("traps every second time");
    let said: Vec<bool> = (0..4).map(|_| ask(&layer, 0, 10).is_ok()).collect();
    assert_eq!(said, [true, false, true, false]);
    let found = insurance::layer(|| rogue("remembers"));
    assert!(found.findings.iter().any(|f| f.check.number() == "INS-20"), "{found:?}");
    for how in ["refuses its parameters", "loops while it is configured"] {
        let said = WasmLayer::new(component.clone(), parameters(&[("how", how)]), Limits::default());
        assert!(matches!(said, Err(LoadError::Configure(_))), "{how}");
    }
    assert!(matches!(rogue("takes money").quote_all(&[]), Ok(all) if all.is_empty()));
}

/// An unsigned LEB128.
fn put(mut number: usize, to: &mut Vec<u8>) {
    while number > 127 {
        to.push((number & 127) as u8 | 128);
        number >>= 7;
    }
    to.push(number as u8);
}

fn get(bytes: &[u8], at: &mut usize) -> usize {
    let (mut number, mut shift) = (0, 0);
    loop {
        let byte = bytes[*at];
        *at += 1;
        number |= usize::from(byte & 127) << shift;
        shift += 7;
        if byte < 128 {
            return number;
        }
    }
}

/// The rogue with one more core module, instantiated so often when it starts: sections that are appended to the file.
fn rogue_with(module: &str, instances: usize) -> Vec<u8> {
    let mut bytes = std::fs::read(path(ROGUE)).unwrap();
    let (mut at, mut modules) = (8, 0);
    while at < bytes.len() {
        modules += usize::from(bytes[at] == 1);
        at += 1;
        at += get(&bytes, &mut at);
    }
    let module = wat::parse_str(module).unwrap();
    bytes.push(1); // a core module
    put(module.len(), &mut bytes);
    bytes.extend(module);
    for _ in 0..instances {
        let mut section = vec![1, 0]; // one instance, of a module
        put(modules, &mut section);
        section.push(0); // without imports
        bytes.push(2);
        put(section.len(), &mut bytes);
        bytes.extend(section);
    }
    bytes
}

/// A bound on each memory and each table is none on all of them.
#[test]
fn what_a_component_is_made_of_is_bounded() {
    // deterministic: zero for what is no number, where the machine's own instruction says i32::MIN
    let no_number = "(module (func $f (if (v128.any_true (i32x4.relaxed_trunc_f32x4_s
        (v128.const f32x4 nan nan nan nan))) (then unreachable))) (start $f))";
    let tables = format!("(module {})", "(table 1 funcref)".repeat(64));
    for (module, instances, said) in [
        ("(module)", 1, None),
        ("(module)", 64, Some("instance count too high")),
        ("(module (memory 1))", 1, Some("memory count too high")),
        ("(module (table 65536 funcref))", 1, None),
        ("(module (table 65537 funcref))", 1, Some("exceeds table limits")),
        (&tables, 1, Some("table count too high")),
        (no_number, 1, None),
    ] {
        let bytes = rogue_with(module, instances);
        let component = Component::new(&bytes, &digest(&bytes)).unwrap();
        let found = WasmLayer::new(component, parameters(&[("how", "pays")]), Limits::default());
        match said {
            None => assert_eq!(ask(&found.unwrap(), 0, 10), Ok(Quanta::new(10)), "{instances} of {module}"),
            Some(said) => {
                let found = found.unwrap_err().to_string();
                assert!(found.contains(said), "{instances} of {module}: {found}");
            }
        }
    }
}
