//! On which terms lots are offered: the worst price accepted, the penalty and how long the offer stands.

use crate::close::{asset, market, to_settlement};
use crate::{LiquidationError, Penalty, Taker};
use cofferdam_core::{Case, Lots, MarketId, Millis, Ppb, Quanta, Rounding, Ticks, wide};

/// Refuses a parameter outside its range, naming field, value and what is accepted.
pub(crate) fn accept(
    ok: bool,
    field: &'static str,
    value: i128,
    accepted: &'static str,
) -> Result<(), LiquidationError> {
    if ok { Ok(()) } else { Err(LiquidationError::Parameter { field, value, accepted }) }
}

/// The lowest price a forced sale accepts, or the highest a forced purchase pays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitPrice {
    /// Whatever the book gives: one tick for a sale, the last representable tick for a purchase.
    #[default]
    Any,
    /// The bankruptcy price: a fill there leaves the account with nothing and owing nothing (Binance, dYdX v4).
    Bankruptcy,
    /// So far from mark, in parts per billion, rounded into the band: to the account's favour.
    Band(Ppb),
}

impl LimitPrice {
    /// The limit for a trade of `lots` (signed, against the position) by an account that may lose `equity` on it.
    ///
    /// Errors with [`LiquidationError::NoPrice`] where market or settlement asset have no usable price.
    pub fn price(
        &self,
        case: &Case<'_>,
        id: MarketId,
        lots: Lots,
        equity: Quanta,
    ) -> Result<Ticks, LiquidationError> {
        let sale = lots.is_negative();
        match self {
            Self::Any => Ok(if sale { Ticks::ONE } else { Ticks::new(Ticks::LIMIT) }),
            Self::Bankruptcy => bankruptcy_price_with(case, id, lots.try_neg()?, equity),
            Self::Band(width) => {
                let mark = i128::from(market(case, id)?.mark.mid.get());
                // sale: mark x (1 - w) rounded up; purchase: mark x (1 + w) rounded down. The account gains.
                let price = if sale {
                    width.complement()?.of_units(mark, Rounding::Up)?
                } else {
                    let factor = i128::from(Ppb::ONE.0).saturating_add(i128::from(width.0)); // two i64 fit i128
                    wide::mul_div(mark, factor, i128::from(Ppb::ONE.0), Rounding::Down)?
                };
                Ok(into_range(price))
            }
        }
    }

    fn check(self) -> Result<(), LiquidationError> {
        match self {
            Self::Band(w) => accept(
                (0..=Ppb::ONE.0).contains(&w.0),
                "limit.band",
                w.0.into(),
                "0 to 1000000000 parts per billion",
            ),
            Self::Any | Self::Bankruptcy => Ok(()),
        }
    }
}

// A price below one tick is one tick, one past the range of ticks is its last: stated where it is used.
fn into_range(price: i128) -> Ticks {
    Ticks::new(i64::try_from(price.clamp(1, i128::from(Ticks::LIMIT))).unwrap_or(Ticks::LIMIT))
}

/// The price at which closing a whole position leaves the account's equity at zero, everything else at mid prices:
/// `mark - equity / (lots x k)`, in the market's ticks.
///
/// Rounded up for a long and down for a short: the taker never gets the fraction of a tick, so a close at this price
/// never leaves a deficit. Without a positive price that does so (a short so deep under water that even one tick is too
/// dear), the answer is one tick; past the range of ticks it is the last tick.
///
/// ```
/// use cofferdam_core::{MarketId, Ticks};
/// use cofferdam_liquidation_strategy::{bankruptcy_price, conformance::Bench};
/// // long 10 at 100 with 30 of cash: worth nothing at 97
/// let bench = Bench::perpetual(30).with_position(MarketId(0), 10, 1_000);
/// assert_eq!(bench.case(|c| bankruptcy_price(c, MarketId(0)))?, Ticks::new(97));
/// # Ok::<(), cofferdam_liquidation_strategy::LiquidationError>(())
/// ```
///
/// Errors with [`LiquidationError::NoPrice`] for a market without a usable mark, and with
/// [`LiquidationError::Parameter`] where the account holds no position in it.
pub fn bankruptcy_price(case: &Case<'_>, id: MarketId) -> Result<Ticks, LiquidationError> {
    let lots = case.group.position(id).map_or(Lots::ZERO, |p| p.lots);
    accept(!lots.is_zero(), "position.lots", 0, "a market in which the account holds a position")?;
    bankruptcy_price_with(case, id, lots, case.health.equity)
}

