//! Views that the tests of this crate share.

use crate::LendingView;
use cofferdam_core::{
    Amount, AssetId, At, FundingIndex, Index, Lots, MarketId, MarketScale, MarketView, Millis, Ppb,
    PriceView, Scaled, Ticks,
};

pub(crate) fn at(time: u64) -> At {
    At { seq: 0, time: Millis(time), block: 0 }
}

/// A market at 100,000 ticks, 10 quanta per lot and tick.
pub(crate) fn market() -> MarketView {
    let price = PriceView::exact(Ticks::new(100_000), Millis::ZERO);
    MarketView {
        id: MarketId(1),
        scale: MarketScale::from_factor(10).unwrap(),
        settlement: AssetId(0),
        mark: price,
        previous_mark: price.mid,
        index: price,
        open_interest: Lots::ZERO,
        funding: FundingIndex::ZERO,
        volatility: Ppb::ZERO,
    }
}

pub(crate) fn lending(cash: i128, debt: u128) -> LendingView {
    LendingView { asset: AssetId(2), cash: Amount::new(cash), debt: Scaled::new(debt), index: Index::START }
}
