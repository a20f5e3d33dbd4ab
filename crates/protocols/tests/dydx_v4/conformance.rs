//! Numbers of the venue's own tests: dydxprotocol/v4-chain. Only numbers carry over, under the names of the cases.

use cofferdam_core::{
    Amount, BalanceView, Level, Lots, MarketId, MarketScale, MarketView, Millis, Ppb, PriceView, Quanta,
    Ticks,
};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, Step,
    conformance::{Bench, check_strategy},
};
use cofferdam_margin_engine::{Flat, OpenInterestScaled, Requirement, Stage};
use cofferdam_protocols::dydx::{
    BlockLimits, BlockLiquidation, Fillable, bankruptcy_price, bankruptcy_quote, insurance_delta,
    maintenance_rate,
};

use proptest::prelude::*;

const BTC: MarketId = MarketId(0);
const ETH: MarketId = MarketId(1);
const USD: i128 = 1_000_000;

/// An account as the venue's tests have them: cash in quote quantums, BTC of 1e-8 at 500 quote quantums ($50,000), ETH of 1e-9 at 3
/// ($3,000), maintenance 10 %. A tick is 1/`fine` of a quote quantum per base quantum.
fn account(cash: i128, btc: i64, eth: i64, fine: i64) -> Bench {
    let mut bench = Bench::perpetual(0);
    bench.rates = vec![(Level::Maintenance, Ppb(100_000_000)), (Level::Initial, Ppb(200_000_000))];
    let fine_cash = Amount::new(cash * i128::from(fine));
    bench.balances = vec![BalanceView { asset: cofferdam_core::AssetId(0), amount: fine_cash }];
    // bought for nothing: the cash is what the venue calls the quote balance
    for (id, lots) in [(BTC, btc), (ETH, eth)].into_iter().filter(|(_, lots)| *lots != 0) {
        bench = bench.with_position(id, lots, 0);
    }
    bench.with_mark(BTC, 500 * fine).with_mark(ETH, 3 * fine)
}

const TENTH_BTC: i64 = 10_000_000;
const ONE_BTC: i64 = 100_000_000;
const TENTH_ETH: i64 = 100_000_000;
/// 0.004 BTC.
const LITTLE_BTC: i64 = 400_000;

/// TestGetBankruptcyPriceInQuoteQuantums, liquidations_test.go (commit 031eadfb).
#[test]
fn bankruptcy_prices() {
    for (case, cash, btc, eth, market, lots, expected) in [
        ("long slightly below maintenance", -4_501 * USD, TENTH_BTC, 0, BTC, -TENTH_BTC, 4_501_000_000),
        ("short slightly below maintenance", 5_499 * USD, -TENTH_BTC, 0, BTC, TENTH_BTC, -5_499_000_000),
        ("long at bankruptcy", -5_000 * USD, TENTH_BTC, 0, BTC, -TENTH_BTC, 5_000_000_000),
        ("half of a long at bankruptcy", -5_000 * USD, TENTH_BTC, 0, BTC, -5_000_000, 2_500_000_000),
        ("half of a short at bankruptcy", 5_000 * USD, -TENTH_BTC, 0, BTC, 5_000_000, -2_500_000_000),
        ("short at bankruptcy", 5_000 * USD, -TENTH_BTC, 0, BTC, TENTH_BTC, -5_000_000_000),
        ("long below bankruptcy", -5_100 * USD, TENTH_BTC, 0, BTC, -TENTH_BTC, 5_100_000_000),
        ("short below bankruptcy", 4_900 * USD, -TENTH_BTC, 0, BTC, TENTH_BTC, -4_900_000_000),
        ("two longs", -490 * USD, LITTLE_BTC, TENTH_ETH, ETH, -TENTH_ETH, 294_000_000),
        ("two shorts", 510 * USD, -LITTLE_BTC, -TENTH_ETH, ETH, TENTH_ETH, -306_000_000),
        ("a long and a short", 110 * USD, LITTLE_BTC, -TENTH_ETH, ETH, TENTH_ETH, -306_000_000),
        ("part of a long, rounded up", -13 * USD, ONE_BTC, 0, BTC, -21_347, 2_776),
        ("part of a short, rounded up", 13 * USD, -ONE_BTC, 0, BTC, 21_347, -2_775),
        ("a long that cannot lose", USD, ONE_BTC, 0, BTC, -ONE_BTC, -1_000_000),
    ] {
        let bench = account(cash, btc, eth, 1);
        let quote = bench.case(|c| bankruptcy_quote(c, market, Lots::new(lots))).unwrap();
        assert_eq!(quote.get(), expected, "{case}");
    }
    for (case, btc, lots) in [
        ("nothing", ONE_BTC, 0),
        ("no position", 0, -TENTH_BTC),
        ("the same sign", ONE_BTC, TENTH_BTC),
        ("more than is held", ONE_BTC, -100_000_001),
    ] {
        let answer = account(-4_501 * USD, btc, 0, 1).case(|c| bankruptcy_quote(c, BTC, Lots::new(lots)));
        assert!(
            matches!(answer, Err(LiquidationError::Parameter { field: "lots", .. })),
            "{case}: {answer:?}"
        );
    }
}

