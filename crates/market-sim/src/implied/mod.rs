//! A book of accounts implied by what was liquidated.
//!
//! Positions on a venue are not public; the quantity it liquidated in each minute is. Whatever was liquidated in minute t at
//! price p was held by accounts that were healthy at every price before and are liquidatable at p, so each opening minute
//! s < t allows an interval of collateral, and with it of leverage. A [`Prior`] over leverage, age and size says how likely
//! each is; a seeded draw from the posterior gives one book that is consistent with every recorded minute.
//!
//! - real: prices, and the quantity liquidated per minute and side ([`crate::data::Minutes`])
//! - implied: that some account of the margin schedule could have been liquidated then ([`share_curve`], no draw needed)
//! - assumed: the [`Prior`], the schedule, one account per position, full close in its own minute
//!
//! What was not liquidated comes from the same prior at a fitted opening rate ([`Expectation::fit`], [`draw_survivors`])
//! and from a stated quantity at low leverage ([`low_leverage`]). Money is integer here as everywhere: collateral lies in an
//! exact interval ([`Schedule::collateral_range`]), and [`verify`] replays an opening minute by minute. Floats only weigh
//! what the integers allow, through the `libm` crate, so that one seed gives one book on every machine. Not modelled: wicks
//! inside a minute, cross margin, hedges, partial liquidation, market makers.
//!
//! The unit of value is one lot at one tick (1e-6 USD at lots of 0.001 ETH and ticks of 0.001 USD).
//!
//! ```
//! use cofferdam_market_sim::{data::Minutes, implied::*};
//! // Flat at 1000 USD, then a fall of 5 % in which 12 ETH of longs were liquidated.
//! let mid = vec![1_000_000, 1_000_000, 950_000];
//! let minutes = Minutes {
//!     time_ms: vec![0, 60_000, 120_000], bid: mid.clone(), ask: mid.clone(), mid,
//!     long: vec![0, 0, 12_000], short: vec![0, 0, 0], ..Minutes::default()
//! };
//! let tier = Tier { lower_notional_quanta: 0, maintenance_ppb: 4_000_000, max_leverage: 125 };
//! let schedule = Schedule::new(&[tier])?;
//! let book = draw_implied(&minutes, &schedule, &Prior::default(), 1, 1_440)?;
//! assert_eq!((book.implied.long[2], book.unimplied.long[2]), (12_000, 0));
//! for opening in &book.openings {
//!     verify(opening, &minutes, &schedule)?; // healthy at 1000, liquidatable at 950
//!     assert!(opening.leverage() > 18.0);
//! }
//! # Ok::<(), ImpliedError>(())
//! ```

mod blind;
mod chance;
mod draw;
mod low;
mod map;
mod population;
mod profile;
mod rate;
mod schedule;
mod share;
mod stats;
mod verify;
mod windows;

pub(crate) use blind::by_hour;
pub use blind::{Blind, BlindSide, Fit, blind_validation};
pub use chance::{Stream, normal_cdf, normal_quantile};
pub use draw::{ImpliedBook, Rule, draw_implied};
pub use low::{LowLeverage, low_leverage};
pub use map::{DensityMap, DensityRow, Hour, density_map, hourly};
pub use population::{Forward, Stratum, Survivors, draw_forward, draw_survivors};
pub use profile::{LEVELS, Profile, Profiles, RuleProfiles, compare_rules, profiles};
pub use rate::{Expectation, fit_rate};
pub use schedule::{Schedule, Tier};
pub use share::{PLACEBO_SHIFTS, Reach, SharePoint, Unexplained, share_curve, unexplained};
pub use stats::{Spread, correlation};
pub use verify::{Breach, verify, verify_all};
pub use windows::Windows;

use crate::data::{Minutes, UNITS_MAX};

/// Which way a position faces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// Gains when the price rises.
    Long,
    /// Gains when the price falls.
    Short,
}

impl Side {
    /// Both, in the order in which everything here is reported.
    pub const BOTH: [Self; 2] = [Self::Long, Self::Short];

    /// 1 for long, -1 for short.
    #[must_use]
    pub const fn sign(self) -> i64 {
        match self {
            Self::Long => 1,
            Self::Short => -1,
        }
    }

    /// The price that hurts this side more.
    const fn worse(self, a: i64, b: i64) -> i64 {
        if self.reaches(a, b) { a } else { b }
    }

