//! What the venue does with an account below maintenance: a part of one position per block at the fillable price; once its collateral
//! is below zero, every position against holders of the other side at its bankruptcy price.

use super::price::{Fillable, Share, bankruptcy_price};
use cofferdam_core::{
    Case, Level, Lots, MarketId, MathError, Memory, MemoryError, Millis, PositionView, Ppb, Quanta, Reader,
    Record, Rounding, Scope, Writer, wide,
};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, LiquidationStrategy, Penalty, Plan, Refusal, Step, place_of, remains, steps_worsen,
};
use cofferdam_stack::{ConfigError, Context, LiquidationSpec, Number, Ratio, module};

/// How much goes per block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLimits {
    /// The largest part of a position.
    pub portion: Ppb,
    /// But at least this notional of it, or all of a smaller one, in quanta.
    pub least: Quanta,
    /// The most notional of an account, in quanta.
    pub account: Quanta,
}

/// The block that a record is about, and what was ordered in it.
#[derive(Clone, Copy, Debug, Default)]
struct InBlock {
    /// Block number plus one, so that a record that was never written is of no block.
    block: u64,
    notional: i128,
}

impl Record for InBlock {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u64(self.block).i128(self.notional);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self { block: from.u64()?, notional: from.i128()? }),
            found => Err(MemoryError::Version { found }),
        }
    }
}

/// The venue's liquidation and deleveraging as one strategy.
///
/// Each position once per block, the first from a place that the moment decides, then around. The fee is at most what the closed lots'
/// share of the collateral can pay at the mark; where the whole account is closed, what is left of it bounds the fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockLiquidation {
    limits: BlockLimits,
    fillable: Fillable,
    fee: Ppb,
    ttl: Millis,
    pause: Millis,
}

impl BlockLiquidation {
    /// An order stands for `ttl`; what waits for the next block asks again after `pause`. Refuses what the venue's own
    /// validation refuses: a fee of nothing or above 100 %, a portion of nothing or above 100 %, an account limit of nothing.
    pub fn new(
        limits: BlockLimits,
        fillable: Fillable,
        fee: Ppb,
        ttl: Millis,
        pause: Millis,
    ) -> Result<Self, LiquidationError> {
        let check = |ok: bool, field, value: i128, accepted| {
            if ok { Ok(()) } else { Err(LiquidationError::Parameter { field, value, accepted }) }
        };
        let share = |p: Ppb| (1..=Ppb::ONE.0).contains(&p.0);
        check(share(fee), "fee_max", fee.0.into(), "above 0, at most 1 (LiquidationsConfig.Validate)")?;
        let portion = limits.portion;
        check(
            share(portion),
            "portion",
            portion.0.into(),
            "above 0, at most 1 (PositionBlockLimits.Validate)",
        )?;
        check(!limits.least.is_negative(), "least", limits.least.get(), "0 or more")?;
        let account = limits.account.get();
        check(account > 0, "account", account, "above zero (SubaccountBlockLimits.Validate)")?;
        check(ttl > Millis::ZERO, "ttl", 0, "at least 1 ms")?;
        check(pause > Millis::ZERO, "pause", 0, "at least 1 ms")?;
        Ok(Self { limits, fillable, fee, ttl, pause })
    }

    /// Lots of a position that may go while the account has `room` of notional left in its block:
    /// min(room, max(min(least, N), portion x N)) / mark, rounded down, at least one lot; all where that is all of N.
    pub fn size(&self, case: &Case<'_>, p: &PositionView, room: Quanta) -> Result<Lots, LiquidationError> {
        let view = case.world.market(p.market).filter(|m| m.mark.is_usable());
        let view = view.ok_or(LiquidationError::NoPrice(cofferdam_core::Instrument::Market(p.market)))?;
        let whole = view.scale.absolute_notional(p.lots, view.mark.mid)?;
        let portion = self.limits.portion.of(whole, Rounding::Down)?;
        let most = portion.max(self.limits.least.min(whole)).min(room);
        let held = p.lots.try_abs()?;
        if whole <= most {
            return Ok(held);
        }
        let lot = view.scale.absolute_notional(Lots::ONE, view.mark.mid)?;
        let lots = wide::div(most.get(), lot.get(), Rounding::Down)?;
        let lots = i64::try_from(lots).map_err(|_| MathError::Overflow)?;
        Ok(Lots::new(lots).max(Lots::ONE).min(held))
    }

    /// The positions that hold lots, from the place of the moment on and around.
    fn order(case: &Case<'_>) -> Vec<PositionView> {
        let mut all: Vec<_> = case.group.positions.iter().filter(|p| !p.lots.is_zero()).copied().collect();
        all.sort_by_key(|p| p.market);
        let start = place_of(case.at, case.group.id.0.into(), all.len());
        all.rotate_left(start); // start is below the count, or zero
        all
    }

    fn deleverage(&self, case: &Case<'_>, positions: &[PositionView]) -> Result<Plan, LiquidationError> {
        let mut left = case.allowed.allowed(case.at.time);
        let mut steps = Vec::new();
        for p in positions {
            let lots = against(p, p.lots.try_abs()?)?;
            let price = bankruptcy_price(case, p.market, lots)?;
            let size = left.min(lots.get().unsigned_abs().into());
            left = left.saturating_sub(size); // size <= left
            let lots = against(p, Lots::new(i64::try_from(size).map_err(|_| MathError::Overflow)?))?;
            if !lots.is_zero() {
                steps.push(Step::Deleverage { market: p.market, lots, price });
            }
        }
        let worsens = steps_worsen(case, &steps)?;
        Ok(Plan { steps, again: Some(self.next(case)?), worsens })
    }

