//! Charts over time: price with mirrored liquidations, the blind period, the lending run.

use super::super::data::{BlindHour, Lending, LongShort, PriceSeries};
use super::super::svg::{Anchor, Area, Scale, Spread, Svg, bars, dots, extent, polyline};
use super::super::text::compact;
use super::{WIDE, time_axis, y_axis};

const LEFT: f64 = 58.0;
const PLOT_WIDTH: f64 = WIDE - LEFT - 14.0;

/// A bar on the time axis with what stands above and below its base line.
type Bar = (i64, LongShort);

fn time_scale(first: i64, last: i64, bar_seconds: i64) -> (Scale, (i64, i64)) {
    let end = last.saturating_add(bar_seconds.max(1));
    (Scale::new(Spread::Linear, (first as f64, end as f64), (LEFT, LEFT + PLOT_WIDTH)), (first, end))
}

/// Two series mirrored around a base line: short above (forced purchases), long below (forced sales).
struct Mirror {
    area: Area,
    base: f64,
    up: Scale,
    down: Scale,
}

impl Mirror {
    /// Both sides share one scale, so that their lengths compare; the base line is placed by the larger
    /// values.
    fn new(area: Area, series: &[&[Bar]]) -> Self {
        let most = |side: fn(&LongShort) -> f64| {
            extent(series.iter().flat_map(|s| s.iter().map(|b| side(&b.1)))).map_or(0.0, |e| e.1.max(0.0))
        };
        let (short, long) = (most(|q| q.short), most(|q| q.long));
        let (short, long) = if short + long > 0.0 { (short, long) } else { (1.0, 1.0) };
        // Square-root lengths: units per root of quantity are equal above and below.
        let root = short.sqrt() + long.sqrt();
        let base = area.y + area.height * (short.sqrt() / root);
        Self {
            area,
            base,
            up: Scale::new(Spread::SquareRoot, (0.0, short), (base, area.y)),
            down: Scale::new(Spread::SquareRoot, (0.0, long), (base, area.bottom())),
        }
    }

    fn axis(&self, svg: &mut Svg, name: &str) {
        let name = format!("{name}: shorts bought back ↑, longs sold ↓");
        svg.text("name", (self.area.x, self.area.y - 8.0), Anchor::Start, &name);
        for scale in [&self.up, &self.down] {
            let mut last = self.base;
            for tick in scale.ticks(3) {
                let y = scale.at(tick);
                svg.line("grid", (self.area.x, y), (self.area.right(), y));
                if tick == 0.0 || (y - last).abs() >= 13.0 {
                    svg.text("tick", (self.area.x - 6.0, y + 4.0), Anchor::End, &compact(tick));
                    last = y;
                }
            }
        }
        svg.line("axis", (self.area.x, self.base), (self.area.right(), self.base));
    }

    fn ends<'a>(
        &'a self,
        time: &'a Scale,
        series: &'a [Bar],
        bar_seconds: i64,
        up: bool,
    ) -> impl Iterator<Item = (f64, f64, f64)> + 'a {
        series.iter().map(move |(start, q)| {
            let end = if up { self.up.at(q.short) } else { self.down.at(q.long) };
            (time.at(*start as f64), time.at(start.saturating_add(bar_seconds) as f64), end)
        })
    }

    fn draw(&self, svg: &mut Svg, time: &Scale, series: &[Bar], bar_seconds: i64, class: &str, filled: bool) {
        for up in [true, false] {
            let ends = self.ends(time, series, bar_seconds, up);
            let d = if filled { bars(self.base, ends) } else { dots(self.base, ends) };
            svg.path(class, &d);
        }
    }
}

