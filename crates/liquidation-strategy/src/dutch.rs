//! Dutch auctions of collateral (Maker Liquidations 2.0, makerdao/dss@fa4f663: `dog.sol` starts them, `clip.sol` sells): a price that
//! starts above the market and falls; keepers take as much as they like at it; a bound on how much may be for sale at once; an
//! auction that took too long or fell too far begins again at a fresh price.

use crate::close::{asset, steps_worsen};
use crate::terms::accept;
use crate::{Bid, LiquidationError, LiquidationStrategy, Plan, PriceCurve, Refusal, Step, Taker};
use alloc::vec::Vec;
use cofferdam_core::{
    Amount, AssetView, AuctionView, BalanceView, Case, DebtView, GroupId, Holder, House, Item, Level,
    MathError, Memory, MemoryError, Millis, PoolId, Posting, Ppb, Quanta, RAY, Reader, Record, Rounding,
    Scaled, Scope, Writer, wide,
};

/// The terms of [`DutchAuction`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DutchTerms {
    /// The pool that lent and is repaid.
    pub pool: PoolId,
    /// The first price, as a share of the market's: at least one (Maker: `buf`).
    pub start: Ppb,
    /// How it falls.
    pub curve: PriceCurve,
    /// After so long an auction has to begin again (`tail`).
    pub longest: Millis,
    /// Below this share of its first price likewise (`cusp`).
    pub lowest: Ppb,
    /// What is raised beyond the debt, as a share of it (`chop` less one). Goes to the house.
    pub penalty: Ppb,
    /// How much may be raised by all auctions together, in quanta of the numeraire (`Hole`); `None`: any.
    pub raised_max: Option<Quanta>,
    /// What a sale must leave to be raised, unless it leaves nothing (`chost`); and the least debt that an account keeps or an
    /// auction begins with (`dust`). In quanta of the numeraire.
    pub raise_min: Quanta,
    /// Where there is no room now, when to ask again.
    pub pause: Millis,
}

/// Opens an auction for every account below maintenance, as far as there is room, and sells from it at a falling price.
///
/// What a keeper pays is rounded up, what it gets for its money down: the account gains, below one atom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DutchAuction {
    terms: DutchTerms,
}

/// An auction as its rule remembers it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Sale {
    /// When it began, in milliseconds.
    began: u64,
    /// Its first price, in ticks of 1e-18.
    top: u128,
    /// What is still to be raised, penalty included, in atoms of the debt.
    tab: i128,
}

impl Record for Sale {
    const VERSION: u8 = 1;
    fn write(&self, to: &mut Writer) {
        to.u64(self.began).u128(self.top).i128(self.tab);
    }
    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self { began: from.u64()?, top: from.u128()?, tab: from.i128()? }),
            found => Err(MemoryError::Version { found }),
        }
    }
}

/// What all auctions together are to raise, in quanta (`Dirt`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Raising(i128);

impl Record for Raising {
    const VERSION: u8 = 1;
    fn write(&self, to: &mut Writer) {
        to.i128(self.0);
    }
    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self(from.i128()?)),
            found => Err(MemoryError::Version { found }),
        }
    }
}

/// What is sold and what is raised, with their scales and prices.
struct Pair<'c> {
    sold: &'c AssetView,
    raised: &'c AssetView,
}

impl Pair<'_> {
    /// Atoms of the debt for some of the lot at a price, rounded up.
    fn owe(&self, slice: Amount, price: Fine) -> Result<Amount, MathError> {
        let value = price.value(self.sold, slice, true)?;
        self.raised.scale.amount(value, self.raised.price.mid, Rounding::Up)
    }

    /// Atoms of the lot that an amount of the debt's asset buys at a price, rounded down.
    fn slice(&self, pay: Amount, price: Fine) -> Result<Amount, MathError> {
        let value = self.raised.scale.value(pay, self.raised.price.mid, Rounding::Down)?;
        price.amount(self.sold, value)
    }

    fn worth(&self, owed: Amount) -> Result<Quanta, MathError> {
        self.raised.scale.value(owed, self.raised.price.mid, Rounding::Up)
    }
}

/// A price in ticks, with eighteen more decimals: a falling price is finer than the market's tick.
#[derive(Clone, Copy)]
struct Fine(u128);

