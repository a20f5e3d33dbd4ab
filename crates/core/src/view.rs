//! What one room shows another of the book: read-only values, never a trait of a domain.

use crate::{
    Amount, AssetId, AssetScale, At, AuctionId, Bands, FundingIndex, GroupId, Health, Index, Lots, MarketId,
    MarketScale, MathError, PoolId, Posting, Ppb, PriceView, Quanta, Scaled, Ticks, Verdict,
};
use alloc::vec::Vec;
use core::fmt;

/// A position: lots, what they cost, and what funding has accrued since they were last touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PositionView {
    /// Where.
    pub market: MarketId,
    /// Signed lots; positive is long.
    pub lots: Lots,
    /// What the lots cost in quanta of the settlement asset: entry notional, negative for a short.
    pub cost: Quanta,
    /// Funding owed by the holder (positive) or to it (negative), rounded against the holder.
    pub funding: Quanta,
}

/// A balance of an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BalanceView {
    /// What.
    pub asset: AssetId,
    /// How much; a group's cash may be below zero between a fill and its settlement.
    pub amount: Amount,
}

/// A debt in an asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DebtView {
    /// What.
    pub asset: AssetId,
    /// Owed with interest to now, rounded up.
    pub owed: Amount,
    /// The units behind it, exact: owed = scaled x index / 1e27, rounded up. A full repayment moves all of them.
    pub scaled: Scaled,
}

/// A margin group: everything in it nets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupView<'a> {
    /// Which.
    pub id: GroupId,
    /// Its positions, by market.
    pub positions: &'a [PositionView],
    /// Its balances, by asset.
    pub balances: &'a [BalanceView],
    /// Its debts, by asset.
    pub debts: &'a [DebtView],
}

impl GroupView<'_> {
    /// The position in a market.
    #[must_use]
    pub fn position(&self, market: MarketId) -> Option<&PositionView> {
        self.positions.iter().find(|p| p.market == market)
    }

    /// The balance of an asset, zero when there is none.
    #[must_use]
    pub fn balance(&self, asset: AssetId) -> Amount {
        self.balances.iter().find(|b| b.asset == asset).map_or(Amount::ZERO, |b| b.amount)
    }

    /// What is owed in an asset, zero when nothing is.
    #[must_use]
    pub fn owed(&self, asset: AssetId) -> Amount {
        self.debts.iter().find(|d| d.asset == asset).map_or(Amount::ZERO, |d| d.owed)
    }
}

/// A market as the other rooms see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MarketView {
    /// Which.
    pub id: MarketId,
    /// Quanta per lot and tick.
    pub scale: MarketScale,
    /// The asset in which profit and loss are paid.
    pub settlement: AssetId,
    /// The mark price now.
    pub mark: PriceView,
    /// The mark before the last one.
    pub previous_mark: Ticks,
    /// The index price now; the mark where the market has no index of its own.
    pub index: PriceView,
    /// Long lots held in the book; as many are short.
    pub open_interest: Lots,
    /// Cumulative funding per lot.
    pub funding: FundingIndex,
    /// Annualised volatility as last recorded (an input that was computed outside), zero when none was.
    pub volatility: Ppb,
}

/// The most scenarios that are recorded per market.
pub const SCENARIOS_MAX: usize = 4096;

/// What an instrument would be worth in one scenario: an interval of ticks. A long position is valued at low, a short one at
/// high.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ScenarioPrice {
    /// Lower end.
    pub low: Ticks,
    /// Upper end.
    pub high: Ticks,
}

/// What a market's instrument would be worth in every scenario, as last recorded (computed outside).
///
/// Scenarios are counted: the same place of two lists is the same scenario, so the losses of two instruments of one underlying add up
/// place by place. A margin model reads the change from `base`, the value that the list was computed at, and not from the mark,
/// which may have moved since.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Scenarios {
    /// How many lists of this market were recorded before and with this one: moves with every list.
    pub revision: u64,
    /// The instrument's value when the list was computed.
    pub base: Ticks,
    /// Its value in each scenario.
    pub values: Vec<ScenarioPrice>,
}

/// An asset as the other rooms see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct AssetView {
    /// Which.
    pub id: AssetId,
    /// Its atoms and the step of its price.
    pub scale: AssetScale,
    /// Its price in the numeraire.
    pub price: PriceView,
    /// Interest index of debts in it.
    pub debt_index: Index,
}

/// Prices and markets at one moment: the same for every account within one step (INV-33).
pub trait World {
    /// A market, if there is one.
    fn market(&self, id: MarketId) -> Option<&MarketView>;
    /// An asset, if there is one.
    fn asset(&self, id: AssetId) -> Option<&AssetView>;
    /// The scenario values of a market, if any were recorded.
    fn scenarios(&self, id: MarketId) -> Option<&Scenarios>;
    /// The price bands over which a group's collateral is spread, if it is.
    fn bands(&self, id: GroupId) -> Option<Bands>;
}

/// What a group's health would be after postings.
pub type WhatIf<'a> = dyn Fn(&[Posting]) -> Result<Health, MathError> + 'a;

/// What a pool and its borrowers have together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolTotals {
    /// What the pool has to lend or to pay debts with, in atoms of its asset.
    pub cash: Amount,
    /// What all groups owe it, rounded up, in atoms of its asset.
    pub owed: Amount,
    /// What those groups have of the collateral asked about, in its atoms; balances below zero count as nothing.
    pub backing: Amount,
}

/// The totals of a pool, with the backing in a collateral. Asked for only where a rule needs them: it visits every borrower.
pub type Totals<'a> = dyn Fn(PoolId, AssetId) -> Result<PoolTotals, MathError> + 'a;

/// An auction: collateral that was taken out of a group with the debt that it has to raise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuctionView {
    /// Which.
    pub id: AuctionId,
    /// Whose collateral it was: what is left over goes back there.
    pub of: GroupId,
    /// What is sold.
    pub asset: AssetId,
    /// How much of it is left.
    pub lot: Amount,
    /// What is raised.
    pub debt: AssetId,
    /// How much is still owed, with interest to now, rounded up.
    pub owed: Amount,
    /// The units behind it, exact.
    pub scaled: Scaled,
}

/// Everything a liquidation strategy is told about its subject.
pub struct Case<'a> {
    /// When.
    pub at: At,
    /// The subject.
    pub group: GroupView<'a>,
    /// Its health at every level.
    pub health: Health,
    /// Prices and markets.
    pub world: &'a dyn World,
    /// What the breakers still allow to be closed, in lots or atoms of what the plan touches.
    pub allowed: Verdict,
    /// What insurance could pay now, in quanta of the numeraire.
    pub cover: Quanta,
    /// The auction that is bid into; the group is then the one whose collateral is sold.
    pub auction: Option<AuctionView>,
    /// The number that an auction would get that this plan opens.
    pub next_auction: AuctionId,
    /// The subject's health after postings.
    pub what_if: &'a WhatIf<'a>,
    /// What pools and their borrowers have together.
    pub totals: &'a Totals<'a>,
}

impl fmt::Debug for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case")
            .field("at", &self.at)
            .field("group", &self.group)
            .field("health", &self.health)
            .field("allowed", &self.allowed)
            .field("cover", &self.cover)
            .field("auction", &self.auction)
            .finish_non_exhaustive()
    }
}
