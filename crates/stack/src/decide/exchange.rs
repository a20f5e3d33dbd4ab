//! What a plan's exchange may move (INV-44). A strategy proposes postings; nothing of them is taken on trust: the subject loses
//! no more than it has and gains nothing but what fills a balance below zero or what those pay who take something of it, pools
//! get for what they give up, the house and insurance only receive, and others give no more than what goes to the subject, to a
//! pool or, for what they take of the subject, to insurance.

use super::clearing::{balance, position};
use super::{Step, StepError};
use crate::draft::Draft;
use cofferdam_core::{
    AssetId, GroupId, Holder, House, Item, Lots, MathError, PoolId, Posting, Quanta, RAY, World, wide,
};
use cofferdam_margin_engine::Account;
use std::collections::{BTreeMap, BTreeSet};

/// Postings of an exchange, summed up by whom they concern.
#[derive(Default)]
struct Sums {
    /// Of the subject: units and cost.
    own: BTreeMap<Item, (i128, i128)>,
    /// What other groups give, below zero.
    given: BTreeMap<AssetId, i128>,
    /// Who gives an asset, and who gets anything at all, among other groups.
    givers: BTreeMap<AssetId, BTreeSet<GroupId>>,
    takers: BTreeSet<GroupId>,
    /// What insurance gets.
    insured: BTreeMap<AssetId, i128>,
    /// What pools are paid, and the scaled units of debt that they give up.
    pools: BTreeMap<(PoolId, AssetId), (i128, i128)>,
}

/// Refuses an exchange that moves what is not the subject's to move. Whether who receives can bear it is asked elsewhere.
pub(super) fn check_move(draft: &Draft<'_>, group: GroupId, postings: &[Posting]) -> Step<()> {
    let sums = sum_up(group, postings)?;
    check_pools(draft, &sums)?;
    let filled = check_subject(&draft.account(group), &sums)?;
    for (asset, taken) in &sums.given {
        let to_pools = sums.pools.iter().filter(|((_, a), _)| a == asset).map(|(_, (paid, _))| *paid);
        // who takes something of the subject may owe insurance a part of its price
        let insured = sums.insured.get(asset).copied().filter(|_| paid_by_takers(&sums, *asset));
        let allowed = to_pools.chain(filled.get(asset).copied()).chain(insured).try_fold(0, add)?;
        if taken.unsigned_abs() > allowed.unsigned_abs() {
            return Err(StepError::Contract("a plan took more from a recipient than it moved"));
        }
    }
    Ok(())
}

fn add(a: i128, b: i128) -> Result<i128, MathError> {
    a.checked_add(b).ok_or(MathError::Overflow)
}

fn sum_up(group: GroupId, postings: &[Posting]) -> Step<Sums> {
    let mut sums = Sums::default();
    for p in postings {
        match (p.holder, p.item) {
            (_, Item::Share(_)) => return Err(StepError::Contract("a plan moved shares of a pool")),
            (Holder::Group(g), item) if g == group => {
                let (units, cost) = sums.own.entry(item).or_default();
                (*units, *cost) = (add(*units, p.units)?, add(*cost, p.cost.get())?);
            }
            (Holder::Group(g), Item::Asset(a)) if p.units < 0 => {
                let sum = sums.given.entry(a).or_default();
                *sum = add(*sum, p.units)?;
                sums.givers.entry(a).or_default().insert(g);
            }
            (Holder::Group(g), _) => {
                sums.takers.insert(g);
            }
            (Holder::House(House::Fees | House::Dust), Item::Asset(_)) if p.units >= 0 => {}
            (Holder::Layer(_), Item::Asset(a)) if p.units >= 0 => {
                let insured = sums.insured.entry(a).or_default();
                *insured = add(*insured, p.units)?;
            }
            (Holder::Pool(pool), Item::Asset(a)) if p.units >= 0 => {
                let paid = &mut sums.pools.entry((pool, a)).or_default().0;
                *paid = add(*paid, p.units)?;
            }
            (Holder::Pool(pool), Item::Debt(a)) if p.units >= 0 => {
                let cleared = &mut sums.pools.entry((pool, a)).or_default().1;
                *cleared = add(*cleared, p.units)?;
            }
            _ => return Err(StepError::Contract("a plan took from somebody who is not its subject")),
        }
    }
    Ok(sums)
}

/// A pool is paid at least what the units it gives up are worth: scaled x index / 1e27, down, as a partial repayment clears
/// no more than it pays.
fn check_pools(draft: &Draft<'_>, sums: &Sums) -> Step<()> {
    for ((_, asset), (paid, cleared)) in &sums.pools {
        let index = draft.asset(*asset).map_or(RAY, |a| a.debt_index.get());
        let worth = wide::mul_div_unsigned(cleared.unsigned_abs(), index, RAY, false)?;
        if worth > paid.unsigned_abs() {
            return Err(StepError::Contract("a plan cleared more of a debt than it paid the pool"));
        }
    }
    Ok(())
}

/// Everything of the subject moves towards zero and not past it, but for what it is paid. Answers what it gained.
fn check_subject(account: &Account, sums: &Sums) -> Step<BTreeMap<AssetId, i128>> {
    let mut filled = BTreeMap::new();
    for (item, (units, cost)) in &sums.own {
        let within = match item {
            Item::Position(m) => closes_part(position(account, *m), *units, *cost)?,
            Item::Asset(a) => {
                let have = balance(account, *a);
                if *units > 0 {
                    filled.insert(*a, *units);
                }
                let paid = *units > 0 && paid_by_takers(sums, *a);
                paid || towards_zero(have, add(have, *units)?)
            }
            Item::Debt(_) => *units <= 0, // the account itself refuses to go below zero
            Item::Share(_) => false,
        };
        if !within {
            return Err(StepError::Contract("a plan moved more than its subject has"));
        }
    }
    Ok(filled)
}

/// Whether everybody who gives an asset gets something else in the same exchange.
fn paid_by_takers(sums: &Sums, asset: AssetId) -> bool {
    sums.givers.get(&asset).is_some_and(|givers| givers.is_subset(&sums.takers))
}

fn towards_zero(before: i128, after: i128) -> bool {
    (after == 0 || after.signum() == before.signum()) && after.unsigned_abs() <= before.unsigned_abs()
}

/// Lots go with cost and cost with lots; nothing stays of a position that is gone.
fn closes_part((held, cost): (Lots, Quanta), units: i128, moved: i128) -> Step<bool> {
    let (lots, kept) = (add(held.get().into(), units)?, add(cost.get(), moved)?);
    Ok(towards_zero(held.get().into(), lots) && (units != 0 || moved == 0) && (lots != 0 || kept == 0))
}
