//! The composed modules. A `RiskStack` holds no state: the same stack decides for production, simulation and replay.

use cofferdam_circuit_breaker::CircuitBreaker;
use cofferdam_core::{
    AssetId, AssetScale, AssetView, FundingIndex, Index, Instrument, LayerId, Lots, MarketId, MarketScale,
    MarketView, MemoryError, Millis, PoolId, Ppb, PriceRole, PriceView, Quanta, Slot, Ticks,
};
use cofferdam_insurance_layer::LossWaterfall;
use cofferdam_liquidation_strategy::{FillGuard, LiquidationStrategy, LossAllocation, Placement};
use cofferdam_margin_engine::MarginModel;
use cofferdam_market::{Accrual, PoolPricing};
use cofferdam_oracle::{PermitTiers, PricePolicy};

/// An asset of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssetTerms {
    /// Its number.
    pub id: AssetId,
    /// Its name.
    pub name: String,
    /// Atoms, price step, quantum.
    pub scale: AssetScale,
    /// Whether it is the numeraire: its price is one, always.
    pub numeraire: bool,
}

/// A market of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MarketTerms {
    /// Its number.
    pub id: MarketId,
    /// Its name.
    pub name: String,
    /// Quanta per lot and tick.
    pub scale: MarketScale,
    /// The asset in which profit and loss are paid.
    pub settlement: AssetId,
    /// A lot is 10^lot_exponent of the base asset.
    pub lot_exponent: i32,
    /// A tick is 10^tick_exponent numeraire.
    pub tick_exponent: i32,
}

/// What a pool does.
#[derive(Debug)]
pub enum PoolKind {
    /// Lends an asset to groups; owners of its shares bear its losses.
    Lending {
        /// Which asset.
        asset: AssetId,
        /// What all borrowers together have to keep, if anything.
        floor: Option<PoolFloor>,
        /// The collateral whose price the suppliers' own offers make, if any.
        priced: Option<AssetId>,
    },
    /// Takes the other side of trades in a market.
    Trading {
        /// Which market.
        market: MarketId,
        /// How it prices.
        pricing: Box<dyn PoolPricing>,
    },
    /// Pays debts off when they are liquidated, out of what its depositors put in, and gives them the collateral.
    Offset {
        /// What it pays with, and its depositors put in.
        asset: AssetId,
        /// What they gain.
        gains: AssetId,
    },
}

/// What all borrowers of a pool together have to keep: nobody may borrow, or take collateral out and go on owing, where their
/// collateral would be worth less than so many times what they owe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolFloor {
    /// The collateral that counts.
    pub collateral: AssetId,
    /// At least so much of it per debt, by value.
    pub ratio: Ppb,
}

/// A pool of the stack.
#[derive(Debug)]
pub struct PoolTerms {
    /// Its number.
    pub id: PoolId,
    /// Its name.
    pub name: String,
    /// What it does.
    pub kind: PoolKind,
}

/// How the price of an instrument for a role is resolved.
#[derive(Debug)]
pub struct PriceRule {
    /// Of what.
    pub instrument: Instrument,
    /// For what.
    pub role: PriceRole,
    /// By which policy.
    pub policy: Box<dyn PricePolicy>,
}

/// What accrues and by which rule.
#[derive(Debug)]
pub struct AccrualRule {
    /// On what.
    pub subject: AccrualSubject,
    /// By which rule.
    pub rule: Box<dyn Accrual>,
}

/// What an accrual rule applies to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccrualSubject {
    /// Funding of a market.
    Market(MarketId),
    /// Interest of a lending pool.
    Pool(PoolId),
}

/// An insurance layer of the stack, as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerTerms {
    /// Its number.
    pub id: LayerId,
    /// Its name.
    pub name: String,
    /// The share of each penalty's insurance part that it receives.
    pub contribution: Ppb,
}

/// When a deleveraging event opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRule {
    /// Opens when this much notional was closed by force within one window, in quanta.
    pub opens_at: Quanta,
    /// The window.
    pub window: Millis,
    /// Closes when nothing was closed by force for this long.
    pub quiet: Millis,
}

