//! Recorded minutes from a CSV file: prices to integer ticks, liquidated quantities to integer lots, by one stated rule.
//!
//! The rule, for data only and never for config: a cell is read as a binary double and rounded to the nearest step, ties to
//! even. A quantity must lie within [`LoadOptions::max_noise_lots`] of a whole lot (what exporters leave behind when they
//! add doubles); a price may lie anywhere between two ticks, because recorded prices are means of many quotes. Everything
//! else that is odd about a file is refused with its place, its value and what would be accepted.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

/// The largest number of ticks or lots that a cell may stand for. With it, every product of lots, ticks and a rate in
/// parts per billion stays inside `i128`.
pub const UNITS_MAX: i64 = 100_000_000_000;

/// Why a file of minutes was refused. Each message names the file, the place, the value and what would be accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// The file is absent or cannot be read.
    #[error("{file}: {source}; accepted is a readable CSV file")]
    Unreadable {
        /// The file.
        file: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// More bytes than the bound.
    #[error("{file}: longer than {max_bytes} bytes; accepted are at most {max_bytes} bytes")]
    TooLarge {
        /// The file.
        file: String,
        /// The bound.
        max_bytes: u64,
    },
    /// No row below the header, or no header.
    #[error("{file}, line {line}: no row of data; accepted is a header and at least one row")]
    Empty {
        /// The file.
        file: String,
        /// The line at which the file ended.
        line: usize,
    },
    /// A line that is not UTF-8 text.
    #[error("{file}, line {line}: not UTF-8 text; accepted are plain decimal numbers separated by commas")]
    NotText {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
    },
    /// The header lacks a column, or names it twice.
    #[error(
        "{file}, line 1: column `{column}` is there {count} times; accepted is exactly once, in: {found}"
    )]
    Column {
        /// The file.
        file: String,
        /// The column that was looked for.
        column: String,
        /// How often the header names it.
        count: usize,
        /// The header as found.
        found: String,
    },
    /// A row with more or fewer fields than the header.
    #[error("{file}, line {line}: {found} fields; accepted are {expected}, as in the header")]
    Fields {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// Fields in the row.
        found: usize,
        /// Fields in the header.
        expected: usize,
    },
    /// A cell whose value has no meaning here.
    #[error("{file}, line {line}, column `{column}`: `{value}`; accepted is {accepted}")]
    Cell {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// The column's name.
        column: String,
        /// The cell as it stands.
        value: String,
        /// What would be accepted.
        accepted: String,
    },
    /// An option outside its range.
    #[error("load option {field} is {value}; accepted is {accepted}")]
    Option {
        /// Which option.
        field: &'static str,
        /// What it was.
        value: String,
        /// What would be accepted.
        accepted: &'static str,
    },
}

/// The unit of the time column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeUnit {
    /// 1e-6 s since 1970-01-01 UTC.
    Micros,
    /// 1e-3 s since 1970-01-01 UTC.
    Millis,
    /// Seconds since 1970-01-01 UTC.
    Seconds,
}

/// The names of the columns that are read; others are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Columns {
    /// Time of the row.
    pub time: String,
    /// Best ask.
    pub ask: String,
    /// Best bid.
    pub bid: String,
    /// Quantity of long positions liquidated in the minute.
    pub long: String,
    /// Quantity of short positions liquidated in the minute.
    pub short: String,
}

/// How a file is read. The default fits the minutes of January 2021 that this project ships.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadOptions {
    /// Which columns.
    pub columns: Columns,
    /// Unit of the time column.
    pub time_unit: TimeUnit,
    /// A tick is 10 to this power of the price unit; -9 to 0.
    pub tick_exponent: i32,
    /// A lot is 10 to this power of the quantity unit; -9 to 0.
    pub lot_exponent: i32,
    /// The longest time between two rows, in milliseconds; a longer one is refused.
    pub max_gap_ms: u64,
    /// From which length on an accepted gap is listed, in milliseconds.
    pub list_gap_ms: u64,
    /// How far from a whole number of lots a quantity may lie, in lots; 0 to 0.01.
    pub max_noise_lots: f64,
    /// The longest file that is read, in bytes.
    pub max_bytes: u64,
}

