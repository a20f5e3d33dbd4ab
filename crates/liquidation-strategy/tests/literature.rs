//! Results of papers on liquidation, on the strategies as they are: where a liquidation stops helping, what the best two of them
//! earn, how far a price may fall. Numbers that the papers give stand beside ours.

use cofferdam_core::{
    AssetId, GroupId, Holder, Item, Level, MarketId, Millis, PoolId, Ppb, PriceView, Quanta, Ticks, Verdict,
};
use cofferdam_liquidation_strategy::{conformance::Bench, *};
use proptest::prelude::*;
use std::cmp::Ordering;

/// A close factor, and a bonus in thousandths; no dust, no fee.
fn keeper(close_factor: i64, bonus: i64) -> KeeperLiquidation {
    KeeperLiquidation::new(KeeperTerms {
        pool: Some(PoolId(1)),
        close_factor: Ppb(close_factor),
        all_below: Ppb::ZERO,
        dust: Quanta::ZERO,
        bonus: Ppb(bonus * 1_000_000),
        fee_share: Ppb::ZERO,
        remainder_min: Quanta::ZERO,
    })
    .unwrap()
}

fn loan(collateral: i128, debt: u128, threshold: i64) -> Bench {
    Bench { weight: Ppb(threshold * 1_000_000), ..Bench::lending(collateral, debt) }
}

fn bid(amount: i128) -> Bid {
    let give = Some((Item::Debt(AssetId(0)), amount));
    Bid { by: Taker::Keeper(GroupId(3)), give, want: Some(Item::Asset(AssetId(1))), ..Bid::ENGINE }
}

fn held(bench: &Bench) -> i128 {
    bench.balances.iter().find(|b| b.asset == AssetId(1)).map_or(0, |b| b.amount.get())
}

fn owed(bench: &Bench) -> i128 {
    bench.debts.first().map_or(0, |d| d.owed.get())
}

/// What a plan leaves, what the keeper gained by it and what was lost.
struct After {
    bench: Bench,
    gain: i128,
    loss: i128,
    worsens: bool,
}

fn liquidated(bench: &Bench, strategy: &dyn LiquidationStrategy, bid: &Bid) -> After {
    let plan = bench.plan(strategy, bid).unwrap().unwrap();
    let mut after = bench.clone();
    let (mut gain, mut loss) = (0, 0);
    for step in &plan.steps {
        match step {
            Step::Move(moved) => {
                after.apply(moved).unwrap();
                // both assets are worth a quantum an atom
                let keeper = moved.iter().filter(|p| p.holder == Holder::Group(GroupId(3)));
                gain += keeper.map(|p| p.units).sum::<i128>();
            }
            Step::Loss { amount, .. } => loss += amount.get(),
            other => panic!("{other:?}"),
        }
    }
    After { bench: after, gain, loss, worsens: plan.worsens }
}

/// Loan-to-value after against before.
fn change(before: &Bench, after: &Bench) -> Ordering {
    (owed(after) * held(before)).cmp(&(owed(before) * held(after)))
}

/// Warmuz et al.: published 95.69 % for a bonus of 4.5 % and 92.59 % for one of 8 %.
#[test]
fn published_toxic_frontiers() {
    let check = |bonus: i64, hundredths: i64| {
        let found = toxic_frontier(Ppb(bonus * 1_000_000)).unwrap();
        assert_eq!((found.0 + 50_000) / 100_000, hundredths, "{bonus}: {found:?}");
    };
    check(45, 9_569);
    check(80, 9_259);
    assert_eq!(toxic_frontier(Ppb::ZERO), Ok(Ppb::ONE));
    assert!(toxic_frontier(Ppb(-1)).is_err() && toxic_frontier(Ppb(Ppb::ONE.0 + 1)).is_err());
}

