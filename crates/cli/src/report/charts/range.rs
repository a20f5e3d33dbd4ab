//! Ranges and strips: variants against the replay, linked against independent depth.

use super::super::data::LinkedCase;
use super::super::svg::{Anchor, Area, Marker, Scale, Spread, Svg, extent};
use super::super::text::{compact, to_f64};
use super::{NARROW, x_axis};

/// One line of a dot-range chart.
#[derive(Debug, Clone)]
pub(in super::super) struct RangeRow {
    /// Name, printed above the line.
    pub(in super::super) name: String,
    /// 5th percentile, median, 95th percentile.
    pub(in super::super) values: Option<(f64, f64, f64)>,
    /// Whether this is the row that the others are compared with.
    pub(in super::super) baseline: bool,
}

/// A dot for the median on a line from p5 to p95 for each row, and a dashed line at the baseline's median.
pub(in super::super) fn dot_range(
    title: &str,
    rows: &[RangeRow],
    print: fn(f64) -> String,
) -> Option<String> {
    let all = rows.iter().filter_map(|r| r.values).flat_map(|(a, b, c)| [a, b, c]);
    let (low, high) = extent(all)?;
    let (top, row_height) = (26.0, 31.0);
    let area = Area { x: 14.0, y: top, width: NARROW - 34.0, height: row_height * rows.len() as f64 + 4.0 };
    let mut svg = Svg::new(NARROW, area.bottom() + 24.0, title);
    let x = Scale::new(Spread::Linear, (low.min(0.0), high.max(low.min(0.0))), (area.x, area.right()));
    for tick in x.ticks(3) {
        svg.line("grid", (x.at(tick), area.y), (x.at(tick), area.bottom()));
    }
    if let Some((_, median, _)) = rows.iter().find(|r| r.baseline).and_then(|r| r.values) {
        svg.line("mark", (x.at(median), area.y), (x.at(median), area.bottom()));
    }
    svg.text("name", (area.x, 14.0), Anchor::Start, title);
    for (i, row) in rows.iter().enumerate() {
        let y = top + row_height * i as f64;
        svg.text("row", (area.x, y + 12.0), Anchor::Start, &row.name);
        match row.values {
            Some((p5, median, p95)) => {
                svg.text("tick", (area.right() + 4.0, y + 12.0), Anchor::End, &print(median));
                svg.line("whisker", (x.at(p5), y + 21.0), (x.at(p95), y + 21.0));
                let (class, marker) =
                    if row.baseline { ("dot-base", Marker::Diamond) } else { ("dot-first", Marker::Circle) };
                svg.marker(class, marker, (x.at(median), y + 21.0), if row.baseline { 6.0 } else { 4.6 });
            }
            None => svg.text("tick", (area.right() + 4.0, y + 12.0), Anchor::End, "no value"),
        }
    }
    x_axis(&mut svg, area, &x, 3, "", print);
    Some(svg.finish())
}

/// One line per case: rings for the shifted runs, a short bar at their median, a diamond for linked depth, one per seed.
pub(in super::super) fn linked_strip(title: &str, cases: &[&LinkedCase]) -> Option<String> {
    let value = |text: &String| to_f64(text);
    let all = cases
        .iter()
        .flat_map(|c| &c.seeds)
        .flat_map(|s| s.independent.iter().map(|run| &run.value).chain([&s.linked]))
        .filter_map(value);
    let (_, high) = extent(all)?;
    let area = Area { x: 16.0, y: 28.0, width: NARROW - 40.0, height: 64.0 * cases.len() as f64 };
    let mut svg = Svg::new(NARROW, area.bottom() + 24.0, title);
    let x = Scale::new(Spread::Linear, (0.0, high), (area.x, area.right()));
    svg.text("name", (area.x, 16.0), Anchor::Start, title);
    for tick in x.ticks(3) {
        svg.line("grid", (x.at(tick), area.y), (x.at(tick), area.bottom()));
    }
    for (i, case) in cases.iter().enumerate() {
        let y = area.y + 64.0 * i as f64;
        svg.text("row", (area.x, y + 14.0), Anchor::Start, &case.depth);
        let shifted = case.seeds.iter().flat_map(|s| &s.independent).filter_map(|run| value(&run.value));
        for v in shifted {
            svg.marker("ring-second", Marker::Circle, (x.at(v), y + 38.0), 5.0);
        }
        if let Some(median) = value(&case.independent.median) {
            svg.line("median", (x.at(median), y + 26.0), (x.at(median), y + 50.0));
        }
        for linked in case.seeds.iter().filter_map(|s| value(&s.linked)) {
            svg.marker("dot-first", Marker::Diamond, (x.at(linked), y + 38.0), 8.0);
        }
    }
    x_axis(&mut svg, area, &x, 3, "", compact);
    Some(svg.finish())
}

/// Quantile of sorted values by nearest rank, as the summary has it: always a value that occurred.
pub(in super::super) fn quantile(sorted: &[f64], level: f64) -> Option<f64> {
    let rank = (level.clamp(0.0, 1.0) * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied()
}
