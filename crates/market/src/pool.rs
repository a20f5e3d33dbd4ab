//! A pool that fills trades along a virtual constant product around the oracle mark, with a fee on what skews it.
//!
//! Sources: virtual reserves as in Perpetual Protocol v1 and Drift v1 (`x y = k` without deposited reserves), re-centred on
//! the mark so that the oracle and not the trades moves the price; a fee by inventory skew as in GMX v2 price impact and
//! Synthetix v2 perps (fill price from the skew before and after), paid from a purse so that it cannot be farmed.

use crate::{Fill, MarketError, PoolMoment, PoolOrder, PoolPricing, PoolView, Unhonoured, check_range};
use alloc::vec::Vec;
use cofferdam_core::{
    At, Holder, House, Item, Lots, MarketView, MathError, Memory, MemoryError, Posting, Ppb, Quanta, Reader,
    Record, Rounding, Scope, Writer, wide,
};

const PPB: i128 = 1_000_000_000;

/// Parameters of [`ConstantProduct`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConstantProductParams {
    /// Virtual reserve at an empty inventory, in lots: trading 1 % of it moves the price by 2 %. Above zero, at most 2^60.
    pub depth: Lots,
    /// The largest inventory the pool takes on, in lots of either sign. Above zero, below `depth`.
    pub inventory_max: Lots,
    /// Fee on the traded notional, zero to one whole.
    pub fee: Ppb,
    /// Marginal fee for adding to an inventory of `inventory_max`; it grows in proportion to the inventory. Zero to one.
    pub skew_fee: Ppb,
    /// How much of the skew fee is paid back to who reduces the inventory, zero to one whole.
    pub rebate: Ppb,
    /// What part of `fee` (not of the skew fee) goes to the house, zero to one whole; the rest is the pool's.
    pub house_share: Ppb,
    /// Quanta per atom of the settlement asset: fees are paid in atoms. Above zero.
    pub quanta_per_atom: i64,
}

/// A virtual constant product. With depth D, inventory q and mark P the pool quotes from reserves of D + q lots against
/// D² P k / (D + q) quanta:
///
/// ```text
/// cost(n)  = P k D² n / ((D + q) (D + q - n))               for n lots bought (sold when below zero)
/// fee(n)   = fee x |cost|
/// skew(n)  = skew_fee x P k x ((q - n)² - q²) / (2 inventory_max)
/// ```
///
/// - Cost and skew are differences of a function of the inventory, so at constant prices no way through the inventories
///   and back gains (INV-4, INV-6); each is rounded once, up, against the taker.
/// - Buyers trade on the upper end of the mark, sellers on the lower one, fees on the upper and rebates on the lower.
/// - A rebate comes out of the pool's purse of skew fees: over the life of a pool, at any prices, rebates never exceed fees.
///   It also never takes more than the pool's cash.
/// - The house gets its share of the fee rounded up, the pool the rest of it and the skew fee.
/// - An order is filled as far as the inventory cap and the taker's limit reach, by bisection over lots. Where the taker's
///   whole surplus is below the few quanta of rounding, less may be filled than the exact curve would allow, never more.
/// - No usable mark, no fill. A pool that was handed an inventory of -depth or less does not quote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConstantProduct {
    params: ConstantProductParams,
    depth_squared: i128,
    // 2 x inventory_max x 1e9 x quanta_per_atom
    skew_divisor: i128,
}

impl ConstantProduct {
    /// A pool with these parameters; refuses those outside their documented range.
    ///
    /// ```
    /// use cofferdam_core::{Lots, Ppb};
    /// use cofferdam_market::{ConstantProduct, ConstantProductParams, MarketError};
    /// let params = ConstantProductParams {
    ///     depth: Lots::new(1_000_000), inventory_max: Lots::new(100_000), fee: Ppb(500_000),
    ///     skew_fee: Ppb(2_000_000), rebate: Ppb(500_000_000), house_share: Ppb(100_000_000), quanta_per_atom: 1,
    /// };
    /// assert!(ConstantProduct::new(params).is_ok());
    /// let deep = ConstantProductParams { inventory_max: params.depth, ..params };
    /// assert!(matches!(ConstantProduct::new(deep), Err(MarketError::Parameter { field: "inventory_max", .. })));
    /// ```
    pub fn new(params: ConstantProductParams) -> Result<Self, MarketError> {
        let depth = i128::from(params.depth.get());
        check_range("depth", depth, 1..=1 << 60, "1 to 2^60 lots")?;
        let inventory_max = i128::from(params.inventory_max.get());
        check_range("inventory_max", inventory_max, 1..=depth.wrapping_sub(1), "above zero, below depth")?;
        for (field, ratio) in [
            ("fee", params.fee),
            ("skew_fee", params.skew_fee),
            ("rebate", params.rebate),
            ("house_share", params.house_share),
        ] {
            check_range(field, ratio.0.into(), 0..=PPB, "0 to 1")?;
        }
        let per_atom = i128::from(params.quanta_per_atom);
        check_range("quanta_per_atom", per_atom, 1..=1 << 36, "1 to 2^36")?;
        // 60 + 60 bits; and 1 + 60 + 30 + 36
        let skew_divisor = inventory_max
            .wrapping_mul(2)
            .checked_mul(PPB)
            .and_then(|d| d.checked_mul(per_atom))
            .ok_or(MathError::Overflow)?;
        Ok(Self { params, depth_squared: depth.wrapping_mul(depth), skew_divisor })
    }

