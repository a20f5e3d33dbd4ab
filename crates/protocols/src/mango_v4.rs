//! Mango v4: a liquidator takes over debt for an asset until the account is worth its initial weights again.
//!
//! Source: blockworks-foundation/mango-v4, programs/mango-v4/src/instructions/token_liq_with_token.rs (`liquidation_action`, as of the tests
//! at 10fdb793: fees multiply and the platform has a part) and health/cache.rs@864425bd (`HealthType::LiquidationEnd`: initial weights
//! without scaling, at the price alone).

use cofferdam_core::{
    Amount, AssetId, AssetView, Case, Instrument, Level, MathError, Memory, PoolId, Ppb, Quanta, RAY,
    Rounding, wide,
};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, LiquidationStrategy, Owing, Plan, Refusal, RepayOffer, Seizure, steps_worsen,
};
use cofferdam_stack::{ConfigError, Context, LiquidationSpec, Ratio, module};
use serde::{Deserialize, Serialize};

const ONE: i128 = 1_000_000_000;
const SQUARE: i128 = 1_000_000_000_000_000_000; // ONE x ONE

/// What a token counts for where a liquidation ends, and what a liquidator earns in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenTerms {
    /// Which.
    pub asset: AssetId,
    /// The pool that lends it, if it is lent.
    pub pool: Option<PoolId>,
    /// The venue's `init_asset_weight`, 0 to 1.
    pub asset_weight: Ppb,
    /// The venue's `init_liab_weight`, 1 to 1000.
    pub liability_weight: Ppb,
    /// The venue's `liquidation_fee`, 0 to 1. A liquidator earns that of the asset on that of the debt.
    pub fee: Ppb,
    /// The venue's `platform_liquidation_fee`, 0 to 1: by how much the account pays more than the liquidator gets.
    pub platform_fee: Ppb,
}

/// Takes a keeper's bid to repay one token for another, at most what lifts the account to the end of its liquidation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Liquidate {
    tokens: Vec<TokenTerms>,
}

/// What a bid moves: debt repaid and assets for it, in atoms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deal {
    /// Debt.
    pub repaid: Amount,
    /// Assets that the account gives.
    pub seized: Amount,
    /// Of those, what the platform keeps.
    pub fee: Amount,
}

fn view<'c>(case: &Case<'c>, id: AssetId) -> Result<&'c AssetView, LiquidationError> {
    let usable = case.world.asset(id).filter(|a| a.price.is_usable());
    usable.ok_or(LiquidationError::NoPrice(Instrument::Asset(id)))
}

impl Liquidate {
    /// On these terms.
    ///
    /// # Errors
    ///
    /// A token twice, a number outside its range, or a pair whose exchange lowers health: its divisor, liability weight less asset weight
    /// with all fees, has to be zero or more (the venue accepts it and then transfers nothing).
    pub fn new(tokens: Vec<TokenTerms>) -> Result<Self, LiquidationError> {
        let check = |ok: bool, field, value: i128, accepted| {
            if ok { Ok(()) } else { Err(LiquidationError::Parameter { field, value, accepted }) }
        };
        for (i, t) in tokens.iter().enumerate() {
            let terms = [t.asset_weight, t.liability_weight, t.fee, t.platform_fee];
            let [support, demand, fee, platform] = terms.map(|p| i128::from(p.0));
            check((0..=ONE).contains(&support), "asset_weight", support, "0 to 1")?;
            let most = ONE.saturating_mul(1_000);
            check((ONE..=most).contains(&demand), "liability_weight", demand, "1 to 1000")?;
            check((0..=ONE).contains(&fee), "fee", fee, "0 to 1")?;
            check((0..=ONE).contains(&platform), "platform_fee", platform, "0 to 1")?;
            let again = tokens.iter().take(i).any(|o| o.asset == t.asset);
            check(!again, "asset", t.asset.0.into(), "each asset once")?;
        }
        for (i, a) in tokens.iter().enumerate() {
            for (_, b) in tokens.iter().enumerate().filter(|(j, _)| *j != i) {
                let accepted = "fees with which an exchange of no pair lowers health";
                check(Self::divisor(a, b) >= 0, "fee", a.fee.0.into(), accepted)?;
            }
        }
        Ok(Self { tokens })
    }

    fn terms(&self, asset: AssetId) -> Option<&TokenTerms> {
        self.tokens.iter().find(|t| t.asset == asset)
    }

    /// What the liquidator gets per value repaid: (1 + fee) of either token, in 1e-18, at most 4.
    fn to_keeper(held: &TokenTerms, owed: &TokenTerms) -> i128 {
        let one = |t: &TokenTerms| ONE.saturating_add(t.fee.0.into());
        one(held).saturating_mul(one(owed))
    }

