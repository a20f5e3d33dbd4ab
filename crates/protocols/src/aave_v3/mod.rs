//! Aave v3.7: a keeper repays debt for collateral with a bonus, of which the protocol keeps a share.
//!
//! Source: aave-dao/aave-v3-origin, libraries/logic/LiquidationLogic.sol and GenericLogic.sol, with the roundings of
//! docs/3.7/liquidation-rounding.md@4fbd7442. All values are in quanta of the base currency (USD with eight decimals at the venue).

pub mod percent;
mod spec;
mod terms;

pub use terms::{Category, LiquidationCallTerms, Reserve};

use cofferdam_core::{
    Amount, AssetId, AssetView, Case, Instrument, Level, MathError, Memory, PoolId, Quanta, Rounding,
};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, LiquidationStrategy, Owing, Plan, Refusal, RepayOffer, Seizure, convert,
    steps_worsen,
};
use percent::{WHOLE_BPS, div_ceil, div_floor, mul_ceil, mul_floor, mul_half_up, wad_div};

/// 1 as a wad: below it an account may be liquidated.
pub const LIQUIDATABLE_BELOW: i128 = 1_000_000_000_000_000_000;
/// At or below it all of a debt may be repaid: CLOSE_FACTOR_HF_THRESHOLD.
pub const CLOSE_ALL_UP_TO: i128 = 950_000_000_000_000_000;
/// Above it this share of all debts: DEFAULT_LIQUIDATION_CLOSE_FACTOR.
pub const CLOSE_FACTOR_BPS: u32 = 5_000;

/// Takes a keeper's bid as `liquidationCall` does.
///
/// A bid for more than may be repaid is cut, as at the venue, and never refused for it; what is refused is a bid that would leave
/// dust of both sides, an asset that is no collateral, a debt that is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiquidationCall {
    terms: LiquidationCallTerms,
}

/// What a repayment buys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deal {
    /// What is repaid, in atoms of the debt.
    pub repaid: Amount,
    /// What leaves the account, in atoms of the collateral.
    pub seized: Amount,
    /// The protocol's part of it.
    pub fee: Amount,
}

fn view<'c>(case: &Case<'c>, id: AssetId) -> Result<&'c AssetView, LiquidationError> {
    let usable = case.world.asset(id).filter(|a| a.price.is_usable());
    usable.ok_or(LiquidationError::NoPrice(Instrument::Asset(id)))
}

fn value(view: &AssetView, x: Amount, rounding: Rounding) -> Result<Quanta, MathError> {
    view.scale.value(x, view.price.mid, rounding)
}

impl LiquidationCall {
    /// On these terms.
    ///
    /// # Errors
    ///
    /// What the venue's configurator does not accept: [`LiquidationCallTerms::check`].
    pub fn new(terms: LiquidationCallTerms) -> Result<Self, LiquidationError> {
        terms.check()?;
        Ok(Self { terms })
    }

    /// sum(value x threshold) / sum(debt) as a wad; [`i128::MAX`] without debt. Collateral is valued down and debt up, each once;
    /// the wad division rounds half up and the division by 10,000 down.
    ///
    /// # Errors
    ///
    /// An asset without a usable price; arithmetic beyond its range.
    pub fn health_factor(&self, case: &Case<'_>) -> Result<i128, LiquidationError> {
        let mut weighted = 0_i128;
        for b in case.group.balances.iter().filter(|b| b.amount.get() > 0) {
            let Some(reserve) = self.terms.reserve(case.group.id, b.asset) else { continue };
            let worth = value(view(case, b.asset)?, b.amount, Rounding::Down)?.get();
            let worth = worth.checked_mul(reserve.threshold_bps.into()).ok_or(MathError::Overflow)?;
            weighted = weighted.checked_add(worth).ok_or(MathError::Overflow)?;
        }
        let debt = self.total_debt(case)?;
        if debt.is_zero() {
            return Ok(i128::MAX);
        }
        Ok(wad_div(weighted, debt.get())?.checked_div(WHOLE_BPS.into()).ok_or(MathError::DivisionByZero)?)
    }

    /// All debts in base currency, each valued up.
    fn total_debt(&self, case: &Case<'_>) -> Result<Quanta, LiquidationError> {
        let mut total = Quanta::ZERO;
        for d in case.group.debts {
            total = total.try_add(value(view(case, d.asset)?, d.owed, Rounding::Up)?)?;
        }
        Ok(total)
    }

    /// What of a debt one call may repay: all of it, or half of all debts where the account is near health and neither side of
    /// the pair is small. In atoms, down.
    fn repayable(
        &self,
        case: &Case<'_>,
        owed: Amount,
        held: Amount,
        (owed_in, held_in): (&AssetView, &AssetView),
        factor: i128,
    ) -> Result<Amount, LiquidationError> {
        let debt = value(owed_in, owed, Rounding::Up)?;
        let small = self.terms.close_all_below;
        if factor <= CLOSE_ALL_UP_TO || debt < small || value(held_in, held, Rounding::Down)? < small {
            return Ok(owed);
        }
        let most = Quanta::new(mul_half_up(self.total_debt(case)?.get(), CLOSE_FACTOR_BPS)?);
        if debt <= most {
            return Ok(owed);
        }
        Ok(owed_in.scale.amount(most, owed_in.price.mid, Rounding::Down)?)
    }

