//! A small SVG builder: primitives that write escaped, rounded markup, and scales with ticks. Colour is never
//! written here: every shape carries a class, and the style sheet gives it a colour for light and for dark.

use core::fmt::Write as _;

use super::text::esc;

/// Which side of its anchor a text lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    /// The text starts at the point.
    Start,
    /// The text is centred on the point.
    Middle,
    /// The text ends at the point.
    End,
}

/// Shape of a marker, so that a series is known without its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Marker {
    /// A disc or ring.
    Circle,
    /// A triangle standing on its base.
    Triangle,
    /// A square on its corner.
    Diamond,
}

/// A rectangle of the drawing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Area {
    /// Right edge.
    pub(super) fn right(self) -> f64 {
        self.x + self.width
    }

    /// Bottom edge.
    pub(super) fn bottom(self) -> f64 {
        self.y + self.height
    }
}

/// A coordinate with at most one decimal: finer is invisible and costs bytes. What is not finite is drawn at
/// zero.
pub(super) fn num(value: f64) -> String {
    if !value.is_finite() {
        return "0".to_owned();
    }
    let text = format!("{value:.1}");
    let text = text.strip_suffix(".0").unwrap_or(&text);
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// A drawing under construction.
#[derive(Debug)]
pub(super) struct Svg {
    width: f64,
    height: f64,
    title: String,
    body: String,
}

impl Svg {
    /// An empty drawing of `width` x `height` units; `title` is what a screen reader says for it.
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        Self { width, height, title: title.to_owned(), body: String::new() }
    }

    /// How wide it is.
    pub(super) const fn width(&self) -> f64 {
        self.width
    }

    /// A straight line.
    pub(super) fn line(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        let (x1, y1, x2, y2) = (num(x1), num(y1), num(x2), num(y2));
        let _ =
            write!(self.body, "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>");
    }

    /// A rectangle.
    pub(super) fn rect(&mut self, class: &str, area: Area) {
        let (x, y, w, h) = (num(area.x), num(area.y), num(area.width), num(area.height));
        let _ =
            write!(self.body, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"/>");
    }

    /// A path; nothing for an empty one.
    pub(super) fn path(&mut self, class: &str, d: &str) {
        if !d.is_empty() {
            let _ = write!(self.body, "<path class=\"{class}\" d=\"{d}\"/>");
        }
    }

    /// Text on one line.
    pub(super) fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: Anchor, text: &str) {
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let _ = write!(
            self.body,
            "<text class=\"{class}\" x=\"{}\" y=\"{}\"{anchor}>{}</text>",
            num(x),
            num(y),
            esc(text)
        );
    }

    /// A marker of radius `r`.
    pub(super) fn marker(&mut self, class: &str, marker: Marker, (x, y): (f64, f64), r: f64) {
        match marker {
            Marker::Circle => {
                let _ = write!(
                    self.body,
                    "<circle class=\"{class}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>",
                    num(x),
                    num(y),
                    num(r)
                );
            }
            Marker::Triangle => {
                let d = format!(
                    "M{} {}L{} {}L{} {}Z",
                    num(x),
                    num(y - r),
                    num(x + r),
                    num(y + r),
                    num(x - r),
                    num(y + r)
                );
                self.path(class, &d);
            }
            Marker::Diamond => {
                let d = format!(
                    "M{} {}L{} {}L{} {}L{} {}Z",
                    num(x),
                    num(y - r),
                    num(x + r),
                    num(y),
                    num(x),
                    num(y + r),
                    num(x - r),
                    num(y)
                );
                self.path(class, &d);
            }
        }
    }

    /// The finished element.
    pub(super) fn finish(self) -> String {
        let (width, height) = (num(self.width), num(self.height));
        let title = esc(&self.title);
        format!(
            "<svg role=\"img\" viewBox=\"0 0 {width} {height}\"><title>{title}</title>{}</svg>",
            self.body
        )
    }
}

/// How values are spread over a [`Scale`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spread {
    /// Equal steps.
    Linear,
    /// By square root, so that quiet hours stay visible beside a crash. IEEE square roots are the same on
    /// every machine.
    SquareRoot,
}

/// Maps values `from..to` to coordinates `start..end`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    from: f64,
    to: f64,
    start: f64,
    end: f64,
    spread: Spread,
}

impl Scale {
    /// A scale; where the range of values is empty or not finite it is widened to one unit so that nothing
    /// divides by zero.
    pub(super) fn new(spread: Spread, (from, to): (f64, f64), (start, end): (f64, f64)) -> Self {
        let (from, to) = match (from.is_finite() && to.is_finite(), to > from) {
            (true, true) => (from, to),
            (true, false) => (from, from + 1.0),
            (false, _) => (0.0, 1.0),
        };
        Self { from, to, start, end, spread }
    }

    /// Coordinate of `value`, kept inside the scale.
    pub(super) fn at(&self, value: f64) -> f64 {
        let value = if value.is_finite() { value.clamp(self.from, self.to) } else { self.from };
        let part = (value - self.from) / (self.to - self.from);
        let part = match self.spread {
            Spread::Linear => part,
            Spread::SquareRoot => part.sqrt(),
        };
        self.start + part * (self.end - self.start)
    }

