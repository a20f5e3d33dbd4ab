//! What the world does, as values, and generators of it.

use crate::bench::OUTCOMES;
use crate::compose::{ETH, FUND, LENDING_POOL, PROMISE, SOURCE, USDC};
use cofferdam_core::{
    Amount, AssetId, DrawId, GroupId, Instrument, LayerId, Lots, MarketId, Millis, OrderId, PoolId, Ppb,
    Quanta, Quote, ScenarioPrice, SourceId, Ticks,
};
use cofferdam_stack::{Body, MarketScenarios, OrderOutcome};
use proptest::prelude::*;
use proptest::sample::select;

/// How an order is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// In full, so many ticks off its limit.
    Full {
        /// Added to the limit.
        off: i64,
    },
    /// In part; the rest stays open.
    Part {
        /// Which share.
        share_ppb: u32,
        /// Added to the limit.
        off: i64,
    },
    /// More than was ordered.
    Over {
        /// Lots too many.
        extra: i64,
    },
    /// On the wrong side.
    Opposite,
    /// In full, and then once more.
    Twice,
    /// In full, after a while.
    Late {
        /// How long after.
        by_ms: u64,
    },
    /// Not filled.
    Ended {
        /// How it ended.
        outcome: OrderOutcome,
    },
}

/// One thing that the world does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Sends a body after a while. Publish times of quotes in it are ages, in milliseconds before now.
    Send {
        /// How long after the last input.
        wait_ms: u64,
        /// What.
        body: Body,
    },
    /// A trade near the mark, where there is one.
    TradeNearMark {
        /// How long after the last input.
        wait_ms: u64,
        /// Who trades.
        taker: GroupId,
        /// Against whom.
        maker: GroupId,
        /// Where.
        market: MarketId,
        /// Signed lots that the taker buys.
        lots: Lots,
        /// How far from the mark, as a share of it.
        off: Ppb,
    },
    /// Answers an open order, if there is one.
    Answer {
        /// Which, modulo how many there are.
        which: usize,
        /// How.
        reply: Reply,
    },
    /// Settles an open draw, if there is one.
    Settle {
        /// Which, modulo how many there are.
        which: usize,
        /// The share that is paid; above 1e9 is too much, below zero nonsense.
        paid_ppb: i64,
        /// Whether it is reported twice.
        twice: bool,
    },
    /// Sends an earlier input once more (INV-40).
    Again {
        /// Which, modulo how many there are.
        which: usize,
    },
    /// A tick of a clock that ran backwards (INV-42).
    Backwards {
        /// By how much.
        by_ms: u64,
    },
}

fn send(body: impl Strategy<Value = Body>) -> impl Strategy<Value = Op> {
    let wait = prop_oneof![3 => Just(0_u64), 6 => 1_u64..5_000, 1 => 5_000_u64..4_000_000];
    (wait, body).prop_map(|(wait_ms, body)| Op::Send { wait_ms, body })
}

fn group() -> impl Strategy<Value = GroupId> {
    (0_u32..8).prop_map(GroupId)
}

fn market() -> impl Strategy<Value = MarketId> {
    prop_oneof![3 => Just(MarketId(0)), 1 => Just(MarketId(1))]
}

fn quote(instrument: Instrument, price: i64, confidence: i64) -> Body {
    let (price, confidence) = (Ticks::new(price), Ticks::new(confidence));
    Body::Quotes(vec![(instrument, Quote { source: SOURCE, price, confidence, published: Millis::ZERO })])
}

fn marks() -> impl Strategy<Value = Body> {
    let price = prop_oneof![4 => 90_000_i64..110_000, 2 => 60_000_i64..150_000, 1 => 1_000_i64..300_000];
    let confidence = prop_oneof![3 => Just(0_i64), 1 => 1_i64..500];
    prop_oneof![
        4 => (market(), price, confidence).prop_map(|(m, p, c)| quote(Instrument::Market(m), p, c)),
        1 => (100_000_000_000_i64..400_000_000_000).prop_map(|p| quote(Instrument::Asset(ETH), p, 0)),
    ]
}

fn deposits() -> impl Strategy<Value = Body> {
    let usdc = (group(), 1_i128..300_000_000).prop_map(|(group, a)| (group, USDC, a));
    let eth = (group(), 1_i128..50_000_000_000_000_000).prop_map(|(group, a)| (group, ETH, a));
    prop_oneof![4 => usdc, 1 => eth].prop_map(|(group, asset, a)| Body::Deposit {
        group,
        asset,
        amount: Amount::new(a),
    })
}

