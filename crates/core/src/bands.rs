//! Collateral that waits in price bands to be sold piece by piece while its price falls, and to be bought back while it rises.

use crate::{AssetId, MemoryError, Reader, Record, Writer};
use alloc::vec::Vec;

/// The most bands that one account's collateral is spread over.
pub const BANDS_MAX: usize = 50;

/// How bands are spaced: band n reaches from the price base x r^n down to base x r^(n+1), with r = exp(-step), below one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Grid {
    /// A: r is (A - 1) / A.
    pub amplification: u32,
    /// ln(A / (A - 1)) as a wad: what the venue computes prices from.
    pub step: u64,
    /// The upper price of band 0, a wad, before interest.
    pub base: u128,
}

/// The bands of one account: how much of what it was lent against is still there in each, and what was got for the rest.
///
/// Bands are counted downwards: a higher number is a lower price. Above the active one (lower numbers) all is sold, below it
/// nothing; amounts are wads of a whole unit of the asset, finer than most assets' atoms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bands {
    /// What is sold.
    pub asset: AssetId,
    /// What it is sold for.
    pub money: AssetId,
    /// How bands are spaced.
    pub grid: Grid,
    /// The number of the first band: the one with the highest price.
    pub first: i64,
    /// Which place of the lists is traded in now.
    pub active: usize,
    /// What was got for what was sold, by band; nothing after the active one.
    pub sold: Vec<u128>,
    /// What is still there, by band; nothing before the active one. As long as the other list.
    pub held: Vec<u128>,
}

impl Bands {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// What was got in all bands, a wad; `None` beyond 128 bits.
    #[must_use]
    pub fn sold_total(&self) -> Option<u128> {
        self.sold.iter().try_fold(0, |sum: u128, x| sum.checked_add(*x))
    }

    /// What is still there in all bands, a wad; `None` beyond 128 bits.
    #[must_use]
    pub fn held_total(&self) -> Option<u128> {
        self.held.iter().try_fold(0, |sum: u128, x| sum.checked_add(*x))
    }

    /// Whether the lists have the shape that is said of them.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let before = self.held.iter().take(self.active);
        let after = self.sold.iter().skip(self.active.saturating_add(1));
        self.sold.len() == self.held.len()
            && self.held.len() <= BANDS_MAX
            && (self.active < self.held.len() || self.held.is_empty() && self.active == 0)
            && before.chain(after).all(|x| *x == 0)
    }
}

impl Record for Bands {
    const VERSION: u8 = 1;

    /// One number per band, since only the active one has both.
    fn write(&self, to: &mut Writer) {
        let count = u8::try_from(self.held.len()).unwrap_or(u8::MAX);
        let active = u8::try_from(self.active).unwrap_or(u8::MAX);
        to.u32(self.asset.0).u32(self.money.0);
        to.u32(self.grid.amplification).u64(self.grid.step).u128(self.grid.base);
        to.i64(self.first).u8(count).u8(active);
        for (i, (x, y)) in self.sold.iter().zip(&self.held).enumerate() {
            to.u128(if i < self.active { *x } else { *y });
            if i == self.active {
                to.u128(*x);
            }
        }
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        if version != 1 {
            return Err(MemoryError::Version { found: version });
        }
        let (asset, money) = (AssetId(from.u32()?), AssetId(from.u32()?));
        let grid = Grid { amplification: from.u32()?, step: from.u64()?, base: from.u128()? };
        let (first, count, active) = (from.i64()?, from.u8()?, usize::from(from.u8()?));
        let mut bands = Self { asset, money, grid, first, active, sold: Vec::new(), held: Vec::new() };
        for i in 0..usize::from(count) {
            let amount = from.u128()?;
            let (x, y) = match i.cmp(&active) {
                core::cmp::Ordering::Less => (amount, 0),
                core::cmp::Ordering::Equal => (from.u128()?, amount),
                core::cmp::Ordering::Greater => (0, amount),
            };
            bands.sold.push(x);
            bands.held.push(y);
        }
        Ok(bands)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GroupId, MapMemory, Scope, Slot};

    /// The longest list fits a record, and comes back as it was.
    #[test]
    fn a_record_holds_them() {
        let check = |count: usize, active: usize| {
            let amount = |i: usize, there: bool| if there { u128::MAX - i as u128 } else { 0 };
            let bands = Bands {
                asset: AssetId(1),
                money: AssetId(0),
                grid: Grid { amplification: 100, step: 10_050_335_853_501_431, base: u128::MAX },
                first: -1_024,
                active,
                sold: (0..count).map(|i| amount(i, i <= active)).collect(),
                held: (0..count).map(|i| amount(i, i >= active)).collect(),
            };
            assert!(bands.is_sound());
            let mut store = MapMemory::default();
            let scope = Scope::Group(GroupId(7));
            store.with(Slot(1), |m| m.set(scope, &bands)).unwrap();
            assert_eq!(store.with(Slot(1), |m| m.get::<Bands>(scope)).unwrap(), bands);
        };
        check(BANDS_MAX, 0);
        check(BANDS_MAX, 49);
        check(4, 2);
        let unsound =
            Bands { active: 1, sold: alloc::vec![0, 0], held: alloc::vec![1, 1], ..Bands::default() };
        assert!(!unsound.is_sound(), "something left above the active band");
        assert!(Bands::default().is_sound() && Bands::default().is_empty());
    }
}
