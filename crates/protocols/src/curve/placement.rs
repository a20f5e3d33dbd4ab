//! In which bands a loan's collateral lies.

use super::math::{ONE, mul};
use super::{Pair, atoms, wads};
use cofferdam_core::{ActionKind, AssetId, BANDS_MAX, Bands, Grid, GroupId, GroupView, MathError, World};
use cofferdam_liquidation_strategy::{LiquidationError, Placement, Refusal};
use std::collections::BTreeMap;

/// The fewest bands of a loan (MIN_TICKS).
const BANDS_MIN: u32 = 4;
/// The least collateral in a band, a wad (AMM: "Amount too low").
const BAND_MIN: u128 = 100;

/// A market: what is lent, against what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loan {
    /// What is lent.
    pub money: AssetId,
    /// Against what.
    pub collateral: AssetId,
    /// The discount on what the collateral would be sold for, when a loan is taken: a wad.
    pub discount: u128,
}

/// Spreads collateral evenly over bands that begin as low as the debt allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spread {
    loan: Loan,
    grid: Grid,
    count: u32,
    chosen: BTreeMap<GroupId, u32>,
}

impl Spread {
    /// Over `count` bands, or over as many as a borrower has `chosen`.
    ///
    /// # Errors
    ///
    /// What the venue does not accept: fewer than 4 bands or more than 50, a discount of one, a grid without prices.
    pub fn new(
        loan: Loan,
        grid: Grid,
        count: u32,
        chosen: BTreeMap<GroupId, u32>,
    ) -> Result<Self, LiquidationError> {
        let refuse =
            |field, value: i128, accepted| Err(LiquidationError::Parameter { field, value, accepted });
        for n in chosen.values().copied().chain([count]) {
            if n < BANDS_MIN || usize::try_from(n).map_or(true, |n| n > BANDS_MAX) {
                return refuse("bands", n.into(), "4 to 50 (Curve: MIN_TICKS, MAX_TICKS)");
            }
        }
        let wad = |x: u128| i128::try_from(x).unwrap_or(i128::MAX);
        if loan.discount >= ONE {
            let accepted = "below one (Curve: loan discount >= 100%)";
            return refuse("loan_discount", wad(loan.discount), accepted);
        }
        if grid.amplification < 2 || grid.amplification > 10_000 {
            return refuse("amplification", grid.amplification.into(), "2 to 10000 (Curve: MIN_A, MAX_A)");
        }
        if grid.base == 0 || grid.step == 0 {
            return refuse("base_price", wad(grid.base), "above zero");
        }
        Ok(Self { loan, grid, count, chosen })
    }

    /// Equal parts, and what does not divide in the first band; `None` where a part would be too small.
    fn parts(&self, total: u128, count: u32) -> Result<Option<Vec<u128>>, MathError> {
        let n = u128::from(count);
        let each = total.checked_div(n).ok_or(MathError::DivisionByZero)?;
        if each <= BAND_MIN {
            return Ok(None);
        }
        let rest = total.checked_sub(mul(each, n)?).ok_or(MathError::Overflow)?;
        let mut parts = vec![each; usize::try_from(count).map_err(|_| MathError::Overflow)?];
        if let Some(first) = parts.first_mut() {
            *first = each.checked_add(rest).ok_or(MathError::Overflow)?;
        }
        Ok(Some(parts))
    }

    /// Fresh bands for all the collateral there is.
    fn fresh(
        &self,
        group: &GroupView<'_>,
        world: &dyn World,
        bands: u32,
    ) -> Result<Result<Bands, Refusal>, LiquidationError> {
        let Loan { money, collateral, discount } = self.loan;
        let pair = Pair::of(world, money, collateral).map_err(LiquidationError::NoPrice)?;
        let held = wads(pair.collateral, group.balance(collateral).positive_part())?;
        let debt = wads(pair.money, group.owed(money))?;
        let Some(parts) = self.parts(held, bands)? else {
            return Ok(Err(Refusal::Nothing));
        };
        let (grid, oracle) = (pair.spaced(&self.grid)?, pair.oracle()?);
        let Some(first) = grid.first_band((held, debt), (bands, discount), oracle, 0)? else {
            let most = grid.borrowable(held, (bands, discount), grid.highest_below(oracle)?)?;
            return Ok(Err(Refusal::TooMuch { max: atoms(pair.money, most, false)?.get() }));
        };
        let sold = vec![0; parts.len()];
        Ok(Ok(Bands { asset: collateral, money, grid: self.grid, first, active: 0, sold, held: parts }))
    }
}

impl Placement for Spread {
    fn place(
        &self,
        after: ActionKind,
        group: &GroupView<'_>,
        world: &dyn World,
    ) -> Result<Result<Option<Bands>, Refusal>, LiquidationError> {
        if group.owed(self.loan.money).is_zero() {
            return Ok(Ok(None)); // what its bands held is its own again
        }
        let before = world.bands(group.id);
        let safer = matches!(after, ActionKind::Repay | ActionKind::Deposit);
        if before.as_ref().is_some_and(|b| b.sold_total() != Some(0)) {
            // being sold: neither more debt nor other bands; what lies beside them may leave
            return Ok(match after {
                ActionKind::Borrow => Err(Refusal::NotForThisBid { takes: "a loan that is not being sold" }),
                _ => Ok(before),
            });
        }
        let bands = self.chosen.get(&group.id).copied().unwrap_or(self.count);
        Ok(match self.fresh(group, world, bands) {
            Ok(Ok(bands)) => Ok(Some(bands)),
            // a way out is not closed: the bands stay
            Ok(Err(_)) | Err(LiquidationError::NoPrice(_)) if safer => Ok(before),
            Ok(Err(reason)) => Err(reason),
            Err(e) => return Err(e),
        })
    }
}
