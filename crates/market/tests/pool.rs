//! The pool's laws on the built-in pool, and on pools that are broken on purpose.

use cofferdam_core::{
    Amount, At, FundingIndex, GroupId, Holder, House, Item, Lots, MapMemory, MarketId, MarketScale,
    MarketView, Memory, Millis, PoolId, Posting, Ppb, PriceView, Quanta, Slot, Ticks, check_balanced,
};
use cofferdam_market::conformance::{PoolTrial, check_pool};
use cofferdam_market::{
    ConstantProduct, ConstantProductParams, Fill, MarketError, PoolMoment, PoolOrder, PoolPricing, PoolView,
    Unhonoured,
};
use proptest::prelude::*;

const PER_ATOM: i64 = 3;

fn params() -> ConstantProductParams {
    ConstantProductParams {
        depth: Lots::new(1_000_000),
        inventory_max: Lots::new(100_000),
        fee: Ppb(500_000),
        skew_fee: Ppb(20_000_000),
        rebate: Ppb(800_000_000),
        house_share: Ppb(300_000_000),
        quanta_per_atom: PER_ATOM,
    }
}

fn built_in() -> ConstantProduct {
    ConstantProduct::new(params()).unwrap()
}

/// Only the skew fee, and all of it is paid back to who reduces the inventory.
fn without_fee() -> ConstantProduct {
    ConstantProduct::new(ConstantProductParams { fee: Ppb::ZERO, rebate: Ppb::ONE, ..params() }).unwrap()
}

fn market(low: i64, mid: i64, high: i64) -> MarketView {
    let mut price = PriceView::exact(Ticks::new(mid), Millis::ZERO);
    (price.low, price.high) = (Ticks::new(low), Ticks::new(high));
    MarketView {
        id: MarketId(1),
        scale: MarketScale::from_factor(10).unwrap(),
        settlement: cofferdam_core::AssetId(0),
        mark: price,
        previous_mark: price.mid,
        index: price,
        open_interest: Lots::ZERO,
        funding: FundingIndex::ZERO,
        volatility: Ppb::ZERO,
    }
}

fn pool(lots: i64, cash: i128) -> PoolView {
    PoolView {
        id: PoolId(7),
        lots: Lots::new(lots),
        cost: Quanta::ZERO,
        cash: Amount::new(cash),
        equity: Quanta::ZERO,
    }
}

const TAKER: Holder = Holder::Group(GroupId(4));
const ANY_BUY: i64 = i64::MAX;
const ANY_SELL: i64 = -i64::MAX;

/// A pool over a sequence of orders.
struct Desk<'a> {
    pricing: &'a dyn PoolPricing,
    memory: MapMemory,
    pool: PoolView,
}

impl Desk<'_> {
    /// Lots filled, what the taker paid in quanta, and of that the fees in atoms.
    fn trade(&mut self, market: &MarketView, lots: i64, limit: i64) -> (i64, i128, i128) {
        let order = PoolOrder { taker: TAKER, lots: Lots::new(lots), limit: Ticks::new(limit) };
        let (pricing, view) = (self.pricing, self.pool);
        let fill =
            self.memory.with(Slot(0), |m| pricing.fill(At::default(), &order, &view, market, m)).unwrap();
        assert_eq!(check_balanced(&fill.postings), Ok(()));
        let (mut filled, mut cost, mut fees) = (0, 0, 0);
        for p in &fill.postings {
            match (p.holder, p.item) {
                (TAKER, Item::Position(_)) => (filled, cost) = (p.units, p.cost.get()),
                (TAKER, Item::Asset(_)) => fees = -p.units,
                (Holder::Pool(_), Item::Position(_)) => {
                    self.pool.lots = Lots::new(self.pool.lots.get() + i64::try_from(p.units).unwrap());
                }
                (Holder::Pool(_), _) => self.pool.cash = Amount::new(self.pool.cash.get() + p.units),
                _ => {}
            }
        }
        assert_eq!(filled + i128::from(fill.left.get()), i128::from(lots));
        (i64::try_from(filled).unwrap(), cost + fees * i128::from(PER_ATOM), fees)
    }
}