    fn next(&self, case: &Case<'_>) -> Result<Millis, MathError> {
        Ok(case.allowed.not_before.max(case.at.time.try_add(self.pause)?))
    }

    /// The fee's rate for an order of these lots.
    fn rate(&self, share: &Share, alone: bool) -> Result<Ppb, LiquidationError> {
        let notional = share.notional.try_abs()?;
        if alone || notional.is_zero() {
            return Ok(self.fee); // what is left of the account bounds it
        }
        let cushion = share.cushion()?.positive_part().min(notional);
        Ok(Ppb::ratio(cushion.get(), notional.get(), Rounding::Down)?.min(self.fee))
    }
}

/// A trade of this size against a position.
fn against(p: &PositionView, size: Lots) -> Result<Lots, MathError> {
    if p.lots.is_negative() { Ok(size) } else { size.try_neg() }
}

impl LiquidationStrategy for BlockLiquidation {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        if !case.health.below(Level::Maintenance) {
            return Ok(Err(Refusal::Healthy));
        }
        if *bid != Bid::ENGINE {
            return Ok(Err(Refusal::NotForThisBid { takes: "the engine's own bid" }));
        }
        let positions = Self::order(case);
        if positions.is_empty() {
            return Ok(remains(case));
        }
        if case.health.equity.is_negative() {
            return Ok(Ok(self.deleverage(case, &positions)?));
        }
        let block = case.at.block.checked_add(1).ok_or(MathError::Overflow)?;
        let account = Scope::Group(case.group.id);
        let of = |m: MarketId| Scope::GroupMarket(case.group.id, m);
        let before: InBlock = memory.get(account)?;
        let used = if before.block == block { before.notional } else { 0 };
        let room = self.limits.account.try_sub(Quanta::new(used))?.positive_part();
        for p in &positions {
            let last: InBlock = memory.get(of(p.market))?;
            if last.block == block || room.is_zero() {
                continue;
            }
            let size = self.size(case, p, room)?;
            let allowed = case.allowed.allowed(case.at.time).min(u64::MAX.into());
            let allowed = i64::try_from(allowed).unwrap_or(i64::MAX);
            let lots = against(p, size.min(Lots::new(allowed)))?;
            if lots.is_zero() {
                break;
            }
            let share = Share::of(case, p.market, lots)?;
            let alone = positions.len() == 1 && lots.try_abs()? == p.lots.try_abs()?;
            let step = Step::Order {
                market: p.market,
                lots,
                limit: self.fillable.price(case, p.market)?,
                penalty: Penalty::new(self.rate(&share, alone)?, Ppb::ONE, Ppb::ZERO)?,
                expires: case.at.time.try_add(self.ttl)?,
            };
            let notional = share.notional.try_abs()?.get();
            let total = used.checked_add(notional).ok_or(MathError::Overflow)?;
            memory.set(account, &InBlock { block, notional: total })?;
            memory.set(of(p.market), &InBlock { block, notional })?;
            let steps = vec![step];
            let worsens = steps_worsen(case, &steps)?;
            return Ok(Ok(Plan { steps, again: Some(self.next(case)?), worsens }));
        }
        Ok(Err(Refusal::NotBefore { time: self.next(case)? }))
    }
}

module! {
    "dydx/liquidation@1" Liquidation breaks [19 "a tenth of a position or all of a small one, whatever was needed"];
    /// A part of one position per block at the fillable price; below zero, deleveraging at the bankruptcy price.
    struct LiquidationConfigSpec {
        /// The largest part of a position that goes per block.
        portion: Ratio ["ratio"],
        /// But at least this much of it.
        least: Number ["amount of the numeraire"],
        /// The most that goes of an account per block.
        account: Number ["amount of the numeraire"],
        /// How fast the limit leaves the mark as health falls.
        bankruptcy_adjustment: Ratio ["ratio"],
        /// How far it goes, as a multiple of the maintenance rate.
        spread_to_maintenance: Ratio ["ratio"],
        /// The largest fee, all of it to insurance.
        fee_max: Ratio ["ratio"],
        /// How long an order stands.
        ttl_ms: u64 ["ms"],
        /// When what waits for the next block asks again.
        pause_ms: u64 ["ms"],
    }
}

#[typetag::serde(name = "dydx/liquidation@1")]
impl LiquidationSpec for LiquidationConfigSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn LiquidationStrategy>, ConfigError> {
        super::tier::one_asset(ctx)?;
        let limits = BlockLimits {
            portion: self.portion.0,
            least: ctx.quanta("least", &self.least)?,
            account: ctx.quanta("account", &self.account)?,
        };
        let fillable = Fillable::new(self.bankruptcy_adjustment.0, self.spread_to_maintenance.0);
        let fillable = ctx.check(self, fillable)?;
        let (ttl, pause) = (Millis(self.ttl_ms), Millis(self.pause_ms));
        Ok(Box::new(ctx.check(self, BlockLiquidation::new(limits, fillable, self.fee_max.0, ttl, pause))?))
    }
}
