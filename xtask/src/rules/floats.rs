//! Integers only where money moves: no `f32`, no `f64`, no literal with a fraction. Test code may compare with floats.

use super::{crate_of, moves_money};
use crate::{
    finding::Finding,
    source::{Kind, Token},
    tree::Tree,
};

const RULE: &str = "floats";

/// serde's macro lists all types that a format can hold, in order to treat none of them apart.
const FORWARD: &str = "forward_to_deserialize_any";

pub(crate) fn check(tree: &Tree) -> Vec<Finding> {
    let exempt = test_files(tree);
    let mut findings = Vec::new();
    for (path, source) in tree.sources() {
        let money = crate_of(path).is_some_and(moves_money) && path.contains("/src/");
        if !money || exempt.iter().any(|prefix| path.starts_with(prefix.as_str())) {
            continue;
        }
        let forwarded = source.macro_bodies(FORWARD);
        for (i, token) in source.tokens.iter().enumerate() {
            if token.test || !is_float(token) || forwarded.iter().any(|body| body.contains(&i)) {
                continue;
            }
            let reason = format!("`{}`: integers only where money moves", token.text);
            findings.push(Finding::error(RULE, path, token.line, reason));
        }
    }
    findings
}

fn is_float(token: &Token) -> bool {
    let text = token.text.as_str();
    let hexadecimal = text.starts_with("0x");
    match token.kind {
        Kind::Word => matches!(text, "f32" | "f64"),
        Kind::Number if hexadecimal => false,
        Kind::Number => {
            text.contains('.') || text.ends_with("f32") || text.ends_with("f64") || has_exponent(text)
        }
        _ => false,
    }
}

// 1e6 is a float; 1_usize has an `e` in its suffix.
fn has_exponent(text: &str) -> bool {
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit() || c == '_');
    digits
        .strip_prefix(['e', 'E'])
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Files of modules that are declared as `#[cfg(test)] mod name;`.
fn test_files(tree: &Tree) -> Vec<String> {
    let mut files = Vec::new();
    for (path, source) in tree.sources() {
        let Some((folder, file)) = path.rsplit_once('/') else { continue };
        let folder = match file {
            "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
            _ => format!("{folder}/{}", file.trim_end_matches(".rs")),
        };
        for name in &source.test_modules {
            files.extend([format!("{folder}/{name}.rs"), format!("{folder}/{name}/")]);
        }
    }
    files
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::expect;

    #[test]
    fn floats_where_money_moves() {
        let bad = "fn a(x: f64) {}\n// f64\nconst S: &str = \"f32\";\nconst T: u8 = (1.5 as u8) + 1e3 as u8;\nlet u = 2_f32;";
        expect(
            check,
            &[("crates/stack/src/a.rs", bad)],
            &[
                "crates/stack/src/a.rs:1 `f64`",
                "crates/stack/src/a.rs:4 `1.5`",
                "crates/stack/src/a.rs:4 `1e3`",
                "crates/stack/src/a.rs:5 `2_f32`",
            ],
        );
        for free in ["crates/market-sim/src/a.rs", "crates/cli/src/a.rs", "crates/oracle/benches/a.rs"] {
            expect(check, &[(free, bad)], &[]);
        }
    }

    #[test]
    fn what_serde_forwards_is_no_number() {
        let file = |text| [("crates/stack/src/a.rs", text)];
        expect(check, &file("forward_to_deserialize_any! { i64 f32 f64 }"), &[]);
        expect(
            check,
            &file("forward_to_deserialize_any! { i64 } type T = f64;"),
            &["crates/stack/src/a.rs:1 `f64`"],
        );
    }

    #[test]
    fn what_is_not_a_float() {
        let good = "let a = x.0.1 + 0xf64 + 1_usize; for i in 0..5 {}\n#[cfg(test)] mod tests { const X: f64 = 1.0; }";
        expect(check, &[("crates/core/src/a.rs", good)], &[]);
        let files = [
            ("crates/core/src/lib.rs", "#[cfg(test)] mod laws;"),
            ("crates/core/src/laws.rs", "const X: f64 = 1.0;"),
            ("crates/core/src/wide.rs", "#[cfg(test)] mod laws;"),
            ("crates/core/src/wide/laws.rs", "const X: f64 = 1.0;"),
        ];
        expect(check, &files, &[]);
    }
}
