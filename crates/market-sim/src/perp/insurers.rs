//! Insurers outside the stack: what they promised is paid at once, late, in part or not at all, and some leave when losses rise. They are
//! providers like any other, behind the desk that production uses.

use super::Cover;
use async_trait::async_trait;
use cofferdam_core::{AssetId, DrawId, LayerId, Millis, Ppb, Quanta, Rounding};
use cofferdam_insurance_layer::{
    CommitRequest, Draw, EscrowedFund, InsuranceProvider, Manifest, Payment, ProviderError, QuoteRequest,
    QuoteTerms,
};
use cofferdam_runtime::{InsuranceDesk, Line};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How an insurer who promised behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InsurerPlan {
    /// Which layer it insures.
    pub layer: LayerId,
    /// It pays so long after it was asked first.
    pub settles_after: Millis,
    /// It pays this share of each draw and denies the rest.
    pub pays: Ppb,
    /// Once it has paid so much in all it is insolvent: of the draw that takes it there it pays what is left, of later ones nothing.
    pub defaults_after: Option<Quanta>,
    /// It commits for so long at a time; `None`: for as long as the stack file says.
    pub term: Option<Millis>,
    /// Once losses in all have reached this it commits to no further term: an insurance run.
    pub leaves_at: Option<Quanta>,
}

impl InsurerPlan {
    /// One that pays everything at once and stays.
    #[must_use]
    pub const fn reliable(layer: LayerId) -> Self {
        Self {
            layer,
            settles_after: Millis::ZERO,
            pays: Ppb::ONE,
            defaults_after: None,
            term: None,
            leaves_at: None,
        }
    }
}

/// What everybody can know: the time, and losses so far.
#[derive(Clone, Copy, Debug, Default)]
struct News {
    now: Millis,
    losses: Quanta,
}

/// The insurers of a run, and the desk that asks them.
#[derive(Debug, Default)]
pub(super) struct Insurers {
    pub(super) desk: InsuranceDesk,
    news: Arc<Mutex<News>>,
}

impl Insurers {
    /// One for each promise among the covers, as planned or reliable. Its money is what it promised.
    pub(super) fn new(covers: &[Cover], plans: &[InsurerPlan], start: Millis) -> Result<Self, String> {
        let mut all = Self::default();
        for cover in covers.iter().filter(|c| c.escrow.get() <= 0) {
            let plan = plans.iter().find(|p| p.layer == cover.layer).copied();
            let plan = plan.unwrap_or(InsurerPlan::reliable(cover.layer));
            let fund = EscrowedFund::new("market-sim/insurer", AssetId(0), cover.capacity, Ppb::ZERO);
            let insurer = Insurer {
                fund: fund.map_err(|e| e.to_string())?,
                plan,
                news: all.news.clone(),
                state: Mutex::default(),
            };
            let term = plan.term.unwrap_or(Millis(cover.expires.since(start).0.max(1)));
            let line = Line {
                aggregate: Some(cover.capacity),
                renew_ahead: Millis(0),
                ..Line::new(cover.layer, cover.capacity, term)
            };
            all.desk.place(line, Arc::new(insurer)).map_err(|e| e.to_string())?;
        }
        Ok(all)
    }

    pub(super) fn tell(&self, now: Millis, losses: Quanta) {
        *lock(&self.news) = News { now, losses };
    }
}

/// A fund in memory with a will of its own.
#[derive(Debug)]
struct Insurer {
    fund: EscrowedFund,
    plan: InsurerPlan,
    news: Arc<Mutex<News>>,
    state: Mutex<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    paid: Quanta,
    /// When a draw is paid, and how: decided when it is asked for first.
    decided: BTreeMap<DrawId, (Millis, Payment)>,
}

// Nothing here panics while it holds a lock.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

fn refused(message: &str) -> ProviderError {
    ProviderError { message: message.into(), retryable: false }
}

impl Insurer {
    /// What it will pay of a draw that its fund can pay: its share, up to insolvency.
    fn part(&self, answers: &Answers, amount: Quanta) -> Option<Quanta> {
        let part = self.plan.pays.of(amount, Rounding::Down).ok()?;
        match self.plan.defaults_after {
            Some(most) => Some(part.min(most.try_sub(answers.paid).ok()?.positive_part())),
            None => Some(part),
        }
    }
}

#[async_trait]
impl InsuranceProvider for Insurer {
    async fn manifest(&self) -> Result<Manifest, ProviderError> {
        self.fund.manifest().await
    }

    async fn quote(&self, request: &QuoteRequest) -> Result<QuoteTerms, ProviderError> {
        let news = *lock(&self.news);
        self.fund.release_expired(news.now)?;
        if self.plan.leaves_at.is_some_and(|at| news.losses >= at) {
            return Err(refused("no further term after such losses"));
        }
        let insolvent = |at: Quanta| lock(&self.state).paid >= at;
        if self.plan.defaults_after.is_some_and(insolvent) {
            return Err(refused("insolvent"));
        }
        self.fund.quote(request).await
    }

    async fn commit(
        &self,
        request: &CommitRequest,
    ) -> Result<cofferdam_insurance_layer::Cover, ProviderError> {
        self.fund.commit(request).await
    }

