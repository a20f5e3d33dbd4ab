//! The checks of terms: a layer alone, and in a programme at every place.

use super::{Check, Finding, Report};
use cofferdam_core::LayerId;
use cofferdam_insurance_layer::{
    Entry, InsuranceLayer, Programme,
    conformance::{Violation, check_layer, check_waterfall},
};

/// Runs the checks of a layer's terms (INS-20, INS-21): alone, and before, between and after funds. `fresh` makes the terms.
pub fn layer<L: InsuranceLayer + 'static>(fresh: impl Fn() -> L) -> Report {
    let mut report = Report::default();
    let mut note = |check, said: Result<(), Violation>| {
        let found = said.err().map(|v| Finding { check, case: v.to_string() });
        report.findings.extend(found);
    };
    note(Check::LayerContract, check_layer(&fresh()));
    let layers = [1, 2, 3].map(LayerId);
    for at in layers {
        let entry =
            |layer| if layer == at { Entry::custom(layer, Box::new(fresh())) } else { Entry::fund(layer) };
        match Programme::new(layers.map(entry).into()) {
            Ok(programme) => note(Check::Order, check_waterfall(&programme, &layers)),
            Err(e) => note(Check::Order, Err(Violation { law: "a programme", case: e.to_string() })),
        }
    }
    report
}