fn trades() -> impl Strategy<Value = Op> {
    let off =
        prop_oneof![2 => Just(0_i64), 2 => -10_000_000_i64..10_000_000, 1 => -200_000_000_i64..200_000_000];
    let lots = prop_oneof![2 => -20_000_i64..20_000, 3 => -250_000_i64..250_000];
    (0_u64..5_000, group(), group(), market(), lots, off).prop_map(
        |(wait_ms, taker, maker, market, lots, off)| Op::TradeNearMark {
            wait_ms,
            taker,
            maker,
            market,
            lots: Lots::new(lots),
            off: Ppb(off),
        },
    )
}

fn withdrawals() -> impl Strategy<Value = Body> {
    (group(), select(vec![USDC, ETH]), 1_i128..200_000_000).prop_map(|(group, asset, a)| Body::Withdraw {
        group,
        asset,
        amount: Amount::new(a),
    })
}

fn pool_trades() -> impl Strategy<Value = Body> {
    (group(), -100_000_i64..100_000).prop_map(|(taker, lots)| Body::PoolTrade {
        taker,
        market: MarketId(0),
        lots: Lots::new(lots),
        limit: Ticks::new(if lots > 0 { i64::MAX } else { 1 }),
    })
}

fn insurance() -> impl Strategy<Value = Body> {
    let layer = select(vec![FUND, PROMISE]);
    let escrow =
        (1_i128..50_000_000).prop_map(|a| Body::Escrow { layer: FUND, asset: USDC, amount: Amount::new(a) });
    let commitment = (layer, 1_i128..50_000_000_000, 1_000_000_u64..1 << 40).prop_map(|(layer, c, e)| {
        Body::Commitment { layer, capacity: Quanta::new(c), expires: Millis(e), escrowed: layer == FUND }
    });
    prop_oneof![escrow, commitment]
}

fn replies() -> impl Strategy<Value = Reply> {
    prop_oneof![
        5 => (-3_000_i64..3_000).prop_map(|off| Reply::Full { off }),
        3 => (0_u32..1_000_000_000, -3_000_i64..3_000)
            .prop_map(|(share_ppb, off)| Reply::Part { share_ppb, off }),
        1 => (1_i64..10_000).prop_map(|extra| Reply::Over { extra }),
        1 => Just(Reply::Opposite),
        1 => Just(Reply::Twice),
        1 => (0_u64..200_000).prop_map(|by_ms| Reply::Late { by_ms }),
        1 => select(OUTCOMES.to_vec()).prop_map(|outcome| Reply::Ended { outcome }),
    ]
}

fn answers() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => (any::<usize>(), replies()).prop_map(|(which, reply)| Op::Answer { which, reply }),
        1 => (any::<usize>(), select(vec![0_i64, 400_000_000, 1_000_000_000, 1_500_000_000, -1]), any::<bool>())
            .prop_map(|(which, paid_ppb, twice)| Op::Settle { which, paid_ppb, twice }),
    ]
}

/// Deposits to groups 0 to 7, first prices and two insurance layers, so that a script has something to go on with.
#[must_use]
pub fn opening() -> Vec<Op> {
    let mut ops: Vec<Op> = (0..8)
        .map(|g| Body::Deposit { group: GroupId(g), asset: USDC, amount: Amount::new(100_000_000) })
        .chain([
            quote(Instrument::Market(MarketId(0)), 100_000, 0),
            quote(Instrument::Market(MarketId(1)), 100_000, 0),
            quote(Instrument::Asset(ETH), 200_000_000_000, 0),
        ])
        .map(|body| Op::Send { wait_ms: 0, body })
        .collect();
    let rich = GroupId(crate::bench::TAKER);
    let commitment = |layer, escrowed| Body::Commitment {
        layer,
        capacity: Quanta::new(20_000_000_000),
        expires: Millis(1 << 40),
        escrowed,
    };
    for body in [
        Body::Deposit { group: rich, asset: USDC, amount: Amount::new(1 << 60) },
        Body::Escrow { layer: FUND, asset: USDC, amount: Amount::new(20_000_000) },
        commitment(FUND, true),
        commitment(PROMISE, false),
    ] {
        ops.push(Op::Send { wait_ms: 0, body });
    }
    ops
}

/// Perpetual trading as a venue sees it: prices that move and gap, trades, withdrawals, insurance, fills of every kind,
/// duplicates and a clock that runs backwards.
pub fn perpetual(length: usize) -> impl Strategy<Value = Vec<Op>> {
    let op = prop_oneof![
        4 => send(marks()),
        8 => trades(),
        1 => send(deposits()),
        1 => send(withdrawals()),
        1 => send(pool_trades()),
        1 => send(insurance()),
        1 => send((0_i64..3_000_000_000).prop_map(|v| Body::Volatility { market: MarketId(0), volatility: Ppb(v) })),
        4 => answers(),
        1 => any::<usize>().prop_map(|which| Op::Again { which }),
    ];
    prop::collection::vec(op, 1..length)
}

