//! Binance USD-M: the venue's numbers, its mechanism end to end, what it refuses and which laws it breaks.
//! Sources by number: `docs/protocols/binance-usdm.md`.

#![expect(unused_must_use, reason = "what follows from an input is asserted on the state and its facts")]

mod cex;
use cex::{Row, closes, exact, index, int, mark, micro, of_notional, ppb, sheet, with, with_requirement};
use cofferdam_core::{AssetId, GroupId, Level, Lots, MarketId, Ppb, Quanta};
use cofferdam_margin_engine::{
    AssetTerms, CrossMargin, Levels, MarketTerms, Requirement, Stage, Tier, Tiered,
};
use cofferdam_protocols::preset;
use cofferdam_stack::{Alarm, Answer, OrderOutcome, Reason};
use cofferdam_testkit::Scene;
use num_rational::BigRational;
use proptest::prelude::*;

const TABLE: &str = include_str!("data/binance_usdm_tiers.csv");

fn scene() -> Scene {
    Scene::new(&preset("binance-usdm").unwrap().config().unwrap())
}

/// Rows of the published table: symbol, floor, cap, rate, leverage, amount.
fn rows() -> Vec<(&'static str, [&'static str; 5])> {
    let row = |line: &'static str| {
        let f: Vec<&str> = line.split(',').collect();
        (f[0], [f[2], f[3], f[4], f[5], f[6]])
    };
    // one row has no cap: its largest 64-bit integer stands for "as much as there is"
    let capped = |(s, [a, cap, c, d, e]): (_, [&'static str; 5])| {
        (s, [a, if cap.contains('e') { "1000000000000" } else { cap }, c, d, e])
    };
    TABLE.lines().skip(1).map(row).map(capped).collect()
}

