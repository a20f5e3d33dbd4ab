//! The laws of a liquidation strategy.

use super::{Bench, Law, Violation, broken, hold};
use crate::close::{effect, worse};
use crate::{Bid, LiquidationStrategy, Plan, Refusal, Step};
use alloc::{collections::BTreeMap, format};
use cofferdam_core::{Amount, Holder, Item, Level, Lots, MathError, Posting, check_balanced};

/// Runs a strategy without memory on the bench and checks the contract; its answer if all of it holds.
pub fn check_strategy(
    bench: &Bench,
    strategy: &dyn LiquidationStrategy,
    bid: &Bid,
) -> Result<Result<Plan, Refusal>, Violation> {
    let answer = bench.plan(strategy, bid).map_err(broken)?;
    let healthy = !bench.health().map_err(broken)?.below(Level::Maintenance);
    let Ok(plan) = &answer else { return Ok(answer) };
    hold(!healthy, Law::OnlyUnhealthy, || format!("{plan:?}"))?;
    let now = bench.at.time;
    let progress = !plan.steps.is_empty() || plan.again.is_some_and(|t| t > now);
    hold(progress, Law::Progress, || format!("{plan:?}"))?;
    there(bench, plan)?;
    let postings = bench.case(|c| effect(c, &plan.steps)).map_err(broken)?;
    let mut after = bench.clone();
    after.apply(&postings).map_err(broken)?;
    let (before, after) = (bench.health().map_err(broken)?, after.health().map_err(broken)?);
    let said = plan.worsens || !worse(&before, &after);
    hold(plan.steps.is_empty() || said, Law::SaysWorsens, || format!("{before:?} to {after:?}"))?;
    Ok(answer)
}

/// Whether an asset that the account gains is paid by those who get something else in the same exchange.
fn is_payment(bench: &Bench, postings: &[Posting], gain: &Posting) -> bool {
    let other = |p: &&Posting| p.holder != Holder::Group(bench.group) && matches!(p.holder, Holder::Group(_));
    let gets = |holder| postings.iter().any(|p| p.holder == holder && p.units > 0);
    let mut givers = postings.iter().filter(other).filter(|p| p.item == gain.item && p.units < 0).peekable();
    let gains = gain.units > 0 && matches!(gain.item, Item::Asset(_));
    gains && givers.peek().is_some() && givers.all(|p| gets(p.holder))
}

/// Lots and atoms taken from the account, against what it has and what is allowed.
fn there(bench: &Bench, plan: &Plan) -> Result<(), Violation> {
    let mut taken: BTreeMap<Item, i128> = BTreeMap::new();
    let mut take = |item, units: i128| -> Result<(), Violation> {
        let sum = taken.entry(item).or_default();
        *sum = sum.checked_add(units).ok_or_else(|| broken(MathError::Overflow))?;
        Ok(())
    };
    for step in &plan.steps {
        match step {
            Step::Order { market, lots, .. }
            | Step::Trade { market, lots, .. }
            | Step::Take { market, lots, .. }
            | Step::Deleverage { market, lots, .. } => take(Item::Position(*market), lots.get().into())?,
            Step::Move(postings) => {
                check_balanced(postings)
                    .map_err(|e| Violation { law: Law::Balanced, detail: format!("{e}") })?;
                let own = postings.iter().filter(|p| p.holder == Holder::Group(bench.group));
                for p in own.filter(|p| !is_payment(bench, postings, p)) {
                    take(p.item, p.units)?;
                }
            }
            Step::Auction { asset, lot, debt, scaled }
            | Step::Offset { asset, amount: lot, debt, scaled, .. }
            | Step::Redistribute { asset, amount: lot, debt, scaled } => {
                take(Item::Asset(*asset), lot.get().saturating_neg())?;
                take(Item::Debt(*debt), i128::try_from(scaled.get()).map_err(broken)?.saturating_neg())?;
            }
            Step::Stake { .. } => {} // the keeper's own money
            Step::Bands(_) => {}     // what they hold is held to the balances by the stack
            Step::Cover { asset, amount } => take(Item::Asset(*asset), amount.get())?,
            // on top of what the moves before it cleared, in atoms at the index of the bench
            Step::Loss { asset, amount, .. } => {
                let owed = bench.debts.iter().find(|d| d.asset == *asset).map_or(Amount::ZERO, |d| d.owed);
                let cash = bench.balances.iter().find(|b| b.asset == *asset).map_or(0, |b| b.amount.get());
                let most = owed.get().checked_add(cash.min(0).abs()).unwrap_or(i128::MAX);
                hold(amount.get() <= most, Law::NoMoreThanThere, || format!("{step:?} of {most}"))?;
            }
        }
    }
    let (mut lots, mut assets) = (0_u128, 0_u128);
    for (item, units) in taken {
        let held: i128 = match item {
            Item::Position(id) => {
                bench.positions.iter().find(|p| p.market == id).map_or(Lots::ZERO, |p| p.lots).get().into()
            }
            Item::Asset(id) => {
                bench.balances.iter().find(|b| b.asset == id).map_or(Amount::ZERO, |b| b.amount).get()
            }
            Item::Debt(id) => {
                let scaled = bench.debts.iter().find(|d| d.asset == id).map_or(0, |d| d.scaled.get());
                i128::try_from(scaled).map_err(broken)?
            }
            Item::Share(_) => 0,
        };
        let against = units == 0 || units.signum() != held.signum();
        let fits = against && units.unsigned_abs() <= held.unsigned_abs();
        hold(fits, Law::NoMoreThanThere, || format!("{units} of {held} in {item:?}"))?;
        let sum = if matches!(item, Item::Position(_)) { &mut lots } else { &mut assets };
        let seized = matches!(item, Item::Position(_)) || (matches!(item, Item::Asset(_)) && units < 0);
        let size = if seized { units.unsigned_abs() } else { 0 };
        *sum = sum.checked_add(size).ok_or_else(|| broken(MathError::Overflow))?;
    }
    let allowed = bench.allowed.allowed(bench.at.time);
    // a plan that touches lots is limited in lots, one that only seizes assets in atoms
    let used = if lots > 0 { lots } else { assets };
    hold(used <= allowed, Law::NoMoreThanThere, || format!("{used} where {allowed} is allowed"))
}
