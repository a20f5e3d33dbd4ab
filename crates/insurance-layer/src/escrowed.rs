//! A provider whose money lies beside it in memory: the reference for the provider contract, for tests and simulations.

use crate::{
    API_VERSION, CommitRequest, Commitment, CommitmentId, Cover, Draw, Escrow, InsuranceError,
    InsuranceProvider, Manifest, Payment, ProviderError, QuoteId, QuoteRequest, QuoteTerms, Supports,
    Trigger, refuse,
};
use alloc::{boxed::Box, collections::BTreeMap, format, string::String, vec::Vec};
use async_trait::async_trait;
use cofferdam_core::{AssetId, DrawId, LayerId, MathError, Millis, Ppb, Quanta, Rounding, wide};
use std::sync::{Mutex, MutexGuard};

/// A year of 365 days, in milliseconds.
const YEAR_MS: i128 = 31_536_000_000;

/// How long an offer stands.
const OFFER_STANDS: Millis = Millis(3_600_000);

/// How many offers may stand at once: asking costs nothing, so memory for it is bounded.
const MOST_OFFERS: usize = 1_024;

/// A fund that holds money and pays from it.
///
/// It commits no more than it holds and has not committed yet, on an offer that stands for an hour and is taken up once, pays a
/// draw once, and pays no more than it has committed to the layer that draws.
/// Its commitments are [`Escrow::Promised`]: the money is set aside here and not in the stack's ledger.
/// It has no clock: time is what requests state, and never goes back. Commitments fall due when
/// [`EscrowedFund::release_expired`] is told the time, after the draws that were made on them have been settled.
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
    // the latest time that anybody stated
    now: Millis,
    offers: BTreeMap<QuoteId, (QuoteRequest, QuoteTerms)>,
    next: u64,
    made: BTreeMap<CommitmentId, (CommitRequest, Cover)>,
    // what commitments may still be drawn for, the earliest to expire first
    open: Vec<Open>,
    settled: BTreeMap<DrawId, (Draw, Payment)>,
}

#[derive(Clone, Copy, Debug)]
struct Open {
    layer: LayerId,
    expires: Millis,
    left: Quanta,
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
            correlated: Vec::new(),
        };
        let state = State {
            held,
            now: Millis::default(),
            offers: BTreeMap::new(),
            next: 1,
            made: BTreeMap::new(),
            open: Vec::new(),
            settled: BTreeMap::new(),
        };
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

    /// Frees what commitments that expired before `now` were not drawn for, and forgets offers that lapsed.
    pub fn release_expired(&self, now: Millis) -> Result<(), ProviderError> {
        let mut state = self.lock()?;
        state.tell(now);
        state.open.retain(|o| o.expires >= now);
        Ok(())
    }

    // Every change below is computed first and written at the end, but a thread that panicked may be anybody's.
    fn lock(&self) -> Result<MutexGuard<'_, State>, ProviderError> {
        self.state.lock().map_err(|_| refused("a thread panicked while it held the books".into()))
    }

    /// rate_on_line x line x term / year, rounded up (the provider gains).
    fn premium(&self, request: &QuoteRequest) -> Result<Quanta, MathError> {
        let yearly = self.rate_on_line.of(request.line()?, Rounding::Up)?;
        wide::mul_div(yearly.get(), request.term.0.into(), YEAR_MS, Rounding::Up).map(Quanta::new)
    }
}

impl State {
    fn committed(&self) -> Result<Quanta, MathError> {
        self.open.iter().try_fold(Quanta::ZERO, |sum, o| sum.try_add(o.left))
    }

    fn free(&self) -> Result<Quanta, MathError> {
        self.held.try_sub(self.committed()?)
    }

    fn tell(&mut self, at: Millis) {
        self.now = self.now.max(at);
        let now = self.now;
        self.offers.retain(|_, (_, terms)| terms.valid_until >= now);
    }

    /// What a request to commit is answered with, before anything is written.
    fn cover(&self, request: &CommitRequest) -> Result<Cover, ProviderError> {
        let Some((asked, terms)) = self.offers.get(&request.quote) else {
            let quote = request.quote.0;
            return Err(refused(format!("offer {quote}: accepted is one that stands and was not taken up")));
        };
        let most = asked.line().map_err(arithmetic)?;
        let free = self.free().map_err(arithmetic)?.min(most);
        if request.capacity <= Quanta::ZERO || request.capacity > free {
            let capacity = request.capacity;
            return Err(refused(format!("a capacity of {capacity}: accepted is above zero, at most {free}")));
        }
        let last = self.now.try_add(asked.term).map_err(arithmetic)?;
        if request.expires < self.now || request.expires > last {
            let (expires, now) = (request.expires.0, self.now.0);
            return Err(refused(format!("expires at {expires}: accepted is from {now} to {}", last.0)));
        }
        let premium = wide::mul_div(terms.premium.get(), request.capacity.get(), most.get(), Rounding::Up);
        let CommitRequest { layer, capacity, expires, .. } = *request;
        let commitment = Commitment { layer, capacity, expires, escrow: Escrow::Promised };
        Ok(Cover { commitment, premium: Quanta::new(premium.map_err(arithmetic)?) })
    }