impl Default for LoadOptions {
    fn default() -> Self {
        let columns = Columns {
            time: "timestamp_x".into(),
            ask: "ask_price".into(),
            bid: "bid_price".into(),
            long: "binance-futures_ethusdt_liquidation_long".into(),
            short: "binance-futures_ethusdt_liquidation_short".into(),
        };
        Self {
            columns,
            time_unit: TimeUnit::Micros,
            tick_exponent: -3,
            lot_exponent: -3,
            max_gap_ms: 300_000,
            list_gap_ms: 90_000,
            max_noise_lots: 1e-6,
            max_bytes: 64 << 20,
        }
    }
}

/// A time between two rows that is long enough to be listed and short enough to be accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Index of the row after the gap.
    pub row: usize,
    /// Time of the row after the gap, in milliseconds since 1970.
    pub time_ms: u64,
    /// Length in milliseconds.
    pub length_ms: u64,
}

/// What was rounded on the way in.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Notes {
    /// Quantities that were not exactly a whole number of lots as doubles.
    pub noisy_quantities: usize,
    /// The largest distance of a quantity from a whole lot, in lots.
    pub noise_max_lots: f64,
    /// Mid prices within 1e-6 of half a tick, where the rule for ties decides.
    pub near_ties: usize,
}

/// Minutes as columns of equal length, one entry per row of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Minutes {
    /// Time of the row in milliseconds since 1970, strictly rising; fractions are dropped.
    pub time_ms: Vec<u64>,
    /// Mean of bid and ask in ticks, rounded once from the mean itself, ties to even; positive.
    pub mid: Vec<i64>,
    /// Best bid in ticks.
    pub bid: Vec<i64>,
    /// Best ask in ticks, at least the bid.
    pub ask: Vec<i64>,
    /// Long positions liquidated in the minute, in lots.
    pub long: Vec<i64>,
    /// Short positions liquidated in the minute, in lots.
    pub short: Vec<i64>,
    /// Gaps that were accepted and are worth a line in a report.
    pub gaps: Vec<Gap>,
    /// What was rounded.
    pub notes: Notes,
}

impl Minutes {
    /// Number of rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.mid.len()
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.mid.is_empty()
    }

    /// The first row at or after a time in milliseconds; the number of rows when there is none.
    #[must_use]
    pub fn first_at(&self, time_ms: u64) -> usize {
        self.time_ms.partition_point(|&t| t < time_ms)
    }
}

/// Reads minutes, line by line.
///
/// # Errors
/// Anything that [`DataError`] names: the first oddity ends the load.
///
/// ```no_run
/// use cofferdam_market_sim::data::{LoadOptions, load_minutes};
/// let minutes = load_minutes("minutes.csv".as_ref(), &LoadOptions::default())?;
/// println!("{} rows, {} gaps", minutes.len(), minutes.gaps.len());
/// # Ok::<(), cofferdam_market_sim::data::DataError>(())
/// ```
pub fn load_minutes(path: &Path, options: &LoadOptions) -> Result<Minutes, DataError> {
    let name = path.display().to_string();
    let unreadable = |source| DataError::Unreadable { file: name.clone(), source };
    let file = File::open(path).map_err(unreadable)?;
    if file.metadata().map_err(unreadable)?.len() > options.max_bytes {
        return Err(DataError::TooLarge { file: name, max_bytes: options.max_bytes });
    }
    read_minutes(&name, BufReader::new(file), options)
}

/// Reads minutes from any source of lines; `name` stands for the file in messages.
///
/// # Errors
/// As [`load_minutes`].
pub fn read_minutes(name: &str, source: impl BufRead, options: &LoadOptions) -> Result<Minutes, DataError> {
    check_options(options)?;
    let mut lines = Lines::new(name, source, options.max_bytes);
    let Some((_, header)) = lines.next_line()? else {
        return Err(DataError::Empty { file: name.into(), line: 1 });
    };
    let layout = Layout::new(name, header, options)?;
    let mut minutes = Minutes::default();
    while let Some((line, text)) = lines.next_line()? {
        let fields: Vec<&str> = text.split(',').collect();
        if fields.len() != layout.width {
            let (found, expected) = (fields.len(), layout.width);
            return Err(DataError::Fields { file: name.into(), line, found, expected });
        }
        Row { file: name, line, fields: &fields, layout: &layout, options }.append(&mut minutes)?;
    }
    if minutes.is_empty() {
        return Err(DataError::Empty { file: name.into(), line: lines.line });
    }
    Ok(minutes)
}

