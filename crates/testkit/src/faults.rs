//! Modules that lie, over-close, over-take or fail. Put one into [`cofferdam_stack::Parts`]: the stack must raise an alarm and
//! keep its state (INV-41, INV-44), and must not lose a report over it.

use cofferdam_circuit_breaker::{BreakerError, CircuitBreaker};
use cofferdam_core::{
    Action, Amount, AssetId, At, Case, GroupId, Holder, House, Item, LayerId, Lots, MarketView, MathError,
    Memory, Observation, Posting, PriceView, Quanta, Quote, Ticks, Verdict,
};
use cofferdam_insurance_layer::{Draw, InsuranceError, Loss, LossWaterfall, Standing, Waterfall};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, LiquidationStrategy, LossAllocation, Measure, Need, Payers, Penalty, Plan,
    Refusal, Settlement, Step,
};
use cofferdam_market::{
    Accrual, Fill, IndexMove, MarketError, PoolMoment, PoolOrder, PoolPricing, PoolView, Subject, Unhonoured,
};
use cofferdam_oracle::{Ask, OracleError, PricePolicy, Reference};

/// A waterfall that does not keep to INV-25.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LyingWaterfall {
    /// Draws on the first layer whatever the loss is, and more than it has.
    BeyondCapacity,
    /// Draws twice on a layer, each time all of its capacity.
    Twice,
    /// Says that nothing is left although nothing was drawn.
    NothingLeft,
    /// Draws less than nothing and leaves more than the loss.
    Negative,
    /// Draws on a layer that nobody knows.
    Stranger,
    /// Fails.
    Fails,
}

impl LyingWaterfall {
    /// Every lie.
    pub const ALL: [Self; 6] =
        [Self::BeyondCapacity, Self::Twice, Self::NothingLeft, Self::Negative, Self::Stranger, Self::Fails];
}

impl LossWaterfall for LyingWaterfall {
    fn allocate(&self, loss: &Loss, standings: &[Standing]) -> Result<Waterfall, InsuranceError> {
        let first = standings.first().map_or(LayerId(1), |s| s.layer);
        let capacity = standings.first().map_or(Quanta::ZERO, |s| s.capacity);
        let split = |draws: Vec<(LayerId, i128)>, residual: i128| Waterfall {
            draws: draws.into_iter().map(|(layer, x)| Draw { layer, amount: Quanta::new(x) }).collect(),
            residual: Quanta::new(residual),
        };
        let (all, most) = (loss.amount.get(), capacity.get());
        Ok(match self {
            Self::BeyondCapacity => split(vec![(first, most + 1)], all - most - 1),
            Self::Twice => split(vec![(first, most.max(1)), (first, most.max(1))], all - 2 * most.max(1)),
            Self::NothingLeft => split(Vec::new(), 0),
            Self::Negative => split(vec![(first, -1)], all + 1),
            Self::Stranger => split(vec![(LayerId(u32::MAX), all)], 0),
            Self::Fails => return Err(InsuranceError::Math(MathError::Overflow)),
        })
    }
}

/// A strategy whose plans break its contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LyingStrategy {
    /// Orders one lot more than is held.
    OverCloses,
    /// Orders all of it twice.
    ClosesTwice,
    /// Adds to the position.
    Adds,
    /// Hands one lot more than is held to loss allocation.
    OverDeleverages,
    /// Hands it over at a price of nothing.
    DeleveragesForNothing,
    /// Moves cash from a stranger to the subject.
    TakesFromStranger,
    /// Moves cash from the house to the subject.
    TakesFromHouse,
    /// Moves more cash out of the subject than it has.
    TakesTooMuch,
    /// Moves postings that do not balance.
    Unbalanced,
    /// Writes off a loss while there is collateral.
    WritesOff,
    /// Trades with a pool that is not there.
    NoPool,
    /// Fails.
    Fails,
}

impl LyingStrategy {
    /// Every lie.
    pub const ALL: [Self; 12] = [
        Self::OverCloses,
        Self::ClosesTwice,
        Self::Adds,
        Self::OverDeleverages,
        Self::DeleveragesForNothing,
        Self::TakesFromStranger,
        Self::TakesFromHouse,
        Self::TakesTooMuch,
        Self::Unbalanced,
        Self::WritesOff,
        Self::NoPool,
        Self::Fails,
    ];
}

