//! A large position comes down by whole tiers, so that the book gets less than all of it at once; a small one, or an account that not
//! even the lowest tier's margin would save, is closed.
//!
//! Source: OKX, forced partial liquidation: from tier 3 on a position is cut to the size of two tiers below, again while the account
//! stays below; tiers 1 and 2, and accounts below the lowest tier's maintenance, are closed whole.

use crate::close::{Budget, market, notional, orders, refusal, remains, sorted_by, steps_worsen};
use crate::partial::against;
use crate::terms::accept;
use crate::{Bid, LiquidationError, LiquidationStrategy, OrderTerms, Plan, Refusal};
use alloc::vec::Vec;
use cofferdam_core::{Case, Level, Lots, MarketId, Memory, Ppb, Quanta, wide::U256};

/// Sizes at which tiers of a market end, in lots, ascending.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ladder {
    /// Which market.
    pub market: MarketId,
    /// The largest size of each tier, tier 1 first.
    pub uppers: Vec<Lots>,
}

/// Orders that bring each position down by so many tiers; see the source above.
///
/// Breaks INV-19: whole tiers are closed, whatever the account needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TierStep {
    terms: OrderTerms,
    ladders: Vec<Ladder>,
    from: u8,
    down: u8,
    floor: Ppb,
}

impl TierStep {
    /// A position in tier `from` or a higher one comes down by `down` tiers (1 to `from` - 1), as long as the account's support is
    /// at least `floor` (the lowest tier's maintenance rate, 0 to 1) of its notional. A market without a ladder is closed whole.
    pub fn new(
        terms: OrderTerms,
        ladders: Vec<Ladder>,
        (from, down): (u8, u8),
        floor: Ppb,
    ) -> Result<Self, LiquidationError> {
        accept(from >= 2, "from", from.into(), "2 or more")?;
        accept((1..from).contains(&down), "down", down.into(), "1 to `from` - 1")?;
        accept(
            (0..=Ppb::ONE.0).contains(&floor.0),
            "floor",
            floor.0.into(),
            "0 to 1000000000 parts per billion",
        )?;
        for (i, ladder) in ladders.iter().enumerate() {
            let id = i128::from(ladder.market.0);
            let twice = ladders.iter().take(i).any(|l| l.market == ladder.market);
            accept(!twice, "ladders.market", id, "each market once")?;
            let mut before = 0;
            for upper in &ladder.uppers {
                let value = upper.get();
                accept(value > before, "ladders.uppers", value.into(), "sizes that rise, above zero")?;
                before = value;
            }
        }
        Ok(Self { terms, ladders, from, down, floor })
    }

    /// Lots to close of a position: down to the bound of the tier `down` below its own, or all of it.
    fn cut(&self, id: MarketId, held: u64) -> u64 {
        let Some(ladder) = self.ladders.iter().find(|l| l.market == id) else { return held };
        let below = ladder.uppers.iter().filter(|u| u.get().unsigned_abs() < held).count();
        // in tier `below` + 1; the bound of the tier `down` below it stands at place `below` - `down`
        if below.saturating_add(1) < usize::from(self.from) {
            return held;
        }
        let at = below.checked_sub(usize::from(self.down));
        let kept = at.and_then(|at| ladder.uppers.get(at)).map_or(0, |u| u.get().unsigned_abs());
        held.saturating_sub(kept)
    }

    /// support < floor x notional: not even the lowest tier would do.
    fn hopeless(&self, case: &Case<'_>) -> Result<bool, LiquidationError> {
        let mut total = Quanta::ZERO;
        for p in case.group.positions {
            total = total.try_add(notional(case, p.market, p.lots)?)?;
        }
        let support = case.health.line(Level::Maintenance).map_or(0, |l| l.support.get());
        let whole = u128::from(Ppb::ONE.0.unsigned_abs());
        let need = U256::product(total.get().unsigned_abs(), self.floor.0.unsigned_abs().into());
        Ok(support < 0 || U256::product(support.unsigned_abs(), whole) < need)
    }
}

impl LiquidationStrategy for TierStep {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        _memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        if let Some(no) = refusal(case, bid) {
            return Ok(Err(no));
        }
        let positions = sorted_by(case, |p| notional(case, p.market, p.lots))?;
        if positions.is_empty() {
            return Ok(remains(case));
        }
        let hopeless = self.hopeless(case)?;
        let mut trades = Vec::with_capacity(positions.len());
        for (_, p) in &positions {
            market(case, p.market)?;
            let held = p.lots.get().unsigned_abs();
            let size = if hopeless { held } else { self.cut(p.market, held) };
            trades.push((p.market, against(p, size)?));
        }
        let mut budget = Budget::of(case, self.terms.ttl)?;
        let steps = orders(case, bid, &self.terms, &trades, &mut budget)?;
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: budget.again(), worsens }))
    }
}
