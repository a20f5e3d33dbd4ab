//! A mutual fund: the defaulter's money first, then the house's, then the others' in proportion, then calls.

use cofferdam_core::{AssetId, EventId, GroupId, LayerId, Quanta};
use cofferdam_insurance_layer::conformance::{check_layer, check_waterfall, sums};
use cofferdam_insurance_layer::{Entry, Loss, LossCause, LossWaterfall, Mutual, Programme, Standing};
use proptest::prelude::*;

fn loss(of: Option<u32>, amount: i128) -> Loss {
    Loss {
        event: Some(EventId(1)),
        of: of.map(GroupId),
        market: None,
        asset: AssetId(0),
        cause: LossCause::Bankruptcy,
        amount: Quanta::new(amount),
        event_before: Quanta::ZERO,
        total_before: Quanta::ZERO,
    }
}

fn member(layer: u32, member: u32, own_first: bool) -> Entry {
    Entry::mutual(LayerId(layer), Mutual { member: GroupId(member), own_first })
}

/// Skin in the game is layer 0; members 1 to 3 have contributions (layers 1 to 3) and can be called on (layers 4 to 6).
fn house() -> Programme {
    Programme::new(vec![
        Entry::fund(LayerId(0)),
        member(1, 1, true),
        member(2, 2, true).beside_previous(),
        member(3, 3, true).beside_previous(),
        member(4, 1, false),
        member(5, 2, false).beside_previous(),
        member(6, 3, false).beside_previous(),
    ])
    .unwrap()
}

fn standings(capacities: [i128; 7]) -> Vec<Standing> {
    let standing = |(layer, capacity)| Standing {
        layer: LayerId(layer),
        capacity: Quanta::new(capacity),
        drawn_event: Quanta::ZERO,
        drawn_total: Quanta::ZERO,
    };
    (0..).zip(capacities).map(standing).collect()
}

#[test]
fn in_which_order_and_in_which_proportion() {
    // skin 50; contributions 100, 200, 300; calls 100, 200, 300
    let full = [50, 100, 200, 300, 100, 200, 300];
    // (whose loss, capacities, loss, draws in order as (layer, amount), residual)
    type Case = (Option<u32>, [i128; 7], i128, &'static [(u32, i128)], i128);
    let table: [Case; 9] = [
        (Some(1), full, 60, &[(1, 60)], 0),
        (Some(1), full, 120, &[(1, 100), (0, 20)], 0),
        // 100 of its own, 50 of the house, 250 over 200 : 300
        (Some(1), full, 400, &[(1, 100), (0, 50), (2, 100), (3, 150)], 0),
        // 7 over 200 : 300, rounded down on the running sum
        (Some(1), full, 157, &[(1, 100), (0, 50), (2, 2), (3, 5)], 0),
        // all contributions, then 100 of the calls over 200 : 300; the defaulter is not called on
        (Some(1), full, 750, &[(1, 100), (0, 50), (2, 200), (3, 300), (5, 40), (6, 60)], 0),
        (Some(1), full, 1_200, &[(1, 100), (0, 50), (2, 200), (3, 300), (5, 200), (6, 300)], 50),
        // what one member cannot pay the others carry
        (Some(1), [50, 100, 0, 300, 0, 0, 0], 400, &[(1, 100), (0, 50), (3, 250)], 0),
        // nobody's own loss, and a stranger's: all members share
        (None, full, 110, &[(0, 50), (1, 10), (2, 20), (3, 30)], 0),
        (Some(9), full, 110, &[(0, 50), (1, 10), (2, 20), (3, 30)], 0),
    ];
    for (of, capacities, amount, wanted, residual) in table {
        let split = house().allocate(&loss(of, amount), &standings(capacities)).unwrap();
        let draws: Vec<(u32, i128)> = split.draws.iter().map(|d| (d.layer.0, d.amount.get())).collect();
        assert_eq!((draws.as_slice(), split.residual.get()), (wanted, residual), "{amount} of {of:?}");
    }
}

#[test]
fn the_terms_conform() {
    for own_first in [true, false] {
        assert_eq!(check_layer(&Mutual { member: GroupId(1), own_first }), Ok(()));
    }
}

/// INV-24 is broken by design: a member pays more where a later one of its level can pay less, and before the layers that stand before it
/// where the loss is its own.
#[test]
fn members_break_the_order_of_layers() {
    let layers: Vec<LayerId> = (0..7).map(LayerId).collect();
    assert!(check_waterfall(&house(), &layers).is_err());
    let own = house().allocate(&loss(Some(3), 10), &standings([50; 7])).unwrap();
    assert_eq!(own.draws[0].layer, LayerId(3)); // although the house's layer stands before it
}

proptest! {
    /// INV-25.
    #[test]
    fn shares_of_members_are_exact(
        capacities in prop::array::uniform7(prop_oneof![Just(0), 0_i128..1_000, 0_i128..1 << 118]),
        amount in prop_oneof![0_i128..3_000, 0_i128..1 << 119], of in prop::option::of(0_u32..5),
    ) {
        let (loss, standings) = (loss(of, amount), standings(capacities));
        let split = house().allocate(&loss, &standings).unwrap();
        prop_assert_eq!(sums(&loss, &standings, &split), Ok(()));
        let paid = |l: u32| split.draws.iter().find(|d| d.layer.0 == l).map_or(0, |d| d.amount.get());
        let called = (4..7).map(paid).sum::<i128>();
        if let Some(m) = of.filter(|m| (1..4).contains(m)) {
            prop_assert_eq!(paid(m + 3), 0);
            // somebody else's money only when the defaulter's is used up
            let mine = capacities[m as usize];
            prop_assert!(paid(m) == mine.min(amount));
        }
        if called > 0 {
            prop_assert!((0..4).all(|l| paid(l) == capacities[l as usize]));
        }
    }
}
