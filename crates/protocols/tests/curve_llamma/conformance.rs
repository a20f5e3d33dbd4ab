//! Numbers of others.
//!
//! [AMM], [Controller]: CurveDocs/curve-docs docs/crvUSD/amm.md@795916df and controller.md: what the deployed tBTC market answered when the
//! pages were written. [Kyber]: KyberNetwork/kyberswap-dex-lib, curve-llamma pool_simulator_test.go: trades as its router computes them.
//! [derived]: `cargo xtask derive curve-llamma`.

use cofferdam_core::{AssetId, Bands, Grid, RAY};
use cofferdam_protocols::curve::{In, Limiter, ONE, Spaced, exp, health, price, step_of, trade, worth};

/// The step of A = 100 as it is deployed: the factory's logarithm is ten units of 1e-18 below the true one. Read out of deployed code
/// by [Kyber] (`LogARatio`).
const STEP_100: u64 = 10_050_335_853_501_431;

fn grid(base: u128) -> Spaced {
    Spaced::at(&Grid { amplification: 100, step: STEP_100, base }, RAY).unwrap()
}

/// [AMM] `get_base_price`.
const BASE: u128 = 26_675_679_125_535_389_229_023;
/// The oracle's price at that moment: the page does not print it. The one price at which `p_current_down(-47)` is what it says; three
/// more such prices and `get_p` follow.
const ORACLE: u128 = 42_751_102_812_342_381_388_918;

/// [AMM] `p_oracle_up`, `p_oracle_down`.
#[test]
fn prices_of_bands_are_the_venues() {
    let check = |n: i64, want: u128| assert_eq!(grid(BASE).upper(n).unwrap(), want, "band {n}");
    check(-47, 42_782_025_149_416_813_700_210);
    check(-48, 43_214_166_817_592_740_669_693);
    check(-49, 43_650_673_553_123_980_039_273);
    check(-46, 42_354_204_897_922_645_990_019);
    check(0, BASE);
}

/// [AMM] `p_current_up`, `p_current_down`: the cube of the oracle's price over the square of the band's.
#[test]
fn the_venues_own_price_moves_with_the_cube() {
    let check = |n: i64, want: u128| {
        let upper = grid(BASE).upper(n).unwrap();
        assert_eq!(Spaced::lowest(ORACLE, upper).unwrap(), want, "band {n}");
    };
    check(-47, 42_689_325_172_927_310_418_784); // fixes the oracle's price
    check(-46, 43_556_091_391_620_558_676_062);
    check(-48, 41_839_807_601_986_057_796_621);
    check(-49, 41_007_195_430_706_536_064_090);
}

/// [AMM] `get_p` with `bands_x(-48)` and `bands_y(-48)`.
#[test]
fn the_price_within_a_band_is_the_venues() {
    let grid = grid(BASE);
    let amounts = (11_659_955_945_097_877_786_254, 316_435_642_081_117_977);
    let upper = grid.upper(-48).unwrap();
    assert_eq!(price(&grid, amounts, ORACLE, upper).unwrap(), 42_233_442_666_531_455_461_678);
}

/// [Controller] `calculate_debt_n1(10**18, 10**22, N)`, active band -48, loan discount 9 %.
#[test]
fn the_first_band_is_the_venues() {
    let check = |count: u32, want: i64| {
        let first = grid(BASE).first_band((ONE, 10_000 * ONE), (count, ONE / 100 * 9), ORACLE, -48);
        assert_eq!(first.unwrap(), Some(want), "{count} bands");
    };
    check(5, 85);
    check(25, 76);
    let high = grid(BASE).first_band((ONE, 40_000 * ONE), (5, ONE / 100 * 9), ORACLE, -48);
    assert_eq!(high.unwrap(), None, "\"Debt too high\"");
}

/// [Controller] `max_borrowable(10**18, N)` and `min_collateral(10**22, N)`. The page does not print the price of the highest free
/// band: it is what the first number makes it; five follow.
#[test]
fn what_may_be_borrowed_is_the_venues() {
    const PRICE: u128 = 42_781_412_539_367_830_484_582;
    let check = |count: u32, borrowable: u128, collateral: u128| {
        let terms = (count, ONE / 100 * 9);
        assert_eq!(grid(BASE).borrowable(ONE, terms, PRICE).unwrap(), borrowable, "{count} bands");
        assert_eq!(
            grid(BASE).collateral_for(10_000 * ONE, terms, PRICE).unwrap(),
            collateral,
            "{count} bands"
        );
    };
    check(5, 37_965_133_715_410_776_274_198, 263_399_572_749_066_565); // the first fixes the price
    check(25, 34_421_752_243_813_852_608_681, 290_513_972_942_760_489);
    check(50, 30_597_863_183_498_027_832_984, 326_820_207_673_727_834);
}

