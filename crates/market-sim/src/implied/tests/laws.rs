use super::*;
use proptest::prelude::*;

#[test]
fn maintenance_by_hand() {
    for (usd, expected_quanta) in [
        (0, 0),
        (10_000, 40_000_000),
        (50_000, 200_000_000),         // the end of the first tier
        (600_000, 2_950_000_000),      // 0.5 % less 50 USD
        (3_000_000, 18_550_000_000),   // 0.65 % less 950 USD
        (12_000_000, 108_550_000_000), // 1 % less 11,450 USD
    ] {
        assert_eq!(schedule().maintenance(usd * 1_000_000), expected_quanta, "{usd} USD");
    }
    assert_eq!(schedule().maintenance(1), 1, "rounded up");
    for (usd, cap) in [(1, 125), (50_000, 125), (50_001, 100), (600_001, 75), (2_000_000_000, 1)] {
        assert_eq!(schedule().max_leverage(usd * 1_000_000), cap, "{usd} USD");
    }
}

#[test]
fn schedules_that_are_refused() {
    let check = |change: &dyn Fn(&mut Vec<Tier>), expected: &str| {
        let mut tiers = tiers();
        change(&mut tiers);
        let said = Schedule::new(&tiers).unwrap_err().to_string();
        assert!(said.contains(expected), "said {said}\nwant {expected}");
    };
    check(&|t| t.clear(), "tiers is empty; accepted is at least one tier");
    check(
        &|t| t[0].lower_notional_quanta = 1,
        "tiers[0].lower_notional_quanta is 1; accepted is 0 in the first",
    );
    check(
        &|t| t.swap(1, 2),
        "tiers[2].lower_notional_quanta is 50000000000; accepted is above the tier before",
    );
    check(&|t| t[2].maintenance_ppb = 5_000_000, "tiers[2].maintenance_ppb is 5000000; accepted is above");
    check(&|t| t[0].maintenance_ppb = 0, "tiers[0].maintenance_ppb is 0; accepted is 1 to 999999999");
    check(
        &|t| t[3].max_leverage = 76,
        "tiers[3].max_leverage is 76; accepted is at most that of the tier before",
    );
    check(&|t| t[0].max_leverage = 250, "tiers[0].max_leverage is 250; accepted is at least 1, below 1e9");
}

#[test]
fn parameters_that_are_refused() {
    let minutes = market(&[1_000, 900], &[0, 10], &[0, 0]);
    let check = |prior: Prior, lookback: usize, expected: &str| {
        let said = draw_implied(&minutes, &schedule(), &prior, 1, lookback).unwrap_err().to_string();
        assert!(said.contains(expected), "said {said}\nwant {expected}");
    };
    let prior = Prior::default();
    check(Prior { sigma: f64::NAN, ..prior }, 9, "prior.sigma is NaN; accepted is 0.01 to 10");
    check(Prior { tau_minutes: 0.0, ..prior }, 9, "prior.tau_minutes is 0; accepted is 1 to 1000000");
    check(Prior { size_alpha: 1.0, ..prior }, 9, "prior.size_alpha is 1; accepted is 1.01 to 10");
    check(Prior { median_leverage: -1.0, ..prior }, 9, "prior.median_leverage is -1");
    check(Prior { size_min_lots: 0, ..prior }, 9, "prior.size_min_lots is 0; accepted is 1 to 100000000000");
    check(Prior { size_max_lots: 5_000, ..prior }, 9, "accepted is a size above prior.size_min_lots");
    check(prior, 0, "lookback is 0; accepted is 1 to 100000 rows");
    let torn = Minutes { long: vec![0], ..minutes.clone() };
    let said = Windows::new(&torn, &schedule(), &prior, 9).unwrap_err().to_string();
    assert_eq!(said, "minutes.long[1] is 2; accepted is the same number of rows in every column");
    let backwards = Minutes { time_ms: vec![7, 7], ..minutes.clone() };
    let said = Reach::new(&backwards, &schedule(), 9).unwrap_err().to_string();
    assert_eq!(said, "minutes.time_ms[1] is 7; accepted is a time after the row before, up to the year 2096");
    let negative = Minutes { mid: vec![1_000, 0], ..minutes.clone() };
    assert!(Windows::new(&negative, &schedule(), &prior, 9).is_err());
    let rates = PerSide { long: 1e12, short: 0.0 };
    assert!(draw_forward(&minutes, &schedule(), &prior, rates, 1, 0..2).is_err());
    let rates = PerSide::default();
    for span in [0..3, 1..1] {
        assert!(draw_survivors(&minutes, &schedule(), &prior, rates, &Stratum::DEFAULT, 1, span).is_err());
    }
    assert!(draw_survivors(&minutes, &schedule(), &prior, rates, &[], 1, 0..2).is_err());
    let none = LowLeverage { accounts: 0, ..LowLeverage::default() };
    assert!(low_leverage(&minutes, &schedule(), &none).is_err());
}

