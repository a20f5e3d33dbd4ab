//! The built command, run from the root of the repository.
#![allow(dead_code, unreachable_pub, missing_docs)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the repository's root")
}

pub fn cofferdam(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cofferdam"));
    command.args(args).current_dir(root()).env_remove("CLICOLOR_FORCE").env_remove("NO_COLOR");
    command
}

/// Exit code, standard output, standard error.
pub fn run(args: &[&str], input: &str) -> (i32, String, String) {
    let piped = || Stdio::piped();
    let mut child =
        cofferdam(args).stdin(piped()).stdout(piped()).stderr(piped()).spawn().expect("the command starts");
    // a command that refuses its arguments does not wait for its input
    let _ = child.stdin.take().expect("standard input").write_all(input.as_bytes());
    let Output { status, stdout, stderr } = child.wait_with_output().expect("the command ends");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}
