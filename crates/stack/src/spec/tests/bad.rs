//! Files that are refused: what is changed, where it is refused, and in which words.

use super::super::*;
use super::{LENDING, PERPETUAL, PORTFOLIO};

fn check(text: &str, path: &str, words: &[&str]) {
    let error = match StackConfig::from_toml(text, "stack.toml").and_then(|c| c.build()) {
        Err(error) => error,
        Ok(_) => panic!("built, but {path} should be refused"),
    };
    assert_eq!(error.path, path, "{error}");
    for word in words {
        assert!(error.to_string().contains(word), "{word:?} is not in: {error}");
    }
}

// the first occurrence of `from`, in the perpetual file
fn perpetual(from: &str, to: &str, path: &str, words: &[&str]) {
    assert!(PERPETUAL.contains(from), "{from}");
    check(&PERPETUAL.replacen(from, to, 1), path, words);
}

fn lending(from: &str, to: &str, path: &str, words: &[&str]) {
    assert!(LENDING.contains(from), "{from}");
    check(&LENDING.replacen(from, to, 1), path, words);
}

#[test]
fn the_document() {
    check("", "stack", &["missing"]);
    check("[stack", "line 1, column 7", &["TOML"]);
    perpetual("decimals = 6", "decimals = 6\ndecimals = 6", "line 9, column 1", &["duplicate key"]);
    perpetual("[event]", "[events]", "events", &["unknown field", ", event"]);
    perpetual("quiet_ms = 1800000", "", "event.quiet_ms", &["missing"]);
    perpetual("decimals = 6", "decimals = 300", "assets[0].decimals", &["`300`", "u8"]);
    perpetual("numeraire = true", "numerary = true", "assets[0].numerary", &["unknown field", "numeraire"]);
    perpetual("quantum = \"0.000001\"", "quantum = 0.000001", "stack.quantum", &["decimal string"]);
    perpetual("window_ms = 300000\n", "window_ms = -1\n", "event.window_ms", &["`-1`", "u64"]);
}

#[test]
fn names() {
    perpetual("name = \"BTC-PERP\"", "name = \"ETH-PERP\"", "markets[1].name", &["again"]);
    // a Cyrillic letter that looks like E
    perpetual("name = \"ETH-PERP\"", "name = \"\u{415}TH-PERP\"", "markets[0].name", &["ASCII"]);
    perpetual("name = \"perpetual\"", "name = \"\"", "stack.name", &["1 to 64"]);
    perpetual(
        "settlement = \"USDT\"",
        "settlement = \"USDC\"",
        "markets[0].settlement",
        &["\"USDC\"", "USDT, ETH"],
    );
    perpetual("name = \"pace\"\n", "", "breakers[3].name", &["missing"]);
    perpetual("name = \"pace\"", "name = \"band\"", "breakers[3].name", &["\"band\" again"]);
    lending("pool = \"usdc-pool\"\n[acc", "pool = \"dai-pool\"\n[acc", "accruals[0].pool", &["usdc-pool"]);
}

#[test]
fn units() {
    perpetual(
        "quantum = \"0.000001\"",
        "quantum = \"0.0001\"",
        "stack.quantum",
        &["at most one atom", "0.000001"],
    );
    perpetual("quantum = \"0.000001\"", "quantum = \"0.000003\"", "stack.quantum", &["power of ten"]);
    perpetual(
        "lot = \"0.001\"",
        "lot = \"0.00000001\"",
        "markets[0].lot",
        &["a quantum of \"0.0000000001\" would do"],
    );
    perpetual("lot = \"0.001\"", "lot = \"0.005\"", "markets[0].lot", &["power of ten"]);
    perpetual("price_tick = \"0.000001\"", "", "assets[1].price_tick", &["missing"]);
    perpetual(
        "inventory_max = \"2500.5\"",
        "inventory_max = \"2500.0005\"",
        "pools[0].inventory_max",
        &["whole number of lots of 0.001"],
    );
    perpetual(
        "inventory_max = \"2500.5\"",
        "inventory_max = \"20000\"",
        "pools[0].inventory_max",
        &["\"20000\"", "below depth"],
    );
    perpetual("fee = \"0.0005\"", "fee = \"0.00000000005\"", "pools[0].fee", &["9 decimals"]);
    perpetual("fee = \"0.0005\"", "fee = \"5e-4\"", "pools[0].fee", &["without exponent"]);
    perpetual(
        "opens_at = \"1000000\"",
        "opens_at = \"0.0000001\"",
        "event.opens_at",
        &["quanta of 0.000001"],
    );
    lending(
        "escrow = \"50000.5\"",
        "escrow = \"50000.0000005\"",
        "insurance.layers[0].escrow",
        &["0.000001"],
    );
    perpetual("numeraire = true\n", "", "assets", &["0 assets", "exactly one"]);
    perpetual(
        "numeraire = true",
        "numeraire = true\nprice_tick = \"1\"",
        "assets[0].price_tick",
        &["worth one"],
    );
    perpetual("price_tick = \"0.000001\"", "numeraire = true", "assets", &["2 assets", "exactly one"]);
}

