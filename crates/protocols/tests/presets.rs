//! Every preset builds, has its page, and is named as the command line and the docs name it. Its page names a counterexample for each law
//! that its modules declare as broken.

use cofferdam_protocols::{World, preset, presets};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

#[test]
fn every_preset_builds_and_has_its_page() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocols");
    let list = std::fs::read_to_string(docs.join("README.md")).unwrap();
    let mut names = BTreeSet::new();
    for p in presets() {
        assert!(names.insert(p.name), "{} twice", p.name);
        assert_eq!(preset(p.name), Some(p));
        let built = p.config().and_then(|c| c.build()).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(built.name, p.name, "the file's own name");
        // what the recorded scenario asks of a stack
        match p.world {
            World::Perpetual => assert!(built.names.market("ETH-PERP").is_some(), "{}", p.name),
            World::Cleared => {}
            World::Lending => {
                assert!(
                    built.names.asset("ETH").is_some() && built.names.asset("USDC").is_some(),
                    "{}",
                    p.name
                );
                assert!(built.names.pool("usdc-pool").is_some(), "{}", p.name);
            }
        }
        let page = std::fs::read_to_string(docs.join(format!("{}.md", p.name)));
        let page = page.unwrap_or_else(|e| panic!("docs/protocols/{}.md: {e}", p.name));
        for part in ["## Rules", "## Conformance", "## Not modelled", "## A worked example"] {
            assert!(page.contains(part), "docs/protocols/{}.md lacks {part:?}", p.name);
        }
        assert!(
            list.contains(&format!("({}.md)", p.name)),
            "docs/protocols/README.md does not list {}",
            p.name
        );
    }
    assert_eq!(preset("nowhere"), None);
}

/// The rows, items and paragraphs of the section on laws.
fn entries(page: &str) -> Vec<String> {
    let section = page.split("\n## ").find(|s| s.starts_with("Laws ")).unwrap_or_default();
    let mut entries: Vec<String> = Vec::new();
    let mut fresh = true;
    for line in section.lines().skip(1).map(str::trim_end) {
        match entries.last_mut() {
            Some(entry) if !fresh && !line.starts_with(['|', '-', '*']) => {
                entry.push(' ');
                entry.push_str(line.trim_start());
            }
            _ => entries.push(line.to_owned()),
        }
        fresh = line.is_empty();
    }
    entries
}

/// Whether an entry is about a law: `INV-19` in it, or the number in the first cell of a row.
fn is_about(entry: &str, law: u16) -> bool {
    let whole = |rest: &str| !rest.starts_with(|c: char| c.is_ascii_digit());
    let named =
        entry.split("INV-").skip(1).any(|rest| rest.strip_prefix(&law.to_string()).is_some_and(whole));
    let cell = entry.strip_prefix('|').and_then(|row| row.split('|').next()).unwrap_or_default();
    named || cell.split(',').any(|number| number.trim() == law.to_string())
}

/// All sources below a folder, and the file of the same name beside it.
fn sources(folder: &Path) -> String {
    let mut text = std::fs::read_to_string(folder.with_extension("rs")).unwrap_or_default();
    let mut open: Vec<PathBuf> = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(&next).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                text.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }
    text
}

/// Whether what an entry names in backticks is a test: of the preset's own, as `name`, or of another crate, as `crate::name`.
fn names_a_test(entry: &str, preset: &str) -> bool {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let own = crates.join("protocols/tests").join(preset.replace('-', "_"));
    entry.split('`').skip(1).step_by(2).any(|quoted| {
        let (text, name) = match quoted.split_once("::") {
            None => (sources(&own), quoted),
            Some((of, name)) => {
                let folder = crates.join(of);
                (sources(&folder.join("tests")) + &sources(&folder.join("src")), name)
            }
        };
        let word = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        word && text.contains(&format!("#[test]\nfn {name}("))
            | text.contains(&format!("#[test]\n    fn {name}("))
    })
}

/// A law that a preset declares as broken and whose page shows no test that breaks it, or the other way round.
fn unshown(page: &str, preset: &str, declared: &BTreeSet<u16>) -> Vec<String> {
    let entries = entries(page);
    let mut wrong = Vec::new();
    for law in declared {
        let mut about = entries.iter().filter(|e| is_about(e, *law)).peekable();
        if about.peek().is_none() {
            wrong.push(format!("INV-{law} is declared and not on the page"));
        } else if !about.any(|e| names_a_test(e, preset)) {
            wrong.push(format!("INV-{law}: no test that exists is named"));
        }
    }
    let rows = entries.iter().filter(|e| e.starts_with('|') || e.starts_with("- "));
    for row in rows.filter(|e| names_a_test(e, preset)) {
        if !(1..=46).any(|law| is_about(row, law) && declared.contains(&law)) {
            wrong.push(format!("no module declares what is shown: {row}"));
        }
    }
    wrong
}

#[test]
fn every_broken_law_has_its_counterexample() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/protocols");
    let mut wrong = Vec::new();
    for p in presets() {
        let page = std::fs::read_to_string(docs.join(format!("{}.md", p.name))).unwrap();
        let declared = p.config().unwrap().broken_laws().iter().map(|l| l.invariant).collect();
        wrong.extend(unshown(&page, p.name, &declared).iter().map(|why| format!("{}.md: {why}", p.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_page_without_a_counterexample_is_found() {
    let page = |laws: &str| {
        format!("# A venue\n\n## Laws that it breaks\n\n{laws}\n\n## Not modelled\n\n`an_empty_pool`\n")
    };
    let check = |laws: &str, declared: &[u16], wanted: usize| {
        let found = unshown(&page(laws), "bybit", &declared.iter().copied().collect());
        assert_eq!(found.len(), wanted, "{laws}: {found:?}");
    };
    check("| 23 | a loss waits | `an_empty_pool` |", &[23], 0);
    check("- **INV-23**: a loss waits\n  (`an_empty_pool`).", &[23], 0);
    check("A loss waits, INV-23\n(`an_empty_pool`).", &[23], 0);
    check("| INV-19, INV-23 | a loss waits | `bybit::none`, `an_empty_pool` |", &[19, 23], 0);
    check(
        "| INV-28 | a queue | `liquidation-strategy::the_queue_does_not_preserve_the_order_of_gains` |",
        &[28],
        0,
    );
    check("", &[23], 1);
    check("| INV-23 | a loss waits | |", &[23], 1);
    check("| INV-2 | a loss waits | `an_empty_pool` |", &[23], 2); // and nothing declares INV-2
    check("| INV-23 | a loss waits | `no_such_test` |", &[23], 1);
    check("| INV-23 | a helper | `triggers` |", &[23], 1);
    check("- INV-23: said\n- INV-19: a close (`an_empty_pool`)", &[23, 19], 1);
}
