//! Euler v2: what may be repaid and what it yields at most, in situations of test/unit/evault/modules/Liquidation/full.t.sol, whose
//! amounts are computed there by the contract itself. Unit of account and all coins have eighteen decimals but where it says six.

use super::{dec, down, ten};

pub(crate) fn print() {
    println!("name | adjusted | liability | most repaid | most yielded | a quarter yields");
    for (name, held, decimals, price, ltv, owed, debt_price) in [
        ("basic full", "100", 18, "0.4", "0.3", "5", "2.5"),
        ("extreme factors", "100", 18, "0.4", "0.99", "17", "2.7"),
        ("lowest factor", "100", 18, "0.4", "0.0001", "5", "2.2"),
        ("six decimals", "10", 6, "15.5", "0.28", "20", "2.2"),
        ("small liability", "0.0000000000027", 18, "0.3", "0.99", "0.00000000000045", "2.2"),
    ] {
        let (held, owed) = (dec(held) * ten(decimals), dec(owed) * ten(18));
        let worth = down(&(&held * dec(price) * ten(18) / ten(decimals)));
        let (adjusted, liability) = (down(&(&worth * dec(ltv))), down(&(&owed * dec(debt_price))));
        // the contracts of these tests had a largest discount of 20 %
        let factor = down(&(&adjusted * ten(18) / &liability)).max(dec("0.8") * ten(18)) / ten(18);
        let (mut repaid, mut yields) = (liability.clone(), down(&(&liability / &factor)));
        if worth < yields {
            (repaid, yields) = (down(&(&worth * &factor)), worth.clone());
        }
        let repay = down(&(&repaid * &owed / &liability));
        let most = down(&(&yields * &held / &worth));
        let quarter = down(&(down(&(&repay / dec("4"))) * &most / &repay));
        println!("{name} | {adjusted} | {liability} | {repay} | {most} | {quarter}");
    }
}
