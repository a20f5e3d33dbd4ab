//! A pool that pays debts off, against an accounting that visits every depositor with exact fractions, and broken ones that are caught.

use cofferdam_core::Amount;
use cofferdam_insurance_layer::{Deposit, OffsetPool, Part};
use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// What happens to a pool.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A depositor adds so much; what it has left and gained before is settled first.
    Add(u8, u64),
    /// A depositor leaves.
    Leave(u8),
    /// So many millionths of the pool pay for debts, for so many thousandths of it in collateral; a million is all.
    Offset(u32, u64),
}

/// How what one depositor is owed is computed: the real one, and wrong ones.
type Answer = fn(&Books, &Deposit) -> (i128, i128);

#[derive(Default)]
struct Books {
    pool: OffsetPool,
    sums: BTreeMap<Part, u128>,
    deposits: BTreeMap<u8, Deposit>,
    /// Collateral in the pool.
    gains: i128,
    /// The same by exact fractions: what each has left, and has gained and not been paid.
    exact: BTreeMap<u8, (BigRational, BigRational)>,
    /// Atoms of each that settlements may have cost.
    slack: BTreeMap<u8, i128>,
}

impl Books {
    fn sum(&self, part: Part) -> u128 {
        self.sums.get(&part).copied().unwrap_or(0)
    }

    fn real(&self, d: &Deposit) -> (i128, i128) {
        let at = |k| self.sum(d.part().after(k).unwrap());
        let gained = self.pool.gained(d, [at(0), at(1), at(2)]).unwrap();
        (self.pool.left(d).unwrap().get(), gained.get())
    }

    fn settle(&mut self, who: u8, answer: Answer) -> i128 {
        let Some(d) = self.deposits.remove(&who) else { return 0 };
        let (left, gained) = answer(self, &d);
        self.pool.withdraw(&d).unwrap();
        self.gains -= gained;
        self.exact.remove(&who);
        left
    }

    fn apply(&mut self, event: Event, answer: Answer) {
        match event {
            Event::Add(who, amount) => {
                let left = self.settle(who, answer);
                let all = Amount::new(left + i128::from(amount));
                let sum = self.sum(self.pool.part());
                let d = self.pool.deposit(all, sum).unwrap();
                self.deposits.insert(who, d);
                self.exact.insert(who, (whole(all.get()), whole(0)));
                self.slack.insert(who, 0);
            }
            Event::Leave(who) => {
                let _ = self.settle(who, answer);
            }
            Event::Offset(millionths, gain) => {
                let total = self.pool.total().get();
                let debt = total * i128::from(millionths.min(1_000_000)) / 1_000_000;
                if debt == 0 {
                    return;
                }
                let gain = debt * i128::from(gain) / 1_000;
                let part = self.pool.part();
                let grown = self.pool.offset(Amount::new(debt), Amount::new(gain)).unwrap();
                *self.sums.entry(part).or_default() += grown;
                self.gains += gain;
                for (left, gained) in self.exact.values_mut() {
                    *gained += left.clone() * whole(gain) / whole(total);
                    *left *= BigRational::new((total - debt).into(), total.into());
                }
                self.slack.values_mut().for_each(|s| *s += 1);
            }
        }
    }
}

fn whole(x: i128) -> BigRational {
    BigRational::from_integer(BigInt::from(x))
}

