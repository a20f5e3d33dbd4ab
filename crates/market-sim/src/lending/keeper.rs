//! Keepers: whom they choose and how much. They know no term of the strategy: they ask the stack what a bid would do, which
//! is a decision that is not kept, and compare what they would get for the collateral with what they would pay.

use super::{LendingError, Shell};
use cofferdam_core::{Amount, AuctionId, GroupId, Holder, Item, Millis, World};
use cofferdam_stack::{Answer, Body, Fact, Input, InputId, Reason, Rejection};

/// Shares of a debt that a keeper considers repaying: all, then what close factors and its own impact may ask.
const SHARES: [(i128, i128); 6] = [(1, 1), (1, 2), (1, 4), (1, 10), (1, 25), (1, 100)];

/// What a bid would do, and what would be left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Offer {
    pub(super) profit: i128,
    pub(super) repay: i128,
    received: i128,
}

/// What selling collateral now would bring.
#[derive(Clone, Copy, Debug)]
struct Sale {
    proceeds: i128,
    flow_usd: f64,
}

impl Shell<'_> {
    /// One minute of all keepers, in an order that turns by one from minute to minute.
    pub(super) fn keepers(&mut self, row: usize) -> Result<(), LendingError> {
        let n = self.scenario.keepers;
        let absent = self.scenario.keepers_absent.is_some_and(|(from, to)| (from..to).contains(&self.now));
        if n == 0 || absent {
            return Ok(());
        }
        let groups: Vec<GroupId> = (0..n).map(|i| self.keeper((i + row as u32) % n)).collect();
        for &g in &groups {
            self.sell(row, g)?;
        }
        let mut targets = self.targets(row, &groups);
        let wanted_before = self.fold.totals.liquidations;
        let any = !targets.is_empty();
        let mut bids = vec![0; groups.len()];
        let mut turn = 0;
        while let Some(&(_, target)) = targets.last() {
            let Some(k) = next_free(&bids, self.scenario.bids_per_minute_max, turn) else { break };
            turn = k + 1;
            match self.best(row, groups[k], target) {
                Some(offer) if offer.profit >= self.scenario.profit_min.get() => {
                    targets.pop();
                    bids[k] += 1;
                    if self.take(row, groups[k], target, offer)? && self.owed(target) > 0 {
                        self.put_back(row, &groups, target, &mut targets);
                    }
                }
                // it is the keeper's capital that falls short, or it is the target that does not pay
                _ if self.cash(groups[k]) < self.owed(target) => bids[k] = self.scenario.bids_per_minute_max,
                _ => {
                    targets.pop();
                }
            }
        }
        self.auctions(row, &groups)?;
        let idle = any && self.fold.totals.liquidations == wanted_before;
        self.unwanted = if idle { self.unwanted + 1 } else { 0 };
        self.unwanted_max = self.unwanted_max.max(self.unwanted);
        Ok(())
    }

    /// Every open auction, offered to every keeper in turn: each buys the share that leaves it most, as long as any does. One that is
    /// over begins again.
    fn auctions(&mut self, row: usize, groups: &[GroupId]) -> Result<(), LendingError> {
        let sold = Item::Asset(self.terms.collateral);
        let open: Vec<(AuctionId, i128)> = self
            .engine
            .state()
            .ledger()
            .filter_map(|((holder, item), held)| match holder {
                Holder::Auction(id) if *item == sold && held.units > 0 => Some((*id, held.units)),
                _ => None,
            })
            .collect();
        for (auction, lot) in open {
            if let Some(&keeper) = groups.first() {
                let _over = self.submit(Body::AuctionReset { keeper, auction })?;
            }
            for &keeper in groups {
                let pay = Amount::new(self.cash(keeper));
                let mut best: Option<(i128, Amount, i128)> = None;
                for (num, den) in SHARES {
                    let want = Amount::new(lot * num / den);
                    if want.get() <= 0 || pay.get() <= 0 {
                        continue;
                    }
                    let Some((paid, received)) =
                        self.quoted(keeper, Body::AuctionBid { keeper, auction, want, pay })
                    else {
                        continue;
                    };
                    let profit = self.sale(row, received).proceeds - paid - self.scenario.gas.get();
                    if best.is_none_or(|b| profit > b.0) {
                        best = Some((profit, want, paid));
                    }
                }
                let Some((_, want, paid)) = best.filter(|b| b.0 >= self.scenario.profit_min.get()) else {
                    continue;
                };
                let pay = Amount::new(paid);
                if self.submit(Body::AuctionBid { keeper, auction, want, pay })? == Answer::Done {
                    self.gas_due += self.scenario.gas.get();
                    self.fold.totals.gas += self.scenario.gas.get();
                    self.sell(row, keeper)?;
                }
            }
        }
        Ok(())
    }

    /// Whom the stack's index names and somebody could bid for, the most profitable last.
    fn targets(&mut self, row: usize, groups: &[GroupId]) -> Vec<(i128, GroupId)> {
        let named = self.engine.named();
        let mut targets = Vec::new();
        for g in named {
            self.put_back(row, groups, g, &mut targets);
        }
        targets
    }

    fn put_back(&self, row: usize, groups: &[GroupId], target: GroupId, targets: &mut Vec<(i128, GroupId)>) {
        let richest = groups.iter().copied().max_by_key(|g| (self.cash(*g), std::cmp::Reverse(*g)));
        let Some(offer) = richest.and_then(|k| self.best(row, k, target)) else { return };
        let entry = (offer.profit, target);
        let at = targets.partition_point(|t| *t < entry);
        targets.insert(at, entry);
    }

    /// The bid of one keeper for one borrower that would leave most, if the stack would take any.
    fn best(&self, row: usize, keeper: GroupId, target: GroupId) -> Option<Offer> {
        let (owed, cash) = (self.owed(target), self.cash(keeper));
        let mut best: Option<Offer> = None;
        let mut before = 0;
        for (num, den) in SHARES {
            let repay = (owed * num / den).min(cash);
            if repay <= 0 || repay == before {
                continue;
            }
            before = repay;
            let Some((paid, received)) = self.quote(keeper, target, repay) else { continue };
            let profit = self.sale(row, received).proceeds - paid - self.scenario.gas.get();
            if best.is_none_or(|b| profit > b.profit) {
                best = Some(Offer { profit, repay, received });
            }
        }
        best
    }

    fn bid(&self, keeper: GroupId, group: GroupId, repay: i128, at_least: i128) -> Body {
        Body::Bid {
            keeper,
            group,
            debt: self.terms.debt,
            repay: Amount::new(repay),
            collateral: self.terms.collateral,
            at_least: Amount::new(at_least),
        }
    }

    /// What a bid would pay and receive; `None` where it would be refused.
    fn quote(&self, keeper: GroupId, target: GroupId, repay: i128) -> Option<(i128, i128)> {
        self.quoted(keeper, self.bid(keeper, target, repay, 0))
    }

    /// What a request would pay and receive; `None` where it would be refused.
    fn quoted(&self, keeper: GroupId, body: Body) -> Option<(i128, i128)> {
        let input = Input {
            id: InputId { source: self.scenario.source, number: self.number + 1 },
            time: Millis(self.now),
            block: 0,
            body,
        };
        let decision = self.engine.stack().decide(self.engine.state(), &input);
        if decision.answer != Some(Answer::Done) {
            return None;
        }
        let (mut paid, mut received) = (0, 0);
        for fact in &decision.facts {
            if let Fact::Post { reason: Reason::Seizure, postings } = fact {
                for p in postings.iter().filter(|p| p.holder == Holder::Group(keeper)) {
                    paid -= if p.item == Item::Asset(self.terms.debt) { p.units } else { 0 };
                    received += if p.item == Item::Asset(self.terms.collateral) { p.units } else { 0 };
                }
            }
        }
        Some((paid, received))
    }

    /// Bids, and sells what was seized.
    fn take(
        &mut self,
        row: usize,
        keeper: GroupId,
        target: GroupId,
        offer: Offer,
    ) -> Result<bool, LendingError> {
        let bid = self.bid(keeper, target, offer.repay, offer.received);
        let taken = self.submit(bid)? == Answer::Done;
        if taken {
            self.gas_due += self.scenario.gas.get();
            self.fold.totals.gas += self.scenario.gas.get();
            self.sell(row, keeper)?;
        }
        Ok(taken)
    }

    /// Half of the impact of a sale is paid by the sale itself: it walks down the book.
    fn sale(&self, row: usize, collateral: i128) -> Sale {
        let bid = self.minutes.bid[row] as f64;
        let whole = collateral as f64 / self.terms.whole;
        let flow_usd = whole * bid * self.terms.tick;
        let before = self.deviation(self.flow.value());
        let after = self.deviation(self.flow.value() + flow_usd);
        let price = bid * (1.0 + 0.5 * (before + after)) * (1.0 - self.scenario.sale_fee);
        // a market sold to nothing pays one tick
        let price = cofferdam_core::Ticks::new((price.max(1.0)) as i64);
        Sale { proceeds: self.terms.value_at(Amount::new(collateral), price), flow_usd }
    }

    /// Sells all collateral that a keeper holds and may withdraw; gas is paid out of the proceeds.
    fn sell(&mut self, row: usize, keeper: GroupId) -> Result<(), LendingError> {
        let (group, asset) = (keeper, self.terms.collateral);
        let mut amount = self.engine.state().book().balance(group, asset);
        if amount.get() <= 0 {
            return Ok(());
        }
        match self.submit(Body::Withdraw { group, asset, amount })? {
            Answer::Done => {}
            Answer::Refused(Rejection::Breaker { allowed, .. }) if allowed > 0 => {
                amount = Amount::new(i128::try_from(allowed).unwrap_or(0)).min(amount);
                if self.submit(Body::Withdraw { group, asset, amount })? != Answer::Done {
                    return Ok(());
                }
            }
            _ => return Ok(()),
        }
        let sale = self.sale(row, amount.get());
        self.flow.add(sale.flow_usd);
        self.impact_max = self.impact_max.max(-self.deviation(self.flow.value()));
        self.fold.totals.proceeds += sale.proceeds;
        let gas = self.gas_due.min(sale.proceeds);
        self.gas_due -= gas;
        let amount = Amount::new(sale.proceeds - gas);
        if amount.get() > 0 {
            self.submit(Body::Deposit { group, asset: self.terms.debt, amount })?;
        }
        Ok(())
    }

    fn cash(&self, group: GroupId) -> i128 {
        self.engine.state().book().balance(group, self.terms.debt).get()
    }

    /// What a group owes now, rounded up.
    pub(super) fn owed(&self, group: GroupId) -> i128 {
        let state = self.engine.state();
        let scaled = state.book().debt(group, self.terms.debt).get();
        let index = state.asset(self.terms.debt).map_or(cofferdam_core::RAY, |a| a.debt_index.get());
        let owed = cofferdam_core::wide::mul_div_unsigned(scaled, index, cofferdam_core::RAY, true);
        owed.ok().and_then(|x| i128::try_from(x).ok()).unwrap_or(i128::MAX)
    }
}

/// The next keeper from `turn` on, around, that has bids left.
fn next_free(bids: &[u32], most: u32, turn: usize) -> Option<usize> {
    (0..bids.len()).map(|i| (turn + i) % bids.len()).find(|&k| bids[k] < most)
}
