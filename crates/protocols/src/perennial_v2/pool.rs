//! Makers as the owners of one pool: it takes the other side of takers at the oracle's price and answers for as many lots as its worth backs.
//!
//! On the venue each maker opens a size of its own. What pools makers there is its vault, whose position is assets x leverage / price
//! (packages/vault, `StrategyLib._allocate`): that is the size here, anew at every price.

use super::{Sides, times, within};
use cofferdam_core::{
    At, Lots, MarketView, MathError, Memory, MemoryError, Ppb, Quanta, Reader, Record, Rounding, Scope,
    Ticks, Writer, wide,
};
use cofferdam_market::{Fill, MarketError, PoolMoment, PoolOrder, PoolPricing, PoolView, Unhonoured};
use cofferdam_stack::{ConfigError, Context, Number, PoolKind, PoolSpec, Ratio, module};

/// Parameters of [`MakerPool`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MakerTerms {
    /// Notional that a unit of the pool's worth backs, in 1e-9: above zero, at most 100.
    pub leverage: i128,
    /// The venue's `makerLimit`: the most that makers stand for, in lots; not negative.
    pub maker_limit: Lots,
    /// The venue's `efficiencyLimit`: the least maker / major that may be left by a maker who leaves or a taker who opens.
    pub efficiency_limit: Ppb,
    /// The venue's `minEfficiency`, below which no market may set its limit.
    pub efficiency_min: Ppb,
}

/// See the module. Whole orders or nothing, at the end of the mark that is worse for the taker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MakerPool {
    terms: MakerTerms,
}

fn check(ok: bool, field: &'static str, value: i128, accepted: &'static str) -> Result<(), MarketError> {
    if ok { Ok(()) } else { Err(MarketError::Parameter { field, value, accepted }) }
}

impl MakerPool {
    /// Refuses what the venue's own `RiskParameterStorageLib.validate` would.
    ///
    /// # Errors
    ///
    /// The field and its value.
    pub fn new(terms: MakerTerms) -> Result<Self, MarketError> {
        let MakerTerms { leverage, maker_limit, efficiency_limit, efficiency_min } = terms;
        check((1..=100_000_000_000).contains(&leverage), "leverage", leverage, "above 0 and at most 100")?;
        check(!maker_limit.is_negative(), "maker_limit", maker_limit.get().into(), "0 or more")?;
        let least = efficiency_min.0;
        check((0..=Ppb::ONE.0).contains(&least), "efficiency_min", least.into(), "0 to 1")?;
        let limit = efficiency_limit.0;
        let accepted = "not below efficiency_min, at most 16.777215 (24 bits on the venue)";
        check((least..=16_777_215_000).contains(&limit), "efficiency_limit", limit.into(), accepted)?;
        Ok(Self { terms })
    }

    /// Lots that makers stand for: worth x leverage / price, down, at most the limit; none where there is no worth.
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn makers(&self, worth: Quanta, per_tick: i64, price: Ticks) -> Result<i128, MathError> {
        if worth.get() <= 0 || price.get() <= 0 {
            return Ok(0);
        }
        let lot = times(times(price.get().into(), per_tick.into())?, Ppb::ONE.0.into())?;
        let lots = wide::mul_div(worth.get(), self.terms.leverage, lot, Rounding::Down)?;
        Ok(lots.min(self.terms.maker_limit.get().into()))
    }

    fn sides(&self, pool: &PoolView, market: &MarketView, maker: i128) -> Result<Sides, MathError> {
        let long = i128::from(market.open_interest.get());
        // all lots sum to zero: shorts are longs and what the pool holds against them
        let short = long.checked_add(pool.lots.get().into()).ok_or(MathError::Overflow)?;
        Ok(Sides { maker, long, short: short.max(0) })
    }

    fn now(&self, moment: &PoolMoment) -> Result<Sides, MathError> {
        let (pool, market) = (&moment.pool, &moment.market);
        let maker = self.makers(pool.equity, market.scale.quanta_per_lot_tick(), market.mark.mid)?;
        self.sides(pool, market, maker)
    }
}

