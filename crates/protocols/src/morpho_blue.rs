//! Morpho Blue: a keeper repays any part of a debt for collateral at a factor that follows from the market's loan-to-value; what is
//! left when the collateral is gone is the suppliers' at once.
//!
//! Source: morpho-org/morpho-blue@3085651, src/Morpho.sol (`liquidate`, `_isHealthy`), libraries/ConstantsLib.sol.

use cofferdam_core::{
    Amount, AssetId, Case, Instrument, Level, MathError, Memory, PoolId, Rounding, WAD, wide,
};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, LiquidationStrategy, Owing, Plan, Refusal, RepayOffer, Seizure, convert,
    steps_worsen,
};
use cofferdam_stack::{ConfigError, Context, LiquidationSpec, Ratio, module};

/// LIQUIDATION_CURSOR: 0.3 as a wad.
pub const CURSOR: i128 = 300_000_000_000_000_000;
/// MAX_LIQUIDATION_INCENTIVE_FACTOR: 1.15 as a wad.
pub const FACTOR_MAX: i128 = 1_150_000_000_000_000_000;
const ONE: i128 = 1_000_000_000_000_000_000;

fn wad() -> Result<i128, MathError> {
    i128::try_from(WAD).map_err(|_| MathError::Overflow)
}

/// min(1.15, 1 / (1 - 0.3 x (1 - lltv))), all wads, the product and the quotient rounded down.
///
/// # Errors
///
/// A loan-to-value of one or more, or below zero.
pub fn incentive_factor(lltv: i128) -> Result<i128, MathError> {
    if !(0..ONE).contains(&lltv) {
        return Err(MathError::Overflow);
    }
    let rest = ONE.checked_sub(lltv).ok_or(MathError::Overflow)?;
    let discount = wide::mul_div(CURSOR, rest, wad()?, Rounding::Down)?;
    let divisor = ONE.checked_sub(discount).ok_or(MathError::Overflow)?;
    Ok(wide::mul_div(ONE, ONE, divisor, Rounding::Down)?.min(FACTOR_MAX))
}

/// One market: a pool that lends against one collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Market {
    /// The pool that lends.
    pub pool: PoolId,
    /// What it lends.
    pub loan: AssetId,
    /// Against what.
    pub collateral: AssetId,
    /// Up to which share of the collateral's value a loan is healthy, as a wad below one.
    pub lltv: i128,
}

/// Takes a keeper's bid as `liquidate` does.
///
/// A bid for more than is owed, or for more than the collateral pays for, is refused, as at the venue, where it would underflow. A
/// bid so small that it buys nothing is taken: the keeper says what it wants at least.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Liquidate {
    market: Market,
    factor: i128,
}

impl Liquidate {
    /// For a market.
    ///
    /// # Errors
    ///
    /// A loan-to-value that the venue's owner could not enable.
    pub fn new(market: Market) -> Result<Self, LiquidationError> {
        let (field, value) = ("lltv", market.lltv);
        let accepted = "0 to below 1 (Morpho: enableLltv asks lltv < WAD)";
        if !(0..ONE).contains(&value) {
            return Err(LiquidationError::Parameter { field, value, accepted });
        }
        Ok(Self { market, factor: incentive_factor(value)? })
    }

    /// The incentive factor, as a wad.
    #[must_use]
    pub const fn factor(&self) -> i128 {
        self.factor
    }

    /// collateral x price, down, x lltv, down: in atoms of the loan.
    ///
    /// # Errors
    ///
    /// Arithmetic beyond its range; an asset without a usable price.
    pub fn max_borrow(&self, case: &Case<'_>) -> Result<Amount, LiquidationError> {
        let (loan, collateral) = self.views(case)?;
        let held = case.group.balance(self.market.collateral).positive_part();
        let worth = convert(held, collateral, loan, Rounding::Down)?;
        Ok(Amount::new(wide::mul_div(worth.get(), self.market.lltv, ONE, Rounding::Down)?))
    }

    /// What a repayment buys: repaid x factor, down, in collateral, down.
    ///
    /// # Errors
    ///
    /// As [`Liquidate::max_borrow`].
    pub fn seized_for(&self, case: &Case<'_>, repaid: Amount) -> Result<Amount, LiquidationError> {
        let (loan, collateral) = self.views(case)?;
        let worth = Amount::new(wide::mul_div(repaid.get(), self.factor, ONE, Rounding::Down)?);
        Ok(convert(worth, loan, collateral, Rounding::Down)?)
    }

