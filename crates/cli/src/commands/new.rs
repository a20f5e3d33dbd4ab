//! `cofferdam new`: a crate to begin with. The files are those of `examples/insurance-plugin-acme` under another name, so what is
//! generated is what CI builds and tests.

use crate::args::NewLayerArgs;
use crate::error::CliError;
use crate::ui::Ui;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        [$(($name, include_str!(concat!("../../../../examples/insurance-plugin-acme/", $name)))),*]
    };
}

/// The lock is among them, so that a fresh crate builds with the versions that were tested.
const FILES: [(&str, &str); 9] = files![
    ".gitignore",
    "Cargo.lock",
    "Cargo.toml",
    "README.md",
    "examples/modules.rs",
    "src/lib.rs",
    "stack.toml",
    "tests/in_a_stack.rs",
    "tests/terms.rs",
];

/// How the code is laid out, for `cargo fmt`.
const LAYOUT: (&str, &str) = ("rustfmt.toml", include_str!("../../../../rustfmt.toml"));

/// What a checkout has.
const CONTRACT: &str = "crates/insurance-layer/Cargo.toml";

pub(crate) fn insurance_layer(args: &NewLayerArgs, ui: &Ui) -> Result<ExitCode, CliError> {
    let name = Name::parse(&args.name)?;
    let checkout = checkout(args.cofferdam.as_deref())?;
    let folder = args.out.clone().unwrap_or_else(|| PathBuf::from(name.package()));
    if folder.exists() {
        let shown = folder.display();
        return Err(CliError::BadInput(format!(
            "{shown}: it exists; accepted: a folder that does not (--out)"
        )));
    }
    for (file, text) in FILES.iter().chain([&LAYOUT]) {
        write(&folder.join(file), &name.apply(text, &checkout))?;
    }
    ui.line(format!("{}: a layer of the kind {}/{}@1", folder.display(), name.org, name.layer))?;
    ui.line("Change the terms in src/lib.rs and their tables in tests/, then: cargo test")?;
    Ok(ExitCode::SUCCESS)
}

/// `org/name`.
struct Name<'a> {
    org: &'a str,
    layer: &'a str,
}

impl<'a> Name<'a> {
    fn parse(text: &'a str) -> Result<Self, CliError> {
        let sound = |part: &str| {
            let letters = part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
            let begins = part.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
            letters && begins && !part.ends_with('-') && !part.contains("--") && part.len() <= 30
        };
        match text.split_once('/') {
            Some((org, layer)) if sound(org) && sound(layer) && org != "cofferdam" => Ok(Self { org, layer }),
            _ => Err(CliError::BadInput(format!(
                "NAME {text:?}; accepted: org/name such as \"acme/crash-cover\", each of a-z, 0-9 and single hyphens, beginning \
                 with a letter, at most 30 long; \"cofferdam\" is ours"
            ))),
        }
    }

    fn package(&self) -> String {
        format!("{}-{}", self.org, self.layer)
    }

    fn apply(&self, text: &str, checkout: &str) -> String {
        text.replace("acme/reinstated-excess", &format!("{}/{}", self.org, self.layer))
            .replace("acme-reinstated-excess", &self.package())
            .replace("acme_reinstated_excess", &self.package().replace('-', "_"))
            .replace("../../crates/", &format!("{checkout}/crates/"))
            .replace("An insurance layer that Cofferdam does not ship, in a crate that is not part of its workspace. `.ci/run plugins` builds it and runs its tests.", "An insurance layer for Cofferdam, to begin with: an excess of loss with reinstatements. `cargo test` runs the public suite.")
    }
}

/// The folder of the checkout, as a dependency names it.
fn checkout(given: Option<&Path>) -> Result<String, CliError> {
    let refuse = |shown: String| {
        let accepted = format!("--cofferdam with the folder of a checkout, which has {CONTRACT}");
        CliError::BadInput(format!("{shown}; accepted: {accepted}"))
    };
    let found = match given {
        Some(folder) if folder.join(CONTRACT).is_file() => folder.to_path_buf(),
        Some(folder) => {
            return Err(refuse(format!("--cofferdam {}: no checkout of Cofferdam", folder.display())));
        }
        None => {
            let here = std::env::current_dir().map_err(|e| CliError::file(Path::new("."), "find", &e))?;
            let up = here.ancestors().find(|a| a.join(CONTRACT).is_file()).map(Path::to_path_buf);
            up.ok_or_else(|| refuse("no checkout of Cofferdam in this folder or above it".into()))?
        }
    };
    let full = found.canonicalize().map_err(|e| CliError::file(&found, "find", &e))?;
    let text = full.to_str().map(str::to_owned);
    let plain = text.filter(|t| !t.contains(['"', '\\']) && !t.contains(char::is_control));
    plain.ok_or_else(|| refuse(format!("--cofferdam {}: a path that a manifest cannot hold", full.display())))
}

fn write(path: &Path, text: &str) -> Result<(), CliError> {
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(|e| CliError::file(parent, "make the folder", &e))?;
    }
    std::fs::write(path, text).map_err(|e| CliError::file(path, "write", &e))
}
