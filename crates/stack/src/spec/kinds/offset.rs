//! Liquidation against a pool of depositors, then over the other borrowers.

use super::{LiquidationSpec, module};
use crate::{ConfigError, Context, Number, Ratio};
use cofferdam_core::{Amount, Ppb};
use cofferdam_liquidation_strategy::{
    Critical, KeeperPart, LiquidationStrategy, OffsetTerms, OffsetThenRedistribute, Shutdown,
};
use serde::{Deserialize, Serialize};

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum KeeperPartSpec {
    All,
    Offset,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CriticalSpec {
    below: Ratio,
    seized_max: Ratio,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShutdownSpec {
    below: Ratio,
    bonus: Ratio,
}

module! {
    "cofferdam/offset-then-redistribute@1" Liquidation breaks [
        12 "a borrower's health moves when another one's debt is redistributed",
        17 "while all together are short, who is below average is liquidated; once lending has ended, anybody's debt is repaid",
        18 "others' debt can take a borrower below maintenance, and the last one is never liquidated",
        19 "an account is liquidated whole, however little it lacked",
        26 "a redistributed loss is borne by other borrowers, who gained nothing"
    ];
    /// A pool of depositors pays an account's debt off for its collateral; the other borrowers take over the rest.
    struct OffsetSpec {
        /// The pool that lends.
        lender: String ["name of a lending pool"],
        /// The pool that pays debts off.
        pool: String ["name of an offset pool"],
        /// What borrowers pledge.
        collateral: String ["name of an asset"],
        /// What always stays in that pool.
        keeps: Option<Number> ["amount of what it pays with", "0"],
        /// The keeper's share of collateral; the house's, where the engine liquidates.
        keeper_share: Ratio ["ratio"],
        /// At most so much.
        keeper_max: Option<Number> ["amount of the collateral", "any"],
        /// Its share of "all" that is liquidated, or of what goes to the pool, "offset".
        keeper_of: KeeperPartSpec ["choice"],
        /// The pool gets collateral worth at most so much more than the debt it pays.
        offset_max: Option<Ratio> ["ratio", "all there is"],
        /// Others get collateral worth at most so much more than the debt they take.
        redistribution_max: Option<Ratio> ["ratio", "all there is"],
        /// A table with `below`, all collateral per all debt, and `seized_max`: then who is below average is liquidated by the pool.
        critical: Option<CriticalSpec> ["table", "never"],
        /// A table with `below` and `bonus`: then anybody's debt may be repaid for collateral worth so much more.
        shutdown: Option<ShutdownSpec> ["table", "never"],
    }
}

#[typetag::serde(name = "cofferdam/offset-then-redistribute@1")]
impl LiquidationSpec for OffsetSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn LiquidationStrategy>, ConfigError> {
        let lender = ctx.pool("lender", &self.lender)?;
        let debt = ctx.lent_asset("lender", lender)?;
        let collateral = ctx.asset("collateral", &self.collateral)?;
        let amount = |field: &str, asset, x: &Option<Number>| -> Result<Option<Amount>, ConfigError> {
            x.as_ref().map(|x| ctx.amount(field, asset, x)).transpose()
        };
        let ratio = |x: Option<Ratio>| -> Option<Ppb> { x.map(|r| r.0) };
        let terms = OffsetTerms {
            lender,
            debt,
            collateral,
            pool: ctx.pool("pool", &self.pool)?,
            keeps: amount("keeps", debt, &self.keeps)?.unwrap_or(Amount::ZERO),
            keeper_share: self.keeper_share.0,
            keeper_max: amount("keeper_max", collateral, &self.keeper_max)?,
            keeper_of: match self.keeper_of {
                KeeperPartSpec::All => KeeperPart::All,
                KeeperPartSpec::Offset => KeeperPart::Offset,
            },
            offset_max: ratio(self.offset_max),
            redistribution_max: ratio(self.redistribution_max),
            critical: self.critical.map(|c| Critical { below: c.below.0, seized_max: c.seized_max.0 }),
            shutdown: self.shutdown.map(|s| Shutdown { below: s.below.0, bonus: s.bonus.0 }),
        };
        Ok(Box::new(ctx.check(self, OffsetThenRedistribute::new(terms))?))
    }
}
