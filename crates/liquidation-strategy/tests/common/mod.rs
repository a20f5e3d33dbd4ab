//! Needs and payers for the tests of allocation.
#![allow(dead_code)] // each test file uses some

use cofferdam_core::{Amount, AssetId, At, GroupId, Lots, MapMemory, MarketId, Quanta, Slot, Ticks};
use cofferdam_liquidation_strategy::*;

pub(crate) fn deficit(amount: i128) -> Need {
    Need { cause: Cause::Deficit, market: Some(MarketId(0)), asset: AssetId(0), amount: Amount::new(amount) }
}

pub(crate) fn close_out(lots: i64) -> Need {
    let cause = Cause::CloseOut { of: GroupId(0), lots: Lots::new(lots), price: Ticks::new(97) };
    Need { cause, market: Some(MarketId(0)), asset: AssetId(0), amount: Amount::ZERO }
}

pub(crate) fn payer(
    group: u32,
    lots: i64,
    gain: i128,
    room: i128,
    equity: i128,
    notional: i128,
    cost: i128,
) -> Payer {
    Payer {
        group: GroupId(group),
        lots: Lots::new(lots),
        gain: Amount::new(gain),
        equity: Amount::new(equity),
        notional: Quanta::new(notional),
        cost: Quanta::new(cost),
        room: Amount::new(room),
        maintenance: Amount::new(notional / 20 + i128::from(group % 7) * equity / 50),
    }
}

pub(crate) fn allocate(policy: &dyn LossAllocation, need: &Need, payers: &[Payer]) -> Settlement {
    MapMemory::default().with(Slot(1), |m| policy.allocate(At::default(), need, &payers, m)).unwrap()
}

pub(crate) fn haircuts(s: &Settlement) -> Vec<(u32, i128)> {
    let pick = |m: &Measure| match m {
        Measure::Haircut { payer, amount } => Some((payer.0, amount.get())),
        _ => None,
    };
    s.measures.iter().filter_map(pick).collect()
}

pub(crate) fn closes(s: &Settlement) -> Vec<(u32, i64)> {
    let pick = |m: &Measure| match m {
        Measure::Close { payer, lots, .. } => Some((payer.0, lots.get())),
        _ => None,
    };
    s.measures.iter().filter_map(pick).collect()
}
