//! The edge of a risk stack. A stack decides on what was reported to it and does no I/O; this crate does what its effects ask for, and
//! brings the answers back as inputs that are recorded like any other.
//!
//! So far it asks insurers. [`InsuranceDesk`] is the one type to know: it holds who insures which layer on which [`Line`], and
//! [`InsuranceDesk::attend`] asks whoever is due and answers with reports for the stack.

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

mod desk;
#[cfg(feature = "guard")]
pub mod guard;

pub use desk::{Attended, DeskError, InsuranceDesk, Line, Note, What};

use std::{
    future::Future,
    pin::pin,
    task::{Context, Poll, Waker},
};

/// What a future answers that waits for nothing, such as a call of a provider in memory; `None` if it waits.
///
/// ```
/// assert_eq!(cofferdam_runtime::at_once(async { 4 }), Some(4));
/// assert_eq!(cofferdam_runtime::at_once(std::future::pending::<u8>()), None);
/// ```
pub fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(out) => Some(out),
        Poll::Pending => None,
    }
}
