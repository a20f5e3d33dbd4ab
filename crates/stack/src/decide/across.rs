//! One keeper's bid for many borrowers: whoever is worst, each taken down to one level of debt per collateral. The level is the
//! lowest at which the bid pays for all of them, so that no borrower is liquidated while a worse one is left above.

use super::requests::malformed;
use super::{Step, StepError, refuse};
use crate::{Rejection, RiskStack, draft::Draft};
use cofferdam_core::{
    Action, ActionKind, Amount, AssetId, GroupId, Health, Holder, Instrument, Item, Level, MathError,
    Observation, Ppb,
};
use cofferdam_liquidation_strategy::{Bid, Plan, Step as Move, Taker};

/// Nobody above it: debt of four times the collateral.
const TOP: i64 = 4_000_000_000;

/// What a plan moves from or to the keeper, of one asset.
fn moved(plan: &Plan, keeper: GroupId, asset: AssetId) -> Result<i128, MathError> {
    let postings = plan.steps.iter().filter_map(|s| match s {
        Move::Move(p) => Some(p),
        _ => None,
    });
    let of = |p: &&cofferdam_core::Posting| p.holder == Holder::Group(keeper) && p.item == Item::Asset(asset);
    postings
        .flatten()
        .filter(of)
        .try_fold(0_i128, |sum, p| sum.checked_add(p.units).ok_or(MathError::Overflow))
}

impl RiskStack {
    /// Plans a bid for many and keeps every plan, or refuses all of it.
    pub(super) fn bid_across(
        &self,
        draft: &mut Draft<'_>,
        keeper: GroupId,
        (debt, repay): (AssetId, Amount),
        (collateral, at_least): (AssetId, Amount),
    ) -> Step<()> {
        if repay.get() <= 0 {
            return malformed("repay", "above zero");
        }
        if debt == collateral {
            return malformed("collateral", "another asset than the debt's");
        }
        self.accrue(draft)?;
        self.require_price(draft, ActionKind::Seize, Instrument::Asset(collateral))?;
        let have = draft.balance(keeper, debt);
        if have < repay.get() {
            return refuse(Rejection::Insufficient { available: Amount::new(have.max(0)) });
        }
        let worst = self.worst_of(draft, keeper, debt, collateral);
        let bid = |level: Option<Ppb>| Bid {
            by: Taker::Keeper(keeper),
            give: Some((Item::Debt(debt), repay.get())),
            want: Some(Item::Asset(collateral)),
            level,
            ..Bid::ENGINE
        };
        let level = self.lowest(draft, &worst, (keeper, debt, repay), bid)?;
        let mut got = 0_i128;
        for group in worst {
            let Ok(plan) = self.plan(draft, group, &bid(level))? else { continue };
            let (seized, before) = (moved(&plan, keeper, collateral)?, draft.balance(group, collateral));
            self.keep(draft, keeper, group, plan)?;
            got = got.checked_add(seized).ok_or(MathError::Overflow)?;
            let taken = before.checked_sub(draft.balance(group, collateral)).ok_or(MathError::Overflow)?;
            let value = self.worth(draft, collateral, Amount::new(taken))?;
            self.forced(draft, value)?;
            let action = Action::Seize { group, asset: collateral, amount: Amount::new(taken), value };
            self.require_admitted(draft, &action)?;
            self.observe(draft, &Observation::Done(action))?;
        }
        if got <= 0 {
            return refuse(Rejection::Strategy { reason: "nobody is liquidated for this bid".into() });
        }
        if got < at_least.get() {
            return refuse(Rejection::Strategy { reason: format!("BelowAsk {{ offered: {got} }}") });
        }
        if have.checked_sub(draft.balance(keeper, debt)).is_none_or(|paid| paid > repay.get()) {
            return Err(StepError::Contract("a keeper paid more than it bid"));
        }
        self.require_health(draft, keeper, Level::Initial)
    }

    /// Borrowers below maintenance, worst first: the order that a sweep has (INV-46). One that cannot be valued is passed over.
    fn worst_of(
        &self,
        draft: &Draft<'_>,
        keeper: GroupId,
        debt: AssetId,
        collateral: AssetId,
    ) -> Vec<GroupId> {
        let mut below: Vec<(GroupId, Health)> = Vec::new();
        for group in draft.state().book.groups().filter(|g| *g != keeper) {
            let account = draft.account(group);
            let owes = account.debts().iter().any(|d| d.asset == debt && d.scaled.get() > 0);
            if owes
                && draft.balance(group, collateral) > 0
                && let Ok(health) = self.health(draft, group)
                && health.below(Level::Maintenance)
            {
                below.push((group, health));
            }
        }
        below.sort_by(|(a, x), (b, y)| x.worst_first(y).then(a.cmp(b)));
        below.into_iter().map(|(g, _)| g).collect()
    }

    /// The lowest level that the bid pays for; `None` where it pays for all that the strategy would liquidate.
    fn lowest(
        &self,
        draft: &Draft<'_>,
        groups: &[GroupId],
        (keeper, debt, repay): (GroupId, AssetId, Amount),
        bid: impl Fn(Option<Ppb>) -> Bid,
    ) -> Step<Option<Ppb>> {
        let paid_at = |level: Option<Ppb>| -> Step<bool> {
            let mut trial = draft.clone();
            let mut sum = 0_i128;
            for group in groups {
                if let Ok(plan) = self.plan(&mut trial, *group, &bid(level))? {
                    sum = sum.checked_sub(moved(&plan, keeper, debt)?).ok_or(MathError::Overflow)?;
                }
            }
            Ok(sum <= repay.get())
        };
        if paid_at(None)? {
            return Ok(None);
        }
        let (mut too_low, mut fits) = (0_i64, TOP);
        while fits.saturating_sub(too_low) > 1 {
            let middle = too_low.midpoint(fits);
            if paid_at(Some(Ppb(middle)))? {
                fits = middle;
            } else {
                too_low = middle;
            }
        }
        Ok(Some(Ppb(fits)))
    }
}
