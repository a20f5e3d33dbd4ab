//! A programme: layers in order, each seeing what the last one left. It never trusts a layer's answer.

use crate::mutual::Tranche;
use crate::{
    AggregateStopLoss, Band, Draw, ExcessOfLoss, Fund, InsuranceError, InsuranceLayer, Loss, LossWaterfall,
    Mutual, QuotaBasis, QuotaShare, Standing, Waterfall, refuse,
};
use alloc::{boxed::Box, collections::BTreeMap, format, string::ToString, vec::Vec};
use cofferdam_core::{LayerId, Ppb, Quanta};

/// What the programme knows of a layer's terms, so that it can check how layers stand to one another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Whole,
    Share(QuotaShare),
    Event(Band),
    Aggregate(Band),
    Mutual(Mutual),
    Opaque,
}

/// A layer at its place in a programme.
#[derive(Debug)]
pub struct Entry {
    layer: LayerId,
    terms: Box<dyn InsuranceLayer>,
    shape: Shape,
    beside: bool,
}

impl Entry {
    /// A fund: all of what is left.
    #[must_use]
    pub fn fund(layer: LayerId) -> Self {
        Self::built_in(layer, Fund, Shape::Whole)
    }

    /// A quota share.
    #[must_use]
    pub fn quota_share(layer: LayerId, terms: QuotaShare) -> Self {
        Self::built_in(layer, terms, Shape::Share(terms))
    }

    /// An excess of loss per event.
    #[must_use]
    pub fn excess_of_loss(layer: LayerId, terms: ExcessOfLoss) -> Self {
        Self::built_in(layer, terms, Shape::Event(terms.band()))
    }

    /// An aggregate stop-loss.
    #[must_use]
    pub fn stop_loss(layer: LayerId, terms: AggregateStopLoss) -> Self {
        Self::built_in(layer, terms, Shape::Aggregate(terms.band()))
    }

    /// A member's part of a mutual fund or call.
    #[must_use]
    pub fn mutual(layer: LayerId, terms: Mutual) -> Self {
        Self::built_in(layer, terms, Shape::Mutual(terms))
    }

    /// Terms of a stranger. The programme cannot see into them: it checks the answers only.
    #[must_use]
    pub fn custom(layer: LayerId, terms: Box<dyn InsuranceLayer>) -> Self {
        Self { layer, terms, shape: Shape::Opaque, beside: false }
    }

    fn built_in(layer: LayerId, terms: impl InsuranceLayer + 'static, shape: Shape) -> Self {
        Self { layer, terms: Box::new(terms), shape, beside: false }
    }

    /// Puts this entry on the level of the one before it: quota shares take their share of the same sum, members of a mutual fund
    /// share one sum.
    #[must_use]
    pub fn beside_previous(mut self) -> Self {
        self.beside = true;
        self
    }

    // a member's contribution, for the member's own loss
    fn owner_first(&self, loss: &Loss) -> bool {
        matches!(self.shape, Shape::Mutual(terms) if terms.own_first && terms.is_own(loss))
    }

    // a member that pays for others
    fn shares(&self, loss: &Loss) -> bool {
        matches!(self.shape, Shape::Mutual(terms) if !terms.is_own(loss))
    }

    /// Which layer.
    #[must_use]
    pub const fn layer(&self) -> LayerId {
        self.layer
    }
}

/// A stretch of loss that no excess layer covers although there are layers above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Whether it is a gap among the layers over all losses (else among those per event).
    pub aggregate: bool,
    /// Where it begins.
    pub from: Quanta,
    /// Where it ends.
    pub to: Quanta,
}

/// What became of one layer's say on a loss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Which layer.
    pub layer: LayerId,
    /// What the layers before its level left.
    pub left: Quanta,
    /// What it answered, as it answered it.
    pub answer: Result<Quanta, InsuranceError>,
    /// What it has to pay.
    pub paid: Quanta,
}