fn check_options(options: &LoadOptions) -> Result<(), DataError> {
    for (field, value) in [("tick_exponent", options.tick_exponent), ("lot_exponent", options.lot_exponent)] {
        if !(-9..=0).contains(&value) {
            return Err(DataError::Option { field, value: value.to_string(), accepted: "-9 to 0" });
        }
    }
    if !(0.0..=0.01).contains(&options.max_noise_lots) {
        let value = options.max_noise_lots.to_string();
        return Err(DataError::Option { field: "max_noise_lots", value, accepted: "0 to 0.01" });
    }
    Ok(())
}

/// Lines of a bounded source; the buffer is used again for each.
struct Lines<'a, R> {
    file: &'a str,
    source: std::io::Take<R>,
    max_bytes: u64,
    buffer: Vec<u8>,
    line: usize,
}

impl<'a, R: BufRead> Lines<'a, R> {
    fn new(file: &'a str, source: R, max_bytes: u64) -> Self {
        // One byte beyond the bound tells a file that ends there from one that goes on.
        let source = source.take(max_bytes.saturating_add(1));
        Self { file, source, max_bytes, buffer: Vec::new(), line: 0 }
    }

    /// The next line with its number, without its end.
    fn next_line(&mut self) -> Result<Option<(usize, &str)>, DataError> {
        let file = || self.file.to_owned();
        self.buffer.clear();
        self.line += 1;
        let read = self.source.read_until(b'\n', &mut self.buffer);
        if read.map_err(|source| DataError::Unreadable { file: file(), source })? == 0 {
            return Ok(None);
        }
        if self.source.limit() == 0 {
            return Err(DataError::TooLarge { file: file(), max_bytes: self.max_bytes });
        }
        match std::str::from_utf8(&self.buffer) {
            Ok(text) => Ok(Some((self.line, text.trim_end_matches(['\n', '\r'])))),
            Err(_) => Err(DataError::NotText { file: file(), line: self.line }),
        }
    }
}

/// Where each column stands in a row.
struct Layout {
    width: usize,
    time: usize,
    ask: usize,
    bid: usize,
    long: usize,
    short: usize,
}

impl Layout {
    fn new(file: &str, header: &str, options: &LoadOptions) -> Result<Self, DataError> {
        let names: Vec<&str> = header.split(',').map(str::trim).collect();
        let place = |column: &str| {
            let count = names.iter().filter(|&&name| name == column).count();
            match names.iter().position(|&name| name == column) {
                Some(place) if count == 1 => Ok(place),
                _ => {
                    let (column, found) = (column.to_owned(), header.to_owned());
                    Err(DataError::Column { file: file.to_owned(), column, count, found })
                }
            }
        };
        let Columns { time, ask, bid, long, short } = &options.columns;
        Ok(Self {
            width: names.len(),
            time: place(time)?,
            ask: place(ask)?,
            bid: place(bid)?,
            long: place(long)?,
            short: place(short)?,
        })
    }
}

/// One row with everything a message about it needs.
struct Row<'a> {
    file: &'a str,
    line: usize,
    fields: &'a [&'a str],
    layout: &'a Layout,
    options: &'a LoadOptions,
}

