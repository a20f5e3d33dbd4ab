//! Every division names its direction, and `docs/rounding.md` has a row for it: a function that divides where
//! money moves stands in the table, and what stands in the table is a function.

use super::{crate_of, moves_money};
use crate::{
    finding::Finding,
    source::{Function, Source},
    tree::Tree,
};
use std::collections::BTreeSet;

const RULE: &str = "rounding";
const TABLE: &str = "docs/rounding.md";

/// Calls that round without naming a `Rounding`: their direction is a flag or their name.
const DIVIDES: [&str; 3] = ["mul_div_unsigned", "div_rem", "div_ceil"];
const DIRECTIONS: [&str; 4] = ["Down", "Up", "TowardsZero", "AwayFromZero"];

/// What defines the directions, and what is there to test implementations: nobody gains there.
fn is_free(path: &str) -> bool {
    path == "crates/core/src/wide.rs" || path.contains("/conformance")
}

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(table) = tree.text(TABLE) else { return Vec::new() };
    let mut findings = Vec::new();
    let mut known = BTreeSet::new();
    let listed = listed(table);
    for (path, source) in tree.sources() {
        let Some(module) = module_of(path) else { continue };
        for function in source.functions.iter().filter(|f| !f.in_test) {
            let id = format!("{module}::{}", function.name);
            if rounds(source, function) && !is_free(path) && !listed.iter().any(|(_, row)| *row == id) {
                let reason = format!("fn {} rounds; {TABLE} has no row for `{id}`", function.name);
                findings.push(Finding::error(RULE, path, function.first_line, reason));
            }
            known.insert(id);
        }
    }
    for (line, id) in listed.iter().filter(|(_, id)| !known.contains(id)) {
        findings.push(Finding::error(RULE, TABLE, *line, format!("`{id}` is not a function in the sources")));
    }
    findings
}

/// `crate::file` of a source in which money moves.
fn module_of(path: &str) -> Option<String> {
    let name = crate_of(path).filter(|name| moves_money(name))?;
    let file = path.split_once("/src/")?.1.trim_end_matches(".rs").trim_end_matches("/mod");
    Some(format!("{name}::{}", file.replace('/', "::")))
}

fn rounds(source: &Source, function: &Function) -> bool {
    function.tokens.clone().any(|i| {
        let named = DIRECTIONS.iter().any(|direction| source.matches(i, &["Rounding", ":", ":", direction]));
        named || DIVIDES.iter().any(|call| source.matches(i, &[call, "("]))
    })
}

/// Every `crate::file::function` in backticks in the last column of a row.
fn listed(table: &str) -> Vec<(usize, String)> {
    let rows = table.lines().enumerate().filter(|(_, line)| line.starts_with('|'));
    rows.flat_map(|(i, line)| {
        let place = line.trim_end_matches('|').rsplit('|').next().unwrap_or_default();
        let ids = place.split('`').skip(1).step_by(2).filter(|id| id.contains("::"));
        ids.map(move |id| (i + 1, id.to_owned()))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::expect;

    #[test]
    fn both_ways() {
        let source = "fn fee() { div(a, b, Rounding::Up) } fn share() { mul_div_unsigned(a, b, c, true) } fn plain() {} \
                      #[cfg(test)] mod t { fn x() { Rounding::Up } }";
        let file = ("crates/market/src/a.rs", source);
        let row = |place: &str| {
            format!(
                "| computation | direction | who gains | where |\n|---|---|---|---|\n| a | up | b | {place} |"
            )
        };
        expect(check, &[file, (TABLE, &row("`market::a::fee`, `market::a::share`"))], &[]);
        expect(
            check,
            &[file, (TABLE, &row("`market::a::gone`"))],
            &[
                "crates/market/src/a.rs:1 fn fee rounds",
                "crates/market/src/a.rs:1 fn share rounds",
                "docs/rounding.md:3 `market::a::gone` is not a function",
            ],
        );
        for free in
            ["crates/market-sim/src/a.rs", "crates/core/src/wide.rs", "crates/oracle/src/conformance.rs"]
        {
            expect(check, &[(free, source), (TABLE, "")], &[]);
        }
    }
}
