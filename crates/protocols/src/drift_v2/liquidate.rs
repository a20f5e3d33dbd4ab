//! How a position is liquidated: a liquidator takes over as much as covers the shortage of margin plus buffer, at the mark less a fee,
//! paced by time; the insurance fund takes a fee that cannot bankrupt. What liquidators leave is offered as an order on the same terms.
//!
//! Source: `liquidate_perp` and `liquidate_perp_with_fill` (programs/drift/src/controller/liquidation.rs).

use super::formulas::{self, BASE, BASIS, MILLIONTH, SMALL};
use cofferdam_core::{
    AssetId, Case, Holder, Item, Level, Lots, MarketId, MathError, Memory, MemoryError, Millis, PositionView,
    Posting, Ppb, Quanta, Reader, Record, Rounding, Scope, Ticks, Writer, wide,
};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, LiquidationStrategy, Penalty, Plan, Refusal, Step, Taker, effect, remains,
    steps_worsen,
};

/// How many of the venue's units one of ours is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketUnits {
    /// Which market.
    pub market: MarketId,
    /// Its settlement asset, which has to be the numeraire.
    pub settlement: AssetId,
    /// One lot in 1e-9 of the base asset.
    pub lot: u64,
    /// One tick in 1e-6 of the numeraire.
    pub tick: u64,
    /// Quanta in 1e-6 of the numeraire.
    pub quanta: u64,
}

/// Fees and pace; fees in 1e-6, ratios in 1e-4, as the venue keeps them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ramp {
    /// What a liquidator gains at first.
    pub fee: u32,
    /// What it gains at most.
    pub fee_max: u32,
    /// The most that the insurance fund takes.
    pub insurance_fee: u32,
    /// What has to be covered above maintenance, of notional and liabilities. The margin model's own buffer.
    pub buffer: u32,
    /// The part of the shortage that may be freed at once.
    pub initial: u32,
    /// How many slots until all of it may; zero for at once.
    pub duration: u64,
    /// Length of a slot, in milliseconds.
    pub slot: Millis,
    /// Orders leave this long after the liquidation began; `None`: liquidators only.
    pub orders_after: Option<Millis>,
    /// How long an order stands.
    pub ttl: Millis,
}

/// See the module.
#[derive(Debug)]
pub struct LiquidatePerp {
    terms: Ramp,
    markets: Vec<MarketUnits>,
    others: Option<Box<dyn LiquidationStrategy>>,
}

/// What is remembered of a liquidation that goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Status {
    active: bool,
    since: u64,
    /// Margin freed since then, in 1e-6.
    freed: u64,
}

impl Record for Status {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u8(self.active.into()).u64(self.since).u64(self.freed);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self { active: from.u8()? != 0, since: from.u64()?, freed: from.u64()? }),
            found => Err(MemoryError::Version { found }),
        }
    }
}

/// What may be taken now, and what would cover the shortage.
struct Sized {
    /// Signed, against the position.
    lots: Lots,
    covers: bool,
    price: Ticks,
    penalty: Penalty,
}

fn parameter<T>(field: &'static str, value: u64, accepted: &'static str) -> Result<T, LiquidationError> {
    Err(LiquidationError::Parameter { field, value: value.into(), accepted })
}

fn unsigned(x: i128) -> Result<u128, MathError> {
    u128::try_from(x).map_err(|_| MathError::Negative)
}

fn signed(x: u128) -> Result<i128, MathError> {
    i128::try_from(x).map_err(|_| MathError::Overflow)
}

/// Lots of so much base, rounded up: the venue's `standardize_base_asset_amount_ceil`.
fn lots_of(base: u128, lot: u64) -> Result<u128, MathError> {
    wide::mul_div_unsigned(base, 1, lot.into(), true)
}