/// What a stack is made of.
#[derive(Debug)]
pub struct Parts {
    /// Assets.
    pub assets: Vec<AssetTerms>,
    /// Markets.
    pub markets: Vec<MarketTerms>,
    /// Pools.
    pub pools: Vec<PoolTerms>,
    /// Prices: at most 31 rules; the order fixes where each keeps its memory.
    pub prices: Vec<PriceRule>,
    /// What each state of a price permits, per tier of instruments.
    pub permits: PermitTiers,
    /// Funding and interest.
    pub accruals: Vec<AccrualRule>,
    /// Margin.
    pub margin: Box<dyn MarginModel>,
    /// Liquidation.
    pub liquidation: Box<dyn LiquidationStrategy>,
    /// Where collateral waits to be sold piece by piece; `None`: it is not spread over bands.
    pub placement: Option<Box<dyn Placement>>,
    /// Vetoes on fills under our own matching; all have to agree.
    pub guards: Vec<Box<dyn FillGuard>>,
    /// Insurance layers.
    pub layers: Vec<LayerTerms>,
    /// The programme that draws on them.
    pub waterfall: Box<dyn LossWaterfall>,
    /// Who pays what is left.
    pub allocation: Box<dyn LossAllocation>,
    /// Circuit breakers; verdicts join to the strictest.
    pub breakers: Vec<Box<dyn CircuitBreaker>>,
    /// Names of the breakers, in the same order.
    pub breaker_names: Vec<String>,
    /// Deleveraging events.
    pub event: EventRule,
}

/// The slots of the rooms' memory; children hang below them.
pub(crate) mod slots {
    use cofferdam_core::Slot;
    pub(crate) const PRICES: Slot = Slot(1);
    pub(crate) const ACCRUALS: Slot = Slot(2);
    pub(crate) const POOLS: Slot = Slot(3);
    pub(crate) const LIQUIDATION: Slot = Slot(4);
    pub(crate) const ALLOCATION: Slot = Slot(5);
    pub(crate) const BREAKERS: Slot = Slot(6);
    pub(crate) const AUCTIONS: Slot = Slot(7);
    pub(crate) const OFFSETS: Slot = Slot(8);
    pub(crate) const BANDS: Slot = Slot(9);
    pub(crate) const OFFERS: Slot = Slot(10);
}

/// A composed risk stack: modules and terms, no state.
#[derive(Debug)]
pub struct RiskStack {
    pub(crate) parts: Parts,
}

/// What composition can refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ComposeError {
    /// Two things with the same number.
    #[error("{field}: {id} is used twice")]
    Twice {
        /// Where.
        field: String,
        /// The number.
        id: u32,
    },
    /// A reference to something that is not there.
    #[error("{field}: {id} is not there")]
    Unknown {
        /// Where.
        field: String,
        /// The number.
        id: u32,
    },
    /// A settlement asset whose quantum is larger than its atom: profit and loss would not come out in whole atoms.
    #[error("{field}: the quantum is larger than an atom; accepted is one of at most an atom")]
    Quantum {
        /// Where.
        field: String,
    },
    /// Shares of penalties that are below zero, or give more than there is.
    #[error(
        "insurance.layers.contribution: the shares sum to {sum} ppb; accepted are shares of zero or more, at most 1e9 ppb together"
    )]
    Contributions {
        /// Their sum.
        sum: i128,
    },
    /// More modules in a room than its memory has places.
    #[error("{field}: {count} modules; accepted are at most 31")]
    TooMany {
        /// Where.
        field: String,
        /// How many.
        count: usize,
    },
}

impl RiskStack {
    /// Composes a stack; refuses numbers that are used twice or lead nowhere.
    pub fn new(parts: Parts) -> Result<Self, ComposeError> {
        let stack = Self { parts };
        stack.check()?;
        Ok(stack)
    }

