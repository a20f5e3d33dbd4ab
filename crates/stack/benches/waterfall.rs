//! What eight layers of insurance add to a liquidation that leaves a loss, and what the waterfall's answer takes of that: the same accounts
//! liquidated with insurance and without, in the same run. Without, the winner's gain answers; with, the layers pay at once and nothing is
//! left to allocate.
//!
//! Twelve rounds, of which the fastest counts: whoever else uses the machine only adds time.

use cofferdam_core::{AssetId, EventId, Quanta};
use cofferdam_insurance_layer::{Loss, LossCause, Standing};
use cofferdam_stack::{Engine, Fact};
use cofferdam_testkit::{
    Scene,
    stack::{Answer, StackConfig},
};
use std::{hint::black_box, time::Instant};

const ACCOUNTS: u32 = 200;
const ROUNDS: usize = 12;

const STACK: &str = r#"
[stack]
name = "waterfall"
quantum = "0.000001"

[[assets]]
name = "USDT"
decimals = 6
numeraire = true

[[markets]]
name = "ETH-PERP"
settlement = "USDT"
lot = "0.001"
tick = "0.001"
multiplier = "1"

[[prices]]
market = "ETH-PERP"
role = "mark"
policy = { kind = "cofferdam/latest@1" }

[margin]
kind = "cofferdam/cross-margin@1"
assets = [{ asset = "USDT" }]
markets = [{ market = "ETH-PERP", requirement = { kind = "cofferdam/flat@1", maintenance = "0.01", initial = "0.02" } }]

[liquidation]
kind = "cofferdam/full-close@1"
limit = "any"
penalty = { rate = "0", to_insurance = "0" }
ttl_ms = 3600000
"#;

const REST: &str = r#"
[allocation]
kind = "cofferdam/queue@1"

[event]
opens_at = "1"
window_ms = 60000
quiet_ms = 60000
"#;

/// A fund, two quota shares, four bands of an event's losses and a fund behind them.
fn layers() -> String {
    let mut out = String::new();
    let mut layer = |name: &str, terms: &str| {
        out += &format!(
            "\n[[insurance.layers]]\nname = \"{name}\"\nescrow = \"100000000\"\nterms = {{ {terms} }}\n"
        );
    };
    layer("share-1", "kind = \"cofferdam/quota-share@1\", share = \"0.1\"");
    layer("share-2", "kind = \"cofferdam/quota-share@1\", share = \"0.1\"");
    for i in 0..4 {
        let (name, from) = (format!("band-{i}"), 20_000 * i);
        layer(
            &name,
            &format!("kind = \"cofferdam/excess-of-loss@1\", attachment = \"{from}\", limit = \"20000\""),
        );
    }
    layer(
        "stop-loss",
        "kind = \"cofferdam/aggregate-stop-loss@1\", attachment = \"100000\", limit = \"50000\"",
    );
    layer("fund", "kind = \"cofferdam/fund@1\"");
    out
}

/// Seconds from the price that liquidates all to the last fill, the fastest of the rounds; and how many draws there were. The inputs come
/// from a scene, which checks conservation after each; the engine is timed alone.
fn time(text: &str) -> (f64, usize) {
    let config = StackConfig::from_toml(text, "waterfall.toml").expect("a sound file");
    let mut scene = Scene::new(&config);
    let _ = scene.quote("ETH-PERP", "1000");
    let _ = scene.deposit(1, "USDT", "100000000");
    for account in 2..ACCOUNTS + 2 {
        let _ = scene.deposit(account, "USDT", "1000");
        assert_eq!(scene.trade(account, 1, "ETH-PERP", "10", "1000"), Answer::Done);
    }
    let before = scene.bench().inputs().len();
    let _ = scene.quote("ETH-PERP", "750");
    for account in 2..ACCOUNTS + 2 {
        assert_eq!(scene.fill(account, 1, "750"), Answer::Done);
    }
    let _ = scene.wait(1); // what no layer paid is allocated now
    let facts = scene.bench().history().steps.iter().flat_map(|(_, facts)| facts);
    let draws = facts.filter(|f| matches!(f, Fact::Drawn(_))).count();
    let (set_up, liquidated) = scene.bench().inputs().split_at(before);
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let mut engine = Engine::new(config.build().expect("a sound stack").stack);
        for input in set_up {
            let _ = engine.submit(input, &mut ()).expect("the engine agrees with itself");
        }
        let began = Instant::now();
        for input in liquidated {
            let _ = engine.submit(input, &mut ()).expect("the engine agrees with itself");
        }
        best = best.min(began.elapsed().as_secs_f64());
        assert_eq!(engine.state().hash(), scene.bench().state().hash());
    }
    (best, draws)
}

/// Seconds of the waterfall's answer alone, to a loss of the same size with all eight layers committed; the fastest of the rounds.
fn answer(text: &str) -> f64 {
    let built = StackConfig::from_toml(text, "waterfall.toml").and_then(|c| c.build()).expect("a sound file");
    let parts = built.stack.parts();
    let capacity = Quanta::new(100_000_000_000_000);
    let standings: Vec<Standing> = parts
        .layers
        .iter()
        .map(|l| Standing { layer: l.id, capacity, drawn_event: Quanta::ZERO, drawn_total: Quanta::ZERO })
        .collect();
    assert_eq!(standings.len(), 8);
    let loss = |i: i128| Loss {
        event: Some(EventId(1)),
        of: None,
        market: None,
        asset: AssetId(0),
        cause: LossCause::Bankruptcy,
        amount: Quanta::new(1_500_000_000),
        event_before: Quanta::new(i * 1_500_000_000),
        total_before: Quanta::new(i * 1_500_000_000),
    };
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        for i in 0..i128::from(ACCOUNTS) {
            let _ = black_box(parts.waterfall.allocate(&black_box(loss(i)), &standings));
        }
        best = best.min(began.elapsed().as_secs_f64());
    }
    best
}

fn main() {
    let (without, none) = time(&format!("{STACK}{REST}"));
    let (with, draws) = time(&format!("{STACK}{}{REST}", layers()));
    assert_eq!(none, 0);
    let each = |seconds: f64| seconds * 1e6 / f64::from(ACCOUNTS);
    let alone = answer(&format!("{STACK}{}{REST}", layers()));
    println!(
        "a liquidation with a loss: {:.2} us without insurance, {:.2} us with eight layers ({:.2} x, {:.1} draws each, which are facts \
         and postings of their own); the waterfall's answer alone {:.2} us, {:.3} of a liquidation without insurance",
        each(without),
        each(with),
        with / without,
        draws as f64 / f64::from(ACCOUNTS),
        each(alone),
        alone / without
    );
}