impl Desk<'_> {
    fn any_price(&mut self, market: &MarketView, lots: i64) -> (i64, i128, i128) {
        self.trade(market, lots, if lots > 0 { ANY_BUY } else { ANY_SELL })
    }
}

fn desk(pricing: &dyn PoolPricing, lots: i64, cash: i128) -> Desk<'_> {
    Desk { pricing, memory: MapMemory::default(), pool: pool(lots, cash) }
}

#[test]
fn fills() {
    // 100,000 ticks x k 10 = 1,000,000 quanta a lot
    let check = |what: &str, inventory: i64, order: i64, limit: i64, want: (i64, i128)| {
        let (filled, paid, _) =
            desk(&built_in(), inventory, 0).trade(&market(100_000, 100_000, 100_000), order, limit);
        assert_eq!((filled, paid), want, "{what}");
    };
    // 1e6 x 1e12 x 1000 / (1e6 x 999,000) = 1,001,001,002; fee 166,834 atoms, skew 2 % of 1e9 x 1000 / 200,000 = 33,334
    check("a buy pays the curve, the fee and the skew", 0, 1_000, ANY_BUY, (1_000, 1_001_601_506));
    check("a sell receives less", 0, -1_000, ANY_SELL, (-1_000, -998_401_494));
    check("reducing an inventory finds the purse empty", 1_000, 1_000, ANY_BUY, (1_000, 999_500_503));
    check("no more than the inventory cap", 0, 250_000, ANY_BUY, (100_000, 112_166_666_671));
    check("nothing past the cap", -100_000, 1, ANY_BUY, (0, 0));
    check("back from beyond the cap", -150_000, -1, ANY_SELL, (-1, -1_383_388));
    check("the limit is the mark: fees are above it", 0, 1_000, 100_000, (0, 0));
    check("a sell limit above the mark", 0, -1_000, 100_001, (0, 0));
    check("nothing ordered", 0, 0, ANY_BUY, (0, 0));
    check("a pool that was handed more than its depth", -1_000_000, 5, ANY_BUY, (0, 0));
}

#[test]
fn a_limit_fills_the_largest_part() {
    let m = market(100_000, 100_000, 100_000);
    let limit = 100_200;
    let (filled, paid, _) = desk(&built_in(), 0, 0).trade(&m, 50_000, limit);
    assert!(0 < filled && filled < 50_000);
    assert!(paid <= i128::from(filled) * i128::from(limit) * 10);
    let (one_more, paid, _) = desk(&built_in(), 0, 0).trade(&m, filled + 1, ANY_BUY);
    assert!(paid > i128::from(one_more) * i128::from(limit) * 10);
}

#[test]
fn rebates_come_out_of_the_purse() {
    let (m, pricing) = (market(100_000, 100_000, 100_000), built_in());
    let mut d = desk(&pricing, 0, 1_000_000_000);
    let (_, _, base_and_skew) = d.trade(&m, 100_000, ANY_BUY);
    let (_, _, first) = d.trade(&m, -50_000, ANY_SELL);
    assert!(base_and_skew > 0 && first < 0, "who reduces is paid: {first}");
    // at ten times the price the purse holds less than the formula would pay
    let m = market(1_000_000, 1_000_000, 1_000_000);
    let (_, _, second) = d.trade(&m, -50_000, ANY_SELL);
    let skew: i128 = d.memory.iter().map(|(_, r)| i128::from_le_bytes(r[1..17].try_into().unwrap())).sum();
    assert_eq!(skew, 0, "the purse is empty and not below: {second}");
}

