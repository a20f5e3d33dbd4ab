//! `cofferdam schema`: the JSON schemas of each room's question and answer, made from the types that read and write them.

use super::{adl, insurance, liquidation, margin, oracle};
use crate::args::SchemaArgs;
use crate::error::CliError;
use crate::format::Prices;
use crate::ui::Ui;
use schemars::{Schema, schema_for};
use std::process::ExitCode;

/// Names and schemas, in the order of the rooms.
fn all() -> [(&'static str, Schema); 11] {
    [
        ("oracle-resolve", schema_for!(oracle::Input)),
        ("oracle-resolve.answer", schema_for!(oracle::Output)),
        ("margin-assess", schema_for!(margin::Input)),
        ("margin-assess.answer", schema_for!(margin::Output)),
        ("liquidation-plan", schema_for!(liquidation::Input)),
        ("liquidation-plan.answer", schema_for!(liquidation::Output)),
        ("insurance-waterfall", schema_for!(insurance::Input)),
        ("insurance-waterfall.answer", schema_for!(insurance::Output)),
        ("adl-allocate", schema_for!(adl::Input)),
        ("adl-allocate.answer", schema_for!(adl::Output)),
        ("prices", schema_for!(Prices)),
    ]
}

pub(crate) fn run(args: &SchemaArgs, ui: &Ui) -> Result<ExitCode, CliError> {
    let schemas = all();
    let Some(asked) = &args.name else {
        schemas.iter().try_for_each(|(name, _)| ui.line(name))?;
        return Ok(ExitCode::SUCCESS);
    };
    let Some((_, schema)) = schemas.iter().find(|(name, _)| name == asked) else {
        let names: Vec<&str> = schemas.iter().map(|(name, _)| *name).collect();
        return Err(CliError::BadInput(format!("schema {asked}; accepted: {}", names.join(", "))));
    };
    ui.value(schema)?;
    Ok(ExitCode::SUCCESS)
}
