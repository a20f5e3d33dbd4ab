//! The `cofferdam` command: runs and replays scenarios, checks stack files, and lets a shell or another language put a
//! question to each room in JSON.

mod args;
mod commands;
mod composed;
mod document;
mod error;
mod fill;
mod format;
mod lending;
mod report;
mod ui;
mod workload;
mod world;

use args::{
    AdlCommand, Cli, Command, InsuranceCommand, LiquidationCommand, MarginCommand, NewCommand, OracleCommand,
};
use clap::Parser;
use error::CliError;
use std::process::ExitCode;
use ui::Ui;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let ui = Ui::new(cli.json, cli.quiet);
    // a fault of ours ends like every other: with one message and a code of its own
    std::panic::set_hook(Box::new(|_| {}));
    let done = std::panic::catch_unwind(|| dispatch(cli.command, &ui)).unwrap_or_else(|cause| {
        let what = cause.downcast_ref::<String>().map(String::as_str);
        let what = what.or_else(|| cause.downcast_ref::<&str>().copied()).unwrap_or("unknown");
        Err(CliError::Internal(what.to_owned()))
    });
    done.unwrap_or_else(|error| {
        ui.error(&error);
        ExitCode::from(error.code())
    })
}

fn dispatch(command: Command, ui: &Ui) -> Result<ExitCode, CliError> {
    match command {
        Command::Run(args) => commands::run::run(args, ui),
        Command::Replay(args) => commands::replay::run(args, ui),
        Command::Check(args) => commands::check::run(&args, ui),
        Command::Protocols => commands::protocols::run(ui),
        Command::Modules(args) => commands::modules::run(&args, ui),
        Command::Oracle(OracleCommand::Resolve(args)) => commands::oracle::run(&args, ui),
        Command::Margin(MarginCommand::Assess(args)) => commands::margin::run(&args, ui),
        Command::Liquidation(LiquidationCommand::Plan(args)) => commands::liquidation::run(&args, ui),
        Command::Insurance(InsuranceCommand::Waterfall(args)) => commands::insurance::run(&args, ui),
        Command::Adl(AdlCommand::Allocate(args)) => commands::adl::run(&args, ui),
        Command::Adl(AdlCommand::Study(args)) => commands::adl_study::run(&args, ui),
        Command::Schema(args) => commands::schema::run(&args, ui),
        Command::New(NewCommand::InsuranceLayer(args)) => commands::new::insurance_layer(&args, ui),
    }
}
