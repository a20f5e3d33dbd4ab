//! Compound III: the protocol absorbs an account whole, and sells what it absorbed at a storefront.
//!
//! Source: compound-finance/comet@d5a30b0a, contracts/Comet.sol (`absorbInternal`, `buyCollateral`, `quoteCollateral`, `getPackedAssetInternal`,
//! constructor).

use cofferdam_core::{
    Amount, AssetId, AssetView, BalanceView, Case, GroupId, Holder, Instrument, Item, Level, MathError,
    Memory, Millis, PoolId, Posting, Rounding, wide,
};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, LiquidationStrategy, Owing, Plan, Refusal, RepayOffer, Step, Taker, steps_worsen,
};
use cofferdam_stack::{ConfigError, Context, LiquidationSpec, Number, Ratio, module};
use serde::{Deserialize, Serialize};

/// One whole: factors have four decimals.
const SCALE: i128 = 10_000;
/// Decimals of the venue's price feeds.
const PRICE_DECIMALS: i32 = 8;

/// What a market's governance decides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AbsorbTerms {
    /// The pool that lends.
    pub pool: PoolId,
    /// What it lends.
    pub base: AssetId,
    /// Who absorbs and sells: the protocol's reserves as a group.
    pub reserves: GroupId,
    /// Each collateral's liquidation factor in units of 1e-4: the share of its value that an absorbed account is credited.
    pub factors: Vec<(AssetId, u32)>,
    /// How much of one minus that factor a buyer is granted, in units of 1e-4.
    pub storefront: u32,
    /// Nothing is sold while the reserves hold this much of the base.
    pub target: Amount,
}

/// Absorbs accounts for the engine, and sells to keepers who bid to the reserves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absorb {
    terms: AbsorbTerms,
}

fn view<'c>(case: &Case<'c>, id: AssetId) -> Result<&'c AssetView, LiquidationError> {
    let usable = case.world.asset(id).filter(|a| a.price.is_usable());
    usable.ok_or(LiquidationError::NoPrice(Instrument::Asset(id)))
}

fn parts(x: i128, by: i128, of: i128) -> Result<i128, MathError> {
    wide::mul_div(x, by, of, Rounding::Down)
}

fn ten(exponent: i32) -> Result<i128, MathError> {
    10_i128.checked_pow(exponent.unsigned_abs()).ok_or(MathError::Overflow)
}

/// The middle price with the eight decimals of the venue's feeds, down.
fn feed_price(view: &AssetView) -> Result<i128, MathError> {
    let shift = i32::from(view.scale.price_exponent).saturating_add(PRICE_DECIMALS);
    let price = i128::from(view.price.mid.get());
    if shift < 0 { parts(price, 1, ten(shift)?) } else { parts(price, ten(shift)?, 1) }
}

impl Absorb {
    /// On these terms.
    ///
    /// # Errors
    ///
    /// What the venue's constructor refuses.
    pub fn new(terms: AbsorbTerms) -> Result<Self, LiquidationError> {
        let refuse =
            |field, value: i128, accepted| Err(LiquidationError::Parameter { field, value, accepted });
        if i128::from(terms.storefront) > SCALE {
            return refuse("storefront", terms.storefront.into(), "at most 1 (Comet: BadDiscount)");
        }
        if terms.target.is_negative() {
            return refuse("target", terms.target.get(), "0 or more");
        }
        for (i, (asset, factor)) in terms.factors.iter().enumerate() {
            if *factor == 0 || i128::from(*factor) > SCALE {
                return refuse(
                    "factor",
                    (*factor).into(),
                    "above 0 and at most 1: who is absorbed is credited no more",
                );
            }
            if *asset == terms.base || terms.factors.iter().take(i).any(|(other, _)| other == asset) {
                return refuse("asset", asset.0.into(), "each collateral once, and not the base");
            }
        }
        Ok(Self { terms })
    }

    fn factor(&self, asset: AssetId) -> Option<i128> {
        self.terms.factors.iter().find(|(a, _)| *a == asset).map(|(_, f)| i128::from(*f))
    }

    /// What an account is credited for all its collateral, in atoms of the base: each value, down, x factor, down; the sum by the
    /// base's price, down.
    ///
    /// # Errors
    ///
    /// An asset without a usable price; arithmetic beyond its range.
    pub fn credit(&self, case: &Case<'_>) -> Result<Amount, LiquidationError> {
        let mut total = cofferdam_core::Quanta::ZERO;
        for b in case.group.balances.iter().filter(|b| b.amount.get() > 0) {
            let Some(factor) = self.factor(b.asset) else { continue };
            let v = view(case, b.asset)?;
            let worth = v.scale.value(b.amount, v.price.mid, Rounding::Down)?;
            total = total.try_add(cofferdam_core::Quanta::new(parts(worth.get(), factor, SCALE)?))?;
        }
        let base = view(case, self.terms.base)?;
        Ok(base.scale.amount(total, base.price.mid, Rounding::Down)?)
    }