    fn check(&self) -> Result<(), ComposeError> {
        let p = &self.parts;
        unique("assets", p.assets.iter().map(|a| a.id.0))?;
        unique("markets", p.markets.iter().map(|m| m.id.0))?;
        unique("pools", p.pools.iter().map(|x| x.id.0))?;
        unique("insurance.layers", p.layers.iter().map(|l| l.id.0))?;
        let shares: i128 = p.layers.iter().map(|l| i128::from(l.contribution.0)).sum();
        if shares > i128::from(Ppb::ONE.0) || p.layers.iter().any(|l| l.contribution.0 < 0) {
            return Err(ComposeError::Contributions { sum: shares });
        }
        for (i, m) in p.markets.iter().enumerate() {
            self.known_asset(m.settlement, || format!("markets[{i}].settlement"))?;
            let settles = p.assets.iter().find(|a| a.id == m.settlement);
            if settles.is_some_and(|a| {
                i16::from(a.scale.decimals) > i16::from(a.scale.quantum_exponent).saturating_neg()
            }) {
                return Err(ComposeError::Quantum { field: format!("markets[{i}].settlement") });
            }
        }
        for (i, pool) in p.pools.iter().enumerate() {
            match &pool.kind {
                PoolKind::Lending { asset, floor, .. } => {
                    self.known_asset(*asset, || format!("pools[{i}].asset"))?;
                    if let Some(floor) = floor {
                        self.known_asset(floor.collateral, || format!("pools[{i}].floor"))?;
                    }
                }
                PoolKind::Offset { asset, gains } => {
                    self.known_asset(*asset, || format!("pools[{i}].asset"))?;
                    self.known_asset(*gains, || format!("pools[{i}].gains"))?;
                }
                PoolKind::Trading { market, .. } => {
                    self.known_market(*market, || format!("pools[{i}].market"))?
                }
            }
        }
        for (i, rule) in p.prices.iter().enumerate() {
            match rule.instrument {
                Instrument::Asset(a) => self.known_asset(a, || format!("prices[{i}].asset"))?,
                Instrument::Market(m) => self.known_market(m, || format!("prices[{i}].market"))?,
            }
        }
        for (field, count) in [
            ("prices", p.prices.len()),
            ("accruals", p.accruals.len()),
            ("pools", p.pools.len()),
            ("breakers", p.breakers.len()),
        ] {
            if count > 31 {
                return Err(ComposeError::TooMany { field: field.into(), count });
            }
        }
        Ok(())
    }

    fn known_asset(&self, id: AssetId, field: impl Fn() -> String) -> Result<(), ComposeError> {
        if self.parts.assets.iter().any(|a| a.id == id) {
            Ok(())
        } else {
            Err(ComposeError::Unknown { field: field(), id: id.0 })
        }
    }

    fn known_market(&self, id: MarketId, field: impl Fn() -> String) -> Result<(), ComposeError> {
        if self.parts.markets.iter().any(|m| m.id == id) {
            Ok(())
        } else {
            Err(ComposeError::Unknown { field: field(), id: id.0 })
        }
    }

    /// What the stack is made of.
    #[must_use]
    pub const fn parts(&self) -> &Parts {
        &self.parts
    }

    /// The empty state that this stack starts from. The numeraire is worth one; every other price is missing.
    #[must_use]
    pub fn initial_state(&self) -> crate::State {
        let assets = self.parts.assets.iter().map(|a| AssetView {
            id: a.id,
            scale: a.scale,
            price: if a.numeraire {
                PriceView::exact(one(a.scale), Millis::MAX)
            } else {
                PriceView::default()
            },
            debt_index: Index::START,
        });
        let markets = self.parts.markets.iter().map(|m| MarketView {
            id: m.id,
            scale: m.scale,
            settlement: m.settlement,
            mark: PriceView::default(),
            previous_mark: Ticks::ZERO,
            index: PriceView::default(),
            open_interest: Lots::ZERO,
            funding: FundingIndex::ZERO,
            volatility: Ppb::ZERO,
        });
        crate::State::new(markets.collect(), assets.collect(), self.parts.event.window)
    }

    pub(crate) fn slot(room: Slot, index: usize) -> Result<Slot, MemoryError> {
        room.child(u8::try_from(index).map_err(|_| MemoryError::TooDeep)?)
    }

    pub(crate) fn pool(&self, id: PoolId) -> Option<(usize, &PoolTerms)> {
        self.parts.pools.iter().enumerate().find(|(_, p)| p.id == id)
    }

    pub(crate) fn trading_pool(&self, market: MarketId) -> Option<(usize, &PoolTerms)> {
        self.parts
            .pools
            .iter()
            .enumerate()
            .find(|(_, p)| matches!(p.kind, PoolKind::Trading { market: m, .. } if m == market))
    }
}

/// One numeraire, in an asset's price ticks.
fn one(scale: AssetScale) -> Ticks {
    let places = u32::from(scale.price_exponent.unsigned_abs());
    Ticks::new(if scale.price_exponent > 0 { 1 } else { 10_i64.checked_pow(places).unwrap_or(1) })
}

fn unique(field: &str, ids: impl Iterator<Item = u32>) -> Result<(), ComposeError> {
    let mut seen = std::collections::BTreeSet::new();
    for id in ids {
        if !seen.insert(id) {
            return Err(ComposeError::Twice { field: field.into(), id });
        }
    }
    Ok(())
}
