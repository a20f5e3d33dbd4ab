//! The laws of layers and programmes, on the built-in ones and on some that are broken on purpose.

use cofferdam_core::{AssetId, EventId, LayerId, MarketId, MathError, Ppb, Quanta};
use cofferdam_insurance_layer::conformance::{check_layer, check_waterfall, sums};
use cofferdam_insurance_layer::{
    AggregateStopLoss, Draw, Entry, ExcessOfLoss, Fund, Gap, InsuranceError, InsuranceLayer, Loss, LossCause,
    LossWaterfall, MarketFund, Programme, QuotaBasis, QuotaShare, Standing, Waterfall,
};
use proptest::prelude::*;
use std::sync::atomic::{AtomicI64, Ordering};

const HALF: Ppb = Ppb(500_000_000);

fn q(x: i128) -> Quanta {
    Quanta::new(x)
}

fn loss(amount: i128, before: i128) -> Loss {
    Loss {
        event: Some(EventId(1)),
        of: None,
        market: None,
        asset: AssetId(0),
        cause: LossCause::Bankruptcy,
        amount: q(amount),
        event_before: q(before),
        total_before: q(before),
    }
}

fn standing(layer: u32, capacity: i128) -> Standing {
    Standing { layer: LayerId(layer), capacity: q(capacity), drawn_event: q(0), drawn_total: q(0) }
}

fn quota(layer: u32, share: i64) -> Entry {
    Entry::quota_share(LayerId(layer), QuotaShare::new(Ppb(share), QuotaBasis::Left).unwrap())
}

fn excess(layer: u32, attachment: i128, limit: i128) -> Entry {
    Entry::excess_of_loss(LayerId(layer), ExcessOfLoss::new(q(attachment), q(limit)).unwrap())
}

fn stop(layer: u32, attachment: i128, limit: i128) -> Entry {
    Entry::stop_loss(LayerId(layer), AggregateStopLoss::new(q(attachment), q(limit)).unwrap())
}

#[test]
fn terms() {
    let check = |terms: &dyn InsuranceLayer, (amount, before, left, drawn), want| {
        let standing = Standing { drawn_event: q(drawn), drawn_total: q(drawn), ..standing(1, 1 << 100) };
        assert_eq!(
            terms.respond(&loss(amount, before), q(left), &standing),
            Ok(q(want)),
            "{terms:?} of {amount}"
        );
    };
    check(&Fund, (100, 0, 60, 0), 60);
    check(&MarketFund { market: MarketId(1) }, (100, 0, 60, 0), 0); // of no market
    let own = Loss { market: Some(MarketId(1)), ..loss(100, 0) };
    for (market, want) in [(1, 60), (2, 0)] {
        let pool = MarketFund { market: MarketId(market) };
        assert_eq!(pool.respond(&own, q(60), &standing(1, 100)), Ok(q(want)));
    }
    let left = QuotaShare::new(HALF, QuotaBasis::Left).unwrap();
    check(&left, (101, 0, 61, 0), 30);
    let whole = QuotaShare::new(HALF, QuotaBasis::Loss).unwrap();
    check(&whole, (101, 0, 61, 0), 50);
    check(&whole, (101, 0, 20, 0), 20);
    let band = ExcessOfLoss::new(q(100), q(50)).unwrap();
    for terms in [&band as &dyn InsuranceLayer, &AggregateStopLoss::new(q(100), q(50)).unwrap()] {
        check(terms, (100, 0, 100, 0), 0);
        check(terms, (101, 0, 101, 0), 1);
        check(terms, (1_000, 0, 1_000, 0), 50);
        check(terms, (1_000, 0, 30, 0), 30);
        check(terms, (10, 95, 10, 0), 5);
        check(terms, (10, 120, 10, 20), 10);
        check(terms, (10, 145, 10, 45), 5);
        check(terms, (10, 150, 10, 50), 0);
        check(terms, (10, 120, 10, 48), 2); // the ledger says that less of the limit is left
    }
}

