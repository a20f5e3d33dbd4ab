//! Links between documents lead somewhere.

use crate::{finding::Finding, tree::Tree};

const RULE: &str = "documents";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.texts().filter(|(path, _)| path.ends_with(".md")) {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let mut fenced = false;
        for (i, line) in text.lines().enumerate() {
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
            }
            for target in targets(line).filter(|t| !fenced && is_relative(t)) {
                let file = target.split('#').next().unwrap_or_default();
                match resolve(folder, file) {
                    Some(found) if found.is_empty() || tree.exists(&found) => {}
                    _ => {
                        findings.push(Finding::error(RULE, path, i + 1, format!("`{target}` leads nowhere")))
                    }
                }
            }
        }
    }
    findings
}

/// What stands between `](` and `)`.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    line.split("](").skip(1).filter_map(|rest| rest.split(')').next())
}

fn is_relative(target: &str) -> bool {
    !target.contains("://") && !target.starts_with("mailto:") && !target.starts_with('#')
}

/// A path relative to a folder, relative to the root instead; `None` when it leaves the repository.
fn resolve(folder: &str, target: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|p| !p.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::expect;

    #[test]
    fn links() {
        let text = "[a](b.md) [b](../README.md#x) [c](https://x.org/y) [d](#here) [e](../crates/)\n\
                    [f](gone.md) and [g](../../up.md)\n```\n[h](gone.md)\n```";
        let files =
            [("docs/a.md", text), ("docs/b.md", ""), ("README.md", ""), ("crates/core/README.md", "")];
        expect(check, &files, &["docs/a.md:2 `../../up.md` leads", "docs/a.md:2 `gone.md` leads"]);
    }
}
