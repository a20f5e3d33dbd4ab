//! The book of all groups in columns: one 64-byte line of state per group, positions, balances and debts in arenas beside
//! it. A sweep reads the lines and three columns; an account is found without a search.

use crate::account::check_cost;
use crate::arena::{Full, SPAN_LIMIT, Span, Table};
use crate::columns::{PairColumns, PositionColumns};
use crate::{Account, Balance, BookError, Debt, Holdings, MarginError, Position};
use alloc::vec::Vec;
use cofferdam_core::{
    Amount, AssetId, FundingIndex, GroupId, Item, Lots, MarketId, MathError, Quanta, Scaled, World,
};

/// State of one group: one cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C, align(64))]
pub(crate) struct Line {
    /// Balance of the cash asset.
    pub(crate) cash: i128,
    /// Sum of the costs of all positions.
    pub(crate) cost: i128,
    pub(crate) positions: Span,
    pub(crate) balances: Span,
    pub(crate) debts: Span,
}

const _: () = assert!(size_of::<Line>() == 64);

impl Line {
    pub(crate) fn is_empty(&self) -> bool {
        self.cash == 0 && self.positions.is_empty() && self.balances.is_empty() && self.debts.is_empty()
    }
}

/// Sums over the positions of one market.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) long: Lots,
    pub(crate) short: Lots,
    /// No position of the market holds more lots than this; it only grows between rebuilds.
    pub(crate) lots_max: u64,
}

impl Interest {
    fn after(mut self, before: Lots, after: Lots) -> Result<Self, MathError> {
        self.long = self.long.try_sub(before.positive_part())?.try_add(after.positive_part())?;
        let (gone, come) = (before.try_neg()?.positive_part(), after.try_neg()?.positive_part());
        self.short = self.short.try_sub(gone)?.try_add(come)?;
        self.lots_max = self.lots_max.max(after.get().unsigned_abs());
        Ok(self)
    }
}

/// All margin groups.
///
/// ```
/// use cofferdam_core::{AssetId, FundingIndex, GroupId, Item, Lots, MarketId, Quanta};
/// use cofferdam_margin_engine::Book;
/// let (alice, bob, eth) = (GroupId(1), GroupId(2), Item::Position(MarketId(0)));
/// let mut book = Book::new();
/// book.post(alice, Item::Asset(AssetId(0)), 1_000, Quanta::ZERO, FundingIndex::ZERO)?;
/// book.post(alice, eth, 5, Quanta::new(100), FundingIndex::ZERO)?;
/// book.post(bob, eth, -5, Quanta::new(-100), FundingIndex::ZERO)?;
/// assert_eq!(book.open_interest(MarketId(0)), (Lots::new(5), Lots::new(5)));
/// assert_eq!(book.groups().collect::<Vec<_>>(), [alice, bob]);
/// # Ok::<(), cofferdam_margin_engine::BookError>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Book {
    cash: AssetId,
    pub(crate) lines: Vec<Line>,
    pub(crate) positions: Table<PositionColumns>,
    pub(crate) balances: Table<PairColumns>,
    pub(crate) debts: Table<PairColumns>,
    interest: Vec<(MarketId, Interest)>,
    held: usize,
}

impl Book {
    /// The first group id that is refused: lines are dense, so an id costs the memory of every id below it.
    pub const GROUPS_LIMIT: u32 = 1 << 26;

    /// An empty book whose cash asset, kept in the line itself, is asset 0.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty book with another cash asset: the one in which most markets settle. Changes speed, never an answer.
    #[must_use]
    pub fn with_cash(asset: AssetId) -> Self {
        Self { cash: asset, ..Self::default() }
    }

    /// The asset that is kept in the line itself.
    #[must_use]
    pub const fn cash_asset(&self) -> AssetId {
        self.cash
    }

    pub(crate) fn line(&self, group: GroupId) -> Line {
        self.lines.get(group.0 as usize).copied().unwrap_or_default()
    }

