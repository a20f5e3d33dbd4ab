//! The curve of a band, and trades through bands: (f + x)(g + y) = p A^2 y0^2 with f = A y0 p^2 / p_up and g = (A - 1) y0 p_up / p, where p is
//! the oracle's price. The band's own price moves with its cube, so that whoever trades is paid to follow it.

use super::grid::Spaced;
use super::math::{ONE, add, mul, ratio, sub};
use cofferdam_core::{Bands, MathError, wide::U256};

/// A band with what makes its curve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Curve {
    f: u128,
    g: u128,
    invariant: U256,
}

/// y0: what the band would hold were nothing sold and the oracle's price the band's upper one. x and y are wads.
///
/// # Errors
///
/// Amounts beyond their range; an oracle's price of nothing.
pub fn y0(grid: &Spaced, (x, y): (u128, u128), oracle: u128, upper: u128) -> Result<u128, MathError> {
    let from_x = if x == 0 { 0 } else { ratio(mul(upper, grid.below)?, x, oracle)? };
    let from_y = if y == 0 { 0 } else { ratio(ratio(mul(grid.a, oracle)?, oracle, upper)?, y, ONE)? };
    let b = add(from_x, from_y)?;
    let per = mul(grid.a, oracle)?;
    if x == 0 || y == 0 {
        return ratio(b, ONE, per);
    }
    let four = ratio(mul(4, per)?, y, ONE)?;
    let square = U256::product(b, b).checked_add(U256::product(four, x)).ok_or(MathError::Overflow)?;
    ratio(add(b, square.isqrt())?, ONE, mul(2, per)?)
}

/// A y0 p / p_up x p: f before it is brought to a wad.
fn f_of(grid: &Spaced, y0: u128, oracle: u128, upper: u128) -> Result<u128, MathError> {
    ratio(mul(grid.a, y0)?, oracle, upper)
}

impl Curve {
    fn of(grid: &Spaced, (x, y): (u128, u128), oracle: u128, upper: u128) -> Result<Self, MathError> {
        let y0 = y0(grid, (x, y), oracle, upper)?;
        let f = ratio(f_of(grid, y0, oracle, upper)?, oracle, ONE)?;
        let g = ratio(mul(grid.below, y0)?, upper, oracle)?;
        Ok(Self { f, g, invariant: U256::product(add(f, x)?, add(g, y)?) })
    }
}

/// The venue's own price in a band, a wad (`get_p`).
///
/// # Errors
///
/// Amounts beyond their range.
pub fn price(grid: &Spaced, (x, y): (u128, u128), oracle: u128, upper: u128) -> Result<u128, MathError> {
    match (x, y) {
        (0, 0) => ratio(Spaced::lowest(oracle, upper)?, grid.a, grid.below),
        (0, _) => Spaced::lowest(oracle, upper),
        (_, 0) => Spaced::lowest(oracle, grid.down(upper)?),
        _ => {
            let y0 = y0(grid, (x, y), oracle, upper)?;
            let f = U256::product(f_of(grid, y0, oracle, upper)?, oracle);
            let g = ratio(mul(grid.below, y0)?, upper, oracle)?;
            let top = f.checked_add(U256::product(x, ONE)).ok_or(MathError::Overflow)?;
            top.div_rem(add(g, y)?).map(|(price, _)| price)
        }
    }
}

/// What is charged beyond the curve in a band far from the oracle's price: a quarter of the distance.
fn distance_fee(grid: &Spaced, oracle: u128, upper: u128) -> Result<u128, MathError> {
    let lowest = Spaced::lowest(oracle, upper)?;
    let highest = grid.up(grid.up(lowest)?)?;
    if oracle < lowest {
        ratio(sub(lowest, oracle)?, ONE / 4, lowest)
    } else if oracle > highest {
        ratio(sub(oracle, highest)?, ONE / 4, oracle)
    } else {
        Ok(0)
    }
}