    /// Round values inside the scale, about `count` of them.
    pub(super) fn ticks(&self, count: u32) -> Vec<f64> {
        match self.spread {
            Spread::Linear => linear_ticks(self.from, self.to, count),
            Spread::SquareRoot => {
                let top = nice_below(self.to - self.from);
                let mut ticks = vec![0.0, nice_below(top / 12.0), nice_below(top / 3.0), top];
                ticks.dedup();
                ticks.into_iter().map(|t| self.from + t).collect()
            }
        }
    }
}

/// The largest of 1, 2, 5 x 10^k that is not above `value`; zero for what is not positive.
pub(super) fn nice_below(value: f64) -> f64 {
    if !value.is_finite() || value < 1e-100 {
        return 0.0;
    }
    let mut power = 1.0_f64;
    while power > value {
        power /= 10.0;
    }
    while power * 10.0 <= value {
        power *= 10.0;
    }
    [5.0, 2.0].into_iter().map(|m| m * power).find(|&v| v <= value).unwrap_or(power)
}

fn linear_ticks(from: f64, to: f64, count: u32) -> Vec<f64> {
    let step = nice_below((to - from) / f64::from(count.max(1)));
    if step <= 0.0 {
        return vec![from];
    }
    let first = (from / step).ceil();
    // A step that is the largest round number below range / count leaves at most 2.5 x count ticks.
    (0..=count * 3).map(|i| (first + f64::from(i)) * step).take_while(|&v| v <= to + step * 1e-9).collect()
}

/// Smallest and largest finite value; `None` if there is none.
pub(super) fn extent(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().filter(|v| v.is_finite()).fold(None, |range, v| match range {
        None => Some((v, v)),
        Some((low, high)) => Some((low.min(v), high.max(v))),
    })
}

/// A polyline through the points, or nothing. `None` lifts the pen.
pub(super) fn polyline(points: impl IntoIterator<Item = Option<(f64, f64)>>) -> String {
    let mut d = String::new();
    let mut pen_down = false;
    for point in points {
        if let Some((x, y)) = point {
            let _ = write!(d, "{}{} {}", if pen_down { 'L' } else { 'M' }, num(x), num(y));
        }
        pen_down = point.is_some();
    }
    d
}

/// One closed path of bars standing (or hanging) on `base`; a bar is left edge, right edge, end. Empty bars
/// are skipped.
pub(super) fn bars(base: f64, bars: impl IntoIterator<Item = (f64, f64, f64)>) -> String {
    let mut d = String::new();
    for (left, right, end) in bars.into_iter().filter(|b| (b.2 - base).abs() >= 0.05) {
        let _ = write!(d, "M{} {}V{}H{}V{}Z", num(left), num(base), num(end), num(right), num(base));
    }
    d
}

/// Only the ends of the same bars, as strokes of no length: round caps make them dots. Empty bars are
/// skipped.
pub(super) fn dots(base: f64, bars: impl IntoIterator<Item = (f64, f64, f64)>) -> String {
    let mut d = String::new();
    for (left, right, end) in bars.into_iter().filter(|b| (b.2 - base).abs() >= 0.05) {
        let _ = write!(d, "M{} {}h0", num((left + right) / 2.0), num(end));
    }
    d
}

/// The outline of the same bars, without the sides that neighbours share.
pub(super) fn steps(base: f64, bars: impl IntoIterator<Item = (f64, f64, f64)>) -> String {
    let mut d = String::new();
    let mut at: Option<f64> = None;
    for (left, right, end) in bars {
        if at.is_none_or(|x| (x - left).abs() > 0.2) {
            let _ = write!(d, "M{} {}", num(left), num(base));
        }
        let _ = write!(d, "V{}H{}", num(end), num(right));
        at = Some(right);
    }
    d
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        let cases = [
            ((0.0, 1.0), 5, vec![0.0, 0.2, 0.4, 0.6, 0.8, 1.0]),
            ((715.0, 1_490.0), 4, vec![800.0, 900.0, 1_000.0, 1_100.0, 1_200.0, 1_300.0, 1_400.0]),
            ((3.0, 3.0), 1, vec![3.0, 4.0]),
        ];
        for ((from, to), count, want) in cases {
            let got = Scale::new(Spread::Linear, (from, to), (0.0, 100.0)).ticks(count);
            assert_eq!(got.len(), want.len(), "{from}..{to}: {got:?}");
            assert!(got.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-9), "{got:?} is not {want:?}");
        }
    }

    #[test]
    fn scales_survive_what_is_not_a_number() {
        for range in [(f64::NAN, 1.0), (0.0, f64::INFINITY), (2.0, 2.0), (5.0, 1.0)] {
            for spread in [Spread::Linear, Spread::SquareRoot] {
                let scale = Scale::new(spread, range, (0.0, 10.0));
                for value in [f64::NAN, f64::NEG_INFINITY, -1.0, 0.0, 7.0] {
                    assert!((0.0..=10.0).contains(&scale.at(value)), "{range:?} {value}");
                }
                assert!(scale.ticks(4).iter().all(|t| t.is_finite()));
            }
        }
    }

    #[test]
    fn pens_lift_over_gaps() {
        assert_eq!(polyline([Some((0.0, 1.0)), Some((2.0, 3.04)), None, Some((4.0, 5.0))]), "M0 1L2 3M4 5");
        assert_eq!(steps(9.0, [(0.0, 1.0, 5.0), (1.0, 2.0, 6.0), (8.0, 9.0, 7.0)]), "M0 9V5H1V6H2M8 9V7H9");
    }
}
