//! Fluid: many borrowers liquidated in one call, from the worst downwards to one level; the level against exact fractions; what is refused.
//!
//! No number here is the venue's own: levels are derived, by a second computation in fractions that shares no code.

use cofferdam_core::{AssetId, GroupId, PoolId, Ppb};
use cofferdam_protocols::{
    fluid::{LevelDown, LevelTerms},
    preset,
};
use cofferdam_stack::{Answer, Body, Fact, Reason, StackConfig};
use cofferdam_testkit::Scene;
use num_bigint::BigInt;
use num_rational::BigRational;
use proptest::prelude::*;

const KEEPER: u32 = 2;
const PRICE: i128 = 1830;

fn terms() -> LevelTerms {
    let (threshold, limit, penalty) = (Ppb(920_000_000), Ppb(950_000_000), Ppb(10_000_000));
    LevelTerms { pool: PoolId(0), debt: AssetId(0), threshold, limit, penalty }
}

fn exact(x: i128) -> BigRational {
    BigRational::from_integer(BigInt::from(x))
}

/// A lender, a keeper, and borrowers from group 10 on with 10 ETH each, at 2,000.
fn stage(debts: &[i128]) -> Scene {
    let mut scene = Scene::new(&preset("fluid").unwrap().config().unwrap());
    let _ = scene.quote("ETH", "2000");
    let _ = scene.deposit(1, "USDC", "1000000");
    assert_eq!(scene.supply(1, "usdc-pool", "USDC", "1000000"), Answer::Done);
    let _ = scene.deposit(KEEPER, "USDC", "200000");
    for (group, debt) in (10..).zip(debts) {
        let _ = scene.deposit(group, "ETH", "10");
        assert_eq!(scene.borrow(group, "usdc-pool", "USDC", &debt.to_string()), Answer::Done, "{group}");
    }
    scene
}

fn across(scene: &mut Scene, repay: &str, least: &str) -> Answer {
    let (debt, collateral) = (scene.asset("USDC"), scene.asset("ETH"));
    let (repay, at_least) = (scene.atoms("USDC", repay), scene.atoms("ETH", least));
    scene.send(Body::BidAcross { keeper: GroupId(KEEPER), debt, repay, collateral, at_least }).answer
}

/// Debt per collateral at a price, in fractions; nobody waited, so a scaled unit is an atom.
fn level(scene: &Scene, group: u32, price: i128) -> BigRational {
    let account = scene.bench().state().book().load(GroupId(group));
    let debt: i128 = account.debts().iter().map(|d| i128::try_from(d.scaled.get()).unwrap()).sum();
    let held =
        account.balances().iter().find(|b| b.asset == scene.asset("ETH")).map_or(0, |b| b.amount.get());
    exact(debt) * exact(10_i128.pow(12)) / (exact(held) * exact(price))
}

/// The level at which a bid of `repay` is used up, where all have collateral worth `worth`: each above pays (d - L w) / (1 - L f), so
/// that L = (sum d - R) / (k w - R f) for the k highest, with the k for which that is consistent.
fn used_up(debts: &[i128], worth: i128, repay: i128) -> BigRational {
    let factor = BigRational::new(101.into(), 100.into());
    let mut sorted = debts.to_vec();
    sorted.sort_unstable_by(|a, b| b.cmp(a));
    for k in 1..=sorted.len() {
        let (sum, count) = (sorted[..k].iter().sum::<i128>(), i128::try_from(k).unwrap());
        let found = (exact(sum) - exact(repay)) / (exact(count * worth) - exact(repay) * factor.clone());
        let above = |d: i128| exact(d) > found.clone() * exact(worth);
        if above(sorted[k - 1]) && sorted.get(k).is_none_or(|d| !above(*d)) {
            return found;
        }
    }
    panic!("no level uses {repay} up");
}

const DEBTS: [i128; 8] = [17_350, 17_300, 17_250, 17_200, 17_100, 17_000, 16_950, 16_000];

/// The eighth owes 87 % and is not liquidatable; bids that do not pay for all seven stop at a level above the threshold.
#[test]
fn many_borrowers_in_one_call_down_to_the_level_that_the_bid_pays_for() {
    let check = |repay: i128, reached: usize| {
        let mut scene = stage(&DEBTS);
        let _ = scene.quote("ETH", &PRICE.to_string());
        let before = scene.bench().history().steps.len();
        let paid = scene.balance(KEEPER, "USDC");
        assert_eq!(across(&mut scene, &repay.to_string(), "0"), Answer::Done, "{repay}");
        // one input, one step, a seizure from each that was above the level
        assert_eq!(scene.bench().history().steps.len(), before + 1);
        let facts = scene.bench().history().steps.last().map(|(_, facts)| facts).unwrap();
        let seized = facts.iter().filter(|f| matches!(f, Fact::Post { reason: Reason::Seizure, .. })).count();
        assert_eq!(seized, reached, "{repay}");
        let want = used_up(&DEBTS, 10 * PRICE, repay);
        for (group, i) in (10_u32..).zip(0..DEBTS.len()) {
            let at = level(&scene, group, PRICE);
            let near = BigRational::new(1.into(), 100_000_000.into());
            if i < reached {
                let miss = at.clone() - want.clone();
                assert!(miss <= near && -miss <= near, "{repay}: {group} is at {at}, not at {want}");
            } else {
                assert_eq!(at, exact(DEBTS[i]) / exact(10 * PRICE), "{repay}: {group} was touched");
                assert!(at <= want, "{repay}: {group} was passed over");
            }
        }
        let left =
            scene.atoms("USDC", &paid).get() - scene.atoms("USDC", &scene.balance(KEEPER, "USDC")).get();
        let whole = scene.atoms("USDC", &repay.to_string()).get();
        assert!(left <= whole && whole - left < 100_000, "{repay}: paid {left}: used up, below ten cents");
        scene.check();
    };
    check(500, 1);
    check(1_500, 2);
    check(4_500, 3);
    check(8_000, 4);
    check(14_000, 5);
    check(20_000, 6);
    check(30_000, 7);
}

