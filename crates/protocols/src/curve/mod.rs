//! Curve's lending-liquidating AMM (LLAMMA): a loan's collateral lies in price bands, is sold through them while the oracle's price falls
//! and bought back while it rises; only a loan whose bands come to less than its debt is liquidated.
//!
//! Source: curvefi/curve-stablecoin@0d726b1, curve_stablecoin/AMM.vy and Controller.vy (`calculate_debt_n1`, `health`). Everything is in
//! wads, quotients down, as there. The venue pools the bands of all borrowers; here each account trades through its own, which is the
//! same while it is alone in them, since the curve of a band does not depend on its size.

mod amm;
mod grid;
mod limiter;
mod margin;
mod math;
mod placement;
mod spec;
mod strategy;
mod worth;

pub use amm::{Traded, price, trade, y0};
pub use grid::Spaced;
pub use limiter::Limiter;
pub use margin::BandHealth;
pub use math::{ONE, exp, step_of};
pub use placement::{Loan, Spread};
pub use strategy::BandTrades;
pub use worth::{In, distance, health, worth};

use cofferdam_core::{Amount, AssetId, AssetView, Instrument, MathError, World};

/// How many wads an atom is: the venue's precision of a token.
///
/// # Errors
///
/// An asset of more than eighteen decimals.
pub(crate) fn atom(view: &AssetView) -> Result<u128, MathError> {
    let missing = 18_u32.checked_sub(view.scale.decimals.into()).ok_or(MathError::Overflow)?;
    10_u128.checked_pow(missing).ok_or(MathError::Overflow)
}

/// Atoms as wads.
fn wads(view: &AssetView, amount: Amount) -> Result<u128, MathError> {
    math::mul(u128::try_from(amount.get()).map_err(|_| MathError::Negative)?, atom(view)?)
}

/// Wads as atoms, down; up.
fn atoms(view: &AssetView, wads: u128, up: bool) -> Result<Amount, MathError> {
    let one = atom(view)?;
    let above = if up { math::sub(one, 1)? } else { 0 };
    let whole = math::add(wads, above)?.checked_div(one).ok_or(MathError::DivisionByZero)?;
    Ok(Amount::new(i128::try_from(whole).map_err(|_| MathError::Overflow)?))
}

/// The two assets of a market, with usable prices.
struct Pair<'w> {
    money: &'w AssetView,
    collateral: &'w AssetView,
}

impl<'w> Pair<'w> {
    /// `Err` holds the asset without a price.
    fn of(world: &'w dyn World, money: AssetId, collateral: AssetId) -> Result<Self, Instrument> {
        let view = |id| {
            let usable = world.asset(id).filter(|a| a.price.is_usable());
            usable.ok_or(Instrument::Asset(id))
        };
        Ok(Self { money: view(money)?, collateral: view(collateral)? })
    }

    /// The collateral's price in money, a wad, down.
    fn oracle(&self) -> Result<u128, MathError> {
        let ticks = |a: &AssetView| u128::try_from(a.price.mid.get()).map_err(|_| MathError::Negative);
        let places = i32::from(self.collateral.scale.price_exponent)
            .saturating_sub(self.money.scale.price_exponent.into())
            .saturating_add(18); // small: exponents are bytes
        let ten = 10_u128.checked_pow(places.unsigned_abs()).ok_or(MathError::Overflow)?;
        let (collateral, money) = (ticks(self.collateral)?, ticks(self.money)?);
        if places >= 0 {
            math::ratio(collateral, ten, money)
        } else {
            math::ratio(collateral, 1, math::mul(money, ten)?)
        }
    }

    fn spaced(&self, grid: &cofferdam_core::Grid) -> Result<Spaced, MathError> {
        Spaced::at(grid, self.money.debt_index.get())
    }
}
