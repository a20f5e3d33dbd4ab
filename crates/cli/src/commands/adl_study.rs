//! `cofferdam adl study`: published figures of a night of deleveraging beside what their own tables give.

use super::adl_books;
use crate::args::AdlStudyArgs;
use crate::error::CliError;
use crate::report::text::{fixed, group};
use crate::report::{AdlFigure, AdlReport, AdlWave, Status, VerdictLine, render_adl};
use crate::ui::Ui;
use cofferdam_market_sim::adl::{AdlStudy, Compared, Published, load};
use std::path::Path;
use std::process::ExitCode;

pub(crate) fn run(args: &AdlStudyArgs, ui: &Ui) -> Result<ExitCode, CliError> {
    let study = load(&args.path).map_err(|e| CliError::BadInput(e.to_string()))?;
    if let Some(out) = &args.out {
        std::fs::create_dir_all(out).map_err(|e| CliError::file(out, "make it", &e))?;
    }
    let mut report = fill(&study);
    compare(&study, args, &mut report)?;
    if let Some(out) = &args.out {
        write(out, &report)?;
    }
    if ui.json() {
        ui.value(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    say(ui, &report)?;
    if let Some(out) = &args.out {
        ui.line(format_args!("\nreport {}", out.join("report.html").display()))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn fill(study: &AdlStudy) -> AdlReport {
    let taken =
        |w: &cofferdam_market_sim::adl::Wave| w.taken.get(&Published::Production).map_or(0.0, |t| t.budget);
    AdlReport {
        title: study.title.clone(),
        figures: study.compared.iter().map(figure).collect(),
        absent: study.absent.iter().map(|a| (a.what.clone(), a.source.clone())).collect(),
        sources: study.sources.clone().into_iter().collect(),
        findings: study
            .night
            .findings()
            .into_iter()
            .map(|f| VerdictLine {
                status: Status::Warn,
                question: format!("\"{}\"", f.claim),
                answer: f.found,
            })
            .collect(),
        waves: study
            .night
            .waves
            .iter()
            .map(|w| AdlWave { number: w.number, needed: w.needed, taken: taken(w), deficit: w.deficit })
            .collect(),
        ..AdlReport::default()
    }
}

/// All policies on one book each: drawn, and the users of the night where their table is there.
fn compare(study: &AdlStudy, args: &AdlStudyArgs, report: &mut AdlReport) -> Result<(), CliError> {
    let Some(lab) = &study.lab else {
        report.skipped.push("No policies are compared: the study has no [book].".into());
        return Ok(());
    };
    let users = args.users.as_deref().or_else(|| lab.users().filter(|_| !args.no_users));
    let found = users.filter(|p| args.users.is_some() || p.is_file());
    match (users, found) {
        (None, _) => report.skipped.push("Users of the night: no table is asked for.".into()),
        (Some(path), None) => {
            report.skipped.push(format!("Users of the night: skipped, {} is not there.", path.display()));
        }
        _ => {}
    }
    let largest = study.night.waves.iter().map(|w| w.largest_loss).fold(0.0, f64::max);
    let needed = study.night.waves.iter().map(|w| w.needed).sum();
    let books = lab.run(needed, largest, found).map_err(|e| CliError::BadInput(e.to_string()))?;
    report.books = books.iter().map(adl_books::book).collect();
    Ok(())
}

fn figure(c: &Compared) -> AdlFigure {
    let whole = c.digits == 0 && c.recomputed.fract() == 0.0;
    let digits = if whole { 0 } else { usize::from(c.digits) + 2 };
    let with_unit = |number: String| if c.unit.is_empty() { number } else { format!("{number} {}", c.unit) };
    AdlFigure {
        what: c.what.clone(),
        published: with_unit(group(&fixed(c.published, c.digits.into()))),
        recomputed: with_unit(group(&fixed(c.recomputed, digits))),
        difference: group(&fixed(c.difference(), digits)),
        agrees: c.agrees(),
        how: c.how.to_owned(),
        source: c.source.clone(),
    }
}

fn write(out: &Path, report: &AdlReport) -> Result<(), CliError> {
    let json = serde_json::to_string_pretty(report).map_err(|e| CliError::Internal(e.to_string()))?;
    for (name, text) in [("report.html", render_adl(report)), ("summary.json", json + "\n")] {
        let path = out.join(name);
        std::fs::write(&path, text).map_err(|e| CliError::file(&path, "write it", &e))?;
    }
    Ok(())
}

fn say(ui: &Ui, report: &AdlReport) -> Result<(), CliError> {
    ui.heading(&report.title)?;
    ui.line(format_args!(
        "  {:<42} {:>20} {:>24} {:>16}  source",
        "", "published", "recomputed", "difference"
    ))?;
    for f in &report.figures {
        let mark = if f.agrees { ' ' } else { '!' };
        ui.line(format_args!(
            "{mark} {:<42} {:>20} {:>24} {:>16}  {}",
            f.what, f.published, f.recomputed, f.difference, f.source
        ))?;
    }
    for (key, title) in &report.sources {
        ui.line(format_args!("  {key}: {title}"))?;
    }
    ui.heading("\nWhat the tables say of the claims")?;
    for f in &report.findings {
        ui.line(format_args!("- {} {}", f.question, f.answer))?;
    }
    ui.heading("\nWhat nobody can recompute")?;
    for (what, source) in &report.absent {
        ui.line(format_args!("- {what} ({source})"))?;
    }
    for book in &report.books {
        ui.heading(format_args!("\nPolicies compared. {}", book.name))?;
        ui.line(format_args!("{}", book.note))?;
        let ends = book.cases.first().into_iter().chain(book.cases.get(1..).and_then(<[_]>::last));
        for line in ends.flat_map(adl_books::lines) {
            ui.line(format_args!("{line}"))?;
        }
        for c in &book.conclusions {
            ui.line(format_args!("- {} {}", c.question, c.answer))?;
        }
    }
    for what in &report.skipped {
        ui.line(format_args!("\n{what}"))?;
    }
    Ok(())
}
