//! Short sorted lists of many owners, side by side in columns. A list has a span of the arena; a span that is full moves to
//! one of twice the size, and what it left is used again. Where a list lies depends on history and is never observable.

use alloc::vec::Vec;

/// Capacities are 2^0 .. 2^15.
const CLASSES: usize = 16;
/// The most entries one list can hold.
pub(crate) const SPAN_LIMIT: usize = 1 << 15;

/// Where a list lies: `len` rows from `start`, in room for `2^(class - 1)`; class 0 has no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(crate) struct Span {
    start: u32,
    len: u16,
    class: u16,
}

impl Span {
    pub(crate) fn range(self) -> core::ops::Range<usize> {
        let start = self.start as usize; // u32 fits usize on every supported target
        start..start.saturating_add(usize::from(self.len))
    }

    pub(crate) fn len(self) -> usize {
        usize::from(self.len)
    }

    pub(crate) fn is_empty(self) -> bool {
        self.len == 0
    }

    pub(crate) fn bits(self) -> u64 {
        u64::from(self.start) | u64::from(self.len) << 32 | u64::from(self.class) << 48
    }

    fn room(self) -> usize {
        room(self.class)
    }
}

fn room(class: u16) -> usize {
    match class {
        0 => 0,
        c => 1_usize.checked_shl(u32::from(c).wrapping_sub(1)).unwrap_or(0),
    }
}

/// Columns of rows with a key; indices past the end read as `None` and write nowhere.
pub(crate) trait Columns: Default {
    type Row: Copy;
    fn grow(&mut self, rows: usize);
    fn keys(&self) -> &[u32];
    fn row(&self, i: usize) -> Option<Self::Row>;
    fn put(&mut self, i: usize, row: Self::Row);
}

/// The arena is full: more than 2^32 rows, or a list longer than [`SPAN_LIMIT`].
#[derive(Debug)]
pub(crate) struct Full;

/// Lists in columns.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table<C> {
    pub(crate) columns: C,
    free: [Vec<u32>; CLASSES],
    end: usize,
}

impl<C: Columns> Table<C> {
    /// Rows of a list in ascending order of key.
    pub(crate) fn rows(&self, span: Span) -> impl Iterator<Item = C::Row> + '_ {
        span.range().filter_map(|i| self.columns.row(i))
    }

    /// The row with a key.
    pub(crate) fn get(&self, span: Span, key: u32) -> Option<C::Row> {
        self.find(span, key).ok().and_then(|i| self.columns.row(i))
    }

    fn find(&self, span: Span, key: u32) -> Result<usize, usize> {
        let range = span.range();
        let start = range.start;
        let keys = self.columns.keys().get(range).unwrap_or_default();
        match keys.binary_search(&key) {
            Ok(i) => Ok(start.saturating_add(i)),
            Err(i) => Err(start.saturating_add(i)),
        }
    }

    /// Writes, inserts or removes the row with a key, and says where the list lies now. On an error nothing has changed.
    pub(crate) fn set(&mut self, span: Span, key: u32, row: Option<C::Row>) -> Result<Span, Full> {
        match (self.find(span, key), row) {
            (Ok(i), Some(row)) => self.columns.put(i, row),
            (Ok(i), None) => return Ok(self.remove(span, i)),
            (Err(i), Some(row)) => return self.insert(span, i, row),
            (Err(_), None) => {}
        }
        Ok(span)
    }

    fn remove(&mut self, span: Span, at: usize) -> Span {
        let last = span.range().end.saturating_sub(1);
        for i in at..last {
            if let Some(next) = self.columns.row(i.saturating_add(1)) {
                self.columns.put(i, next);
            }
        }
        let shorter = Span { len: span.len.saturating_sub(1), ..span };
        if shorter.is_empty() { self.release(span) } else { shorter }
    }

    fn insert(&mut self, span: Span, at: usize, row: C::Row) -> Result<Span, Full> {
        let offset = at.saturating_sub(span.range().start);
        let span = if span.len() < span.room() { span } else { self.relocate(span)? };
        let at = span.range().start.saturating_add(offset);
        for i in (at..span.range().end).rev() {
            if let Some(moved) = self.columns.row(i) {
                self.columns.put(i.saturating_add(1), moved);
            }
        }
        self.columns.put(at, row);
        Ok(Span { len: span.len.saturating_add(1), ..span })
    }

    fn relocate(&mut self, span: Span) -> Result<Span, Full> {
        let class = span.class.checked_add(1).ok_or(Full)?;
        let start = self.take(class)?;
        let moved = Span { start, len: span.len, class };
        for (from, to) in span.range().zip(moved.range()) {
            if let Some(row) = self.columns.row(from) {
                self.columns.put(to, row);
            }
        }
        self.release(span);
        Ok(moved)
    }

    fn take(&mut self, class: u16) -> Result<u32, Full> {
        let index = usize::from(class).checked_sub(1).ok_or(Full)?;
        if let Some(start) = self.free.get_mut(index).ok_or(Full)?.pop() {
            return Ok(start);
        }
        let start = u32::try_from(self.end).map_err(|_| Full)?;
        let end = self.end.checked_add(room(class)).ok_or(Full)?;
        u32::try_from(end).map_err(|_| Full)?;
        self.columns.grow(end);
        self.end = end;
        Ok(start)
    }

    /// Gives the room of a list back; the list is empty afterwards.
    pub(crate) fn release(&mut self, span: Span) -> Span {
        if let Some(list) = usize::from(span.class).checked_sub(1).and_then(|i| self.free.get_mut(i)) {
            list.push(span.start);
        }
        Span::default()
    }

    /// Appends a whole list, in room as small as it fits; used when the arena is laid out anew.
    pub(crate) fn append(&mut self, rows: impl ExactSizeIterator<Item = C::Row>) -> Result<Span, Full> {
        let count = rows.len();
        if count == 0 {
            return Ok(Span::default());
        }
        let class =
            count.checked_next_power_of_two().ok_or(Full)?.trailing_zeros().checked_add(1).ok_or(Full)?;
        let class = u16::try_from(class).map_err(|_| Full)?;
        let start = self.take(class)?;
        let span = Span { start, len: u16::try_from(count).map_err(|_| Full)?, class };
        for (i, row) in span.range().zip(rows) {
            self.columns.put(i, row);
        }
        Ok(span)
    }

    /// Rows that have been laid out, in use or free.
    pub(crate) fn extent(&self) -> usize {
        self.end
    }

    /// Rows on the free lists.
    pub(crate) fn free_rows(&self) -> usize {
        let of = |(i, list): (usize, &Vec<u32>)| {
            list.len().saturating_mul(room(u16::try_from(i).unwrap_or(0).saturating_add(1)))
        };
        self.free.iter().enumerate().map(of).sum()
    }

    pub(crate) fn room_of(&self, span: Span) -> usize {
        span.room()
    }
}
