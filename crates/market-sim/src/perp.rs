//! Recorded minutes, an account book and a composed stack: one run of the month. The stack is the one that runs in
//! production; this is the shell that answers its effects.
//!
//! Each minute: the price moves, the feed tells the stack (or not yet), the stack orders, the venue fills at the price of the
//! moment, forced flow moves the price away from the recorded one, and the stack is told again until nothing moves. Then
//! accounts open, close and withdraw.

use crate::conservation::Postings;
use crate::data::Minutes;
use crate::depth::{Decaying, Exit, Impact};
use crate::feed::{Feed, FeedRule};
use crate::implied::{End, Opening, Side};
use crate::tally::Tally;
use cofferdam_core::{
    Amount, AssetId, DrawId, GroupId, Holder, Instrument, Item, LayerId, Lots, MarketId, Millis, OrderId,
    Quanta, Quote, SourceId, Ticks,
};
use cofferdam_stack::{
    Answer, Body, Effect, Engine, EvolveError, Input, InputId, Observer, Rejection, RiskStack,
};

/// Rounds of price and forced flow within one minute; a cascade that has not come to rest by then goes on in the next.
const ROUNDS_MAX: u32 = 50;
/// The backstop vault's group, as the stack files name it.
pub const VAULT: GroupId = GroupId(1);
const FIRST_MAKER: u32 = 2;
const FIRST_ACCOUNT: u32 = 16;

/// The market's terms, as the stack's file gives them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Venue {
    /// The perpetual market.
    pub market: MarketId,
    /// Its settlement asset, which is the numeraire.
    pub settlement: AssetId,
}

/// What an insurance layer starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cover {
    /// Which layer.
    pub layer: LayerId,
    /// Escrowed in the ledger at the start, in atoms; zero for a promise.
    pub escrow: Amount,
    /// Committed in all.
    pub capacity: Quanta,
    /// Until when.
    pub expires: Millis,
}

/// How the world around the stack behaves in one run.
#[derive(Debug)]
pub struct Conditions<'a> {
    /// Depth of the recorded market, USD per 1 %.
    pub depth_usd: f64,
    /// Times this.
    pub depth_multiple: f64,
    /// Half-life of forced flow and of what liquidity providers remember.
    pub half_life_ms: u64,
    /// How flow moves the price.
    pub impact: &'a dyn Impact,
    /// Liquidity providers that leave.
    pub exit: Option<Exit>,
    /// Instead of reacting: the share of depth per minute, from elsewhere.
    pub shares: Option<&'a [f64]>,
    /// Forced flow of the recorded market; without it nothing moves the price away from the record.
    pub reference: Option<&'a Reference>,
    /// Forced flow of this run does not move the price at all, only the recorded flow is missing: the twin that tells how much
    /// forced selling triggers.
    pub without_own_impact: bool,
    /// What the stack gets to see.
    pub feed: FeedRule,
    /// Market makers, who hold the other side of everything.
    pub makers: u32,
    /// What each has, in atoms.
    pub maker_cash: Amount,
    /// What the backstop vault has, in atoms.
    pub vault_cash: Amount,
    /// What insurance starts with.
    pub covers: &'a [Cover],
    /// The share of a promised draw that is paid, in parts per million; the rest is denied.
    pub promised_paid_ppm: u32,
}

/// Forced flow per minute of the replay: what the recorded prices already contain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reference {
    /// Net flow in USD before the minute's own.
    pub before: Vec<f64>,
    /// And after it.
    pub after: Vec<f64>,
}

/// What a run leaves.
#[derive(Clone, Debug)]
pub struct Run {
    /// Folded facts.
    pub tally: Tally,
    /// Lots of longs and of shorts closed by force, per minute.
    pub forced_lots: [Vec<i64>; 2],
    /// Their notional in quanta, per minute.
    pub forced_notional: [Vec<i128>; 2],
    /// The price in ticks at the end of each minute.
    pub mid: Vec<i64>,
    /// The share of depth that was there, per minute.
    pub depth_share: Vec<f64>,
    /// Flow for runs that compare with this one.
    pub flow: Reference,
    /// Lots that closed in the minute their opening says, of all that should have.
    pub own_minute_lots: i64,
    /// Lots of openings that the record liquidates.
    pub implied_lots: i64,
    /// Forced notional in quanta after the first round of its minute.
    pub later_rounds_notional: i128,
    /// Rounds in which something was closed by force.
    pub rounds: u64,
    /// The largest number of rounds in one minute.
    pub rounds_max: u32,
    /// Largest fall from a running peak of the price, as a ratio.
    pub max_drawdown: f64,
    /// Accounts that opened, and that a rule refused.
    pub opened: u64,
    /// See `opened`.
    pub refused: u64,
    /// Still open at the end: deficit that nobody paid, in atoms.
    pub open_deficit: i128,
    /// SHA-256 of the state at the end.
    pub state_hash: [u8; 32],
    /// Balances over all holders that were summed and found to be zero.
    pub conservation_checks: u64,
    /// Steps after which the sums of all postings were zero, and what the step moved was in the state what was posted.
    pub steps_conserved: u64,
    /// Postings in them.
    pub postings_conserved: u64,
}

