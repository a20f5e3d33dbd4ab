//! The lending run, and how to reproduce the whole.

use super::super::charts;
use super::super::data::{Lending, Reproduce};
use super::super::text::{NONE, esc, group};
use super::counterfactual::variants;
use super::parts::{Swatch, Table, cards, legend, named_values, nothing, paragraph, verdicts, wide_figure};
use super::waterfall::waterfalls;

/// The same structure as the perpetual run, smaller.
pub(super) fn lending(data: &Lending) -> String {
    if *data == Lending::default() {
        return nothing("the lending market has not been run");
    }
    let mut out: String = data.what_ran.iter().map(|p| paragraph(p)).collect();
    out += &cards(&data.cards);
    if !data.verdicts.is_empty() {
        out += &verdicts("Checks of the lending run", &data.verdicts);
    }
    out += &charts::lending_bars(data).map_or_else(
        || nothing("there are no bars of the lending run"),
        |svg| {
            let keys = legend(&[
                (Swatch::Line("line-price"), "mid price"),
                (Swatch::Fill("fill-simulated"), "collateral seized"),
                (Swatch::Line("line-first"), "utilisation"),
            ]);
            wide_figure(&svg, &keys, "")
        },
    );
    out += "<h3>Variants of the lending run</h3>\n";
    out += &variants(&data.variants);
    out += "<h3>Who paid in the lending run</h3>\n";
    out + &waterfalls(&data.waterfalls)
}

/// The command, versions, seeds and files.
pub(super) fn reproduce(data: &Reproduce) -> String {
    if *data == Reproduce::default() {
        return nothing("the run left no command, seeds or files");
    }
    let mut out = paragraph(
        "The same command on the same files gives the same bytes, this page among them. Speed is therefore \
         not here but in the run's own output.",
    );
    if !data.command.is_empty() {
        out += &format!("<pre class=\"scroll\" tabindex=\"0\"><code>{}</code></pre>\n", esc(&data.command));
    }
    out += &named_values("Versions", &data.versions);
    out += &named_values("Seeds", &data.seeds);
    if !data.files.is_empty() {
        let mut table = Table::new("Files", "file|*what it holds|#bytes|SHA-256");
        for f in &data.files {
            let hash = if f.sha256.is_empty() {
                NONE.to_owned()
            } else {
                format!("<code class=\"hash\">{}</code>", esc(&f.sha256))
            };
            table.row(&[
                esc(&f.path),
                esc(&f.what),
                f.bytes.map_or_else(|| NONE.to_owned(), |b| group(&b.to_string())),
                hash,
            ]);
        }
        out += &table.finish();
    }
    out
}
