//! What a group holds, seen at one moment: funding and interest accrued to now.

use crate::{Account, Balance, Debt, MarginError, Position};
use alloc::vec::Vec;
use cofferdam_core::{
    Amount, BalanceView, DebtView, FundingIndex, GroupId, GroupView, Index, Lots, MathError, PositionView,
    Quanta, RAY, Rounding, Scaled, World, wide,
};

/// 2^32: funding indexes are quanta x 2^-32 per lot.
const FUNDING_ONE: i128 = 1 << 32;

/// Funding owed by the holder since the snapshot, in quanta of the settlement asset:
/// ceil(lots x (index - snapshot) / 2^32). Rounded up, against the holder, long or short.
pub fn pending_funding(lots: Lots, index: FundingIndex, snapshot: FundingIndex) -> Result<Quanta, MathError> {
    let moved = index.try_sub(snapshot)?;
    if moved.is_zero() {
        return Ok(Quanta::ZERO);
    }
    let product = i128::from(lots.get()).checked_mul(moved.get());
    if let Some(up) = product.and_then(|p| p.checked_add(FUNDING_ONE.wrapping_sub(1))) {
        return Ok(Quanta::new(up >> 32)); // rounds down, so the sum rounds up
    }
    wide::mul_div(i128::from(lots.get()), moved.get(), FUNDING_ONE, Rounding::Up).map(Quanta::new)
}

/// A debt with its interest, in atoms: ceil(scaled x index / 1e27). Rounded up, against the debtor.
pub fn owed(scaled: Scaled, index: Index) -> Result<Amount, MathError> {
    let atoms = wide::mul_div_unsigned(scaled.get(), index.get(), RAY, true)?;
    i128::try_from(atoms).map_err(|_| MathError::Overflow).and_then(|a| Amount::new(a).try_add(Amount::ZERO))
}

/// Buffers for the views of one group, reused from group to group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holdings {
    positions: Vec<PositionView>,
    balances: Vec<BalanceView>,
    debts: Vec<DebtView>,
}

impl Holdings {
    /// Empty buffers.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What was filled in last, as the view of group `id`.
    #[must_use]
    pub fn group(&self, id: GroupId) -> GroupView<'_> {
        GroupView { id, positions: &self.positions, balances: &self.balances, debts: &self.debts }
    }

    pub(crate) fn fill(
        &mut self,
        world: &dyn World,
        positions: impl Iterator<Item = Position>,
        balances: impl Iterator<Item = Balance>,
        debts: impl Iterator<Item = Debt>,
    ) -> Result<(), MarginError> {
        self.positions.clear();
        self.balances.clear();
        self.debts.clear();
        for p in positions {
            let index = world.market(p.market).ok_or(MarginError::UnknownMarket(p.market))?.funding;
            let funding = pending_funding(p.lots, index, p.snapshot)?;
            self.positions.push(PositionView { market: p.market, lots: p.lots, cost: p.cost, funding });
        }
        self.balances.extend(balances.map(|b| BalanceView { asset: b.asset, amount: b.amount }));
        for d in debts {
            let index = world.asset(d.asset).ok_or(MarginError::UnknownAsset(d.asset))?.debt_index;
            self.debts.push(DebtView { asset: d.asset, scaled: d.scaled, owed: owed(d.scaled, index)? });
        }
        Ok(())
    }
}

impl Account {
    /// What the account holds in `world`: funding and interest to now. The buffers' old content is dropped.
    pub fn view(&self, world: &dyn World, into: &mut Holdings) -> Result<(), MarginError> {
        into.fill(
            world,
            self.positions.iter().copied(),
            self.balances.iter().copied(),
            self.debts.iter().copied(),
        )
    }
}
