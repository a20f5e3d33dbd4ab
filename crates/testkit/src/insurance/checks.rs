//! The checks of a provider. Each begins with a fresh one and looks at its own law only: what another check is for passes here.

use super::{Capabilities, Check, Finding, Report};
use cofferdam_core::{DrawId, LayerId, Millis, Ppb, Quanta};
use cofferdam_insurance_layer::{
    API_VERSION, CommitRequest, CommitmentId, Cover, Draw, InsuranceProvider, Payment, ProviderError,
    QuoteId, QuoteRequest, QuoteTerms, Supports, Trigger,
};
use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

const LAYER: LayerId = LayerId(1);
const OTHER: LayerId = LayerId(2);
const STRANGER: LayerId = LayerId(9);
const NOW: Millis = Millis(0);
const EXPIRES: Millis = Millis(1_000_000);
const DAY: Millis = Millis(86_400_000);
/// How often a call may be polled before it is held to have no end.
const POLLS: u32 = 100_000;

/// Runs every check of a provider (INS-01 to INS-19 and INS-22 to INS-26). `fresh` makes one that has promised and paid nothing.
pub async fn conformance<P: InsuranceProvider>(
    fresh: impl Fn() -> P,
    capabilities: &Capabilities<'_, P>,
) -> Report {
    let suite = Suite { fresh: &fresh, capabilities };
    let mut report = Report::default();
    for check in Check::ALL {
        match suite.run(*check).await {
            Verdict::Holds => {}
            Verdict::Skipped => report.skipped.push(*check),
            Verdict::Broken(case) => report.findings.push(Finding { check: *check, case }),
        }
    }
    report
}

enum Verdict {
    Holds,
    Skipped,
    Broken(String),
}

fn holds(law: bool, case: impl FnOnce() -> String) -> Verdict {
    if law { Verdict::Holds } else { Verdict::Broken(case()) }
}

type Settled = Result<Payment, ProviderError>;

struct Suite<'a, P> {
    fresh: &'a dyn Fn() -> P,
    capabilities: &'a Capabilities<'a, P>,
}

