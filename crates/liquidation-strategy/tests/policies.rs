//! Policies by shares, against the numbers that were published for them, and what they do with needs and payers that are odd.

mod common;

use cofferdam_core::{Amount, AssetId, At, MapMemory, MarketId, Millis, Ppb, Slot};
use cofferdam_liquidation_strategy::{
    conformance::{Promises, check_allocation},
    *,
};
use common::{allocate, close_out, closes, deficit, haircuts, payer};
use num_bigint::BigUint;
use proptest::prelude::*;

const HALF: Ppb = Ppb(500_000_000);

fn all() -> Vec<(&'static str, Box<dyn LossAllocation>)> {
    let risk = |w| Box::new(RiskAware::new(w, HaircutCaps::NONE).unwrap());
    let caps = HaircutCaps::new(HALF, Ppb::ONE).unwrap();
    let rule = SeverityRule::BackOff { first: HALF, keep: HALF, least: Ppb(1), forget: Millis(1) };
    let severe = |rule| Box::new(Severity::new(rule, Box::new(ProRataAllocation)).unwrap());
    vec![
        ("queue", Box::new(QueueAllocation::new(true))),
        ("pro-rata", Box::new(ProRataAllocation)),
        ("levered", Box::new(LeveredProRata)),
        ("least squares", Box::new(LeastSquares)),
        ("least share", Box::new(LeastShare)),
        ("capped", Box::new(CappedProRata::new(caps))),
        ("linear", risk(RiskWeight::Linear)),
        ("power", risk(RiskWeight::Power(8))),
        ("tail", risk(RiskWeight::Tail { above: Ppb(900_000_000), quantum: 0 })),
        ("contracts", Box::new(ContractProRata::new(ContractWeight::Lots))),
        ("contracts by gain", Box::new(ContractProRata::new(ContractWeight::Gain))),
        ("level", Box::new(LevelLeverage)),
        ("fixed", severe(SeverityRule::Fixed(HALF))),
        ("back-off", severe(rule)),
        ("anarchy", severe(SeverityRule::Anarchy { ratio: Ppb(1_500_000_000) })),
        ("needed", severe(SeverityRule::Needed)),
    ]
}

/// T. Chitra, arXiv:2512.01112, the running example with five positions at t = 2: what the three solvent accounts A, C, E have is their
/// equity 1.2613, 5.6214, 0.8397 (which is what that example shares), their notional 1.3, 5.2, 1.3. In millionths.
#[test]
fn shares_by_risk_as_published() {
    let book = [
        payer(1, 1, 1_261_333, 1_261_333, 1_261_333, 1_300_000, 1),
        payer(3, -4, 5_621_333, 5_621_333, 5_621_333, 5_200_000, -1),
        payer(5, -1, 839_677, 839_677, 839_677, 1_300_000, -1),
    ];
    // 705,404: the deficit of B and D, 0.072 + 0.633404
    let check = |policy: &dyn LossAllocation, per_mille: [i128; 3]| {
        let s = check_allocation(policy, &deficit(705_404), &book, Promises::NONE).unwrap();
        let found: Vec<i128> = haircuts(&s).iter().map(|(_, x)| x * 1_000).collect();
        for (x, share) in found.iter().zip(per_mille) {
            // published to three digits, one of them (0.155) rounded up from 0.1544
            assert!((x - share * 705_404).abs() <= 705_404, "{found:?} is not {per_mille:?}");
        }
    };
    let by = |w| RiskAware::new(w, HaircutCaps::NONE).unwrap();
    check(&by(RiskWeight::Linear), [164, 589, 246]);
    check(&by(RiskWeight::Power(1)), [164, 589, 246]);
    check(&by(RiskWeight::Power(2)), [155, 498, 348]);
    check(&by(RiskWeight::Tail { above: Ppb(900_000_000), quantum: 0 }), [149, 114, 737]);
    // pro-rata at h = 0.0913
    let s = allocate(&ProRataAllocation, &deficit(705_404), &book);
    for ((_, x), p) in haircuts(&s).iter().zip(&book) {
        assert!((x * 10_000 - 913 * p.gain.get()).abs() < p.gain.get(), "{x}");
    }
}

