//! A tranche of stakers: what they stake is slashed for losses, and who wants to leave waits through a cool-down and then has a window.
//! A slash takes assets and never shares, so it falls on all alike, also on those who wait.
//!
//! Source: Aave's Umbrella (20 days of cool-down, a window of 2 days, an asset that is never slashed away to nothing).

use crate::{InsuranceError, refuse};
use alloc::{collections::BTreeMap, format, string::ToString};
use cofferdam_core::{GroupId, MathError, Millis, Quanta, Rounding, wide};

/// Shares that nobody has stand beside one quantum that nobody has: who stakes first cannot make a share worth so much that the next
/// staker gets none.
const VIRTUAL: i128 = 1_000_000;

/// How stakers leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StakeTerms {
    /// Who wants to leave waits so long.
    pub cool_down: Millis,
    /// Then it has so long to leave, or stays.
    pub window: Millis,
    /// A slash leaves at least this much, in quanta.
    pub kept: Quanta,
}

/// What one staker has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stake {
    /// Its shares.
    pub shares: i128,
    /// Of them, those that want to leave, and from when they may.
    pub leaving: Option<(i128, Millis)>,
}

/// A pool of stakers.
///
/// ```
/// use cofferdam_core::{GroupId, Millis, Quanta};
/// use cofferdam_insurance_layer::{StakePool, StakeTerms};
/// let terms = StakeTerms { cool_down: Millis(20), window: Millis(2), kept: Quanta::new(1) };
/// let (mut pool, anna) = (StakePool::new(terms)?, GroupId(1));
/// pool.stake(anna, Quanta::new(501))?;
/// assert_eq!(pool.slash(Quanta::new(1_000))?, Quanta::new(500)); // one is left
/// assert_eq!(pool.worth(anna)?, Quanta::new(1));
/// # Ok::<(), cofferdam_insurance_layer::InsuranceError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StakePool {
    terms: StakeTerms,
    assets: Quanta,
    shares: i128,
    stakes: BTreeMap<GroupId, Stake>,
}

impl StakePool {
    /// An empty pool.
    pub fn new(terms: StakeTerms) -> Result<Self, InsuranceError> {
        if terms.kept.is_negative() {
            return Err(refuse("kept", terms.kept.to_string(), "zero or more"));
        }
        terms.cool_down.try_add(terms.window)?;
        Ok(Self { terms, assets: Quanta::ZERO, shares: 0, stakes: BTreeMap::new() })
    }

    /// What it holds, in quanta.
    #[must_use]
    pub const fn assets(&self) -> Quanta {
        self.assets
    }

    /// What a staker has.
    #[must_use]
    pub fn stake_of(&self, who: GroupId) -> Stake {
        self.stakes.get(&who).copied().unwrap_or_default()
    }

    /// What a staker's shares are worth, rounded down.
    pub fn worth(&self, who: GroupId) -> Result<Quanta, InsuranceError> {
        Ok(self.value(self.stake_of(who).shares, Rounding::Down)?)
    }

    /// Stakes, for shares, rounded down. An amount that gives none is refused.
    pub fn stake(&mut self, who: GroupId, amount: Quanta) -> Result<i128, InsuranceError> {
        let (assets, shares) = (self.assets.try_add(Quanta::new(1))?, sum(self.shares, VIRTUAL)?);
        let given = wide::mul_div(amount.get(), shares, assets.get(), Rounding::Down)?;
        if amount <= Quanta::ZERO || given <= 0 {
            return Err(refuse("amount", amount.to_string(), "enough for a share"));
        }
        let (assets, shares) = (self.assets.try_add(amount)?, sum(self.shares, given)?);
        let held = sum(self.stake_of(who).shares, given)?;
        self.stakes.entry(who).or_default().shares = held;
        (self.assets, self.shares) = (assets, shares);
        Ok(given)
    }

    /// Asks to leave with so many shares, from `now` on. Asked again, the new wish replaces the old one, and the wait begins anew.
    pub fn ask_to_leave(
        &mut self,
        who: GroupId,
        shares: i128,
        now: Millis,
    ) -> Result<Millis, InsuranceError> {
        let held = self.stake_of(who).shares;
        if shares <= 0 || shares > held {
            return Err(refuse("shares", shares.to_string(), &format!("above zero, at most {held}")));
        }
        let from = now.try_add(self.terms.cool_down)?;
        from.try_add(self.terms.window)?;
        self.stakes.entry(who).or_default().leaving = Some((shares, from));
        Ok(from)
    }