impl<P: InsuranceProvider> Suite<'_, P> {
    async fn run(&self, check: Check) -> Verdict {
        match check {
            Check::PaysOnce => self.pays_once().await,
            Check::SameAnswer => self.same_answer().await,
            Check::Expiry => self.expiry().await,
            Check::WithinCommitment => self.within_commitment().await,
            Check::WithinHoldings => self.within_holdings().await,
            Check::CapitalOnce => self.promised_in_all(&[LAYER, OTHER], 0).await,
            Check::PriceStands => self.price_stands().await,
            Check::CapacityStands => self.promised_in_all(&[LAYER, LAYER], 10).await,
            Check::RetryPaysOnce => self.retry_pays_once().await,
            Check::CommittedIsPaid => self.committed_is_paid().await,
            Check::NoRun => self.no_run().await,
            Check::Whole => self.whole().await,
            Check::InTime => self.in_time().await,
            Check::GarbageIn => self.garbage_in().await,
            Check::NoNegative => self.no_negative().await,
            Check::Describes => self.describes().await,
            Check::Answers => self.answers().await,
            Check::Limits => self.limits().await,
            Check::OneAmount => self.one_amount().await,
            Check::QuoteBinds => self.quote_binds().await,
            Check::CommitsOnce => self.commits_once().await,
            Check::OfferStands => self.offer_stands().await,
            Check::TellsAhead => self.tells_ahead().await,
            Check::Bounded => self.bounded().await,
            Check::LayerContract | Check::Order => Verdict::Holds, // of layers: see `layer`
        }
    }

    fn half(&self) -> Quanta {
        part(self.capabilities.holds, 2)
    }

    /// A provider that has committed half of what it holds. One that promises nothing has nothing to be held to.
    async fn committed(&self) -> P {
        let provider = (self.fresh)();
        let _promise = promise(&provider, 1, LAYER, self.half()).await;
        provider
    }

    async fn supports(&self) -> Supports {
        (self.fresh)().manifest().await.map_or(Supports::NOTHING, |m| m.supports)
    }

    async fn decides_freely(&self) -> bool {
        (self.fresh)().manifest().await.is_ok_and(|m| m.trigger == Trigger::Discretionary)
    }

    async fn pays_once(&self) -> Verdict {
        let Some(paid_out) = self.capabilities.paid_out else { return Verdict::Skipped };
        let (provider, amount) = (self.committed().await, part(self.half(), 2));
        let first = settle(&provider, 1, amount).await;
        let purse = paid_out(&provider);
        let second = settle(&provider, 1, amount).await;
        // what was pending may be paid now
        holds(is_pending(&first) || paid_out(&provider) == purse, || {
            format!("{amount} paid: {first:?}, {purse} out; then {second:?}, {} out", paid_out(&provider))
        })
    }

    async fn same_answer(&self) -> Verdict {
        let (provider, amount) = (self.committed().await, part(self.half(), 2));
        let first = settle(&provider, 1, amount).await;
        let second = settle(&provider, 1, amount).await;
        holds(is_pending(&first) || first.is_err() || first == second, || {
            format!("{first:?}, then {second:?}")
        })
    }

    async fn expiry(&self) -> Verdict {
        let Some(clock) = self.capabilities.clock else { return Verdict::Skipped };
        let amount = part(self.half(), 2);
        let early = settle(&self.committed().await, 1, amount).await;
        let provider = self.committed().await;
        clock(&provider, EXPIRES);
        let last = settle(&provider, 1, amount).await;
        if !is_denied(&early) && is_denied(&last) {
            return Verdict::Broken(format!("{early:?} at first, {last:?} at the last instant"));
        }
        let provider = self.committed().await;
        clock(&provider, Millis(EXPIRES.0.saturating_add(1)));
        let late = settle(&provider, 1, amount).await;
        holds(paid(&late, amount) <= 0, || format!("{late:?} after its commitment expired"))
    }

    async fn within_commitment(&self) -> Verdict {
        let provider = (self.fresh)();
        let promised = promise(&provider, 1, LAYER, self.half()).await;
        let promised = promised.map_or(Quanta::ZERO, |c| c.commitment.capacity);
        let beyond = Quanta::new(promised.get().saturating_add(1));
        let mut sum = 0_i128;
        for (id, amount) in (1..).zip([beyond, Quanta::new(Quanta::LIMIT), promised, promised]) {
            sum = sum.saturating_add(paid(&settle(&provider, id, amount).await, amount));
        }
        holds(sum <= promised.get(), || format!("{sum} paid, {promised} committed"))
    }

    async fn within_holdings(&self) -> Verdict {
        let all = self.capabilities.holds;
        for capacity in [Quanta::new(all.get().saturating_add(1)), Quanta::new(Quanta::LIMIT)] {
            let promise = promise(&(self.fresh)(), 1, LAYER, capacity).await;
            if promise.as_ref().is_ok_and(|c| c.commitment.capacity > all) {
                return Verdict::Broken(format!("{promise:?} of {all} held"));
            }
        }
        Verdict::Holds
    }

    /// All of what it holds is promised, and then once more, after so many quotes.
    async fn promised_in_all(&self, layers: &[LayerId], quotes: u32) -> Verdict {
        let (provider, all) = ((self.fresh)(), self.capabilities.holds);
        for _ in 0..quotes {
            let _offer = provider.quote(&request(self.half())).await;
        }
        let mut sum = 0_i128;
        for ((id, layer), capacity) in (1..).zip(layers).zip([all, Quanta::new(1)]) {
            if let Ok(promise) = promise(&provider, id, *layer, capacity).await {
                sum = sum.saturating_add(promise.commitment.capacity.get());
            }
        }
        holds(sum <= all.get(), || format!("{sum} promised to {layers:?} after {quotes} quotes, {all} held"))
    }

    async fn price_stands(&self) -> Verdict {
        let (provider, request) = ((self.fresh)(), request(self.half()));
        let Ok(first) = provider.quote(&request).await else { return Verdict::Holds };
        let again = provider.quote(&request).await;
        // the time stands still here: nothing has lapsed
        holds(again.as_ref().is_ok_and(|t| t.premium == first.premium), || {
            format!("{first:?}, then {again:?} before the commitment")
        })
    }

    async fn retry_pays_once(&self) -> Verdict {
        let Some(paid_out) = self.capabilities.paid_out else { return Verdict::Skipped };
        let (provider, amount) = (self.committed().await, part(self.half(), 4));
        let once = async |id: DrawId| {
            let _answer = settle(&provider, id.0, amount).await;
        };
        once(DrawId(1)).await;
        let first = paid_out(&provider);
        once(DrawId(1)).await;
        let repeated = paid_out(&provider);
        if repeated != first {
            return Verdict::Holds; // for INS-01
        }
        {
            let draw = Draw { layer: LAYER, amount };
            let mut lost = provider.settle(DrawId(2), &draw);
            poll_fn(|cx| {
                let _lost = lost.as_mut().poll(cx);
                Poll::Ready(())
            })
            .await;
        }
        once(DrawId(2)).await;
        once(DrawId(2)).await;
        let out = paid_out(&provider).get().saturating_sub(repeated.get());
        holds(out <= amount.get(), || format!("{out} left its purse for a draw of {amount}"))
    }

    async fn committed_is_paid(&self) -> Verdict {
        if self.decides_freely().await {
            return Verdict::Holds;
        }
        let amount = part(self.half(), 4);
        let first = settle(&self.committed().await, 1, amount).await;
        holds(!matches!(first, Ok(Payment::Denied { .. })), || format!("{first:?} for {amount}"))
    }

    async fn no_run(&self) -> Verdict {
        let (provider, amount) = (self.committed().await, part(self.half(), 4));
        if self.decides_freely().await || is_denied(&settle(&provider, 1, amount).await) {
            return Verdict::Holds; // for INS-10 and INS-17
        }
        for id in 2..=4 {
            let later = settle(&provider, id, amount).await;
            if matches!(later, Ok(Payment::Denied { .. })) {
                return Verdict::Broken(format!(
                    "draw {id} of four equal parts of its commitment: {later:?}"
                ));
            }
        }
        Verdict::Holds
    }

    async fn whole(&self) -> Verdict {
        let amount = part(self.half(), 4);
        let answer = settle(&self.committed().await, 1, amount).await;
        let parts = matches!(answer, Ok(Payment::Partly { .. }));
        holds(!parts || self.supports().await.partial_payment, || format!("{answer:?} of {amount}"))
    }

    async fn in_time(&self) -> Verdict {
        let (provider, amount) = (self.committed().await, part(self.half(), 4));
        let first = settle(&provider, 1, amount).await;
        // a dispute is for somebody else to end
        let Ok(Payment::Pending { until }) = first else { return Verdict::Holds };
        let Some(clock) = self.capabilities.clock else { return Verdict::Skipped };
        clock(&provider, until);
        let then = settle(&provider, 1, amount).await;
        holds(!matches!(then, Ok(Payment::Pending { .. })), || format!("{first:?}, and then {then:?}"))
    }

    async fn garbage_in(&self) -> Verdict {
        for amount in [0, -1, -Quanta::LIMIT].map(Quanta::new) {
            let promise = promise(&(self.fresh)(), 1, LAYER, amount).await;
            if promise.is_ok() {
                return Verdict::Broken(format!("{promise:?} for {amount}"));
            }
            let payment = settle(&self.committed().await, 1, amount).await;
            if !is_denied(&payment) {
                return Verdict::Broken(format!("{payment:?} for {amount}"));
            }
        }
        Verdict::Holds
    }

    async fn no_negative(&self) -> Verdict {
        let terms = (self.fresh)().quote(&request(self.half())).await;
        if terms.as_ref().is_ok_and(|t| t.premium.is_negative()) {
            return Verdict::Broken(format!("{terms:?}"));
        }
        let amount = part(self.half(), 4);
        let payment = settle(&self.committed().await, 1, amount).await;
        holds(paid(&payment, amount) >= 0, || format!("{payment:?} of {amount}"))
    }

    async fn describes(&self) -> Verdict {
        let manifest = (self.fresh)().manifest().await;
        let sound = manifest.as_ref().is_ok_and(|m| {
            let named = m.id.split_once('/').is_some_and(|(org, name)| !org.is_empty() && !name.is_empty());
            named && m.api_version == API_VERSION
        });
        holds(sound, || format!("{manifest:?}"))
    }

    async fn answers(&self) -> Verdict {
        let (provider, amount) = (self.committed().await, part(self.half(), 4));
        for id in 1..=4 {
            let answer = settle(&provider, id, amount).await;
            if let Err(e) = &answer
                && !e.retryable
            {
                return Verdict::Broken(format!(
                    "draw {id} of four equal parts of its commitment: {answer:?}"
                ));
            }
        }
        Verdict::Holds
    }

    async fn limits(&self) -> Verdict {
        let mut dearest: Option<(Quanta, Quanta)> = None;
        for limit in [Quanta::new(1), self.half(), Quanta::new(Quanta::LIMIT)] {
            let Ok(terms) = (self.fresh)().quote(&request(limit)).await else { continue };
            if let Some((smaller, premium)) = dearest
                && terms.premium < premium
            {
                return Verdict::Broken(format!(
                    "a line of {limit} for {}, {smaller} for {premium}",
                    terms.premium
                ));
            }
            dearest = Some((limit, terms.premium));
        }
        Verdict::Holds
    }

    async fn one_amount(&self) -> Verdict {
        let (provider, amount) = (self.committed().await, part(self.half(), 4));
        let first = settle(&provider, 1, amount).await;
        if is_pending(&first) || first.is_err() {
            return Verdict::Holds;
        }
        let purse = self.capabilities.paid_out.map(|f| f(&provider));
        let other = settle(&provider, 1, part(self.half(), 2)).await;
        let moved = self.capabilities.paid_out.map(|f| f(&provider)) != purse;
        // refused, or answered as before
        let harmless = other.is_err() || is_denied(&other) || other == first;
        holds(harmless && !moved, || format!("{first:?}; under the same id for twice as much {other:?}"))
    }

    async fn quote_binds(&self) -> Verdict {
        let (provider, line) = ((self.fresh)(), self.half());
        let Ok(terms) = provider.quote(&request(line)).await else { return Verdict::Holds };
        let asked = take(1, &terms, LAYER, line);
        let Ok(cover) = provider.commit(&asked).await else { return Verdict::Holds };
        let got = cover.commitment;
        let as_asked = (got.layer, got.expires) == (asked.layer, asked.expires);
        // less than was asked may cost less
        let price = cover.premium == terms.premium || got.capacity < line && cover.premium <= terms.premium;
        let sound = as_asked && price && got.capacity <= line && got.capacity > Quanta::ZERO;
        holds(sound, || format!("{terms:?}, taken up as {asked:?}: {cover:?}"))
    }

    async fn commits_once(&self) -> Verdict {
        let (provider, line) = ((self.fresh)(), self.half());
        let Ok(terms) = provider.quote(&request(line)).await else { return Verdict::Holds };
        let asked = take(1, &terms, LAYER, line);
        let first = provider.commit(&asked).await;
        let before = provider.capacity(LAYER, NOW).await;
        let second = provider.commit(&asked).await;
        let after = provider.capacity(LAYER, NOW).await;
        holds(first.is_err() || (first == second && before == after), || {
            format!("{first:?} and {before:?} to draw on, asked again {second:?} and {after:?}")
        })
    }

    async fn offer_stands(&self) -> Verdict {
        let (provider, line) = ((self.fresh)(), self.half());
        let never = CommitRequest { quote: QuoteId(u64::MAX), ..take(1, &nothing(), LAYER, line) };
        let got = provider.commit(&never).await;
        if got.is_ok() {
            return Verdict::Broken(format!("{got:?} on an offer that was never made"));
        }
        let Ok(terms) = provider.quote(&request(line)).await else { return Verdict::Holds };
        let Some(at) = terms.valid_until.0.checked_add(1).map(Millis) else { return Verdict::Holds };
        let late = CommitRequest { at, expires: at, ..take(2, &terms, LAYER, line) };
        let got = provider.commit(&late).await;
        holds(got.is_err(), || format!("{got:?} on {terms:?} at {}", at.0))
    }

    async fn tells_ahead(&self) -> Verdict {
        let provider = (self.fresh)();
        let promised = promise(&provider, 1, LAYER, self.half()).await;
        let promised = promised.map_or(Quanta::ZERO, |c| c.commitment.capacity);
        let beyond = Millis(EXPIRES.0.saturating_add(1));
        let mut told = Vec::new();
        for at in [NOW, EXPIRES, beyond] {
            match provider.capacity(LAYER, at).await {
                Ok(capacity) => told.push(capacity),
                Err(e) => return Verdict::Broken(format!("its capacity at {}: {e}", at.0)),
            }
        }
        let most = [promised, promised, Quanta::ZERO];
        if told.iter().zip(most).any(|(told, most)| *told > most || told.is_negative()) {
            return Verdict::Broken(format!("{told:?} now, at the last instant and after it, of {promised}"));
        }
        let Some(clock) = self.capabilities.clock else { return Verdict::Skipped };
        let Some(last) = told.get(1).copied().filter(|c| *c > Quanta::ZERO) else { return Verdict::Holds };
        clock(&provider, EXPIRES);
        let then = settle(&provider, 1, last).await;
        // one that decides freely, or puts a payment off, promises nothing about this draw
        let drawn = is_pending(&then) || paid(&then, last) > 0 || self.decides_freely().await;
        // for INS-03, INS-10 and INS-17
        let other = is_denied(&settle(&provider, 2, part(last, 4)).await);
        holds(drawn || other, || format!("{last} told for the last instant, and then {then:?}"))
    }

    async fn bounded(&self) -> Verdict {
        let provider = self.committed().await;
        let draw = Draw { layer: STRANGER, amount: part(self.half(), 4) };
        let capacity = ends(provider.capacity(STRANGER, NOW)).await;
        let payment = ends(provider.settle(DrawId(1), &draw)).await;
        holds(capacity && payment, || {
            format!(
                "about a layer that it never committed to: its capacity ends {capacity}, a draw {payment}"
            )
        })
    }
}