impl Run {
    /// Closed by force in all, in quanta.
    #[must_use]
    pub fn forced_total(&self) -> i128 {
        self.tally.events.iter().map(|e| e.forced).sum()
    }

    /// Losses realised in all, in atoms.
    #[must_use]
    pub fn losses(&self) -> i128 {
        self.tally.events.iter().map(|e| e.losses).sum()
    }
}

/// Why a run ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The engine contradicts itself: a defect.
    #[error("the engine contradicts itself: {0}")]
    Evolve(#[from] EvolveError),
    /// Something was created or lost: a defect.
    #[error("conservation broken after input {seq}: {what}")]
    Conservation {
        /// The last input.
        seq: u64,
        /// What does not sum to zero.
        what: String,
    },
    /// Writing what happened failed.
    #[error("recording: {0}")]
    Record(#[from] std::io::Error),
}

/// Sees inputs as well as facts: a recorder of journals.
pub trait Recorder: Observer {
    /// An input that is about to be submitted.
    fn input(&mut self, input: &Input) -> std::io::Result<()>;
    /// The first fault of writing, if any.
    fn fault(&mut self) -> std::io::Result<()>;
}

struct All<'a>(&'a mut Tally, &'a mut Postings, Option<&'a mut dyn Recorder>);

impl Observer for All<'_> {
    fn step(
        &mut self,
        cause: &cofferdam_stack::StepCause,
        facts: &[cofferdam_stack::Fact],
        after: &cofferdam_stack::State,
    ) {
        self.0.step(cause, facts, after);
        self.1.step(cause, facts, after);
        if let Some(r) = &mut self.2 {
            r.step(cause, facts, after);
        }
    }
}

struct Resting {
    order: OrderId,
    group: GroupId,
    lots: Lots,
    limit: Ticks,
    expires: Millis,
}

struct Shell<'a, 'r> {
    engine: Engine,
    venue: Venue,
    world: &'a Conditions<'a>,
    minutes: &'a Minutes,
    recorder: Option<&'r mut dyn Recorder>,
    tally: Tally,
    postings: Postings,
    number: u64,
    now: u64,
    resting: Vec<Resting>,
    settle: Vec<(DrawId, Amount)>,
    feed: Feed,
    flow: Decaying,
    recent: Decaying,
    openings: &'a [Opening],
    run: Run,
}

/// Runs the minutes through a stack. `openings` in any order; each becomes a group of its own.
///
/// # Errors
///
/// A defect of the engine, or of writing; never what the data or the configuration contains.
pub fn run(
    minutes: &Minutes,
    openings: &[Opening],
    stack: RiskStack,
    venue: Venue,
    world: &Conditions<'_>,
    recorder: Option<&mut dyn Recorder>,
    progress: &dyn Fn(usize),
) -> Result<Run, RunError> {
    let n = minutes.len();
    let mut shell = Shell {
        engine: Engine::new(stack),
        venue,
        world,
        minutes,
        recorder,
        tally: Tally::new(),
        postings: Postings::default(),
        number: 0,
        now: minutes.time_ms.first().copied().unwrap_or(0),
        resting: Vec::new(),
        settle: Vec::new(),
        feed: Feed::new(world.feed),
        flow: Decaying::new(world.half_life_ms),
        recent: Decaying::new(world.half_life_ms),
        openings,
        run: Run {
            tally: Tally::new(),
            forced_lots: [vec![0; n], vec![0; n]],
            forced_notional: [vec![0; n], vec![0; n]],
            mid: Vec::with_capacity(n),
            depth_share: Vec::with_capacity(n),
            flow: Reference { before: Vec::with_capacity(n), after: Vec::with_capacity(n) },
            own_minute_lots: 0,
            implied_lots: 0,
            later_rounds_notional: 0,
            rounds: 0,
            rounds_max: 0,
            max_drawdown: 0.0,
            opened: 0,
            refused: 0,
            open_deficit: 0,
            state_hash: [0; 32],
            conservation_checks: 0,
            steps_conserved: 0,
            postings_conserved: 0,
        },
    };
    let (opens, closes) = calendar(openings, n);
    shell.set_up()?;
    for (t, opens) in opens.iter().enumerate() {
        shell.minute(t, opens, closes.get(t + 1).map_or(&[][..], Vec::as_slice))?;
        if t % 1_000 == 0 || t + 1 == n {
            shell.conserve()?;
            progress(t + 1);
        }
    }
    shell.finish()
}

