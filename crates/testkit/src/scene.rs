//! A stage for a composed stack: what happens on it is said in the stack's own names and in decimal numbers, as a person would
//! tell it, and what follows is looked up in the recorded facts.

use crate::{Bench, OpenOrder, conservation};
use cofferdam_core::{
    Amount, AssetId, Decimal, GroupId, Holder, House, Instrument, Item, Lots, MarketId, Millis, PoolId,
    Quote, ScenarioPrice, SourceId, Ticks,
};
use cofferdam_stack::{
    Answer, Body, Built, ComposeError, Fact, MarketScenarios, Names, OrderOutcome, Outcome, Parts, Reason,
    StackConfig, Work,
};

/// Scenario values of a market in decimals: its name, the base, and a low and a high per scenario.
pub type ScenarioRows<'a> = (&'a str, &'a str, &'a [(&'a str, &'a str)]);

/// An engine on a built stack file. Groups are numbers; markets, assets and pools are the file's names; sizes, prices and
/// amounts are decimals, which have to be whole in the stack's units.
///
/// ```
/// use cofferdam_stack::StackConfig;
/// # let text = r#"
/// # [stack]
/// # name = "small"
/// # quantum = "0.000001"
/// # [[assets]]
/// # name = "USDT"
/// # decimals = 6
/// # numeraire = true
/// # [[markets]]
/// # name = "ETH-PERP"
/// # settlement = "USDT"
/// # lot = "0.001"
/// # tick = "0.001"
/// # [[prices]]
/// # market = "ETH-PERP"
/// # role = "mark"
/// # policy = { kind = "cofferdam/latest@1" }
/// # [margin]
/// # kind = "cofferdam/cross-margin@1"
/// # assets = [{ asset = "USDT" }]
/// # [[margin.markets]]
/// # market = "ETH-PERP"
/// # requirement = { kind = "cofferdam/flat@1", maintenance = "0.05", initial = "0.1" }
/// # [liquidation]
/// # kind = "cofferdam/full-close@1"
/// # limit = "any"
/// # penalty = { rate = "0.005", to_insurance = "1" }
/// # ttl_ms = 60000
/// # [[insurance.layers]]
/// # name = "fund"
/// # contribution = "1"
/// # escrow = "1000"
/// # terms = { kind = "cofferdam/fund@1" }
/// # [allocation]
/// # kind = "cofferdam/queue@1"
/// # [event]
/// # opens_at = "1000000"
/// # window_ms = 300000
/// # quiet_ms = 1800000
/// # "#;
/// let mut scene = cofferdam_testkit::Scene::new(&StackConfig::from_toml(text, "small.toml")?);
/// scene.quote("ETH-PERP", "2000");
/// scene.deposit(1, "USDT", "500");
/// scene.deposit(2, "USDT", "5000");
/// scene.trade(1, 2, "ETH-PERP", "1", "2000");
/// assert_eq!(scene.size(1, "ETH-PERP"), "1");
/// scene.check(); // conserved, and replayed from its facts
/// # Ok::<(), cofferdam_stack::ConfigError>(())
/// ```
#[derive(Debug)]
pub struct Scene {
    bench: Bench,
    names: Names,
    block: u64,
}

impl Scene {
    /// The stack of a file on its empty state, with what its layers escrow or promise at the start.
    ///
    /// # Panics
    ///
    /// When the file does not build: a scene is for tests.
    #[must_use]
    pub fn new(config: &StackConfig) -> Self {
        let built = config.build().unwrap_or_else(|e| panic!("{e}"));
        Self::of(built).unwrap_or_else(|e| panic!("{e}"))
    }

