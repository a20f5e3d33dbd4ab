//! Sections on what would have happened otherwise: variants, linked depth, the tipping map.

use super::super::charts::{self, RangeRow};
use super::super::data::{
    FloatSpread, LinkedCase, LinkedDepth, MoneySpread, TippingMap, VariantRow, Variants,
};
use super::super::text::{NONE, compact, esc, fixed, group, percent, to_f64, whole};
use super::parts::{Swatch, Table, details, figure, legend, nothing, paragraph, row_of, wide_figure};

/// The table of variants, one dot-range chart per measure, and what has no visible effect in words.
pub(super) fn variants(data: &Variants) -> String {
    if data.rows.is_empty() {
        return nothing("no variant has been run");
    }
    let seeds = if data.rows.iter().any(|r| r.seeds > 1) {
        "Where there is randomness, all figures of a row are those of one seed, the median by bad debt, so that \
         they add up; in brackets the 5th and 95th percentile over the seeds. "
    } else {
        "Each was run with one seed. "
    };
    let intro = format!(
        "Each variant is compared with \"{}\". {seeds}Insurance needed is what the layers would have \
         had to hold at the start, beside what penalties bring in, to leave nothing for the winners or the \
         suppliers.",
        data.baseline
    );
    let mut out = paragraph(&intro) + &table(data) + &no_effect(&data.rows) + &breakers(data);
    let keys = legend(&[
        (Swatch::Circle("dot-first"), "median"),
        (Swatch::Line("whisker"), "5th to 95th percentile"),
        (Swatch::Diamond("dot-base"), "compared with"),
    ]);
    out += &keys;
    out + &row_of(&ranges(data))
}

fn money(spread: &MoneySpread) -> String {
    let median = esc(&whole(&spread.median));
    if spread.p5 == spread.median && spread.p95 == spread.median {
        return median;
    }
    format!(
        "{median}<small>[{},</small><small>{}]</small>",
        esc(&whole(&spread.p5)),
        esc(&whole(&spread.p95))
    )
}

fn float(spread: &FloatSpread, print: impl Fn(f64) -> String) -> String {
    let median = print(spread.median);
    if spread.p5 == spread.median && spread.p95 == spread.median {
        return median;
    }
    format!("{median}<small>[{}, {}]</small>", print(spread.p5), print(spread.p95))
}

fn branching(data: &Variants, row: &VariantRow) -> String {
    let Some(ratio) = &row.branching_ratio else { return NONE.to_owned() };
    let text = float(ratio, |v| fixed(v, 3));
    let bound = |flag: &str, limit: f64| {
        format!("{text} <span class=\"badge warn\">▲ {flag} {}</span>", fixed(limit, 2))
    };
    match ratio.median {
        m if m < data.branching_low => bound("below", data.branching_low),
        m if m > data.branching_high => bound("above", data.branching_high),
        _ => text,
    }
}

fn table(data: &Variants) -> String {
    let unit = &data.unit;
    let columns = format!(
        "variant|#seeds|#liquidated, {unit}|#bad debt, {unit}|#insurance drawn, {unit}|#insurance needed, \
         {unit}|\
         #taken from winners, {unit}|#branching ratio|#largest fall|#events|#steps|#measures|#breaker trips"
    );
    let mut table = Table::new("Variants side by side", &columns);
    for row in &data.rows {
        let what =
            if row.what.is_empty() { String::new() } else { format!("<small>{}</small>", esc(&row.what)) };
        let mut cells = vec![format!("{}{what}", esc(&row.name)), row.seeds.to_string()];
        let amounts = [
            &row.liquidated,
            &row.bad_debt,
            &row.insurance_drawn,
            &row.insurance_needed,
            &row.taken_from_winners,
        ];
        cells.extend(amounts.map(money));
        cells.push(branching(data, row));
        cells.push(float(&row.max_drawdown, |v| percent(v, 1)));
        cells.extend([row.events, row.steps, row.measures, row.breaker_trips].map(|n| group(&n.to_string())));
        if row.name == data.baseline { table.row_marked(&cells) } else { table.row(&cells) }
    }
    if data.rows.iter().all(|r| r.branching_ratio.is_none()) {
        return table.finish();
    }
    let note = format!(
        "A branching ratio (what each forced unit triggers) outside {} to {} is flagged: below, the run has \
         next to no feedback; above, it is further from the replay than this data can support.",
        fixed(data.branching_low, 2),
        fixed(data.branching_high, 2)
    );
    table.finish() + &paragraph(&note)
}

