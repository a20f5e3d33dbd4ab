//! Histograms with comparison lines.

use super::super::data::Histogram;
use super::super::svg::{Anchor, Area, Scale, Spread, Svg, bars, extent, steps};
use super::super::text::{compact, percent};
use super::{NARROW, y_axis};

/// Line classes of the second, third and fourth series: each has a dash of its own.
const COMPARED: [&str; 3] = ["line-second", "line-third", "line-fourth"];

/// First series as bars, the others as stepped lines. Bins are equally wide whatever their edges.
pub(in super::super) fn histogram(data: &Histogram) -> Option<String> {
    let first = data.series.first()?;
    let bins = data.edges.len().checked_sub(1).filter(|&n| n > 0 && !first.shares.is_empty())?;
    let area = Area { x: 52.0, y: 30.0, width: NARROW - 76.0, height: 190.0 };
    let mut svg = Svg::new(NARROW, 274.0, &format!("Distribution: {}", data.quantity));
    let most = extent(data.series.iter().take(4).flat_map(|s| s.shares.iter().copied())).map_or(1.0, |e| e.1);
    let y = Scale::new(Spread::Linear, (0.0, most), (area.bottom(), area.y));
    let x = Scale::new(Spread::Linear, (0.0, bins as f64), (area.x, area.right()));
    y_axis(&mut svg, area, &y, 4, "Share of the quantity", |v| percent(v, 0));
    let ends = |shares: &[f64], gap: f64| -> Vec<(f64, f64, f64)> {
        let columns = shares.iter().take(bins).enumerate();
        columns.map(|(i, s)| (x.at(i as f64) + gap, x.at((i + 1) as f64) - gap, y.at(*s))).collect()
    };
    svg.path("fill-simulated", &bars(area.bottom(), ends(&first.shares, 0.8)));
    for (series, class) in data.series.iter().skip(1).zip(COMPARED) {
        svg.path(class, &steps(area.bottom(), ends(&series.shares, 0.0)));
    }
    svg.line("axis", (area.x, area.bottom()), (area.right(), area.bottom()));
    let every = bins.div_ceil(6).max(1);
    for (i, edge) in data.edges.iter().enumerate().step_by(every) {
        let at = x.at(i as f64);
        svg.line("axis", (at, area.bottom()), (at, area.bottom() + 4.0));
        svg.text("tick", (at, area.bottom() + 17.0), Anchor::Middle, &compact(*edge));
    }
    svg.text("name", (area.right(), area.bottom() + 36.0), Anchor::End, &data.quantity);
    Some(svg.finish())
}