/// The price per lot that deleveraging uses never leaves a deficit: derived from the same cases.
#[test]
fn bankruptcy_prices_in_ticks() {
    for (cash, btc, lots, expected) in [
        (-4_501 * USD, TENTH_BTC, -TENTH_BTC, 451), // 450.1, up
        (5_499 * USD, -TENTH_BTC, TENTH_BTC, 549),  // 549.9, down
        (USD, ONE_BTC, -ONE_BTC, 1),                // no price is too low
    ] {
        let price = account(cash, btc, 0, 1).case(|c| bankruptcy_price(c, BTC, Lots::new(lots))).unwrap();
        assert_eq!(price.get(), expected);
    }
}

/// TestGetFillablePrice, the same file; in 1e-7 quote quantums per base quantum. The tests' default: adjustment 1, spread 10 %.
#[test]
fn fillable_prices() {
    let usual = (Ppb::ONE, Ppb(100_000_000));
    let max = Ppb(i64::from(u32::MAX) * 1_000);
    for (case, cash, btc, eth, (adjustment, spread), expected) in [
        ("long slightly below", -4_501, TENTH_BTC, 0, usual, 4_999_900_000),
        ("long, adjustment 2", -4_501, TENTH_BTC, 0, (Ppb(2_000_000_000), usual.1), 4_999_800_000),
        ("long, spread 20 %", -4_501, TENTH_BTC, 0, (usual.0, Ppb(200_000_000)), 4_999_800_000),
        ("short slightly below", 5_499, -TENTH_BTC, 0, usual, 5_000_100_000),
        ("short, adjustment 2", 5_499, -TENTH_BTC, 0, (Ppb(2_000_000_000), usual.1), 5_000_200_000),
        ("short, spread 20 %", 5_499, -TENTH_BTC, 0, (usual.0, Ppb(200_000_000)), 5_000_200_000),
        ("long at bankruptcy", -5_000, TENTH_BTC, 0, usual, 4_950_000_000),
        ("short at bankruptcy", 5_000, -TENTH_BTC, 0, usual, 5_050_000_000),
        ("long below bankruptcy", -5_500, TENTH_BTC, 0, usual, 4_950_000_000),
        ("short below bankruptcy", 4_500, -TENTH_BTC, 0, usual, 5_050_000_000),
        ("adjustment max uint32", -4_501, TENTH_BTC, 0, (max, usual.1), 4_950_000_000),
        ("spread 1 ppm", -4_501, TENTH_BTC, 0, (usual.0, Ppb(1_000)), 4_999_999_999),
        ("spread 100 %", -4_501, TENTH_BTC, 0, (usual.0, Ppb::ONE), 4_999_000_000),
        ("two longs", -490, LITTLE_BTC, TENTH_ETH, usual, 29_760_000),
    ] {
        let fillable = Fillable::new(adjustment, spread).unwrap();
        let market = if eth == 0 { BTC } else { ETH };
        let price = account(cash * USD, btc, eth, 10_000_000).case(|c| fillable.price(c, market)).unwrap();
        assert_eq!(price.get(), expected, "{case}");
    }
}

