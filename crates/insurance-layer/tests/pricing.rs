//! Prices and tranches against published numbers and against their laws.

use cofferdam_core::{AssetId, EventId, GroupId, LayerId, Millis, Ppb, Quanta};
use cofferdam_insurance_layer::{
    ExcessOfLoss, InsuranceLayer, Loss, LossCause, StakePool, StakeTerms, Standing, by_seniority, pricing,
};
use proptest::prelude::*;

const DAY: u64 = 86_400_000;

/// A table of the unit tests of Nexus Mutual's staking pool (test/unit/StakingPool/calculatePremium.js): days since the last sale, what is
/// sold of 50,000, base price, price after it and premium of a year, in basis points and whole units.
#[test]
fn prices_move_with_what_is_sold_as_published() {
    let price = pricing::UtilisationPrice {
        target: Ppb(20_000_000),
        bump: Ppb(50_000_000),
        fall_per_day: Ppb(5_000_000),
    };
    let mut last = Ppb(20_000_000);
    for (days, amount, base_bp, bumped_bp, premium) in [
        (183, 2_400, 200, 224, 48),
        (1, 12_000, 200, 320, 240),
        (2, 12_000, 220, 340, 264),
        (5, 12_000, 200, 320, 240),
        (2, 8_000, 220, 300, 176),
        (4, 2_400, 200, 224, 48),
    ] {
        let base = price.base(last, Millis(days * DAY)).unwrap();
        assert_eq!(base, Ppb(base_bp * 100_000), "after {days} days");
        assert_eq!(price.premium(base, Quanta::new(amount), Millis(365 * DAY)), Ok(Quanta::new(premium)));
        last = price.bumped(base, Quanta::new(amount), Quanta::new(50_000)).unwrap();
        assert_eq!(last, Ppb(bumped_bp * 100_000), "after {amount}");
    }
}

/// Events of so much each: what a band pays of every one.
#[track_caller]
fn check(layer: ExcessOfLoss, events: &[i128], pays: &[i128]) {
    let (mut drawn, mut total, mut said) = (0, 0, Vec::new());
    for (i, amount) in events.iter().enumerate() {
        let loss = Loss {
            event: Some(EventId(u32::try_from(i).unwrap())),
            of: None,
            market: None,
            asset: AssetId(0),
            cause: LossCause::Bankruptcy,
            amount: Quanta::new(*amount),
            event_before: Quanta::ZERO,
            total_before: Quanta::new(total),
        };
        let standing = Standing {
            layer: LayerId(1),
            capacity: Quanta::new(1 << 60),
            drawn_event: Quanta::ZERO,
            drawn_total: Quanta::new(drawn),
        };
        let answer = layer.respond(&loss, loss.amount, &standing).unwrap().get();
        said.push(answer);
        (drawn, total) = (drawn + answer, total + amount);
    }
    assert_eq!(said, pays, "{layer:?}");
}

#[test]
fn a_limit_is_restored_as_often_as_it_says() {
    let layer = ExcessOfLoss::new(Quanta::new(2_000_000), Quanta::new(2_000_000)).unwrap();
    let events = [2_350_000, 3_000_000, 4_000_000, 3_000_000];
    // 2m in excess of 2m with one reinstatement, a worked example of the Chartered Insurance Institute (M97, ex. 5.15)
    check(layer.reinstated(1), &events, &[350_000, 1_000_000, 2_000_000, 650_000]);
    check(layer.reinstated(0), &events, &[350_000, 1_000_000, 650_000, 0]);
    check(layer, &events, &[350_000, 1_000_000, 2_000_000, 1_000_000]);
    check(layer.reinstated(u32::MAX), &events, &[350_000, 1_000_000, 2_000_000, 1_000_000]);
}

