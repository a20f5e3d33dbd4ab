//! Random trees of built-in policies keep the laws, guards only worsen, and a policy broken on purpose fails each law.

use cofferdam_core::*;
use cofferdam_oracle::conformance::{
    Law, Moment, ask_at, check, check_guard, hostile_moments, quote, resolve_once,
};
use cofferdam_oracle::*;
use proptest::prelude::*;

/// A tree written down, so that it can be built twice.
#[derive(Clone, Debug)]
enum Tree {
    Latest(Option<u32>),
    Index,
    Median(Vec<(Tree, u32)>, u64, u64),
    Fallback(Vec<Tree>, PriceState),
    Staleness(Box<Tree>, u64, u64),
    Confidence(Box<Tree>, i64, i64),
    DeviationFromIndex(Box<Tree>, i64),
    DeviationFrom(Box<Tree>, Box<Tree>, i64),
    RateOfChange(Box<Tree>, i64, u64),
    StepLimit(Box<Tree>, i64, u64),
    Ema(Box<Tree>, u64),
    Basis(Box<Tree>, u64),
    MeanBasis(Box<Tree>, u64, u8),
    FundingBasis(Box<Tree>, u64),
    Twap(Box<Tree>, u64, u8),
    StablePrice(Box<Tree>, u64, u8),
    Hull(Box<Tree>, Box<Tree>),
    Reciprocal(Box<Tree>, i128),
    Product(Box<Tree>, Box<Tree>, i128),
}

type Policy = Box<dyn PricePolicy>;

fn staleness(child: Policy, aged: u64, more: u64) -> Policy {
    let (aged_after, stale_after) = (Some(Millis(aged)), Some(Millis(aged + more)));
    let params = StalenessParams { aged_after, stale_after, future_tolerance: Millis(500) };
    Box::new(Staleness::new(child, params).unwrap())
}

fn rate_of_change(child: Policy, bound: i64, interval: u64) -> Policy {
    let params = RateOfChangeParams { bound: Ppb(bound), interval: Millis(interval) };
    Box::new(RateOfChange::new(child, params).unwrap())
}

fn deviation(child: Policy, against: Against, bound: i64) -> Policy {
    let params = DeviationParams {
        bound: Ppb(bound),
        reference_accept: PriceState::Wide,
        unchecked: PriceState::Thin,
    };
    Box::new(Deviation::new(child, against, params).unwrap())
}

