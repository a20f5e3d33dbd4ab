//! A full sweep of the book under a cross-margin model: the same answers as assessing every group, in one pass over the
//! columns (INV-15, INV-16).
//!
//! Market constants are computed once per sweep; the kernel needs no division and no requirement object. An account goes the
//! general way when something about it is odd: a market outside the kernel's bounds, a requirement that depends on lots, a
//! settlement asset other than the numeraire, a gain that counts in part, a negative balance, or a comparison that is too close
//! to call before rounding.

use crate::book::Line;
use crate::cross::{Market, marked};
use crate::holdings::owed;
use crate::kernels::{
    DEDUCTION_LIMIT, NARROW_BITS, Narrow, PIECES, PROFIT_LIMIT, QUANTUM, Row, SHIFT_MAX, SMALL_BITS,
    SMALL_COUNT, Step, Terms, Totals, Verdict, compare, compare_whole, narrow_fuzz, position,
};
use crate::valuation::{Ratio, is_one};
use crate::{Book, CrossMargin, Holdings, MarginError, MarginSweep, Piece, Pieces, Stage};
use alloc::vec::Vec;
use cofferdam_core::{
    AssetId, GroupId, Index, Level, MarketId, MarketView, Ppb, Rounding, Scaled, World, wide,
};

/// Markets and assets with larger ids go the general way: the tables are dense.
const DENSE: u32 = 1 << 16;

/// A book and the model it is swept under.
///
/// Fast at the levels maintenance, initial and withdraw; at the others every account goes the general way. A group that
/// cannot be assessed makes the sweep fail with the error of the first such group.
#[derive(Clone, Copy, Debug)]
pub struct SweepBook<'a> {
    book: &'a Book,
    model: &'a CrossMargin,
}

impl<'a> SweepBook<'a> {
    /// Sweeps `book` under `model`.
    #[must_use]
    pub const fn new(book: &'a Book, model: &'a CrossMargin) -> Self {
        Self { book, model }
    }
}

impl MarginSweep for SweepBook<'_> {
    fn sweep(&self, world: &dyn World, level: Level, found: &mut Vec<GroupId>) -> Result<(), MarginError> {
        if !self.model.levels.has(level) {
            return Ok(());
        }
        let tables = Tables::new(self.book, self.model, world, level);
        match tables.more {
            0 => self.run::<0>(&tables, world, level, found),
            1 => self.run::<1>(&tables, world, level, found),
            2 => self.run::<2>(&tables, world, level, found),
            3 | 4 => self.run::<4>(&tables, world, level, found),
            _ => self.run::<PIECES>(&tables, world, level, found),
        }
    }
}

impl SweepBook<'_> {
    // compiled once per number of pieces, so that the largest of them is found without a loop
    fn run<const MORE: usize>(
        &self,
        tables: &Tables,
        world: &dyn World,
        level: Level,
        found: &mut Vec<GroupId>,
    ) -> Result<(), MarginError> {
        let row = |(t, steps): (&Terms, &Vec<Step>)| Row::new(t, steps);
        let rows: Vec<Row<MORE>> = if tables.small {
            tables.markets.iter().zip(&tables.steps).map_while(row).collect()
        } else {
            Vec::new()
        };
        let mut holdings = Holdings::new();
        for (id, line) in (0_u32..).map(GroupId).zip(&self.book.lines) {
            if line.is_empty() {
                continue;
            }
            let verdict = match tables.judge_narrow(&rows, self.book, line) {
                Some(verdict) => verdict,
                None => tables.judge(self.book, line),
            };
            let below = match verdict {
                Verdict::Below => true,
                Verdict::NotBelow => false,
                Verdict::Unsure => {
                    self.book.view(id, world, &mut holdings)?;
                    let exact = self.model.line(&holdings.group(id), world, level)?;
                    exact.is_some_and(|l| l.support < l.demand)
                }
            };
            if below {
                found.push(id);
            }
        }
        Ok(())
    }
}

/// What an atom of an asset counts for, in 1e-9 quanta; `None`: the general way.
#[derive(Clone, Copy, Debug, Default)]
struct AssetRow {
    collateral: Option<i128>,
    liability: Option<i128>,
    index: Index,
}

struct Tables {
    markets: Vec<Terms>,
    steps: Vec<Vec<Step>>,
    /// Whether every market that fits has the bounds of the narrow form.
    small: bool,
    /// The most steps besides the first, over all markets.
    more: usize,
    /// The largest fuzz of a position in the narrow form, with one quantum for the rounding of its funding.
    fuzz: i64,
    assets: Vec<AssetRow>,
    cash: Option<i128>,
    /// The same in whole quanta, zero where it is no whole number of them.
    cash_whole: i64,
}