#[test]
fn no_further_than_the_threshold_and_then_nobody() {
    let mut scene = stage(&DEBTS);
    let _ = scene.quote("ETH", &PRICE.to_string());
    assert_eq!(across(&mut scene, "200000", "17"), Answer::Done);
    let threshold = BigRational::new(92.into(), 100.into());
    for group in 10..17 {
        let at = level(&scene, group, PRICE);
        assert!(at <= threshold && threshold.clone() - at < BigRational::new(1.into(), 10_000_000.into()));
    }
    let again = format!("{:?}", across(&mut scene, "1000", "0"));
    assert!(again.contains("nobody is liquidated"), "{again}");
    scene.check();
}

#[test]
fn bids_that_are_refused_change_nothing() {
    let mut scene = stage(&DEBTS);
    let healthy = format!("{:?}", across(&mut scene, "1000", "0"));
    assert!(healthy.contains("nobody is liquidated"), "{healthy}");
    let _ = scene.quote("ETH", &PRICE.to_string());
    let hash = scene.bench().state().book().clone();
    for (repay, least, why) in [
        ("8000", "5", "BelowAsk"),
        ("200000.01", "0", "Insufficient"),
        ("0", "0", "Malformed"),
        ("-1", "0", "Malformed"),
    ] {
        let answer = format!("{:?}", across(&mut scene, repay, least));
        assert!(answer.contains(why), "{repay} for {least}: {answer}");
    }
    for group in 10..18 {
        assert_eq!(hash.load(GroupId(group)), scene.bench().state().book().load(GroupId(group)));
    }
    let usdc = scene.asset("USDC");
    let (repay, at_least) = (scene.atoms("USDC", "1"), scene.atoms("USDC", "0"));
    let same = Body::BidAcross { keeper: GroupId(KEEPER), debt: usdc, repay, collateral: usdc, at_least };
    assert!(format!("{:?}", scene.send(same).answer).contains("Malformed"));
    scene.check();
}

/// INV-22, INV-23: at the limit and above everything goes, and what that does not pay is the suppliers' at once.
#[test]
fn above_the_limit_a_borrower_is_closed_whole() {
    let mut scene = stage(&[17_350, 17_300, 15_000]);
    let _ = scene.quote("ETH", "1700"); // 102 %, 101.8 % and 88 %
    assert_eq!(across(&mut scene, "100000", "20"), Answer::Done);
    assert_eq!(scene.posted(Reason::BadDebt), 2);
    assert_eq!(
        (scene.balance(10, "ETH"), scene.balance(11, "ETH"), scene.balance(12, "ETH")),
        ("0".into(), "0".into(), "10".into())
    );
    // 20 ETH x 1,700 / 1.01, up for each of the two
    assert_eq!(scene.balance(KEEPER, "USDC"), "166336.633662");
    assert_eq!(scene.posted(Reason::WriteDown), 2);
    scene.check();
}

#[test]
fn parameters_outside_the_venues_are_refused_by_its_rule() {
    let check = |from: &str, to: &str, place: &str, rule: &str| {
        let text = preset("fluid").unwrap().stack;
        assert!(text.contains(from), "{from}");
        let config = StackConfig::from_toml(&text.replacen(from, to, 1), "fluid").unwrap();
        let error = config.build().map(|_| ()).unwrap_err().to_string();
        assert!(error.contains(place) && error.contains(rule), "{error}");
    };
    check("limit = \"0.95\"", "limit = \"0.988\"", "liquidation.limit", "liquidationMaxLimit");
    check("threshold = \"0.92\"", "threshold = \"0.95\"", "liquidation.threshold", "thresholds in order");
    check("penalty = \"0.01\"", "penalty = \"0.048\"", "liquidation.limit", "99.7 %");
}

proptest! {
    /// What is repaid brings an account to the level, by no more than roundings too far: against fractions.
    #[test]
    fn what_is_repaid_reaches_the_level(worth in 1_000_000_i128..1 << 80, over in 1_i64..30_000_000, level in 920_000_000_i64..950_000_000) {
        let debt = worth / 1_000_000_000 * i128::from(level + over) + worth % 1_000_000_000;
        let paid = LevelDown::new(terms()).unwrap().repaid(debt, worth, Ppb(level)).unwrap();
        let (l, f) = (BigRational::new(level.into(), 1_000_000_000.into()), BigRational::new(101.into(), 100.into()));
        let want = ((exact(debt) - l.clone() * exact(worth)) / (exact(1) - l * f)).max(exact(0)).min(exact(debt));
        prop_assert!(exact(paid) >= want);
        prop_assert!(exact(paid) - want.clone() <= exact(30) + want / exact(10_000_000));
    }
}