/// First prices, USDC for groups 0 to 2, who supply and bid, and ETH for groups 3 to 7, who borrow; group 0 has supplied.
#[must_use]
pub fn lending_opening() -> Vec<Op> {
    let deposit = |group, asset, a| Body::Deposit { group: GroupId(group), asset, amount: Amount::new(a) };
    let mut bodies = vec![quote(Instrument::Asset(ETH), 200_000_000_000, 0)];
    bodies.extend((0..3).map(|g| deposit(g, USDC, 500_000_000)));
    bodies.extend((3..8).map(|g| deposit(g, ETH, 50_000_000_000_000_000)));
    bodies.push(Body::Supply { group: GroupId(0), pool: LENDING_POOL, amount: Amount::new(400_000_000) });
    bodies.into_iter().map(|body| Op::Send { wait_ms: 0, body }).collect()
}

/// A lending pool as it sees the world, after [`lending_opening`].
pub fn lending(length: usize) -> impl Strategy<Value = Vec<Op>> {
    let pool = LENDING_POOL;
    let (rich, poor) = (|| (0_u32..3).prop_map(GroupId), || (3_u32..8).prop_map(GroupId));
    let amount = || (1_i128..80_000_000).prop_map(Amount::new);
    let request = prop_oneof![
        2 => (rich(), amount()).prop_map(move |(group, amount)| Body::Supply { group, pool, amount }),
        1 => (rich(), 1_u128..200_000_000_000)
            .prop_map(move |(group, shares)| Body::Redeem { group, pool, shares }),
        5 => (poor(), amount()).prop_map(move |(group, amount)| Body::Borrow { group, pool, amount }),
        2 => (poor(), amount()).prop_map(move |(group, amount)| Body::Repay { group, pool, amount }),
        8 => (rich(), poor(), amount()).prop_map(|(keeper, group, repay)| Body::Bid {
            keeper,
            group,
            debt: USDC,
            repay,
            collateral: ETH,
            at_least: Amount::ZERO,
        }),
    ];
    let price =
        prop_oneof![3 => 100_000_000_000_i64..220_000_000_000, 1 => 20_000_000_000_i64..400_000_000_000];
    let eth = price.prop_map(|p| quote(Instrument::Asset(ETH), p, 0));
    let op = prop_oneof![
        9 => send(request),
        3 => send(eth),
        2 => send(deposits()),
        1 => send(withdrawals()),
        1 => send(insurance()),
        1 => send(Just(Body::Clock)),
        1 => answers(),
    ];
    prop::collection::vec(op, 1..length)
}

/// Prices from the list of oracle faults: zero, negative, limits, decimal slips, stale, future, too wide, of nothing known.
#[must_use]
pub fn bad_quotes() -> Vec<Body> {
    let mut out = Vec::new();
    for instrument in [
        Instrument::Market(MarketId(0)),
        Instrument::Market(MarketId(77)),
        Instrument::Asset(ETH),
        Instrument::Asset(AssetId(77)),
    ] {
        for price in [0, -1, i64::MIN, i64::MAX, 1, 10_000, 1_000_000, 100_000_000_000_000] {
            out.push(quote(instrument, price, 0));
        }
        for confidence in [-1, i64::MIN, i64::MAX, 99_999, 100_000] {
            out.push(quote(instrument, 100_000, confidence));
        }
        for published in [u64::MAX, u64::MAX / 2 + 1, 500_000, 999_999_999] {
            for source in [SOURCE, SourceId(9)] {
                let published = Millis(published);
                let q = Quote { source, price: Ticks::new(100_000), confidence: Ticks::ZERO, published };
                out.push(Body::Quotes(vec![
                    (instrument, q),
                    (instrument, Quote { price: Ticks::new(99_000), ..q }),
                ]));
            }
        }
    }
    out
}

/// Sizes at the limits of their types, zero and dust.
#[must_use]
pub fn extremes() -> Vec<i128> {
    vec![
        0,
        1,
        -1,
        i128::MIN,
        i128::MAX,
        Amount::LIMIT,
        Amount::LIMIT - 1,
        i64::MAX.into(),
        i64::MIN.into(),
        1 << 90,
    ]
}

