//! `cargo xtask derive NAME`: expected numbers by a second implementation, in exact fractions, that shares no code with the crates.
//! What it prints stands in the conformance tables of `crates/protocols/tests/NAME.rs`, marked as derived.

mod aave_v3;
mod ccp;
mod curve_llamma;
mod euler_v2;
mod morpho_blue;
mod vertex;

use num_bigint::BigInt;
use num_rational::BigRational;

/// The tables that can be derived.
pub(crate) const NAMES: &[(&str, fn())] = &[
    ("aave-v3", aave_v3::print),
    ("ccp", ccp::print),
    ("curve-llamma", curve_llamma::print),
    ("euler-v2", euler_v2::print),
    ("morpho-blue", morpho_blue::print),
    ("vertex", vertex::print),
];

/// A decimal literal such as "0.95" as a fraction.
fn dec(text: &str) -> BigRational {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits: BigInt = format!("{whole}{part}").parse().expect("a decimal literal");
    BigRational::new(digits, BigInt::from(10).pow(part.len().try_into().expect("short")))
}

/// A whole number as a fraction.
fn int(x: i128) -> BigRational {
    BigRational::from(BigInt::from(x))
}

/// 10^n as a fraction.
fn ten(n: u32) -> BigRational {
    BigRational::from(BigInt::from(10).pow(n))
}

/// The largest whole number not above.
fn down(x: &BigRational) -> BigRational {
    x.floor()
}

/// The smallest whole number not below.
fn up(x: &BigRational) -> BigRational {
    x.ceil()
}
