//! A trade between two groups as balanced postings, in exact integers.

use cofferdam_core::{GroupId, Holder, Lots, MarketId, MarketScale, Posting, Ticks, check_balanced};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // 0.001 ETH x 0.01 USD = 10 quanta of 1e-6 USD
    let scale = MarketScale::new(&"0.001".parse()?, &"0.01".parse()?, &"1".parse()?, &"0.000001".parse()?)?;
    let (buyer, seller, market) = (Holder::Group(GroupId(1)), Holder::Group(GroupId(2)), MarketId(0));
    let (lots, price) = (Lots::new(1_500), Ticks::new(120_050)); // 1.5 ETH at 1,200.50 USD
    let value = scale.notional(lots, price)?;
    let trade = [
        Posting::position(buyer, market, lots.get(), value),
        Posting::position(seller, market, -lots.get(), value.try_neg()?),
    ];
    check_balanced(&trade)?;
    println!("1.5 ETH change hands for {value} quanta of 1e-6 USD; the postings sum to zero");

    let cost_of_half = MarketScale::released_cost(value, Lots::new(750), lots)?;
    println!(
        "selling half of it later releases {cost_of_half} of that cost, the rest stays with the position"
    );
    Ok(())
}
