//! Who may depend on whom. Domain crates exchange values (which live in core) and never each other's traits; only the
//! stack sees all six; what runs on a clock or a network stays at the edge.

use super::DOMAIN;
use crate::{finding::Finding, tree::Tree};
use toml::{Table, Value};

const RULE: &str = "dependencies";

/// Our crates from the ground up. A crate may depend on those of a lower floor, and on nothing beside or above it.
const FLOORS: [&[&str]; 10] = [
    &["core"],
    &DOMAIN,
    &["stack"],
    &["protocols"],
    &["runtime", "insurance-http"],
    &["market-sim"],
    &["forecast"],
    &["testkit"],
    &["cofferdam"],
    &["cli"],
];

/// What domain crates may use in their tests: the vocabulary, themselves with another feature, and the public suites.
const DOMAIN_TEST_USE: [&str; 2] = ["core", "testkit"];

/// Crates that must be cheap to take alone.
const DEPENDENCIES_MAX: [(&str, usize); 1] = [("circuit-breaker", 2)];

/// Crates that must not appear below a floor, with the reason.
const KEPT_ABOVE: [(&str, usize, &str); 3] = [
    ("tokio", 3, "a runtime belongs at the edge: domain crates and the stack do no I/O"),
    ("typetag", 2, "config builds modules, modules do not parse config: specs live in the stack"),
    ("inventory", 2, "registration at link time belongs to the stack's registry"),
];

/// Crates that may use what is kept above them, as long as nobody gets it without asking: the dependency is optional. Whoever
/// publishes an insurance layer depends on this one crate and registers its kind there.
const BY_FEATURE: [(&str, &str); 2] = [("insurance-layer", "typetag"), ("insurance-layer", "inventory")];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.crates().into_iter().flat_map(|name| check_crate(tree, name)).collect()
}

fn check_crate(tree: &Tree, name: &str) -> Vec<Finding> {
    let path = format!("crates/{name}/Cargo.toml");
    let text = tree.text(&path).unwrap_or_default();
    let manifest: Table = match text.parse() {
        Ok(table) => table,
        Err(e) => return vec![Finding::error(RULE, &path, 1, format!("not TOML: {e}"))],
    };
    let Some(floor) = floor_of(name) else {
        return vec![Finding::error(
            RULE,
            &path,
            1,
            format!("`{name}` has no floor in xtask's table of crates"),
        )];
    };
    let error =
        |dependency: &str, reason: String| Finding::error(RULE, &path, line_of(text, dependency), reason);
    let mut findings = Vec::new();
    let normal = declared(&manifest, &["dependencies", "build-dependencies"]);
    for dependency in normal.iter().filter(|d| !by_feature(&manifest, name, d)) {
        if let Some(reason) = forbidden(name, floor, dependency) {
            findings.push(error(dependency, reason));
        }
    }
    for dependency in declared(&manifest, &["dev-dependencies"]) {
        if let Some(reason) = forbidden_in_tests(name, &dependency) {
            findings.push(error(&dependency, reason));
        }
    }
    for (limited, max) in DEPENDENCIES_MAX {
        if limited == name && normal.len() > max {
            findings.push(error(
                "[dependencies]",
                format!(
                    "`{name}` has {} direct dependencies ({}), at most {max}",
                    normal.len(),
                    normal.join(", ")
                ),
            ));
        }
    }
    findings
}

fn forbidden(name: &str, floor: usize, dependency: &str) -> Option<String> {
    if let Some(ours) = our_crate(dependency) {
        return match floor_of(ours) {
            Some(below) if below < floor => None,
            Some(_) if DOMAIN.contains(&name) && DOMAIN.contains(&ours) => Some(format!(
                "domain crate `{name}` depends on domain crate `{ours}`: they exchange core's values"
            )),
            Some(_) => Some(format!("`{name}` depends on `{ours}`, which stands beside or above it")),
            None => Some(format!("`{ours}` has no floor in xtask's table of crates")),
        };
    }
    KEPT_ABOVE
        .iter()
        .find(|(kept, from, _)| *kept == dependency && floor < *from)
        .map(|(_, _, reason)| format!("`{name}` depends on `{dependency}`: {reason}"))
}

fn by_feature(manifest: &Table, name: &str, dependency: &str) -> bool {
    let declared = manifest.get("dependencies").and_then(|d| d.get(dependency));
    let optional = declared.and_then(|d| d.get("optional")).and_then(Value::as_bool).unwrap_or(false);
    optional && BY_FEATURE.contains(&(name, dependency))
}

