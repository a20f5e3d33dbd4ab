//! Splitting a sum over contributors in proportion, to the last quantum.

use crate::{InsuranceError, refuse};
use alloc::{format, string::ToString, vec::Vec};
use cofferdam_core::{Quanta, Rounding, wide};

/// Splits `total` over `weights` in proportion: part i is floor(total x W(i) / W) - floor(total x W(i-1) / W) with W(i) the
/// sum of the first i weights. The parts sum to `total` exactly and each is within one quantum of its exact share; who
/// comes first gains nothing in sum.
///
/// Refuses a negative total, a negative weight and weights that are all zero.
///
/// ```
/// use cofferdam_core::Quanta;
/// use cofferdam_insurance_layer::contribution;
/// let parts = contribution(Quanta::new(100), &[1, 1, 1].map(Quanta::new))?;
/// assert_eq!(parts, [33, 33, 34].map(Quanta::new));
/// # Ok::<(), cofferdam_insurance_layer::InsuranceError>(())
/// ```
pub fn contribution(total: Quanta, weights: &[Quanta]) -> Result<Vec<Quanta>, InsuranceError> {
    if total.is_negative() {
        return Err(refuse("total", total.to_string(), "zero or more"));
    }
    let mut sum = Quanta::ZERO;
    for (index, weight) in weights.iter().enumerate() {
        if weight.is_negative() {
            return Err(refuse(&format!("weights[{index}]"), weight.to_string(), "zero or more"));
        }
        sum = sum.try_add(*weight)?;
    }
    if sum.is_zero() {
        return Err(refuse("weights", "all zero".to_string(), "a sum above zero"));
    }
    let (mut upto, mut given) = (Quanta::ZERO, Quanta::ZERO);
    let mut parts = Vec::with_capacity(weights.len());
    for weight in weights {
        upto = upto.try_add(*weight)?;
        let due = Quanta::new(wide::mul_div(total.get(), upto.get(), sum.get(), Rounding::Down)?);
        parts.push(due.try_sub(given)?);
        given = due;
    }
    Ok(parts)
}
