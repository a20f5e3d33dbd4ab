//! Euler v2 (Euler Vault Kit): a liquidation whose discount grows as health falls, and a threshold that is lowered in a ramp.
//!
//! Source: euler-xyz/euler-vault-kit@5b98b420, src/EVault/modules/Liquidation.sol, shared/LiquidityUtils.sol, shared/types/LTVConfig.sol,
//! modules/Governance.sol (`setLTV`, `setMaxLiquidationDiscount`). Values are in quanta of the unit of account.

mod spec;
mod threshold;

pub use threshold::{Ramp, Threshold};

use cofferdam_core::{
    Amount, AssetId, AssetView, Case, Instrument, Level, MathError, Memory, PoolId, Quanta, Rounding, wide,
};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, LiquidationStrategy, Owing, Plan, Refusal, RepayOffer, Seizure, steps_worsen,
};

const WAD: i128 = 1_000_000_000_000_000_000;
pub(crate) const SCALE: u32 = 10_000;

/// What a vault's governor decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiquidateTerms {
    /// The vault: the pool that lends.
    pub pool: PoolId,
    /// What it lends.
    pub loan: AssetId,
    /// What it accepts as collateral.
    pub collaterals: Vec<(AssetId, Threshold)>,
    /// The largest discount, in units of 1e-4, below one.
    pub discount_max: u32,
    /// Whether what is owed when no collateral is left is the depositors' loss.
    pub socialise: bool,
    /// Less debt than this stays where it is, in quanta (MIN_SOCIALIZATION_LIABILITY_VALUE).
    pub socialise_min: Quanta,
}

/// Takes a keeper's bid as `liquidate` does: the keeper repays where the venue has it take the debt over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Liquidate {
    terms: LiquidateTerms,
}

/// The most that one collateral pays for, in atoms of debt and of collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Most {
    /// Debt.
    pub repay: Amount,
    /// Collateral.
    pub yields: Amount,
}

fn view<'c>(case: &Case<'c>, id: AssetId) -> Result<&'c AssetView, LiquidationError> {
    let usable = case.world.asset(id).filter(|a| a.price.is_usable());
    usable.ok_or(LiquidationError::NoPrice(Instrument::Asset(id)))
}

/// At the middle price, down.
fn value(view: &AssetView, x: Amount) -> Result<i128, MathError> {
    Ok(view.scale.value(x, view.price.mid, Rounding::Down)?.get())
}

fn parts(x: i128, by: i128, of: i128) -> Result<i128, MathError> {
    wide::mul_div(x, by, of, Rounding::Down)
}

impl Liquidate {
    /// On these terms.
    ///
    /// # Errors
    ///
    /// What the venue's governance module refuses.
    pub fn new(terms: LiquidateTerms) -> Result<Self, LiquidationError> {
        let refuse = |field, value, accepted| Err(LiquidationError::Parameter { field, value, accepted });
        if terms.discount_max >= SCALE {
            let accepted = "below 1 (Euler: E_BadMaxLiquidationDiscount)";
            return refuse("discount_max", terms.discount_max.into(), accepted);
        }
        if terms.socialise_min.is_negative() {
            return refuse("socialise_min", terms.socialise_min.get(), "0 or more");
        }
        for (i, (asset, threshold)) in terms.collaterals.iter().enumerate() {
            threshold.check()?;
            if *asset == terms.loan {
                return refuse(
                    "asset",
                    asset.0.into(),
                    "not the vault's own asset (Euler: E_InvalidLTVAsset)",
                );
            }
            if terms.collaterals.iter().take(i).any(|(other, _)| other == asset) {
                return refuse("asset", asset.0.into(), "each asset once");
            }
        }
        Ok(Self { terms })
    }

    /// Adjusted collateral and liability: each collateral's value x its threshold now, down twice; what is owed, up, valued down.
    ///
    /// # Errors
    ///
    /// An asset without a usable price; arithmetic beyond its range.
    pub fn liquidity(&self, case: &Case<'_>) -> Result<(i128, i128), LiquidationError> {
        let mut adjusted = 0_i128;
        for (asset, threshold) in &self.terms.collaterals {
            let held = case.group.balance(*asset);
            if held.get() > 0 {
                let worth = value(view(case, *asset)?, held)?;
                let counted = parts(worth, threshold.at(case.at.time)?.into(), SCALE.into())?;
                adjusted = adjusted.checked_add(counted).ok_or(MathError::Overflow)?;
            }
        }
        Ok((adjusted, value(view(case, self.terms.loan)?, case.group.owed(self.terms.loan))?))
    }