/// Layers in order.
///
/// - Every answer is cut to between zero and what is left, and to the capacity of the layer's standing; an error counts as
///   zero. A layer that lies loses its say, never the stack's money (INV-44), and the next layer carries the gap.
/// - A layer without a standing has no capacity. Of two standings of one layer the smaller capacity counts.
/// - Members of a mutual fund on one level share what is left in proportion to what each can pay, and a member's own contribution meets the
///   member's own loss before every other layer: there INV-24 is broken by design.
/// - Sum of draws + residual = loss, exactly (INV-25); each draw is above zero and a layer is drawn on once.
///
/// ```
/// use cofferdam_core::{AssetId, LayerId, Ppb, Quanta};
/// use cofferdam_insurance_layer::{
///     Entry, ExcessOfLoss, Loss, LossCause, LossWaterfall, Programme, QuotaBasis, QuotaShare, Standing,
/// };
/// let quota = QuotaShare::new(Ppb(500_000_000), QuotaBasis::Left)?;
/// let excess = ExcessOfLoss::new(Quanta::new(100), Quanta::new(200))?;
/// let programme = Programme::new(vec![
///     Entry::quota_share(LayerId(1), quota),
///     Entry::excess_of_loss(LayerId(2), excess),
///     Entry::fund(LayerId(3)),
/// ])?;
/// let loss = Loss {
///     event: None, of: None, market: None, asset: AssetId(0), cause: LossCause::Bankruptcy, amount: Quanta::new(401),
///     event_before: Quanta::ZERO, total_before: Quanta::ZERO,
/// };
/// let standing = |id, capacity| Standing {
///     layer: LayerId(id), capacity: Quanta::new(capacity), drawn_event: Quanta::ZERO, drawn_total: Quanta::ZERO,
/// };
/// let split = programme.allocate(&loss, &[standing(1, 150), standing(2, 1_000), standing(3, 40)])?;
/// let paid: Vec<_> = split.draws.iter().map(|d| (d.layer.0, d.amount.get())).collect();
/// assert_eq!(paid, [(1, 150), (2, 200), (3, 40)]); // half of 401, but only 150 committed; the band; the fund
/// assert_eq!(split.residual, Quanta::new(11));
/// # Ok::<(), cofferdam_insurance_layer::InsuranceError>(())
/// ```
#[derive(Debug)]
pub struct Programme {
    entries: Vec<Entry>,
}

impl Programme {
    /// A programme of these layers, in this order.
    ///
    /// Refuses, naming the field: a layer that stands twice; excess layers of one kind that overlap or are not in the
    /// order of their attachments; a layer beside another where not both are quota shares of what is left or members of a mutual fund; shares of one
    /// level that add up to more than one whole.
    pub fn new(entries: Vec<Entry>) -> Result<Self, InsuranceError> {
        let mut seen = Check::default();
        for (index, entry) in entries.iter().enumerate() {
            seen.entry(entry).map_err(|e| e.within(&format!("layers[{index}]")))?;
        }
        Ok(Self { entries })
    }

    /// The layers in order.
    pub fn layers(&self) -> impl Iterator<Item = LayerId> {
        self.entries.iter().map(Entry::layer)
    }

    /// Stretches of loss below an excess layer that no excess layer of its kind covers. A retention below the first one
    /// is a gap as well. Funds and quota shares may still pay there, as far as their capacity goes; layers of strangers
    /// are not looked into.
    #[must_use]
    pub fn gaps(&self) -> Vec<Gap> {
        let mut gaps = Vec::new();
        for aggregate in [false, true] {
            let bands = self.entries.iter().filter_map(|e| match (e.shape, aggregate) {
                (Shape::Event(band), false) | (Shape::Aggregate(band), true) => Some(band),
                _ => None,
            });
            let mut from = Quanta::ZERO;
            for band in bands {
                if band.attachment > from {
                    gaps.push(Gap { aggregate, from, to: band.attachment });
                }
                from = band.exhaustion();
            }
        }
        gaps
    }

    /// What every layer answered and what it has to pay, in order. [`LossWaterfall::allocate`] is this, summed up.
    pub fn responses(&self, loss: &Loss, standings: &[Standing]) -> Result<Vec<Response>, InsuranceError> {
        check_loss(loss)?;
        let standings = strictest(standings);
        let (mut left, mut level) = (loss.amount, loss.amount);
        let mut responses = Vec::with_capacity(self.entries.len());
        let capacity =
            |e: &Entry| standings.get(&e.layer).map_or(Quanta::ZERO, |s| s.capacity.positive_part());
        for entry in self.entries.iter().filter(|e| e.owner_first(loss)) {
            let paid = left.min(capacity(entry));
            responses.push(Response { layer: entry.layer, left, answer: Ok(left), paid });
            left = left.try_sub(paid)?;
        }
        let mut tranche = Tranche::default();
        for (i, entry) in self.entries.iter().enumerate() {
            if !entry.beside {
                level = left;
                let level_of = self.entries.iter().enumerate().skip(i);
                let beside = level_of.take_while(|(j, e)| *j == i || e.beside).map(|(_, e)| e);
                tranche = Tranche::new(level, beside.filter(|e| e.shares(loss)).map(capacity))?;
            }
            if let Shape::Mutual(terms) = entry.shape {
                if entry.owner_first(loss) {
                    continue; // has paid what it could
                }
                let paid = if terms.is_own(loss) { Quanta::ZERO } else { tranche.share(capacity(entry))? };
                responses.push(Response { layer: entry.layer, left: level, answer: Ok(paid), paid });
                left = left.try_sub(paid)?;
                continue;
            }
            let absent = Standing {
                layer: entry.layer,
                capacity: Quanta::ZERO,
                drawn_event: Quanta::ZERO,
                drawn_total: Quanta::ZERO,
            };
            let standing = standings.get(&entry.layer).unwrap_or(&absent);
            let answer = entry.terms.respond(loss, level, standing);
            let said = answer.as_ref().map_or(Quanta::ZERO, |x| x.positive_part());
            let paid = said.min(left).min(standing.capacity.positive_part());
            left = left.try_sub(paid)?;
            responses.push(Response { layer: entry.layer, left: level, answer, paid });
        }
        Ok(responses)
    }
}

