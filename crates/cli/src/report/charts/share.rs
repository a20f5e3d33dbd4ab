//! Implied share as a curve over maximum leverage, and the placebo beside it.

use super::super::data::{ImpliedShare, LongShort};
use super::super::svg::{Anchor, Area, Marker, Scale, Spread, Svg, bars, polyline};
use super::super::text::{fixed, percent};
use super::{NARROW, x_axis, y_axis};

/// How one side is read and drawn: its value, its line, its marker and the marker's class.
type Side = (fn(&LongShort) -> f64, &'static str, Marker, &'static str);

/// Curves of both sides, the share required and, where it is known, the placebo's median.
pub(in super::super) fn share_curve(data: &ImpliedShare) -> Option<String> {
    let last = data.curve.last()?;
    let area = Area { x: 52.0, y: 30.0, width: NARROW - 76.0, height: 200.0 };
    let mut svg = Svg::new(NARROW, 276.0, "Implied share of the observed quantity over maximum leverage");
    let x = Scale::new(Spread::Linear, (0.0, last.max_leverage.max(1.0)), (area.x, area.right()));
    let y = Scale::new(Spread::Linear, (0.0, 1.0), (area.bottom(), area.y));
    y_axis(&mut svg, area, &y, 4, "Implied share", |v| percent(v, 0));
    x_axis(&mut svg, area, &x, 5, "maximum leverage, x", |v| fixed(v, 0));
    let used = x.at(data.used_max_leverage);
    svg.line("mark", (used, area.y), (used, area.bottom()));
    let sides: [Side; 2] = [
        (|q| q.long, "line-first", Marker::Circle, "dot-first"),
        (|q| q.short, "line-second", Marker::Triangle, "dot-second"),
    ];
    for (side, line, marker, dot) in sides {
        let points: Vec<(f64, f64)> =
            data.curve.iter().map(|p| (x.at(p.max_leverage), y.at(side(&p.implied)))).collect();
        svg.path(line, &polyline(points.iter().copied().map(Some)));
        for point in points {
            svg.marker(dot, marker, point, 3.4);
        }
        let placebo =
            data.curve.iter().map(|p| p.placebo.as_ref().map(|q| (x.at(p.max_leverage), y.at(side(q)))));
        svg.path("line-placebo", &polyline(placebo));
    }
    Some(svg.finish())
}

const BINS: usize = 40;

/// Histogram of the shifted series' shares for each side (long above, short below), with the real series as a
/// diamond.
pub(in super::super) fn placebo(data: &ImpliedShare) -> Option<String> {
    if data.placebo_long.is_empty() && data.placebo_short.is_empty() {
        return None;
    }
    let mut svg = Svg::new(NARROW, 280.0, "Implied share of shifted series (placebo) and of the real series");
    let used = data.curve.iter().find(|p| p.max_leverage == data.used_max_leverage).map(|p| p.implied);
    let sides = [
        (
            "Longs",
            &data.placebo_long,
            used.map(|q| q.long),
            30.0,
            "fill-simulated",
            "dot-first",
            Marker::Circle,
        ),
        (
            "Shorts",
            &data.placebo_short,
            used.map(|q| q.short),
            150.0,
            "fill-second",
            "dot-second",
            Marker::Triangle,
        ),
    ];
    for (name, shares, real, top, class, dot, marker) in sides {
        let area = Area { x: 52.0, y: top, width: NARROW - 76.0, height: 80.0 };
        let x = Scale::new(Spread::Linear, (0.0, 1.0), (area.x, area.right()));
        let counts = count(shares);
        let most = counts.iter().copied().max().unwrap_or(0).max(1) as f64;
        let y = Scale::new(Spread::Linear, (0.0, most), (area.bottom(), area.y));
        y_axis(&mut svg, area, &y, 2, &format!("{name}: shifted series per 2.5 % of share"), |v| fixed(v, 0));
        let width = 1.0 / BINS as f64;
        let ends = counts.iter().enumerate().map(|(i, &n)| {
            let left = i as f64 * width;
            (x.at(left) + 0.4, x.at(left + width) - 0.4, y.at(n as f64))
        });
        svg.path(class, &bars(area.bottom(), ends));
        if let Some(real) = real {
            let (at, middle) = (x.at(real), area.y + 42.0);
            svg.line("axis", (at, middle), (at, area.bottom()));
            svg.marker(dot, marker, (at, middle), 6.0);
            svg.text("tick", (at - 10.0, middle + 4.0), Anchor::End, &format!("real {}", percent(real, 1)));
        }
        let (label, print): (&str, fn(f64) -> String) =
            if top > 100.0 { ("implied share", |v| percent(v, 0)) } else { ("", |_| String::new()) };
        x_axis(&mut svg, area, &x, 4, label, print);
    }
    Some(svg.finish())
}

fn count(shares: &[f64]) -> Vec<u32> {
    let mut counts = vec![0_u32; BINS];
    for share in shares.iter().filter(|s| s.is_finite()) {
        let bin = (share.clamp(0.0, 1.0) * BINS as f64) as usize;
        if let Some(n) = counts.get_mut(bin.min(BINS - 1)) {
            *n += 1;
        }
    }
    counts
}
