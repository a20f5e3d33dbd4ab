//! The contract of a margin model, and of the fast path over the book.

use alloc::vec::Vec;
use cofferdam_core::{AssetId, GroupId, GroupView, Health, Level, MarketId, MathError, World};
use core::fmt::Debug;

/// What a model can refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MarginError {
    /// Arithmetic beyond its range.
    #[error(transparent)]
    Math(#[from] MathError),
    /// A position in a market that the world does not show.
    #[error("market {0} is not known")]
    UnknownMarket(MarketId),
    /// A balance or debt in an asset that the world does not show.
    #[error("asset {0} is not known")]
    UnknownAsset(AssetId),
    /// A price without meaning: health cannot be told.
    #[error("the price of {0:?} is not usable")]
    NoPrice(cofferdam_core::Instrument),
    /// Markets that net with one another settle in different assets.
    #[error("market {0} settles in another asset than the markets it nets with; accepted is one asset")]
    MixedSettlement(MarketId),
    /// A parameter outside its range.
    #[error("{field} is {value}; accepted is {accepted}")]
    Parameter {
        /// Which parameter.
        field: &'static str,
        /// What it was.
        value: i128,
        /// What would be accepted.
        accepted: &'static str,
    },
}

/// How health is computed.
///
/// # Contract
///
/// - Support is rounded down, demand up, one rounding per balance, position or debt.
/// - The answer does not depend on the order of positions or balances (INV-15).
/// - Demand at a stricter level is never smaller: backstop <= maintenance <= liquidation end <= fill <= initial.
/// - Deposits and reductions never lower slack at any level (INV-11).
pub trait MarginModel: Debug + Send + Sync {
    /// Health of a group at every level that the model distinguishes.
    fn assess(&self, group: &GroupView<'_>, world: &dyn World) -> Result<Health, MarginError>;

    /// A box of coordinates inside which the group cannot fall below `level`, whatever each coordinate does inside its own
    /// range. May be smaller than the truth, never larger (a cache may name too many accounts, never too few). Empty when
    /// the group holds nothing that could fall. A group already below has the empty range on each coordinate.
    fn safe_ranges(
        &self,
        group: &GroupView<'_>,
        world: &dyn World,
        level: Level,
    ) -> Result<Vec<SafeRange>, MarginError>;
}

/// A number that moves the health of many groups at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Coordinate {
    /// Mark of a market, in ticks. A model that reads low or high reports ranges that hold for both.
    Mark(MarketId),
    /// Price of an asset, in its ticks.
    Price(AssetId),
    /// Cumulative funding of a market.
    Funding(MarketId),
    /// Debt index of an asset.
    DebtIndex(AssetId),
    /// Any other public term of a market that scales its requirement (open interest, recorded volatility).
    Scale(MarketId),
    /// How often scenario values of a market were recorded ([`cofferdam_core::Scenarios::revision`]).
    Scenarios(MarketId),
}

/// A closed range of one coordinate; `low > high` is the empty range.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SafeRange {
    /// Of what.
    pub coordinate: Coordinate,
    /// Lowest safe value, `i128::MIN` when there is none.
    pub low: i128,
    /// Highest safe value, `i128::MAX` when there is none.
    pub high: i128,
}

/// The fast path: the same answers as [`MarginModel::assess`] on every group of a book, in one pass.
pub trait MarginSweep: Debug {
    /// Appends every group below `level`, in ascending order of id.
    fn sweep(&self, world: &dyn World, level: Level, found: &mut Vec<GroupId>) -> Result<(), MarginError>;
}
