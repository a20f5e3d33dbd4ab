//! The provider contract and the commitment book: paying twice is impossible.

use cofferdam_core::{AssetId, DrawId, EventId, LayerId, Millis, Ppb, Quanta};
use cofferdam_insurance_layer::{
    CommitRequest, Commitment, CommitmentBook, CommitmentId, Cover, Draw, Escrow, EscrowedFund,
    InsuranceError, InsuranceProvider, Payment, ProviderError, QuoteId, QuoteRequest,
};
use proptest::prelude::*;
use std::future::Future;
use std::pin::pin;
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

const YEAR: Millis = Millis(31_536_000_000);

fn asks(limit: i128, at: u64) -> QuoteRequest {
    QuoteRequest {
        at: Millis(at),
        exposure: q(100),
        term: YEAR,
        attachment: q(0),
        limit: q(limit),
        share: Ppb(500_000_000),
    }
}

/// An offer for a line of `line`, taken up for `capacity`.
fn commit(
    f: &EscrowedFund,
    id: u64,
    (line, capacity): (i128, i128),
    expires: u64,
) -> Result<Cover, ProviderError> {
    let request = QuoteRequest { share: Ppb::ONE, ..asks(line, 0) };
    let quote = now(f.quote(&request))?.id;
    now(f.commit(&CommitRequest {
        id: CommitmentId(id),
        quote,
        layer: LayerId(1),
        capacity: q(capacity),
        at: Millis(0),
        expires: Millis(expires),
    }))
}

fn settle(f: &EscrowedFund, id: u32, layer: u32, amount: i128) -> Result<Payment, ProviderError> {
    now(f.settle(DrawId(id), &Draw { layer: LayerId(layer), amount: q(amount) }))
}

#[test]
fn a_fund_over_its_life() {
    let f = fund(100);
    let commit = |id, capacity, expires| {
        commit(&f, id, (capacity, capacity), expires).map(|c| c.commitment.capacity.get())
    };
    let settle = |id, amount| settle(&f, id, 1, amount);
    assert_eq!(commit(1, 60, 10), Ok(60));
    assert!(commit(2, 41, 20).is_err() && commit(3, 0, 20).is_err(), "only what is free");
    assert_eq!(commit(4, 40, 20), Ok(40));
    let ahead = |at| now(f.capacity(LayerId(1), Millis(at))).map(Quanta::get);
    assert_eq!([0, 10, 11, 20, 21].map(ahead), [100, 100, 40, 40, 0].map(Ok));
    assert_eq!(now(f.capacity(LayerId(2), Millis(0))), Ok(q(0)), "of another layer");
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
    assert_eq!(now(f.quote(&asks(70, 0))).map(|t| t.premium), Ok(q(2)), "5 % of 35, up");
    assert!(now(f.quote(&asks(72, 0))).is_err() && now(f.quote(&asks(0, 0))).is_err());
}

#[test]
fn an_offer_binds() {
    let f = fund(1_000);
    let offer = now(f.quote(&asks(1_000, 5))).unwrap();
    assert_eq!((offer.premium, offer.valid_until), (q(25), Millis(3_600_005)));
    assert_eq!(now(f.quote(&asks(1_000, 5))), Ok(offer.clone()), "the same question is the same offer");
    let take = CommitRequest {
        id: CommitmentId(1),
        quote: offer.id,
        layer: LayerId(1),
        capacity: q(100),
        at: Millis(6),
        expires: Millis(YEAR.0 + 6),
    };
    let refused = |take: CommitRequest, why: &str| {
        let error = now(f.commit(&take)).unwrap_err();
        assert!(error.message.contains(why) && !error.retryable, "{error}");
    };
    refused(CommitRequest { quote: QuoteId(77), ..take }, "offer 77");
    refused(CommitRequest { capacity: q(501), ..take }, "at most 500");
    refused(CommitRequest { expires: Millis(YEAR.0 + 7), ..take }, "expires at");
    refused(CommitRequest { expires: Millis(5), ..take }, "expires at");
    let cover = now(f.commit(&take)).unwrap();
    assert_eq!((cover.premium, cover.commitment.capacity), (q(5), q(100)), "25 x 100 / 500");
    assert_eq!(now(f.commit(&take)), Ok(cover), "asked again");
    assert_eq!(now(f.commit(&CommitRequest { at: Millis(9), ..take })), Ok(cover), "asked again later");
    assert_eq!(f.free(), Ok(q(900)), "reserved once");
    refused(CommitRequest { capacity: q(99), ..take }, "other terms");
    refused(CommitRequest { id: CommitmentId(2), ..take }, "was not taken up");
    let second = now(f.quote(&asks(1_000, 10))).unwrap();
    let late = CommitRequest { id: CommitmentId(3), quote: second.id, at: Millis(3_600_011), ..take };
    refused(late, "one that stands");
}

/// Asking is free, so what it takes to remember is bounded.
#[test]
fn offers_are_bounded() {
    let f = fund(1_000_000);
    let full = (1..).find_map(|limit| now(f.quote(&asks(limit, 0))).err().map(|e| (limit, e.retryable)));
    assert_eq!(full, Some((1_025, true)));
    assert!(now(f.quote(&asks(5_000, 3_600_001))).is_ok(), "the others have lapsed");
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
                0 => { let _ = commit(&provider, u64::from(id), (amount, amount), time); }
                1 => provider.release_expired(Millis(time)).unwrap(),
                _ => if settle(&provider, id, 1, amount) == Ok(Payment::Paid) { paid.insert(id, amount); },
            }
            let left = provider.held().unwrap().get();
            prop_assert_eq!(left + paid.values().sum::<i128>(), held);
            prop_assert!(left >= 0 && provider.free().unwrap().get() >= 0);
        }
    }
}
