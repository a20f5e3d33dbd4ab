//! What stands between the desk and an insurer at the other end of a line: a time limit, another try, a pace, a log, a breaker, chaos.
//! Each is a [`Policy`] around one call, and [`Guard::with`] puts as many around an insurer as there is need for: the last one is outermost.
//!
//! Waiting and time come from tokio.

mod policies;

pub use policies::{AuditLog, CallBreaker, Chaos, Entry, RateLimit, Retry, Timeout};

use async_trait::async_trait;
use cofferdam_core::{DrawId, LayerId, Millis, Quanta};
use cofferdam_insurance_layer::{
    CommitRequest, Cover, Draw, InsuranceProvider, Manifest, Payment, ProviderError, QuoteRequest, QuoteTerms,
};
use std::{fmt::Debug, future::Future, pin::Pin};

/// A call of an insurer, with what it asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// What it is.
    Manifest,
    /// Terms for cover.
    Quote(QuoteRequest),
    /// A commitment.
    Commit(CommitRequest),
    /// What a layer can draw at a time.
    Capacity(LayerId, Millis),
    /// The settlement of a draw.
    Settle(DrawId, Draw),
}

/// One attempt at a call: made when it is awaited, and never before.
pub type Attempt<'a, T> = Pin<Box<dyn Future<Output = Result<T, ProviderError>> + Send + 'a>>;

/// What is done around a call. It may make it once, more than once or not at all; every call of the contract may be made again, since
/// commitments and draws are idempotent by their ids.
pub trait Policy: Debug + Send + Sync {
    /// Makes the call.
    fn run<'a, T, F>(
        &'a self,
        call: Call,
        attempt: F,
    ) -> impl Future<Output = Result<T, ProviderError>> + Send + 'a
    where
        T: Debug + Send + 'a,
        F: Fn() -> Attempt<'a, T> + Send + Sync + 'a;
}

/// An insurer behind a policy.
#[derive(Clone, Debug)]
pub struct Guarded<P, A> {
    insurer: P,
    policy: A,
}

impl<P, A> Guarded<P, A> {
    /// The policy, for what it has counted.
    #[must_use]
    pub const fn policy(&self) -> &A {
        &self.policy
    }
}

/// Puts policies around insurers.
///
/// ```
/// use cofferdam_core::{AssetId, Ppb, Quanta};
/// use cofferdam_insurance_layer::{EscrowedFund, InsuranceProvider};
/// use cofferdam_runtime::guard::{Guard, Retry, Timeout};
/// use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let fund = EscrowedFund::new("acme/reserve", AssetId(0), Quanta::new(1_000), Ppb(50_000_000))?;
/// let insurer = fund
///     .with(Timeout(Duration::from_secs(2))) // of each attempt
///     .with(Retry { attempts: 3, pause: Duration::from_millis(100) });
/// assert_eq!(insurer.manifest().await?.id, "acme/reserve");
/// # Ok(())
/// # }
/// ```
pub trait Guard: InsuranceProvider + Sized {
    /// The same insurer behind a policy.
    fn with<A: Policy>(self, policy: A) -> Guarded<Self, A> {
        Guarded { insurer: self, policy }
    }
}

impl<P: InsuranceProvider> Guard for P {}

#[async_trait]
impl<P: InsuranceProvider, A: Policy> InsuranceProvider for Guarded<P, A> {
    async fn manifest(&self) -> Result<Manifest, ProviderError> {
        self.policy.run(Call::Manifest, || self.insurer.manifest()).await
    }
    async fn quote(&self, request: &QuoteRequest) -> Result<QuoteTerms, ProviderError> {
        self.policy.run(Call::Quote(*request), || self.insurer.quote(request)).await
    }
    async fn commit(&self, request: &CommitRequest) -> Result<Cover, ProviderError> {
        self.policy.run(Call::Commit(*request), || self.insurer.commit(request)).await
    }
    async fn capacity(&self, layer: LayerId, at: Millis) -> Result<Quanta, ProviderError> {
        self.policy.run(Call::Capacity(layer, at), || self.insurer.capacity(layer, at)).await
    }
    async fn settle(&self, id: DrawId, draw: &Draw) -> Result<Payment, ProviderError> {
        self.policy.run(Call::Settle(id, *draw), || self.insurer.settle(id, draw)).await
    }
}