/// Which openings open in, and which close before, each minute.
fn calendar(openings: &[Opening], minutes: usize) -> (Vec<Vec<usize>>, Vec<Vec<usize>>) {
    let (mut opens, mut closes) = (vec![Vec::new(); minutes], vec![Vec::new(); minutes + 1]);
    for (i, o) in openings.iter().enumerate() {
        opens[o.opened].push(i);
        if let End::Closed { minute } = o.end {
            closes[minute].push(i);
        }
    }
    (opens, closes)
}

impl Shell<'_, '_> {
    fn submit(&mut self, body: Body) -> Result<Answer, RunError> {
        self.number += 1;
        let id = InputId { source: 1, number: self.number };
        let input = Input { id, time: Millis(self.now), block: 0, body };
        if let Some(r) = &mut self.recorder {
            r.input(&input)?;
        }
        let recorder = self.recorder.as_mut().map(|r| &mut **r as &mut dyn Recorder);
        let mut all = All(&mut self.tally, &mut self.postings, recorder);
        let outcome = self.engine.submit(&input, &mut all)?;
        if let Some(what) = self.postings.fault.take() {
            return Err(RunError::Conservation { seq: self.engine.state().head().at.seq, what });
        }
        if let Some(r) = &mut self.recorder {
            r.fault()?;
        }
        for effect in outcome.effects {
            match effect {
                Effect::Order { order, group, lots, limit, expires, .. } => {
                    self.resting.push(Resting { order, group, lots, limit, expires });
                }
                Effect::Cancel { order } => self.resting.retain(|r| r.order != order),
                Effect::Settle { draw, amount, .. } => self.settle.push((draw, amount)),
                _ => self.tally.counts.alarms += 1,
            }
        }
        if !input.body.is_report() {
            match &outcome.answer {
                Answer::Refused(Rejection::Breaker { .. }) => self.tally.counts.refused_by_breaker += 1,
                Answer::Refused(_) => self.tally.counts.refused += 1,
                _ => self.tally.counts.granted += 1,
            }
        }
        Ok(outcome.answer)
    }

    fn maker(&self, group: GroupId) -> GroupId {
        GroupId(FIRST_MAKER + group.0 % self.world.makers.max(1))
    }

    fn set_up(&mut self) -> Result<(), RunError> {
        let asset = self.venue.settlement;
        for i in 0..self.world.makers {
            let amount = self.world.maker_cash;
            self.submit(Body::Deposit { group: GroupId(FIRST_MAKER + i), asset, amount })?;
        }
        self.submit(Body::Deposit { group: VAULT, asset, amount: self.world.vault_cash })?;
        for c in self.world.covers {
            if c.escrow.get() > 0 {
                self.submit(Body::Escrow { layer: c.layer, asset, amount: c.escrow })?;
            }
            let escrowed = c.escrow.get() > 0;
            self.submit(Body::Commitment {
                layer: c.layer,
                capacity: c.capacity,
                expires: c.expires,
                escrowed,
            })?;
        }
        Ok(())
    }

    /// The price now: the recorded one, moved by what this run's forced flow adds to the recorded flow.
    fn price(&self, t: usize, reference_flow: f64) -> i64 {
        let base = self.minutes.mid[t];
        if self.world.reference.is_none() {
            return base;
        }
        let recorded = self.world.impact.deviation(reference_flow, self.world.depth_usd);
        let own = if self.world.without_own_impact {
            0.0
        } else {
            self.world.impact.deviation(
                self.flow.value(),
                self.world.depth_usd * self.world.depth_multiple * self.share(t),
            )
        };
        let deviation = own - recorded;
        if deviation == 0.0 {
            return base;
        }
        // a price stays a price: no cascade takes more than 95 % off or doubles it
        let moved = base as f64 * (1.0 + deviation.clamp(-0.95, 1.0));
        (libm::rint(moved) as i64).max(1)
    }

