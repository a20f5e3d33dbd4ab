//! Weights, what they say of a liquidation's price, and which part of an account is a spread.

use cofferdam_core::{AssetId, GroupView, Lots, MarketId, MathError, PoolId, Ppb, Rounding, wide};
use cofferdam_margin_engine::TermsError;

const ONE: i128 = 1_000_000_000;

/// What a unit held (long) or owed (short) counts for, as a share of its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Held, for opening and withdrawing.
    pub long_initial: Ppb,
    /// Held, for staying open.
    pub long_maintenance: Ppb,
    /// Owed, for opening and withdrawing.
    pub short_initial: Ppb,
    /// Owed, for staying open.
    pub short_maintenance: Ppb,
}

impl Weights {
    /// Held: zero to one, initial at most maintenance. Owed: one to two, initial at least maintenance.
    ///
    /// # Errors
    ///
    /// Other weights.
    pub fn check(&self) -> Result<(), TermsError> {
        let within = |ok: bool, field, value: Ppb, accepted| {
            let value = value.0.into();
            if ok { Ok(()) } else { Err(TermsError::Parameter { field, value, accepted }) }
        };
        let (l, s) = (self.long_maintenance, self.short_maintenance);
        within(l <= Ppb::ONE, "long_maintenance", l, "at most 1")?;
        let ok = Ppb::ZERO <= self.long_initial && self.long_initial <= l;
        let accepted = "0 or more, at most long_maintenance (Vertex: bad product config)";
        within(ok, "long_initial", self.long_initial, accepted)?;
        within(s >= Ppb::ONE, "short_maintenance", s, "at least 1")?;
        let ok = s <= self.short_initial && self.short_initial.0 <= 2_000_000_000;
        let accepted = "short_maintenance or more, at most 2 (Vertex: bad product config)";
        within(ok, "short_initial", self.short_initial, accepted)
    }

    /// One less the maintenance weight of what is held; that of what is owed less one.
    fn distance(&self, owed: bool) -> i128 {
        let weight = i128::from(if owed { self.short_maintenance.0 } else { self.long_maintenance.0 });
        ONE.abs_diff(weight).try_into().unwrap_or(ONE) // weights are within zero and two
    }

    /// At which price what is held (or owed) is liquidated: a fifth of the distance of its weight from one away from the oracle's.
    #[must_use]
    pub fn outright(&self, owed: bool) -> Price {
        Price { distance: self.distance(owed), parts: 5, owed }
    }
}

/// A price of liquidation, as what it is of the oracle's: 1 - distance / parts for what is sold, 1 + distance / parts for what is owed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    distance: i128,
    parts: i128,
    owed: bool,
}

impl Price {
    /// For a spread: a twenty-fifth, of the perpetual's weight where the asset is held, of the asset's where it is owed.
    #[must_use]
    pub fn of_spread(spot: &Weights, perp: &Weights, owed: bool) -> Self {
        let weights = if owed { spot } else { perp };
        Self { distance: weights.distance(owed), parts: 25, owed }
    }

    fn whole(&self, halves: i128) -> (i128, i128) {
        // parts are at most 50 and a distance at most 1e9
        let whole = self.parts.wrapping_mul(halves).wrapping_mul(ONE);
        let factor =
            if self.owed { whole.wrapping_add(self.distance) } else { whole.wrapping_sub(self.distance) };
        (factor, whole)
    }

    /// So much at the oracle's price, at the price that the account is paid or pays.
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn account(&self, x: i128, rounding: Rounding) -> Result<i128, MathError> {
        let (factor, whole) = self.whole(1);
        wide::mul_div(x, factor, whole, rounding)
    }

    /// The same for the liquidator, who leaves half of the difference to insurance.
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn liquidator(&self, x: i128, rounding: Rounding) -> Result<i128, MathError> {
        let (factor, whole) = self.whole(2);
        wide::mul_div(x, factor, whole, rounding)
    }

    /// What the liquidator's price makes so much: the inverse of [`Self::liquidator`].
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn at_oracle(&self, paid: i128, rounding: Rounding) -> Result<i128, MathError> {
        let (factor, whole) = self.whole(2);
        wide::mul_div(paid, whole, factor, rounding)
    }

    /// What the account's price makes so much: the inverse of [`Self::account`].
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn afforded(&self, cash: i128, rounding: Rounding) -> Result<i128, MathError> {
        let (factor, whole) = self.whole(1);
        wide::mul_div(cash, whole, factor, rounding)
    }

    /// What insurance gets of so much at the oracle's price, rounded down.
    ///
    /// # Errors
    ///
    /// Beyond the widths.
    pub fn insurance(&self, x: i128) -> Result<i128, MathError> {
        let (_, whole) = self.whole(2);
        wide::mul_div(x, self.distance, whole, Rounding::Down)
    }
}

/// An asset besides the quote, held or borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spot {
    /// Which.
    pub asset: AssetId,
    /// The pool that lends it, if one does.
    pub pool: Option<PoolId>,
    /// Its weights.
    pub weights: Weights,
}

/// A perpetual.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Perp {
    /// Its market.
    pub market: MarketId,
    /// Its weights.
    pub weights: Weights,
}

/// An asset and its perpetual, which net.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    /// The asset.
    pub spot: AssetId,
    /// Its perpetual.
    pub market: MarketId,
    /// Atoms of the asset per lot.
    pub atoms: i128,
}

/// What an account has of an asset, less what it owes of it, in atoms.
///
/// # Errors
///
/// Beyond the widths.
pub(super) fn net(group: &GroupView<'_>, asset: AssetId) -> Result<i128, MathError> {
    group.balance(asset).get().checked_sub(group.owed(asset).get()).ok_or(MathError::Overflow)
}

/// The smaller of two holdings of opposite sign, with the sign of the asset: above zero for an asset held against a short perpetual.
/// Nothing where both are held or both are owed. In atoms.
///
/// # Errors
///
/// Beyond the widths.
pub fn basis(spot: i128, lots: Lots, spread: &Spread) -> Result<i128, MathError> {
    let perp = i128::from(lots.get()).checked_mul(spread.atoms).ok_or(MathError::Overflow)?;
    if spot.signum().wrapping_mul(perp.signum()) >= 0 {
        return Ok(0);
    }
    let size = spot.unsigned_abs().min(perp.unsigned_abs());
    let size = i128::try_from(size).map_err(|_| MathError::Overflow)?;
    Ok(size.wrapping_mul(spot.signum())) // a size times its sign
}
