//! Policies compared on one book: figures with what has to be known on each, a table for each number of unreached winners, and what can be
//! concluded.

use super::super::charts::{RangeRow, dot_range};
use super::super::data::{AdlBook, AdlCase, AdlPolicy, AdlReport};
use super::super::text::{compact, esc, fixed, group, percent};
use super::parts::{Table, details, figure, nothing, paragraph, row_of, verdicts};

pub(super) fn books(data: &AdlReport) -> String {
    let skipped: String = data.skipped.iter().map(|s| paragraph(s)).collect();
    if data.books.is_empty() {
        return nothing("no policies were compared") + &skipped;
    }
    data.books.iter().map(book).collect::<String>() + &skipped
}

fn book(book: &AdlBook) -> String {
    let tables: String = book.cases.iter().map(|c| details(&summary(c), &table(c))).collect();
    format!(
        "<h3>{}</h3>{}{}{}{}{}",
        esc(&book.name),
        paragraph(&book.note),
        verdicts("What one would conclude, and what unreached winners make of it", &book.conclusions),
        charts(book, "Deficit", |c| &c.deficit),
        charts(book, "Close-out", |c| &c.close_out),
        tables
    )
}

fn summary(c: &AdlCase) -> String {
    format!(
        "x {} unreached: {} winners with gains of {} USD; the middle of {} seed(s)",
        c.times,
        group(&fixed(c.winners, 0)),
        compact(c.gains),
        c.seeds
    )
}

fn share(x: f64) -> String {
    percent(x, 1)
}

/// What a figure shows, from what, and how it is printed.
type Measure = (&'static str, fn(&AdlCase, &AdlPolicy) -> f64, fn(f64) -> String);

/// For each measure a dot where only the reached are in the book, on a line over all numbers of unreached winners.
fn charts(book: &AdlBook, form: &str, of: fn(&AdlCase) -> &Vec<AdlPolicy>) -> String {
    let measures: [Measure; 4] = [
        ("largest haircut, 100 % at most", |_, p| p.largest_haircut.min(1.0), share),
        ("paid by the top 1 % by gain", |_, p| p.by_largest, share),
        ("paid by the most levered tenth", |_, p| p.by_levered, share),
        ("next deficit over the one if nobody paid", |c, p| p.next_deficit / c.next_deficit, |x| fixed(x, 2)),
    ];
    let Some(first) = book.cases.first() else { return nothing("no case was run") };
    let chart = |(title, measure, print): Measure| {
        let rows: Vec<RangeRow> = of(first).iter().map(|p| range(book, p, of, measure)).collect();
        let note = format!(
            "Dot: the reached alone; line: over all numbers of unreached winners (x {}). {}",
            book.cases.iter().map(|c| c.times.to_string()).collect::<Vec<_>>().join(", x "),
            warning(book)
        );
        dot_range(&format!("{form}: {title}"), &rows, print).map(|svg| figure(&svg, "", &note))
    };
    row_of(&measures.into_iter().filter_map(chart).collect::<Vec<_>>())
}

/// The sentence that belongs on every figure: the note up to its first full stop.
fn warning(book: &AdlBook) -> &str {
    book.note.split_inclusive(". ").next().unwrap_or_default().trim_end()
}

fn range(
    book: &AdlBook,
    policy: &AdlPolicy,
    of: fn(&AdlCase) -> &Vec<AdlPolicy>,
    measure: fn(&AdlCase, &AdlPolicy) -> f64,
) -> RangeRow {
    let own = |c: &AdlCase| of(c).iter().find(|p| p.name == policy.name).map(|p| measure(c, p));
    let all: Vec<f64> = book.cases.iter().filter_map(own).filter(|x| x.is_finite()).collect();
    let low = all.iter().copied().fold(f64::INFINITY, f64::min);
    let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let values = book.cases.first().and_then(own).filter(|x| x.is_finite()).map(|x| (low, x, high));
    RangeRow { name: policy.name.clone(), values, baseline: policy.name == "queue" }
}

fn table(c: &AdlCase) -> String {
    let columns = "policy|#payers|#too much, USD|#too little, USD|#largest haircut|#largest part of an equity|#order turned round|#Gini|\
                   #largest kept over taken|#paid by top 1 % by gain|#paid by most levered tenth|#next deficit, USD";
    let usd = |x: f64| group(&fixed(x, 0));
    let one = |caption: String, rows: &[AdlPolicy]| {
        let mut table = Table::new(&caption, columns);
        for p in rows {
            table.row(&[
                esc(&p.name),
                usd(p.payers),
                usd(p.overshoot),
                usd(p.undershoot),
                percent(p.largest_haircut, 2),
                percent(p.largest_share_of_equity, 2),
                percent(p.inversions, 2),
                fixed(p.gini, 4),
                fixed(p.ptsr, 2),
                percent(p.by_largest, 1),
                percent(p.by_levered, 1),
                usd(p.next_deficit),
            ]);
        }
        table.finish()
    };
    let nobody = usd(c.next_deficit);
    one(format!("A deficit of {} USD; next deficit if nobody paid: {nobody} USD", usd(c.needed)), &c.deficit)
        + &one(
            format!(
                "A close-out that costs holders {} USD; next deficit if nobody paid: {nobody} USD",
                usd(c.needed)
            ),
            &c.close_out,
        )
}