    /// Whether `price` is at `level` or beyond it, in the direction that hurts this side.
    const fn reaches(self, price: i64, level: i64) -> bool {
        match self {
            Self::Long => price <= level,
            Self::Short => price >= level,
        }
    }
}

/// One value for each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PerSide<T> {
    /// For longs.
    pub long: T,
    /// For shorts.
    pub short: T,
}

impl<T> PerSide<T> {
    /// Computes both, longs first.
    pub fn from_fn(mut f: impl FnMut(Side) -> T) -> Self {
        Self { long: f(Side::Long), short: f(Side::Short) }
    }

    /// The value of one side.
    #[must_use]
    pub const fn get(&self, side: Side) -> &T {
        match side {
            Side::Long => &self.long,
            Side::Short => &self.short,
        }
    }

    /// The value of one side, to change.
    pub const fn get_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Long => &mut self.long,
            Side::Short => &mut self.short,
        }
    }
}

/// What is assumed about accounts before any liquidation is looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    /// Median of the lognormal leverage at opening, before the schedule's cap; 1 to 1000.
    pub median_leverage: f64,
    /// Standard deviation of the logarithm of leverage; 0.01 to 10.
    pub sigma: f64,
    /// Mean life of a position in minutes (rows), exponential; 1 to 1e6.
    pub tau_minutes: f64,
    /// Exponent of the Pareto sizes; 1.01 to 10.
    pub size_alpha: f64,
    /// Smallest size in lots; a rest below it is added to the account before it. At least 1.
    pub size_min_lots: i64,
    /// Largest size in lots; above the smallest.
    pub size_max_lots: i64,
}

impl Default for Prior {
    /// Median 7x, sigma 1, four hours, Pareto 1.2 from 5 to 3,000 ETH in lots of 0.001 ETH: an assumption, not a finding.
    fn default() -> Self {
        Self {
            median_leverage: 7.0,
            sigma: 1.0,
            tau_minutes: 240.0,
            size_alpha: 1.2,
            size_min_lots: 5_000,
            size_max_lots: 3_000_000,
        }
    }
}

impl Prior {
    /// Refuses parameters outside their ranges.
    ///
    /// # Errors
    /// [`ImpliedError::Parameter`] with the first that is out of range.
    pub fn check(&self) -> Result<(), ImpliedError> {
        for (field, value, low, high, accepted) in [
            ("prior.median_leverage", self.median_leverage, 1.0, 1e3, "1 to 1000"),
            ("prior.sigma", self.sigma, 0.01, 10.0, "0.01 to 10"),
            ("prior.tau_minutes", self.tau_minutes, 1.0, 1e6, "1 to 1000000"),
            ("prior.size_alpha", self.size_alpha, 1.01, 10.0, "1.01 to 10"),
        ] {
            if !(low..=high).contains(&value) {
                return Err(ImpliedError::Parameter { field, value: value.to_string(), accepted });
            }
        }
        let sizes =
            [("prior.size_min_lots", self.size_min_lots), ("prior.size_max_lots", self.size_max_lots)];
        for (field, value) in sizes {
            if !(1..=UNITS_MAX).contains(&value) {
                let accepted = "1 to 100000000000 lots";
                return Err(ImpliedError::Parameter { field, value: value.to_string(), accepted });
            }
        }
        if self.size_max_lots <= self.size_min_lots {
            let value = self.size_max_lots.to_string();
            let accepted = "a size above prior.size_min_lots";
            return Err(ImpliedError::Parameter { field: "prior.size_max_lots", value, accepted });
        }
        Ok(())
    }
}

/// How an opening ends in the recorded minutes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    /// Liquidatable for the first time in this minute, and liquidated in full.
    Liquidated {
        /// Index of the row.
        minute: usize,
    },
    /// Closed by its holder at the start of this minute, never liquidatable before.
    Closed {
        /// Index of the row.
        minute: usize,
    },
    /// Still open, and healthy, at the last row.
    Held,
}

/// Where an opening comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Implied by a recorded liquidation.
    Implied,
    /// A draw from the prior at the fitted rate.
    Drawn,
    /// As [`Class::Drawn`], thinned: it stands for several, and `stratum` counts the bands of distance from the nearest.
    Survivor {
        /// Index into the strata of the thinning.
        stratum: u8,
    },
    /// Assumed: low leverage, renewed every day.
    LowLeverage,
}