impl PoolPricing for MakerPool {
    fn fill(
        &self,
        _at: At,
        order: &PoolOrder,
        pool: &PoolView,
        market: &MarketView,
        _memory: &mut Memory<'_>,
    ) -> Result<Fill, MarketError> {
        let nothing = Fill { postings: Vec::new(), left: order.lots };
        if !market.mark.is_usable() || order.lots.is_zero() {
            return Ok(nothing);
        }
        let price = if order.lots.is_negative() { market.mark.low } else { market.mark.high };
        let cost = market.scale.notional(order.lots, price)?;
        if !order.accepts(market, order.lots, cost)? {
            return Ok(nothing);
        }
        Ok(Fill::whole(order, pool, market, cost, 0)?)
    }

    fn unhonoured(&self, now: &PoolMoment, memory: &mut Memory<'_>) -> Result<Unhonoured, MarketError> {
        let (pool, market) = (&now.pool, &now.market);
        let scope = Scope::Pool(pool.id);
        let Settled(before) = memory.get(scope)?;
        let price = market.mark.mid;
        if !market.mark.is_usable() || price == before {
            return Ok(Unhonoured::NOTHING);
        }
        memory.set(scope, &Settled(price))?;
        if before.is_zero() {
            return Ok(Unhonoured::NOTHING);
        }
        let per_tick = market.scale.quanta_per_lot_tick();
        let moved = i128::from(price.try_sub(before)?.get());
        let change = times(moved, per_tick.into())?;
        // the makers are those of the price before: what the pool was worth at it
        let worth = pool.equity.try_sub(within(times(pool.lots.get().into(), change)?)?)?;
        let sides = self.sides(pool, market, self.makers(worth, per_tick, before)?)?;
        let (long, short) = sides.beyond(change)?;
        Ok(Unhonoured { long: within(long)?, short: within(short)? })
    }

    fn permits(&self, before: &PoolMoment, after: &PoolMoment) -> Result<bool, MarketError> {
        if !after.market.mark.is_usable() {
            return Ok(after.pool.lots.is_zero() && after.market.open_interest.is_zero());
        }
        let (was, is) = (self.now(before)?, self.now(after)?);
        let fewer = is.maker < was.maker;
        if (fewer || is.major() > was.major()) && is.efficiency_below(self.terms.efficiency_limit)? {
            return Ok(false);
        }
        let wider = is.skew()?.unsigned_abs() > was.skew()?.unsigned_abs();
        Ok(!((fewer || wider) && is.socialised()?))
    }
}

/// The mark up to which sides and pool are even; zero before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Settled(Ticks);

impl Record for Settled {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.i64(self.0.get());
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self(Ticks::new(from.i64()?))),
            found => Err(MemoryError::Version { found }),
        }
    }
}

module! {
    "perennial/maker-pool@1" Pool breaks [];
    /// Perennial v2: makers' pool that takes the other side at the oracle's price and honours of takers' larger side what it can answer for.
    struct MakerPoolSpec {
        /// Where it trades.
        market: String ["name of a market"],
        /// The vault's `leverage`: notional that a unit of the pool's worth backs, in steps of 1e-9.
        leverage: Number ["number"],
        /// The venue's `makerLimit`.
        maker_limit: Number ["size in the market's base asset"],
        /// The venue's `efficiencyLimit`, which may exceed one.
        efficiency_limit: Number ["number"],
        /// The venue's `minEfficiency`.
        efficiency_min: Ratio ["ratio"],
    }
}

fn billionths(ctx: &Context<'_>, field: &str, x: &Number) -> Result<i128, ConfigError> {
    x.0.to_units(-9).map_err(|e| ctx.refuse(field, x.0, format!("a multiple of 1e-9: {e}")))
}

#[typetag::serde(name = "perennial/maker-pool@1")]
impl PoolSpec for MakerPoolSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<PoolKind, ConfigError> {
        let market = ctx.market("market", &self.market)?;
        let limit = billionths(ctx, "efficiency_limit", &self.efficiency_limit)?;
        let limit = i64::try_from(limit).map_err(|_| {
            ctx.refuse(
                "efficiency_limit",
                self.efficiency_limit.0,
                "at most 16.777215 (24 bits on the venue)",
            )
        })?;
        let terms = MakerTerms {
            leverage: billionths(ctx, "leverage", &self.leverage)?,
            maker_limit: ctx.lots("maker_limit", market, &self.maker_limit)?,
            efficiency_limit: Ppb(limit),
            efficiency_min: self.efficiency_min.0,
        };
        Ok(PoolKind::Trading { market, pricing: Box::new(ctx.check(self, MakerPool::new(terms))?) })
    }
}