impl Tables {
    fn new(book: &Book, model: &CrossMargin, world: &dyn World, level: Level) -> Self {
        let (mut markets, mut steps, mut small, mut more, mut fuzz) =
            (Vec::new(), Vec::new(), true, 0_usize, 0);
        for id in book.markets().take_while(|m| m.0 < DENSE) {
            let at = id.0 as usize; // below 2^16
            markets.resize(at.saturating_add(1), Terms::UNFIT);
            steps.resize(at.saturating_add(1), alloc::vec![Step::default()]);
            let Some((terms, own, bits)) = market_terms(book, model, world, level, id) else { continue };
            small &= bits <= SMALL_BITS;
            more = own.len().saturating_sub(1).max(more);
            if let Some(slot) = steps.get_mut(at) {
                *slot = own;
            }
            fuzz = terms.fuzz.max(fuzz);
            if let Some(slot) = markets.get_mut(at) {
                *slot = terms;
            }
        }
        let last =
            book.balances.columns.key.iter().chain(&book.debts.columns.key).filter(|k| **k < DENSE).max();
        let count = last.map_or(0, |k| k.saturating_add(1));
        let assets = (0..count).map(|a| asset_row(model, world, level, AssetId(a))).collect();
        let cash = asset_row(model, world, level, book.cash_asset()).collateral;
        let whole = cash.filter(|c| c.checked_rem(QUANTUM) == Some(0)).and_then(|c| c.checked_div(QUANTUM));
        let cash_whole = whole.and_then(|c| i64::try_from(c).ok()).unwrap_or(0);
        Self { markets, steps, small, more, fuzz: fuzz.saturating_add(1), assets, cash, cash_whole }
    }

    // `None` when a number is too large for it
    #[inline(always)]
    fn judge_narrow<const MORE: usize>(
        &self,
        rows: &[Row<MORE>],
        book: &Book,
        line: &Line,
    ) -> Option<Verdict> {
        let count = line.positions.len();
        if count > SMALL_COUNT {
            return None;
        }
        let (range, columns) = (line.positions.range(), &book.positions.columns);
        let markets = columns.market.get(range.clone())?;
        let lots = columns.lots.get(range.clone())?;
        let snapshots = columns.snapshot.get(range)?;
        let sums = narrow_sums(rows, markets, lots, snapshots)?;
        let (profit, fuzz) = (sums.profit(line.cost)?, narrow_fuzz(self.fuzz, count));
        if line.balances.is_empty() && line.debts.is_empty() && (line.cash == 0 || self.cash_whole != 0) {
            let cash = i64::try_from(line.cash).ok().filter(|c| *c >= 0)?;
            let support = profit.checked_add(cash.checked_mul(self.cash_whole)?)?;
            return compare_whole(support, sums.demand(), fuzz);
        }
        let mut support = i128::from(profit).wrapping_mul(QUANTUM); // < 2^93
        if line.cash != 0 {
            let cash = i64::try_from(line.cash).ok().filter(|c| *c > 0)?;
            support = support.checked_add(i128::from(cash).checked_mul(self.cash?)?)?;
        }
        self.with_others(book, line, support, i128::from(sums.demand()).wrapping_mul(QUANTUM), fuzz)
    }

    #[inline(always)]
    fn judge(&self, book: &Book, line: &Line) -> Verdict {
        let Some(totals) = self.positions(book, line) else { return Verdict::Unsure };
        let profit = totals.value.wrapping_sub(line.cost); // < 2^109 + 2^120
        let fits = |x: i128| x > -PROFIT_LIMIT && x < PROFIT_LIMIT;
        if !(fits(profit) && fits(line.cost)) {
            return Verdict::Unsure;
        }
        let mut support = profit.wrapping_mul(QUANTUM);
        if line.cash != 0 {
            let Some(cash) = self.cash.filter(|_| line.cash > 0).and_then(|c| line.cash.checked_mul(c))
            else {
                return Verdict::Unsure;
            };
            match support.checked_add(cash) {
                Some(sum) if fits(sum >> 29) => support = sum,
                _ => return Verdict::Unsure,
            }
        }
        let demand = totals.demand.wrapping_mul(QUANTUM); // < 2^96 x 2^30
        let fuzz = totals.fuzz.wrapping_add(1); // < 2^36
        if line.balances.is_empty() && line.debts.is_empty() {
            return compare(support, demand, fuzz);
        }
        self.with_others(book, line, support, demand, fuzz).unwrap_or(Verdict::Unsure)
    }

