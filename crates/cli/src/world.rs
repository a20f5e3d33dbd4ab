//! Prices and groups from a question, as the values that rooms exchange.

use crate::composed::{Composed, ratio, too_large, within};
use crate::document::Place;
use crate::error::CliError;
use crate::format::{
    GroupInput, MarketInput, Number, PositionInput, PriceInput, PriceOutput, Prices, ScenariosInput,
};
use cofferdam_core::{
    BalanceView, DebtView, FundingIndex, GroupId, GroupView, Instrument, Item, Lots, Millis, PositionView,
    PriceState, PriceView, Quanta, Scaled, ScenarioPrice,
};
use cofferdam_margin_engine::Account;
use cofferdam_stack::{Fact, MarketScenarios, MarketTerms, State};
use std::collections::BTreeMap;

/// Prices and markets of a moment, from a question: the stack's first state with its prices set.
pub(crate) fn world(
    composed: &Composed,
    prices: &Prices,
    markets: &BTreeMap<String, MarketInput>,
    (at_prices, at_markets): (&Place<'_>, &Place<'_>),
) -> Result<State, CliError> {
    let empty = composed.stack().initial_state();
    let mut asset_views: Vec<_> =
        composed.parts().assets.iter().filter_map(|a| empty_asset(&empty, a.id)).collect();
    let mut market_views: Vec<_> =
        composed.parts().markets.iter().filter_map(|m| empty_market(&empty, m.id)).collect();
    for (name, price) in &prices.assets {
        let at = at_prices.field("assets").field(name);
        let terms = composed.asset(name, &at)?;
        if terms.numeraire {
            return Err(CliError::refuse(&at, "no price for the numeraire: it is 1, always"));
        }
        let view = price_view(composed, Instrument::Asset(terms.id), price, &at)?;
        asset_views.iter_mut().filter(|a| a.id == terms.id).for_each(|a| a.price = view);
    }
    for (name, price) in &prices.markets {
        let at = at_prices.field("markets").field(name);
        let terms = composed.market(name, &at)?;
        let view = price_view(composed, Instrument::Market(terms.id), price, &at)?;
        for m in market_views.iter_mut().filter(|m| m.id == terms.id) {
            (m.mark, m.index, m.previous_mark) = (view, view, view.mid);
        }
    }
    for (name, given) in markets {
        let at = at_markets.field(name);
        let terms = composed.market(name, &at)?;
        for m in market_views.iter_mut().filter(|m| m.id == terms.id) {
            set_market(composed, terms, m, given, &at)?;
        }
    }
    let mut state = State::new(market_views, asset_views, Millis::ZERO);
    for (name, given) in markets {
        let at = at_markets.field(name).field("scenarios");
        let Some(scenarios) = &given.scenarios else { continue };
        let set = scenario_set(composed, composed.market(name, &at)?, scenarios, &at)?;
        state.evolve(&Fact::Scenarios(set)).map_err(|e| CliError::at(&at, e))?;
    }
    Ok(state)
}

fn scenario_set(
    composed: &Composed,
    terms: &MarketTerms,
    given: &ScenariosInput,
    at: &Place<'_>,
) -> Result<MarketScenarios, CliError> {
    let of = Instrument::Market(terms.id);
    let mut values = Vec::with_capacity(given.values.len());
    for (i, (low, high)) in given.values.iter().enumerate() {
        let at = at.field("values").item(i);
        let (low, high) = (composed.value_ticks(of, *low, &at)?, composed.value_ticks(of, *high, &at)?);
        if low > high {
            return Err(CliError::refuse(&at, "low <= high"));
        }
        values.push(ScenarioPrice { low, high });
    }
    let base = composed.value_ticks(of, given.base, &at.field("base"))?;
    Ok(MarketScenarios { market: terms.id, base, values })
}

fn empty_asset(state: &State, id: cofferdam_core::AssetId) -> Option<cofferdam_core::AssetView> {
    cofferdam_core::World::asset(state, id).copied()
}

fn empty_market(state: &State, id: cofferdam_core::MarketId) -> Option<cofferdam_core::MarketView> {
    cofferdam_core::World::market(state, id).copied()
}

fn set_market(
    composed: &Composed,
    terms: &MarketTerms,
    view: &mut cofferdam_core::MarketView,
    given: &MarketInput,
    at: &Place<'_>,
) -> Result<(), CliError> {
    let of = Instrument::Market(terms.id);
    if let Some(x) = given.open_interest {
        let at = at.field("open_interest");
        view.open_interest = composed.lots(terms, x, &at)?;
        if view.open_interest.is_negative() {
            return Err(CliError::refuse(&at, "0 or more"));
        }
    }
    if let Some(x) = given.volatility {
        view.volatility = ratio(x, &at.field("volatility"))?;
    }
    if let Some(x) = &given.index {
        view.index = price_view(composed, of, x, &at.field("index"))?;
    }
    if let Some(x) = given.previous_mark {
        view.previous_mark = composed.ticks(of, x, &at.field("previous_mark"))?;
    }
    Ok(())
}

/// A usable price, from a question.
pub(crate) fn price_view(
    composed: &Composed,
    of: Instrument,
    price: &PriceInput,
    at: &Place<'_>,
) -> Result<PriceView, CliError> {
    let interval = at.value().is_some_and(serde_json::Value::is_object);
    let ticks =
        |x: Number, end: &str| composed.ticks(of, x, &if interval { at.field(end) } else { at.clone() });
    let (low, mid, high) = (ticks(price.low, "low")?, ticks(price.mid, "mid")?, ticks(price.high, "high")?);
    if low > mid || mid > high {
        return Err(CliError::refuse(at, "low <= mid <= high"));
    }
    Ok(PriceView { low, mid, high, state: PriceState::Good, as_of: Millis::ZERO })
}

