//! Accounts drawn forward from the prior at a fitted rate: all of them (a run that knows no recorded liquidation), or those
//! that the recorded prices never liquidated, thinned to a number that a book can hold.
//!
//! Thinning is Horvitz-Thompson by size: in a band of distance with threshold q0 an account of q lots is kept with probability
//! min(1, q / q0) and then holds max(q, q0), so quantity is unbiased everywhere, with little noise near the price and more far
//! away. The liquidation price of a kept account is unchanged: collateral c' = mm(q' x) + q' (e - x) for a long, x the tick above
//! that price (mirror image for shorts), raised to the schedule's least collateral where the larger size demands it.

use super::chance::{Chance, Stream};
use super::schedule::gain;
use super::{Class, End, ImpliedError, Opening, PerSide, Prior, Schedule, Side, check_minutes, check_span};
use crate::data::{Minutes, UNITS_MAX};
use core::ops::Range;

const DOMAIN_OPENINGS: u64 = 2;
const DOMAIN_THINNING: u64 = 3;

/// Accounts opened per minute beyond which a Poisson count by multiplication is no longer exact.
const ACCOUNTS_PER_MINUTE_MAX: f64 = 500.0;

/// A band of distance: accounts whose nearest approach to liquidation was within `distance_max` of the price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stratum {
    /// Upper end of the band, relative to the mid; bands rise, and the last should be infinite.
    pub distance_max: f64,
    /// Size at which every account of the band is kept, in lots; smaller ones are kept in proportion.
    pub threshold_lots: i64,
}

impl Stratum {
    /// 50, 100, 300, 800 and 3,000 ETH within 2, 5, 10, 15 % and beyond, in lots of 0.001 ETH: about 61,000 accounts of a
    /// million in the month that this project ships.
    pub const DEFAULT: [Self; 5] = [
        Self { distance_max: 0.02, threshold_lots: 50_000 },
        Self { distance_max: 0.05, threshold_lots: 100_000 },
        Self { distance_max: 0.10, threshold_lots: 300_000 },
        Self { distance_max: 0.15, threshold_lots: 800_000 },
        Self { distance_max: f64::INFINITY, threshold_lots: 3_000_000 },
    ];
}

/// The thinned background.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Survivors {
    /// Longs first, by minute of opening.
    pub openings: Vec<Opening>,
    /// Accounts drawn before thinning that the recorded prices never liquidated.
    pub full_accounts: PerSide<usize>,
    /// Their lots.
    pub full_lots: PerSide<i64>,
    /// Lots kept.
    pub kept_lots: PerSide<i64>,
    /// Accounts kept per stratum.
    pub kept_accounts: PerSide<Vec<usize>>,
    /// Accounts dropped because the recorded prices liquidated them: the implied book stands for those.
    pub dropped_accounts: PerSide<usize>,
    /// Kept accounts whose liquidation price moved away from the mid because the larger size may be levered less.
    pub capped_accounts: usize,
}

/// A population that knows nothing of recorded liquidations.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forward {
    /// Longs first, by minute of opening; [`End::Liquidated`] where the recorded prices say so.
    pub openings: Vec<Opening>,
    /// Lots liquidated per row.
    pub liquidated: PerSide<Vec<i64>>,
}

/// Draws the accounts opened in the rows `span`, with their fates over all rows. `rates`: lots opened per row.
///
/// # Errors
/// Parameters, minutes or span outside their ranges.
pub fn draw_forward(
    minutes: &Minutes,
    schedule: &Schedule,
    prior: &Prior,
    rates: PerSide<f64>,
    seed: u64,
    span: Range<usize>,
) -> Result<Forward, ImpliedError> {
    let population = Population::new(minutes, schedule, prior, rates, seed, &span)?;
    let liquidated = PerSide::from_fn(|_| vec![0; minutes.len()]);
    let mut forward = Forward { openings: Vec::new(), liquidated };
    for side in Side::BOTH {
        population.each(side, span.clone(), |life| {
            if let End::Liquidated { minute } = life.opening.end {
                forward.liquidated.get_mut(side)[minute] += life.opening.lots;
            }
            forward.openings.push(life.opening);
        });
    }
    Ok(forward)
}

