//! What every crate brings: a README, a description, the workspace's lints; a domain crate also an example that uses
//! nothing but itself, `no_std`, and the lints that keep money exact.

use super::{DOMAIN, moves_money};
use crate::{finding::Finding, source::Kind, tree::Tree};
use toml::{Table, Value};

const RULE: &str = "layout";

/// Denied outside tests where money moves.
const MONEY_LINTS: [&str; 4] =
    ["arithmetic_side_effects", "float_arithmetic", "indexing_slicing", "unwrap_used"];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    tree.crates().into_iter().flat_map(|name| check_crate(tree, name)).collect()
}

fn check_crate(tree: &Tree, name: &str) -> Vec<Finding> {
    let folder = format!("crates/{name}");
    let manifest_path = format!("{folder}/Cargo.toml");
    let lib_path = format!("{folder}/src/lib.rs");
    let mut findings = Vec::new();
    let mut miss = |path: &str, reason: &str| findings.push(Finding::error(RULE, path, 1, reason));

    if !tree.exists(&format!("{folder}/README.md")) {
        miss(&manifest_path, "the crate has no README.md");
    }
    let manifest: Table = tree.text(&manifest_path).and_then(|t| t.parse().ok()).unwrap_or_default();
    let text = |section: &str, key: &str| manifest.get(section).and_then(|t| t.get(key));
    match text("package", "description").and_then(Value::as_str) {
        Some(description) if description.len() > 20 => {}
        _ => miss(&manifest_path, "package.description does not say what the crate is for"),
    }
    if text("lints", "workspace").and_then(Value::as_bool) != Some(true) {
        miss(&manifest_path, "[lints] workspace = true is missing");
    }
    let domain = DOMAIN.contains(&name);
    if domain
        && !tree.texts().any(|(p, _)| p.starts_with(&format!("{folder}/examples/")) && p.ends_with(".rs"))
    {
        miss(&manifest_path, "a domain crate shows in examples/*.rs how it is used alone");
    }
    let words: Vec<&str> = tree
        .sources()
        .find(|(path, _)| *path == lib_path)
        .map(|(_, s)| s.tokens.iter().filter(|t| t.kind == Kind::Word).map(|t| t.text.as_str()).collect())
        .unwrap_or_default();
    if (domain || name == "core") && !words.contains(&"no_std") {
        miss(&lib_path, "#![no_std] is missing: the crate has to run where there is no operating system");
    }
    for lint in MONEY_LINTS {
        if moves_money(name) && !words.contains(&lint) {
            miss(&lib_path, &format!("clippy::{lint} is not denied: money moves here"));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::expect;

    const MANIFEST: &str =
        "[package]\ndescription = \"What a thing of this kind is for\"\n[lints]\nworkspace = true";
    const LIB: &str = "#![no_std]\n#![deny(clippy::arithmetic_side_effects, clippy::float_arithmetic, \
                       clippy::indexing_slicing, clippy::unwrap_used)]";

    #[test]
    fn a_domain_crate_in_order() {
        let files = [
            ("crates/oracle/Cargo.toml", MANIFEST),
            ("crates/oracle/README.md", "# x"),
            ("crates/oracle/examples/alone.rs", "fn main() {}"),
            ("crates/oracle/src/lib.rs", LIB),
        ];
        expect(check, &files, &[]);
    }

    #[test]
    fn what_is_missing_is_named() {
        expect(
            check,
            &[
                ("crates/oracle/Cargo.toml", "[package]\ndescription = \"TODO\""),
                ("crates/oracle/src/lib.rs", "// no_std"),
            ],
            &[
                "crates/oracle/Cargo.toml:1 [lints]",
                "crates/oracle/Cargo.toml:1 a domain crate shows",
                "crates/oracle/Cargo.toml:1 package.description",
                "crates/oracle/Cargo.toml:1 the crate has no README",
                "crates/oracle/src/lib.rs:1 #![no_std]",
                "crates/oracle/src/lib.rs:1 clippy::arithmetic_side_effects",
                "crates/oracle/src/lib.rs:1 clippy::float_arithmetic",
                "crates/oracle/src/lib.rs:1 clippy::indexing_slicing",
                "crates/oracle/src/lib.rs:1 clippy::unwrap_used",
            ],
        );
        expect(
            check,
            &[("crates/cli/Cargo.toml", MANIFEST)],
            &["crates/cli/Cargo.toml:1 the crate has no README"],
        );
    }
}
