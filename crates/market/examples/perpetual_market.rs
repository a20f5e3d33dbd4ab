//! A perpetual market for one day: two trades with a pool, hourly funding, and a loan with interest beside it.

use cofferdam_core::{
    Amount, AssetId, At, FundingIndex, GroupId, Holder, Index, Lots, MapMemory, MarketId, MarketScale,
    MarketView, Millis, PoolId, Ppb, PriceState, PriceView, Quanta, Scaled, Slot, Ticks,
};
use cofferdam_market::{
    Accrual, ConstantProduct, ConstantProductParams, IndexMove, KinkedRate, KinkedRateParams,
    LendingInterest, LendingView, PoolOrder, PoolPricing, PoolView, PremiumFunding, PremiumFundingParams,
    Subject, funding_charge,
};

const HOUR: u64 = 3_600_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let price = PriceView::exact(Ticks::new(250_000), Millis::ZERO); // 2500.00 at a tick of 0.01
    let mut market = MarketView {
        id: MarketId(1),
        scale: MarketScale::from_factor(10)?, // 0.001 x 0.01 in quanta of 1e-6
        settlement: AssetId(0),
        mark: price,
        previous_mark: price.mid,
        index: PriceView::exact(Ticks::new(249_500), Millis::ZERO),
        open_interest: Lots::ZERO,
        funding: FundingIndex::ZERO,
        volatility: Ppb::ZERO,
    };
    let mut memory = MapMemory::default();

    let pool = ConstantProduct::new(ConstantProductParams {
        depth: Lots::new(5_000_000),
        inventory_max: Lots::new(1_000_000),
        fee: Ppb(500_000),
        skew_fee: Ppb(2_000_000),
        rebate: Ppb(500_000_000),
        house_share: Ppb(200_000_000),
        quanta_per_atom: 1,
    })?;
    let mut view = PoolView {
        id: PoolId(1),
        lots: Lots::ZERO,
        cost: Quanta::ZERO,
        cash: Amount::new(1_000_000_000_000),
        equity: Quanta::new(1_000_000_000_000),
    };
    for (lots, limit) in [(20_000, 253_000), (-5_000, 248_000)] {
        let taker = Holder::Group(GroupId(9));
        let order = PoolOrder { taker, lots: Lots::new(lots), limit: Ticks::new(limit) };
        let fill = memory.with(Slot(1), |m| pool.fill(At::default(), &order, &view, &market, m))?;
        println!("order of {lots} lots, {} left:", fill.left);
        for posting in &fill.postings {
            println!(
                "  {:?} {:?} {:+} (cost {:+})",
                posting.holder,
                posting.item,
                posting.units,
                posting.cost.get()
            );
        }
        let bought = order.lots.try_sub(fill.left)?;
        view.lots = view.lots.try_sub(bought)?;
    }

    let funding = PremiumFunding::new(PremiumFundingParams {
        interval: Millis(8 * HOUR),
        interest: Ppb(100_000),
        clamp: Ppb(500_000),
        cap: Ppb(7_500_000),
        worst_state: PriceState::Volatile,
    })?;
    for hour in 0..=24 {
        let at = At { seq: hour, time: Millis(hour * HOUR), block: 0 };
        for moved in memory.with(Slot(2), |m| funding.accrue(at, &Subject::Market(market), m))? {
            if let IndexMove::Funding { to, .. } = moved {
                market.funding = to;
            }
        }
    }
    for lots in [Lots::new(15_000), Lots::new(-15_000)] {
        let charge = funding_charge(lots, FundingIndex::ZERO, market.funding)?;
        println!("{lots} lots owe {charge} quanta of funding after a day");
    }

    let interest = LendingInterest::new(Box::new(KinkedRate::new(KinkedRateParams {
        base: Ppb(0),
        slope_below: Ppb(40_000_000),
        slope_above: Ppb(600_000_000),
        kink: Ppb(800_000_000),
    })?));
    let mut lending = LendingView {
        asset: AssetId(0),
        cash: Amount::new(100_000),
        debt: Scaled::new(900_000),
        index: Index::START,
    };
    for day in 0..=30 {
        let at = At { seq: day, time: Millis(day * 24 * HOUR), block: 0 };
        for moved in memory.with(Slot(3), |m| interest.accrue(at, &Subject::Lending(lending), m))? {
            if let IndexMove::Debt { to, .. } = moved {
                lending.index = to;
            }
        }
    }
    println!("debt index after thirty days at 90 % utilisation: {}", lending.index);
    Ok(())
}