/// No whole allocation has a smaller largest share of equity: every one of a small book is tried.
#[test]
fn the_least_largest_share() {
    fn smallest(left: i128, rest: &[(i128, i128)], share: (i128, i128)) -> Option<(i128, i128)> {
        let Some(((most, equity), others)) = rest.split_first() else { return (left == 0).then_some(share) };
        let with = |x| {
            let worse = if x * share.1 > share.0 * equity { (x, *equity) } else { share };
            smallest(left - x, others, worse)
        };
        (0..=left.min(*most)).filter_map(with).min_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1)))
    }
    let books: [&[(i128, i128)]; 4] = [
        &[(5, 3), (4, 10), (9, 7)],
        &[(3, 1), (3, 1), (3, 100)],
        &[(2, 9), (7, 2), (5, 5), (1, 40)],
        &[(6, 6), (6, 6), (6, 6)],
    ];
    for book in books {
        let payers: Vec<Payer> = (1..)
            .zip(book)
            .map(|(g, (w, e))| payer(g, -i64::try_from(*w).unwrap(), 9, 9, *e, 1, 1))
            .collect();
        let all: i128 = book.iter().map(|x| x.0).sum();
        for size in 1..=all {
            let s = allocate(&LeastShare, &close_out(i64::try_from(size).unwrap()), &payers);
            let share = |(g, x): (u32, i64)| (i128::from(x.abs()), book[g as usize - 1].1);
            let found =
                closes(&s).into_iter().map(share).max_by(|a, b| (a.0 * b.1).cmp(&(b.0 * a.1))).unwrap();
            let best = smallest(size, book, (0, 1)).unwrap();
            assert_eq!(found.0 * best.1, best.0 * found.1, "{book:?} {size}: {found:?}, best {best:?}");
        }
    }
}

/// No haircuts with as large a sum have smaller squares: moving a unit from anyone to anyone does not help.
#[test]
fn the_least_squares() {
    let book: Vec<Payer> = [(1, 900_000), (2, 300_000), (3, 100_000), (4, 2_000_000)]
        .map(|(g, gain)| payer(g, -1, gain * 1_000_000, gain * 1_000_000, 1, 1, 1))
        .to_vec();
    for need in [1_000, 500_000, 1_500_000, 3_000_000] {
        let taken = haircuts(&allocate(&LeastSquares, &deficit(need * 1_000_000), &book));
        let h: Vec<f64> =
            taken.iter().map(|(g, x)| *x as f64 / book[*g as usize - 1].gain.get() as f64).collect();
        // at the optimum h / w is the same for all whose h is below one, and no larger for the others
        let rates: Vec<(f64, bool)> = h
            .iter()
            .zip(&taken)
            .map(|(h, (g, _))| (h / book[*g as usize - 1].gain.get() as f64, *h < 1.0))
            .collect();
        let open = rates.iter().filter(|r| r.1).map(|r| r.0).fold(0.0, f64::max);
        for (rate, below) in &rates {
            assert!(
                if *below { (rate / open - 1.0).abs() < 1e-3 } else { *rate <= open * 1.001 || open == 0.0 },
                "{need}: {rates:?}"
            );
        }
    }
}

/// The same paper's two rounds of a death spiral: equities 60 and 40 at leverage 2 and 6, a deficit of 40; weights by lambda squared
/// take 5.7 and 34.3.
#[test]
fn a_round_of_the_death_spiral() {
    let book = [
        payer(1, 1, 600_000, 600_000, 600_000, 1_200_000, 1),
        payer(2, 1, 400_000, 400_000, 400_000, 2_400_000, 1),
    ];
    let linear = RiskAware::new(RiskWeight::Linear, HaircutCaps::NONE).unwrap();
    let s = allocate(&linear, &deficit(400_000), &book);
    assert_eq!(haircuts(&s), [(1, 57_143), (2, 342_857)]); // 5.7 and 34.3 of 40
    let s = allocate(&ProRataAllocation, &deficit(400_000), &book);
    assert_eq!(haircuts(&s), [(1, 240_000), (2, 160_000)]);
}