    /// The same, of a stack that was built.
    ///
    /// # Errors
    ///
    /// None for what a file built.
    pub fn of(built: Built) -> Result<Self, ComposeError> {
        let Built { stack, names, commitments, .. } = built;
        let mut scene = Self { bench: Bench::of(stack), names, block: 0 };
        for c in commitments {
            if c.escrow.get() > 0 {
                let _ = scene.send(Body::Escrow { layer: c.layer, asset: c.asset, amount: c.escrow });
            }
            let (layer, capacity, expires, escrowed) = (c.layer, c.capacity, c.expires, c.escrowed);
            let _ = scene.send(Body::Commitment { layer, capacity, expires, escrowed });
        }
        Ok(scene)
    }

    /// The engine with its history.
    #[must_use]
    pub const fn bench(&self) -> &Bench {
        &self.bench
    }

    /// What the file calls things.
    #[must_use]
    pub const fn names(&self) -> &Names {
        &self.names
    }

    fn parts(&self) -> &Parts {
        self.bench.engine().stack().parts()
    }

    /// The market of a name.
    #[must_use]
    pub fn market(&self, name: &str) -> MarketId {
        self.names.market(name).unwrap_or_else(|| panic!("no market {name:?}"))
    }

    /// The asset of a name.
    #[must_use]
    pub fn asset(&self, name: &str) -> AssetId {
        self.names.asset(name).unwrap_or_else(|| panic!("no asset {name:?}"))
    }

    /// The pool of a name.
    #[must_use]
    pub fn pool(&self, name: &str) -> PoolId {
        self.names.pool(name).unwrap_or_else(|| panic!("no pool {name:?}"))
    }

    fn lot_exponent(&self, market: MarketId) -> i32 {
        self.parts().markets.iter().find(|m| m.id == market).map_or(0, |m| m.lot_exponent)
    }

    fn tick_exponent(&self, of: Instrument) -> i32 {
        match of {
            Instrument::Market(id) => {
                self.parts().markets.iter().find(|m| m.id == id).map_or(0, |m| m.tick_exponent)
            }
            Instrument::Asset(id) => {
                let asset = self.parts().assets.iter().find(|a| a.id == id);
                asset.map_or(0, |a| i32::from(a.scale.price_exponent))
            }
        }
    }

    fn atom_exponent(&self, asset: AssetId) -> i32 {
        let asset = self.parts().assets.iter().find(|a| a.id == asset);
        asset.map_or(0, |a| -i32::from(a.scale.decimals))
    }

    /// A size in lots.
    #[must_use]
    pub fn lots(&self, market: &str, size: &str) -> Lots {
        Lots::new(small(whole(size, self.lot_exponent(self.market(market)))))
    }

    /// A price in ticks, of a market or an asset.
    #[must_use]
    pub fn ticks(&self, of: &str, price: &str) -> Ticks {
        Ticks::new(small(whole(price, self.tick_exponent(self.instrument(of)))))
    }

    /// An amount in atoms.
    #[must_use]
    pub fn atoms(&self, asset: &str, amount: &str) -> Amount {
        Amount::new(whole(amount, self.atom_exponent(self.asset(asset))))
    }

    fn instrument(&self, name: &str) -> Instrument {
        let market = self.names.market(name).map(Instrument::Market);
        market.unwrap_or_else(|| Instrument::Asset(self.asset(name)))
    }

    /// Sends a body as the next input, in the scene's block, and holds the state to conservation.
    pub fn send(&mut self, body: Body) -> Outcome {
        let mut input = self.bench.next_input(body);
        input.block = self.block;
        let outcome = self.bench.submit_next(input);
        if let Err(v) = conservation::check(self.bench.state()) {
            panic!("{v}");
        }
        outcome
    }

    /// Lets time pass, with a tick of the clock.
    pub fn wait(&mut self, ms: u64) -> Outcome {
        self.bench.wait(ms);
        self.send(Body::Clock)
    }

    /// The next block, with a tick of the clock.
    pub fn next_block(&mut self) -> Outcome {
        self.block += 1;
        self.send(Body::Clock)
    }

    /// A quote of source 1, published now.
    pub fn quote(&mut self, of: &str, price: &str) -> Outcome {
        self.quote_by(1, of, price)
    }

