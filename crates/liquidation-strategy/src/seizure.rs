//! What every keeper's deal has in common once it is priced: who repays what, which collateral is seized for it, how many units
//! of the debt that clears, and what of the debts is a loss when nothing of value is left. How a deal is priced is the
//! strategy's: bonus, discount, close factor and rounding differ from venue to venue.

use crate::{Bid, LiquidationError, Refusal, Step, Taker};
use alloc::vec::Vec;
use cofferdam_core::{
    Amount, AssetId, AssetView, Case, GroupId, Holder, House, Item, MathError, PoolId, Posting, RAY,
    Rounding, Scaled, wide,
};

const TAKES: Refusal = Refusal::NotForThisBid { takes: "a keeper's bid that repays a debt for an asset" };

/// A keeper's bid to repay a debt for an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RepayOffer {
    /// Who bids.
    pub keeper: GroupId,
    /// What it repays.
    pub debt: AssetId,
    /// How much of it at most, in atoms.
    pub amount: Amount,
    /// What it wants for it.
    pub collateral: AssetId,
}

impl RepayOffer {
    /// The offer in a bid, or why it is none: another kind of bid, the account itself, nothing, too early.
    ///
    /// # Errors
    ///
    /// The refusal to answer the bid with.
    pub fn of(case: &Case<'_>, bid: &Bid) -> Result<Self, Refusal> {
        let (Taker::Keeper(keeper), Some((Item::Debt(debt), units)), Some(Item::Asset(collateral)), None) =
            (bid.by, bid.give, bid.want, bid.auction)
        else {
            return Err(TAKES);
        };
        if keeper == case.group.id {
            return Err(Refusal::NotForThisBid { takes: "a keeper other than the account itself" });
        }
        if units <= 0 {
            return Err(Refusal::TooLittle { min: 1 });
        }
        if case.at.time < case.allowed.not_before {
            return Err(Refusal::NotBefore { time: case.allowed.not_before });
        }
        Ok(Self { keeper, debt, amount: Amount::new(units), collateral })
    }
}

/// What is owed in an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owing {
    /// To a pool.
    Loan {
        /// Which pool lent it.
        to: PoolId,
        /// Atoms owed now, rounded up.
        owed: Amount,
        /// The units behind them.
        scaled: Scaled,
    },
    /// Cash below zero, in atoms.
    Overdraft(Amount),
}

impl Owing {
    /// The loan of a pool to the case's subject, if it has one in the asset.
    #[must_use]
    pub fn loan(case: &Case<'_>, to: PoolId, asset: AssetId) -> Option<Self> {
        let debt = case.group.debts.iter().find(|d| d.asset == asset && d.owed.get() > 0)?;
        Some(Self::Loan { to, owed: debt.owed, scaled: debt.scaled })
    }

    /// Atoms owed.
    #[must_use]
    pub const fn owed(self) -> Amount {
        match self {
            Self::Loan { owed, .. } | Self::Overdraft(owed) => owed,
        }
    }

    /// Units of debt that a repayment clears: all of them for the whole debt, else amount x 1e27 / index, rounded down; of cash
    /// below zero the amount itself. The pool gains; less than the whole never clears the last unit.
    ///
    /// # Errors
    ///
    /// Arithmetic beyond its range.
    pub fn cleared(self, view: &AssetView, repaid: Amount) -> Result<i128, MathError> {
        let Self::Loan { owed, scaled, .. } = self else { return Ok(repaid.get()) };
        let mut units = scaled.get();
        if repaid < owed {
            let amount = u128::try_from(repaid.get()).map_err(|_| MathError::Negative)?;
            units = units.min(wide::mul_div_unsigned(amount, RAY, view.debt_index.get(), false)?);
        }
        i128::try_from(units).map_err(|_| MathError::Overflow)
    }

    /// What is owed after some units were cleared, rounded up.
    fn after(self, view: &AssetView, cleared: i128) -> Result<Amount, MathError> {
        let Self::Loan { scaled, .. } = self else {
            return self.owed().try_sub(Amount::new(cleared));
        };
        let left = scaled.try_sub(Scaled::new(cleared.unsigned_abs()))?;
        let owed = wide::mul_div_unsigned(left.get(), view.debt_index.get(), RAY, true)?;
        Amount::new(i128::try_from(owed).map_err(|_| MathError::Overflow)?).try_add(Amount::ZERO)
    }
}