    #[inline(always)]
    fn positions(&self, book: &Book, line: &Line) -> Option<Totals> {
        let (range, columns) = (line.positions.range(), &book.positions.columns);
        let markets = columns.market.get(range.clone())?;
        let lots = columns.lots.get(range.clone())?;
        let snapshots = columns.snapshot.get(range)?;
        let rows = markets.iter().zip(lots).zip(snapshots);
        let mut totals = Totals::default();
        for ((market, lots), snapshot) in rows {
            if !position(self.markets.get(*market as usize)?, *lots, *snapshot, &mut totals) {
                return None;
            }
        }
        Some(totals)
    }

    // balances and debts besides the cash; `None` when a product leaves its range or a balance is negative
    fn with_others(
        &self,
        book: &Book,
        line: &Line,
        mut support: i128,
        mut demand: i128,
        mut fuzz: i64,
    ) -> Option<Verdict> {
        for (asset, amount) in book.balances.rows(line.balances) {
            let unit = self.assets.get(asset as usize)?.collateral.filter(|_| amount > 0)?;
            support = support.checked_add(amount.checked_mul(unit)?)?;
            fuzz = fuzz.checked_add(1)?;
        }
        for (asset, scaled) in book.debts.rows(line.debts) {
            let row = self.assets.get(asset as usize)?;
            let atoms = if row.index == Index::START {
                scaled
            } else {
                owed(Scaled::new(scaled.unsigned_abs()), row.index).ok()?.get()
            };
            demand = demand.checked_add(atoms.checked_mul(row.liability?)?)?;
            fuzz = fuzz.checked_add(1)?;
        }
        let fits = |x: i128| (x >> 126) == 0 || (x >> 126) == -1;
        (fits(support) && fits(demand)).then(|| compare(support, demand, fuzz))
    }
}

// a function of its own: the loop needs every register
#[inline(never)]
fn narrow_sums<const MORE: usize>(
    rows: &[Row<MORE>],
    markets: &[u32],
    lots: &[i64],
    snapshots: &[i128],
) -> Option<Narrow> {
    let mut sums = Narrow::default();
    for ((market, lots), snapshot) in markets.iter().zip(lots).zip(snapshots) {
        sums.add(rows.get(*market as usize)?, *lots, *snapshot);
    }
    Some(sums)
}

fn asset_row(model: &CrossMargin, world: &dyn World, level: Level, id: AssetId) -> AssetRow {
    let Some(view) = world.asset(id) else { return AssetRow::default() };
    let index = view.debt_index;
    let Some(terms) = model.asset_terms(id).filter(|_| view.price.is_usable()) else {
        return AssetRow { index, ..AssetRow::default() };
    };
    let unit = |price, weight| {
        let ratio = Ratio::of_asset(view.scale, price, weight).ok()?;
        // a whole number of 1e-9 quanta per atom, or the general way
        (QUANTUM.checked_rem(ratio.divisor)? == 0).then_some(())?;
        ratio.numerator.checked_mul(QUANTUM.checked_div(ratio.divisor)?)
    };
    AssetRow {
        collateral: unit(view.price.low, terms.collateral.at(level)),
        liability: unit(view.price.high, terms.liability.at(level)),
        index,
    }
}

// and how many bits |lots| x unit has; `None` wherever the kernel's bounds or its assumptions do not hold
fn market_terms(
    book: &Book,
    model: &CrossMargin,
    world: &dyn World,
    level: Level,
    id: MarketId,
) -> Option<(Terms, Vec<Step>, u32)> {
    let market = world.market(id)?;
    let settlement = world.asset(market.settlement)?;
    let terms = model.market_terms(id).ok()?;
    if !(market.mark.is_usable() && settlement.price.is_usable() && is_one(settlement)) {
        return None;
    }
    if terms.gain.at(level) != Ppb::ONE {
        return None;
    }
    // a requirement may read the mark: long positions are valued at low, short ones at high
    let pieces = pieces_at(model, terms, &marked(market, market.mark.low), level)?;
    if market.mark.low != market.mark.high
        && pieces != pieces_at(model, terms, &marked(market, market.mark.high), level)?
    {
        return None;
    }
    let k = market.scale.quanta_per_lot_tick();
    let (long_unit, short_unit) =
        (market.mark.low.get().checked_mul(k)?, market.mark.high.get().checked_mul(k)?);
    let largest = i128::from(book.interest_of(id).lots_max).checked_mul(i128::from(short_unit))?;
    let bits = 128_u32.saturating_sub(largest.leading_zeros());
    let shift = bits.saturating_sub(NARROW_BITS);
    (shift <= SHIFT_MAX).then_some(())?;
    let funding = market.funding.get();
    let terms = Terms { fit: true, shift, long_unit, short_unit, funding, ..Terms::UNFIT };
    Some((fitted(&pieces, terms)?, steps(&pieces.pieces)?, bits))
}