proptest! {
    /// INV-18 for loans: a debt of 1,000 m against (1,000 + bonus) m of collateral is on the frontier; with one unit more any repayment
    /// improves the account, with one less it worsens it, and the plan says so. The close factor does not matter.
    #[test]
    fn a_liquidation_improves_a_loan_below_the_frontier_only(
        bonus in 1_i128..200,
        m in 1_000_i128..1_000_000,
        parts in 1_i128..1_000,
        closed in 1_i64..=1_000,
    ) {
        // repayments of whole thousands seize whole units: at least one, and no more than the close factor allows
        let debt = 1_000 * m;
        let most = (m * i128::from(closed) / 1_000).min(m - 1);
        let repaid = 1_000 * (1 + (most - 1) * parts / 1_000);
        let strategy = keeper(Ppb::ONE.0 * closed / 1_000, bonus as i64);
        for (off, wanted) in [(1, Ordering::Less), (0, Ordering::Equal), (-1, Ordering::Greater)] {
            // at a threshold of one half everybody here is below, and an even collateral supports a whole number
            let bench = loan(2 * ((1_000 + bonus) * m + off), 2 * debt as u128, 500);
            let done = liquidated(&bench, &strategy, &bid(2 * repaid));
            prop_assert_eq!(change(&bench, &done.bench), wanted, "{} off", off);
            prop_assert_eq!(done.worsens, off < 0, "{} off", off);
        }
    }

    /// The same for positions: with a penalty p on what is closed, closing helps iff equity is more than p of the notional. The notional
    /// is the collateral and what equity does not pay of it the debt: a loan-to-value of 1 - p.
    #[test]
    fn closing_improves_a_position_below_the_frontier_only(
        thousandths in 1_i128..40, lots in 2_i64..1_000, part in 1_i64..1_000, short in any::<bool>(),
    ) {
        let terms = OrderTerms::new(LimitPrice::Any, Penalty::new(Ppb(thousandths as i64 * 1_000_000), Ppb::ONE, Ppb::ZERO).unwrap(), Millis(1)).unwrap();
        let (lots, part) = (10 * lots, 10 * (1 + part % (lots - 1)));
        let (signed, cost) = if short { (-lots, -i128::from(lots) * 100) } else { (lots, i128::from(lots) * 100) };
        let notional = i128::from(lots) * 100;
        for (off, worsens) in [(1, false), (0, false), (-1, true)] {
            let mut bench = Bench::perpetual(notional * thousandths / 1_000 + off).with_position(MarketId(0), signed, cost);
            bench.allowed = Verdict::at_most(part.unsigned_abs().into());
            let plan = bench.plan(&FullClose::new(terms), &Bid::ENGINE).unwrap().unwrap();
            let moved = bench.case(|c| effect(c, &plan.steps)).unwrap();
            let mut after = bench.clone();
            after.apply(&moved).unwrap();
            let line = |b: &Bench| b.health().unwrap().line(Level::Maintenance).unwrap();
            let (a, b) = (line(&bench), line(&after));
            let wanted = 0.cmp(&off);
            prop_assert_eq!((a.support.get() * b.demand.get()).cmp(&(b.support.get() * a.demand.get())), wanted);
            prop_assert_eq!(plan.worsens, worsens);
        }
    }

    /// Beyond the frontier liquidations by any close factor end at D - C / (1 + i) of bad debt; who stops there leaves D - C of it, or
    /// none at all where the collateral still covers the debt.
    #[test]
    fn going_on_beyond_the_frontier_makes_bad_debt(bonus in 1_i128..200, m in 1_000_i128..1_000_000, beyond in 1_i128..1_000, closed in 50_i64..=1_000) {
        let collateral = (1_000 + bonus) * m;
        // further beyond than what rounding leaves in all steps
        let debt = 1_000 * m + beyond * m / 1_000 + 500;
        let mut bench = loan(collateral, debt as u128, 500);
        let strategy = keeper(Ppb::ONE.0 * closed / 1_000, bonus as i64);
        let mut loss = 0;
        for _ in 0..2_000 {
            let Err(Refusal::TooMuch { max }) = bench.plan(&strategy, &bid(i128::MAX >> 8)).unwrap() else { break };
            let done = liquidated(&bench, &strategy, &bid(max));
            prop_assert!(done.worsens || done.loss > 0);
            (bench, loss) = (done.bench, done.loss);
            if loss > 0 {
                break;
            }
        }
        let exact = debt - 1_000 * m; // C / (1 + i) = 1,000 m
        // a bonus that rounds down leaves the account up to an atom a step
        prop_assert!((exact - 400..=exact).contains(&loss), "{loss} of {exact}");
        prop_assert!(loss > (debt - collateral).max(0));
    }

    /// Gatto: a fall up to the frontier loses nothing, one beyond it does.
    #[test]
    fn a_fall_up_to_the_loss_frontier_is_free(threshold in 500_i64..990, bonus in 0_i64..200, ltv in 300_i64..990) {
        prop_assume!(ltv < threshold);
        let (collateral, debt) = (1_000_000_000_000_i128, i128::from(ltv) * 1_000_000_000);
        let (lt, b) = (Ppb(threshold * 1_000_000), Ppb(bonus * 1_000_000));
        let frontier = loss_frontier(Quanta::new(collateral), Quanta::new(debt), lt, b).unwrap();
        // a price in steps of 1e-9
        for (fall, loses) in [(frontier.0, false), (frontier.0 - 1_000, false), (frontier.0 + 1_000, true)] {
            let bench = fallen(&loan(collateral, debt as u128, threshold), fall);
            prop_assert_eq!(lost(&bench, bonus) > 0, loses, "{} of {}", fall, frontier.0);
        }
    }

    /// Gatto: where threshold x (1 + bonus) is below one, who is liquidated whole as soon as it may be loses nothing; where it is above,
    /// somebody always does.
    #[test]
    fn without_jumps_nothing_is_lost(threshold in 500_i64..999, bonus in 0_i64..200, ltv in 300_i64..990) {
        prop_assume!(ltv < threshold);
        let product = threshold * (1_000 + bonus);
        prop_assume!((product - 1_000_000).abs() > 1_000);
        let (collateral, debt) = (1_000_000_000_000_i128, i128::from(ltv) * 1_000_000_000);
        let bench = loan(collateral, debt as u128, threshold);
        // the first price at which it is below, to 1e-9
        let first = 1_000_000_000 - ltv * 1_000_000_000 / threshold;
        let bench = (first..first + 3).map(|fall| fallen(&bench, fall)).find(|b| b.health().unwrap().below(Level::Maintenance)).unwrap();
        prop_assert_eq!(lost(&bench, bonus) > 0, product > 1_000_000);
    }
}

