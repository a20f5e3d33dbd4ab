//! What is good and bad about an allocation: each measure once, in words, as a formula and in code.
//!
//! Notation: deficit D, needed B, what was taken from all H = sum x_i, gain w_i, equity e_i, what was taken x_i. All in one currency.
//! Names and formulas: T. Chitra, arXiv:2512.01112 and T. Chitra et al., arXiv:2602.15182, as cited at each.

/// A winner, and what was taken from it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Winner {
    /// Gain before, above zero.
    pub gain: f64,
    /// Equity before.
    pub equity: f64,
    /// What was taken.
    pub taken: f64,
}

/// What somebody could know about one round of loss allocation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Round {
    /// Negative equity of all whose positions were closed, as a number above zero.
    pub deficit: f64,
    /// The largest single one.
    pub largest_loss: f64,
    /// What had to be taken.
    pub needed: f64,
    /// Who gained.
    pub winners: Vec<Winner>,
}

/// All measures of a [`Round`]. A quotient with nothing to divide by is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Metrics {
    /// H, what was taken from all.
    pub taken: f64,
    /// (H - B)+: taken without need.
    pub overshoot: f64,
    /// H - B, whatever its sign; sums of it hide undershoot.
    pub net_overshoot: f64,
    /// (B - H)+: needed and not taken.
    pub undershoot: f64,
    /// (D - H)+: deficit that stays.
    pub residual: f64,
    /// How many pay.
    pub payers: u64,
    /// max w_i - x_i, the largest gain that is kept.
    pub largest_kept: f64,
    /// Profit to solvency ratio: the largest gain that is kept over what was taken (arXiv:2512.01112: over theta D, which is H).
    pub ptsr: Option<f64>,
    /// The same over the deficit that stays, D - H: the form of the published code.
    pub ptsr_left: Option<f64>,
    /// Profit to maximum loss ratio: the largest gain that is kept over (H / D) x the largest loss.
    pub pmr: Option<f64>,
    /// Largest kept / (largest kept + D - H), the form of the published code ("RD-NSE"); between 0 and 1 while H <= D.
    pub rd_nse: Option<f64>,
    /// max x_i / w_i, the largest share of a gain.
    pub largest_haircut: f64,
    /// max x_i / e_i, the largest share of an equity.
    pub largest_share_of_equity: f64,
    /// Pairs of which the one who had gained more ends below the other, as a share of all pairs with unequal gains.
    pub inversions: Option<f64>,
    /// Spearman's rank correlation of gains before and after; 1 where nobody overtook anybody.
    pub rank_stability: Option<f64>,
    /// Gini coefficient of what was taken over all winners: 0 all the same, near 1 a single payer.
    pub gini: Option<f64>,
}

impl Round {
    /// All measures.
    ///
    /// ```
    /// use cofferdam_market_sim::adl::metrics::{Round, Winner};
    /// let winner = |gain, taken| Winner { gain, equity: gain, taken };
    /// let round = Round { deficit: 15.0, largest_loss: 12.0, needed: 7.0, winners: vec![winner(8.0, 3.5), winner(4.0, 4.0)] };
    /// let m = round.metrics();
    /// assert_eq!((m.taken, m.overshoot, m.residual, m.largest_kept), (7.5, 0.5, 7.5, 4.5));
    /// assert_eq!((m.largest_haircut, m.inversions), (1.0, Some(0.0)));
    /// ```
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let w = &self.winners;
        let taken: f64 = w.iter().map(|x| x.taken).sum();
        let largest = |of: fn(&Winner) -> f64| w.iter().map(of).fold(0.0, f64::max);
        let largest_kept = largest(|x| x.gain - x.taken);
        let left = self.deficit - taken;
        Metrics {
            taken,
            overshoot: (taken - self.needed).max(0.0),
            net_overshoot: taken - self.needed,
            undershoot: (self.needed - taken).max(0.0),
            residual: left.max(0.0),
            payers: w.iter().filter(|x| x.taken > 0.0).count() as u64,
            largest_kept,
            ptsr: over(largest_kept, taken),
            ptsr_left: over(largest_kept, left),
            pmr: over(taken, self.deficit).and_then(|theta| over(largest_kept, theta * self.largest_loss)),
            rd_nse: over(largest_kept, largest_kept + left),
            largest_haircut: largest(|x| over(x.taken, x.gain).unwrap_or(0.0)),
            largest_share_of_equity: largest(|x| over(x.taken, x.equity).unwrap_or(0.0)),
            inversions: inversions(w),
            rank_stability: rank_stability(w),
            gini: gini(w.iter().map(|x| x.taken).collect()),
        }
    }
}