impl Row<'_> {
    fn append(&self, minutes: &mut Minutes) -> Result<(), DataError> {
        let time_ms = self.time(minutes.time_ms.last().copied())?;
        if let Some(&before) = minutes.time_ms.last() {
            let length_ms = time_ms - before;
            if length_ms >= self.options.list_gap_ms {
                minutes.gaps.push(Gap { row: minutes.len(), time_ms, length_ms });
            }
        }
        let columns = &self.options.columns;
        let (ask, ask_ticks) = self.price(self.layout.ask, &columns.ask)?;
        let (bid, bid_ticks) = self.price(self.layout.bid, &columns.bid)?;
        if ask < bid {
            let accepted = format!("at least the bid of the row, {bid}");
            return Err(self.refuse(self.layout.ask, &columns.ask, accepted));
        }
        let mid = (ask + bid) / 2.0 * per_unit(self.options.tick_exponent);
        if (mid - mid.floor() - 0.5).abs() < 1e-6 {
            minutes.notes.near_ties += 1;
        }
        let long = self.lots(self.layout.long, &columns.long, &mut minutes.notes)?;
        let short = self.lots(self.layout.short, &columns.short, &mut minutes.notes)?;
        minutes.time_ms.push(time_ms);
        minutes.mid.push(mid.round_ties_even() as i64);
        minutes.bid.push(bid_ticks);
        minutes.ask.push(ask_ticks);
        minutes.long.push(long);
        minutes.short.push(short);
        Ok(())
    }

    fn time(&self, before: Option<u64>) -> Result<u64, DataError> {
        let (at, column) = (self.layout.time, &self.options.columns.time);
        let value = self.number(at, column)?;
        let ms = match self.options.time_unit {
            TimeUnit::Micros => value / 1e3,
            TimeUnit::Millis => value,
            TimeUnit::Seconds => value * 1e3,
        };
        // 4e12 ms is the year 2096: a wrong unit shows up here.
        if !(0.0..4e12).contains(&ms) {
            return Err(self.refuse(
                at,
                column,
                "a time between the years 1970 and 2096 in the stated unit".into(),
            ));
        }
        let ms = ms as u64; // drops the fraction; inside the range just checked
        if let Some(before) = before {
            if ms <= before {
                return Err(self.refuse(at, column, format!("a time after the row before, {before} ms")));
            }
            if ms - before > self.options.max_gap_ms {
                let (max, gap) = (self.options.max_gap_ms, ms - before);
                let accepted = format!("at most {max} ms after the row before; this is {gap} ms after it");
                return Err(self.refuse(at, column, accepted));
            }
        }
        Ok(ms)
    }

    /// A price and its ticks.
    fn price(&self, at: usize, column: &str) -> Result<(f64, i64), DataError> {
        let value = self.number(at, column)?;
        let ticks = (value * per_unit(self.options.tick_exponent)).round_ties_even();
        if !(1.0..=UNITS_MAX as f64).contains(&ticks) {
            let exponent = self.options.tick_exponent;
            return Err(self.refuse(
                at,
                column,
                format!("a price of 1 to {UNITS_MAX} ticks of 1e{exponent}"),
            ));
        }
        Ok((value, ticks as i64))
    }

    fn lots(&self, at: usize, column: &str, notes: &mut Notes) -> Result<i64, DataError> {
        let exact = self.number(at, column)? * per_unit(self.options.lot_exponent);
        let lots = exact.round_ties_even();
        let (exponent, allowed) = (self.options.lot_exponent, self.options.max_noise_lots);
        if !(0.0..=UNITS_MAX as f64).contains(&exact) {
            return Err(self.refuse(
                at,
                column,
                format!("a quantity of 0 to {UNITS_MAX} lots of 1e{exponent}"),
            ));
        }
        let noise = (exact - lots).abs();
        if noise > allowed {
            let accepted = format!("a multiple of 1e{exponent}, within {allowed} of a lot");
            return Err(self.refuse(at, column, accepted));
        }
        if noise > 0.0 {
            notes.noisy_quantities += 1;
            notes.noise_max_lots = notes.noise_max_lots.max(noise);
        }
        Ok(lots as i64)
    }

    fn number(&self, at: usize, column: &str) -> Result<f64, DataError> {
        match self.fields[at].parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(self.refuse(at, column, "a finite decimal number".into())),
        }
    }

    fn refuse(&self, at: usize, column: &str, accepted: String) -> DataError {
        // A cell may be as long as the file; a message may not.
        let value = self.fields[at].chars().take(60).collect();
        let (file, column) = (self.file.to_owned(), column.to_owned());
        DataError::Cell { file, line: self.line, column, value, accepted }
    }
}

/// Steps per unit, 10^-exponent: exact in a double for the accepted exponents.
fn per_unit(exponent: i32) -> f64 {
    10_i64.pow(exponent.unsigned_abs()) as f64
}

#[cfg(test)]
#[path = "data_tests.rs"]
mod tests;
