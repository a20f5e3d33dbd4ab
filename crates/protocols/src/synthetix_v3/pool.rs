//! A pool that takes the other side at the oracle's price, moved by the average of the skew before and after over a scale.
//!
//! Source: `AsyncOrder.calculateFillPrice` and the order fee beside it, markets/perps-market/contracts/storage/AsyncOrder.sol. The skew is
//! longs less shorts of all traders: the pool's own position, turned round.

use cofferdam_core::{At, Lots, MarketView, MathError, Memory, Ppb, Quanta, Rounding, wide};
use cofferdam_market::{Fill, MarketError, PoolMoment, PoolOrder, PoolPricing, PoolView, Unhonoured};
use cofferdam_stack::{ConfigError, Context, Number, PoolKind, PoolSpec, Ratio, module};

/// See the module. Whole orders or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SkewPool {
    scale: Lots,
    maker: Ppb,
    taker: Ppb,
    quanta_per_atom: i128,
}

fn check(ok: bool, field: &'static str, value: i128, accepted: &'static str) -> Result<(), MarketError> {
    if ok { Ok(()) } else { Err(MarketError::Parameter { field, value, accepted }) }
}

fn times(a: i128, b: i128) -> Result<i128, MathError> {
    a.checked_mul(b).ok_or(MathError::Overflow)
}

fn plus(a: i128, b: i128) -> Result<i128, MathError> {
    a.checked_add(b).ok_or(MathError::Overflow)
}

impl SkewPool {
    /// The scale of the skew in lots, above zero; fees between zero and one; `quanta_per_atom` of the settlement asset.
    pub fn new(scale: Lots, maker: Ppb, taker: Ppb, quanta_per_atom: i128) -> Result<Self, MarketError> {
        check(scale > Lots::ZERO, "skew_scale", scale.get().into(), "above 0")?;
        for (field, fee) in [("maker_fee", maker), ("taker_fee", taker)] {
            check((0..=Ppb::ONE.0).contains(&fee.0), field, fee.0.into(), "0 to 1")?;
        }
        check(quanta_per_atom > 0, "quanta_per_atom", quanta_per_atom, "above 0")?;
        Ok(Self { scale, maker, taker, quanta_per_atom })
    }

    /// What so many lots cost at a skew, given their value at the mark: value x (1 + (skew + lots / 2) / scale), rounded up. `None` where
    /// the price would be zero or less.
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn cost(&self, value: Quanta, lots: Lots, skew: Lots) -> Result<Option<Quanta>, MathError> {
        let twice = times(self.scale.get().into(), 2)?;
        let moved = plus(times(skew.get().into(), 2)?, lots.get().into())?;
        let factor = plus(twice, moved)?;
        if factor <= 0 {
            return Ok(None);
        }
        wide::mul_div(value.get(), factor, twice, Rounding::Up).map(|c| Some(Quanta::new(c)))
    }

    /// The fee on a cost in atoms, rounded up: the maker's rate for the part that shrinks the skew, the taker's for the rest.
    fn fee(&self, cost: Quanta, lots: Lots, skew: Lots) -> Result<i128, MathError> {
        let size = i128::from(lots.try_abs()?.get());
        let against = lots.is_negative() != skew.is_negative();
        let making = if against { size.min(skew.try_abs()?.get().into()) } else { 0 };
        let taking = size.checked_sub(making).ok_or(MathError::Overflow)?;
        let rate = plus(times(making, self.maker.0.into())?, times(taking, self.taker.0.into())?)?;
        let divisor = times(times(size, Ppb::ONE.0.into())?, self.quanta_per_atom)?;
        wide::mul_div(cost.try_abs()?.get(), rate, divisor, Rounding::Up)
    }
}

impl PoolPricing for SkewPool {
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
        let skew = pool.lots.try_neg()?;
        let Some(cost) = self.cost(market.scale.notional(order.lots, price)?, order.lots, skew)? else {
            return Ok(nothing);
        };
        let fee = self.fee(cost, order.lots, skew)?;
        if !order.accepts(
            market,
            order.lots,
            Quanta::new(plus(cost.get(), times(fee, self.quanta_per_atom)?)?),
        )? {
            return Ok(nothing);
        }
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
    "synthetix/skew-pool@1" Pool breaks [];
    /// Synthetix v3: takes the other side at the oracle's price, moved by the average skew before and after over a scale.
    struct SkewPoolSpec {
        /// Where it trades.
        market: String ["name of a market"],
        /// The venue's `skewScale`.
        skew_scale: Number ["size in the market's base asset"],
        /// The venue's `makerFee`: for the part of an order that shrinks the skew.
        maker_fee: Option<Ratio> ["ratio", "0"],
        /// The venue's `takerFee`: for the rest.
        taker_fee: Option<Ratio> ["ratio", "0"],
    }
}

#[typetag::serde(name = "synthetix/skew-pool@1")]
impl PoolSpec for SkewPoolSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<PoolKind, ConfigError> {
        let market = ctx.market("market", &self.market)?;
        let quanta_per_atom = ctx.quanta_per_atom("market", market)?.into();
        let scale = ctx.lots("skew_scale", market, &self.skew_scale)?;
        let fee = |r: Option<Ratio>| r.map_or(Ppb::ZERO, |r| r.0);
        let built = SkewPool::new(scale, fee(self.maker_fee), fee(self.taker_fee), quanta_per_atom);
        Ok(PoolKind::Trading { market, pricing: Box::new(ctx.check(self, built)?) })
    }
}
