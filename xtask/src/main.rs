//! House-keeping for this repository, as plain Rust: `cargo xtask tidy` checks the rules of the house that the compiler
//! does not know (who may depend on whom, no floats where money moves, unique kinds, documents that name real tests).

mod finding;
mod rules;
mod source;
mod tree;

use finding::Severity;
use std::{env, process::ExitCode};
use tree::Tree;

const USAGE: &str =
    "usage: cargo xtask tidy\n\n  tidy   check the rules of the house; exit code 1 if one is broken";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => tidy(),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("{USAGE}");
            ExitCode::from(2)
        }
    }
}

fn tidy() -> ExitCode {
    let tree = match Tree::of_repository() {
        Ok(tree) => tree,
        Err(error) => {
            eprintln!("tidy: {error}");
            return ExitCode::from(2);
        }
    };
    let findings = rules::check_all(&tree);
    let errors = findings.iter().filter(|f| f.severity == Severity::Error).count();
    for finding in &findings {
        println!("{finding}");
    }
    println!("tidy: {} files, {errors} errors, {} warnings", tree.len(), findings.len() - errors);
    if errors == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
