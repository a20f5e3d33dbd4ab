//! Liquidation prices that the venue printed: `../shared/data/hyperliquid_wintermute_book_jan2026/positions.csv`, the 83 cross positions
//! of one account on 13 January 2026, 57 of them with a price of ten decimals.
//!
//! The record lacks the account's value. One number is taken from it, what is free above maintenance (51,601,697.244303, in
//! whole millionths), and 57 prices follow; the blank ones have no positive price. Tiers: those of the documentation's table;
//! a market that is not in it, or whose row has changed since, has one of the venue's tables (3x, 5x, 10x, 10x/5x from 3 or 20
//! million), found from its own printed price.

use cofferdam_core::{
    Amount, AssetId, AssetScale, AssetView, BalanceView, FundingIndex, GroupId, GroupView, Index, Level,
    Lots, MarketId, MarketScale, MarketView, Millis, PositionView, Ppb, PriceView, Quanta, RAY, Ticks, World,
};
use cofferdam_margin_engine::{
    AssetTerms, CrossMargin, Levels, MarginModel, MarketTerms, Requirement, Stage, Tier, Tiered,
};
use num_bigint::BigInt;
use num_rational::BigRational;

/// Millionths of a dollar: account value less maintenance.
const FREE: i128 = 51_601_697_244_303;
/// A millionth of a dollar in quanta of 1e-15.
const MICRO: i128 = 1_000_000_000;

const LARGE: &[&str] = &[
    "DOGE", "kPEPE", "SUI", "WLD", "TRUMP", "LTC", "ENA", "AAVE", "kBONK", "LINK", "CRV", "AVAX", "ADA",
    "UNI", "NEAR", "TIA", "APT", "BCH", "HYPE", "FARTCOIN",
];
const SMALL: &[&str] =
    &["OP", "ARB", "LDO", "TON", "MKR", "ONDO", "JUP", "kSHIB", "SEI", "TRX", "BNB", "DOT"];
/// Not in the documentation's table, or (WIF, POPCAT, INJ) no longer as it says.
const FOUND: &[(&str, &[(i128, i64)])] = &[
    ("WIF", &[(0, 5)]),
    ("POPCAT", &[(0, 3)]),
    ("INJ", &[(0, 10)]),
    ("PUMP", &[(0, 10), (20, 5)]),
    ("ZEC", &[(0, 10), (20, 5)]),
    ("XPL", &[(0, 10), (3, 5)]),
    ("PAXG", &[(0, 10), (3, 5)]),
    ("MON", &[(0, 5)]),
    ("ASTER", &[(0, 5)]),
    ("PNUT", &[(0, 5)]),
];

/// Tiers as (from so many millions, largest leverage). One tier at the leverage in use where nothing else is known.
fn tiers(coin: &str, leverage: i64) -> Vec<(i128, i64)> {
    match coin {
        "BTC" => vec![(0, 40), (150, 20)],
        "ETH" => vec![(0, 25), (100, 15)],
        "SOL" => vec![(0, 20), (70, 10)],
        "XRP" => vec![(0, 20), (40, 10)],
        c if LARGE.contains(&c) => vec![(0, 10), (20, 5)],
        c if SMALL.contains(&c) => vec![(0, 10), (3, 5)],
        c => FOUND.iter().find(|(name, _)| *name == c).map_or(vec![(0, leverage)], |(_, t)| t.to_vec()),
    }
}

struct Row {
    coin: String,
    /// Signed lots of 10^-decimals.
    lots: i64,
    decimals: u32,
    /// Of 1e-10.
    mark: i64,
    tiers: Vec<(i128, i64)>,
    /// Of 1e-10; `None` where the venue printed none.
    printed: Option<i64>,
}

/// A decimal as a whole number of 10^-places.
fn units(text: &str, places: u32) -> i128 {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = part.trim_end_matches('0');
    assert!(part.len() <= places as usize, "{text}");
    let digits: String = whole.chars().chain(part.chars()).filter(|c| *c != '-').collect();
    let size = digits.parse::<i128>().expect("a number") * 10_i128.pow(places - part.len() as u32);
    if text.starts_with('-') { -size } else { size }
}

