//! Insurance layers in WebAssembly components. A component is a file that is named with its hash. It imports nothing, so it has no clock, no
//! randomness and no network; each call has so much fuel and the component so much memory. One that traps, runs out of either or lies loses
//! its say on that loss: it counts as zero, and the next layer carries the gap.
//!
//! [`WasmLayer`] is the type to know; linking this crate registers it as the kind `cofferdam/wasm@1` of layers in stack files.

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod kind;

use cofferdam_insurance_layer::{
    InsuranceError, InsuranceLayer, Loss, LossCause, QuoteRequest, Standing, Trigger, core_values::Quanta,
};
use sha2::{Digest, Sha256};
use std::{
    fmt,
    path::Path,
    sync::{Mutex, MutexGuard, PoisonError},
};
use wasmtime::{Config, Engine, Store, StoreLimits, StoreLimitsBuilder, component::Linker};

mod bindings {
    #![allow(missing_docs, missing_debug_implementations)]
    wasmtime::component::bindgen!({ path: "../wit", world: "layer" });
}

use bindings::cofferdam::insurance_layer::values as wit;

/// The longest component that is loaded, in bytes.
const BYTES_MAX: u64 = 64 << 20;
/// Instances of core modules, and tables, that a component may be made of: those of other languages link some libraries.
const PARTS_MAX: usize = 64;
/// Elements of one table: functions that are called through pointers.
const TABLE_MAX: usize = 1 << 16;
/// What a component says in an error is cut to so many characters.
const WORDS_MAX: usize = 200;

/// What a component may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Fuel for one call, about one for each instruction.
    pub fuel: u64,
    /// Bytes of its memory, of which it has one.
    pub memory: usize,
}

impl Default for Limits {
    /// Ten million and 16 MiB: a hundredth of a second, and more than terms need.
    fn default() -> Self {
        Self { fuel: 10_000_000, memory: 16 << 20 }
    }
}

/// Why a component was not loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// A file that cannot be read.
    #[error("{file}: {source}; accepted is a file that can be read, of at most {BYTES_MAX} bytes")]
    Unreadable {
        /// Which.
        file: String,
        /// Why.
        source: std::io::Error,
    },
    /// Another component than the one that was named.
    #[error("sha256 is {found}; accepted is {named}, as the component was named")]
    Hash {
        /// Of the bytes that were found.
        found: String,
        /// As it was named.
        named: String,
    },
    /// No component of this world.
    #[error("{0}; accepted is a component of the world cofferdam:insurance-layer/layer@1.0.0")]
    Component(String),
    /// A component that wants something of the world.
    #[error("imports {0}; accepted is a component that imports nothing")]
    Imports(String),
    /// A component that refuses its parameters, or fails on them.
    #[error("{0}")]
    Configure(String),
}

/// A component, compiled.
#[derive(Clone)]
pub struct Component {
    engine: Engine,
    layer: bindings::LayerPre<Host>,
    sha256: String,
}

impl fmt::Debug for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Component").field("sha256", &self.sha256).finish_non_exhaustive()
    }
}

struct Host {
    limits: StoreLimits,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The first line of an error, short: its trace is of the component's inside.
fn words(error: &impl ToString) -> String {
    error.to_string().chars().take(WORDS_MAX).collect::<String>().replace('\n', " ")
}

impl Component {
    /// Loads a file, and refuses it if its hash is not the one that was named.
    ///
    /// # Errors
    ///
    /// See [`LoadError`].
    pub fn load(file: &Path, sha256: &str) -> Result<Self, LoadError> {
        let unreadable = |source| LoadError::Unreadable { file: file.display().to_string(), source };
        if std::fs::metadata(file).map_err(unreadable)?.len() > BYTES_MAX {
            return Err(unreadable(std::io::Error::other("too long")));
        }
        Self::new(&std::fs::read(file).map_err(unreadable)?, sha256)
    }