/// M. Campbell, A. Hey, C. Moallemi, M. Nutz, arXiv:2603.15963, section 4: four accounts that share margin over two markets, one
/// factor v. Equity and leverage to the factor before as computed with the authors' solver; the sizes of 8, 10, 8 and 7 BTC
/// follow from gross leverage and leverage to the factor. One unit is a millionth of a BTC, exposures in millionths.
#[test]
fn levelled_leverage_as_published() {
    let equity = [242_100.0, 143_000.0, 180_704.8, 116_901.0];
    let leverage =
        [0.487_449_941_658_161_1, 0.411_034_496_090_713_5, 0.656_614_624_735_426_2, 0.072_469_464_823_118_99];
    let sizes = [8_000_000_u128, 10_000_000, 8_000_000, 7_000_000];
    let million = |x: f64| (x * 1e12).round() as i128;
    let holders: Vec<Exposed> = (0..4)
        .map(|i| Exposed {
            exposure: million(equity[i] * leverage[i]),
            equity: (equity[i] * 10.0) as u128,
            most: sizes[i],
            rank: i as u32,
        })
        .collect();
    // v = 6653.950292353238 a BTC
    let check = |total: u128, published: [f64; 4], eta: f64| {
        let closed = level_exposure(total, 6_653_950_292, &holders).unwrap();
        assert_eq!(closed.iter().sum::<u128>(), total);
        for (x, y) in closed.iter().zip(published) {
            assert!((*x as f64 - y * 1e6).abs() <= 2.0, "{closed:?} is not {published:?}");
        }
        for (h, x) in holders.iter().zip(&closed).filter(|(h, x)| **x > 0 && **x < h.most) {
            let left = (h.exposure - *x as i128 * 6_653_950_292) as f64 / 1e11 / h.equity as f64;
            assert!((left - eta).abs() < 1e-6, "{left} is not {eta}");
        }
    };
    check(5_000_000, [0.232_423_917_202_386, 0.0, 4.767_576_082_836_687, 0.0], 0.481_061_931_778_695_16);
    check(15_000_000, [5.433_101_084_737_146, 1.566_898_915_279_229_2, 8.0, 0.0], 0.338_124_933_185_747_05);
}

#[test]
fn caps_and_floors() {
    let held = |group, gain: i128, equity: i128, maintenance: i128| Payer {
        maintenance: Amount::new(maintenance),
        ..payer(group, -10, gain, gain, equity, 1_000, -1_000)
    };
    let book = [held(1, 100, 300, 100), held(2, 100, 120, 100), held(3, 300, 500, 100), held(4, 80, 90, 100)];
    let check = |part, floor, need, expected: &[(u32, i128)], residual| {
        let policy = CappedProRata::new(HaircutCaps::new(Ppb(part), Ppb(floor)).unwrap());
        let s = check_allocation(&policy, &deficit(need), &book, Promises::NONE).unwrap();
        assert_eq!((haircuts(&s).as_slice(), s.residual), (expected, residual));
    };
    check(1_000_000_000, 0, 58, &[(1, 10), (2, 10), (3, 30), (4, 8)], 0);
    check(1_000_000_000, 1_000_000_000, 140, &[(1, 30), (2, 20), (3, 90)], 0); // 4 is below its maintenance
    check(500_000_000, 1_000_000_000, 500, &[(1, 50), (2, 20), (3, 150)], 280);
    check(1, 0, 500, &[], 500); // a part of less than an atom
    for (part, floor) in [(0, 0), (-1, 0), (1_000_000_001, 0), (1, -1), (1, 1_000_000_000_001)] {
        assert!(HaircutCaps::new(Ppb(part), Ppb(floor)).is_err());
    }
}