/// TestGetLiquidationInsuranceFundDelta, the same file; the default fee is 0.5 %.
#[test]
fn insurance_fund_deltas() {
    let usual = Ppb(5_000_000);
    let (long, short) = (-5_100 * USD, 4_900 * USD);
    for (case, cash, lots, quote, fee, expected) in [
        ("short 10 % above, fee 2.5 %", short, TENTH_BTC, -4_410_000_000, Ppb(25_000_000), 110_250_000),
        ("short 10 % above, fee 100 %", short, TENTH_BTC, -4_410_000_000, Ppb::ONE, 490_000_000),
        ("long 0.1 % above", long, -TENTH_BTC, 5_105_100_000, usual, 5_100_000),
        ("short 0.1 % above", short, TENTH_BTC, -4_895_100_000, usual, 4_900_000),
        ("long at the price", long, -TENTH_BTC, 5_100_000_000, usual, 0),
        ("short at the price", short, TENTH_BTC, -4_900_000_000, usual, 0),
        ("long 1 % below", long, -TENTH_BTC, 5_049_000_000, usual, -51_000_000),
        ("short 1 % below", short, TENTH_BTC, -4_949_000_000, usual, -49_000_000),
        ("a quote of nothing", short, TENTH_BTC, 0, usual, 0),
    ] {
        let bench = account(cash, -lots, 0, 1);
        let delta =
            bench.case(|c| insurance_delta(c, BTC, Lots::new(lots), Quanta::new(quote), fee)).unwrap();
        assert_eq!(delta.get(), expected, "{case}");
    }
    let nothing =
        account(short, -TENTH_BTC, 0, 1).case(|c| insurance_delta(c, BTC, Lots::ZERO, Quanta::ZERO, usual));
    assert!(nothing.is_err());
}

/// TestGetPerpetualPositionToLiquidate, the same file: what goes in one block.
#[test]
fn position_sizes() {
    let none = i128::from(u64::MAX);
    for (case, lots, portion, least, account_max, expected) in [
        ("half of it", TENTH_BTC, 500_000_000, 1_000, none, 5_000_000),
        ("below the account's limit", -TENTH_BTC, 1_000_000_000, 0, 10_000_000_000, 10_000_000),
        ("the account's limit", -TENTH_BTC, 1_000_000_000, 0, 2_500_000_000, 5_000_000),
    ] {
        let bench = account(0, lots, 0, 1);
        let limits = BlockLimits {
            portion: Ppb(portion),
            least: Quanta::new(least),
            account: Quanta::new(account_max),
        };
        let fillable = Fillable::new(Ppb::ONE, Ppb(100_000_000)).unwrap();
        let strategy = BlockLiquidation::new(limits, fillable, Ppb(5_000_000), Millis(1), Millis(1)).unwrap();
        let size = bench.case(|c| strategy.size(c, c.group.position(BTC).unwrap(), limits.account)).unwrap();
        assert_eq!(size.get(), expected, "{case}");
    }
}

fn crowded(open_interest: i64) -> MarketView {
    let mark = PriceView::exact(Ticks::ONE, Millis::ZERO);
    MarketView {
        id: BTC,
        scale: MarketScale::from_factor(1).unwrap(),
        settlement: cofferdam_core::AssetId(0),
        mark,
        previous_mark: mark.mid,
        index: mark,
        open_interest: Lots::new(open_interest),
        funding: cofferdam_core::FundingIndex::ZERO,
        volatility: Ppb::ZERO,
    }
}

/// TestGetInitialMarginQuoteQuantums, liquidity_tier_test.go (commit 01a48f23).
#[test]
fn initial_margins() {
    for (case, rate, lower, upper, open, notional, expected) in [
        ("20 %", 200_000, 0, 0, 0, 500_000, 100_000),
        ("50 %", 500_000, 0, 0, 0, 1_000_000, 500_000),
        ("10 % of one, up", 100_000, 0, 0, 0, 1, 1),
        ("56.7243 %, up", 567_243, 0, 0, 0, 123_456, 70_030),
        ("no caps", 200_000, 0, 0, 1_500_000_000_000, 500_000, 100_000),
        ("halfway", 200_000, 1_000_000_000_000, 2_000_000_000_000, 1_500_000_000_000, 500_000, 300_000),
        ("far above", 200_000, 25_000_000_000_000, 50_000_000_000_000, 80_000_000_000_000, 500_000, 500_000),
        (
            "at the lower",
            200_000,
            25_000_000_000_000,
            50_000_000_000_000,
            25_000_000_000_000,
            500_000,
            100_000,
        ),
        ("realistic", 200_000, 25_000_000_000_000, 60_000_000_000_000, 28_123_456_789_123, 500_000, 135_697),
    ] {
        let initial = Ppb(rate * 1_000);
        let model: Box<dyn Requirement> = if upper == 0 {
            Box::new(Flat::new(Ppb::ZERO, initial).unwrap())
        } else {
            Box::new(
                OpenInterestScaled::new(Ppb::ZERO, initial, Quanta::new(lower), Quanta::new(upper)).unwrap(),
            )
        };
        let (lots, notional) = (Lots::new(1), Quanta::new(notional));
        let required = model.required(Stage::Initial, &crowded(open), lots, notional).unwrap();
        assert_eq!(required.get(), expected, "{case}");
    }
}