    // How many of the ordered lots the inventory allows, in magnitude.
    fn room(&self, inventory: i64, ordered: i64) -> i64 {
        let (q, max) = (i128::from(inventory), i128::from(self.params.inventory_max.get()));
        if i128::from(self.params.depth.get()).wrapping_add(q) <= 0 {
            return 0;
        }
        let room = if ordered > 0 { q.wrapping_add(max) } else { max.wrapping_sub(q) };
        // the smaller of two magnitudes of which one is an i64's
        let allowed = room.clamp(0, i128::from(ordered).wrapping_abs());
        i64::try_from(allowed).unwrap_or(0)
    }

    // P k D² n / ((D + q) (D + q - n)), up: against the taker, who pays more or receives less
    fn cost(&self, quote: &Context<'_>, lots: i64) -> Result<Quanta, MathError> {
        let price = if lots > 0 { quote.market.mark.high } else { quote.market.mark.low };
        let reserve = i128::from(self.params.depth.get()).wrapping_add(i128::from(quote.pool.lots.get()));
        let after = reserve.wrapping_sub(i128::from(lots)); // above zero: `room` keeps it there
        let divisor = reserve.checked_mul(after).ok_or(MathError::Overflow)?;
        let notional = quote.market.scale.notional(Lots::new(lots), price)?;
        let cost = wide::mul_div(notional.get(), self.depth_squared, divisor, Rounding::Up)?;
        Quanta::new(cost).try_add(Quanta::ZERO)
    }

    // skew_fee x P k x ((q - n)² - q²) / (2 inventory_max) in atoms, up: a fee rounds up, a rebate (below zero) to less
    fn skew(&self, quote: &Context<'_>, lots: i64) -> Result<i128, MathError> {
        let q = i128::from(quote.pool.lots.get());
        let after = q.wrapping_sub(i128::from(lots));
        let square = |x: i128| x.checked_mul(x).ok_or(MathError::Overflow);
        let change = square(after)?.wrapping_sub(square(q)?); // squares are not below zero: no wrap
        let price = if change > 0 { quote.market.mark.high } else { quote.market.mark.low };
        let per_lot = quote.market.scale.notional(Lots::ONE, price)?.get();
        let rate = per_lot.checked_mul(self.params.skew_fee.0.into()).ok_or(MathError::Overflow)?;
        let skew = wide::mul_div(rate, change, self.skew_divisor, Rounding::Up)?;
        if skew >= 0 { Ok(skew) } else { self.params.rebate.of_units(skew, Rounding::Up) }
    }

    fn trade(&self, quote: &Context<'_>, lots: i64) -> Result<Trade, MathError> {
        let cost = self.cost(quote, lots)?;
        let per_atom = i128::from(self.params.quanta_per_atom);
        let unit = PPB.wrapping_mul(per_atom); // 30 + 36 bits
        // fee x |cost| in atoms, up: pool and house gain
        let fee = wide::mul_div(cost.try_abs()?.get(), self.params.fee.0.into(), unit, Rounding::Up)?;
        // up: the house gains, and splitting an order cannot thin out its share
        let house = self.params.house_share.of_units(fee, Rounding::Up)?;
        let cash = quote.pool.cash.positive_part().get().wrapping_add(fee.wrapping_sub(house)); // 2^120 + 2^90
        let rebate_max = quote.purse.min(cash).max(0);
        let skew = self.skew(quote, lots)?.max(rebate_max.wrapping_neg());
        Ok(Trade { lots, cost, fee, house, skew })
    }

