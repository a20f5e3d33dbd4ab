//! Who has committed what until when, and what has been drawn: the facts from which standings follow.

use crate::{Commitment, Draw, InsuranceError, Standing, refuse};
use alloc::{collections::BTreeMap, string::ToString, vec::Vec};
use cofferdam_core::{DrawId, EventId, LayerId, MathError, Millis, Quanta};

/// A draw that was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// Its id.
    pub id: DrawId,
    /// On which layer.
    pub layer: LayerId,
    /// How much.
    pub amount: Quanta,
    /// In which event, if one was open.
    pub event: Option<EventId>,
    /// Whether this call made it; false when the same draw had been made before.
    pub new: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Line {
    commitment: Commitment,
    drawn: Quanta,
}

/// Commitments and the draws on them.
///
/// - Commitments of one layer add up; a draw takes from the one that expires first.
/// - A draw id is used once: asked again with the same terms the answer is the same and nothing is drawn a second time
///   (INV-40); with other terms it is refused.
/// - A commitment stands until it expires (`expires` is the last instant at which it may be drawn on); it cannot be taken
///   back. What it was drawn for stays owed.
///
/// ```
/// use cofferdam_core::{DrawId, LayerId, Millis, Quanta};
/// use cofferdam_insurance_layer::{Commitment, CommitmentBook, Draw, Escrow};
/// let mut book = CommitmentBook::default();
/// let layer = LayerId(1);
/// book.commit(Commitment { layer, capacity: Quanta::new(100), expires: Millis(50), escrow: Escrow::Held })?;
/// let draw = Draw { layer, amount: Quanta::new(70) };
/// assert!(book.draw(DrawId(9), &draw, None, Millis(10))?.new);
/// assert!(!book.draw(DrawId(9), &draw, None, Millis(11))?.new); // no second payment
/// assert_eq!(book.standing(layer, None, Millis(50))?.capacity, Quanta::new(30));
/// assert_eq!(book.standing(layer, None, Millis(51))?.capacity, Quanta::ZERO); // expired
/// # Ok::<(), cofferdam_insurance_layer::InsuranceError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommitmentBook {
    lines: BTreeMap<LayerId, Vec<Line>>,
    draws: BTreeMap<DrawId, Drawn>,
}

impl CommitmentBook {
    /// Records a commitment. Its capacity must be above zero.
    pub fn commit(&mut self, commitment: Commitment) -> Result<(), InsuranceError> {
        if commitment.capacity <= Quanta::ZERO {
            return Err(refuse("capacity", commitment.capacity.to_string(), "above zero"));
        }
        let lines = self.lines.entry(commitment.layer).or_default();
        lines.push(Line { commitment, drawn: Quanta::ZERO });
        lines.sort_by_key(|l| l.commitment.expires); // stable: of two that expire together the older one first
        Ok(())
    }

    /// Draws on a layer at `now`. Refuses an amount of zero or less, more than the layer can pay, and an id that was used
    /// for something else.
    pub fn draw(
        &mut self,
        id: DrawId,
        draw: &Draw,
        event: Option<EventId>,
        now: Millis,
    ) -> Result<Drawn, InsuranceError> {
        if let Some(before) = self.draws.get(&id) {
            return if (before.layer, before.amount) == (draw.layer, draw.amount) {
                Ok(Drawn { new: false, ..*before })
            } else {
                Err(InsuranceError::DrawReused { draw: id, layer: before.layer, amount: before.amount })
            };
        }
        if draw.amount <= Quanta::ZERO {
            return Err(refuse("amount", draw.amount.to_string(), "above zero"));
        }
        let capacity = self.capacity(draw.layer, now)?;
        if draw.amount > capacity {
            return Err(InsuranceError::OverCapacity { layer: draw.layer, asked: draw.amount, capacity });
        }
        self.take(draw, now)?;
        let drawn = Drawn { id, layer: draw.layer, amount: draw.amount, event, new: true };
        self.draws.insert(id, drawn);
        Ok(drawn)
    }

    /// Where a layer stands at `now`, within `event`. For escrow cut it to what is held with [`Standing::with_held`].
    pub fn standing(
        &self,
        layer: LayerId,
        event: Option<EventId>,
        now: Millis,
    ) -> Result<Standing, InsuranceError> {
        let (mut drawn_event, mut drawn_total) = (Quanta::ZERO, Quanta::ZERO);
        for drawn in self.draws.values().filter(|d| d.layer == layer) {
            drawn_total = drawn_total.try_add(drawn.amount)?;
            // a loss without an event is an event of its own: nothing has been drawn for it
            if event.is_some() && drawn.event == event {
                drawn_event = drawn_event.try_add(drawn.amount)?;
            }
        }
        Ok(Standing { layer, capacity: self.capacity(layer, now)?, drawn_event, drawn_total })
    }

    /// Where every layer that ever committed stands at `now`, in the order of their ids.
    pub fn standings(&self, event: Option<EventId>, now: Millis) -> Result<Vec<Standing>, InsuranceError> {
        self.lines.keys().map(|layer| self.standing(*layer, event, now)).collect()
    }

    fn capacity(&self, layer: LayerId, now: Millis) -> Result<Quanta, MathError> {
        let live = self.lines.get(&layer).into_iter().flatten().filter(|l| l.commitment.expires >= now);
        live.map(|l| l.commitment.capacity.try_sub(l.drawn))
            .try_fold(Quanta::ZERO, |sum, free| sum.try_add(free?))
    }

    // The caller has seen that the live lines hold enough, so nothing is left over at the end.
    fn take(&mut self, draw: &Draw, now: Millis) -> Result<(), MathError> {
        let mut open = draw.amount;
        for line in self.lines.get_mut(&draw.layer).into_iter().flatten() {
            if line.commitment.expires >= now {
                let part = line.commitment.capacity.try_sub(line.drawn)?.min(open);
                line.drawn = line.drawn.try_add(part)?;
                open = open.try_sub(part)?;
            }
        }
        Ok(())
    }
}

impl Standing {
    /// The same standing with no more capacity than the ledger holds for the layer: for commitments with
    /// [`crate::Escrow::Held`].
    #[must_use]
    pub fn with_held(self, held: Quanta) -> Self {
        Self { capacity: self.capacity.min(held.positive_part()), ..self }
    }
}
