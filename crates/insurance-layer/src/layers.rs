//! The built-in terms: a fund, a quota share, an excess of loss per event, and an aggregate stop-loss.
//!
//! Source: the layer algebra of non-life reinsurance, `min(limit, max(0, L - attachment))` and `share x L` (Swiss Re,
//! "The essential guide to reinsurance"; Albrecher, Beirlant and Teugels, "Reinsurance", ch. 2).

use crate::{InsuranceError, InsuranceLayer, Loss, Standing, refuse};
use alloc::string::ToString;
use cofferdam_core::{MarketId, Ppb, Quanta, Rounding};

/// Pays all of what is left, as far as its capacity goes. An insurance fund, or the last layer of a programme.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fund;

impl InsuranceLayer for Fund {
    fn respond(&self, _: &Loss, left: Quanta, _: &Standing) -> Result<Quanta, InsuranceError> {
        Ok(left.positive_part())
    }
}

/// Pays all of what is left of losses in one market, and nothing of others: a pool that is isolated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarketFund {
    /// Whose losses.
    pub market: MarketId,
}

impl InsuranceLayer for MarketFund {
    fn respond(&self, loss: &Loss, left: Quanta, _: &Standing) -> Result<Quanta, InsuranceError> {
        Ok(if loss.market == Some(self.market) { left.positive_part() } else { Quanta::ZERO })
    }
}

/// Of what a quota share takes its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuotaBasis {
    /// Of what the layers before it left.
    Left,
    /// Of the whole loss; never more than what is left.
    Loss,
}

/// Pays a fixed share, rounded down: the residual takes the rest.
///
/// ```
/// use cofferdam_core::Ppb;
/// use cofferdam_insurance_layer::{QuotaBasis, QuotaShare};
/// assert!(QuotaShare::new(Ppb(250_000_000), QuotaBasis::Left).is_ok());
/// let refused = QuotaShare::new(Ppb(1_000_000_001), QuotaBasis::Left).unwrap_err();
/// assert_eq!(refused.to_string(), "share is 1.000000001; accepted is above 0, at most 1");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuotaShare {
    share: Ppb,
    basis: QuotaBasis,
}

impl QuotaShare {
    /// A share above zero and at most one whole, of what is left or of the loss.
    pub fn new(share: Ppb, basis: QuotaBasis) -> Result<Self, InsuranceError> {
        if share <= Ppb::ZERO || share > Ppb::ONE {
            return Err(refuse("share", share.to_string(), "above 0, at most 1"));
        }
        Ok(Self { share, basis })
    }

    /// The share.
    #[must_use]
    pub const fn share(&self) -> Ppb {
        self.share
    }

    /// What it is a share of.
    #[must_use]
    pub const fn basis(&self) -> QuotaBasis {
        self.basis
    }
}

impl InsuranceLayer for QuotaShare {
    fn respond(&self, loss: &Loss, left: Quanta, _: &Standing) -> Result<Quanta, InsuranceError> {
        let base = match self.basis {
            QuotaBasis::Left => left,
            QuotaBasis::Loss => loss.amount,
        };
        Ok(self.share.of(base, Rounding::Down)?.min(left).positive_part())
    }
}

/// A band of loss, `limit` above `attachment`, in quanta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Band {
    /// Losses up to here are not the layer's business; at least zero.
    pub attachment: Quanta,
    /// The most it pays, above zero.
    pub limit: Quanta,
}

impl Band {
    fn new(attachment: Quanta, limit: Quanta) -> Result<Self, InsuranceError> {
        if attachment.is_negative() {
            return Err(refuse("attachment", attachment.to_string(), "zero or more"));
        }
        if limit <= Quanta::ZERO {
            return Err(refuse("limit", limit.to_string(), "above zero"));
        }
        attachment
            .try_add(limit)
            .map_err(|_| refuse("limit", limit.to_string(), "attachment + limit within 2^120"))?;
        Ok(Self { attachment, limit })
    }

    /// Where the band ends: attachment + limit. Proved in range when the band was made.
    #[must_use]
    pub fn exhaustion(&self) -> Quanta {
        self.attachment.try_add(self.limit).unwrap_or(Quanta::new(Quanta::LIMIT))
    }

    // min(limit, max(0, x - attachment))
    fn inside(self, x: Quanta) -> Result<Quanta, InsuranceError> {
        Ok(x.try_sub(self.attachment)?.positive_part().min(self.limit))
    }

    // The part of the band that a loss adds to those before it, less what the layer has paid beyond its share of them.
    fn added(
        self,
        before: Quanta,
        loss: &Loss,
        left: Quanta,
        drawn: Quanta,
    ) -> Result<Quanta, InsuranceError> {
        let added = self.inside(before.try_add(loss.amount)?)?.try_sub(self.inside(before)?)?;
        let unpaid = self.limit.try_sub(drawn)?.positive_part();
        Ok(added.min(unpaid).min(left).positive_part())
    }
}

