//! Leverage brackets as Binance USD-M publishes them: floor, cap, maintenance rate, largest leverage and maintenance amount.
//!
//! Source: Binance FAQ b3c689c1f50a44cabb3a84e663b81d93 (maintenance amount of a level = floor x (rate - rate of the level before) +
//! amount of the level before); mechanisms A17.

use cofferdam_core::{Lots, MarketView, MathError, Ppb, Quanta, Rounding, wide};
use cofferdam_margin_engine::{MarginError, Pieces, Reads, Requirement, Stage, Tier, Tiered};
use cofferdam_stack::{ConfigError, Context, Number, Ratio, RequirementSpec};
use serde::{Deserialize, Serialize};

/// The largest leverage that the venue offers.
const LEVERAGE_MAX: u32 = 125;

/// A bracket as the venue publishes it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bracket {
    cap: Number,
    mmr: Ratio,
    leverage: u32,
    cum: Number,
}

cofferdam_stack::module! {
    "binance/brackets@1" Requirement breaks [
        6 "splitting a position over accounts lowers what is required in all",
        14 "the initial rate of a bracket applies to the whole notional: a cliff at each cap"
    ];
    /// Brackets of notional as the venue publishes them: maintenance is notional x mmr - cum, initial is notional / leverage.
    struct BracketsSpec {
        /// Tables with `cap` (in the settlement asset), `mmr`, `leverage` (1 to 125) and `cum`, the published maintenance amount.
        brackets: Vec<Bracket> ["list of tables"],
    }
}

/// The requirement of brackets. Beyond the last cap the last bracket goes on.
#[derive(Clone, Debug)]
struct Brackets {
    maintenance: Tiered,
    /// Caps with the leverage up to them, in ascending order.
    initial: Vec<(Quanta, u32)>,
}

impl Requirement for Brackets {
    // maintenance: max over n of (mmr(n) x N - cum(n)); initial: N / leverage of N's bracket, rounded up
    fn required(
        &self,
        stage: Stage,
        market: &MarketView,
        lots: Lots,
        notional: Quanta,
    ) -> Result<Quanta, MarginError> {
        if stage == Stage::Maintenance {
            return self.maintenance.required(stage, market, lots, notional);
        }
        let within = self.initial.iter().find(|(cap, _)| notional <= *cap);
        let leverage = within.or(self.initial.last()).map_or(1, |(_, leverage)| *leverage);
        Ok(Quanta::new(wide::div(notional.get(), leverage.into(), Rounding::Up)?))
    }

    fn pieces(&self, stage: Stage, market: &MarketView) -> Result<Option<Pieces>, MarginError> {
        match stage {
            Stage::Maintenance => self.maintenance.pieces(stage, market),
            Stage::Initial => Ok(None),
        }
    }

    fn reads(&self, _: Stage) -> Reads {
        Reads::default()
    }
}

#[typetag::serde(name = "binance/brackets@1")]
impl RequirementSpec for BracketsSpec {
    fn build(&self, ctx: &Context<'_>) -> Result<Box<dyn Requirement>, ConfigError> {
        let mut tiers: Vec<Tier> = Vec::with_capacity(self.brackets.len());
        let mut initial: Vec<(Quanta, u32)> = Vec::with_capacity(self.brackets.len());
        let (mut floor, mut cum, mut mmr) = (Quanta::ZERO, 0_i128, Ppb::ZERO);
        for (i, row) in self.brackets.iter().enumerate() {
            let at = ctx.at(&format!("brackets[{i}]"));
            let cap = at.quanta("cap", &row.cap)?;
            if cap <= floor {
                return Err(at.refuse(
                    "cap",
                    row.cap.0,
                    "above the cap of the bracket before, which is its floor",
                ));
            }
            if !(1..=LEVERAGE_MAX).contains(&row.leverage) {
                return Err(at.refuse("leverage", row.leverage, "1 to 125, as the venue offers it"));
            }
            if initial.last().is_some_and(|(_, before)| row.leverage >= *before) {
                return Err(at.refuse("leverage", row.leverage, "less than in the bracket before"));
            }
            // cum(n) = cum(n-1) + floor(n) x (mmr(n) - mmr(n-1)), in quanta x 1e-9
            let step = row.mmr.0.0.checked_sub(mmr.0).map(i128::from);
            let rise = step.and_then(|s| floor.get().checked_mul(s)).and_then(|r| cum.checked_add(r));
            let expected = rise.filter(|x| (0..=Quanta::LIMIT).contains(x));
            let expected = expected
                .ok_or_else(|| at.refuse("mmr", row.mmr.0, "a rate at which the amount is a value"))?;
            let published = at.quanta("cum", &row.cum)?.get().checked_mul(1_000_000_000);
            if published != Some(expected) {
                let accepted = "cum of the bracket before + floor x (mmr - mmr of the bracket before): the maintenance amount";
                return Err(at.refuse("cum", row.cum.0, accepted));
            }
            // 1 / leverage, down: the exact initial requirement is computed from the leverage itself
            let rate = wide::div(1_000_000_000, row.leverage.into(), Rounding::Down);
            let rate = rate.and_then(|r| i64::try_from(r).map_err(|_| MathError::Overflow));
            let rate =
                rate.map_err(|_| at.refuse("leverage", row.leverage, "1 to 125, as the venue offers it"))?;
            if row.mmr.0.0 > rate {
                return Err(at.refuse(
                    "mmr",
                    row.mmr.0,
                    "at most 1 / leverage: maintenance never exceeds initial",
                ));
            }
            tiers.push(Tier { lower: floor, maintenance: row.mmr.0, initial: Ppb(rate) });
            initial.push((cap, row.leverage));
            (floor, cum, mmr) = (cap, expected, row.mmr.0);
        }
        let maintenance = ctx.check(self, Tiered::new(tiers))?;
        Ok(Box::new(Brackets { maintenance, initial }))
    }
}
