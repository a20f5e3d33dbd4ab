//! Asks insurers for cover before it is needed and for payment after it was drawn on, and reports what they answered.

use cofferdam_core::{Amount, DrawId, LayerId, MathError, Millis, Ppb, Quanta, Rounding, wide};
use cofferdam_insurance_layer::{
    CommitRequest, CommitmentId, Cover, Draw, Escrow, InsuranceProvider, Payment, ProviderError, QuoteId,
    QuoteRequest,
};
use cofferdam_stack::{Body, LayerState, State};
use std::{collections::BTreeMap, sync::Arc};

/// The cover that is bought for one layer of a stack, term after term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// For which layer.
    pub layer: LayerId,
    /// The largest sum at risk, for the quote; quanta of the numeraire.
    pub exposure: Quanta,
    /// Losses below this are not the insurer's business.
    pub attachment: Quanta,
    /// The most that is covered in one term.
    pub limit: Quanta,
    /// The most that is covered in all terms together, if there is such a limit: what was drawn is not covered again.
    pub aggregate: Option<Quanta>,
    /// The share of the limit that this insurer takes.
    pub share: Ppb,
    /// For how long at a time.
    pub term: Millis,
    /// The next term is asked for so long before one ends. It begins where that one ends.
    pub renew_ahead: Millis,
    /// After a refusal, or an answer that did not come, it is asked again after so long.
    pub ask_again: Millis,
    /// A draw that is still owed so long after it was asked for first is given up, and the next layer asked for it. `None`: it is waited for.
    pub patience: Option<Millis>,
    /// An offer that costs more for a term is not taken up.
    pub premium_at_most: Option<Quanta>,
}

/// What the desk cannot take in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeskError {
    /// A line with a fault.
    #[error("{field} is {value}; accepted is {accepted}")]
    Line {
        /// Which field.
        field: &'static str,
        /// What it was.
        value: String,
        /// What would be accepted.
        accepted: &'static str,
    },
}

/// What one round of asking brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attended {
    /// For the stack, in this order, before anything else enters it.
    pub reports: Vec<Body>,
    /// What was said, for logs and reports: nothing that the stack has to know.
    pub notes: Vec<Note>,
}

/// Something that an insurer said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When it was asked.
    pub at: Millis,
    /// For which layer.
    pub layer: LayerId,
    /// What it said.
    pub what: What,
}

/// See [`Note`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// It commits.
    Committed(Cover),
    /// Its offer was above [`Line::premium_at_most`], and not taken up.
    TooDear {
        /// What it wanted.
        premium: Quanta,
    },
    /// It gives no cover, or no answer.
    NoCover(ProviderError),
    /// Its answer to a draw.
    Settled {
        /// Which draw.
        draw: DrawId,
        /// What it said.
        payment: Payment,
    },
    /// No answer to a draw that can be asked for again.
    NoAnswer {
        /// Which draw.
        draw: DrawId,
        /// Why.
        error: ProviderError,
    },
    /// A draw was owed for longer than [`Line::patience`]: it counts as not paid.
    GivenUp {
        /// Which draw.
        draw: DrawId,
    },
    /// The cover or the payment does not fit into the numbers that there are, or is not what was asked for: it counts as none.
    Unsound {
        /// What was wrong with it.
        what: String,
    },
}

