//! The stable price: what it was seen to do at its source, and what always holds.

use cofferdam_core::*;
use cofferdam_oracle::conformance::{ask_at, quote};
use cofferdam_oracle::*;
use proptest::prelude::*;

const HOUR: u64 = 3_600_000;

fn params() -> StablePriceParams {
    StablePriceParams {
        growth: Ppb(300_000),
        delay_growth: Ppb(60_000_000),
        interval: Millis(HOUR),
        intervals: 24,
        update_min: Millis(10_000),
        update_max: Millis(600_000),
    }
}

struct Run {
    policy: Box<dyn PricePolicy>,
    memory: MapMemory,
}

impl Run {
    fn new(params: StablePriceParams) -> Self {
        let policy = StablePrice::new(Box::new(Latest::any()), params).unwrap();
        Self::of(Box::new(policy))
    }

    fn of(policy: Box<dyn PricePolicy>) -> Self {
        Self { policy, memory: MapMemory::default() }
    }

    fn at(&mut self, time: u64, price: i64) -> PriceView {
        let (quotes, ask) = ([quote(1, price, 0, time)], ask_at(time));
        let policy = &self.policy;
        let resolve = |memory: &mut Memory<'_>| policy.resolve(&ask, &quotes, &Reference::default(), memory);
        self.memory.with(Slot(1), resolve).unwrap()
    }
}

/// Time in seconds and the price then, from the start; the stable price expected after the last, in ticks, to within one in a million.
fn check(params: StablePriceParams, path: impl IntoIterator<Item = (u64, i64)>, want: i64) {
    let mut run = Run::new(params);
    let seen = path.into_iter().map(|(s, p)| run.at(s * 1_000, p).mid.get()).last().unwrap();
    assert!((seen - want).abs() <= want / 1_000_000, "{seen}, not {want}");
}

/// One second is 300 ppm, a price of a billion ticks.
#[test]
fn steps() {
    const ONE: i64 = 1_000_000_000;
    check(params(), [(0, ONE)], ONE);
    check(params(), [(0, ONE), (10, ONE * 10)], 1_003_000_000);
    check(params(), [(0, ONE), (10, 1)], 997_000_000);
    check(params(), [(0, ONE), (10, 1_002_000_000)], 1_002_000_000);
    check(params(), [(0, ONE), (9, ONE * 10)], ONE); // too soon
    check(params(), [(0, ONE), (9, ONE * 10), (10, ONE * 10)], 1_003_000_000); // and it did not restart the clock
    check(params(), [(0, ONE), (3_000, ONE * 10)], 1_180_000_000); // ten minutes at most
    // the second step is slowed by (1 / 1.18)^2: 1.18 + 1.18 x 0.18 x 0.718184
    check(params(), [(0, ONE), (600, ONE * 10), (1_200, ONE * 10)], 1_332_542_373);
    // never backwards in time
    check(params(), [(100, ONE), (50, ONE * 10)], ONE);
}

/// A silence thins the average out: an hour in which the price counted for ten minutes averages to a sixth of it, held at 6 %.
#[test]
fn silences_thin_the_average_out() {
    let hourly = |n: u64| (0..=n).map(|h| (h * 3_600, 1_000_000_000));
    check(params(), hourly(200), 1_000_000_000); // the price itself stands where its child stands
    let mut run = Run::new(params());
    let fast = StablePriceParams { growth: Ppb(1_600_000), ..params() };
    let mut thinned = Run::new(fast);
    for (run, step) in [(&mut run, 600), (&mut thinned, 3_600)] {
        (0..=48 * 3_600 / step).for_each(|i| _ = run.at(i * step * 1_000, 1_000_000_000));
    }
    // delayed 24 h: 1 against 0.94^24 = 0.2265, so a step is slower by the square of that
    let (a, b) = (run.at(49 * HOUR, 2_000_000_000), thinned.at(49 * HOUR, 2_000_000_000));
    assert_eq!(a.mid.get(), 1_180_000_000);
    assert!(
        (1_000_000_000 + 960_000_000 / 25..1_000_000_000 + 960_000_000 / 15).contains(&b.mid.get()),
        "{b:?}"
    );
}

/// The first step that is faster than the rate, leads past the price or is not an exact price cut to ticks.
fn too_fast(mut run: Run, path: &[(u64, i64)]) -> Option<String> {
    let (mut time, mut counted, mut before) = (0, 0, None::<i64>);
    for (after, price) in path {
        time += after;
        let view = run.at(time, *price);
        let now = view.mid.get();
        let from = before.unwrap_or(*price);
        let elapsed = if before.is_none() { 10_000 } else { time - counted };
        let span = if elapsed < 10_000 { 0 } else { i128::from(elapsed.min(600_000)) };
        // growth x seconds, on what the price was, plus the tick that it is cut to
        let most = (i128::from(from) + 1) * 300_000 * span / 1_000_000_000_000 + 1;
        let towards = now >= from.min(*price) - 1 && now <= from.max(*price) + 1;
        if i128::from(now.abs_diff(from)) > most
            || !towards
            || view.low != view.mid
            || view.high.get() - now > 1
        {
            return Some(format!("{from} to {now} in {span} ms, towards {price}"));
        }
        (counted, before) = (if elapsed < 10_000 { counted } else { time }, Some(now));
    }
    None
}

