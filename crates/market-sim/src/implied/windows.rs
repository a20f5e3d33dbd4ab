//! Which opening minutes, and which leverage at each, a liquidation in minute t allows, and what the prior says of them.
//!
//! Going back from t, the worst mid m between opening and t - 1 must have left the account healthy and the mid p of t must
//! not. With the maintenance requirement mm per lot, a long opened at e had leverage above e / (e - p + mm(p)) and below
//! e / (e - m + mm(m)), and below the schedule's cap; a short the mirror image. Equity less maintenance is monotone in the
//! price, so the extreme alone decides, and the walk ends where an earlier mid is already as bad as p.
//!
//! In the first tier the window does not depend on size (up to the rounding of maintenance), so its weights are computed
//! once per minute and shared by every account drawn there, and by every seed.

use super::chance::{Caps, Chance};
use super::{ImpliedError, PerSide, Prior, Schedule, Side, check_minutes, observed};
use crate::data::Minutes;

/// A width in quanta above which the rounding of maintenance cannot close a window (two would do).
const SAFE_WIDTH: f64 = 3.0;

/// The posterior of every minute in which something was liquidated. Computed once, used by every draw.
#[derive(Clone, Debug)]
pub struct Windows<'a> {
    pub(super) minutes: &'a Minutes,
    pub(super) schedule: &'a Schedule,
    pub(super) prior: Prior,
    pub(super) chance: Chance,
    lookback: usize,
    decay: Vec<f64>,
    caps: Caps,
    shared: PerSide<Shared>,
}

/// First-tier weights of all minutes of one side, end to end.
#[derive(Clone, Debug, Default)]
struct Shared {
    minutes: Vec<SharedMinute>,
    ages: Vec<u32>,
    cumulative: Vec<f64>,
}

#[derive(Clone, Copy, Debug, Default)]
struct SharedMinute {
    from: usize,
    to: usize,
    /// Highest price in the lookback: a size whose notional there is in the first tier is in it throughout.
    highest: i64,
    /// Narrowest window, in quanta per lot.
    narrowest: f64,
}

/// Opening minutes of one account, newest first, with the running sum of their weights.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice<'a> {
    pub(super) ages: &'a [u32],
    pub(super) cumulative: &'a [f64],
}

impl Choice<'_> {
    pub(super) fn total(&self) -> f64 {
        self.cumulative.last().copied().unwrap_or(0.0)
    }

    /// The age at which the running sum passes `x`; the oldest as a fallback for the last bit.
    pub(super) fn at(&self, x: f64) -> usize {
        let index = self.cumulative.partition_point(|&sum| sum <= x).min(self.ages.len() - 1);
        self.ages[index] as usize
    }
}

/// Where the choices of an account stand.
#[derive(Clone, Copy, Debug)]
pub(super) enum Place {
    Shared { from: usize, to: usize },
    Scratch,
}

/// Room for the choices of one account that the shared ones do not cover.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    ages: Vec<u32>,
    cumulative: Vec<f64>,
}

/// The walk back from a minute: (opening minute, worst mid from there to the minute before).
pub(super) struct Walk<'a> {
    mid: &'a [i64],
    side: Side,
    price: i64,
    extreme: i64,
    next: usize,
    end: usize,
}

impl<'a> Walk<'a> {
    /// `minute` must be at least 1.
    pub(super) fn new(mid: &'a [i64], side: Side, minute: usize, lookback: usize) -> Self {
        let end = minute.saturating_sub(lookback);
        Self { mid, side, price: mid[minute], extreme: mid[minute - 1], next: minute, end }
    }
}

impl Iterator for Walk<'_> {
    type Item = (usize, i64);

    fn next(&mut self) -> Option<(usize, i64)> {
        if self.next == self.end {
            return None;
        }
        self.next -= 1;
        self.extreme = self.side.worse(self.extreme, self.mid[self.next]);
        if self.side.reaches(self.extreme, self.price) {
            self.end = self.next;
            return None;
        }
        Some((self.next, self.extreme))
    }
}

/// Lowest and highest leverage at opening that a minute allows; `None` where no leverage is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub(super) low: f64,
    pub(super) high: f64,
    /// Collateral per lot at the low end of leverage less that at the high end, in quanta.
    width: f64,
}

impl Window {
    /// `needed_now` and `needed_before`: maintenance per lot at the price and at the extreme, in ticks.
    pub(super) fn new(
        side: Side,
        [entry, extreme, price]: [f64; 3],
        [needed_before, needed_now]: [f64; 2],
        cap: f64,
    ) -> Option<Self> {
        let sign = side.sign() as f64;
        let most = sign * (entry - price) + needed_now;
        if most <= 0.0 {
            return None;
        }
        let least = (sign * (entry - extreme) + needed_before).max(entry / cap);
        let (low, high) = (entry / most, (entry / least).min(cap));
        (low < high).then_some(Self { low, high, width: most - least })
    }
}

impl<'a> Windows<'a> {
    /// Computes the first-tier posterior of every minute with a liquidation. `lookback`: the oldest opening considered, in
    /// rows; 1,440 loses nothing measurable at a life of four hours.
    ///
    /// # Errors
    /// Parameters or minutes outside their ranges.
    pub fn new(
        minutes: &'a Minutes,
        schedule: &'a Schedule,
        prior: &Prior,
        lookback: usize,
    ) -> Result<Self, ImpliedError> {
        check_minutes(minutes)?;
        prior.check()?;
        check_lookback(lookback)?;
        let chance = Chance::new(prior);
        let (decay, caps, shared) =
            (decay(&chance, lookback), Caps::new(&chance, schedule), PerSide::default());
        let mut windows = Self { minutes, schedule, prior: *prior, chance, lookback, decay, caps, shared };
        windows.shared = PerSide::from_fn(|side| windows.share(side));
        Ok(windows)
    }

