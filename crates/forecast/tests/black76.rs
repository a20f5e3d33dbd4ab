//! Black-76 against published values, and the identities that hold without any.

use cofferdam_forecast::{Black76, Kind};
use proptest::prelude::*;

use Kind::{Call, Put};

fn option(forward: f64, strike: f64, years: f64, volatility: f64, rate: f64) -> Black76 {
    Black76::new(forward, strike, years, volatility, rate).unwrap()
}

#[test]
fn published_prices() {
    // (kind, strike, forward, rate, years, volatility, price, tolerance): strike 100 and rate 10 % are from Haug, "The complete
    // guide to option pricing formulas" (1998), pages 11 to 27, as listed in QuantLib's test-suite/europeanoption.cpp at
    // 02f7b8c (rows with carry zero, which is Black-76); the last two from Hull, "Options, futures, and other derivatives",
    // chapter "Futures options" (a four-month put on crude oil), and from Black's formula at expiry
    let table = [
        (Call, 100.0, 110.0, 0.10, 0.1, 0.35, 11.1381, 1e-4),
        (Call, 100.0, 90.0, 0.10, 0.5, 0.15, 0.8069, 1e-4),
        (Call, 100.0, 100.0, 0.10, 0.5, 0.15, 4.0232, 1e-4),
        (Call, 100.0, 110.0, 0.10, 0.5, 0.15, 10.5769, 1e-4),
        (Call, 100.0, 90.0, 0.10, 0.5, 0.25, 2.7026, 1e-4),
        (Call, 100.0, 100.0, 0.10, 0.5, 0.25, 6.6997, 1e-4),
        (Call, 100.0, 110.0, 0.10, 0.5, 0.25, 12.7857, 1e-4),
        (Call, 100.0, 90.0, 0.10, 0.5, 0.35, 4.9329, 1e-4),
        (Call, 100.0, 100.0, 0.10, 0.5, 0.35, 9.3679, 1e-4),
        (Call, 100.0, 110.0, 0.10, 0.5, 0.35, 15.3086, 1e-4),
        (Put, 100.0, 90.0, 0.10, 0.1, 0.15, 9.9210, 1e-4),
        (Put, 100.0, 100.0, 0.10, 0.1, 0.15, 1.8734, 1e-4),
        (Put, 100.0, 110.0, 0.10, 0.1, 0.15, 0.0408, 1e-4),
        (Put, 100.0, 90.0, 0.10, 0.1, 0.25, 10.2155, 1e-4),
        (Put, 100.0, 100.0, 0.10, 0.1, 0.25, 3.1217, 1e-4),
        (Put, 100.0, 110.0, 0.10, 0.1, 0.25, 0.4551, 1e-4),
        (Put, 100.0, 90.0, 0.10, 0.1, 0.35, 10.8479, 1e-4),
        (Put, 100.0, 100.0, 0.10, 0.1, 0.35, 4.3693, 1e-4),
        (Put, 100.0, 110.0, 0.10, 0.1, 0.35, 1.2376, 1e-4),
        (Put, 100.0, 90.0, 0.10, 0.5, 0.15, 10.3192, 1e-4),
        (Put, 100.0, 110.0, 0.10, 0.5, 0.15, 1.0646, 1e-4),
        (Put, 100.0, 90.0, 0.10, 0.5, 0.25, 12.2149, 1e-4),
        (Put, 100.0, 110.0, 0.10, 0.5, 0.25, 3.2734, 1e-4),
        (Put, 100.0, 90.0, 0.10, 0.5, 0.35, 14.4452, 1e-4),
        (Put, 100.0, 110.0, 0.10, 0.5, 0.35, 5.7963, 1e-4),
        (Put, 20.0, 20.0, 0.09, 4.0 / 12.0, 0.25, 1.12, 5e-3),
        (Put, 20.0, 15.0, 0.09, 0.0, 0.25, 5.0, 0.0),
    ];
    for (kind, strike, forward, rate, years, volatility, price, tolerance) in table {
        let found = option(forward, strike, years, volatility, rate).price(kind);
        assert!(
            (found - price).abs() <= tolerance,
            "{kind:?} {forward} {strike} {years} {volatility}: {found}, not {price}"
        );
    }
}