#[test]
fn refusals() {
    let check = |field: &str, bad: ConstantProductParams| match ConstantProduct::new(bad) {
        Err(MarketError::Parameter { field: f, .. }) => assert_eq!(f, field),
        other => panic!("{field}: {other:?}"),
    };
    check("depth", ConstantProductParams { depth: Lots::ZERO, ..params() });
    check("depth", ConstantProductParams { depth: Lots::new(i64::MAX), ..params() });
    check("inventory_max", ConstantProductParams { inventory_max: Lots::ZERO, ..params() });
    check("inventory_max", ConstantProductParams { inventory_max: params().depth, ..params() });
    check("fee", ConstantProductParams { fee: Ppb(-1), ..params() });
    check("skew_fee", ConstantProductParams { skew_fee: Ppb(1_000_000_001), ..params() });
    check("rebate", ConstantProductParams { rebate: Ppb(1_000_000_001), ..params() });
    check("house_share", ConstantProductParams { house_share: Ppb(-1), ..params() });
    check("quanta_per_atom", ConstantProductParams { quanta_per_atom: 0, ..params() });
}

fn trial(inventory: i64) -> PoolTrial {
    PoolTrial {
        market: market(99_990, 100_000, 100_010),
        pool: pool(inventory, 50),
        orders: [1, -1, 2, -3, 1_000, -1_000, 99_999, -250_000, i64::MAX, -i64::MAX].map(Lots::new).to_vec(),
        quanta_per_atom: PER_ATOM,
    }
}

#[test]
fn the_built_in_pool_conforms() {
    for inventory in [0, 1, -1, 40_000, -99_999, 100_000, -150_000, 900_000, -999_999] {
        assert_eq!(check_pool(&built_in(), &trial(inventory)), Ok(()), "inventory {inventory}");
    }
}

/// The built-in pool with one fault.
#[derive(Debug)]
enum Broken {
    /// Pays the taker one quantum that nobody gives.
    Unbalanced,
    /// Does not look at the limit.
    IgnoresLimit,
    /// Fills twice what was ordered.
    TooMuch,
    /// Rounds for the taker and forgets the fee.
    RoundsForTheTaker,
    /// Charges by the square of an order instead of by the way it moves the inventory.
    ChargesBySquare,
    /// Trades on a price that is not there.
    Blind,
    /// Takes the money from an account that has nothing to do with it.
    Foreign,
    /// Takes a part of a gain again at a price that has not moved.
    TakesAgain,
    /// Takes more than a side has gained.
    TakesMore,
}

impl PoolPricing for Broken {
    fn fill(
        &self,
        at: At,
        order: &PoolOrder,
        pool: &PoolView,
        market: &MarketView,
        memory: &mut Memory<'_>,
    ) -> Result<Fill, MarketError> {
        if !matches!(self, Self::Blind) && !market.mark.is_usable() {
            return Ok(Fill { postings: vec![], left: order.lots });
        }
        let lots = order.lots.get().clamp(-50_000, 50_000);
        let any_price = order.limit.get().abs() == i64::MAX;
        let at_mark = |lots: i64, cost: i128| Fill {
            postings: vec![
                Posting::position(order.taker, market.id, lots, Quanta::new(cost)),
                Posting::position(Holder::Pool(pool.id), market.id, -lots, Quanta::new(-cost)),
            ],
            left: Lots::new(order.lots.get() - lots),
        };
        let notional = i128::from(lots) * 1_000_000;
        let nothing = Fill { postings: vec![], left: order.lots };
        let mut fill = match self {
            Self::RoundsForTheTaker | Self::ChargesBySquare if !any_price => return Ok(nothing),
            Self::RoundsForTheTaker => return Ok(at_mark(lots, notional - 1)),
            Self::ChargesBySquare => return Ok(at_mark(lots, notional + i128::from(lots).pow(2))),
            Self::TooMuch => return Ok(at_mark(lots * 2, -1 << 90)),
            Self::IgnoresLimit => {
                let order =
                    PoolOrder { limit: Ticks::new(if lots > 0 { ANY_BUY } else { ANY_SELL }), ..*order };
                built_in().fill(at, &order, pool, market, memory)?
            }
            Self::Blind => {
                let mark = PriceView::exact(market.mark.mid, Millis::ZERO);
                built_in().fill(at, order, pool, &MarketView { mark, ..*market }, memory)?
            }
            _ => built_in().fill(at, order, pool, market, memory)?,
        };
        match (self, fill.postings.first_mut()) {
            (Self::Unbalanced, Some(first)) => first.cost = Quanta::new(first.cost.get() - 1),
            (Self::Foreign, Some(first)) => first.holder = Holder::House(House::Deficit),
            _ => {}
        }
        Ok(fill)
    }