    fn line_mut(&mut self, group: GroupId) -> Result<&mut Line, BookError> {
        let error = BookError::GroupOutOfRange { group, limit: Self::GROUPS_LIMIT };
        if group.0 >= Self::GROUPS_LIMIT {
            return Err(error);
        }
        let at = group.0 as usize;
        if at >= self.lines.len() {
            self.lines.resize(at.saturating_add(1), Line::default());
        }
        self.lines.get_mut(at).ok_or(error)
    }

    /// Whether a group holds anything.
    #[must_use]
    pub fn contains(&self, group: GroupId) -> bool {
        !self.line(group).is_empty()
    }

    /// How many groups hold anything.
    #[must_use]
    pub fn len(&self) -> usize {
        self.held
    }

    /// Whether no group holds anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held == 0
    }

    /// Groups that hold anything, in ascending order.
    pub fn groups(&self) -> impl Iterator<Item = GroupId> + '_ {
        let held = |(i, line): (usize, &Line)| {
            if line.is_empty() { None } else { u32::try_from(i).ok().map(GroupId) }
        };
        self.lines.iter().enumerate().filter_map(held)
    }

    /// Markets in which anything was ever held, in ascending order.
    pub fn markets(&self) -> impl Iterator<Item = MarketId> + '_ {
        self.interest.iter().map(|(m, _)| *m)
    }

    /// Lots held long and lots held short (a magnitude) in a market: equal to the sums over all groups (INV-8).
    #[must_use]
    pub fn open_interest(&self, market: MarketId) -> (Lots, Lots) {
        let sums = self.interest_of(market);
        (sums.long, sums.short)
    }

    pub(crate) fn interest_of(&self, market: MarketId) -> Interest {
        let at = self.interest.binary_search_by_key(&market, |(m, _)| *m);
        at.ok().and_then(|i| self.interest.get(i)).map_or(Interest::default(), |(_, s)| *s)
    }

    fn set_interest(&mut self, market: MarketId, sums: Interest) {
        match self.interest.binary_search_by_key(&market, |(m, _)| *m) {
            Ok(i) => {
                if let Some(slot) = self.interest.get_mut(i) {
                    slot.1 = sums;
                }
            }
            Err(i) => self.interest.insert(i, (market, sums)),
        }
    }

    /// A position of a group.
    #[must_use]
    pub fn position(&self, group: GroupId, market: MarketId) -> Option<Position> {
        self.positions.get(self.line(group).positions, market.0)
    }

    /// The balance of a group, zero when there is none.
    #[must_use]
    pub fn balance(&self, group: GroupId, asset: AssetId) -> Amount {
        let line = self.line(group);
        if asset == self.cash {
            return Amount::new(line.cash);
        }
        self.balances.get(line.balances, asset.0).map_or(Amount::ZERO, |(_, x)| Amount::new(x))
    }

    /// The debt of a group in scaled units, zero when there is none.
    #[must_use]
    pub fn debt(&self, group: GroupId, asset: AssetId) -> Scaled {
        let debt = self.debts.get(self.line(group).debts, asset.0);
        debt.map_or(Scaled::ZERO, |(_, x)| Scaled::new(x.unsigned_abs()))
    }

    /// Adds a posting to a group, exactly as [`Account::apply`] does. On an error nothing has changed (INV-41).
    pub fn post(
        &mut self,
        group: GroupId,
        item: Item,
        units: i128,
        cost: Quanta,
        funding_now: FundingIndex,
    ) -> Result<(), BookError> {
        check_cost(item, cost)?;
        let before = *self.line_mut(group)?;
        let mut line = before;
        match item {
            Item::Position(market) => {
                let old = self.positions.get(line.positions, market.0);
                let new = Position::after(old, market, units, cost, funding_now)?;
                self.set_position(group, &mut line, market, old, new)?;
            }
            Item::Asset(asset) if asset == self.cash => {
                line.cash =
                    Balance::after(Amount::new(line.cash), asset, units)?.map_or(0, |b| b.amount.get());
            }
            Item::Asset(asset) => {
                let new = Balance::after(self.balance(group, asset), asset, units)?;
                let row = new.map(|b| (asset.0, b.amount.get()));
                line.balances = self
                    .balances
                    .set(line.balances, asset.0, row)
                    .map_err(|f| full(f, group, line.balances))?;
            }
            Item::Debt(asset) => {
                let new = Debt::after(self.debt(group, asset), asset, units)?;
                let row = new.map(|d| (asset.0, signed(d.scaled)));
                line.debts =
                    self.debts.set(line.debts, asset.0, row).map_err(|f| full(f, group, line.debts))?;
            }
            Item::Share(_) => return Err(BookError::NotHeldHere(item)),
        }
        self.put_line(group, before, line)
    }

    // the line's own position list and cost, and the market's open interest; refuses before it writes
    fn set_position(
        &mut self,
        group: GroupId,
        line: &mut Line,
        market: MarketId,
        old: Option<Position>,
        new: Option<Position>,
    ) -> Result<(), BookError> {
        let lots = |p: Option<Position>| p.map_or(Lots::ZERO, |p| p.lots);
        let cost = |p: Option<Position>| p.map_or(Quanta::ZERO, |p| p.cost);
        let sums = self.interest_of(market).after(lots(old), lots(new))?;
        let total = Quanta::new(line.cost).try_sub(cost(old))?.try_add(cost(new))?;
        line.positions =
            self.positions.set(line.positions, market.0, new).map_err(|f| full(f, group, line.positions))?;
        line.cost = total.get();
        self.set_interest(market, sums);
        Ok(())
    }

    fn put_line(&mut self, group: GroupId, before: Line, after: Line) -> Result<(), BookError> {
        *self.line_mut(group)? = after;
        match (before.is_empty(), after.is_empty()) {
            (true, false) => self.held = self.held.saturating_add(1), // at most GROUPS_LIMIT
            (false, true) => self.held = self.held.saturating_sub(1), // it was counted
            _ => {}
        }
        Ok(())
    }

    /// What a group holds; empty when absent.
    #[must_use]
    pub fn load(&self, group: GroupId) -> Account {
        let mut account = Account::new();
        self.load_into(group, &mut account);
        account
    }

    /// [`Book::load`] into an account that is reused.
    pub fn load_into(&self, group: GroupId, account: &mut Account) {
        let line = self.line(group);
        account.clear();
        account.positions.extend(self.positions.rows(line.positions));
        account.balances.extend(self.balances_of(&line));
        account.debts.extend(self.debts_of(&line));
    }

    /// What a group holds in `world`, funding and interest to now, without an account in between.
    pub fn view(&self, group: GroupId, world: &dyn World, into: &mut Holdings) -> Result<(), MarginError> {
        let line = self.line(group);
        let positions = self.positions.rows(line.positions);
        into.fill(world, positions, self.balances_of(&line), self.debts_of(&line))
    }

    // the cash balance takes its place among the others
    fn balances_of(&self, line: &Line) -> impl Iterator<Item = Balance> + '_ {
        let of = |(asset, x)| Balance { asset: AssetId(asset), amount: Amount::new(x) };
        let cash = (line.cash != 0).then_some(Balance { asset: self.cash, amount: Amount::new(line.cash) });
        let (at, span) = (self.cash, line.balances);
        let below = self.balances.rows(span).map(of).filter(move |b| b.asset < at);
        let above = self.balances.rows(span).map(of).filter(move |b| b.asset > at);
        below.chain(cash).chain(above)
    }

    fn debts_of(&self, line: &Line) -> impl Iterator<Item = Debt> + '_ {
        let of =
            |(asset, x): (u32, i128)| Debt { asset: AssetId(asset), scaled: Scaled::new(x.unsigned_abs()) };
        self.debts.rows(line.debts).map(of)
    }

    /// Replaces what a group holds. On an error nothing has changed.
    pub fn store(&mut self, group: GroupId, account: &Account) -> Result<(), BookError> {
        let old = self.load(group);
        self.clear(group)?;
        let stored = self.write(group, account);
        if stored.is_err() {
            // what was there a moment ago fits again: room and sums were given back by `clear`
            self.clear(group)?;
            self.write(group, &old)?;
        }
        stored
    }

    fn clear(&mut self, group: GroupId) -> Result<(), BookError> {
        let before = *self.line_mut(group)?;
        let rows: Vec<Position> = self.positions.rows(before.positions).collect();
        for p in rows {
            let sums = self.interest_of(p.market).after(p.lots, Lots::ZERO)?;
            self.set_interest(p.market, sums);
        }
        self.positions.release(before.positions);
        self.balances.release(before.balances);
        self.debts.release(before.debts);
        self.put_line(group, before, Line::default())
    }

    fn write(&mut self, group: GroupId, account: &Account) -> Result<(), BookError> {
        for p in account.positions() {
            let cost = p.cost;
            self.post(group, Item::Position(p.market), i128::from(p.lots.get()), cost, p.snapshot)?;
        }
        for b in account.balances() {
            self.post(group, Item::Asset(b.asset), b.amount.get(), Quanta::ZERO, FundingIndex::ZERO)?;
        }
        for d in account.debts() {
            self.post(group, Item::Debt(d.asset), signed(d.scaled), Quanta::ZERO, FundingIndex::ZERO)?;
        }
        Ok(())
    }

    /// The book as bytes, for the state hash: groups in ascending order, what each holds in ascending order of id, little
    /// endian. Depends on what is held and on nothing else: not on history, not on the cash asset.
    pub fn canonical(&self, sink: &mut dyn FnMut(&[u8])) {
        for group in self.groups() {
            self.canonical_group(group, sink);
        }
    }

    /// The bytes of one group within [`Book::canonical`].
    pub fn canonical_group(&self, group: GroupId, sink: &mut dyn FnMut(&[u8])) {
        let line = self.line(group);
        let balances = line.balances.len().saturating_add(usize::from(line.cash != 0));
        sink(&group.0.to_le_bytes());
        // spans hold at most 2^15 rows, so the counts fit 32 bits
        for count in [line.positions.len(), balances, line.debts.len()] {
            sink(&u32::try_from(count).unwrap_or(u32::MAX).to_le_bytes());
        }
        for p in self.positions.rows(line.positions) {
            sink(&p.market.0.to_le_bytes());
            sink(&p.lots.get().to_le_bytes());
            sink(&p.cost.get().to_le_bytes());
            sink(&p.snapshot.get().to_le_bytes());
        }
        for b in self.balances_of(&line) {
            sink(&b.asset.0.to_le_bytes());
            sink(&b.amount.get().to_le_bytes());
        }
        for d in self.debts_of(&line) {
            sink(&d.asset.0.to_le_bytes());
            sink(&d.scaled.get().to_le_bytes());
        }
    }

    /// Reads once what a sweep reads (the lines, and market, lots and snapshot of every position) and returns how many bytes
    /// that is and their sum, wrapping. No sweep can be faster; benchmarks measure it as a share of this. The sum depends on
    /// the layout, so it is no state hash: see [`Book::canonical`].
    #[doc(hidden)]
    #[must_use]
    pub fn stream(&self) -> (usize, u64) {
        let columns = &self.positions.columns;
        let lines = self.lines.iter().fold(0_u128, |sum, line| {
            let numbers = line.cash.wrapping_add(line.cost).cast_unsigned();
            let spans = line.positions.bits() ^ line.balances.bits() ^ line.debts.bits();
            sum.wrapping_add(numbers).wrapping_add(u128::from(spans))
        });
        let snapshots = columns.snapshot.iter().fold(0_i128, |sum, x| sum.wrapping_add(*x));
        let lots = columns.lots.iter().fold(0_i64, |sum, x| sum.wrapping_add(*x));
        let markets = columns.market.iter().fold(0_u64, |sum, x| sum.wrapping_add(u64::from(*x)));
        let bytes = size_of_val(&*self.lines)
            .wrapping_add(size_of_val(&*columns.snapshot))
            .wrapping_add(size_of_val(&*columns.lots))
            .wrapping_add(size_of_val(&*columns.market));
        let wide = lines ^ snapshots.cast_unsigned();
        (bytes, fold(wide) ^ lots.cast_unsigned() ^ markets)
    }

    /// Lays the arenas out anew in ascending order of group, without gaps, and recomputes every sum. No answer changes.
    pub fn rebuild(&mut self) -> Result<(), BookError> {
        let mut fresh = Self::with_cash(self.cash);
        fresh.lines.reserve(self.lines.len());
        for group in self.groups() {
            let line = self.line(group);
            let at = |f| full(f, group, line.positions);
            let positions: Vec<Position> = self.positions.rows(line.positions).collect();
            for p in &positions {
                let sums = fresh.interest_of(p.market).after(Lots::ZERO, p.lots)?;
                fresh.set_interest(p.market, sums);
            }
            let balances: Vec<(u32, i128)> = self.balances.rows(line.balances).collect();
            let debts: Vec<(u32, i128)> = self.debts.rows(line.debts).collect();
            let moved = Line {
                positions: fresh.positions.append(positions.into_iter()).map_err(at)?,
                balances: fresh.balances.append(balances.into_iter()).map_err(at)?,
                debts: fresh.debts.append(debts.into_iter()).map_err(at)?,
                ..line
            };
            fresh.put_line(group, Line::default(), moved)?;
        }
        *self = fresh;
        Ok(())
    }

    /// Whether every sum equals its parts and every list is sorted, without empty rows, in room of its own (INV-8, INV-45).
    pub fn check(&self) -> Result<(), BookError> {
        let mut sums: alloc::collections::BTreeMap<MarketId, Interest> = alloc::collections::BTreeMap::new();
        let mut room = [0_usize; 3];
        for group in self.groups() {
            let line = self.line(group);
            let wrong = |what| BookError::Inconsistent { group, what };
            let mut cost = Quanta::ZERO;
            for p in self.positions.rows(line.positions) {
                let sum = sums.entry(p.market).or_default();
                *sum = sum.after(Lots::ZERO, p.lots)?;
                cost = cost.try_add(p.cost)?;
                if p.lots.is_zero() && p.cost.is_zero() {
                    return Err(wrong("an empty position"));
                }
            }
            if cost.get() != line.cost {
                return Err(wrong("the sum of costs"));
            }
            if !self.load(group).is_sorted() {
                return Err(wrong("the order of a list"));
            }
            let used = [
                self.positions.room_of(line.positions),
                self.balances.room_of(line.balances),
                self.debts.room_of(line.debts),
            ];
            for (sum, used) in room.iter_mut().zip(used) {
                *sum = sum.saturating_add(used);
            }
        }
        let (group, extents) = (
            GroupId(0),
            [
                self.positions.extent().saturating_sub(self.positions.free_rows()),
                self.balances.extent().saturating_sub(self.balances.free_rows()),
                self.debts.extent().saturating_sub(self.debts.free_rows()),
            ],
        );
        if room != extents {
            return Err(BookError::Inconsistent { group, what: "rows in use against rows laid out" });
        }
        if self.held != self.groups().count() {
            return Err(BookError::Inconsistent { group, what: "the number of groups" });
        }
        for (market, kept) in &self.interest {
            let sum = sums.get(market).copied().unwrap_or_default();
            if (sum.long, sum.short) != (kept.long, kept.short) || sum.lots_max > kept.lots_max {
                return Err(BookError::Inconsistent { group, what: "the open interest of a market" });
            }
        }
        Ok(())
    }
}

impl Account {
    fn is_sorted(&self) -> bool {
        self.positions.is_sorted_by(|a, b| a.market < b.market)
            && self.balances.is_sorted_by(|a, b| a.asset < b.asset)
            && self.debts.is_sorted_by(|a, b| a.asset < b.asset)
    }
}

// both halves of a sum
fn fold(x: u128) -> u64 {
    let [low, high] = [x, x >> 64].map(|half| u64::try_from(half & u128::from(u64::MAX)).unwrap_or(0));
    low ^ high
}

fn full(_: Full, group: GroupId, span: Span) -> BookError {
    BookError::TooManyEntries { group, held: span.len(), limit: SPAN_LIMIT }
}

// scaled units are at most 2^120
fn signed(scaled: Scaled) -> i128 {
    i128::try_from(scaled.get()).unwrap_or(i128::MAX)
}
