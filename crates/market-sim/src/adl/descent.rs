//! A severity that learns: online gradient descent over waves, by what each turned out to need.

/// What a controller chose, wave by wave, and what that cost.
#[derive(Clone, Debug, PartialEq)]
pub struct Descent {
    /// Severity of each wave, between 0 and 1.
    pub severity: Vec<f64>,
    /// Sum of D |theta - theta*|, USD: the regret against knowing what was needed, theta* = min(1, B / D).
    pub loss: f64,
}

/// Online gradient descent on the loss D |theta - theta*| over waves (D, B), from `first` with a constant step: after each wave theta moves by
/// step x D towards theta*, and stays within 0 and 1. Mirror descent on \[0, 1\] with the Euclidean mirror is the same.
///
/// The loss is at most (1 + 2 P) / (2 step) + step / 2 x sum D^2, with P the path of theta* (see [`super::metrics::severity_bound`]); the best
/// step in hindsight is sqrt((1 + 2 P) / sum D^2). Source: T. Chitra et al., Autodeleveraging as Online Learning, arXiv:2602.15182.
///
/// A controller of this kind has to be told afterwards what a wave needed, which a policy inside a stack is not.
///
/// ```
/// use cofferdam_market_sim::adl::descend;
/// // too little in the first wave, as much as needed in the second
/// let found = descend(&[(2.0, 1.0), (2.0, 1.0)], 0.25, 0.0);
/// assert_eq!(found.severity, [0.0, 0.5]);
/// assert_eq!(found.loss, 1.0);
/// ```
#[must_use]
pub fn descend(waves: &[(f64, f64)], step: f64, first: f64) -> Descent {
    let mut theta = first.clamp(0.0, 1.0);
    let mut out = Descent { severity: Vec::with_capacity(waves.len()), loss: 0.0 };
    for (deficit, needed) in waves {
        out.severity.push(theta);
        let target = if *deficit > 0.0 { (needed / deficit).clamp(0.0, 1.0) } else { 0.0 };
        let off = theta - target;
        out.loss += deficit * off.abs();
        let slope = if off == 0.0 { 0.0 } else { deficit * off.signum() };
        theta = (theta - step * slope).clamp(0.0, 1.0);
    }
    out
}

/// The step that is best in hindsight: sqrt((1 + 2 P) / sum D^2). `None` without a deficit.
#[must_use]
pub fn best_step(waves: &[(f64, f64)]) -> Option<f64> {
    let squares: f64 = waves.iter().map(|(d, _)| d * d).sum();
    let path = super::metrics::severity_bound(waves).path;
    (squares > 0.0).then(|| ((1.0 + 2.0 * path) / squares).sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::metrics::severity_bound;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_loss_stays_within_the_published_bound(
            waves in prop::collection::vec((0.0..1e8_f64, 0.0..1e8_f64), 0..40), first in 0.0..1.0_f64, around in 0.05..20.0_f64,
        ) {
            let Some(best) = best_step(&waves) else { return Ok(()) };
            let (bound, squares) = (severity_bound(&waves), waves.iter().map(|(d, _)| d * d).sum::<f64>());
            let at_best = descend(&waves, best, first).loss;
            prop_assert!(at_best <= bound.regret * (1.0 + 1e-9), "{at_best} above {}", bound.regret);
            let step = best * around;
            let limit = (1.0 + 2.0 * bound.path) / (2.0 * step) + step / 2.0 * squares;
            let loss = descend(&waves, step, first).loss;
            prop_assert!(loss <= limit * (1.0 + 1e-9), "{loss} above {limit}");
        }
    }

    #[test]
    fn a_severity_that_does_not_move_can_lose_more_than_one_that_learns() {
        let waves = vec![(1.0, 1.0); 100];
        let learns = descend(&waves, best_step(&waves).unwrap(), 0.0).loss;
        assert!(learns < descend(&waves, 0.0, 0.0).loss, "{learns}");
        assert_eq!(best_step(&[(0.0, 3.0)]), None);
    }
}