#[test]
fn a_price_without_sense_is_refused_by_its_field() {
    let q = Quanta::new;
    let said = [
        pricing::rate_on_line(q(1), q(0)).unwrap_err(),
        pricing::technical_premium(q(1), q(1), Ppb::ONE, Ppb(0)).unwrap_err(),
        pricing::technical_premium(q(-1), q(1), Ppb(0), Ppb(0)).unwrap_err(),
        pricing::capacity_from_gearing(q(5), Ppb(-1)).unwrap_err(),
        pricing::reinstatement_premium(q(1), q(10), q(11), None).unwrap_err(),
        pricing::reinstatement_premium(q(1), q(10), q(1), Some((Millis(2), Millis(1)))).unwrap_err(),
        pricing::fund_size(&[], Ppb(0), Ppb(1)).unwrap_err(),
        pricing::fund_size(&[q(-2)], Ppb(0), Ppb(1)).unwrap_err(),
        pricing::fund_size(&[q(1)], Ppb(0), Ppb(0)).unwrap_err(),
    ];
    let said: Vec<String> = said.iter().map(ToString::to_string).collect();
    assert_eq!(
        said,
        [
            "limit is 0; accepted is above zero",
            "expenses is 1; accepted is zero or more, below 1",
            "expected is -1; accepted is zero or more",
            "gearing is -0.000000001; accepted is zero or more",
            "used is 11; accepted is zero to the limit, 10",
            "left_of_term is 2; accepted is at most the term, which is above zero",
            "losses is none; accepted is at least one",
            "losses[0] is -2; accepted is zero or more",
            "shortfall is 0; accepted is above zero",
        ]
    );
}

const TERMS: StakeTerms = StakeTerms { cool_down: Millis(20), window: Millis(2), kept: Quanta::new(1) };

#[test]
fn cover_in_cool_down_is_there_until_its_window_and_does_not_count_beyond() {
    let mut pool = StakePool::new(TERMS).unwrap();
    let (anna, ben) = (GroupId(1), GroupId(2));
    let shares = pool.stake(anna, Quanta::new(600)).unwrap();
    pool.stake(ben, Quanta::new(401)).unwrap();
    assert_eq!(pool.ask_to_leave(anna, shares, Millis(100)), Ok(Millis(120)));
    let capacity = |pool: &StakePool, at| pool.capacity(Millis(at)).unwrap().get();
    assert_eq!([119, 120, 122, 123].map(|at| capacity(&pool, at)), [1_000, 400, 400, 1_000]);
    // who waits is slashed like everybody
    assert_eq!(pool.slash(Quanta::new(500)), Ok(Quanta::new(500)));
    assert!(pool.leave(anna, Millis(119)).unwrap_err().to_string().contains("the window from 120 to 122"));
    let got = pool.leave(anna, Millis(121)).unwrap().get();
    assert!((299..=300).contains(&got), "{got} of 300.3");
    assert!(pool.leave(anna, Millis(121)).is_err());
    assert!(pool.leave(ben, Millis(121)).is_err());
}

#[test]
fn who_stakes_first_cannot_take_what_the_next_one_stakes() {
    let mut pool = StakePool::new(TERMS).unwrap();
    pool.stake(GroupId(1), Quanta::new(1)).unwrap();
    // no way in but staking: a gift to the pool is a stake of somebody
    pool.stake(GroupId(1), Quanta::new(1_000_000)).unwrap();
    pool.stake(GroupId(2), Quanta::new(500)).unwrap();
    assert!(pool.worth(GroupId(2)).unwrap() >= Quanta::new(499));
}

#[derive(Clone, Debug)]
enum Op {
    Stake(u32, i128),
    Ask(u32, i128),
    Leave(u32),
    Slash(i128),
    Wait(u64),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        (0..4_u32, 1..10_000_i128).prop_map(|(who, x)| Op::Stake(who, x)),
        (0..4_u32, 1..100_i128).prop_map(|(who, percent)| Op::Ask(who, percent)),
        (0..4_u32).prop_map(Op::Leave),
        (0..5_000_i128).prop_map(Op::Slash),
        (1..25_u64).prop_map(Op::Wait),
    ]
}

