//! A pool that takes the other side of every trade at the oracle's price, moved by price impact.
//!
//! The imbalance of open interest is what the pool holds: longs less shorts of all traders is the pool's own position, turned round. The venue
//! sums what positions cost; here it is the position at the mark. Impact that is charged fills a purse; impact that is paid comes out of it.

use super::{Exponent, Impact, ImpactTerms};
use cofferdam_core::{
    At, MarketView, MathError, Memory, MemoryError, Ppb, Quanta, Reader, Record, Rounding, Scope, Writer,
    wide,
};
use cofferdam_market::{Fill, MarketError, PoolMoment, PoolOrder, PoolPricing, PoolView, Unhonoured};
use cofferdam_stack::{ConfigError, Context, Number, PoolKind, PoolSpec, Ratio, module};

/// See the module. Whole orders or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OraclePool {
    impact: Impact,
    fee: Ppb,
    quanta_per_atom: i128,
}

/// Impact charged less impact paid, in quanta; never below zero.
#[derive(Clone, Copy, Debug, Default)]
struct Purse(i128);

impl Record for Purse {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.i128(self.0);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self(from.i128()?)),
            found => Err(MemoryError::Version { found }),
        }
    }
}

fn check(ok: bool, field: &'static str, value: i128, accepted: &'static str) -> Result<(), MarketError> {
    if ok { Ok(()) } else { Err(MarketError::Parameter { field, value, accepted }) }
}

impl OraclePool {
    /// Impact on these terms; `fee` is a share of the notional for the pool; `quanta_per_atom` of the settlement asset.
    pub fn new(terms: ImpactTerms, fee: Ppb, quanta_per_atom: i128) -> Result<Self, MarketError> {
        let one = 1_000_000_000_000_000_000;
        check((0..=one).contains(&terms.negative), "impact_negative", terms.negative, "0 to 1")?;
        let accepted = "0 to `impact_negative`: who comes back never gains more than leaving cost";
        check((0..=terms.negative).contains(&terms.positive), "impact_positive", terms.positive, accepted)?;
        let share = |x: Ppb| (0..=Ppb::ONE.0).contains(&x.0);
        check(share(terms.negative_max), "negative_max", terms.negative_max.0.into(), "0 to 1")?;
        let most = terms.positive_max;
        check(
            share(most) && most <= terms.negative_max,
            "positive_max",
            most.0.into(),
            "0 to `negative_max`",
        )?;
        check(share(fee), "fee", fee.0.into(), "0 to 1")?;
        check(terms.quanta_per_unit > 0, "quanta_per_unit", terms.quanta_per_unit, "above 0")?;
        check(quanta_per_atom > 0, "quanta_per_atom", quanta_per_atom, "above 0")?;
        Ok(Self { impact: Impact(terms), fee, quanta_per_atom })
    }

    /// Imbalance of the traders at the mark, before and after a trade.
    fn imbalances(
        order: &PoolOrder,
        pool: &PoolView,
        market: &MarketView,
    ) -> Result<(Quanta, Quanta), MathError> {
        let before = pool.lots.try_neg()?;
        let after = before.try_add(order.lots)?;
        Ok((market.scale.notional(before, market.mark.mid)?, market.scale.notional(after, market.mark.mid)?))
    }

    /// fee x notional in atoms, rounded up: the pool gains.
    fn fee(&self, notional: Quanta) -> Result<i128, MathError> {
        let divisor = self.quanta_per_atom.checked_mul(Ppb::ONE.0.into()).ok_or(MathError::Overflow)?;
        wide::mul_div(notional.get(), self.fee.0.into(), divisor, Rounding::Up)
    }
}

