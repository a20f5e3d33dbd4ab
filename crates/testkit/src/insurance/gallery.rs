//! Providers that misbehave, each in one way: a sound fund with one fault.

use super::{Capabilities, Check};
use async_trait::async_trait;
use cofferdam_core::{AssetId, DrawId, LayerId, Millis, Ppb, Quanta};
use cofferdam_insurance_layer::{
    CommitRequest, Commitment, CommitmentId, Cover, Draw, Escrow, EscrowedFund, InsuranceProvider, Manifest,
    Payment, ProviderError, QuoteId, QuoteRequest, QuoteTerms,
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
    Reprices QuoteBinds "Asks for more when its offer is taken up";
    SaysAnotherTime QuoteBinds "Commits for longer than was asked";
    ReservesTwice CommitsOnce "Commits again when it is asked again under the same name";
    TakesAnyOffer OfferStands "Commits on offers that it never made";
    HonoursLapsed OfferStands "Commits on offers that have lapsed";
    TellsTooMuch TellsAhead "Tells of twice the capacity that it committed";
    CountsExpired TellsAhead "Tells of capacity beyond the time when it expires";
    CoolsDown TellsAhead "Tells of cover that is in cool-down, and has left a part of it when it is drawn";
    NeverAnswers Bounded "Keeps whoever asks about a layer that it does not know";
}

const HOLDS: Quanta = Quanta::new(1_000);

/// An offer of what is not there.
const BEYOND: QuoteId = QuoteId(1 << 33);

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
    // the last premium that was asked for
    asks: Quanta,
    made: BTreeSet<CommitmentId>,
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

    /// An offer for what is asked, as if it had been asked for.
    async fn requote(&self, request: &CommitRequest) -> Result<QuoteId, ProviderError> {
        let term = Millis(request.expires.0.saturating_sub(request.at.0));
        let (exposure, attachment) = (request.capacity, Quanta::ZERO);
        let (at, limit, share) = (request.at, request.capacity, Ppb::ONE);
        let asked = QuoteRequest { at, exposure, term, attachment, limit, share };
        Ok(self.fund.quote(&asked).await?.id)
    }

    fn some_is_open(&self) -> bool {
        self.fund.held() != self.fund.free()
    }
}

/// Is never ready, and asks to be asked again.
async fn never() {
    poll_fn(|cx| {
        cx.waker().wake_by_ref();
        Poll::<()>::Pending
    })
    .await;
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
        let offer = |id| QuoteTerms {
            id,
            premium: Quanta::ZERO,
            valid_until: Millis::MAX,
            conditions: String::new(),
        };
        if self.rogue == Rogue::WrapsAtTheLimit && largest {
            return Ok(offer(QuoteId(1 << 32)));
        }
        let quoted = self.fund.quote(request).await;
        let mut state = self.lock();
        let quotes = state.quotes;
        state.quotes = quotes.saturating_add(1);
        let promises = match self.rogue {
            Rogue::PromisesAnything => request.limit > HOLDS && !largest,
            Rogue::CountsCapitalTwice => request.limit == Quanta::new(1),
            Rogue::GrowsByAsking => quotes > 10,
            _ => false,
        };
        if promises && quoted.is_err() {
            return Ok(offer(BEYOND));
        }
        let mut terms = quoted?;
        match self.rogue {
            Rogue::ChangesTheQuote => {
                terms.premium = Quanta::new(terms.premium.get().saturating_add(quotes));
                state.asks = terms.premium;
            }
            Rogue::NegativePremium => terms.premium = Quanta::new(-1),
            _ => {}
        }
        Ok(terms)
    }

    async fn commit(&self, request: &CommitRequest) -> Result<Cover, ProviderError> {
        let CommitRequest { layer, capacity, expires, .. } = *request;
        if request.quote == BEYOND {
            // capital that one layer has already does not stop it, only that it is another one
            if self.rogue == Rogue::CountsCapitalTwice && layer == LayerId(1) {
                return self.fund.commit(request).await;
            }
            let commitment = Commitment { layer, capacity, expires, escrow: Escrow::Promised };
            return Ok(Cover { commitment, premium: Quanta::ZERO });
        }
        let mut request = *request;
        match self.rogue {
            Rogue::TakesAnyOffer if request.quote == QuoteId(u64::MAX) => {
                request.quote = self.requote(&request).await?;
            }
            Rogue::HonoursLapsed if request.at > Millis(0) => request.at = Millis(0),
            Rogue::ReservesTwice => {
                let again = !self.lock().made.insert(request.id);
                if again {
                    request.quote = self.requote(&request).await?;
                    request.id = CommitmentId(request.id.0.saturating_add(1 << 32));
                }
            }
            _ => {}
        }
        let mut cover = self.fund.commit(&request).await?;
        match self.rogue {
            Rogue::ChangesTheQuote => cover.premium = self.lock().asks,
            Rogue::NegativePremium => cover.premium = Quanta::new(-1),
            Rogue::Reprices => cover.premium = Quanta::new(cover.premium.get().saturating_add(1)),
            Rogue::SaysAnotherTime => cover.commitment.expires = Millis(expires.0.saturating_add(1)),
            _ => {}
        }
        Ok(cover)
    }

    async fn capacity(&self, layer: LayerId, at: Millis) -> Result<Quanta, ProviderError> {
        if self.rogue == Rogue::NeverAnswers && layer == LayerId(9) {
            never().await;
        }
        let at = if self.rogue == Rogue::CountsExpired { Millis(at.0.saturating_sub(1)) } else { at };
        let capacity = self.fund.capacity(layer, at).await?;
        if self.rogue == Rogue::TellsTooMuch {
            return Ok(Quanta::new(capacity.get().saturating_mul(2)));
        }
        Ok(capacity)
    }

    async fn settle(&self, id: DrawId, draw: &Draw) -> Result<Payment, ProviderError> {
        let amount = draw.amount;
        let before = self.lock().asked.get(&id).copied();
        let first = self.lock().asked.is_empty();
        if amount.get() > 0 {
            self.lock().asked.entry(id).or_insert(amount);
        }
        match self.rogue {
            Rogue::PaysTwice if before == Some(amount) => Ok(self.pay(amount)),
            Rogue::AnswersDifferently if before == Some(amount) => Ok(denied("on second thoughts")),
            Rogue::PaysAnyAmount if before.is_some_and(|b| b != amount) => Ok(self.pay(amount)),
            Rogue::NeverAnswers if draw.layer == LayerId(9) => {
                never().await;
                Ok(denied("nobody comes here"))
            }
            // three quarters of what was committed are there at the end
            Rogue::CoolsDown if self.lock().now > Millis(0) && amount.get() > 375 => Ok(denied("left")),
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
                let answer = self.fund.settle(id, draw).await?;
                if self.lock().unanswered.remove(&id) && answer == Payment::Paid {
                    return Ok(self.pay(amount));
                }
                if before.is_none() {
                    self.lock().unanswered.insert(id);
                    once_pending().await;
                    self.lock().unanswered.remove(&id);
                }
                Ok(answer)
            }
            _ => {
                let open = self.some_is_open();
                let answer = self.fund.settle(id, draw).await?;
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