#[test]
fn published_deltas() {
    // Haug (1998), pages 11 to 16, by the same file: strike 100, forward 105, rate 10 %, half a year, 36 %
    let o = option(105.0, 100.0, 0.5, 0.36, 0.10);
    assert!((o.greeks(Call).delta - 0.5946).abs() < 1e-4);
    assert!((o.greeks(Put).delta + 0.3566).abs() < 1e-4);
}

#[test]
fn refusals() {
    let cases = [
        ("forward", Black76::new(0.0, 1.0, 1.0, 0.2, 0.0)),
        ("strike", Black76::new(1.0, -1.0, 1.0, 0.2, 0.0)),
        ("years", Black76::new(1.0, 1.0, -0.1, 0.2, 0.0)),
        ("volatility", Black76::new(1.0, 1.0, 1.0, f64::NAN, 0.0)),
        ("rate", Black76::new(1.0, 1.0, 1.0, 0.2, f64::INFINITY)),
    ];
    for (field, made) in cases {
        assert_eq!(made.unwrap_err().field, field);
    }
}

proptest! {
    #[test]
    fn put_call_parity(
        forward in 1.0_f64..1e5, moneyness in 0.2_f64..5.0, years in 0.0_f64..3.0, volatility in 0.0_f64..3.0,
        rate in -0.05_f64..0.3,
    ) {
        let strike = forward * moneyness;
        let o = option(forward, strike, years, volatility, rate);
        let parity = (-rate * years).exp() * (forward - strike);
        prop_assert!((o.price(Call) - o.price(Put) - parity).abs() <= 1e-10 * forward.max(strike));
        let delta = o.greeks(Call).delta - o.greeks(Put).delta - (-rate * years).exp();
        prop_assert!(delta.abs() < 1e-12);
    }

    #[test]
    fn greeks_are_slopes(
        forward in 50.0_f64..200.0, years in 0.05_f64..2.0, volatility in 0.1_f64..1.5, call in any::<bool>(),
    ) {
        let kind = if call { Call } else { Put };
        let (strike, h) = (100.0, 1e-3);
        let greeks = option(forward, strike, years, volatility, 0.05).greeks(kind);
        let price = |f: f64, v: f64| option(f, strike, years, v, 0.05).price(kind);
        let delta = (price(forward + h, volatility) - price(forward - h, volatility)) / (2.0 * h);
        let gamma = (price(forward + h, volatility) - 2.0 * price(forward, volatility) + price(forward - h, volatility)) / (h * h);
        let vega = (price(forward, volatility + h) - price(forward, volatility - h)) / (2.0 * h);
        prop_assert!((greeks.delta - delta).abs() < 1e-6, "{} {}", greeks.delta, delta);
        prop_assert!((greeks.gamma - gamma).abs() < 1e-5, "{} {}", greeks.gamma, gamma);
        prop_assert!((greeks.vega - vega).abs() < 1e-3, "{} {}", greeks.vega, vega);
    }

    #[test]
    fn between_payoff_and_forward(
        forward in 1.0_f64..1e5, moneyness in 0.2_f64..5.0, years in 0.0_f64..3.0, volatility in 0.0_f64..3.0,
    ) {
        let strike = forward * moneyness;
        let o = option(forward, strike, years, volatility, 0.0);
        let slack = 1e-10 * forward.max(strike);
        prop_assert!(o.price(Call) >= (forward - strike).max(0.0) - slack && o.price(Call) <= forward + slack);
        prop_assert!(o.price(Put) >= (strike - forward).max(0.0) - slack && o.price(Put) <= strike + slack);
    }
}
