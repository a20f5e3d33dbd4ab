//! Trades with bands, and what is liquidated all the same.

use super::amm::amounts;
use super::math::{ONE, add, ratio, sub};
use super::{Limiter, Pair, Traded, atoms, trade, wads};
use cofferdam_core::{
    Amount, AssetId, Bands, Case, GroupId, Holder, Item, Level, MathError, Memory, PoolId, Posting, RAY,
    Scope, wide,
};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, LiquidationStrategy, Plan, Refusal, Step, Taker,
};

/// The least fee (MIN_FEE), a wad.
const FEE_MIN: u128 = 1_000_000;

/// Lets anybody trade with an account's bands at the price that they make, and a keeper take a loan over whose bands come to less than
/// its debt: it pays what is missing of the debt and gets all that the bands hold, or a part of both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BandTrades {
    pool: PoolId,
    money: AssetId,
    collateral: AssetId,
    fee: u128,
    discount: u128,
}

impl BandTrades {
    /// For a market: the pool that lends `money`, against `collateral`; the fee of a trade and the
    /// discount of a liquidation are wads.
    ///
    /// # Errors
    ///
    /// What the venue does not accept: a fee of nothing, or of more than min(4 / A, 10 %).
    pub fn new(
        pool: PoolId,
        (money, collateral): (AssetId, AssetId),
        (fee, discount): (u128, u128),
        amplification: u32,
    ) -> Result<Self, LiquidationError> {
        let most = ratio(4, ONE, amplification.max(1).into())?.min(ONE / 10);
        if fee < FEE_MIN || fee > most {
            return Err(LiquidationError::Parameter {
                field: "fee",
                value: i128::try_from(fee).unwrap_or(i128::MAX),
                accepted: "1e-12 to min(4 / A, 10 %), a wad (Curve: MIN_FEE, MAX_FEE)",
            });
        }
        if discount >= ONE {
            return Err(LiquidationError::Parameter {
                field: "liquidation_discount",
                value: i128::try_from(discount).unwrap_or(i128::MAX),
                accepted: "below one (Curve: loan discount >= 100%)",
            });
        }
        Ok(Self { pool, money, collateral, fee, discount })
    }

