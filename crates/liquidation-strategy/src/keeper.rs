//! A keeper repays debt and seizes collateral with a bonus (Aave v3: close factor, bonus, protocol fee on the bonus, dust rule;
//! Morpho Blue: what is left when the collateral is gone is a loss at once). Cash below zero, which an account with other
//! collateral owes after its positions were closed, is a debt like any other (Vertex, Drift: a borrow of the quote asset).

use crate::close::{asset, steps_worsen};
use crate::terms::accept;
use crate::{Bid, LiquidationError, LiquidationStrategy, Owing, Plan, Refusal, RepayOffer, Seizure};
use cofferdam_core::{
    Amount, AssetId, AssetView, Case, Level, MathError, Memory, PoolId, Ppb, Quanta, RAY, Rounding, wide,
};

/// The terms of [`KeeperLiquidation`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeeperTerms {
    /// The pool that lent the debt and is repaid; without one only cash below zero can be filled.
    pub pool: Option<PoolId>,
    /// The share of the debt that one bid may repay.
    pub close_factor: Ppb,
    /// All of it below this share of support to demand at maintenance (Aave: 0.95).
    pub all_below: Ppb,
    /// All of it where debt or collateral of the pair is worth less than this, in quanta of the numeraire.
    pub dust: Quanta,
    /// What the keeper gets beyond the value it repays.
    pub bonus: Ppb,
    /// The house's share of the bonus.
    pub fee_share: Ppb,
    /// What a bid must leave of both debt and collateral, unless it leaves nothing of one: quanta of the numeraire.
    pub remainder_min: Quanta,
}

/// Takes a keeper's bid: debt to repay (`give`, in atoms) for an asset to seize (`want`). What is repaid goes to the pool that
/// lent, or fills the account's own cash where that is below zero and no position is open any more.
///
/// Both are valued at the middle price (Euler's choice). Collateral seized and the keeper's bonus round down, the protocol
/// fee and a repayment that is cut to what the collateral is worth round up: the house and the account gain.
///
/// ```
/// use cofferdam_core::{AssetId, GroupId, Item, PoolId, Ppb, Quanta};
/// use cofferdam_liquidation_strategy::{conformance::Bench, *};
/// let keeper = KeeperLiquidation::new(KeeperTerms {
///     pool: Some(PoolId(1)), close_factor: Ppb(500_000_000), all_below: Ppb(950_000_000), dust: Quanta::ZERO,
///     bonus: Ppb(50_000_000), fee_share: Ppb::ZERO, remainder_min: Quanta::ZERO,
/// })?;
/// // 1000 of collateral at a threshold of 80 % against a debt of 810
/// let bench = Bench::lending(1_000, 810);
/// let bid = Bid { by: Taker::Keeper(GroupId(3)), give: Some((Item::Debt(AssetId(0)), 500)),
///                 want: Some(Item::Asset(AssetId(1))), ..Bid::ENGINE };
/// assert_eq!(bench.plan(&keeper, &bid)?, Err(Refusal::TooMuch { max: 405 }));
/// # Ok::<(), LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeeperLiquidation {
    terms: KeeperTerms,
}

impl KeeperLiquidation {
    /// On these terms: a close factor above zero, ratios within one whole, values of zero or more.
    pub fn new(terms: KeeperTerms) -> Result<Self, LiquidationError> {
        let ratio = |p: Ppb| (0..=Ppb::ONE.0).contains(&p.0);
        let accepted = "0 to 1000000000 parts per billion";
        let t = &terms;
        accept(
            ratio(t.close_factor) && t.close_factor.0 > 0,
            "close_factor",
            t.close_factor.0.into(),
            "1 to 1000000000 parts per billion",
        )?;
        accept(ratio(t.all_below), "all_below", t.all_below.0.into(), accepted)?;
        accept(ratio(t.bonus), "bonus", t.bonus.0.into(), accepted)?;
        accept(ratio(t.fee_share), "fee_share", t.fee_share.0.into(), accepted)?;
        accept(!t.dust.is_negative(), "dust", t.dust.get(), "0 or more quanta")?;
        accept(!t.remainder_min.is_negative(), "remainder_min", t.remainder_min.get(), "0 or more quanta")?;
        Ok(Self { terms })
    }