    fn pay(&mut self, draw: &Draw) -> Result<Payment, MathError> {
        let own = self.open.iter().filter(|o| o.layer == draw.layer);
        let committed = own.map(|o| o.left).try_fold(Quanta::ZERO, Quanta::try_add)?;
        if draw.amount > committed || draw.amount > self.held {
            let (amount, layer, held) = (draw.amount, draw.layer, self.held);
            let reason =
                format!("{amount} quanta drawn, {committed} committed to layer {layer}, {held} held");
            return Ok(Payment::Denied { reason });
        }
        let mut next = self.open.clone();
        let mut due = draw.amount;
        for open in next.iter_mut().filter(|o| o.layer == draw.layer) {
            let part = due.min(open.left);
            open.left = open.left.try_sub(part)?;
            due = due.try_sub(part)?;
        }
        self.held = self.held.try_sub(draw.amount)?;
        self.open = next;
        Ok(Payment::Paid)
    }
}

#[async_trait]
impl InsuranceProvider for EscrowedFund {
    async fn manifest(&self) -> Result<Manifest, ProviderError> {
        Ok(self.manifest.clone())
    }

    /// Premium = rate_on_line x share x limit x term / year, rounded up (the provider gains). The offer stands for an hour; the same
    /// request at the same time is the same offer.
    async fn quote(&self, request: &QuoteRequest) -> Result<QuoteTerms, ProviderError> {
        let sound = request.limit > Quanta::ZERO && request.share > Ppb::ZERO && request.share <= Ppb::ONE;
        if !sound {
            return Err(refused(format!(
                "limit {} at a share of {}: accepted is a limit above zero and a share above 0, at most 1",
                request.limit, request.share
            )));
        }
        let premium = self.premium(request).map_err(arithmetic)?;
        let mut state = self.lock()?;
        let line = request.line().map_err(arithmetic)?;
        let free = state.free().map_err(arithmetic)?;
        if line > free {
            return Err(refused(format!("a line of {line}: accepted is at most {free}")));
        }
        state.tell(request.at);
        if let Some((_, terms)) = state.offers.values().find(|(asked, _)| asked == request) {
            return Ok(terms.clone());
        }
        if state.offers.len() >= MOST_OFFERS {
            let message = format!("{MOST_OFFERS} offers stand: ask again when some have lapsed");
            return Err(ProviderError { message, retryable: true });
        }
        let valid_until = state.now.try_add(OFFER_STANDS).map_err(arithmetic)?;
        let id = QuoteId(state.next);
        state.next = state.next.checked_add(1).ok_or(MathError::Overflow).map_err(arithmetic)?;
        let terms = QuoteTerms { id, premium, valid_until, conditions: String::new() };
        state.offers.insert(id, (*request, terms.clone()));
        Ok(terms)
    }

    async fn commit(&self, request: &CommitRequest) -> Result<Cover, ProviderError> {
        let mut state = self.lock()?;
        if let Some((before, cover)) = state.made.get(&request.id) {
            // when it was asked again does not matter
            return if (CommitRequest { at: before.at, ..*request }) == *before {
                Ok(*cover)
            } else {
                Err(refused(format!("commitment {} was made on other terms", request.id.0)))
            };
        }
        state.tell(request.at);
        let cover = state.cover(request)?;
        let CommitRequest { layer, expires, capacity, .. } = *request;
        let place = state.open.partition_point(|o| o.expires <= expires);
        state.open.insert(place, Open { layer, expires, left: capacity });
        state.offers.remove(&request.quote);
        state.made.insert(request.id, (*request, cover));
        Ok(cover)
    }

    async fn capacity(&self, layer: LayerId, at: Millis) -> Result<Quanta, ProviderError> {
        let state = self.lock()?;
        let at = at.max(state.now);
        let live = state.open.iter().filter(|o| o.layer == layer && o.expires >= at);
        live.map(|o| o.left).try_fold(Quanta::ZERO, Quanta::try_add).map_err(arithmetic)
    }

    async fn settle(&self, id: DrawId, draw: &Draw) -> Result<Payment, ProviderError> {
        let mut state = self.lock()?;
        if let Some((before, payment)) = state.settled.get(&id) {
            return if before == draw {
                Ok(payment.clone())
            } else {
                let (amount, layer) = (before.amount, before.layer);
                Err(refused(format!("draw {id} was settled for {amount} quanta on layer {layer}")))
            };
        }
        if draw.amount <= Quanta::ZERO {
            return Err(refused(format!("a draw of {}: accepted is above zero", draw.amount)));
        }
        let payment = state.pay(draw).map_err(arithmetic)?;
        state.settled.insert(id, (*draw, payment.clone()));
        Ok(payment)
    }
}

fn refused(message: String) -> ProviderError {
    ProviderError { message, retryable: false }
}

fn arithmetic(error: MathError) -> ProviderError {
    refused(format!("{error}"))
}