/// Draws the accounts opened in the rows `span` that the recorded prices never liquidated, thinned. `rates`: lots opened per
/// row, from [`super::Expectation::fit`].
///
/// # Errors
/// Parameters, minutes, span or strata outside their ranges.
pub fn draw_survivors(
    minutes: &Minutes,
    schedule: &Schedule,
    prior: &Prior,
    rates: PerSide<f64>,
    strata: &[Stratum],
    seed: u64,
    span: Range<usize>,
) -> Result<Survivors, ImpliedError> {
    check_strata(strata)?;
    let population = Population::new(minutes, schedule, prior, rates, seed, &span)?;
    let mut survivors =
        Survivors { kept_accounts: PerSide::from_fn(|_| vec![0; strata.len()]), ..Survivors::default() };
    for side in Side::BOTH {
        let (mut opened, mut stream) = (usize::MAX, Stream::new(seed, DOMAIN_THINNING, 0, side));
        population.each(side, span.clone(), |life| {
            if opened != life.opening.opened {
                opened = life.opening.opened;
                stream = Stream::new(seed, DOMAIN_THINNING, opened as u64, side);
            }
            // Drawn for every account, so that a change of strata leaves the others' chances alone.
            survivors.consider(&life, schedule, strata, stream.uniform());
        });
    }
    Ok(survivors)
}

fn check_strata(strata: &[Stratum]) -> Result<(), ImpliedError> {
    let rising = strata.windows(2).all(|pair| pair[0].distance_max < pair[1].distance_max);
    let sized = strata.iter().all(|s| s.distance_max > 0.0 && (1..=UNITS_MAX).contains(&s.threshold_lots));
    if rising && sized && (1..=200).contains(&strata.len()) {
        return Ok(());
    }
    let accepted = "1 to 200 bands with rising distances above 0 and thresholds of 1 to 1e11 lots";
    Err(ImpliedError::Parameter { field: "strata", value: format!("{strata:?}"), accepted })
}

impl Survivors {
    fn consider(&mut self, life: &Life, schedule: &Schedule, strata: &[Stratum], uniform: f64) {
        let Opening { side, lots, .. } = life.opening;
        if matches!(life.opening.end, End::Liquidated { .. }) {
            *self.dropped_accounts.get_mut(side) += 1;
            return;
        }
        *self.full_accounts.get_mut(side) += 1;
        *self.full_lots.get_mut(side) += lots;
        // Beyond the last band counts as in it.
        let band = strata.partition_point(|s| s.distance_max < life.distance).min(strata.len() - 1);
        let threshold = strata[band].threshold_lots;
        if uniform * threshold as f64 >= lots as f64 {
            return;
        }
        let (opening, capped) = life.enlarged(lots.max(threshold), band as u8, schedule);
        self.capped_accounts += usize::from(capped);
        self.kept_accounts.get_mut(side)[band] += 1;
        *self.kept_lots.get_mut(side) += opening.lots;
        self.openings.push(opening);
    }
}

/// One drawn account, with its liquidation price and the nearest that the price came to it.
struct Life {
    opening: Opening,
    level: i64,
    distance: f64,
}

impl Life {
    /// The same account at another size, with the same liquidation price where the schedule allows it.
    fn enlarged(&self, lots: i64, stratum: u8, schedule: &Schedule) -> (Opening, bool) {
        let Opening { side, entry, collateral, .. } = self.opening;
        let class = Class::Survivor { stratum };
        if lots == self.opening.lots {
            return (Opening { class, ..self.opening }, false);
        }
        let wanted = if self.level <= 0 {
            // A long that no positive price liquidates keeps its leverage; rounded up, away from liquidation.
            (collateral * i128::from(lots)).div_euclid(i128::from(self.opening.lots)) + 1
        } else {
            let healthy = self.level + side.sign();
            schedule.maintenance(i128::from(lots) * i128::from(healthy)) - gain(side, lots, entry, healthy)
        };
        let least = schedule.least_collateral(lots, entry);
        (Opening { lots, collateral: wanted.max(least), class, ..self.opening }, least > wanted)
    }
}

