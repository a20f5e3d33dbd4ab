//! Curve LLAMMA: powers and logarithms by series of fractions, steps of the oracle, and what bands come to, from the curve's own equation.

use super::{dec, down, int, ten};
use num_bigint::BigInt;
use num_rational::BigRational;

type Q = BigRational;

/// A root to sixty digits.
fn root(x: &Q) -> Q {
    let scaled: BigInt = down(&(x * ten(120))).to_integer();
    Q::from(scaled.sqrt()) / ten(60)
}

/// e^x, by its series.
fn exp(x: &Q) -> Q {
    let (mut sum, mut term) = (int(1), int(1));
    for i in 1..=160 {
        term = term * x / int(i);
        sum += &term;
    }
    sum
}

/// ln(A / (A - 1)) as the sum of 1 / (n A^n).
fn step(a: i128) -> Q {
    let (mut sum, mut power) = (int(0), int(1));
    for n in 1..=200 {
        power /= int(a);
        sum += &power / int(n);
    }
    sum
}

fn wad(x: &Q) -> Q {
    down(&(x * ten(18)))
}

/// What a band of A = 100, base 2,000, comes to in money and in collateral.
fn band(n: i32, x: &Q, y: &Q, p: &Q) -> (Q, Q) {
    let a = int(100);
    let upper = int(2_000) * dec("0.99").pow(n);
    let lower = &upper * dec("0.99");
    // p A y0^2 - y0 b - x y = 0
    let b = &upper / p * (&a - int(1)) * x + p * p / &upper * &a * y;
    let y0 = (&b + root(&(&b * &b + int(4) * p * &a * x * y))) / (int(2) * p * &a);
    let (f, g) = (&a * &y0 * p * p / &upper, (&a - int(1)) * &y0 * &upper / p);
    let product = p * &a * &a * &y0 * &y0;
    let mean = |other: &Q, p: &Q| root(&(other * p));
    if *p > upper {
        let held = product / f - g;
        (&held * mean(&upper, &lower), held)
    } else if *p < lower {
        let sold = product / g - f;
        (sold.clone(), sold / mean(&upper, &lower))
    } else {
        let held = &a * &y0 * (p - &lower) / p;
        let sold = product / (&g + &held) - f;
        (&sold + &held * mean(&lower, p), held + sold / mean(&upper, p))
    }
}

pub(crate) fn print() {
    println!("power | e^power (wad)");
    for power in ["1", "-1", "10", "-20"] {
        let x = if let Some(x) = power.strip_prefix('-') { -dec(x) } else { dec(power) };
        println!("{power} | {}", wad(&exp(&x)));
    }
    println!("\nA | ln(A / (A - 1)) (wad)");
    for a in [100, 83, 30] {
        println!("{a} | {}", wad(&step(a)));
    }
    println!("\nratio of a step | fee at once | after 30 s (wads)");
    for r in ["0.95", "0.8"] {
        let fee = int(1) - dec(r).pow(3);
        println!("{r} | {} | {}", wad(&fee), wad(&(&fee * dec("0.75"))));
    }
    println!("\nbands | oracle | in money (wad) | in collateral (wad)");
    let quarter = dec("0.25");
    let fresh = [int(0), int(0), int(0), int(0)].map(|x| (x, quarter.clone()));
    let half =
        [(int(450), int(0)), (int(200), dec("0.125")), (int(0), quarter.clone()), (int(0), quarter.clone())];
    for (which, bands) in [("fresh", &fresh), ("half", &half)] {
        for p in ["2500", "1800", "1790", "1770", "1750", "1745", "1700", "1500"] {
            let p = dec(p);
            let (mut money, mut collateral) = (int(0), int(0));
            for (n, (x, y)) in (10..).zip(bands) {
                let (a, b) = band(n, x, y, &p);
                money += a;
                collateral += b;
            }
            println!("{which} | {p} | {} | {}", wad(&money), wad(&collateral));
        }
    }
}