/// TestLiquidityTierGetMaintenanceMarginPpm, the same file.
#[test]
fn maintenance_rates() {
    for (initial, fraction, expected) in [
        (150_000, 800_000, 120_000),
        (450_000, 770_000, 346_500),
        (637_239, 289_284, 184_343),
        (1_000_000, 1_000_000, 1_000_000),
        (0, 1_000_000, 0),
        (0, 0, 0),
        (1_000_000, 0, 0),
    ] {
        let rate = maintenance_rate(Ppb(initial * 1_000), Ppb(fraction * 1_000));
        assert_eq!(rate, Some(Ppb(expected * 1_000)), "{initial} {fraction}");
    }
}

fn genesis() -> BlockLiquidation {
    let limits =
        BlockLimits { portion: Ppb(100_000_000), least: Quanta::new(500), account: Quanta::new(20_000) };
    let fillable = Fillable::new(Ppb::ONE, Ppb(1_500_000_000)).unwrap();
    BlockLiquidation::new(limits, fillable, Ppb(15_000_000), Millis(1_000), Millis(1_000)).unwrap()
}

proptest! {
    /// The laws of every strategy (INV-1, INV-17, INV-18, INV-20, INV-43), and the venue's limits.
    #[test]
    fn the_laws_of_a_strategy(cash in -2_000_i128..4_000, a in -300_i64..300, b in -300_i64..300, x in -60_i64..60, y in 60_i64..140) {
        let mut bench = Bench::perpetual(cash).with_mark(MarketId(1), y);
        for (id, lots) in [(MarketId(0), a), (MarketId(1), b)].into_iter().filter(|(_, lots)| *lots != 0) {
            bench = bench.with_position(id, lots, i128::from(lots) * i128::from(100 + x / 10));
        }
        let Ok(plan) = check_strategy(&bench, &genesis(), &Bid::ENGINE).unwrap() else { return Ok(()) };
        let equity = bench.health().unwrap().equity;
        for step in &plan.steps {
            match step {
                Step::Order { market, lots, limit, .. } => {
                    prop_assert!(!equity.is_negative());
                    let mark = bench.markets[market.0 as usize].mark.mid;
                    let away = if lots.is_negative() { *limit <= mark } else { *limit >= mark };
                    prop_assert!(away);
                    let notional = i128::from(lots.get()).abs() * i128::from(mark.get());
                    prop_assert!(notional <= 20_000 || lots.get().abs() == 1);
                }
                Step::Deleverage { .. } => prop_assert!(equity.is_negative()),
                Step::Loss { .. } => prop_assert!(bench.positions.is_empty()),
                other => prop_assert!(false, "{other:?}"),
            }
        }
    }

    /// Closed at their bankruptcy prices all together, the positions leave nothing and owe nothing but what ticks round.
    #[test]
    fn bankruptcy_prices_share_the_collateral(cash in -20_000_i128..20_000, a in 1_i64..300, b in 1_i64..300, short: bool) {
        let b = if short { -b } else { b };
        let bench = Bench::perpetual(cash).with_position(MarketId(0), a, i128::from(a) * 100).with_position(MarketId(1), b, i128::from(b) * 100);
        let quotes = bench.case(|c| {
            bankruptcy_quote(c, MarketId(0), Lots::new(-a)).and_then(|x| Ok((x, bankruptcy_quote(c, MarketId(1), Lots::new(-b))?)))
        }).unwrap();
        let (left, owed) = (cash + quotes.0.get() + quotes.1.get(), i128::from(a + b) * 100);
        // one quantum per position at most, kept by the account
        prop_assert!((0..=2).contains(&(left - owed)), "{left} {owed}");
    }
}