/// Price line with its band above; simulated (solid) against observed (dots) liquidations below, then what is
/// not implied.
pub(in super::super) fn price_and_liquidations(data: &PriceSeries) -> Option<String> {
    let (first, last) = (data.bars.first()?, data.bars.last()?);
    let step = data.bar_seconds.max(1);
    let (time, range) = time_scale(first.start, last.start, step);
    let mut svg = Svg::new(WIDE, 664.0, "Price and liquidations over time");
    let price_area = Area { x: LEFT, y: 36.0, width: PLOT_WIDTH, height: 220.0 };
    price_band(&mut svg, data, &time, price_area);

    let column = |side: fn(&super::super::data::PriceBar) -> LongShort| -> Vec<Bar> {
        data.bars.iter().map(|b| (b.start, side(b))).collect()
    };
    let (simulated, observed, unimplied) =
        (column(|b| b.simulated), column(|b| b.observed), column(|b| b.unimplied));
    let main =
        Mirror::new(Area { x: LEFT, y: 300.0, width: PLOT_WIDTH, height: 190.0 }, &[&simulated, &observed]);
    main.axis(&mut svg, &format!("Liquidated per bar, {} (root scale)", data.unit));
    main.draw(&mut svg, &time, &simulated, step, "fill-simulated", true);
    main.draw(&mut svg, &time, &observed, step, "dots-observed", false);
    let (unimplied, wide) = joined(&unimplied, step);
    let rest = Mirror::new(Area { x: LEFT, y: 534.0, width: PLOT_WIDTH, height: 96.0 }, &[&unimplied]);
    let hours = compact(wide as f64 / 3_600.0);
    rest.axis(&mut svg, &format!("Observed but not implied, {} per {hours} h (own root scale)", data.unit));
    rest.draw(&mut svg, &time, &unimplied, wide, "fill-unimplied", true);
    time_axis(&mut svg, rest.area, &time, range);
    Some(svg.finish())
}

/// The same quantities in at most sixty bars, wide enough for hatching to be seen, and their length in
/// seconds.
fn joined(series: &[Bar], step: i64) -> (Vec<Bar>, i64) {
    let first = series.first().map_or(0, |b| b.0);
    let wide = step.saturating_mul(i64::try_from(series.len().div_ceil(60)).unwrap_or(1).max(1));
    let place = |bar: &Bar| bar.0.saturating_sub(first).div_euclid(wide);
    let join = |bars: &[Bar]| {
        let start = first.saturating_add(bars.first().map_or(0, place).saturating_mul(wide));
        let sum = |side: fn(&LongShort) -> f64| bars.iter().map(|b| side(&b.1)).sum();
        (start, LongShort { long: sum(|q| q.long), short: sum(|q| q.short) })
    };
    (series.chunk_by(|a, b| place(a) == place(b)).map(join).collect(), wide)
}

fn price_band(svg: &mut Svg, data: &PriceSeries, time: &Scale, area: Area) {
    let values = data.bars.iter().flat_map(|b| [b.low, b.mean, b.high]);
    let range = extent(values).unwrap_or((0.0, 1.0));
    let scale =
        Scale::new(Spread::Linear, range, (area.bottom(), area.y + 16.0 * data.marks.len().min(4) as f64));
    y_axis(svg, area, &scale, 5, "Mid price (band: lowest to highest of the bar)", compact);
    let half = data.bar_seconds.max(1) as f64 / 2.0;
    let band: String = contiguous(data)
        .map(|run| {
            let there = run.iter().map(|b| Some((time.at(b.start as f64 + half), scale.at(b.high))));
            let back = run.iter().rev().map(|b| Some((time.at(b.start as f64 + half), scale.at(b.low))));
            polyline(there.chain(back)) + "Z"
        })
        .collect();
    svg.path("band", &band);
    let line: String = contiguous(data)
        .map(|run| polyline(run.iter().map(|b| Some((time.at(b.start as f64 + half), scale.at(b.mean))))))
        .collect();
    svg.path("line-price", &line);
    for (i, mark) in data.marks.iter().enumerate() {
        let x = time.at(mark.at as f64);
        svg.line("mark", (x, area.y), (x, 630.0));
        let anchor = if x > area.x + area.width * 0.6 { Anchor::End } else { Anchor::Start };
        let dx = if anchor == Anchor::End { -5.0 } else { 5.0 };
        let y = area.y + 11.0 + 16.0 * (i % 4) as f64;
        svg.text("mark-label", (x + dx, y), anchor, &mark.label);
    }
}

