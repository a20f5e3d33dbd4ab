//! What a call of a component costs against the same terms behind `dyn`, alone and in batches of 1,000, in the same run.
//!
//! Twelve rounds, of which the fastest counts: whoever else uses the machine only adds time.

use cofferdam_insurance_layer::{
    InsuranceError, InsuranceLayer, Loss, LossCause, QuoteRequest, Standing,
    core_values::{AssetId, EventId, LayerId, Millis, Ppb, Quanta, Rounding},
};
use cofferdam_plugin_host::{Component, Limits, WasmLayer};
use std::{hint::black_box, path::Path, time::Instant};

/// The terms of `examples/insurance-component-acme`, in this binary.
#[derive(Debug)]
struct Native {
    deductible: i128,
    share: Ppb,
}

impl InsuranceLayer for Native {
    fn respond(&self, loss: &Loss, left: Quanta, _: &Standing) -> Result<Quanta, InsuranceError> {
        let beyond = |x: i128| (x - self.deductible).max(0);
        let added = beyond(loss.event_before.get() + loss.amount.get()) - beyond(loss.event_before.get());
        Ok(self.share.of(Quanta::new(added), Rounding::Down)?.min(left))
    }
}

/// Its price, behind `dyn`.
trait Priced {
    fn quote(&self, request: &QuoteRequest) -> i128;
}

impl Priced for Native {
    fn quote(&self, r: &QuoteRequest) -> i128 {
        (r.limit.get() * 5 / 100 * i128::from(r.term.0) / (365 * 86_400_000)).max(0) + 1
    }
}

const ROUNDS: usize = 12;

/// Nanoseconds per question, the fastest of the rounds.
fn time(questions: usize, mut work: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        work();
        best = best.min(began.elapsed().as_secs_f64() * 1e9 / questions as f64);
    }
    best
}

fn main() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/components");
    let sums = std::fs::read_to_string(folder.join("SHA256SUMS")).expect("the hashes are committed");
    let name = "acme-shared-excess.wasm";
    let hash =
        sums.lines().find(|l| l.ends_with(name)).and_then(|l| l.split_whitespace().next()).expect("its hash");
    let component = Component::load(&folder.join(name), hash).expect("a sound component");
    let with = vec![("deductible".into(), "100".into()), ("share_ppb".into(), "250000000".into())];
    let limits = Limits { fuel: 1_000_000_000, ..Limits::default() };
    let wasm = WasmLayer::new(component, with, limits).expect("sound parameters");
    let native = Native { deductible: 100, share: Ppb(250_000_000) };
    let dynamic: &dyn InsuranceLayer = &native;
    let priced: &dyn Priced = &native;

    let standing = Standing {
        layer: LayerId(1),
        capacity: Quanta::new(1 << 100),
        drawn_event: Quanta::ZERO,
        drawn_total: Quanta::ZERO,
    };
    let questions: Vec<(Loss, Quanta, Standing)> = (0..10_000)
        .map(|i| {
            let loss = Loss {
                event: Some(EventId(1)),
                of: None,
                market: None,
                asset: AssetId(0),
                cause: LossCause::Bankruptcy,
                amount: Quanta::new(7 * i),
                event_before: Quanta::new(i),
                total_before: Quanta::new(i),
            };
            (loss, loss.amount, standing)
        })
        .collect();
    let requests: Vec<QuoteRequest> = (1..10_001)
        .map(|i| QuoteRequest {
            at: Millis(0),
            exposure: Quanta::new(i),
            term: Millis(86_400_000),
            attachment: Quanta::ZERO,
            limit: Quanta::new(i * 1_000),
            share: Ppb::ONE,
        })
        .collect();
    for (loss, left, standing) in &questions {
        assert_eq!(
            wasm.respond(loss, *left, standing),
            dynamic.respond(loss, *left, standing),
            "the same terms"
        );
    }
    let n = questions.len();
    let base = time(n, || {
        for (loss, left, standing) in &questions {
            let _ = black_box(black_box(dynamic).respond(black_box(loss), *left, standing));
        }
    });
    let alone = time(n, || {
        for (loss, left, standing) in &questions {
            let _ = black_box(wasm.respond(black_box(loss), *left, standing));
        }
    });
    let batched = time(n, || {
        for batch in questions.chunks(1_000) {
            let _ = black_box(wasm.respond_all(black_box(batch)));
        }
    });
    let base_quote = time(n, || {
        for request in &requests {
            let _ = black_box(black_box(priced).quote(black_box(request)));
        }
    });
    let quote = time(n, || {
        for request in &requests {
            let _ = black_box(wasm.quote_all(black_box(std::slice::from_ref(request))));
        }
    });
    let quotes = time(n, || {
        for batch in requests.chunks(1_000) {
            let _ = black_box(wasm.quote_all(black_box(batch)));
        }
    });
    println!(
        "a loss   dyn {base:8.1} ns   wasm {alone:8.1} ns ({:6.1} x)   in batches of 1,000 {batched:8.1} ns ({:6.1} x)",
        alone / base,
        batched / base
    );
    println!(
        "a quote  dyn {base_quote:8.1} ns   wasm {quote:8.1} ns ({:6.1} x)   in batches of 1,000 {quotes:8.1} ns ({:6.1} x)",
        quote / base_quote,
        quotes / base_quote
    );
}
