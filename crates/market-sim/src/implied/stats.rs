//! The few statistics that the reports need, in a fixed order of summation.

/// Mean, standard deviation (of the population) and extremes of a series.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub sd: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
}

impl Spread {
    /// Of a series; all zero when it is empty.
    #[must_use]
    pub fn of(values: &[f64]) -> Self {
        let Some(&first) = values.first() else { return Self::default() };
        let mean = mean(values);
        let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / values.len() as f64;
        let min = values.iter().fold(first, |a, &b| a.min(b));
        let max = values.iter().fold(first, |a, &b| a.max(b));
        Self { mean, sd: variance.sqrt(), min, max }
    }
}

/// Pearson correlation of two series of one length; 0 where either is constant.
#[must_use]
pub fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    let scale = (aa * bb).sqrt();
    if scale > 0.0 { ab / scale } else { 0.0 }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// The shifts of a placebo: `count` circular shifts spread evenly over `length`, none of them 0 when the length allows.
pub(super) fn shifts(length: usize, count: usize) -> impl Iterator<Item = usize> {
    (1..=count).map(move |i| i * length / (count + 1))
}
