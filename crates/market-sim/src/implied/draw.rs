//! One book from the posterior: each minute's quantity is cut into accounts of the prior's sizes, and each account gets an
//! opening minute, a leverage inside its window, and a whole number of quanta as collateral.

use super::chance::Stream;
use super::windows::{Choice, Place, Scratch};
use super::{Class, End, ImpliedError, Opening, PerSide, Prior, Schedule, Side, Windows, observed};
use crate::data::Minutes;

const DOMAIN: u64 = 1;

/// How an opening minute and a leverage are chosen among those that are possible.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rule {
    /// From the posterior: prior weight of the window times e^(-age / tau).
    Posterior,
    /// Naive: the most recent minute that is possible, leverage from the prior inside its window.
    MostRecent,
    /// Naive: every possible minute alike, every leverage inside the window alike.
    Uniform,
}

impl Rule {
    /// All three, the one that is used first.
    pub const ALL: [Self; 3] = [Self::Posterior, Self::MostRecent, Self::Uniform];
}

/// The accounts implied by the recorded liquidations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ImpliedBook {
    /// One opening per implied account, longs first, by minute of liquidation.
    pub openings: Vec<Opening>,
    /// Lots per row that some account explains.
    pub implied: PerSide<Vec<i64>>,
    /// Lots per row that no account of the schedule explains; implied + unimplied = recorded, in every row.
    pub unimplied: PerSide<Vec<i64>>,
    /// How often a drawn size had to be halved until it fitted its minute.
    pub halvings: PerSide<u64>,
    /// How often the collateral of the drawn leverage lay outside the exact interval and was moved to its end.
    pub clamped: u64,
}

impl ImpliedBook {
    /// Implied over recorded quantity.
    #[must_use]
    pub fn share(&self, side: Side) -> f64 {
        let implied: i64 = self.implied.get(side).iter().sum();
        let rest: i64 = self.unimplied.get(side).iter().sum();
        implied as f64 / (implied + rest).max(1) as f64
    }
}

/// Draws a book from the posterior. To draw several, keep a [`Windows`] and call [`Windows::draw`].
///
/// # Errors
/// Parameters or minutes outside their ranges.
pub fn draw_implied(
    minutes: &Minutes,
    schedule: &Schedule,
    prior: &Prior,
    seed: u64,
    lookback: usize,
) -> Result<ImpliedBook, ImpliedError> {
    Ok(Windows::new(minutes, schedule, prior, lookback)?.draw(seed, Rule::Posterior))
}

impl Windows<'_> {
    /// Draws a book; the same seed gives the same book.
    #[must_use]
    pub fn draw(&self, seed: u64, rule: Rule) -> ImpliedBook {
        let rows = self.minutes.len();
        let mut book = ImpliedBook {
            implied: PerSide::from_fn(|_| vec![0; rows]),
            unimplied: PerSide::from_fn(|_| vec![0; rows]),
            ..ImpliedBook::default()
        };
        let mut scratch = Scratch::default();
        for side in Side::BOTH {
            for (minute, &lots) in observed(self.minutes, side).iter().enumerate() {
                let rest = if lots > 0 && minute > 0 {
                    self.draw_minute(side, minute, lots, seed, rule, &mut scratch, &mut book)
                } else {
                    lots
                };
                book.unimplied.get_mut(side)[minute] = rest;
                book.implied.get_mut(side)[minute] = lots - rest;
            }
        }
        book
    }

    /// Explains one minute and returns the lots that nothing explains.
    #[allow(clippy::too_many_arguments)]
    fn draw_minute(
        &self,
        side: Side,
        minute: usize,
        lots: i64,
        seed: u64,
        rule: Rule,
        scratch: &mut Scratch,
        book: &mut ImpliedBook,
    ) -> i64 {
        let mut stream = Stream::new(seed, DOMAIN, minute as u64, side);
        let mut rest = lots;
        while rest > 0 {
            let mut size = self.chance.size(stream.uniform());
            if size > rest || rest - size < self.prior.size_min_lots {
                size = rest;
            }
            let Some((size, place)) = self.fit(side, minute, size, scratch, book.halvings.get_mut(side))
            else {
                return rest;
            };
            let (opening, clamped) =
                self.open(side, minute, size, &mut stream, rule, self.choice(side, place, scratch));
            book.openings.push(opening);
            book.clamped += u64::from(clamped);
            rest -= size;
        }
        0
    }

    /// The size itself where the minute allows it, else the largest of its halves that fits: a smaller account may have more
    /// leverage. Halves above the second tier are not tried, and far inside the first a smaller one changes nothing.
    fn fit(
        &self,
        side: Side,
        minute: usize,
        size: i64,
        scratch: &mut Scratch,
        halvings: &mut u64,
    ) -> Option<(i64, Place)> {
        let price = i128::from(self.minutes.mid[minute]);
        let try_up_to = self.schedule.end_of(1).unwrap_or(i128::MAX);
        let give_up_below = self.schedule.end_of(0).map_or(i128::MAX, |end| end * 2 / 5);
        let mut size = size;
        let mut place = self.find(side, minute, size, scratch);
        let mut fits = self.choice(side, place, scratch).total() > 0.0;
        while !fits && size > 1 {
            size = (size + 1) / 2;
            *halvings += 1;
            let notional = i128::from(size) * price;
            if notional > try_up_to {
                continue;
            }
            place = self.find(side, minute, size, scratch);
            fits = self.choice(side, place, scratch).total() > 0.0;
            if !fits && notional < give_up_below {
                break;
            }
        }
        fits.then_some((size, place))
    }

    /// An account whose choices have a positive total; and whether its collateral had to be moved into the exact interval.
    fn open(
        &self,
        side: Side,
        minute: usize,
        lots: i64,
        stream: &mut Stream,
        rule: Rule,
        choice: Choice<'_>,
    ) -> (Opening, bool) {
        let (first, second) = (stream.uniform(), stream.uniform());
        let age = match rule {
            Rule::Posterior => choice.at(first * choice.total()),
            Rule::MostRecent => choice.ages[0] as usize,
            // Below the length: a uniform is at most 1 - 2^-54, and lengths are far below 2^53.
            Rule::Uniform => choice.ages[(first * choice.ages.len() as f64) as usize] as usize,
        };
        let (opened, price) = (minute - age, self.minutes.mid[minute]);
        let entry = self.minutes.mid[opened];
        let extreme = self.extreme(side, opened, minute);
        let (least, most) = self.schedule.collateral_range(side, lots, entry, extreme, price);
        let window = self.window(side, lots, entry, extreme, price);
        let wanted = window.map_or(least, |(window, _)| {
            let leverage = if rule == Rule::Uniform {
                window.low + (window.high - window.low) * second
            } else {
                let below = self.chance.below(window.low);
                let share = below + second * (self.chance.below(window.high) - below);
                self.chance.leverage_at(share, window.low, window.high)
            };
            // Rounded down, towards liquidation; the interval decides.
            ((i128::from(lots) * i128::from(entry)) as f64 / leverage) as i128
        });
        // Any collateral of the interval is healthy up to the minute before and liquidatable in it.
        let collateral = wanted.max(least).min(most);
        let end = End::Liquidated { minute };
        let opening = Opening { side, opened, lots, entry, collateral, end, class: Class::Implied };
        (opening, collateral != wanted)
    }
}
