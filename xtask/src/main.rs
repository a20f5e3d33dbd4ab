//! House-keeping for this repository, as plain Rust: `cargo xtask tidy` checks the rules of the house that the compiler
//! does not know (who may depend on whom, no floats where money moves, unique kinds, documents that name real tests);
//! `cargo xtask derive NAME` prints expected numbers of a venue, by a second implementation in exact fractions.

mod derive;
mod finding;
mod rules;
mod source;
mod tree;

use finding::Severity;
use std::{env, process::ExitCode};
use tree::Tree;

const USAGE: &str = "usage: cargo xtask COMMAND

  tidy          check the rules of the house; exit code 1 if one is broken
  derive NAME   print the derived numbers of a venue's conformance table";

fn main() -> ExitCode {
    let words: Vec<String> = env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => tidy(),
        ["derive", name] => derive(name),
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

fn derive(name: &str) -> ExitCode {
    if let Some((_, print)) = derive::NAMES.iter().find(|(n, _)| *n == name) {
        print();
        return ExitCode::SUCCESS;
    }
    let known: Vec<&str> = derive::NAMES.iter().map(|(n, _)| *n).collect();
    eprintln!("derive: nothing is called {name}; there is {}", known.join(", "));
    ExitCode::from(2)
}
