//! Sections that say how good the implied book is: leverage and age, implied share, mutation tests, blind
//! validation.

use super::super::charts;
use super::super::data::{Blind, Histogram, ImpliedShare, LeverageAge, MutationRow, QuantileTable};
use super::super::text::{esc, fixed, fixed_or_none, percent};
use super::parts::{
    Swatch, Table, details, figure, legend, named_values, nothing, paragraph, passed, row_of, wide_figure,
};

/// Quantiles beside the naive rules, histograms, and the two bounds.
pub(super) fn leverage_age(data: &LeverageAge) -> String {
    let mut out = paragraph(
        "When and with how much leverage a liquidated position was opened is not public. It is drawn from a \
         posterior; the naive rules stand beside it to show what the choice changes.",
    );
    if data.bounds.is_empty() {
        out += &nothing("no bound has been checked");
    } else {
        let mut table =
            Table::new("Shares with a bound", "share of the implied quantity|#found|#at most|result");
        for b in &data.bounds {
            table.row(&[
                esc(&b.what),
                percent(b.share, 2),
                percent(b.at_most, 2),
                passed(b.share <= b.at_most).to_owned(),
            ]);
        }
        out += &table.finish();
    }
    out += &quantiles(&data.leverage);
    out += &quantiles(&data.age);
    let figures: Vec<String> =
        [&data.leverage_histogram, &data.age_histogram].into_iter().filter_map(histogram).collect();
    if figures.is_empty() {
        return out + &nothing("there is no distribution of leverage or age");
    }
    out + &row_of(&figures)
}

fn quantiles(data: &QuantileTable) -> String {
    if data.rows.is_empty() {
        return nothing("there are no quantiles of leverage or age");
    }
    let mut table = Table::new(&format!("{}: quantiles of the implied quantity", data.quantity), "rule");
    for level in &data.levels {
        table.column(&format!("#{}", percent(*level, 0)));
    }
    for row in &data.rows {
        let name = if row.in_use { format!("{} (in use)", row.rule) } else { row.rule.clone() };
        let mut cells = vec![esc(&name)];
        cells.extend((0..data.levels.len()).map(|i| fixed_or_none(row.values.get(i).copied(), 1)));
        if row.in_use { table.row_marked(&cells) } else { table.row(&cells) }
    }
    table.finish()
}

fn histogram(data: &Histogram) -> Option<String> {
    let chart = charts::histogram(data)?;
    let swatches = [
        Swatch::Fill("fill-simulated"),
        Swatch::Line("line-second"),
        Swatch::Line("line-third"),
        Swatch::Line("line-fourth"),
    ];
    let entries: Vec<(Swatch, &str)> =
        swatches.into_iter().zip(data.series.iter().map(|s| s.name.as_str())).collect();
    Some(figure(&chart, &legend(&entries), ""))
}

/// The curve over maximum leverage beside the placebo.
pub(super) fn implied_share(data: &ImpliedShare) -> String {
    let (curve, placebo) = (charts::share_curve(data), charts::placebo(data));
    if curve.is_none() && placebo.is_none() {
        return nothing("no implied share has been computed");
    }
    let mut out = paragraph(
        "A liquidation is implied when some account with a permitted leverage could have had its \
         liquidation price in that minute's price move. The placebo asks the same of the same liquidations \
         shifted in time in a circle: what is left there is what any series would reach by chance.",
    );
    let keys = legend(&[
        (Swatch::Circle("dot-first"), "longs"),
        (Swatch::Triangle("dot-second"), "shorts"),
        (Swatch::Line("line-placebo"), "placebo, median, both sides"),
        (Swatch::Line("mark"), "leverage in use"),
    ]);
    let note = "The bars are the shifted series; the stem with the disc or the triangle is the real one.";
    let figures: Vec<String> =
        [curve.map(|svg| figure(&svg, &keys, "")), placebo.map(|svg| figure(&svg, "", note))]
            .into_iter()
            .flatten()
            .collect();
    out += &row_of(&figures);
    out += &placebo_table(data);
    out + &details("The curve as a table", &curve_table(data))
}