fn forbidden_in_tests(name: &str, dependency: &str) -> Option<String> {
    let ours = our_crate(dependency)?;
    let bound = name == "core" || DOMAIN.contains(&name);
    let allowed = !bound || ours == name || DOMAIN_TEST_USE.contains(&ours);
    (!allowed).then(|| {
        format!("tests of `{name}` use `{ours}`: a domain crate is tested alone or by the public suites")
    })
}

fn floor_of(name: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&name))
}

/// `cofferdam-oracle` is `oracle`; the facade and the tasks have no prefix.
fn our_crate(package: &str) -> Option<&str> {
    match package {
        "cofferdam" | "xtask" => Some(package),
        _ => package.strip_prefix("cofferdam-"),
    }
}

/// Names of the packages in these tables, also of those for one target only.
fn declared(manifest: &Table, tables: &[&str]) -> Vec<String> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let owners = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table).chain([manifest]);
    let mut names: Vec<String> = owners
        .flat_map(|owner| tables.iter().filter_map(|t| owner.get(*t)?.as_table()))
        .flatten()
        .map(|(key, value)| value.get("package").and_then(Value::as_str).unwrap_or(key).to_owned())
        .collect();
    names.sort();
    names.dedup();
    names
}

fn line_of(text: &str, wanted: &str) -> usize {
    text.lines()
        .position(|line| line.trim_start().starts_with(wanted) || line.contains(&format!("\"{wanted}\"")))
        .map_or(1, |i| i + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::expect;

    #[test]
    fn directions() {
        let cases: [(&str, &str, &[&str]); 13] = [
            (
                "crates/oracle/Cargo.toml",
                "[dependencies]\ncofferdam-core.workspace = true\nthiserror = \"2\"",
                &[],
            ),
            (
                "crates/oracle/Cargo.toml",
                "[dependencies]\ncofferdam-market.workspace = true",
                &["crates/oracle/Cargo.toml:2 domain crate `oracle` depends on domain crate `market`"],
            ),
            (
                "crates/market/Cargo.toml",
                "[target.'cfg(unix)'.dependencies]\nstack = { package = \"cofferdam-stack\" }",
                &["crates/market/Cargo.toml:2 `market` depends on `stack`"],
            ),
            (
                "crates/core/Cargo.toml",
                "[build-dependencies]\ncofferdam-oracle = \"0\"",
                &["crates/core/Cargo.toml:2 `core` depends on `oracle`"],
            ),
            (
                "crates/stack/Cargo.toml",
                "[dependencies]\ncofferdam-market-sim = \"0\"\ntokio = \"1\"\ntypetag = \"0.2\"",
                &[
                    "crates/stack/Cargo.toml:2 `stack` depends on `market-sim`",
                    "crates/stack/Cargo.toml:3 `stack` depends on `tokio`",
                ],
            ),
            (
                "crates/insurance-layer/Cargo.toml",
                "[dependencies]\ntypetag = \"0.2\"\ninventory = \"0.3\"",
                &[
                    "crates/insurance-layer/Cargo.toml:2 `insurance-layer` depends on `typetag`",
                    "crates/insurance-layer/Cargo.toml:3 `insurance-layer` depends on `inventory`",
                ],
            ),
            (
                "crates/insurance-layer/Cargo.toml",
                "[dependencies]\ntypetag = { version = \"0.2\", optional = true }\ninventory = { workspace = true, optional = true }",
                &[],
            ),
            (
                "crates/circuit-breaker/Cargo.toml",
                "[dependencies]\ncofferdam-core = \"0\"\nlog = \"0.4\"\nthiserror = \"2\"",
                &["crates/circuit-breaker/Cargo.toml:1 `circuit-breaker` has 3 direct dependencies"],
            ),
            (
                "crates/market/Cargo.toml",
                "[dev-dependencies]\ncofferdam-oracle = \"0\"\ncofferdam-testkit = \"0\"",
                &["crates/market/Cargo.toml:2 tests of `market` use `oracle`"],
            ),
            (
                "crates/cli/Cargo.toml",
                "[dependencies]\ncofferdam = \"0\"\ncofferdam-stack = \"0\"\ntokio = \"1\"",
                &[],
            ),
            (
                "crates/mystery/Cargo.toml",
                "[dependencies]",
                &["crates/mystery/Cargo.toml:1 `mystery` has no floor"],
            ),
            (
                "crates/oracle/Cargo.toml",
                "[dependencies]\ncofferdam-mystery = \"0\"",
                &["crates/oracle/Cargo.toml:2 `mystery` has no floor"],
            ),
            ("crates/oracle/Cargo.toml", "[dependencies", &["crates/oracle/Cargo.toml:1 not TOML"]),
        ];
        for (path, text, wanted) in cases {
            expect(check, &[(path, text)], wanted);
        }
    }
}
