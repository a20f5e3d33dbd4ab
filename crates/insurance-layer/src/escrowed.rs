//! A provider whose money lies beside it in memory: the reference for the provider contract, for tests and simulations.

use crate::{
    API_VERSION, Commitment, Escrow, InsuranceError, InsuranceProvider, Manifest, Payment, ProviderError,
    QuoteRequest, QuoteTerms, Supports, Trigger, refuse,
};
use alloc::{boxed::Box, collections::BTreeMap, format, string::String, vec::Vec};
use async_trait::async_trait;
use cofferdam_core::{AssetId, DrawId, LayerId, MathError, Millis, Ppb, Quanta, Rounding, wide};
use std::sync::{Mutex, MutexGuard};

/// A year of 365 days, in milliseconds.
const YEAR_MS: i128 = 31_536_000_000;

/// A fund that holds money and pays from it.
///
/// It commits no more than it holds and has not committed yet, pays a draw once, and pays no more than it has committed.
/// Its commitments are [`Escrow::Promised`]: the money is set aside here and not in the stack's ledger.
/// It has no clock: commitments fall due when [`EscrowedFund::release_expired`] is told the time, after the draws that
/// were made on them have been settled. A commit is not idempotent (the contract gives it no id): a lost answer leaves
/// capacity reserved until it expires, never promised twice.
///
/// ```
/// use cofferdam_core::{AssetId, Ppb, Quanta};
/// use cofferdam_insurance_layer::EscrowedFund;
/// let fund = EscrowedFund::new("acme/reserve", AssetId(0), Quanta::new(1_000_000), Ppb(50_000_000))?;
/// assert_eq!(fund.held()?, Quanta::new(1_000_000));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct EscrowedFund {
    manifest: Manifest,
    rate_on_line: Ppb,
    state: Mutex<State>,
}

#[derive(Clone, Debug)]
struct State {
    held: Quanta,
    // what commitments may still be drawn for, with when they expire, the earliest first
    open: Vec<(Millis, Quanta)>,
    settled: BTreeMap<DrawId, (Quanta, Payment)>,
}

impl EscrowedFund {
    /// A fund `org/name` that holds `held` quanta, paid in `asset`, for a premium of `rate_on_line` per year of limit.
    pub fn new(id: &str, asset: AssetId, held: Quanta, rate_on_line: Ppb) -> Result<Self, InsuranceError> {
        if held.is_negative() {
            return Err(refuse("held", format!("{held}"), "zero or more"));
        }
        if rate_on_line < Ppb::ZERO {
            return Err(refuse("rate_on_line", format!("{rate_on_line}"), "zero or more"));
        }
        let manifest = Manifest {
            id: id.into(),
            api_version: API_VERSION,
            asset,
            trigger: Trigger::Indemnity,
            supports: Supports::NOTHING,
        };
        let state = State { held, open: Vec::new(), settled: BTreeMap::new() };
        Ok(Self { manifest, rate_on_line, state: Mutex::new(state) })
    }

    /// What it holds, in quanta.
    pub fn held(&self) -> Result<Quanta, ProviderError> {
        Ok(self.lock()?.held)
    }

    /// What it holds and has not committed, in quanta.
    pub fn free(&self) -> Result<Quanta, ProviderError> {
        self.lock()?.free().map_err(arithmetic)
    }

    /// Adds money, for example premiums.
    pub fn deposit(&self, amount: Quanta) -> Result<(), ProviderError> {
        if amount.is_negative() {
            return Err(refused(format!("a deposit of {amount}: accepted is zero or more")));
        }
        let mut state = self.lock()?;
        state.held = state.held.try_add(amount).map_err(arithmetic)?;
        Ok(())
    }

    /// Frees what commitments that expired before `now` were not drawn for.
    pub fn release_expired(&self, now: Millis) -> Result<(), ProviderError> {
        self.lock()?.open.retain(|(expires, _)| *expires >= now);
        Ok(())
    }

