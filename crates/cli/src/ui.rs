//! What the user sees. Answers go to standard output, everything else to standard error; colour only on a terminal and not
//! with `NO_COLOR`; a progress bar only on a terminal.

use crate::error::CliError;
use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;
use std::fmt::Display;
use std::io::{IsTerminal, Write};

const ERROR: Style = AnsiColor::Red.on_default().bold();
const HEADING: Style = Style::new().bold();
const DIM: Style = Style::new().dimmed();

/// How to speak to the user.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ui {
    json: bool,
    quiet: bool,
}

impl Ui {
    pub(crate) const fn new(json: bool, quiet: bool) -> Self {
        Self { json, quiet }
    }

    /// Whether the answer is to be JSON.
    pub(crate) const fn json(&self) -> bool {
        self.json
    }

    /// A line of the answer, on standard output.
    pub(crate) fn line(&self, text: impl Display) -> Result<(), CliError> {
        Ok(writeln!(anstream::stdout().lock(), "{text}")?)
    }

    /// A heading of the answer, bold where there is colour.
    pub(crate) fn heading(&self, text: impl Display) -> Result<(), CliError> {
        self.line(format_args!("{HEADING}{text}{HEADING:#}"))
    }

    /// A label and its value, aligned.
    pub(crate) fn field(&self, label: &str, value: impl Display) -> Result<(), CliError> {
        self.line(format_args!("  {DIM}{label:<14}{DIM:#} {value}"))
    }

    /// The answer as JSON, on standard output, with a line break at its end.
    pub(crate) fn value(&self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|e| CliError::Internal(format!("the answer is not JSON: {e}")))?;
        self.line(text)
    }

    /// A remark on standard error; silent with `--quiet`.
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet {
            // a closed standard error must not end the work
            let _ = writeln!(anstream::stderr().lock(), "{text}");
        }
    }

    /// The one message of a command that failed.
    pub(crate) fn error(&self, error: &CliError) {
        if !matches!(error, CliError::ClosedPipe) {
            let _ = writeln!(anstream::stderr().lock(), "{ERROR}error:{ERROR:#} {error}");
        }
    }

    /// A bar for `total` steps of `what`; invisible with `--quiet` and where standard error is no terminal.
    pub(crate) fn progress(&self, total: u64, what: impl Into<String>) -> Progress {
        let visible = !self.quiet && std::io::stderr().is_terminal();
        let target = if visible { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(total), target);
        if let Ok(style) = ProgressStyle::with_template(TEMPLATE) {
            bar.set_style(style);
        }
        bar.set_message(what.into());
        Progress { bar }
    }
}

const TEMPLATE: &str = "{msg:24} {wide_bar} {pos}/{len}  {eta}";

/// Progress of long work. Clones move the same bar, from any thread; it disappears with the last of them.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// `steps` more are done.
    pub(crate) fn advance(&self, steps: u64) {
        self.bar.inc(steps);
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
