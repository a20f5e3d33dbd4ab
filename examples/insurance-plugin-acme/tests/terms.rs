//! The terms alone: a table of answers, what is refused, and the public suite.

use acme_reinstated_excess::ReinstatedExcess;

use cofferdam_insurance_layer::core_values::{AssetId, EventId, LayerId, Ppb, Quanta};
use cofferdam_insurance_layer::registry::kinds;
use cofferdam_insurance_layer::{InsuranceLayer, Loss, LossCause, Standing, Supports};
use cofferdam_testkit::insurance;

/// 100 in excess of 50, twice in its life; a quarter of what was paid is added to the deductible.
fn terms() -> ReinstatedExcess {
    ReinstatedExcess::new(Quanta::new(50), Quanta::new(100), 1, Ppb(250_000_000)).unwrap()
}

fn pays(event: Option<u32>, before: i128, amount: i128, drawn_event: i128, drawn_total: i128) -> i128 {
    let loss = Loss {
        event: event.map(EventId),
        of: None,
        market: None,
        asset: AssetId(0),
        cause: LossCause::Bankruptcy,
        amount: Quanta::new(amount),
        event_before: Quanta::new(before),
        total_before: Quanta::new(before),
    };
    let standing = Standing {
        layer: LayerId(1),
        capacity: Quanta::new(1_000),
        drawn_event: Quanta::new(drawn_event),
        drawn_total: Quanta::new(drawn_total),
    };
    terms().respond(&loss, Quanta::new(amount), &standing).unwrap().get()
}

#[test]
fn answers() {
    for (why, event, before, amount, drawn_event, drawn_total, expected) in [
        ("below the deductible", Some(1), 0, 50, 0, 0, 0),
        ("above it", Some(1), 0, 51, 0, 0, 1),
        ("all of the band", Some(1), 0, 400, 0, 0, 100),
        ("the second part of one event", Some(1), 40, 40, 0, 0, 30),
        ("the rest of the band", Some(1), 80, 400, 30, 30, 70),
        ("the deductible stands still within an event", Some(1), 140, 10, 90, 90, 10),
        ("the next event: 50 + 25 to deduct", Some(2), 0, 75, 0, 100, 0),
        ("the limit is reinstated", Some(2), 0, 400, 0, 100, 100),
        ("what is left of its life", Some(3), 0, 400, 0, 170, 30),
        ("nothing is left of it", Some(3), 0, 400, 0, 200, 0),
        ("a loss without an event is its own event", None, 0, 80, 100, 100, 5),
        ("the deductible is rounded up: 50 + 1", Some(2), 0, 52, 0, 1, 1),
    ] {
        assert_eq!(pays(event, before, amount, drawn_event, drawn_total), expected, "{why}");
    }
}

#[test]
fn the_public_suite() {
    insurance::layer(terms).passes();
}

#[test]
fn the_manifest() {
    let own = kinds().find(|k| k.kind == "acme/reinstated-excess@1").unwrap();
    own.check().unwrap();
    let supports = Supports { partial_payment: true, reinstatement: true, ..Supports::NOTHING };
    assert_eq!((own.currency, own.supports), (None, supports));
}

#[test]
fn refusals() {
    let max = Quanta::new(Quanta::LIMIT);
    let one = Quanta::new(1);
    let new = |deductible, limit, reinstatements, growth| {
        ReinstatedExcess::new(deductible, limit, reinstatements, Ppb(growth)).map_err(|e| e.to_string())
    };
    assert_eq!(new(Quanta::new(-1), one, 0, 0).unwrap_err(), "deductible is -1; accepted is zero or more");
    assert_eq!(new(one, Quanta::ZERO, 0, 0).unwrap_err(), "limit is 0; accepted is above zero");
    assert_eq!(new(one, one, 21, 0).unwrap_err(), "reinstatements is 21; accepted is 0 to 20");
    assert_eq!(new(one, one, 0, 1_000_000_001).unwrap_err(), "growth is 1.000000001; accepted is 0 to 1");
    assert!(new(one, max, 0, 0).is_err());
    assert!(new(Quanta::ZERO, max, 1, 0).is_err());
}
