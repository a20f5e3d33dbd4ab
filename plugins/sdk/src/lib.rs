//! For authors of layers that run as WebAssembly components: implement [`Layer`], name it in [`layer!`], and build for
//! `wasm32-unknown-unknown`. The contract is `wit/insurance-layer.wit`; other languages generate their own bindings from it.
//!
//! A component has no clock, no randomness and no network, and a bounded amount of fuel for each call. One that traps or runs out of it
//! has no say on that loss.

#[doc(hidden)]
pub mod bindings {
    wit_bindgen::generate!({
        path: "../wit",
        world: "layer",
        pub_export_macro: true,
        default_bindings_module: "cofferdam_plugin_sdk::bindings",
    });
}

pub use bindings::cofferdam::insurance_layer::values::{Cause, Manifest, Quanta, Trigger};

/// Quanta of the numeraire from a number.
#[must_use]
pub const fn quanta(x: i128) -> Quanta {
    Quanta { high: (x >> 64) as i64, low: x as u64 }
}

/// The number of quanta.
#[must_use]
pub const fn number(q: Quanta) -> i128 {
    ((q.high as i128) << 64) | q.low as i128
}

/// A loss, in quanta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The deleveraging event it belongs to, if one is open.
    pub event: Option<u32>,
    /// Whose account left it, if one did.
    pub account: Option<u32>,
    /// The market, if one.
    pub market: Option<u32>,
    /// In which asset it has to be paid.
    pub asset: u32,
    /// How much.
    pub amount: i128,
    /// Losses of the same event before this one.
    pub event_before: i128,
    /// All losses before this one.
    pub total_before: i128,
}

/// Where the layer stands, in quanta.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it can still pay.
    pub capacity: i128,
    /// What it has paid or owes for this event.
    pub drawn_event: i128,
    /// What it has paid or owes in its life.
    pub drawn_total: i128,
}

/// Terms asked for, in quanta and milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuoteRequest {
    /// When.
    pub at: u64,
    /// The largest sum at risk.
    pub exposure: i128,
    /// For how long.
    pub term: u64,
    /// Losses below this are not the layer's business.
    pub attachment: i128,
    /// The most that it would pay.
    pub limit: i128,
    /// The share of the limit that it would take, in billionths.
    pub share_ppb: i64,
}

/// A layer.
pub trait Layer: Sized + 'static {
    /// What it is.
    fn describe() -> Manifest;
    /// From the parameters of the stack file. An error names the parameter, its value and what would be accepted.
    fn configure(parameters: &[(String, String)]) -> Result<Self, String>;
    /// What it pays of `left`, the part of `loss` that the layers before it left: between zero and that, and the same to the same question.
    fn respond(&mut self, loss: &Loss, left: i128, standing: &Standing) -> Result<i128, String>;
    /// The premium for the term, if all of the line is taken.
    fn quote(&mut self, request: &QuoteRequest) -> Result<i128, String>;
}

/// The parameter of this name.
pub fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> Result<&'a str, String> {
    let found = parameters.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    found.ok_or_else(|| format!("{name} is absent; accepted is a value for it"))
}

#[doc(hidden)]
pub fn asked(q: &bindings::cofferdam::insurance_layer::values::Question) -> (Loss, i128, Standing) {
    let loss = Loss {
        event: q.loss.event,
        account: q.loss.account,
        market: q.loss.market,
        asset: q.loss.asset,
        amount: number(q.loss.amount),
        event_before: number(q.loss.event_before),
        total_before: number(q.loss.total_before),
    };
    let standing = Standing {
        capacity: number(q.standing.capacity),
        drawn_event: number(q.standing.drawn_event),
        drawn_total: number(q.standing.drawn_total),
    };
    (loss, number(q.left), standing)
}

#[doc(hidden)]
pub fn asked_quote(q: &bindings::cofferdam::insurance_layer::values::QuoteRequest) -> QuoteRequest {
    QuoteRequest {
        at: q.at,
        exposure: number(q.exposure),
        term: q.term,
        attachment: number(q.attachment),
        limit: number(q.limit),
        share_ppb: q.share_ppb,
    }
}

/// Makes a component of a [`Layer`].
#[macro_export]
macro_rules! layer {
    ($layer:ty) => {
        thread_local! {
            static LAYER: ::core::cell::RefCell<Option<$layer>> = const { ::core::cell::RefCell::new(None) };
        }

        struct Component;

        impl $crate::bindings::Guest for Component {
            fn describe() -> $crate::Manifest {
                <$layer as $crate::Layer>::describe()
            }
            fn configure(parameters: Vec<(String, String)>) -> Result<(), String> {
                let layer = <$layer as $crate::Layer>::configure(&parameters)?;
                LAYER.with_borrow_mut(|l| *l = Some(layer));
                Ok(())
            }
            fn respond(
                questions: Vec<$crate::bindings::cofferdam::insurance_layer::values::Question>,
            ) -> Vec<Result<$crate::Quanta, String>> {
                LAYER.with_borrow_mut(|layer| {
                    let mut answer = |q| {
                        let (loss, left, standing) = $crate::asked(q);
                        let layer = layer.as_mut().ok_or_else(|| String::from("not configured"))?;
                        $crate::Layer::respond(layer, &loss, left, &standing).map($crate::quanta)
                    };
                    questions.iter().map(&mut answer).collect()
                })
            }
            fn quote(
                requests: Vec<$crate::bindings::cofferdam::insurance_layer::values::QuoteRequest>,
            ) -> Vec<Result<$crate::Quanta, String>> {
                LAYER.with_borrow_mut(|layer| {
                    let mut answer = |q| {
                        let layer = layer.as_mut().ok_or_else(|| String::from("not configured"))?;
                        $crate::Layer::quote(layer, &$crate::asked_quote(q)).map($crate::quanta)
                    };
                    requests.iter().map(&mut answer).collect()
                })
            }
        }

        $crate::bindings::export!(Component with_types_in $crate::bindings);
    };
}