    /// A quote of a source, published now.
    pub fn quote_by(&mut self, source: u32, of: &str, price: &str) -> Outcome {
        let (instrument, price, published) = (self.instrument(of), self.ticks(of, price), self.bench.now());
        let quote = Quote { source: SourceId(source), price, confidence: Ticks::ZERO, published };
        self.send(Body::Quotes(vec![(instrument, quote)]))
    }

    /// Scenario values: market, base, and a low and a high per scenario.
    pub fn scenarios(&mut self, sets: &[ScenarioRows<'_>]) -> Answer {
        let set = |(market, base, rows): &ScenarioRows<'_>| {
            let price = |x: &str| self.ticks(market, x);
            let value = |(low, high): &(&str, &str)| ScenarioPrice { low: price(low), high: price(high) };
            let values = rows.iter().map(value).collect();
            MarketScenarios { market: self.market(market), base: price(base), values }
        };
        let sets = sets.iter().map(set).collect();
        self.send(Body::Scenarios(sets)).answer
    }

    /// Collateral for a group.
    pub fn deposit(&mut self, group: u32, asset: &str, amount: &str) -> Outcome {
        let amount = self.atoms(asset, amount);
        self.send(Body::Deposit { group: GroupId(group), asset: self.asset(asset), amount })
    }

    /// Takes collateral out.
    pub fn withdraw(&mut self, group: u32, asset: &str, amount: &str) -> Answer {
        let amount = self.atoms(asset, amount);
        self.send(Body::Withdraw { group: GroupId(group), asset: self.asset(asset), amount }).answer
    }

    /// A trade between two groups; the taker buys where the size is above zero.
    pub fn trade(&mut self, taker: u32, maker: u32, market: &str, size: &str, price: &str) -> Answer {
        let (lots, price) = (self.lots(market, size), self.ticks(market, price));
        let (taker, maker, market) = (GroupId(taker), GroupId(maker), self.market(market));
        self.send(Body::Trade { taker, maker, market, lots, price }).answer
    }

    /// Supplies a pool.
    pub fn supply(&mut self, group: u32, pool: &str, asset: &str, amount: &str) -> Answer {
        let amount = self.atoms(asset, amount);
        self.send(Body::Supply { group: GroupId(group), pool: self.pool(pool), amount }).answer
    }

    /// Borrows from a pool.
    pub fn borrow(&mut self, group: u32, pool: &str, asset: &str, amount: &str) -> Answer {
        let amount = self.atoms(asset, amount);
        self.send(Body::Borrow { group: GroupId(group), pool: self.pool(pool), amount }).answer
    }

    /// A keeper's bid: repay so much of a debt for at least so much of a collateral.
    pub fn bid(&mut self, keeper: u32, group: u32, repay: (&str, &str), seize: (&str, &str)) -> Answer {
        let (repaid, at_least) = (self.atoms(repay.0, repay.1), self.atoms(seize.0, seize.1));
        self.send(Body::Bid {
            keeper: GroupId(keeper),
            group: GroupId(group),
            debt: self.asset(repay.0),
            repay: repaid,
            collateral: self.asset(seize.0),
            at_least,
        })
        .answer
    }

    /// A keeper's bid for lots of a position, at any price.
    pub fn take(&mut self, keeper: u32, group: u32, market: &str, size: &str) -> Answer {
        let (lots, market) = (self.lots(market, size), self.market(market));
        let (keeper, group, limit) = (GroupId(keeper), GroupId(group), Ticks::ZERO);
        self.send(Body::Take { keeper, group, market, lots, limit }).answer
    }

    /// The first open order of a group.
    #[must_use]
    pub fn order_of(&self, group: u32) -> OpenOrder {
        let order = self.bench.orders().iter().find(|o| o.group == GroupId(group));
        *order.unwrap_or_else(|| panic!("group {group} has no open order"))
    }