fn placebo_table(data: &ImpliedShare) -> String {
    let used = data.curve.iter().find(|p| p.max_leverage == data.used_max_leverage).map(|p| p.implied);
    let columns =
        "side|#implied share|#required|result|#shifted series|#placebo, lowest|#5 %|#median|#95 %|#highest";
    let mut table = Table::new(
        &format!("Implied share at {}x, beside the placebo", fixed(data.used_max_leverage, 0)),
        columns,
    );
    let sides = [
        ("long", used.map(|q| q.long), data.required.long, &data.placebo_long),
        ("short", used.map(|q| q.short), data.required.short, &data.placebo_short),
    ];
    for (name, share, required, placebo) in sides {
        let mut sorted: Vec<f64> = placebo.iter().copied().filter(|v| v.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let mut cells = vec![name.to_owned(), percent(share.unwrap_or(f64::NAN), 2), percent(required, 2)];
        cells.push(share.map_or("–", |s| passed(s >= required)).to_owned());
        cells.push(sorted.len().to_string());
        cells.extend(
            [0.0, 0.05, 0.5, 0.95, 1.0].map(|l| percent(charts::quantile(&sorted, l).unwrap_or(f64::NAN), 1)),
        );
        table.row(&cells);
    }
    table.finish()
}

fn curve_table(data: &ImpliedShare) -> String {
    let columns = "#maximum leverage|#implied long|#implied short|#placebo long|#placebo short";
    let mut table = Table::new("Implied share over maximum leverage", columns);
    for p in &data.curve {
        let placebo = |side: fn(&super::super::data::LongShort) -> f64| {
            percent(p.placebo.as_ref().map_or(f64::NAN, side), 2)
        };
        table.row(&[
            format!("{}x", fixed(p.max_leverage, 0)),
            percent(p.implied.long, 2),
            percent(p.implied.short, 2),
            placebo(|q| q.long),
            placebo(|q| q.short),
        ]);
    }
    table.finish()
}

/// What was broken and what the check said.
pub(super) fn mutations(rows: &[MutationRow]) -> String {
    if rows.is_empty() {
        return nothing("no mutation test has been run");
    }
    let intro = "Every implied position is liquidated in its own minute: that is true by construction, so \
                 it tests the engine, not the market. It is worth something only if it fails when the \
                 engine is wrong. Each row breaks one thing; the check must notice.";
    let mut table = Table::new("Mutation tests", "what was broken|*what was checked|#whole|#broken|noticed");
    for row in rows {
        table.row(&[
            esc(&row.broken),
            esc(&row.check),
            esc(&row.without),
            esc(&row.with),
            passed(row.caught).to_owned(),
        ]);
    }
    paragraph(intro) + &table.finish()
}

/// Scores, scatter and paired hours of the blind period.
pub(super) fn blind(data: &Blind) -> String {
    if data.scores.is_empty() && data.hours.is_empty() {
        return nothing("no blind validation has been run");
    }
    let intro = format!(
        "Everything that is fitted was fitted on {}; then {} was predicted without looking. Adverse return \
         alone (how far the price moved against the position) and the placebo show how much of the score \
         the book itself earns.",
        data.fitted_on, data.predicted
    );
    let mut out = paragraph(&intro) + &paragraph(&data.verdict);
    if !data.scores.is_empty() {
        let columns = "predictor|#per minute, long|#per minute, short|#per hour, long|#per hour, \
                       short|#predicted / observed, long|#predicted / observed, short";
        let mut table =
            Table::new("Correlation of predicted and observed quantity, and ratio of the totals", columns);
        for (i, s) in data.scores.iter().enumerate() {
            let mut cells = vec![esc(&s.predictor)];
            cells.extend(
                [s.minute_long, s.minute_short, s.hour_long, s.hour_short].map(|v| fixed_or_none(v, 3)),
            );
            cells.extend([s.total_ratio_long, s.total_ratio_short].map(|v| fixed_or_none(v, 2)));
            if i == 0 { table.row_marked(&cells) } else { table.row(&cells) }
        }
        out += &table.finish();
    }
    let scatters: Vec<String> = [true, false]
        .into_iter()
        .filter_map(|longs| charts::blind_scatter(&data.hours, &data.unit, longs))
        .map(|svg| {
            figure(
                &svg,
                "",
                "One mark per hour; both axes grow by square root; on the dotted line a prediction is exact.",
            )
        })
        .collect();
    if !scatters.is_empty() {
        out += &row_of(&scatters);
    }
    if let Some(svg) = charts::blind_hours(&data.hours, &data.unit) {
        let keys = legend(&[
            (Swatch::Fill("fill-simulated"), "predicted (solid)"),
            (Swatch::Circle("dot-second"), "observed (dots)"),
        ]);
        out += &wide_figure(&svg, &keys, "");
    }
    out + &named_values("What was fitted", &data.parameters)
}
