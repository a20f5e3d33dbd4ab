//! Grids, filtered histories and the tools against procyclical margin.

use cofferdam_core::Ticks;
use cofferdam_forecast::*;
use proptest::prelude::*;

fn call(strike: f64) -> Instrument {
    Instrument::Option(Terms { kind: Kind::Call, strike, years: 0.25, volatility: 0.2 })
}

#[test]
fn a_future_moves_by_the_range() {
    // McMillan, "Options as a Strategic Investment", ch. 34: an S&P 500 future with a scan range of 20 points (10,000 at 500 a
    // point) and an extreme move of 14 points, here 40 points of which 35 % count
    let grid = Grid::thirds(2.0, 0.35).unwrap();
    let now = Underlying { price: 408.0, rate: 0.0 };
    let values =
        grid.values(&Instrument::Future, &now, &Ranges { price: 20.0, volatility: 0.0 }, 0.01).unwrap();
    let thirds = [
        0, 0, 666, 666, -667, -667, 1_333, 1_333, -1_334, -1_334, 2_000, 2_000, -2_000, -2_000, 1_400, -1_400,
    ];
    let low: Vec<i64> = values.scenarios.iter().map(|s| s.low.get() - values.base.get()).collect();
    assert_eq!(values.base, Ticks::new(40_800));
    assert_eq!(low, thirds);
    let whole = |s: &&cofferdam_core::ScenarioPrice| s.low == s.high;
    assert_eq!(values.scenarios.iter().filter(whole).count(), 8); // the others are thirds of a tick: one tick wide
}

#[test]
fn an_option_gains_with_volatility() {
    let grid = Grid::thirds(3.0, 0.33).unwrap();
    let now = Underlying { price: 408.0, rate: 0.05 };
    let ranges = Ranges { price: 20.0, volatility: 0.03 };
    let values = grid.values(&call(410.0), &now, &ranges, 0.01).unwrap();
    for pair in values.scenarios[..14].chunks(2) {
        assert!(pair[0].low > pair[1].high, "{pair:?}");
    }
}

#[test]
fn refusals() {
    let grid = || Grid::thirds(3.0, 0.33).unwrap();
    let now = Underlying { price: 100.0, rate: 0.0 };
    let ranges = |price| Ranges { price, volatility: 0.1 };
    let values =
        |price, tick| grid().values(&Instrument::Future, &now, &ranges(price), tick).unwrap_err().field;
    assert_eq!(Grid::thirds(3.0, 1.1).unwrap_err().field, "covered");
    assert_eq!(Grid::thirds(0.0, 0.3).unwrap_err().field, "extreme");
    assert_eq!(Grid::new(Vec::new()).unwrap_err().field, "shocks");
    assert_eq!(values(34.0, 0.01), "ranges.price"); // three times 34 down from 100
    assert_eq!(values(f64::NAN, 0.01), "ranges.price");
    assert_eq!(values(10.0, 0.0), "tick");
    assert_eq!(values(10.0, 1e-20), "value");
    assert_eq!(ewma(&[0.01], 1.0, 1e-4).unwrap_err().field, "decay");
    assert_eq!(Filtered::new(&[], 0.94, 1e-4, 2.0).unwrap_err().field, "returns");
    assert_eq!(quantile(&[1.0], 1.0).unwrap_err().field, "level");
    assert_eq!(Buffer::new(0.2, 0.1).unwrap_err().field, "share");
    assert_eq!(stress_weighted(1.0, 2.0, 0.2).unwrap_err().field, "weight");
    assert_eq!(floored(-1.0, 2.0).unwrap_err().field, "calculated");
}

#[test]
fn exponential_weights() {
    // Hull, "Options, futures, and other derivatives", chapter "Estimating volatilities and correlations", the EWMA example:
    // decay 0.90, a volatility of 1 % a day and a return of 2 % give a variance of 0.00013, 1.14 % a day
    let variances = ewma(&[0.02], 0.90, 0.0001).unwrap();
    assert!((variances[1] - 0.00013).abs() < 1e-15);
    assert!((variances[1].sqrt() - 0.0114).abs() < 5e-5);
}

