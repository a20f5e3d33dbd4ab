//! A loss that every lot of a market bears, long or short: funding that both sides owe.
//!
//! Venues that socialise through funding keep an index per side and move both against their holders. Funding here is one index,
//! which charges one side what it pays the other; so what a shift of both would charge is charged to each holder at once, in
//! the same step. It ends the same whenever it is settled (INV-29), and nobody can leave in between (INV-3).

use super::Step;
use super::clearing::{UNSETTLED, quanta};
use super::loss::DEFICIT;
use crate::{Reason, RiskStack, draft::Draft};
use cofferdam_core::{
    Amount, FundingIndex, GroupId, Holder, Item, Lots, MarketId, MathError, Posting, Quanta, Rounding, wide,
};
use cofferdam_margin_engine::pending_funding;

/// 2^32: funding indexes are quanta x 2^-32 per lot.
const FUNDING_ONE: i128 = 1 << 32;

/// What each lot owes, so that all of them together owe at least `need`: need x 2^32 / lots, rounded up.
fn per_lot(need: Quanta, lots: i128) -> Result<FundingIndex, MathError> {
    let up = wide::mul_div(need.get(), FUNDING_ONE, lots, Rounding::Up)?;
    FundingIndex::new(up).try_add(FundingIndex::ZERO)
}

impl RiskStack {
    /// Charges every group that holds lots in a market, long or short, the same per lot, and pays a deficit with it. The charge
    /// is rounded up per lot and per holder; what that is too much stays with the house. Where nobody holds a lot the deficit
    /// stays open. Who is below maintenance after it is queued at once.
    pub(super) fn shift_funding(&self, draft: &mut Draft<'_>, market: MarketId, amount: Amount) -> Step<()> {
        let amount = amount.min(draft.deficit(self.market_terms(draft, market)?.0.settlement));
        let mut holders: Vec<(GroupId, Lots)> = Vec::new();
        let mut lots: i128 = 0;
        for group in draft.state().book.groups() {
            let account = draft.account(group);
            let held = account.positions().iter().find(|p| p.market == market).map_or(Lots::ZERO, |p| p.lots);
            if !held.is_zero() {
                lots = lots.checked_add(held.try_abs()?.get().into()).ok_or(MathError::Overflow)?;
                holders.push((group, held.try_abs()?));
            }
        }
        if lots == 0 || amount.get() <= 0 {
            return Ok(());
        }
        let (view, scale) = self.market_terms(draft, market)?;
        let shift = per_lot(quanta(scale, amount.get())?, lots)?;
        let mut postings: Vec<Posting> = Vec::new();
        for (group, size) in &holders {
            self.settle_funding(draft, *group, market)?;
            let owed = pending_funding(*size, shift, FundingIndex::ZERO)?;
            postings.push(Posting::position(Holder::Group(*group), market, 0, owed));
            postings.push(Posting::position(UNSETTLED, market, 0, owed.try_neg()?));
        }
        postings.extend(Posting::transfer(UNSETTLED, DEFICIT, Item::Asset(view.settlement), amount.get()));
        draft.post(Reason::Socialisation, postings)?;
        let groups: Vec<GroupId> = holders.into_iter().map(|(g, _)| g).collect();
        self.sweep(draft, &groups)
    }
}
