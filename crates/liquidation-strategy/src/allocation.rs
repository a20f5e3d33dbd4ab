//! The contract of loss allocation: when liquidation and insurance were not enough, somebody pays, by a stated rule.

use crate::LiquidationError;
use alloc::{boxed::Box, vec::Vec};
use cofferdam_core::{
    Amount, AssetId, At, GroupId, Lots, MarketId, MathError, Memory, PoolId, Quanta, Ticks,
};
use core::fmt::Debug;

/// What has to be allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A realised loss that insurance did not pay: [`Need::amount`] atoms.
    Deficit,
    /// A position that nobody took: lots to close against holders of the other side, at a price.
    CloseOut {
        /// Whose position.
        of: GroupId,
        /// Signed lots of that position.
        lots: Lots,
        /// At which price (its bankruptcy price).
        price: Ticks,
    },
    /// One side of a market has gained, and the pool that trades there would owe it: lots of one holder of that side, chosen
    /// from outside, to close against the pool. Nobody has to be bankrupt. Answered with a close of that holder, or with nothing.
    PoolGain {
        /// Whose position.
        of: GroupId,
        /// Signed lots of that position.
        lots: Lots,
        /// At which price (the mark).
        price: Ticks,
        /// What these lots have gained, in atoms, rounded down.
        gain: Amount,
        /// What all holders of that side have gained, losses netted, in atoms, rounded down.
        side: Amount,
        /// The pool's cash, in atoms.
        worth: Amount,
    },
}

/// A loss looking for someone to bear it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Need {
    /// Why.
    pub cause: Cause,
    /// In which market, if one.
    pub market: Option<MarketId>,
    /// In which asset.
    pub asset: AssetId,
    /// How much, in atoms; zero for a close-out.
    pub amount: Amount,
}

/// Someone who may have to pay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payer {
    /// Who.
    pub group: GroupId,
    /// Signed lots held in the market.
    pub lots: Lots,
    /// Unrealised gain since entry, in atoms, rounded down; negative for a loss.
    pub gain: Amount,
    /// Equity of the group, in atoms, rounded down.
    pub equity: Amount,
    /// Absolute notional of the group's position at mark.
    pub notional: Quanta,
    /// Cost of its position, in quanta, signed as the lots.
    pub cost: Quanta,
    /// The most that can be taken as a haircut: gain that has been or can be paid out of the group's cash.
    pub room: Amount,
    /// What the group must hold at maintenance, in atoms, rounded up; zero where it is not known.
    pub maintenance: Amount,
}

/// Those who may have to pay, from an index: a policy asks for an order and takes as many as it needs.
pub trait Payers {
    /// All candidates in ascending order of group (a total order that does not depend on insertion, INV-46).
    fn iter(&self) -> Box<dyn Iterator<Item = Payer> + '_>;
}

/// One measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Close lots of a payer at a price.
    Close {
        /// Who.
        payer: GroupId,
        /// Where.
        market: MarketId,
        /// Signed lots the payer trades (against its position).
        lots: Lots,
        /// At which price.
        price: Ticks,
    },
    /// Take cash from a payer's gain.
    Haircut {
        /// Who.
        payer: GroupId,
        /// Atoms.
        amount: Amount,
    },
    /// Write down what a pool's shares are worth: its suppliers bear it.
    WriteDown {
        /// Which pool.
        pool: PoolId,
        /// Atoms.
        amount: Amount,
    },
    /// Move the funding of both sides of the need's market against its holders: every lot, long or short, owes the same. What
    /// is rounded up over them stays with the house.
    ShiftFunding {
        /// Atoms that they owe together.
        amount: Amount,
    },
    /// Book the deficit and wait.
    Carry {
        /// Atoms.
        amount: Amount,
    },
}

/// Measures and what they leave. covered + residual = need, exactly (atoms for a deficit, lots for a close-out).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settlement {
    /// In order.
    pub measures: Vec<Measure>,
    /// What no measure covers: atoms for a deficit, lots (magnitude) for a close-out.
    pub residual: i128,
}

/// Who pays.
///
/// # Contract
///
/// - covered + residual = need, exactly (INV-25, INV-27); a need beyond all payers leaves a residual and never fails.
/// - Nobody pays more than the policy's own base; at most one unit too much per payer.
/// - Only `payers` pay, and (for gain haircuts) never principal (INV-26).
/// - The order is total and does not depend on insertion (INV-46).
pub trait LossAllocation: Debug + Send + Sync {
    /// Allocates a need over payers.
    fn allocate(
        &self,
        at: At,
        need: &Need,
        payers: &dyn Payers,
        memory: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError>;
}

impl Payers for &[Payer] {
    fn iter(&self) -> Box<dyn Iterator<Item = Payer> + '_> {
        Box::new(<[Payer]>::iter(self).copied())
    }
}

/// Those who qualify, by group, whatever order they came in.
pub(crate) fn collect(payers: &dyn Payers, qualifies: impl Fn(&Payer) -> bool) -> Vec<Payer> {
    let all = payers.iter();
    let mut found = Vec::with_capacity(all.size_hint().0); // as it grows, a long list is copied many times
    found.extend(all.filter(qualifies));
    if !found.is_sorted_by_key(|p: &Payer| p.group) {
        found.sort_by_key(|p| p.group);
    }
    found
}

/// The atoms of a deficit; below zero there is nothing to allocate.
pub(crate) fn deficit(need: &Need) -> Result<Amount, LiquidationError> {
    crate::terms::accept(!need.amount.is_negative(), "need.amount", need.amount.get(), "0 or more atoms")?;
    Ok(need.amount)
}

/// A close-out with its market.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CloseOut {
    of: GroupId,
    lots: Lots,
    price: Ticks,
    market: MarketId,
    /// Lots to close, without sign.
    pub(crate) size: u128,
}

pub(crate) fn close_out(need: &Need) -> Result<CloseOut, LiquidationError> {
    match (need.cause, need.market) {
        (Cause::CloseOut { of, lots, price }, Some(market)) => {
            Ok(CloseOut { of, lots, price, market, size: lots.get().unsigned_abs().into() })
        }
        _ => Err(LiquidationError::Parameter {
            field: "need.market",
            value: 0,
            accepted: "the market of the lots to close",
        }),
    }
}

impl CloseOut {
    /// Whether a holder can take the other side: another account, with lots of the other sign.
    pub(crate) fn takes(&self, p: &Payer) -> bool {
        p.group != self.of && p.lots.signum() != 0 && p.lots.signum() != self.lots.signum()
    }

    /// `size` lots of a payer, closed against its position: the sign of the lots that nobody took.
    pub(crate) fn measure(&self, p: &Payer, size: u128) -> Result<Measure, LiquidationError> {
        let size = Lots::new(i64::try_from(size).map_err(|_| MathError::Overflow)?);
        let lots = if self.lots.is_negative() { size.try_neg()? } else { size };
        Ok(Measure::Close { payer: p.group, market: self.market, lots, price: self.price })
    }

    pub(crate) fn settled(&self, measures: Vec<Measure>, left: u128) -> Result<Settlement, LiquidationError> {
        let residual = i128::try_from(left).map_err(|_| MathError::Overflow)?;
        Ok(Settlement { measures, residual })
    }
}