fn rows() -> Option<Vec<Row>> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../../shared/data/hyperliquid_wintermute_book_jan2026/positions.csv"
    );
    let text = std::fs::read_to_string(path).ok()?;
    let row = |line: &str| {
        let f: Vec<&str> = line.split(',').collect();
        let decimals = f[2].split_once('.').map_or(0, |(_, d)| d.trim_end_matches('0').len()) as u32;
        let lots = units(f[2], decimals);
        // value / size is the mark, exactly
        let value = units(f[4], 6) * 10_i128.pow(4 + decimals);
        assert_eq!(value % lots, 0, "{line}");
        Row {
            coin: f[0].to_owned(),
            lots: lots as i64,
            decimals,
            mark: (value / lots.abs()) as i64,
            tiers: tiers(f[0], f[7].parse().expect("a leverage")),
            printed: (!f[9].is_empty()).then(|| units(f[9], 10) as i64),
        }
    };
    Some(text.lines().skip(1).map(row).collect())
}

struct Sheet {
    markets: Vec<MarketView>,
    asset: AssetView,
}

impl World for Sheet {
    fn scenarios(&self, _: MarketId) -> Option<&cofferdam_core::Scenarios> {
        None
    }
    fn bands(&self, _: cofferdam_core::GroupId) -> Option<cofferdam_core::Bands> {
        None
    }
    fn market(&self, id: MarketId) -> Option<&MarketView> {
        self.markets.get(id.0 as usize)
    }
    fn asset(&self, id: AssetId) -> Option<&AssetView> {
        (id == self.asset.id).then_some(&self.asset)
    }
}

fn requirement(row: &Row) -> Tiered {
    let tier = |(millions, leverage): &(i128, i64)| Tier {
        lower: Quanta::new(millions * 1_000_000 * 1_000_000 * MICRO),
        // the nearest ppb: 1/6 and 1/30 have none of their own
        maintenance: Ppb((1_000_000_000 + leverage) / (2 * leverage)),
        initial: Ppb((2_000_000_000 / leverage + 1) / 2),
    };
    Tiered::new(row.tiers.iter().map(tier).collect()).expect("the venue's tiers")
}

const fn group<'a>(positions: &'a [PositionView], balances: &'a [BalanceView]) -> GroupView<'a> {
    GroupView { id: GroupId(0), positions, balances, debts: &[] }
}

/// The engine's liquidation price of each position, in 1e-10, with what the venue's rounding of the position's own maintenance
/// (down to a millionth) leaves free.
fn engine(rows: &[Row]) -> Vec<Option<i64>> {
    let exact = |price| PriceView::exact(Ticks::new(price), Millis::ZERO);
    let view = |(i, r): (usize, &Row)| MarketView {
        id: MarketId(i as u32),
        // lot x tick = 10^-decimals x 1e-10, in quanta of 1e-15
        scale: MarketScale::from_factor(10_i64.pow(5 - r.decimals)).expect("above zero"),
        settlement: AssetId(0),
        mark: exact(r.mark),
        previous_mark: Ticks::new(r.mark),
        index: exact(r.mark),
        open_interest: Lots::ZERO,
        funding: FundingIndex::ZERO,
        volatility: Ppb::ZERO,
    };
    let asset = AssetView {
        id: AssetId(0),
        scale: AssetScale::new(15, 0, -15).expect("a scale"),
        price: exact(1),
        debt_index: Index::new(RAY),
    };
    let sheet = Sheet { markets: rows.iter().enumerate().map(view).collect(), asset };
    let terms = |(i, r)| MarketTerms::new(MarketId(i), Box::new(requirement(r)) as Box<dyn Requirement>);
    let markets = (0..).zip(rows).map(terms).collect();
    let model =
        CrossMargin::new(Levels::default(), vec![AssetTerms::full(AssetId(0))], markets).expect("terms");
    // bought at the mark: what the positions have gained since is part of the account's value
    let position = |m: &MarketView, r: &Row| {
        let lots = Lots::new(r.lots);
        let cost = m.scale.notional(lots, m.mark.mid).expect("in range");
        PositionView { market: m.id, lots, cost, funding: Quanta::ZERO }
    };
    let positions: Vec<PositionView> = sheet.markets.iter().zip(rows).map(|(m, r)| position(m, r)).collect();
    let with_cash = |cash: i128| [BalanceView { asset: AssetId(0), amount: Amount::new(cash) }];
    let none = with_cash(0);
    let health = model.assess(&group(&positions, &none), &sheet).expect("priced");
    let demand = health.line(Level::Maintenance).expect("a level").demand.get();
    let mut out = Vec::new();
    for (i, (row, market)) in rows.iter().zip(&sheet.markets).enumerate() {
        let (lots, p) = (Lots::new(row.lots), &positions[i]);
        let notional = p.cost.try_abs().expect("in range");
        let own =
            requirement(row).required(Stage::Maintenance, market, lots, notional).expect("in range").get();
        let balance = with_cash(demand + FREE * MICRO - own % MICRO);
        let limits =
            model.position_limits(&group(&positions, &balance), &sheet, Level::Maintenance).expect("priced");
        out.push(limits[i].liquidation.map(|t| t.get()));
    }
    out
}