/// The price of the collateral after a fall in ppb.
fn fallen(bench: &Bench, fall: i64) -> Bench {
    let mut bench = bench.clone();
    for a in bench.assets.iter_mut().filter(|a| a.id == AssetId(1)) {
        a.scale.price_exponent = -9;
        a.price = PriceView::exact(Ticks::new(1_000_000_000 - fall), Millis::ZERO);
    }
    bench
}

/// What a liquidation of everything loses.
fn lost(bench: &Bench, bonus: i64) -> i128 {
    if !bench.health().unwrap().below(Level::Maintenance) {
        return 0;
    }
    liquidated(bench, &keeper(Ppb::ONE.0, bonus), &bid(owed(bench))).loss
}

/// Gatto: a loop of twelve at a threshold of 95 % and a bonus of 1 % may be liquidated from a fall of 3.5 % on (ours: 3.508 %) and loses
/// nothing up to one of 7.4 % (0.0742; ours 7.4166 %).
#[test]
fn published_loss_frontier() {
    let (collateral, debt) = (12_000_000_000_i128, 11_000_000_000_u128);
    let loop_of_twelve = loan(collateral, debt, 950);
    let below = |fall| fallen(&loop_of_twelve, fall).health().unwrap().below(Level::Maintenance);
    assert_eq!((below(35_087_000), below(35_088_000)), (false, true));
    let frontier =
        loss_frontier(Quanta::new(collateral), Quanta::new(debt as i128), Ppb(950_000_000), Ppb(10_000_000));
    assert_eq!(frontier, Ok(Ppb(74_166_666)));
    assert_eq!(lost(&fallen(&loop_of_twelve, 74_166_666), 10), 0);
    // a fall of 7.4168 %: 12,000 x 0.925832 = 11,109.984 against 11,110, over 1.01
    assert_eq!(lost(&fallen(&loop_of_twelve, 74_168_000), 10), 15_841);
}

