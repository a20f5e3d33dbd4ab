//! Bad files, a line per case; each message must name the place and what would be accepted.

use super::*;

const HEADER: &str = "timestamp_x,ask_price,bid_price,binance-futures_ethusdt_liquidation_long,\
                      binance-futures_ethusdt_liquidation_short\n";
const FIRST: &str = "1609460068912307.2,730.86,730.78,51.95,4.234\n";

/// Reads `text` and compares the message with `expected`, or the number of rows where it is `rows=N`.
fn check(text: &[u8], expected: &str) {
    let options = LoadOptions { max_bytes: 1_000, ..LoadOptions::default() };
    let said = match read_minutes("m.csv", text, &options) {
        Ok(minutes) => format!("rows={}", minutes.len()),
        Err(error) => error.to_string(),
    };
    let shown = String::from_utf8_lossy(text);
    assert!(said.contains(expected), "{shown:?}\n said {said}\n want {expected}");
}

fn check_row(row: &str, expected: &str) {
    check(format!("{HEADER}{FIRST}{row}\n").as_bytes(), expected);
}

#[test]
fn rows_that_are_accepted() {
    check_row("1609460127950823.8,730.91,730.85,0.0,0", "rows=2");
    check_row("1609460127950823.8,730.91,730.91,0.0,0\r", "rows=2");
    check_row("1609460127950823.8,730.91,730.85,3.1320000000000006,1e0", "rows=2");
    check_row("1609460368912307,730.91,730.85,0,0", "rows=2"); // a gap of 300 s is still accepted
}

#[test]
fn rows_that_are_refused() {
    let t = "1609460127950823.8";
    let time = "m.csv, line 3, column `timestamp_x`";
    let long = "m.csv, line 3, column `binance-futures_ethusdt_liquidation_long`";
    for (row, expected) in [
        (
            format!("{t},NaN,730.85,0,0"),
            "line 3, column `ask_price`: `NaN`; accepted is a finite decimal".into(),
        ),
        (format!("{t},inf,730.85,0,0"), "`inf`; accepted is a finite decimal number".into()),
        (format!("{t},abc,730.85,0,0"), "`abc`; accepted is a finite decimal number".into()),
        (format!("{t},\"730.9\",730.85,0,0"), "`\"730.9\"`; accepted is a finite decimal number".into()),
        (format!("{t},730.9,,0,0"), "column `bid_price`: ``; accepted is a finite decimal number".into()),
        (format!("{t},730.9,-1,0,0"), "`-1`; accepted is a price of 1 to 100000000000 ticks of 1e-3".into()),
        (format!("{t},730.9,0,0,0"), "`0`; accepted is a price of 1 to".into()),
        (
            format!("{t},730.80,730.85,0,0"),
            "`730.80`; accepted is at least the bid of the row, 730.85".into(),
        ),
        (format!("{t},730.9,730.8,-0.5,0"), format!("{long}: `-0.5`; accepted is a quantity of 0 to")),
        (format!("{t},730.9,730.8,1e18,0"), format!("{long}: `1e18`; accepted is a quantity of 0 to")),
        (
            format!("{t},730.9,730.8,0.0010001,0"),
            format!("{long}: `0.0010001`; accepted is a multiple of 1e-3, within 0.000001 of a lot"),
        ),
        (format!("{t},730.9,730.8,0"), "m.csv, line 3: 4 fields; accepted are 5".into()),
        (format!("{t},730.9,730.8,0,0,0"), "m.csv, line 3: 6 fields; accepted are 5".into()),
        (String::new(), "m.csv, line 3: 1 fields; accepted are 5".into()),
        (
            "1609460068912307.2,730.9,730.8,0,0".into(),
            format!(
                "{time}: `1609460068912307.2`; accepted is a time after the row before, 1609460068912 ms"
            ),
        ),
        (
            "1609460000000000,730.9,730.8,0,0".into(),
            format!("{time}: `1609460000000000`; accepted is a time aft"),
        ),
        (
            "1609460369999999,730.9,730.8,0,0".into(),
            "accepted is at most 300000 ms after the row before; this is 301087 ms after it".into(),
        ),
        (
            "1609460127950823000,730.9,730.8,0,0".into(),
            "between the years 1970 and 2096 in the stated unit".into(),
        ),
    ] {
        check_row(&row, &expected);
    }
}

#[test]
fn files_that_are_refused() {
    check(b"", "m.csv, line 1: no row of data; accepted is a header and at least one row");
    check(HEADER.as_bytes(), "m.csv, line 2: no row of data");
    check(
        b"timestamp_x,ask_price\n1,2\n",
        "column `bid_price` is there 0 times; accepted is exactly once, in: ",
    );
    check(format!("ask_price,{HEADER}").as_bytes(), "column `ask_price` is there 2 times");
    check(b"\xff\xfe\n", "m.csv, line 1: not UTF-8 text");
    check(&[b'x'; 1_001], "m.csv: longer than 1000 bytes; accepted are at most 1000 bytes");
    let absent = load_minutes("no/such/file.csv".as_ref(), &LoadOptions::default());
    assert!(absent.is_err_and(|e| e.to_string().starts_with("no/such/file.csv: ")));
    let folder = load_minutes(".".as_ref(), &LoadOptions::default());
    assert!(matches!(folder, Err(DataError::Unreadable { .. })));
    let options = LoadOptions { tick_exponent: 1, ..LoadOptions::default() };
    let refused = read_minutes("m.csv", HEADER.as_bytes(), &options);
    assert!(refused.is_err_and(|e| e.to_string() == "load option tick_exponent is 1; accepted is -9 to 0"));
}

#[test]
fn ties_go_to_even_and_gaps_are_listed() -> Result<(), DataError> {
    let rows = "1609460068000000,0.125,0.124,0,0\n1609460268000000,0.124,0.123,0,0.003\n";
    let minutes = read_minutes("m.csv", format!("{HEADER}{rows}").as_bytes(), &LoadOptions::default())?;
    assert_eq!(minutes.mid, [124, 124]);
    assert_eq!((minutes.bid[1], minutes.ask[1], minutes.short[1]), (123, 124, 3));
    assert_eq!(minutes.gaps, [Gap { row: 1, time_ms: 1_609_460_268_000, length_ms: 200_000 }]);
    assert_eq!(minutes.notes.near_ties, 2);
    assert_eq!((minutes.first_at(1_609_460_068_000), minutes.first_at(1_609_460_068_001)), (0, 1));
    Ok(())
}
