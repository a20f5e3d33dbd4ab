//! Vertex: liquidation prices, health with netted spreads, the amounts that end at an initial health of zero, and funding per
//! contract of a socialised loss. All from the formulas in words, in exact fractions; rounded where the tables say so.

use super::{dec, down, int, ten, up};
use num_rational::BigRational;

fn abs(x: &BigRational) -> BigRational {
    if *x < int(0) { -x } else { x.clone() }
}

/// The weight of a signed amount.
fn weight(amount: &BigRational, long: &str, short: &str) -> BigRational {
    if *amount < int(0) { dec(short) } else { dec(long) }
}

/// An account: cash, asset (negative if owed), lots in whole units, and what they cost.
struct Account {
    cash: BigRational,
    spot: BigRational,
    perp: BigRational,
    entry: BigRational,
}

/// The health as the contracts sum it up: amounts by weight and price, then four fifths of a spread's penalty.
fn health(a: &Account, spot: &BigRational, perp: &BigRational, long: &str, short: &str) -> BigRational {
    let mut sum = &a.cash - &a.perp * &a.entry;
    sum += weight(&a.spot, long, short) * &a.spot * spot;
    sum += weight(&a.perp, long, short) * &a.perp * perp;
    if (a.spot > int(0)) != (a.perp > int(0)) {
        let basis = abs(&a.spot).min(abs(&a.perp));
        sum += (int(1) - dec(long)) * dec("0.8") * (spot + perp) * basis;
    }
    sum
}

fn account(cash: &str, spot: &str, perp: &str, entry: &str) -> Account {
    let signed = |x: &str| x.strip_prefix('-').map_or_else(|| dec(x), |x| -dec(x));
    Account { cash: signed(cash), spot: signed(spot), perp: signed(perp), entry: signed(entry) }
}

pub(crate) fn print() {
    println!("price | of a million: account | liquidator | insurance");
    let million = int(1_000_000) * ten(6);
    for (name, w, parts) in [
        ("sold at 0.95", "0.95", 5),
        ("sold at 0.970000001", "0.970000001", 5),
        ("sold at 0.6", "0.6", 5),
        ("bought back at 1.05", "1.05", 5),
        ("bought back at 1.030000003", "1.030000003", 5),
        ("bought back at 1.4", "1.4", 5),
        ("spread sold, perpetual 0.95", "0.95", 25),
        ("spread sold, perpetual 0.6", "0.6", 25),
        ("spread bought back, asset 1.05", "1.05", 25),
        ("spread bought back, asset 1.4", "1.4", 25),
    ] {
        let step = (dec(w) - int(1)) / int(parts);
        let half = abs(&step) / int(2);
        let (paid, fee) = (&million * (int(1) + &step), &million * half);
        // the liquidator leaves insurance half of what lies between
        let liquidator = if step < int(0) { &paid + &fee } else { &paid - &fee };
        println!("{name} | {} | {} | {}", down(&paid), down(&liquidator), down(&fee));
    }
    println!("account | initial health | maintenance health, in thousandths");
    for (name, a, spot, perp) in [
        ("cash and an asset", account("1000", "3", "0", "0"), "2100", "2100"),
        ("a long position", account("3000", "0", "10", "2000"), "2000", "1990"),
        ("a short position", account("3000", "0", "-10", "2000"), "2000", "2010"),
        ("what is owed", account("9000", "-4", "0", "0"), "2020", "2020"),
        ("a spread held, more asset", account("1000", "10", "-4", "2000"), "2000", "2040"),
        ("a spread held, more lots", account("1000", "4", "-10", "2000"), "2000", "2040"),
        ("a spread owed", account("12500", "-5", "5", "2000"), "2000", "1900"),
        ("no spread: both held", account("1000", "3", "4", "2000"), "2010", "1990"),
    ] {
        let (s, p) = (dec(spot), dec(perp));
        let initial = health(&a, &s, &p, "0.9", "1.1") * ten(3);
        let maintenance = health(&a, &s, &p, "0.95", "1.05") * ten(3);
        println!("{name} | {initial} | {maintenance}");
    }
    println!("what is liquidated | the most of it, in thousandths of the asset");
    let most = |name: &str, a: &Account, spot: &str, perp: &str, gain: BigRational| {
        let missing = -health(a, &dec(spot), &dec(perp), "0.9", "1.1");
        println!("{name} | {}", down(&(missing / gain * ten(3))));
    };
    let perp = |p: &str, initial: &str| dec(p) * (dec("0.99") - dec(initial));
    most(
        "10 long at 2000, at 1880",
        &account("2050", "0", "10", "2000"),
        "1880",
        "1880",
        perp("1880", "0.9"),
    );
    let gain = dec("2120") * (dec("1.1") - dec("1.01"));
    most("10 short at 2000, at 2120", &account("2050", "0", "-10", "2000"), "2120", "2120", gain);
    let gain = dec("2400") * (dec("1.1") - dec("1.01"));
    most("5 owed, at 2400", &account("12376", "-5", "0", "0"), "2400", "2400", gain);
    // a unit of the spread: its asset at 0.998, its lot closed at the mark
    let (s, p) = (dec("2000"), dec("3960"));
    let unit = account("0", "1", "-1", "2000");
    let gain = &s * dec("0.998") + dec("2000") - &p - health(&unit, &s, &p, "0.9", "1.1");
    most("a spread of 10, at 2000 and 3960", &account("0", "10", "-10", "2000"), "2000", "3960", gain);
    println!("loss | open interest of a side | funding per contract, in millionths, up");
    let (loss, open) = ("37.8", "5.5");
    println!("{loss} | {open} | {}", up(&(dec(loss) / dec(open) / int(2) * ten(6))));
}