/// [`bankruptcy_price`] of `lots` (signed as held) when only `equity`, in quanta of the numeraire, may be lost on them:
/// the share of one position where several are closed at once.
pub fn bankruptcy_price_with(
    case: &Case<'_>,
    id: MarketId,
    lots: Lots,
    equity: Quanta,
) -> Result<Ticks, LiquidationError> {
    let view = market(case, id)?;
    // what may be lost, in the settlement asset, rounded down: the taker gets less room
    let cushion = to_settlement(asset(case, view.settlement)?, equity, Rounding::Down)?;
    let per_tick = view.scale.absolute_notional(lots, Ticks::ONE)?;
    accept(!per_tick.is_zero(), "lots", 0, "not zero")?;
    // ticks that the cushion pays for, rounded down, towards mark: the account gains
    let ticks = wide::div(cushion.get(), per_tick.get(), Rounding::Down)?;
    let mark = i128::from(view.mark.mid.get());
    let price = if lots.is_negative() { mark.checked_add(ticks) } else { mark.checked_sub(ticks) };
    Ok(into_range(price.ok_or(cofferdam_core::MathError::Overflow)?))
}

impl Penalty {
    /// A penalty whose rate and shares are ratios and whose shares do not exceed the whole.
    ///
    /// ```
    /// use cofferdam_core::Ppb;
    /// use cofferdam_liquidation_strategy::Penalty;
    /// assert!(Penalty::new(Ppb(15_000_000), Ppb(1_000_000_000), Ppb::ZERO).is_ok()); // 1.5 %, all to insurance
    /// assert!(Penalty::new(Ppb(15_000_000), Ppb(900_000_000), Ppb(200_000_000)).is_err());
    /// ```
    pub fn new(rate: Ppb, to_insurance: Ppb, to_keeper: Ppb) -> Result<Self, LiquidationError> {
        let ratio = |p: Ppb| (0..=Ppb::ONE.0).contains(&p.0);
        let accepted = "0 to 1000000000 parts per billion";
        accept(ratio(rate), "penalty.rate", rate.0.into(), accepted)?;
        accept(ratio(to_insurance), "penalty.to_insurance", to_insurance.0.into(), accepted)?;
        accept(ratio(to_keeper), "penalty.to_keeper", to_keeper.0.into(), accepted)?;
        let shares = to_insurance.0.saturating_add(to_keeper.0); // both at most 1e9
        accept(shares <= Ppb::ONE.0, "penalty shares", shares.into(), "at most one whole together")?;
        Ok(Self { rate, to_insurance, to_keeper, ..Self::default() })
    }

    /// The same penalty with the keeper of a bid as its keeper, unless the configuration names one.
    #[must_use]
    pub fn for_taker(mut self, by: Taker) -> Self {
        if let (None, Taker::Keeper(keeper)) = (self.keeper, by) {
            self.keeper = Some(keeper);
        }
        self
    }

    /// What closing this notional in one trade costs, in its quanta, rounded up: who receives the penalty gains.
    pub fn on(&self, notional: Quanta) -> Result<Quanta, LiquidationError> {
        Ok(self.rate.of(notional, Rounding::Up)?.try_add(self.fixed)?)
    }
}

/// The terms of the orders of a strategy.
///
/// ```
/// use cofferdam_core::{Millis, Ppb};
/// use cofferdam_liquidation_strategy::{LimitPrice, OrderTerms, Penalty};
/// let penalty = Penalty::new(Ppb(10_000_000), Ppb::ONE, Ppb::ZERO)?;
/// let terms = OrderTerms::new(LimitPrice::Band(Ppb(50_000_000)), penalty, Millis(5_000))?;
/// assert!(OrderTerms::new(LimitPrice::Any, penalty, Millis::ZERO).is_err());
/// # let _ = terms;
/// # Ok::<(), cofferdam_liquidation_strategy::LiquidationError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderTerms {
    /// The worst price accepted.
    pub limit: LimitPrice,
    /// Charged on what is filled.
    pub penalty: Penalty,
    /// How long an order stands, in milliseconds; also the pause before what could not be ordered is tried again.
    pub ttl: Millis,
}

impl OrderTerms {
    /// Terms with a limit in range, a valid penalty and a time to live above zero.
    pub fn new(limit: LimitPrice, penalty: Penalty, ttl: Millis) -> Result<Self, LiquidationError> {
        let keeper = penalty.keeper;
        let penalty =
            Penalty { keeper, ..Penalty::new(penalty.rate, penalty.to_insurance, penalty.to_keeper)? };
        limit.check()?;
        accept(ttl > Millis::ZERO, "ttl", 0, "at least 1 ms")?;
        Ok(Self { limit, penalty, ttl })
    }
}
