//! Insurers at the other end of HTTP: the contract of [`InsuranceProvider`](cofferdam_insurance_layer::InsuranceProvider) as JSON, with
//! an OpenAPI document, a client and a server.
//!
//! Whoever sells cover puts `routes` around a provider, or writes a server in another language after the document. Whoever buys it has
//! a `RemoteProvider`, which is a provider like any other.

#![cfg_attr(
    not(test),
    deny(
        clippy::arithmetic_side_effects,
        clippy::float_arithmetic,
        clippy::indexing_slicing,
        clippy::unwrap_used,
        clippy::expect_used
    )
)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

#[cfg(feature = "client")]
mod client;
#[cfg(feature = "server")]
mod server;
pub mod wire;

#[cfg(feature = "client")]
pub use client::RemoteProvider;
#[cfg(feature = "server")]
pub use server::{openapi, routes};

/// No body is longer, in either direction.
pub const BODY_MAX: usize = 65_536;
