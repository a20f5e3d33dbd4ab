//! Map of liquidation levels: time across, price up, density as colour, the price path over it.

use core::fmt::Write as _;

use super::super::data::LevelMap;
use super::super::svg::{Anchor, Area, Scale, Spread, Svg, num, polyline};
use super::super::text::{compact, fixed};
use super::{WIDE, time_axis};

/// Steps of the colour ramp; step `i` begins at `THRESHOLDS[i]` of the largest density.
const THRESHOLDS: [f64; 6] = [0.002, 0.02, 0.08, 0.2, 0.4, 0.7];

/// Where the shades begin, in words: `0.2 %, 2 %, ...`.
pub(in super::super) fn shade_steps() -> String {
    THRESHOLDS.map(|t| format!("{}\u{a0}%", compact(t * 100.0))).join(", ")
}

/// Largest density of the map.
pub(in super::super) fn densest(data: &LevelMap) -> f64 {
    let all = data.columns.iter().flat_map(|c| c.long.iter().chain(&c.short));
    all.copied().filter(|v| v.is_finite()).fold(0.0, f64::max)
}

/// Longs (blue, below the price) and shorts (orange, above it); each ramp step is one path, whatever the
/// number of cells.
pub(in super::super) fn level_map(data: &LevelMap) -> Option<String> {
    let (first, last) = (data.columns.first()?, data.columns.last()?);
    let (low, high) = (data.price_edges.first().copied()?, data.price_edges.last().copied()?);
    let step = data.columns.get(1).map_or(60, |c| c.at.saturating_sub(first.at)).max(1);
    let end = last.at.saturating_add(step);
    let area = Area { x: 58.0, y: 30.0, width: WIDE - 58.0 - 60.0, height: 360.0 };
    let mut svg = Svg::new(WIDE, 424.0, &format!("Liquidation levels on {}", data.day));
    let x = Scale::new(Spread::Linear, (first.at as f64, end as f64), (area.x, area.right()));
    let y = Scale::new(Spread::Linear, (low, high), (area.bottom(), area.y));
    let most = densest(data);
    for (side, longs) in [("long", true), ("short", false)] {
        for ramp in 0..THRESHOLDS.len() {
            svg.path(&format!("cell {side}-{ramp}"), &cells(data, longs, ramp, most, &x, &y, step));
        }
    }
    axes(&mut svg, data, area, &y);
    let half = step as f64 / 2.0;
    let path = polyline(data.columns.iter().map(|c| Some((x.at(c.at as f64 + half), y.at(c.price)))));
    svg.path("line-halo", &path);
    svg.path("line-price", &path);
    time_axis(&mut svg, area, &x, (first.at, end));
    Some(svg.finish())
}

fn axes(svg: &mut Svg, data: &LevelMap, area: Area, y: &Scale) {
    svg.text("name", (area.x, area.y - 8.0), Anchor::Start, "Price");
    for tick in y.ticks(6) {
        svg.text("tick", (area.x - 6.0, y.at(tick) + 4.0), Anchor::End, &compact(tick));
    }
    if data.reference_price > 0.0 {
        svg.text("name", (area.right() + 52.0, area.y - 8.0), Anchor::End, "Distance");
        let distance = |p: &f64| (p / data.reference_price - 1.0) * 100.0;
        let (low, high) =
            (data.price_edges.first().map_or(0.0, distance), data.price_edges.last().map_or(0.0, distance));
        let percent = Scale::new(Spread::Linear, (low, high), (area.bottom(), area.y));
        for tick in percent.ticks(6) {
            let at = percent.at(tick);
            svg.line("axis", (area.right(), at), (area.right() + 4.0, at));
            let sign = if tick > 0.0 { "+" } else { "" };
            svg.text(
                "tick",
                (area.right() + 8.0, at + 4.0),
                Anchor::Start,
                &format!("{sign}{} %", fixed(tick, 0)),
            );
        }
    }
}

fn ramp_of(density: f64, most: f64) -> Option<usize> {
    if !density.is_finite() || density <= 0.0 || most <= 0.0 {
        return None;
    }
    THRESHOLDS.iter().rposition(|t| density / most >= *t)
}

/// Neighbouring moments of the same step are joined into one rectangle.
fn cells(data: &LevelMap, longs: bool, ramp: usize, most: f64, x: &Scale, y: &Scale, step: i64) -> String {
    let mut d = String::new();
    for (row, edges) in data.price_edges.windows(2).enumerate() {
        let &[bottom, top] = edges else { continue };
        let mut open: Option<(f64, f64)> = None;
        let mut close = |run: Option<(f64, f64)>| {
            if let Some((left, right)) = run {
                let _ = write!(
                    d,
                    "M{} {}H{}V{}H{}Z",
                    num(left),
                    num(y.at(bottom)),
                    num(right),
                    num(y.at(top)),
                    num(left)
                );
            }
        };
        for column in &data.columns {
            let density = if longs { column.long.get(row) } else { column.short.get(row) };
            let hit = density.is_some_and(|v| ramp_of(*v, most) == Some(ramp));
            let (left, right) = (x.at(column.at as f64), x.at(column.at.saturating_add(step) as f64));
            open = match (open, hit) {
                (Some((from, _)), true) => Some((from, right)),
                (None, true) => Some((left, right)),
                (run, false) => {
                    close(run);
                    None
                }
            };
        }
        close(open);
    }
    d
}