/// Who insures which layer. It holds nothing that cannot be asked for again: what is open is read off the state, and calls are
/// idempotent by their ids, so that a desk that begins anew beside the same state goes on where the last one stopped.
///
/// ```
/// use cofferdam_core::{AssetId, LayerId, Millis, Ppb, Quanta};
/// use cofferdam_insurance_layer::EscrowedFund;
/// use cofferdam_runtime::{InsuranceDesk, Line, at_once};
/// use cofferdam_stack::{Body, State};
/// use std::sync::Arc;
///
/// let insurer = EscrowedFund::new("acme/cover", AssetId(0), Quanta::new(1_000), Ppb(50_000_000))?;
/// let mut desk = InsuranceDesk::default();
/// desk.place(Line::new(LayerId(3), Quanta::new(1_000), Millis(86_400_000)), Arc::new(insurer))?;
/// let state = State::default(); // of a stack, in earnest
/// let attended = at_once(desk.attend(Millis(5_000), &state)).expect("an insurer in memory answers at once");
/// let expires = Millis(86_405_000);
/// let covered = Body::Commitment { layer: LayerId(3), capacity: Quanta::new(1_000), expires, escrowed: false };
/// assert_eq!(attended.reports, [covered]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct InsuranceDesk {
    desks: BTreeMap<LayerId, Placed>,
    /// Draws that are asked for again later.
    later: BTreeMap<DrawId, Waiting>,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    /// When it was asked for first, by this desk.
    since: Millis,
    /// When it is asked for again.
    again: Millis,
}

#[derive(Debug)]
struct Placed {
    line: Line,
    insurer: Arc<dyn InsuranceProvider>,
    /// A commitment whose answer did not come: asked again under the same name.
    unanswered: Option<CommitRequest>,
    not_before: Millis,
    /// Two terms that run beside one another.
    overlap: Option<Overlap>,
}

/// While two terms run, a draw takes from the one that ends first, and the stack, which knows one end, counts the later one alone. What was
/// drawn from the earlier one meanwhile is given back to the stack's count when that has ended.
#[derive(Clone, Copy, Debug)]
struct Overlap {
    until: Millis,
    /// What the earlier one had left.
    rest: Quanta,
    /// What had been drawn, and was stated in all, when the later one was committed.
    drawn: Quanta,
    stated: Quanta,
}

impl Overlap {
    /// What the stack is to be told now: capacity in all.
    fn given_back(&self, standing: &LayerState) -> Result<Option<Quanta>, MathError> {
        // a layer that did not keep its word has no say any more
        if standing.capacity != self.stated {
            return Ok(None);
        }
        let drawn = standing.drawn_total.try_sub(self.drawn)?.min(self.rest);
        Ok(if drawn > Quanta::ZERO { Some(self.stated.try_add(drawn)?) } else { None })
    }
}

impl Line {
    /// Cover of all losses of a layer up to a limit, by one insurer, at whatever premium, term after term without a gap: the next term
    /// is asked for when a tenth of one is left, and after a refusal again each minute. A draw is waited for for a week.
    #[must_use]
    pub const fn new(layer: LayerId, limit: Quanta, term: Millis) -> Self {
        Self {
            layer,
            exposure: limit,
            attachment: Quanta::ZERO,
            limit,
            aggregate: None,
            share: Ppb::ONE,
            term,
            renew_ahead: Millis(term.0 / 10),
            ask_again: Millis(60_000),
            patience: Some(Millis(604_800_000)),
            premium_at_most: None,
        }
    }

    fn check(&self) -> Result<(), DeskError> {
        let fault = |field, value: String, accepted| Err(DeskError::Line { field, value, accepted });
        if self.limit <= Quanta::ZERO {
            return fault("limit", self.limit.to_string(), "above zero");
        }
        if self.share <= Ppb::ZERO || self.share > Ppb::ONE {
            return fault("share", self.share.to_string(), "above 0, at most 1");
        }
        if self.term.0 == 0 {
            return fault("term", "0".into(), "above zero");
        }
        if self.renew_ahead >= self.term {
            return fault("renew_ahead", self.renew_ahead.0.to_string(), "less than the term");
        }
        if self.ask_again.0 == 0 {
            return fault("ask_again", "0".into(), "above zero");
        }
        Ok(())
    }

    /// What is still to be covered by a layer that was drawn on for so much.
    fn wanted(&self, drawn: Quanta) -> Result<Quanta, MathError> {
        let line = self.share.of(self.limit, Rounding::Down)?;
        match self.aggregate {
            Some(most) => Ok(line.min(most.try_sub(drawn)?.positive_part())),
            None => Ok(line),
        }
    }
}

