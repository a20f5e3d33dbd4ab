//! The page as a whole: escaping, empty data, determinism, nothing fetched, markup that is closed.

use super::*;

/// Every text, every section filled, with text that would break out of markup if it were not escaped.
fn hostile() -> ReportData {
    let json = include_str!("hostile.json");
    serde_json::from_str(json).unwrap_or_else(|e| panic!("hostile.json: {e}"))
}

/// Opening tags without a closing one, or the other way round.
fn unbalanced(html: &str) -> Option<String> {
    const VOID: [&str; 6] = ["meta", "!DOCTYPE", "path", "rect", "line", "circle"];
    let mut open: Vec<&str> = Vec::new();
    for part in html.split('<').skip(1) {
        let tag = part.split('>').next().unwrap_or_default();
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap_or_default();
        if VOID.contains(&name) {
            continue;
        }
        if !tag.starts_with('/') {
            open.push(name);
        } else if open.pop() != Some(name) {
            return Some(format!("</{name}> closes nothing"));
        }
    }
    open.pop().map(|name| format!("<{name}> is never closed"))
}

#[test]
fn empty_data_says_so_in_every_section() {
    let html = render(&ReportData::default());
    assert_eq!(unbalanced(&html), None);
    let sections = html.matches("<section").count();
    assert!(html.matches("Nothing to show").count() >= sections, "{sections} sections");
}

#[test]
fn text_from_the_data_never_becomes_markup() {
    let html = render(&hostile());
    assert_eq!(unbalanced(&html), None);
    assert!(!html.contains("<script"), "a script got through");
    assert!(!html.contains("<b>"), "a tag got through");
    assert!(html.contains("&lt;script&gt;"), "the text itself is shown");
    assert!(!html.contains("Nothing to show"), "every section is filled");
}

#[test]
fn a_study_is_a_page_too() {
    let empty = render_adl(&AdlReport::default());
    assert_eq!((unbalanced(&empty), empty.matches("Nothing to show").count()), (None, 4));
    let bad = "<script>alert(1)</script>".to_owned();
    let data = AdlReport {
        title: bad.clone(),
        figures: vec![AdlFigure { what: bad.clone(), how: bad.clone(), ..AdlFigure::default() }],
        absent: vec![(bad.clone(), bad.clone())],
        sources: vec![(bad.clone(), bad.clone())],
        findings: vec![VerdictLine { status: Status::Warn, question: bad.clone(), answer: bad.clone() }],
        books: vec![AdlBook {
            name: bad.clone(),
            note: bad.clone(),
            cases: vec![AdlCase {
                deficit: vec![AdlPolicy { name: bad.clone(), gini: f64::NAN, ..AdlPolicy::default() }],
                ..AdlCase::default()
            }],
            conclusions: vec![VerdictLine {
                status: Status::Fail,
                question: bad.clone(),
                answer: bad.clone(),
            }],
        }],
        skipped: vec![bad],
        waves: vec![AdlWave { number: 1, needed: 1.0, taken: 2.0, deficit: f64::NAN }],
    };
    let html = render_adl(&data);
    assert_eq!(unbalanced(&html), None);
    assert!(!html.contains("<script") && html.contains("&lt;script&gt;"));
}

#[test]
fn the_same_data_gives_the_same_bytes() {
    let data = hostile();
    let json = serde_json::to_string(&data).unwrap_or_default();
    let again: ReportData = serde_json::from_str(&json).unwrap_or_default();
    assert_eq!(again, data);
    assert_eq!(render(&data), render(&again));
}

#[test]
fn nothing_is_fetched() {
    let html = render(&hostile());
    for reference in [
        "http:",
        "https:",
        "src=",
        "@import",
        "url(//",
        "<link",
        "<script",
        "<iframe",
        "<object",
        "javascript:",
    ] {
        assert!(!html.contains(reference), "{reference}");
    }
    for target in html.split("href=\"").skip(1) {
        assert!(target.starts_with('#'), "{}", target.chars().take(40).collect::<String>());
    }
    for target in html.split("url(").skip(1) {
        assert!(target.starts_with('#'), "{}", target.chars().take(40).collect::<String>());
    }
    assert!(html.contains("default-src 'none'"));
}

#[test]
fn numbers_that_are_none_do_not_panic() {
    let mut data = hostile();
    for bar in &mut data.price.bars {
        bar.low = f64::NAN;
        bar.observed.long = f64::INFINITY;
        bar.start = i64::MAX - 1;
    }
    for column in &mut data.levels.columns {
        column.long.clear();
        column.price = f64::NEG_INFINITY;
    }
    data.levels.price_edges.reverse();
    data.variants.rows.iter_mut().for_each(|r| r.bad_debt.median = "much".to_owned());
    data.waterfalls.iter_mut().flat_map(|w| &mut w.events).for_each(|e| e.layers.clear());
    data.depth_exit.cells.iter_mut().for_each(|row| row.truncate(1));
    data.leverage_age.leverage_histogram.series.iter_mut().for_each(|s| s.shares.truncate(1));
    data.linked.cases.iter_mut().flat_map(|c| &mut c.seeds).for_each(|s| s.independent.clear());
    let html = render(&data);
    assert_eq!(unbalanced(&html), None);
    assert!(!html.contains("NaN") && !html.contains("inf\""), "a number that is none got into the page");
}
