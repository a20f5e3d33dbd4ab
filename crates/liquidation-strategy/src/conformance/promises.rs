//! What policies promise beyond the contract, each a law of its own.

use super::allocation::{covered, paid, run, size};
use super::{Law, Violation, broken, hold};
use crate::allocation::collect;
use crate::in_order::{take, with_size};
use crate::{LossAllocation, Measure, Need, Payer, Settlement};
use alloc::{collections::BTreeMap, format, vec::Vec};
use cofferdam_core::{Amount, GroupId, Lots, Ppb, Quanta, Rounding};

/// What a policy promises beyond the contract. What is not promised is not checked.
///
/// ```
/// use cofferdam_liquidation_strategy::conformance::Promises;
/// let queue = Promises { monotone: true, principal_untouched: true, only_holders: true, ..Promises::NONE };
/// assert!(!queue.order_preserving);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promises {
    /// A larger need never takes less from anyone.
    pub monotone: bool,
    /// Among payers whose room is their whole gain, who gained more keeps at least as much. Of deficits; closes are not measured in gain.
    pub order_preserving: bool,
    /// Every atom of a deficit that is paid is paid out of unrealised gain. (A close is at the need's price, whatever the policy: it
    /// gives up what the mark would have given.)
    pub principal_untouched: bool,
    /// Only holders of a position in the market pay: no supplier of a pool.
    pub only_holders: bool,
    /// Splitting an account with all it has in two halves changes what nobody pays by more than one unit for each payer.
    pub sybil_neutral: bool,
    /// The largest part of its base (gain, or lots) that one need takes from anyone, rounded down.
    pub capped: Option<Ppb>,
    /// A need met in two parts takes from everybody what it takes at once, up to one unit for each payer.
    pub path_independent: bool,
}

impl Promises {
    /// The contract, and no more.
    pub const NONE: Self = Self {
        monotone: false,
        order_preserving: false,
        principal_untouched: false,
        only_holders: false,
        sybil_neutral: false,
        capped: None,
        path_independent: false,
    };

    pub(super) fn check(
        self,
        policy: &dyn LossAllocation,
        need: &Need,
        payers: &[Payer],
        settled: &Settlement,
    ) -> Result<(), Violation> {
        if self.monotone {
            monotone(policy, need, payers, settled)?;
        }
        if self.order_preserving {
            order_preserving(payers, settled)?;
        }
        if self.principal_untouched {
            let principal =
                |m: &&Measure| matches!(m, Measure::WriteDown { .. } | Measure::ShiftFunding { .. });
            let found = settled.measures.iter().find(principal);
            hold(found.is_none(), Law::Principal, || format!("{found:?}"))?;
        }
        if self.only_holders {
            let found = settled.measures.iter().find(|m| matches!(m, Measure::WriteDown { .. }));
            hold(found.is_none(), Law::OnlyHolders, || format!("{found:?}"))?;
        }
        if self.sybil_neutral {
            sybil_neutral(policy, need, payers, settled)?;
        }
        if let Some(part) = self.capped {
            capped(part, need, payers, settled)?;
        }
        if self.path_independent {
            path_independent(policy, need, payers, settled)?;
        }
        Ok(())
    }
}

/// One unit for each payer: what rounding may move.
fn slack(payers: &[Payer]) -> i128 {
    i128::try_from(payers.len()).unwrap_or(i128::MAX).saturating_add(1)
}

fn close(a: i128, b: i128, payers: &[Payer]) -> bool {
    a.abs_diff(b) <= slack(payers).unsigned_abs()
}

