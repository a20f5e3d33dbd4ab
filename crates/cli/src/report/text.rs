//! Text that goes into the page: escaping, numbers, exact decimal sums, dates. Everything is a pure function
//! of its argument and independent of locale, so the same data gives the same bytes.

/// Escapes text for HTML, inside elements and inside double- or single-quoted attributes.
pub(super) fn esc(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

/// What stands where there is no number.
pub(super) const NONE: &str = "–";

/// `value` with `digits` decimals, thousands separated; a dash where it is not finite.
pub(crate) fn fixed(value: f64, digits: usize) -> String {
    if value.is_finite() { group(&format!("{value:.digits$}")) } else { NONE.to_owned() }
}

/// Like [`fixed`], for a value that may be missing.
pub(super) fn fixed_or_none(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| NONE.to_owned(), |v| fixed(v, digits))
}

/// A fraction of one as a percentage with `digits` decimals; it does not break before the sign.
pub(crate) fn percent(share: f64, digits: usize) -> String {
    if share.is_finite() { format!("{}\u{a0}%", fixed(share * 100.0, digits)) } else { NONE.to_owned() }
}

/// A short form for axes: three significant places and k, M or B.
pub(crate) fn compact(value: f64) -> String {
    if !value.is_finite() {
        return NONE.to_owned();
    }
    let (scaled, suffix) = match value.abs() {
        a if a >= 999.5e6 => (value / 1e9, "B"),
        a if a >= 999.5e3 => (value / 1e6, "M"),
        a if a >= 10_000.0 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = match scaled.abs() {
        a if a >= 100.0 => 0,
        a if a >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{scaled:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{}{suffix}", group(text))
}

/// Puts commas into the whole part of a decimal string; `-0.00` loses its sign. Anything else is returned as
/// it is.
pub(crate) fn group(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |rest| ("-", rest));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(w, f)| (w, Some(f)));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !fraction.is_none_or(all_digits) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len() + whole.len() / 3);
    if digits.bytes().any(|b| (b'1'..=b'9').contains(&b)) {
        out.push_str(sign);
    }
    for (i, c) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    if let Some(fraction) = fraction {
        out.push('.');
        out.push_str(fraction);
    }
    out
}

/// An exact decimal as the value to plot; `None` where it is not a number.
pub(super) fn to_f64(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|v| v.is_finite())
}

/// Money in a table of whole units: rounded to the nearest, thousands separated. Text that is no number stays
/// as it is.
pub(crate) fn whole(text: &str) -> String {
    if text.is_empty() {
        return NONE.to_owned();
    }
    to_f64(text).map_or_else(|| text.to_owned(), |v| fixed(v, 0))
}

/// An exact decimal, so that the page can check its own sums. Value = `units` x 10^-`scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Exact {
    units: i128,
    scale: u32,
}

impl Exact {
    /// Reads `-12.50`; an empty string is zero. `None` for anything else or beyond 38 digits.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let mut units = 0_i128;
        for byte in whole.bytes().chain(fraction.bytes()) {
            let digit = byte.is_ascii_digit().then(|| i128::from(byte - b'0'))?;
            units = units.checked_mul(10)?.checked_add(digit)?;
        }
        let scale = u32::try_from(fraction.len()).ok()?;
        Some(Self { units: if negative { -units } else { units }, scale })
    }

    fn at_scale(self, scale: u32) -> Option<i128> {
        self.units.checked_mul(10_i128.checked_pow(scale.checked_sub(self.scale)?)?)
    }

    /// The exact sum, at the finer scale of the two; `None` beyond 38 digits.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let scale = self.scale.max(other.scale);
        Some(Self { units: self.at_scale(scale)?.checked_add(other.at_scale(scale)?)?, scale })
    }

    /// The exact difference, likewise.
    pub(super) fn minus(self, other: Self) -> Option<Self> {
        self.plus(Self { units: other.units.checked_neg()?, scale: other.scale })
    }

    /// The same with at least so many decimals, so that a table's numbers line up; as it is beyond 38 digits.
    pub(super) fn with_decimals(self, places: u32) -> Self {
        self.at_scale(places).map_or(self, |units| Self { units, scale: places })
    }

    /// How many decimals it has.
    pub(super) const fn decimals(self) -> u32 {
        self.scale
    }

    /// Whether the value is zero at any scale.
    pub(super) fn is_zero(self) -> bool {
        self.units == 0
    }

    /// The value as a decimal string with all its decimals.
    pub(super) fn text(self) -> String {
        let sign = if self.units < 0 { "-" } else { "" };
        let places = self.scale as usize;
        let digits = format!("{:0>width$}", self.units.unsigned_abs(), width = places + 1);
        let (whole, fraction) = digits.split_at(digits.len() - places);
        if places == 0 { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
    }
}

