//! Morpho Blue: incentive factors, and liquidations of the shapes of test/forge/integration/LiquidateIntegrationTest.sol, whose inputs
//! are drawn at random there. Loan of six decimals at one, collateral of eighteen.

use super::{dec, down, ten, up};
use num_rational::BigRational;

fn factor(lltv: &str) -> BigRational {
    let rest = dec("1") - dec(lltv);
    let discount = down(&(dec("0.3") * rest * ten(18)));
    let factor = down(&(ten(36) / (ten(18) - discount)));
    factor.min(dec("1.15") * ten(18))
}

pub(crate) fn print() {
    println!("lltv | incentive factor (wad)");
    for lltv in ["0.385", "0.625", "0.77", "0.8", "0.86", "0.915", "0.945", "0.965", "0.98"] {
        println!("{lltv} | {}", factor(lltv));
    }
    println!(
        "\nlltv | collateral (atoms) | price | owed | max borrow | for half of the debt | to pay for all of it"
    );
    for (lltv, held, price, owed) in [
        ("0.86", "10000000000000000000", "2000", "17500000000"),
        ("0.86", "10000000000000000001", "1999.999", "17200000001"),
        ("0.77", "333333333333333333", "1234.567", "400000000"),
        ("0.385", "7777777777777777777", "1851.001", "14400000000"),
        ("0.965", "1000000000000000000", "999.999", "970000007"),
    ] {
        let (held, price, owed) = (dec(held), dec(price) / ten(12), dec(owed));
        let lif = factor(lltv) / ten(18);
        let borrow = down(&(down(&(&held * &price)) * dec(lltv)));
        let half = down(&(&owed / dec("2")));
        let seized = down(&(down(&(&half * &lif)) / &price));
        let all = up(&(up(&(&held * &price)) / &lif));
        println!("{lltv} | {held} | {} | {owed} | {borrow} | {seized} | {all}", &price * ten(12));
    }
}
