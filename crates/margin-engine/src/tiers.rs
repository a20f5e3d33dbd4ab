//! Requirements that grow with size: brackets of notional, each with its own rate, made continuous by deductions.
//!
//! Source: Binance maintenance amounts and Hyperliquid margin tiers: required(N) = N x rate(n) - deduction(n) with
//! deduction(0) = 0 and deduction(n) = deduction(n-1) + lower(n) x (rate(n) - rate(n-1)). As the rates rise this is the
//! largest of all its pieces, so no search for the bracket is needed and there is no cliff (INV-14).

use crate::valuation::billionths_up;
use crate::{MarginError, Piece, Pieces, Reads, Requirement, Stage, TermsError};
use alloc::vec::Vec;
use cofferdam_core::{Lots, MarketView, MathError, Ppb, Quanta};

/// One bracket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Where it begins, in quanta of notional; the first begins at zero.
    pub lower: Quanta,
    /// Maintenance rate within it.
    pub maintenance: Ppb,
    /// Initial rate within it.
    pub initial: Ppb,
}

/// Continuous tiers.
///
/// ```
/// use cofferdam_core::{Ppb, Quanta};
/// use cofferdam_margin_engine::{Tier, Tiered};
/// let tier = |lower, maintenance, initial| Tier {
///     lower: Quanta::new(lower), maintenance: Ppb(maintenance), initial: Ppb(initial),
/// };
/// assert!(Tiered::new(vec![tier(0, 4_000_000, 8_000_000), tier(50_000, 5_000_000, 10_000_000)]).is_ok());
/// let error = Tiered::new(vec![tier(0, 5_000_000, 8_000_000), tier(50_000, 4_000_000, 8_000_000)]).unwrap_err();
/// assert!(error.to_string().starts_with("tier 1: maintenance is 4000000"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tiered {
    maintenance: Vec<Piece>,
    initial: Vec<Piece>,
}

impl Tiered {
    /// From rows in ascending order: lower bounds rise from zero, maintenance rates rise, initial rates do not fall,
    /// maintenance < 100 % and maintenance <= initial <= 100 % in each row. An error names the row.
    pub fn new(tiers: Vec<Tier>) -> Result<Self, TermsError> {
        if tiers.is_empty() {
            let (value, accepted) = (0, "at least one tier");
            return Err(TermsError::Parameter { field: "tiers", value, accepted });
        }
        let mut previous: Option<Tier> = None;
        for (index, tier) in tiers.iter().enumerate() {
            check(index, previous, *tier)?;
            previous = Some(*tier);
        }
        let too_large = |index| TermsError::Tier {
            index,
            field: "lower",
            value: i128::MAX,
            accepted: "bounds whose deduction stays below 2^120 quanta x 1e-9",
        };
        Ok(Self {
            maintenance: pieces(&tiers, |t| t.maintenance).map_err(too_large)?,
            initial: pieces(&tiers, |t| t.initial).map_err(too_large)?,
        })
    }

    /// The pieces at a stage; their deductions are what venues publish as "maintenance amount", in quanta x 1e-9.
    #[must_use]
    pub fn table(&self, stage: Stage) -> &[Piece] {
        match stage {
            Stage::Maintenance => &self.maintenance,
            Stage::Initial => &self.initial,
        }
    }
}

fn check(index: usize, previous: Option<Tier>, tier: Tier) -> Result<(), TermsError> {
    let refuse = |field, value: i128, accepted| Err(TermsError::Tier { index, field, value, accepted });
    let lower = tier.lower.get();
    let (maintenance, initial) = (i128::from(tier.maintenance.0), i128::from(tier.initial.0));
    match previous {
        None if lower != 0 => return refuse("lower", lower, "zero in the first tier"),
        Some(p) if lower <= p.lower.get() => {
            return refuse("lower", lower, "more than the lower bound of the tier before");
        }
        Some(p) if tier.maintenance <= p.maintenance => {
            return refuse("maintenance", maintenance, "more than the rate of the tier before");
        }
        Some(p) if tier.initial < p.initial => {
            return refuse("initial", initial, "at least the rate of the tier before");
        }
        _ => {}
    }
    let one = i128::from(Ppb::ONE.0);
    if !(0..one).contains(&maintenance) {
        return refuse("maintenance", maintenance, "0 <= maintenance < 1e9 ppb (100 %)");
    }
    if !(maintenance..=one).contains(&initial) {
        return refuse("initial", initial, "maintenance <= initial <= 1e9 ppb (100 %)");
    }
    Ok(())
}