impl InsuranceDesk {
    /// Has an insurer cover a layer. Another one that stood there is asked nothing more, not even for payment: replace it once nothing
    /// is open.
    ///
    /// # Errors
    ///
    /// A line with a fault: its field, its value and what is accepted.
    pub fn place(&mut self, line: Line, insurer: Arc<dyn InsuranceProvider>) -> Result<(), DeskError> {
        line.check()?;
        let placed = Placed { line, insurer, unanswered: None, not_before: Millis::ZERO, overlap: None };
        self.desks.insert(line.layer, placed);
        Ok(())
    }

    /// Asks every insurer that is due: for the payment of each draw that the state holds open, then for the next term of cover. To be
    /// called after whatever may have drawn, and now and then; `state` must not move before the reports have entered it.
    ///
    /// An insurer that does not answer keeps nobody else waiting for longer than its own call takes: put a time limit around it.
    pub async fn attend(&mut self, now: Millis, state: &State) -> Attended {
        let mut out = Attended::default();
        self.later.retain(|id, _| state.draws().any(|d| d.id == *id));
        for draw in state.draws().filter(|d| !d.paid) {
            let Some(placed) = self.desks.get(&draw.layer) else { continue };
            let before = self.later.get(&draw.id).copied();
            let since = before.map_or(now, |w| w.since);
            let last = placed.line.patience.and_then(|p| since.try_add(p).ok());
            if before.is_some_and(|w| w.again > now) {
                continue;
            }
            let asked = Draw { layer: draw.layer, amount: draw.value };
            let answer = placed.insurer.settle(draw.id, &asked).await;
            let retry = now.try_add(placed.line.ask_again).unwrap_or(now);
            let (paid, later) = match &answer {
                Ok(Payment::Paid) => (Some(draw.amount), None),
                Ok(Payment::Partly { paid }) => (Some(atoms(draw, *paid)), None),
                Ok(Payment::Denied { .. }) => (Some(Amount::ZERO), None),
                Ok(Payment::Pending { until } | Payment::Disputed { until, .. }) => (None, Some(*until)),
                Err(e) if e.retryable => (None, Some(retry)),
                Err(_) => (Some(Amount::ZERO), None),
            };
            let mut say = |what| out.notes.push(Note { at: now, layer: draw.layer, what });
            say(match answer {
                Ok(payment) => What::Settled { draw: draw.id, payment },
                Err(error) => What::NoAnswer { draw: draw.id, error },
            });
            let given_up = later.is_some() && last.is_some_and(|last| now >= last);
            if given_up {
                say(What::GivenUp { draw: draw.id });
            }
            let paid = paid.or(given_up.then_some(Amount::ZERO));
            out.reports.extend(paid.map(|paid| Body::Settlement { draw: draw.id, paid }));
            match later.filter(|_| !given_up) {
                Some(at) => {
                    // not before a moment has passed, and not after patience has
                    let again =
                        at.max(now.try_add(Millis(1)).unwrap_or(now)).min(last.unwrap_or(Millis::MAX));
                    self.later.insert(draw.id, Waiting { since, again });
                }
                None => {
                    self.later.remove(&draw.id);
                }
            }
        }
        for placed in self.desks.values_mut() {
            let layer = placed.line.layer;
            let standing = state.layers().find(|l| l.layer == layer).copied();
            let what = placed.renew(now, standing, &mut out.reports).await;
            out.notes.extend(what.map(|what| Note { at: now, layer, what }));
        }
        out
    }
}

