//! A clearing house: scenario margin on a grid that Black-76 filled, and a default that goes through every layer down to haircut gains.

use cofferdam_core::{
    Amount, At, GroupId, Holder, LayerId, Level, MapMemory, Quanta, ScenarioPrice, Slot, World,
};
use cofferdam_forecast::{Grid, Instrument, Kind, Ranges, Terms, Underlying, Values};
use cofferdam_insurance_layer::{Loss, LossCause, Standing};
use cofferdam_liquidation_strategy::{Cause, Measure, Need, Payer};
use cofferdam_margin_engine::Holdings;
use cofferdam_protocols::preset;
use cofferdam_stack::{Answer, Body, Effect, Fact, MarketScenarios, Order, Reason, Rejection, StackConfig};
use cofferdam_testkit::Scene;

const TICK: f64 = 0.001;

fn option(kind: Kind) -> Instrument {
    Instrument::Option(Terms { kind, strike: 3_200.0, years: 0.25, volatility: 0.6 })
}

/// The grid of the scene: thirds of a range, ten points of volatility, three ranges of which 33 % count.
fn values(instrument: &Instrument, price: f64, range: f64) -> Values {
    let grid = Grid::thirds(3.0, 0.33).unwrap();
    let ranges = Ranges { price: range, volatility: 0.1 };
    grid.values(instrument, &Underlying { price, rate: 0.0 }, &ranges, TICK).unwrap()
}

fn set(scene: &Scene, market: &str, v: Values) -> MarketScenarios {
    MarketScenarios { market: scene.market(market), base: v.base, values: v.scenarios }
}

/// A range of 300 on ether at 3,000, and of 6,000 on bitcoin at 60,000.
fn report(scene: &Scene) -> Body {
    Body::Scenarios(vec![
        set(scene, "ETH-FUT", values(&Instrument::Future, 3_000.0, 300.0)),
        set(scene, "ETH-CALL", values(&option(Kind::Call), 3_000.0, 300.0)),
        set(scene, "ETH-PUT", values(&option(Kind::Put), 3_000.0, 300.0)),
        set(scene, "BTC-FUT", values(&Instrument::Future, 60_000.0, 6_000.0)),
    ])
}

fn config() -> StackConfig {
    preset("ccp").unwrap().config().unwrap()
}

/// Settlement prices published and scenario values recorded.
fn opened() -> Scene {
    let mut scene = Scene::new(&config());
    for (market, price) in
        [("ETH-FUT", "3000"), ("ETH-CALL", "278"), ("ETH-PUT", "478"), ("BTC-FUT", "60000")]
    {
        let _ = scene.quote(market, price);
    }
    let body = report(&scene);
    assert_eq!(scene.send(body).answer, Answer::Done);
    scene
}

fn demand(scene: &Scene, group: u32, level: Level) -> i128 {
    let mut holdings = Holdings::new();
    let (state, id) = (scene.bench().state(), GroupId(group));
    state.book().load(id).view(state, &mut holdings).unwrap();
    let margin = &scene.bench().engine().stack().parts().margin;
    margin.assess(&holdings.group(id), state).unwrap().line(level).unwrap().demand.get()
}

