//! A strategy of one's own, tried in a stack: a quarter of the position at a time, at any price. The bench sends what the
//! world does; after every input everything must still sum to zero, and the facts alone must lead to the same state.
//!
//! `cargo run -p cofferdam-testkit --example try_your_strategy`

use cofferdam_core::{Case, Level, Lots, Memory, Millis, Ticks};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, LiquidationStrategy, Penalty, Plan, Refusal, Step,
};
use cofferdam_stack::Parts;
use cofferdam_testkit::{Bench, compose, conservation};

#[derive(Debug)]
struct Quarters;

impl LiquidationStrategy for Quarters {
    fn plan(
        &self,
        case: &Case<'_>,
        _: &Bid,
        _: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        if !case.health.below(Level::Maintenance) {
            return Ok(Err(Refusal::Healthy));
        }
        let Some(p) = case.group.positions.first() else { return Ok(Err(Refusal::Nothing)) };
        let quarter = (p.lots.get() / 4).abs().max(1);
        let lots = Lots::new(-p.lots.get().signum() * quarter);
        let limit = if lots.is_negative() { Ticks::ONE } else { Ticks::new(Ticks::LIMIT) };
        let expires = case.at.time.try_add(Millis(60_000))?;
        let order = Step::Order { market: p.market, lots, limit, penalty: Penalty::default(), expires };
        Ok(Ok(Plan { steps: vec![order], again: None, worsens: false }))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut bench = Bench::new(Parts { liquidation: Box::new(Quarters), ..compose::perpetual() })?;
    bench.mark(0, 100_000);
    for (group, atoms) in [(1, 400_000), (2, 5_000_000), (40, 1 << 40)] {
        bench.deposit(group, atoms);
    }
    bench.trade(1, 2, 0, 1_000, 100_000);
    for price in [97_000, 94_500, 93_000, 92_000] {
        bench.mark(0, price);
        while let Some(order) = bench.orders().first().copied() {
            println!("at {price}: {} lots", order.lots);
            bench.fill_all(price);
        }
        conservation::check(bench.state())?;
    }
    println!("{} of 1000 lots are left, {} atoms of cash", bench.lots(1, 0), bench.balance(1, compose::USDC));
    bench.replay()?;
    Ok(())
}
