//! Depth and impact: how far forced flow moves a price, how the market recovers, and how much of its liquidity leaves.
//!
//! All functions use the `libm` crate, never the platform's own mathematics, so that a seed gives the same run everywhere.

/// How net flow moves a price: a relative deviation from where it would be.
///
/// # Contract
///
/// Zero flow deviates by exactly zero; more selling never raises the price; the answer depends on its arguments alone.
pub trait Impact: core::fmt::Debug + Send + Sync {
    /// Relative deviation for a net flow (USD sold by force less USD bought) at a depth (USD per 1 %). Selling is positive and
    /// lowers the price.
    fn deviation(&self, flow_usd: f64, depth_usd: f64) -> f64;
}

/// Deviation = -1 % x flow / depth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Linear;

impl Impact for Linear {
    fn deviation(&self, flow_usd: f64, depth_usd: f64) -> f64 {
        if flow_usd == 0.0 { 0.0 } else { -0.01 * (flow_usd / depth_usd) }
    }
}

/// Deviation = -1 % x sign(flow) x sqrt(|flow| / depth): the square-root law of market impact (Tóth et al. 2011).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SquareRoot;

impl Impact for SquareRoot {
    fn deviation(&self, flow_usd: f64, depth_usd: f64) -> f64 {
        let size = 0.01 * libm::sqrt(flow_usd.abs() / depth_usd);
        if flow_usd > 0.0 { -size } else { size }
    }
}

/// An order book as rungs: so many multiples of the depth rest within each distance. Flow eats rung after rung; beyond the
/// last one the last rung's slope goes on.
#[derive(Clone, Debug, PartialEq)]
pub struct Ladder {
    rungs: Vec<(f64, f64)>,
}

impl Ladder {
    /// Rungs as (distance from mid as a ratio, cumulative size as a multiple of the depth), both rising from above zero.
    /// `None` when they do not.
    #[must_use]
    pub fn new(rungs: Vec<(f64, f64)>) -> Option<Self> {
        let rising = rungs.windows(2).all(|w| w[0].0 < w[1].0 && w[0].1 < w[1].1);
        let positive = rungs.first().is_some_and(|r| r.0 > 0.0 && r.1 > 0.0);
        (rising && positive).then_some(Self { rungs })
    }
}

impl Default for Ladder {
    /// Thin near the mid, the stated depth at 1 %, thinner again beyond 3 %.
    fn default() -> Self {
        Self { rungs: vec![(0.001, 0.05), (0.0025, 0.2), (0.01, 1.0), (0.03, 2.5), (0.10, 5.0)] }
    }
}

impl Impact for Ladder {
    fn deviation(&self, flow_usd: f64, depth_usd: f64) -> f64 {
        let eaten = flow_usd.abs() / depth_usd;
        let (mut near, mut done) = (0.0, 0.0);
        let mut distance = 0.0;
        for (i, &(far, size)) in self.rungs.iter().enumerate() {
            let last = i + 1 == self.rungs.len();
            if eaten <= size || last {
                distance = near + (far - near) * (eaten - done) / (size - done);
                break;
            }
            (near, done) = (far, size);
        }
        if flow_usd > 0.0 { -distance } else { distance }
    }
}

/// An exponentially decaying sum: what flowed, halved every half-life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decaying {
    half_life_ms: f64,
    value: f64,
    at_ms: u64,
}

impl Decaying {
    /// Zero now.
    #[must_use]
    pub fn new(half_life_ms: u64) -> Self {
        Self { half_life_ms: half_life_ms as f64, value: 0.0, at_ms: 0 }
    }

    /// Lets time pass.
    pub fn decay_to(&mut self, time_ms: u64) {
        let elapsed = time_ms.saturating_sub(self.at_ms) as f64;
        if elapsed > 0.0 {
            self.value *= libm::exp2(-elapsed / self.half_life_ms);
            self.at_ms = time_ms;
        }
    }

    /// Adds a flow now.
    pub fn add(&mut self, flow: f64) {
        self.value += flow;
    }

    /// What is left of all that flowed.
    #[must_use]
    pub const fn value(&self) -> f64 {
        self.value
    }
}

/// Liquidity providers that leave: the share of depth that stays is (1 + recent / scale)^-exponent, where `recent` is what was
/// liquidated lately.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Exit {
    /// Liquidated USD at which the share is 2^-exponent.
    pub scale_usd: f64,
    /// Strength; zero for none.
    pub exponent: f64,
}

impl Exit {
    /// The share of depth that stays.
    #[must_use]
    pub fn share(&self, recent_usd: f64) -> f64 {
        if self.exponent == 0.0 { 1.0 } else { libm::pow(1.0 + recent_usd / self.scale_usd, -self.exponent) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn all() -> [Box<dyn Impact>; 3] {
        [Box::new(Linear), Box::new(SquareRoot), Box::new(Ladder::default())]
    }

    #[test]
    fn one_depth_of_selling_costs_one_percent() {
        for impact in all() {
            assert!((impact.deviation(75e6, 75e6) + 0.01).abs() < 1e-12, "{impact:?}");
            assert_eq!(impact.deviation(0.0, 75e6), 0.0);
        }
        assert!(Ladder::new(vec![(0.01, 1.0), (0.005, 2.0)]).is_none());
    }

    proptest! {
        #[test]
        fn more_selling_never_raises_the_price(a in -1e9_f64..1e9, more in 0.0_f64..1e9, depth in 1e5_f64..1e9) {
            for impact in all() {
                let (x, y) = (impact.deviation(a, depth), impact.deviation(a + more, depth));
                prop_assert!(y <= x + 1e-12, "{impact:?} {x} {y}");
                prop_assert!((impact.deviation(-a, depth) + x).abs() < 1e-9, "odd in the flow");
            }
        }

        #[test]
        fn decay_halves(value in -1e9_f64..1e9, lives in 1_u64..20) {
            let mut d = Decaying::new(1_800_000);
            d.add(value);
            d.decay_to(1_800_000 * lives);
            let want = value / 2_f64.powi(i32::try_from(lives).unwrap());
            prop_assert!((d.value() - want).abs() <= want.abs() * 1e-12);
        }

        #[test]
        fn exits_only_thin(recent in 0.0_f64..1e10, more in 0.0_f64..1e10, exponent in 0.0_f64..2.0) {
            let exit = Exit { scale_usd: 1e6, exponent };
            prop_assert!(exit.share(recent + more) <= exit.share(recent) && exit.share(recent) <= 1.0);
        }
    }
}
