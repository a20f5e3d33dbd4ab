//! What cover costs, and how much of it capital carries. Integers throughout: quanta of the numeraire, and ratios in billionths.

use crate::{InsuranceError, refuse};
use alloc::{format, string::ToString, vec::Vec};
use cofferdam_core::{MathError, Millis, Ppb, Quanta, Rounding, wide};

/// A day, in milliseconds.
const DAY: i128 = 86_400_000;
/// A year of 365 days.
const YEAR: i128 = 365 * DAY;

fn at_least_zero(field: &str, x: Quanta) -> Result<(), InsuranceError> {
    if x.is_negative() { Err(refuse(field, x.to_string(), "zero or more")) } else { Ok(()) }
}

fn above_zero(field: &str, x: Quanta) -> Result<(), InsuranceError> {
    if x <= Quanta::ZERO { Err(refuse(field, x.to_string(), "above zero")) } else { Ok(()) }
}

/// Premium over limit, rounded up.
///
/// ```
/// use cofferdam_core::{Ppb, Quanta};
/// use cofferdam_insurance_layer::pricing::rate_on_line;
/// assert_eq!(rate_on_line(Quanta::new(60_000), Quanta::new(2_000_000))?, Ppb(30_000_000)); // 3 %
/// # Ok::<(), cofferdam_insurance_layer::InsuranceError>(())
/// ```
pub fn rate_on_line(premium: Quanta, limit: Quanta) -> Result<Ppb, InsuranceError> {
    at_least_zero("premium", premium)?;
    above_zero("limit", limit)?;
    let rate = wide::mul_div(premium.get(), Ppb::ONE.0.into(), limit.get(), Rounding::Up)?;
    Ok(Ppb(i64::try_from(rate).map_err(|_| MathError::Overflow)?))
}

/// What a layer has to cost: the expected payment, grossed up for the insurer's expenses, and a load for its standard deviation:
/// `E / (1 - expenses) + load x deviation`, each part rounded up.
///
/// Source: the standard deviation principle (Albrecher, Beirlant and Teugels, "Reinsurance", ch. 7).
///
/// ```
/// use cofferdam_core::{Ppb, Quanta};
/// use cofferdam_insurance_layer::pricing::technical_premium;
/// // 8,000 expected, 20 % of the premium for expenses, a fifth of a deviation of 30,000
/// let premium = technical_premium(Quanta::new(8_000), Quanta::new(30_000), Ppb(200_000_000), Ppb(200_000_000))?;
/// assert_eq!(premium, Quanta::new(16_000));
/// # Ok::<(), cofferdam_insurance_layer::InsuranceError>(())
/// ```
pub fn technical_premium(
    expected: Quanta,
    deviation: Quanta,
    expenses: Ppb,
    load: Ppb,
) -> Result<Quanta, InsuranceError> {
    at_least_zero("expected", expected)?;
    at_least_zero("deviation", deviation)?;
    if expenses < Ppb::ZERO || expenses >= Ppb::ONE {
        return Err(refuse("expenses", expenses.to_string(), "zero or more, below 1"));
    }
    if load < Ppb::ZERO {
        return Err(refuse("load", load.to_string(), "zero or more"));
    }
    let kept = i128::from(Ppb::ONE.0).checked_sub(expenses.0.into()).ok_or(MathError::Overflow)?;
    let gross = wide::mul_div(expected.get(), Ppb::ONE.0.into(), kept, Rounding::Up)?;
    Ok(Quanta::new(gross).try_add(load.of(deviation, Rounding::Up)?)?)
}

/// How much cover capital carries: capital x gearing, rounded down. A mutual of independent risks carries several times its capital.
pub fn capacity_from_gearing(capital: Quanta, gearing: Ppb) -> Result<Quanta, InsuranceError> {
    at_least_zero("capital", capital)?;
    if gearing < Ppb::ZERO {
        return Err(refuse("gearing", gearing.to_string(), "zero or more"));
    }
    Ok(gearing.of(capital, Rounding::Down)?)
}

/// What it costs to have a limit restored of which so much was used: the premium in proportion to the amount, and to the time that is left
/// where the treaty says so; rounded up.
///
/// ```
/// use cofferdam_core::{Millis, Quanta};
/// use cofferdam_insurance_layer::pricing::reinstatement_premium;
/// let [premium, limit, used] = [100_000, 2_000_000, 500_000].map(Quanta::new);
/// assert_eq!(reinstatement_premium(premium, limit, used, None)?, Quanta::new(25_000));
/// let third_left = Some((Millis(10), Millis(30)));
/// assert_eq!(reinstatement_premium(premium, limit, used, third_left)?, Quanta::new(8_334));
/// # Ok::<(), cofferdam_insurance_layer::InsuranceError>(())
/// ```
pub fn reinstatement_premium(
    premium: Quanta,
    limit: Quanta,
    used: Quanta,
    left_of_term: Option<(Millis, Millis)>,
) -> Result<Quanta, InsuranceError> {
    at_least_zero("premium", premium)?;
    above_zero("limit", limit)?;
    if used.is_negative() || used > limit {
        return Err(refuse("used", used.to_string(), &format!("zero to the limit, {limit}")));
    }
    let Some((left, term)) = left_of_term else {
        return Ok(Quanta::new(wide::mul_div(premium.get(), used.get(), limit.get(), Rounding::Up)?));
    };
    if term.0 == 0 || left > term {
        return Err(refuse("left_of_term", left.0.to_string(), "at most the term, which is above zero"));
    }
    // the time's part of the use first, then its part of the premium; each up
    let timed = wide::mul_div(used.get(), left.0.into(), term.0.into(), Rounding::Up)?;
    Ok(Quanta::new(wide::mul_div(premium.get(), timed, limit.get(), Rounding::Up)?))
}