#[test]
fn a_price_without_the_rate_is_caught() {
    let path = [(0, 1_000), (10_000, 1_100)];
    assert!(too_fast(Run::of(Box::new(Latest::any())), &path).is_some());
    let jumpy = StablePriceParams { growth: Ppb(301_000), ..params() };
    assert!(too_fast(Run::new(jumpy), &[(0, 1_000_000), (600_000, 9_000_000)]).is_some());
    let eager = StablePriceParams { update_min: Millis(0), ..params() };
    assert!(too_fast(Run::new(eager), &[(0, 1_000_000), (9_999, 9_000_000)]).is_some());
}

proptest! {
    #[test]
    fn never_faster_than_the_rate(path in prop::collection::vec((0_u64..5_000_000, 1_i64..1_000_000_000_000), 2..80)) {
        prop_assert_eq!(too_fast(Run::new(params()), &path), None);
    }

    #[test]
    fn a_constant_price_is_reached_and_kept(path in prop::collection::vec((0_u64..1_000_000, 100_000_i64..1_000_000), 1..20), price in 100_000_i64..1_000_000) {
        let mut run = Run::new(params());
        let mut time = 0;
        for (after, price) in path {
            time += after;
            run.at(time, price);
        }
        // at most tenfold away: four days are more than enough, and then it stays
        for i in 0..6_u64 * 24 * 6 {
            time += 600_000;
            let view = run.at(time, price);
            if i > 4 * 24 * 6 {
                prop_assert_eq!((view.low.get(), view.mid.get(), view.high.get()), (price, price, price));
            }
        }
    }

    #[test]
    fn a_higher_path_is_never_lower_within_a_step(start in 1_i64..1_000_000_000, a in 1_i64..1_000_000_000, b in 1_i64..1_000_000_000, after in 0_u64..1_000_000) {
        let at = |price| {
            let mut run = Run::new(params());
            run.at(0, start);
            run.at(after, price).mid
        };
        prop_assert!(at(a.min(b)) <= at(a.max(b)));
    }

    #[test]
    fn a_hull_holds_both(prices in prop::collection::vec((0_u64..1_000_000, 1_i64..1_000_000), 1..40)) {
        let stable = || Box::new(StablePrice::new(Box::new(Latest::any()), params()).unwrap());
        let hull = Hull::new(Box::new(Latest::any()), stable());
        let (mut one, mut memory, mut time) = (Run::new(params()), MapMemory::default(), 0);
        for (after, price) in prices {
            time += after;
            let quotes = [quote(1, price, 0, time)];
            let view = memory.with(Slot(1), |m| hull.resolve(&ask_at(time), &quotes, &Reference::default(), m)).unwrap();
            let slow = one.at(time, price);
            prop_assert_eq!(view.mid.get(), price);
            prop_assert_eq!((view.low, view.high), (slow.low.min(view.mid), slow.high.max(view.mid)));
        }
    }
}

#[test]
fn a_hull_is_as_bad_as_the_worse() {
    let staleness =
        StalenessParams { aged_after: Some(Millis(5)), stale_after: None, future_tolerance: Millis(0) };
    let aged = Staleness::new(Box::new(Latest::of(SourceId(2))), staleness).unwrap();
    let hull = Hull::new(Box::new(Latest::of(SourceId(1))), Box::new(aged));
    let at = |quotes: &[Quote]| {
        conformance::resolve_once(&hull, &ask_at(10), quotes, &Reference::default()).unwrap()
    };
    let view = at(&[quote(1, 100, 2, 10), quote(2, 90, 1, 3)]);
    assert_eq!((view.low.get(), view.mid.get(), view.high.get()), (89, 100, 102));
    assert_eq!((view.state, view.as_of), (PriceState::Aged, Millis(3)));
    assert_eq!(at(&[quote(1, 100, 0, 10)]).state, PriceState::Missing);
    assert_eq!(at(&[quote(1, 0, 0, 10), quote(2, 90, 0, 10)]).state, PriceState::Invalid);
}

#[test]
fn refused() {
    let day = Millis(86_400_001);
    let bad = [
        (StablePriceParams { growth: Ppb(-1), ..params() }, "growth"),
        (StablePriceParams { growth: Ppb(1_666_667), ..params() }, "growth"),
        (StablePriceParams { delay_growth: Ppb(-1), ..params() }, "delay_growth"),
        (StablePriceParams { delay_growth: Ppb(1_000_000_000_001), ..params() }, "delay_growth"),
        (StablePriceParams { interval: Millis(0), ..params() }, "interval"),
        (StablePriceParams { interval: day, ..params() }, "interval"),
        (StablePriceParams { intervals: 0, ..params() }, "intervals"),
        (StablePriceParams { intervals: 49, ..params() }, "intervals"),
        (StablePriceParams { update_max: Millis(0), ..params() }, "update_max"),
        (StablePriceParams { update_max: day, ..params() }, "update_max"),
        (StablePriceParams { update_max: Millis(9_999), ..params() }, "update_max"),
    ];
    for (params, field) in bad {
        let refused = StablePrice::new(Box::new(Latest::any()), params).unwrap_err();
        assert!(matches!(refused, OracleError::Parameter { field: f, .. } if f == field), "{refused}");
    }
    let least = StablePriceParams { growth: Ppb(1_666_666), intervals: 48, ..params() };
    assert!(StablePrice::new(Box::new(Latest::any()), least).is_ok());
}
