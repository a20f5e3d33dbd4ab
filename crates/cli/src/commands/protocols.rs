//! `cofferdam protocols`: the venues whose rules are built in, and which of the laws their rules break.

use crate::error::CliError;
use crate::ui::Ui;
use cofferdam_protocols::{Preset, World, presets};
use serde::Serialize;
use std::collections::BTreeSet;
use std::process::ExitCode;

#[derive(Debug, Serialize)]
struct ProtocolOutput {
    name: &'static str,
    title: &'static str,
    /// "perpetual" or "lending": which scenario can run it.
    world: &'static str,
    /// Laws that its rules break; `check --protocol` says how.
    breaks: Vec<String>,
    /// Its page, relative to the sources.
    page: String,
}

fn output(preset: &Preset) -> Result<ProtocolOutput, CliError> {
    let broken: BTreeSet<u16> = preset.config()?.broken_laws().into_iter().map(|b| b.invariant).collect();
    Ok(ProtocolOutput {
        name: preset.name,
        title: preset.title,
        world: match preset.world {
            World::Perpetual => "perpetual",
            World::Lending => "lending",
            World::Cleared => "cleared",
        },
        breaks: broken.into_iter().map(|n| format!("INV-{n}")).collect(),
        page: format!("docs/protocols/{}.md", preset.name),
    })
}

pub(crate) fn run(ui: &Ui) -> Result<ExitCode, CliError> {
    let all = presets().iter().map(output).collect::<Result<Vec<_>, _>>()?;
    if ui.json() {
        ui.value(&all)?;
        return Ok(ExitCode::SUCCESS);
    }
    for p in all {
        ui.line(format_args!("{:<16} {} ({})", p.name, p.title, p.world))?;
        if !p.breaks.is_empty() {
            ui.line(format_args!("{:<16} breaks {}", "", p.breaks.join(", ")))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
