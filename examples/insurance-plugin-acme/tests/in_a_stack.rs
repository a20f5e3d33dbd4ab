//! The layer in a stack file: listed, refused by field, and paying what its terms say, event by event.

use acme_reinstated_excess as _;

use cofferdam_insurance_layer::core_values::{Holder, LayerId};
use cofferdam_testkit::{
    Scene, conservation,
    stack::{Answer, Fact, StackConfig, modules},
};

const STACK: &str = include_str!("../stack.toml");
const ACME: LayerId = LayerId(1);

fn config(text: &str) -> StackConfig {
    StackConfig::from_toml(text, "stack.toml").unwrap()
}

/// Group `loser` goes long 10 at 1000 on a margin of 1000 and is closed at `price` against group 1.
fn crash(scene: &mut Scene, loser: u32, price: &str) {
    let _ = scene.quote("ETH-PERP", "1000");
    let _ = scene.deposit(loser, "USDT", "1000");
    assert_eq!(scene.trade(loser, 1, "ETH-PERP", "10", "1000"), Answer::Done);
    let _ = scene.quote("ETH-PERP", price);
    assert_eq!(scene.fill(loser, 1, price), Answer::Done);
    conservation::check(scene.bench().state()).unwrap();
}

fn scene(text: &str) -> Scene {
    let mut scene = Scene::new(&config(text));
    let _ = scene.quote("ETH-PERP", "1000");
    let _ = scene.deposit(1, "USDT", "100000");
    scene
}

/// What each draw took from which layer, in USDT.
fn draws(scene: &Scene) -> Vec<(u32, i128)> {
    let facts = scene.bench().history().steps.iter().flat_map(|(_, facts)| facts);
    facts
        .filter_map(|f| match f {
            Fact::Drawn(d) => Some((d.layer.0, d.value.get() / 1_000_000)),
            _ => None,
        })
        .collect()
}

#[test]
fn it_is_listed() {
    let all = modules();
    let own = all.iter().find(|m| m.kind == "acme/reinstated-excess@1").unwrap();
    let names: Vec<_> = own.parameters.iter().map(|p| p.name).collect();
    assert_eq!(names, ["deductible", "limit", "reinstatements", "growth"]);
}

#[test]
fn a_parameter_is_refused_where_it_stands() {
    for (from, to, message) in [
        (
            "reinstatements = 1",
            "reinstatements = 21",
            "stack.toml: insurance.layers[1].terms.reinstatements: 21; accepted: 0 to 20",
        ),
        (
            "limit = \"1000\"",
            "limit = \"0\"",
            "stack.toml: insurance.layers[1].terms.limit: \"0\"; accepted: above zero",
        ),
        (
            "growth = \"0.25\"",
            "growth = \"1.5\"",
            "stack.toml: insurance.layers[1].terms.growth: \"1.5\"; accepted: 0 to 1",
        ),
    ] {
        let text = STACK.replace(from, to);
        assert_eq!(config(&text).build().unwrap_err().to_string(), message);
    }
}

#[test]
fn it_pays_event_by_event() {
    let mut scene = scene(STACK);
    // 10 x 250 lost on a margin of 1000: 1500 missing. The fund has 300; the band is 500 to 1500; nobody is left to pay 200,
    // since the winner was closed with the loser.
    crash(&mut scene, 2, "750");
    assert_eq!(draws(&scene), [(0, 300), (1, 1000)]);
    assert_eq!(scene.held(Holder::Layer(ACME), "USDT"), "4000");
    assert_eq!(scene.deficit("USDT"), "200");
    // in the same event there is no second limit
    crash(&mut scene, 3, "750");
    assert_eq!(draws(&scene).len(), 2);

    // another event: 1500 missing, of which the deductible of 500 + 1000 / 4 is not insured
    let _ = scene.wait(200_000);
    crash(&mut scene, 4, "750");
    assert_eq!(draws(&scene)[2..], [(1, 750)]);
    // a third: 500 + 1750 / 4 to deduct, but of two limits 250 are left
    let _ = scene.wait(200_000);
    crash(&mut scene, 5, "750");
    assert_eq!(draws(&scene)[3..], [(1, 250)]);
    let _ = scene.wait(200_000);
    crash(&mut scene, 6, "750");
    assert_eq!(draws(&scene).len(), 4);
    assert_eq!(scene.held(Holder::Layer(ACME), "USDT"), "3000");
    // five times 1500 were missing, 300 + 2000 were paid
    assert_eq!(scene.deficit("USDT"), "5200");
}
