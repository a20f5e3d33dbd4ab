//! `cargo xtask derive NAME`: expected numbers by a second implementation, in exact fractions, that shares no code with the crates.
//! What it prints stands in the conformance tables of `crates/protocols/tests/NAME.rs`, marked as derived.

mod ccp;

use num_bigint::BigInt;
use num_rational::BigRational;

/// The tables that can be derived.
pub(crate) const NAMES: [(&str, fn()); 1] = [("ccp", ccp::print)];

/// A whole number as a fraction.
fn int(x: i128) -> BigRational {
    BigRational::from(BigInt::from(x))
}

/// The largest whole number not above.
fn down(x: &BigRational) -> BigRational {
    x.floor()
}

/// The smallest whole number not below.
fn up(x: &BigRational) -> BigRational {
    x.ceil()
}
