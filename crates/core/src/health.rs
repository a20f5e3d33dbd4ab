//! Health of a margin group: support against demand, at every level a venue distinguishes.

use crate::Quanta;
use core::cmp::Ordering;

/// A level of health, from the last line of defence to the strictest test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Level {
    /// Below it a backstop takes the whole account over.
    Backstop,
    /// Below it the account may be liquidated.
    Maintenance,
    /// A liquidation that has begun ends here.
    LiquidationEnd,
    /// Needed for a fill of an order that was already accepted.
    Fill,
    /// Needed to open or borrow.
    Initial,
    /// Needed to withdraw.
    Withdraw,
}

impl Level {
    /// All levels in order.
    pub const ALL: [Self; 6] =
        [Self::Backstop, Self::Maintenance, Self::LiquidationEnd, Self::Fill, Self::Initial, Self::Withdraw];
}

/// Support against demand at one level, in quanta of the numeraire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Line {
    /// What the account has to show, rounded down.
    pub support: Quanta,
    /// What is asked of it, rounded up.
    pub demand: Quanta,
}

impl Line {
    /// support - demand; saturates only where the exact difference is beyond every value (2^121).
    #[must_use]
    pub fn slack(&self) -> i128 {
        self.support.get().saturating_sub(self.demand.get())
    }
}

/// Health at the levels that a model distinguishes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Health {
    /// One line per [`Level`], in its order; `None` where the model has no such level.
    pub lines: [Option<Line>; 6],
    /// Equity in quanta of the numeraire: everything the account owns at mid prices less what it owes, without haircut.
    pub equity: Quanta,
}

impl Health {
    /// The line at a level.
    #[must_use]
    pub fn line(&self, level: Level) -> Option<Line> {
        self.lines.get(level as usize).copied().flatten()
    }

    /// Sets the line at a level.
    pub fn set(&mut self, level: Level, line: Line) {
        if let Some(slot) = self.lines.get_mut(level as usize) {
            *slot = Some(line);
        }
    }

    /// Whether support falls short of demand at a level. A level that the model does not have is never fallen short of.
    #[must_use]
    pub fn below(&self, level: Level) -> bool {
        self.line(level).is_some_and(|l| l.support < l.demand)
    }

    /// Orders accounts from worst to best by support / demand at maintenance, exactly; an account without demand is best.
    #[must_use]
    pub fn worst_first(&self, other: &Self) -> Ordering {
        use crate::wide::U256;
        let key = |h: &Self| h.line(Level::Maintenance).filter(|l| l.demand.get() > 0);
        match (key(self), key(other)) {
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (Some(a), Some(b)) => {
                let (sa, sb) = (a.support.get(), b.support.get());
                match (sa < 0, sb < 0) {
                    (true, false) => Ordering::Less,
                    (false, true) => Ordering::Greater,
                    (negative, _) => {
                        let left = U256::product(sa.unsigned_abs(), b.demand.get().unsigned_abs());
                        let right = U256::product(sb.unsigned_abs(), a.demand.get().unsigned_abs());
                        if negative { right.cmp(&left) } else { left.cmp(&right) }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn h(support: i128, demand: i128) -> Health {
        let mut h = Health::default();
        h.set(Level::Maintenance, Line { support: Quanta::new(support), demand: Quanta::new(demand) });
        h
    }

    #[test]
    fn worst_first_is_the_order_of_ratios() {
        let sorted = [h(-5, 1), h(-5, 10), h(0, 7), h(1, 10), h(9, 10), h(3, 3), h(4, 3), h(0, 0)];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                assert_eq!(a.worst_first(b), i.cmp(&j), "{a:?} {b:?}");
            }
        }
        assert!(h(2, 3).below(Level::Maintenance) && !h(3, 3).below(Level::Maintenance));
        assert!(!h(0, 1).below(Level::Initial), "a level the model does not have");
    }
}
