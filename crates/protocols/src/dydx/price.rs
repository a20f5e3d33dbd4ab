//! What an account's collateral pays for: each position answers for its share of the maintenance requirement.
//!
//! All values are quanta of the one asset in which the venue settles, margins and insures.

use cofferdam_core::{
    Case, Health, Holder, Instrument, Level, Lots, MarketId, MarketScale, MarketView, MathError, Posting,
    Ppb, Quanta, Rounding, Ticks, wide,
};
use cofferdam_liquidation_strategy::LiquidationError;

const ONE: i128 = 1_000_000_000;

/// An account with one of its positions, and what a trade against it takes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Everything the account owns less what it owes (TNC).
    pub collateral: Quanta,
    /// What all its positions require (TMMR).
    pub required: Quanta,
    /// What the trade takes off that (|DMMR|).
    pub released: Quanta,
    /// The position's lots that the trade closes, times mark, signed as they are held (-DNC).
    pub notional: Quanta,
}

fn market<'c>(case: &Case<'c>, id: MarketId) -> Result<&'c MarketView, LiquidationError> {
    let view = case.world.market(id).filter(|m| m.mark.is_usable());
    view.ok_or(LiquidationError::NoPrice(Instrument::Market(id)))
}

fn demand(health: &Health) -> Quanta {
    health.line(Level::Maintenance).map_or(Quanta::ZERO, |l| l.demand)
}

fn held(case: &Case<'_>, id: MarketId, lots: Lots) -> Result<(Lots, Quanta), LiquidationError> {
    let (held, cost) = case.group.position(id).map_or((Lots::ZERO, Quanta::ZERO), |p| (p.lots, p.cost));
    if lots.is_zero() || lots.signum() == held.signum() || lots.try_abs()? > held.try_abs()? {
        return Err(LiquidationError::Parameter {
            field: "lots",
            value: lots.get().into(),
            accepted: "lots against the position, no more than it holds",
        });
    }
    Ok((held, cost))
}

impl Share {
    /// Of a trade of `lots` (signed, against the position). Refuses a trade of nothing, with the position or beyond it, as the
    /// venue does.
    pub fn of(case: &Case<'_>, id: MarketId, lots: Lots) -> Result<Self, LiquidationError> {
        let (have, cost) = held(case, id, lots)?;
        let view = market(case, id)?;
        let away = lots.try_neg()?;
        let cost = MarketScale::released_cost(cost, away, have)?;
        let group = Holder::Group(case.group.id);
        let back = lots.get().checked_neg().ok_or(MathError::Overflow)?;
        let closed = [
            Posting::position(group, id, lots.get(), cost.try_neg()?),
            Posting::position(Holder::Outside, id, back, cost),
        ];
        let required = demand(&case.health);
        let after = demand(&(case.what_if)(&closed)?);
        Ok(Self {
            collateral: case.health.equity,
            required,
            released: required.try_sub(after)?.positive_part(),
            notional: view.scale.notional(away, view.mark.mid)?,
        })
    }

    /// What the closed lots may lose, rounded down: TNC x |DMMR| / TMMR. Nothing where nothing is required.
    pub fn cushion(&self) -> Result<Quanta, MathError> {
        if self.required.get() <= 0 {
            return Ok(Quanta::ZERO);
        }
        let (tnc, released) = (self.collateral.get(), self.released.get());
        wide::mul_div(tnc, released, self.required.get(), Rounding::Down).map(Quanta::new)
    }
}

/// The bankruptcy price of a trade of `lots` as what it pays the account (below zero: what it costs):
/// -DNC - TNC x |DMMR| / TMMR. One division, rounded down, so the price is rounded up: insurance gains.
pub fn bankruptcy_quote(case: &Case<'_>, id: MarketId, lots: Lots) -> Result<Quanta, LiquidationError> {
    let share = Share::of(case, id, lots)?;
    Ok(share.notional.try_sub(share.cushion()?)?)
}

