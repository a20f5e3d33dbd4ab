//! The margin schedule of a venue: tiers of maintenance and maximum leverage over notional, in exact integers.
//!
//! mm(n) = ceil( max over tiers of (rate_k n - deduction_k) ), deduction_k = deduction_(k-1) + floor_k (rate_k - rate_(k-1)):
//! continuous in n, each tier's own rate above its floor (Binance USD-M "maintenance amount"). Deductions are kept in 1e-9 of
//! a quantum, so the only rounding is the last one: up, in the venue's favour, as the margin engine of this project does it.

use super::{ImpliedError, Side};

/// One tier, as a venue publishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// Notional above which the tier applies, in quanta; 0 for the first, then rising.
    pub lower_notional_quanta: i128,
    /// Maintenance margin on the part above the floor, in 1e-9 of notional; rising, below 1e9.
    pub maintenance_ppb: i64,
    /// Largest leverage at opening; never rising, and small enough that an account is healthy when it opens.
    pub max_leverage: u32,
}

const PPB: i128 = 1_000_000_000;

/// A floor beyond this is refused: the bound that keeps every product here inside `i128`.
const NOTIONAL_MAX: i128 = 1_000_000_000_000_000_000_000_000;

#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    lower: i128,
    /// (numerator x notional - deduction) / denominator, reduced: small divisors keep the divisions short.
    numerator: i128,
    deduction: i128,
    denominator: i128,
    max_leverage: u32,
    real: Real,
}

/// The same row as doubles, to weigh windows.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Real {
    lower: f64,
    rate: f64,
    deduction: f64,
    max_leverage: f64,
}

/// Tiers that have been checked, with their deductions.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    rows: Vec<Row>,
}

impl Schedule {
    /// Checks tiers and derives the deductions.
    ///
    /// # Errors
    /// [`ImpliedError::Tier`] where a tier is out of order or allows a leverage at which an account would open below
    /// maintenance.
    pub fn new(tiers: &[Tier]) -> Result<Self, ImpliedError> {
        if tiers.is_empty() {
            let value = "empty".into();
            return Err(ImpliedError::Parameter { field: "tiers", value, accepted: "at least one tier" });
        }
        let mut rows: Vec<Row> = Vec::with_capacity(tiers.len());
        let (mut before, mut deduction_ppb): (Option<Tier>, i128) = (None, 0);
        for (index, tier) in tiers.iter().enumerate() {
            check_tier(index, tier, before.as_ref())?;
            let rate_ppb = i128::from(tier.maintenance_ppb);
            deduction_ppb += tier.lower_notional_quanta
                * (rate_ppb - before.map_or(0, |tier| i128::from(tier.maintenance_ppb)));
            let common = gcd(gcd(rate_ppb, PPB), deduction_ppb);
            rows.push(Row {
                lower: tier.lower_notional_quanta,
                numerator: rate_ppb / common,
                deduction: deduction_ppb / common,
                denominator: PPB / common,
                max_leverage: tier.max_leverage,
                real: Real {
                    lower: tier.lower_notional_quanta as f64,
                    rate: tier.maintenance_ppb as f64 / 1e9,
                    deduction: deduction_ppb as f64 / 1e9,
                    max_leverage: f64::from(tier.max_leverage),
                },
            });
            before = Some(*tier);
        }
        Ok(Self { rows })
    }

    /// Maintenance requirement of a notional, in quanta, rounded up: in the venue's favour.
    #[must_use]
    pub fn maintenance(&self, notional: i128) -> i128 {
        let mut most = 0;
        for row in &self.rows {
            // A tier whose floor is not passed asks no more than the one before.
            if row.lower >= notional {
                break;
            }
            most = most.max(ceil_div(row.numerator * notional - row.deduction, row.denominator));
        }
        most
    }

    /// Largest leverage at which a notional may be opened.
    #[must_use]
    pub fn max_leverage(&self, notional: i128) -> u32 {
        self.row(notional).max_leverage
    }

    /// Least collateral with which a position may be opened: notional over the largest leverage, rounded up.
    #[must_use]
    pub fn least_collateral(&self, lots: i64, entry: i64) -> i128 {
        let notional = i128::from(lots) * i128::from(entry);
        ceil_div(notional, i128::from(self.max_leverage(notional)))
    }

    /// Whether collateral and profit fall short of maintenance at a price: equity < mm(lots x price).
    #[must_use]
    pub fn liquidatable(&self, side: Side, lots: i64, entry: i64, collateral: i128, price: i64) -> bool {
        collateral + gain(side, lots, entry, price) < self.maintenance(i128::from(lots) * i128::from(price))
    }

