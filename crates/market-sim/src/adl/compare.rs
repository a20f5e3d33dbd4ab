//! All policies on one book: who pays, how much too much, how concentrated, and what the next deficit would be.
//!
//! The book is one market in which every winner is short at the same mark, and its need is met in two ways: as a **deficit**, the whole in
//! haircuts of gain; and as a **close-out** of all that those reached hold, at a price above the mark at which closing
//! it costs the same. What a close takes from a holder is its lots times that gap.

use super::book::{Book, Holder};
use super::metrics::{Metrics, Round, Winner};
use super::policies::{Policy, policies};
use crate::implied::normal_cdf;
use cofferdam_core::{
    Amount, AssetId, At, GroupId, Lots, MapMemory, MarketId, MathError, Millis, Quanta, Slot, Ticks,
};
use cofferdam_liquidation_strategy::{Cause, LiquidationError, LossAllocation, Measure, Need, Payer};

/// Atoms (and quanta) of one USD.
const ATOMS: f64 = 1e6;
/// Lots of one USD of notional at the mark.
const LOTS: f64 = 100.0;
/// Maintenance over notional; it matters to no policy that is compared.
const MAINTENANCE: f64 = 0.01;

/// What has to be taken from a book.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// USD, above zero.
    pub needed: f64,
    /// The largest single loss behind it, USD.
    pub largest: f64,
    /// Standard deviation of the next move of the market, as a part of the price.
    pub next_move: f64,
}

/// How a need is met.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Haircuts of gain.
    Deficit,
    /// Lots, at a price.
    CloseOut,
}

/// What one policy did with one book.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Which policy.
    pub policy: &'static str,
    /// In which form the need was met.
    pub form: Form,
    /// What was taken, against the deficit as needed.
    pub metrics: Metrics,
    /// Part of what was taken that the one winner in a hundred who gained most paid.
    pub by_largest: f64,
    /// Part that the one in ten with the highest leverage paid.
    pub by_levered: f64,
    /// Expected deficit of the winners after one more move: see [`next_deficit`].
    pub next_deficit: f64,
}

/// A book and what all policies did with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// How many winners.
    pub winners: usize,
    /// What they gained, USD.
    pub gains: f64,
    /// Their expected deficit if nothing were taken.
    pub next_deficit: f64,
    /// By form, in the order of [`policies`].
    pub outcomes: Vec<Outcome>,
}

/// Expected deficit of a holder after the next move: E\[(e + n Z)_-\] = n s phi(u / s) - e Phi(-u / s), with equity e, notional n, u = e / n and Z
/// normal with standard deviation s. Definition: T. Chitra, arXiv:2512.01112, delta = sum n psi(1 / lambda); closed form for a normal move:
/// M. Campbell and others, arXiv:2603.15963, expected shortfall.
///
/// ```
/// use cofferdam_market_sim::adl::next_deficit;
/// assert!((next_deficit(0.0, 100.0, 0.2) - 7.979).abs() < 1e-3); // n s / sqrt(2 pi)
/// assert!(next_deficit(100.0, 100.0, 0.2) < 1e-4);
/// assert_eq!((next_deficit(-3.0, 0.0, 0.2), next_deficit(3.0, 0.0, 0.2)), (3.0, 0.0));
/// ```
#[must_use]
pub fn next_deficit(equity: f64, notional: f64, sd: f64) -> f64 {
    let spread = notional * sd;
    if spread <= 0.0 {
        return (-equity).max(0.0);
    }
    let u = equity / spread;
    let density = libm::exp(-u * u / 2.0) / libm::sqrt(2.0 * std::f64::consts::PI);
    spread * density - equity * normal_cdf(-u)
}

fn units(x: f64, scale: f64) -> Result<i128, MathError> {
    let scaled = (x * scale).round();
    if scaled.abs() < 1e30 { Ok(scaled as i128) } else { Err(MathError::Overflow) }
}

fn lots(h: &Holder) -> Result<i64, MathError> {
    let lots = i64::try_from(units(h.notional, LOTS)?).map_err(|_| MathError::Overflow)?;
    Ok(lots.max(1))
}

fn payer(index: usize, h: &Holder) -> Result<Payer, MathError> {
    let gain = units(h.gain, ATOMS)?;
    Ok(Payer {
        group: GroupId(u32::try_from(index).map_err(|_| MathError::Overflow)?),
        lots: Lots::new(-lots(h)?),
        gain: Amount::new(gain),
        equity: Amount::new(units(h.equity, ATOMS)?),
        notional: Quanta::new(units(h.notional, ATOMS)?),
        cost: Quanta::new(units(-h.notional - h.gain, ATOMS)?),
        room: Amount::new(gain.min(units(h.equity, ATOMS)?.max(0))),
        maintenance: Amount::new(units(h.notional * MAINTENANCE, ATOMS)?),
    })
}

/// The bankrupt account whose lots are closed.
const BANKRUPT: GroupId = GroupId(u32::MAX);