/// The same per lot, in ticks: up for a sale, down for a purchase, so a trade there leaves no deficit; at least one tick.
pub fn bankruptcy_price(case: &Case<'_>, id: MarketId, lots: Lots) -> Result<Ticks, LiquidationError> {
    let quote = bankruptcy_quote(case, id, lots)?;
    let per_tick = market(case, id)?.scale.notional(lots.try_neg()?, Ticks::ONE)?;
    // a sale: quote / lots up; a purchase: minus over minus, down
    let round = if lots.is_negative() { Rounding::Up } else { Rounding::Down };
    let price = wide::div(quote.try_abs()?.get(), per_tick.try_abs()?.get(), round)?;
    let price = if quote.signum() == per_tick.signum() { price } else { 0 };
    in_ticks(price)
}

fn in_ticks(price: i128) -> Result<Ticks, LiquidationError> {
    Ok(Ticks::new(i64::try_from(price.clamp(1, i128::from(Ticks::LIMIT))).map_err(|_| MathError::Overflow)?))
}

/// What insurance pays (below zero) or is paid when `lots` are closed for `quote` (what the account receives, below zero for a
/// purchase): the difference to the bankruptcy price, and where that is above zero at most `fee` of the quote. The fee is
/// rounded down: the account gains.
pub fn insurance_delta(
    case: &Case<'_>,
    id: MarketId,
    lots: Lots,
    quote: Quanta,
    fee: Ppb,
) -> Result<Quanta, LiquidationError> {
    let delta = quote.try_sub(bankruptcy_quote(case, id, lots)?)?;
    Ok(delta.min(fee.of(quote.try_abs()?, Rounding::Down)?))
}

/// How far from the mark a liquidation sells or buys: the further the worse the account's health.
///
/// limit = (PNNV - ABR x SMMR x PMMR) / PS with ABR = BA x (1 - TNC / TMMR) between 0 and 1, rounded towards the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fillable {
    adjustment: Ppb,
    spread: Ppb,
}

impl Fillable {
    /// The venue refuses a bankruptcy adjustment below 100 % and a spread to the maintenance margin ratio of nothing
    /// (`FillablePriceConfig.Validate`).
    pub fn new(adjustment: Ppb, spread: Ppb) -> Result<Self, LiquidationError> {
        let refuse = |field, value: Ppb, accepted| {
            Err(LiquidationError::Parameter { field, value: value.0.into(), accepted })
        };
        if adjustment < Ppb::ONE {
            return refuse("bankruptcy_adjustment", adjustment, "at least 1");
        }
        if spread <= Ppb::ZERO {
            return refuse("spread_to_maintenance", spread, "above zero");
        }
        Ok(Self { adjustment, spread })
    }

    /// The worst price at which the position in a market may be closed, in ticks.
    pub fn price(&self, case: &Case<'_>, id: MarketId) -> Result<Ticks, LiquidationError> {
        let lots = case.group.position(id).map_or(Lots::ZERO, |p| p.lots);
        let share = Share::of(case, id, lots.try_neg()?)?;
        let view = market(case, id)?;
        let required = share.required.get();
        let times = |a: i128, b: i128| a.checked_mul(b).ok_or(MathError::Overflow);
        // 1e9 x TMMR x ABR, between nothing and 1e9 x TMMR
        let short = required.checked_sub(share.collateral.get()).ok_or(MathError::Overflow)?;
        let whole = times(required, ONE)?;
        let rating = times(short.max(0), self.adjustment.0.into())?.min(whole);
        // nested floors are one floor: the fraction of a tick stays with the account
        let spread = times(share.released.get(), self.spread.0.into())?;
        let spread = if whole > 0 { wide::mul_div(spread, rating, whole, Rounding::Down)? } else { 0 };
        let per_tick = times(view.scale.absolute_notional(lots, Ticks::ONE)?.get(), ONE)?;
        let ticks = wide::div(spread, per_tick, Rounding::Down)?;
        let mark = i128::from(view.mark.mid.get());
        let limit = if lots.is_negative() { mark.checked_add(ticks) } else { mark.checked_sub(ticks) };
        in_ticks(limit.ok_or(MathError::Overflow)?)
    }
}