#[test]
fn modules_and_their_parameters() {
    let kinds = &["cofferdam/staleness@1", "not known"];
    perpetual("cofferdam/twap@1", "cofferdam/twop@1", "prices[0].policy.kind", kinds);
    perpetual(
        "of_tick = \"1\", of = { kind = \"cofferdam/latest@1\" }",
        "of_tick = \"1\", of = { }",
        "prices[0].policy.of.right.of.kind",
        &["missing"],
    );
    perpetual(
        "aged_after_ms",
        "aged_after",
        "prices[1].policy.of.voters[0].policy.aged_after",
        &["unknown field", "stale_after_ms"],
    );
    perpetual(
        "aged_after_ms = 5000",
        "aged_after_ms = 70000",
        "prices[1].policy.of.voters[0].policy.stale_after_ms",
        &["60000", "not below"],
    );
    perpetual("needed = 2", "needed = 5", "prices[1].policy.of.needed", &["5", "sum of all weights"]);
    perpetual("weight = 2", "weight = 0", "prices[1].policy.of.voters[0].weight", &["1 or more"]);
    perpetual("accept = \"thin\"", "accept = \"thick\"", "prices[2].policy.accept", &["\"thick\"", "stale"]);
    perpetual(
        "bound = \"0.2\"",
        "bound = 0.2",
        "prices[2].policy.policies[1].bound",
        &["`0.2`", "decimal string"],
    );
    perpetual(
        "role = \"index\"\n[prices.policy]",
        "role = \"slow\"\n[prices.policy]",
        "prices[1].role",
        &["index, mark"],
    );
    perpetual(
        "market = \"ETH-PERP\"\nrole = \"mark\"",
        "market = \"SOL-PERP\"\nrole = \"mark\"",
        "prices[1].role",
        &["no mark of \"ETH-PERP\"", "a mark as well"],
    );
    perpetual(
        "market = \"ETH-PERP\"\nrule",
        "market = \"ETH-PERP\"\npool = \"eth-pool\"\nrule",
        "accruals[0]",
        &["either"],
    );
    perpetual("clamp = \"0.0005\"", "clamp = \"1.5\"", "accruals[0].rule.clamp", &["\"1.5\"", "0 to 1"]);
    lending("kink = \"0.9\"", "kink = \"0\"", "accruals[0].rule.curve.kink", &["above 0"]);
    perpetual("pool\"\nkind", "pool\"\nkin", "pools[0].kind", &["missing"]);
}