    fn unhonoured(&self, now: &PoolMoment, _: &mut Memory<'_>) -> Result<Unhonoured, MarketError> {
        let gained = |by: i128| i128::from(now.market.open_interest.get()) * 10 * by;
        let long = match self {
            Self::TakesAgain if now.market.mark.mid.get() == 100_000 => gained(1),
            Self::TakesMore if now.market.mark.mid.get() == 200_000 => gained(100_001),
            _ => 0,
        };
        Ok(Unhonoured { long: Quanta::new(long), ..Unhonoured::NOTHING })
    }

    fn permits(&self, _: &PoolMoment, _: &PoolMoment) -> Result<bool, MarketError> {
        Ok(true)
    }
}

#[test]
fn each_check_can_fail() {
    let check = |broken: Broken, law: &str| {
        let found = check_pool(&broken, &trial(0)).unwrap_err();
        assert!(found.law.contains(law), "{broken:?}: {found}");
    };
    check(Broken::Unbalanced, "balanced");
    check(Broken::IgnoresLimit, "limit");
    check(Broken::TooMuch, "more lots");
    check(Broken::RoundsForTheTaker, "round trip");
    check(Broken::ChargesBySquare, "splitting");
    check(Broken::Blind, "unusable price");
    check(Broken::Foreign, "touch");
    check(Broken::TakesAgain, "the side's own result");
    check(Broken::TakesMore, "the side's own result");
}

fn any_params() -> impl Strategy<Value = ConstantProductParams> {
    let ratio = || (0_i64..=1_000_000_000).prop_map(Ppb);
    (2_i64..1 << 40, ratio(), ratio(), ratio(), ratio(), 1_i64..5_000).prop_flat_map(
        |(depth, fee, skew_fee, rebate, house_share, quanta_per_atom)| {
            (1..depth).prop_map(move |max| ConstantProductParams {
                depth: Lots::new(depth),
                inventory_max: Lots::new(max),
                fee,
                skew_fee,
                rebate,
                house_share,
                quanta_per_atom,
            })
        },
    )
}