/// [Kyber] 22 trades one after another on one book, base and oracle price 2,500, fee 1 %: bands 4 to 39. Zero: nothing is traded.
///
/// The ninth says 16,761,529,328,088 there: one unit more than all that the trades before it have paid in, by their own numbers.
#[test]
fn trades_are_those_of_a_router() {
    let mut held = vec![52_631_578_947_368_422, 52_631_578_964_035_091, 52_631_578_969_590_647];
    held.extend([52_631_578_969_590_642; 4]);
    held.extend([52_631_578_952_923_976; 4]);
    held.extend([52_631_578_947_368_421; 3]);
    held.extend([1_000_052_631_578_947_368_421, 52_631_578_947_373_201]);
    held.extend([52_631_578_947_373_182; 3]);
    held.extend([4_761; 17]);
    let grid_2500 = Grid { amplification: 100, step: STEP_100, base: 2_500 * ONE };
    let grid = Spaced::at(&grid_2500, RAY).unwrap();
    let mut bands = Bands {
        asset: AssetId(1),
        money: AssetId(0),
        grid: grid_2500,
        first: 4,
        active: 0,
        sold: vec![0; held.len()],
        held,
    };
    let mut check = |buys: bool, amount: u128, want: u128| {
        let done = trade(&grid, &bands, buys, amount, (2_500 * ONE, ONE / 100)).unwrap();
        assert_eq!(done.got, want, "{buys} {amount}");
        assert!(done.paid <= amount && done.bands.is_sound());
        bands = done.bands;
    };
    check(false, 100_000, 0);
    check(true, 10_000_000_000_000, 3_619_691_851);
    check(true, 20_000_000, 7_239);
    check(false, 500_000_000, 1_328_490_669_204);
    check(true, 8_000_000_000_000, 2_895_753_478);
    check(true, 90_000_000_000, 32_577_226);
    check(true, 1, 0);
    check(false, 2, 2_709);
    check(false, 999_999_999_999_999_999_999, 16_761_529_328_087);
    check(false, 123_456_789, 0);
    check(true, 987_654_321, 357_500);
    check(true, 1, 0);
    check(true, 10, 0);
    check(true, 100, 0);
    check(true, 1_000, 0);
    check(true, 10_000, 3);
    check(true, 100_000, 36);
    check(false, 100_000, 265_696_461);
    check(false, 10_000, 26_567_478);
    check(false, 1_000, 2_655_122);
    check(false, 100, 265_512);
    check(false, 10, 24_383);
    check(false, 1, 0);
}

/// [derived] The exponential and the logarithm, to the last digit; where the venue reverts there is none.
#[test]
fn powers_are_exact() {
    let check = |power: i128, want: Option<u128>| assert_eq!(exp(power).ok(), want, "e^{power}");
    check(0, Some(ONE));
    check(1_000_000_000_000_000_000, Some(2_718_281_828_459_045_235));
    check(-1_000_000_000_000_000_000, Some(367_879_441_171_442_321));
    check(10_000_000_000_000_000_000, Some(22_026_465_794_806_716_516_957));
    check(-20_000_000_000_000_000_000, Some(2_061_153_622));
    check(42_000_000_000_000_000_000, None);
    let check = |a: u32, want: Option<u64>| assert_eq!(step_of(a).ok(), want, "A = {a}");
    check(100, Some(10_050_335_853_501_441));
    check(83, Some(12_121_360_532_344_810));
    check(30, Some(33_901_551_675_681_348));
    check(2, Some(693_147_180_559_945_309));
    check(1, None);
}