impl LiquidatePerp {
    /// On these terms in these markets; bids that are not for lots go to `others`.
    pub fn new(
        terms: Ramp,
        markets: Vec<MarketUnits>,
        others: Option<Box<dyn LiquidationStrategy>>,
    ) -> Result<Self, LiquidationError> {
        let whole = MILLIONTH.try_into().unwrap_or(u32::MAX);
        for (field, fee) in
            [("fee", terms.fee), ("fee_max", terms.fee_max), ("insurance_fee", terms.insurance_fee)]
        {
            if fee >= whole {
                return parameter(field, fee.into(), "a fee below 1");
            }
        }
        if terms.fee_max < terms.fee {
            return parameter("fee_max", terms.fee_max.into(), "at least the fee");
        }
        for (field, ratio) in [("buffer", terms.buffer), ("initial_share", terms.initial)] {
            if ratio > 10_000 {
                return parameter(field, ratio.into(), "at most 10000 basis points");
            }
        }
        if terms.slot == Millis::ZERO {
            return parameter("slot", 0, "at least 1 ms");
        }
        if terms.orders_after.is_some() && terms.ttl == Millis::ZERO {
            return parameter("ttl", 0, "at least 1 ms");
        }
        Ok(Self { terms, markets, others })
    }

    fn units(&self, market: MarketId) -> Result<&MarketUnits, LiquidationError> {
        let found = self.markets.iter().find(|m| m.market == market);
        found.ok_or(LiquidationError::NoPrice(cofferdam_core::Instrument::Market(market)))
    }

    /// What is missing to maintenance and buffer, in 1e-6, rounded up; zero where nothing is.
    fn shortage(&self, slack: i128, units: &MarketUnits) -> Result<u128, MathError> {
        let missing = unsigned(slack.min(0).checked_neg().ok_or(MathError::Overflow)?)?;
        wide::mul_div_unsigned(missing, 1, units.quanta.into(), true)
    }

    /// Demand at maintenance with and without a position: whatever the account owes, it is backed in both.
    fn demands(
        case: &Case<'_>,
        p: &PositionView,
        units: &MarketUnits,
    ) -> Result<(i128, i128), LiquidationError> {
        let backing = Posting {
            holder: Holder::Group(case.group.id),
            item: Item::Asset(units.settlement),
            units: 1 << 90,
            cost: Quanta::ZERO,
        };
        let demand = |postings: &[Posting]| {
            let line = (case.what_if)(postings)?.line(Level::Maintenance);
            Ok::<_, MathError>(line.map_or(0, |l| l.demand.get()))
        };
        let mut closed = close_all(case, p)?;
        let with = demand(&[backing])?;
        closed.push(backing);
        Ok((with, demand(&closed)?))
    }

