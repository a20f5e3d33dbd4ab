//! What a price state still permits: a table of actions x states, per market tier.
//!
//! Source: Drift v2's validity matrix (oracle.rs): margin is not computed on a price that is too uncertain, too volatile, too
//! old or not positive; a liquidation is refused only on one that is too volatile or not positive.

use alloc::{collections::BTreeMap, vec::Vec};
use cofferdam_core::{ActionKind, Instrument, PriceState};

const ACTIONS: usize = ActionKind::ALL.len();
const STATES: usize = PriceState::ALL.len();

/// Which state permits which action. Plain data: every cell can be set; an action without a row permits nothing.
///
/// ```
/// use cofferdam_core::{ActionKind, PriceState};
/// use cofferdam_oracle::PermitTable;
/// let table = PermitTable::standard().with_up_to(ActionKind::Open, Some(PriceState::Good));
/// assert!(!table.permits(ActionKind::Open, PriceState::Aged));
/// assert!(table.permits(ActionKind::Liquidate, PriceState::Volatile));
/// assert!(table.permits(ActionKind::Repay, PriceState::Missing));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct PermitTable {
    cells: [[bool; STATES]; ACTIONS],
}

impl Default for PermitTable {
    fn default() -> Self {
        Self::standard()
    }
}

impl PermitTable {
    /// Nothing is permitted; a start for a table written out in full.
    #[must_use]
    pub const fn closed() -> Self {
        Self { cells: [[false; STATES]; ACTIONS] }
    }

    /// The default:
    ///
    /// | action | permitted in | why |
    /// |---|---|---|
    /// | deposit, repay | every state | needs no price |
    /// | reduce, liquidate, seize | good to stale | a way out stays open unless no price is usable (INV-35) |
    /// | open, withdraw, borrow | good, aged, thin | margin must be computed; Drift blocks it on the rest |
    ///
    /// It departs from Drift in one cell: a liquidation on a volatile price is permitted, for a guard that trips in a crash
    /// would otherwise keep accounts open under water just then (Aave withdrew its sentinel for that reason). A pool that
    /// fills at the oracle's own price should permit `open` on `Good` only.
    #[must_use]
    pub fn standard() -> Self {
        use ActionKind::{Borrow, Deposit, Liquidate, Open, Reduce, Repay, Seize, Withdraw};
        let mut table = Self::closed();
        for (actions, worst) in [
            (&[Deposit, Repay] as &[_], PriceState::Missing),
            (&[Reduce, Liquidate, Seize], PriceState::Stale),
            (&[Open, Withdraw, Borrow], PriceState::Thin),
        ] {
            for action in actions {
                table = table.with_up_to(*action, Some(worst));
            }
        }
        table
    }

    /// As [`PermitTable::standard`], with Drift's answer to a volatile price: no liquidation. It breaks INV-35 in those two
    /// cells, and [`PermitTable::closed_ways_out`] names them.
    #[must_use]
    pub fn drift() -> Self {
        Self::standard().with(ActionKind::Liquidate, PriceState::Volatile, false).with(
            ActionKind::Seize,
            PriceState::Volatile,
            false,
        )
    }

    /// The table with one cell set.
    #[must_use]
    pub fn with(mut self, action: ActionKind, state: PriceState, permitted: bool) -> Self {
        if let Some(cell) = self.cells.get_mut(action as usize).and_then(|row| row.get_mut(state as usize)) {
            *cell = permitted;
        }
        self
    }

    /// The table with one row set: permitted up to and including `worst`, in no state for `None`.
    #[must_use]
    pub fn with_up_to(self, action: ActionKind, worst: Option<PriceState>) -> Self {
        PriceState::ALL
            .into_iter()
            .fold(self, |table, state| table.with(action, state, worst.is_some_and(|worst| state <= worst)))
    }

    /// Whether `action` is permitted on a price in `state`.
    #[must_use]
    pub fn permits(&self, action: ActionKind, state: PriceState) -> bool {
        self.cells.get(action as usize).and_then(|row| row.get(state as usize)).copied().unwrap_or(false)
    }

    /// The cells that close a way out although there is a usable price: each breaks INV-35 and should be declared.
    #[must_use]
    pub fn closed_ways_out(&self) -> Vec<(ActionKind, PriceState)> {
        self.cells_where(|action, state| {
            action.is_way_out() && state < PriceState::Invalid && !self.permits(action, state)
        })
    }

    /// The cells that are permitted although a better state is not: each breaks INV-34 and should be declared.
    #[must_use]
    pub fn looser_when_worse(&self) -> Vec<(ActionKind, PriceState)> {
        self.cells_where(|action, state| {
            let better_is_closed =
                PriceState::ALL.into_iter().any(|better| better < state && !self.permits(action, better));
            self.permits(action, state) && better_is_closed
        })
    }

