//! What an allocation means for the winners: the measures of `cofferdam_market_sim::adl::metrics`, of anybody's book.

use crate::composed::Composed;
use crate::error::CliError;
use cofferdam_core::{Amount, Instrument, Lots};
use cofferdam_liquidation_strategy::{Cause, Measure, Need, Payer, Settlement};
use cofferdam_market_sim::adl::metrics::{Metrics, Round, Winner, tail_index};
use cofferdam_stack::AssetTerms;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Measures over all payers with a gain, in floating point: `measures` and `residual` are exact. Amounts are in the settlement
/// asset. A close takes from its holder what the mark would have given above its price, and what was needed is that of the whole
/// position; a price that is better than the mark takes nothing. A quotient with nothing to divide by is absent.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Measures {
    /// How many have a gain.
    winners: usize,
    /// How many of them pay.
    payers: u64,
    /// What was taken from all.
    taken: f64,
    /// Taken without need: (taken - needed)+.
    overshoot: f64,
    /// Taken - needed, whatever its sign.
    net_overshoot: f64,
    /// Needed and not taken: (needed - taken)+.
    undershoot: f64,
    /// The largest gain that is kept.
    largest_kept: f64,
    /// The largest share of a gain that was taken.
    largest_haircut: f64,
    /// The largest share of an equity that was taken.
    largest_share_of_equity: f64,
    /// Profit to solvency ratio: the largest gain that is kept over what was taken (arXiv:2512.01112).
    #[serde(skip_serializing_if = "Option::is_none")]
    ptsr: Option<f64>,
    /// Profit to maximum loss ratio: the largest gain that is kept over (taken / deficit) x the largest loss; with `largest_loss`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pmr: Option<f64>,
    /// Largest kept / (largest kept + deficit - taken): the published code's RD-NSE.
    #[serde(skip_serializing_if = "Option::is_none")]
    rd_nse: Option<f64>,
    /// Pairs of winners that changed places, as a share of all pairs with unequal gains.
    #[serde(skip_serializing_if = "Option::is_none")]
    inversions: Option<f64>,
    /// Spearman's rank correlation of gains before and after.
    #[serde(skip_serializing_if = "Option::is_none")]
    rank_stability: Option<f64>,
    /// Gini coefficient of what was taken over all winners.
    #[serde(skip_serializing_if = "Option::is_none")]
    gini: Option<f64>,
    /// Hill's tail index of the gains, of the highest tenth; with 100 winners or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    tail_index: Option<f64>,
}

/// Winners below which a tenth of them says nothing about a tail.
const TAIL_WINNERS: usize = 100;

/// What somebody knows about a deficit besides its amount.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    pub(super) largest_loss: Option<Amount>,
    pub(super) needed: Option<Amount>,
}

/// A settlement's need and those who could pay.
pub(super) struct Measured<'a> {
    pub(super) composed: &'a Composed,
    pub(super) asset: &'a AssetTerms,
    pub(super) need: &'a Need,
    pub(super) known: Known,
    pub(super) payers: &'a [Payer],
}

impl Measured<'_> {
    pub(super) fn metrics(&self, settled: &Settlement) -> Result<Measures, CliError> {
        let closing = Closing::of(self)?;
        let mut taken: BTreeMap<u32, f64> = BTreeMap::new();
        for m in &settled.measures {
            let (payer, x) = match m {
                Measure::Haircut { payer, amount } => (payer, self.units(*amount)),
                Measure::Close { payer, lots, .. } => (payer, closing.takes(lots.get().unsigned_abs())),
                _ => continue, // others than winners
            };
            *taken.entry(payer.0).or_default() += x;
        }
        let winner = |p: &Payer| Winner {
            gain: self.units(p.gain),
            equity: self.units(p.equity),
            taken: taken.get(&p.group.0).copied().unwrap_or(0.0),
        };
        let winners: Vec<Winner> = self.payers.iter().filter(|p| p.gain.get() > 0).map(winner).collect();
        let gains: Vec<f64> = winners.iter().map(|w| w.gain).collect();
        let deficit = match self.need.cause {
            Cause::CloseOut { lots, .. } => closing.takes(lots.get().unsigned_abs()),
            _ => self.units(self.need.amount),
        };
        let largest_loss = self.known.largest_loss.map_or(0.0, |x| self.units(x));
        let needed = self.known.needed.map_or(deficit, |x| self.units(x));
        let m = Round { deficit, largest_loss, needed, winners }.metrics();
        Ok(Measures::of(&m, &gains))
    }

    fn units(&self, x: Amount) -> f64 {
        scaled(x.get() as f64, -i32::from(self.asset.scale.decimals))
    }
}

/// x 10^exponent, rounded once.
fn scaled(x: f64, exponent: i32) -> f64 {
    let power = 10_f64.powi(exponent.abs());
    if exponent < 0 { x / power } else { x * power }
}

/// What closing a position takes from its holder.
#[derive(Default)]
struct Closing {
    /// Ticks of the price, signed: above zero for who has to buy.
    price: f64,
    /// One tick of one lot, in the numeraire, as a power of ten.
    exponent: i32,
    /// Notional of all payers and their lots, signed as the price.
    mark: (f64, f64),
}

impl Closing {
    /// By the mark that the payers' notional implies, in the numeraire.
    fn of(of: &Measured<'_>) -> Result<Self, CliError> {
        let (Cause::CloseOut { lots, price, .. }, Some(market)) = (of.need.cause, of.need.market) else {
            return Ok(Self::default());
        };
        // the holders of the other side of a long are short: they buy
        let sign = if lots > Lots::ZERO { 1.0 } else { -1.0 };
        let held: f64 = of.payers.iter().map(|p| p.lots.get().unsigned_abs() as f64).sum();
        let notional: f64 = of.payers.iter().map(|p| p.notional.get().unsigned_abs() as f64).sum();
        let tick = of.composed.tick_exponent(Instrument::Market(market))?;
        Ok(Self {
            price: sign * price.get() as f64,
            exponent: tick.saturating_add(of.composed.market_terms(market)?.lot_exponent),
            mark: (sign * scaled(notional, of.composed.quantum_exponent()), held),
        })
    }

    fn takes(&self, lots: u64) -> f64 {
        let (notional, held) = self.mark;
        if held == 0.0 {
            return 0.0;
        }
        let lots = lots as f64;
        (scaled(self.price * lots, self.exponent) - notional * lots / held).max(0.0)
    }
}

impl Measures {
    fn of(m: &Metrics, gains: &[f64]) -> Self {
        let tail = (gains.len() >= TAIL_WINNERS).then(|| tail_index(gains, gains.len() / 10)).flatten();
        Self {
            winners: gains.len(),
            payers: m.payers,
            taken: m.taken,
            overshoot: m.overshoot,
            net_overshoot: m.net_overshoot,
            undershoot: m.undershoot,
            largest_kept: m.largest_kept,
            largest_haircut: m.largest_haircut,
            largest_share_of_equity: m.largest_share_of_equity,
            ptsr: m.ptsr,
            pmr: m.pmr,
            rd_nse: m.rd_nse,
            inversions: m.inversions,
            rank_stability: m.rank_stability,
            gini: m.gini,
            tail_index: tail,
        }
    }
}
