//! Liquidation without a market: a pool of depositors pays the debt off and gets the collateral; what it cannot pay the other borrowers
//! take over. Nobody has to find a buyer, and nobody bids.
//!
//! Source: Liquity's white paper (2021), sections 3.1 to 3.3, and liquity/bold README, "Liquidation and the Stability Pool" and
//! "Shutdown logic".

use crate::close::asset;
use crate::terms::accept;
use crate::{Bid, LiquidationError, LiquidationStrategy, Owing, Plan, Refusal, RepayOffer, Step, Taker};
use alloc::vec::Vec;
use cofferdam_core::{
    Amount, AssetId, AssetView, Case, Holder, House, Item, Level, MathError, Memory, MemoryError, Millis,
    PoolId, PoolTotals, Posting, Ppb, Quanta, Reader, Record, Rounding, Scaled, Scope, Writer, wide,
};

/// Of which part of the collateral whoever asked for a liquidation gets its share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeeperPart {
    /// Of all that is liquidated.
    All,
    /// Of what goes to the pool of depositors.
    Offset,
}

/// What changes while all borrowers together are short of collateral.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Critical {
    /// All collateral per all debt, by value, below which it does.
    pub below: Ppb,
    /// Who is above maintenance and below everybody's average may then be liquidated whole by the pool, for collateral worth at most
    /// so much more than the debt.
    pub seized_max: Ppb,
}

/// When lending ends for good, and what winds it up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shutdown {
    /// All collateral per all debt, by value, below which it does.
    pub below: Ppb,
    /// From then on a keeper's bid repays any borrower's debt, for collateral worth so much more.
    pub bonus: Ppb,
}

/// Who is liquidated, by whom and at which price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetTerms {
    /// The pool that lent.
    pub lender: PoolId,
    /// What it lends.
    pub debt: AssetId,
    /// What borrowers pledge.
    pub collateral: AssetId,
    /// The pool that pays debts off.
    pub pool: PoolId,
    /// What always stays in that pool, in atoms.
    pub keeps: Amount,
    /// The keeper's share of collateral; the house's, where the engine liquidates.
    pub keeper_share: Ppb,
    /// At most so much, in atoms.
    pub keeper_max: Option<Amount>,
    /// Of which part.
    pub keeper_of: KeeperPart,
    /// The pool gets collateral worth at most so much more than the debt that it pays; `None` for its share of all there is.
    pub offset_max: Option<Ppb>,
    /// Other borrowers get collateral worth at most so much more than the debt that they take; `None` for all the rest.
    pub redistribution_max: Option<Ppb>,
    /// When all together are short.
    pub critical: Option<Critical>,
    /// When lending ends.
    pub shutdown: Option<Shutdown>,
}

/// Offsets a debt against a pool of depositors, and redistributes the rest over the other borrowers by their collateral. The last
/// borrower is never liquidated: nobody would be left to take over. What a cap leaves of the collateral stays the account's.
///
/// Shares of collateral round down, for the account or for whom comes later; what a debt is worth rounds down, against the pool. Breaks
/// INV-12 and INV-26 by design (an account's health moves, and its collateral grows with a debt, by what others did), INV-17 while all
/// together are short, and INV-19.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetThenRedistribute {
    terms: OffsetTerms,
}

/// Whether lending has ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ended(bool);

impl Record for Ended {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u8(u8::from(self.0));
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self(from.u8()? != 0)),
            found => Err(MemoryError::Version { found }),
        }
    }
}

/// How much of debt and collateral goes where, in atoms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Split {
    keeper: Amount,
    /// Paid by the pool, for.
    offset: (Amount, Amount),
    /// Taken by other borrowers, with. Of the debt all that is left.
    rest: Amount,
}

/// The subject's loan in this collateral.
struct Loan<'c> {
    owing: Owing,
    scaled: Scaled,
    held: Amount,
    lent: &'c AssetView,
    of: &'c AssetView,
    all: PoolTotals,
}

