//! A pool of depositors that pays debts off and gets the collateral behind them, each in proportion to its deposit. What a depositor
//! has left, and what it gained, is one multiplication, however many debts were paid in between.
//!
//! With total deposits T, a debt Q paid off for collateral E: `P' = P x (T - Q) / T` and `S' = S + P x E / T`. A deposit d made at
//! (P0, S0) is now `d x P / P0`, and has gained `d x (S - S0) / P0`. When P becomes small it is multiplied by 1e9 and the scale counts
//! that; when nothing is left the epoch counts that, and deposits of the epoch before are nothing.
//!
//! Source: Robert Lauko and Richard Pardoe, "Scalable Reward Distribution with Compounding Stakes" (Liquity, 2020); Batog, Boca and
//! Johnson, "Scalable Reward Distribution on the Ethereum Blockchain" (2018).

use crate::InsuranceError;
use alloc::string::ToString;
use cofferdam_core::{Amount, MathError, MemoryError, Reader, Record, Writer, wide};

/// The product of an epoch's first deposit: 27 decimals, of which at least 18 are kept.
const ONE: u128 = 1_000_000_000_000_000_000_000_000_000;
/// What a product below `ONE / STEP` is multiplied by.
const STEP: u128 = 1_000_000_000;
/// Sums of so many scales are asked for; what a later one adds is below 1e-27 of a deposit, and is left to the pool.
pub const SCALES: usize = 3;

/// Where a pool's sum is kept: one number for each epoch and scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Part {
    /// How often the pool was used up.
    pub epoch: u32,
    /// How often the product was multiplied by 1e9 since.
    pub scale: u32,
}

impl Part {
    /// The part so many scales further, in the same epoch.
    ///
    /// # Errors
    ///
    /// A scale beyond its width.
    pub fn after(self, scales: u32) -> Result<Self, MathError> {
        Ok(Self { scale: self.scale.checked_add(scales).ok_or(MathError::Overflow)?, ..self })
    }

    /// Epoch and scale as one number.
    #[must_use]
    pub fn number(self) -> u64 {
        (u64::from(self.epoch) << 32) | u64::from(self.scale)
    }
}

/// What all depositors together have, and by how much a deposit of one has shrunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetPool {
    total: Amount,
    product: u128,
    part: Part,
}

impl Default for OffsetPool {
    fn default() -> Self {
        Self { total: Amount::ZERO, product: ONE, part: Part::default() }
    }
}

/// A deposit as it was when it was last touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deposit {
    amount: Amount,
    product: u128,
    sum: u128,
    part: Part,
}

impl Default for Deposit {
    fn default() -> Self {
        Self { amount: Amount::ZERO, product: ONE, sum: 0, part: Part::default() }
    }
}

impl Deposit {
    /// Atoms when it was last touched.
    #[must_use]
    pub const fn amount(&self) -> Amount {
        self.amount
    }

    /// Where its sum was then: the sums it gains from are this part's and those of the next scales.
    #[must_use]
    pub const fn part(&self) -> Part {
        self.part
    }
}

fn magnitude(x: Amount) -> Result<u128, MathError> {
    u128::try_from(x.get()).map_err(|_| MathError::Negative)
}

fn atoms(x: u128) -> Result<Amount, MathError> {
    Amount::new(i128::try_from(x).map_err(|_| MathError::Overflow)?).try_add(Amount::ZERO)
}

/// ```
/// use cofferdam_core::Amount;
/// use cofferdam_insurance_layer::OffsetPool;
/// let mut pool = OffsetPool::default();
/// let a = pool.deposit(Amount::new(300), 0)?;
/// let b = pool.deposit(Amount::new(100), 0)?;
/// let sum = pool.offset(Amount::new(200), Amount::new(40))?; // 200 of debt for 40 of collateral
/// assert_eq!((pool.left(&a)?, pool.gained(&a, [sum, 0, 0])?), (Amount::new(150), Amount::new(30)));
/// assert_eq!((pool.left(&b)?, pool.gained(&b, [sum, 0, 0])?), (Amount::new(50), Amount::new(10)));
/// # Ok::<(), cofferdam_insurance_layer::InsuranceError>(())
/// ```
impl OffsetPool {
    /// Atoms that the pool has to pay debts with.
    #[must_use]
    pub const fn total(&self) -> Amount {
        self.total
    }

    /// Where the pool's sum is now.
    #[must_use]
    pub const fn part(&self) -> Part {
        self.part
    }

    /// Takes a deposit in, with the sum of the current part.
    ///
    /// # Errors
    ///
    /// An amount below zero; a total beyond its range.
    pub fn deposit(&mut self, amount: Amount, sum: u128) -> Result<Deposit, InsuranceError> {
        magnitude(amount)?;
        self.total = self.total.try_add(amount)?;
        Ok(Deposit { amount, product: self.product, sum, part: self.part })
    }

