//! The section that says who paid, per event, and checks by exact arithmetic that nothing is left over.

use super::super::charts;
use super::super::data::{Waterfall, WaterfallRow};
use super::super::text::{Exact, date_time, esc, group, sum, to_f64};
use super::parts::{Swatch, Table, details, legend, nothing, paragraph, passed, wide_figure};

/// Events printed one by one; the others are summed exactly in one row.
const EVENTS_PRINTED: usize = 40;
/// Events drawn one by one.
const EVENTS_DRAWN: usize = 8;

/// Every waterfall given, one after the other.
pub(super) fn waterfalls(all: &[Waterfall]) -> String {
    if all.is_empty() {
        return nothing("no waterfall has been recorded");
    }
    let intro = "A deleveraging event is a stretch of forced closing. The bad debt of each event, what \
                 liquidated accounts owed beyond their own margin, is paid in order: the insurance layers, \
                 then the winners, then the suppliers of a pool. The last two columns are computed on this \
                 page from the others, exactly: what was not accounted for must be zero to the last \
                 digit.";
    paragraph(intro) + &all.iter().map(waterfall).collect::<String>()
}

fn waterfall(data: &Waterfall) -> String {
    let heading = format!("<h3>{}</h3>\n", esc(&data.run));
    if data.events.is_empty() {
        return heading + &nothing("there was no deleveraging event");
    }
    let all: Vec<&WaterfallRow> = data.events.iter().collect();
    let every = details("Every event as a table", &table(data));
    let Some(chart) = charts::who_paid(&data.run, &data.layers, &all) else {
        return heading + &paragraph("There was no bad debt: nobody had to pay.") + &every;
    };
    let promised = data.events.iter().flat_map(|e| e.late.iter().chain(&e.unpaid)).any(|x| not_zero(x));
    let keys = if promised {
        legend(&[
            (Swatch::Fill("fill-simulated"), "paid at once"),
            (Swatch::Fill("fill-second"), "paid later"),
            (Swatch::Fill("mark"), "promised and not paid"),
        ])
    } else {
        String::new()
    };
    let note = format!("Who bore the bad debt of all events, {}.", data.unit);
    heading + &wide_figure(&chart, &keys, &note) + &by_event(data) + &every
}

/// The same stair for each of the largest events, folded away.
fn by_event(data: &Waterfall) -> String {
    let mut with: Vec<&WaterfallRow> = data.events.iter().filter(|e| not_zero(&e.bad_debt)).collect();
    if with.len() < 2 {
        return String::new(); // the figure of all is its figure
    }
    with.sort_by(|a, b| {
        let size = |e: &WaterfallRow| to_f64(&e.bad_debt).unwrap_or(0.0);
        size(b).total_cmp(&size(a)).then(a.opened.cmp(&b.opened))
    });
    with.truncate(EVENTS_DRAWN);
    with.sort_by_key(|e| e.opened);
    let figures: String = with
        .into_iter()
        .filter_map(|e| {
            let name = format!("{}, {}", e.event, date_time(e.opened));
            let svg = charts::who_paid(&name, &data.layers, &[e])?;
            Some(wide_figure(&svg, "", &format!("{name}: who bore {} {}.", group(&e.bad_debt), data.unit)))
        })
        .collect();
    details("The largest events, one by one", &figures)
}

fn not_zero(amount: &str) -> bool {
    to_f64(amount).is_some_and(|x| x != 0.0)
}

fn table(data: &Waterfall) -> String {
    let columns = "event|opened|closed|#liquidated|#penalties paid by accounts|#bad debt";
    let mut table = Table::new(&format!("{}: who paid, {}", data.run, data.unit), columns);
    for layer in &data.layers {
        table.column(&format!("#{layer}"));
    }
    for column in ["#winners", "#suppliers", "#residual", "#not accounted for", "zero"] {
        table.column(column);
    }
    let (printed, others) = choose(&data.events);
    for row in printed {
        let when = |at: i64| date_time(at).replace(' ', "\u{a0}");
        let closed = row.closed.map_or_else(|| "open at the end".to_owned(), when);
        table.row(&cells(data, &[row], [esc(&row.event), when(row.opened), closed]));
    }
    if !others.is_empty() {
        let name = format!("{} smaller events", others.len());
        table.row(&cells(data, &others, [name, String::new(), String::new()]));
    }
    let all: Vec<&WaterfallRow> = data.events.iter().collect();
    table.total(&cells(data, &all, ["all events".to_owned(), String::new(), String::new()]));
    table.finish()
}

