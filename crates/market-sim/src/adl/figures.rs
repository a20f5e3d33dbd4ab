//! Published figures, recomputed from published tables.

use super::metrics::{Objective, SeverityBound, severity_bound};
use super::night::{Later, Night, Published};

/// A figure that can be recomputed: its key in a study file, what it is, and how.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// The key in a study file.
    pub key: &'static str,
    /// From what and how.
    pub how: &'static str,
    of: fn(&Night) -> f64,
}

impl Figure {
    /// Recomputes it.
    #[must_use]
    pub fn recompute(&self, night: &Night) -> f64 {
        (self.of)(night)
    }
}

/// All figures that can be recomputed.
pub const FIGURES: [Figure; 27] = [
    figure("queue-overshoot", "sum of overshoot over all clusters", |n| n.shock_sum(|s| s.overshoot)),
    figure("queue-residual", "sum of residuals over all clusters", |n| n.shock_sum(|s| s.residual)),
    figure("deficit", "sum of deficits over all waves", |n| n.wave_sum(|w| w.deficit)),
    figure("needed", "sum of gap x quantity over waves and coins", |n| n.gaps.iter().map(|g| g.needed).sum()),
    figure("production-taken", "sum over waves, seen at once", |n| n.later_sum(0, |l| l.taken)),
    figure("overshoot-0", "sum of taken less needed, whatever its sign, seen at once", |n| {
        n.net_overshoot(0)
    }),
    figure("overshoot-500", "the same 0.5 s later", |n| n.net_overshoot(500)),
    figure("overshoot-1000", "the same 1 s later", |n| n.net_overshoot(1_000)),
    figure("overshoot-2000", "the same 2 s later", |n| n.net_overshoot(2_000)),
    figure("overshoot-5000", "the same 5 s later", |n| n.net_overshoot(5_000)),
    figure("contracts-undershoot", "sum of needed less taken over waves, whole contracts", |n| {
        -n.net(Published::Contracts)
    }),
    figure("contracts-undershoot-first", "the same in the first wave", |n| {
        -n.first_net(Published::Contracts)
    }),
    figure("program-overshoot", "sum of taken less needed over waves, the integer program", |n| {
        n.net(Published::Program)
    }),
    figure("clusters", "rows of the table of clusters", |n| n.shocks.len() as f64),
    figure("coins", "coins in it", Night::coins),
    figure("clusters-with-deficit", "rows with a deficit", |n| n.shock_sum(|s| f64::from(s.deficit > 0.0))),
    figure("cluster-deficit", "sum of their deficits", |n| n.shock_sum(|s| s.deficit)),
    figure("feasible", "sum of min(deficit, what the queue would take)", |n| {
        n.shock_sum(|s| s.deficit.min(s.budget))
    }),
    figure("path-length", "P, of min(1, needed / deficit) from wave to wave", |n| n.bound().path),
    figure("severity-bound", "sqrt((1 + 2 P) sum of squared deficits)", |n| n.bound().regret),
    figure("production-tracking", "sum |taken - needed|", |n| n.objective(Published::Production).tracking),
    figure("production-fairness", "sum needed x |largest share - the program's|", |n| {
        n.objective(Published::Production).fairness
    }),
    figure("production-objective", "tracking + fairness", |n| n.objective(Published::Production).total()),
    figure("production-share", "the objective over the bound, in %", |n| {
        n.share_of_bound(Published::Production)
    }),
    figure("contracts-share", "the same for whole contracts", |n| n.share_of_bound(Published::Contracts)),
    figure("vector-share", "the same for one projection per coin", |n| n.share_of_bound(Published::Vector)),
    figure("pro-rata-objective", "tracking + fairness of continuous pro-rata", |n| {
        n.objective(Published::ProRata).total()
    }),
];

const fn figure(key: &'static str, how: &'static str, of: fn(&Night) -> f64) -> Figure {
    Figure { key, how, of }
}

impl Night {
    fn shock_sum(&self, of: fn(&super::night::Shock) -> f64) -> f64 {
        self.shocks.iter().map(of).sum()
    }

    fn wave_sum(&self, of: fn(&super::night::Wave) -> f64) -> f64 {
        self.waves.iter().map(of).sum()
    }

    fn coins(&self) -> f64 {
        let coins: std::collections::BTreeSet<&str> = self.shocks.iter().map(|s| s.coin.as_str()).collect();
        coins.len() as f64
    }

    fn at(&self, horizon_ms: u32) -> &[Later] {
        self.later.get(&horizon_ms).map_or(&[], Vec::as_slice)
    }

    fn later_sum(&self, horizon_ms: u32, of: fn(&Later) -> f64) -> f64 {
        self.at(horizon_ms).iter().map(of).sum()
    }

    pub(super) fn net_overshoot(&self, horizon_ms: u32) -> f64 {
        self.later_sum(horizon_ms, |l| l.taken - l.needed)
    }

    /// The same with every wave's excess alone: what the text of the paper defines.
    #[must_use]
    pub fn positive_overshoot(&self, horizon_ms: u32) -> f64 {
        self.later_sum(horizon_ms, |l| (l.taken - l.needed).max(0.0))
    }

    fn nets(&self, policy: Published) -> impl Iterator<Item = f64> {
        self.waves.iter().map(move |w| w.taken.get(&policy).map_or(0.0, |t| t.budget - w.needed))
    }

    pub(super) fn net(&self, policy: Published) -> f64 {
        self.nets(policy).sum()
    }

    fn first_net(&self, policy: Published) -> f64 {
        self.nets(policy).next().unwrap_or(0.0)
    }

    /// The bound on severity regret, from the deficits as published.
    #[must_use]
    pub fn bound(&self) -> SeverityBound {
        severity_bound(&self.waves.iter().map(|w| (w.deficit, w.needed)).collect::<Vec<_>>())
    }

    /// The published empirical objective of a policy.
    #[must_use]
    pub fn objective(&self, policy: Published) -> Objective {
        self.waves.iter().fold(Objective::default(), |sum, w| {
            let of = |p| w.taken.get(&p).copied().unwrap_or_default();
            let (own, best) = (of(policy), of(Published::Program));
            sum.plus(w.needed, own.budget, own.largest_share, best.largest_share)
        })
    }

    fn share_of_bound(&self, policy: Published) -> f64 {
        self.objective(policy).total() / self.bound().regret * 100.0
    }
}