    /// What so much of the base buys of a collateral: price x (1 - storefront x (1 - factor)), down at each product, at eight
    /// decimals; the quotient down. `None` for an asset that is no collateral.
    ///
    /// # Errors
    ///
    /// As [`Absorb::credit`].
    pub fn quote(
        &self,
        case: &Case<'_>,
        asset: AssetId,
        base: Amount,
    ) -> Result<Option<Amount>, LiquidationError> {
        let Some((price, base_price, up, down)) = self.sale(case, asset)? else { return Ok(None) };
        let unit = base_price.checked_mul(up).ok_or(MathError::Overflow)?;
        let per = price.checked_mul(down).ok_or(MathError::Overflow)?;
        Ok(Some(Amount::new(parts(base.get(), unit, per)?)))
    }

    /// Discounted price, base price, and the powers of ten by which atoms of the collateral are finer or coarser.
    fn sale(
        &self,
        case: &Case<'_>,
        asset: AssetId,
    ) -> Result<Option<(i128, i128, i128, i128)>, LiquidationError> {
        let Some(factor) = self.factor(asset) else { return Ok(None) };
        let (sold, base) = (view(case, asset)?, view(case, self.terms.base)?);
        // in units of 1e-8: two factors of four decimals multiply exactly
        let discount = i128::from(self.terms.storefront).saturating_mul(SCALE.saturating_sub(factor));
        let whole = SCALE.saturating_mul(SCALE);
        let price = parts(feed_price(sold)?, whole.saturating_sub(discount), whole)?;
        let shift = i32::from(sold.scale.decimals).saturating_sub(base.scale.decimals.into());
        let (up, down) = if shift < 0 { (1, ten(shift)?) } else { (ten(shift)?, 1) };
        Ok(Some((price, feed_price(base)?, up, down)))
    }

    /// All collateral to the reserves, the debt paid out of them, and what the credit leaves beyond it to the account.
    fn absorb(&self, case: &Case<'_>) -> Result<Result<Plan, Refusal>, LiquidationError> {
        if case.group.id == self.terms.reserves {
            return Ok(Err(Refusal::NotForThisBid { takes: "accounts other than the reserves" }));
        }
        if !case.health.below(Level::Maintenance) {
            return Ok(Err(Refusal::Healthy));
        }
        let Some(owing) = Owing::loan(case, self.terms.pool, self.terms.base) else {
            return Ok(Err(Refusal::Nothing));
        };
        let (group, reserves) = (Holder::Group(case.group.id), Holder::Group(self.terms.reserves));
        let seized =
            case.group.balances.iter().filter(|b| b.amount.get() > 0 && self.factor(b.asset).is_some());
        let (mut postings, mut size) = (Vec::new(), 0_u128);
        for b in seized {
            size = size.checked_add(b.amount.get().unsigned_abs()).ok_or(MathError::Overflow)?;
            postings.extend(Posting::transfer(group, reserves, Item::Asset(b.asset), b.amount.get()));
        }
        if size > case.allowed.allowed(case.at.time) {
            // whole or not yet
            let next = case.at.time.try_add(Millis(1))?;
            return Ok(Err(Refusal::NotBefore { time: case.allowed.not_before.max(next) }));
        }
        let base = Item::Asset(self.terms.base);
        let cleared = owing.cleared(view(case, self.terms.base)?, owing.owed())?;
        let pool = Holder::Pool(self.terms.pool);
        postings.extend(Posting::transfer(reserves, pool, base, owing.owed().get()));
        postings.extend(Posting::transfer(group, pool, Item::Debt(self.terms.base), cleared));
        let surplus = self.credit(case)?.try_sub(owing.owed())?.positive_part();
        if surplus.get() > 0 {
            postings.extend(Posting::transfer(reserves, group, base, surplus.get()));
        }
        let steps = vec![Step::Move(postings)];
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: None, worsens }))
    }

    fn sell(&self, case: &Case<'_>, bid: &Bid) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let RepayOffer { keeper, debt, amount, collateral } = match RepayOffer::of(case, bid) {
            Ok(offer) => offer,
            Err(no) => return Ok(Err(no)),
        };
        if debt != self.terms.base {
            return Ok(Err(Refusal::NotForThisBid { takes: "a purchase that pays in the base asset" }));
        }
        if case.group.balance(self.terms.base) >= self.terms.target {
            return Ok(Err(Refusal::NotForThisBid {
                takes: "purchases while reserves are below their target",
            }));
        }
        let Some(sold) = self.quote(case, collateral, amount)? else { return Ok(Err(Refusal::Nothing)) };
        let held = case.group.balance(collateral).positive_part();
        let held =
            held.min(Amount::new(i128::try_from(case.allowed.allowed(case.at.time)).unwrap_or(i128::MAX)));
        if sold > held {
            let max = match self.sale(case, collateral)? {
                Some((price, base_price, up, down)) => {
                    let per = price.checked_mul(down).ok_or(MathError::Overflow)?;
                    parts(held.get(), per, base_price.checked_mul(up).ok_or(MathError::Overflow)?)?
                }
                None => 0,
            };
            return Ok(Err(Refusal::TooMuch { max }));
        }
        if sold.is_zero() {
            return Ok(Err(Refusal::TooLittle { min: amount.get().saturating_add(1) }));
        }
        if bid.at_least.is_some_and(|least| sold.get() < least) {
            return Ok(Err(Refusal::BelowAsk { offered: sold.get() }));
        }
        let (buyer, reserves) = (Holder::Group(keeper), Holder::Group(self.terms.reserves));
        let mut postings: Vec<Posting> =
            Posting::transfer(buyer, reserves, Item::Asset(self.terms.base), amount.get()).into();
        postings.extend(Posting::transfer(reserves, buyer, Item::Asset(collateral), sold.get()));
        let mut steps = vec![Step::Move(postings)];
        // what the reserves owe once they have sold everything is a loss (INV-23)
        let owed = case.group.balance(self.terms.base).try_add(amount)?.try_neg()?;
        let sells = |b: &BalanceView| b.asset == self.terms.base || (b.asset, b.amount) == (collateral, sold);
        if owed.get() > 0 && case.group.balances.iter().all(|b| b.amount.get() <= 0 || sells(b)) {
            steps.push(Step::Loss { holder: reserves, asset: self.terms.base, amount: owed });
        }
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: None, worsens }))
    }
}