    fn size(
        &self,
        case: &Case<'_>,
        p: &PositionView,
        most: u128,
        slack: i128,
        status: &Status,
    ) -> Result<Sized, LiquidationError> {
        let units = self.units(p.market)?;
        let view = case.world.market(p.market).filter(|m| m.mark.is_usable());
        let view = view.ok_or(LiquidationError::NoPrice(cofferdam_core::Instrument::Market(p.market)))?;
        let mark = u128::from(view.mark.mid.get().unsigned_abs());
        let price = mark.checked_mul(units.tick.into()).ok_or(MathError::Overflow)?;
        let held = u128::from(p.lots.get().unsigned_abs());
        let base = held.checked_mul(units.lot.into()).ok_or(MathError::Overflow)?;
        let slots =
            Millis(case.at.time.0).since(Millis(status.since)).0.checked_div(self.terms.slot.0).unwrap_or(0);
        let fee = formulas::liquidator_fee(self.terms.fee.into(), self.terms.fee_max.into(), slots);
        let shortage = self.shortage(slack, units)?;

        let (with, without) = Self::demands(case, p, units)?;
        let required = unsigned(with.saturating_sub(without).max(0))?; // both fit 120 bits
        let notional = unsigned(view.scale.absolute_notional(p.lots, view.mark.mid)?.get())?;
        let ratio = wide::mul_div_unsigned(required, BASIS, notional.max(1), false)?;
        let ratio = ratio.checked_add(self.terms.buffer.into()).ok_or(MathError::Overflow)?;
        let all = unsigned(case.health.line(Level::Maintenance).map_or(0, |l| l.demand.get()))?;
        // the market's part of the shortage, by what it asks of all that is asked
        let tracked = wide::mul_div_unsigned(shortage, required, all.max(1), false)?.min(shortage);
        let most_insurance = self.terms.insurance_fee.into();
        let insurance = formulas::insurance_fee(tracked, base, ratio, fee, price, MILLIONTH, most_insurance)?;

        let cover = formulas::base_to_cover(shortage, ratio, fee, insurance, price, MILLIONTH)?;
        let cover = cover.map_or(Ok(held), |b| lots_of(b, units.lot))?;
        let share = formulas::share_to_take(
            shortage,
            status.freed.into(),
            slots,
            self.terms.initial.into(),
            self.terms.duration,
        )?;
        let paced = cover
            .checked_mul(units.lot.into())
            .and_then(|b| b.checked_mul(share))
            .ok_or(MathError::Overflow)?;
        let paced = lots_of(wide::mul_div_unsigned(paced, 1, BASIS, false)?, units.lot)?;
        let value = wide::mul_div_unsigned(base, price, BASE, false)?;
        let paced = if value > SMALL { paced } else { paced.max(held) };
        let lots = held.min(most).min(paced).min(case.allowed.allowed(case.at.time));

        let lots_signed = i64::try_from(lots).map_err(|_| MathError::Overflow)?;
        let lots_signed = if p.lots.is_negative() { lots_signed } else { lots_signed.wrapping_neg() }; // >= 0
        let (price, rate) = Self::terms_of_trade(view.mark.mid, fee, insurance, lots_signed < 0)?;
        let penalty = Penalty { rate, to_insurance: Ppb::ONE, ..Penalty::default() };
        Ok(Sized { lots: Lots::new(lots_signed), covers: lots >= cover, price, penalty })
    }

    /// The price is mark x (1 -+ fee), in ticks to the account's favour. The insurance fee is of the value at the mark; the penalty is
    /// charged on the value at the price, so its rate is raised by as much, rounded down: the charge itself is rounded up.
    fn terms_of_trade(
        mark: Ticks,
        fee: u128,
        insurance: u128,
        sale: bool,
    ) -> Result<(Ticks, Ppb), MathError> {
        let mark = i128::from(mark.get());
        let (one, fee) = (signed(MILLIONTH)?, signed(fee)?);
        let factor =
            if sale { one.checked_sub(fee) } else { one.checked_add(fee) }.ok_or(MathError::Overflow)?;
        let price =
            wide::mul_div(mark, factor, one, if sale { Rounding::Up } else { Rounding::Down })?.max(1);
        let insurance = signed(insurance)?.checked_mul(1_000).ok_or(MathError::Overflow)?; // 1e-6 to 1e-9
        let rate = wide::mul_div(insurance, mark, price, Rounding::Down)?;
        let narrow = |x: i128| i64::try_from(x).map_err(|_| MathError::Overflow);
        Ok((Ticks::new(narrow(price)?), Ppb(narrow(rate)?)))
    }

