//! Providers that misbehave, each in one way: a sound fund with one fault.

use super::{Capabilities, Check};
use async_trait::async_trait;
use cofferdam_core::{AssetId, DrawId, LayerId, Millis, Ppb, Quanta};
use cofferdam_insurance_layer::{
    Commitment, Escrow, EscrowedFund, InsuranceProvider, Manifest, Payment, ProviderError, QuoteRequest,
    QuoteTerms,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::poll_fn,
    sync::{Mutex, MutexGuard, PoisonError},
    task::Poll,
};

macro_rules! rogues {
    ($($name:ident $check:ident $how:literal;)*) => {
        /// A way to misbehave.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Rogue { $(
            #[doc = concat!($how, ".")]
            $name,
        )* }

        impl Rogue {
            /// Every one.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The check that is meant for it.
            #[must_use]
            pub const fn caught_by(self) -> Check {
                match self { $(Self::$name => Check::$check,)* }
            }
        }
    };
}

rogues! {
    PaysTwice PaysOnce "Pays again when a draw is asked for again";
    AnswersDifferently SameAnswer "Denies on replay what it paid";
    IgnoresExpiry Expiry "Pays after its commitment has expired";
    LeavesEarly Expiry "Takes its commitment back before it expires";
    PaysBeyond WithinCommitment "Pays more than it committed, with money that it does not have";
    PromisesAnything WithinHoldings "Promises more than it holds";
    CountsCapitalTwice CapitalOnce "Promises the same capital to a second layer";
    ChangesTheQuote PriceStands "Asks for more when the quote is asked for again before the commitment";
    GrowsByAsking CapacityStands "Has more capacity the more often it is asked";
    ForgetsWhenInterrupted RetryPaysOnce "Pays, and forgets that it did when nobody waits for the answer";
    PromisesAndRefuses CommittedIsPaid "Promises capacity and denies every draw";
    Runs NoRun "Withdraws when losses rise: denies all draws after the first it paid";
    PaysLess Whole "Pays half of a draw without having said that it pays in parts";
    PaysLate InTime "Puts a payment off whenever it is due";
    TakesGarbage GarbageIn "Settles draws of less than nothing";
    NegativePremium NoNegative "Pays for the custom";
    NegativePart NoNegative "Pays a part of less than nothing";
    Nameless Describes "Has no organisation in its name";
    SpeaksAnotherVersion Describes "Was written against another version of the contract";
    DefaultsMidway Answers "Pays the first draw of a cascade and is gone";
    WrapsAtTheLimit Limits "Its premium wraps around for the largest line";
    PaysAnyAmount OneAmount "Pays again under the same id when the amount differs";
}

const HOLDS: Quanta = Quanta::new(1_000);

/// A fund of 1,000 quanta with one fault.
#[derive(Debug)]
pub struct RogueFund {
    fund: EscrowedFund,
    rogue: Rogue,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    now: Millis,
    quotes: i128,
    // paid beside the fund's own books
    extra: i128,
    asked: BTreeMap<DrawId, Quanta>,
    // paid, while the caller still waits for the answer
    unanswered: BTreeSet<DrawId>,
}

impl RogueFund {
    /// A fresh one.
    ///
    /// # Errors
    ///
    /// None: the terms of the fund within are sound.
    pub fn new(rogue: Rogue) -> Result<Self, cofferdam_insurance_layer::InsuranceError> {
        let fund = EscrowedFund::new("rogue/fund", AssetId(0), HOLDS, Ppb(50_000_000))?;
        Ok(Self { fund, rogue, state: Mutex::default() })
    }

    /// What the suite needs to know of it.
    #[must_use]
    pub fn capabilities() -> Capabilities<'static, Self> {
        Capabilities { holds: HOLDS, paid_out: Some(&Self::paid_out), clock: Some(&Self::clock) }
    }

    fn paid_out(&self) -> Quanta {
        let left = self.fund.held().map_or(0, Quanta::get);
        Quanta::new(HOLDS.get().saturating_sub(left).saturating_add(self.lock().extra))
    }

    fn clock(&self, now: Millis) {
        self.lock().now = now;
        let now = match self.rogue {
            Rogue::IgnoresExpiry => return,
            Rogue::LeavesEarly => Millis(now.0.saturating_add(1)),
            _ => now,
        };
        let _released = self.fund.release_expired(now);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Pays without looking into the books.
    fn pay(&self, amount: Quanta) -> Payment {
        let mut state = self.lock();
        state.extra = state.extra.saturating_add(amount.get());
        Payment::Paid
    }

    fn some_is_open(&self) -> bool {
        self.fund.held() != self.fund.free()
    }
}