    /// What has to be repaid for so much collateral: its value, up, / factor, up.
    ///
    /// # Errors
    ///
    /// As [`Liquidate::max_borrow`].
    pub fn repaid_for(&self, case: &Case<'_>, seized: Amount) -> Result<Amount, LiquidationError> {
        let (loan, collateral) = self.views(case)?;
        let worth = convert(seized, collateral, loan, Rounding::Up)?;
        Ok(Amount::new(wide::mul_div(worth.get(), ONE, self.factor, Rounding::Up)?))
    }

    fn views<'c>(
        &self,
        case: &Case<'c>,
    ) -> Result<(&'c cofferdam_core::AssetView, &'c cofferdam_core::AssetView), LiquidationError> {
        let view = |id| {
            let usable = case.world.asset(id).filter(|a| a.price.is_usable());
            usable.ok_or(LiquidationError::NoPrice(Instrument::Asset(id)))
        };
        Ok((view(self.market.loan)?, view(self.market.collateral)?))
    }

    /// What is seized for a repayment; `Err` holds the largest that would be accepted.
    fn deal(
        &self,
        case: &Case<'_>,
        owed: Amount,
        held: Amount,
        repaid: Amount,
    ) -> Result<Result<Amount, Refusal>, LiquidationError> {
        let all = self.repaid_for(case, held)?; // for all the collateral there is
        let max = owed.min(all);
        if repaid > max {
            return Ok(Err(Refusal::TooMuch { max: max.get() }));
        }
        let seized = if repaid == all { held } else { self.seized_for(case, repaid)?.min(held) };
        let allowed = Amount::new(i128::try_from(case.allowed.allowed(case.at.time)).unwrap_or(i128::MAX));
        if seized > allowed {
            // the value down, so that it buys no more than is allowed
            let (loan, collateral) = self.views(case)?;
            let worth = convert(allowed, collateral, loan, Rounding::Down)?;
            let max = wide::mul_div(worth.get(), ONE, self.factor, Rounding::Down)?;
            return Ok(Err(Refusal::TooMuch { max }));
        }
        Ok(Ok(seized))
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
        let held = case.group.balance(collateral);
        let ours = debt == self.market.loan && collateral == self.market.collateral && held.get() > 0;
        let owing = Owing::loan(case, self.market.pool, debt).filter(|_| ours);
        let Some(owing) = owing else { return Ok(Err(Refusal::Nothing)) };
        if self.max_borrow(case)? >= owing.owed() {
            return Ok(Err(Refusal::Healthy));
        }
        let seized = match self.deal(case, owing.owed(), held, repaid)? {
            Ok(seized) => seized,
            Err(no) => return Ok(Err(no)),
        };
        let (loan, _) = self.views(case)?;
        if owing.cleared(loan, repaid)? == 0 {
            let index = loan.debt_index.get();
            let unit = wide::mul_div_unsigned(1, index, cofferdam_core::RAY, true)?;
            let min = i128::try_from(unit).map_err(|_| MathError::Overflow)?;
            return Ok(Err(Refusal::TooLittle { min }));
        }
        let offered = seized.get();
        if bid.at_least.is_some_and(|least| offered < least) {
            return Ok(Err(Refusal::BelowAsk { offered }));
        }
        let fee = Amount::ZERO;
        let seizure = Seizure { keeper, debt, owing, repaid, collateral, seized, fee, write_off: true };
        let steps = seizure.steps(case)?;
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: None, worsens }))
    }
}

module! {
    "morpho-blue/liquidate@1" Liquidation breaks [];
    /// A keeper repays any part of a loan for its one collateral at a factor that follows from the loan-to-value.
    struct LiquidateSpec {
        /// The pool that lends.
        pool: String ["name of a lending pool"],
        /// The market's one collateral.
        collateral: String ["name of an asset"],
        /// Its liquidation loan-to-value, as in margin.
        lltv: Ratio ["ratio"],
    }
}

#[typetag::serde(name = "morpho-blue/liquidate@1")]
impl LiquidationSpec for LiquidateSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn LiquidationStrategy>, ConfigError> {
        const PER_PPB: i128 = 1_000_000_000;
        let pool = ctx.pool("pool", &self.pool)?;
        let lltv = i128::from(self.lltv.0.0).saturating_mul(PER_PPB); // 63 + 30 bits
        let loan = ctx.lent_asset("pool", pool)?;
        let collateral = ctx.asset("collateral", &self.collateral)?;
        if loan == collateral {
            return Err(ctx.refuse("collateral", &self.collateral, "another asset than the one lent"));
        }
        Ok(Box::new(ctx.check(self, Liquidate::new(Market { pool, loan, collateral, lltv }))?))
    }
}