    /// A plan for a part of a position, for a liquidator or as an order.
    fn liquidate(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        p: &PositionView,
        most: u128,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let scope = Scope::Group(case.group.id);
        let mut status: Status = memory.get(scope)?;
        let end = case.health.line(Level::LiquidationEnd).or_else(|| case.health.line(Level::Maintenance));
        let slack = end.map_or(0, |l| l.slack());
        if !status.active && !case.health.below(Level::Maintenance) {
            return Ok(Err(Refusal::Healthy));
        }
        if slack >= 0 {
            // it stands above the buffer again: the liquidation is over, and nothing is taken
            memory.set(scope, &Status::default())?;
            return Ok(Ok(Plan::default()));
        }
        if !status.active {
            status = Status { active: true, since: case.at.time.0, freed: 0 };
        }
        let next = case.at.time.try_add(self.terms.slot)?;
        let keeper = bid.by != Taker::Engine;
        if !keeper {
            memory.set(scope, &status)?;
            let Some(after) = self.terms.orders_after else {
                return Ok(Err(Refusal::NotForThisBid { takes: "a liquidator's bid for lots" }));
            };
            let from = Millis(status.since).try_add(after)?;
            if case.at.time < from {
                return Ok(Err(Refusal::NotBefore { time: from }));
            }
        }
        let sized = self.size(case, p, most, slack, &status)?;
        if sized.lots.is_zero() {
            return Ok(Err(Refusal::NotBefore { time: next.max(case.allowed.not_before) }));
        }
        let (market, lots, price, penalty) = (p.market, sized.lots, sized.price, sized.penalty);
        let past = |limit: Ticks| if lots.is_negative() { price > limit } else { price < limit };
        if bid.limit.is_some_and(past) {
            return Ok(Err(Refusal::BelowAsk { offered: price.get().into() }));
        }
        let take = Step::Take { market, lots, price, penalty };
        let steps = if keeper {
            vec![take.clone()]
        } else {
            let expires = case.at.time.try_add(self.terms.ttl)?;
            vec![Step::Order { market, lots, limit: price, penalty, expires }]
        };
        // margin freed, as if it was taken at the price
        let after = (case.what_if)(&effect(case, &[take])?)?;
        let left = after
            .line(Level::LiquidationEnd)
            .or_else(|| after.line(Level::Maintenance))
            .map_or(0, |l| l.slack());
        let units = self.units(market)?;
        let freed = self.shortage(slack, units)?.saturating_sub(self.shortage(left, units)?); // worse: nothing freed
        let freed = u64::try_from(freed).map_err(|_| MathError::Overflow)?;
        status.freed = status.freed.checked_add(freed).ok_or(MathError::Overflow)?;
        memory.set(scope, &if sized.covers { Status::default() } else { status })?;
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: (!keeper).then_some(next), worsens }))
    }
}

/// Notional at the mark, for an order among positions; those without a price last.
fn worth(case: &Case<'_>, p: &PositionView) -> Quanta {
    let view = case.world.market(p.market).filter(|m| m.mark.is_usable());
    view.and_then(|m| m.scale.absolute_notional(p.lots, m.mark.mid).ok()).unwrap_or(Quanta::ZERO)
}

/// A position closed at the mark, as the account would see it.
fn close_all(case: &Case<'_>, p: &PositionView) -> Result<Vec<Posting>, LiquidationError> {
    let view = case.world.market(p.market).filter(|m| m.mark.is_usable());
    let mark = view.ok_or(LiquidationError::NoPrice(cofferdam_core::Instrument::Market(p.market)))?.mark.mid;
    let (market, lots, penalty) = (p.market, p.lots.try_neg()?, Penalty::default());
    effect(case, &[Step::Take { market, lots, price: mark, penalty }])
}

impl LiquidationStrategy for LiquidatePerp {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let open = |p: &&PositionView| !p.lots.is_zero();
        match (bid.by, bid.give) {
            (Taker::Keeper(k), Some((Item::Position(market), size))) if k != case.group.id => {
                let position = case.group.positions.iter().filter(open).find(|p| p.market == market);
                match (position, u128::try_from(size)) {
                    (Some(p), Ok(size)) => self.liquidate(case, bid, p, size, memory),
                    _ => Ok(Err(Refusal::NotForThisBid { takes: "a bid for lots that the account holds" })),
                }
            }
            (Taker::Keeper(_), _) => match &self.others {
                Some(others) => others.plan(case, bid, &mut memory.child(0)?),
                None => Ok(Err(Refusal::NotForThisBid { takes: "a liquidator's bid for lots" })),
            },
            (Taker::Engine, _) => {
                match case.group.positions.iter().filter(open).max_by_key(|p| worth(case, p)) {
                    Some(p) => self.liquidate(case, bid, p, u128::MAX, memory),
                    None if case.health.below(Level::Maintenance) => Ok(remains(case)),
                    None => Ok(Err(Refusal::Healthy)),
                }
            }
        }
    }
}
