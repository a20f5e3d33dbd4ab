//! One account, one market: health, liquidation price, what may be withdrawn, the safe box, and a sweep of the book.

use cofferdam_core::*;
use cofferdam_margin_engine::*;

struct Prices {
    eth: MarketView,
    usd: AssetView,
}

impl World for Prices {
    fn market(&self, id: MarketId) -> Option<&MarketView> {
        (id == self.eth.id).then_some(&self.eth)
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

fn prices(mark: i64) -> Result<Prices, Box<dyn std::error::Error>> {
    let at = |ticks| PriceView::exact(Ticks::new(ticks), Millis::ZERO);
    let (one, lot, tick, quantum) = ("1".parse()?, "0.001".parse()?, "0.01".parse()?, "0.000001".parse()?);
    let eth = MarketView {
        id: MarketId(0),
        scale: MarketScale::new(&lot, &tick, &one, &quantum)?,
        settlement: AssetId(0),
        mark: at(mark),
        previous_mark: Ticks::new(mark),
        index: at(mark),
        open_interest: Lots::ZERO,
        funding: FundingIndex::ZERO,
        volatility: Ppb::ZERO,
    };
    let scale = AssetScale::new(6, 0, -6)?;
    let usd = AssetView { id: AssetId(0), scale, price: at(1), debt_index: Index::START };
    Ok(Prices { eth, usd })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (group, eth, usd) = (GroupId(0), MarketId(0), AssetId(0));
    let requirement = Flat::new(Ppb(30_000_000), Ppb(60_000_000))?; // 3 % and 6 %
    let terms = vec![MarketTerms::new(eth, Box::new(requirement))];
    let model = CrossMargin::new(Levels::default(), vec![AssetTerms::full(usd)], terms)?;

    // 1.5 ETH bought at 2000 USD with 300 USD of collateral
    let mut book = Book::new();
    book.post(group, Item::Asset(usd), 300_000_000, Quanta::ZERO, FundingIndex::ZERO)?;
    book.post(group, Item::Position(eth), 1_500, Quanta::new(3_000_000_000), FundingIndex::ZERO)?;

    let now = prices(200_000)?;
    let mut holdings = Holdings::new();
    book.view(group, &now, &mut holdings)?;
    let held = holdings.group(group);
    let health = model.assess(&held, &now)?;
    for level in [Level::Maintenance, Level::Initial] {
        println!("{level:?}: slack {} micro-USD", health.line(level).map_or(0, |l| l.slack()));
    }
    for limit in model.position_limits(&held, &now, Level::Maintenance)? {
        println!("liquidation at {:?}, bankruptcy at {:?} cents", limit.liquidation, limit.bankruptcy);
    }
    println!("free: {} micro-USD", model.free_collateral(&held, &now, usd, Level::Withdraw)?);
    for range in model.safe_ranges(&held, &now, Level::Maintenance)? {
        println!("{:?}: {} ..= {}", range.coordinate, range.low, range.high);
    }

    let mut below = Vec::new();
    SweepBook::new(&book, &model).sweep(&prices(185_000)?, Level::Maintenance, &mut below)?;
    println!("below maintenance at 1850 USD: {below:?}");
    Ok(())
}