    /// Takes out what is left of a deposit. The caller has asked for its gain before.
    ///
    /// # Errors
    ///
    /// A deposit of another pool.
    pub fn withdraw(&mut self, deposit: &Deposit) -> Result<Amount, InsuranceError> {
        let left = self.left(deposit)?;
        self.total = self.total.try_sub(left)?;
        magnitude(self.total)?;
        Ok(left)
    }

    /// Pays a debt off for collateral. Answers by how much the sum of the part that was current grows. Both quotients are rounded
    /// down: depositors together never have more than the pool does, which keeps the rest.
    ///
    /// # Errors
    ///
    /// A debt of nothing or of more than the pool has; sums beyond 2^128 / 1e27 atoms of collateral per atom of a deposit.
    pub fn offset(&mut self, debt: Amount, gain: Amount) -> Result<u128, InsuranceError> {
        if debt.get() <= 0 || debt > self.total {
            return Err(crate::refuse("debt", debt.get().to_string(), "above 0, at most what the pool has"));
        }
        let (total, left) = (magnitude(self.total)?, self.total.try_sub(debt)?);
        // S' = S + P x E / T
        let sum = wide::mul_div_unsigned(self.product, magnitude(gain)?, total, false)?;
        let (mut product, mut part) = (self.product, self.part);
        if left.is_zero() {
            part = Part { epoch: part.epoch.checked_add(1).ok_or(MathError::Overflow)?, scale: 0 };
            product = ONE;
        } else {
            // P' = P x (T - Q) / T, with as many factors of 1e9 as keep its digits
            let mut numerator = magnitude(left)?;
            let mut kept = wide::mul_div_unsigned(product, numerator, total, false)?;
            while kept < ONE.div_euclid(STEP) {
                part = part.after(1)?;
                match numerator.checked_mul(STEP) {
                    Some(n) => {
                        numerator = n;
                        kept = wide::mul_div_unsigned(product, numerator, total, false)?;
                    }
                    None => kept = kept.checked_mul(STEP).ok_or(MathError::Overflow)?,
                }
            }
            product = kept;
        }
        (self.total, self.product, self.part) = (left, product, part);
        Ok(sum)
    }

    /// What is left of a deposit: d x P / P0, over 1e9 for each scale in between, rounded down.
    ///
    /// # Errors
    ///
    /// A deposit of another pool.
    pub fn left(&self, deposit: &Deposit) -> Result<Amount, InsuranceError> {
        if deposit.part.epoch != self.part.epoch {
            return Ok(Amount::ZERO);
        }
        let scales = self.part.scale.checked_sub(deposit.part.scale).ok_or(MathError::Negative)?;
        let mut left =
            wide::mul_div_unsigned(magnitude(deposit.amount)?, self.product, deposit.product, false)?;
        for _ in 0..scales.min(5) {
            left = left.div_euclid(STEP); // after five 2^128 is nothing
        }
        Ok(atoms(left)?)
    }

    /// What a deposit has gained: d x (S - S0) / P0, with the sums of its part and of the next scales, each over 1e9 of the one
    /// before; rounded down.
    ///
    /// # Errors
    ///
    /// Sums of another pool.
    pub fn gained(&self, deposit: &Deposit, sums: [u128; SCALES]) -> Result<Amount, InsuranceError> {
        let [first, second, third] = sums;
        let first = first.checked_sub(deposit.sum).ok_or(MathError::Negative)?;
        let more = second.div_euclid(STEP).checked_add(third.div_euclid(STEP.wrapping_mul(STEP))); // 1e18 fits
        let sum = more.and_then(|m| first.checked_add(m)).ok_or(MathError::Overflow)?;
        Ok(atoms(wide::mul_div_unsigned(magnitude(deposit.amount)?, sum, deposit.product, false)?)?)
    }
}

impl Record for OffsetPool {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.i128(self.total.get()).u128(self.product).u32(self.part.epoch).u32(self.part.scale);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self {
                total: Amount::new(from.i128()?),
                product: from.u128()?,
                part: Part { epoch: from.u32()?, scale: from.u32()? },
            }),
            found => Err(MemoryError::Version { found }),
        }
    }
}

impl Record for Deposit {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.i128(self.amount.get()).u128(self.product).u128(self.sum);
        to.u32(self.part.epoch).u32(self.part.scale);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self {
                amount: Amount::new(from.i128()?),
                product: from.u128()?,
                sum: from.u128()?,
                part: Part { epoch: from.u32()?, scale: from.u32()? },
            }),
            found => Err(MemoryError::Version { found }),
        }
    }
}

/// The sum of one part of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartSum(pub u128);

impl Record for PartSum {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u128(self.0);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self(from.u128()?)),
            found => Err(MemoryError::Version { found }),
        }
    }
}