    fn share(&self, side: Side) -> Shared {
        let mut shared = Shared::default();
        for (minute, &lots) in observed(self.minutes, side).iter().enumerate() {
            let entry = if lots > 0 && minute > 0 {
                self.share_minute(side, minute, &mut shared)
            } else {
                SharedMinute::default()
            };
            shared.minutes.push(entry);
        }
        shared
    }

    fn share_minute(&self, side: Side, minute: usize, shared: &mut Shared) -> SharedMinute {
        let (mid, rate) = (&self.minutes.mid, self.schedule.first_rate());
        let (price, cap) = (mid[minute] as f64, self.schedule.leverage_cap(0.0));
        let from = shared.ages.len();
        let (mut sum, mut highest, mut narrowest) = (0.0, mid[minute], f64::INFINITY);
        for (opened, extreme) in Walk::new(mid, side, minute, self.lookback) {
            let (entry, extreme) = (mid[opened], extreme as f64);
            highest = highest.max(entry);
            let needed = [rate * extreme, rate * price];
            let Some(window) = Window::new(side, [entry as f64, extreme, price], needed, cap) else {
                continue;
            };
            let weight = self.weight(&window, minute - opened, cap);
            if weight > 0.0 {
                sum += weight;
                narrowest = narrowest.min(window.width);
                shared.ages.push((minute - opened) as u32); // at most the number of rows, a u32 by check_minutes
                shared.cumulative.push(sum);
            }
        }
        SharedMinute { from, to: shared.ages.len(), highest, narrowest }
    }

    /// e^(-age / tau) (F(high) - F(low)) / F(cap)
    fn weight(&self, window: &Window, age: usize, cap: f64) -> f64 {
        let below_cap = self.caps.below(cap);
        let below_high = if window.high < cap { self.chance.below(window.high) } else { below_cap };
        self.decay[age] * (below_high - self.chance.below(window.low)) / below_cap
    }

    /// Where the choices of an account of `lots` liquidated in `minute` stand: among the shared ones, or in `scratch`, which
    /// is overwritten then.
    pub(super) fn find(&self, side: Side, minute: usize, lots: i64, scratch: &mut Scratch) -> Place {
        let known = &self.shared.get(side).minutes[minute];
        let largest = i128::from(lots) * i128::from(known.highest);
        let first_tier = self.schedule.end_of(0).is_none_or(|end| largest <= end);
        if first_tier && lots as f64 * known.narrowest >= SAFE_WIDTH {
            return Place::Shared { from: known.from, to: known.to };
        }
        self.scan(side, minute, lots, scratch);
        Place::Scratch
    }

    /// The choices at a place that [`Self::find`] returned last.
    pub(super) fn choice<'s>(&'s self, side: Side, place: Place, scratch: &'s Scratch) -> Choice<'s> {
        match place {
            Place::Shared { from, to } => {
                let shared = self.shared.get(side);
                Choice { ages: &shared.ages[from..to], cumulative: &shared.cumulative[from..to] }
            }
            Place::Scratch => Choice { ages: &scratch.ages, cumulative: &scratch.cumulative },
        }
    }

    /// The choices of any size. The exact collateral interval is asked only where rounding could have closed it.
    fn scan(&self, side: Side, minute: usize, lots: i64, scratch: &mut Scratch) {
        scratch.ages.clear();
        scratch.cumulative.clear();
        let (mid, mut sum) = (&self.minutes.mid, 0.0);
        for (opened, extreme) in Walk::new(mid, side, minute, self.lookback) {
            let (entry, price) = (mid[opened], mid[minute]);
            let Some((window, cap)) = self.window(side, lots, entry, extreme, price) else { continue };
            if lots as f64 * window.width < SAFE_WIDTH {
                let (least, most) = self.schedule.collateral_range(side, lots, entry, extreme, price);
                if least > most {
                    continue;
                }
            }
            let weight = self.weight(&window, minute - opened, cap);
            if weight > 0.0 {
                sum += weight;
                scratch.ages.push((minute - opened) as u32); // as above
                scratch.cumulative.push(sum);
            }
        }
    }

    /// The window of one account and its cap.
    pub(super) fn window(
        &self,
        side: Side,
        lots: i64,
        entry: i64,
        extreme: i64,
        price: i64,
    ) -> Option<(Window, f64)> {
        let per_lot = |at: i64| self.schedule.maintenance_per_lot(lots as f64, at as f64);
        let prices = [entry as f64, extreme as f64, price as f64];
        let cap = self.schedule.leverage_cap(lots as f64 * prices[0]);
        Window::new(side, prices, [per_lot(extreme), per_lot(price)], cap).map(|window| (window, cap))
    }

    /// The worst mid from `opened` to the minute before `minute`.
    pub(super) fn extreme(&self, side: Side, opened: usize, minute: usize) -> i64 {
        let mids = &self.minutes.mid[opened..minute];
        mids.iter().fold(self.minutes.mid[opened], |worst, &mid| side.worse(worst, mid))
    }
}

pub(super) fn check_lookback(lookback: usize) -> Result<(), ImpliedError> {
    if (1..=100_000).contains(&lookback) {
        return Ok(());
    }
    let value = lookback.to_string();
    Err(ImpliedError::Parameter { field: "lookback", value, accepted: "1 to 100000 rows" })
}

/// e^(-age / tau) by age.
pub(super) fn decay(chance: &Chance, lookback: usize) -> Vec<f64> {
    (0..=lookback).map(|age| libm::exp(-(age as f64) / chance.tau)).collect()
}
