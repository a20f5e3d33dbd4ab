//! The charts of the report. Each is a function from its part of the data to a finished drawing, or `None`
//! when there is nothing to draw. Wide charts are [`WIDE`] units and scroll inside their own box on a phone;
//! narrow ones are [`NARROW`] units and stand side by side where there is room.

mod distribution;
mod levels;
mod range;
mod scatter;
mod share;
mod timeline;
mod tipping;
mod who_paid;

pub(super) use distribution::histogram;
pub(super) use levels::{densest, level_map, shade_steps};
pub(super) use range::{RangeRow, dot_range, linked_strip, quantile};
pub(super) use scatter::blind_scatter;
pub(super) use share::{placebo, share_curve};
pub(super) use timeline::{blind_hours, lending_bars, price_and_liquidations};
pub(super) use tipping::tipping_map;
pub(super) use who_paid::who_paid;

use super::svg::{Anchor, Area, Scale, Svg};
use super::text::{DAY, clock, day_month};

/// Width of a chart that takes the whole column.
pub(super) const WIDE: f64 = 800.0;
/// Width of a chart that fits a phone.
pub(super) const NARROW: f64 = 380.0;

/// Vertical axis at the left of `plot`: ticks with grid lines and a name above.
fn y_axis(svg: &mut Svg, plot: Area, scale: &Scale, count: u32, name: &str, print: impl Fn(f64) -> String) {
    for tick in scale.ticks(count) {
        let y = scale.at(tick);
        svg.line("grid", (plot.x, y), (plot.right(), y));
        svg.text("tick", (plot.x - 6.0, y + 4.0), Anchor::End, &print(tick));
    }
    svg.text("name", (plot.x, plot.y - 8.0), Anchor::Start, name);
}

/// Horizontal axis below `plot`: ticks with short marks, and a name below them unless it is empty.
fn x_axis(svg: &mut Svg, plot: Area, scale: &Scale, count: u32, name: &str, print: impl Fn(f64) -> String) {
    svg.line("axis", (plot.x, plot.bottom()), (plot.right(), plot.bottom()));
    for tick in scale.ticks(count) {
        let x = scale.at(tick);
        svg.line("axis", (x, plot.bottom()), (x, plot.bottom() + 4.0));
        let label = print(tick);
        // at the ends of a narrow drawing a centred label would be cut off
        let half = label.chars().count() as f64 * 3.6;
        let centre = x.min(svg.width() - half).max(half);
        svg.text("tick", (centre, plot.bottom() + 17.0), Anchor::Middle, &label);
    }
    if !name.is_empty() {
        svg.text("name", (plot.right(), plot.bottom() + 35.0), Anchor::End, name);
    }
}

/// A bound on the ticks of a time axis, whatever the data say.
const TIME_TICKS: i64 = 24;

/// Time axis below `plot`: days, or hours where the whole range is at most two days.
fn time_axis(svg: &mut Svg, plot: Area, scale: &Scale, (from, to): (i64, i64)) {
    svg.line("axis", (plot.x, plot.bottom()), (plot.right(), plot.bottom()));
    let span = to.saturating_sub(from);
    let days = span / DAY;
    let step = match days {
        0..=2 => 4 * 3_600,
        3..=10 => DAY,
        11..=40 => 3 * DAY,
        _ => days.div_euclid(10).max(1).saturating_mul(DAY),
    };
    let first = if from.rem_euclid(step) == 0 {
        from
    } else {
        from.div_euclid(step).saturating_add(1).saturating_mul(step)
    };
    for i in 0..TIME_TICKS {
        let at = first.saturating_add(step.saturating_mul(i));
        if at > to {
            break;
        }
        let x = scale.at(at as f64);
        svg.line("axis", (x, plot.bottom()), (x, plot.bottom() + 4.0));
        let label = if step < DAY { clock(at) } else { day_month(at) };
        if x <= plot.right() - 8.0 {
            svg.text("tick", (x, plot.bottom() + 17.0), Anchor::Middle, &label);
        }
    }
}