fn over(a: f64, b: f64) -> Option<f64> {
    (b > 0.0).then_some(a / b)
}

/// Kept gains in the order of gains; among equal gains in the order in which no pair of them counts.
fn kept_by_gain(winners: &[Winner]) -> Vec<(f64, f64)> {
    let mut sorted: Vec<(f64, f64)> = winners.iter().map(|x| (x.gain, x.gain - x.taken)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    sorted
}

fn inversions(winners: &[Winner]) -> Option<f64> {
    let sorted = kept_by_gain(winners);
    let pairs = |n: usize| n as f64 * (n as f64 - 1.0) / 2.0;
    let tied: f64 = sorted.chunk_by(|a, b| a.0 == b.0).map(|c| pairs(c.len())).sum();
    let mut kept: Vec<f64> = sorted.iter().map(|x| x.1).collect();
    let n = kept.len();
    over(count_inversions(&mut kept) as f64, pairs(n) - tied)
}

/// Pairs i < j with x_i > x_j, by merging; the slice ends sorted.
fn count_inversions(x: &mut [f64]) -> u64 {
    if x.len() < 2 {
        return 0;
    }
    let middle = x.len() / 2;
    let (left, right) = x.split_at_mut(middle);
    let mut count = count_inversions(left) + count_inversions(right);
    let mut merged = Vec::with_capacity(x.len());
    let (mut i, mut j) = (0, middle);
    while i < middle && j < x.len() {
        if x[i] <= x[j] {
            merged.push(x[i]);
            i += 1;
        } else {
            count += (middle - i) as u64;
            merged.push(x[j]);
            j += 1;
        }
    }
    merged.extend_from_slice(&x[i..middle]);
    merged.extend_from_slice(&x[j..]);
    x.copy_from_slice(&merged);
    count
}

/// Ranks from 1, ties share the middle of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut out = vec![0.0; values.len()];
    let mut start = 0;
    for tie in order.chunk_by(|a, b| values[*a] == values[*b]) {
        let rank = start as f64 + (tie.len() as f64 + 1.0) / 2.0;
        tie.iter().for_each(|i| out[*i] = rank);
        start += tie.len();
    }
    out
}

fn rank_stability(winners: &[Winner]) -> Option<f64> {
    let before: Vec<f64> = winners.iter().map(|x| x.gain).collect();
    let after: Vec<f64> = winners.iter().map(|x| x.gain - x.taken).collect();
    let (a, b) = (ranks(&before), ranks(&after));
    let mean = (winners.len() as f64 + 1.0) / 2.0;
    let cross = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum::<f64>();
    let size = (cross(&a, &a) * cross(&b, &b)).sqrt();
    over(cross(&a, &b), size)
}

/// Gini coefficient of amounts that are not negative; `None` where all are zero.
#[must_use]
pub fn gini(mut amounts: Vec<f64>) -> Option<f64> {
    amounts.sort_by(f64::total_cmp);
    let (n, sum) = (amounts.len() as f64, amounts.iter().sum::<f64>());
    let weighted: f64 = amounts.iter().zip(1..).map(|(x, i)| x * f64::from(i)).sum();
    over(2.0 * weighted, n * sum).map(|g| g - (n + 1.0) / n)
}

/// Hill's estimate of the tail index alpha from the k largest values: k / sum ln(x_i / x_(k+1)). The smaller, the heavier: below 1 the
/// mean is infinite, and the largest winner keeps a share of everything however many there are (arXiv:2512.01112: the largest of n
/// kept gains grows as n^(1/alpha), the moral hazard exponent). `None` with fewer than k + 1 values above zero, or k = 0.
///
/// ```
/// use cofferdam_market_sim::adl::metrics::tail_index;
/// // the quantiles of a Pareto distribution with index 2
/// let values: Vec<f64> = (1..10_000).map(|i| (f64::from(i) / 10_000.0).powf(-0.5)).collect();
/// let alpha = tail_index(&values, 1_000).unwrap();
/// assert!((alpha - 2.0).abs() < 0.01, "{alpha}");
/// ```
#[must_use]
pub fn tail_index(values: &[f64], k: usize) -> Option<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|x| *x > 0.0).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    let from = *sorted.get(k)?;
    over(k as f64, sorted[..k].iter().map(|x| libm::log(x / from)).sum())
}