#[test]
fn the_stream_has_the_published_vector() {
    let mut stream = Stream::new(1, 1, 29, Side::Long);
    assert_eq!((stream.bits(), stream.bits()), (0x9df0_4763_5341_af14, 0x0319_a0ae_4657_e0ba));
}

#[test]
fn the_normal_quantile_inverts_the_distribution() {
    for (p, z) in [(0.5, 0.0), (0.975, 1.959_963_984_540_054), (1e-10, -6.361_340_902_404_056)] {
        near(normal_quantile(p), z, 1e-14);
    }
    for step in -3_700..=800 {
        let z = f64::from(step) / 100.0;
        // The distribution is flat near 1: one rounding of p is that much of z.
        let slope = libm::exp(-z * z / 2.0) / 2.506_628_274_631;
        near(normal_quantile(normal_cdf(z)), z, 1e-12 + 4e-16 / slope * normal_cdf(z));
    }
    assert_eq!((normal_quantile(0.0), normal_quantile(1.0)), (f64::NEG_INFINITY, f64::INFINITY));
}

fn market(mid: &[i64], long: &[i64], short: &[i64]) -> Minutes {
    Minutes {
        time_ms: (0..mid.len() as u64).map(|row| row * 60_000).collect(),
        mid: mid.to_vec(),
        bid: mid.to_vec(),
        ask: mid.to_vec(),
        long: long.to_vec(),
        short: short.to_vec(),
        ..Minutes::default()
    }
}

/// Up to 60 rows around 1,000 USD with moves of up to 3 %, and quantities of up to 500 ETH, many of them dust.
fn markets() -> impl Strategy<Value = Minutes> {
    let lots = || prop_oneof![2 => Just(0_i64), 1 => 1_i64..40, 2 => 40_i64..500_000];
    proptest::collection::vec((-30_000_i64..30_000, lots(), lots()), 2..60).prop_map(|rows| {
        let mut at = 1_000_000;
        let mut step = |&(change, ..): &(i64, i64, i64)| {
            at += at * change / 1_000_000;
            at
        };
        let mid: Vec<i64> = rows.iter().map(&mut step).collect();
        let long: Vec<i64> = rows.iter().map(|row| row.1).collect();
        let short: Vec<i64> = rows.iter().map(|row| row.2).collect();
        market(&mid, &long, &short)
    })
}