proptest! {
    /// Any pool, any inventory, any size: the whole contract.
    #[test]
    fn every_pool_conforms(p in any_params(), inventory in -(1_i64 << 40)..1 << 40, orders in prop::collection::vec(-(1_i64 << 41)..1 << 41, 1..4),
                           mid in 1_000_i64..1 << 40, width in 0_i64..1_000, cash in -100_i128..1 << 70) {
        let trial = PoolTrial {
            market: market(mid - width, mid, mid + width),
            pool: pool(inventory, cash),
            orders: orders.into_iter().map(Lots::new).collect(),
            quanta_per_atom: p.quanta_per_atom,
        };
        prop_assert_eq!(check_pool(&ConstantProduct::new(p).unwrap(), &trial), Ok(()));
    }

    /// No walk through the inventories that ends where it began gains anything, whoever walked before (INV-4, INV-6):
    /// with a fee, and without one where every rebate is paid back in full.
    #[test]
    fn no_closed_walk_gains(free in any::<bool>(), before in prop::collection::vec(-60_000_i64..60_000, 0..6), walk in prop::collection::vec(-60_000_i64..60_000, 1..12)) {
        let (m, pricing) = (market(99_999, 100_000, 100_001), if free { without_fee() } else { built_in() });
        let mut d = desk(&pricing, 0, 1 << 80);
        for n in before { d.any_price(&m, n); }
        let (start, mut paid, mut fees) = (d.pool.lots.get(), 0, 0);
        for n in walk {
            let (_, quanta, atoms) = d.any_price(&m, n);
            (paid, fees) = (paid + quanta, fees + atoms);
        }
        let back = d.pool.lots.get() - start;
        let (filled, last, atoms) = d.any_price(&m, back);
        prop_assert_eq!(filled, back);
        prop_assert!(paid + last >= 0, "gained {}", -(paid + last));
        prop_assert!(fees + atoms >= 0, "gained {} atoms of fees", -(fees + atoms));
    }

    /// Splitting an order never gains, whatever the purse and the cash of the pool were before (INV-6).
    #[test]
    fn splitting_never_gains_after_any_history(free in any::<bool>(), before in prop::collection::vec(-60_000_i64..60_000, 0..6), cash in 0_i128..1_000,
                                               order in -60_000_i64..60_000, part in 0_i64..1_000) {
        let (m, pricing) = (market(99_999, 100_000, 100_001), if free { without_fee() } else { built_in() });
        let mut whole = desk(&pricing, 0, 1 << 80);
        for n in before { whole.any_price(&m, n); }
        whole.pool.cash = Amount::new(cash);
        let mut parts = Desk { pricing: &pricing, memory: whole.memory.clone(), pool: whole.pool };
        let cut = order * part / 1_000;
        let (filled, once, _) = whole.any_price(&m, order);
        let ((a, first, _), (b, second, _)) = (parts.any_price(&m, cut), parts.any_price(&m, order - cut));
        prop_assert_eq!(a + b, filled);
        prop_assert!(first + second >= once, "{} at once, {} in parts", once, first + second);
    }

    /// At whatever prices: all fees and rebates together never take from the pool or the house.
    #[test]
    fn rebates_never_exceed_fees(walk in prop::collection::vec((-60_000_i64..60_000, 1_i64..1 << 30), 1..30)) {
        let pricing = without_fee();
        let (mut d, mut fees) = (desk(&pricing, 0, 1 << 80), 0);
        for (n, price) in walk {
            fees += d.trade(&market(price, price, price), n, if n > 0 { ANY_BUY } else { ANY_SELL }).2;
            prop_assert!(fees >= 0);
        }
    }

    /// A rebate never takes more than the pool's cash (INV-7).
    #[test]
    fn the_pool_never_pays_cash_it_does_not_have(walk in prop::collection::vec((-60_000_i64..60_000, any::<bool>()), 1..30)) {
        let (m, pricing) = (market(100_000, 100_000, 100_000), built_in());
        let mut d = desk(&pricing, 0, 0);
        for (n, drained) in walk {
            d.trade(&m, n, if n > 0 { ANY_BUY } else { ANY_SELL });
            prop_assert!(d.pool.cash.get() >= 0);
            if drained { d.pool.cash = Amount::ZERO; }
        }
    }

    /// A fill is the largest part that the limit allows, up to the few lots whose surplus is below the rounding.
    #[test]
    fn a_larger_fill_would_pass_the_limit(inventory in -90_000_i64..90_000, order in -200_000_i64..200_000, limit in 90_000_i64..110_000) {
        let m = market(100_000, 100_000, 100_000);
        let (filled, ..) = desk(&built_in(), inventory, 0).trade(&m, order, limit);
        let step = if order > 0 { 1 } else { -1 };
        if filled != order {
            let (more, paid, _) = desk(&built_in(), inventory, 0).trade(&m, filled + step, if order > 0 { ANY_BUY } else { ANY_SELL });
            prop_assert!(more == filled || paid > i128::from(more) * i128::from(limit) * 10);
        }
    }
}