/// Exact sum of decimal strings; `None` if one of them is no number.
pub(super) fn sum<'a>(texts: impl IntoIterator<Item = &'a str>) -> Option<Exact> {
    texts.into_iter().try_fold(Exact::default(), |total, text| total.plus(Exact::parse(text)?))
}

/// Seconds of a day.
pub(super) const DAY: i64 = 86_400;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Year, month (1 to 12) and day of a Unix time: the proleptic Gregorian calendar, by Hinnant's
/// `civil_from_days`.
fn civil(unix: i64) -> (i64, i64, i64) {
    let shifted = unix.div_euclid(DAY) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_index = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_index + 2) / 5 + 1;
    let month = if month_index < 10 { month_index + 3 } else { month_index - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

fn month_name(month: i64) -> &'static str {
    usize::try_from(month - 1).ok().and_then(|i| MONTHS.get(i)).copied().unwrap_or("?")
}

/// `11 Jan`.
pub(crate) fn day_month(unix: i64) -> String {
    let (_, month, day) = civil(unix);
    format!("{day} {}", month_name(month))
}

/// `14:05`, UTC.
pub(super) fn clock(unix: i64) -> String {
    let second = unix.rem_euclid(DAY);
    format!("{:02}:{:02}", second / 3_600, second % 3_600 / 60)
}

/// `11 Jan 2021 14:05`, UTC.
pub(crate) fn date_time(unix: i64) -> String {
    format!("{} {} {}", day_month(unix), civil(unix).0, clock(unix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped() {
        assert_eq!(esc(r#"<a href="x" b='y'>&"#), "&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;");
    }

    #[test]
    fn numbers_read_well() {
        let cases = [
            (fixed(1_234_567.891, 1), "1,234,567.9"),
            (fixed(-0.001, 2), "0.00"),
            (fixed(-1_000.0, 0), "-1,000"),
            (fixed(f64::NAN, 2), NONE),
            (percent(0.9656, 1), "96.6\u{a0}%"),
            (compact(1_250_000.0), "1.25M"),
            (compact(40_000.0), "40k"),
            (compact(1_200.0), "1,200"),
            (compact(0.25), "0.25"),
            (compact(-3e9), "-3B"),
            (compact(0.0), "0"),
            (group("123456.000001"), "123,456.000001"),
            (group("n/a"), "n/a"),
            (whole("999999.5"), "1,000,000"),
            (whole(""), NONE),
        ];
        for (got, want) in cases {
            assert_eq!(got, want);
        }
    }

    #[test]
    fn sums_are_exact() {
        let cases = [
            (vec!["0.1", "0.2", "-0.3"], Some("0.0")),
            (vec!["9007199254740993", "0.000001"], Some("9007199254740993.000001")),
            (vec!["-0.05", ""], Some("-0.05")),
            (vec!["1", "x"], None),
            (vec!["1.2.3"], None),
        ];
        for (texts, want) in cases {
            assert_eq!(sum(texts.iter().copied()).map(Exact::text).as_deref(), want, "{texts:?}");
        }
    }

    #[test]
    fn dates_follow_the_calendar() {
        let cases = [
            (0, "1 Jan 1970 00:00"),
            (1_610_373_900, "11 Jan 2021 14:05"),
            (951_782_400, "29 Feb 2000 00:00"),
            (-1, "31 Dec 1969 23:59"),
        ];
        for (unix, want) in cases {
            assert_eq!(date_time(unix), want);
        }
    }
}