/// Is not ready when it is first asked.
async fn once_pending() {
    let mut asked = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

fn denied(reason: &str) -> Payment {
    Payment::Denied { reason: reason.into() }
}

#[async_trait]
impl InsuranceProvider for RogueFund {
    async fn manifest(&self) -> Result<Manifest, ProviderError> {
        let mut manifest = self.fund.manifest().await?;
        match self.rogue {
            Rogue::Nameless => manifest.id = "fund".into(),
            Rogue::SpeaksAnotherVersion => manifest.api_version = manifest.api_version.saturating_add(1),
            Rogue::NegativePart => manifest.supports.partial_payment = true,
            _ => {}
        }
        Ok(manifest)
    }

    async fn quote(&self, request: &QuoteRequest) -> Result<QuoteTerms, ProviderError> {
        let largest = request.limit == Quanta::new(Quanta::LIMIT);
        if self.rogue == Rogue::WrapsAtTheLimit && largest {
            return Ok(QuoteTerms { premium: Quanta::ZERO, valid_until: Millis::MAX });
        }
        let mut terms = self.fund.quote(request).await?;
        let mut state = self.lock();
        match self.rogue {
            Rogue::ChangesTheQuote => {
                terms.premium = Quanta::new(terms.premium.get().saturating_add(state.quotes));
            }
            Rogue::NegativePremium => terms.premium = Quanta::new(-1),
            _ => {}
        }
        state.quotes = state.quotes.saturating_add(1);
        Ok(terms)
    }

    async fn commit(
        &self,
        layer: LayerId,
        capacity: Quanta,
        expires: Millis,
    ) -> Result<Commitment, ProviderError> {
        let promises = match self.rogue {
            Rogue::PromisesAnything => capacity > HOLDS,
            Rogue::CountsCapitalTwice => layer == LayerId(2),
            Rogue::GrowsByAsking => capacity.get() > 0 && capacity.get() <= self.lock().quotes,
            _ => false,
        };
        if promises {
            return Ok(Commitment { layer, capacity, expires, escrow: Escrow::Promised });
        }
        self.fund.commit(layer, capacity, expires).await
    }

    async fn settle(&self, draw: DrawId, amount: Quanta) -> Result<Payment, ProviderError> {
        let before = self.lock().asked.get(&draw).copied();
        let first = self.lock().asked.is_empty();
        if amount.get() > 0 {
            self.lock().asked.entry(draw).or_insert(amount);
        }
        match self.rogue {
            Rogue::PaysTwice if before == Some(amount) => Ok(self.pay(amount)),
            Rogue::AnswersDifferently if before == Some(amount) => Ok(denied("on second thoughts")),
            Rogue::PaysAnyAmount if before.is_some_and(|b| b != amount) => Ok(self.pay(amount)),
            Rogue::PromisesAndRefuses => Ok(denied("not this kind of loss")),
            Rogue::Runs if before.is_none() && !first => Ok(denied("losses rise")),
            Rogue::DefaultsMidway if before.is_none() && !first => {
                Err(ProviderError { message: "insolvent".into(), retryable: false })
            }
            Rogue::TakesGarbage if amount.get() <= 0 => Ok(Payment::Paid),
            Rogue::PaysLate if amount.get() > 0 => {
                Ok(Payment::Pending { until: Millis(self.lock().now.0.saturating_add(1_000)) })
            }
            Rogue::ForgetsWhenInterrupted => {
                let answer = self.fund.settle(draw, amount).await?;
                if self.lock().unanswered.remove(&draw) && answer == Payment::Paid {
                    return Ok(self.pay(amount));
                }
                if before.is_none() {
                    self.lock().unanswered.insert(draw);
                    once_pending().await;
                    self.lock().unanswered.remove(&draw);
                }
                Ok(answer)
            }
            _ => {
                let open = self.some_is_open();
                let answer = self.fund.settle(draw, amount).await?;
                Ok(match (self.rogue, answer) {
                    (Rogue::PaysBeyond, Payment::Denied { .. }) if open => self.pay(amount),
                    (Rogue::PaysLess, Payment::Paid) => {
                        Payment::Partly { paid: Quanta::new(amount.get().midpoint(0)) }
                    }
                    (Rogue::NegativePart, Payment::Paid) => Payment::Partly { paid: Quanta::new(-1) },
                    (_, answer) => answer,
                })
            }
        }
    }
}
