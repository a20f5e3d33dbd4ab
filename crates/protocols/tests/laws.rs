//! Laws over generated sequences, on every preset: INV-10 to INV-13, INV-17 to INV-20, INV-22 and INV-23.
//!
//! A preset may break a law that a module of it declares; any other break fails with its shrunk sequence. A declared one has to happen
//! here, or stands in a table of what these sequences do not reach; either way `presets.rs` asks for its counterexample. That these checks can fail is shown below, by modules broken on purpose; but for INV-22 and
//! INV-23: bad debt is booked by the stack itself, which no module can keep from it.

#[path = "laws/driver.rs"]
mod driver;
use cofferdam_core::{Level, Lots, MarketId, Millis, PoolId, Ppb, Ticks, World};
use cofferdam_protocols::{World as Kind, presets};
use cofferdam_stack::{Reason, RiskStack, StackConfig};
use driver::{Bench, Op, lending, perpetual};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestError, TestRunner};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

/// What happened on the way.
#[derive(Debug, Default)]
struct Seen {
    /// How often money moved for a reason.
    reached: BTreeMap<Reason, u32>,
    /// Which laws were broken, declared or not.
    broken: BTreeSet<u16>,
}

/// Runs sequences; the first break that is not declared, with its shrunk sequence.
fn undeclared(
    make: &dyn Fn() -> RiskStack,
    kind: Kind,
    place: (Option<MarketId>, Option<PoolId>),
    declared: &BTreeSet<u16>,
    seen: &RefCell<Seen>,
) -> Option<(u16, String)> {
    let config = Config { cases: 256, max_shrink_iters: 400, failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(
        config,
        proptest::test_runner::TestRng::deterministic_rng(proptest::test_runner::RngAlgorithm::ChaCha),
    );
    let test = |ops: Vec<Op>| {
        let mut bench = Bench::new(make, place, kind == Kind::Cleared);
        bench.open();
        for op in &ops {
            bench.step(op);
        }
        bench.finish();
        let mut seen = seen.borrow_mut();
        for (reason, times) in &bench.reached {
            *seen.reached.entry(*reason).or_insert(0) += times;
        }
        seen.broken.extend(bench.broken.iter().map(|(law, _)| *law));
        match bench.broken.into_iter().find(|(law, _)| !declared.contains(law)) {
            Some((law, what)) => Err(TestCaseError::fail(format!("INV-{law}: {what}"))),
            None => Ok(()),
        }
    };
    let outcome = match kind {
        Kind::Perpetual | Kind::Cleared => runner.run(&perpetual(), test).map_err(told),
        Kind::Lending => runner.run(&lending(), test).map_err(told),
    };
    outcome.err()
}

fn told(error: TestError<Vec<Op>>) -> (u16, String) {
    match error {
        TestError::Fail(why, ops) => {
            let why = why.message().to_owned();
            let law = why.trim_start_matches("INV-").split(':').next().and_then(|n| n.parse().ok());
            (law.unwrap_or(0), format!("{why}\nafter {ops:#?}"))
        }
        TestError::Abort(why) => (0, why.message().to_owned()),
    }
}

fn of_config(config: &StackConfig, kind: Kind) -> Result<BTreeSet<u16>, String> {
    let built = config.build().unwrap();
    let place = match kind {
        Kind::Perpetual => (built.names.market("ETH-PERP"), None),
        Kind::Lending => (None, built.names.pool("usdc-pool")),
        Kind::Cleared => (built.names.market("ETH-FUT"), None),
    };
    let declared: BTreeSet<u16> = config.broken_laws().iter().map(|l| l.invariant).collect();
    let seen = RefCell::default();
    let found = undeclared(&|| config.build().unwrap().stack, kind, place, &declared, &seen);
    let seen = seen.into_inner();
    // a law that is only ever checked on quiet days says little
    let forced: &[Reason] = match kind {
        Kind::Perpetual | Kind::Cleared => {
            &[Reason::Trade, Reason::Liquidation, Reason::Takeover, Reason::Deleverage]
        }
        Kind::Lending => &[Reason::Borrow, Reason::Seizure, Reason::Takeover, Reason::Auction],
    };
    let times = |r: &Reason| seen.reached.get(r).copied().unwrap_or(0);
    let driven = QUIET.iter().all(|(name, _)| *name != built.name);
    let quiet = driven && (times(&forced[0]) < 50 || forced[1..].iter().map(times).sum::<u32>() < 20);
    match found {
        Some((_, why)) => Err(why),
        None if quiet => Err(format!("the sequences hardly reach anything: {:?}", seen.reached)),
        None => Ok(seen.broken),
    }
}

/// Presets that the sequences cannot drive: their laws are held by their own scenes.
const QUIET: [(&str, &str); 1] = [("ajna", "its price comes from offers, which the sequences do not make")];

/// The laws that are looked at here.
const LAWS: [u16; 10] = [10, 11, 12, 13, 17, 18, 19, 20, 22, 23];

/// Declared breaks that these sequences do not reach, and why not. The page of each names the test that does.
const UNREACHED: [(&str, u16, &str); 26] = [
    ("aave-v3", 18, "accounts pledge one asset"),
    ("aave-v3", 23, "an open deficit is no account's debt"),
    ("ajna", 12, "nobody offers, so nobody borrows"),
    ("ajna", 19, "lots are counted, not collateral"),
    ("binance-usdm", 19, "its penalty is above maintenance: no part is enough"),
    ("binance-usdm", 23, "an open deficit is no account's debt"),
    ("bybit", 19, "its penalty takes all that is left: no part is enough"),
    ("bybit", 23, "an open deficit is no account's debt"),
    ("ccp", 11, "positions in one market hedge nothing"),
    ("compound-v3", 17, "the reserves hold their target"),
    ("compound-v3", 19, "lots are counted, not collateral"),
    ("curve-llamma", 19, "lots are counted, not collateral"),
    ("dydx-v4", 19, "its fee takes the margin of what is closed: no part is enough"),
    ("dydx-v4", 23, "an open deficit is no account's debt"),
    ("euler-v2", 18, "accounts pledge one asset"),
    ("gmx-v2", 17, "nobody supplies its pool"),
    ("liquity-v1", 17, "nobody deposits into its pool"),
    ("liquity-v1", 18, "orders are looked at, not moves of debts"),
    ("liquity-v1", 19, "lots are counted, not collateral"),
    ("liquity-v2", 18, "orders are looked at, not moves of debts"),
    ("liquity-v2", 19, "lots are counted, not collateral"),
    ("maker", 19, "lots are counted, not collateral"),
    ("okx", 23, "an open deficit is no account's debt"),
    ("perennial-v2", 23, "an open deficit is no account's debt"),
    ("vertex", 11, "accounts hold no asset beside a position"),
    ("vertex", 23, "accounts borrow nothing"),
];

/// Declared breaks that were not seen, against those of the table: a break that never happens is a declaration too many, one that
/// does is a row too many.
fn unseen(name: &str, declared: &BTreeSet<u16>, seen: &BTreeSet<u16>) -> Result<(), String> {
    let unreached = |law: u16| UNREACHED.iter().any(|(n, l, _)| (*n, *l) == (name, law));
    let declared_here = LAWS.into_iter().filter(|law| declared.contains(law));
    let mut wrong: Vec<String> = declared_here
        .filter_map(|law| match (seen.contains(&law), unreached(law)) {
            (false, false) => Some(format!("INV-{law} is declared as broken and never was")),
            (true, true) => Some(format!("INV-{law} was broken and is said not to be reached")),
            _ => None,
        })
        .collect();
    let rows = UNREACHED.iter().filter(|(n, law, _)| *n == name && !declared.contains(law));
    wrong.extend(rows.map(|(_, law, _)| format!("INV-{law} is not reached, and not declared either")));
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
}

#[test]
fn presets_break_what_they_declare_and_nothing_else() {
    let mut wrong = Vec::new();
    for preset in presets() {
        let config = preset.config().unwrap();
        let declared = config.broken_laws().iter().map(|l| l.invariant).collect();
        let checked = of_config(&config, preset.world).and_then(|seen| unseen(preset.name, &declared, &seen));
        wrong.extend(checked.err().map(|why| format!("{}: {why}", preset.name)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_break_that_never_happens_is_found() {
    let set = |laws: &[u16]| laws.iter().copied().collect::<BTreeSet<u16>>();
    let check = |name, declared: &[u16], seen: &[u16], ok: bool| {
        assert_eq!(unseen(name, &set(declared), &set(seen)).is_ok(), ok, "{name} {declared:?} {seen:?}");
    };
    check("new", &[19], &[19], true);
    check("new", &[6, 26], &[], true); // not looked at here
    check("new", &[19], &[], false);
    check("okx", &[19, 23], &[19], true);
    check("okx", &[19, 23], &[19, 23], false);
    check("okx", &[19], &[19], false);
}

/// The lending stack of the example, so that the lending half is driven whatever presets there are.
#[test]
fn the_lending_example_breaks_no_law_that_it_does_not_declare() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/eth-january-2021/stacks/lending.toml");
    let config = StackConfig::load(path).unwrap();
    let seen = of_config(&config, Kind::Lending);
    assert_eq!(seen, Ok(BTreeSet::new()));
}

/// Modules broken on purpose: each check can fail.
mod broken {
    use super::*;
    use cofferdam_core::{Case, GroupView, Health, Line, MarketView, Memory, Quanta};
    use cofferdam_liquidation_strategy::{
        Bid, LiquidationError, LiquidationStrategy, Penalty, Plan, Refusal, Step,
    };
    use cofferdam_margin_engine::{MarginError, MarginModel, Pieces, Reads, Requirement, SafeRange, Stage};
    use cofferdam_stack::Parts;
    use cofferdam_testkit::compose;

    /// A requirement by a formula of market and notional.
    #[derive(Debug)]
    struct Wrong(fn(&MarketView, i128) -> i128);

    impl Requirement for Wrong {
        fn required(&self, _: Stage, m: &MarketView, _: Lots, n: Quanta) -> Result<Quanta, MarginError> {
            Ok(Quanta::new((self.0)(m, n.get())))
        }
        fn pieces(&self, _: Stage, _: &MarketView) -> Result<Option<Pieces>, MarginError> {
            Ok(None)
        }
        fn reads(&self, _: Stage) -> Reads {
            Reads { open_interest: true, volatility: false }
        }
    }

    fn requirement(formula: fn(&MarketView, i128) -> i128) -> Parts {
        let mut parts = compose::perpetual();
        parts.margin = Box::new(compose::margin(&|_| Box::new(Wrong(formula))));
        parts
    }

    /// Closes everything whatever the health, or refuses everybody.
    #[derive(Debug)]
    enum Bad {
        Always,
        Never,
    }

    impl LiquidationStrategy for Bad {
        fn plan(
            &self,
            case: &Case<'_>,
            _: &Bid,
            _: &mut Memory<'_>,
        ) -> Result<Result<Plan, Refusal>, LiquidationError> {
            if matches!(self, Self::Never) {
                return Ok(Err(Refusal::Healthy));
            }
            let steps = case.group.positions.iter().map(|p| Step::Order {
                market: p.market,
                lots: Lots::new(-p.lots.get()),
                limit: if p.lots.is_negative() { Ticks::new(Ticks::LIMIT) } else { Ticks::ONE },
                penalty: Penalty { rate: Ppb(5_000_000), ..Penalty::default() },
                expires: Millis(u64::MAX),
            });
            Ok(Ok(Plan { steps: steps.collect(), ..Plan::default() }))
        }
    }

    fn strategy(bad: fn() -> Bad) -> Parts {
        let mut parts = compose::perpetual();
        parts.liquidation = Box::new(bad());
        parts
    }

    /// Asks for nothing where positions are opened and collateral leaves.
    #[derive(Debug)]
    struct Lenient(Box<dyn MarginModel>);

    impl MarginModel for Lenient {
        fn assess(&self, g: &GroupView<'_>, w: &dyn World) -> Result<Health, MarginError> {
            let mut health = self.0.assess(g, w)?;
            for level in [Level::Initial, Level::Withdraw] {
                health.lines[level as usize] = Some(Line::default());
            }
            Ok(health)
        }
        fn safe_ranges(
            &self,
            g: &GroupView<'_>,
            w: &dyn World,
            l: Level,
        ) -> Result<Vec<SafeRange>, MarginError> {
            self.0.safe_ranges(g, w, l)
        }
    }

    fn lenient() -> Parts {
        let parts = compose::perpetual();
        Parts { margin: Box::new(Lenient(parts.margin)), ..parts }
    }

    /// That a law is found broken, whatever else is.
    fn finds(law: u16, parts: fn() -> Parts) {
        let all = [10, 11, 12, 13, 17, 18, 19, 20, 22, 23];
        let others = all.into_iter().filter(|n| *n != law).collect();
        let make = move || RiskStack::new(parts()).unwrap();
        let place = (Some(MarketId(0)), None);
        let found = undeclared(&make, Kind::Perpetual, place, &others, &RefCell::default());
        assert_eq!(found.map(|(n, _)| n), Some(law));
    }

    #[test]
    fn each_check_can_fail() {
        // a requirement that falls with the size: opening helps
        finds(11, || requirement(|_, n| (400_000_000_000_000 - n).max(0) / 20));
        // one that every other account's trade moves
        finds(12, || requirement(|m, n| n / 20 + i128::from(m.open_interest.get()) * i128::from(n > 0)));
        // one that closing does not lower: the penalty does
        finds(18, || requirement(|_, n| if n > 0 { 3_000_000_000_000 } else { 0 }));
        finds(17, || strategy(|| Bad::Always));
        finds(19, || strategy(|| Bad::Always));
        finds(20, || strategy(|| Bad::Never));
        finds(10, lenient);
        finds(13, lenient);
    }

    /// The stack that they are made from breaks none.
    #[test]
    fn what_they_are_made_from_breaks_none() {
        let make = || RiskStack::new(compose::perpetual()).unwrap();
        let (place, none) = ((Some(MarketId(0)), None), BTreeSet::new());
        let found = undeclared(&make, Kind::Perpetual, place, &none, &RefCell::default());
        assert_eq!(found, None);
    }
}
