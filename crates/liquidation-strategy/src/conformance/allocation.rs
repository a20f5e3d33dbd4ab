//! The laws of loss allocation.

use super::{Law, Violation, broken, hold};
use crate::{Cause, LossAllocation, Measure, Need, Payer, Settlement};
use alloc::{collections::BTreeMap, format, vec::Vec};
use cofferdam_core::{Amount, At, GroupId, Lots, MapMemory, MathError, Slot};

/// What a policy promises beyond the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promises {
    /// A larger need never takes less from anyone.
    pub monotone: bool,
    /// Among payers whose room is their whole gain, who gained more keeps at least as much.
    pub order_preserving: bool,
}

/// Runs a policy on a need and checks the contract and its promises; the settlement if all of them hold.
pub fn check_allocation(
    policy: &dyn LossAllocation,
    need: &Need,
    payers: &[Payer],
    promises: Promises,
) -> Result<Settlement, Violation> {
    let settled = run(policy, need, payers)?;
    exact(need, &settled)?;
    base(need, payers, &settled)?;
    let reversed: Vec<Payer> = payers.iter().rev().copied().collect();
    let other = run(policy, need, &reversed)?;
    hold(other == settled, Law::Insertion, || format!("reversed payers: {other:?} instead of {settled:?}"))?;
    if promises.monotone {
        monotone(policy, need, payers, &settled)?;
    }
    if promises.order_preserving {
        order_preserving(payers, &settled)?;
    }
    Ok(settled)
}

fn run(policy: &dyn LossAllocation, need: &Need, payers: &[Payer]) -> Result<Settlement, Violation> {
    MapMemory::default().with(Slot(1), |m| policy.allocate(At::default(), need, &payers, m)).map_err(broken)
}

fn size(need: &Need) -> i128 {
    match need.cause {
        Cause::Deficit => need.amount.get(),
        Cause::CloseOut { lots, .. } | Cause::PoolGain { lots, .. } => i128::from(lots.get()).abs(),
    }
}

fn covered(measure: &Measure) -> i128 {
    match measure {
        Measure::Close { lots, .. } => i128::from(lots.get()).abs(),
        Measure::Haircut { amount, .. }
        | Measure::WriteDown { amount, .. }
        | Measure::ShiftFunding { amount }
        | Measure::Carry { amount } => amount.get(),
    }
}

fn exact(need: &Need, settled: &Settlement) -> Result<(), Violation> {
    let mut sum = settled.residual;
    for m in &settled.measures {
        let closes = matches!(m, Measure::Close { .. });
        hold(closes != (need.cause == Cause::Deficit), Law::Exact, || {
            format!("{m:?} does not cover {need:?}")
        })?;
        hold(covered(m) > 0, Law::Exact, || format!("{m:?} covers nothing"))?;
        sum = sum.checked_add(covered(m)).ok_or_else(|| broken(MathError::Overflow))?;
    }
    let fits = settled.residual >= 0 && sum == size(need);
    hold(fits, Law::Exact, || format!("covered and residual are {sum}, the need is {}", size(need)))
}

/// What each payer pays: atoms or lots.
fn paid(settled: &Settlement) -> Result<BTreeMap<GroupId, i128>, Violation> {
    let mut sums = BTreeMap::new();
    for m in &settled.measures {
        if let Measure::Close { payer, .. } | Measure::Haircut { payer, .. } = m {
            let sum: &mut i128 = sums.entry(*payer).or_default();
            *sum = sum.checked_add(covered(m)).ok_or_else(|| broken(MathError::Overflow))?;
        }
    }
    Ok(sums)
}

fn base(need: &Need, payers: &[Payer], settled: &Settlement) -> Result<(), Violation> {
    for m in &settled.measures {
        let ok = match (m, need.cause) {
            (
                Measure::Close { payer, market, lots, price },
                Cause::CloseOut { of, lots: size, price: at },
            ) => {
                payers.iter().any(|p| p.group == *payer && p.lots.signum() == lots.signum().wrapping_neg())
                    && *payer != of
                    && lots.signum() == size.signum()
                    && (Some(*market), *price) == (need.market, at)
            }
            (
                Measure::Close { payer, market, lots, price },
                Cause::PoolGain { of, lots: held, price: at, .. },
            ) => {
                *payer == of
                    && lots.signum() == held.signum().wrapping_neg()
                    && (Some(*market), *price) == (need.market, at)
            }
            (Measure::Haircut { payer, .. }, _) => payers.iter().any(|p| p.group == *payer),
            (Measure::ShiftFunding { .. }, _) => need.market.is_some(),
            _ => true,
        };
        hold(ok, Law::OnlyPayers, || format!("{m:?} for {need:?}"))?;
    }
    let sums = paid(settled)?;
    for p in payers {
        let most = match need.cause {
            Cause::Deficit => p.gain.min(p.room).positive_part().get(),
            Cause::CloseOut { .. } | Cause::PoolGain { .. } => i128::from(p.lots.get()).abs(),
        };
        let pays = sums.get(&p.group).copied().unwrap_or(0);
        hold(pays <= most, Law::Base, || format!("{:?} pays {pays} of {most}", p.group))?;
    }
    Ok(())
}

fn monotone(
    policy: &dyn LossAllocation,
    need: &Need,
    payers: &[Payer],
    settled: &Settlement,
) -> Result<(), Violation> {
    let more = paid(settled)?;
    let whole = size(need);
    for smaller in [whole.saturating_sub(1).max(0), whole.checked_div(2).unwrap_or(0)] {
        let less = match need.cause {
            Cause::Deficit => Need { amount: Amount::new(smaller), ..*need },
            Cause::CloseOut { of, lots, price } => {
                let size = i64::try_from(smaller).map_err(broken)?;
                let lots = Lots::new(if lots.is_negative() { size.wrapping_neg() } else { size });
                Need { cause: Cause::CloseOut { of, lots, price }, ..*need }
            }
            // chosen lots are closed whole or not at all
            Cause::PoolGain { .. } => return Ok(()),
        };
        for (group, pays) in paid(&run(policy, &less, payers)?)? {
            let then = more.get(&group).copied().unwrap_or(0);
            hold(pays <= then, Law::Monotone, || {
                format!("{group:?} pays {pays} of a need of {smaller} and {then} of {whole}")
            })?;
        }
    }
    Ok(())
}

fn order_preserving(payers: &[Payer], settled: &Settlement) -> Result<(), Violation> {
    let sums = paid(settled)?;
    let mut kept = Vec::new();
    for p in payers.iter().filter(|p| p.gain.get() > 0 && p.room >= p.gain) {
        let pays = sums.get(&p.group).copied().unwrap_or(0);
        let keeps = p.gain.try_sub(Amount::new(pays)).map_err(broken)?;
        kept.push((p.gain, keeps, p.group));
    }
    kept.sort();
    // the most kept by any smaller gain
    let mut most: Option<(Amount, Amount, GroupId)> = None;
    for group in kept.chunk_by(|a, b| a.0 == b.0) {
        for (gain, keeps, id) in group {
            let ok = most.is_none_or(|(_, best, _)| best <= *keeps);
            hold(ok, Law::OrderPreserving, || {
                format!("{id:?} gained {gain} and keeps {keeps}, less than {most:?}")
            })?;
        }
        let best = group.iter().copied().max_by_key(|g| g.1);
        most = match (most, best) {
            (Some(a), Some(b)) => Some(if b.1 > a.1 { b } else { a }),
            (a, b) => a.or(b),
        };
    }
    Ok(())
}
