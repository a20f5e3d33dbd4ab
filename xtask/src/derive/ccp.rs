//! A clearing house: scenario margin from a published risk array, the default waterfall, and the haircut of gains.

use super::{down, int, up};
use num_rational::BigRational;

/// McMillan, "Options as a Strategic Investment", ch. 34: gains of one contract in dollars.
const FUTURE: [i128; 16] = [
    0, 0, 3_330, 3_330, -3_330, -3_330, 6_670, 6_670, -6_670, -6_670, 10_000, 10_000, -10_000, -10_000,
    7_000, -7_000,
];
const CALL: [i128; 16] = [
    460, -610, 2_640, 1_730, -1_270, -2_340, 5_210, 4_540, -2_540, -3_430, 8_060, 7_640, -3_380, -3_990,
    3_130, -1_500,
];

pub(crate) fn print() {
    println!("// (futures, calls, largest loss, average of the three largest, 5/4 of the largest)");
    for (f, c) in [(0, -1), (-1, 1), (3, -5), (-2, 7), (5, 5), (1, -2), (-4, -1), (1, -1)] {
        let [worst, mean, more] = margin(f, c);
        println!("({f}, {c}, {worst}, {mean}, {more}),");
    }
    println!("// (defaulter, loss, draws on skin, funds 1 to 4 and calls 1 to 4, residual)");
    for (of, loss) in [
        (1, 3_999_999_999),
        (2, 7_123_456_789),
        (3, 9_000_000_001),
        (4, 12_345_678_901),
        (2, 16_666_666_667),
        (1, 20_000_000_000),
    ] {
        let (draws, residual) = waterfall(of, loss);
        println!("({of}, {loss}, {draws:?}, {residual}),");
    }
    println!("// (gains, shortfall, each one's cut rounded down)");
    for (gains, shortfall) in [
        ([30_000_000_000, 20_000_000_000, 12_800_000_000], 2_500_000_000),
        ([7, 11, 13], 10),
        ([1_000_000_007, 3, 999_999_999_989], 123_456_789),
    ] {
        println!("({gains:?}, {shortfall}, {:?}),", haircuts(gains, shortfall));
    }
}

fn positive(x: BigRational) -> BigRational {
    if x < int(0) { int(0) } else { x }
}

fn margin(futures: i128, calls: i128) -> [String; 3] {
    let loss = |(f, c): (&i128, &i128)| int(0) - int(futures) * int(*f) - int(calls) * int(*c);
    let mut losses: Vec<BigRational> = FUTURE.iter().zip(&CALL).map(loss).collect();
    losses.sort();
    losses.reverse();
    let worst = positive(losses[0].clone());
    let mean = positive(up(&((&losses[0] + &losses[1] + &losses[2]) / int(3))));
    let more = up(&(&worst * int(5) / int(4)));
    [worst, mean, more].map(|x| x.to_string())
}

/// The order of `crates/protocols/stacks/ccp.toml`, in atoms of 1e-6: skin 2,500; contributions of 4,000, 3,000, 2,000 and 1,000,
/// and calls of once as much.
fn waterfall(of: usize, loss: i128) -> (Vec<String>, String) {
    let unit = int(1_000_000);
    let members = [4_000, 3_000, 2_000, 1_000].map(|x| int(x) * &unit);
    let mut draws = vec![int(0); 9];
    let mut left = int(loss);
    let mut take = |place: usize, most: &BigRational, left: &mut BigRational| {
        let paid = if &*left < most { left.clone() } else { most.clone() };
        *left -= &paid;
        draws[place] = paid;
    };
    take(of, &members[of - 1], &mut left);
    take(0, &(int(2_500) * &unit), &mut left);
    for first in [1, 5] {
        // shares of one sum: each member's running share of it, rounded down, less what those before it have
        let survivors: Vec<usize> = (1..=4).filter(|m| *m != of).collect();
        let all: BigRational = survivors.iter().map(|m| members[m - 1].clone()).sum();
        let sum = if left < all { left.clone() } else { all.clone() };
        let (mut running, mut given) = (int(0), int(0));
        for m in survivors {
            running += &members[m - 1];
            let upto = down(&(&sum * &running / &all));
            take(first + m - 1, &(&upto - &given), &mut left);
            given = upto;
        }
    }
    (draws.iter().map(ToString::to_string).collect(), left.to_string())
}

fn haircuts(gains: [i128; 3], shortfall: i128) -> Vec<String> {
    let all: BigRational = gains.iter().map(|g| int(*g)).sum();
    let kept = int(1) - int(shortfall) / all;
    gains.iter().map(|g| down(&(int(*g) - int(*g) * &kept)).to_string()).collect()
}
