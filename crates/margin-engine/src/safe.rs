//! The box inside which a group cannot fall below a level, whatever each coordinate does inside its own range.
//!
//! Slack is a sum over positions, balances and debts, so it is shared out: each coordinate may lose its share and no more.
//! Marks and asset prices share nearly all of it in proportion to what is exposed to them, so each gets about the same move
//! in per cent; funding, debt indexes and market scales share 1/64. How far a coordinate may go for its share is found on the
//! model's own valuation. At maintenance that is concave in the mark (INV-14): what is safe at both ends is safe between
//! them. Elsewhere (a middle of two requirements, a rate that follows open interest) it need not be, and support and demand,
//! which each move one way with the mark, are taken at their worse ends: a smaller box that rests on no shape.
//!
//! Where two coordinates multiply, the slower one is boxed first and the other is measured at its worst: volatility and open
//! interest before the mark, the debt index before the price, the price of a settlement asset before the marks.

use crate::cross::{Held, usable_asset};
use crate::valuation::{Ratio, is_one};
use crate::{Coordinate, CrossMargin, MarginError, SafeRange};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use cofferdam_core::{
    AssetId, GroupView, Level, Lots, MathError, Ppb, PriceView, Quanta, Rounding, Ticks, World, wide,
};

/// Quanta kept back from each share: more than what the roundings inside one valuation can make up.
const MARGIN: i128 = 8;
/// One part in so many of the slack goes to the slow coordinates.
const SLOW: i128 = 64;

/// Room for the ranges of one position in one settlement asset: what most groups are.
const RANGES: usize = 4;

/// What one asset's price and index move.
#[derive(Clone, Copy, Debug, Default)]
struct Exposure {
    balance: i128,
    owed: i128,
    indexed: i128,
    settles: bool,
}

impl CrossMargin {
    /// The box at a level, with `kept` quanta of the slack set aside for what this model does not ask itself.
    pub(crate) fn boxes(
        &self,
        group: &GroupView<'_>,
        world: &dyn World,
        level: Level,
        kept: i128,
    ) -> Result<Vec<SafeRange>, MarginError> {
        let Some(line) = self.line(group, world, level)? else { return Ok(Vec::new()) };
        if line.demand.is_zero() && group.positions.is_empty() && group.debts.is_empty() {
            return Ok(Vec::new());
        }
        let mut positions = Vec::with_capacity(group.positions.len());
        for p in group.positions {
            positions.push(Held::new(self, world, p)?);
        }
        let assets = exposures(group, &positions)?;
        let mut work = Work { model: self, world, level, ranges: Vec::with_capacity(RANGES) };
        let slack = line.slack().checked_sub(kept).ok_or(MathError::Overflow)?;
        if slack < 0 {
            work.empty(&positions, &assets);
            return Ok(work.ranges);
        }
        work.fill(positions, assets, slack)?;
        Ok(work.ranges)
    }
}

fn exposures(
    group: &GroupView<'_>,
    positions: &[Held<'_>],
) -> Result<BTreeMap<AssetId, Exposure>, MathError> {
    let mut assets: BTreeMap<AssetId, Exposure> = BTreeMap::new();
    for b in group.balances {
        let e = assets.entry(b.asset).or_default();
        if b.amount.is_negative() { e.owed = b.amount.try_abs()?.get() } else { e.balance = b.amount.get() }
    }
    for d in group.debts {
        assets.entry(d.asset).or_default().indexed = d.owed.get();
    }
    for p in positions {
        assets.entry(p.settlement.id).or_default().settles = true;
    }
    Ok(assets)
}

struct Work<'a> {
    model: &'a CrossMargin,
    world: &'a dyn World,
    level: Level,
    ranges: Vec<SafeRange>,
}

