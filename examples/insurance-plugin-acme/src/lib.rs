//! Excess of loss per event with a number of reinstatements and a deductible that grows with what was paid before.
//!
//! Of the losses of one event taken together the layer pays the part between its deductible and deductible + limit. A limit that
//! was used up is restored for the next event, `reinstatements` times: in its life the layer pays at most limit x (1 +
//! reinstatements). For each unit it has paid for earlier events its deductible is `growth` units higher, so that whoever loses
//! often bears more himself. Within one event the deductible stays as it was when the event began.
//!
//! There is no reinstatement premium: the contract has no way yet to ask for money.

use cofferdam_insurance_layer::core_values::{Ppb, Quanta, Rounding};
use cofferdam_insurance_layer::registry::{LayerPlugin, Site, typetag};
use cofferdam_insurance_layer::{InsuranceError, InsuranceLayer, Loss, Standing, layer_kind};

layer_kind! {
    "acme/reinstated-excess@1" api 1, pays None, by Indemnity, supports [partial_payment, reinstatement];
    /// Pays a band of the losses of one event, restored a number of times, above a deductible that grows.
    pub struct ReinstatedExcessSpec {
        /// Losses of an event up to here are not its business; it grows with what was paid before.
        deductible: String ["amount of the numeraire"],
        /// The most it pays per event.
        limit: String ["amount of the numeraire"],
        /// How often a limit that was used up is restored, 0 to 20.
        reinstatements: Option<u8> ["count", "0"],
        /// By how much the deductible rises for each unit paid for earlier events, 0 to 1.
        growth: Option<String> ["ratio", "0"],
    }
}

#[typetag::serde(name = "acme/reinstated-excess@1")]
impl LayerPlugin for ReinstatedExcessSpec {
    fn build(&self, site: &Site<'_>) -> Result<Box<dyn InsuranceLayer>, InsuranceError> {
        let deductible = site.quanta("deductible", &self.deductible)?;
        let limit = site.quanta("limit", &self.limit)?;
        let growth = self.growth.as_ref().map_or(Ok(Ppb::ZERO), |text| site.ratio("growth", text))?;
        let terms = ReinstatedExcess::new(deductible, limit, self.reinstatements.unwrap_or(0), growth)?;
        Ok(Box::new(terms))
    }
}

/// The terms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReinstatedExcess {
    deductible: Quanta,
    limit: Quanta,
    // limit x (1 + reinstatements)
    life: Quanta,
    growth: Ppb,
}

impl ReinstatedExcess {
    /// A deductible of zero or more, a limit above zero, at most 20 reinstatements, a growth of 0 to 1; deductible + life stay within
    /// the range of quanta.
    pub fn new(
        deductible: Quanta,
        limit: Quanta,
        reinstatements: u8,
        growth: Ppb,
    ) -> Result<Self, InsuranceError> {
        if deductible.is_negative() {
            return Err(refuse("deductible", &deductible, "zero or more"));
        }
        if limit <= Quanta::ZERO {
            return Err(refuse("limit", &limit, "above zero"));
        }
        if reinstatements > 20 {
            return Err(refuse("reinstatements", &reinstatements, "0 to 20"));
        }
        if growth < Ppb::ZERO || growth > Ppb::ONE {
            return Err(refuse("growth", &growth, "0 to 1"));
        }
        let mut life = limit;
        for _ in 0..reinstatements {
            life = life.try_add(limit)?;
        }
        deductible.try_add(life)?;
        Ok(Self { deductible, limit, life, growth })
    }

    /// The deductible of an event that begins after `paid` was paid for earlier ones; rounded up.
    pub fn deductible_after(&self, paid: Quanta) -> Result<Quanta, InsuranceError> {
        Ok(self.deductible.try_add(self.growth.of(paid, Rounding::Up)?)?)
    }
}

impl InsuranceLayer for ReinstatedExcess {
    fn respond(&self, loss: &Loss, left: Quanta, standing: &Standing) -> Result<Quanta, InsuranceError> {
        // a loss without an event is an event of its own
        let of_event = if loss.event.is_some() { standing.drawn_event } else { Quanta::ZERO };
        let deductible = self.deductible_after(standing.drawn_total.try_sub(of_event)?.positive_part())?;
        let band = |losses: Quanta| losses.try_sub(deductible).map(|x| x.positive_part().min(self.limit));
        let before = loss.event_before;
        let adds = band(before.try_add(loss.amount)?)?.try_sub(band(before)?)?;
        let of_limit = self.limit.try_sub(of_event)?;
        let of_life = self.life.try_sub(standing.drawn_total)?;
        Ok(adds.min(of_limit).min(of_life).min(left).positive_part())
    }
}

fn refuse(field: &str, value: &impl ToString, accepted: &str) -> InsuranceError {
    InsuranceError::Parameter { field: field.into(), value: value.to_string(), accepted: accepted.into() }
}
