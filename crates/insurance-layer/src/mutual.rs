//! A member's contribution to a mutual fund, or its promise to be called on: it answers first for the member's own loss, and for those
//! of others in proportion to what each member can pay.
//!
//! Source: the default waterfall of a clearing house. A defaulter's contribution is used before anybody else's money, and those of
//! the others after the house's own (Regulation (EU) 648/2012, article 45).

use crate::{InsuranceError, InsuranceLayer, Loss, Standing};
use cofferdam_core::{GroupId, MathError, Quanta, Rounding, wide};

/// Terms of one member. A [`crate::Programme`] does the sharing, since only it sees what the others can pay: alone the layer would
/// pay all of what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mutual {
    /// Whose money it is.
    pub member: GroupId,
    /// Whether it meets the member's own losses, before every other layer; else it pays for others only (a call on survivors).
    pub own_first: bool,
}

impl Mutual {
    /// Whether the loss is the member's own.
    pub(crate) fn is_own(&self, loss: &Loss) -> bool {
        loss.of == Some(self.member)
    }
}

impl InsuranceLayer for Mutual {
    fn respond(&self, loss: &Loss, left: Quanta, _: &Standing) -> Result<Quanta, InsuranceError> {
        let asked = !self.is_own(loss) || self.own_first;
        Ok(if asked { left.positive_part() } else { Quanta::ZERO })
    }
}

/// What stands side by side: the sum that is shared, what all together can pay, and what those so far can.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tranche {
    sum: Quanta,
    capacity: i128,
    before: i128,
}

impl Tranche {
    /// Of a sum, over these capacities; those below zero count as zero.
    pub(crate) fn new(sum: Quanta, capacities: impl Iterator<Item = Quanta>) -> Result<Self, MathError> {
        let mut total = 0_i128;
        for c in capacities {
            total = total.checked_add(c.positive_part().get()).ok_or(MathError::Overflow)?;
        }
        Ok(Self { sum, capacity: total, before: 0 })
    }

    /// The share of the next: `floor(L (c1 + .. + ci) / C) - floor(L (c1 + .. + ci-1) / C)`, all of its capacity where the sum is
    /// more than all can pay. The shares add up to the sum exactly, and none is more than its capacity.
    pub(crate) fn share(&mut self, capacity: Quanta) -> Result<Quanta, MathError> {
        let capacity = capacity.positive_part();
        let after = self.before.checked_add(capacity.get()).ok_or(MathError::Overflow)?;
        if self.sum.get() >= self.capacity {
            self.before = after;
            return Ok(capacity);
        }
        let upto = |c: i128| wide::mul_div(self.sum.get(), c, self.capacity.max(1), Rounding::Down);
        let share = upto(after)?.checked_sub(upto(self.before)?).ok_or(MathError::Overflow)?;
        self.before = after;
        Ok(Quanta::new(share))
    }
}