impl Work<'_> {
    fn push(&mut self, coordinate: Coordinate, low: i128, high: i128) {
        self.ranges.push(SafeRange { coordinate, low, high });
    }

    fn empty(&mut self, positions: &[Held<'_>], assets: &BTreeMap<AssetId, Exposure>) {
        for p in positions {
            let id = p.position.market;
            for coordinate in [Coordinate::Mark(id), Coordinate::Funding(id)] {
                self.push(coordinate, 1, 0);
            }
            if self.model.reads(id, self.level).is_ok_and(|r| r.open_interest || r.volatility) {
                self.push(Coordinate::Scale(id), 1, 0);
            }
        }
        for (id, e) in assets {
            self.push(Coordinate::Price(*id), 1, 0);
            if e.indexed > 0 {
                self.push(Coordinate::DebtIndex(*id), 1, 0);
            }
        }
    }

    fn fill(
        &mut self,
        mut positions: Vec<Held<'_>>,
        mut assets: BTreeMap<AssetId, Exposure>,
        slack: i128,
    ) -> Result<(), MarginError> {
        let slow_count = positions.len().saturating_mul(2).saturating_add(assets.len());
        let slow_total = wide::div(slack, SLOW, Rounding::Down)?;
        let slow =
            wide::div(slow_total, i128::try_from(slow_count.max(1)).unwrap_or(i128::MAX), Rounding::Down)?;
        let fast = slack.saturating_sub(slow_total); // both are not negative
        let slow = slow.saturating_sub(MARGIN);
        for (id, e) in &mut assets {
            self.index(*id, e, slow)?;
        }
        for p in &mut positions {
            self.scale(p, slow)?;
        }
        let weights = self.weights(&positions, &assets)?;
        let total = weights.iter().try_fold(0_i128, |s, w| s.checked_add(*w)).ok_or(MathError::Overflow)?;
        let share = |w: Option<&i128>| -> Result<i128, MathError> {
            let w = w.copied().unwrap_or(0);
            Ok(wide::mul_div(fast, w, total.max(1), Rounding::Down)?.saturating_sub(MARGIN))
        };
        for (i, (id, e)) in assets.iter().enumerate() {
            self.price(*id, *e, &mut positions, share(weights.get(i))?)?;
        }
        for (i, p) in positions.iter().enumerate() {
            self.funding(p, slow)?;
            self.mark(p, share(weights.get(assets.len().saturating_add(i)))?)?;
        }
        Ok(())
    }

    // what is exposed to each price: assets in order, then positions; the share of an asset that both settles and backs
    // counts the value of its positions once more
    fn weights(
        &self,
        positions: &[Held<'_>],
        assets: &BTreeMap<AssetId, Exposure>,
    ) -> Result<Vec<i128>, MarginError> {
        let mut weights = Vec::with_capacity(positions.len().saturating_add(assets.len()));
        let add = |a: i128, b: i128| a.checked_add(b).ok_or(MathError::Overflow);
        for (id, e) in assets {
            let view = self.world.asset(*id).filter(|v| v.price.is_usable());
            let Some(view) = view.filter(|v| !(e.settles && is_one(v))) else {
                weights.push(0);
                continue;
            };
            let ratio = Ratio::of_asset(view.scale, view.price.high, Ppb::ONE)?;
            let mut weight = ratio.apply(add(add(e.balance, e.owed)?, e.indexed)?, Rounding::Up)?;
            for p in positions.iter().filter(|p| p.settlement.id == *id) {
                weight = add(weight, converted(p, notional(p)?)?)?;
            }
            weights.push(weight);
        }
        for p in positions {
            weights.push(converted(p, notional(p)?)?.max(1));
        }
        Ok(weights)
    }

    // owed x index' / index <= owed grown by so many ppb
    fn index(&mut self, id: AssetId, e: &mut Exposure, budget: i128) -> Result<(), MarginError> {
        if e.indexed == 0 {
            return Ok(());
        }
        let now = self.model.liability(self.world, id, e.indexed, self.level)?;
        let grown = |ppb: i64| Ppb(Ppb::ONE.0.saturating_add(ppb)).of_units(e.indexed, Rounding::Up);
        let growth = reach(Ppb::ONE.0, 1_000, |ppb| {
            let then = grown(ppb).map_err(MarginError::from);
            let then = then.and_then(|owed| self.model.liability(self.world, id, owed, self.level));
            then.is_ok_and(|then| then.saturating_sub(now) <= budget)
        });
        let index = usable_asset(self.world, id)?.debt_index.get();
        let index = i128::try_from(index).map_err(|_| MathError::Overflow)?;
        let high = if growth == 0 {
            index
        } else {
            Ppb(Ppb::ONE.0.saturating_add(growth)).of_units(index, Rounding::Down)?
        };
        e.indexed = if growth == 0 { e.indexed } else { grown(growth)? };
        self.push(Coordinate::DebtIndex(id), i128::MIN, high);
        Ok(())
    }

    // requirements do not fall with open interest or volatility: only the upper end is bounded, and the marks below are
    // measured there
    fn scale(&mut self, held: &mut Held<'_>, budget: i128) -> Result<(), MarginError> {
        let id = held.position.market;
        let reads = self.model.reads(id, self.level)?;
        if !(reads.open_interest || reads.volatility) {
            return Ok(());
        }
        let Some(now) = self.model.scale(&held.market, self.level)? else {
            self.push(Coordinate::Scale(id), 1, 0);
            return Ok(());
        };
        let price = held.adverse();
        let (_, demand) = held.at(self.model, price, self.level)?;
        let raised = |by: i64| {
            let mut raised = *held;
            if reads.open_interest {
                raised.market.open_interest = Lots::new(held.market.open_interest.get().saturating_add(by));
            } else {
                raised.market.volatility = Ppb(held.market.volatility.0.saturating_add(by));
            }
            raised
        };
        let now_ticks = i64::try_from(now).map_err(|_| MathError::Overflow)?;
        let most = (i64::MAX >> 1).saturating_sub(now_ticks.max(0)).max(0);
        let by = reach(most, (now_ticks >> 4).max(1), |by| {
            let then = raised(by).at(self.model, price, self.level);
            then.is_ok_and(|(_, d)| d.saturating_sub(demand) <= budget)
        });
        *held = raised(by);
        self.push(Coordinate::Scale(id), i128::MIN, now.saturating_add(i128::from(by)));
        Ok(())
    }

    fn price(
        &mut self,
        id: AssetId,
        e: Exposure,
        positions: &mut [Held<'_>],
        budget: i128,
    ) -> Result<(), MarginError> {
        let weight = self.model.asset_terms(id).map_or(Ppb::ZERO, |t| t.collateral.at(self.level));
        if weight == Ppb::ZERO && e.owed == 0 && e.indexed == 0 && !e.settles {
            return Ok(());
        }
        let view = *usable_asset(self.world, id)?;
        let (low, high) = (view.price.low.get(), view.price.high.get());
        if e.settles && is_one(&view) {
            // while it is the numeraire it converts nothing; as soon as it is not, everything is computed anew
            self.push(Coordinate::Price(id), i128::from(low), i128::from(high));
            return Ok(());
        }
        let owed = e.owed.checked_add(e.indexed).ok_or(MathError::Overflow)?;
        let loss = |low: i64, high: i64, positions: &[Held<'_>]| -> Result<i128, MarginError> {
            let mut slack: i128 = 0;
            if e.balance > 0 && weight != Ppb::ZERO {
                slack =
                    Ratio::of_asset(view.scale, Ticks::new(low), weight)?.apply(e.balance, Rounding::Down)?;
            }
            if owed > 0 {
                let weight = self.model.liability_weight(id, self.level);
                let ratio = Ratio::of_asset(view.scale, Ticks::new(high), weight)?;
                let demand = ratio.apply(owed, Rounding::Up)?;
                slack = slack.checked_sub(demand).ok_or(MathError::Overflow)?;
            }
            for p in positions.iter().filter(|p| p.settlement.id == id) {
                let p = converting(p, low, high);
                slack = slack.checked_add(own(&p, self.model, self.level)?).ok_or(MathError::Overflow)?;
            }
            Ok(slack)
        };
        let now = loss(low, high, positions)?;
        let safe = |low, high, budget: i128| {
            loss(low, high, positions).is_ok_and(|then| now.saturating_sub(then) <= budget)
        };
        let half = wide::div(budget.max(0), 2, Rounding::Down)?;
        let (down, up) = if e.settles {
            // one width for both ends, each at its worst together
            let width = reach(low.saturating_sub(1), (low >> 6).max(1), |d| {
                safe(low.saturating_sub(d), high.saturating_add(d), budget)
            });
            (width, width)
        } else {
            let (for_low, for_high) = if owed > 0 && e.balance > 0 { (half, half) } else { (budget, budget) };
            let guess = (low >> 4).max(1);
            let down = reach(low.saturating_sub(1), guess, |d| safe(low.saturating_sub(d), high, for_low));
            let most = (i64::MAX >> 1).saturating_sub(high).max(0).min(high.saturating_mul(1 << 10));
            let up = reach(most, guess, |d| safe(low, high.saturating_add(d), for_high));
            (down, up)
        };
        let (low, high) = (low.saturating_sub(down), high.saturating_add(up));
        for p in positions.iter_mut().filter(|p| p.settlement.id == id) {
            *p = converting(p, low, high);
        }
        self.push(Coordinate::Price(id), i128::from(low), i128::from(high));
        Ok(())
    }

    // slack loses at most the growth of funding itself, converted at the highest price in the box
    fn funding(&mut self, held: &Held<'_>, budget: i128) -> Result<(), MarginError> {
        let (id, lots) = (held.position.market, held.position.lots);
        let now = held.market.funding.get();
        if lots.is_zero() {
            return Ok(());
        }
        let most = i64::try_from(budget.max(0)).unwrap_or(i64::MAX);
        let quanta = reach(most, most, |q| converted(held, i128::from(q)).is_ok_and(|c| c <= budget));
        // pending grows by at most ceil(|lots| x move / 2^32) <= quanta
        let quanta = i128::from(quanta.saturating_sub(1).max(0));
        let magnitude = i128::from(lots.try_abs()?.get());
        let moved = wide::mul_div(quanta, 1 << 32, magnitude, Rounding::Down)?;
        if lots.is_negative() {
            self.push(Coordinate::Funding(id), now.saturating_sub(moved), i128::MAX);
        } else {
            self.push(Coordinate::Funding(id), i128::MIN, now.saturating_add(moved));
        }
        Ok(())
    }

    fn mark(&mut self, held: &Held<'_>, budget: i128) -> Result<(), MarginError> {
        let id = held.position.market;
        if held.position.lots.is_zero() {
            return Ok(());
        }
        // the end that is read: a move of the other end changes nothing, so both bounds are measured from here
        let from = held.adverse().get();
        let (support, demand) = held.at(self.model, held.adverse(), self.level)?;
        let now = support.checked_sub(demand).ok_or(MathError::Overflow)?;
        let maintenance = matches!(self.level, Level::Backstop | Level::Maintenance);
        let concave = maintenance && !self.model.reads(id, self.level)?.open_interest;
        let safe = |price: i64| {
            held.at(self.model, Ticks::new(price), self.level).is_ok_and(|(s, d)| {
                let (s, d) = if concave { (s, d) } else { (s.min(support), d.max(demand)) };
                now.saturating_sub(s.saturating_sub(d)) <= budget
            })
        };
        let lots = i128::from(held.position.lots.try_abs()?.get());
        let unit = lots.saturating_mul(i128::from(held.market.scale.quanta_per_lot_tick()));
        let guess = wide::div(budget.max(0), unit.max(1), Rounding::Down)?;
        let guess = i64::try_from(guess).unwrap_or(i64::MAX).max(1);
        let down = reach(from.saturating_sub(1), guess, |d| safe(from.saturating_sub(d)));
        let most = held.highest()?.saturating_sub(from).max(0).min(from.saturating_mul(1 << 10));
        let up = reach(most, guess, |d| safe(from.saturating_add(d)));
        self.push(
            Coordinate::Mark(id),
            i128::from(from.saturating_sub(down)),
            i128::from(from.saturating_add(up)),
        );
        Ok(())
    }
}

fn notional(held: &Held<'_>) -> Result<i128, MathError> {
    held.market.scale.absolute_notional(held.position.lots, held.adverse()).map(Quanta::get)
}

fn own(held: &Held<'_>, model: &CrossMargin, level: Level) -> Result<i128, MarginError> {
    let (support, demand) = held.at(model, held.adverse(), level)?;
    Ok(support.checked_sub(demand).ok_or(MathError::Overflow)?)
}

// quanta of the settlement asset as quanta of the numeraire at the highest price, rounded up
fn converted(held: &Held<'_>, quanta: i128) -> Result<i128, MathError> {
    match held.conversion {
        None => Ok(quanta),
        Some(p) => Ratio::of_settlement(held.settlement.scale, p.high, Ppb::ONE)?.apply(quanta, Rounding::Up),
    }
}

fn converting<'a>(held: &Held<'a>, low: i64, high: i64) -> Held<'a> {
    let mut held = *held;
    held.conversion =
        held.conversion.map(|p| PriceView { low: Ticks::new(low), high: Ticks::new(high), ..p });
    held
}