#[test]
fn a_filtered_history() {
    let returns = [0.01, -0.02, 0.005];
    let filtered = Filtered::new(&returns, 0.9, 0.0001, 4.0).unwrap();
    let v = ewma(&returns, 0.9, 0.0001).unwrap();
    // each return over the volatility before it, times the one after the last, times the root of four periods
    for (i, m) in filtered.moves().iter().enumerate() {
        assert!((m - returns[i] * (v[3] / v[i]).sqrt() * 2.0).abs() < 1e-15);
    }
    let now = Underlying { price: 2_000.0, rate: 0.0 };
    let values = filtered.values(&Instrument::Future, &now, 0.01).unwrap();
    for (m, s) in filtered.moves().iter().zip(&values.scenarios) {
        let exact = (2_000.0 * m.exp()) / 0.01;
        assert!(s.low.get() as f64 <= exact + 1e-5 && s.high.get() as f64 >= exact - 1e-5);
        assert!(s.high.get() - s.low.get() <= 1);
    }
}

#[test]
fn quantiles() {
    // (losses, level, quantile, average of the worst)
    let hundred: Vec<f64> = (1..=100).map(f64::from).collect();
    let five_hundred: Vec<f64> = (1..=500).map(f64::from).collect();
    let table: [(&[f64], f64, f64, f64); 5] = [
        (&hundred, 0.99, 99.0, 100.0),
        (&hundred, 0.995, 100.0, 100.0),
        (&hundred, 0.95, 95.0, 98.0),
        (&five_hundred, 0.99, 495.0, 498.0),
        (&[7.0], 0.99, 7.0, 7.0),
    ];
    for (losses, level, wanted, average) in table {
        assert_eq!(quantile(losses, level).unwrap(), wanted, "{} at {level}", losses.len());
        assert_eq!(average_beyond(losses, level).unwrap(), average, "{} at {level}", losses.len());
    }
}

#[test]
fn a_buffer_takes_a_rise_first() {
    let buffer = Buffer::new(0.25, 0.0).unwrap();
    // (calculated, charged): full, risen within the buffer, beyond it, and fallen again
    let mut before = 0.0;
    for (calculated, charged) in [(100.0, 100.0), (90.0, 100.0), (120.0, 120.0), (80.0, 100.0), (95.0, 100.0)]
    {
        before = buffer.charged(before, calculated).unwrap();
        assert_eq!(before, charged, "at {calculated}");
    }
    let rebuilding = Buffer::new(0.25, 0.5).unwrap();
    assert_eq!(rebuilding.charged(100.0, 100.0).unwrap(), 112.5);
}

proptest! {
    #[test]
    fn low_and_high_enclose_the_change(
        strike in 200.0_f64..700.0, price in 200.0_f64..700.0, range in 0.0_f64..60.0, vol in 0.0_f64..0.3, tick in 0.001_f64..1.0,
    ) {
        let grid = Grid::thirds(3.0, 0.33).unwrap();
        let now = Underlying { price, rate: 0.02 };
        let values = grid.values(&call(strike), &now, &Ranges { price: range, volatility: vol }, tick).unwrap();
        let value = call(strike).value(&now, price, 0.0).unwrap();
        for (shock, s) in grid.shocks().iter().zip(&values.scenarios) {
            let shocked = call(strike).value(&now, price + shock.price * range, shock.volatility * vol).unwrap();
            let change = shock.covered * (shocked - value) / tick;
            let (low, high) = (s.low.get() - values.base.get(), s.high.get() - values.base.get());
            prop_assert!(low as f64 <= change + 1e-6 && high as f64 >= change - 1e-6 && high - low <= 1);
        }
    }

    #[test]
    fn a_buffer_stays_within_its_bounds(
        margins in prop::collection::vec(0.0_f64..1e6, 1..50), share in 0.25_f64..1.0, rebuild in 0.0_f64..1.0,
    ) {
        let buffer = Buffer::new(share, rebuild).unwrap();
        let mut before = 0.0;
        for m in margins {
            before = buffer.charged(before, m).unwrap();
            prop_assert!(before >= m && before <= m * (1.0 + share));
        }
    }

    #[test]
    fn the_average_of_the_worst_never_falls_when_books_are_added(
        pairs in prop::collection::vec((-1e3_f64..1e3, -1e3_f64..1e3), 1..60), level in 0.5_f64..0.999,
    ) {
        let (a, b): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let sum: Vec<f64> = pairs.iter().map(|(x, y)| x + y).collect();
        let of = |x: &[f64]| average_beyond(x, level).unwrap();
        prop_assert!(of(&sum) <= of(&a) + of(&b) + 1e-9);
    }
}