#[test]
fn programmes() {
    let check = |what: &str, entries: Vec<Entry>, amount: i128, capacity: [i128; 3], want: [i128; 4]| {
        let standings: Vec<_> = (1..).zip(capacity).map(|(l, c)| standing(l, c)).collect();
        let split = Programme::new(entries).unwrap().allocate(&loss(amount, 0), &standings).unwrap();
        let paid = |l| split.draws.iter().find(|d| d.layer == LayerId(l)).map_or(0, |d| d.amount.get());
        assert_eq!([paid(1), paid(2), paid(3), split.residual.get()], want, "{what}");
    };
    let fund = |l| Entry::fund(LayerId(l));
    check("nobody", vec![], 9, [9; 3], [0, 0, 0, 9]);
    check("nothing", vec![fund(1)], 0, [9; 3], [0; 4]);
    check("a fund up to its capacity", vec![fund(1), fund(2)], 9, [5, 9, 0], [5, 4, 0, 0]);
    check("a capacity below zero is none", vec![fund(1), fund(2)], 9, [-5, 9, 0], [0, 9, 0, 0]);
    check(
        "a third of a third",
        vec![quota(1, 333_333_333), quota(2, 333_333_333)],
        100,
        [99; 3],
        [33, 22, 0, 45],
    );
    let beside = vec![quota(1, 300_000_000), quota(2, 700_000_000).beside_previous(), fund(3)];
    check("two on one level, each floored", beside, 101, [999; 3], [30, 70, 1, 0]);
    let beside = vec![fund(1), quota(2, 500_000_000), quota(3, 500_000_000).beside_previous()];
    check("a level of what is left", beside, 100, [40, 999, 10], [40, 30, 10, 20]);
    check(
        "a tower",
        vec![excess(1, 0, 10), excess(2, 10, 20), excess(3, 30, 40)],
        100,
        [99; 3],
        [10, 20, 40, 30],
    );
    check(
        "an insurer short of its limit",
        vec![excess(1, 0, 10), excess(2, 10, 20), fund(3)],
        25,
        [4, 99, 99],
        [4, 15, 6, 0],
    );
    check(
        "a layer of a stranger",
        vec![Entry::custom(LayerId(1), Box::new(Fund)), fund(2)],
        9,
        [5, 9, 0],
        [5, 4, 0, 0],
    );
}

#[test]
fn faults_of_a_programme_are_named() {
    let check = |entries: Vec<Entry>, field: &str, shown: &str| match Programme::new(entries) {
        Err(e @ InsuranceError::Parameter { .. }) => {
            let InsuranceError::Parameter { field: f, .. } = &e else { unreachable!() };
            assert_eq!(f, field);
            assert_eq!(e.to_string(), shown);
        }
        other => panic!("{field}: {other:?}"),
    };
    let fund = |l| Entry::fund(LayerId(l));
    check(
        vec![fund(1), excess(2, 0, 100), excess(3, 99, 100)],
        "layers[2].attachment",
        "layers[2].attachment is 99; accepted is at least 100, where the layer before it ends",
    );
    check(
        vec![excess(1, 100, 100), excess(2, 0, 100)],
        "layers[1].attachment",
        "layers[1].attachment is 0; accepted is at least 200, where the layer before it ends",
    );
    check(
        vec![stop(1, 0, 100), excess(2, 0, 100), stop(3, 50, 100)],
        "layers[2].attachment",
        "layers[2].attachment is 50; accepted is at least 100, where the layer before it ends",
    );
    check(
        vec![fund(1), fund(2), fund(1)],
        "layers[2].layer",
        "layers[2].layer is 1; accepted is a layer that does not stand here yet",
    );
    check(
        vec![quota(1, 600_000_000), quota(2, 500_000_000).beside_previous()],
        "layers[1].share",
        "layers[1].share is 0.5; accepted is at most 0.4, what is left on its level",
    );
    let beside =
        "is true; accepted is a quota share of what is left, after another one, or a member after a member";
    for (index, entries) in [
        (0, vec![quota(1, 1).beside_previous()]),
        (1, vec![fund(1), quota(2, 1).beside_previous()]),
        (1, vec![quota(1, 1), fund(2).beside_previous()]),
        (1, vec![excess(1, 0, 1), excess(2, 1, 1).beside_previous()]),
    ] {
        let field = format!("layers[{index}].beside_previous");
        check(entries, &field, &format!("{field} {beside}"));
    }
}

