//! Chance: a counter-based stream of uniforms, the normal distribution, Pareto sizes. All through `libm` or plain IEEE
//! operations, so that a seed means the same book on every machine.

use super::{Prior, Schedule};

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
const DOMAIN: u64 = 0xD134_2543_DE82_EF95;

/// Uniforms addressed by (seed, domain, minute, side): any minute can be drawn alone, in any order, on any thread.
/// The mixer is the finaliser of SplitMix64 (Steele, Lea, Flood 2014, variant 13 of Stafford).
///
/// ```
/// use cofferdam_market_sim::implied::{Side, Stream};
/// let mut stream = Stream::new(1, 1, 29, Side::Long);
/// assert_eq!(stream.uniform(), 0.6169476144307342);
/// assert_eq!(stream.uniform(), 0.012109797046235438);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stream {
    key: u64,
    drawn: u64,
}

impl Stream {
    /// A stream of its own for each combination.
    #[must_use]
    pub const fn new(seed: u64, domain: u64, minute: u64, side: super::Side) -> Self {
        let side = match side {
            super::Side::Long => 0,
            super::Side::Short => 1,
        };
        let key = mix(seed.wrapping_add(GOLDEN));
        let key = mix(key ^ domain.wrapping_mul(DOMAIN).wrapping_add(GOLDEN));
        let place = minute.wrapping_mul(2).wrapping_add(side);
        Self { key: mix(key ^ place.wrapping_add(GOLDEN)), drawn: 0 }
    }

    /// The next 64 bits.
    pub const fn bits(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        mix(self.key.wrapping_add(self.drawn.wrapping_mul(GOLDEN)))
    }

    /// The next uniform, strictly between 0 and 1: 53 bits, in the middle of their cell.
    pub fn uniform(&mut self) -> f64 {
        // Below 2^53: exact as a double; the division by a power of two is exact too.
        ((self.bits() >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
    }

    /// A Poisson count by multiplying uniforms (Knuth); `mean` up to 500, where e^-mean is still a normal double.
    pub(super) fn poisson(&mut self, mean: f64) -> u32 {
        let least = libm::exp(-mean);
        let (mut count, mut product) = (0, self.uniform());
        while product > least {
            count += 1;
            product *= self.uniform();
        }
        count
    }
}

const fn mix(z: u64) -> u64 {
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Standard normal distribution function.
#[must_use]
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

/// Standard normal quantile, relative error about 1e-16 (Wichura 1988, algorithm AS 241, PPND16). Outside (0, 1) the
/// infinities.
#[must_use]
#[allow(clippy::excessive_precision)]
pub fn normal_quantile(p: f64) -> f64 {
    const A: [f64; 8] = [
        3.387_132_872_796_366_6,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ];
    const B: [f64; 8] = [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_546,
    ];
    const C: [f64; 8] = [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ];
    const D: [f64; 8] = [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ];
    const E: [f64; 8] = [
        6.657_904_643_501_103,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ];
    const F: [f64; 8] = [
        1.0,
        0.599_832_206_555_888,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_7e-15,
    ];
    if p <= 0.0 || p >= 1.0 {
        return if p <= 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * horner(&A, r) / horner(&B, r);
    }
    let r = (-libm::log(if q < 0.0 { p } else { 1.0 - p })).sqrt();
    let z = if r <= 5.0 {
        horner(&C, r - 1.6) / horner(&D, r - 1.6)
    } else {
        horner(&E, r - 5.0) / horner(&F, r - 5.0)
    };
    if q < 0.0 { -z } else { z }
}

fn horner(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, c| sum * x + c)
}

/// F at each cap of a schedule, computed once.
#[derive(Clone, Debug)]
pub(super) struct Caps(Vec<(f64, f64)>);

impl Caps {
    pub(super) fn new(chance: &Chance, schedule: &Schedule) -> Self {
        Self(schedule.leverages().map(|cap| (cap, chance.below(cap))).collect())
    }

    /// Share of the uncapped prior below one of the caps.
    pub(super) fn below(&self, cap: f64) -> f64 {
        self.0.iter().find(|&&(at, _)| at == cap).map_or(1.0, |&(_, below)| below)
    }
}

/// The prior with its constants computed once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Chance {
    ln_median: f64,
    sigma: f64,
    pub(super) tau: f64,
    alpha: f64,
    min: f64,
    max: f64,
    /// 1 - (min / max)^alpha
    mass: f64,
}

impl Chance {
    pub(super) fn new(prior: &Prior) -> Self {
        let (min, max) = (prior.size_min_lots as f64, prior.size_max_lots as f64);
        Self {
            ln_median: libm::log(prior.median_leverage),
            sigma: prior.sigma,
            tau: prior.tau_minutes,
            alpha: prior.size_alpha,
            min,
            max,
            mass: 1.0 - libm::pow(min / max, prior.size_alpha),
        }
    }

    /// Share of the uncapped prior below a leverage: F(l) = Phi( ln(l / median) / sigma ).
    pub(super) fn below(&self, leverage: f64) -> f64 {
        normal_cdf((libm::log(leverage) - self.ln_median) / self.sigma)
    }

    /// The leverage below which a share of the uncapped prior lies, held inside `[low, high]`.
    pub(super) fn leverage_at(&self, share: f64, low: f64, high: f64) -> f64 {
        libm::exp(self.ln_median + self.sigma * normal_quantile(share)).clamp(low, high)
    }

    /// A size in lots, rounded down: truncated Pareto by inversion.
    pub(super) fn size(&self, uniform: f64) -> i64 {
        let size = self.min * libm::exp(-libm::log(1.0 - uniform * self.mass) / self.alpha);
        size.clamp(self.min, self.max) as i64
    }

    /// Mean size in lots.
    pub(super) fn mean_size(&self) -> f64 {
        let a = self.alpha;
        a / (a - 1.0) * self.min * (1.0 - libm::pow(self.min / self.max, a - 1.0)) / self.mass
    }

    /// `count` sizes, each standing for the same share of the quantity that the prior opens (midpoints).
    pub(super) fn sizes_by_quantity(&self, count: u32) -> Vec<f64> {
        let power = 1.0 - self.alpha;
        let (from, to) = (libm::pow(self.min, power), libm::pow(self.max, power));
        let at = |i: u32| from - (f64::from(i) + 0.5) / f64::from(count) * (from - to);
        (0..count).map(|i| libm::pow(at(i), 1.0 / power)).collect()
    }
}
