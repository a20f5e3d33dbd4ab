//! What a share of a pool is worth, with a virtual offset against the donation attack.
//!
//! Source: ERC-4626 as in OpenZeppelin Contracts 5 (`_convertToShares`, `_decimalsOffset`): the pool is treated as if it
//! held one atom and 10^offset shares more than it does. Whoever gives to an empty pool to blow up the price of a share
//! gives nearly all of it to those virtual shares.

use crate::{MarketError, check_range};
use cofferdam_core::{Amount, MathError, wide};

/// A number of shares of a pool, at least zero, at most 2^120.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Shares(pub u128);

const LIMIT: u128 = 1 << 120;

/// The price of a share: what the pool holds against what it has issued, both before the deposit or redemption.
///
/// A deposit gets shares rounded down and a redemption gets atoms rounded down: the other owners gain, by less than one
/// share or one atom. A round trip never gains (INV-4) and the price of a share never falls by one (INV-9).
///
/// ```
/// use cofferdam_core::Amount;
/// use cofferdam_market::{SharePrice, Shares};
/// let empty = SharePrice::new(Amount::ZERO, Shares(0), 3)?;
/// let shares = empty.shares_for_deposit(Amount::new(1_000))?;
/// assert_eq!(shares, Shares(1_000_000));
/// let grown = SharePrice::new(Amount::new(1_100), shares, 3)?; // the pool has earned 100
/// assert_eq!(grown.assets_for_redeem(shares)?, Amount::new(1_099)); // the virtual shares earned their part
/// # Ok::<(), cofferdam_market::MarketError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SharePrice {
    // with the virtual atom and the virtual shares
    assets: u128,
    shares: u128,
}

impl SharePrice {
    /// The price of a pool that holds `assets` against `shares` issued, with 10^`offset_decimals` virtual shares (at most
    /// 18; three to six is usual). A pool below zero has no price: write its shares down first.
    pub fn new(assets: Amount, shares: Shares, offset_decimals: u8) -> Result<Self, MarketError> {
        check_range("assets", assets.get(), 0..=Amount::LIMIT, "0 to 2^120 atoms")?;
        let issued = i128::try_from(shares.0).unwrap_or(i128::MAX);
        check_range("shares", issued, 0..=Amount::LIMIT, "0 to 2^120")?;
        check_range("offset_decimals", offset_decimals.into(), 0..=18, "0 to 18")?;
        let offset = 10_u128.checked_pow(offset_decimals.into()).ok_or(MathError::Overflow)?;
        let held = u128::try_from(assets.get()).map_err(|_| MathError::Negative)?;
        // both at most 2^120 + 2^60
        Ok(Self { assets: held.wrapping_add(1), shares: shares.0.wrapping_add(offset) })
    }

    /// Shares for a deposit, rounded down: the other owners gain.
    pub fn shares_for_deposit(&self, assets: Amount) -> Result<Shares, MarketError> {
        self.to_shares(assets, false)
    }

    /// Atoms for redeemed shares, rounded down: the other owners gain.
    pub fn assets_for_redeem(&self, shares: Shares) -> Result<Amount, MarketError> {
        self.to_assets(shares, false)
    }

    /// Shares to burn for a withdrawal of exactly `assets`, rounded up: the other owners gain.
    pub fn shares_for_withdraw(&self, assets: Amount) -> Result<Shares, MarketError> {
        self.to_shares(assets, true)
    }

    /// Atoms to pay in for exactly `shares`, rounded up: the other owners gain.
    pub fn assets_for_mint(&self, shares: Shares) -> Result<Amount, MarketError> {
        self.to_assets(shares, true)
    }

    // assets x (S + 10^offset) / (A + 1)
    fn to_shares(self, assets: Amount, up: bool) -> Result<Shares, MarketError> {
        let assets = u128::try_from(assets.get()).map_err(|_| MathError::Negative)?;
        let shares = wide::mul_div_unsigned(assets, self.shares, self.assets, up)?;
        if shares > LIMIT { Err(MathError::Overflow.into()) } else { Ok(Shares(shares)) }
    }