fn build(tree: &Tree) -> Policy {
    match tree {
        Tree::Latest(source) => Box::new(source.map_or(Latest::any(), |s| Latest::of(SourceId(s)))),
        Tree::Index => Box::new(FromIndex),
        Tree::Median(voters, needed, wanted) => {
            let total: u64 = voters.iter().map(|v| u64::from(v.1)).sum();
            let needed = needed % total + 1;
            let wanted = needed + wanted % (total - needed + 1);
            let voters = voters.iter().map(|(t, weight)| Voter { policy: build(t), weight: *weight });
            Box::new(Median::new(voters.collect(), Quorum { needed, wanted }).unwrap())
        }
        Tree::Fallback(children, accept) => {
            Box::new(Fallback::new(children.iter().map(build).collect(), *accept).unwrap())
        }
        Tree::Staleness(child, aged, more) => staleness(build(child), *aged, *more),
        Tree::Confidence(child, bound, multiple) => {
            let params = ConfidenceParams { bound: Some(Ppb(*bound)), multiple: Ppb(*multiple) };
            Box::new(Confidence::new(build(child), params).unwrap())
        }
        Tree::DeviationFromIndex(child, bound) => deviation(build(child), Against::Index, *bound),
        Tree::DeviationFrom(child, other, bound) => {
            deviation(build(child), Against::Policy(build(other)), *bound)
        }
        Tree::RateOfChange(child, bound, interval) => rate_of_change(build(child), *bound, *interval),
        Tree::StepLimit(child, step, interval) => {
            let when_limited = PriceState::Wide;
            let params = StepLimitParams { step: Ppb(*step), interval: Millis(*interval), when_limited };
            Box::new(StepLimit::new(build(child), params).unwrap())
        }
        Tree::Ema(child, half_life) => Box::new(Ema::new(build(child), Millis(*half_life)).unwrap()),
        Tree::Basis(child, half_life) => Box::new(Basis::new(build(child), Millis(*half_life)).unwrap()),
        Tree::MeanBasis(child, every, samples) => {
            Box::new(MeanBasis::new(build(child), Millis(*every), *samples).unwrap())
        }
        Tree::FundingBasis(child, interval) => {
            let (interest, clamp, cap) = (Ppb(100_000), Ppb(500_000), Ppb(7_500_000));
            let params = FundingBasisParams { interval: Millis(*interval), interest, clamp, cap };
            Box::new(FundingBasis::new(build(child), params).unwrap())
        }
        Tree::Twap(child, window, checkpoints) => {
            let params = TwapParams { window: Millis(*window), checkpoints: *checkpoints };
            Box::new(Twap::new(build(child), params).unwrap())
        }
        Tree::StablePrice(child, interval, intervals) => {
            let params = StablePriceParams {
                growth: Ppb(300_000),
                delay_growth: Ppb(60_000_000),
                interval: Millis(*interval),
                intervals: *intervals,
                update_min: Millis(100),
                update_max: Millis(600_000),
            };
            Box::new(StablePrice::new(build(child), params).unwrap())
        }
        Tree::Hull(child, with) => Box::new(Hull::new(build(child), build(with))),
        Tree::Reciprocal(child, scale) => Box::new(Reciprocal::new(build(child), *scale).unwrap()),
        Tree::Product(left, right, divisor) => {
            Box::new(Product::new(build(left), build(right), *divisor).unwrap())
        }
    }
}

fn tree() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        4 => (1_u32..5).prop_map(|s| Tree::Latest(Some(s))),
        1 => Just(Tree::Latest(None)),
        1 => Just(Tree::Index),
    ];
    let accept = prop::sample::select(&PriceState::ALL[..6]);
    leaf.prop_recursive(4, 24, 4, move |inner| {
        let one = inner.clone().prop_map(Box::new);
        let two = (one.clone(), one.clone());
        let (ratio, span) = (0_i64..2_000_000_000, 1_u64..1 << 24);
        let votes = prop::collection::vec((inner.clone(), 1_u32..5), 1..5);
        prop_oneof![
            3 => (votes, any::<u64>(), any::<u64>()).prop_map(|(v, n, w)| Tree::Median(v, n, w)),
            1 => (prop::collection::vec(inner, 1..4), accept.clone()).prop_map(|(c, a)| Tree::Fallback(c, a)),
            1 => (one.clone(), 0_u64..2_000, 0_u64..1 << 20).prop_map(|(c, a, m)| Tree::Staleness(c, a, m)),
            1 => (one.clone(), ratio.clone(), ratio.clone()).prop_map(|(c, b, m)| Tree::Confidence(c, b, m)),
            1 => (one.clone(), ratio.clone()).prop_map(|(c, b)| Tree::DeviationFromIndex(c, b)),
            1 => (two.clone(), ratio.clone()).prop_map(|((c, o), b)| Tree::DeviationFrom(c, o, b)),
            1 => (one.clone(), ratio.clone(), span.clone()).prop_map(|(c, b, i)| Tree::RateOfChange(c, b, i)),
            1 => (one.clone(), ratio, span.clone()).prop_map(|(c, s, i)| Tree::StepLimit(c, s, i)),
            1 => (one.clone(), span.clone()).prop_map(|(c, h)| Tree::Ema(c, h)),
            1 => (one.clone(), span.clone()).prop_map(|(c, h)| Tree::Basis(c, h)),
            1 => (one.clone(), 1_u64..2_000, 1_u8..121).prop_map(|(c, e, n)| Tree::MeanBasis(c, e, n)),
            1 => (one.clone(), span.clone()).prop_map(|(c, i)| Tree::FundingBasis(c, i)),
            1 => (one.clone(), span, 1_u8..13).prop_map(|(c, w, n)| Tree::Twap(c, w, n)),
            1 => (one.clone(), 1_u64..1 << 20, 1_u8..49).prop_map(|(c, i, n)| Tree::StablePrice(c, i, n)),
            1 => two.clone().prop_map(|(c, w)| Tree::Hull(c, w)),
            1 => (one, 1_i128..1 << 80).prop_map(|(c, s)| Tree::Reciprocal(c, s)),
            1 => (two, 1_i128..1 << 40).prop_map(|((l, r), d)| Tree::Product(l, r, d)),
        ]
    })
}