impl LiquidationStrategy for LyingStrategy {
    fn plan(
        &self,
        case: &Case<'_>,
        _: &Bid,
        _: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let Some(p) = case.group.positions.first() else { return Ok(Err(Refusal::Nothing)) };
        let (market, against) = (p.market, -p.lots.get());
        let limit = if against > 0 { Ticks::new(Ticks::LIMIT) } else { Ticks::ONE };
        let order = |lots| Step::Order {
            market,
            lots: Lots::new(lots),
            limit,
            penalty: Penalty::default(),
            expires: cofferdam_core::Millis::MAX,
        };
        let (me, usdc) = (Holder::Group(case.group.id), AssetId(0));
        let cash = |from, to, atoms| Step::Move(Posting::transfer(from, to, Item::Asset(usdc), atoms).into());
        let steps = match self {
            Self::OverCloses => vec![order(against + against.signum())],
            Self::ClosesTwice => vec![order(against), order(against)],
            Self::Adds => vec![order(-against)],
            Self::OverDeleverages => {
                let lots = Lots::new(against + against.signum());
                vec![Step::Deleverage { market, lots, price: Ticks::new(100_000) }]
            }
            Self::DeleveragesForNothing => {
                vec![Step::Deleverage { market, lots: Lots::new(against), price: Ticks::ZERO }]
            }
            Self::TakesFromStranger => vec![cash(Holder::Group(GroupId(40)), me, 1_000)],
            Self::TakesFromHouse => vec![cash(Holder::House(House::Fees), me, 1)],
            Self::TakesTooMuch => vec![cash(me, Holder::House(House::Fees), 1 << 70)],
            Self::Unbalanced => {
                vec![Step::Move(vec![Posting::new(Holder::House(House::Fees), Item::Asset(usdc), 5)])]
            }
            Self::WritesOff => vec![Step::Loss { holder: me, asset: usdc, amount: Amount::ONE }],
            Self::NoPool => vec![Step::Trade {
                market,
                lots: Lots::new(against),
                with: cofferdam_core::PoolId(99),
                limit,
                penalty: Penalty::default(),
            }],
            Self::Fails => return Err(LiquidationError::Math(MathError::Overflow)),
        };
        Ok(Ok(Plan { steps, again: None, worsens: false }))
    }
}

/// An allocation that takes what is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LyingAllocation {
    /// Takes one atom more than the first payer's room, or closes one lot more than it holds.
    OverTakes,
    /// Takes all of the first payer twice.
    TakesTwice,
    /// Takes from somebody who is no payer.
    Stranger,
    /// Says that nothing is left although it took nothing.
    NothingLeft,
    /// Answers cash with lots and lots with cash.
    WrongKind,
    /// Fails.
    Fails,
}

impl LyingAllocation {
    /// Every lie.
    pub const ALL: [Self; 6] =
        [Self::OverTakes, Self::TakesTwice, Self::Stranger, Self::NothingLeft, Self::WrongKind, Self::Fails];
}

impl LossAllocation for LyingAllocation {
    fn allocate(
        &self,
        _: At,
        need: &Need,
        payers: &dyn Payers,
        _: &mut Memory<'_>,
    ) -> Result<Settlement, LiquidationError> {
        use cofferdam_liquidation_strategy::Cause;
        let Some(first) = payers.iter().next() else {
            return Ok(Settlement { measures: Vec::new(), residual: 0 });
        };
        let (closes, price) = match need.cause {
            Cause::CloseOut { price, .. } | Cause::PoolGain { price, .. } => (true, price),
            Cause::Deficit => (false, Ticks::ONE),
        };
        let lots = -first.lots.get();
        let market = need.market.unwrap_or_default();
        let close = |payer, lots| Measure::Close { payer, market, lots: Lots::new(lots), price };
        let cut = |payer, atoms| Measure::Haircut { payer, amount: Amount::new(atoms) };
        let of = |payer, more: i128| {
            if closes {
                let more = i64::try_from(more).unwrap_or(0);
                close(payer, lots + lots.signum() * more)
            } else {
                cut(payer, first.room.get() + more)
            }
        };
        let measures = match self {
            Self::OverTakes => vec![of(first.group, 1)],
            Self::TakesTwice => vec![of(first.group, 0), of(first.group, 0)],
            Self::Stranger => vec![of(GroupId(62), 0)],
            Self::NothingLeft => Vec::new(),
            Self::WrongKind if closes => vec![cut(first.group, 1)],
            Self::WrongKind => vec![close(first.group, lots)],
            Self::Fails => return Err(LiquidationError::Math(MathError::Overflow)),
        };
        Ok(Settlement { measures, residual: 0 })
    }
}

