//! The contracts of this room as code: the same checks for the built-in layers, waterfalls and providers and for those of
//! strangers. Each returns the first law that was broken, with the case that broke it. The check of a provider is an
//! `async fn` that needs no particular executor.

use crate::{
    API_VERSION, Commitment, InsuranceLayer, InsuranceProvider, Loss, LossCause, LossWaterfall, Payment,
    QuoteRequest, Standing, Waterfall,
};
use alloc::{format, string::String, vec::Vec};
use cofferdam_core::{AssetId, DrawId, EventId, LayerId, MarketId, Millis, Ppb, Quanta};

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

/// What a provider is tried with. It needs to be fresh: nothing committed, no draw settled.
pub struct ProviderTrial<'a> {
    /// What it holds, in quanta; at least ten.
    pub holds: Quanta,
    /// How much has left its purse, if that can be seen from outside: the proof that it paid once.
    pub paid_out: Option<&'a (dyn Fn() -> Quanta + Sync)>,
}

impl core::fmt::Debug for ProviderTrial<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("ProviderTrial").field("holds", &self.holds).finish_non_exhaustive()
    }
}

const LAYER: LayerId = LayerId(1);
const EXPIRES: Millis = Millis(1 << 50);

/// Checks the contract of [`InsuranceProvider`]: its manifest and quotes are well formed, a commitment says what was asked
/// and no more than the provider holds, a draw is settled once and in one way, and payments never exceed commitments.
pub async fn check_provider(
    provider: &dyn InsuranceProvider,
    trial: &ProviderTrial<'_>,
) -> Result<(), Violation> {
    describes_itself(provider, trial).await?;
    let over = trial.holds.get().saturating_add(1);
    let promise = provider.commit(LAYER, Quanta::new(over), EXPIRES).await;
    expect(promise.is_err(), "never promises more than it holds", || format!("{promise:?}"))?;
    let half = Quanta::new(trial.holds.get().midpoint(0));
    let committed = commit(provider, half).await?;
    settles_once(provider, trial, committed).await?;
    pays_no_more_than_committed(provider, trial, committed).await
}

async fn describes_itself(
    provider: &dyn InsuranceProvider,
    trial: &ProviderTrial<'_>,
) -> Result<(), Violation> {
    let manifest = provider.manifest().await.map_err(|e| violation("has a manifest", format!("{e}")))?;
    let named = manifest.id.split_once('/').is_some_and(|(org, name)| !org.is_empty() && !name.is_empty());
    expect(named && manifest.api_version == API_VERSION, "is org/name and speaks this version", || {
        format!("{manifest:?}")
    })?;
    let limit = Quanta::new(trial.holds.get().midpoint(0));
    let request = QuoteRequest {
        exposure: trial.holds,
        term: Millis(86_400_000),
        attachment: Quanta::ZERO,
        limit,
        share: Ppb::ONE,
    };
    // no terms are an answer too
    let sound = provider.quote(&request).await.map_or(true, |terms| !terms.premium.is_negative());
    expect(sound, "a premium is not below zero", || format!("{request:?}"))
}

async fn commit(provider: &dyn InsuranceProvider, capacity: Quanta) -> Result<Commitment, Violation> {
    let got = provider
        .commit(LAYER, capacity, EXPIRES)
        .await
        .map_err(|e| violation("commits half of what it holds", format!("{e}")))?;
    let sound = got.layer == LAYER
        && got.expires == EXPIRES
        && got.capacity <= capacity
        && got.capacity > Quanta::ZERO;
    expect(sound, "a commitment says what was asked and no more", || format!("{got:?} for {capacity}"))?;
    Ok(got)
}

async fn settles_once(
    provider: &dyn InsuranceProvider,
    trial: &ProviderTrial<'_>,
    committed: Commitment,
) -> Result<(), Violation> {
    let (draw, amount) = (DrawId(1), Quanta::new(committed.capacity.get().midpoint(0)));
    let first = settle(provider, draw, amount).await?;
    let purse = trial.paid_out.map(|f| f());
    let second = settle(provider, draw, amount).await?;
    let settled = !matches!(first, Payment::Pending { .. });
    expect(!settled || first == second, "asked twice it gives the same answer (INV-40)", || {
        format!("{first:?}, then {second:?}")
    })?;
    expect(!settled || trial.paid_out.map(|f| f()) == purse, "asked twice it pays once", || {
        format!("{purse:?}, then {:?}", trial.paid_out.map(|f| f()))
    })?;
    // the same id for another amount is a mistake: refused, or answered as before, never paid
    let other =
        provider.settle(draw, Quanta::new(amount.get().midpoint(0).saturating_add(amount.get()))).await;
    let harmless = other.as_ref().map_or(true, |p| *p == second);
    expect(!settled || harmless, "a draw id is settled for one amount", || {
        format!("{first:?}, then {other:?}")
    })?;
    expect(!settled || trial.paid_out.map(|f| f()) == purse, "a draw id is settled for one amount", || {
        format!("{purse:?}, then {:?}", trial.paid_out.map(|f| f()))
    })
}

async fn pays_no_more_than_committed(
    provider: &dyn InsuranceProvider,
    trial: &ProviderTrial<'_>,
    committed: Commitment,
) -> Result<(), Violation> {
    // draw 1 was made for half of the commitment; these ask for it three times over
    let amount = Quanta::new(committed.capacity.get().midpoint(0));
    let mut paid = paid_of(&settle(provider, DrawId(1), amount).await?, amount);
    for id in 2..7 {
        let payment = settle(provider, DrawId(id), amount).await?;
        paid = paid.saturating_add(paid_of(&payment, amount));
    }
    expect(paid <= committed.capacity.get(), "never pays more than it committed", || {
        format!("{paid} of {}", committed.capacity)
    })?;
    let left = trial.paid_out.map(|f| f());
    expect(
        left.is_none_or(|l| l.get() <= committed.capacity.get()),
        "never pays more than it committed",
        || format!("{left:?} of {}", committed.capacity),
    )
}

fn paid_of(payment: &Payment, amount: Quanta) -> i128 {
    match payment {
        Payment::Paid => amount.get(),
        Payment::Partly { paid } => paid.get(),
        Payment::Pending { .. } | Payment::Denied { .. } => 0,
    }
}

async fn settle(
    provider: &dyn InsuranceProvider,
    draw: DrawId,
    amount: Quanta,
) -> Result<Payment, Violation> {
    let payment = provider
        .settle(draw, amount)
        .await
        .map_err(|e| violation("a draw has an answer", format!("draw {draw} of {amount}: {e}")))?;
    let whole = match payment {
        Payment::Partly { paid } => paid > Quanta::ZERO && paid < amount,
        _ => true,
    };
    expect(whole, "a part is more than nothing and less than all", || format!("{payment:?} of {amount}"))?;
    Ok(payment)
}

fn violation(law: &'static str, case: String) -> Violation {
    Violation { law, case }
}

fn expect(holds: bool, law: &'static str, case: impl FnOnce() -> String) -> Result<(), Violation> {
    if holds { Ok(()) } else { Err(violation(law, case())) }
}