/// What each breaker did, where a stack has any.
fn breakers(data: &Variants) -> String {
    if data.rows.iter().all(|r| r.breakers.is_empty()) {
        return String::new();
    }
    let mut table = Table::new("What the breakers did", "variant|breaker|#trips|#verdicts that limited");
    for (row, breaker) in data.rows.iter().flat_map(|r| r.breakers.iter().map(move |b| (r, b))) {
        let counts = [breaker.trips, breaker.limits].map(|n| group(&n.to_string()));
        let mut cells = vec![esc(&row.name), esc(&breaker.name)];
        cells.extend(counts);
        table.row(&cells);
    }
    let note = "A breaker trips when it sees its cause, or has used up its budget. A verdict limited when it cut a \
                forced close, put one off, or refused a request; of several breakers the strictest is counted, the \
                first of equals.";
    table.finish() + &paragraph(note)
}

fn no_effect(rows: &[VariantRow]) -> String {
    let lines: String = rows
        .iter()
        .filter(|r| !r.no_effect.is_empty())
        .map(|r| {
            format!("<li><strong>{}</strong>: no visible effect. {}</li>", esc(&r.name), esc(&r.no_effect))
        })
        .collect();
    if lines.is_empty() {
        return paragraph("Every variant has a visible effect.");
    }
    format!("<ul class=\"no-effect\">{lines}</ul>\n")
}

/// A dot-range chart to draw: title, rows, and how its values are printed.
type Measure = (String, Vec<RangeRow>, fn(f64) -> String);

fn ranges(data: &Variants) -> Vec<String> {
    let money = |pick: fn(&VariantRow) -> &MoneySpread| -> Vec<RangeRow> {
        data.rows.iter().map(|r| range_row(data, r, money_values(pick(r)))).collect()
    };
    let float = |pick: fn(&VariantRow) -> Option<FloatSpread>| -> Vec<RangeRow> {
        data.rows.iter().map(|r| range_row(data, r, pick(r).map(|s| (s.p5, s.median, s.p95)))).collect()
    };
    let unit = &data.unit;
    let charts: [Measure; 7] = [
        (format!("Liquidated, {unit}"), money(|r| &r.liquidated), compact),
        (format!("Bad debt, {unit}"), money(|r| &r.bad_debt), compact),
        (format!("Insurance drawn, {unit}"), money(|r| &r.insurance_drawn), compact),
        (format!("Insurance needed, {unit}"), money(|r| &r.insurance_needed), compact),
        (format!("Taken from winners, {unit}"), money(|r| &r.taken_from_winners), compact),
        ("Branching ratio".to_owned(), float(|r| r.branching_ratio), |v| fixed(v, 2)),
        ("Largest fall from a peak".to_owned(), float(|r| Some(r.max_drawdown)), |v| percent(v, 0)),
    ];
    charts
        .iter()
        .filter_map(|(title, rows, print)| charts::dot_range(title, rows, *print))
        .map(|svg| figure(&svg, "", ""))
        .collect()
}

fn range_row(data: &Variants, row: &VariantRow, values: Option<(f64, f64, f64)>) -> RangeRow {
    RangeRow { name: row.name.clone(), values, baseline: row.name == data.baseline }
}

fn money_values(spread: &MoneySpread) -> Option<(f64, f64, f64)> {
    Some((to_f64(&spread.p5)?, to_f64(&spread.median)?, to_f64(&spread.p95)?))
}