proptest! {
    /// Nothing is created: what came in is there, was slashed or has left. Shares move by their owners alone; a slash takes none and
    /// falls on all alike; nobody gains by somebody else's coming or going more than a quantum.
    #[test]
    fn a_pool_pays_what_it_has(ops in prop::collection::vec(op(), 1..60)) {
        let mut pool = StakePool::new(TERMS).unwrap();
        let (mut now, mut came, mut went, mut slashed) = (Millis(0), 0, 0, 0);
        for op in ops {
            let before = pool.clone();
            match op {
                Op::Stake(who, x) => if pool.stake(GroupId(who), Quanta::new(x)).is_ok() { came += x },
                Op::Ask(who, percent) => {
                    let shares = pool.stake_of(GroupId(who)).shares * percent / 100;
                    let _ = pool.ask_to_leave(GroupId(who), shares, now);
                }
                Op::Leave(who) => went += pool.leave(GroupId(who), now).map_or(0, Quanta::get),
                Op::Slash(x) => {
                    slashed += pool.slash(Quanta::new(x)).unwrap().get();
                    for who in 0..4 {
                        prop_assert_eq!(pool.stake_of(GroupId(who)), before.stake_of(GroupId(who)));
                        prop_assert!(pool.worth(GroupId(who)).unwrap() <= before.worth(GroupId(who)).unwrap());
                    }
                }
                Op::Wait(ms) => now = Millis(now.0 + ms),
            }
            prop_assert_eq!(pool.assets().get(), came - went - slashed);
            let all: i128 = (0..4).map(|w| pool.worth(GroupId(w)).unwrap().get()).sum();
            prop_assert!(all <= pool.assets().get(), "{all} of {}", pool.assets());
            for at in [now, Millis(now.0 + 20), Millis(now.0 + 40)] {
                let capacity = pool.capacity(at).unwrap();
                prop_assert!(!capacity.is_negative() && capacity <= pool.assets());
            }
            if !matches!(op, Op::Slash(_)) {
                for who in 0..4 {
                    let own = match op { Op::Stake(w, _) | Op::Ask(w, _) | Op::Leave(w) => w == who, _ => false };
                    let (was, is) = (before.worth(GroupId(who)).unwrap().get(), pool.worth(GroupId(who)).unwrap().get());
                    prop_assert!(own || is >= was, "{op:?} cost {who} {was} -> {is}");
                }
            }
        }
    }

    #[test]
    fn seniors_bear_what_juniors_cannot(loss in 0..1_000_i128, tranches in prop::collection::vec(0..400_i128, 0..5)) {
        let held: Vec<Quanta> = tranches.iter().copied().map(Quanta::new).collect();
        let (borne, left) = by_seniority(Quanta::new(loss), &held).unwrap();
        prop_assert_eq!(borne.iter().map(|b| b.get()).sum::<i128>() + left.get(), loss);
        for (i, part) in borne.iter().enumerate() {
            // a senior bears something only once every junior has borne all
            prop_assert!(part.get() == 0 || borne[..i].iter().zip(&held).all(|(b, h)| b == h));
            prop_assert!(*part <= held[i]);
        }
    }

    /// The fund of this size costs no more than one a little smaller or larger, over the losses it was made from.
    #[test]
    fn a_fund_of_the_newsvendors_size_costs_least(
        losses in prop::collection::vec(0..1_000_i128, 1..40), cost in 0..60_i64, shortfall in 1..60_i64,
    ) {
        let held: Vec<Quanta> = losses.iter().copied().map(Quanta::new).collect();
        let size = pricing::fund_size(&held, Ppb(cost), Ppb(shortfall)).unwrap().get();
        let n = i128::try_from(losses.len()).unwrap();
        let costs = |k: i128| {
            let short: i128 = losses.iter().map(|d| (d - k).max(0)).sum();
            i128::from(cost) * k * n + i128::from(shortfall) * short
        };
        for k in 0..=1_000 {
            prop_assert!(costs(size) <= costs(k), "{size} costs {}, {k} costs {}", costs(size), costs(k));
        }
    }
}