    /// What the account gives per value repaid: (1 + fee + platform fee) of either token, in 1e-18, at most 9.
    fn factor(held: &TokenTerms, owed: &TokenTerms) -> i128 {
        let one = |t: &TokenTerms| ONE.saturating_add(t.fee.0.into()).saturating_add(t.platform_fee.0.into());
        one(held).saturating_mul(one(owed))
    }

    /// By how much health rises with each unit of value repaid, in 1e-27: liability weight - asset weight x factor.
    fn divisor(held: &TokenTerms, owed: &TokenTerms) -> i128 {
        let gained = i128::from(owed.liability_weight.0).saturating_mul(SQUARE); // 40 + 60 bits
        gained.saturating_sub(i128::from(held.asset_weight.0).saturating_mul(Self::factor(held, owed))) // 30 + 64 bits
    }

    /// Health at the end of a liquidation, in quanta: initial weights at the middle price; assets down, debts up.
    ///
    /// # Errors
    ///
    /// A token without a usable price; arithmetic beyond its range.
    pub fn end_health(&self, case: &Case<'_>) -> Result<i128, LiquidationError> {
        let mut health = 0_i128;
        for t in &self.tokens {
            let (held, owed) = (case.group.balance(t.asset), case.group.owed(t.asset));
            let overdraft = if held.is_negative() { held.try_abs()? } else { Amount::ZERO };
            let owed = owed.try_add(overdraft)?;
            let worth = |x: Amount, rounding, weight: Ppb| -> Result<i128, LiquidationError> {
                if x.is_zero() {
                    return Ok(0);
                }
                let v = view(case, t.asset)?;
                Ok(weight.of_units(v.scale.value(x, v.price.mid, rounding)?.get(), rounding)?)
            };
            let support = worth(held.positive_part(), Rounding::Down, t.asset_weight)?;
            let demand = worth(owed, Rounding::Up, t.liability_weight)?;
            let change = support.checked_sub(demand).ok_or(MathError::Overflow)?;
            health = health.checked_add(change).ok_or(MathError::Overflow)?;
        }
        Ok(health)
    }

    /// What an offer to repay moves: cut to what is owed, to what the asset pays for and to what lifts health to zero. Debt is rounded
    /// up, assets down, the liquidator's part of those up. `None` where nothing is needed or there.
    ///
    /// # Errors
    ///
    /// As [`Liquidate::end_health`].
    pub fn deal(
        &self,
        case: &Case<'_>,
        offered: Amount,
        debt: AssetId,
        asset: AssetId,
    ) -> Result<Option<Deal>, LiquidationError> {
        let (Some(owed_terms), Some(held_terms)) = (self.terms(debt), self.terms(asset)) else {
            return Ok(None);
        };
        let (owed_in, held_in) = (view(case, debt)?, view(case, asset)?);
        let (owed, held) = (case.group.owed(debt), case.group.balance(asset).positive_part());
        let health = self.end_health(case)?;
        if debt == asset || health >= 0 || owed.is_zero() || held.is_zero() {
            return Ok(None);
        }
        let (factor, divisor) = (Self::factor(held_terms, owed_terms), Self::divisor(held_terms, owed_terms));
        let atoms = |quanta: i128| owed_in.scale.amount(Quanta::new(quanta), owed_in.price.mid, Rounding::Up);
        if divisor <= 0 {
            return Ok(None);
        }
        let lacking = health.checked_neg().ok_or(MathError::Overflow)?;
        let needed = atoms(wide::mul_div(lacking, SQUARE.saturating_mul(ONE), divisor, Rounding::Up)?)?;
        let worth = held_in.scale.value(held, held_in.price.mid, Rounding::Down)?.get();
        let possible = atoms(wide::mul_div(worth, SQUARE, factor, Rounding::Up)?)?;
        let repaid = offered.min(owed).min(needed).min(possible);
        let seized = if repaid == possible {
            held // no dust is left, which would count as something of value
        } else {
            let value = owed_in.scale.value(repaid, owed_in.price.mid, Rounding::Down)?.get();
            let paid = Quanta::new(wide::mul_div(value, factor, SQUARE, Rounding::Down)?);
            held_in.scale.amount(paid, held_in.price.mid, Rounding::Down)?.min(held)
        };
        let kept = Self::to_keeper(held_terms, owed_terms);
        let gets = Amount::new(wide::mul_div(seized.get(), kept, factor, Rounding::Up)?);
        Ok(Some(Deal { repaid, seized, fee: seized.try_sub(gets)? }))
    }

    /// What may be repaid for at most so much of an asset: down at each step, so that it does not fetch more.
    fn most(
        &self,
        case: &Case<'_>,
        allowed: Amount,
        debt: AssetId,
        asset: AssetId,
    ) -> Result<Amount, LiquidationError> {
        let (owed_in, held_in) = (view(case, debt)?, view(case, asset)?);
        let (Some(owed), Some(held)) = (self.terms(debt), self.terms(asset)) else { return Ok(Amount::ZERO) };
        let worth = held_in.scale.value(allowed, held_in.price.mid, Rounding::Down)?.get();
        let value = Quanta::new(wide::mul_div(worth, SQUARE, Self::factor(held, owed), Rounding::Down)?);
        Ok(owed_in.scale.amount(value, owed_in.price.mid, Rounding::Down)?)
    }