    /// What the account owes in an asset: a loan first, else cash below zero where no position could still move it.
    fn owing(&self, case: &Case<'_>, asset: AssetId) -> Option<Owing> {
        if let Some(loan) = self.terms.pool.and_then(|to| Owing::loan(case, to, asset)) {
            return Some(loan);
        }
        let cash = case.group.balance(asset);
        let closed = case.group.positions.iter().all(|p| p.lots.is_zero());
        (closed && cash.is_negative()).then(|| Owing::Overdraft(Amount::new(cash.get().saturating_neg()))) // |x| <= 2^120
    }

    /// What of the debt one bid may repay: rounded up, so that a debt of one atom can be repaid.
    fn repayable(&self, case: &Case<'_>, pair: &Pair<'_>) -> Result<Amount, LiquidationError> {
        let deep = case.health.line(Level::Maintenance).is_some_and(|l| {
            // support < share x demand, compared in exact products
            let below = |support: i128| {
                wide::U256::product(support.unsigned_abs(), Ppb::ONE.0.unsigned_abs().into())
                    < wide::U256::product(
                        l.demand.get().unsigned_abs(),
                        self.terms.all_below.0.unsigned_abs().into(),
                    )
            };
            l.support.is_negative() || below(l.support.get())
        });
        let small = pair.owed_value(pair.debt.owed())? < self.terms.dust
            || pair.held_value(pair.held)? < self.terms.dust;
        if deep || small {
            return Ok(pair.debt.owed());
        }
        Ok(Amount::new(self.terms.close_factor.of_units(pair.debt.owed().get(), Rounding::Up)?))
    }

    /// What a repayment buys: capped at the collateral there is, the repayment then cut to what that is worth.
    fn price(&self, pair: &Pair<'_>, offered: Amount) -> Result<Deal, LiquidationError> {
        let base = pair.collateral_for(offered, Rounding::Down)?;
        let bonus = Amount::new(self.terms.bonus.of_units(base.get(), Rounding::Down)?);
        let seized = base.try_add(bonus)?;
        if seized <= pair.held {
            return self.deal(offered, seized, bonus);
        }
        // held / (1 + bonus), rounded up: the keeper pays for the fraction
        let factor = i128::from(Ppb::ONE.0).saturating_add(self.terms.bonus.0.into()); // two i64 fit i128
        let base = Amount::new(wide::mul_div(pair.held.get(), Ppb::ONE.0.into(), factor, Rounding::Up)?);
        let repaid = pair.debt_for(base, Rounding::Up)?.min(offered);
        self.deal(repaid, pair.held, pair.held.try_sub(base)?)
    }

    /// fee = share x bonus, rounded up: the house gains.
    fn deal(&self, repaid: Amount, seized: Amount, bonus: Amount) -> Result<Deal, LiquidationError> {
        let fee = Amount::new(self.terms.fee_share.of_units(bonus.get(), Rounding::Up)?);
        Ok(Deal { repaid, seized, fee })
    }

    fn leaves_dust(&self, pair: &Pair<'_>, deal: &Deal) -> Result<bool, LiquidationError> {
        let (debt, held) = (pair.debt.owed().try_sub(deal.repaid)?, pair.held.try_sub(deal.seized)?);
        Ok(!debt.is_zero()
            && !held.is_zero()
            && (pair.owed_value(debt)? < self.terms.remainder_min
                || pair.held_value(held)? < self.terms.remainder_min))
    }
}

struct Deal {
    repaid: Amount,
    seized: Amount,
    fee: Amount,
}