/// A market, a size and a price.
type Held = (&'static str, &'static str, &'static str);

/// What a portfolio is asked for, in whole USDT rounded up.
fn asked(positions: &[Held]) -> i128 {
    let mut scene = opened();
    for group in [1, 2] {
        let _ = scene.deposit(group, "USDT", "10000000");
    }
    for (market, size, price) in positions {
        assert_eq!(scene.trade(1, 2, market, size, price), Answer::Done);
    }
    (demand(&scene, 1, Level::Maintenance) + 999_999) / 1_000_000
}

#[test]
fn portfolios_net_within_an_underlying_and_never_across() {
    let future = ("ETH-FUT", "100", "3000");
    let short_calls = ("ETH-CALL", "-100", "278");
    let long_puts = ("ETH-PUT", "100", "478");
    let short_bitcoin = ("BTC-FUT", "-5", "60000");
    // (portfolio, what it is asked for): by hand, the worst of sixteen losses per ether is 300 on the future, 225.13 on the call
    // sold and 202.35 on the put; together 228.47 (one range down, volatility up) and 169.89 (no move, volatility down)
    let table: [(&[Held], i128); 7] = [
        (&[future], 30_000),
        (&[short_calls], 22_514),
        (&[long_puts], 20_236),
        (&[future, short_calls], 22_847),
        (&[future, long_puts], 16_989),
        // five bitcoin short: where ether falls bitcoin may fall as well, and yet both are asked for in full
        (&[short_bitcoin], 30_000),
        (&[future, short_bitcoin], 60_000),
    ];
    for (positions, wanted) in table {
        assert_eq!(asked(positions), wanted, "{positions:?}");
    }
}

#[test]
fn nothing_is_known_before_the_scenarios() {
    let mut scene = Scene::new(&config());
    let _ = scene.quote("ETH-FUT", "3000");
    for group in [1, 2] {
        let _ = scene.deposit(group, "USDT", "1000000");
    }
    let refused = scene.trade(1, 2, "ETH-FUT", "1", "3000");
    assert!(matches!(refused, Answer::Refused(Rejection::Price { .. })), "{refused:?}");
    let body = report(&scene);
    assert_eq!(scene.send(body).answer, Answer::Done);
    assert_eq!(scene.trade(1, 2, "ETH-FUT", "1", "3000"), Answer::Done);
}

/// New scenario values alone can call a member: the sweep that follows them names it.
#[test]
fn wider_scenarios_find_a_member_short() {
    let mut scene = opened();
    let _ = scene.deposit(1, "USDT", "31000");
    let _ = scene.deposit(2, "USDT", "1000000");
    assert_eq!(scene.trade(1, 2, "ETH-FUT", "100", "3000"), Answer::Done);
    assert!(scene.bench().orders().is_empty());
    let wider = set(&scene, "ETH-FUT", values(&Instrument::Future, 3_000.0, 320.0));
    let _ = scene.send(Body::Scenarios(vec![wider]));
    assert_eq!(scene.order_of(1).lots, scene.lots("ETH-FUT", "-100"));
    scene.check();
}

fn layer(scene: &Scene, name: &str) -> LayerId {
    scene.names().layer(name).unwrap_or_else(|| panic!("no layer {name:?}"))
}

/// A draw: layer, whole USDT, whether it was paid at once.
type Drawn = (&'static str, i128, bool);

/// Draws in the order of their facts.
fn draws(scene: &Scene) -> Vec<(String, i128, bool)> {
    let mut found = Vec::new();
    for fact in scene.bench().history().steps.iter().flat_map(|(_, facts)| facts) {
        if let Fact::Drawn(d) = fact {
            let name = scene.names().layer_name(d.layer).unwrap_or("?");
            found.push((name.to_owned(), d.amount.get(), d.paid));
        }
    }
    found
}

/// Member 1 holds 100 ether long and has sold 100 calls on them; 2 and 3 are short 60 and 40 futures, 4 holds the calls.
fn cleared() -> Scene {
    let mut scene = opened();
    for (member, margin) in [(1, "25000"), (2, "400000"), (3, "400000"), (4, "400000")] {
        let _ = scene.deposit(member, "USDT", margin);
    }
    for (maker, market, size, price) in [
        (2, "ETH-FUT", "60", "3000"),
        (4, "ETH-CALL", "-60", "278"),
        (4, "ETH-CALL", "-40", "278"),
        (3, "ETH-FUT", "40", "3000"),
    ] {
        assert_eq!(scene.trade(1, maker, market, size, price), Answer::Done);
    }
    scene
}

/// Ether falls to 2,500 in one night and the house closes member 1: calls are bought back at 100, futures go to member 4 for `price`.
fn defaulted(price: &str) -> Scene {
    let mut scene = cleared();
    let _ = scene.quote("ETH-CALL", "97");
    let _ = scene.quote("ETH-FUT", "2500");
    let orders: Vec<Order> = scene.bench().state().orders().copied().collect();
    assert_eq!(orders.len(), 2); // the whole book
    for (market, price) in [("ETH-CALL", "100"), ("ETH-FUT", price)] {
        let order = orders.iter().find(|o| o.market == scene.market(market)).unwrap();
        let price = scene.ticks(market, price);
        let fill = Body::Fill { order: order.id, lots: order.lots, price, counterparty: GroupId(4) };
        assert_eq!(scene.send(fill).answer, Answer::Done);
    }
    scene
}

#[test]
fn a_default_within_the_margin_costs_nobody_else() {
    // -400 x 100 on the futures and 178 x 100 on the calls, out of 25,000
    let scene = defaulted("2600");
    assert_eq!((scene.balance(1, "USDT").as_str(), scene.deficit("USDT").as_str()), ("2800", "0"));
    assert!(draws(&scene).is_empty());
    scene.check();
}

#[test]
fn every_layer_in_its_order() {
    let own: Drawn = ("fund-1", 4_000, true);
    let skin: Drawn = ("skin-in-the-game", 2_500, true);
    let all: [Drawn; 5] =
        [own, skin, ("fund-2", 3_000, true), ("fund-3", 2_000, true), ("fund-4", 1_000, true)];
    let calls = |x: [i128; 3]| [("call-2", x[0], false), ("call-3", x[1], false), ("call-4", x[2], false)];
    // (price of the close-out, draws, deficit): beyond its margin member 1 loses (2,572 - price) x 100
    let table: [(&str, Vec<Drawn>, &str); 5] = [
        ("2542", vec![("fund-1", 3_000, true)], "0"),
        ("2512", vec![own, ("skin-in-the-game", 2_000, true)], "0"),
        // 3,000 over contributions of 3,000 : 2,000 : 1,000
        (
            "2477",
            vec![own, skin, ("fund-2", 1_500, true), ("fund-3", 1_000, true), ("fund-4", 500, true)],
            "0",
        ),
        // all contributions, and 1,200 of the calls in the same proportion: promised, so a receivable until they are paid
        ("2435", [&all[..], &calls([600, 400, 200])].concat(), "0"),
        // all calls, and 1,500 that no layer pays
        ("2372", [&all[..], &calls([3_000, 2_000, 1_000])].concat(), "1500"),
    ];
    for (price, wanted, deficit) in table {
        let scene = defaulted(price);
        let atoms = |(l, x, paid): &Drawn| ((*l).to_owned(), x * 1_000_000, *paid);
        assert_eq!(draws(&scene), wanted.iter().map(atoms).collect::<Vec<_>>(), "at {price}");
        assert_eq!(scene.deficit("USDT"), deficit, "at {price}");
        scene.check();
    }
}

/// The end of the waterfall: calls are paid but for one half of one, and every gain is cut by the same share.
#[test]
fn gains_are_haircut() {
    let mut scene = defaulted("2372");
    for draw in scene.bench().state().draws().copied().collect::<Vec<_>>() {
        let short = draw.layer == layer(&scene, "call-3");
        let paid = if short { scene.atoms("USDT", "1000") } else { draw.amount };
        let _ = scene.send(Body::Settlement { draw: draw.id, paid });
    }
    // the 1,000 that member 3 kept came back, and no layer has anything left
    assert_eq!((scene.deficit("USDT").as_str(), draws(&scene).len()), ("2500", 8));
    let gain = |scene: &Scene, group: u32| {
        let (state, market) = (scene.bench().state(), scene.market("ETH-FUT"));
        let view = *state.market(market).unwrap();
        let p = state.book().position(GroupId(group), market).unwrap();
        view.scale.notional(p.lots, view.mark.mid).unwrap().get() - p.cost.get()
    };
    // 500 a piece on 60 and 40 short, and 128 on the 100 that member 4 took
    let before: Vec<i128> = [2, 3, 4].iter().map(|g| gain(&scene, *g)).collect();
    assert_eq!(before, [30_000_000_000, 20_000_000_000, 12_800_000_000]);
    let cash: Vec<String> = [2, 3, 4].iter().map(|g| scene.balance(*g, "USDT")).collect();
    let outcome = scene.wait(1);
    assert!(!outcome.effects.iter().any(|e| matches!(e, Effect::Raise(_))), "{outcome:?}");
    assert_eq!((scene.deficit("USDT").as_str(), scene.posted(Reason::Haircut)), ("0", 3));
    // each keeps 1 - 2,500 / 62,800 of its gain, to the atom (INV-27), and all of its cash (INV-26)
    let (shortfall, sum) = (2_500_000_000_i128, before.iter().sum::<i128>());
    for ((group, before), cash) in [2, 3, 4].into_iter().zip(before).zip(cash) {
        let (exact, kept) = (before * (sum - shortfall), gain(&scene, group) * sum);
        assert!((exact - kept).abs() <= sum, "group {group}: {kept} of {exact}");
        assert_eq!(scene.balance(group, "USDT"), cash);
    }
    assert_eq!(scene.held(Holder::Layer(layer(&scene, "skin-in-the-game")), "USDT"), "0");
    scene.check();
}

/// What margin asks, from the grid's own values: the worst of sixteen sums, long at low and short at high.
#[test]
fn the_margin_is_the_worst_sum_of_the_grid() {
    let (future, call) =
        (values(&Instrument::Future, 3_000.0, 300.0), values(&option(Kind::Call), 3_000.0, 300.0));
    let long = |s: &ScenarioPrice| i128::from(future.base.get() - s.low.get());
    let short = |s: &ScenarioPrice| i128::from(s.high.get() - call.base.get());
    let sums = future.scenarios.iter().zip(&call.scenarios).map(|(f, c)| 100_000 * (long(f) + short(c)));
    assert_eq!(demand(&cleared(), 1, Level::Maintenance), sums.max().unwrap());
}

/// Isolated margin is a group for each position: what one loses the other does not back, and nothing nets.
#[test]
fn isolated_is_a_group_for_each_position() {
    let mut scene = opened();
    for (group, cash) in [(1, "31000"), (5, "23000"), (2, "1000000")] {
        let _ = scene.deposit(group, "USDT", cash);
    }
    assert_eq!(scene.trade(1, 2, "ETH-FUT", "100", "3000"), Answer::Done);
    assert_eq!(scene.trade(5, 2, "ETH-CALL", "-100", "278"), Answer::Done);
    // the same book in one group asks for 22,847; apart each is asked for its own
    assert_eq!(demand(&scene, 1, Level::Maintenance) / 1_000_000, 30_000);
    assert_eq!(demand(&scene, 5, Level::Maintenance) / 1_000_000, 22_513);
    let _ = scene.quote("ETH-CALL", "97");
    let _ = scene.quote("ETH-FUT", "2900");
    assert_eq!(scene.order_of(1).lots, scene.lots("ETH-FUT", "-100"));
    assert!(scene.bench().state().orders().all(|o| o.group == GroupId(1)));
}

#[test]
fn refused_parameters() {
    let file = preset("ccp").unwrap().stack;
    let cases = [
        ("worst = 1\n", "worst = 0\n", "margin.underlyings[0].worst"),
        ("worst = 1\n", "initial = \"0.5\"\n", "margin.underlyings[0].initial"),
        ("underlying = \"bitcoin\"", "underlying = \"litecoin\"", "margin.markets[3].underlying"),
        ("escrow = \"2500\"", "escrow = \"0\"", "insurance.layers[0].escrow"),
        ("member = 1 }", "member = \"one\" }", "insurance.layers[1].terms"),
    ];
    for (from, to, path) in cases {
        assert!(file.contains(from), "{from}");
        let made = StackConfig::from_toml(&file.replacen(from, to, 1), "ccp.toml").and_then(|c| c.build());
        let error = made.map(|_| ()).unwrap_err();
        assert!(error.path.starts_with(path), "{from}: {error}");
    }
}

/// The laws that the preset breaks; each has its counterexample where its module is tested: 11 in
/// `margin-engine::a_leg_less_can_need_more`, 24 in `insurance-layer::members_break_the_order_of_layers`, 19 below.
#[test]
fn what_the_preset_breaks() {
    let mut broken: Vec<u16> = config().broken_laws().iter().map(|b| b.invariant).collect();
    broken.sort_unstable();
    broken.dedup();
    assert_eq!(broken, [11, 19, 24]);
    // 19: a full close takes all 100 although 97 would have been enough to be healthy again
    let mut scene = opened();
    let _ = scene.deposit(1, "USDT", "30500");
    let _ = scene.deposit(2, "USDT", "1000000");
    assert_eq!(scene.trade(1, 2, "ETH-FUT", "100", "3000"), Answer::Done);
    let _ = scene.quote("ETH-FUT", "2990");
    assert_eq!(scene.order_of(1).lots, scene.lots("ETH-FUT", "-100"));
}

/// McMillan's risk array through the preset: lots of a dollar a tick, so many contracts of each.
fn scanned(futures: i64, calls: i64, terms: &str) -> i128 {
    const FUTURE: [i64; 16] =
        [0, 0, 3330, 3330, -3330, -3330, 6670, 6670, -6670, -6670, 10000, 10000, -10000, -10000, 7000, -7000];
    const CALL: [i64; 16] = [
        460, -610, 2640, 1730, -1270, -2340, 5210, 4540, -2540, -3430, 8060, 7640, -3380, -3990, 3130, -1500,
    ];
    let file = preset("ccp").unwrap().stack.replacen("worst = 1\n", &format!("{terms}\n"), 1);
    let mut scene = Scene::new(&StackConfig::from_toml(&file, "ccp.toml").unwrap());
    for market in ["ETH-FUT", "ETH-CALL"] {
        let _ = scene.quote(market, "50");
    }
    let set = |market: &str, changes: [i64; 16]| {
        let at = |ticks: i64| cofferdam_core::Ticks::new(50_000 + ticks);
        let values = changes.map(|c| ScenarioPrice { low: at(c), high: at(c) }).to_vec();
        MarketScenarios { market: scene.market(market), base: at(0), values }
    };
    let body = Body::Scenarios(vec![set("ETH-FUT", FUTURE), set("ETH-CALL", CALL)]);
    assert_eq!(scene.send(body).answer, Answer::Done);
    for group in [1, 2] {
        let _ = scene.deposit(group, "USDT", "1000");
    }
    for (market, lots) in [("ETH-FUT", futures), ("ETH-CALL", calls)].into_iter().filter(|(_, l)| *l != 0) {
        let size = cofferdam_core::Decimal::from_units(lots.into(), -3).to_string();
        assert_eq!(scene.trade(1, 2, market, &size, "50"), Answer::Done);
    }
    demand(&scene, 1, Level::Maintenance) // one lot and tick are one quantum
}

/// Published: McMillan, "Options as a Strategic Investment", ch. 34, pages 668 to 670.
#[test]
fn published_requirements() {
    for (futures, calls, wanted) in [(1, 0, 10_000), (0, 1, 3_990), (1, -1, 6_620)] {
        assert_eq!(scanned(futures, calls, "worst = 1"), wanted, "{futures} futures, {calls} calls");
    }
}

/// Derived: `cargo xtask derive ccp`.
#[test]
fn derived_requirements() {
    let table = [
        (0, -1, 8060, 6970, 10075),
        (-1, 1, 3870, 2787, 4838),
        (3, -5, 13500, 12300, 16875),
        (-2, 7, 10670, 9440, 13338),
        (5, 5, 69950, 62450, 87438),
        (1, -2, 6120, 5134, 7650),
        (-4, -1, 48060, 42530, 60075),
        (1, -1, 6620, 6044, 8275),
    ];
    for (futures, calls, worst, mean, more) in table {
        let of = |terms| scanned(futures, calls, terms);
        let found = (of("worst = 1"), of("mean_of = 3"), of("maintenance = \"1.25\""));
        assert_eq!(found, (worst, mean, more), "{futures} futures, {calls} calls");
    }
}

/// Derived: `cargo xtask derive ccp`. Atoms; draws on skin in the game, funds 1 to 4 and calls 1 to 4.
#[test]
fn derived_waterfalls() {
    let table: [(u32, i128, [i128; 9], i128); 6] = [
        (1, 3999999999, [0, 3999999999, 0, 0, 0, 0, 0, 0, 0], 0),
        (2, 7123456789, [2500000000, 927689593, 3000000000, 463844797, 231922399, 0, 0, 0, 0], 0),
        (3, 9000000001, [2500000000, 2250000000, 1687500000, 2000000000, 562500001, 0, 0, 0, 0], 0),
        (4, 12345678901, [2500000000, 3931412844, 2948559634, 1965706423, 1000000000, 0, 0, 0, 0], 0),
        (
            2,
            16666666667,
            [
                2500000000, 4000000000, 3000000000, 2000000000, 1000000000, 2380952381, 0, 1190476190,
                595238096,
            ],
            0,
        ),
        (
            1,
            20000000000,
            [
                2500000000, 4000000000, 3000000000, 2000000000, 1000000000, 0, 3000000000, 2000000000,
                1000000000,
            ],
            1500000000,
        ),
    ];
    let built = config().build().unwrap();
    let capacities =
        [2500, 4000, 3000, 2000, 1000, 4000, 3000, 2000, 1000].map(|x: i128| Quanta::new(x * 1_000_000));
    let zero = Quanta::ZERO;
    let standing =
        |(l, capacity)| Standing { layer: LayerId(l), capacity, drawn_event: zero, drawn_total: zero };
    let standings: Vec<Standing> = (0..).zip(capacities).map(standing).collect();
    for (of, amount, wanted, residual) in table {
        let loss = Loss {
            event: None,
            of: Some(GroupId(of)),
            market: None,
            asset: built.names.asset("USDT").unwrap(),
            cause: LossCause::Bankruptcy,
            amount: Quanta::new(amount),
            event_before: zero,
            total_before: zero,
        };
        let split = built.stack.parts().waterfall.allocate(&loss, &standings).unwrap();
        let paid = |l: u32| split.draws.iter().find(|d| d.layer.0 == l).map_or(0, |d| d.amount.get());
        let found: Vec<i128> = (0..9).map(paid).collect();
        assert_eq!((found.as_slice(), split.residual.get()), (&wanted[..], residual), "{amount} of {of}");
    }
}

/// Derived: `cargo xtask derive ccp`. No winner's cut is more than its exact share rounded up; what that takes too much of the small
/// ones the largest has less, at most one for each of the others; the sum is the shortfall.
#[test]
fn derived_haircuts() {
    let table: [([i128; 3], i128, [i128; 3]); 3] = [
        ([30000000000, 20000000000, 12800000000], 2500000000, [1194267515, 796178343, 509554140]),
        ([7, 11, 13], 10, [2, 3, 4]),
        ([1000000007, 3, 999999999989], 123456789, [123333, 0, 123333455]),
    ];
    let built = config().build().unwrap();
    for (gains, shortfall, wanted) in table {
        let payer = |(group, gain)| Payer {
            group: GroupId(group),
            lots: cofferdam_core::Lots::ONE,
            gain: Amount::new(gain),
            equity: Amount::new(gain),
            notional: Quanta::new(gain),
            cost: Quanta::ZERO,
            room: Amount::new(gain),
            maintenance: Amount::ZERO,
        };
        let payers: Vec<Payer> = (0..).zip(gains).map(payer).collect();
        let (market, asset) = (built.names.market("ETH-FUT"), built.names.asset("USDT").unwrap());
        let need = Need { cause: Cause::Deficit, market, asset, amount: Amount::new(shortfall) };
        let mut memory = MapMemory::default();
        let settled = memory.with(Slot(1), |m| {
            built.stack.parts().allocation.allocate(At::default(), &need, &payers.as_slice(), m)
        });
        let settled = settled.unwrap();
        let cut = |g: u32| {
            let of = |m: &Measure| {
                if let Measure::Haircut { payer, amount } = m {
                    (payer.0 == g).then_some(amount.get())
                } else {
                    None
                }
            };
            settled.measures.iter().find_map(of).unwrap_or(0)
        };
        for (group, floor) in (0..).zip(wanted) {
            assert!((floor - 2..=floor + 1).contains(&cut(group)), "{} of {group}: {floor}", cut(group));
        }
        assert_eq!(((0..3).map(cut).sum::<i128>(), settled.residual), (shortfall, 0));
    }
}