    async fn capacity(&self, layer: LayerId, at: Millis) -> Result<Quanta, ProviderError> {
        self.fund.capacity(layer, at).await
    }

    async fn settle(&self, id: DrawId, draw: &Draw) -> Result<Payment, ProviderError> {
        let now = lock(&self.news).now;
        let known = lock(&self.state).decided.get(&id).cloned();
        let (due, payment) = match known {
            Some(decided) => decided,
            None => {
                // the money is set aside at once, whenever it arrives
                let covered = self.fund.settle(id, draw).await?;
                let mut answers = lock(&self.state);
                let payment = match covered {
                    Payment::Paid => match self.part(&answers, draw.amount) {
                        Some(part) if part == draw.amount => Payment::Paid,
                        Some(part) if part > Quanta::ZERO => Payment::Partly { paid: part },
                        _ => Payment::Denied { reason: "insolvent, or the claim is contested".into() },
                    },
                    other => other,
                };
                let paid = match payment {
                    Payment::Paid => draw.amount,
                    Payment::Partly { paid } => paid,
                    _ => Quanta::ZERO,
                };
                answers.paid = answers.paid.try_add(paid).map_err(|e| refused(&e.to_string()))?;
                let due = now.try_add(self.plan.settles_after).unwrap_or(now);
                answers.decided.insert(id, (due, payment.clone()));
                (due, payment)
            }
        };
        Ok(if now < due { Payment::Pending { until: due } } else { payment })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_runtime::at_once;
    use cofferdam_testkit::insurance::{Capabilities, block_on, conformance};

    const LAYER: LayerId = LayerId(4);
    const HOLDS: Quanta = Quanta::new(1_000);
    const ASK: QuoteRequest = QuoteRequest {
        at: Millis(0),
        exposure: HOLDS,
        term: Millis(500),
        attachment: Quanta::ZERO,
        limit: HOLDS,
        share: Ppb::ONE,
    };

    fn insurer(plan: InsurerPlan) -> Insurer {
        let fund = EscrowedFund::new("market-sim/insurer", AssetId(0), HOLDS, Ppb::ZERO).unwrap();
        Insurer { fund, plan, news: Arc::default(), state: Mutex::default() }
    }

    #[test]
    fn a_reliable_one_passes_the_public_suite() {
        let capabilities = Capabilities {
            holds: HOLDS,
            paid_out: Some(&|i: &Insurer| HOLDS.try_sub(i.fund.held().unwrap()).unwrap()),
            clock: Some(&|i: &Insurer, now| {
                lock(&i.news).now = now;
                i.fund.release_expired(now).unwrap();
            }),
        };
        block_on(conformance(|| insurer(InsurerPlan::reliable(LAYER)), &capabilities)).passes();
    }

    /// Three draws of 300 at 10, 20 and 30 on 1,000 committed: what each is answered at its time and 100 later.
    #[track_caller]
    fn check(plan: InsurerPlan, answers: [&str; 3]) {
        let insurer = insurer(plan);
        let quote = at_once(insurer.quote(&ASK)).unwrap().unwrap().id;
        let id = cofferdam_insurance_layer::CommitmentId(1);
        let (at, expires) = (Millis(0), Millis(500));
        let commit = CommitRequest { id, quote, layer: LAYER, capacity: HOLDS, at, expires };
        at_once(insurer.commit(&commit)).unwrap().unwrap();
        let say = |number: u32, now: u32| {
            lock(&insurer.news).now = Millis(now.into());
            let draw = Draw { layer: LAYER, amount: Quanta::new(300) };
            match at_once(insurer.settle(DrawId(number), &draw)).unwrap().unwrap() {
                Payment::Paid => "300".to_owned(),
                Payment::Partly { paid } => paid.to_string(),
                Payment::Denied { .. } => "0".to_owned(),
                Payment::Pending { until } => format!("at {}", until.0),
                Payment::Disputed { .. } => "disputed".to_owned(),
            }
        };
        let said: Vec<String> =
            (1..=3).map(|n| format!("{}, {}", say(n, n * 10), say(n, n * 10 + 100))).collect();
        assert_eq!(said, answers, "{plan:?}");
    }

    #[test]
    fn a_plan_is_kept() {
        let reliable = InsurerPlan::reliable(LAYER);
        check(reliable, ["300, 300", "300, 300", "300, 300"]);
        let late = InsurerPlan { settles_after: Millis(50), ..reliable };
        check(late, ["at 60, 300", "at 70, 300", "at 80, 300"]);
        check(InsurerPlan { pays: Ppb(800_000_000), ..reliable }, ["240, 240", "240, 240", "240, 240"]);
        let insolvent = InsurerPlan { defaults_after: Some(Quanta::new(450)), ..reliable };
        check(insolvent, ["300, 300", "150, 150", "0, 0"]);
    }

    #[test]
    fn who_leaves_gives_no_further_term() {
        let leaves = InsurerPlan { leaves_at: Some(Quanta::new(50)), ..InsurerPlan::reliable(LAYER) };
        for (losses, stays) in [(49, true), (50, false)] {
            let insurer = insurer(leaves);
            lock(&insurer.news).losses = Quanta::new(losses);
            assert_eq!(at_once(insurer.quote(&ASK)).unwrap().is_ok(), stays);
        }
    }
}
