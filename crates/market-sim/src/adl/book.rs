//! A book of winners on which policies can be compared: drawn from stated terms, or read from a table of real users; and the winners that
//! such a table cannot contain.

use super::metrics::tail_index;
use super::night::{NightError, rows};
use crate::implied::{Side, Stream, normal_quantile};
use serde::Deserialize;
use std::path::Path;

/// A winner before anything is taken, in USD.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Holder {
    /// Gain, above zero.
    pub gain: f64,
    /// Equity, its gain included; can be below zero.
    pub equity: f64,
    /// Notional at the mark, above zero.
    pub notional: f64,
}

impl Holder {
    /// Notional over equity; infinite without equity.
    #[must_use]
    pub fn leverage(&self) -> f64 {
        if self.equity > 0.0 { self.notional / self.equity } else { f64::INFINITY }
    }
}

/// A quantity as a multiple of a winner's gain, lognormal.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Multiple {
    /// Half of the winners have less.
    pub median: f64,
    /// Standard deviation of its logarithm.
    pub log_sd: f64,
}

impl Multiple {
    fn at(self, uniform: f64) -> f64 {
        self.median * libm::exp(self.log_sd * normal_quantile(uniform))
    }
}

/// From what a book is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// How many winners.
    pub winners: u32,
    /// What they gained together, USD.
    pub gains: f64,
    /// Index of the Pareto distribution of their gains.
    pub tail_index: f64,
    /// Equity of each.
    pub equity: Multiple,
    /// Notional of each.
    pub notional: Multiple,
}

/// Winners, of whom the queue of the night had reached the first so many.
#[derive(Clone, Debug, PartialEq)]
pub struct Book {
    /// The reached, and after them the others.
    pub holders: Vec<Holder>,
    /// How many were reached.
    pub reached: usize,
    /// Rows of the table that are not in the book, having gained nothing.
    pub left_out: usize,
}

const GAINS: u64 = 71;
const RATIOS: u64 = 72;
const UNREACHED: u64 = 73;

/// One in so many winners is the tail from which its index is measured.
const TAIL: usize = 40;

#[derive(Debug, Deserialize)]
struct UserRow {
    adl_notional: f64,
    closed_pnl: f64,
    account_value_realtime: f64,
}

impl Book {
    /// Draws a book. Gains lie one in each of as many equal parts of the Pareto distribution as there are winners, so that its tail is in
    /// every book; equity and notional are independent of gains and of each other.
    ///
    /// ```
    /// use cofferdam_market_sim::adl::{Book, Multiple, Terms, metrics::tail_index};
    /// let one = Multiple { median: 2.0, log_sd: 1.0 };
    /// let terms = Terms { winners: 4_000, gains: 1e6, tail_index: 0.8, equity: one, notional: one };
    /// let book = Book::draw(&terms, 1);
    /// let gains: Vec<f64> = book.holders.iter().map(|h| h.gain).collect();
    /// assert!((tail_index(&gains, 400).unwrap() - 0.8).abs() < 0.05);
    /// assert_eq!(book, Book::draw(&terms, 1));
    /// assert_ne!(book, Book::draw(&terms, 2));
    /// ```
    #[must_use]
    pub fn draw(terms: &Terms, seed: u64) -> Self {
        let n = f64::from(terms.winners);
        let mut sizes = Stream::new(seed, GAINS, 0, Side::Short);
        let mut ratios = Stream::new(seed, RATIOS, 0, Side::Short);
        let above = |i: u32, u: f64| libm::pow((f64::from(i) + u) / n, -1.0 / terms.tail_index);
        let raw: Vec<f64> = (0..terms.winners).map(|i| above(i, sizes.uniform())).collect();
        let scale = terms.gains / raw.iter().sum::<f64>();
        let one = |raw: f64| {
            let gain = raw * scale;
            let (equity, notional) = (terms.equity.at(ratios.uniform()), terms.notional.at(ratios.uniform()));
            Holder { gain, equity: gain * equity, notional: gain * notional }
        };
        let holders: Vec<Holder> = raw.into_iter().map(one).collect();
        Self { reached: holders.len(), holders, left_out: 0 }
    }