/// The laws: depositors together never have more than the pool holds; each has what the visit to every depositor says, less a bounded
/// rounding.
fn check(events: &[Event], answer: Answer) -> Result<(), String> {
    let mut books = Books::default();
    for event in events {
        books.apply(*event, answer);
        let owed: Vec<(i128, i128)> = books.deposits.values().map(|d| answer(&books, d)).collect();
        let (left, gained) = owed.iter().fold((0, 0), |(a, b), (x, y)| (a + x, b + y));
        if left > books.pool.total().get() {
            return Err(format!("{left} of {:?} after {event:?}", books.pool.total()));
        }
        if gained > books.gains {
            return Err(format!("{gained} of {} gained after {event:?}", books.gains));
        }
        for (who, (left, gained)) in books.deposits.keys().zip(owed) {
            let (want, won) = &books.exact[who];
            let slack = whole(1 + books.slack[who]);
            // the pool keeps what others' roundings left, so that the fractions of the pool's own total are a little smaller
            let near = |have: i128, want: &BigRational| {
                let miss = want.clone() - whole(have);
                let few = want.clone() / whole(100_000_000_000_000) + slack.clone();
                miss <= few && -miss <= slack
            };
            if !near(left, want) || !near(gained, won) {
                return Err(format!("{who} has {left}, {gained}; wants {want}, {won} after {event:?}"));
            }
        }
    }
    Ok(())
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let offset = prop_oneof![
        4 => 1_u32..999_999,
        2 => 999_000_u32..1_000_000,
        1 => Just(1_000_000_u32),
    ];
    let event = prop_oneof![
        3 => (0_u8..6, 1_000_000_000_000_u64..u64::MAX / 16).prop_map(|(w, x)| Event::Add(w, x)),
        1 => (0_u8..6).prop_map(Event::Leave),
        3 => (offset, 1_u64..1 << 30).prop_map(|(m, g)| Event::Offset(m, g)),
    ];
    proptest::collection::vec(event, 1..24)
}

proptest! {
    /// INV-5: what is left and gained, rounded down by a bounded amount that stays with the pool, over deposits, departures, partial offsets and ones that use the pool up.
    #[test]
    fn depositors_have_what_a_visit_to_each_would_give_and_no_more(events in events()) {
        prop_assert_eq!(check(&events, Books::real), Ok(()));
    }
}

#[test]
fn broken_accountings_are_caught() {
    let events = [
        Event::Add(0, 3_000_000_000_000),
        Event::Add(1, 1_000_000_000_001),
        Event::Offset(400_000, 1_007),
        Event::Offset(999_999, 1_007),
        Event::Add(2, 5_000_000_000_000),
        Event::Offset(999_999, 1_007),
        Event::Offset(1_000_000, 1_007),
        Event::Add(3, 7_000_000_000_000),
        Event::Offset(500_000, 1_007),
    ];
    assert_eq!(check(&events, Books::real), Ok(()));
    let caught = |name: &str, answer: Answer| {
        assert!(check(&events, answer).is_err(), "{name} passes");
    };
    caught("an epoch that does not end", |b, d| {
        let (left, gained) = b.real(d);
        (if d.part().epoch == b.pool.part().epoch { left } else { d.amount().get() }, gained)
    });
    caught("sums of later scales left out", |b, d| {
        let gained = b.pool.gained(d, [b.sum(d.part()), 0, 0]).unwrap();
        (b.real(d).0, gained.get())
    });
    caught("a deposit that does not shrink", |b, d| (d.amount().get(), b.real(d).1));
    caught("roundings up", |b, d| (b.real(d).0 + 1, b.real(d).1 + 1));
}

#[test]
fn a_pool_pays_no_more_than_it_has() {
    let mut pool = OffsetPool::default();
    assert!(pool.offset(Amount::ONE, Amount::ONE).is_err());
    let d = pool.deposit(Amount::new(10), 0).unwrap();
    for debt in [-1, 0, 11] {
        assert!(pool.offset(Amount::new(debt), Amount::ONE).is_err(), "{debt}");
    }
    assert!(pool.deposit(Amount::new(-1), 0).is_err());
    let sum = pool.offset(Amount::new(10), Amount::new(4)).unwrap();
    assert_eq!((pool.part(), pool.total()), (Part { epoch: 1, scale: 0 }, Amount::ZERO));
    assert_eq!(
        (pool.left(&d).unwrap(), pool.gained(&d, [sum, 0, 0]).unwrap()),
        (Amount::ZERO, Amount::new(4))
    );
}
