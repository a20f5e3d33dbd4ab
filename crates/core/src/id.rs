//! Names of things, as small integers that the stack's configuration or the ledger hands out.

macro_rules! id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => { $(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(transparent))]
        pub struct $name(pub u32);

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                core::fmt::Display::fmt(&self.0, f)
            }
        }
    )* };
}

id! {
    /// An asset: collateral, a debt's currency or a market's settlement currency.
    AssetId,
    /// A market in which positions are held in lots.
    MarketId,
    /// A margin group: a cross account, an isolated position or a sub-account. Everything inside it nets.
    GroupId,
    /// A pool that belongs to the owners of its shares (AMM, lending side, vault).
    PoolId,
    /// An insurance layer.
    LayerId,
    /// An auction that holds collateral and the debt it has to cover.
    AuctionId,
    /// An order that the stack sent out.
    OrderId,
    /// A draw on an insurance layer; paying the same draw twice is impossible.
    DrawId,
    /// A deleveraging event.
    EventId,
}
