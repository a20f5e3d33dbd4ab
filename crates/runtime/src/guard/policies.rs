//! The policies.

use super::{Attempt, Call, Policy};
use cofferdam_insurance_layer::ProviderError;
use std::{
    fmt::{self, Debug},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until, timeout};

fn again(message: String) -> ProviderError {
    ProviderError { message, retryable: true }
}

// What is guarded is whole after every statement: a thread that panicked left nothing half done.
fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// No attempt takes longer than this. What became of it is then unknown, so it may be asked again under the same id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeout(pub Duration);

impl Policy for Timeout {
    async fn run<'a, T, F>(&'a self, _: Call, attempt: F) -> Result<T, ProviderError>
    where
        T: Debug + Send + 'a,
        F: Fn() -> Attempt<'a, T> + Send + Sync + 'a,
    {
        let late = |_| again(format!("no answer within {:?}", self.0));
        timeout(self.0, attempt()).await.map_err(late)?
    }
}

/// Tries again what failed and may be asked again: at most so many attempts, with a pause between them that doubles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all; one is made in any case.
    pub attempts: u32,
    /// Before the second attempt; twice as long before each further one.
    pub pause: Duration,
}

impl Policy for Retry {
    async fn run<'a, T, F>(&'a self, _: Call, attempt: F) -> Result<T, ProviderError>
    where
        T: Debug + Send + 'a,
        F: Fn() -> Attempt<'a, T> + Send + Sync + 'a,
    {
        let (mut left, mut pause) = (self.attempts, self.pause);
        loop {
            left = left.saturating_sub(1);
            match attempt().await {
                Err(e) if e.retryable && left > 0 => sleep(pause).await,
                answer => return answer,
            }
            pause = pause.saturating_mul(2);
        }
    }
}

/// Lets calls go out with at least this much time between them; who comes early waits.
#[derive(Debug)]
pub struct RateLimit {
    spacing: Duration,
    next: Mutex<Option<Instant>>,
}

impl RateLimit {
    /// At most one call in each of these stretches of time.
    #[must_use]
    pub const fn every(spacing: Duration) -> Self {
        Self { spacing, next: Mutex::new(None) }
    }

    /// Takes the next free place.
    fn place(&self) -> Instant {
        let mut next = lock(&self.next);
        let now = Instant::now();
        let mine = next.map_or(now, |n| n.max(now));
        *next = mine.checked_add(self.spacing);
        mine
    }
}

impl Policy for RateLimit {
    async fn run<'a, T, F>(&'a self, _: Call, attempt: F) -> Result<T, ProviderError>
    where
        T: Debug + Send + 'a,
        F: Fn() -> Attempt<'a, T> + Send + Sync + 'a,
    {
        sleep_until(self.place()).await;
        attempt().await
    }
}

/// A line of an [`AuditLog`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What was asked.
    pub call: Call,
    /// What was answered.
    pub answer: Result<String, ProviderError>,
    /// How long that took.
    pub took: Duration,
}

/// Writes every call and its answer down. Outside a [`Retry`] it sees one call, inside it every attempt.
pub struct AuditLog<W>(W);

impl<W: Fn(Entry) + Send + Sync> AuditLog<W> {
    /// A log that is written by `write`.
    pub const fn new(write: W) -> Self {
        Self(write)
    }
}

impl<W> Debug for AuditLog<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuditLog")
    }
}

impl<W: Fn(Entry) + Send + Sync> Policy for AuditLog<W> {
    async fn run<'a, T, F>(&'a self, call: Call, attempt: F) -> Result<T, ProviderError>
    where
        T: Debug + Send + 'a,
        F: Fn() -> Attempt<'a, T> + Send + Sync + 'a,
    {
        let began = Instant::now();
        let answer = attempt().await;
        let said = answer.as_ref().map(|a| format!("{a:?}")).map_err(Clone::clone);
        (self.0)(Entry { call, answer: said, took: began.elapsed() });
        answer
    }
}

