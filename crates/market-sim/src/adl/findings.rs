//! What is wrong with the published figures: each with the numbers that show it.

use super::descent::{best_step, descend};
use super::metrics::{SeverityBound, severity_bound};
use super::night::{Night, Published};

/// The deficits of a night with a stock that repeats counted in its first wave only.
#[derive(Clone, Debug, PartialEq)]
pub struct CountedOnce {
    /// The largest loss that stands in more than one wave, USD.
    pub repeated: f64,
    /// In how many waves.
    pub waves: usize,
    /// Sum of deficits with it counted once.
    pub deficit: f64,
    /// The bound on severity regret from those deficits.
    pub bound: SeverityBound,
}

impl Night {
    /// Counts a largest loss that stands in several waves, to the last digit, in the first of them only: the deficit is a stock, and
    /// its sum over waves takes it for a flow. `None` where nothing repeats.
    #[must_use]
    pub fn counted_once(&self) -> Option<CountedOnce> {
        let times = |loss: f64| self.waves.iter().filter(|w| w.largest_loss == loss).count();
        let most = self.waves.iter().max_by(|a, b| {
            times(a.largest_loss).cmp(&times(b.largest_loss)).then(a.largest_loss.total_cmp(&b.largest_loss))
        })?;
        let (repeated, waves) = (most.largest_loss, times(most.largest_loss));
        if waves < 2 {
            return None;
        }
        let mut seen = false;
        let once: Vec<(f64, f64)> = self
            .waves
            .iter()
            .map(|w| {
                let again = w.largest_loss == repeated && std::mem::replace(&mut seen, true);
                (w.deficit - if again { repeated } else { 0.0 }, w.needed)
            })
            .collect();
        Some(CountedOnce {
            repeated,
            waves,
            deficit: once.iter().map(|x| x.0).sum(),
            bound: severity_bound(&once),
        })
    }

    /// Findings in the order in which they matter, as question and answer.
    #[must_use]
    pub fn findings(&self) -> Vec<Finding> {
        let mut out = Vec::new();
        let bound = self.bound().regret;
        let production = self.objective(Published::Production).total();
        if let Some(once) = self.counted_once() {
            out.push(Finding {
                claim: "The deficit of the night is 100.06 million",
                found: format!(
                    "{} of {} waves contain one account's {} again: a stock, summed as a flow. Counted once the deficit is {}.",
                    once.waves,
                    self.waves.len(),
                    usd(once.repeated),
                    usd(once.deficit),
                ),
            });
            out.push(Finding {
                claim: "Production stays at half of the upper bound",
                found: format!(
                    "The bound is built on that sum. With the account counted once it is {} instead of {}, and production's {} is \
                     {:.0} % of it. (It bounds the regret of severity alone, and of a method that production does not use, so this \
                     contradicts no theorem; the 50 % says nothing either way.)",
                    usd(once.bound.regret),
                    usd(bound),
                    usd(production),
                    production / once.bound.regret * 100.0,
                ),
            });
        }
        let waves: Vec<(f64, f64)> = self.waves.iter().map(|w| (w.deficit, w.needed)).collect();
        if let Some(step) = best_step(&waves) {
            let learned = descend(&waves, step, 1.0);
            let all: f64 = waves.iter().map(|(d, b)| (d - b).max(0.0)).sum();
            out.push(Finding {
                claim: "A controller that learns its severity from wave to wave would have kept within the bound",
                found: format!(
                    "Gradient descent with the step that is best in hindsight, beginning with all of the deficit, is {} away from what \
                     was needed, {:.0} % of the bound. Taking the whole deficit every time is {} away.",
                    usd(learned.loss),
                    learned.loss / bound * 100.0,
                    usd(all),
                ),
            });
        }
        let net = self.net_overshoot(0);
        out.push(Finding {
            claim: "Overshoot is what was taken beyond need, 45.0 million",
            found: format!(
                "Defined as a positive part, it is {} over the waves that took too much; {} was needed and not taken in others. The \
                 published figure is the difference, {}.",
                usd(self.positive_overshoot(0)),
                usd(self.positive_overshoot(0) - net),
                usd(net),
            ),
        });
        let contracts = self.objective(Published::Contracts).tracking;
        out.push(Finding {
            claim: "Whole contracts fall short by about 1.5 million",
            found: format!("The table says {}, twice as much; the first wave agrees.", usd(contracts)),
        });
        let program = self.net(Published::Program);
        out.push(Finding {
            claim: "The integer program overshoots by 50,000 in all",
            found: format!("The table says {}.", usd(program)),
        });
        let gains = self.objective(Published::GainProRata).total();
        let positions = self.objective(Published::ProRata).total();
        out.push(Finding {
            claim: "Continuous pro-rata is the reference that whole contracts and vectors are compared with",
            found: format!(
                "The same table holds pro-rata over gains, which no text reports: its objective is {} against {} for positions.",
                usd(gains),
                usd(positions),
            ),
        });
        out
    }
}

/// A published claim, and what the published data says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The claim.
    pub claim: &'static str,
    /// What was found.
    pub found: String,
}

/// USD with two decimals, digits in groups of three.
fn usd(x: f64) -> String {
    let text = format!("{:.2}", x.abs());
    let (whole, cents) = text.split_once('.').unwrap_or((&text, "00"));
    let mut out = String::from(if x < 0.0 { "-" } else { "" });
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    format!("{out}.{cents} USD")
}
