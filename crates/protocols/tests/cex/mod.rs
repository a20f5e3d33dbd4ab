//! What the tests of the centralised venues share: exact fractions, a sheet of two markets, stacks with a part exchanged, facts read
//! back.
#![allow(dead_code)]

use cofferdam_core::{
    AssetId, AssetScale, AssetView, FundingIndex, GroupId, Health, Index, Instrument, Item, Lots, MarketId,
    MarketScale, MarketView, Millis, Ppb, PriceView, Quanta, Ticks, World,
};
use cofferdam_margin_engine::{Account, Holdings};
use cofferdam_protocols::preset;
use cofferdam_stack::{Built, Fact, Reason, StackConfig};
use cofferdam_testkit::Scene;
use num_bigint::BigInt;
use num_rational::BigRational;

/// A decimal number as a fraction.
pub(crate) fn exact(text: &str) -> BigRational {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all: BigInt = format!("{whole}{part}").parse().unwrap();
    let places = u32::try_from(part.len()).unwrap();
    BigRational::new(all * sign, BigInt::from(10).pow(places))
}

/// The same of an integer.
pub(crate) fn int(x: impl Into<i128>) -> BigRational {
    BigRational::from_integer(BigInt::from(x.into()))
}

/// A decimal number in units of 1e-6, which it has to be a whole number of.
pub(crate) fn micro(text: &str) -> i128 {
    let value = exact(text) * int(1_000_000);
    assert!(value.is_integer(), "{text}");
    i128::try_from(value.to_integer()).unwrap()
}

/// A ratio in parts per billion.
pub(crate) fn ppb(text: &str) -> Ppb {
    Ppb(i64::try_from((exact(text) * int(1_000_000_000)).to_integer()).unwrap())
}

/// Markets 0 and 1 in lots and ticks of 0.001 of their units, settled in asset 0 with quanta of 1e-6.
#[derive(Debug)]
pub(crate) struct Sheet {
    markets: Vec<MarketView>,
    usdt: AssetView,
}

impl World for Sheet {
    fn scenarios(&self, _: MarketId) -> Option<&cofferdam_core::Scenarios> {
        None
    }
    fn bands(&self, _: cofferdam_core::GroupId) -> Option<cofferdam_core::Bands> {
        None
    }
    fn market(&self, id: MarketId) -> Option<&MarketView> {
        self.markets.iter().find(|m| m.id == id)
    }
    fn asset(&self, id: AssetId) -> Option<&AssetView> {
        (id == self.usdt.id).then_some(&self.usdt)
    }
}

/// A position: lots, entry price and mark price, in thousandths.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row {
    pub(crate) lots: i64,
    pub(crate) entry: i64,
    pub(crate) mark: i64,
}

/// An account with a wallet of so many 1e-6 and a position per market.
pub(crate) fn sheet(wallet: i128, rows: &[Row]) -> (Sheet, Holdings) {
    let market = |(id, row): (u32, &Row)| MarketView {
        id: MarketId(id),
        scale: MarketScale::from_factor(1).unwrap(),
        settlement: AssetId(0),
        mark: PriceView::exact(Ticks::new(row.mark), Millis::ZERO),
        previous_mark: Ticks::ZERO,
        index: PriceView::exact(Ticks::new(row.mark), Millis::ZERO),
        open_interest: Lots::ZERO,
        funding: FundingIndex::ZERO,
        volatility: Ppb::ZERO,
    };
    let usdt = AssetView {
        id: AssetId(0),
        scale: AssetScale::new(6, 0, -6).unwrap(),
        price: PriceView::exact(Ticks::ONE, Millis::ZERO),
        debt_index: Index::ONE,
    };
    let world = Sheet { markets: (0..).zip(rows).map(market).collect(), usdt };
    let mut account = Account::new();
    account.apply(Item::Asset(AssetId(0)), wallet, Quanta::ZERO, FundingIndex::ZERO).unwrap();
    for (id, row) in (0..).zip(rows).filter(|(_, r)| r.lots != 0) {
        let cost = Quanta::new(i128::from(row.lots) * i128::from(row.entry));
        account.apply(Item::Position(MarketId(id)), row.lots.into(), cost, FundingIndex::ZERO).unwrap();
    }
    let mut holdings = Holdings::new();
    account.view(&world, &mut holdings).unwrap();
    (world, holdings)
}

/// A preset with a piece of its text exchanged.
pub(crate) fn with(name: &str, from: &str, to: &str) -> StackConfig {
    let text = preset(name).unwrap().stack;
    assert!(text.contains(from), "{name} has no {from:?}");
    StackConfig::from_toml(&text.replacen(from, to, 1), "stack.toml").unwrap()
}

/// A preset whose requirement of its first market is exchanged.
pub(crate) fn with_requirement(name: &str, requirement: &str) -> Result<Built, String> {
    let text = preset(name).unwrap().stack;
    let inline = || text.find("\nrequirement = ").unwrap() + 1;
    let from = text.find("[margin.markets.requirement]").unwrap_or_else(inline);
    let to = from + text[from..].find("\n[").unwrap();
    let text = format!("{}[margin.markets.requirement]\n{requirement}\n{}", &text[..from], &text[to..]);
    let config = StackConfig::from_toml(&text, "stack.toml").map_err(|e| e.to_string())?;
    config.build().map_err(|e| e.to_string())
}

/// Health of one lot at a mark: at k = 1 the mark is the notional in quanta.
pub(crate) fn of_notional(built: &Built, notional: i128) -> Health {
    let price = i64::try_from(notional).unwrap();
    let (world, holdings) =
        sheet(0, &[Row { lots: 1, entry: price, mark: price }, Row { lots: 0, entry: 1, mark: 1 }]);
    built.stack.parts().margin.assess(&holdings.group(GroupId(0)), &world).unwrap()
}

/// Every close for a reason: who (apart from `of`), signed lots that `of` traded, price in ticks.
pub(crate) fn closes(scene: &Scene, reason: Reason, of: u32) -> Vec<(u32, i128, i128)> {
    let mut out = Vec::new();
    for fact in scene.bench().history().steps.iter().flat_map(|(_, facts)| facts) {
        let Fact::Post { reason: r, postings } = fact else { continue };
        if *r != reason {
            continue;
        }
        let lots: Vec<_> = postings
            .iter()
            .filter(|p| matches!(p.item, Item::Position(_)) && p.units != 0)
            .filter_map(|p| match p.holder {
                cofferdam_core::Holder::Group(g) => Some((g.0, p.units, p.cost.get())),
                _ => None,
            })
            .collect();
        if let (Some(ours), Some(theirs)) = (lots.iter().find(|l| l.0 == of), lots.iter().find(|l| l.0 != of))
        {
            out.push((theirs.0, ours.1, ours.2 / ours.1));
        }
    }
    out
}

/// The mark of a market, as it was last resolved, in ticks.
pub(crate) fn mark(scene: &Scene, market: &str) -> i64 {
    let id = scene.market(market);
    scene.bench().state().market(id).map_or(0, |m| m.mark.mid.get())
}

/// The index of a market in ticks.
pub(crate) fn index(scene: &Scene, market: &str) -> i64 {
    let id = scene.market(market);
    scene.bench().state().market(id).map_or(0, |m| m.index.mid.get())
}

/// The instrument of a market.
pub(crate) fn instrument(scene: &Scene, market: &str) -> Instrument {
    Instrument::Market(scene.market(market))
}
