//! Sections that show the data and the book: price and liquidations, provenance, the map of levels.

use super::super::charts;
use super::super::data::{LevelMap, LongShort, PriceBar, PriceSeries, Provenance, ProvenanceRow};
use super::super::text::{DAY, compact, date_time, day_month, esc, fixed};
use super::parts::{Swatch, Table, details, legend, nothing, paragraph, wide_figure};

/// Price with simulated, observed and unimplied liquidations, and the same by day as a table.
pub(super) fn price(data: &PriceSeries) -> String {
    let Some(chart) = charts::price_and_liquidations(data) else {
        return nothing("there are no bars of price and liquidations");
    };
    let keys = legend(&[
        (Swatch::Line("line-price"), "mid price"),
        (Swatch::Fill("fill-simulated"), "simulated (solid)"),
        (Swatch::Circle("dot-second"), "observed (dots)"),
        (Swatch::Fill("fill-unimplied"), "observed, not implied (hatched)"),
    ]);
    let intro = "Above the base line shorts are bought back, below it longs are sold. Where a dot stands \
                 off the end of its solid bar, the run and the venue differ. What the book could not imply \
                 is never liquidated in the run and is shown apart. Lengths grow by square root, so that \
                 quiet hours stay visible beside a crash.";
    paragraph(intro)
        + &wide_figure(&chart, &keys, &data.note)
        + &details("The same by day, as a table", &by_day(data))
}

fn by_day(data: &PriceSeries) -> String {
    let columns = "day|#lowest|#highest|#simulated long|#observed long|#not implied long|#simulated \
                   short|#observed short|#not implied short";
    let mut table = Table::new(&format!("Liquidated per day, {}", data.unit), columns);
    for bars in data.bars.chunk_by(|a, b| a.start.div_euclid(DAY) == b.start.div_euclid(DAY)) {
        let Some(first) = bars.first() else { continue };
        let low = bars.iter().map(|b| b.low).fold(f64::INFINITY, f64::min);
        let high = bars.iter().map(|b| b.high).fold(f64::NEG_INFINITY, f64::max);
        let mut cells = vec![day_month(first.start), fixed(low, 2), fixed(high, 2)];
        cells.extend(quantities(bars));
        table.row(&cells);
    }
    let mut total = vec!["whole period".to_owned(), String::new(), String::new()];
    total.extend(quantities(&data.bars));
    table.total(&total);
    table.finish()
}

fn quantities(bars: &[PriceBar]) -> impl Iterator<Item = String> {
    let sum = |pick: fn(&PriceBar) -> f64| fixed(bars.iter().map(pick).sum(), 1);
    [
        sum(|b| b.simulated.long),
        sum(|b| b.observed.long),
        sum(|b| b.unimplied.long),
        sum(|b| b.simulated.short),
        sum(|b| b.observed.short),
        sum(|b| b.unimplied.short),
    ]
    .into_iter()
}

/// The real / implied / assumed table.
pub(super) fn provenance(rows: &[ProvenanceRow]) -> String {
    if rows.is_empty() {
        return nothing("no sources are listed");
    }
    let mut table = Table::new(
        "What is real, implied, assumed",
        "what|where it comes from|*how|*what it would change if wrong",
    );
    for row in rows {
        let kind = match row.provenance {
            Provenance::Real => "<span class=\"badge real\">■ real</span>",
            Provenance::Implied => "<span class=\"badge implied\">◆ implied</span>",
            Provenance::Assumed => "<span class=\"badge assumed\">○ assumed</span>",
        };
        table.row(&[esc(&row.what), kind.to_owned(), esc(&row.how), esc(&row.matters)]);
    }
    let intro = "Real is measured; implied follows from the data and the rules; assumed was chosen by us, \
                 and another choice would give other numbers.";
    paragraph(intro) + &table.finish()
}

/// The map of liquidation levels, with the book at a few moments as a table.
pub(super) fn levels(data: &LevelMap) -> String {
    let Some(chart) = charts::level_map(data) else {
        return nothing("there is no map of liquidation levels");
    };
    let keys = legend(&[
        (Swatch::Line("line-price"), "mid price"),
        (Swatch::Fill("long-4"), "longs, below the price"),
        (Swatch::Fill("short-4"), "shorts, above the price"),
    ]);
    let intro = format!(
        "Each cell holds the quantity whose liquidation price lies in that 1\u{a0}% of price on {}: the \
         darker (in dark mode: the brighter), the more would be closed by force if the price went there. \
         The densest cell holds {} {}; the shades begin at {} of it. Where the price path runs into a dark \
         band, the band is consumed.",
        data.day,
        compact(charts::densest(data)),
        data.unit,
        charts::shade_steps()
    );
    paragraph(&intro)
        + &wide_figure(&chart, &keys, "")
        + &details("Four moments as a table", &level_table(data))
}

fn level_table(data: &LevelMap) -> String {
    let step = data.columns.len().div_ceil(4).max(1);
    let moments: Vec<_> = data.columns.iter().step_by(step).collect();
    let mut table = Table::new(&format!("Density by price bucket, {}", data.unit), "price bucket");
    for m in &moments {
        table.column(&format!("#{} (mid {})", date_time(m.at), fixed(m.price, 2)));
    }
    for (row, edges) in data.price_edges.windows(2).enumerate().rev() {
        let &[low, high] = edges else { continue };
        let mut cells = vec![format!("{} to {}", fixed(low, 2), fixed(high, 2))];
        for m in &moments {
            let at = |side: &[f64]| side.get(row).copied().unwrap_or(0.0);
            let both = LongShort { long: at(&m.long), short: at(&m.short) };
            cells.push(format!("{} long, {} short", fixed(both.long, 0), fixed(both.short, 0)));
        }
        table.row(&cells);
    }
    table.finish()
}