/// A priced deal: what is repaid, what is seized for it, and what of that the house keeps. All in atoms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seizure {
    /// Who repays and gets the collateral.
    pub keeper: GroupId,
    /// In which asset the debt is.
    pub debt: AssetId,
    /// What is owed in it.
    pub owing: Owing,
    /// What is repaid, at most what is owed.
    pub repaid: Amount,
    /// What is seized.
    pub collateral: AssetId,
    /// How much of it, at most what the subject holds.
    pub seized: Amount,
    /// The house's part of what is seized.
    pub fee: Amount,
    /// Whether what is owed when nothing of value is left is a loss at once (INV-23); else it stays the subject's debt.
    pub write_off: bool,
}

impl Seizure {
    /// What the keeper gets.
    ///
    /// # Errors
    ///
    /// A fee above what is seized.
    pub fn proceeds(&self) -> Result<Amount, MathError> {
        self.seized.try_sub(self.fee)
    }

    /// The exchange, and a loss of every debt that remains when nothing of value is left.
    ///
    /// # Errors
    ///
    /// An asset without a usable price; arithmetic beyond its range.
    pub fn steps(&self, case: &Case<'_>) -> Result<Vec<Step>, LiquidationError> {
        let view = crate::close::asset(case, self.debt)?;
        let cleared = self.owing.cleared(view, self.repaid)?;
        let mut steps = alloc::vec![Step::Move(self.postings(case, cleared)?)];
        if self.write_off {
            steps.extend(self.losses(case, self.owing.after(view, cleared)?));
        }
        Ok(steps)
    }

    fn postings(&self, case: &Case<'_>, cleared: i128) -> Result<Vec<Posting>, MathError> {
        let (group, keeper) = (Holder::Group(case.group.id), Holder::Group(self.keeper));
        let asset = Item::Asset(self.collateral);
        let mut all = Vec::new();
        if let Owing::Loan { to, .. } = self.owing {
            let pool = Holder::Pool(to);
            all.extend(Posting::transfer(keeper, pool, Item::Asset(self.debt), self.repaid.get()));
            all.extend(Posting::transfer(group, pool, Item::Debt(self.debt), cleared));
        } else {
            all.extend(Posting::transfer(keeper, group, Item::Asset(self.debt), self.repaid.get()));
        }
        all.extend(Posting::transfer(group, keeper, asset, self.proceeds()?.get()));
        all.extend(Posting::transfer(group, Holder::House(House::Fees), asset, self.fee.get()));
        all.retain(|p| p.units != 0);
        Ok(all)
    }

    /// With nothing of value left, every debt that remains is a loss (INV-22, INV-23).
    fn losses(&self, case: &Case<'_>, left: Amount) -> Vec<Step> {
        let valuable = case.group.positions.iter().any(|p| !p.lots.is_zero())
            || case.group.balances.iter().any(|b| {
                let taken = if b.asset == self.collateral { self.seized } else { Amount::ZERO };
                b.amount > taken
            });
        if valuable {
            return Vec::new();
        }
        let holder = Holder::Group(case.group.id);
        let overdrafts = case.group.balances.iter().filter(|b| b.amount.is_negative());
        let overdrafts = overdrafts.map(|b| (b.asset, Amount::new(b.amount.get().saturating_neg()))); // |x| <= 2^120
        let debts = case.group.debts.iter().map(|d| (d.asset, d.owed)).chain(overdrafts);
        let owed = debts.map(|(asset, owed)| Step::Loss {
            holder,
            asset,
            amount: if asset == self.debt { left } else { owed },
        });
        owed.filter(|s| matches!(s, Step::Loss { amount, .. } if amount.get() > 0)).collect()
    }
}

/// An amount of one asset as what is worth as much of another, at middle prices, through one division:
/// amount x price x 10^(unit) / (price x 10^(unit)), rounded as told.
///
/// # Errors
///
/// Arithmetic beyond its range, or a price of zero.
pub fn convert(
    amount: Amount,
    from: &AssetView,
    to: &AssetView,
    rounding: Rounding,
) -> Result<Amount, MathError> {
    // value = atoms x ticks x 10^(price exponent - decimals): the two shifts, made one
    let shift = |v: &AssetView| {
        i32::from(v.scale.price_exponent).saturating_sub(v.scale.decimals.into()) // both fit 9 bits
    };
    let shift = shift(from).saturating_sub(shift(to));
    let factor = 10_i128.checked_pow(shift.unsigned_abs()).ok_or(MathError::Overflow)?;
    let (from, to) = (i128::from(from.price.mid.get()), i128::from(to.price.mid.get()));
    let scaled = |price: i128, by: bool| {
        if by { price.checked_mul(factor).ok_or(MathError::Overflow) } else { Ok(price) }
    };
    let atoms = wide::mul_div(amount.get(), scaled(from, shift > 0)?, scaled(to, shift < 0)?, rounding)?;
    Amount::new(atoms).try_add(Amount::ZERO)
}