/// Excess of loss per event: of the losses of one event taken together, the part between `attachment` and `attachment +
/// limit`, and of that what this loss adds. A loss without an event is an event of its own. One limit per event, and as many
/// events as it takes, unless [`ExcessOfLoss::reinstated`] says how often the limit is restored. What that costs is
/// [`pricing::reinstatement_premium`](crate::pricing::reinstatement_premium).
///
/// The attachment is on the whole loss, not on what is left of it: what earlier layers pay does not lower it. What the
/// layer did not pay of an earlier loss (because somebody before it did, or because it had no capacity) is not made up
/// for by a later one.
///
/// ```
/// use cofferdam_core::{AssetId, LayerId, Quanta};
/// use cofferdam_insurance_layer::{ExcessOfLoss, InsuranceLayer, Loss, LossCause, Standing};
/// let layer = ExcessOfLoss::new(Quanta::new(100), Quanta::new(50))?;
/// let standing = Standing {
///     layer: LayerId(1), capacity: Quanta::new(50), drawn_event: Quanta::ZERO, drawn_total: Quanta::ZERO,
/// };
/// let loss = |before, amount| Loss {
///     event: None, of: None, market: None, asset: AssetId(0), cause: LossCause::Bankruptcy, amount: Quanta::new(amount),
///     event_before: Quanta::new(before), total_before: Quanta::new(before),
/// };
/// let pays = |before, amount| layer.respond(&loss(before, amount), Quanta::new(amount), &standing);
/// assert_eq!(pays(0, 120)?, Quanta::new(20));
/// assert_eq!(pays(80, 40)?, Quanta::new(20)); // the same loss in two parts
/// assert_eq!(pays(120, 500)?, Quanta::new(30)); // the rest of the band
/// # Ok::<(), cofferdam_insurance_layer::InsuranceError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExcessOfLoss {
    band: Band,
    reinstatements: Option<u32>,
}

impl ExcessOfLoss {
    /// `limit` (above zero) in excess of `attachment` (zero or more), per event, in quanta.
    pub fn new(attachment: Quanta, limit: Quanta) -> Result<Self, InsuranceError> {
        Band::new(attachment, limit).map(|band| Self { band, reinstatements: None })
    }

    /// The same with its limit restored so often: it pays `limit x (reinstatements + 1)` in its life, and `limit` per event.
    ///
    /// ```
    /// use cofferdam_core::Quanta;
    /// use cofferdam_insurance_layer::ExcessOfLoss;
    /// let layer = ExcessOfLoss::new(Quanta::new(100), Quanta::new(50))?.reinstated(1);
    /// assert_eq!(layer.reinstatements(), Some(1));
    /// # Ok::<(), cofferdam_insurance_layer::InsuranceError>(())
    /// ```
    #[must_use]
    pub const fn reinstated(self, times: u32) -> Self {
        Self { reinstatements: Some(times), ..self }
    }

    /// How often the limit is restored; `None`: always.
    #[must_use]
    pub const fn reinstatements(&self) -> Option<u32> {
        self.reinstatements
    }

    /// The band it covers, in losses of one event.
    #[must_use]
    pub const fn band(&self) -> Band {
        self.band
    }
}

impl InsuranceLayer for ExcessOfLoss {
    fn respond(&self, loss: &Loss, left: Quanta, standing: &Standing) -> Result<Quanta, InsuranceError> {
        let answer = self.band.added(loss.event_before, loss, left, standing.drawn_event)?;
        let Some(times) = self.reinstatements else { return Ok(answer) };
        let limits = i128::from(times).checked_add(1).and_then(|n| n.checked_mul(self.band.limit.get()));
        // a life that is longer than there are numbers for ends nothing
        let life = limits.map_or(Quanta::new(Quanta::LIMIT), |l| Quanta::new(l.min(Quanta::LIMIT)));
        Ok(answer.min(life.try_sub(standing.drawn_total)?.positive_part()))
    }
}

/// Aggregate stop-loss: of all losses taken together, the part between `attachment` and `attachment + limit`, and of that
/// what this loss adds. One limit for its whole life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AggregateStopLoss {
    band: Band,
}

impl AggregateStopLoss {
    /// `limit` (above zero) in excess of `attachment` (zero or more), over all losses, in quanta.
    pub fn new(attachment: Quanta, limit: Quanta) -> Result<Self, InsuranceError> {
        Band::new(attachment, limit).map(|band| Self { band })
    }

    /// The band it covers, in the sum of all losses.
    #[must_use]
    pub const fn band(&self) -> Band {
        self.band
    }
}

impl InsuranceLayer for AggregateStopLoss {
    fn respond(&self, loss: &Loss, left: Quanta, standing: &Standing) -> Result<Quanta, InsuranceError> {
        self.band.added(loss.total_before, loss, left, standing.drawn_total)
    }
}
