//! The conformance suite of insurance: the same numbered checks for the built-in providers and layers and for those of strangers,
//! and a gallery of providers that misbehave, each of which exactly one check catches.
//!
//! ```
//! use cofferdam_core::{AssetId, Ppb, Quanta};
//! use cofferdam_insurance_layer::EscrowedFund;
//! use cofferdam_testkit::insurance::{Capabilities, block_on, conformance};
//! const HOLDS: Quanta = Quanta::new(1_000);
//! let fresh = || EscrowedFund::new("acme/reserve", AssetId(0), HOLDS, Ppb(50_000_000)).expect("sound terms");
//! let capabilities = Capabilities {
//!     holds: HOLDS,
//!     paid_out: Some(&|p: &EscrowedFund| HOLDS.try_sub(p.held().unwrap_or(HOLDS)).unwrap_or(HOLDS)),
//!     clock: Some(&|p: &EscrowedFund, now| p.release_expired(now).expect("no thread panicked")),
//! };
//! block_on(conformance(fresh, &capabilities)).passes();
//! ```

mod checks;
mod gallery;
mod layers;

pub use checks::conformance;
pub use gallery::{Rogue, RogueFund};
pub use layers::layer;

use cofferdam_core::{Millis, Quanta};
use std::{
    fmt,
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

macro_rules! checks {
    ($($name:ident $number:literal $law:literal;)*) => {
        /// What is checked.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Check { $(
            #[doc = concat!("INS-", $number, ": ", $law, ".")]
            $name,
        )* }

        impl Check {
            /// Every check, in order.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its number: `INS-01`.
            #[must_use]
            pub const fn number(self) -> &'static str {
                match self { $(Self::$name => concat!("INS-", $number),)* }
            }

            /// What has to hold.
            #[must_use]
            pub const fn law(self) -> &'static str {
                match self { $(Self::$name => $law,)* }
            }
        }
    };
}

checks! {
    PaysOnce "01" "a draw that is settled twice is paid once";
    SameAnswer "02" "a draw that was settled has the same answer when it is asked for again";
    Expiry "03" "a commitment stands through its last instant and not beyond";
    WithinCommitment "04" "never pays more than it committed";
    WithinHoldings "05" "never promises more than it holds";
    CapitalOnce "06" "capital is promised to one layer only";
    PriceStands "07" "an offer keeps its price until it lapses";
    CapacityStands "08" "capacity does not grow by asking";
    RetryPaysOnce "09" "a draw whose answer was lost is paid once when it is asked for again";
    CommittedIsPaid "10" "a draw on committed capacity is not denied";
    NoRun "11" "later draws on committed capacity are not denied because earlier ones were paid";
    Whole "12" "pays all of a draw, unless its manifest says that it pays in parts";
    InTime "13" "what was to be paid by a time is answered at that time";
    GarbageIn "14" "nothing is promised or paid for an amount of zero or less";
    NoNegative "15" "no amount that it answers is below zero";
    Describes "16" "its manifest is org/name and speaks this version of the contract";
    Answers "17" "every draw on committed capacity has an answer";
    Limits "18" "a larger line never costs less, up to the largest amount there is";
    OneAmount "19" "a draw id is settled for one amount";
    LayerContract "20" "a layer answers between zero and what is left, the same to the same question";
    Order "21" "the waterfall keeps its sum and its order wherever the layer stands";
    QuoteBinds "22" "a commitment costs what was offered, and says what was asked";
    CommitsOnce "23" "a commitment whose answer was lost is made once when it is asked for again";
    OfferStands "24" "nothing is committed on an offer that was never made or has lapsed";
    TellsAhead "25" "the capacity it tells for a later time can be drawn then";
    Bounded "26" "every call ends";
}

/// How much has left a provider's purse since it was made.
pub type PaidOut<'a, P> = dyn Fn(&P) -> Quanta + Sync + 'a;

/// Tells a provider the time.
pub type Clock<'a, P> = dyn Fn(&P, Millis) + Sync + 'a;

/// What the suite may know and do about a provider beyond its contract.
#[derive(Clone, Copy)]
pub struct Capabilities<'a, P> {
    /// What a fresh provider holds, in quanta; at least 100.
    pub holds: Quanta,
    /// How much has left its purse. Without it the checks of what was paid see answers alone, and those that need the purse are skipped.
    pub paid_out: Option<&'a PaidOut<'a, P>>,
    /// Tells it the time. Without it what depends on the time is skipped.
    pub clock: Option<&'a Clock<'a, P>>,
}

impl<P> fmt::Debug for Capabilities<'_, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capabilities").field("holds", &self.holds).finish_non_exhaustive()
    }
}

/// A law that was broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}: {case}", check.number(), check.law())]
pub struct Finding {
    /// By which check it was found.
    pub check: Check,
    /// The case that broke it.
    pub case: String,
}

/// What the suite found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Broken laws, in the order of the checks.
    pub findings: Vec<Finding>,
    /// Checks that could not be made, since the suite was not given what they need.
    pub skipped: Vec<Check>,
}

impl Report {
    /// Panics with every broken law, and when a check was skipped.
    ///
    /// # Panics
    ///
    /// See above.
    pub fn passes(&self) {
        let said: Vec<String> = self.findings.iter().map(ToString::to_string).collect();
        assert!(said.is_empty(), "not conformant:\n{}", said.join("\n"));
        assert!(self.skipped.is_empty(), "not checked: {:?}", self.skipped);
    }
}

/// Waits for a future that needs no executor: providers in memory. Gives up after a million polls.
///
/// # Panics
///
/// When the future is still not ready then.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    for _ in 0..1_000_000 {
        if let Poll::Ready(out) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return out;
        }
    }
    panic!("the future waits for something that is not in memory")
}
