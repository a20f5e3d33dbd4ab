//! Auctions: collateral and the debt that it has to raise leave an account together and are held by an auction until keepers
//! have bought it. The strategy prices and paces; here its answer is held to what an auction may do (INV-22, INV-44): it sells no
//! more than is left, a keeper pays no more than it said, pools get for what they give up, and what is left over goes home.

use super::requests::malformed;
use super::{Step, StepError, refuse};
use crate::{Named, Reason, Rejection, RiskStack, draft::Draft, stack::slots, store::Store};
use cofferdam_core::{
    Action, ActionKind, Amount, AssetId, AuctionId, AuctionView, GroupId, Holder, House, Instrument, Item,
    Level, MathError, MemoryError, Observation, Posting, RAY, Reader, Record, Scaled, Scope, World, Writer,
    check_balanced, wide,
};
use cofferdam_insurance_layer::LossCause;
use cofferdam_liquidation_strategy::{Bid, Step as Move, Taker};

/// How many auctions were ever opened.
#[derive(Clone, Copy, Default)]
struct Opened(u32);

impl Record for Opened {
    const VERSION: u8 = 1;
    fn write(&self, to: &mut Writer) {
        to.u32(self.0);
    }
    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        if version == 1 { Ok(Self(from.u32()?)) } else { Err(MemoryError::Version { found: version }) }
    }
}

/// Whose collateral an auction sells, and for what.
#[derive(Clone, Copy, Default)]
struct Terms {
    of: u32,
    asset: u32,
    debt: u32,
}

impl Record for Terms {
    const VERSION: u8 = 1;
    fn write(&self, to: &mut Writer) {
        to.u32(self.of).u32(self.asset).u32(self.debt);
    }
    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        if version == 1 {
            Ok(Self { of: from.u32()?, asset: from.u32()?, debt: from.u32()? })
        } else {
            Err(MemoryError::Version { found: version })
        }
    }
}

impl RiskStack {
    /// The number of the next auction.
    pub(crate) fn next_auction(&self, draft: &Draft<'_>) -> Step<AuctionId> {
        Ok(AuctionId(draft.peek_memory(slots::AUCTIONS, |m| m.get::<Opened>(Scope::All))?.0))
    }

    /// Collateral and debt leave the account for a new auction.
    pub(crate) fn open_auction(
        &self,
        draft: &mut Draft<'_>,
        group: GroupId,
        (asset, lot): (AssetId, Amount),
        (debt, scaled): (AssetId, Scaled),
    ) -> Step<()> {
        let units = i128::try_from(scaled.get()).map_err(|_| MathError::Overflow)?;
        if lot.get() <= 0 || lot.get() > draft.balance(group, asset) {
            return Err(StepError::Contract("an auction of nothing, or of more than the account has"));
        }
        if units <= 0 || units > super::lending::owed_scaled(draft, group, debt) || asset == debt {
            return Err(StepError::Contract("an auction for no debt, or for more than is owed"));
        }
        let value = self.worth(draft, asset, lot)?;
        let id = self.next_auction(draft)?;
        let next = Opened(id.0.checked_add(1).ok_or(MathError::Overflow)?);
        let terms = Terms { of: group.0, asset: asset.0, debt: debt.0 };
        draft.with_memory(slots::AUCTIONS, |_, m| {
            m.set(Scope::All, &next)?;
            m.set(Scope::Auction(id), &terms)
        })??;
        let (from, to) = (Holder::Group(group), Holder::Auction(id));
        let mut postings: Vec<Posting> = Posting::transfer(from, to, Item::Asset(asset), lot.get()).into();
        postings.extend(Posting::transfer(from, to, Item::Debt(debt), units));
        draft.post(Reason::Auction, postings)?;
        self.forced(draft, value)?;
        self.observe(draft, &Observation::Done(Action::Seize { group, asset, amount: lot, value }))
    }

    /// An auction with something left to raise or to sell.
    pub(crate) fn auction_view(&self, draft: &Draft<'_>, id: AuctionId) -> Step<Option<AuctionView>> {
        if id >= self.next_auction(draft)? {
            return Ok(None);
        }
        let terms = draft.peek_memory(slots::AUCTIONS, |m| m.get::<Terms>(Scope::Auction(id)))?;
        let (asset, debt) = (AssetId(terms.asset), AssetId(terms.debt));
        let held = |item| draft.holding(Holder::Auction(id), item).units;
        let (lot, scaled) = (held(Item::Asset(asset)), Scaled::new(held(Item::Debt(debt)).unsigned_abs()));
        if lot == 0 && scaled.is_zero() {
            return Ok(None);
        }
        let index = draft.asset(debt).map_or(RAY, |a| a.debt_index.get());
        let owed = wide::mul_div_unsigned(scaled.get(), index, RAY, true)?;
        let owed = Amount::new(i128::try_from(owed).map_err(|_| MathError::Overflow)?);
        Ok(Some(AuctionView { id, of: GroupId(terms.of), asset, lot: Amount::new(lot), debt, owed, scaled }))
    }

