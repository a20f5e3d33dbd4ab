//! The contracts of layers and waterfalls as code: the same checks for the built-in ones and for those of strangers. Each returns the
//! first law that was broken, with the case that broke it. The suite for providers is `cofferdam_testkit::insurance`.

use crate::{InsuranceLayer, Loss, LossCause, LossWaterfall, Standing, Waterfall};
use alloc::{format, string::String, vec::Vec};
use cofferdam_core::{AssetId, EventId, LayerId, MarketId, Quanta};

/// A law that an implementation broke.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{law}: {case}")]
pub struct Violation {
    /// The law, in the words of the contract.
    pub law: &'static str,
    /// The case that broke it.
    pub case: String,
}

const AMOUNTS: [i128; 8] = [0, 1, 2, 99, 1_000, 1_000_003, 1 << 60, 1 << 100];

/// The losses that the checks try: every amount after several histories, with an event and without.
pub fn losses() -> impl Iterator<Item = Loss> {
    AMOUNTS.into_iter().flat_map(|amount| {
        [0, 1, 500, 1 << 40].into_iter().flat_map(move |before| {
            [None, Some(EventId(3))].into_iter().map(move |event| Loss {
                event,
                of: None,
                market: Some(MarketId(1)),
                asset: AssetId(0),
                cause: LossCause::Bankruptcy,
                amount: Quanta::new(amount),
                event_before: Quanta::new(before),
                total_before: Quanta::new(before),
            })
        })
    })
}

fn standing(layer: LayerId, capacity: i128) -> Standing {
    Standing { layer, capacity: Quanta::new(capacity), drawn_event: Quanta::ZERO, drawn_total: Quanta::ZERO }
}

/// Checks the contract of [`InsuranceLayer`]: between zero and what is left, and the same answer to the same question.
///
/// ```
/// use cofferdam_insurance_layer::{Fund, conformance::check_layer};
/// assert_eq!(check_layer(&Fund), Ok(()));
/// ```
pub fn check_layer(layer: &dyn InsuranceLayer) -> Result<(), Violation> {
    for loss in losses() {
        let amount = loss.amount.get();
        for left in [amount, amount.midpoint(0), amount.min(1), 0] {
            for capacity in [0, 1, 1 << 110] {
                let standing = standing(LayerId(1), capacity);
                let ask = || layer.respond(&loss, Quanta::new(left), &standing);
                let case = || format!("{left} left of {loss:?} with a capacity of {capacity}: {:?}", ask());
                let answer = ask().map_err(|_| violation("a legal loss has an answer", case()))?;
                expect((0..=left).contains(&answer.get()), "answers between zero and what is left", case)?;
                expect(ask().as_ref() == Ok(&answer), "the same question has the same answer", case)?;
            }
        }
    }
    Ok(())
}

/// Checks the contract of [`LossWaterfall`] over `layers`, which are given in the order of the programme.
///
/// Sum of draws + residual = loss exactly; no draw of zero, beyond capacity, on a layer that is not there or twice on one;
/// draws in the programme's order; a layer pays the same whatever the layers after it can pay; the same answer to the same
/// question; a negative loss is refused.
pub fn check_waterfall(waterfall: &dyn LossWaterfall, layers: &[LayerId]) -> Result<(), Violation> {
    for loss in losses() {
        for capacity in [0, 1, 700, 1 << 50, 1 << 110] {
            let full: Vec<Standing> = layers.iter().map(|l| standing(*l, capacity)).collect();
            let split = ask(waterfall, &loss, &full)?;
            sums(&loss, &full, &split)?;
            in_order(layers, &split)?;
            expect(ask(waterfall, &loss, &full)? == split, "the same question has the same answer", || {
                format!("{loss:?}")
            })?;
            for index in 0..layers.len() {
                without(waterfall, &loss, &full, &split, index)?;
            }
        }
    }
    let negative = losses().next().map(|l| Loss { amount: Quanta::new(-1), ..l });
    let refused = negative.is_none_or(|l| waterfall.allocate(&l, &[]).is_err());
    expect(refused, "a negative loss is refused", String::new)
}

/// Checks one split of a loss: the sum is exact, and every draw is above zero, within the capacity of a standing that was
/// given, and the only one on its layer.
pub fn sums(loss: &Loss, standings: &[Standing], split: &Waterfall) -> Result<(), Violation> {
    let case = || format!("{split:?} of {} quanta", loss.amount);
    let mut sum = Some(split.residual);
    let mut seen = Vec::new();
    for draw in &split.draws {
        sum = sum.and_then(|s| s.try_add(draw.amount).ok());
        expect(draw.amount > Quanta::ZERO, "a draw is above zero", case)?;
        expect(!seen.contains(&draw.layer), "a layer is drawn on once", case)?;
        seen.push(draw.layer);
        let capacity = standings.iter().filter(|s| s.layer == draw.layer).map(|s| s.capacity).min();
        expect(
            capacity.is_some_and(|c| draw.amount <= c),
            "no layer pays above its capacity (INV-25)",
            case,
        )?;
    }
    expect(!split.residual.is_negative(), "the residual is not below zero", case)?;
    expect(sum == Some(loss.amount), "draws + residual = loss, exactly (INV-25)", case)
}

fn in_order(layers: &[LayerId], split: &Waterfall) -> Result<(), Violation> {
    let mut places = split.draws.iter().map(|d| layers.iter().position(|l| *l == d.layer));
    expect(
        places.clone().is_sorted() && places.all(|p| p.is_some()),
        "draws stand in the programme's order (INV-24)",
        || format!("{split:?} over {layers:?}"),
    )
}

// Takes the capacity of one layer away: the layers before it must not notice.
fn without(
    waterfall: &dyn LossWaterfall,
    loss: &Loss,
    full: &[Standing],
    split: &Waterfall,
    index: usize,
) -> Result<(), Violation> {
    let mut fewer = full.to_vec();
    let Some(gone) = fewer.get_mut(index) else { return Ok(()) };
    gone.capacity = Quanta::ZERO;
    let other = ask(waterfall, loss, &fewer)?;
    sums(loss, &fewer, &other)?;
    let paid = |w: &Waterfall, layer: LayerId| w.draws.iter().find(|d| d.layer == layer).map(|d| d.amount);
    for before in full.iter().take(index) {
        let same = paid(split, before.layer) == paid(&other, before.layer);
        expect(same, "a layer pays the same whatever later layers can pay (INV-24)", || {
            format!("layer {} paid {split:?}, and {other:?} without layer {index}", before.layer)
        })?;
    }
    Ok(())
}

fn ask(waterfall: &dyn LossWaterfall, loss: &Loss, standings: &[Standing]) -> Result<Waterfall, Violation> {
    waterfall
        .allocate(loss, standings)
        .map_err(|e| violation("a legal loss has an answer", format!("{loss:?}: {e}")))
}

fn violation(law: &'static str, case: String) -> Violation {
    Violation { law, case }
}

fn expect(holds: bool, law: &'static str, case: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(violation(law, case())) }
}
