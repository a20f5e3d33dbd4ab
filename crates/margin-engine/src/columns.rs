//! The columns behind the book: positions, and pairs of a key and a number (balances, debts).

use crate::Position;
use crate::arena::Columns;
use alloc::vec::Vec;
use cofferdam_core::{FundingIndex, Lots, MarketId, Quanta};

/// Positions of all groups. What a sweep reads (market, lots, snapshot) lies apart from what it does not (cost).
#[derive(Clone, Debug, Default)]
pub(crate) struct PositionColumns {
    pub(crate) market: Vec<u32>,
    pub(crate) lots: Vec<i64>,
    pub(crate) snapshot: Vec<i128>,
    pub(crate) cost: Vec<i128>,
}

impl Columns for PositionColumns {
    type Row = Position;

    fn grow(&mut self, rows: usize) {
        self.market.resize(rows, 0);
        self.lots.resize(rows, 0);
        self.snapshot.resize(rows, 0);
        self.cost.resize(rows, 0);
    }

    fn keys(&self) -> &[u32] {
        &self.market
    }

    fn row(&self, i: usize) -> Option<Position> {
        Some(Position {
            market: MarketId(*self.market.get(i)?),
            lots: Lots::new(*self.lots.get(i)?),
            cost: Quanta::new(*self.cost.get(i)?),
            snapshot: FundingIndex::new(*self.snapshot.get(i)?),
        })
    }

    fn put(&mut self, i: usize, row: Position) {
        put(&mut self.market, i, row.market.0);
        put(&mut self.lots, i, row.lots.get());
        put(&mut self.snapshot, i, row.snapshot.get());
        put(&mut self.cost, i, row.cost.get());
    }
}

/// Numbers by key: atoms by asset, or scaled units by asset (at most 2^120, so a signed column holds both).
#[derive(Clone, Debug, Default)]
pub(crate) struct PairColumns {
    pub(crate) key: Vec<u32>,
    pub(crate) value: Vec<i128>,
}

impl Columns for PairColumns {
    type Row = (u32, i128);

    fn grow(&mut self, rows: usize) {
        self.key.resize(rows, 0);
        self.value.resize(rows, 0);
    }

    fn keys(&self) -> &[u32] {
        &self.key
    }

    fn row(&self, i: usize) -> Option<(u32, i128)> {
        Some((*self.key.get(i)?, *self.value.get(i)?))
    }

    fn put(&mut self, i: usize, (key, value): (u32, i128)) {
        put(&mut self.key, i, key);
        put(&mut self.value, i, value);
    }
}

fn put<T>(column: &mut [T], i: usize, value: T) {
    if let Some(cell) = column.get_mut(i) {
        *cell = value;
    }
}
