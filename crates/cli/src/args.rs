//! The command line, as clap sees it.

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

const EXIT_CODES: &str =
    "Exit codes: 0 fine, 1 a comparison that does not agree, 2 bad input, 3 internal error.";

/// Compose a risk stack for leveraged positions, run it through a crash, and check its numbers from a shell.
#[derive(Debug, Parser)]
#[command(name = "cofferdam", version, about, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// Answer in JSON where the command has a text for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Nothing on standard error but warnings and errors.
    #[arg(long, short, global = true)]
    pub(crate) quiet: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run a scenario and write its report.
    Run(RunArgs),
    /// Rebuild a state from recorded facts, or decide recorded inputs again.
    Replay(ReplayArgs),
    /// Check a stack file and say what it composes.
    Check(CheckArgs),
    /// List the venues whose rules are built in.
    Protocols,
    /// List the kinds of modules that exist, with their parameters.
    Modules(ModulesArgs),
    /// Prices from quotes.
    #[command(subcommand)]
    Oracle(OracleCommand),
    /// Health of accounts.
    #[command(subcommand)]
    Margin(MarginCommand),
    /// Plans of liquidations.
    #[command(subcommand)]
    Liquidation(LiquidationCommand),
    /// Losses over insurance layers.
    #[command(subcommand)]
    Insurance(InsuranceCommand),
    /// Who pays what nobody else did.
    #[command(subcommand)]
    Adl(AdlCommand),
    /// Print the JSON schema of a question or an answer.
    Schema(SchemaArgs),
    /// Write a crate to begin with.
    #[command(subcommand)]
    New(NewCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum NewCommand {
    /// An insurance layer of your own, which compiles, passes the public suite and can be named by a stack file.
    InsuranceLayer(NewLayerArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum OracleCommand {
    /// Resolve quotes to prices with a state.
    Resolve(RoomArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum MarginCommand {
    /// Assess accounts at every level of the margin model.
    Assess(MarginArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum LiquidationCommand {
    /// Plan the liquidation of an account.
    Plan(RoomArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum InsuranceCommand {
    /// Split a loss over layers.
    Waterfall(RoomArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum AdlCommand {
    /// Allocate a need over payers, and measure what that takes from whom.
    Allocate(AdlAllocateArgs),
    /// Recompute the published figures of a night, and say what is wrong with them.
    Study(AdlStudyArgs),
}

/// Arguments of `run`.
#[derive(Clone, Debug, Args)]
pub(crate) struct RunArgs {
    /// A scenario: its folder, or its file.
    pub(crate) path: PathBuf,
    /// Where the report, the summary, the inputs and the facts are written.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// How many seeds a variant with randomness is run with, instead of the scenario's own number.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(crate) seeds: Option<u32>,
    /// Only these variants, separated by commas.
    #[arg(long, value_name = "NAMES")]
    pub(crate) variants: Option<String>,
    #[command(flatten)]
    pub(crate) stack: StackArgs,
    /// How many threads work at once; the answer does not depend on it.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    pub(crate) jobs: Option<u32>,
}

/// Arguments of `adl study`.
#[derive(Clone, Debug, Args)]
pub(crate) struct AdlStudyArgs {
    /// A study: its folder, or its file.
    pub(crate) path: PathBuf,
    /// A table of users on whom policies are compared, instead of the one that the study names.
    #[arg(long, value_name = "FILE")]
    pub(crate) users: Option<PathBuf>,
    /// Compare policies on the drawn book only.
    #[arg(long, conflicts_with = "users")]
    pub(crate) no_users: bool,
    /// Where the report and the summary are written.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Arguments of `new insurance-layer`.
#[derive(Clone, Debug, Args)]
pub(crate) struct NewLayerArgs {
    /// Of the kind: `org/name`.
    pub(crate) name: String,
    /// The folder of a checkout of Cofferdam, on which the crate depends until there is something published; else the one that this folder is in.
    #[arg(long, value_name = "DIR")]
    pub(crate) cofferdam: Option<PathBuf>,
    /// The folder to make, instead of `org-name` here.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// Arguments of `replay`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The output of a run.
    pub(crate) dir: PathBuf,
    /// Decide every recorded input again and compare fact by fact, instead of rebuilding the state from facts alone.
    #[arg(long)]
    pub(crate) inputs: bool,
}

/// Arguments of `check`.
#[derive(Clone, Debug, Args)]
#[group(id = "checked", required = true)]
pub(crate) struct CheckArgs {
    /// The stack file.
    #[arg(group = "checked")]
    pub(crate) stack: Option<PathBuf>,
    /// A built-in venue instead of a file; `cofferdam protocols` lists them.
    #[arg(long, value_name = "NAME", group = "checked")]
    pub(crate) protocol: Option<String>,
}

/// Which stack, instead of the one that a scenario or a question names.
#[derive(Clone, Debug, Args)]
pub(crate) struct StackArgs {
    /// This stack instead of the one that the scenario or the question names.
    #[arg(long, value_name = "FILE")]
    pub(crate) stack: Option<PathBuf>,
    /// A built-in venue's stack instead; `cofferdam protocols` lists them.
    #[arg(long, value_name = "NAME", conflicts_with = "stack")]
    pub(crate) protocol: Option<String>,
}

/// Arguments of `modules`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ModulesArgs {
    /// Only kinds of this room.
    #[arg(long)]
    pub(crate) room: Option<String>,
}

/// Arguments of a room that answers in JSON.
#[derive(Clone, Debug, Args)]
pub(crate) struct RoomArgs {
    /// The question as JSON; `-` reads standard input.
    #[arg(default_value = "-")]
    pub(crate) input: PathBuf,
    #[command(flatten)]
    pub(crate) stack: StackArgs,
}

/// Arguments of `adl allocate`.
#[derive(Clone, Debug, Args)]
pub(crate) struct AdlAllocateArgs {
    /// The question as JSON; `-` reads standard input.
    #[arg(default_value = "-", conflicts_with = "deficit")]
    pub(crate) input: PathBuf,
    /// Payers from a CSV with a header of the fields of `payers`, beside those of the question; `-` reads standard input.
    #[arg(long, value_name = "FILE")]
    pub(crate) payers: Option<PathBuf>,
    /// The need, instead of a question: a deficit of this many units.
    #[arg(long, value_name = "AMOUNT", requires = "payers", allow_negative_numbers = true)]
    pub(crate) deficit: Option<String>,
    /// The market that the payers hold, with `--deficit`. Default: the only one of the stack.
    #[arg(long, value_name = "NAME", requires = "deficit")]
    pub(crate) market: Option<String>,
    /// A policy of docs/adl.md instead of the stack's, by its name there, or `all` for one after the other.
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: Option<String>,
    #[command(flatten)]
    pub(crate) stack: StackArgs,
}

/// Arguments of `margin assess`.
#[derive(Clone, Debug, Args)]
pub(crate) struct MarginArgs {
    /// Accounts with prices as JSON; `-` reads standard input.
    #[arg(default_value = "-", conflicts_with = "accounts")]
    pub(crate) input: PathBuf,
    /// Accounts: a `.csv` of the common workload, or JSON as above.
    #[arg(long, value_name = "FILE")]
    pub(crate) accounts: Option<PathBuf>,
    /// Prices for a `.csv`; otherwise `prices.json` beside the stack file.
    #[arg(long, value_name = "FILE", requires = "accounts")]
    pub(crate) prices: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) stack: StackArgs,
}

/// Arguments of `schema`.
#[derive(Clone, Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Which, for example `margin-assess` or `margin-assess.answer`; without it, all names.
    pub(crate) name: Option<String>,
}
