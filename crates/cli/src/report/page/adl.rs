//! The page of a study of loss allocation: published figures, what is wrong with them, wave by wave.

use super::super::charts::{RangeRow, dot_range};
use super::super::data::{AdlReport, AdlWave, Card};
use super::super::text::{compact, esc, fixed, group};
use super::parts::{Table, cards, figure, nothing, paragraph, passed, row_of, verdicts};
use super::{Section, adl_books, frame};

/// The whole page.
pub(in super::super) fn page(data: &AdlReport) -> String {
    let section = |id, title, body| Section { id, title, body };
    let sections = [
        section("figures", "Published and recomputed", figures(data)),
        section("waves", "Wave by wave", waves(&data.waves)),
        section("books", "Policies compared on one book", adl_books::books(data)),
        section("absent", "What nobody can recompute", absent(data)),
    ];
    frame(&data.title, &first(data), &sections)
}

fn first(data: &AdlReport) -> String {
    let agree = data.figures.iter().filter(|f| f.agrees).count();
    let card =
        |label: &str, value: String, note: &str| Card { label: label.into(), value, note: note.into() };
    let what = "Published figures of one night of deleveraging, each recomputed from the tables that were published with them; and \
                what those tables say beyond the text. Then policies compared on one book: those tables say nothing of who paid, so the book is \
                drawn, and a second one is made of users of that night where their table is present.";
    let all = [
        card(
            "Figures that agree",
            format!("{agree} of {}", data.figures.len()),
            "as exactly as they are printed",
        ),
        card("Waves", data.waves.len().to_string(), ""),
        card("Findings", data.findings.len().to_string(), "each with its numbers, below"),
    ];
    format!(
        "<section id=\"what\" aria-label=\"What was studied\">\n{}{}{}</section>\n",
        paragraph(what),
        cards(&all),
        verdicts("What the tables say of the claims", &data.findings)
    )
}

fn figures(data: &AdlReport) -> String {
    if data.figures.is_empty() {
        return nothing("the study names no figure");
    }
    let mut table = Table::new(
        "Figure by figure",
        "what|#published|#recomputed|#difference|agrees|*how, and where it is printed",
    );
    for f in &data.figures {
        let text = [&f.what, &f.published, &f.recomputed, &f.difference].map(|t| esc(t));
        let mut cells = text.to_vec();
        cells.extend([passed(f.agrees).to_owned(), esc(&format!("{} ({})", f.how, f.source))]);
        table.row(&cells);
    }
    let note = "A figure agrees when the recomputed one, rounded or cut to the printed digits, is the published one.";
    let sources: String =
        data.sources.iter().map(|(key, title)| paragraph(&format!("{key}: {title}."))).collect();
    table.finish() + &paragraph(note) + &sources
}

fn waves(waves: &[AdlWave]) -> String {
    if waves.is_empty() {
        return nothing("there are no waves");
    }
    let chart = |title: &str, of: fn(&AdlWave) -> f64, against: fn(&AdlWave) -> f64| {
        let rows: Vec<RangeRow> = waves
            .iter()
            .map(|w| {
                let (a, b) = (of(w), against(w));
                RangeRow {
                    name: format!("wave {}", w.number),
                    values: Some((a.min(b), a, a.max(b))),
                    baseline: false,
                }
            })
            .collect();
        dot_range(title, &rows, compact).map(|svg| figure(&svg, "", ""))
    };
    let charts: Vec<String> = [
        chart("Taken (dot) from what was needed (end), USD", |w| w.taken, |w| w.needed),
        chart("Published deficit, USD", |w| w.deficit, |w| w.deficit),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut table =
        Table::new("Wave by wave, USD", "wave|#deficit|#needed|#taken|#taken less needed|#taken over needed");
    for w in waves {
        let usd = |x: f64| group(&fixed(x, 2));
        let times = if w.needed > 0.0 { fixed(w.taken / w.needed, 2) } else { String::new() };
        table.row(&[
            w.number.to_string(),
            usd(w.deficit),
            usd(w.needed),
            usd(w.taken),
            usd(w.taken - w.needed),
            times,
        ]);
    }
    row_of(&charts) + &table.finish()
}

fn absent(data: &AdlReport) -> String {
    if data.absent.is_empty() {
        return paragraph("Everything that the study names can be recomputed.");
    }
    let mut table = Table::new("Published without the tables behind it", "*what|source");
    for (what, source) in &data.absent {
        table.row(&[esc(what), esc(source)]);
    }
    table.finish()
}