    fn known_auction(&self, draft: &Draft<'_>, id: AuctionId) -> Step<AuctionView> {
        match self.auction_view(draft, id)? {
            Some(view) => Ok(view),
            None => refuse(Rejection::Unknown { what: Named::Auction, id: id.0 }),
        }
    }

    /// A keeper starts an auction: planned by the strategy, which may ask that the keeper stakes money on it.
    pub(crate) fn kick(&self, draft: &mut Draft<'_>, keeper: GroupId, group: GroupId) -> Step<()> {
        if keeper == group {
            return malformed("keeper", "another group than the one whose collateral is sold");
        }
        self.accrue(draft)?;
        self.mark_books(draft)?;
        let id = self.next_auction(draft)?;
        let bid = Bid { by: Taker::Keeper(keeper), ..Bid::ENGINE };
        let plan = match self.plan(draft, group, &bid)? {
            Ok(plan) => plan,
            Err(reason) => return refuse(Rejection::Strategy { reason: format!("{reason:?}") }),
        };
        for step in plan.steps {
            match step {
                Move::Auction { asset, lot, debt, scaled } => {
                    self.open_auction(draft, group, (asset, lot), (debt, scaled))?;
                }
                Move::Stake { asset, amount } => {
                    let have = draft.balance(keeper, asset);
                    if amount.get() <= 0 || have < amount.get() {
                        return refuse(Rejection::Insufficient { available: Amount::new(have.max(0)) });
                    }
                    let (from, to) = (Holder::Group(keeper), Holder::Auction(id));
                    let p = Posting::transfer(from, to, Item::Asset(asset), amount.get());
                    draft.post(Reason::Auction, p.into())?;
                }
                _ => return Err(StepError::Contract("a kick holds steps other than auction and stake")),
            }
        }
        if self.next_auction(draft)? == id {
            return Err(StepError::Contract("a kick that opened no auction"));
        }
        self.require_health(draft, keeper, Level::Initial)
    }

    /// A keeper buys from an auction: planned by the strategy, kept as planned or refused.
    pub(crate) fn auction_bid(
        &self,
        draft: &mut Draft<'_>,
        keeper: GroupId,
        id: AuctionId,
        want: Amount,
        pay: Amount,
    ) -> Step<()> {
        if want.get() <= 0 || pay.get() <= 0 {
            return malformed(if want.get() <= 0 { "want" } else { "pay" }, "above zero");
        }
        self.accrue(draft)?;
        let auction = self.known_auction(draft, id)?;
        if keeper == auction.of {
            return malformed("keeper", "another group than the one whose collateral is sold");
        }
        self.require_price(draft, ActionKind::Seize, Instrument::Asset(auction.asset))?;
        let have = draft.balance(keeper, auction.debt);
        if have < pay.get() {
            return refuse(Rejection::Insufficient { available: Amount::new(have.max(0)) });
        }
        let bid = Bid {
            by: Taker::Keeper(keeper),
            give: Some((Item::Asset(auction.debt), pay.get())),
            want: Some(Item::Asset(auction.asset)),
            at_most: Some(want.get()),
            auction: Some(id),
            ..Bid::ENGINE
        };
        let before = auction.lot;
        let plan = match self.plan_about(draft, auction.of, &bid, Some(auction))? {
            Ok(plan) => plan,
            Err(reason) => return refuse(Rejection::Strategy { reason: format!("{reason:?}") }),
        };
        for step in plan.steps {
            match step {
                Move::Move(postings) => {
                    check_sale(draft, &auction, keeper, (want, pay), &postings)?;
                    draft.post(Reason::Seizure, postings)?;
                }
                Move::Loss { holder: Holder::Auction(of), asset, .. }
                    if of == id && asset == auction.debt =>
                {
                    self.write_off_auction(draft, id)?;
                }
                _ => return Err(StepError::Contract("a sale holds steps other than move and its own loss")),
            }
        }
        self.require_health(draft, keeper, Level::Initial)?;
        let left = draft.holding(Holder::Auction(id), Item::Asset(auction.asset)).units;
        let sold = Amount::new(before.get().checked_sub(left).ok_or(MathError::Overflow)?);
        let value = self.worth(draft, auction.asset, sold)?;
        self.forced(draft, value)
    }

    /// A keeper asks that an auction begin again.
    pub(crate) fn auction_reset(&self, draft: &mut Draft<'_>, keeper: GroupId, id: AuctionId) -> Step<()> {
        self.accrue(draft)?;
        let auction = self.known_auction(draft, id)?;
        let bid = Bid { by: Taker::Keeper(keeper), auction: Some(id), ..Bid::ENGINE };
        match self.plan_about(draft, auction.of, &bid, Some(auction))? {
            Ok(plan) if plan.steps.is_empty() => Ok(()),
            Ok(_) => Err(StepError::Contract("an auction that begins again moves nothing")),
            Err(reason) => refuse(Rejection::Strategy { reason: format!("{reason:?}") }),
        }
    }