fn positions() -> impl Strategy<Value = (Side, i64, i64, i128)> {
    let side = prop_oneof![Just(Side::Long), Just(Side::Short)];
    (side, 1_i64..20_000_000, 1_000_i64..2_000_000, 0.01_f64..100.0).prop_map(
        |(side, lots, entry, leverage)| {
            let notional = i128::from(lots) * i128::from(entry);
            (side, lots, entry, ((notional as f64 / leverage) as i128).max(1))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn drawn_accounts_are_healthy_before_and_liquidatable_then(minutes in markets(), seed: u64) {
        let schedule = schedule();
        let windows = Windows::new(&minutes, &schedule, &Prior::default(), 1_440)?;
        for rule in Rule::ALL {
            let book = windows.draw(seed, rule);
            prop_assert_eq!(&book, &windows.draw(seed, rule));
            prop_assert_eq!(verify_all(&book.openings, &minutes, &schedule), Ok(()));
            for side in Side::BOTH {
                let (implied, rest) = (book.implied.get(side), book.unimplied.get(side));
                let mut drawn = vec![0; minutes.len()];
                for opening in book.openings.iter().filter(|opening| opening.side == side) {
                    drawn[opening.gone_at().unwrap()] += opening.lots;
                }
                prop_assert_eq!(&drawn, implied);
                for row in 0..minutes.len() {
                    prop_assert_eq!(implied[row] + rest[row], observed(&minutes, side)[row]);
                }
            }
        }
    }

    #[test]
    fn forward_lives_end_where_the_prices_say(minutes in markets(), seed: u64) {
        let schedule = schedule();
        let (prior, rates) = (Prior::default(), PerSide { long: 100_000.0, short: 60_000.0 });
        let rows = 0..minutes.len();
        let forward = draw_forward(&minutes, &schedule, &prior, rates, seed, rows.clone())?;
        prop_assert_eq!(verify_all(&forward.openings, &minutes, &schedule), Ok(()));
        let kept = draw_survivors(&minutes, &schedule, &prior, rates, &Stratum::DEFAULT, seed, rows)?;
        prop_assert_eq!(verify_all(&kept.openings, &minutes, &schedule), Ok(()));
        let low = low_leverage(&minutes, &schedule, &LowLeverage { renew_rows: 7, ..LowLeverage::default() })?;
        prop_assert_eq!(verify_all(&low, &minutes, &schedule), Ok(()));
    }

    #[test]
    fn the_liquidation_level_is_the_boundary((side, lots, entry, collateral) in positions()) {
        let schedule = schedule();
        let level = schedule.liquidation_level(side, lots, entry, collateral);
        let at = |price| schedule.liquidatable(side, lots, entry, collateral, price);
        prop_assert!(!at(level + side.sign()));
        prop_assert!(level == 0 || at(level));
    }

    #[test]
    fn health_is_monotone_in_the_price((side, lots, entry, collateral) in positions(), price in 1_i64..3_000_000) {
        let slack = |price| {
            let requirement = schedule().maintenance(i128::from(lots) * i128::from(price));
            collateral + schedule::gain(side, lots, entry, price) - requirement
        };
        prop_assert!(slack(price) >= slack(price - side.sign()));
    }

    #[test]
    fn maintenance_is_the_largest_piece_with_one_rounding(notional in 0_i128..2_000_000_000_000_000, odd in 1_i128..99) {
        // Floors that make fractional deductions, as the margin engine computes them.
        let mut tiers = tiers();
        for tier in tiers.iter_mut().skip(1) {
            tier.lower_notional_quanta += odd;
        }
        let (mut most, mut deduction, mut before) = (0, 0, 0);
        for tier in &tiers {
            let rate = i128::from(tier.maintenance_ppb);
            deduction += tier.lower_notional_quanta * (rate - before);
            before = rate;
            most = most.max(rate * notional - deduction);
        }
        let wanted = most.div_euclid(1_000_000_000) + i128::from(most % 1_000_000_000 != 0);
        prop_assert_eq!(Schedule::new(&tiers)?.maintenance(notional), wanted);
    }
}

#[test]
fn verification_can_fail() {
    let minutes = market(&[1_000_000, 1_000_000, 950_000, 940_000], &[0, 0, 12_000, 0], &[0; 4]);
    let schedule = schedule();
    let book = draw_implied(&minutes, &schedule, &Prior::default(), 1, 1_440).unwrap();
    let good = book.openings[0];
    let check = |broken: Opening, expected: &str| {
        let said = verify(&broken, &minutes, &schedule).unwrap_err().to_string();
        assert!(said.contains(expected), "said {said}\nwant {expected}");
    };
    assert_eq!(verify(&good, &minutes, &schedule), Ok(()));
    check(Opening { end: End::Liquidated { minute: 3 }, ..good }, "is liquidatable in minute 2");
    check(Opening { end: End::Held, ..good }, "is liquidatable in minute 2");
    check(Opening { end: End::Liquidated { minute: 1 }, opened: 0, ..good }, "is healthy in its last minute");
    check(Opening { collateral: good.collateral * 30, ..good }, "is healthy in its last minute");
    check(Opening { collateral: 1, ..good }, "cannot have been opened");
    check(Opening { entry: good.entry + 1, ..good }, "cannot have been opened");
    check(Opening { end: End::Closed { minute: 9 }, ..good }, "cannot have been opened");
}

#[test]
fn the_map_counts_open_accounts_by_distance() {
    let minutes = market(&[1_000_000, 1_010_000, 1_000_000, 1_000_000], &[0; 4], &[0; 4]);
    let (schedule, entry) = (schedule(), 1_000_000);
    let opening = |side, lots: i64, part| {
        let (collateral, end) = (i128::from(lots) * i128::from(entry) / part, End::Closed { minute: 3 });
        Opening { side, opened: 1, lots, entry, collateral, end, class: Class::Drawn }
    };
    // 20x: about 4.6 % away at 1,000, 5.6 % for the long at 1,010; 2x: beyond ten buckets.
    let book =
        [opening(Side::Long, 7_000, 20), opening(Side::Short, 3_000, 20), opening(Side::Long, 1_000, 2)];
    let map = density_map(&book, &minutes, &schedule, 0..4, 1, 10).unwrap();
    let at = |row: usize, side: Side, bucket: usize| map.rows[row].lots.get(side)[bucket];
    assert_eq!((at(1, Side::Long, 5), at(2, Side::Long, 4), at(2, Side::Short, 4)), (7_000, 7_000, 3_000));
    assert_eq!((map.rows[2].beyond.long, map.rows[0].beyond.long, map.rows[3].beyond.long), (1_000, 0, 0));
    assert_eq!(
        map.rows.iter().map(|row| row.lots.long.iter().sum::<i64>()).collect::<Vec<_>>(),
        [0, 7_000, 7_000, 0]
    );
    let every_second = density_map(&book, &minutes, &schedule, 0..4, 2, 10).unwrap();
    assert_eq!(every_second.rows[1], map.rows[2]);
    for (step, buckets) in [(0, 10), (1, 0), (1, 101)] {
        assert!(density_map(&book, &minutes, &schedule, 0..4, step, buckets).is_err());
    }
}