    fn share(&self, t: usize) -> f64 {
        match (self.world.shares, self.world.exit) {
            (Some(shares), _) => shares[t],
            (None, Some(exit)) => exit.share(self.recent.value()),
            (None, None) => 1.0,
        }
    }

    fn minute(&mut self, t: usize, opens: &[usize], closes: &[usize]) -> Result<(), RunError> {
        self.now = self.minutes.time_ms[t];
        self.flow.decay_to(self.now);
        self.recent.decay_to(self.now);
        self.run.flow.before.push(self.flow.value());
        let before = self.world.reference.map_or(0.0, |r| r.before[t]);
        let mut price = self.price(t, before);
        self.observe(price)?;
        self.settle_draws()?;
        for round in 1..=ROUNDS_MAX {
            let closed = self.fill(t, price, round)?;
            let after = self.world.reference.map_or(0.0, |r| r.after[t]);
            let moved = self.price(t, after);
            if closed {
                self.run.rounds += 1;
                self.run.rounds_max = self.run.rounds_max.max(round);
            }
            if moved == price {
                break;
            }
            price = moved;
            self.observe(price)?;
        }
        self.run.flow.after.push(self.flow.value());
        self.run.depth_share.push(self.share(t));
        self.run.mid.push(price);
        for &i in opens {
            self.open(i, price)?;
        }
        for &i in closes {
            self.close(i, price)?;
        }
        if t % 60 == 59 {
            self.withdraw_profits()?;
        }
        Ok(())
    }

    fn observe(&mut self, price: i64) -> Result<(), RunError> {
        match self.feed.observe(self.now, price) {
            Some((published, seen)) => {
                let quote = Quote {
                    source: SourceId(1),
                    price: Ticks::new(seen),
                    confidence: Ticks::ZERO,
                    published: Millis(published),
                };
                self.submit(Body::Quotes(vec![(Instrument::Market(self.venue.market), quote)]))?;
            }
            None => {
                self.submit(Body::Clock)?;
            }
        }
        Ok(())
    }

    /// Fills resting orders at the price of the moment, and what the fills lead to, until no order can be filled.
    fn fill(&mut self, t: usize, price: i64, round: u32) -> Result<bool, RunError> {
        let mut any = false;
        loop {
            let (mut fillable, mut rest) = (Vec::new(), Vec::new());
            for o in std::mem::take(&mut self.resting) {
                let good = if o.lots.is_negative() { price >= o.limit.get() } else { price <= o.limit.get() };
                if o.expires.0 <= self.now {
                    continue; // the stack let it expire and plans anew
                }
                if good { fillable.push(o) } else { rest.push(o) }
            }
            self.resting = rest;
            if fillable.is_empty() {
                return Ok(any);
            }
            any = true;
            for o in fillable {
                let counterparty = self.maker(o.group);
                self.submit(Body::Fill {
                    order: o.order,
                    lots: o.lots,
                    price: Ticks::new(price),
                    counterparty,
                })?;
            }
            self.book_minute(t, round);
        }
    }

    fn book_minute(&mut self, t: usize, round: u32) {
        let (lots, notional, closed) = self.tally.take_minute();
        for side in 0..2 {
            self.run.forced_lots[side][t] += lots[side];
            self.run.forced_notional[side][t] += notional[side];
        }
        if round > 1 {
            self.run.later_rounds_notional += notional[0] + notional[1];
        }
        // longs closed by force are sold, shorts bought back
        let usd = |q: i128| q as f64 / 1e6;
        self.flow.add(usd(notional[0]) - usd(notional[1]));
        self.recent.add(usd(notional[0]) + usd(notional[1]));
        for group in closed {
            let Some(i) = group.0.checked_sub(FIRST_ACCOUNT) else { continue };
            let o = &self.openings[i as usize];
            if o.end == (End::Liquidated { minute: t }) {
                self.run.own_minute_lots += o.lots;
            }
        }
    }

    fn settle_draws(&mut self) -> Result<(), RunError> {
        for (draw, amount) in std::mem::take(&mut self.settle) {
            let paid = amount.get() * i128::from(self.world.promised_paid_ppm) / 1_000_000;
            self.submit(Body::Settlement { draw, paid: Amount::new(paid) })?;
        }
        Ok(())
    }