#[test]
fn faults_of_terms_are_named() {
    let check = |got: Option<InsuranceError>, shown: &str| {
        assert_eq!(got.map(|e| e.within("layers[2]").to_string()).as_deref(), Some(shown));
    };
    let xl = |a, l| ExcessOfLoss::new(q(a), q(l)).err();
    check(xl(-1, 5), "layers[2].attachment is -1; accepted is zero or more");
    check(xl(0, 0), "layers[2].limit is 0; accepted is above zero");
    check(AggregateStopLoss::new(q(0), q(-5)).err(), "layers[2].limit is -5; accepted is above zero");
    let share = |s| QuotaShare::new(Ppb(s), QuotaBasis::Loss).err();
    check(share(0), "layers[2].share is 0; accepted is above 0, at most 1");
    check(share(1_500_000_000), "layers[2].share is 1.5; accepted is above 0, at most 1");
    assert!(xl(1 << 120, 1).is_some(), "a band past every value");
}

#[test]
fn gaps() {
    let check = |entries: Vec<Entry>, want: &[(bool, i128, i128)]| {
        let found: Vec<_> = Programme::new(entries).unwrap().gaps();
        let want: Vec<_> =
            want.iter().map(|&(aggregate, from, to)| Gap { aggregate, from: q(from), to: q(to) }).collect();
        assert_eq!(found, want);
    };
    check(vec![], &[]);
    check(vec![excess(1, 0, 10), excess(2, 10, 5)], &[]);
    check(vec![excess(1, 5, 10), excess(2, 20, 5)], &[(false, 0, 5), (false, 15, 20)]);
    check(vec![stop(1, 7, 1), Entry::fund(LayerId(2)), excess(3, 0, 1)], &[(true, 0, 7)]);
}

#[test]
fn a_negative_loss_is_refused() {
    let programme = Programme::new(vec![Entry::fund(LayerId(1))]).unwrap();
    assert_eq!(programme.allocate(&loss(-1, 0), &[]), Err(InsuranceError::NegativeLoss(q(-1))));
    let refused = programme.allocate(&loss(1, -1), &[]).unwrap_err();
    assert_eq!(refused.to_string(), "loss.event_before is -1; accepted is zero or more");
}

#[test]
fn the_smaller_of_two_standings_counts() {
    let programme = Programme::new(vec![Entry::fund(LayerId(1))]).unwrap();
    let split = programme.allocate(&loss(9, 0), &[standing(1, 7), standing(1, 5), standing(2, 9)]).unwrap();
    assert_eq!(split, Waterfall { draws: vec![Draw { layer: LayerId(1), amount: q(5) }], residual: q(4) });
}

/// Layers with one fault each.
#[derive(Debug)]
enum Liar {
    TooMuch,
    Negative,
    Fails,
    Moody(AtomicI64),
}

impl InsuranceLayer for Liar {
    fn respond(&self, _: &Loss, left: Quanta, _: &Standing) -> Result<Quanta, InsuranceError> {
        match self {
            Self::TooMuch => Ok(left.try_add(Quanta::ONE)?),
            Self::Negative => Ok(q(-1)),
            Self::Fails => Err(MathError::Overflow.into()),
            Self::Moody(n) => Ok(q(i128::from(n.fetch_add(1, Ordering::Relaxed) % 2)).min(left)),
        }
    }
}

fn liars() -> [Liar; 4] {
    [Liar::TooMuch, Liar::Negative, Liar::Fails, Liar::Moody(AtomicI64::new(0))]
}

#[test]
fn built_in_layers_conform_and_each_check_can_fail() {
    let built_in: [&dyn InsuranceLayer; 5] = [
        &Fund,
        &QuotaShare::new(HALF, QuotaBasis::Left).unwrap(),
        &QuotaShare::new(HALF, QuotaBasis::Loss).unwrap(),
        &ExcessOfLoss::new(q(400), q(1 << 50)).unwrap(),
        &AggregateStopLoss::new(q(0), q(700)).unwrap(),
    ];
    for layer in built_in {
        assert_eq!(check_layer(layer), Ok(()), "{layer:?}");
    }
    let laws = ["between zero", "between zero", "has an answer", "same answer"];
    for (liar, law) in liars().into_iter().zip(laws) {
        let found = check_layer(&liar).unwrap_err();
        assert!(found.law.contains(law), "{liar:?}: {found}");
    }
}