#[test]
fn severities() {
    let book = [payer(1, -10, 900, 900, 900, 1_000, -1_900), payer(2, -10, 600, 600, 900, 1_000, -1_600)];
    let check = |rule, need, taken| {
        let policy = Severity::new(rule, Box::new(ProRataAllocation)).unwrap();
        let s = check_allocation(&policy, &deficit(need), &book, Promises::NONE).unwrap();
        assert_eq!((need - s.residual, s.residual), (taken, need - taken), "{rule:?}");
        // a close-out passes whole
        assert_eq!(allocate(&policy, &close_out(13), &book).residual, 0);
    };
    check(SeverityRule::Needed, 700, 700);
    check(SeverityRule::Needed, 1_700, 1_500);
    check(SeverityRule::Fixed(Ppb(333_333_333)), 1_000, 334); // up
    check(SeverityRule::Fixed(Ppb(1)), 1, 1);
    check(SeverityRule::Anarchy { ratio: Ppb(500_000_000) }, 5_000, 500); // a third: half of what stays
    check(SeverityRule::Anarchy { ratio: Ppb(500_000_000) }, 400, 400);
    check(SeverityRule::Anarchy { ratio: Ppb(1) }, 400, 0);
    let part = |first, least, forget| SeverityRule::BackOff {
        first: Ppb(first),
        keep: HALF,
        least: Ppb(least),
        forget: Millis(forget),
    };
    for bad in [
        SeverityRule::Fixed(Ppb::ZERO),
        SeverityRule::Fixed(Ppb(1_000_000_001)),
        SeverityRule::Anarchy { ratio: Ppb::ZERO },
        part(0, 0, 1),
        part(1, 2, 1),
        part(2, 1, 0),
    ] {
        assert!(Severity::new(bad, Box::new(CarryDeficit)).is_err(), "{bad:?}");
    }
}

/// One market's episode is not another's, and time that does not move is still the same episode.
#[test]
fn a_back_off_remembers_by_market() {
    let book = [payer(1, -10, 9_000, 9_000, 900, 1_000, -1_900)];
    let rule =
        SeverityRule::BackOff { first: Ppb::ONE, keep: HALF, least: Ppb(300_000_000), forget: Millis(100) };
    let policy = Severity::new(rule, Box::new(ProRataAllocation)).unwrap();
    let mut memory = MapMemory::default();
    let mut taken = |market: Option<u32>, time, amount| {
        let need = Need { market: market.map(MarketId), asset: AssetId(0), ..deficit(amount) };
        let at = At { time: Millis(time), ..At::default() };
        let s = memory.with(Slot(1), |m| policy.allocate(at, &need, &book.as_slice(), m)).unwrap();
        amount - s.residual
    };
    assert_eq!([taken(Some(1), 0, 100), taken(Some(1), 0, 100), taken(Some(1), 50, 100)], [100, 50, 30]);
    assert_eq!([taken(Some(2), 50, 100), taken(None, 50, 100)], [100, 100]);
    assert_eq!([taken(Some(1), 120, 0), taken(Some(1), 151, 100)], [0, 100]); // nothing needed keeps nothing going
}

#[test]
fn bad_parameters() {
    let refused = |w| RiskAware::new(w, HaircutCaps::NONE).is_err();
    assert!(refused(RiskWeight::Power(0)) && refused(RiskWeight::Power(9)));
    for (above, quantum) in [(0, 0), (-1, 0), (1_000_000_000_001, 0), (1, 19), (1, -19)] {
        assert!(refused(RiskWeight::Tail { above: Ppb(above), quantum }));
    }
}

/// What every policy does with nobody, one, equals, accounts without equity, and numbers at the limits.
#[test]
fn odd_books() {
    let top = 1_i128 << 120;
    let p = |group, lots, gain, equity| payer(group, lots, gain, gain.max(0), equity, 1_000, -1_000);
    let same_name_apart = [p(7, -5, 40, 80), p(7, -5, 40, 80)];
    let books: [(&str, Vec<Payer>); 8] = [
        ("nobody", vec![]),
        ("losers", vec![p(1, -10, -50, 100), p(2, 10, 0, 100)]),
        ("one", vec![p(1, -10, 50, 100)]),
        ("ties", (1..6).map(|g| p(g, -10, 50, 100)).collect()),
        ("no equity", vec![p(1, -10, 50, 0), p(2, -10, 60, -100), p(3, -10, 70, 100)]),
        ("no notional", vec![payer(1, -10, 50, 50, 100, 0, 0), payer(2, -10, 50, 50, 0, 0, 0)]),
        ("no lots", vec![p(1, 0, 50, 100)]),
        (
            "the limits",
            vec![
                payer(1, -i64::MAX, top, top, top, top, -top),
                payer(2, -1, 1, 1, 1, 1, -1),
                payer(3, -i64::MAX, 1, 1, top, 1, -top),
                payer(4, -1, top, 1, -top, top, -1),
            ],
        ),
    ];
    for (name, policy) in all() {
        for (book, payers) in &books {
            for need in [
                deficit(0),
                deficit(1),
                deficit(7),
                deficit(1 << 120),
                close_out(0),
                close_out(7),
                close_out(-7),
                close_out(i64::MAX),
            ] {
                if let Err(e) = check_allocation(policy.as_ref(), &need, payers, Promises::NONE) {
                    panic!("{name}, {book}, {need:?}: {e}");
                }
            }
        }
        let negative = MapMemory::default()
            .with(Slot(1), |m| policy.allocate(At::default(), &deficit(-1), &books[2].1.as_slice(), m));
        assert!(matches!(negative, Err(LiquidationError::Parameter { .. })), "{name}: {negative:?}");
        // an account that stands twice pays at most what it has as each, and the sum stays exact
        let s = allocate(policy.as_ref(), &deficit(70), &same_name_apart);
        assert_eq!(haircuts(&s).iter().map(|h| h.1).sum::<i128>() + s.residual, 70, "{name}");
    }
    // without equity first, then by leverage
    let s = allocate(&LevelLeverage, &close_out(25), &books[4].1);
    assert_eq!(closes(&s), [(1, 10), (2, 10), (3, 5)]);
    // and the weight of those with equity is not lost beside theirs: 60 of 70 is all that is left for the third
    let linear = RiskAware::new(RiskWeight::Linear, HaircutCaps::NONE).unwrap();
    let s = allocate(&linear, &deficit(170), &books[4].1);
    assert_eq!(haircuts(&s), [(1, 50), (2, 60), (3, 60)]);
}