    /// Compiles a component, and refuses one whose hash is not the one that was named, or that imports anything.
    ///
    /// # Errors
    ///
    /// See [`LoadError`].
    pub fn new(bytes: &[u8], sha256: &str) -> Result<Self, LoadError> {
        let found = hex(&Sha256::digest(bytes));
        if found != sha256.to_ascii_lowercase() {
            return Err(LoadError::Hash { found, named: format!("{sha256:?}") });
        }
        let bad = |e: wasmtime::Error| LoadError::Component(words(&e));
        let mut config = Config::new();
        // the same bits on every machine
        config
            .consume_fuel(true)
            .cranelift_nan_canonicalization(true)
            .relaxed_simd_deterministic(true)
            .max_wasm_stack(512 << 10);
        let engine = Engine::new(&config).map_err(bad)?;
        let component = wasmtime::component::Component::new(&engine, bytes).map_err(bad)?;
        if let Some((name, _)) =
            component.component_type().imports(&engine).find(|(name, _)| !values_only(name))
        {
            return Err(LoadError::Imports(name.chars().take(WORDS_MAX).collect()));
        }
        let linker = Linker::<Host>::new(&engine);
        let layer = bindings::LayerPre::new(linker.instantiate_pre(&component).map_err(bad)?).map_err(bad)?;
        Ok(Self { engine, layer, sha256: found })
    }

    /// The hash of its bytes, in lower case.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    fn start(&self, limits: Limits, parameters: &[(String, String)]) -> Result<Live, String> {
        // a limit of a size holds for each memory and each table: how many there are has to be limited as well
        let bounds = StoreLimitsBuilder::new().memory_size(limits.memory).memories(1);
        let bounds = bounds.instances(PARTS_MAX).tables(PARTS_MAX).table_elements(TABLE_MAX);
        let mut store = Store::new(&self.engine, Host { limits: bounds.build() });
        store.limiter(|h| &mut h.limits);
        let fuel = |store: &mut Store<Host>| store.set_fuel(limits.fuel).map_err(|e| words(&e));
        fuel(&mut store)?;
        let layer = self.layer.instantiate(&mut store).map_err(|e| words(&e.root_cause()))?;
        fuel(&mut store)?;
        let configured = layer.call_configure(&mut store, parameters).map_err(|e| words(&e.root_cause()))?;
        configured.map_err(|e| words(&e))?;
        Ok(Live { store, layer })
    }
}

/// The interface that holds the contract's values has types and no functions: a component names it, and needs nothing of it.
fn values_only(import: &str) -> bool {
    import.starts_with("cofferdam:insurance-layer/values@1.")
}

struct Live {
    store: Store<Host>,
    layer: bindings::Layer,
}

/// What a component says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// `org/name`.
    pub id: String,
    /// The version of the contract that it was written against.
    pub api_version: u32,
    /// What it pays by.
    pub trigger: Trigger,
}

/// A layer in a component, with its parameters and its limits. What it keeps between calls lives until it traps; then it begins anew.
pub struct WasmLayer {
    component: Component,
    parameters: Vec<(String, String)>,
    limits: Limits,
    described: Described,
    live: Mutex<Option<Live>>,
}

