//! `decide`: pure. From a state and an input (or an entry of the work queue) to facts and effects. The same inputs give the
//! same facts on every machine.

mod across;
mod auctions;
mod bands;
mod clearing;
mod exchange;
mod honour;
mod keepers;
mod lending;
mod liquidation;
mod loss;
mod offers;
mod offset;
mod pool_gain;
mod reports;
mod requests;
mod socialise;

pub(crate) use clearing::{balance, position};

use crate::{
    Alarm, Answer, Decision, Effect, Fact, Input, Rejection, RiskStack, State, Work, WorkKey,
    draft::Draft,
    stack::slots,
    store::{EvolveError, Store},
};
use cofferdam_circuit_breaker::BreakerError;
use cofferdam_core::{
    Action, ActionKind, At, GroupId, Health, Instrument, MathError, Memory, MemoryError, Observation,
    PriceState, Verdict,
};
use cofferdam_insurance_layer::InsuranceError;
use cofferdam_liquidation_strategy::LiquidationError;
use cofferdam_margin_engine::{BookError, Holdings, MarginError};
use cofferdam_market::MarketError;
use cofferdam_oracle::OracleError;

/// What a step can fail with inside. It never leaves as such: a request is refused with it, a report or an entry of the queue
/// raises an alarm, and nothing of the step is kept (INV-41, INV-43).
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StepError {
    /// A fact that cannot be applied.
    #[error(transparent)]
    Evolve(#[from] EvolveError),
    /// Arithmetic.
    #[error(transparent)]
    Math(#[from] MathError),
    /// Memory.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// The oracle.
    #[error(transparent)]
    Oracle(#[from] OracleError),
    /// The market.
    #[error(transparent)]
    Market(#[from] MarketError),
    /// The margin engine.
    #[error(transparent)]
    Margin(#[from] MarginError),
    /// The book.
    #[error(transparent)]
    Book(#[from] BookError),
    /// The liquidation strategy or the loss allocation.
    #[error(transparent)]
    Liquidation(#[from] LiquidationError),
    /// The waterfall.
    #[error(transparent)]
    Insurance(#[from] InsuranceError),
    /// A breaker.
    #[error(transparent)]
    Breaker(#[from] BreakerError),
    /// A module proposed something that its contract forbids.
    #[error("a module broke its contract: {0}")]
    Contract(&'static str),
    /// A request that is not granted.
    #[error("refused: {0:?}")]
    Refused(Rejection),
}

impl StepError {
    /// What somebody should look at: a module that failed or broke its contract. A number out of range or a missing price is
    /// the asker's own affair.
    fn alarm(&self) -> Option<Alarm> {
        match self {
            Self::Refused(_)
            | Self::Math(_)
            | Self::Evolve(_)
            | Self::Book(_)
            | Self::Margin(MarginError::Math(_) | MarginError::NoPrice(_))
            | Self::Market(MarketError::Math(_))
            | Self::Liquidation(LiquidationError::Math(_) | LiquidationError::NoPrice(_)) => None,
            other => Some(Alarm::Failed { what: other.to_string() }),
        }
    }

    fn into_rejection(self) -> Rejection {
        match self {
            Self::Refused(r) => r,
            Self::Contract(what) => Rejection::Failed { what: what.into() },
            Self::Margin(MarginError::NoPrice(instrument)) => {
                Rejection::Price { instrument, state: PriceState::Missing }
            }
            _ => Rejection::OutOfRange,
        }
    }
}

pub(crate) type Step<T> = Result<T, StepError>;

pub(crate) fn refuse<T>(r: Rejection) -> Step<T> {
    Err(StepError::Refused(r))
}

impl RiskStack {
    /// Decides an input. Whatever the input, the answer is a decision: at least the fact that it was taken in. The one
    /// exception is a duplicate, which changes nothing and gets the answer it got before (INV-40).
    pub fn decide(&self, state: &State, input: &Input) -> Decision {
        if let Some(before) = state.answer_to(input.id) {
            let answer =
                before.cloned().unwrap_or(Answer::Refused(Rejection::OutOfOrder { now: state.head.at }));
            return Decision { answer: Some(answer), ..Decision::default() };
        }
        if input.time < state.head.at.time || input.block < state.head.at.block {
            return Decision {
                answer: Some(Answer::Refused(Rejection::OutOfOrder { now: state.head.at })),
                ..Decision::default()
            };
        }
        let seq = state.head.at.seq.saturating_add(1);
        let at = At { seq, time: input.time, block: input.block };
        let taken = |answer: Answer| Fact::Input { id: input.id, at, answer };
        let mut draft = Draft::new(state);
        let outcome = draft
            .record(taken(Answer::Done))
            .map_err(StepError::from)
            .and_then(|()| self.input(&mut draft, &input.body));
        let (mut decision, answer) = match outcome {
            Ok(None) => (draft.into_decision(None), Answer::Done),
            Ok(Some(alarm)) => {
                let mut d = draft.into_decision(None);
                d.effects.push(Effect::Raise(alarm.clone()));
                (d, Answer::Alarm(alarm))
            }
            Err(e) if input.body.is_report() => {
                let alarm = Alarm::Failed { what: e.to_string() };
                let d = Decision {
                    facts: vec![taken(Answer::Done)],
                    effects: vec![Effect::Raise(alarm.clone())],
                    answer: None,
                };
                (d, Answer::Alarm(alarm))
            }
            Err(e) => {
                let alarms = e.alarm().map(Effect::Raise).into_iter().collect();
                let d = Decision { facts: vec![taken(Answer::Done)], effects: alarms, answer: None };
                (d, Answer::Refused(e.into_rejection()))
            }
        };
        if let Some(first) = decision.facts.first_mut() {
            *first = taken(answer.clone());
        }
        decision.answer = Some(answer);
        decision
    }

    /// Decides an entry of the work queue. `named` are the groups that an index says may be below maintenance: it may name too
    /// many, in any order, but never too few.
    pub fn decide_work(&self, state: &State, key: WorkKey, work: Work, named: &[GroupId]) -> Decision {
        let mut draft = Draft::new(state);
        let outcome =
            draft.record(Fact::WorkDone { key }).map_err(StepError::from).and_then(|()| match work {
                Work::Sweep => self.sweep(&mut draft, named),
                Work::Liquidate { group } => self.liquidate(&mut draft, group),
                Work::Allocate { asset, market } => self.allocate(&mut draft, asset, Some(market)),
            });
        match outcome {
            Ok(()) => draft.into_decision(None),
            // the entry leaves the queue all the same, or it would block everything behind it (INV-21)
            Err(e) => Decision {
                facts: vec![Fact::WorkDone { key }],
                effects: vec![Effect::Raise(Alarm::Failed { what: e.to_string() })],
                answer: None,
            },
        }
    }

    pub(crate) fn health(&self, draft: &Draft<'_>, group: GroupId) -> Step<Health> {
        let mut holdings = Holdings::new();
        draft.view(group, &mut holdings)?;
        Ok(self.parts.margin.assess(&holdings.group(group), draft)?)
    }

    /// The strictest of all breakers' verdicts, and which breaker allows least of the action now, the first of equals; `None`
    /// where all allow all of it.
    pub(crate) fn strictest(&self, draft: &Draft<'_>, action: &Action) -> Step<(Verdict, Option<u32>)> {
        let mut verdict = Verdict::ALLOW;
        let (mut least, mut limits) = (action.size(), None);
        let at = draft.head().at;
        for (i, breaker) in self.parts.breakers.iter().enumerate() {
            let slot = Self::slot(slots::BREAKERS, i)?;
            match draft.peek_memory(slot, |m: &Memory<'_>| breaker.admit(at, action, m)) {
                Ok(v) => {
                    verdict = verdict.join(v);
                    if v.allowed(at.time) < least {
                        least = v.allowed(at.time);
                        limits = Some(u32::try_from(i).map_err(|_| MathError::Overflow)?);
                    }
                }
                // a breaker that fails is no reason to hold anybody in (INV-35)
                Err(_) if action.kind().is_way_out() => {}
                Err(e) => return Err(e.into()),
            }
        }
        Ok((verdict, limits))
    }

    /// Refuses an action that the breakers do not allow in full, now.
    pub(crate) fn require_admitted(&self, draft: &Draft<'_>, action: &Action) -> Step<()> {
        let (verdict, limits) = self.strictest(draft, action)?;
        match limits {
            Some(breaker) => refuse(Rejection::Breaker {
                breaker,
                allowed: verdict.allowed(draft.now()),
                not_before: verdict.not_before,
            }),
            None => Ok(()),
        }
    }

    /// Refuses an action that the state of a price does not permit.
    pub(crate) fn require_price(
        &self,
        draft: &Draft<'_>,
        kind: ActionKind,
        instrument: Instrument,
    ) -> Step<()> {
        use cofferdam_core::World;
        let view = match instrument {
            Instrument::Market(m) => draft.market(m).map(|m| m.mark),
            Instrument::Asset(a) => draft.asset(a).map(|a| a.price),
        };
        let state = view.map_or(PriceState::Missing, |v| v.state);
        if self.parts.permits.permits(instrument, kind, state) {
            Ok(())
        } else {
            refuse(Rejection::Price { instrument, state })
        }
    }

    /// Tells the breakers what happened; a trip becomes a fact.
    pub(crate) fn observe(&self, draft: &mut Draft<'_>, observation: &Observation) -> Step<()> {
        let at = draft.head().at;
        for (i, breaker) in self.parts.breakers.iter().enumerate() {
            let slot = Self::slot(slots::BREAKERS, i)?;
            let observed = draft.with_memory(slot, |_, m| breaker.observe(at, observation, m))?;
            // what happened, happened: a breaker that fails on it is looked at, and does not undo it
            let tripped = observed.unwrap_or_else(|e| {
                draft.raise(Alarm::Failed { what: e.to_string() });
                false
            });
            if tripped {
                let breaker = u32::try_from(i).map_err(|_| MathError::Overflow)?;
                draft.record(Fact::Event(crate::EventMark::Tripped { breaker }))?;
            }
        }
        Ok(())
    }
}