    /// Leaves with the shares that were asked for, for what they are worth now, rounded down. Only in the window.
    pub fn leave(&mut self, who: GroupId, now: Millis) -> Result<Quanta, InsuranceError> {
        let stake = self.stake_of(who);
        let Some((shares, from)) = stake.leaving else {
            return Err(refuse("leaving", "not asked for".into(), "shares that have waited"));
        };
        let last = from.try_add(self.terms.window)?;
        if now < from || now > last {
            return Err(refuse(
                "now",
                now.0.to_string(),
                &format!("the window from {} to {}", from.0, last.0),
            ));
        }
        let worth = self.value(shares, Rounding::Down)?;
        let assets = self.assets.try_sub(worth)?;
        let left = stake.shares.checked_sub(shares).ok_or(MathError::Overflow)?;
        self.shares = self.shares.checked_sub(shares).ok_or(MathError::Overflow)?;
        self.assets = assets;
        if left == 0 {
            self.stakes.remove(&who);
        } else {
            self.stakes.insert(who, Stake { shares: left, leaving: None });
        }
        Ok(worth)
    }

    /// Takes assets for a loss: all that is asked for, but for what is kept. Nobody loses a share.
    pub fn slash(&mut self, amount: Quanta) -> Result<Quanta, InsuranceError> {
        if amount.is_negative() {
            return Err(refuse("amount", amount.to_string(), "zero or more"));
        }
        let taken = amount.min(self.assets.try_sub(self.terms.kept)?.positive_part());
        self.assets = self.assets.try_sub(taken)?;
        Ok(taken)
    }

    /// What it can pay at `at`, if nothing is taken until then and whoever asked to leave by `now` does so as soon as it may. Cover that is
    /// in cool-down counts until the window opens and not after, although its owner may stay.
    pub fn capacity(&self, at: Millis) -> Result<Quanta, InsuranceError> {
        let mut gone = 0_i128;
        for stake in self.stakes.values() {
            if let Some((shares, from)) = stake.leaving {
                // a window that has passed has been missed
                if from <= at && from.try_add(self.terms.window)? >= at {
                    gone = sum(gone, shares)?;
                }
            }
        }
        let stays = self.assets.try_sub(self.value(gone, Rounding::Up)?.min(self.assets))?;
        Ok(stays.try_sub(self.terms.kept)?.positive_part())
    }

    fn value(&self, shares: i128, rounding: Rounding) -> Result<Quanta, MathError> {
        let (assets, all) = (self.assets.try_add(Quanta::new(1))?, sum(self.shares, VIRTUAL)?);
        wide::mul_div(shares, assets.get(), all, rounding).map(Quanta::new)
    }
}

fn sum(a: i128, b: i128) -> Result<i128, MathError> {
    a.checked_add(b).ok_or(MathError::Overflow)
}

/// Splits a loss over tranches: the first one bears all that it can, then the next, and the seniors only what the juniors could not.
/// Returns what each bears and what nobody does.
///
/// ```
/// use cofferdam_core::Quanta;
/// use cofferdam_insurance_layer::by_seniority;
/// let (borne, left) = by_seniority(Quanta::new(130), &[100, 50].map(Quanta::new))?;
/// assert_eq!((borne, left), (vec![Quanta::new(100), Quanta::new(30)], Quanta::ZERO));
/// # Ok::<(), cofferdam_insurance_layer::InsuranceError>(())
/// ```
pub fn by_seniority(
    loss: Quanta,
    tranches: &[Quanta],
) -> Result<(alloc::vec::Vec<Quanta>, Quanta), InsuranceError> {
    if loss.is_negative() {
        return Err(InsuranceError::NegativeLoss(loss));
    }
    let mut left = loss;
    let mut borne = alloc::vec::Vec::with_capacity(tranches.len());
    for tranche in tranches {
        let part = left.min(tranche.positive_part());
        left = left.try_sub(part)?;
        borne.push(part);
    }
    Ok((borne, left))
}