impl Placed {
    /// Asks for the next term if it is time to.
    async fn renew(
        &mut self,
        now: Millis,
        standing: Option<LayerState>,
        reports: &mut Vec<Body>,
    ) -> Option<What> {
        let line = self.line;
        if let (Some(overlap), Some(standing)) = (self.overlap.filter(|o| o.until < now), standing) {
            self.overlap = None;
            if let Ok(Some(capacity)) = overlap.given_back(&standing) {
                let (layer, expires) = (line.layer, standing.expires);
                reports.push(Body::Commitment { layer, capacity, expires, escrowed: false });
            }
        }
        let ends = standing.map(|l| l.expires).filter(|e| *e >= now);
        if now < self.not_before || ends.is_some_and(|e| e.since(now) > line.renew_ahead) {
            return None;
        }
        let drawn = standing.map_or(Quanta::ZERO, |l| l.drawn_total);
        let request = match self.request(now, ends, drawn).await {
            Ok(Some(request)) => request,
            Ok(None) => return None,
            Err(what) => {
                self.put_off(now);
                return Some(what);
            }
        };
        match self.insurer.commit(&request).await {
            Ok(cover) => {
                self.unanswered = None;
                let c = cover.commitment;
                let as_asked = (c.layer, c.escrow) == (line.layer, Escrow::Promised)
                    && c.capacity > Quanta::ZERO
                    && c.capacity <= request.capacity
                    && c.expires <= request.expires;
                // what was drawn before stays drawn: the layer's capacity is stated in all
                match c.capacity.try_add(drawn) {
                    Ok(capacity) if as_asked => {
                        let expires = c.expires;
                        let rest =
                            standing.map_or(Quanta::ZERO, |l| l.capacity.try_sub(drawn).unwrap_or_default());
                        self.overlap = ends.map(|until| Overlap { until, rest, drawn, stated: capacity });
                        reports.push(Body::Commitment {
                            layer: line.layer,
                            capacity,
                            expires,
                            escrowed: false,
                        });
                        Some(What::Committed(cover))
                    }
                    _ => {
                        self.put_off(now);
                        Some(What::Unsound { what: format!("asked for {request:?}, committed {c:?}") })
                    }
                }
            }
            Err(error) => {
                self.unanswered = error.retryable.then_some(request);
                self.put_off(now);
                Some(What::NoCover(error))
            }
        }
    }

    fn put_off(&mut self, now: Millis) {
        self.not_before = now.try_add(self.line.ask_again).unwrap_or(now);
    }

    /// The commitment to ask for: the one whose answer did not come, or one on a new offer. `None` when nothing is left to cover.
    async fn request(
        &self,
        now: Millis,
        ends: Option<Millis>,
        drawn: Quanta,
    ) -> Result<Option<CommitRequest>, What> {
        if let Some(unanswered) = self.unanswered {
            return Ok(Some(CommitRequest { at: now, ..unanswered }));
        }
        let line = self.line;
        let unsound = |e: MathError| What::Unsound { what: e.to_string() };
        let wanted = line.wanted(drawn).map_err(unsound)?;
        if wanted <= Quanta::ZERO {
            return Ok(None);
        }
        let expires = ends.unwrap_or(now).try_add(line.term).map_err(unsound)?;
        let asked = QuoteRequest {
            at: now,
            exposure: line.exposure,
            term: Millis(expires.since(now).0),
            attachment: line.attachment,
            limit: wanted,
            share: Ppb::ONE,
        };
        let terms = self.insurer.quote(&asked).await.map_err(What::NoCover)?;
        if line.premium_at_most.is_some_and(|most| terms.premium > most) {
            return Err(What::TooDear { premium: terms.premium });
        }
        Ok(Some(self.taken_up(now, terms.id, wanted, expires)))
    }

    fn taken_up(&self, at: Millis, quote: QuoteId, capacity: Quanta, expires: Millis) -> CommitRequest {
        let layer = self.line.layer;
        // a layer asks once in a millisecond: 44 bits of them last for 557 years
        let id = CommitmentId((u64::from(layer.0) << 44) | (at.0 & ((1 << 44) - 1)));
        CommitRequest { id, quote, layer, capacity, at, expires }
    }
}

/// A part of a draw's value in the asset that it is paid in, rounded down: `floor(amount x paid / value)`.
fn atoms(draw: &cofferdam_stack::Draw, paid: Quanta) -> Amount {
    let paid = paid.positive_part().min(draw.value);
    let part = wide::mul_div(draw.amount.get(), paid.get(), draw.value.get().max(1), Rounding::Down);
    part.map_or(Amount::ZERO, Amount::new)
}