/// What a trade moves, and what is in the bands after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traded {
    /// What the trader gave, a wad: less than it offered where the bands had no more.
    pub paid: u128,
    /// What it got, a wad.
    pub got: u128,
    /// The bands after it.
    pub bands: Bands,
}

/// A trade through one account's bands with a given amount (`calc_swap_out`): `buys` gives money for collateral, from the first
/// band downwards; else collateral for money, upwards. Fees are wads; what is charged stays in the bands.
///
/// # Errors
///
/// Amounts beyond their range.
pub fn trade(
    grid: &Spaced,
    bands: &Bands,
    buys: bool,
    offered: u128,
    (oracle, fee): (u128, u128),
) -> Result<Traded, MathError> {
    let mut out = Traded { paid: 0, got: 0, bands: bands.clone() };
    let last = bands.held.len().saturating_sub(1);
    let mut at = bands.active;
    let mut upper = grid.upper(number(bands, at)?)?;
    let reach = grid.reach()?;
    let nearest = ratio(ONE, ONE, reach)?;
    let (mut left, mut begun) = (offered, false);
    loop {
        let (x, y) = amounts(&out.bands, at);
        let (mut charged, mut curve) = (fee, None);
        if x > 0 || y > 0 {
            curve = Some(Curve::of(grid, (x, y), oracle, upper)?);
            charged = distance_fee(grid, oracle, upper)?.max(fee);
            begun = true;
        }
        let more = ratio(ONE, ONE, sub(ONE, charged.min(ONE.saturating_sub(1)))?)?; // 1 / (1 - fee)
        if let Some(c) = curve {
            // seen from who trades: what comes in, what goes out
            let (into, from, toward, away) = if buys { (x, y, c.f, c.g) } else { (y, x, c.g, c.f) };
            if from > 0 && away > 0 {
                let (edge, _) = c.invariant.div_rem(away)?;
                let needed = ratio(sub(sub(edge, toward)?, into)?, more, ONE)?;
                if needed >= left {
                    let works = ratio(left, ONE, more)?; // what moves the price
                    let (stays, _) = c.invariant.div_rem(add(toward, add(into, works)?)?)?;
                    let stays = add(sub(stays, away)?, 1)?.min(from);
                    out.got = add(out.got, sub(from, stays)?)?;
                    out.paid = offered;
                    put(&mut out.bands, at, buys, (add(into, left)?, stays));
                    break;
                }
                let needed = needed.max(1);
                left = sub(left, needed)?;
                out.paid = add(out.paid, needed)?;
                out.got = add(out.got, from)?;
                put(&mut out.bands, at, buys, (add(into, needed)?, 0));
            }
        }
        let far = ratio(upper, ONE, oracle)?;
        let (edge, too_far) = if buys { (last, far < nearest) } else { (0, far > reach) };
        if at == edge || begun && too_far {
            break;
        }
        at = if buys { at.saturating_add(1) } else { at.saturating_sub(1) };
        upper = if buys { grid.down(upper)? } else { grid.up(upper)? };
    }
    out.bands.active = at;
    if out.paid == 0 || out.got == 0 {
        return Ok(Traded { paid: 0, got: 0, bands: bands.clone() });
    }
    Ok(out)
}

/// The number of a band by its place.
fn number(bands: &Bands, at: usize) -> Result<i64, MathError> {
    let at = i64::try_from(at).map_err(|_| MathError::Overflow)?;
    bands.first.checked_add(at).ok_or(MathError::Overflow)
}

/// What a band holds: of what it was sold for, of what is still there.
pub(super) fn amounts(bands: &Bands, at: usize) -> (u128, u128) {
    let of = |list: &[u128]| list.get(at).copied().unwrap_or(0);
    (of(&bands.sold), of(&bands.held))
}

fn put(bands: &mut Bands, at: usize, buys: bool, (into, from): (u128, u128)) {
    let (x, y) = if buys { (into, from) } else { (from, into) };
    if let (Some(sold), Some(held)) = (bands.sold.get_mut(at), bands.held.get_mut(at)) {
        (*sold, *held) = (x, y);
    }
}
