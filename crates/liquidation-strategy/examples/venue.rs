//! A perpetual venue's way down: slices while the account is merely short of margin, everything at the bankruptcy price
//! when it is deep, the backstop vault after that, and the winners of the other side when nothing else is left.
//!
//! `cargo run -p cofferdam-liquidation-strategy --example venue`

use cofferdam_core::{
    Amount, AssetId, At, GroupId, Level, Lots, MapMemory, MarketId, Millis, Ppb, Quanta, Slot, Ticks,
};
use cofferdam_liquidation_strategy::{conformance::Bench, *};

fn tiers() -> Result<Tiers, LiquidationError> {
    let penalty = Penalty::new(Ppb(5_000_000), Ppb::ONE, Ppb::ZERO)?; // 0.5 %, all to insurance
    let pace = Pace {
        slice: Ppb(200_000_000),
        slice_min: Quanta::ZERO,
        interval: Millis(30_000),
        slices: 1,
        small: Quanta::new(500),
        all_below: None,
        forget: Millis(300_000),
    };
    let gentle = OrderTerms::new(LimitPrice::Band(Ppb(50_000_000)), penalty, Millis(2_000))?;
    let firm = OrderTerms::new(LimitPrice::Bankruptcy, penalty, Millis(2_000))?;
    let deep = Bound::Ratio { level: Level::Maintenance, share: Ppb(850_000_000) };
    Tiers::new(vec![
        (Bound::Below(Level::Maintenance), Box::new(Gradual::new(gentle, pace)?)),
        (deep, Box::new(FullClose::new(firm))),
        (Bound::Below(Level::Backstop), Box::new(Takeover::new(GroupId(9), Level::Backstop, Millis(2_000))?)),
        (Bound::Insolvent, Box::new(Deleverage::new(DeleveragePrice::Bankruptcy, Millis(2_000))?)),
    ])
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let tiers = tiers()?;
    for cash in [60, 45, 40, 20, -20] {
        let bench = Bench::perpetual(cash).with_position(MarketId(0), 10, 1_000);
        match bench.plan(&tiers, &Bid::ENGINE)? {
            Ok(plan) => println!("equity {cash:>4} of 1000: {:?}", plan.steps),
            Err(no) => println!("equity {cash:>4} of 1000: {no:?}"),
        }
    }

    // ten lots that nobody took, at the bankruptcy price of the last account
    let payer = |group, lots, gain| Payer {
        group: GroupId(group),
        lots: Lots::new(lots),
        gain: Amount::new(gain),
        equity: Amount::new(200),
        notional: Quanta::new(1_000),
        cost: Quanta::new(-1_000),
        room: Amount::new(gain),
        maintenance: Amount::new(50),
    };
    let payers = [payer(1, -6, 90), payer(2, -12, 40), payer(3, -4, -10)];
    let cause = Cause::CloseOut { of: GroupId(7), lots: Lots::new(10), price: Ticks::new(102) };
    let need = Need { cause, market: Some(MarketId(0)), asset: AssetId(0), amount: Amount::ZERO };
    let policies: [&dyn LossAllocation; 2] = [&QueueAllocation::new(true), &ProRataAllocation];
    for policy in policies {
        let settled = MapMemory::default()
            .with(Slot(1), |m| policy.allocate(At::default(), &need, &payers.as_slice(), m))?;
        println!("{policy:?}: {:?}, {} lots left", settled.measures, settled.residual);
    }
    Ok(())
}
