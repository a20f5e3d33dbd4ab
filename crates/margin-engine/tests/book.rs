//! The columnar book against plain accounts: same content, same sums, same bytes, whatever the history (INV-8, INV-45, INV-46).

mod common;
use cofferdam_core::*;
use cofferdam_margin_engine::*;
use common::*;
use proptest::prelude::*;
use std::collections::BTreeMap;

fn bytes(book: &Book) -> Vec<u8> {
    let mut all = Vec::new();
    book.canonical(&mut |b| all.extend_from_slice(b));
    all
}

proptest! {
    #[test]
    fn the_book_is_its_accounts(steps in prop::collection::vec((0_u32..12, step(), any::<bool>()), 0..120)) {
        let (mut book, mut plain) = (Book::new(), BTreeMap::<u32, Account>::new());
        for (group, s, whole) in &steps {
            let account = plain.entry(*group).or_default();
            let before = account.clone();
            let expected = apply(account, s);
            if expected.is_err() {
                prop_assert_eq!(&*account, &before);
            }
            let id = GroupId(*group);
            let got = if *whole {
                book.store(id, account).and(expected)
            } else {
                book.post(id, s.item, s.units, Quanta::new(s.cost), FundingIndex::new(s.funding))
            };
            prop_assert_eq!(got, expected);
            prop_assert_eq!(&book.load(id), &*account);
        }
        prop_assert_eq!(book.check(), Ok(()));
        plain.retain(|_, a| !a.is_empty());
        let held: Vec<u32> = book.groups().map(|g| g.0).collect();
        prop_assert_eq!(held, plain.keys().copied().collect::<Vec<_>>());
        prop_assert_eq!(book.len(), plain.len());
        for m in 0..MARKETS {
            let lots = |a: &Account| a.positions().iter().find(|p| p.market.0 == m).map_or(0, |p| p.lots.get());
            let long: i64 = plain.values().map(|a| lots(a).max(0)).sum();
            let short: i64 = plain.values().map(|a| (-lots(a)).max(0)).sum();
            prop_assert_eq!(book.open_interest(MarketId(m)), (Lots::new(long), Lots::new(short)));
        }
        // another history, another cash asset, another layout: the same bytes
        let mut other = Book::with_cash(AssetId(2));
        for (group, account) in plain.iter().rev() {
            other.store(GroupId(*group), account).unwrap();
        }
        prop_assert_eq!(bytes(&book), bytes(&other));
        book.rebuild().unwrap();
        prop_assert_eq!(book.check(), Ok(()));
        prop_assert_eq!(bytes(&book), bytes(&other));
        for group in plain.keys() {
            book.store(GroupId(*group), &Account::new()).unwrap();
        }
        prop_assert!(book.is_empty());
        prop_assert_eq!(book.check(), Ok(()));
        for m in 0..MARKETS {
            prop_assert_eq!(book.open_interest(MarketId(m)), (Lots::ZERO, Lots::ZERO));
        }
    }
}

#[test]
fn what_is_refused() {
    let asset = Item::Asset(AssetId(1));
    let check = |group: u32, item, units, cost: i128, says: &str| {
        let mut book = Book::new();
        let error =
            book.post(GroupId(group), item, units, Quanta::new(cost), FundingIndex::ZERO).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(book.is_empty());
    };
    check(u32::MAX, asset, 1, 0, "beyond the book");
    check(0, asset, 1, 1, "carries no cost");
    check(0, asset, i128::MAX, 0, "outside the range");
    check(0, Item::Debt(AssetId(1)), -1, 0, "would make it negative");
    check(0, Item::Share(PoolId(0)), 1, 0, "does not hold");
    check(0, Item::Position(MarketId(0)), i128::MAX, 0, "64 bits");
}

#[test]
fn a_group_has_room_for_many_markets_and_not_for_any_number() {
    let mut book = Book::new();
    let mut post =
        |m: u32| book.post(GroupId(3), Item::Position(MarketId(m)), 1, Quanta::ZERO, FundingIndex::ZERO);
    for m in 0..1 << 15 {
        post(m).unwrap();
    }
    assert!(matches!(post(1 << 15), Err(BookError::TooManyEntries { .. })));
    assert_eq!(book.check(), Ok(()));
}