/// How large a fund should be, given what past losses were and what a unit of capital costs against what a unit of loss that nobody covers
/// costs: `min_K cost x K + shortfall x E[(D - K)+]`, so that K is the `1 - cost / shortfall` quantile of D; zero where capital costs as
/// much as a shortfall. By nearest rank: the loss at rank `ceil(n (shortfall - cost) / shortfall)`.
///
/// Source: the newsvendor rule (Arrow, Harris and Marschak, "Optimal inventory policy", Econometrica 1951).
///
/// ```
/// use cofferdam_core::{Ppb, Quanta};
/// use cofferdam_insurance_layer::pricing::fund_size;
/// let losses = [4, 1, 3, 2, 5, 7, 6, 9, 8, 10].map(Quanta::new);
/// // a unit of capital costs a fifth of what a unit of shortfall does: the fund covers eight losses of ten
/// assert_eq!(fund_size(&losses, Ppb(100_000_000), Ppb(500_000_000))?, Quanta::new(8));
/// # Ok::<(), cofferdam_insurance_layer::InsuranceError>(())
/// ```
pub fn fund_size(losses: &[Quanta], cost: Ppb, shortfall: Ppb) -> Result<Quanta, InsuranceError> {
    if cost < Ppb::ZERO {
        return Err(refuse("cost", cost.to_string(), "zero or more"));
    }
    if shortfall <= Ppb::ZERO {
        return Err(refuse("shortfall", shortfall.to_string(), "above zero"));
    }
    for (i, loss) in losses.iter().enumerate() {
        at_least_zero(&format!("losses[{i}]"), *loss)?;
    }
    if losses.is_empty() {
        return Err(refuse("losses", "none".into(), "at least one"));
    }
    if cost >= shortfall {
        return Ok(Quanta::ZERO);
    }
    let mut sorted: Vec<Quanta> = losses.to_vec();
    sorted.sort_unstable();
    let n = i128::try_from(sorted.len()).map_err(|_| MathError::Overflow)?;
    let spread = i128::from(shortfall.0).checked_sub(cost.0.into()).ok_or(MathError::Overflow)?;
    let rank = wide::mul_div(n, spread, shortfall.0.into(), Rounding::Up)?;
    let place = usize::try_from(rank).unwrap_or(0).saturating_sub(1);
    Ok(sorted.get(place).copied().unwrap_or(Quanta::ZERO))
}

/// A price that moves with what is sold: each sale raises it by its share of the capacity, and it falls back to a target day by day.
/// Prices are yearly, as shares of the cover.
///
/// Source: Nexus Mutual's staking products (bump 5 % for all of a capacity; the fall per day was 0.5 % and is 2 % since).
///
/// ```
/// use cofferdam_core::{Millis, Ppb, Quanta};
/// use cofferdam_insurance_layer::pricing::UtilisationPrice;
/// let price = UtilisationPrice { target: Ppb(20_000_000), bump: Ppb(50_000_000), fall_per_day: Ppb(5_000_000) };
/// let (amount, capacity, year) = (Quanta::new(12_000), Quanta::new(50_000), Millis(365 * 86_400_000));
/// let base = price.base(Ppb(32_000_000), Millis(2 * 86_400_000))?; // 3.2 % two days ago
/// assert_eq!(base, Ppb(22_000_000));
/// assert_eq!(price.premium(base, amount, year)?, Quanta::new(264));
/// assert_eq!(price.bumped(base, amount, capacity)?, Ppb(34_000_000));
/// # Ok::<(), cofferdam_insurance_layer::InsuranceError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UtilisationPrice {
    /// It falls no further.
    pub target: Ppb,
    /// By how much the sale of all capacity raises it.
    pub bump: Ppb,
    /// By how much it falls in a day, in proportion to the time.
    pub fall_per_day: Ppb,
}

impl UtilisationPrice {
    /// The price now, so long after it was `last`: never below the target. The fall is rounded down.
    pub fn base(&self, last: Ppb, elapsed: Millis) -> Result<Ppb, InsuranceError> {
        let fall = wide::mul_div(self.fall_per_day.0.into(), elapsed.0.into(), DAY, Rounding::Down)?;
        let fallen = i128::from(last.0).checked_sub(fall).ok_or(MathError::Overflow)?;
        let price = fallen.max(self.target.0.into());
        Ok(Ppb(i64::try_from(price).map_err(|_| MathError::Overflow)?))
    }

    /// The price after a sale of `amount` out of `capacity` at `base`. The rise is rounded up.
    pub fn bumped(&self, base: Ppb, amount: Quanta, capacity: Quanta) -> Result<Ppb, InsuranceError> {
        at_least_zero("amount", amount)?;
        above_zero("capacity", capacity)?;
        let rise = wide::mul_div(self.bump.0.into(), amount.get(), capacity.get(), Rounding::Up)?;
        let price = i128::from(base.0).checked_add(rise).ok_or(MathError::Overflow)?;
        Ok(Ppb(i64::try_from(price).map_err(|_| MathError::Overflow)?))
    }

    /// What cover of `amount` for `term` costs at `base`: amount x price x term / year, rounded up at each step.
    pub fn premium(&self, base: Ppb, amount: Quanta, term: Millis) -> Result<Quanta, InsuranceError> {
        at_least_zero("amount", amount)?;
        let yearly = base.of(amount, Rounding::Up)?;
        Ok(Quanta::new(wide::mul_div(yearly.get(), term.0.into(), YEAR, Rounding::Up)?))
    }
}
