//! Depth against exit strength: a grid of runs and the line at which the caller's criterion flips.

use super::super::data::{TippingCell, TippingMap};
use super::super::svg::{Anchor, Area, Scale, Spread, Svg, extent};
use super::super::text::compact;
use super::WIDE;

/// Shade, value and, where the criterion holds, a corner mark; a thick line runs between cells that differ in
/// it.
pub(in super::super) fn tipping_map(data: &TippingMap) -> Option<String> {
    let (columns, rows) = (data.x.len(), data.y.len());
    let (least, most) = extent(data.cells.iter().flatten().filter_map(|c| c.value))?;
    if columns == 0 || rows == 0 {
        return None;
    }
    let area = Area { x: 96.0, y: 34.0, width: WIDE - 110.0, height: 46.0 * rows as f64 };
    let mut svg = Svg::new(
        WIDE,
        area.bottom() + 46.0,
        &format!("{} by {} and {}", data.what, data.x_label, data.y_label),
    );
    let x = Scale::new(Spread::Linear, (0.0, columns as f64), (area.x, area.right()));
    let y = Scale::new(Spread::Linear, (0.0, rows as f64), (area.bottom(), area.y));
    svg.text("name", (8.0, 20.0), Anchor::Start, &format!("↑ {}", data.y_label));
    svg.text("name", (area.right(), area.bottom() + 38.0), Anchor::End, &format!("{} →", data.x_label));
    for (row, cells) in data.cells.iter().take(rows).enumerate() {
        for (column, cell) in cells.iter().take(columns).enumerate() {
            let (left, top) = (x.at(column as f64), y.at((row + 1) as f64));
            let box_ = Area { x: left, y: top, width: area.width / columns as f64, height: 46.0 };
            draw_cell(&mut svg, cell, box_, (least, most));
        }
    }
    for (i, name) in data.x.iter().enumerate() {
        svg.text("tick", (x.at(i as f64 + 0.5), area.bottom() + 17.0), Anchor::Middle, name);
    }
    for (i, name) in data.y.iter().enumerate() {
        svg.text("tick", (area.x - 8.0, y.at(i as f64 + 0.5) + 4.0), Anchor::End, name);
    }
    tipping_line(&mut svg, data, &x, &y);
    Some(svg.finish())
}

fn draw_cell(svg: &mut Svg, cell: &TippingCell, area: Area, (least, most): (f64, f64)) {
    let Some(value) = cell.value.filter(|v| v.is_finite()) else {
        svg.rect("cell heat-none", area);
        svg.text("row", (area.x + area.width / 2.0, area.y + 28.0), Anchor::Middle, "–");
        return;
    };
    // from the least to the most of the map: multiples of a replay all lie near 1
    let part = if most > least { ((value - least) / (most - least)).clamp(0.0, 1.0).sqrt() } else { 0.0 };
    let ramp = ((part * 6.0) as usize).min(5);
    svg.rect(&format!("cell heat-{ramp}"), area);
    let (x, y) = (area.x + area.width / 2.0, area.y + 28.0);
    svg.text(&format!("heat-text heat-text-{ramp}"), (x, y), Anchor::Middle, &compact(value));
    if cell.tipped {
        svg.path(&format!("heat-corner heat-text-{ramp}"), &corner(area));
    }
    if cell.base {
        svg.rect(
            "heat-base",
            Area { x: area.x + 4.0, y: area.y + 4.0, width: area.width - 8.0, height: area.height - 8.0 },
        );
    }
}

/// A small triangle in the upper right corner.
fn corner(area: Area) -> String {
    use super::super::svg::num;
    let (right, top) = (area.right() - 5.0, area.y + 5.0);
    format!("M{} {}H{}V{}Z", num(right - 9.0), num(top), num(right), num(top + 9.0))
}

/// Drawn on the edges between two runs that were both made and differ in the criterion.
fn tipping_line(svg: &mut Svg, data: &TippingMap, x: &Scale, y: &Scale) {
    let at = |row: usize, column: usize| {
        data.cells.get(row).and_then(|r| r.get(column)).filter(|c| c.value.is_some())
    };
    let differ = |a: Option<&TippingCell>, b: Option<&TippingCell>| {
        a.zip(b).is_some_and(|(a, b)| a.tipped != b.tipped)
    };
    for row in 0..data.y.len() {
        for column in 0..data.x.len() {
            let (left, right) = (x.at(column as f64), x.at((column + 1) as f64));
            let (bottom, top) = (y.at(row as f64), y.at((row + 1) as f64));
            if differ(at(row, column), at(row, column + 1)) {
                svg.line("tipping", (right, bottom), (right, top));
            }
            if differ(at(row, column), at(row + 1, column)) {
                svg.line("tipping", (left, top), (right, top));
            }
        }
    }
}
