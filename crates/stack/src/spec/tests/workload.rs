//! The stack files of the common workload name the same accounts as an exact computation that knows no engine. Skipped where
//! the accounts are not at hand.

use super::super::StackConfig;
use crate::RiskStack;
use cofferdam_core::*;
use cofferdam_margin_engine::{Book, Holdings};
use std::collections::BTreeMap;

struct Sheet {
    markets: Vec<MarketView>,
    assets: Vec<AssetView>,
}

impl World for Sheet {
    fn market(&self, id: MarketId) -> Option<&MarketView> {
        self.markets.get(id.0 as usize)
    }
    fn asset(&self, id: AssetId) -> Option<&AssetView> {
        self.assets.get(id.0 as usize)
    }
    fn scenarios(&self, _: MarketId) -> Option<&Scenarios> {
        None
    }
    fn bands(&self, _: cofferdam_core::GroupId) -> Option<cofferdam_core::Bands> {
        None
    }
}

// price of market or asset i: 5 + 37 i USD, in ticks of 1e-6
fn mark(i: usize) -> i64 {
    (5 + 37 * i as i64) * 1_000_000
}

fn sheet(stack: &RiskStack) -> Sheet {
    let exact = |x| PriceView::exact(Ticks::new(x), Millis::ZERO);
    let parts = stack.parts();
    let market = |(i, m): (usize, &crate::MarketTerms)| MarketView {
        id: m.id,
        scale: m.scale,
        settlement: m.settlement,
        mark: exact(mark(i)),
        previous_mark: Ticks::ZERO,
        index: exact(mark(i)),
        open_interest: Lots::ZERO,
        funding: FundingIndex::ZERO,
        volatility: Ppb::ZERO,
    };
    let asset = |(i, a): (usize, &crate::AssetTerms)| AssetView {
        id: a.id,
        scale: a.scale,
        price: exact(if a.numeraire { 1 } else { mark(i) }),
        debt_index: Index::START,
    };
    Sheet {
        markets: parts.markets.iter().enumerate().map(market).collect(),
        assets: parts.assets.iter().enumerate().map(asset).collect(),
    }
}

fn rows(name: &str) -> Option<Vec<[i128; 5]>> {
    let path = format!("{}/../../../shared/workload/{name}.csv", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).ok()?;
    let row = |line: &str| {
        let mut cells = [0; 5];
        line.split(',').zip(&mut cells).for_each(|(x, cell)| *cell = x.trim().parse().unwrap());
        cells
    };
    Some(text.lines().skip(1).map(row).collect())
}

// support and demand in 1e-16 USD, per account
fn exact(perp: bool, rows: &[[i128; 5]]) -> Vec<GroupId> {
    let mut sums: BTreeMap<u32, (i128, i128)> = BTreeMap::new();
    for &[account, a, b, c, d] in rows {
        let first = !sums.contains_key(&(account as u32));
        let sum = sums.entry(account as u32).or_default();
        if perp {
            let (cash, market, size, entry, now) = (a, b, c, d, i128::from(mark(b as usize)));
            sum.0 += size * (now - entry) * 10_000 + if first { cash * 10_000_000_000 } else { 0 };
            sum.1 += size.abs() * now * (300 + 25 * market);
        } else {
            let (asset, deposit, debt) = (a, b, c);
            sum.0 += deposit * i128::from(mark(asset as usize)) * (8_500 - 100 * asset);
            sum.1 = debt * 1_000_000 * 10_500;
        }
    }
    sums.iter().filter(|(_, (support, demand))| support < demand).map(|(id, _)| GroupId(*id)).collect()
}

fn book(perp: bool, usd: AssetId, rows: &[[i128; 5]]) -> Book {
    let mut book = Book::with_cash(usd);
    let mut seen = std::collections::BTreeSet::new();
    for &[account, a, b, c, d] in rows {
        let (group, zero) = (GroupId(account as u32), FundingIndex::ZERO);
        let mut post = |item, units, cost| book.post(group, item, units, Quanta::new(cost), zero).unwrap();
        let first = seen.insert(account);
        if perp {
            if first {
                post(Item::Asset(usd), a, 0);
            }
            post(Item::Position(MarketId(b as u32)), c, c * d);
        } else {
            if first {
                post(Item::Debt(usd), c, 0);
            }
            post(Item::Asset(AssetId(a as u32)), b, 0);
        }
    }
    book
}

#[test]
fn the_same_accounts_are_liquidatable() {
    for kind in ["perp", "lending"] {
        let path = format!("{}/../../examples/workload/{kind}.toml", env!("CARGO_MANIFEST_DIR"));
        let built = StackConfig::load(&path).and_then(|c| c.build()).unwrap_or_else(|e| panic!("{e}"));
        let (sheet, usd) = (sheet(&built.stack), built.names.asset("USDC").unwrap());
        for m in [1, 4, 8] {
            let Some(rows) = rows(&format!("{kind}-m{m}")) else { continue };
            let book = book(kind == "perp", usd, &rows);
            let mut holdings = Holdings::new();
            let below = |id: &GroupId| {
                book.view(*id, &sheet, &mut holdings).unwrap();
                built
                    .stack
                    .parts()
                    .margin
                    .assess(&holdings.group(*id), &sheet)
                    .unwrap()
                    .below(Level::Maintenance)
            };
            let assessed: Vec<GroupId> = book.groups().filter(below).collect();
            let expected = exact(kind == "perp", &rows);
            assert!(!expected.is_empty() && expected.len() < 10_000);
            assert_eq!(assessed, expected, "{kind}-m{m}");
        }
    }
}