fn request(limit: Quanta) -> QuoteRequest {
    QuoteRequest { at: NOW, exposure: limit, term: DAY, attachment: Quanta::ZERO, limit, share: Ppb::ONE }
}

fn take(id: u64, terms: &QuoteTerms, layer: LayerId, capacity: Quanta) -> CommitRequest {
    CommitRequest { id: CommitmentId(id), quote: terms.id, layer, capacity, at: NOW, expires: EXPIRES }
}

fn nothing() -> QuoteTerms {
    QuoteTerms {
        id: QuoteId::default(),
        premium: Quanta::ZERO,
        valid_until: Millis::MAX,
        conditions: String::new(),
    }
}

/// An offer for a line, taken up whole.
async fn promise(
    provider: &dyn InsuranceProvider,
    id: u64,
    layer: LayerId,
    capacity: Quanta,
) -> Result<Cover, ProviderError> {
    let terms = provider.quote(&request(capacity)).await?;
    provider.commit(&take(id, &terms, layer, capacity)).await
}

async fn settle(provider: &dyn InsuranceProvider, id: u32, amount: Quanta) -> Settled {
    provider.settle(DrawId(id), &Draw { layer: LAYER, amount }).await
}

/// Whether a call is answered before it was polled too often.
async fn ends<T>(call: impl Future<Output = T>) -> bool {
    let mut call = pin!(call);
    let mut polls = 0_u32;
    poll_fn(|cx| {
        polls = polls.saturating_add(1);
        match call.as_mut().poll(cx) {
            Poll::Ready(_) => Poll::Ready(true),
            Poll::Pending if polls > POLLS => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn part(of: Quanta, parts: i128) -> Quanta {
    Quanta::new(of.get().checked_div(parts).unwrap_or_default())
}

fn paid(answer: &Settled, amount: Quanta) -> i128 {
    match answer {
        Ok(Payment::Paid) => amount.get(),
        Ok(Payment::Partly { paid }) => paid.get(),
        Ok(Payment::Pending { .. } | Payment::Denied { .. } | Payment::Disputed { .. }) | Err(_) => 0,
    }
}

fn is_pending(answer: &Settled) -> bool {
    matches!(answer, Ok(Payment::Pending { .. } | Payment::Disputed { .. }))
}

fn is_denied(answer: &Settled) -> bool {
    matches!(answer, Ok(Payment::Denied { .. }) | Err(_))
}