/// Qin et al.: first as much as leaves the account just unhealthy, then the close factor again. Gains against one liquidation by the
/// close factor; formula (1 - CF) x r1 / (CF x D), r1 = (D - LT x C) / (1 - LT x (1 + LS)).
#[test]
fn two_liquidations_earn_more_than_one() {
    struct Case {
        collateral: i128,
        debt: i128,
        threshold: i64,
        spread: i64,
        close_factor: i64,
        /// r1 in thousandths of a unit, and the relative gain in hundredths of a per cent.
        first: i128,
        more: i128,
    }
    const UNIT: i128 = 1_000_000_000;
    let check = |c: Case| {
        let strategy = keeper(c.close_factor * 1_000_000, c.spread);
        let bench = loan(c.collateral * UNIT, (c.debt * UNIT) as u128, c.threshold);
        let factor = |debt: i128| debt * i128::from(c.close_factor) / 1_000;
        let once = liquidated(&bench, &strategy, &bid(factor(c.debt * UNIT)));
        assert!(!once.bench.health().unwrap().below(Level::Maintenance), "one is enough, and all there is");

        let support = bench.health().unwrap().line(Level::Maintenance).unwrap().support;
        let (threshold, spread) = (Ppb(c.threshold * 1_000_000), Ppb(c.spread * 1_000_000));
        let first =
            largest_unhealthy_repayment(support, Quanta::new(c.debt * UNIT), threshold, spread).unwrap();
        assert!(first.get() <= factor(c.debt * UNIT), "within the close factor");
        // what is seized rounds down, for the account: a few atoms less leave it unhealthy, a few more do not
        let one = liquidated(&bench, &strategy, &bid(first.get() - 10));
        assert!(one.bench.health().unwrap().below(Level::Maintenance), "still unhealthy");
        let over = liquidated(&bench, &strategy, &bid(first.get() + 10));
        assert!(!over.bench.health().unwrap().below(Level::Maintenance), "just unhealthy");
        let two = liquidated(&one.bench, &strategy, &bid(factor(owed(&one.bench))));
        let gain = one.gain + two.gain;
        assert_eq!((first.get() + 500_000) / 1_000_000, c.first, "{first:?}");
        assert_eq!((gain - once.gain) * 10_000 / once.gain, c.more, "{gain} and {}", once.gain);
    };
    // papers: collateral 100, debt 80, LT 75 %, LS 8 %, CF 50 %: 26.32 and 32.9 %
    check(Case {
        collateral: 100,
        debt: 80,
        threshold: 750,
        spread: 80,
        close_factor: 500,
        first: 26_316,
        more: 3_289,
    });
    // by the formula, other terms: (85 - 80) / (1 - 0.8 x 1.05) = 31.25; 0.5 x 31.25 / 42.5
    check(Case {
        collateral: 100,
        debt: 85,
        threshold: 800,
        spread: 50,
        close_factor: 500,
        first: 31_250,
        more: 3_676,
    });
    // (67 - 66) / (1 - 0.66 x 1.1) = 3.65; 0.75 x 3.65 / 16.75
    check(Case {
        collateral: 100,
        debt: 67,
        threshold: 660,
        spread: 100,
        close_factor: 250,
        first: 3_650,
        more: 1_634,
    });
    // the whole at once leaves nothing to gain by a second: (1 - 1) x r1
    check(Case {
        collateral: 100,
        debt: 80,
        threshold: 750,
        spread: 80,
        close_factor: 1_000,
        first: 26_316,
        more: 0,
    });
}

/// Where a repayment takes as much support with it as it clears, each one leaves the account unhealthy: no second is needed.
#[test]
fn the_first_repayment_at_its_ends() {
    let of = |support, debt, lt, ls| {
        largest_unhealthy_repayment(Quanta::new(support), Quanta::new(debt), Ppb(lt), Ppb(ls))
            .map(|x| x.get())
    };
    assert_eq!(of(100, 100, 750_000_000, 80_000_000), Ok(0), "not below");
    assert_eq!(of(99, 100, 950_000_000, 60_000_000), Ok(100), "0.95 x 1.06 > 1");
    assert_eq!(of(10, 100, 750_000_000, 80_000_000), Ok(100), "beyond the frontier");
    assert_eq!(of(90, 100, 500_000_000, 0), Ok(19), "strictly less than 20");
    assert!(of(90, 100, 0, 0).is_err() && of(90, 100, 1, -1).is_err());
    let none = loss_frontier(Quanta::ZERO, Quanta::new(1), Ppb::ONE, Ppb::ZERO);
    assert!(none.is_err(), "{none:?}");
    let under = loss_frontier(Quanta::new(100), Quanta::new(120), Ppb(800_000_000), Ppb(50_000_000));
    assert_eq!(under, Ok(Ppb::ZERO));
}