struct Population<'a> {
    minutes: &'a Minutes,
    schedule: &'a Schedule,
    chance: Chance,
    rates: PerSide<f64>,
    seed: u64,
    worst: PerSide<Extremes>,
}

impl<'a> Population<'a> {
    fn new(
        minutes: &'a Minutes,
        schedule: &'a Schedule,
        prior: &Prior,
        rates: PerSide<f64>,
        seed: u64,
        span: &Range<usize>,
    ) -> Result<Self, ImpliedError> {
        check_minutes(minutes)?;
        prior.check()?;
        check_span(span, minutes.len())?;
        let chance = Chance::new(prior);
        for rate in [rates.long, rates.short] {
            if !(0.0..=ACCOUNTS_PER_MINUTE_MAX).contains(&(rate / chance.mean_size())) {
                let accepted = "0 lots or more per row, at most 500 accounts of mean size";
                return Err(ImpliedError::Parameter { field: "rates", value: rate.to_string(), accepted });
            }
        }
        let worst = PerSide::from_fn(|side| Extremes::new(&minutes.mid, side));
        Ok(Self { minutes, schedule, chance, rates, seed, worst })
    }

    fn each(&self, side: Side, span: Range<usize>, mut visit: impl FnMut(Life)) {
        let mean = self.rates.get(side) / self.chance.mean_size();
        for opened in span {
            let mut stream = Stream::new(self.seed, DOMAIN_OPENINGS, opened as u64, side);
            for _ in 0..stream.poisson(mean) {
                visit(self.live(side, opened, &mut stream));
            }
        }
    }

    fn live(&self, side: Side, opened: usize, stream: &mut Stream) -> Life {
        let entry = self.minutes.mid[opened];
        let lots = self.chance.size(stream.uniform());
        // Whole rows of an exponential life; the cast drops the fraction and saturates far beyond any number of rows.
        let life = (-libm::log(stream.uniform()) * self.chance.tau) as usize;
        let last = opened.saturating_add(life).min(self.minutes.len() - 1);
        let notional = i128::from(lots) * i128::from(entry);
        let cap = f64::from(self.schedule.max_leverage(notional));
        let share = stream.uniform() * self.chance.below(cap);
        let leverage = self.chance.leverage_at(share, 1e-3, cap);
        // Rounded down, towards liquidation, then at least what the schedule demands.
        let wanted = (notional as f64 / leverage) as i128;
        let collateral = wanted.max(self.schedule.least_collateral(lots, entry));
        let level = self.schedule.liquidation_level(side, lots, entry, collateral);
        let worst = self.worst.get(side).over(opened, last);
        let end = if side.reaches(worst, level) {
            let age = self.minutes.mid[opened..=last].iter().position(|&mid| side.reaches(mid, level));
            End::Liquidated { minute: opened + age.unwrap_or(0) }
        } else if last + 1 == self.minutes.len() {
            End::Held
        } else {
            End::Closed { minute: last + 1 }
        };
        // 1 - level / mid for longs, level / mid - 1 for shorts, at the worst mid of its life.
        let distance = side.sign() as f64 * (1.0 - level as f64 / worst as f64);
        let class = Class::Drawn;
        Life { opening: Opening { side, opened, lots, entry, collateral, end, class }, level, distance }
    }
}

/// The worst mid of any run of rows in two look-ups (sparse table).
#[derive(Debug)]
struct Extremes {
    side: Side,
    /// `levels[k][i]`: the worst of the 2^k rows from i on.
    levels: Vec<Vec<i64>>,
}

impl Extremes {
    fn new(mid: &[i64], side: Side) -> Self {
        let mut levels = vec![mid.to_vec()];
        let mut half = 1;
        while half * 2 <= mid.len() {
            let below = &levels[levels.len() - 1];
            let pairs = below.iter().zip(&below[half..]);
            levels.push(pairs.map(|(&a, &b)| side.worse(a, b)).collect());
            half *= 2;
        }
        Self { side, levels }
    }

    /// From `first` to `last`, both included.
    fn over(&self, first: usize, last: usize) -> i64 {
        let level = (last - first + 1).ilog2() as usize;
        let row = &self.levels[level];
        self.side.worse(row[first], row[last + 1 - (1 << level)])
    }
}