    /// Reads a table of users with the columns `adl_notional`, `closed_pnl` and `account_value_realtime` (cash). Gain is what closing
    /// realised, equity is cash and that gain: what an account still held elsewhere is not in the table. Users without a gain are left
    /// out.
    ///
    /// # Errors
    ///
    /// A file that is absent or not of this shape, a number that is not finite, nobody with a gain.
    pub fn read(file: &Path) -> Result<Self, NightError> {
        let rows: Vec<UserRow> = rows(file)?;
        let name = || file.display().to_string();
        for (i, r) in rows.iter().enumerate() {
            for (column, value) in [
                ("adl_notional", r.adl_notional),
                ("closed_pnl", r.closed_pnl),
                ("account_value_realtime", r.account_value_realtime),
            ] {
                if !value.is_finite() {
                    return Err(NightError::NotFinite { file: name(), row: i + 1, column, value });
                }
            }
        }
        let all = rows.len();
        let holder = |r: UserRow| Holder {
            gain: r.closed_pnl,
            equity: r.account_value_realtime + r.closed_pnl,
            notional: r.adl_notional,
        };
        let holders: Vec<Holder> =
            rows.into_iter().filter(|r| r.closed_pnl > 0.0 && r.adl_notional > 0.0).map(holder).collect();
        if holders.is_empty() {
            let (what, accepted) =
                ("nobody gained".into(), "a user with closed_pnl and adl_notional above 0");
            return Err(NightError::File { file: name(), what, accepted });
        }
        Ok(Self { reached: holders.len(), left_out: all - holders.len(), holders })
    }

    /// Hill's index of the gains of those reached, from the largest in [`Self::tail`]; `None` for a book too small or without spread.
    #[must_use]
    pub fn tail_index(&self) -> Option<f64> {
        let gains: Vec<f64> = self.holders.iter().take(self.reached).map(|h| h.gain).collect();
        tail_index(&gains, self.tail())
    }

    /// How many of the reached are the tail from which [`Self::tail_index`] is measured: the largest in forty.
    #[must_use]
    pub fn tail(&self) -> usize {
        self.reached / TAIL
    }

    /// With so many times as many winners whom the queue did not reach. Gains: below the tail like those of the reached, in the tail
    /// Pareto with the measured index. Each stands behind one of the reached, drawn at random: with its notional per gain, and a part of
    /// its leverage that is uniform between nothing and all, so its place in a queue by return and leverage is a lower one. A
    /// book without a measurable tail has no other winners than its own gains.
    #[must_use]
    pub fn with_unreached(&self, times: u32, seed: u64) -> Self {
        let own = self.holders.get(..self.reached).unwrap_or_default();
        let hosts: Vec<&Holder> = own.iter().filter(|h| h.equity > 0.0).collect();
        let mut gains: Vec<f64> = own.iter().map(|h| h.gain).collect();
        gains.sort_by(|a, b| b.total_cmp(a));
        let alpha = self.tail_index();
        let (k, n) = (self.tail() as f64, own.len() as f64);
        let mut stream = Stream::new(seed, UNREACHED, times.into(), Side::Short);
        let mut holders = own.to_vec();
        let pick = |u: f64, count: usize| ((u * count as f64) as usize).min(count.saturating_sub(1));
        for _ in 0..own.len() * times as usize {
            let (u, v, w) = (stream.uniform(), stream.uniform(), stream.uniform());
            let from = pick(u, gains.len());
            let gain = match (alpha, gains.get(self.tail())) {
                (Some(alpha), Some(threshold)) if u * n < k => threshold * libm::pow(u * n / k, -1.0 / alpha),
                _ => gains.get(from).copied().unwrap_or_default(),
            };
            let Some(host) = hosts.get(pick(v, hosts.len())) else { continue };
            let notional = gain * host.notional / host.gain;
            holders.push(Holder { gain, equity: notional / (host.leverage() * w), notional });
        }
        Self { holders, reached: self.reached, left_out: self.left_out }
    }

    /// What all gained.
    #[must_use]
    pub fn gains(&self) -> f64 {
        self.holders.iter().map(|h| h.gain).sum()
    }
}