fn quotes(hostile: bool) -> impl Strategy<Value = Vec<Quote>> {
    let price = if hostile { i64::MIN..i64::MAX } else { 1_i64..1_000_000 };
    prop::collection::vec((1_u32..8, price, 0_u64..2_000), 1..10)
        .prop_map(|q| q.into_iter().map(|(s, p, t)| quote(s, p, 0, t)).collect())
}

fn median(count: u32, needed: u64) -> Median {
    let sources: Vec<_> = (1..=count).map(|s| (SourceId(s), 1)).collect();
    Median::of_sources(&sources, Quorum { needed, wanted: u64::from(count) }, None).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn every_tree_keeps_the_laws(tree in tree(), seed in any::<u64>()) {
        prop_assert_eq!(check(&*build(&tree), &hostile_moments(seed, 40)), Ok(()));
    }

    #[test]
    fn a_guard_on_any_tree_only_worsens(tree in tree(), seed in any::<u64>(), ratio in 0_i64..1_000_000_000, span in 1_u64..1 << 20) {
        let child = || build(&tree);
        // the guarded policy sits in a child slot of the guard: its own memory, the same answers
        let confidence = ConfidenceParams { bound: Some(Ppb(ratio)), multiple: Ppb::ONE };
        let guards: [Policy; 5] = [
            staleness(child(), span, span),
            Box::new(Confidence::new(child(), confidence).unwrap()),
            deviation(child(), Against::Index, ratio),
            deviation(child(), Against::Previous, ratio),
            rate_of_change(child(), ratio, span),
        ];
        let moments = hostile_moments(seed, 30);
        for guard in guards {
            prop_assert_eq!(check_guard(&*guard, &*child(), &moments), Ok(()), "{:?}", guard);
        }
    }

    #[test]
    fn a_median_lies_within_the_hull_of_what_it_used(quotes in quotes(true)) {
        let view = resolve_once(&median(7, 1), &ask_at(1_000), &quotes, &Reference::default()).unwrap();
        let latest = (1..8).filter_map(|s| {
            let v = resolve_once(&Latest::of(SourceId(s)), &ask_at(1_000), &quotes, &Reference::default()).unwrap();
            v.is_usable().then_some(v.mid)
        });
        let latest: Vec<_> = latest.collect();
        match (latest.iter().min(), latest.iter().max()) {
            (Some(low), Some(high)) => prop_assert!(*low <= view.mid && view.mid <= *high),
            _ => prop_assert_eq!(view.state, PriceState::Missing),
        }
    }

    #[test]
    fn a_higher_quote_never_lowers_a_median(quotes in quotes(false), which in any::<prop::sample::Index>(), by in 0_i64..1_000_000) {
        let mut raised = quotes.clone();
        let at = which.index(raised.len());
        raised[at].price = Ticks::new(raised[at].price.get() + by);
        let run = |q: &[Quote]| resolve_once(&median(7, 1), &ask_at(1_000), q, &Reference::default()).unwrap();
        let (before, after) = (run(&quotes), run(&raised));
        prop_assert!(before.low <= after.low && before.mid <= after.mid && before.high <= after.high);
    }

    #[test]
    fn a_worse_voter_never_betters_a_median(published in prop::collection::vec(0_u64..1_000, 5), which in 0_usize..5, older in 0_u64..1_000, needed in 1_u64..6, wanted in 0_u64..6) {
        let wanted = needed.max(wanted).min(5);
        let voters = (1..=5).map(|s| Voter { policy: staleness(Box::new(Latest::of(SourceId(s))), 200, 400), weight: 1 });
        let median = Median::new(voters.collect(), Quorum { needed, wanted }).unwrap();
        let run = |times: &[u64]| {
            let quotes: Vec<_> = (1..).zip(times).map(|(s, t)| quote(s, 100, 0, *t)).collect();
            resolve_once(&median, &ask_at(1_000), &quotes, &Reference::default()).unwrap().state
        };
        let mut worse = published.clone();
        worse[which] = worse[which].saturating_sub(older);
        prop_assert!(run(&published) <= run(&worse));
    }

    #[test]
    fn a_minority_of_liars_cannot_move_a_median_out_of_the_honest_hull(honest in prop::collection::vec(1_i64..1_000_000, 4), lies in prop::collection::vec(any::<i64>(), 3)) {
        let quotes: Vec<_> = (1..).zip(honest.iter().chain(&lies)).map(|(s, p)| quote(s, *p, 0, 1)).collect();
        let view = resolve_once(&median(7, 4), &ask_at(5), &quotes, &Reference::default()).unwrap();
        let (low, high) = (honest.iter().min().unwrap(), honest.iter().max().unwrap());
        prop_assert!(*low <= view.mid.get() && view.mid.get() <= *high);
    }
}