    // shares x (A + 1) / (S + 10^offset)
    fn to_assets(self, shares: Shares, up: bool) -> Result<Amount, MarketError> {
        let assets = wide::mul_div_unsigned(shares.0, self.assets, self.shares, up)?;
        let assets = i128::try_from(assets).map_err(|_| MathError::Overflow)?;
        Ok(Amount::new(assets).try_add(Amount::ZERO)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn price(assets: i128, shares: u128, offset: u8) -> SharePrice {
        SharePrice::new(Amount::new(assets), Shares(shares), offset).unwrap()
    }

    #[test]
    fn refusals() {
        let check = |field: &str, assets: i128, shares: u128, offset: u8| match SharePrice::new(
            Amount::new(assets),
            Shares(shares),
            offset,
        ) {
            Err(MarketError::Parameter { field: f, .. }) => assert_eq!(f, field),
            other => panic!("{field}: {other:?}"),
        };
        check("assets", -1, 0, 0);
        check("shares", 0, u128::MAX, 0);
        check("offset_decimals", 0, 0, 19);
        assert!(price(1, 1, 0).shares_for_deposit(Amount::new(-1)).is_err());
    }

    /// The attacker holds the first shares, donates, waits for the victim's deposit and redeems.
    fn attack(first: i128, donated: i128, victim: i128, offset: u8) -> (i128, i128) {
        let own = price(0, 0, offset).shares_for_deposit(Amount::new(first)).unwrap();
        let held = first + donated;
        let theirs = price(held, own.0, offset).shares_for_deposit(Amount::new(victim)).unwrap();
        let after = price(held + victim, own.0 + theirs.0, offset);
        let back = |s| after.assets_for_redeem(s).unwrap().get();
        (back(own) - first - donated, back(theirs) - victim)
    }

    #[test]
    fn a_donation_costs_the_giver_more_than_the_victim() {
        for donated in [1_000, 10_000, 1_000_000, 1_000_000_000] {
            let (attacker, victim) = attack(1, donated, 10_000, 6);
            assert!(attacker < 0 && attacker <= victim, "gave {donated}: {attacker} against {victim}");
        }
        // without an offset worth the name the victim would be robbed of the whole deposit
        assert_eq!(attack(1, 20_000, 10_000, 0).1, -10_000);
    }

    proptest! {
        #[test]
        fn a_round_trip_never_gains(a in 0_i128..1 << 100, s in 0_u128..1 << 100, x in 0_i128..1 << 80, offset in 0_u8..=18) {
            let before = price(a, s, offset);
            if let Ok(got) = before.shares_for_deposit(Amount::new(x)) {
                let after = price(a + x, s + got.0, offset);
                prop_assert!(after.assets_for_redeem(got).unwrap().get() <= x);
                prop_assert!(before.shares_for_withdraw(Amount::new(x)).unwrap() >= got);
            }
        }

        #[test]
        fn splitting_a_deposit_never_gains(a in 0_i128..1 << 100, s in 0_u128..1 << 100, x in 0_i128..1 << 80, y in 0_i128..1 << 80) {
            let before = price(a, s, 6);
            let deposit = |p: SharePrice, v| p.shares_for_deposit(Amount::new(v));
            let Ok(whole) = deposit(before, x + y) else { return Ok(()) };
            let first = deposit(before, x).unwrap();
            let second = deposit(price(a + x, s + first.0, 6), y).unwrap();
            // shares round down, so the second part may meet a price a little above the first's and never below
            prop_assert!(first.0 + second.0 <= whole.0);
        }

        #[test]
        fn nobody_else_is_diluted(a in 0_i128..1 << 100, s in 0_u128..1 << 100, x in 0_i128..1 << 80) {
            let before = price(a, s, 6);
            if let Ok(got) = before.shares_for_deposit(Amount::new(x)) {
                let after = price(a + x, s + got.0, 6);
                prop_assert!(after.assets_for_redeem(Shares(s)).unwrap() >= before.assets_for_redeem(Shares(s)).unwrap());
            }
        }
    }
}