/// gain x g of one payer, times the equity of all (so that it is whole): by another way than the policy's, without rounding.
fn exact_weights(book: &[Payer], g: fn(u128, u128) -> u128, power: u32) -> Vec<BigUint> {
    let equity = |p: &Payer| p.equity.get().unsigned_abs();
    let weight = |p: &Payer| {
        let others = book
            .iter()
            .filter(|q| q.group != p.group)
            .fold(BigUint::from(1_u32), |x, q| x * BigUint::from(equity(q)).pow(power));
        others * p.gain.get().unsigned_abs() * g(p.notional.get().unsigned_abs(), equity(p))
    };
    book.iter().map(weight).collect()
}

proptest! {
    /// Nobody pays more than its exact share rounded up (INV-27), where no cap is in the way.
    #[test]
    fn at_most_one_unit_above_the_exact_share(
        parts in prop::collection::vec((1_i128..1 << 40, 1_i128..1 << 40, 1_i128..1 << 40), 1..7),
        per_million in 1_u128..1_000_000,
    ) {
        let build = |(i, (gain, equity, notional))| payer(i, -1, gain, gain, equity, notional, -1);
        let book: Vec<Payer> = (1..).zip(parts).map(build).collect();
        let tail = RiskWeight::Tail { above: Ppb::ONE, quantum: 0 };
        let by = |w| Box::new(RiskAware::new(w, HaircutCaps::NONE).unwrap());
        let rules: [(Box<dyn LossAllocation>, Vec<BigUint>); 3] = [
            (Box::new(LeveredProRata), exact_weights(&book, |n, _| n, 1)),
            (by(RiskWeight::Linear), exact_weights(&book, |n, _| n * n, 2)),
            (by(tail), exact_weights(&book, |n, e| n * n.saturating_sub(e), 2)),
        ];
        for (policy, weights) in rules {
            let sum: BigUint = weights.iter().sum();
            let gains: Vec<u128> = book.iter().map(|p| p.gain.get().unsigned_abs()).collect();
            // the largest need at which no share is above its gain, and a part of it
            let fits = gains.iter().zip(&weights).filter(|(_, w)| **w > BigUint::ZERO).map(|(g, w)| &sum * *g / w).min();
            let Some(fits) = fits.and_then(|x| u128::try_from(x).ok()) else { continue };
            let need = fits * per_million / 1_000_000;
            let s = allocate(policy.as_ref(), &deficit(i128::try_from(need).unwrap()), &book);
            prop_assert_eq!(s.residual, 0);
            for (group, x) in haircuts(&s) {
                let (above, w) = (x.unsigned_abs() - 1, &weights[group as usize - 1]);
                prop_assert!(&sum * above < w * need, "{:?}: {} pays {}", policy, group, x);
            }
        }
    }
}
