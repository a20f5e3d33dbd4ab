//! The laws of loss allocation.

use super::{Law, Promises, Violation, broken, hold};
use crate::{Cause, LossAllocation, Measure, Need, Payer, Settlement};
use alloc::{collections::BTreeMap, format, vec::Vec};
use cofferdam_core::{At, GroupId, MapMemory, MathError, Slot};

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
    promises.check(policy, need, payers, &settled)?;
    Ok(settled)
}

pub(super) fn run(
    policy: &dyn LossAllocation,
    need: &Need,
    payers: &[Payer],
) -> Result<Settlement, Violation> {
    MapMemory::default().with(Slot(1), |m| policy.allocate(At::default(), need, &payers, m)).map_err(broken)
}

pub(super) fn size(need: &Need) -> i128 {
    match need.cause {
        Cause::Deficit => need.amount.get(),
        Cause::CloseOut { lots, .. } | Cause::PoolGain { lots, .. } => i128::from(lots.get()).abs(),
    }
}

pub(super) fn covered(measure: &Measure) -> i128 {
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
pub(super) fn paid(settled: &Settlement) -> Result<BTreeMap<GroupId, i128>, Violation> {
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
