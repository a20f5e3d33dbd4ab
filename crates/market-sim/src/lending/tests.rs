//! Short synthetic crashes, where every figure can be checked by hand, and the laws of a run.

use super::*;
use crate::feed::FeedRule;
use cofferdam_core::MarketId;
use cofferdam_stack::StackConfig;

const USDC: AssetId = AssetId(0);
const POOL: PoolId = PoolId(0);
const MINUTE: u64 = 60_000;

/// The stack of `lending.toml`, with or without interest.
fn stack(interest: bool) -> RiskStack {
    let text = include_str!("../../../../examples/eth-january-2021/stacks/lending.toml");
    let plain = text.replace("\"0.04\"", "\"0\"").replace("\"0.75\"", "\"0\"");
    assert_ne!(text, plain, "both slopes are in the file");
    let text = if interest { text } else { &plain };
    StackConfig::from_toml(text, "lending.toml").unwrap().build().unwrap().stack
}

/// Prices in whole dollars, one per minute, without a spread.
fn minutes(prices: impl IntoIterator<Item = i64>) -> Minutes {
    let mid: Vec<i64> = prices.into_iter().map(|p| p * 1_000).collect();
    let n = mid.len();
    let time_ms = (0..n as u64).map(|i| 1_610_000_000_000 + i * MINUTE).collect();
    Minutes {
        time_ms,
        bid: mid.clone(),
        ask: mid.clone(),
        mid,
        long: vec![0; n],
        short: vec![0; n],
        ..Minutes::default()
    }
}

/// One borrower of 100 ETH at 1,000 with a loan of 70,000 USDC.
fn alone() -> LendingScenario {
    LendingScenario {
        borrowers: 1,
        collateral_total: 100.0,
        opening_ltv: [0.7, 0.7, 0.7],
        opening_ms: 1,
        followers: 0.0,
        utilisation: 0.5,
        supply_step: Amount::new(1),
        sale_fee: 0.0,
        gas: Amount::ZERO,
        fund: Amount::ZERO,
        depth_usd: 1e12,
        check_every: 1,
        ..LendingScenario::default()
    }
}

fn run(minutes: &Minutes, scenario: &LendingScenario) -> LendingOutcome {
    run_lending(minutes, stack(false), scenario, &mut ()).unwrap()
}

const USD: i128 = 1_000_000;

#[test]
fn a_borrower_is_liquidated_in_parts() {
    // 70,000 / 0.825 = 84,848: below at 840
    let fall = (0..200).map(|i| if i < 100 { 1_000 } else { 840 });
    let o = run(&minutes(fall), &alone());
    assert_eq!(o.totals.borrowed, 70_000 * USD);
    assert_eq!((o.totals.liquidations, o.totals.full), (1, 0), "half of it makes the account healthy again");
    assert_eq!(o.totals.repaid, 35_000 * USD);
    // 35,000 / 840 x 1.05 of 100 ETH; the house gets a tenth of the bonus
    assert_eq!(o.totals.seized_value, 36_750 * USD, "the last atom rounded up");
    assert_eq!(o.totals.fees_value / USD, 175, "a tenth of 1,750");
    assert_eq!((o.totals.bad_debt, o.totals.written_down, o.borrowers_left), (0, 0, 1));
    assert_eq!(o.owed_left, 35_000 * USD);

    let further = (0..300).map(|i| if i < 100 { 1_000 } else { 850 - (i - 100) });
    let o = run(&minutes(further), &alone());
    assert!(o.totals.liquidations >= 3, "{:?}", o.totals);
    assert_eq!(o.totals.bad_debt, 0);
    assert!(o.totals.repaid > 60_000 * USD, "{:?}", o.totals);
}

#[test]
fn a_gap_is_borne_by_suppliers_to_the_atom() {
    // from 1,000 to 600 at once: 60,000 of collateral buys 60,000 / 1.05 of a debt of 70,000
    let gap = (0..200).map(|i| if i < 100 { 1_000 } else { 600 });
    let o = run(&minutes(gap.clone()), &alone());
    let paid = 57_142_857_143; // ceil(60,000 / 1.05), in atoms
    assert_eq!(o.totals.repaid, paid);
    assert_eq!(o.totals.bad_debt, 70_000 * USD - paid);
    assert_eq!(o.totals.written_down, o.totals.bad_debt);
    assert_eq!(
        o.pool_start.assets - o.pool_end.assets,
        o.totals.written_down,
        "exactly what was written down"
    );
    assert_eq!(o.pool_start.shares, o.pool_end.shares);
    assert_eq!((o.borrowers_left, o.deficit_left, o.totals.insured), (0, 0, 0));

    // a fund pays first
    let fund = Amount::new(10_000 * USD);
    let o = run(&minutes(gap), &LendingScenario { fund, ..alone() });
    assert_eq!(o.totals.insured, 10_000 * USD);
    assert_eq!(o.totals.written_down, 70_000 * USD - paid - 10_000 * USD);
    assert_eq!(o.fund_left, 0);
}

#[test]
fn nobody_bids_while_the_feed_is_too_high() {
    // the feed is an hour behind a fall of a third: what it shows is worth less than a bid would pay
    let fall = (0..300).map(|i| {
        if i < 100 {
            1_000
        } else if i < 130 {
            840
        } else {
            560
        }
    });
    let late = FeedRule { latency_ms: 60 * MINUTE, ..FeedRule::default() };
    let o = run(&minutes(fall.clone()), &LendingScenario { feed: late, ..alone() });
    assert!(o.unwanted_minutes_max >= 30, "{}", o.unwanted_minutes_max);
    assert!(o.totals.bad_debt > 0);
    let prompt = run(&minutes(fall), &alone());
    assert!(prompt.totals.bad_debt < o.totals.bad_debt);
}

