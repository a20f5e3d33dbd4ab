//! What a lending run leaves. Money in atoms of the debt asset unless the field says otherwise.

use crate::tally::{Counts, EventTally};

/// Sums over a run, or over one entry of its series.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LendingTotals {
    /// Keepers' seizures.
    pub liquidations: i128,
    /// Those that cleared the debt or took all collateral.
    pub full: i128,
    /// Debt repaid by keepers.
    pub repaid: i128,
    /// Collateral seized, in its own atoms.
    pub seized: i128,
    /// The same at the stack's price of that moment, each seizure rounded up as the stack does for its event.
    pub seized_value: i128,
    /// What keepers got beyond what they repaid, at the stack's price.
    pub bonus: i128,
    /// The house's part of the bonus, in atoms of the collateral.
    pub fees: i128,
    /// The same at the stack's price.
    pub fees_value: i128,
    /// What keepers got for collateral they sold, after impact and fee.
    pub proceeds: i128,
    /// Gas they paid.
    pub gas: i128,
    /// Debt that nothing backed any more, written off.
    pub bad_debt: i128,
    /// Of it, paid by insurance.
    pub insured: i128,
    /// Of it, borne by suppliers.
    pub written_down: i128,
    /// Interest that accrued, rounded down once per accrual.
    pub interest: i128,
    /// Lent.
    pub borrowed: i128,
    /// Supplied.
    pub supplied: i128,
    /// Loans opened.
    pub opened: i128,
    /// Loans refused.
    pub refused: i128,
    /// Further draws by borrowers who follow the price.
    pub followed: i128,
}

impl LendingTotals {
    /// What happened since an earlier moment of the same run.
    #[must_use]
    pub fn since(&self, before: &Self) -> Self {
        Self {
            liquidations: self.liquidations - before.liquidations,
            full: self.full - before.full,
            repaid: self.repaid - before.repaid,
            seized: self.seized - before.seized,
            seized_value: self.seized_value - before.seized_value,
            bonus: self.bonus - before.bonus,
            fees: self.fees - before.fees,
            fees_value: self.fees_value - before.fees_value,
            proceeds: self.proceeds - before.proceeds,
            gas: self.gas - before.gas,
            bad_debt: self.bad_debt - before.bad_debt,
            insured: self.insured - before.insured,
            written_down: self.written_down - before.written_down,
            interest: self.interest - before.interest,
            borrowed: self.borrowed - before.borrowed,
            supplied: self.supplied - before.supplied,
            opened: self.opened - before.opened,
            refused: self.refused - before.refused,
            followed: self.followed - before.followed,
        }
    }
}

/// What the suppliers own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolValue {
    /// The pool's cash and what it is owed, rounded down.
    pub assets: i128,
    /// Cash alone.
    pub cash: i128,
    /// Shares issued.
    pub shares: i128,
}

impl PoolValue {
    /// Assets per share over those of another moment: 1 for no change. For display only.
    #[must_use]
    pub fn growth_since(&self, start: &Self) -> f64 {
        let price = |v: &Self| v.assets as f64 / (v.shares.max(1)) as f64;
        if start.shares == 0 { 1.0 } else { price(self) / price(start) }
    }

    /// Lent over all, 0 to 1. For display only.
    #[must_use]
    pub fn utilisation(&self) -> f64 {
        if self.assets <= 0 { 0.0 } else { 1.0 - self.cash as f64 / self.assets as f64 }
    }
}

/// One entry of the series.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct LendingBar {
    /// Start, milliseconds since 1970, a multiple of its length.
    pub start_ms: u64,
    /// Rows in it.
    pub rows: u32,
    /// Mean price in ticks of the market with the keepers' sales in it.
    pub price_mean: f64,
    /// Lowest such price, in ticks.
    pub price_low: i64,
    /// What happened in it.
    pub totals: LendingTotals,
    /// The pool at its end.
    pub pool: PoolValue,
    /// Highest utilisation in it, 0 to 1.
    pub utilisation_max: f64,
    /// Borrowers with a debt at its end.
    pub borrowers: u32,
    /// By how much debts exceed their collateral at its end, summed over the accounts where they do, at the stack's price.
    pub under_water: i128,
}

/// What a run leaves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LendingOutcome {
    /// Sums over the run.
    pub totals: LendingTotals,
    /// Borrowers that were liquidated at least once.
    pub borrowers_liquidated: u32,
    /// Borrowers with a debt at the end.
    pub borrowers_left: u32,
    /// What they owe.
    pub owed_left: i128,
    /// By how much debts exceed their collateral at the end, at the stack's price.
    pub under_water: i128,
    /// The pool after the first supply.
    pub pool_start: PoolValue,
    /// The pool at the end.
    pub pool_end: PoolValue,
    /// Highest utilisation at the end of a minute, 0 to 1.
    pub utilisation_max: f64,
    /// Left in the insurance layer.
    pub fund_left: i128,
    /// Deficit that nobody paid.
    pub deficit_left: i128,
    /// The deepest that the keepers' sales moved the price below the record, as a ratio.
    pub impact_max: f64,
    /// Most minutes in a row in which a bid was possible by the stack's rules and no keeper found one that pays.
    pub unwanted_minutes_max: u32,
    /// What happened, per span of the scenario's `bar_ms`.
    pub bars: Vec<LendingBar>,
    /// Deleveraging events, after what happened outside of any.
    pub events: Vec<EventTally>,
    /// Counts of inputs, steps, facts and answers.
    pub counts: Counts,
    /// Facts with postings that were summed per item and found to be zero.
    pub postings_checked: u64,
    /// Times that the whole book was compared with the sum of all postings.
    pub books_checked: u64,
    /// SHA-256 of the state at the end, hexadecimal.
    pub state_hash: String,
}
