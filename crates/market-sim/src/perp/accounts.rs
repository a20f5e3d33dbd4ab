//! What account holders do: they open, close and take money out. A breaker that allows less is answered by asking for that.

use super::{FIRST_ACCOUNT, FIRST_MAKER, RunError, Shell};
use crate::implied::{End, Side};
use cofferdam_core::{Amount, GroupId, Lots, Ticks};
use cofferdam_stack::{Answer, Body, Rejection};

/// What a breaker that refused allows instead, in the unit of what was asked for.
fn allowed(answer: &Answer) -> Option<u128> {
    match answer {
        Answer::Refused(Rejection::Breaker { allowed, .. }) if *allowed > 0 => Some(*allowed),
        _ => None,
    }
}

impl Shell<'_, '_> {
    /// Takes money out; where a breaker allows less, that much.
    fn withdraw(&mut self, group: GroupId, amount: Amount) -> Result<(), RunError> {
        let asset = self.venue.settlement;
        let answer = self.submit(Body::Withdraw { group, asset, amount })?;
        if let Some(less) = allowed(&answer) {
            let amount = Amount::new(i128::try_from(less).unwrap_or(i128::MAX).min(amount.get()));
            self.submit(Body::Withdraw { group, asset, amount })?;
        }
        Ok(())
    }

    /// Opens an account at the price of the moment with the leverage it had at the recorded one. Where a breaker allows less, it opens
    /// that much and takes the rest of its collateral back.
    pub(super) fn open(&mut self, i: usize, price: i64) -> Result<(), RunError> {
        let o = self.openings[i];
        let group = GroupId(FIRST_ACCOUNT + u32::try_from(i).unwrap_or(u32::MAX - FIRST_ACCOUNT));
        let collateral = if price == o.entry {
            o.collateral
        } else {
            let scaled = o.collateral * i128::from(price);
            (scaled + i128::from(o.entry) - 1) / i128::from(o.entry)
        };
        if let End::Liquidated { .. } = o.end {
            self.run.implied_lots += o.lots;
        }
        let (asset, amount) = (self.venue.settlement, Amount::new(collateral));
        self.submit(Body::Deposit { group, asset, amount })?;
        let mut lots = o.lots;
        let mut answer = self.trade(group, o.side, lots, price)?;
        if let Some(less) = allowed(&answer) {
            lots = i64::try_from(less).unwrap_or(i64::MAX).min(o.lots);
            answer = self.trade(group, o.side, lots, price)?;
        }
        if answer == Answer::Done {
            self.run.opened += 1;
        } else {
            lots = 0;
            self.run.refused += 1;
        }
        if lots < o.lots {
            let unused = collateral * i128::from(o.lots - lots) / i128::from(o.lots);
            self.withdraw(group, Amount::new(unused))?;
        }
        Ok(())
    }

    fn trade(&mut self, taker: GroupId, side: Side, lots: i64, price: i64) -> Result<Answer, RunError> {
        let lots = Lots::new(if side == Side::Long { lots } else { -lots });
        let (maker, market) = (self.maker(taker), self.venue.market);
        self.submit(Body::Trade { taker, maker, market, lots, price: Ticks::new(price) })
    }

    /// Closes what is left of an account by its holder's own will.
    pub(super) fn close(&mut self, i: usize, price: i64) -> Result<(), RunError> {
        let group = GroupId(FIRST_ACCOUNT + u32::try_from(i).unwrap_or(u32::MAX - FIRST_ACCOUNT));
        let held = self.engine.state().book().position(group, self.venue.market).map_or(0, |p| p.lots.get());
        if held != 0 {
            let side = if held > 0 { Side::Short } else { Side::Long };
            self.trade(group, side, held.saturating_abs(), price)?;
        }
        let cash = self.engine.state().book().balance(group, self.venue.settlement);
        let flat =
            self.engine.state().book().position(group, self.venue.market).is_none_or(|p| p.lots.is_zero());
        if flat && cash.get() > 0 {
            self.withdraw(group, cash)?;
        }
        Ok(())
    }

    /// Market makers take out what they have earned in cash.
    pub(super) fn withdraw_profits(&mut self) -> Result<(), RunError> {
        for i in 0..self.world.makers {
            let group = GroupId(FIRST_MAKER + i);
            let cash = self.engine.state().book().balance(group, self.venue.settlement);
            let earned = cash.get() - self.world.maker_cash.get();
            if earned > 0 {
                self.withdraw(group, Amount::new(earned))?;
            }
        }
        Ok(())
    }

    pub(super) fn maker(&self, group: GroupId) -> GroupId {
        GroupId(FIRST_MAKER + group.0 % self.world.makers.max(1))
    }
}