/// Two halves of a payer, the second under another name; `None` where something does not halve.
fn halves(p: &Payer, other: GroupId) -> Option<[Payer; 2]> {
    let half = |x: i128| (x.wrapping_rem(2) == 0).then(|| x.wrapping_div(2)); // of two: neither traps nor wraps
    let lots = half(p.lots.get().into()).and_then(|x| i64::try_from(x).ok()).map(Lots::new)?;
    let amount = |a: Amount| half(a.get()).map(Amount::new);
    let quanta = |q: Quanta| half(q.get()).map(Quanta::new);
    let part = Payer {
        group: p.group,
        lots,
        gain: amount(p.gain)?,
        equity: amount(p.equity)?,
        notional: quanta(p.notional)?,
        cost: quanta(p.cost)?,
        room: amount(p.room)?,
        maintenance: amount(p.maintenance)?,
    };
    Some([part, Payer { group: other, ..part }])
}

fn sybil_neutral(
    policy: &dyn LossAllocation,
    need: &Need,
    payers: &[Payer],
    settled: &Settlement,
) -> Result<(), Violation> {
    let before = paid(settled)?;
    let last = payers.iter().map(|p| p.group.0).max().unwrap_or(0);
    let Some(other) = last.checked_add(1).map(GroupId) else { return Ok(()) };
    for (index, split) in payers.iter().enumerate() {
        let Some(parts) = halves(split, other) else { continue };
        let rest = payers.iter().enumerate().filter(|(i, _)| *i != index).map(|(_, p)| *p);
        let book: Vec<Payer> = rest.chain(parts).collect();
        let mut after = paid(&run(policy, need, &book)?)?;
        let of_other = after.remove(&other).unwrap_or(0);
        let own = after.entry(split.group).or_default();
        *own = own.saturating_add(of_other);
        for p in payers {
            let sum = |m: &BTreeMap<GroupId, i128>| m.get(&p.group).copied().unwrap_or(0);
            let (then, now) = (sum(&before), sum(&after));
            hold(close(then, now, payers), Law::SybilNeutral, || {
                format!("{:?} pays {now} instead of {then} once {:?} is split", p.group, split.group)
            })?;
        }
    }
    Ok(())
}

fn capped(part: Ppb, need: &Need, payers: &[Payer], settled: &Settlement) -> Result<(), Violation> {
    let sums = paid(settled)?;
    for p in payers {
        let base = if need.cause == crate::Cause::Deficit {
            p.gain.positive_part().get()
        } else {
            i128::from(p.lots.get()).abs()
        };
        let most = part.of_units(base, Rounding::Down).map_err(broken)?;
        let pays = sums.get(&p.group).copied().unwrap_or(0);
        hold(pays <= most, Law::Capped, || format!("{:?} pays {pays} of {base}, at most {most}", p.group))?;
    }
    Ok(())
}

/// A third of the need, then the rest from what the first part left of the payers.
fn path_independent(
    policy: &dyn LossAllocation,
    need: &Need,
    payers: &[Payer],
    settled: &Settlement,
) -> Result<(), Violation> {
    let whole = size(need);
    let first = whole.checked_div(3).unwrap_or(0);
    let one = run(policy, &with_size(need, first).map_err(broken)?, payers)?;
    let mut left = collect(&payers, |_| true);
    for measure in &one.measures {
        take(&mut left, measure).map_err(broken)?;
    }
    let done: i128 = one.measures.iter().map(covered).fold(0, i128::saturating_add);
    let rest = with_size(need, whole.saturating_sub(done)).map_err(broken)?;
    let two = run(policy, &rest, &left)?;
    let (mut sums, at_once) = (paid(&one)?, paid(settled)?);
    for (group, x) in paid(&two)? {
        let sum = sums.entry(group).or_default();
        *sum = sum.saturating_add(x);
    }
    for p in payers {
        let of = |m: &BTreeMap<GroupId, i128>| m.get(&p.group).copied().unwrap_or(0);
        let (now, then) = (of(&sums), of(&at_once));
        hold(close(now, then, payers), Law::PathIndependent, || {
            format!("{:?} pays {now} in two steps of {first} and the rest, and {then} at once", p.group)
        })?;
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
        // chosen lots are closed whole or not at all
        if matches!(need.cause, crate::Cause::PoolGain { .. }) {
            return Ok(());
        }
        let less = with_size(need, smaller).map_err(broken)?;
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
