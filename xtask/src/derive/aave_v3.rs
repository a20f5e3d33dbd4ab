//! Aave v3.7 liquidation calls: situations of the venue's own tests (tests/protocol/pool/Pool.Liquidations.t.sol), whose expected
//! amounts are computed there, computed here a second time in fractions. Interest before the call is left out.

use super::{dec, down, ten, up};
use num_rational::BigRational;

struct Coin {
    decimals: u32,
    price: &'static str,
}

const USDX: Coin = Coin { decimals: 6, price: "1" };
const WBTC: Coin = Coin { decimals: 8, price: "27000" };
const WETH: Coin = Coin { decimals: 18, price: "1800" };

struct Case {
    name: &'static str,
    /// Collateral held: coin, amount.
    held: (Coin, &'static str),
    /// Debts: coin, amount; the first is repaid.
    debts: &'static [(Coin, &'static str)],
    /// By how much the price of WBTC fell.
    fall: &'static str,
    threshold: &'static str,
    bonus: &'static str,
    fee: &'static str,
    /// What the caller offers, in atoms; none for all.
    cover: Option<&'static str>,
}

const TABLE: [Case; 8] = [
    Case {
        name: "no fee",
        held: (WBTC, "1"),
        debts: &[(USDX, "20500")],
        fall: "0.16",
        threshold: "0.86",
        bonus: "1.05",
        fee: "0",
        cover: None,
    },
    Case {
        name: "partial",
        held: (WBTC, "1"),
        debts: &[(USDX, "20500")],
        fall: "0.25",
        threshold: "0.86",
        bonus: "1.05",
        fee: "0.1",
        cover: Some("106000000"),
    },
    Case {
        name: "repro",
        held: (WBTC, "1.00999999"),
        debts: &[(USDX, "20500.999999")],
        fall: "0.16",
        threshold: "0.86",
        bonus: "1.05",
        fee: "0.1",
        cover: None,
    },
    Case {
        name: "two debts",
        held: (WBTC, "1"),
        debts: &[(USDX, "199.999999"), (WETH, "10")],
        fall: "0.3",
        threshold: "0.86",
        bonus: "1.05",
        fee: "0.1",
        cover: None,
    },
    Case {
        name: "isolated",
        held: (WBTC, "0.5"),
        debts: &[(USDX, "11000")],
        fall: "0.12",
        threshold: "0.86",
        bonus: "1.05",
        fee: "0.1",
        cover: None,
    },
    Case {
        name: "efficiency mode",
        held: (WBTC, "1"),
        debts: &[(WETH, "12")],
        fall: "0.2",
        threshold: "0.96",
        bonus: "1.01",
        fee: "0.1",
        cover: None,
    },
    Case {
        name: "bad debt",
        held: (WBTC, "0.5"),
        debts: &[(USDX, "11000")],
        fall: "0.2",
        threshold: "0.86",
        bonus: "1.05",
        fee: "0.1",
        cover: None,
    },
    Case {
        name: "many bad debts",
        held: (WBTC, "1.00999999"),
        debts: &[(USDX, "20500.999999"), (WETH, "0.0000000000002")],
        fall: "0.215",
        threshold: "0.86",
        bonus: "1.05",
        fee: "0.1",
        cover: None,
    },
];

fn price(coin: &Coin, fall: &BigRational) -> BigRational {
    let whole = dec(coin.price);
    if coin.price == WBTC.price { &whole - &whole * fall } else { whole }
}

/// Base currency has eight decimals.
fn value(atoms: &BigRational, coin: &Coin, price: &BigRational) -> BigRational {
    atoms * price * ten(8) / ten(coin.decimals)
}

pub(crate) fn print() {
    println!("name | health factor (wad) | repaid | seized | fee | deficit in the repaid asset");
    for case in &TABLE {
        let fall = dec(case.fall);
        let (coin, amount) = &case.held;
        let (held, held_price) = (dec(amount) * ten(coin.decimals), price(coin, &fall));
        let (debt, amount) = &case.debts[0];
        let (owed, debt_price) = (dec(amount) * ten(debt.decimals), price(debt, &fall));
        let total = case
            .debts
            .iter()
            .fold(dec("0"), |sum, (c, x)| sum + up(&value(&(dec(x) * ten(c.decimals)), c, &price(c, &fall))));
        let collateral = down(&value(&held, coin, &held_price));
        // half up as a wad of basis points, then down
        let factor = down(&(&collateral * dec(case.threshold) * ten(22) / &total + dec("0.5")));
        let factor = down(&(factor / ten(4)));
        let small = dec("2000") * ten(8);
        let pair = up(&value(&owed, debt, &debt_price));
        let half = down(&(&total * dec("0.5") + dec("0.5")));
        let all = factor <= dec("0.95") * ten(18) || pair < small || collateral < small || pair <= half;
        let max =
            if all { owed.clone() } else { down(&(&half / (&debt_price * ten(8)) * ten(debt.decimals))) };
        let cover = case.cover.map_or(max.clone(), |x| dec(x).min(max.clone()));
        let bonus = dec(case.bonus);
        let per = |a: &BigRational| a * ten(debt.decimals) / ten(coin.decimals);
        let base = down(&(&cover * &debt_price / &held_price * ten(coin.decimals) / ten(debt.decimals)));
        let most = down(&(&base * &bonus));
        let (repaid, seized) = if most > held {
            (up(&(down(&per(&(&held * &held_price / &debt_price))) / &bonus)), held.clone())
        } else {
            (cover, most)
        };
        let fee = up(&((&seized - down(&(&seized / &bonus))) * dec(case.fee)));
        let deficit = if seized == held { &owed - &repaid } else { dec("0") };
        println!("{} | {factor} | {repaid} | {seized} | {fee} | {deficit}", case.name);
    }
}
