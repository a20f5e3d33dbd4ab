//! Prices of bands, and in which band a loan begins.

use super::math::{ONE, add, exp, mul, ratio, root_of_ratio, sub};
use cofferdam_core::{Grid, MathError, RAY};

/// How far below the first a band may be counted (MAX_SKIP_TICKS).
const SKIP_MAX: i64 = 1_024;
/// What a rounding of shares may cost (DEAD_SHARES): a loan is placed a little lower for it.
const DEAD_SHARES: u128 = 1_000;
/// A ten-thousandth less than could be borrowed, or more than has to be put up.
const SHY: u128 = ONE - ONE / 10_000;
/// So many bands below the price the search for the highest free band begins (MAX_P_BASE_BANDS).
const BASE_BANDS: i64 = 5;

/// A grid at one moment: interest raises the price of every band as it raises debts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spaced {
    /// A.
    pub(super) a: u128,
    /// A - 1.
    pub(super) below: u128,
    step: i128,
    base: u128,
}

impl Spaced {
    /// The grid when a debt of one has grown to `index` (1e27 for none).
    ///
    /// # Errors
    ///
    /// An amplification below two; a base price beyond its range.
    pub fn at(grid: &Grid, index: u128) -> Result<Self, MathError> {
        let a = u128::from(grid.amplification);
        if a < 2 {
            return Err(MathError::DivisionByZero);
        }
        Ok(Self { a, below: sub(a, 1)?, step: grid.step.into(), base: ratio(grid.base, index, RAY)? })
    }

    /// The upper price of band n, a wad: the oracle's price at which it begins to be sold (`p_oracle_up`).
    ///
    /// # Errors
    ///
    /// A band so far away that its price has no meaning.
    pub fn upper(&self, n: i64) -> Result<u128, MathError> {
        let power = self.step.checked_mul(n.into()).and_then(i128::checked_neg).ok_or(MathError::Overflow)?;
        ratio(self.base, exp(power)?, ONE)
    }

    /// The venue's own price in a band whose upper price this is, when none of it has been sold (`p_current_down`): oracle^3 / upper^2.
    ///
    /// # Errors
    ///
    /// Prices beyond their range.
    pub fn lowest(oracle: u128, upper: u128) -> Result<u128, MathError> {
        ratio(ratio(oracle, oracle, upper)?, oracle, upper)
    }

    /// sqrt(A / (A - 1)), a wad.
    pub(super) fn root(&self) -> Result<u128, MathError> {
        root_of_ratio(u32::try_from(self.a).map_err(|_| MathError::Overflow)?)
    }

    /// The next price down; the next one up.
    pub(super) fn down(&self, price: u128) -> Result<u128, MathError> {
        ratio(price, self.below, self.a)
    }

    pub(super) fn up(&self, price: u128) -> Result<u128, MathError> {
        ratio(price, self.a, self.below)
    }

    /// (A / (A - 1))^50, a wad: farther from the oracle's price nobody trades (MAX_ORACLE_DN_POW).
    pub(super) fn reach(&self) -> Result<u128, MathError> {
        (0..50).try_fold(ONE, |power, _| self.up(power))
    }

    /// The collateral's worth in units of the first band's upper price, less a discount (`get_y_effective`): what it is sold for
    /// in `count` bands if it is sold at the middle of each.
    ///
    /// # Errors
    ///
    /// Amounts beyond their range; no bands.
    pub fn effective(&self, collateral: u128, count: u32, discount: u128) -> Result<u128, MathError> {
        let n = u128::from(count);
        let each = collateral.checked_div(n).ok_or(MathError::DivisionByZero)?;
        let dead = ratio(DEAD_SHARES, ONE, each.max(DEAD_SHARES))?;
        let left = sub(ONE, add(discount, dead)?.min(ONE))?;
        let mut band = ratio(collateral, left, mul(self.root()?, n)?)?;
        let mut sum = band;
        for _ in 1..count {
            band = self.down(band)?;
            sum = add(sum, band)?;
        }
        Ok(sum)
    }

    /// floor(ln(x) / step) of a wad x: the number of bands that it spans.
    fn bands_in(&self, x: u128) -> Result<i64, MathError> {
        // as far as the exponential reaches
        let reach =
            40_000_000_000_000_000_000_i128.checked_div(self.step).ok_or(MathError::DivisionByZero)?;
        let reach = i64::try_from(reach).map_err(|_| MathError::Overflow)?.min(2 * SKIP_MAX);
        let (mut low, mut high) = (reach.saturating_neg(), reach);
        if exp(i128::from(low).saturating_mul(self.step))? > x {
            return Err(MathError::Overflow);
        }
        // the largest n with e^(n step) <= x
        while low < high {
            let middle = low.saturating_add(high).saturating_add(1) >> 1;
            if exp(i128::from(middle).saturating_mul(self.step))? <= x {
                low = middle;
            } else {
                high = middle.saturating_sub(1);
            }
        }
        Ok(low)
    }

    /// The first band of a loan: as low as it can be while what its collateral is sold for, less the discount, pays the debt
    /// (`calculate_debt_n1`); counted from band `from`. `None` where that is not below the oracle's price: the debt is too high.
    ///
    /// # Errors
    ///
    /// Amounts beyond their range.
    pub fn first_band(
        &self,
        (collateral, debt): (u128, u128),
        (count, discount): (u32, u128),
        oracle: u128,
        from: i64,
    ) -> Result<Option<i64>, MathError> {
        let effective = self.effective(collateral, count, discount)?;
        let spans = ratio(effective, self.upper(from)?, add(debt, 1)?)?;
        if spans == 0 {
            return Ok(None);
        }
        let most = SKIP_MAX.saturating_sub(count.into());
        let n = self.bands_in(spans)?.min(most).saturating_add(from);
        Ok((self.upper(n)? < oracle).then_some(n))
    }

    /// The highest band price below the oracle's (`max_p_base`, where no other loan stands in the way).
    ///
    /// # Errors
    ///
    /// Prices beyond their range.
    pub fn highest_below(&self, oracle: u128) -> Result<u128, MathError> {
        let from = self.bands_in(ratio(self.base, ONE, oracle)?)?.saturating_add(BASE_BANDS);
        let mut price = self.upper(from)?;
        for _ in 0..SKIP_MAX {
            let next = self.up(price)?;
            if next > oracle {
                return Ok(price);
            }
            price = next;
        }
        Ok(price)
    }

    /// The most that may be borrowed against a collateral whose first band begins at `price` (`max_borrowable`), however much there is
    /// to lend.
    ///
    /// # Errors
    ///
    /// Amounts beyond their range.
    pub fn borrowable(
        &self,
        collateral: u128,
        (count, discount): (u32, u128),
        price: u128,
    ) -> Result<u128, MathError> {
        let worth = ratio(self.effective(collateral, count, discount)?, price, ONE)?;
        ratio(worth.max(1).saturating_sub(1), SHY, ONE)
    }

    /// The least collateral for a debt if its first band begins at `price` (`min_collateral`).
    ///
    /// # Errors
    ///
    /// Amounts beyond their range.
    pub fn collateral_for(
        &self,
        debt: u128,
        (count, discount): (u32, u128),
        price: u128,
    ) -> Result<u128, MathError> {
        let each = self.effective(ONE, count, discount)?;
        let exact = ratio(ratio(debt, ONE, price)?, ONE, each)?;
        let n = u128::from(count);
        let rounding = mul(n, add(n, mul(2, DEAD_SHARES)?)?)?;
        ratio(add(exact, rounding)?, ONE, SHY)
    }
}
