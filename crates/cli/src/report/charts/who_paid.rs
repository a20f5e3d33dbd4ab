//! Who bore a bad debt, as a stair: each payer begins where the one before it ended.

use super::super::data::WaterfallRow;
use super::super::svg::{Anchor, Area, Scale, Spread, Svg};
use super::super::text::{compact, sum, to_f64};
use super::WIDE;

/// One step of the stair.
struct Step<'a> {
    name: &'a str,
    paid: f64,
    /// Of it, what came after the loss.
    late: f64,
    /// Drawn on a promise, and not paid.
    unpaid: f64,
    open: bool,
}

/// Who bore the bad debt of `events` together, in the order in which they pay; what came late and what was promised in vain stand beside it.
/// Nothing where there was none.
pub(in super::super) fn who_paid(title: &str, layers: &[String], events: &[&WaterfallRow]) -> Option<String> {
    let column = |pick: &dyn Fn(&WaterfallRow) -> &str| -> f64 {
        sum(events.iter().map(|e| pick(e))).and_then(|e| to_f64(&e.text())).unwrap_or(0.0)
    };
    let mut steps: Vec<Step<'_>> = Vec::new();
    for (i, name) in layers.iter().enumerate() {
        let of =
            |pick: fn(&WaterfallRow) -> &Vec<String>| column(&|e| pick(e).get(i).map_or("0", String::as_str));
        let (paid, late, unpaid) = (of(|e| &e.layers), of(|e| &e.late), of(|e| &e.unpaid));
        steps.push(Step { name, paid, late: late.min(paid), unpaid, open: false });
    }
    let last = [
        ("winners", column(&|e| &e.winners), false),
        ("suppliers", column(&|e| &e.suppliers), false),
        ("residual", column(&|e| &e.residual), true),
    ];
    steps.extend(last.map(|(name, paid, open)| Step { name, paid, late: 0.0, unpaid: 0.0, open }));
    steps.retain(|s| s.paid > 0.0 || s.unpaid > 0.0);
    let total: f64 = steps.iter().map(|s| s.paid.max(0.0)).sum();
    if total <= 0.0 {
        return None;
    }
    let rows = steps.len() as f64;
    let mut svg = Svg::new(WIDE, 20.0 + 30.0 * rows, &format!("Who bore the bad debt: {title}"));
    let x = Scale::new(Spread::Linear, (0.0, total), (190.0, WIDE - 330.0));
    let mut from = 0.0;
    for (i, step) in steps.iter().enumerate() {
        let y = 8.0 + 30.0 * i as f64;
        let paid = step.paid.max(0.0);
        let mut block = |class: &str, from: f64, amount: f64| {
            let width = (x.at(from + amount) - x.at(from)).max(1.5);
            svg.rect(class, Area { x: x.at(from), y, width, height: 20.0 });
        };
        let class = if step.open { "fill-unimplied" } else { "fill-simulated" };
        if paid > step.late {
            block(class, from, paid - step.late);
        }
        if step.late > 0.0 {
            block("fill-second", from + paid - step.late, step.late);
        }
        if step.unpaid > 0.0 {
            // what it owed beside it, as far as the figure reaches
            block("mark", from + paid, step.unpaid.min((total - from - paid).max(0.0)));
        }
        from += paid;
        svg.text("row", (182.0, y + 15.0), Anchor::End, step.name);
        svg.line("grid", (x.at(from), y + 20.0), (x.at(from), y + 30.0));
        let mut label = format!("{} ({:.1} %)", compact(paid), paid / total * 100.0);
        if step.late > 0.0 {
            label += &format!(", later {}", compact(step.late));
        }
        if step.unpaid > 0.0 {
            label += &format!(", promised in vain {}", compact(step.unpaid));
        }
        let beside = x.at(from + step.unpaid.min(total - from)) + 6.0;
        svg.text("tick", (beside, y + 15.0), Anchor::Start, &label);
    }
    Some(svg.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(layer: &str, late: &str, unpaid: &str, winners: &str) -> WaterfallRow {
        let one = |x: &str| vec![x.to_owned()];
        WaterfallRow {
            layers: one(layer),
            late: one(late),
            unpaid: one(unpaid),
            winners: winners.to_owned(),
            ..WaterfallRow::default()
        }
    }

    #[test]
    fn what_came_late_or_not_at_all_is_shown() {
        let layers = ["acme".to_owned()];
        let cases = [
            (event("10", "0", "0", "0"), (false, false)),
            (event("10", "4", "0", "5"), (true, false)),
            (event("0", "0", "7", "7"), (false, true)),
            (event("3", "1", "7", "7"), (true, true)),
        ];
        for (event, expected) in cases {
            let svg = who_paid("x", &layers, &[&event]).unwrap();
            let seen = (svg.contains("later"), svg.contains("promised in vain"));
            assert_eq!(seen, expected, "{svg}");
            assert_eq!((svg.contains("fill-second"), svg.contains("rect class=\"mark\"")), expected, "{svg}");
        }
        assert_eq!(who_paid("x", &layers, &[&event("0", "0", "0", "0")]), None);
    }
}