impl Loan<'_> {
    fn debt_value(&self, x: Amount) -> Result<Quanta, MathError> {
        self.lent.scale.value(x, self.lent.price.mid, Rounding::Down)
    }

    fn held_value(&self, x: Amount) -> Result<Quanta, MathError> {
        self.of.scale.value(x, self.of.price.mid, Rounding::Down)
    }

    /// Whether all collateral is worth less than `ratio` times all debt, in exact products.
    fn all_below(&self, ratio: Ppb) -> Result<bool, MathError> {
        let (has, owed) = (self.held_value(self.all.backing)?, self.debt_value(self.all.owed)?);
        let unit = |p: Ppb| u128::from(p.0.unsigned_abs());
        Ok(wide::U256::product(has.get().unsigned_abs(), unit(Ppb::ONE))
            < wide::U256::product(owed.get().unsigned_abs(), unit(ratio)))
    }

    /// Whether the subject has less collateral per debt than all together.
    fn below_average(&self) -> bool {
        let product =
            |a: Amount, b: Amount| wide::U256::product(a.get().unsigned_abs(), b.get().unsigned_abs());
        product(self.held, self.all.owed) < product(self.all.backing, self.owing.owed())
    }

    /// Whether no other borrower has any collateral.
    fn alone(&self) -> bool {
        self.all.backing <= self.held
    }

    /// Collateral worth a debt and so much more, rounded down.
    fn worth(&self, debt: Amount, more: Ppb) -> Result<Amount, MathError> {
        let value = self.debt_value(debt)?.get();
        let whole = i128::from(Ppb::ONE.0);
        let factor = whole.saturating_add(more.0.into()); // two i64 fit i128
        let value = Quanta::new(wide::mul_div(value, factor, whole, Rounding::Down)?);
        self.of.scale.amount(value, self.of.price.mid, Rounding::Down)
    }
}

impl OffsetThenRedistribute {
    /// On these terms.
    ///
    /// # Errors
    ///
    /// Shares beyond one whole; amounts below zero; debt and collateral in one asset; a floor below one whole, where everybody's debt
    /// would be worth more than everybody's collateral.
    pub fn new(terms: OffsetTerms) -> Result<Self, LiquidationError> {
        let ratio = |p: Ppb| (0..=Ppb::ONE.0).contains(&p.0);
        let accepted = "0 to 1000000000 parts per billion";
        let t = &terms;
        accept(ratio(t.keeper_share), "keeper_share", t.keeper_share.0.into(), accepted)?;
        for (field, p) in [
            ("offset_max", t.offset_max),
            ("redistribution_max", t.redistribution_max),
            ("critical.seized_max", t.critical.map(|c| c.seized_max)),
            ("shutdown.bonus", t.shutdown.map(|s| s.bonus)),
        ] {
            accept(p.is_none_or(ratio), field, p.unwrap_or(Ppb::ZERO).0.into(), accepted)?;
        }
        for (field, p) in
            [("critical.below", t.critical.map(|c| c.below)), ("shutdown.below", t.shutdown.map(|s| s.below))]
        {
            let p = p.unwrap_or(Ppb::ONE);
            accept(p >= Ppb::ONE, field, p.0.into(), "1000000000 parts per billion or more")?;
        }
        for (field, x) in [("keeps", t.keeps), ("keeper_max", t.keeper_max.unwrap_or(Amount::ZERO))] {
            accept(!x.is_negative(), field, x.get(), "0 or more atoms")?;
        }
        accept(t.debt != t.collateral, "collateral", t.collateral.0.into(), "another asset than the debt's")?;
        accept(t.pool != t.lender, "pool", t.pool.0.into(), "another pool than the lender")?;
        Ok(Self { terms })
    }