/// A resolved price, for an answer. Prices without meaning are shown as zero.
pub(crate) fn price_output(
    composed: &Composed,
    of: Instrument,
    view: &PriceView,
) -> Result<PriceOutput, CliError> {
    Ok(PriceOutput {
        low: composed.price(of, view.low)?,
        mid: composed.price(of, view.mid)?,
        high: composed.price(of, view.high)?,
        state: view.state,
        as_of_ms: view.as_of.0,
    })
}

/// A group from a question. Its funding stands in the views, and in the cost of the account, as after a settlement.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    pub(crate) account: Account,
    positions: Vec<PositionView>,
    balances: Vec<BalanceView>,
    debts: Vec<DebtView>,
}

impl Group {
    /// Reads a group; refuses a market, balance or debt that stands twice.
    pub(crate) fn read(composed: &Composed, given: &GroupInput, at: &Place<'_>) -> Result<Self, CliError> {
        let mut group = Self {
            id: GroupId(given.id),
            account: Account::new(),
            positions: Vec::new(),
            balances: Vec::new(),
            debts: Vec::new(),
        };
        for (i, p) in given.positions.iter().enumerate() {
            group.add_position(composed, p, &at.field("positions").item(i))?;
        }
        for (i, b) in given.balances.iter().enumerate() {
            let at = at.field("balances").item(i);
            let terms = composed.asset(&b.asset, &at.field("asset"))?;
            let amount = composed.amount(terms, b.amount, &at.field("amount"))?;
            if group.balances.iter().any(|x| x.asset == terms.id) {
                return Err(CliError::refuse(&at, "each asset once"));
            }
            group.balances.push(BalanceView { asset: terms.id, amount });
            group.hold(Item::Asset(terms.id), amount.get(), Quanta::ZERO, &at)?;
        }
        for (i, d) in given.debts.iter().enumerate() {
            let at = at.field("debts").item(i);
            let terms = composed.asset(&d.asset, &at.field("asset"))?;
            let owed = composed.amount(terms, d.amount, &at.field("amount"))?;
            if owed.is_negative() {
                return Err(CliError::refuse(&at.field("amount"), "0 or more"));
            }
            if group.debts.iter().any(|x| x.asset == terms.id) {
                return Err(CliError::refuse(&at, "each asset once"));
            }
            let scaled = Scaled::new(owed.get().unsigned_abs());
            group.debts.push(DebtView { asset: terms.id, owed, scaled });
            group.hold(Item::Debt(terms.id), owed.get(), Quanta::ZERO, &at)?;
        }
        group.positions.sort_by_key(|p| p.market);
        group.balances.sort_by_key(|b| b.asset);
        group.debts.sort_by_key(|d| d.asset);
        Ok(group)
    }

    fn add_position(
        &mut self,
        composed: &Composed,
        p: &PositionInput,
        at: &Place<'_>,
    ) -> Result<(), CliError> {
        let terms = composed.market(&p.market, &at.field("market"))?;
        let lots = composed.lots(terms, p.size, &at.field("size"))?;
        let cost = match (p.entry_price, p.cost) {
            (Some(price), None) => cost_at(composed, terms, lots, price, &at.field("entry_price"))?,
            (None, Some(cost)) => composed.quanta(cost, &at.field("cost"))?,
            _ => return Err(CliError::refuse(at, "either an entry_price or a cost")),
        };
        let funding = p.funding.map_or(Ok(Quanta::ZERO), |x| composed.quanta(x, &at.field("funding")))?;
        if self.positions.iter().any(|x| x.market == terms.id) {
            return Err(CliError::refuse(at, "each market once"));
        }
        self.positions.push(PositionView { market: terms.id, lots, cost, funding });
        let settled = within(cost.try_add(funding), at)?;
        self.hold(Item::Position(terms.id), i128::from(lots.get()), settled, at)
    }

    fn hold(&mut self, item: Item, units: i128, cost: Quanta, at: &Place<'_>) -> Result<(), CliError> {
        self.account.apply(item, units, cost, FundingIndex::ZERO).map_err(|e| CliError::at(at, e))
    }

    /// The group as rooms see it.
    pub(crate) fn view(&self) -> GroupView<'_> {
        GroupView { id: self.id, positions: &self.positions, balances: &self.balances, debts: &self.debts }
    }
}

/// lots x price x k in quanta, refused where that is not whole. The price may be finer than a tick: an entry is an average.
pub(crate) fn cost_at(
    composed: &Composed,
    market: &MarketTerms,
    lots: Lots,
    price: Number,
    at: &Place<'_>,
) -> Result<Quanta, CliError> {
    let k = i128::from(market.scale.quanta_per_lot_tick());
    let mantissa = i128::from(lots.get()).checked_mul(k).and_then(|x| x.checked_mul(price.0.mantissa()));
    let exponent = price.0.exponent().checked_sub(market.tick_exponent);
    let (Some(mantissa), Some(exponent)) = (mantissa, exponent) else { return Err(too_large(at)) };
    let exact = cofferdam_core::Decimal::from_units(mantissa, exponent);
    let quanta = exact.to_units(0).map_err(|_| {
        let quantum = Number::of(1, composed.quantum_exponent());
        CliError::refuse(at, format_args!("a price at which the size costs a whole number of {}", quantum.0))
    })?;
    within(Quanta::new(quanta).try_add(Quanta::ZERO), at)
}