    /// The collateral, least and most, with which a position is healthy at every price up to `extreme` and liquidatable at
    /// `price`; empty (least above most) where no collateral does both.
    #[must_use]
    pub fn collateral_range(
        &self,
        side: Side,
        lots: i64,
        entry: i64,
        extreme: i64,
        price: i64,
    ) -> (i128, i128) {
        let needed =
            |at: i64| self.maintenance(i128::from(lots) * i128::from(at)) - gain(side, lots, entry, at);
        (needed(extreme).max(self.least_collateral(lots, entry)).max(1), needed(price) - 1)
    }

    /// The liquidation price: the largest price at which a long is liquidatable, 0 when there is none; the smallest for a
    /// short. Closed form: for one tier, equity < ceil(x) says the same as equity < x, which is linear in the price; an
    /// account is liquidatable where any tier says so.
    #[must_use]
    pub fn liquidation_level(&self, side: Side, lots: i64, entry: i64, collateral: i128) -> i64 {
        let (q, cost) = (i128::from(lots), i128::from(lots) * i128::from(entry));
        let level = self.rows.iter().map(|row| {
            let (n, d) = (row.numerator, row.denominator);
            match side {
                // q p (1 - r) < q e - c - deduction
                Side::Long => ceil_div((cost - collateral) * d - row.deduction, q * (d - n)) - 1,
                // q p (1 + r) > q e + c + deduction
                Side::Short => ((cost + collateral) * d + row.deduction).div_euclid(q * (d + n)) + 1,
            }
        });
        let level = match side {
            Side::Long => level.max(),
            Side::Short => level.min(),
        };
        i64::try_from(level.unwrap_or(0).max(0)).unwrap_or(i64::MAX)
    }

    /// Maintenance per lot at a price, in ticks: the same function without its rounding.
    pub(super) fn maintenance_per_lot(&self, lots: f64, price: f64) -> f64 {
        let Real { rate, deduction, .. } = self.real(lots * price);
        // Continuous and convex: the largest piece is the one of the tier.
        rate * price - deduction / lots
    }

    /// Largest leverage at a notional.
    pub(super) fn leverage_cap(&self, notional: f64) -> f64 {
        self.real(notional).max_leverage
    }

    /// The largest leverage of each tier.
    pub(super) fn leverages(&self) -> impl Iterator<Item = f64> + '_ {
        self.rows.iter().map(|row| row.real.max_leverage)
    }

    /// Rate of the first tier.
    pub(super) fn first_rate(&self) -> f64 {
        self.rows[0].real.rate
    }

    /// Where a tier ends, from 0; `None` for the last and beyond.
    pub(super) fn end_of(&self, tier: usize) -> Option<i128> {
        self.rows.get(tier + 1).map(|row| row.lower)
    }

    fn real(&self, notional: f64) -> &Real {
        let above = self.rows.iter().take_while(|row| row.real.lower < notional).count();
        &self.rows[above.max(1) - 1].real
    }

    fn row(&self, notional: i128) -> &Row {
        let above = self.rows.partition_point(|row| row.lower < notional);
        &self.rows[above.max(1) - 1]
    }
}

fn check_tier(index: usize, tier: &Tier, before: Option<&Tier>) -> Result<(), ImpliedError> {
    let refuse = |field, value, accepted| Err(ImpliedError::Tier { tier: index, field, value, accepted });
    let (lower, ppb) = (tier.lower_notional_quanta, i128::from(tier.maintenance_ppb));
    let leverage = i128::from(tier.max_leverage);
    match before {
        None if lower != 0 => return refuse("lower_notional_quanta", lower, "0 in the first tier"),
        Some(b) if lower <= b.lower_notional_quanta || lower > NOTIONAL_MAX => {
            return refuse("lower_notional_quanta", lower, "above the tier before, at most 1e24");
        }
        Some(b) if ppb <= i128::from(b.maintenance_ppb) => {
            return refuse("maintenance_ppb", ppb, "above the tier before");
        }
        Some(b) if tier.max_leverage > b.max_leverage => {
            return refuse("max_leverage", leverage, "at most that of the tier before");
        }
        _ => {}
    }
    if !(1..PPB).contains(&ppb) {
        return refuse("maintenance_ppb", ppb, "1 to 999999999");
    }
    if leverage < 1 || leverage * ppb >= PPB {
        return refuse("max_leverage", leverage, "at least 1, below 1e9 / maintenance_ppb");
    }
    Ok(())
}

/// Gain of a position since entry, in quanta.
pub(super) fn gain(side: Side, lots: i64, entry: i64, price: i64) -> i128 {
    i128::from(side.sign()) * i128::from(lots) * (i128::from(price) - i128::from(entry))
}

/// Quotient rounded up, for a positive divisor.
fn ceil_div(a: i128, b: i128) -> i128 {
    // Short operands, the rule here, take the processor's own division.
    if let (Ok(a), Ok(b)) = (i64::try_from(a), i64::try_from(b)) {
        return i128::from(a.div_euclid(b)) + i128::from(a.rem_euclid(b) != 0);
    }
    a.div_euclid(b) + i128::from(a.rem_euclid(b) != 0)
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}
