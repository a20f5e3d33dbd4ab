//! The files that a check looks at: those that git tracks or would track, as text.

use crate::source::Source;
use std::{collections::BTreeMap, fs, path::Path, process::Command};

/// Text files by path, relative to the root of the repository, with `/` between folders.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    texts: BTreeMap<String, String>,
    sources: BTreeMap<String, Source>,
}

impl Tree {
    /// Everything git tracks, and everything new that it does not ignore. Files that are not UTF-8 are left out.
    pub(crate) fn of_repository() -> Result<Self, String> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("xtask has no parent folder")?;
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()
            .map_err(|e| format!("git ls-files: {e}"))?;
        if !listed.status.success() {
            return Err(format!("git ls-files: {}", String::from_utf8_lossy(&listed.stderr).trim()));
        }
        let names = String::from_utf8_lossy(&listed.stdout);
        // A file that was deleted and not yet committed is still listed: it cannot be read, and is not there to be checked.
        let texts = names.split('\0').filter(|n| !n.is_empty()).filter_map(|name| {
            let bytes = fs::read(root.join(name)).ok()?;
            Some((name.to_owned(), String::from_utf8(bytes).ok()?))
        });
        Ok(Self::new(texts))
    }

    pub(crate) fn new(texts: impl IntoIterator<Item = (String, String)>) -> Self {
        let texts: BTreeMap<_, _> = texts.into_iter().collect();
        let sources = texts
            .iter()
            .filter(|(path, _)| path.ends_with(".rs"))
            .map(|(path, text)| (path.clone(), Source::new(text)))
            .collect();
        Self { texts, sources }
    }

    pub(crate) fn len(&self) -> usize {
        self.texts.len()
    }

    /// All text files in order of path.
    pub(crate) fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.texts.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.texts.get(path).map(String::as_str)
    }

    /// All Rust files in order of path.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.sources.iter().map(|(path, source)| (path.as_str(), source))
    }

    /// Whether a file or a folder of that path exists.
    pub(crate) fn exists(&self, path: &str) -> bool {
        let folder = format!("{path}/");
        self.texts.contains_key(path)
            || self.texts.range(folder.clone()..).next().is_some_and(|(p, _)| p.starts_with(&folder))
    }

    /// Names of the folders right below `crates/`.
    pub(crate) fn crates(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self
            .texts
            .keys()
            .filter_map(|p| p.strip_prefix("crates/")?.strip_suffix("/Cargo.toml"))
            .filter(|name| !name.contains('/'))
            .collect();
        names.sort_unstable();
        names
    }
}

#[cfg(test)]
pub(crate) fn sample(files: &[(&str, &str)]) -> Tree {
    Tree::new(files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())))
}

#[cfg(test)]
mod tests {
    use super::sample;

    #[test]
    fn folders_and_crates() {
        let tree =
            sample(&[("crates/core/Cargo.toml", ""), ("crates/core/src/lib.rs", ""), ("docs/a.md", "")]);
        assert_eq!(tree.crates(), ["core"]);
        assert!(tree.exists("crates/core/src") && tree.exists("docs/a.md"));
        assert!(!tree.exists("crates/cor") && !tree.exists("docs/a"));
    }
}
