//! The parameters of a cross-margin model, validated once.

use crate::requirement::within;
use crate::valuation::share_up;
use crate::{Requirement, TermsError};
use alloc::boxed::Box;
use cofferdam_core::{AssetId, Level, MarketId, MathError, Ppb};

const ONE: i128 = 1_000_000_000;

/// How the other levels derive from maintenance and initial. All shares in ppb.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// Backstop = this share of maintenance (Hyperliquid: two thirds); `None`: no such level.
    pub backstop: Option<Ppb>,
    /// Liquidation end = maintenance + this share of notional and of liabilities (Drift: 2 %), at most initial; `None`: no
    /// such level.
    pub liquidation_buffer: Option<Ppb>,
    /// Fill = maintenance + this share of what initial asks more (Drift: one half); `None`: no such level.
    pub fill: Option<Ppb>,
    /// Withdraw = initial, but at least this share of notional (Hyperliquid: 10 %).
    pub withdraw_floor: Ppb,
}

impl Levels {
    pub(crate) fn check(&self) -> Result<(), TermsError> {
        let shares = [
            ("backstop", self.backstop.unwrap_or_default()),
            ("liquidation_buffer", self.liquidation_buffer.unwrap_or_default()),
            ("fill", self.fill.unwrap_or_default()),
            ("withdraw_floor", self.withdraw_floor),
        ];
        shares.into_iter().try_for_each(|(f, x)| within(f, i128::from(x.0), 0..=ONE, "0 <= share <= 1e9 ppb"))
    }

    pub(crate) fn has(&self, level: Level) -> bool {
        match level {
            Level::Backstop => self.backstop.is_some(),
            Level::LiquidationEnd => self.liquidation_buffer.is_some(),
            Level::Fill => self.fill.is_some(),
            _ => true,
        }
    }

    /// What a level asks of a position, from its two basic requirements and its notional; each share rounded up.
    pub(crate) fn required(&self, level: Level, basic: Basic) -> Result<i128, MathError> {
        let maintenance = basic.maintenance;
        let initial = basic.initial.max(maintenance);
        let add = |x: i128, y: i128| x.checked_add(y).ok_or(MathError::Overflow);
        let up = |share: Option<Ppb>, x: i128| match share {
            None | Some(Ppb::ZERO) => Ok(0),
            Some(share) => share_up(share, x),
        };
        match level {
            Level::Backstop => up(self.backstop, maintenance),
            Level::Maintenance => Ok(maintenance),
            Level::LiquidationEnd => {
                Ok(add(maintenance, up(self.liquidation_buffer, basic.notional)?)?.min(initial))
            }
            Level::Fill => {
                let end = self.required(Level::LiquidationEnd, basic)?;
                let more = up(self.fill, initial.checked_sub(maintenance).ok_or(MathError::Overflow)?)?;
                Ok(add(maintenance, more)?.max(end))
            }
            Level::Initial => Ok(initial),
            Level::Withdraw => Ok(up(Some(self.withdraw_floor), basic.notional)?.max(initial)),
        }
    }
}

/// The two basic requirements of a position and its notional, in quanta of the settlement asset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Basic {
    pub(crate) maintenance: i128,
    pub(crate) initial: i128,
    pub(crate) notional: i128,
}

/// What an asset counts for. All weights in ppb.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AssetTerms {
    /// Which.
    pub asset: AssetId,
    /// Share of a balance's value that counts for opening and withdrawing; at most the maintenance weight.
    pub collateral_initial: Ppb,
    /// Share of a balance's value that counts for staying open; at most 100 %.
    pub collateral_maintenance: Ppb,
    /// What a unit of debt counts as for opening and withdrawing; at least the maintenance weight.
    pub liability_initial: Ppb,
    /// What a unit of debt counts as for staying open; at least 100 %.
    pub liability_maintenance: Ppb,
}

impl AssetTerms {
    /// Counts in full both ways: the numeraire.
    #[must_use]
    pub const fn full(asset: AssetId) -> Self {
        Self {
            asset,
            collateral_initial: Ppb::ONE,
            collateral_maintenance: Ppb::ONE,
            liability_initial: Ppb::ONE,
            liability_maintenance: Ppb::ONE,
        }
    }

    pub(crate) fn check(&self) -> Result<(), TermsError> {
        let of = |p: Ppb| i128::from(p.0);
        within("collateral_maintenance", of(self.collateral_maintenance), 0..=ONE, "0 <= weight <= 1e9 ppb")?;
        let most = of(self.collateral_maintenance);
        within(
            "collateral_initial",
            of(self.collateral_initial),
            0..=most,
            "0 <= weight <= collateral_maintenance",
        )?;
        let most = of(Ppb(i64::MAX));
        within("liability_maintenance", of(self.liability_maintenance), ONE..=most, "1e9 ppb <= weight")?;
        let least = of(self.liability_maintenance);
        within(
            "liability_initial",
            of(self.liability_initial),
            least..=most,
            "liability_maintenance <= weight",
        )
    }
}

/// What a market asks and grants.
#[derive(Debug)]
pub struct MarketTerms {
    /// Which.
    pub market: MarketId,
    /// What its positions must be backed with.
    pub requirement: Box<dyn Requirement>,
    /// Share of an unrealised gain that counts for opening and withdrawing; at most the maintenance share.
    pub gain_initial: Ppb,
    /// Share of an unrealised gain that counts for staying open; at most 100 %. Below 100 % a gain that is realised into
    /// cash of full weight raises health.
    pub gain_maintenance: Ppb,
}

impl MarketTerms {
    /// Gains count in full.
    #[must_use]
    pub fn new(market: MarketId, requirement: Box<dyn Requirement>) -> Self {
        Self { market, requirement, gain_initial: Ppb::ONE, gain_maintenance: Ppb::ONE }
    }

    pub(crate) fn check(&self) -> Result<(), TermsError> {
        let of = |p: Ppb| i128::from(p.0);
        within("gain_maintenance", of(self.gain_maintenance), 0..=ONE, "0 <= share <= 1e9 ppb")?;
        let most = of(self.gain_maintenance);
        within("gain_initial", of(self.gain_initial), 0..=most, "0 <= share <= gain_maintenance")
    }
}

/// A weight per level, from its maintenance and initial values; at the fill level the middle of both.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Weights([Ppb; 6]);

impl Weights {
    /// Weights of support: the middle is rounded down.
    pub(crate) fn support(maintenance: Ppb, initial: Ppb) -> Self {
        let middle = Ppb(maintenance.0.midpoint(initial.0)); // rounds to zero, both are not negative
        Self([maintenance, maintenance, maintenance, middle, initial, initial])
    }

    /// Weights of liabilities: the buffer of the liquidation end on top of maintenance, at most initial; the middle is
    /// rounded up.
    pub(crate) fn liability(maintenance: Ppb, initial: Ppb, levels: &Levels) -> Self {
        let buffer = levels.liquidation_buffer.unwrap_or_default().0;
        let end = Ppb(maintenance.0.saturating_add(buffer)).min(initial);
        let middle = Ppb(maintenance.0.midpoint(initial.0).saturating_add(1)).min(initial).max(end);
        Self([maintenance, maintenance, end, middle, initial, initial])
    }

    pub(crate) fn at(&self, level: Level) -> Ppb {
        self.0.get(level as usize).copied().unwrap_or_default()
    }
}
