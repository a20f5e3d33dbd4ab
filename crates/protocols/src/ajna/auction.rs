//! Who kicks opens the auction and stakes a bond; who takes pays the auction's price.

use super::price::{WAD, auction_price, bond_factor, neutral_price, neutral_ratio, reward_factor};
use cofferdam_core::{
    Amount, AssetId, AssetView, AuctionView, Case, GroupId, Holder, House, Instrument, Item, Level,
    MathError, Memory, MemoryError, PoolId, Posting, RAY, Reader, Record, Scope, Writer, wide,
};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, LiquidationStrategy, Plan, Refusal, Step, Taker,
};

/// The terms of [`KickedAuction`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KickedTerms {
    /// The pool that lent.
    pub pool: PoolId,
    /// What it lends.
    pub money: AssetId,
    /// The one collateral.
    pub collateral: AssetId,
    /// The pool's rate of interest a year, a wad.
    pub rate: u128,
}

/// Kicked loans are auctioned whole, at a price that halves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KickedAuction {
    terms: KickedTerms,
}

/// An auction as it was kicked. Prices are wads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Kicked {
    at_ms: u64,
    kicker: u32,
    threshold: u128,
    neutral: u128,
    factor: u128,
    /// What is staked, in atoms.
    bond: i128,
}

impl Record for Kicked {
    const VERSION: u8 = 1;
    fn write(&self, to: &mut Writer) {
        to.u64(self.at_ms).u32(self.kicker).u128(self.threshold).u128(self.neutral);
        to.u128(self.factor).i128(self.bond);
    }
    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self {
                at_ms: from.u64()?,
                kicker: from.u32()?,
                threshold: from.u128()?,
                neutral: from.u128()?,
                factor: from.u128()?,
                bond: from.i128()?,
            }),
            found => Err(MemoryError::Version { found }),
        }
    }
}

/// Atoms of an asset in a wad of it.
fn unit(view: &AssetView) -> Result<u128, MathError> {
    let missing = 18_u32.checked_sub(u32::from(view.scale.decimals)).ok_or(MathError::Overflow)?;
    10_u128.checked_pow(missing).ok_or(MathError::Overflow)
}

fn unsigned(x: i128) -> Result<u128, MathError> {
    u128::try_from(x).map_err(|_| MathError::Negative)
}

fn signed(x: u128) -> Result<i128, MathError> {
    i128::try_from(x).map_err(|_| MathError::Overflow)
}

/// Money for collateral at a price, both in atoms.
struct Trade {
    money: u128,
    collateral: u128,
}

impl Trade {
    fn of(case: &Case<'_>, terms: &KickedTerms) -> Result<Self, LiquidationError> {
        let view = |id| case.world.asset(id).ok_or(LiquidationError::NoPrice(Instrument::Asset(id)));
        Ok(Self { money: unit(view(terms.money)?)?, collateral: unit(view(terms.collateral)?)? })
    }

    /// What a lot costs at a price.
    fn cost(&self, lot: u128, price: u128, up: bool) -> Result<u128, MathError> {
        let wads = lot.checked_mul(self.collateral).ok_or(MathError::Overflow)?;
        wide::mul_div_unsigned(wads, price, WAD.checked_mul(self.money).ok_or(MathError::Overflow)?, up)
    }

    /// What money buys at a price above zero.
    fn lot(&self, money: u128, price: u128, up: bool) -> Result<u128, MathError> {
        let wads = money.checked_mul(self.money).ok_or(MathError::Overflow)?;
        let by = wide::mul_div_unsigned(wads, WAD, price, up)?;
        Ok(if up { by.div_ceil(self.collateral) } else { by.checked_div(self.collateral).unwrap_or(0) })
    }
}

impl KickedAuction {
    /// For a pool.
    ///
    /// # Errors
    ///
    /// A rate that no pool of the venue has: below 0.1 % or above 50,000 % (`updateInterestState`).
    pub fn new(terms: KickedTerms) -> Result<Self, LiquidationError> {
        if !(WAD / 1_000..=WAD.saturating_mul(500)).contains(&terms.rate) {
            return Err(LiquidationError::Parameter {
                field: "rate",
                value: i128::try_from(terms.rate).unwrap_or(i128::MAX),
                accepted: "0.1 % to 50,000 % a year, a wad (Ajna: the bounds of a pool's rate)",
            });
        }
        Ok(Self { terms })
    }

    fn kick(
        &self,
        case: &Case<'_>,
        kicker: GroupId,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let t = &self.terms;
        let debt = case.group.debts.iter().find(|d| d.asset == t.money && d.owed.get() > 0);
        let lot = case.group.balance(t.collateral);
        let Some(debt) = debt.filter(|_| lot.get() > 0) else { return Ok(Err(Refusal::Nothing)) };
        let trade = Trade::of(case, t)?;
        let owed = unsigned(debt.owed.get())?.checked_mul(trade.money).ok_or(MathError::Overflow)?;
        let held = unsigned(lot.get())?.checked_mul(trade.collateral).ok_or(MathError::Overflow)?;
        let threshold = wide::mul_div_unsigned(owed, WAD, held, false)?;
        let ratio = neutral_ratio(t.rate)?;
        let (neutral, factor) = (neutral_price(threshold, ratio)?, bond_factor(ratio));
        let bond = signed(wide::mul_div_unsigned(unsigned(debt.owed.get())?, factor, WAD, true)?)?;
        let kicked = Kicked { at_ms: case.at.time.0, kicker: kicker.0, threshold, neutral, factor, bond };
        memory.set(Scope::Auction(case.next_auction), &kicked)?;
        let steps = vec![
            Step::Auction { asset: t.collateral, lot, debt: t.money, scaled: debt.scaled },
            Step::Stake { asset: t.money, amount: Amount::new(bond) },
        ];
        let worsens = false; // nothing of either is left
        Ok(Ok(Plan { steps, again: None, worsens }))
    }

