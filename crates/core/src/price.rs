//! Prices and what may be done with them. A bad price is a state, not a number.

use crate::{AssetId, MarketId, Millis, Ticks};

/// What a price is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Instrument {
    /// An asset in the numeraire, in steps of the asset's price exponent.
    Asset(AssetId),
    /// A market, in its mark ticks.
    Market(MarketId),
}

/// What a price is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum PriceRole {
    /// Spot value outside this venue.
    Index,
    /// What positions are marked at and liquidated by.
    Mark,
    /// A price that moves no faster than a stated rate.
    Slow,
    /// Redemption value of a fund share or a wrapped asset.
    NetAssetValue,
    /// What a forced seller would get.
    Sellable,
}

/// A source of quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
pub struct SourceId(pub u32);

/// What a source reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Quote {
    /// Who reported it.
    pub source: SourceId,
    /// The price in the instrument's ticks.
    pub price: Ticks,
    /// Half-width of the source's own confidence interval, in ticks; zero when the source gives none.
    pub confidence: Ticks,
    /// When the source says it was true.
    pub published: Millis,
}

/// How far a price can be trusted, from best to worst. The order is the severity: a policy that combines prices takes the
/// worst state among those it used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum PriceState {
    /// Fresh, narrow, confirmed.
    Good,
    /// Older than a trade should use, young enough for margin.
    Aged,
    /// From a fallback, or from fewer sources than wished.
    Thin,
    /// The confidence interval is wide.
    Wide,
    /// Moved faster, or stands farther from its reference, than the guard allows.
    Volatile,
    /// Too old for margin.
    Stale,
    /// Not a price: zero, negative, from the future or out of range.
    Invalid,
    /// There is none.
    #[default]
    Missing,
}

impl PriceState {
    /// All states, from best to worst.
    pub const ALL: [Self; 8] = [
        Self::Good,
        Self::Aged,
        Self::Thin,
        Self::Wide,
        Self::Volatile,
        Self::Stale,
        Self::Invalid,
        Self::Missing,
    ];
}

/// A resolved price: an interval, its middle, and how far it can be trusted. With state [`PriceState::Missing`] or
/// [`PriceState::Invalid`] the numbers mean nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PriceView {
    /// Lower end: support is valued here (rounded down).
    pub low: Ticks,
    /// The price itself.
    pub mid: Ticks,
    /// Upper end: demand is valued here (rounded up).
    pub high: Ticks,
    /// How far it can be trusted.
    pub state: PriceState,
    /// Publish time of the oldest quote it rests on.
    pub as_of: Millis,
}

impl PriceView {
    /// A good price without width.
    #[must_use]
    pub const fn exact(price: Ticks, as_of: Millis) -> Self {
        Self { low: price, mid: price, high: price, state: PriceState::Good, as_of }
    }

    /// Whether the numbers mean anything.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.state < PriceState::Invalid
            && self.low.get() > 0
            && self.low <= self.mid
            && self.mid <= self.high
    }

    /// The same price in a state at least as bad as `state`: a guard only worsens.
    #[must_use]
    pub fn worsened(mut self, state: PriceState) -> Self {
        self.state = self.state.max(state);
        self
    }
}
