//! A second book beside the stack's, kept from postings alone and compared after every step: nothing is created or lost
//! (INV-1, INV-2), and what the state holds is what was posted to it.

use cofferdam_core::{Holder, Item, Posting};
use cofferdam_stack::{Fact, Observer, State, StepCause};
use std::collections::HashMap;

/// Units and cost.
type Sum = (i128, i128);

/// The second book. After each step: the postings of all facts so far sum to zero per item, in units and in cost; and every
/// holding that a posting of the step touched is in the state what it is here. What no posting touched did not change here; that
/// it did not change there either is seen where the whole book is summed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Postings {
    held: HashMap<(Holder, Item), Sum>,
    /// Running sums of all postings. Few items, so a list.
    sums: Vec<(Item, Sum)>,
    touched: Vec<(Holder, Item)>,
    /// Steps checked.
    pub(crate) steps: u64,
    /// Single postings in them.
    pub(crate) lines: u64,
    /// What was wrong first.
    pub(crate) fault: Option<String>,
}

impl Postings {
    fn post(&mut self, p: &Posting) {
        self.lines += 1;
        let index = self.sums.iter().position(|(item, _)| *item == p.item).unwrap_or_else(|| {
            self.sums.push((p.item, (0, 0)));
            self.sums.len() - 1
        });
        let all = add(self.sums[index].1, p);
        let key = (p.holder, p.item);
        let one = add(self.held.get(&key).copied().unwrap_or_default(), p);
        match (all, one) {
            (Some(all), Some(one)) => {
                self.sums[index].1 = all;
                self.held.insert(key, one);
                self.touched.push(key);
            }
            _ => self.fail(format!("{:?} of {:?}: a sum beyond 128 bits", p.item, p.holder)),
        }
    }

    /// After a step: `theirs` is what the state holds.
    fn check(&mut self, theirs: impl Fn(Holder, Item) -> Sum) {
        self.steps += 1;
        if let Some((item, (units, cost))) = self.sums.iter().find(|(_, sum)| *sum != (0, 0)) {
            self.fail(format!("all postings of {item:?} sum to {units} and cost {cost} instead of zero"));
        }
        for (holder, item) in std::mem::take(&mut self.touched) {
            let ours = self.held.get(&(holder, item)).copied().unwrap_or_default();
            let theirs = theirs(holder, item);
            if ours != theirs {
                self.fail(format!("{holder:?} holds {theirs:?} of {item:?}, and {ours:?} was posted to it"));
            }
        }
    }

    fn fail(&mut self, what: String) {
        self.fault.get_or_insert(what);
    }
}

fn add((units, cost): Sum, p: &Posting) -> Option<Sum> {
    Some((units.checked_add(p.units)?, cost.checked_add(p.cost.get())?))
}

impl Observer for Postings {
    fn step(&mut self, _: &StepCause, facts: &[Fact], after: &State) {
        for fact in facts {
            if let Fact::Post { postings, .. } = fact {
                postings.iter().for_each(|p| self.post(p));
            }
        }
        self.check(|holder, item| held(after, holder, item));
    }
}

fn held(state: &State, holder: Holder, item: Item) -> Sum {
    match (holder, item) {
        (Holder::Group(g), Item::Asset(a)) => (state.book().balance(g, a).get(), 0),
        (Holder::Group(g), Item::Debt(a)) => {
            (i128::try_from(state.book().debt(g, a).get()).unwrap_or(i128::MAX), 0)
        }
        (Holder::Group(g), Item::Position(m)) => {
            state.book().position(g, m).map_or((0, 0), |p| (p.lots.get().into(), p.cost.get()))
        }
        _ => {
            let h = state.holding(holder, item);
            (h.units, h.cost.get())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cofferdam_core::{AssetId, GroupId, House, MarketId, Quanta};

    const CASH: Item = Item::Asset(AssetId(0));
    const ONE: Holder = Holder::Group(GroupId(1));

    /// Steps of postings, each followed by a check against a state that holds what was posted, but for `stolen` units of cash.
    fn check(steps: &[Vec<Posting>], stolen: i128) -> Option<String> {
        let mut book = Postings::default();
        for step in steps {
            step.iter().for_each(|p| book.post(p));
            let held = book.held.clone();
            book.check(|holder, item| {
                let (units, cost) = held.get(&(holder, item)).copied().unwrap_or_default();
                (units - if (holder, item) == (ONE, CASH) { stolen } else { 0 }, cost)
            });
        }
        assert_eq!(book.steps, steps.len() as u64);
        book.fault
    }

    #[test]
    fn one_atom_or_one_quantum_is_seen() {
        let deposit = Posting::transfer(Holder::Outside, ONE, CASH, 100).to_vec();
        let perp = MarketId(0);
        let trade = |cost: i128| {
            vec![
                Posting::position(ONE, perp, 5, Quanta::new(70)),
                Posting::position(Holder::Group(GroupId(2)), perp, -5, Quanta::new(cost)),
            ]
        };
        let lost = vec![Posting::new(ONE, CASH, -100), Posting::new(Holder::House(House::Fees), CASH, 99)];
        for (steps, stolen, seen) in [
            (vec![deposit.clone(), trade(-70)], 0, None),
            (vec![deposit.clone(), lost], 0, Some("sum to -1 and cost 0")),
            (vec![deposit.clone(), trade(-69)], 0, Some("sum to 0 and cost 1")),
            (vec![deposit], 1, Some("(99, 0)")),
            (vec![vec![Posting::new(ONE, CASH, i128::MAX), Posting::new(ONE, CASH, 1)]], 0, Some("128 bits")),
        ] {
            let fault = check(&steps, stolen);
            assert_eq!(fault.is_some(), seen.is_some(), "{fault:?}");
            assert!(fault.unwrap_or_default().contains(seen.unwrap_or_default()));
        }
    }
}
