//! The common workload as books, and the liquidatable accounts by a computation that shares no code with the crate.
//!
//! Sizes are micro-units and prices micro-USD: a lot of 1e-6 and a tick of 1e-6 make a quantum of 1e-12 USD exact.
#![allow(dead_code, unreachable_pub, missing_docs)]

use cofferdam_core::*;
use cofferdam_margin_engine::*;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub const USD: AssetId = AssetId(100);

pub struct Load {
    pub book: Book,
    pub liquidatable: Vec<GroupId>,
}

#[derive(Default)]
pub struct Sheet {
    markets: Vec<MarketView>,
    assets: BTreeMap<AssetId, AssetView>,
}

impl World for Sheet {
    fn market(&self, id: MarketId) -> Option<&MarketView> {
        self.markets.get(id.0 as usize)
    }
    fn asset(&self, id: AssetId) -> Option<&AssetView> {
        self.assets.get(&id)
    }
    fn scenarios(&self, _: MarketId) -> Option<&Scenarios> {
        None
    }
    fn bands(&self, _: cofferdam_core::GroupId) -> Option<cofferdam_core::Bands> {
        None
    }
}

fn mark(i: i64) -> i64 {
    (5 + 37 * i) * 1_000_000
}

pub fn sheet() -> Sheet {
    let mut sheet = Sheet::default();
    let exact = |p| PriceView::exact(Ticks::new(p), Millis::ZERO);
    let mut asset = |id, scale: AssetScale, p| {
        sheet.assets.insert(id, AssetView { id, scale, price: exact(p), debt_index: Index::START });
    };
    asset(USD, AssetScale::new(6, 0, -12).unwrap(), 1);
    for i in 0..16 {
        asset(AssetId(i), AssetScale::new(6, -6, -12).unwrap(), mark(i64::from(i)));
    }
    for i in 0..16 {
        sheet.markets.push(MarketView {
            id: MarketId(i),
            scale: MarketScale::from_factor(1).unwrap(),
            settlement: USD,
            mark: exact(mark(i64::from(i))),
            previous_mark: Ticks::new(mark(i64::from(i))),
            index: exact(mark(i64::from(i))),
            open_interest: Lots::ZERO,
            funding: FundingIndex::ZERO,
            volatility: Ppb::ZERO,
        });
    }
    sheet
}

pub fn model() -> CrossMargin {
    let bps = |b: i64| Ppb(b * 100_000);
    let mut assets: Vec<AssetTerms> = (0..16)
        .map(|i| AssetTerms {
            collateral_initial: bps(8_500 - 100 * i64::from(i)),
            collateral_maintenance: bps(8_500 - 100 * i64::from(i)),
            ..AssetTerms::full(AssetId(i))
        })
        .collect();
    assets.push(AssetTerms {
        liability_initial: bps(10_500),
        liability_maintenance: bps(10_500),
        ..AssetTerms::full(USD)
    });
    let market = |i: u32| {
        let flat = Flat::new(bps(300 + 25 * i64::from(i)), bps(600 + 50 * i64::from(i))).unwrap();
        MarketTerms::new(MarketId(i), Box::new(flat))
    };
    CrossMargin::new(Levels::default(), assets, (0..16).map(market).collect()).unwrap()
}

/// The rows of a file, `None` when it is absent.
pub fn rows(name: &str) -> Option<Vec<Vec<i128>>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/workload").join(name);
    let text = std::fs::read_to_string(path).ok()?;
    Some(text.lines().skip(1).map(|l| l.split(',').map(|c| c.trim().parse().unwrap()).collect()).collect())
}

pub fn load(name: &str) -> Option<Load> {
    let rows = rows(name)?;
    Some(if name.starts_with("perp") { perp(&rows) } else { lending(&rows) })
}

fn perp(rows: &[Vec<i128>]) -> Load {
    let mut book = Book::with_cash(USD);
    // equity and requirement in 1e-16 USD: 1e-12 x bps
    let mut exact: BTreeMap<u32, (i128, i128)> = BTreeMap::new();
    for row in rows {
        let (id, cash, market, size, entry) = (row[0] as u32, row[1], row[2], row[3], row[4]);
        let now = i128::from(mark(market as i64));
        let (group, zero) = (GroupId(id), FundingIndex::ZERO);
        let sums = exact.entry(id).or_insert_with(|| {
            book.post(group, Item::Asset(USD), cash, Quanta::ZERO, zero).unwrap();
            (cash * 1_000_000 * 10_000, 0)
        });
        sums.0 += size * (now - entry) * 10_000;
        sums.1 += size.abs() * now * (300 + 25 * market);
        book.post(group, Item::Position(MarketId(market as u32)), size, Quanta::new(size * entry), zero)
            .unwrap();
    }
    let liquidatable = exact.iter().filter(|(_, s)| s.0 < s.1).map(|(id, _)| GroupId(*id)).collect();
    Load { book, liquidatable }
}

fn lending(rows: &[Vec<i128>]) -> Load {
    let mut book = Book::with_cash(USD);
    let mut exact: BTreeMap<u32, (i128, i128)> = BTreeMap::new();
    for row in rows {
        let (id, asset, deposit, debt) = (row[0] as u32, row[1], row[2], row[3]);
        let (group, zero) = (GroupId(id), FundingIndex::ZERO);
        let sums = exact.entry(id).or_insert_with(|| {
            book.post(group, Item::Debt(USD), debt, Quanta::ZERO, zero).unwrap();
            (0, debt * 1_000_000 * 10_500)
        });
        sums.0 += deposit * i128::from(mark(asset as i64)) * (8_500 - 100 * asset);
        book.post(group, Item::Asset(AssetId(asset as u32)), deposit, Quanta::ZERO, zero).unwrap();
    }
    let liquidatable = exact.iter().filter(|(_, s)| s.0 < s.1).map(|(id, _)| GroupId(*id)).collect();
    Load { book, liquidatable }
}