fn pieces(tiers: &[Tier], rate: impl Fn(&Tier) -> Ppb) -> Result<Vec<Piece>, usize> {
    let mut pieces: Vec<Piece> = Vec::with_capacity(tiers.len());
    let mut before = Piece { rate: Ppb::ZERO, deduction: 0 };
    for (index, tier) in tiers.iter().enumerate() {
        let rate = rate(tier);
        let step = rate.0.checked_sub(before.rate.0).map(i128::from);
        let more = step.and_then(|s| tier.lower.get().checked_mul(s));
        let deduction = more.and_then(|m| before.deduction.checked_add(m)).filter(|d| *d <= Quanta::LIMIT);
        before = Piece { rate, deduction: deduction.ok_or(index)? };
        pieces.push(before);
    }
    Ok(pieces)
}

impl Requirement for Tiered {
    // max over n of ceil((rate(n) x N - deduction(n)) / 1e9), one rounding: the ceiling of the largest is the largest ceiling
    fn required(
        &self,
        stage: Stage,
        _: &MarketView,
        _: Lots,
        notional: Quanta,
    ) -> Result<Quanta, MarginError> {
        let mut most: i128 = 0;
        for piece in self.table(stage) {
            let share = notional.get().checked_mul(i128::from(piece.rate.0)).ok_or(MathError::Overflow)?;
            let asked = share.checked_sub(piece.deduction).ok_or(MathError::Overflow)?;
            if asked < most {
                break; // the notional lies below this bracket; those above it ask even less
            }
            most = asked;
        }
        Ok(billionths_up(most).map(Quanta::new)?)
    }

    fn pieces(&self, stage: Stage, _: &MarketView) -> Result<Option<Pieces>, MarginError> {
        Ok(Some(Pieces { pieces: self.table(stage).to_vec(), roundings: 1 }))
    }

    fn reads(&self, _: Stage) -> Reads {
        Reads::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_core::{AssetId, FundingIndex, MarketId, MarketScale, PriceView, Ticks};

    // ending early at the first piece that asks less finds the largest of all pieces
    #[test]
    fn the_largest_of_all_pieces_is_found() {
        let tier = |(lower, maintenance, initial)| Tier {
            lower: Quanta::new(lower),
            maintenance: Ppb(maintenance),
            initial: Ppb(initial),
        };
        // initial rates that stay the same from tier to tier, and a tier above all that can be held
        let rows = [
            (0, 4_000_000, 8_000_000),
            (50, 5_000_000, 8_000_000),
            (60, 6_000_000, 9_000_000),
            (1_000_000, 500_000_000, 900_000_000),
            (1 << 89, 999_999_999, 999_999_999),
        ];
        let tiered = Tiered::new(rows.map(tier).to_vec()).unwrap();
        let market = MarketView {
            id: MarketId(0),
            scale: MarketScale::from_factor(1).unwrap(),
            settlement: AssetId(0),
            mark: PriceView::default(),
            previous_mark: Ticks::ZERO,
            index: PriceView::default(),
            open_interest: Lots::ZERO,
            funding: FundingIndex::ZERO,
            volatility: Ppb::ZERO,
        };
        let around = rows.iter().flat_map(|(lower, ..)| (-2..=2).map(move |d| (lower + d).max(0)));
        for notional in around.chain([30, 1_234_567, 1 << 80, 1 << 90]) {
            for stage in [Stage::Maintenance, Stage::Initial] {
                let of = |p: &Piece| notional * i128::from(p.rate.0) - p.deduction;
                let most = tiered.table(stage).iter().map(of).max().unwrap();
                let asked = tiered.required(stage, &market, Lots::ZERO, Quanta::new(notional));
                assert_eq!(
                    asked.unwrap(),
                    billionths_up(most).map(Quanta::new).unwrap(),
                    "{notional} {stage:?}"
                );
            }
        }
    }
}
