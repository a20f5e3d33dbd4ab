//! Who may buy what of an account, in which order, how much of it, and at which price.
//!
//! Source: `liquidateSubaccountImpl` of contracts/ClearinghouseLiq.sol and the price functions of ClearinghouseStorage.sol. Amounts that the
//! venue takes in the product are here what the liquidator offers to give: quote for an asset, the asset for what is owed of it.

use super::weights::net;
use super::{Perp, Price, Spot, Spread, basis};
use cofferdam_core::{
    Amount, AssetId, AssetView, Case, GroupId, Holder, House, Instrument, Item, LayerId, Level, Lots,
    MarketId, MathError, Memory, MemoryError, Millis, PositionView, Posting, Ppb, Quanta, Reader, Record,
    Rounding, Scope, Ticks, Writer, wide,
};
use cofferdam_liquidation_strategy::{
    Bid, LiquidationError, LiquidationStrategy, Owing, Penalty, Plan, Refusal, Seizure, Step, Taker, convert,
    effect, remains, steps_worsen,
};

/// The products of a venue, who insures, and what becomes of positions that no liquidator takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// What everything is paid in.
    pub quote: AssetId,
    /// Who gets half of what a liquidator gains.
    pub insurance: LayerId,
    /// The other assets.
    pub spots: Vec<Spot>,
    /// The perpetuals.
    pub perps: Vec<Perp>,
    /// Which of them net.
    pub spreads: Vec<Spread>,
    /// Orders on the same terms leave this long after the engine first looked; `None`: liquidators only.
    pub orders_after: Option<Millis>,
    /// How long an order stands.
    pub ttl: Millis,
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LiquidateAccount {
    terms: Terms,
}

/// When the engine first looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Since(u64);

impl Record for Since {
    const VERSION: u8 = 1;

    fn write(&self, to: &mut Writer) {
        to.u64(self.0);
    }

    fn read(version: u8, from: &mut Reader<'_>) -> Result<Self, MemoryError> {
        match version {
            1 => Ok(Self(from.u64()?)),
            found => Err(MemoryError::Version { found }),
        }
    }
}

type Planned = Result<Result<Plan, Refusal>, LiquidationError>;
type Steps = Result<Vec<Step>, LiquidationError>;

const NOT_HERE: Refusal =
    Refusal::NotForThisBid { takes: "a bid for a position, of quote for an asset, or of an asset for quote" };
const IN_ORDER: Refusal = Refusal::NotForThisBid {
    takes: "what is owed last: assets and positions have to be sold first (Vertex: liabilities not liquidatable)",
};
const BOUGHT_BACK: Refusal =
    Refusal::NotForThisBid { takes: "a liquidator who buys back what is owed, paid by insurance" };
const SPREAD: Refusal = Refusal::NotForThisBid {
    takes: "a spread whole: a bid of quote for its asset, or of its asset for quote",
};

fn view<'c>(case: &Case<'c>, id: AssetId) -> Result<&'c AssetView, LiquidationError> {
    let usable = case.world.asset(id).filter(|a| a.price.is_usable());
    usable.ok_or(LiquidationError::NoPrice(Instrument::Asset(id)))
}

fn mark(case: &Case<'_>, id: MarketId) -> Result<Ticks, LiquidationError> {
    let usable = case.world.market(id).filter(|m| m.mark.is_usable());
    usable.map(|m| m.mark.mid).ok_or(LiquidationError::NoPrice(Instrument::Market(id)))
}

fn add(a: i128, b: i128) -> Result<i128, MathError> {
    a.checked_add(b).ok_or(MathError::Overflow)
}

fn sub(a: i128, b: i128) -> Result<i128, MathError> {
    a.checked_sub(b).ok_or(MathError::Overflow)
}

/// Initial health less than or at zero after steps: what the venue asks of a liquidation.
fn fits(case: &Case<'_>, steps: &[Step]) -> Result<bool, LiquidationError> {
    let after = (case.what_if)(&effect(case, steps)?)?;
    Ok(after.line(Level::Initial).is_none_or(|l| l.slack() <= 0))
}