/// Asks an insurer no more that failed so often in a row, and tries one call after a rest: the circuit breaker of remote calls. It has
/// nothing to do with those of a stack.
#[derive(Debug)]
pub struct CallBreaker {
    failures: u32,
    rest: Duration,
    state: Mutex<Fuse>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Fuse {
    failed: u32,
    /// Nobody calls before; who calls first after it tries for all.
    open_until: Option<Instant>,
}

impl CallBreaker {
    /// Opens after so many failures in a row that may be asked again, for so long.
    #[must_use]
    pub const fn new(failures: u32, rest: Duration) -> Self {
        Self { failures, rest, state: Mutex::new(Fuse { failed: 0, open_until: None }) }
    }

    /// Whether a call may go out now. One that may while the breaker is open shuts it for all others until it is answered.
    fn admit(&self) -> Result<(), ProviderError> {
        let mut fuse = lock(&self.state);
        let now = Instant::now();
        match fuse.open_until {
            Some(until) if now < until => {
                Err(again(format!("not asked: it failed {} times in a row", fuse.failed)))
            }
            Some(_) => {
                fuse.open_until = now.checked_add(self.rest);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn told(&self, failed: bool) {
        let mut fuse = lock(&self.state);
        if !failed {
            *fuse = Fuse::default();
            return;
        }
        fuse.failed = fuse.failed.saturating_add(1);
        if fuse.failed >= self.failures {
            fuse.open_until = Instant::now().checked_add(self.rest);
        }
    }
}

impl Policy for CallBreaker {
    async fn run<'a, T, F>(&'a self, _: Call, attempt: F) -> Result<T, ProviderError>
    where
        T: Debug + Send + 'a,
        F: Fn() -> Attempt<'a, T> + Send + Sync + 'a,
    {
        self.admit()?;
        let answer = attempt().await;
        // a refusal is an answer
        self.told(answer.as_ref().is_err_and(|e| e.retryable));
        answer
    }
}

/// Loses calls and answers and makes others wait, by a seed: for tests of what stands around it. The same seed gives the same faults.
#[derive(Debug)]
pub struct Chaos {
    /// Names the sequence of faults.
    pub seed: u64,
    /// Of a million calls so many never reach the insurer.
    pub lost_calls_ppm: u32,
    /// Of a million calls the answers of so many are lost.
    pub lost_answers_ppm: u32,
    /// Every call waits up to this long.
    pub delay: Duration,
    calls: Mutex<u64>,
}

impl Chaos {
    /// By a seed: calls and answers lost in parts per million, and the longest wait.
    #[must_use]
    pub const fn new(seed: u64, lost_calls_ppm: u32, lost_answers_ppm: u32, delay: Duration) -> Self {
        Self { seed, lost_calls_ppm, lost_answers_ppm, delay, calls: Mutex::new(0) }
    }

    /// Three numbers below a million for the next call.
    fn next(&self) -> [u32; 3] {
        let mut calls = lock(&self.calls);
        *calls = calls.wrapping_add(1);
        let base = self.seed ^ calls.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        [1, 2, 3].map(|k: u64| u32::try_from(mix(base.wrapping_add(k)) % 1_000_000).unwrap_or(0))
    }
}

/// The finaliser of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
const fn mix(x: u64) -> u64 {
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

impl Policy for Chaos {
    async fn run<'a, T, F>(&'a self, _: Call, attempt: F) -> Result<T, ProviderError>
    where
        T: Debug + Send + 'a,
        F: Fn() -> Attempt<'a, T> + Send + Sync + 'a,
    {
        let [wait, call, answer] = self.next();
        sleep(self.delay.saturating_mul(wait).checked_div(1_000_000).unwrap_or_default()).await;
        if call < self.lost_calls_ppm {
            return Err(again("the call was lost".into()));
        }
        let answered = attempt().await;
        if answer < self.lost_answers_ppm {
            return Err(again("the answer was lost".into()));
        }
        answered
    }
}
