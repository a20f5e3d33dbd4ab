//! The report of the main job: one HTML file that needs nothing else, for a stranger with a phone.
//!
//! [`ReportData`] is what the run fills and [`render`] turns it into the page. Rendering reads no clock, no
//! environment and no map with an order of its own, so the same data gives the same bytes. Everything that
//! comes from the data is escaped, and the page carries a policy under which a browser fetches nothing. Each
//! chart has a table beside it, and no meaning rests on a colour alone. Deliberately absent: scripts,
//! external fonts, speed (it differs between two runs).

mod charts;
mod data;
mod page;
mod svg;
#[cfg(test)]
mod tests;
pub(crate) mod text;

pub(crate) use data::*;

/// The page as one string of HTML.
pub(crate) fn render(data: &ReportData) -> String {
    page::page(data)
}

/// The page of a study of loss allocation.
pub(crate) fn render_adl(data: &AdlReport) -> String {
    page::adl_page(data)
}