/// The largest amount up to `most` after which initial health is not above zero; more of it never lowers that.
fn largest(case: &Case<'_>, most: i128, steps: impl Fn(i128) -> Steps) -> Result<i128, LiquidationError> {
    let (mut low, mut high) = (0_i128, most);
    while low < high {
        let half = high.abs_diff(low).div_ceil(2); // above zero, at most the distance
        let middle = add(low, i128::try_from(half).map_err(|_| MathError::Overflow)?)?;
        if fits(case, &steps(middle)?)? {
            low = middle;
        } else {
            high = sub(middle, 1)?;
        }
    }
    Ok(low)
}

/// A spot or spread that is sold to a liquidator, or bought back.
struct Deal<'a> {
    case: &'a Case<'a>,
    keeper: GroupId,
    spot: &'a Spot,
    /// The spread, where it is one.
    spread: Option<&'a Spread>,
    price: Price,
    of: &'a AssetView,
    quote: &'a AssetView,
    insurance: LayerId,
}

impl Deal<'_> {
    fn worth(&self, atoms: i128, rounding: Rounding) -> Result<i128, MathError> {
        Ok(convert(Amount::new(atoms), self.of, self.quote, rounding)?.get())
    }

    /// What a liquidator pays in all for so many atoms, up, and what of that is insurance's, down.
    fn paid(&self, atoms: i128) -> Result<(i128, i128), MathError> {
        let all = self.price.liquidator(self.worth(atoms, Rounding::Up)?, Rounding::Up)?;
        Ok((all, self.price.insurance(self.worth(atoms, Rounding::Down)?)?.min(all)))
    }

    /// So many atoms sold, for at most `budget`; of a spread with the lots that hedge them.
    fn sale(&self, atoms: i128, budget: i128) -> Steps {
        let (all, insured) = self.paid(atoms)?;
        let all = all.min(budget);
        let (group, keeper) = (Holder::Group(self.case.group.id), Holder::Group(self.keeper));
        let quote = Item::Asset(self.quote.id);
        let mut postings = Vec::new();
        postings.extend(Posting::transfer(keeper, group, quote, sub(all, insured)?));
        postings.extend(Posting::transfer(keeper, Holder::Layer(self.insurance), quote, insured));
        postings.extend(Posting::transfer(group, keeper, Item::Asset(self.spot.asset), atoms));
        postings.retain(|p| p.units != 0);
        let mut steps = vec![Step::Move(postings)];
        steps.extend(self.losses(atoms, sub(all, insured)?)?);
        steps.extend(self.hedge(atoms)?);
        Ok(steps)
    }

    /// What is owed when the last asset was sold for less than that, with no position left: cash below zero, then debts.
    fn losses(&self, atoms: i128, got: i128) -> Steps {
        let group = &self.case.group;
        let cash = add(group.balance(self.quote.id).get(), got)?;
        let gone = |asset: AssetId, held: i128| {
            held <= 0 || asset == self.quote.id || (asset == self.spot.asset && held == atoms)
        };
        let left = group.balances.iter().any(|b| !gone(b.asset, b.amount.get()));
        if left || cash > 0 || group.positions.iter().any(|p| !p.lots.is_zero()) {
            return Ok(Vec::new());
        }
        let holder = Holder::Group(group.id);
        // a loan is bought back with insurance's money while there is any
        let debts = group.debts.iter().filter(|_| self.case.cover.get() <= 0).map(|d| (d.asset, d.owed));
        let owed = std::iter::once((self.quote.id, Amount::new(cash.saturating_neg()))).chain(debts); // |x| <= 2^121
        let owed = owed.filter(|(_, amount)| amount.get() > 0);
        Ok(owed.map(|(asset, amount)| Step::Loss { holder, asset, amount }).collect())
    }

    /// The lots of a spread at the mark: without penalty, which the asset's price holds.
    fn hedge(&self, atoms: i128) -> Result<Option<Step>, LiquidationError> {
        let Some(spread) = self.spread else { return Ok(None) };
        let lots = atoms.checked_div(spread.atoms).and_then(|n| i64::try_from(n).ok());
        let lots = Lots::new(lots.ok_or(MathError::Overflow)?);
        let held = self.case.group.position(spread.market).map_or(Lots::ZERO, |p| p.lots);
        let lots = if held.is_negative() { lots } else { lots.try_neg()? };
        let (price, penalty) = (mark(self.case, spread.market)?, Penalty::default());
        Ok((!lots.is_zero()).then_some(Step::Take { market: spread.market, lots, price, penalty }))
    }

    /// So many atoms of what is owed bought back, with the account's cash, and all funds that there are with
    /// insurance's. Answers the atoms that this pays for, and
    /// what the liquidator gets.
    fn buy_back(
        &self,
        atoms: i128,
        (cash, funds): (i128, i128),
        owing: Owing,
    ) -> Result<(i128, i128, Vec<Step>), LiquidationError> {
        let worth = self.worth(atoms, Rounding::Down)?;
        let mut insured = self.price.insurance(worth)?;
        let mut all = add(self.price.liquidator(worth, Rounding::Down)?, insured)?;
        let mut repaid = atoms;
        if all >= funds {
            // all there is, and the atoms that it pays for, up
            all = funds;
            let paid_for = self.price.afforded(funds, Rounding::Up)?;
            insured = self.price.insurance(self.price.afforded(funds, Rounding::Down)?)?;
            let paid_for = convert(Amount::new(paid_for), self.quote, self.of, Rounding::Up)?.get();
            repaid = self.whole(paid_for, true)?.min(atoms);
        }
        let seizure = Seizure {
            keeper: self.keeper,
            debt: self.spot.asset,
            owing,
            repaid: Amount::new(repaid),
            collateral: self.quote.id,
            seized: Amount::new(all),
            fee: Amount::new(insured),
            write_off: all >= funds && self.spread.is_none(),
        };
        let mut steps = seizure.steps(self.case)?;
        // cash below zero is covered, so it is no loss
        steps.retain(|s| !matches!(s, Step::Loss { asset, .. } if *asset == self.quote.id));
        let short = sub(all, cash)?;
        if short > 0 {
            steps.insert(0, Step::Cover { asset: self.quote.id, amount: Amount::new(short) });
        }
        for step in &mut steps {
            let Step::Move(postings) = step else { continue };
            for p in postings.iter_mut().filter(|p| p.holder == Holder::House(House::Fees)) {
                p.holder = Holder::Layer(self.insurance);
            }
        }
        steps.extend(self.hedge(repaid)?);
        Ok((repaid, sub(all, insured)?, steps))
    }

    /// Of a spread as many atoms as whole lots are.
    fn whole(&self, atoms: i128, up: bool) -> Result<i128, MathError> {
        let Some(spread) = self.spread else { return Ok(atoms) };
        let rounding = if up { Rounding::Up } else { Rounding::Down };
        let lots = wide::div(atoms, spread.atoms, rounding)?;
        lots.checked_mul(spread.atoms).ok_or(MathError::Overflow)
    }
}