    fn pair<'c>(&self, case: &Case<'c>) -> Result<Pair<'c>, LiquidationError> {
        Pair::of(case.world, self.money, self.collateral).map_err(LiquidationError::NoPrice)
    }

    /// A trade with the bands, with what is offered; the limiter's step becomes the last one.
    fn exchange(
        &self,
        case: &Case<'_>,
        (trader, give, amount): (GroupId, AssetId, i128),
        at_least: Option<i128>,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let Some(bands) = case.world.bands(case.group.id) else { return Ok(Err(Refusal::Nothing)) };
        let pair = self.pair(case)?;
        let buys = give == self.money;
        let (given, wanted) =
            if buys { (pair.money, pair.collateral) } else { (pair.collateral, pair.money) };
        let now_s = case.at.time.0.checked_div(1_000).ok_or(MathError::DivisionByZero)?;
        let limiter: Limiter = memory.get(Scope::Asset(self.collateral))?;
        let (oracle, step) = limiter.limit(pair.oracle()?, now_s)?;
        let grid = pair.spaced(&bands.grid)?;
        let offered = wads(given, Amount::new(amount))?;
        let Traded { paid, got, bands } = trade(&grid, &bands, buys, offered, (oracle, step.max(self.fee)))?;
        // what comes in is rounded up to an atom and what goes out down: the account gains, below an atom of each
        let (paid, got) = (atoms(given, paid, true)?, atoms(wanted, got, false)?);
        if paid.is_zero() || got.is_zero() {
            return Ok(Err(Refusal::TooLittle { min: 1 }));
        }
        if at_least.is_some_and(|least| got.get() < least) {
            return Ok(Err(Refusal::BelowAsk { offered: got.get() }));
        }
        memory.set(Scope::Asset(self.collateral), &Limiter { price: oracle, fee: step, at_s: now_s })?;
        let (from, to) = (Holder::Group(trader), Holder::Group(case.group.id));
        let mut postings = Vec::from(Posting::transfer(from, to, Item::Asset(given.id), paid.get()));
        postings.extend(Posting::transfer(to, from, Item::Asset(wanted.id), got.get()));
        let steps = vec![Step::Move(postings), Step::Bands(bands)];
        Ok(Ok(Plan { steps, again: None, worsens: false }))
    }

    /// Which share of the bands goes with a share of the debt (`_get_f_remove`): ((1 + h / 2) / (1 + h) (1 - part) + part) part, with the
    /// liquidation discount h. All for all; of a part a little less, so that taking parts improves what stays.
    ///
    /// # Errors
    ///
    /// A part of more than one.
    pub fn share(&self, part: u128) -> Result<u128, MathError> {
        if part == ONE {
            return Ok(ONE);
        }
        let half = add(ONE, self.discount >> 1)?;
        let less = ratio(half, sub(ONE, part)?, add(ONE, self.discount)?)?;
        ratio(add(less, part)?, part, ONE)
    }

    /// A part of the debt, or all of it, is paid out of what the bands have got already, then by the keeper, who gets what goes with it.
    fn liquidate(
        &self,
        case: &Case<'_>,
        (keeper, offered): (GroupId, i128),
        at_least: Option<i128>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let pair = self.pair(case)?;
        let debt = case.group.debts.iter().find(|d| d.asset == self.money && d.owed.get() > 0);
        let (Some(bands), Some(debt)) = (case.world.bands(case.group.id), debt) else {
            return Ok(Err(Refusal::Nothing));
        };
        let got = atoms(pair.money, bands.sold_total().ok_or(MathError::Overflow)?, false)?;
        let missing = debt.owed.try_sub(got.min(debt.owed))?;
        // whoever pays what is missing takes all over; who pays less repays so much of the debt
        let whole = offered >= missing.get();
        let unsigned = |x: i128| u128::try_from(x).map_err(|_| MathError::Negative);
        let part = if whole { ONE } else { ratio(unsigned(offered)?, ONE, unsigned(debt.owed.get())?)? };
        let (repaid, scaled) = if whole {
            (debt.owed, debt.scaled.get())
        } else {
            // up to an atom, as the venue: no more than was offered, since the part was rounded down
            let repaid = wide::mul_div_unsigned(unsigned(debt.owed.get())?, part, ONE, true)?;
            let units = ratio(repaid, RAY, pair.money.debt_index.get())?;
            (Amount::new(i128::try_from(repaid).map_err(|_| MathError::Overflow)?), units)
        };
        if scaled == 0 {
            return Ok(Err(Refusal::TooLittle { min: 2 }));
        }
        let share = self.share(part)?;
        let mut left = if whole { Bands::default() } else { bands.clone() };
        let (mut money, mut collateral) = (0_u128, 0_u128);
        for at in 0..bands.held.len() {
            let (x, y) = amounts(&bands, at);
            let (dx, dy) = (ratio(x, share, ONE)?, ratio(y, share, ONE)?);
            (money, collateral) = (add(money, dx)?, add(collateral, dy)?);
            if let (Some(sold), Some(held)) = (left.sold.get_mut(at), left.held.get_mut(at)) {
                (*sold, *held) = (sub(x, dx)?, sub(y, dy)?);
            }
        }
        let (money, collateral) =
            (atoms(pair.money, money, false)?, atoms(pair.collateral, collateral, false)?);
        if at_least.is_some_and(|least| collateral.get() < least) {
            return Ok(Err(Refusal::BelowAsk { offered: collateral.get() }));
        }
        let used = money.min(repaid);
        let scaled = i128::try_from(scaled).map_err(|_| MathError::Overflow)?;
        let (group, keeper) = (Holder::Group(case.group.id), Holder::Group(keeper));
        let (pool, cash) = (Holder::Pool(self.pool), Item::Asset(self.money));
        let mut postings = Vec::new();
        postings.extend(Posting::transfer(group, pool, cash, used.get()));
        postings.extend(Posting::transfer(keeper, pool, cash, repaid.try_sub(used)?.get()));
        postings.extend(Posting::transfer(group, pool, Item::Debt(self.money), scaled));
        postings.extend(Posting::transfer(group, keeper, Item::Asset(self.collateral), collateral.get()));
        postings.extend(Posting::transfer(group, keeper, cash, money.try_sub(used)?.get()));
        postings.retain(|p| p.units != 0);
        Ok(Ok(Plan { steps: vec![Step::Move(postings), Step::Bands(left)], again: None, worsens: false }))
    }
}

impl LiquidationStrategy for BandTrades {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let not = |takes| Ok(Err(Refusal::NotForThisBid { takes }));
        let below = case.health.below(Level::Maintenance);
        let Taker::Keeper(keeper) = bid.by else {
            return if below {
                not("a keeper who pays what is missing of the debt")
            } else {
                Ok(Err(Refusal::Healthy))
            };
        };
        if keeper == case.group.id || bid.auction.is_some() {
            return not("somebody else's bid, outside an auction");
        }
        let (money, collateral) = (self.money, self.collateral);
        match (bid.give, bid.want) {
            (Some((Item::Asset(give), amount)), Some(Item::Asset(want)))
                if amount > 0
                    && ((give, want) == (money, collateral) || (give, want) == (collateral, money)) =>
            {
                self.exchange(case, (keeper, give, amount), bid.at_least, memory)
            }
            (Some((Item::Debt(debt), _)), Some(Item::Asset(want))) if (debt, want) != (money, collateral) => {
                not("the debt of the market, for its collateral")
            }
            (Some((Item::Debt(_), offered)), Some(Item::Asset(_))) if below => {
                self.liquidate(case, (keeper, offered), bid.at_least)
            }
            (Some((Item::Debt(_), _)), Some(Item::Asset(_))) => Ok(Err(Refusal::Healthy)),
            _ => not("an exchange of the market's two assets, or a repayment of its debt for collateral"),
        }
    }
}
