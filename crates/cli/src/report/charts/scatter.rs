//! Predicted against observed, one point per hour.

use super::super::data::BlindHour;
use super::super::svg::{Area, Marker, Scale, Spread, Svg, extent};
use super::super::text::compact;
use super::{NARROW, x_axis, y_axis};

/// One point per hour on square-root axes; the diagonal is a perfect prediction. `longs` chooses the side.
pub(in super::super) fn blind_scatter(hours: &[BlindHour], unit: &str, longs: bool) -> Option<String> {
    let pick = |h: &BlindHour| {
        if longs { (h.observed.long, h.predicted.long) } else { (h.observed.short, h.predicted.short) }
    };
    let (_, most) = extent(hours.iter().flat_map(|h| <[f64; 2]>::from(pick(h))))?;
    let (title, class, marker) = if longs {
        ("longs", "ring-first", Marker::Circle)
    } else {
        ("shorts", "ring-second", Marker::Triangle)
    };
    let area = Area { x: 58.0, y: 30.0, width: NARROW - 82.0, height: 260.0 };
    let mut svg =
        Svg::new(NARROW, 336.0, &format!("Predicted against observed liquidations per hour, {title}"));
    let x = Scale::new(Spread::SquareRoot, (0.0, most), (area.x, area.right()));
    let y = Scale::new(Spread::SquareRoot, (0.0, most), (area.bottom(), area.y));
    y_axis(&mut svg, area, &y, 3, &format!("Predicted {title}, {unit} per hour"), compact);
    x_axis(&mut svg, area, &x, 3, &format!("observed, {unit} per hour"), compact);
    svg.line("mark", (area.x, area.bottom()), (area.right(), area.y));
    for hour in hours {
        let (observed, predicted) = pick(hour);
        svg.marker(class, marker, (x.at(observed), y.at(predicted)), 3.2);
    }
    Some(svg.finish())
}
