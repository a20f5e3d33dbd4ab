//! How far a liquidation against collateral helps, and how far a price may fall before it loses money: closed forms for one
//! collateral and one debt, to choose bonuses and thresholds with.
//!
//! Sources: D. Warmuz, A. Chaudhary and D. Pinna, "Toxic Liquidation Spirals" (2022), arXiv:2212.07306; K. Qin, L. Zhou, P.
//! Gamito, P. Jovanovic and A. Gervais, "An Empirical Study of DeFi Liquidations" (IMC 2021), arXiv:2106.06389; Gatto,
//! "Liquidation Without Loss" (2026), SSRN 7157638.

use crate::LiquidationError;
use crate::terms::accept;
use cofferdam_core::{MathError, Ppb, Quanta, Rounding, wide};

const ONE: i128 = 1_000_000_000;

/// 1 + bonus, in ppb.
fn with_bonus(bonus: Ppb) -> Result<i128, LiquidationError> {
    let valid = (0..=Ppb::ONE.0).contains(&bonus.0);
    accept(valid, "bonus", bonus.0.into(), "0 to 1000000000 parts per billion")?;
    Ok(ONE.checked_add(bonus.0.into()).ok_or(MathError::Overflow)?)
}

fn within(threshold: Ppb) -> Result<i128, LiquidationError> {
    let valid = (1..=Ppb::ONE.0).contains(&threshold.0);
    accept(valid, "threshold", threshold.0.into(), "1 to 1000000000 parts per billion")?;
    Ok(threshold.0.into())
}

/// The toxic frontier: the loan-to-value 1 / (1 + bonus), in ppb rounded down. A repayment that seizes its value and the bonus
/// lowers the loan-to-value below it and raises it beyond, whatever part of the debt is repaid (INV-18).
///
/// # Errors
///
/// A bonus that is no ratio.
///
/// ```
/// use cofferdam_core::Ppb;
/// use cofferdam_liquidation_strategy::toxic_frontier;
/// assert_eq!(toxic_frontier(Ppb(80_000_000))?, Ppb(925_925_925));
/// # Ok::<(), cofferdam_liquidation_strategy::LiquidationError>(())
/// ```
pub fn toxic_frontier(bonus: Ppb) -> Result<Ppb, LiquidationError> {
    let x = wide::mul_div(ONE, ONE, with_bonus(bonus)?, Rounding::Down)?;
    Ok(Ppb(i64::try_from(x).map_err(|_| MathError::Overflow)?))
}

/// The largest repayment that leaves an account below maintenance, in quanta: the first of the two liquidations that earn a keeper
/// the most (Qin et al.), when a close factor bounds each of them. `support` is threshold x collateral, `debt` what has to be
/// supported; without the rounding of seizures:
///
/// ```text
/// r < (debt - support) / (1 - threshold x (1 + bonus))
/// ```
///
/// All of the debt, when every repayment leaves it below; zero for an account that is not below.
///
/// # Errors
///
/// A bonus or a threshold that is no ratio; arithmetic beyond its range.
///
/// ```
/// use cofferdam_core::{Ppb, Quanta};
/// use cofferdam_liquidation_strategy::largest_unhealthy_repayment;
/// // collateral of 100 at a threshold of 75 % against 80, bonus 8 %: (80 - 75) / (1 - 0.75 x 1.08) = 26.315...
/// let first = largest_unhealthy_repayment(Quanta::new(75_000), Quanta::new(80_000), Ppb(750_000_000), Ppb(80_000_000))?;
/// assert_eq!(first, Quanta::new(26_315));
/// # Ok::<(), cofferdam_liquidation_strategy::LiquidationError>(())
/// ```
pub fn largest_unhealthy_repayment(
    support: Quanta,
    debt: Quanta,
    threshold: Ppb,
    bonus: Ppb,
) -> Result<Quanta, LiquidationError> {
    let short = debt.try_sub(support)?;
    if short.get() <= 0 {
        return Ok(Quanta::ZERO);
    }
    let (whole, lost) = (ONE.checked_mul(ONE), with_bonus(bonus)?.checked_mul(within(threshold)?));
    let (whole, lost) = (whole.ok_or(MathError::Overflow)?, lost.ok_or(MathError::Overflow)?);
    let gained = whole.checked_sub(lost).ok_or(MathError::Overflow)?;
    if gained <= 0 {
        return Ok(debt); // what leaves takes as much support with it as it clears, or more
    }
    // strictly less than the quotient
    let enough = wide::mul_div(short.get(), whole, gained, Rounding::Up)?;
    Ok(Quanta::new(enough).try_sub(Quanta::new(1))?.min(debt))
}

/// The largest fall of the collateral's price, all at once, that loses nothing, in ppb rounded down (Gatto's loss frontier): either
/// nobody may be liquidated yet, or the collateral still pays for the whole debt and the bonus on it.
///
/// ```text
/// max(1 - 1 / HF, 1 - (1 + bonus) x threshold / HF),   HF = threshold x collateral / debt
/// ```
///
/// Where threshold x (1 + bonus) < 1 the second is the larger, and a price that moves without jumps never loses anything. Zero where
/// no fall is free of loss.
///
/// # Errors
///
/// A bonus or a threshold that is no ratio; collateral that supports nothing; arithmetic beyond its range.
///
/// ```
/// use cofferdam_core::{Ppb, Quanta};
/// use cofferdam_liquidation_strategy::loss_frontier;
/// // bought with twelve times its own money, threshold 95 %, bonus 1 %
/// let fall = loss_frontier(Quanta::new(12_000_000), Quanta::new(11_000_000), Ppb(950_000_000), Ppb(10_000_000))?;
/// assert_eq!(fall, Ppb(74_166_666));
/// # Ok::<(), cofferdam_liquidation_strategy::LiquidationError>(())
/// ```
pub fn loss_frontier(
    collateral: Quanta,
    debt: Quanta,
    threshold: Ppb,
    bonus: Ppb,
) -> Result<Ppb, LiquidationError> {
    let support = wide::mul_div(collateral.get(), within(threshold)?, ONE, Rounding::Down)?;
    let eligible = wide::mul_div(debt.get(), ONE, support, Rounding::Up)?;
    let covered = wide::mul_div(debt.get(), with_bonus(bonus)?, collateral.get(), Rounding::Up)?;
    let fall = ONE.checked_sub(eligible.min(covered)).ok_or(MathError::Overflow)?;
    Ok(Ppb(i64::try_from(fall.clamp(0, ONE)).map_err(|_| MathError::Overflow)?))
}