    // Every change below is computed first and written at the end, but a thread that panicked may be anybody's.
    fn lock(&self) -> Result<MutexGuard<'_, State>, ProviderError> {
        self.state.lock().map_err(|_| refused("a thread panicked while it held the books".into()))
    }
}

impl State {
    fn committed(&self) -> Result<Quanta, MathError> {
        self.open.iter().try_fold(Quanta::ZERO, |sum, (_, open)| sum.try_add(*open))
    }

    fn free(&self) -> Result<Quanta, MathError> {
        self.held.try_sub(self.committed()?)
    }

    fn pay(&mut self, amount: Quanta) -> Result<Payment, MathError> {
        let committed = self.committed()?;
        if amount > committed || amount > self.held {
            let reason = format!("{amount} quanta drawn, {committed} committed, {} held", self.held);
            return Ok(Payment::Denied { reason });
        }
        let mut next = self.open.clone();
        let mut due = amount;
        for (_, open) in &mut next {
            let part = due.min(*open);
            *open = open.try_sub(part)?;
            due = due.try_sub(part)?;
        }
        self.held = self.held.try_sub(amount)?;
        self.open = next;
        Ok(Payment::Paid)
    }
}

#[async_trait]
impl InsuranceProvider for EscrowedFund {
    async fn manifest(&self) -> Result<Manifest, ProviderError> {
        Ok(self.manifest.clone())
    }

    /// Premium = rate_on_line x share x limit x term / year, rounded up (the provider gains). The offer does not lapse.
    async fn quote(&self, request: &QuoteRequest) -> Result<QuoteTerms, ProviderError> {
        let sound = request.limit > Quanta::ZERO && request.share > Ppb::ZERO && request.share <= Ppb::ONE;
        if !sound {
            return Err(refused(format!(
                "limit {} at a share of {}: accepted is a limit above zero and a share above 0, at most 1",
                request.limit, request.share
            )));
        }
        let line = request.share.of(request.limit, Rounding::Up).map_err(arithmetic)?;
        let free = self.free()?;
        if line > free {
            return Err(refused(format!("a line of {line} quanta: {free} are free")));
        }
        let yearly = self.rate_on_line.of(line, Rounding::Up).map_err(arithmetic)?;
        let premium = wide::mul_div(yearly.get(), request.term.0.into(), YEAR_MS, Rounding::Up)
            .and_then(|p| Quanta::new(p).try_add(Quanta::ZERO))
            .map_err(arithmetic)?;
        Ok(QuoteTerms { premium, valid_until: Millis::MAX })
    }

    async fn commit(
        &self,
        layer: LayerId,
        capacity: Quanta,
        expires: Millis,
    ) -> Result<Commitment, ProviderError> {
        let mut state = self.lock()?;
        let free = state.free().map_err(arithmetic)?;
        if capacity <= Quanta::ZERO || capacity > free {
            return Err(refused(format!("a capacity of {capacity}: accepted is above zero, at most {free}")));
        }
        let place = state.open.partition_point(|(e, _)| *e <= expires);
        state.open.insert(place, (expires, capacity));
        Ok(Commitment { layer, capacity, expires, escrow: Escrow::Promised })
    }

    async fn settle(&self, draw: DrawId, amount: Quanta) -> Result<Payment, ProviderError> {
        let mut state = self.lock()?;
        if let Some((before, payment)) = state.settled.get(&draw) {
            return if *before == amount {
                Ok(payment.clone())
            } else {
                Err(refused(format!("draw {draw} was settled for {before} quanta, not for {amount}")))
            };
        }
        if amount <= Quanta::ZERO {
            return Err(refused(format!("a draw of {amount}: accepted is above zero")));
        }
        let payment = state.pay(amount).map_err(arithmetic)?;
        state.settled.insert(draw, (amount, payment.clone()));
        Ok(payment)
    }
}

fn refused(message: String) -> ProviderError {
    ProviderError { message, retryable: false }
}

fn arithmetic(error: MathError) -> ProviderError {
    refused(format!("{error}"))
}
