//! dYdX v4: its own tests' numbers, its mechanism end to end, what it refuses and which laws it breaks.
#![expect(unused_must_use, reason = "what follows from a scene's inputs is asserted by its state and facts")]

#[path = "dydx_v4/conformance.rs"]
mod conformance;
#[path = "dydx_v4/scene.rs"]
mod scene;

use cofferdam_stack::StackConfig;
use cofferdam_testkit::Scene;

fn text() -> &'static str {
    cofferdam_protocols::preset("dydx-v4").expect("it is one of them").stack
}

/// The preset with one passage replaced.
fn changed(from: &str, to: &str) -> StackConfig {
    assert!(text().contains(from), "{from}");
    StackConfig::from_toml(&text().replacen(from, to, 1), "dydx-v4.toml").expect("it reads")
}

fn stage() -> Scene {
    Scene::new(&StackConfig::from_toml(text(), "dydx-v4.toml").expect("it reads"))
}

/// The first four are those of TestLiquidityTierValidate (liquidity_tier_test.go, commit 01a48f23); the others follow the venue's own
/// validation of its configuration.
#[test]
fn refused_parameters() {
    let check = |from: &str, to: &str, field: &str| {
        let error = changed(from, to).build().map(|_| ()).expect_err(to).to_string();
        assert!(error.contains(field), "{error}");
    };
    let tier = r#"initial = "0.2", maintenance_fraction = "0.5", open_interest_lower = "5000000", open_interest_upper = "10000000""#;
    check(tier, r#"initial = "1.000001", maintenance_fraction = "0.8""#, "initial");
    check(tier, r#"initial = "1", maintenance_fraction = "1.000001""#, "maintenance_fraction");
    let caps = |lower, upper| {
        format!(
            r#"initial = "0.15", maintenance_fraction = "0.8", open_interest_lower = "{lower}", open_interest_upper = "{upper}""#
        )
    };
    check(tier, &caps("1", "0.5"), "open_interest_lower");
    check(tier, &caps("1", "0"), "open_interest_lower");
    check(r#"bankruptcy_adjustment = "1""#, r#"bankruptcy_adjustment = "0.999999""#, "bankruptcy_adjustment");
    check(r#"spread_to_maintenance = "1.5""#, r#"spread_to_maintenance = "0""#, "spread_to_maintenance");
    check(r#"fee_max = "0.015""#, r#"fee_max = "0""#, "fee_max");
    check(r#"fee_max = "0.015""#, r#"fee_max = "1.1""#, "fee_max");
    check(r#"portion = "0.1""#, r#"portion = "0""#, "portion");
    check(r#"account = "100000""#, r#"account = "0""#, "account");
    check(r#"lost_max = "1000000""#, r#"lost_max = "0""#, "lost_max");
    check("blocks = 50", "blocks = 0", "blocks");
    check("most = 500", "most = 0", "most");
}

#[test]
fn declared_laws() {
    let config = StackConfig::from_toml(text(), "dydx-v4.toml").expect("it reads");
    let mut broken: Vec<u16> = config.broken_laws().iter().map(|law| law.invariant).collect();
    broken.sort_unstable();
    broken.dedup();
    // 19: more_than_needed; 23: a_deficit_waits; 28: unranked
    assert_eq!(broken, [19, 23, 28]);
}
