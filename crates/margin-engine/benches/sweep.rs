//! How fast a full sweep is, as ratios against references measured in the same run: a plain read of as many bytes, and the
//! naive layout. Then the common workload, beside the numbers of other engines.
//!
//! `cargo bench -p cofferdam-margin-engine --bench sweep`; `COFFERDAM_SWEEP_ACCOUNTS=100000` makes the book smaller (a book that
//! fits a cache flatters neither side: only the full million is quoted).

#[path = "../tests/common/workload.rs"]
mod workload;
use cofferdam_core::*;
use cofferdam_margin_engine::*;
use std::hint::black_box;
use std::time::Instant;

const POSITIONS: u32 = 4;
const MARKETS: u32 = 64;
const ROUNDS: u32 = 21;
/// Reads in one pass of a reference, so that it lasts about as long as a sweep and is interrupted about as often.
const READS: u32 = 4;

struct Sheet {
    markets: Vec<MarketView>,
    usd: AssetView,
}

impl World for Sheet {
    fn market(&self, id: MarketId) -> Option<&MarketView> {
        self.markets.get(id.0 as usize)
    }
    fn asset(&self, id: AssetId) -> Option<&AssetView> {
        (id == self.usd.id).then_some(&self.usd)
    }
    fn scenarios(&self, _: MarketId) -> Option<&Scenarios> {
        None
    }
    fn bands(&self, _: cofferdam_core::GroupId) -> Option<cofferdam_core::Bands> {
        None
    }
}

/// The naive layout: a vector per account, wide numbers everywhere, a search for the tier, a division per position.
struct Naive {
    cash: i128,
    positions: Vec<NaivePosition>,
}

struct NaivePosition {
    market: u32,
    lots: i128,
    cost: i128,
}

fn tiers(i: u32) -> Vec<Tier> {
    let rate = |step: i64| Ppb(10_000_000 + 250_000 * i64::from(i) + 10_000_000 * step);
    let tier = |step: i64, lower| Tier {
        lower: Quanta::new(lower),
        maintenance: rate(step),
        initial: Ppb(rate(step).0 * 2),
    };
    vec![tier(0, 0), tier(1, 20_000_000_000), tier(2, 100_000_000_000)]
}

fn world(funding: i128) -> Sheet {
    let exact = |p| PriceView::exact(Ticks::new(p), Millis::ZERO);
    let view = |i: u32| {
        let mark = 1_000 + 3_700 * i64::from(i);
        MarketView {
            id: MarketId(i),
            scale: MarketScale::from_factor(10).unwrap(),
            settlement: AssetId(0),
            mark: exact(mark),
            previous_mark: Ticks::new(mark),
            index: exact(mark),
            open_interest: Lots::ZERO,
            funding: FundingIndex::new(funding * i128::from(i + 1)),
            volatility: Ppb::ZERO,
        }
    };
    let scale = AssetScale::new(6, 0, -6).unwrap();
    let usd = AssetView { id: AssetId(0), scale, price: exact(1), debt_index: Index::START };
    Sheet { markets: (0..MARKETS).map(view).collect(), usd }
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb) >> 1
}

fn books(sheet: &Sheet, accounts: u32) -> (Book, Vec<Naive>) {
    let (mut book, mut naive, mut seed) = (Book::new(), Vec::new(), 7_u64);
    for id in 0..accounts {
        let (mut positions, mut notional) = (Vec::new(), 0);
        for step in 0..POSITIONS {
            let market = (next(&mut seed) as u32 % (MARKETS / POSITIONS)) * POSITIONS + step;
            let lots = (next(&mut seed) % 100_000) as i128 - 50_000;
            let entry = i128::from(sheet.markets[market as usize].mark.mid.get())
                * (900 + (next(&mut seed) % 200) as i128)
                / 1_000;
            let cost = lots * entry * 10;
            notional += cost.abs();
            let funding = sheet.markets[market as usize].funding;
            book.post(GroupId(id), Item::Position(MarketId(market)), lots, Quanta::new(cost), funding)
                .unwrap();
            positions.push(NaivePosition { market, lots, cost });
        }
        let cash = notional / (3 + (next(&mut seed) % 12) as i128) + 1;
        book.post(GroupId(id), Item::Asset(AssetId(0)), cash, Quanta::ZERO, FundingIndex::ZERO).unwrap();
        naive.push(Naive { cash, positions });
    }
    book.rebuild().unwrap(); // as after a restart: in order of group, without gaps
    (book, naive)
}

fn naive_below(a: &Naive, sheet: &Sheet, tables: &[Vec<(i128, i128, i128)>]) -> Option<bool> {
    let (mut equity, mut required) = (a.cash, 0_i128);
    for p in &a.positions {
        let m = &sheet.markets[p.market as usize];
        let k = i128::from(m.scale.quanta_per_lot_tick());
        let value = p.lots.checked_mul(i128::from(m.mark.mid.get()))?.checked_mul(k)?;
        equity = equity.checked_add(value.checked_sub(p.cost)?)?;
        let notional = value.checked_abs()?;
        let tier = tables[p.market as usize].iter().rev().find(|t| notional >= t.0)?;
        let raw = notional.checked_mul(tier.1)?.checked_sub(tier.2)?;
        required = required.checked_add(raw.checked_add(999_999_999)?.checked_div(1_000_000_000)?)?;
    }
    Some(equity < required)
}

