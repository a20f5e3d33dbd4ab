//! Fluid: a vault's borrowers are liquidated together, from the highest debt per collateral downwards, each as far as the level that the
//! bid pays for and no further than the liquidation threshold.
//!
//! Source: Instadapp/fluid-contracts-public@a9949b4, contracts/protocols/vault (liquidate and admin modules).

use cofferdam_core::{
    Amount, AssetId, AssetView, Case, Instrument, Level, MathError, Memory, Millis, PoolId, Ppb, Rounding,
    wide,
};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, LiquidationStrategy, Owing, Plan, Refusal, RepayOffer, Seizure, convert,
};
use cofferdam_stack::{ConfigError, Context, LiquidationSpec, Ratio, module};

const ONE: i128 = 1_000_000_000;

/// What a vault's governance decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelTerms {
    /// The pool that lends.
    pub pool: PoolId,
    /// What it lends.
    pub debt: AssetId,
    /// Debt per collateral, by value, down to which a borrower is liquidated: the liquidation threshold.
    pub threshold: Ppb,
    /// At this level and above a borrower is closed whole.
    pub limit: Ppb,
    /// What a keeper gets beyond the value it repays.
    pub penalty: Ppb,
}

/// Takes a keeper's bid as far as the level it names, or the threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LevelDown {
    terms: LevelTerms,
}

fn view<'c>(case: &Case<'c>, id: AssetId) -> Result<&'c AssetView, LiquidationError> {
    let usable = case.world.asset(id).filter(|a| a.price.is_usable());
    usable.ok_or(LiquidationError::NoPrice(Instrument::Asset(id)))
}

fn times(x: i128, by: i128, of: i128, rounding: Rounding) -> Result<i128, MathError> {
    wide::mul_div(x, by, of, rounding)
}

impl LevelDown {
    /// On these terms.
    ///
    /// # Errors
    ///
    /// What the venue's admin module refuses.
    pub fn new(terms: LevelTerms) -> Result<Self, LiquidationError> {
        let refuse = |field, value: Ppb, accepted| {
            Err(LiquidationError::Parameter { field, value: value.0.into(), accepted })
        };
        if terms.penalty < Ppb::ZERO {
            return refuse("penalty", terms.penalty, "0 or more");
        }
        if terms.threshold <= Ppb::ZERO || terms.threshold >= terms.limit {
            return refuse(
                "threshold",
                terms.threshold,
                "above 0 and below the limit (Fluid: thresholds in order)",
            );
        }
        if terms.limit.0.saturating_add(terms.penalty.0) > 997_000_000 {
            return refuse(
                "limit",
                terms.limit,
                "with the penalty at most 99.7 % (Fluid: liquidationMaxLimit)",
            );
        }
        Ok(Self { terms })
    }

    fn factor(&self) -> i128 {
        ONE.saturating_add(self.terms.penalty.0.into()) // two i64 fit i128
    }

    /// What is repaid of a debt to bring debt / collateral down to a level, in atoms of the debt, with the collateral's worth in them:
    /// (debt - level x worth) / (1 - level x (1 + penalty)), up: the account is not left above. Nothing for who is there already.
    ///
    /// # Errors
    ///
    /// Arithmetic beyond its range.
    pub fn repaid(&self, debt: i128, worth: i128, level: Ppb) -> Result<i128, MathError> {
        let kept = times(worth, level.0.into(), ONE, Rounding::Down)?;
        let over = debt.checked_sub(kept).ok_or(MathError::Overflow)?.max(0);
        let taken = times(level.0.into(), self.factor(), ONE, Rounding::Up)?;
        let left = ONE.checked_sub(taken).ok_or(MathError::Overflow)?;
        if left <= 0 {
            return Ok(debt);
        }
        Ok(times(over, ONE, left, Rounding::Up)?.min(debt))
    }
}

impl LiquidationStrategy for LevelDown {
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
            Ok(o) if o.debt == self.terms.debt => o,
            Ok(_) => return Ok(Err(Refusal::NotForThisBid { takes: "a bid that repays the vault's debt" })),
            Err(no) => return Ok(Err(no)),
        };
        let held = case.group.balance(offer.collateral);
        let Some(owing) = Owing::loan(case, self.terms.pool, offer.debt).filter(|_| held.get() > 0) else {
            return Ok(Err(Refusal::Nothing));
        };
        let (lent, of) = (view(case, offer.debt)?, view(case, offer.collateral)?);
        let (debt, worth) = (owing.owed().get(), convert(held, of, lent, Rounding::Down)?.get());
        let level = bid.level.unwrap_or(Ppb::ZERO).max(self.terms.threshold);
        if times(worth, level.0.into(), ONE, Rounding::Up)? >= debt {
            return Ok(Err(Refusal::Nothing)); // not above that level
        }
        let beyond = times(worth, self.terms.limit.0.into(), ONE, Rounding::Up)? <= debt;
        let most = if beyond { debt } else { self.repaid(debt, worth, level)? };
        let mut repaid = Amount::new(most.min(offer.amount.get()));
        let with_penalty = Amount::new(times(repaid.get(), self.factor(), ONE, Rounding::Down)?);
        let mut seized = convert(with_penalty, lent, of, Rounding::Down)?;
        if seized >= held {
            // all there is, for its worth without the penalty, up
            seized = held;
            let up = convert(held, of, lent, Rounding::Up)?;
            repaid = repaid.min(Amount::new(times(up.get(), ONE, self.factor(), Rounding::Up)?));
        }
        if seized.get() <= 0 || owing.cleared(lent, repaid)? == 0 {
            return Ok(Err(Refusal::TooLittle { min: most }));
        }
        if seized.get().unsigned_abs() > case.allowed.allowed(case.at.time) {
            let next = case.at.time.try_add(Millis(1))?;
            return Ok(Err(Refusal::NotBefore { time: case.allowed.not_before.max(next) }));
        }
        if bid.at_least.is_some_and(|least| seized.get() < least) {
            return Ok(Err(Refusal::BelowAsk { offered: seized.get() }));
        }
        let (keeper, debt, collateral) = (offer.keeper, offer.debt, offer.collateral);
        let seizure =
            Seizure { keeper, debt, owing, repaid, collateral, seized, fee: Amount::ZERO, write_off: true };
        let steps = seizure.steps(case)?;
        let worsens = cofferdam_liquidation_strategy::steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: None, worsens }))
    }
}

module! {
    "fluid/level-down@1" Liquidation breaks [];
    /// Borrowers above a level of debt per collateral are brought down to it; a bid for many reaches each of them.
    struct LevelSpec {
        /// The pool that lends.
        pool: String ["name of a lending pool"],
        /// Debt per collateral down to which a borrower is liquidated.
        threshold: Ratio ["ratio"],
        /// At this level and above a borrower is closed whole.
        limit: Ratio ["ratio"],
        /// What a keeper gets beyond the value it repays.
        penalty: Ratio ["ratio"],
    }
}

#[typetag::serde(name = "fluid/level-down@1")]
impl LiquidationSpec for LevelSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn LiquidationStrategy>, ConfigError> {
        let pool = ctx.pool("pool", &self.pool)?;
        let terms = LevelTerms {
            pool,
            debt: ctx.lent_asset("pool", pool)?,
            threshold: self.threshold.0,
            limit: self.limit.0,
            penalty: self.penalty.0,
        };
        Ok(Box::new(ctx.check(self, LevelDown::new(terms))?))
    }
}