impl Fine {
    /// The market's price times a share, rounded down: the keeper gains less than 1e-18 of a tick.
    fn of(view: &AssetView, share: Ppb) -> Result<Self, MathError> {
        let ticks = u128::try_from(view.price.mid.get()).map_err(|_| MathError::Negative)?;
        let share = u128::try_from(share.0).map_err(|_| MathError::Negative)?;
        wide::mul_div_unsigned(ticks, share.checked_mul(SCALE).ok_or(MathError::Overflow)?, ONE, false)
            .map(Self)
    }

    /// The value of atoms at this price, in quanta.
    fn value(self, view: &AssetView, atoms: Amount, up: bool) -> Result<Quanta, MathError> {
        let atoms = u128::try_from(atoms.get()).map_err(|_| MathError::Negative)?;
        // atoms x price / 1e18, then from atoms x ticks to quanta; rounded once more in the same direction
        let (whole, rest) = wide::U256::product(atoms, self.0).div_rem(SCALE)?;
        let whole = if up && rest > 0 { whole.checked_add(1).ok_or(MathError::Overflow)? } else { whole };
        let product = i128::try_from(whole).map_err(|_| MathError::Overflow)?;
        let rounding = if up { Rounding::Up } else { Rounding::Down };
        scaled(view, product, rounding).map(Quanta::new)
    }

    /// The atoms that a value buys at this price, rounded down.
    fn amount(self, view: &AssetView, value: Quanta) -> Result<Amount, MathError> {
        let value = u128::try_from(value.get()).map_err(|_| MathError::Negative)?;
        if self.0 == 0 {
            return Err(MathError::DivisionByZero);
        }
        let unit = unit(view)?;
        // value x 10^unit x SCALE / price, down
        let atoms = if unit >= 0 {
            let up = 10_u128.checked_pow(unit.unsigned_abs()).ok_or(MathError::Overflow)?;
            wide::mul_div_unsigned(value, up.checked_mul(SCALE).ok_or(MathError::Overflow)?, self.0, false)?
        } else {
            let down = 10_u128.checked_pow(unit.unsigned_abs()).ok_or(MathError::Overflow)?;
            wide::mul_div_unsigned(value, SCALE, self.0.checked_mul(down).ok_or(MathError::Overflow)?, false)?
        };
        Amount::new(i128::try_from(atoms).map_err(|_| MathError::Overflow)?).try_add(Amount::ZERO)
    }
}

/// One, in parts per billion.
const ONE: u128 = 1_000_000_000;
/// The decimals that a falling price carries below a tick.
const SCALE: u128 = 1_000_000_000_000_000_000;

/// Decimal places between a product of atoms and ticks and a quantum: value = product / 10^unit.
fn unit(view: &AssetView) -> Result<i32, MathError> {
    let s = view.scale;
    let places = i32::from(s.decimals).checked_sub(i32::from(s.price_exponent)).ok_or(MathError::Overflow)?;
    places.checked_add(i32::from(s.quantum_exponent)).ok_or(MathError::Overflow)
}

fn scaled(view: &AssetView, product: i128, rounding: Rounding) -> Result<i128, MathError> {
    let unit = unit(view)?;
    let power = 10_i128.checked_pow(unit.unsigned_abs()).ok_or(MathError::Overflow)?;
    if unit >= 0 {
        wide::div(product, power, rounding)
    } else {
        product.checked_mul(power).ok_or(MathError::Overflow)
    }
}

impl DutchAuction {
    /// On these terms: a start of at least the market's price, a lowest share below one, a curve that falls, amounts of zero or
    /// more, a longest time and a pause above zero.
    pub fn new(terms: DutchTerms) -> Result<Self, LiquidationError> {
        let t = &terms;
        let ten = Ppb::ONE.0.saturating_mul(10);
        accept(
            (Ppb::ONE.0..=ten).contains(&t.start.0),
            "start",
            t.start.0.into(),
            "1 to 10, as 1e9 to 1e10 ppb",
        )?;
        t.curve.check()?;
        accept(t.longest.0 >= 1_000, "longest", t.longest.0.into(), "at least one second")?;
        accept((0..Ppb::ONE.0).contains(&t.lowest.0), "lowest", t.lowest.0.into(), "0 to less than 1e9 ppb")?;
        accept((0..=Ppb::ONE.0).contains(&t.penalty.0), "penalty", t.penalty.0.into(), "0 to 1e9 ppb")?;
        let max = t.raised_max.unwrap_or(Quanta::ONE);
        accept(max.get() > 0, "raised_max", max.get(), "more than 0 quanta")?;
        accept(!t.raise_min.is_negative(), "raise_min", t.raise_min.get(), "0 or more quanta")?;
        accept(t.pause.0 > 0, "pause", t.pause.0.into(), "at least 1 ms")?;
        Ok(Self { terms })
    }