fn hostile_bodies() -> impl Strategy<Value = Body> {
    let amount = || prop_oneof![3 => select(extremes()), 1 => any::<i128>(), 1 => 1_i128..1_000_000_000];
    let amount = move || amount().prop_map(Amount::new);
    let group = || select(vec![0, 1, 2, 3, 500, u32::MAX, 1 << 26, 1 << 31]).prop_map(GroupId);
    let asset = || select(vec![USDC, ETH, AssetId(2), AssetId(u32::MAX)]);
    let market = || select(vec![MarketId(0), MarketId(1), MarketId(2), MarketId(u32::MAX)]);
    let lots = || {
        prop_oneof![
            select(vec![0, 1, -1, i64::MAX, i64::MIN, -i64::MAX, 1 << 40]),
            any::<i64>(),
            -5_000_i64..5_000
        ]
    };
    let lots = move || lots().prop_map(Lots::new);
    let price = || {
        prop_oneof![select(vec![0, 1, -1, i64::MAX, i64::MIN, 100_000]), 1_i64..200_000].prop_map(Ticks::new)
    };
    let pool = || select(vec![PoolId(0), PoolId(1), LENDING_POOL, PoolId(u32::MAX)]);
    let layer = || select(vec![LayerId(0), FUND, PROMISE, LayerId(u32::MAX)]);
    prop_oneof![
        2 => select(bad_quotes()),
        1 => (group(), asset(), amount()).prop_map(|(group, asset, amount)| Body::Deposit { group, asset, amount }),
        1 => (group(), asset(), amount()).prop_map(|(group, asset, amount)| Body::Withdraw { group, asset, amount }),
        2 => (group(), group(), market(), lots(), price())
            .prop_map(|(taker, maker, market, lots, price)| Body::Trade { taker, maker, market, lots, price }),
        1 => (group(), market(), lots(), price())
            .prop_map(|(taker, market, lots, limit)| Body::PoolTrade { taker, market, lots, limit }),
        2 => (0_u32..6, lots(), price(), group())
            .prop_map(|(o, lots, price, counterparty)| Body::Fill { order: OrderId(o), lots, price, counterparty }),
        1 => (any::<u32>(), select(OUTCOMES.to_vec()))
            .prop_map(|(o, outcome)| Body::OrderEnded { order: OrderId(o), outcome }),
        1 => (layer(), asset(), amount()).prop_map(|(layer, asset, amount)| Body::Escrow { layer, asset, amount }),
        1 => (layer(), amount(), any::<u64>(), any::<bool>()).prop_map(|(layer, c, e, escrowed)| {
            Body::Commitment { layer, capacity: Quanta::new(c.get()), expires: Millis(e), escrowed }
        }),
        1 => (0_u32..4, amount()).prop_map(|(d, paid)| Body::Settlement { draw: DrawId(d), paid }),
        1 => (market(), any::<i64>()).prop_map(|(market, v)| Body::Volatility { market, volatility: Ppb(v) }),
        1 => (market(), price(), prop::collection::vec((price(), price()), 0..4)).prop_map(|(market, base, values)| {
            let values = values.into_iter().map(|(low, high)| ScenarioPrice { low, high }).collect();
            Body::Scenarios(vec![MarketScenarios { market, base, values }])
        }),
        1 => (group(), pool(), amount()).prop_map(|(group, pool, amount)| Body::Supply { group, pool, amount }),
        1 => (group(), pool(), any::<u128>()).prop_map(|(group, pool, shares)| Body::Redeem { group, pool, shares }),
        1 => (group(), pool(), amount()).prop_map(|(group, pool, amount)| Body::Borrow { group, pool, amount }),
        1 => (group(), pool(), amount()).prop_map(|(group, pool, amount)| Body::Repay { group, pool, amount }),
        1 => (group(), group(), asset(), amount(), asset(), amount()).prop_map(
            |(keeper, group, debt, repay, collateral, at_least)| Body::Bid { keeper, group, debt, repay, collateral, at_least }
        ),
        1 => Just(Body::Clock),
    ]
}

/// Whatever bytes could say, mixed with sane trading: unknown ids, limits of types, bad prices, fills of nothing, time that
/// jumps by years and runs backwards (INV-43).
pub fn hostile(length: usize) -> impl Strategy<Value = Vec<Op>> {
    let jump = prop_oneof![4 => 0_u64..10_000, 1 => Just(100_000_000_000_u64), 1 => Just(u64::MAX / 4)];
    let op = prop_oneof![
        8 => (jump, hostile_bodies()).prop_map(|(wait_ms, body)| Op::Send { wait_ms, body }),
        2 => send(marks()),
        2 => trades(),
        1 => send(deposits()),
        2 => answers(),
        1 => any::<usize>().prop_map(|which| Op::Again { which }),
        1 => (0_u64..10_000_000).prop_map(|by_ms| Op::Backwards { by_ms }),
    ];
    prop::collection::vec(op, 1..length)
}
