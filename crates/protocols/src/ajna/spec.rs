//! How a file says it.

use super::{KickedAuction, KickedTerms};
use cofferdam_liquidation_strategy::LiquidationStrategy;
use cofferdam_stack::{ConfigError, Context, LiquidationSpec, Ratio, module};

module! {
    "ajna/kicked-auction@1" Liquidation breaks [
        12 "who borrows or takes deposits out lowers the price at which all loans are judged",
        19 "all of a kicked loan's collateral goes into the auction; what is left over comes back"
    ];
    /// A keeper kicks a loan and stakes a bond; its collateral is sold at a price that halves.
    struct KickedAuctionSpec {
        /// The pool that lent.
        pool: String ["name of a lending pool"],
        /// The one collateral.
        collateral: String ["name of an asset"],
        /// The pool's rate of interest a year; the neutral price and the bond follow from it.
        rate: Ratio ["ratio"],
    }
}

#[typetag::serde(name = "ajna/kicked-auction@1")]
impl LiquidationSpec for KickedAuctionSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn LiquidationStrategy>, ConfigError> {
        let pool = ctx.pool("pool", &self.pool)?;
        let money = ctx.lent_asset("pool", pool)?;
        let collateral = ctx.asset("collateral", &self.collateral)?;
        if collateral == money {
            return Err(ctx.refuse("collateral", &self.collateral, "another asset than the one lent"));
        }
        for (field, id) in [("pool", money), ("collateral", collateral)] {
            let decimals = ctx.asset_terms(field, id)?.scale.decimals;
            if decimals > 18 {
                return Err(ctx.refuse(field, format!("{decimals} decimals"), "at most 18 decimals"));
            }
        }
        let rate = u128::try_from(self.rate.0.0)
            .map_err(|_| ctx.refuse("rate", self.rate.0, "0.1 % to 50,000 % a year"))?
            .saturating_mul(1_000_000_000);
        Ok(Box::new(ctx.check(self, KickedAuction::new(KickedTerms { pool, money, collateral, rate }))?))
    }
}