/// What a severity controller could have known, wave by wave: the deficit D_t and the severity that was needed,
/// theta*_t = min(1, B_t / D_t).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SeverityBound {
    /// P = sum |theta*_t - theta*_(t-1)|: how much the target moved.
    pub path: f64,
    /// sqrt((1 + 2 P) sum D_t^2): the regret that online gradient descent with the best step does not exceed (arXiv:2602.15182).
    pub regret: f64,
}

/// From the deficit and the needed amount of each wave. A wave without deficit needs no severity.
#[must_use]
pub fn severity_bound(waves: &[(f64, f64)]) -> SeverityBound {
    let theta: Vec<f64> = waves.iter().map(|(d, b)| over(*b, *d).map_or(0.0, |x| x.min(1.0))).collect();
    let path = theta.windows(2).map(|w| (w[1] - w[0]).abs()).sum::<f64>();
    let squares: f64 = waves.iter().map(|(d, _)| d * d).sum();
    SeverityBound { path, regret: ((1.0 + 2.0 * path) * squares).sqrt() }
}

/// The empirical objective of arXiv:2602.15182, equation 23, with lambda = 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Objective {
    /// sum |H_t - B_t|.
    pub tracking: f64,
    /// sum B_t |m_t - m*_t|, m the largest share of any winner's equity, m* that of the min-max program.
    pub fairness: f64,
}

impl Objective {
    /// Both.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.tracking + self.fairness
    }

    /// Adds one wave.
    #[must_use]
    pub fn plus(self, needed: f64, taken: f64, share: f64, best_share: f64) -> Self {
        Self {
            tracking: self.tracking + (taken - needed).abs(),
            fairness: self.fairness + needed * (share - best_share).abs(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(winners: &[(f64, f64)], inverted: Option<f64>, stable: Option<f64>, concentrated: Option<f64>) {
        let winners =
            winners.iter().map(|&(gain, taken)| Winner { gain, equity: 2.0 * gain, taken }).collect();
        let m = Round { deficit: 10.0, largest_loss: 5.0, needed: 4.0, winners }.metrics();
        let near = |a: Option<f64>, b: Option<f64>| match (a, b) {
            (Some(a), Some(b)) => (a - b).abs() < 1e-12,
            (a, b) => a == b,
        };
        assert!(
            near(m.inversions, inverted) && near(m.rank_stability, stable) && near(m.gini, concentrated),
            "{m:?}"
        );
    }

    #[test]
    fn order_and_concentration() {
        check(&[], None, None, None);
        check(&[(5.0, 0.0)], None, None, None);
        check(&[(5.0, 1.0), (5.0, 1.0)], None, None, Some(0.0));
        // nobody overtakes; two of four pay the same
        check(&[(1.0, 0.0), (2.0, 0.0), (4.0, 1.0), (8.0, 1.0)], Some(0.0), Some(1.0), Some(0.5));
        // the largest pays all and ends last: three of six pairs
        check(&[(1.0, 0.0), (2.0, 0.0), (4.0, 0.0), (8.0, 8.0)], Some(0.5), Some(-0.2), Some(0.75));
        // equal gains: which of them pays is no inversion
        check(&[(3.0, 1.0), (3.0, 0.0), (9.0, 0.0)], Some(0.0), Some(0.75_f64.sqrt()), Some(2.0 / 3.0));
    }

    #[test]
    fn counting_by_merging_is_counting() {
        let mut stream = crate::implied::Stream::new(7, 0, 0, crate::implied::Side::Long);
        for n in [0_usize, 1, 2, 3, 10, 101] {
            let values: Vec<f64> = (0..n).map(|_| (stream.uniform() * 20.0).floor()).collect();
            let slow = (0..n)
                .flat_map(|i| (i..n).map(move |j| (i, j)))
                .filter(|&(i, j)| values[i] > values[j])
                .count();
            let mut sorted = values.clone();
            assert_eq!(count_inversions(&mut sorted), slow as u64, "{values:?}");
            assert!(sorted.is_sorted());
        }
    }

    #[test]
    fn ratios_with_nothing_below_are_none() {
        let m = Round::default().metrics();
        assert_eq!((m.ptsr, m.ptsr_left, m.pmr, m.rd_nse), (None, None, None, None));
        assert_eq!(tail_index(&[1.0, 2.0], 2), None);
        assert_eq!(tail_index(&[2.0, 2.0, 2.0], 1), None, "no spread, no estimate");
        assert_eq!(severity_bound(&[(0.0, 5.0)]), SeverityBound { path: 0.0, regret: 0.0 });
    }
}
