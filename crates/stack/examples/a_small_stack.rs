//! A stack from a file, an account that crosses its maintenance margin, the order that follows, and its fill.

use cofferdam_core::{Amount, AssetId, GroupId, Instrument, Lots, MarketId, Millis, Quote, SourceId, Ticks};
use cofferdam_stack::{Body, Effect, Engine, Input, InputId, StackConfig};

const STACK: &str = r#"
[stack]
name = "small"
quantum = "0.000001"
[[assets]]
name = "USDT"
decimals = 6
numeraire = true
[[markets]]
name = "ETH-PERP"
settlement = "USDT"
lot = "0.001"
tick = "0.001"
[[prices]]
market = "ETH-PERP"
role = "mark"
policy = { kind = "cofferdam/latest@1" }
[margin]
kind = "cofferdam/cross-margin@1"
assets = [{ asset = "USDT" }]
[[margin.markets]]
market = "ETH-PERP"
requirement = { kind = "cofferdam/flat@1", maintenance = "0.05", initial = "0.1" }
[liquidation]
kind = "cofferdam/full-close@1"
limit = "any"
penalty = { rate = "0.005", to_insurance = "1" }
ttl_ms = 60000
[[insurance.layers]]
name = "fund"
contribution = "1"
escrow = "1000"
terms = { kind = "cofferdam/fund@1" }
[allocation]
kind = "cofferdam/queue@1"
[event]
opens_at = "1000000"
window_ms = 300000
quiet_ms = 1800000
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut engine = Engine::new(StackConfig::from_toml(STACK, "small.toml")?.build()?.stack);
    let (trader, maker) = (GroupId(1), GroupId(2));
    let (usdt, market) = (AssetId(0), MarketId(0));
    let mut number = 0;
    let mut submit = |engine: &mut Engine, seconds: u64, body: Body| {
        number += 1;
        let input =
            Input { id: InputId { source: 1, number }, time: Millis(seconds * 1_000), block: 0, body };
        engine.submit(&input, &mut ())
    };
    let quote = |usd: i64, seconds: u64| {
        let price = Ticks::new(usd * 1_000);
        let quote =
            Quote { source: SourceId(1), price, confidence: Ticks::ZERO, published: Millis(seconds * 1_000) };
        Body::Quotes(vec![(Instrument::Market(market), quote)])
    };
    let whole = |usd: i128| Amount::new(usd * 1_000_000);

    let _ = submit(&mut engine, 0, Body::Deposit { group: trader, asset: usdt, amount: whole(150) })?;
    let _ = submit(&mut engine, 0, Body::Deposit { group: maker, asset: usdt, amount: whole(100_000) })?;
    let _ = submit(&mut engine, 0, quote(1_000, 0))?;
    let (lots, price) = (Lots::new(1_000), Ticks::new(1_000_000));
    let opened = submit(&mut engine, 1, Body::Trade { taker: trader, maker, market, lots, price })?;
    println!("1 ETH long at 1000 USD with 150 USD: {:?}", opened.answer);

    let fell = submit(&mut engine, 60, quote(890, 60))?;
    for effect in fell.effects {
        if let Effect::Order { order, lots, .. } = effect {
            println!("at 890 USD the stack orders {lots} lots");
            let price = Ticks::new(889_000);
            let _ = submit(&mut engine, 61, Body::Fill { order, lots, price, counterparty: maker })?;
        }
    }
    println!("left to the trader: {} atoms of 1e-6 USDT", engine.state().book().balance(trader, usdt));
    Ok(())
}
