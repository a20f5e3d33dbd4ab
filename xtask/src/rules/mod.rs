//! The rules. Each is a function from the tree to findings, with a sample in its tests that it has to catch.

mod dependencies;
mod documents;
mod floats;
mod invariants;
mod kinds;
mod layout;
mod paths;
mod rounding;
mod size;

use crate::{finding::Finding, tree::Tree};

/// The six rooms that exchange values and never each other's traits.
const DOMAIN: [&str; 6] =
    ["oracle", "market", "margin-engine", "liquidation-strategy", "insurance-layer", "circuit-breaker"];

/// Crates in which money moves: integers only.
fn moves_money(name: &str) -> bool {
    ["core", "stack", "protocols", "runtime"].contains(&name) || DOMAIN.contains(&name)
}

/// The crate a path lies in: `crates/NAME/...`.
fn crate_of(path: &str) -> Option<&str> {
    path.strip_prefix("crates/")?.split('/').next()
}

/// Runs every rule; errors first, then by place.
pub(crate) fn check_all(tree: &Tree) -> Vec<Finding> {
    let rules: [fn(&Tree) -> Vec<Finding>; 9] = [
        dependencies::check,
        documents::check,
        floats::check,
        invariants::check,
        kinds::check,
        layout::check,
        paths::check,
        rounding::check,
        size::check,
    ];
    let mut findings: Vec<Finding> = rules.iter().flat_map(|rule| rule(tree)).collect();
    findings.sort();
    findings
}

/// Runs one rule on a sample and compares `path:line reason` beginnings, in order.
#[cfg(test)]
fn expect(rule: fn(&Tree) -> Vec<Finding>, files: &[(&str, &str)], wanted: &[&str]) {
    let mut found = rule(&crate::tree::sample(files));
    found.sort_by(|a, b| (&a.path, a.line, &a.reason).cmp(&(&b.path, b.line, &b.reason)));
    let found: Vec<String> = found.iter().map(|f| format!("{}:{} {}", f.path, f.line, f.reason)).collect();
    let agree = found.len() == wanted.len() && found.iter().zip(wanted).all(|(f, w)| f.starts_with(w));
    assert!(agree, "found:\n{}\nwanted:\n{}", found.join("\n"), wanted.join("\n"));
}
