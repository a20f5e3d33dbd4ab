//! The month of January 2021 through the lending stack, once per variant: `cargo run --release --example lending`.

use cofferdam_market_sim::data::{LoadOptions, load_minutes};
use cofferdam_market_sim::lending::{LendingOutcome, LendingScenario, run_lending, steepest_fall, variants};
use cofferdam_stack::StackConfig;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/eth-january-2021");
    let data = format!("{folder}/data/data_unified_0_ethusdt.csv");
    let minutes = load_minutes(data.as_ref(), &LoadOptions::default())?;
    let config = StackConfig::load(format!("{folder}/stacks/lending.toml"))?;
    println!("steepest half hour: {:?}", steepest_fall(&minutes, 1_800_000));
    for variant in variants(&LendingScenario::default(), &minutes) {
        let outcome = run_lending(&minutes, config.build()?.stack, &variant.scenario, &mut ())?;
        println!("\n{}: {}", variant.name, variant.what);
        print(&outcome);
    }
    Ok(())
}

fn print(o: &LendingOutcome) {
    let t = &o.totals;
    let usdc = |atoms: i128| format!("{:.0}", atoms as f64 / 1e6);
    let rows: [(&str, String); 17] = [
        ("loans opened, refused, raised", format!("{}, {}, {}", t.opened, t.refused, t.followed)),
        ("lent, supplied", format!("{}, {}", usdc(t.borrowed), usdc(t.supplied))),
        (
            "liquidations, full ones, borrowers",
            format!("{}, {}, {}", t.liquidations, t.full, o.borrowers_liquidated),
        ),
        ("repaid", usdc(t.repaid)),
        ("seized", usdc(t.seized_value)),
        ("bonus of keepers", usdc(t.bonus)),
        ("fees of the house", usdc(t.fees_value)),
        ("left for keepers after impact and gas", usdc(t.proceeds - t.repaid - t.gas)),
        ("bad debt", usdc(t.bad_debt)),
        ("of it insured, written down", format!("{}, {}", usdc(t.insured), usdc(t.written_down))),
        ("interest", usdc(t.interest)),
        ("worth of a share, start = 1", format!("{:.6}", o.pool_end.growth_since(&o.pool_start))),
        ("highest utilisation", format!("{:.4}", o.utilisation_max)),
        ("deepest impact of keepers", format!("{:.4}", o.impact_max)),
        (
            "left: borrowers, owed, under water",
            format!("{}, {}, {}", o.borrowers_left, usdc(o.owed_left), usdc(o.under_water)),
        ),
        (
            "inputs, steps, refused by breakers, alarms",
            format!(
                "{}, {}, {}, {}",
                o.counts.inputs, o.counts.steps, o.counts.refused_by_breaker, o.counts.alarms
            ),
        ),
        ("state", o.state_hash.clone()),
    ];
    for (name, value) in rows {
        println!("  {name:44} {value}");
    }
    println!(
        "  minutes of unwanted bids {}, postings checked {}, books checked {}, trips {:?}",
        o.unwanted_minutes_max, o.postings_checked, o.books_checked, o.counts.trips
    );
}