#[test]
fn a_liar_loses_its_say_and_never_the_stack_its_money() {
    for liar in liars().into_iter().take(3) {
        let name = format!("{liar:?}");
        let paid_by_liar = if matches!(liar, Liar::TooMuch) { 7 } else { 0 };
        let entries = vec![Entry::custom(LayerId(1), Box::new(liar)), Entry::fund(LayerId(2))];
        let programme = Programme::new(entries).unwrap();
        assert_eq!(check_waterfall(&programme, &[LayerId(1), LayerId(2)]), Ok(()), "{name}");
        let standings = [standing(1, 7), standing(2, 100)];
        let responses = programme.responses(&loss(20, 0), &standings).unwrap();
        assert_eq!(responses[0].paid, q(paid_by_liar), "{name}");
        assert_eq!(responses[1].paid, q(20 - paid_by_liar), "the next layer carries the gap: {name}");
    }
}

/// Waterfalls with one fault each, around a fund that works.
#[derive(Debug)]
enum Broken {
    Leaks,
    OverCapacity,
    Twice,
    Backwards,
    DrawsZero,
    TakesNegative,
    LaterFirst,
}

impl LossWaterfall for Broken {
    fn allocate(&self, loss: &Loss, standings: &[Standing]) -> Result<Waterfall, InsuranceError> {
        let amount = match self {
            Self::TakesNegative => loss.amount.positive_part(),
            _ => loss.amount,
        };
        let funds = |ids: [u32; 2]| Programme::new(ids.map(|l| Entry::fund(LayerId(l))).into());
        let order = if matches!(self, Self::LaterFirst) { [2, 1] } else { [1, 2] };
        let mut split = funds(order)?.allocate(&Loss { amount, ..*loss }, standings)?;
        let some = !split.draws.is_empty();
        match self {
            Self::Leaks if some => split.residual = split.residual.try_add(Quanta::ONE)?,
            Self::OverCapacity => {
                split = Waterfall { draws: vec![Draw { layer: LayerId(1), amount }], residual: q(0) };
                split.draws.retain(|d| !d.amount.is_zero());
            }
            Self::Twice if split.residual > q(0) && some => {
                split.draws.push(Draw { layer: split.draws[0].layer, amount: q(1) });
                split.residual = split.residual.try_sub(q(1))?;
            }
            Self::Backwards => split.draws.reverse(),
            Self::DrawsZero => split.draws.push(Draw { layer: LayerId(2), amount: q(0) }),
            Self::LaterFirst => split.draws.sort_by_key(|d| d.layer),
            _ => {}
        }
        Ok(split)
    }
}

#[test]
fn each_check_of_a_waterfall_can_fail() {
    let check = |broken: Broken, law: &str| {
        let found = check_waterfall(&broken, &[LayerId(1), LayerId(2)]).unwrap_err();
        assert!(found.law.contains(law), "{broken:?}: {found}");
    };
    check(Broken::Leaks, "draws + residual");
    check(Broken::OverCapacity, "above its capacity");
    check(Broken::Twice, "drawn on once");
    check(Broken::Backwards, "programme's order");
    check(Broken::DrawsZero, "above zero");
    check(Broken::TakesNegative, "negative loss");
    check(Broken::LaterFirst, "whatever later layers");
}

/// Programmes that pass validation: a tower, a level of quota shares, stop-losses, funds, in any order of kinds.
fn any_programme() -> impl Strategy<Value = Vec<(u8, i128, i128, i64)>> {
    prop::collection::vec((0_u8..6, 0_i128..2_000, 1_i128..2_000, 1_i64..=1_000_000_000), 0..8)
}