/// One policy with one fault.
#[derive(Debug)]
enum Broken {
    TakesTheFirst,
    Inverted,
    CountsQuestions,
    Fails,
}

#[derive(Default)]
struct Count(u64);

impl Record for Count {
    const VERSION: u8 = 1;
    fn write(&self, to: &mut Writer) {
        to.u64(self.0);
    }
    fn read(_: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        from.u64().map(Self)
    }
}

impl PricePolicy for Broken {
    fn resolve(
        &self,
        ask: &Ask,
        quotes: &[Quote],
        _: &Reference,
        memory: &mut Memory<'_>,
    ) -> Result<PriceView, OracleError> {
        let view = |price: i64| PriceView::exact(Ticks::new(price), ask.at.time);
        match self {
            Self::TakesTheFirst => {
                Ok(quotes.first().map_or(PriceView::default(), |q| view(q.price.get().max(1))))
            }
            Self::Inverted => Ok(PriceView { low: Ticks::new(3), ..view(2) }),
            Self::CountsQuestions => {
                let count = memory.get::<Count>(Scope::All)?.0 + 1;
                memory.set(Scope::All, &Count(count))?;
                Ok(view(i64::try_from(count).unwrap()))
            }
            Self::Fails if quotes.iter().any(|q| q.price.is_zero()) => Err(MathError::DivisionByZero.into()),
            Self::Fails => Ok(view(1)),
        }
    }
}

#[test]
fn each_law_can_fail() {
    let moments = hostile_moments(7, 200);
    for (broken, law) in [
        (Broken::TakesTheFirst, Law::Order),
        (Broken::Inverted, Law::Interval),
        (Broken::CountsQuestions, Law::Repeat),
        (Broken::Fails, Law::Total),
    ] {
        assert_eq!(check(&broken, &moments).map_err(|v| v.law), Err(law), "{broken:?}");
    }
    // a "guard" that forgives
    let guarded = staleness(Box::new(Latest::any()), 0, 0);
    assert_eq!(check_guard(&Latest::any(), &*guarded, &moments).map_err(|v| v.law), Err(Law::OnlyWorsens));
}

#[test]
fn trees_deeper_than_memory_are_refused_and_not_confused() {
    let deep = |levels| {
        (0..levels)
            .fold(Box::new(Latest::any()) as Policy, |child, _| Box::new(Ema::new(child, Millis(1)).unwrap()))
    };
    let run = |policy: &dyn PricePolicy| {
        resolve_once(policy, &ask_at(1), &[quote(1, 5, 0, 1)], &Reference::default())
    };
    assert!(run(&*deep(11)).is_ok());
    assert_eq!(run(&*deep(20)), Err(OracleError::Memory(MemoryError::TooDeep)));
    let _: Vec<Moment> = hostile_moments(1, 1);
}