/// Runs of bars without a gap in time.
fn contiguous(data: &PriceSeries) -> impl Iterator<Item = &[super::super::data::PriceBar]> {
    data.bars.chunk_by(|a, b| b.start.saturating_sub(a.start) <= data.bar_seconds.max(1))
}

/// Predicted (solid) against observed (dots) over the blind period.
pub(in super::super) fn blind_hours(hours: &[BlindHour], unit: &str) -> Option<String> {
    let (first, last) = (hours.first()?, hours.last()?);
    let (time, range) = time_scale(first.start, last.start, 3_600);
    let mut svg = Svg::new(WIDE, 300.0, "Predicted and observed liquidations per hour of the blind period");
    let predicted: Vec<Bar> = hours.iter().map(|h| (h.start, h.predicted)).collect();
    let observed: Vec<Bar> = hours.iter().map(|h| (h.start, h.observed)).collect();
    let mirror =
        Mirror::new(Area { x: LEFT, y: 30.0, width: PLOT_WIDTH, height: 236.0 }, &[&predicted, &observed]);
    mirror.axis(&mut svg, &format!("Liquidated per hour, {unit} (root scale)"));
    mirror.draw(&mut svg, &time, &predicted, 3_600, "fill-simulated", true);
    mirror.draw(&mut svg, &time, &observed, 3_600, "dots-observed", false);
    time_axis(&mut svg, mirror.area, &time, range);
    Some(svg.finish())
}

/// Price, collateral seized and utilisation of the lending run.
pub(in super::super) fn lending_bars(data: &Lending) -> Option<String> {
    let (first, last) = (data.bars.first()?, data.bars.last()?);
    let step = data.bar_seconds.max(1);
    let (time, range) = time_scale(first.start, last.start, step);
    let mut svg = Svg::new(WIDE, 500.0, "Lending run: price, collateral seized and utilisation over time");
    let half = step as f64 / 2.0;
    let panel =
        |svg: &mut Svg, y: f64, height: f64, name: &str, class: &str, values: Vec<f64>, spread: Spread| {
            let area = Area { x: LEFT, y, width: PLOT_WIDTH, height };
            let (low, high) = extent(values.iter().copied()).unwrap_or((0.0, 1.0));
            let low = if spread == Spread::SquareRoot { 0.0 } else { low };
            let scale = Scale::new(spread, (low, high), (area.bottom(), area.y));
            y_axis(svg, area, &scale, 3, name, compact);
            let at = |start: i64| time.at(start as f64);
            let d = if spread == Spread::SquareRoot {
                let ends = data.bars.iter().zip(&values);
                bars(
                    area.bottom(),
                    ends.map(|(b, v)| (at(b.start), at(b.start.saturating_add(step)), scale.at(*v))),
                )
            } else {
                polyline(
                    data.bars
                        .iter()
                        .zip(&values)
                        .map(|(b, v)| Some((time.at(b.start as f64 + half), scale.at(*v)))),
                )
            };
            svg.path(class, &d);
            area
        };
    let column =
        |side: fn(&super::super::data::LendingBar) -> f64| data.bars.iter().map(side).collect::<Vec<f64>>();
    panel(&mut svg, 30.0, 130.0, "Mid price", "line-price", column(|b| b.price), Spread::Linear);
    let seized = format!("Collateral seized per bar, {} (root scale)", data.unit);
    panel(&mut svg, 196.0, 130.0, &seized, "fill-simulated", column(|b| b.seized), Spread::SquareRoot);
    let lent = column(|b| b.utilisation * 100.0);
    let area =
        panel(&mut svg, 366.0, 100.0, "Utilisation of the pool, %", "line-first", lent, Spread::Linear);
    time_axis(&mut svg, area, &time, range);
    Some(svg.finish())
}