/// Linked against independent depth, per measure, with every shift.
pub(super) fn linked(data: &LinkedDepth) -> String {
    if data.cases.is_empty() {
        return nothing("linked and independent depth have not been compared");
    }
    let intro = "When liquidity providers leave because of the liquidations themselves, depth is thinnest \
                 exactly when it is needed. The independent runs use the same depth series shifted in time: \
                 the same values, as often, only at other moments. The difference is what a model misses \
                 that draws liquidity and liquidations separately.";
    let keys = legend(&[
        (Swatch::Diamond("dot-first"), "depth linked to liquidations, one per seed"),
        (Swatch::Circle("ring-second"), "independent, one ring per seed and shift"),
        (Swatch::Line("median"), "median of the shifts (upright bar)"),
    ]);
    let mut measures: Vec<(&str, &str)> = Vec::new();
    for case in &data.cases {
        if !measures.contains(&(&case.measure, &case.unit)) {
            measures.push((&case.measure, &case.unit));
        }
    }
    let figures: Vec<String> = measures
        .iter()
        .filter_map(|(measure, unit)| {
            let cases: Vec<&LinkedCase> = data
                .cases
                .iter()
                .filter(|c| (c.measure.as_str(), c.unit.as_str()) == (*measure, *unit))
                .collect();
            charts::linked_strip(&format!("{measure}, {unit}"), &cases)
        })
        .map(|svg| figure(&svg, "", ""))
        .collect();
    let mut out =
        paragraph(intro) + &paragraph(&data.verdict) + &keys + &row_of(&figures) + &linked_table(&data.cases);
    let shifts: String = data.cases.iter().map(shift_table).collect();
    out += &details("Every shift as a table", &shifts);
    out
}

fn linked_table(cases: &[LinkedCase]) -> String {
    let columns = "measure|depth|#seeds|#linked|#independent|#linked / median shift|shifts below linked";
    let mut table = Table::new("Linked against independent depth", columns);
    for case in cases {
        let (mut below, mut all) = (0, 0);
        for seed in &case.seeds {
            let values = seed.independent.iter().filter_map(|run| to_f64(&run.value));
            let lower = |v: &f64| to_f64(&seed.linked).is_some_and(|linked| *v < linked);
            below += values.filter(lower).count();
            all += seed.independent.len();
        }
        let ratio = case.ratio.map(|r| float(&r, |v| format!("{} x", fixed(v, 2))));
        table.row(&[
            esc(&format!("{}, {}", case.measure, case.unit)),
            esc(&case.depth).replace(' ', "\u{a0}"),
            case.seeds.len().to_string(),
            money(&case.linked),
            money(&case.independent),
            ratio.unwrap_or_else(|| NONE.to_owned()),
            format!("{below} of {all}"),
        ]);
    }
    let note = "Each figure is a median with [p5, p95] where they differ: over seeds for linked depth and for the ratio, over all \
                seeds and shifts for independent depth. Of fewer than twenty values these are the lowest and the highest.";
    table.finish() + &paragraph(note)
}

fn shift_table(case: &LinkedCase) -> String {
    let caption = format!("{}, {}, {}", case.measure, case.unit, case.depth);
    let mut table = Table::new(&caption, "seed|shift of the depth series|#value");
    for s in &case.seeds {
        let seed = s.seed.to_string();
        table.row_marked(&[seed.clone(), "none: linked".to_owned(), esc(&group(&s.linked))]);
        for run in &s.independent {
            let shift = format!("{} minutes", group(&run.shift_minutes.to_string()));
            table.row(&[seed.clone(), shift, esc(&group(&run.value))]);
        }
    }
    table.finish()
}

/// The heat map with the tipping line, and the same as a table.
pub(super) fn tipping(data: &TippingMap) -> String {
    let Some(chart) = charts::tipping_map(data) else {
        return nothing("depth and exit strength have not been varied together");
    };
    let intro = format!(
        "{} for each pair of {} and {}. The thick line is the tipping line: on its far side, in the cells \
         with a marked corner, {}. The framed cell is the base case.",
        data.what, data.x_label, data.y_label, data.criterion
    );
    let keys = legend(&[
        (Swatch::Line("tipping"), "tipping line"),
        (Swatch::Fill("heat-0"), "least"),
        (Swatch::Fill("heat-5"), "most"),
    ]);
    let mut table = Table::new(&data.what, &format!("{} \\ {}", data.y_label, data.x_label));
    for name in &data.x {
        table.column(&format!("#{name}"));
    }
    for (name, cells) in data.y.iter().zip(&data.cells).rev() {
        let mut row = vec![esc(name)];
        row.extend(cells.iter().map(|c| {
            let value = c.value.map_or_else(|| NONE.to_owned(), compact);
            if c.tipped { format!("{value} (tipped)") } else { value }
        }));
        table.row(&row);
    }
    paragraph(&intro) + &wide_figure(&chart, &keys, "") + &details("The same as a table", &table.finish())
}
