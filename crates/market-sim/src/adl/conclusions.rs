//! What one would conclude from a comparison, and whether it survives winners that the table does not contain.
//!
//! A conclusion is a comparison of numbers, asked again of every book: nothing here knows the answer.

use super::compare::{Comparison, Form, Outcome};
use super::lab::Experiment;

/// Something to conclude from one comparison.
struct Test {
    claim: &'static str,
    /// `None` where the numbers are not there.
    holds: fn(&Comparison) -> Option<bool>,
}

/// A conclusion, and in how many books it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// What one would conclude.
    pub claim: &'static str,
    /// Unreached winners as a multiple of the reached; in how many books it holds; of how many.
    pub held: Vec<(u32, usize, usize)>,
}

/// What became of a conclusion when unreached winners were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It holds in every book.
    Survives,
    /// It holds in every book of reached winners alone, and not in every other.
    Falls,
    /// It does not hold in every book of reached winners alone, and does in all with the most unreached.
    Appears,
    /// Anything else.
    Depends,
    /// It holds in no book.
    Never,
}

impl Conclusion {
    /// Its fate.
    #[must_use]
    pub fn fate(&self) -> Fate {
        let all = |x: Option<&(u32, usize, usize)>| x.is_some_and(|(_, held, of)| held == of);
        let (first, last) = (all(self.held.first()), all(self.held.last()));
        match () {
            () if self.held.iter().all(|x| x.1 == x.2) => Fate::Survives,
            () if self.held.iter().all(|x| x.1 == 0) => Fate::Never,
            () if first => Fate::Falls,
            () if last => Fate::Appears,
            () => Fate::Depends,
        }
    }
}

impl Comparison {
    fn of(&self, form: Form, policy: &str) -> Option<&Outcome> {
        self.outcomes.iter().find(|o| o.form == form && o.policy == policy)
    }

    fn both(&self, form: Form, a: &str, b: &str, holds: fn(&Outcome, &Outcome) -> bool) -> Option<bool> {
        Some(holds(self.of(form, a)?, self.of(form, b)?))
    }

    /// Whether no policy that takes as much leaves less of a next deficit.
    fn none_leaves_less(&self, form: Form, policy: &str) -> Option<bool> {
        let own = self.of(form, policy)?;
        let others = self.outcomes.iter().filter(|o| o.form == form);
        let mut rivals = others.filter(|o| o.metrics.taken >= own.metrics.taken * (1.0 - 1e-6));
        Some(!rivals.any(|o| more(own.next_deficit, o.next_deficit)))
    }
}

/// One part in a million apart: rounding to atoms and lots is not a difference.
fn more(a: f64, b: f64) -> bool {
    a > b + 1e-6 * b.abs().max(1e-6)
}

fn more_gini(a: &Outcome, b: &Outcome) -> bool {
    more(a.metrics.gini.unwrap_or(0.0), b.metrics.gini.unwrap_or(0.0))
}

use Form::{CloseOut, Deficit};

const TESTS: [Test; 16] = [
    Test {
        claim: "Deficit: the queue takes the whole gain of somebody",
        holds: |c| c.of(Deficit, "queue").map(|o| o.metrics.largest_haircut > 0.999_999),
    },
    Test {
        claim: "Deficit: pro-rata takes less than a twentieth of anybody's gain",
        holds: |c| c.of(Deficit, "pro-rata").map(|o| o.metrics.largest_haircut < 0.05),
    },
    Test {
        claim: "Deficit: a cap of 1 % of each gain leaves a part of the need",
        holds: |c| {
            let capped = c.of(Deficit, "capped-pro-rata, part 0.01")?;
            Some(capped.metrics.undershoot > 1e-3 * (capped.metrics.taken + capped.metrics.undershoot))
        },
    },
    Test {
        claim: "Deficit: the queue concentrates more (Gini) than pro-rata",
        holds: |c| c.both(Deficit, "queue", "pro-rata", more_gini),
    },
    Test {
        claim: "Deficit: the one in a hundred who gained most pays more than half under pro-rata",
        holds: |c| c.of(Deficit, "pro-rata").map(|o| o.by_largest > 0.5),
    },
    Test {
        claim: "Deficit: and less than that under the queue",
        holds: |c| c.both(Deficit, "pro-rata", "queue", |p, q| more(p.by_largest, q.by_largest)),
    },
    Test {
        claim: "Deficit: the queue leaves a smaller next deficit than pro-rata",
        holds: |c| c.both(Deficit, "pro-rata", "queue", |p, q| more(p.next_deficit, q.next_deficit)),
    },
    Test {
        claim: "Deficit: risk-aware (linear) leaves a smaller next deficit than pro-rata",
        holds: |c| {
            c.both(Deficit, "pro-rata", "risk-aware, linear", |p, r| more(p.next_deficit, r.next_deficit))
        },
    },
    Test {
        claim: "Deficit: no policy that takes as much leaves a smaller next deficit than pro-rata",
        holds: |c| c.none_leaves_less(Deficit, "pro-rata"),
    },
    Test {
        claim: "Deficit: the least largest share of equity leaves a smaller next deficit than pro-rata",
        holds: |c| c.both(Deficit, "pro-rata", "least-share", |p, s| more(p.next_deficit, s.next_deficit)),
    },
    Test {
        claim: "Close-out: the queue closes fewer winners than pro-rata",
        holds: |c| c.both(CloseOut, "queue", "pro-rata", |q, p| q.metrics.payers < p.metrics.payers),
    },
    Test {
        claim: "Close-out: the queue and pro-rata take the same from everybody",
        holds: |c| {
            c.both(CloseOut, "queue", "pro-rata", |q, p| {
                !more_gini(q, p)
                    && !more_gini(p, q)
                    && !more(q.by_largest, p.by_largest)
                    && !more(p.by_largest, q.by_largest)
            })
        },
    },
    Test {
        claim: "Close-out: the queue leaves a smaller next deficit than pro-rata",
        holds: |c| c.both(CloseOut, "pro-rata", "queue", |p, q| more(p.next_deficit, q.next_deficit)),
    },
    Test {
        claim: "Close-out: risk-aware (linear) leaves a smaller next deficit than pro-rata",
        holds: |c| {
            c.both(CloseOut, "pro-rata", "risk-aware, linear", |p, r| more(p.next_deficit, r.next_deficit))
        },
    },
    Test {
        claim: "Close-out: no policy that closes as much leaves a smaller next deficit than level-leverage",
        holds: |c| c.none_leaves_less(CloseOut, "level-leverage"),
    },
    Test {
        claim: "Close-out: whole contracts by largest remainder take what pro-rata takes, to 1 % of anybody's gain",
        holds: |c| {
            c.both(CloseOut, "contract-pro-rata", "pro-rata", |a, b| {
                (a.metrics.largest_haircut - b.metrics.largest_haircut).abs() < 0.01
                    && (a.by_largest - b.by_largest).abs() < 0.01
            })
        },
    },
];

impl Experiment {
    /// Every conclusion, asked of every book.
    #[must_use]
    pub fn conclusions(&self) -> Vec<Conclusion> {
        let ask = |test: &Test| {
            let held = self.cases.iter().map(|case| {
                let answers: Vec<bool> = case.runs.iter().filter_map(test.holds).collect();
                (case.times, answers.iter().filter(|x| **x).count(), answers.len())
            });
            Conclusion { claim: test.claim, held: held.collect() }
        };
        TESTS.iter().map(ask).collect()
    }
}