impl fmt::Debug for WasmLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasmLayer")
            .field("described", &self.described)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl WasmLayer {
    /// A layer of a component.
    ///
    /// # Errors
    ///
    /// [`LoadError::Configure`]: parameters that it refuses, in its own words, or a component that fails on them.
    pub fn new(
        component: Component,
        parameters: Vec<(String, String)>,
        limits: Limits,
    ) -> Result<Self, LoadError> {
        let mut live = component.start(limits, &parameters).map_err(LoadError::Configure)?;
        live.store.set_fuel(limits.fuel).map_err(|e| LoadError::Configure(words(&e)))?;
        let said = live.layer.call_describe(&mut live.store);
        let said = said.map_err(|e| LoadError::Configure(words(&e.root_cause())))?;
        let trigger = match said.trigger {
            wit::Trigger::Indemnity => Trigger::Indemnity,
            wit::Trigger::Parametric => Trigger::Parametric,
            wit::Trigger::Discretionary => Trigger::Discretionary,
        };
        let described = Described { id: words(&said.id), api_version: said.api_version, trigger };
        Ok(Self { component, parameters, limits, described, live: Mutex::new(Some(live)) })
    }

    /// What it says it is.
    #[must_use]
    pub const fn described(&self) -> &Described {
        &self.described
    }

    /// What it pays of each loss, in one call: for books of many.
    ///
    /// # Errors
    ///
    /// No answer to the call as a whole; each answer may be an error of its own.
    pub fn respond_all(
        &self,
        questions: &[(Loss, Quanta, Standing)],
    ) -> Result<Vec<Result<Quanta, InsuranceError>>, InsuranceError> {
        let asked: Vec<wit::Question> = questions.iter().map(question).collect();
        self.call(asked.len(), |live| live.layer.call_respond(&mut live.store, &asked))
    }

    /// The premium of each, in one call.
    ///
    /// # Errors
    ///
    /// As [`WasmLayer::respond_all`].
    pub fn quote_all(
        &self,
        requests: &[QuoteRequest],
    ) -> Result<Vec<Result<Quanta, InsuranceError>>, InsuranceError> {
        let asked: Vec<wit::QuoteRequest> = requests.iter().map(quote_request).collect();
        let answers = self.call(asked.len(), |live| live.layer.call_quote(&mut live.store, &asked))?;
        let sound = |premium: Quanta| {
            if premium.is_negative() {
                Err(no_answer(&format!("a premium of {premium}")))
            } else {
                Ok(premium)
            }
        };
        Ok(answers.into_iter().map(|a| a.and_then(sound)).collect())
    }

    fn call(
        &self,
        asked: usize,
        make: impl FnOnce(&mut Live) -> wasmtime::Result<Vec<Result<wit::Quanta, String>>>,
    ) -> Result<Vec<Result<Quanta, InsuranceError>>, InsuranceError> {
        let mut place = self.lock();
        let mut live = match place.take() {
            Some(live) => live,
            None => self.component.start(self.limits, &self.parameters).map_err(|e| no_answer(&e))?,
        };
        live.store.set_fuel(self.limits.fuel).map_err(|e| no_answer(&words(&e)))?;
        // one that trapped is not put back: it begins anew
        let answers = make(&mut live).map_err(|e| no_answer(&words(&e.root_cause())))?;
        *place = Some(live);
        if answers.len() != asked {
            return Err(no_answer(&format!("{} answers to {asked} questions", answers.len())));
        }
        Ok(answers.into_iter().map(|a| a.map_err(|e| no_answer(&words(&e))).and_then(amount)).collect())
    }

    // A call that panicked has taken its instance out before: what is left is none.
    fn lock(&self) -> MutexGuard<'_, Option<Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn no_answer(what: &str) -> InsuranceError {
    InsuranceError::NoAnswer(what.to_owned())
}

impl InsuranceLayer for WasmLayer {
    fn respond(&self, loss: &Loss, left: Quanta, standing: &Standing) -> Result<Quanta, InsuranceError> {
        let answer = self.respond_all(&[(*loss, left, *standing)])?.pop();
        let answer = answer.unwrap_or_else(|| Err(no_answer("none")))?;
        // a lie costs the layer its say
        if answer.is_negative() || answer > left {
            return Err(no_answer(&format!("{answer} of {left} that are left")));
        }
        Ok(answer)
    }
}

fn amount(q: wit::Quanta) -> Result<Quanta, InsuranceError> {
    let number = (i128::from(q.high) << 64) | i128::from(q.low);
    Quanta::new(number).try_add(Quanta::ZERO).map_err(|_| no_answer("an amount beyond 2^120"))
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // the halves
const fn halves(q: Quanta) -> wit::Quanta {
    wit::Quanta { high: (q.get() >> 64) as i64, low: q.get() as u64 }
}

fn question((loss, left, standing): &(Loss, Quanta, Standing)) -> wit::Question {
    let cause = match loss.cause {
        LossCause::Bankruptcy => wit::Cause::Bankruptcy,
        LossCause::BadDebt => wit::Cause::BadDebt,
        LossCause::Default { layer } => wit::Cause::Default(layer.0),
        LossCause::Carried => wit::Cause::Carried,
    };
    wit::Question {
        loss: wit::Loss {
            event: loss.event.map(|e| e.0),
            account: loss.of.map(|g| g.0),
            market: loss.market.map(|m| m.0),
            asset: loss.asset.0,
            cause,
            amount: halves(loss.amount),
            event_before: halves(loss.event_before),
            total_before: halves(loss.total_before),
        },
        left: halves(*left),
        standing: wit::Standing {
            capacity: halves(standing.capacity),
            drawn_event: halves(standing.drawn_event),
            drawn_total: halves(standing.drawn_total),
        },
    }
}

fn quote_request(r: &QuoteRequest) -> wit::QuoteRequest {
    wit::QuoteRequest {
        at: r.at.0,
        exposure: halves(r.exposure),
        term: r.term.0,
        attachment: halves(r.attachment),
        limit: halves(r.limit),
        share_ppb: r.share.0,
    }
}