/// A module of any other room that only ever fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Failing;

impl CircuitBreaker for Failing {
    fn admit(&self, _: At, _: &Action, _: &Memory<'_>) -> Result<Verdict, BreakerError> {
        Err(BreakerError::Math(MathError::Overflow))
    }

    fn observe(&self, _: At, _: &Observation, _: &mut Memory<'_>) -> Result<bool, BreakerError> {
        Err(BreakerError::Math(MathError::Overflow))
    }
}

impl PricePolicy for Failing {
    fn resolve(
        &self,
        _: &Ask,
        _: &[Quote],
        _: &Reference,
        _: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        Err(OracleError::Math(MathError::Overflow))
    }
}

impl Accrual for Failing {
    fn accrue(&self, _: At, _: &Subject, _: &mut Memory<'_>) -> Result<Vec<IndexMove>, MarketError> {
        Err(MarketError::Math(MathError::Overflow))
    }
}

/// A breaker that admits nothing, ever, and no way out either: what no breaker is allowed to say (INV-35).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AdmitsNothing;

impl CircuitBreaker for AdmitsNothing {
    fn admit(&self, _: At, _: &Action, _: &Memory<'_>) -> Result<Verdict, BreakerError> {
        Ok(Verdict::at_most(0))
    }

    fn observe(&self, _: At, _: &Observation, _: &mut Memory<'_>) -> Result<bool, BreakerError> {
        Ok(false)
    }
}

/// A pool that does not keep to its contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LyingPool {
    /// Fills more than was ordered.
    TooMuch,
    /// Fills past the limit.
    PastLimit,
    /// Takes the fee from the house.
    FromHouse,
    /// Moves other lots than it says.
    OtherLots,
}

impl LyingPool {
    /// Every lie.
    pub const ALL: [Self; 4] = [Self::TooMuch, Self::PastLimit, Self::FromHouse, Self::OtherLots];
}

impl PoolPricing for LyingPool {
    fn fill(
        &self,
        _: At,
        order: &PoolOrder,
        pool: &PoolView,
        market: &MarketView,
        _: &mut Memory<'_>,
    ) -> Result<Fill, MarketError> {
        let asked = order.lots.get();
        let lots = if *self == Self::TooMuch { asked + asked.signum() } else { asked };
        let moved = if *self == Self::OtherLots { lots + lots.signum() } else { lots };
        let price =
            if *self == Self::PastLimit { Ticks::new(Ticks::LIMIT / 1_000_000) } else { market.mark.mid };
        let cost = market.scale.notional(Lots::new(moved), price)?;
        let maker = Holder::Pool(pool.id);
        let mut postings = vec![
            Posting::position(order.taker, market.id, moved, cost),
            Posting::position(maker, market.id, -moved, cost.try_neg()?),
        ];
        if *self == Self::FromHouse {
            let cash = Item::Asset(market.settlement);
            postings.extend(Posting::transfer(Holder::House(House::Fees), maker, cash, 1));
        }
        Ok(Fill { postings, left: Lots::new(asked - lots) })
    }

    fn unhonoured(&self, _: &PoolMoment, _: &mut Memory<'_>) -> Result<Unhonoured, MarketError> {
        Ok(Unhonoured::NOTHING)
    }

    fn permits(&self, _: &PoolMoment, _: &PoolMoment) -> Result<bool, MarketError> {
        Ok(true)
    }
}
