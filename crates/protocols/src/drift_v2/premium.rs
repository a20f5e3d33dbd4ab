//! What a position must be backed with: a ratio in 1e-4 that grows with the square root of the size, as the venue rounds it.

use super::formulas::size_premium;
use cofferdam_core::{Lots, MarketView, MathError, Ppb, Quanta, Rounding};
use cofferdam_margin_engine::{MarginError, Pieces, Reads, Requirement, Stage, TermsError};
use cofferdam_stack::{ConfigError, Context, Ratio, RequirementSpec, Subject, module};

/// The least maintenance ratio that the venue lists a market with: 125 basis points (80 times).
const RATIO_MIN: i64 = 12_500_000;
const ONE: i64 = 1_000_000_000;
const BASIS: i64 = 100_000;

/// ratio = max(base, base - base / 5 + factor x sqrt(size)), in whole basis points, rounded down as the venue does; 100 % at most.
/// The requirement itself is rounded up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SizePremium {
    maintenance: u128,
    initial: u128,
    factor: u128,
    lot: u128,
}

fn basis_points(field: &'static str, x: Ppb, least: i64) -> Result<u128, TermsError> {
    let accepted = "whole basis points from 125 (80 times) to 10000; initial at least maintenance";
    let whole = x.0.checked_rem(BASIS) == Some(0) && (least..=ONE).contains(&x.0);
    let points = x.0.checked_div(BASIS).and_then(|p| u128::try_from(p).ok()).filter(|_| whole);
    points.ok_or(TermsError::Parameter { field, value: x.0.into(), accepted })
}

impl SizePremium {
    /// Ratios in whole basis points; `factor` in whole millionths, below one; `lot` is one lot in 1e-9 of the base asset.
    pub fn new(maintenance: Ppb, initial: Ppb, factor: Ppb, lot: u64) -> Result<Self, TermsError> {
        let (low, high) = (
            basis_points("maintenance", maintenance, RATIO_MIN)?,
            basis_points("initial", initial, maintenance.0)?,
        );
        let millionths =
            u128::try_from(factor.0).ok().filter(|f| f.is_multiple_of(1_000) && factor < Ppb::ONE);
        let Some(millionths) = millionths else {
            let accepted = "whole millionths below 1";
            return Err(TermsError::Parameter { field: "factor", value: factor.0.into(), accepted });
        };
        if lot == 0 {
            return Err(TermsError::Parameter {
                field: "lot",
                value: 0,
                accepted: "at least 1e-9 of the base asset",
            });
        }
        Ok(Self { maintenance: low, initial: high, factor: millionths / 1_000, lot: lot.into() })
    }

    /// The ratio of so many lots, in basis points; below 10000 at maintenance.
    pub fn ratio(&self, stage: Stage, lots: Lots) -> Result<u128, MathError> {
        let (base, cap) = match stage {
            Stage::Maintenance => (self.maintenance, 9_999),
            Stage::Initial => (self.initial, 10_000),
        };
        let size = u128::from(lots.get().unsigned_abs()).checked_mul(self.lot).ok_or(MathError::Overflow)?;
        Ok(size_premium(size, self.factor, base)?.min(cap))
    }
}

impl Requirement for SizePremium {
    fn required(
        &self,
        stage: Stage,
        _: &MarketView,
        lots: Lots,
        notional: Quanta,
    ) -> Result<Quanta, MarginError> {
        let points = i64::try_from(self.ratio(stage, lots)?).map_err(|_| MathError::Overflow)?;
        let ratio = Ppb(points.checked_mul(BASIS).ok_or(MathError::Overflow)?);
        Ok(ratio.of(notional, Rounding::Up)?)
    }

    fn pieces(&self, _: Stage, _: &MarketView) -> Result<Option<Pieces>, MarginError> {
        Ok(None)
    }

    fn reads(&self, _: Stage) -> Reads {
        Reads::default()
    }
}

module! {
    "drift/size-premium@1" Requirement breaks [6 "splitting a position over accounts lowers what is required in all"];
    /// Drift v2: a ratio in basis points that grows with the square root of the position.
    struct SizePremiumSpec {
        /// What keeps a small position open.
        maintenance: Ratio ["ratio in basis points"],
        /// What opens a small one.
        initial: Ratio ["ratio in basis points"],
        /// The venue's `imf_factor`: what the root of one unit of base adds to the ratio.
        factor: Option<Ratio> ["ratio in millionths", "0"],
    }
}

#[typetag::serde(name = "drift/size-premium@1")]
impl RequirementSpec for SizePremiumSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn Requirement>, ConfigError> {
        let Subject::Market(market) = ctx.subject() else {
            return Err(ctx.refuse("", "a requirement of no market", "a requirement within margin.markets"));
        };
        let exponent = ctx.market_terms("", market)?.lot_exponent;
        let lot = u32::try_from(exponent.saturating_add(9)).ok().and_then(|e| 10_u64.checked_pow(e));
        let lot =
            lot.ok_or_else(|| ctx.refuse("", format!("a lot of 1e{exponent}"), "a lot of 1e-9 or more"))?;
        let factor = self.factor.map_or(Ppb::ZERO, |r| r.0);
        let built = SizePremium::new(self.maintenance.0, self.initial.0, factor, lot);
        Ok(Box::new(ctx.check(self, built)?))
    }
}