impl LossWaterfall for Programme {
    fn allocate(&self, loss: &Loss, standings: &[Standing]) -> Result<Waterfall, InsuranceError> {
        let mut residual = loss.amount;
        let mut draws = Vec::new();
        for Response { layer, paid, .. } in self.responses(loss, standings)? {
            if paid > Quanta::ZERO {
                residual = residual.try_sub(paid)?;
                draws.push(Draw { layer, amount: paid });
            }
        }
        Ok(Waterfall { draws, residual })
    }
}

fn check_loss(loss: &Loss) -> Result<(), InsuranceError> {
    if loss.amount.is_negative() {
        return Err(InsuranceError::NegativeLoss(loss.amount));
    }
    for (field, value) in [("event_before", loss.event_before), ("total_before", loss.total_before)] {
        if value.is_negative() {
            return Err(refuse(field, value.to_string(), "zero or more").within("loss"));
        }
    }
    Ok(())
}

fn strictest(standings: &[Standing]) -> BTreeMap<LayerId, Standing> {
    let mut by_layer: BTreeMap<LayerId, Standing> = BTreeMap::new();
    for s in standings {
        let kept = by_layer.entry(s.layer).or_insert(*s);
        kept.capacity = kept.capacity.min(s.capacity);
        kept.drawn_event = kept.drawn_event.max(s.drawn_event);
        kept.drawn_total = kept.drawn_total.max(s.drawn_total);
    }
    by_layer
}

/// What the entries so far have taken.
#[derive(Default)]
struct Check {
    layers: Vec<LayerId>,
    event_end: Option<Quanta>,
    aggregate_end: Option<Quanta>,
    // shares on the current level; None where no quota share may stand beside
    shares: Option<Ppb>,
    // whether members of a mutual fund stand on it
    mutual: bool,
}

impl Check {
    fn entry(&mut self, entry: &Entry) -> Result<(), InsuranceError> {
        if self.layers.contains(&entry.layer) {
            return Err(refuse("layer", entry.layer.to_string(), "a layer that does not stand here yet"));
        }
        self.layers.push(entry.layer);
        match entry.shape {
            Shape::Event(band) => follows(&mut self.event_end, band)?,
            Shape::Aggregate(band) => follows(&mut self.aggregate_end, band)?,
            Shape::Whole | Shape::Share(_) | Shape::Mutual(_) | Shape::Opaque => {}
        }
        let share = match entry.shape {
            Shape::Share(terms) if terms.basis() == QuotaBasis::Left => Some(terms.share()),
            _ => None,
        };
        let mutual = matches!(entry.shape, Shape::Mutual(_));
        if !entry.beside {
            (self.shares, self.mutual) = (share, mutual);
            return Ok(());
        }
        if mutual && self.mutual {
            return Ok(());
        }
        let (Some(share), Some(before)) = (share, self.shares) else {
            let accepted = "a quota share of what is left, after another one, or a member after a member";
            return Err(refuse("beside_previous", "true".to_string(), accepted));
        };
        // both at most one whole
        let sum = Ppb(before.0.wrapping_add(share.0));
        if sum > Ppb::ONE {
            let accepted =
                format!("at most {}, what is left on its level", Ppb(Ppb::ONE.0.wrapping_sub(before.0)));
            return Err(refuse("share", share.to_string(), &accepted));
        }
        self.shares = Some(sum);
        Ok(())
    }
}

fn follows(end: &mut Option<Quanta>, band: Band) -> Result<(), InsuranceError> {
    if let Some(end) = *end
        && band.attachment < end
    {
        let accepted = format!("at least {end}, where the layer before it ends");
        return Err(refuse("attachment", band.attachment.to_string(), &accepted));
    }
    *end = Some(band.exhaustion());
    Ok(())
}