fn crowd() -> (Minutes, LendingScenario) {
    let prices =
        (0..400).map(|i| if i < 120 { 1_000 + i % 7 } else { (1_000 - (i - 120) * 2).max(650) - i % 5 });
    let scenario = LendingScenario {
        borrowers: 60,
        collateral_total: 20_000.0,
        opening_ms: 100 * MINUTE,
        depth_usd: 20e6,
        fund: Amount::new(1_000 * USD),
        check_every: 1,
        bar_ms: 60 * MINUTE,
        ..LendingScenario::default()
    };
    (minutes(prices), scenario)
}

#[test]
fn followers_borrow_back_up_until_they_are_liquidated() {
    // up by half over a day, then down to where the first loan would still have been safe
    let day = 1_440;
    let prices = (0..2 * day + 100).map(|i| {
        if i < day / 2 {
            1_000
        } else if i < 2 * day {
            1_500
        } else {
            1_200
        }
    });
    let m = minutes(prices);
    let calm = run(&m, &alone());
    assert_eq!((calm.totals.followed, calm.totals.liquidations), (0, 0));
    let o = run(&m, &LendingScenario { followers: 1.0, ..alone() });
    assert_eq!(o.totals.followed, 1);
    assert_eq!(o.totals.borrowed, 105_000 * USD, "70 % of 150,000");
    assert_eq!(o.totals.liquidations, 1);
}

#[test]
fn the_same_seed_gives_the_same_hash() {
    let (m, s) = crowd();
    let of = |seed| run_lending(&m, stack(true), &LendingScenario { seed, ..s.clone() }, &mut ()).unwrap();
    let (a, b, c) = (of(1), of(1), of(2));
    assert_eq!(a, b);
    assert_ne!(a.state_hash, c.state_hash);
}

#[test]
fn what_suppliers_own_is_what_they_gave_earned_and_lost() {
    let (m, s) = crowd();
    let o = run_lending(&m, stack(true), &s, &mut ()).unwrap();
    assert!(o.totals.liquidations > 10 && o.totals.interest > 0, "{:?}", o.totals);
    let t = &o.totals;
    let off = o.pool_end.assets - (t.supplied + t.interest - t.written_down);
    // every loan, repayment and accrual rounds by less than an atom, for the pool but for the floor of its own sum
    let operations = t.liquidations + t.opened + i128::from(o.counts.inputs);
    assert!((-1..=operations).contains(&off), "{off} atoms after {operations} operations");
    assert_eq!(t.bad_debt, t.insured + t.written_down + o.deficit_left);
    assert_eq!(
        t.seized_value,
        o.events.iter().map(|e| e.forced).sum::<i128>(),
        "what events were charged with"
    );
    assert_eq!(o.bars.iter().map(|b| b.totals.repaid).sum::<i128>(), t.repaid);
    assert!(o.books_checked > 500 && o.postings_checked > 100);
}

#[test]
fn a_lost_atom_is_found() {
    use cofferdam_core::Posting;
    let mut shadow = conservation::Shadow::default();
    shadow.post(&Posting::transfer(Holder::Outside, Holder::Pool(POOL), Item::Asset(USDC), 5));
    shadow.step_done();
    assert_eq!(shadow.fault, None);
    shadow.compare(&stack(false).initial_state());
    assert!(shadow.fault.is_some(), "the state holds nothing of it");
    for postings in [
        vec![
            Posting::new(Holder::Outside, Item::Asset(USDC), -5),
            Posting::new(Holder::Pool(POOL), Item::Asset(USDC), 4),
        ],
        Posting::transfer(Holder::Group(GroupId(1)), Holder::Outside, Item::Asset(USDC), 1).to_vec(),
        vec![Posting::position(Holder::Outside, MarketId(1), 1, Quanta::ZERO)],
    ] {
        let mut shadow = conservation::Shadow::default();
        shadow.post(&postings);
        shadow.step_done();
        assert!(shadow.fault.is_some(), "{postings:?}");
    }
}

#[test]
fn parameters_without_meaning_are_refused() {
    let m = minutes([1_000, 1_000]);
    let bad = LendingScenario { utilisation: 1.0, ..alone() };
    let refused = run_lending(&m, stack(false), &bad, &mut ()).unwrap_err();
    assert_eq!(refused.to_string(), "lending scenario, utilisation: accepted is above 0, below 1");
    assert_eq!(
        steepest_fall(&minutes([5, 9, 3, 4, 1]), MINUTE),
        Some((1_610_000_000_000 + 3 * MINUTE, 1_610_000_000_000 + 4 * MINUTE))
    );
    let names: Vec<_> = variants(&alone(), &m).iter().map(|v| v.name).collect();
    assert_eq!(names.len(), 13);
}

/// A stack whose accounts are auctioned: keepers buy while the price falls, what is left goes home, and the book balances.
#[test]
fn keepers_buy_from_auctions() {
    let text = include_str!("../../../../crates/protocols/stacks/maker.toml");
    let stack = StackConfig::from_toml(text, "maker.toml").unwrap().build().unwrap().stack;
    let crash = minutes((0..10).map(|_| 1_000).chain((0..120).map(|_| 950)));
    let scenario = LendingScenario { opening_ltv: [0.68, 0.68, 0.68], ..alone() };
    let outcome = run_lending(&crash, stack, &scenario, &mut ()).unwrap();
    let t = &outcome.totals;
    assert!(t.liquidations >= 1 && outcome.borrowers_liquidated == 1, "{t:?}");
    // 68,000 and 13 % are raised, for less than 100 ETH at 950
    assert!(t.repaid >= 68_000 * USD && t.seized_value <= 95_000 * USD && t.bad_debt == 0, "{t:?}");
    assert_eq!(t.written_down, 0);
}
