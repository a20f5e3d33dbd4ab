//! A rolling window kept in cells of an eighth of its length. Nine cells cover the window wherever in a cell the present
//! lies, so what is summed over them is never less than what the window holds (INV-36).

use alloc::vec::Vec;
use cofferdam_core::{MemoryError, Millis, Reader, Writer};

const CELLS: u64 = 8;

/// Length of a cell in milliseconds.
pub(crate) fn cell_length(window: Millis) -> u64 {
    window.0.div_ceil(CELLS).max(1)
}

/// The cell that an instant lies in.
pub(crate) fn cell_of(now: Millis, window: Millis) -> u64 {
    now.0.checked_div(cell_length(window)).unwrap_or(0)
}

/// When a cell has left the window: the first instant at which it no longer counts. The end of time if that comes first.
pub(crate) fn leaves_at(cell: u64, window: Millis) -> Millis {
    let first_without = cell.checked_add(CELLS).and_then(|c| c.checked_add(1));
    Millis(first_without.and_then(|c| c.checked_mul(cell_length(window))).unwrap_or(u64::MAX))
}

/// Values by cell, oldest first, at most nine.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cells<T>(Vec<(u64, T)>);

impl<T> Cells<T> {
    /// The value of cell `index`, made where there is none; drops the cells that have left the window. Where the clock runs
    /// backwards this is the last cell: time never runs backwards in a state (INV-42).
    pub(crate) fn at_or_before(&mut self, index: u64, new: impl FnOnce() -> T) -> &mut T {
        let index = self.latest(index);
        self.0.retain(|(i, _)| index.wrapping_sub(*i) <= CELLS); // no cell is later than `index`
        let position = self.0.iter().position(|(i, _)| *i == index).unwrap_or_else(|| {
            self.0.push((index, new()));
            self.0.len().saturating_sub(1)
        });
        // `position` is that of an element that was found or just pushed
        #[allow(clippy::indexing_slicing)]
        &mut self.0[position].1
    }

    /// The later of `index` and the last cell.
    pub(crate) fn latest(&self, index: u64) -> u64 {
        index.max(self.0.last().map_or(0, |(i, _)| *i))
    }

    /// The cells still within the window that ends in cell `index`, oldest first.
    pub(crate) fn within(&self, index: u64) -> impl Iterator<Item = &(u64, T)> {
        let index = self.latest(index);
        self.0.iter().filter(move |(i, _)| index.wrapping_sub(*i) <= CELLS)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().map(|(_, value)| value)
    }

    pub(crate) fn write(&self, to: &mut Writer, mut field: impl FnMut(&T, &mut Writer)) {
        to.u8(u8::try_from(self.0.len()).unwrap_or(u8::MAX)); // at most nine
        for (index, value) in &self.0 {
            to.u64(*index);
            field(value, to);
        }
    }

    pub(crate) fn read(
        from: &mut Reader<'_>,
        mut field: impl FnMut(&mut Reader<'_>) -> Result<T, MemoryError>,
    ) -> Result<Self, MemoryError> {
        let count = from.u8()?;
        (0..count).map(|_| Ok((from.u64()?, field(from)?))).collect::<Result<_, _>>().map(Self)
    }
}