impl LiquidateAccount {
    /// On these terms.
    ///
    /// # Errors
    ///
    /// Orders that stand for no time.
    pub fn new(terms: Terms) -> Result<Self, LiquidationError> {
        if terms.orders_after.is_some() && terms.ttl == Millis::ZERO {
            return Err(LiquidationError::Parameter { field: "ttl", value: 0, accepted: "at least 1 ms" });
        }
        Ok(Self { terms })
    }

    /// What of an asset is a spread, in atoms of whole lots, signed as the asset.
    fn netted(&self, case: &Case<'_>, spread: &Spread) -> Result<i128, MathError> {
        let lots = case.group.position(spread.market).map_or(Lots::ZERO, |p| p.lots);
        let size = basis(net(&case.group, spread.spot)?, lots, spread)?;
        let part = size.checked_rem(spread.atoms).ok_or(MathError::Overflow)?;
        sub(size, part)
    }

    fn spread_of(&self, asset: AssetId) -> Option<&Spread> {
        self.terms.spreads.iter().find(|s| s.spot == asset)
    }

    /// Lots of a position that are no part of a spread.
    fn free(&self, case: &Case<'_>, p: &PositionView) -> Result<i128, LiquidationError> {
        let held = i128::from(p.lots.get().unsigned_abs());
        let Some(spread) = self.terms.spreads.iter().find(|s| s.market == p.market) else { return Ok(held) };
        let netted = self.netted(case, spread)?.saturating_abs(); // |x| <= 2^121
        sub(held, netted.checked_div(spread.atoms).ok_or(MathError::Overflow)?).map_err(Into::into)
    }

