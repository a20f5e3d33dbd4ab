//! Three breakers through a bad hour: what they still allow, minute by minute.
//!
//! `cargo run -p cofferdam-circuit-breaker --example a_bad_hour`

use cofferdam_circuit_breaker::*;
use cofferdam_core::*;

fn main() -> Result<(), BreakerError> {
    let (market, group) = (MarketId(1), GroupId(1));
    let recovery = Recovery { cooldown: Millis(300_000), expires: Millis(1_800_000) };
    let breakers: [Box<dyn CircuitBreaker>; 3] = [
        Box::new(PriceVelocity::new(PriceVelocityParams {
            market: None,
            bound: Ppb(100_000_000),
            window: Millis(300_000),
            recovery,
        })?),
        Box::new(LiquidationThrottle::new(LiquidationThrottleParams {
            coverage: Coverage::Each,
            budget: ThrottleBudget::Lots(Lots::new(1_000)),
            window: Millis(600_000),
        })?),
        Box::new(InsuranceDrawdown::new(InsuranceDrawdownParams { drawdown: None, recovery })?),
    ];
    let (lots, value) = (Lots::new(600), Quanta::new(600));
    let actions = [
        Action::Open { group, market, lots, notional: value },
        Action::Liquidate { group, market, lots, notional: value },
        Action::Withdraw { group, asset: AssetId(1), amount: Amount::new(600), value },
    ];
    let mark = |price| Observation::Mark { market, price: Ticks::new(price), state: PriceState::Good };
    let mut memory = MapMemory::default();
    for (minute, seen) in [
        (0, mark(1_000)),
        (1, mark(880)),
        (2, Observation::Done(Action::Liquidate { group, market, lots, notional: value })),
        (3, Observation::Deficit { value: Quanta::new(40) }),
        (9, Observation::Deficit { value: Quanta::ZERO }),
        (15, mark(890)),
    ] {
        let at = At { time: Millis(minute * 60_000), ..At::default() };
        print!("{minute:>3} min ");
        for (slot, breaker) in (1..).map(Slot).zip(&breakers) {
            memory.with(slot, |m| breaker.observe(at, &seen, m))?;
        }
        for action in &actions {
            let mut verdicts = Vec::new();
            for (slot, breaker) in (1..).map(Slot).zip(&breakers) {
                verdicts.push(memory.with(slot, |m| breaker.admit(at, action, m))?);
            }
            let allowed = join_all(verdicts).allowed(at.time).min(action.size());
            print!("  {:?} {allowed:>3}", action.kind());
        }
        println!();
    }
    Ok(())
}
