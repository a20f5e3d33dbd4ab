//! `cofferdam modules`: the kinds of modules that a stack file may name, with their parameters.

use crate::args::ModulesArgs;
use crate::composed::one_of;
use crate::error::CliError;
use crate::ui::Ui;
use cofferdam_stack::{ModuleInfo, modules};
use serde::Serialize;
use std::process::ExitCode;

#[derive(Debug, Serialize)]
struct ModuleOutput {
    kind: &'static str,
    room: String,
    summary: &'static str,
    parameters: Vec<ParameterOutput>,
    breaks: Vec<BreachOutput>,
}

#[derive(Debug, Serialize)]
struct ParameterOutput {
    name: &'static str,
    unit: &'static str,
    /// Absent: it has to be there.
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<&'static str>,
    meaning: &'static str,
}

#[derive(Debug, Serialize)]
struct BreachOutput {
    invariant: String,
    how: &'static str,
}

impl From<&ModuleInfo> for ModuleOutput {
    fn from(m: &ModuleInfo) -> Self {
        let parameter = |p: &cofferdam_stack::Parameter| ParameterOutput {
            name: p.name,
            unit: p.unit,
            default: p.default,
            meaning: p.meaning,
        };
        let breach = |b: &cofferdam_stack::Breach| BreachOutput {
            invariant: format!("INV-{}", b.invariant),
            how: b.how,
        };
        Self {
            kind: m.kind,
            room: m.room.to_string(),
            summary: m.summary,
            parameters: m.parameters.iter().map(parameter).collect(),
            breaks: m.breaks.iter().map(breach).collect(),
        }
    }
}

pub(crate) fn run(args: &ModulesArgs, ui: &Ui) -> Result<ExitCode, CliError> {
    let all = modules();
    let chosen: Vec<&ModuleInfo> = match &args.room {
        Some(room) => all.iter().filter(|m| m.room.to_string() == *room).collect(),
        None => all.iter().collect(),
    };
    if let (Some(room), true) = (&args.room, chosen.is_empty()) {
        let mut rooms: Vec<String> = all.iter().map(|m| m.room.to_string()).collect();
        rooms.dedup();
        return Err(CliError::BadInput(format!("--room {room}; accepted: {}", one_of(&rooms))));
    }
    if ui.json() {
        let listed: Vec<ModuleOutput> = chosen.into_iter().map(ModuleOutput::from).collect();
        ui.value(&listed)?;
    } else {
        let mut room = None;
        for m in chosen {
            if room != Some(m.room) {
                if room.is_some() {
                    ui.line("")?;
                }
                ui.heading(m.room)?;
                room = Some(m.room);
            }
            show(m, ui)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(m: &ModuleInfo, ui: &Ui) -> Result<(), CliError> {
    ui.line(format_args!("  {}", m.kind))?;
    ui.line(format_args!("      {}", m.summary))?;
    for p in m.parameters {
        let default = p.default.map_or_else(|| "required".to_owned(), |d| format!("default {d}"));
        ui.line(format_args!("      {:<22} {} ({}, {default})", p.name, p.meaning, p.unit))?;
    }
    for b in m.breaks {
        ui.line(format_args!("      breaks INV-{}: {}", b.invariant, b.how))?;
    }
    Ok(())
}