impl PoolPricing for OraclePool {
    fn fill(
        &self,
        _at: At,
        order: &PoolOrder,
        pool: &PoolView,
        market: &MarketView,
        memory: &mut Memory<'_>,
    ) -> Result<Fill, MarketError> {
        let nothing = Fill { postings: Vec::new(), left: order.lots };
        if !market.mark.is_usable() || order.lots.is_zero() {
            return Ok(nothing);
        }
        let Purse(purse) = memory.get(Scope::Pool(pool.id))?;
        // a buyer pays the upper end of the mark, a seller gets the lower one
        let price = if order.lots.is_negative() { market.mark.low } else { market.mark.high };
        let size = market.scale.absolute_notional(order.lots, price)?;
        let (before, after) = Self::imbalances(order, pool, market)?;
        let impact = self.impact.capped(self.impact.of(before, after)?, size, purse)?;
        let cost = market.scale.notional(order.lots, price)?.try_sub(Quanta::new(impact))?;
        let fee = self.fee(size)?;
        let quanta = fee.checked_mul(self.quanta_per_atom).ok_or(MathError::Overflow)?;
        if !order.accepts(market, order.lots, cost.try_add(Quanta::new(quanta))?)? {
            return Ok(nothing);
        }
        memory.set(Scope::Pool(pool.id), &Purse(purse.checked_sub(impact).ok_or(MathError::Overflow)?))?;
        Ok(Fill::whole(order, pool, market, cost, fee)?)
    }

    fn unhonoured(&self, _: &PoolMoment, _: &mut Memory<'_>) -> Result<Unhonoured, MarketError> {
        Ok(Unhonoured::NOTHING)
    }

    fn permits(&self, _: &PoolMoment, _: &PoolMoment) -> Result<bool, MarketError> {
        Ok(true)
    }
}

module! {
    "gmx/oracle-pool@1" Pool breaks [
        4 "a cap on what is charged lets pieces be paid more on the way back than they cost, out of the purse",
        6 "the cap is a share of each trade: an order in pieces is charged less"
    ];
    /// GMX v2: takes the other side of every trade at the oracle's price, moved by the imbalance of open interest.
    struct OraclePoolSpec {
        /// Where it trades.
        market: String ["name of a market"],
        /// What a growing imbalance costs, in steps of 1e-18.
        impact_negative: Number ["factor per unit of the numeraire"],
        /// What a shrinking one pays, likewise.
        impact_positive: Number ["factor per unit of the numeraire"],
        /// 1 or 2.
        exponent: u8 ["number"],
        /// The most that is charged, as a share of the trade.
        negative_max: Ratio ["ratio"],
        /// The most that is paid.
        positive_max: Ratio ["ratio"],
        /// The pool's fee on the notional.
        fee: Option<Ratio> ["ratio", "0"],
    }
}

impl OraclePoolSpec {
    fn factor(ctx: &Context<'_>, field: &str, x: &Number) -> Result<i128, ConfigError> {
        x.0.to_units(-18).map_err(|e| ctx.refuse(field, x.0, format!("a multiple of 1e-18: {e}")))
    }
}

#[typetag::serde(name = "gmx/oracle-pool@1")]
impl PoolSpec for OraclePoolSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<PoolKind, ConfigError> {
        let market = ctx.market("market", &self.market)?;
        let quanta_per_atom = ctx.quanta_per_atom("market", market)?.into();
        let exponent = match self.exponent {
            1 => Exponent::One,
            2 => Exponent::Two,
            other => return Err(ctx.refuse("exponent", other, "1 or 2: other powers are not whole numbers")),
        };
        let one = Number(cofferdam_core::Decimal::from_units(1, 0));
        let terms = ImpactTerms {
            negative: Self::factor(ctx, "impact_negative", &self.impact_negative)?,
            positive: Self::factor(ctx, "impact_positive", &self.impact_positive)?,
            exponent,
            negative_max: self.negative_max.0,
            positive_max: self.positive_max.0,
            quanta_per_unit: ctx.quanta("market", &one)?.get(),
        };
        let fee = self.fee.map_or(Ppb::ZERO, |r| r.0);
        let pricing = Box::new(ctx.check(self, OraclePool::new(terms, fee, quanta_per_atom))?);
        Ok(PoolKind::Trading { market, pricing })
    }
}