    fn loan<'c>(&self, case: &Case<'c>) -> Result<Option<Loan<'c>>, LiquidationError> {
        let t = &self.terms;
        let Some(owing @ Owing::Loan { scaled, .. }) = Owing::loan(case, t.lender, t.debt) else {
            return Ok(None);
        };
        let (lent, of) = (asset(case, t.debt)?, asset(case, t.collateral)?);
        let held = case.group.balance(t.collateral).positive_part();
        Ok(Some(Loan { owing, scaled, held, lent, of, all: (case.totals)(t.lender, t.collateral)? }))
    }

    /// What the pool can pay.
    fn payable(&self, case: &Case<'_>) -> Result<Amount, LiquidationError> {
        let cash = (case.totals)(self.terms.pool, self.terms.collateral)?.cash;
        Ok(cash.try_sub(self.terms.keeps)?.positive_part())
    }

    fn keeper(&self, of: Amount) -> Result<Amount, MathError> {
        let share = Amount::new(self.terms.keeper_share.of_units(of.get(), Rounding::Down)?);
        Ok(self.terms.keeper_max.map_or(share, |most| most.min(share)))
    }

    /// Splits `seized` of the collateral, where the pool pays `paid` of the debt.
    fn split(&self, loan: &Loan<'_>, seized: Amount, paid: Amount) -> Result<Split, LiquidationError> {
        let owed = loan.owing.owed();
        let part = |x: Amount| -> Result<Amount, MathError> {
            Ok(Amount::new(wide::mul_div(x.get(), paid.get(), owed.get(), Rounding::Down)?))
        };
        let cut = |x: Amount, debt: Amount, max: Option<Ppb>| -> Result<Amount, MathError> {
            Ok(match max {
                Some(more) => x.min(loan.worth(debt, more)?),
                None => x,
            })
        };
        let (keeper, offered) = match self.terms.keeper_of {
            KeeperPart::All => {
                let keeper = self.keeper(seized)?;
                (keeper, part(seized.try_sub(keeper)?)?)
            }
            KeeperPart::Offset => {
                let portion = part(seized)?;
                let keeper = self.keeper(portion)?;
                (keeper, portion.try_sub(keeper)?)
            }
        };
        let offset = cut(offered, paid, self.terms.offset_max)?;
        let left = seized.try_sub(keeper)?.try_sub(offset)?;
        let taken = owed.try_sub(paid)?;
        let rest =
            if taken.is_zero() { Amount::ZERO } else { cut(left, taken, self.terms.redistribution_max)? };
        Ok(Split { keeper, offset: (paid, offset), rest })
    }

    fn steps(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        loan: &Loan<'_>,
        split: Split,
    ) -> Result<Vec<Step>, LiquidationError> {
        let t = &self.terms;
        let mut steps = Vec::new();
        if split.keeper.get() > 0 {
            let to = match bid.by {
                Taker::Keeper(keeper) => Holder::Group(keeper),
                Taker::Engine => Holder::House(House::Fees),
            };
            let from = Holder::Group(case.group.id);
            let p = Posting::transfer(from, to, Item::Asset(t.collateral), split.keeper.get());
            steps.push(Step::Move(p.into()));
        }
        let (paid, offset) = split.offset;
        let cleared = if paid.is_zero() { 0 } else { loan.owing.cleared(loan.lent, paid)? };
        let cleared = Scaled::new(cleared.unsigned_abs());
        let (asset, debt) = (t.collateral, t.debt);
        if cleared.get() > 0 {
            steps.push(Step::Offset { pool: t.pool, asset, amount: offset, debt, scaled: cleared });
        }
        let left = loan.scaled.try_sub(cleared)?;
        if left.get() > 0 {
            steps.push(Step::Redistribute { asset, amount: split.rest, debt, scaled: left });
        }
        Ok(steps)
    }

    /// How much of the debt the pool pays, of how much collateral; or why nobody is liquidated.
    fn terms_of(
        &self,
        case: &Case<'_>,
        loan: &Loan<'_>,
    ) -> Result<Result<(Amount, Amount), Refusal>, LiquidationError> {
        let owed = loan.owing.owed();
        let critical = match self.terms.critical {
            Some(c) if loan.all_below(c.below)? => Some(c),
            _ => None,
        };
        let below = case.health.below(Level::Maintenance);
        if !(below || critical.is_some() && loan.below_average()) {
            return Ok(Err(Refusal::Healthy));
        }
        if loan.alone() {
            return Ok(Err(Refusal::Nothing));
        }
        let payable = self.payable(case)?;
        Ok(Ok(match critical {
            // the pool is spared a debt that its collateral does not cover
            Some(_) if below && loan.held_value(loan.held)? <= loan.debt_value(owed)? => {
                (Amount::ZERO, loan.held)
            }
            Some(c) if !below => {
                if payable < owed {
                    return Ok(Err(Refusal::TooMuch { max: payable.get() }));
                }
                (owed, loan.held.min(loan.worth(owed, c.seized_max)?))
            }
            _ => (payable.min(owed), loan.held),
        }))
    }

    /// A keeper's repayment of anybody's debt, once lending has ended.
    fn redeem(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        loan: &Loan<'_>,
        bonus: Ppb,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let offer = match RepayOffer::of(case, bid) {
            Ok(o) if o.debt == self.terms.debt && o.collateral == self.terms.collateral => o,
            Ok(_) => return Ok(Err(Refusal::NotForThisBid { takes: "the debt for its collateral" })),
            Err(no) => return Ok(Err(no)),
        };
        let mut paid = offer.amount.min(loan.owing.owed());
        let mut seized = loan.worth(paid, bonus)?;
        if seized > loan.held {
            // held / (1 + bonus), rounded up: the keeper pays for the fraction
            seized = loan.held;
            let factor = i128::from(Ppb::ONE.0).saturating_add(bonus.0.into());
            let value = loan.of.scale.value(seized, loan.of.price.mid, Rounding::Up)?.get();
            let value = wide::mul_div(value, Ppb::ONE.0.into(), factor, Rounding::Up)?;
            let most = loan.lent.scale.amount(Quanta::new(value), loan.lent.price.mid, Rounding::Up)?;
            paid = paid.min(most);
        }
        let cleared = loan.owing.cleared(loan.lent, paid)?;
        if seized.is_zero() || cleared == 0 {
            return Ok(Err(Refusal::TooLittle { min: loan.owing.owed().get() }));
        }
        if bid.at_least.is_some_and(|least| seized.get() < least) {
            return Ok(Err(Refusal::BelowAsk { offered: seized.get() }));
        }
        let (group, keeper) = (Holder::Group(case.group.id), Holder::Group(offer.keeper));
        let lender = Holder::Pool(self.terms.lender);
        let mut p: Vec<Posting> =
            Posting::transfer(keeper, lender, Item::Asset(self.terms.debt), paid.get()).into();
        p.extend(Posting::transfer(group, lender, Item::Debt(self.terms.debt), cleared));
        p.extend(Posting::transfer(group, keeper, Item::Asset(self.terms.collateral), seized.get()));
        let mut steps = alloc::vec![Step::Move(p)];
        let left = loan.owing.owed().try_sub(paid)?;
        let bare =
            case.group.balances.iter().all(|b| b.asset == self.terms.collateral || b.amount.get() <= 0);
        if seized == loan.held && bare && left.get() > 0 && loan.alone() {
            // nobody is left who could take over what nothing backs
            steps.push(Step::Loss { holder: group, asset: self.terms.debt, amount: left });
        }
        Ok(Ok(Plan { steps, again: None, worsens: false }))
    }

    /// Whether lending has ended, now or before.
    fn ended(&self, loan: &Loan<'_>, memory: &mut Memory<'_>) -> Result<Option<Ppb>, LiquidationError> {
        let Some(shutdown) = self.terms.shutdown else { return Ok(None) };
        let scope = Scope::Pool(self.terms.lender);
        let Ended(mut ended) = memory.get(scope)?;
        if !ended && loan.all_below(shutdown.below)? {
            ended = true;
            memory.set(scope, &Ended(true))?;
        }
        Ok(ended.then_some(shutdown.bonus))
    }
}

impl LiquidationStrategy for OffsetThenRedistribute {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        if bid.auction.is_some() {
            return Ok(Err(Refusal::NotForThisBid { takes: "a bid for an account" }));
        }
        let Some(loan) = self.loan(case)? else { return Ok(Err(Refusal::Nothing)) };
        if let (Some(bonus), Taker::Keeper(_)) = (self.ended(&loan, memory)?, bid.by) {
            return self.redeem(case, bid, &loan, bonus);
        }
        let (paid, seized) = match self.terms_of(case, &loan)? {
            Ok(terms) => terms,
            Err(no) => return Ok(Err(no)),
        };
        let split = self.split(&loan, seized, paid)?;
        let size =
            [split.keeper, split.offset.1, split.rest].into_iter().try_fold(Amount::ZERO, Amount::try_add)?;
        if size.get().unsigned_abs() > case.allowed.allowed(case.at.time) {
            // whole or not yet
            let next = case.at.time.try_add(Millis(1))?;
            return Ok(Err(Refusal::NotBefore { time: case.allowed.not_before.max(next) }));
        }
        let steps = self.steps(case, bid, &loan, split)?;
        Ok(Ok(Plan { steps, again: None, worsens: false }))
    }
}
