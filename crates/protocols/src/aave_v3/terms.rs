//! What Aave's configurator accepts (aave-dao/aave-v3-origin, protocol/pool/PoolConfigurator.sol: configureReserveAsCollateral,
//! setEModeCategory, setLiquidationProtocolFee).

use super::percent::{WHOLE_BPS, mul_half_up};
use cofferdam_core::{AssetId, GroupId, PoolId, Quanta};
use cofferdam_liquidation_strategy::LiquidationError;

/// A collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserve {
    /// Which.
    pub asset: AssetId,
    /// Share of its value that keeps a debt healthy, in basis points.
    pub threshold_bps: u32,
    /// What a keeper gets for the value it repays, in basis points: 10,500 is 5 % more.
    pub bonus_bps: u32,
    /// The protocol's share of the bonus, in basis points.
    pub fee_bps: u32,
}

/// An efficiency mode: other threshold and bonus for assets that move together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// Who chose it.
    pub groups: Vec<GroupId>,
    /// Collateral to which it applies. For other assets their own terms go on.
    pub assets: Vec<AssetId>,
    /// As of a reserve.
    pub threshold_bps: u32,
    /// As of a reserve.
    pub bonus_bps: u32,
}

/// Everything a liquidation call needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiquidationCallTerms {
    /// The pool that lends each asset.
    pub pools: Vec<(AssetId, PoolId)>,
    /// What is collateral.
    pub reserves: Vec<Reserve>,
    /// The efficiency modes.
    pub categories: Vec<Category>,
    /// All of a debt may be repaid where debt or collateral of the pair is below (MIN_BASE_MAX_CLOSE_FACTOR_THRESHOLD), in quanta
    /// of the base currency; half of it is what a partial call leaves of both (MIN_LEFTOVER_BASE).
    pub close_all_below: Quanta,
}

fn accept(ok: bool, field: &'static str, value: u32, accepted: &'static str) -> Result<(), LiquidationError> {
    if ok { Ok(()) } else { Err(LiquidationError::Parameter { field, value: value.into(), accepted }) }
}

fn check_pair(threshold: u32, bonus: u32) -> Result<(), LiquidationError> {
    accept(
        (1..=WHOLE_BPS).contains(&threshold),
        "threshold",
        threshold,
        "1 to 10000 basis points (Aave: a collateral has a liquidation threshold)",
    )?;
    accept(
        bonus > WHOLE_BPS && bonus <= 65_535,
        "bonus",
        bonus,
        "more than 10000 basis points in 16 bits (Aave: liquidationBonus above 100 %)",
    )?;
    accept(
        mul_half_up(threshold.into(), bonus)? <= WHOLE_BPS.into(),
        "bonus",
        bonus,
        "a bonus with which threshold x bonus is at most 100 % (Aave: a loan at its threshold can pay the bonus)",
    )
}

impl LiquidationCallTerms {
    /// Refuses what the venue's configurator refuses, naming its rule.
    ///
    /// # Errors
    ///
    /// The parameter, its value and what would be accepted.
    pub fn check(&self) -> Result<(), LiquidationError> {
        for (i, r) in self.reserves.iter().enumerate() {
            check_pair(r.threshold_bps, r.bonus_bps)?;
            accept(r.fee_bps <= WHOLE_BPS, "fee", r.fee_bps, "0 to 10000 basis points of the bonus")?;
            let twice = self.reserves.iter().take(i).any(|other| other.asset == r.asset);
            accept(!twice, "asset", r.asset.0, "each asset once")?;
        }
        for (i, c) in self.categories.iter().enumerate() {
            check_pair(c.threshold_bps, c.bonus_bps)?;
            for g in &c.groups {
                let twice = self.categories.iter().take(i).any(|other| other.groups.contains(g));
                accept(!twice, "groups", g.0, "each group in one category (Aave: a user is in one eMode)")?;
            }
            for a in &c.assets {
                let known = self.reserves.iter().any(|r| r.asset == *a);
                accept(known, "assets", a.0, "assets that are reserves")?;
            }
        }
        let small = self.close_all_below;
        if small.is_negative() {
            let (field, value) = ("close_all_below", small.get());
            return Err(LiquidationError::Parameter { field, value, accepted: "0 or more" });
        }
        Ok(())
    }

    /// The terms of an asset for a group, those of its category where that names the asset.
    #[must_use]
    pub fn reserve(&self, group: GroupId, asset: AssetId) -> Option<Reserve> {
        let mut reserve = *self.reserves.iter().find(|r| r.asset == asset)?;
        let category =
            self.categories.iter().find(|c| c.groups.contains(&group) && c.assets.contains(&asset));
        if let Some(c) = category {
            (reserve.threshold_bps, reserve.bonus_bps) = (c.threshold_bps, c.bonus_bps);
        }
        Some(reserve)
    }

    /// Half of the small amount, rounded down.
    pub(super) fn leftover(&self) -> Result<Quanta, LiquidationError> {
        Ok(Quanta::new(super::percent::mul_floor(self.close_all_below.get(), 5_000)?))
    }
}