    /// What `cover` atoms of debt buy of a collateral of which `held` are there: equal value and the bonus, down; where that is
    /// more than there is, all of it for what it is worth without the bonus, up. The fee is a share of the bonus, up.
    ///
    /// # Errors
    ///
    /// Arithmetic beyond its range.
    pub fn deal(
        reserve: &Reserve,
        (owed_in, held_in): (&AssetView, &AssetView),
        cover: Amount,
        held: Amount,
    ) -> Result<Deal, MathError> {
        let bonus = reserve.bonus_bps;
        let base = convert(cover, owed_in, held_in, Rounding::Down)?;
        let most = Amount::new(mul_floor(base.get(), bonus)?);
        let (repaid, seized) = if most > held {
            let worth = convert(held, held_in, owed_in, Rounding::Down)?;
            (Amount::new(div_ceil(worth.get(), bonus)?), held)
        } else {
            (cover, most)
        };
        let without = Amount::new(div_floor(seized.get(), bonus)?);
        let fee = Amount::new(mul_ceil(seized.try_sub(without)?.get(), reserve.fee_bps)?);
        Ok(Deal { repaid, seized, fee })
    }

    /// A call that neither repays all of the debt nor takes all of the collateral leaves at least half of the small amount of both.
    fn leaves_dust(
        &self,
        (owed, held): (Amount, Amount),
        (owed_in, held_in): (&AssetView, &AssetView),
        deal: &Deal,
    ) -> Result<bool, LiquidationError> {
        if deal.repaid >= owed || deal.seized >= held {
            return Ok(false);
        }
        let least = self.terms.leftover()?;
        let debt = value(owed_in, owed.try_sub(deal.repaid)?, Rounding::Up)?;
        let collateral = value(held_in, held.try_sub(deal.seized)?, Rounding::Down)?;
        Ok(debt < least || collateral < least)
    }

    fn pool(&self, asset: AssetId) -> Option<PoolId> {
        self.terms.pools.iter().find(|(a, _)| *a == asset).map(|(_, pool)| *pool)
    }
}

impl LiquidationStrategy for LiquidationCall {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        _memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        if !case.health.below(Level::Maintenance) {
            return Ok(Err(Refusal::Healthy));
        }
        let offer = match RepayOffer::of(case, bid) {
            Ok(offer) => offer,
            Err(no) => return Ok(Err(no)),
        };
        let held = case.group.balance(offer.collateral);
        let owing = self.pool(offer.debt).and_then(|pool| Owing::loan(case, pool, offer.debt));
        let reserve = self.terms.reserve(case.group.id, offer.collateral).filter(|_| held.get() > 0);
        let (Some(owing), Some(reserve)) = (owing, reserve) else { return Ok(Err(Refusal::Nothing)) };
        let factor = self.health_factor(case)?;
        if factor >= LIQUIDATABLE_BELOW {
            return Ok(Err(Refusal::Healthy));
        }
        let views = (view(case, offer.debt)?, view(case, offer.collateral)?);
        let max = self.repayable(case, owing.owed(), held, views, factor)?;
        let deal = Self::deal(&reserve, views, offer.amount.min(max), held)?;
        let allowed = i128::try_from(case.allowed.allowed(case.at.time)).unwrap_or(i128::MAX);
        if deal.seized.get() > allowed {
            let base = Amount::new(div_floor(allowed, reserve.bonus_bps)?);
            let max = convert(base, views.1, views.0, Rounding::Down)?.get();
            return Ok(Err(Refusal::TooMuch { max }));
        }
        if deal.seized.is_zero() || owing.cleared(views.0, deal.repaid)? == 0 {
            let atom = convert(Amount::ONE, views.1, views.0, Rounding::Up)?;
            return Ok(Err(Refusal::TooLittle { min: atom.get().max(1) }));
        }
        if self.leaves_dust((owing.owed(), held), views, &deal)? {
            return Ok(Err(Refusal::TooLittle { min: max.get() }));
        }
        let Deal { repaid, seized, fee } = deal;
        let (keeper, debt, collateral) = (offer.keeper, offer.debt, offer.collateral);
        let seizure = Seizure { keeper, debt, owing, repaid, collateral, seized, fee, write_off: true };
        let offered = seizure.proceeds()?.get();
        if bid.at_least.is_some_and(|least| offered < least) {
            return Ok(Err(Refusal::BelowAsk { offered }));
        }
        let steps = seizure.steps(case)?;
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: None, worsens }))
    }
}