fn pieces_at(model: &CrossMargin, terms: &Market, market: &MarketView, level: Level) -> Option<Pieces> {
    let basic = |stage| terms.requirement.pieces(stage, market).ok().flatten();
    match level {
        Level::Maintenance => basic(Stage::Maintenance),
        Level::Initial => Some(basic(Stage::Maintenance)?.max(basic(Stage::Initial)?)),
        Level::Withdraw => {
            let floor = Pieces::flat(model.levels.withdraw_floor);
            Some(basic(Stage::Maintenance)?.max(basic(Stage::Initial)?).max(floor))
        }
        _ => None,
    }
}

fn fitted(pieces: &Pieces, mut terms: Terms) -> Option<Terms> {
    let (first, rest) = pieces.pieces.split_first()?;
    if first.deduction != 0 || rest.len() > PIECES || pieces.roundings >= 1 << 16 {
        return None;
    }
    terms.more = rest.len();
    terms.rate63 = rate63(first)?;
    terms.fuzz = 5_i64.checked_shl(terms.shift)?.checked_add(i64::from(pieces.roundings))?;
    let unit = QUANTUM.checked_shl(terms.shift)?;
    for (slot, piece) in terms.pieces.iter_mut().zip(rest) {
        let deduction = wide::div(piece.deduction, unit, Rounding::Up).ok()?;
        (0..=DEDUCTION_LIMIT).contains(&deduction).then_some(())?;
        *slot = (rate63(piece)?, i64::try_from(deduction).ok()?);
    }
    Some(terms)
}

/// The largest piece at every whole notional below 2^57, in ascending order. A piece with a higher rate is at least as large as
/// another from n = ceil((its deduction - the other's) / (its rate - the other's)) on.
fn steps(pieces: &[Piece]) -> Option<Vec<Step>> {
    let mut sorted = pieces.to_vec();
    sorted.sort_by_key(|p| (p.rate, p.deduction));
    sorted.dedup_by_key(|p| p.rate); // of those with one rate the smallest deduction stays
    let mut hull: Vec<(Piece, i128)> = Vec::new();
    for piece in sorted {
        let mut from = 0;
        while let Some((last, begins)) = hull.last() {
            let (more, steeper) =
                (piece.deduction.checked_sub(last.deduction)?, piece.rate.0.checked_sub(last.rate.0)?);
            from = wide::div(more, i128::from(steeper), Rounding::Up).ok()?.max(0);
            if from > *begins {
                break;
            }
            hull.pop(); // nowhere larger than the one before it or this one
        }
        if from < 1 << SMALL_BITS {
            hull.push((piece, if hull.is_empty() { 0 } else { from }));
        }
    }
    let step = |(piece, from): (Piece, i128)| {
        let deduction = wide::div(piece.deduction, QUANTUM, Rounding::Up).ok()?;
        let (deduction, twice_from) = (i64::try_from(deduction).ok()?, u64::try_from(from << 1).ok()?);
        Some(Step { twice_from, rate63: rate63(&piece)?, deduction })
    };
    hull.into_iter().map(step).collect()
}

// floor(rate x 2^63), for rates below two
fn rate63(piece: &Piece) -> Option<u64> {
    (0..2 * Ppb::ONE.0).contains(&piece.rate.0).then_some(())?;
    let scaled = i128::from(piece.rate.0).checked_shl(63)?; // < 2^31 x 2^63
    u64::try_from(scaled.checked_div(i128::from(Ppb::ONE.0))?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_step_of_a_notional_is_its_largest_piece() {
        let mut seed = 1_u64;
        let mut dice = |most: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) % most
        };
        for _ in 0..2_000 {
            // rates in steps of 10 %, deductions of a few quanta: everything crosses everything within 60 quanta
            let mut pieces = alloc::vec![Piece { rate: Ppb(100_000_000 * dice(10) as i64), deduction: 0 }];
            for _ in 0..dice(6) {
                let rate = Ppb(100_000_000 * dice(20) as i64);
                pieces.push(Piece { rate, deduction: i128::from(dice(12)) * QUANTUM / 2 });
            }
            let steps = steps(&pieces).unwrap();
            assert!(steps[0].twice_from == 0 && steps.is_sorted_by(|a, b| a.twice_from < b.twice_from));
            for n in 0..60_u64 {
                let at = |p: &Piece| i128::from(n) * i128::from(p.rate.0) - p.deduction;
                let step = steps.iter().rev().find(|s| s.twice_from <= 2 * n).unwrap();
                let most = pieces.iter().map(at).max().unwrap();
                let taken = |p: &&Piece| {
                    rate63(p) == Some(step.rate63)
                        && -(-p.deduction).div_euclid(QUANTUM) == i128::from(step.deduction)
                };
                assert!(pieces.iter().filter(taken).any(|p| at(p) == most), "{n}: {pieces:?} {steps:?}");
            }
        }
    }
}
