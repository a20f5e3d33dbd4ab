//! A module's kind names it in configuration for good: `org/name@version`, unique in the repository. typetag itself would
//! find a duplicate only when somebody parses it.

use crate::{
    finding::Finding,
    source::{Kind, Source, Token},
    tree::Tree,
};
use std::collections::{BTreeMap, BTreeSet};

const RULE: &str = "kinds";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen: BTreeMap<String, String> = BTreeMap::new();
    let macros: BTreeSet<&str> = tree.sources().flat_map(|(_, source)| declaring_macros(source)).collect();
    for (path, source) in tree.sources() {
        let by_macro = macros.iter().flat_map(|name| passed_to(source, name));
        for (line, kind) in attributes(source).into_iter().chain(by_macro) {
            let Some(kind) = kind else {
                findings.push(Finding::error(RULE, path, line, "a spec without name = \"org/name@version\""));
                continue;
            };
            if !well_formed(&kind) {
                let reason = format!(
                    "kind \"{kind}\" is not of the form org/name@version (lower case, digits, dashes)"
                );
                findings.push(Finding::error(RULE, path, line, reason));
            }
            if let Some(first) = seen.insert(kind.clone(), format!("{path}:{line}")) {
                let reason = format!("kind \"{kind}\" is declared at {first} already");
                findings.push(Finding::error(RULE, path, line, reason));
            }
        }
    }
    findings
}

/// Every `#[typetag::serde(name = "...")]`, and every such attribute on an `impl` that names nothing.
fn attributes(source: &Source) -> Vec<(usize, Option<String>)> {
    let mut found = Vec::new();
    for at in (0..source.tokens.len()).filter(|at| is_attribute(source, *at)) {
        let line = source.tokens[at].line;
        let rest = &source.tokens[at + 6..];
        let until = rest.iter().position(|t| t.is("]")).unwrap_or(rest.len());
        match name_of(source, at + 6, until) {
            Some(literal) if literal.kind == Kind::Str => found.push((line, Some(literal.text.clone()))),
            Some(_) => {} // inside a macro: the kind stands where the macro is called
            None if rest.get(until + 1).is_some_and(|t| t.is("impl")) => found.push((line, None)),
            None => {}
        }
    }
    found
}

fn is_attribute(source: &Source, at: usize) -> bool {
    source.matches(at, &["#", "[", "typetag", ":", ":"])
        && source
            .tokens
            .get(at + 5)
            .is_some_and(|t| matches!(t.text.as_str(), "serde" | "serialize" | "deserialize"))
}

/// What follows `name =` within so many tokens.
fn name_of(source: &Source, from: usize, length: usize) -> Option<&Token> {
    let at = (from..from + length).find(|at| source.matches(*at, &["name", "="]))?;
    source.tokens.get(at + 2)
}

/// Names of macros whose rules hold a `#[typetag::serde(name = $kind)]`.
fn declaring_macros(source: &Source) -> Vec<&str> {
    let declares = |body: &std::ops::Range<usize>| body.clone().any(|at| is_attribute(source, at));
    let rules = (0..source.tokens.len()).filter(|at| source.matches(*at, &["macro_rules", "!"]));
    rules
        .filter(|at| declares(&source.group(at + 3)))
        .filter_map(|at| source.tokens.get(at + 2).map(|t| t.text.as_str()))
        .collect()
}

/// The kinds that are passed to a macro: every string with an `@`.
fn passed_to(source: &Source, name: &str) -> Vec<(usize, Option<String>)> {
    let tokens = source.macro_bodies(name).into_iter().flat_map(|body| &source.tokens[body]);
    tokens
        .filter(|t| t.kind == Kind::Str && t.text.contains('@'))
        .map(|t| (t.line, Some(t.text.clone())))
        .collect()
}

fn well_formed(kind: &str) -> bool {
    let part = |s: &str| {
        s.starts_with(|c: char| c.is_ascii_lowercase())
            && s.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let version = |s: &str| !s.starts_with('0') && !s.is_empty() && s.chars().all(|c| c.is_ascii_digit());
    kind.split_once('/')
        .and_then(|(org, rest)| rest.split_once('@').map(|(name, v)| part(org) && part(name) && version(v)))
        .unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::expect;

    #[test]
    fn duplicates_and_forms() {
        let a = "#[typetag::serde(tag = \"kind\")] trait Spec {}\n#[typetag::serde(name = \"acme/flat@1\")] impl Spec for A {}";
        expect(check, &[("crates/stack/src/a.rs", a)], &[]);
        let b = "#[typetag::serde(name = \"acme/flat@1\")] impl Spec for B {}\n#[typetag::serde] impl Spec for C {}";
        expect(
            check,
            &[("crates/stack/src/a.rs", a), ("examples/x/src/b.rs", b)],
            &[
                "examples/x/src/b.rs:1 kind \"acme/flat@1\" is declared at crates/stack/src/a.rs:2",
                "examples/x/src/b.rs:2 a spec without name",
            ],
        );
        for bad in [
            "flat",
            "acme/flat",
            "acme/flat@0",
            "acme/flat@1.0",
            "Acme/flat@1",
            "acme/@1",
            "acme/a_b@1",
            "a/b/c@1",
        ] {
            let text = format!("#[typetag::serde(name = \"{bad}\")] impl Spec for A {{}}");
            expect(check, &[("a.rs", &text)], &["a.rs:1 kind"]);
        }
    }
    #[test]
    fn kinds_that_a_macro_declares() {
        let rules = "macro_rules! spec { ($t:ty, $k:literal) => { #[typetag::serde(name = $k)] impl Spec for $t {} } }\n";
        let uses = "spec!(A, \"acme/flat@1\");\nspec! { B, \"acme/flat@1\" }\nspec!(C, \"Flat@1\");\nother!(\"acme/flat@1\");";
        expect(
            check,
            &[("a.rs", rules), ("b.rs", uses)],
            &["b.rs:2 kind \"acme/flat@1\" is declared at b.rs:1", "b.rs:3 kind \"Flat@1\" is not"],
        );
    }
}