#[test]
fn margin_and_liquidation() {
    let at = |field: &str| format!("margin.markets[0].requirement.tiers[2].{field}");
    perpetual("lower = \"600000\"", "lower = \"50000\"", &at("lower"), &["more than the lower bound"]);
    perpetual(
        "maintenance = \"0.01\"",
        "maintenance = \"0.003\"",
        &at("maintenance"),
        &["more than the rate"],
    );
    perpetual(
        "maintenance = \"0.03\", initial = \"0.06\"",
        "maintenance = \"0.07\", initial = \"0.06\"",
        "margin.markets[1].requirement.base.initial",
        &["\"0.06\"", "maintenance <= initial"],
    );
    perpetual(
        "upper = \"50000000\"",
        "upper = \"5\"",
        "margin.markets[1].requirement.add[1].requirement.upper",
        &["lower < upper"],
    );
    perpetual(
        "market = \"SOL-PERP\"\nrequirement",
        "market = \"BTC-PERP\"\nrequirement",
        "margin.markets[2].market",
        &["again"],
    );
    let sol = "[[margin.markets]]\nmarket = \"SOL-PERP\"\nrequirement = { kind = \"cofferdam/size-scaled@1\", maintenance = \"0.05\", initial = \"0.1\", factor = \"0.0001\" }";
    perpetual(sol, "", "margin.markets", &["nothing for \"SOL-PERP\"", "every market"]);
    perpetual(
        "collateral_maintenance = \"0.9\"",
        "collateral_maintenance = \"1.9\"",
        "margin.assets[1].collateral_maintenance",
        &["\"1.9\""],
    );
    perpetual("backstop = \"0.666666666\"", "backstop = \"2\"", "margin.backstop", &["\"2\""]);
    perpetual(
        "to_insurance = \"0.9\"",
        "to_insurance = \"0.95\"",
        "liquidation.tiers[0].strategy.penalty",
        &["at most 1 together"],
    );
    perpetual(
        "rate = \"0.01\", to_insurance = \"0.9\"",
        "rate = \"1.01\", to_insurance = \"0.9\"",
        "liquidation.tiers[0].strategy.penalty.rate",
        &["\"1.01\""],
    );
    perpetual(
        "slice = \"0.2\"",
        "slice = \"0\"",
        "liquidation.tiers[0].strategy.slice",
        &["\"0\"; accepted: \"0.000000001\" to \"1\""],
    );
    perpetual(
        "limit = { band = \"0.05\" }",
        "limit = \"band\"",
        "liquidation.tiers[0].strategy.limit",
        &["{ band = ... }"],
    );
    perpetual("share = \"0.9\"", "share = \"0\"", "liquidation.tiers[1].when.ratio.share", &["above zero"]);
    perpetual(
        "vault = 1",
        "vault = 4000000000",
        "liquidation.tiers[3].strategy.vault",
        &["small group number"],
    );
    perpetual(
        "below = \"backstop\", pause_ms",
        "below = \"initial\", pause_ms",
        "liquidation.tiers[3].strategy.below",
        &["\"initial\"", "backstop or maintenance"],
    );
    lending("bonus = \"0.05\"", "bonus = \"1.05\"", "liquidation.keeper.keeper.bonus", &["\"1.05\""]);
}

#[test]
fn insurance_and_breakers() {
    perpetual(
        "attachment = \"500000\"",
        "attachment = \"400000\"",
        "insurance.layers[3].terms.attachment",
        &["\"400000\"", "at least \"500000\""],
    );
    perpetual(
        "contribution = \"0.5\"\nescrow",
        "contribution = \"0.6\"\nescrow",
        "insurance.layers[5].contribution",
        &["\"0.6\", 1.1 with those before it"],
    );
    perpetual("capacity = \"400000\"", "capacity = \"0\"", "insurance.layers[2].capacity", &["above zero"]);
    perpetual(
        "beside_previous = true",
        "beside_previous = true\nescrow = \"1\"",
        "insurance.layers[1].capacity",
        &["either escrow or capacity"],
    );
    perpetual(
        "share = \"0.25\" }",
        "share = \"0.9\" }",
        "insurance.layers[1].terms.share",
        &["\"0.25\"", "at most 0.1"],
    );
    perpetual(
        "limit = \"1000000\"",
        "limit = \"-1\"",
        "insurance.layers[3].terms.limit",
        &["\"-1\"", "above zero"],
    );
    perpetual("cooldown_ms = 5000", "cooldown_ms = 0", "breakers[0].cooldown_ms", &["at least 1 ms"]);
    perpetual(
        "counts = \"together\"\nnotional",
        "counts = \"together\"\nsize",
        "breakers[3].size",
        &["only with counts"],
    );
    perpetual(
        "reopen = \"900000\"",
        "reopen = \"1900000\"",
        "breakers[4].reopen",
        &["\"1900000\"", "zero to `cap`"],
    );
    perpetual("fall = \"0.3\"\n", "", "breakers[6].window_ms", &["beside fall"]);
    lending(
        "kind = \"cofferdam/write-down-pool@1\"\npool = \"usdc-pool\"",
        "kind = \"cofferdam/write-down-pool@1\"\npool = 'x'",
        "allocation.pool",
        &["usdc-pool"],
    );
    perpetual(
        "markets = [\"SOL-PERP\"]",
        "markets = [\"SOL\"]",
        "permits.tiers[0].markets[0]",
        &["SOL-PERP"],
    );
    perpetual("preset = \"drift\"", "preset = \"drifting\"", "permits.preset", &["standard, drift, closed"]);
}

