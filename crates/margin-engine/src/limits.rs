//! Closed forms on one group with everything else fixed: liquidation and bankruptcy prices to the exact tick, the distance
//! to them, and what may be withdrawn.

use crate::cross::{Held, marked};
use crate::valuation::Ratio;
use crate::{CrossMargin, MarginError};
use alloc::vec::Vec;
use cofferdam_core::{
    Amount, AssetId, GroupView, Level, Lots, MarketId, MathError, PositionView, Ppb, Rounding, Ticks, World,
    wide,
};

/// Where a position's market would have to go, every other price staying where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PositionLimits {
    /// Where.
    pub market: MarketId,
    /// The first exact mark, coming from the good side, at which the group is below the level: for a long position the
    /// highest such tick, for a short one the lowest. `None` when no mark does it up to
    /// the one at which the position or the open interest is worth 2^90 quanta, where the search ends.
    pub liquidation: Option<Ticks>,
    /// The same for an equity below zero.
    pub bankruptcy: Option<Ticks>,
    /// |mid - liquidation| / mid, rounded down; negative when the group is below already; `None` without such a tick,
    /// or where it is more than 2^63 ppb away.
    pub distance: Option<Ppb>,
}

impl CrossMargin {
    /// Liquidation price (of `level`, usually maintenance), bankruptcy price and distance of every position that has lots.
    ///
    /// Exact to the tick where the slack of a position moves one way with its mark, as it does with requirements of the
    /// stated shape (INV-14), gains counted in full, and a settlement asset whose interval is not so wide that a requirement at
    /// high outweighs a gain at low; each answer costs about sixty evaluations of one position.
    pub fn position_limits(
        &self,
        group: &GroupView<'_>,
        world: &dyn World,
        level: Level,
    ) -> Result<Vec<PositionLimits>, MarginError> {
        let slack = self.line(group, world, level)?.map(|l| l.slack());
        let equity = self.equity(group, world)?.get();
        let mut limits = Vec::with_capacity(group.positions.len());
        for p in group.positions.iter().filter(|p| !p.lots.is_zero()) {
            limits.push(self.limits_of(p, world, level, slack, equity)?);
        }
        Ok(limits)
    }

    fn limits_of(
        &self,
        position: &PositionView,
        world: &dyn World,
        level: Level,
        slack: Option<i128>,
        equity: i128,
    ) -> Result<PositionLimits, MarginError> {
        let held = Held::new(self, world, position)?;
        let mid = held.market.mark.mid;
        let less = |a: i128, b: i128| a.checked_sub(b).ok_or(MathError::Overflow);
        let at = |price: Ticks| -> Result<i128, MarginError> {
            let held = held.marked(price);
            let (support, demand) = held.at(self, price, level)?;
            Ok(less(support, demand)?)
        };
        let own = |price| -> Result<i128, MarginError> { Ok(held.equity(price)?) };
        let liquidation = match slack {
            Some(slack) => {
                let (support, demand) = held.at(self, held.adverse(), level)?;
                let rest = less(slack, less(support, demand)?)?;
                first_below(&held, |p| Ok(less(at(p)?, rest.saturating_neg())? < 0))?
            }
            None => None,
        };
        let rest = less(equity, own(mid)?)?;
        let bankruptcy = first_below(&held, |p| Ok(less(own(p)?, rest.saturating_neg())? < 0))?;
        let distance = liquidation.and_then(|tick| {
            let gap = i128::from(mid.get()).wrapping_sub(i128::from(tick.get())); // both are below 2^63
            let gap = if position.lots.is_negative() { gap.wrapping_neg() } else { gap };
            Ppb::ratio(gap, i128::from(mid.get()), Rounding::Down).ok()
        });
        Ok(PositionLimits { market: position.market, liquidation, bankruptcy, distance })
    }

    /// The most of an asset that can leave the group such that it is not below `level` afterwards; at most the balance,
    /// zero when it is below already. A group that owes nothing and holds no position may take everything, whatever the
    /// price (INV-35).
    pub fn free_collateral(
        &self,
        group: &GroupView<'_>,
        world: &dyn World,
        asset: AssetId,
        level: Level,
    ) -> Result<Amount, MarginError> {
        let held = group.balance(asset);
        if held.get() <= 0 {
            return Ok(Amount::ZERO);
        }
        let free = group.positions.is_empty() && group.debts.is_empty();
        if free && group.balances.iter().all(|b| !b.amount.is_negative()) {
            return Ok(held);
        }
        let Some(line) = self.line(group, world, level)? else { return Ok(held) };
        if line.slack() < 0 {
            return Ok(Amount::ZERO);
        }
        let weight = self.asset_terms(asset).map_or(Ppb::ZERO, |t| t.collateral.at(level));
        let (support, _) = self.balance(world, asset, held, level)?;
        let needed = support.checked_sub(line.slack()).ok_or(MathError::Overflow)?;
        if weight == Ppb::ZERO || needed <= 0 {
            return Ok(held);
        }
        // the smallest y with floor(y x n / d) >= needed is ceil(needed x d / n)
        let view = crate::cross::usable_asset(world, asset)?;
        let ratio = Ratio::of_asset(view.scale, view.price.low, weight)?;
        let kept = wide::mul_div(needed, ratio.divisor, ratio.numerator, Rounding::Up)?;
        Ok(held.try_sub(Amount::new(kept))?.positive_part())
    }
}

impl Held<'_> {
    /// The same position with its market marked at exactly `price`.
    pub(crate) fn marked(&self, price: Ticks) -> Self {
        Self { market: marked(&self.market, price), ..*self }
    }

    /// The highest mark asked about: the notional of the position and of the open interest, and what is computed from them,
    /// still are values (2^90 quanta).
    pub(crate) fn highest(&self) -> Result<i64, MathError> {
        let lots = self.position.lots.try_abs()?.max(self.market.open_interest).max(Lots::ONE);
        let k = i128::from(self.market.scale.quanta_per_lot_tick());
        let unit = i128::from(lots.get()).checked_mul(k).ok_or(MathError::Overflow)?;
        let ticks = wide::div(1 << 90, unit, Rounding::Down)?;
        Ok(i64::try_from(ticks).unwrap_or(i64::MAX).min(i64::MAX >> 1))
    }
}

// long: below up to the answer; short: below from the answer on
fn first_below(
    held: &Held<'_>,
    below: impl Fn(Ticks) -> Result<bool, MarginError>,
) -> Result<Option<Ticks>, MarginError> {
    let short = held.position.lots.is_negative();
    let (mut low, mut high) = (1_i64, held.highest()?);
    // the end where the position loses most
    let worst = if short { high } else { low };
    if high < low || !below(Ticks::new(worst))? {
        return Ok(None);
    }
    while low < high {
        let middle = low.midpoint(high);
        if short {
            if below(Ticks::new(middle))? { high = middle } else { low = middle.saturating_add(1) }
        } else {
            let middle = middle.saturating_add(1);
            if middle > high {
                break;
            }
            if below(Ticks::new(middle))? { low = middle } else { high = middle.saturating_sub(1) }
        }
    }
    Ok(Some(Ticks::new(if short { high } else { low })))
}