/// The events to print, in their own order, and the rest: the largest by bad debt, then by what was
/// liquidated.
fn choose(events: &[WaterfallRow]) -> (Vec<&WaterfallRow>, Vec<&WaterfallRow>) {
    let mut order: Vec<(usize, &WaterfallRow)> = events.iter().enumerate().collect();
    let size = |r: &WaterfallRow| (to_f64(&r.bad_debt).unwrap_or(0.0), to_f64(&r.liquidated).unwrap_or(0.0));
    order.sort_by(|a, b| {
        let (x, y) = (size(a.1), size(b.1));
        y.0.total_cmp(&x.0).then(y.1.total_cmp(&x.1)).then(a.0.cmp(&b.0))
    });
    let mut others = order.split_off(order.len().min(EVENTS_PRINTED));
    order.sort_by_key(|(i, _)| *i);
    others.sort_by_key(|(i, _)| *i);
    (order.into_iter().map(|(_, r)| r).collect(), others.into_iter().map(|(_, r)| r).collect())
}

/// The most decimals of any amount: all are printed with as many.
fn decimals(data: &Waterfall) -> u32 {
    let of = |r: &WaterfallRow| {
        let amounts = [&r.liquidated, &r.account_margin, &r.bad_debt, &r.winners, &r.suppliers, &r.residual];
        let texts = amounts.into_iter().chain(&r.layers);
        texts.filter_map(|t| Exact::parse(t)).map(Exact::decimals).max().unwrap_or(0)
    };
    data.events.iter().map(of).max().unwrap_or(0)
}

/// One line of the table: the exact sums over `rows`, and what the parts leave of the bad debt.
fn cells(data: &Waterfall, rows: &[&WaterfallRow], names: [String; 3]) -> Vec<String> {
    let total = |pick: &dyn Fn(&WaterfallRow) -> &str| sum(rows.iter().map(|r| pick(r)));
    let bad_debt = total(&|r| r.bad_debt.as_str());
    let mut paid: Vec<Option<Exact>> =
        (0..data.layers.len()).map(|i| total(&|r| r.layers.get(i).map_or("", String::as_str))).collect();
    paid.push(total(&|r| r.winners.as_str()));
    paid.push(total(&|r| r.suppliers.as_str()));
    let residual = total(&|r| r.residual.as_str());
    let unaccounted =
        paid.iter().chain([&residual]).try_fold(bad_debt, |left, part| Some(left?.minus((*part)?))).flatten();
    let places = decimals(data);
    let print = |value: &Option<Exact>| {
        value.map_or_else(|| "no number".to_owned(), |v| group(&v.with_decimals(places).text()))
    };
    let mut out = Vec::from(names);
    out.push(print(&total(&|r| r.liquidated.as_str())));
    out.push(print(&total(&|r| r.account_margin.as_str())));
    out.push(print(&bad_debt));
    out.extend(paid.iter().map(print));
    out.push(print(&residual));
    out.push(print(&unaccounted));
    let settled = unaccounted.is_some_and(Exact::is_zero) && residual.is_some_and(Exact::is_zero);
    out.push(passed(settled).to_owned());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(bad_debt: &str, layer: &str, winners: &str, residual: &str) -> WaterfallRow {
        let [bad_debt, layer, winners, residual] = [bad_debt, layer, winners, residual].map(str::to_owned);
        WaterfallRow {
            event: "e".to_owned(),
            bad_debt,
            layers: vec![layer],
            winners,
            residual,
            ..WaterfallRow::default()
        }
    }

    #[test]
    fn one_atom_too_few_is_seen() {
        let cases = [
            (row("10.000001", "4", "6.000001", "0"), true),
            (row("10.000001", "4", "6", "0"), false),
            (row("10", "4", "5", "1"), false),
            (row("10", "ten", "5", "1"), false),
        ];
        for (event, settled) in cases {
            let data =
                Waterfall { layers: vec!["fund".to_owned()], events: vec![event], ..Waterfall::default() };
            assert_eq!(table(&data).contains("✗ fail"), !settled, "{data:?}");
        }
    }

    #[test]
    fn all_amounts_have_as_many_decimals() {
        let events = vec![row("10.000001", "4", "6.000001", "0"), row("2.5", "2.5", "0", "")];
        let data = Waterfall { layers: vec!["fund".to_owned()], events, ..Waterfall::default() };
        let html = table(&data);
        for cell in ["4.000000", "2.500000", "0.000000", "12.500001", "6.500000"] {
            assert!(html.contains(&format!(">{cell}<")), "{cell}: {html}");
        }
        for cell in [">0<", ">0.0<", ">2.5<", ">4<"] {
            assert!(!html.contains(cell), "{cell}: {html}");
        }
    }

    #[test]
    fn small_events_are_summed_not_dropped() {
        let events: Vec<WaterfallRow> =
            (0..60).map(|i| row(&format!("{i}.1"), "0", &format!("{i}.1"), "0")).collect();
        let data = Waterfall { layers: vec!["fund".to_owned()], events, ..Waterfall::default() };
        let html = table(&data);
        assert!(html.contains("20 smaller events"), "{html}");
        assert!(html.contains("1,776.0"), "{html}");
        assert!(!html.contains("✗ fail"), "{html}");
    }
}
