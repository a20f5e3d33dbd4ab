//! A second book beside the stack's, kept from postings alone: nothing is created or lost (INV-1), sums of shares and scaled
//! debts are those of their holders (INV-8), and nobody's cash is below zero (INV-7) but a group's that holds something else behind it
//! (reserves that absorb accounts and sell what they hold later).

use cofferdam_core::{AssetId, Holder, Item, Posting};
use cofferdam_stack::State;
use std::collections::BTreeMap;

/// The second book.
#[derive(Clone, Debug, Default)]
pub(super) struct Shadow {
    held: BTreeMap<(Holder, Item), i128>,
    touched: Vec<(Holder, Item)>,
    pub(super) postings_checked: u64,
    pub(super) books_checked: u64,
    pub(super) fault: Option<String>,
}

impl Shadow {
    /// Units held.
    pub(super) fn units(&self, holder: Holder, item: Item) -> i128 {
        self.held.get(&(holder, item)).copied().unwrap_or(0)
    }

    /// Books the postings of one fact; each item has to sum to zero.
    pub(super) fn post(&mut self, postings: &[Posting]) {
        let mut sums: Vec<(Item, i128)> = Vec::with_capacity(2);
        for p in postings {
            match sums.iter_mut().find(|(item, _)| *item == p.item) {
                Some((_, sum)) => *sum += p.units,
                None => sums.push((p.item, p.units)),
            }
            *self.held.entry((p.holder, p.item)).or_default() += p.units;
            self.touched.push((p.holder, p.item));
        }
        self.postings_checked += 1;
        if let Some((item, sum)) = sums.iter().find(|(_, sum)| *sum != 0) {
            self.fail(format!("{item:?}: one fact's postings sum to {sum}"));
        }
    }

    /// After a step: nobody who must not owe does.
    pub(super) fn step_done(&mut self) {
        for (holder, item) in std::mem::take(&mut self.touched) {
            let units = self.units(holder, item);
            let may_owe = match item {
                // the pool is the other side of debts and shares
                Item::Debt(_) | Item::Share(_) => !matches!(holder, Holder::Group(_)),
                Item::Asset(_) if matches!(holder, Holder::Group(_)) => self.backed(holder),
                _ => matches!(holder, Holder::Outside | Holder::House(_)),
            };
            if units < 0 && !may_owe {
                self.fail(format!("{holder:?} holds {units} of {item:?}"));
            }
        }
    }

    /// Whether a holder has some of any asset.
    fn backed(&self, holder: Holder) -> bool {
        let assets = (holder, Item::Asset(AssetId(0)))..=(holder, Item::Asset(AssetId(u32::MAX)));
        self.held.range(assets).any(|(_, units)| *units > 0)
    }

    /// Compares the state's own book, holder by holder, and sums it.
    pub(super) fn compare(&mut self, state: &State) {
        self.books_checked += 1;
        let mut sums: BTreeMap<Item, i128> = BTreeMap::new();
        let mut wrong = None;
        for (&(holder, item), &units) in &self.held {
            let theirs = held(state, holder, item);
            *sums.entry(item).or_default() += theirs;
            if theirs != units {
                wrong = Some(format!("{holder:?} holds {theirs} of {item:?}, its postings sum to {units}"));
            }
        }
        let unseen = state.ledger().find(|(key, h)| h.units != 0 && !self.held.contains_key(*key));
        if let Some(((holder, item), h)) = unseen {
            wrong = Some(format!("{holder:?} holds {} of {item:?} without a posting", h.units));
        }
        if let Some((item, sum)) = sums.iter().find(|(_, sum)| **sum != 0) {
            wrong = Some(format!("{item:?}: the holdings of all sum to {sum}"));
        }
        if let Some(what) = wrong {
            self.fail(what);
        }
    }

    fn fail(&mut self, what: String) {
        self.fault.get_or_insert(what);
    }
}

fn held(state: &State, holder: Holder, item: Item) -> i128 {
    match (holder, item) {
        (Holder::Group(g), Item::Asset(a)) => state.book().balance(g, a).get(),
        (Holder::Group(g), Item::Debt(a)) => {
            i128::try_from(state.book().debt(g, a).get()).unwrap_or(i128::MAX)
        }
        _ => state.holding(holder, item).units,
    }
}
