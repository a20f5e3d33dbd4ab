//! Terms of insurance layers.

use super::{LayerSpec, module};
use crate::{ConfigError, Context, Number, Ratio};
use cofferdam_core::{GroupId, LayerId};
use cofferdam_insurance_layer::{
    AggregateStopLoss, Entry, ExcessOfLoss, MarketFund, Mutual, QuotaBasis, QuotaShare,
};
use serde::{Deserialize, Serialize};

module! {
    "cofferdam/fund@1" Layer breaks [];
    /// Pays all of what is left.
    struct FundSpec {}
}

#[typetag::serde(name = "cofferdam/fund@1")]
impl LayerSpec for FundSpec {
    fn build(&self, _: &Context<'_>, layer: LayerId) -> Result<Entry, ConfigError> {
        Ok(Entry::fund(layer))
    }
}

module! {
    "cofferdam/market-fund@1" Layer breaks [];
    /// Pays all of what is left of losses in one market, and nothing of others.
    struct MarketFundSpec {
        /// Whose losses.
        market: String ["name of a market"],
    }
}

#[typetag::serde(name = "cofferdam/market-fund@1")]
impl LayerSpec for MarketFundSpec {
    fn build(&self, ctx: &Context<'_>, layer: LayerId) -> Result<Entry, ConfigError> {
        let market = ctx.market("market", &self.market)?;
        Ok(Entry::custom(layer, Box::new(MarketFund { market })))
    }
}

/// Of what a share is taken.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum BasisName {
    Left,
    Loss,
}

module! {
    "cofferdam/quota-share@1" Layer breaks [];
    /// Pays a fixed share of what is left, or of the whole loss.
    struct QuotaShareSpec {
        /// The share, above zero.
        share: Ratio ["ratio"],
        /// "left" or "loss".
        basis: Option<BasisName> ["choice", "left"],
    }
}

#[typetag::serde(name = "cofferdam/quota-share@1")]
impl LayerSpec for QuotaShareSpec {
    fn build(&self, ctx: &Context<'_>, layer: LayerId) -> Result<Entry, ConfigError> {
        let basis = match self.basis {
            Some(BasisName::Loss) => QuotaBasis::Loss,
            Some(BasisName::Left) | None => QuotaBasis::Left,
        };
        Ok(Entry::quota_share(layer, ctx.check(self, QuotaShare::new(self.share.0, basis))?))
    }
}

module! {
    "cofferdam/excess-of-loss@1" Layer breaks [];
    /// Pays a band of the losses of one event.
    struct ExcessOfLossSpec {
        /// Losses up to here are not its business.
        attachment: Number ["amount of the numeraire"],
        /// The most it pays per event.
        limit: Number ["amount of the numeraire"],
        /// How often the limit is restored.
        reinstatements: Option<u32> ["count", "always"],
    }
}

#[typetag::serde(name = "cofferdam/excess-of-loss@1")]
impl LayerSpec for ExcessOfLossSpec {
    fn build(&self, ctx: &Context<'_>, layer: LayerId) -> Result<Entry, ConfigError> {
        let attachment = ctx.quanta("attachment", &self.attachment)?;
        let limit = ctx.quanta("limit", &self.limit)?;
        let terms = ctx.check(self, ExcessOfLoss::new(attachment, limit))?;
        Ok(Entry::excess_of_loss(layer, self.reinstatements.map_or(terms, |times| terms.reinstated(times))))
    }
}

module! {
    "cofferdam/aggregate-stop-loss@1" Layer breaks [];
    /// Pays a band of all losses taken together.
    struct StopLossSpec {
        /// Losses up to here are not its business.
        attachment: Number ["amount of the numeraire"],
        /// The most it pays in its life.
        limit: Number ["amount of the numeraire"],
    }
}

#[typetag::serde(name = "cofferdam/aggregate-stop-loss@1")]
impl LayerSpec for StopLossSpec {
    fn build(&self, ctx: &Context<'_>, layer: LayerId) -> Result<Entry, ConfigError> {
        let attachment = ctx.quanta("attachment", &self.attachment)?;
        let limit = ctx.quanta("limit", &self.limit)?;
        Ok(Entry::stop_loss(layer, ctx.check(self, AggregateStopLoss::new(attachment, limit))?))
    }
}

module! {
    "cofferdam/mutual@1" Layer breaks [
        24 "a member's contribution meets its own loss first, and members of one level share by what the others can pay"
    ];
    /// A member's part of a mutual fund: for its own loss first, for others' in proportion to what each can pay.
    struct MutualSpec {
        /// Whose money it is.
        member: u32 ["number of a group"],
        /// Whether it meets the member's own loss; a call on survivors does not.
        own_first: Option<bool> ["boolean", "true"],
    }
}

#[typetag::serde(name = "cofferdam/mutual@1")]
impl LayerSpec for MutualSpec {
    fn build(&self, _: &Context<'_>, layer: LayerId) -> Result<Entry, ConfigError> {
        let (member, own_first) = (GroupId(self.member), self.own_first.unwrap_or(true));
        Ok(Entry::mutual(layer, Mutual { member, own_first }))
    }
}