/// A distance in 0..=limit that is safe, and where it is not the limit, within 1/128 of the last one that is. `safe` must
/// hold up to some distance and not beyond it; zero counts as safe.
fn reach(limit: i64, guess: i64, safe: impl Fn(i64) -> bool) -> i64 {
    if limit <= 0 {
        return 0;
    }
    if safe(limit) {
        return limit;
    }
    let (mut good, mut bad) = edge(limit, guess.clamp(1, limit), &safe);
    // good < bad, and `bad` is not safe; halves until the gap is small against what is safe
    while bad.saturating_sub(good) > (good >> 7).max(1) {
        let middle = good.midpoint(bad);
        if safe(middle) { good = middle } else { bad = middle }
    }
    good
}

/// A safe distance and one beyond it that is not: searched from a guess, which is usually near, in growing steps towards the edge.
fn edge(limit: i64, guess: i64, safe: &impl Fn(i64) -> bool) -> (i64, i64) {
    let mut step = (guess >> 6).max(1);
    if guess < limit && safe(guess) {
        let (mut good, mut probe) = (guess, guess.saturating_add(step));
        while probe < limit && safe(probe) {
            good = probe;
            step = step.saturating_mul(2);
            probe = probe.saturating_add(step);
        }
        return (good, probe.min(limit));
    }
    let (mut bad, mut probe) = (guess, guess.saturating_sub(step));
    while probe > 0 && !safe(probe) {
        bad = probe;
        step = step.saturating_mul(2);
        probe = probe.saturating_sub(step);
    }
    (probe.max(0), bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    // whatever the guess, the distance found is safe and at most 1/128 short of the last that is
    #[test]
    fn a_reach_is_safe_and_close_to_the_edge() {
        let edges = [0, 1, 2, 3, 63, 64, 127, 1_000, 999_999, 1 << 40, i64::MAX >> 1];
        let guesses = [1, 2, 64, 1_000, 1_000_000, 1 << 40, i64::MAX];
        for last in edges {
            for guess in guesses.into_iter().chain([last, last - 1, last + 1, last / 2, last / 64 * 65]) {
                for limit in
                    [last.saturating_add(1), last.saturating_mul(3).saturating_add(5), i64::MAX, last]
                {
                    let found = reach(limit, guess, |d| d <= last);
                    assert!(
                        found <= last && last - found <= (found >> 7).max(1),
                        "{last} {guess} {limit}: {found}"
                    );
                }
            }
        }
    }
}