    fn take(
        &self,
        case: &Case<'_>,
        auction: &AuctionView,
        (keeper, want, pay): (GroupId, u128, u128),
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let scope = Scope::Auction(auction.id);
        let mut kicked: Kicked = memory.get(scope)?;
        let elapsed_s = case.at.time.0.saturating_sub(kicked.at_ms) / 1_000;
        let price = auction_price(kicked.neutral, elapsed_s)?;
        let share = reward_factor(kicked.threshold, kicked.neutral, kicked.factor, price)?;
        // what repays of the price: a reward is taken off, a punishment comes out of the bond
        let repays = if share > 0 {
            wide::mul_div_unsigned(price, WAD.saturating_sub(share.unsigned_abs()), WAD, false)?
        } else {
            price
        };
        let trade = Trade::of(case, &self.terms)?;
        let (lot, owed) = (unsigned(auction.lot.get())?, unsigned(auction.owed.get())?);
        let mut slice = want.min(lot);
        if price > 0 {
            slice = slice.min(trade.lot(pay, price, false)?);
        }
        if repays > 0 {
            slice = slice.min(trade.lot(owed, repays, true)?);
        }
        if slice == 0 {
            return Ok(Err(Refusal::TooLittle { min: signed(trade.cost(1, price, true)?)? }));
        }
        let cost = trade.cost(slice, price, true)?;
        let repaid = trade.cost(slice, repays, true)?.min(owed).min(cost);
        let size = signed(trade.cost(
            slice,
            wide::mul_div_unsigned(price, share.unsigned_abs(), WAD, false)?,
            false,
        )?)?;
        let (cost, repaid) = (signed(cost)?, signed(repaid)?);
        let rest = cost.checked_sub(repaid).ok_or(MathError::Overflow)?;
        let (reward, lost) = if share > 0 { (size.min(rest), 0) } else { (0, size.min(kicked.bond)) };
        let moved = reward.checked_sub(lost).ok_or(MathError::Overflow)?;
        kicked.bond = kicked.bond.checked_add(moved).ok_or(MathError::Overflow)?;
        // scaled units down, but all for all
        let cleared = if repaid >= auction.owed.get() {
            auction.scaled.get()
        } else {
            let index = case.world.asset(auction.debt).map_or(RAY, |a| a.debt_index.get());
            wide::mul_div_unsigned(unsigned(repaid)?, RAY, index, false)?.min(auction.scaled.get())
        };
        let left = auction.lot.get().saturating_sub(signed(slice)?); // a slice is at most the lot
        let open = auction.scaled.get().saturating_sub(cleared); // as is what is cleared
        let (from, to) = (Holder::Auction(auction.id), Holder::Group(keeper));
        let pool = Holder::Pool(self.terms.pool);
        let (sold, money) = (Item::Asset(auction.asset), Item::Asset(auction.debt));
        let fees = Holder::House(House::Fees);
        let mut all: Vec<Posting> = Posting::transfer(from, to, sold, signed(slice)?).into();
        all.extend(Posting::transfer(to, pool, money, repaid));
        all.extend(Posting::transfer(to, from, money, reward));
        all.extend(Posting::transfer(to, fees, money, rest.saturating_sub(reward)));
        all.extend(Posting::transfer(from, fees, money, lost));
        all.extend(Posting::transfer(from, pool, Item::Debt(auction.debt), signed(cleared)?));
        if open == 0 || left == 0 {
            all.extend(Posting::transfer(from, Holder::Group(GroupId(kicked.kicker)), money, kicked.bond));
            kicked.bond = 0;
        }
        if open == 0 {
            all.extend(Posting::transfer(from, Holder::Group(auction.of), sold, left));
        }
        memory.set(scope, &kicked)?;
        all.retain(|p| p.units != 0);
        let mut steps = vec![Step::Move(all)];
        if left == 0 && open > 0 {
            let owed = Amount::new(auction.owed.get().saturating_sub(repaid));
            steps.push(Step::Loss { holder: from, asset: auction.debt, amount: owed });
        }
        Ok(Ok(Plan { steps, again: None, worsens: false }))
    }
}

impl LiquidationStrategy for KickedAuction {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let not = |takes| Ok(Err(Refusal::NotForThisBid { takes }));
        let Taker::Keeper(keeper) = bid.by else { return not("a keeper's kick") };
        match (&case.auction, bid.give, bid.at_most) {
            (None, None, _) if !case.health.below(Level::Maintenance) => Ok(Err(Refusal::Healthy)),
            (None, None, _) => self.kick(case, keeper, memory),
            (Some(auction), Some((Item::Asset(paid), pay)), Some(want))
                if paid == auction.debt && pay > 0 && want > 0 =>
            {
                self.take(case, auction, (keeper, unsigned(want)?, unsigned(pay)?), memory)
            }
            _ => not("a kick, or money for what an auction sells"),
        }
    }
}