#[test]
fn files() {
    let dir = std::env::temp_dir().join(format!("cofferdam-spec-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let refused = |name: &str, bytes: Option<&[u8]>, word: &str| {
        let path = dir.join(name);
        if let Some(bytes) = bytes {
            std::fs::write(&path, bytes).unwrap();
        }
        let error = StackConfig::load(&path).unwrap_err();
        assert!(error.path == "the file" && error.to_string().contains(word), "{error}");
    };
    refused("none.toml", None, "a stack file that can be read");
    refused("latin.toml", Some(b"name = \"\xe9\""), "byte 8 is not UTF-8");
    refused("large.toml", Some(&vec![b' '; 1_000_001]), "1,000,000 bytes");
    std::fs::remove_dir_all(&dir).unwrap();
}

fn portfolio(from: &str, to: &str, path: &str, words: &[&str]) {
    assert!(PORTFOLIO.contains(from), "{from}");
    check(&PORTFOLIO.replacen(from, to, 1), path, words);
}

#[test]
fn scenario_margin() {
    portfolio("initial = \"1.1\"", "initial = \"0.9\"", "margin.underlyings[0].initial", &["maintenance"]);
    portfolio("mean_of = 2", "mean_of = 0", "margin.underlyings[1].mean_of", &["1 to 4096"]);
    portfolio("mean_of = 2", "mean_of = 2\nworst = 1", "margin.underlyings[1].mean_of", &["either"]);
    portfolio("name = \"bitcoin\"", "name = \"ether\"", "margin.underlyings[1].name", &["again"]);
    portfolio(
        "underlying = \"bitcoin\"",
        "underlying = \"gold\"",
        "margin.markets[2].underlying",
        &["ether, bitcoin"],
    );
    portfolio(
        "maintenance = \"0.01\"",
        "maintenance = \"1\"",
        "margin.markets[1].add_on.maintenance",
        &["< \"1\""],
    );
    let alone = "[[margin.markets]]\nmarket = \"BTC-FUT\"\nunderlying = \"bitcoin\"\n";
    portfolio(alone, "", "margin.markets", &["BTC-FUT"]);
    let other = "settlement = \"USDC\"\nlot = \"0.01\"\ntick = \"0.01\"\n\n[[markets]]\nname = \"BTC";
    let settled = "settlement = \"ETH\"\nlot = \"0.01\"\ntick = \"0.01\"\n\n[[markets]]\nname = \"BTC";
    portfolio(other, settled, "margin.markets[1].underlying", &["one asset"]);
}

#[test]
fn who_pays() {
    let at = |i: u8, field: &str| format!("allocation.policies[{i}]{field}");
    perpetual("part = \"0.5\"", "part = \"0\"", &at(5, ".part"), &["\"0\""]);
    perpetual("equity_floor = \"1.5\"", "equity_floor = \"-1\"", &at(5, ".equity_floor"), &["-1"]);
    perpetual("weight = { power = 2 }", "weight = { power = 9 }", &at(6, ".weight.power"), &["9", "1 to 8"]);
    perpetual("weight = { power = 2 }", "weight = \"square\"", &at(6, ".weight"), &["square", "linear"]);
    perpetual("least = \"0.1\"", "least = \"0.6\"", &at(12, ".rule.back_off.least"), &["at most the first"]);
    perpetual("anarchy = \"1.5\"", "anarchy = \"0\"", &at(13, ".rule.anarchy"), &["0"]);
    // a threshold of leverage where something settles in another asset than the numeraire
    let (before, after) = PERPETUAL.rsplit_once("settlement = \"USDT\"").unwrap();
    let coin = format!("{before}settlement = \"ETH\"{after}");
    check(&coin, &at(7, ".weight"), &["settles in \"ETH\""]);
}
