//! The provider contract and the commitment book: paying twice is impossible.

use cofferdam_core::{AssetId, DrawId, EventId, LayerId, Millis, Ppb, Quanta};
use cofferdam_insurance_layer::conformance::{ProviderTrial, Violation, check_provider};
use cofferdam_insurance_layer::{
    Commitment, CommitmentBook, Draw, Escrow, EscrowedFund, InsuranceError, InsuranceProvider, Manifest,
    Payment, ProviderError, QuoteRequest, QuoteTerms,
};
use proptest::prelude::*;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicI64, Ordering};
use std::task::{Context, Poll, Waker};

/// Nothing here waits for anything, so one poll is enough.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(out) => out,
        Poll::Pending => panic!("waits for something"),
    }
}

fn q(x: i128) -> Quanta {
    Quanta::new(x)
}

fn fund(held: i128) -> EscrowedFund {
    EscrowedFund::new("acme/reserve", AssetId(0), q(held), Ppb(50_000_000)).unwrap()
}

#[test]
fn the_built_in_provider_conforms() {
    for held in [10, 1_001, 1 << 100] {
        let provider = fund(held);
        let paid_out = || q(held - provider.held().unwrap().get());
        let trial = ProviderTrial { holds: q(held), paid_out: Some(&paid_out) };
        assert_eq!(now(check_provider(&provider, &trial)), Ok(()));
    }
}

/// The built-in provider with one fault.
#[derive(Debug)]
enum Fault {
    PromisesAnything,
    CommitsMoreThanAsked,
    PaysTwice,
    ChangesItsMind,
    PaysAnyAmount,
    PaysPastItsCommitments,
    PaysMoreThanAll,
    Nameless,
    PaysForTheCustom,
}

#[derive(Debug)]
struct Broken {
    inner: EscrowedFund,
    fault: Fault,
    asked: AtomicI64,
    paid: AtomicI64,
}

#[async_trait::async_trait]
impl InsuranceProvider for Broken {
    async fn manifest(&self) -> Result<Manifest, ProviderError> {
        let mut manifest = self.inner.manifest().await?;
        if matches!(self.fault, Fault::Nameless) {
            manifest.id = "acme".into();
        }
        Ok(manifest)
    }

    async fn quote(&self, request: &QuoteRequest) -> Result<QuoteTerms, ProviderError> {
        let mut terms = self.inner.quote(request).await?;
        if matches!(self.fault, Fault::PaysForTheCustom) {
            terms.premium = q(-1);
        }
        Ok(terms)
    }

    async fn commit(
        &self,
        layer: LayerId,
        capacity: Quanta,
        expires: Millis,
    ) -> Result<Commitment, ProviderError> {
        match self.fault {
            Fault::PromisesAnything => Ok(Commitment { layer, capacity, expires, escrow: Escrow::Promised }),
            Fault::CommitsMoreThanAsked => {
                let got = self.inner.commit(layer, capacity, expires).await?;
                Ok(Commitment { capacity: q(got.capacity.get() + 1), ..got })
            }
            _ => self.inner.commit(layer, capacity, expires).await,
        }
    }

    async fn settle(&self, draw: DrawId, amount: Quanta) -> Result<Payment, ProviderError> {
        let asked = self.asked.fetch_add(1, Ordering::Relaxed);
        match self.fault {
            Fault::PaysTwice => {
                self.paid.fetch_add(i64::try_from(amount.get()).unwrap(), Ordering::Relaxed);
                Ok(Payment::Paid)
            }
            Fault::ChangesItsMind if asked == 1 => {
                Ok(Payment::Denied { reason: "on second thoughts".into() })
            }
            Fault::PaysAnyAmount => match self.inner.settle(draw, amount).await {
                Err(_) => Ok(Payment::Partly { paid: q(1) }),
                other => other,
            },
            Fault::PaysPastItsCommitments => Ok(Payment::Paid),
            Fault::PaysMoreThanAll => Ok(Payment::Partly { paid: q(amount.get() + 1) }),
            _ => self.inner.settle(draw, amount).await,
        }
    }
}

#[test]
fn each_check_of_a_provider_can_fail() {
    let check = |fault: Fault, law: &str| {
        let provider =
            Broken { inner: fund(1_000), fault, asked: AtomicI64::new(0), paid: AtomicI64::new(0) };
        let paid_out = || match provider.fault {
            Fault::PaysTwice => q(provider.paid.load(Ordering::Relaxed).into()),
            _ => q(1_000 - provider.inner.held().unwrap().get()),
        };
        let trial = ProviderTrial { holds: q(1_000), paid_out: Some(&paid_out) };
        let found: Violation = now(check_provider(&provider, &trial)).unwrap_err();
        assert!(found.law.contains(law), "{:?}: {found}", provider.fault);
    };
    check(Fault::PromisesAnything, "promises more than it holds");
    check(Fault::CommitsMoreThanAsked, "what was asked and no more");
    check(Fault::PaysTwice, "pays once");
    check(Fault::ChangesItsMind, "same answer");
    check(Fault::PaysAnyAmount, "for one amount");
    check(Fault::PaysPastItsCommitments, "more than it committed");
    check(Fault::PaysMoreThanAll, "less than all");
    check(Fault::Nameless, "org/name");
    check(Fault::PaysForTheCustom, "premium");
}