    /// Lots of a position at the price of a liquidation: a trade at the liquidator's price, and a penalty on it that is insurance's half.
    fn take(&self, case: &Case<'_>, p: &PositionView, lots: i128) -> Result<Step, LiquidationError> {
        let perp = self.terms.perps.iter().find(|t| t.market == p.market);
        let weights = perp.ok_or(LiquidationError::NoPrice(Instrument::Market(p.market)))?.weights;
        let short = p.lots.is_negative();
        let (at, price) = (i128::from(mark(case, p.market)?.get()), weights.outright(short));
        let rounding = if short { Rounding::Down } else { Rounding::Up };
        let ticks = price.liquidator(at, rounding)?.max(1);
        // of what it is worth at the oracle's price, as a rate of what it trades for
        let insured = price.insurance(at.checked_mul(1_000_000_000).ok_or(MathError::Overflow)?)?;
        let rate = wide::div(insured, ticks, Rounding::Down)?;
        let narrow = |x: i128| i64::try_from(x).map_err(|_| MathError::Overflow);
        let penalty = Penalty { rate: Ppb(narrow(rate)?), to_insurance: Ppb::ONE, ..Penalty::default() };
        let lots = Lots::new(narrow(lots)?);
        let lots = if short { lots } else { lots.try_neg()? };
        Ok(Step::Take { market: p.market, lots, price: Ticks::new(narrow(ticks)?), penalty })
    }

    fn position(&self, case: &Case<'_>, bid: &Bid, market: MarketId, size: i128) -> Planned {
        let Some(p) = case.group.position(market).filter(|p| !p.lots.is_zero()) else {
            return Ok(Err(Refusal::Nothing));
        };
        let free = self.free(case, p)?;
        if free == 0 {
            return Ok(Err(SPREAD));
        }
        if size > free {
            return Ok(Err(Refusal::TooMuch { max: free }));
        }
        let step = self.take(case, p, size)?;
        let Step::Take { lots, price, .. } = step else { return Ok(Err(Refusal::Nothing)) };
        let past = |limit: Ticks| if lots.is_negative() { price > limit } else { price < limit };
        if bid.limit.is_some_and(past) {
            return Ok(Err(Refusal::BelowAsk { offered: price.get().into() }));
        }
        if !fits(case, std::slice::from_ref(&step))? {
            let max = largest(case, size, |n| Ok(vec![self.take(case, p, n)?]))?;
            return Ok(Err(Refusal::TooMuch { max }));
        }
        Self::planned(case, vec![step], size)
    }