/// [derived] The oracle's step: 1.25 at most, and what it costs at once, half a minute and two minutes later.
#[test]
fn a_step_of_the_oracle_is_limited_and_costs() {
    let last = Limiter { price: 2_000 * ONE, fee: 0, at_s: 1_000 };
    let check = |price: u128, now_s: u64, want: (u128, u128)| {
        assert_eq!(last.limit(price, now_s).unwrap(), want, "{price} at {now_s}");
    };
    check(2_000 * ONE, 1_000, (2_000 * ONE, 0));
    check(1_900 * ONE, 1_000, (1_900 * ONE, 142_625_000_000_000_000)); // 1 - 0.95^3
    check(2_000 * ONE * 20 / 19, 1_000, (2_000 * ONE * 20 / 19, 142_625_000_000_000_000));
    check(1_000 * ONE, 1_000, (1_600 * ONE, 488_000_000_000_000_000)); // 1 - 0.8^3
    check(9_000 * ONE, 1_000, (2_500 * ONE, 488_000_000_000_000_000));
    check(1_900 * ONE, 1_030, (1_900 * ONE, 106_968_750_000_000_000)); // three quarters of it
    check(1_000 * ONE, 1_120, (1_000 * ONE, 0));
    let dear = Limiter { fee: 900_000_000_000_000_000, ..last };
    assert_eq!(dear.limit(1_000 * ONE, 1_000).unwrap().1, ONE - 1, "never all of it");
    assert_eq!(Limiter::default().limit(7 * ONE, 5).unwrap(), (7 * ONE, 0), "the first trade of all");
}

/// [derived] What four bands of one unit in all come to at A = 100, base 2,000: above them, among them, below them; in money and in
/// collateral; by exact fractions, of which the venue's quotients lose less than 1e-15.
#[test]
fn what_bands_come_to() {
    let spaced = Grid { amplification: 100, step: step_of(100).unwrap(), base: 2_000 * ONE };
    let grid = Spaced::at(&spaced, RAY).unwrap();
    let bands = |sold: [u128; 4], held: [u128; 4], active: usize| Bands {
        asset: AssetId(1),
        money: AssetId(0),
        grid: spaced,
        first: 10,
        active,
        sold: sold.to_vec(),
        held: held.to_vec(),
    };
    let quarter = ONE / 4;
    let fresh = bands([0; 4], [quarter; 4], 0);
    let half = bands([450 * ONE, 200 * ONE, 0, 0], [0, quarter / 2, quarter, quarter], 1);
    let close = |a: u128, b: u128| a.abs_diff(b) <= b / 1_000_000_000_000_000 + 1;
    let check = |bands: &Bands, oracle: u128, money: u128, collateral: u128| {
        let of = |unit| worth(&grid, bands, oracle, unit).unwrap();
        let found = (of(In::Money), of(In::Collateral));
        assert!(close(found.0, money) && close(found.1, collateral), "at {oracle}: {found:?}");
    };
    for (which, oracle, money, collateral) in DERIVED {
        check([&fresh, &half][which], oracle, money, collateral);
    }
    // health is what they come to less the discount, over the debt
    let of = |debt: u128| health(worth(&grid, &fresh, 2_000 * ONE, In::Money).unwrap(), ONE / 100 * 11, debt);
    assert!(of(1_400 * ONE).unwrap() > 0 && of(1_600 * ONE).unwrap() < 0);
}

/// Which bands, the oracle's price, what they come to in money, in collateral.
const DERIVED: [(usize, u128, u128, u128); 16] = [
    (0, 2_500 * ONE, 1_772_881_661_703_203_442_835, 999_999_999_999_999_999),
    (0, 1_800 * ONE, 1_771_299_245_185_856_353_683, 999_120_653_246_248_153),
    (0, 1_790 * ONE, 1_765_638_609_042_036_433_405, 995_975_037_630_787_388),
    (0, 1_770 * ONE, 1_742_096_118_741_973_876_747, 982_842_454_566_503_779),
    (0, 1_750 * ONE, 1_702_403_684_379_386_518_965, 960_581_365_791_084_197),
    (0, 1_745 * ONE, 1_689_977_207_597_645_966_115, 953_588_728_695_650_924),
    (0, 1_700 * ONE, 1_563_693_985_016_961_170_170, 882_341_072_784_723_545),
    (0, 1_500 * ONE, 1_074_184_245_762_720_119_952, 606_126_830_988_895_169),
    (1, 2_500 * ONE, 1_341_068_426_250_549_015_675, 759_222_871_748_646_824),
    (1, 1_800 * ONE, 1_743_442_631_665_496_071_968, 983_486_653_497_383_943),
    (1, 1_790 * ONE, 1_748_521_084_861_923_920_020, 986_326_621_021_228_581),
    (1, 1_770 * ONE, 1_746_777_580_094_338_638_288, 985_346_594_954_178_202),
    (1, 1_750 * ONE, 1_728_732_200_003_713_773_517, 975_154_647_741_551_683),
    (1, 1_745 * ONE, 1_721_640_740_359_465_420_773, 971_136_506_330_142_892),
    (1, 1_700 * ONE, 1_642_009_612_358_651_918_229, 925_899_342_416_479_035),
    (1, 1_500 * ONE, 1_331_587_866_844_607_380_489, 749_534_010_996_829_902),
];
