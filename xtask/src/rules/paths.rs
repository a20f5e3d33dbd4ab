//! Nothing in the repository names a folder of one machine.

use crate::{finding::Finding, tree::Tree};

const RULE: &str = "paths";

/// Roots of folders that exist on the machines this was written on and nowhere else. Spelt in pieces, so that this file
/// passes its own check.
const ROOTS: [[&str; 2]; 4] = [["/wo", "rk/"], ["/ro", "ot/"], ["/fa", "rm/"], ["/tmp/ba", "sh_jobs"]];

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts() {
        for root in ROOTS.map(|pieces| pieces.concat()) {
            if !text.contains(&root) {
                continue;
            }
            for (i, _) in text.lines().enumerate().filter(|(_, line)| line.contains(&root)) {
                findings.push(Finding::error(
                    RULE,
                    path,
                    i + 1,
                    format!("`{root}` is a path of one machine"),
                ));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::expect;

    #[test]
    fn machine_paths() {
        let text = ROOTS.map(|pieces| pieces.concat()).join("here\n");
        expect(check, &[("a.md", &text)], &["a.md:1 ", "a.md:2 ", "a.md:3 ", "a.md:4 "]);
        expect(check, &[("a.md", "network/works, rooted, /tmp/out")], &[]);
    }
}
