//! The page: the frame, the contents list and the order of the sections.

mod adl;
mod adl_books;
mod book;
mod calibration;
mod counterfactual;
mod head;
mod lending;
mod parts;
mod waterfall;

pub(super) use adl::page as adl_page;

use core::fmt::Write as _;

use super::data::ReportData;
use super::text::esc;

const STYLE: &str = include_str!("../style.css");

/// Hatching and dots for what must be told apart without colour; referred to by id from the style sheet.
const PATTERNS: &str = concat!(
    "<svg class=\"patterns\" width=\"0\" height=\"0\" aria-hidden=\"true\"><defs>",
    "<pattern id=\"hatch\" width=\"5\" height=\"5\" patternUnits=\"userSpaceOnUse\" \
     patternTransform=\"rotate(45)\">",
    "<path class=\"hatch-line\" d=\"M0 0V5\"/></pattern>",
    "<pattern id=\"dots\" width=\"4\" height=\"4\" patternUnits=\"userSpaceOnUse\">",
    "<path class=\"dots-ground\" d=\"M0 0H4V4H0Z\"/><circle class=\"dots-dot\" cx=\"2\" cy=\"2\" \
     r=\"1.1\"/></pattern>",
    "</defs></svg>\n"
);

/// A section: its anchor, its title and its content.
struct Section {
    id: &'static str,
    title: &'static str,
    body: String,
}

fn sections(data: &ReportData) -> Vec<Section> {
    let section = |id, title, body| Section { id, title, body };
    vec![
        section("price", "Price and liquidations", book::price(&data.price)),
        section("provenance", "What is real, implied, assumed", book::provenance(&data.provenance)),
        section(
            "leverage",
            "Leverage and age of the implied positions",
            calibration::leverage_age(&data.leverage_age),
        ),
        section(
            "implied",
            "How much the implied book explains",
            calibration::implied_share(&data.implied_share),
        ),
        section(
            "mutations",
            "What happens when it is broken on purpose",
            calibration::mutations(&data.mutations),
        ),
        section("blind", "Blind validation", calibration::blind(&data.blind)),
        section("levels", "Where the liquidation levels lay", book::levels(&data.levels)),
        section("variants", "Variants side by side", counterfactual::variants(&data.variants)),
        section(
            "linked",
            "Depth linked to liquidations, or independent of them",
            counterfactual::linked(&data.linked),
        ),
        section("tipping", "Depth against exit strength", counterfactual::tipping(&data.depth_exit)),
        section("waterfall", "Who paid", waterfall::waterfalls(&data.waterfalls)),
        section("lending", "Lending on the same path", lending::lending(&data.lending)),
        section("reproduce", "Get the same bytes again", lending::reproduce(&data.reproduce)),
    ]
}

/// The whole page.
pub(super) fn page(data: &ReportData) -> String {
    let title = if data.title.is_empty() { "Cofferdam report" } else { &data.title };
    frame(title, &head::head(&data.head), &sections(data))
}

/// A page: what comes first, a list of contents, the sections.
fn frame(title: &str, first: &str, sections: &[Section]) -> String {
    let title = esc(title);
    let mut out = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    // The policy lets the browser fetch nothing at all, whatever stands in the data.
    out.push_str(
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src \
         'unsafe-inline'\">\n",
    );
    out.push_str("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
    out.push_str("<meta name=\"color-scheme\" content=\"light dark\">\n");
    let _ = write!(out, "<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n{PATTERNS}");
    let _ = writeln!(out, "<header><p class=\"brand\">Cofferdam</p><h1>{title}</h1></header>\n<main>");
    out += first;
    out.push_str("<nav aria-label=\"Contents\"><h2>Contents</h2><ol>");
    for s in sections {
        let _ = write!(out, "<li><a href=\"#{}\">{}</a></li>", s.id, s.title);
    }
    out.push_str("</ol></nav>\n");
    for s in sections {
        let _ = writeln!(
            out,
            "<section id=\"{0}\" aria-labelledby=\"{0}-title\">\n<h2 \
             id=\"{0}-title\">{1}</h2>\n{2}</section>",
            s.id, s.title, s.body
        );
    }
    out + "</main>\n</body>\n</html>\n"
}
