//! Pieces of the page that several sections use: tables, figures with legends, cards, verdict lines.

use core::fmt::Write as _;

use super::super::data::{Card, NamedValue, Status, VerdictLine};
use super::super::text::esc;

/// A table with more columns than this may use the whole width of a wide window.
const BROAD: usize = 10;

/// A table under construction. Cells are markup: callers escape what is text ([`esc`]).
#[derive(Debug, Default)]
pub(super) struct Table {
    caption: String,
    head: Vec<(String, &'static str)>,
    body: String,
    foot: String,
}

impl Table {
    /// A table with a caption; columns are separated by `|`; `#` before one means numbers, `*` means prose.
    pub(super) fn new(caption: &str, columns: &str) -> Self {
        let mut table = Self { caption: caption.to_owned(), ..Self::default() };
        for column in columns.split('|') {
            table.column(column);
        }
        table
    }

    /// One more column.
    pub(super) fn column(&mut self, name: &str) {
        let (name, class) = match name.split_at_checked(1) {
            Some(("#", rest)) => (rest, " class=\"n\""),
            Some(("*", rest)) => (rest, " class=\"prose\""),
            _ => (name, ""),
        };
        self.head.push((esc(name), class));
    }

    fn line(&self, cells: &[String], class: &str) -> String {
        let mut out = format!("<tr{class}>");
        for (i, cell) in cells.iter().enumerate() {
            let class = self.head.get(i).map_or("", |h| h.1);
            let _ = if i == 0 {
                write!(out, "<th scope=\"row\"{class}>{cell}</th>")
            } else {
                write!(out, "<td{class}>{cell}</td>")
            };
        }
        out + "</tr>\n"
    }

    /// One row; the first cell names it.
    pub(super) fn row(&mut self, cells: &[String]) {
        self.body += &self.line(cells, "");
    }

    /// One row that stands out (the rule in use, the baseline).
    pub(super) fn row_marked(&mut self, cells: &[String]) {
        self.body += &self.line(cells, " class=\"marked\"");
    }

    /// A row of totals.
    pub(super) fn total(&mut self, cells: &[String]) {
        self.foot += &self.line(cells, "");
    }

