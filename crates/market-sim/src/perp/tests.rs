//! Accounts before a breaker that allows less than they ask for.

use super::*;
use crate::depth::Linear;
use crate::implied::{Class, Side};
use cofferdam_stack::StackConfig;

/// One market, an open interest of at most 10 ETH, and 1,000 USDT an hour that may leave.
const STACK: &str = r#"
[stack]
name = "capped"
quantum = "0.000001"

[[assets]]
name = "USDT"
decimals = 6
numeraire = true

[[markets]]
name = "ETH-PERP"
settlement = "USDT"
lot = "0.001"
tick = "0.001"
multiplier = "1"

[[prices]]
market = "ETH-PERP"
role = "mark"
policy = { kind = "cofferdam/latest@1" }

[margin]
kind = "cofferdam/cross-margin@1"
assets = [{ asset = "USDT" }]
markets = [{ market = "ETH-PERP", requirement = { kind = "cofferdam/flat@1", maintenance = "0.01", initial = "0.02" } }]

[liquidation]
kind = "cofferdam/full-close@1"
limit = "any"
penalty = { rate = "0.005", to_insurance = "1" }
ttl_ms = 3600000

[[insurance.layers]]
name = "fund"
contribution = "1"
escrow = "500000"
terms = { kind = "cofferdam/fund@1" }

[allocation]
kind = "cofferdam/queue@1"

[[breakers]]
name = "open-interest-cap"
kind = "cofferdam/open-interest-cap@1"
market = "ETH-PERP"
cap = "10"
reopen = "9"

[[breakers]]
name = "withdrawal-rate-limit"
kind = "cofferdam/withdrawal-rate-limit@1"
baseline = "1000"
period_ms = 3600000

[event]
opens_at = "1000000"
window_ms = 60000
quiet_ms = 3600000
"#;

/// Longs of so many ETH with so much USDT, opened in so many minutes, all at 1,000.
fn run_of(accounts: &[(usize, i64, i128)]) -> Run {
    let n = 8;
    let mid = vec![1_000_000; n];
    let minutes = Minutes {
        time_ms: (0..n as u64).map(|i| 1_610_000_000_000 + i * 60_000).collect(),
        bid: mid.clone(),
        ask: mid.clone(),
        mid,
        long: vec![0; n],
        short: vec![0; n],
        ..Minutes::default()
    };
    let openings: Vec<Opening> = accounts
        .iter()
        .map(|&(opened, eth, usd)| Opening {
            side: Side::Long,
            opened,
            lots: eth * 1_000,
            entry: 1_000_000,
            collateral: usd * 1_000_000,
            end: End::Held,
            class: Class::LowLeverage,
        })
        .collect();
    let built = StackConfig::from_toml(STACK, "stack.toml").unwrap().build().unwrap();
    let venue = Venue {
        market: built.names.market("ETH-PERP").unwrap(),
        settlement: built.names.asset("USDT").unwrap(),
    };
    let world = Conditions {
        depth_usd: 75e6,
        depth_multiple: 1.0,
        half_life_ms: 1_800_000,
        impact: &Linear,
        exit: None,
        shares: None,
        reference: None,
        without_own_impact: false,
        feed: FeedRule::default(),
        makers: 2,
        maker_cash: Amount::new(1_000_000_000_000),
        vault_cash: Amount::ZERO,
        covers: &[],
        insurers: &[],
    };
    run(&minutes, &openings, built.stack, venue, &world, None, &|_| ()).unwrap()
}

/// Opened, refused, and what each breaker did: (trips, verdicts that limited).
fn check(accounts: &[(usize, i64, i128)], opened: u64, refused: u64, breakers: [(u64, u64); 2]) {
    let run = run_of(accounts);
    let counts = &run.tally.counts;
    let of = |i: u32| (*counts.trips.get(&i).unwrap_or(&0), *counts.limits.get(&i).unwrap_or(&0));
    assert_eq!((run.opened, run.refused, [of(0), of(1)]), (opened, refused, breakers), "{accounts:?}");
    assert_eq!(run.steps_conserved, counts.steps);
}

#[test]
fn accounts_take_what_a_breaker_allows() {
    // within the cap
    check(&[(0, 4, 400), (1, 6, 400)], 2, 0, [(1, 0), (0, 0)]);
    // the second is cut to 6 of 8, and takes a quarter of its collateral back
    check(&[(0, 4, 400), (1, 8, 400)], 2, 0, [(1, 1), (0, 0)]);
    // nothing is left for the third, who takes all of it back
    check(&[(0, 4, 400), (1, 8, 400), (2, 5, 900)], 2, 1, [(1, 2), (0, 0)]);
    // of 1,600 to take back 1,000 are allowed
    check(&[(0, 10, 1_000), (1, 5, 1_600)], 1, 1, [(1, 1), (1, 1)]);
}
