//! Price bands: collateral that its owner's debt has placed where it is sold piece by piece. Where it belongs and what a trade moves
//! is a module's answer; here it is held to what the account has, and an account cannot take out what its bands hold.

use super::keepers::is_stranger;
use super::requests::malformed;
use super::{Step, StepError, refuse};
use crate::{Named, Reason, Rejection, RiskStack, draft::Draft, stack::slots};
use cofferdam_core::{
    Action, ActionKind, Amount, AssetId, Bands, GroupId, Holder, Instrument, Item, Level, MathError,
    Observation, Scope, World,
};
use cofferdam_liquidation_strategy::{Bid, Step as Move, Taker};
use cofferdam_margin_engine::Holdings;

impl RiskStack {
    /// Asks where an account's collateral belongs after its owner's act.
    pub(crate) fn place(&self, draft: &mut Draft<'_>, group: GroupId, after: ActionKind) -> Step<()> {
        let Some(placement) = &self.parts.placement else { return Ok(()) };
        let mut holdings = Holdings::new();
        draft.view(group, &mut holdings)?;
        match placement.place(after, &holdings.group(group), draft)? {
            Ok(bands) => Self::set_bands(draft, group, bands.unwrap_or_default()),
            Err(reason) => refuse(Rejection::Strategy { reason: format!("{reason:?}") }),
        }
    }

    /// The same after a deposit, which is a report: where it cannot be placed it lies beside the bands.
    pub(crate) fn place_deposit(&self, draft: &mut Draft<'_>, group: GroupId) -> Step<()> {
        match self.place(draft, group, ActionKind::Deposit) {
            Err(StepError::Refused(_)) => Ok(()),
            other => other,
        }
    }

    /// Keeps what a module says an account's bands are.
    pub(crate) fn set_bands(draft: &mut Draft<'_>, group: GroupId, bands: Bands) -> Step<()> {
        let before = draft.bands(group);
        if before.as_ref().map_or(bands.is_empty(), |b| *b == bands) {
            return Ok(());
        }
        if !bands.is_sound() || !is_backed(draft, group, &bands)? {
            return Err(StepError::Contract("bands that hold more than the account has, or in no order"));
        }
        draft.with_memory(slots::BANDS, |_, m| m.set(Scope::Group(group), &bands))??;
        Ok(())
    }

    /// Refuses a request that leaves an account with less than its bands hold, whoever's request it was.
    pub(crate) fn require_backed(&self, draft: &Draft<'_>) -> Step<()> {
        if self.parts.placement.is_none() {
            return Ok(());
        }
        for group in draft.moved() {
            let Some(bands) = draft.bands(group) else { continue };
            if !is_backed(draft, group, &bands)? {
                let reason = "what the account's bands hold stays until they give it".into();
                return refuse(Rejection::Strategy { reason });
            }
        }
        Ok(())
    }

    /// A trade with an account's bands: planned by the strategy, kept as planned or refused.
    pub(crate) fn exchange_request(
        &self,
        draft: &mut Draft<'_>,
        (trader, group): (GroupId, GroupId),
        (give, amount): (AssetId, Amount),
        (want, at_least): (AssetId, Amount),
    ) -> Step<()> {
        if trader == group {
            return malformed("trader", "another group than the one whose bands they are");
        }
        if amount.get() <= 0 {
            return malformed("amount", "above zero");
        }
        if give == want {
            return malformed("want", "another asset than the one given");
        }
        self.accrue(draft)?;
        for asset in [give, want] {
            if draft.asset(asset).is_none() {
                return refuse(Rejection::Unknown { what: Named::Asset, id: asset.0 });
            }
            self.require_price(draft, ActionKind::Seize, Instrument::Asset(asset))?;
        }
        let have = draft.balance(trader, give);
        if have < amount.get() {
            return refuse(Rejection::Insufficient { available: Amount::new(have.max(0)) });
        }
        let bid = Bid {
            by: Taker::Keeper(trader),
            give: Some((Item::Asset(give), amount.get())),
            want: Some(Item::Asset(want)),
            at_least: (at_least.get() > 0).then_some(at_least.get()),
            ..Bid::ENGINE
        };
        let owned = draft.balance(trader, want);
        let plan = match self.plan(draft, group, &bid)? {
            Ok(plan) => plan,
            Err(reason) => return refuse(Rejection::Strategy { reason: format!("{reason:?}") }),
        };
        for step in plan.steps {
            match step {
                Move::Move(postings) => {
                    super::exchange::check_move(draft, group, &postings)?;
                    let strange = postings
                        .iter()
                        .any(|p| is_stranger(p, group, trader) || !matches!(p.holder, Holder::Group(_)));
                    if strange {
                        return Err(StepError::Contract("an exchange is between the trader and the bands"));
                    }
                    draft.post(Reason::Exchange, postings)?;
                }
                Move::Bands(bands) => Self::set_bands(draft, group, bands)?,
                _ => return Err(StepError::Contract("an exchange holds steps other than move and bands")),
            }
        }
        let changed = |now: i128, before: i128| now.checked_sub(before).ok_or(MathError::Overflow);
        let paid = changed(have, draft.balance(trader, give))?;
        let got = changed(draft.balance(trader, want), owned)?;
        if paid > amount.get() || got < at_least.get().max(1) {
            return Err(StepError::Contract("a trader paid more than it said, or got less than it asked"));
        }
        self.require_health(draft, trader, Level::Initial)?;
        let value = self.worth(draft, want, Amount::new(got))?;
        let action = Action::Seize { group, asset: want, amount: Amount::new(got), value };
        self.require_admitted(draft, &action)?;
        self.observe(draft, &Observation::Done(action))
    }
}

/// Whether an account has what its bands hold: their wads are no more than its atoms.
fn is_backed(draft: &Draft<'_>, group: GroupId, bands: &Bands) -> Step<bool> {
    let (Some(sold), Some(held)) = (bands.sold_total(), bands.held_total()) else {
        return Err(MathError::Overflow.into());
    };
    for (asset, wads) in [(bands.money, sold), (bands.asset, held)] {
        let decimals = draft.asset(asset).map_or(18, |a| u32::from(a.scale.decimals));
        let atom = 10_u128.checked_pow(18_u32.saturating_sub(decimals)).ok_or(MathError::Overflow)?;
        let have = u128::try_from(draft.balance(group, asset)).unwrap_or(0); // below zero: nothing
        // an account that has more than 128 bits of wads has enough
        if have.checked_mul(atom).is_some_and(|have| wads > have) {
            return Ok(false);
        }
    }
    Ok(true)
}
