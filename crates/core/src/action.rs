//! Actions, what breakers say of them, and what breakers are told.

use crate::{Amount, AssetId, GroupId, LayerId, Lots, MarketId, Millis, PriceState, Quanta, Ticks};

/// Something about to be done, in the units in which a breaker limits it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Action {
    /// Open or increase a position.
    Open {
        /// Who.
        group: GroupId,
        /// Where.
        market: MarketId,
        /// Lots added, signed.
        lots: Lots,
        /// Their absolute notional.
        notional: Quanta,
    },
    /// Reduce a position by the holder's own will. A way out.
    Reduce {
        /// Who.
        group: GroupId,
        /// Where.
        market: MarketId,
        /// Lots traded, signed against the position.
        lots: Lots,
        /// Their absolute notional.
        notional: Quanta,
    },
    /// Close by force. A way out.
    Liquidate {
        /// Whose position.
        group: GroupId,
        /// Where.
        market: MarketId,
        /// Lots traded, signed against the position.
        lots: Lots,
        /// Their absolute notional.
        notional: Quanta,
    },
    /// Seize collateral against a debt by force. A way out.
    Seize {
        /// Whose.
        group: GroupId,
        /// The asset seized.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// What it is worth.
        value: Quanta,
    },
    /// Add collateral. A way out.
    Deposit {
        /// Who.
        group: GroupId,
        /// What.
        asset: AssetId,
        /// How much.
        amount: Amount,
    },
    /// Take collateral out.
    Withdraw {
        /// Who.
        group: GroupId,
        /// What.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// What it is worth.
        value: Quanta,
    },
    /// Borrow from a pool.
    Borrow {
        /// Who.
        group: GroupId,
        /// What.
        asset: AssetId,
        /// How much.
        amount: Amount,
        /// What it is worth.
        value: Quanta,
    },
    /// Repay a debt. A way out.
    Repay {
        /// Who.
        group: GroupId,
        /// What.
        asset: AssetId,
        /// How much.
        amount: Amount,
    },
}

/// An action without its numbers, for tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ActionKind {
    /// Open or increase a position.
    Open,
    /// Reduce a position.
    Reduce,
    /// Close by force.
    Liquidate,
    /// Seize collateral against a debt.
    Seize,
    /// Add collateral.
    Deposit,
    /// Take collateral out.
    Withdraw,
    /// Borrow from a pool.
    Borrow,
    /// Repay a debt.
    Repay,
}

impl ActionKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Open,
        Self::Reduce,
        Self::Liquidate,
        Self::Seize,
        Self::Deposit,
        Self::Withdraw,
        Self::Borrow,
        Self::Repay,
    ];

    /// Whether this is a way out, which no breaker may close (INV-35): repay, add collateral, reduce, be liquidated.
    #[must_use]
    pub const fn is_way_out(self) -> bool {
        matches!(self, Self::Reduce | Self::Liquidate | Self::Seize | Self::Deposit | Self::Repay)
    }
}

impl Action {
    /// The action without its numbers.
    #[must_use]
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Open { .. } => ActionKind::Open,
            Self::Reduce { .. } => ActionKind::Reduce,
            Self::Liquidate { .. } => ActionKind::Liquidate,
            Self::Seize { .. } => ActionKind::Seize,
            Self::Deposit { .. } => ActionKind::Deposit,
            Self::Withdraw { .. } => ActionKind::Withdraw,
            Self::Borrow { .. } => ActionKind::Borrow,
            Self::Repay { .. } => ActionKind::Repay,
        }
    }

    /// How much is asked for, in the unit that a verdict's limit is in: lots (magnitude) or atoms.
    #[must_use]
    pub const fn size(&self) -> u128 {
        match self {
            Self::Open { lots, .. } | Self::Reduce { lots, .. } | Self::Liquidate { lots, .. } => {
                lots.get().unsigned_abs() as u128
            }
            Self::Seize { amount, .. }
            | Self::Deposit { amount, .. }
            | Self::Withdraw { amount, .. }
            | Self::Borrow { amount, .. }
            | Self::Repay { amount, .. } => amount.get().unsigned_abs(),
        }
    }
}

/// How much of an action may happen, and from when. Verdicts of several breakers join to the strictest: the smallest limit
/// and the latest time. The join is commutative, associative and idempotent, with [`Verdict::ALLOW`] as its unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Verdict {
    /// At most this much, in the action's unit (lots or atoms).
    pub limit: u128,
    /// Not before this time.
    pub not_before: Millis,
}

impl Verdict {
    /// All of it, at once.
    pub const ALLOW: Self = Self { limit: u128::MAX, not_before: Millis::ZERO };

    /// Nothing until `time`.
    #[must_use]
    pub const fn until(time: Millis) -> Self {
        Self { limit: u128::MAX, not_before: time }
    }

    /// At most `limit`, at once.
    #[must_use]
    pub const fn at_most(limit: u128) -> Self {
        Self { limit, not_before: Millis::ZERO }
    }

    /// The strictest of both.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self { limit: self.limit.min(other.limit), not_before: self.not_before.max(other.not_before) }
    }

    /// How much is allowed at `now`: nothing before its time.
    #[must_use]
    pub fn allowed(&self, now: Millis) -> u128 {
        if now < self.not_before { 0 } else { self.limit }
    }
}

/// What breakers are told after it happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Observation {
    /// A market was marked.
    Mark {
        /// Which.
        market: MarketId,
        /// At what.
        price: Ticks,
        /// In which state.
        state: PriceState,
    },
    /// Open interest (long lots) after a change.
    OpenInterest {
        /// Which market.
        market: MarketId,
        /// Long lots held.
        lots: Lots,
    },
    /// An action was done.
    Done(Action),
    /// A layer paid a draw.
    Drawn {
        /// Which layer.
        layer: LayerId,
        /// How much.
        value: Quanta,
        /// What all layers together can still pay.
        capacity_left: Quanta,
    },
    /// A position past bankruptcy that nobody could be found to close against.
    Stranded {
        /// Whose.
        group: GroupId,
        /// Where.
        market: MarketId,
        /// Lots that should be traded.
        lots: Lots,
    },
    /// The open deficit after a change; zero when all of it has been paid.
    Deficit {
        /// How much nobody has paid.
        value: Quanta,
    },
}
