//! An oracle feed: what the stack gets to see of the price, and when.

use std::collections::VecDeque;

/// How a feed publishes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FeedRule {
    /// Prices arrive this much later than they were true.
    pub latency_ms: u64,
    /// Publishes only when the price moved by this ratio since the last publication; `None` publishes every observation.
    pub deviation: Option<f64>,
    /// Publishes at least this often, where there is a deviation rule.
    pub heartbeat_ms: u64,
    /// Publishes nothing in this span of time.
    pub outage: Option<(u64, u64)>,
}

impl Default for FeedRule {
    fn default() -> Self {
        Self { latency_ms: 0, deviation: None, heartbeat_ms: 3_600_000, outage: None }
    }
}

/// A feed over observed prices.
#[derive(Clone, Debug)]
pub struct Feed {
    rule: FeedRule,
    seen: VecDeque<(u64, i64)>,
    published: Option<(u64, i64)>,
}

impl Feed {
    /// A feed that has seen nothing.
    #[must_use]
    pub fn new(rule: FeedRule) -> Self {
        Self { rule, seen: VecDeque::new(), published: None }
    }

    /// Observes a price in ticks, then answers what is published now, if anything is: when it was true, and the price.
    pub fn observe(&mut self, now_ms: u64, price: i64) -> Option<(u64, i64)> {
        self.seen.push_back((now_ms, price));
        if self.rule.outage.is_some_and(|(from, to)| (from..to).contains(&now_ms)) {
            return None;
        }
        let visible = now_ms.checked_sub(self.rule.latency_ms)?;
        let mut latest = None;
        while let Some(&(t, p)) = self.seen.front() {
            if t > visible {
                break;
            }
            latest = Some((t, p));
            self.seen.pop_front();
        }
        let latest = latest?;
        let due = match (self.rule.deviation, self.published) {
            (Some(bound), Some((t, p))) => {
                let moved = (latest.1 - p).abs() as f64 / p as f64;
                moved >= bound || latest.0.saturating_sub(t) >= self.rule.heartbeat_ms
            }
            _ => true,
        };
        if due {
            self.published = Some(latest);
        }
        due.then_some(latest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(rule: FeedRule, observed: &[(u64, i64)], want: &[Option<(u64, i64)>]) {
        let mut feed = Feed::new(rule);
        let got: Vec<_> = observed.iter().map(|&(t, p)| feed.observe(t, p)).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn rules() {
        let seen = [(0, 1000), (60, 1001), (120, 1006), (180, 1007), (240, 1007)];
        check(FeedRule::default(), &seen, &seen.map(Some));
        check(
            FeedRule { latency_ms: 60, ..FeedRule::default() },
            &seen,
            &[None, Some(seen[0]), Some(seen[1]), Some(seen[2]), Some(seen[3])],
        );
        check(
            FeedRule { deviation: Some(0.005), heartbeat_ms: 120, ..FeedRule::default() },
            &seen,
            &[Some(seen[0]), None, Some(seen[2]), None, Some(seen[4])],
        );
        check(
            FeedRule { outage: Some((60, 180)), ..FeedRule::default() },
            &seen,
            &[Some(seen[0]), None, None, Some(seen[3]), Some(seen[4])],
        );
    }
}