    /// The table in a box that scrolls by itself, so that the page never does.
    pub(super) fn finish(self) -> String {
        let caption = esc(&self.caption);
        let class = if self.head.len() > BROAD { "scroll broad" } else { "scroll" };
        let mut out = format!(
            "<div class=\"{class}\" tabindex=\"0\" role=\"region\" \
             aria-label=\"{caption}\"><table><caption>{caption}</caption><thead><tr>"
        );
        for (name, class) in &self.head {
            let _ = write!(out, "<th scope=\"col\"{class}>{name}</th>");
        }
        let _ = write!(out, "</tr></thead>\n<tbody>\n{}</tbody>", self.body);
        if !self.foot.is_empty() {
            let _ = write!(out, "<tfoot>{}</tfoot>", self.foot);
        }
        out + "</table></div>\n"
    }
}

/// What a legend entry looks like; each differs from the others in shape, dash or pattern as well as in
/// colour.
#[derive(Debug, Clone, Copy)]
pub(super) enum Swatch {
    /// A filled area of a class.
    Fill(&'static str),
    /// A line of a class.
    Line(&'static str),
    /// A disc.
    Circle(&'static str),
    /// A triangle.
    Triangle(&'static str),
    /// A square on its corner.
    Diamond(&'static str),
}

/// A legend of swatches and names.
pub(super) fn legend(entries: &[(Swatch, &str)]) -> String {
    let mut out = String::from("<p class=\"legend\">");
    for (swatch, name) in entries {
        let shape = match swatch {
            Swatch::Fill(class) => {
                format!("<rect class=\"{class}\" x=\"1\" y=\"2\" width=\"24\" height=\"12\"/>")
            }
            Swatch::Line(class) => format!("<path class=\"{class}\" d=\"M1 8H25\"/>"),
            Swatch::Circle(class) => format!("<circle class=\"{class}\" cx=\"13\" cy=\"8\" r=\"5\"/>"),
            Swatch::Triangle(class) => format!("<path class=\"{class}\" d=\"M13 3L18 13L8 13Z\"/>"),
            Swatch::Diamond(class) => format!("<path class=\"{class}\" d=\"M13 2L19 8L13 14L7 8Z\"/>"),
        };
        let _ = write!(
            out,
            "<span><svg class=\"swatch\" viewBox=\"0 0 26 16\" aria-hidden=\"true\">{shape}</svg> {}</span> ",
            esc(name)
        );
    }
    out + "</p>"
}

/// A wide chart that scrolls in its own box on a phone; `note` is text.
pub(super) fn wide_figure(svg: &str, legend: &str, note: &str) -> String {
    format!(
        "<figure class=\"wide\">{legend}<div class=\"scroll\" tabindex=\"0\" role=\"region\" \
         aria-label=\"chart, scrolls sideways\">{svg}</div>{}</figure>\n",
        caption(note)
    )
}

/// A chart that fits a phone; `note` is text.
pub(super) fn figure(svg: &str, legend: &str, note: &str) -> String {
    format!("<figure>{legend}{svg}{}</figure>\n", caption(note))
}

fn caption(note: &str) -> String {
    if note.is_empty() { String::new() } else { format!("<figcaption>{}</figcaption>", esc(note)) }
}

/// Figures side by side where there is room.
pub(super) fn row_of(figures: &[String]) -> String {
    format!("<div class=\"figures\">{}</div>\n", figures.concat())
}

/// Something long that opens on request.
pub(super) fn details(summary: &str, body: &str) -> String {
    format!("<details><summary>{}</summary>{body}</details>\n", esc(summary))
}

/// A paragraph of text, or nothing for an empty one.
pub(super) fn paragraph(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<p>{}</p>\n", esc(text)) }
}

/// Says that a section has nothing to show, and of what.
pub(super) fn nothing(what: &str) -> String {
    format!("<p class=\"nothing\">Nothing to show: {}.</p>\n", esc(what))
}

/// A status as a word with a shape.
pub(super) fn badge(status: Status) -> &'static str {
    match status {
        Status::Pass => "<span class=\"badge pass\">✓ pass</span>",
        Status::Warn => "<span class=\"badge warn\">▲ warning</span>",
        Status::Fail => "<span class=\"badge fail\">✗ fail</span>",
        Status::Note => "<span class=\"badge note\">● note</span>",
    }
}

/// A boolean check as a status.
pub(super) fn passed(yes: bool) -> &'static str {
    badge(if yes { Status::Pass } else { Status::Fail })
}

/// Cards; a value too long for a column (a hash) takes the whole row.
pub(super) fn cards(cards: &[Card]) -> String {
    if cards.is_empty() {
        return String::new();
    }
    let mut out = String::from("<dl class=\"cards\">");
    for card in cards {
        let class = if card.value.len() > 32 { " class=\"hash\"" } else { "" };
        let _ = write!(out, "<div{class}><dt>{}</dt><dd>{}", esc(&card.label), esc(&card.value));
        if !card.note.is_empty() {
            let _ = write!(out, "<small>{}</small>", esc(&card.note));
        }
        out.push_str("</dd></div>");
    }
    out + "</dl>\n"
}

/// The verdict lines in a box.
pub(super) fn verdicts(title: &str, lines: &[VerdictLine]) -> String {
    let mut out = format!("<div class=\"trust\"><h3>{}</h3>", esc(title));
    if lines.is_empty() {
        out += &nothing("no check has been run");
    } else {
        out.push_str("<ul>");
        for line in lines {
            let (question, answer) = (esc(&line.question), esc(&line.answer));
            let _ = write!(
                out,
                "<li>{} <div><strong>{question}</strong> {answer}</div></li>",
                badge(line.status)
            );
        }
        out.push_str("</ul>");
    }
    out + "</div>\n"
}

/// Names and values as a two-column table, or nothing.
pub(super) fn named_values(caption: &str, values: &[NamedValue]) -> String {
    if values.is_empty() {
        return String::new();
    }
    let mut table = Table::new(caption, "name|value");
    for v in values {
        table.row(&[esc(&v.name), esc(&v.value)]);
    }
    table.finish()
}
