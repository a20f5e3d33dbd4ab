//! Recorded minutes, an account book and a composed stack: one run of the month. The stack is the one that runs in
//! production; this is the shell that answers its effects.
//!
//! Each minute: the price moves, the feed tells the stack (or not yet), the stack orders, the venue fills at the price of the
//! moment, forced flow moves the price away from the recorded one, and the stack is told again until nothing moves. Then
//! accounts open, close and withdraw.

mod accounts;
mod insurers;
mod shell;
#[cfg(test)]
mod tests;

use crate::conservation::Postings;
use crate::data::Minutes;
use crate::depth::{Decaying, Exit, Impact};
use crate::feed::{Feed, FeedRule};
use crate::implied::{End, Opening};
use crate::tally::Tally;
pub use insurers::InsurerPlan;

use cofferdam_core::{Amount, AssetId, GroupId, LayerId, Lots, MarketId, Millis, OrderId, Quanta, Ticks};
use cofferdam_stack::{Engine, EvolveError, Input, Observer, RiskStack};

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
    /// How those who promised behave; who is not named pays everything at once and stays.
    pub insurers: &'a [InsurerPlan],
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
    /// An insurer that cannot be had on its terms.
    #[error("insurer: {0}")]
    Insurer(String),
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
    insurers: insurers::Insurers,
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
    let start = minutes.time_ms.first().copied().unwrap_or(0);
    let mut shell = Shell {
        engine: Engine::new(stack),
        venue,
        world,
        minutes,
        recorder,
        tally: Tally::new(),
        postings: Postings::default(),
        number: 0,
        now: start,
        resting: Vec::new(),
        insurers: insurers::Insurers::new(world.covers, world.insurers, Millis(start))
            .map_err(RunError::Insurer)?,
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