    /// The venue reports a fill of a group's first open order, all of it.
    pub fn fill(&mut self, group: u32, counterparty: u32, price: &str) -> Answer {
        let order = self.order_of(group);
        let price = self.ticks(self.market_name(order.market), price);
        let body =
            Body::Fill { order: order.id, lots: order.lots, price, counterparty: GroupId(counterparty) };
        let answer = self.send(body).answer;
        self.bench.forget(order.id);
        answer
    }

    /// Our own matching proposes to fill a group's first open order, all of it.
    pub fn propose(&mut self, group: u32, counterparty: u32, price: &str) -> Answer {
        let order = self.order_of(group);
        let price = self.ticks(self.market_name(order.market), price);
        let (lots, counterparty) = (order.lots, GroupId(counterparty));
        let answer = self.send(Body::Match { order: order.id, lots, price, counterparty }).answer;
        if answer == Answer::Done {
            self.bench.forget(order.id);
        }
        answer
    }

    /// A group's first open order ends without more fills.
    pub fn end_order(&mut self, group: u32, outcome: OrderOutcome) -> Answer {
        let order = self.order_of(group);
        self.bench.forget(order.id);
        self.send(Body::OrderEnded { order: order.id, outcome }).answer
    }

    fn market_name(&self, id: MarketId) -> &'static str {
        // a scene lives as long as its test; a leaked name keeps the callers free of borrows
        let name = self.names.market_name(id).unwrap_or("?");
        Box::leak(name.to_owned().into_boxed_str())
    }

    /// A group's position, as a decimal size.
    #[must_use]
    pub fn size(&self, group: u32, market: &str) -> String {
        let id = self.market(market);
        let lots = self.bench.lots(group, id.0);
        Decimal::from_units(lots.into(), self.lot_exponent(id)).to_string()
    }

    /// What a group holds of an asset, as a decimal amount.
    #[must_use]
    pub fn balance(&self, group: u32, asset: &str) -> String {
        self.held(Holder::Group(GroupId(group)), asset)
    }

    /// What anybody holds of an asset, as a decimal amount.
    #[must_use]
    pub fn held(&self, holder: Holder, asset: &str) -> String {
        let id = self.asset(asset);
        let units = match holder {
            Holder::Group(g) => self.bench.state().book().balance(g, id).get(),
            _ => self.bench.state().holding(holder, Item::Asset(id)).units,
        };
        Decimal::from_units(units, self.atom_exponent(id)).to_string()
    }

    /// What nobody has paid yet in an asset, as a decimal amount.
    #[must_use]
    pub fn deficit(&self, asset: &str) -> String {
        let held = self.held(Holder::House(House::Deficit), asset);
        held.strip_prefix('-').unwrap_or(&held).to_owned()
    }

    /// How often something was posted for a reason.
    #[must_use]
    pub fn posted(&self, reason: Reason) -> usize {
        let facts = self.bench.history().steps.iter().flat_map(|(_, facts)| facts);
        facts.filter(|f| matches!(f, Fact::Post { reason: r, .. } if *r == reason)).count()
    }

    /// The work that waits, with its time: cool-downs and allocations.
    #[must_use]
    pub fn waiting(&self) -> Vec<(Millis, Work)> {
        self.bench.state().queue().map(|(key, work)| (key.due, work)).collect()
    }

    /// Holds the state to conservation and rebuilds it from its facts (INV-1, INV-39).
    ///
    /// # Panics
    ///
    /// When either does not hold.
    pub fn check(&self) {
        conservation::check(self.bench.state()).unwrap_or_else(|v| panic!("{v}"));
        self.bench.replay().unwrap_or_else(|e| panic!("{e}"));
    }
}

fn whole(text: &str, exponent: i32) -> i128 {
    let number: Decimal = text.parse().unwrap_or_else(|e| panic!("{text:?}: {e}"));
    number.to_units(exponent).unwrap_or_else(|e| panic!("{text:?}: {e}"))
}

fn small(units: i128) -> i64 {
    i64::try_from(units).unwrap_or_else(|e| panic!("{units}: {e}"))
}