    /// The price now.
    fn price(&self, sale: &Sale, now: Millis) -> Result<Fine, MathError> {
        let elapsed = now.0.saturating_sub(sale.began) / 1_000;
        self.terms.curve.price(sale.top, elapsed).map(Fine)
    }

    /// Whether an auction has to begin again: it took longer than `longest`, or its price fell below `lowest` of the first.
    fn over(&self, sale: &Sale, price: Fine, now: Millis) -> bool {
        let lowest = u128::try_from(self.terms.lowest.0).unwrap_or(0);
        now.0.saturating_sub(sale.began) > self.terms.longest.0
            || wide::U256::product(price.0, ONE) < wide::U256::product(sale.top, lowest)
    }

    /// Opens an auction of an account's largest collateral for its first debt.
    fn open(
        &self,
        case: &Case<'_>,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let Some((held, debt)) = Self::pair(case)? else { return Ok(crate::close::remains(case)) };
        let (sold, raised) = (asset(case, held.asset)?, asset(case, debt.asset)?);
        let pair = Pair { sold, raised };
        let raising: Raising = memory.get(Scope::All)?;
        let Some((owed, tab)) = self.fits(&pair, debt, raising)? else {
            return Ok(Err(Refusal::NotBefore { time: case.at.time.try_add(self.terms.pause)? }));
        };
        let (lot, units) = if owed >= debt.owed {
            (held.amount, debt.scaled)
        } else {
            // in proportion, the lot down: what stays backs what stays
            let lot = wide::mul_div(held.amount.get(), owed.get(), debt.owed.get(), Rounding::Down)?;
            let owed = u128::try_from(owed.get()).map_err(|_| MathError::Negative)?;
            let units = wide::mul_div_unsigned(owed, RAY, raised.debt_index.get(), false)?;
            (Amount::new(lot), Scaled::new(units.min(debt.scaled.get())))
        };
        if lot.is_zero() || units.is_zero() {
            return Ok(Err(Refusal::Nothing));
        }
        let top = Fine::of(sold, self.terms.start)?.0;
        memory
            .set(Scope::Auction(case.next_auction), &Sale { began: case.at.time.0, top, tab: tab.get() })?;
        let sum = raising.0.checked_add(pair.worth(tab)?.get()).ok_or(MathError::Overflow)?;
        memory.set(Scope::All, &Raising(sum))?;
        let steps = alloc::vec![Step::Auction { asset: held.asset, lot, debt: debt.asset, scaled: units }];
        let worsens = steps_worsen(case, &steps)?;
        let rest = owed < debt.owed;
        let again = if rest { Some(case.at.time.try_add(self.terms.pause)?) } else { None };
        Ok(Ok(Plan { steps, again, worsens }))
    }

    /// The debt that may be auctioned now, with what has to be raised for it; `None` where there is no room.
    fn fits(
        &self,
        pair: &Pair<'_>,
        debt: &DebtView,
        raising: Raising,
    ) -> Result<Option<(Amount, Amount)>, MathError> {
        let tab = |owed: Amount| {
            owed.try_add(Amount::new(self.terms.penalty.of_units(owed.get(), Rounding::Down)?))
        };
        let all = (debt.owed, tab(debt.owed)?);
        let Some(max) = self.terms.raised_max else { return Ok(Some(all)) };
        let room = Quanta::new(max.get().saturating_sub(raising.0)).positive_part();
        if pair.worth(all.1)? <= room {
            return Ok(Some(all));
        }
        // room / (1 + penalty), down
        let whole = i128::from(Ppb::ONE.0).saturating_add(self.terms.penalty.0.into());
        let value = Quanta::new(wide::mul_div(room.get(), Ppb::ONE.0.into(), whole, Rounding::Down)?);
        let owed = pair.raised.scale.amount(value, pair.raised.price.mid, Rounding::Down)?;
        let left = debt.owed.try_sub(owed)?;
        // what would stay is too small to stay: all of it, a little beyond the bound; what would go is too small to go: none
        if pair.worth(left)? < self.terms.raise_min && !room.is_zero() {
            return Ok(Some(all));
        }
        if owed.is_zero() || pair.worth(owed)? < self.terms.raise_min {
            return Ok(None);
        }
        Ok(Some((owed, tab(owed)?)))
    }

