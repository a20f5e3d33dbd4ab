//! The experiment: all policies on one book, with more and more winners whom the queue did not reach, under several seeds.

use super::book::{Book, Multiple, Terms};
use super::compare::{Comparison, Form, Loss, Outcome, compare};
use super::night::NightError;
use cofferdam_liquidation_strategy::LiquidationError;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The section `[book]` of a study: on what policies are compared.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lab {
    winners: u32,
    gains: f64,
    tail_index: f64,
    equity: Multiple,
    notional: Multiple,
    unreached: Vec<u32>,
    seeds: u32,
    next_move: f64,
    #[serde(default)]
    users: Option<PathBuf>,
}

/// Why policies could not be compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LabError {
    /// The table of users.
    #[error(transparent)]
    Users(#[from] NightError),
    /// A policy, or money beyond the widths of a stack.
    #[error(transparent)]
    Policy(#[from] LiquidationError),
}

/// Where a book is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Drawn from the terms of the study.
    Drawn,
    /// Users of the night.
    Users,
}

/// One book, with more and more unreached winners.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// Where it is from.
    pub source: Source,
    /// Winners that the queue reached.
    pub reached: usize,
    /// Rows of the table that did not gain.
    pub left_out: usize,
    /// Hill's index of their gains (of the first seed) and of how many it was taken.
    pub tail_index: Option<(f64, usize)>,
    /// What was needed.
    pub loss: Loss,
    /// By number of unreached winners.
    pub cases: Vec<Case>,
}

/// A book with a number of unreached winners.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// Unreached winners, as a multiple of the reached.
    pub times: u32,
    /// By seed. One, where no seed makes a difference.
    pub runs: Vec<Comparison>,
}

impl Case {
    /// What a policy did, by seed.
    pub fn outcomes(&self, policy: &str, form: Form) -> impl Iterator<Item = &Outcome> {
        let own = self.runs.iter().flat_map(|r| &r.outcomes);
        own.filter(move |o| o.policy == policy && o.form == form)
    }

    /// The middle of a measure over seeds, the lower one of an even number; `None` for a policy that is not there.
    #[must_use]
    pub fn median(&self, policy: &str, form: Form, of: impl Fn(&Outcome) -> f64) -> Option<f64> {
        middle(self.outcomes(policy, form).map(of).collect())
    }

    /// The middle of a measure of the book itself.
    #[must_use]
    pub fn of_book(&self, of: impl Fn(&Comparison) -> f64) -> Option<f64> {
        middle(self.runs.iter().map(of).collect())
    }
}

fn middle(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

impl Lab {
    /// Says what is wrong with the section: a path, the value there and what would do.
    pub(super) fn check(&self) -> Result<(), (String, &'static str)> {
        let positive = |key: &str, x: f64, most: f64| {
            let fine = x.is_finite() && x > 0.0 && x <= most;
            if fine {
                Ok(())
            } else {
                Err((
                    format!("book.{key}: {x}"),
                    "a finite number above 0, no larger than a market could have",
                ))
            }
        };
        let count = |key: &str, x: u32, most: u32, accepted| {
            if (1..=most).contains(&x) { Ok(()) } else { Err((format!("book.{key}: {x}"), accepted)) }
        };
        count("winners", self.winners, 100_000, "1 to 100000")?;
        count("seeds", self.seeds, 1_000, "1 to 1000")?;
        positive("gains", self.gains, 1e15)?;
        positive("tail_index", self.tail_index, 100.0)?;
        positive("next_move", self.next_move, 10.0)?;
        for (key, m) in [("equity", self.equity), ("notional", self.notional)] {
            positive(&format!("{key}.median"), m.median, 1e6)?;
            positive(&format!("{key}.log_sd"), m.log_sd, 5.0)?;
        }
        let sorted = self.unreached.is_sorted_by(|a, b| a < b) && self.unreached.first() == Some(&0);
        if !sorted || self.unreached.last() > Some(&20) {
            return Err((
                format!("book.unreached: {:?}", self.unreached),
                "multiples from 0 up, each once, 20 at most",
            ));
        }
        Ok(())
    }

    /// The table of users, where the study names one.
    #[must_use]
    pub fn users(&self) -> Option<&Path> {
        self.users.as_deref()
    }

    /// Relative paths start from the study's folder.
    pub(super) fn resolved(mut self, folder: &Path) -> Self {
        self.users = self.users.map(|p| folder.join(p));
        self
    }

    fn terms(&self) -> Terms {
        Terms {
            winners: self.winners,
            gains: self.gains,
            tail_index: self.tail_index,
            equity: self.equity,
            notional: self.notional,
        }
    }

    /// Standard deviation of the next move, as a part of the price.
    #[must_use]
    pub fn next_move(&self) -> f64 {
        self.next_move
    }

    /// Runs all policies on a drawn book, and on the users' where there is a table: see [`Lab::users`].
    ///
    /// # Errors
    ///
    /// A table that is not of its shape; a book whose money leaves the widths of a stack.
    pub fn run(&self, needed: f64, largest: f64, users: Option<&Path>) -> Result<Vec<Experiment>, LabError> {
        let loss = Loss { needed, largest, next_move: self.next_move };
        let seeds = || 1..=u64::from(self.seeds);
        let drawn: Vec<Book> = seeds().map(|s| Book::draw(&self.terms(), s)).collect();
        let mut out = vec![self.experiment(Source::Drawn, &drawn, loss)?];
        if let Some(file) = users {
            out.push(self.experiment(Source::Users, &[Book::read(file)?], loss)?);
        }
        Ok(out)
    }

    /// One book for all seeds, or one for each.
    fn experiment(&self, source: Source, books: &[Book], loss: Loss) -> Result<Experiment, LabError> {
        let mut work: Vec<(usize, u32, u64)> = Vec::new();
        for (case, times) in self.unreached.iter().enumerate() {
            let differ = books.len() > 1 || *times > 0;
            let seeds = if differ { u64::from(self.seeds) } else { 1 };
            work.extend((1..=seeds).map(|seed| (case, *times, seed)));
        }
        let found = in_parallel(work.len(), |i| {
            let &(_, times, seed) = work.get(i)?;
            let own = usize::try_from(seed).unwrap_or(1).min(books.len());
            let book = books.get(own.saturating_sub(1))?;
            Some(compare(&book.with_unreached(times, seed), &loss))
        });
        let mut cases: Vec<Case> =
            self.unreached.iter().map(|times| Case { times: *times, runs: Vec::new() }).collect();
        for ((case, ..), run) in work.iter().zip(found) {
            let run = run.ok_or(LiquidationError::from(cofferdam_core::MathError::Overflow))??;
            if let Some(case) = cases.get_mut(*case) {
                case.runs.push(run);
            }
        }
        let first = books.first();
        Ok(Experiment {
            source,
            reached: first.map_or(0, |b| b.reached),
            left_out: first.map_or(0, |b| b.left_out),
            tail_index: first.and_then(|b| b.tail_index().map(|x| (x, b.tail()))),
            loss,
            cases,
        })
    }
}

/// The answers in the order of their numbers, on as many threads as there are cores.
fn in_parallel<T: Send>(count: usize, of: impl Fn(usize) -> Option<T> + Sync) -> Vec<Option<T>> {
    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(count.max(1));
    std::thread::scope(|s| {
        for _ in 0..threads {
            s.spawn(|| {
                loop {
                    let i = next.fetch_add(1, Ordering::Relaxed);
                    if i >= count {
                        break;
                    }
                    let answer = of(i);
                    found.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((i, answer));
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    found.sort_by_key(|x| x.0);
    found.into_iter().map(|x| x.1).collect()
}