    fn cells_where(
        &self,
        mut chosen: impl FnMut(ActionKind, PriceState) -> bool,
    ) -> Vec<(ActionKind, PriceState)> {
        let all = ActionKind::ALL.into_iter().flat_map(|a| PriceState::ALL.into_iter().map(move |s| (a, s)));
        all.filter(|&(action, state)| chosen(action, state)).collect()
    }
}

/// A class of instruments that share a table, for example blue chips and long tail.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tier(pub u8);

/// A table per tier, and the tier of each instrument; an instrument without one, or with a tier without a table, has the
/// default table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermitTiers {
    default: PermitTable,
    tables: BTreeMap<Tier, PermitTable>,
    tiers: BTreeMap<Instrument, Tier>,
}

impl PermitTiers {
    /// Every instrument under one table.
    #[must_use]
    pub const fn new(default: PermitTable) -> Self {
        Self { default, tables: BTreeMap::new(), tiers: BTreeMap::new() }
    }

    /// With a table for a tier.
    #[must_use]
    pub fn with_table(mut self, tier: Tier, table: PermitTable) -> Self {
        self.tables.insert(tier, table);
        self
    }

    /// With an instrument put into a tier.
    #[must_use]
    pub fn with_instrument(mut self, instrument: Instrument, tier: Tier) -> Self {
        self.tiers.insert(instrument, tier);
        self
    }

    /// The table of an instrument.
    #[must_use]
    pub fn table(&self, instrument: Instrument) -> &PermitTable {
        self.tiers.get(&instrument).and_then(|tier| self.tables.get(tier)).unwrap_or(&self.default)
    }

    /// Whether `action` is permitted on a price of `instrument` in `state`.
    #[must_use]
    pub fn permits(&self, instrument: Instrument, action: ActionKind, state: PriceState) -> bool {
        self.table(instrument).permits(action, state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ActionKind::{Deposit, Liquidate, Open, Reduce, Repay, Seize, Withdraw};
    use PriceState::{Aged, Good, Invalid, Missing, Stale, Thin, Volatile, Wide};
    use cofferdam_core::MarketId;

    fn check(table: &PermitTable, action: ActionKind, want: &[PriceState]) {
        let got: Vec<_> = PriceState::ALL.into_iter().filter(|s| table.permits(action, *s)).collect();
        assert_eq!(got, want, "{action:?}");
    }

    #[test]
    fn the_tables() {
        let (standard, drift) = (PermitTable::standard(), PermitTable::drift());
        for action in [Deposit, Repay] {
            check(&standard, action, &PriceState::ALL);
        }
        for action in [Reduce, Liquidate, Seize] {
            check(&standard, action, &[Good, Aged, Thin, Wide, Volatile, Stale]);
        }
        for action in [Open, Withdraw, ActionKind::Borrow] {
            check(&standard, action, &[Good, Aged, Thin]);
        }
        check(&drift, Liquidate, &[Good, Aged, Thin, Wide, Stale]);
        check(&standard.with_up_to(Open, None), Open, &[]);
        check(&PermitTable::closed().with(Open, Missing, true), Open, &[Missing]);
    }

    #[test]
    fn what_a_table_breaks_it_names() {
        let (standard, drift) = (PermitTable::standard(), PermitTable::drift());
        assert!(standard.closed_ways_out().is_empty() && standard.looser_when_worse().is_empty());
        assert_eq!(drift.closed_ways_out(), [(Liquidate, Volatile), (Seize, Volatile)]);
        assert_eq!(drift.looser_when_worse(), [(Liquidate, Stale), (Seize, Stale)]);
        assert!(!standard.with(Reduce, Invalid, true).permits(Reduce, Missing));
    }

    #[test]
    fn rows_and_columns_follow_the_enums() {
        assert!(ActionKind::ALL.into_iter().enumerate().all(|(i, a)| a as usize == i));
        assert!(PriceState::ALL.into_iter().enumerate().all(|(i, s)| s as usize == i));
    }

    #[test]
    fn tiers() {
        let (major, tail) = (Instrument::Market(MarketId(1)), Instrument::Market(MarketId(2)));
        let strict = PermitTable::standard().with_up_to(Open, Some(Good));
        let tiers = PermitTiers::default().with_table(Tier(1), strict).with_instrument(tail, Tier(1));
        assert!(tiers.permits(major, Open, Thin) && !tiers.permits(tail, Open, Thin));
        assert!(tiers.with_instrument(major, Tier(9)).permits(major, Open, Thin));
    }
}
