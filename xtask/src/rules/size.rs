//! Files that hold a second thing and functions that do not fit a screen: warnings, for a reader to weigh.

use crate::{finding::Finding, tree::Tree};

const RULE: &str = "size";
const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 80;

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, source) in tree.sources() {
        if source.lines > FILE_LINES_MAX {
            let reason =
                format!("{} lines, more than {FILE_LINES_MAX}: what second thing lives here?", source.lines);
            findings.push(Finding::warning(RULE, path, 1, reason));
        }
        for function in &source.functions {
            let lines = function.last_line - function.first_line + 1;
            if lines > FUNCTION_LINES_MAX {
                let reason =
                    format!("fn {} has {lines} lines, more than {FUNCTION_LINES_MAX}", function.name);
                findings.push(Finding::warning(RULE, path, function.first_line, reason));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{finding::Severity, rules::expect, tree::sample};

    #[test]
    fn long_files_and_functions() {
        let body = |lines: usize| format!("\nfn f() {{{}}}\n", "\n".repeat(lines - 1));
        expect(check, &[("a.rs", &body(80))], &[]);
        expect(check, &[("a.rs", &body(81))], &["a.rs:2 fn f has 81 lines"]);
        expect(check, &[("a.rs", &"\n".repeat(600))], &[]);
        expect(check, &[("a.rs", &"\n".repeat(601)), ("a.md", &"\n".repeat(999))], &["a.rs:1 601 lines"]);
        assert_eq!(check(&sample(&[("a.rs", &body(99))]))[0].severity, Severity::Warning);
    }
}
