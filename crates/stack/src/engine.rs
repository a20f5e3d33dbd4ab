//! A stack with its state: takes inputs, steps until nothing is due, and hands out effects. The same engine runs in
//! production and in simulation; only the shell that answers the effects differs.

use crate::{Answer, Decision, Effect, EvolveError, Fact, Input, InputId, RiskStack, State, Watch, Work};

/// Why a step was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepCause {
    /// An input came.
    Input(InputId),
    /// An entry of the work queue was due.
    Work(Work),
}

/// Sees every step as it is applied: a journal, a report, a metric. Facts are all there is to see.
pub trait Observer {
    /// A step's facts, with the state after it.
    fn step(&mut self, cause: &StepCause, facts: &[Fact], after: &State);
}

impl Observer for () {
    fn step(&mut self, _: &StepCause, _: &[Fact], _: &State) {}
}

/// What an input led to.
#[must_use]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The answer to the input.
    pub answer: Answer,
    /// What the world is asked to do, in order.
    pub effects: Vec<Effect>,
    /// Steps taken, the input's own included.
    pub steps: u32,
    /// Whether the bound on steps was reached while work was still due; it goes on with the next input.
    pub pending: bool,
}

/// The bound on steps per input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StepLimit(pub u32);

impl Default for StepLimit {
    fn default() -> Self {
        Self(1_000_000)
    }
}

/// A composed stack and its state.
#[derive(Debug)]
pub struct Engine {
    stack: RiskStack,
    state: State,
    watch: Watch,
    limit: StepLimit,
}

impl Engine {
    /// An engine on the stack's empty state.
    #[must_use]
    pub fn new(stack: RiskStack) -> Self {
        let state = stack.initial_state();
        Self::resume(stack, state, StepLimit::default())
    }

    /// An engine on a state from elsewhere: a snapshot, or the facts of a journal.
    #[must_use]
    pub fn resume(stack: RiskStack, state: State, limit: StepLimit) -> Self {
        let watch = Watch::rebuild(&state);
        Self { stack, state, watch, limit }
    }

    /// The composed modules.
    #[must_use]
    pub const fn stack(&self) -> &RiskStack {
        &self.stack
    }

    /// The state.
    #[must_use]
    pub const fn state(&self) -> &State {
        &self.state
    }

    /// The groups that the index would name now.
    pub fn named(&mut self) -> Vec<cofferdam_core::GroupId> {
        self.watch.named(&self.stack, &self.state)
    }

    /// Takes an input in and steps until nothing is due or the bound is reached.
    ///
    /// # Errors
    ///
    /// A decision that does not apply to the state it was made from: a defect of this crate, never of an input.
    pub fn submit(&mut self, input: &Input, observer: &mut dyn Observer) -> Result<Outcome, EvolveError> {
        let decision = self.stack.decide(&self.state, input);
        let answer = decision.answer.clone().unwrap_or(Answer::Done);
        let mut effects = self.apply(&StepCause::Input(input.id), decision, observer)?;
        let mut steps: u32 = 1;
        let now = self.state.head().at.time;
        let pending = loop {
            let Some((key, work)) = self.state.due(now) else { break false };
            if steps >= self.limit.0 {
                break true;
            }
            let named =
                if work == Work::Sweep { self.watch.named(&self.stack, &self.state) } else { Vec::new() };
            let decision = self.stack.decide_work(&self.state, key, work, &named);
            effects.extend(self.apply(&StepCause::Work(work), decision, observer)?);
            steps = steps.saturating_add(1);
        };
        Ok(Outcome { answer, effects, steps, pending })
    }

    fn apply(
        &mut self,
        cause: &StepCause,
        decision: Decision,
        observer: &mut dyn Observer,
    ) -> Result<Vec<Effect>, EvolveError> {
        for fact in &decision.facts {
            self.state.evolve(fact)?;
            self.watch.note(fact);
        }
        if !decision.facts.is_empty() {
            observer.step(cause, &decision.facts, &self.state);
        }
        Ok(decision.effects)
    }
}