/// Identity of the venue's own table (FAQ b3c689c1, "maintenance amount"), and N x mmr - cum to the unit on both bounds of each
/// row: by the generic tiers and by the venue's brackets.
#[test]
fn the_maintenance_amounts_of_all_brackets() {
    let rows = rows();
    assert_eq!(rows.len(), 2_529);
    let mut symbols: Vec<(&str, Vec<[&str; 5]>)> = Vec::new();
    for (symbol, row) in rows {
        match symbols.last_mut().filter(|(s, _)| *s == symbol) {
            Some((_, list)) => list.push(row),
            None => symbols.push((symbol, vec![row])),
        }
    }
    assert_eq!(symbols.len(), 318);
    for (symbol, list) in symbols {
        let (mut rate, mut cum) = (exact("0"), exact("0"));
        for [floor, _, mmr, _, published] in &list {
            cum += exact(floor) * (exact(mmr) - &rate);
            rate = exact(mmr);
            assert_eq!(cum, exact(published), "{symbol} from {floor}");
        }
        let tier = |[floor, _, mmr, leverage, _]: &[&str; 5]| Tier {
            lower: Quanta::new(micro(floor)),
            maintenance: ppb(mmr),
            initial: Ppb(1_000_000_000 / leverage.trim_end_matches(".0").parse::<i64>().unwrap()),
        };
        let tiered = Tiered::new(list.iter().map(tier).collect()).unwrap();
        let written: Vec<String> = list
            .iter()
            .map(|[_, cap, mmr, leverage, cum]| {
                let leverage = leverage.trim_end_matches(".0");
                format!(r#"{{ cap = "{cap}", mmr = "{mmr}", leverage = {leverage}, cum = "{cum}" }}"#)
            })
            .collect();
        let written = format!("kind = 'binance/brackets@1'\nbrackets = [{}]", written.join(","));
        let built = with_requirement("binance-usdm", &written).unwrap();
        let market = cex::sheet(0, &[Row { lots: 0, entry: 1, mark: 1 }]).0;
        let market = *cofferdam_core::World::market(&market, MarketId(0)).unwrap();
        for [floor, cap, mmr, leverage, cum] in &list {
            for n in [*floor, *cap] {
                let want = ((exact(n) * exact(mmr) - exact(cum)) * int(1_000_000)).ceil().to_integer();
                let want = Quanta::new(i128::try_from(want).unwrap());
                let n = Quanta::new(micro(n));
                assert_eq!(
                    tiered.required(Stage::Maintenance, &market, Lots::ONE, n).unwrap(),
                    want,
                    "{symbol}"
                );
                if !n.is_zero() {
                    let line = of_notional(&built, n.get()).line(Level::Maintenance).unwrap();
                    assert_eq!(line.demand, want, "{symbol} at {n:?}");
                }
            }
            // the largest leverage of a bracket holds for the whole notional up to its cap
            let want = (exact(cap) * int(1_000_000) / exact(leverage)).ceil().to_integer();
            let line = of_notional(&built, micro(cap)).line(Level::Initial).unwrap();
            assert_eq!(line.demand.get(), i128::try_from(want).unwrap(), "{symbol} at {cap}");
        }
    }
}

/// Maintenance amounts printed elsewhere: FAQ b3c689c1 (level 5 of BTCUSDT in 2020: 1,300), and what freqtrade's tests
/// (tests/exchange/test_binance.py at 02078456, lines 95-330) hold the venue's API to.
#[test]
fn published_maintenance_amounts() {
    let check = |what: &str, tiers: &[(&str, &str, &str)]| {
        let tier = |(lower, mmr, _): &(&str, &str, &str)| Tier {
            lower: Quanta::new(micro(lower)),
            maintenance: ppb(mmr),
            initial: Ppb(999_999_999),
        };
        let tiered = Tiered::new(tiers.iter().map(tier).collect()).unwrap();
        for ((_, _, cum), piece) in tiers.iter().zip(tiered.table(Stage::Maintenance)) {
            assert_eq!(piece.deduction, micro(cum) * 1_000_000_000, "{what}: {cum}");
        }
    };
    check("FAQ", &[("0", "0.004", "0"), ("50000", "0.005", "50"), ("250000", "0.01", "1300")]);
    check(
        "ADA/BUSD",
        &[
            ("0", "0.025", "0"),
            ("100000", "0.05", "2500"),
            ("500000", "0.1", "27500"),
            ("1000000", "0.15", "77500"),
            ("2000000", "0.25", "277500"),
            ("5000000", "0.5", "1527500"),
        ],
    );
    check(
        "ZEC/USDT",
        &[
            ("0", "0.01", "0"),
            ("50000", "0.025", "750"),
            ("150000", "0.05", "4500"),
            ("250000", "0.1", "17000"),
            ("500000", "0.125", "29500"),
            ("1000000", "0.25", "154500"),
            ("2000000", "0.5", "654500"),
        ],
    );
}

/// A requirement with one rate and one amount, as the formula has them.
fn level(mmr: &str, cum: &str) -> Box<dyn Requirement> {
    let floor = exact(cum) / exact(mmr) * int(1_000_000);
    let floor = Quanta::new(i128::try_from(floor.to_integer()).unwrap());
    let (zero, whole) = (Ppb::ZERO, Ppb(999_999_999));
    let mut tiers = vec![Tier { lower: Quanta::ZERO, maintenance: zero, initial: whole }];
    if floor.is_zero() {
        tiers.clear();
    }
    tiers.push(Tier { lower: floor, maintenance: ppb(mmr), initial: whole });
    Box::new(Tiered::new(tiers).unwrap())
}

fn cross(levels: Vec<Box<dyn Requirement>>) -> CrossMargin {
    let markets = (0..).zip(levels).map(|(i, r)| MarketTerms::new(MarketId(i), r)).collect();
    CrossMargin::new(Levels::default(), vec![AssetTerms::full(AssetId(0))], markets).unwrap()
}

/// Lots of 0.001, ticks of 0.001.
fn milli(x: &str) -> i64 {
    i64::try_from((exact(x) * int(1_000)).to_integer()).unwrap()
}

/// LP = (WB - TMM + UPNL + cum - side x S x EP) / (S x mmr - side x S), the venue's formula (FAQ b3c689c1), as a fraction.
fn formula(
    wb: &BigRational,
    others: &BigRational,
    (mmr, cum): (&str, &str),
    lots: i64,
    entry: i64,
) -> BigRational {
    let (size, side) = (int(lots.abs()) / int(1_000), int(lots.signum()));
    let entry = int(entry) / int(1_000);
    (wb + others + exact(cum) - &side * &size * entry) / (&size * exact(mmr) - side * size)
}

/// The example of FAQ b3c689c1 as freqtrade's tests print it (`test_liquidation_price_binance`): a wallet of 1,535,443.01, long
/// 3,683.979 ETH and 109.488 BTC.
#[test]
fn published_liquidation_prices() {
    let eth = Row { lots: milli("3683.979"), entry: milli("1456.84"), mark: milli("1335.18") };
    let btc = Row { lots: milli("109.488"), entry: milli("32481.98"), mark: milli("31967.27") };
    let check = |rows: &[Row], levels: &[(&str, &str)], of: usize, want: &str| {
        let model = cross(levels.iter().map(|(mmr, cum)| level(mmr, cum)).collect());
        let (world, holdings) = sheet(micro("1535443.01"), rows);
        let limits = model.position_limits(&holdings.group(GroupId(0)), &world, Level::Maintenance).unwrap();
        let found = int(limits[of].liquidation.unwrap().get()) / int(1_000);
        // the venue prints cents, and the first tick below the line lies under it
        let off = exact(want) - found;
        assert!(off <= exact("0.006") && off >= exact("-0.005"), "{want}: {off}");
    };
    check(&[eth], &[("0.1", "135365")], 0, "1114.78"); // isolated
    check(&[btc], &[("0.025", "16300")], 0, "18778.73"); // isolated
    check(&[eth, btc], &[("0.1", "135365"), ("0.025", "16300")], 0, "1153.26"); // cross
    check(&[eth, btc], &[("0.1", "135365"), ("0.025", "16300")], 1, "26316.89"); // cross
}

/// The brackets of the preset's ETH market as generic tiers, and the rows they come from.
fn ethusdt() -> (Box<dyn Requirement>, Vec<[&'static str; 5]>) {
    let rows: Vec<_> = rows().into_iter().filter(|(s, _)| *s == "ETH").map(|(_, r)| r).collect();
    let tier = |[floor, _, mmr, _, _]: &[&str; 5]| Tier {
        lower: Quanta::new(micro(floor)),
        maintenance: ppb(mmr),
        initial: Ppb::ONE,
    };
    (Box::new(Tiered::new(rows.iter().map(tier).collect()).unwrap()), rows)
}

proptest! {
    /// The closed form is the venue's formula to the tick, cross and isolated, long and short: the formula is taken in the
    /// bracket in which the position lies at its own answer (the FAQ's first note).
    #[test]
    fn the_closed_form_is_the_venues_formula(
        lots in prop_oneof![1_i64..2_000_000, -2_000_000_i64..0], entry in 500_000_i64..4_000_000, wallet in 0_i128..1 << 44,
        other in -2_000_000_i64..2_000_000, moved in -90_000_i64..90_000,
    ) {
        let (eth, table) = ethusdt();
        let flat = ("0.004", "0");
        let model = cross(vec![eth, level(flat.0, flat.1)]);
        let rows = [Row { lots, entry, mark: entry }, Row { lots: other, entry: 1_000_000, mark: 1_000_000 + moved }];
        let (world, holdings) = sheet(wallet, &rows);
        let limits = model.position_limits(&holdings.group(GroupId(0)), &world, Level::Maintenance).unwrap();
        let found = limits[0].liquidation.map(cofferdam_core::Ticks::get);
        // the others: unrealised profit less maintenance, the latter rounded up to a quantum as the model does
        let million = int(1_000_000);
        let profit = int(i128::from(other) * i128::from(moved));
        let notional = int(i128::from(other).abs() * i128::from(1_000_000 + moved));
        let others = (profit - (notional * exact(flat.0)).ceil()) / &million;
        let wallet = int(wallet) / &million;
        let price = table.iter().find_map(|[floor, cap, mmr, _, cum]| {
            let price = formula(&wallet, &others, (mmr, cum), lots, entry);
            let notional = &price * int(lots.abs()) / int(1_000);
            let last = *cap == table.last().unwrap()[1];
            (notional >= exact(floor) && (notional < exact(cap) || last)).then(|| price * int(1_000))
        });
        // below iff support < demand with demand rounded up to a quantum: one quantum of slack in a price per lot
        let quantum = int(2) / int(lots.abs());
        match (found, price) {
            (Some(tick), Some(price)) => {
                let beyond = (price - int(tick)) * int(lots.signum());
                prop_assert!(beyond > -quantum && beyond <= int(1), "{}", beyond);
            }
            // a short liquidates somewhere; a long whose formula gives nothing above zero never does
            (None, price) => prop_assert!(lots > 0 && price.is_none_or(|p| p <= int(1))),
            (Some(tick), None) => prop_assert!(lots > 0 && tick <= 1, "{tick}"),
        }
    }
}

/// Mark = median(Price 1, Price 2, last) with numbers that can be followed by hand.
#[test]
fn the_mark_is_the_median_of_three() {
    let mut scene = scene();
    scene.wait(28_800_000 - 1_000_000); // to a funding time: no rate yet, so Price 1 is the index
    let feed = |scene: &mut Scene, spot: &str, middle: &str, last: &str| {
        for source in [11, 12, 13] {
            scene.quote_by(source, "ETH-PERP", spot);
        }
        scene.quote_by(2, "ETH-PERP", middle);
        scene.quote_by(1, "ETH-PERP", last);
    };
    feed(&mut scene, "2000", "2003", "2010");
    assert_eq!(index(&scene, "ETH-PERP"), 2_000_000);
    assert_eq!(mark(&scene, "ETH-PERP"), 2_003_000); // Price 1 = 2000, Price 2 = 2000 + 3, last = 2010
    // a trade far away moves the last price only, and one second of a swept book moves Price 2 by a thirtieth
    for _ in 0..29 {
        scene.wait(1_000);
        feed(&mut scene, "2000", "2003", "2010");
    }
    scene.wait(1_000);
    feed(&mut scene, "2000", "1700", "1500");
    // Price 2 = 2000 + (29 x 3 - 300) / 30 = 1992.9; Price 1 = 2000: the middle one of 1500, 1992.9 and 2000
    assert_eq!(mark(&scene, "ETH-PERP"), 1_992_900);
    // an interval with a premium of 0.2 % leaves a rate of 0.15 % (premium less the clamp), half of which is left after four hours
    scene.wait(28_800_000 - 30_000);
    feed(&mut scene, "2000", "2004", "2004");
    scene.wait(28_800_000);
    feed(&mut scene, "2000", "2004", "2010");
    // all of the interval is left: Price 1 = 2000 x 1.0015 = 2003; Price 2 = 2004; last = 2010
    assert_eq!(mark(&scene, "ETH-PERP"), 2_004_000);
    scene.wait(14_400_000);
    feed(&mut scene, "2000", "1990", "2010");
    // half of it: Price 1 = 2001.5, Price 2 = 2000 + (29 x 4 - 10) / 30 = 2003.5333, last = 2010
    assert_eq!(mark(&scene, "ETH-PERP"), 2_003_533);
    scene.check();
}

/// Two longs of 10 ETH at 2000 with 300 of collateral each, against shorts with different gains and leverage.
fn crowd(vault: &str) -> Scene {
    let mut scene = scene();
    scene.quote("ETH-PERP", "2000");
    scene.quote("BTC-PERP", "40000");
    if vault != "0" {
        scene.deposit(1, "USDT", vault);
    }
    for (group, cash) in [(10, "300"), (11, "300"), (20, "10000"), (21, "900"), (22, "400"), (30, "1000000")]
    {
        scene.deposit(group, "USDT", cash);
    }
    scene.trade(10, 20, "ETH-PERP", "6", "2000");
    scene.trade(10, 21, "ETH-PERP", "4", "2000");
    scene.trade(11, 21, "ETH-PERP", "4", "2000");
    scene.trade(11, 22, "ETH-PERP", "6", "2000");
    scene
}

/// Immediate-or-cancel at the bankruptcy price; what it leaves goes to the fund; the fund pays from its own account.
#[test]
fn the_order_is_limited_at_bankruptcy_and_the_fund_takes_what_it_leaves() {
    let mut scene = crowd("50000");
    scene.quote("ETH-PERP", "1978");
    // equity 300 - 220 = 80 against 19780 x 0.4 % = 79.12: still there
    assert!(scene.bench().orders().is_empty());
    scene.quote("ETH-PERP", "1977");
    // 70 against 79.08: bankrupt at 1977 - 70 / 10 = 1970
    let order = scene.order_of(10);
    assert_eq!((order.lots, order.limit), (scene.lots("ETH-PERP", "-10"), scene.ticks("ETH-PERP", "1970")));
    // filled at its limit the account ends with nothing, owes nothing, and no insurance is drawn
    assert_eq!(scene.fill(10, 30, "1970"), Answer::Done);
    assert_eq!((scene.balance(10, "USDT"), scene.posted(Reason::BadDebt)), ("0".into(), 0));
    // not filled: the insurance fund takes the account over as it is
    assert_eq!(scene.end_order(11, OrderOutcome::Expired), Answer::Done);
    assert_eq!(scene.posted(Reason::Takeover), 1);
    assert_eq!((scene.size(11, "ETH-PERP"), scene.size(1, "ETH-PERP")), ("0".into(), "10".into()));
    assert_eq!((scene.balance(11, "USDT"), scene.balance(1, "USDT")), ("0".into(), "50300".into()));
    scene.check();
}

/// A fund that cannot bear the account: auto-deleveraging at the bankruptcy price, in the order of gain / collateral x margin
/// ratio.
#[test]
fn an_exhausted_fund_ends_in_auto_deleveraging() {
    let mut scene = crowd("0");
    scene.quote("ETH-PERP", "1977");
    scene.end_order(10, OrderOutcome::Expired);
    assert!(scene.bench().alarms().iter().any(|a| matches!(a, Alarm::UnfitRecipient { group: GroupId(1) })));
    // 22: gain 138 / 400 x 47.4 / 538; 21: 184 / 900 x 63.3 / 1084; 20: 138 / 10000 x 47.4 / 10138
    let price = i128::from(scene.ticks("ETH-PERP", "1970").get());
    assert_eq!(closes(&scene, Reason::Deleverage, 10), [(22, -6_000, price), (21, -4_000, price)]);
    assert_eq!((scene.size(10, "ETH-PERP"), scene.balance(10, "USDT")), ("0".into(), "0".into()));
    assert_eq!(scene.balance(22, "USDT"), "580"); // 400 + 6 x (2000 - 1970), not x (2000 - 1977)
    assert_eq!((scene.posted(Reason::Takeover), scene.posted(Reason::Haircut)), (0, 0));
    scene.check();
}

/// A gap through bankruptcy: the fund takes a loss with the position, and its own cash layer pays when the fund itself goes.
#[test]
fn a_gap_is_the_funds_loss() {
    let mut scene = crowd("50000");
    scene.quote("ETH-PERP", "1900"); // 300 - 1000: 700 under water
    for group in [10, 11] {
        scene.end_order(group, OrderOutcome::Expired);
    }
    assert_eq!(scene.size(1, "ETH-PERP"), "20");
    assert_eq!(scene.balance(1, "USDT"), "50600"); // and 2000 of unrealised loss
    assert_eq!(scene.deficit("USDT"), "0");
    scene.check();
}

#[test]
fn what_the_venue_would_not_accept() {
    let check = |rows: &str, path: &str, says: &str| {
        let text = format!("kind = 'binance/brackets@1'\nbrackets = [{rows}]");
        let error = with_requirement("binance-usdm", &text).unwrap_err();
        assert!(error.contains(path) && error.contains(says), "{rows}: {error}");
    };
    let first = r#"{ cap = "50000", mmr = "0.004", leverage = 125, cum = "0" }"#;
    check(
        r#"{ cap = "50000", mmr = "0.004", leverage = 126, cum = "0" }"#,
        "brackets[0].leverage",
        "1 to 125",
    );
    check(
        r#"{ cap = "50000", mmr = "0.004", leverage = 125, cum = "1" }"#,
        "brackets[0].cum",
        "maintenance amount",
    );
    check(r#"{ cap = "50000", mmr = "0.01", leverage = 125, cum = "0" }"#, "brackets[0].mmr", "1 / leverage");
    check(r#"{ cap = "0", mmr = "0.004", leverage = 125, cum = "0" }"#, "brackets[0].cap", "floor");
    let after = |row: &str| format!("{first}, {row}");
    check(
        &after(r#"{ cap = "600000", mmr = "0.005", leverage = 100, cum = "49" }"#),
        "brackets[1].cum",
        "floor x",
    );
    check(
        &after(r#"{ cap = "600000", mmr = "0.005", leverage = 125, cum = "50" }"#),
        "brackets[1].leverage",
        "less than",
    );
    check(
        &after(r#"{ cap = "50000", mmr = "0.005", leverage = 100, cum = "50" }"#),
        "brackets[1].cap",
        "above",
    );
    check(
        &after(r#"{ cap = "600000", mmr = "0.004", leverage = 100, cum = "0" }"#),
        "tiers",
        "more than the rate",
    );
    check(&after(r#"{ cap = "600000", mmr = "0.004", leverage = 100, cum = "0", x = 1 }"#), "brackets", "x");
}

/// A position too large for the widths is an error, never a wrap.
#[test]
fn too_large_is_an_error() {
    let mut scene = scene();
    scene.quote("ETH-PERP", "2000");
    for group in [10, 20] {
        scene.deposit(group, "USDT", "1000000000000");
    }
    assert!(matches!(scene.trade(10, 20, "ETH-PERP", "9000000000000000", "2000"), Answer::Refused(_)));
}

/// What the preset declares, in full.
#[test]
fn the_laws_it_breaks() {
    let config = preset("binance-usdm").unwrap().config().unwrap();
    let mut laws: Vec<u16> = config.broken_laws().iter().map(|l| l.invariant).collect();
    laws.sort_unstable();
    laws.dedup();
    assert_eq!(laws, [6, 14, 19, 23, 28]);
}

/// INV-6: two accounts of half the size need less.
#[test]
fn splitting_lowers_what_is_required() {
    let built = preset("binance-usdm").unwrap().config().unwrap().build().unwrap();
    let need = |n: &str| of_notional(&built, micro(n)).line(Level::Maintenance).unwrap().demand.get();
    assert_eq!((need("100000"), need("50000")), (micro("450"), micro("200")));
}

/// INV-14: one quantum past a cap the initial requirement jumps from 1/125 to 1/100 of everything.
#[test]
fn the_initial_requirement_has_a_cliff() {
    let built = preset("binance-usdm").unwrap().config().unwrap().build().unwrap();
    let need = |n: i128| of_notional(&built, n).line(Level::Initial).unwrap().demand.get();
    assert_eq!((need(micro("50000")), need(micro("50000") + 1)), (micro("400"), micro("500") + 1));
}

/// INV-19: everything is closed where closing a small part would have been enough.
#[test]
fn a_full_close_takes_more_than_needed() {
    let partial = "kind = \"cofferdam/partial-to-target@1\"\ntarget = \"maintenance\"";
    let partial = with("binance-usdm", "kind = \"cofferdam/full-close@1\"", partial);
    let ordered = |mut scene: Scene| {
        scene.quote("ETH-PERP", "2000");
        scene.deposit(10, "USDT", "20000");
        scene.deposit(20, "USDT", "1000000");
        assert_eq!(scene.trade(10, 20, "ETH-PERP", "500", "2000"), Answer::Done);
        // equity 5450 against 985450 x 0.65 % - 950 = 5455.425
        scene.quote("ETH-PERP", "1970.9");
        scene.order_of(10).lots.get()
    };
    assert_eq!(ordered(scene()), -500_000);
    // 5.425 / (0.65 % - 0.5 % of fee) = 3617 of notional
    assert_eq!(ordered(Scene::new(&partial)), -1_836);
}

/// INV-23: a fill below the bankruptcy price that the fund cannot pay stays open until the fund has money.
#[test]
fn a_deficit_waits_for_the_fund() {
    let mut scene = Scene::new(&with("binance-usdm", "escrow = \"500000\"", "escrow = \"1\""));
    scene.quote("ETH-PERP", "2000");
    for (group, cash) in [(10, "300"), (20, "10000"), (30, "1000000")] {
        scene.deposit(group, "USDT", cash);
    }
    scene.trade(10, 20, "ETH-PERP", "10", "2000");
    scene.quote("ETH-PERP", "1977");
    scene.fill(10, 30, "1960"); // ten below the bankruptcy price
    scene.wait(10_000);
    assert_eq!((scene.deficit("USDT"), scene.posted(Reason::Haircut)), ("99".into(), 0));
    scene.check();
}

/// INV-28: who gained more ends below who gained less.
#[test]
fn the_queue_does_not_preserve_the_order_of_gains() {
    let mut scene = scene();
    scene.quote("ETH-PERP", "2000");
    for (group, cash) in [(10, "300"), (11, "100000"), (20, "10000"), (21, "900")] {
        scene.deposit(group, "USDT", cash);
    }
    scene.trade(10, 21, "ETH-PERP", "10", "2000");
    scene.trade(11, 20, "ETH-PERP", "6", "2000");
    scene.quote("ETH-PERP", "1940");
    scene.end_order(10, OrderOutcome::Expired);
    // 21 had gained 600 and is closed at the bankruptcy price of 1970, with 300; 20 had gained 360 and keeps it
    assert_eq!((scene.size(21, "ETH-PERP"), scene.balance(21, "USDT")), ("0".into(), "1200".into()));
    assert_eq!(scene.size(20, "ETH-PERP"), "-6");
}