#[test]
fn a_fund_over_its_life() {
    let f = fund(100);
    let commit =
        |capacity, expires| now(f.commit(LayerId(1), q(capacity), Millis(expires))).map(|c| c.capacity.get());
    let settle = |id, amount| now(f.settle(DrawId(id), q(amount)));
    assert_eq!(commit(60, 10), Ok(60));
    assert!(commit(41, 20).is_err() && commit(0, 20).is_err(), "only what is free");
    assert_eq!(commit(40, 20), Ok(40));
    assert_eq!(settle(1, 70), Ok(Payment::Paid));
    assert_eq!(settle(1, 70), Ok(Payment::Paid));
    assert_eq!((f.held(), f.free()), (Ok(q(30)), Ok(q(0))));
    assert!(settle(1, 71).is_err(), "another amount under the same id");
    assert!(matches!(settle(2, 31), Ok(Payment::Denied { .. })));
    f.deposit(q(5)).unwrap();
    assert!(matches!(settle(2, 31), Ok(Payment::Denied { .. })), "the same answer, whatever came in since");
    f.release_expired(Millis(20)).unwrap();
    assert_eq!(f.free(), Ok(q(5)), "the last instant still counts");
    f.release_expired(Millis(21)).unwrap();
    assert_eq!(f.free(), Ok(q(35)));
    let request = |limit| QuoteRequest {
        exposure: q(100),
        term: Millis(31_536_000_000),
        attachment: q(0),
        limit: q(limit),
        share: Ppb(500_000_000),
    };
    assert_eq!(now(f.quote(&request(70))).map(|t| t.premium), Ok(q(2)), "5 % of 35, up");
    assert!(now(f.quote(&request(72))).is_err() && now(f.quote(&request(0))).is_err());
}

fn commitment(capacity: i128, expires: u64) -> Commitment {
    Commitment {
        layer: LayerId(1),
        capacity: q(capacity),
        expires: Millis(expires),
        escrow: Escrow::Promised,
    }
}

#[test]
fn the_book() {
    let mut book = CommitmentBook::default();
    let draw = |amount| Draw { layer: LayerId(1), amount: q(amount) };
    assert!(book.commit(commitment(0, 5)).is_err());
    book.commit(commitment(50, 20)).unwrap();
    book.commit(commitment(30, 10)).unwrap();
    let event = Some(EventId(4));
    assert!(book.draw(DrawId(1), &draw(40), event, Millis(10)).unwrap().new);
    let standing = book.standing(LayerId(1), event, Millis(11)).unwrap();
    assert_eq!(standing.capacity, q(40), "what expires first is used first");
    assert_eq!((standing.drawn_event, standing.drawn_total), (q(40), q(40)));
    assert_eq!(book.standing(LayerId(1), None, Millis(11)).unwrap().drawn_event, q(0));
    assert_eq!(standing.with_held(q(7)).capacity, q(7));
    let reused = InsuranceError::DrawReused { draw: DrawId(1), layer: LayerId(1), amount: q(40) };
    assert_eq!(book.draw(DrawId(1), &draw(41), event, Millis(11)), Err(reused));
    let over = InsuranceError::OverCapacity { layer: LayerId(1), asked: q(41), capacity: q(40) };
    assert_eq!(book.draw(DrawId(2), &draw(41), event, Millis(11)), Err(over));
    assert!(book.draw(DrawId(2), &draw(0), event, Millis(11)).is_err());
    assert_eq!(book.standings(None, Millis(21)).unwrap()[0].capacity, q(0));
}

proptest! {
    /// Whatever is asked, however often: what was drawn is what the distinct accepted draws say, within commitments.
    #[test]
    fn a_draw_is_made_once(commits in prop::collection::vec((1_i128..100, 0_u64..30), 0..6),
                           asks in prop::collection::vec((0_u32..8, -1_i128..60, 0_u64..30), 0..30)) {
        let mut book = CommitmentBook::default();
        for (capacity, expires) in &commits { book.commit(commitment(*capacity, *expires)).unwrap(); }
        let mut made = std::collections::BTreeMap::new();
        for (id, amount, at) in asks {
            let before = book.clone();
            let draw = Draw { layer: LayerId(1), amount: q(amount) };
            match book.draw(DrawId(id), &draw, None, Millis(at)) {
                Ok(drawn) => {
                    prop_assert_eq!(drawn.new, made.insert(id, amount).is_none());
                    prop_assert_eq!(drawn.amount, q(amount));
                    if !drawn.new { prop_assert_eq!(&book, &before); }
                }
                Err(_) => prop_assert_eq!(&book, &before),
            }
        }
        let drawn: i128 = made.values().sum();
        let total = book.standing(LayerId(1), None, Millis(0)).unwrap();
        prop_assert_eq!(total.drawn_total, q(drawn));
        prop_assert_eq!(total.capacity.get() + drawn, commits.iter().map(|c| c.0).sum::<i128>());
    }

    /// A provider under any calls: what left its purse is what its distinct draws were paid, never below zero.
    #[test]
    fn money_leaves_once(held in 0_i128..200, calls in prop::collection::vec((0_u8..3, 0_u32..6, 0_i128..90, 0_u64..30), 0..40)) {
        let provider = fund(held);
        let mut paid = std::collections::BTreeMap::new();
        for (kind, id, amount, time) in calls {
            match kind {
                0 => { let _ = now(provider.commit(LayerId(id), q(amount), Millis(time))); }
                1 => provider.release_expired(Millis(time)).unwrap(),
                _ => if now(provider.settle(DrawId(id), q(amount))) == Ok(Payment::Paid) { paid.insert(id, amount); },
            }
            let left = provider.held().unwrap().get();
            prop_assert_eq!(left + paid.values().sum::<i128>(), held);
            prop_assert!(left >= 0 && provider.free().unwrap().get() >= 0);
        }
    }
}