    /// What has to be repaid for an atom of an asset and to clear a unit of debt: up at each step, so that it does.
    fn least(&self, case: &Case<'_>, debt: AssetId, asset: AssetId) -> Result<Amount, LiquidationError> {
        let (owed_in, held_in) = (view(case, debt)?, view(case, asset)?);
        let (Some(owed), Some(held)) = (self.terms(debt), self.terms(asset)) else { return Ok(Amount::ZERO) };
        let worth = held_in.scale.value(Amount::new(1), held_in.price.mid, Rounding::Up)?.get();
        let value = Quanta::new(wide::mul_div(worth, SQUARE, Self::factor(held, owed), Rounding::Up)?);
        let atoms = owed_in.scale.amount(value, owed_in.price.mid, Rounding::Up)?.get();
        let unit = wide::mul_div_unsigned(owed_in.debt_index.get(), 1, RAY, true)?;
        Ok(Amount::new(atoms.max(i128::try_from(unit).map_err(|_| MathError::Overflow)?)))
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
        let RepayOffer { keeper, debt, amount, collateral } = match RepayOffer::of(case, bid) {
            Ok(offer) => offer,
            Err(no) => return Ok(Err(no)),
        };
        let pool = self.terms(debt).and_then(|t| t.pool);
        let Some(owing) = pool.and_then(|to| Owing::loan(case, to, debt)) else {
            return Ok(Err(Refusal::Nothing));
        };
        let Some(Deal { repaid, seized, fee }) = self.deal(case, amount, debt, collateral)? else {
            return Ok(Err(Refusal::Nothing));
        };
        let allowed = i128::try_from(case.allowed.allowed(case.at.time)).unwrap_or(i128::MAX);
        if seized.get() > allowed {
            let most = self.most(case, Amount::new(allowed), debt, collateral)?;
            return Ok(Err(Refusal::TooMuch { max: most.min(repaid.try_sub(Amount::new(1))?).get() }));
        }
        if seized.is_zero() || owing.cleared(view(case, debt)?, repaid)? == 0 {
            let min = self.least(case, debt, collateral)?.get();
            let no = if repaid < amount { Refusal::Nothing } else { Refusal::TooLittle { min } };
            return Ok(Err(no));
        }
        let offered = seized.try_sub(fee)?.get();
        if bid.at_least.is_some_and(|least| offered < least) {
            return Ok(Err(Refusal::BelowAsk { offered }));
        }
        let seizure = Seizure { keeper, debt, owing, repaid, collateral, seized, fee, write_off: true };
        let steps = seizure.steps(case)?;
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: None, worsens }))
    }
}

/// A token of the file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenSpec {
    asset: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pool: Option<String>,
    asset_weight: Ratio,
    liability_weight: Ratio,
    fee: Ratio,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    platform_fee: Option<Ratio>,
}

module! {
    "mango/liquidate@1" Liquidation breaks [];
    /// A liquidator repays one token for another until the account is worth its initial weights again.
    struct LiquidateSpec {
        /// Tables with `asset`, `pool` (that lends it), `asset_weight` and `liability_weight` (initial ones, as in margin), `fee` and
        /// `platform_fee` (0 unless given).
        tokens: Vec<TokenSpec> ["list of tables"],
    }
}

#[typetag::serde(name = "mango/liquidate@1")]
impl LiquidationSpec for LiquidateSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn LiquidationStrategy>, ConfigError> {
        let mut tokens = Vec::with_capacity(self.tokens.len());
        for (i, t) in self.tokens.iter().enumerate() {
            let place = ctx.at(&format!("tokens[{i}]"));
            let asset = place.asset("asset", &t.asset)?;
            let pool = t.pool.as_ref().map(|name| place.pool("pool", name)).transpose()?;
            let lends = pool.map(|lender| place.lent_asset("pool", lender)).transpose()?;
            if lends.is_some_and(|lent| lent != asset) {
                let name = t.pool.as_deref().unwrap_or_default();
                return Err(place.refuse("pool", name, "a pool that lends the asset"));
            }
            let (asset_weight, liability_weight) = (t.asset_weight.0, t.liability_weight.0);
            let platform_fee = t.platform_fee.map_or(Ppb(0), |p| p.0);
            tokens.push(TokenTerms {
                asset,
                pool,
                asset_weight,
                liability_weight,
                fee: t.fee.0,
                platform_fee,
            });
            place.check(t, Liquidate::new(tokens.clone()))?; // row by row, so that a refusal names the row
        }
        Ok(Box::new(ctx.check(self, Liquidate::new(tokens))?))
    }
}