impl LiquidationStrategy for Absorb {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        _memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        match bid.by {
            Taker::Engine => self.absorb(case),
            Taker::Keeper(_) if case.group.id == self.terms.reserves => self.sell(case, bid),
            Taker::Keeper(_) => Ok(Err(Refusal::NotForThisBid {
                takes: "the engine's own bid, or a purchase from the reserves",
            })),
        }
    }
}

/// A collateral and its liquidation factor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CollateralSpec {
    asset: String,
    factor: Ratio,
}

module! {
    "compound-v3/absorb@1" Liquidation breaks [
        7 "reserves pay for an account below zero, with what they absorbed behind it",
        17 "keepers buy what the reserves hold, and the reserves are no account in danger",
        19 "an account is absorbed whole, however little it lacked"
    ];
    /// Reserves absorb accounts whole and sell what they absorbed at a discount.
    struct AbsorbSpec {
        /// The pool that lends.
        pool: String ["name of a lending pool"],
        /// Who absorbs and sells.
        reserves: u32 ["group id"],
        /// Tables with `asset` and `factor`: the share of its value that an absorbed account is credited.
        collaterals: Vec<CollateralSpec> ["list of tables"],
        /// How much of one minus the factor a buyer is granted.
        storefront: Ratio ["ratio"],
        /// Nothing is sold while the reserves hold this much.
        target: Number ["amount of the pool's asset"],
    }
}

/// A ratio in units of 1e-4.
fn four_decimals(ctx: &Context<'_>, field: &str, ratio: Ratio) -> Result<u32, ConfigError> {
    const PPB: i64 = 100_000;
    let (whole, rest) = (ratio.0.0.checked_div(PPB), ratio.0.0.checked_rem(PPB));
    match (whole.map(u32::try_from), rest) {
        (Some(Ok(parts)), Some(0)) => Ok(parts),
        _ => Err(ctx.refuse(field, ratio.0, "four decimals from 0 (Comet: factors are kept with four)")),
    }
}

#[typetag::serde(name = "compound-v3/absorb@1")]
impl LiquidationSpec for AbsorbSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn LiquidationStrategy>, ConfigError> {
        let pool = ctx.pool("pool", &self.pool)?;
        let base = ctx.lent_asset("pool", pool)?;
        let mut terms = AbsorbTerms {
            pool,
            base,
            reserves: GroupId(self.reserves),
            factors: Vec::new(),
            storefront: four_decimals(ctx, "storefront", self.storefront)?,
            target: ctx.amount("target", base, &self.target)?,
        };
        ctx.check(self, Absorb::new(terms.clone()))?;
        for (i, c) in self.collaterals.iter().enumerate() {
            let place = ctx.at(&format!("collaterals[{i}]"));
            terms.factors.push((place.asset("asset", &c.asset)?, four_decimals(&place, "factor", c.factor)?));
            place.check(c, Absorb::new(terms.clone()))?; // row by row, so that a refusal names the row
        }
        Ok(Box::new(ctx.check(self, Absorb::new(terms))?))
    }
}