    /// adjusted / liability as a wad, down, but no less than one minus the largest discount.
    fn discount_factor(&self, adjusted: i128, liability: i128) -> Result<i128, MathError> {
        let least = parts(WAD, SCALE.saturating_sub(self.terms.discount_max).into(), SCALE.into())?;
        Ok(parts(adjusted, WAD, liability)?.max(least))
    }

    /// The most that may be repaid for a collateral, and what it yields. `None` for an account that is healthy or a collateral
    /// worth nothing. Every quotient is rounded down, as at the venue.
    ///
    /// # Errors
    ///
    /// As [`Liquidate::liquidity`].
    pub fn most(&self, case: &Case<'_>, collateral: AssetId) -> Result<Option<Most>, LiquidationError> {
        let (adjusted, liability) = self.liquidity(case)?;
        let owed = case.group.owed(self.terms.loan).get();
        let held = case.group.balance(collateral).positive_part();
        let worth = value(view(case, collateral)?, held)?;
        if adjusted > liability || liability == 0 || worth == 0 {
            return Ok(None);
        }
        let factor = self.discount_factor(adjusted, liability)?;
        let (mut repaid, mut yields) = (liability, parts(liability, WAD, factor)?);
        if worth < yields {
            (repaid, yields) = (parts(worth, factor, WAD)?, worth);
        }
        let repay = Amount::new(parts(repaid, owed, liability)?);
        Ok(Some(Most { repay, yields: Amount::new(parts(yields, held.get(), worth)?) }))
    }

    fn accepts(&self, collateral: AssetId) -> bool {
        self.terms.collaterals.iter().any(|(a, _)| *a == collateral)
    }

    /// Whether a debt is large enough to be socialised.
    fn socialises(&self, liability: i128) -> bool {
        self.terms.socialise && liability >= self.terms.socialise_min.get()
    }

    /// What a bid buys of the most that there is: yield x bid / most, down.
    fn share(most: Most, bid: Amount) -> Result<Amount, MathError> {
        parts(bid.get(), most.yields.get(), most.repay.get()).map(Amount::new)
    }
}

impl LiquidationStrategy for Liquidate {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        _memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        if !case.health.below(Level::Maintenance) {
            return Ok(Err(Refusal::Healthy));
        }
        let RepayOffer { keeper, debt, amount: repaid, collateral } = match RepayOffer::of(case, bid) {
            Ok(offer) => offer,
            Err(no) => return Ok(Err(no)),
        };
        let ours = debt == self.terms.loan && self.accepts(collateral);
        let owing = Owing::loan(case, self.terms.pool, debt).filter(|_| ours);
        let Some(owing) = owing else { return Ok(Err(Refusal::Nothing)) };
        let (adjusted, liability) = self.liquidity(case)?;
        if adjusted > liability {
            return Ok(Err(Refusal::Healthy));
        }
        let Some(most) = self.most(case, collateral)?.filter(|m| m.repay.get() > 0) else {
            return Ok(Err(Refusal::Nothing));
        };
        if repaid > most.repay {
            return Ok(Err(Refusal::TooMuch { max: most.repay.get() }));
        }
        let seized = Self::share(most, repaid)?;
        let allowed = i128::try_from(case.allowed.allowed(case.at.time)).unwrap_or(i128::MAX);
        if seized.get() > allowed {
            let max = parts(allowed, most.repay.get(), most.yields.get())?;
            return Ok(Err(Refusal::TooMuch { max }));
        }
        if owing.cleared(view(case, debt)?, repaid)? == 0 {
            let index = view(case, debt)?.debt_index.get();
            let unit = wide::mul_div_unsigned(1, index, cofferdam_core::RAY, true)?;
            let min = i128::try_from(unit).map_err(|_| MathError::Overflow)?;
            return Ok(Err(Refusal::TooLittle { min }));
        }
        let offered = seized.get();
        if bid.at_least.is_some_and(|least| offered < least) {
            return Ok(Err(Refusal::BelowAsk { offered }));
        }
        let (fee, write_off) = (Amount::ZERO, self.socialises(liability));
        let seizure = Seizure { keeper, debt, owing, repaid, collateral, seized, fee, write_off };
        let steps = seizure.steps(case)?;
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: None, worsens }))
    }
}