fn ratio(a: i128, b: i128) -> BigRational {
    BigRational::new(BigInt::from(a), BigInt::from(b))
}

/// The same by hand in exact fractions, sharing no code with the engine: free + own maintenance, rounded down to a millionth, is
/// what the position may lose and need: side x S x L - (m x S x L - d) = side x S x P - free - own.
fn by_hand(row: &Row) -> Option<BigRational> {
    let zero = ratio(0, 1);
    let size = ratio(i128::from(row.lots.abs()), 10_i128.pow(row.decimals));
    let value = &size * ratio(row.mark.into(), 10_000_000_000);
    let side = ratio(if row.lots < 0 { -1 } else { 1 }, 1);
    let (mut pieces, mut deduction, mut before) = (Vec::new(), zero.clone(), zero.clone());
    for (millions, leverage) in &row.tiers {
        let rate = ratio(1, i128::from(2 * leverage));
        deduction += ratio(millions * 1_000_000, 1) * (&rate - &before);
        before = rate.clone();
        pieces.push((rate, deduction.clone()));
    }
    let needed = |n: &BigRational| pieces.iter().map(|(m, d)| n * m - d).max().expect("a tier");
    let micro = ratio(1_000_000, 1);
    let own = (needed(&value) * &micro).floor() / &micro;
    let free = ratio(FREE, 1_000_000);
    pieces.iter().find_map(|(m, d)| {
        let price = (&side * &value - d - &free - &own) / (&size * (&side - m));
        let notional = &size * &price;
        (price > zero && needed(&notional) == &notional * m - d).then_some(price)
    })
}

/// How far a price is from the printed one (in 1e-10), in units in the last place of a double.
fn ulps(printed: i64, off: f64) -> f64 {
    let price = printed as f64 / 1e10;
    let ulp = f64::from_bits(price.to_bits() + 1) - price;
    off / 1e10 / ulp
}

#[test]
fn printed_liquidation_prices() {
    let Some(rows) = rows() else {
        println!("skipped: ../shared/data/hyperliquid_wintermute_book_jan2026 is absent");
        return;
    };
    let engine = engine(&rows);
    let (mut digits, mut hand_digits, mut within_double, mut blank, mut worst) = (0, 0, 0, 0, 0_f64);
    for (row, ours) in rows.iter().zip(engine) {
        let hand = by_hand(row);
        let Some(printed) = row.printed else {
            assert_eq!((ours, hand.is_none()), (None, true), "{}", row.coin);
            blank += 1;
            continue;
        };
        let ours = ours.expect(&row.coin);
        // the engine names the first tick below maintenance, the venue the price at it
        digits += usize::from(printed == ours || printed == ours - 1);
        worst = worst.max(((ours - printed) as f64 / printed as f64).abs());
        let hand = hand.expect("a price") * ratio(10_000_000_000, 1) - ratio(printed.into(), 1);
        let rounded = hand.round() == ratio(0, 1);
        let off: f64 = format!("{:.3}", to_f64(&hand)).parse().expect("a number");
        hand_digits += usize::from(rounded);
        let close = rounded || ulps(printed, off.abs()) <= 2.0;
        within_double += usize::from(close);
        if printed != ours && printed != ours - 1 || !close {
            println!("{}: printed {printed}, engine {ours}, exact {off:+} of 1e-10", row.coin);
        }
    }
    println!(
        "engine {digits}, exact {hand_digits}, within a double {within_double}, blank {blank}, worst {worst:e}"
    );
    assert_eq!((rows.len(), blank), (83, 26));
    // the other 6: what is left of the venue's arithmetic in doubles, at prices from 900,000 to 122,000,000
    assert_eq!((hand_digits, within_double), (51, 57));
    // the other 14: these 6, and 8 whose rate of 1/30 or 1/6 is no whole number of ppb
    assert_eq!(digits, 43);
    assert!(worst < 3e-10);
}

fn to_f64(x: &BigRational) -> f64 {
    let scaled = (x * ratio(1_000_000, 1)).round().to_integer();
    scaled.to_string().parse::<f64>().expect("a number") / 1e6
}