/// Runs every policy on a book.
///
/// # Errors
///
/// A book whose money leaves the widths of a stack.
pub fn compare(book: &Book, loss: &Loss) -> Result<Comparison, LiquidationError> {
    let payers = book.holders.iter().enumerate().map(|(i, h)| payer(i, h)).collect::<Result<Vec<_>, _>>()?;
    let mut reached: i64 = 0;
    for h in book.holders.iter().take(book.reached) {
        reached = reached.checked_add(lots(h)?).ok_or(MathError::Overflow)?;
    }
    let needed = Amount::new(units(loss.needed, ATOMS)?);
    let (market, asset) = (Some(MarketId(0)), AssetId(0));
    let deficit = Need { cause: Cause::Deficit, market, asset, amount: needed };
    let cause = Cause::CloseOut { of: BANKRUPT, lots: Lots::new(reached), price: Ticks::new(1) };
    let close_out = Need { cause, market, asset, amount: Amount::ZERO };
    let per_lot = loss.needed / reached as f64;
    let lab = Lab { book, payers, loss, per_lot, ranks: Ranks::of(book) };
    let all = policies(0)?;
    let mut outcomes = Vec::new();
    for (form, need) in [(Form::Deficit, &deficit), (Form::CloseOut, &close_out)] {
        let answers = |p: &&Policy| if form == Form::Deficit { p.pays } else { p.closes };
        for policy in all.iter().filter(answers) {
            outcomes.push(lab.outcome(policy, form, need)?);
        }
    }
    let of = |h: &Holder| next_deficit(h.equity, h.notional, loss.next_move);
    Ok(Comparison {
        winners: book.holders.len(),
        gains: book.gains(),
        next_deficit: book.holders.iter().map(of).sum(),
        outcomes,
    })
}

/// Who are the largest and the most levered.
struct Ranks {
    largest: Vec<usize>,
    levered: Vec<usize>,
}

impl Ranks {
    fn of(book: &Book) -> Self {
        let top = |one_in: usize, of: fn(&Holder) -> f64| {
            let mut order: Vec<(f64, usize)> = book.holders.iter().map(of).zip(0..).collect();
            order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
            order.into_iter().take(book.holders.len().div_ceil(one_in)).map(|x| x.1).collect()
        };
        Self { largest: top(100, |h| h.gain), levered: top(10, Holder::leverage) }
    }
}

struct Lab<'a> {
    book: &'a Book,
    payers: Vec<Payer>,
    loss: &'a Loss,
    per_lot: f64,
    ranks: Ranks,
}

impl Lab<'_> {
    fn outcome(&self, policy: &Policy, form: Form, need: &Need) -> Result<Outcome, LiquidationError> {
        let taken = self.taken(policy.rule.as_ref(), need)?;
        let all: f64 = taken.iter().map(|t| t.0).sum();
        let part = |of: &[usize]| {
            let some: f64 = of.iter().filter_map(|i| taken.get(*i)).map(|t| t.0).sum();
            if all > 0.0 { some / all } else { 0.0 }
        };
        let after = |(h, (x, closed)): (&Holder, &(f64, f64))| {
            next_deficit(h.equity - x, (h.notional - closed).max(0.0), self.loss.next_move)
        };
        let winner = |(h, (taken, _)): (&Holder, &(f64, f64))| Winner {
            gain: h.gain,
            equity: h.equity,
            taken: *taken,
        };
        let both = || self.book.holders.iter().zip(&taken);
        let round = Round {
            deficit: self.loss.needed,
            largest_loss: self.loss.largest,
            needed: self.loss.needed,
            winners: both().map(winner).collect(),
        };
        Ok(Outcome {
            policy: policy.name,
            form,
            metrics: round.metrics(),
            by_largest: part(&self.ranks.largest),
            by_levered: part(&self.ranks.levered),
            next_deficit: both().map(after).sum(),
        })
    }

    /// What was taken from each, and how much notional was closed, USD.
    fn taken(&self, rule: &dyn LossAllocation, need: &Need) -> Result<Vec<(f64, f64)>, LiquidationError> {
        let at = At { seq: 1, time: Millis(1), block: 1 };
        let payers = self.payers.as_slice();
        let settled = MapMemory::default().with(Slot(1), |m| rule.allocate(at, need, &payers, m))?;
        let mut taken = vec![(0.0, 0.0); payers.len()];
        for m in &settled.measures {
            let (who, cash, closed) = match m {
                Measure::Haircut { payer, amount } => (payer, amount.get() as f64 / ATOMS, 0.0),
                Measure::Close { payer, lots, .. } => {
                    let lots = lots.get().unsigned_abs() as f64;
                    (payer, lots * self.per_lot, lots / LOTS)
                }
                _ => continue, // nobody of the winners pays
            };
            if let Some(x) = taken.get_mut(who.0 as usize) {
                *x = (x.0 + cash, x.1 + closed);
            }
        }
        Ok(taken)
    }
}
