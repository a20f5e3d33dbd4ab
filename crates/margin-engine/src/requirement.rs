//! What a market asks of a position: the contract of a requirement, the flat one, and the affine pieces by which a sweep
//! computes one without calling it.

use crate::MarginError;
use crate::valuation::share_up;
use alloc::vec::Vec;
use cofferdam_core::{AssetId, Lots, MarketId, MarketView, MathError, Ppb, Quanta};
use core::fmt::Debug;

/// Why parameters of a requirement or a model are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TermsError {
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
    /// A row of a tier table.
    #[error("tier {index}: {field} is {value}; accepted is {accepted}")]
    Tier {
        /// Which row, from zero.
        index: usize,
        /// Which of its numbers.
        field: &'static str,
        /// What it was.
        value: i128,
        /// What would be accepted.
        accepted: &'static str,
    },
    /// Two sets of terms for one asset.
    #[error("asset {0} has terms twice; accepted is once")]
    AssetTwice(AssetId),
    /// Two sets of terms for one market.
    #[error("market {0} has terms twice; accepted is once")]
    MarketTwice(MarketId),
}

/// Which of a market's two basic requirements; the other levels derive from them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// What keeps a position open.
    Maintenance,
    /// What opens one.
    Initial,
}

/// Public terms of a market, besides its mark, that a requirement reads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Reads {
    /// Open interest.
    pub open_interest: bool,
    /// Recorded volatility.
    pub volatility: bool,
}

impl Reads {
    /// What either reads.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            open_interest: self.open_interest || other.open_interest,
            volatility: self.volatility || other.volatility,
        }
    }
}

/// What a position must be backed with.
///
/// # Contract (INV-14)
///
/// - In quanta of the settlement asset, rounded up, never negative.
/// - At fixed lots: convex and non-decreasing in the notional, slope below one at maintenance. At a fixed price:
///   non-decreasing in |lots|. Non-decreasing in open interest and volatility.
/// - The initial requirement is at least the maintenance requirement; the model takes the larger where it is not.
pub trait Requirement: Debug + Send + Sync {
    /// The requirement of `lots` with an absolute `notional`.
    fn required(
        &self,
        stage: Stage,
        market: &MarketView,
        lots: Lots,
        notional: Quanta,
    ) -> Result<Quanta, MarginError>;

    /// The requirement as pieces affine in the notional, for this view of the market; `None` where it depends on the lots.
    fn pieces(&self, stage: Stage, market: &MarketView) -> Result<Option<Pieces>, MarginError>;

    /// Which terms of the market it reads besides the mark.
    fn reads(&self, stage: Stage) -> Reads;
}

/// rate x notional - deduction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Piece {
    /// Share of the notional.
    pub rate: Ppb,
    /// What is taken off, in quanta x 1e-9, so that it is exact; not negative.
    pub deduction: i128,
}

/// A requirement as the largest of its pieces: required lies in [max, max + roundings) quanta.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pieces {
    /// The pieces; the first has no deduction.
    pub pieces: Vec<Piece>,
    /// How many values were rounded up to a quantum and added.
    pub roundings: u32,
}

impl Pieces {
    /// One rate on all of the notional.
    #[must_use]
    pub fn flat(rate: Ppb) -> Self {
        Self { pieces: alloc::vec![Piece { rate, deduction: 0 }], roundings: 1 }
    }

    /// The larger of both, everywhere.
    #[must_use]
    pub fn max(mut self, other: Self) -> Self {
        self.pieces.extend(other.pieces);
        self.roundings = self.roundings.max(other.roundings);
        self
    }

    /// The sum of both, everywhere.
    pub fn sum(&self, other: &Self) -> Result<Self, MathError> {
        let mut pieces = Vec::new();
        for a in &self.pieces {
            for b in &other.pieces {
                let rate = a.rate.0.checked_add(b.rate.0).map(Ppb).ok_or(MathError::Overflow)?;
                let deduction = a.deduction.checked_add(b.deduction).ok_or(MathError::Overflow)?;
                pieces.push(Piece { rate, deduction });
            }
        }
        let roundings = self.roundings.checked_add(other.roundings).ok_or(MathError::Overflow)?;
        Ok(Self { pieces, roundings })
    }
}

/// A fixed share of the notional.
///
/// ```
/// use cofferdam_core::Ppb;
/// use cofferdam_margin_engine::Flat;
/// assert!(Flat::new(Ppb(30_000_000), Ppb(60_000_000)).is_ok()); // 3 % and 6 %
/// assert!(Flat::new(Ppb(60_000_000), Ppb(30_000_000)).is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flat {
    maintenance: Ppb,
    initial: Ppb,
}

impl Flat {
    /// 0 <= maintenance < 100 %, maintenance <= initial <= 100 %.
    pub fn new(maintenance: Ppb, initial: Ppb) -> Result<Self, TermsError> {
        rates(maintenance, initial)?;
        Ok(Self { maintenance, initial })
    }

    fn rate(&self, stage: Stage) -> Ppb {
        match stage {
            Stage::Maintenance => self.maintenance,
            Stage::Initial => self.initial,
        }
    }
}

impl Requirement for Flat {
    fn required(
        &self,
        stage: Stage,
        _: &MarketView,
        _: Lots,
        notional: Quanta,
    ) -> Result<Quanta, MarginError> {
        Ok(share_up(self.rate(stage), notional.get()).map(Quanta::new)?)
    }

    fn pieces(&self, stage: Stage, _: &MarketView) -> Result<Option<Pieces>, MarginError> {
        Ok(Some(Pieces::flat(self.rate(stage))))
    }

    fn reads(&self, _: Stage) -> Reads {
        Reads::default()
    }
}

pub(crate) fn rates(maintenance: Ppb, initial: Ppb) -> Result<(), TermsError> {
    if !(0..Ppb::ONE.0).contains(&maintenance.0) {
        let accepted = "0 <= maintenance < 1e9 ppb (100 %)";
        return Err(TermsError::Parameter {
            field: "maintenance",
            value: i128::from(maintenance.0),
            accepted,
        });
    }
    if !(maintenance.0..=Ppb::ONE.0).contains(&initial.0) {
        let accepted = "maintenance <= initial <= 1e9 ppb (100 %)";
        return Err(TermsError::Parameter { field: "initial", value: i128::from(initial.0), accepted });
    }
    Ok(())
}

pub(crate) fn within(
    field: &'static str,
    value: i128,
    range: core::ops::RangeInclusive<i128>,
    accepted: &'static str,
) -> Result<(), TermsError> {
    if range.contains(&value) { Ok(()) } else { Err(TermsError::Parameter { field, value, accepted }) }
}