    /// Opens an account at the price of the moment with the leverage it had at the recorded one.
    fn open(&mut self, i: usize, price: i64) -> Result<(), RunError> {
        let o = self.openings[i];
        let group = GroupId(FIRST_ACCOUNT + u32::try_from(i).unwrap_or(u32::MAX - FIRST_ACCOUNT));
        let collateral = if price == o.entry {
            o.collateral
        } else {
            let scaled = o.collateral * i128::from(price);
            (scaled + i128::from(o.entry) - 1) / i128::from(o.entry)
        };
        if let End::Liquidated { .. } = o.end {
            self.run.implied_lots += o.lots;
        }
        let (asset, amount) = (self.venue.settlement, Amount::new(collateral));
        self.submit(Body::Deposit { group, asset, amount })?;
        let lots = Lots::new(if o.side == Side::Long { o.lots } else { -o.lots });
        let maker = self.maker(group);
        let trade =
            Body::Trade { taker: group, maker, market: self.venue.market, lots, price: Ticks::new(price) };
        if self.submit(trade)? == Answer::Done {
            self.run.opened += 1;
        } else {
            self.run.refused += 1;
            self.submit(Body::Withdraw { group, asset, amount })?;
        }
        Ok(())
    }

    /// Closes what is left of an account by its holder's own will.
    fn close(&mut self, i: usize, price: i64) -> Result<(), RunError> {
        let group = GroupId(FIRST_ACCOUNT + u32::try_from(i).unwrap_or(u32::MAX - FIRST_ACCOUNT));
        let held = self.engine.state().book().position(group, self.venue.market).map_or(0, |p| p.lots.get());
        if held != 0 {
            let trade = Body::Trade {
                taker: group,
                maker: self.maker(group),
                market: self.venue.market,
                lots: Lots::new(-held),
                price: Ticks::new(price),
            };
            self.submit(trade)?;
        }
        let cash = self.engine.state().book().balance(group, self.venue.settlement);
        let flat =
            self.engine.state().book().position(group, self.venue.market).is_none_or(|p| p.lots.is_zero());
        if flat && cash.get() > 0 {
            self.submit(Body::Withdraw { group, asset: self.venue.settlement, amount: cash })?;
        }
        Ok(())
    }

    /// Market makers take out what they have earned in cash.
    fn withdraw_profits(&mut self) -> Result<(), RunError> {
        for i in 0..self.world.makers {
            let group = GroupId(FIRST_MAKER + i);
            let cash = self.engine.state().book().balance(group, self.venue.settlement);
            let earned = cash.get() - self.world.maker_cash.get();
            if earned > 0 {
                let amount = Amount::new(earned);
                self.submit(Body::Withdraw { group, asset: self.venue.settlement, amount })?;
            }
        }
        Ok(())
    }

    /// Sums every item over all holders: nothing is created or lost (INV-1, INV-2, INV-8).
    fn conserve(&mut self) -> Result<(), RunError> {
        let state = self.engine.state();
        let fail = |what: String| RunError::Conservation { seq: state.head().at.seq, what };
        let (asset, market) = (self.venue.settlement, self.venue.market);
        let (mut cash, mut lots, mut cost, mut long) = (0_i128, 0_i128, 0_i128, 0_i128);
        for ((_, item), h) in state.ledger() {
            match item {
                Item::Asset(a) if *a == asset => cash += h.units,
                Item::Position(m) if *m == market => {
                    lots += h.units;
                    cost += h.cost.get();
                }
                _ => {}
            }
        }
        for g in state.book().groups() {
            cash += state.book().balance(g, asset).get();
            if let Some(p) = state.book().position(g, market) {
                lots += i128::from(p.lots.get());
                cost += p.cost.get();
                long += i128::from(p.lots.get().max(0));
            }
        }
        let open_interest =
            cofferdam_core::World::market(state, market).map_or(0, |m| i128::from(m.open_interest.get()));
        if (cash, lots, cost) != (0, 0, 0) || long != open_interest {
            return Err(fail(format!(
                "cash {cash}, lots {lots}, cost {cost} instead of zero, or long lots {long} instead of {open_interest}"
            )));
        }
        self.run.conservation_checks += 1;
        Ok(())
    }

    fn finish(mut self) -> Result<Run, RunError> {
        let deficit = Holder::House(cofferdam_core::House::Deficit);
        let state = self.engine.state();
        self.run.open_deficit = -state.holding(deficit, Item::Asset(self.venue.settlement)).units;
        self.run.state_hash = state.hash();
        let mut peak = 0_i64;
        for &m in &self.run.mid {
            peak = peak.max(m);
            self.run.max_drawdown = self.run.max_drawdown.max(1.0 - m as f64 / peak as f64);
        }
        (self.run.steps_conserved, self.run.postings_conserved) = (self.postings.steps, self.postings.lines);
        self.run.tally = self.tally;
        Ok(self.run)
    }
}
