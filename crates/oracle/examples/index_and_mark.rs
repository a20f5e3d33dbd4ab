//! An index from five venues and a mark from three legs, through an ordinary hour and a swept book.
//!
//! `cargo run -p cofferdam-oracle --example index_and_mark`

use cofferdam_core::{
    ActionKind, At, Instrument, MapMemory, MarketId, Millis, Ppb, PriceRole, PriceView, Quote, Slot,
    SourceId, Ticks,
};
use cofferdam_oracle::{
    Ask, Basis, Latest, Median, OracleError, PermitTable, PricePolicy, Quorum, RateOfChange,
    RateOfChangeParams, Reference, StalenessParams,
};

const VENUES: [(SourceId, u32); 5] =
    [(SourceId(1), 3), (SourceId(2), 2), (SourceId(3), 2), (SourceId(4), 1), (SourceId(5), 1)];
const BOOK_MIDDLE: SourceId = SourceId(10);
const LAST_TRADE: SourceId = SourceId(11);

fn index() -> Result<Box<dyn PricePolicy>, OracleError> {
    let ages = StalenessParams {
        aged_after: Some(Millis(10_000)),
        stale_after: Some(Millis(60_000)),
        future_tolerance: Millis(1_000),
    };
    let median = Median::of_sources(&VENUES, Quorum { needed: 5, wanted: 9 }, Some(ages))?;
    let rate = RateOfChangeParams { bound: Ppb(150_000_000), interval: Millis(60_000) };
    Ok(Box::new(RateOfChange::new(Box::new(median), rate)?))
}

fn mark() -> Result<Box<dyn PricePolicy>, OracleError> {
    let basis = Basis::new(Box::new(Latest::of(BOOK_MIDDLE)), Millis(103_972))?; // time constant 150 s
    let legs: [Box<dyn PricePolicy>; 3] =
        [Box::new(Latest::of(BOOK_MIDDLE)), Box::new(Latest::of(LAST_TRADE)), Box::new(basis)];
    Ok(Box::new(Median::of_three(legs)?))
}

fn main() -> Result<(), OracleError> {
    let (index, mark, permits) = (index()?, mark()?, PermitTable::standard());
    let (mut memory, instrument) = (MapMemory::default(), Instrument::Market(MarketId(1)));
    let mut previous: Option<PriceView> = None;
    // seconds, venues' price, how many venues report, the book's middle, the last trade (all in cents)
    for (second, spot, venues, book, last) in [
        (0, 200_000, 5, 200_100, 200_090),
        (30, 200_500, 5, 200_600, 200_610),
        (40, 200_400, 5, 260_000, 201_000),  // the book is swept
        (60, 160_000, 5, 161_000, 161_000),  // spot falls 20 %
        (180, 160_200, 2, 160_300, 160_300), // three venues are down
        (300, 160_100, 0, 160_300, 160_300), // all of them
    ] {
        let time = Millis(1_000_000 + second * 1_000);
        let quote = |source, price| Quote {
            source,
            price: Ticks::new(price),
            confidence: Ticks::ZERO,
            published: time,
        };
        let mut quotes: Vec<_> = VENUES.iter().take(venues).map(|(s, _)| quote(*s, spot)).collect();
        quotes.extend([quote(BOOK_MIDDLE, book), quote(LAST_TRADE, last)]);
        let ask = |role| Ask { instrument, role, at: At { time, ..At::default() } };
        let reference = Reference { previous, index: None };
        let index =
            memory.with(Slot(1), |m| index.resolve(&ask(PriceRole::Index), &quotes, &reference, m))?;
        let reference = Reference { previous: None, index: Some(index) };
        let mark = memory.with(Slot(2), |m| mark.resolve(&ask(PriceRole::Mark), &quotes, &reference, m))?;
        let may = |action| if permits.permits(action, index.state) { "yes" } else { "no" };
        println!(
            "{second:>4} s  index {:>7} {:<9} mark {:>7} {:<9} open {:<4} liquidate {}",
            index.mid,
            format!("{:?}", index.state),
            mark.mid,
            format!("{:?}", mark.state),
            may(ActionKind::Open),
            may(ActionKind::Liquidate),
        );
        previous = Some(index);
    }
    Ok(())
}