fn build(plan: &[(u8, i128, i128, i64)]) -> Programme {
    let (mut event_end, mut aggregate_end, mut room) = (0, 0, 0);
    let entries = (1_u32..).zip(plan).map(|(id, &(kind, gap, limit, share))| match kind {
        0 => {
            room = 0;
            Entry::fund(LayerId(id))
        }
        1 => {
            room = 0;
            event_end += gap + limit;
            excess(id, event_end - limit, limit)
        }
        2 => {
            room = 0;
            aggregate_end += gap + limit;
            stop(id, aggregate_end - limit, limit)
        }
        3 => {
            room = 0;
            Entry::quota_share(LayerId(id), QuotaShare::new(Ppb(share), QuotaBasis::Loss).unwrap())
        }
        _ if share <= room => {
            room -= share;
            quota(id, share).beside_previous()
        }
        _ => {
            room = 1_000_000_000 - share;
            quota(id, share)
        }
    });
    Programme::new(entries.collect()).unwrap()
}

proptest! {
    /// Any programme that is accepted keeps the contract of a waterfall.
    #[test]
    fn every_programme_conforms(plan in any_programme()) {
        let programme = build(&plan);
        let layers: Vec<_> = programme.layers().collect();
        prop_assert_eq!(check_waterfall(&programme, &layers), Ok(()));
    }

    /// Over a history of losses: each split is exact, no layer is above its limit or its capacity, and a later level pays
    /// of what the earlier ones left (INV-24, INV-25).
    #[test]
    fn a_history_of_losses(plan in any_programme(), amounts in prop::collection::vec(0_i128..3_000, 1..12), capacities in prop::collection::vec(0_i128..5_000, 8)) {
        let programme = build(&plan);
        let mut standings: Vec<_> = programme.layers().zip(&capacities).map(|(l, c)| standing(l.0, *c)).collect();
        let mut before = 0;
        for amount in amounts {
            let loss = loss(amount, before);
            let split = programme.allocate(&loss, &standings).unwrap();
            prop_assert_eq!(sums(&loss, &standings, &split), Ok(()));
            for response in programme.responses(&loss, &standings).unwrap() {
                prop_assert!(response.paid <= response.left);
            }
            for draw in &split.draws {
                let s = standings.iter_mut().find(|s| s.layer == draw.layer).unwrap();
                s.capacity = s.capacity.try_sub(draw.amount).unwrap();
                s.drawn_event = s.drawn_event.try_add(draw.amount).unwrap();
                s.drawn_total = s.drawn_total.try_add(draw.amount).unwrap();
            }
            before += amount;
        }
        for ((s, capacity), (kind, _, limit, _)) in standings.iter().zip(&capacities).zip(&plan) {
            prop_assert!(s.drawn_total.get() <= *capacity);
            prop_assert!(!matches!(kind, 1 | 2) || s.drawn_total.get() <= *limit, "above its limit");
        }
    }

    /// A band pays the same for a loss in one piece or in many (nobody gains by splitting a loss).
    #[test]
    fn a_band_does_not_see_how_a_loss_is_cut(attachment in 0_i128..2_000, limit in 1_i128..2_000, amounts in prop::collection::vec(0_i128..500, 1..12)) {
        let band = ExcessOfLoss::new(q(attachment), q(limit)).unwrap();
        let total: i128 = amounts.iter().sum();
        let (mut before, mut paid) = (0, 0);
        for amount in amounts {
            let drawn = Standing { drawn_event: q(paid), ..standing(1, 1 << 100) };
            paid += band.respond(&loss(amount, before), q(amount), &drawn).unwrap().get();
            before += amount;
        }
        prop_assert_eq!(paid, (total - attachment).clamp(0, limit));
    }

    /// Contributions sum to the total exactly and each is within one quantum of its share.
    #[test]
    fn contributions_are_exact(total in 0_i128..1 << 60, weights in prop::collection::vec(0_i128..1 << 40, 1..12)) {
        let parts = cofferdam_insurance_layer::contribution(q(total), &weights.iter().map(|w| q(*w)).collect::<Vec<_>>());
        let sum: i128 = weights.iter().sum();
        if sum == 0 { prop_assert!(parts.is_err()); return Ok(()) }
        let parts = parts.unwrap();
        prop_assert_eq!(parts.iter().map(|p| p.get()).sum::<i128>(), total);
        for (part, weight) in parts.iter().zip(&weights) {
            prop_assert!((part.get() * sum - total * weight).abs() < sum, "{} of {}", part, weight);
        }
    }
}