/// One account with one position, from opening to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Opening {
    /// Which way it faces.
    pub side: Side,
    /// Index of the row in which it was opened, at that row's mid.
    pub opened: usize,
    /// Size in lots; positive on both sides.
    pub lots: i64,
    /// Entry price in ticks: the mid of the row `opened`.
    pub entry: i64,
    /// Collateral posted, in quanta of one lot at one tick.
    pub collateral: i128,
    /// How it ends.
    pub end: End,
    /// Where it comes from.
    pub class: Class,
}

impl Opening {
    /// Notional at entry over collateral; for reports only.
    #[must_use]
    pub fn leverage(&self) -> f64 {
        (i128::from(self.lots) * i128::from(self.entry)) as f64 / self.collateral as f64
    }

    /// The minute it is gone from, or `None` while it is held at the last row.
    #[must_use]
    pub const fn gone_at(&self) -> Option<usize> {
        match self.end {
            End::Liquidated { minute } | End::Closed { minute } => Some(minute),
            End::Held => None,
        }
    }
}

/// Why the book cannot be computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ImpliedError {
    /// A parameter outside its range.
    #[error("{field} is {value}; accepted is {accepted}")]
    Parameter {
        /// Which one.
        field: &'static str,
        /// What it was.
        value: String,
        /// What would be accepted.
        accepted: &'static str,
    },
    /// A tier that does not fit the ones before it.
    #[error("tiers[{tier}].{field} is {value}; accepted is {accepted}")]
    Tier {
        /// Index of the tier.
        tier: usize,
        /// Which field.
        field: &'static str,
        /// What it was.
        value: i128,
        /// What would be accepted.
        accepted: &'static str,
    },
    /// Columns of minutes that are no record of a market.
    #[error("minutes.{column}[{row}] is {value}; accepted is {accepted}")]
    Minutes {
        /// Which column.
        column: &'static str,
        /// Which row, or the length where lengths differ.
        row: usize,
        /// What it was.
        value: i64,
        /// What would be accepted.
        accepted: &'static str,
    },
    /// An opening that its own minutes contradict.
    #[error(transparent)]
    Breach(#[from] Breach),
}

/// Liquidated lots per row, of one side.
fn observed(minutes: &Minutes, side: Side) -> &[i64] {
    match side {
        Side::Long => &minutes.long,
        Side::Short => &minutes.short,
    }
}

/// Refuses columns of different lengths and values outside the limits that make the integer arithmetic here exact.
fn check_minutes(minutes: &Minutes) -> Result<(), ImpliedError> {
    let columns = [("mid", &minutes.mid, 1), ("long", &minutes.long, 0), ("short", &minutes.short, 0)];
    let rows = minutes.len();
    for (column, values, least) in columns {
        if values.len() != rows {
            let value = i64::try_from(rows).unwrap_or(i64::MAX);
            let accepted = "the same number of rows in every column";
            return Err(ImpliedError::Minutes { column, row: values.len(), value, accepted });
        }
        if let Some(row) = values.iter().position(|value| !(least..=UNITS_MAX).contains(value)) {
            let accepted = if least == 1 { "1 to 100000000000 ticks" } else { "0 to 100000000000 lots" };
            return Err(ImpliedError::Minutes { column, row, value: values[row], accepted });
        }
    }
    // 4e12 ms is the year 2096: with it, hours can be counted in a vector.
    let late = |pair: &[u64]| pair[0] >= pair[1] || pair[1] >= 4_000_000_000_000;
    if let Some(row) = minutes.time_ms.windows(2).position(late) {
        let value = i64::try_from(minutes.time_ms[row + 1]).unwrap_or(i64::MAX);
        let accepted = "a time after the row before, up to the year 2096";
        return Err(ImpliedError::Minutes { column: "time_ms", row: row + 1, value, accepted });
    }
    if minutes.time_ms.len() != rows || u32::try_from(rows).is_err() || rows == 0 {
        let (row, accepted) = (minutes.time_ms.len(), "1 to 4294967295 rows, as many times as prices");
        return Err(ImpliedError::Minutes { column: "time_ms", row, value: rows as i64, accepted });
    }
    Ok(())
}

/// Refuses a span of rows that is empty or reaches beyond the last.
fn check_span(span: &core::ops::Range<usize>, rows: usize) -> Result<(), ImpliedError> {
    if span.start < span.end && span.end <= rows {
        return Ok(());
    }
    let value = format!("{}..{} of {rows}", span.start, span.end);
    Err(ImpliedError::Parameter {
        field: "span",
        value,
        accepted: "a span of at least one row, inside the rows",
    })
}

#[cfg(test)]
mod tests;