/// Seconds of the fastest of some passes: what others do on the machine can only make a pass slower.
fn fastest(passes: usize, mut pass: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    (0..passes).for_each(|_| timed(&mut best, &mut pass));
    best
}

fn timed(best: &mut f64, pass: impl FnOnce()) {
    let start = Instant::now();
    pass();
    *best = best.min(start.elapsed().as_secs_f64());
}

fn big(accounts: u32) {
    let sheet = world(0);
    let market = |i| MarketTerms::new(MarketId(i), Box::new(Tiered::new(tiers(i)).unwrap()));
    let terms = (0..MARKETS).map(market).collect();
    let model = CrossMargin::new(Levels::default(), vec![AssetTerms::full(AssetId(0))], terms).unwrap();
    let (book, naive) = books(&sheet, accounts);
    let tables: Vec<Vec<(i128, i128, i128)>> = (0..MARKETS)
        .map(|i| {
            let pieces = Tiered::new(tiers(i)).unwrap();
            let piece = |(t, p): (&Tier, &Piece)| (t.lower.get(), i128::from(p.rate.0), p.deduction);
            tiers(i).iter().zip(pieces.table(Stage::Maintenance)).map(piece).collect()
        })
        .collect();
    let bytes = book.stream().0;
    let array: Vec<u64> = (0..bytes as u64 / 8).collect();
    let (mut found, mut count) = (Vec::new(), 0);
    let funded = world(12_345);
    // every round measures everything, so that a busy machine is busy for all
    let [mut plain, mut settling, mut columns, mut one, mut slow] = [f64::INFINITY; 5];
    for round in 0..ROUNDS {
        for (sheet, best) in [(&funded, &mut settling), (&sheet, &mut plain)] {
            found.clear();
            timed(best, || {
                SweepBook::new(&book, &model).sweep(sheet, Level::Maintenance, &mut found).unwrap()
            });
        }
        timed(&mut columns, || {
            (0..READS).for_each(|_| {
                black_box(black_box(&book).stream());
            });
        });
        timed(&mut one, || {
            (0..READS).for_each(|_| {
                black_box(black_box(&array).iter().fold(0_u64, |s, w| s.wrapping_add(*w)));
            });
        });
        if round % 5 == 0 {
            timed(&mut slow, || {
                count = naive.iter().filter(|a| naive_below(a, &sheet, &tables).unwrap()).count();
            });
        }
    }
    assert_eq!(found.len(), count, "the naive layout finds the same number");
    (columns, one) = (columns / f64::from(READS), one / f64::from(READS));
    let each = |s: f64| s * 1e9 / f64::from(accounts * POSITIONS);
    println!(
        "{accounts} accounts x {POSITIONS} positions, {MARKETS} markets, 3 tiers: {count} under maintenance"
    );
    println!("  the fastest of {ROUNDS} interleaved rounds      sweep | with funding to settle");
    let row = |what: &str, reference: f64| {
        println!("  {what} {:.2} | {:.2}", reference / plain, reference / settling)
    };
    row("share of a read of the columns it reads   ", columns);
    row("share of a read of one array of that size ", one);
    row("times as fast as the naive layout         ", slow);
    println!(
        "  ns per position: sweep {:.2}, with funding {:.2}, columns {:.2}, array {:.2}, naive {:.2}",
        each(plain),
        each(settling),
        each(columns),
        each(one),
        each(slow)
    );
}

fn common() {
    let (sheet, model) = (workload::sheet(), workload::model());
    println!("\ncommon workload, ns per account: sweep | one at a time through the trait, all levels");
    let names = [
        ("perp-m1", "other engines 24 (single market), 66 cached, 149-540 full: see ../shared/workload"),
        ("perp-m4", "170 cached, 427-5279"),
        ("perp-m8", "323 cached, 904-8251"),
        ("lending-m1", "43 cached, 119-702"),
        ("lending-m4", "75 cached, 264-2500"),
        ("lending-m8", "191 cached, 461-4187"),
    ];
    for (name, others) in names {
        let Some(load) = workload::load(&format!("{name}.csv")) else {
            println!("  {name}: skipped, ../shared/workload is absent");
            continue;
        };
        let mut found = Vec::new();
        let fast = fastest(15, || {
            found.clear();
            SweepBook::new(&load.book, &model).sweep(&sheet, Level::Maintenance, &mut found).unwrap();
        });
        let (mut holdings, mut count) = (Holdings::new(), 0);
        let single = fastest(15, || {
            count = 0;
            for id in load.book.groups() {
                load.book.view(id, &sheet, &mut holdings).unwrap();
                let health = model.assess(&holdings.group(id), &sheet).unwrap();
                count += usize::from(health.below(Level::Maintenance));
            }
        });
        assert!(found == load.liquidatable && count == found.len());
        let each = |s: f64| s * 1e9 / load.book.len() as f64;
        println!(
            "  {name:<10} {:>6.1} | {:>7.1}   {count:>5} liquidatable   ({others})",
            each(fast),
            each(single)
        );
    }
}

fn main() {
    let accounts = std::env::var("COFFERDAM_SWEEP_ACCOUNTS").map_or(1_000_000, |n| n.parse().unwrap());
    big(accounts);
    common();
}
