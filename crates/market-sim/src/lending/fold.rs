//! What happened, folded over facts.

use super::Terms;
use super::conservation::Shadow;
use super::outcome::{LendingTotals, PoolValue};
use crate::tally::Tally;
use cofferdam_core::{
    Amount, GroupId, Holder, House, Index, Item, Posting, Quanta, RAY, Rounding, Ticks, World, wide,
};
use cofferdam_stack::{Fact, Observer, Reason, State, StepCause};
use std::collections::BTreeSet;

/// The fold of one run, and its second book.
#[derive(Debug)]
pub(super) struct Fold {
    terms: Terms,
    pub(super) tally: Tally,
    pub(super) totals: LendingTotals,
    pub(super) shadow: Shadow,
    pub(super) liquidated: BTreeSet<GroupId>,
    index: Index,
}

impl Fold {
    pub(super) fn new(terms: Terms) -> Self {
        Self {
            terms,
            tally: Tally::new(),
            totals: LendingTotals::default(),
            shadow: Shadow::default(),
            liquidated: BTreeSet::new(),
            index: Index::START,
        }
    }

    /// The pool as the second book sees it.
    pub(super) fn pool(&self) -> PoolValue {
        let pool = Holder::Pool(self.terms.pool);
        let cash = self.shadow.units(pool, Item::Asset(self.terms.debt));
        let lent = self.lent_at(self.index.get());
        let shares = -self.shadow.units(pool, Item::Share(self.terms.pool));
        PoolValue { assets: cash + lent, cash, shares }
    }

    /// Atoms owed to the pool at an index, rounded down.
    fn lent_at(&self, index: u128) -> i128 {
        let scaled = self.shadow.units(Holder::Pool(self.terms.pool), Item::Debt(self.terms.debt));
        let owed = wide::mul_div_unsigned(scaled.unsigned_abs(), index, RAY, false);
        owed.ok().and_then(|x| i128::try_from(x).ok()).unwrap_or(0)
    }

    fn posted(&mut self, reason: Reason, postings: &[Posting], state: &State) {
        let cash = Item::Asset(self.terms.debt);
        let gained = |holder: Holder, item: Item| -> i128 {
            postings.iter().filter(|p| p.holder == holder && p.item == item).map(|p| p.units).sum()
        };
        let pool = Holder::Pool(self.terms.pool);
        let deficit = Holder::House(House::Deficit);
        match reason {
            Reason::Auction => self.liquidated.extend(postings.iter().filter_map(|p| match p.holder {
                Holder::Group(g) if p.units < 0 => Some(g),
                _ => None,
            })),
            Reason::Seizure => self.seized(postings, gained(pool, cash), state),
            Reason::BadDebt => self.totals.bad_debt -= gained(deficit, cash),
            Reason::Insurance => self.totals.insured += gained(deficit, cash),
            Reason::WriteDown => self.totals.written_down += gained(deficit, cash),
            Reason::Borrow => self.totals.borrowed += gained(Holder::Outside, cash),
            Reason::PoolShares => self.totals.supplied += gained(pool, cash),
            _ => {}
        }
    }

    fn seized(&mut self, postings: &[Posting], repaid: i128, state: &State) {
        let collateral = Item::Asset(self.terms.collateral);
        let of = |keep: &dyn Fn(&Posting) -> bool| -> i128 {
            postings.iter().filter(|p| p.item == collateral && keep(p)).map(|p| p.units).sum()
        };
        // who pays gets it; what an auction has left over goes home and was not seized
        let pays = |h: Holder| {
            postings.iter().any(|p| p.holder == h && p.item == Item::Asset(self.terms.debt) && p.units < 0)
        };
        let home = of(&|p| p.units > 0 && matches!(p.holder, Holder::Group(_)) && !pays(p.holder));
        let seized = -of(&|p| p.units < 0) - home;
        let fee = of(&|p| p.holder == Holder::House(House::Fees));
        let t = &mut self.totals;
        t.liquidations += 1;
        t.repaid += repaid;
        t.seized += seized;
        t.fees += fee;
        let view = state.asset(self.terms.collateral).map(|a| a.price);
        let price = view.map_or(Ticks::ZERO, |v| v.mid);
        let value = self.terms.value_at(Amount::new(seized), price);
        let fee_value = self.terms.value_at(Amount::new(fee), price);
        // what the stack charges its event with, rounded as it does: the sum over events is the same to the atom
        t.seized_value += self.terms.charged(Amount::new(seized), view.map_or(Ticks::ZERO, |v| v.high));
        t.fees_value += fee_value;
        t.bonus += value - fee_value - repaid;
        let victim = postings.iter().find_map(|p| match p.holder {
            Holder::Group(g) if p.item == collateral && p.units < 0 => Some(g),
            _ => None,
        });
        if let Some(g) = victim {
            self.liquidated.insert(g);
            let debt = self.shadow.units(Holder::Group(g), Item::Debt(self.terms.debt));
            let left = self.shadow.units(Holder::Group(g), collateral);
            self.totals.full += i128::from(debt == 0 || left == 0);
        }
    }
}

impl Observer for Fold {
    fn step(&mut self, cause: &StepCause, facts: &[Fact], after: &State) {
        self.tally.step(cause, facts, after);
        for fact in facts {
            match fact {
                Fact::Post { reason, postings } => {
                    self.shadow.post(postings);
                    self.posted(*reason, postings, after);
                }
                Fact::Interest { asset, to } if *asset == self.terms.debt => {
                    self.totals.interest += self.lent_at(to.get()) - self.lent_at(self.index.get());
                    self.index = *to;
                }
                _ => {}
            }
        }
        self.shadow.step_done();
    }
}

impl Terms {
    /// What collateral is worth to the stack where it fills a budget: at the high price, rounded up, in atoms of the debt asset.
    fn charged(&self, amount: Amount, high: Ticks) -> i128 {
        let value = self.collateral_scale.value(amount, high, Rounding::Up).unwrap_or(Quanta::ZERO);
        self.debt_scale.amount(value, self.one, Rounding::Up).map_or(0, Amount::get)
    }

    /// Collateral at a price, in atoms of the debt asset, rounded down. Beyond its range it is worth nothing to anyone.
    pub(super) fn value_at(&self, amount: Amount, price: Ticks) -> i128 {
        let value = self.collateral_scale.value(amount, price, Rounding::Down).unwrap_or(Quanta::ZERO);
        self.debt_scale.amount(value, self.one, Rounding::Down).map_or(0, Amount::get)
    }
}