    fn planned(case: &Case<'_>, steps: Vec<Step>, size: i128) -> Planned {
        if size.unsigned_abs() > case.allowed.allowed(case.at.time) {
            let next = case.at.time.try_add(Millis(1))?;
            return Ok(Err(Refusal::NotBefore { time: case.allowed.not_before.max(next) }));
        }
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: None, worsens }))
    }

    fn deal<'a>(
        &'a self,
        case: &'a Case<'a>,
        keeper: GroupId,
        spot: &'a Spot,
        (spread, owed): (Option<&'a Spread>, bool),
    ) -> Result<Deal<'a>, LiquidationError> {
        let perp = spread.and_then(|s| self.terms.perps.iter().find(|p| p.market == s.market));
        let price = perp.map_or_else(
            || spot.weights.outright(owed),
            |perp| Price::of_spread(&spot.weights, &perp.weights, owed),
        );
        let (of, quote) = (view(case, spot.asset)?, view(case, self.terms.quote)?);
        Ok(Deal { case, keeper, spot, spread, price, of, quote, insurance: self.terms.insurance })
    }

    /// An asset for quote: first what is no part of a spread, then the spread with its lots.
    fn sell(&self, case: &Case<'_>, bid: &Bid, keeper: GroupId, spot: &Spot, pays: i128) -> Planned {
        let spread = self.spread_of(spot.asset);
        let netted = spread.map_or(Ok(0), |s| self.netted(case, s))?.max(0);
        let held = case.group.balance(spot.asset).get();
        let free = sub(held, netted)?;
        let spread = spread.filter(|_| free <= 0);
        let have = if free > 0 { free } else { netted };
        if have <= 0 {
            return Ok(Err(Refusal::Nothing));
        }
        let deal = self.deal(case, keeper, spot, (spread, false))?;
        let worth = deal.price.at_oracle(pays, Rounding::Down)?;
        let atoms = convert(Amount::new(worth), deal.quote, deal.of, Rounding::Down)?.get();
        let atoms = deal.whole(atoms.min(have), false)?;
        if atoms <= 0 {
            let (min, _) = deal.paid(deal.whole(1, true)?)?;
            return Ok(Err(Refusal::TooLittle { min }));
        }
        if bid.at_least.is_some_and(|least| atoms < least) {
            return Ok(Err(Refusal::BelowAsk { offered: atoms }));
        }
        let steps = deal.sale(atoms, pays)?;
        if !fits(case, &steps)? {
            let unit = spread.map_or(1, |s| s.atoms);
            let most = atoms.checked_div(unit).ok_or(MathError::Overflow)?;
            let of = |n: i128| n.checked_mul(unit).ok_or(MathError::Overflow);
            let n = largest(case, most, |n| deal.sale(of(n)?, pays))?;
            return Ok(Err(Refusal::TooMuch { max: deal.paid(of(n)?)?.0 }));
        }
        Self::planned(case, steps, atoms)
    }

    /// Whether all that comes before what is owed is gone: assets, and positions outside of spreads with what is owed.
    fn only_owes(&self, case: &Case<'_>) -> Result<bool, LiquidationError> {
        let holds = self.terms.spots.iter().any(|s| case.group.balance(s.asset).get() > 0);
        if holds {
            return Ok(false);
        }
        for p in case.group.positions.iter().filter(|p| !p.lots.is_zero()) {
            if p.lots.is_negative() || self.free(case, p)? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What is owed for quote: first what is no part of a spread, then the spread with its lots.
    fn buy(&self, case: &Case<'_>, bid: &Bid, keeper: GroupId, spot: &Spot, gives: i128) -> Planned {
        let Some(owing) = spot.pool.and_then(|pool| Owing::loan(case, pool, spot.asset)) else {
            return Ok(Err(Refusal::Nothing));
        };
        if !self.only_owes(case)? {
            return Ok(Err(IN_ORDER));
        }
        let cash = case.group.balance(self.terms.quote).get();
        let spread = self.spread_of(spot.asset);
        let netted = spread.map_or(Ok(0), |s| self.netted(case, s))?.min(0).saturating_abs(); // |x| <= 2^121
        let free = sub(owing.owed().get(), netted)?;
        let spread = spread.filter(|_| free <= 0);
        let most = if free > 0 { free } else { netted };
        let deal = self.deal(case, keeper, spot, (spread, true))?;
        let cover = deal.quote.scale.amount(case.cover, deal.quote.price.mid, Rounding::Down)?;
        let funds = (cash, add(cash, cover.get())?);
        if funds.1 <= 0 {
            return Ok(Err(Refusal::Nothing));
        }
        if gives > most {
            return Ok(Err(Refusal::TooMuch { max: most }));
        }
        let atoms = deal.whole(gives, false)?;
        let (repaid, gets, steps) = deal.buy_back(atoms, funds, owing)?;
        if repaid <= 0 || owing.cleared(deal.of, Amount::new(repaid))? == 0 {
            return Ok(Err(Refusal::TooLittle { min: deal.whole(1, true)? }));
        }
        if bid.at_least.is_some_and(|least| gets < least) {
            return Ok(Err(Refusal::BelowAsk { offered: gets }));
        }
        if !fits(case, &steps)? {
            let unit = spread.map_or(1, |s| s.atoms);
            let most = atoms.checked_div(unit).ok_or(MathError::Overflow)?;
            let of = |n: i128| n.checked_mul(unit).ok_or(MathError::Overflow);
            let n = largest(case, most, |n| Ok(deal.buy_back(of(n)?, funds, owing)?.2))?;
            return Ok(Err(Refusal::TooMuch { max: of(n)? }));
        }
        Self::planned(case, steps, repaid)
    }

    /// What liquidators leave of positions is offered as an order on the same terms, the largest first.
    fn engine(&self, case: &Case<'_>, memory: &mut Memory<'_>) -> Planned {
        if case.group.positions.iter().all(|p| p.lots.is_zero()) {
            let owes = case.group.debts.iter().any(|d| d.owed.get() > 0);
            let covered = owes && case.cover.get() > 0;
            return Ok(if covered { Err(BOUGHT_BACK) } else { remains(case) });
        }
        let Some(after) = self.terms.orders_after else {
            return Ok(Err(Refusal::NotForThisBid { takes: "a liquidator's bid" }));
        };
        let mut largest_one: Option<(Quanta, &PositionView, i128)> = None;
        for p in case.group.positions.iter().filter(|p| !p.lots.is_zero()) {
            let free = self.free(case, p)?;
            let market = case.world.market(p.market).filter(|m| m.mark.is_usable());
            let market = market.ok_or(LiquidationError::NoPrice(Instrument::Market(p.market)))?;
            let worth = market.scale.absolute_notional(p.lots, market.mark.mid)?;
            if free > 0 && largest_one.is_none_or(|(w, _, _)| worth > w) {
                largest_one = Some((worth, p, free));
            }
        }
        let Some((_, p, free)) = largest_one else { return Ok(Err(SPREAD)) };
        let (scope, now) = (Scope::Group(case.group.id), case.at.time);
        let Since(mut since) = memory.get(scope)?;
        // a record that is older than the pause and an order's time is of another liquidation
        let stale = after.0.saturating_add(self.terms.ttl.0);
        if since == 0 || now.since(Millis(since)).0 > stale {
            since = now.0;
        }
        memory.set(scope, &Since(since))?;
        let from = Millis(since).try_add(after)?;
        if now < from {
            return Ok(Err(Refusal::NotBefore { time: from }));
        }
        let allowed = i128::try_from(case.allowed.allowed(now)).unwrap_or(i128::MAX).min(free);
        if allowed == 0 {
            let time = case.allowed.not_before.max(now.try_add(Millis(1))?);
            return Ok(Err(Refusal::NotBefore { time }));
        }
        // at least one lot: else what is too coarse to end at zero would never end
        let size = largest(case, allowed, |n| Ok(vec![self.take(case, p, n)?]))?.max(1);
        let Step::Take { market, lots, price, penalty } = self.take(case, p, size)? else {
            return Ok(Err(Refusal::Nothing));
        };
        let steps =
            vec![Step::Order { market, lots, limit: price, penalty, expires: now.try_add(self.terms.ttl)? }];
        let worsens = steps_worsen(case, &steps)?;
        Ok(Ok(Plan { steps, again: None, worsens }))
    }
}

impl LiquidationStrategy for LiquidateAccount {
    fn plan(&self, case: &Case<'_>, bid: &Bid, memory: &mut Memory<'_>) -> Planned {
        if !case.health.below(Level::Maintenance) {
            return Ok(Err(Refusal::Healthy));
        }
        let spot = |id: AssetId| self.terms.spots.iter().find(|s| s.asset == id);
        let quote = self.terms.quote;
        match (bid.by, bid.give, bid.want, bid.auction) {
            (Taker::Engine, ..) => self.engine(case, memory),
            (Taker::Keeper(k), ..) if k == case.group.id => {
                Ok(Err(Refusal::NotForThisBid { takes: "a liquidator other than the account itself" }))
            }
            (_, Some((_, size)), _, _) if size <= 0 => Ok(Err(Refusal::TooLittle { min: 1 })),
            (Taker::Keeper(_), Some((Item::Position(market), size)), None, None) => {
                self.position(case, bid, market, size)
            }
            (Taker::Keeper(k), Some((Item::Debt(give), size)), Some(Item::Asset(want)), None) => {
                match (spot(give), spot(want)) {
                    (None, Some(sold)) if give == quote => self.sell(case, bid, k, sold, size),
                    (Some(owed), None) if want == quote => self.buy(case, bid, k, owed, size),
                    _ => Ok(Err(NOT_HERE)),
                }
            }
            _ => Ok(Err(NOT_HERE)),
        }
    }
}