/// A debt and the asset seized for it.
struct Pair<'c> {
    debt: Owing,
    held: Amount,
    owed_in: &'c AssetView,
    held_in: &'c AssetView,
}

impl Pair<'_> {
    fn owed_value(&self, x: Amount) -> Result<Quanta, MathError> {
        self.owed_in.scale.value(x, self.owed_in.price.mid, Rounding::Down)
    }

    fn held_value(&self, x: Amount) -> Result<Quanta, MathError> {
        self.held_in.scale.value(x, self.held_in.price.mid, Rounding::Down)
    }

    fn collateral_for(&self, debt: Amount, round: Rounding) -> Result<Amount, MathError> {
        let value = self.owed_in.scale.value(debt, self.owed_in.price.mid, round)?;
        self.held_in.scale.amount(value, self.held_in.price.mid, round)
    }

    fn debt_for(&self, collateral: Amount, round: Rounding) -> Result<Amount, MathError> {
        let value = self.held_in.scale.value(collateral, self.held_in.price.mid, round)?;
        self.owed_in.scale.amount(value, self.owed_in.price.mid, round)
    }
}

impl KeeperLiquidation {
    /// Why a priced deal is not for this bid, if it is not.
    fn objection(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        pair: &Pair<'_>,
        deal: &Deal,
        max: Amount,
    ) -> Result<Option<Refusal>, LiquidationError> {
        let allowed = i128::try_from(case.allowed.allowed(case.at.time)).unwrap_or(i128::MAX);
        if deal.seized.get() > allowed {
            // debt that buys no more than is allowed: value / (1 + bonus), rounded down
            let factor = i128::from(Ppb::ONE.0).saturating_add(self.terms.bonus.0.into());
            let base = wide::mul_div(allowed, Ppb::ONE.0.into(), factor, Rounding::Down)?;
            return Ok(Some(Refusal::TooMuch {
                max: pair.debt_for(Amount::new(base), Rounding::Down)?.get(),
            }));
        }
        if deal.seized.is_zero() || pair.debt.cleared(pair.owed_in, deal.repaid)? == 0 {
            let atom = pair.debt_for(Amount::ONE, Rounding::Up)?;
            let unit = wide::mul_div_unsigned(1, pair.owed_in.debt_index.get(), RAY, true)?;
            let unit = Amount::new(i128::try_from(unit).map_err(|_| MathError::Overflow)?);
            return Ok(Some(Refusal::TooLittle { min: atom.max(unit).min(pair.debt.owed()).get() }));
        }
        if self.leaves_dust(pair, deal)? {
            return Ok(Some(Refusal::TooLittle { min: max.get() }));
        }
        let offered = deal.seized.try_sub(deal.fee)?.get();
        Ok(bid.at_least.is_some_and(|least| offered < least).then_some(Refusal::BelowAsk { offered }))
    }
}

impl LiquidationStrategy for KeeperLiquidation {
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
        let Some(debt) = self.owing(case, offer.debt).filter(|_| held.get() > 0) else {
            return Ok(Err(Refusal::Nothing));
        };
        let (owed_in, held_in) = (asset(case, offer.debt)?, asset(case, offer.collateral)?);
        let pair = Pair { debt, held, owed_in, held_in };
        let max = self.repayable(case, &pair)?;
        if offer.amount > max {
            return Ok(Err(Refusal::TooMuch { max: max.get() }));
        }
        let deal = self.price(&pair, offer.amount)?;
        if let Some(no) = self.objection(case, bid, &pair, &deal, max)? {
            return Ok(Err(no));
        }
        let (owing, repaid, seized, fee) = (debt, deal.repaid, deal.seized, deal.fee);
        let (keeper, debt, collateral) = (offer.keeper, offer.debt, offer.collateral);
        let seizure = Seizure { keeper, debt, owing, repaid, collateral, seized, fee, write_off: true };
        let steps = seizure.steps(case)?;
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: None, worsens }))
    }
}
