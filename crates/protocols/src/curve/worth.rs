//! What bands are worth if their collateral is sold, or bought back, little by little at the oracle's price.

use super::amm::{amounts, y0};
use super::grid::Spaced;
use super::math::{ONE, add, mul, ratio, sub};
use cofferdam_core::{Bands, MathError, wide::U256};

/// In which asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum In {
    /// Sold on the way down, in money (`get_x_down`): what health is about.
    Money,
    /// Bought back on the way up, in collateral (`get_y_up`).
    Collateral,
}

/// What the bands come to, a wad (`get_xy_up`), of a lone account.
///
/// # Errors
///
/// Amounts beyond their range.
pub fn worth(grid: &Spaced, bands: &Bands, oracle: u128, unit: In) -> Result<u128, MathError> {
    let root = grid.root()?;
    let mut lower = grid.upper(bands.first)?;
    let mut sum = 0_u128;
    for at in 0..bands.held.len() {
        let upper = lower;
        lower = grid.down(lower)?;
        let (x, y) = amounts(bands, at);
        if x == 0 && y == 0 {
            continue;
        }
        let one_sided = x == 0 || y == 0;
        let middle = ratio(ratio(oracle, oracle, lower)?, oracle, upper)?;
        let part = if oracle > upper {
            // all of it is bought back first
            let y = match (one_sided, y) {
                (true, 0) => ratio(x, ONE, middle)?,
                (true, y) => y,
                (false, _) => Edge::of(grid, (x, y), oracle, upper)?.all_held()?,
            };
            if unit == In::Collateral { y } else { ratio(y, upper, root)? }
        } else if oracle < lower {
            // all of it is sold first
            let x = match (one_sided, x) {
                (true, 0) => ratio(y, middle, ONE)?,
                (true, x) => x,
                (false, _) => Edge::of(grid, (x, y), oracle, upper)?.all_sold()?,
            };
            if unit == In::Collateral { ratio(x, root, upper)? } else { x }
        } else {
            let edge = Edge::of(grid, (x, y), oracle, upper)?;
            let held = ratio(mul(grid.a, edge.y0)?, sub(oracle, lower)?, oracle)?;
            let sold = edge.invariant.div_rem(add(edge.g, held)?)?.0.saturating_sub(edge.f);
            let mean = |price: u128| U256::product(price, oracle).isqrt();
            if unit == In::Collateral {
                add(held, ratio(sold, ONE, mean(upper))?)?
            } else {
                add(sold, ratio(held, mean(lower), ONE)?)?
            }
        };
        sum = add(sum, part)?;
    }
    Ok(sum)
}

/// Where a band's curve meets its ends.
struct Edge {
    y0: u128,
    f: u128,
    g: u128,
    invariant: U256,
}

impl Edge {
    fn of(grid: &Spaced, (x, y): (u128, u128), oracle: u128, upper: u128) -> Result<Self, MathError> {
        let y0 = y0(grid, (x, y), oracle, upper)?;
        let f = ratio(ratio(mul(grid.a, y0)?, oracle, upper)?, oracle, ONE)?;
        let g = ratio(mul(grid.below, y0)?, upper, oracle)?;
        Ok(Self { y0, f, g, invariant: U256::product(add(f, x)?, add(g, y)?) })
    }

    fn all_held(&self) -> Result<u128, MathError> {
        Ok(self.invariant.div_rem(self.f)?.0.saturating_sub(self.g))
    }

    fn all_sold(&self) -> Result<u128, MathError> {
        Ok(self.invariant.div_rem(self.g)?.0.saturating_sub(self.f))
    }
}

/// How often an account could pay what it owes, less one (`health`, not in full): what its bands come to less the discount, over the
/// debt. A wad, down.
///
/// # Errors
///
/// Amounts beyond their range; no debt.
pub fn health(worth: u128, discount: u128, debt: u128) -> Result<i128, MathError> {
    let times = ratio(worth, sub(ONE, discount)?, debt)?;
    let one = i128::try_from(ONE).map_err(|_| MathError::Overflow)?;
    i128::try_from(times).ok().and_then(|x| x.checked_sub(one)).ok_or(MathError::Overflow)
}

/// What the collateral is worth beyond the first band's price, a wad of money, while nothing of it is sold: it counts before a loan
/// may be liquidated (`health` in full).
///
/// # Errors
///
/// Amounts beyond their range.
pub fn distance(grid: &Spaced, bands: &Bands, oracle: u128) -> Result<u128, MathError> {
    let upper = grid.upper(bands.first)?;
    if oracle <= upper || bands.sold_total() != Some(0) {
        return Ok(0);
    }
    ratio(sub(oracle, upper)?, bands.held_total().ok_or(MathError::Overflow)?, ONE)
}
