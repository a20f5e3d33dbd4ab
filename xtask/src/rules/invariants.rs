//! Invariants are cited by number (INV-17). Every number cited exists, `docs/invariants.md` has a row for each of them, and
//! a test that the table names exists in the sources as a test.

use crate::{finding::Finding, tree::Tree};
use std::collections::BTreeSet;

const RULE: &str = "invariants";
const TABLE: &str = "docs/invariants.md";
const NUMBER_MAX: u32 = 46;
const PREFIX: &str = "INV-";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = cited(tree);
    if let Some(text) = tree.text(TABLE) {
        findings.extend(table(text, &tests(tree)));
    }
    findings
}

fn cited(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(_, text)| text.contains(PREFIX)) {
        for (i, line) in text.lines().enumerate() {
            for rest in line.split(PREFIX).skip(1) {
                let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
                let exists = digits.parse::<u32>().is_ok_and(|n| (1..=NUMBER_MAX).contains(&n));
                if !digits.is_empty() && !exists {
                    let reason = format!("INV-{digits} is cited; there are 1 to {NUMBER_MAX}");
                    findings.push(Finding::error(RULE, path, i + 1, reason));
                }
            }
        }
    }
    findings
}

/// `folder::name` of every test: the folder below `crates/` or `examples/`, or `xtask`.
fn tests(tree: &Tree) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (path, source) in tree.sources() {
        let folder = path.strip_prefix("crates/").or_else(|| path.strip_prefix("examples/")).unwrap_or(path);
        let folder = folder.split('/').next().unwrap_or_default();
        names.extend(source.functions.iter().filter(|f| f.is_test).map(|f| format!("{folder}::{}", f.name)));
    }
    names
}

/// Rows are `| number | statement | tests | status |`, with tests in backticks and one of three states.
fn table(text: &str, tests: &BTreeSet<String>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, line) in text.lines().enumerate() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let ["", number, _statement, held_by, status, ""] = cells.as_slice() else { continue };
        let Ok(number) = number.parse::<u32>() else { continue };
        let mut wrong = |reason: String| findings.push(Finding::error(RULE, TABLE, i + 1, reason));
        if !(1..=NUMBER_MAX).contains(&number) || !seen.insert(number) {
            wrong(format!("row {number} is a second one, or beyond {NUMBER_MAX}"));
        }
        let named: Vec<&str> = held_by.split('`').skip(1).step_by(2).collect();
        for test in named.iter().filter(|t| !tests.contains(**t)) {
            wrong(format!("`{test}` is not a test in the sources (expected: `folder::name`)"));
        }
        match (status.split([' ', ':', ',', '(']).next().unwrap_or_default(), named.is_empty()) {
            ("held" | "partly", false) | ("later", _) => {}
            ("held" | "partly", true) => {
                wrong(format!("INV-{number} is said to be {status} and names no test"))
            }
            _ => wrong(format!("status \"{status}\": expected is held, partly or later")),
        }
    }
    for number in (1..=NUMBER_MAX).filter(|n| !seen.contains(n)) {
        findings.push(Finding::error(RULE, TABLE, 1, format!("INV-{number} has no row")));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::expect;

    fn rows(changed: &[(u32, &str)]) -> String {
        let row = |n: u32| match changed.iter().find(|(c, _)| *c == n) {
            Some((_, row)) => (*row).to_owned(),
            None => format!("| {n} | x | | later |"),
        };
        (1..=NUMBER_MAX).map(row).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn numbers_that_do_not_exist() {
        let cite = |n: u32| format!("holds INV-{n}.\n\nand INV-n");
        expect(check, &[("a.md", &cite(46))], &[]);
        let refused = |place: &str, n: u32| format!("{place}:1 {PREFIX}{n} is cited");
        expect(check, &[("a.md", &cite(47))], &[&refused("a.md", 47)]);
        let file = "crates/core/src/a.rs";
        expect(check, &[(file, &format!("// {}", cite(0)))], &[&refused(file, 0)]);
    }

    #[test]
    fn the_table() {
        let source = ("crates/core/src/a.rs", "#[test] fn money_is_kept() {} fn helper() {}");
        let held = "| 1 | x | `core::money_is_kept` | held |";
        expect(check, &[source, (TABLE, &rows(&[(1, held)]))], &[]);
        let bad = rows(&[
            (1, "| 1 | x | `core::helper` | held |"),
            (2, "| 2 | x | | held |"),
            (3, "| 3 | x | | maybe |"),
            (4, ""),
            (5, "| 3 | x | | later |"),
        ]);
        expect(
            check,
            &[source, (TABLE, &bad)],
            &[
                "docs/invariants.md:1 INV-4 has no row",
                "docs/invariants.md:1 INV-5 has no row",
                "docs/invariants.md:1 `core::helper` is not a test",
                "docs/invariants.md:2 INV-2 is said to be held",
                "docs/invariants.md:3 status \"maybe\"",
                "docs/invariants.md:5 row 3 is a second one",
            ],
        );
    }
}