    /// The largest collateral by value and the first debt.
    fn pair<'c>(case: &'c Case<'_>) -> Result<Option<(&'c BalanceView, &'c DebtView)>, LiquidationError> {
        let mut largest: Option<(Quanta, &BalanceView)> = None;
        for b in case.group.balances.iter().filter(|b| b.amount.get() > 0) {
            let view = asset(case, b.asset)?;
            let value = view.scale.value(b.amount, view.price.mid, Rounding::Down)?;
            if largest.as_ref().is_none_or(|(v, _)| value > *v) {
                largest = Some((value, b));
            }
        }
        let debt = case.group.debts.iter().find(|d| d.owed.get() > 0);
        Ok(largest.map(|(_, b)| b).zip(debt).filter(|(b, d)| b.asset != d.asset))
    }

    /// Begins an auction again at a fresh price, where it is over.
    fn reset(
        &self,
        case: &Case<'_>,
        auction: &AuctionView,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let scope = Scope::Auction(auction.id);
        let mut sale: Sale = memory.get(scope)?;
        let price = self.price(&sale, case.at.time)?;
        if !self.over(&sale, price, case.at.time) {
            let time = Millis(sale.began).try_add(self.terms.longest)?.try_add(Millis(1))?;
            return Ok(Err(Refusal::NotBefore { time }));
        }
        (sale.began, sale.top) = (case.at.time.0, Fine::of(asset(case, auction.asset)?, self.terms.start)?.0);
        memory.set(scope, &sale)?;
        Ok(Ok(Plan::default()))
    }

    /// Sells from an auction at its price.
    fn sell(
        &self,
        case: &Case<'_>,
        auction: &AuctionView,
        (keeper, want, pay): (GroupId, Amount, Amount),
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let scope = Scope::Auction(auction.id);
        let mut sale: Sale = memory.get(scope)?;
        let price = self.price(&sale, case.at.time)?;
        if self.over(&sale, price, case.at.time) || price.0 == 0 {
            return Ok(Err(Refusal::NotForThisBid { takes: "a bid after the auction has begun again" }));
        }
        let pair = Pair { sold: asset(case, auction.asset)?, raised: asset(case, auction.debt)? };
        // interest may have made the debt larger than what was to be raised
        let tab = Amount::new(sale.tab).max(auction.owed);
        let slice = want.min(auction.lot).min(pair.slice(pay, price)?);
        let Some((slice, owe)) = self.slice(&pair, price, (slice, auction.lot), tab)? else {
            return Ok(Err(Refusal::TooLittle { min: pair.owe(auction.lot, price)?.min(tab).get() }));
        };
        if owe > pay {
            return Ok(Err(Refusal::TooMuch { max: pair.slice(pay, price)?.get() }));
        }
        let left = auction.lot.try_sub(slice)?;
        let raised = tab.try_sub(owe)?;
        let ends = raised.is_zero() || left.is_zero();
        let before = pair.worth(Amount::new(sale.tab))?;
        sale.tab = if ends { 0 } else { raised.get() };
        let after = pair.worth(Amount::new(sale.tab))?;
        memory.set(scope, &sale)?;
        let raising: Raising = memory.get(Scope::All)?;
        let sum = raising.0.saturating_sub(before.get().saturating_sub(after.get())).max(0);
        memory.set(Scope::All, &Raising(sum))?;
        let (postings, owed) = self.postings(case, auction, &pair, (keeper, slice, owe), ends)?;
        let mut steps = alloc::vec![Step::Move(postings)];
        if left.is_zero() && owed.get() > 0 {
            steps.push(Step::Loss { holder: Holder::Auction(auction.id), asset: auction.debt, amount: owed });
        }
        Ok(Ok(Plan { steps, again: None, worsens: false }))
    }

    /// What is sold and paid: no more than is to be raised, and what stays to be raised is nothing or worth an auction.
    fn slice(
        &self,
        pair: &Pair<'_>,
        price: Fine,
        (slice, lot): (Amount, Amount),
        tab: Amount,
    ) -> Result<Option<(Amount, Amount)>, MathError> {
        if slice.is_zero() {
            return Ok(None);
        }
        let owe = pair.owe(slice, price)?;
        if owe > tab {
            let slice = pair.slice(tab, price)?;
            return Ok((!slice.is_zero()).then_some((slice, tab)));
        }
        let stays = tab.try_sub(owe)?;
        if stays.is_zero() || slice >= lot || pair.worth(stays)? >= self.terms.raise_min {
            return Ok(Some((slice, owe)));
        }
        // less than the least would stay: sell so much that exactly the least does
        let least = pair.raised.scale.amount(self.terms.raise_min, pair.raised.price.mid, Rounding::Up)?;
        if tab <= least {
            return Ok(None);
        }
        let slice = pair.slice(tab.try_sub(least)?, price)?;
        Ok(if slice.is_zero() { None } else { Some((slice, pair.owe(slice, price)?)) })
    }

    fn postings(
        &self,
        case: &Case<'_>,
        auction: &AuctionView,
        pair: &Pair<'_>,
        (keeper, slice, owe): (GroupId, Amount, Amount),
        ends: bool,
    ) -> Result<(Vec<Posting>, Amount), LiquidationError> {
        let (from, to, pool) =
            (Holder::Auction(auction.id), Holder::Group(keeper), Holder::Pool(self.terms.pool));
        let (sold, money) = (Item::Asset(auction.asset), Item::Asset(auction.debt));
        // the pool is repaid first; what is raised beyond the debt is the house's penalty
        let repaid = owe.min(auction.owed);
        let index = pair.raised.debt_index.get();
        let cleared = if repaid >= auction.owed {
            auction.scaled.get()
        } else {
            let repaid = u128::try_from(repaid.get()).map_err(|_| MathError::Negative)?;
            wide::mul_div_unsigned(repaid, RAY, index, false)?.min(auction.scaled.get())
        };
        let stays = auction.scaled.get().saturating_sub(cleared); // cleared is at most all of it
        let owed = wide::mul_div_unsigned(stays, index, RAY, true)?;
        let owed = Amount::new(i128::try_from(owed).map_err(|_| MathError::Overflow)?);
        let cleared = i128::try_from(cleared).map_err(|_| MathError::Overflow)?;
        let mut all = Vec::new();
        all.extend(Posting::transfer(from, to, sold, slice.get()));
        all.extend(Posting::transfer(to, pool, money, repaid.get()));
        all.extend(Posting::transfer(to, Holder::House(House::Fees), money, owe.try_sub(repaid)?.get()));
        all.extend(Posting::transfer(from, pool, Item::Debt(auction.debt), cleared));
        if ends {
            let left = auction.lot.try_sub(slice)?;
            all.extend(Posting::transfer(from, Holder::Group(case.group.id), sold, left.get()));
        }
        all.retain(|p| p.units != 0);
        Ok((all, owed))
    }
}

impl LiquidationStrategy for DutchAuction {
    fn plan(
        &self,
        case: &Case<'_>,
        bid: &Bid,
        memory: &mut Memory<'_>,
    ) -> Result<Result<Plan, Refusal>, LiquidationError> {
        let Some(auction) = case.auction else {
            if !case.health.below(Level::Maintenance) {
                return Ok(Err(Refusal::Healthy));
            }
            if bid.give.is_some() {
                return Ok(Err(Refusal::NotForThisBid { takes: "a bid in an auction" }));
            }
            return self.open(case, memory);
        };
        let Taker::Keeper(keeper) = bid.by else {
            return Ok(Err(Refusal::NotForThisBid { takes: "a keeper's bid" }));
        };
        match (bid.give, bid.at_most) {
            (None, _) => self.reset(case, &auction, memory),
            (Some((Item::Asset(paid), pay)), Some(want)) if paid == auction.debt && pay > 0 && want > 0 => {
                self.sell(case, &auction, (keeper, Amount::new(want), Amount::new(pay)), memory)
            }
            _ => Ok(Err(Refusal::NotForThisBid { takes: "the asset that is raised, for what is sold" })),
        }
    }
}