    // Whether cost and fees stay within the taker's limit.
    fn within(&self, quote: &Context<'_>, trade: &Trade, order: &PoolOrder) -> Result<bool, MathError> {
        let fees = trade.fee.checked_add(trade.skew).ok_or(MathError::Overflow)?;
        let fees = fees.checked_mul(self.params.quanta_per_atom.into()).ok_or(MathError::Overflow)?;
        order.accepts(quote.market, Lots::new(trade.lots), trade.cost.try_add(Quanta::new(fees))?)
    }

    // The largest trade within the limit, found by bisection: the average price all in never improves with size.
    fn largest(
        &self,
        quote: &Context<'_>,
        sign: i64,
        room: i64,
        order: &PoolOrder,
    ) -> Result<Option<Trade>, MathError> {
        let attempt = |size: i64| -> Result<Option<Trade>, MathError> {
            let trade = self.trade(quote, size.wrapping_mul(sign))?;
            Ok(self.within(quote, &trade, order)?.then_some(trade))
        };
        if room == 0 {
            return Ok(None);
        }
        if let Some(all) = attempt(room)? {
            return Ok(Some(all));
        }
        let (mut best, mut fits, mut fails) = (None, 0_i64, room);
        while fails.wrapping_sub(fits) > 1 {
            let middle = fits.midpoint(fails);
            match attempt(middle)? {
                Some(trade) => (best, fits) = (Some(trade), middle),
                None => fails = middle,
            }
        }
        Ok(best)
    }
}

impl PoolPricing for ConstantProduct {
    fn fill(
        &self,
        _at: At,
        order: &PoolOrder,
        pool: &PoolView,
        market: &MarketView,
        memory: &mut Memory<'_>,
    ) -> Result<Fill, MarketError> {
        let nothing = Fill { postings: Vec::new(), left: order.lots };
        if !market.mark.is_usable() || order.lots.try_abs()?.is_zero() {
            return Ok(nothing);
        }
        let scope = Scope::Pool(pool.id);
        let Purse { atoms } = memory.get(scope)?;
        let quote = Context { pool, market, purse: atoms };
        let room = self.room(pool.lots.get(), order.lots.get());
        let sign = i64::from(order.lots.signum());
        let Some(trade) = self.largest(&quote, sign, room, order)? else { return Ok(nothing) };
        let atoms = atoms.checked_add(trade.skew).ok_or(MathError::Overflow)?;
        memory.set(scope, &Purse { atoms })?;
        let left = order.lots.try_sub(Lots::new(trade.lots))?;
        Ok(Fill { postings: trade.postings(order.taker, pool, market)?, left })
    }

    fn unhonoured(&self, _: &PoolMoment, _: &mut Memory<'_>) -> Result<Unhonoured, MarketError> {
        Ok(Unhonoured::NOTHING)
    }

    fn permits(&self, _: &PoolMoment, _: &PoolMoment) -> Result<bool, MarketError> {
        Ok(true)
    }
}

struct Context<'a> {
    pool: &'a PoolView,
    market: &'a MarketView,
    // skew fees collected less rebates paid, in atoms
    purse: i128,
}

/// A priced trade: lots bought by the taker and their cost; fee, the house's part of it and skew fee in atoms.
#[derive(Clone, Copy, Debug)]
struct Trade {
    lots: i64,
    cost: Quanta,
    fee: i128,
    house: i128,
    skew: i128,
}

impl Trade {
    fn postings(
        &self,
        taker: Holder,
        pool: &PoolView,
        market: &MarketView,
    ) -> Result<Vec<Posting>, MathError> {
        let (owner, cash) = (Holder::Pool(pool.id), Item::Asset(market.settlement));
        let paid = self.fee.checked_add(self.skew).ok_or(MathError::Overflow)?;
        let kept = paid.checked_sub(self.house).ok_or(MathError::Overflow)?;
        let given = Lots::new(self.lots).try_neg()?.get();
        let mut postings = alloc::vec![
            Posting::position(taker, market.id, self.lots, self.cost),
            Posting::position(owner, market.id, given, self.cost.try_neg()?),
        ];
        let moves = [(taker, paid.wrapping_neg()), (owner, kept), (Holder::House(House::Fees), self.house)];
        postings.extend(moves.iter().filter(|(_, x)| *x != 0).map(|(who, x)| Posting::new(*who, cash, *x)));
        Ok(postings)
    }
}

/// Skew fees collected less rebates paid, in atoms of the settlement asset; never below zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Purse {
    atoms: i128,
}

impl Record for Purse {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.i128(self.atoms);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self { atoms: from.i128()? }),
            found => Err(MemoryError::Version { found }),
        }
    }
}