    /// What an auction could not raise: its pool is made whole, insurance and then the pool's suppliers bear it, at once (INV-23).
    fn write_off_auction(&self, draft: &mut Draft<'_>, id: AuctionId) -> Step<()> {
        let Some(auction) = self.auction_view(draft, id)? else { return Ok(()) };
        if auction.lot.get() > 0 {
            return Err(StepError::Contract("a loss while collateral is left"));
        }
        let Some(pool) = self.lender(auction.debt) else {
            return Err(StepError::Contract("a loss without a pool that lent"));
        };
        let units = i128::try_from(auction.scaled.get()).map_err(|_| MathError::Overflow)?;
        let pool = Holder::Pool(pool);
        let deficit = Holder::House(House::Deficit);
        let mut p: Vec<Posting> =
            Posting::transfer(Holder::Auction(id), pool, Item::Debt(auction.debt), units).into();
        p.extend(Posting::transfer(deficit, pool, Item::Asset(auction.debt), auction.owed.get()));
        draft.post(Reason::BadDebt, p)?;
        self.insure(draft, auction.debt, auction.owed, (LossCause::BadDebt, Some(auction.of)), None)
    }
}

/// Refuses a sale that moves what is not the auction's, or not as the keeper bid: the auction gives collateral and clears debt;
/// the keeper pays and gets; the pool is paid for what it gives up; the rest goes home or to the house's fees.
fn check_sale(
    draft: &Draft<'_>,
    auction: &AuctionView,
    keeper: GroupId,
    (want, pay): (Amount, Amount),
    postings: &[Posting],
) -> Step<()> {
    check_balanced(postings).map_err(|_| StepError::Contract("a sale that does not balance"))?;
    let (collateral, money, debt) =
        (Item::Asset(auction.asset), Item::Asset(auction.debt), Item::Debt(auction.debt));
    let add = |a: i128, b: i128| a.checked_add(b).ok_or(StepError::Math(MathError::Overflow));
    let (mut sold, mut cleared, mut got, mut paid, mut repaid) = (0_i128, 0_i128, 0_i128, 0_i128, 0_i128);
    let mut stake = 0_i128; // what was staked on the auction may grow, be paid out or go to the house
    for p in postings {
        let sum = match (p.holder, p.item) {
            (Holder::Auction(id), item) if id == auction.id && item == collateral => &mut sold,
            (Holder::Auction(id), item) if id == auction.id && item == debt => &mut cleared,
            (Holder::Group(g), item) if g == keeper && item == collateral => &mut got,
            (Holder::Group(g), item) if g == keeper && item == money => &mut paid,
            (Holder::Auction(id), item) if id == auction.id && item == money => &mut stake,
            (Holder::Group(_), item) if item == money && p.units >= 0 => continue,
            (Holder::Pool(_), item) if item == money && p.units >= 0 => &mut repaid,
            (Holder::Pool(_), item) if item == debt && p.units >= 0 => continue,
            (Holder::Group(g), item) if g == auction.of && item == collateral && p.units >= 0 => continue,
            (Holder::House(House::Fees), item) if item == money && p.units >= 0 => continue,
            _ => return Err(StepError::Contract("a sale moved what is not the auction's to move")),
        };
        *sum = add(*sum, p.units)?;
    }
    if add(draft.holding(Holder::Auction(auction.id), money).units, stake)? < 0 {
        return Err(StepError::Contract("a sale paid out more than was staked on it"));
    }
    let within = |x: i128, low: i128, high: i128| (low..=high).contains(&x);
    let units = i128::try_from(auction.scaled.get()).map_err(|_| MathError::Overflow)?;
    let no_more = |x: i128| x.checked_neg().ok_or(MathError::Overflow);
    if !within(no_more(sold)?, 0, auction.lot.get()) || !within(no_more(cleared)?, 0, units) {
        return Err(StepError::Contract("a sale took more than the auction holds"));
    }
    if !within(got, 0, want.get()) || !within(no_more(paid)?, stake.min(0), pay.get()) {
        return Err(StepError::Contract("a keeper got more than it wanted, or paid more than it bid"));
    }
    // what is cleared is worth no more than the pool is paid: scaled x index / 1e27, rounded down
    let index = draft.asset(auction.debt).map_or(RAY, |a| a.debt_index.get());
    let worth = wide::mul_div_unsigned(cleared.unsigned_abs(), index, RAY, false)?;
    if worth > repaid.unsigned_abs() {
        return Err(StepError::Contract("a sale cleared more of a debt than it paid the pool"));
    }
    Ok(())
}
